#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""conformance.py BUILD [--long] [--update] [--run RUN] [TEST ...]: libiscsi's
iscsi-test-cu against two controllers, each of its tests in a process of its own on a logical device
made for it, and the outcome compared with expected.txt.

Runs:	one	   one URL, controller 1
	two	   two URLs, one per controller
	protected  one URL, a device that hosts may only read (tests named ReadOnly)
Without --long the tests that sleep for a minute are left out. --update writes expected.txt anew, from
a run with --long. Exit status 0: everything as expected, 1: not, 77: the tool is not here."""
import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "lib"))
import hf  # noqa: E402

EXPECTED = HERE / "expected.txt"
PORT_BASES = (15200, 15210, 15300, 15310)
TIMEOUT = 200
LONG = {"Sanitize.Reset"}
RUNS = ("one", "two", "protected")
PLAIN = ["--size", "48M", "--disk", "disk1"]
# What a test needs of its device, where that is not the usual one.
DEVICES = {
    # Asks for the status of a block in the middle of a physical block and wants that of the next.
    "GetLBAStatus.UnmapSingle": PLAIN + ["--physical-block", "512"],
    # Looks three seconds after the start of a SANITIZE, which must still run then: a slow disk.
    "Sanitize.Reset": ["--size", "16M", "--disk", "disk3"],
}
SLOW = ("disk3", "op=write,delay=600ms")
HEAD = """\
# What each test of iscsi-test-cu 1.19 is expected to end in, by run: pass, or skip with what the tool
# says. Written by conformance.py --update; doc/conformance.md says why what is skipped is skipped.
# A test that can pass nowhere, with the reason:
"""
# These may end in any way but the end of a daemon.
HOPELESS = {
    "iSCSITMF.LUNResetSimpleAsync": "1.19 looks at the answer to its request before it has sent it",
}


def tool_tests():
    out = subprocess.run(["iscsi-test-cu", "--list"], capture_output=True, text=True, check=True)
    return [m.group(1) for m in re.finditer(r"^ALL\.(\S+\.\S+)$", out.stdout, re.M)]


def outcome(text, status, timed_out):
    """(result, reason) of one process."""
    if timed_out:
        return "timeout", f"after {TIMEOUT} s"
    failures = re.findall(r"^\s+\d+\. (\S+:\d+)", text, re.M) + re.findall(
        r"\[FAILED\]\s*(.*)", text)
    tests = re.search(r"^\s+tests\s+\d+\s+(\d+)\s+(\d+)\s+(\d+)", text, re.M)
    if status < 0 or not tests:
        return "crash", f"exit status {status}"
    # A test that cannot log in again gives up in silence.
    failures += re.findall(r"(Login Failed\..*)", text)
    if "Login Failed" in text or int(tests.group(3)) or int(tests.group(1)) != 1:
        return "fail", "; ".join(dict.fromkeys(failures))
    skips = [s.strip() for s in re.findall(r"\[SKIPPED\]\s*(.*)", text)]
    if skips:
        return "skip", "; ".join(dict.fromkeys(skips))
    return "pass", ""


class Bench:
    """A pair of controllers of its own: a reset of the target is felt by every device, and a new
    logical unit is news (3F/0E) for whoever is logged in. So tests go one by one."""

    def __init__(self, build, port_base):
        # A test that sleeps for a minute answers no pings.
        self.lab = hf.Lab(build, port_base, size=256 << 20, faults=True, bus_options=hf.PATIENT,
                          config="iscsi = { nop-interval-ms = 0; };")
        self.tests = 0
        for name in ("alpha", "beta", "gamma", "delta"):
            self.lab.tool(1, "device", "delete", name)
        for n in (1, 2):
            self.lab.fault(n, SLOW[0], SLOW[1])
        self.pids = self.lab.run("pids")

    def run(self, run, test):
        lun = self.tests % 200
        self.tests += 1
        words = DEVICES.get(test, PLAIN) + (["--write-protected"] if run == "protected" else [])
        self.lab.tool(1 + lun % 2, "device", "create", "unit", "--lun", str(lun), *words)
        urls = [re.sub(r"/\d+$", f"/{lun}", self.lab.urls[n, "alpha"]) for n in (1, 2)]
        for n in (1, 2):
            hf.until(lambda n=n: self.lab.tool(n, "device", "list")["devices"], "the device")
        argv = ["iscsi-test-cu", "-d", "-S", "-v", "-t", "ALL." + test,
                *urls[:2 if run == "two" else 1]]
        began = time.monotonic()
        try:
            p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=TIMEOUT)
            text, status, timed_out = p.stdout, p.returncode, False
        except subprocess.TimeoutExpired as e:
            text, status, timed_out = e.stdout or b"", 0, True
        seconds = time.monotonic() - began
        hf.until(self.is_deleted, "the device to be deleted")
        text = text.decode(errors="replace")
        return (*outcome(text, status, timed_out), seconds, text)

    def is_deleted(self):
        r = self.lab.tool(1, "device", "delete", "unit", "--force", check=False)
        if getattr(r, "returncode", 0) == 0:
            return True
        # Some tests leave registrations.
        self.lab.tool(1, "reservation", "break", "unit", check=False)
        return False

    def down(self):
        same = self.lab.run("pids", check=False) == self.pids
        self.lab.down()
        return same


def read_expected():
    rows = {}
    for line in EXPECTED.read_text().splitlines() if EXPECTED.exists() else []:
        if line and not line.startswith("#"):
            run, test, result, *reason = line.split(maxsplit=3)
            rows[run, test] = (result, reason[0] if reason else "")
    return rows


def write_expected(rows):
    lines = [f"#   {t}: {why}" for t, why in HOPELESS.items()]
    lines += [" ".join([run, test, *filter(None, row[:2])]) for (run, test), row in rows.items()
              if test not in HOPELESS]
    EXPECTED.write_text(HEAD + "\n".join(lines) + "\n")


def plan(tests, a):
    jobs = []
    for run in RUNS:
        if a.run and run != a.run:
            continue
        for t in tests:
            if (run == "protected") != t.startswith("ReadOnly") and run == "protected":
                continue
            if (a.tests and t not in a.tests) or (t in LONG and not a.long):
                continue
            jobs.append((run, t))
    return jobs


def shards(jobs):
    """Lists of jobs, to be done one by one in a laboratory each: what sleeps, and the runs."""
    lists = [[j] for j in jobs if j[1] in LONG]
    for run in ("one", "two"):
        lists.append([j for j in jobs if j[1] not in LONG and (j[0] == "two") == (run == "two")])
    return [x for x in lists if x]


def perform_shard(build, port_base, jobs):
    bench = Bench(build, port_base)
    try:
        rows = {j: bench.run(*j) for j in jobs}
    finally:
        alive = bench.down()
    return rows, alive


def perform(build, jobs):
    rows, alive = {}, True
    lists = shards(jobs)
    with concurrent.futures.ThreadPoolExecutor(len(lists)) as pool:
        futures = [pool.submit(perform_shard, build, PORT_BASES[i], x) for i, x in enumerate(lists)]
        for f in futures:
            more, lives = f.result()
            rows.update(more)
            alive = alive and lives
    return {j: rows[j] for j in jobs}, alive


def compare(rows, expected, jobs, complete):
    """How many rows are not as expected; tells of each."""
    bad = 0
    for (run, test), (result, reason, _, text) in rows.items():
        if test in HOPELESS:
            continue
        want = expected.get((run, test), ("nothing", "the test is not in expected.txt"))
        if (result, reason) == want:
            continue
        bad += 1
        print(f"NOT AS EXPECTED: {run} {test}: {result} {reason}\n"
              f"\texpected: {' '.join(want)}\n" + "\n".join("\t| " + s for s in text.splitlines()))
    for key in expected.keys() - set(jobs) if complete else ():
        if key[1] not in LONG or complete == "long":
            bad += 1
            print(f"NOT AS EXPECTED: {key[0]} {key[1]}: the tool no longer has this test")
    return bad


def summary(rows):
    for run in RUNS:
        mine = {t: r for (n, t), r in rows.items() if n == run and t not in HOPELESS}
        if not mine:
            continue
        count = {}
        for r in mine.values():
            count[r[0]] = count.get(r[0], 0) + 1
        print(f"{run}: {len(mine)} tests: " + ", ".join(
            f"{count.get(k, 0)} {w}" for k, w in (("pass", "passed"), ("fail", "failed"), (
                "skip", "skipped"), ("crash", "crashed"), ("timeout", "timed out"))))


def table(rows):
    tests = list(dict.fromkeys(t for _, t in rows))
    print(f"{'test':<36}" + "".join(f"{r:<11}" for r in RUNS) + "seconds  reason")
    for t in tests:
        mine = {r: rows[r, t] for r in RUNS if (r, t) in rows}
        reasons = "; ".join(dict.fromkeys(m[1] for m in mine.values() if m[1]))
        mark = " (hopeless: " + HOPELESS[t] + ")" if t in HOPELESS else ""
        print(f"{t:<36}" + "".join(f"{mine[r][0] if r in mine else '-':<11}" for r in RUNS) +
              f"{max(m[2] for m in mine.values()):7.2f}  {reasons}{mark}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--long", action="store_true")
    p.add_argument("--update", action="store_true")
    p.add_argument("--run", choices=RUNS)
    p.add_argument("tests", nargs="*")
    a = p.parse_args()
    if not shutil.which("iscsi-test-cu"):
        print("SKIP: no iscsi-test-cu; apt-get install libiscsi-bin")
        return 77
    began = time.monotonic()
    jobs = plan(tool_tests(), a)
    complete = not a.tests and not a.run and ("long" if a.long else "short")
    rows, alive = perform(a.build, jobs)
    table(rows)
    if a.update and complete == "long":
        write_expected(rows)
    bad = compare(rows, read_expected(), jobs, complete)
    summary(rows)
    if not alive:
        print("A CONTROLLER HAS ENDED")
    print(f"{bad} not as expected; {time.monotonic() - began:.0f} s")
    return 1 if bad or not alive else 0


if __name__ == "__main__":
    sys.exit(main())
