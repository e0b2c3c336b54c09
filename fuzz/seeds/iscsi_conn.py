# SPDX-License-Identifier: BSD-3-Clause
"""Conversations with the iSCSI target, as fuzz/iscsi_conn_fuzz.c reads them."""
from struct import pack

# First byte, second byte of an input.
LOGGED_IN, UNSOLICITED, SLOW_ATTACH, HOLD_RUNS, SLOW_LEAVE, SMALL_SEGMENTS, SMALL_PIECES, \
    DISCOVERY = (1 << i for i in range(8))
HEADER_DIGEST, DATA_DIGEST, CHAP, WAIT_RUNS, DROP_RUNS, STALE, NO_BUFFERS = (
    1 << i for i in range(7))
# What happens before the bytes of a chunk.
(NOTHING, RELEASE, SECOND, ABORT_SILENTLY, HEAR, STOP, ANSWER_R2T, LET_RUN, FAIL_TMFS, STUCK,
 HALF_A_MINUTE, ABORT_WITH_STATUS, DEAF, HANG_UP, BUFFERS, HOLD) = range(16)

NOP, COMMAND, TMF, LOGIN, TEXT, DATA_OUT, LOGOUT = range(7)
IMMEDIATE, FINAL, READ, WRITE = 0x40, 0x80, 0x40, 0x20
SIMPLE, ORDERED, ACA = 1, 2, 4
NONE = 0xffffffff
ABORT_TASK, ABORT_TASK_SET, LU_RESET, COLD_RESET, REASSIGN = 1, 2, 5, 7, 8


