/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer to a command: Data-In PDUs cut to what the initiator takes, the status in the last one
 * where it is GOOD, else a Response PDU (RFC 7143, 11.4, 11.7). Data are sent from the task's
 * buffer. Pure.
 */
#include "conn.h"

/*
 * Overflow: the command has more to move than the host expects. Underflow: it has less; for
 * data-in, what was really there counts (11.4.5.1).
 */
void hf_data_in_residual(struct hf_iscsi_task *t)
{
	const struct hf_scsi_task *s = &t->scsi;
	uint64_t moved;

	t->in_len = s->data_in ? HF_MIN(s->in_len, s->expected_bytes) : 0;
	if (s->wants_bytes > s->expected_bytes) {
		t->overflow = true;
		t->residual = (uint32_t)HF_MIN(s->wants_bytes - s->expected_bytes, UINT32_MAX);
		return;
	}
	moved = s->data_in ? t->in_len : s->wants_bytes;
	t->underflow = moved < s->expected_bytes;
	t->residual = s->expected_bytes - (uint32_t)moved;
}

static uint8_t residual_flags(const struct hf_iscsi_task *t)
{
	return t->overflow ? HF_RSP_OVERFLOW : t->underflow ? HF_RSP_UNDERFLOW : 0;
}

static bool has_good(const struct hf_iscsi_task *t)
{
	return t->scsi.status == HF_STATUS_GOOD && !t->scsi.sense_len;
}

static void build_response(struct hf_iscsi_conn *c, struct hf_iscsi_task *t)
{
	uint8_t *bhs = hf_tx_header(c, HF_ISCSI_RESPONSE);
	uint8_t segment[2 + HF_SCSI_SENSE_MAX];
	uint32_t len = 0;

	bhs[1] |= residual_flags(t);
	bhs[3] = t->scsi.status;
	hf_put_be32(bhs + 16, t->itt);
	hf_tx_numbers(c, bhs, true);
	hf_put_be32(bhs + 36, t->data_sn_in + t->r2t_sn);
	hf_put_be32(bhs + 44, t->residual);
	if (t->scsi.sense_len) {
		hf_put_be16(segment, t->scsi.sense_len);
		memcpy(segment + 2, t->scsi.sense, t->scsi.sense_len);
		len = 2u + t->scsi.sense_len;
	}
	hf_tx_finish(c, bhs, segment, len, true);
}

/* A sequence of Data-In ends at each MaxBurstLength. */
static uint32_t next_len(const struct hf_iscsi_conn *c, const struct hf_iscsi_task *t)
{
	uint32_t burst = c->params.max_burst_bytes;
	uint32_t left = HF_MIN(t->in_len - t->in_offset, burst - t->in_offset % burst);

	return HF_MIN(left, c->params.max_send_bytes);
}

/* True: this was the last PDU, with the status in it. */
static bool build_data_in(struct hf_iscsi_conn *c, struct hf_iscsi_task *t)
{
	uint32_t len = next_len(c, t), offset = t->in_offset;
	bool last = offset + len == t->in_len, with_status = last && has_good(t);
	bool ends_burst = last || (offset + len) % c->params.max_burst_bytes == 0;
	uint8_t *bhs;

	if (with_status)
		hf_task_answered(t);
	bhs = hf_tx_header(c, HF_ISCSI_DATA_IN);
	bhs[1] = ends_burst ? HF_PDU_FINAL : 0;
	hf_put_be64(bhs + 8, t->lun);
	hf_put_be32(bhs + 16, t->itt);
	hf_put_be32(bhs + 20, HF_TAG_NONE);
	hf_tx_numbers(c, bhs, with_status);
	if (with_status) {
		bhs[1] |= HF_DATA_IN_STATUS | residual_flags(t);
		bhs[3] = t->scsi.status;
		hf_put_be32(bhs + 44, t->residual);
	} else {
		hf_put_be32(bhs + 24, 0); /* StatSN is reserved without a status */
	}
	hf_put_be32(bhs + 36, t->data_sn_in++);
	hf_put_be32(bhs + 40, offset);
	t->in_offset += len;
	hf_tx_finish(c, bhs, t->scsi.buf + offset, len, false);
	return with_status;
}

bool hf_data_in_build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	struct hf_iscsi_task *t = hf_container_of(tx, struct hf_iscsi_task, tx);

	if (t->in_offset < t->in_len)
		return build_data_in(c, t);
	hf_task_answered(t);
	build_response(c, t);
	return true;
}
