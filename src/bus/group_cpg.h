/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The group under the group engine, by corosync: order and membership from a closed process group
 * (libcpg), quorum from votequorum, asked through libquorum, whose notification names the ring that
 * it is about. Connects when it can, and again when corosync comes back.
 */
#ifndef HF_GROUP_CPG_H
#define HF_GROUP_CPG_H

#include "group_net.h"
#include "loop.h"

/* Name of the process group: "holdfast:" and the cluster's name. Given to hf_bus_group_create();
 * then told whose it is with hf_group_cpg_attach(). NULL: out of memory. */
struct hf_group_net *hf_group_cpg_create(struct hf_loop *loop, const char *cluster);
void hf_group_cpg_attach(struct hf_group_net *net, struct hf_bus *bus);

#endif
