#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Losing, regaining and restarting a controller under the policy freeze, with real daemons and hosts:
the scenarios of the protocol pitfalls by name. Times are printed, not asserted."""
import json
import os
import pathlib
import pty
import re
import select
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
import pr  # noqa: E402
from hf import CHECK, CONFLICT, GOOD, until  # noqa: E402

PORTS = 15800
NOT_READY = (CHECK, 2, 0x040A)


def pair(lab, host, device="alpha"):
    return (host.open(lab.urls[1, device], "x"), host.open(lab.urls[2, device], "y"))


def what(a):
    return (a.status, a.key, a.asc)


def settle(command):
    """A command, past unit attentions."""
    while (a := command()).status == CHECK and a.key == 6:
        pass
    return a


def becomes(command, status):
    """Repeats a command until it ends as wanted: something is under way that has no event here."""
    until(lambda: command().status == status, f"status {status:#x}")


def why(lab, n):
    return lab.tool(n, "status")["view"]["why"]


def refused(lab, n, *words):
    r = lab.tool(n, *words, check=False)
    assert not isinstance(r, dict) and r.returncode == 1, r
    return r.stderr


def frozen(lab):
    for n in (1, 2):
        lab.wait_view(n, "frozen")


def together(lab):
    running = {line.split()[0] for line in lab.run("pids").splitlines()}
    for n in "12":
        if n not in running:
            lab.run("start", n)
    lab.run("heal")
    for n in (1, 2):
        lab.wait_view(n, "together")


def silence_is_noticed_and_io_goes_on(lab, host):
    x, y = pair(lab, host)
    start = time.monotonic()
    lab.run("cut")
    cut = time.monotonic()
    frozen(lab)
    print(f"  frozen {time.monotonic() - cut:.2f} to {time.monotonic() - start:.2f} s after the cut")
    assert settle(lambda: x.write(1, b"\x33" * 512)).status == GOOD
    assert settle(lambda: y.read(1)).data == b"\x33" * 512
    for s in (x, y):
        assert what(settle(lambda: s.prout(0, sark=9))) == NOT_READY
        assert what(settle(s.reserve)) == NOT_READY
    assert x.tmf("lun-reset").tmf == 255  # function rejected (W6)
    assert "holdfast peer-down" in why(lab, 1)
    start = time.monotonic()
    lab.run("heal")
    together(lab)
    print(f"  together {time.monotonic() - start:.2f} s after the heal")
    becomes(x.reserve, GOOD)
    assert settle(y.reserve).status == CONFLICT
    assert x.release().status == GOOD
    x.close(), y.close()


def w13_a_link_that_carries_one_way_only_is_silence_for_both(lab, host):
    for deaf in ("1", "2"):
        lab.run("cut", "--towards", deaf)
        frozen(lab)
        lab.run("heal")
        together(lab)


def w6_a_loss_while_frozen_is_owed(lab, host):
    x, y = pair(lab, host)
    assert x.reserve().status == GOOD
    lab.run("cut")
    frozen(lab)
    x.drop()
    assert settle(lambda: y.write(2, bytes(512))).status == CONFLICT  # it stands against all
    x = host.open(lab.urls[1, "alpha"], "x")  # the same name again: another login (W5)
    assert settle(lambda: x.write(2, bytes(512))).status == CONFLICT
    assert settle(x.reserve).status == CONFLICT
    lab.run("heal")
    together(lab)
    becomes(y.reserve, GOOD)
    assert y.release().status == GOOD
    x.close(), y.close()


def s10_in_doubt_beyond_the_bound_the_connection_is_closed(lab, host):
    x, y = pair(lab, host)
    lab.run("cut")  # nobody has noticed: the op is asked, and the ask is lost
    q = x.start("160000000000")
    frozen(lab)
    # In doubt: admitted is what both states allow; x's RESERVE would forbid y.
    waiting = y.start_write(4, b"\x01" * 512)
    assert x.wait(q).lost  # no status is made up (INV-7)
    a = y.wait(waiting)
    assert a.status == GOOD or what(a) == NOT_READY, a
    lab.run("heal")
    together(lab)
    # Carried out, and its host is gone: released. The same on both.
    becomes(y.reserve, GOOD)
    x = host.open(lab.urls[1, "alpha"], "x")
    assert x.reserve().status == CONFLICT
    assert y.release().status == GOOD
    x.close(), y.close()


def w7_settled_before_the_cut_is_known_to_both_after_the_heal(lab, host):
    x, y = pair(lab, host)
    for i in range(20):  # wherever the cut falls, both agree in the end
        q = x.start("160000000000" if i % 2 == 0 else "170000000000")
        if i == 10:
            lab.run("cut")
        a = x.wait(q)
        if a.lost or what(a) == NOT_READY:
            break
        assert a.status == GOOD, a
    lab.run("heal")
    together(lab)
    if not a.lost:
        becomes(x.release, GOOD)
    becomes(y.reserve, GOOD)
    assert y.release().status == GOOD
    x.close(), y.close()


def s7_a_range_held_for_a_lost_peer_is_not_ready_beyond_the_bound(lab, host):
    x, y = pair(lab, host)
    assert x.write(10, bytes(512)).status == GOOD
    at = lab.extents("alpha")[0][1] + 10 * 512
    lab.fault(1, "disk1", f"op=read,at={at}-{at + 512},count=1,hang")
    # COMPARE AND WRITE: zeroes are there, ones are to come; its read hangs, the range is held.
    caw = x.start("89" "00" f"{10:016x}" "000000" "01" "0000", out=bytes(512) + b"\x01" * 512)
    lab.wait_hanging(1, "disk1")
    lab.run("cut")
    frozen(lab)
    waiting = y.start_write(10, b"\x02" * 512)
    assert settle(lambda: y.write(11, b"\x02" * 512)).status == GOOD
    assert what(y.wait(waiting)) == NOT_READY
    lab.fault(1, "disk1", "none", release=True)
    assert x.wait(caw).status == GOOD
    lab.run("heal")
    together(lab)
    becomes(lambda: y.write(10, b"\x03" * 512), GOOD)
    assert settle(lambda: x.read(10)).data == b"\x03" * 512
    x.close(), y.close()


def w19_leaving_in_good_order_takes_no_time(lab, host):
    x = host.open(lab.urls[1, "alpha"], "x")
    z = host.open(lab.urls[2, "beta"], "z")
    w = host.open(lab.urls[1, "beta"], "w")
    assert z.reserve().status == GOOD
    start = time.monotonic()
    lab.run("stop", "2")
    lab.wait_view(1, "alone")
    print(f"  alone {time.monotonic() - start:.2f} s after the other was told to leave")
    assert settle(x.reserve).status == GOOD  # changes at once
    assert x.release().status == GOOD
    becomes(w.reserve, GOOD)  # z's sessions went first
    assert w.release().status == GOOD
    together(lab)
    x.close(), w.close()


def peer_down_is_refused_while_the_peer_is_there(lab, host):
    assert "stop its daemon instead" in refused(lab, 1, "peer-down")
    assert "nothing to discard" in refused(lab, 2, "discard")
    assert "has started already" in refused(lab, 1, "alone")
    assert lab.view(1) == lab.view(2) == "together"


WARNING = "If it still writes, data will be lost."


def on_a_terminal(lab, n, answer, *words):
    """The tool, asked by somebody who types an answer; its exit status and what was on the screen."""
    screen, keyboard = pty.openpty()
    p = subprocess.Popen(lab.tool_words(n, *words), stdin=keyboard, stdout=keyboard, stderr=keyboard)
    os.close(keyboard)
    text = ""
    until(lambda: select.select([screen], [], [], 0)[0], "the question")
    os.write(screen, answer)
    while True:
        try:
            text += os.read(screen, 4096).decode()
        except OSError:  # nobody has the terminal open any more
            break
    os.close(screen)
    return p.wait(), " ".join(text.split())


def call(lab, n, **request):
    """What the tool has no words for."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(lab.state()["sockets"] + f"/{n}.sock")
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile().readline())


