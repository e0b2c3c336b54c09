#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Policy fence with the driver lease and a stand-in for the watchdog, which kills the daemon where a
watchdog would reset the machine. Times are printed, not asserted."""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from fences import a_stall, no_resets, reset, running, settle  # noqa: E402
from hf import GOOD, until  # noqa: E402


def together(lab):
    for n in {1, 2} - running(lab):
        lab.run("start", str(n))
    for n in (1, 2):
        lab.wait_view(n, "together")
    no_resets(lab)


def a_dead_controller_is_waited_for_until_its_watchdog_has_reset_it(lab, host):
    y = host.open(lab.urls[2, "alpha"], "y")
    assert y.prout(0, sark=0x22).status == GOOD
    start = time.monotonic()
    lab.run("kill", "1")
    lab.wait_view(2, "racing")
    noticed = time.monotonic()
    lab.wait_view(2, "alone")
    print(f"  silence noticed {noticed - start:.2f} s after the kill, alone "
          f"{time.monotonic() - noticed:.2f} s after that")
    assert reset(lab) == [1]  # the watchdog of a dead daemon fires, too
    assert settle(lambda: y.prout(3, rk=0x22)).status == GOOD
    y.close()
    together(lab)


def of_two_that_do_not_hear_each_other_one_gives_up_its_lease(lab, host):
    x = host.open(lab.urls[1, "beta"], "x")
    y = host.open(lab.urls[2, "beta"], "y")
    start = time.monotonic()
    lab.run("cut")
    until(lambda: "alone" in (lab.view(1), lab.view(2)), "a winner")
    winner = 1 if lab.view(1) == "alone" else 2
    print(f"  controller {winner} has won, alone {time.monotonic() - start:.2f} s after the cut")
    lab.wait_view(3 - winner, "out")
    loser = y if winner == 1 else x
    assert loser.tur().lost  # its sessions are dropped
    assert reset(lab) == []
    lab.run("heal")
    together(lab)  # the loser joins again by itself
    x.close(), y.close()


def w11_a_stopped_process_is_reset_and_writes_nothing(lab, host):
    def taken_over():
        lab.wait_view(2, "alone")
        assert reset(lab) == [1]

    def rejoined():
        together(lab)
        assert lab.medium("alpha", 9) == b"\x22" * 512
    a_stall(lab, host, 1, 2, lambda: lab.run("pause", "1"), taken_over, lambda: None, rejoined)


def leaving_lets_go_of_the_watchdog(lab, host):
    lab.run("stop", "1")
    lab.wait_view(2, "alone")
    lab.run("kill", "2")  # fires a second later; nobody is reset for having left
    until(lambda: reset(lab), "a watchdog")
    assert reset(lab) == [2]
    together(lab)


def without_a_watchdog_it_does_not_start(lab, host):
    lab.run("stop", "2")
    conf = pathlib.Path(lab.dir, "lab", "controller-2.conf")
    good = conf.read_text()
    for watchdog, sentence in (("/dev/null", "it is no watchdog"),
                               ("/dev/nothing", "No such file")):
        conf.write_text(re.sub('watchdog = "[^"]*"', f'watchdog = "{watchdog}"', good))
        try:
            lab.run("start", "2")
            raise RuntimeError("started without a watchdog")
        except AssertionError as e:
            assert sentence in str(e), e
    conf.write_text(good)
    together(lab)


def start_lab(build):
    return hf.Lab(build, 15930, on_peer_loss="fence", fence="lease",
                  bus_options="bound-ms = 1500;")


TESTS = [a_dead_controller_is_waited_for_until_its_watchdog_has_reset_it,
         of_two_that_do_not_hear_each_other_one_gives_up_its_lease,
         w11_a_stopped_process_is_reset_and_writes_nothing, leaving_lets_go_of_the_watchdog,
         without_a_watchdog_it_does_not_start]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
