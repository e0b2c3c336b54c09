/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside src/scsi: the row of the command table, and what handlers build on. A handler has two
 * parts: prepare() looks at the CDB when the command arrives and says which buffer it needs; run()
 * is called with the data there and, unless the row says otherwise, with the pin, and ends in
 * scsi_good() or scsi_finish(). Nothing here blocks or allocates.
 */
#ifndef HF_SCSI_INTERNAL_H
#define HF_SCSI_INTERNAL_H

#include "bytes.h"
#include "scsi.h"

#include <stdatomic.h>

enum {
	SCSI_KEY_NO_SENSE = 0x0,
	SCSI_KEY_NOT_READY = 0x2,
	SCSI_KEY_MEDIUM_ERROR = 0x3,
	SCSI_KEY_HARDWARE_ERROR = 0x4,
	SCSI_KEY_ILLEGAL_REQUEST = 0x5,
	SCSI_KEY_UNIT_ATTENTION = 0x6,
	SCSI_KEY_DATA_PROTECT = 0x7,
	SCSI_KEY_COPY_ABORTED = 0xa,
	SCSI_KEY_MISCOMPARE = 0xe,
};

/* Additional sense codes (SPC-4, annex D). */
enum {
	SCSI_ASC_NONE = 0x0000,
	SCSI_ASC_ALUA_TRANSITION = 0x040a,
	SCSI_ASC_ALUA_STANDBY = 0x040b,
	SCSI_ASC_ALUA_UNAVAILABLE = 0x040c,
	SCSI_ASC_SANITIZE_IN_PROGRESS = 0x041b,
	SCSI_ASC_COPY_TARGET_UNREACHABLE = 0x0d02,
	SCSI_ASC_WRITE_ERROR = 0x0c00,
	SCSI_ASC_UNIT_LENGTH = 0x0e03, /* INVALID FIELD IN COMMAND INFORMATION UNIT */
	SCSI_ASC_READ_ERROR = 0x1100,
	SCSI_ASC_LIST_LENGTH = 0x1a00,
	SCSI_ASC_MISCOMPARE = 0x1d00,
	SCSI_ASC_BAD_OPCODE = 0x2000,
	SCSI_ASC_LBA_RANGE = 0x2100,
	SCSI_ASC_FIELD_IN_CDB = 0x2400,
	SCSI_ASC_NO_LU = 0x2500,
	SCSI_ASC_FIELD_IN_LIST = 0x2600,
	SCSI_ASC_TOO_MANY_TARGETS = 0x2606,
	SCSI_ASC_TARGET_DESCRIPTOR = 0x2607,
	SCSI_ASC_TOO_MANY_SEGMENTS = 0x2608,
	SCSI_ASC_SEGMENT_DESCRIPTOR = 0x2609,
	SCSI_ASC_WRITE_PROTECTED = 0x2700,
	SCSI_ASC_SOFTWARE_WRITE_PROTECTED = 0x2702,
	SCSI_ASC_SPACE_ALLOCATION = 0x2707,
	SCSI_ASC_MODE_CHANGED = 0x2a01,
	SCSI_ASC_SANITIZE_FAILED = 0x3103,
	SCSI_ASC_LUNS_CHANGED = 0x3f0e,
	SCSI_ASC_INTERNAL_FAILURE = 0x4400,
	SCSI_ASC_RESERVATION_LOST = 0x4401,
};

enum {
	SCSI_NO_LU_OK = 1,	   /* answers where there is no logical unit */
	SCSI_PASSES_ATTENTION = 2, /* neither reports nor clears a unit attention (SAM-5, 5.14) */
	SCSI_PASSES_SANITIZE = 4,  /* allowed while SANITIZE runs (SBC-3, 4.11) */
	SCSI_PASSES_STANDBY = 8,
	SCSI_PASSES_UNAVAILABLE = 16, /* and while transitioning */
	SCSI_MEDIUM_WRITE = 32,	      /* refused where write protected */
	SCSI_BY_MACHINE = 64,	      /* the reservation machine judges it, in its queue */
	SCSI_OWN_PIN = 128,	      /* run() pins by itself, piece by piece */
	SCSI_HOLDS_RANGE = 256,	      /* the pin comes with the range held on every controller */
	SCSI_SCRATCH = 512,	      /* needs a scratch buffer, got before the pin */
	SCSI_WANTS_UNMAP = 1024,      /* only where the logical unit can unmap */
};

