/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair machine: the pending op from claim to its end - applied, cancelled or stopped. Pure
 * (pair.h).
 */
#include "pair_int.h"
#include "canary.h"

struct hf_bus_prop *pair_head(const struct hf_pair_dev *d)
{
	hf_assert(!hf_list_is_empty(&d->queue));
	return hf_list_entry(d->queue.next, struct hf_bus_prop, node);
}

static void set_claim(struct step *s, enum hf_pair_claim claim, bool persist)
{
	struct hf_pair_dev *d = s->d;

	d->claim = claim;
	d->persist = persist;
	d->pending_since_ns = s->now;
	d->drained = d->got_held = d->peer_waits = d->asked_now = false;
	d->persisting = d->persisted = d->persist_again = d->persist_doubt = false;
	d->told_settled = d->settled_flag = false;
	d->drain_error = 0;
	d->retry_at_ns = 0;
}

static void hold(struct step *s, const void *op, size_t op_len, bool mine)
{
	struct hf_pair_effect *e = pair_emit(s, HF_PAIR_DO_HOLD);

	e->n = s->d->n + 1;
	e->op = op;
	e->op_len = op_len;
	e->mine = mine;
}

/* R5: holds within itself first, then asks. */
void pair_claim_mine(struct step *s, bool persist)
{
	const struct hf_bus_prop *p = pair_head(s->d);

	hf_assert(s->d->claim == HF_PAIR_FREE);
	set_claim(s, HF_PAIR_MINE, persist);
	s->d->have_turn = false;
	hold(s, p->op, p->op_len, true);
	if (s->d->mode == HF_PAIR_TOGETHER)
		pair_send_ask(s);
	pair_note(s, s->d->up ? "claims and asks the peer" : "claims, alone");
}

void pair_claim_theirs(struct step *s, const struct hf_pair_msg *m, bool persist)
{
	struct hf_pair_dev *d = s->d;

	hf_assert(d->claim == HF_PAIR_FREE && m->op_len <= sizeof(d->their_op));
	set_claim(s, HF_PAIR_THEIRS, persist);
	d->yield = d->gave_turn = d->have_turn = false;
	d->asked_now = true;
	memcpy(d->their_op, m->op, m->op_len);
	d->their_op_len = m->op_len;
	hold(s, d->their_op, d->their_op_len, false);
	pair_note(s, "holds for the peer's op");
}

void pair_let_go(struct step *s)
{
	hf_assert(s->d->claim != HF_PAIR_FREE);
	pair_emit(s, HF_PAIR_DO_UNHOLD)->n = s->d->n + 1;
	set_claim(s, HF_PAIR_FREE, false);
}

/* One answer a step: the owner may answer from what look() left, and proposes the next op. */
void pair_answer(struct step *s, struct hf_bus_prop *p, enum hf_bus_answer how)
{
	struct hf_pair_effect *e = pair_emit(s, HF_PAIR_DO_ANSWER);

	hf_list_remove(&p->node);
	e->prop = p;
	e->how = how;
	s->u->more = true;
}

void pair_apply(struct step *s)
{
	struct hf_pair_effect *e = pair_emit(s, HF_PAIR_DO_APPLY);

	/* INV-3: not before both have it held and drained, and the record is written. */
	hf_assert(s->d->drained && !s->d->persisting);
	e->n = s->d->n + 1;
	e->mine = s->d->claim == HF_PAIR_MINE;
	s->d->applying = true;
	s->u->more = true;
}

static void applied_mine(struct step *s)
{
	struct hf_pair_dev *d = s->d;
	bool turn = d->peer_waits && d->up;

	set_claim(s, HF_PAIR_FREE, false);
	d->gave_turn = turn;
	pair_send(s, HF_PAIR_MSG_SETTLED, d->n, turn, 0);
	pair_note(s, turn ? "settled, the peer has the turn" : "settled");
	pair_answer(s, pair_head(d), HF_BUS_ANSWER_APPLIED);
}

static void applied_theirs(struct step *s)
{
	struct hf_pair_dev *d = s->d;
	bool differs =
		d->told_settled && d->reads->digest(d->reads->owner, d->dev) != d->settled_digest;
	bool turn = d->told_settled && d->settled_flag && d->up;

	set_claim(s, HF_PAIR_FREE, false);
	d->have_turn = turn;
	pair_note(s, turn ? "settled by the peer, has the turn" : "settled by the peer");
	if (differs) /* INV-2 */
		pair_stop(s, HF_PAIR_STOP_RESULT, true);
}

