/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SANITIZE (SBC-3, 5.30): OVERWRITE, BLOCK ERASE, EXIT FAILURE MODE. An op makes the sanitize
 * operation known to every controller: it drains whatever is on its way to the medium and keeps
 * every command out. Then a job goes over the whole medium, piece by piece, whatever becomes of the
 * command that began it, of its session and of the task set (SBC-3, 4.11.2); another op ends it.
 * Without IMMED the command waits for that.
 */
#include "scsi_internal.h"

#include <stdlib.h>

enum {
	ACTION_OVERWRITE = 0x01,
	ACTION_BLOCK_ERASE = 0x02,
	ACTION_EXIT_FAILURE = 0x1f,
	IMMED = 0x80,
	AUSE = 0x20,
	HEADER = 4,
	CHUNK_BYTES = HF_XFER_MAX_BYTES,
	ERASE_BYTES = 64 << 20,
};

/* What words[0] of the task is: the operation that is still the command's, or its waiter. */
enum { STEP_ASKS = 1, STEP_WAITS };

/* The command that waits for the end. Its task is gone when it was aborted. */
struct waiter {
	struct hf_msg msg; /* to the session's loop */
	struct hf_loop *loop;
	struct hf_scsi_task *task;
	int result;
};

/* The sanitize operation. Heap: it is rare, long, and nobody's. */
struct sanitize {
	struct hf_lu_job job;
	struct hf_ldev_io io;
	struct waiter *waiter; /* or NULL */
	uint8_t *buf;	       /* CHUNK_BYTES of the pattern; NULL: erase */
	bool invert, begun;
	unsigned pass, passes;
	uint64_t lba, piece;
	int result;
};

static void destroy(struct sanitize *s)
{
	if (!s)
		return;
	free(s->buf);
	free(s->waiter);
	free(s);
}

void scsi_sanitize_sense(struct hf_scsi_task *t)
{
	uint32_t progress =
		atomic_load_explicit(&scsi_info(t)->shared->progress, memory_order_relaxed);

	if (progress)
		scsi_sense_progress(t, SCSI_ASC_SANITIZE_IN_PROGRESS, (uint16_t)(progress - 1));
	else
		hf_scsi_sense(t, SCSI_KEY_NOT_READY, SCSI_ASC_SANITIZE_IN_PROGRESS);
}

bool scsi_sanitize_prepare(struct hf_scsi_task *t)
{
	t->words[0] = 0;
	if (t->row->sa != ACTION_OVERWRITE)
		return t->count == 0 || scsi_cdb_error(t, 7, -1);
	if (t->count <= HEADER || t->count > HEADER + scsi_info(t)->block_bytes)
		return scsi_cdb_error(t, 7, -1);
	return scsi_takes_exactly(t, t->count);
}

/* --- the job: control loop --- */

static void finish(struct hf_msg *msg)
{
	struct waiter *w = hf_container_of(msg, struct waiter, msg);
	struct hf_scsi_task *t = w->task;
	int result = w->result;

	free(w);
	if (!t)
		return;
	t->words[0] = 0;
	t->waiting = false;
	if (result == 0)
		t->status = HF_STATUS_GOOD;
	else if (result == -EIO)
		hf_scsi_sense(t, SCSI_KEY_MEDIUM_ERROR, SCSI_ASC_WRITE_ERROR);
	else
		hf_scsi_sense(t, SCSI_KEY_MEDIUM_ERROR, SCSI_ASC_SANITIZE_FAILED);
	scsi_finish(t);
}

static void over(struct hf_lu_job *job)
{
	struct sanitize *s = hf_container_of(job, struct sanitize, job);
	struct waiter *w = s->waiter;

	if (w) {
		s->waiter = NULL;
		w->result = s->result;
		w->msg.run = finish;
		hf_loop_post(w->loop, &w->msg);
	}
	destroy(s);
}

