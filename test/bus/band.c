/* SPDX-License-Identifier: BSD-3-Clause */
/* The engines of band.h: their bus and their owner. */
#include "band.h"

#include "bytes.h"
#include "checksum.h"
#include "group_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct band band;

uint32_t band_random(uint32_t below)
{
	band.seed = band.seed * 6364136223846793005ull + 1442695040888963407ull;
	return below ? (uint32_t)(band.seed >> 33) % below : 0;
}

/* HF_TRACE=1 in the environment: what happens, a line each. */
#define TRACE(o, ...)                                                                              \
	do {                                                                                       \
		if (band.trace) {                                                                  \
			fprintf(stderr, "%8llu  %u: ",                                             \
				(unsigned long long)hf_loop_now_ns(band.loop) / 1000000,           \
				(o)->index + 1);                                                   \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
		}                                                                                  \
	} while (0)

/* --- the owner --- */

static struct band_dev *dev_of(void *owner, uint32_t dev)
{
	assert_true(dev < BAND_DEVS);
	return &((struct band_node *)owner)->devs[dev];
}

static enum hf_bus_look own_look(void *owner, uint32_t dev, const void *op, size_t len)
{
	const struct band_dev *d = dev_of(owner, dev);
	const struct band_op *p = op;
	bool change;

	assert_int_equal(len, sizeof(*p));
	assert_false(d->held); /* W4: never while something is pending */
	change = p->kind & BAND_RESERVE ? d->holder == 0 : d->holder == p->host;
	if (!change)
		return HF_BUS_LOOK_ANSWER;
	return p->kind & BAND_PERSIST ? HF_BUS_LOOK_CHANGE_PERSIST : HF_BUS_LOOK_CHANGE;
}

static uint64_t digest_of(const struct band_dev *d)
{
	return hf_digest64(d->chain, &d->holder, 1);
}

/* Who leaves has closed its ports before. */
static bool serves(const struct band_node *o)
{
	return o->bus && !o->left &&
	       (o->view.state == HF_VIEW_TOGETHER || o->view.state == HF_VIEW_FROZEN ||
		       o->view.state == HF_VIEW_ALONE);
}

static uint64_t own_digest(void *owner, uint32_t dev)
{
	return digest_of(dev_of(owner, dev));
}

static void drain(struct band_node *o, uint32_t dev)
{
	struct band_dev *d = &o->devs[dev];

	d->drain_due = false;
	hf_bus_drained(o->bus, dev, d->n + 1, o->fail_drain ? -EIO : 0);
}

static void own_hold(void *owner, uint32_t dev, uint64_t n, const void *op, size_t len, bool mine)
{
	struct band_node *o = owner;
	struct band_dev *d = dev_of(o, dev);

	assert_false(d->held);
	assert_int_equal(n, d->n + 1);
	d->held = true;
	memcpy(&d->op, op, len);
	TRACE(o, "device %u: holds op %u as %llu", dev, d->op.id, (unsigned long long)n);
	d->drain_due = true;
	if (!o->keep_drain && band_random(2))
		drain(o, dev);
}

/* What waits for an op is let in by the old state when it is let go: not while another has the new.
 */
static void check_old_state_is_in_force(const struct band_node *o, uint32_t dev, uint64_t n)
{
	for (unsigned i = 0; i < band.len && serves(o) && !band.no_check; i++)
		if (serves(&band.nodes[i]) && band.nodes[i].devs[dev].n >= n)
			fail_msg("device %u: %u lets go of %llu, which %u has applied", dev,
				o->index + 1, (unsigned long long)n, i + 1);
}

static void own_unhold(void *owner, uint32_t dev, uint64_t n)
{
	struct band_dev *d = dev_of(owner, dev);

	assert_true(d->held && n == d->n + 1);
	check_old_state_is_in_force(owner, dev, n);
	d->let_go = band.steps;
	TRACE((struct band_node *)owner, "device %u: lets go of op %u", dev, d->op.id);
	d->held = d->drain_due = d->persist_due = false;
}

static void own_persist(void *owner, uint32_t dev, uint64_t n)
{
	struct band_dev *d = dev_of(owner, dev);

	assert_true(d->held && !d->drain_due);
	d->persist_due = true;
}

