#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Policy fence with the driver pr and three controllers on three real corosyncs; the disks are LUNs of
another Holdfast. Needs root; skipped otherwise."""
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from corosync_test import hf, main, until as until_status, wait_members  # noqa: E402
from fences import a_stall, log, registered, running, settle  # noqa: E402
from hf import GOOD, until  # noqa: E402


def together(lab):
    for n in {1, 2, 3} - running(lab):
        lab.run("start", str(n))
    wait_members(lab, 1, 2, 3)
    assert registered(lab) == [[1, 2, 3]] * 3


def machine(lab, n, sig):
    """The controller and its corosync, as when a virtual machine stands still."""
    for name in (f"corosync{n}", str(n)):
        os.kill(lab.state()["pids"][name], sig)


def the_dead_is_shut_out_and_the_others_go_on(lab, host):
    together(lab)
    x, z = host.open(lab.urls[1, "alpha"], "x"), host.open(lab.urls[3, "alpha"], "z")
    until_status(z.reserve, GOOD)
    lab.run("kill", "3")
    wait_members(lab, 1, 2)
    assert registered(lab) == [[1, 2]] * 3
    until_status(x.reserve, GOOD)  # what controller 3's hosts held by SPC-2 has ended with it
    assert x.release().status == GOOD
    together(lab)
    x.close()


def one_cut_off_is_shut_out_and_serves_nothing(lab, host):
    x, z = host.open(lab.urls[1, "beta"], "x"), host.open(lab.urls[3, "beta"], "z")
    lab.run("cut", "3")
    wait_members(lab, 1, 2)
    until(lambda: running(lab) == {1, 2}, "the one without quorum to end")
    assert "fenced: " in log(lab, 3)
    assert z.tur().lost
    assert registered(lab) == [[1, 2]] * 3
    assert settle(x.reserve).status == GOOD and x.release().status == GOOD
    lab.run("heal")
    together(lab)
    x.close()


def a_stalled_machine_writes_nothing_afterwards(lab, host):
    a_stall(lab, host, 3, 1, lambda: machine(lab, 3, signal.SIGSTOP),
            lambda: wait_members(lab, 1, 2), lambda: machine(lab, 3, signal.SIGCONT),
            lambda: together(lab))


def start_lab(build):
    return hf.Lab(build, 16300, controllers=3, bus="corosync", on_peer_loss="fence", fence="pr",
                  size=64 << 20, bus_options="silence-ms = 3000;")


TESTS = [the_dead_is_shut_out_and_the_others_go_on, one_cut_off_is_shut_out_and_serves_nothing,
         a_stalled_machine_writes_nothing_afterwards]

if __name__ == "__main__":
    sys.exit(main(TESTS, start_lab))
