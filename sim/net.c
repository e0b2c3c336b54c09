/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network between controllers: connections as conn.h promises them. Each is a line of two ends;
 * what is sent arrives in order, or the line breaks. A cut way keeps what is on it, as TCP does,
 * and gives it again later; a way is cut in one direction only if so wished. Two links, so that
 * what one delays the other overtakes (mux.h puts it in order again).
 */
#include "conn.h"
#include "sim.h"

#include <netinet/in.h>
#include <stdlib.h>

enum {
	SEND_BUFFER = 64 << 10,
	PART_OPEN = 1, /* of the handshake of the line itself */
	PART_FRAME,
	PART_END,
};

struct part {
	struct part *next;
	int kind;
	uint64_t ready_at;
	size_t len;
	uint8_t data[];
};

struct line;

/* One end of a line: what it sends, and who receives here. */
struct end {
	struct line *line;
	struct end *other;
	unsigned node, link;
	uint64_t starts; /* incarnation of the node */
	struct hf_conn *conn;
	bool broken, closing, told;
	struct part *first, **last; /* on their way to the other end */
	size_t bytes;
	bool moving; /* an event for `first` is out */
	unsigned tries;
	struct hf_msg closed_msg;
	bool closed_posted;
};

struct line {
	struct end ends[2]; /* 0: who has connected */
};

/* A part that has come to the loop of its receiver. */
struct arrival {
	struct hf_msg msg;
	struct end *to;
	struct part *part;
};

static struct {
	bool cut[SIM_NODES_MAX + 1][SIM_NODES_MAX + 1][SIM_LINKS];
	uint64_t slow_ns;
	struct line *lines[256];
	unsigned lines_len;
} net;

static struct line *lines_by_fd[4096];
static unsigned fds_len;

void sim_net_init(void)
{
	memset(&net, 0, sizeof(net));
	fds_len = 0;
}

static bool is_cut(const struct end *e)
{
	return net.cut[e->node][e->other->node][e->link];
}

static uint64_t delay(void)
{
	return sim_skewed(&sim->net, 20 * SIM_US, 400 * SIM_US) +
	       (net.slow_ns ? sim_below(&sim->net, net.slow_ns) : 0);
}

static bool is_alive(const struct end *e)
{
	const struct sim_node *n = sim_node(e->node);

	return n->running && n->starts == e->starts;
}

/* --- moving parts --- */

static void move(struct end *e);

static void take(struct end *to, const struct part *p)
{
	struct hf_conn *c = to->conn;

	if (!c || to->closing)
		return;
	switch (p->kind) {
	case PART_OPEN:
		if (c->state == HF_CONN_OPEN)
			return;
		c->state = HF_CONN_OPEN;
		c->ops->open(c);
		hf_bus_conn_kick(c);
		return;
	case PART_FRAME:
		if (c->state != HF_CONN_OPEN || c->finish)
			return;
		sim_count(SIM_COUNT_FRAMES);
		c->ops->frame(c, p->data, p->len);
		if (to->conn == c)
			hf_bus_conn_kick(c);
		return;
	default:
		hf_bus_conn_close(c, -ECONNRESET, "closed by the peer");
	}
}

static void receive(struct hf_msg *msg)
{
	struct arrival *a = hf_container_of(msg, struct arrival, msg);

	take(a->to, a->part);
	free(a->part);
	free(a);
}

static void deliver(struct end *to, struct part *p)
{
	struct arrival *a;

	if (!to->conn || !is_alive(to)) {
		free(p);
		return;
	}
	a = sim_alloc(sizeof(*a));
	a->to = to;
	a->part = p;
	a->msg.run = receive;
	hf_loop_post(to->conn->loop, &a->msg);
}

static void arrive(void *arg)
{
	struct end *e = arg;
	struct part *p = e->first;

	e->moving = false;
	if (!p || e->broken)
		return;
	if (is_cut(e)) {
		/* Sent again by TCP, later and later. */
		e->moving = true;
		e->tries = HF_MIN(e->tries + 1, 5u);
		sim_after((20 * SIM_MS << e->tries) + sim_below(&sim->net, 20 * SIM_MS), arrive, e);
		return;
	}
	e->tries = 0;
	e->first = p->next;
	if (!e->first)
		e->last = &e->first;
	e->bytes -= p->len;
	deliver(e->other, p);
	move(e);
	/* There is room in the send buffer again. */
	if (e->conn && !e->closing && is_alive(e) && e->conn->state == HF_CONN_OPEN)
		hf_bus_conn_kick(e->conn);
}

