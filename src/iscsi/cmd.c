/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SCSI Command requests (RFC 7143, 11.3): from the header to the SCSI layer and, when that is done,
 * to the answer. The way of a command:
 *
 *	begin: task, hf_itl (ATTACH), hf_scsi_arrive(), buffer (BUFFER), immediate data
 *	end:   data_out.c gathers (GATHER), order.c may hold it (ORDER), run (RUN)
 *	done:  the host may still owe data (DRAIN), then data_in.c answers (SEND)
 *
 * Knows no CDB. Pure.
 */
#include "conn.h"

enum {
	KEY_ILLEGAL_REQUEST = 0x5,
	KEY_ABORTED_COMMAND = 0xb,
	INVALID_MESSAGE_ERROR = 0x4900,
	UNEXPECTED_UNSOLICITED_DATA = 0x0c0c,
};

void hf_cmd_over(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;

	if (t->ordered)
		c->ordered--;
	t->ordered = false;
	/* What has not been asked for never will be. */
	if (t->r2ts_built < t->r2ts_len) {
		hf_list_remove(&t->r2t_tx.node);
		t->r2ts_len = t->r2ts_built;
	}
	hf_data_in_residual(t);
	if (hf_task_is_gathering(t))
		t->state = HF_TASK_DRAIN;
	else
		hf_task_answer_valid(t, hf_data_in_build);
	hf_order_rescan(c);
}

static void leave(struct hf_iscsi_task *t)
{
	t->entered = false;
	hf_scsi_leave(t->conn->scsi, &t->scsi);
}

/* Ends a task that waits for data or for its turn. */
static void stop_waiting(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;

	if (t->state == HF_TASK_BUFFER)
		hf_loop_buf_unwait(c->loop, &t->buf_waiter);
	else if (t->state == HF_TASK_GATHER)
		c->gathering--;
	else if (t->state == HF_TASK_ORDER)
		c->order_waiting--;
	t->state = HF_TASK_OTHER;
	if (t->waits_buffer)
		hf_conn_resume(c);
	t->waits_buffer = false;
}

void hf_cmd_fail(struct hf_iscsi_task *t, uint8_t key, uint16_t asc_ascq)
{
	stop_waiting(t);
	t->scsi.in_len = 0;
	hf_scsi_sense(&t->scsi, key, asc_ascq);
	leave(t);
	hf_cmd_over(t);
}

/* No buffer, and waiting for one could last for ever: the host is to try again. */
static void fail_full(struct hf_iscsi_task *t)
{
	stop_waiting(t);
	t->scsi.in_len = 0;
	t->scsi.sense_len = 0;
	t->scsi.status = HF_STATUS_TASK_SET_FULL;
	leave(t);
	hf_cmd_over(t);
}

/* From the SCSI layer: somebody else aborted it before it ran. */
static void aborted(struct hf_scsi_task *s)
{
	struct hf_iscsi_task *t = hf_container_of(s, struct hf_iscsi_task, scsi);

	if (s->status != HF_STATUS_TASK_ABORTED || !hf_conn_is_open(t->conn)) {
		if (t->waits_buffer)
			hf_conn_resume(t->conn);
		hf_task_drop(t);
		return;
	}
	stop_waiting(t);
	s->in_len = 0;
	leave(t);
	hf_cmd_over(t);
}

static void done(struct hf_scsi_task *s)
{
	struct hf_iscsi_task *t = hf_container_of(s, struct hf_iscsi_task, scsi);
	struct hf_iscsi_conn *c = t->conn;

	c->in_scsi--;
	t->state = HF_TASK_OTHER;
	if (s->drop_session)
		hf_conn_close(c, "the outcome of a command is unknown");
	if (!hf_conn_is_open(c) || s->silent) {
		leave(t);
		hf_task_put(t);
	} else {
		hf_cmd_over(t);
		leave(t);
	}
	if (c->phase == HF_CONN_LOGOUT)
		hf_logout_continue(c);
}

void hf_cmd_run(struct hf_iscsi_task *t)
{
	t->state = HF_TASK_RUN;
	t->conn->in_scsi++;
	hf_scsi_run(t->conn->scsi, &t->scsi);
}

void hf_cmd_gathered(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;

	if (t->state == HF_TASK_GATHER)
		c->gathering--;
	if (hf_order_may_run(t)) {
		hf_cmd_run(t);
		return;
	}
	t->state = HF_TASK_ORDER;
	c->order_waiting++;
}

/* Data that the host sends without being asked, beside the rules agreed at login. */
static void check_unsolicited(struct hf_iscsi_task *t, const struct hf_pdu *p)
{
	const struct hf_iscsi_params *params = &t->conn->params;

	t->unsolicited = t->write && !(p->flags & HF_PDU_FINAL);
	if ((t->unsolicited && params->initial_r2t) || (p->data_bytes && !params->immediate_data) ||
		p->data_bytes > params->first_burst_bytes || p->data_bytes > p->word20)
		t->data_fault = UNEXPECTED_UNSOLICITED_DATA;
}

/* False: rejected. */
static bool check_header(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;
	bool read = p->flags & HF_CMD_READ, write = p->flags & HF_CMD_WRITE;

	if (p->itt == HF_TAG_NONE || (p->flags & HF_CMD_ATTR_MASK) > HF_ATTR_ACA ||
		(!write && (p->data_bytes || !(p->flags & HF_PDU_FINAL)))) {
		hf_reject(c, HF_REJECT_INVALID_FIELD);
		return false;
	}
	if (read && write) {
		hf_reject(c, HF_REJECT_NOT_SUPPORTED);
		return false;
	}
	if (hf_task_find(c, p->itt)) {
		hf_reject(c, HF_REJECT_IN_PROGRESS);
		return false;
	}
	return true;
}

