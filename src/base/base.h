/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small things that every file uses: assertions that stay on in release builds, container_of,
 * minimum and maximum, array length, a fixed-size status for "which clause said no".
 * Makes no system call except through abort().
 */
#ifndef HF_BASE_H
#define HF_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>

#define HF_ARRAY_LEN(a)	   (sizeof(a) / sizeof((a)[0]))
#define HF_MIN(a, b)	   ((a) < (b) ? (a) : (b))
#define HF_MAX(a, b)	   ((a) > (b) ? (a) : (b))
#define HF_ROUND_UP(n, to) ((((n) + (to)-1) / (to)) * (to))

#define hf_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A programmer's error. Prints what and where, then aborts; never compiled out. */
#define hf_assert(cond)                                                                            \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			hf_assert_failed(#cond, __FILE__, __LINE__);                               \
	} while (0)

_Noreturn void hf_assert_failed(const char *cond, const char *file, int line);

#endif