/* The step after APPLY: digest() now gives the new state's. */
void pair_applied(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	d->applying = false;
	d->n++;
	if (d->claim == HF_PAIR_MINE)
		applied_mine(s);
	else
		applied_theirs(s);
}

/* Design 4, step 7. The host hears of it when no controller holds the op any more. */
void pair_cancel(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	hf_assert(d->claim == HF_PAIR_MINE && !d->persisting);
	d->claim = HF_PAIR_CANCELLING;
	d->retry_at_ns = 0;
	if (d->mode == HF_PAIR_ALONE)
		pair_cancelled(s);
	else
		pair_send(s, HF_PAIR_MSG_CANCEL, d->n + 1, false, 0);
}

void pair_cancelled(struct step *s)
{
	pair_let_go(s);
	/* A cancel may have crossed our `refused`: then the peer yields to an op that is no more.
	 */
	if (!HF_PLANTED(NO_PASS_AFTER_CANCEL))
		pair_send(s, HF_PAIR_MSG_PASS, s->d->n, false, 0);
	pair_answer(s, pair_head(s->d), HF_BUS_ANSWER_FAILED);
}

/* W18: neither state is the truth; nobody goes on. */
void pair_stop(struct step *s, enum hf_pair_stop why, bool tell)
{
	struct hf_pair_dev *d = s->d;
	bool mine = d->claim == HF_PAIR_MINE || d->claim == HF_PAIR_CANCELLING;

	if (tell)
		pair_send(s, HF_PAIR_MSG_STOP, d->n, false, (uint16_t)why);
	d->mode_before_stop = d->mode;
	d->mode = HF_PAIR_STOPPED;
	d->stop = why;
	d->told_stopped = true;
	/* Before what is held is let go, which would let in what has waited for it. */
	pair_emit(s, HF_PAIR_DO_STOP)->stop = why;
	if (d->claim != HF_PAIR_FREE)
		pair_let_go(s);
	d->yield = d->gave_turn = d->have_turn = false;
	pair_note(s, "stops: the controllers differ");
	/* What is owed keeps its place: it is asked again when the device goes on. */
	if (mine && !pair_head(d)->owed)
		pair_answer(s, pair_head(d), HF_BUS_ANSWER_NOT_READY);
}

/* True when the record is on disk or need not be. */
static bool is_written(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	if (!d->persist || d->persisted)
		return true;
	if (d->persisting || d->persist_again)
		return false;
	d->persisting = true;
	pair_emit(s, HF_PAIR_DO_PERSIST)->n = d->n + 1;
	return false;
}

static void progress_mine(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	if (d->drain_error) {
		pair_note(s, "cannot drain: cancel");
		pair_cancel(s);
	} else if (d->drained &&
		   (d->got_held || d->mode == HF_PAIR_ALONE || HF_PLANTED(GOOD_BEFORE_HELD)) &&
		   is_written(s)) {
		pair_apply(s);
	}
}

static void progress_theirs(struct step *s)
{
	struct hf_pair_dev *d = s->d;
	bool waits = !hf_list_is_empty(&d->queue);

	if (d->mode == HF_PAIR_ALONE) {
		if (d->drained && is_written(s))
			pair_apply(s); /* `settled` may have been lost: forward, no GOOD is lost */
		else if (d->drain_error)
			pair_let_go(s); /* never `held` here, so never settled there */
		return;
	}
	if (!d->asked_now || (!d->drained && !d->drain_error))
		return;
	d->asked_now = false;
	if (d->drained)
		pair_send(s, HF_PAIR_MSG_HELD, d->n + 1, waits, 0);
	else
		pair_send(s, HF_PAIR_MSG_UNABLE, d->n + 1, false, (uint16_t)-d->drain_error);
}

void pair_progress(struct step *s)
{
	/* Out of the view perhaps: settles nothing (INV-5). */
	if (s->d->mode == HF_PAIR_WAIT && !HF_PLANTED(SETTLE_RACING))
		return;
	if (s->d->claim == HF_PAIR_MINE)
		progress_mine(s);
	else if (s->d->claim == HF_PAIR_THEIRS)
		progress_theirs(s);
}
