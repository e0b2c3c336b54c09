/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One world: its time, its events, and the phases of a run. What is due is done in an order that
 * the seed decides; the same seed, the same run.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct sim_world *sim;

enum { EXIT_VIOLATION = 2 };

/* --- chance --- */

uint64_t sim_random(struct sim_rng *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t sim_below(struct sim_rng *r, uint64_t n)
{
	return n ? sim_random(r) % n : 0;
}

bool sim_chance(struct sim_rng *r, unsigned per_mille)
{
	return sim_below(r, 1000) < per_mille;
}

uint64_t sim_skewed(struct sim_rng *r, uint64_t low, uint64_t high)
{
	uint64_t span = high > low ? high - low : 0;

	if (sim_below(r, 16))
		span /= 16;
	return low + sim_below(r, span + 1);
}

/* --- memory, telling, failing --- */

void *sim_alloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	hf_assert(p);
	return p;
}

void sim_say(const char *fmt, ...)
{
	va_list ap;

	if (!sim->opt.verbose)
		return;
	printf("%11.6f  ", (double)sim->now / 1e9);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

_Noreturn void sim_fail(const char *oracle, const char *fmt, ...)
{
	int n = snprintf(sim->why, SIM_WHY_MAX, "%s: ", oracle);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sim->why + n, SIM_WHY_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	sim_say("VIOLATION  %s", sim->why);
	fflush(stdout);
	_exit(EXIT_VIOLATION);
}

/* --- events: a binary heap by time, then by order of asking --- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sim_after(uint64_t delay_ns, void (*fire)(void *arg), void *arg)
{
	struct sim_event e = {sim->now + delay_ns, ++sim->seq, fire, arg};
	size_t i = sim->events_len++;

	if (i == sim->events_cap) {
		sim->events_cap = sim->events_cap ? 2 * sim->events_cap : 256;
		sim->events = realloc(sim->events, sim->events_cap * sizeof(e));
		hf_assert(sim->events);
	}
	for (; i && earlier(&e, &sim->events[(i - 1) / 2]); i = (i - 1) / 2)
		sim->events[i] = sim->events[(i - 1) / 2];
	sim->events[i] = e;
}

static struct sim_event take_event(void)
{
	struct sim_event first = sim->events[0], last = sim->events[--sim->events_len];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < sim->events_len) {
		if (child + 1 < sim->events_len &&
			earlier(&sim->events[child + 1], &sim->events[child]))
			child++;
		if (!earlier(&sim->events[child], &last))
			break;
		sim->events[i] = sim->events[child];
		i = child;
	}
	sim->events[i] = last;
	return first;
}

/* --- time --- */

static bool step(uint64_t until)
{
	uint64_t best = sim->events_len ? sim->events[0].at : UINT64_MAX, at;
	struct sim_node *who = NULL;
	unsigned loop, best_loop = 0;

	for (unsigned i = 0; i < sim->nodes_len; i++) {
		at = sim_node_next(&sim->nodes[i], &loop);
		if (at < best) {
			best = at;
			best_loop = loop;
			who = &sim->nodes[i];
		}
	}
	if (best > until) {
		sim->now = HF_MAX(sim->now, until);
		return false;
	}
	sim->now = HF_MAX(sim->now, best);
	sim_count(SIM_COUNT_STEPS);
	if (who) {
		sim_node_turn(who, best_loop);
	} else {
		struct sim_event e = take_event();

		e.fire(e.arg);
	}
	return true;
}

bool sim_run_until(uint64_t until, bool (*done)(void))
{
	while (!done || !done())
		if (!step(until))
			return !done || done();
	return true;
}

/* --- the run --- */

/* Of the seed, but apart from all else that it decides: with --engine the rest stays as it is. */
static void choose_engine(const struct sim_options *opt)
{
	struct sim_rng r = {opt->seed * 41 + 5};
	bool group = sim_chance(&r, 400);
	unsigned len = 2 + (unsigned)sim_below(&r, SIM_NODES_MAX - 1);

	sim->stops_without_quorum = sim_chance(&r, 300);
	if (opt->engine != SIM_ENGINE_ANY)
		group = opt->engine == SIM_ENGINE_GROUP;
	else if (opt->controllers > 2)
		group = true;
	sim->group = group;
	sim->nodes_len = !group ? 2 : opt->controllers ? opt->controllers : len;
}

static void begin(const struct sim_options *opt)
{
	struct sim_rng root = {opt->seed * 2 + 1};
	uint64_t *counts = sim ? sim->counts : NULL;
	char *why = sim ? sim->why : NULL;

	sim = sim_alloc(sizeof(*sim));
	sim->counts = counts ? counts : sim_alloc(SIM_COUNT_MAX * sizeof(uint64_t));
	sim->why = why ? why : sim_alloc(SIM_WHY_MAX);
	sim->opt = *opt;
	sim->now = 10 * SIM_SECOND;
	sim->sched.state = sim_random(&root);
	sim->net.state = sim_random(&root);
	sim->disk.state = sim_random(&root);
	sim->plan.state = sim_random(&root);
	sim->operator_.state = sim_random(&root);
	sim->jitter_high_ns = 20 * SIM_US;
	choose_engine(opt);
	sim->bound_ms = 2500;
	sim->silence_ms = 1000;
}

bool sim_is_together(const struct sim_node *n)
{
	return n->running && n->state == HF_VIEW_TOGETHER &&
	       n->node->bus->view.members == (2u << sim->nodes_len) - 2;
}

static bool all_together(void)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (!sim_is_together(&sim->nodes[i]))
			return false;
	return true;
}

static bool devices_are_there(void)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (sim->nodes[i].node->pool.cur->ldevs_len < SIM_DEVS_BEGIN ||
			sim->nodes[i].node->pool.pending)
			return false;
	return true;
}

