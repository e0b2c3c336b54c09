/* SPDX-License-Identifier: BSD-3-Clause */
/* holdfast: the tool. Finds the command, reads its options by its table, runs it. */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>

#define DEFAULT_SOCKET "/run/holdfastd.sock"

static const struct tool_command *const families[] = {
	tool_look_commands,
	tool_device_commands,
	tool_disk_commands,
	tool_view_commands,
};

static const struct tool_option global_options[] = {
	{"socket", "PATH",
		"control socket of the daemon; default: $HOLDFAST_SOCKET or " DEFAULT_SOCKET},
	{"json", NULL, "print the daemon's answer as JSON"},
	{"yes", NULL, "do not ask before dangerous things"},
	{"help", NULL, "this text; after a command: its options"},
	{"version", NULL, "version of this tool"},
	{0},
};

int tool_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("holdfast: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

int tool_usage(const struct tool_run *run, const char *fmt, ...)
{
	va_list ap;

	fputs("holdfast: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (run && run->command)
		fprintf(stderr, "\nholdfast %s --help tells more\n", run->command->name);
	else
		fprintf(stderr, "\nholdfast --help lists the commands\n");
	return TOOL_USAGE;
}

static unsigned option_index(const struct tool_run *run, const char *option)
{
	unsigned i = 0;

	while (strcmp(run->command->options[i].name, option) != 0)
		i++;
	return i;
}

const char *tool_value(const struct tool_run *run, const char *option)
{
	return run->values[option_index(run, option)][0];
}

bool tool_has(const struct tool_run *run, const char *option)
{
	return run->given[option_index(run, option)] > 0;
}

static void print_options(const struct tool_option *o)
{
	for (; o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "",
			o->value ? o->value : "");
		printf("  %-24s %s%s\n", left, o->help, o->required ? " (needed)" : "");
	}
}

static int print_help(const struct tool_command *command)
{
	if (command) {
		printf("holdfast %s%s%s [options]\n  %s\n\n", command->name,
			*command->args ? " " : "", command->args, command->help);
		print_options(command->options);
		return TOOL_OK;
	}
	printf("holdfast COMMAND [options]: looks at and changes a Holdfast controller\n\n");
	for (size_t i = 0; i < HF_ARRAY_LEN(families); i++) {
		for (const struct tool_command *c = families[i]; c->name; c++) {
			char left[64];

			snprintf(left, sizeof(left), "%s%s%s", c->name, *c->args ? " " : "",
				c->args);
			printf("  %-32s %s\n", left, c->help);
		}
	}
	printf("\n");
	print_options(global_options);
	printf("\nExit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon answers.\n");
	return TOOL_OK;
}

/* The command of which words are the name, and how many words that are. */
static const struct tool_command *find_command(
	char *const *words, unsigned words_len, unsigned *ret_used)
{
	for (size_t i = 0; i < HF_ARRAY_LEN(families); i++) {
		for (const struct tool_command *c = families[i]; c->name; c++) {
			const char *space = strchr(c->name, ' ');
			size_t first = space ? (size_t)(space - c->name) : strlen(c->name);

			if (words_len < (space ? 2u : 1u) || strlen(words[0]) != first ||
				memcmp(words[0], c->name, first) != 0)
				continue;
			if (space && strcmp(words[1], space + 1) != 0)
				continue;
			*ret_used = space ? 2 : 1;
			return c;
		}
	}
	return NULL;
}

/* The option that `text` (after the dashes, up to "=") names; NULL: none of these. */
static const struct tool_option *find_option(const struct tool_option *o, const char *text)
{
	size_t len = strcspn(text, "=");

	for (; o && o->name; o++) {
		if (strlen(o->name) == len && memcmp(o->name, text, len) == 0)
			return o;
	}
	return NULL;
}

static int take_option(struct tool_run *run, const struct tool_option *o, const char *value)
{
	unsigned i = (unsigned)(o - run->command->options);

	if (run->given[i] == (o->repeated ? TOOL_VALUES_MAX : 1))
		return tool_usage(run, "--%s was given too often", o->name);
	run->values[i][run->given[i]++] = value;
	return TOOL_OK;
}

static void take_global(
	struct tool_run *run, const struct tool_option *o, const char *value, bool *ret_help)
{
	if (o == &global_options[0])
		run->socket = value;
	else if (o == &global_options[1])
		run->json = true;
	else if (o == &global_options[2])
		run->yes = true;
	else if (o == &global_options[3])
		*ret_help = true;
}

/* Words and options apart, in any order. Leaves the words in argv[0 .. *ret_words). */
static int read_line(
	struct tool_run *run, int argc, char **argv, unsigned *ret_words, bool *ret_help)
{
	const struct tool_option *mine = run->command ? run->command->options : NULL;
	bool only_words = false;

	for (int i = 0; i < argc; i++) {
		const struct tool_option *o, *own;
		const char *value = NULL;

		if (only_words || argv[i][0] != '-' || !argv[i][1]) {
			argv[(*ret_words)++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_words = true;
			continue;
		}
		own = argv[i][1] == '-' ? find_option(mine, argv[i] + 2) : NULL;
		o = own ? own : argv[i][1] == '-' ? find_option(global_options, argv[i] + 2) : NULL;
		if (!o)
			return tool_usage(run, "unknown option %s", argv[i]);
		value = strchr(argv[i], '=');
		if (o->value && !value && i + 1 == argc)
			return tool_usage(run, "--%s needs a value: %s", o->name, o->value);
		if (!o->value && value)
			return tool_usage(run, "--%s takes no value", o->name);
		if (o->value)
			value = value ? value + 1 : argv[++i];
		if (o == &global_options[4]) {
			printf("holdfast %s\n", HF_VERSION);
			exit(TOOL_OK);
		}
		if (!own)
			take_global(run, o, value, ret_help);
		else if (take_option(run, own, value) != TOOL_OK)
			return TOOL_USAGE;
	}
	return TOOL_OK;
}

static unsigned words_needed(const char *args)
{
	unsigned n = *args ? 1 : 0;

	for (; *args; args++)
		n += *args == ' ';
	return n;
}

/* Which words are the command has to be known before its options are; global ones may precede. */
static const struct tool_command *look_for_command(int argc, char **argv)
{
	char *words[2];
	unsigned n = 0, used;

	for (int i = 0; i < argc && n < 2; i++) {
		const struct tool_option *o;

		if (argv[i][0] != '-') {
			words[n++] = argv[i];
			continue;
		}
		if (n)
			break;
		o = argv[i][1] == '-' ? find_option(global_options, argv[i] + 2) : NULL;
		if (o && o->value && !strchr(argv[i], '='))
			i++;
	}
	return n ? find_command(words, n, &used) : NULL;
}

int main(int argc, char **argv)
{
	static struct tool_run run;
	unsigned words = 0, used = 0;
	bool help = false;

	run.socket = getenv("HOLDFAST_SOCKET");
	if (!run.socket || !*run.socket)
		run.socket = DEFAULT_SOCKET;
	run.command = look_for_command(argc - 1, argv + 1);
	if (read_line(&run, argc - 1, argv + 1, &words, &help) != TOOL_OK)
		return TOOL_USAGE;
	if (help || words == 0)
		return help ? print_help(run.command) : (print_help(NULL), TOOL_USAGE);
	if (!run.command || !find_command(argv + 1, words, &used))
		return tool_usage(NULL, "unknown command: %s%s%s", argv[1], words > 1 ? " " : "",
			words > 1 ? argv[2] : "");
	words -= used;
	if (words != words_needed(run.command->args))
		return tool_usage(&run, "%s takes %s%s", run.command->name,
			*run.command->args ? "" : "nothing", run.command->args);
	for (unsigned i = 0; i < words; i++)
		run.args[i] = argv[1 + used + i];
	for (const struct tool_option *o = run.command->options; o->name; o++) {
		if (o->required && !tool_has(&run, o->name))
			return tool_usage(&run, "--%s %s is missing", o->name, o->value);
	}
	return run.command->run(&run);
}
