/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices of the pair engine: their table, and the effects of the pair and range machines. */
#include "pair_engine_int.h"

#include "checksum.h"
#include "log.h"

#include <stdlib.h>

/* --- the table --- */

struct pair_dev *pair_dev_find(const struct pair_engine *e, uint32_t dev)
{
	struct pair_dev *d = e->devs[dev % DEV_BUCKETS];

	while (d && d->pair.dev != dev)
		d = d->next;
	return d;
}

struct pair_dev *pair_dev_next(const struct pair_engine *e, uint64_t from)
{
	struct pair_dev *best = NULL;

	for (unsigned i = 0; i < DEV_BUCKETS; i++)
		for (struct pair_dev *d = e->devs[i]; d; d = d->next)
			if (d->pair.dev >= from && (!best || d->pair.dev < best->pair.dev))
				best = d;
	return best;
}

uint64_t pair_dev_digest(const struct pair_engine *e)
{
	uint64_t digest = 1;
	struct pair_dev *d;

	for (uint64_t from = 0; (d = pair_dev_next(e, from)); from = (uint64_t)d->pair.dev + 1) {
		uint8_t dominant = d->pair.dominant ? e->config.id : e->config.peer_id;

		digest = hf_digest64(digest, &d->pair.dev, sizeof(d->pair.dev));
		digest = hf_digest64(digest, &dominant, sizeof(dominant));
	}
	return digest;
}

/* Where a device is stopped what is owed waits for the operator, and leaving does not. */
bool pair_dev_any_own(const struct pair_engine *e)
{
	bool in_touch = e->view.up && e->view.view.state == HF_VIEW_TOGETHER;

	for (unsigned i = 0; i < DEV_BUCKETS; i++)
		for (struct pair_dev *d = e->devs[i]; d; d = d->next)
			if (d->pair.claim == HF_PAIR_MINE || d->pair.claim == HF_PAIR_CANCELLING ||
				(in_touch && d->pair.mode == HF_PAIR_TOGETHER &&
					!hf_list_is_empty(&d->pair.queue)))
				return true;
	return false;
}

static void dev_free(struct pair_dev *d)
{
	hf_timer_cancel(d->e->loop, &d->pair_timer);
	hf_timer_cancel(d->e->loop, &d->range_timer);
	free(d);
}

void pair_dev_free_all(struct pair_engine *e)
{
	for (unsigned i = 0; i < DEV_BUCKETS; i++)
		while (e->devs[i]) {
			struct pair_dev *d = e->devs[i];

			e->devs[i] = d->next;
			dev_free(d);
		}
}

/* --- effects --- */

static void arm(struct pair_engine *e, struct hf_timer *t, uint64_t at_ns)
{
	if (at_ns)
		hf_timer_arm(e->loop, t, at_ns);
	else
		hf_timer_cancel(e->loop, t);
}

static void send_op(struct pair_engine *e, const struct hf_pair_msg *m)
{
	uint8_t buf[HF_PAIR_MSG_MAX];
	int n = hf_pair_msg_encode(m, buf, sizeof(buf));

	hf_assert(n > 0);
	e->counts.op_sent[m->kind % HF_ARRAY_LEN(e->counts.op_sent)]++;
	pair_engine_send(e, HF_BUS_PAIR_OP, NULL, 0, buf, (size_t)n);
}

static void stopped(struct pair_engine *e, struct pair_dev *d, enum hf_pair_stop why)
{
	e->bus.owner_ops->stopped(e->bus.owner, d->pair.dev,
		d->pair.empty ? "it was stopped when this controller joined, which has no state of "
				"it"
			      : hf_pair_stop_text(why));
}

static void pick_end(struct pair_dev *d, int result)
{
	struct hf_bus_pick *pick = d->picked;

	d->picked = NULL;
	if (pick)
		pick->done(pick, result, hf_pair_pick_text(result));
}

/* A second word about a device, while the first is being carried out, is refused here. */
void pair_dev_pick(struct pair_engine *e, struct hf_bus_pick *pick)
{
	struct pair_dev *d = pair_dev_find(e, pick->dev);

	if (!d || d->picked) {
		int result = d ? -EALREADY : -ENODEV;

		pick->done(pick, result, hf_pair_pick_text(result));
		return;
	}
	d->picked = pick;
	pair_push(e, ITEM_PAIR, pick->dev)->pair.kind = HF_PAIR_PICK;
}

