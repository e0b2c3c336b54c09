/* SPDX-License-Identifier: BSD-3-Clause */
/* MODE SENSE(6) and (10) (SPC-4, 6.11 and 6.12). */
#include "scsi_internal.h"

enum { DBD = 0x08, LLBAA = 0x10, SUBPAGE_ALL = 0xff, REPLY_BYTES = 256 };

static bool mode_sense_prepare(struct hf_scsi_task *t)
{
	uint8_t none[REPLY_BYTES];
	struct hf_wr w = hf_wr_of(none, sizeof(none));
	uint8_t code = t->cdb[2] & 0x3f;

	if (t->cdb[3] != 0 && t->cdb[3] != SUBPAGE_ALL)
		return scsi_cdb_error(t, 3, 7);
	if (t->cdb[2] >> 6 == SCSI_PC_SAVED) /* 39/00 SAVING PARAMETERS NOT SUPPORTED */
		return scsi_illegal(t, 0x3900);
	if (!scsi_mode_pages_encode(&w, code, SCSI_PC_CURRENT, 0))
		return scsi_cdb_error(t, 2, 5);
	return scsi_prepare_reply(t, REPLY_BYTES);
}

bool scsi_mode_sense6_prepare(struct hf_scsi_task *t)
{
	return mode_sense_prepare(t);
}

bool scsi_mode_sense10_prepare(struct hf_scsi_task *t)
{
	return mode_sense_prepare(t);
}

void scsi_mode_sense6_run(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	bool descriptor = !(t->cdb[1] & DBD);

	hf_wr_u8(&w, 0);
	hf_wr_u8(&w, 0); /* MEDIUM TYPE */
	hf_wr_u8(&w, scsi_mode_device_parameter(info));
	hf_wr_u8(&w, descriptor ? 8 : 0);
	if (descriptor)
		scsi_mode_descriptor_encode(&w, info, false);
	scsi_mode_pages_encode(&w, t->cdb[2] & 0x3f, t->cdb[2] >> 6, scsi_attrs(info));
	t->buf[0] = (uint8_t)(hf_wr_len(&w) - 1);
	scsi_reply(t, &w);
}

void scsi_mode_sense10_run(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	bool descriptor = !(t->cdb[1] & DBD), longlba = t->cdb[1] & LLBAA;

	hf_wr_u16(&w, 0);
	hf_wr_u8(&w, 0); /* MEDIUM TYPE */
	hf_wr_u8(&w, scsi_mode_device_parameter(info));
	hf_wr_u8(&w, descriptor && longlba ? 1 : 0);
	hf_wr_u8(&w, 0);
	hf_wr_u16(&w, !descriptor ? 0 : longlba ? 16 : 8);
	if (descriptor)
		scsi_mode_descriptor_encode(&w, info, longlba);
	scsi_mode_pages_encode(&w, t->cdb[2] & 0x3f, t->cdb[2] >> 6, scsi_attrs(info));
	hf_put_be16(t->buf, (uint16_t)(hf_wr_len(&w) - 2));
	scsi_reply(t, &w);
}
