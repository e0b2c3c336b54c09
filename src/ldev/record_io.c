/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The recorder: which I/O on a record may start now. One at a time per record, in order; several
 * records side by side. Half of a kind's jobs may be active: those can all come to linger on one
 * disk that hangs, and as later ones skip that disk, the other half never does.
 */
#include "record_job.h"

#include <stdlib.h>

enum {
	SINGLE_JOBS = 2,
	SLOT_JOBS = 16,
	END_MS = 2000, /* so long the end of a recorder waits for disks that are late */
};

struct job_class *hf_recorder_class(struct hf_recorder *rec, enum hf_record_kind kind)
{
	return &rec->classes[kind - HF_RECORD_VIEW];
}

static unsigned records_of(const struct hf_recorder *rec, enum hf_record_kind kind)
{
	switch (kind) {
	case HF_RECORD_SLOT:
		return rec->slots;
	case HF_RECORD_RACE:
	case HF_RECORD_LEASE:
		return HF_CONTROLLER_IDS;
	default:
		return 1;
	}
}

static bool is_valid(const struct hf_recorder *rec, const struct hf_record_io *io)
{
	if (io->kind < HF_RECORD_VIEW || io->kind > HF_RECORD_LEASE)
		return false;
	if (io->index >= records_of(rec, io->kind))
		return false;
	return !io->write || io->len <= hf_record_capacity(io->kind);
}

static void refuse_all(struct hf_msg *msg)
{
	struct hf_recorder *rec = hf_container_of(msg, struct hf_recorder, refuse_msg);
	struct hf_list refused, *node;

	hf_list_init(&refused);
	hf_list_splice_back(&refused, &rec->refused);
	rec->refusing = false;
	while ((node = hf_list_pop_front(&refused))) {
		struct hf_record_io *io = hf_list_entry(node, struct hf_record_io, node);

		io->done(io, -EINVAL);
	}
}

void hf_recorder_submit(struct hf_recorder *rec, struct hf_record_io *io)
{
	io->scattered = false;
	if (is_valid(rec, io)) {
		hf_list_push_back(&rec->queue, &io->node);
		hf_recorder_pump(rec);
		return;
	}
	hf_list_push_back(&rec->refused, &io->node);
	if (!rec->refusing)
		hf_loop_post(rec->loop, &rec->refuse_msg);
	rec->refusing = true;
}

/* A job for this I/O; NULL: it has to wait. */
static struct hf_record_job *free_job(struct job_class *c, const struct hf_record_io *io)
{
	struct hf_record_job *found = NULL;

	if (c->active >= c->jobs_len / 2)
		return NULL;
	for (unsigned i = 0; i < c->jobs_len; i++) {
		struct hf_record_job *job = &c->jobs[i];

		if (job->phase == JOB_FREE)
			found = job;
		else if (job->phase != JOB_LINGER && job->index == io->index)
			return NULL;
	}
	return found;
}

static void end(struct hf_recorder *rec)
{
	if (rec->ended)
		rec->ended(rec->ended_arg);
	for (unsigned c = 0; c < HF_ARRAY_LEN(rec->classes); c++) {
		for (unsigned i = 0; i < rec->classes[c].jobs_len; i++)
			hf_record_job_fini(&rec->classes[c].jobs[i]);
		free(rec->classes[c].jobs);
	}
	free(rec);
}

static void end_late(struct hf_msg *msg)
{
	end(hf_container_of(msg, struct hf_recorder, ended_msg));
}

void hf_recorder_pump(struct hf_recorder *rec)
{
	if (rec->given_up) {
		/* From the loop: the disk is about to be closed, and its I/O has just ended. */
		if (hf_recorder_is_idle(rec))
			hf_loop_post(rec->loop, &rec->ended_msg);
		return;
	}
	hf_list_for_each_safe (node, &rec->queue) {
		struct hf_record_io *io = hf_list_entry(node, struct hf_record_io, node);
		struct job_class *c = hf_recorder_class(rec, io->kind);
		struct hf_record_job *job = free_job(c, io);

		if (!job)
			continue;
		hf_list_remove(node);
		c->active++;
		hf_record_job_start(job, io);
	}
	/* Told from the loop: whose write has ended here hears of that first. */
	if (rec->still && !rec->telling) {
		rec->telling = true;
		hf_loop_post(rec->loop, &rec->still_msg);
	}
}

static void tell_if_still(struct hf_recorder *rec)
{
	void (*still)(void *arg) = rec->still;

	if (!still || hf_recorder_writes(rec))
		return;
	rec->still = NULL;
	still(rec->still_arg);
}

static void look_if_still(struct hf_msg *msg)
{
	struct hf_recorder *rec = hf_container_of(msg, struct hf_recorder, still_msg);

	rec->telling = false;
	tell_if_still(rec);
}

static bool job_writes(const struct hf_record_job *job)
{
	if (job->phase == JOB_FREE)
		return false;
	if (job->io)
		return job->io->write;
	/* What hangs of a read changes nothing when it ends. */
	for (unsigned i = 0; i < job->rec->disks_len; i++) {
		const struct job_disk *d = &job->disks[i];

		for (unsigned copy = 0; d->out && copy < HF_RECORD_COPIES; copy++)
			if (d->ios[copy].io.op != HF_PDEV_READ)
				return true;
	}
	return false;
}

