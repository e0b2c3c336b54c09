/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes and ages as people write and read them. Pure. */
#include "tool.h"

#include <ctype.h>
#include <stdlib.h>

static const char units[] = "kmgtpe";

int tool_size_parse(const char *text, uint64_t *ret)
{
	unsigned __int128 value;
	uint64_t whole = 0, scale = 1, fraction = 0, divisor = 1;
	const char *at = text;

	if (!isdigit((unsigned char)*at))
		return -EINVAL;
	for (; isdigit((unsigned char)*at); at++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(whole, (uint64_t)(*at - '0'), &whole))
			return -EINVAL;
	}
	if (*at == '.') {
		for (at++; isdigit((unsigned char)*at) && divisor < 1000000; at++) {
			fraction = fraction * 10 + (uint64_t)(*at - '0');
			divisor *= 10;
		}
	}
	while (*at == ' ')
		at++;
	if (*at && strchr(units, tolower((unsigned char)*at))) {
		bool decimal = at[1] == 'B' && !at[2];
		long power = strchr(units, tolower((unsigned char)*at)) - units + 1;

		if (at[1] && !decimal && strcmp(at + 1, "iB") != 0)
			return -EINVAL;
		while (power--)
			scale *= decimal ? 1000 : 1024;
	} else if (*at && strcmp(at, "B") != 0) {
		return -EINVAL;
	}
	value = (unsigned __int128)whole * scale + (unsigned __int128)fraction * scale / divisor;
	if (value > UINT64_MAX)
		return -EINVAL;
	*ret = (uint64_t)value;
	return 0;
}

const char *tool_size_format(uint64_t bytes, char buf[TOOL_SIZE_TEXT])
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned unit = 0;

	while (bytes >> (10 * unit) >= 1024 && unit + 1 < HF_ARRAY_LEN(names))
		unit++;
	if (bytes & ((1ull << (10 * unit)) - 1))
		snprintf(buf, TOOL_SIZE_TEXT, "%.1f %s",
			(double)bytes / (double)(1ull << (10 * unit)), names[unit]);
	else
		snprintf(buf, TOOL_SIZE_TEXT, "%llu %s", (unsigned long long)bytes >> (10 * unit),
			names[unit]);
	return buf;
}

const char *tool_age_format(json_int_t seconds, char buf[TOOL_SIZE_TEXT])
{
	static const struct {
		json_int_t seconds;
		const char *name;
	} steps[] = {{2 * 86400, "d"}, {2 * 3600, "h"}, {2 * 60, "min"}, {0, "s"}};
	static const json_int_t divisors[] = {86400, 3600, 60, 1};
	unsigned i = 0;

	while (seconds < steps[i].seconds && steps[i].seconds)
		i++;
	snprintf(buf, TOOL_SIZE_TEXT, "%lld %s", (long long)(seconds / divisors[i]), steps[i].name);
	return buf;
}
