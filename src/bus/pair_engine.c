/* SPDX-License-Identifier: BSD-3-Clause */
/* The pair engine: creation, the calls of bus.h, what comes from the links, the queue of events. */
#include "pair_engine_int.h"

#include "log.h"
#include "spare.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MS	  1000000ull
#define TICK_NS	  (1000 * MS)
#define ITEMS_MIN 64

/* --- the queue of events --- */

static void grow(struct pair_engine *e)
{
	size_t cap = e->items_cap ? e->items_cap * 2 : ITEMS_MIN;
	struct pair_item *items = hf_spare_calloc(cap, sizeof(*items));

	for (size_t i = 0; i < e->items_len; i++)
		items[i] = e->items[(e->items_head + i) % e->items_cap];
	free(e->items);
	e->items = items;
	e->items_cap = cap;
	e->items_head = 0;
}

struct pair_item *pair_push(struct pair_engine *e, int what, uint32_t dev)
{
	struct pair_item *item;

	if (e->items_len == e->items_cap)
		grow(e);
	item = &e->items[(e->items_head + e->items_len++) % e->items_cap];
	memset(item, 0, sizeof(*item));
	item->what = what;
	item->dev = dev;
	return item;
}

static void dispatch(struct pair_engine *e, const struct pair_item *item)
{
	if (item->what == ITEM_VIEW)
		pair_view_dispatch(e, &item->view);
	else
		pair_dev_dispatch(e, item);
}

/* W19: nothing of ours may be pending when we say that we go. */
static void leave_if_idle(struct pair_engine *e)
{
	if (!e->leave_wanted || e->leave_said || pair_dev_any_own(e))
		return;
	e->leave_said = true;
	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_WORD_LEAVE;
}

void pair_run(struct pair_engine *e)
{
	struct pair_item item;

	if (e->running)
		return; /* whoever runs will come to it */
	e->running = true;
	while (!e->destroying) {
		if (e->items_len == 0)
			leave_if_idle(e);
		if (e->items_len == 0)
			break;
		item = e->items[e->items_head];
		e->items_head = (e->items_head + 1) % e->items_cap;
		e->items_len--;
		dispatch(e, &item);
	}
	e->running = false;
}

void pair_engine_send(struct pair_engine *e, enum hf_bus_pair_channel channel, const void *head,
	size_t head_len, const void *body, size_t body_len)
{
	hf_assert(head_len < sizeof(e->msg));
	if (!e->links)
		return;
	e->counts.sent[channel]++;
	e->msg[0] = (uint8_t)channel;
	if (head_len)
		memcpy(e->msg + 1, head, head_len);
	hf_links_send(e->links, e->msg, 1 + head_len, body, body_len);
}

/* --- from the links --- */

static void links_up(void *owner, uint64_t peer_incarnation)
{
	struct pair_engine *e = owner;
	struct pair_item *item = pair_push(e, ITEM_VIEW, 0);

	e->pair_config.no_picks = e->links->version < HF_BUS_VERSION_PICK;
	item->view.kind = HF_VIEW_UP;
	item->view.incarnation = peer_incarnation;
	pair_run(e);
}

/* The peer has echoed what we sent then: for T from there on it does not go on alone. */
static void links_heard(void *owner, uint64_t at_ns)
{
	struct pair_engine *e = owner;

	e->heard_ns = at_ns;
	pair_view_valid(e);
}

static void links_down(void *owner, const char *why, bool restarted)
{
	struct pair_engine *e = owner;
	struct pair_item *item = pair_push(e, ITEM_VIEW, 0);

	hf_assert(!e->running);
	item->view.kind = HF_VIEW_DOWN;
	item->view.sentence = why;
	item->view.restarted = restarted;
	pair_run(e);
}

static void links_refused(void *owner, const char *sentence)
{
	struct pair_engine *e = owner;
	struct pair_item *item = pair_push(e, ITEM_VIEW, 0);

	hf_assert(!e->running);
	item->view.kind = HF_VIEW_REFUSED;
	item->view.sentence = sentence;
	pair_run(e);
}

