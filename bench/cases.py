# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks themselves: what is run in turns, and what the figures are held against."""
import pathlib
import statistics
import time

from rigs import CLIENT_CPU, TARGET_CPU, Chain, Echo, Holdfast, Tgt

CLIENT_LIMIT = 0.95


class Group:
    """A table of figures and the goals that are read off it."""
    head = ("", "per second", "p50 us", "p99 us", "target CPU us each", "target CPU", "client CPU")

    def __init__(self, title):
        self.title = title
        self.rows, self.goals, self.points = [], [], {}

    def goal(self, what, wanted, measured, met):
        self.goals.append({"what": what, "wanted": wanted, "measured": measured,
                           "met": {True: "met", False: "**missed**"}.get(met, met)})


class Figure:
    """The medians of one thing that was run several times."""

    def __init__(self, reports):
        def median(f):
            return statistics.median(f(r) for r in reports)
        self.rate = median(lambda r: r["per_second"])
        self.p50 = median(lambda r: r["p50_us"])
        self.p99 = median(lambda r: r["p99_us"])
        self.cpu = median(lambda r: sum(r["cpu"]))
        self.client = median(lambda r: r["client_cpu"])
        self.each = median(lambda r: sum(r["cpu"]) / r["per_second"] * 1e6)

    @property
    def at_client_limit(self):
        return self.client >= CLIENT_LIMIT

    def row(self, name):
        limit = " (limit)" if self.at_client_limit else ""
        return (name, f"{self.rate:,.0f}", f"{self.p50:.1f}", f"{self.p99:.1f}", f"{self.each:.2f}",
                f"{self.cpu:.2f}", f"{self.client:.2f}{limit}")


def in_turns(bench, group, runs, rounds=None, **options):
    """runs: name -> (rig, options). Every round runs each once. Returns name -> Figure."""
    reports = {name: [] for name in runs}
    for _ in range(rounds or bench.rounds):
        for name, (rig, own) in runs.items():
            words = {"seconds": bench.seconds, "warm_up": bench.warm_up, **options, **own}
            reports[name].append(bench.load(rig, **words))
    figures = {name: Figure(r) for name, r in reports.items()}
    group.rows += [f.row(name) for name, f in figures.items()]
    return figures


def compare(group, what, a, b, limit, at_most=True, ok_anyway=False, note=""):
    ratio = a / b
    met = ratio <= limit if at_most else ratio >= limit
    group.goal(what, f"{'<=' if at_most else '>='} {limit}", f"{ratio:.2f}{note}",
               met or ok_anyway)


# --- 1: 4 KiB random ---

def random_4k(bench):
    g = Group("4 KiB random, depth 32")
    hf, tgt, echo = Holdfast(bench), Tgt(bench), Echo(bench)
    for op in ("read", "write"):
        f = in_turns(bench, g, {f"holdfast {op}": (hf, {}), f"tgt {op}": (tgt, {}),
                                f"echo {op}": (echo, {}),
                                f"holdfast {op}, 4 connections": (hf, {"connections": 4})},
                     op=op, depth=32)
        us, peer = f[f"holdfast {op}"], f[f"tgt {op}"]
        note = ", client at its limit" if us.at_client_limit else ""
        compare(g, f"4 KiB random {op}, depth 32: IO/s against tgt", us.rate, peer.rate, 2.5, False,
                us.at_client_limit, note)
        compare(g, f"4 KiB random {op}, depth 32: target CPU per IO against tgt", us.each,
                peer.each, 0.40)
        compare(g, f"4 KiB random {op}: CPU per IO, 4 connections against 1",
                f[f"holdfast {op}, 4 connections"].each, us.each, 1.05)
    for rig in (hf, tgt, echo):
        rig.close()
    yield g


# --- 2: one at a time ---

def latency(bench):
    g = Group("4 KiB random read, depth 1")
    echo, hf = Echo(bench), Holdfast(bench)
    spin = Holdfast(bench, "spin", busy_poll_us=200)
    f = in_turns(bench, g, {"echo": (echo, {}), "holdfast": (hf, {}),
                            "holdfast, busy-poll-us = 200": (spin, {})}, depth=1)
    compare(g, "depth 1: p50 against the blocking echo", f["holdfast"].p50, f["echo"].p50, 1.15)
    compare(g, "depth 1, busy polling: p50 against the blocking echo",
            f["holdfast, busy-poll-us = 200"].p50, f["echo"].p50, 0.75)
    before = cpu_seconds(hf), cpu_seconds(spin)
    time.sleep(1)
    idle = cpu_seconds(hf) - before[0], cpu_seconds(spin) - before[1]
    g.goal("idle: CPU of a controller, and of one that may busy-poll", "0 %",
           f"{idle[0]:.2%}, {idle[1]:.2%}", max(idle) < 0.002)
    for rig in (hf, spin, echo):
        rig.close()
    yield g


