/* SPDX-License-Identifier: BSD-3-Clause */
/* How a walk ends, and what its program does (walk.h). */
#include "walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static uint64_t first_seed = 1;
static unsigned walks;

void walk_settle(unsigned ms)
{
	uint64_t end = hf_loop_now_ns(walk.control) + ms * 1000000ull;

	while (hf_loop_now_ns(walk.control) < end)
		if (!walk.engine->step())
			walk.engine->pass_ms(5);
}

bool walk_are_together(void)
{
	for (unsigned i = 0; i < walk.len; i++) {
		const struct walk_unit *u = &walk.units[i];

		if (!u->bus || u->view.state != HF_VIEW_TOGETHER ||
			u->view.members != (2u << walk.len) - 2)
			return false;
	}
	return true;
}

static void left(void *arg)
{
	((struct walk_unit *)arg)->left = true;
}

static void leave_on(struct walk_unit *u)
{
	if (!u->leaving || !u->bus)
		return;
	if (u->left) {
		walk.engine->stop(u);
		walk.counts.leaves++;
	} else if (walk_hosts_are_gone(u) && !u->left_asked) {
		u->left_asked = true;
		u->bus->ops->leave(u->bus, left, u);
	}
}

void walk_leave(struct walk_unit *u)
{
	if (!u->bus || u->leaving)
		return;
	walk_trace(u, "leaves");
	u->leaving = true;
	walk_close_hosts(u);
}

void walk_leave_on(void)
{
	for (unsigned i = 0; i < walk.len; i++)
		leave_on(&walk.units[i]);
}

static void start_missing(void)
{
	for (unsigned i = 0; i < walk.len; i++)
		if (!walk.units[i].bus)
			walk.engine->start(&walk.units[i]);
	walk_settle(1000); /* whoever is lost is noticed by then */
	walk_until(walk_are_together() && walk_is_quiet());
}

static void stop_faults(void)
{
	walk.keep_writes = walk.keep_pins = walk.fail_writes = false;
	walk.engine->heal();
	for (unsigned i = 0; i < walk.len; i++)
		if (walk.units[i].bus && walk.units[i].leaving)
			walk.engine->stop(&walk.units[i]);
	start_missing();
}

/* What has not been noticed yet is noticed now. */
static void touch_all(uint32_t dev, bool must_do)
{
	for (unsigned i = 0; i < walk.len; i++) {
		int told;

		walk_touch(&walk.units[i], dev, &told);
		walk_until(told);
		assert_true(!must_do || told == 1);
		walk_settle(100);
	}
	walk_until(walk_are_together() && walk_is_quiet());
}

static void start_all_again(void)
{
	walk.counts.nobody_at_end++;
	for (unsigned i = 0; i < walk.len; i++)
		walk.engine->stop(&walk.units[i]);
	start_missing();
}

static void others_leave(const struct walk_unit *u)
{
	for (unsigned i = 0; i < walk.len; i++) {
		struct walk_unit *other = &walk.units[i];

		if (other == u)
			continue;
		walk_leave(other);
		walk_until(!other->bus);
	}
	walk_settle(200); /* that the last has ended is another change of members */
	walk_until(u->view.state == HF_VIEW_ALONE);
}

static void pick_once_more(uint32_t dev)
{
	struct walk_unit *u = walk_one_with_state(dev);
	unsigned word;

	walk.counts.stopped_at_end++;
	if (!u) {
		start_all_again();
		return;
	}
	if (walk.engine->picks_alone)
		others_leave(u);
	walk.picked[dev] = hf_lu_bus_digest(u->lus, dev);
	assert_true(walk_pick(u, dev, &word));
	walk_until(!walk.words[word].out);
	assert_int_equal(walk.words[word].result, 0);
	start_missing();
	assert_false(walk_is_stopped(dev));
	walk.picked[dev] = 0;
}

void walk_come_to_an_end(void)
{
	stop_faults();
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++) {
		if (walk.deleted[dev])
			continue;
		touch_all(dev, false);
		if (walk_is_stopped(dev))
			pick_once_more(dev);
	}
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++) {
		if (walk.deleted[dev])
			continue;
		walk_check_agreed(dev);
		touch_all(dev, true);
		walk_check_agreed(dev);
	}
	walk_check_quiet();
}

static void print_counts(const struct walk_counts *c, double seconds)
{
	fprintf(stderr,
		"%s: %u walks in %.1f s, %.0f a second\n"
		"differences %u, stops %u, resumed %u, states taken %u, given %u, loaded %u\n"
		"killed %u, left %u, cuts and breaks %u, devices deleted %u\n"
		"records %u, failed %u; I/O %u, refused %u; ops %u, GOOD %u, not ready %u, "
		"in doubt %u\n"
		"stopped at the end %u, nobody had a state %u\n"
		"picks %u, where there is no state %u; ended:",
		walk.engine->name, c->walks, seconds, c->walks / (seconds > 0 ? seconds : 1),
		c->differences, c->stops, c->resumes, c->installs, c->copies, c->loads, c->kills,
		c->leaves, c->cuts, c->deletes, c->writes, c->writes_failed, c->ios, c->ios_refused,
		c->ops, c->ops_good, c->ops_not_ready, c->doubts, c->stopped_at_end,
		c->nobody_at_end, c->picks, c->empty_picked);
	for (unsigned i = 0; i < HF_ARRAY_LEN(c->results); i++)
		if (c->results[i])
			fprintf(stderr, " '%s' %u", i ? strerror((int)i) : "done", c->results[i]);
	fputc('\n', stderr);
}

static void random_walks(void **state)
{
	clock_t from = clock();

	for (unsigned i = 0; i < walks; i++) {
		fprintf(stderr, "seed %llu\n", (unsigned long long)(first_seed + i));
		walk.engine->walk(first_seed + i);
	}
	print_counts(&walk.counts, (double)(clock() - from) / (double)CLOCKS_PER_SEC);
}

int walk_main(int argc, char **argv, const struct walk_engine *engine, unsigned count)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_walks)};

	walk.engine = engine;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	count /= 20; /* to which a start costs much */
#endif
	walks = count;
	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		walks = (unsigned)strtoul(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
