# SPDX-License-Identifier: BSD-3-Clause
"""Lines of the control socket: each type of value where another is wanted."""
import json

VALUES = {"object": {}, "list": [], "number": 1, "fraction": 1.5, "true": True, "null": None,
          "string": "a", "long": "a" * 64, "empty": "", "negative": -1}


def seeds():
    out = {}
    for name, value in VALUES.items():
        for key in ("name", "size_bytes", "yes"):
            line = {"cmd": "device.create", "name": "d", key: value}
            out[f"{key}-{name}"] = json.dumps(line).encode()
    return out
