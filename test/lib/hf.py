# SPDX-License-Identifier: BSD-3-Clause
"""For tests with real daemons and real initiators: Lab runs ./lab, Host holds sessions of one
process of hf-initiator, Session sends commands. Nothing here sleeps: every wait has an event and a
deadline."""
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 30

GOOD, CHECK, BUSY, CONFLICT, ABORTED = 0x00, 0x02, 0x08, 0x18, 0x40


def until(predicate, what):
    """Polls what has no event of its own: the state of a daemon."""
    end = time.monotonic() + DEADLINE
    while not predicate():
        assert time.monotonic() < end, f"gave up waiting for {what}"
        time.sleep(0.02)


def find_program(name):
    """Also where administrators' programs are, which are not on everybody's path."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


# For a laboratory whose controllers do not lose each other on purpose: nor do they when the machine
# stands still.
PATIENT = "silence-ms = 20000; bound-ms = 20000;"


class Lab:
    """One laboratory in a directory of its own, on ports of its own."""

    def __init__(self, build, port_base, **options):
        self.build = build
        # A watchdog's time is real: a disk that others are busy with must not take it.
        on = "/dev/shm" if options.get("fence") == "lease" and os.access("/dev/shm", os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix="hf-test-", dir=on)
        self.port_base = port_base
        words = ["up", "--port-base", str(port_base),
                 "--engine", os.environ.get("HF_TEST_ENGINE", "auto")]
        for k, v in options.items():
            words += ["--" + k.replace("_", "-")] + ([] if v is True else [str(v)])
        try:
            self.run(*words)
        except AssertionError:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise
        self.urls, self.where = {}, {}
        for line in self.run("urls").splitlines():
            n, device, url = line.split()
            self.urls[int(n), device] = url
        self.controllers = sorted({n for n, _ in self.urls})

    def run(self, *words, check=True):
        r = subprocess.run([sys.executable, str(ROOT / "lab"), "--dir", self.dir + "/lab", "--build",
                            self.build, *words], capture_output=True, text=True)
        if check and r.returncode:
            raise AssertionError(f"lab {' '.join(words)}: {r.stderr}{r.stdout}")
        return r.stdout

    def tool_words(self, n, *words):
        return [self.build + "/src/holdfast/holdfast", "--socket",
                self.state()["sockets"] + f"/{n}.sock", *words]

    def tool(self, n, *words, check=True):
        r = subprocess.run(self.tool_words(n, "--json", "--yes", *words), capture_output=True,
                           text=True)
        if check and r.returncode:
            raise AssertionError(f"holdfast {' '.join(words)}: {r.stderr}")
        return json.loads(r.stdout) if r.returncode == 0 and r.stdout.strip() else r

    def words(self, n, *words):
        """What the tool prints for people."""
        return subprocess.run(self.tool_words(n, *words), capture_output=True, text=True,
                              check=True).stdout

    def state(self):
        return json.loads(pathlib.Path(self.dir, "lab", "lab.json").read_text())

    def is_running(self, n):
        try:
            stat = pathlib.Path(f"/proc/{self.state()['pids'][str(n)]}/stat").read_text()
        except (OSError, KeyError):
            return False
        return stat.rsplit(")", 1)[1].split()[0] not in ("Z", "X")

    def kill(self, *controllers):
        """SIGKILL to those that run, at once; they are gone when it returns."""
        for n in controllers:
            if self.is_running(n):
                os.kill(self.state()["pids"][str(n)], signal.SIGKILL)
        for n in controllers:
            until(lambda n=n: not self.is_running(n), f"controller {n} to be gone")

    def fault(self, n, disk, rules=None, release=False):
        """Rules of the fault layer under a disk of controller n (a lab with faults=True)."""
        words = ["disk", "fault", disk]
        if rules is not None:
            words += ["--rules", rules]
        return self.tool(n, *words, *(["--release"] if release else []))

    def wait_hanging(self, n, disk, count=1):
        until(lambda: self.fault(n, disk)["hanging"] >= count, f"{count} requests to hang")

    def bus_received(self, n):
        """Messages of the reservation protocol that have come to a controller: how a test knows
        that an op of the other one is held here."""
        return self.tool(n, "status")["bus"]["op_messages_received"]

    def wait_bus_received(self, n, more_than):
        until(lambda: self.bus_received(n) > more_than, f"the bus to reach controller {n}")

    def view(self, n):
        return self.tool(n, "status")["view"]["state"]

    def wait_view(self, n, *states):
        until(lambda: self.view(n) in states, f"controller {n} to be {states}")

    def extents(self, device):
        """(file, offset, bytes) of each extent, to look at the medium behind the controllers."""
        files = dict(zip(("disk1", "disk2", "disk3"), self.state()["disks"]))
        for n in (1, 2):
            reply = self.tool(n, "device", "list", check=False)
            if isinstance(reply, dict):
                d = [d for d in reply["devices"] if d["name"] == device][0]
                return [(files[e["disk"]], e["offset_bytes"], e["size_bytes"])
                        for e in d["extents"]]
        raise AssertionError("no controller answers")

    def medium(self, device, lba, blocks=1, block=512):
        """Blocks of a linear device of one extent, as they are in the file; one that does not grow
        or move while the test runs."""
        if device not in self.where:
            self.where[device] = self.extents(device)[0]
        path, offset, size = self.where[device]
        assert (lba + blocks) * block <= size
        with open(path, "rb") as f:
            f.seek(offset + lba * block)
            return f.read(blocks * block)

    def sanitizer_words(self):
        """Ends the controllers in good order, when leaks are looked for, too; what was found."""
        with open(self.build + "/src/holdfastd/holdfastd", "rb") as f:
            if b"libasan" not in f.read():
                return ""
        for n in self.controllers:
            if self.is_running(n):
                self.run("resume", str(n), check=False)
                self.run("stop", str(n), check=False)
        words = ""
        for n in self.controllers:
            text = pathlib.Path(self.dir, "lab", f"{n}.log").read_text(errors="replace")
            at = min((i for w in ("Sanitizer", "runtime error") if (i := text.find(w)) >= 0),
                     default=-1)
            words += text[max(0, at - 200):at + 4000] if at >= 0 else ""
        return words

    def assertions(self):
        logs = [p.read_text(errors="replace") for p in pathlib.Path(self.dir, "lab").glob("*.log")]
        return "".join(line + "\n" for text in logs for line in text.splitlines()
                       if "assertion failed" in line)

    def down(self):
        self.run("down", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class Answer:
    def __init__(self, text):
        words = text.split()
        self.text = text
        self.lost = words[0] == "lost"
        self.tmf = int(words[1]) if words[0] == "tmf" else None
        self.status = None if self.lost or self.tmf is not None else int(words[0], 16)
        fields = dict(w.split("=", 1) for w in words[1:] if "=" in w)
        self.key = int(fields.get("key", "0"), 16)
        self.asc = int(fields.get("asc", "0"), 16)
        self.resid = int(fields.get("resid", "0"))
        self.data = bytes.fromhex(fields.get("data", ""))

    def __repr__(self):
        return self.text[:120]


class Host:
    """A process with any number of sessions; answers come in whatever order they complete."""

    def __init__(self, build):
        self.p = subprocess.Popen([build + "/test/lib/hf-initiator"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, bufsize=1)
        self.waiting = {}
        self.counter = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.p.stdout:
            name, _, rest = line.strip().partition(" ")
            with self.lock:
                q = self.waiting.pop(name, None)
            if q:
                q.put(rest)

    def say(self, line, name):
        q = queue.Queue()
        q.ident = name
        with self.lock:
            self.waiting[name] = q
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return q

    @staticmethod
    def is_waiting(q):
        """No answer has come yet. Never proof that none will: ask again after another event."""
        return q.empty()

    def take(self, q):
        return q.get(timeout=DEADLINE)

    def next_id(self):
        self.counter += 1
        return f"r{self.counter}"

    def open(self, url, name="x", isid=1):
        return Session(self, url, name, isid)

    def end(self):
        try:
            self.p.stdin.close()
        except BrokenPipeError:
            pass
        return self.p.wait()


class Session:
    names = 0

    def __init__(self, host, url, name, isid):
        Session.names += 1
        self.host = host
        self.isid = isid
        self.name = f"s{Session.names}"
        self.initiator = f"iqn.2026-01.com.example:host-{name}"
        reply = host.take(host.say(f"open {self.name} {url} {self.initiator} {isid}", self.name))
        assert reply == "ok", f"{url}: {reply}"
        # A new nexus is told 29/00 first.
        while True:
            a = self.cdb("000000000000")
            if a.status != CHECK or a.key != 6:
                break

    # --- any command ---

    def start(self, cdb, in_len=0, out=b""):
        ident = self.host.next_id()
        line = f"cdb {self.name} {ident} {cdb}"
        if in_len:
            line += f" in={in_len}"
        if out:
            line += f" out={out.hex()}"
        return self.host.say(line, ident)

    def wait(self, q):
        return Answer(self.host.take(q))

    def cdb(self, cdb, in_len=0, out=b""):
        return self.wait(self.start(cdb, in_len, out))

    def start_tmf(self, function, victim=None):
        """victim: what start() returned; for abort-task."""
        ident = self.host.next_id()
        words = f" {victim.ident}" if victim else ""
        return self.host.say(f"tmf {self.name} {ident} {function}{words}", ident)

    def tmf(self, function, victim=None):
        return self.wait(self.start_tmf(function, victim))

    def close(self):
        self.host.take(self.host.say(f"close {self.name}", self.name))

    def drop(self):
        self.host.take(self.host.say(f"drop {self.name}", self.name))

    # --- commands by name ---

    def tur(self):
        return self.cdb("000000000000")

    def read(self, lba, blocks=1, block=512):
        return self.cdb(f"2800{lba:08x}00{blocks:04x}00", in_len=blocks * block)

    def start_write(self, lba, data, block=512):
        return self.start(f"2a00{lba:08x}00{len(data) // block:04x}00", out=data)

    def write(self, lba, data, block=512):
        return self.wait(self.start_write(lba, data, block))

    def reserve(self):
        return self.cdb("160000000000")

    def release(self):
        return self.cdb("170000000000")

    def prin(self, action, in_len=512):
        return self.cdb(f"5e{action:02x}0000000000{in_len:04x}00", in_len=in_len)

    def keys(self):
        a = self.prin(0, 4096)
        assert a.status == GOOD, a
        n = int.from_bytes(a.data[4:8], "big") // 8
        return [int.from_bytes(a.data[8 + 8 * i:16 + 8 * i], "big") for i in range(n)]

    def prout(self, action, rk=0, sark=0, kind=0, flags=0):
        out = rk.to_bytes(8, "big") + sark.to_bytes(8, "big") + bytes(4) + bytes([flags]) + bytes(3)
        return self.cdb(f"5f{action:02x}{kind:02x}000000000018" + "00", out=out)


def race(x, y, rounds):
    """RESERVE(6) of both at once, so many times: exactly one wins. Returns how often which did."""
    wins = [0, 0]
    for i in range(rounds):
        first, second = (x, y) if i % 2 else (y, x)
        q1, q2 = first.start("160000000000"), second.start("160000000000")
        a1, a2 = first.wait(q1), second.wait(q2)
        assert {a1.status, a2.status} == {GOOD, CONFLICT}, (i, a1, a2)
        winner = first if a1.status == GOOD else second
        wins[winner is y] += 1
        assert winner.release().status == GOOD
    return wins


class Standstill(threading.Thread):
    """Notices when the machine stands still: what a test says of silences, leases and bounds means
    nothing then, for the controllers have lost each other for a reason that it did not make."""
    BEAT, LEAST, MEMORY = 0.05, 0.3, 3

    def __init__(self):
        super().__init__(daemon=True)
        self.ended, self.seconds = -1e9, 0
        self.start()

    def run(self):
        while True:
            began = time.monotonic()
            time.sleep(self.BEAT)
            late = time.monotonic() - began - self.BEAT
            if late > self.LEAST:
                self.ended, self.seconds = time.monotonic(), late

    def since(self, when):
        """Its length, if there was one since then or, for it takes a moment to find together again,
        a little before; else 0."""
        return self.seconds if self.ended > when - self.MEMORY else 0


TRIES = 4  # of a test that meets a standstill each time


def run_one(test, world, build):
    host = Host(build)
    try:
        test(world, host)
        return True
    except Exception:
        traceback.print_exc()
        return False
    finally:
        host.end()


class Stage:
    """The laboratory that tests are run in, and another one after a standstill."""

    def __init__(self, lab, build):
        self.lab, self.build, self.words, self.world = lab, build, "", None
        self.watch = Standstill()
        self.up()

    def up(self):
        for left in reversed(range(TRIES)):
            began = time.monotonic()
            try:
                self.world = self.lab(self.build) if self.lab else None
                return
            except AssertionError:
                if not self.watch.since(began) or not left:
                    raise
                traceback.print_exc()
                print("  the machine stood still: the laboratory is built again")

    def down(self, tell_logs):
        if not self.world:
            return
        if tell_logs:
            for log in sorted(pathlib.Path(self.world.dir, "lab").glob("*.log")):
                print(f"--- {log.name}\n" + log.read_text(errors="replace")[-4000:])
        self.words += self.world.sanitizer_words() + self.world.assertions()
        self.world.down()
        self.world = None

    def again(self):
        self.down(False)
        self.up()


def run_until_undisturbed(test, stage):
    for left in reversed(range(TRIES)):
        began = time.monotonic()
        if run_one(test, stage.world, stage.build):
            return True
        seconds = stage.watch.since(began)
        if not seconds or not left:
            return False
        print(f"  the machine stood still for {seconds:.1f} s: {test.__name__} is run again")
        stage.again()


def main(tests, lab=None, argv=sys.argv):
    """Runs the functions in order, each by name; exit status 1 when one failed."""
    build = argv[1]
    if not os.path.exists(build + "/test/lib/hf-initiator"):
        print("hf-initiator is not built")
        return 77
    failed = []
    stage = Stage(lab, build)
    only = argv[2:]
    try:
        for test in tests:
            if only and test.__name__ not in only:
                continue
            ok = run_until_undisturbed(test, stage)
            print(f"{'ok' if ok else 'not ok'} {test.__name__}", flush=True)
            if not ok:
                failed.append(test.__name__)
    finally:
        stage.down(failed)
        if stage.words:
            failed.append("the controllers themselves")
            print(stage.words)
    print(f"{len(tests) - len(failed)} of {len(tests)} passed")
    return 1 if failed else 0
