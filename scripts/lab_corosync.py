# SPDX-License-Identifier: BSD-3-Clause
"""The corosync side of ./lab: a network namespace and a real corosync for every controller, all on
this machine. Hosts reach the controllers over one bridge (hosts), corosync has bridges of its own
(one per link) that are cut and mended. Needs root."""
import ipaddress
import os
import shutil
import subprocess


PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


class NoNamespaces(Exception):
    pass


def program(name):
    """Also where administrators' programs are, which are not on everybody's path."""
    path = shutil.which(name, path=PATH)
    if not path:
        raise NoNamespaces(f"{name} is not installed; make bootstrap")
    return path


def run(name, *argv):
    argv = [program(name), *argv]
    r = subprocess.run(argv, capture_output=True, text=True)
    if r.returncode:
        raise NoNamespaces(f"{' '.join(argv)}: {r.stderr.strip()}")
    return r.stdout


def inside(ring, n, *argv):
    run("nsenter", *ring.inside(n)[1:], *argv)


class Ring:
    def __init__(self, lab):
        self.lab = lab
        self.base = lab.state["port_base"]

    # --- addresses: RFC 2544 has set this block aside for laboratories ---

    def host_net(self):
        return ipaddress.ip_network(f"198.{18 + self.base // 256 % 2}.{self.base % 256}.0/24")

    def host_address(self, n):
        return str(self.host_net()[n])

    def outer_address(self):
        return str(self.host_net()[254])

    @staticmethod
    def bus_address(n, link):
        return f"10.77.{link}.{n}"

    # --- names of interfaces: at most 15 characters ---

    def bridge(self, link=None):
        return f"hf{self.base}" + ("h" if link is None else f"b{link}")

    def port(self, n, link=None):
        return f"{self.bridge(link)}n{n}"

    def links(self):
        return range(self.lab.state["links"])

    # --- building ---

    @staticmethod
    def check():
        """Raises NoNamespaces with the reason when this machine cannot have such a laboratory."""
        if os.geteuid() != 0:
            raise NoNamespaces("corosync in network namespaces needs root")
        for tool in ("corosync", "ip", "nsenter", "unshare"):
            program(tool)
        run("unshare", "-n", "-m", "true")
        probe = f"hfprobe{os.getpid() % 1000000}"
        run("ip", "link", "add", probe, "type", "bridge")
        run("ip", "link", "del", probe)

    def inside(self, n):
        return [program("nsenter"), f"--net=/proc/{self.lab.pid(f'net{n}')}/ns/net", "--"]

    def build(self):
        self.check()
        for link in [None, *self.links()]:
            run("ip", "link", "add", self.bridge(link), "type", "bridge")
            run("ip", "link", "set", self.bridge(link), "up")
        run("ip", "address", "add", f"{self.outer_address()}/24", "dev", self.bridge())
        for n in self.lab.controllers():
            self.add_member(n)
        for n in self.lab.controllers():
            self.write_config(n)
            self.start(n)

    def add_member(self, n):
        pipe = subprocess.PIPE
        log = open(self.lab.dir / f"net{n}.log", "ab")
        p = subprocess.Popen([program("unshare"), "-n", "sh", "-c", "echo ready; exec sleep infinity"],
                             stdin=subprocess.DEVNULL, stdout=pipe, stderr=log, text=True,
                             start_new_session=True)
        p.stdout.readline()
        self.lab.state["pids"][f"net{n}"] = p.pid
        self.lab.save()
        inside(self, n, "ip", "link", "set", "lo", "up")
        for link in [None, *self.links()]:
            name = "hosts" if link is None else f"bus{link}"
            address = self.host_address(n) if link is None else self.bus_address(n, link)
            run("ip", "link", "add", self.port(n, link), "type", "veth", "peer", "name", name,
                "netns", str(p.pid))
            run("ip", "link", "set", self.port(n, link), "master", self.bridge(link), "up")
            inside(self, n, "ip", "address", "add", f"{address}/24", "dev", name)
            inside(self, n, "ip", "link", "set", name, "up")

    def write_config(self, n):
        d = self.lab.dir / f"corosync-{n}"
        (d / "state").mkdir(parents=True, exist_ok=True)
        nodes = ""
        for c in self.lab.controllers():
            rings = "".join(f"    ring{k}_addr: {self.bus_address(c, k)}\n" for k in self.links())
            nodes += f"  node {{\n    name: controller-{c}\n    nodeid: {c}\n{rings}  }}\n"
        # A busy machine may keep a member waiting for seconds, so the token is patient. Everything goes
        # over both links, else the loss of one would be noticed only after the token is.
        (d / "corosync.conf").write_text(
            "totem {\n  version: 2\n  cluster_name: lab\n  transport: knet\n  token: 4000\n"
            "  link_mode: active\n  crypto_cipher: none\n  crypto_hash: none\n}\n"
            f"system {{\n  state_dir: {d}/state\n  sched_rr: no\n  priority: 0\n"
            "  allow_knet_handle_fallback: yes\n}\n"
            "logging {\n  to_stderr: yes\n  to_syslog: no\n  to_logfile: no\n}\n"
            "quorum {\n  provider: corosync_votequorum\n}\n"
            f"nodelist {{\n{nodes}}}\n")

    def start(self, n):
        """Its process file lies in /run, so everyone has a /run of its own."""
        conf = self.lab.dir / f"corosync-{n}" / "corosync.conf"
        script = ("mount --make-rprivate / && mount -t tmpfs tmpfs /run && "
                  f"cd {conf.parent} && exec {program('corosync')} -f -c {conf}")
        self.lab.spawn(f"corosync{n}", [*self.inside(n), "unshare", "-m", "sh", "-c", script])

    # --- cutting ---

    def cut(self, n, link):
        for c in self.lab.controllers() if n is None else [n]:
            for k in self.links() if link is None else [link]:
                run("ip", "link", "set", self.port(c, k), "nomaster")

    def heal(self):
        for n in self.lab.controllers():
            for k in self.links():
                run("ip", "link", "set", self.port(n, k), "master", self.bridge(k))

    def remove(self):
        for link in [None, *self.links()]:
            for n in self.lab.controllers():
                subprocess.run([program("ip"), "link", "del", self.port(n, link)], capture_output=True)
            subprocess.run([program("ip"), "link", "del", self.bridge(link)], capture_output=True)
