#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who is told what, on which controller: unit attentions, aborted tasks, resets, with real sessions
through two controllers. Every test ends with nobody having an attention that was not looked at."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
import pr  # noqa: E402
from hf import ABORTED, CHECK, CONFLICT, GOOD  # noqa: E402
from pr import (ALL_TG_PT, CLEAR, IGNORE, PREEMPT, PREEMPT_ABORT, PREEMPTED, REGISTER,  # noqa: E402
                REGISTRATIONS, RELEASE, RELEASED, RESERVE, ok, out)

X, Y, Z = 0x1111, 0x2222, 0x3333
CLEARED, RESET = 0x2F00, 0x2903
LBA = 1000


class Cast:
    """x, y, z, each through both controllers; nothing registered, no attention waits."""

    def __init__(self, lab, host, device="alpha", isid=1):
        self.all = {}
        for name in "xyz":
            for n in (1, 2):
                s = host.open(lab.urls[n, device], name, isid)
                self.all[f"{name}{n}"] = s
                setattr(self, f"{name}{n}", s)
        pr.wipe(*self.all.values())

    def expect(self, **told):
        """Exactly these attentions and no others, at every nexus."""
        found = {name: pr.attentions(s) for name, s in self.all.items()}
        assert {n: a for n, a in found.items() if a} == told, (found, told)

    def end(self):
        self.expect()
        pr.wipe(*self.all.values())
        for s in self.all.values():
            s.close()


def who_is_told_what_by_which_command(lab, host):
    c = Cast(lab, host)
    for by, same, other in ((c.x1, "y1", "y2"), (c.x2, "y2", "y1")):
        y, far = c.all[same], c.all[other]
        for kind in pr.TYPES:
            for s, key in ((by, X), (y, Y), (far, Z)):
                ok(out(s, REGISTER, sark=key))
            ok(out(by, RESERVE, rk=X, kind=kind))
            c.expect()
            ok(out(by, RELEASE, rk=X, kind=kind))
            c.expect(**{n: [RELEASED] for n in (same, other) if kind in pr.REGISTRANTS})
            ok(out(by, RESERVE, rk=X, kind=kind))
            ok(out(by, REGISTER, rk=X))  # the holder leaves
            c.expect(**{n: [RELEASED] for n in (same, other) if kind in (5, 6)})
            ok(out(by, REGISTER, sark=X))
            if kind in pr.ALL_HOLD:
                ok(out(by, RELEASE, rk=X, kind=kind))
                c.expect(**{n: [RELEASED] for n in (same, other)})
            ok(out(by, RESERVE, rk=X, kind=kind))
            ok(out(by, PREEMPT, rk=X, sark=Z))  # removes only
            c.expect(**{other: [REGISTRATIONS]})
            ok(out(far, REGISTER, sark=Z))
            # The far one takes over; of the rest who loses nothing is told of a new type.
            new = 7 if kind == 5 else 5
            ok(out(far, PREEMPT, rk=Z, sark=0 if kind in pr.ALL_HOLD else X, kind=new))
            loser = "x1" if by is c.x1 else "x2"
            c.expect(**{loser: [REGISTRATIONS],
                        same: [REGISTRATIONS if kind in pr.ALL_HOLD else RELEASED]})
            ok(out(by, IGNORE, sark=X))
            ok(out(y, IGNORE, sark=Y))
            ok(out(by, CLEAR, rk=X))
            c.expect(**{n: [PREEMPTED] for n in (same, other)})
    c.end()


