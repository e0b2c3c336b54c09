/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranges held on both controllers for COMPARE AND WRITE. Pure (range.h). Events only set flags;
 * flush() turns the difference between what is and what should be into effects, a handful a step.
 */
#include "range.h"
#include "canary.h"

enum { IN_LINE = 1, IN_SLOT = 2 }; /* struct hf_bus_range.state */

struct step {
	struct hf_range_dev *d;
	uint64_t now;
	struct hf_range_update *u;
};

/* The last place is kept for the timer; without room the rest comes with CONTINUE. */
static struct hf_range_effect *emit(struct step *s, enum hf_range_do kind)
{
	struct hf_range_effect *e = &s->u->effects[s->u->len];

	hf_assert(s->u->len < HF_RANGE_EFFECTS_MAX);
	s->u->len++;
	*e = (struct hf_range_effect){.kind = kind};
	return e;
}

static bool has_room(struct step *s, unsigned n)
{
	if (s->u->len + n < HF_RANGE_EFFECTS_MAX)
		return true;
	s->u->more = true;
	return false;
}

static void send(struct step *s, enum hf_range_msg_kind kind, const struct hf_range *r)
{
	struct hf_range_msg *m;

	if (!s->d->up)
		return;
	m = &emit(s, HF_RANGE_DO_SEND)->msg;
	*m = (struct hf_range_msg){.kind = kind, .dev = s->d->dev, .id = r ? r->id : 0};
	if (kind == HF_RANGE_MSG_ASK) {
		m->lba = r->lba;
		m->blocks = r->blocks;
	}
}

static void set_hold(struct step *s, struct hf_range *r, bool hold)
{
	struct hf_range_effect *e;

	if (r->held == hold)
		return;
	e = emit(s, hold ? HF_RANGE_DO_HOLD : HF_RANGE_DO_UNHOLD);
	e->id = r->id;
	e->lba = r->lba;
	e->blocks = r->blocks;
	r->held = hold;
	r->drained = false;
}

static struct hf_range *find(struct hf_range *set, uint64_t id)
{
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++)
		if (set[i].used && set[i].id == id)
			return &set[i];
	return NULL;
}

static struct hf_range *find_unused(struct hf_range *set)
{
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++)
		if (!set[i].used)
			return &set[i];
	return NULL;
}

/* --- who goes first ------------------------------------------------------------------------- */

static bool overlaps(const struct hf_range *a, const struct hf_range *b)
{
	return a->lba < b->lba + b->blocks && b->lba < a->lba + a->blocks;
}

/* Is a range in the set in the way of r? older_only: younger ones are not. */
static bool is_in_way(const struct hf_range *set, const struct hf_range *r, bool older_only)
{
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		const struct hf_range *o = &set[i];

		if (o->used && o != r && (!older_only || o->order < r->order) && overlaps(o, r))
			return true;
	}
	return false;
}

/* Held for the peer, which may have been granted it: nothing comes before that, though this one may
 * have become dominant since. */
static bool is_promised(const struct hf_range_dev *d, const struct hf_range *r)
{
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++)
		if (d->theirs[i].used && d->theirs[i].held && overlaps(&d->theirs[i], r))
			return true;
	return false;
}

static bool should_hold_own(const struct hf_range_dev *d, const struct hf_range *r)
{
	return !is_promised(d, r) && !is_in_way(d->own, r, true) &&
	       !is_in_way(d->theirs, r, d->dominant);
}

static bool should_hold_theirs(const struct hf_range_dev *d, const struct hf_range *r)
{
	if (!d->dominant)
		return true;
	return !is_in_way(d->own, r, true) && !is_in_way(d->theirs, r, true);
}

/* --- what should be --------------------------------------------------------------------------- */

static bool refuses(enum hf_pair_mode mode)
{
	return mode == HF_PAIR_FROZEN || mode == HF_PAIR_JOIN || mode == HF_PAIR_STOPPED ||
	       mode == HF_PAIR_REMOVED;
}