static void move(struct end *e)
{
	if (e->moving || !e->first)
		return;
	e->moving = true;
	sim_after(e->first->ready_at > sim->now ? e->first->ready_at - sim->now : 0, arrive, e);
}

static void send_part(struct end *e, int kind, const uint8_t *data, size_t len)
{
	struct part *p = sim_alloc(sizeof(*p) + len);

	p->kind = kind;
	p->len = len;
	p->ready_at = sim->now + delay();
	if (len)
		memcpy(p->data, data, len);
	*e->last = p;
	e->last = &p->next;
	e->bytes += len;
	move(e);
}

/* --- conn.h --- */

void hf_bus_conn_kick(struct hf_conn *c)
{
	struct end *e = c->line;
	uint8_t frame[HF_CONN_FRAME_MAX];
	size_t n = 1;

	if (c->state != HF_CONN_OPEN)
		return;
	while (e->bytes < SEND_BUFFER && (n = c->ops->next(c, frame)))
		send_part(e, PART_FRAME, frame, n);
	if (c->finish && !n)
		hf_bus_conn_close(c, c->why, c->text);
}

static void closed(struct hf_msg *msg)
{
	struct end *e = hf_container_of(msg, struct end, closed_msg);
	struct hf_conn *c = e->conn;

	e->conn = NULL;
	c->ops->closed(c, c->why, c->text);
}

void hf_bus_conn_close(struct hf_conn *c, int why, const char *text)
{
	struct end *e = c->line;

	if (c->state == HF_CONN_CLOSING)
		return;
	if (!c->finish) {
		c->why = why;
		snprintf(c->text, sizeof(c->text), "%s", text);
	}
	c->state = HF_CONN_CLOSING;
	e->closing = true;
	send_part(e, PART_END, NULL, 0);
	e->closed_msg.run = closed;
	hf_loop_post(c->loop, &e->closed_msg);
}

void hf_bus_conn_finish(struct hf_conn *c, int why, const char *text)
{
	if (c->state == HF_CONN_CLOSING || c->finish)
		return;
	c->why = why;
	snprintf(c->text, sizeof(c->text), "%s", text);
	c->finish = true;
	if (c->state == HF_CONN_OPEN)
		hf_bus_conn_kick(c);
	else
		hf_bus_conn_close(c, why, text);
}

static void end_init(struct line *l, unsigned i, unsigned node, unsigned link)
{
	struct end *e = &l->ends[i];

	e->line = l;
	e->other = &l->ends[1 - i];
	e->node = node;
	e->link = link;
	e->starts = sim_node(node)->starts;
	e->last = &e->first;
}

static void conn_init(struct hf_conn *c, struct hf_loop *loop, struct end *e,
	const struct hf_bus_conn_ops *ops, enum hf_bus_conn_state state)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->loop = loop;
	c->line = e;
	c->state = state;
	e->conn = c;
}

struct connecting {
	struct hf_msg msg;
	struct line *line;
	struct hf_bus_listener *listener;
	int fd;
};

static void refused(void *arg)
{
	struct end *e = arg;

	if (e->conn && is_alive(e) && e->conn->state != HF_CONN_CLOSING)
		hf_bus_conn_close(e->conn, -ECONNREFUSED, "Connection refused");
}

static void accepted(struct hf_msg *msg)
{
	struct connecting *k = hf_container_of(msg, struct connecting, msg);
	struct hf_bus_address from = {.addr.ss_family = AF_INET};
	struct sockaddr_in *in = (struct sockaddr_in *)&from.addr;

	in->sin_addr.s_addr = k->line->ends[0].node;
	in->sin_port = (in_port_t)k->line->ends[0].link;
	if (!k->listener->closing)
		k->listener->accepted(k->listener, k->fd, &from);
}

static void knock(void *arg)
{
	struct line *l = arg;
	struct end *e = &l->ends[0], *there = &l->ends[1];
	struct sim_node *n = sim_node(there->node);
	struct connecting *k;

	if (!n->machine_up || is_cut(e))
		return; /* whoever connects gives up after a while */
	if (!n->running || !n->listeners[e->link]) {
		if (!is_cut(there))
			sim_after(delay(), refused, e);
		return;
	}
	hf_assert(fds_len < HF_ARRAY_LEN(lines_by_fd));
	there->starts = n->starts;
	k = sim_alloc(sizeof(*k));
	k->line = l;
	k->listener = n->listeners[e->link];
	k->fd = (int)fds_len;
	lines_by_fd[fds_len++] = l;
	k->msg.run = accepted;
	hf_loop_post(k->listener->loop, &k->msg);
}

