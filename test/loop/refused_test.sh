#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# refused_test.sh LOOP_TEST: where the kernel refuses io_uring, epoll stands in for it.
set -u
if ! strace -o /dev/null true 2>/dev/null; then
	echo "skipped: strace is missing, or may not trace here"
	exit 77
fi
exec strace -f -qq -o /dev/null -e trace=io_uring_setup -e inject=io_uring_setup:error=EPERM \
	"$1" refused