static void fill(struct hf_iscsi_task *t, const struct hf_pdu *p, int cdb_len)
{
	struct hf_iscsi_conn *c = t->conn;
	struct hf_scsi_task *s = &t->scsi;

	s->session = &c->session;
	s->lun = p->lun;
	s->cdb_len = (uint8_t)cdb_len;
	s->data_in = p->flags & HF_CMD_READ;
	s->data_out = p->flags & HF_CMD_WRITE;
	s->expected_bytes = s->data_in || s->data_out ? p->word20 : 0;
	s->done = done;
	s->aborted = aborted;
	t->write = s->data_out;
	t->ordered = (p->flags & HF_CMD_ATTR_MASK) == HF_ATTR_ORDERED;
	if (t->ordered)
		c->ordered++;
	check_unsolicited(t, p);
}

static enum hf_rx_next new_task(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;
	uint8_t cdb[HF_SCSI_CDB_MAX];
	struct hf_iscsi_task *t;
	bool wait;
	int cdb_len;

	if (!check_header(c))
		return HF_RX_GO;
	cdb_len = hf_pdu_cdb(
		cdb, sizeof(cdb), c->rx.header, c->rx.header + HF_BHS_BYTES, p->ahs_bytes);
	if (cdb_len < 0) {
		hf_reject(c,
			cdb_len == -EOPNOTSUPP ? HF_REJECT_NOT_SUPPORTED : HF_REJECT_INVALID_FIELD);
		return HF_RX_GO;
	}
	t = hf_task_get(c, &wait);
	if (!t) {
		if (wait)
			return HF_RX_WAIT;
		hf_reject(c, HF_REJECT_IMMEDIATE);
		return HF_RX_GO;
	}
	c->counters.commands++;
	memcpy(t->scsi.cdb, cdb, sizeof(cdb));
	fill(t, p, cdb_len);
	c->rx.task = t;
	return hf_task_attach(t);
}

/* The buffer for data that are here. False: the stream has to wait for one. */
static bool has_place(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;

	if (t->state != HF_TASK_BUFFER)
		return true;
	/*
	 * Standing still for a buffer while tasks with buffers wait for bytes of this very stream
	 * would stop both for ever (and everybody, if all sessions did).
	 */
	if (c->gathering) {
		fail_full(t);
		return true;
	}
	t->waits_buffer = true;
	return false;
}

void hf_data_out_ready(struct hf_buf_waiter *w, void *buf)
{
	struct hf_iscsi_task *t = hf_container_of(w, struct hf_iscsi_task, buf_waiter);
	struct hf_iscsi_conn *c = t->conn;
	struct hf_iscsi_task *blocked = c->rx.waiting ? c->rx.task : NULL;

	t->scsi.buf = buf;
	t->state = HF_TASK_GATHER;
	c->gathering++;
	if (t->waits_buffer) {
		t->waits_buffer = false;
		hf_conn_resume(c);
		return;
	}
	/* From now on this task may need the stream: see has_place(). */
	if (t->write && blocked && blocked->waits_buffer)
		fail_full(blocked);
	hf_data_out_advance(t);
}

/* Asks the SCSI layer what the command needs and gets it. */
static void arrive(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;
	struct hf_scsi_task *s = &t->scsi;

	t->entered = true;
	if (hf_scsi_arrive(c->scsi, s, t->itl) == HF_SCSI_DONE) {
		leave(t);
		hf_cmd_over(t);
		return;
	}
	if ((c->rx.pdu.flags & HF_CMD_ATTR_MASK) == HF_ATTR_ACA) {
		hf_cmd_fail(t, KEY_ILLEGAL_REQUEST, INVALID_MESSAGE_ERROR);
		return;
	}
	if (t->data_fault) {
		hf_cmd_fail(t, KEY_ABORTED_COMMAND, t->data_fault);
		return;
	}
	c->rx.turn_bytes += s->buf_need;
	s->buf = s->buf_need ? hf_loop_buf_get(c->loop, s->buf_need) : NULL;
	if (s->buf_need && !s->buf) {
		t->state = HF_TASK_BUFFER;
		t->buf_waiter.ready = hf_data_out_ready;
		hf_loop_buf_wait(c->loop, &t->buf_waiter, s->buf_need);
		return;
	}
	t->state = HF_TASK_GATHER;
	c->gathering++;
}

enum hf_rx_next hf_data_out_place(struct hf_iscsi_task *t, uint32_t offset)
{
	struct hf_scsi_task *s = &t->scsi;
	bool wanted = t->entered && offset < s->out_len && !t->data_fault && !t->digest_failed;

	if (wanted && t->conn->rx.pdu.data_bytes && !has_place(t))
		return HF_RX_WAIT;
	if (wanted && t->state == HF_TASK_GATHER)
		hf_rx_into(t->conn, t, s->buf + offset, s->out_len - offset);
	else
		hf_rx_into(t->conn, t, NULL, 0);
	return HF_RX_GO;
}

enum hf_rx_next hf_cmd_begin(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t = c->rx.task;

	if (!t) {
		enum hf_rx_next next = new_task(c);

		t = c->rx.task;
		if (!t || next == HF_RX_WAIT)
			return next;
	}
	if (t->state == HF_TASK_ATTACH)
		return HF_RX_WAIT;
	if (t->state == HF_TASK_OTHER)
		arrive(t);
	return hf_data_out_place(t, 0);
}

void hf_cmd_end(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t = c->rx.task;

	if (!t)
		return;
	if (!c->rx.digest_ok) {
		hf_reject(c, HF_REJECT_DATA_DIGEST);
		t->digest_failed = true;
	}
	t->data_offset = t->r2t_offset = c->rx.pdu.data_bytes;
	hf_data_out_advance(t);
}