def peer_down_is_of_those_who_were_looked_at(lab, host):
    lab.run("kill", "2")
    lab.wait_view(1, "frozen")
    assert [c["id"] for c in lab.tool(1, "status")["controllers"] if c["missing"]] == [2]
    for wrong, error in (([], "ESTALE"), ([1], "ESTALE"), ([1, 2], "ESTALE"), (2, "EINVAL"),
                         ([2, 99], "EINVAL"), (["2"], "EINVAL"), (None, "EINVAL")):
        r = call(lab, 1, cmd="peer-down", missing=wrong)
        assert not r["ok"] and r["errno"] == error, (wrong, r)
    assert lab.view(1) == "frozen"
    assert call(lab, 1, cmd="peer-down", missing=[2])["ok"]
    lab.wait_view(1, "alone")
    together(lab)


def peer_down_asks_before_it_believes(lab, host):
    x = host.open(lab.urls[1, "alpha"], "x")
    lab.run("kill", "2")
    lab.wait_view(1, "frozen")
    before = lab.tool(1, "status")["view"]
    for nobody in ("</dev/null", "<&-"):  # who could answer
        r = subprocess.run(["sh", "-c", f'exec "$@" {nobody}', "sh",
                            *lab.tool_words(1, "peer-down")], capture_output=True, text=True)
        assert r.returncode == 1 and r.stdout == "", r
        assert WARNING in r.stderr and "nothing was done; say --yes" in r.stderr, r
    for answer in (b"no\n", b"y\n", b"\n", b"\x04"):  # the last one: end of file
        status, text = on_a_terminal(lab, 1, answer, "peer-down")
        assert status == 1 and WARNING in text and "Nothing was done." in text, (answer, text)
    assert lab.tool(1, "status")["view"] == before
    assert what(settle(x.reserve)) == NOT_READY
    status, text = on_a_terminal(lab, 1, b"yes\n", "peer-down")
    assert status == 0 and WARNING in text and "goes on alone" in text, text
    lab.wait_view(1, "alone")
    together(lab)
    x.close()


