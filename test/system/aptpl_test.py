#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""APTPL: registrations and reservation outlive both controllers. They are on the shared disks before
GOOD, a write that fails fails the command, and what cannot be read is told as lost until a host or
the operator decides. Cuts inside a write are in test/ldev/record_test.c."""
import os
import pathlib
import random
import struct
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
import pr  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402
from pr import (ALL_TG_PT, APTPL, CLEAR, IGNORE, PREEMPT, REGISTER, RELEASE, REPLACE,  # noqa: E402
                RESERVE, conflicts, ok, out, refuses)

SEED = int(os.environ.get("HF_SEED", "0")) or random.SystemRandom().getrandbits(32)
ROUNDS = int(os.environ.get("HF_APTPL_ROUNDS", "1"))
X, Y, Z = 0x1111, 0x2222, 0x3333
MAP, SLOTS, COPY = 0x200000, 0x300000, 0x10000  # doc/on-disk-format.md
LOST = 0x4401


def slots_of(lab, device):
    """(file, offset, generation) of every copy of the device's record on the voting disks."""
    owner = [d["id"] for n in (1, 2) if isinstance(r := lab.tool(n, "device", "list", check=False),
                                                   dict)
             for d in r["devices"] if d["name"] == device][0]
    found = []
    for path in lab.state()["disks"]:
        with open(path, "rb") as f:
            for i in range(32):
                f.seek(SLOTS + i * COPY)
                magic, _, kind, index = struct.unpack(">8sHHI", f.read(16))
                f.seek(SLOTS + i * COPY + 56)
                generation, its = struct.unpack(">QI", f.read(12))
                if magic == b"HFRECORD" and kind == 3 and its == owner:
                    found.append((path, SLOTS + i * COPY, generation))
    return found


def power_fails(lab):
    lab.kill(1, 2)


def power_is_back(lab, first=0):
    """first: the controller that starts by itself and serves before the other one comes."""
    if first:
        lab.run("start", str(first), "--alone")
        lab.wait_view(first, "alone")
        return
    lab.run("start", *(str(n) for n in (1, 2) if not lab.is_running(n)))
    for n in (1, 2):
        lab.wait_view(n, "together")


def enter(lab, host, device="alpha", controllers=(1, 2)):
    """x and y at the controllers that are there."""
    return [host.open(lab.urls[n, device], name) for n in controllers for name in "xy"]


def registered(session):
    return sorted((r.initiator, r.rtpi, r.key, r.holder, r.type) for r in pr.full_status(session))


def fresh(lab, host):
    s = enter(lab, host)
    pr.wipe(*s)
    return s


def close(*sessions):
    for s in sessions:
        s.close()


def inv6_all_of_it_is_there_through_whichever_controller_starts(lab, host):
    for first, kind in ((0, 5), (1, 8), (2, 6)):
        x1, y1, x2, y2 = fresh(lab, host)
        ok(out(x1, REGISTER, sark=X, flags=APTPL | ALL_TG_PT))
        ok(out(y2, REGISTER, sark=Y, flags=APTPL))
        ok(out(x1, RESERVE, rk=X, kind=kind))
        want = registered(y1)
        assert len(want) == 3
        power_fails(lab)
        power_is_back(lab, first)
        for s in enter(lab, host, controllers=(first,) if first else (1, 2)):
            assert registered(s) == want
            assert pr.generation(s) == 0
            assert ok(s.prin(2)).data[3] & 1 == 1  # PTPL_A
            may = (s.initiator, pr.port_of(s)) in [w[:2] for w in want]
            assert s.write(0, bytes(512)).status == (GOOD if may else CONFLICT)
            s.close()
        if first:
            power_is_back(lab)
            for s in enter(lab, host):
                assert registered(s) == want
                s.close()


def what_is_not_asked_to_stay_goes(lab, host):
    x1, y1, x2, y2 = fresh(lab, host)
    beta = host.open(lab.urls[1, "beta"], "x", isid=2)
    ok(out(beta, REGISTER, sark=Z, flags=APTPL))
    ok(out(x1, REGISTER, sark=X, flags=APTPL))
    ok(out(y2, REGISTER, sark=Y))  # the last one decides for the unit: off
    ok(out(x1, RESERVE, rk=X, kind=1))
    gamma = host.open(lab.urls[2, "gamma"], "y", isid=2)
    ok(gamma.reserve())
    power_fails(lab)
    power_is_back(lab)
    a, b, c, d = enter(lab, host)
    assert pr.keys(a) == [] and pr.reservation(d) is None and pr.generation(b) == 0
    beta = host.open(lab.urls[2, "beta"], "x", isid=2)
    assert pr.keys(beta) == [Z]  # each unit for itself (INV-8)
    gamma = host.open(lab.urls[1, "gamma"], "y", isid=2)
    ok(gamma.reserve()), ok(gamma.release())  # an SPC-2 reservation never stays
    beta = host.open(lab.urls[1, "beta"], "x", isid=2)
    pr.wipe(beta)
    close(a, b, c, d, beta, gamma)


