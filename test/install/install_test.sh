#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# install_test.sh SOURCE BUILD: what `make install` puts where; the installed programs run; a program
# of somebody else builds against the installed library; the example configuration is good (R12).
set -eu
source=$1 build=$2
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
DESTDIR=$dest /usr/bin/meson install -C "$build" --no-rebuild --quiet >"$dest.log" 2>&1 || {
	cat "$dest.log"
	exit 1
}
rm -f "$dest.log"
find_one() {
	found=$(find "$dest" -name "$1" | head -n 1)
	[ "$found" ] || {
		echo "$1 is not installed"
		exit 1
	}
	echo "$found"
}
daemon=$(find_one holdfastd)
find_one holdfast >/dev/null
unit=$(find_one holdfastd.service)
! grep -q '@' "$unit"
if command -v scdoc >/dev/null; then
	for page in holdfast.8 holdfastd.8 holdfastd.conf.5 holdfast-reservations.7; do
		find_one $page >/dev/null
	done
fi
example=$(find_one holdfastd.conf)
# The example takes its bus key from a file that is not here.
sed -e "s|/etc/holdfast/bus.key|$dest/bus.key|" "$example" >"$dest/example.conf"
chmod 600 "$dest/example.conf"
(umask 077 && echo 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff >"$dest/bus.key")
"$daemon" --check -c "$dest/example.conf"
"$daemon" --version
header=$(find_one resv.h)
library=$(find_one libholdfast-resv.so)
pc=$(find_one holdfast-resv.pc)
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$dest \
	pkg-config --cflags --libs holdfast-resv)
# shellcheck disable=SC2086
if [ "$(/usr/bin/meson introspect --buildoptions "$build" |
	python3 -c 'import json, sys; print([o["value"] for o in json.load(sys.stdin) if o["name"] == "b_sanitize"][0])')" = none ]; then
	cc -Wall -Werror "$source/examples/resv_machine.c" $flags -o "$dest/example"
	LD_LIBRARY_PATH=$(dirname "$library") "$dest/example" | tee "$dest/out"
	grep -q 'status 18' "$dest/out"
	# It shows what the header promises, all of it and nothing else.
	nm -D --defined-only "$library" | awk '$2 == "T" { print $3 }' | cut -d@ -f1 |
		sort >"$dest/visible"
	sed -e 's|/\*.*\*/||' -e '/^ \*/d' -e '/^\/\*/d' "$header" | grep -o '\bhf_[a-z0-9_]*(' |
		tr -d '(' | sort -u >"$dest/promised"
	diff "$dest/promised" "$dest/visible"
fi
bash -n "$(find "$dest" -path '*bash-completion*' -name holdfast)"
echo installed, and it runs
