/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bus engine for two to sixteen controllers (bus.h) over a group of processes with one order of
 * messages (group_net.h). Everything that decides is here and pure; group_cpg.c has corosync.
 *
 *	group.c		creation, the calls of bus.h, one queue of events, time
 *	group_view.c	membership, generations, quorum, the view record, who joins and leaves
 *	group_fence.c	policy fence: who is missing is fenced, who may have been hit looks
 *	group_sync.c	a new generation: what each remembers, and what follows from it per device
 *	group_dev.c	one device: the order of ops, hold, acknowledge, settle, cancel
 *	group_copy.c	copying the devices to newcomers
 *	group_range.c	ranges for COMPARE AND WRITE
 *	group_msg.c	the messages as bytes
 *
 * The protocol of one device (doc/group-protocol.md tells it, and why):
 *
 *	propose --> all: at its turn, look: change -> hold, drain --> ack from all --> settled
 *	                 \                                        \-> nack from one -> dropped by
 *all
 *	                  \-> nothing to change: answered
 *
 * An op's turn is its place in the order of messages. A turn ends where the acknowledgements of all
 * who serve the device have been delivered (INV-3): at one place in that order for all. When the
 * membership changes, all that is open is dropped but for the op that is held; a new generation
 * begins, each says what it remembers, and the held op goes forward, or is dropped by all (W21).
 */
#ifndef HF_GROUP_BUS_H
#define HF_GROUP_BUS_H

#include "group_net.h"
#include "handshake.h"
#include "loop.h"

struct hf_bus_group_config {
	uint8_t id;
	uint8_t cluster[HF_CLUSTER_ID_BYTES];
	uint64_t incarnation;	/* new at every start, not 0 */
	uint64_t config_digest; /* of what must be equal on all */
	uint32_t bound_ms;	/* 0: 2500 */
	bool fence; /* the part with quorum makes the missing unable to serve; else: all freeze */
	/* With fence: out of quorum it gives up, for good in this epoch, what lets it serve
	 * (lease): every generation has an epoch of its own. */
	bool gives_up;
	/*
	 * With fence, where who is fenced may go on running (pr): so long after its last sign of
	 * life from the group it answers nothing any more (INV-5), and so long the part with quorum
	 * waits before it goes on. 0: no such limit.
	 */
	uint32_t silence_ms;
	bool stop_without_quorum; /* serve nothing while the part has no quorum; else: freeze */
};

/* net is taken over; its join() is called when the loop runs. */
int hf_bus_group_create(const struct hf_bus_group_config *cfg, struct hf_loop *control,
	struct hf_group_net *net, const struct hf_bus_owner_ops *ops, void *owner,
	struct hf_bus **ret, char *message, size_t len);

/* --- what the net tells; never from inside a call of its ops --- */

void hf_group_members(struct hf_bus *bus, struct hf_group_proc self,
	const struct hf_group_proc *members, unsigned len);
void hf_group_ring(struct hf_bus *bus, struct hf_group_ring ring);
void hf_group_quorum(struct hf_bus *bus, struct hf_group_ring ring, bool quorate);
void hf_group_deliver(
	struct hf_bus *bus, struct hf_group_proc from, const uint8_t *msg, size_t len);
/* So long nothing is delivered when a node is lost, by what the net is set to. False: bound_ms is
 * too short for that, and it has been said. */
bool hf_group_stalls(struct hf_bus *bus, uint32_t ms);
/*
 * Does each half of two have quorum (votequorum's two_node)? Said before hf_group_quorum(), of what
 * it tells. Where leases decide (gives_up) such quorum counts for none: both halves would give up,
 * and both go on.
 */
void hf_group_two_node(struct hf_bus *bus, bool two_node);
bool hf_group_minds_two_node(const struct hf_bus *bus); /* else it need not be asked for */
/* Not a member any more, by no wish of ours; why: a sentence. */
void hf_group_lost(struct hf_bus *bus, const char *why);

#endif
