#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Policy fence with the driver pr and three controllers on three real corosyncs; the disks are LUNs of
another Holdfast. Needs root; skipped otherwise."""
import collections
import os
import pathlib
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from corosync_test import hf, main, until as until_status, wait_members  # noqa: E402
from fences import a_stall, log, registered, running, settle  # noqa: E402
from hf import CHECK, CONFLICT, GOOD, until  # noqa: E402


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


class Pump(threading.Thread):
    """A host that keeps `depth` commands in flight until it is told to end; each must be answered so,
    or with a unit attention, and the session must not end."""

    def __init__(self, lab, n, device, name, wanted, depth, *cdb, **data):
        super().__init__(daemon=True)
        self.host = hf.Host(lab.build)
        session = self.host.open(lab.urls[n, device], name)
        self.start_one, self.wait, self.wanted = lambda: session.start(*cdb, **data), session.wait, wanted
        self.out = collections.deque(self.start_one() for _ in range(depth))
        self.done, self.bad, self.longest, self.over = 0, None, 0, threading.Event()
        self.start()

    def run(self):
        while self.out and not self.bad:
            since = time.monotonic()
            a = self.wait(self.out.popleft())
            self.longest = max(self.longest, time.monotonic() - since)
            if a.lost or (a.status != self.wanted and not (a.status == CHECK and a.key == 6)):
                self.bad = a
            self.done += 1
            if not self.over.is_set():
                self.out.append(self.start_one())

    def end(self):
        self.over.set()
        self.join(hf.DEADLINE)
        self.host.end()
        assert not self.is_alive() and not self.bad, (self.wanted, self.bad)


def when_a_node_is_lost_hosts_of_the_others_only_wait(lab, host):
    """Corosync lets nothing through for many times silence-ms. What is worked out meanwhile is kept,
    what comes waits, and no session ends."""
    together(lab)
    holder = host.open(lab.urls[1, "beta"], "x")
    assert settle(holder.reserve).status == GOOD
    pumps = [Pump(lab, 1, "alpha", "writes", GOOD, 8, "2a000000000500000100", out=b"\x77" * 512),
             Pump(lab, 2, "alpha", "reads", GOOD, 8, "28000000000500000100", in_len=512),
             Pump(lab, 2, "beta", "meets", CONFLICT, 2, "28000000000500000100", in_len=512),
             Pump(lab, 2, "alpha", "asks", GOOD, 2, "5e000000000000020000", in_len=512)]
    until(lambda: all(p.done > 20 for p in pumps), "all to be at work")
    machine(lab, 3, signal.SIGKILL)
    wait_members(lab, 1, 2)
    before = [p.done for p in pumps]
    until(lambda: all(p.done > n + 20 or p.bad for p, n in zip(pumps, before)), "all to go on")
    for p in pumps:
        p.end()
    print("  they waited for " + ", ".join(f"{p.longest:.1f} s" for p in pumps))
    assert settle(holder.release).status == GOOD
    holder.close()
    until(lambda: not lab.is_running(3), "controller 3 to be gone")
    lab.run("corosync", "start", "3")
    together(lab)


def start_lab(build):
    return hf.Lab(build, 16300, controllers=3, bus="corosync", on_peer_loss="fence", fence="pr",
                  size=64 << 20, bus_options="bound-ms = 30000;")


TESTS = [the_dead_is_shut_out_and_the_others_go_on, one_cut_off_is_shut_out_and_serves_nothing,
         when_a_node_is_lost_hosts_of_the_others_only_wait,
         a_stalled_machine_writes_nothing_afterwards]

if __name__ == "__main__":
    sys.exit(main(TESTS, start_lab))
