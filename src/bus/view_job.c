/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of the view record, step by step: read, (load,) write, read again. What is wanted is
 * true only when the last read shows it; a write that failed or is in doubt (W15) is tried again or
 * given up, never assumed. Also the reading that goes on each second outside of a view.
 */
#include "view_int.h"
#include "canary.h"

#include <inttypes.h>
#include <stdio.h>

/* Nothing counts that far by ones in a second: an epoch made of the time is above all before it. */
#define EPOCHS_A_SECOND (UINT64_C(1) << 24)
/* Nor that far from the first one on, where the clock says nothing. */
#define EPOCH_LEAP (UINT64_C(1) << 32)

/* Done for an operator who waits for an answer: given up rather than tried for ever. */
static bool is_word(enum hf_view_job job)
{
	return job == HF_VIEW_JOB_START || job == HF_VIEW_JOB_PEER_DOWN ||
	       job == HF_VIEW_JOB_DISCARD;
}

void hf_view_read_start(struct hf_view_machine *v, struct hf_view_update *u)
{
	hf_assert(v->step == HF_VIEW_IDLE || v->step == HF_VIEW_RETRYING);
	v->step = v->verifying ? HF_VIEW_VERIFYING : HF_VIEW_READING;
	hf_view_out(u, HF_VIEW_DO_READ);
}

void hf_view_job_start(struct hf_view_machine *v, struct hf_view_update *u, enum hf_view_job job)
{
	hf_assert(v->job == HF_VIEW_JOB_NONE);
	v->job = job;
	v->verifying = v->write_failed = v->collided = false;
	v->looks = 0;
	/* A read that is under way may have seen what has been written over since. */
	v->is_early = v->step == HF_VIEW_READING;
	if (v->step == HF_VIEW_IDLE)
		hf_view_read_start(v, u);
}

void hf_view_job_end(struct hf_view_machine *v)
{
	v->job = HF_VIEW_JOB_NONE;
	v->step = HF_VIEW_IDLE;
	v->verifying = false;
}

void hf_view_job_fail(struct hf_view_machine *v, struct hf_view_update *u, const char *why)
{
	enum hf_view_job job = v->job;

	if (!is_word(job) || !v->peer_id) {
		v->step = HF_VIEW_RETRYING;
		hf_view_say(u, HF_VIEW_DO_LOG, "view: %s; trying again each second", why);
		return;
	}
	hf_view_job_end(v);
	hf_view_say(u, HF_VIEW_DO_LOG, "view: the operator's word was not carried out: %s", why);
	/* What the peer has sent meanwhile was passed over. */
	if (v->up && job != HF_VIEW_JOB_START)
		hf_view_say(u, HF_VIEW_DO_DROP_LINK, "begins anew after a failed word");
}

static void want(struct hf_view_machine *v, uint32_t members)
{
	uint64_t epoch = HF_MAX(v->record.epoch, v->view.epoch) + 1;

	v->wanted = (struct hf_view_record){.epoch = epoch, .members = members};
	if (members & hf_view_self(v))
		v->wanted.incarnations[v->id] = v->incarnation;
	if (members & ~hf_view_self(v))
		v->wanted.incarnations[v->peer_id] = v->peer.own;
}

static void write_start(struct hf_view_machine *v, struct hf_view_update *u)
{
	v->collided = false;
	v->step = HF_VIEW_WRITING;
	hf_view_out(u, HF_VIEW_DO_WRITE)->record = v->wanted;
}

