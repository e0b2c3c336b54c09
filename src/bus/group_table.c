/* SPDX-License-Identifier: BSD-3-Clause */
/* The devices of the group engine: their table. */
#include "group_int.h"
#include "spare.h"

#include <stdlib.h>

struct group_dev *group_dev_find(const struct group *g, uint32_t dev)
{
	struct group_dev *d = g->devs[dev % GROUP_BUCKETS];

	while (d && d->dev != dev)
		d = d->next;
	return d;
}

/*
 * A device that an agreed change of the pool creates is here and now on all controllers, with
 * nothing behind it; one that comes with the map of a newcomer, or at the start, has no state yet.
 */
int group_dev_add(struct group *g, uint32_t dev)
{
	struct group_dev *d = group_dev_find(g, dev), *pool;

	if (d)
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->g = g;
	d->dev = dev;
	hf_list_init(&d->queue);
	hf_list_init(&d->entries);
	hf_list_init(&d->range_queue);
	hf_list_init(&d->ranges);
	d->next = g->devs[dev % GROUP_BUCKETS];
	g->devs[dev % GROUP_BUCKETS] = d;
	if (g->applying_pool) {
		pool = group_dev_find(g, HF_BUS_DEV_POOL);
		d->mode = GROUP_DEV_LIVE;
		d->peers = pool->peers;
	}
	group_range_adopt(d);
	return 0;
}

/*
 * The pool's op may be settled elsewhere and still held here, for each is told of quorum in its own
 * time: so others have a device that this one is to get. What it has missed of that, nobody
 * repeats: neither an op, nor the cut with which it begins to wait for who joins.
 */
void group_dev_missed(struct group *g)
{
	const struct group_dev *pool = group_dev_find(g, HF_BUS_DEV_POOL);

	if (pool && pool->mode == GROUP_DEV_LIVE && pool->phase == HF_GROUP_HELD &&
		group_dev_is_agreed(pool))
		group_fall_out(g, "they go on with a device that it has not got yet");
}

void group_dev_free(struct group_dev *d)
{
	group_dev_clear_entries(d);
	free(d->cur);
	free(d->fold.op);
	group_range_free(d);
	free(d);
}

/* Its mode is REMOVED since the change of the pool; now that is over, it goes. */
void group_dev_removed(struct group *g, uint32_t dev)
{
	struct group_dev **at = &g->devs[dev % GROUP_BUCKETS], *d;

	while (*at && (*at)->dev != dev)
		at = &(*at)->next;
	d = *at;
	if (!d || d->mode != GROUP_DEV_REMOVED)
		return;
	group_dev_forget(d);
	group_dev_advance(d, NULL); /* answers what waits */
	group_range_remove(d);
	group_pick_end(d, -ENODEV);
	group_copy_let_go(d);
	*at = d->next;
	group_dev_free(d);
}

void group_dev_free_all(struct group *g)
{
	for (unsigned i = 0; i < GROUP_BUCKETS; i++) {
		while (g->devs[i]) {
			struct group_dev *d = g->devs[i];

			g->devs[i] = d->next;
			group_dev_free(d);
		}
	}
	group_range_forget_orphans(g);
}

/* The pool comes last: its op may rest on that of a device (S8). */
static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a - 1, y = *(const uint32_t *)b - 1;

	return x < y ? -1 : x > y;
}

void group_dev_each(struct group *g, void (*fn)(struct group_dev *d, void *arg), void *arg)
{
	size_t len = 0;
	uint32_t *ids;

	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		for (struct group_dev *d = g->devs[i]; d; d = d->next)
			len++;
	ids = hf_spare_malloc((len + 1) * sizeof(*ids));
	len = 0;
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		for (struct group_dev *d = g->devs[i]; d; d = d->next)
			ids[len++] = d->dev;
	qsort(ids, len, sizeof(*ids), by_id);
	for (size_t i = 0; i < len; i++) {
		struct group_dev *d = group_dev_find(g, ids[i]);

		if (d)
			fn(d, arg);
	}
	free(ids);
}

/* Also what is still to be proposed, as long as that can be. */
bool group_dev_any_own(struct group *g)
{
	bool in_touch = group_gate(g);

	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		for (struct group_dev *d = g->devs[i]; d; d = d->next)
			if (d->out_seq || (in_touch && d->mode == GROUP_DEV_LIVE &&
						  !hf_list_is_empty(&d->queue)))
				return true;
	return false;
}
