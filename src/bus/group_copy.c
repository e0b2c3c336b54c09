/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copying the devices to newcomers. A cut is an entry in the agreed order of the device: at its
 * turn nothing is pending, the first of the members sends the state, and the device goes on when
 * all newcomers have said `copied`; from then on their acknowledgements count. The pool comes
 * first: it brings the devices. Each state is cut into messages that fit.
 */
#include "group_int.h"

#include "canary.h"
#include "log.h"

#include <stdlib.h>

/* --- giving --- */

void group_copy_start(struct group *g, uint32_t to, bool give)
{
	group_copy_stop(g);
	g->copy = (struct group_copy){.giving = give && to, .to = to, .taking = g->joining};
	group_copy_advance(g);
}

void group_copy_stop(struct group *g)
{
	g->copy = (struct group_copy){0};
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		for (struct group_dev *d = g->devs[i]; d; d = d->next)
			d->cut_out = false;
}

static struct group_dev *next(struct group *g)
{
	struct group_dev *best = NULL;

	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		for (struct group_dev *d = g->devs[i]; d; d = d->next)
			if (d->mode != GROUP_DEV_REMOVED && d->dev >= g->copy.cursor &&
				(!best || d->dev < best->dev))
				best = d;
	return best;
}

/* Cuts the next devices, when enough of the last ones has arrived. */
void group_copy_advance(struct group *g)
{
	struct group_copy *c = &g->copy;
	struct group_dev *d;

	while (c->giving && c->open < (c->cursor > 1 ? GROUP_COPY_DEVS : 1) &&
		g->net->ops->backlog_bytes(g->net) < GROUP_COPY_WINDOW) {
		struct hf_group_msg m = {.kind = HF_GROUP_MSG_CUT};

		if (c->cursor == 1 && c->open)
			return; /* the map first */
		d = next(g);
		if (!d) {
			if (c->open)
				return;
			c->giving = false;
			group_say(g, HF_GROUP_MSG_COPY_END);
			return;
		}
		c->cursor = (uint64_t)d->dev + 1;
		if (d->mode == GROUP_DEV_STOPPED)
			continue; /* W18: no state to give; stays stopped */
		m.dev = d->dev;
		d->cut_out = true;
		c->open++;
		group_send(g, &m, NULL, 0);
	}
}

static void give(struct group_dev *d)
{
	struct group *g = d->g;
	const struct hf_bus_owner_ops *ops = g->bus.owner_ops;
	int total = ops->snapshot(g->bus.owner, d->dev, g->snapshot, GROUP_SNAPSHOT_MAX);
	uint32_t at = 0;

	if (total < 0) {
		hf_error("bus: device %u cannot be copied to the newcomers: %s", d->dev,
			strerror(-total));
		group_fall_out(g, "it cannot copy its state");
		return;
	}
	do {
		uint32_t len = HF_MIN((uint32_t)total - at, (uint32_t)GROUP_COPY_CHUNK);
		struct hf_group_msg m = {.kind = HF_GROUP_MSG_COPY,
			.dev = d->dev,
			.turn = d->turn,
			.n = d->n,
			.total = (uint32_t)total,
			.at = at};

		group_send(g, &m, g->snapshot + at, len);
		at += len;
	} while (at < (uint32_t)total);
}

/* At every member: the cut is at its turn. */
void group_copy_cut(struct group_dev *d)
{
	if (d->g->copy.giving)
		give(d);
}

bool group_copy_is_done(const struct group_dev *d)
{
	return (d->copied & d->g->copy.to) == d->g->copy.to;
}

/* At every member, the newcomers too, at one place in the order. */
void group_copy_over(struct group_dev *d)
{
	if (!HF_PLANTED(GROUP_UNHEARD))
		d->peers |= d->g->copy.to;
	group_copy_let_go(d);
}

void group_copy_let_go(struct group_dev *d)
{
	if (d->cut_out)
		d->g->copy.open--;
	d->cut_out = false;
	group_copy_advance(d->g);
}

