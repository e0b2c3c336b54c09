/* SPDX-License-Identifier: BSD-3-Clause */
/* EXTENDED COPY(LID1), decoded: what copy_list.c makes of a parameter list and copy.c carries out.
 */
#ifndef HF_SCSI_COPY_H
#define HF_SCSI_COPY_H

#include "scsi_internal.h"

struct scsi_copy_target {
	bool null;    /* named on purpose as "not there" */
	uint8_t kind; /* second byte of the designator: association and type */
	uint8_t len;
	uint8_t id[20];
	struct hf_itl *itl; /* NULL: not reachable */
};

struct scsi_copy_segment {
	uint16_t source, destination; /* indexes of targets */
	bool count_at_destination;    /* DC: the count is in blocks of the destination */
	uint16_t blocks;
	uint64_t source_lba, destination_lba;
};

struct scsi_copy {
	uint8_t list_id;
	bool remembered; /* a result is kept for RECEIVE COPY STATUS */
	unsigned targets_len, segments_len;
	struct scsi_copy_target targets[SCSI_COPY_TARGETS_MAX];
	struct scsi_copy_segment segments[SCSI_COPY_SEGMENTS_MAX];
	/* looking for the targets */
	unsigned target, lun;
	unsigned luns_len;
	uint16_t luns[HF_LDEVS_MAX];
	/* copying */
	unsigned segment;
	uint64_t left_bytes, source_byte, destination_byte, copied_bytes;
	uint32_t chunk_bytes;
};

/* Decodes t->buf into *copy. false: the sense is set. */
bool scsi_copy_decode(struct hf_scsi_task *t, struct scsi_copy *copy);

#endif
