#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The laboratory's own manners, without a controller."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

LAB = str(pathlib.Path(__file__).resolve().parents[2] / "lab")


def lab(*words, stdout=subprocess.PIPE):
    return subprocess.run([LAB, *words], stdout=stdout, stderr=subprocess.PIPE, text=True)


def who_is_not_read_any_more_ends_as_other_tools_do(where):
    """`./lab status | head -1`, with a head that is quick."""
    said = lab("status", "--dir", where)
    assert said.returncode == 0 and "controller 2: not running" in said.stdout, said
    for words in (["status", "--dir", where], ["--help"], []):
        reader, writer = os.pipe()
        os.close(reader)
        said = lab(*words, stdout=writer)
        os.close(writer)
        assert (said.returncode, said.stderr) == (-signal.SIGPIPE, ""), (words, said)


def an_error_is_told_on_stderr(where):
    for words in (["kill", "3", "--dir", where], ["urls", "--dir", where + "/not-there"], ["what"]):
        said = lab(*words)
        assert said.returncode == 1 and said.stdout == "", said
        assert said.stderr.startswith("lab: ") and said.stderr.count("\n") == 1, said


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="hf-lab-") as where:
        state = {"controllers": 2, "links": 1, "pids": {}}
        (pathlib.Path(where) / "lab.json").write_text(json.dumps(state))
        for test in (who_is_not_read_any_more_ends_as_other_tools_do, an_error_is_told_on_stderr):
            test(where)
            print("ok", test.__name__)
    sys.exit(0)
