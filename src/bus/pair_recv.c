/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair machine: what each message of the peer does. Pure (pair.h). Numbers make repeats after a
 * heal harmless; what no order of events can explain stops the device.
 */
#include "pair_int.h"

static bool digest_differs(const struct hf_pair_dev *d, const struct hf_pair_msg *m)
{
	return d->reads->digest(d->reads->owner, d->dev) != m->digest;
}

/* R2, R3: looks itself, holds, drains; `held` follows when drained. */
static void ask_while_free(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;
	enum hf_bus_look look;

	if (digest_differs(d, m)) {
		pair_stop(s, HF_PAIR_STOP_DIGEST, true);
		return;
	}
	look = d->reads->look(d->reads->owner, d->dev, m->op, m->op_len);
	if (look == HF_BUS_LOOK_ANSWER) {
		pair_stop(s, HF_PAIR_STOP_VERDICT, true);
		return;
	}
	pair_claim_theirs(s, m, look == HF_BUS_LOOK_CHANGE_PERSIST);
}

static void ask(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;

	d->yield = d->gave_turn = d->have_turn = false;
	if (m->n != d->n + 1) {
		pair_stop(s, HF_PAIR_STOP_NUMBER, true);
		return;
	}
	switch (d->claim) {
	case HF_PAIR_FREE:
		ask_while_free(s, m);
		return;
	case HF_PAIR_MINE:
	case HF_PAIR_CANCELLING:
		pair_send(s, HF_PAIR_MSG_REFUSED, m->n, false, 0);
		pair_note(s, "refuses: holds the device for an op of its own");
		return;
	case HF_PAIR_THEIRS: /* repeated after a heal */
		if (m->op_len != d->their_op_len || memcmp(m->op, d->their_op, m->op_len)) {
			pair_stop(s, HF_PAIR_STOP_OP, true);
			return;
		}
		d->asked_now = true;
		return;
	}
}

static void held(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;

	if (d->claim != HF_PAIR_MINE || m->n != d->n + 1)
		return;
	if (digest_differs(d, m)) {
		pair_stop(s, HF_PAIR_STOP_DIGEST, true);
		return;
	}
	d->got_held = true;
	d->peer_waits = m->flag;
	if (!d->persist_again)
		d->retry_at_ns = 0;
}

/* R4: the subordinate aborts, the dominant delays and asks again. */
static void refused(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;

	if (d->claim != HF_PAIR_MINE || m->n != d->n + 1 || d->got_held)
		return;
	if (d->dominant) {
		d->retry_at_ns = s->now + d->config->retry_ns;
		pair_note(s, "refused, dominant: waits a moment");
		return;
	}
	pair_let_go(s);
	d->yield = true;
	/* The dominant waits a moment for this very thing: it need not wait any longer. */
	pair_send(s, HF_PAIR_MSG_PASS, d->n, false, 0);
	pair_note(s, "refused, subordinate: gives up its claim, the op waits at the head");
}

static void settled(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;

	if (m->n == d->n + 1 && d->claim == HF_PAIR_THEIRS && d->drained) {
		d->told_settled = true;
		d->settled_flag = m->flag;
		d->settled_digest = m->digest;
		pair_apply(s);
	} else if (m->n == d->n) {
		if (digest_differs(d, m))
			pair_stop(s, HF_PAIR_STOP_DIGEST, true);
	} else if (m->n + 1 != d->n) { /* one behind: has lost our `settled`, which is repeated */
		pair_stop(s, HF_PAIR_STOP_NUMBER, true);
	}
}

static void cancel(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;

	d->yield = d->gave_turn = false;
	if (m->n != d->n + 1) {
		pair_stop(s, HF_PAIR_STOP_NUMBER, true);
		return;
	}
	if (d->claim == HF_PAIR_THEIRS) {
		pair_let_go(s);
		pair_note(s, "drops the peer's op");
	}
	pair_send(s, HF_PAIR_MSG_CANCELLED, m->n, false, 0);
}

void pair_receive(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;

	if (d->mode == HF_PAIR_JOIN && m->kind == HF_PAIR_MSG_STOP)
		pair_newcomer_stops(s, (enum hf_pair_stop)m->reason);
	if (d->mode == HF_PAIR_JOIN || d->mode == HF_PAIR_REMOVED)
		return;
	hf_assert(d->up && m->dev == d->dev);
	if (d->mode == HF_PAIR_STOPPED) {
		pair_pick_receive(s, m);
		return;
	}
	switch (m->kind) {
	case HF_PAIR_MSG_ASK:
		ask(s, m);
		return;
	case HF_PAIR_MSG_HELD:
		held(s, m);
		return;
	case HF_PAIR_MSG_REFUSED:
		refused(s, m);
		return;
	case HF_PAIR_MSG_SETTLED:
		settled(s, m);
		return;
	case HF_PAIR_MSG_PASS:
		d->yield = d->gave_turn = false;
		if (d->retry_at_ns && !d->persist_again)
			d->retry_at_ns = s->now;
		return;
	case HF_PAIR_MSG_CANCEL:
		cancel(s, m);
		return;
	case HF_PAIR_MSG_CANCELLED:
		if (d->claim == HF_PAIR_CANCELLING && m->n == d->n + 1)
			pair_cancelled(s);
		return;
	case HF_PAIR_MSG_UNABLE:
		if (d->claim == HF_PAIR_MINE && m->n == d->n + 1 && !d->got_held) {
			pair_note(s, "the peer cannot drain: cancel");
			pair_cancel(s);
		}
		return;
	case HF_PAIR_MSG_STOP:
		pair_stop(s, (enum hf_pair_stop)m->reason, false);
		return;
	case HF_PAIR_MSG_PICK: /* taken back, by a `stop` that is on its way */
	case HF_PAIR_MSG_PICKED:
		return;
	}
}
