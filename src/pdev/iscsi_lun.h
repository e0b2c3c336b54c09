/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a LUN of a third controller says of itself, and what its answers to commands mean. Pure;
 * called by the driver (iscsi_*_libiscsi.c) with bytes that came over the network.
 */
#ifndef HF_PDEV_ISCSI_LUN_H
#define HF_PDEV_ISCSI_LUN_H

#include "base.h"

struct hf_remote_lun {
	uint64_t blocks;
	uint32_t block_bytes, physical_block_bytes;
	/* 0: the target names no limit. */
	uint32_t max_transfer_blocks, max_unmap_blocks;
	uint64_t max_write_same_blocks;
	bool is_thin, zeroes_unmapped; /* READ CAPACITY(16): LBPME, LBPRZ */
	bool can_unmap, can_write_same_unmap;
	uint64_t identity; /* digest of the unit's designators; 0: it gives none */
};

/* Each takes over what it finds; -EBADMSG: not that page, or cut short, nothing has changed. */
int hf_remote_decode_capacity16(const void *data, size_t len, struct hf_remote_lun *lun);
int hf_remote_decode_capacity10(const void *data, size_t len, struct hf_remote_lun *lun);
int hf_remote_decode_identification(
	const void *data, size_t len, struct hf_remote_lun *lun); /* 83h */
int hf_remote_decode_block_limits(
	const void *data, size_t len, struct hf_remote_lun *lun); /* B0h */
int hf_remote_decode_provisioning(
	const void *data, size_t len, struct hf_remote_lun *lun); /* B2h */
/* Standard INQUIRY data: 0, or -EBADMSG, -ENXIO (no such LUN), -EMEDIUMTYPE (not a disk). */
int hf_remote_decode_inquiry(const void *data, size_t len);

/* What to do after a SCSI status (and sense, for CHECK CONDITION). */
enum hf_remote_next {
	HF_REMOTE_GOOD,
	HF_REMOTE_AGAIN,       /* at once: a unit attention, which says nothing of this command */
	HF_REMOTE_LATER,       /* after a pause, for as long as it takes: BUSY, TASK SET FULL ... */
	HF_REMOTE_LATER_BOUND, /* after a pause, but not for ever: NOT READY, ABORTED COMMAND */
	HF_REMOTE_UNKNOWN,     /* the target does not know this command or a field of it */
	HF_REMOTE_GONE,	       /* the LUN is not there any more: look again */
	HF_REMOTE_FAILED,      /* with hf_remote_verdict.error */
};

struct hf_remote_verdict {
	enum hf_remote_next next;
	int error;	   /* -errno, as hf_pdev_io.done() takes it */
	bool is_disturbed; /* a reset or another initiator may have ended other commands silently */
};

/* asc_ascq: additional sense code and its qualifier, as 0xAAQQ. */
struct hf_remote_verdict hf_remote_judge(unsigned status, unsigned key, unsigned asc_ascq);

#endif
