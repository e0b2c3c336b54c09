/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A new generation: what was open is put aside, each member says what it remembers of each device,
 * and from all of that follows, by the same rules everywhere, what becomes of the held ops (W21):
 *
 *  - A turn that has ended anywhere ends everywhere as it did there: settled if that one counts one
 *    op more, else dropped. Whoever is behind by that turn holds the op, for it has said so.
 *  - An op of the present turn goes forward: held by all, acknowledged anew. Not so where its
 *    proposer is here and has forgotten it, or where somebody lacks the device: such an op was
 *    acknowledged by not all, so nobody has settled it. Of two, the one that all have acknowledged;
 *    else neither was settled, and any will do. Until then nobody tells a host that its op has
 *    failed which has been proposed: another part may hold it.
 *  - One that is being dropped is dropped by all.
 */
#include "group_int.h"

#include "canary.h"
#include "log.h"
#include "spare.h"

#include <stdlib.h>

/* --- putting aside --- */

static void break_dev(struct group_dev *d, void *unused)
{
	group_dev_clear_entries(d);
	/* out_seq stays: what has been proposed may be held elsewhere, though never seen here. */
	if (d->phase == HF_GROUP_CUT)
		d->phase = HF_GROUP_FREE;
	memset(&d->votes_next, 0, sizeof(d->votes_next));
	d->copied = 0;
	d->frozen_since_ns = group_now(d->g);
	group_range_break(d);
}

static void clear_fold(struct group_dev *d)
{
	free(d->fold.op);
	memset(&d->fold, 0, sizeof(d->fold));
}

void group_sync_forget(struct group *g)
{
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		for (struct group_dev *d = g->devs[i]; d; d = d->next)
			clear_fold(d);
}

/* Also when there is no group any more. */
void group_sync_break(struct group *g)
{
	group_copy_stop(g);
	group_dev_each(g, break_dev, NULL);
	group_sync_forget(g);
	group_range_forget_orphans(g);
}

/* --- telling --- */

struct teller {
	struct group *g;
	uint8_t *body;
	size_t len;
};

static void flush(struct teller *t)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_DEVS, .view.epoch = t->g->view.epoch};

	if (t->len)
		group_send(t->g, &m, t->body, t->len);
	t->len = 0;
}

static void tell_dev(struct group_dev *d, void *arg)
{
	struct teller *t = arg;
	struct hf_group_dev_entry e = {.dev = d->dev,
		.turn = d->turn,
		.n = d->n,
		.out_seq = d->out_seq,
		.phase = d->mode == GROUP_DEV_STOPPED ? HF_GROUP_STOPPED : d->phase};
	int n;

	if (d->mode == GROUP_DEV_REMOVED || d->mode == GROUP_DEV_EMPTY)
		return;
	e.digest = d->g->bus.owner_ops->digest(d->g->bus.owner, d->dev);
	if (d->phase == HF_GROUP_HELD) {
		e.op_from = d->cur->from;
		e.op_seq = d->cur->seq;
		e.owed = d->cur->owed;
		e.agreed = group_dev_is_agreed(d);
		e.op = d->cur->op;
		e.op_len = d->cur->op_len;
	}
	n = hf_group_dev_entry_encode(&e, t->body + t->len, HF_GROUP_BODY_MAX - t->len);
	if (n < 0) {
		flush(t);
		n = hf_group_dev_entry_encode(&e, t->body, HF_GROUP_BODY_MAX);
	}
	hf_assert(n > 0);
	t->len += (size_t)n;
}

/*
 * STATE comes last: who has heard it has heard all. Who has fallen and not left yet still serves by
 * what it drops; to say that it has no state would mean that nothing of it is in flight any more.
 * The others wait for its word, and get its leaving.
 */
void group_sync_tell(struct group *g)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_STATE, .live = g->live, .view = g->view};
	uint8_t hello[HF_HELLO_BYTES_MAX];
	struct teller t = {.g = g};

	if (g->fallen)
		return;
	t.body = hf_spare_malloc(HF_GROUP_BODY_MAX);
	if (g->live) {
		group_dev_each(g, tell_dev, &t);
		flush(&t);
		group_range_tell(g);
	}
	free(t.body);
	group_send(g, &m, hello, hf_hello_encode(&g->hello, hello));
}

/* --- hearing --- */

static void candidate(struct group_fold *f, const struct hf_group_dev_entry *e)
{
	if (f->op && (f->agreed || !e->agreed) &&
		(f->agreed || f->op->from < e->op_from ||
			(f->op->from == e->op_from && f->op->seq <= e->op_seq)))
		return;
	free(f->op);
	f->op = group_entry_new(e->op_from, e->op_seq, e->owed, e->op, e->op_len);
	f->agreed = e->agreed;
}

static void fold(struct group_fold *f, uint8_t from, const struct hf_group_dev_entry *e)
{
	f->listed |= group_bit(from);
	f->out_seqs[from] = e->out_seq;
	f->stopped |= e->phase == HF_GROUP_STOPPED;
	if (!f->at_turn || e->turn > f->turn) {
		f->turn = e->turn;
		f->n = e->n;
		f->at_turn = 0;
		f->cancelling = f->agreed = false;
		free(f->op);
		f->op = NULL;
	} else if (e->turn < f->turn) {
		return;
	}
	f->at_turn |= group_bit(from);
	f->digests[from] = e->digest;
	f->cancelling |= e->phase == HF_GROUP_CANCELLING;
	if (e->phase == HF_GROUP_HELD)
		candidate(f, e);
}

