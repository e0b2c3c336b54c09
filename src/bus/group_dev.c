/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One device of the group engine: the order of ops, hold, acknowledge, settle, cancel
 * (group_bus.h). INV-1, INV-2, INV-3 and INV-7 of doc/invariants.md rest on this file.
 */
#include "group_int.h"

#include "canary.h"
#include "log.h"
#include "spare.h"

#include <stdlib.h>

/* --- small things --- */

void group_dev_answer(struct group_dev *d, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	hf_list_remove(&prop->node);
	d->g->bus.owner_ops->answer(d->g->bus.owner, prop, how);
}

static struct hf_bus_prop *head(const struct group_dev *d)
{
	hf_assert(!hf_list_is_empty(&d->queue));
	return hf_list_entry(d->queue.next, struct hf_bus_prop, node);
}

static enum hf_bus_look look(const struct group_dev *d, const void *op, size_t len)
{
	return d->g->bus.owner_ops->look(d->g->bus.owner, d->dev, op, len);
}

static void say(struct group_dev *d, enum hf_group_msg_kind kind, int reason)
{
	struct hf_group_msg m = {
		.kind = kind, .dev = d->dev, .turn = d->turn, .reason = (uint16_t)-reason};

	if (kind == HF_GROUP_MSG_ACK)
		m.digest = d->g->bus.owner_ops->digest(d->g->bus.owner, d->dev);
	group_send(d->g, &m, NULL, 0);
}

struct group_entry *group_entry_new(
	uint8_t from, uint64_t seq, bool owed, const void *op, size_t op_len)
{
	struct group_entry *e = hf_spare_malloc(sizeof(*e) + op_len);

	*e = (struct group_entry){.from = from, .seq = seq, .owed = owed, .op_len = op_len};
	if (op_len)
		memcpy(e->op, op, op_len);
	return e;
}

void group_dev_clear_entries(struct group_dev *d)
{
	struct hf_list *node;

	while ((node = hf_list_pop_front(&d->entries)))
		free(hf_list_entry(node, struct group_entry, node));
	free(d->passed);
	d->passed = NULL;
}

bool group_dev_is_mine(const struct group_dev *d, const struct group_entry *entry)
{
	return entry && entry->from == d->g->config.id && d->out_seq && entry->seq == d->out_seq;
}

/* --- the turn --- */

static void new_turn(struct group_dev *d)
{
	d->phase = HF_GROUP_FREE;
	d->persist = d->drained = d->acked = d->nacked = false;
	d->persisting = d->persisted = d->settled_sent = d->settled = false;
	d->drain_error = 0;
	d->retry_at_ns = 0;
}

void group_dev_hold(struct group_dev *d, struct group_entry *entry, bool persist)
{
	hf_assert(d->phase == HF_GROUP_FREE && !d->cur);
	new_turn(d);
	d->phase = HF_GROUP_HELD;
	d->cur = entry;
	d->persist = persist;
	d->since_ns = group_now(d->g);
	d->g->bus.owner_ops->hold(d->g->bus.owner, d->dev, d->n + 1, entry->op, entry->op_len,
		group_dev_is_mine(d, entry));
}

void group_dev_unhold(struct group_dev *d)
{
	hf_assert(d->phase == HF_GROUP_HELD);
	d->g->bus.owner_ops->unhold(d->g->bus.owner, d->dev, d->n + 1);
}

/* The op of this turn is over; with applied, apply() comes first. */
void group_dev_end_turn(struct group_dev *d, bool applied)
{
	struct group *g = d->g;
	struct group_entry *entry = d->cur;
	bool mine = group_dev_is_mine(d, entry);

	if (applied) {
		/* INV-3: not before it is held and drained here, and acknowledged by all. */
		hf_assert(d->phase == HF_GROUP_HELD && d->drained);
		g->applying_pool = d->dev == HF_BUS_DEV_POOL;
		g->bus.owner_ops->apply(g->bus.owner, d->dev, d->n + 1, mine);
		g->applying_pool = false;
		d->n++;
	}
	d->turn++;
	d->votes = d->votes_next;
	memset(&d->votes_next, 0, sizeof(d->votes_next));
	d->cur = NULL;
	new_turn(d);
	free(entry);
	if (!mine)
		return;
	d->out_seq = 0;
	group_dev_answer(d, head(d), applied ? HF_BUS_ANSWER_APPLIED : HF_BUS_ANSWER_FAILED);
}