def peer_down_lets_the_survivor_change_reservations(lab, host):
    x, y = pair(lab, host)
    z = host.open(lab.urls[2, "beta"], "z")
    w = host.open(lab.urls[1, "beta"], "w")
    assert y.prout(0, sark=0x22).status == GOOD
    assert x.prout(0, sark=0x11).status == GOOD
    assert y.prout(1, rk=0x22, kind=5).status == GOOD
    assert z.reserve().status == GOOD
    lab.run("kill", "2")
    lab.wait_view(1, "frozen")
    assert what(settle(lambda: x.prout(4, rk=0x11, sark=0x22, kind=5))) == NOT_READY
    assert settle(w.tur).status == CONFLICT
    start = time.monotonic()
    lab.tool(1, "peer-down")
    lab.wait_view(1, "alone")
    print(f"  alone {time.monotonic() - start:.2f} s after peer-down")
    assert settle(lambda: x.prout(4, rk=0x11, sark=0x22, kind=5)).status == GOOD  # PREEMPT
    becomes(w.reserve, GOOD)  # the legacy reservation went with its controller (E.8)
    assert w.release().status == GOOD
    assert settle(x.tur).status == GOOD
    assert x.keys() == [0x11]
    together(lab)
    y = host.open(lab.urls[2, "alpha"], "y")
    assert y.keys() == [0x11]
    assert y.write(0, bytes(512)).status == CONFLICT
    assert settle(lambda: x.prout(3, rk=0x11)).status == GOOD
    for s in (x, y, w):
        s.close()


def port_groups(session):
    """Of each target port group its asymmetric access state (RTPG)."""
    data = session.cdb("a30a" + "00" * 4 + "00001000" + "0000", 4096).data
    at, found = 4, {}
    while at < 4 + int.from_bytes(data[0:4], "big"):
        found[int.from_bytes(data[at + 2:at + 4], "big")] = data[at] & 15
        at += 8 + 4 * data[at + 7]
    return found


def hosts_are_told_of_paths_that_go_and_come(lab, host):
    ACTIVE, UNAVAILABLE, CHANGED = 0, 3, 0x2A06
    x = host.open(lab.urls[1, "alpha"], "x")
    pr.attentions(x)
    assert port_groups(x) == {1: ACTIVE, 2: ACTIVE}
    lab.run("kill", "2")
    lab.wait_view(1, "frozen")
    assert pr.attentions(x) == []  # silence changes nothing by itself
    lab.tool(1, "peer-down")
    lab.wait_view(1, "alone")
    assert pr.attentions(x) == [CHANGED]
    assert port_groups(x) == {1: ACTIVE, 2: UNAVAILABLE}
    together(lab)
    assert pr.attentions(x) == [CHANGED]
    assert port_groups(x) == {1: ACTIVE, 2: ACTIVE}
    x.close()