static int failure(const struct step *s, const struct hf_bus_range *req)
{
	if (refuses(s->d->mode))
		return -ENOTCONN;
	return s->now >= req->since_ns + s->d->config->bound_ns ? -ETIMEDOUT : 0;
}

static void report(struct step *s, struct hf_bus_range *req, int result)
{
	struct hf_range_effect *e = emit(s, HF_RANGE_DO_GRANTED);

	e->req = req;
	e->result = result;
	if (result)
		req->state = 0;
}

/* Needs room for two effects. */
static void let_go_own(struct step *s, struct hf_range *r)
{
	if (r->told)
		send(s, HF_RANGE_MSG_RELEASE, r);
	set_hold(s, r, false);
	r->used = false;
}

static void fail_late(struct step *s)
{
	struct hf_range_dev *d = s->d;

	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX && !s->u->more; i++) {
		struct hf_range *r = &d->own[i];
		int error = r->used && !r->granted ? failure(s, r->req) : 0;

		if (!error || !has_room(s, 3))
			continue;
		let_go_own(s, r);
		report(s, r->req, error);
	}
	hf_list_for_each_safe (node, &d->line) {
		struct hf_bus_range *req = hf_list_entry(node, struct hf_bus_range, node);
		int error = failure(s, req);

		if (!error)
			continue;
		if (!has_room(s, 1))
			return;
		hf_list_remove(node);
		report(s, req, error);
	}
}

static void move_up(struct step *s)
{
	struct hf_range_dev *d = s->d;
	struct hf_range *r;

	while (!hf_list_is_empty(&d->line) && (r = find_unused(d->own))) {
		struct hf_bus_range *req =
			hf_list_entry(hf_list_pop_front(&d->line), struct hf_bus_range, node);

		req->id = ++d->next_id;
		req->state = IN_SLOT;
		*r = (struct hf_range){.used = true,
			.id = req->id,
			.lba = req->lba,
			.blocks = req->blocks,
			.order = ++d->next_order,
			.req = req};
	}
}

static void let_go_over(struct step *s)
{
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		struct hf_range *r = &s->d->theirs[i];

		if (!r->used || !r->over)
			continue;
		if (!has_room(s, 1))
			return;
		set_hold(s, r, false);
		r->used = false;
	}
}

/* The subordinate makes way for the dominant's range; what is granted is never let go. */
static void hold_own(struct step *s)
{
	struct hf_range_dev *d = s->d;

	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		struct hf_range *r = &d->own[i];

		if (!r->used || r->granted || r->held == should_hold_own(d, r))
			continue;
		if (!has_room(s, 1))
			return;
		set_hold(s, r, !r->held);
	}
}

static void hold_theirs(struct step *s)
{
	struct hf_range_dev *d = s->d;

	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		struct hf_range *r = &d->theirs[i];

		if (!r->used || r->held || !should_hold_theirs(d, r))
			continue;
		if (!has_room(s, 1))
			return;
		set_hold(s, r, true);
	}
}

/* The oldest own range that is to be asked for now. known: of those the peer may know already. */
static struct hf_range *next_to_ask(struct hf_range_dev *d, bool known)
{
	struct hf_range *first = NULL;

	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		struct hf_range *r = &d->own[i];

		if (!r->used || r->told || r->known != known || (d->dominant && !r->held))
			continue;
		if (!first || r->order < first->order)
			first = r;
	}
	return first;
}

/* False when there is no room left. */
static bool ask_all(struct step *s, bool known)
{
	struct hf_range *r;

	while ((r = next_to_ask(s->d, known))) {
		if (!has_room(s, 1))
			return false;
		send(s, HF_RANGE_MSG_ASK, r);
		r->told = r->known = true;
	}
	return true;
}

