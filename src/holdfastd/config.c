/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk over a parsed configuration by the tables of config_options.c: every option known, of
 * the right type, in its range, every required one there. Pure: text in, struct out. Called by
 * config_posix.c, the unit tests and the fuzzer.
 */
#include "config_options.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int fail(struct parser *p, unsigned line, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (p->failed)
		return -EINVAL;
	p->failed = true;
	n = line ? snprintf(p->message, p->message_len, "%s:%u: ", p->path, line)
		 : snprintf(p->message, p->message_len, "%s: ", p->path);
	if (n < 0 || (size_t)n >= p->message_len)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(p->message + n, p->message_len - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Edit distance of two short names, for "did you mean". */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64], n = (unsigned)strlen(b);

	if (n >= HF_ARRAY_LEN(row))
		return ~0u;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);

			diagonal = row[j];
			row[j] = HF_MIN(HF_MIN(row[j], row[j - 1]) + 1, change);
		}
	}
	return row[n];
}

static int fail_unknown(
	struct parser *p, const struct option_row *rows, const char *name, unsigned line)
{
	const char *best = NULL;
	unsigned best_distance = 4;

	for (const struct option_row *r = rows; r->name; r++) {
		unsigned d = distance(name, r->name);

		if (d < best_distance && d < strlen(r->name)) {
			best_distance = d;
			best = r->name;
		}
	}
	if (best)
		return fail(p, line, "unknown option \"%s\"; did you mean \"%s\"?", name, best);
	return fail(p, line, "unknown option \"%s\"; holdfastd.conf(5) has the list", name);
}

static const char *type_wanted(enum option_type type)
{
	switch (type) {
	case OPTION_STRING:
		return "a string in quotes";
	case OPTION_INT:
		return "a whole number";
	case OPTION_BOOL:
		return "true or false";
	case OPTION_STRINGS:
		return "a list of strings: [ \"...\", \"...\" ]";
	case OPTION_GROUP:
		return "a group: { ... }";
	case OPTION_GROUPS:
		return "a list of groups: ( { ... }, { ... } )";
	}
	return "something else";
}

static bool type_fits(const struct option_row *row, const config_setting_t *s)
{
	int type = config_setting_type(s);

	switch (row->type) {
	case OPTION_STRING:
		return type == CONFIG_TYPE_STRING;
	case OPTION_INT:
		return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	case OPTION_BOOL:
		return type == CONFIG_TYPE_BOOL;
	case OPTION_STRINGS:
		return type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST;
	case OPTION_GROUP:
		return type == CONFIG_TYPE_GROUP || (row->set_string && type == CONFIG_TYPE_STRING);
	case OPTION_GROUPS:
		return type == CONFIG_TYPE_LIST ||
		       (type == CONFIG_TYPE_ARRAY && config_setting_length(s) == 0);
	}
	return false;
}

static int walk_group(
	struct parser *p, config_setting_t *group, const struct option_row *rows, void *to);

static int walk_string(
	struct parser *p, const struct option_row *row, config_setting_t *s, void *to)
{
	const char *value = config_setting_get_string(s);
	unsigned line = config_setting_source_line(s);
	size_t len;

	if (!value)
		return fail(p, line, "\"%s\" takes only strings in quotes", row->name);
	len = strlen(value);
	if (row->type == OPTION_STRING && (len < (size_t)row->min || len > (size_t)row->max))
		return fail(p, line, "\"%s\" has %zu characters; it takes %lld to %lld", row->name,
			len, row->min, row->max);
	return row->set_string(p, to, value, line);
}

static int walk_int(struct parser *p, const struct option_row *row, config_setting_t *s, void *to)
{
	long long value = config_setting_get_int64(s);
	unsigned line = config_setting_source_line(s);

	if (value < row->min || value > row->max)
		return fail(p, line, "\"%s\" is %lld; it takes %lld to %lld", row->name, value,
			row->min, row->max);
	return row->set_int(p, to, value, line);
}