static void perform_pair(struct pair_engine *e, struct pair_dev *d, const struct hf_pair_effect *f)
{
	const struct hf_bus_owner_ops *ops = e->bus.owner_ops;
	void *owner = e->bus.owner;
	uint32_t dev = d->pair.dev;

	switch (f->kind) {
	case HF_PAIR_DO_SEND:
		send_op(e, &f->msg);
		return;
	case HF_PAIR_DO_HOLD:
		ops->hold(owner, dev, f->n, f->op, f->op_len, f->mine);
		return;
	case HF_PAIR_DO_UNHOLD:
		ops->unhold(owner, dev, f->n);
		return;
	case HF_PAIR_DO_PERSIST:
		ops->persist(owner, dev, f->n);
		return;
	case HF_PAIR_DO_APPLY:
		ops->apply(owner, dev, f->n, f->mine);
		return;
	case HF_PAIR_DO_ANSWER:
		ops->answer(owner, f->prop, f->how);
		return;
	case HF_PAIR_DO_DOUBT:
		ops->doubt(owner, f->prop);
		return;
	case HF_PAIR_DO_STOP:
		stopped(e, d, f->stop);
		return;
	case HF_PAIR_DO_TIMER:
		arm(e, &d->pair_timer, f->at_ns);
		return;
	case HF_PAIR_DO_SNAPSHOT:
		pair_copy_give(e, d, f->n);
		return;
	case HF_PAIR_DO_RESUME:
		ops->resumed(owner, dev);
		return;
	case HF_PAIR_DO_PICK:
		ops->pick(owner, dev, f->n, f->mine);
		return;
	case HF_PAIR_DO_PICK_END:
		pick_end(d, f->result);
		return;
	}
}

static void step_pair(struct pair_engine *e, struct pair_dev *d, struct hf_pair_event *ev)
{
	struct hf_pair_update u;

	ev->now_ns = hf_loop_now_ns(e->loop);
	for (;;) {
		hf_pair_step(&d->pair, ev, &u);
		for (unsigned i = 0; i < u.len; i++)
			perform_pair(e, d, &u.effects[i]);
		if (!u.more)
			return;
		*ev = (struct hf_pair_event){.kind = HF_PAIR_CONTINUE, .now_ns = ev->now_ns};
	}
}

static void send_range(struct pair_engine *e, const struct hf_range_msg *m)
{
	uint8_t buf[HF_RANGE_MSG_MAX];
	int n = hf_range_msg_encode(m, buf, sizeof(buf));

	hf_assert(n > 0);
	pair_engine_send(e, HF_BUS_PAIR_RANGE, NULL, 0, buf, (size_t)n);
}

static void perform_range(
	struct pair_engine *e, struct pair_dev *d, const struct hf_range_effect *f)
{
	const struct hf_bus_owner_ops *ops = e->bus.owner_ops;
	void *owner = e->bus.owner;
	uint32_t dev = d->range.dev;

	switch (f->kind) {
	case HF_RANGE_DO_SEND:
		send_range(e, &f->msg);
		return;
	case HF_RANGE_DO_HOLD:
		ops->range_hold(owner, dev, f->id, f->lba, f->blocks);
		return;
	case HF_RANGE_DO_UNHOLD:
		ops->range_unhold(owner, dev, f->id);
		return;
	case HF_RANGE_DO_DOUBT:
		ops->range_doubt(owner, dev, f->id);
		return;
	case HF_RANGE_DO_GRANTED:
		f->req->granted(f->req, f->result);
		return;
	case HF_RANGE_DO_TIMER:
		arm(e, &d->range_timer, f->at_ns);
		return;
	case HF_RANGE_DO_DROP_LINK:
		if (e->links)
			hf_links_drop(e->links, "the peer asks for ranges that cannot be");
		return;
	}
}

static void step_range(struct pair_engine *e, struct pair_dev *d, struct hf_range_event *ev)
{
	struct hf_range_update u;

	ev->now_ns = hf_loop_now_ns(e->loop);
	for (;;) {
		hf_range_step(&d->range, ev, &u);
		for (unsigned i = 0; i < u.len; i++)
			perform_range(e, d, &u.effects[i]);
		if (!u.more)
			return;
		*ev = (struct hf_range_event){.kind = HF_RANGE_CONTINUE, .now_ns = ev->now_ns};
	}
}

/* --- events --- */

/* The range machine gets what concerns both (range.h). */
static bool range_twin(const struct hf_pair_event *p, struct hf_range_event *ret)
{
	*ret = (struct hf_range_event){.mode = p->mode};
	switch (p->kind) {
	case HF_PAIR_UP:
		ret->kind = HF_RANGE_UP;
		return true;
	case HF_PAIR_DOWN:
		ret->kind = HF_RANGE_DOWN;
		return true;
	case HF_PAIR_GONE:
		ret->kind = HF_RANGE_GONE;
		return true;
	case HF_PAIR_SET_MODE:
		ret->kind = HF_RANGE_SET_MODE;
		return true;
	case HF_PAIR_DROP:
		ret->kind = HF_RANGE_DROP;
		return true;
	case HF_PAIR_REMOVE:
		ret->kind = HF_RANGE_REMOVE;
		return true;
	default:
		return false;
	}
}

