#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""R7: logical devices on a third controller (Debian's tgtd) with several LUNs of its own, which both
controllers reach over the network as initiators. Device epsilon is linear over LUNs 1 and 2, zeta a
slice of LUN 2 beside it, eta striped over LUN 3 and a file."""
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402

RACES = int(os.environ.get("HF_RACES", "100"))
DEVICES = ("epsilon", "zeta", "eta")
BLOCK = 512


def state(lab):
    return json.loads(pathlib.Path(lab.dir, "lab", "lab.json").read_text())


def lun_url(lab, lun):
    third = state(lab)["third"]
    return f"iscsi://127.0.0.1:{third['port']}/{third['iqn']}/{lun}"


def initiators(lab):
    """Names that are logged in at the third controller, a name per session."""
    s = state(lab)
    out = subprocess.run([hf.find_program("tgtadm"), "-C", str(s["third"]["port"]), "--lld", "iscsi", "--op", "show",
                          "--mode", "target"], capture_output=True, text=True, check=True,
                         env=dict(os.environ, TGT_IPC_SOCKET=s["sockets"] + "/tgt")).stdout
    return re.findall(r"Initiator: (\S+)", out)


def log(lab, n):
    return pathlib.Path(lab.dir, "lab", f"{n}.log").read_text(errors="replace")


def extents(lab, device):
    d = [d for d in lab.tool(1, "device", "list")["devices"] if d["name"] == device][0]
    return d["extents"]


def pair(lab, host, device="epsilon"):
    isid = 10 + DEVICES.index(device)  # a session per device, side by side
    return host.open(lab.urls[1, device], "x", isid), host.open(lab.urls[2, device], "y", isid)


def until_good(command):
    """Repeats a command past unit attentions and NOT READY."""
    answers = []

    def good():
        answers[:] = [command()]
        assert not answers[0].lost and answers[0].status in (GOOD, CHECK), answers
        return answers[0].status == GOOD
    hf.until(good, "GOOD")
    return answers[0]


def r7_both_controllers_reach_the_luns_as_initiators(lab, host):
    prefix = "iqn.2026-01.invalid.holdfast:lab:"
    names = [n for n in initiators(lab) if n.startswith(prefix)]
    assert sorted(names) == [prefix + "1"] * 3 + [prefix + "2"] * 3, names
    for n in (1, 2):
        disks = {d["name"] for d in lab.tool(n, "disk", "list")["disks"]}
        assert {"third1", "third2", "third3"} <= disks, disks


def r7_several_devices_lie_on_several_luns_and_files(lab, host):
    where = {d: [e["disk"] for e in extents(lab, d)] for d in DEVICES}
    assert set(where["epsilon"]) == {"third1", "third2"}, where
    assert set(where["zeta"]) == {"third2"}, where
    assert set(where["eta"]) == {"third3", "disk3"}, where


def r7_what_one_controller_writes_the_other_reads(lab, host):
    for device in DEVICES:
        x, y = pair(lab, host, device)
        last = int.from_bytes(x.cdb("25000000000000000000", in_len=8).data[:4], "big")
        border = extents(lab, device)[0]["size_bytes"] // BLOCK  # where the next extent begins
        for lba in (0, 3, min(border - 100, last - 255), last - 255):
            data = os.urandom(256 * BLOCK)
            assert x.write(lba, data).status == GOOD
            assert y.read(lba, 256).data == data, (device, lba)
        x.close(), y.close()


def r7_the_data_are_on_the_lun_itself(lab, host):
    x = host.open(lab.urls[1, "epsilon"], "x")
    e = extents(lab, "epsilon")
    data = os.urandom(64 * BLOCK)
    at = e[0]["size_bytes"] // BLOCK - 32  # half on the first LUN, half on the second
    assert x.write(at, data).status == GOOD
    for n, half in ((0, data[:32 * BLOCK]), (1, data[32 * BLOCK:])):
        direct = host.open(lun_url(lab, int(e[n]["disk"][-1])), "stranger")
        lba = e[n]["offset_bytes"] // BLOCK + (e[n]["size_bytes"] // BLOCK - 32 if n == 0 else 0)
        assert direct.read(lba, 32).data == half
        direct.close()
    x.close()


def r7_a_reservation_holds_on_the_other_controller(lab, host):
    for device in DEVICES:
        x, y = pair(lab, host, device)
        assert x.write(5, b"\x11" * BLOCK).status == GOOD
        assert x.reserve().status == GOOD
        assert y.reserve().status == CONFLICT
        assert y.write(5, b"\x22" * BLOCK).status == CONFLICT
        assert y.read(5).status == CONFLICT
        assert x.read(5).data == b"\x11" * BLOCK
        assert x.release().status == GOOD
        assert y.reserve().status == GOOD
        assert x.write(5, b"\x33" * BLOCK).status == CONFLICT
        assert y.release().status == GOOD
        assert x.read(5).data == b"\x11" * BLOCK
        x.close(), y.close()


def nothing_is_reserved_at_the_third(lab, host):
    """A stranger, straight at the LUNs: reads, writes, and finds neither reservation nor key."""
    for lun in (1, 2, 3):
        direct = host.open(lun_url(lab, lun), "stranger")
        last = int.from_bytes(direct.cdb("25000000000000000000", in_len=8).data[:4], "big")
        old = direct.read(last)  # behind the last extent
        assert old.status == GOOD
        assert direct.write(last, old.data).status == GOOD
        assert direct.prin(0, 8).data[4:8] == bytes(4)  # READ KEYS
        assert direct.prin(1, 8).data[4:8] == bytes(4)  # READ RESERVATION
        assert direct.reserve().status == GOOD  # it is free to be reserved
        assert direct.release().status == GOOD
        direct.close()


def r7_it_reserves_neither_the_lun_nor_the_neighbours(lab, host):
    x, y = pair(lab, host)
    neighbours = [host.open(lab.urls[2, d], "y", isid)
                  for isid, d in enumerate(("zeta", "eta", "gamma"), 2)]
    nothing_is_reserved_at_the_third(lab, host)
    for take, leave in ((x.reserve, x.release),
                        (lambda: x.prout(0, sark=7) and x.prout(1, rk=7, kind=3),
                         lambda: x.prout(3, rk=7))):
        assert take().status == GOOD
        assert y.write(0, bytes(BLOCK)).status == CONFLICT
        for n in neighbours:
            assert (a := n.write(0, b"\xab" * BLOCK)).status == GOOD, a
            assert n.reserve().status == GOOD
            assert n.release().status == GOOD
        nothing_is_reserved_at_the_third(lab, host)
        assert leave().status == GOOD
        assert until_good(lambda: y.write(0, bytes(BLOCK))).status == GOOD
    for s in (x, y, *neighbours):
        s.close()


def r7_races_have_exactly_one_winner(lab, host):
    x, y = pair(lab, host)
    wins = hf.race(x, y, RACES)
    print(f"  {RACES} races, won through controller 1: {wins[0]}, 2: {wins[1]}")
    x.close(), y.close()


def both_have_noticed(lab, before):
    hf.until(lambda: all(log(lab, n).count("the session has ended") >= before[n] + 3
                         for n in (1, 2)), "both controllers to notice")


def r7_a_restart_of_the_third_is_no_error_at_the_hosts(lab, host):
    for how in ("kill", "pause"):
        sessions = [(s, d) for d in DEVICES for s in pair(lab, host, d)]
        lost = {n: log(lab, n).count("the session has ended") for n in (1, 2)}
        if how == "pause":
            lab.run("third", "pause")
        waiting = []
        for k, (s, _) in enumerate(sessions):  # each session its own blocks
            for i in range(8):
                data = bytes([k * 16 + i]) * (32 * BLOCK)
                lba = (k % 2) * 4096 + i * 64
                waiting.append((s, lba, data, s.start_write(lba, data)))
        lab.run("third", "kill")
        both_have_noticed(lab, lost)
        for n in (1, 2):
            assert [d["name"] for d in lab.tool(n, "disk", "list")["disks"] if "why" in d] == [
                "third1", "third2", "third3"]
        lab.run("third", "start")
        for s, lba, data, q in waiting:
            a = s.wait(q)
            assert a.status == GOOD, (how, lba, a)
        for s, lba, data, _ in waiting:
            assert s.read(lba, 32).data == data, (how, lba)
        for s, _ in sessions:
            s.close()


def w17_a_preemption_waits_for_what_is_at_the_third(lab, host):
    """X's write is with the third controller, which does not answer. While it may land, Y's
    PREEMPT must not succeed, be it that the connection is lost or not."""
    x, y = pair(lab, host)
    assert x.prout(0, sark=1).status == GOOD and y.prout(0, sark=2).status == GOOD
    assert x.prout(1, rk=1, kind=5).status == GOOD
    lost = {n: log(lab, n).count("the session has ended") for n in (1, 2)}
    lab.run("third", "pause")
    write = x.start_write(9, b"\x99" * BLOCK)
    a = y.prout(4, rk=2, sark=1, kind=5)  # the drain's bound ends it
    assert a.status == CHECK, a
    lab.run("third", "kill")
    both_have_noticed(lab, lost)
    a = y.prout(4, rk=2, sark=1, kind=5)
    assert a.status == CHECK, a
    assert y.keys() == [1, 2]
    lab.run("third", "start")
    assert x.wait(write).status == GOOD
    until_good(lambda: y.prout(4, rk=2, sark=1, kind=5))
    assert y.keys() == [2]
    assert until_good(lambda: y.read(9)).data == b"\x99" * BLOCK
    while (a := x.write(9, bytes(BLOCK))).status == CHECK:
        assert a.key == 6, a
    assert a.status == CONFLICT
    until_good(lambda: y.prout(3, rk=2))
    x.close(), y.close()


def w20_a_killed_controller_takes_its_sessions_over(lab, host):
    before = initiators(lab)
    lab.run("kill", "2")
    lab.run("start", "2")
    lab.wait_view(1, "together")
    lab.wait_view(2, "together")
    hf.until(lambda: sorted(initiators(lab)) == sorted(before), "six sessions again")
    x, y = pair(lab, host)
    data = os.urandom(BLOCK)
    assert y.write(77, data).status == GOOD
    assert x.read(77).data == data
    x.close(), y.close()


def w20_a_second_daemon_of_one_id_is_refused(lab, host):
    """On a machine with no disk but LUNs nothing else would stop it."""
    conf = pathlib.Path(lab.dir, "lab", "controller-2.conf").read_text()
    third = [lun_url(lab, n) for n in (1, 2, 3)]
    conf = re.sub(r"disks = \[.*\];", "disks = [ " + ", ".join(f'"{u}"' for u in third) + " ];", conf)
    copy = pathlib.Path(lab.dir, "second.conf")
    copy.touch(mode=0o600)
    copy.write_text(conf.replace("/2.sock", "/second.sock"))
    r = subprocess.run([lab.build + "/src/holdfastd/holdfastd", "-c", str(copy)],
                       capture_output=True, text=True, timeout=hf.DEADLINE)
    assert r.returncode != 0 and "no two daemons may have one controller id" in r.stderr, r.stderr
    lab.wait_view(1, "together")


def start_lab(build):
    return hf.Lab(build, 15100, third="tgt", loops=2, bus_options="bound-ms = 1000;")


TESTS = [r7_both_controllers_reach_the_luns_as_initiators,
         r7_several_devices_lie_on_several_luns_and_files,
         r7_what_one_controller_writes_the_other_reads, r7_the_data_are_on_the_lun_itself,
         r7_a_reservation_holds_on_the_other_controller,
         r7_it_reserves_neither_the_lun_nor_the_neighbours, r7_races_have_exactly_one_winner,
         r7_a_restart_of_the_third_is_no_error_at_the_hosts,
         w17_a_preemption_waits_for_what_is_at_the_third,
         w20_a_killed_controller_takes_its_sessions_over, w20_a_second_daemon_of_one_id_is_refused]

if __name__ == "__main__":
    if not hf.find_program("tgtd"):
        print("tgtd is not installed (apt-get install tgt)")
        sys.exit(77)
    sys.exit(hf.main(TESTS, start_lab))
