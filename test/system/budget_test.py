#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a command may cost: instructions in user space (callgrind) and system calls (strace), one
command at a time, so that neither depends on how busy the machine is. A regression turns this red;
a command that has become much cheaper asks for a lower budget. Skipped, with the reason, where
valgrind or strace is missing or cannot work."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import rigs  # noqa: E402

PORT_BASE = 16100
COUNT = 600
MARGIN = 1.15

# What is run -> (options of the client, instructions on each controller, system calls on each). A
# reservation held costs the reader nothing: both READ rows are held against each other, too.
READ, HELD = "READ 4 KiB", "READ 4 KiB, reserved by the reader"
BUDGETS = {
    "TEST UNIT READY": ({"op": "tur"}, (4450, 150), (2.0, 0.0)),
    READ: ({"op": "read"}, (5300, 150), (3.0, 0.0)),
    HELD: ({"op": "read", "hold": True}, (5500, 350), (3.1, 0.0)),
    "WRITE 4 KiB": ({"op": "write"}, (5700, 150), (3.0, 0.0)),
    "READ 4 KiB, digests": ({"op": "read", "digests": True}, (6400, 200), (3.0, 0.0)),
    "RESERVE, RELEASE": ({"op": "reserve"}, (47500, 38500), (5.1, 2.8)),
}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def run(bench, rig, options):
    bench.load(rig, count=COUNT, warm_up=0, **options)


def control(rig, *words):
    for pid in rig.pids():
        r = subprocess.run(["callgrind_control", *words, str(pid)], capture_output=True, text=True)
        if r.returncode:
            raise AssertionError(f"callgrind_control: {r.stdout}{r.stderr}")


def dumped(bench, n, part):
    path = bench.dir / f"callgrind.{n}.{part}"
    found = re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE)
    return int(found.group(1))


def instructions(build):
    """name -> instructions per command on each of two controllers."""
    bench = rigs.Bench(build, PORT_BASE)
    out = {}
    try:
        rig = rigs.Holdfast(bench, controllers=2, size_mib=16, wrapper=(
            "valgrind", "--tool=callgrind", "--instr-atstart=no",
            "--callgrind-out-file=%d/callgrind.%n"))
        rig.addresses = rig.addresses[:1]
        for part, (name, (options, _, _)) in enumerate(BUDGETS.items(), 1):
            run(bench, rig, options)  # everything has been touched once
            control(rig, "-i", "on")
            run(bench, rig, options)
            control(rig, "-i", "off")
            control(rig, "-d")
            out[name] = [dumped(bench, n, part) / COUNT for n in (1, 2)]
    finally:
        bench.close()
    return out


def system_calls(build):
    bench = rigs.Bench(build, PORT_BASE + 50)
    out = {}
    try:
        rig = rigs.Holdfast(bench, controllers=2, size_mib=16)
        rig.addresses = rig.addresses[:1]
        for name, (options, _, _) in BUDGETS.items():
            out[name] = [counted(bench, rig, n, options) for n in (0, 1)]
    finally:
        bench.close()
    return out


def counted(bench, rig, n, options):
    path = bench.dir / "strace"
    p = subprocess.Popen(["strace", "-f", "-c", "-o", str(path), "-p", str(rig.pids()[n])],
                         stderr=subprocess.PIPE, text=True)
    line = p.stderr.readline()
    if "attached" not in line:
        p.wait()
        skip(f"strace cannot attach: {line.strip()}")
    run(bench, rig, options)
    p.terminate()
    p.communicate()
    # % time, seconds, usecs/call, calls, errors (or nothing), "total"
    totals = [line.split() for line in path.read_text().splitlines() if line.endswith(" total")]
    return int(totals[0][3]) / COUNT if totals else 0


def judge(what, name, measured, budgets, slack, bad):
    for n, (is_now, budget) in enumerate(zip(measured, budgets), 1):
        mark = ""
        # Heartbeats and ticks go on meanwhile, more of them on a slow machine.
        if is_now > budget * MARGIN + slack:
            mark = " TOO MUCH"
            bad.append(f"{name}: {is_now:.1f} {what} on controller {n}, budget {budget}")
        elif is_now < budget * 0.75 - slack:
            mark = " (the budget can be lowered)"
        print(f"  controller {n}: {is_now:.1f} {what}, budget {budget}{mark}")


def main():
    build, optimization = sys.argv[1], sys.argv[2]
    for tool in ("valgrind", "callgrind_control", "strace"):
        if not shutil.which(tool):
            skip(f"{tool} is not installed")
    if optimization not in ("2", "3"):
        skip(f"budgets are for optimised builds; this one has optimization={optimization}")
    # What meson sets for tests fills memory, which would be counted.
    os.environ.pop("MALLOC_PERTURB_", None)
    calls, counts = system_calls(build), instructions(build)
    bad = []
    for name, (_, instruction_budgets, call_budgets) in BUDGETS.items():
        print(name)
        judge("instructions", name, counts[name], instruction_budgets, 400, bad)
        judge("system calls", name, calls[name], call_budgets, 0.3, bad)
    # Its own two commands aside, a reservation costs the reader nothing.
    held = counts[HELD][0] - 2 * counts["RESERVE, RELEASE"][0] / COUNT
    print(f"a READ with a reservation held: {held / counts[READ][0]:.3f} of one without")
    if held / counts[READ][0] > 1.02:
        bad.append(f"a reservation costs the reader: {held:.0f} instructions instead of "
                   f"{counts[READ][0]:.0f}")
    for line in bad:
        print(f"not ok: {line}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