/* W18: neither state is the truth; nobody goes on. At one place in the order for all. */
void group_dev_stop(struct group_dev *d, const char *why)
{
	struct group_entry *entry = d->cur;
	bool mine = group_dev_is_mine(d, entry);

	/* Before what is held is let go, which would let in what has waited for it. */
	d->g->bus.owner_ops->stopped(d->g->bus.owner, d->dev, why);
	if (d->phase == HF_GROUP_HELD)
		group_dev_unhold(d);
	new_turn(d);
	d->cur = NULL;
	free(entry);
	d->mode = GROUP_DEV_STOPPED;
	d->told_stopped = true;
	d->out_seq = 0;
	group_dev_clear_entries(d);
	/* What is owed keeps its place: it is asked again when the device goes on. */
	if (mine && !head(d)->owed)
		group_dev_answer(d, head(d), HF_BUS_ANSWER_NOT_READY);
	group_copy_let_go(d);
}

void group_dev_live(struct group_dev *d)
{
	d->mode = GROUP_DEV_LIVE;
	d->empty = false;
	if (!d->told_stopped)
		return;
	d->told_stopped = false;
	d->g->bus.owner_ops->resumed(d->g->bus.owner, d->dev);
}

/*
 * What was remembered counts for nothing any more. The others may have carried an own op forward,
 * so its outcome is unknown; an owed one is asked again later, it does nothing twice.
 */
void group_dev_forget(struct group_dev *d)
{
	struct group_entry *entry = d->cur;
	struct hf_bus_prop *prop = d->out_seq ? head(d) : NULL;

	if (d->phase == HF_GROUP_HELD)
		group_dev_unhold(d);
	new_turn(d);
	d->cur = NULL;
	free(entry);
	group_dev_clear_entries(d);
	memset(&d->votes, 0, sizeof(d->votes));
	memset(&d->votes_next, 0, sizeof(d->votes_next));
	d->turn = d->n = 0;
	d->copied = 0;
	d->out_seq = 0;
	d->peers = 0;
	d->empty = false;
	if (d->mode != GROUP_DEV_REMOVED)
		d->mode = GROUP_DEV_EMPTY;
	if (!prop || prop->owed)
		return;
	if (!prop->doubted)
		d->g->bus.owner_ops->doubt(d->g->bus.owner, prop);
	prop->doubted = true;
	group_dev_answer(d, prop, HF_BUS_ANSWER_NOT_READY);
}

/* --- what the votes of a turn say --- */

static bool all_acked(const struct group_dev *d)
{
	if (HF_PLANTED(GROUP_SETTLE_EARLY))
		return d->votes.acks & group_bit(d->g->config.id);
	return group_dev_is_agreed(d);
}

/* Whose settled state stands alone against all others; 0: all agree; -1: there is no majority. */
static int odd_one(const struct group_dev *d)
{
	unsigned same_max = 0, count = 0;
	int odd = 0;

	for (unsigned i = 1; i < HF_CONTROLLER_IDS; i++) {
		unsigned same = 0;

		if (!(d->peers >> i & 1))
			continue;
		count++;
		for (unsigned j = 1; j < HF_CONTROLLER_IDS; j++)
			same += (d->peers >> j & 1) && d->votes.digests[i] == d->votes.digests[j];
		if (same == 1)
			odd = (int)i;
		same_max = HF_MAX(same_max, same);
	}
	if (same_max == count)
		return 0;
	return count >= 3 && same_max == count - 1 ? odd : -1;
}

/* Who writes the record: the proposer, or when it is gone the first of those who are left. */
static uint8_t writer(const struct group_dev *d)
{
	if (d->peers & group_bit(d->cur->from))
		return d->cur->from;
	return (uint8_t)__builtin_ctz(d->peers);
}

/* True when something has moved. */
static bool write_record(struct group_dev *d)
{
	struct group *g = d->g;

	if (writer(d) != g->config.id)
		return false;
	if (d->persisted && !d->settled_sent) {
		d->settled_sent = true;
		say(d, HF_GROUP_MSG_SETTLED, 0);
	} else if (!d->persisted && !d->persisting && !d->nacked &&
		   group_now(g) >= d->retry_at_ns) {
		d->persisting = true;
		g->bus.owner_ops->persist(g->bus.owner, d->dev, d->n + 1);
	}
	return false;
}

static bool settle(struct group_dev *d)
{
	int odd = HF_PLANTED(GROUP_SETTLE_EARLY) ? 0 : odd_one(d);

	if (odd < 0) { /* INV-2 */
		group_dev_stop(d, GROUP_WHY_DIFFER);
		return true;
	}
	if (odd == d->g->config.id) {
		group_fall_out(d->g, "its state of a device stands alone against all others");
		return false;
	}
	if (odd) /* it leaves; what is held goes forward without it */
		return false;
	if (d->persist && !d->settled)
		return write_record(d);
	group_dev_end_turn(d, true);
	return true;
}

