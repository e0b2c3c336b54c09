#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Policy fence with the driver lease and three controllers on three real corosyncs. A stand-in for the
watchdog kills the daemon where one would reset the machine. Needs root; skipped otherwise."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from corosync_test import hf, main, until as until_status, wait_members  # noqa: E402
from fences import a_stall, no_resets, reset, running, settle  # noqa: E402
from hf import GOOD  # noqa: E402


def together(lab):
    for n in {1, 2, 3} - running(lab):
        lab.run("start", str(n))
    wait_members(lab, 1, 2, 3)
    no_resets(lab)


def the_dead_are_waited_for_until_their_watchdogs_have_reset_them(lab, host):
    x, z = host.open(lab.urls[1, "alpha"], "x"), host.open(lab.urls[3, "alpha"], "z")
    until_status(z.reserve, GOOD)
    lab.run("kill", "3")
    wait_members(lab, 1, 2)
    assert reset(lab) == [3]
    until_status(x.reserve, GOOD)
    assert x.release().status == GOOD
    together(lab)
    x.close()


def one_cut_off_gives_up_its_lease_and_serves_nothing(lab, host):
    x, z = host.open(lab.urls[1, "beta"], "x"), host.open(lab.urls[3, "beta"], "z")
    w = host.open(lab.urls[1, "alpha"], "w")
    assert z.prout(0, sark=0x33).status == GOOD
    for _ in range(2):  # what it says the first time counts for nothing the second time
        lab.run("cut", "3")
        lab.wait_view(3, "out")
        wait_members(lab, 1, 2)
        assert z.tur().lost
        assert reset(lab) == []
        assert settle(w.reserve).status == GOOD and w.release().status == GOOD
        lab.run("heal")
        together(lab)  # by itself
        z = host.open(lab.urls[3, "beta"], "z")
    until_status(lambda: x.prin(0), GOOD)
    assert x.keys() == z.keys() == [0x33]
    assert z.prout(0, rk=0x33).status == GOOD
    w.close(), x.close(), z.close()


def w11_a_stopped_process_is_reset_and_writes_nothing(lab, host):
    def taken_over():
        wait_members(lab, 1, 2)
        assert reset(lab) == [3]
    a_stall(lab, host, 3, 1, lambda: lab.run("pause", "3"), taken_over, lambda: None,
            lambda: together(lab))


def start_lab(build):
    return hf.Lab(build, 16330, controllers=3, bus="corosync", on_peer_loss="fence", fence="lease")


TESTS = [the_dead_are_waited_for_until_their_watchdogs_have_reset_them,
         one_cut_off_gives_up_its_lease_and_serves_nothing,
         w11_a_stopped_process_is_reset_and_writes_nothing]

if __name__ == "__main__":
    sys.exit(main(TESTS, start_lab))
