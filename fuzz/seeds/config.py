# SPDX-License-Identifier: BSD-3-Clause
"""Configurations: a whole one, and each thing that can be wrong with it."""

PORTALS = ('"10.0.0.1:3260"', '"[fd00::2]:3260"')
KEY = 'bus = { key = "' + "00112233445566778899aabbccddeeff" * 2 + '"; };'
NONE = "auth = { allow-none = true; };"


def controller(number, portals=None, bus=True, more=""):
    bus = f'bus = ["10.1.0.{number}:7600"];' if bus else ""
    portals = portals or PORTALS[number - 1]
    return f"{{ id = {number}; portals = [{portals}]; {bus} {more} }}"


def config(controllers=None, auth=NONE, bus=KEY, more="", disks='disks = ["/dev/a"];',
           own="controller = 1;", target="iqn.2026-01.com.example:c"):
    controllers = controllers or (controller(1), controller(2))
    return (f'cluster = "c"; {own} target = "{target}";\ncontrollers = ( '
            + ",\n".join(controllers) + f" );\n{disks}\n{auth}\n{bus}\n{more}\n").encode()


def auth(*options):
    return "auth = { " + " ".join(option + ";" for option in options) + " };"


def fence(driver, *options):
    return f'on-peer-loss = "fence"; fence = {{ driver = "{driver}"; ' + \
        " ".join(option + ";" for option in options) + " };"


def initiators(*texts):
    return "initiators = ( " + ", ".join("{ " + text + " }" for text in texts) + " )"


