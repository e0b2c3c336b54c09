# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks measure: Holdfast, tgt, and the floors, each started on given processors with
its files in a directory on tmpfs, and the load client that is turned on them."""
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

IQN = "iqn.2026-01.com.example:bench"
MIB = 1 << 20
CPUS = sorted(os.sched_getaffinity(0))
TARGET_CPU, CLIENT_CPU = CPUS[0], CPUS[-1]
DEADLINE = 60


class BenchError(Exception):
    pass


def pinned(cpus):
    def pin():
        os.sched_setaffinity(0, cpus)
    return pin


def wait_for(what, predicate):
    end = time.monotonic() + DEADLINE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise BenchError(f"gave up after {DEADLINE} s waiting for {what}")
        time.sleep(0.01)


class Bench:
    """Directory, ports, programs."""

    def __init__(self, build, port_base):
        self.build = pathlib.Path(build).resolve()
        parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hf-bench-", dir=parent))
        self.next_port = port_base
        self.rigs = []

    def port(self):
        self.next_port += 1
        return self.next_port

    def program(self, path):
        p = self.build / path
        if not p.exists():
            raise BenchError(f"{p} is not there; build first")
        return str(p)

    def close(self):
        for rig in reversed(self.rigs):
            rig.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def load(self, rig, op="read", cpu=CLIENT_CPU, **options):
        """One run of the client; returns its report. A trailing _ in a name is dropped."""
        argv = [self.program("bench/hf-load"), "--op", op]
        for a in rig.addresses:
            argv += ["--address", a]
        if rig.target:
            argv += ["--target", rig.target, "--lun", str(rig.lun)]
        for pid in rig.pids():
            argv += ["--watch", str(pid)]
        for k, v in options.items():
            k = "--" + k.rstrip("_").replace("_", "-")
            argv += [k] if v is True else [] if v is False else [k, str(v)]
        r = subprocess.run(argv, capture_output=True, text=True, preexec_fn=pinned({cpu}))
        if r.returncode:
            raise BenchError(f"{' '.join(argv)}: {r.returncode}\n"
                             f"{(r.stderr or r.stdout).strip()}")
        return json.loads(r.stdout)


class Rig:
    target = None
    lun = 0

    def __init__(self, bench, name):
        self.bench = bench
        self.name = name
        self.addresses = []
        self.processes = []
        bench.rigs.append(self)

    def spawn(self, argv, cpu, wait_ready=False, env=None):
        log = open(self.bench.dir / f"{self.name}-{len(self.processes)}.log", "ab")
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log,
                             stdout=subprocess.PIPE if wait_ready else log, env=env,
                             preexec_fn=pinned({cpu}))
        self.processes.append(p)
        if wait_ready and not p.stdout.readline():
            raise BenchError(f"{argv[0]} did not start, see {log.name}")
        return p

    def pids(self):
        return [p.pid for p in self.processes]

    def stop(self):
        for p in self.processes:
            p.terminate()
        for p in self.processes:
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.processes = []

    def close(self):
        self.stop()


class Echo(Rig):
    """Data out of nowhere, or, with size_mib, out of a file like Holdfast's."""

    def __init__(self, bench, size_mib=0):
        super().__init__(bench, "echo-file" if size_mib else "echo")
        port = bench.port()
        self.addresses = [f"127.0.0.1:{port}"]
        argv = [bench.program("bench/hf-floor"), "echo", str(port)]
        if size_mib:
            path = bench.dir / "echo.img"
            fill(path, size_mib)
            argv.append(str(path))
        self.spawn(argv, TARGET_CPU, True)


class Chain(Rig):
    """host -> controller 1 -> controller 2 -> controller 1 -> host; both_ways: and the other way
    round from controller 2."""

    def __init__(self, bench, poll=False, both_ways=False):
        super().__init__(bench, "chain")
        for cpus in [(TARGET_CPU, CLIENT_CPU), (CLIENT_CPU, TARGET_CPU)][:1 + both_ways]:
            port, peer = bench.port(), bench.port()
            floor = bench.program("bench/hf-floor")
            self.spawn([floor, "peer", str(peer)], cpus[1], True)
            self.spawn([floor, "node", str(port), str(peer)] + (["poll"] if poll else []), cpus[0],
                       True)
            self.addresses.append(f"127.0.0.1:{port}")


