/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One I/O on one record: the arrows drawn in record_io.h. Decides nothing by itself about which
 * copy counts: that is record.c. Called by record_io.c and by the ends of its own I/Os.
 */
#include "bytes.h"
#include "canary.h"
#include "checksum.h"
#include "record_job.h"

#include <limits.h>
#include <stdlib.h>

static void io_done(struct hf_pdev_io *pio, int result);
static void step(struct hf_record_job *job);

static struct hf_record_place place_of(const struct job_disk *d)
{
	const struct hf_record_job *job = d->job;

	return (struct hf_record_place){job->kind, job->index, job->rec->labels[d->index]};
}

static void send_io(struct job_disk *d, unsigned copy, enum hf_pdev_op op, unsigned iov_len)
{
	struct hf_record_job *job = d->job;
	struct job_io *jio = &d->ios[op == HF_PDEV_READ ? copy : 0];
	uint64_t len = 0;

	for (unsigned i = 0; i < iov_len; i++)
		len += jio->iov[i].iov_len;
	jio->copy = (uint8_t)copy;
	jio->disk = d;
	jio->io = (struct hf_pdev_io){
		.op = op,
		.flags = op == HF_PDEV_WRITE && !HF_PLANTED(RECORD_CACHED) ? HF_PDEV_FUA : 0,
		.offset_bytes = hf_record_offset(job->kind, job->index, copy),
		.len_bytes = len,
		.iov = jio->iov,
		.iov_len = iov_len,
		.done = io_done,
	};
	d->out++;
	hf_pdev_submit(job->rec->pdevs[d->index], job->rec->loop, &jio->io);
}

static void read_heads(struct job_disk *d)
{
	d->whole = false;
	for (unsigned c = 0; c < HF_RECORD_COPIES; c++) {
		d->ios[c].iov[0] =
			(struct iovec){d->heads + c * HF_FORMAT_BLOCK_BYTES, HF_FORMAT_BLOCK_BYTES};
		send_io(d, c, HF_PDEV_READ, 1);
	}
}

/* The copy that is best, where it was read to. */
static uint8_t *best_image(const struct job_disk *d)
{
	const struct hf_record_head *h = &d->known.heads[d->known.best];

	return hf_record_image_bytes(h->len) > HF_FORMAT_BLOCK_BYTES
		       ? d->whole_image
		       : d->heads + d->known.best * HF_FORMAT_BLOCK_BYTES;
}

static const uint8_t *best_payload(const struct job_disk *d)
{
	return best_image(d) + HF_RECORD_HEAD_BYTES;
}

/* All that was asked of this disk in READ is here: ask more, or come to its answer. */
static void judge(struct job_disk *d)
{
	int copy = hf_record_judge(&d->known);
	uint8_t owner[4];

	if (copy >= 0) {
		d->whole = true;
		d->ios[copy].iov[0] = (struct iovec){
			d->whole_image, hf_record_image_bytes(d->known.heads[copy].len)};
		send_io(d, (unsigned)copy, HF_PDEV_READ, 1);
		return;
	}
	if (d->known.answer != HF_RECORD_ANSWER_VALID)
		return;
	hf_put_be32(owner, d->known.heads[d->known.best].owner);
	d->known.digest = hf_digest64(hf_digest64(0, owner, sizeof(owner)), best_payload(d),
		d->known.heads[d->known.best].len);
}

static void copy_was_read(struct job_disk *d, unsigned copy, int result)
{
	struct hf_record_place place = place_of(d);
	struct hf_record_head *head = &d->known.heads[copy];

	if (result < 0)
		d->known.copies[copy] = HF_RECORD_COPY_UNREAD;
	else if (d->whole)
		d->known.copies[copy] = hf_record_look_whole(
			&place, copy, d->whole_image, hf_record_image_bytes(head->len), head);
	else
		d->known.copies[copy] =
			hf_record_look(&place, copy, d->heads + copy * HF_FORMAT_BLOCK_BYTES, head);
}