/* --- taking --- */

/* W18: of a stopped device there is no state to give, and it is not served by none. */
static void stop_if_not_copied(struct group_dev *d, void *unused)
{
	if (d->mode != GROUP_DEV_EMPTY)
		return;
	group_dev_stop(d, "it was stopped when this controller joined, which has no state of it");
	d->empty = true;
}

static void ready_if_all(struct group *g)
{
	struct group_copy *c = &g->copy;

	if (!c->taking || !c->all_cut)
		return;
	c->taking = false;
	group_dev_each(g, stop_if_not_copied, NULL);
	c->check_due = true;
	group_fence_check(g);
}

void group_copy_checked(struct group *g)
{
	if (!g->copy.check_due)
		return;
	g->copy.check_due = false;
	if (g->leave_wanted)
		return;
	g->ready_said = true;
	group_say(g, HF_GROUP_MSG_READY);
}

/* What came before the cut is in the state. */
static void drop_until_cut(struct group_dev *d)
{
	bool cut = false;

	while (!cut && !hf_list_is_empty(&d->entries)) {
		struct group_entry *e =
			hf_list_entry(hf_list_pop_front(&d->entries), struct group_entry, node);

		cut = e->is_cut;
		free(e);
	}
}

static void taken(struct group *g, const struct hf_group_msg *m)
{
	struct hf_group_msg copied = {.kind = HF_GROUP_MSG_COPIED, .dev = m->dev};
	struct group_dev *d = group_dev_find(g, m->dev);
	int ret;

	if (!d)
		return; /* deleted meanwhile */
	ret = g->bus.owner_ops->install(g->bus.owner, m->dev, g->snapshot, g->copy.in_total);
	if (ret < 0) {
		hf_error("bus: the copy of device %u cannot be installed: %s", m->dev,
			strerror(-ret));
		group_fall_out(g, "a copied state cannot be installed");
		return;
	}
	drop_until_cut(d);
	d->turn = m->turn;
	d->n = m->n;
	group_dev_live(d);
	d->phase = HF_GROUP_CUT;
	d->since_ns = group_now(g);
	d->peers = g->view.members & g->present;
	group_send(g, &copied, NULL, 0);
}

static void receive_piece(struct group *g, const struct hf_group_msg *m)
{
	struct group_copy *c = &g->copy;
	struct group_dev *d = group_dev_find(g, m->dev);

	if (!c->taking)
		return;
	/* A device that was created while the copy ran is here already. */
	if (d && d->mode == GROUP_DEV_LIVE) {
		struct hf_group_msg copied = {.kind = HF_GROUP_MSG_COPIED, .dev = m->dev};

		if (m->at + m->body_len == m->total)
			group_send(g, &copied, NULL, 0);
		return;
	}
	if (m->at == 0) {
		c->in_dev = m->dev;
		c->in_total = m->total;
		c->in_got = 0;
	}
	if (m->total > GROUP_SNAPSHOT_MAX || m->dev != c->in_dev || m->total != c->in_total ||
		m->at != c->in_got) {
		group_fall_out(g, "a copy does not fit together");
		return;
	}
	memcpy(g->snapshot + m->at, m->body, m->body_len);
	c->in_got += (uint32_t)m->body_len;
	if (c->in_got == c->in_total)
		taken(g, m);
}

void group_copy_receive(struct group *g, const struct hf_group_msg *m)
{
	struct group_dev *d = group_dev_find(g, m->dev);

	switch (m->kind) {
	case HF_GROUP_MSG_COPY:
		receive_piece(g, m);
		return;
	case HF_GROUP_MSG_COPIED:
		if (!d)
			return;
		d->copied |= group_bit(m->from);
		group_dev_advance(d, NULL);
		return;
	case HF_GROUP_MSG_COPY_END:
		g->copy.all_cut = true;
		ready_if_all(g);
		return;
	default:
		return;
	}
}
