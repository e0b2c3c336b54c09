/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the schedule of a violation smaller: leaves out entries of its plan, hosts and time, and
 * keeps what still breaks the same invariant. Each attempt is a world in a process of its own.
 */
#include "shrink.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ATTEMPTS_MAX = 120 };

static unsigned attempts;

/* Up to the colon: the oracle. */
static bool same_oracle(const char *a, const char *b)
{
	size_t n = strcspn(a, ":");

	return n == strcspn(b, ":") && !strncmp(a, b, n);
}

static bool breaks(const struct sim_options *opt, uint64_t *counts, char *why, const char *wanted)
{
	int status;
	pid_t pid;

	if (++attempts > ATTEMPTS_MAX)
		return false;
	why[0] = '\0';
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		sim_world_run(opt, counts, why);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return false;
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0) && same_oracle(why, wanted);
}

struct sim_options sim_shrink(
	const struct sim_options *opt, uint64_t *counts, char *why, const char *wanted)
{
	struct sim_options best = *opt, o;

	attempts = 0;
	for (unsigned i = 0; i < SIM_PLAN_MAX; i++) {
		o = best;
		o.skip |= 1u << i;
		if (breaks(&o, counts, why, wanted))
			best = o;
	}
	for (unsigned hosts = 2; hosts < SIM_HOSTS_MAX; hosts++) {
		o = best;
		o.hosts = hosts;
		if (breaks(&o, counts, why, wanted)) {
			best = o;
			break;
		}
	}
	for (unsigned ms = 250; ms < 8000; ms *= 2) {
		o = best;
		o.chaos_ms = ms;
		if (breaks(&o, counts, why, wanted)) {
			best = o;
			break;
		}
	}
	return best;
}
