/* SPDX-License-Identifier: BSD-3-Clause */
/* The group by corosync (group_cpg.h): libcpg and libquorum, polled by the control loop. */
#include "group_cpg.h"

#include "group_bus.h"
#include "limits.h"
#include "log.h"
#include "spare.h"

#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MS 1000000ull

enum {
	RETRY_MS = 500,	   /* corosync is not there */
	SEND_RETRY_MS = 1, /* it has no room for more messages */
};

struct message {
	struct hf_list node;
	size_t len;
	uint8_t bytes[];
};

struct cpg_net {
	struct hf_group_net net;
	struct hf_loop *loop;
	struct hf_bus *bus;
	struct cpg_name name;
	bool wanted, open, joined;
	bool said_missing; /* once per absence, not twice a second */
	cpg_handle_t cpg;
	quorum_handle_t quorum;
	int cpg_fd, quorum_fd;
	struct hf_group_proc self;
	struct hf_req cpg_poll, quorum_poll;
	struct hf_timer connect_timer, send_timer;
	struct hf_list queue; /* struct message: corosync asked to try again */
	/* The group as last told; ghosts: of them those on nodes that are not in the ring. A node
	 * that dies while corosync 3.1.7 synchronizes may stay in the list of the group for ever.
	 */
	struct hf_group_proc procs[CPG_MEMBERS_MAX], ghosts[CPG_MEMBERS_MAX];
	unsigned procs_len, ghosts_len;
	size_t queued_bytes;
};

static struct cpg_net *net_of(struct hf_group_net *net)
{
	return hf_container_of(net, struct cpg_net, net);
}

static const char *reason(cs_error_t e)
{
	switch (e) {
	case CS_ERR_LIBRARY:
	case CS_ERR_BAD_HANDLE:
	case CS_ERR_NOT_EXIST:
		return "it is not running on this machine, or has ended";
	case CS_ERR_ACCESS:
		return "it does not let this user in; run as root, or add the user to uidgid.d";
	case CS_ERR_TRY_AGAIN:
		return "it is not ready yet";
	default:
		return cs_strerror(e);
	}
}

/* --- what corosync tells --- */

/* What has not left yet when a generation ends means nothing in the next one. */
static void forget_queue(struct cpg_net *n)
{
	struct hf_list *node;

	while ((node = hf_list_pop_front(&n->queue)))
		free(hf_list_entry(node, struct message, node));
	n->queued_bytes = 0;
	hf_timer_cancel(n->loop, &n->send_timer);
}

static struct cpg_net *of_cpg(cpg_handle_t handle)
{
	void *context = NULL;

	hf_assert(cpg_context_get(handle, &context) == CS_OK && context);
	return context;
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node,
	uint32_t pid, void *msg, size_t len)
{
	hf_group_deliver(of_cpg(handle)->bus, (struct hf_group_proc){node, pid}, msg, len);
}

static bool is_among(const struct hf_group_proc *p, const struct hf_group_proc *procs, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (hf_group_proc_equal(&procs[i], p))
			return true;
	return false;
}

static void tell_members(struct cpg_net *n)
{
	struct hf_group_proc procs[CPG_MEMBERS_MAX];
	unsigned len = 0;

	for (unsigned i = 0; i < n->procs_len; i++)
		if (!is_among(&n->procs[i], n->ghosts, n->ghosts_len))
			procs[len++] = n->procs[i];
	hf_group_members(n->bus, n->self, procs, len);
}

/* True: others than before. */
static bool find_ghosts(struct cpg_net *n, uint32_t nodes_len, const uint32_t *nodes)
{
	unsigned len = 0, known = 0, before = n->ghosts_len;
	struct hf_group_proc ghosts[CPG_MEMBERS_MAX];

	for (unsigned i = 0; i < n->procs_len; i++) {
		bool in = false;

		for (uint32_t k = 0; k < nodes_len; k++)
			in |= nodes[k] == n->procs[i].node;
		if (in)
			continue;
		known += is_among(&n->procs[i], n->ghosts, before);
		ghosts[len++] = n->procs[i];
	}
	memcpy(n->ghosts, ghosts, len * sizeof(ghosts[0]));
	n->ghosts_len = len;
	return known != len || before != len;
}