def cpu_seconds(rig):
    total = 0
    for pid in rig.pids():
        for f in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            total += int(f.read_text().split()[0])
    return total / 1e9


# --- 3: large ---

def sequential(bench):
    g = Group("128 KiB sequential, depth 8")
    hf, tgt, echo, stored = Holdfast(bench), Tgt(bench), Echo(bench), Echo(bench, size_mib=256)
    for op, share in (("read", 0.9), ("write", 0.7)):
        runs = {f"holdfast {op}": (hf, {}), f"tgt {op}": (tgt, {}), f"echo {op}": (echo, {})}
        if op == "read":
            runs["echo read, from a file"] = (stored, {})
        f = in_turns(bench, g, runs, op=op, depth=8, size=131072, sequential=True)
        us = f[f"holdfast {op}"]
        compare(g, f"128 KiB {op}: rate against the echo", us.rate, f[f"echo {op}"].rate, share,
                False, us.at_client_limit, ", client at its limit" if us.at_client_limit else "")
        compare(g, "... the same per CPU second of the target", f[f"echo {op}"].each, us.each,
                share, False)
        if op == "read":
            floor = f["echo read, from a file"]
            g.goal("128 KiB read: rate, and per CPU second, against an echo from a file", "stated",
                   f"{us.rate / floor.rate:.2f}, {floor.each / us.each:.2f}", "")
        compare(g, f"128 KiB {op}: rate against tgt", us.rate, f[f"tgt {op}"].rate, 1.7, False)
    for rig in (hf, tgt, echo, stored):
        rig.close()
    yield g


# --- 4: digests ---

def digests(bench):
    g = Group("Header and data digests, 4 KiB random, depth 32")
    hf = Holdfast(bench)
    for op in ("read", "write"):
        f = in_turns(bench, g, {f"{op}": (hf, {}), f"{op}, digests": (hf, {"digests": True})},
                     op=op, depth=32)
        compare(g, f"digests, 4 KiB {op}: IO/s against none", f[f"{op}, digests"].rate,
                f[op].rate, 0.85, False)
        compare(g, "... the same in IO per CPU second of the target", f[op].each,
                f[f"{op}, digests"].each, 0.85, False)
    hf.close()
    yield g


# --- 5: reservations ---

def reservations(bench):
    g = Group("Reservations through two controllers")
    hf = Holdfast(bench, "pair", controllers=2, devices=64)
    one = hf.addresses[:1]
    chain, polling = Chain(bench), Chain(bench, poll=True)
    both = Chain(bench, both_ways=True)
    addresses = hf.addresses
    hf.addresses = one
    f = in_turns(bench, g, {"RESERVE, RELEASE": (hf, {}), "chain": (chain, {}),
                            "64 devices at once": (hf, {"depth": 64, "luns": 64}),
                            "chain, 64 at once": (polling, {"depth": 64})}, op="reserve")
    compare(g, "RESERVE and RELEASE through two controllers: p50 against the chain",
            f["RESERVE, RELEASE"].p50, f["chain"].p50, 1.25)
    compare(g, "64 devices at once: rate against the chain", f["64 devices at once"].rate,
            f["chain, 64 at once"].rate, 0.5, False)
    hf.addresses = addresses
    f = in_turns(bench, g, {"hand-over": (hf, {}), "its chain": (both, {})}, op="reserve",
                 hand_over=True)
    compare(g, "a reservation changes hands: p50 against its chain", f["hand-over"].p50,
            f["its chain"].p50, 1.25)
    hf.addresses = one
    f = in_turns(bench, g, {"read, nothing reserved": (hf, {}),
                            "read, reserved by the reader": (hf, {"hold": True})},
                 op="read", depth=32)
    for rig in (hf, chain, polling, both):
        rig.close()
    yield g


# --- 6: growth ---

def grown(group, what, figures, limit=1.3):
    names = list(figures)
    worst = max(figures[n].each for n in names) / figures[names[0]].each
    group.goal(what, f"< {limit}", f"{worst:.2f}", worst < limit)


