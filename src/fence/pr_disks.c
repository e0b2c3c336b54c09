/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fence driver pr over all disks of the pool: first the voting disks, which are the race (most
 * of them decide it), then the others. A disk that cannot be fenced is named, and what lies on it
 * is not served.
 */
#include "fence_int.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	DATA_ATTEMPTS = 3, /* then the race goes on without a disk that cannot be fenced */
	LEAVE_MS = 2000,
	LOOK_MS = 2000,
};

static void name_failed(const struct hf_fence *f, char *text, size_t len)
{
	int n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < f->disks_len; i++) {
		const struct hf_fence_disk *d = &f->disks[i];

		if (d->result && (size_t)n < len)
			n += snprintf(text + n, len - (size_t)n, "%s%s (%s)", n ? ", " : "",
				d->name,
				d->result == -EBADE ? "the other one has it"
						    : strerror(-d->result));
	}
}

static bool is_concerned(const struct hf_fence *f, const struct hf_fence_disk *d)
{
	return f->phase == HF_FENCE_PR_CHECK || d->voting == (f->phase != HF_FENCE_PR_DATA);
}

static void start_all(struct hf_fence *f, int phase)
{
	bool looks = phase == HF_FENCE_PR_LOOK || phase == HF_FENCE_PR_CHECK;

	f->phase = phase;
	f->disks_out = 1;
	for (unsigned i = 0; i < f->disks_len; i++) {
		struct hf_fence_disk *d = &f->disks[i];

		if (!is_concerned(f, d))
			continue;
		d->result = -EINPROGRESS;
		d->pr.spare = f->by_quorum ? ~f->victims : 0;
		f->disks_out++;
	}
	for (unsigned i = 0; i < f->disks_len; i++)
		if (is_concerned(f, &f->disks[i]))
			hf_fence_disk_start(&f->disks[i], looks ? HF_PR_LOOK : HF_PR_FENCE);
	hf_fence_pr_disk_done(f);
}

static void tell_lost(struct hf_fence *f)
{
	f->running = true; /* nobody need have asked */
	hf_fence_tell(f, -EPERM, "%s has taken this one's registration away",
		f->by_quorum ? "another controller" : f->who);
}

static void judge_voting(struct hf_fence *f)
{
	unsigned total = hf_pool_voting(f->pool), won = 0, lost = 0;
	char text[110];

	for (unsigned i = 0; i < f->disks_len; i++) {
		const struct hf_fence_disk *d = &f->disks[i];

		won += d->voting && d->result == 0;
		lost += d->voting && d->result == -EBADE;
	}
	if (lost > (total - 1) / 2) {
		tell_lost(f);
	} else if (!f->running) {
		return; /* it only looked */
	} else if (f->phase == HF_FENCE_PR_LOOK) {
		start_all(f, HF_FENCE_PR_VOTING);
	} else if (won > total / 2) {
		start_all(f, HF_FENCE_PR_DATA);
	} else {
		name_failed(f, text, sizeof(text));
		hf_fence_tell(f, -EIO, "most voting disks could not be fenced: %s", text);
	}
}

