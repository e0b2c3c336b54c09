/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests on a LUN of a third controller: when their commands go out, and what an answer means for
 * them. What the commands are is iscsi_cmd_libiscsi.c.
 *
 * Why a request is sent again after the loss of a session. It is not answered, so it may have been
 * carried out, or not, or be under way at the target. The next session reinstates the lost one, and
 * resets the LUN: after that nothing of it is under way (iscsi_probe_libiscsi.c). The pin of the
 * command above is held all this time, so no reservation, no COMPARE AND WRITE range and no fence
 * has passed that would forbid it now. All requests are idempotent: reads, writes of given data to
 * given blocks, zeroing, flushing. What another host wrote to the same blocks meanwhile was
 * concurrent with a write that has not been answered, and either order is right. So sending again
 * is always allowed and always enough; failing instead would hand the target's restart to the hosts
 * as errors.
 *
 * A timeout ends no request: what the target does not answer stays pending, with a warning.
 */
#include "iscsi_libiscsi.h"
#include "log.h"

#include <stdio.h>

#define MS 1000000ULL

enum {
	LATER_FIRST_MS = 10,
	LATER_LAST_MS = 1000,
	LATER_BOUND_MS = 60000, /* how long a LUN may be not ready before a request fails */
	SLOW_MS = 30000,
	DISTURBED_MS = 10000,
};

void hf_pdev_iscsi_dispatch(struct iscsi_pdev *p)
{
	struct hf_list *n;

	/* What has begun goes first. */
	while (!p->is_lost && (n = hf_list_pop_front(&p->again))) {
		struct iscsi_cmd *c = hf_list_entry(n, struct iscsi_cmd, node);

		if (hf_pdev_iscsi_send(c))
			hf_list_push_back(&p->sent, &c->node);
		else
			hf_list_push_front(&p->again, &c->node);
	}
	while (!p->is_lost && !hf_list_is_empty(&p->waiting) && (n = hf_list_pop_front(&p->free))) {
		struct iscsi_cmd *c = hf_list_entry(n, struct iscsi_cmd, node);

		c->io = hf_list_entry(hf_list_pop_front(&p->waiting), struct hf_pdev_io, node);
		c->first_later_ns = 0;
		c->later_count = 0;
		c->is_flushing = false;
		if (hf_pdev_iscsi_send(c))
			hf_list_push_back(&p->sent, &c->node);
		else
			hf_list_push_back(&p->again, &c->node);
	}
}

/* --- from answers to results --- */

static void finish(struct iscsi_cmd *c, int result)
{
	struct hf_pdev_io *io = c->io;

	c->io = NULL;
	hf_list_push_back(&c->owner->free, &c->node);
	hf_pdev_finish_later(io, result);
}

static void send_again(struct iscsi_cmd *c)
{
	hf_list_push_back(&c->owner->again, &c->node);
}

static void succeed(struct iscsi_cmd *c)
{
	struct iscsi_pdev *p = c->owner;
	struct hf_pdev_io *io = c->io;
	bool is_durable = io->op == HF_PDEV_WRITE && !p->cannot_fua;

	c->first_later_ns = 0;
	c->later_count = 0;
	p->is_conflict_told = false;
	if (io->op != HF_PDEV_FLUSH && !c->is_flushing) {
		io->done_bytes += c->piece_bytes;
		if (hf_pdev_iscsi_left_bytes(c))
			return send_again(c);
		if (io->flags & HF_PDEV_FUA && io->op != HF_PDEV_READ && !is_durable) {
			c->is_flushing = true;
			return send_again(c);
		}
	}
	finish(c, 0);
}

