# SPDX-License-Identifier: BSD-3-Clause
"""Messages of the engine for more than two controllers that are nearly right."""
from struct import pack

(BEGIN, DEVS, RANGES, STATE, PLAN, VIEW, PROPOSE) = range(1, 8)
COPY, RANGE_ASK = 13, 19
HELD = 1


def head(kind, sender=1, tag=9, version=1):
    return pack(">BBBQ", version, kind, sender, tag)


def view(epoch=5, members=6, incarnations=(1, 2)):
    return pack(">QI", epoch, members) + b"".join(pack(">Q", i) for i in incarnations)


def device(phase=0, rest=b""):
    return pack(">IQQQQB", 1, 2, 3, 4, 5, phase) + rest


def held(sender=1, flags=3, op=b"op"):
    return pack(">BQBH", sender, 7, flags, len(op)) + op


def seeds():
    out = {f"kind-{k}": head(k) + bytes(40) for k in range(1, 24)}
    out.update({f"kind-{k}-bare": head(k) for k in range(0, 24)})
    out.update({
        "version": head(BEGIN, version=99), "nobody": head(BEGIN, sender=0),
        "stranger": head(BEGIN, sender=17), "no-tag": head(BEGIN, tag=0),
        "view": head(VIEW) + view(), "view-incarnation": head(VIEW) + view(incarnations=(1, 0)),
        "view-strangers": head(VIEW) + view(members=1 << 20, incarnations=()),
        "view-empty": head(VIEW) + view(0, 0, ()), "view-no-epoch": head(VIEW) + view(epoch=0),
        "plan-unknown": head(PLAN) + bytes([99]) + bytes(12) + view(),
        "range-empty": head(RANGE_ASK) + pack(">IQQI", 1, 2, 3, 0),
        "range-past-the-end": head(RANGE_ASK) + pack(">IQQI", 1, 2, (1 << 64) - 1, 2),
        "range": head(RANGE_ASK) + pack(">IQQI", 1, 2, 3, 4),
        "piece-outside": head(COPY) + pack(">IQQII", 1, 2, 3, 4, 9),
        "propose-empty": head(PROPOSE) + pack(">IQB", 1, 2, 0),
    })
    for name, entry in {"settled": device(), "held": device(HELD, held()),
                        "held-by-nobody": device(HELD, held(0)), "flags": device(HELD, held(flags=9)),
                        "no-op": device(HELD, held(op=b"")), "phase": device(99),
                        "cut": device()[:-3]}.items():
        out["entry-" + name] = head(DEVS) + pack(">Q", 5) + entry
    for name, entry in {"good": pack(">IQQI", 1, 2, 3, 4), "empty": pack(">IQQI", 1, 2, 3, 0),
                        "cut": bytes(9)}.items():
        out["range-entry-" + name] = head(RANGES) + entry
    return out