def chunk(before=NOTHING, data=b"", flags=0):
    data += b"\0" * (len(data) % 2)
    return bytes([before | flags, len(data) // 2]) + data


def pdu(opcode, flags=FINAL, lun=0, itt=1, word20=0, cmd_sn=0, rest=b"", ahs=b"", data=b"",
        before=NOTHING, second=False, bad=False, times16=False, isid=0):
    """cmd_sn: how far from the number that is due."""
    bhs = pack(">BBBBBBBBQIIII", opcode, flags, 0, 0, len(ahs) // 4, 0, 0, 0,
               lun << 48 | isid << 16, itt,
               word20, cmd_sn & NONE, 0) + rest.ljust(16, b"\0")
    return chunk(before, bhs + ahs + data,
                 0x40 | second << 4 | bad << 5 | times16 << 7)


def rw(op, itt, blocks, lba=0):
    return pack(">BBIBHB", op, 0, lba, 0, blocks, 0)


def read(itt, blocks=1, attr=SIMPLE, lba=0, opcode=COMMAND, **more):
    return pdu(opcode, FINAL | READ | attr, itt=itt, word20=blocks * 512,
               rest=rw(0x28, itt, blocks, lba), **more)


def write(itt, blocks=1, attr=SIMPLE, lba=0, final=FINAL, expected=None, opcode=COMMAND, **more):
    return pdu(opcode, final | WRITE | attr, itt=itt,
               word20=blocks * 512 if expected is None else expected,
               rest=rw(0x2a, itt, blocks, lba), **more)


def data_out(itt, offset, data, ttt=NONE, sn=0, final=FINAL, **more):
    """ttt: how far from the last that the target has given."""
    return pdu(DATA_OUT, final, itt=itt, word20=ttt & NONE, rest=pack(">IIII", 0, sn, offset, 0),
               data=data, **more)


def tmf(function, itt, rtt=NONE, ref=0, **more):
    return pdu(TMF | IMMEDIATE, FINAL | function, itt=itt, word20=rtt, rest=pack(">I", ref & NONE),
               **more)


def nop(itt, data=b"", opcode=NOP | IMMEDIATE, **more):
    return pdu(opcode, itt=itt, word20=more.pop("ttt", NONE), data=data, **more)


def logout(itt, reason=0, cid=0, opcode=LOGOUT | IMMEDIATE, **more):
    return pdu(opcode, FINAL | reason, itt=itt, word20=cid << 16, **more)


def text(itt, keys, flags=FINAL, ttt=NONE, **more):
    return pdu(TEXT | IMMEDIATE, flags, itt=itt, word20=ttt, data=keys, **more)


def login(keys, flags=0x87, isid=0x00023d000001, itt=1, **more):
    return pdu(LOGIN | IMMEDIATE, flags, itt=itt, data=keys, isid=isid, **more)


NAMES = b"InitiatorName=iqn.2024-01.org.example:host\0TargetName=iqn.2024-01.org.example:disks\0"


def extended(cdb_type, length, body):
    return pack(">HBB", length, cdb_type, 0) + body


def raw_reads(n):
    """Many requests in one piece, as bytes: the numbers begin at 100."""
    out = b""
    for i in range(n):
        out += pack(">BBBBBBBBQIIII", COMMAND, FINAL | READ | SIMPLE, 0, 0, 0, 0, 0, 0, 0, i + 1,
                    65536, 100 + i, 0) + rw(0x28, 0, 128).ljust(16, b"\0")
    return chunk(NOTHING, out)


def ping_flood(before, itt):
    return b"".join(nop(itt + i, before=before if i == 0 else NOTHING) for i in range(9))


def seeds():
    def plain(*chunks, how=LOGGED_IN, more=0):
        return bytes([how, more]) + b"".join(chunks)

    both = HEADER_DIGEST | DATA_DIGEST
    full = b"\xa5" * 512
    return {
        "digests": plain(read(1), write(2, data=full[:400], before=NOTHING), nop(3, b"ping!"),
                         chunk(ANSWER_R2T), text(4, b"SendTargets=\0"), more=both),
        "digests-small-pieces": plain(read(1), nop(3, b"ping!"), how=LOGGED_IN | SMALL_PIECES,
                                      more=both),
        "bad-header-digest": plain(nop(1, bad=True), more=both),
        "bad-data-digests": plain(
            nop(1, b"damaged", bad=True), text(2, b"SendTargets=\0", bad=True),
            write(3, data=full[:400], bad=True), write(4, blocks=2),
            data_out(4, 0, full[:400], ttt=0, final=0, bad=True),
            data_out(4, 400, full[:112], ttt=0, sn=1), more=DATA_DIGEST),
        "extended-cdb": plain(
            read(1, ahs=extended(1, 17, bytes(20))[:20]), read(2, ahs=extended(2, 5, bytes(8))),
            read(3, ahs=extended(7, 1, bytes(4))), read(4, ahs=extended(1, 0, b"")),
            read(5, ahs=extended(1, 40, bytes(40))), read(6, ahs=extended(1, 90, bytes(8)))),
        "pings": plain(*[chunk(SECOND)] * 5, pdu(NOP | IMMEDIATE, itt=NONE, word20=0),
                       *[chunk(SECOND)] * 2, nop(1), nop(2, full[:300], times16=True),
                       chunk(HALF_A_MINUTE)),
        "pings-refused": plain(
            pdu(NOP, itt=NONE), pdu(NOP | IMMEDIATE, itt=NONE, word20=5),
            nop(1, before=DEAF), nop(1), ping_flood(NOTHING, 2), read(20, opcode=COMMAND | IMMEDIATE),
            tmf(ABORT_TASK_SET, 21), logout(22)),
        "ping-without-buffer": plain(nop(1, b"some data", before=BUFFERS), chunk(BUFFERS)),
        "stale": plain(read(1), more=STALE),
        "outcome-unknown": plain(write(1, data=full[:400]), chunk(ANSWER_R2T), read(2),
                                 more=DROP_RUNS),
        "no-buffer-while-gathering": plain(
            write(1, blocks=4), write(2, data=full[:400], before=BUFFERS), chunk(BUFFERS),
            chunk(ANSWER_R2T)),
        "waits-for-a-buffer": plain(
            write(1, data=full[:400], before=BUFFERS), chunk(BUFFERS), read(2), chunk(ANSWER_R2T)),
        "reads-wait-for-buffers": plain(read(1, before=BUFFERS), read(2, 8), chunk(BUFFERS)),
        "gives-way": plain(write(1, before=BUFFERS), write(2, data=full[:400]), chunk(BUFFERS),
                           chunk(ANSWER_R2T)),
        "aborted-without-buffer": plain(
            write(1, data=full[:400], before=BUFFERS), chunk(ABORT_SILENTLY),
            write(2, data=full[:400]), chunk(ABORT_WITH_STATUS), read(3),
            chunk(ABORT_WITH_STATUS), read(4), logout(9)),
        "closed-without-buffer": plain(write(1, data=full[:400], before=BUFFERS), chunk(HANG_UP)),
        "bad-data-without-buffer": plain(
            write(1, blocks=3, final=0, before=BUFFERS), data_out(1, 0, full[:400], sn=3),
            chunk(BUFFERS), how=LOGGED_IN | UNSOLICITED),
        "aborted-before-its-turn": plain(
            read(1), read(2, attr=ORDERED), read(3), chunk(ABORT_WITH_STATUS), read(4), read(5),
            read(6, attr=ORDERED), chunk(RELEASE), how=LOGGED_IN | HOLD_RUNS),
        "ordered-then-logout": plain(
            read(1), read(2, attr=ORDERED), write(3, blocks=2), logout(4), chunk(RELEASE),
            how=LOGGED_IN | HOLD_RUNS),
        "r2t-not-yet-sent": plain(write(1, before=DEAF), chunk(ABORT_WITH_STATUS), chunk(HEAR)),
        "logout-while-running": plain(read(1), tmf(ABORT_TASK_SET, 2), logout(3), nop(4),
                                      chunk(RELEASE), how=LOGGED_IN | HOLD_RUNS),
        "logout-reasons": plain(
            logout(1, 1, 5), logout(2, 2), logout(3, 3), logout(NONE), read(5, before=HOLD),
            logout(5), logout(6, 1, 0)),
        "logout-slow-leave": plain(logout(1, opcode=LOGOUT), chunk(RELEASE),
                                   how=LOGGED_IN | SLOW_LEAVE),
        "aca": plain(read(1, attr=ACA)),
        "attributes": plain(read(1, attr=5), read(2, attr=7), read(NONE),
                            pdu(COMMAND, READ | WRITE | FINAL), pdu(COMMAND, SIMPLE),
                            read(3, before=HOLD), read(3)),
        "owes-data": plain(
            write(1, lba=5000, blocks=3, final=0), tmf(LU_RESET, 2),
            write(3, lba=5000, blocks=3, final=0), tmf(6, 4),
            write(5, lba=5000, blocks=3, final=0), tmf(ABORT_TASK, 6, rtt=5),
            write(7, lba=5000, blocks=3, final=0), data_out(7, 0, full[:400], final=0),
            data_out(7, 400, full[:400], sn=1, final=0), data_out(7, 800, full[:400], sn=2),
            write(8, lba=5000, blocks=3, final=0), data_out(8, 0, full[:100]),
            write(9, lba=5000, blocks=3, final=0), logout(10), how=LOGGED_IN | UNSOLICITED),
        "too-much-unsolicited": plain(
            write(1, blocks=2, final=0), data_out(1, 0, full[:300], times16=True),
            write(2, blocks=2, final=0), data_out(2, 0, full[:400], final=0),
            data_out(2, 400, full[:400], sn=1, final=0), data_out(2, 800, full[:400], sn=2),
            write(3, data=full[:300], times16=True), how=LOGGED_IN | UNSOLICITED),
        "unsolicited-not-agreed": plain(write(1, final=0), data_out(1, 0, full[:400])),
        "short-burst": plain(write(1, blocks=4), data_out(1, 0, full[:300], ttt=0),
                             write(2, blocks=4), data_out(2, 100, full[:300], ttt=0)),
        "out-of-sequence": plain(write(1, blocks=4), data_out(1, 0, full[:300], ttt=0, final=0),
                                 data_out(1, 300, full[:300], ttt=0, final=0, sn=5),
                                 data_out(1, 100, full[:300], ttt=0, sn=2),
                                 write(2, blocks=4), data_out(2, 0, full[:300], ttt=-1)),
        "offset-out-of-sequence": plain(write(1, blocks=4), data_out(1, 512, full[:300], ttt=0)),
        "aborted-while-bytes-land": plain(
            chunk(NOTHING, pack(">BBBBBBBBQIIII", COMMAND, FINAL | WRITE | SIMPLE, 0, 0, 0, 0, 1, 0,
                                0, 1, 512, 100, 0) + rw(0x2a, 0, 1).ljust(16, b"\0") + full[:100]),
            chunk(ABORT_SILENTLY), chunk(NOTHING, full[:156]), nop(2)),
        "command-that-has-not-come": plain(
            tmf(ABORT_TASK, 1, rtt=77, ref=2), tmf(ABORT_TASK, 2, rtt=78, ref=1, cmd_sn=3),
            tmf(ABORT_TASK, 3, rtt=79, ref=1, cmd_sn=3), read(5), read(6),
            tmf(ABORT_TASK, 7, rtt=80, ref=0, cmd_sn=2), read(8)),
        "aborts": plain(
            read(1), write(2, blocks=2), write(3, blocks=2), tmf(ABORT_TASK, 4, rtt=1),
            tmf(ABORT_TASK, 5, rtt=2), tmf(ABORT_TASK, 6, rtt=3, lun=1),
            tmf(ABORT_TASK, 7, rtt=99), tmf(3, 8), tmf(REASSIGN, 9), tmf(9, 10), tmf(4, 11),
            tmf(ABORT_TASK_SET, 12, lun=9), tmf(LU_RESET, NONE), tmf(LU_RESET, 1),
            chunk(RELEASE), how=LOGGED_IN | HOLD_RUNS),
        "aborts-fail": plain(tmf(ABORT_TASK_SET, 1, before=FAIL_TMFS),
                             tmf(LU_RESET, 2, before=FAIL_TMFS)),
        "tmf-slow-attach": plain(tmf(LU_RESET, 1), tmf(ABORT_TASK_SET, 2, lun=1), read(3),
                                 how=LOGGED_IN | SLOW_ATTACH),
        "cold-reset": plain(tmf(COLD_RESET, 1, before=STUCK), nop(2), read(3), chunk(HEAR)),
        "cold-reset-loses": plain(read(1), tmf(COLD_RESET, 2), chunk(HANG_UP), chunk(RELEASE),
                                  how=LOGGED_IN | HOLD_RUNS),
        "text-in-pieces": plain(
            text(1, b"SendTargets=", flags=0x40), text(1, b"All\0", ttt=0),
            text(2, b"SendTargets=\0", before=DEAF), text(3, b"SendTargets=\0"), chunk(HEAR),
            text(4, b"X\0", flags=0xc0), text(5, b"no equals sign\0"), text(6, b"", ttt=7),
            text(NONE, b"SendTargets=\0")),
        "window": plain(read(1), read(2), read(3), read(4), read(5), chunk(LET_RUN),
                        chunk(RELEASE), read(6), read(7, cmd_sn=-1), read(8, cmd_sn=2),
                        how=LOGGED_IN | HOLD_RUNS),
        "number-left-out": plain(read(1, cmd_sn=1)),
        "many-large-reads-at-once": plain(raw_reads(4)),
        "many-large-reads-after-attach": plain(raw_reads(4), how=LOGGED_IN | SLOW_ATTACH),
        "stop": plain(chunk(STOP), logout(1), nop(2)),
        "stop-unheard": plain(chunk(STOP), chunk(SECOND), chunk(SECOND), chunk(SECOND)),
        "stop-deaf": plain(chunk(STOP, b""), chunk(DEAF), chunk(SECOND), chunk(SECOND)),
        "stop-before-login": plain(chunk(STOP), how=0),
        "login-too-slow": plain(chunk(HALF_A_MINUTE), how=0),
        "login-in-steps": plain(
            login(NAMES + b"AuthMethod=CHAP,None\0", flags=0x81), login(b"", flags=0x04),
            login(b"HeaderDigest=None\0", flags=0x87), read(2), login(NAMES), how=0),
        "login-chap": plain(
            login(NAMES + b"AuthMethod=CHAP,None\0", flags=0x81), login(b"CHAP_A=5\0", flags=0x81),
            login(b"CHAP_N=user\0CHAP_R=0x00112233445566778899aabbccddeeff\0", flags=0x81),
            how=0, more=CHAP),
        "not-a-login": plain(nop(1), how=0),
        "same-session-again": plain(
            read(1), login(NAMES, second=True), nop(2, second=True), read(3, second=True),
            login(NAMES, second=True)),
        "same-session-slow": plain(
            read(1), login(NAMES, second=True), chunk(RELEASE), read(3, second=True),
            chunk(HANG_UP, flags=0x10), how=LOGGED_IN | SLOW_LEAVE | HOLD_RUNS),
        "gone-before-its-turn": plain(
            read(1), login(NAMES, second=True), chunk(HANG_UP, flags=0x10), chunk(RELEASE),
            how=LOGGED_IN | SLOW_LEAVE | HOLD_RUNS),
        "waiting-runs": plain(read(1), read(2), chunk(HANG_UP), more=WAIT_RUNS),
        "discovery-requests": plain(
            text(1, b"SendTargets=All\0"), nop(2, b"x"), read(3), how=LOGGED_IN | DISCOVERY),
        "unknown": plain(pdu(0x10), pdu(0x1c), pdu(0x3f),
                         nop(1, ahs=bytes(8)), nop(2)),
        "flood": plain(b"".join(pdu(0x1c, itt=i, before=DEAF) for i in range(10))),
        "too-long": plain(chunk(NOTHING, pack(">BBBBBBBBQIIII", NOP | IMMEDIATE, FINAL, 0, 0, 0, 2,
                                              0, 0, 0, 1, NONE, 100, 0).ljust(48, b"\0"))),
        "headers-too-long": plain(chunk(NOTHING, pack(">BBBBBBBB", NOP, FINAL, 0, 0, 255, 0, 0, 0)
                                        .ljust(48, b"\0"))),
        "login-headers": plain(chunk(NOTHING, pack(">BBBBBBBB", 0x43, 0x87, 0, 0, 1, 0, 0, 0)
                                     .ljust(52, b"\0")), how=0),
        "tags-in-use": plain(read(1), nop(1), tmf(ABORT_TASK, 1), read(1), text(1, b""), logout(1),
                             chunk(RELEASE), how=LOGGED_IN | HOLD_RUNS),
        "small-segments": plain(read(1, 9), write(2, blocks=9), chunk(ANSWER_R2T),
                                chunk(ANSWER_R2T), chunk(ANSWER_R2T), chunk(ANSWER_R2T),
                                text(3, b"SendTargets=\0" * 4), text(3, b"", ttt=0),
                                how=LOGGED_IN | SMALL_SEGMENTS),
    }
