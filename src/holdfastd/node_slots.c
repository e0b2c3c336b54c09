/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * APTPL: what the voting disks keep of each device's reservations. Written before GOOD, read when
 * nobody has memory of them.
 */
#include "node.h"
#include "canary.h"
#include "log.h"
#include "spare.h"

#include <stdlib.h>

/* One slot I/O; its buffer belongs to whoever asked. */
struct slot_io {
	struct hf_record_io io;
	struct hf_list writes; /* hf_node.slot_writes */
	bool awaited;	       /* by hf_node_rewrite() */
	struct hf_node *node;
	struct hf_lu *lu;
	uint32_t dev;
	uint64_t drops; /* of the node, when it was asked for */
	uint8_t buf[];
};

static uint16_t slot_of(const struct hf_node *node, uint32_t dev)
{
	const struct hf_map_ldev *d = hf_map_find_id(node->pool.cur, dev);

	hf_assert(d);
	return d->slot;
}

static void slot_written(struct hf_record_io *io, int result)
{
	struct slot_io *s = hf_container_of(io, struct slot_io, io);

	if (result)
		hf_error("the persistent reservations of device %u could not be written to most "
			 "voting disks (%s): %s; check the disks",
			s->dev, strerror(-result),
			result == -EINPROGRESS
				? "what they have is not known, so it is written again until it is "
				  "there, and the command is not answered"
				: "the command fails and changes nothing, unless an earlier try "
				  "has left it in doubt");
	hf_list_remove(&s->writes);
	hf_lu_persisted(s->lu, result);
	if (s->awaited)
		hf_node_rewrite_part(s->node, result);
	free(s);
}

void hf_node_persist(void *arg, struct hf_lu *lu, uint32_t dev, uint8_t *buf, size_t len)
{
	struct hf_node *node = arg;
	struct slot_io *s = hf_spare_calloc(1, sizeof(*s));

	s->node = node;
	s->lu = lu;
	s->dev = dev;
	s->io = (struct hf_record_io){.kind = HF_RECORD_SLOT,
		.index = slot_of(node, dev),
		.owner = dev,
		.write = true,
		.buf = buf,
		.len = len,
		.done = slot_written};
	hf_list_push_back(&node->slot_writes, &s->writes);
	hf_pool_record_submit(node->disks, &s->io);
}

bool hf_node_await_slot(struct hf_node *node, uint32_t dev)
{
	hf_list_for_each (n, &node->slot_writes) {
		struct slot_io *s = hf_list_entry(n, struct slot_io, writes);

		if (s->dev != dev)
			continue;
		s->awaited = true;
		return true;
	}
	return false;
}

/* --- loading --- */

/*
 * Loads that fail, one after the other, before what cannot be read is lost. Each has read the view
 * record and the map first, so disks that give nothing at all are waited for and not counted.
 */
enum { TRIES = 5 };

void hf_node_slots_checked(struct hf_node *node)
{
	int result = node->load_result;

	if (!result && node->load_unread)
		result = -EIO;
	if (!node->load_result)
		node->load_tries = result ? node->load_tries + 1 : 0;
	node->bus->ops->loaded(node->bus, result);
}

static void load_step(struct hf_node *node, int result)
{
	node->load_failed |= result < 0;
	if (--node->loading)
		return;
	if (node->load_again) {
		hf_node_slots_load(node);
		return;
	}
	if (node->load_failed && node->fence && !HF_PLANTED(LOAD_SHUT_OUT)) {
		/* What a fence keeps from this controller is not lost: it ends then (W9). */
		node->load_checks = true;
		hf_fence_check(node->fence);
		return;
	}
	hf_node_slots_checked(node);
}

/* Most voting disks do not answer for the slot, or did not take it; they may yet. */
static bool is_waited_for(const struct hf_node *node, int result)
{
	return (result == -EIO || result == -EINPROGRESS) && node->load_tries < TRIES &&
	       !HF_PLANTED(LOAD_SHUT_OUT);
}

static void give_to_lu(struct slot_io *s, int result)
{
	struct hf_lu_status status;

	if (result < 0)
		hf_error("the persistent reservations of device %u cannot be read (%s): it answers "
			 "\"reservation information lost\" until a host replaces them or "
			 "`holdfast reservation break` clears them",
			s->dev, strerror(-result));
	if (hf_lu_status(s->node->lus, s->dev, &status))
		hf_lu_load(s->node->lus, s->dev, s->buf, result);
}

static void slot_loaded(struct slot_io *s, int result)
{
	struct hf_node *node = s->node;

	if (s->drops != node->drops) {
		; /* another one has loaded, and what this one has now was copied */
	} else if (is_waited_for(node, result)) {
		hf_warning("the persistent reservations of device %u cannot be read from most "
			   "voting disks (%s); they are read again",
			s->dev, strerror(-result));
		node->load_unread = true;
	} else {
		give_to_lu(s, result);
	}
	free(s);
	load_step(node, result);
}

static void slot_rewritten(struct hf_record_io *io, int result)
{
	struct slot_io *s = hf_container_of(io, struct slot_io, io);

	slot_loaded(s, result ? result : (int)io->len);
}

/*
 * A controller died while it wrote: what was read stands on fewer than most disks, or what it wrote
 * stands on a disk that is missing. Once hosts have seen the one, the other must not come up at the
 * next start, when other disks are missing.
 */
static void slot_read(struct hf_record_io *io, int result)
{
	struct slot_io *s = hf_container_of(io, struct slot_io, io);

	/* Dropped meanwhile: another one has loaded, and writes. */
	if (result < 0 || !io->scattered || s->drops != s->node->drops) {
		slot_loaded(s, result);
		return;
	}
	io->write = true;
	io->len = (size_t)result;
	io->done = slot_rewritten;
	hf_pool_record_submit(s->node->disks, io);
}

static void load_slots(struct hf_node *node)
{
	for (unsigned i = 0; i < node->pool.cur->ldevs_len; i++) {
		const struct hf_map_ldev *d = &node->pool.cur->ldevs[i];
		struct slot_io *s =
			hf_spare_calloc(1, sizeof(*s) + hf_record_capacity(HF_RECORD_SLOT));

		s->node = node;
		s->drops = node->drops;
		s->dev = d->id;
		s->io = (struct hf_record_io){.kind = HF_RECORD_SLOT,
			.index = d->slot,
			.owner = d->id,
			.buf = s->buf,
			.len = hf_record_capacity(HF_RECORD_SLOT),
			.done = slot_read};
		node->loading++;
		hf_pool_record_submit(node->disks, &s->io);
	}
}

static void map_loaded(struct hf_node *node, int result)
{
	if (result == 0 || (result != -ECANCELED && HF_PLANTED(LOAD_SHUT_OUT)))
		load_slots(node);
	else if (result != -ECANCELED)
		node->load_result = result;
	load_step(node, node->load_result);
}

/* Nobody has memory of the reservations and this controller is to load them (S9). */
void hf_node_slots_load(void *owner)
{
	struct hf_node *node = owner;

	node->load_again = node->loading != 0;
	if (node->load_again)
		return;
	node->loading = 1;
	node->load_failed = node->load_checks = node->load_unread = false;
	node->load_result = 0;
	hf_node_pool_reload(node, map_loaded);
}