static void links_acked(void *owner)
{
	struct pair_engine *e = owner;

	pair_copy_advance(e);
	pair_run(e);
}

static void links_message(void *owner, const uint8_t *msg, size_t len)
{
	struct pair_engine *e = owner;
	uint8_t channel = len ? msg[0] : 0;

	hf_assert(!e->running);
	if (channel == 0 || channel >= HF_BUS_PAIR_CHANNELS) {
		hf_links_drop(e->links, "a message of an unknown kind");
		return;
	}
	e->counts.received[channel]++;
	switch ((enum hf_bus_pair_channel)channel) {
	case HF_BUS_PAIR_OP:
		pair_dev_receive_op(e, msg + 1, len - 1);
		break;
	case HF_BUS_PAIR_RANGE:
		pair_dev_receive_range(e, msg + 1, len - 1);
		break;
	case HF_BUS_PAIR_VIEW:
		pair_view_receive(e, msg + 1, len - 1);
		break;
	case HF_BUS_PAIR_COPY:
		pair_copy_receive(e, msg + 1, len - 1);
		break;
	case HF_BUS_PAIR_COPY_END:
		pair_copy_receive_end(e);
		break;
	case HF_BUS_PAIR_CHANNELS:
		break;
	}
	pair_run(e);
}

static const struct hf_links_ops links_ops = {
	.up = links_up,
	.down = links_down,
	.heard = links_heard,
	.message = links_message,
	.acked = links_acked,
	.refused = links_refused,
};

/* --- from the owner --- */

static void op_propose(struct hf_bus *bus, struct hf_bus_prop *prop)
{
	struct pair_engine *e = pair_engine_of(bus);
	struct pair_item *item = pair_push(e, ITEM_PAIR, prop->dev);

	item->pair.kind = HF_PAIR_PROPOSE;
	item->pair.prop = prop;
	pair_run(e);
}

/* A step of op n that was asked of the owner has ended. */
static void op_step_ended(
	struct hf_bus *bus, uint32_t dev, enum hf_pair_event_kind kind, uint64_t n, int result)
{
	struct pair_engine *e = pair_engine_of(bus);
	struct pair_item *item = pair_push(e, ITEM_PAIR, dev);

	item->pair.kind = kind;
	item->pair.n = n;
	item->pair.result = result;
	pair_run(e);
}

static void op_drained(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	op_step_ended(bus, dev, HF_PAIR_DRAINED, n, result);
}

static void op_persisted(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	op_step_ended(bus, dev, HF_PAIR_PERSISTED, n, result);
}

static void op_pick(struct hf_bus *bus, struct hf_bus_pick *pick)
{
	struct pair_engine *e = pair_engine_of(bus);

	pair_dev_pick(e, pick);
	pair_run(e);
}

static void op_pick_done(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	op_step_ended(bus, dev, HF_PAIR_PICK_DONE, n, result);
}

static void range_event(struct hf_bus *bus, uint32_t dev, enum hf_range_event_kind kind,
	struct hf_bus_range *req, uint64_t id)
{
	struct pair_engine *e = pair_engine_of(bus);
	struct pair_item *item = pair_push(e, ITEM_RANGE, dev);

	item->range.kind = kind;
	item->range.req = req;
	item->range.id = id;
	pair_run(e);
}

static void op_range_acquire(struct hf_bus *bus, struct hf_bus_range *range)
{
	range_event(bus, range->dev, HF_RANGE_ACQUIRE, range, 0);
}

static void op_range_release(struct hf_bus *bus, struct hf_bus_range *range)
{
	range_event(bus, range->dev, HF_RANGE_RELEASE, range, 0);
}

static void op_range_drained(struct hf_bus *bus, uint32_t dev, uint64_t id)
{
	range_event(bus, dev, HF_RANGE_DRAINED, NULL, id);
}

static void op_dev_add(struct hf_bus *bus, uint32_t dev, bool dominant)
{
	struct pair_engine *e = pair_engine_of(bus);

	hf_assert(pair_dev_add(e, dev, dominant) == 0); /* hf_limits.h bounds how many there are */
	pair_run(e);
}