/* Refused for what it is, not for when: what else comes to the same. */
static void find_another_way(struct iscsi_cmd *c)
{
	struct iscsi_pdev *p = c->owner;
	struct hf_pdev_io *io = c->io;
	bool is_flush = io->op == HF_PDEV_FLUSH || c->is_flushing;

	if (is_flush) {
		p->cannot_flush = true; /* a disk without a cache */
		finish(c, 0);
	} else if (io->op == HF_PDEV_WRITE && io->flags & HF_PDEV_FUA && !p->cannot_fua) {
		p->cannot_fua = true;
		io->done_bytes =
			0; /* from the start: the pieces before are flushed with the rest */
		send_again(c);
	} else if (io->op == HF_PDEV_DISCARD && !p->pdev.info.discard_zeroes) {
		p->cannot_unmap = true; /* a hint */
		finish(c, 0);
	} else if (!hf_pdev_has_data(io) && !p->cannot_write_same) {
		p->cannot_write_same = true;
		send_again(c);
	} else {
		finish(c, -EIO);
	}
}

static void put_off(struct iscsi_cmd *c, bool is_bound, int error)
{
	struct iscsi_pdev *p = c->owner;
	uint64_t now = hf_loop_now_ns(p->loop);
	uint64_t ms = HF_MIN(LATER_FIRST_MS << HF_MIN(c->later_count, 10U), LATER_LAST_MS);

	if (!c->first_later_ns) {
		c->first_later_ns = now;
		c->later_count = 0;
	}
	c->later_count++;
	if (is_bound && now - c->first_later_ns > LATER_BOUND_MS * MS)
		return finish(c, error);
	hf_list_push_back(&p->later, &c->node);
	if (!hf_timer_is_armed(&p->later_timer))
		hf_timer_arm(p->loop, &p->later_timer, now + ms * MS);
}

static void later_due(struct hf_timer *t)
{
	struct iscsi_pdev *p = hf_container_of(t, struct iscsi_pdev, later_timer);

	hf_list_splice_back(&p->again, &p->later);
	hf_pdev_iscsi_settle(p);
}

static void tell_conflict(struct iscsi_pdev *p)
{
	if (!p->is_conflict_told)
		hf_error(
			"%s: the third controller answers RESERVATION CONFLICT, and I/O fails: the "
			"other controller has fenced this one, or somebody has reserved the LUN "
			"itself there; find out who with sg_persist or iscsi-pr (Holdfast reserves "
			"a LUN with the fence driver pr and not otherwise)",
			p->name);
	p->is_conflict_told = true;
}

static void judge(struct iscsi_cmd *c, int status, const struct scsi_task *task)
{
	struct iscsi_pdev *p = c->owner;
	struct hf_remote_verdict v =
		hf_remote_judge((unsigned)status, task->sense.key, (unsigned)task->sense.ascq);
	bool is_short = task->residual_status == SCSI_RESIDUAL_UNDERFLOW && task->residual &&
			hf_pdev_has_data(c->io) && !c->is_flushing;

	if (v.is_disturbed)
		p->disturbed_ns = hf_loop_now_ns(p->loop);
	if (status == SCSI_STATUS_RESERVATION_CONFLICT)
		tell_conflict(p);
	switch (v.next) {
	case HF_REMOTE_GOOD:
		return is_short ? finish(c, -EIO) : succeed(c);
	case HF_REMOTE_AGAIN:
		/* One after the other they come to an end; if not, with pauses. */
		if (++c->later_count < 32)
			return send_again(c);
		return put_off(c, true, v.error);
	case HF_REMOTE_LATER:
		return put_off(c, false, v.error);
	case HF_REMOTE_LATER_BOUND:
		return put_off(c, true, v.error);
	case HF_REMOTE_UNKNOWN:
		return find_another_way(c);
	case HF_REMOTE_GONE:
		send_again(c);
		return hf_pdev_iscsi_lose(p, -ENXIO, "the target has no LUN %u", p->where.lun);
	case HF_REMOTE_FAILED:
		break;
	}
	hf_warning("%s: a command (%02xh) failed with status %02xh, sense key %xh, %04xh", p->name,
		task->cdb[0], status, task->sense.key, task->sense.ascq);
	finish(c, v.error);
}