def one_controller_may_restart_and_nothing_changes(lab, host):
    """INV-6 without APTPL: the other has it, and the generation goes on."""
    x1, y1, x2, y2 = fresh(lab, host)
    ok(out(x1, REGISTER, sark=X))
    ok(out(y2, REGISTER, sark=Y))
    ok(out(y2, RESERVE, rk=Y, kind=3))
    for n in (1, 2):
        g, want = pr.generation(x1 if n == 2 else x2), registered(y1 if n == 2 else y2)
        lab.kill(n)
        power_is_back(lab)
        s = enter(lab, host)
        x1, y1, x2, y2 = s
        for t in s:
            pr.attentions_of_any_kind(t)
            assert registered(t) == want and pr.generation(t) == g
        assert x1.write(0, bytes(512)).status == CONFLICT
        assert y2.write(0, bytes(512)).status == GOOD
    pr.wipe(*s)
    close(*s)


def random_histories_survive(lab, host):
    dice = random.Random(SEED)
    print(f"  seed {SEED}, {ROUNDS} power failures; HF_SEED, HF_APTPL_ROUNDS")
    s = fresh(lab, host)
    for round_ in range(ROUNDS):
        for t in s:
            ok(out(t, IGNORE, sark=X, flags=APTPL))
        for step in range(dice.randint(1, 25)):
            t = dice.choice(s)
            pr.attentions_of_any_kind(t)
            action = dice.choice((REGISTER, IGNORE, IGNORE, RESERVE, RESERVE, RELEASE, PREEMPT, CLEAR))
            out(t, action, rk=dice.choice((0, X, Y)), sark=dice.choice((0, X, X, Y, Z)),
                kind=dice.choice(pr.TYPES), flags=APTPL)
        for t in s:
            pr.attentions_of_any_kind(t)
        ok(out(s[0], IGNORE, sark=Z, flags=APTPL))
        want = registered(s[3])
        power_fails(lab)
        power_is_back(lab)
        s = enter(lab, host)
        for t in s:
            assert registered(t) == want, f"seed {SEED}, round {round_}"
    pr.wipe(*s)
    close(*s)


# --- writes that fail ---

def slot_writes(lab, disks, rule, controllers=(1, 2)):
    """Slots only: map and view records lie elsewhere."""
    for n in controllers:
        for disk in disks:
            lab.fault(n, disk, f"op=write,at={SLOTS}-{SLOTS + 32 * COPY},{rule}"
                      if rule else "none", release=not rule)


def a_failed_write_fails_the_command_and_changes_nothing(lab, host):
    x1, y1, x2, y2 = s = fresh(lab, host)
    ok(out(x1, REGISTER, sark=X, flags=APTPL))
    ok(out(y2, REGISTER, sark=Y, flags=APTPL))
    ok(out(x1, RESERVE, rk=X, kind=5))
    want, g = registered(x1), pr.generation(x1)
    commands = (lambda t: out(t, IGNORE, sark=Z, flags=APTPL),
                lambda t: out(t, IGNORE, sark=Z),  # APTPL off: "none" is to be written
                lambda t: out(t, CLEAR, rk=X if t is x1 else Y),
                lambda t: out(t, PREEMPT, rk=X if t is x1 else Y, sark=X, kind=1),
                lambda t: out(t, RELEASE, rk=X, kind=5))
    for t in (x1, y2):
        for command in commands[:4 if t is y2 else 5]:
            # Two of the three disks fail, once: the old content is out again afterwards.
            slot_writes(lab, ("disk1", "disk3"), "count=1,error=EIO")
            a = command(t)
            assert (a.status, a.key) == (CHECK, 4), a
            slot_writes(lab, ("disk1", "disk3"), None)
            for u in s:
                assert registered(u) == want and pr.generation(u) == g
                assert pr.attentions(u) == []
            assert y1.write(0, bytes(512)).status == CONFLICT
    # One of three: most have it, that is enough.
    slot_writes(lab, ("disk2",), "error=EIO")
    ok(out(y1, REGISTER, sark=Z, flags=APTPL))
    want = registered(x2)
    power_fails(lab)
    power_is_back(lab)  # fault rules are of the process that has gone
    s = enter(lab, host)
    for u in s:
        assert registered(u) == want
    pr.wipe(*s)
    close(*s)


