/* SPDX-License-Identifier: BSD-3-Clause */
/* holdfastd: one storage controller. Options, then hf_node. */
#include "node.h"
#include "log.h"
#include "memory.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
	const char *file;
	unsigned controller;
	bool check, alone, may_lose;
};

static void usage(FILE *to)
{
	fputs("Usage: holdfastd -c FILE [-i ID] [--check]\n"
	      "       holdfastd -c FILE [-i ID] --alone [--reservations-may-be-lost]\n"
	      "\n"
	      "  -c, --config FILE     the configuration, see holdfastd.conf(5)\n"
	      "  -i, --controller ID   which of its controllers this one is\n"
	      "      --check           read and check the configuration, then end\n"
	      "      --alone           do not wait for the other controller: it is certainly off\n"
	      "      --reservations-may-be-lost\n"
	      "                        with --alone: even though it may know more than the disks\n"
	      "  -h, --help            this text\n"
	      "      --version         the version\n",
		to);
}

static int parse_id(const char *text, unsigned *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || v < 1 || v >= HF_CONTROLLER_IDS)
		return -EINVAL;
	*ret = (unsigned)v;
	return 0;
}

/* 0: go on; else the exit status + 1. */
static int parse(int argc, char **argv, struct options *o)
{
	enum { CHECK = 256, ALONE, MAY_LOSE, VERSION };
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"controller", required_argument, NULL, 'i'},
		{"check", no_argument, NULL, CHECK},
		{"alone", no_argument, NULL, ALONE},
		{"reservations-may-be-lost", no_argument, NULL, MAY_LOSE},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, VERSION},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:i:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->file = optarg;
			break;
		case 'i':
			if (parse_id(optarg, &o->controller)) {
				fprintf(stderr,
					"holdfastd: -i %s: a controller's id is a number "
					"from 1 to %d\n",
					optarg, HF_CONTROLLERS_MAX);
				return 1 + 2;
			}
			break;
		case CHECK:
			o->check = true;
			break;
		case ALONE:
			o->alone = true;
			break;
		case MAY_LOSE:
			o->may_lose = true;
			break;
		case 'h':
			usage(stdout);
			return 1 + 0;
		case VERSION:
			puts("holdfastd " HF_VERSION);
			return 1 + 0;
		default:
			usage(stderr);
			return 1 + 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "holdfastd: what is \"%s\"? see holdfastd --help\n", argv[optind]);
		return 1 + 2;
	}
	if (!o->file) {
		fputs("holdfastd: no configuration; name one with -c FILE\n", stderr);
		return 1 + 2;
	}
	if (o->may_lose && !o->alone) {
		fputs("holdfastd: --reservations-may-be-lost goes with --alone\n", stderr);
		return 1 + 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char message[HF_CONFIG_MESSAGE];
	struct options o = {0};
	struct hf_config *config;
	struct hf_node *node;
	int rc = parse(argc, argv, &o);

	if (rc)
		return rc - 1;
	hf_memory_set_up();
	if (hf_config_load(o.file, o.controller, &config, message, sizeof(message))) {
		fprintf(stderr, "holdfastd: %s\n", message);
		return EXIT_FAILURE;
	}
	if (o.check) {
		printf("%s: good; this is controller %u (%s) of cluster %s\n", o.file,
			config->self->id, config->self->name, config->cluster);
		hf_config_destroy(config);
		return EXIT_SUCCESS;
	}
	hf_log_set_level(config->log_level);
	if (hf_node_create(config, o.alone, o.may_lose, &node, message, sizeof(message))) {
		hf_error("%s", message);
		hf_config_destroy(config);
		return EXIT_FAILURE;
	}
	rc = hf_node_run(node);
	hf_node_destroy(node);
	hf_config_destroy(config);
	return rc;
}
