/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The choice of a bus engine, and the only place that knows which one it is. Everything else in the
 * daemon speaks bus.h.
 */
#include "node.h"
#include "group_bus.h"
#include "pair_bus.h"

#include <stdio.h>

static unsigned addresses(
	struct hf_bus_address *to, const struct hf_config_address *from, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		memcpy(&to[i].addr, &from[i].sa, from[i].len);
		to[i].len = from[i].len;
	}
	return len;
}

static int create_pair(struct hf_node *node, char *message, size_t message_len)
{
	const struct hf_config *c = node->config;
	const struct hf_config_controller *self = c->self;
	struct hf_bus_pair_config bc = {
		.id = self->id,
		.incarnation = node->incarnation,
		.born_s = node->born_s,
		.config_digest = hf_config_digest(c),
		.fence = c->on_peer_loss == HF_CONFIG_FENCE,
		.key = c->bus_key,
		.key_len = c->bus_key_len,
		.silence_ms = c->silence_ms,
		.beat_ms = c->heartbeat_ms,
		.bound_ms = c->bound_ms,
		.retry_ms = c->retry_ms,
	};

	hf_assert(c->controllers_len <= 2); /* the configuration is checked */
	if (c->controllers_len == 2) {
		const struct hf_config_controller *peer =
			&c->controllers[self == &c->controllers[0]];

		bc.peer_id = peer->id;
		bc.listen_len =
			self->bus_listen_len
				? addresses(bc.listen, self->bus_listen, self->bus_listen_len)
				: addresses(bc.listen, self->bus, self->bus_len);
		bc.peer_len = addresses(bc.peer, peer->bus, peer->bus_len);
	}
	hf_cluster_id(c->cluster, bc.cluster);
	return hf_bus_pair_create(
		&bc, node->loops[0], &hf_node_bus_ops, node, &node->bus, message, message_len);
}

static int create_group(struct hf_node *node, char *message, size_t message_len)
{
	const struct hf_config *c = node->config;
	struct hf_bus_group_config bc = {
		.id = c->self->id,
		.incarnation = node->incarnation,
		.config_digest = hf_config_digest(c),
		.bound_ms = c->bound_ms,
		.stop_without_quorum = c->stop_without_quorum,
		.fence = c->on_peer_loss == HF_CONFIG_FENCE,
		.gives_up = c->on_peer_loss == HF_CONFIG_FENCE &&
			    c->fence.driver == HF_CONFIG_FENCE_LEASE,
	};
	struct hf_group_net *net;
	int rc = hf_node_group_create(node, &net, message, message_len);

	if (rc)
		return rc;
	if (bc.fence && c->fence.driver == HF_CONFIG_FENCE_PR)
		bc.silence_ms = c->silence_ms;
	hf_cluster_id(c->cluster, bc.cluster);
	rc = hf_bus_group_create(
		&bc, node->loops[0], net, &hf_node_bus_ops, node, &node->bus, message, message_len);
	if (rc) {
		net->ops->destroy(net);
		return rc;
	}
	hf_node_group_attach(net, node->bus);
	return 0;
}

int hf_node_bus_create(struct hf_node *node, char *message, size_t message_len)
{
	int rc = node->config->bus == HF_CONFIG_BUS_COROSYNC
			 ? create_group(node, message, message_len)
			 : create_pair(node, message, message_len);

	if (!rc)
		hf_lu_set_bus(node->lus, node->bus);
	return rc;
}

/* The links of the pair, towards the controller; other engines have none of their own. */
void hf_node_bus_links(struct hf_node *node, const struct hf_config_controller *c,
	void (*each)(void *arg, const char *address, bool up), void *arg)
{
	struct hf_bus_pair_status s;

	if (node->config->bus != HF_CONFIG_BUS_PAIR)
		return;
	hf_bus_pair_status(node->bus, &s);
	for (unsigned i = 0; i < s.links_len; i++)
		each(arg, s.links[i].address, s.links[i].up);
}