/* Total, as the reservation machine is: an op that is refused changes nothing. */
static void apply_op(struct band_dev *d)
{
	if (d->op.kind & BAND_RESERVE && !d->holder)
		d->holder = d->op.host;
	else if (!(d->op.kind & BAND_RESERVE) && d->holder == d->op.host)
		d->holder = 0;
	d->chain = hf_digest64(d->chain, &d->op, sizeof(d->op));
	d->n++;
}

static void follow_pool(struct band_node *o)
{
	if (band.made && o->devs[HF_BUS_DEV_POOL].holder)
		o->bus->ops->dev_add(o->bus, band.made, false);
}

static void own_apply(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	struct band_dev *d = dev_of(owner, dev);

	assert_true(d->held && !d->drain_due && n == d->n + 1);
	if (d->op.kind & BAND_PERSIST) /* INV-6: on the disks before anybody has it in force */
		assert_true(band.slots[dev].n >= n);
	d->held = false;
	apply_op(d);
	TRACE((struct band_node *)owner, "device %u: applies op %u as %llu", dev, d->op.id,
		(unsigned long long)n);
	if (d->op.id < BAND_HISTORY)
		band.applied[d->op.id]++;
	if (dev == HF_BUS_DEV_POOL)
		follow_pool(owner);
}

static void own_answer(void *owner, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	struct band_cmd *c = hf_container_of(prop, struct band_cmd, prop);
	const struct band_dev *d = dev_of(owner, prop->dev);

	assert_false(c->answered); /* INV-7 */
	c->answered = true;
	c->how = how;
	TRACE(c->node, "op %u: answer %d", c->op.id, how);
	if (how == HF_BUS_ANSWER_APPLIED)
		assert_true(d->op.id == c->op.id);
	if (how == HF_BUS_ANSWER_LOOK)
		c->conflict = c->op.kind & BAND_RESERVE && d->holder != c->op.host;
}

static void own_doubt(void *owner, struct hf_bus_prop *prop)
{
	hf_container_of(prop, struct band_cmd, prop)->doubted = true;
	((struct band_node *)owner)->doubts++;
}

static void own_stopped(void *owner, uint32_t dev, const char *why)
{
	((struct band_node *)owner)->stops++;
	/* What waits would have been let in. */
	assert_true(!band.steps || dev_of(owner, dev)->let_go != band.steps);
}

static void own_pick(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	struct band_node *o = owner;

	assert_true(mine);
	o->pick_n = n;
	if (!o->keep_pick)
		o->bus->ops->pick_done(o->bus, dev, n, 0);
}

static void own_resumed(void *owner, uint32_t dev)
{
	struct band_node *o = owner;

	assert_true(o->stops > o->resumes);
	o->resumes++;
}

static void own_range_hold(void *owner, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks)
{
	struct band_node *o = owner;

	for (unsigned i = 0; i < o->ranges_len; i++)
		assert_true(o->ranges[i].dev != dev ||
			    lba >= o->ranges[i].lba + o->ranges[i].blocks ||
			    o->ranges[i].lba >= lba + blocks);
	assert_true(o->ranges_len < HF_ARRAY_LEN(o->ranges));
	o->ranges[o->ranges_len].dev = dev;
	o->ranges[o->ranges_len].id = id;
	o->ranges[o->ranges_len].lba = lba;
	o->ranges[o->ranges_len++].blocks = blocks;
	hf_bus_range_drained(o->bus, dev, id);
}

static void own_range_unhold(void *owner, uint32_t dev, uint64_t id)
{
	struct band_node *o = owner;

	for (unsigned i = 0; i < o->ranges_len; i++) {
		if (o->ranges[i].id == id) {
			o->ranges[i] = o->ranges[--o->ranges_len];
			return;
		}
	}
	fail_msg("a range is let go that is not held");
}

static void own_range_doubt(void *owner, uint32_t dev, uint64_t id)
{
}

static uint32_t own_next_dev(void *owner, uint32_t after)
{
	return after + 1 < BAND_DEVS ? after + 1 : UINT32_MAX;
}

static int own_snapshot(void *owner, uint32_t dev, uint8_t *buf, size_t cap)
{
	const struct band_dev *d = dev_of(owner, dev);

	assert_false(d->held);
	assert_true(cap >= 40000);
	memset(buf, 0x5a, 40000); /* several pieces */
	buf[0] = d->holder;
	hf_put_be64(buf + 1, d->n);
	hf_put_be64(buf + 9, d->chain);
	return 40000;
}

