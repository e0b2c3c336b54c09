#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a logical unit has beside its reservations, and has on every controller: mode parameters and
the state of SANITIZE."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402

D_SENSE, SWP = (2, 0x04), (4, 0x08)  # byte and bit in the control mode page
MODE_CHANGED, RESET = 0x2A01, 0x2903
IN_PROGRESS = (CHECK, 2, 0x041B)
FAILED = (CHECK, 3, 0x3103)
PATTERN = b"holdfast"
ERASE, EXIT_FAILURE = "48020000000000000000", "481f0000000000000000"


def sense(answer):
    return answer.status, answer.key, answer.asc


def set_mode(s, where, on):
    byte, bit = where
    data = bytearray(s.cdb("1a080a00ff00", in_len=255).data)
    data[0] = 0
    data[4 + byte] = data[4 + byte] & ~bit | (bit if on else 0)
    return s.cdb(f"15100000{len(data):02x}00", out=bytes(data))


def is_set(s, where):
    return bool(s.cdb("1a080a00ff00", in_len=255).data[4 + where[0]] & where[1])


def mode_parameters_are_the_units(lab, host):
    x, y = (host.open(lab.urls[n, "alpha"], name) for n, name in ((1, "x"), (2, "y")))
    assert set_mode(x, SWP, True).status == GOOD
    assert sense(y.tur()) == (CHECK, 6, MODE_CHANGED)
    assert x.tur().status == GOOD  # who did it is not told
    for s in (x, y):
        assert is_set(s, SWP)
        assert sense(s.write(0, bytes(512))) == (CHECK, 7, 0x2702)
    assert set_mode(y, SWP, False).status == GOOD
    assert sense(x.tur()) == (CHECK, 6, MODE_CHANGED)
    for s in (x, y):
        assert not is_set(s, SWP)
        assert s.write(0, bytes(512)).status == GOOD
    # What changes nothing is no news.
    assert set_mode(y, SWP, False).status == GOOD
    assert x.tur().status == GOOD
    x.close(), y.close()


def a_reservation_keeps_others_from_the_mode(lab, host):
    x, y = (host.open(lab.urls[n, "alpha"], name) for n, name in ((1, "x"), (2, "y")))
    assert x.prout(0, sark=1).status == GOOD
    assert x.prout(1, rk=1, kind=1).status == GOOD
    page = bytes(4) + y.cdb("1a080a00ff00", in_len=255).data[4:]
    page = page[:8] + bytes([page[8] | 0x08]) + page[9:]
    assert y.cdb(f"15100000{len(page):02x}00", out=page).status == CONFLICT
    assert not is_set(x, SWP)
    assert x.prout(3, rk=1).status == GOOD
    x.close(), y.close()


def a_reset_ends_mode_parameters_on_both(lab, host):
    x, y = (host.open(lab.urls[n, "alpha"], name) for n, name in ((1, "x"), (2, "y")))
    assert set_mode(x, D_SENSE, True).status == GOOD
    assert sense(y.tur()) == (CHECK, 6, MODE_CHANGED)
    assert is_set(y, D_SENSE)
    assert y.tmf("lun-reset").tmf == 0
    for s in (x, y):
        assert sense(s.tur()) == (CHECK, 6, RESET)
        assert not is_set(s, D_SENSE)
    x.close(), y.close()


def past(command):
    """The answer behind the attentions: ports change state as controllers come and go."""
    while (answer := command()).key == 6:
        pass
    return answer


class Victim:
    """A small device on a disk of its own that a fault may hit."""

    def __init__(self, lab, host):
        self.lab = lab
        lab.tool(1, "device", "create", "victim", "--size", "8M", "--disk", "disk3", "--lun", "9")
        urls = [re.sub(r"/\d+$", "/9", lab.urls[n, "alpha"]) for n in (1, 2)]
        hf.until(lambda: "victim" in [d["name"] for d in lab.tool(2, "device", "list")["devices"]],
                 "the device")
        self.url = urls[0]
        self.x = host.open(urls[0], "x")
        self.y = host.open(urls[1], "y")
        self.y2 = host.open(urls[1], "z", isid=2)
        assert self.y.write(0, b"\x5a" * 65536).status == GOOD
        assert self.y.write(8 * 2048 - 1, b"\x5a" * 512).status == GOOD

    def sanitize(self, cdb1="01"):
        out = bytes([1, 0, 0, len(PATTERN)]) + PATTERN
        return self.x.start(f"48{cdb1}0000000000{len(out):04x}00", out=out)

    def wait(self, want):
        hf.until(lambda: sense(past(self.y.tur))[:len(want)] == want, f"sense {want}")

    def is_overwritten(self):
        for lba in range(0, 8 * 2048, 128):
            assert self.y.read(lba, 128).data == PATTERN * 8192, lba
        return True

    def end(self):
        for s in (self.y, self.y2):
            s.close()
        self.lab.tool(2, "device", "delete", "victim", "--force")


