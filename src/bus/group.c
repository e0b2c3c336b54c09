/* SPDX-License-Identifier: BSD-3-Clause */
/* The group engine: creation, the calls of bus.h, what comes from the net, the queue of events. */
#include "group_int.h"

#include "checksum.h"
#include "log.h"
#include "spare.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MS 1000000ull

uint64_t group_now(const struct group *g)
{
	return hf_loop_now_ns(g->loop);
}

/* --- the queue of events --- */

static void grow(struct group *g)
{
	size_t cap = g->items_cap ? g->items_cap * 2 : 64;
	struct group_item *items = hf_spare_calloc(cap, sizeof(*items));

	for (size_t i = 0; i < g->items_len; i++)
		items[i] = g->items[(g->items_head + i) % g->items_cap];
	free(g->items);
	g->items = items;
	g->items_cap = cap;
	g->items_head = 0;
}

struct group_item *group_push(struct group *g, int what, uint32_t dev)
{
	struct group_item *item;

	if (g->items_len == g->items_cap)
		grow(g);
	item = &g->items[(g->items_head + g->items_len++) % g->items_cap];
	*item = (struct group_item){.what = what, .dev = dev};
	return item;
}

static void dispatch(struct group *g, const struct group_item *item)
{
	switch (item->what) {
	case ITEM_PROPOSE:
	case ITEM_DRAINED:
	case ITEM_PERSISTED:
		group_dev_item(g, item);
		return;
	case ITEM_RANGE_ACQUIRE:
	case ITEM_RANGE_RELEASE:
	case ITEM_RANGE_DRAINED:
		group_range_item(g, item);
		return;
	case ITEM_DEV_REMOVED:
		group_dev_removed(g, item->dev);
		return;
	case ITEM_PICK:
	case ITEM_PICK_DONE:
		group_pick_item(g, item);
		return;
	case ITEM_FENCED:
		group_fence_done(g);
		return;
	case ITEM_FENCE_ENDED:
		group_fence_ended(g);
		return;
	case ITEM_CHECKED:
		group_fence_checked(g);
		group_view_consider(g);
		return;
	case ITEM_LOADED:
		group_view_loaded(g, item->result);
		return;
	case ITEM_VIEW_IO:
		group_view_io(g);
		return;
	}
}

static void begin(struct group *g)
{
	hf_assert(!g->running);
	g->running = true;
}

/* Handles what has arisen; called by whoever was not called from inside. */
static void end(struct group *g)
{
	while (!g->destroying && g->items_len) {
		struct group_item item = g->items[g->items_head];

		g->items_head = (g->items_head + 1) % g->items_cap;
		g->items_len--;
		dispatch(g, &item);
		if (!g->items_len)
			group_leave_if_idle(g);
	}
	g->running = false;
}

static void run(struct group *g)
{
	if (g->running)
		return; /* whoever runs will come to it */
	begin(g);
	end(g);
}

void group_send(struct group *g, struct hf_group_msg *m, const void *body, size_t body_len)
{
	int n;

	m->from = g->config.id;
	m->tag = g->tag;
	m->body_len = body_len;
	hf_assert(body_len <= HF_GROUP_BODY_MAX);
	if (!m->tag || g->step == GROUP_OUT)
		return; /* of a generation that is over */
	n = hf_group_msg_encode(m, g->out, HF_GROUP_MSG_MAX);
	hf_assert(n > 0);
	if (m->kind >= HF_GROUP_MSG_PROPOSE && m->kind <= HF_GROUP_MSG_SETTLED)
		g->counts.op_sent++;
	g->net->ops->send(g->net, g->out, (size_t)n, body, body_len);
	if (g->net->ops->backlog_bytes(g->net) > GROUP_BACKLOG_MAX)
		group_fall_out(g, "it cannot send as fast as it has to");
}

void group_say(struct group *g, enum hf_group_msg_kind kind)
{
	struct hf_group_msg m = {.kind = kind};

	group_send(g, &m, NULL, 0);
}

/* --- from the net --- */

void hf_group_members(struct hf_bus *bus, struct hf_group_proc self,
	const struct hf_group_proc *members, unsigned len)
{
	struct group *g = group_of(bus);

	begin(g);
	g->self = self;
	g->counts.up = true;
	group_view_members(g, members, len);
	end(g);
}

void hf_group_ring(struct hf_bus *bus, struct hf_group_ring ring)
{
	struct group *g = group_of(bus);

	begin(g);
	if (!hf_group_ring_equal(&g->ring, &ring)) {
		g->ring = ring;
		group_view_ring(g);
	}
	group_view_quorum(g);
	end(g);
}

