#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a network, a disk and a machine can do to a pair of controllers that serves: strangers on
every port, old handshakes, wrong keys, a thousand logins at once, hosts that stop in the middle,
disks that refuse metadata, limits on descriptors. While a host writes and reads, nothing of it fails
that host, both controllers live, and afterwards neither has grown. HF_MINUTES=n: all of it over and
over for so long (`make soak MINUTES=n`), with links that are cut and controllers that stand still
between; HF_SHARE=0.4: with pauses, so that it takes no more than so much of a core."""
import asyncio
import json
import os
import pathlib
import random
import resource
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
import vitals  # noqa: E402
from fences import settle  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402

PORTS = 15640
MINUTES = float(os.environ.get("HF_MINUTES", "0"))
SHARE = float(os.environ.get("HF_SHARE", "0"))
LOGINS = int(os.environ.get("HF_LOGINS", "1000"))
SEED = int(os.environ.get("HF_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
rng = random.Random(SEED)


def state(lab):
    return json.loads(pathlib.Path(lab.dir, "lab", "lab.json").read_text())


def pid(lab, n):
    return state(lab)["pids"][str(n)]


def has_ended(process):
    """Its sockets are closed, too."""
    try:
        stat = pathlib.Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] in ("Z", "X")


def iscsi_port(n):
    return PORTS + n


def bus_ports(lab, n):
    return [PORTS + 20 + 4 * n + k for k in range(state(lab)["links"])]


def all_ports(lab):
    return [p for n in (1, 2) for p in [iscsi_port(n), *bus_ports(lab, n)]]


def descriptors(lab, n):
    return vitals.descriptors(pid(lab, n))


class Load(threading.Thread):
    """A host that writes, reads back and reserves over both controllers, the whole time. Where the
    controllers did not hear each other for a second, on a busy machine, it asks again as hosts do."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.host = hf.Host(lab.build)
        self.sessions = [self.host.open(lab.urls[n, "delta"], f"load{n}") for n in (1, 2)]
        self.done, self.failed, self.rounds = threading.Event(), None, 0

    def run(self):
        try:
            while not self.done.is_set():
                data = os.urandom(4096)
                x, y = self.sessions if self.rounds % 2 else self.sessions[::-1]
                lba = self.rounds % 1000 * 8
                assert x.write(lba, data).status == GOOD
                assert y.read(lba, 8).data == data
                assert settle(x.reserve).status == GOOD
                assert y.write(lba, data).status == CONFLICT
                assert settle(x.release).status == GOOD
                self.rounds += 1
        except Exception as e:
            self.failed = e

    def progress(self):
        """Goes on, and well."""
        goal = self.rounds + 3
        hf.until(lambda: self.rounds >= goal or self.failed, "the host to go on")
        if self.failed:
            raise self.failed

    def end(self):
        self.done.set()
        self.join()
        self.host.end()
        if self.failed:
            raise self.failed


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), timeout=hf.DEADLINE)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def until_closed(s):
    """What the other side said until it ended the connection."""
    said = b""
    try:
        while chunk := s.recv(65536):
            said += chunk
    except ConnectionError:
        pass
    return said


def login_pdu(name, flags=0x83):
    keys = (f"InitiatorName={name}\0SessionType=Normal\0TargetName=iqn.2026-01.com.example:lab\0"
            "AuthMethod=None\0HeaderDigest=None\0DataDigest=None\0").encode()
    bhs = bytearray(48)
    bhs[0], bhs[1] = 0x43, flags
    bhs[5:8] = len(keys).to_bytes(3, "big")
    bhs[8] = 0x80
    bhs[9:14] = os.urandom(5)
    return bytes(bhs) + keys + bytes(-len(keys) % 4)


def read_cdb_pdu(tag, blocks):
    """READ (10) from LBA 0 of LUN 0."""
    bhs = bytearray(48)
    bhs[0], bhs[1] = 0x01, 0xC1
    bhs[16:20] = tag.to_bytes(4, "big")
    bhs[20:24] = (blocks * 512).to_bytes(4, "big")
    bhs[24:28] = (tag - 1).to_bytes(4, "big")  # CmdSN goes on where the login was
    bhs[32:42] = bytes([0x28, 0, 0, 0, 0, 0, 0, *blocks.to_bytes(2, "big"), 0])
    return bytes(bhs)


# --- strangers -------------------------------------------------------------------------------


