# SPDX-License-Identifier: BSD-3-Clause
"""Commands, and what happens between them, as fuzz/scsi_cdb_fuzz.c reads them."""
from struct import pack

HOST_Y, IN, OUT, ABORTED, EVENT = 1, 2, 4, 64, 128
(PORT_STATE, SERVING, TASK_MANAGEMENT, DISK_FAILS, HOLD, RELEASE, INFORMATION_LOST, WRITE_PROTECT,
 REMOVE, TIME, BUS_FAILS, ABANDON, ATTENTION, SHORT_CDB) = range(14)
NOT_SERVING, SERVES, PAUSED = 0, 1, 2
ABORT_TASK, ABORT_TASK_SET, CLEAR_TASK_SET, LU_RESET, WARM_RESET, COLD_RESET = range(6)
FAILS, NOT_READY, DOUBT = 1, 2, 3
STATES = range(6)


def event(what, how=0):
    return bytes([EVENT, what | how << 4])


def cmd(cdb, flags=0, lun=0, expected=0, data=None):
    out = bytes([flags | lun << 3]) + bytes.fromhex(cdb).ljust(16, b"\0")
    if data is None:
        return out + pack(">H", expected)
    return bytes([out[0] | OUT]) + out[1:] + pack(">HB", expected or len(data),
                                                  min(len(data), 255)) + data[:255]


def read(lun=0, flags=0, lba=0, blocks=1):
    block = 4096 if lun == 1 else 512
    return cmd(f"28 00 {lba:08x} 00 {blocks:04x} 00", IN | flags, lun, blocks * block)


def write(lun=0, flags=0, lba=0, blocks=1):
    block = 4096 if lun == 1 else 512
    return cmd(f"2a 00 {lba:08x} 00 {blocks:04x} 00", flags, lun, blocks * block, b"w")


def inquiry(lun=0):
    return cmd("12 00 00 0060 00", IN, lun, 96)


def sense():
    return cmd("03 00 00 00 60 00", IN, 0, 96)


def mode_select6(data, lun=0, flags=0):
    return cmd(f"15 10 0000 {len(data):02x} 00", flags, lun, 0, data)


def mode_select10(data, lun=0):
    return cmd(f"55 10 0000000000 {len(data):04x} 00", 0, lun, 0, data)


def control(d_sense=0, swp=0, tas=0):
    return bytes([0x0a, 10, 0x20 | d_sense << 2, 0x10, swp << 3, tas << 6]) + bytes(6)


def prout(action, rk=0, sark=0, kind=0, flags=0, lun=0, aptpl=0):
    data = pack(">QQIBBH", rk, sark, 0, aptpl, 0, 0)
    return cmd(f"5f {action:02x} {kind:02x} 0000 00000018 00", flags, lun, 24, data)


def prin(action, flags=0):
    return cmd(f"5e {action:02x} 0000000000 0100 00", IN | flags, 0, 256)


def reserve(flags=0, lun=0):
    return cmd("16 00 0000 00 00", flags, lun)


def release(flags=0, lun=0):
    return cmd("17 00 0000 00 00", flags, lun)


def ready(lun=0, flags=0):
    return cmd("00 00 0000 00 00", flags, lun)


def copy(data, expected=None, flags=0):
    expected = expected or len(data)
    return cmd(f"83 00 0000000000000000 {expected:08x} 0000", flags, 0, expected, data)


def copy_list(targets=b"", segments=b"", list_id=0, usage=0, inline=0, targets_len=None,
              segments_len=None):
    return pack(">BBHIII", list_id, usage << 3,
                len(targets) if targets_len is None else targets_len, 0,
                len(segments) if segments_len is None else segments_len, inline) + \
        targets + segments


def copy_target(first=0xe4, kind=0, length=8, uuid=bytes(20)):
    return bytes([first, kind, 0, 0, 1, 3, 0, length]) + uuid + bytes(4)


def copy_segment(kind=2, length=24, source=0, destination=0, blocks=1):
    return pack(">BBHHHHHQQ", kind, 0, length, source, destination, 0, blocks, 0, 8)


def sanitize(action, flags=0x80, data=b"\0\0\0\x04wipe", lun=0):
    out = data if action == 1 else None
    return cmd(f"48 {flags | action:02x} 0000000000 {len(data) if out else 0:04x} 00", 0, lun,
               0, out)


