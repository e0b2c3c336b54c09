# SPDX-License-Identifier: BSD-3-Clause
"""What LUNs of a third controller say of themselves."""
from struct import pack

INQUIRY, CAPACITY16, CAPACITY10, IDENTIFICATION, BLOCK_LIMITS, PROVISIONING = range(6)


def answer(status, key=0, asc_ascq=0):
    return bytes([INQUIRY, status, key]) + pack(">H", asc_ascq)


def page(code, body):
    return pack(">BBH", 0, code, len(body)) + body


def seeds():
    designators = bytes([1, 3, 0, 8]) + b"12345678" + bytes([1, 0x13, 0, 4]) + b"port"
    out = {
        "inquiry": bytes([INQUIRY]) + bytes(36), "inquiry-short": bytes([INQUIRY]) + bytes(4),
        "inquiry-none": bytes([INQUIRY, 0x7f]) + bytes(35),
        "inquiry-tape": bytes([INQUIRY, 1]) + bytes(35),
        "capacity10": bytes([CAPACITY10]) + pack(">II", 4095, 512),
        "capacity10-short": bytes([CAPACITY10]) + bytes(7),
        "capacity16": bytes([CAPACITY16]) + pack(">QIBBH", 4095, 512, 0, 3, 0xc000) + bytes(16),
        "capacity16-old": bytes([CAPACITY16]) + pack(">QI", 4095, 1 << 20),
        "capacity16-short": bytes([CAPACITY16]) + bytes(11),
        "capacity16-all": bytes([CAPACITY16]) + b"\xff" * 32,
        "identification": bytes([IDENTIFICATION]) + page(0x83, designators),
        "identification-cut": bytes([IDENTIFICATION]) + page(0x83, designators[:-1]),
        "identification-other": bytes([IDENTIFICATION]) + page(0x80, designators),
        "limits": bytes([BLOCK_LIMITS]) + page(0xb0, bytes(range(60))),
        "limits-old": bytes([BLOCK_LIMITS]) + page(0xb0, bytes(range(12))),
        "limits-short": bytes([BLOCK_LIMITS]) + page(0xb0, bytes(11)),
        "provisioning": bytes([PROVISIONING]) + page(0xb2, b"\0\xc0\0\0"),
        "provisioning-short": bytes([PROVISIONING]) + page(0xb2, b"\0"),
    }
    for status in (0x00, 0x04, 0x08, 0x18, 0x28, 0x30, 0x40, 0x7e):
        out[f"status-{status:02x}"] = answer(status)
    for key in range(12):
        out[f"key-{key:x}"] = answer(0x02, key)
    for asc in (0x20, 0x24, 0x25, 0x26, 0x1a, 0x44):
        out[f"illegal-{asc:02x}"] = answer(0x02, 0x5, asc << 8)
    out["reset"] = answer(0x02, 0x6, 0x2900)
    out["out-of-space"] = answer(0x02, 0x7, 0x2707)
    return out