static bool progress_held(struct group_dev *d)
{
	if (d->votes.nack) {
		group_dev_unhold(d);
		d->phase = HF_GROUP_CANCELLING;
		say(d, HF_GROUP_MSG_DROPPED, 0);
		return true;
	}
	if ((d->drained || HF_PLANTED(GROUP_ACK_UNDRAINED)) && !d->acked) {
		d->acked = true;
		say(d, HF_GROUP_MSG_ACK, 0);
	} else if (d->drain_error && !d->acked && !d->nacked) {
		d->nacked = true;
		say(d, HF_GROUP_MSG_NACK, d->drain_error);
	}
	if (!d->drained || !all_acked(d) || !group_gate(d->g))
		return false;
	return settle(d);
}

/* --- the order --- */

static bool next_entry(struct group_dev *d)
{
	struct hf_list *node = hf_list_pop_front(&d->entries);
	struct group_entry *e;
	enum hf_bus_look found;

	if (!node)
		return false;
	e = hf_list_entry(node, struct group_entry, node);
	if (e->is_cut) {
		d->phase = HF_GROUP_CUT;
		d->since_ns = group_now(d->g);
		free(e);
		group_copy_cut(d);
		return true;
	}
	found = look(d, e->op, e->op_len);
	if (found != HF_BUS_LOOK_ANSWER) {
		group_dev_hold(d, e, found == HF_BUS_LOOK_CHANGE_PERSIST);
		return true;
	}
	/* Another op came first, and this one changes nothing any more: a RESERVE in conflict. */
	if (group_dev_is_mine(d, e)) {
		d->out_seq = 0;
		group_dev_answer(d, head(d), HF_BUS_ANSWER_LOOK);
	}
	free(d->passed);
	d->passed = e;
	return true;
}

static bool is_voted_on(const struct group_dev *d)
{
	return d->votes.acks || d->votes.nack;
}

/*
 * Others vote in this turn, on an op that has changed nothing here: the states differ (W18). It is
 * held here as well, so that the digests of all come together, and decide: all stop, or one falls
 * out. (Of several that have passed, maybe in an earlier turn, any will do: digests that differ
 * settle none.)
 */
static bool hold_passed(struct group_dev *d)
{
	const struct group_entry *e = d->passed;

	if (!e || !is_voted_on(d))
		return false;
	group_dev_hold(d, group_entry_new(e->from, e->seq, e->owed, e->op, e->op_len), false);
	return true;
}

/* The same where a cut has come to its turn here: it comes again after that op. */
static bool leave_cut(struct group_dev *d)
{
	struct group_entry *cut;

	if (!is_voted_on(d))
		return false;
	if (!d->passed) {
		group_fall_out(d->g, "it was given a state that stands alone against others");
		return false;
	}
	cut = group_entry_new(d->g->config.id, 0, false, NULL, 0);
	cut->is_cut = true;
	hf_list_push_front(&d->entries, &cut->node);
	d->phase = HF_GROUP_FREE;
	return hold_passed(d);
}

/* R5: looks within itself first. */
static bool serve_head(struct group_dev *d)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_PROPOSE, .dev = d->dev};
	struct hf_bus_prop *p;

	if (d->out_seq || hf_list_is_empty(&d->queue) || group_is_going(d->g))
		return false;
	p = head(d);
	if (look(d, p->op, p->op_len) == HF_BUS_LOOK_ANSWER) {
		group_dev_answer(d, p, HF_BUS_ANSWER_LOOK);
		return true;
	}
	d->out_seq = ++d->g->seqs;
	d->out_since_ns = group_now(d->g);
	m.seq = d->out_seq;
	m.flag = p->owed;
	group_send(d->g, &m, p->op, p->op_len);
	if (HF_PLANTED(GROUP_OWN_ORDER)) {
		struct group_entry *e =
			group_entry_new(d->g->config.id, m.seq, p->owed, p->op, p->op_len);

		hf_list_push_back(&d->entries, &e->node);
		return true;
	}
	return false;
}

static bool refuse_one(struct group_dev *d)
{
	hf_list_for_each_safe (node, &d->queue) {
		struct hf_bus_prop *p = hf_list_entry(node, struct hf_bus_prop, node);

		if (!p->owed || d->mode == GROUP_DEV_REMOVED) {
			group_dev_answer(d, p, HF_BUS_ANSWER_NOT_READY);
			return true;
		}
	}
	return false;
}

