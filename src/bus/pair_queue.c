/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair machine: what waits. An op is looked at only at the head of the queue with nothing
 * pending (W4). Pure (pair.h).
 */
#include "pair_int.h"
#include "canary.h"

static enum hf_bus_look look_at(const struct hf_pair_dev *d, const struct hf_bus_prop *p)
{
	return d->reads->look(d->reads->owner, d->dev, p->op, p->op_len);
}

/* What has waited beyond the bound for something that is not coming: NOT READY, one a step. */
static void expire(struct step *s)
{
	struct hf_pair_dev *d = s->d;
	bool skip = d->claim == HF_PAIR_MINE || d->claim == HF_PAIR_CANCELLING;

	if (!pair_is_stuck(d, s->now))
		return;
	hf_list_for_each_safe (node, &d->queue) {
		struct hf_bus_prop *p = hf_list_entry(node, struct hf_bus_prop, node);

		if (!skip && !p->owed && s->now >= p->since_ns + d->config->bound_ns) {
			pair_answer(s, p, HF_BUS_ANSWER_NOT_READY);
			return;
		}
		skip = false;
	}
}

static void refuse_one(struct step *s)
{
	hf_list_for_each_safe (node, &s->d->queue) {
		struct hf_bus_prop *p = hf_list_entry(node, struct hf_bus_prop, node);

		if (!p->owed || s->d->mode == HF_PAIR_REMOVED) {
			pair_answer(s, p, HF_BUS_ANSWER_NOT_READY);
			return;
		}
	}
}

/* Frozen: what changes nothing is answered, what may be refused is, what is owed keeps its place.
 */
static void serve_frozen(struct step *s)
{
	hf_list_for_each_safe (node, &s->d->queue) {
		struct hf_bus_prop *p = hf_list_entry(node, struct hf_bus_prop, node);

		if (look_at(s->d, p) == HF_BUS_LOOK_ANSWER) {
			pair_answer(s, p, HF_BUS_ANSWER_LOOK);
			return;
		}
		if (!p->owed) {
			pair_answer(s, p, HF_BUS_ANSWER_NOT_READY);
			return;
		}
	}
}

static void serve_head(struct step *s)
{
	struct hf_pair_dev *d = s->d;
	enum hf_bus_look look;

	if (d->yield || d->gave_turn)
		return;
	if (hf_list_is_empty(&d->queue)) {
		if (d->have_turn && !HF_PLANTED(TURN_UNUSED))
			pair_send(s, HF_PAIR_MSG_PASS, d->n, false, 0);
		d->have_turn = false;
		return;
	}
	look = look_at(d, pair_head(d));
	if (look == HF_BUS_LOOK_ANSWER) /* R5: no bus traffic */
		pair_answer(s, pair_head(d), HF_BUS_ANSWER_LOOK);
	else if (d->mode == HF_PAIR_TOGETHER && !d->up)
		expire(s);
	else
		pair_claim_mine(s, look == HF_BUS_LOOK_CHANGE_PERSIST);
}

static void give_snapshot(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	d->copy_wanted = false;
	pair_emit(s, HF_PAIR_DO_SNAPSHOT)->n = d->n;
	d->mode = HF_PAIR_TOGETHER;
	d->up = true;
	d->yield = d->gave_turn = d->have_turn = false;
	pair_note(s, "gives the newcomer a snapshot, has a peer from here on");
}

void pair_serve_queue(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	if (d->mode == HF_PAIR_JOIN || d->mode == HF_PAIR_STOPPED || d->mode == HF_PAIR_REMOVED) {
		refuse_one(s);
		return;
	}
	if (HF_PLANTED(LOOK_EARLY) && d->claim == HF_PAIR_THEIRS && !hf_list_is_empty(&d->queue) &&
		look_at(d, pair_head(d)) == HF_BUS_LOOK_ANSWER) {
		pair_answer(s, pair_head(d), HF_BUS_ANSWER_LOOK);
		return;
	}
	if (d->claim != HF_PAIR_FREE) {
		expire(s);
		return;
	}
	if (d->copy_wanted)
		give_snapshot(s);
	if (d->mode == HF_PAIR_WAIT)
		expire(s);
	else if (d->mode == HF_PAIR_FROZEN)
		serve_frozen(s);
	else
		serve_head(s);
}
