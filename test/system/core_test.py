#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The core requirements with two daemons and real initiators, a test for each by name; R7, devices on
a third controller, is in third_test.py."""
import concurrent.futures
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from hf import CHECK, CONFLICT, GOOD  # noqa: E402

RACES = int(os.environ.get("HF_RACES", "300"))
# Threads for I/O per controller: with more than one, what a reservation forbids is drained on each.
LOOPS = int(os.environ.get("HF_LOOPS", "1"))


def pair(lab, host, device="alpha"):
    return (host.open(lab.urls[1, device], "x"), host.open(lab.urls[2, device], "y"))


def sent(lab, n):
    """Messages of the reservation protocol that controller n has sent."""
    return lab.tool(n, "status")["bus"]["op_messages_sent"]


def r1_a_reservation_goes_over_the_bus(lab, host):
    x, y = pair(lab, host)
    before = sent(lab, 1)
    assert x.reserve().status == GOOD
    assert sent(lab, 1) >= before + 2  # ask, settled
    assert x.release().status == GOOD
    x.close(), y.close()


def r2_the_other_controller_holds_it_too(lab, host):
    x, y = pair(lab, host)
    assert x.reserve().status == GOOD
    assert y.tur().status == CONFLICT
    r = [r for r in lab.tool(2, "reservation", "list")["reservations"] if r["device"] == "alpha"][0]
    assert r["held"] == "legacy" and r["holders"][0]["controller"] == 1, r
    assert x.release().status == GOOD
    assert y.tur().status == GOOD
    x.close(), y.close()


def r3_reserved_already_is_refused_and_free_is_granted(lab, host):
    x, y = pair(lab, host)
    assert y.reserve().status == GOOD
    assert x.reserve().status == CONFLICT
    assert y.release().status == GOOD
    assert x.reserve().status == GOOD
    assert y.reserve().status == CONFLICT
    assert x.release().status == GOOD
    x.close(), y.close()


def r4_races_have_exactly_one_winner_and_nobody_hangs(lab, host):
    for device in ("alpha", "gamma"):
        x, y = pair(lab, host, device)
        wins = hf.race(x, y, RACES)
        print(f"  {device}: {RACES} races, won through controller 1: {wins[0]}, 2: {wins[1]}")
        x.close(), y.close()


def r5_a_refusal_from_the_own_table_causes_no_traffic(lab, host):
    x, y = pair(lab, host)
    z = host.open(lab.urls[1, "alpha"], "z")
    assert x.reserve().status == GOOD
    before = sent(lab, 1)
    assert z.reserve().status == CONFLICT
    assert x.reserve().status == GOOD  # a repeat changes nothing
    assert sent(lab, 1) == before
    assert x.release().status == GOOD
    x.close(), y.close(), z.close()


def r6_a_release_goes_over_the_bus(lab, host):
    x, y = pair(lab, host)
    assert x.reserve().status == GOOD
    assert y.release().status == GOOD  # by another nexus: no effect
    assert y.read(0).status == CONFLICT
    before = sent(lab, 1)
    assert x.release().status == GOOD
    assert sent(lab, 1) >= before + 2
    assert y.reserve().status == GOOD
    assert y.release().status == GOOD
    x.close(), y.close()


def r8_slices_of_one_disk_are_reserved_one_by_one(lab, host):
    x, y = pair(lab, host, "alpha")
    n = host.open(lab.urls[2, "beta"], "y", isid=2)
    assert x.reserve().status == GOOD
    assert y.write(0, bytes(512)).status == CONFLICT
    assert n.write(0, b"\xab" * 512).status == GOOD
    assert n.reserve().status == GOOD
    assert n.release().status == GOOD
    assert x.release().status == GOOD
    x.close(), y.close(), n.close()


def r9_a_device_over_several_disks_is_reserved_alone(lab, host):
    x, y = pair(lab, host, "gamma")  # striped over disks 2 and 3
    n = host.open(lab.urls[2, "delta"], "y", isid=2)  # linear over the same disks
    data = os.urandom(512 * 512)
    assert x.write(64, data).status == GOOD
    assert x.reserve().status == GOOD
    assert y.read(64, 1).status == CONFLICT
    assert n.write(0, bytes(512)).status == GOOD
    assert x.read(64, 512).data == data
    assert x.release().status == GOOD
    assert y.read(64, 512).data == data
    x.close(), y.close(), n.close()


def r10_what_a_reservation_forbids_touches_no_data(lab, host):
    x, y = pair(lab, host)
    z = host.open(lab.urls[1, "alpha"], "z")
    assert x.write(7, b"\x11" * 512).status == GOOD
    assert x.reserve().status == GOOD
    for s in (y, z):
        assert s.write(7, b"\x22" * 512).status == CONFLICT
        assert s.read(7).status == CONFLICT
        assert s.cdb("120000002400", in_len=36).status == GOOD  # INQUIRY passes
    assert x.read(7).data == b"\x11" * 512
    assert x.release().status == GOOD
    # The same with a persistent reservation, Write Exclusive - Registrants Only.
    assert x.prout(0, sark=0x10).status == GOOD
    assert x.prout(1, rk=0x10, kind=5).status == GOOD
    for s in (y, z):
        assert s.write(7, b"\x22" * 512).status == CONFLICT
        assert s.read(7).data == b"\x11" * 512
    assert y.keys() == [0x10]
    assert x.prout(3, rk=0x10).status == GOOD  # CLEAR
    assert y.write(7, b"\x22" * 512).status == GOOD
    assert x.read(7).data == b"\x22" * 512
    for s in (x, y, z):
        s.close()


def r11_one_of_two_links_may_fail_unnoticed(lab, host):
    x, y = pair(lab, host)
    lab.run("cut", "--link", "0")
    try:
        for _ in range(20):
            for answer, status in ((x.reserve(), GOOD), (y.reserve(), CONFLICT),
                                   (x.release(), GOOD), (y.reserve(), GOOD), (y.release(), GOOD)):
                assert answer.status == status, answer
    finally:
        lab.run("heal")
    assert lab.view(1) == "together" and lab.view(2) == "together"
    x.close(), y.close()


def r12_daemon_and_tool_say_who_they_are(lab, host):
    status = lab.tool(1, "status")
    assert status["version"] and status["cluster"] == "lab"
    assert {c["id"] for c in status["controllers"]} == set(lab.controllers)
    assert [s["initiator"] for s in lab.tool(1, "session", "list")["sessions"]] == []


def until(command, status):
    """Repeats a command until it ends as wanted; a session that is away by then is not the test's."""
    end = time.monotonic() + hf.DEADLINE
    while (a := command()).status != status:
        assert not a.lost and time.monotonic() < end, a


