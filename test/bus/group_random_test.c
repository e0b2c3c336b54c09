/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The group engine under everything at once: commands on all controllers, parts that lose each
 * other with messages delivered here and not there, crashes and restarts, drains and records that
 * fail. In every other run also: machines that stand still, a corosync that ends or loses a change
 * of members, quorum that comes and goes, orderly leaves, true words of the operator, a view record
 * that is slow or fails. Then the faults stop, and all must come to an end (INV-9). Usage:
 * group_random [SEED [RUNS]]
 */
#include "band.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CMDS = 300, RANGES = 40 };

static uint64_t first_seed = 1;
static unsigned runs = 150;

static bool hard;
/* Who has been told to leave; who has left, and its daemon has not ended yet. */
static bool leaving[BAND_MAX], gone[BAND_MAX];
static struct band_cmd cmds[CMDS];
static unsigned cmds_len;

struct range_req {
	struct hf_bus_range range;
	struct band_node *node;
	uint64_t incarnation;
	bool out, granted;
};
static struct range_req ranges[RANGES];

static void range_granted(struct hf_bus_range *r, int result)
{
	struct range_req *q = hf_container_of(r, struct range_req, range);

	assert_true(q->out && !q->granted);
	q->granted = result == 0;
	q->out = result == 0;
	for (unsigned i = 0; i < RANGES && q->granted; i++) { /* atomic: nobody else is in it */
		const struct range_req *o = &ranges[i];

		if (o != q && o->granted && o->range.dev == r->dev)
			assert_true(o->range.lba >= r->lba + r->blocks ||
				    r->lba >= o->range.lba + o->range.blocks);
	}
}

static bool is_running(const struct band_node *o)
{
	return o->bus != NULL;
}

static void random_cmd(void)
{
	unsigned i = band_random(band.len);
	uint32_t dev = band_random(BAND_DEVS);
	uint8_t kind = band_random(2) ? BAND_RESERVE : BAND_RELEASE;
	uint8_t host = band.nodes[i].devs[dev].holder;

	if (cmds_len == CMDS || !is_running(&band.nodes[i]) || leaving[i])
		return;
	if (kind == BAND_RESERVE || !host)
		host = (uint8_t)(1 + band_random(5));
	if (band_random(3) == 0)
		kind |= BAND_PERSIST;
	cmds[cmds_len].prop.owed = false;
	band_propose(&cmds[cmds_len++], i, dev, kind, host);
}

static void random_range(void)
{
	struct range_req *q = &ranges[band_random(RANGES)];
	unsigned i = band_random(band.len);

	if (q->out && band_random(2)) {
		q->out = q->granted = false;
		hf_bus_range_release(q->node->bus, &q->range);
	} else if (!q->out && is_running(&band.nodes[i]) && !leaving[i]) {
		memset(q, 0, sizeof(*q));
		q->range.dev = band_random(BAND_DEVS);
		q->range.lba = band_random(20);
		q->range.blocks = 1 + band_random(4);
		q->range.granted = range_granted;
		q->node = &band.nodes[i];
		q->out = true;
		hf_bus_range_acquire(q->node->bus, &q->range);
	}
}

static void release_all(struct band_node *o)
{
	for (unsigned k = 0; k < RANGES; k++) {
		struct range_req *q = &ranges[k];

		if (q->node != o || !q->granted)
			continue;
		q->out = q->granted = false;
		hf_bus_range_release(o->bus, &q->range);
	}
}

static void killed(struct band_node *o)
{
	leaving[o->index] = gone[o->index] = false;
	for (unsigned k = 0; k < cmds_len; k++) /* their hosts hear nothing any more */
		if (cmds[k].node == o && !cmds[k].answered)
			cmds[k].answered = cmds[k].doubted = true;
	for (unsigned k = 0; k < RANGES; k++)
		if (ranges[k].node == o)
			ranges[k].out = ranges[k].granted = false;
}

/* --- faults --- */

static void left(void *arg)
{
	gone[((struct band_node *)arg)->index] = true;
}

static void leave(struct band_node *o)
{
	if (!is_running(o) || leaving[o->index])
		return;
	leaving[o->index] = o->left = true; /* its ports are closed */
	for (unsigned k = 0; k < RANGES; k++)
		if (ranges[k].node == o && ranges[k].out) {
			ranges[k].out = ranges[k].granted = false;
			hf_bus_range_release(o->bus, &ranges[k].range);
		}
	o->bus->ops->leave(o->bus, left, o);
}

static void end_who_has_left(void)
{
	for (unsigned i = 0; i < band.len; i++)
		if (gone[i] && is_running(&band.nodes[i]) && band_random(20) == 0)
			band_kill(i);
}

/* True: whoever is missing here does not run. */
static void say_peer_down(struct band_node *o)
{
	char text[256];

	if (!is_running(o) || o->in.len)
		return;
	for (unsigned k = 0; k < band.len; k++) {
		const struct band_node *p = &band.nodes[k];

		if (is_running(p) && (p->part != o->part || !p->joined))
			return;
	}
	o->bus->ops->peer_down(o->bus, text, sizeof(text));
}

static void flap(unsigned index)
{
	for (unsigned k = 0; k < band.len; k++)
		if (!band.nodes[k].joined || band.nodes[k].part != band.nodes[0].part)
			return;
	band_flap(index);
}

static void change_quorum(unsigned votes)
{
	band.quorum = votes;
	for (unsigned k = 0; k < band.len; k++)
		band.nodes[k].quorum_due = band.nodes[k].joined;
}