static void finish_alone(struct hf_view_machine *v, struct hf_view_update *u, enum hf_view_job job)
{
	static const char *const reasons[HF_VIEW_JOB_DISCARD + 1] = {
		[HF_VIEW_JOB_START] =
			"started without the other controller on the operator's word; "
			"started in its turn, that one joins by itself",
		[HF_VIEW_JOB_PEER_DOWN] = "went on alone on the operator's word; mend the other "
					  "controller and start it: it joins by itself",
		[HF_VIEW_JOB_REMOVE] = "the other controller has been restarted and joins anew",
		[HF_VIEW_JOB_LEFT] =
			"the other controller has left in good order; started again it "
			"joins by itself",
	};

	v->live = true;
	v->member_incarnation = 0;
	v->copying = v->copied = false;
	v->view.left = job == HF_VIEW_JOB_LEFT ? 1u << v->peer_id : 0;
	hf_view_out(u, HF_VIEW_DO_GONE);
	if (hf_view_is_race(job))
		hf_view_become(v, u, HF_VIEW_ALONE, hf_view_self(v), hf_view_self(v),
			"alone since epoch %" PRIu64
			": controller %u %s; mend it and start it again",
			v->view.epoch, v->peer_id, v->gone_why);
	else
		hf_view_become(v, u, HF_VIEW_ALONE, hf_view_self(v), hf_view_self(v),
			"alone since epoch %" PRIu64 ": %s", v->view.epoch,
			v->peer_id ? reasons[job]
				   : "there is no other controller in the configuration");
	if (job == HF_VIEW_JOB_LEFT && v->up)
		hf_view_out(u, HF_VIEW_DO_SEND)->msg.kind = HF_VIEW_MSG_LEFT;
}

static void finish_join(struct hf_view_machine *v, struct hf_view_update *u)
{
	struct hf_view_msg *m;

	if (!v->copying) { /* lost while the record was written; it was not told, so it serves
			      nothing */
		if (v->view.state == HF_VIEW_STARTING) {
			hf_view_start_over(v, u, "the other controller was lost while it joined");
			return;
		}
		hf_view_job_start(v, u, HF_VIEW_JOB_REMOVE);
		return;
	}
	v->copying = v->copied = false;
	v->member_incarnation = v->peer.own;
	/* From here on the peer is what JOINED makes of it. */
	v->peer.live = true;
	v->peer.state = HF_VIEW_TOGETHER;
	v->peer.epoch = v->view.epoch;
	v->peer.members = hf_view_both(v);
	v->peer.peer = v->incarnation;
	m = &hf_view_out(u, HF_VIEW_DO_SEND)->msg;
	*m = v->peer;
	m->kind = HF_VIEW_MSG_JOINED;
	m->own = v->incarnation;
	m->peer = v->peer.own;
	hf_view_become(v, u, HF_VIEW_TOGETHER, hf_view_both(v), hf_view_both(v),
		"together with controller %u since epoch %" PRIu64, v->peer_id, v->view.epoch);
}

static void finish_discard(struct hf_view_machine *v, struct hf_view_update *u)
{
	hf_view_out_because(v, u, v->record.epoch,
		"out: has dropped its state on the operator's word and joins controller %u",
		v->peer_id);
}

static bool is_wanted(const struct hf_view_machine *v, const struct hf_view_record *r)
{
	return r->epoch == v->wanted.epoch && r->members == v->wanted.members &&
	       memcmp(r->incarnations, v->wanted.incarnations, sizeof(r->incarnations)) == 0;
}

/* The operator wanted to start alone, but here is the peer: the usual way is open again. */
static bool is_overtaken(const struct hf_view_machine *v)
{
	return (v->job == HF_VIEW_JOB_START || v->job == HF_VIEW_JOB_FENCE_START) && v->up;
}

static void finish(struct hf_view_machine *v, struct hf_view_update *u)
{
	enum hf_view_job job = v->job;

	v->view.epoch = v->wanted.epoch;
	hf_view_job_end(v);
	if (job == HF_VIEW_JOB_DISCARD)
		finish_discard(v, u);
	else if (job == HF_VIEW_JOB_JOIN)
		finish_join(v, u);
	else
		finish_alone(v, u, job);
}

void hf_view_job_mended(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->step == HF_VIEW_MENDING)
		finish(v, u);
}

static void verified(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (!is_wanted(v, &v->record)) {
		v->verifying = false;
		if (v->record.epoch && !(v->record.members & hf_view_self(v)) &&
			v->record.epoch > v->view.epoch && !v->may_lose) {
			hf_view_job_end(v);
			hf_view_go_out(v, u, v->record.epoch);
		} else {
			hf_view_job_fail(v, u, "the view record could not be written");
		}
		return;
	}
	if (is_overtaken(v)) {
		hf_view_job_end(v);
		hf_view_out(u, HF_VIEW_DO_DROP);
		return;
	}
	if (v->looks) {
		v->looks--;
		v->step = HF_VIEW_RETRYING;
		return;
	}
	if (hf_view_is_race(v->job) && v->fence_begun) {
		v->step = HF_VIEW_MENDING;
		hf_view_out(u, HF_VIEW_DO_MEND);
		return;
	}
	finish(v, u);
}

