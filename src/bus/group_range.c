/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranges held on all controllers for COMPARE AND WRITE (design 5), in the group engine. The order
 * of messages is the line: a range is held at a member when no older one in the line overlaps it;
 * when it is drained there the member grants it; the owner has it when all have. Range asks never
 * wait for the ops of the device (S4).
 */
#include "group_int.h"

#include "log.h"
#include "spare.h"

#include <stdlib.h>

enum { IN_QUEUE = 1, ASKED = 2, GRANTED = 3 }; /* struct hf_bus_range.state */

static void say(struct group *g, enum hf_group_msg_kind kind, uint32_t dev, uint64_t id,
	const struct hf_bus_range *req)
{
	struct hf_group_msg m = {.kind = kind, .dev = dev, .seq = id};

	if (req) {
		m.lba = req->lba;
		m.blocks = req->blocks;
	}
	group_send(g, &m, NULL, 0);
}

static void unhold(struct group_dev *d, struct group_range *r)
{
	if (r->held)
		d->g->bus.owner_ops->range_unhold(d->g->bus.owner, d->dev, r->id);
	r->held = r->drained = false;
}

static void drop(struct group_dev *d, struct group_range *r)
{
	unhold(d, r);
	hf_list_remove(&r->node);
	free(r);
}

static struct group_range *find(struct group_dev *d, uint64_t id)
{
	hf_list_for_each (node, &d->ranges) {
		struct group_range *r = hf_list_entry(node, struct group_range, node);

		if (r->id == id)
			return r;
	}
	return NULL;
}

/* Its storage is the caller's again. */
static void fail(struct hf_bus_range *req, int error)
{
	req->state = 0;
	req->granted(req, error);
}

static void release_req(struct group_dev *d, struct hf_bus_range *req)
{
	struct group_range *r;

	if (req->state == IN_QUEUE) {
		hf_list_remove(&req->node);
	} else if (req->state == ASKED || req->state == GRANTED) {
		hf_list_remove(&req->node);
		r = find(d, req->id);
		if (r)
			r->req = NULL;
		say(d->g, HF_GROUP_MSG_RANGE_RELEASE, d->dev, req->id, NULL);
		/* Without a generation nobody hears it: who does not list it has released it. */
		if (r && d->g->step != GROUP_ACTIVE)
			drop(d, r);
	}
	req->state = 0;
}

/* --- what should be --- */

static bool overlaps(const struct group_range *a, const struct group_range *b)
{
	return a->lba < b->lba + b->blocks && b->lba < a->lba + a->blocks;
}

static bool is_in_way(struct group_dev *d, const struct group_range *r)
{
	hf_list_for_each (node, &d->ranges) {
		const struct group_range *o = hf_list_entry(node, struct group_range, node);

		if (o == r)
			return false;
		if (overlaps(o, r))
			return true;
	}
	return false;
}

static bool refuses(const struct group_dev *d)
{
	const struct group *g = d->g;

	return d->mode != GROUP_DEV_LIVE || !g->live ||
	       (g->step == GROUP_FROZEN && !g->config.fence) || g->step == GROUP_OUT ||
	       group_denied(g);
}

static void ask_all(struct group_dev *d)
{
	struct group *g = d->g;

	hf_list_for_each_safe (node, &d->range_queue) {
		struct hf_bus_range *req = hf_list_entry(node, struct hf_bus_range, node);

		if (req->state != IN_QUEUE)
			continue;
		if (refuses(d)) {
			hf_list_remove(node);
			fail(req, -ENOTCONN);
		} else if (g->step == GROUP_ACTIVE) {
			req->state = ASKED;
			req->id = (uint64_t)g->config.id << 56 | ++g->seqs;
			say(g, HF_GROUP_MSG_RANGE_ASK, d->dev, req->id, req);
		}
	}
}

static void grant(struct group_dev *d, struct group_range *r)
{
	struct group *g = d->g;

	if (r->drained && !r->told && g->step == GROUP_ACTIVE) {
		r->told = true;
		say(g, HF_GROUP_MSG_RANGE_GRANT, d->dev, r->id, NULL);
	}
	if (r->req && !r->granted && r->drained && (r->grants & d->peers) == d->peers &&
		group_gate(g)) {
		r->granted = true;
		r->req->state = GRANTED;
		r->req->granted(r->req, 0);
	}
}

