/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of loop.h that is the same in every engine. Makes no system call. */
#include "loop_common.h"

unsigned hf_loop_index(const struct hf_loop *loop)
{
	return loop->index;
}

uint64_t hf_loop_now_ns(const struct hf_loop *loop)
{
	return loop->now_ns;
}

void hf_timer_init(struct hf_timer *t, void (*fire)(struct hf_timer *t))
{
	memset(t, 0, sizeof(*t));
	t->fire = fire;
}

void hf_timer_arm(struct hf_loop *loop, struct hf_timer *t, uint64_t deadline_ns)
{
	hf_timer_cancel(loop, t);
	/* No earlier than now: a timer that re-arms itself for the past comes behind what is due.
	 */
	hf_timers_add(&loop->timers, t, HF_MAX(deadline_ns, loop->now_ns));
}

void hf_timer_cancel(struct hf_loop *loop, struct hf_timer *t)
{
	if (hf_timer_is_armed(t))
		hf_timers_remove(&loop->timers, t);
}

bool hf_timer_is_armed(const struct hf_timer *t)
{
	return t->seq != 0;
}

void *hf_loop_buf_get(struct hf_loop *l, size_t len)
{
	return hf_bufs_get(&l->bufs, len);
}

void hf_loop_buf_wait(struct hf_loop *l, struct hf_buf_waiter *w, size_t len)
{
	hf_bufs_wait(&l->bufs, w, len);
}

void hf_loop_buf_unwait(struct hf_loop *l, struct hf_buf_waiter *w)
{
	hf_bufs_unwait(&l->bufs, w);
}

void hf_loop_buf_put(struct hf_loop *l, void *buf)
{
	hf_bufs_put(&l->bufs, buf);
}

enum { LAST_WAITS_MAX = 6 /* turns */ };

void hf_loop_post_last(struct hf_loop *own, struct hf_msg *msg)
{
	if (!own->last)
		own->last_end = &own->last;
	msg->next = NULL;
	*own->last_end = msg;
	own->last_end = &msg->next;
}

static void run_all(struct hf_msg *m)
{
	while (m) {
		struct hf_msg *next = m->next;

		m->run(m);
		m = next;
	}
}

static void run_last(struct hf_loop *loop)
{
	struct hf_msg *first = loop->last;
	bool has_more = hf_bufs_has_ready(&loop->bufs) || !hf_msgq_is_empty(&loop->msgs);

	if (!first || (has_more && loop->last_waited++ < LAST_WAITS_MAX))
		return;
	loop->last_waited = 0;
	loop->last = NULL;
	run_all(first);
}

void hf_loop_run_due(struct hf_loop *loop)
{
	uint64_t upto = loop->timers.last_seq;
	struct hf_timer *t;

	while ((t = hf_timers_pop_due(&loop->timers, loop->now_ns, upto)))
		t->fire(t);
	hf_bufs_run_ready(&loop->bufs);
	hf_loop_run_posted(loop);
	run_last(loop);
}

void hf_loop_run_posted(struct hf_loop *loop)
{
	run_all(hf_msgq_take(&loop->msgs));
}

bool hf_loop_is_due(struct hf_loop *loop, uint64_t now_ns)
{
	return hf_timers_next_ns(&loop->timers) <= now_ns || hf_loop_has_messages(loop);
}
