/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the parts of the configuration reader; nobody else includes this. */
#ifndef HF_CONFIG_OPTIONS_H
#define HF_CONFIG_OPTIONS_H

#include "config.h"

#include <libconfig.h>

struct parser {
	struct hf_config *config;
	const char *path;
	char *message; /* written once, by the first error */
	size_t message_len;
	bool failed;
	/* Where groups begin, for the rules between options; 0: not there. */
	unsigned auth_line, bus_line, iscsi_line, fence_line;
	unsigned acl_line[HF_CONFIG_ACL_MAX];
};

/* "PATH:LINE: ..." into the message; always -EINVAL. line 0: the whole file. */
int fail(struct parser *p, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

enum option_type {
	OPTION_STRING,
	OPTION_INT,
	OPTION_BOOL,
	OPTION_STRINGS, /* a list or array of strings */
	OPTION_GROUP, /* { ... } with options of its own; with set_string: a string instead of it */
	OPTION_GROUPS, /* ( { ... }, { ... } ) */
};

/*
 * One option of a group. The setters store the value into `to`, the struct of its group. enter:
 * GROUP: `to` for the options inside, by *ret (left alone: the same); GROUPS: the next element.
 */
struct option_row {
	const char *name;
	enum option_type type;
	long long min, max; /* INT: range; STRING: length; STRINGS, GROUPS: how many */
	bool required;
	const struct option_row *rows; /* GROUP, GROUPS: ends with a row without a name */
	int (*set_string)(struct parser *p, void *to, const char *value, unsigned line);
	int (*set_int)(struct parser *p, void *to, long long value, unsigned line);
	int (*enter)(struct parser *p, void *to, unsigned line, void **ret);
};

extern const struct option_row hf_config_rows[];

/* Defaults before, rules between options after. */
void hf_config_set_defaults(struct hf_config *c);
int hf_config_finish(struct parser *p, unsigned self_id);

#endif
