/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of hf-load. */
#include "load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
	"Usage: hf-load --address IP:PORT [options]\n"
	"  --target IQN       log in to it; without: speak to a floor, which knows no login\n"
	"  --lun N --luns N   first logical unit, number of them (default 0, 1)\n"
	"  --op OP            read, write, tur, reserve (RESERVE and RELEASE in turn),\n"
	"                     persist (the same by PERSISTENT RESERVE OUT; with --registered)\n"
	"  --size BYTES       of one transfer (default 4096)\n"
	"  --sequential       instead of random places\n"
	"  --depth N          commands on their way per connection (default 1)\n"
	"  --connections N    (default 1)\n"
	"  --idle N           further sessions that do nothing\n"
	"  --registered       every session, idle ones too, registers a key first\n"
	"  --seconds S --warm-up S --count N\n"
	"  --digests          header and data digests\n"
	"  --hold             RESERVE the first logical unit before the run\n"
	"  --hand-over        with a second --address: a reservation changes hands\n"
	"  --watch PID        tell the processor time of this process, too (up to 8 times)\n"
	"Prints one line of JSON.\n";

static enum load_op parse_op(const char *word)
{
	static const char *const words[] = {"read", "write", "tur", "reserve", "persist"};

	for (unsigned i = 0; i < HF_ARRAY_LEN(words); i++)
		if (!strcmp(word, words[i]))
			return (enum load_op)i;
	load_die("--op is read, write, tur, reserve or persist");
}

static unsigned parse_number(const char *text, unsigned max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*end || v > max)
		load_die("\"%s\" is no number up to %u", text, max);
	return (unsigned)v;
}

enum {
	ADDRESS,
	TARGET,
	LUN,
	LUNS,
	OP,
	SIZE,
	SEQUENTIAL,
	DEPTH,
	CONNECTIONS,
	SECONDS,
	WARM_UP,
	COUNT,
	DIGESTS,
	HOLD,
	HAND_OVER,
	WATCH,
	IDLE,
	REGISTERED,
};

static void take(struct load_options *o, int which)
{
	switch (which) {
	case ADDRESS:
		o->addresses[o->addresses[0] != NULL] = optarg;
		break;
	case TARGET:
		o->target = optarg;
		break;
	case LUN:
		o->lun = parse_number(optarg, 16383);
		break;
	case LUNS:
		o->luns = parse_number(optarg, 16383);
		break;
	case OP:
		o->op = parse_op(optarg);
		break;
	case SIZE:
		o->size = parse_number(optarg, LOAD_XFER_MAX);
		break;
	case SEQUENTIAL:
		o->sequential = true;
		break;
	case DEPTH:
		o->depth = parse_number(optarg, LOAD_DEPTH_MAX);
		break;
	case CONNECTIONS:
		o->conns = parse_number(optarg, LOAD_CONNS_MAX);
		break;
	case SECONDS:
		o->seconds = atof(optarg);
		break;
	case WARM_UP:
		o->warm_up = atof(optarg);
		break;
	case COUNT:
		o->count = parse_number(optarg, UINT32_MAX);
		break;
	case DIGESTS:
		o->digests = true;
		break;
	case HOLD:
		o->hold = true;
		break;
	case HAND_OVER:
		o->hand_over = true;
		break;
	case WATCH:
		if (o->watch_len < HF_ARRAY_LEN(o->watch))
			o->watch[o->watch_len++] = (int)parse_number(optarg, INT32_MAX);
		break;
	case IDLE:
		o->idle = parse_number(optarg, LOAD_CONNS_MAX);
		break;
	case REGISTERED:
		o->registered = true;
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

void load_parse(int argc, char **argv, struct load_options *o)
{
	static const struct option longs[] = {
		{"address", required_argument, NULL, ADDRESS},
		{"target", required_argument, NULL, TARGET},
		{"lun", required_argument, NULL, LUN},
		{"luns", required_argument, NULL, LUNS},
		{"op", required_argument, NULL, OP},
		{"size", required_argument, NULL, SIZE},
		{"sequential", no_argument, NULL, SEQUENTIAL},
		{"depth", required_argument, NULL, DEPTH},
		{"connections", required_argument, NULL, CONNECTIONS},
		{"seconds", required_argument, NULL, SECONDS},
		{"warm-up", required_argument, NULL, WARM_UP},
		{"count", required_argument, NULL, COUNT},
		{"digests", no_argument, NULL, DIGESTS},
		{"hold", no_argument, NULL, HOLD},
		{"hand-over", no_argument, NULL, HAND_OVER},
		{"watch", required_argument, NULL, WATCH},
		{"idle", required_argument, NULL, IDLE},
		{"registered", no_argument, NULL, REGISTERED},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		take(o, c);
	if (!o->addresses[0] || optind < argc || !o->depth || !o->conns || !o->luns || !o->size ||
		o->hand_over != (o->addresses[1] != NULL)) {
		fputs(usage, stderr);
		exit(2);
	}
	if (o->hand_over)
		o->conns = 2;
}