def verify(bytchk, data, lba=0, blocks=1):
    return cmd(f"2f {bytchk << 1:02x} {lba:08x} 00 {blocks:04x} 00", 0, 0, 0, data)


def everything():
    """A command of each kind that only asks."""
    asks = ["25 00", "9e 10 0000000000000000 00000020 00", "a0 00 00 000000 00000100 00",
            "a0 00 10 000000 00000100 00", "a3 0a 00000000 00000100 00",
            "a3 0c 00 000000 00001000 00", "a3 0c 01 28 0000 00000100 00",
            "a3 0c 82 5f 0003 00000100 00", "a3 0c 02 28 0001 00000100 00",
            "a3 0c 01 5f 0003 00000100 00", "a3 0c 07 28 0000 00000100 00",
            "a3 0d 80 000000 00000100 00", "4d 00 40 00 0000 00 0100 00",
            "4d 00 6f 00 0000 00 0100 00", "4d 00 41 01 0000 00 0100 00", "4d 00 00 00 000000 0100",
            "1a 00 3f 00 ff 00", "5a 10 3f 000000 000100 00", "5a 00 ca 00000000 0100 00",
            "37 00 1f 00000000 0100 00", "b7 1f 00000000 00000100 00",
            "84 00 00 0000000000000000 00000100", "84 03 00 00000000000000 00000100 00",
            "9e 12 0000000000000000 00000100 00", "03 01 0000 60 00"]
    out = b"".join(cmd(cdb, IN, lun, 4096) for cdb in asks for lun in (0, 3))
    return out[:19 * 46]


