# SPDX-License-Identifier: BSD-3-Clause
"""Maps with one thing wrong each, and records as they may lie on three disks."""
from struct import pack

LABEL, MAP, RECORD, RECORD_BLOCK = range(4)
MIB = 1 << 20
LINEAR, STRIPE = 1, 2


def name(text):
    return bytes([len(text)]) + text.encode()


def pdev(n, size=64 * MIB, offset=8 * MIB, block=512, voting=0):
    return bytes([n + 1] * 16) + name(f"disk{n}") + pack(">QQIB", size, offset, block, voting)


def ldev(n, extents=1, layout=LINEAR, size=MIB, block=512, columns=0, stripe=0, **more):
    return pack(">I", n + 1) + name(f"dev{n}") + bytes([n + 100] * 16) + pack(
        ">HBIIIIQBBHI", n, layout, block, 4096, columns, stripe, size, more.get("dominant", 0), 0,
        n, extents)


def extent(disk, at, length=MIB):
    return pack(">HQQ", disk, at, length)


def the_map(pdevs, ldevs, extents, version=1):
    data = pack(">IQIIII", version, 7, 99, len(pdevs), len(ldevs), len(extents)) + \
        b"".join(pdevs + ldevs + extents)
    return bytes([MAP]) + pack(">H", len(data)) + data


def label(name, voting=0, size=64 * MIB, offset=8 * MIB, block=512, version=1, uuid=b"u" * 16):
    """The driver puts the checksum right."""
    return bytes([LABEL, 1]) + b"HOLDFAST" + pack(">I", version) + uuid + b"c" * 16 + pack(
        ">QQII", size, offset, block, voting) + name


def seeds():
    two = [pdev(0, voting=1), pdev(1)]
    at = 8 * MIB
    # Of each copy: generation << 3 | unreadable << 2 | damaged << 1 | written.
    written, damaged, unread = 1, 2, 4
    return {
        "label": label(b"disk1"), "label-voting": label(b"disk1", 1),
        "label-small": label(b"disk1", size=2 * MIB, offset=MIB),
        "label-newer": label(b"disk1", version=9), "label-version-0": label(b"disk1", version=0),
        "label-name": label(b"-disk"), "label-name-tail": label(b"disk\0x"),
        "label-block": label(b"disk1", block=1024), "label-flags": label(b"disk1", 2),
        "label-uuid": label(b"disk1", uuid=bytes(16)),
        "map-linear": the_map(two, [ldev(0), ldev(1)], [extent(0, at), extent(1, at)]),
        "map-stripe": the_map(two, [ldev(0, 2, STRIPE, 2 * MIB, columns=2, stripe=65536)],
                              [extent(0, at), extent(1, at)]),
        "map-same-column": the_map(two, [ldev(0, 2, STRIPE, 2 * MIB, columns=2, stripe=65536)],
                                   [extent(0, at), extent(0, at + MIB)]),
        "map-overlap": the_map(two, [ldev(0), ldev(1)], [extent(0, at), extent(0, at)]),
        "map-large-blocks": the_map([pdev(0, block=4096, voting=1)], [ldev(0)], [extent(0, at)]),
        "map-four-voting": the_map([pdev(n, voting=1) for n in range(4)], [], []),
        "map-extent-left-over": the_map(two, [ldev(0)], [extent(0, at), extent(1, at)]),
        "map-extents-missing": the_map(two, [ldev(0, 2), ldev(1)], [extent(0, at), extent(1, at)]),
        "map-newer": the_map(two, [], [], version=2),
        "record-all": bytes([RECORD]) + bytes([1 << 3 | written, 2 << 3 | written] * 3),
        "record-scattered": bytes([RECORD, 1 << 3 | written, 0, 1 << 3 | written, 0, 9 << 3 | written, 0]),
        "record-unread": bytes([RECORD, unread, unread, 8 | written, unread, unread, 8 | written]),
        "record-damaged": bytes([RECORD]) + bytes([8 | written | damaged, 20, 1] * 6),
        "record-damaged-length": bytes([RECORD]) + bytes([8 | written | damaged, 70, 16] * 6),
    }
