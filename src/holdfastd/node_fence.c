/* SPDX-License-Identifier: BSD-3-Clause */
/* Policy fence: the fence that the configuration names, and what it tells the bus. */
#include "node.h"

static void done(void *owner, int result, const char *why)
{
	struct hf_node *node = owner;

	node->bus->ops->fenced(node->bus, result, why);
}

static const struct hf_fence_ops ops = {.done = done};

int hf_node_fence_create(struct hf_node *node, char *message, size_t message_len)
{
	const struct hf_config *c = node->config;
	const struct hf_config_controller *peer = &c->controllers[c->self == &c->controllers[0]];
	struct hf_fence_config fc = {.id = c->self->id, .command_ms = c->fence.command_ms};

	if (c->on_peer_loss != HF_CONFIG_FENCE || c->controllers_len < 2)
		return 0;
	fc.peer_id = peer->id;
	for (unsigned i = 0; i < peer->fence_args_len; i++)
		fc.args[i] = peer->fence_args[i];
	return hf_fence_create(
		&fc, node->loops[0], node->disks, &ops, node, &node->fence, message, message_len);
}
