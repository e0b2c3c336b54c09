#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares doc/invariants.md with the tree: every number has its statement, code that names it or the
function that upholds it, a test, an oracle; what the page names exists; no number is used that it does not
have; the table of planted bugs in doc/simulator.md is that of sim/canary.c."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = (TOP / "doc/invariants.md").read_text(encoding="utf-8")
problems = []


def rows(header):
    table = PAGE.split(header, 1)[1].split("\n\n", 1)[0]
    for line in table.split("\n"):
        if re.match(r"\| INV-\d+ \|", line):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def defines(path, name):
    text = (TOP / path).read_text(encoding="utf-8")
    return re.search(rf"^(?:static |void |def |enum |int |bool )[^;\n]*\b{name}\(", text, re.M) or \
        re.search(rf"^(?:[\w*]+ )*{name}\(", text, re.M)


statements = {row[0]: row[1] for row in rows("| Number | Statement |")}
places = {row[0]: row[1:] for row in rows("| Number | In the code |")}
if sorted(statements) != [f"INV-{i}" for i in range(1, 10)]:
    problems.append(f"the page has statements for {sorted(statements)}")
for number in statements:
    if number not in places:
        problems.append(f"{number} has no row of places")
        continue
    for cell in places[number][:2]:
        path, name = re.match(r"`([^`]+)`: `([^`]+)`", cell).groups()
        if not (TOP / path).is_file():
            problems.append(f"{number}: {path} does not exist")
        elif not defines(path, name):
            problems.append(f"{number}: {path} has no {name}")
    oracle = places[number][2].strip("`")
    if not (TOP / oracle).is_file():
        problems.append(f"{number}: {oracle} does not exist")
    elif f'"{number}"' not in (TOP / oracle).read_text(encoding="utf-8") or \
            number not in (TOP / oracle).read_text(encoding="utf-8"):
        problems.append(f"{number}: {oracle} does not name it")

for folder in ("src", "sim", "test", "include"):
    for path in (TOP / folder).rglob("*"):
        if path.suffix not in (".c", ".h", ".py", ".pml") or not path.is_file():
            continue
        for number in set(re.findall(r"\bINV-\d+\b", path.read_text(encoding="utf-8"))):
            if number not in statements:
                problems.append(f"{path.relative_to(TOP)} speaks of {number}, which the page has not")

bugs = set(re.findall(r'^\t\{HF_CANARY_\w+, "([\w-]+)"', (TOP / "sim/canary.c").read_text(), re.M))
told = set()
section = (TOP / "doc/simulator.md").read_text(encoding="utf-8").split("## Planted bugs", 1)[1]
for line in section.split("\n## ", 1)[0].split("\n"):
    if line.startswith("| ") and not line.startswith(("| Bug", "|---")):
        told |= set(re.findall(r"[a-z]+(?:-[a-z]+)+", line.split("|")[1]))
if bugs != told or not bugs:
    problems.append(f"planted bugs: doc/simulator.md differs by {sorted(bugs ^ told)}")

for p in problems:
    print(p)
print(f"{len(statements)} invariants, {len(bugs)} planted bugs, {len(problems)} problems")
sys.exit(1 if problems else 0)