void group_range_advance(struct group_dev *d)
{
	struct group *g = d->g;

	if (d->mode == GROUP_DEV_REMOVED)
		return;
	hf_list_for_each_safe (node, &d->ranges) {
		struct group_range *r = hf_list_entry(node, struct group_range, node);

		if (!r->held && !is_in_way(d, r)) {
			r->held = true;
			g->bus.owner_ops->range_hold(
				g->bus.owner, d->dev, r->id, r->lba, r->blocks);
		}
		if (d->mode == GROUP_DEV_LIVE)
			grant(d, r);
	}
	ask_all(d);
}

/* --- events --- */

void group_range_item(struct group *g, const struct group_item *item)
{
	struct group_dev *d = group_dev_find(g, item->dev);
	struct hf_bus_range *req = item->range;
	struct group_range *r;

	if (item->what == ITEM_RANGE_ACQUIRE) {
		if (!d || d->mode == GROUP_DEV_REMOVED) {
			fail(req, -ENOTCONN);
			return;
		}
		hf_assert(req->blocks > 0 && req->lba + req->blocks > req->lba);
		req->since_ns = group_now(g);
		req->state = IN_QUEUE;
		hf_list_push_back(&d->range_queue, &req->node);
	} else if (!d) {
		return;
	} else if (item->what == ITEM_RANGE_RELEASE) {
		release_req(d, req);
	} else {
		r = find(d, item->n);
		if (r && r->held)
			r->drained = true;
	}
	group_range_advance(d);
}

static struct hf_bus_range *find_req(struct group_dev *d, uint64_t id)
{
	hf_list_for_each (node, &d->range_queue) {
		struct hf_bus_range *req = hf_list_entry(node, struct hf_bus_range, node);

		if (req->state == ASKED && req->id == id)
			return req;
	}
	return NULL;
}

static struct group_range *append(
	struct hf_list *to, uint32_t dev, uint8_t from, uint64_t id, uint64_t lba, uint32_t blocks)
{
	struct group_range *r = hf_spare_calloc(1, sizeof(*r));

	r->dev = dev;
	r->from = from;
	r->id = id;
	r->lba = lba;
	r->blocks = blocks;
	hf_list_push_back(to, &r->node);
	return r;
}

static void receive_orphan(struct group *g, const struct hf_group_msg *m)
{
	if (m->kind == HF_GROUP_MSG_RANGE_ASK) {
		append(&g->orphans, m->dev, m->from, m->seq, m->lba, m->blocks);
		return;
	}
	hf_list_for_each_safe (node, &g->orphans) {
		struct group_range *r = hf_list_entry(node, struct group_range, node);

		if (r->dev != m->dev || r->id != m->seq)
			continue;
		if (m->kind == HF_GROUP_MSG_RANGE_GRANT) {
			r->grants |= group_bit(m->from);
			continue;
		}
		hf_list_remove(node);
		free(r);
	}
}

void group_range_receive(struct group *g, const struct hf_group_msg *m)
{
	struct group_dev *d = group_dev_find(g, m->dev);
	struct group_range *r;

	if (!d) {
		if (g->joining || m->kind == HF_GROUP_MSG_RANGE_RELEASE)
			receive_orphan(g, m);
		else if (m->kind == HF_GROUP_MSG_RANGE_ASK)
			group_dev_missed(g);
		return;
	}
	r = find(d, m->seq);
	if (m->kind == HF_GROUP_MSG_RANGE_ASK && !r) {
		r = append(&d->ranges, m->dev, m->from, m->seq, m->lba, m->blocks);
		if (m->from == g->config.id)
			r->req = find_req(d, m->seq);
	} else if (m->kind == HF_GROUP_MSG_RANGE_GRANT && r) {
		r->grants |= group_bit(m->from);
	} else if (m->kind == HF_GROUP_MSG_RANGE_RELEASE && r) {
		drop(d, r);
	}
	group_range_advance(d);
}

/* --- a new generation --- */

/* What is not granted is asked for anew; what this member has granted may be in use elsewhere. */
void group_range_break(struct group_dev *d)
{
	hf_list_for_each_safe (node, &d->ranges) {
		struct group_range *r = hf_list_entry(node, struct group_range, node);

		r->listed = false;
		r->grants = 0;
		if (r->from == d->g->config.id ? !r->granted || !r->req : !r->told && !r->granted)
			drop(d, r);
		else
			r->granted = true;
	}
	hf_list_for_each_safe (node, &d->range_queue) {
		struct hf_bus_range *req = hf_list_entry(node, struct hf_bus_range, node);

		if (req->state == ASKED && !find(d, req->id))
			req->state = IN_QUEUE;
	}
}

