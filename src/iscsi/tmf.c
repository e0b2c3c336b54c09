/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Task management (RFC 7143, 11.5, 11.6): finds what is meant, hands it to src/lu, answers when all
 * named tasks have left. A referenced command that has not come yet counts as come and aborted.
 * Pure.
 */
#include "conn.h"

enum function {
	ABORT_TASK = 1,
	ABORT_TASK_SET = 2,
	CLEAR_ACA = 3,
	CLEAR_TASK_SET = 4,
	LOGICAL_UNIT_RESET = 5,
	TARGET_WARM_RESET = 6,
	TARGET_COLD_RESET = 7,
	TASK_REASSIGN = 8,
};

enum response {
	COMPLETE = 0,
	NO_TASK = 1,
	NO_LUN = 2,
	NO_REASSIGN = 4,
	NOT_SUPPORTED = 5,
	REJECTED = 255,
};

static uint8_t function_of(const struct hf_iscsi_conn *c)
{
	return c->rx.pdu.flags & HF_TMF_FUNCTION_MASK;
}

static bool build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	struct hf_iscsi_task *t = hf_container_of(tx, struct hf_iscsi_task, tx);
	uint8_t *bhs;

	hf_task_answered(t);
	bhs = hf_tx_header(c, HF_ISCSI_TMF_RESPONSE);
	bhs[2] = t->response;
	hf_put_be32(bhs + 16, t->itt);
	hf_tx_numbers(c, bhs, true);
	hf_tx_finish(c, bhs, NULL, 0, false);
	/* A cold reset ends with the connections (11.5.1). */
	if (t->response == COMPLETE && t->tmf.function == HF_TMF_TARGET_COLD_RESET) {
		c->why = "target cold reset";
		c->sending.close_after = true;
	}
	return true;
}

static void answer(struct hf_iscsi_task *t, enum response response)
{
	t->response = (uint8_t)response;
	hf_task_answer_valid(t, build);
}

/* Whether a command that is over, but for data the host owes, is among those aborted. */
static bool is_meant(const struct hf_iscsi_task *by, const struct hf_iscsi_task *t)
{
	if (t->state != HF_TASK_DRAIN)
		return false;
	return by->tmf.itl ? t->lun == by->lun : true;
}

static void drop_drained(struct hf_iscsi_task *by)
{
	struct hf_iscsi_conn *c = by->conn;

	hf_list_for_each_safe (node, &c->tasks) {
		struct hf_iscsi_task *t = hf_list_entry(node, struct hf_iscsi_task, node);

		if (is_meant(by, t))
			hf_task_drop(t);
	}
}

static void done(struct hf_tmf_req *req, int result)
{
	struct hf_iscsi_task *t = hf_container_of(req, struct hf_iscsi_task, tmf);
	struct hf_iscsi_conn *c = t->conn;

	c->in_scsi--;
	t->lower = false;
	if (!hf_conn_is_open(c) || result == -ENOTCONN) {
		hf_conn_close(c, "the outcome of a task management function is unknown");
		hf_task_put(t);
		return;
	}
	if (!result && req->function != HF_TMF_ABORT_TASK)
		drop_drained(t);
	answer(t, result ? REJECTED : COMPLETE);
	if (c->phase == HF_CONN_LOGOUT)
		hf_logout_continue(c);
}

static void ask(struct hf_iscsi_task *t, enum hf_tmf function, struct hf_lu_cmd *target)
{
	struct hf_iscsi_conn *c = t->conn;

	t->tmf.function = function;
	t->tmf.session = &c->session;
	t->tmf.itl = t->itl;
	t->tmf.target = target;
	t->tmf.done = done;
	c->in_scsi++;
	t->lower = true;
	hf_lu_tmf(&t->tmf);
}

static void abort_task(struct hf_iscsi_task *t, uint32_t rtt, uint32_t ref_cmd_sn)
{
	struct hf_iscsi_conn *c = t->conn;
	struct hf_iscsi_task *victim = hf_task_find(c, rtt);

	t->tmf.function = HF_TMF_ABORT_TASK;
	if (!victim || victim->state == HF_TASK_SEND || victim->state == HF_TASK_OTHER) {
		bool came = victim || !hf_window_plug(c, ref_cmd_sn, t->cmd_sn);

		answer(t, came ? NO_TASK : COMPLETE);
		return;
	}
	if (victim->lun != t->lun) {
		answer(t, NO_TASK);
		return;
	}
	if (victim->scsi.cmd.state == HF_LU_CMD_OUT || !victim->entered) {
		/* In no task set: over but for data it owes, or known to no logical unit. */
		if (victim->state == HF_TASK_RUN) {
			answer(t, REJECTED);
			return;
		}
		hf_task_drop(victim);
		answer(t, COMPLETE);
		return;
	}
	t->itl = victim->itl;
	ask(t, HF_TMF_ABORT_TASK, &victim->scsi.cmd);
}

static bool needs_lun(uint8_t function)
{
	return function == ABORT_TASK_SET || function == CLEAR_TASK_SET ||
	       function == LOGICAL_UNIT_RESET;
}

enum hf_rx_next hf_tmf_begin(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t = c->rx.task;
	bool wait;

	if (t)
		return t->state == HF_TASK_ATTACH ? HF_RX_WAIT : HF_RX_GO;
	if (c->rx.pdu.itt == HF_TAG_NONE || hf_task_find(c, c->rx.pdu.itt)) {
		hf_reject(c, c->rx.pdu.itt == HF_TAG_NONE ? HF_REJECT_INVALID_FIELD
							  : HF_REJECT_IN_PROGRESS);
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
	t->tmf.itl = NULL;
	return needs_lun(function_of(c)) ? hf_task_attach(t) : HF_RX_GO;
}

void hf_tmf_end(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t = c->rx.task;
	uint8_t function = function_of(c);

	if (!t)
		return;
	t->tmf.function = HF_TMF_ABORT_TASK;
	if (needs_lun(function) && !t->itl) {
		answer(t, NO_LUN);
		return;
	}
	switch (function) {
	case ABORT_TASK:
		abort_task(t, c->rx.pdu.word20, c->rx.pdu.word32);
		return;
	case ABORT_TASK_SET:
		ask(t, HF_TMF_ABORT_TASK_SET, NULL);
		return;
	case CLEAR_TASK_SET:
		ask(t, HF_TMF_CLEAR_TASK_SET, NULL);
		return;
	case LOGICAL_UNIT_RESET:
		ask(t, HF_TMF_LU_RESET, NULL);
		return;
	case TARGET_WARM_RESET:
		ask(t, HF_TMF_TARGET_WARM_RESET, NULL);
		return;
	case TARGET_COLD_RESET:
		ask(t, HF_TMF_TARGET_COLD_RESET, NULL);
		return;
	case TASK_REASSIGN:
		answer(t, NO_REASSIGN);
		return;
	default: /* CLEAR ACA, too: no ACA condition is ever established */
		answer(t, NOT_SUPPORTED);
		return;
	}
}
