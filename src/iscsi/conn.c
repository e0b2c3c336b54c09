/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection's birth and end. Pure; see conn.h for the whole. */
#include "conn.h"

#include <stdlib.h>

static void lists_init(struct hf_iscsi_conn *c)
{
	hf_list_init(&c->free_tasks);
	hf_list_init(&c->tasks);
	hf_list_init(&c->sending.queue);
	hf_list_init(&c->sending.held);
	hf_list_init(&c->sending.batch);
	hf_list_init(&c->text_tx.node);
	for (size_t i = 0; i < HF_REJECTS_MAX; i++)
		hf_list_init(&c->rejects[i].tx.node);
}

int hf_conn_create(const struct hf_conn_options *options, struct hf_iscsi_conn **ret)
{
	struct hf_iscsi_conn *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->ops = options->ops;
	c->owner = options->owner;
	c->loop = options->loop;
	c->scsi = options->scsi;
	c->registry = options->registry;
	c->config = hf_registry_config(options->registry);
	c->queue_depth = 1;
	c->why = "";
	lists_init(c);
	hf_nop_init(c);
	hf_logout_init(c);
	strncpy(c->registration.info.peer, options->peer, sizeof(c->registration.info.peer) - 1);
	err = hf_conn_login_init(c, options->random);
	if (err < 0) {
		free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void hf_conn_destroy(struct hf_iscsi_conn *c)
{
	if (!c)
		return;
	hf_assert(c->phase == HF_CONN_GONE || c->phase == HF_CONN_LOGIN);
	hf_timer_cancel(c->loop, &c->login_timer);
	if (c->pool)
		hf_task_pool_destroy(c);
	free(c->login);
	free(c);
}

const char *hf_conn_initiator(const struct hf_iscsi_conn *c)
{
	return c->login ? c->login->initiator : c->registration.info.initiator;
}

void hf_conn_close(struct hf_iscsi_conn *c, const char *why)
{
	if (!hf_conn_is_open(c))
		return;
	c->phase = HF_CONN_CLOSING;
	c->why = why;
	hf_timer_cancel(c->loop, &c->login_timer);
	hf_timer_cancel(c->loop, &c->nop_timer);
	hf_timer_cancel(c->loop, &c->stop_timer);
	hf_conn_kick(c);
}

/* What no lower layer will finish by itself ends now. */
static void drop_tasks(struct hf_iscsi_conn *c)
{
	hf_list_for_each_safe (node, &c->tasks) {
		struct hf_iscsi_task *t = hf_list_entry(node, struct hf_iscsi_task, node);

		t->receiving = false;
		if (t->state == HF_TASK_OTHER && t->lower)
			continue;
		if (t->state != HF_TASK_RUN && t->state != HF_TASK_ATTACH)
			hf_task_drop(t);
	}
}

/*
 * Nobody will hear the answer of what runs. True: one has ended, and with it maybe a task
 * management request that waited for it, so that the list is to be walked anew.
 */
static bool abandon_some(struct hf_iscsi_conn *c)
{
	hf_list_for_each (node, &c->tasks) {
		struct hf_iscsi_task *t = hf_list_entry(node, struct hf_iscsi_task, node);

		if (t->state != HF_TASK_RUN)
			continue;
		hf_scsi_abandon(c->scsi, &t->scsi);
		if (t->state != HF_TASK_RUN)
			return true;
	}
	return false;
}

void hf_conn_closed(struct hf_iscsi_conn *c)
{
	hf_assert(c->phase == HF_CONN_CLOSING);
	c->phase = HF_CONN_WINDING;
	c->rx.task = NULL;
	c->logout = NULL;
	c->dropping = true;
	drop_tasks(c);
	while (abandon_some(c))
		;
	c->dropping = false;
	hf_conn_wind(c);
}

void hf_conn_wind(struct hf_iscsi_conn *c)
{
	if (c->phase != HF_CONN_WINDING || c->dropping || c->free_len != c->pool_len || c->in_scsi)
		return;
	if (!hf_session_end(c))
		return;
	c->phase = HF_CONN_GONE;
	c->ops->gone(c);
}
