#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""COMPARE AND WRITE, atomic across controllers: against others of its kind and against plain writes,
on the same controller and on the other one. HF_CAW_FACTOR makes it longer (make soak-caw)."""
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
import pr  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402
from pr import REGISTER, RESERVE, ok, out  # noqa: E402

FACTOR = float(os.environ.get("HF_CAW_FACTOR", "1"))
MISCOMPARE = 0x1D00


def caw(lab, mode, name, *words):
    return subprocess.Popen([lab.build + "/test/lib/hf-caw", mode,
                             f"iqn.2026-01.com.example:caw-{name}", *map(str, words)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(processes):
    for p in processes:
        text = p.communicate()[0].strip()
        assert p.returncode == 0, text
        print("  " + text)


def compare_and_write(session, lba, old, new):
    blocks = len(old) // 512
    return session.cdb(f"8900{lba:016x}000000{blocks:02x}0000", out=old + new)


def counters_lose_nothing(lab, host):
    """Four hosts, two on each controller; one block, and sixty-four of them."""
    for device, lba, blocks, times in (("alpha", 0, 1, 600), ("gamma", 100, 64, 60)):
        times = int(times * FACTOR)
        x = host.open(lab.urls[1, device], "x")
        ok(x.write(lba, bytes(blocks * 512)))
        finish([caw(lab, "count", i, lab.urls[1 + i % 2, device], lba, blocks, times)
                for i in range(4)])
        data = x.read(lba, blocks).data
        assert data == ((4 * times).to_bytes(8, "big") + bytes(504)) * blocks, (device, data[:8])
        x.close()


def a_plain_write_never_mixes_with_it(lab, host):
    """Ranges up to the largest; of two comparisons one succeeds. The disks are slow now and then, so
    that there is time between the comparison and the write."""
    slow = "op=read,p=0.5,seed={},delay=2ms;op=write,p=0.3,seed={},delay=1ms"
    for n in (1, 2):
        for disk in ("disk1", "disk2", "disk3"):
            lab.fault(n, disk, slow.format(n, n + 2))
    finish([caw(lab, "race", f"{device}-{blocks}", lab.urls[1, device], lab.urls[2, device],
                3000 + 200 * blocks, blocks, int(60 * min(FACTOR, 20)))
            for device in ("alpha", "delta") for blocks in (1, 64, 128)])
    for n in (1, 2):
        for disk in ("disk1", "disk2", "disk3"):
            lab.fault(n, disk, "none")


def the_largest_is_stated_and_more_is_refused(lab, host):
    x, y = host.open(lab.urls[1, "alpha"], "x"), host.open(lab.urls[2, "alpha"], "y")
    for s in (x, y):
        limits = s.cdb("1201b0004000", in_len=64).data
        most = limits[5]  # MAXIMUM COMPARE AND WRITE LENGTH
        assert most >= 64
        old, new = s.read(5000, most).data, os.urandom(most * 512)
        ok(compare_and_write(s, 5000, old, new))
        assert y.read(5000, most).data == new
        a = s.cdb(f"8900{5000:016x}000000{most + 1:02x}0000", out=bytes(2 * 512 * (most + 1)))
        assert (a.status, a.key, a.asc) == (CHECK, 5, 0x2400), a
        ok(s.cdb(f"8900{5000:016x}000000000000"))  # none at all: nothing to do
        assert x.read(5000, most).data == new
    x.close(), y.close()


def a_miscompare_says_where_and_writes_nothing(lab, host):
    x, y = host.open(lab.urls[1, "alpha"], "x"), host.open(lab.urls[2, "alpha"], "y")
    data = os.urandom(64 * 512)
    ok(x.write(6000, data))
    dice = random.Random(7)
    for s in (x, y):
        for _ in range(8):
            at = dice.randrange(len(data))
            other = bytearray(data)
            other[at] ^= 1
            a = compare_and_write(s, 6000, bytes(other), bytes(len(data)))
            assert (a.status, a.key, a.asc) == (CHECK, 14, MISCOMPARE), a
            # Sense data in fixed form: VALID and the offset in INFORMATION; 2 bytes of length first.
            assert a.data[2] >> 7 == 1 and int.from_bytes(a.data[5:9], "big") == at, a
            assert y.read(6000, 64).data == data
    x.close(), y.close()


def it_needs_the_right_to_write(lab, host):
    """R10 at both controllers; registrants of the types that admit them may (VMware, type 7)."""
    x, y, z = (host.open(lab.urls[n, "alpha"], name) for n, name in ((1, "x"), (2, "y"), (2, "z")))
    old = bytes(512)
    ok(x.write(7000, old))
    pr.wipe(x, y, z)
    ok(out(x, REGISTER, sark=1))
    ok(out(y, REGISTER, sark=2))
    for kind in pr.TYPES:
        ok(out(x, RESERVE, rk=1, kind=kind))
        ok(compare_and_write(x, 7000, old, old))
        want = GOOD if kind in pr.REGISTRANTS else CONFLICT
        assert compare_and_write(y, 7000, old, old).status == want
        assert compare_and_write(z, 7000, old, b"\xff" * 512).status == CONFLICT
        assert lab.medium("alpha", 7000) == old
        ok(out(x, pr.RELEASE, rk=1, kind=kind))
        pr.attentions(y)
    pr.wipe(x, y, z)
    for s in (x, y, z):
        s.close()


def start_lab(build):
    # The relay between the controllers is for cutting; millions of operations do without it.
    return hf.Lab(build, 15481, faults=True, loops=2, **({"direct": True} if FACTOR > 1 else {}))


TESTS = [counters_lose_nothing, a_plain_write_never_mixes_with_it,
         the_largest_is_stated_and_more_is_refused, a_miscompare_says_where_and_writes_nothing,
         it_needs_the_right_to_write]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
