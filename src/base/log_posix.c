/* SPDX-License-Identifier: BSD-3-Clause */
/* The log, by write(2) to stderr. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static _Atomic int max_level = HF_LOG_INFO;

void hf_log_set_level(enum hf_log_priority max)
{
	atomic_store_explicit(&max_level, (int)max, memory_order_relaxed);
}

void hf_log(enum hf_log_priority p, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n, m;

	if ((int)p > atomic_load_explicit(&max_level, memory_order_relaxed))
		return;
	n = snprintf(line, sizeof(line), "<%d>", (int)p);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	/* Nothing sensible can be done when stderr is gone. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
