/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The floor of reservations over corosync: a message of 128 bytes to a closed process group and
 *back to its sender, and the same with an answer from every member, which is what an agreed change
 *needs. Nothing else is done.
 *
 *	hf-cpg-floor answer		answers until somebody asks it to end
 *	hf-cpg-floor ask COUNT MEMBERS	one line: p50 and p99 of both, in microseconds
 */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static cpg_handle_t cpg;
static unsigned members, answers;
static bool mine, over;

static void die(const char *what)
{
	fprintf(stderr, "hf-cpg-floor: %s; is corosync running here?\n", what);
	exit(1);
}

static void say(char kind)
{
	char text[128] = {kind};
	struct iovec iov = {text, sizeof(text)};
	cs_error_t e;

	do
		e = cpg_mcast_joined(cpg, CPG_TYPE_AGREED, &iov, 1);
	while (e == CS_ERR_TRY_AGAIN);
	if (e != CS_OK)
		die("a message cannot be sent");
}

static void on_deliver(cpg_handle_t h, const struct cpg_name *group, uint32_t node, uint32_t pid,
	void *msg, size_t len)
{
	switch (*(const char *)msg) {
	case 'P':
		mine = true;
		say('A');
		return;
	case 'A':
		answers++;
		return;
	case 'Q':
		over = true;
		return;
	}
}

static void on_members(cpg_handle_t h, const struct cpg_name *group, const struct cpg_address *all,
	size_t all_len, const struct cpg_address *left, size_t left_len,
	const struct cpg_address *joined, size_t joined_len)
{
	members = (unsigned)all_len;
}

static void turn(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	poll(&p, 1, -1);
	if (cpg_dispatch(cpg, CS_DISPATCH_ALL) != CS_OK)
		die("the group is lost");
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void ask(int fd, unsigned count, unsigned wanted)
{
	double *own = calloc(count, sizeof(*own)), *all = calloc(count, sizeof(*all));

	if (!own || !all)
		die("out of memory");
	while (members < wanted)
		turn(fd);
	for (unsigned i = 0; i < count; i++) {
		double start = now_us();

		mine = false;
		answers = 0;
		say('P');
		while (!mine)
			turn(fd);
		own[i] = now_us() - start;
		while (answers < wanted)
			turn(fd);
		all[i] = now_us() - start;
	}
	qsort(own, count, sizeof(*own), by_value);
	qsort(all, count, sizeof(*all), by_value);
	printf("%.0f %.0f %.0f %.0f\n", own[count / 2], own[count * 99 / 100], all[count / 2],
		all[count * 99 / 100]);
	say('Q');
	while (!over)
		turn(fd);
	free(own);
	free(all);
}

int main(int argc, char **argv)
{
	cpg_callbacks_t callbacks = {.cpg_deliver_fn = on_deliver, .cpg_confchg_fn = on_members};
	struct cpg_name name = {.length = 14, .value = "holdfast-floor"};
	int fd;

	if (cpg_initialize(&cpg, &callbacks) != CS_OK || cpg_fd_get(cpg, &fd) != CS_OK ||
		cpg_join(cpg, &name) != CS_OK)
		die("no closed process group");
	if (argc == 4 && strcmp(argv[1], "ask") == 0) {
		ask(fd, (unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
	} else if (argc == 2 && strcmp(argv[1], "answer") == 0) {
		while (!over)
			turn(fd);
	} else {
		fprintf(stderr, "usage: hf-cpg-floor answer | ask COUNT MEMBERS\n");
		return 2;
	}
	cpg_finalize(cpg);
	return 0;
}
