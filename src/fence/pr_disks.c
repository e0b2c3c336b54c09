/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fence driver pr over all disks of the pool, in phases: the voting disks, which are the race
 * (most of them decide it), then the others; or a look whether this controller is registered. A
 * disk that cannot be fenced is named, and what lies on it is not served.
 *
 * A disk that hangs is a disk that failed: a phase is judged when no answer could change it, or
 * BOUND_MS after it was the disk's turn. Its job is its own affair: it goes on until the disk has
 * answered, and what is asked of the disk meanwhile comes after that.
 */
#include "fence_int.h"

#include "canary.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)

enum {
	DATA_ATTEMPTS = 3, /* then the race goes on without a disk that cannot be fenced */
	BOUND_MS = 1000,   /* what a disk may take for a job before others wait for it no more */
	LEAVE_MS = 2000,
	LOOK_MS = 2000,
};

static const char *why_failed(int result)
{
	return result == -EBADE	      ? "the other one has it"
	       : result == -ETIMEDOUT ? "it does not answer"
				      : strerror(-result);
}

static void name_failed(const struct hf_fence *f, char *text, size_t len)
{
	int n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < f->disks_len; i++) {
		const struct hf_fence_disk *d = &f->disks[i];

		if (d->result && (size_t)n < len)
			n += snprintf(text + n, len - (size_t)n, "%s%s (%s)", n ? ", " : "",
				d->name, why_failed(d->result));
	}
}

static bool is_fencing(const struct hf_fence *f)
{
	return f->phase >= HF_FENCE_PR_VOTING;
}

/*
 * Nobody waits for it. It may still answer: its memory is its own until then, and its job goes on
 * unless that is stale.
 */
static bool hangs(const struct hf_fence_disk *d)
{
	return d->busy && hf_loop_now_ns(d->loop) >= d->since_ns + BOUND_MS * MS;
}

static bool is_waited_for(const struct hf_fence_disk *d)
{
	return d->due && !hangs(d);
}

static bool is_concerned(const struct hf_fence *f, const struct hf_fence_disk *d)
{
	if (f->phase == HF_FENCE_PR_MEND)
		return d->unfenced;
	return f->phase == HF_FENCE_PR_CHECK || d->voting == (f->phase != HF_FENCE_PR_DATA);
}

static uint32_t spared(const struct hf_fence *f)
{
	if (HF_PLANTED(GROUP_SPARE_MISSING) && f->by_quorum)
		return ~0u;
	return f->by_quorum ? ~f->victims : 0;
}

/* What runs there was begun for the phase before, and is what this one would begin. */
static bool serves(const struct hf_fence *f, const struct hf_fence_disk *d)
{
	if (!d->busy || d->stale)
		return false;
	if (f->phase == HF_FENCE_PR_MEND)
		return false;
	if (is_fencing(f))
		return d->pr.job == HF_PR_FENCE && d->pr.spare == spared(f);
	return f->phase == HF_FENCE_PR_LOOK && d->pr.job == HF_PR_LOOK;
}

/* 0: which incarnation has to go is not known, as the view record names this controller alone. */
static uint64_t victim(const struct hf_fence *f)
{
	uint64_t incarnation = f->incarnations[f->config.peer_id];

	return incarnation ? hf_pr_key_beside(f->config.key, f->config.peer_id, incarnation) : 0;
}

static void begin_job(struct hf_fence_disk *d)
{
	struct hf_fence *f = d->fence;

	d->counts = true;
	d->checks = !is_fencing(f) && d->check_owed;
	if (is_fencing(f))
		d->pr.spare = spared(f);
	d->pr.victim = victim(f);
	hf_fence_disk_start(d, f->phase == HF_FENCE_PR_MEND ? HF_PR_TAKE_BACK
			       : is_fencing(f)		    ? HF_PR_FENCE
							    : HF_PR_LOOK);
}

/* The phase is over. Who has not answered has failed. */
static void rest(struct hf_fence *f)
{
	hf_timer_cancel(f->loop, &f->bound_timer);
	f->phase = HF_FENCE_PR_IDLE;
	for (unsigned i = 0; i < f->disks_len; i++) {
		if (f->disks[i].due)
			f->disks[i].result = -ETIMEDOUT;
		f->disks[i].due = false;
	}
}

static void consider(struct hf_fence *f);

