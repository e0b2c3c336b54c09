/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control loop's side of the change dialogue with every loop (lu_internal.h): changes go out
 * one at a time, each after the last has been seen everywhere; "drained" is gathered and handed to
 * the bus.
 */
#include "lu_internal.h"
#include "canary.h"
#include "spare.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Of the attributes: what keeps commands out. */
enum {
	KEEPS_OUT = HF_RESV_SANITIZE | HF_RESV_SANITIZE_FAILED | HF_RESV_SANITIZE_AUSE | HF_RESV_SWP
};

static void change_next(struct hf_lu *lu);

static void attrs_set(struct hf_lu *lu, uint8_t attrs)
{
	atomic_store_explicit(&lu->shared.attrs, attrs, memory_order_relaxed);
}

int lu_try(struct hf_lu *lu, const void *op, size_t len)
{
	struct hf_lu_table *t = lu->table;

	if (t->tried == lu->version && t->tried_len == len && !memcmp(t->tried_op, op, len))
		return 0;
	t->tried = 0;
	if (hf_resv_op_decode(op, len, &t->op))
		return -EBADMSG;
	hf_resv_copy(t->scratch, lu->cur);
	hf_resv_apply(t->scratch, &t->op, &t->outcome);
	t->tried = lu->version;
	t->tried_len = len;
	memcpy(t->tried_op, op, len);
	return 0;
}

/* Computes what the pending op makes of the settled state. -EBADMSG: nonsense, from a peer. */
static int compute(struct hf_lu *lu)
{
	struct hf_lu_table *t = lu->table;
	struct hf_resv_outcome *out = &t->outcome;
	struct hf_resv *tried;
	int rc = lu_try(lu, lu->op, lu->op_len);

	if (rc) { /* nothing, until it is taken back */
		t->op = (struct hf_resv_op){.kind = HF_RESV_READ};
		out->verdict = (struct hf_resv_verdict){0};
		out->effects_len = 0;
		hf_resv_copy(t->scratch, lu->cur);
	}
	tried = t->scratch;
	t->scratch = lu->next;
	t->tried = 0;
	lu->next = tried;
	/* "Preempt" is not "clear", at whatever controller. */
	if (HF_PLANTED(REPLICA_DIFFERS) && t->target.own_rtpi == 2 &&
		t->op.kind == HF_RESV_PR_PREEMPT) {
		t->op.kind = HF_RESV_PR_CLEAR;
		hf_resv_copy(lu->next, lu->cur);
		hf_resv_apply(lu->next, &t->op, out);
	}
	if ((HF_PLANTED(FORGET_UNREG) && t->op.unreg) ||
		(HF_PLANTED(FORGET_LISTED) && t->op.spec_i_pt)) {
		t->op.unreg = false;
		t->op.ids_len = t->op.spec_i_pt ? 0 : t->op.ids_len;
		hf_resv_copy(lu->next, lu->cur);
		hf_resv_apply(lu->next, &t->op, out);
	}
	lu->op_kind = t->op.kind;
	lu->op_by = t->op.nexus;
	lu->verdict = out->verdict;
	lu->effects_len = out->effects_len;
	free(lu->effects);
	lu->effects = NULL;
	if (out->effects_len) {
		lu->effects = hf_spare_malloc(out->effects_len * sizeof(out->effects[0]));
		memcpy(lu->effects, out->effects, out->effects_len * sizeof(out->effects[0]));
	}
	lu->computed = true;
	return rc;
}

static void start(struct hf_lu *lu, enum lu_change change)
{
	unsigned loops = lu->table->config.loops_len;

	if (change == LU_CHANGE_HOLD || change == LU_CHANGE_CLEAR) {
		lu->drained_out = loops;
		lu->drain_result = change == LU_CHANGE_HOLD ? compute(lu) : 0;
		lu->clear_out = change == LU_CHANGE_CLEAR;
	}
	lu->acks_out = loops;
	for (unsigned i = 0; i < loops; i++) {
		struct hf_lu_local *l = &lu->locals[i];

		l->change = change;
		l->cur = lu->cur;
		l->next = lu->next;
		l->new_info = lu->info;
		l->new_stopped = lu->stopped;
		l->new_replaced = lu->replaced;
		hf_loop_post(l->loop->loop, &l->change_msg);
	}
	if (change == LU_CHANGE_STOPPED && !lu->stopped)
		lu->replaced = false;
}

/* On a loop. */
static void handle_change(struct hf_msg *msg)
{
	struct hf_lu_local *l = hf_container_of(msg, struct hf_lu_local, change_msg);
	struct hf_loop *control = l->lu->table->control;
	bool drained;

	l->changing = true;
	lu_local_change(l);
	l->changing = false;
	drained = l->drained_due;
	l->drained_due = false;
	/* With the last word about a unit that is removed it is freed, unless it is owed `drained`.
	 */
	hf_loop_post(control, &l->seen_msg);
	if (drained)
		hf_loop_post(control, &l->drained_msg);
}

static void free_states(struct hf_lu *lu)
{
	hf_list_for_each_safe (n, &lu->graves) {
		struct lu_grave *g = hf_list_entry(n, struct lu_grave, node);

		if (g->resv) {
			hf_resv_destroy(g->resv);
			hf_list_remove(n);
			free(g);
		}
	}
}

/*
 * Every loop has taken over what it was sent, and knows whether the unit is stopped. (A hold may
 * still wait for what is left of an earlier one; that ends by itself.)
 */