static void on_members(cpg_handle_t handle, const struct cpg_name *group,
	const struct cpg_address *members, size_t members_len, const struct cpg_address *left,
	size_t left_len, const struct cpg_address *joined, size_t joined_len)
{
	struct cpg_net *n = of_cpg(handle);

	forget_queue(n);
	n->procs_len = 0;
	for (size_t i = 0; i < members_len && n->procs_len < CPG_MEMBERS_MAX; i++)
		n->procs[n->procs_len++] =
			(struct hf_group_proc){members[i].nodeid, members[i].pid};
	tell_members(n);
}

static void on_ring(
	cpg_handle_t handle, struct cpg_ring_id ring, uint32_t members_len, const uint32_t *members)
{
	struct cpg_net *n = of_cpg(handle);

	if (find_ghosts(n, members_len, members))
		tell_members(n);
	hf_group_ring(n->bus, (struct hf_group_ring){ring.nodeid, ring.seq});
}

/* A quorum device switches it off, by itself. Not to be known: taken for true. */
static bool is_two_node(void)
{
	cmap_handle_t cmap;
	uint8_t on = 0;
	cs_error_t e = cmap_initialize(&cmap);

	if (e != CS_OK)
		return true;
	e = cmap_get_uint8(cmap, "runtime.votequorum.two_node", &on);
	cmap_finalize(cmap);
	return e == CS_OK ? on : e != CS_ERR_NOT_EXIST;
}

static void on_quorum(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring,
	uint32_t members_len, const uint32_t *members)
{
	const void *context = NULL;
	const struct cpg_net *n;

	hf_assert(quorum_context_get(handle, &context) == CS_OK && context);
	n = context;
	if (hf_group_minds_two_node(n->bus))
		hf_group_two_node(n->bus, is_two_node());
	hf_group_quorum(n->bus, (struct hf_group_ring){ring.nodeid, ring.seq}, quorate != 0);
}

/* --- sending --- */

static void send_later(struct cpg_net *n)
{
	if (!hf_timer_is_armed(&n->send_timer))
		hf_timer_arm(n->loop, &n->send_timer, hf_loop_now_ns(n->loop) + SEND_RETRY_MS * MS);
}

/* What else fails than "try again" is noticed, and handled, where we poll. */
static void flush(struct cpg_net *n)
{
	while (!hf_list_is_empty(&n->queue)) {
		struct message *m = hf_list_entry(n->queue.next, struct message, node);
		struct iovec iov = {m->bytes, m->len};

		if (cpg_mcast_joined(n->cpg, CPG_TYPE_AGREED, &iov, 1) == CS_ERR_TRY_AGAIN) {
			send_later(n);
			return;
		}
		n->queued_bytes -= m->len;
		hf_list_remove(&m->node);
		free(m);
	}
}

static void send_timer_fire(struct hf_timer *t)
{
	struct cpg_net *n = hf_container_of(t, struct cpg_net, send_timer);

	if (n->open)
		flush(n);
}

static void op_send(struct hf_group_net *net, const void *head, size_t head_len, const void *body,
	size_t body_len)
{
	struct cpg_net *n = net_of(net);
	struct iovec iov[2] = {{(void *)head, head_len}, {(void *)body, body_len}};
	struct message *m;

	if (!n->open)
		return;
	if (hf_list_is_empty(&n->queue) && cpg_mcast_joined(n->cpg, CPG_TYPE_AGREED, iov,
						   body_len ? 2 : 1) != CS_ERR_TRY_AGAIN)
		return;
	m = hf_spare_malloc(sizeof(*m) + head_len + body_len);
	m->len = head_len + body_len;
	memcpy(m->bytes, head, head_len);
	if (body_len)
		memcpy(m->bytes + head_len, body, body_len);
	hf_list_push_back(&n->queue, &m->node);
	n->queued_bytes += m->len;
	send_later(n);
}