static void step_both(struct pair_engine *e, struct pair_dev *d, enum hf_pair_event_kind kind,
	enum hf_pair_mode mode, uint64_t n)
{
	struct hf_pair_event ev = {.kind = kind, .mode = mode, .n = n};
	struct hf_range_event twin;
	bool both = range_twin(&ev, &twin);

	step_pair(e, d, &ev);
	if (both)
		step_range(e, d, &twin);
	if (kind == HF_PAIR_INSTALLED) {
		twin = (struct hf_range_event){.kind = HF_RANGE_SET_MODE, .mode = HF_PAIR_TOGETHER};
		step_range(e, d, &twin);
		twin = (struct hf_range_event){.kind = HF_RANGE_UP};
		step_range(e, d, &twin);
	}
}

static void step_one(struct pair_engine *e, struct pair_dev *d, enum hf_pair_event_kind kind,
	enum hf_pair_mode mode)
{
	/* Of a stopped device (W18) an older build gives not even the news to who joins: there is
	 * no state to heal or freeze. */
	if (d->pair.mode == HF_PAIR_JOIN &&
		(kind == HF_PAIR_UP || (kind == HF_PAIR_SET_MODE && mode != HF_PAIR_WAIT)))
		return;
	step_both(e, d, kind, mode, 0);
}

/* The pool comes last: what is repeated of its op may rest on what is repeated of a device (S8). */
void pair_dev_all(struct pair_engine *e, enum hf_pair_event_kind kind, enum hf_pair_mode mode)
{
	struct pair_dev *d;

	for (uint64_t from = 1; (d = pair_dev_next(e, from)); from = (uint64_t)d->pair.dev + 1)
		step_one(e, d, kind, mode);
	d = pair_dev_find(e, HF_BUS_DEV_POOL);
	if (d)
		step_one(e, d, kind, mode);
}

static void dev_remove(struct pair_engine *e, struct pair_dev *d)
{
	struct pair_dev **at = &e->devs[d->pair.dev % DEV_BUCKETS];

	step_both(e, d, HF_PAIR_REMOVE, 0, 0);
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	pair_copy_dev_removed(e, d->pair.dev);
	pick_end(d, -ENODEV);
	dev_free(d);
}

/* Ops are taken where there is an agreed state; elsewhere only those that cannot be refused wait.
 */
static bool takes_ops(const struct pair_engine *e)
{
	enum hf_view_state s = e->view.view.state;

	return !e->leave_wanted && (s == HF_VIEW_TOGETHER || s == HF_VIEW_FROZEN ||
					   s == HF_VIEW_RACING || s == HF_VIEW_ALONE);
}

/*
 * Before the views have been compared (heal), and in a copy before its turn, a message means
 * nothing to the machine; but who joins is told of a stopped device, of which no copy comes.
 */
static bool is_heard(
	const struct pair_engine *e, const struct pair_dev *d, const struct hf_pair_msg *m)
{
	return d->pair.up || (m->kind == HF_PAIR_MSG_STOP && d->pair.mode == HF_PAIR_JOIN &&
				     e->view.view.state == HF_VIEW_JOINING);
}

static void dispatch_pair(struct pair_engine *e, struct pair_dev *d, const struct pair_item *item)
{
	struct hf_pair_event ev = item->pair;

	if (ev.kind == HF_PAIR_PROPOSE && (!d || (!ev.prop->owed && !takes_ops(e)))) {
		e->bus.owner_ops->answer(e->bus.owner, ev.prop, HF_BUS_ANSWER_NOT_READY);
		return;
	}
	if (!d)
		return;
	if (ev.kind == HF_PAIR_REMOVE)
		dev_remove(e, d);
	else if (ev.kind == HF_PAIR_INSTALLED)
		step_both(e, d, ev.kind, 0, ev.n);
	else if (ev.kind != HF_PAIR_RECEIVE || is_heard(e, d, ev.msg))
		step_pair(e, d, &ev);
}

static void dispatch_range(struct pair_engine *e, struct pair_dev *d, const struct pair_item *item)
{
	struct hf_range_event ev = item->range;

	if (d)
		step_range(e, d, &ev);
	else if (ev.kind == HF_RANGE_ACQUIRE)
		ev.req->granted(ev.req, -ENOTCONN);
}

void pair_dev_dispatch(struct pair_engine *e, const struct pair_item *item)
{
	struct pair_dev *d = pair_dev_find(e, item->dev);

	if (item->what == ITEM_PAIR)
		dispatch_pair(e, d, item);
	else
		dispatch_range(e, d, item);
}

