/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The race of the policy `fence` (design 6): who may go on without the other. The order is what
 * makes it safe: the record still names this controller; the peer can do nothing any more, which
 * the fence has found out; T has passed in which the peer got no echo, so that its answers have
 * ended, too; the record names only this controller. Each second a step that failed is tried again.
 */
#include "view_int.h"
#include "canary.h"

#include <inttypes.h>

void hf_view_race_start(
	struct hf_view_machine *v, struct hf_view_update *u, bool restarted, const char *why)
{
	v->fenced = HF_PLANTED(GO_ON_UNFENCED);
	v->quiet = false;
	v->gone_why = "was fenced";
	hf_view_out(u, HF_VIEW_DO_DOWN);
	hf_view_become(v, u, HF_VIEW_RACING, v->view.members, v->view.members,
		restarted ? "racing: %.70s; commands wait until the view record is written"
			  : "racing: %.70s; commands wait until one controller is fenced",
		why);
	if (!restarted)
		hf_view_out(u, HF_VIEW_DO_QUIET);
	if (v->job == HF_VIEW_JOB_NONE)
		hf_view_job_start(v, u, restarted ? HF_VIEW_JOB_REMOVE : HF_VIEW_JOB_FENCE);
	/* Else it has said that it leaves, or was seen without memory: nothing of it is in flight.
	 */
}

void hf_view_race_end(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (!v->fence_begun)
		return;
	v->fence_begun = false;
	v->fence_out = true;
	hf_view_out(u, HF_VIEW_DO_FENCE_END);
}

void hf_view_race_met(struct hf_view_machine *v)
{
	if (v->job == HF_VIEW_JOB_FENCE_START && v->step == HF_VIEW_FENCING)
		hf_view_job_end(v);
}

void hf_view_race_fence(struct hf_view_machine *v, struct hf_view_update *u)
{
	v->step = HF_VIEW_FENCING;
	v->fence_begun = true;
	hf_view_out(u, HF_VIEW_DO_FENCE)->record = v->record;
}

/* The race has taken its time: the record is read again, for another may have written it since. */
static void read_again(struct hf_view_machine *v, struct hf_view_update *u)
{
	v->step = HF_VIEW_IDLE;
	hf_view_read_start(v, u);
}

static void go_on(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->quiet || v->job == HF_VIEW_JOB_FENCE_START)
		read_again(v, u);
	else
		v->step = HF_VIEW_QUIETING;
}

void hf_view_race_fenced(
	struct hf_view_machine *v, struct hf_view_update *u, int result, const char *why)
{
	bool is_start = v->job == HF_VIEW_JOB_FENCE_START;

	if (v->step != HF_VIEW_FENCING)
		return;
	if (result == 0) {
		v->fenced = true;
		go_on(v, u);
	} else if (result != -EPERM) {
		hf_view_job_fail(v, u, why);
	} else if (is_start) {
		hf_view_job_end(v);
		v->silent_ticks = 0;
		hf_view_say(u, HF_VIEW_DO_LOG, "view: %s", why);
	} else {
		hf_view_job_end(v);
		hf_view_out_because(v, u, v->view.epoch,
			"out: controller %u has won the race; this one serves nothing until it has "
			"joined again, which it does by itself",
			v->peer_id);
	}
}

void hf_view_race_quiet(struct hf_view_machine *v, struct hf_view_update *u)
{
	v->quiet = true;
	if (v->step == HF_VIEW_QUIETING)
		read_again(v, u);
}

void hf_view_race_gone(struct hf_view_machine *v, struct hf_view_update *u, const char *why)
{
	if (v->fenced)
		return;
	v->fenced = true;
	v->gone_why = why;
	hf_view_race_end(v, u);
	if (v->step == HF_VIEW_FENCING)
		go_on(v, u); /* else the job comes to it */
}

/* STARTING under `fence`: waits for the peer, and longer than its race takes; then races itself. */
void hf_view_race_tick(struct hf_view_machine *v, struct hf_view_update *u)
{
	const struct hf_view_record *r = &v->record;

	if (!v->fences || v->view.state != HF_VIEW_STARTING || v->up || v->live ||
		v->job != HF_VIEW_JOB_NONE || v->cold_loading)
		return;
	if (++v->silent_ticks < v->start_ticks || !v->record_known ||
		!(r->members & hf_view_self(v)) || v->step != HF_VIEW_IDLE)
		return;
	/* Let in, and never told so: who wrote that has the state, and lives if only the link is
	 * lost. */
	if (r->incarnations[v->id] == v->incarnation) {
		if (!v->waits_said)
			hf_view_become(v, u, HF_VIEW_STARTING, v->view.members, v->view.serving,
				"was let in and not told so: waits for controller %u, which has "
				"the "
				"state; if that is certainly off, say `holdfast alone`",
				v->peer_id);
		v->waits_said = true;
		return;
	}
	v->fenced = v->quiet = false;
	v->gone_why = "was not heard and has been fenced";
	hf_view_say(u, HF_VIEW_DO_LOG,
		"view: controller %u was not heard for %u s and the record of epoch %" PRIu64
		" names this one: it fences the other and starts alone",
		v->peer_id, v->silent_ticks, r->epoch);
	hf_view_job_start(v, u, HF_VIEW_JOB_FENCE_START);
}