static int walk_list(struct parser *p, const struct option_row *row, config_setting_t *s, void *to)
{
	unsigned line = config_setting_source_line(s);
	int len = config_setting_length(s);

	if (len < row->min || len > row->max)
		return fail(p, line, "\"%s\" has %d elements; it takes %lld to %lld", row->name,
			len, row->min, row->max);
	for (int i = 0; i < len; i++) {
		config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		void *sub = to;
		int rc;

		if (row->type == OPTION_STRINGS) {
			rc = walk_string(p, row, e, to);
		} else if (!config_setting_is_group(e)) {
			return fail(p, config_setting_source_line(e), "\"%s\" takes %s", row->name,
				type_wanted(row->type));
		} else {
			rc = row->enter(p, to, config_setting_source_line(e), &sub);
			if (rc == 0)
				rc = walk_group(p, e, row->rows, sub);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int walk_option(
	struct parser *p, const struct option_row *row, config_setting_t *s, void *to)
{
	unsigned line = config_setting_source_line(s);
	int rc;

	if (!type_fits(row, s))
		return fail(p, line, "\"%s\" takes %s", row->name, type_wanted(row->type));
	switch (row->type) {
	case OPTION_STRING:
		return walk_string(p, row, s, to);
	case OPTION_INT:
		return walk_int(p, row, s, to);
	case OPTION_BOOL:
		return row->set_int(p, to, config_setting_get_bool(s), line);
	case OPTION_GROUP:
		if (config_setting_type(s) == CONFIG_TYPE_STRING)
			return walk_string(p, row, s, to);
		rc = row->enter(p, to, line, &to);
		return rc < 0 ? rc : walk_group(p, s, row->rows, to);
	case OPTION_STRINGS:
	case OPTION_GROUPS:
		return walk_list(p, row, s, to);
	}
	return -EINVAL;
}

static int walk_group(
	struct parser *p, config_setting_t *group, const struct option_row *rows, void *to)
{
	unsigned line = config_setting_is_root(group) ? 0 : config_setting_source_line(group);
	int rc;

	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(s);
		const struct option_row *row = rows;

		while (row->name && strcmp(row->name, name) != 0)
			row++;
		if (!row->name)
			return fail_unknown(p, rows, name, config_setting_source_line(s));
		rc = walk_option(p, row, s, to);
		if (rc < 0)
			return rc;
	}
	for (const struct option_row *row = rows; row->name; row++) {
		if (row->required && !config_setting_get_member(group, row->name))
			return fail(p, line, "\"%s\" is missing; it takes %s", row->name,
				type_wanted(row->type));
	}
	return 0;
}

/*
 * libconfig would open other files itself and would quietly cut numbers that do not fit; both are
 * found here, before it sees the text. Strings and comments are skipped as it does.
 */
static int check_text(struct parser *p, const char *text)
{
	unsigned line = 1;
	bool line_start = true;

	for (const char *c = text; *c; c++) {
		if (*c == '\n') {
			line++;
			line_start = true;
			continue;
		}
		if (line_start && strncmp(c, "@include", 8) == 0)
			return fail(
				p, line, "@include is not supported; put everything in one file");
		if (!isspace((unsigned char)*c))
			line_start = false;
		if (*c == '#' || (c[0] == '/' && c[1] == '/')) {
			while (c[1] && c[1] != '\n')
				c++;
		} else if (*c == '"') {
			for (c++; *c && *c != '"'; c++) {
				line += *c == '\n';
				if (*c == '\\' && c[1])
					c++;
			}
			if (!*c)
				return fail(p, line, "a string has no closing quote");
		} else if (isalpha((unsigned char)*c) || *c == '*') {
			while (isalnum((unsigned char)c[1]) || strchr("-_*", c[1] ? c[1] : ' '))
				c++;
		} else if (isdigit((unsigned char)*c)) {
			char *end;
			long long value;

			errno = 0;
			value = strtoll(c, &end, 0);
			if (errno || value > INT32_MAX)
				return fail(p, line, "the number %.20s... is too large", c);
			c = end - 1;
		}
	}
	return 0;
}

static int parse_text(struct parser *p, const char *text, unsigned self_id)
{
	config_t file;
	int rc;

	rc = check_text(p, text);
	if (rc < 0)
		return rc;
	config_init(&file);
	if (config_read_string(&file, text) == CONFIG_TRUE)
		rc = walk_group(p, config_root_setting(&file), hf_config_rows, p->config);
	else
		rc = fail(p, (unsigned)config_error_line(&file),
			"%s; every option is written "
			"name = value; with a semicolon",
			config_error_text(&file));
	config_destroy(&file);
	return rc < 0 ? rc : hf_config_finish(p, self_id);
}

int hf_config_parse(const char *path, const char *text, unsigned self_id, struct hf_config **ret,
	char *message, size_t message_len)
{
	struct parser p = {.path = path, .message = message, .message_len = message_len};
	int rc;

	p.config = calloc(1, sizeof(*p.config));
	if (!p.config) {
		snprintf(message, message_len, "%s: out of memory", path);
		return -ENOMEM;
	}
	hf_config_set_defaults(p.config);
	rc = parse_text(&p, text, self_id);
	if (rc < 0) {
		hf_config_destroy(p.config);
		return rc;
	}
	*ret = p.config;
	return 0;
}
