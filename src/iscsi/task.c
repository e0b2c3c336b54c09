/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The requests of a session: a pool made at login, a table of task tags, and how a task ends. Pure;
 * nothing is allocated per request.
 */
#include "conn.h"

#include <stdlib.h>

static struct hf_iscsi_task **bucket(struct hf_iscsi_conn *c, uint32_t itt)
{
	return &c->hash[itt * 2654435761u >> 24 & (HF_TASK_HASH - 1)];
}

int hf_task_pool_create(struct hf_iscsi_conn *c, unsigned queue_depth)
{
	unsigned len;

	queue_depth = HF_MAX(1u, HF_MIN(queue_depth, (unsigned)HF_QUEUE_DEPTH_MAX));
	len = 2 * (queue_depth + HF_IMMEDIATE_MAX);
	/* Touched as far as it is used: most sessions never fill their window. */
	c->pool = malloc(len * sizeof(*c->pool));
	if (!c->pool)
		return -ENOMEM; /* and no task is missing: the connection can end */
	c->queue_depth = queue_depth;
	c->pool_used = 0;
	c->pool_len = c->free_len = len;
	return 0;
}

/* One that has been used before, else the next of the pool. */
static struct hf_iscsi_task *take_free(struct hf_iscsi_conn *c)
{
	struct hf_list *node = hf_list_pop_front(&c->free_tasks);
	struct hf_iscsi_task *t;

	c->free_len--;
	if (node)
		return hf_list_entry(node, struct hf_iscsi_task, node);
	hf_assert(c->pool_used < c->pool_len);
	t = &c->pool[c->pool_used++];
	memset(t, 0, sizeof(*t));
	t->conn = c;
	hf_list_init(&t->node);
	hf_list_init(&t->tx.node);
	hf_list_init(&t->r2t_tx.node);
	hf_list_init(&t->buf_waiter.node);
	return t;
}

void hf_task_pool_destroy(struct hf_iscsi_conn *c)
{
	hf_assert(c->free_len == c->pool_len);
	free(c->pool);
	c->pool = NULL;
	c->pool_len = c->free_len = 0;
}

struct hf_iscsi_task *hf_task_find(struct hf_iscsi_conn *c, uint32_t itt)
{
	struct hf_iscsi_task *t = *bucket(c, itt);

	while (t && t->itt != itt)
		t = t->hash_next;
	return t;
}

static void hash_remove(struct hf_iscsi_task *t)
{
	struct hf_iscsi_task **at = bucket(t->conn, t->itt);

	if (!t->hashed)
		return;
	while (*at != t)
		at = &(*at)->hash_next;
	*at = t->hash_next;
	t->hashed = false;
}

static void reset(struct hf_iscsi_task *t)
{
	t->state = HF_TASK_OTHER;
	t->waits_buffer = t->lower = false;
	t->entered = t->silent = t->receiving = t->doomed = t->ordered = t->write = false;
	t->itl = NULL;
	t->scsi.buf = NULL;
	t->unsolicited = t->digest_failed = false;
	t->data_fault = 0;
	t->data_offset = t->data_sn_out = t->r2t_offset = t->r2t_sn = 0;
	t->r2ts_len = t->r2ts_built = 0;
	t->response = 0;
	t->in_offset = t->in_len = t->data_sn_in = t->residual = 0;
	t->overflow = t->underflow = false;
}

struct hf_iscsi_task *hf_task_get(struct hf_iscsi_conn *c, bool *ret_wait)
{
	const struct hf_pdu *p = &c->rx.pdu;
	struct hf_iscsi_task *t;

	*ret_wait = false;
	if (p->immediate && c->immediates >= HF_IMMEDIATE_MAX)
		return NULL;
	if (!c->free_len) {
		*ret_wait = true;
		return NULL;
	}
	t = take_free(c);
	reset(t);
	t->itt = p->itt;
	t->lun = p->lun;
	t->cmd_sn = p->cmd_sn;
	t->immediate = p->immediate;
	t->counted = true;
	if (t->immediate)
		c->immediates++;
	else
		c->active++;
	t->hashed = true;
	t->hash_next = *bucket(c, t->itt);
	*bucket(c, t->itt) = t;
	hf_list_push_back(&c->tasks, &t->node);
	return t;
}

