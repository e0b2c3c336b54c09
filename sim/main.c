/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim [options]: campaigns of seeds, replay of one.
 *
 * Worlds run in processes of their own, a batch in each, so that a failed assertion is found like
 * any other violation. Of one world the next one in the same process knows nothing (arena.h).
 */
#include "arena.h"
#include "canary_table.h"
#include "shrink.h"
#include "sim.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FAILURES_SHOWN = 10 };

/* What a child tells. */
struct shared {
	uint64_t counts[SIM_COUNT_MAX];
	char why[SIM_WHY_MAX];
	uint64_t seed; /* being run */
	uint64_t done; /* worlds finished */
};

struct arguments {
	uint64_t seed, seeds;
	unsigned seconds, jobs;
	bool one, verbose, campaign;
	const char *canary; /* NULL: none; "all" */
	struct sim_options opt;
};

static uint64_t totals[SIM_COUNT_MAX];
static unsigned failures;

static const char *const engines[] = {"", "pair", "group"};
static const char *const fences[] = {[HF_CONFIG_FENCE_NONE] = "",
	[HF_CONFIG_FENCE_COMMAND] = "command",
	[HF_CONFIG_FENCE_PR] = "pr",
	[HF_CONFIG_FENCE_LEASE] = "lease"};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct shared *shared_create(void)
{
	struct shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED) {
		perror("sim: mmap");
		exit(EXIT_FAILURE);
	}
	return s;
}

static void run_batch(struct shared *s, const struct sim_options *opt, uint64_t first, uint64_t len)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sim_arena_keep();
	for (uint64_t i = 0; i < len; i++) {
		struct sim_options o = *opt;

		sim_arena_again();
		s->seed = o.seed = first + i;
		alarm(120); /* a world that does not end is a violation, too */
		sim_world_run(&o, s->counts, s->why);
		s->done++;
	}
	fflush(stdout);
	_exit(0);
}

/* The replay line, with as little in it as still breaks the same. */
static void print_replay(const struct shared *s, const struct sim_options *opt)
{
	static struct shared *scratch;
	struct sim_options o = *opt;
	char rest[128];

	scratch = scratch ? scratch : shared_create();
	o.seed = s->seed;
	if (strchr(s->why, ':'))
		o = sim_shrink(&o, scratch->counts, scratch->why, s->why);
	snprintf(rest, sizeof(rest), "--skip %#x --hosts %u --chaos-ms %u%s%s%s%s --controllers %u",
		o.skip, o.hosts, o.chaos_ms, o.engine ? " --engine " : "", engines[o.engine],
		o.driver ? " --fence " : "", fences[o.driver], o.controllers);
	if (o.only) { /* names with blanks do not go through make */
		printf("  replay: build/sim/sim --replay %" PRIu64 " %s --faults \"", s->seed,
			rest);
		for (unsigned i = 0; sim_fault_name(i); i++)
			if (o.only & 1u << i)
				printf("%s|", sim_fault_name(i));
		printf("\"\n");
	} else if (o.skip || o.hosts || o.chaos_ms || o.engine || o.controllers) {
		printf("  replay: make sim SEED=%" PRIu64 " ARGS=\"%s\"\n", s->seed, rest);
	} else {
		printf("  replay: make sim SEED=%" PRIu64 "\n", s->seed);
	}
}

