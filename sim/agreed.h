/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An agreed order of messages between machines, with what corosync promises of it and not a bit
 * more (group_net.h). Every machine runs a daemon; the daemons that reach each other form a ring;
 * what is sent gets its place in the order of the ring, and arrives at each machine in its own
 * time. The process on a machine is told by its daemon.
 *
 *	agreed.c	daemons: rings, the order, what is lost with a ring, quorum
 *	agreed_net.c	the process's side: struct hf_group_net, as group_cpg.c keeps it
 */
#ifndef SIM_AGREED_H
#define SIM_AGREED_H

#include "group_net.h"
#include "sim.h"

enum sim_agreed_quorum {
	SIM_QUORUM_MAJORITY,
	SIM_QUORUM_TWO_NODE, /* one vote is enough once both have been seen (two_node, wait_for_all)
			      */
	SIM_QUORUM_DEVICE,   /* a third party gives its vote to one part */
};

enum sim_item_kind {
	SIM_ITEM_MSG,
	SIM_ITEM_JOIN,	  /* on the way out only */
	SIM_ITEM_LEAVE,	  /* likewise */
	SIM_ITEM_MEMBERS, /* and of what ring they are */
	SIM_ITEM_RING,	  /* the ring has changed, the members have not */
	SIM_ITEM_QUORUM,
	SIM_ITEM_LOST, /* the daemon has ended */
};

struct sim_item {
	struct sim_item *next;
	enum sim_item_kind kind;
	uint64_t seq; /* its place in the order */
	unsigned from;
	uint64_t ready_at;
	uint64_t session; /* on the way out the sender's, on the way in the receiver's */
	struct hf_group_proc proc;
	struct hf_group_ring ring;
	bool quorate;
	unsigned members_len;
	struct hf_group_proc members[SIM_NODES_MAX];
	size_t len;
	uint8_t bytes[];
};

/* agreed.c: what the process asks of the daemon of its machine */
bool sim_agreed_is_there(unsigned id);
void sim_agreed_connect(unsigned id, uint64_t session, uint32_t pid);
void sim_agreed_send(unsigned id, struct sim_item *item); /* given */
void sim_agreed_disconnect(unsigned id); /* leaves, or is dead; what it has sent is on its way */

/* agreed_net.c: what the daemon tells the process; item is given */
void sim_agreed_tell(unsigned id, struct sim_item *item);
void sim_agreed_nets_init(void);
void sim_agreed_process_dies(unsigned id);

#endif
