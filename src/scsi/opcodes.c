/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * REPORT SUPPORTED OPERATION CODES and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS
 * (SPC-4, 6.35, 6.36). The former is the command table put into bytes.
 */
#include "scsi_internal.h"

enum {
	RCTD = 0x80,
	ALL_BYTES = 4096,
	OPTION_ALL = 0,
	OPTION_OPCODE = 1,  /* must not have service actions */
	OPTION_SERVICE = 2, /* must have them */
	OPTION_EITHER = 3,  /* SPC-4: either, by what the opcode has */
	NOT_SUPPORTED = 1,
	SUPPORTED = 3,
};

static uint8_t option(const struct hf_scsi_task *t)
{
	return t->cdb[2] & 0x07;
}

/* What the host asks about; the service action field is 16 bits wide. */
static const struct hf_scsi_row *asked(const struct hf_scsi_task *t, bool *ret_has_actions)
{
	uint16_t sa = hf_get_be16(t->cdb + 4);
	const struct hf_scsi_row *row;
	bool known = false;

	row = scsi_row_find(t->cdb[3], sa > 0x1f ? 0x20 : (uint8_t)sa, scsi_info(t), &known);
	*ret_has_actions = known || (row && row->sa != SCSI_NO_SA);
	return row;
}

bool scsi_report_opcodes_prepare(struct hf_scsi_task *t)
{
	bool has_actions;

	if (option(t) > OPTION_EITHER)
		return scsi_cdb_error(t, 2, 2);
	asked(t, &has_actions);
	if (option(t) == OPTION_OPCODE && has_actions)
		return scsi_cdb_error(t, 2, 2);
	if (option(t) == OPTION_SERVICE && !has_actions && asked(t, &has_actions))
		return scsi_cdb_error(t, 2, 2);
	return scsi_prepare_reply(t, ALL_BYTES);
}

static void put_timeouts(struct hf_wr *w, const struct hf_scsi_row *row)
{
	uint32_t nominal_s = row->timeout_s ? row->timeout_s : SCSI_TIMEOUT_S;

	hf_wr_u16(w, 10);
	hf_wr_u16(w, 0);
	hf_wr_u32(w, nominal_s);     /* NOMINAL COMMAND PROCESSING TIMEOUT */
	hf_wr_u32(w, 2 * nominal_s); /* RECOMMENDED COMMAND TIMEOUT */
}

static void put_all(struct hf_wr *w, const struct hf_scsi_task *t)
{
	bool timeouts = t->cdb[2] & RCTD, known;

	hf_wr_u32(w, 0);
	for (unsigned i = 0; i < scsi_table_len; i++) {
		const struct hf_scsi_row *row = &scsi_table[i];
		bool actions = row->sa != SCSI_NO_SA;

		if (scsi_row_find(row->opcode, row->sa, scsi_info(t), &known) != row)
			continue;
		hf_wr_u8(w, row->opcode);
		hf_wr_u8(w, 0);
		hf_wr_u16(w, actions ? row->sa : 0);
		hf_wr_u8(w, 0);
		hf_wr_u8(w, (actions ? 0x01 : 0) | (timeouts ? 0x02 : 0)); /* SERVACTV, CTDP */
		hf_wr_u16(w, row->cdb_len);
		if (timeouts)
			put_timeouts(w, row);
	}
	hf_put_be32(w->start, (uint32_t)(hf_wr_len(w) - 4));
}

static void put_one(struct hf_wr *w, const struct hf_scsi_task *t, const struct hf_scsi_row *row)
{
	bool timeouts = row && (t->cdb[2] & RCTD);
	uint8_t usage[16];

	hf_wr_u8(w, 0);
	hf_wr_u8(w, (timeouts ? 0x80 : 0) | (row ? SUPPORTED : NOT_SUPPORTED));
	hf_wr_u16(w, row ? row->cdb_len : 0);
	if (row) {
		scsi_row_usage(row, scsi_info(t), usage);
		hf_wr_bytes(w, usage, row->cdb_len);
	}
	if (timeouts)
		put_timeouts(w, row);
}

void scsi_report_opcodes_run(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	bool has_actions;

	if (option(t) == OPTION_ALL)
		put_all(&w, t);
	else
		put_one(&w, t, asked(t, &has_actions));
	scsi_reply(t, &w);
}

bool scsi_report_tmf_prepare(struct hf_scsi_task *t)
{
	return scsi_prepare_reply(t, 16);
}

void scsi_report_tmf_run(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	bool extended = t->cdb[2] & 0x80;

	hf_wr_u8(&w, 0xda); /* ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LU RESET, TARGET RESET */
	hf_wr_u8(&w, 0);
	hf_wr_u8(&w, 0);
	hf_wr_u8(&w, extended ? 12 : 0);
	if (extended) {
		hf_wr_u32(&w, 0);  /* TMFTMOV=0 */
		hf_wr_u32(&w, 50); /* in units of 100 ms */
		hf_wr_u32(&w, 100);
	}
	scsi_reply(t, &w);
}