static bool is_seen(const struct hf_lu *lu)
{
	if (lu->acks_out)
		return false;
	for (unsigned i = 0; i < lu->queue_len; i++)
		if (lu->queue[i] == LU_CHANGE_STOPPED)
			return false;
	return true;
}

static void tell_seen(struct hf_lu_table *t)
{
	void (*seen)(void *arg) = t->changes_seen;

	hf_list_for_each (n, &t->lus)
		if (!is_seen(hf_list_entry(n, struct hf_lu, node)))
			return;
	t->changes_seen = NULL;
	seen(t->changes_arg);
}

void hf_lu_await_changes(struct hf_lu_table *t, void (*seen)(void *arg), void *arg)
{
	t->changes_seen = seen;
	t->changes_arg = arg;
	tell_seen(t);
}

/* What a replaced state kept out is let in when no loop goes by that state any more. */
static void attrs_follow(struct hf_lu *lu)
{
	for (unsigned i = 0; i < lu->queue_len; i++)
		if (lu->queue[i] == LU_CHANGE_REFRESH)
			return;
	if (lu->attrs_due)
		attrs_set(lu, hf_resv_attrs(lu->cur));
	lu->attrs_due = false;
}

/* On the control loop. */
static void handle_seen(struct hf_msg *msg)
{
	struct hf_lu *lu = hf_container_of(msg, struct hf_lu_local, seen_msg)->lu;
	struct hf_lu_table *t = lu->table;

	hf_assert(lu->acks_out);
	if (--lu->acks_out)
		return;
	attrs_follow(lu);
	lu->refs++; /* given back below: with the last word about one that is removed it goes */
	free_states(lu);
	change_next(lu);
	lu_unref(lu);
	if (t->changes_seen)
		tell_seen(t);
}

static void handle_drained(struct hf_msg *msg)
{
	struct hf_lu_local *l = hf_container_of(msg, struct hf_lu_local, drained_msg);
	struct hf_lu *lu = l->lu;

	hf_assert(lu->drained_out);
	if (l->drained_result && !lu->drain_result) {
		lu->drain_result = l->drained_result;
		strcpy(lu->in_use_by, l->in_use_by);
	}
	if (--lu->drained_out)
		return;
	lu->refs++;
	if (lu->clear_out) {
		lu->clear_out = false;
		change_next(lu);
		lu_pick_cleared(lu);
	} else if (lu->pending && lu->computed) {
		hf_bus_drained(lu->table->bus, lu->info->id, lu->n, lu->drain_result);
	} else {
		change_next(lu);
	}
	lu_unref(lu);
}

static void change_next(struct hf_lu *lu)
{
	enum lu_change change;

	if (lu->acks_out || !lu->queue_len)
		return;
	change = lu->queue[0];
	/* A drain starts only when that of an earlier, cancelled hold has been accounted for. */
	if ((change == LU_CHANGE_HOLD || change == LU_CHANGE_CLEAR) && lu->drained_out)
		return;
	memmove(&lu->queue[0], &lu->queue[1], --lu->queue_len * sizeof(lu->queue[0]));
	start(lu, change);
}

bool lu_hold_forget(struct hf_lu *lu)
{
	for (unsigned i = lu->queue_len; i-- > 0;) {
		if (lu->queue[i] != LU_CHANGE_HOLD)
			continue;
		memmove(&lu->queue[i], &lu->queue[i + 1],
			(--lu->queue_len - i) * sizeof(lu->queue[0]));
		return true;
	}
	return false;
}

void lu_change_send(struct hf_lu *lu, enum lu_change change)
{
	if (change == LU_CHANGE_UNHOLD && lu_hold_forget(lu))
		return;
	/* A description that has not gone out yet goes out as it is then. */
	for (unsigned i = 0; change == LU_CHANGE_INFO && i < lu->queue_len; i++)
		if (lu->queue[i] == LU_CHANGE_INFO)
			return;
	hf_assert(lu->queue_len < LU_CHANGES_MAX);
	lu->queue[lu->queue_len++] = change;
	change_next(lu);
}

void lu_change_init(struct hf_lu *lu)
{
	for (unsigned i = 0; i < lu->table->config.loops_len; i++) {
		lu->locals[i].change_msg.run = handle_change;
		lu->locals[i].seen_msg.run = handle_seen;
		lu->locals[i].drained_msg.run = handle_drained;
	}
}

void lu_attrs_publish(struct hf_lu *lu, const struct hf_resv *old)
{
	uint8_t attrs = hf_resv_attrs(lu->cur);

	if (attrs != hf_resv_attrs(old))
		attrs_set(lu, attrs);
}

/*
 * `fresh` becomes the settled state; loops may still be looking at the old one, and what that keeps
 * out (SANITIZE, SWP) stays out until they do not: one that has not heard yet that nothing is
 * served any more must not find the attributes of an empty state.
 */
void lu_state_replace(struct hf_lu *lu, struct hf_resv *fresh)
{
	struct lu_grave *g = hf_spare_calloc(1, sizeof(*g));

	hf_assert(!lu->pending);
	g->resv = lu->cur;
	hf_list_push_back(&lu->graves, &g->node);
	lu->cur = fresh;
	lu->version = ++lu->table->versions;
	lu->digest = hf_resv_digest(fresh);
	attrs_set(lu, hf_resv_attrs(fresh) | (uint8_t)(atomic_load_explicit(&lu->shared.attrs,
							       memory_order_relaxed) &
						       KEEPS_OUT));
	lu->attrs_due = true;
	lu_change_send(lu, LU_CHANGE_REFRESH);
}
