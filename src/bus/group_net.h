/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seam under the group engine: a group of processes that all see the same messages in the same
 * order, and the same changes of membership at the same places in it. group_cpg.c has corosync
 * behind it, the simulator and the tests a bus of their own.
 *
 * What an implementation promises (extended virtual synchrony, as corosync's closed process groups
 * keep it with CPG_TYPE_AGREED):
 *  - what one member sends arrives at all members of its part of the network, itself included, in
 *    one order; hf_group_members() stands at one place in that order for all who go on together;
 *  - messages sent before a change and not delivered by then may come after it, or never;
 *  - parts that lose each other may have delivered different messages at the end. No member may
 *    conclude from a delivery that others have it, too (W21);
 *  - hf_group_ring() is told with or after every change of the network, at one place in the order
 *    for all who end up in that ring, even where the change of members itself is lost (corosync,
 *    broken off twice as it synchronizes); hf_group_quorum() at any time: the two are not ordered
 *    to each other, the ring they name is (W22).
 */
#ifndef HF_GROUP_NET_H
#define HF_GROUP_NET_H

#include "bus.h"

struct hf_group_proc {
	uint32_t node, pid;
};

struct hf_group_ring {
	uint32_t node;
	uint64_t seq;
};

static inline bool hf_group_proc_equal(const struct hf_group_proc *a, const struct hf_group_proc *b)
{
	return a->node == b->node && a->pid == b->pid;
}

static inline bool hf_group_ring_equal(const struct hf_group_ring *a, const struct hf_group_ring *b)
{
	return a->node == b->node && a->seq == b->seq;
}

struct hf_group_net;

struct hf_group_net_ops {
	/* Asks to become a member; hf_group_members() follows, sooner or later. Also after a
	 * hf_group_lost(): from then on it tries by itself. */
	void (*join)(struct hf_group_net *net);
	/* No longer a member, nothing is delivered any more, no hf_group_lost() either. */
	void (*leave)(struct hf_group_net *net);
	/* Copied, never fails, never delivers from inside the call. What has not left when the
	 * group is lost is forgotten. */
	void (*send)(struct hf_group_net *net, const void *head, size_t head_len, const void *body,
		size_t body_len);
	size_t (*backlog_bytes)(const struct hf_group_net *net); /* sent, and not yet taken */
	void (*destroy)(struct hf_group_net *net);
};

struct hf_group_net {
	const struct hf_group_net_ops *ops;
};

#endif
