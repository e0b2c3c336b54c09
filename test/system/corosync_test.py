#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Three controllers on three real corosyncs, each in a network namespace of its own: the tests of the
pair (core_test.py and what of pr_test.py crosses controllers) by the same code, and what only a group
has: three that race, one cut off, quorum, a corosync that ends and comes back. Needs root; skipped
with the reason where network namespaces cannot be made."""
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import core_test  # noqa: E402
import hf  # noqa: E402
import lab_corosync  # noqa: E402
import pr_test  # noqa: E402
from core_test import until  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402

RACES = int(os.environ.get("HF_RACES", "100"))
core_test.RACES = RACES
ALL = (1, 2, 3)


def three(lab, host, device="alpha"):
    return [host.open(lab.urls[n, device], name) for n, name in zip(ALL, "xyz")]


def together(lab):
    for n in ALL:
        lab.wait_view(n, "together")


def members(lab, n):
    return {c["id"] for c in lab.tool(n, "status")["controllers"] if c["member"]}


def wait_members(lab, *want):
    end = time.monotonic() + hf.DEADLINE
    for n in want:
        while members(lab, n) != set(want) or lab.view(n) not in ("together", "alone"):
            assert time.monotonic() < end, (n, members(lab, n), lab.view(n))
            time.sleep(0.02)


def r4_of_three_that_race_one_wins(lab, host):
    s = three(lab, host)
    wins = [0, 0, 0]
    for i in range(RACES):
        order = [(i + k) % 3 for k in range(3)]
        waiting = {k: s[k].start("160000000000") for k in order}
        status = {k: s[k].wait(q).status for k, q in waiting.items()}
        assert sorted(status.values()) == [GOOD, CONFLICT, CONFLICT], (i, status)
        won = next(k for k in status if status[k] == GOOD)
        wins[won] += 1
        assert s[won].release().status == GOOD
    print(f"  {RACES} races, won through controllers 1, 2, 3: {wins}")
    for x in s:
        x.close()


def a_persistent_reservation_holds_on_all(lab, host):
    x, y, z = three(lab, host)
    assert x.prout(0, sark=0x11).status == GOOD
    assert y.prout(0, sark=0x22).status == GOOD
    assert x.prout(1, rk=0x11, kind=5).status == GOOD
    assert z.keys() == y.keys() == [0x11, 0x22]
    assert y.write(3, bytes(512)).status == GOOD
    assert z.write(3, bytes(512)).status == CONFLICT
    assert x.prout(4, rk=0x11, sark=0x22, kind=5).status == GOOD  # PREEMPT
    until(lambda: y.write(3, bytes(512)), CONFLICT)
    assert z.keys() == [0x11]
    assert x.prout(3, rk=0x11).status == GOOD  # CLEAR
    until(lambda: z.write(3, bytes(512)), GOOD)
    for s in (x, y, z):
        s.close()


def compare_and_write_is_one_hosts_at_a_time(lab, host):
    """A counter that three hosts raise through three controllers loses no step."""
    s = three(lab, host)
    block = bytes(512)
    until(lambda: s[0].write(40, block), GOOD)
    raised = [0, 0, 0]

    def raise_it(k):
        mine = hf.Host(lab.build)
        me = mine.open(lab.urls[k + 1, "alpha"], f"caw{k}")
        while raised[k] < 25:
            now = me.read(40).data
            then = (int.from_bytes(now[:8], "big") + 1).to_bytes(8, "big") + now[8:]
            a = me.cdb("8900" + f"{40:016x}" + "0000000100" + "00", out=now + then)
            if a.status == GOOD:
                raised[k] += 1
            else:
                assert a.status == CHECK and a.key in (0xE, 6), a
        me.close()
        mine.end()

    threads = [threading.Thread(target=raise_it, args=(k,)) for k in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert raised == [25, 25, 25], raised
    assert int.from_bytes(s[2].read(40).data[:8], "big") == 75
    for x in s:
        x.close()


def one_cut_off_freezes_all_and_the_heal_goes_on(lab, host):
    x, y, z = three(lab, host)
    until(z.reserve, GOOD)
    lab.run("cut", "3")
    for n in ALL:
        lab.wait_view(n, "frozen")
    assert "quorum" in lab.tool(3, "status")["view"]["why"]
    assert "controller 3" in lab.tool(1, "status")["view"]["why"]
    assert z.write(1, b"\x33" * 512).status == GOOD
    for s in (x, y):
        until(lambda: s.write(1, bytes(512)), CONFLICT)
    a = z.release()
    assert (a.status, a.key, a.asc) == (CHECK, 2, 0x040A), a
    assert z.reserve().status == GOOD  # changes nothing (U3)
    r = lab.tool(3, "peer-down", check=False)  # no quorum, no word
    assert r.returncode == 1 and "quorum" in r.stderr or "missing" in r.stderr, r
    lab.run("heal")
    together(lab)
    until(z.release, GOOD)
    until(x.reserve, GOOD)
    assert x.release().status == GOOD
    for s in (x, y, z):
        s.close()


def the_operators_word_lets_the_quorate_part_go_on(lab, host):
    x = host.open(lab.urls[1, "beta"], "x")
    assert x.prout(0, sark=0x77).status == GOOD
    lab.run("kill", "3")
    for n in (1, 2):
        lab.wait_view(n, "frozen")
    a = x.prout(1, rk=0x77, kind=1)
    assert (a.status, a.key, a.asc) == (CHECK, 2, 0x040A), a
    lab.tool(2, "peer-down")
    wait_members(lab, 1, 2)
    until(lambda: x.prout(1, rk=0x77, kind=1), GOOD)
    lab.run("start", "3")
    wait_members(lab, 1, 2, 3)
    z = host.open(lab.urls[3, "beta"], "z")
    assert z.keys() == [0x77]
    assert z.write(0, bytes(512)).status == CONFLICT
    until(lambda: x.prout(3, rk=0x77), GOOD)
    x.close(), z.close()


def w20_killed_and_back_under_load(lab, host):
    """Hosts reserve and release through 1 and 2 all the while; nobody who is alive hears nonsense."""
    stop, counts = threading.Event(), [0, 0]

    def load(k):
        mine = hf.Host(lab.build)
        me = mine.open(lab.urls[k + 1, "gamma"], f"load{k}")
        while not stop.is_set():
            a = me.reserve()
            assert a.status in (GOOD, CONFLICT, CHECK), a
            if a.status == GOOD:
                counts[k] += 1
                while (a := me.release()).status != GOOD:
                    assert a.status == CHECK and a.key in (2, 6), a
        me.close()
        mine.end()

    threads = [threading.Thread(target=load, args=(k,)) for k in range(2)]
    for t in threads:
        t.start()
    try:
        for _ in range(2):
            lab.run("kill", "3")
            lab.run("start", "3")
            wait_members(lab, 1, 2, 3)
            before = list(counts)
            end = time.monotonic() + hf.DEADLINE
            while min(c - b for c, b in zip(counts, before)) < 3:
                assert time.monotonic() < end, (counts, before)
                time.sleep(0.02)
    finally:
        stop.set()
        for t in threads:
            t.join(60)
    print(f"  reservations meanwhile: {counts}")


def w19_leaving_freezes_nobody(lab, host):
    lab.run("stop", "3")
    wait_members(lab, 1, 2)
    x = host.open(lab.urls[1, "beta"], "x")
    assert x.reserve().status == GOOD and x.release().status == GOOD
    lab.run("start", "3")
    wait_members(lab, 1, 2, 3)
    x.close()


def a_corosync_that_ends_and_comes_back(lab, host):
    x, z = host.open(lab.urls[1, "alpha"], "x"), host.open(lab.urls[3, "alpha"], "z")
    until(z.reserve, GOOD)
    lab.run("corosync", "stop", "3")
    for n in ALL:
        lab.wait_view(n, "frozen")
    assert "corosync" in lab.tool(3, "status")["view"]["why"]
    words = pathlib.Path(lab.dir, "lab", "1.log").read_text()
    assert "bound-ms is 3000: " in words or "libcmap" not in subprocess.run(
        ["ldd", lab.build + "/src/holdfastd/holdfastd"], capture_output=True, text=True).stdout
    assert z.write(2, bytes(512)).status == GOOD
    a = z.release()
    assert (a.status, a.key, a.asc) == (CHECK, 2, 0x040A), a
    lab.run("corosync", "start", "3")
    together(lab)
    until(z.release, GOOD)
    x.close(), z.close()


def s9_all_off_and_on_again(lab, host):
    x = host.open(lab.urls[1, "beta"], "x")
    assert x.prout(0, sark=0x55, flags=1).status == GOOD  # APTPL
    for n in ALL:
        lab.run("kill", str(n))
    lab.run("start", "3")
    lab.run("start", "2")
    end = time.monotonic() + hf.DEADLINE  # controller 1 is of the view, and may have more
    while "controller 1" not in lab.tool(2, "status")["view"]["why"]:
        assert time.monotonic() < end, lab.tool(2, "status")["view"]
        time.sleep(0.02)
    lab.run("start", "1")
    wait_members(lab, 1, 2, 3)
    x = host.open(lab.urls[2, "beta"], "x")
    assert x.keys() == [0x55]
    until(lambda: x.prout(6, sark=0), GOOD)  # REGISTER AND IGNORE EXISTING KEY: out again
    y = host.open(lab.urls[1, "beta"], "x")
    until(lambda: y.prout(6, sark=0x66), GOOD)
    until(lambda: y.prout(3, rk=0x66), GOOD)
    x.close(), y.close()


def start_lab(build):
    return hf.Lab(build, 16200, controllers=3, bus="corosync", bus_options="bound-ms = 3000;")


TESTS = [*core_test.TESTS, *pr_test.ACROSS, r4_of_three_that_race_one_wins,
         a_persistent_reservation_holds_on_all, compare_and_write_is_one_hosts_at_a_time,
         one_cut_off_freezes_all_and_the_heal_goes_on,
         the_operators_word_lets_the_quorate_part_go_on, w20_killed_and_back_under_load,
         w19_leaving_freezes_nobody, a_corosync_that_ends_and_comes_back, s9_all_off_and_on_again]

def main(tests, lab):
    """Runs them, or says why not: skipped (77) where no network namespaces can be made."""
    try:
        lab_corosync.Ring.check()
    except lab_corosync.NoNamespaces as e:
        print(f"skipped: {e}")
        return 77
    return hf.main(tests, lab)


if __name__ == "__main__":
    sys.exit(main(TESTS, start_lab))