void hf_group_quorum(struct hf_bus *bus, struct hf_group_ring ring, bool quorate)
{
	struct group *g = group_of(bus);

	begin(g);
	g->quorum_ring = ring;
	g->quorate = quorate && !g->undecided;
	group_view_quorum(g);
	end(g);
}

bool hf_group_stalls(struct hf_bus *bus, uint32_t ms)
{
	const struct group *g = group_of(bus);
	uint64_t needs = (uint64_t)ms + g->config.silence_ms;

	if (g->bound_ns >= needs * MS)
		return true;
	hf_warning("bus: corosync delivers nothing for up to %u ms when a node is lost (token and "
		   "consensus), and bound-ms is %llu: hosts of every controller may then lose "
		   "their connections; let bound-ms be at least %llu",
		ms, (unsigned long long)(g->bound_ns / MS), (unsigned long long)needs);
	return false;
}

void hf_group_two_node(struct hf_bus *bus, bool two_node)
{
	struct group *g = group_of(bus);
	bool before = g->undecided;

	g->undecided = two_node && g->config.gives_up;
	if (g->undecided && !before)
		hf_error("bus: corosync's two_node gives quorum to both halves, and leases do not "
			 "decide between two: this controller takes it for no quorum; use "
			 "bus = \"pair\", or a quorum device, or another fence driver");
}

bool hf_group_minds_two_node(const struct hf_bus *bus)
{
	return hf_container_of(bus, struct group, bus)->config.gives_up;
}

void hf_group_lost(struct hf_bus *bus, const char *why)
{
	struct group *g = group_of(bus);

	begin(g);
	g->counts.up = false;
	snprintf(g->lost, sizeof(g->lost), "%s", why);
	group_view_lost(g);
	end(g);
}

static void route(struct group *g, const struct hf_group_proc *from, const struct hf_group_msg *m)
{
	switch (m->kind) {
	case HF_GROUP_MSG_PROPOSE:
	case HF_GROUP_MSG_ACK:
	case HF_GROUP_MSG_NACK:
	case HF_GROUP_MSG_DROPPED:
	case HF_GROUP_MSG_SETTLED:
	case HF_GROUP_MSG_CUT:
		if (g->step == GROUP_ACTIVE)
			group_dev_receive(g, m);
		return;
	case HF_GROUP_MSG_COPY:
	case HF_GROUP_MSG_COPIED:
	case HF_GROUP_MSG_COPY_END:
		if (g->step == GROUP_ACTIVE)
			group_copy_receive(g, m);
		return;
	case HF_GROUP_MSG_RANGE_ASK:
	case HF_GROUP_MSG_RANGE_GRANT:
		if (g->step == GROUP_ACTIVE)
			group_range_receive(g, m);
		return;
	case HF_GROUP_MSG_RANGE_RELEASE: /* may come after its range was told of (RANGES) */
		group_range_receive(g, m);
		return;
	default:
		group_view_receive(g, from, m);
	}
}

void hf_group_deliver(struct hf_bus *bus, struct hf_group_proc from, const uint8_t *msg, size_t len)
{
	struct group *g = group_of(bus);
	struct hf_group_msg m;

	begin(g);
	if (hf_group_msg_decode(msg, len, &m) < 0)
		hf_warning(
			"bus: a message of node %u, process %u cannot be read; is that process a "
			"controller of this version?",
			from.node, from.pid);
	else if (m.kind == HF_GROUP_MSG_BEGIN || (m.tag == g->tag && g->step != GROUP_OUT)) {
		if (m.kind >= HF_GROUP_MSG_PROPOSE && m.kind <= HF_GROUP_MSG_SETTLED)
			g->counts.op_received++;
		route(g, &from, &m);
	}
	end(g);
}

/* --- from the owner --- */

static void op_propose(struct hf_bus *bus, struct hf_bus_prop *prop)
{
	struct group *g = group_of(bus);

	group_push(g, ITEM_PROPOSE, prop->dev)->prop = prop;
	run(g);
}

static void done(struct hf_bus *bus, int what, uint32_t dev, uint64_t n, int result)
{
	struct group *g = group_of(bus);
	struct group_item *item = group_push(g, what, dev);

	item->n = n;
	item->result = result;
	run(g);
}

static void op_drained(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	done(bus, ITEM_DRAINED, dev, n, result);
}

static void op_persisted(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	done(bus, ITEM_PERSISTED, dev, n, result);
}

static void op_range_drained(struct hf_bus *bus, uint32_t dev, uint64_t id)
{
	done(bus, ITEM_RANGE_DRAINED, dev, id, 0);
}

static void op_loaded(struct hf_bus *bus, int result)
{
	done(bus, ITEM_LOADED, 0, 0, result);
}

