/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of the road for a programmer's error: say what and where, then abort. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>

void hf_assert_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "holdfast: assertion failed: %s (%s:%d)\n", cond, file, line);
	abort();
}
