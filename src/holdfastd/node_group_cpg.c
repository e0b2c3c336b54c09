/* SPDX-License-Identifier: BSD-3-Clause */
/* The group of the bus corosync: libcpg's, when this program was built with it. */
#include "node.h"

#include <stdio.h>

#ifdef HF_WITH_COROSYNC

#include "group_cpg.h"

int hf_node_group_create(
	struct hf_node *node, struct hf_group_net **ret, char *message, size_t message_len)
{
	*ret = hf_group_cpg_create(node->loops[0], node->config->cluster);
	if (*ret)
		return 0;
	snprintf(message, message_len, "out of memory");
	return -ENOMEM;
}

void hf_node_group_attach(struct hf_group_net *net, struct hf_bus *bus)
{
	hf_group_cpg_attach(net, bus);
}

#else

int hf_node_group_create(
	struct hf_node *node, struct hf_group_net **ret, char *message, size_t message_len)
{
	snprintf(message, message_len,
		"the bus is corosync, and this program was built without it; install libcpg-dev "
		"and "
		"libquorum-dev, and build again");
	return -ENOTSUP;
}

void hf_node_group_attach(struct hf_group_net *net, struct hf_bus *bus)
{
}

#endif
