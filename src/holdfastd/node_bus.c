/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bus owner: hands what the engine asks to the pool (device 0) or to the logical units, and
 * keeps the view record on the voting disks.
 */
#include "node.h"
#include "log.h"

#include <stdio.h>

static enum hf_bus_look look(void *owner, uint32_t dev, const void *op, size_t len)
{
	struct hf_node *node = owner;

	return dev == HF_BUS_DEV_POOL ? hf_node_pool_look(node, op, len)
				      : hf_lu_bus_look(node->lus, dev, op, len);
}

static uint64_t digest(void *owner, uint32_t dev)
{
	struct hf_node *node = owner;

	return dev == HF_BUS_DEV_POOL ? node->pool.digest : hf_lu_bus_digest(node->lus, dev);
}

static void hold(void *owner, uint32_t dev, uint64_t n, const void *op, size_t len, bool mine)
{
	struct hf_node *node = owner;

	if (dev == HF_BUS_DEV_POOL)
		hf_node_pool_hold(node, n, op, len);
	else
		hf_lu_bus_hold(node->lus, dev, n, op, len);
}

static void unhold(void *owner, uint32_t dev, uint64_t n)
{
	struct hf_node *node = owner;

	if (dev == HF_BUS_DEV_POOL)
		hf_node_pool_unhold(node, n);
	else
		hf_lu_bus_unhold(node->lus, dev, n);
	hf_node_settled(node);
}

static void persist(void *owner, uint32_t dev, uint64_t n)
{
	struct hf_node *node = owner;

	if (dev == HF_BUS_DEV_POOL)
		hf_node_pool_persist(node, n);
	else
		hf_lu_bus_persist(node->lus, dev, n);
}

static void apply(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	struct hf_node *node = owner;

	if (dev == HF_BUS_DEV_POOL)
		hf_node_pool_apply(node, n);
	else
		hf_lu_bus_apply(node->lus, dev, n);
	hf_node_settled(node);
}

static void answer(void *owner, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	struct hf_node *node = owner;

	if (prop->dev == HF_BUS_DEV_POOL)
		hf_node_pool_answer(node, prop, how);
	else
		hf_lu_bus_answer(node->lus, prop, how);
}

static void doubt(void *owner, struct hf_bus_prop *prop)
{
	struct hf_node *node = owner;

	/* A change of the pool has a patient asker: the tool waits. */
	if (prop->dev != HF_BUS_DEV_POOL)
		hf_lu_bus_doubt(node->lus, prop);
}

static void stopped(void *owner, uint32_t dev, const char *why)
{
	struct hf_node *node = owner;

	const struct hf_map_ldev *d = hf_map_find_id(node->pool.cur, dev);
	char text[HF_LU_STOP_WHY_MAX];

	if (dev == HF_BUS_DEV_POOL) {
		hf_error("the map of the pool is stopped: %s; it does not change until all "
			 "controllers have been stopped and started again",
			why);
		return;
	}
	snprintf(text, sizeof(text),
		"the controllers' states differ (%s); it answers NOT READY until `holdfast "
		"reservation pick` has been said at the one whose state counts",
		why);
	hf_error("device %s is stopped: %s", d ? d->name : "?", text);
	hf_lu_stop(node->lus, dev, HF_LU_STOP_STATES, text);
}

static void pick(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	struct hf_node *node = owner;

	if (dev == HF_BUS_DEV_POOL)
		node->bus->ops->pick_done(node->bus, dev, n, -EINVAL);
	else
		hf_lu_bus_pick(node->lus, dev, n, mine);
}

static void resumed(void *owner, uint32_t dev)
{
	struct hf_node *node = owner;
	const struct hf_map_ldev *d = hf_map_find_id(node->pool.cur, dev);

	hf_notice("device %s goes on: the controllers' states are the same again",
		d ? d->name : "of the pool");
	if (dev != HF_BUS_DEV_POOL)
		hf_lu_resume(node->lus, dev, HF_LU_STOP_STATES);
}

/* --- ranges --- */

static void range_hold(void *owner, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks)
{
	hf_lu_bus_range_hold(((struct hf_node *)owner)->lus, dev, id, lba, blocks);
}

static void range_unhold(void *owner, uint32_t dev, uint64_t id)
{
	hf_lu_bus_range_unhold(((struct hf_node *)owner)->lus, dev, id);
}

static void range_doubt(void *owner, uint32_t dev, uint64_t id)
{
	hf_lu_bus_range_doubt(((struct hf_node *)owner)->lus, dev, id);
}

