/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator has picked whose state of a stopped logical unit counts (W18; bus.h, `pick`). Here
 * it is made sure that nothing of the dropped state is on its way: commands and jobs that it has
 * admitted, and its record. The picked one's record is written again, for the other may have
 * written last. Control loop; nothing new is admitted meanwhile, for the unit is stopped.
 */
#include "lu_internal.h"

static void done(struct hf_lu *lu, int result)
{
	struct hf_bus *bus = lu->table->bus;

	if (bus && !lu->removed) /* else the process ends */
		bus->ops->pick_done(bus, lu->info->id, lu->pick_n, result);
}

void lu_pick_go(struct hf_lu *lu)
{
	if (!lu->pick_wanted || lu->records_out)
		return;
	if (!lu->pick_mine && (lu->clearing || lu_job_is_out(lu)))
		return;
	lu->pick_wanted = false;
	/* What is lost to this controller may be found again: nothing is written over it. */
	if (lu->pick_mine && lu->table->config.persist && !lu->removed &&
		!hf_resv_is_lost(lu->cur)) {
		lu->pick_saving = true;
		lu_record_write(lu, lu->cur);
	} else {
		done(lu, 0);
	}
}

/* If another pick has come meanwhile, it has a number of its own and is still wanted. */
void lu_pick_saved(struct hf_lu *lu, int result)
{
	lu->pick_saving = false;
	if (!lu->pick_wanted)
		done(lu, result);
}

static void clear(struct hf_lu *lu)
{
	lu->clearing = true;
	lu->clear_void = false;
	lu->refs++;
	lu_change_send(lu, LU_CHANGE_CLEAR);
}

void lu_pick_cleared(struct hf_lu *lu)
{
	lu->clearing = false;
	/* Asked for anew while the unit went on and stopped again. */
	if (lu->clear_void && lu->pick_wanted && !lu->pick_mine)
		clear(lu);
	lu_pick_go(lu);
	lu_unref(lu);
}

void lu_pick_over(struct hf_lu *lu)
{
	lu->pick_wanted = false;
	if (!lu->clearing || lu->clear_void)
		return;
	lu->clear_void = true;
	lu_change_send(lu, LU_CHANGE_UNCLEAR);
}

void hf_lu_bus_pick(struct hf_lu_table *t, uint32_t dev, uint64_t n, bool mine)
{
	struct hf_lu *lu = lu_find(t, dev);

	hf_assert(lu);
	lu->pick_wanted = true;
	lu->pick_mine = mine;
	lu->pick_n = n;
	if (!mine && !lu->clearing)
		clear(lu);
	lu_pick_go(lu);
}