enum scsi_dir {
	SCSI_DIR_NONE,
	SCSI_DIR_IN,
	SCSI_DIR_OUT,
};

/* Where a number stands in the CDB: first byte, bytes; 0 bytes: the CDB has none. */
struct scsi_at {
	uint8_t byte, len;
};

#define SCSI_NO_SA     0xff
#define SCSI_TIMEOUT_S 30

struct hf_scsi_row {
	const char *name;
	uint8_t opcode, sa; /* SCSI_NO_SA: the opcode has no service actions */
	uint8_t cdb_len;
	uint8_t access; /* enum hf_access; scsi_row_access() knows the two that depend on the CDB */
	uint8_t dir;
	uint16_t flags;
	struct scsi_at lba, count;
	uint16_t timeout_s; /* nominal command processing timeout; 0: SCSI_TIMEOUT_S */
	uint8_t usage[16];  /* CDB USAGE DATA without byte 0 and without the service action */
	bool (*prepare)(struct hf_scsi_task *t); /* NULL: nothing to look at. false: sense is set */
	void (*run)(struct hf_scsi_task *t);
	void (*ended)(struct hf_scsi_task *t); /* tidies up, whatever way the task ends, or NULL */
};

/* table.c */
extern const struct hf_scsi_row scsi_table[];
extern const unsigned scsi_table_len;
/* NULL: not supported by this logical unit; *ret_opcode_known: another service action of it is. */
const struct hf_scsi_row *scsi_row_find(
	uint8_t opcode, uint8_t sa, const struct hf_lu_info *info, bool *ret_opcode_known);
enum hf_access scsi_row_access(const struct hf_scsi_row *row, const uint8_t *cdb);
/* The usage mask with opcode and service action filled in, as this logical unit supports it. */
void scsi_row_usage(
	const struct hf_scsi_row *row, const struct hf_lu_info *info, uint8_t usage[16]);

/* The scratch buffer and two more commands, for EXTENDED COPY's pins at source and destination. */
#define SCSI_SCRATCH_BYTES HF_XFER_MAX_BYTES

struct hf_scsi_scratch {
	struct hf_list node;
	uint8_t *buf; /* SCSI_SCRATCH_BYTES, 4096-aligned */
	struct hf_scsi_task *task;
	struct hf_lu_cmd source, destination;
	struct hf_itl_waiter waiter;
	struct scsi_copy *copy;
};

/* loop.c */
void scsi_scratch_get(struct hf_scsi_task *t, void (*then)(struct hf_scsi_task *t));
void scsi_scratch_put(struct hf_scsi_task *t);
void scsi_resv_get(struct hf_scsi_task *t, void (*then)(struct hf_scsi_task *t));
void scsi_resv_put(struct hf_scsi_task *t);
void scsi_wait_abort(struct hf_scsi_task *t); /* leaves the queue it waits in */
struct hf_loop *scsi_loop_of(const struct hf_scsi_task *t);

/* arrive.c */
void scsi_finish(struct hf_scsi_task *t); /* ends the task as t->status says; last thing done */
void scsi_good(struct hf_scsi_task *t);
/* Status and sense of a command that was not admitted. */
void scsi_refuse(struct hf_scsi_task *t, enum hf_admit how);
/* For SCSI_OWN_PIN: pins, then calls then(t); refused: the task is finished. */
void scsi_pin(struct hf_scsi_task *t, bool writes, uint64_t lba, uint64_t blocks,
	void (*then)(struct hf_scsi_task *t));
/* For SCSI_OWN_PIN: no pin; then(t) when no op is pending that this nexus has to be told of. */
void scsi_op(struct hf_scsi_task *t, void (*then)(struct hf_scsi_task *t));
/* Lets the pin go and stays in the task set. false: aborted meanwhile, the task is finished. */
bool scsi_unpin(struct hf_scsi_task *t);

static inline const struct hf_lu_info *scsi_info(const struct hf_scsi_task *t)
{
	return hf_itl_info(t->itl);
}

/* HF_RESV_D_SENSE and its kin, as this loop knows them. */
static inline uint32_t scsi_attrs(const struct hf_lu_info *info)
{
	return atomic_load_explicit(&info->shared->attrs, memory_order_relaxed);
}