void group_range_tell(struct group *g)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_RANGES};
	uint8_t body[128 * HF_GROUP_RANGE_ENTRY_BYTES];
	size_t len = 0;

	for (unsigned i = 0; i < GROUP_BUCKETS; i++) {
		for (struct group_dev *d = g->devs[i]; d; d = d->next) {
			hf_list_for_each (node, &d->ranges) {
				struct group_range *r =
					hf_list_entry(node, struct group_range, node);
				struct hf_group_range_entry e = {.dev = d->dev,
					.blocks = r->blocks,
					.id = r->id,
					.lba = r->lba};

				if (r->from != g->config.id)
					continue;
				if (len + HF_GROUP_RANGE_ENTRY_BYTES > sizeof(body)) {
					group_send(g, &m, body, len);
					len = 0;
				}
				len += (size_t)hf_group_range_entry_encode(
					&e, body + len, sizeof(body) - len);
			}
		}
	}
	if (len)
		group_send(g, &m, body, len);
}

void group_range_listed(struct group *g, const struct hf_group_msg *m)
{
	struct hf_group_range_entry e;
	struct group_dev *d;
	struct group_range *r;

	for (size_t at = 0; at < m->body_len; at += HF_GROUP_RANGE_ENTRY_BYTES) {
		if (hf_group_range_entry_decode(m->body + at, m->body_len - at, &e) < 0)
			return;
		d = group_dev_find(g, e.dev);
		r = d ? find(d, e.id) : NULL;
		if (!r)
			r = append(d ? &d->ranges : &g->orphans, e.dev, m->from, e.id, e.lba,
				e.blocks);
		r->listed = r->granted = true;
	}
}

/* members: who goes on. What one of them has not listed is over, and so is what others had. */
void group_range_resolve(struct group_dev *d, uint32_t members)
{
	hf_list_for_each_safe (node, &d->ranges) {
		struct group_range *r = hf_list_entry(node, struct group_range, node);

		if (!r->listed || !(members & group_bit(r->from)))
			drop(d, r);
	}
}

void group_range_adopt(struct group_dev *d)
{
	hf_list_for_each_safe (node, &d->g->orphans) {
		struct group_range *r = hf_list_entry(node, struct group_range, node);

		if (r->dev != d->dev)
			continue;
		hf_list_remove(node);
		hf_list_push_back(&d->ranges, &r->node);
	}
}

void group_range_forget_orphans(struct group *g)
{
	struct hf_list *node;

	while ((node = hf_list_pop_front(&g->orphans)))
		free(hf_list_entry(node, struct group_range, node));
}

/* --- time --- */

void group_range_tick(struct group_dev *d)
{
	struct group *g = d->g;
	uint64_t now = group_now(g);

	hf_list_for_each_safe (node, &d->range_queue) {
		struct hf_bus_range *req = hf_list_entry(node, struct hf_bus_range, node);

		if (req->state == GRANTED || now < req->since_ns + g->bound_ns)
			continue;
		release_req(d, req);
		fail(req, -ETIMEDOUT);
	}
	if (g->step == GROUP_ACTIVE || now < d->frozen_since_ns + g->bound_ns)
		return;
	/* S7: what waits for a range of one who is missing is told so. */
	hf_list_for_each (node, &d->ranges) {
		struct group_range *r = hf_list_entry(node, struct group_range, node);

		if (r->held && !r->doubted && r->from != g->config.id) {
			r->doubted = true;
			g->bus.owner_ops->range_doubt(g->bus.owner, d->dev, r->id);
		}
	}
}

/* The device is deleted: nobody looks at it after this. */
void group_range_remove(struct group_dev *d)
{
	hf_list_for_each_safe (node, &d->ranges)
		drop(d, hf_list_entry(node, struct group_range, node));
	hf_list_for_each_safe (node, &d->range_queue) {
		struct hf_bus_range *req = hf_list_entry(node, struct hf_bus_range, node);

		hf_list_remove(node);
		if (req->state == GRANTED)
			req->state = 0; /* its release finds nothing */
		else
			fail(req, -ENOTCONN);
	}
}

void group_range_free(struct group_dev *d)
{
	hf_list_for_each_safe (node, &d->ranges)
		free(hf_list_entry(node, struct group_range, node));
}