/* Only what the last view remembers counts; an older one is struck out by its epoch. */
void group_sync_devs(struct group *g, const struct hf_group_msg *m)
{
	struct hf_group_dev_entry e;
	size_t at = 0;
	int n;

	if (!g->live || m->view.epoch != g->view.epoch)
		return;
	while (at < m->body_len) {
		struct group_dev *d;

		n = hf_group_dev_entry_decode(m->body + at, m->body_len - at, &e);
		if (n < 0) {
			hf_warning("bus: controller %u tells of its devices what cannot be read",
				m->from);
			return;
		}
		at += (size_t)n;
		d = group_dev_find(g, e.dev);
		if (d)
			fold(&d->fold, m->from, &e);
	}
}

/* --- what follows --- */

/* The turn has ended elsewhere. */
static bool catch_up(struct group_dev *d)
{
	struct group_fold *f = &d->fold;
	bool applied = f->n == d->n + 1;

	if (d->turn == f->turn)
		return true;
	if (d->turn + 1 != f->turn || (applied && !(d->phase == HF_GROUP_HELD && d->drained)) ||
		(!applied && (d->phase == HF_GROUP_FREE || f->n != d->n))) {
		group_fall_out(d->g, "it has missed operations of a device");
		return false;
	}
	if (!applied && d->phase == HF_GROUP_HELD)
		group_dev_unhold(d);
	group_dev_end_turn(d, applied);
	return true;
}

/* INV-2, as far as those can tell who are at the same turn. */
static bool digests_agree(const struct group_fold *f, uint32_t live)
{
	uint32_t who = f->at_turn & live;
	uint64_t first = f->digests[who ? __builtin_ctz(who) : 0];

	for (unsigned i = 1; i < HF_CONTROLLER_IDS; i++)
		if ((who >> i & 1) && f->digests[i] != first)
			return false;
	return true;
}

static bool goes_forward(const struct group_fold *f, uint32_t live)
{
	if (!f->op || (f->listed & live) != live || HF_PLANTED(GROUP_FORGET_HELD))
		return false;
	return !(live & group_bit(f->op->from)) || f->out_seqs[f->op->from] == f->op->seq;
}

static void drop_held(struct group_dev *d)
{
	if (d->phase == HF_GROUP_HELD)
		group_dev_unhold(d);
	free(d->cur);
	d->cur = NULL;
	d->phase = HF_GROUP_FREE;
}

static bool is_same(const struct group_entry *a, const struct group_entry *b)
{
	return a && b && a->from == b->from && a->seq == b->seq;
}

static void go_forward(struct group_dev *d)
{
	struct group_fold *f = &d->fold;
	struct group_entry *op = f->op;

	f->op = NULL;
	if (d->phase == HF_GROUP_HELD && is_same(d->cur, op)) {
		free(op);
		d->acked = d->nacked = d->settled_sent = d->settled = false;
		d->drain_error = 0;
		d->since_ns = group_now(d->g);
		return;
	}
	drop_held(d);
	switch (d->g->bus.owner_ops->look(d->g->bus.owner, d->dev, op->op, op->op_len)) {
	case HF_BUS_LOOK_CHANGE:
		group_dev_hold(d, op, false);
		return;
	case HF_BUS_LOOK_CHANGE_PERSIST:
		group_dev_hold(d, op, true);
		return;
	case HF_BUS_LOOK_ANSWER: /* the states differ, which nobody has noticed yet */
		free(op);
		group_dev_stop(d, GROUP_WHY_DIFFER);
		return;
	}
}

static void cancel(struct group_dev *d)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_DROPPED, .dev = d->dev, .turn = d->turn};

	if (d->phase == HF_GROUP_HELD)
		group_dev_unhold(d);
	d->phase = HF_GROUP_CANCELLING;
	group_send(d->g, &m, NULL, 0);
}

static void resolve(struct group_dev *d, void *arg)
{
	uint32_t live = *(uint32_t *)arg;
	struct group_fold *f = &d->fold;

	if (d->g->fallen || d->mode == GROUP_DEV_REMOVED)
		return;
	d->peers = live;
	memset(&d->votes, 0, sizeof(d->votes));
	memset(&d->votes_next, 0, sizeof(d->votes_next));
	if (d->mode == GROUP_DEV_EMPTY)
		group_dev_live(d); /* has just been loaded */
	if (!f->at_turn || d->mode == GROUP_DEV_STOPPED)
		return;
	if (!catch_up(d))
		return;
	if (f->stopped || !digests_agree(f, live)) {
		group_dev_stop(d, GROUP_WHY_DIFFER);
		return;
	}
	if (f->cancelling)
		cancel(d);
	else if (goes_forward(f, live))
		go_forward(d);
	else
		drop_held(d);
	if (!group_dev_is_mine(d, d->cur))
		d->out_seq = 0;
}

void group_sync_resolve(struct group *g, uint32_t live)
{
	group_dev_each(g, resolve, &live);
	group_sync_forget(g);
	if (g->fallen)
		return;
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		for (struct group_dev *d = g->devs[i]; d; d = d->next)
			group_range_resolve(d, live);
}