def a_sanitize_is_known_everywhere_and_outlives_its_session(lab, host):
    v = Victim(lab, host)
    lab.fault(1, "disk3", "op=write,skip=3,count=1,hang")
    v.sanitize()
    lab.wait_hanging(1, "disk3")
    for s in (v.y, v.y2):
        assert sense(s.tur()) == IN_PROGRESS
        assert sense(s.read(0)) == IN_PROGRESS
        assert sense(s.prout(0, sark=1)) == IN_PROGRESS
        assert sense(s.cdb(ERASE)) == IN_PROGRESS
        assert s.cdb("120000002400", in_len=36).status == GOOD
    r = lab.tool(2, "device", "delete", "victim", "--force", check=False)
    assert getattr(r, "returncode", 0) == 1 and "sanitized" in r.stderr, r
    v.x.drop()
    # The session of the command that waited for the end has ended: its place can be taken.
    x = host.open(v.url, "x")
    assert sense(past(x.tur)) == IN_PROGRESS
    assert sense(v.y.tur()) == IN_PROGRESS
    lab.fault(1, "disk3", "none", release=True)
    v.wait((GOOD,))
    assert v.is_overwritten()
    x.close()
    v.end()


def a_sanitize_fails_with_its_controller(lab, host):
    v = Victim(lab, host)
    lab.fault(1, "disk3", "op=write,skip=3,count=1,hang")
    v.sanitize("a1")  # IMMED, AUSE
    lab.wait_hanging(1, "disk3")
    assert sense(v.y.tur()) == IN_PROGRESS
    lab.run("kill", "1")
    lab.run("start", "1")
    lab.wait_view(1, "together")
    lab.wait_view(2, "together")
    v.wait(FAILED)
    x = host.open(re.sub(r"/\d+$", "/9", lab.urls[1, "alpha"]), "x", isid=3)
    assert sense(past(x.tur)) == FAILED
    assert past(lambda: v.y.cdb(EXIT_FAILURE)).status == GOOD
    for s in (x, v.y):
        answer = past(s.tur)
        assert answer.status == GOOD, answer
    x.close()
    v.end()


def a_sanitize_fails_when_its_controller_leaves(lab, host, immed=True):
    v = Victim(lab, host)
    lab.fault(1, "disk3", "op=write,delay=300ms")
    if immed:
        assert v.x.wait(v.sanitize("81")).status == GOOD
    else:
        v.sanitize("01")
        v.wait(IN_PROGRESS)
    lab.run("stop", "1")
    v.wait(FAILED)
    # It was begun without AUSE.
    assert sense(past(lambda: v.y.cdb(EXIT_FAILURE))) == (CHECK, 5, 0x2400)
    assert past(lambda: v.y.cdb(ERASE)).status == GOOD
    assert past(lambda: v.y.read(0)).data == bytes(512)
    lab.run("start", "1")
    lab.wait_view(1, "together")
    lab.wait_view(2, "together")
    v.end()


def a_controller_that_leaves_waits_for_no_waiter(lab, host):
    a_sanitize_fails_when_its_controller_leaves(lab, host, immed=False)


def inv4_who_is_out_comes_back_when_no_piece_is_in_flight(lab, host):
    v = Victim(lab, host)
    lab.fault(1, "disk3", "op=write,skip=3,count=1,hang")
    v.sanitize("21")  # AUSE
    lab.wait_hanging(1, "disk3")
    assert sense(v.y.tur()) == IN_PROGRESS
    lab.run("cut")
    lab.wait_view(1, "frozen")
    lab.wait_view(2, "frozen")
    lab.tool(2, "peer-down")
    lab.wait_view(2, "alone")
    v.wait(FAILED)
    lab.run("heal")
    lab.wait_view(1, "out")
    for _ in range(50):  # it would be back before the first few of these are answered
        assert lab.view(1) == "out"
        assert sense(v.y.tur()) == FAILED
    lab.fault(1, "disk3", "none", release=True)
    lab.wait_view(1, "together")
    lab.wait_view(2, "together")
    x = host.open(v.url, "x", isid=4)
    assert sense(past(x.tur)) == FAILED
    assert past(lambda: v.y.cdb(EXIT_FAILURE)).status == GOOD
    assert past(x.tur).status == GOOD
    x.close()
    v.end()


TESTS = [mode_parameters_are_the_units, a_reservation_keeps_others_from_the_mode,
         a_reset_ends_mode_parameters_on_both,
         a_sanitize_is_known_everywhere_and_outlives_its_session,
         a_sanitize_fails_with_its_controller, a_sanitize_fails_when_its_controller_leaves,
         a_controller_that_leaves_waits_for_no_waiter,
         inv4_who_is_out_comes_back_when_no_piece_is_in_flight]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, lambda build: hf.Lab(build, 15320, faults=True)))
