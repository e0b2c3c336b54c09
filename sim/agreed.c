/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemons of agreed.h. When a ring breaks, nothing gets a place in its order any more, and at
 * some of its machines nothing arrives. Those that form the next ring together deliver what any of
 * them has, and of the rest the same; what comes from others may be lost from some point on, what
 * they have sent themselves is not. Only then are they told of the new ring, and some time before
 * or after, of its quorum.
 */
#include "agreed.h"

#include <stdlib.h>

struct queue {
	struct sim_item *first, **last;
};

struct machine {
	bool in_ring, broken, stalled;
	bool stopped, paused; /* the daemon, the machine */
	bool seen_all;	      /* since it started (wait_for_all) */
	unsigned part;	      /* who reaches whom */
	struct hf_group_ring ring;
	uint32_t ring_ids, group_ids; /* bit i: machine i; of the ring, of the group as told */
	struct queue out, in;
	uint64_t arrived, in_ready_at;
	bool arriving, ordering;
	bool must_tell; /* a change of the group was lost with the ring */
	/* The process that is a member of the group, as the order has it. */
	uint64_t session;
	struct hf_group_proc proc;
	uint64_t connected; /* the session of the process that is connected now; 0: none */
	bool quorate;
	uint64_t quorum_at; /* when the last notification goes out */
};

static struct {
	struct machine machines[SIM_NODES_MAX + 1];
	enum sim_agreed_quorum quorum;
	uint64_t ring_seq, seq, slow_ns, high_ns;
	bool reform_due;
	bool part_due; /* the network breaks as the next messages are on their way */
	unsigned last; /* whose message nobody else hears any more; 0: by chance */
	unsigned parts[SIM_NODES_MAX + 1];
} net;

static bool is_able(unsigned id)
{
	const struct machine *m = &net.machines[id];

	return sim_node(id)->machine_up && !m->stopped && !m->paused;
}

static bool same_ring(const struct machine *a, const struct machine *b)
{
	return a->in_ring && b->in_ring && a->ring.node == b->ring.node &&
	       a->ring.seq == b->ring.seq;
}

static uint64_t delay(void)
{
	return sim_skewed(&sim->net, 20 * SIM_US, net.high_ns) +
	       (net.slow_ns ? sim_below(&sim->net, net.slow_ns) : 0);
}

/* --- queues --- */

static void push(struct queue *q, struct sim_item *i)
{
	i->next = NULL;
	*q->last = i;
	q->last = &i->next;
}

static struct sim_item *pop(struct queue *q)
{
	struct sim_item *i = q->first;

	q->first = i->next;
	if (!q->first)
		q->last = &q->first;
	return i;
}

static void clear(struct queue *q)
{
	while (q->first)
		free(pop(q));
}

/* --- arriving --- */

static void arrive(void *arg);

static void arrive_soon(struct machine *m)
{
	if (m->arriving || m->stalled || m->paused || !m->in.first)
		return;
	m->arriving = true;
	sim_after(
		m->in.first->ready_at > sim->now ? m->in.first->ready_at - sim->now : 0, arrive, m);
}

static void arrive(void *arg)
{
	struct machine *m = arg;
	struct sim_item *i;

	m->arriving = false;
	if (m->stalled || m->paused || !m->in.first)
		return;
	if (m->in.first->ready_at <= sim->now) {
		i = pop(&m->in);
		m->arrived = i->seq;
		sim_agreed_tell((unsigned)(m - net.machines), i);
	}
	arrive_soon(m);
}

/* To the member on machine id, if there is one. Takes a copy. */
static void give(unsigned id, const struct sim_item *of)
{
	struct machine *m = &net.machines[id];
	uint64_t at = sim->now + delay();
	struct sim_item *i;

	if (!m->session)
		return;
	i = sim_alloc(sizeof(*i) + of->len);
	memcpy(i, of, sizeof(*i) + of->len);
	i->session = m->session;
	i->ring = m->ring;
	m->in_ready_at = HF_MAX(m->in_ready_at, at);
	i->ready_at = m->in_ready_at;
	if (i->kind == SIM_ITEM_MEMBERS)
		for (unsigned k = 1; k <= sim->nodes_len; k++)
			if (m->group_ids >> k & 1)
				i->members[i->members_len++] = net.machines[k].proc;
	push(&m->in, i);
	arrive_soon(m);
}

/* --- the order --- */

static void members_change(unsigned by, const struct machine *ring, bool joins)
{
	struct sim_item e = {.kind = SIM_ITEM_MEMBERS, .seq = ++net.seq, .from = by};

	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		struct machine *m = &net.machines[k];

		if (!same_ring(ring, m))
			continue;
		m->group_ids = joins ? m->group_ids | 1u << by : m->group_ids & ~(1u << by);
		give(k, &e);
	}
}