static void op_range_acquire(struct hf_bus *bus, struct hf_bus_range *range)
{
	struct group *g = group_of(bus);

	group_push(g, ITEM_RANGE_ACQUIRE, range->dev)->range = range;
	run(g);
}

static void op_range_release(struct hf_bus *bus, struct hf_bus_range *range)
{
	struct group *g = group_of(bus);

	group_push(g, ITEM_RANGE_RELEASE, range->dev)->range = range;
	run(g);
}

/* The group keeps its own order: nobody is dominant. */
static void op_dev_add(struct hf_bus *bus, uint32_t dev, bool dominant)
{
	hf_assert(group_dev_add(group_of(bus), dev) == 0); /* limits.h bounds how many there are */
}

static void op_dev_remove(struct hf_bus *bus, uint32_t dev)
{
	struct group *g = group_of(bus);
	struct group_dev *d = group_dev_find(g, dev);

	if (!d)
		return;
	d->mode = GROUP_DEV_REMOVED; /* nothing looks at it any more */
	group_push(g, ITEM_DEV_REMOVED, dev);
	run(g);
}

static void op_view_io_done(struct hf_bus *bus, const uint8_t *record, int result)
{
	struct group *g = group_of(bus);

	g->read_result = result;
	g->read_record = (struct hf_view_record){0};
	if (result > 0 && hf_view_record_decode(record, (size_t)result, &g->read_record) < 0)
		g->read_result = -EBADMSG;
	group_push(g, ITEM_VIEW_IO, 0);
	run(g);
}

static int op_peer_down(struct hf_bus *bus, char *message, size_t len)
{
	struct group *g = group_of(bus);
	uint32_t falling = group_plan_falling(g);
	char ids[64];

	if (!g->live || g->step != GROUP_FROZEN || !g->absent) {
		snprintf(message, len,
			"no controller of the view is missing here: %.200s; nothing to declare "
			"down",
			g->bus.view.why);
		return -EINVAL;
	}
	if (group_denied(g)) {
		snprintf(message, len,
			"this part of the cluster has no quorum: the others may be going on "
			"without it. "
			"Mend corosync first (corosync-quorumtool -s)");
		return -EPERM;
	}
	if (falling) {
		group_names(falling, ids, sizeof(ids));
		snprintf(message, len,
			"controller %s is not down: it is back, and drops an old state by itself; "
			"if it does not within seconds, end its daemon and say this again",
			ids);
		return -EBUSY;
	}
	group_say(g, HF_GROUP_MSG_WORD);
	group_names(g->absent, ids, sizeof(ids));
	snprintf(message, len,
		"taken as the operator's word: controller %s is down; `holdfast status` shows when "
		"the others go on",
		ids);
	return 0;
}

static int op_go_alone(struct hf_bus *bus, bool may_lose, char *message, size_t len)
{
	struct group *g = group_of(bus);
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_WORD, .flag = may_lose};

	if (!g->live && g->step != GROUP_WAIT && g->start_posted) { /* on the command line */
		g->word_wanted = true;
		g->word_may_lose = may_lose;
		return 0;
	}
	if (g->live || g->step != GROUP_WAIT) {
		snprintf(message, len,
			"nothing waits for this word here: %.200s; with the bus corosync a part "
			"with "
			"quorum goes on by itself, one without it does not go on at all",
			g->bus.view.why);
		return -EINVAL;
	}
	if (!may_lose && !g->absent) {
		snprintf(message, len, "this word would end nothing here: %.200s", g->bus.view.why);
		return -EINVAL;
	}
	if (!may_lose && (g->record_error || (g->absent && !(g->record.members & g->present)))) {
		snprintf(message, len,
			"the view record does not name any controller that is here, or cannot be "
			"read: "
			"reservations may be lost; start the others, or say it with --may-lose");
		return -EPERM;
	}
	group_send(g, &m, NULL, 0);
	snprintf(message, len, "the missing controllers are declared down");
	return 0;
}

static int op_discard(struct hf_bus *bus, char *message, size_t len)
{
	snprintf(message, len,
		"with the bus corosync a controller whose state does not count drops it by itself");
	return -EINVAL;
}

static void op_pick(struct hf_bus *bus, struct hf_bus_pick *pick)
{
	struct group *g = group_of(bus);

	group_push(g, ITEM_PICK, pick->dev)->pick = pick;
	run(g);
}

static void op_pick_done(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	done(bus, ITEM_PICK_DONE, dev, n, result);
}

static void op_fenced(struct hf_bus *bus, int result, const char *why)
{
	struct group *g = group_of(bus);

	g->fence_result = result;
	snprintf(g->fence_why, sizeof(g->fence_why), "%s", why);
	group_push(g, ITEM_FENCED, 0);
	run(g);
}

