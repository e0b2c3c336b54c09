/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small commands about the unit as a whole: TEST UNIT READY, REQUEST SENSE, START STOP UNIT,
 * PREVENT ALLOW MEDIUM REMOVAL, READ DEFECT DATA.
 */
#include "scsi_internal.h"

/* Whatever makes a unit not ready was looked at before any handler runs. */
void scsi_test_unit_ready_run(struct hf_scsi_task *t)
{
	scsi_good(t);
}

bool scsi_request_sense_prepare(struct hf_scsi_task *t)
{
	return scsi_prepare_reply(t, 32);
}

/* SPC-4, 6.39: pending sense data as parameter data, with GOOD. */
void scsi_request_sense_run(struct hf_scsi_task *t)
{
	bool descriptor = t->cdb[1] & 0x01;
	uint32_t progress = 0;
	uint16_t attention = 0;
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	uint8_t sense[SCSI_SENSE_BYTES], sks[3] = {0x80}, len;

	if (!t->itl) {
		len = scsi_sense_encode(
			sense, descriptor, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_NO_LU, NULL, NULL);
		hf_wr_bytes(&w, sense, len);
		scsi_reply(t, &w);
		return;
	}
	attention = hf_itl_attention_take(t->itl);
	progress = atomic_load_explicit(&scsi_info(t)->shared->progress, memory_order_relaxed);
	if (attention) {
		len = scsi_sense_encode(
			sense, descriptor, SCSI_KEY_UNIT_ATTENTION, attention, NULL, NULL);
	} else if (scsi_sanitizes(scsi_info(t))) {
		hf_put_be16(sks + 1, (uint16_t)(progress - 1));
		len = scsi_sense_encode(sense, descriptor, SCSI_KEY_NOT_READY,
			SCSI_ASC_SANITIZE_IN_PROGRESS, NULL, progress ? sks : NULL);
	} else {
		len = scsi_sense_encode(
			sense, descriptor, SCSI_KEY_NO_SENSE, SCSI_ASC_NONE, NULL, NULL);
	}
	hf_wr_bytes(&w, sense, len);
	scsi_reply(t, &w);
}

bool scsi_start_stop_prepare(struct hf_scsi_task *t)
{
	scsi_claim_blocks(t, false, 0);
	return true;
}

/*
 * Stopping writes back what is volatile and nothing else: other hosts use the unit through other
 * controllers, and no host may take it from them this way.
 */
void scsi_start_stop_run(struct hf_scsi_task *t)
{
	bool start = t->cdb[4] & 0x01, no_flush = t->cdb[4] & 0x04;

	if (start || no_flush)
		scsi_good(t);
	else
		scsi_io(t, HF_PDEV_FLUSH, 0, 0, 0, NULL, scsi_good);
}

bool scsi_prevent_allow_prepare(struct hf_scsi_task *t)
{
	scsi_claim_blocks(t, false, 0);
	return true;
}

/* Remembered per nexus; there is no medium that could be removed. */
void scsi_prevent_allow_run(struct hf_scsi_task *t)
{
	t->itl->prevent_removal = t->cdb[4] & 0x01;
	scsi_good(t);
}

bool scsi_read_defects_prepare(struct hf_scsi_task *t)
{
	return scsi_prepare_reply(t, 8);
}

/* Both lists are empty, in whatever format was asked for (SBC-3, 5.12, 5.13). */
void scsi_read_defects_run(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	uint8_t lists = t->row->cdb_len == 10 ? t->cdb[2] : t->cdb[1];

	hf_wr_u8(&w, 0);
	hf_wr_u8(&w, lists & 0x1f); /* PLISTV, GLISTV, DEFECT LIST FORMAT */
	hf_wr_zero(&w, t->row->cdb_len == 10 ? 2 : 6);
	scsi_reply(t, &w);
}
