/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process's side of agreed.h: a group for the engine, as src/bus/group_cpg.c keeps it on
 * corosync. What the daemon tells waits at the loop; what it has no room for is tried again.
 */
#include "agreed.h"

#include "group_bus.h"
#include "node.h"

#include <stdlib.h>

enum { RETRY_MS = 500, SEND_RETRY_MS = 1 };

struct proc_net {
	struct hf_group_net net;
	struct hf_loop *loop;
	struct hf_bus *bus;
	struct sim_node *node;
	bool wanted;
	uint64_t session; /* 0: not connected */
	struct sim_item *first, **last;
	size_t backlog;
	struct hf_timer connect_timer, send_timer;
	/* what it has been told last */
	struct hf_group_ring ring, quorum_ring;
	bool quorate;
	uint32_t members;
};

static struct proc_net *nets[SIM_NODES_MAX + 1]; /* of the process that runs there */
static uint64_t sessions;
static unsigned busy_per_mille;

void sim_agreed_nets_init(void)
{
	struct sim_rng r = {sim->opt.seed * 91 + 17};

	memset(nets, 0, sizeof(nets));
	sessions = 0;
	busy_per_mille = sim_chance(&r, 500) ? 0 : (unsigned)sim_below(&r, 300);
}

static struct proc_net *net_of(struct hf_group_net *net)
{
	return hf_container_of(net, struct proc_net, net);
}

static uint32_t pid_of(const struct proc_net *n)
{
	return (uint32_t)n->node->starts;
}

/* --- being told --- */

struct telling {
	struct hf_msg msg;
	struct proc_net *to;
	struct sim_item *item;
};

static void forget_queue(struct proc_net *n)
{
	while (n->first) {
		struct sim_item *i = n->first;

		n->first = i->next;
		free(i);
	}
	n->last = &n->first;
	n->backlog = 0;
	hf_timer_cancel(n->loop, &n->send_timer);
}

static void connect_in(struct proc_net *n, unsigned ms)
{
	hf_timer_arm(n->loop, &n->connect_timer, hf_loop_now_ns(n->loop) + ms * SIM_MS);
}

static void lost(struct proc_net *n)
{
	forget_queue(n);
	n->session = 0;
	n->members = 0;
	n->ring = n->quorum_ring = (struct hf_group_ring){0};
	hf_group_lost(n->bus, "the daemon cannot be reached: it is not running");
	if (n->wanted)
		connect_in(n, RETRY_MS);
}

static void tell_members(struct proc_net *n, const struct sim_item *i)
{
	n->members = 0;
	for (unsigned k = 0; k < i->members_len; k++)
		n->members |= 1u << i->members[k].node;
	hf_group_members(
		n->bus, (struct hf_group_proc){n->node->id, pid_of(n)}, i->members, i->members_len);
}

/* Of one that is as it was nothing is said: a process has joined, or gone. */
static void tell_ring(struct proc_net *n, struct hf_group_ring ring)
{
	if (hf_group_ring_equal(&n->ring, &ring))
		return;
	n->ring = ring;
	hf_group_ring(n->bus, ring);
}

static void be_told(struct hf_msg *msg)
{
	struct telling *t = hf_container_of(msg, struct telling, msg);
	struct proc_net *n = t->to;
	struct sim_item *i = t->item;

	if (n->session && n->session == i->session) {
		switch (i->kind) {
		case SIM_ITEM_MSG:
			sim_count(SIM_COUNT_FRAMES);
			hf_group_deliver(n->bus, i->proc, i->bytes, i->len);
			break;
		case SIM_ITEM_QUORUM:
			n->quorum_ring = i->ring;
			n->quorate = i->quorate;
			hf_group_quorum(n->bus, i->ring, i->quorate);
			break;
		case SIM_ITEM_LOST:
			lost(n);
			break;
		default:
			if (i->kind == SIM_ITEM_MEMBERS)
				tell_members(n, i);
			tell_ring(n, i->ring);
		}
	}
	free(i);
	free(t);
}

void sim_agreed_tell(unsigned id, struct sim_item *i)
{
	struct proc_net *n = nets[id];
	struct telling *t;

	if (!n || !n->session || n->session != i->session) {
		free(i);
		return;
	}
	t = sim_alloc(sizeof(*t));
	t->to = n;
	t->item = i;
	t->msg.run = be_told;
	hf_loop_post(n->loop, &t->msg);
}

