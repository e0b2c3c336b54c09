/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of all options, for who compares them with the manual. Pure. */
#include "config_options.h"

#include <stdio.h>

static void each_row(const struct option_row *rows, const char *prefix,
	void (*fn)(void *arg, const char *name), void *arg)
{
	for (const struct option_row *r = rows; r->name; r++) {
		char name[128];
		int n = snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", r->name);

		hf_assert(n > 0 && (size_t)n < sizeof(name));
		fn(arg, name);
		if (r->rows)
			each_row(r->rows, name, fn, arg);
	}
}

void hf_config_options_each(void (*fn)(void *arg, const char *name), void *arg)
{
	each_row(hf_config_rows, "", fn, arg);
}