/* May this controller, by the record, write the next one? */
static bool is_entitled(const struct hf_view_machine *v)
{
	if (v->record.epoch == 0 || v->record.members & hf_view_self(v))
		return true;
	if (v->job == HF_VIEW_JOB_START)
		return v->may_lose;
	/* Cold start of both: nobody has a memory that counts more. */
	return v->job == HF_VIEW_JOB_JOIN && v->view.state == HF_VIEW_STARTING;
}

void hf_view_job_go_on(struct hf_view_machine *v, struct hf_view_update *u)
{
	want(v, v->job == HF_VIEW_JOB_JOIN ? hf_view_both(v) : hf_view_self(v));
	if (v->job == HF_VIEW_JOB_START || v->job == HF_VIEW_JOB_FENCE_START) {
		/* Whom the record names may be going on. */
		v->apart = v->record.epoch && !(v->record.members & hf_view_self(v));
		v->step = HF_VIEW_LOADING;
		hf_view_out(u, HF_VIEW_DO_LOAD);
	} else if (HF_PLANTED(RECORD_LAST) && v->job != HF_VIEW_JOB_JOIN) {
		enum hf_view_job job = v->job;

		v->view.epoch = v->wanted.epoch;
		hf_view_job_end(v);
		finish_alone(v, u, job);
	} else {
		write_start(v, u);
	}
}

/* The record has to name whose state counts, or that one could not let anybody in. */
static void discard_read(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (!v->up || !v->told || !v->peer.live) {
		hf_view_job_end(v);
		hf_view_say(u, HF_VIEW_DO_LOG, "view: the other controller is gone; kept its own");
	} else if (v->record.members == 1u << v->peer_id) {
		hf_view_job_end(v);
		finish_discard(v, u);
	} else {
		want(v, 1u << v->peer_id);
		write_start(v, u);
	}
}

static void rewrite_start(struct hf_view_machine *v, struct hf_view_update *u)
{
	v->step = HF_VIEW_REWRITING;
	hf_view_out(u, HF_VIEW_DO_REWRITE);
}

static void job_read(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (is_overtaken(v)) {
		hf_view_job_end(v);
		return;
	}
	if (v->job == HF_VIEW_JOB_JOIN && !v->copying) { /* lost before anything was written */
		hf_view_job_end(v);
		finish_join(v, u);
		return;
	}
	if (v->job == HF_VIEW_JOB_DISCARD) {
		discard_read(v, u);
		return;
	}
	if (!is_entitled(v)) {
		bool is_start = v->job == HF_VIEW_JOB_START;

		hf_view_job_end(v);
		if (!is_start)
			hf_view_go_out(v, u, v->record.epoch);
		else
			hf_view_say(u, HF_VIEW_DO_LOG,
				"view: the record of epoch %" PRIu64
				" does not name controller %u; "
				"not started alone",
				v->record.epoch, v->id);
		return;
	}
	if (hf_view_is_race(v->job) && !v->fenced)
		hf_view_race_fence(v, u);
	else if (v->job == HF_VIEW_JOB_JOIN && v->apart && !HF_PLANTED(KEEP_DISCARDED))
		rewrite_start(v, u);
	else
		hf_view_job_go_on(v, u);
}

/* The regular look at the record, outside of a view or while frozen. */
static void poll_read(struct hf_view_machine *v, struct hf_view_update *u)
{
	const struct hf_view_record *r = &v->record;

	if (v->view.state != HF_VIEW_FROZEN || r->epoch <= v->view.epoch)
		return;
	if (!(r->members & hf_view_self(v)))
		hf_view_go_out(v, u, r->epoch);
}

/*
 * Two have written the record at once, on an operator's words, and both have lost their memory
 * since: it says nothing, and there is nobody whom it could name but the two that are here. Its
 * epoch is not known either. The one to come is to be above all that were counted, or what the
 * disks have of races and leases of those would be taken for newer: so it is made of the wall
 * clock. All counted before has begun, at the latest, from such a one of an earlier start. Where
 * the clock of who starts is behind that of the last time, it is not.
 */
