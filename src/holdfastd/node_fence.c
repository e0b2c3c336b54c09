/* SPDX-License-Identifier: BSD-3-Clause */
/* Policy fence: the fence that the configuration names, and what it tells the bus. */
#include "node.h"
#include "log.h"
#include "pr.h"

#include <stdio.h>

static void done(void *owner, int result, const char *why)
{
	struct hf_node *node = owner;

	if (result == -EPERM && node->config->fence.driver == HF_CONFIG_FENCE_PR) {
		/* Never registers again (W9): the next incarnation does, with nothing in flight. */
		hf_error("fenced: %s; this daemon ends; started again it joins anew", why);
		hf_node_end_fenced();
		return;
	}
	node->bus->ops->fenced(node->bus, result, why);
}

static void stop_if_on(
	struct hf_node *node, const struct hf_map_ldev *d, const struct hf_node_unfenced *u)
{
	const struct hf_extent *extents = &node->pool.cur->extents[d->first_extent];
	char why[HF_LU_STOP_WHY_MAX];
	bool on_it = false;

	for (unsigned i = 0; i < d->extents_len; i++)
		on_it |= node->pdevs[extents[i].pdev] == u->pdev;
	if (!on_it)
		return;
	snprintf(why, sizeof(why),
		"the other controller may still write to disk %s, which could not be fenced; mend "
		"it and start this daemon again",
		u->disk);
	hf_error("device %s is not served: %s", d->name, why);
	hf_lu_stop(node->lus, d->id, HF_LU_STOP_UNFENCED, why);
}

void hf_node_fence_stop_device(struct hf_node *node, const struct hf_map_ldev *d)
{
	for (unsigned i = 0; i < node->unfenced_len; i++)
		stop_if_on(node, d, &node->unfenced[i]);
}

/* The map may change yet: an op that is pending goes forward after this. */
static const struct hf_node_unfenced *remember(
	struct hf_node *node, const struct hf_pdev *pdev, const char *disk)
{
	struct hf_node_unfenced *u = node->unfenced;

	while (u < node->unfenced + node->unfenced_len && u->pdev != pdev)
		u++;
	if (u == node->unfenced + node->unfenced_len) {
		hf_assert(node->unfenced_len < HF_ARRAY_LEN(node->unfenced));
		node->unfenced_len++;
	}
	*u = (struct hf_node_unfenced){.pdev = pdev, .disk = disk};
	return u;
}

static void unfenced(void *owner, struct hf_pdev *pdev, const char *disk)
{
	struct hf_node *node = owner;
	const struct hf_node_unfenced *u = remember(node, pdev, disk);

	for (unsigned i = 0; i < node->pool.cur->ldevs_len; i++)
		stop_if_on(node, &node->pool.cur->ldevs[i], u);
}

static void stops_are_seen(void *arg)
{
	struct hf_node *node = arg;

	if (node->bus)
		node->bus->ops->mended(node->bus);
}

/* What is not served is not served on any loop before the view goes on. */
static void mended(void *owner)
{
	struct hf_node *node = owner;

	hf_lu_await_changes(node->lus, stops_are_seen, node);
}

bool hf_node_fence_mend(struct hf_node *node)
{
	if (!node->fence)
		return true;
	if (hf_fence_mend(node->fence))
		mended(node);
	return false;
}

static void ended(void *owner)
{
	struct hf_node *node = owner;

	node->bus->ops->fence_ended(node->bus);
}

static void checked(void *owner)
{
	struct hf_node *node = owner;

	/* One look may be for both: a request while one is out is merged with it. */
	if (node->load_checks) {
		node->load_checks = false;
		hf_node_slots_checked(node);
	}
	node->bus->ops->checked(node->bus);
}

static const struct hf_fence_ops ops = {
	.done = done, .unfenced = unfenced, .mended = mended, .ended = ended, .checked = checked};

static uint64_t key_of(const struct hf_node *node)
{
	return hf_pr_key(node->config->cluster, node->config->self->id, node->incarnation);
}

static int enter(void *arg, struct hf_pdev *pdev, char *message, size_t message_len)
{
	struct hf_node *node = arg;

	return hf_fence_enter_disk(node->loops[0], pdev, key_of(node), message, message_len);
}

bool hf_node_fence_guard(struct hf_node *node, struct hf_pool_guard *ret)
{
	const struct hf_config *c = node->config;

	*ret = (struct hf_pool_guard){.enter = enter, .arg = node};
	return c->on_peer_loss == HF_CONFIG_FENCE && c->fence.driver == HF_CONFIG_FENCE_PR;
}

void hf_node_fence_ids(
	struct hf_node *node, uint64_t epoch, uint32_t ids, const uint64_t *incarnations)
{
	const struct hf_config *c = node->config;
	struct hf_fence_victim victims[HF_CONTROLLERS_MAX];
	unsigned len = 0;

	if (!node->fence_each) {
		hf_fence_start_ids(node->fence, epoch, ids, incarnations);
		return;
	}
	for (unsigned i = 0; i < c->controllers_len; i++)
		if (ids >> c->controllers[i].id & 1)
			victims[len++] = (struct hf_fence_victim){c->controllers[i].id,
				(const char *const *)c->controllers[i].fence_args};
	if (len)
		hf_fence_each_start(node->fence_each, victims, len, c->fence.command_ms);
}

int hf_node_fence_create(struct hf_node *node, char *message, size_t message_len)
{
	const struct hf_config *c = node->config;
	const struct hf_config_controller *peer = &c->controllers[c->self == &c->controllers[0]];
	struct hf_fence_config fc = {
		.id = c->self->id, .command_ms = c->fence.command_ms, .key = key_of(node)};

	if (c->on_peer_loss != HF_CONFIG_FENCE || c->controllers_len < 2)
		return 0;
	if (c->bus == HF_CONFIG_BUS_COROSYNC && c->fence.driver == HF_CONFIG_FENCE_COMMAND)
		return hf_fence_each_create(node->loops[0], &ops, node, &node->fence_each);
	fc.kind = c->fence.driver == HF_CONFIG_FENCE_PR	     ? HF_FENCE_PR
		  : c->fence.driver == HF_CONFIG_FENCE_LEASE ? HF_FENCE_LEASE
							     : HF_FENCE_COMMAND;
	fc.watchdog = c->fence.watchdog;
	fc.watchdog_ms = c->fence.watchdog_ms;
	fc.path_ms = c->fence.path_ms;
	fc.incarnation = node->incarnation;
	for (unsigned i = 0; i < c->controllers_len; i++)
		if (&c->controllers[i] != c->self)
			fc.others |= 1u << c->controllers[i].id;
	if (c->bus == HF_CONFIG_BUS_PAIR)
		fc.peer_id = peer->id;
	for (unsigned i = 0; i < peer->fence_args_len && fc.peer_id; i++)
		fc.args[i] = peer->fence_args[i];
	return hf_fence_create(
		&fc, node->loops[0], node->disks, &ops, node, &node->fence, message, message_len);
}