static void begin(struct hf_fence *f, int phase)
{
	if (phase != HF_FENCE_PR_DATA) /* else a voting disk may still be fenced */
		rest(f);
	f->phase = phase;
	for (unsigned i = 0; i < f->disks_len; i++) {
		struct hf_fence_disk *d = &f->disks[i];

		/* A fence finds out by itself, and who has won it ends no more. */
		if (phase == HF_FENCE_PR_CHECK || phase == HF_FENCE_PR_VOTING) {
			d->check_owed = phase == HF_FENCE_PR_CHECK;
			d->checks = false;
		}
		if (!is_concerned(f, d))
			continue;
		d->due = !(is_fencing(f) && d->kept && d->pr.spare == spared(f));
		d->kept = false;
		d->result = d->due ? -EINPROGRESS : 0;
		d->counts = serves(f, d);
		if (d->due && !d->busy)
			begin_job(d);
	}
	hf_timer_cancel(f->loop, &f->bound_timer);
	if (phase != HF_FENCE_PR_LOOK) /* the next look is its bound */
		hf_timer_arm(f->loop, &f->bound_timer, hf_loop_now_ns(f->loop) + BOUND_MS * MS);
	consider(f);
}

static void bound_is_over(struct hf_timer *t)
{
	struct hf_fence *f = hf_container_of(t, struct hf_fence, bound_timer);

	/* A job may have been begun since. */
	hf_timer_arm(f->loop, t, hf_loop_now_ns(f->loop) + BOUND_MS * MS);
	consider(f);
}

static void tell_lost(struct hf_fence *f)
{
	f->running = true; /* nobody need have asked */
	hf_fence_tell(f, -EPERM, "%s has taken this one's registration away",
		f->by_quorum ? "another controller" : f->who);
}

static bool waits(const struct hf_fence *f)
{
	for (unsigned i = 0; i < f->disks_len; i++)
		if (is_waited_for(&f->disks[i]))
			return true;
	return false;
}

/* It is judged as soon as no answer could change it; more time is given only to what is open. */
static void judge_voting(struct hf_fence *f)
{
	unsigned total = hf_pool_voting(f->pool), won = 0, lost = 0, open = 0;
	char text[110];

	for (unsigned i = 0; i < f->disks_len; i++) {
		const struct hf_fence_disk *d = &f->disks[i];

		won += d->voting && d->result == 0;
		lost += d->voting && d->result == -EBADE;
		open += d->voting && is_waited_for(d);
	}
	/* With quorum there is no race that one disk could not decide: somebody has fenced this
	 * one, in part. Registered anew it is of use again, and what that disk keeps can be read.
	 */
	if (lost > (total - 1) / 2 ||
		(lost && f->phase == HF_FENCE_PR_LOOK && !f->config.peer_id)) {
		rest(f);
		tell_lost(f);
	} else if (f->phase == HF_FENCE_PR_LOOK) {
		if (!open)
			rest(f);
	} else if (won > total / 2) {
		begin(f, HF_FENCE_PR_DATA);
	} else if (!open) {
		rest(f);
		name_failed(f, text, sizeof(text));
		hf_fence_tell(f, -EIO, "most voting disks could not be fenced: %s", text);
	}
}

/* What is still out there ends with its next answer. */
static void abandon(struct hf_fence *f)
{
	for (unsigned i = 0; i < f->disks_len; i++) {
		struct hf_fence_disk *d = &f->disks[i];

		d->stale |= d->busy && (d->pr.job == HF_PR_FENCE || d->pr.job == HF_PR_TAKE_BACK);
		d->kept = false;
	}
}

static void judge_all(struct hf_fence *f)
{
	bool enough = HF_PLANTED(GROUP_MOST_FENCED) && f->by_quorum;
	unsigned failed = 0, lost = 0;
	char text[110];

	if (waits(f) && !enough)
		return;
	rest(f);
	for (unsigned i = 0; i < f->disks_len; i++) {
		failed += f->disks[i].result != 0;
		lost += f->disks[i].result == -EBADE; /* to be had again by hf_fence_mend() only */
	}
	name_failed(f, text, sizeof(text));
	/* By quorum: other controllers may serve what lies on a disk that cannot be fenced here. */
	if (failed && !enough &&
		(f->by_quorum || (failed > lost && ++f->data_attempts < DATA_ATTEMPTS))) {
		hf_fence_tell(f, -EIO, "disks could not be fenced: %s", text);
		return;
	}
	if (f->by_quorum && f->disks_len < hf_pool_len(f->pool)) {
		hf_fence_tell(f, -EIO,
			"a disk of the configuration is missing here and cannot be "
			"fenced; mend it and start this daemon again");
		return;
	}
	f->data_attempts = 0;
	f->shut_out |= f->victims;
	abandon(f);
	for (unsigned i = 0; i < f->disks_len; i++)
		f->disks[i].unfenced = f->disks[i].result != 0;
	if (failed)
		hf_fence_tell(f, 0, "%s has lost; not fenced yet: %s", f->who, text);
	else
		hf_fence_tell(f, 0, "%s is registered on no disk any more", f->who);
}

