/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes wrong and when. A plan is made from the seed before the world begins: a handful of
 * entries, each a fault that begins at a time and ends at another. Which kinds may occur at all is
 * drawn first (swarm): a world with few kinds of trouble reaches what a world with all never does.
 *
 * The budget: one machine at a time is out for long, or all at once; records on one disk of three
 * may be damaged behind its owner's back, the other two only refuse, hang or are slow.
 */
#include "sim.h"

enum sim_fault {
	FAULT_CUT,
	FAULT_CUT_ONE_WAY,
	FAULT_CUT_LINK,
	FAULT_FLAP,
	FAULT_RESET,
	FAULT_SLOW_NET,
	FAULT_PAUSE,
	FAULT_PROCESS,
	FAULT_MACHINE,
	FAULT_BOTH,
	FAULT_LEAVE,
	FAULT_EIO,
	FAULT_SLOW_DISK,
	FAULT_HANG_DISK,
	FAULT_TORN,
	FAULT_MISDIRECT,
	FAULT_LOSE,
	FAULT_LOGOUT,
	FAULT_SLOW_LOOPS,
	FAULT_PEER_DOWN,
	FAULT_PEER_DOWN_WRONG,
	FAULT_ALONE,
	FAULT_KINDS
};

static const char *const names[FAULT_KINDS] = {"cut", "cut one way", "cut of one link", "flapping",
	"reset", "slow network", "pause", "process crash", "machine crash", "crash of all",
	"orderly leave", "EIO", "slow disk", "hanging disk", "torn record", "misdirected record",
	"lost record write", "host drops its session", "slow loops", "peer-down",
	"peer-down of a living peer", "start --alone"};

struct entry {
	enum sim_fault kind;
	unsigned index;
	uint64_t at, lasts;
	uint64_t a, b;
};

static struct {
	struct entry entries[SIM_PLAN_MAX];
	unsigned len;
	uint64_t chaos_ns;
	bool over;
	unsigned bad_disk; /* the one whose records may be damaged */
} plan;

const char *sim_fault_name(unsigned i)
{
	return i < FAULT_KINDS ? names[i] : NULL;
}

unsigned sim_plan_len(void)
{
	return plan.len;
}

uint64_t sim_plan_chaos_ns(void)
{
	return plan.chaos_ns;
}

void sim_plan_make(void)
{
	bool may[FAULT_KINDS];
	unsigned kinds = 0;

	memset(&plan, 0, sizeof(plan));
	sim->fences = sim_chance(&sim->plan, 400);
	/* Short bounds bring about in seconds what long ones would in minutes. */
	sim->bound_ms =
		sim_chance(&sim->plan, 500) ? 2500 : 100 + (unsigned)sim_below(&sim->plan, 900);
	sim->silence_ms = sim_chance(&sim->plan, 700) ? 1000 : 300;
	plan.bad_disk = (unsigned)sim_below(&sim->plan, SIM_DISKS);
	plan.chaos_ns = 2 * SIM_SECOND + sim_below(&sim->plan, 8 * SIM_SECOND);
	for (unsigned i = 0; i < FAULT_KINDS; i++) {
		may[i] = sim_chance(&sim->plan, 350);
		kinds += may[i];
	}
	plan.len = kinds ? (unsigned)sim_below(&sim->plan, SIM_PLAN_MAX + 1) : 0;
	for (unsigned i = 0; i < plan.len; i++) {
		struct entry *e = &plan.entries[i];

		e->index = i;
		do
			e->kind = (enum sim_fault)sim_below(&sim->plan, FAULT_KINDS);
		while (!may[e->kind]);
		e->at = sim_below(&sim->plan, plan.chaos_ns);
		e->lasts = sim_skewed(&sim->plan, 5 * SIM_MS, 5 * SIM_SECOND);
		if (sim_chance(&sim->plan, 400))
			e->lasts = SIM_SECOND + sim_below(&sim->plan, 3 * SIM_SECOND);
		e->a = sim_random(&sim->plan);
		e->b = sim_random(&sim->plan);
	}
	if (sim->opt.chaos_ms)
		plan.chaos_ns = sim->opt.chaos_ms * SIM_MS;
}

/* --- carrying it out --- */

static struct sim_node *node_of(uint64_t a)
{
	return &sim->nodes[a % sim->nodes_len];
}

static void cut(unsigned from, unsigned to, bool is_cut)
{
	for (unsigned l = 0; l < SIM_LINKS; l++)
		sim_net_cut(from, to, l, is_cut);
}

