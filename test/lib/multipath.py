# SPDX-License-Identifier: BSD-3-Clause
"""A host with two paths, as dm-multipath is one: a command goes out on one path; when that path
fails or says nothing for a while, it goes out again on the other. A path that failed is tried again
in the background. Made of hf.Host, one process per path, so that a path that hangs hangs alone."""
import queue
import threading
import time

import hf

PATH_TIMEOUT = 2.0  # a command without an answer for so long: the path has failed
SECTOR = 512


class Path:
    def __init__(self, build, url, initiator, isid):
        self.build, self.url, self.initiator, self.isid = build, url, initiator, isid
        self.session = None
        self.ended = threading.Event()
        self.wanted = threading.Event()  # the session is to be had again
        self.wanted.set()
        self.thread = threading.Thread(target=self.keep, daemon=True)
        self.thread.start()

    def connect(self):
        """A new process and a session in it; None when the controller is not there in time."""
        host = hf.Host(self.build)
        host.take = lambda q: q.get(timeout=PATH_TIMEOUT)
        try:
            return hf.Session(host, self.url, self.initiator, self.isid)
        except (AssertionError, queue.Empty):
            host.p.kill()
            host.p.wait()
            return None

    def keep(self):
        while not self.ended.is_set():
            self.wanted.wait(0.2)
            if self.wanted.is_set() and not self.ended.is_set():
                self.session = self.connect()
                if self.session:
                    self.wanted.clear()
                else:
                    self.ended.wait(0.1)

    def fail(self, session):
        """The connection is given up at once; what it carried may still be carried out."""
        if self.session is session:
            self.session = None
            session.host.p.kill()
            session.host.p.wait()
            self.wanted.set()

    def end(self):
        self.ended.set()
        self.thread.join()
        if self.session:
            self.session.host.end()


class Multipath:
    def __init__(self, build, urls, initiator):
        self.paths = [Path(build, url, initiator, i + 1) for i, url in enumerate(urls)]
        self.active = 0
        self.failovers = 0
        self.silences = 0  # commands that were given up after PATH_TIMEOUT

    def wait_paths(self):
        hf.until(lambda: all(p.session for p in self.paths), "both paths")

    def command(self, start, seconds=hf.DEADLINE):
        """start(session) -> what Session.start() returns. The answer, once a path has given one that
        is no unit attention and no NOT READY; an assertion when none did in time."""
        end = time.monotonic() + seconds
        last = None
        while time.monotonic() < end:
            path = self.paths[self.active]
            session = path.session
            answer = None
            if session:
                try:
                    answer = hf.Answer(start(session).get(timeout=PATH_TIMEOUT))
                except queue.Empty:
                    self.silences += 1
                except OSError:
                    pass
                if answer is None or answer.lost:
                    path.fail(session)
                elif answer.status == hf.CHECK and answer.key == 6:
                    continue
                elif answer.status != hf.BUSY and not (answer.status == hf.CHECK
                                                       and answer.key == 2):
                    return answer
                last = answer
            self.active = 1 - self.active
            self.failovers += 1
            if not self.paths[self.active].session or answer is not None:
                time.sleep(0.02)  # a path that is there but not ready is asked again, not stormed
        raise AssertionError(f"no path took the command for {seconds} s; last: {last}")

    def each(self, start):
        """The same command on every path; for registrations. What all answered."""
        self.wait_paths()
        answers = []
        for i in range(len(self.paths)):
            self.active = i
            answers.append(self.command(start))
        return answers

    def write(self, lba, data):
        return self.command(lambda s: s.start_write(lba, data))

    def read(self, lba, blocks):
        return self.command(lambda s: s.start(f"2800{lba:08x}00{blocks:04x}00",
                                              in_len=blocks * SECTOR))

    def end(self):
        for p in self.paths:
            p.end()