static void created(struct hf_pool_prop *p, int result, const char *message)
{
	if (result)
		sim_fail("setup", "a device cannot be created: %s", message);
}

/* d1 spans disks, d2 is striped over two that others use, too (R8, R9). */
static void create_device(unsigned i)
{
	struct hf_pool_op op = {.kind = HF_POOL_CREATE,
		.layout = i == 1 ? HF_LAYOUT_STRIPE : HF_LAYOUT_LINEAR,
		.size_bytes = (i == 0 ? 5 : 2) * (UINT64_C(1) << 20),
		.block_bytes = 512,
		.physical_block_bytes = 4096,
		.stripe_bytes = i == 1 ? 65536 : 0,
		.lun = (int32_t)i,
		.dominant = HF_DOMINANT_DEFAULT,
		.pdevs_len = i == 1 ? 2 : 0};

	if (i == 2)
		op.dominant = 2;
	snprintf(op.name, sizeof(op.name), "d%u", i);
	memset(op.uuid, 0x40 + (int)i, sizeof(op.uuid));
	for (unsigned d = 0; d < op.pdevs_len; d++)
		snprintf(op.pdevs[d], sizeof(op.pdevs[d]), "disk%u", d + 1);
	if (hf_node_pool_propose(sim->nodes[0].node, &op, created, NULL))
		sim_fail("setup", "a device cannot be proposed");
}

static bool disks_are_there(void)
{
	return sim->nodes[0].node->pool.cur->pdevs_len == SIM_DISKS &&
	       !sim->nodes[0].node->pool.pending;
}

void sim_world_prepare(void)
{
	struct sim_options opt = {.seed = 1, .engine = SIM_ENGINE_PAIR};

	begin(&opt);
	sim->preparing = true;
	sim_disks_init(true);
	sim_net_init();
	sim_nodes_init();
	sim_history_init();
	for (unsigned i = 0; i < sim->nodes_len; i++)
		sim_node_start(&sim->nodes[i]);
	if (!sim_run_until(sim->now + 20 * SIM_SECOND, all_together))
		sim_fail("setup", "the controllers do not come together");
	if (!sim_run_until(sim->now + 20 * SIM_SECOND, disks_are_there))
		sim_fail("setup", "the disks do not come into the map");
	for (unsigned i = 0; i < SIM_DEVS_BEGIN; i++)
		create_device(i);
	if (!sim_run_until(sim->now + 20 * SIM_SECOND, devices_are_there))
		sim_fail("setup", "the devices do not come into the map");
	sim_run_until(sim->now + SIM_SECOND, NULL);
	sim_disks_keep();
}

static bool is_quiet(void)
{
	if (!all_together() || !sim_hosts_idle() || !sim_oracle_owes_nothing() ||
		sim_operator_has_work() || !sim_oracle_maps_are_settled())
		return false;
	for (unsigned i = 0; i < sim->nodes_len; i++)
		for (unsigned d = 0; d < SIM_DEVS; d++)
			if (sim->nodes[i].at[d].pending)
				return false;
	return true;
}

/* Two histories have become one again: the disks, too, have to tell that one and no other. */
static void all_start_again(void)
{
	sim_say("-- what counts is agreed on: all controllers are started once more");
	sim_history_is_one();
	sim_oracle_map_is_one();
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		sim_node_crash(&sim->nodes[i], false);
		sim_node_start_later(&sim->nodes[i], sim_below(&sim->sched, SIM_SECOND));
	}
	sim_run_until(sim->now + 40 * SIM_SECOND, is_quiet);
	sim_oracle_quiet();
}

static uint64_t processor_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SIM_SECOND + (uint64_t)ts.tv_nsec;
}

void sim_world_run(const struct sim_options *opt, uint64_t *counts, char *why)
{
	uint64_t start = processor_ns();

	begin(opt);
	sim->counts = counts;
	sim->why = why;
	sim_plan_make();
	sim_fence_init();
	sim_disks_init(false);
	sim_net_init();
	sim_agreed_init();
	sim_nodes_init();
	sim_history_init();
	sim_hosts_init();
	sim_oracle_inv7_init();
	sim_oracle_inv8_init();
	sim_oracle_order_init();
	sim_oracle_attention_init();
	sim_oracle_caw_init();
	sim_oracle_data_init();
	sim_oracle_map_init();
	sim_map_init();
	for (unsigned i = 0; i < sim->nodes_len; i++)
		sim_node_start(&sim->nodes[i]);

	sim->phase = SIM_PHASE_CHAOS;
	sim_plan_start();
	sim_hosts_begin();
	sim_run_until(sim->now + sim_plan_chaos_ns(), NULL);

	sim->phase = SIM_PHASE_HEAL;
	sim_say("-- faults end; everything has to come to an end, too");
	sim_plan_heal();
	sim_run_until(sim->now + 2 * SIM_SECOND, NULL); /* hosts go on for a while */
	sim_hosts_stop();
	sim_run_until(sim->now + 40 * SIM_SECOND, is_quiet);
	sim_oracle_quiet();

	sim->phase = SIM_PHASE_RACE;
	sim_hosts_race();
	sim_run_until(sim->now + 20 * SIM_SECOND, sim_hosts_race_over);
	sim_hosts_race_check();
	sim_run_until(sim->now + 5 * SIM_SECOND, is_quiet);
	sim_oracle_quiet();
	if (sim->two_histories)
		all_start_again();
	sim->phase = SIM_PHASE_OVER;
	sim_nodes_end();
	counts[SIM_COUNT_WORLDS + sim->group]++;
	counts[SIM_COUNT_WORLDS_NS + sim->group] += processor_ns() - start;
}