int hf_bus_conn_connect(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls,
	const struct hf_bus_address *to, const struct hf_bus_conn_ops *ops)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&to->addr;
	struct line *l = sim_alloc(sizeof(*l));

	end_init(l, 0, sim_node_of_loop(loop)->id, in->sin_port);
	end_init(l, 1, in->sin_addr.s_addr, in->sin_port);
	conn_init(c, loop, &l->ends[0], ops, HF_CONN_CONNECTING);
	if (net.lines_len < HF_ARRAY_LEN(net.lines))
		net.lines[net.lines_len++] = l;
	else
		net.lines[sim->seq % HF_ARRAY_LEN(net.lines)] = l;
	sim_after(delay(), knock, l);
	return 0;
}

int hf_bus_conn_accept(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls, int fd,
	const struct hf_bus_conn_ops *ops)
{
	struct line *l = lines_by_fd[fd];

	conn_init(c, loop, &l->ends[1], ops, HF_CONN_SHAKING);
	/* The key is proven when each has heard the other. */
	send_part(&l->ends[1], PART_OPEN, NULL, 0);
	send_part(&l->ends[0], PART_OPEN, NULL, 0);
	return 0;
}

/* --- listening, addresses, keys --- */

int hf_bus_listener_open(struct hf_bus_listener *ln, struct hf_loop *loop,
	const struct hf_bus_address *a, char *message, size_t message_len)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->addr;

	ln->loop = loop;
	ln->fd = (int)in->sin_port;
	ln->accepting = ln->closing = false;
	sim_booting->listeners[in->sin_port] = ln;
	return 0;
}

void hf_bus_listener_accept(struct hf_bus_listener *ln)
{
}

void hf_bus_listener_refuse(struct hf_bus_listener *ln, int fd)
{
	refused(&lines_by_fd[fd]->ends[0]);
}

void hf_bus_listener_stop(struct hf_bus_listener *ln)
{
	ln->closing = true;
}

void hf_bus_listener_close(struct hf_bus_listener *ln)
{
}

uint16_t hf_bus_listener_port(const struct hf_bus_listener *ln)
{
	return 0;
}

void hf_bus_address_text(const struct hf_bus_address *a, char ret[HF_BUS_ADDRESS_TEXT_MAX])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->addr;

	snprintf(ret, HF_BUS_ADDRESS_TEXT_MAX, "controller %u link %u", in->sin_addr.s_addr,
		in->sin_port);
}

void hf_bus_address_set_port(struct hf_bus_address *a, uint16_t port)
{
}

int hf_tls_context_create(const uint8_t *psk, size_t psk_len, struct hf_tls_context **ret)
{
	*ret = NULL;
	return 0;
}

void hf_tls_context_destroy(struct hf_tls_context *c)
{
}

/* --- faults --- */

void sim_net_cut(unsigned from, unsigned to, unsigned link, bool cut)
{
	net.cut[from][to][link] = cut;
}

void sim_net_slow(uint64_t delay_ns)
{
	net.slow_ns = delay_ns;
}

static void break_line(struct line *l)
{
	for (unsigned i = 0; i < 2; i++) {
		struct end *e = &l->ends[i];

		e->broken = true;
		if (e->conn && is_alive(e))
			hf_bus_conn_close(e->conn, -ECONNRESET, "Connection reset by peer");
	}
}

void sim_net_reset(unsigned link)
{
	for (unsigned i = 0; i < net.lines_len; i++)
		if (net.lines[i]->ends[0].link == link)
			break_line(net.lines[i]);
}

/* A process that ends closes its connections, a machine that loses power says nothing. */
void sim_net_node_down(unsigned id, bool machine)
{
	for (unsigned i = 0; i < net.lines_len; i++) {
		for (unsigned k = 0; k < 2; k++) {
			struct end *e = &net.lines[i]->ends[k];

			if (e->node != id || !e->conn || e->closing)
				continue;
			e->conn = NULL;
			e->closing = true;
			if (machine)
				e->broken = true;
			else
				send_part(e, PART_END, NULL, 0);
		}
	}
}

void sim_net_heal(void)
{
	memset(net.cut, 0, sizeof(net.cut));
	net.slow_ns = 0;
}
