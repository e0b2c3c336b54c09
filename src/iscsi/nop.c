/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NOP-Out and NOP-In (RFC 7143, 11.18, 11.19): echoes the host's pings with their data, and pings a
 * host that has been silent; one that does not answer is cut off. Pure.
 */
#include "conn.h"

static bool build_echo(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	struct hf_iscsi_task *t = hf_container_of(tx, struct hf_iscsi_task, tx);
	uint8_t *bhs;

	hf_task_answered(t);
	bhs = hf_tx_header(c, HF_ISCSI_NOP_IN);
	hf_put_be64(bhs + 8, t->lun);
	hf_put_be32(bhs + 16, t->itt);
	hf_put_be32(bhs + 20, HF_TAG_NONE);
	hf_tx_numbers(c, bhs, true);
	hf_tx_finish(c, bhs, t->scsi.buf, t->in_len, false);
	return true;
}

static bool build_ping(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	uint8_t *bhs = hf_tx_header(c, HF_ISCSI_NOP_IN);

	hf_put_be32(bhs + 16, HF_TAG_NONE);
	hf_put_be32(bhs + 20, c->ping_ttt);
	hf_tx_numbers(c, bhs, false);
	hf_tx_finish(c, bhs, NULL, 0, false);
	return true;
}

/* A ping's data come back, cut to what the initiator takes and a buffer holds. */
static enum hf_rx_next take_data(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;
	uint32_t len = HF_MIN(c->rx.pdu.data_bytes, c->params.max_send_bytes);

	len = HF_MIN(len, (uint32_t)HF_XFER_MAX_BYTES);
	t->in_len = len;
	if (!len)
		return HF_RX_GO;
	t->scsi.buf = hf_loop_buf_get(c->loop, len);
	if (!t->scsi.buf) {
		/* Pings are no reason to make commands wait. */
		hf_task_put(t);
		hf_reject(c, HF_REJECT_NO_RESOURCES);
		return HF_RX_GO;
	}
	hf_rx_into(c, t, t->scsi.buf, len);
	return HF_RX_GO;
}

enum hf_rx_next hf_nop_begin(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;
	struct hf_iscsi_task *t;
	bool wait;

	if (p->itt == HF_TAG_NONE) {
		if (!p->immediate)
			hf_reject(c, HF_REJECT_PROTOCOL);
		else if (c->pinging && p->word20 == c->ping_ttt)
			c->pinging = false;
		return HF_RX_GO;
	}
	if (hf_task_find(c, p->itt)) {
		hf_reject(c, HF_REJECT_IN_PROGRESS);
		return HF_RX_GO;
	}
	t = hf_task_get(c, &wait);
	if (!t && wait)
		return HF_RX_WAIT;
	if (!t) {
		hf_reject(c, HF_REJECT_IMMEDIATE);
		return HF_RX_GO;
	}
	c->rx.task = t;
	return take_data(t);
}

void hf_nop_end(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t = c->rx.task;

	if (!t)
		return;
	if (!c->rx.digest_ok) {
		hf_task_put(t);
		hf_reject(c, HF_REJECT_DATA_DIGEST);
		return;
	}
	hf_task_answer(t, build_echo);
}

static void arm(struct hf_iscsi_conn *c, uint32_t ms)
{
	hf_timer_arm(c->loop, &c->nop_timer, hf_loop_now_ns(c->loop) + ms * UINT64_C(1000000));
}

static void nop_fire(struct hf_timer *timer)
{
	struct hf_iscsi_conn *c = hf_container_of(timer, struct hf_iscsi_conn, nop_timer);
	/* While we do not read, silence says nothing about the host. */
	bool alive = c->heard || c->rx.waiting;

	c->heard = false;
	if (alive) {
		c->pinging = false;
	} else if (c->pinging) {
		hf_conn_close(c, "the initiator does not answer pings");
		return;
	} else if (hf_list_is_empty(&c->ping_tx.node)) {
		c->pinging = true;
		if (++c->ping_ttt == HF_TAG_NONE)
			c->ping_ttt = 0;
		hf_tx_push(c, &c->ping_tx);
	}
	arm(c, c->pinging ? c->config->nop_timeout_ms : c->config->nop_interval_ms);
}

void hf_nop_init(struct hf_iscsi_conn *c)
{
	hf_timer_init(&c->nop_timer, nop_fire);
	hf_list_init(&c->ping_tx.node);
	c->ping_tx.build = build_ping;
}

void hf_nop_start(struct hf_iscsi_conn *c)
{
	if (c->config->nop_interval_ms)
		arm(c, c->config->nop_interval_ms);
}
