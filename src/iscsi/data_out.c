/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data from the host (RFC 7143, 11.7, 11.8): unsolicited ones as agreed, then bursts that R2Ts ask
 * for. Data come in order of offset (DataPDUInOrder, DataSequenceInOrder), so a cursor tells what
 * is next; an offset out of turn ends the connection, a number out of turn fails the command. Pure.
 */
#include "conn.h"

enum {
	KEY_ABORTED_COMMAND = 0xb,
	UNEXPECTED_UNSOLICITED_DATA = 0x0c0c,
	INCORRECT_AMOUNT_OF_DATA = 0x0c0d,
	PROTOCOL_SERVICE_CRC_ERROR = 0x4705,
};

bool hf_r2t_build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	struct hf_iscsi_task *t = hf_container_of(tx, struct hf_iscsi_task, r2t_tx);
	const struct hf_r2t *r = &t->r2ts[t->r2ts_built++];
	uint8_t *bhs = hf_tx_header(c, HF_ISCSI_R2T);

	hf_put_be64(bhs + 8, t->lun);
	hf_put_be32(bhs + 16, t->itt);
	hf_put_be32(bhs + 20, r->ttt);
	hf_tx_numbers(c, bhs, false);
	hf_put_be32(bhs + 36, t->r2t_sn++);
	hf_put_be32(bhs + 40, r->offset);
	hf_put_be32(bhs + 44, r->len);
	hf_tx_finish(c, bhs, NULL, 0, false);
	return t->r2ts_built == t->r2ts_len;
}

static uint32_t new_ttt(struct hf_iscsi_conn *c)
{
	if (++c->next_ttt == HF_TAG_NONE)
		c->next_ttt = 0;
	return c->next_ttt;
}

void hf_data_out_ask(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;
	uint32_t burst = HF_MIN(c->params.max_burst_bytes, c->config->max_burst_bytes);
	unsigned max = HF_MIN(c->params.max_outstanding_r2t, (uint32_t)HF_R2T_MAX);

	while (t->r2ts_len < max && t->r2t_offset < t->scsi.out_len) {
		struct hf_r2t *r = &t->r2ts[t->r2ts_len++];

		r->ttt = new_ttt(c);
		r->offset = t->r2t_offset;
		r->len = HF_MIN(burst, t->scsi.out_len - t->r2t_offset);
		t->r2t_offset += r->len;
	}
	if (t->r2ts_built == t->r2ts_len || !hf_list_is_empty(&t->r2t_tx.node))
		return;
	t->r2t_tx.build = hf_r2t_build;
	hf_tx_push(c, &t->r2t_tx);
}

void hf_data_out_advance(struct hf_iscsi_task *t)
{
	uint16_t fault = t->digest_failed ? PROTOCOL_SERVICE_CRC_ERROR : t->data_fault;

	if (t->state == HF_TASK_DRAIN && !hf_task_is_gathering(t)) {
		hf_task_answer_valid(t, hf_data_in_build);
		return;
	}
	if (t->state != HF_TASK_GATHER && !(t->state == HF_TASK_BUFFER && fault))
		return;
	if (fault) {
		/* hf_cmd_over() waits for what is still on its way. */
		if (!hf_task_is_gathering(t) || t->state == HF_TASK_GATHER)
			hf_cmd_fail(t, KEY_ABORTED_COMMAND, fault);
		return;
	}
	if (t->unsolicited)
		return;
	if (!t->r2ts_len && t->data_offset >= t->scsi.out_len)
		hf_cmd_gathered(t);
	else
		hf_data_out_ask(t);
}

/*
 * Whether a PDU with these bytes is what comes next in its sequence. A number out of order tells
 * that an earlier PDU was damaged on its way; without recovery the command fails, once all data are
 * here (RFC 7143, 7.8 and 7.9).
 */
static bool is_next(struct hf_iscsi_task *t, const struct hf_pdu *p)
{
	if (p->data_sn != t->data_sn_out)
		t->digest_failed = true;
	return t->digest_failed || p->offset == t->data_offset;
}

static bool check_solicited(struct hf_iscsi_task *t, const struct hf_pdu *p)
{
	const struct hf_r2t *r = &t->r2ts[0];
	uint32_t left = r->offset + r->len - t->data_offset;

	return is_next(t, p) && p->data_bytes <= left &&
	       (p->data_bytes < left || (p->flags & HF_PDU_FINAL));
}

static void check_amount(struct hf_iscsi_task *t, const struct hf_pdu *p)
{
	uint64_t end = (uint64_t)t->data_offset + p->data_bytes;

	if (end > t->conn->params.first_burst_bytes || end > t->scsi.expected_bytes)
		t->data_fault = UNEXPECTED_UNSOLICITED_DATA;
}

enum hf_rx_next hf_data_out_begin(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;
	struct hf_iscsi_task *t = c->rx.task ? c->rx.task : hf_task_find(c, p->itt);
	bool solicited = p->word20 != HF_TAG_NONE;
	bool known = t && t->write &&
		     (solicited ? t->r2ts_built && t->r2ts[0].ttt == p->word20 : t->unsolicited);

	if (!known) {
		/* Data of a task that was aborted meanwhile, most likely. */
		c->counters.dropped_data++;
		c->rx.ignore = true;
		return HF_RX_GO;
	}
	if (solicited ? !check_solicited(t, p) : !is_next(t, p)) {
		hf_reject_and_close(c, HF_REJECT_PROTOCOL, "data out of sequence");
		return HF_RX_GO;
	}
	if (!solicited)
		check_amount(t, p);
	c->rx.task = t;
	return hf_data_out_place(t, t->data_offset);
}

static void end_sequence(struct hf_iscsi_task *t, bool solicited)
{
	uint32_t end = t->r2ts[0].offset + t->r2ts[0].len;

	t->data_sn_out = 0;
	if (!solicited) {
		t->unsolicited = false;
		t->r2t_offset = t->data_offset;
		return;
	}
	if (t->data_offset != end)
		t->data_fault = INCORRECT_AMOUNT_OF_DATA;
	t->data_offset = end;
	t->r2ts_len--;
	t->r2ts_built--;
	memmove(t->r2ts, t->r2ts + 1, t->r2ts_len * sizeof(t->r2ts[0]));
}

void hf_data_out_end(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;
	struct hf_iscsi_task *t = c->rx.task;

	if (!t)
		return;
	if (!c->rx.digest_ok) {
		hf_reject(c, HF_REJECT_DATA_DIGEST);
		t->digest_failed = true;
	}
	t->data_offset += p->data_bytes;
	t->data_sn_out++;
	if (p->flags & HF_PDU_FINAL)
		end_sequence(t, p->word20 != HF_TAG_NONE);
	hf_data_out_advance(t);
}