def what_passes_without_a_word(lab, host):
    """No attention: REGISTER, keys changed, REGISTER AND MOVE, a RESERVE that fails."""
    c = Cast(lab, host)
    ok(out(c.x1, REGISTER, sark=X, flags=ALL_TG_PT))
    ok(out(c.y2, REGISTER, sark=Y))
    ok(out(c.x1, REGISTER, rk=X, sark=Z, flags=ALL_TG_PT))
    ok(out(c.x2, RESERVE, rk=Z, kind=5))
    assert out(c.y2, RESERVE, rk=Y, kind=5).status == CONFLICT
    assert out(c.y2, PREEMPT, rk=Y, sark=0x99, kind=5).status == CONFLICT
    ok(pr.move(c.x2, Z, Y, 2, pr.tid(c.y2), unreg=True))
    c.expect()
    ok(out(c.y2, CLEAR, rk=Y))
    c.expect(x1=[PREEMPTED])
    c.end()


def a_conflict_comes_before_an_attention_and_leaves_it(lab, host):
    """SAM-5 5.14: resets, then RESERVATION CONFLICT, then other attentions."""
    c = Cast(lab, host)
    ok(out(c.x1, REGISTER, sark=X))
    ok(out(c.y2, REGISTER, sark=Y))
    ok(out(c.x1, RESERVE, rk=X, kind=6))
    ok(out(c.x1, PREEMPT_ABORT, rk=X, sark=Y))
    for _ in range(3):
        assert c.y2.write(LBA, bytes(512)).status == CONFLICT
        assert c.y2.read(LBA).status == CONFLICT
        for cdb, size in (("120000002400", 36), ("a00000000000000000ff0000", 255)):
            assert c.y2.cdb(cdb, in_len=size).status == GOOD
    a = c.y2.prin(0)
    assert (a.status, a.key, a.asc) == (CHECK, 6, REGISTRATIONS), a
    assert c.y2.write(LBA, bytes(512)).status == CONFLICT
    # REQUEST SENSE takes the attention with it, as parameter data (SAM-5, 5.14.4).
    ok(out(c.y2, REGISTER, sark=Y))
    ok(out(c.x1, PREEMPT, rk=X, sark=Y))
    assert c.y2.write(LBA, bytes(512)).status == CONFLICT
    sense = ok(c.y2.cdb("030000001200", in_len=18)).data
    assert (sense[2] & 15, sense[12] << 8 | sense[13]) == (6, REGISTRATIONS)
    c.expect()
    assert c.z1.tmf("lun-reset").tmf == 0
    a = c.y2.write(LBA, bytes(512))
    assert (a.status, a.key, a.asc) == (CHECK, 6, RESET), a
    assert c.y2.write(LBA, bytes(512)).status == CONFLICT
    c.expect(**{n: [RESET] for n in c.all if n != "y2"})
    assert pr.reservation(c.y2) == (X, 6)  # a reset takes no registration
    c.end()


# --- tasks that are there to be aborted ---

def compare_and_write(old, new, lba=LBA):
    return f"8900{lba:016x}000000{len(old) // 512:02x}0000", old + new


class Stuck:
    """z's COMPARE AND WRITE hangs in controller 1's disk, so that its range is held on both
    controllers: whoever writes there waits, with nothing on its way to the medium."""

    def __init__(self, lab, c, device="alpha", lba=LBA):
        self.lab, self.c, self.device, self.lba = lab, c, device, lba
        self.before = lab.medium(device, lba)
        _, offset, _ = lab.extents(device)[0]
        at = offset + lba * 512
        lab.fault(1, "disk1", f"op=read,at={at}-{at + 512},count=1,hang")
        cdb, data = compare_and_write(self.before, b"\xca" * 512, lba)
        self.caw = c.z1.start(cdb, out=data)
        lab.wait_hanging(1, "disk1")
        self.victims = []

    def write(self, session, byte):
        """A write that waits, and proof that it is in the task set: a later command is answered."""
        q = session.start_write(self.lba, bytes([byte]) * 512)
        assert session.tur().status == GOOD
        self.victims.append(q)
        return q

    def let_go(self):
        self.lab.fault(1, "disk1", "none", release=True)


