/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A SCSI layer and logical units small enough to see through: disks in memory, no reservations.
 * Implements scsi.h and the part of lu.h that the iSCSI target calls, with switches for what is
 * rare in the real ones: slow attach, commands that hang, aborts by others. For tests, the fuzzer
 * and a target to try initiators on.
 */
#ifndef HF_FAKE_SCSI_H
#define HF_FAKE_SCSI_H

#include "scsi.h"

enum {
	FAKE_LUNS = 2,
	FAKE_BLOCK_BYTES = 512,
};

struct hf_lu_table {
	struct hf_loop *loop;
	uint64_t blocks;
	uint8_t *disks[FAKE_LUNS];
	/* Switches. */
	bool slow_attach; /* hf_itl_find() answers by message */
	bool hold_runs;	  /* commands run only in fake_release() */
	bool wait_runs;	  /* ... or when they are abandoned, for they wait for something only */
	bool hold_detach; /* sessions are gone only in fake_release() */
	bool drop_runs;	  /* the outcome of commands is unknown */
	int tmf_result;
	bool stale; /* hf_lu_session_is_valid() says no, till fake_valid() */
	/* What there is. */
	struct hf_list running;	 /* struct hf_lu_cmd.node of commands that are held */
	struct hf_list sessions; /* struct hf_lu_session.node */
	struct hf_list detaching;
	struct hf_list unsure; /* struct hf_lu_session.unsure_node */
	struct hf_list tmfs;   /* struct hf_tmf_req.node */
	unsigned arrived, left, ran, abandoned;
};

struct hf_scsi_loop {
	struct hf_loop *loop;
};

struct hf_lu_table *fake_table_create(struct hf_loop *loop, uint64_t blocks);
void fake_table_destroy(struct hf_lu_table *t); /* no session is left */
/* What was worked out while `stale` counts after all. */
void fake_valid(struct hf_lu_table *t);
/* Ends all that is held. */
void fake_release(struct hf_lu_table *t);
/* Aborts what waits in the task sets of the session, as PREEMPT AND ABORT would. */
void fake_abort_all(struct hf_lu_session *s, bool tas);

#endif