/* --- sending --- */

static bool has_room(void)
{
	return !busy_per_mille || !sim_chance(&sim->net, busy_per_mille);
}

static void flush(struct proc_net *n)
{
	while (n->first && has_room()) {
		struct sim_item *i = n->first;

		n->first = i->next;
		if (!n->first)
			n->last = &n->first;
		n->backlog -= i->len;
		sim_agreed_send(n->node->id, i);
	}
	if (n->first && !hf_timer_is_armed(&n->send_timer))
		hf_timer_arm(
			n->loop, &n->send_timer, hf_loop_now_ns(n->loop) + SEND_RETRY_MS * SIM_MS);
}

static void send_timer_fire(struct hf_timer *t)
{
	flush(hf_container_of(t, struct proc_net, send_timer));
}

static void op_send(struct hf_group_net *net, const void *head, size_t head_len, const void *body,
	size_t body_len)
{
	struct proc_net *n = net_of(net);
	struct sim_item *i;

	if (!n->session)
		return;
	i = sim_alloc(sizeof(*i) + head_len + body_len);
	i->kind = SIM_ITEM_MSG;
	i->session = n->session;
	i->proc = (struct hf_group_proc){n->node->id, pid_of(n)};
	i->len = head_len + body_len;
	memcpy(i->bytes, head, head_len);
	if (body_len)
		memcpy(i->bytes + head_len, body, body_len);
	*n->last = i;
	n->last = &i->next;
	n->backlog += i->len;
	flush(n);
}

static size_t op_backlog_bytes(const struct hf_group_net *net)
{
	return hf_container_of(net, struct proc_net, net)->backlog;
}

/* --- joining and leaving --- */

static void connect_fire(struct hf_timer *t)
{
	struct proc_net *n = hf_container_of(t, struct proc_net, connect_timer);

	if (!n->wanted || n->session)
		return;
	if (!sim_agreed_is_there(n->node->id)) {
		lost(n);
	} else if (!has_room()) {
		connect_in(n, 50);
	} else {
		n->session = ++sessions;
		sim_agreed_connect(n->node->id, n->session, pid_of(n));
	}
}

static void op_join(struct hf_group_net *net)
{
	struct proc_net *n = net_of(net);

	n->wanted = true;
	connect_in(n, 0);
}

static void op_leave(struct hf_group_net *net)
{
	struct proc_net *n = net_of(net);

	n->wanted = false;
	hf_timer_cancel(n->loop, &n->connect_timer);
	forget_queue(n);
	if (n->session)
		sim_agreed_disconnect(n->node->id);
	n->session = 0;
	n->members = 0;
	n->ring = (struct hf_group_ring){0};
}

static void op_destroy(struct hf_group_net *net)
{
	op_leave(net);
}

static const struct hf_group_net_ops net_ops = {
	.join = op_join,
	.leave = op_leave,
	.send = op_send,
	.backlog_bytes = op_backlog_bytes,
	.destroy = op_destroy,
};

void sim_agreed_process_dies(unsigned id)
{
	nets[id] = NULL;
}

/* What a controller finds in place of node_group_cpg.c. */
int hf_node_group_create(
	struct hf_node *node, struct hf_group_net **ret, char *message, size_t message_len)
{
	struct proc_net *n = sim_alloc(sizeof(*n));

	n->net.ops = &net_ops;
	n->loop = node->loops[0];
	n->node = sim_booting;
	n->last = &n->first;
	hf_timer_init(&n->connect_timer, connect_fire);
	hf_timer_init(&n->send_timer, send_timer_fire);
	nets[sim_booting->id] = n;
	*ret = &n->net;
	return 0;
}

void hf_node_group_attach(struct hf_group_net *net, struct hf_bus *bus)
{
	net_of(net)->bus = bus;
}

/* --- for the oracles and the operator --- */

bool sim_agreed_has_quorum(unsigned id)
{
	const struct proc_net *n = nets[id];

	return n && n->quorate && hf_group_ring_equal(&n->ring, &n->quorum_ring);
}

uint32_t sim_agreed_members(unsigned id)
{
	return nets[id] ? nets[id]->members : 0;
}