static int own_install(void *owner, uint32_t dev, const uint8_t *buf, size_t len)
{
	struct band_dev *d = dev_of(owner, dev);

	assert_int_equal(len, 40000);
	assert_false(d->held);
	d->holder = buf[0];
	d->n = hf_get_be64(buf + 1);
	d->chain = hf_get_be64(buf + 9);
	if (dev == HF_BUS_DEV_POOL)
		follow_pool(owner);
	return 0;
}

static void end_load(struct band_node *o)
{
	o->load_due = false;
	/* All memory is lost: what is not on the disks is gone, and counting begins anew. */
	for (unsigned i = 0; i < BAND_DEVS && o->load_drops == o->drops; i++) {
		band.settled[i] = band.slots[i].n = 0;
		o->devs[i].holder = band.slots[i].holder;
		o->devs[i].chain = band.slots[i].chain;
	}
	o->bus->ops->loaded(o->bus, 0);
}

static void own_load(void *owner)
{
	struct band_node *o = owner;

	band.loads++;
	o->load_drops = o->drops;
	o->load_due = o->keep_load;
	if (!o->load_due)
		end_load(o);
}

static void own_drop(void *owner)
{
	struct band_node *o = owner;

	o->drops++;
	for (unsigned i = 0; i < BAND_DEVS; i++) {
		assert_false(o->devs[i].held);
		o->devs[i] = (struct band_dev){0};
	}
}

static void land_record(const struct band_node *o)
{
	if (band.record.fail)
		return;
	memcpy(band.record.bytes, o->record_on_its_way, (size_t)o->record_on_its_way_len);
	band.record.len = o->record_on_its_way_len;
}

static void end_record_io(struct band_node *o)
{
	int result = o->record_io_writes ? (band.record.fail ? -EIO : 0) : band.record.len;

	if (!o->record_io_writes && band.record.unreadable)
		result = -EIO;
	o->record_io_due = false;
	if (o->record_io_writes && (o->late_record_write || band.slow_records))
		land_record(o);
	o->bus->ops->view_io_done(o->bus, o->record_io_writes ? NULL : band.record.bytes, result);
}

static void own_view_read(void *owner)
{
	struct band_node *o = owner;

	o->record_io_writes = false;
	o->record_io_due = o->keep_record_read || band.slow_records;
	if (!o->record_io_due)
		end_record_io(o);
}

static void own_view_write(void *owner, const uint8_t *record, size_t len)
{
	struct band_node *o = owner;

	memcpy(o->record_on_its_way, record, len);
	o->record_on_its_way_len = (int)len;
	if (!o->late_record_write && !band.slow_records)
		land_record(o);
	o->record_io_writes = true;
	o->record_io_due = o->keep_record_write || band.slow_records;
	if (!o->record_io_due)
		end_record_io(o);
}

/* What has been said of an epoch stays on the disks: nothing is served in it any more. */
static void keep_word(struct band_node *o)
{
	const struct hf_view *v = &o->view;

	if (v->state == HF_VIEW_OUT)
		o->gave_up = HF_MAX(o->gave_up, v->epoch);
	if (v->state == HF_VIEW_TOGETHER || v->state == HF_VIEW_FROZEN || v->state == HF_VIEW_ALONE)
		assert_true(v->epoch > o->gave_up);
}

static void own_view_changed(void *owner, const struct hf_view *view)
{
	TRACE((struct band_node *)owner, "view %d, epoch %llu, members %x: %s", view->state,
		(unsigned long long)view->epoch, view->members, view->why);
	((struct band_node *)owner)->view = *view;
	((struct band_node *)owner)->views++;
	if (band.gives_up)
		keep_word(owner);
	if (view->state != HF_VIEW_OUT)
		return;
	((struct band_node *)owner)->outs++;
	if (band.on_out)
		band.on_out(owner);
	if (!((struct band_node *)owner)->keep_clean)
		((struct band_node *)owner)->bus->ops->clean(((struct band_node *)owner)->bus);
}

static void own_fence_ids(void *owner, uint64_t epoch, uint32_t ids, const uint64_t *incarnations)
{
	struct band_node *o = owner;

	for (unsigned i = 1; i <= BAND_MAX; i++)
		assert_true(!(ids >> i & 1) || incarnations[i]);
	o->fence_due = ids;
	o->fence_epoch = epoch;
	o->fences++;
}

