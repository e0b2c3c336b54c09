/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller's logical units on two loops in virtual time, with a bus that does nothing by
 * itself: the test says when an op is held, applied, cancelled, and sees what was proposed and
 * drained.
 */
#ifndef HF_TEST_LU_KIT_H
#define HF_TEST_LU_KIT_H

#include "loop_sim.h"
#include "lu_control.h"

#define KIT_LOOPS 2
#define KIT_DEV	  7

struct kit_cmd {
	struct hf_lu_cmd cmd;
	bool went, aborted;
	enum hf_admit how;
};

struct kit_session {
	struct hf_lu_session s;
	struct hf_itl_waiter waiter;
	struct hf_itl *itl;
	bool gone, lost;
	unsigned valid;
	const char *closed;
};

struct kit {
	struct hf_loop *loops[KIT_LOOPS];
	struct hf_lu_table *table;
	struct hf_bus bus;
	struct hf_list proposed; /* hf_bus_prop.node */
	unsigned drained;	 /* calls of hf_bus_drained() */
	int drained_result;
	uint64_t drained_n, n;
	struct hf_list ranges;
	unsigned range_drained;
	uint64_t range_drained_id;
	struct hf_lu *persisting;
	unsigned persists, persisted;
	uint64_t pick_done_n;
	int pick_result;
};

void kit_init(struct kit *k);
void kit_fini(struct kit *k);
void kit_settle(struct kit *k); /* runs both loops until nothing is due */
/* A session of initiator `name` on a loop, attached to the unit; attentions are cleared. */
void kit_login(struct kit *k, struct kit_session *s, unsigned loop, const char *name);
void kit_logout(struct kit *k, struct kit_session *s);
/* Enters and starts a command; it has gone (or waits) when this returns. */
void kit_start(struct kit *k, struct kit_session *s, struct kit_cmd *c, enum hf_access access);
void kit_leave(struct kit *k, struct kit_cmd *c);
/* Holds the op as the engine would; kit_apply, kit_unhold end it. */
void kit_hold(struct kit *k, const struct hf_resv_op *op);
void kit_apply(struct kit *k);
void kit_unhold(struct kit *k);
/* hold, drained, apply at once. */
void kit_op(struct kit *k, const struct hf_resv_op *op);
struct hf_resv_op kit_make(const struct kit_session *s, enum hf_resv_kind kind);

#endif
