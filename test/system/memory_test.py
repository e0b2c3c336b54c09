#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each allocation that a controller makes for a host fails once, one after the other, while a host
logs in, writes, reads, registers, reserves, preempts, resets and logs out, an operator asks, and
the other controller comes and goes. Nobody crashes, every command ends, both controllers say the
same afterwards. HF_ALLOCATIONS=n: so many of them, drawn by lot (0: all, in order)."""
import mmap
import os
import pathlib
import queue
import random
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from hf import CHECK, GOOD  # noqa: E402

PORTS = 16500
COUNT = int(os.environ.get("HF_ALLOCATIONS", "30"))
SEED = int(os.environ.get("HF_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
APTPL = 1
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, IGNORE = 0, 1, 2, 3, 4, 6
WRITE_EXCLUSIVE_REGISTRANTS = 5


class Trigger:
    """What hf-failmalloc reads in the controller that it is loaded into."""

    def __init__(self, lab):
        self.path = lab.dir + "/failmalloc"
        pathlib.Path(self.path).write_bytes(bytes(16))
        with open(self.path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 16)

    def arm(self, n):
        self.memory[:16] = struct.pack("<qq", n, 0)

    def disarm(self):
        """Whether it has struck."""
        self.memory[:8] = bytes(8)
        return struct.unpack("<q", self.memory[8:])[0] > 0


def start_with(lab, trigger, n):
    """Controller n again, as ./lab starts it, but with allocations that can fail."""
    lab.run("stop", str(n))
    env = dict(os.environ, HF_FAILMALLOC=trigger.path,
               LD_PRELOAD=lab.build + "/test/lib/hf-failmalloc.so")
    with open(f"{lab.dir}/lab/{n}.log", "ab") as log:
        p = subprocess.Popen([lab.build + "/src/holdfastd/holdfastd", "-c",
                              f"{lab.dir}/lab/controller-{n}.conf"], stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log, env=env, start_new_session=True)
    s = lab.state()
    s["pids"][str(n)] = p.pid
    pathlib.Path(lab.dir, "lab", "lab.json").write_text(hf.json.dumps(s))
    together(lab)
    return p


def together(lab):
    for n in (1, 2):
        hf.until(lambda: isinstance(r := lab.tool(n, "status", check=False), dict)
                 and r["view"]["state"] == "together", f"controller {n} to be together")


def host_comes_and_goes(lab, n):
    """Whatever ends is good; what does not end is an exception here."""
    host = hf.Host(lab.build)
    try:
        s = host.open(lab.urls[n, "alpha"], "victim", 1)
        s.write(8, bytes(4096))
        s.read(8, 8)
        s.prout(IGNORE, sark=0x77, flags=APTPL)
        s.prout(RESERVE, rk=0x77, kind=WRITE_EXCLUSIVE_REGISTRANTS)
        s.prin(0)
        s.prout(PREEMPT, rk=0x77, sark=0x51, kind=WRITE_EXCLUSIVE_REGISTRANTS)
        s.tmf("lun-reset")
        s.prout(CLEAR, rk=0x77)
        s.reserve()
        s.release()
        s.cdb("4100" + "00000000" + "00" + "0008" + "00", out=bytes(512))  # WRITE SAME
        s.cdb("a00000000000000010000000", in_len=4096)  # REPORT LUNS
        s.close()
    except AssertionError as e:
        assert "gave up" not in str(e), e  # a login that was refused is an answer, too
    finally:
        host.end()


def operator_asks(lab, n):
    for words in (["status"], ["session", "list"], ["device", "list"], ["reservation", "list"]):
        lab.tool(n, *words, check=False)


def settled(ask):
    """The answer behind the unit attentions."""
    while (a := ask()).status == CHECK and a.key == 6:
        pass
    return a


def keys(s):
    a = settled(lambda: s.prin(0, 512))
    assert a.status == GOOD, a
    return a.data[8:]


def clean_up(lab, n):
    """The host that met the failure can come again, and another one is served on both controllers;
    leaves nothing behind."""
    host = hf.Host(lab.build)
    for k in (1, 2):
        host.open(lab.urls[k, "alpha"], "victim", 1).close()
    sessions = [host.open(lab.urls[k, "alpha"], f"after{k}") for k in (1, 2)]
    for s in sessions:
        a = settled(lambda: s.prout(IGNORE, sark=0x99))
        assert a.status == GOOD, a
    assert keys(sessions[0]) == keys(sessions[1])
    a = settled(lambda: sessions[n - 1].prout(CLEAR, rk=0x99))
    assert a.status == GOOD, a
    assert keys(sessions[0]) == keys(sessions[1]) == b""
    for s in sessions:
        assert settled(s.reserve).status == GOOD and s.release().status == GOOD
        s.close()
    host.end()


def count(lab, n, trigger, what):
    """How many allocations what() makes. The daemon's own come with the time that passes (it looks
    at its disks), and a busy machine may stand still for seconds: the least of three."""
    totals = []
    for _ in range(3):
        trigger.arm(1 << 40)
        what(lab, n)
        totals.append((1 << 40) - struct.unpack("<q", trigger.memory[:8])[0])
        trigger.disarm()
        clean_up(lab, n)
    return min(totals)


def fail_each(lab, n, trigger, what):
    """Counts the allocations of what() first, then lets them fail."""
    total = count(lab, n, trigger, what)
    # What the daemon does by itself meanwhile allocates, too: some beyond, and all in reach.
    every = list(range(1, total + 3))
    chosen = sorted(random.sample(every, min(COUNT, len(every)))) if COUNT else every
    struck = 0
    for k in chosen:
        trigger.arm(k)
        try:
            what(lab, n)
        except (queue.Empty, AssertionError) as e:
            raise AssertionError(f"allocation {k} of {total}: {e!r}") from e
        struck += trigger.disarm()
        assert lab.is_running(n), f"allocation {k} of {total} ended controller {n}"
        together(lab)
        clean_up(lab, n)
    assert struck >= len(chosen) * 3 // 4, (struck, len(chosen))
    print(f"  controller {n}, {what.__name__}: {total} allocations, {struck} failed in turn")


def what_a_host_asks_for(lab, host):
    print(f"  seed {SEED}")
    trigger = Trigger(lab)
    start_with(lab, trigger, 1)
    fail_each(lab, 1, trigger, host_comes_and_goes)
    fail_each(lab, 1, trigger, operator_asks)


def what_the_other_controller_asks_for(lab, host):
    """The same hosts at the other controller: the op comes over the bus, and may not be lost."""
    trigger = Trigger(lab)
    start_with(lab, trigger, 1)
    fail_each(lab, 1, trigger, host_at_the_other)


def host_at_the_other(lab, n):
    host_comes_and_goes(lab, 3 - n)


def other_comes_and_goes(lab, n):
    lab.run("kill", str(3 - n))
    lab.run("start", str(3 - n))
    together(lab)


def the_other_controller_itself(lab, host):
    trigger = Trigger(lab)
    start_with(lab, trigger, 1)
    fail_each(lab, 1, trigger, other_comes_and_goes)


if __name__ == "__main__":
    random.seed(SEED)
    sys.exit(hf.main([what_a_host_asks_for, what_the_other_controller_asks_for,
                      the_other_controller_itself], lambda build: hf.Lab(build, PORTS)))