/* First what the peer may know, so that it can forget the rest before anything new comes. */
static void talk(struct step *s)
{
	struct hf_range_dev *d = s->d;

	if (!d->up || (!d->synced && !ask_all(s, true)))
		return;
	if (!d->synced) {
		if (!has_room(s, 1))
			return;
		send(s, HF_RANGE_MSG_SYNCED, NULL);
		d->synced = true;
	}
	if (!ask_all(s, false))
		return;
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		struct hf_range *r = &d->theirs[i];

		if (!r->used || !r->held || !r->drained || r->told || !r->known)
			continue;
		if (!has_room(s, 1))
			return;
		send(s, HF_RANGE_MSG_GRANT, r);
		r->told = true;
	}
}

static void grant(struct step *s)
{
	struct hf_range_dev *d = s->d;

	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		struct hf_range *r = &d->own[i];

		if (!r->used || r->granted || !r->held || !r->drained)
			continue;
		if (d->mode == HF_PAIR_WAIT ||
			(!r->peer_ok && d->mode != HF_PAIR_ALONE && !HF_PLANTED(RANGE_ALONE)))
			continue;
		if (!has_room(s, 1))
			return;
		r->granted = true;
		report(s, r->req, 0);
	}
}

/* S7: what waits for a range of a lost peer is told so after the bound. */
static void doubt(struct step *s)
{
	struct hf_range_dev *d = s->d;

	if (d->up || s->now < d->down_since_ns + d->config->bound_ns)
		return;
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		struct hf_range *r = &d->theirs[i];

		if (!r->used || !r->held || r->doubted)
			continue;
		if (!has_room(s, 1))
			return;
		r->doubted = true;
		emit(s, HF_RANGE_DO_DOUBT)->id = r->id;
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a && a < b ? a : b;
}

static void set_timer(struct step *s)
{
	struct hf_range_dev *d = s->d;
	uint64_t at = 0;

	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		const struct hf_range *own = &d->own[i], *theirs = &d->theirs[i];

		if (own->used && !own->granted)
			at = earlier(at, own->req->since_ns + d->config->bound_ns);
		if (theirs->used && theirs->held && !theirs->doubted && !d->up)
			at = earlier(at, d->down_since_ns + d->config->bound_ns);
	}
	if (!hf_list_is_empty(&d->line)) /* the oldest is first */
		at = earlier(at, hf_list_entry(d->line.next, struct hf_bus_range, node)->since_ns +
					 d->config->bound_ns);
	if (at == d->timer_at_ns)
		return;
	d->timer_at_ns = at;
	emit(s, HF_RANGE_DO_TIMER)->at_ns = at;
}

static void flush(struct step *s)
{
	static void (*const passes[])(struct step *) = {
		fail_late, move_up, let_go_over, hold_own, hold_theirs, talk, grant, doubt};

	for (unsigned i = 0; i < HF_ARRAY_LEN(passes); i++) {
		if (s->u->more)
			return;
		passes[i](s);
	}
	if (!s->u->more)
		set_timer(s);
}

/* --- events ----------------------------------------------------------------------------------- */

static void release(struct step *s, struct hf_bus_range *req)
{
	hf_assert(req->state == IN_LINE || req->state == IN_SLOT);
	if (req->state == IN_LINE) {
		hf_list_remove(&req->node);
	} else {
		struct hf_range *r = find(s->d->own, req->id);

		hf_assert(r && r->req == req);
		let_go_own(s, r);
	}
	req->state = 0;
}

static void receive_ask(struct step *s, const struct hf_range_msg *m)
{
	struct hf_range_dev *d = s->d;
	struct hf_range *r = find(d->theirs, m->id);

	if (r && (r->lba != m->lba || r->blocks != m->blocks)) {
		emit(s, HF_RANGE_DO_DROP_LINK);
		return;
	}
	if (!r) {
		r = find_unused(d->theirs);
		if (!r) {
			emit(s, HF_RANGE_DO_DROP_LINK);
			return;
		}
		*r = (struct hf_range){.used = true,
			.id = m->id,
			.lba = m->lba,
			.blocks = m->blocks,
			.order = ++d->next_order};
	}
	r->known = true;
	r->told = false;
}