static void op_fence_ended(struct hf_bus *bus)
{
	group_push(group_of(bus), ITEM_FENCE_ENDED, 0);
	run(group_of(bus));
}

static void op_checked(struct hf_bus *bus)
{
	group_push(group_of(bus), ITEM_CHECKED, 0);
	run(group_of(bus));
}

static void op_clean(struct hf_bus *bus)
{
	group_of(bus)->clean = true; /* the next tick goes on */
}

static void op_leave(struct hf_bus *bus, void (*left)(void *arg), void *arg)
{
	struct group *g = group_of(bus);

	hf_assert(!g->leave_wanted);
	g->leave_wanted = true;
	g->leave_by_ns = group_now(g) + 2 * g->bound_ns + 2000 * MS;
	g->left = left;
	g->left_arg = arg;
	if (g->running)
		return;
	begin(g);
	group_leave_if_idle(g);
	end(g);
}

static void op_counts(const struct hf_bus *bus, struct hf_bus_counts *ret)
{
	*ret = hf_container_of(bus, struct group, bus)->counts;
}

/* --- time --- */

static void tick_fire(struct hf_timer *t)
{
	struct group *g = hf_container_of(t, struct group, tick);

	hf_timer_arm(g->loop, &g->tick, group_now(g) + GROUP_TICK_MS * MS);
	begin(g);
	g->ticks++;
	group_dev_each(g, group_dev_tick, NULL);
	group_view_tick(g);
	group_copy_advance(g);
	group_leave_if_idle(g);
	end(g);
}

static void start_run(struct hf_msg *msg)
{
	struct group *g = hf_container_of(msg, struct group, start_msg);

	g->start_posted = false;
	if (g->destroying)
		return;
	hf_timer_arm(g->loop, &g->tick, group_now(g) + GROUP_TICK_MS * MS);
	begin(g);
	group_view_show(g);
	end(g);
	g->net->ops->join(g->net);
}

/* --- creation --- */

static void free_group(struct group *g)
{
	group_dev_free_all(g);
	free(g->snapshot);
	free(g->out);
	free(g->items);
	free(g);
}

static void op_destroy(struct hf_bus *bus)
{
	struct group *g = group_of(bus);

	hf_assert(!g->running);
	g->destroying = true;
	hf_timer_cancel(g->loop, &g->tick);
	while (g->start_posted && hf_loop_run_once(g->loop, false) == 0)
		;
	g->net->ops->destroy(g->net);
	free_group(g);
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
	.view_io_done = op_view_io_done,
	.peer_down = op_peer_down,
	.go_alone = op_go_alone,
	.discard = op_discard,
	.pick = op_pick,
	.pick_done = op_pick_done,
	.fenced = op_fenced,
	.fence_ended = op_fence_ended,
	.checked = op_checked,
	.clean = op_clean,
	.leave = op_leave,
	.counts = op_counts,
	.destroy = op_destroy,
};

int hf_bus_group_create(const struct hf_bus_group_config *cfg, struct hf_loop *control,
	struct hf_group_net *net, const struct hf_bus_owner_ops *ops, void *owner,
	struct hf_bus **ret, char *message, size_t len)
{
	struct group *g = calloc(1, sizeof(*g));

	if (g) {
		g->snapshot = malloc(GROUP_SNAPSHOT_MAX);
		g->out = malloc(HF_GROUP_MSG_MAX);
	}
	if (!g || !g->snapshot || !g->out) {
		snprintf(message, len, "out of memory");
		if (g)
			free_group(g);
		return -ENOMEM;
	}
	g->config = *cfg;
	g->bound_ns = (cfg->bound_ms ? cfg->bound_ms : 2500) * MS;
	g->bus = (struct hf_bus){.ops = &bus_ops, .owner_ops = ops, .owner = owner};
	/* Long over, until the first beat is back. */
	atomic_init(&g->bus.valid_until_ns, cfg->silence_ms ? 1 : HF_BUS_VALID_FOR_EVER);
	g->loop = control;
	g->net = net;
	hf_hello_init(&g->hello);
	memcpy(g->hello.cluster, cfg->cluster, sizeof(g->hello.cluster));
	g->hello.id = cfg->id;
	g->hello.incarnation = cfg->incarnation;
	g->hello.config_digest = cfg->config_digest;
	g->hello.stream = 1; /* a group has no streams */
	hf_list_init(&g->orphans);
	hf_timer_init(&g->tick, tick_fire);
	snprintf(g->lost, sizeof(g->lost), "the group has not been joined yet");
	g->start_msg.run = start_run;
	g->start_posted = true;
	hf_loop_post(control, &g->start_msg);
	*ret = &g->bus;
	return 0;
}