static void hung_disk_ended(struct job_disk *d)
{
	struct hf_record_job *job = d->job;
	bool out = false;

	if (d->out)
		return;
	d->hung = false;
	job->rec->hung[d->index]--;
	for (unsigned i = 0; i < job->rec->disks_len; i++)
		out |= job->disks[i].out != 0;
	if (job->phase == JOB_LINGER && !out)
		job->phase = JOB_FREE;
	hf_recorder_pump(job->rec);
}

static void io_done(struct hf_pdev_io *pio, int result)
{
	struct job_io *jio = hf_container_of(pio, struct job_io, io);
	struct job_disk *d = jio->disk;

	hf_assert(d->out);
	d->out--;
	if (d->hung) {
		hung_disk_ended(d);
		return;
	}
	if (d->job->phase == JOB_READ) {
		copy_was_read(d, jio->copy, result);
		if (!d->out)
			judge(d);
	} else if (result < 0) {
		d->failed = true;
	}
	if (!d->out)
		step(d->job);
}

/* Nothing could be sent at all: go on from the loop, as every end does. */
static void step_later(struct hf_msg *msg)
{
	step(hf_container_of(msg, struct hf_record_job, msg));
}

static void later_if_none_out(struct hf_record_job *job)
{
	for (unsigned i = 0; i < job->rec->disks_len; i++)
		if (job->disks[i].used)
			return;
	job->msg.run = step_later;
	hf_loop_post(job->rec->loop, &job->msg);
}

static bool may_use(const struct job_disk *d)
{
	const struct hf_recorder *rec = d->job->rec;

	return rec->pdevs[d->index] && !d->hung && !rec->hung[d->index];
}

void hf_record_job_start(struct hf_record_job *job, struct hf_record_io *io)
{
	hf_assert(job->phase == JOB_FREE);
	job->phase = JOB_READ;
	job->io = io;
	job->kind = io->kind;
	job->index = io->index;
	for (unsigned i = 0; i < job->rec->disks_len; i++) {
		struct job_disk *d = &job->disks[i];

		hf_assert(!d->out && !d->hung);
		d->known = (struct hf_record_disk){.best = -1};
		d->used = may_use(d);
		if (d->used)
			read_heads(d);
	}
	later_if_none_out(job);
}

/* One copy: head made from *head, content (without head) from image, which is in whole blocks. */
static void write_copy(struct job_disk *d, struct hf_record_head *head, uint8_t *image)
{
	struct hf_record_place place = place_of(d);
	size_t image_len = hf_record_image_bytes(head->len);

	hf_record_seal(&place, (unsigned)d->target, head, image + HF_RECORD_HEAD_BYTES, d->sealed);
	memcpy(d->sealed + HF_RECORD_HEAD_BYTES, image + HF_RECORD_HEAD_BYTES,
		HF_FORMAT_BLOCK_BYTES - HF_RECORD_HEAD_BYTES);
	d->ios[0].iov[0] = (struct iovec){d->sealed, HF_FORMAT_BLOCK_BYTES};
	d->ios[0].iov[1] =
		(struct iovec){image + HF_FORMAT_BLOCK_BYTES, image_len - HF_FORMAT_BLOCK_BYTES};
	send_io(d, (unsigned)d->target, HF_PDEV_WRITE, image_len > HF_FORMAT_BLOCK_BYTES ? 2 : 1);
}

/*
 * A disk is missing, or has what most have not: most note the generation to come, beside the
 * content they have, in place of their older copy (record.h). A disk whose content is lost stays
 * lost by its promise; one that cannot be read does not promise.
 */
static void promise_all(struct hf_record_job *job)
{
	static const uint8_t nothing[HF_FORMAT_BLOCK_BYTES];

	job->phase = JOB_PROMISE;
	for (unsigned i = 0; i < job->rec->disks_len; i++) {
		struct job_disk *d = &job->disks[i];
		struct hf_record_head head = {.generation = 1};

		d->used = d->target >= 0 && may_use(d) &&
			  (d->known.best >= 0 || d->known.answer != HF_RECORD_ANSWER_NONE);
		d->failed = false;
		if (!d->used)
			continue;
		if (d->known.best >= 0)
			head = d->known.heads[d->known.best];
		else if (d->known.answer == HF_RECORD_ANSWER_LOST)
			head.owner = HF_RECORD_OWNER_LOST;
		head.promised = job->writing.generation;
		write_copy(d, &head, d->known.best >= 0 ? best_image(d) : (uint8_t *)nothing);
	}
	later_if_none_out(job);
}