static void end(struct sanitize *s, int result)
{
	struct hf_lu_shared *shared = hf_lu_job_info(&s->job)->shared;

	s->result = result;
	atomic_store_explicit(&shared->progress, 0, memory_order_relaxed);
	/* What has not touched the medium leaves it as good or as bad as it was. */
	hf_lu_job_end(&s->job, result && s->begun ? HF_RESV_SANITIZE_FAILED : 0,
		HF_RESV_SANITIZE | (result && !s->begun ? 0 : HF_RESV_SANITIZE_FAILED));
}

static void show_progress(const struct sanitize *s)
{
	const struct hf_lu_info *info = hf_lu_job_info(&s->job);
	unsigned __int128 done = (unsigned __int128)s->pass * info->blocks + s->lba;

	atomic_store_explicit(&info->shared->progress,
		1 + (uint32_t)(done * 65535 / ((unsigned __int128)s->passes * info->blocks)),
		memory_order_relaxed);
}

static void piece_done(struct hf_ldev_io *io, int result)
{
	struct sanitize *s = hf_container_of(io, struct sanitize, io);

	if (result < 0) {
		end(s, -EIO);
		return;
	}
	s->lba += s->piece;
	hf_lu_job_again(&s->job);
}

static void flushed(struct hf_ldev_io *io, int result)
{
	end(hf_container_of(io, struct sanitize, io), result < 0 ? -EIO : 0);
}

static void submit(struct sanitize *s, enum hf_pdev_op op)
{
	const struct hf_lu_info *info = hf_lu_job_info(&s->job);

	s->io.op = op;
	s->io.flags = op == HF_PDEV_WRITE_ZEROES ? HF_PDEV_UNMAP : 0;
	s->io.offset_bytes = op == HF_PDEV_FLUSH ? 0 : s->lba * info->block_bytes;
	s->io.len_bytes = op == HF_PDEV_FLUSH ? 0 : s->piece * info->block_bytes;
	s->io.buf = op == HF_PDEV_WRITE ? s->buf : NULL;
	s->io.done = op == HF_PDEV_FLUSH ? flushed : piece_done;
	s->begun = true;
	hf_ldev_submit(info->ldev, hf_lu_job_loop(&s->job), &s->io);
}

static void step(struct hf_lu_job *job)
{
	struct sanitize *s = hf_container_of(job, struct sanitize, job);
	const struct hf_lu_info *info = hf_lu_job_info(job);

	if (!hf_lu_job_may_go_on(job)) {
		end(s, -ECANCELED);
		return;
	}
	if (s->lba >= info->blocks) {
		s->lba = 0;
		s->pass++;
		for (uint32_t i = 0; s->invert && i < CHUNK_BYTES; i++)
			s->buf[i] = (uint8_t)~s->buf[i];
	}
	if (s->pass == s->passes) {
		submit(s, HF_PDEV_FLUSH);
		return;
	}
	show_progress(s);
	s->piece = HF_MIN(info->blocks - s->lba,
		(uint64_t)(s->buf ? CHUNK_BYTES : ERASE_BYTES) / info->block_bytes);
	submit(s, s->buf ? HF_PDEV_WRITE : HF_PDEV_WRITE_ZEROES);
}

/* --- the command: the session's loop --- */

/* The pattern begins anew in each block. */
static void fill(struct sanitize *s, const uint8_t *pattern, uint16_t len, uint32_t block)
{
	memcpy(s->buf, pattern, len);
	for (uint32_t i = len; i < block; i++)
		s->buf[i] = s->buf[i - len];
	for (uint32_t i = block; i < CHUNK_BYTES; i += block)
		memcpy(s->buf + i, s->buf, block);
}