static void judge_mended(struct hf_fence *f)
{
	bool owed = f->mend_owed; /* else who asks is told by the return */

	if (waits(f))
		return;
	f->mend_owed = false;
	rest(f);
	abandon(f);
	for (unsigned i = 0; i < f->disks_len; i++) {
		struct hf_fence_disk *d = &f->disks[i];

		if (!d->unfenced)
			continue;
		d->unfenced = d->result != 0;
		if (!d->unfenced) {
			hf_notice("fence: disk %s is fenced now, and this controller registered "
				  "there",
				d->name);
			continue;
		}
		hf_error("fence: goes on without disk %s, which could not be fenced: %s; devices "
			 "on it are not served",
			d->name, why_failed(d->result));
		f->ops->unfenced(f->owner, d->pdev, d->name);
	}
	if (owed)
		f->ops->mended(f->owner);
}

/* A disk that hangs is asked again when it answers; but nobody joins who knows of few disks. */
static void judge_check(struct hf_fence *f)
{
	unsigned known = 0;
	bool lost = false;

	for (unsigned i = 0; i < f->disks_len; i++) {
		const struct hf_fence_disk *d = &f->disks[i];

		lost |= d->result == -EBADE;
		known += d->voting && !d->due;
	}
	if (lost) {
		rest(f);
		tell_lost(f);
	} else if (!waits(f) && known > hf_pool_voting(f->pool) / 2) {
		rest(f);
		f->ops->checked(f->owner);
	}
}

static void begin_wanted(struct hf_fence *f)
{
	if (f->phase != HF_FENCE_PR_IDLE || !f->check_wanted)
		return;
	f->check_wanted = false;
	begin(f, HF_FENCE_PR_CHECK);
}

static void consider(struct hf_fence *f)
{
	if (f->phase == HF_FENCE_PR_DATA)
		judge_all(f);
	else if (f->phase == HF_FENCE_PR_MEND)
		judge_mended(f);
	else if (f->phase == HF_FENCE_PR_CHECK)
		judge_check(f);
	else if (f->phase != HF_FENCE_PR_IDLE)
		judge_voting(f);
	begin_wanted(f);
}

/* May anybody still be hit by a fence that has been ended? */
static bool is_any_hit(const struct hf_fence *f)
{
	bool any = false;

	for (unsigned i = 0; i < f->disks_len; i++)
		any |= f->disks[i].stale && f->disks[i].pr.step == HF_PR_PREEMPT;
	return any;
}

static void disk_ended(struct hf_fence_disk *d, int result)
{
	struct hf_fence *f = d->fence;
	bool counts = d->due && d->counts && result != -ECANCELED;
	bool is_late = d->checks && f->phase != HF_FENCE_PR_CHECK;

	if (d->checks)
		d->checks = d->check_owed = false;
	if (counts) {
		d->due = false;
		d->result = result;
	} else if (!d->due && result == 0 && d->pr.job == HF_PR_FENCE) {
		d->kept = true;
	}
	if (d->due) {
		begin_job(d);
	} else if (d->check_owed) {
		d->checks = true;
		hf_fence_disk_start(d, HF_PR_LOOK);
	}
	if (is_late && result == -EBADE)
		tell_lost(f);
	else
		consider(f);
	if (f->end_owed && !is_any_hit(f)) {
		f->end_owed = false;
		f->ops->ended(f->owner);
	}
}

void hf_fence_pr_start(struct hf_fence *f)
{
	if (is_fencing(f))
		return;
	f->check_wanted |= f->phase == HF_FENCE_PR_CHECK;
	begin(f, HF_FENCE_PR_VOTING);
}