static void receive(struct step *s, const struct hf_range_msg *m)
{
	struct hf_range_dev *d = s->d;
	struct hf_range *r;

	if (!d->up)
		return;
	switch (m->kind) {
	case HF_RANGE_MSG_ASK:
		receive_ask(s, m);
		return;
	case HF_RANGE_MSG_GRANT:
		r = find(d->own, m->id);
		if (r && r->told)
			r->peer_ok = true;
		return;
	case HF_RANGE_MSG_RELEASE:
		r = find(d->theirs, m->id);
		if (r)
			r->over = true;
		return;
	case HF_RANGE_MSG_SYNCED:
		for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++)
			if (!d->theirs[i].known)
				d->theirs[i].over = true;
		return;
	}
}

static void link_down(struct step *s)
{
	struct hf_range_dev *d = s->d;

	d->up = false;
	d->down_since_ns = s->now;
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		d->own[i].told = false;
		d->theirs[i].told = d->theirs[i].known = false;
	}
}

/* The peer has no memory of us and its ranges are over. */
static void forget_peer(struct step *s, enum hf_pair_mode mode)
{
	struct hf_range_dev *d = s->d;

	link_down(s);
	d->mode = mode;
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		d->own[i].known = d->own[i].peer_ok = false;
		d->theirs[i].over = true;
	}
}

static void drained(struct hf_range_dev *d, uint64_t id)
{
	struct hf_range *r = find(d->own, id);

	if (!r)
		r = find(d->theirs, id);
	if (r && r->held)
		r->drained = true;
}

static void handle(struct step *s, const struct hf_range_event *ev)
{
	struct hf_range_dev *d = s->d;

	switch (ev->kind) {
	case HF_RANGE_CONTINUE:
		return;
	case HF_RANGE_TIMER:
		d->timer_at_ns = 0;
		return;
	case HF_RANGE_ACQUIRE:
		hf_assert(ev->req->blocks > 0 && ev->req->lba + ev->req->blocks > ev->req->lba);
		ev->req->since_ns = s->now;
		ev->req->state = IN_LINE;
		hf_list_push_back(&d->line, &ev->req->node);
		return;
	case HF_RANGE_RELEASE:
		release(s, ev->req);
		return;
	case HF_RANGE_RECEIVE:
		receive(s, ev->msg);
		return;
	case HF_RANGE_DRAINED:
		drained(d, ev->id);
		return;
	case HF_RANGE_UP:
		if (d->mode == HF_PAIR_REMOVED)
			return;
		d->up = true;
		d->synced = false;
		d->mode = HF_PAIR_TOGETHER;
		return;
	case HF_RANGE_DOWN:
		link_down(s);
		return;
	case HF_RANGE_GONE:
		forget_peer(s, HF_PAIR_ALONE);
		return;
	case HF_RANGE_SET_MODE:
		if (d->mode != HF_PAIR_REMOVED)
			d->mode = ev->mode;
		return;
	case HF_RANGE_DROP:
		forget_peer(s, HF_PAIR_JOIN);
		return;
	case HF_RANGE_REMOVE:
		forget_peer(s, HF_PAIR_REMOVED);
		return;
	}
}

void hf_range_step(
	struct hf_range_dev *d, const struct hf_range_event *ev, struct hf_range_update *ret)
{
	struct step s = {.d = d, .now = ev->now_ns, .u = ret};

	hf_assert(ev->now_ns && d->more == (ev->kind == HF_RANGE_CONTINUE));
	ret->len = 0;
	ret->more = false;
	handle(&s, ev);
	flush(&s);
	d->more = ret->more;
}

void hf_range_dev_init(struct hf_range_dev *d, uint32_t dev, bool dominant, uint8_t controller,
	const struct hf_pair_config *config)
{
	*d = (struct hf_range_dev){
		.config = config,
		.dev = dev,
		.dominant = dominant,
		.mode = HF_PAIR_WAIT,
		.next_id = (uint64_t)controller << 56,
	};
	hf_list_init(&d->line);
}
