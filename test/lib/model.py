# SPDX-License-Identifier: BSD-3-Clause
"""A second opinion on persistent reservations, for real sessions: one nexus at a time, rules written
down from SPC-4 (5.12, 6.16) without a look at src/resv. Knows who is told what."""
import collections

import pr
from pr import CLEAR, IGNORE, PREEMPT, PREEMPT_ABORT, REGISTER, RELEASE, RESERVE

RC, GOOD = "conflict", "good"


class Model:
    def __init__(self):
        self.keys = {}  # nexus: key
        self.type, self.holder = 0, None
        self.generation = 0
        self.told = collections.defaultdict(list)

    def holds(self, nexus):
        return nexus in self.keys and (self.type in pr.ALL_HOLD or self.holder == nexus)

    def tell(self, nexuses, asc, by):
        for n in nexuses:
            if n != by:
                self.told[n].append(asc)

    def free(self):
        self.type, self.holder = 0, None

    def drop(self, gone):
        """Removes registrations; what is held ends with its holder, or with the last of all."""
        for n in gone:
            del self.keys[n]
        if self.type in pr.ALL_HOLD and not self.keys or self.holder in gone:
            self.free()

    def register(self, by, rk, sark, ignore):
        if not ignore and rk != self.keys.get(by, 0):
            return RC
        if sark:
            self.keys[by] = sark
        elif by in self.keys:
            kind, held = self.type, self.holds(by)
            self.drop([by])
            if held and kind in pr.REGISTRANTS and not self.type:
                self.tell(self.keys, pr.RELEASED, by)
        return GOOD

    def reserve(self, by, kind):
        if not self.type:
            self.type, self.holder = kind, None if kind in pr.ALL_HOLD else by
            return GOOD
        return GOOD if self.holds(by) and self.type == kind else RC

    def release(self, by, kind):
        if not self.type or not self.holds(by):
            return GOOD
        if self.type != kind:
            return 0x2604
        if kind in pr.REGISTRANTS:
            self.tell(self.keys, pr.RELEASED, by)
        self.free()
        return GOOD

    def clear(self, by):
        self.tell(self.keys, pr.PREEMPTED, by)
        self.keys = {}
        self.free()
        return GOOD

    def preempt(self, by, sark, kind):
        if self.type in pr.ALL_HOLD and not sark:
            victims = [n for n in self.keys if n != by]
        elif not sark:
            return 0x2600
        elif self.holder and self.keys[self.holder] == sark:
            victims = [n for n, k in self.keys.items() if k == sark and n != by]
        else:
            victims = [n for n, k in self.keys.items() if k == sark]
            if not victims:
                return RC
            self.tell(victims, pr.REGISTRATIONS, by)
            self.drop(victims)
            return GOOD
        self.tell(victims, pr.REGISTRATIONS, by)
        old = self.type
        self.free()
        self.drop(victims)
        self.type, self.holder = kind, None if kind in pr.ALL_HOLD else by
        if kind != old:
            self.tell(self.keys, pr.RELEASED, by)
        return GOOD

    def do(self, by, action, rk, sark, kind):
        if action in (REGISTER, IGNORE):
            result = self.register(by, rk, sark, action == IGNORE)
        elif self.keys.get(by) != rk or not rk:
            return RC
        elif action == RESERVE:
            result = self.reserve(by, kind)
        elif action == RELEASE:
            result = self.release(by, kind)
        elif action == CLEAR:
            result = self.clear(by)
        else:
            assert action in (PREEMPT, PREEMPT_ABORT)
            result = self.preempt(by, sark, kind)
        if result == GOOD and action not in (RESERVE, RELEASE):
            self.generation += 1
        return result

    def may(self, nexus, write):
        if not self.type or self.holds(nexus):
            return True
        if nexus in self.keys and self.type in pr.REGISTRANTS:
            return True
        return not write and self.type not in pr.EXCLUSIVE
