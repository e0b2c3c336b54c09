#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A host with two paths writes checksummed records through everything that may happen to a pair of
controllers; another host, which a reservation keeps out, tries to write all the time. Every write
that was acknowledged reads back over both paths and nothing of the other host is on the medium.
Prints for each kind of event how long nothing was written. HF_CYCLES=n: that many events (`make
failover CYCLES=n`); HF_EVENTS=leave,kill: only these; HF_FENCE=command, pr or lease: the survivor
fences, where it would freeze otherwise."""
import hashlib
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
import multipath  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402

CYCLES = int(os.environ.get("HF_CYCLES", "6"))
SEED = int(os.environ.get("HF_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
FENCE = os.environ.get("HF_FENCE")
PORTS = {None: 15620, "command": 16700, "pr": 16800, "lease": 16900}[FENCE]  # side by side
BLOCKS = 8  # of a record
KEY = 0xA11CE
INTRUDER = b"this write was forbidden".ljust(512, b"!")


def record(number):
    head = number.to_bytes(8, "big") + SEED.to_bytes(8, "big")
    body = (head * (BLOCKS * 512 // len(head)))[:BLOCKS * 512 - 32]
    return body + hashlib.sha256(body).digest()


class Writer(threading.Thread):
    """Writes record after record, each to a place of its own: a command that a failed path carries
    out late writes what is there already."""

    def __init__(self, host, records_max):
        super().__init__(daemon=True)
        self.host, self.records_max = host, records_max
        self.done = threading.Event()
        self.acked, self.failed, self.last, self.gap = 0, None, time.monotonic(), 0.0

    def run(self):
        try:
            while not self.done.is_set():
                a = self.host.write(self.acked % self.records_max * BLOCKS, record(self.acked))
                assert a.status == GOOD, (self.acked, a)
                now = time.monotonic()
                self.gap = max(self.gap, now - self.last)
                self.last = now
                self.acked += 1
                if self.acked == self.records_max:
                    return  # full; the places are not used twice
                self.done.wait(0.002)
        except Exception as e:
            self.failed = e

    def progress(self, count=20):
        """Waits until more has been written."""
        goal = min(self.acked + count, self.records_max)
        hf.until(lambda: self.acked >= goal or self.failed, f"{count} more records")
        if self.failed:
            raise self.failed


class Intruder(threading.Thread):
    """Not registered; may read, may not write."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.done, self.tries, self.failed = host, threading.Event(), 0, None

    def run(self):
        try:
            while not self.done.is_set():
                a = self.host.write(self.tries * 7 % 4096, INTRUDER)
                assert a.status == CONFLICT, f"a forbidden write ended with {a}"
                self.tries += 1
                self.host.active = self.tries % 2
                self.done.wait(0.01)
        except Exception as e:
            self.failed = e


def start(lab, n):
    """Who comes back slower than silence is noticed may be fenced once more, just now."""
    lab.run("start", str(n), check=not FENCE)


def together(lab):
    """Who was fenced is started again."""
    def is_back(n):
        if FENCE and not lab.is_running(n):
            start(lab, n)
        r = lab.tool(n, "status", check=False)
        return isinstance(r, dict) and r["view"]["state"] == "together"
    hf.until(lambda: all([is_back(n) for n in (1, 2)]), "both to be together")


def wait_noticed(lab):
    """Silence has been noticed: the views differ, or somebody has been fenced already."""
    def noticed():
        states = [r["view"]["state"] for n in (1, 2)
                  if isinstance(r := lab.tool(n, "status", check=False), dict)]
        return states != ["together", "together"]
    hf.until(noticed, "the silence to be noticed")


def kill(lab, n, writer):
    lab.run("kill", str(n))
    writer.progress()
    start(lab, n)


def leave(lab, n, writer):
    lab.run("stop", str(n))
    writer.progress()
    start(lab, n)


def pause(lab, n, writer):
    lab.run("pause", str(n))
    writer.progress()
    lab.run("resume", str(n), check=not FENCE)


def cut(lab, n, writer):
    lab.run("cut")
    wait_noticed(lab)
    writer.progress()
    lab.run("heal")


def cut_one_link(lab, n, writer):
    lab.run("cut", "--link", str(n - 1))
    writer.progress()
    lab.run("heal")


