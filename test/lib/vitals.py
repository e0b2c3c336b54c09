# SPDX-License-Identifier: BSD-3-Clause
"""What a long run of a lab is judged by: resident memory at rest and at its peak, descriptors,
processor time. Vitals.rest() is called between two rounds, when nobody is logged in."""
import os
import pathlib
import resource
import time

import hf

TICKS = os.sysconf("SC_CLK_TCK")


def status_kib(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {field}")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def forget_peak(pid):
    """VmHWM counts from now on (proc(5), clear_refs)."""
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def median(values):
    return sorted(values)[len(values) // 2]


class Vitals:
    """share: of one core, for the lab and the test together, kept by pauses between rounds."""

    def __init__(self, lab, share=None):
        self.lab, self.share = lab, share
        self.began, self.seen = time.monotonic(), {}
        self.at_rest, self.peaks, self.open = {1: [], 2: []}, {1: [], 2: []}, {}

    def pid(self, n):
        return self.lab.state()["pids"][str(n)]

    def cpu_seconds(self):
        for pid in self.lab.state()["pids"].values():
            try:
                words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue  # counts as far as it has been seen
            self.seen[pid] = (int(words[11]) + int(words[12])) / TICKS
        both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(self.seen.values()) + sum(u.ru_utime + u.ru_stime for u in both)

    def pause(self):
        """So long that the share is kept; the daemons keep each other company meanwhile."""
        while self.share and self.cpu_seconds() > self.share * (time.monotonic() - self.began):
            time.sleep(0.2)

    def begin_round(self):
        for n in (1, 2):
            forget_peak(self.pid(n))

    def rest(self):
        """Every descriptor that the first round did not leave open is closed again."""
        for n in (1, 2):
            want = self.open.get(n)
            if want is None:
                self.open[n] = descriptors(self.pid(n))
            else:
                hf.until(lambda: descriptors(self.pid(n)) <= want,
                         f"controller {n} to have no more than {want} descriptors open")
            self.at_rest[n].append(status_kib(self.pid(n), "VmRSS"))
            self.peaks[n].append(status_kib(self.pid(n), "VmHWM"))
        return (f"resident at rest {[self.at_rest[n][-1] for n in (1, 2)]} KiB, "
                f"peak {[self.peaks[n][-1] for n in (1, 2)]} KiB, "
                f"descriptors {[self.open[n] for n in (1, 2)]}")

    def verdict(self):
        """Flat: at rest, the median of the last quarter of the rounds is at most a tenth above that
        of the first quarter. The first round brings in what is made with its first use."""
        for n in (1, 2):
            counted = self.at_rest[n][1:]
            quarter = len(counted) // 4
            if not quarter:
                return
            early, late = median(counted[:quarter]), median(counted[-quarter:])
            flat = late <= early * 1.1
            print(f"  controller {n}: {len(counted) + 1} rounds, resident at rest: first quarter "
                  f"{early} KiB, last quarter {late} KiB, largest {max(counted)} KiB; peak under "
                  f"load {max(self.peaks[n])} KiB; {self.open[n]} descriptors: "
                  f"{'flat' if flat else 'GROWN'}", flush=True)
            assert flat, f"controller {n} grew from {early} to {late} KiB"
        hours = time.monotonic() - self.began
        print(f"  {hours / 60:.1f} minutes, {self.cpu_seconds() / hours * 100:.0f} % of a core")