bool hf_recorder_writes(const struct hf_recorder *rec)
{
	hf_list_for_each (node, &rec->queue)
		if (hf_list_entry(node, const struct hf_record_io, node)->write)
			return true;
	for (unsigned c = 0; c < HF_ARRAY_LEN(rec->classes); c++)
		for (unsigned i = 0; i < rec->classes[c].jobs_len; i++)
			if (job_writes(&rec->classes[c].jobs[i]))
				return true;
	return false;
}

void hf_recorder_await_writes(struct hf_recorder *rec, void (*still)(void *arg), void *arg)
{
	rec->still = still;
	rec->still_arg = arg;
	tell_if_still(rec);
}

bool hf_recorder_is_idle(const struct hf_recorder *rec)
{
	if (!hf_list_is_empty(&rec->queue) || !hf_list_is_empty(&rec->refused))
		return false;
	for (unsigned c = 0; c < HF_ARRAY_LEN(rec->classes); c++)
		for (unsigned i = 0; i < rec->classes[c].jobs_len; i++)
			if (rec->classes[c].jobs[i].phase != JOB_FREE)
				return false;
	return true;
}

static int create_class(struct hf_recorder *rec, enum hf_record_kind kind, unsigned jobs_len)
{
	struct job_class *c = hf_recorder_class(rec, kind);
	int r = 0;

	c->kind = kind;
	c->jobs = calloc(jobs_len, sizeof(*c->jobs));
	if (!c->jobs)
		return -ENOMEM;
	c->jobs_len = jobs_len;
	for (unsigned i = 0; i < jobs_len && !r; i++)
		r = hf_record_job_init(&c->jobs[i], rec, kind);
	return r;
}

int hf_recorder_create(struct hf_loop *loop, struct hf_pdev *const *pdevs,
	const struct hf_label *const *labels, unsigned disks_len, struct hf_recorder **ret)
{
	struct hf_recorder *rec = calloc(1, sizeof(*rec));

	hf_assert(disks_len == 1 || disks_len == HF_RECORD_DISKS_MAX);
	if (!rec)
		return -ENOMEM;
	rec->loop = loop;
	rec->disks_len = disks_len;
	rec->most = disks_len / 2 + 1;
	rec->slots = HF_LDEVS_MAX;
	rec->refuse_msg.run = refuse_all;
	rec->still_msg.run = look_if_still;
	hf_list_init(&rec->queue);
	hf_list_init(&rec->refused);
	for (unsigned i = 0; i < disks_len; i++) {
		rec->pdevs[i] = pdevs[i];
		rec->labels[i] = labels[i];
		if (pdevs[i])
			rec->slots =
				HF_MIN(rec->slots, hf_format_slots(labels[i]->data_offset_bytes));
	}
	if (create_class(rec, HF_RECORD_VIEW, SINGLE_JOBS) ||
		create_class(rec, HF_RECORD_MAP, SINGLE_JOBS) ||
		create_class(rec, HF_RECORD_SLOT, SLOT_JOBS) ||
		create_class(rec, HF_RECORD_RACE, SINGLE_JOBS) ||
		create_class(rec, HF_RECORD_LEASE, SINGLE_JOBS)) {
		end(rec);
		return -ENOMEM;
	}
	*ret = rec;
	return 0;
}

static void waited_enough(struct hf_timer *t)
{
	hf_container_of(t, struct hf_recorder, end_timer)->waited = true;
}

static void forget_listed(struct hf_list *ios, enum hf_record_kind last)
{
	hf_list_for_each_safe (n, ios)
		if (hf_list_entry(n, struct hf_record_io, node)->kind <= last)
			hf_list_remove(n);
}

/* Who has asked for I/O on the kinds up to `last` is told no more. */
static void forget(struct hf_recorder *rec, enum hf_record_kind last)
{
	rec->still = NULL;
	forget_listed(&rec->queue, last);
	forget_listed(&rec->refused, last);
	for (unsigned c = 0; c < HF_ARRAY_LEN(rec->classes); c++)
		for (unsigned i = 0; rec->classes[c].kind <= last && i < rec->classes[c].jobs_len;
			i++)
			rec->classes[c].jobs[i].io = NULL;
}

void hf_recorder_forget(struct hf_recorder *rec)
{
	forget(rec, HF_RECORD_SLOT);
}

static bool is_over(const struct hf_recorder *rec)
{
	return hf_recorder_is_idle(rec) && !rec->refusing && !rec->telling;
}

void hf_recorder_destroy(struct hf_recorder *rec, void (*ended)(void *arg), void *arg)
{
	int ret = 0;

	if (!rec)
		return;
	forget(rec, HF_RECORD_LEASE);
	rec->ended = ended;
	rec->ended_arg = arg;
	rec->ended_msg.run = end_late;
	hf_timer_init(&rec->end_timer, waited_enough);
	hf_timer_arm(
		rec->loop, &rec->end_timer, hf_loop_now_ns(rec->loop) + END_MS * UINT64_C(1000000));
	while (!is_over(rec) && !rec->waited && (ret == 0 || ret == -EINTR))
		ret = hf_loop_run_once(rec->loop, true);
	hf_timer_cancel(rec->loop, &rec->end_timer);
	if (is_over(rec))
		end(rec);
	else
		rec->given_up = true;
}