static inline bool scsi_sanitizes(const struct hf_lu_info *info)
{
	return scsi_attrs(info) & HF_RESV_SANITIZE;
}

/* Bytes that the transport moves at most in the direction, however much the CDB asks for. */
static inline uint32_t scsi_expected(const struct hf_scsi_task *t, enum scsi_dir dir)
{
	return (dir == SCSI_DIR_IN ? t->data_in : t->data_out) ? t->expected_bytes : 0;
}

/* io.c */
void scsi_io(struct hf_scsi_task *t, enum hf_pdev_op op, unsigned flags, uint64_t lba,
	uint64_t blocks, void *buf, void (*then)(struct hf_scsi_task *t));
/* The same at another logical unit; t->then is set by the caller. */
void scsi_io_at(struct hf_scsi_task *t, const struct hf_lu_info *info, enum hf_pdev_op op,
	unsigned flags, uint64_t lba, uint64_t blocks, void *buf);
/* t->lba, t->count must lie in the logical unit. false: 21/00 is set. */
bool scsi_range_check(struct hf_scsi_task *t, uint64_t blocks);
/* And not more than one command may move. */
bool scsi_transfer_check(struct hf_scsi_task *t);
void scsi_claim_blocks(struct hf_scsi_task *t, bool writes, uint64_t blocks);
/* Data-out of `bytes` by the CDB: sets out_len, wants_bytes, buf_need. */
void scsi_takes(struct hf_scsi_task *t, uint64_t bytes);
/* The same for t->count blocks; a transport that moves half a block is refused with 0E/03. */
bool scsi_takes_blocks(struct hf_scsi_task *t);
/* Data-out must be exactly `bytes`, or the command is refused with 0E/03. */
bool scsi_takes_exactly(struct hf_scsi_task *t, uint64_t bytes);
bool scsi_is_zero(const uint8_t *p, size_t len);
bool scsi_equal(const uint8_t *a, const uint8_t *b, size_t len, uint64_t *ret_offset);

/* Parameter data: prepare() asks for `cap` bytes; run() writes and calls scsi_reply(). */
bool scsi_prepare_reply(struct hf_scsi_task *t, uint32_t cap);
void scsi_reply(struct hf_scsi_task *t, const struct hf_wr *w);

/* sense.c */
void scsi_sense_progress(struct hf_scsi_task *t, uint16_t asc_ascq, uint16_t progress);
bool scsi_cdb_error(struct hf_scsi_task *t, uint8_t byte, int8_t bit);	 /* 24/00; false */
bool scsi_list_error(struct hf_scsi_task *t, uint16_t byte, int8_t bit); /* 26/00; false */
bool scsi_illegal(struct hf_scsi_task *t, uint16_t asc_ascq);		 /* false */
/* Encodes into buf, which has SCSI_SENSE_BYTES; returns the length. */
#define SCSI_SENSE_BYTES 32
uint8_t scsi_sense_encode(uint8_t *buf, bool descriptor, uint8_t key, uint16_t asc_ascq,
	const uint64_t *info, const uint8_t sks[3]);

#define SCSI_UNMAP_BLOCKS_MAX	   (1u << 20)
#define SCSI_UNMAP_DESCRIPTORS_MAX 256
/* One pin and one hold of the range for all of it: what waits for that must not wait long. */
#define SCSI_WRITE_SAME_BYTES_MAX (16u << 20)

/* Designators, shared by VPD 83h and 88h and by EXTENDED COPY. */
void scsi_designate_naa(struct hf_wr *w, const struct hf_lu_info *info);
void scsi_designate_t10(struct hf_wr *w, const struct hf_lu_info *info);

/* sanitize.c */
void scsi_sanitize_ended(struct hf_scsi_task *t);
/* 04/1B, with the progress if it is known here. */
void scsi_sanitize_sense(struct hf_scsi_task *t);

/* copy.c */
void scsi_copy_ended(struct hf_scsi_task *t);
struct scsi_copy *scsi_copy_create(void);
void scsi_copy_destroy(struct scsi_copy *copy);