def any_order_of_restarts_keeps_what_one_of_them_remembers(lab, host):
    x = host.open(lab.urls[1, "alpha"], "x")
    assert x.prout(0, sark=0x31).status == GOOD  # in memory only
    x.close()
    for n in ("1", "2", "1"):
        start = time.monotonic()
        lab.run("kill", n)
        lab.run("start", n)
        together(lab)
        print(f"  together {time.monotonic() - start:.2f} s after controller {n} was killed")
        y = host.open(lab.urls[int(n), "alpha"], "y")
        assert y.keys() == [0x31]
        y.close()
    x = host.open(lab.urls[1, "alpha"], "x")
    assert x.prout(0, rk=0x31, sark=0).status == GOOD
    x.close()


def s9_both_dead_and_back_load_what_the_disks_keep(lab, host):
    z = host.open(lab.urls[1, "beta"], "z")
    assert z.prout(0, sark=0x41, flags=0).status == GOOD  # not kept
    g = host.open(lab.urls[2, "gamma"], "g")
    assert g.prout(0, sark=0x42, flags=1).status == GOOD  # APTPL: kept
    for n in "12":
        lab.run("kill", n)
    for n in "21":  # the one that loads is the lower id, whoever starts first
        lab.run("start", n)
    together(lab)
    for n in (1, 2):
        z = host.open(lab.urls[n, "beta"], "z")
        g = host.open(lab.urls[n, "gamma"], "g", isid=n)
        assert z.keys() == []
        a = g.prin(0, 4096)
        assert int.from_bytes(a.data[0:4], "big") == 0  # PRGENERATION starts anew
        assert g.keys() == [0x42]
        z.close(), g.close()
    g = host.open(lab.urls[2, "gamma"], "g")
    assert g.prout(0, rk=0x42, sark=0).status == GOOD
    g.close()


def w8_who_is_not_named_in_the_record_may_not_start_alone(lab, host):
    lab.run("kill", "2")
    lab.wait_view(1, "frozen")
    lab.tool(1, "peer-down")
    lab.wait_view(1, "alone")
    lab.run("kill", "1")
    lab.run("start", "2")
    assert lab.view(2) == "starting"
    text = refused(lab, 2, "alone")
    assert "does not name controller 2" in text and "start that one" in text, text
    assert lab.view(2) == "starting"
    lab.tool(2, "alone", "--may-lose")
    lab.wait_view(2, "alone")
    together(lab)


def two_that_went_on_alone_wait_for_discard(lab, host):
    lab.run("cut")
    frozen(lab)
    lab.tool(1, "peer-down")
    lab.wait_view(1, "alone")
    lab.wait_view(2, "out")  # it reads the record each second (U11)
    lab.run("kill", "2")
    lab.run("start", "2")
    lab.tool(2, "alone", "--may-lose")
    lab.wait_view(2, "alone")
    x, y = pair(lab, host)
    assert x.prout(0, sark=0x71).status == GOOD
    assert y.prout(0, sark=0x72).status == GOOD
    lab.run("heal")
    until(lambda: "holdfast discard" in why(lab, 1) and "holdfast discard" in why(lab, 2), "a word")
    assert lab.view(1) == lab.view(2) == "alone"
    lab.tool(2, "discard")
    together(lab)
    y = host.open(lab.urls[2, "alpha"], "y", isid=2)
    assert y.keys() == [0x71]
    assert settle(lambda: x.prout(3, rk=0x71)).status == GOOD
    x.close(), y.close()


def a_controller_with_another_configuration_is_not_let_in(lab, host):
    conf = pathlib.Path(lab.dir, "lab", "controller-2.conf")
    good = conf.read_text()
    lab.run("kill", "2")
    conf.write_text(re.sub(r"bus = \{", "bus = { retry-ms = 77;", good, count=1))
    if conf.read_text() == good:
        raise AssertionError("the configuration was not changed")
    lab.run("start", "2")
    until(lambda: "configurations of controller" in why(lab, 2), "a sentence")
    assert lab.view(2) == "starting"
    # Silence is noticed meanwhile, and is what is said until the next attempt.
    until(lambda: "configurations of controller" in why(lab, 1), "a sentence of the other one, too")
    lab.run("kill", "2")
    conf.write_text(good)
    together(lab)