bool hf_fence_mend(struct hf_fence *f)
{
	for (unsigned i = 0; i < f->disks_len; i++) {
		if (f->disks[i].unfenced) {
			begin(f, HF_FENCE_PR_MEND);
			f->mend_owed = f->phase == HF_FENCE_PR_MEND;
			return !f->mend_owed;
		}
	}
	return true;
}

void hf_fence_pr_end(struct hf_fence *f)
{
	abandon(f);
	for (unsigned i = 0; i < f->disks_len; i++)
		f->disks[i].unfenced = false;
	f->mend_owed = false;
	f->end_owed = is_any_hit(f);
	f->data_attempts = 0;
	if (is_fencing(f))
		rest(f);
	begin_wanted(f);
}

void hf_fence_look(struct hf_fence *f)
{
	if (f->config.kind == HF_FENCE_PR && !is_fencing(f) && f->phase != HF_FENCE_PR_CHECK)
		begin(f, HF_FENCE_PR_LOOK);
}

void hf_fence_pr_check(struct hf_fence *f)
{
	if (is_fencing(f))
		f->check_wanted = true;
	else
		begin(f, HF_FENCE_PR_CHECK); /* what has been seen is too old */
}

/* Who has been fenced may hear of it by nothing but host I/O that fails. */
static void look_again(struct hf_timer *t)
{
	struct hf_fence *f = hf_container_of(t, struct hf_fence, look_timer);

	hf_fence_look(f);
	hf_timer_arm(f->loop, t, hf_loop_now_ns(f->loop) + LOOK_MS * MS);
}

bool hf_fence_pr_is_busy(const struct hf_fence *f)
{
	for (unsigned i = 0; i < f->disks_len; i++)
		if (f->disks[i].busy)
			return true;
	return false;
}

int hf_fence_pr_init(struct hf_fence *f)
{
	f->disks = calloc(HF_PDEVS_MAX, sizeof(*f->disks));
	if (!f->disks)
		return -ENOMEM;
	for (unsigned i = 0; i < hf_pool_len(f->pool); i++) {
		const struct hf_label *label = hf_pool_label(f->pool, i);
		struct hf_fence_disk *d = &f->disks[f->disks_len];

		if (!label)
			continue;
		d->fence = f;
		d->loop = f->loop;
		d->pdev = hf_pool_pdev(f->pool, i);
		d->name = label->name;
		d->voting = label->voting;
		d->ended = disk_ended;
		hf_pr_init(&d->pr, f->config.key);
		f->disks_len++;
	}
	hf_timer_init(&f->bound_timer, bound_is_over);
	hf_timer_init(&f->look_timer, look_again);
	hf_timer_arm(f->loop, &f->look_timer, hf_loop_now_ns(f->loop) + LOOK_MS * MS);
	return 0;
}

static void left(struct hf_timer *t)
{
	hf_container_of(t, struct hf_fence, wait)->leave_over = true;
}

static void leave(struct hf_fence_disk *d, int result)
{
	d->ended = NULL;
	d->pr.keeps_out = d->fence->shut_out;
	hf_fence_disk_start(d, HF_PR_LEAVE);
}

/*
 * Nothing of ours is in flight any more: the registrations go, so that no stranger finds them. But
 * with the last one goes the reservation, and who was shut out by it may be standing still.
 */
void hf_fence_pr_fini(struct hf_fence *f)
{
	hf_timer_cancel(f->loop, &f->look_timer);
	hf_timer_cancel(f->loop, &f->bound_timer);
	hf_timer_init(&f->wait, left);
	hf_timer_arm(f->loop, &f->wait, hf_loop_now_ns(f->loop) + LEAVE_MS * MS);
	for (unsigned i = 0; i < f->disks_len; i++) {
		if (f->disks[i].busy)
			f->disks[i].ended = leave; /* it only looks, or has been ended */
		else
			leave(&f->disks[i], 0);
	}
	while (hf_fence_pr_is_busy(f) && !f->leave_over && hf_loop_run_once(f->loop, true) == 0)
		;
	hf_timer_cancel(f->loop, &f->wait);
	/* What is still out ends with its session when the pool is closed, after us. */
	for (unsigned i = 0; i < f->disks_len; i++)
		f->disks[i].ended = NULL;
	if (!hf_fence_pr_is_busy(f))
		free(f->disks);
}
