/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The view in the pair engine: performs what the view machine decides, and copies the devices to a
 * newcomer, one by one, each in its own op order. The stream keeps the order, so a device's first
 * op for the newcomer comes after its snapshot; heartbeats pass in front (mux.h).
 */
#include "pair_engine_int.h"

#include "bytes.h"
#include "log.h"

#include <stdatomic.h>
#include <stdlib.h>

/* --- giving --- */

/* Asks the next device for its snapshot, when enough of the last ones has arrived. */
void pair_copy_advance(struct pair_engine *e)
{
	struct pair_copy *c = &e->copy;

	while (c->active && !c->waiting && hf_links_unacked_bytes(e->links) < COPY_WINDOW) {
		struct pair_dev *d = pair_dev_next(e, c->cursor);

		if (!d) {
			c->active = false;
			c->done = true;
			c->digest = pair_dev_digest(e);
			pair_engine_send(e, HF_BUS_PAIR_COPY_END, NULL, 0, NULL, 0);
			return;
		}
		c->cursor = (uint64_t)d->pair.dev + 1;
		pair_push(e, ITEM_PAIR, d->pair.dev)->pair.kind = HF_PAIR_COPY;
		if (d->pair.mode == HF_PAIR_STOPPED)
			continue; /* W18: no state to give; stays stopped on both */
		c->waiting = true;
		c->dev = d->pair.dev;
	}
}

static void copy_start(struct pair_engine *e)
{
	e->copy = (struct pair_copy){.active = true};
	/* Cold start: what had been dropped has just been loaded. */
	if (e->view.view.state == HF_VIEW_STARTING)
		pair_dev_all(e, HF_PAIR_SET_MODE, HF_PAIR_WAIT);
	pair_copy_advance(e);
}

static void copy_stop(struct pair_engine *e)
{
	e->copy = (struct pair_copy){0};
}

void pair_copy_give(struct pair_engine *e, struct pair_dev *d, uint64_t n)
{
	uint32_t dev = d->pair.dev;
	int total = e->bus.owner_ops->snapshot(e->bus.owner, dev, e->giving, SNAPSHOT_MAX);
	uint32_t at = 0;
	struct pair_item *item;

	if (total < 0) {
		hf_error("bus: device %u cannot be copied to the other controller: %s", dev,
			strerror(-total));
		hf_links_drop(e->links, "a device cannot be copied");
		return;
	}
	do {
		uint8_t head[24];
		struct hf_wr w = hf_wr_of(head, sizeof(head));
		uint32_t len = HF_MIN((uint32_t)total - at, (uint32_t)COPY_CHUNK);

		hf_wr_u32(&w, dev);
		hf_wr_u64(&w, n);
		hf_wr_u32(&w, (uint32_t)total);
		hf_wr_u32(&w, at);
		pair_engine_send(e, HF_BUS_PAIR_COPY, head, hf_wr_len(&w), e->giving + at, len);
		at += len;
	} while (at < (uint32_t)total);
	item = pair_push(e, ITEM_RANGE, dev);
	item->range.kind = HF_RANGE_SET_MODE;
	item->range.mode = HF_PAIR_TOGETHER;
	pair_push(e, ITEM_RANGE, dev)->range.kind = HF_RANGE_UP;
	if (e->copy.waiting && e->copy.dev == dev)
		e->copy.waiting = false;
	pair_copy_advance(e);
}

void pair_copy_dev_added(struct pair_engine *e, uint32_t dev)
{
	/* While the copy runs it comes in its turn; after it, by itself. */
	if (e->copy.done && e->view.copying)
		pair_push(e, ITEM_PAIR, dev)->pair.kind = HF_PAIR_COPY;
}

void pair_copy_dev_removed(struct pair_engine *e, uint32_t dev)
{
	if (!e->copy.waiting || e->copy.dev != dev)
		return;
	e->copy.waiting = false;
	pair_copy_advance(e);
}

/* --- taking --- */

static int install(struct pair_engine *e)
{
	const struct pair_copy *c = &e->copy;
	const struct pair_dev *d = pair_dev_find(e, c->in_dev);
	int ret;

	if (d && !hf_pair_takes_copy(&d->pair))
		return -EBADMSG;
	ret = e->bus.owner_ops->install(e->bus.owner, c->in_dev, e->taking, c->in_total);
	return ret < 0 || pair_dev_find(e, c->in_dev) ? ret : -ENODEV;
}