void hf_task_answered(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;

	hash_remove(t);
	if (!t->counted)
		return;
	t->counted = false;
	if (t->immediate)
		c->immediates--;
	else
		c->active--;
}

void hf_task_put(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;

	hf_assert(t->state != HF_TASK_FREE && !t->entered && !t->receiving);
	hf_task_answered(t);
	if (t->scsi.buf)
		hf_loop_buf_put(c->loop, t->scsi.buf);
	t->scsi.buf = NULL;
	if (t->ordered)
		c->ordered--;
	t->ordered = false;
	hf_list_remove(&t->tx.node);
	hf_list_remove(&t->r2t_tx.node);
	hf_list_remove(&t->node);
	hf_list_push_front(&c->free_tasks, &t->node);
	t->state = HF_TASK_FREE;
	c->free_len++;
	if (c->rx.task == t)
		c->rx.task = NULL;
	/* Somebody may wait for a free task, an older command, the last command. */
	hf_conn_resume(c);
	hf_order_rescan(c);
	hf_conn_wind(c);
}

static void attached(struct hf_itl_waiter *w, struct hf_itl *itl)
{
	struct hf_iscsi_task *t = hf_container_of(w, struct hf_iscsi_task, itl_waiter);
	struct hf_iscsi_conn *c = t->conn;

	c->in_scsi--;
	t->itl = itl;
	t->state = HF_TASK_OTHER;
	if (hf_conn_is_open(c))
		hf_conn_resume(c);
	else
		hf_task_put(t);
}

enum hf_rx_next hf_task_attach(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;
	bool none = false;
	uint16_t lun;

	if (hf_scsi_lun_decode(t->lun, &lun))
		return HF_RX_GO;
	t->state = HF_TASK_ATTACH;
	c->in_scsi++;
	t->itl_waiter.ready = attached;
	t->itl = hf_itl_find(&c->session, lun, &t->itl_waiter, &none);
	if (!t->itl && !none)
		return HF_RX_WAIT;
	c->in_scsi--;
	t->state = HF_TASK_OTHER;
	return HF_RX_GO;
}

static void answer_sent(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	hf_task_put(hf_container_of(tx, struct hf_iscsi_task, tx));
}

static void prepare_answer(
	struct hf_iscsi_task *t, bool (*build)(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx))
{
	t->state = HF_TASK_SEND;
	t->tx.build = build;
	t->tx.sent = answer_sent;
}

void hf_task_answer(
	struct hf_iscsi_task *t, bool (*build)(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx))
{
	prepare_answer(t, build);
	hf_tx_push(t->conn, &t->tx);
}

void hf_task_answer_valid(
	struct hf_iscsi_task *t, bool (*build)(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx))
{
	prepare_answer(t, build);
	hf_tx_push_valid(t->conn, &t->tx);
}

void hf_task_drop(struct hf_iscsi_task *t)
{
	struct hf_iscsi_conn *c = t->conn;

	hf_assert(t->state != HF_TASK_RUN && t->state != HF_TASK_ATTACH);
	if (t->state == HF_TASK_BUFFER)
		hf_loop_buf_unwait(c->loop, &t->buf_waiter);
	if (t->state == HF_TASK_GATHER)
		c->gathering--;
	if (t->state == HF_TASK_ORDER)
		c->order_waiting--;
	if (t->entered) {
		t->entered = false;
		hf_scsi_leave(c->scsi, &t->scsi);
	}
	t->state = HF_TASK_OTHER;
	if (t->receiving) {
		/* Bytes are landing in its buffer; rx.c frees it at the end of the PDU. */
		t->doomed = true;
		hf_task_answered(t);
		return;
	}
	if (c->rx.task == t)
		c->rx.ignore = true;
	hf_task_put(t);
}
