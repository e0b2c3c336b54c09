#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""check.py [quick|deep]: runs the Promela models with spin. Right ones must be free of errors, planted
mistakes must be found. Prints the number of states of each; exit status 77 when spin is missing."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SAFE = ["-DSAFETY"]
LIVE = ["-DNFAIR=3"]  # with weak fairness

# model, options of spin, is it sound, liveness, deep only
RUNS = [
    ("pair", "-DOPS=2 -DCANCEL=1", True, False, False),
    ("pair", "-DOPS=2 -DCUTS=1", True, False, False),
    ("pair", "-DOPS=2 -DCRASH=1", True, False, False),
    ("pair", "-DOPS=1 -DLIVE", True, True, False),
    ("pair", "-DOPS=2 -DCANCEL=1 -DCUTS=1 -DOVERTAKE=1", False, False, False),
    ("pair", "-DOPS=1 -DCANCEL=1 -DNO_PASS=1 -DLIVE", False, True, False),
    ("range", "-DROUNDS=1", True, False, False),
    ("range", "-DROUNDS=1 -DPIN_FIRST=1", False, False, False),
    ("view", "-DCHANGES=2 -DCRASHES=2 -DCUTS=1 -DWORDS=1", True, False, False),
    ("view", "-DRECORD_LAST=1", False, False, False),
    ("view", "-DANY_STATE=1", False, False, False),
    ("pair", "-DOPS=2 -DCANCEL=1 -DCUTS=1 -DCRASH=1", True, False, True),
    ("pair", "-DOPS=3 -DCANCEL=1", True, False, True),
    ("pair", "-DOPS=3 -DCUTS=1", True, False, True),
    ("pair", "-DOPS=2 -DCANCEL=1 -DLIVE", True, True, True),
    ("pair", "-DOPS=2 -DCUTS=1 -DLIVE", True, True, True),
    ("range", "-DROUNDS=2", True, False, True),
    ("view", "-DCHANGES=1 -DCRASHES=1 -DLIVE", True, True, True),
    ("view", "-DCHANGES=2 -DCRASHES=2 -DCUTS=1 -DWORDS=1 -DLIVE", True, True, True),
    ("view", "-DCHANGES=3 -DCRASHES=4 -DCUTS=3 -DWORDS=2", True, False, True),
    ("range", "-DROUNDS=3", True, False, True),
    ("pair", "-DOPS=4 -DCANCEL=1", True, False, True),
    ("pair", "-DOPS=2 -DCANCEL=1 -DCUTS=2", True, False, True),
    ("pair", "-DOPS=3 -DCANCEL=1 -DCUTS=1", True, False, True),
    ("pair", "-DOPS=3 -DCANCEL=1 -DCUTS=1 -DCRASH=1", True, False, True),
    ("pair", "-DOPS=2 -DCANCEL=1 -DCUTS=1 -DLIVE", True, True, True),
    ("pair", "-DOPS=2 -DCANCEL=1 -DCUTS=1 -DCRASH=1 -DLIVE", True, True, True),
    ("view", "-DCHANGES=4 -DCRASHES=6 -DCUTS=4 -DWORDS=3", True, False, True),
]


def run(model, options, live, where):
    with open(os.path.join(HERE, model + ".pml"), encoding="utf-8") as f:
        source = f.read()
    with open(os.path.join(where, "m.pml"), "w", encoding="utf-8") as f:
        f.write(source)
    spin = [shutil.which("spin"), *options.split(), "-a", "m.pml"]
    subprocess.run(spin, cwd=where, check=True, stdout=subprocess.DEVNULL)
    cc = ["cc", "-O1", "-w", "-DCOLLAPSE", "-DMEMLIM=2048", *(LIVE if live else SAFE), "-o", "pan",
          "pan.c"]
    subprocess.run(cc, cwd=where, check=True)
    out = subprocess.run(["./pan", "-m2000000", *(["-a", "-f"] if live else [])], cwd=where,
                         capture_output=True, text=True, check=False).stdout
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\S+) states, stored", out)
    broken = re.search(r"out of memory|max search depth too small|Search not completed", out)
    if not errors or not states:
        return None, 0, out
    found = re.search(r"(assertion violated.*|invalid end state.*|acceptance cycle.*)", out)
    if broken and errors.group(1) == "0":
        return None, states.group(1), broken.group(0)
    return int(errors.group(1)), int(float(states.group(1))), found.group(1) if found else ""


def main():
    deep = sys.argv[1:] == ["deep"]
    failed = 0
    if not shutil.which("spin"):
        print("spin is not installed; the models are not checked")
        return 77
    for model, options, sound, live, is_deep in RUNS:
        if is_deep and not deep:
            continue
        with tempfile.TemporaryDirectory() as where:
            errors, states, text = run(model, options, live, where)
        right = errors is not None and (errors == 0) == sound
        failed += not right
        what = "no errors" if errors == 0 else f"found: {text}" if errors else text
        print(f"{'ok  ' if right else 'FAIL'} {model:6} {options:46} {states:>9} states, {what}",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