static void taken(struct pair_engine *e)
{
	struct pair_copy *c = &e->copy;
	const struct pair_dev *d = pair_dev_find(e, c->in_dev);
	struct pair_item *item;
	int ret;

	if (d && d->pair.mode == HF_PAIR_STOPPED && !hf_pair_takes_copy(&d->pair))
		return; /* of a pick that has been taken back */
	ret = install(e);
	if (ret < 0) {
		hf_error("bus: the copy of device %u cannot be installed: %s", c->in_dev,
			ret == -ENODEV ? "no such device here" : strerror(-ret));
		hf_links_drop(e->links, "a copied device cannot be installed");
		return;
	}
	item = pair_push(e, ITEM_PAIR, c->in_dev);
	item->pair.kind = HF_PAIR_INSTALLED;
	item->pair.n = c->in_n;
}

void pair_copy_receive(struct pair_engine *e, const uint8_t *buf, size_t len)
{
	struct pair_copy *c = &e->copy;
	struct hf_rd r = hf_rd_of(buf, len);
	uint32_t dev = hf_rd_u32(&r);
	uint64_t n = hf_rd_u64(&r);
	uint32_t total = hf_rd_u32(&r), at = hf_rd_u32(&r);
	size_t left = hf_rd_left(&r);

	if (e->view.view.state != HF_VIEW_JOINING && e->view.view.state != HF_VIEW_TOGETHER)
		return; /* of a join that has been given up */
	if (at == 0) {
		c->in_dev = dev;
		c->in_n = n;
		c->in_total = total;
		c->in_got = 0;
	}
	if (hf_rd_failed(&r) || total > SNAPSHOT_MAX || dev != c->in_dev || n != c->in_n ||
		total != c->in_total || at != c->in_got || left > total - at ||
		(left == 0 && total != 0)) {
		hf_links_drop(e->links, "a copy that does not fit together");
		return;
	}
	hf_rd_bytes(&r, e->taking + at, left);
	c->in_got += (uint32_t)left;
	if (c->in_got == c->in_total)
		taken(e);
}

void pair_copy_receive_end(struct pair_engine *e)
{
	pair_run(e); /* what has been installed shall count */
	e->copy.check_due = true;
	if (e->bus.owner_ops->check)
		e->bus.owner_ops->check(e->bus.owner);
	else
		pair_copy_checked(e);
}

/* No fence has hit this controller on its way here. */
void pair_copy_checked(struct pair_engine *e)
{
	struct pair_item *item;

	if (!e->copy.check_due)
		return; /* of a join that has been given up */
	e->copy.check_due = false;
	item = pair_push(e, ITEM_VIEW, 0);
	item->view.kind = HF_VIEW_INSTALLED;
	item->view.digest = pair_dev_digest(e);
	pair_run(e);
}

/* --- effects of the view machine --- */

static void send_view(struct pair_engine *e, const struct hf_view_msg *m)
{
	uint8_t buf[HF_VIEW_MSG_MAX];
	int n = hf_view_msg_encode(m, buf, sizeof(buf));

	hf_assert(n > 0);
	pair_engine_send(e, HF_BUS_PAIR_VIEW, NULL, 0, buf, (size_t)n);
}

/*
 * INV-5 (W13). While RACING or OUT the old limit stays: a loop that has not been told yet may still
 * take itself for a member's.
 */
void pair_view_valid(struct pair_engine *e)
{
	enum hf_view_state s = e->view.view.state;
	uint64_t until = HF_BUS_VALID_FOR_EVER;

	if (!e->view.fences || s == HF_VIEW_RACING || s == HF_VIEW_OUT)
		return;
	if (s == HF_VIEW_TOGETHER)
		until = e->heard_ns + e->config.silence_ms * UINT64_C(1000000);
	atomic_store_explicit(&e->bus.valid_until_ns, until, memory_order_relaxed);
}

static void changed(struct pair_engine *e)
{
	bool is_news = e->bus.view.state != e->view.view.state ||
		       strcmp(e->bus.view.why, e->view.view.why) != 0;

	e->bus.view = e->view.view;
	pair_view_valid(e);
	if (is_news)
		hf_notice("view: %s", e->bus.view.why);
	e->bus.owner_ops->view_changed(e->bus.owner, &e->bus.view);
}

