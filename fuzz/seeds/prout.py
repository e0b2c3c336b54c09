# SPDX-License-Identifier: BSD-3-Clause
"""PERSISTENT RESERVE OUT lists, as fuzz/prout_fuzz.c reads them."""
from struct import pack


def prout(action, data, nexus=0, kind=0):
    cdb = pack(">BBBHIB", 0x5f, action, kind, 0, len(data), 0)
    return bytes([nexus]) + pack(">H", len(data)) + cdb + data


def transport_id(name):
    """With the identifier of a session, in the format of a port."""
    text = name.encode() + b",i,0x000000000001\0"
    text += b"\0" * (-len(text) % 4)
    text = text.ljust(20, b"\0")
    return pack(">BBH", 0x45, 0, len(text)) + text


def register(ids, sark=5):
    """REGISTER with SPEC_I_PT."""
    rest = b"".join(ids)
    return prout(0, pack(">QQIBBHI", 0, sark, 0, 0x08, 0, 0, len(rest)) + rest)


def seeds():
    return {
        "ids": register([transport_id("iqn.b"), transport_id("iqn.c")]),
        "too-many-ids": register([transport_id(f"iqn.{n:02}") for n in range(40)]),
        "id-cut": register([transport_id("iqn.b")[:-4]]),
    }