static void cut_both(bool is_cut)
{
	cut(1, 2, is_cut);
	cut(2, 1, is_cut);
}

static void start_again(void *arg)
{
	struct sim_node *n = arg;

	n->machine_up = true;
	if (!n->running)
		sim_node_start(n);
}

static void crash(struct sim_node *n, bool machine, uint64_t lasts)
{
	sim_node_crash(n, machine);
	sim_after(lasts, start_again, n);
}

/* The operator's word needs that it is true: the peer is dead and its I/O is over. */
static void peer_down(bool wrong)
{
	char message[300];

	/* One such error is survived; two, one at each, are two histories (doc/simulator.md). */
	if (wrong && sim->operator_erred)
		return;
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		struct sim_node *n = &sim->nodes[i], *peer = &sim->nodes[!i];
		struct hf_bus *bus = n->running ? n->node->bus : NULL;
		bool untrue = peer->running || sim_disk_busy(peer->id);

		if (!bus || n->paused ||
			(n->state != HF_VIEW_FROZEN && (wrong || n->state != HF_VIEW_RACING)))
			continue;
		if (!wrong && untrue)
			continue;
		if (bus->ops->peer_down(bus, message, sizeof(message)) < 0) {
			sim_say("peer-down is refused by controller %u: %s", n->id, message);
			continue;
		}
		sim_say("the operator tells controller %u that its peer is down%s", n->id,
			untrue ? ", which is not true" : "");
		sim->operator_erred |= untrue;
		return;
	}
}

/* Never with the acceptance of a loss. */
static void go_alone(uint64_t a)
{
	struct sim_node *n = node_of(a), *peer = node_of(a + 1);
	struct hf_bus *bus = n->running ? n->node->bus : NULL;
	char message[300];

	if (!bus || n->paused || peer->running || sim_disk_busy(peer->id))
		return;
	if (bus->ops->go_alone(bus, false, message, sizeof(message)) < 0)
		sim_say("--alone is refused by controller %u: %s", n->id, message);
	else
		sim_say("controller %u is started with --alone", n->id);
}

static void flap(void *arg)
{
	struct entry *e = arg;

	if (plan.over || sim->now > e->b)
		return;
	e->a ^= 1;
	cut_both(e->a & 1);
	sim_after(20 * SIM_MS + sim_below(&sim->net, 1500 * SIM_MS), flap, e);
}

static void all_crash(struct entry *e)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		crash(&sim->nodes[i], e->a & 2, e->lasts / 4 + sim_below(&sim->sched, e->lasts));
}

static void begin(void *arg)
{
	static const enum sim_disk_fault disk_faults[FAULT_KINDS] = {[FAULT_EIO] = SIM_DISK_EIO,
		[FAULT_SLOW_DISK] = SIM_DISK_SLOW,
		[FAULT_HANG_DISK] = SIM_DISK_HANG,
		[FAULT_TORN] = SIM_DISK_TORN,
		[FAULT_MISDIRECT] = SIM_DISK_MISDIRECT,
		[FAULT_LOSE] = SIM_DISK_LOSE};
	struct entry *e = arg;
	unsigned from = 1 + e->a % 2, disk = (unsigned)(e->a % SIM_DISKS);

	if (plan.over)
		return;
	sim_count(SIM_COUNT_FAULTS + e->kind);
	sim_say("fault %u: %s, for %.3f s", e->index, names[e->kind], (double)e->lasts / 1e9);
	switch (e->kind) {
	case FAULT_CUT:
		cut_both(true);
		break;
	case FAULT_CUT_ONE_WAY:
		cut(from, 3 - from, true);
		break;
	case FAULT_CUT_LINK:
		sim_net_cut(from, 3 - from, e->b % SIM_LINKS, true);
		break;
	case FAULT_FLAP:
		e->b = sim->now + e->lasts;
		flap(e);
		break;
	case FAULT_RESET:
		sim_net_reset(e->a % SIM_LINKS);
		if (e->a & 4)
			sim_net_reset((e->a + 1) % SIM_LINKS);
		break;
	case FAULT_SLOW_NET:
		sim_net_slow(e->a % (300 * SIM_MS));
		break;
	case FAULT_PAUSE:
		sim_node_pause(node_of(e->a), true);
		break;
	case FAULT_PROCESS:
		crash(node_of(e->a), false, e->lasts);
		break;
	case FAULT_MACHINE:
		crash(node_of(e->a), true, e->lasts);
		break;
	case FAULT_BOTH:
		all_crash(e);
		break;
	case FAULT_LEAVE:
		sim_node_leave(node_of(e->a));
		break;
	case FAULT_TORN:
	case FAULT_MISDIRECT:
	case FAULT_LOSE:
		disk = plan.bad_disk;
		/* fall through */
	case FAULT_EIO:
	case FAULT_SLOW_DISK:
	case FAULT_HANG_DISK:
		sim_disk_fault(disk, disk_faults[e->kind], (unsigned)(e->b % 1000));
		break;
	case FAULT_LOGOUT:
		sim_host_logout((unsigned)(e->a % sim->hosts_len), 1 + e->b % sim->nodes_len);
		break;
	case FAULT_SLOW_LOOPS:
		sim->jitter_high_ns = e->a % (50 * SIM_MS);
		break;
	case FAULT_PEER_DOWN:
	case FAULT_PEER_DOWN_WRONG:
		peer_down(e->kind == FAULT_PEER_DOWN_WRONG);
		break;
	case FAULT_ALONE:
		go_alone(e->a);
		break;
	case FAULT_KINDS:
		break;
	}
}