def cut_one_way(lab, n, writer):
    lab.run("cut", "--towards", str(n))
    wait_noticed(lab)
    writer.progress()
    lab.run("heal")


EVENTS = [kill, cut, leave, pause, cut_one_link, cut_one_way]
if "HF_EVENTS" in os.environ:
    EVENTS = [e for e in EVENTS if e.__name__ in os.environ["HF_EVENTS"].split(",")]


def prepare(lab, build):
    urls = [lab.urls[n, "gamma"] for n in (1, 2)]
    owner = multipath.Multipath(build, urls, "owner")
    other = multipath.Multipath(build, urls, "intruder")
    out = bytes(8) + KEY.to_bytes(8, "big") + bytes(4) + b"\x01" + bytes(3)  # APTPL
    for a in owner.each(lambda s: s.start("5f000000000000001800", out=out)):
        assert a.status == GOOD, a
    out = KEY.to_bytes(8, "big") + bytes(16)
    a = owner.command(lambda s: s.start("5f010500000000001800", out=out))
    assert a.status == GOOD, a
    other.wait_paths()
    return owner, other


def media(lab):
    """The files behind gamma; with the fence pr that of the third controller has all disks."""
    if FENCE == "pr":
        return [pathlib.Path(lab.dir, "lab", "third.img")]
    return [path for path, _, _ in lab.extents("gamma")]


def check_all(lab, owner, acked):
    """Every acknowledged record, over every path; nothing of the intruder among or behind them."""
    for path in (0, 1):
        owner.wait_paths()
        for first in range(0, acked, 16):
            count = min(16, acked - first)
            owner.active = path
            a = owner.read(first * BLOCKS, count * BLOCKS)
            assert a.status == GOOD, a
            for i in range(count):
                got = a.data[i * BLOCKS * 512:(i + 1) * BLOCKS * 512]
                assert got == record(first + i), f"record {first + i} over path {path + 1} is lost"
    for path in media(lab):
        with open(path, "rb") as f:
            while chunk := f.read(1 << 20):
                assert INTRUDER[:24] not in chunk, f"a forbidden write is on {path}"


def nothing_acknowledged_is_lost_and_nothing_forbidden_lands(lab, host):
    rng = random.Random(SEED)
    owner, other = prepare(lab, lab.build)
    gamma = [d for d in lab.tool(1, "device", "list")["devices"] if d["name"] == "gamma"][0]
    capacity = gamma["size_bytes"] // (BLOCKS * 512)
    writer, intruder = Writer(owner, capacity), Intruder(other)
    writer.start(), intruder.start()
    gaps = {}
    for cycle in range(CYCLES):
        event = EVENTS[cycle % len(EVENTS)] if cycle < len(EVENTS) else rng.choice(EVENTS)
        n = rng.choice((1, 2))
        writer.progress()
        writer.gap = 0.0
        event(lab, n, writer)
        together(lab)
        writer.progress()
        gaps.setdefault(event.__name__, []).append(writer.gap)
        if intruder.failed:
            raise intruder.failed
    writer.done.set(), intruder.done.set()
    writer.join(), intruder.join()
    assert not writer.failed and not intruder.failed and intruder.tries > CYCLES
    check_all(lab, owner, writer.acked)
    for name, g in gaps.items():
        g.sort()
        print(f"  {name}: {len(g)} times, longest without a write: p50 {g[len(g) // 2]:.2f} s, "
              f"p99 {g[-(-len(g) * 99 // 100) - 1]:.2f} s, worst {g[-1]:.2f} s")
    print(f"  seed {SEED}: {CYCLES} events, {writer.acked} records acknowledged and read back over "
          f"both paths, {owner.failovers} failovers ({owner.silences} after "
          f"{multipath.PATH_TIMEOUT:g} s of silence), {intruder.tries} forbidden writes refused")
    owner.end(), other.end()


if __name__ == "__main__":
    sys.exit(hf.main([nothing_acknowledged_is_lost_and_nothing_forbidden_lands],
                     # Room for a record of its own for every write.
                     lambda build: hf.Lab(build, PORTS, size=(128 + 8 * CYCLES) << 20, **(
                         {"on_peer_loss": "fence", "fence": FENCE} if FENCE else {}))))
