/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Policy fence in the group engine: the coordinator of a generation in a part with quorum has the
 * missing made unable to serve; who may have been hit looks before it serves; beats show who may
 * answer (INV-5).
 */
#include "group_int.h"

#include "canary.h"
#include "log.h"

#include <stdatomic.h>

#define MS 1000000ull

/* --- beats (INV-5) --- */

/*
 * One that comes back shows that this controller was in the group when corosync sent it: nobody has
 * gone on without it before, nor does for silence_ms after the group has changed.
 */
void group_fence_beat(struct group *g)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_BEAT, .seq = hf_loop_clock_ns(g->loop)};

	if (g->config.silence_ms && g->live && g->step == GROUP_ACTIVE && !g->checking)
		group_send(g, &m, NULL, 0);
}

void group_fence_beaten(struct group *g, uint64_t sent_ns)
{
	if (g->config.silence_ms && g->step == GROUP_ACTIVE)
		atomic_store_explicit(&g->bus.valid_until_ns, sent_ns + g->config.silence_ms * MS,
			memory_order_relaxed);
}

/* --- policy fence --- */

/* Before anybody has the state, the missing may just be slower to start. */
#define FENCE_AT_START_NS (30000 * MS)
/* Who is back with an old state drops it and leaves by itself, unless it hangs. */
#define FENCE_FALLING_NS (1000 * MS)

/*
 * Also of the record's epoch, when it is newer: its plan may have been heard by the missing only,
 * which serve in it, and have given up the one before.
 */
static uint64_t epoch_of_fence(const struct group *g)
{
	return g->step == GROUP_WAIT ? g->absent_of.epoch
				     : HF_MAX(g->absent_of.epoch, g->plan_epoch);
}

void group_fence_end(struct group *g)
{
	if (g->fence_begun) /* one that has failed may have left something on its way */
		g->fence_out |= !g->bus.owner_ops->fence_end(g->bus.owner);
	g->fence_begun = g->fencing = g->quieting = false;
	g->fence_why[0] = '\0';
}

/* A new ring alone ends no fence: an agent would reset the machine once more that has just booted.
 */
void group_fence_planned(struct group *g)
{
	bool due = g->step == GROUP_FROZEN || g->step == GROUP_WAIT;

	if ((g->fencing || g->quieting) &&
		(!due || g->coordinator != g->config.id || g->absent != g->fence_ids ||
			epoch_of_fence(g) != g->fence_epoch))
		group_fence_end(g);
}

static void fence_missing(struct group *g)
{
	bool due = g->step == GROUP_FROZEN ||
		   (g->step == GROUP_WAIT && group_now(g) > g->sync_since_ns + FENCE_AT_START_NS);

	if (!g->config.fence || !due || g->fencing || g->quieting || g->strike || !g->absent ||
		g->fallen || !group_has_quorum(g) || g->coordinator != g->config.id ||
		g->fence_out || group_now(g) < g->fence_again_ns ||
		(group_plan_falling(g) && group_now(g) < g->told_ns + FENCE_FALLING_NS))
		return;
	if (HF_PLANTED(GROUP_UNFENCED)) {
		g->strike |= g->absent;
		group_view_consider(g);
		return;
	}
	g->fencing = g->fence_begun = true;
	g->fence_ids = g->absent;
	g->fence_epoch = epoch_of_fence(g);
	g->bus.owner_ops->fence_ids(
		g->bus.owner, g->fence_epoch, g->absent, g->absent_of.incarnations);
}

void group_fence_ended(struct group *g)
{
	g->fence_out = false;
	group_tell_if_over(g);
}

void group_fence_check(struct group *g)
{
	g->checking = true;
	if (g->bus.owner_ops->check)
		g->bus.owner_ops->check(g->bus.owner);
	else
		group_fence_checked(g);
}

void group_fence_checked(struct group *g)
{
	g->checking = false;
	group_copy_checked(g);
	group_view_show(g);
}

/* Clocks of two machines may differ a little. */
static void go_on_if_quiet(struct group *g)
{
	uint64_t t = g->config.silence_ms * MS;

	if (HF_PLANTED(GROUP_NOT_QUIET))
		t = 0;
	if (!g->quieting || (g->step != GROUP_FROZEN && g->step != GROUP_WAIT) ||
		group_now(g) < g->told_ns + t + t / 16)
		return;
	g->quieting = false;
	g->fence_struck |= g->fence_ids & ~g->strike;
	g->strike |= g->fence_ids;
	group_view_consider(g);
}

void group_fence_done(struct group *g)
{
	if (!g->fencing)
		return;
	g->fencing = false;
	if (g->fence_result) {
		hf_error(
			"bus: the missing controllers cannot be fenced (%s); commands wait, and it "
			"is tried again; mend the agent, or switch them off and say `holdfast "
			"peer-down`",
			g->fence_why);
		g->fence_again_ns = group_now(g) + 1000 * MS;
		group_view_show(g);
		return;
	}
	hf_notice("bus: %s", g->fence_why);
	g->fence_begun = false; /* every disk has answered */
	g->quieting = true;
	go_on_if_quiet(g);
}

void group_fence_tick(struct group *g)
{
	fence_missing(g);
	go_on_if_quiet(g);
}