static size_t op_backlog_bytes(const struct hf_group_net *net)
{
	return hf_container_of(net, struct cpg_net, net)->queued_bytes;
}

/* --- the connection --- */

static void shut(struct cpg_net *n)
{
	forget_queue(n);
	n->procs_len = n->ghosts_len = 0;
	if (!n->open)
		return;
	n->open = n->joined = false;
	hf_loop_abandon(n->loop, &n->cpg_poll);
	hf_loop_abandon(n->loop, &n->quorum_poll);
	quorum_finalize(n->quorum);
	cpg_finalize(n->cpg);
}

static void connect_in(struct cpg_net *n, unsigned ms)
{
	hf_timer_arm(n->loop, &n->connect_timer, hf_loop_now_ns(n->loop) + ms * MS);
}

static void lost(struct cpg_net *n, cs_error_t e)
{
	char why[200];

	snprintf(why, sizeof(why), "corosync cannot be reached: %s", reason(e));
	if (!n->said_missing)
		hf_error("bus: %s; without it no reservation can change; start it (systemctl start "
			 "corosync), this daemon connects by itself",
			why);
	n->said_missing = true;
	shut(n);
	hf_group_lost(n->bus, why);
	if (n->wanted)
		connect_in(n, RETRY_MS);
}

static void poll_cpg(struct cpg_net *n);
static void poll_quorum(struct cpg_net *n);

static void cpg_ready(struct hf_req *req, int result)
{
	struct cpg_net *n = hf_container_of(req, struct cpg_net, cpg_poll);
	cs_error_t e = cpg_dispatch(n->cpg, CS_DISPATCH_ALL);

	if (!n->open)
		return;
	if (e != CS_OK && e != CS_ERR_TRY_AGAIN) {
		lost(n, e);
		return;
	}
	flush(n);
	poll_cpg(n);
}

static void quorum_ready(struct hf_req *req, int result)
{
	struct cpg_net *n = hf_container_of(req, struct cpg_net, quorum_poll);
	cs_error_t e = quorum_dispatch(n->quorum, CS_DISPATCH_ALL);

	if (!n->open)
		return;
	if (e != CS_OK && e != CS_ERR_TRY_AGAIN)
		lost(n, e);
	else
		poll_quorum(n);
}

static void poll_cpg(struct cpg_net *n)
{
	n->cpg_poll.done = cpg_ready;
	hf_loop_poll(n->loop, &n->cpg_poll, n->cpg_fd, POLLIN);
}

static void poll_quorum(struct cpg_net *n)
{
	n->quorum_poll.done = quorum_ready;
	hf_loop_poll(n->loop, &n->quorum_poll, n->quorum_fd, POLLIN);
}

static cs_error_t open_cpg(struct cpg_net *n)
{
	cpg_model_v1_data_t model = {.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_members,
		.cpg_totem_confchg_fn = on_ring,
		.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF};
	cs_error_t e = cpg_model_initialize(&n->cpg, CPG_MODEL_V1, (cpg_model_data_t *)&model, n);
	unsigned node = 0;

	if (e != CS_OK)
		return e;
	e = cpg_fd_get(n->cpg, &n->cpg_fd);
	if (e == CS_OK)
		e = cpg_local_get(n->cpg, &node);
	if (e != CS_OK)
		cpg_finalize(n->cpg);
	n->self = (struct hf_group_proc){node, (uint32_t)getpid()};
	return e;
}

