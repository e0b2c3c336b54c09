#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""INV-4 with a slow disk: what takes access away through controller 1 is answered only when the
victim's write, held up in the disk of controller 2, has landed or died; and after that GOOD nothing
of the victim reaches the medium, which is read behind the controllers' backs.

HF_INV4_ROUNDS makes the last test, victims that write all the time, longer (make soak)."""
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
import pr  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402
from pr import CLEAR, IGNORE, PREEMPT, PREEMPT_ABORT, REGISTER, RESERVE, ok, out  # noqa: E402

ROUNDS = int(os.environ.get("HF_INV4_ROUNDS", "12"))
SEED = int(os.environ.get("HF_SEED", "0")) or random.SystemRandom().getrandbits(32)
X, Y = 0x1111, 0x2222
LBA, WRITTEN = 2048, b"\xee" * 512


class Scene:
    """x at controller 1 takes away what y at controller 2 has; z looks on."""

    def __init__(self, lab, host):
        self.lab, self.host = lab, host
        self.x, self.z1 = (host.open(lab.urls[1, "alpha"], n) for n in ("x", "z"))
        self.y, self.z2 = (host.open(lab.urls[2, "alpha"], n) for n in ("y", "z"))
        self.all = (self.x, self.y, self.z1, self.z2)
        pr.wipe(*self.all)
        ok(self.x.write(LBA, bytes(512)))
        _, offset, _ = lab.extents("alpha")[0]
        self.at = f"at={offset + LBA * 512}-{offset + LBA * 512 + 512}"

    def medium(self):
        return self.lab.medium("alpha", LBA)

    def end(self):
        for n in (1, 2):
            self.lab.fault(n, "disk1", "none", release=True)
        pr.wipe(*self.all)
        for s in self.all:
            s.close()


def start_out(session, action, rk, sark=0, kind=0):
    data = rk.to_bytes(8, "big") + sark.to_bytes(8, "big") + bytes(8)
    return session.start(f"5f{action:02x}{kind:02x}000000000018" + "00", out=data)


def start_move(session, rk, sark, rtpi, to):
    data = rk.to_bytes(8, "big") + sark.to_bytes(8, "big") + bytes(2) + rtpi.to_bytes(2, "big") + \
        len(to).to_bytes(4, "big") + to
    return session.start(f"5f07000000{len(data):08x}00", out=data)


def takers():
    """(name, what comes before, the command that takes y's access away, what restores)."""
    def nothing(s):
        pass

    def registered(s):
        ok(out(s.x, REGISTER, sark=X))

    def y_holds(kind):
        def prepare(s):
            registered(s)
            ok(out(s.y, REGISTER, sark=Y))
            ok(out(s.y, RESERVE, rk=Y, kind=kind))
        return prepare

    yield "RESERVE(6)", nothing, lambda s: s.x.start("160000000000")
    yield "RESERVE(10)", nothing, lambda s: s.x.start("56" + "00" * 9)
    for kind in pr.TYPES:
        yield f"RESERVE type {kind}", registered, lambda s, k=kind: start_out(s.x, RESERVE, X, kind=k)
    for kind in pr.TYPES:
        sark = 0 if kind in pr.ALL_HOLD else Y
        for action in (PREEMPT, PREEMPT_ABORT):
            yield (f"{'PREEMPT' if action == PREEMPT else 'PREEMPT AND ABORT'} of type {kind}",
                   y_holds(kind), lambda s, a=action, k=sark: start_out(s.x, a, X, k, 1))
    yield "PREEMPT AND ABORT, removes only", lambda s: (
        registered(s), ok(out(s.y, REGISTER, sark=Y))), \
        lambda s: start_out(s.x, PREEMPT_ABORT, X, Y)
    yield "CLEAR then RESERVE", y_holds(1), lambda s: (
        ok(out(s.x, CLEAR, rk=X)), ok(out(s.x, REGISTER, sark=X)),
        start_out(s.x, RESERVE, X, kind=1))[-1]
    yield "LOGICAL UNIT RESET", nothing, lambda s: s.x.start_tmf("lun-reset")
    yield "TARGET WARM RESET", nothing, lambda s: s.x.start_tmf("warm-reset")


def waits_for_the_write(s, start, fault, release):
    """The write is held up; the command that takes access away waits for it, whatever goes by."""
    s.lab.fault(2, "disk1", f"op=write,{s.at},count=1,{fault}")
    write = s.y.start_write(LBA, WRITTEN)
    s.lab.wait_hanging(2, "disk1")
    before = s.lab.bus_received(2)
    taking = start(s)
    s.lab.wait_bus_received(2, before)
    for _ in range(10):  # others' commands go on, and the answer does not come
        assert s.z1.cdb("120000002400", in_len=36).status == GOOD
        assert s.z2.cdb("120000002400", in_len=36).status == GOOD
        assert s.host.is_waiting(taking) and s.host.is_waiting(write)
    release()
    return taking, write


def inv4_the_answer_waits_for_the_victims_write(lab, host):
    for i, (name, prepare, start) in enumerate(takers()):
        fault = ("hang", "hang-late")[i % 2]  # before the device has it; when it is there
        s = Scene(lab, host)
        prepare(s)
        taking, write = waits_for_the_write(
            s, start, fault, lambda: lab.fault(2, "disk1", "none", release=True))
        a = s.x.wait(taking)
        assert a.status == GOOD or a.tmf == 0, (name, a)
        at_good = s.medium()
        assert at_good == WRITTEN, name  # landed before, so it is there
        # What the host is told of its write; nothing where a reset aborted it.
        if a.tmf is None:
            assert s.y.wait(write).status == GOOD, name
        if "RESET" not in name and "removes only" not in name:
            for byte in range(8):
                a = s.y.write(LBA, bytes([byte]) * 512)
                assert a.status == CONFLICT or a.status == CHECK and a.key == 6, (name, a)
                assert s.medium() == at_good, name
        s.x.release()
        s.end()


def inv4_a_write_that_dies_lets_the_command_go(lab, host):
    for name, prepare, start in list(takers())[::5]:
        s = Scene(lab, host)
        prepare(s)
        taking, write = waits_for_the_write(
            s, start, "error=EIO,hang-late", lambda: lab.fault(2, "disk1", "none", release=True))
        a = s.x.wait(taking)
        assert a.status == GOOD or a.tmf == 0, (name, a)
        if a.tmf is None:
            a = s.y.wait(write)
            assert (a.status, a.key) == (CHECK, 3), (name, a)
        assert s.medium() == bytes(512), name
        s.x.release()
        s.end()


def inv4_the_sender_of_a_move_is_a_victim_too(lab, host):
    """REGISTER AND MOVE takes the access of its own sender, at its own controller."""
    s = Scene(lab, host)
    ok(out(s.x, REGISTER, sark=X))
    ok(out(s.x, RESERVE, rk=X, kind=3))
    lab.fault(1, "disk1", f"op=write,{s.at},count=1,hang")
    write = s.x.start_write(LBA, WRITTEN)
    lab.wait_hanging(1, "disk1")
    before = lab.bus_received(2)
    moving = start_move(s.x, X, Y, 2, pr.tid(s.y))
    lab.wait_bus_received(2, before)
    assert s.z1.cdb("120000002400", in_len=36).status == GOOD and host.is_waiting(moving)
    lab.fault(1, "disk1", "none", release=True)
    assert s.x.wait(moving).status == GOOD and s.medium() == WRITTEN
    assert s.x.wait(write).status == GOOD and s.x.read(LBA).status == CONFLICT
    assert s.y.write(LBA, bytes(512)).status == GOOD
    s.end()


def s6_what_takes_nothing_away_waits_for_nobody(lab, host):
    s = Scene(lab, host)
    ok(out(s.y, REGISTER, sark=Y))
    lab.fault(2, "disk1", f"op=write,{s.at},count=1,hang")
    write = s.y.start_write(LBA, WRITTEN)
    lab.wait_hanging(2, "disk1")
    ok(out(s.x, REGISTER, sark=X))
    ok(out(s.x, RESERVE, rk=X, kind=5))  # y is a registrant: keeps its access
    ok(out(s.x, IGNORE, sark=Y))
    assert pr.keys(s.z2) == [Y, Y] and host.is_waiting(write)
    lab.fault(2, "disk1", "none", release=True)
    assert s.y.wait(write).status == GOOD
    s.end()


def inv7_a_drain_that_does_not_end_fails_the_command_and_changes_nothing(lab, host):
    s = Scene(lab, host)
    ok(out(s.x, REGISTER, sark=X))
    ok(out(s.y, REGISTER, sark=Y))
    ok(out(s.y, RESERVE, rk=Y, kind=3))
    g = pr.generation(s.z1)
    lab.fault(2, "disk1", f"op=write,{s.at},count=1,hang")
    write = s.y.start_write(LBA, WRITTEN)
    lab.wait_hanging(2, "disk1")
    a = out(s.x, PREEMPT_ABORT, rk=X, sark=Y, kind=3)  # until the bound for waiting
    assert (a.status, a.key) == (CHECK, 4), a
    assert host.is_waiting(write)
    for z in (s.z1, s.z2):
        assert pr.reservation(z) == (Y, 3) and pr.keys(z) == [X, Y] and pr.generation(z) == g
    assert s.y.write(LBA + 1, WRITTEN).status == GOOD  # told of nothing, still the holder
    assert s.x.write(LBA + 1, WRITTEN).status == CONFLICT
    lab.fault(2, "disk1", "none", release=True)
    assert s.y.wait(write).status == GOOD and s.medium() == WRITTEN
    ok(out(s.x, PREEMPT_ABORT, rk=X, sark=Y, kind=3))
    assert s.y.write(LBA, bytes(512)).status == CONFLICT and s.medium() == WRITTEN
    s.end()


def inv4_nothing_lands_after_good_while_victims_write_all_the_time(lab, host):
    dice = random.Random(SEED)
    print(f"  seed {SEED}, {ROUNDS} rounds; HF_SEED, HF_INV4_ROUNDS")
    x = host.open(lab.urls[1, "alpha"], "x")
    victims = [host.open(lab.urls[1 + i % 2, "alpha"], f"v{i}") for i in range(4)]
    pr.wipe(x, *victims)
    for n in (1, 2):
        lab.fault(n, "disk1", f"op=write,p=0.4,seed={dice.getrandbits(30)},delay=3ms")
    stamp, landed = 0, 0
    for round_ in range(ROUNDS):
        kind = dice.choice(pr.TYPES)
        ok(out(x, IGNORE, sark=X))
        for v in victims:
            pr.attentions_of_any_kind(v)
            ok(out(v, IGNORE, sark=Y))
        ok(out(victims[0], RESERVE, rk=Y, kind=dice.choice((5, 6))))
        writes = []
        for depth in range(dice.randint(1, 6)):
            for i, v in enumerate(victims):
                stamp += 1
                writes.append((v, v.start_write(LBA + 8 * i + depth, stamp.to_bytes(8, "big") * 64)))
        action = dice.choice((PREEMPT, PREEMPT_ABORT))
        a = out(x, action, rk=X, sark=Y, kind=kind)
        at_good = lab.medium("alpha", LBA, 32)
        ok(a)
        for i, v in enumerate(victims):  # and go on writing, without a right to it
            stamp += 1
            writes.append((v, v.start_write(LBA + 8 * i + 7, stamp.to_bytes(8, "big") * 64)))
        for v in victims:  # these come behind the writes
            pr.attentions_of_any_kind(v)
        for n in (1, 2):
            hf.until(lambda n=n: lab.fault(n, "disk1")["out"] == 0, "the disk to be idle")
        done = [v.wait(q) for v, q in writes if not host.is_waiting(q)]
        landed += sum(a.status == GOOD for a in done)
        assert lab.medium("alpha", LBA, 32) == at_good, f"seed {SEED} round {round_}"
        ok(x.write(LBA, bytes(32 * 512)))
        ok(out(x, CLEAR, rk=X))
    print(f"  {stamp} writes, {landed} landed before the GOOD that forbade the others")
    assert landed
    for n in (1, 2):
        lab.fault(n, "disk1", "none")
    for s in (x, *victims):
        pr.attentions_of_any_kind(s)
        s.close()


def start_lab(build):
    return hf.Lab(build, 15412, faults=True, loops=2)


TESTS = [inv4_the_answer_waits_for_the_victims_write, inv4_a_write_that_dies_lets_the_command_go,
         inv4_the_sender_of_a_move_is_a_victim_too, s6_what_takes_nothing_away_waits_for_nobody,
         inv7_a_drain_that_does_not_end_fails_the_command_and_changes_nothing,
         inv4_nothing_lands_after_good_while_victims_write_all_the_time]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
