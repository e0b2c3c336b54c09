/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * WRITE SAME(10) and (16) (SBC-3, 5.49, 5.50): one block over a range, zeros and UNMAP as the
 * logical device's own request for zeros, anything else as a series of writes from a buffer that is
 * full of copies of the block.
 */
#include "scsi_internal.h"

enum { UNMAP_BIT = 0x08, NDOB_BIT = 0x01 };

#define CHUNK_BYTES HF_XFER_MAX_BYTES

static bool no_data(const struct hf_scsi_task *t)
{
	return t->row->opcode == 0x93 && (t->cdb[1] & NDOB_BIT);
}

bool scsi_write_same_prepare(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);

	if (!scsi_range_check(t, t->count))
		return false;
	/* WSNZ=1: no count stands for "up to the last block", which may be far away. */
	if (t->count == 0 || t->count > SCSI_WRITE_SAME_BYTES_MAX / info->block_bytes)
		return scsi_cdb_error(t, t->row->count.byte, -1);
	scsi_claim_blocks(t, true, t->count);
	if (no_data(t))
		return true;
	t->buf_need = (uint32_t)HF_MIN(t->count * info->block_bytes, CHUNK_BYTES);
	return scsi_takes_exactly(t, info->block_bytes);
}

/* words[0]: blocks done */
static void write_next(struct hf_scsi_task *t)
{
	uint64_t chunk = HF_MIN(t->count - t->words[0], CHUNK_BYTES / scsi_info(t)->block_bytes);
	uint64_t at = t->lba + t->words[0];

	if (chunk == 0) {
		scsi_good(t);
		return;
	}
	t->words[0] += chunk;
	scsi_io(t, HF_PDEV_WRITE, 0, at, chunk, t->buf, write_next);
}

void scsi_write_same_run(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	unsigned flags = t->cdb[1] & UNMAP_BIT ? HF_PDEV_UNMAP : 0;

	/* UNMAP with a block that is not zero: unmapped blocks read as zero here, so it is written
	 * (SBC-3, 5.49: "may perform an unmap operation" only if what is read back is the same). */
	if (no_data(t) || scsi_is_zero(t->buf, info->block_bytes)) {
		scsi_io(t, HF_PDEV_WRITE_ZEROES, flags, t->lba, t->count, NULL, scsi_good);
		return;
	}
	for (uint32_t at = info->block_bytes; at < t->buf_need; at += info->block_bytes)
		memcpy(t->buf + at, t->buf, info->block_bytes);
	t->words[0] = 0;
	write_next(t);
}