static void part_now(void *arg);

static void order_one(unsigned id)
{
	struct machine *m = &net.machines[id];
	struct sim_item *i = pop(&m->out);

	switch (i->kind) {
	case SIM_ITEM_JOIN:
		m->session = i->session;
		m->proc = i->proc;
		members_change(id, m, true);
		break;
	case SIM_ITEM_LEAVE:
		if (m->session != i->session)
			break; /* a new ring has left it out already */
		m->session = 0;
		members_change(id, m, false);
		break;
	default:
		if (m->session != i->session)
			break;
		i->seq = ++net.seq;
		for (unsigned k = 1; k <= sim->nodes_len; k++)
			if (same_ring(m, &net.machines[k]))
				give(k, i);
		if (net.part_due && sim_chance(&sim->net, 300)) {
			net.last = sim_chance(&sim->net, 500) ? id : 0;
			part_now(NULL);
			net.last = 0;
		}
	}
	free(i);
}

static void order(void *arg);

static void order_soon(struct machine *m)
{
	if (m->ordering || !m->out.first || !m->in_ring || m->broken || m->paused)
		return;
	m->ordering = true;
	sim_after(sim_skewed(&sim->net, 30 * SIM_US, 600 * SIM_US) +
			  (net.slow_ns ? sim_below(&sim->net, net.slow_ns) / 4 : 0),
		order, m);
}

/* The token is here: a few of what waits. */
static void order(void *arg)
{
	struct machine *m = arg;
	unsigned n = 1 + (unsigned)sim_below(&sim->net, 8);

	m->ordering = false;
	while (n-- && m->out.first && m->in_ring && !m->broken && !m->paused)
		order_one((unsigned)(m - net.machines));
	order_soon(m);
}

/* --- quorum --- */

/* The third party stands by whoever has the lowest id of those that are able. */
static bool has_device(uint32_t ids)
{
	for (unsigned k = 1; k <= sim->nodes_len; k++)
		if (is_able(k))
			return ids >> k & 1;
	return false;
}

static bool is_quorate(uint32_t ids)
{
	unsigned votes = (unsigned)__builtin_popcount(ids), expected = sim->nodes_len;

	if (net.quorum == SIM_QUORUM_TWO_NODE) {
		for (unsigned k = 1; k <= sim->nodes_len; k++)
			if (ids >> k & 1 && net.machines[k].seen_all)
				return true;
		return false;
	}
	if (net.quorum == SIM_QUORUM_DEVICE) {
		expected++;
		votes += has_device(ids);
	}
	return votes >= expected / 2 + 1;
}

struct notification {
	struct machine *m;
	struct sim_item *item;
};

static void notify(void *arg)
{
	struct notification *n = arg;

	n->item->session = n->m->connected;
	sim_agreed_tell((unsigned)(n->m - net.machines), n->item);
	free(n);
}

static void tell_quorum(struct machine *m, bool quorate)
{
	struct notification *n = sim_alloc(sizeof(*n));
	uint64_t at = sim->now + sim_skewed(&sim->net, 10 * SIM_US, 300 * SIM_MS);

	if (quorate != m->quorate)
		sim_say("machine %u, ring %u.%u: %s", (unsigned)(m - net.machines), m->ring.node,
			(unsigned)m->ring.seq, quorate ? "quorum" : "no quorum");
	m->quorate = quorate;
	/* One after the other. */
	m->quorum_at = HF_MAX(m->quorum_at + 1, at);
	n->m = m;
	n->item = sim_alloc(sizeof(*n->item));
	n->item->kind = SIM_ITEM_QUORUM;
	n->item->ring = m->ring;
	n->item->quorate = quorate;
	sim_after(m->quorum_at - sim->now, notify, n);
}

/* Votes are counted when all have told theirs: sometimes a first count is too low. */
static void count_votes(struct machine *m)
{
	bool quorate = is_quorate(m->ring_ids);

	if (quorate && sim_chance(&sim->net, 100))
		tell_quorum(m, false);
	tell_quorum(m, quorate);
}

/* --- rings --- */

static void lose(struct machine *m, uint32_t together, uint64_t after)
{
	struct queue keep = {.last = &keep.first};

	while (m->in.first) {
		struct sim_item *i = pop(&m->in);

		if (i->seq <= after || together >> i->from & 1) {
			push(&keep, i);
			continue;
		}
		m->must_tell |= i->kind == SIM_ITEM_MEMBERS;
		free(i);
	}
	if (keep.first)
		m->in = keep;
}

