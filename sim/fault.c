/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes wrong and when. A plan is made from the seed before the world begins: a handful of
 * entries, each a fault that begins at a time and ends at another. Which kinds may occur at all is
 * drawn first (swarm): a world with few kinds of trouble reaches what a world with all never does.
 *
 * The budget: one machine at a time is out for long, or all at once; records on one disk of three
 * may be damaged behind its owner's back, the other two only refuse, hang, are slow or lose what
 * was not flushed.
 */
#include "fault.h"

#include "checksum.h"

static const char *const names[FAULT_KINDS] = {"cut", "cut one way", "cut of one link", "flapping",
	"reset", "slow network", "pause", "process crash", "machine crash", "crash of all",
	"orderly leave", "EIO", "slow disk", "hanging disk", "torn record", "misdirected record",
	"lost record write", "host drops its session", "slow loops", "peer-down",
	"peer-down of a living peer", "start --alone", "power failure of a disk",
	"power failure of all", "word at a wrong moment", "two histories", "changes of the map"};

static struct {
	struct sim_entry entries[SIM_PLAN_MAX];
	unsigned len;
	uint64_t chaos_ns;
	bool over;
	unsigned bad_disk; /* the one whose records may be damaged */
} plan;

const char *sim_fault_name(unsigned i)
{
	return i < FAULT_KINDS ? names[i] : NULL;
}

uint32_t sim_fault_mask(const char *list)
{
	uint32_t mask = 0;

	for (const char *at = list; at && *at;) {
		size_t len = strcspn(at, "|");
		unsigned k = 0;

		while (k < FAULT_KINDS && (strncmp(names[k], at, len) || names[k][len]))
			k++;
		hf_assert(k < FAULT_KINDS);
		mask |= 1u << k;
		at += len + (at[len] == '|');
	}
	return mask;
}

bool sim_plan_has(const char *list)
{
	uint32_t mask = sim_fault_mask(list);

	for (unsigned i = 0; i < plan.len; i++)
		if (mask >> plan.entries[i].kind & 1)
			return true;
	return false;
}

unsigned sim_plan_len(void)
{
	return plan.len;
}

uint64_t sim_plan_chaos_ns(void)
{
	return plan.chaos_ns;
}

/* Some worlds of a pair take their time. Drawn beside the others, which stay as they are. */
static bool may_be_long(void)
{
	return hf_digest64(sim->opt.seed, "long", 4) % (sim->opt.only ? 3 : 8) == 0;
}