static bool own_fence_end(void *owner)
{
	struct band_node *o = owner;

	o->fence_due = 0;
	o->fence_end_due |= band.slow_fences && band_random(2);
	return !o->fence_slow && !o->fence_end_due;
}

static void own_check(void *owner)
{
	struct band_node *o = owner;

	o->checks++;
	if (band.slow_fences)
		o->check_due = true;
	else if (!o->keep_check)
		o->bus->ops->checked(o->bus);
}

const struct hf_bus_owner_ops band_owner_ops = {
	.look = own_look,
	.digest = own_digest,
	.hold = own_hold,
	.unhold = own_unhold,
	.persist = own_persist,
	.apply = own_apply,
	.answer = own_answer,
	.doubt = own_doubt,
	.stopped = own_stopped,
	.pick = own_pick,
	.resumed = own_resumed,
	.range_hold = own_range_hold,
	.range_unhold = own_range_unhold,
	.range_doubt = own_range_doubt,
	.next_dev = own_next_dev,
	.snapshot = own_snapshot,
	.install = own_install,
	.load = own_load,
	.drop = own_drop,
	.view_read = own_view_read,
	.view_write = own_view_write,
	.view_changed = own_view_changed,
	.fence_ids = own_fence_ids,
	.fence_end = own_fence_end,
	.check = own_check,
};

/* --- queues --- */

static struct band_event *push(struct band_queue *q)
{
	if (q->head + q->len == q->cap) {
		if (q->len) /* before the first there is no memory */
			memmove(q->at, q->at + q->head, q->len * sizeof(*q->at));
		q->head = 0;
		if (q->len == q->cap) {
			q->cap = q->cap ? 2 * q->cap : 64;
			q->at = realloc(q->at, q->cap * sizeof(*q->at));
			assert_non_null(q->at);
		}
	}
	memset(&q->at[q->head + q->len], 0, sizeof(*q->at));
	return &q->at[q->head + q->len++];
}

static void clear(struct band_queue *q)
{
	while (q->len) {
		free(q->at[q->head++].bytes);
		q->len--;
	}
	q->head = 0;
}

/* --- the bus --- */

static struct hf_group_proc proc_of(const struct band_node *o)
{
	return (struct hf_group_proc){o->index + 1, o->pid};
}

static bool same_part(const struct band_node *a, const struct band_node *b)
{
	return a->part == b->part;
}

/* The network of a part: the ring that its nodes are in, whether controllers run there or not. */
static bool part_is_quorate(unsigned part)
{
	unsigned votes = 0;

	for (unsigned i = 0; i < band.len; i++)
		votes += band.nodes[i].part == part;
	return votes >= (band.quorum ? band.quorum : band.len / 2 + 1);
}

/* The members of a part have changed; ring: its network, too. */
static void tell_members(unsigned part, bool ring)
{
	struct hf_group_ring r = {0};
	struct band_event e = {.what = BAND_MEMBERS};

	for (unsigned i = 0; i < band.len; i++)
		if (band.nodes[i].part == part && band.nodes[i].joined)
			e.members[e.len++] = proc_of(&band.nodes[i]);
	if (ring)
		r = (struct hf_group_ring){part + 1, ++band.ring_seq};
	for (unsigned i = 0; i < band.len; i++) {
		struct band_node *o = &band.nodes[i];

		if (o->part != part)
			continue;
		if (ring) {
			o->ring = r;
			o->quorum_due = true;
		}
		e.ring = o->ring;
		e.seq = ++band.msg_seq;
		if (o->joined)
			*push(&o->in) = e;
	}
}

static void net_join(struct hf_group_net *net)
{
	struct band_node *o = hf_container_of(net, struct band_node, net);

	o->joined = true;
	o->told_ring = 0;
	o->quorum_due = true;
	tell_members(o->part, false);
}

static void net_leave(struct hf_group_net *net)
{
	struct band_node *o = hf_container_of(net, struct band_node, net);

	o->joined = o->rejoin_due = false;
	o->backlog = 0;
	clear(&o->in);
	clear(&o->out);
	tell_members(o->part, false);
}