/* PROMISE has ended: the write goes to the copy that has no promise, for the other one stays. */
static void promised(struct hf_record_job *job)
{
	for (unsigned i = 0; i < job->rec->disks_len; i++) {
		struct job_disk *d = &job->disks[i];

		if (d->used && !d->failed && !d->hung)
			d->target = !d->target;
	}
}

/* Sends what stands in job->image and job->writing to every disk that has a target. */
static void write_all(struct hf_record_job *job, enum job_phase phase)
{
	size_t image_len = hf_record_image_bytes(job->writing.len);
	size_t end = HF_RECORD_HEAD_BYTES + job->writing.len;

	job->phase = phase;
	memset(job->image + end, 0, image_len - end);
	for (unsigned i = 0; i < job->rec->disks_len; i++) {
		struct job_disk *d = &job->disks[i];

		d->used = d->target >= 0 && may_use(d);
		d->failed = false;
		if (d->used)
			write_copy(d, &job->writing, job->image);
	}
	later_if_none_out(job);
}

/* READ is over and it is a write. False: too few disks can take it; nothing was sent. */
static bool begin_write(struct hf_record_job *job)
{
	struct hf_record_disk known[HF_RECORD_DISKS_MAX];
	unsigned n = job->rec->disks_len, can = 0;

	for (unsigned i = 0; i < n; i++) {
		struct job_disk *d = &job->disks[i];

		known[i] = d->known;
		d->target = hf_record_target(&d->known);
		can += d->target >= 0 && may_use(d);
	}
	if (can < job->rec->most)
		return false;
	job->writing = (struct hf_record_head){
		.generation = hf_record_next_generation(known, n),
		.promised = hf_record_promised(known, n),
		.owner = job->io->owner,
		.len = (uint32_t)job->io->len,
	};
	if (job->io->len)
		memcpy(job->image + HF_RECORD_HEAD_BYTES, job->io->buf, job->io->len);
	if (n == 1 || hf_record_is_settled(known, n)) {
		write_all(job, JOB_WRITE);
		return true;
	}
	job->writing.promised = job->writing.generation;
	promise_all(job);
	return true;
}

/* WRITE has failed. False: the old content is not known. */
static bool begin_restore(struct hf_record_job *job)
{
	const struct job_disk *d;

	if (job->verdict.result)
		return false;
	job->writing.generation++;
	job->writing.owner = job->writing.len = 0;
	if (job->verdict.winner >= 0) {
		d = &job->disks[job->verdict.winner];
		job->writing.owner = d->known.heads[d->known.best].owner;
		job->writing.len = d->known.heads[d->known.best].len;
		memcpy(job->image + HF_RECORD_HEAD_BYTES, best_payload(d), job->writing.len);
	}
	write_all(job, JOB_RESTORE);
	return true;
}

/* The job lets go of its record; what hangs goes on lingering. */
static void release(struct hf_record_job *job)
{
	job->phase = JOB_FREE;
	for (unsigned i = 0; i < job->rec->disks_len; i++)
		if (job->disks[i].out)
			job->phase = JOB_LINGER;
	hf_timer_cancel(job->rec->loop, &job->timer);
	hf_recorder_class(job->rec, job->kind)->active--;
}

static int read_result(struct hf_record_job *job, struct hf_record_io *io)
{
	const struct hf_record_head *h;
	const struct job_disk *d;

	io->scattered = job->verdict.scattered;
	if (job->verdict.result || job->verdict.winner < 0)
		return job->verdict.result;
	d = &job->disks[job->verdict.winner];
	h = &d->known.heads[d->known.best];
	if (h->owner != io->owner)
		return 0;
	if (h->len > io->len)
		return -EMSGSIZE;
	if (h->len)
		memcpy(io->buf, best_payload(d), h->len);
	return (int)h->len;
}