static void pair_timer_fire(struct hf_timer *t)
{
	struct pair_dev *d = hf_container_of(t, struct pair_dev, pair_timer);

	pair_push(d->e, ITEM_PAIR, d->pair.dev)->pair.kind = HF_PAIR_TIMER;
	pair_run(d->e);
}

static void range_timer_fire(struct hf_timer *t)
{
	struct pair_dev *d = hf_container_of(t, struct pair_dev, range_timer);

	pair_push(d->e, ITEM_RANGE, d->range.dev)->range.kind = HF_RANGE_TIMER;
	pair_run(d->e);
}

/* A new device is where the view is; ops on it may follow at once. */
static void place(struct pair_engine *e, struct pair_dev *d)
{
	switch (e->view.view.state) {
	case HF_VIEW_TOGETHER:
		step_both(e, d, HF_PAIR_INSTALLED, 0, 0);
		return;
	case HF_VIEW_FROZEN:
		step_both(e, d, HF_PAIR_SET_MODE, HF_PAIR_FROZEN, 0);
		return;
	case HF_VIEW_ALONE:
		step_both(e, d, HF_PAIR_GONE, 0, 0);
		return;
	case HF_VIEW_JOINING:
		step_both(e, d, HF_PAIR_DROP, 0, 0);
		return;
	case HF_VIEW_STARTING:
	case HF_VIEW_RACING:
	case HF_VIEW_OUT:
		return;
	}
}

/* The map has changed who goes first. Both sides learn it by the same op but not at the same
 * moment: whoever becomes dominant must not go on yielding, or both might. */
static void set_dominant(struct pair_engine *e, struct pair_dev *d, bool dominant)
{
	d->pair.dominant = d->range.dominant = dominant;
	if (dominant)
		d->pair.yield = false;
	pair_push(e, ITEM_PAIR, d->pair.dev)->pair.kind = HF_PAIR_TIMER;
	pair_push(e, ITEM_RANGE, d->pair.dev)->range.kind = HF_RANGE_TIMER;
}

int pair_dev_add(struct pair_engine *e, uint32_t dev, bool dominant)
{
	struct pair_dev *d = pair_dev_find(e, dev);

	if (d) {
		set_dominant(e, d, dominant);
		return 0;
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->e = e;
	hf_pair_dev_init(&d->pair, dev, dominant, &e->pair_config, &e->reads);
	hf_range_dev_init(&d->range, dev, dominant, e->config.id, &e->pair_config);
	hf_timer_init(&d->pair_timer, pair_timer_fire);
	hf_timer_init(&d->range_timer, range_timer_fire);
	d->next = e->devs[dev % DEV_BUCKETS];
	e->devs[dev % DEV_BUCKETS] = d;
	place(e, d);
	pair_copy_dev_added(e, dev);
	return 0;
}

/* --- messages of the peer --- */

/* A device that is not here (any more): its ops fail, and nothing hangs. */
static void answer_unknown(struct pair_engine *e, const struct hf_pair_msg *m)
{
	struct hf_pair_msg answer = {.dev = m->dev, .n = m->n};

	if (m->kind == HF_PAIR_MSG_ASK) {
		answer.kind = HF_PAIR_MSG_UNABLE;
		answer.reason = ENODEV;
	} else if (m->kind == HF_PAIR_MSG_CANCEL) {
		answer.kind = HF_PAIR_MSG_CANCELLED;
	} else {
		return;
	}
	send_op(e, &answer);
}

void pair_dev_receive_op(struct pair_engine *e, const uint8_t *buf, size_t len)
{
	struct hf_pair_msg m;
	struct pair_item *item;

	if (hf_pair_msg_decode(buf, len, &m) < 0) {
		hf_links_drop(e->links, "a message about an op that cannot be read");
		return;
	}
	e->counts.op_received[m.kind % HF_ARRAY_LEN(e->counts.op_received)]++;
	if (!pair_dev_find(e, m.dev)) {
		answer_unknown(e, &m);
		return;
	}
	item = pair_push(e, ITEM_PAIR, m.dev);
	item->pair.kind = HF_PAIR_RECEIVE;
	item->pair.msg = &m;
	pair_run(e); /* m does not outlive this call */
}

void pair_dev_receive_range(struct pair_engine *e, const uint8_t *buf, size_t len)
{
	struct hf_range_msg m;
	struct pair_item *item;

	if (hf_range_msg_decode(buf, len, &m) < 0) {
		hf_links_drop(e->links, "a message about a range that cannot be read");
		return;
	}
	item = pair_push(e, ITEM_RANGE, m.dev);
	item->range.kind = HF_RANGE_RECEIVE;
	item->range.msg = &m;
	pair_run(e);
}
