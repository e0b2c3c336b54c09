#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What cluster software does, step by step, over both controllers: Windows failover clustering,
fence_scsi, mpathpersist, coordinator disks, VMware. Time does not pass here: the seconds at which a
defender looks are steps."""
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
import pr  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402
from pr import (APTPL, CLEAR, IGNORE, PREEMPT, PREEMPT_ABORT, REGISTER, RELEASE, RESERVE,  # noqa: E402
                conflicts, ok, out)

LBA = 64
ROUNDS = int(os.environ.get("HF_CLUSTER_ROUNDS", "40"))
DEVICES = ("alpha", "beta", "gamma", "delta")
isids = iter(range(1, 1000))


def retry(command):
    """As every initiator does: a unit attention is looked at, and the command sent again."""
    while (a := command()).status == CHECK and a.key == 6:
        pass
    return a


class Node:
    """A host with a path through each controller."""

    def __init__(self, lab, host, name, key, device="alpha"):
        self.lab, self.host, self.name, self.key, self.device = lab, host, name, key, device
        self.isid = next(isids)
        self.paths = [host.open(lab.urls[n, device], name, self.isid) for n in (1, 2)]

    def on_every_path(self, action, **words):
        for p in self.paths:
            ok(retry(lambda p=p: out(p, action, **words)))

    def do(self, action, path=0, **words):
        return retry(lambda: out(self.paths[path], action, rk=self.key, **words))

    def writes(self):
        """What each path says to a write."""
        return [retry(lambda p=p: p.write(LBA, self.key.to_bytes(8, "big") * 64)).status
                for p in self.paths]

    def keys(self, path=0):
        retry(self.paths[path].tur)
        return pr.keys(self.paths[path])

    def reservation(self, path=0):
        retry(self.paths[path].tur)
        return pr.reservation(self.paths[path])

    def reboots(self, new_isid=True):
        """Gone without a word, back with another session name, as Linux initiators do."""
        for p in self.paths:
            p.drop()
        if new_isid:
            self.isid = next(isids)
        self.paths = [self.host.open(self.lab.urls[n, self.device], self.name, self.isid)
                      for n in (1, 2)]

    def leave(self):
        for p in self.paths:
            p.close()


def wipe(lab, host, *devices):
    for device in devices:
        s = host.open(lab.urls[1, device], "wipe", next(isids))
        pr.wipe(s)
        s.close()


def nodes(lab, host, device="alpha"):
    wipe(lab, host, device)
    return (Node(lab, host, "node-a", 0xa000000000000001, device),
            Node(lab, host, "node-b", 0xb000000000000002, device))


# --- Windows failover clustering ---

def windows_validation(lab, host):
    """Register, reserve, preempt, release; clear, register, reserve; on several disks at once."""
    pairs = [nodes(lab, host, device) for device in DEVICES]
    for a, b in pairs:
        for n in (a, b):
            n.on_every_path(REGISTER, sark=n.key)
        assert a.keys() == b.keys(1) == sorted([a.key, b.key] * 2)
        ok(a.do(RESERVE, kind=5))
        ok(a.do(RESERVE, kind=5))  # again: GOOD
        conflicts(a.do(RESERVE, 1, kind=5))  # the other path is another nexus
        conflicts(b.do(RESERVE, kind=5))
        assert a.writes() == b.writes() == [GOOD, GOOD]  # registrants
    for a, b in pairs:
        ok(b.do(PREEMPT, 1, sark=a.key, kind=5))
        assert b.writes() == [GOOD, GOOD] and a.writes() == [CONFLICT, CONFLICT]
        assert b.keys() == [b.key] * 2
        conflicts(a.do(RESERVE, kind=5))
        ok(b.do(RELEASE, 1, kind=5))
        ok(retry(lambda: out(b.paths[0], IGNORE)))  # unregister as MS-CSVP says: key 0
        ok(retry(lambda: out(b.paths[1], IGNORE)))
        assert a.keys() == [] and a.writes() == [GOOD, GOOD]
    for a, b in pairs:
        b.on_every_path(IGNORE, sark=b.key)
        ok(b.do(CLEAR))
        assert b.keys(1) == []
        a.on_every_path(REGISTER, sark=a.key)
        ok(a.do(RESERVE, kind=5))
        # A reset of the unit takes neither registration nor reservation.
        assert b.paths[0].tmf("lun-reset").tmf == 0
        assert a.keys() == [a.key] * 2 and b.writes() == [CONFLICT, CONFLICT]
        ok(a.do(CLEAR))
    for pair in pairs:
        for n in pair:
            n.leave()


def windows_arbitration(lab, host):
    """The challenger adds its key and waits; the defender, who looks every three seconds, throws it
    out, or is gone and loses the disk."""
    a, b = nodes(lab, host)
    a.on_every_path(IGNORE, sark=a.key)
    ok(a.do(RESERVE, kind=5))
    for defended in range(3):
        b.on_every_path(IGNORE, sark=b.key)  # challenge
        conflicts(b.do(RESERVE, kind=5))
        if b.key in a.keys():  # three seconds later: the defender sees it
            ok(a.do(PREEMPT, sark=b.key, kind=5))
        conflicts(b.do(PREEMPT, sark=a.key, kind=5))  # six seconds later: too late
        assert b.keys() == [a.key] * 2 and b.writes() == [CONFLICT, CONFLICT]
        assert a.writes() == [GOOD, GOOD]
        ok(a.do(RESERVE, kind=5))  # the defender's repeat changes nothing
    for p in a.paths:
        p.drop()  # the defender has died
    b.on_every_path(IGNORE, sark=b.key)
    ok(b.do(PREEMPT, sark=a.key, kind=5))
    assert b.writes() == [GOOD, GOOD] and b.keys(1) == [b.key] * 2
    a = Node(lab, host, "node-a", a.key)  # comes back: is out until it registers again
    assert a.writes() == [CONFLICT, CONFLICT]
    ok(b.do(CLEAR))
    a.leave(), b.leave()


def both_arbitrate_at_once_and_one_wins(lab, host):
    a, b = nodes(lab, host)
    wins = {a: 0, b: 0}
    for i in range(ROUNDS):
        for n in (a, b):
            n.on_every_path(IGNORE, sark=n.key)
        first, second = (a, b) if i % 2 else (b, a)
        data = {n: n.key.to_bytes(8, "big") + (b if n is a else a).key.to_bytes(8, "big") + bytes(8)
                for n in (a, b)}
        action = (PREEMPT, PREEMPT_ABORT)[i // 2 % 2]
        started = [(n, n.paths[n is b].start(f"5f{action:02x}05000000000018" + "00", out=data[n]))
                   for n in (first, second)]
        answers = {n: n.paths[n is b].wait(q) for n, q in started}
        good = [n for n, r in answers.items() if r.status == GOOD]
        # Who came second finds its own key gone.
        assert len(good) == 1, answers
        winner, loser = good[0], b if good[0] is a else a
        wins[winner] += 1
        assert winner.keys() == loser.keys() == [winner.key] * 2
        ok(winner.do(RESERVE, 0 if winner is a else 1, kind=5))
        assert loser.writes() == [CONFLICT, CONFLICT] and winner.writes() == [GOOD, GOOD]
        ok(winner.do(CLEAR))
    print(f"  won by a: {wins[a]}, by b: {wins[b]}")
    a.leave(), b.leave()


# --- Linux: fence_scsi, fence_mpath, multipathd ---

def fence_scsi(lab, host):
    """Unfence: register on every path, reserve type 5 if nobody has. Fence: PREEMPT AND ABORT. A node
    that comes back with another ISID cleans up after itself."""
    a, b = nodes(lab, host)
    for n in (a, b):
        n.on_every_path(IGNORE, sark=n.key, flags=APTPL)
        if n.reservation() is None:
            ok(n.do(RESERVE, kind=5))
        assert n.keys().count(n.key) == n.keys(1).count(n.key) == 2
    assert a.writes() == b.writes() == [GOOD, GOOD]
    ok(b.do(PREEMPT_ABORT, 1, sark=a.key, kind=5))  # b fences a, who holds
    assert a.key not in b.keys() and b.reservation() == (b.key, 5)
    assert a.writes() == [CONFLICT, CONFLICT]
    a.reboots()
    a.on_every_path(IGNORE, sark=a.key, flags=APTPL)
    assert a.writes() == [GOOD, GOOD]
    # It crashes while registered: its old sessions' registrations stay behind.
    a.reboots()
    a.on_every_path(IGNORE, sark=a.key, flags=APTPL)
    assert a.keys().count(a.key) == 4
    ok(a.do(PREEMPT, sark=a.key, kind=5))  # its own key: all of them, this one too
    assert a.keys() == [b.key] * 2
    a.on_every_path(IGNORE, sark=a.key, flags=APTPL)
    assert a.keys().count(a.key) == 2 and a.writes() == [GOOD, GOOD]
    # The holder crashes and comes back: by its own key it takes the reservation over.
    b.reboots()
    b.on_every_path(IGNORE, sark=b.key, flags=APTPL)
    ok(b.do(PREEMPT, sark=b.key, kind=5))
    assert a.reservation(1) == (b.key, 5)
    assert sorted(a.keys()) == sorted([a.key] * 2 + [b.key])
    b.on_every_path(IGNORE, sark=b.key, flags=APTPL)
    assert b.writes() == [GOOD, GOOD]
    ok(b.do(CLEAR))
    a.leave(), b.leave()


def mpathpersist(lab, host):
    """One key on all paths; the reservation is held through one of them, which may be the one that
    dies."""
    a, b = nodes(lab, host)
    for n in (a, b):
        n.on_every_path(REGISTER, sark=n.key)
    ok(a.do(RESERVE, 0, kind=5))
    ok(a.do(RELEASE, 1, kind=5))  # from the other path: GOOD and no effect, by the standard
    assert b.reservation() == (a.key, 5)
    a.paths[0].drop()
    # From the live path it preempts itself, holds, releases, and registers the other one again.
    ok(a.do(PREEMPT, 1, sark=a.key, kind=5))
    assert sorted(b.keys()) == sorted([a.key] + [b.key] * 2)
    assert a.reservation(1) == (a.key, 5)
    ok(a.do(RELEASE, 1, kind=5))
    assert b.reservation(1) is None
    a.paths[0] = host.open(lab.urls[1, "alpha"], a.name, a.isid)
    ok(retry(lambda: out(a.paths[0], REGISTER, sark=a.key)))
    # A path that comes back with the name it had is registered still.
    ok(a.do(RESERVE, 1, kind=5))
    b.paths[1].drop()
    b.paths[1] = host.open(lab.urls[2, "alpha"], b.name, b.isid)
    assert b.writes() == [GOOD, GOOD]
    # A changed key on every path, path by path.
    new = a.key + 0x10
    for p in a.paths:
        ok(retry(lambda p=p: out(p, REGISTER, rk=a.key, sark=new)))
    a.key = new
    assert sorted(b.keys()) == sorted([new] * 2 + [b.key] * 2)
    assert b.reservation() == (new, 5)
    a.on_every_path(REGISTER, rk=new)
    assert b.keys() == [b.key] * 2 and b.reservation() is None
    ok(b.do(CLEAR))
    a.leave(), b.leave()


def coordinator_disks(lab, host):
    """Three disks, both sides race for most of them with PREEMPT AND ABORT; who gets fewer ends."""
    three = DEVICES[:3]
    dice = random.Random(3)
    for _ in range(ROUNDS // 5):
        sides = {}
        for device in three:
            a, b = nodes(lab, host, device)
            for n in (a, b):
                n.on_every_path(REGISTER, sark=n.key)
            ok((a if dice.random() < 0.5 else b).do(RESERVE, kind=5))
            sides[device] = (a, b)
        started = []
        for device in three:
            a, b = sides[device]
            for n, other in dice.sample([(a, b), (b, a)], 2):
                data = n.key.to_bytes(8, "big") + other.key.to_bytes(8, "big") + bytes(8)
                started.append((device, n, n.paths[n is b].start(
                    "5f05050000000000" + "1800", out=data)))
        won = {device: [] for device in three}
        for device, n, q in started:
            if n.paths[n is sides[device][1]].wait(q).status == GOOD:
                won[device].append(n)
        assert all(len(w) == 1 for w in won.values()), won
        for device in three:
            winner = won[device][0]
            loser = [n for n in sides[device] if n is not winner][0]
            assert winner.writes() == [GOOD, GOOD] and loser.writes() == [CONFLICT, CONFLICT]
            winner.leave(), loser.leave()
    wipe(lab, host, *three)


# --- VMware ---

def compare_and_write(session, old, new, lba=LBA):
    return retry(lambda: session.cdb(f"8900{lba:016x}000000010000", out=old + new))


def vmware_ats(lab, host):
    """Locks and heartbeats by COMPARE AND WRITE on one block; RESERVE(6) where a host has no ATS."""
    a, b = nodes(lab, host)
    free, mine, other = bytes(512), b"\xa1" * 512, b"\xb2" * 512
    ok(retry(lambda: a.paths[0].write(LBA, free)))
    for i in range(20):
        p, q = a.paths[i % 2], b.paths[i // 2 % 2]
        one = p.start(f"8900{LBA:016x}000000010000", out=free + mine)
        two = q.start(f"8900{LBA:016x}000000010000", out=free + other)
        answers = (p.wait(one), q.wait(two))
        while any(r.status == CHECK and r.key == 6 for r in answers):
            answers = (compare_and_write(p, free, mine), compare_and_write(q, free, other)) \
                if all(r.status == CHECK and r.key == 6 for r in answers) else answers
        assert sorted(r.status for r in answers) == [GOOD, CHECK], answers
        assert [r.asc for r in answers if r.status == CHECK] == [0x1D00]
        held = mine if answers[0].status == GOOD else other
        holder = p if held is mine else q
        beat = held[:511] + bytes([i])
        ok(compare_and_write(holder, held, beat))  # heartbeat
        assert compare_and_write(q if holder is p else p, free, other).asc == 0x1D00
        ok(compare_and_write(holder, beat, free))
    ok(retry(a.paths[0].reserve))
    assert b.writes() == [CONFLICT, CONFLICT]
    assert compare_and_write(b.paths[1], free, other).status == CONFLICT
    ok(a.paths[0].release())
    a.leave(), b.leave()


def vmware_clustered_vmdk(lab, host):
    """Type 7 beneath the guests' clusters: every registrant writes and locks; one may be thrown out."""
    a, b = nodes(lab, host)
    stranger = Node(lab, host, "node-c", 0xc000000000000003)
    for n in (a, b):
        n.on_every_path(REGISTER, sark=n.key)
        ok(n.do(RESERVE, kind=7))
        ok(n.do(RESERVE, 1, kind=7))
    assert stranger.reservation() == (0, 7)
    assert a.writes() == b.writes() == [GOOD, GOOD]
    assert stranger.writes() == [CONFLICT, CONFLICT]
    block = retry(lambda: stranger.paths[1].read(LBA)).data  # reads are for all
    for p in a.paths + b.paths:
        ok(compare_and_write(p, block, block))
    assert compare_and_write(stranger.paths[0], block, bytes(512)).status == CONFLICT
    # Reservations of SPC-2 do nothing for registrants and are refused to others (CRH).
    ok(retry(a.paths[0].reserve)), conflicts(retry(stranger.paths[0].reserve))
    assert b.writes() == [GOOD, GOOD]
    ok(b.do(PREEMPT_ABORT, 1, sark=a.key, kind=7))
    assert stranger.reservation(1) == (0, 7) and stranger.keys() == [b.key] * 2
    assert a.writes() == [CONFLICT, CONFLICT] and b.writes() == [GOOD, GOOD]
    assert compare_and_write(a.paths[0], block, bytes(512)).status == CONFLICT
    b.on_every_path(REGISTER, rk=b.key)  # the last registrants leave
    assert stranger.reservation() is None and stranger.writes() == [GOOD, GOOD]
    for n in (a, b, stranger):
        n.leave()


def start_lab(build):
    return hf.Lab(build, 15483, bus_options=hf.PATIENT)


TESTS = [windows_validation, windows_arbitration, both_arbitrate_at_once_and_one_wins, fence_scsi,
         mpathpersist, coordinator_disks, vmware_ats, vmware_clustered_vmdk]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