static void net_send(struct hf_group_net *net, const void *head, size_t head_len, const void *body,
	size_t body_len)
{
	struct band_node *o = hf_container_of(net, struct band_node, net);
	struct band_event *e = push(&o->out);

	e->from = proc_of(o);
	e->len = (unsigned)(head_len + body_len);
	e->bytes = malloc(e->len);
	assert_non_null(e->bytes);
	memcpy(e->bytes, head, head_len);
	if (body_len)
		memcpy(e->bytes + head_len, body, body_len);
}

static size_t net_backlog(const struct hf_group_net *net)
{
	return hf_container_of(net, struct band_node, net)->backlog;
}

static void net_destroy(struct hf_group_net *net)
{
}

static const struct hf_group_net_ops net_ops = {
	.join = net_join,
	.leave = net_leave,
	.send = net_send,
	.backlog_bytes = net_backlog,
	.destroy = net_destroy,
};

/* The first message of a sender gets its place in the order of its part. */
static void order(struct band_node *o)
{
	struct band_event e = o->out.at[o->out.head++];

	o->out.len--;
	e.seq = ++band.msg_seq;
	for (unsigned i = 0; i < band.len; i++) {
		struct band_node *to = &band.nodes[i];
		struct band_event *copy;

		if (!to->joined || !same_part(o, to))
			continue;
		copy = push(&to->in);
		*copy = e;
		copy->bytes = malloc(e.len);
		assert_non_null(copy->bytes);
		memcpy(copy->bytes, e.bytes, e.len);
	}
	free(e.bytes);
}

static void deliver(struct band_node *o)
{
	struct band_event e = o->in.at[o->in.head++];

	o->in.len--;
	o->delivered = e.seq;
	if (e.what == BAND_MSG) {
		struct hf_group_msg m;

		if (band.trace && hf_group_msg_decode(e.bytes, e.len, &m) == 0)
			TRACE(o, "<- %u %s device %u turn %llu tag %04x", m.from,
				hf_group_msg_name(m.kind), m.dev, (unsigned long long)m.turn,
				(unsigned)m.tag & 0xffff);
		/* Kept within its own memory, so that a reader past the end is noticed. */
		hf_group_deliver(o->bus, e.from, e.bytes, e.len);
		free(e.bytes);
		return;
	}
	if (e.what == BAND_RING) {
		TRACE(o, "ring %llu", (unsigned long long)e.ring.seq);
		hf_group_ring(o->bus, e.ring);
		o->told_ring = e.ring.seq;
		return;
	}
	TRACE(o, "members: %u, ring %llu", e.len, (unsigned long long)e.ring.seq);
	hf_group_members(o->bus, proc_of(o), e.members, e.len);
	/* Of a ring that is as it was nothing is said: a process has joined, or gone. */
	if (o->told_ring != e.ring.seq)
		hf_group_ring(o->bus, e.ring);
	o->told_ring = e.ring.seq;
}

/*
 * The network changes. In each new part, what one has delivered all deliver; of what nobody there
 * has, and comes from another part, all from some point on is lost for all of them. What they have
 * sent themselves they deliver, also behind such a gap.
 */
void band_parts(const unsigned *part)
{
	unsigned old[BAND_MAX];

	for (unsigned i = 0; i < band.len; i++)
		old[i] = band.nodes[i].part;
	for (unsigned p = 0; p < BAND_MAX; p++) {
		uint64_t known = 0, lost;

		for (unsigned i = 0; i < band.len; i++)
			if (part[i] == p && band.nodes[i].joined)
				known = HF_MAX(known, band.nodes[i].delivered);
		lost = known + band_random((uint32_t)(band.msg_seq - known) + 2);
		for (unsigned i = 0; i < band.len && band.lossy; i++) {
			struct band_queue *q = &band.nodes[i].in;
			size_t to = q->head, n = q->len;

			if (part[i] != p)
				continue;
			for (size_t at = q->head; at < q->head + n; at++) {
				struct band_event *e = &q->at[at];

				if (e->what == BAND_MSG && e->seq > lost &&
					part[e->from.node - 1] != p) {
					free(e->bytes);
					q->len--;
				} else {
					q->at[to++] = *e;
				}
			}
		}
	}
	for (unsigned i = 0; i < band.len; i++)
		band.nodes[i].part = part[i];
	for (unsigned p = 0; p < BAND_MAX; p++) {
		bool changed = false, any = false;

		for (unsigned i = 0; i < band.len; i++) {
			any |= part[i] == p;
			for (unsigned j = 0; j < band.len; j++)
				changed |= (part[i] == p || old[i] == p) &&
					   ((part[i] == part[j]) != (old[i] == old[j]));
		}
		if (any && changed)
			tell_members(p, true);
	}
}