static void end(void *arg)
{
	struct entry *e = arg;

	if (plan.over)
		return;
	switch (e->kind) {
	case FAULT_CUT:
	case FAULT_CUT_ONE_WAY:
	case FAULT_CUT_LINK:
	case FAULT_FLAP:
	case FAULT_SLOW_NET:
		sim_net_heal();
		break;
	case FAULT_PAUSE:
		sim_node_pause(node_of(e->a), false);
		break;
	case FAULT_EIO:
	case FAULT_SLOW_DISK:
	case FAULT_HANG_DISK:
	case FAULT_TORN:
	case FAULT_MISDIRECT:
	case FAULT_LOSE:
		sim_disks_heal();
		break;
	case FAULT_SLOW_LOOPS:
		sim->jitter_high_ns = 20 * SIM_US;
		break;
	default:
		break;
	}
}

void sim_plan_start(void)
{
	for (unsigned i = 0; i < plan.len; i++) {
		struct entry *e = &plan.entries[i];

		if (sim->opt.skip & 1u << i)
			continue;
		sim_after(e->at, begin, e);
		sim_after(e->at + e->lasts, end, e);
	}
}

static void broken(struct hf_lu_admin_op *a, int result, const struct hf_resv_verdict *verdict)
{
}

/* What is lost the operator clears, once the disks are well. */
static void clear_what_is_lost(void *arg)
{
	for (unsigned i = 0; i < SIM_DEVS; i++) {
		struct sim_life *l = sim->devs[i].life;
		struct sim_node *n = &sim->nodes[0];
		struct hf_lu_admin_op *a;

		if (!l || !l->states[l->len - 1].s.lost || !n->running)
			continue;
		sim_say("the operator breaks what is lost of device %u", i);
		a = sim_alloc(sizeof(*a));
		a->dev = sim->devs[i].id;
		a->op.kind = HF_RESV_BREAK;
		a->done = broken;
		hf_lu_admin_propose(n->node->lus, a);
	}
	sim_after(2 * SIM_SECOND, clear_what_is_lost, NULL);
}

/* Two that both went on alone wait for the operator: one of them is started again. */
static void look_for_two_alone(void *arg)
{
	if (sim->nodes[0].state == HF_VIEW_ALONE && sim->nodes[1].state == HF_VIEW_ALONE &&
		sim->nodes[0].running && sim->nodes[1].running) {
		sim_say("both are alone: the operator starts controller 2 again");
		crash(&sim->nodes[1], false, 100 * SIM_MS);
	}
	sim_after(2 * SIM_SECOND, look_for_two_alone, NULL);
}

void sim_plan_heal(void)
{
	plan.over = true;
	sim_net_heal();
	sim_disks_heal();
	sim->jitter_high_ns = 20 * SIM_US;
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		struct sim_node *n = &sim->nodes[i];

		sim_node_pause(n, false);
		n->machine_up = true;
		if (!n->running)
			sim_after(sim_below(&sim->sched, 500 * SIM_MS), start_again, n);
	}
	sim_after(2 * SIM_SECOND, look_for_two_alone, NULL);
	sim_after(2 * SIM_SECOND, clear_what_is_lost, NULL);
}
