/* SPDX-License-Identifier: BSD-3-Clause */
/* READ CAPACITY(10) and (16) (SBC-3, 5.15 and 5.16). */
#include "scsi_internal.h"

bool scsi_read_capacity10_prepare(struct hf_scsi_task *t)
{
	t->count = 8; /* no allocation length in this CDB */
	return scsi_prepare_reply(t, 8);
}

void scsi_read_capacity10_run(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);

	hf_wr_u32(&w, (uint32_t)HF_MIN(info->blocks - 1, UINT32_MAX));
	hf_wr_u32(&w, info->block_bytes);
	scsi_reply(t, &w);
}

bool scsi_read_capacity16_prepare(struct hf_scsi_task *t)
{
	return scsi_prepare_reply(t, 32);
}

static uint8_t physical_exponent(const struct hf_lu_info *info)
{
	uint8_t e = 0;

	while (e < 15 && (uint64_t)info->block_bytes << e < info->physical_block_bytes)
		e++;
	return e;
}

void scsi_read_capacity16_run(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);

	hf_wr_u64(&w, info->blocks - 1);
	hf_wr_u32(&w, info->block_bytes);
	hf_wr_u8(&w, 0); /* no protection information */
	hf_wr_u8(&w, physical_exponent(info));
	hf_wr_u16(&w, info->can_unmap ? 0xc000 : 0); /* LBPME, LBPRZ; lowest aligned LBA 0 */
	hf_wr_zero(&w, 16);
	scsi_reply(t, &w);
}