void band_cut_off(unsigned index)
{
	unsigned part[BAND_MAX] = {0};

	part[index] = 1;
	band_parts(part);
}

void band_heal(void)
{
	unsigned part[BAND_MAX] = {0};

	band_parts(part);
}

/* Of the messages from `index`, or of those from all others, what comes after that is lost. */
static void lose_from(struct band_node *o, unsigned index, bool others, uint64_t known)
{
	struct band_queue *q = &o->in;
	size_t to = q->head, n = q->len;

	for (size_t at = q->head; at < q->head + n; at++) {
		struct band_event *e = &q->at[at];

		if (e->what == BAND_MSG && e->seq > known &&
			(e->from.node - 1 == index) != others) {
			free(e->bytes);
			q->len--;
		} else {
			q->at[to++] = *e;
		}
	}
}

void band_flap(unsigned index)
{
	struct hf_group_ring all = {1, band.ring_seq += 2};
	struct band_event e = {
		.what = BAND_MEMBERS, .ring = {index + 1, all.seq - 1}, .seq = ++band.msg_seq};
	uint64_t known = 0;

	for (unsigned i = 0; i < band.len; i++)
		if (i != index)
			known = HF_MAX(known, band.nodes[i].delivered);
	for (unsigned i = 0; i < band.len; i++)
		lose_from(&band.nodes[i], index, i == index, i == index ? 0 : known);
	e.members[e.len++] = proc_of(&band.nodes[index]);
	*push(&band.nodes[index].in) = e;
	for (unsigned i = e.len = 0; i < band.len; i++)
		e.members[e.len++] = proc_of(&band.nodes[i]);
	e.ring = all;
	e.seq = ++band.msg_seq;
	for (unsigned i = 0; i < band.len; i++) {
		e.what = i == index ? BAND_MEMBERS : BAND_RING;
		band.nodes[i].ring = all;
		band.nodes[i].quorum_due = true;
		*push(&band.nodes[i].in) = e;
	}
}

void band_lost(unsigned index)
{
	struct band_node *o = &band.nodes[index];

	if (!o->joined)
		return;
	o->joined = o->quorum_due = false;
	clear(&o->in);
	clear(&o->out);
	tell_members(o->part, true);
	o->told_ring = 0;
	o->rejoin_due = true;
	hf_group_lost(o->bus, "corosync has ended");
}

/* --- life --- */

void band_start(unsigned index)
{
	struct band_node *o = &band.nodes[index];
	struct hf_bus_group_config c = {.id = (uint8_t)(index + 1),
		/* As if drawn: the numbers of generations are made of it, and must not meet. */
		.incarnation = ++band.incarnation * 0x9e3779b97f4a7c15,
		.config_digest = 7,
		.fence = band.fence,
		.gives_up = band.gives_up,
		.silence_ms = band.silence_ms,
		.bound_ms = 1000};
	char message[200];

	assert_null(o->bus);
	for (unsigned i = 0; i < BAND_DEVS; i++)
		o->devs[i] = (struct band_dev){0};
	o->ranges_len = 0;
	o->pid = (uint32_t)band.incarnation;
	o->net.ops = &net_ops;
	o->left = false;
	o->fence_due = 0;
	o->fence_slow = o->keep_check = o->fence_end_due = o->check_due = false;
	o->keep_load = o->keep_record_read = o->keep_record_write = false;
	o->load_due = o->record_io_due = o->late_record_write = false;
	o->delivered = o->gave_up = 0;
	o->checks = 0;
	o->index = index;
	memset(&o->view, 0, sizeof(o->view));
	assert_int_equal(hf_bus_group_create(&c, band.loop, &o->net,
				 band.owner_ops ? band.owner_ops : &band_owner_ops, o, &o->bus,
				 message, sizeof(message)),
		0);
	for (uint32_t i = 0; i < BAND_DEVS; i++)
		if (!(band.deleted >> i & 1))
			o->bus->ops->dev_add(o->bus, i, false);
}

