# SPDX-License-Identifier: BSD-3-Clause
"""Logins and texts, as fuzz/iscsi_text_fuzz.c reads them."""
from struct import pack

ALLOW_NONE, HAS_CHAP, MUTUAL, DIGESTS, ACCESS_LIST, SAME_SECRET, DISCOVERY_PROVES, NO_ALIAS = (
    1 << i for i in range(8))
SECURITY, TO_OPERATIONAL, TO_FULL, OPERATIONAL, FULL = 0x00, 0x81, 0x83, 0x04, 0x87
NAMES = ("InitiatorName=iqn.2024-01.org.example:host", "TargetName=iqn.2024-01.org.example:disks")
OWN = ("InitiatorName=iqn.2024-01.org.example:own", NAMES[1])
CHAP = "AuthMethod=CHAP"


def step(flags, *keys):
    text = "".join(key + "\0" for key in keys).encode()
    return pack(">BH", flags, len(text)) + text


def login(how, *steps, text=b""):
    return bytes([how]) + b"".join(steps) + text


def chap(how, answer, names=NAMES, algorithm="5", user="u", last=()):
    return login(how, step(SECURITY, *names, CHAP), step(SECURITY, "CHAP_A=" + algorithm),
                 step(TO_OPERATIONAL, f"CHAP_N={user}", "CHAP_R=" + answer, *last),
                 step(FULL, "HeaderDigest=CRC32C", "DataDigest=CRC32C,None"),
                 text=b"SendTargets=\0MaxRecvDataSegmentLength=4096\0")


def seeds():
    ours = ("CHAP_I=7", "CHAP_C=0x00112233445566778899aabbccddeeff")
    return {
        "chap-md5": chap(HAS_CHAP, "@x"),
        "chap-sha1-base64": chap(HAS_CHAP | DIGESTS, "@b", algorithm="99,6"),
        "chap-sha256": chap(HAS_CHAP, "@b", algorithm="7,5"),
        "chap-sha3": chap(HAS_CHAP, "@x", algorithm="8"),
        "chap-in-one-step": login(
            HAS_CHAP, step(SECURITY, *NAMES, CHAP, "CHAP_A=5"),
            step(TO_FULL, "CHAP_N=u", "CHAP_R=@x")),
        "chap-mutual": chap(HAS_CHAP | MUTUAL, "@x", last=ours),
        "chap-mutual-base64": chap(HAS_CHAP | MUTUAL, "@x",
                                   last=("CHAP_I=0x10", "CHAP_C=0bAAECAwQFBgcICQoLDA0ODw==")),
        "chap-mutual-digits": chap(HAS_CHAP | MUTUAL, "@x",
                                   last=("CHAP_I=1", "CHAP_C=0bAZaz09+/")),
        "chap-mutual-not-base64": chap(HAS_CHAP | MUTUAL, "@x",
                                       last=("CHAP_I=1", "CHAP_C=0bAZ*z09+/")),
        "chap-mutual-odd-base64": chap(HAS_CHAP | MUTUAL, "@x", last=("CHAP_I=1", "CHAP_C=0bAAA")),
        "chap-mutual-long-base64": chap(HAS_CHAP | MUTUAL, "@x",
                                        last=("CHAP_I=1", "CHAP_C=0b" + "QUFB" * 400)),
        "chap-mutual-long": chap(HAS_CHAP | MUTUAL, "@x",
                                 last=("CHAP_I=1", "CHAP_C=0x" + "41" * 1100)),
        "chap-mutual-same-secret": chap(HAS_CHAP | MUTUAL | SAME_SECRET, "@x", last=ours),
        "chap-mutual-not-here": chap(HAS_CHAP, "@x", last=ours),
        "chap-mutual-without-id": chap(HAS_CHAP | MUTUAL, "@x", last=ours[1:]),
        "chap-mutual-without-challenge": chap(HAS_CHAP | MUTUAL, "@x", last=ours[:1]),
        "chap-reflected": chap(HAS_CHAP | MUTUAL, "@x", last=("CHAP_I=7", "CHAP_C=@c")),
        "chap-wrong-user": chap(HAS_CHAP, "@x", user="v"),
        "chap-wrong": chap(HAS_CHAP, "0x00"),
        "chap-no-algorithm": chap(HAS_CHAP, "@x", algorithm="x,1,300"),
        "chap-own-account": chap(ACCESS_LIST, "@x", names=OWN, user="own"),
        "chap-again": login(
            HAS_CHAP, step(SECURITY, *NAMES, CHAP), step(SECURITY, "CHAP_A=5"),
            step(SECURITY, "CHAP_N=u", "CHAP_R=@x"), step(TO_FULL, "CHAP_N=u", "CHAP_R=@x")),
        "chap-then-operational": login(
            HAS_CHAP, step(SECURITY, *NAMES, CHAP), step(SECURITY, "CHAP_A=5"),
            step(TO_OPERATIONAL, "CHAP_N=u", "CHAP_R=@x"), step(OPERATIONAL), step(FULL, CHAP)),
        "access-list-anybody": login(ACCESS_LIST | ALLOW_NONE, step(FULL, *NAMES)),
        "access-list-stranger": login(ACCESS_LIST, step(FULL, *NAMES)),
        "discovery-proves": login(
            DISCOVERY_PROVES | ALLOW_NONE, step(FULL, NAMES[0], "SessionType=Discovery")),
        "discovery": login(
            NO_ALIAS, step(FULL, NAMES[0], "SessionType=Discovery", "InitiatorAlias=a\tb"),
            text=b"SendTargets=All\0SendTargets=iqn.2024-01.org.example:disks\0"),
        "session-type-unknown": login(ALLOW_NONE, step(FULL, *NAMES, "SessionType=Other")),
        "answers-too-long": login(
            ALLOW_NONE, step(OPERATIONAL, *NAMES, *(f"X-{i:058}=1" for i in range(63)))),
        "targets-only": login(ALLOW_NONE, step(FULL, *NAMES, "TargetAlias=x")),
        "no-alias": login(ALLOW_NONE | NO_ALIAS, step(FULL, *NAMES)),
    }
