# SPDX-License-Identifier: BSD-3-Clause
"""For the tests of the fences that need no agent, with the pair and with corosync: what the drivers pr
and lease leave behind, and the story of a controller that stands still while another takes over."""
import json
import pathlib
import subprocess

from hf import CHECK, CONFLICT, GOOD, until


def settle(command):
    """Until it is neither a unit attention nor NOT READY 04/0A."""
    while (a := command()).status == CHECK and (a.key == 6 or (a.key, a.asc) == (2, 0x040A)):
        pass
    return a


def running(lab):
    return {int(line.split()[0]) for line in lab.run("pids").splitlines() if line.split()[0].isdigit()}


def log(lab, n):
    return pathlib.Path(lab.dir, "lab", f"{n}.log").read_text()


def registered(lab):
    """pr: which controllers are registered on each LUN of the third controller."""
    result = []
    for lun in range(3):
        r = subprocess.run([lab.build + "/src/holdfast/holdfast", "--json", "--socket",
                            lab.state()["sockets"] + "/third.sock", "reservation", "show",
                            f"lun{lun}"], capture_output=True, text=True, check=True)
        d = json.loads(r.stdout)["reservation"]
        assert d.get("type") == (8 if d["registrations"] else None), d
        result.append(sorted(int(k["initiator"].rsplit(":", 1)[1]) for k in d["registrations"]))
    return result


def reset(lab):
    """lease: which machines a watchdog has reset, in order."""
    path = pathlib.Path(lab.dir, "lab", "fenced")
    return [int(n) for n in path.read_text().split()] if path.exists() else []


def no_resets(lab):
    pathlib.Path(lab.dir, "lab", "fenced").unlink(missing_ok=True)


def a_stall(lab, host, victim, survivor, stall, taken_over, wake, rejoined):
    """The victim stands still, its hosts' registrations are preempted meanwhile; awake again it writes
    nothing and answers nothing from what it knew."""
    x = host.open(lab.urls[victim, "alpha"], "x")
    y = host.open(lab.urls[survivor, "alpha"], "y")
    assert x.prout(0, sark=0x51).status == GOOD
    assert y.prout(0, sark=0x52).status == GOOD
    assert x.prout(1, rk=0x51, kind=5).status == GOOD
    assert x.write(9, b"\x11" * 512).status == GOOD
    stall()
    early = x.start_write(9, b"\x33" * 512)
    taken_over()
    assert settle(lambda: y.prout(4, rk=0x52, sark=0x51, kind=5)).status == GOOD  # PREEMPT
    assert settle(lambda: y.write(9, b"\x22" * 512)).status == GOOD
    asked = [early, x.start_write(9, b"\x33" * 512), x.start("2800000000090000" "0100", in_len=512),
             x.start("5e000000000000100000", in_len=4096), x.start("160000000000")]
    wake()
    for q in asked:
        a = x.wait(q)
        assert a.lost or (a.status == CHECK and a.key in (2, 4, 6)), a
    until(lambda: victim not in running(lab), "the fenced controller to end")
    assert settle(lambda: y.read(9)).data == b"\x22" * 512
    rejoined()
    x = host.open(lab.urls[victim, "alpha"], "x")
    assert settle(lambda: y.read(9)).data == b"\x22" * 512
    assert x.keys() == [0x52]
    assert x.write(9, b"\x44" * 512).status == CONFLICT
    assert settle(lambda: y.prout(3, rk=0x52)).status == GOOD
    x.close(), y.close()