static void op_dev_remove(struct hf_bus *bus, uint32_t dev)
{
	struct pair_engine *e = pair_engine_of(bus);

	pair_push(e, ITEM_PAIR, dev)->pair.kind = HF_PAIR_REMOVE;
	pair_run(e);
}

static void op_loaded(struct hf_bus *bus, int result)
{
	struct pair_engine *e = pair_engine_of(bus);
	struct pair_item *item = pair_push(e, ITEM_VIEW, 0);

	item->view.kind = HF_VIEW_LOADED;
	item->view.result = result;
	pair_run(e);
}

static void op_rewritten(struct hf_bus *bus, int result)
{
	struct pair_engine *e = pair_engine_of(bus);
	struct pair_item *item = pair_push(e, ITEM_VIEW, 0);

	item->view.kind = HF_VIEW_REWRITTEN;
	item->view.result = result;
	pair_run(e);
}

static void op_view_io_done(struct hf_bus *bus, const uint8_t *record, int result)
{
	struct pair_engine *e = pair_engine_of(bus);
	struct pair_item *item = pair_push(e, ITEM_VIEW, 0);

	item->view.kind = e->view.step == HF_VIEW_WRITING ? HF_VIEW_WRITTEN : HF_VIEW_READ;
	item->view.result = result;
	if (item->view.kind == HF_VIEW_READ && result > 0) {
		/* One longer than any record is none of this version. */
		item->view.result = HF_MIN(result, (int)sizeof(e->record_read));
		memcpy(e->record_read, record, (size_t)item->view.result);
		item->view.record = e->record_read;
	}
	pair_run(e);
}

static int op_peer_down(struct hf_bus *bus, char *message, size_t message_len)
{
	struct pair_engine *e = pair_engine_of(bus);
	int ret = hf_view_may_peer_down(&e->view, message, message_len);

	if (ret < 0)
		return ret;
	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_WORD_PEER_DOWN;
	pair_run(e);
	return 0;
}

static int op_go_alone(struct hf_bus *bus, bool may_lose, char *message, size_t message_len)
{
	struct pair_engine *e = pair_engine_of(bus);
	int ret = hf_view_may_go_alone(&e->view, may_lose, message, message_len);
	struct pair_item *item;

	if (ret < 0)
		return ret;
	item = pair_push(e, ITEM_VIEW, 0);
	item->view.kind = HF_VIEW_WORD_ALONE;
	item->view.may_lose = may_lose;
	pair_run(e);
	return 0;
}

static int op_discard(struct hf_bus *bus, char *message, size_t message_len)
{
	struct pair_engine *e = pair_engine_of(bus);
	int ret = hf_view_may_discard(&e->view, message, message_len);

	if (ret < 0)
		return ret;
	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_WORD_DISCARD;
	pair_run(e);
	return 0;
}

static void op_fenced(struct hf_bus *bus, int result, const char *why)
{
	struct pair_engine *e = pair_engine_of(bus);
	struct pair_item *item = pair_push(e, ITEM_VIEW, 0);

	snprintf(e->fence_why, sizeof(e->fence_why), "%s", why);
	item->view.kind = HF_VIEW_FENCED;
	item->view.result = result;
	item->view.sentence = e->fence_why;
	pair_run(e);
}

static void op_fence_ended(struct hf_bus *bus)
{
	struct pair_engine *e = pair_engine_of(bus);

	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_FENCE_ENDED;
	pair_run(e);
}

static void op_mended(struct hf_bus *bus)
{
	struct pair_engine *e = pair_engine_of(bus);

	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_MENDED;
	pair_run(e);
}

static void op_checked(struct hf_bus *bus)
{
	pair_copy_checked(pair_engine_of(bus));
}

static void op_clean(struct hf_bus *bus)
{
	struct pair_engine *e = pair_engine_of(bus);

	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_CLEAN;
	pair_run(e);
}

static void op_leave(struct hf_bus *bus, void (*left)(void *arg), void *arg)
{
	struct pair_engine *e = pair_engine_of(bus);

	hf_assert(!e->leave_wanted);
	e->leave_wanted = true;
	e->left = left;
	e->left_arg = arg;
	pair_run(e);
}

