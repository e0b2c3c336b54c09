#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Policy fence with real daemons, hosts and a fence agent: one goes on, the other can do nothing any
more, commands wait meanwhile. Times are printed, not asserted: a busy machine may take longer."""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from hf import CHECK, CONFLICT, GOOD, until  # noqa: E402


def pair(lab, host, device="alpha"):
    return (host.open(lab.urls[1, device], "x"), host.open(lab.urls[2, device], "y"))


def fenced(lab):
    """Whom the agent has switched off, in order."""
    path = pathlib.Path(lab.dir, "lab", "fenced")
    return [int(n) for n in path.read_text().split()] if path.exists() else []


def forget_fenced(lab):
    pathlib.Path(lab.dir, "lab", "fenced").unlink(missing_ok=True)


def why(lab, n):
    return lab.tool(n, "status")["view"]["why"]


def settle(session, command):
    """A command, past unit attentions and commands that have waited beyond the bound."""
    while (a := command()).status == CHECK and (a.key == 6 or (a.key, a.asc) == (2, 0x040A)):
        pass
    return a


def together(lab):
    for n in (1, 2):
        if str(n) not in {line.split()[0] for line in lab.run("pids").splitlines()}:
            lab.run("start", str(n))
    for n in (1, 2):
        lab.wait_view(n, "together")
    forget_fenced(lab)


def a_dead_controller_is_fenced_and_the_other_goes_on(lab, host):
    x, y = pair(lab, host)
    assert x.reserve().status == GOOD  # legacy: it ends with its controller
    assert y.prout(0, sark=0x22).status == CONFLICT
    assert x.release().status == GOOD
    assert y.prout(0, sark=0x22).status == GOOD
    assert y.write(3, b"\x31" * 512).status == GOOD
    assert x.reserve().status == CONFLICT
    z = host.open(lab.urls[1, "beta"], "z")
    w = host.open(lab.urls[2, "beta"], "w")
    assert z.reserve().status == GOOD
    start = time.monotonic()
    lab.run("kill", "1")
    lab.wait_view(2, "racing", "alone")
    noticed = time.monotonic()
    # Commands wait: none is answered from a state that may be the past.
    waiting = y.start("2800000000030000" "0100", in_len=512)
    lab.wait_view(2, "alone")
    alone = time.monotonic()
    a = y.wait(waiting)
    served = time.monotonic()
    assert (a.status, a.data) == (GOOD, b"\x31" * 512) or (a.status, a.key) == (CHECK, 6), a
    print(f"  silence noticed {noticed - start:.2f} s after the kill, alone {alone - noticed:.2f} s "
          f"after that, a waiting READ answered {served - noticed:.2f} s after it")
    assert fenced(lab) == [1]
    assert settle(w, w.reserve).status == GOOD  # z's went with controller 1
    assert settle(y, y.tur).status == GOOD
    assert y.keys() == [0x22]  # registrations stay
    assert settle(y, lambda: y.prout(3, rk=0x22)).status == GOOD
    assert w.release().status == GOOD
    assert "fenced" in why(lab, 2)
    together(lab)
    x = host.open(lab.urls[1, "alpha"], "x")
    assert x.keys() == []
    assert x.read(3).data == b"\x31" * 512
    for s in (x, y, w):
        s.close()


def w12_of_two_that_do_not_hear_each_other_one_is_shot(lab, host):
    start = time.monotonic()
    lab.run("cut")
    until(lambda: fenced(lab), "the fence")
    loser = fenced(lab)[0]
    lab.wait_view(3 - loser, "alone")
    print(f"  controller {loser} was fenced; the other alone {time.monotonic() - start:.2f} s after "
          "the cut")
    assert fenced(lab) == [loser]
    lab.run("heal")
    together(lab)


def w20_a_restart_needs_no_fence(lab, host):
    y = host.open(lab.urls[2, "alpha"], "y")
    assert settle(y, lambda: y.prout(0, sark=0x23)).status == GOOD
    start = time.monotonic()
    lab.run("kill", "1")
    lab.run("start", "1")

    def is_together():  # or is being killed, on a busy machine
        r = lab.tool(1, "status", check=False)
        return isinstance(r, dict) and r["view"]["state"] == "together"
    until(lambda: fenced(lab) or is_together(), "an end")
    if fenced(lab):  # a busy machine took longer than the silence: then it is a loss
        print("  too slow to be a restart: fenced")
        together(lab)
    else:
        print(f"  together again {time.monotonic() - start:.2f} s after the kill")
    assert fenced(lab) == []
    x = host.open(lab.urls[1, "alpha"], "x")
    assert x.keys() == [0x23]
    assert settle(y, lambda: y.prout(3, rk=0x23)).status == GOOD
    x.close(), y.close()


def leaving_needs_no_fence(lab, host):
    start = time.monotonic()
    lab.run("stop", "1")
    lab.wait_view(2, "alone")
    print(f"  alone {time.monotonic() - start:.2f} s after the other was told to leave")
    assert fenced(lab) == []
    together(lab)


def a_fence_that_fails_is_tried_again_and_yields_to_the_operator(lab, host):
    broken = pathlib.Path(lab.dir, "lab", "fence-fails")
    broken.touch()
    y = host.open(lab.urls[2, "alpha"], "y")
    lab.run("kill", "1")
    lab.wait_view(2, "racing")
    a = y.tur()  # waits beyond the bound, then NOT READY
    assert (a.status, a.key, a.asc) == (CHECK, 2, 0x040A), a
    assert fenced(lab) == []
    lab.tool(2, "peer-down")
    lab.wait_view(2, "alone")
    assert "operator" in why(lab, 2)
    assert settle(y, y.tur).status == GOOD
    y.close()
    broken.unlink()
    together(lab)
    # And one that works at the second attempt.
    broken.touch()
    lab.run("kill", "1")
    lab.wait_view(2, "racing")
    log = pathlib.Path(lab.dir, "lab", "2.log")
    until(lambda: log.read_text().count("failed with exit status 1; trying again") >= 2, "a retry")
    broken.unlink()
    lab.wait_view(2, "alone")
    assert fenced(lab) == [1]
    together(lab)


def inv5_a_stalled_controller_says_nothing_stale_and_writes_nothing(lab, host):
    """The agent lies here: controller 1 is only stopped. What protects is its own clock."""
    lie = pathlib.Path(lab.dir, "lab", "fence-lies")
    lie.touch()
    x, y = pair(lab, host)
    others = [host.open(lab.urls[1, "alpha"], f"x{i}") for i in range(5)]
    # That controller 1 is active again may reach a loop of controller 2 only now (2A/06).
    assert settle(x, lambda: x.prout(0, sark=0x51)).status == GOOD
    assert settle(y, lambda: y.prout(0, sark=0x52)).status == GOOD
    assert settle(x, lambda: x.prout(1, rk=0x51, kind=5)).status == GOOD
    assert x.write(9, b"\x11" * 512).status == GOOD
    lab.run("pause", "1")
    lab.wait_view(2, "alone")
    assert settle(y, lambda: y.prout(4, rk=0x52, sark=0x51, kind=5)).status == GOOD  # PREEMPT
    assert settle(y, y.tur).status == GOOD
    assert y.write(9, b"\x22" * 512).status == GOOD
    # These reach controller 1's sockets, on both of its loops, while it stands still.
    asked = []
    for s in (x, *others):
        asked += [(s, s.start_write(9, b"\x33" * 512)),
                  (s, s.start("2800000000090000" "0100", in_len=512)),
                  (s, s.start("5e000000000000100000", in_len=4096)),
                  (s, s.start("160000000000")), (s, s.start("000000000000"))]
    lab.run("resume", "1")
    for s, q in asked:
        a = s.wait(q)
        assert a.lost or (a.status == CHECK and a.key in (2, 6)), a
    assert lab.medium("alpha", 9) == b"\x22" * 512
    assert settle(y, y.tur).status == GOOD
    assert y.keys() == [0x52]
    lie.unlink()
    lab.wait_view(1, "together")  # struck off, it has joined again by itself
    x = host.open(lab.urls[1, "alpha"], "x", isid=2)
    assert x.keys() == [0x52]
    assert x.write(9, b"\x44" * 512).status == CONFLICT
    assert settle(y, lambda: y.prout(3, rk=0x52)).status == GOOD
    for s in (x, y, *others):
        s.close()


def named_in_the_record_it_fences_and_starts_alone(lab, host):
    x = host.open(lab.urls[1, "alpha"], "x")
    assert settle(x, lambda: x.prout(0, sark=0x61, flags=1)).status == GOOD  # APTPL
    x.close()
    for n in "12":
        lab.run("kill", n)
    forget_fenced(lab)
    start = time.monotonic()
    lab.run("start", "2")
    assert lab.view(2) == "starting"
    lab.wait_view(2, "alone")
    print(f"  alone {time.monotonic() - start:.1f} s after the start without the other")
    assert fenced(lab) == [1]
    y = host.open(lab.urls[2, "alpha"], "y")
    assert y.keys() == [0x61]
    together(lab)
    assert settle(y, lambda: y.prout(0, sark=0x62)).status == GOOD
    assert settle(y, lambda: y.prout(3, rk=0x62)).status == GOOD
    y.close()


def start_lab(build):
    return hf.Lab(build, 15830, on_peer_loss="fence", loops=2, bus_options="bound-ms = 1500;")


TESTS = [a_dead_controller_is_fenced_and_the_other_goes_on,
         w12_of_two_that_do_not_hear_each_other_one_is_shot, w20_a_restart_needs_no_fence,
         leaving_needs_no_fence, a_fence_that_fails_is_tried_again_and_yields_to_the_operator,
         inv5_a_stalled_controller_says_nothing_stale_and_writes_nothing,
         named_in_the_record_it_fences_and_starts_alone]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