def seeds():
    user, secret = 'user = "u"', 'secret = "secretsecret1"'
    mutual, mutual_secret = 'mutual-user = "m"', 'mutual-secret = "secretsecret2"'
    host = 'name = "iqn.1993-08.org.debian:01:h";'
    agent = 'fence-command = ["/usr/sbin/fence", "-o", "off"];'
    alone = (controller(1),)
    corosync = (controller(1, bus=False), controller(2, bus=False))
    return {
        "whole": config(
            (controller(1, more='name = "left"; rtpi = 7; bus-listen = ["0.0.0.0:7600"]; ' + agent),
             controller(2, more='name = "right"; rtpi = 8; bus-listen = ["0.0.0.0:7600"]; '
                        'disks = ["/dev/b", "iscsi://10.9.0.1/iqn.x/1"]; ' + agent)),
            auth=auth(user, secret, mutual, mutual_secret, "discovery-chap = true",
                      initiators(host + 'user = "h"; secret = "secretsecret3";', 'name = "*";')),
            bus='bus = { engine = "pair"; key-file = "/etc/k"; heartbeat-ms = 100; silence-ms = 400;'
            ' retry-ms = 2; bound-ms = 3000; };',
            more=fence("command", "command-timeout-ms = 1000", 'watchdog = "/dev/w"',
                       "watchdog-ms = 2000", "io-bound-ms = 9")
            + 'iscsi = { queue-depth = 7; digests-required = true; max-recv-data-segment-bytes = 512;'
            " max-burst-bytes = 8192; first-burst-bytes = 4096; nop-interval-ms = 1;"
            ' nop-timeout-ms = 2; login-timeout-ms = 100; }; engine = "epoll"; loops = 2;'
            'busy-poll-us = 5; control-socket = "/run/x"; log-level = "notice"; target-alias = "a";'),
        "same-id": config((controller(1), controller(1, portals='"10.0.0.9:3260"'))),
        "same-rtpi": config((controller(1, more="rtpi = 2;"), controller(2))),
        "same-name": config((controller(1, more='name = "x";'), controller(2, more='name = "x";'))),
        "same-portal": config((controller(1), controller(2, portals=PORTALS[0]))),
        "three-in-a-pair": config((controller(1), controller(2),
                                   controller(3, portals='"10.0.0.3:1"'))),
        "no-bus-address": config((controller(1), controller(2, bus=False))),
        "other-links": config((controller(1), controller(2, more='bus-listen = ["0.0.0.0:1","0.0.0.0:2"];'))),
        "too-many-portals": config([controller(n, portals=", ".join(
            f'"10.0.{n}.{k}:3260"' for k in range(1, 5)), bus=False) for n in range(1, 10)],
            bus='bus = "corosync";'),
        "corosync": config(corosync, bus='bus = { engine = "corosync"; on-quorum-loss = "stop"; };'),
        "corosync-address": config(bus='bus = "corosync";'),
        "corosync-key": config(corosync, bus='bus = { engine = "corosync"; key-file = "k"; };'),
        "corosync-lease": config(corosync, bus='bus = "corosync";',
                                 more=fence("lease", 'watchdog = "/dev/w"')),
        "corosync-unknown": config(corosync, bus='bus = "carrier pigeon";'),
        "quorum-in-a-pair": config(bus='bus = { on-quorum-loss = "stop"; };'),
        "quorum-freeze": config(bus='bus = { on-quorum-loss = "freeze"; key-file = "k"; };'),
        "quorum-unknown": config(bus='bus = { on-quorum-loss = "pray"; };'),
        "two-keys": config(bus=KEY[:-3] + ' key-file = "k"; };'),
        "no-key": config(bus=""),
        "odd-key": config(bus='bus = { key = "0"; };'),
        "user-without-secret": config(auth=auth(user)),
        "secret-without-user": config(auth=auth(secret)),
        "mutual-without-secret": config(auth=auth(user, secret, mutual)),
        "mutual-without-user": config(auth=auth("allow-none = true", mutual, mutual_secret)),
        "mutual-same": config(auth=auth(user, secret, mutual, 'mutual-secret = "secretsecret1"')),
        "nobody": config(auth=auth("allow-none = false")),
        "discovery-without-user": config(auth=auth("allow-none = true", "discovery-chap = true")),
        "initiator-without-secret": config(auth=auth(initiators(host + 'user = "h";'))),
        "initiator-twice": config(auth=auth("allow-none = true", initiators(host, host))),
        "initiator-mutual-same": config(auth=auth(
            mutual, mutual_secret, initiators(host + 'user = "h"; secret = "secretsecret2";'))),
        "initiator-open": config(auth=auth(initiators(host))),
        "initiator-no-name": config(auth=auth(initiators('name = "h";'))),
        "initiators-none": config(auth=auth("allow-none = true", "initiators = ( )")),
        "silence-too-short": config(bus=KEY[:-3] + " silence-ms = 500; };"),
        "bound-too-short": config(bus=KEY[:-3] + " bound-ms = 500; };"),
        "burst-too-long": config(more="iscsi = { max-burst-bytes = 512; };"),
        "fence-and-freeze": config(more='fence = { driver = "command"; };'),
        "fence-how": config(more='on-peer-loss = "fence";'),
        "fence-lease": config(more=fence("lease")),
        "fence-pr": config(more=fence("pr", "watchdog-ms = 1500")),
        "fence-pr-whole": config(more=fence("pr")),
        "fence-unknown": config(more=fence("prayer")),
        "fence-without-command": config(more=fence("command")),
        "fence-command-relative": config((controller(1, more='fence-command = ["fence"];'),)),
        "peer-loss-unknown": config(more='on-peer-loss = "panic";'),
        "engine-unknown": config(more='engine = "steam";'),
        "alone": config(alone, own="", bus="", more='engine = "io_uring";'),
        "not-in-the-list": config(own="controller = 3;"),
        "own-not-said": config(own=""),
        "no-disks": config(disks=""),
        "disk-twice": config(disks='disks = ["/dev/a", "/dev/a"];'),
        "disk-empty": config(disks='disks = [""];'),
        "disks-no-list": config(disks='disks = "/dev/a";'),
        "disks-of-numbers": config(disks="disks = [1];"),
        "list-of-nothing": config(disks="disks = [];"),
        "target-no-name": config(target="storage"),
        "target-odd": config(target="iqn.2026-01.com.example:c_"),
        "level-unknown": config(more='log-level = "loud";'),
        "long-name": config(more="x" * 80 + " = 1;"),
        "boolean": config(more='loops = true;'),
        "groups": config(more='iscsi = 1;') + b"bus = 1;",
        "initiators-no-groups": config(auth=auth("initiators = ( 1 )")),
        "message-too-long": config(more=f'engine = "{"s" * 15}";', target="iqn." + "_" * 219),
        "number-too-large": config(more="loops = 99999999999;"),
        "out-of-range": config(more="loops = 999;"),
        "cut-string": config()[:30] + b'"',
        "escapes": config(more='target-alias = "a\\"b\\\\"; // comment\n/* and */ # more'),
        "syntax": config(more="loops 3;"),
    }
