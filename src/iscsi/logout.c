/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Logout (RFC 7143, 11.14, 11.15) and the asynchronous messages that ask for it (11.9). The answer
 * leaves when no command of the session is left and what it had reserved is free. Pure.
 */
#include "conn.h"

enum reason {
	CLOSE_SESSION = 0,
	CLOSE_CONNECTION = 1,
	REMOVE_FOR_RECOVERY = 2,
};

enum response {
	CLOSED = 0,
	NO_SUCH_CID = 1,
	NO_RECOVERY = 2,
};

enum async_event {
	LOGOUT_REQUEST = 1,
	DROP_ALL_CONNECTIONS = 3,
	STOP_SECONDS = 1,
};

static bool build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	struct hf_iscsi_task *t = hf_container_of(tx, struct hf_iscsi_task, tx);
	uint8_t *bhs;

	hf_task_answered(t);
	bhs = hf_tx_header(c, HF_ISCSI_LOGOUT_RESPONSE);
	bhs[2] = t->response;
	hf_put_be32(bhs + 16, t->itt);
	hf_tx_numbers(c, bhs, true);
	hf_put_be16(bhs + 40, (uint16_t)c->params.time2wait);
	hf_put_be16(bhs + 42, (uint16_t)c->params.time2retain);
	hf_tx_finish(c, bhs, NULL, 0, false);
	if (t->response == CLOSED) {
		c->why = "logged out";
		c->sending.close_after = true;
	}
	return true;
}

/* Tasks of which no lower layer knows more than that they wait end here. */
static void drop_waiting(struct hf_iscsi_conn *c)
{
	hf_list_for_each_safe (node, &c->tasks) {
		struct hf_iscsi_task *t = hf_list_entry(node, struct hf_iscsi_task, node);

		if (t->state == HF_TASK_BUFFER || t->state == HF_TASK_GATHER ||
			t->state == HF_TASK_ORDER || t->state == HF_TASK_DRAIN)
			hf_task_drop(t);
	}
}

void hf_logout_lost(struct hf_lu_session *s)
{
	struct hf_iscsi_conn *c = hf_container_of(s, struct hf_iscsi_conn, session);

	c->in_scsi--;
	c->lost = true;
	if (hf_conn_is_open(c))
		hf_logout_continue(c);
	else
		hf_conn_wind(c);
}

void hf_logout_continue(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t = c->logout;

	if (!t || c->in_scsi)
		return;
	if (c->attached && !c->lost) {
		c->in_scsi++;
		hf_lu_session_lose(&c->session);
		return;
	}
	c->logout = NULL;
	t->response = CLOSED;
	hf_task_answer(t, build);
}

enum hf_rx_next hf_logout_begin(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t;
	bool wait;

	if (c->rx.pdu.itt == HF_TAG_NONE || hf_task_find(c, c->rx.pdu.itt)) {
		hf_reject(c, HF_REJECT_INVALID_FIELD);
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
	return HF_RX_GO;
}

void hf_logout_end(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t = c->rx.task;
	uint16_t cid = (uint16_t)(c->rx.pdu.word20 >> 16);

	if (!t)
		return;
	switch (c->rx.pdu.flags & HF_LOGOUT_REASON_MASK) {
	case CLOSE_CONNECTION:
		if (cid != c->cid) {
			t->response = NO_SUCH_CID;
			break;
		}
		/* fall through */
	case CLOSE_SESSION:
		c->phase = HF_CONN_LOGOUT;
		c->logout = t;
		c->rx.task = NULL;
		drop_waiting(c);
		hf_logout_continue(c);
		return;
	case REMOVE_FOR_RECOVERY:
		t->response = NO_RECOVERY;
		break;
	default:
		hf_task_put(t);
		hf_reject(c, HF_REJECT_INVALID_FIELD);
		return;
	}
	hf_task_answer(t, build);
}

static bool build_async(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	uint8_t *bhs = hf_tx_header(c, HF_ISCSI_ASYNC);

	hf_put_be32(bhs + 16, HF_TAG_NONE);
	hf_tx_numbers(c, bhs, true);
	bhs[36] = c->async_event;
	if (c->async_event == LOGOUT_REQUEST) {
		hf_put_be16(bhs + 42, STOP_SECONDS);
	} else {
		hf_put_be16(bhs + 40, (uint16_t)c->params.time2wait);
		hf_put_be16(bhs + 42, (uint16_t)c->params.time2retain);
		c->sending.close_after = true;
	}
	hf_tx_finish(c, bhs, NULL, 0, false);
	return true;
}

static void send_async(struct hf_iscsi_conn *c, enum async_event event)
{
	c->async_event = (uint8_t)event;
	c->async_tx.build = build_async;
	if (hf_list_is_empty(&c->async_tx.node))
		hf_tx_push(c, &c->async_tx);
}

static void arm_stop(struct hf_iscsi_conn *c)
{
	hf_timer_arm(c->loop, &c->stop_timer,
		hf_loop_now_ns(c->loop) + STOP_SECONDS * UINT64_C(1000000000));
}

/* Once for the time to log out, once more for the last message to leave. */
static void stop_fire(struct hf_timer *timer)
{
	struct hf_iscsi_conn *c = hf_container_of(timer, struct hf_iscsi_conn, stop_timer);

	if (c->async_event != LOGOUT_REQUEST || c->sending.close_after) {
		hf_conn_close(c, "stopped");
		return;
	}
	send_async(c, DROP_ALL_CONNECTIONS);
	arm_stop(c);
}

void hf_logout_init(struct hf_iscsi_conn *c)
{
	hf_list_init(&c->async_tx.node);
	hf_timer_init(&c->stop_timer, stop_fire);
}

void hf_conn_stop(struct hf_iscsi_conn *c)
{
	if (!hf_conn_is_open(c) || hf_timer_is_armed(&c->stop_timer))
		return;
	c->why = "stopped";
	if (c->phase < HF_CONN_FULL) {
		hf_conn_close(c, c->why);
		return;
	}
	send_async(c, LOGOUT_REQUEST);
	arm_stop(c);
}
