/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is agreed on, written out again: another controller has gone on beside this one for a while,
 * and on the voting disks lies what either wrote last. Before that one is let in they have to say
 * what this one has: the map, a slot for each device, and nothing in the slots of no device.
 *
 * What is being written for a pending op needs no second write: it is waited for. Slots go out a
 * few at a time, so that ops that want theirs written do not wait behind all of them.
 */
#include "node.h"
#include "map.h"
#include "spare.h"

#include <stdlib.h>

enum { AT_A_TIME = 4 };

/* One record; its content follows. */
struct rewrite_io {
	struct hf_record_io io;
	struct hf_node *node;
	uint8_t buf[];
};

static void next_slot(struct hf_node *node);

void hf_node_rewrite_part(struct hf_node *node, int result)
{
	struct hf_node_rewrite *r = &node->rewrite;

	hf_assert(r->parts);
	if (result < 0)
		r->result = result;
	r->parts--;
	next_slot(node);
	if (!r->parts)
		node->bus->ops->rewritten(node->bus, r->result);
}

static void written(struct hf_record_io *io, int result)
{
	struct rewrite_io *w = hf_container_of(io, struct rewrite_io, io);
	struct hf_node *node = w->node;

	free(w);
	/* -EINVAL: a slot that no device can have, for a disk that the map does not know yet is
	 * smaller. */
	hf_node_rewrite_part(node, result == -EINVAL ? 0 : result);
}

static void submit(struct hf_node *node, enum hf_record_kind kind, uint32_t index, uint32_t owner,
	struct rewrite_io *w, size_t len)
{
	w->node = node;
	w->io = (struct hf_record_io){.kind = kind,
		.index = index,
		.owner = owner,
		.write = true,
		.buf = w->buf,
		.len = len,
		.done = written};
	node->rewrite.parts++;
	hf_pool_record_submit(node->disks, &w->io);
}

static struct rewrite_io *io_create(enum hf_record_kind kind)
{
	return hf_spare_calloc(1, sizeof(struct rewrite_io) + hf_record_capacity(kind));
}

static void rewrite_map(struct hf_node *node)
{
	const struct hf_node_pool *p = &node->pool;
	struct rewrite_io *w;
	int len;

	if (p->writing) {
		node->rewrite.map_awaited = true;
		node->rewrite.parts++;
		return;
	}
	if (p->pending && p->persisted)
		return;
	w = io_create(HF_RECORD_MAP);
	len = hf_map_encode(p->cur, w->buf, hf_record_capacity(HF_RECORD_MAP));
	hf_assert(len > 0);
	submit(node, HF_RECORD_MAP, 0, 0, w, (size_t)len);
}

static uint32_t device_of_slot(const struct hf_node *node, unsigned slot)
{
	const struct hf_map *map = node->pool.cur;

	for (unsigned i = 0; i < map->ldevs_len; i++)
		if (map->ldevs[i].slot == slot)
			return map->ldevs[i].id;
	return 0;
}

static void rewrite_slot(struct hf_node *node, unsigned slot)
{
	uint32_t dev = device_of_slot(node, slot);
	struct rewrite_io *w;
	int len = 0;

	if (dev && hf_node_await_slot(node, dev)) {
		node->rewrite.parts++;
		return;
	}
	w = io_create(HF_RECORD_SLOT);
	if (dev)
		len = hf_lu_bus_slot(node->lus, dev, w->buf, hf_record_capacity(HF_RECORD_SLOT));
	if (len >= 0)
		submit(node, HF_RECORD_SLOT, slot, dev, w, (size_t)len);
	else
		free(w);
}

static void next_slot(struct hf_node *node)
{
	struct hf_node_rewrite *r = &node->rewrite;

	while (r->parts < AT_A_TIME && r->next_slot < r->slots)
		rewrite_slot(node, r->next_slot++);
}

void hf_node_rewrite(void *owner)
{
	struct hf_node *node = owner;
	struct hf_node_rewrite *r = &node->rewrite;

	hf_assert(!r->parts);
	*r = (struct hf_node_rewrite){.slots = hf_map_slots(node->pool.cur), .parts = 1};
	rewrite_map(node);
	hf_node_rewrite_part(node, 0);
}