def memory_kib(rig):
    for line in pathlib.Path(f"/proc/{rig.pids()[0]}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def growth(bench):
    g = Group("Growth: 4 KiB random read, depth 32, one busy session; target CPU per operation")
    hf = Holdfast(bench, "sessions")
    f = in_turns(bench, g, {f"{n} sessions": (hf, {"idle": n - 1}) for n in (1, 16, 256)}, depth=32)
    grown(g, "1, 16, 256 sessions: CPU per read, largest against one", f)
    f = in_turns(bench, g, {f"{n} busy sessions, depth 1": (hf, {"connections": n})
                            for n in (1, 16, 256)})
    grown(g, "1, 16, 256 busy sessions, depth 1 each: CPU per read, largest against one", f)
    f = in_turns(bench, g, {f"{n} registrations": (hf, {"idle": n - 1, "registered": True})
                            for n in (1, 16, 256)}, depth=32)
    grown(g, "1, 16, 256 registrations: CPU per read, largest against one", f)
    hf.close()
    pair = Holdfast(bench, "registrations", controllers=2)
    pair.addresses = pair.addresses[:1]
    f = in_turns(bench, g, {f"{n} registrations, PR RESERVE, RELEASE, two controllers":
                            (pair, {"idle": n - 1, "registered": True}) for n in (1, 16, 256)},
                 op="persist")
    grown(g, "1, 16, 256 registrations: CPU per PR RESERVE or RELEASE, largest against one", f)
    pair.close()
    counts = (1, 64) if bench.quick else (1, 64, 1024)
    many = {n: Holdfast(bench, f"devices-{n}", devices=n, size_mib=max(64, n)) for n in counts}
    f = in_turns(bench, g, {f"{n} devices": (many[n], {"luns": n}) for n in counts}, depth=32)
    grown(g, "1, 64, 1,024 devices: CPU per read, largest against one", f)
    most = many[counts[-1]]
    rss = memory_kib(most), memory_kib(many[1])
    most.stop()
    most.addresses = most.addresses[:1]
    seconds = most.start()
    g.goal(f"start-up with {counts[-1]:,} devices", "< 2 s", f"{seconds:.2f} s", seconds < 2)
    g.goal("memory per device", "stated", f"{(rss[0] - rss[1]) / (counts[-1] - 1):.1f} KiB", "")
    for rig in many.values():
        rig.close()
    g.goal("memory per session (256, after a short run)", "stated",
           f"{session_memory(bench):.0f} KiB", "")
    yield g


def session_memory(bench):
    hf = Holdfast(bench, "memory")
    peak = []
    for n in (1, 255):
        bench.load(hf, connections=n, depth=1, seconds=0.2, warm_up=0.1)
        with open(f"/proc/{hf.pids()[0]}/status", encoding="ascii") as s:
            peak.append(next(int(x.split()[1]) for x in s if x.startswith("VmHWM")))
    hf.close()
    return (peak[1] - peak[0]) / 254


# --- 7: more processors ---

def scaling(bench):
    g = Group("Two loops on two processors (the client shares both)")
    both = {TARGET_CPU, CLIENT_CPU}
    one = Holdfast(bench, "one", loops=1)
    two = Holdfast(bench, "two", loops=2, cpus=[both])
    f = in_turns(bench, g, {"one loop": (one, {}), "two loops": (two, {})}, depth=32, connections=4)
    compare(g, "two loops on two processors: CPU per read against one loop", f["two loops"].each,
            f["one loop"].each, 1.1)
    one.close()
    two.close()
    yield g


# --- the picture ---

def depths(bench):
    g = Group("4 KiB random read against depth")
    rigs = {"holdfast": Holdfast(bench, "depths"), "tgt": Tgt(bench), "echo": Echo(bench)}
    points = {name: [] for name in rigs}
    for depth in (1, 16, 64) if bench.quick else (1, 2, 4, 8, 16, 32, 64, 128):
        f = in_turns(bench, g, {f"{name}, depth {depth}": (rig, {}) for name, rig in rigs.items()},
                     rounds=1 if bench.quick else None, depth=depth, seconds=bench.seconds / 2)
        for name in rigs:
            x = f[f"{name}, depth {depth}"]
            points[name].append((depth, x.rate, x.p50))
    g.points = points
    for rig in rigs.values():
        rig.close()
    yield g


GROUPS = {"random": random_4k, "latency": latency, "sequential": sequential, "digests": digests,
          "reservations": reservations, "growth": growth, "scaling": scaling, "depths": depths}