def set_tas(c, on):
    """MODE SELECT of TAS: it is the unit's, whatever controller is told."""
    page = bytearray(c.x1.cdb("1a080a00ff00", in_len=255).data)
    page[0] = 0
    page[4 + 5] = page[4 + 5] & ~0x40 | (0x40 if on else 0)
    ok(c.x1.cdb(f"15100000{len(page):02x}00", out=bytes(page)))
    for s in c.all.values():
        pr.attentions_of_any_kind(s)


def preempt_and_abort_aborts_on_every_controller(lab, host):
    for tas in (False, True):
        for removes_only in (True, False):
            c = Cast(lab, host)
            set_tas(c, tas)
            ok(out(c.x1, REGISTER, sark=X))
            ok(out(c.z1, REGISTER, sark=Z))
            ok(out(c.y1, REGISTER, sark=Y))
            ok(out(c.y2, REGISTER, sark=Y))
            if not removes_only:
                ok(out(c.y2, RESERVE, rk=Y, kind=5))
            stuck = Stuck(lab, c)
            here, there = stuck.write(c.y1, 0x11), stuck.write(c.y2, 0x22)
            bystander = stuck.write(c.z2 if removes_only else c.x1, 0x33)
            ok(out(c.x1, PREEMPT_ABORT, rk=X, sark=Y, kind=5))
            if tas:
                for s, q in ((c.y1, here), (c.y2, there)):
                    assert s.wait(q).status == ABORTED
                c.expect(y1=[REGISTRATIONS], y2=[REGISTRATIONS])
            else:
                c.expect(y1=[CLEARED, REGISTRATIONS], y2=[CLEARED, REGISTRATIONS])
                assert host.is_waiting(here) and host.is_waiting(there)
            assert host.is_waiting(bystander)
            stuck.let_go()
            assert c.z1.wait(stuck.caw).status == GOOD
            assert c.z1.wait(bystander).status == GOOD
            assert tas or host.is_waiting(here) and host.is_waiting(there)
            assert lab.medium("alpha", LBA) == b"\x33" * 512
            ok(out(c.x1, CLEAR, rk=X))
            c.expect(z1=[PREEMPTED])
            set_tas(c, False)
            c.end()


def preempt_and_abort_of_who_does_nothing_clears_nothing(lab, host):
    c = Cast(lab, host)
    ok(out(c.x1, REGISTER, sark=X))
    ok(out(c.y2, REGISTER, sark=Y))
    ok(out(c.x1, PREEMPT_ABORT, rk=X, sark=Y))
    c.expect(y2=[REGISTRATIONS])
    # A plain PREEMPT leaves tasks alone.
    ok(out(c.y2, REGISTER, sark=Y))
    stuck = Stuck(lab, c)
    there = stuck.write(c.y2, 0x22)
    ok(out(c.x1, PREEMPT, rk=X, sark=Y))
    stuck.let_go()
    assert c.z1.wait(stuck.caw).status == GOOD
    a = c.y2.wait(there)  # it had waited, so the attention that came meanwhile is its answer
    assert (a.status, a.asc) == (CHECK, REGISTRATIONS), a
    assert lab.medium("alpha", LBA) == b"\xca" * 512
    c.end()


def a_logical_unit_reset_reaches_both_controllers_and_no_other_unit(lab, host):
    c, other = Cast(lab, host), Cast(lab, host, "beta", 2)
    ok(out(c.x1, REGISTER, sark=X))
    ok(out(other.x1, REGISTER, sark=X))
    stuck = Stuck(lab, c)
    here, there = stuck.write(c.y1, 0x11), stuck.write(c.y2, 0x22)
    before = lab.bus_received(1)
    reset = c.x2.start_tmf("lun-reset")
    # It waits for the command that is at the medium, at the other controller.
    lab.wait_bus_received(1, before)
    assert host.is_waiting(reset)
    stuck.let_go()
    assert c.x2.wait(reset).tmf == 0
    c.expect(**{n: [RESET] for n in c.all})
    other.expect()
    assert host.is_waiting(here) and host.is_waiting(there)
    assert lab.medium("alpha", LBA) in (stuck.before, b"\xca" * 512)
    assert pr.keys(c.y2) == [X]
    other.end()
    c.end()