/* --- whole states --- */

static uint32_t next_dev(void *owner, uint32_t after)
{
	return hf_lu_bus_next_dev(((struct hf_node *)owner)->lus, after);
}

static int snapshot(void *owner, uint32_t dev, uint8_t *buf, size_t cap)
{
	struct hf_node *node = owner;

	return dev == HF_BUS_DEV_POOL ? hf_map_encode(node->pool.cur, buf, cap)
				      : hf_lu_bus_snapshot(node->lus, dev, buf, cap);
}

static int install(void *owner, uint32_t dev, const uint8_t *buf, size_t len)
{
	struct hf_node *node = owner;

	return dev == HF_BUS_DEV_POOL ? hf_node_pool_install(node, buf, len)
				      : hf_lu_bus_install(node->lus, dev, buf, len);
}

static void drop(void *owner)
{
	struct hf_node *node = owner;

	node->pool.pending = false;
	node->drops++;
	hf_lu_bus_drop(node->lus);
	hf_node_settled(node);
}

/* --- the view record --- */

static void view_io_done(struct hf_record_io *io, int result)
{
	struct hf_node *node = hf_container_of(io, struct hf_node, view_record);

	if (result < 0 && node->fence)
		hf_fence_look(node->fence);
	node->bus->ops->view_io_done(node->bus, node->view_buf, result);
}

static void view_read(void *owner)
{
	struct hf_node *node = owner;

	node->view_record = (struct hf_record_io){.kind = HF_RECORD_VIEW,
		.buf = node->view_buf,
		.len = hf_record_capacity(HF_RECORD_VIEW),
		.done = view_io_done};
	hf_pool_record_submit(node->disks, &node->view_record);
}

static void view_write(void *owner, const uint8_t *record, size_t len)
{
	struct hf_node *node = owner;

	hf_assert(len <= sizeof(node->view_buf));
	memcpy(node->view_buf, record, len);
	node->view_record = (struct hf_record_io){.kind = HF_RECORD_VIEW,
		.write = true,
		.buf = node->view_buf,
		.len = len,
		.done = view_io_done};
	hf_pool_record_submit(node->disks, &node->view_record);
}

static void view_changed(void *owner, const struct hf_view *view)
{
	hf_node_view_changed(owner, view);
}

/* --- the fence (policy fence) --- */

static void fence(void *owner, uint64_t epoch, uint64_t peer_incarnation)
{
	struct hf_node *node = owner;

	hf_fence_start(
		node->fence, epoch, peer_incarnation, node->bus->view.state == HF_VIEW_STARTING);
}

static bool fence_end(void *owner)
{
	struct hf_node *node = owner;

	if (!node->fence_each)
		return hf_fence_end(node->fence);
	hf_fence_each_end(node->fence_each);
	return true;
}

static bool fence_mend(void *owner)
{
	return hf_node_fence_mend(owner);
}

static void fence_ids(void *owner, uint64_t epoch, uint32_t ids, const uint64_t *incarnations)
{
	hf_node_fence_ids(owner, epoch, ids, incarnations);
}

static void check(void *owner)
{
	struct hf_node *node = owner;

	if (node->fence)
		hf_fence_check(node->fence);
	else
		node->bus->ops->checked(node->bus);
}

void hf_node_bus_destroy(struct hf_node *node)
{
	if (!node->bus)
		return;
	/* The loop runs on, in the engine's last moments and while the fence leaves: what is out
	 * ends meanwhile, and may look neither at the engine nor at an op of it. */
	hf_lu_set_bus(node->lus, NULL);
	node->bus->ops->destroy(node->bus);
	node->bus = NULL;
	hf_pool_forget_records(node->disks);
}

const struct hf_bus_owner_ops hf_node_bus_ops = {
	.look = look,
	.digest = digest,
	.hold = hold,
	.unhold = unhold,
	.persist = persist,
	.apply = apply,
	.answer = answer,
	.doubt = doubt,
	.stopped = stopped,
	.pick = pick,
	.resumed = resumed,
	.range_hold = range_hold,
	.range_unhold = range_unhold,
	.range_doubt = range_doubt,
	.next_dev = next_dev,
	.snapshot = snapshot,
	.install = install,
	.load = hf_node_slots_load,
	.rewrite = hf_node_rewrite,
	.drop = drop,
	.view_read = view_read,
	.view_write = view_write,
	.view_changed = view_changed,
	.fence = fence,
	.fence_end = fence_end,
	.fence_mend = fence_mend,
	.fence_ids = fence_ids,
	.check = check,
};
