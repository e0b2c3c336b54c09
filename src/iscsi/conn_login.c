/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The login phase on a connection: feeds login.c, sends its answers, has the session admitted, and
 * opens full feature phase with the last answer. Pure.
 */
#include "conn.h"

#include <stdlib.h>

static bool build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	struct hf_login *l = c->login;
	bool full = c->phase == HF_CONN_ADMISSION && l->status == HF_LOGIN_SUCCESS;
	uint8_t *bhs = hf_tx_header(c, HF_ISCSI_LOGIN_RESPONSE);

	bhs[1] = l->flags;
	hf_put_be48(bhs + 8, l->isid);
	if (full)
		hf_put_be16(bhs + 14, c->registration.info.tsih);
	hf_put_be32(bhs + 16, l->itt);
	hf_tx_numbers(c, bhs, true);
	hf_put_be16(bhs + 36, (uint16_t)l->status);
	hf_tx_finish(c, bhs, l->out, (uint32_t)l->out_len, false);
	if (full) {
		/* Digests begin with the next PDU. */
		c->params = l->params;
		c->phase = HF_CONN_FULL;
	}
	if (l->status != HF_LOGIN_SUCCESS)
		c->sending.close_after = true;
	return true;
}

/* The machine's memory is not needed any more. */
static void sent(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	if (c->phase == HF_CONN_FULL) {
		hf_timer_cancel(c->loop, &c->login_timer);
		free(c->login);
		c->login = NULL;
		hf_nop_start(c);
	}
	hf_conn_resume(c);
}

void hf_conn_login_answer(struct hf_iscsi_conn *c)
{
	c->login_tx.build = build;
	c->login_tx.sent = sent;
	c->rx.waiting = true; /* one request, one answer */
	hf_tx_push(c, &c->login_tx);
}

void hf_conn_login_refuse(struct hf_iscsi_conn *c, enum hf_login_status status)
{
	c->login->status = status;
	c->login->flags = 0;
	c->login->out_len = 0;
	c->why = hf_login_status_text(status);
	hf_conn_login_answer(c);
}

enum hf_rx_next hf_conn_login_begin(struct hf_iscsi_conn *c)
{
	/* The text buffer has no other use before full feature phase. */
	hf_rx_into(c, NULL, (uint8_t *)c->text.in, c->rx.pdu.data_bytes);
	return HF_RX_GO;
}

void hf_conn_login_end(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;
	struct hf_login *l = c->login;

	if (!l->begun) {
		/* Login requests are immediate: the first command has the number they have. */
		c->exp_cmd_sn = p->cmd_sn;
		c->cid = (uint16_t)(p->word20 >> 16);
	}
	switch (hf_login_step(l, p, c->text.in)) {
	case HF_LOGIN_REPLY:
		hf_conn_login_answer(c);
		break;
	case HF_LOGIN_COMPLETE:
		c->phase = HF_CONN_ADMISSION;
		c->rx.waiting = true;
		hf_session_admit(c);
		break;
	case HF_LOGIN_FAIL:
		hf_conn_login_refuse(c, l->status);
		break;
	}
}

static void login_fire(struct hf_timer *timer)
{
	struct hf_iscsi_conn *c = hf_container_of(timer, struct hf_iscsi_conn, login_timer);

	hf_conn_close(c, "login took too long");
}

int hf_conn_login_init(struct hf_iscsi_conn *c, const uint8_t random[static HF_LOGIN_RANDOM_BYTES])
{
	c->login = malloc(sizeof(*c->login));
	if (!c->login)
		return -ENOMEM;
	hf_login_init(c->login, c->config, random);
	hf_params_init(&c->params);
	hf_list_init(&c->login_tx.node);
	hf_timer_init(&c->login_timer, login_fire);
	if (c->config->login_timeout_ms)
		hf_timer_arm(c->loop, &c->login_timer,
			hf_loop_now_ns(c->loop) + c->config->login_timeout_ms * UINT64_C(1000000));
	return 0;
}
