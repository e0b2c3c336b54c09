# SPDX-License-Identifier: BSD-3-Clause
"""Persistent reservations for tests with real sessions: parameter lists and parameter data written
down once more from the standard (SPC-4, 6.15, 6.16, 7.6.4), by names that people know."""
import collections

from hf import CHECK, CONFLICT, GOOD

REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_ABORT, IGNORE, MOVE, REPLACE = range(9)
SPEC_I_PT, ALL_TG_PT, APTPL = 8, 4, 1
TYPES = (1, 3, 5, 6, 7, 8)
EXCLUSIVE = (3, 6, 8)  # reads are for those who may write
REGISTRANTS = (5, 6, 7, 8)  # admit every registrant
ALL_HOLD = (7, 8)
PREEMPTED, RELEASED, REGISTRATIONS = 0x2A03, 0x2A04, 0x2A05

Registration = collections.namedtuple("Registration", "initiator isid rtpi key holder type")


def transport_id(initiator, isid):
    """initiator: name; isid: of 48 bits. Format 01b, padded with NUL to a multiple of four."""
    text = f"{initiator},i,0x{isid:012x}".encode() + b"\0"
    text += bytes(-len(text) % 4)
    return bytes([0x45, 0]) + len(text).to_bytes(2, "big") + text


def isid_of(session):
    """hf-initiator logs in with the random format (RFC 7143, 11.12.5)."""
    return 0x80 << 40 | session.isid << 16


def tid(session):
    return transport_id(session.initiator, isid_of(session))


def out(session, action, rk=0, sark=0, kind=0, flags=0, ids=(), scope=0):
    """PERSISTENT RESERVE OUT with a basic parameter list."""
    data = rk.to_bytes(8, "big") + sark.to_bytes(8, "big") + bytes(4) + bytes([flags]) + bytes(3)
    if flags & SPEC_I_PT:
        more = b"".join(ids)
        data += len(more).to_bytes(4, "big") + more
    cdb = f"5f{action:02x}{scope << 4 | kind:02x}0000{len(data):08x}00"
    return session.cdb(cdb, out=data)


def move(session, rk, sark, rtpi, to, unreg=False, aptpl=False):
    data = rk.to_bytes(8, "big") + sark.to_bytes(8, "big") + bytes([0, unreg << 1 | aptpl])
    data += rtpi.to_bytes(2, "big") + len(to).to_bytes(4, "big") + to
    return session.cdb(f"5f07000000{len(data):08x}00", out=data)


def ok(answer):
    assert answer.status == GOOD, answer
    return answer


def conflicts(answer):
    assert answer.status == CONFLICT, answer


def refuses(answer, asc, key=5):
    assert (answer.status, answer.key, answer.asc) == (CHECK, key, asc), answer


def read(session, action, cap=0xffff):
    """The whole parameter data, checked to be as long as they say."""
    data = ok(session.prin(action, cap)).data
    assert len(data) == 8 + int.from_bytes(data[4:8], "big"), data.hex()
    return data


def generation(session):
    return int.from_bytes(read(session, 0)[:4], "big")


def keys(session):
    data = read(session, 0)[8:]
    return sorted(int.from_bytes(data[i:i + 8], "big") for i in range(0, len(data), 8))


def reservation(session):
    """(key, type), or None."""
    data = read(session, 1)[8:]
    if not data:
        return None
    assert len(data) == 16 and data[13] >> 4 == 0 and not any(data[8:13]) and not any(data[14:])
    return int.from_bytes(data[:8], "big"), data[13] & 15


def full_status(session):
    data, found = read(session, 3)[8:], []
    while data:
        size = 24 + int.from_bytes(data[20:24], "big")
        entry, data = data[:size], data[size:]
        assert entry[24] == 0x45 and len(entry) == 28 + int.from_bytes(entry[26:28], "big")
        assert len(entry) % 4 == 0 and entry[12] & ~1 == 0 and not any(entry[8:12] + entry[14:18])
        name, _, isid = entry[28:].rstrip(b"\0").decode().partition(",i,0x")
        holder = bool(entry[12] & 1)
        assert holder or entry[13] == 0
        assert entry[24:] == transport_id(name, int(isid, 16))
        found.append(Registration(name, int(isid, 16), int.from_bytes(entry[18:20], "big"),
                                  int.from_bytes(entry[:8], "big"), holder, entry[13]))
    return found


def port_of(session):
    """Relative target port identifier, from VPD page 83h."""
    data = session.cdb("12018302ff00", in_len=0x2ff).data[4:]
    while data:
        size = 4 + data[3]
        if data[1] & 0x3f == 0x14:
            return int.from_bytes(data[6:8], "big")
        data = data[size:]
    raise AssertionError("no relative target port identifier")


def attentions(session):
    """Every unit attention that waits, taken off, in order."""
    found = []
    while (a := session.tur()).status != GOOD:
        assert (a.status, a.key) == (CHECK, 6), a
        found.append(a.asc)
    return found


def wipe(*sessions):
    """Nothing registered or reserved, no attention waits anywhere."""
    for s in sessions:
        attentions_of_any_kind(s)
    ok(out(sessions[0], IGNORE, sark=0xdead))
    ok(out(sessions[0], CLEAR, rk=0xdead))
    for s in sessions:
        attentions_of_any_kind(s)


def attentions_of_any_kind(session):
    """RESERVATION CONFLICT does not clear an attention; TEST UNIT READY passes every PR."""
    while (a := session.tur()).status == CHECK:
        assert a.key == 6, a
