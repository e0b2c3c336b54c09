/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tool `holdfast`: what its parts share. main.c finds the command and its options; cmd_*.c are
 * the commands; client_posix.c speaks to the daemon; table.c prints.
 */
#ifndef HF_TOOL_H
#define HF_TOOL_H

#include "hf_limits.h"
#include "base.h"

#include <jansson.h>
#include <stdio.h>

enum {
	TOOL_OK = 0,
	TOOL_FAILED = 1,      /* the daemon, or the disk, said no */
	TOOL_USAGE = 2,	      /* the command line is wrong; nothing was done */
	TOOL_UNREACHABLE = 3, /* no daemon answers */

	TOOL_ARGS_MAX = 4,
	TOOL_OPTIONS_MAX = 12,
	TOOL_VALUES_MAX = HF_LDEV_COLUMNS_MAX,
};

/* An option of a command. */
struct tool_option {
	const char *name;  /* without the dashes */
	const char *value; /* what stands for the value in help; NULL: a switch */
	const char *help;
	bool required, repeated;
};

struct tool_run {
	const char *socket;
	bool json, yes;
	const struct tool_command *command;
	const char *args[TOOL_ARGS_MAX]; /* the words after the command */
	unsigned given[TOOL_OPTIONS_MAX];
	const char *values[TOOL_OPTIONS_MAX][TOOL_VALUES_MAX];
};

struct tool_command {
	const char *name; /* "device create" */
	const char *args; /* "NAME NEW-NAME": as many words are needed */
	const char *help; /* one line */
	int (*run)(struct tool_run *run);
	struct tool_option options[TOOL_OPTIONS_MAX]; /* ends with one without a name */
};

extern const struct tool_command tool_device_commands[];
extern const struct tool_command tool_disk_commands[];
extern const struct tool_command tool_look_commands[];
extern const struct tool_command tool_view_commands[];

/* The value of an option, NULL when not given. */
const char *tool_value(const struct tool_run *run, const char *option);
bool tool_has(const struct tool_run *run, const char *option);

/* --- the daemon --- */

/*
 * Sends request (given) and waits for the reply, which is the caller's. NULL: no daemon, said why
 * on stderr, *ret_status TOOL_UNREACHABLE; or refused, said so, TOOL_FAILED.
 */
json_t *tool_call(struct tool_run *run, json_t *request, int *ret_status);
/* The same; with --json prints the reply and frees it, returning NULL with *ret_status TOOL_OK. */
json_t *tool_call_show(struct tool_run *run, json_t *request, int *ret_status);

/* Asks on the terminal; true with --yes. Without a terminal and --yes: says so, false. */
bool tool_confirm(const struct tool_run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* "holdfast: ..." on stderr. Returns TOOL_FAILED. */
int tool_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int tool_usage(const struct tool_run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* --- sizes --- */

/* "64M", "1.5GiB", "512", "10GB"; k, M, G, T, P, E mean powers of 1024 with or without "iB", powers
 * of 1000 with "B". 0 or -EINVAL, *ret untouched. */
int tool_size_parse(const char *text, uint64_t *ret);
#define TOOL_SIZE_TEXT 32
/* "64 MiB", exact where it can be, else one decimal; returns buf. */
const char *tool_size_format(uint64_t bytes, char buf[TOOL_SIZE_TEXT]);
/* "3 s", "2 min", "5 h", "9 d". */
const char *tool_age_format(json_int_t seconds, char buf[TOOL_SIZE_TEXT]);

/* --- tables --- */

struct table;

/* Titles in capitals, joined by '|'; one that starts with '>' is aligned to the right. */
struct table *table_create(const char *titles);
/* Copies; NULL stands for "-". Bytes that are no printable ASCII or UTF-8 letters show as '?'. */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print_and_destroy(struct table *t, FILE *to);

/*
 * Asks the daemon for `cmd` and prints the objects of the reply's array `member` as a table, a row
 * each. Returns the reply (the caller's), or NULL when there is no more to print: *ret_status.
 */
json_t *tool_list(struct tool_run *run, const char *cmd, const char *member, const char *titles,
	void (*row)(struct table *t, const json_t *object), int *ret_status);

#endif
