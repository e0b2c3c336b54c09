#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Policy fence with three controllers on three real corosyncs: the part with quorum switches the
missing ones off and goes on; the part without serves nothing. Needs root; skipped otherwise. Without
the name of a test it also runs those of the drivers pr and lease, side by side: all of them wait most
of the time."""
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from corosync_test import hf, main, until, wait_members  # noqa: E402
from hf import CONFLICT, GOOD  # noqa: E402


def fenced(lab):
    """Which controllers the agent has switched off, in order."""
    try:
        return pathlib.Path(lab.dir, "lab", "fenced").read_text().split()
    except FileNotFoundError:
        return []


def the_dead_is_fenced_and_the_others_go_on(lab, host):
    x, z = host.open(lab.urls[1, "alpha"], "x"), host.open(lab.urls[3, "alpha"], "z")
    until(z.reserve, GOOD)
    lab.run("kill", "3")
    wait_members(lab, 1, 2)
    assert fenced(lab) == ["3"]
    until(x.reserve, GOOD)  # what controller 3's hosts held by SPC-2 has ended with it
    assert x.release().status == GOOD
    lab.run("start", "3")
    wait_members(lab, 1, 2, 3)
    x.close()


def one_cut_off_is_fenced_and_what_it_held_stands(lab, host):
    x, z = host.open(lab.urls[1, "beta"], "x"), host.open(lab.urls[3, "beta"], "z")
    assert z.prout(0, sark=0x33).status == GOOD
    assert z.prout(1, rk=0x33, kind=1).status == GOOD
    before = len(fenced(lab))
    lab.run("cut", "3")
    waiting = x.start_write(0, bytes(512))  # now or when it is over: the reservation stands
    wait_members(lab, 1, 2)
    assert fenced(lab)[before:] == ["3"]
    assert x.wait(waiting).status in (CONFLICT, hf.CHECK)
    until(lambda: x.write(0, bytes(512)), CONFLICT)
    until(lambda: x.prin(0), GOOD)  # the states of ports have changed, each host is told once
    assert x.keys() == [0x33]
    lab.run("heal")
    lab.run("start", "3")
    wait_members(lab, 1, 2, 3)
    until(lambda: x.prout(6, sark=0x44), GOOD)
    until(lambda: x.prout(3, rk=0x44), GOOD)
    x.close()


def an_agent_that_fails_keeps_all_waiting(lab, host):
    x = host.open(lab.urls[1, "beta"], "x")
    broken = pathlib.Path(lab.dir, "lab", "fence-fails")
    broken.touch()
    lab.run("kill", "3")
    end = time.monotonic() + hf.DEADLINE
    while "cannot" not in (why := lab.tool(1, "status")["view"]["why"]) and "out of order" not in why \
            and "agent" not in why:
        assert time.monotonic() < end, why
        time.sleep(0.02)
    assert lab.view(1) == lab.view(2) == "racing"
    broken.unlink()
    wait_members(lab, 1, 2)
    until(x.reserve, GOOD)
    assert x.release().status == GOOD
    lab.run("start", "3")
    wait_members(lab, 1, 2, 3)
    x.close()


def start_lab(build):
    return hf.Lab(build, 16230, controllers=3, bus="corosync", on_peer_loss="fence")


TESTS = [the_dead_is_fenced_and_the_others_go_on, one_cut_off_is_fenced_and_what_it_held_stands,
         an_agent_that_fails_keeps_all_waiting]

if __name__ == "__main__":
    others = [pathlib.Path(__file__).parent / f"corosync_fence_{name}_test.py"
              for name in ("pr", "lease")] if len(sys.argv) == 2 else []
    running = [(path, subprocess.Popen([sys.executable, str(path), sys.argv[1]], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
               for path in others]
    failed = main(TESTS, start_lab)
    for path, process in running:
        print(f"--- {path.name}\n{process.communicate()[0]}", flush=True)
        failed |= process.returncode != 0
    sys.exit(failed)
