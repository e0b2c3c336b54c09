# SPDX-License-Identifier: BSD-3-Clause
"""States of the reservation machine as controllers send them and disks keep them."""
from struct import pack

APTPL, LOST, RETIRED, LEGACY = 1, 2, 4, 8
WRITE_EXCLUSIVE, ALL_REGISTRANTS = 1, 7


def nexus(name, isid=1, rtpi=1):
    return bytes([len(name)]) + name.encode() + isid.to_bytes(6, "big") + pack(">H", rtpi)


def registration(name, key, holds=0, **more):
    return nexus(name, **more) + pack(">QB", key, holds)


def body(kind=0, registrations=(), count=None):
    return pack(">BH", kind, len(registrations) if count is None else count) + \
        b"".join(registrations)


def state(flags=0, attrs=0, rtpi=0, legacy=b"", rest=None, version=2):
    return pack(">BBIBH", version, flags, 5, attrs, rtpi) + legacy + (rest or body())


def image(kind, rest=b""):
    return bytes([1, kind]) + rest


def seeds():
    two = [registration("iqn.a", 1, 1), registration("iqn.b", 2)]
    legacy = nexus("iqn.a") + pack(">Q", 9)
    return {
        "idle": state(),
        "held": state(APTPL, rest=body(WRITE_EXCLUSIVE, two)),
        "held-by-all": state(rest=body(ALL_REGISTRANTS,
                                       [registration("iqn.a", 1), registration("iqn.b", 2)])),
        "two-ports": state(rest=body(0, [registration("iqn.a", 1), registration("iqn.a", 1, rtpi=2)])),
        "legacy": state(LEGACY, legacy=legacy),
        "legacy-and-registered": state(LEGACY, legacy=legacy, rest=body(0, two)),
        "lost": state(LOST),
        "lost-and-kept": state(LOST | APTPL),
        "lost-and-registered": state(LOST, rest=body(0, two)),
        "retired": state(RETIRED),
        "no-such-type": state(rest=body(9, two)),
        "held-by-nobody": state(rest=body(WRITE_EXCLUSIVE)),
        "two-holders": state(rest=body(WRITE_EXCLUSIVE, [registration("iqn.a", 1, 1),
                                                         registration("iqn.b", 2, 1)])),
        "out-of-order": state(rest=body(0, two[::-1])),
        "no-key": state(rest=body(0, [registration("iqn.a", 0)])),
        "too-many": state(rest=body(0, two, count=300)),
        "more-than-there-are": state(rest=body(0, two, count=3)),
        "sanitize": state(attrs=0x10, rtpi=1),
        "mode": state(attrs=7),
        "image": image(1, body(WRITE_EXCLUSIVE, two)),
        "image-none": image(0),
        "image-lost": image(2),
        "image-cut": image(1, body(0, two)[:-1]),
    }
