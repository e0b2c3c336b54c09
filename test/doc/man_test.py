#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Man pages and programs say the same: every option of the configuration, of holdfastd and of every
command of holdfast stands in its page, and the pages name none that does not exist."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1])
WORD = re.compile(r"\*([a-z][a-z.-]*)\*")
problems = []


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def page(name):
    return (ROOT / "man" / f"{name}.scd").read_text()


def compare(what, real, told):
    problems.extend(f"{what}: {name} is not in the page" for name in sorted(real - told))
    problems.extend(f"{what}: {name} is in the page and does not exist" for name in sorted(told - real))


def options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def configuration():
    real = set(run(BUILD / "test/holdfastd/option-names").split())
    told = set()
    for line in page("holdfastd.conf.5").split("# SEE ALSO")[0].splitlines():
        if line.startswith("*"):
            told.update(WORD.findall(line.split("(needed)")[0]))
    compare("holdfastd.conf(5)", real, told)


def daemon():
    compare("holdfastd(8)", options(run(BUILD / "src/holdfastd/holdfastd", "--help")),
            options(page("holdfastd.8")))


def tool():
    exe = BUILD / "src/holdfast/holdfast"
    head = run(exe, "--help")
    commands = re.findall(r"^  ([a-z][a-z-]*(?: [a-z][a-z-]*)?)(?: [A-Z ?A-Z-]+)?  ", head, re.M)
    real = options(head)
    text = page("holdfast.8")
    for command in commands:
        real |= options(run(exe, *command.split(), "--help"))
        if f"*holdfast {command}*" not in text:
            problems.append(f"holdfast(8): the command {command} is not in the page")
    for command in re.findall(r"^\*holdfast ([a-z -]+)\*", text, re.M):
        if command not in commands:
            problems.append(f"holdfast(8): {command} is in the page and does not exist")
    compare("holdfast(8)", real, options(text))
    assert len(commands) > 15, commands


configuration()
daemon()
tool()
for p in problems:
    print(p)
print(f"{len(problems)} problems")
sys.exit(1 if problems else 0)