/* What changes nothing is answered, what may be refused is, what is owed keeps its place. */
static bool serve_frozen(struct group_dev *d)
{
	if (d->phase != HF_GROUP_FREE || d->out_seq || !hf_list_is_empty(&d->entries))
		return false;
	hf_list_for_each_safe (node, &d->queue) {
		struct hf_bus_prop *p = hf_list_entry(node, struct hf_bus_prop, node);

		if (look(d, p->op, p->op_len) == HF_BUS_LOOK_ANSWER) {
			group_dev_answer(d, p, HF_BUS_ANSWER_LOOK);
			return true;
		}
		if (!p->owed) {
			group_dev_answer(d, p, HF_BUS_ANSWER_NOT_READY);
			return true;
		}
	}
	return false;
}

static bool move(struct group_dev *d)
{
	struct group *g = d->g;

	if (d->mode == GROUP_DEV_REMOVED || d->mode == GROUP_DEV_STOPPED)
		return refuse_one(d);
	if (d->mode == GROUP_DEV_EMPTY)
		return group_takes_ops(g) || g->joining ? false : refuse_one(d);
	if (g->step != GROUP_ACTIVE)
		return (g->step == GROUP_FROZEN && !g->config.fence) || group_denied(g)
			       ? serve_frozen(d)
			       : false;
	switch (d->phase) {
	case HF_GROUP_FREE:
		if (next_entry(d) || hold_passed(d))
			return true;
		return group_denied(g) ? serve_frozen(d) : serve_head(d);
	case HF_GROUP_HELD:
		return progress_held(d);
	case HF_GROUP_CANCELLING:
		if ((d->votes.dropped & d->peers) != d->peers || !group_gate(g))
			return false;
		group_dev_end_turn(d, false);
		return true;
	case HF_GROUP_CUT:
		if (!group_copy_is_done(d))
			return leave_cut(d);
		d->phase = HF_GROUP_FREE;
		group_copy_over(d);
		return true;
	case HF_GROUP_STOPPED:
		return false;
	}
	return false;
}

void group_dev_advance(struct group_dev *d, void *unused)
{
	/* Of one that is removed nobody hears any more: who is out answers all the same. */
	while ((!d->g->fallen || d->mode == GROUP_DEV_REMOVED) && move(d))
		;
	group_range_advance(d);
}

/* --- messages --- */

/*
 * Whoever has not acknowledged can still say no: then nobody can have settled it, not even in a
 * part that has delivered more. Whoever has acknowledged can not, for another may have settled; but
 * its writer can, as long as it has not said `settled`.
 */
static bool nack_counts(
	const struct group_dev *d, const struct group_votes *v, const struct hf_group_msg *m)
{
	/* Has left, and is not waited for: it may have settled elsewhere. (What all know alike: who
	 * is a peer is known to each at another place in the order.) */
	if (!((d->g->view.members | d->g->newcomers) & group_bit(m->from)))
		return false;
	if (!(v->acks & group_bit(m->from)))
		return true;
	return v == &d->votes && d->phase == HF_GROUP_HELD && d->persist && !d->settled &&
	       writer(d) == m->from;
}

static void vote(struct group_dev *d, const struct hf_group_msg *m)
{
	struct group_votes *v = m->turn == d->turn ? &d->votes : &d->votes_next;

	if (m->turn != d->turn && m->turn != d->turn + 1)
		return;
	if (m->kind == HF_GROUP_MSG_ACK && !v->nack) {
		v->acks |= group_bit(m->from);
		v->digests[m->from] = m->digest;
	} else if (m->kind == HF_GROUP_MSG_NACK && nack_counts(d, v, m)) {
		v->nack = true;
	} else if (m->kind == HF_GROUP_MSG_DROPPED) {
		v->dropped |= group_bit(m->from);
	} else if (m->kind == HF_GROUP_MSG_SETTLED && v == &d->votes && !v->nack) {
		d->settled = true;
	}
}

void group_dev_receive(struct group *g, const struct hf_group_msg *m)
{
	struct group_dev *d = group_dev_find(g, m->dev);
	struct group_entry *e;

	if (!d && (m->kind == HF_GROUP_MSG_PROPOSE || m->kind == HF_GROUP_MSG_CUT))
		group_dev_missed(g);
	if (!d || d->mode == GROUP_DEV_REMOVED || d->mode == GROUP_DEV_STOPPED)
		return;
	if (HF_PLANTED(GROUP_OWN_ORDER) && m->kind == HF_GROUP_MSG_PROPOSE &&
		m->from == g->config.id)
		return;
	if (m->kind == HF_GROUP_MSG_PROPOSE || m->kind == HF_GROUP_MSG_CUT) {
		e = group_entry_new(m->from, m->seq, m->flag, m->body, m->body_len);
		e->is_cut = m->kind == HF_GROUP_MSG_CUT;
		hf_list_push_back(&d->entries, &e->node);
	} else if (d->mode == GROUP_DEV_LIVE) {
		vote(d, m);
	}
	group_dev_advance(d, NULL);
}

