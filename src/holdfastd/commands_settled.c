/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that look wait for what is pending (W2): a change whose GOOD has been told by another
 * controller is at least held here, and on its way. Each device has to be seen settled once after
 * the request came; in doubt beyond the bound, the last settled state is shown.
 */
#include "commands.h"
#include "spare.h"

#include <stdlib.h>

struct look {
	struct hf_list node; /* hf_node.looks */
	struct hf_control_req *req;
	uint64_t next; /* devices below have been seen settled */
	uint32_t last;
	void (*then)(struct hf_control_req *req);
	struct hf_timer bound;
};

static bool is_pending(const struct hf_node *node, uint32_t dev)
{
	struct hf_lu_status s;

	if (dev == HF_BUS_DEV_POOL)
		return node->pool.pending;
	return hf_lu_status(node->lus, dev, &s) && s.pending;
}

/* The first device >= from that has an op pending; UINT64_MAX: none up to `last`. */
static uint64_t first_pending(struct hf_node *node, uint64_t from, uint32_t last)
{
	if (from == HF_BUS_DEV_POOL) {
		if (is_pending(node, HF_BUS_DEV_POOL))
			return HF_BUS_DEV_POOL;
		from = 1;
	}
	while (from <= last) {
		uint32_t dev = hf_lu_bus_next_dev(node->lus, (uint32_t)from - 1);

		if (dev > last || dev == UINT32_MAX)
			break;
		if (is_pending(node, dev))
			return dev;
		from = (uint64_t)dev + 1;
	}
	return UINT64_MAX;
}

static void finish(struct look *l)
{
	struct hf_node *node = l->req->owner;

	hf_list_remove(&l->node);
	hf_timer_cancel(node->loops[0], &l->bound);
	l->then(l->req);
	free(l);
}

static void expired(struct hf_timer *timer)
{
	finish(hf_container_of(timer, struct look, bound));
}

void hf_node_settled(struct hf_node *node)
{
	hf_list_for_each_safe (n, &node->looks) {
		struct look *l = hf_list_entry(n, struct look, node);

		l->next = first_pending(node, l->next, l->last);
		if (l->next == UINT64_MAX)
			finish(l);
	}
}

void hf_cmd_settled(struct hf_control_req *req, uint32_t first, uint32_t last,
	void (*then)(struct hf_control_req *req))
{
	struct hf_node *node = req->owner;
	uint64_t pending = first_pending(node, first, last);
	struct look *l;

	if (pending == UINT64_MAX) {
		then(req);
		return;
	}
	l = hf_spare_calloc(1, sizeof(*l));
	l->req = req;
	l->next = pending;
	l->last = last;
	l->then = then;
	hf_timer_init(&l->bound, expired);
	hf_timer_arm(node->loops[0], &l->bound,
		hf_loop_now_ns(node->loops[0]) + (uint64_t)node->config->bound_ms * 1000000);
	hf_list_push_back(&node->looks, &l->node);
}
