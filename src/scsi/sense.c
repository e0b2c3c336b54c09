/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sense data: fixed and descriptor form (SPC-4, 4.5). Pure encoding; which error a command ends in
 * is its handler's matter.
 */
#include "scsi_internal.h"

static void encode_fixed(
	struct hf_wr *w, uint8_t key, uint16_t asc_ascq, const uint64_t *info, const uint8_t sks[3])
{
	bool valid = info && *info <= UINT32_MAX;

	hf_wr_u8(w, 0x70 | (valid ? 0x80 : 0));
	hf_wr_u8(w, 0);
	hf_wr_u8(w, key);
	hf_wr_u32(w, valid ? (uint32_t)*info : 0);
	hf_wr_u8(w, 10); /* ADDITIONAL SENSE LENGTH */
	hf_wr_u32(w, 0); /* COMMAND-SPECIFIC INFORMATION */
	hf_wr_u16(w, asc_ascq);
	hf_wr_u8(w, 0); /* FIELD REPLACEABLE UNIT CODE */
	if (sks)
		hf_wr_bytes(w, sks, 3);
	else
		hf_wr_zero(w, 3);
}

static void encode_descriptor(
	struct hf_wr *w, uint8_t key, uint16_t asc_ascq, const uint64_t *info, const uint8_t sks[3])
{
	hf_wr_u8(w, 0x72);
	hf_wr_u8(w, key);
	hf_wr_u16(w, asc_ascq);
	hf_wr_zero(w, 3);
	hf_wr_u8(w, (uint8_t)((info ? 12 : 0) + (sks ? 8 : 0))); /* ADDITIONAL SENSE LENGTH */
	if (info) {
		hf_wr_u16(w, 0x000a); /* information descriptor */
		hf_wr_u16(w, 0x8000); /* VALID */
		hf_wr_u64(w, *info);
	}
	if (sks) {
		hf_wr_u16(w, 0x0206); /* sense key specific descriptor */
		hf_wr_u16(w, 0);
		hf_wr_bytes(w, sks, 3);
		hf_wr_u8(w, 0);
	}
}

uint8_t scsi_sense_encode(uint8_t *buf, bool descriptor, uint8_t key, uint16_t asc_ascq,
	const uint64_t *info, const uint8_t sks[3])
{
	struct hf_wr w = hf_wr_of(buf, SCSI_SENSE_BYTES);

	if (descriptor)
		encode_descriptor(&w, key, asc_ascq, info, sks);
	else
		encode_fixed(&w, key, asc_ascq, info, sks);
	hf_assert(!hf_wr_failed(&w));
	return (uint8_t)hf_wr_len(&w);
}

static void set(struct hf_scsi_task *t, uint8_t key, uint16_t asc_ascq, const uint64_t *info,
	const uint8_t *sks)
{
	bool descriptor = t->itl && (scsi_attrs(scsi_info(t)) & HF_RESV_D_SENSE);

	t->status = HF_STATUS_CHECK_CONDITION;
	t->in_len = 0;
	if (t->data_in)
		t->wants_bytes = 0;
	t->sense_len = scsi_sense_encode(t->sense, descriptor, key, asc_ascq, info, sks);
}

void hf_scsi_sense(struct hf_scsi_task *t, uint8_t key, uint16_t asc_ascq)
{
	set(t, key, asc_ascq, NULL, NULL);
}

void hf_scsi_sense_field(
	struct hf_scsi_task *t, uint16_t asc_ascq, bool in_cdb, uint16_t byte, int8_t bit)
{
	uint8_t sks[3] = {0x80 | (in_cdb ? 0x40 : 0)};

	if (bit >= 0)
		sks[0] |= 0x08 | (uint8_t)bit;
	hf_put_be16(sks + 1, byte);
	set(t, SCSI_KEY_ILLEGAL_REQUEST, asc_ascq, NULL, sks);
}

void hf_scsi_sense_info(struct hf_scsi_task *t, uint8_t key, uint16_t asc_ascq, uint64_t info)
{
	set(t, key, asc_ascq, &info, NULL);
}

void scsi_sense_progress(struct hf_scsi_task *t, uint16_t asc_ascq, uint16_t progress)
{
	uint8_t sks[3] = {0x80};

	hf_put_be16(sks + 1, progress);
	set(t, SCSI_KEY_NOT_READY, asc_ascq, NULL, sks);
}

bool scsi_cdb_error(struct hf_scsi_task *t, uint8_t byte, int8_t bit)
{
	hf_scsi_sense_field(t, SCSI_ASC_FIELD_IN_CDB, true, byte, bit);
	return false;
}

bool scsi_list_error(struct hf_scsi_task *t, uint16_t byte, int8_t bit)
{
	hf_scsi_sense_field(t, SCSI_ASC_FIELD_IN_LIST, false, byte, bit);
	return false;
}

bool scsi_illegal(struct hf_scsi_task *t, uint16_t asc_ascq)
{
	hf_scsi_sense(t, SCSI_KEY_ILLEGAL_REQUEST, asc_ascq);
	return false;
}
