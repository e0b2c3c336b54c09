#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's own initiator (qemu-img, qemu-io) through both controllers: what goes in through one comes out
through the other."""
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hf  # noqa: E402
from hf import CHECK, GOOD  # noqa: E402

MIB = 1 << 20
SECRET = "correct-horse-battery"


def options(lab, n, device="alpha", digest=None, user=None):
    """The options of QEMU's iscsi driver for a device through controller n."""
    portal, target, lun = lab.urls[n, device].removeprefix("iscsi://").split("/")
    words = ["driver=raw", "file.driver=iscsi", "file.transport=tcp", f"file.portal={portal}",
             f"file.target={target}", f"file.lun={lun}"]
    if digest:
        words.append(f"file.header-digest={digest}")
    if user:
        words += [f"file.user={user}", "file.password-secret=pw"]
    return ",".join(words)


def run(*argv, secret=None, good=True):
    argv = list(argv)
    if secret:
        argv[1:1] = ["--object", f"secret,id=pw,data={secret}"] if argv[0] == "qemu-io" else []
        if argv[0] == "qemu-img":
            argv[2:2] = ["--object", f"secret,id=pw,data={secret}"]
    r = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    text = r.stdout + r.stderr
    failed = r.returncode != 0 or "failed" in text
    assert failed != good, f"{' '.join(argv)}: {text}"
    return text


def qemu_io(where, *commands, **more):
    words = [w for c in commands for w in ("-c", c)]
    return run("qemu-io", *words, "--image-opts", where, **more)


def img(lab, name):
    return str(pathlib.Path(lab.dir, name))


def both_say_the_same_of_the_device(lab, host):
    texts = [run("qemu-img", "info", "--image-opts", options(lab, n)) for n in (1, 2)]
    sizes = [[line for line in t.splitlines() if line.startswith("virtual size")] for t in texts]
    assert sizes[0] and sizes[0] == sizes[1], texts


def an_image_goes_in_through_one_and_comes_out_of_the_other(lab, host):
    source, back = img(lab, "source.raw"), img(lab, "back.raw")
    size = int(run("qemu-img", "info", "--image-opts", options(lab, 1)).split("(")[1].split()[0])
    run("qemu-img", "create", "-f", "raw", source, str(size))
    run("qemu-io", "-f", "raw", "-c", "write -P 0x11 0 3M", "-c", "write -P 0x22 7M 512",
        "-c", "write -P 0x33 8k 1k", "-c", f"write -P 0x44 {size - 512} 512", source)
    run("qemu-img", "convert", "-n", "-f", "raw", source, "--target-image-opts", options(lab, 1))
    qemu_io(options(lab, 2), "read -P 0x11 0 8k", "read -P 0x33 8k 1k", "read -P 0x11 9k 500k",
            "read -P 0 3M 1M", "read -P 0x22 7M 512", f"read -P 0x44 {size - 512} 512")
    run("qemu-img", "compare", "--image-opts", f"driver=raw,file.filename={source}",
        options(lab, 2))
    run("qemu-img", "convert", "--image-opts", options(lab, 2), "-O", "raw", back)
    run("qemu-img", "compare", source, back)


def the_refusal_a_difference_is_found(lab, host):
    source = img(lab, "source.raw")
    qemu_io(options(lab, 1), "write -P 0x77 5M 512")
    run("qemu-img", "compare", "--image-opts", f"driver=raw,file.filename={source}",
        options(lab, 2), good=False)
    qemu_io(options(lab, 2), "read -P 0x78 5M 512", good=False)


def writes_zeroes_and_discards_cross_over(lab, host):
    for first, second in ((1, 2), (2, 1)):
        qemu_io(options(lab, first), "aio_write -P 0xa5 0 4M", "aio_write -P 0x5a 4M 4M",
                "aio_flush", "write -z -u 1M 1M", "write -z 6M 64k", "discard 2M 1M", "flush")
        qemu_io(options(lab, second), "read -P 0xa5 0 1M", "read -P 0 1M 1M", "read -P 0 2M 1M",
                "read -P 0xa5 3M 1M", "read -P 0x5a 4M 2M", "read -P 0 6M 64k",
                "read -P 0x5a 6208k 1M")


def a_qcow2_image_lives_on_a_striped_device(lab, host):
    one, two = (options(lab, n, "gamma").replace("driver=raw,file.", "file.", 1) for n in (1, 2))
    run("qemu-img", "create", "-f", "qcow2", lab.urls[1, "gamma"], "64M")
    qcow = [f"driver=qcow2,{w}" for w in (one, two)]
    qemu_io(qcow[0], "write -P 0x61 0 8M", "write -P 0x62 63M 1M", "write -P 0x63 12345 512")
    qemu_io(qcow[1], "read -P 0x61 0 12345", "read -P 0x63 12345 512", "read -P 0x62 63M 1M",
            "read -P 0 20M 4M")
    run("qemu-img", "check", "--image-opts", qcow[1])


def header_digests_are_negotiated(lab, host):
    for digest in ("crc32c", "crc32c-none", "none-crc32c", "none"):
        for n in (1, 2):
            qemu_io(options(lab, n, digest=digest), "write -P 0x3c 0 2M", "read -P 0x3c 0 2M")


def a_reservation_keeps_qemu_out_of_both(lab, host):
    qemu_io(options(lab, 1), "write -P 0x3c 0 512")
    x = host.open(lab.urls[1, "alpha"], "x")
    assert x.prout(0, sark=1).status == GOOD
    assert x.prout(1, rk=1, kind=1).status == GOOD  # Write Exclusive
    for n in (1, 2):
        qemu_io(options(lab, n), "write -P 0x66 0 512", good=False)
        qemu_io(options(lab, n), "read -P 0x3c 0 512")
    while (answer := x.prout(3, rk=1)).status == CHECK:
        assert answer.key == 6, answer
    assert answer.status == GOOD
    qemu_io(options(lab, 2), "write -P 0x66 0 512")
    x.close()


def chap_lets_in_who_knows_the_secret(lab, host):
    other = hf.Lab(lab.build, 15230, auth=f'user = "host"; secret = "{SECRET}"')
    try:
        for n in (1, 2):
            where = options(other, n, digest="crc32c", user="host")
            run("qemu-img", "info", "--image-opts", where, secret=SECRET)
            qemu_io(where, f"write -P 0x1{n} {n}M 1M", secret=SECRET)
            qemu_io(options(other, 3 - n, user="host"), f"read -P 0x1{n} {n}M 1M", secret=SECRET)
            qemu_io(where, "read 0 512", secret="wrong-horse-battery", good=False)
            qemu_io(options(other, n), "read 0 512", good=False)
    finally:
        other.down()


TESTS = [both_say_the_same_of_the_device, an_image_goes_in_through_one_and_comes_out_of_the_other,
         the_refusal_a_difference_is_found, writes_zeroes_and_discards_cross_over,
         a_qcow2_image_lives_on_a_striped_device, header_digests_are_negotiated,
         a_reservation_keeps_qemu_out_of_both, chap_lets_in_who_knows_the_secret]

if __name__ == "__main__":
    for program in ("qemu-img", "qemu-io"):
        if not shutil.which(program):
            print(f"SKIP: no {program}; apt-get install qemu-utils qemu-block-extra")
            sys.exit(77)
    sys.exit(hf.main(TESTS, lambda build: hf.Lab(build, 15220, bus_options=hf.PATIENT)))