static cs_error_t open_quorum(struct cpg_net *n)
{
	quorum_model_v1_data_t model = {.model = QUORUM_MODEL_V1, .quorum_notify_fn = on_quorum};
	uint32_t type = 0;
	cs_error_t e = quorum_model_initialize(
		&n->quorum, QUORUM_MODEL_V1, (quorum_model_data_t *)&model, &type, n);

	if (e != CS_OK)
		return e;
	if (type != QUORUM_SET) {
		hf_error("bus: corosync has no quorum provider; add quorum { provider: "
			 "corosync_votequorum } to corosync.conf");
		e = CS_ERR_NOT_SUPPORTED;
	}
	if (e == CS_OK)
		e = quorum_fd_get(n->quorum, &n->quorum_fd);
	if (e == CS_OK)
		e = quorum_trackstart(n->quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
	if (e != CS_OK)
		quorum_finalize(n->quorum);
	return e;
}

static cs_error_t open_both(struct cpg_net *n)
{
	cs_error_t e = open_cpg(n);

	if (e != CS_OK)
		return e;
	e = open_quorum(n);
	if (e != CS_OK) {
		cpg_finalize(n->cpg);
		return e;
	}
	n->open = true;
	poll_cpg(n);
	poll_quorum(n);
	return CS_OK;
}

static void tell_settings(struct cpg_net *n)
{
	uint32_t token_ms = 0, consensus_ms = 0;
	cmap_handle_t cmap;

	if (cmap_initialize(&cmap) != CS_OK)
		return; /* only a warning would be missing */
	if (cmap_get_uint32(cmap, "runtime.config.totem.token", &token_ms) == CS_OK &&
		cmap_get_uint32(cmap, "runtime.config.totem.consensus", &consensus_ms) == CS_OK)
		hf_group_stalls(n->bus, token_ms + consensus_ms);
	cmap_finalize(cmap);
}

static void connect_fire(struct hf_timer *t)
{
	struct cpg_net *n = hf_container_of(t, struct cpg_net, connect_timer);
	cs_error_t e = CS_OK;

	if (!n->wanted || n->joined)
		return;
	if (!n->open) {
		e = open_both(n);
		if (e == CS_OK)
			tell_settings(n);
	}
	if (e == CS_OK)
		e = cpg_join(n->cpg, &n->name);
	if (e == CS_ERR_TRY_AGAIN && n->open) {
		connect_in(n, 50);
	} else if (e != CS_OK) {
		lost(n, e);
	} else {
		n->joined = true;
		if (n->said_missing)
			hf_notice("bus: corosync is there");
		n->said_missing = false;
	}
}

static void op_join(struct hf_group_net *net)
{
	struct cpg_net *n = net_of(net);

	n->wanted = true;
	connect_in(n, 0);
}

static void op_leave(struct hf_group_net *net)
{
	struct cpg_net *n = net_of(net);

	n->wanted = false;
	hf_timer_cancel(n->loop, &n->connect_timer);
	if (n->joined)
		cpg_leave(n->cpg, &n->name);
	shut(n);
}

static void op_destroy(struct hf_group_net *net)
{
	struct cpg_net *n = net_of(net);

	op_leave(net);
	free(n);
}

static const struct hf_group_net_ops net_ops = {
	.join = op_join,
	.leave = op_leave,
	.send = op_send,
	.backlog_bytes = op_backlog_bytes,
	.destroy = op_destroy,
};

struct hf_group_net *hf_group_cpg_create(struct hf_loop *loop, const char *cluster)
{
	struct cpg_net *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->net.ops = &net_ops;
	n->loop = loop;
	n->name.length =
		(uint32_t)snprintf(n->name.value, sizeof(n->name.value), "holdfast:%s", cluster);
	hf_assert(n->name.length < sizeof(n->name.value)); /* HF_NAME_MAX is less */
	hf_list_init(&n->queue);
	hf_timer_init(&n->connect_timer, connect_fire);
	hf_timer_init(&n->send_timer, send_timer_fire);
	return &n->net;
}

void hf_group_cpg_attach(struct hf_group_net *net, struct hf_bus *bus)
{
	net_of(net)->bus = bus;
}