void hf_pdev_iscsi_command_done(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct iscsi_cmd *c = arg;
	struct iscsi_pdev *p = c->owner;
	struct scsi_task *task = c->task;

	hf_assert(c->io && task);
	hf_list_remove(&c->node);
	c->task = NULL;
	if (p->is_ending || status == SCSI_STATUS_CANCELLED || status == SCSI_STATUS_ERROR ||
		status == SCSI_STATUS_TIMEOUT) {
		/* No answer of the target's: the session is over, the request is not. */
		send_again(c);
		if (!p->is_ending)
			hf_pdev_iscsi_lose(
				p, -EIO, "the connection ended (%s)", iscsi_get_error(ctx));
	} else {
		judge(c, status, task);
	}
	scsi_free_scsi_task(task);
}

unsigned hf_pdev_iscsi_take_back(struct iscsi_pdev *p)
{
	struct hf_list *n;
	unsigned count = 0;

	while ((n = hf_list_pop_front(&p->sent))) {
		struct iscsi_cmd *c = hf_list_entry(n, struct iscsi_cmd, node);

		scsi_free_scsi_task(c->task);
		c->task = NULL;
		hf_list_push_back(&p->again, &c->node);
	}
	for (n = p->again.next; n != &p->again; n = n->next)
		count++;
	return count;
}

void hf_pdev_iscsi_watch(struct iscsi_pdev *p)
{
	uint64_t now = hf_loop_now_ns(p->loop);
	const struct iscsi_cmd *oldest;

	if (hf_list_is_empty(&p->sent)) {
		p->is_slow_told = false;
		return;
	}
	oldest = hf_list_entry(p->sent.next, struct iscsi_cmd, node);
	/* A reset by another initiator may end commands without an answer (control mode page, TAS
	 * 0); then only a new session gets rid of them. */
	if (p->disturbed_ns > oldest->sent_ns && now - p->disturbed_ns > DISTURBED_MS * MS)
		return hf_pdev_iscsi_lose(p, -ETIMEDOUT,
			"a reset has ended commands and one has had no answer since");
	if (now - oldest->sent_ns < SLOW_MS * MS) {
		p->is_slow_told = false;
		return;
	}
	if (!p->is_slow_told)
		hf_warning("%s: a command has had no answer for %d s; it stays pending, and what "
			   "waits for it with it; look at the third controller",
			p->name, SLOW_MS / 1000);
	p->is_slow_told = true;
}

/* --- arrival --- */

static void arrive(struct iscsi_pdev *p, struct hf_pdev_io *io)
{
	if ((io->op == HF_PDEV_FLUSH && p->cannot_flush) ||
		(io->op == HF_PDEV_DISCARD && (!p->pdev.info.can_discard || p->cannot_unmap))) {
		hf_pdev_finish_later(io, 0);
		return;
	}
	hf_list_push_back(&p->waiting, &io->node);
	if (p->state == ISCSI_UP)
		hf_pdev_iscsi_settle(p);
}

static void arrive_by_message(struct hf_msg *msg)
{
	struct hf_pdev_io *io = hf_container_of(msg, struct hf_pdev_io, msg);

	arrive(iscsi_pdev_of(io->pdev), io);
}

void hf_pdev_iscsi_submit(struct hf_pdev *pdev, struct hf_pdev_io *io)
{
	struct iscsi_pdev *p = iscsi_pdev_of(pdev);
	int err = hf_pdev_io_check(io);

	if (err < 0 || (io->op != HF_PDEV_FLUSH && !io->len_bytes)) {
		hf_pdev_finish_later(io, err);
		return;
	}
	io->done_bytes = 0;
	if (io->loop == p->loop) {
		arrive(p, io);
		return;
	}
	io->msg.run = arrive_by_message;
	hf_loop_post(p->loop, &io->msg);
}

void hf_pdev_iscsi_io_init(struct iscsi_pdev *p)
{
	hf_list_init(&p->waiting);
	hf_list_init(&p->free);
	hf_list_init(&p->again);
	hf_list_init(&p->later);
	hf_list_init(&p->sent);
	hf_list_init(&p->prs);
	hf_timer_init(&p->later_timer, later_due);
	for (unsigned i = 0; i < ISCSI_QUEUE_DEPTH; i++) {
		p->cmds[i].owner = p;
		hf_list_push_back(&p->free, &p->cmds[i].node);
	}
}