def port_scans_and_garbage_end_nowhere(lab, load):
    for port in all_ports(lab):
        for _ in range(20):
            connect(port).close()
        for size in (1, 47, 48, 200, 5000, 100000):
            s = connect(port)
            try:
                s.sendall(rng.randbytes(size))
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            until_closed(s)
            s.close()
        for bytes_of_interest in (b"\x43\xff\xff\xff" + b"\xff" * 44, b"GET / HTTP/1.0\r\n\r\n",
                                  b"\x16\x03\x01\x40\x00\x01", b"\x16\x03\x01\x00\x00" * 100,
                                  login_pdu("x" * 60000)[:60000], b"\0" * 4096):
            s = connect(port)
            try:
                s.sendall(bytes_of_interest)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            until_closed(s)
            s.close()
    load.progress()


class Recorder:
    """In place of the relay: carries the bus and keeps what each side said first."""

    def __init__(self, lab):
        self.lab, self.heard = lab, {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(hf.DEADLINE)

    async def listen(self):
        self.servers = []
        for n in (1, 2):
            for k, port in enumerate(bus_ports(self.lab, n)):
                self.servers.append(await asyncio.start_server(
                    lambda r, w, port=port: self.carry(port, r, w), "127.0.0.1",
                    PORTS + 60 + 4 * n + k))

    async def carry(self, port, reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.pump(port, reader, to_writer), self.pump(None, to_reader, writer))

    async def pump(self, port, reader, writer):
        try:
            while data := await reader.read(65536):
                if port and len(self.heard.get(port, b"")) < 65536:
                    self.heard[port] = self.heard.get(port, b"") + data
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def end(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        for s in self.servers:
            s.close()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


def wait_together(lab):
    for n in (1, 2):
        hf.until(lambda: isinstance(r := lab.tool(n, "status", check=False), dict)
                 and r["view"]["state"] == "together", f"controller {n} to be together")


def a_recorded_handshake_of_the_bus_opens_nothing(lab, load):
    """All that one controller said to the other, TLS and all, said again by somebody else."""
    relay = state(lab)["pids"]["relay"]
    os.kill(relay, 9)
    hf.until(lambda: has_ended(relay), "the relay to end")
    recorder = Recorder(lab)
    try:
        hf.until(lambda: any(len(h) > 1000 for h in recorder.heard.values()), "a handshake")
        wait_together(lab)
        for port, said in list(recorder.heard.items()):
            for length in (len(said), len(said) // 2, 300):
                s = connect(port)
                try:
                    s.sendall(said[:length])
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                # It gets as far as the server's side of TLS and no further.
                answer = until_closed(s)
                assert len(answer) < 8192, len(answer)
                s.close()
        assert {lab.view(1), lab.view(2)} == {"together"}
    finally:
        recorder.end()
        run = subprocess.Popen([sys.executable, str(hf.ROOT / "lab"), "--dir", lab.dir + "/lab",
                                "relay"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
        s = state(lab)
        s["pids"]["relay"] = run.pid
        pathlib.Path(lab.dir, "lab", "lab.json").write_text(json.dumps(s))
    wait_together(lab)


def a_controller_with_another_key_does_not_get_in(lab, load):
    conf = pathlib.Path(lab.dir, "lab", "controller-2.conf")
    right = conf.read_text()
    key = state(lab)["key"]
    lab.run("stop", "2")
    conf.write_text(right.replace(key, key[::-1]))
    lab.run("start", "2")
    x = hf.Host(lab.build)
    s = x.open(lab.urls[1, "alpha"], "x")
    log = pathlib.Path(lab.dir, "lab", "2.log")
    hf.until(lambda: "key" in log.read_text()[-4000:] or "TLS" in log.read_text()[-4000:],
             "controller 2 to say what is wrong")
    assert lab.view(2) != "together" and lab.view(1) == "alone"
    assert s.reserve().status == GOOD and s.release().status == GOOD
    lab.run("stop", "2")
    conf.write_text(right)
    lab.run("start", "2")
    wait_together(lab)
    x.end()


# --- hosts -----------------------------------------------------------------------------------


async def one_login(n, i, ret):
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", iscsi_port(n))
        writer.write(login_pdu(f"iqn.2026-01.com.example:many-{i}"))
        answer = await asyncio.wait_for(reader.readexactly(48), hf.DEADLINE)
        ret.append((answer[0], answer[36]))
        return writer
    except (OSError, asyncio.IncompleteReadError):
        ret.append((None, None))
        return None


def a_thousand_logins_at_once(lab, load):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    before = [descriptors(lab, n) for n in (1, 2)]

    async def all_at_once():
        answers = []
        writers = await asyncio.gather(*(one_login(1 + i % 2, i, answers) for i in range(LOGINS)))
        good = sum(a == (0x23, 0) for a in answers)
        # Who is not let in is told so, or has no connection; nobody is left without an answer.
        assert all(a[0] in (0x23, None) for a in answers), answers
        load.progress()
        for w in writers:
            if w:
                w.close()
        return good
    good = asyncio.run(all_at_once())
    assert good >= LOGINS * 9 // 10, good
    for i, n in enumerate((1, 2)):
        hf.until(lambda: descriptors(lab, n) <= before[i] + 2, f"controller {n} to let go of all")
    print(f"  {good} of {LOGINS} logged in at once")
    load.progress()


def hosts_that_stop_in_the_middle_hold_nobody_up(lab, load):
    held = []
    for n in (1, 2):
        for cut in (0, 1, 20, 48, 60):
            s = connect(iscsi_port(n))
            s.sendall(login_pdu("iqn.2026-01.com.example:half")[:cut])
            held.append(s)
        s = connect(iscsi_port(n))
        s.sendall(login_pdu("iqn.2026-01.com.example:quiet"))
        assert s.recv(48, socket.MSG_WAITALL)[36] == 0
        s.sendall(read_cdb_pdu(1, 8)[:30])
        held.append(s)
    load.progress()
    for s in held:
        s.close()


def slow_readers_hold_nobody_up(lab, load):
    """Asks for far more than a socket takes and reads none of it; then reads some, then goes."""
    held = []
    for n in (1, 2):
        for i in range(8):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", iscsi_port(n)))
            s.sendall(login_pdu(f"iqn.2026-01.com.example:slow-{i}"))
            head = s.recv(48, socket.MSG_WAITALL)
            assert head[36] == 0
            s.recv(-(-int.from_bytes(head[5:8], "big") // 4) * 4, socket.MSG_WAITALL)
            s.sendall(b"".join(read_cdb_pdu(tag, 2048) for tag in range(1, 17)))
            held.append(s)
    load.progress()
    for s in held:
        s.recv(10000)
    load.progress()
    for s in held:
        s.close()


# --- disks and limits -------------------------------------------------------------------------


def metadata_that_cannot_be_written_changes_nothing(lab, load):
    host = hf.Host(lab.build)
    x, y = (host.open(lab.urls[n, "alpha"], f"meta{n}") for n in (1, 2))
    aptpl = 1

    def register(key, old=0):
        while (a := x.prout(0, rk=old, sark=key, flags=aptpl)).status == CHECK and a.key == 6:
            pass
        return a
    assert register(0x51).status == GOOD
    for error in (rng.choice(("EIO", "ENOSPC")),):
        rules = f"op=write,at=1M-64M,error={error}"
        lab.fault(1, "disk1", rules)
        assert register(0x52, 0x51).status == GOOD  # two of three have it
        for disk in ("disk2",):
            lab.fault(1, disk, rules)
        a = register(0x53, 0x52)
        assert a.status == CHECK or a.lost, a
        for disk in ("disk1", "disk2"):
            lab.fault(1, disk, "none")
        # In doubt or undone; either way both controllers say the same, and go on.
        if a.lost:
            x.close()
            x = host.open(lab.urls[1, "alpha"], "meta1")

        def keys_agree():
            k = [s.prin(0, 512) for s in (x, y)]
            return k[0].status == GOOD and k[0].data == k[1].data and k[0].data[15] in (0x52, 0x53)
        hf.until(keys_agree, "both controllers to agree")
        now = x.keys()[0]
        assert register(0x51, now).status == GOOD
    assert register(0, 0x51).status == GOOD
    host.end()


def refused_without_spinning(lab, n):
    """What cannot be accepted is tried again now and then: so many complaints are in the log as
    pauses fit into the time, not as turns of a loop do."""
    log = pathlib.Path(lab.dir, "lab", f"{n}.log")

    def complaints():
        return log.read_text(errors="replace").count("could not be accepted")
    before, began = complaints(), time.monotonic()
    hf.until(lambda: complaints() >= before + 3, "three tries")
    assert complaints() - before <= (time.monotonic() - began) * 10 + 4


def a_controller_without_descriptors_serves_whom_it_has(lab, load):
    for n in (1, 2):
        soft, hard = resource.prlimit(pid(lab, n), resource.RLIMIT_NOFILE)
        resource.prlimit(pid(lab, n), resource.RLIMIT_NOFILE, (descriptors(lab, n) + 3, hard))
        try:
            crowd = [connect(iscsi_port(n)) for _ in range(20)]
            load.progress()
            refused_without_spinning(lab, n)
            for s in crowd:
                s.close()
            load.progress()
        finally:
            resource.prlimit(pid(lab, n), resource.RLIMIT_NOFILE, (soft, hard))
        host = hf.Host(lab.build)  # accepts again
        host.open(lab.urls[n, "beta"], "after").close()
        host.end()


def one_link_of_two_is_enough(lab, load):
    for link in (0, 1):
        lab.run("cut", "--link", str(link))
        load.progress()
        lab.run("heal")
        load.progress()


def silence_and_standstill_pass(lab, load):
    lab.run("cut")
    for n in (1, 2):
        lab.wait_view(n, "frozen")
    lab.run("heal")
    wait_together(lab)
    n = rng.choice((1, 2))
    lab.run("pause", str(n))
    lab.wait_view(3 - n, "frozen")
    lab.run("resume", str(n))
    wait_together(lab)


def a_controller_without_memory_serves_whom_it_has(lab, load):
    """Addresses run out in the middle of a crowd: who comes is turned away, who is there is served."""
    for n in (1, 2):
        p = pid(lab, n)
        if "san.so" in pathlib.Path(f"/proc/{p}/maps").read_text():
            return  # a sanitizer lives on addresses
        soft, hard = resource.prlimit(p, resource.RLIMIT_AS)
        size = vitals.status_kib(p, "VmSize") << 10
        resource.prlimit(p, resource.RLIMIT_AS, (size + (4 << 20), hard))
        try:
            answers = []

            async def crowd():
                writers = await asyncio.gather(*(one_login(n, i, answers) for i in range(100)))
                load.progress()
                for w in writers:
                    if w:
                        w.close()
            asyncio.run(crowd())
            good = sum(a == (0x23, 0) for a in answers)
            assert good < 100, "the limit was not felt"
            load.progress()
        finally:
            resource.prlimit(p, resource.RLIMIT_AS, (soft, hard))
        host = hf.Host(lab.build)  # lets in again
        host.open(lab.urls[n, "beta"], "after").close()
        host.end()


UNDER_LOAD = [port_scans_and_garbage_end_nowhere, a_recorded_handshake_of_the_bus_opens_nothing,
              a_thousand_logins_at_once, hosts_that_stop_in_the_middle_hold_nobody_up,
              slow_readers_hold_nobody_up, a_controller_without_descriptors_serves_whom_it_has,
              a_controller_without_memory_serves_whom_it_has]
ALONE = [metadata_that_cannot_be_written_changes_nothing]
if MINUTES:  # tests of their own have the short form
    UNDER_LOAD.append(one_link_of_two_is_enough)
    ALONE.append(silence_and_standstill_pass)


def alive(lab, pids):
    for n in (1, 2):
        if n in pids:
            assert pathlib.Path(f"/proc/{pids[n]}/cmdline").read_bytes(), f"controller {n} is gone"
        log = pathlib.Path(lab.dir, "lab", f"{n}.log").read_text(errors="replace")
        assert "assertion failed" not in log and "Sanitizer" not in log, log[-3000:]


def run_one(test, lab, load, pids):
    began = time.monotonic()
    test(lab, load)
    alive(lab, pids)
    print(f"  ok {test.__name__} {time.monotonic() - began:.1f} s", flush=True)


def one_round(lab):
    pids = {n: pid(lab, n) for n in (1, 2)}
    load = Load(lab)
    load.start()
    for test in UNDER_LOAD:
        run_one(test, lab, load, pids)
    load.end()
    for test in ALONE:
        run_one(test, lab, None, pids)
    return load.rounds


def faults_of_every_kind_under_load(lab, host):
    print(f"  seed {SEED}")
    watch = vitals.Vitals(lab, SHARE)
    rounds, steps = 0, 0
    while True:
        watch.begin_round()
        steps += one_round(lab)
        rounds += 1
        print(f"  round {rounds}: {watch.rest()}", flush=True)
        if time.monotonic() >= watch.began + MINUTES * 60:
            break
        watch.pause()
    watch.verdict()
    print(f"  {rounds} rounds, {steps} times a record written, read back, reserved and refused")
    a_controller_with_another_key_does_not_get_in(lab, None)
    alive(lab, {})


if __name__ == "__main__":
    sys.exit(hf.main([faults_of_every_kind_under_load],
                     lambda build: hf.Lab(build, PORTS, faults=True)))
