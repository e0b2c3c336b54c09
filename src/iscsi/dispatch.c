/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each request means in which phase, and the command window (RFC 7143, 4.2.2.1): commands of
 * one connection come in the order of their numbers, so a gap is a broken initiator. Pure.
 */
#include "conn.h"

static const struct row {
	enum hf_rx_next (*begin)(struct hf_iscsi_conn *c);
	void (*end)(struct hf_iscsi_conn *c);
	bool known, numbered; /* numbered: has a CmdSN */
	bool normal_only;     /* not in a discovery session */
} rows[] = {
	[HF_ISCSI_NOP_OUT] = {hf_nop_begin, hf_nop_end, true, true, false},
	[HF_ISCSI_COMMAND] = {hf_cmd_begin, hf_cmd_end, true, true, true},
	[HF_ISCSI_TMF] = {hf_tmf_begin, hf_tmf_end, true, true, true},
	[HF_ISCSI_LOGIN] = {hf_conn_login_begin, hf_conn_login_end, true, false, false},
	[HF_ISCSI_TEXT] = {hf_text_begin, hf_text_end, true, true, false},
	[HF_ISCSI_DATA_OUT] = {hf_data_out_begin, hf_data_out_end, true, false, true},
	[HF_ISCSI_LOGOUT] = {hf_logout_begin, hf_logout_end, true, true, false},
};

static const struct row *row_of(const struct hf_iscsi_conn *c)
{
	uint8_t opcode = c->rx.pdu.opcode;

	return opcode < HF_ARRAY_LEN(rows) && rows[opcode].known ? &rows[opcode] : NULL;
}

uint32_t hf_window_max(const struct hf_iscsi_conn *c)
{
	return c->exp_cmd_sn + c->queue_depth - c->active - 1;
}

static uint64_t *plug_word(struct hf_iscsi_conn *c, uint32_t cmd_sn)
{
	return &c->plugged[cmd_sn % HF_QUEUE_DEPTH_MAX / 64];
}

static void window_advance(struct hf_iscsi_conn *c)
{
	c->exp_cmd_sn++;
	while (c->plugged_len) {
		uint64_t bit = UINT64_C(1) << c->exp_cmd_sn % 64;

		if (!(*plug_word(c, c->exp_cmd_sn) & bit))
			break;
		*plug_word(c, c->exp_cmd_sn) &= ~bit;
		c->plugged_len--;
		c->exp_cmd_sn++;
	}
}

bool hf_window_plug(struct hf_iscsi_conn *c, uint32_t cmd_sn, uint32_t before)
{
	uint64_t bit = UINT64_C(1) << cmd_sn % 64;

	if (hf_sn_less(cmd_sn, c->exp_cmd_sn) || !hf_sn_less(cmd_sn, before) ||
		hf_sn_less(hf_window_max(c), cmd_sn))
		return false;
	if (cmd_sn == c->exp_cmd_sn) {
		window_advance(c);
	} else if (!(*plug_word(c, cmd_sn) & bit)) {
		*plug_word(c, cmd_sn) |= bit;
		c->plugged_len++;
	}
	return true;
}

/* Takes the request's number; false: the connection ends. */
static bool take_number(struct hf_iscsi_conn *c)
{
	uint32_t cmd_sn = c->rx.pdu.cmd_sn;

	if (c->rx.pdu.immediate)
		return true;
	if (cmd_sn == c->exp_cmd_sn && !hf_sn_less(hf_window_max(c), cmd_sn)) {
		window_advance(c);
		return true;
	}
	if (hf_sn_less(cmd_sn, c->exp_cmd_sn) || hf_sn_less(hf_window_max(c), cmd_sn)) {
		c->rx.ignore = true; /* outside the window: silently (4.2.2.1) */
		return true;
	}
	hf_reject_and_close(c, HF_REJECT_PROTOCOL, "a command number was left out");
	return true;
}

static bool login_phase_header(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;

	if (p->opcode != HF_ISCSI_LOGIN) {
		hf_conn_close(c, "the first request is no login");
		return false;
	}
	if (p->data_bytes > HF_LOGIN_SEGMENT_MAX || p->ahs_bytes) {
		hf_conn_close(c, "malformed login request");
		return false;
	}
	return true;
}

bool hf_dispatch_header(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;
	const struct row *row = row_of(c);

	if (c->sending.close_after) {
		c->rx.ignore = true;
		return true;
	}
	if (c->phase == HF_CONN_LOGIN || c->phase == HF_CONN_ADMISSION)
		return login_phase_header(c);
	if (p->data_bytes > c->params.max_recv_bytes) {
		hf_reject_and_close(c, HF_REJECT_PROTOCOL, "data segment longer than agreed");
		return true;
	}
	if (c->phase == HF_CONN_LOGOUT) {
		c->rx.ignore = true;
		return true;
	}
	if (!row) {
		hf_reject(
			c, p->opcode == HF_ISCSI_SNACK ? HF_REJECT_SNACK : HF_REJECT_NOT_SUPPORTED);
		return true;
	}
	if (p->opcode == HF_ISCSI_LOGIN || (row->normal_only && c->params.discovery)) {
		hf_reject_and_close(c, HF_REJECT_PROTOCOL, "request not allowed in this phase");
		return true;
	}
	if (p->ahs_bytes && p->opcode != HF_ISCSI_COMMAND) {
		hf_reject_and_close(c, HF_REJECT_PROTOCOL, "unexpected additional header segment");
		return true;
	}
	return row->numbered ? take_number(c) : true;
}

enum hf_rx_next hf_dispatch_begin(struct hf_iscsi_conn *c)
{
	return row_of(c)->begin(c);
}

void hf_dispatch_end(struct hf_iscsi_conn *c)
{
	row_of(c)->end(c);
}
