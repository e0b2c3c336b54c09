/* SPDX-License-Identifier: BSD-3-Clause */
/* Sentences for people in the message buffers of this module, and sizes in words. */
#ifndef HF_LDEV_SAY_H
#define HF_LDEV_SAY_H

#include "base.h"

#include <stdarg.h>
#include <stdio.h>

/* NULL or len 0: nobody listens. Cuts what does not fit. */
static inline void __attribute__((format(printf, 3, 4)))
hf_say(char *message, size_t len, const char *fmt, ...)
{
	va_list ap;

	if (!message || !len)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(message, len, fmt, ap);
	va_end(ap);
}

/* Adds to what hf_say() has put there. */
static inline void __attribute__((format(printf, 3, 4)))
hf_say_more(char *message, size_t len, const char *fmt, ...)
{
	size_t used;
	va_list ap;

	if (!message || !len)
		return;
	used = strnlen(message, len);
	if (used + 1 >= len)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(message + used, len - used, fmt, ap);
	va_end(ap);
}

struct hf_size_text {
	char text[32];
};

/* "5 GiB", "1025 MiB", "4096 bytes": the largest unit that tells the size exactly. */
static inline struct hf_size_text hf_size_say(uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	struct hf_size_text t;
	unsigned u = 0;

	while (bytes && bytes % 1024 == 0 && u + 1 < HF_ARRAY_LEN(units)) {
		bytes /= 1024;
		u++;
	}
	(void)snprintf(t.text, sizeof(t.text), "%llu %s", (unsigned long long)bytes, units[u]);
	return t;
}

#endif