static void hard_fault(struct band_node *o)
{
	switch (band_random(8)) {
	case 0:
	case 1:
		o->deaf = is_running(o) && !o->deaf;
		return;
	case 2:
		if (is_running(o))
			band_lost(o->index);
		return;
	case 3:
		leave(o);
		return;
	case 4:
		change_quorum(band_random(3) ? 0 : band.len + 1);
		return;
	case 5:
		if (band_random(2))
			band.record.fail = !band.record.fail;
		else
			band.record.unreadable = !band.record.unreadable;
		return;
	case 6:
		say_peer_down(o);
		return;
	case 7:
		flap(o->index);
		return;
	}
}

static void random_fault(void)
{
	unsigned i = band_random(band.len);
	unsigned part[BAND_MAX] = {0};

	if (hard && band_random(3)) {
		hard_fault(&band.nodes[i]);
		return;
	}
	switch (band_random(8)) {
	case 0:
	case 1:
		for (unsigned k = 0; k < band.len; k++)
			part[k] = band_random(2 + band_random(2));
		band_parts(part);
		return;
	case 2:
		band_heal();
		return;
	case 3:
		if (is_running(&band.nodes[i]))
			band_kill(i);
		return;
	case 4:
		if (!is_running(&band.nodes[i]))
			band_start(i);
		return;
	case 5:
		band.nodes[i].keep_drain = !band.nodes[i].keep_drain;
		return;
	case 6:
		band.nodes[i].fail_drain = !band.nodes[i].fail_drain;
		return;
	case 7:
		if (band.fence && band_random(2)) {
			band.fence_fails = !band.fence_fails;
			return;
		}
		band.nodes[i].fail_persist = !band.nodes[i].fail_persist;
		return;
	}
}

static void stop_faults(void)
{
	band.record.fail = band.record.unreadable = false;
	change_quorum(0);
	for (unsigned i = 0; i < band.len; i++) {
		struct band_node *o = &band.nodes[i];

		o->keep_drain = o->fail_drain = o->fail_persist = o->deaf = false;
		if (leaving[i] && is_running(o))
			band_kill(i);
		if (!is_running(o))
			band_start(i);
	}
	band.fence_fails = true; /* whoever is back is needed by the end */
	band_heal();
	for (unsigned k = 0; k < RANGES; k++)
		if (ranges[k].out && ranges[k].granted) {
			ranges[k].out = ranges[k].granted = false;
			hf_bus_range_release(ranges[k].node->bus, &ranges[k].range);
		}
}

static bool all_done(void)
{
	for (unsigned i = 0; i < band.len; i++)
		if (band.nodes[i].view.state != HF_VIEW_TOGETHER ||
			band.nodes[i].view.members != (2u << band.len) - 2)
			return false;
	for (unsigned k = 0; k < cmds_len; k++)
		if (!cmds[k].answered)
			return false;
	return true;
}

static void check_end(void)
{
	for (unsigned k = 0; k < cmds_len; k++) {
		bool applied = band.applied[cmds[k].op.id] > 0;

		if (!cmds[k].doubted && applied != (cmds[k].how == HF_BUS_ANSWER_APPLIED))
			fprintf(stderr, "op %u: answer %d, applied %d\n", cmds[k].op.id,
				cmds[k].how, applied);
		if (cmds[k].doubted)
			continue;
		if (cmds[k].how == HF_BUS_ANSWER_APPLIED)
			assert_true(applied);
		else /* INV-7: it has changed nothing, anywhere */
			assert_false(applied);
	}
	for (uint32_t dev = 0; dev < BAND_DEVS; dev++) {
		for (unsigned i = 0; i < band.len; i++) {
			assert_int_equal(band.nodes[i].devs[dev].n, band.nodes[0].devs[dev].n);
			assert_int_equal(
				band.nodes[i].devs[dev].chain, band.nodes[0].devs[dev].chain);
			assert_int_equal(band.nodes[i].stops, 0);
		}
		assert_true(band.nodes[0].devs[dev].n >= band.settled[dev]); /* INV-6 */
	}
}

static void one_run(uint64_t seed, unsigned *faults)
{
	unsigned steps;

	band_set_up(2 + (unsigned)(seed % 4), seed * 7919);
	memset(ranges, 0, sizeof(ranges));
	memset(leaving, 0, sizeof(leaving));
	memset(gone, 0, sizeof(gone));
	hard = seed % 2;
	band.slow_records = seed % 4 == 1;
	cmds_len = 0;
	band.lossy = true;
	band.on_out = release_all;
	band.on_kill = killed;
	band.fence = band.slow_fences = seed % 3 == 0;
	band.gives_up = seed % 6 == 0;
	band_together();
	steps = 400 + band_random(1200);
	for (unsigned s = 0; s < steps; s++) {
		end_who_has_left();
		if (band_random(8) == 0)
			random_cmd();
		if (band_random(40) == 0)
			random_range();
		if (band_random(60) == 0) {
			random_fault();
			++*faults;
		}
		if (band_random(30) == 0 || !band_step())
			band_pass_ms(1 + band_random(400));
	}
	stop_faults();
	band_until(all_done());
	band_settle();
	check_end();
	band_tear_down();
}

static void random_runs(void **state)
{
	unsigned faults = 0;

	for (unsigned i = 0; i < runs; i++) {
		fprintf(stderr, "seed %llu\n", (unsigned long long)(first_seed + i));
		one_run(first_seed + i, &faults);
	}
	fprintf(stderr, "%u runs, %u faults\n", runs, faults);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_runs)};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		runs = (unsigned)strtoul(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
