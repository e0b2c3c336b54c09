#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Policy fence with the driver pr: the disks are LUNs of a third controller that knows persistent
reservations, here another Holdfast. Times are printed, not asserted."""
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from fences import a_stall, log, registered, running, settle  # noqa: E402
from hf import CHECK, GOOD, until  # noqa: E402


def pair(lab, host, device="alpha"):
    return (host.open(lab.urls[1, device], "x"), host.open(lab.urls[2, device], "y"))


def together(lab):
    for n in {1, 2} - running(lab):
        lab.run("start", str(n))
    for n in (1, 2):
        lab.wait_view(n, "together")


def luns_of(lab, host):
    conf = pathlib.Path(lab.dir, "lab", "controller-1.conf").read_text()
    urls = re.findall(r'"(iscsi://[^"?]*)', conf)
    luns = [host.open(url, "z", isid=n) for n, url in enumerate(urls, 1)]
    assert len(luns) == 3, conf
    return luns


def take_away(z, controller):
    mine = 0x7777
    # Bits 24 to 31 of a key are the controller.
    victim, = [k for k in z.keys() if k >> 24 & 0xff == controller]
    assert z.prout(6, sark=mine).status == GOOD
    assert z.prout(5, rk=mine, sark=victim, kind=8).status == GOOD  # PREEMPT AND ABORT


def both_are_registered_on_every_disk(lab, host):
    assert registered(lab) == [[1, 2]] * 3
    x, y = pair(lab, host)
    assert x.write(0, b"\x01" * 512).status == GOOD
    assert y.read(0).data == b"\x01" * 512
    x.close(), y.close()


def a_dead_controller_is_shut_out_and_the_other_goes_on(lab, host):
    y = host.open(lab.urls[2, "alpha"], "y")
    assert y.prout(0, sark=0x22).status == GOOD
    start = time.monotonic()
    lab.run("kill", "1")
    lab.wait_view(2, "racing", "alone")
    noticed = time.monotonic()
    waiting = y.start("2800000000000000" "0100", in_len=512)
    lab.wait_view(2, "alone")
    print(f"  silence noticed {noticed - start:.2f} s after the kill, alone "
          f"{time.monotonic() - noticed:.2f} s after that")
    a = y.wait(waiting)
    assert a.status == GOOD or (a.status, a.key) == (CHECK, 6), a
    assert registered(lab) == [[2]] * 3
    assert settle(lambda: y.prout(3, rk=0x22)).status == GOOD
    y.close()
    together(lab)
    assert registered(lab) == [[1, 2]] * 3


def w10_two_that_do_not_hear_each_other_have_one_winner(lab, host):
    start = time.monotonic()
    lab.run("cut")
    until(lambda: len(running(lab)) == 1, "the loser to end")
    winner = running(lab).pop()
    lab.wait_view(winner, "alone")
    print(f"  controller {winner} has won, alone {time.monotonic() - start:.2f} s after the cut")
    assert registered(lab) == [[winner]] * 3
    assert "fenced: " in log(lab, 3 - winner)  # it says why
    lab.run("heal")
    together(lab)
    assert registered(lab) == [[1, 2]] * 3


def w9_a_stalled_controller_is_shut_out_and_never_registers_again(lab, host):
    def rejoined():
        assert registered(lab) == [[2]] * 3
        together(lab)
    a_stall(lab, host, 1, 2, lambda: lab.run("pause", "1"), lambda: lab.wait_view(2, "alone"),
            lambda: lab.run("resume", "1"), rejoined)


def who_has_lost_its_registrations_finds_out_without_any_io(lab, host):
    luns = luns_of(lab, host)
    y = host.open(lab.urls[2, "alpha"], "y")
    for z in luns:
        take_away(z, 2)
    until(lambda: running(lab) == {1}, "the controller without registrations to end")
    assert "has taken this one's registration away" in log(lab, 2)
    for z in luns:
        z.close()
    y.close()
    lab.wait_view(1, "alone")
    assert registered(lab) == [[1]] * 3
    together(lab)


def what_a_winner_has_lost_on_one_disk_is_had_again_without_a_restart(lab, host):
    for n in range(3):
        luns = luns_of(lab, host)
        take_away(luns[n], 2)
        lab.run("kill", "1")
        lab.wait_view(2, "alone")
        assert registered(lab) == [[2]] * 3
        y = host.open(lab.urls[2, "alpha"], "y")
        settle(lambda: y.write(0, b"\x02" * 512))
        assert y.write(0, b"\x03" * 512).status == GOOD
        assert y.read(0).data == b"\x03" * 512
        y.close()
        for z in luns:
            z.close()
        together(lab)
        assert registered(lab) == [[1, 2]] * 3


def who_has_shut_another_out_keeps_it_out_when_it_leaves(lab, host):
    lab.run("pause", "1")
    lab.wait_view(2, "alone")
    lab.run("stop", "2")
    assert registered(lab) == [[2]] * 3
    lab.run("start", "2")
    lab.run("stop", "2")  # before it has fenced anybody itself
    assert registered(lab) == [[2]] * 3
    lab.run("resume", "1")
    until(lambda: not running(lab), "the controller that was fenced to end")
    together(lab)
    assert registered(lab) == [[1, 2]] * 3


def leaving_takes_the_registration_away(lab, host):
    lab.run("stop", "2")
    lab.wait_view(1, "alone")
    assert registered(lab) == [[1]] * 3
    lab.run("stop", "1")
    assert registered(lab) == [[]] * 3
    together(lab)


def disks_that_cannot_be_fenced_are_refused(lab, host):
    lab.run("stop", "2")
    conf = pathlib.Path(lab.dir, "lab", "controller-2.conf")
    good = conf.read_text()
    disk = pathlib.Path(lab.dir, "plain.img")
    with open(disk, "wb") as f:
        f.truncate(64 << 20)
    subprocess.run([lab.build + "/src/holdfast/holdfast", "disk", "init", str(disk), "--cluster",
                    "lab", "--name", "plain", "--voting"], check=True, capture_output=True)
    conf.write_text(re.sub(r"\ndisks = .*;", f'\ndisks = [ "{disk}" ];', good))
    try:
        lab.run("start", "2")
        raise RuntimeError("started with a disk that cannot be fenced")
    except AssertionError as e:
        assert "it knows no persistent reservations" in str(e), e
    conf.write_text(good)
    together(lab)


def start_lab(build):
    return hf.Lab(build, 15900, on_peer_loss="fence", fence="pr", size=64 << 20,
                  bus_options="bound-ms = 1500;")


TESTS = [both_are_registered_on_every_disk, a_dead_controller_is_shut_out_and_the_other_goes_on,
         w10_two_that_do_not_hear_each_other_have_one_winner,
         w9_a_stalled_controller_is_shut_out_and_never_registers_again,
         who_has_lost_its_registrations_finds_out_without_any_io,
         what_a_winner_has_lost_on_one_disk_is_had_again_without_a_restart,
         who_has_shut_another_out_keeps_it_out_when_it_leaves,
         leaving_takes_the_registration_away, disks_that_cannot_be_fenced_are_refused]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
