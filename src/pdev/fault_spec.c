/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules of the fault layer; their grammar is in fault.h. Pure. */
#include "fault_spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	enum hf_pdev_op op;
} op_names[] = {
	{"read", HF_PDEV_READ},
	{"write", HF_PDEV_WRITE},
	{"flush", HF_PDEV_FLUSH},
	{"discard", HF_PDEV_DISCARD},
	{"zero", HF_PDEV_WRITE_ZEROES},
};

static const struct {
	const char *name;
	int number;
} error_names[] = {
	{"EIO", EIO},
	{"ENOSPC", ENOSPC},
	{"EBADE", EBADE},
	{"ETIMEDOUT", ETIMEDOUT},
	{"ENODEV", ENODEV},
};

static const struct {
	const char *suffix;
	uint64_t factor;
} byte_units[] = {{"", 1}, {"K", 1ULL << 10}, {"M", 1ULL << 20}, {"G", 1ULL << 30}},
  time_units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};

/* A number and a unit out of a table; the whole text. */
#define PARSE_UNIT(text, units, ret) parse_unit(text, units, HF_ARRAY_LEN(units), ret)
static bool parse_unit(const char *text, const void *units, size_t n, uint64_t *ret)
{
	const typeof(byte_units[0]) *u = units;
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(end, u[i].suffix) && value <= UINT64_MAX / u[i].factor) {
			*ret = value * u[i].factor;
			return true;
		}
	}
	return false;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	return parse_unit(text, byte_units, 1, ret);
}

static bool parse_ops(char *text, unsigned *ret)
{
	unsigned ops = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, "+", &save); word; word = strtok_r(NULL, "+", &save)) {
		size_t i = 0;

		while (i < HF_ARRAY_LEN(op_names) && strcmp(word, op_names[i].name))
			i++;
		if (i == HF_ARRAY_LEN(op_names))
			return false;
		ops |= 1U << op_names[i].op;
	}
	*ret = ops;
	return ops != 0;
}

static bool parse_range(char *text, struct fault_rule *r)
{
	char *dash = strchr(text, '-');

	if (!dash)
		return false;
	*dash = '\0';
	r->has_range = true;
	return PARSE_UNIT(text, byte_units, &r->first_bytes) &&
	       PARSE_UNIT(dash + 1, byte_units, &r->end_bytes) && r->first_bytes < r->end_bytes;
}

static bool parse_error(const char *text, int *ret)
{
	uint64_t number;

	for (size_t i = 0; i < HF_ARRAY_LEN(error_names); i++) {
		if (!strcmp(text, error_names[i].name)) {
			*ret = -error_names[i].number;
			return true;
		}
	}
	if (!parse_number(text, &number) || number == 0 || number > 4095)
		return false;
	*ret = -(int)number;
	return true;
}

static bool parse_probability(const char *text, double *ret)
{
	char *end;
	double p = strtod(text, &end);

	if (end == text || *end || !(p >= 0 && p <= 1))
		return false;
	*ret = p;
	return true;
}

/* One "key=value" or "key"; value is NULL without "=". */
static bool parse_item(const char *key, char *value, struct fault_rule *r)
{
	if (!value) {
		r->hangs |= !strcmp(key, "hang");
		r->hangs_late |= !strcmp(key, "hang-late");
		return !strcmp(key, "hang") || !strcmp(key, "hang-late");
	}
	if (!strcmp(key, "op"))
		return parse_ops(value, &r->ops);
	if (!strcmp(key, "at"))
		return parse_range(value, r);
	if (!strcmp(key, "skip"))
		return parse_number(value, &r->skip);
	if (!strcmp(key, "count"))
		return parse_number(value, &r->count);
	if (!strcmp(key, "p"))
		return parse_probability(value, &r->probability);
	if (!strcmp(key, "seed"))
		return parse_number(value, &r->dice);
	if (!strcmp(key, "delay"))
		return PARSE_UNIT(value, time_units, &r->delay_ns);
	if (!strcmp(key, "error"))
		return parse_error(value, &r->error);
	if (!strcmp(key, "late-error"))
		return parse_error(value, &r->late_error);
	if (!strcmp(key, "torn")) {
		r->is_torn = true;
		r->is_torn_at_random = !strcmp(value, "random");
		return r->is_torn_at_random || PARSE_UNIT(value, byte_units, &r->torn_bytes);
	}
	return false;
}

