/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SCSI layer: from CDB to status. A table row per command (table.c); handlers by family. Does
 *no I/O of its own: blocks go through src/ldev, admission through src/lu. Knows no transport.
 *
 * The way of a command, on the session's loop:
 *	transport: fills struct hf_scsi_task, calls hf_scsi_arrive()
 *	  -> HF_SCSI_DONE: status is there (early refusal); send it, drop data that still come
 *	  -> HF_SCSI_READY: get a buffer of task->buf_need bytes (0: none), gather task->out_len
 *	     bytes of data-out into it, then hf_scsi_run()
 *	hf_scsi_run(): ends in task->done(), exactly once, maybe inside the call
 *	transport: sends data-in (task->in_len bytes at task->buf) and status, then hf_scsi_leave()
 */
#ifndef HF_SCSI_H
#define HF_SCSI_H

#include "lu.h"

#define HF_SCSI_CDB_MAX	  32
#define HF_SCSI_SENSE_MAX 252

enum hf_scsi_next {
	HF_SCSI_DONE,
	HF_SCSI_READY,
};

struct hf_scsi_task {
	/* --- the transport's, before hf_scsi_arrive() --- */
	struct hf_lu_session *session;
	uint64_t lun; /* the eight bytes of the LUN field as a number */
	uint8_t cdb[HF_SCSI_CDB_MAX];
	uint8_t cdb_len;
	bool data_in, data_out;	 /* the R and W flags */
	uint32_t expected_bytes; /* Expected Data Transfer Length */
	void (*done)(struct hf_scsi_task *t);
	/* Somebody else aborted the task while it gathered data (DORMANT): stop gathering, then
	 * hf_scsi_leave(). No status unless t->status says TASK ABORTED. */
	void (*aborted)(struct hf_scsi_task *t);

	/* --- after hf_scsi_arrive() == HF_SCSI_READY --- */
	uint32_t buf_need; /* bytes the buffer must have; 0 = none needed */
	uint32_t out_len;  /* bytes of data-out the command takes; <= expected_bytes if data_out */

	/* --- the transport's, before hf_scsi_run() --- */
	uint8_t *buf; /* 4096-aligned; the transport's again after done(); buf_need 0: not read */

	/* --- at done() (or after HF_SCSI_DONE) --- */
	bool silent;	   /* aborted: send neither data nor status */
	bool drop_session; /* outcome unknown: close the connection, send nothing (INV-7) */
	uint8_t status;	   /* enum hf_status */
	uint8_t sense_len;
	uint8_t sense[HF_SCSI_SENSE_MAX];
	uint32_t in_len; /* bytes of data-in at buf, already cut to the allocation length */
	/* What the CDB wants to move in the data direction, for residuals: overflow when it exceeds
	 * expected_bytes, underflow when it is less. */
	uint64_t wants_bytes;

	/* --- the SCSI layer's --- */
	struct hf_scsi_loop *loop;
	struct hf_lu_cmd cmd;
	const struct hf_scsi_row *row;
	struct hf_itl *itl;
	struct hf_ldev_io io;
	void (*then)(struct hf_scsi_task *t); /* what follows the pin, the scratch or the I/O */
	bool running;			      /* between hf_scsi_run() and done() */
	bool begun;			      /* has had its first pin */
	bool waiting;	/* for scratch, a reservation request or the end of SANITIZE */
	bool abandoned; /* nobody is there any more to be answered */
	struct hf_list wait_node;
	struct hf_scsi_scratch *scratch;
	struct hf_resv_req *resv; /* from the loop's small pool */
	uint32_t step;
	uint64_t lba;	   /* LOGICAL BLOCK ADDRESS of the CDB */
	uint64_t count;	   /* TRANSFER, ALLOCATION or PARAMETER LIST LENGTH of the CDB */
	uint64_t words[8]; /* a handler's own, e.g. the cursor of UNMAP */
};

/*
 * Per loop: pools of rarely needed things (reservation requests, scratch buffers for commands that
 * read back), nothing shared between loops. What is used up makes commands wait, in order.
 */
struct hf_scsi_loop;
int hf_scsi_loop_create(struct hf_loop *loop, struct hf_scsi_loop **ret);
void hf_scsi_loop_destroy(struct hf_scsi_loop *s);

/*
 * The session's hf_itl must be there: transports call hf_itl_find() first and, when it has to be
 * attached, wait for the waiter. itl NULL: no such logical unit (INQUIRY, REPORT LUNS and REQUEST
 * SENSE still answer, SPC-5 6.6.1).
 */
enum hf_scsi_next hf_scsi_arrive(
	struct hf_scsi_loop *s, struct hf_scsi_task *t, struct hf_itl *itl);
void hf_scsi_run(struct hf_scsi_loop *s, struct hf_scsi_task *t);
/*
 * The session has ended: nobody waits for the answer of a task between hf_scsi_run() and done().
 * What only waits for something ends now, done() inside the call; what is at the medium or asks the
 * reservation machine ends when that has ended.
 */
void hf_scsi_abandon(struct hf_scsi_loop *s, struct hf_scsi_task *t);
/*
 * After the status has been handed to the transport's send queue, or instead of running it. Once
 * per task that arrived, after HF_SCSI_DONE too; the task's storage is the transport's again. Not
 * between hf_scsi_run() and done().
 */
void hf_scsi_leave(struct hf_scsi_loop *s, struct hf_scsi_task *t);

/* Decodes single-level LUN addressing (peripheral, flat; SAM-5 4.7). -EINVAL: another method. */
int hf_scsi_lun_decode(uint64_t lun_field, uint16_t *ret_lun);
uint64_t hf_scsi_lun_encode(uint16_t lun);

/*
 * CHECK CONDITION with sense data, fixed (70h) or descriptor (72h) form by the D_SENSE bit of the
 * logical unit. For transports: what they themselves have to refuse (e.g. 47/xx, 4B/xx). bit -1:
 * none.
 */
void hf_scsi_sense(struct hf_scsi_task *t, uint8_t key, uint16_t asc_ascq);
void hf_scsi_sense_field(
	struct hf_scsi_task *t, uint16_t asc_ascq, bool in_cdb, uint16_t byte, int8_t bit);
void hf_scsi_sense_info(struct hf_scsi_task *t, uint8_t key, uint16_t asc_ascq, uint64_t info);

#endif
