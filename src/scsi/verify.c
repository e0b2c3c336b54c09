/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VERIFY and WRITE AND VERIFY (SBC-3, 5.36 ff., 5.45 ff.). Data-out lies in the task's buffer, the
 * medium is read back into the scratch buffer.
 */
#include "scsi_internal.h"

enum {
	BYTCHK_NONE = 0, /* readable, no comparison */
	BYTCHK_DATA = 1, /* equal to the data-out */
	BYTCHK_ONE = 3,	 /* every block equal to the one block of data-out */
};

static unsigned bytchk(const struct hf_scsi_task *t)
{
	return (t->cdb[1] >> 1) & 0x3;
}

static void compare(struct hf_scsi_task *t)
{
	uint32_t block = scsi_info(t)->block_bytes;
	uint64_t at = 0;

	if (bytchk(t) == BYTCHK_DATA &&
		!scsi_equal(t->buf, t->scratch->buf, t->count * block, &at)) {
		hf_scsi_sense_info(t, SCSI_KEY_MISCOMPARE, SCSI_ASC_MISCOMPARE, at);
		scsi_finish(t);
		return;
	}
	for (uint64_t i = 0; bytchk(t) == BYTCHK_ONE && i < t->count; i++) {
		if (!scsi_equal(t->buf, t->scratch->buf + i * block, block, &at)) {
			hf_scsi_sense_info(t, SCSI_KEY_MISCOMPARE, SCSI_ASC_MISCOMPARE, at);
			scsi_finish(t);
			return;
		}
	}
	scsi_good(t);
}

static void read_back(struct hf_scsi_task *t)
{
	scsi_io(t, HF_PDEV_READ, HF_PDEV_FUA, t->lba, t->count, t->scratch->buf, compare);
}

bool scsi_verify_prepare(struct hf_scsi_task *t)
{
	uint32_t block = scsi_info(t)->block_bytes;

	if (bytchk(t) == 2)
		return scsi_cdb_error(t, 1, 2);
	if (!scsi_transfer_check(t))
		return false;
	if (bytchk(t) == BYTCHK_DATA) {
		if (!scsi_takes_blocks(t))
			return false;
		t->count = t->out_len / block;
	} else if (bytchk(t) == BYTCHK_ONE && t->count) {
		if (!scsi_takes_exactly(t, block))
			return false;
	}
	scsi_claim_blocks(t, false, t->count);
	return true;
}

void scsi_verify_run(struct hf_scsi_task *t)
{
	if (t->count == 0)
		scsi_good(t);
	else
		read_back(t);
}

bool scsi_write_verify_prepare(struct hf_scsi_task *t)
{
	if (!scsi_transfer_check(t) || !scsi_takes_blocks(t))
		return false;
	t->count = t->out_len / scsi_info(t)->block_bytes;
	scsi_claim_blocks(t, true, t->count);
	return true;
}

void scsi_write_verify_run(struct hf_scsi_task *t)
{
	if (t->count == 0)
		scsi_good(t);
	else
		scsi_io(t, HF_PDEV_WRITE, HF_PDEV_FUA, t->lba, t->count, t->buf, read_back);
}