def w5_logout_and_dropped_connections_release(lab, host):
    x, y = pair(lab, host)
    assert x.reserve().status == GOOD
    x.close()
    assert y.reserve().status == GOOD  # the logout was answered after the loss had settled
    y.drop()
    x, y = pair(lab, host)
    until(x.reserve, GOOD)
    assert x.release().status == GOOD
    x.close(), y.close()


def w18_a_device_that_is_not_stopped_cannot_be_picked(lab, host):
    x, y = pair(lab, host)
    assert x.reserve().status == GOOD
    r = lab.tool(2, "reservation", "pick", "alpha", check=False)
    assert r.returncode and "alpha: nothing has been picked: the device is not stopped" in r.stderr, r
    r = lab.tool(2, "reservation", "pick", "nothing", check=False)
    assert r.returncode and 'there is no logical device "nothing"' in r.stderr, r
    assert y.tur().status == CONFLICT  # nothing has changed
    assert x.release().status == GOOD
    x.close(), y.close()


def lu_reset_releases_on_both(lab, host):
    x, y = pair(lab, host)
    assert x.reserve().status == GOOD
    assert y.tmf("lun-reset").tmf == 0
    a = x.tur()
    assert (a.status, a.key, a.asc >> 8) == (CHECK, 6, 0x29), a
    assert y.tur().asc >> 8 == 0x29
    assert y.reserve().status == GOOD
    assert y.release().status == GOOD
    x.close(), y.close()


def devices_change_while_hosts_look(lab, host):
    x, y = pair(lab, host)
    lab.tool(2, "device", "create", "extra", "--size", "4M", "--disk", "disk1")
    names = [[d["name"] for d in lab.tool(n, "device", "list")["devices"]] for n in (1, 2)]
    assert names[0] == names[1] and "extra" in names[0], names
    for words in (["device", "create", "extra", "--size", "4M", "--disk", "disk1"],
                  ["device", "create", "big", "--size", "9T", "--disk", "disk1"],
                  ["device", "create", "odd", "--size", "4M", "--disk", "nodisk"],
                  ["device", "delete", "alpha"]):
        if words[1] == "delete":
            assert x.reserve().status in (GOOD, CHECK)
            while x.reserve().status != GOOD:
                pass
        r = lab.tool(1, *words, check=False)
        assert getattr(r, "returncode", 0) == 1 and len(r.stderr) > 30, words
    while x.release().status != GOOD:
        pass
    lab.tool(1, "device", "grow", "extra", "--size", "8M")
    lab.tool(1, "device", "delete", "extra")
    names = [[d["name"] for d in lab.tool(n, "device", "list")["devices"]] for n in (1, 2)]
    assert names[0] == names[1] and "extra" not in names[0], names
    x.close(), y.close()