void band_kill(unsigned index)
{
	struct band_node *o = &band.nodes[index];
	struct hf_bus *bus = o->bus;

	assert_non_null(bus);
	TRACE(o, "killed");
	if (band.on_kill)
		band.on_kill(o);
	bus->ops->destroy(bus);
	o->bus = NULL;
	o->rejoin_due = false;
	if (o->joined)
		net_leave(&o->net);
}

void band_set_up(unsigned len, uint64_t seed)
{
	memset(&band, 0, sizeof(band));
	band.len = len;
	band.seed = seed;
	band.trace = getenv("HF_TRACE") != NULL;
	assert_int_equal(hf_loop_create(0, NULL, &band.loop), 0);
	for (unsigned i = 0; i < len; i++) {
		band.nodes[i].index = i;
		band.nodes[i].ring = (struct hf_group_ring){1, 1};
	}
	band.ring_seq = 1;
}

void band_tear_down(void)
{
	for (unsigned i = 0; i < band.len; i++) {
		if (band.nodes[i].bus)
			band_kill(i);
		clear(&band.nodes[i].in);
		free(band.nodes[i].in.at);
		free(band.nodes[i].out.at);
	}
	hf_loop_destroy(band.loop);
}

static void tell_quorum(struct band_node *o)
{
	o->quorum_due = false;
	TRACE(o, "quorum: %d, ring %llu", part_is_quorate(o->part),
		(unsigned long long)o->ring.seq);
	hf_group_two_node(o->bus, band.two_node);
	hf_group_quorum(o->bus, o->ring, part_is_quorate(o->part));
}

static bool lease_is_over(const struct band_node *o)
{
	for (unsigned i = 0; i < band.len; i++)
		if ((o->fence_due >> (i + 1) & 1) && band.nodes[i].bus &&
			band.nodes[i].gave_up < o->fence_epoch)
			return false;
	return true;
}

static bool fence_ends(const struct band_node *o)
{
	return o->fence_due && !band.fence_hangs &&
	       (!band.lease_rules || band.fence_fails || lease_is_over(o));
}

static void run_agent(struct band_node *o)
{
	uint32_t ids = o->fence_due;

	o->fence_due = 0;
	for (unsigned i = 0; i < band.len && !band.fence_fails; i++) {
		if (!(ids >> (i + 1) & 1))
			continue;
		band.fenced++;
		if (band.nodes[i].bus && !band.fence_spares && !band.lease_rules)
			band_kill(i);
	}
	o->bus->ops->fenced(o->bus, band.fence_fails ? -EIO : 0, "the agent");
}

static void finish_persist(struct band_node *o, uint32_t dev)
{
	struct band_dev after = o->devs[dev];

	o->devs[dev].persist_due = false;
	if (!o->fail_persist) {
		apply_op(&after);
		band.slots[dev].n = after.n;
		band.slots[dev].chain = after.chain;
		band.slots[dev].holder = after.holder;
	}
	hf_bus_persisted(
		o->bus, dev, after.n + (o->fail_persist ? 1 : 0), o->fail_persist ? -EIO : 0);
}

/* The i-th thing that could happen now; counts them when i is past the end. */
static unsigned happen(unsigned which)
{
	unsigned n = 0;

	for (unsigned i = 0; i < band.len; i++) {
		struct band_node *o = &band.nodes[i];

		if (!o->bus || o->deaf)
			continue;
		if (o->out.len && n++ == which)
			return order(o), n;
		if (o->in.len && n++ == which)
			return deliver(o), n;
		if (o->quorum_due && o->joined && n++ == which)
			return tell_quorum(o), n;
		if (fence_ends(o) && n++ == which)
			return run_agent(o), n;
		if (o->fence_end_due && n++ == which) {
			o->fence_end_due = false;
			o->bus->ops->fence_ended(o->bus);
			return n;
		}
		if (o->record_io_due && band.slow_records && n++ == which) {
			end_record_io(o);
			return n;
		}
		if (o->rejoin_due && n++ == which) {
			o->rejoin_due = false;
			net_join(&o->net);
			return n;
		}
		if (o->check_due && n++ == which) {
			o->check_due = false;
			o->bus->ops->checked(o->bus);
			return n;
		}
		for (uint32_t dev = 0; dev < BAND_DEVS; dev++) {
			struct band_dev *d = &o->devs[dev];

			if (d->drain_due && !o->keep_drain && n++ == which)
				return drain(o, dev), n;
			if (d->persist_due && n++ == which)
				return finish_persist(o, dev), n;
		}
	}
	return n;
}

