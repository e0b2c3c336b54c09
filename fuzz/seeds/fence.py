# SPDX-License-Identifier: BSD-3-Clause
"""Races, leases and jobs of persistent reservations, as fuzz/fence_fuzz.c reads them."""
from struct import pack

RACE, LEASE, JOB = b"\x03", b"\x04", b"\x05"
FAILS, NOTHING, CUT, IS = 0, 1, 2, 3  # how a read ends
WRITTEN, NOT_WRITTEN = b"\x01", b"\x00"


def start(epoch, overrule=0):
    return bytes([epoch - 1, overrule])


def part(epoch=0, number=0, mbal=0, bal=0, value=0, how=IS):
    """number: of the round"""
    return pack(">BBBHHB", how, epoch, number, mbal, bal, value)


def nothing():
    return bytes([NOTHING])


def race(*steps, controller=1):
    """What follows the first timer, which finds no race: a start, and what the disks say."""
    return RACE + bytes([controller - 1]) + b"".join(steps) + b"\x00"


def races():
    alone = start(3) + nothing() + WRITTEN + nothing() + WRITTEN + nothing()
    ahead = part(3, 0, 0x302)
    return {
        "race-won": race(alone),
        "race-won-by-2": race(alone, controller=2),
        "race-asked-again": race(alone, alone),
        "race-lost": race(start(3), nothing(), WRITTEN, part(3, 0, 0x102, 0x102, 2), WRITTEN,
                          part(3, 0, 0x102, 0x102, 2)),
        "race-waits": race(start(3), nothing(), WRITTEN, ahead, WRITTEN, nothing(), WRITTEN,
                           nothing()),
        "race-overtaken-late": race(start(3), nothing(), WRITTEN, nothing(), WRITTEN, ahead,
                                    WRITTEN),
        "race-over": race(start(2), part(5), start(2), nothing(), WRITTEN, part(5)),
        "race-of-before": race(start(3), part(2, 1, 0x101, 0x101, 1), WRITTEN, part(2, 0, 0x102)),
        "race-overruled": race(start(3, 1), part(3, 0, 0x201, 0x102, 2), WRITTEN, nothing(),
                               WRITTEN, nothing()),
        "race-other-overrules": race(start(3), nothing(), WRITTEN, part(3, 1, 0x102), WRITTEN,
                                     nothing()),
        "race-no-disk": race(start(3), bytes([FAILS])),
        "race-part-cut": race(start(3), part(3, how=CUT)),
        "race-not-written": race(start(3), nothing(), NOT_WRITTEN, start(3), nothing(), WRITTEN,
                                 nothing(), NOT_WRITTEN),
    }


TICK, DONE, LATER = 2, 10, 0xf0  # a tick, or the end of what is out; with time that passes
TOO_SOON = 3  # a tick, whatever is out


def fence(ids):
    return bytes([0, ids])


def end():
    return b"\x01\x00\x00"


def lose():
    return b"\x01\x01\x00"


def clear(epoch):
    return b"\x01\x02" + bytes([epoch])


def record(incarnation, counter, clear_epoch=0, what=DONE):
    return bytes([what, incarnation << 3 | IS, counter, clear_epoch])


def renew(*rest):
    return bytes([TICK, DONE]) + b"".join(rest)


def lease(*steps):
    """The incarnations of controllers 2 to 4 are 1."""
    return LEASE + bytes(3) + b"".join(steps) + b"\x02"


def leases():
    seen = b"".join(renew(record(1, 1)) for _ in range(3))
    late = renew(record(1, 1, what=DONE | LATER))
    return {
        "lease-renewed": lease(seen, seen),
        "lease-not-renewed": lease(bytes([TICK, TICK]), record(1, 1)),
        "lease-runs-out": lease(seen, fence(4), late, late, late),
        "lease-renewed-while-fenced": lease(seen, fence(4), late, renew(record(1, 2)), late, late),
        "lease-given-up": lease(seen, fence(4), renew(record(1, 1, 3))),
        "lease-of-another-incarnation": lease(seen, fence(4), renew(record(2, 1)),
                                              renew(record(2, 1, what=DONE | LATER))),
        "lease-of-two": lease(seen, fence(12), late, late, late, late, late),
        "lease-fence-ended": lease(seen, fence(4), renew(record(1, 1)), end(), renew()),
        "lease-read-before": lease(bytes([TICK, DONE]), fence(4), record(1, 1, 7), late),
        "lease-not-read": lease(fence(4), bytes([TICK, DONE, DONE, FAILS, TICK, DONE, DONE, NOTHING])),
        "lease-busy": lease(bytes([TICK, TOO_SOON, DONE, TOO_SOON]), record(1, 1)),
        "lease-lost": lease(seen, lose(), bytes([TICK]), record(1, 1), clear(3), renew()),
    }


ENTER, FENCE, LOOK, LEAVE = range(4)
GOOD, BROKEN, CONFLICT, UNKNOWN = range(4)


def key(controller, incarnation=0):
    return controller | incarnation << 3


def answer(result, *keys):
    return bytes([8 * len(keys) << 3 & 0xf8 | result]) + bytes(keys) + bytes(4 - len(keys))


def types(mask=0x80, known=1, result=GOOD):
    return bytes([known << 3 | result]) + bytes(4) + bytes([mask])


def job(kind, *answers, spare=0):
    return JOB + bytes([kind, 0, spare]) + b"".join(answers)


def jobs():
    good, own, other = answer(GOOD), key(1), key(2, 1)
    return {
        "job-enter": job(ENTER, types(), good, answer(CONFLICT), good),
        "job-enter-forgetful": job(ENTER, types(mask=0), answer(UNKNOWN), good, answer(CONFLICT),
                                   good),
        "job-enter-no-type-8": job(ENTER, types(known=0)),
        "job-enter-unknown": job(ENTER, types(result=UNKNOWN)),
        "job-enter-broken": job(ENTER, types(result=BROKEN)),
        "job-enter-refused": job(ENTER, types(), answer(UNKNOWN), answer(UNKNOWN)),
        "job-enter-register-fails": job(ENTER, types(), answer(BROKEN)),
        "job-enter-no-abort": job(ENTER, types(), good, good),
        "job-enter-abort-fails": job(ENTER, types(), good, answer(BROKEN)),
        "job-fence": job(FENCE, answer(GOOD, own, other), good, answer(GOOD, own), good),
        "job-fence-spares": job(FENCE, answer(GOOD, own, other, key(3)), good,
                                answer(GOOD, own, key(3)), good, spare=8),
        "job-fence-lost": job(FENCE, answer(GOOD, other)),
        "job-fence-preempt-conflicts": job(FENCE, answer(GOOD, own, other), answer(CONFLICT),
                                           answer(GOOD, other)),
        "job-fence-preempt-fails": job(FENCE, answer(GOOD, own, other), answer(BROKEN)),
        "job-fence-not-read": job(FENCE, answer(BROKEN)),
        "job-fence-for-ever": job(FENCE, *[answer(GOOD, own, other), good] * 70),
        "job-look": job(LOOK, answer(GOOD, other, own)),
        "job-look-nobody": job(LOOK, answer(GOOD)),
        "job-look-lost": job(LOOK, answer(GOOD, other)),
        "job-leave": job(LEAVE, good),
        "job-abandoned": job(FENCE, b"\xff" + bytes(4)),
    }


def seeds():
    return {**races(), **leases(), **jobs()}