class Tgt(Rig):
    """tgt with its aio backing store."""
    target = IQN + "-tgt"
    lun = 1

    def __init__(self, bench, size_mib=256):
        super().__init__(bench, "tgt")
        if not shutil.which("tgtd"):
            raise BenchError("tgtd is not installed: scripts/bootstrap")
        port, control = bench.port(), bench.port()
        self.env = dict(os.environ, TGT_IPC_SOCKET=str(bench.dir / "tgt.ipc"))
        self.control = str(control % 32768)
        path = bench.dir / "tgt.img"
        fill(path, size_mib)
        self.spawn(["tgtd", "-f", "-C", self.control, "--iscsi", f"portal=127.0.0.1:{port}"],
                   TARGET_CPU, env=self.env)
        wait_for("tgtd", lambda: not self.admin("--op", "show", "--mode", "target").returncode)
        self.must("--op", "new", "--mode", "target", "--tid", "1", "-T", self.target)
        self.must("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b",
                  str(path), "--bstype", "aio")
        self.must("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
        # What we offer ourselves, for a fair comparison.
        for key, value in (("MaxRecvDataSegmentLength", 262144), ("FirstBurstLength", 262144),
                           ("MaxBurstLength", 1048576), ("InitialR2T", "No")):
            self.must("--op", "update", "--mode", "target", "--tid", "1", "--name", key,
                      "--value", str(value))
        self.addresses = [f"127.0.0.1:{port}"]

    def stop(self):
        for p in self.processes:
            p.kill()  # it ends at its leisure otherwise
        super().stop()

    def admin(self, *words):
        return subprocess.run(["tgtadm", "-C", self.control, "--lld", "iscsi", *words],
                              capture_output=True, text=True, env=self.env)

    def must(self, *words):
        r = self.admin(*words)
        if r.returncode:
            raise BenchError(f"tgtadm {' '.join(words)}: {r.stderr.strip()}")


def fill(path, size_mib):
    """A file with every page there, so that no run pays for making them."""
    block = os.urandom(MIB)
    with open(path, "wb") as f:
        for _ in range(size_mib):
            f.write(block)


class Holdfast(Rig):
    """One controller, or a pair whose bus is not slowed by anything."""
    target = IQN

    def __init__(self, bench, name="holdfast", controllers=1, devices=1, size_mib=256, loops=1,
                 busy_poll_us=0, cpus=None, extra="", wrapper=()):
        super().__init__(bench, name)
        self.wrapper = [w.replace("%d", str(bench.dir)) for w in wrapper]
        self.controllers = controllers
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=bench.dir))
        self.sockets = tempfile.mkdtemp(prefix="hf-bench-")
        self.cpus = cpus or [{TARGET_CPU}, {CLIENT_CPU}]
        self.options = f"loops = {loops};\nbusy-poll-us = {busy_poll_us};\n{extra}\n"
        self.disk = self.dir / "disk.img"
        fill(self.disk, size_mib + 200)
        # A sixteenth of a voting disk is for reservations, 128 KiB for each device.
        os.truncate(self.disk, max(size_mib + 200, 2 * devices + 300) * MIB)
        self.run("disk", "init", str(self.disk), "--cluster", "bench", "--name", "disk",
                 "--voting", "--force", "--yes")
        self.write_config()
        self.ready_seconds = self.start()
        each = size_mib * MIB // devices // MIB * MIB or MIB
        for i in range(devices):
            self.tool(1, "device", "create", f"dev{i}", "--size", str(each), "--disk", "disk",
                      "--lun", str(i))
        for n in range(1, controllers + 1):
            wait_for("the devices", lambda n=n: len(
                self.tool(n, "device", "list")["devices"]) == devices)

    def run(self, *words):
        r = subprocess.run([self.bench.program("src/holdfast/holdfast"), *words],
                           capture_output=True, text=True)
        if r.returncode:
            raise BenchError(f"holdfast {' '.join(words)}: {r.stderr.strip()}")
        return r.stdout

    def tool(self, n, *words):
        out = self.run("--json", "--yes", "--socket", f"{self.sockets}/{n}.sock", *words)
        return json.loads(out) if out.strip() else None

    def write_config(self):
        rows = []
        key = secrets.token_hex(32)
        for c in range(1, self.controllers + 1):
            portal, bus = (f"127.0.0.1:{self.bench.port()}" for _ in range(2))
            self.addresses.append(portal)
            row = f'{{ id = {c}; name = "c{c}"; portals = [ "{portal}" ];'
            rows.append(row + (f' bus = [ "{bus}" ]; }}' if self.controllers > 1 else " }"))
        for c in range(1, self.controllers + 1):
            path = self.dir / f"{c}.conf"
            path.touch(mode=0o600)
            path.write_text(
                f'cluster = "bench";\ncontroller = {c};\ntarget = "{IQN}";\n'
                f'controllers = ( {", ".join(rows)} );\ndisks = [ "{self.disk}" ];\n'
                f"auth = {{ allow-none = true; }};\n{self.options}"
                f'control-socket = "{self.sockets}/{c}.sock";\n'
                + (f'bus = {{ key = "{key}"; silence-ms = 20000; bound-ms = 60000; }};\n' if self.controllers > 1 else ""))

    def start(self):
        began = time.monotonic()
        for c in range(1, self.controllers + 1):
            wrapper = [w.replace("%n", str(c)) for w in self.wrapper]
            p = self.spawn([*wrapper, self.bench.program("src/holdfastd/holdfastd"), "-c",
                            str(self.dir / f"{c}.conf")], CPUS[0])
            os.sched_setaffinity(p.pid, self.cpus[c - 1])
        want = "together" if self.controllers > 1 else "alone"

        def serves(c):
            if any(p.poll() is not None for p in self.processes):
                log = (self.bench.dir / f"{self.name}-{c - 1}.log").read_text(errors="replace")
                raise BenchError(f"holdfastd ended at once:\n{log[-2000:]}")
            try:
                return self.tool(c, "status")["view"]["state"] == want
            except BenchError:
                return False
        for c in range(1, self.controllers + 1):
            wait_for(f"controller {c}", lambda c=c: serves(c))
        return time.monotonic() - began

    def close(self):
        super().close()
        shutil.rmtree(self.sockets, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)
