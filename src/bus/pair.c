/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair machine, outer part: events, the view as the device sees it, and time. Pure (pair.h).
 */
#include "pair_int.h"
#include "canary.h"

struct hf_pair_effect *pair_emit(struct step *s, enum hf_pair_do kind)
{
	struct hf_pair_effect *e;

	hf_assert(s->u->len < HF_PAIR_EFFECTS_MAX);
	e = &s->u->effects[s->u->len++];
	*e = (struct hf_pair_effect){.kind = kind};
	return e;
}

/* Nothing is sent while the link is down: HF_PAIR_UP repeats what is open. */
void pair_send(struct step *s, enum hf_pair_msg_kind kind, uint64_t n, bool flag, uint16_t reason)
{
	struct hf_pair_dev *d = s->d;

	if (!d->up)
		return;
	pair_emit(s, HF_PAIR_DO_SEND)->msg = (struct hf_pair_msg){
		.kind = kind,
		.dev = d->dev,
		.n = n,
		.digest = d->reads->digest(d->reads->owner, d->dev),
		.flag = flag,
		.reason = reason,
	};
}

void pair_send_ask(struct step *s)
{
	const struct hf_bus_prop *p = pair_head(s->d);
	struct hf_pair_msg *m;

	if (!s->d->up)
		return;
	pair_send(s, HF_PAIR_MSG_ASK, s->d->n + 1, false, 0);
	m = &s->u->effects[s->u->len - 1].msg;
	m->op = p->op;
	m->op_len = p->op_len;
}

void pair_note(struct step *s, const char *note)
{
	s->u->note = note;
}

/* --- time ----------------------------------------------------------------------------------- */

static uint64_t cancel_at(const struct hf_pair_dev *d)
{
	return d->pending_since_ns + d->config->bound_ns;
}

/* With the link up a cancel gets a little more time to be answered. */
uint64_t pair_doubt_at(const struct hf_pair_dev *d)
{
	return cancel_at(d) + (d->up ? d->config->bound_ns / 4 : 0);
}

static bool may_cancel(const struct hf_pair_dev *d)
{
	return d->claim == HF_PAIR_MINE && !d->persist_doubt &&
	       (d->up || d->mode == HF_PAIR_ALONE) &&
	       !(d->drained && (d->got_held || d->mode == HF_PAIR_ALONE)) && !pair_head(d)->owed;
}

static bool may_doubt(const struct hf_pair_dev *d)
{
	return (d->claim == HF_PAIR_MINE || d->claim == HF_PAIR_CANCELLING) &&
	       !pair_head(d)->owed && !pair_head(d)->doubted;
}

/* Does what waits here wait for something that is not coming soon? */
bool pair_is_stuck(const struct hf_pair_dev *d, uint64_t now)
{
	if (d->mode == HF_PAIR_WAIT || (d->mode == HF_PAIR_TOGETHER && !d->up))
		return true;
	if (d->claim == HF_PAIR_FREE)
		return false;
	return d->mode == HF_PAIR_FROZEN || now >= pair_doubt_at(d);
}

