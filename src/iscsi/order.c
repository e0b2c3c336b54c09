/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Task attributes (SAM-5, 8.6): an ORDERED command runs after all older ones of its session at its
 * logical unit, and younger ones after it. SIMPLE, HEAD OF QUEUE and untagged commands run at once
 * otherwise. Costs one test per command while no ORDERED one is about. Pure.
 */
#include "conn.h"

static bool is_over(const struct hf_iscsi_task *t)
{
	return t->state == HF_TASK_OTHER || t->state == HF_TASK_SEND || t->state == HF_TASK_DRAIN;
}

bool hf_order_may_run(const struct hf_iscsi_task *t)
{
	const struct hf_iscsi_conn *c = t->conn;

	if (!c->ordered)
		return true;
	hf_list_for_each (node, &c->tasks) {
		const struct hf_iscsi_task *older =
			hf_list_entry(node, const struct hf_iscsi_task, node);

		if (older == t)
			return true;
		if (older->lun == t->lun && !is_over(older) && (older->ordered || t->ordered))
			return false;
	}
	return true;
}

static struct hf_iscsi_task *next_ready(struct hf_iscsi_conn *c)
{
	hf_list_for_each (node, &c->tasks) {
		struct hf_iscsi_task *t = hf_list_entry(node, struct hf_iscsi_task, node);

		if (t->state == HF_TASK_ORDER && hf_order_may_run(t))
			return t;
	}
	return NULL;
}

/* Running one may end it and come back here: one walk at a time is enough. */
void hf_order_rescan(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_task *t;

	if (!c->order_waiting || c->rescanning || !hf_conn_is_open(c))
		return;
	c->rescanning = true;
	while (c->order_waiting && (t = next_ready(c)) != NULL) {
		c->order_waiting--;
		hf_cmd_run(t);
	}
	c->rescanning = false;
}