static void write_record(struct pair_engine *e, const struct hf_view_record *r)
{
	int n = hf_view_record_encode(r, e->record, sizeof(e->record));

	hf_assert(n > 0);
	e->bus.owner_ops->view_write(e->bus.owner, e->record, (size_t)n);
}

static void link_lost(struct pair_engine *e)
{
	copy_stop(e);
	pair_dev_all(e, HF_PAIR_DOWN, 0);
	if (e->view.view.state == HF_VIEW_FROZEN)
		pair_dev_all(e, HF_PAIR_SET_MODE, HF_PAIR_FROZEN);
	else if (e->view.view.state == HF_VIEW_RACING)
		pair_dev_all(e, HF_PAIR_SET_MODE, HF_PAIR_WAIT);
}

/* Clocks of two machines may differ a little. */
static void wait_quiet(struct pair_engine *e)
{
	uint64_t t = e->config.silence_ms * UINT64_C(1000000);

	hf_timer_arm(e->loop, &e->quiet, hf_loop_clock_ns(e->loop) + t + t / 16);
}

static void perform(struct pair_engine *e, const struct hf_view_effect *f)
{
	const struct hf_bus_owner_ops *ops = e->bus.owner_ops;

	switch (f->kind) {
	case HF_VIEW_DO_READ:
		ops->view_read(e->bus.owner);
		return;
	case HF_VIEW_DO_WRITE:
		write_record(e, &f->record);
		return;
	case HF_VIEW_DO_LOAD:
		ops->load(e->bus.owner);
		return;
	case HF_VIEW_DO_REWRITE:
		if (ops->rewrite)
			ops->rewrite(e->bus.owner);
		else
			pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_REWRITTEN;
		return;
	case HF_VIEW_DO_DROP:
		copy_stop(e);
		pair_dev_all(e, HF_PAIR_DROP, 0);
		ops->drop(e->bus.owner);
		return;
	case HF_VIEW_DO_SEND:
		send_view(e, &f->msg);
		return;
	case HF_VIEW_DO_COPY:
		copy_start(e);
		return;
	case HF_VIEW_DO_DOWN:
		link_lost(e);
		return;
	case HF_VIEW_DO_GONE:
		copy_stop(e);
		pair_dev_all(e, HF_PAIR_GONE, 0);
		return;
	case HF_VIEW_DO_HEAL:
		pair_dev_all(e, HF_PAIR_SET_MODE, HF_PAIR_TOGETHER);
		pair_dev_all(e, HF_PAIR_UP, 0);
		return;
	case HF_VIEW_DO_CHANGED:
		changed(e);
		return;
	case HF_VIEW_DO_LEFT:
		e->left(e->left_arg);
		return;
	case HF_VIEW_DO_LOG:
		hf_warning("%s", f->sentence);
		return;
	case HF_VIEW_DO_FENCE:
		ops->fence(
			e->bus.owner, f->record.epoch, f->record.incarnations[e->config.peer_id]);
		return;
	case HF_VIEW_DO_MEND:
		if (!ops->fence_mend || ops->fence_mend(e->bus.owner))
			pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_MENDED;
		return;
	case HF_VIEW_DO_FENCE_END:
		if (ops->fence_end(e->bus.owner))
			pair_push(e, ITEM_VIEW, 0)->view.kind = HF_VIEW_FENCE_ENDED;
		return;
	case HF_VIEW_DO_QUIET:
		wait_quiet(e);
		return;
	case HF_VIEW_DO_DROP_LINK:
		if (e->links)
			hf_links_drop(e->links, f->sentence);
		return;
	}
}

void pair_view_dispatch(struct pair_engine *e, const struct hf_view_event *ev)
{
	struct hf_view_update u;

	hf_view_step(&e->view, ev, &u);
	for (unsigned i = 0; i < u.len; i++)
		perform(e, &u.effects[i]);
}

void pair_view_receive(struct pair_engine *e, const uint8_t *buf, size_t len)
{
	struct hf_view_msg m;
	struct pair_item *item;

	if (hf_view_msg_decode(buf, len, &m) < 0) {
		hf_links_drop(e->links, "a message about the view that cannot be read");
		return;
	}
	item = pair_push(e, ITEM_VIEW, 0);
	item->view.kind = HF_VIEW_RECEIVE;
	item->view.msg = &m;
	item->view.digest = e->copy.digest;
	pair_run(e); /* m does not outlive this call */
}
