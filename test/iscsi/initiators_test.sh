#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# initiators_test.sh TARGET_PROGRAM: real initiators (libiscsi's tools, QEMU) against the target over
# the fake SCSI layer, on loopback. Exits 77 when one of the tools is not here.
set -u
target=$1
name=iqn.2024-01.org.example:disks
for tool in iscsi-ls iscsi-inq iscsi-perf qemu-io timeout; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# start OPTIONS...: a target; its port in $port. Its input is held open by descriptor 9.
start() {
	mkfifo "$dir/in" "$dir/out"
	"$target" "$@" <"$dir/in" >"$dir/out" 2>"$dir/log" &
	pid=$!
	exec 9>"$dir/in"
	read -r port <"$dir/out"
	case $port in SKIP*) echo "$port"; exit 77 ;; esac
}

stop() {
	exec 9>&-
	wait $pid
	status=$?
	rm -f "$dir/in" "$dir/out"
	if [ $status -ne 0 ]; then
		echo "FAIL: the target ended with $status"
		cat "$dir/log"
		failed=1
	fi
}

# yes LABEL COMMAND...: has to succeed; no LABEL COMMAND...: has to fail.
yes() {
	label=$1
	shift
	timeout 60 "$@" >"$dir/output" 2>&1 && return
	echo "FAIL: $label"
	cat "$dir/output"
	failed=1
}
no() {
	label=$1
	shift
	timeout 60 "$@" >"$dir/output" 2>&1 || return
	echo "FAIL: $label was let in"
	failed=1
}

start -4
url=iscsi://127.0.0.1:$port
yes discovery iscsi-ls -s $url
grep -q "Target:$name Portal:127.0.0.1:$port,1" "$dir/output" || { echo "FAIL: ls"; failed=1; }
yes inquiry iscsi-inq $url/$name/0
yes "another unit" iscsi-inq $url/$name/1
yes "write and read back" qemu-io -f raw -c 'write -P 0x5a 0 64k' -c 'write -P 0xa5 1M 1M' \
	-c 'write -P 0x11 512 512' -c 'read -P 0x11 512 512' -c 'read -P 0x5a 1k 63k' \
	-c 'read -P 0xa5 1M 1M' -c 'read -P 0 3M 512k' $url/$name/0
grep -qi 'failed\|mismatch' "$dir/output" && { cat "$dir/output"; failed=1; }
yes "many at once" iscsi-perf -m 64 -b 64 -t 1 $url/$name/0
no "another target's name" iscsi-inq $url/iqn.2024-01.org.example:none/0
stop

start -4 chap=host:secretsecret1 mutual=disk:backbackback
url=127.0.0.1:$port/$name/0
yes "CHAP" iscsi-inq "iscsi://host%secretsecret1@$url"
yes "mutual CHAP" iscsi-inq \
	"iscsi://host%secretsecret1@$url?target_user=disk&target_password=backbackback"
no "a wrong secret" iscsi-inq "iscsi://host%secretsecret2@$url"
no "no secret" iscsi-inq "iscsi://$url"
no "a target that proves itself wrongly" iscsi-inq \
	"iscsi://host%secretsecret1@$url?target_user=disk&target_password=backbackbacK"
stop

start -4 segment=4096
yes "small segments, header digest" qemu-io --image-opts \
	-c 'write -P 0x77 0 1M' -c 'read -P 0x77 0 1M' \
	"driver=iscsi,transport=tcp,portal=127.0.0.1:$port,target=$name,lun=0,header-digest=crc32c"
grep -qi 'failed\|mismatch' "$dir/output" && { cat "$dir/output"; failed=1; }
stop

start -4 digests=required
no "no digests where they are required" iscsi-inq iscsi://127.0.0.1:$port/$name/0
stop

[ $failed -eq 0 ] && echo "passed"
exit $failed