def target_resets_reach_every_unit_of_both_controllers(lab, host):
    for function in ("warm-reset", "cold-reset"):
        c, other = Cast(lab, host), Cast(lab, host, "delta", 2)
        ok(c.y2.reserve())
        ok(other.x1.reserve())
        stays, beside = c.z1, other.z2
        assert c.x1.tmf(function).tmf == 0
        if function == "cold-reset":  # ends with the connection it came through
            hf.until(lambda: c.x1.tur().lost, "the connection to end")
            c.x1 = c.all["x1"] = host.open(lab.urls[1, "alpha"], "x")
            gone = {"x1": []}
        else:
            gone = {"x1": [RESET]}
        assert stays.reserve().asc == RESET and ok(stays.reserve())
        assert beside.reserve().asc == RESET and ok(beside.reserve())
        ok(stays.release()), ok(beside.release())
        want = {n: [RESET] for n in c.all if n not in ("z1", "x1")}
        want.update({n: a for n, a in gone.items() if a})
        c.expect(**want)
        other.expect(**{n: [RESET] for n in other.all if n != "z2"})
        other.end()
        c.end()


def aborts_of_ones_own_tasks_touch_nobody_elses(lab, host):
    """ABORT TASK, ABORT TASK SET, CLEAR TASK SET: task sets are per nexus (TST=001b)."""
    for function in ("abort-task", "abort-task-set", "clear-task-set"):
        c = Cast(lab, host)
        stuck = Stuck(lab, c)
        mine = stuck.write(c.y2, 0x11)
        theirs = [(s, stuck.write(s, 0x22)) for s in (c.y1, c.x1, c.x2)]
        a = c.y2.tmf(function, mine if function == "abort-task" else None)
        assert a.tmf == 0, a
        c.expect()
        stuck.let_go()
        assert c.z1.wait(stuck.caw).status == GOOD
        for s, q in theirs:
            assert s.wait(q).status == GOOD
        assert c.y2.tur().status == GOOD and host.is_waiting(mine)
        assert lab.medium("alpha", LBA) == b"\x22" * 512
        c.end()


def w5_a_reset_and_a_new_login_leave_no_reservation_behind(lab, host):
    c = Cast(lab, host)
    ok(c.x1.reserve())
    assert c.y2.tmf("lun-reset").tmf == 0
    c.expect(**{n: [RESET] for n in c.all})
    ok(c.y1.reserve()), ok(c.y1.release())
    ok(c.x1.reserve())
    c.x1.drop()
    c.x1 = c.all["x1"] = host.open(lab.urls[1, "alpha"], "x")
    ok(c.x1.reserve()), ok(c.x1.release())  # behind the loss of the login before
    c.end()


def the_operators_break_tells_every_registrant(lab, host):
    c = Cast(lab, host)
    ok(out(c.x1, REGISTER, sark=X))
    ok(out(c.y2, REGISTER, sark=Y))
    ok(out(c.x1, RESERVE, rk=X, kind=1))
    lab.tool(2, "reservation", "break", "alpha")
    c.expect(x1=[PREEMPTED], y2=[PREEMPTED])
    assert pr.keys(c.z1) == [] and pr.reservation(c.z2) is None
    c.end()


def start_lab(build):
    return hf.Lab(build, 15402, faults=True)


TESTS = [who_is_told_what_by_which_command, what_passes_without_a_word,
         a_conflict_comes_before_an_attention_and_leaves_it,
         preempt_and_abort_aborts_on_every_controller,
         preempt_and_abort_of_who_does_nothing_clears_nothing,
         a_logical_unit_reset_reaches_both_controllers_and_no_other_unit,
         target_resets_reach_every_unit_of_both_controllers,
         aborts_of_ones_own_tasks_touch_nobody_elses,
         w5_a_reset_and_a_new_login_leave_no_reservation_behind,
         the_operators_break_tells_every_registrant]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