static bool check_list(struct hf_scsi_task *t)
{
	uint16_t len = hf_get_be16(t->buf + 2);

	if ((t->buf[0] & 0x1f) == 0)
		return scsi_list_error(t, 0, 4);
	if (t->buf[0] & 0x60) /* TEST */
		return scsi_list_error(t, 0, 6);
	if (len == 0 || len > scsi_info(t)->block_bytes || len > t->out_len - HEADER)
		return scsi_list_error(t, 2, -1);
	return true;
}

static struct sanitize *create(struct hf_scsi_task *t)
{
	struct sanitize *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->job.step = step;
	s->job.over = over;
	s->passes = 1;
	if (!(t->cdb[1] & IMMED))
		s->waiter = calloc(1, sizeof(*s->waiter));
	if (t->row->sa == ACTION_OVERWRITE)
		s->buf = aligned_alloc(4096, CHUNK_BYTES);
	if ((!s->waiter && !(t->cdb[1] & IMMED)) || (!s->buf && t->row->sa == ACTION_OVERWRITE)) {
		destroy(s);
		return NULL;
	}
	if (s->buf) {
		s->passes = t->buf[0] & 0x1f;
		s->invert = t->buf[0] & 0x80;
		fill(s, t->buf + HEADER, hf_get_be16(t->buf + 2), scsi_info(t)->block_bytes);
	}
	return s;
}

/* The op has settled, or something has refused it. */
static void started(struct hf_scsi_task *t)
{
	struct sanitize *s = (struct sanitize *)(uintptr_t)t->words[0];

	t->words[0] = 0;
	if (t->status != HF_STATUS_GOOD) {
		destroy(s);
		scsi_finish(t);
		return;
	}
	if (t->drop_session || t->abandoned) {
		/* In doubt: the job is there for the case that it settles yet. */
		free(s->waiter);
		s->waiter = NULL;
	}
	if (!s->waiter) {
		hf_lu_job_begin(t->itl, &s->job);
		scsi_finish(t);
		return;
	}
	t->step = STEP_WAITS;
	s->waiter->loop = scsi_loop_of(t);
	s->waiter->task = t;
	t->words[0] = (uintptr_t)s->waiter;
	t->waiting = true;
	hf_list_init(&t->wait_node);
	/* Nothing else that is scarce waits with it. */
	scsi_resv_put(t);
	hf_lu_job_begin(t->itl, &s->job);
	hf_lu_cmd_goes_on(&t->cmd); /* this one does not end with its op */
}

static void start(struct hf_scsi_task *t)
{
	uint8_t ause = t->cdb[1] & AUSE ? HF_RESV_SANITIZE_AUSE : 0;

	if (t->row->sa == ACTION_EXIT_FAILURE)
		scsi_attrs_set(t, 0, HF_RESV_SANITIZE_FAILED, scsi_finish);
	else
		scsi_attrs_set(t, HF_RESV_SANITIZE | ause, HF_RESV_SANITIZE | HF_RESV_SANITIZE_AUSE,
			started);
}

static void begin(struct hf_scsi_task *t)
{
	if (t->row->sa != ACTION_EXIT_FAILURE) {
		struct sanitize *s;

		if (t->row->sa == ACTION_OVERWRITE && !check_list(t)) {
			scsi_finish(t);
			return;
		}
		s = create(t);
		if (!s) {
			t->status = HF_STATUS_TASK_SET_FULL;
			scsi_finish(t);
			return;
		}
		t->words[0] = (uintptr_t)s;
		t->step = STEP_ASKS;
	}
	scsi_resv_get(t, start);
}

void scsi_sanitize_run(struct hf_scsi_task *t)
{
	scsi_op(t, begin);
}

/* Aborted while it waited, for a request or for the end; what has begun goes on. */
void scsi_sanitize_ended(struct hf_scsi_task *t)
{
	void *p = (void *)(uintptr_t)t->words[0];

	if (!p)
		return;
	if (t->step == STEP_ASKS)
		destroy(p);
	else
		((struct waiter *)p)->task = NULL;
	t->words[0] = 0;
}