/* --- time --- */

static void tick_fire(struct hf_timer *t)
{
	struct pair_engine *e = hf_container_of(t, struct pair_engine, tick);

	hf_timer_arm(e->loop, &e->tick, hf_loop_now_ns(e->loop) + TICK_NS);
	/* Own ops that do not settle: goes without a word, and the peer will notice. */
	if (e->leave_wanted && !e->leave_said &&
		++e->leave_ticks > 2 + 2 * e->config.bound_ms / 1000) {
		e->leave_said = true;
		hf_warning("bus: leaves while an operation is unsettled; the other controller will "
			   "freeze until told `holdfast peer-down`");
		e->left(e->left_arg);
	}
	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_TICK;
	pair_run(e);
}

static void quiet_fire(struct hf_timer *t)
{
	struct pair_engine *e = hf_container_of(t, struct pair_engine, quiet);

	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_QUIET;
	pair_run(e);
}

static void start_run(struct hf_msg *msg)
{
	struct pair_engine *e = hf_container_of(msg, struct pair_engine, start_msg);

	e->start_posted = false;
	if (e->destroying)
		return;
	pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_START;
	pair_run(e);
	if (e->links)
		hf_links_start(e->links);
	hf_timer_arm(e->loop, &e->tick, hf_loop_now_ns(e->loop) + TICK_NS);
}

/* --- creation --- */

static void free_engine(struct pair_engine *e)
{
	pair_dev_free_all(e);
	hf_links_destroy(e->links);
	free(e->giving);
	free(e->taking);
	free(e->items);
	free(e);
}

static void op_destroy(struct hf_bus *bus)
{
	struct pair_engine *e = pair_engine_of(bus);

	hf_assert(!e->running);
	e->destroying = true;
	hf_timer_cancel(e->loop, &e->tick);
	hf_timer_cancel(e->loop, &e->quiet);
	while (e->start_posted && hf_loop_run_once(e->loop, false) == 0)
		;
	free_engine(e);
}

static void op_counts(const struct hf_bus *bus, struct hf_bus_counts *ret)
{
	struct hf_bus_pair_status s;

	hf_bus_pair_status(bus, &s);
	*ret = (struct hf_bus_counts){.up = s.up};
	for (size_t i = 0; i < HF_ARRAY_LEN(s.op_sent); i++) {
		ret->op_sent += s.op_sent[i];
		ret->op_received += s.op_received[i];
	}
}

static const struct hf_bus_ops bus_ops = {
	.propose = op_propose,
	.drained = op_drained,
	.persisted = op_persisted,
	.range_acquire = op_range_acquire,
	.range_release = op_range_release,
	.range_drained = op_range_drained,
	.dev_add = op_dev_add,
	.dev_remove = op_dev_remove,
	.loaded = op_loaded,
	.rewritten = op_rewritten,
	.view_io_done = op_view_io_done,
	.peer_down = op_peer_down,
	.go_alone = op_go_alone,
	.discard = op_discard,
	.pick = op_pick,
	.pick_done = op_pick_done,
	.fenced = op_fenced,
	.fence_ended = op_fence_ended,
	.mended = op_mended,
	.checked = op_checked,
	.clean = op_clean,
	.leave = op_leave,
	.counts = op_counts,
	.destroy = op_destroy,
};

static int create_links(struct pair_engine *e, char *message, size_t len)
{
	const struct hf_bus_pair_config *c = &e->config;
	struct hf_links_config lc = {
		.own_id = c->id,
		.peer_id = c->peer_id,
		.incarnation = c->incarnation,
		.config_digest = c->config_digest,
		.listen_len = c->listen_len,
		.peer_len = c->peer_len,
		.psk = c->key,
		.psk_len = c->key_len,
		.silence_ns = c->silence_ms * MS,
		.beat_ns = c->beat_ms * MS,
		.version_min = c->version_min,
		.version_max = c->version_max,
	};

	memcpy(lc.cluster, c->cluster, sizeof(lc.cluster));
	memcpy(lc.listen, c->listen, sizeof(lc.listen));
	memcpy(lc.peer, c->peer, sizeof(lc.peer));
	return hf_links_create(&lc, e->loop, &links_ops, e, &e->links, message, len);
}

