/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules of the fault layer: text to rules, and which of them strikes. Pure. For fault_posix.c.
 */
#ifndef HF_PDEV_FAULT_SPEC_H
#define HF_PDEV_FAULT_SPEC_H

#include "pdev.h"

enum { FAULT_RULES_MAX = 16 };

struct fault_rule {
	unsigned ops; /* 1 << enum hf_pdev_op */
	bool has_range;
	uint64_t first_bytes, end_bytes;
	uint64_t skip, count; /* left to pass; left to strike */
	double probability;
	uint64_t dice; /* state of the generator, never 0 */
	uint64_t delay_ns;
	int error, late_error; /* -errno, or 0 */
	bool is_torn, is_torn_at_random;
	uint64_t torn_bytes;
	bool hangs, hangs_late;
};

struct fault_rules {
	unsigned len;
	struct fault_rule at[FAULT_RULES_MAX];
};

/* What is to happen to one request. */
struct fault_strike {
	uint64_t delay_ns;
	int error, late_error;
	bool is_torn, hangs, hangs_late;
	uint64_t torn_bytes; /* less than the request's len_bytes */
};

/* -EINVAL with a sentence; *ret is untouched then. */
int hf_fault_spec_parse(
	const char *spec, struct fault_rules *ret, char *message, size_t message_len);
/* Whether a rule strikes this request; counts down and rolls dice. */
bool hf_fault_rules_strike(
	struct fault_rules *rules, const struct hf_pdev_io *io, struct fault_strike *ret);

#endif
