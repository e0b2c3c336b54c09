/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * COMPARE AND WRITE and ORWRITE(16) (SBC-3, 5.3 and 5.7): read, look, write, with the range held on
 * every controller from before the read until after the write, so that nobody else's write comes
 * in between (design.md, section 5). They are never repeated here: one that was applied and not
 * answered would miscompare.
 */
#include "scsi_internal.h"

static unsigned fua(const struct hf_scsi_task *t)
{
	return t->cdb[1] & 0x08 ? HF_PDEV_FUA : 0;
}

bool scsi_compare_write_prepare(struct hf_scsi_task *t)
{
	uint32_t block = scsi_info(t)->block_bytes;

	if (!scsi_range_check(t, t->count))
		return false;
	if (t->count > HF_CAW_BLOCKS_MAX)
		return scsi_cdb_error(t, 13, -1);
	/* Who sends data meant some blocks: 256 do not fit into the field and read as none. */
	if (t->count == 0 && scsi_expected(t, SCSI_DIR_OUT))
		return scsi_cdb_error(t, 13, -1);
	/* Half of it to compare, half of it to write: cut short, it means something else. */
	if (t->count && !scsi_takes_exactly(t, 2 * t->count * block))
		return false;
	scsi_claim_blocks(t, true, t->count);
	return true;
}

static void compared(struct hf_scsi_task *t)
{
	uint64_t bytes = t->count * scsi_info(t)->block_bytes, at = 0;

	if (!scsi_equal(t->buf, t->scratch->buf, bytes, &at)) {
		hf_scsi_sense_info(t, SCSI_KEY_MISCOMPARE, SCSI_ASC_MISCOMPARE, at);
		scsi_finish(t);
		return;
	}
	scsi_io(t, HF_PDEV_WRITE, fua(t), t->lba, t->count, t->buf + bytes, scsi_good);
}

void scsi_compare_write_run(struct hf_scsi_task *t)
{
	if (t->count == 0)
		scsi_good(t);
	else
		scsi_io(t, HF_PDEV_READ, 0, t->lba, t->count, t->scratch->buf, compared);
}

bool scsi_orwrite_prepare(struct hf_scsi_task *t)
{
	if (!scsi_transfer_check(t) || !scsi_takes_blocks(t))
		return false;
	t->count = t->out_len / scsi_info(t)->block_bytes;
	scsi_claim_blocks(t, true, t->count);
	return true;
}

static void orwrite_merge(struct hf_scsi_task *t)
{
	uint8_t *old = t->scratch->buf;

	for (uint32_t i = 0; i < t->out_len; i++)
		old[i] |= t->buf[i];
	scsi_io(t, HF_PDEV_WRITE, fua(t), t->lba, t->count, old, scsi_good);
}

void scsi_orwrite_run(struct hf_scsi_task *t)
{
	if (t->count == 0)
		scsi_good(t);
	else
		scsi_io(t, HF_PDEV_READ, 0, t->lba, t->count, t->scratch->buf, orwrite_merge);
}
