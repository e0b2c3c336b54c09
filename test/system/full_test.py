#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Disks in files of a file system that is really full: what has a place is written, what would
need one is refused with a status of its own or stays in doubt, and when there is room again both
go on as if nothing had been. Records have their place since `disk init`. Needs the right to mount a
tmpfs; skipped without."""
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from hf import CHECK, GOOD  # noqa: E402

PORTS = 16580
IGNORE = 6
APTPL = 1
CLONE_NEWNS = 0x20000
DATA_PROTECT, SPACE_ALLOCATION_FAILED = 7, 0x2707


def mount_small():
    """A tmpfs of our own, in a mount namespace of our own: gone with this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        return None
    where = tempfile.mkdtemp(prefix="hf-full-")
    if subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True).returncode or \
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", where],
                           capture_output=True).returncode:
        os.rmdir(where)
        return None
    return where


def fill(lab):
    """Until not a page is left."""
    with open(lab.dir + "/filler", "ab", buffering=0) as f:
        for size in (1 << 20, 4096):
            try:
                while True:
                    f.write(bytes(size))
            except OSError:
                pass


def settled(ask):
    while (a := ask()).status == CHECK and a.key == 6:
        pass
    return a


def keys(s):
    """None: the unit does not say just now."""
    a = settled(lambda: s.prin(0, 512))
    return a.data[8:] if a.status == GOOD else None


def data_that_have_no_place_are_refused(lab, host):
    x, y = (host.open(lab.urls[n, "beta"], f"data{n}") for n in (1, 2))
    old = os.urandom(4096)
    assert x.write(0, old).status == GOOD
    fill(lab)
    try:
        for s in (x, y):
            a = s.write(20000, bytes(range(1, 9)) * 512)
            assert (a.status, a.key, a.asc) == (CHECK, DATA_PROTECT, SPACE_ALLOCATION_FAILED), a
            assert s.read(20000, 8).data == bytes(4096)
            # What has a place already is not touched by that, and can be written.
            assert s.read(0, 8).data == old
            old = os.urandom(4096)
            assert s.write(0, old).status == GOOD
            assert s.reserve().status == GOOD and s.release().status == GOOD
    finally:
        os.unlink(lab.dir + "/filler")
    for s in (x, y):
        assert s.write(20000, b"again!!!" * 512).status == GOOD
        assert s.read(20000, 8).data == b"again!!!" * 512


def disk_init(lab, path, *words):
    return subprocess.run([lab.build + "/src/holdfast/holdfast", "disk", "init", path, "--cluster",
                           "full", "--name", "new", "--voting", *words],
                          capture_output=True, text=True)


def a_disk_without_room_for_its_records_is_refused_as_it_was(lab, host):
    path = lab.dir + "/new.img"
    with open(path, "wb") as f:
        f.truncate(512 << 20)
        f.seek(5 << 20)
        f.write(b"as it was")
    fill(lab)
    try:
        before = os.stat(path).st_blocks
        for words in ((), ("--force", "--yes")):
            said = disk_init(lab, path, *words)
            assert said.returncode and "make room" in said.stderr, said
            assert "35 MiB" in said.stderr, said
        assert os.stat(path).st_blocks == before
        with open(path, "rb") as f:
            f.seek(5 << 20)
            assert f.read(9) == b"as it was"
    finally:
        os.unlink(lab.dir + "/filler")
    with open(path, "r+b") as f:
        f.truncate(64 << 20)
    assert disk_init(lab, path).returncode == 0
    assert os.stat(path).st_blocks * 512 >= 5 << 20
    os.unlink(path)


def a_reservation_is_kept_on_full_disks(lab, host):
    """Though none has ever been written for this device: `disk init` has given it its place."""
    x, y = (host.open(lab.urls[n, "delta"], f"kept{n}") for n in (1, 2))
    want = bytes(7) + b"\x52"
    fill(lab)
    try:
        assert settled(lambda: x.prout(IGNORE, sark=0x52, flags=APTPL)).status == GOOD
        assert keys(y) == want
        lab.kill(1, 2)
    finally:
        os.unlink(lab.dir + "/filler")
    lab.run("start", "1", "2")
    for n in (1, 2):
        lab.wait_view(n, "together")
    assert keys(host.open(lab.urls[2, "delta"], "again")) == want


def thin_out(lab):
    """As files are that were copied sparsely, or labelled by an earlier version."""
    for disk in lab.state()["disks"]:
        subprocess.run(["fallocate", "--dig-holes", disk], check=True)


def a_reservation_that_cannot_be_kept_is_in_doubt_until_there_is_room(lab, host):
    """Every disk is full, and this device's record has no place. A write that failed may be
    there in part, so no status is made up (W15): the host is cut off, data go on, and the record is
    written as soon as it can be; then both controllers and the disks have it."""
    x, y = (host.open(lab.urls[n, "gamma"], f"meta{n}") for n in (1, 2))
    assert y.write(0, b"a place!" * 64).status == GOOD
    thin_out(lab)
    fill(lab)
    try:
        a = settled(lambda: x.prout(IGNORE, sark=0x51, flags=APTPL))
        assert a.lost, a
        a = y.write(0, b"goes on!" * 64)
        assert a.status == GOOD, a
        assert y.read(0).data == b"goes on!" * 64
    finally:
        os.unlink(lab.dir + "/filler")
    x = host.open(lab.urls[1, "gamma"], "meta1")
    want = bytes(7) + b"\x51"
    for s in (x, y):
        hf.until(lambda: keys(s) == want, "the registration to be there")
    lab.kill(1, 2)
    lab.run("start", "1", "2")
    for n in (1, 2):
        lab.wait_view(n, "together")
    assert keys(host.open(lab.urls[2, "gamma"], "again")) == want


if __name__ == "__main__":
    where = mount_small()
    if not where:
        print("no tmpfs can be mounted here")
        sys.exit(77)
    tempfile.tempdir = os.environ["TMPDIR"] = where
    try:
        status = hf.main([data_that_have_no_place_are_refused,
                          a_disk_without_room_for_its_records_is_refused_as_it_was,
                          a_reservation_is_kept_on_full_disks,
                          a_reservation_that_cannot_be_kept_is_in_doubt_until_there_is_room],
                         lambda build: hf.Lab(build, PORTS, bus_options="bound-ms = 2000;"))
    finally:
        subprocess.run(["umount", "-l", where])
        os.rmdir(where)
    sys.exit(status)
