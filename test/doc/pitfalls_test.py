#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares doc/pitfalls.md with the tree: every pitfall has a test that begins with its number and exists; planted
bugs, oracles and models exist; no test has a number that the page lacks; the steps are those of the stories."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = (TOP / "doc/pitfalls.md").read_text(encoding="utf-8")
NUMBERS = [f"W{i}" for i in range(1, 23)] + [f"S{i}" for i in range(1, 11)]
problems = []


def read(path):
    return (TOP / path).read_text(encoding="utf-8") if (TOP / path).is_file() else ""


def rows(header):
    table = PAGE.split(header, 1)[1].split("\n\n", 1)[0].rstrip()
    for line in table.split("\n")[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def check_tests(number, cell):
    """`file`: `name`, `name`; ..."""
    for part in cell.split(";"):
        path, *names = re.findall(r"`([^`]+)`", part) or [""]
        if not names:
            problems.append(f"{number}: no test in '{part}'")
        for name in names:
            if not name.startswith(number.lower() + "_"):
                problems.append(f"{number}: {name} does not begin with the number")
            if not re.search(rf"^(?:static void|def) {name}\(", read(path), re.M):
                problems.append(f"{number}: {path} has no test {name}")
            # Who forgets the list of tests has a test that never runs.
            elif len(re.findall(rf"\b{name}\b", read(path))) < 2:
                problems.append(f"{number}: {path} does not run {name}")


seen = []
bugs = set(re.findall(r'^\t\{HF_CANARY_\w+, "([\w-]+)"', read("sim/canary.c"), re.M))
for number, _, tests, planted, oracle, model in rows("| Number | Pitfall |"):
    seen.append(number)
    check_tests(number, tests)
    for bug in set(planted.replace(",", " ").split()) - bugs:
        problems.append(f"{number}: no bug {bug} is planted")
    if oracle and not read(f"sim/oracle_{oracle}.c"):
        problems.append(f"{number}: there is no oracle {oracle}")
    if model and not read(f"sim/models/{model}.pml"):
        problems.append(f"{number}: there is no model {model}")
if seen != NUMBERS:
    problems.append(f"the page has rows for {seen}")

for test in (TOP / "test").rglob("*"):
    if test.suffix in (".c", ".py"):
        for name in re.findall(r"^(?:static void|def) ([ws]\d+)_\w+\(", read(test), re.M):
            if name.upper() not in NUMBERS:
                problems.append(f"{test.relative_to(TOP)}: a test of {name.upper()}, which the page lacks")

steps = re.search(r"enum step \{(.*?)\bSTEPS\b", read("test/bus/story_link.c"), re.S).group(1)
steps = re.findall(r"^\t(\w+)", steps, re.M)
told = [row[0] for row in rows("| Step | Frozen")]
if steps != told:
    problems.append(f"the steps of the stories are {steps}, those of the page {told}")

for p in problems:
    print(p)
print(f"{len(seen)} pitfalls, {len(told)} steps, {len(problems)} problems")
sys.exit(1 if problems else 0)