static void look_at_the_clock(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	if (d->retry_at_ns && s->now >= d->retry_at_ns) {
		d->retry_at_ns = 0;
		if (d->persist_again) {
			d->persist_again = false;
		} else {
			pair_send_ask(s);
			pair_note(s, "dominant: asks again");
		}
	}
	if (may_cancel(d) && s->now >= cancel_at(d)) {
		pair_note(s, "the bound has passed: cancel");
		pair_cancel(s);
	}
	pair_pick_expire(s);
	if (may_doubt(d) && s->now >= pair_doubt_at(d)) {
		pair_emit(s, HF_PAIR_DO_DOUBT)->prop = pair_head(d);
		pair_head(d)->doubted = true;
		pair_note(s, "outcome unknown beyond the bound");
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a && a < b ? a : b;
}

static uint64_t next_expiry(const struct hf_pair_dev *d, uint64_t now)
{
	bool skip = d->claim == HF_PAIR_MINE || d->claim == HF_PAIR_CANCELLING;
	uint64_t at = 0;

	hf_list_for_each (node, &d->queue) {
		const struct hf_bus_prop *p = hf_list_entry(node, struct hf_bus_prop, node);

		if (!skip && !p->owed)
			at = earlier(at, p->since_ns + d->config->bound_ns);
		skip = false;
	}
	if (at && !pair_is_stuck(d, now)) /* looked at again when it would be */
		return d->claim == HF_PAIR_FREE ? 0 : pair_doubt_at(d);
	return at;
}

static void set_timer(struct step *s)
{
	struct hf_pair_dev *d = s->d;
	uint64_t at = next_expiry(d, s->now);

	if (d->retry_at_ns)
		at = earlier(at, d->retry_at_ns);
	if (d->pick_until_ns)
		at = earlier(at, d->pick_until_ns);
	if (may_cancel(d))
		at = earlier(at, cancel_at(d));
	if (may_doubt(d))
		at = earlier(at, pair_doubt_at(d));
	if (at == d->timer_at_ns)
		return;
	d->timer_at_ns = at;
	pair_emit(s, HF_PAIR_DO_TIMER)->at_ns = at;
}

/* --- the view ------------------------------------------------------------------------------- */

static void forget_turns(struct hf_pair_dev *d)
{
	d->yield = d->gave_turn = d->have_turn = false;
	d->asked_now = false;
	if (!d->persist_again)
		d->retry_at_ns = 0;
}

static void link_up(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	hf_assert(d->mode == HF_PAIR_TOGETHER || d->mode == HF_PAIR_STOPPED ||
		  d->mode == HF_PAIR_REMOVED);
	d->up = true;
	forget_turns(d);
	if (d->mode == HF_PAIR_STOPPED) {
		pair_send(s, HF_PAIR_MSG_STOP, d->n, false, d->stop);
		return;
	}
	if (d->mode == HF_PAIR_REMOVED)
		return;
	/* The order matters: an ask before the repeated `settled` would meet a peer that is still
	 * at the op before (W7). */
	if (!HF_PLANTED(ASK_OVERTAKES))
		pair_send(s, HF_PAIR_MSG_SETTLED, d->n, false, 0);
	if (d->claim == HF_PAIR_MINE)
		pair_send_ask(s);
	else if (d->claim == HF_PAIR_CANCELLING)
		pair_send(s, HF_PAIR_MSG_CANCEL, d->n + 1, false, 0);
	else
		pair_send(s, HF_PAIR_MSG_PASS, d->n, false, 0);
	if (d->claim != HF_PAIR_FREE)
		d->pending_since_ns = s->now;
	pair_note(s, "link up: repeats the last settled op and what is open");
}

static void link_down(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	pair_pick_abort(s, -ENOTCONN);
	d->up = false;
	d->copy_wanted = false;
	forget_turns(d);
}

static void peer_gone(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	link_down(s);
	if (d->claim != HF_PAIR_FREE)
		d->pending_since_ns = s->now;
	if (d->mode == HF_PAIR_STOPPED)
		d->mode_before_stop = HF_PAIR_ALONE;
	else if (d->mode != HF_PAIR_REMOVED)
		d->mode = HF_PAIR_ALONE;
	if (d->claim == HF_PAIR_CANCELLING)
		pair_cancelled(s);
	pair_note(s, "the peer is gone for good: what is pending goes forward");
}

static void set_mode(struct hf_pair_dev *d, enum hf_pair_mode mode)
{
	hf_assert(mode == HF_PAIR_TOGETHER || mode == HF_PAIR_WAIT || mode == HF_PAIR_FROZEN);
	hf_assert(mode == HF_PAIR_TOGETHER || !d->up);
	if (d->mode == HF_PAIR_STOPPED)
		d->mode_before_stop = mode;
	else if (d->mode != HF_PAIR_REMOVED)
		d->mode = HF_PLANTED(GRANT_FROZEN) && mode == HF_PAIR_FROZEN ? HF_PAIR_ALONE : mode;
}

/*
 * The state here counts for nothing any more. A survivor may have carried an own op forward, so its
 * outcome is unknown; an owed one is asked again later, it does nothing twice.
 */
static void forget_all(struct step *s, enum hf_pair_mode mode)
{
	struct hf_pair_dev *d = s->d;
	bool mine = d->claim == HF_PAIR_MINE || d->claim == HF_PAIR_CANCELLING;

	if (d->claim != HF_PAIR_FREE)
		pair_let_go(s);
	if (mine && !pair_head(d)->owed) {
		struct hf_bus_prop *p = pair_head(d);

		if (!p->doubted)
			pair_emit(s, HF_PAIR_DO_DOUBT)->prop = p;
		p->doubted = true;
		pair_answer(s, p, HF_BUS_ANSWER_NOT_READY);
	}
	link_down(s);
	d->mode = mode;
	d->empty = false;
}

static void installed(struct step *s, uint64_t n)
{
	struct hf_pair_dev *d = s->d;
	bool picked = d->pick == HF_PAIR_PICK_READY;

	hf_assert(hf_pair_takes_copy(d) && d->claim == HF_PAIR_FREE);
	d->n = n;
	d->mode = HF_PAIR_TOGETHER;
	d->up = true;
	d->empty = false;
	d->pick = HF_PAIR_PICK_NONE;
	forget_turns(d);
	if (picked)
		pair_send(s, HF_PAIR_MSG_SETTLED, n, false, 0);
}

/* The newcomer gets a snapshot in the device's order; of a stopped one only the news. */
static void copy(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	if (d->mode != HF_PAIR_STOPPED) {
		d->copy_wanted = true;
		return;
	}
	pair_pick_abort(s, -EAGAIN);
	d->mode_before_stop = HF_PAIR_TOGETHER;
	d->up = true;
	pair_send(s, HF_PAIR_MSG_STOP, d->n, false, (uint16_t)d->stop);
}

/* --- events --------------------------------------------------------------------------------- */

static void propose(struct step *s, struct hf_bus_prop *p)
{
	hf_assert(p->op_len > 0 && p->op_len <= HF_OP_MAX_BYTES && p->dev == s->d->dev);
	p->since_ns = s->now;
	p->doubted = false;
	hf_list_push_back(&s->d->queue, &p->node);
}

static void drained(struct hf_pair_dev *d, const struct hf_pair_event *ev)
{
	if (d->claim == HF_PAIR_FREE || ev->n != d->n + 1 || d->drained)
		return;
	if (ev->result == 0)
		d->drained = true;
	else
		d->drain_error = ev->result;
}

static void persisted(struct step *s, const struct hf_pair_event *ev)
{
	struct hf_pair_dev *d = s->d;

	if (!d->persisting || ev->n != d->n + 1)
		return;
	d->persisting = false;
	if (ev->result == 0) {
		d->persisted = true;
	} else if (ev->result == -EINPROGRESS || d->persist_doubt || d->claim == HF_PAIR_THEIRS) {
		/* Neither the old nor the new content is sure to be out, or the op may have been
		 * answered GOOD by a controller that is gone: forward is the only way (W15). So it
		 * is from then on, for what a later failure leaves there may be the new content. */
		d->persist_again = d->persist_doubt = true;
		d->retry_at_ns = s->now + d->config->bound_ns;
		pair_note(s, "record not written: stays in doubt, writes it again");
	} else {
		pair_note(s, "record not written: cancel");
		pair_cancel(s);
	}
}

static void handle(struct step *s, const struct hf_pair_event *ev)
{
	struct hf_pair_dev *d = s->d;

	switch (ev->kind) {
	case HF_PAIR_CONTINUE:
		if (d->applying)
			pair_applied(s);
		return;
	case HF_PAIR_PROPOSE:
		propose(s, ev->prop);
		return;
	case HF_PAIR_RECEIVE:
		pair_receive(s, ev->msg);
		return;
	case HF_PAIR_DRAINED:
		drained(d, ev);
		return;
	case HF_PAIR_PERSISTED:
		persisted(s, ev);
		return;
	case HF_PAIR_TIMER: /* the clock is looked at in any case */
		d->timer_at_ns = 0;
		return;
	case HF_PAIR_UP:
		link_up(s);
		return;
	case HF_PAIR_DOWN:
		link_down(s);
		return;
	case HF_PAIR_GONE:
		peer_gone(s);
		return;
	case HF_PAIR_SET_MODE:
		set_mode(d, ev->mode);
		return;
	case HF_PAIR_DROP:
		if (d->mode != HF_PAIR_REMOVED)
			forget_all(s, HF_PAIR_JOIN);
		return;
	case HF_PAIR_INSTALLED:
		installed(s, ev->n);
		return;
	case HF_PAIR_COPY:
		copy(s);
		return;
	case HF_PAIR_PICK:
		pair_pick(s);
		return;
	case HF_PAIR_PICK_DONE:
		pair_pick_done(s, ev->n, ev->result);
		return;
	case HF_PAIR_REMOVE:
		forget_all(s, HF_PAIR_REMOVED);
		return;
	}
}

void hf_pair_step(struct hf_pair_dev *d, const struct hf_pair_event *ev, struct hf_pair_update *ret)
{
	struct step s = {.d = d, .now = ev->now_ns, .u = ret};

	hf_assert(ev->now_ns && d->more == (ev->kind == HF_PAIR_CONTINUE));
	ret->len = 0;
	ret->more = false;
	ret->note = NULL;
	handle(&s, ev);
	if (!ret->more)
		look_at_the_clock(&s);
	pair_resume(&s);
	if (!ret->more)
		pair_progress(&s);
	if (!ret->more)
		pair_serve_queue(&s);
	if (!ret->more)
		set_timer(&s);
	d->more = ret->more;
}

void hf_pair_dev_init(struct hf_pair_dev *d, uint32_t dev, bool dominant,
	const struct hf_pair_config *config, const struct hf_pair_reads *reads)
{
	*d = (struct hf_pair_dev){
		.config = config,
		.reads = reads,
		.dev = dev,
		.dominant = dominant,
		.mode = HF_PAIR_WAIT,
		.claim = HF_PAIR_FREE,
	};
	hf_list_init(&d->queue);
}

const char *hf_pair_claim_name(enum hf_pair_claim claim)
{
	static const char *const names[] = {"free", "mine", "theirs", "cancelling"};

	return (unsigned)claim < HF_ARRAY_LEN(names) ? names[claim] : "?";
}

const char *hf_pair_mode_name(enum hf_pair_mode mode)
{
	static const char *const names[] = {
		"waiting", "joining", "together", "frozen", "alone", "stopped", "removed"};

	return (unsigned)mode < HF_ARRAY_LEN(names) ? names[mode] : "?";
}

const char *hf_pair_stop_text(enum hf_pair_stop why)
{
	switch (why) {
	case HF_PAIR_STOP_NUMBER:
		return "the controllers count different operations";
	case HF_PAIR_STOP_DIGEST:
		return "the controllers hold different states under the same number";
	case HF_PAIR_STOP_VERDICT:
		return "an operation that changes the peer's state changes nothing here";
	case HF_PAIR_STOP_OP:
		return "the peer asked for two operations under one number";
	case HF_PAIR_STOP_RESULT:
		return "the same operation led to different states";
	}
	return "unknown reason";
}