def w15_a_record_in_doubt_is_no_answer_and_goes_forward(lab, host):
    """The old content cannot be put back either: nobody is told anything that may prove wrong."""
    x1, y1, x2, y2 = s = fresh(lab, host)
    ok(out(y2, REGISTER, sark=Y, flags=APTPL))
    slot_writes(lab, ("disk1", "disk3"), "error=EIO", (1,))
    a = out(x1, REGISTER, sark=X, flags=APTPL)
    assert a.lost, a  # its connection is closed
    a = y1.prin(0)
    assert a.lost or (a.status, a.key, a.asc) == (CHECK, 2, 0x040A), a
    slot_writes(lab, ("disk1", "disk3"), None, (1,))
    close(*s)
    s = enter(lab, host)
    hf.until(lambda: (a := s[3].prin(0)).status == GOOD, "the record to be written")
    for t in s:
        assert pr.keys(t) == [X, Y]
    power_fails(lab)
    power_is_back(lab)
    s = enter(lab, host)
    assert pr.keys(s[0]) == [X, Y]
    pr.wipe(*s)
    close(*s)


def torn_or_half_written_is_old_or_new_and_stays_so(lab, host):
    """Both die while most disks have not got it; what is seen afterwards is there to stay."""
    for rule in ("hang", "torn=512,hang-late"):
        x1, y1, x2, y2 = s = fresh(lab, host)
        ok(out(x1, REGISTER, sark=X, flags=APTPL))
        old = registered(x1)
        slot_writes(lab, ("disk2", "disk3"), rule, (1,))
        q = x1.start(f"5f06000000{24:08x}00", out=bytes(8) + Y.to_bytes(8, "big") + bytes(4) +
                     bytes([APTPL, 0, 0, 0]))
        lab.wait_hanging(1, "disk2")
        lab.wait_hanging(1, "disk3")
        assert host.is_waiting(q)
        power_fails(lab)
        assert x1.wait(q).lost
        power_is_back(lab)
        s = enter(lab, host)
        new = [(n, p, Y, h, k) for n, p, _, h, k in old]
        seen = registered(s[0])
        assert seen in (old, new), seen
        for t in s:
            assert registered(t) == seen
        close(*s)
        newest = max(slots_of(lab, "alpha"), key=lambda c: c[2])[0]
        power_fails(lab)
        # The one disk that may have had it alone loses its copies.
        for path, offset, _ in slots_before(newest):
            with open(path, "r+b") as f:
                f.seek(offset)
                f.write(b"\xff" * 4096)
        power_is_back(lab)
        s = enter(lab, host)
        assert registered(s[0]) == seen, (rule, seen)
        pr.wipe(*s)
        close(*s)


def slots_before(path):
    """Copies of every record in the slots of one disk that are not blank."""
    with open(path, "rb") as f:
        for i in range(32):
            f.seek(SLOTS + i * COPY)
            if f.read(8) == b"HFRECORD":
                yield path, SLOTS + i * COPY, 0


def a_map_half_written_stays_as_it_was_seen(lab, host):
    """The same for the record that says which devices there are."""
    def devices():
        return [d["name"] for d in lab.tool(1, "device", "list")["devices"]]

    for disk in ("disk2", "disk3"):
        lab.fault(1, disk, f"op=write,at={MAP}-{SLOTS},hang")
    old = devices()
    words = ("device", "create", "half", "--size", "4M", "--disk", "disk1")
    asking = threading.Thread(target=lab.tool, args=(1, *words), kwargs={"check": False})
    asking.start()
    lab.wait_hanging(1, "disk2")
    lab.wait_hanging(1, "disk3")
    power_fails(lab)
    asking.join(hf.DEADLINE)
    power_is_back(lab)
    seen = devices()
    assert seen in (old, old + ["half"]), seen
    power_fails(lab)
    with open(lab.state()["disks"][0], "r+b") as f:  # the disk that had it alone
        for copy in (0, 1):
            f.seek(MAP + copy * 0x80000)
            f.write(b"\xff" * 4096)
    power_is_back(lab)
    assert devices() == seen
    if "half" in seen:
        lab.tool(2, "device", "delete", "half")


# --- information lost ---

def lose(lab, device, disks=2):
    """Overwrites the device's record on most voting disks while nobody runs."""
    copies = slots_of(lab, device)
    power_fails(lab)
    for path in sorted({c[0] for c in copies})[:disks]:
        for p, offset, _ in copies:
            if p == path:
                with open(p, "r+b") as f:
                    f.seek(offset)
                    f.write(b"\xa5" * 4096)
    power_is_back(lab)


