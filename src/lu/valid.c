/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a loop has worked out counts only if nobody can have gone on without this controller by then
 * (INV-5). While that is not known, answers wait: for a sign of life that shows that the view has
 * stood all the time, for the word that this controller is out of it, or for the bound.
 *
 *	worked out -> valid? -> said
 *			 \-> waits -> valid again: all the time from there to here was inside; said
 *				  \-> out of the view, or the bound: the session is closed
 *
 * Whoever was out comes in again only when all its sessions have ended (hf_bus_ops.clean), so what
 * waits here is always of the life in which the sign of life comes. On the session's loop.
 */
#include "lu_internal.h"
#include "canary.h"

#include <stdatomic.h>

bool lu_loop_is_valid(const struct hf_lu_loop *l)
{
	uint64_t until;

	if (!l->table->bus || l->serving != LU_SERVES || HF_PLANTED(ANSWER_STALE))
		return true;
	until = atomic_load_explicit(&l->table->bus->valid_until_ns, memory_order_relaxed);
	return until == HF_BUS_VALID_FOR_EVER || hf_loop_clock_ns(l->loop) < until;
}

bool hf_lu_session_is_valid(const struct hf_lu_session *s)
{
	return lu_loop_is_valid(s->lu_loop);
}

static void look_again(struct hf_lu_loop *l)
{
	if (!hf_list_is_empty(&l->unsure) && !hf_timer_is_armed(&l->unsure_timer))
		hf_timer_arm(
			l->loop, &l->unsure_timer, hf_loop_now_ns(l->loop) + LU_VALID_RETRY_NS);
}

void hf_lu_session_await_valid(struct hf_lu_session *s)
{
	if (!hf_list_is_empty(&s->unsure_node))
		return;
	s->unsure_since_ns = hf_loop_now_ns(s->loop);
	hf_list_push_back(&s->lu_loop->unsure, &s->unsure_node);
	look_again(s->lu_loop);
}

void lu_session_forget_valid(struct hf_lu_session *s)
{
	hf_list_remove(&s->unsure_node);
	if (hf_list_is_empty(&s->lu_loop->unsure))
		hf_timer_cancel(s->loop, &s->lu_loop->unsure_timer);
}

static void settle(struct hf_lu_loop *l, struct hf_lu_session *s)
{
	if (l->serving == LU_SERVES_NOT)
		s->close(s, "this controller is out of the view: what it has worked out may not "
			    "be true");
	else if (l->serving != LU_PAUSED && lu_loop_is_valid(l))
		s->valid(s);
	else if (s->unsure_since_ns + l->table->config.wait_bound_ns <= hf_loop_now_ns(l->loop))
		s->close(s, "it is not known for too long whether the others have gone on without "
			    "this controller");
	else
		hf_list_push_back(&l->unsure, &s->unsure_node);
}

void lu_valid_settle(struct hf_lu_loop *l)
{
	struct hf_list all;
	struct hf_list *n;

	hf_list_init(&all);
	hf_list_splice_back(&all, &l->unsure);
	while ((n = hf_list_pop_front(&all)))
		settle(l, hf_list_entry(n, struct hf_lu_session, unsure_node));
	look_again(l);
}

void lu_valid_fire(struct hf_timer *timer)
{
	lu_valid_settle(hf_container_of(timer, struct hf_lu_loop, unsure_timer));
}