static void fail_line(const struct shared *s, int status, const struct sim_options *opt)
{
	failures++;
	if (failures > FAILURES_SHOWN)
		return;
	printf("\nFAILED seed %" PRIu64 ": ", s->seed);
	if (WIFSIGNALED(status))
		printf("signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		printf("%s\n", s->why);
	print_replay(s, opt);
	fflush(stdout);
}

struct job {
	pid_t pid;
	struct shared *shared;
	uint64_t first, len;
};

static void start_job(struct job *j, const struct sim_options *opt)
{
	memset(j->shared, 0, sizeof(*j->shared));
	fflush(stdout);
	j->pid = fork();
	if (j->pid < 0) {
		perror("sim: fork");
		exit(EXIT_FAILURE);
	}
	if (j->pid == 0)
		run_batch(j->shared, opt, j->first, j->len);
}

/* Waits for one child; the rest of a batch that broke off is left for start_job(). */
static struct job *reap(struct job *jobs, unsigned n, const struct sim_options *opt)
{
	int status;
	pid_t pid;

	do
		pid = wait(&status);
	while (pid < 0 && errno == EINTR);

	for (unsigned i = 0; i < n; i++) {
		struct job *j = &jobs[i];

		if (j->pid != pid)
			continue;
		j->pid = 0;
		for (unsigned k = 0; k < SIM_COUNT_MAX; k++)
			totals[k] += j->shared->counts[k];
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			j->len = 0;
			return j;
		}
		fail_line(j->shared, status, opt);
		j->len -= j->shared->done + 1;
		j->first += j->shared->done + 1;
		return j;
	}
	return NULL;
}

static void print_totals(uint64_t worlds, double seconds)
{
	static const char *const names[] = {"turns and events", "commands", "GOOD", "conflicts",
		"unknown outcomes", "NOT READY", "failed", "attentions", "settled ops",
		"accesses to disks", "COMPARE AND WRITEs", "answers ordered", "frames",
		"views together", "views alone", "frozen", "cold starts", "joins",
		"races for the view", "machines fenced", "rings formed"};
	unsigned i;

	printf("%" PRIu64 " seeds in %.1f s, %.1f a second; %u violation%s\n", worlds, seconds,
		worlds / (seconds > 0 ? seconds : 1), failures, failures == 1 ? "" : "s");
	for (i = 0; i < 2; i++) {
		uint64_t n = totals[SIM_COUNT_WORLDS + i];
		double s = (double)totals[SIM_COUNT_WORLDS_NS + i] / 1e9;

		if (n)
			printf("  %s: %" PRIu64 " seeds, %.1f ms of a processor each\n",
				i ? "group" : "pair", n, s * 1e3 / (double)n);
	}
	for (i = 0; i < SIM_COUNT_FAULTS; i++)
		printf("%s%s %" PRIu64, i ? ", " : "  ", names[i], totals[i]);
	printf("\n  faults:");
	for (i = 0; sim_fault_name(i); i++)
		printf("%s %s %" PRIu64, i ? "," : "", sim_fault_name(i),
			totals[SIM_COUNT_FAULTS + i]);
	printf("\n");
}

static volatile sig_atomic_t must_stop;

static void stop(int sig)
{
	must_stop = 1;
}