/* Of those who come from one ring: what any has they all deliver. */
static void deliver_together(uint32_t ids)
{
	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		uint32_t together = 0;
		uint64_t known = 0;

		if (!(ids >> k & 1))
			continue;
		for (unsigned j = 1; j <= sim->nodes_len; j++) {
			if (!(ids >> j & 1) ||
				(j != k && !same_ring(&net.machines[k], &net.machines[j])))
				continue;
			together |= 1u << j;
			known = HF_MAX(known, net.machines[j].arrived);
		}
		if (together & ((1u << k) - 1))
			continue; /* done with a lower one */
		if (sim_chance(&sim->net, 500))
			known += sim_below(&sim->net, net.seq - known + 2);
		for (unsigned j = k; j <= sim->nodes_len; j++)
			if (together >> j & 1)
				lose(&net.machines[j], together, known);
		for (unsigned j = k; j <= sim->nodes_len; j++)
			if (together >> j & 1) /* who has left is out of the group at once */
				net.machines[j].group_ids &= together;
	}
}

static void enter(unsigned id, struct hf_group_ring ring, uint32_t ids)
{
	struct machine *m = &net.machines[id];

	m->in_ring = true;
	m->broken = m->stalled = false;
	m->ring = ring;
	m->ring_ids = ids;
	if ((unsigned)__builtin_popcount(ids) == sim->nodes_len)
		m->seen_all = true;
	if (m->session != m->connected && m->session) {
		m->session = 0; /* has gone meanwhile; its word of that is on its way */
		m->group_ids &= ~(1u << id);
	}
}

/* Who has gone is gone for all; then each machine tells the others which member it brings. */
static void introduce(uint32_t ids, const uint32_t *before)
{
	struct sim_item ring = {.kind = SIM_ITEM_RING, .seq = ++net.seq};
	struct machine *m;

	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		if (!(ids >> k & 1))
			continue;
		m = &net.machines[k];
		for (unsigned j = 1; j <= sim->nodes_len; j++)
			if (!net.machines[j].session)
				m->group_ids &= ~(1u << j);
		ring.from = k;
		ring.kind = m->group_ids == before[k] && !m->must_tell ? SIM_ITEM_RING
								       : SIM_ITEM_MEMBERS;
		m->must_tell = false;
		give(k, &ring);
	}
	for (unsigned j = 1; j <= sim->nodes_len; j++) {
		struct sim_item e = {.kind = SIM_ITEM_MEMBERS, .seq = ++net.seq, .from = j};

		if (!(ids >> j & 1) || !net.machines[j].session)
			continue;
		for (unsigned k = 1; k <= sim->nodes_len; k++) {
			m = &net.machines[k];
			if (!(ids >> k & 1) || m->group_ids >> j & 1)
				continue;
			m->group_ids |= 1u << j;
			give(k, &e);
		}
	}
}

static void form(uint32_t ids)
{
	struct hf_group_ring ring = {(uint32_t)__builtin_ctz(ids), net.ring_seq += 4};
	uint32_t before[SIM_NODES_MAX + 1];

	sim_count(SIM_COUNT_RINGS);
	sim_say("machines %x form ring %u.%u", ids, ring.node, (unsigned)ring.seq);
	for (unsigned k = 1; k <= sim->nodes_len; k++)
		before[k] = net.machines[k].group_ids;
	deliver_together(ids);
	for (unsigned k = 1; k <= sim->nodes_len; k++)
		if (ids >> k & 1)
			enter(k, ring, ids);
	introduce(ids, before);
	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		if (!(ids >> k & 1))
			continue;
		count_votes(&net.machines[k]);
		order_soon(&net.machines[k]);
		arrive_soon(&net.machines[k]);
	}
}

static uint32_t reaches(unsigned id)
{
	uint32_t ids = 0;

	for (unsigned k = 1; k <= sim->nodes_len; k++)
		if (is_able(k) && net.machines[k].part == net.machines[id].part)
			ids |= 1u << k;
	return ids;
}

static bool is_whole(uint32_t ids)
{
	const struct machine *first = &net.machines[__builtin_ctz(ids)];

	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		const struct machine *m = &net.machines[k];

		if (ids >> k & 1 && (m->broken || m->ring_ids != ids || !same_ring(first, m)))
			return false;
	}
	return true;
}

static void reform(void *arg)
{
	net.reform_due = false;
	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		uint32_t ids = reaches(k);

		if (!is_able(k) || ids & ((1u << k) - 1))
			continue;
		if (!is_whole(ids))
			form(ids);
	}
	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		struct machine *m = &net.machines[k];

		/* The third party's vote has moved. */
		if (is_able(k) && m->in_ring && !m->broken && m->quorate != is_quorate(m->ring_ids))
			tell_quorum(m, !m->quorate);
	}
}

/* Who reaches whom has changed: rings break, and after a while others are formed. */
static void changed(void)
{
	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		struct machine *m = &net.machines[k];

		if (!m->in_ring || m->broken || !(m->ring_ids & ~reaches(k)))
			continue;
		m->broken = true;
		m->stalled = net.last ? k != net.last : sim_chance(&sim->net, 500);
	}
	if (net.reform_due)
		return;
	net.reform_due = true;
	sim_after(sim_skewed(&sim->net, 30 * SIM_MS, SIM_SECOND), reform, NULL);
}