static int parse_rule(char *text, struct fault_rule *ret, char *message, size_t message_len)
{
	struct fault_rule r = {.ops = ~0U, .count = UINT64_MAX, .probability = 1, .dice = 1};
	char *save = NULL;

	for (char *item = strtok_r(text, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		char *value = strchr(item, '=');

		if (value)
			*value++ = '\0';
		if (parse_item(item, value, &r))
			continue;
		snprintf(message, message_len,
			"\"%s\" in a fault rule is not understood; see FAULT "
			"RULES in doc/physical-devices.md",
			item);
		return -EINVAL;
	}
	if (!r.delay_ns && !r.error && !r.late_error && !r.is_torn && !r.hangs && !r.hangs_late) {
		snprintf(message, message_len,
			"a fault rule says not what happens; add delay=, error=, "
			"late-error=, torn=, hang or hang-late");
		return -EINVAL;
	}
	if (r.is_torn && !r.error)
		r.error = -EIO;
	/* Numbers next to each other are good seeds, too; the generator must not stand on 0. */
	r.dice = r.dice * 0x9e3779b97f4a7c15ULL | 1;
	*ret = r;
	return 0;
}

int hf_fault_spec_parse(
	const char *spec, struct fault_rules *ret, char *message, size_t message_len)
{
	struct fault_rules rules = {0};
	char copy[512], *save = NULL;

	if (strlen(spec) >= sizeof(copy)) {
		snprintf(message, message_len, "the fault rules are longer than %zu characters",
			sizeof(copy) - 1);
		return -EINVAL;
	}
	strcpy(copy, spec);
	for (char *rule = strtok_r(copy, ";", &save); rule; rule = strtok_r(NULL, ";", &save)) {
		int err;

		if (rules.len == FAULT_RULES_MAX) {
			snprintf(message, message_len, "there are more than %d fault rules",
				FAULT_RULES_MAX);
			return -EINVAL;
		}
		err = parse_rule(rule, &rules.at[rules.len], message, message_len);
		if (err < 0)
			return err;
		rules.len++;
	}
	*ret = rules;
	return 0;
}

/* xorshift64*: small, good enough for dice, the same everywhere. */
static uint64_t roll(struct fault_rule *r)
{
	r->dice ^= r->dice >> 12;
	r->dice ^= r->dice << 25;
	r->dice ^= r->dice >> 27;
	return r->dice * 0x2545f4914f6cdd1dULL;
}

static bool is_met(struct fault_rule *r, const struct hf_pdev_io *io)
{
	if (!(r->ops & 1U << io->op))
		return false;
	if (r->is_torn && io->op != HF_PDEV_WRITE)
		return false;
	if (r->has_range && (io->op == HF_PDEV_FLUSH || io->offset_bytes >= r->end_bytes ||
				    io->offset_bytes + io->len_bytes <= r->first_bytes))
		return false;
	if (r->skip > 0) {
		r->skip--;
		return false;
	}
	if (r->count == 0)
		return false;
	if (r->probability < 1 && (double)(roll(r) >> 11) / (double)(1ULL << 53) >= r->probability)
		return false;
	if (r->count != UINT64_MAX)
		r->count--;
	return true;
}

bool hf_fault_rules_strike(
	struct fault_rules *rules, const struct hf_pdev_io *io, struct fault_strike *ret)
{
	for (unsigned i = 0; i < rules->len; i++) {
		struct fault_rule *r = &rules->at[i];
		uint64_t torn = r->torn_bytes;

		if (!is_met(r, io))
			continue;
		if (r->is_torn_at_random)
			torn = roll(r) % (io->len_bytes + 1);
		*ret = (struct fault_strike){
			.delay_ns = r->delay_ns,
			.error = r->error,
			.late_error = r->late_error,
			.is_torn = r->is_torn && torn < io->len_bytes,
			.torn_bytes = torn / 512 * 512,
			.hangs = r->hangs,
			.hangs_late = r->hangs_late,
		};
		return true;
	}
	return false;
}