def seeds():
    immed, exit_failure = 0x80, 0x1f
    long_descriptor = pack(">HBBBBH", 0, 0, 0, 1, 0, 16)
    descriptor = pack(">HBBBBH", 0, 0, 0, 0, 0, 8)
    attention = event(ATTENTION, 2)
    return {
        "asks": everything(),
        "port-states": b"".join(event(PORT_STATE, s) + ready() + inquiry() + reserve() + release()
                                + prin(0) for s in STATES) + ready(),
        "not-serving": event(SERVING, NOT_SERVING) + ready() + read() + inquiry() +
        event(SERVING, SERVES) + read(),
        "waits-then-time-is-over": event(SERVING, PAUSED) + event(HOLD) + read() + event(TIME) +
        event(RELEASE) + event(SERVING, SERVES) + read(),
        "waits-then-attention": event(SERVING, PAUSED) + event(HOLD) + read() + event(ATTENTION) +
        event(SERVING, SERVES) + event(RELEASE) + read(),
        "waits-then-aborted": event(SERVING, PAUSED) + event(HOLD) + read() +
        event(TASK_MANAGEMENT, ABORT_TASK) + event(RELEASE),
        "waits-then-removed": event(SERVING, PAUSED) + event(HOLD) + read() + event(REMOVE) +
        event(SERVING, SERVES) + event(RELEASE) + read(),
        "information-lost": event(INFORMATION_LOST) + ready() + read() + prin(0) + prin(1) +
        prout(6, 0, 5) + prout(8, 5, 5, 1) + prout(3, 5) + reserve(),
        "removed": event(REMOVE, 1) + read(1) + inquiry(1) + sense() + ready(1) + event(REMOVE, 1),
        "removed-while-it-asks": event(REMOVE, 4) + reserve() + read() + event(REMOVE, 5) +
        mode_select6(pack(">I", 0) + control(swp=1), 1) + event(REMOVE, 7) + read(3),
        "reset-attention": attention + read() + attention + ready() + event(ATTENTION, 3) +
        reserve() + read(flags=HOST_Y) + event(ATTENTION) + inquiry() + sense() + read(),
        "conflict-and-reset": reserve() + event(ATTENTION, 3) + write(flags=HOST_Y) +
        write(flags=HOST_Y) + release(),
        "short-cdb": event(SHORT_CDB) + read() + event(SHORT_CDB) + ready(),
        "software-write-protect": mode_select6(pack(">I", 0) + control(swp=1)) + write() + read() +
        ready(flags=HOST_Y) + mode_select6(pack(">I", 0) + control()) + write(),
        "descriptor-sense": mode_select6(pack(">I", 0) + control(d_sense=1)) + read(lba=300) +
        verify(1, b"differs") + cmd("ff") + sense() + read(flags=HOST_Y) + read(flags=HOST_Y),
        "task-aborted-status": mode_select6(pack(">I", 0) + control(tas=1)) + ready(flags=HOST_Y) +
        event(HOLD) + read(flags=HOST_Y) + prout(0, 0, 5, flags=0) + prout(5, 5, 0, 1) +
        event(TASK_MANAGEMENT, LU_RESET) + event(RELEASE) + ready(flags=HOST_Y),
        "write-protect-switched": event(WRITE_PROTECT) + write() + read() + event(WRITE_PROTECT) +
        write() + event(WRITE_PROTECT, 3) + write(3) + write(3),
        "held-then-abort-task": event(HOLD) + write() + read() +
        event(TASK_MANAGEMENT, ABORT_TASK) + event(RELEASE) + read(),
        "held-then-abort-set": event(HOLD) + write() + event(TASK_MANAGEMENT, ABORT_TASK_SET) +
        event(RELEASE) + event(TASK_MANAGEMENT, CLEAR_TASK_SET) + read(),
        "held-then-resets": event(HOLD) + write() + event(TASK_MANAGEMENT, WARM_RESET) +
        event(RELEASE) + ready() + event(TASK_MANAGEMENT, COLD_RESET) + ready() +
        event(TASK_MANAGEMENT, LU_RESET) + ready(),
        "held-then-abandoned": event(HOLD) + write() + event(ABANDON) + event(RELEASE) + read(),
        "unmap-aborted": event(HOLD) +
        cmd("42 00 00000000 00 0028 00", 0, 0, 0,
            pack(">HHI", 38, 32, 0) + pack(">QII", 0, 8, 0) + pack(">QII", 16, 8, 0)) +
        event(TASK_MANAGEMENT, ABORT_TASK) + event(RELEASE),
        "unmap-too-many-blocks": cmd("42 00 00000000 00 0018 00", 0, 0, 0,
                                     pack(">HHI", 22, 16, 0) + pack(">QII", 300, 8, 0)),
        "held-then-reserved": event(HOLD) + read(flags=HOST_Y) + reserve() +
        read(flags=HOST_Y) + release(),
        "held-then-sanitize": event(HOLD) + read() + sanitize(1) + event(RELEASE) + ready(),
        "sanitize-goes-on": event(HOLD) + sanitize(1, immed) + ready() + sense() + inquiry() +
        reserve() + sanitize(2) + mode_select6(pack(">I", 0) + control(swp=1)) + prin(0) +
        event(RELEASE) + ready() + sense(),
        "sanitize-waits": sanitize(1, 0) + sanitize(2, 0) + read() + sense(),
        "sanitize-fails": event(DISK_FAILS, 0) + sanitize(1, 0x80) + ready() + read() + sense() +
        sanitize(exit_failure, 0, b"") + event(DISK_FAILS, 1) + sanitize(2, 0xa0) + read() +
        sanitize(exit_failure, 0, b"") + ready() + sanitize(2, 0x80) + read(),
        "sanitize-before-it-fails-to-begin": event(BUS_FAILS, FAILS) + sanitize(1) +
        event(BUS_FAILS, NOT_READY) + sanitize(1, 0) + ready(),
        "disk-fails": b"".join(event(DISK_FAILS, e) + read() + event(DISK_FAILS, e) + write()
                               for e in range(6)) + event(DISK_FAILS, 8) + read(1),
        "bus-fails": b"".join(event(BUS_FAILS, f) + c for f in (FAILS, NOT_READY, DOUBT)
                              for c in (reserve(), prout(6, 0, 5),
                                        mode_select6(pack(">I", 0) + control(swp=1)),
                                        release())),
        "bus-fails-a-reset": event(BUS_FAILS, NOT_READY) + event(TASK_MANAGEMENT, LU_RESET) +
        event(BUS_FAILS, DOUBT) + event(TASK_MANAGEMENT, LU_RESET) + ready(),
        "reservations": prout(0, 0, 1) + prout(0, 0, 2, flags=HOST_Y) + prout(1, 1, 0, 5) +
        write(flags=HOST_Y) + prin(0) + prin(1) + prin(2) + prin(3) + prout(4, 2, 1, 5, HOST_Y) +
        ready() + prout(2, 2, 0, 5, HOST_Y) + prout(3, 2, flags=HOST_Y) + prin(0),
        "mode-descriptors": mode_select10(long_descriptor + pack(">QII", 256, 0, 512)) +
        mode_select10(long_descriptor + pack(">QII", 0, 0, 4096)) +
        mode_select10(long_descriptor + pack(">QII", 99, 0, 512)) +
        mode_select10(long_descriptor + bytes(7)) + mode_select10(long_descriptor[:7]) +
        mode_select10(descriptor + pack(">II", 0xffffffff, 512)) +
        mode_select10(descriptor + pack(">II", 0, 512) + control()) +
        mode_select6(bytes([0, 0, 0, 8]) + pack(">II", 0, 512) + control(tas=1)[:7]) +
        mode_select6(bytes([0, 0, 0, 5]) + bytes(5)) + mode_select6(bytes(4) + b"\x0a"),
        "mode-pages": mode_select6(bytes(4) + bytes([0x4a, 10]) + bytes(10)) +
        mode_select6(bytes(4) + bytes([0x3f, 10]) + bytes(10)) +
        mode_select6(bytes(4) + bytes([0x0a, 9]) + bytes(10)) +
        mode_select6(bytes(4) + control()[:3] + b"\xff" + control()[4:]) +
        mode_select6(b"") + cmd("15 00 0000 08 00", 0, 0, 0, bytes(8)) +
        cmd("55 10 0000000000 0500 00", 0, 0, 1280, bytes(8)) +
        mode_select6(pack(">I", 0) + bytes([0x08, 18, 4]) + bytes(17) +
                     bytes([0x01, 10]) + bytes(10)),
        "copies-wrong": copy(copy_list(segments=copy_segment()[:20])) +
        copy(copy_list(usage=1)) + copy(copy_list(usage=3, list_id=1)) + copy(copy_list(usage=3)) +
        copy(copy_list(usage=2)) + copy(copy_list(inline=4)) + copy(copy_list(targets_len=31)) +
        copy(copy_list(targets_len=9 * 32), 16 + 9 * 32) +
        copy(copy_list(segments_len=17 * 28)[:16] + copy_segment()[:12], 16 + 17 * 28) +
        copy(copy_list(copy_target(0xe0))) + copy(copy_list(copy_target(kind=1))) +
        copy(copy_list(copy_target(length=21))) +
        copy(copy_list(copy_target(), copy_segment(kind=3))) +
        copy(copy_list(copy_target(), copy_segment(length=20))) +
        copy(copy_list(copy_target(), copy_segment())) + copy(bytes(15)) + copy(bytes(16)),
        "verify": verify(0, b"") + verify(1, bytes(200)) + verify(3, bytes(200), 0, 3) +
        cmd("2f 06 00000000 00 0003 00", 0, 0, 512, b"differs") +
        cmd("2f 06 00000000 00 0003 00", 0, 0, 512, b"\0") +
        cmd("2f 04 00000000 00 0001 00", 0, 0, 512, b"\0") +
        cmd("2f 02 00000000 00 0001 00", 0, 0, 512, b"\0") +
        cmd("2f 02 00000000 00 0001 00", 0, 0, 512, b"\1") +
        cmd("2e 02 00000000 00 0001 00", 0, 0, 512, b"\1") + cmd("2e 02 00000000 00 0000 00"),
        "atomic": cmd("89 00 0000000000000000 000000 01 00 00", 0, 0, 1024, b"\0") +
        cmd("89 00 0000000000000000 000000 01 00 00", 0, 0, 1024, b"\1") +
        cmd("89 00 0000000000000000 000000 00 00 00", 0, 0, 512, b"\0") +
        cmd("89 00 0000000000000000 000000 00 00 00") +
        cmd("89 00 0000000000000000 000000 c8 00 00", 0, 0, 1024, b"\0") +
        cmd("8b 00 0000000000000000 00000001 00 00", 0, 0, 512, b"\x5a") +
        cmd("8b 00 0000000000000000 00000000 00 00"),
        "start-stop": cmd("1b 00 0000 01 00") + cmd("1b 00 0000 00 00") +
        cmd("1e 00 0000 01 00") + cmd("1e 00 0000 00 00") + reserve() +
        cmd("1b 00 0000 01 00", HOST_Y) + cmd("1e 00 0000 00 00", HOST_Y) +
        cmd("1e 00 0000 01 00", HOST_Y),
        "unknown": cmd("ff") + cmd("5e 09") + cmd("5f 1f") + cmd("9e 00") + cmd("a3 1f") +
        cmd("28 40 00000000 00 0001 00", IN, 0, 512) + read(lun=7) + cmd("5f 00", 0, 7) +
        reserve() + cmd("ff", HOST_Y) + cmd("5e 09", HOST_Y) + read(flags=ABORTED),
    }