static int campaign(const struct arguments *a)
{
	struct job *jobs = calloc(a->jobs, sizeof(*jobs));
	uint64_t next = a->seed, end = a->seed + a->seeds;
	double start = now_s(), limit = a->seconds ? a->seconds : 1e9;
	unsigned running = 0;

	printf("seeds from %" PRIu64 " (--seed %" PRIu64 " runs them again)\n", a->seed, a->seed);
	fflush(stdout);
	for (unsigned i = 0; i < a->jobs; i++)
		jobs[i].shared = shared_create();
	/* Told to stop, it ends the worlds that are running and says what it has seen. */
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	for (;;) {
		for (unsigned i = 0; i < a->jobs; i++) {
			struct job *j = &jobs[i];

			if (j->pid)
				continue;
			if (!j->len && next < end && now_s() - start < limit && !must_stop) {
				j->first = next;
				j->len = HF_MIN(end - next, (uint64_t)SIM_WORLDS_PER_PROCESS);
				next += j->len;
			}
			if (!j->len)
				continue;
			start_job(j, &a->opt);
			running++;
		}
		if (!running)
			break;
		if (reap(jobs, a->jobs, &a->opt))
			running--;
	}
	print_totals(next - a->seed, now_s() - start);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- canaries --- */

static bool is_expected(const struct sim_canary *k, const char *why)
{
	for (const char *at = k->breaks; at; at = strchr(at, '|')) {
		size_t len;

		at += *at == '|';
		len = strcspn(at, "|");
		if (!strncmp(why, at, len) && why[len] == ':')
			return true;
	}
	return false;
}

static enum sim_engine engine_of(const struct sim_canary *k)
{
	return k->group ? SIM_ENGINE_GROUP : SIM_ENGINE_PAIR;
}

/* Runs seeds until the planted bug is found by the oracle that has to. */
static bool find_canary(struct shared *s, const struct sim_canary *k, const struct arguments *a)
{
	struct job j = {.shared = s, .first = a->seed};
	struct sim_options opt = a->opt;
	uint64_t end = a->seed + a->seeds, others = 0;
	int status;

	opt.only = sim_fault_mask(k->faults);
	opt.driver = (enum hf_config_fence_driver)k->fence;
	opt.engine = engine_of(k);
	sim_canary_plant(k->number);
	while (j.first < end) {
		j.len = HF_MIN(end - j.first, (uint64_t)SIM_WORLDS_PER_PROCESS);
		start_job(&j, &opt);
		waitpid(j.pid, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			j.first += j.len;
			continue;
		}
		if (WIFEXITED(status) && is_expected(k, s->why)) {
			printf("%-22s found after %" PRIu64 " seed%s: %s\n", k->name,
				s->seed - a->seed + 1, s->seed == a->seed ? "" : "s", s->why);
			sim_canary_plant(0);
			return true;
		}
		others++;
		if (WIFSIGNALED(status))
			snprintf(s->why, sizeof(s->why), "signal %d", WTERMSIG(status));
		printf("%-22s seed %" PRIu64 ", another oracle: %s\n", k->name, s->seed, s->why);
		j.first += s->done + 1;
	}
	printf("%-22s NOT FOUND in %" PRIu64 " seeds, %" PRIu64 " other violations, last: %s\n",
		k->name, a->seeds, others, s->why);
	sim_canary_plant(0);
	return false;
}

static int canaries(const struct arguments *a)
{
	struct shared *s = shared_create();
	double start = now_s();
	unsigned missed = 0, looked = 0;

	for (unsigned i = 0; i < sim_canaries_len; i++) {
		if (a->canary && strcmp(a->canary, "all") &&
			strcmp(a->canary, sim_canaries[i].name))
			continue;
		if (a->opt.engine && a->opt.engine != engine_of(&sim_canaries[i]))
			continue;
		looked++;
		missed += !find_canary(s, &sim_canaries[i], a);
		fflush(stdout);
	}
	printf("%u planted bugs, %u not found, %.1f s\n", looked, missed, now_s() - start);
	return missed || !looked ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* In this process, told as it happens. */
static int replay(const struct arguments *a)
{
	struct shared *s = shared_create();
	struct sim_options o = a->opt;

	o.seed = a->seed;
	o.verbose = a->verbose;
	sim_world_run(&o, s->counts, s->why);
	for (unsigned k = 0; k < SIM_COUNT_MAX; k++)
		totals[k] += s->counts[k];
	printf("seed %" PRIu64 ": no violation\n", a->seed);
	print_totals(1, 0);
	return EXIT_SUCCESS;
}

/* With --replay: that seed with the bug in it. */
static int plant(struct arguments *a)
{
	if (!a->one && !a->campaign)
		return canaries(a);
	for (unsigned i = 0; i < sim_canaries_len; i++)
		if (!strcmp(a->canary, sim_canaries[i].name)) {
			sim_canary_plant(sim_canaries[i].number);
			if (!a->opt.only)
				a->opt.only = sim_fault_mask(sim_canaries[i].faults);
			a->opt.driver = (enum hf_config_fence_driver)sim_canaries[i].fence;
		}
	return a->one ? replay(a) : campaign(a);
}

static void usage(void)
{
	puts("sim [--seed N] [--seeds N] [--seconds N] [--jobs N]	a campaign of seeds\n"
	     "sim --replay N [--quiet] [--all] [--skip MASK] [--hosts N] [--chaos-ms N]\n"
	     "						one seed, told as it happens\n"
	     "  --faults \"NAME|NAME\"	of the faults only these, and many, with either\n"
	     "	--engine pair|group, --controllers 2..5, --fence command|pr|lease	instead of "
	     "what "
	     "the seed says\n"
	     "sim-canary --canary all|NAME [--engine pair|group] [--seed N] [--seeds N]\n"
	     "						are the planted bugs found?\n"
	     "sim-canary --canary NAME --replay N | --campaign	the same with that bug in it");
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", 1, NULL, 's'}, {"seeds", 1, NULL, 'n'},
		{"seconds", 1, NULL, 't'}, {"jobs", 1, NULL, 'j'}, {"replay", 1, NULL, 'r'},
		{"quiet", 0, NULL, 'q'}, {"all", 0, NULL, 'a'}, {"skip", 1, NULL, 'k'},
		{"hosts", 1, NULL, 'h'}, {"chaos-ms", 1, NULL, 'c'}, {"campaign", 0, NULL, 'p'},
		{"faults", 1, NULL, 'o'}, {"canary", 1, NULL, 'y'}, {"engine", 1, NULL, 'e'},
		{"controllers", 1, NULL, 'm'}, {"fence", 1, NULL, 'd'}, {0}};
	struct arguments a = {.seeds = 1000, .jobs = 1, .verbose = true};
	static char line[1 << 16];
	int c;

	if (getrandom(&a.seed, sizeof(a.seed), 0) != sizeof(a.seed))
		return EXIT_FAILURE;
	a.seed = a.seed % 1000000000 * 1000;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 's':
			a.seed = n;
			break;
		case 'n':
			a.seeds = n;
			break;
		case 't':
			a.seconds = (unsigned)n;
			a.seeds = UINT64_C(1) << 40;
			break;
		case 'j':
			a.jobs = HF_MAX(1u, (unsigned)n);
			break;
		case 'r':
			a.one = true;
			a.seed = n;
			break;
		case 'q':
			a.verbose = false;
			break;
		case 'p': /* a campaign with the bug of --canary */
			a.campaign = true;
			break;
		case 'o':
			a.opt.only = sim_fault_mask(optarg);
			break;
		case 'y':
			a.canary = optarg;
			break;
		case 'a':
			a.opt.all = true;
			break;
		case 'k':
			a.opt.skip = (uint32_t)n;
			break;
		case 'h':
			a.opt.hosts = (unsigned)n;
			break;
		case 'c':
			a.opt.chaos_ms = (unsigned)n;
			break;
		case 'e':
			a.opt.engine = !strcmp(optarg, "group")	 ? SIM_ENGINE_GROUP
				       : !strcmp(optarg, "pair") ? SIM_ENGINE_PAIR
								 : (usage(), SIM_ENGINE_ANY);
			break;
		case 'd':
			for (unsigned i = 1; i < HF_ARRAY_LEN(fences); i++)
				if (!strcmp(optarg, fences[i]))
					a.opt.driver = (enum hf_config_fence_driver)i;
			if (!a.opt.driver)
				usage();
			break;
		case 'm':
			if (n == 1 || n > SIM_NODES_MAX)
				usage();
			a.opt.controllers = (unsigned)n;
			break;
		default:
			usage();
		}
	}
	setvbuf(stdout, line, _IOLBF, sizeof(line)); /* else it lay in the arena (arena.h) */
	sim_world_prepare();
	c = a.canary ? plant(&a) : a.one ? replay(&a) : campaign(&a);
	fflush(stdout);
	_exit(c); /* nothing is given back, and nobody shall look for it */
}
