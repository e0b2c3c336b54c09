/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * READ, WRITE, PRE-FETCH and SYNCHRONIZE CACHE (SBC-3, clause 5). One request to the logical device
 * per command; where the transport moves less than the CDB asks for, only that much is read or
 * written and the residual tells the host.
 */
#include "scsi_internal.h"

static bool is_six(const struct hf_scsi_task *t)
{
	return t->row->cdb_len == 6;
}

static unsigned fua(const struct hf_scsi_task *t)
{
	return !is_six(t) && (t->cdb[1] & 0x08) ? HF_PDEV_FUA : 0;
}

static bool blocks_prepare(struct hf_scsi_task *t)
{
	if (is_six(t) && t->count == 0)
		t->count = 256; /* SBC-3, 5.10 */
	return scsi_transfer_check(t);
}

bool scsi_read_prepare(struct hf_scsi_task *t)
{
	uint32_t block = scsi_info(t)->block_bytes;
	uint64_t bytes;

	if (!blocks_prepare(t))
		return false;
	bytes = t->count * block;
	t->in_len = (uint32_t)HF_MIN(bytes, scsi_expected(t, SCSI_DIR_IN));
	t->wants_bytes = t->data_out && !t->data_in ? 0 : bytes;
	t->count = (t->in_len + block - 1) / block;
	t->buf_need = (uint32_t)t->count * block;
	scsi_claim_blocks(t, false, t->count);
	return true;
}

void scsi_read_run(struct hf_scsi_task *t)
{
	if (t->count == 0)
		scsi_good(t);
	else
		scsi_io(t, HF_PDEV_READ, fua(t), t->lba, t->count, t->buf, scsi_good);
}

bool scsi_write_prepare(struct hf_scsi_task *t)
{
	if (!blocks_prepare(t) || !scsi_takes_blocks(t))
		return false;
	t->count = t->out_len / scsi_info(t)->block_bytes;
	scsi_claim_blocks(t, true, t->count);
	return true;
}

void scsi_write_run(struct hf_scsi_task *t)
{
	if (t->count == 0)
		scsi_good(t);
	else
		scsi_io(t, HF_PDEV_WRITE, fua(t), t->lba, t->count, t->buf, scsi_good);
}

/* Number of blocks 0 means: up to the last one. */
static bool rest_prepare(struct hf_scsi_task *t)
{
	if (!scsi_range_check(t, t->count))
		return false;
	if (t->count == 0)
		t->count = scsi_info(t)->blocks - t->lba;
	scsi_claim_blocks(t, false, t->count);
	return true;
}

bool scsi_prefetch_prepare(struct hf_scsi_task *t)
{
	return rest_prepare(t);
}

/* No controller caches what another may change, so nothing "fits in the cache": GOOD (SBC-3, 5.8).
 */
void scsi_prefetch_run(struct hf_scsi_task *t)
{
	scsi_good(t);
}

bool scsi_sync_cache_prepare(struct hf_scsi_task *t)
{
	return rest_prepare(t);
}

/* IMMED too is answered after the flush: later than it must be, never earlier than it is true. */
void scsi_sync_cache_run(struct hf_scsi_task *t)
{
	scsi_io(t, HF_PDEV_FLUSH, 0, 0, 0, NULL, scsi_good);
}