void group_dev_peers_left(struct group *g, uint32_t left)
{
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		for (struct group_dev *d = g->devs[i]; d; d = d->next)
			d->peers &= ~left;
	group_dev_each(g, group_dev_advance, NULL);
}

/* --- what the owner says --- */

static void propose(struct group *g, struct group_dev *d, struct hf_bus_prop *p)
{
	if (!d || d->mode == GROUP_DEV_REMOVED || (!p->owed && !group_takes_ops(g))) {
		g->bus.owner_ops->answer(g->bus.owner, p, HF_BUS_ANSWER_NOT_READY);
		return;
	}
	hf_assert(p->op_len > 0 && p->op_len <= HF_OP_MAX_BYTES);
	p->since_ns = group_now(g);
	p->doubted = false;
	hf_list_push_back(&d->queue, &p->node);
}

static void persisted(struct group_dev *d, int result)
{
	d->persisting = false;
	if (result == 0) {
		d->persisted = true;
	} else if (result == -EINPROGRESS || d->retry_at_ns || !group_dev_is_mine(d, d->cur)) {
		/* Neither the old nor the new content is sure to be out, or the op may have been
		 * answered GOOD by a controller that is gone: forward is the only way (W15). So it
		 * is from then on, for what a later failure leaves there may be the new content. */
		d->retry_at_ns = group_now(d->g) + d->g->bound_ns;
	} else {
		d->nacked = true;
		say(d, HF_GROUP_MSG_NACK, result);
	}
}

void group_dev_item(struct group *g, const struct group_item *item)
{
	struct group_dev *d = group_dev_find(g, item->dev);

	if (item->what == ITEM_PROPOSE) {
		propose(g, d, item->prop);
	} else if (!d || d->phase != HF_GROUP_HELD || item->n != d->n + 1) {
		return;
	} else if (item->what == ITEM_PERSISTED) {
		if (d->persisting)
			persisted(d, item->result);
	} else if (item->result == 0) {
		d->drained = true;
	} else if (!d->drained) {
		d->drain_error = item->result;
	}
	if (d)
		group_dev_advance(d, NULL);
}

/* --- time --- */

/* Does what waits here wait for something that is not coming soon? */
static bool is_stuck(const struct group_dev *d, uint64_t now)
{
	if (d->g->step != GROUP_ACTIVE || group_denied(d->g))
		return true;
	return d->phase != HF_GROUP_FREE && now >= d->since_ns + d->g->bound_ns * 5 / 4;
}

static void expire(struct group_dev *d, uint64_t now)
{
	bool skip = d->out_seq != 0;

	if (!is_stuck(d, now))
		return;
	hf_list_for_each_safe (node, &d->queue) {
		struct hf_bus_prop *p = hf_list_entry(node, struct hf_bus_prop, node);

		if (!skip && !p->owed && now >= p->since_ns + d->g->bound_ns)
			group_dev_answer(d, p, HF_BUS_ANSWER_NOT_READY);
		skip = false;
	}
}

static void doubt(struct group_dev *d, uint64_t now)
{
	struct hf_bus_prop *p = d->out_seq ? head(d) : NULL;

	if (!p || p->owed || p->doubted || now < d->out_since_ns + d->g->bound_ns * 5 / 4)
		return;
	p->doubted = true;
	d->g->bus.owner_ops->doubt(d->g->bus.owner, p);
}

/* Whoever cannot drain within the bound says no. */
static void cancel_late(struct group_dev *d, uint64_t now)
{
	if (d->phase != HF_GROUP_HELD || d->acked || d->nacked || d->cur->owed ||
		d->g->step != GROUP_ACTIVE || now < d->since_ns + d->g->bound_ns)
		return;
	d->nacked = true;
	say(d, HF_GROUP_MSG_NACK, -ETIMEDOUT);
}

void group_dev_tick(struct group_dev *d, void *unused)
{
	uint64_t now = group_now(d->g);

	if (d->mode == GROUP_DEV_REMOVED)
		return;
	cancel_late(d, now);
	doubt(d, now);
	expire(d, now);
	group_pick_tick(d);
	group_range_tick(d);
	group_dev_advance(d, NULL);
}