bool band_step(void)
{
	unsigned n;

	band.steps++;
	hf_loop_sim_settle(band.loop);
	n = happen(UINT32_MAX);
	if (!n)
		return false;
	happen(band_random(n));
	band_check();
	return true;
}

void band_settle(void)
{
	while (band_step())
		;
}

void band_pass_ms(unsigned ms)
{
	hf_loop_sim_advance(band.loop, ms * 1000000ull);
	band_check();
}

void band_until_state(unsigned index, enum hf_view_state state)
{
	band_until(band.nodes[index].view.state == state);
}

void band_together(void)
{
	for (unsigned i = 0; i < band.len; i++)
		band_start(i);
	for (unsigned i = 0; i < band.len; i++)
		band_until(band.nodes[i].view.members == (2u << band.len) - 2);
	for (unsigned i = 0; i < band.len; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
}

void band_end_load(unsigned index)
{
	assert_true(band.nodes[index].load_due);
	end_load(&band.nodes[index]);
}

void band_end_record_io(unsigned index)
{
	assert_true(band.nodes[index].record_io_due);
	end_record_io(&band.nodes[index]);
}

static void propose(
	struct band_cmd *c, unsigned index, uint32_t dev, uint8_t kind, uint8_t host, bool owed)
{
	struct band_node *o = &band.nodes[index];

	memset(c, 0, sizeof(*c));
	c->prop.owed = owed;
	c->op.kind = kind;
	c->op.host = host;
	c->op.id = ++band.ops;
	c->node = o;
	c->prop.dev = dev;
	c->prop.op = &c->op;
	c->prop.op_len = sizeof(c->op);
	hf_bus_propose(o->bus, &c->prop);
}

void band_propose(struct band_cmd *c, unsigned index, uint32_t dev, uint8_t kind, uint8_t host)
{
	propose(c, index, dev, kind, host, false);
}

void band_owe(struct band_cmd *c, unsigned index, uint32_t dev, uint8_t kind, uint8_t host)
{
	propose(c, index, dev, kind, host, true);
}

bool band_is_good(const struct band_cmd *c)
{
	return c->answered && !c->conflict &&
	       (c->how == HF_BUS_ANSWER_APPLIED || c->how == HF_BUS_ANSWER_LOOK);
}

bool band_do(unsigned index, uint32_t dev, uint8_t kind, uint8_t host)
{
	struct band_cmd c;

	band_propose(&c, index, dev, kind, host);
	band_until(c.answered);
	return band_is_good(&c);
}

static void check_two(const struct band_node *x, const struct band_node *y, uint32_t dev)
{
	const struct band_dev *a = &x->devs[dev], *b = &y->devs[dev];
	struct band_dev after = *a;

	if (a->n == b->n) {
		if (digest_of(a) != digest_of(b))
			fail_msg("device %u: %u and %u differ at op %llu", dev, x->index + 1,
				y->index + 1, (unsigned long long)a->n);
		return;
	}
	if (a->n > b->n)
		return; /* looked at the other way round */
	if (b->n != a->n + 1 || !a->held)
		fail_msg("device %u: %u is at op %llu and holds nothing, %u at %llu", dev,
			x->index + 1, (unsigned long long)a->n, y->index + 1,
			(unsigned long long)b->n);
	apply_op(&after);
	if (digest_of(&after) != digest_of(b))
		fail_msg("device %u: %u holds another op than %u has settled", dev, x->index + 1,
			y->index + 1);
}

static void note_settled(const struct band_node *o)
{
	for (uint32_t dev = 0; dev < BAND_DEVS; dev++)
		band.settled[dev] = HF_MAX(band.settled[dev], o->devs[dev].n);
}

void band_check(void)
{
	for (unsigned i = 0; i < band.len; i++)
		if (serves(&band.nodes[i]))
			note_settled(&band.nodes[i]);
	for (unsigned i = 0; i < band.len && !band.no_check; i++)
		for (unsigned j = 0; j < band.len; j++)
			for (uint32_t dev = 0; dev < BAND_DEVS; dev++)
				if (i != j && serves(&band.nodes[i]) && serves(&band.nodes[j]))
					check_two(&band.nodes[i], &band.nodes[j], dev);
}