int hf_bus_pair_create(const struct hf_bus_pair_config *cfg, struct hf_loop *control,
	const struct hf_bus_owner_ops *ops, void *owner, struct hf_bus **ret, char *message,
	size_t len)
{
	struct pair_engine *e = calloc(1, sizeof(*e));
	int err = -ENOMEM;

	snprintf(message, len, "out of memory");
	if (!e)
		return -ENOMEM;
	e->config = *cfg;
	e->config.silence_ms = cfg->silence_ms ? cfg->silence_ms : 1000;
	e->config.bound_ms = cfg->bound_ms ? cfg->bound_ms : 2500;
	e->config.retry_ms = cfg->retry_ms ? cfg->retry_ms : 1;
	e->bus.ops = &bus_ops;
	e->bus.owner_ops = ops;
	e->bus.owner = owner;
	e->loop = control;
	e->pair_config.bound_ns = e->config.bound_ms * MS;
	e->pair_config.retry_ns = e->config.retry_ms * MS;
	e->reads = (struct hf_pair_reads){.look = ops->look, .digest = ops->digest, .owner = owner};
	hf_view_init(&e->view, cfg->id, cfg->peer_id, cfg->incarnation);
	e->bus.view = e->view.view;
	e->view.fences = cfg->fence;
	e->view.born_s = cfg->born_s;
	e->view.start_ticks = 3 + 3 * e->config.silence_ms / 1000;
	e->view.word_looks = 1 + (e->config.silence_ms + 999) / 1000;
	atomic_init(&e->bus.valid_until_ns, HF_BUS_VALID_FOR_EVER);
	hf_timer_init(&e->tick, tick_fire);
	hf_timer_init(&e->quiet, quiet_fire);
	e->giving = malloc(SNAPSHOT_MAX);
	e->taking = malloc(SNAPSHOT_MAX);
	if (e->giving && e->taking)
		err = cfg->peer_id ? create_links(e, message, len) : 0;
	e->config.key = NULL;
	if (err < 0) {
		free_engine(e);
		return err;
	}
	e->start_msg.run = start_run;
	e->start_posted = true;
	hf_loop_post(control, &e->start_msg);
	*ret = &e->bus;
	return 0;
}

/* --- for people and tests --- */

void hf_bus_pair_status(const struct hf_bus *bus, struct hf_bus_pair_status *ret)
{
	const struct pair_engine *e = hf_container_of(bus, struct pair_engine, bus);
	struct hf_links_status s;

	*ret = e->counts;
	if (!e->links)
		return;
	ret->up = e->links->begun;
	ret->version = e->links->begun ? e->links->version : 0;
	ret->streams = e->links->counters.streams;
	ret->link_switches = e->links->mux.switches;
	ret->strangers_refused = e->links->counters.strangers_refused;
	ret->handshakes_refused = e->links->counters.refused;
	ret->links_len = e->config.peer_len;
	for (unsigned i = 0; i < ret->links_len; i++) {
		struct hf_bus_pair_link_status *l = &ret->links[i];

		hf_links_status(e->links, i, &s);
		hf_bus_address_text(&e->config.peer[i], l->address);
		snprintf(l->state, sizeof(l->state), "%s", s.state);
		l->up = s.up;
		l->rtt_ns = s.rtt_ns;
		l->heard_age_ns = s.heard_age_ns;
		l->frames_sent = s.frames_sent;
		l->frames_received = s.frames_received;
	}
}

uint16_t hf_bus_pair_port(const struct hf_bus *bus, unsigned i)
{
	const struct pair_engine *e = hf_container_of(bus, struct pair_engine, bus);

	return hf_links_port(e->links, i);
}

void hf_bus_pair_set_peer_port(struct hf_bus *bus, unsigned i, uint16_t port)
{
	struct pair_engine *e = pair_engine_of(bus);

	hf_links_set_peer_port(e->links, i, port);
	hf_bus_address_set_port(&e->config.peer[i], port);
}