def s8_a_deletion_here_and_growth_there_wait_for_each_other_never(lab, host):
    """The one is an op on the device and then one on the pool, the other is on the pool only."""
    for _ in range(8):
        lab.tool(1, "device", "create", "extra", "--size", "4M", "--disk", "disk1")
        with concurrent.futures.ThreadPoolExecutor() as both:
            grown = both.submit(lab.tool, 2, "device", "grow", "extra", "--size", "8M", check=False)
            deleted = both.submit(lab.tool, 1, "device", "delete", "extra", check=False)
        grown, deleted = grown.result(), deleted.result()
        assert getattr(deleted, "returncode", 0) == 0, deleted
        assert getattr(grown, "returncode", 0) == 0 or "being deleted" in grown.stderr or \
            "no logical device" in grown.stderr, grown
        names = [[d["name"] for d in lab.tool(n, "device", "list")["devices"]] for n in (1, 2)]
        assert names[0] == names[1] and "extra" not in names[0], names


def freeze_serves_io_and_refuses_changes_until_the_heal(lab, host):
    x, y = pair(lab, host)
    assert x.tur().status in (GOOD, CHECK) and x.reserve().status in (GOOD, CHECK)
    while x.reserve().status != GOOD:
        pass
    lab.run("cut")
    lab.wait_view(1, "frozen")
    lab.wait_view(2, "frozen")
    assert x.write(1, b"\x33" * 512).status == GOOD
    while (a := y.tur()).status == CHECK and a.key == 6:
        pass
    assert y.write(1, b"\x44" * 512).status == CONFLICT
    a = x.release()
    assert (a.status, a.key, a.asc) == (CHECK, 2, 0x040A), a
    assert x.reserve().status == GOOD  # changes nothing (U3)
    lab.run("heal")
    lab.wait_view(1, "together")
    lab.wait_view(2, "together")
    while (a := x.release()).status == CHECK:
        assert a.key in (2, 6), a
    assert a.status == GOOD
    assert y.read(1).data == b"\x33" * 512
    x.close(), y.close()


def w20_a_killed_controller_comes_back_and_copies(lab, host):
    x = host.open(lab.urls[1, "beta"], "x")
    assert x.prout(0, sark=0x77).status == GOOD
    assert x.prout(1, rk=0x77, kind=1).status == GOOD
    lab.run("kill", "2")
    lab.run("start", "2")
    lab.wait_view(1, "together")
    lab.wait_view(2, "together")
    y = host.open(lab.urls[2, "beta"], "y")
    assert y.keys() == [0x77]
    assert y.write(0, bytes(512)).status == CONFLICT
    while (a := x.prout(3, rk=0x77)).status == CHECK:
        assert a.key == 6, a
    assert a.status == GOOD
    x.close(), y.close()


def start_lab(build):
    # Beside the same tests with more loops, and with the other engine.
    base = 16000 if os.environ.get("HF_TEST_ENGINE") else 14260 + 200 * (LOOPS - 1)
    return hf.Lab(build, base, loops=LOOPS)


TESTS = [r1_a_reservation_goes_over_the_bus, r2_the_other_controller_holds_it_too,
         r3_reserved_already_is_refused_and_free_is_granted,
         r4_races_have_exactly_one_winner_and_nobody_hangs,
         r5_a_refusal_from_the_own_table_causes_no_traffic, r6_a_release_goes_over_the_bus,
         r8_slices_of_one_disk_are_reserved_one_by_one,
         r9_a_device_over_several_disks_is_reserved_alone,
         r10_what_a_reservation_forbids_touches_no_data, r11_one_of_two_links_may_fail_unnoticed,
         r12_daemon_and_tool_say_who_they_are, w5_logout_and_dropped_connections_release,
         w18_a_device_that_is_not_stopped_cannot_be_picked, lu_reset_releases_on_both,
         devices_change_while_hosts_look,
         s8_a_deletion_here_and_growth_there_wait_for_each_other_never,
         freeze_serves_io_and_refuses_changes_until_the_heal,
         w20_a_killed_controller_comes_back_and_copies]

if __name__ == "__main__":
    sys.exit(hf.main(TESTS, start_lab))