static bool is_void(const struct hf_view_machine *v, int err)
{
	return err == -EBADMSG && !v->verifying && v->view.state == HF_VIEW_STARTING && v->up &&
	       v->told && !v->peer.live &&
	       (v->job == HF_VIEW_JOB_NONE || v->job == HF_VIEW_JOB_JOIN);
}

void hf_view_read_done(
	struct hf_view_machine *v, struct hf_view_update *u, const struct hf_view_event *ev)
{
	struct hf_view_record r = {0};
	int err = ev->result < 0 ? ev->result : 0;

	if (v->step != HF_VIEW_READING && v->step != HF_VIEW_VERIFYING)
		return;
	if (v->is_early) {
		v->is_early = false;
		v->step = HF_VIEW_IDLE;
		if (v->job != HF_VIEW_JOB_NONE)
			hf_view_read_start(v, u);
		return;
	}
	if (ev->result > 0)
		err = hf_view_record_decode(ev->record, (size_t)ev->result, &r);
	if (is_void(v, err)) {
		err = 0;
		r.epoch = HF_MAX((v->born_s & UINT32_MAX) * EPOCHS_A_SECOND, EPOCH_LEAP);
		r.epoch = HF_MAX(r.epoch, v->record.epoch);
	}
	v->record_unreadable = err < 0;
	if (err < 0) {
		v->record_known = false;
		v->step = HF_VIEW_IDLE;
		/*
		 * After a write nobody gives up: it may be there. Where it met another one, of a
		 * controller that was given the same word, the record says nothing to anybody: when
		 * it still does a tick later it is written again, and whoever is last is the one.
		 * (By then the other one may stand, and have been looked at for the last time.)
		 */
		if (v->verifying && v->collided && err == -EBADMSG) {
			write_start(v, u);
		} else if (v->verifying) {
			v->step = HF_VIEW_RETRYING;
			v->collided = err == -EBADMSG;
		} else if (v->job != HF_VIEW_JOB_NONE)
			hf_view_job_fail(
				v, u, "the view record cannot be read from most voting disks");
		return;
	}
	v->record = r;
	v->record_known = true;
	v->step = HF_VIEW_IDLE;
	if (v->verifying)
		verified(v, u);
	else if (v->job != HF_VIEW_JOB_NONE)
		job_read(v, u);
	else
		poll_read(v, u);
}

void hf_view_job_written(struct hf_view_machine *v, struct hf_view_update *u, int result)
{
	if (v->step != HF_VIEW_WRITING)
		return;
	v->write_failed = result < 0;
	v->verifying = true;
	v->step = HF_VIEW_IDLE;
	hf_view_read_start(v, u);
}

void hf_view_job_loaded(struct hf_view_machine *v, struct hf_view_update *u, int result)
{
	if ((v->job != HF_VIEW_JOB_START && v->job != HF_VIEW_JOB_FENCE_START) ||
		v->step != HF_VIEW_LOADING)
		return;
	if (is_overtaken(v)) {
		hf_view_job_end(v);
		hf_view_out(u, HF_VIEW_DO_DROP);
		return;
	}
	if (result < 0) {
		v->step = HF_VIEW_RETRYING;
		hf_view_say(u, HF_VIEW_DO_LOG,
			"view: the reservations cannot be loaded from the voting disks; trying "
			"again each second");
		hf_view_out(u, HF_VIEW_DO_DROP);
		return;
	}
	write_start(v, u);
}

void hf_view_job_rewritten(struct hf_view_machine *v, struct hf_view_update *u, int result)
{
	if (v->step != HF_VIEW_REWRITING)
		return;
	v->apart &= result < 0;
	if (!v->copying) { /* lost meanwhile: it is gone already, and no record is to name it */
		hf_view_job_end(v);
		if (v->view.state == HF_VIEW_STARTING)
			hf_view_start_over(v, u, "the other controller was lost while it joined");
		return;
	}
	if (result < 0)
		hf_view_job_fail(v, u,
			"the records of the controller that went on, too, cannot be replaced on "
			"most voting disks");
	else
		hf_view_job_go_on(v, u);
}

void hf_view_job_retry(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->step == HF_VIEW_RETRYING)
		hf_view_read_start(v, u);
}