/* copy_results.c: what EXTENDED COPY leaves for RECEIVE COPY RESULTS. */
enum {
	SCSI_COPY_TARGETS_MAX = 8,
	SCSI_COPY_SEGMENTS_MAX = 16,
	SCSI_COPY_SEGMENT_BYTES = 32 << 20,
	SCSI_COPY_LIST_BYTES = 16 + 32 * SCSI_COPY_TARGETS_MAX + 28 * SCSI_COPY_SEGMENTS_MAX,
};
/* false: a copy with this list identifier is still in progress, or there is no memory. */
bool scsi_copy_result_begin(struct hf_itl *itl, uint8_t list_id);
void scsi_copy_result_end(
	struct hf_itl *itl, uint8_t list_id, bool good, uint16_t segments, uint64_t bytes);

/* Handlers, by file. */
#define SCSI_HANDLER(name)                                                                         \
	bool scsi_##name##_prepare(struct hf_scsi_task *t);                                        \
	void scsi_##name##_run(struct hf_scsi_task *t)

SCSI_HANDLER(inquiry);	     /* inquiry.c, vpd.c */
SCSI_HANDLER(report_luns);   /* report_luns.c */
SCSI_HANDLER(request_sense); /* unit.c */
void scsi_test_unit_ready_run(struct hf_scsi_task *t);
SCSI_HANDLER(start_stop);
SCSI_HANDLER(prevent_allow);
SCSI_HANDLER(read_defects);
SCSI_HANDLER(read_capacity10); /* capacity.c */
SCSI_HANDLER(read_capacity16);
SCSI_HANDLER(lba_status);  /* lba_status.c */
SCSI_HANDLER(mode_sense6); /* mode_sense.c */
SCSI_HANDLER(mode_sense10);
SCSI_HANDLER(mode_select6); /* mode_select.c */
SCSI_HANDLER(mode_select10);
SCSI_HANDLER(log_sense);      /* log_sense.c */
SCSI_HANDLER(report_opcodes); /* opcodes.c */
SCSI_HANDLER(report_tmf);
SCSI_HANDLER(rtpg); /* alua.c */
SCSI_HANDLER(read); /* rw.c */
SCSI_HANDLER(write);
SCSI_HANDLER(prefetch);
SCSI_HANDLER(sync_cache);
SCSI_HANDLER(verify); /* verify.c */
SCSI_HANDLER(write_verify);
SCSI_HANDLER(write_same);    /* write_same.c */
SCSI_HANDLER(unmap);	     /* unmap.c */
SCSI_HANDLER(compare_write); /* atomic.c */
SCSI_HANDLER(orwrite);
SCSI_HANDLER(extended_copy); /* copy.c */
SCSI_HANDLER(copy_results);
SCSI_HANDLER(copy_parameters);
SCSI_HANDLER(sanitize); /* sanitize.c */
SCSI_HANDLER(reserve);	/* reserve.c */
/* For SCSI_OWN_PIN: sets attributes by an op on every controller. then(t) with status GOOD, or with
 * what refused it. Needs t->resv. */
void scsi_attrs_set(struct hf_scsi_task *t, uint8_t attrs, uint8_t attrs_mask,
	void (*then)(struct hf_scsi_task *t));
SCSI_HANDLER(prin);
SCSI_HANDLER(prout);

/* vpd.c */
bool scsi_vpd_supported(uint8_t page, const struct hf_lu_info *info);
void scsi_vpd_encode(struct hf_wr *w, uint8_t page, const struct hf_scsi_task *t);

/* mode_pages.c */
enum scsi_pc {
	SCSI_PC_CURRENT = 0,
	SCSI_PC_CHANGEABLE = 1,
	SCSI_PC_DEFAULT = 2,
	SCSI_PC_SAVED = 3,
};
/* Page `code` (3Fh: all), subpage 0. false: no such page. */
bool scsi_mode_pages_encode(struct hf_wr *w, uint8_t code, enum scsi_pc pc, uint32_t mode);
/* The mode bits a control page (as MODE SELECT carries it) stands for. */
uint32_t scsi_mode_control_decode(const uint8_t *page);
uint8_t scsi_mode_device_parameter(const struct hf_lu_info *info); /* WP, DPOFUA */
/* Block descriptor: short (8 bytes) or long (16). */
void scsi_mode_descriptor_encode(struct hf_wr *w, const struct hf_lu_info *info, bool longlba);

#endif