static void judge_together(struct hf_record_job *job)
{
	struct hf_record_disk known[HF_RECORD_DISKS_MAX];

	for (unsigned i = 0; i < job->rec->disks_len; i++) {
		/* What an I/O that hangs would have said is not known. */
		if (job->disks[i].hung)
			job->disks[i].known = (struct hf_record_disk){.best = -1};
		known[i] = job->disks[i].known;
	}
	job->verdict = hf_record_decide(known, job->rec->disks_len);
}

/* Waits for no disk any longer that has I/O out. */
static void expire(struct hf_timer *t)
{
	struct hf_record_job *job = hf_container_of(t, struct hf_record_job, timer);

	for (unsigned i = 0; i < job->rec->disks_len; i++) {
		struct job_disk *d = &job->disks[i];

		if (d->out && !d->hung) {
			d->hung = true;
			job->rec->hung[i]++;
		}
	}
	step(job);
}

/* No answer: no record is that long. */
#define GOES_ON INT_MAX

/* The phase has its disks, or waits no longer. The answer, or GOES_ON. */
static int end_phase(struct hf_record_job *job, unsigned good)
{
	hf_timer_cancel(job->rec->loop, &job->timer);
	switch (job->phase) {
	case JOB_READ:
		judge_together(job);
		if (!job->io->write)
			return read_result(job, job->io);
		return begin_write(job) ? GOES_ON : -EIO;
	case JOB_PROMISE:
		if (good < job->rec->most)
			return -EIO; /* every disk has what it had */
		promised(job);
		write_all(job, JOB_WRITE);
		return GOES_ON;
	case JOB_WRITE:
		if (good >= job->rec->most)
			return 0;
		return begin_restore(job) ? GOES_ON : -EINPROGRESS;
	default:
		return good >= job->rec->most ? -EIO : -EINPROGRESS;
	}
}

/* A disk has come to its end in this phase, or the wait is over. */
static void step(struct hf_record_job *job)
{
	struct hf_recorder *rec = job->rec;
	struct hf_record_io *io = job->io;
	unsigned waiting = 0, good = 0;
	int result = GOES_ON;

	for (unsigned i = 0; i < rec->disks_len; i++) {
		const struct job_disk *d = &job->disks[i];

		if (!d->used || d->hung)
			continue;
		if (d->out)
			waiting++;
		else if (job->phase == JOB_READ)
			good += d->known.answer != HF_RECORD_ANSWER_NONE;
		else
			good += !d->failed;
	}
	if (!waiting && io)
		result = end_phase(job, good);
	else if (waiting && good >= rec->most && !hf_timer_is_armed(&job->timer))
		hf_timer_arm(
			rec->loop, &job->timer, hf_loop_now_ns(rec->loop) + HF_RECORD_GRACE_NS);
	/* Most have it: the caller need not wait for the rest, the record does. */
	if (waiting && good >= rec->most && (job->phase == JOB_WRITE || job->phase == JOB_RESTORE))
		result = job->phase == JOB_WRITE ? 0 : -EIO;
	if (result == GOES_ON && io)
		return;
	job->io = NULL;
	if (!waiting) {
		release(job);
		hf_recorder_pump(rec);
	}
	if (io)
		io->done(io, result);
}

int hf_record_job_init(struct hf_record_job *job, struct hf_recorder *rec, enum hf_record_kind kind)
{
	size_t copy = (size_t)hf_record_copy_bytes(kind), block = HF_FORMAT_BLOCK_BYTES;
	size_t per_disk = 3 * block + copy;
	uint8_t *at;

	job->rec = rec;
	hf_timer_init(&job->timer, expire);
	job->memory = aligned_alloc(block, rec->disks_len * per_disk + copy);
	if (!job->memory)
		return -ENOMEM;
	at = job->memory;
	for (unsigned i = 0; i < rec->disks_len; i++, at += per_disk) {
		job->disks[i].job = job;
		job->disks[i].index = i;
		job->disks[i].heads = at;
		job->disks[i].sealed = at + 2 * block;
		job->disks[i].whole_image = at + 3 * block;
	}
	job->image = at;
	return 0;
}

void hf_record_job_fini(struct hf_record_job *job)
{
	free(job->memory);
}