/* --- what the process asks for --- */

bool sim_agreed_is_there(unsigned id)
{
	return !net.machines[id].stopped;
}

void sim_agreed_connect(unsigned id, uint64_t session, uint32_t pid)
{
	struct machine *m = &net.machines[id];
	struct sim_item *i = sim_alloc(sizeof(*i));

	m->connected = session;
	i->kind = SIM_ITEM_JOIN;
	i->session = session;
	i->proc = (struct hf_group_proc){id, pid};
	sim_agreed_send(id, i);
	if (m->in_ring)
		tell_quorum(m, m->quorate);
}

void sim_agreed_send(unsigned id, struct sim_item *i)
{
	i->from = id;
	push(&net.machines[id].out, i);
	order_soon(&net.machines[id]);
}

void sim_agreed_disconnect(unsigned id)
{
	struct machine *m = &net.machines[id];
	struct sim_item *i = sim_alloc(sizeof(*i));

	i->kind = SIM_ITEM_LEAVE;
	i->session = m->connected;
	m->connected = 0;
	sim_agreed_send(id, i);
}

/* --- what happens to machines and daemons --- */

static void drop_out(struct machine *m)
{
	clear(&m->out);
	clear(&m->in);
	m->in_ring = m->broken = m->stalled = m->seen_all = m->quorate = m->must_tell = false;
	m->ring_ids = m->group_ids = 0;
	m->session = m->connected = 0;
}

void sim_agreed_init(void)
{
	struct sim_rng r = {sim->opt.seed * 73 + 11};

	memset(&net, 0, sizeof(net));
	for (unsigned k = 1; k <= SIM_NODES_MAX; k++) {
		net.machines[k].out.last = &net.machines[k].out.first;
		net.machines[k].in.last = &net.machines[k].in.first;
	}
	net.seq = 1;
	/* Much is on its way where messages are slow: that is where parts come to differ (W21). */
	net.high_ns = sim_chance(&r, 500) ? 400 * SIM_US : SIM_MS + sim_below(&r, 40 * SIM_MS);
	if (sim->nodes_len % 2 == 0 && sim_chance(&r, 400))
		net.quorum = SIM_QUORUM_DEVICE;
	else if (sim->nodes_len == 2 && sim_chance(&r, 600) &&
		 sim->driver != HF_CONFIG_FENCE_LEASE) /* doc/clusters.md */
		net.quorum = SIM_QUORUM_TWO_NODE;
	sim_agreed_nets_init();
}

void sim_agreed_machine_up(unsigned id)
{
	if (sim->group && !net.machines[id].in_ring)
		changed();
}

void sim_agreed_node_down(unsigned id, bool machine)
{
	if (!sim->group)
		return;
	sim_agreed_process_dies(id);
	if (machine) {
		drop_out(&net.machines[id]);
		net.machines[id].paused = net.machines[id].stopped = false;
		changed();
	} else if (net.machines[id].connected) {
		sim_agreed_disconnect(id);
	}
}

void sim_agreed_pause(unsigned id, bool paused)
{
	struct machine *m = &net.machines[id];

	if (m->paused == paused)
		return;
	m->paused = paused;
	changed();
	arrive_soon(m);
	order_soon(m);
}

void sim_agreed_stop(unsigned id, bool stopped)
{
	struct machine *m = &net.machines[id];
	struct sim_item *i;

	if (m->stopped == stopped)
		return;
	sim_say("the daemon of machine %u %s", id, stopped ? "ends" : "starts");
	m->stopped = stopped;
	if (stopped) {
		i = sim_alloc(sizeof(*i));
		i->kind = SIM_ITEM_LOST;
		i->session = m->connected;
		drop_out(m);
		sim_agreed_tell(id, i);
	}
	changed();
}

static void part_now(void *arg)
{
	if (!net.part_due)
		return;
	net.part_due = false;
	for (unsigned k = 1; k <= sim->nodes_len; k++)
		net.machines[k].part = net.parts[k];
	changed();
}

void sim_agreed_part(const unsigned *part)
{
	memcpy(net.parts, part, sizeof(net.parts));
	net.part_due = true;
	if (sim_chance(&sim->net, 500))
		part_now(NULL);
	else
		sim_after(100 * SIM_MS, part_now, NULL);
}

void sim_agreed_heal(void)
{
	static const unsigned part[SIM_NODES_MAX + 1];

	net.slow_ns = 0;
	sim_agreed_part(part);
}

void sim_agreed_slow(uint64_t delay_ns)
{
	net.slow_ns = delay_ns;
}
