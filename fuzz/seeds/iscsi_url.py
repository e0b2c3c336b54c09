# SPDX-License-Identifier: BSD-3-Clause
"""What stands behind iscsi:// in the address of a LUN."""

TARGET = "iqn.2024-01.org.example:x"
GOOD = f"h/{TARGET}/1"


def seeds():
    texts = {
        "no-slash": "h", "no-lun": f"h/{TARGET}", "plain": GOOD,
        "account": "u%s@1@" + GOOD, "account-without-secret": "u@" + GOOD,
        "account-empty": "%@" + GOOD, "port": f"h:3261/{TARGET}/1", "port-zero": f"h:0/{TARGET}/1",
        "port-text": f"h:x/{TARGET}/1", "port-long": f"h:123456/{TARGET}/1",
        "six": f"[fd00::1]/{TARGET}/1", "six-port": f"[fd00::1]:1/{TARGET}/1",
        "six-open": f"[fd00::1/{TARGET}/1", "six-odd": f"[fd00::1]x/{TARGET}/1",
        "six-bare": f"fd00::1/{TARGET}/1", "no-host": f"/{TARGET}/1",
        "name-escaped": "h/iqn.2024%2d01.org.example:x/1", "name-bad-escape": "h/iqn.%2/1",
        "name-control": "h/iqn.%01/1", "name-long": "h/iqn." + "x" * 300 + "/1",
        "name-other": "h/disk/1", "name-eui": "h/eui.02004567A425678D/1",
        "lun-large": f"h/{TARGET}/16384", "lun-empty": f"h/{TARGET}/",
        "options": "u%s@" + GOOD + "?initiator=iqn.a&reset=off&target_user=t&target_password=p",
        "options-cut": "u%s@" + GOOD + "?target_password=p&target_user=t&reset=on",
        "option-alone": GOOD + "?reset", "option-unknown": GOOD + "?colour=red",
        "initiator-bad": GOOD + "?initiator=h", "user-empty": GOOD + "?target_user=",
        "password-empty": GOOD + "?target_password=", "reset-odd": GOOD + "?reset=no",
        "half-mutual": "u%s@" + GOOD + "?target_user=t",
        "mutual-alone": GOOD + "?target_user=t&target_password=p",
        "mask-without-slash": "u%s@h", "long": "u%s@" + GOOD + "?target_password=" + "p" * 300,
    }
    return {name: text.encode() for name, text in texts.items()}