def a_stalled_controller_that_was_declared_down_stops_by_itself(lab, host):
    y = host.open(lab.urls[2, "alpha"], "y")
    lab.run("pause", "1")
    lab.wait_view(2, "frozen")
    lab.tool(2, "peer-down")
    lab.wait_view(2, "alone")
    assert settle(lambda: y.prout(0, sark=0x81)).status == GOOD
    start = time.monotonic()
    lab.run("resume", "1")
    together(lab)
    print(f"  joined again {time.monotonic() - start:.2f} s after it was resumed")
    x = host.open(lab.urls[1, "alpha"], "x")
    assert x.keys() == [0x81]
    assert settle(lambda: y.prout(3, rk=0x81)).status == GOOD
    x.close(), y.close()


def is_portal(address):
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return False
    return True


def a_portal_that_cannot_be_opened_does_not_keep_it_out(lab, host):
    conf = pathlib.Path(lab.dir, "lab", "controller-1.conf")
    other = pathlib.Path(lab.dir, "lab", "controller-2.conf")
    good = conf.read_text(), other.read_text()
    lab.run("kill", "1", "2")
    taken = socket.create_server(("127.0.0.1", PORTS - 2))
    for path, text in zip((conf, other), good):  # before the usual one two that fail
        text = re.sub(r'(name = "controller-1"; portals = \[ )',
                      rf'\1"192.0.2.77:3260", "127.0.0.1:{PORTS - 2}", ', text, count=1)
        assert str(PORTS - 2) in text
        path.write_text(text)
    together(lab)
    x = host.open(lab.urls[1, "alpha"], "x")
    assert settle(lambda: x.read(1)).status == GOOD
    taken.close()  # nothing else happens: it is tried again
    until(lambda: is_portal(("127.0.0.1", PORTS - 2)), "the portal to be opened")
    y = host.open(re.sub(r":\d+/", f":{PORTS - 2}/", lab.urls[1, "alpha"], count=1), "y")
    assert settle(lambda: y.read(1)).status == GOOD
    y.close()
    lab.run("pause", "1")
    lab.wait_view(2, "frozen")
    lab.tool(2, "peer-down")
    lab.wait_view(2, "alone")
    lab.run("resume", "1")
    together(lab)  # its portal was closed meanwhile
    x = host.open(lab.urls[1, "alpha"], "x", isid=2)
    assert settle(lambda: x.read(1)).status == GOOD
    x.close()
    lab.run("kill", "1", "2")
    conf.write_text(good[0]), other.write_text(good[1])
    together(lab)


def a_command_in_doubt_does_not_keep_a_controller_from_ending(lab, host):
    lab.run("cut")
    tool = subprocess.Popen(lab.tool_words(1, "--yes", "device", "create", "doubt", "--size", "4M",
                                           "--disk", "disk1"),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    frozen(lab)
    lab.run("kill", "2")
    assert tool.poll() is None
    lab.run("stop", "1")
    until(lambda: not lab.is_running(1), "controller 1 to end")
    rc, said = tool.wait(), tool.stderr.read().strip()
    print(f"  the tool ends with {rc}: {said}")
    assert rc and said
    together(lab)


def start_lab(build):
    return hf.Lab(build, PORTS, faults=True, bus_options="bound-ms = 1200;")


TESTS = [silence_is_noticed_and_io_goes_on,
         w13_a_link_that_carries_one_way_only_is_silence_for_both, w6_a_loss_while_frozen_is_owed,
         s10_in_doubt_beyond_the_bound_the_connection_is_closed,
         w7_settled_before_the_cut_is_known_to_both_after_the_heal,
         s7_a_range_held_for_a_lost_peer_is_not_ready_beyond_the_bound,
         w19_leaving_in_good_order_takes_no_time, peer_down_is_refused_while_the_peer_is_there,
         peer_down_is_of_those_who_were_looked_at,
         peer_down_asks_before_it_believes, peer_down_lets_the_survivor_change_reservations,
         hosts_are_told_of_paths_that_go_and_come,
         any_order_of_restarts_keeps_what_one_of_them_remembers,
         s9_both_dead_and_back_load_what_the_disks_keep,
         w8_who_is_not_named_in_the_record_may_not_start_alone,
         two_that_went_on_alone_wait_for_discard,
         a_controller_with_another_configuration_is_not_let_in,
         a_stalled_controller_that_was_declared_down_stops_by_itself,
         a_portal_that_cannot_be_opened_does_not_keep_it_out,
         a_command_in_doubt_does_not_keep_a_controller_from_ending]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