void sim_plan_make(void)
{
	bool may[FAULT_KINDS], is_long;
	unsigned kinds = 0;

	memset(&plan, 0, sizeof(plan));
	sim->fences = sim_chance(&sim->plan, 500);
	sim->driver = !sim->fences ? HF_CONFIG_FENCE_NONE
				   : HF_CONFIG_FENCE_COMMAND + sim_below(&sim->plan, 3);
	if (sim->opt.driver) {
		sim->fences = true;
		sim->driver = sim->opt.driver;
	}
	sim->luns = sim->driver == HF_CONFIG_FENCE_PR;
	sim->luns_keep = sim_chance(&sim->plan, 850);
	/* Short bounds bring about in seconds what long ones would in minutes. */
	sim->bound_ms = sim_chance(&sim->plan, sim->opt.only ? 100 : 500)
				? 2500
				: 100 + (unsigned)sim_below(&sim->plan, 900);
	sim->silence_ms = sim_chance(&sim->plan, 700) ? 1000 : 300;
	plan.bad_disk = (unsigned)sim_below(&sim->plan, SIM_DISKS);
	plan.chaos_ns = 2 * SIM_SECOND + sim_below(&sim->plan, 8 * SIM_SECOND);
	for (unsigned i = 0; i < FAULT_KINDS; i++) {
		may[i] = sim_chance(&sim->plan, 350);
		if (sim->opt.only)
			may[i] = sim->opt.only & 1u << i;
		kinds += may[i];
	}
	is_long = !sim->group && may[FAULT_CUT] && may_be_long();
	if (is_long)
		plan.chaos_ns *= 3;
	plan.len = kinds ? (unsigned)sim_below(&sim->plan, SIM_PLAN_MAX + 1) : 0;
	if (sim->opt.only)
		plan.len = HF_MAX(plan.len, SIM_PLAN_MAX / 2u);
	for (unsigned i = 0; i < plan.len; i++) {
		struct sim_entry *e = &plan.entries[i];

		e->index = i;
		do
			e->kind = (enum sim_fault)sim_below(&sim->plan, FAULT_KINDS);
		while (!may[e->kind]);
		e->at = sim_below(&sim->plan, plan.chaos_ns);
		e->lasts = sim_skewed(&sim->plan, 5 * SIM_MS, 5 * SIM_SECOND);
		if (sim_chance(&sim->plan, 400))
			e->lasts = SIM_SECOND + sim_below(&sim->plan, 3 * SIM_SECOND);
		if (e->kind == FAULT_TWO) /* silence, and each word is looked at for two seconds */
			e->lasts += 5 * SIM_SECOND;
		/* Whoever starts meanwhile has waited for long enough. */
		if (e->kind == FAULT_CUT && is_long)
			e->lasts = 4 * SIM_SECOND + e->lasts * 5;
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

bool sim_faults_over(void)
{
	return plan.over;
}

void sim_start_again(void *arg)
{
	struct sim_node *n = arg;

	n->machine_up = true;
	if (!n->running)
		sim_node_start(n);
}

void sim_crash(struct sim_node *n, bool machine, uint64_t lasts)
{
	sim_node_crash(n, machine);
	sim_after(lasts, sim_start_again, n);
}

static void all_crash(struct sim_entry *e)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		sim_crash(
			&sim->nodes[i], e->a & 2, e->lasts / 4 + sim_below(&sim->sched, e->lasts));
}

/* Of all disks, or some; of all machines, too. */
static void power_fails(struct sim_entry *e)
{
	if (e->kind == FAULT_SITE_POWER) {
		e->a |= 2;
		all_crash(e);
	}
	for (unsigned i = 0; i < SIM_DISKS; i++) {
		bool fails = e->kind == FAULT_SITE_POWER || e->a % SIM_DISKS == i ||
			     (e->b & 1 && e->b >> 1 & 1u << i);

		if (!fails)
			continue;
		sim_say("disk %u loses its power", i);
		sim_disk_power_fails(i);
		if (e->kind == FAULT_DISK_POWER)
			sim_disk_fault(i, SIM_DISK_EIO, 1000, 0);
	}
}

/*
 * Every other time not the disk: others reach it, and serve what lies on it. 0: the disk. Of a pair
 * that is so where the disk tells them apart (SIM_DISK_HANG in disk.c).
 */
static unsigned way_that_fails(const struct sim_entry *e)
{
	uint64_t chance = e->a / SIM_DISKS;

	if (!(sim->group && e->kind <= FAULT_HANG_DISK) &&
		!(sim->luns && e->kind == FAULT_HANG_DISK))
		return 0;
	return chance & 1 ? 1 + (unsigned)(chance / 2 % sim->nodes_len) : 0;
}

static void begin(void *arg)
{
	static const enum sim_disk_fault disk_faults[FAULT_KINDS] = {[FAULT_EIO] = SIM_DISK_EIO,
		[FAULT_SLOW_DISK] = SIM_DISK_SLOW,
		[FAULT_HANG_DISK] = SIM_DISK_HANG,
		[FAULT_TORN] = SIM_DISK_TORN,
		[FAULT_MISDIRECT] = SIM_DISK_MISDIRECT,
		[FAULT_LOSE] = SIM_DISK_LOSE};
	struct sim_entry *e = arg;
	unsigned disk = (unsigned)(e->a % SIM_DISKS), path;

	if (plan.over)
		return;
	sim_count(SIM_COUNT_FAULTS + e->kind);
	sim_say("fault %u: %s, for %.3f s", e->index, names[e->kind], (double)e->lasts / 1e9);
	if (sim_fault_net_begin(e))
		return;
	switch (e->kind) {
	case FAULT_PAUSE:
		sim_node_pause(node_of(e->a), true);
		break;
	case FAULT_PROCESS:
		sim_crash(node_of(e->a), false, e->lasts);
		break;
	case FAULT_MACHINE:
		sim_crash(node_of(e->a), true, e->lasts);
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
		path = way_that_fails(e);
		sim_disk_fault(
			disk, disk_faults[e->kind], path ? 1000 : (unsigned)(e->b % 1000), path);
		break;
	case FAULT_LOGOUT:
		sim_host_logout((unsigned)(e->a % sim->hosts_len), 1 + e->b % sim->nodes_len);
		break;
	case FAULT_SLOW_LOOPS:
		sim->jitter_high_ns = e->a % (50 * SIM_MS);
		break;
	case FAULT_PEER_DOWN:
	case FAULT_PEER_DOWN_WRONG:
		sim_operator_peer_down(e->kind == FAULT_PEER_DOWN_WRONG);
		break;
	case FAULT_ALONE:
		sim_operator_alone(node_of(e->a));
		break;
	case FAULT_DISK_POWER:
	case FAULT_SITE_POWER:
		power_fails(e);
		break;
	case FAULT_WORD:
		sim_words_wrong(node_of(e->a), e->b);
		break;
	case FAULT_TWO:
		sim_words_two_histories(e);
		break;
	case FAULT_MAP:
		sim_map_changes(e);
		break;
	default:
		break;
	}
}

static void end(void *arg)
{
	struct sim_entry *e = arg;

	if (plan.over || sim_fault_net_end(e))
		return;
	switch (e->kind) {
	case FAULT_PAUSE:
		sim_node_pause(node_of(e->a), false);
		break;
	case FAULT_EIO:
	case FAULT_SLOW_DISK:
	case FAULT_HANG_DISK:
	case FAULT_TORN:
	case FAULT_MISDIRECT:
	case FAULT_LOSE:
	case FAULT_DISK_POWER:
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
		struct sim_entry *e = &plan.entries[i];

		if (sim->opt.skip & 1u << i)
			continue;
		sim_after(e->at, begin, e);
		sim_after(e->at + e->lasts, end, e);
	}
}

void sim_plan_heal(void)
{
	plan.over = true;
	sim_fault_net_heal();
	sim_disks_heal();
	sim->jitter_high_ns = 20 * SIM_US;
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		struct sim_node *n = &sim->nodes[i];

		sim_node_pause(n, false);
		n->machine_up = true;
		if (!n->running)
			sim_after(sim_below(&sim->sched, 500 * SIM_MS), sim_start_again, n);
	}
	sim_operator_heal();
}