def unreadable_is_lost_until_a_host_replaces_it(lab, host):
    x1, y1, x2, y2 = fresh(lab, host)
    other = host.open(lab.urls[1, "beta"], "x", isid=2)
    ok(out(other, REGISTER, sark=Z, flags=APTPL))
    ok(out(x1, REGISTER, sark=X, flags=APTPL))
    ok(out(x1, RESERVE, rk=X, kind=1))
    refuses(out(x1, REPLACE, sark=X, kind=1), 0x2400)  # nothing is lost
    lose(lab, "alpha")
    x1, y1, x2, y2 = s = enter(lab, host)
    for n in (1, 2):
        r = lab.tool(n, "reservation", "show", "alpha")["reservation"]
        assert r["lost"] and r["held"] == "none" and r["registrations"] == []
    for t in s:
        for a in (t.tur(), t.read(0), t.write(0, bytes(512)), t.reserve(), t.release(), t.prin(0),
                  t.prin(1), t.prin(3), out(t, REGISTER, sark=X), out(t, IGNORE, sark=X),
                  out(t, CLEAR, rk=X)):
            refuses(a, LOST, key=7)
        assert t.cdb("120000002400", in_len=36).status == GOOD
        assert t.cdb("a00000000000000000ff0000", in_len=255).status == GOOD
    other = host.open(lab.urls[2, "beta"], "x", isid=2)
    assert pr.keys(other) == [Z]  # only that unit (INV-8)
    conflicts(out(x1, REPLACE, rk=X, sark=X, kind=1))
    refuses(out(x1, REPLACE, sark=0, kind=1), 0x2600)
    refuses(out(x1, REPLACE, sark=X, kind=2), 0x2400)
    refuses(out(x1, REPLACE, sark=X, kind=1, scope=1), 0x2400)
    for t in s:
        refuses(t.tur(), LOST, key=7)
    ok(out(y2, REPLACE, sark=Y, kind=3))
    for t in s:
        assert pr.keys(t) == [Y] and pr.reservation(t) == (Y, 3)
    assert y2.write(0, bytes(512)).status == GOOD
    for t in (x1, y1, x2):
        assert t.read(0).status == CONFLICT
    refuses(out(x1, REPLACE, sark=X, kind=1), 0x2400)
    # The next power failure finds sound records: not lost, and nothing was to be kept (APTPL=0).
    power_fails(lab)
    power_is_back(lab)
    s = enter(lab, host)
    assert pr.keys(s[0]) == [] and pr.reservation(s[3]) is None
    beta = host.open(lab.urls[1, "beta"], "x", isid=2)
    pr.wipe(beta)
    close(*s, beta)


def the_operator_ends_it_as_well(lab, host):
    x1, *rest = fresh(lab, host)
    ok(out(x1, REGISTER, sark=X, flags=APTPL))
    ok(out(x1, RESERVE, rk=X, kind=1))  # a second record: over the first one nothing is lost
    close(x1, *rest)
    lose(lab, "alpha")
    s = enter(lab, host)
    refuses(s[0].tur(), LOST, key=7)
    lose(lab, "alpha")  # it stays lost however often the power fails
    s = enter(lab, host)
    for t in s:
        refuses(t.tur(), LOST, key=7)
    lab.tool(2, "reservation", "break", "alpha")
    for t in s:
        pr.attentions_of_any_kind(t)
        assert t.write(0, bytes(512)).status == GOOD and pr.keys(t) == []
    close(*s)


def lost_on_one_disk_of_three_is_not_lost(lab, host):
    x1, *rest = fresh(lab, host)
    ok(out(x1, REGISTER, sark=X, flags=APTPL))
    close(x1, *rest)
    lose(lab, "alpha", disks=1)
    s = enter(lab, host)
    assert pr.keys(s[0]) == [X]
    pr.wipe(*s)
    close(*s)


def start_lab(build):
    return hf.Lab(build, 15432, faults=True)


TESTS = [inv6_all_of_it_is_there_through_whichever_controller_starts,
         what_is_not_asked_to_stay_goes, one_controller_may_restart_and_nothing_changes,
         random_histories_survive, a_failed_write_fails_the_command_and_changes_nothing,
         w15_a_record_in_doubt_is_no_answer_and_goes_forward,
         torn_or_half_written_is_old_or_new_and_stays_so,
         a_map_half_written_stays_as_it_was_seen, unreadable_is_lost_until_a_host_replaces_it, the_operator_ends_it_as_well,
         lost_on_one_disk_of_three_is_not_lost]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