static void judge_all(struct hf_fence *f)
{
	unsigned failed = 0;
	char text[110];

	for (unsigned i = 0; i < f->disks_len; i++)
		failed += f->disks[i].result != 0;
	name_failed(f, text, sizeof(text));
	/* By quorum: other controllers may serve what lies on a disk that cannot be fenced here. */
	if (failed && (f->by_quorum || ++f->data_attempts < DATA_ATTEMPTS)) {
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
	if (failed)
		hf_error("fence: goes on without disks that could not be fenced: %s; devices on "
			 "them are not served",
			text);
	for (unsigned i = 0; i < f->disks_len && f->running; i++)
		if (f->disks[i].result)
			f->ops->unfenced(f->owner, f->disks[i].pdev, f->disks[i].name);
	hf_fence_tell(f, 0, "%s is registered on no disk any more", f->who);
}

static void judge_check(struct hf_fence *f)
{
	bool lost = false;

	for (unsigned i = 0; i < f->disks_len; i++)
		lost |= f->disks[i].result == -EBADE;
	if (lost)
		tell_lost(f);
	else if (!f->check_wanted) /* else what was seen is too old */
		f->ops->checked(f->owner);
}

/* What was found counts for nothing: the peer may have registered anew since. */
static void begin_anew(struct hf_fence *f)
{
	bool owed = f->end_owed;

	f->stale = f->end_owed = false;
	if (owed)
		f->ops->ended(f->owner);
	if (f->running && !f->disks_out)
		start_all(f, HF_FENCE_PR_VOTING);
}

void hf_fence_pr_disk_done(struct hf_fence *f)
{
	if (--f->disks_out)
		return;
	if (f->stale)
		begin_anew(f);
	else if (f->phase == HF_FENCE_PR_DATA)
		judge_all(f);
	else if (f->phase == HF_FENCE_PR_CHECK)
		judge_check(f);
	else
		judge_voting(f);
	/* What was asked for meanwhile. */
	if (f->disks_out || f->leave_over)
		return;
	if (f->check_wanted) {
		f->check_wanted = false;
		start_all(f, HF_FENCE_PR_CHECK);
	} else if (f->running && f->phase == HF_FENCE_PR_CHECK) {
		start_all(f, HF_FENCE_PR_VOTING);
	}
}

static void raced(struct hf_fence_disk *d)
{
	hf_fence_pr_disk_done(d->fence);
}

void hf_fence_pr_start(struct hf_fence *f)
{
	if (!f->disks_out)
		start_all(f, HF_FENCE_PR_VOTING);
}

void hf_fence_pr_end(struct hf_fence *f)
{
	f->stale = f->end_owed = f->disks_out != 0;
	f->check_wanted |= f->stale && f->phase == HF_FENCE_PR_CHECK;
	f->data_attempts = 0;
}

void hf_fence_look(struct hf_fence *f)
{
	if (f->config.kind == HF_FENCE_PR && !f->disks_out)
		start_all(f, HF_FENCE_PR_LOOK);
}

void hf_fence_pr_check(struct hf_fence *f)
{
	if (f->disks_out)
		f->check_wanted = true;
	else
		start_all(f, HF_FENCE_PR_CHECK);
}

/* Who has been fenced may hear of it by nothing but host I/O that fails. */
static void look_again(struct hf_timer *t)
{
	struct hf_fence *f = hf_container_of(t, struct hf_fence, look_timer);

	hf_fence_look(f);
	hf_timer_arm(f->loop, t, hf_loop_now_ns(f->loop) + LOOK_MS * UINT64_C(1000000));
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
		d->ended = raced;
		hf_pr_init(&d->pr, f->config.key);
		f->disks_len++;
	}
	hf_timer_init(&f->look_timer, look_again);
	hf_timer_arm(
		f->loop, &f->look_timer, hf_loop_now_ns(f->loop) + LOOK_MS * UINT64_C(1000000));
	return 0;
}

static void left(struct hf_timer *t)
{
	hf_container_of(t, struct hf_fence, wait)->leave_over = true;
}

static void leave(struct hf_fence_disk *d)
{
	d->ended = NULL;
	hf_fence_disk_start(d, HF_PR_LEAVE);
}

/* Nothing of ours is in flight any more: the registrations go, so that no stranger finds them. */
void hf_fence_pr_fini(struct hf_fence *f)
{
	unsigned busy = 1;

	hf_timer_cancel(f->loop, &f->look_timer);
	hf_timer_init(&f->wait, left);
	hf_timer_arm(f->loop, &f->wait, hf_loop_now_ns(f->loop) + LEAVE_MS * UINT64_C(1000000));
	for (unsigned i = 0; i < f->disks_len; i++) {
		if (f->disks[i].busy)
			f->disks[i].ended = leave; /* it only looks, or has been ended */
		else
			leave(&f->disks[i]);
	}
	while (busy && !f->leave_over && hf_loop_run_once(f->loop, true) == 0) {
		busy = 0;
		for (unsigned i = 0; i < f->disks_len; i++)
			busy += f->disks[i].busy;
	}
	hf_timer_cancel(f->loop, &f->wait);
	/* What is still out ends with its session when the pool is closed, after us. */
	if (!busy)
		free(f->disks);
}
