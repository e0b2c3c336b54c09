/* SPDX-License-Identifier: BSD-3-Clause */
/* hf-load: the timed run, the report. See load.h. */
#include "load.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

const uint8_t *load_payload;

void load_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("hf-load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(EXIT_FAILURE);
}

uint64_t load_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void load_count(struct load_result *r, uint64_t ns)
{
	if (!r->counting)
		return;
	r->done++;
	if (r->latency_len < r->latency_cap)
		r->latency[r->latency_len++] = (uint32_t)HF_MIN(ns, UINT32_MAX);
}

/* --- processor time --- */

static double own_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Of all threads, those of the kernel's that work for it too. */
static double seconds_of(int pid)
{
	char path[512];
	double sum = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		load_die("process %d: %s", pid, strerror(errno));
	while ((e = readdir(d))) {
		unsigned long long ns;
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, e->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &ns) == 1)
			sum += (double)ns / 1e9;
		fclose(f);
	}
	closedir(d);
	return sum;
}

/* --- the run --- */

struct meter {
	uint64_t start_ns, end_ns;
	double own, watched[8];
};

static void meter_start(struct meter *m, const struct load_options *o)
{
	for (unsigned i = 0; i < o->watch_len; i++)
		m->watched[i] = -seconds_of(o->watch[i]);
	m->own = -own_seconds();
	m->start_ns = load_now();
}

static void meter_stop(struct meter *m, const struct load_options *o)
{
	m->end_ns = load_now();
	m->own += own_seconds();
	for (unsigned i = 0; i < o->watch_len; i++)
		m->watched[i] += seconds_of(o->watch[i]);
}

static int epoll_of(struct load_conn *c, unsigned n)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &c[i]};

		if (epoll_ctl(ep, EPOLL_CTL_ADD, c[i].fd, &e))
			load_die("epoll: %s", strerror(errno));
	}
	return ep;
}

static void receive_any(struct load_conn *c, struct load_result *r, int ep, bool renew)
{
	struct epoll_event events[64];
	int n;

	if (c->o->conns == 1) {
		load_receive(c, r, true, renew);
		return;
	}
	n = epoll_wait(ep, events, 64, -1);
	for (int i = 0; i < n; i++)
		load_receive(events[i].data.ptr, r, false, renew);
}

static unsigned all_out(const struct load_conn *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->o->conns; i++)
		n += c[i].out;
	return n;
}

static void run(struct load_conn *c, struct load_result *r, struct meter *m)
{
	const struct load_options *o = c->o;
	int ep = o->conns > 1 ? epoll_of(c, o->conns) : -1;
	uint64_t begin, end;

	for (unsigned i = 0; i < o->conns; i++) {
		load_start(&c[i]);
		load_flush(&c[i]);
	}
	begin = load_now() + (uint64_t)(o->warm_up * 1e9);
	while (load_now() < begin)
		receive_any(c, r, ep, true);
	meter_start(m, o);
	end = m->start_ns + (uint64_t)(o->seconds * 1e9);
	r->counting = true;
	while (o->count ? r->done < o->count : load_now() < end)
		receive_any(c, r, ep, true);
	r->counting = false;
	meter_stop(m, o);
	while (all_out(c))
		receive_any(c, r, ep, false);
}

/* --- the report --- */

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile(const struct load_result *r, double share)
{
	if (!r->latency_len)
		return 0;
	return r->latency[(size_t)((double)(r->latency_len - 1) * share)] / 1e3;
}

static void report(struct load_result *r, const struct meter *m, const struct load_options *o)
{
	double seconds = (double)(m->end_ns - m->start_ns) / 1e9;

	qsort(r->latency, r->latency_len, sizeof(*r->latency), by_size);
	printf("{\"done\": %llu, \"failed\": %llu, \"seconds\": %.4f, \"per_second\": %.1f, "
	       "\"p50_us\": %.2f, \"p99_us\": %.2f, \"client_cpu\": %.3f, \"cpu\": [",
		(unsigned long long)r->done, (unsigned long long)r->failed, seconds,
		(double)r->done / seconds, percentile(r, 0.5), percentile(r, 0.99),
		m->own / seconds);
	for (unsigned i = 0; i < o->watch_len; i++)
		printf("%s%.3f", i ? ", " : "", m->watched[i] / seconds);
	puts("]}");
}

/* --- from beginning to end --- */

static void prepare(struct load_conn *c, const struct load_options *o)
{
	unsigned n = o->conns + o->idle;
	uint8_t cdb[16] = {0x16}, parameters[LOAD_PR_BYTES];

	for (unsigned i = 0; i < n; i++) {
		load_open(&c[i], o, o->addresses[o->hand_over && i], i);
		if (!o->registered)
			continue;
		load_persist(&c[i], cdb, parameters, 0x06);
		if (load_command_out(&c[i], o->lun, cdb, parameters, LOAD_PR_BYTES))
			load_die("REGISTER was refused");
	}
	if (o->hold && load_command(c, o->lun, cdb, NULL, 0))
		load_die("RESERVE was refused");
}

/* What is left over would be in the way of the next run. */
static void clean(struct load_conn *c, const struct load_options *o)
{
	uint8_t cdb[16] = {0x17}, parameters[LOAD_PR_BYTES];

	if (!o->target)
		return;
	for (unsigned i = 0; (o->hold || o->op == LOAD_RESERVE) && i < o->luns; i++)
		load_command(c, o->lun + i, cdb, NULL, 0);
	if (o->registered) {
		load_persist(c, cdb, parameters, 0x03);
		load_command_out(c, o->lun, cdb, parameters, LOAD_PR_BYTES);
	}
}

int main(int argc, char **argv)
{
	struct load_options o = {.op = LOAD_READ,
		.size = 4096,
		.depth = 1,
		.conns = 1,
		.luns = 1,
		.seconds = 1,
		.warm_up = 0.2,
		.blocks = 524288}; /* of a floor: as a device of 256 MiB has */
	struct load_result r = {.latency_cap = 8 << 20};
	struct load_conn *c;
	struct meter m;

	load_parse(argc, argv, &o);
	c = calloc(o.conns + o.idle, sizeof(*c));
	r.latency = malloc(r.latency_cap * sizeof(*r.latency));
	load_payload = mmap(
		NULL, LOAD_XFER_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!c || !r.latency || load_payload == MAP_FAILED)
		load_die("memory is short");
	memset((void *)(uintptr_t)load_payload, 0x5a, LOAD_XFER_MAX);
	prepare(c, &o);
	if (o.hand_over) {
		meter_start(&m, &o);
		load_hand_over(c, &r);
		meter_stop(&m, &o);
	} else {
		run(c, &r, &m);
	}
	clean(c, &o);
	report(&r, &m, &o);
	return r.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
