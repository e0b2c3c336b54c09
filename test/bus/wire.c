/* SPDX-License-Identifier: BSD-3-Clause */
/* The connections of wire.h. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct wire wire;

static struct wire_end *end_of(struct hf_conn *c)
{
	return c->line;
}

/* --- conn.h --- */

void hf_bus_conn_kick(struct hf_conn *c)
{
	static uint8_t buf[HF_CONN_FRAME_MAX];
	struct wire_end *e = end_of(c);
	size_t n = 1;

	while (c->state == HF_CONN_OPEN && (n = c->ops->next(c, buf))) {
		struct wire_frame *f = malloc(sizeof(*f) + n);

		assert_non_null(f);
		f->next = NULL;
		f->len = n;
		memcpy(f->data, buf, n);
		*e->last = f;
		e->last = &f->next;
	}
	if (c->finish && !n)
		hf_bus_conn_close(c, c->why, c->text);
}

static void closed(struct hf_msg *msg)
{
	struct wire_end *e = hf_container_of(msg, struct wire_end, closed_msg);
	struct hf_conn *c = e->conn;

	e->conn = NULL;
	c->ops->closed(c, c->why, c->text);
}

void hf_bus_conn_close(struct hf_conn *c, int why, const char *text)
{
	if (c->state == HF_CONN_CLOSING)
		return;
	c->state = HF_CONN_CLOSING;
	if (!c->finish) {
		c->why = why;
		snprintf(c->text, sizeof(c->text), "%s", text);
	}
	end_of(c)->closed_msg.run = closed;
	hf_loop_post(c->loop, &end_of(c)->closed_msg);
}

void hf_bus_conn_finish(struct hf_conn *c, int why, const char *text)
{
	if (c->state == HF_CONN_CLOSING || c->finish)
		return;
	c->finish = true;
	c->why = why;
	snprintf(c->text, sizeof(c->text), "%s", text);
	if (c->state == HF_CONN_OPEN)
		hf_bus_conn_kick(c);
	else
		hf_bus_conn_close(c, why, text);
}

static void begin(struct hf_conn *c, struct wire_end *e, const struct hf_bus_conn_ops *ops,
	enum hf_bus_conn_state state)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->loop = wire.loop;
	c->line = e;
	c->state = state;
	e->conn = c;
}

int hf_bus_conn_accept(struct hf_conn *c, struct hf_loop *l, struct hf_tls_context *tls, int fd,
	const struct hf_bus_conn_ops *ops)
{
	begin(c, &wire.pipes[fd]->ends[1], ops, HF_CONN_SHAKING);
	return 0;
}

int hf_bus_conn_connect(struct hf_conn *c, struct hf_loop *l, struct hf_tls_context *tls,
	const struct hf_bus_address *to, const struct hf_bus_conn_ops *ops)
{
	struct wire_pipe *p;

	if (!wire.listener || wire.cut || wire.pipes_len == WIRE_PIPES)
		return -ECONNREFUSED;
	p = calloc(1, sizeof(*p));
	assert_non_null(p);
	for (unsigned i = 0; i < 2; i++)
		p->ends[i].last = &p->ends[i].first;
	wire.pipes[wire.pipes_len++] = p;
	begin(c, &p->ends[0], ops, HF_CONN_SHAKING);
	return 0;
}

int hf_bus_listener_open(struct hf_bus_listener *ln, struct hf_loop *l,
	const struct hf_bus_address *a, char *message, size_t message_len)
{
	wire.listener = ln;
	return 0;
}

void hf_bus_listener_accept(struct hf_bus_listener *ln)
{
}

void hf_bus_listener_refuse(struct hf_bus_listener *ln, int fd)
{
}

void hf_bus_listener_stop(struct hf_bus_listener *ln)
{
}

void hf_bus_listener_close(struct hf_bus_listener *ln)
{
	wire.listener = NULL;
}

uint16_t hf_bus_listener_port(const struct hf_bus_listener *ln)
{
	return 0;
}

void hf_bus_address_text(const struct hf_bus_address *a, char ret[HF_BUS_ADDRESS_TEXT_MAX])
{
	ret[0] = '\0';
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

/* --- what a test does --- */

void wire_begin(struct hf_loop *loop)
{
	memset(&wire, 0, sizeof(wire));
	wire.loop = loop;
}

static struct wire_frame *pop(struct wire_end *e)
{
	struct wire_frame *f = e->first;

	if (!f)
		return NULL;
	e->first = f->next;
	if (!e->first)
		e->last = &e->first;
	return f;
}

static void clear(struct wire_end *e)
{
	struct wire_frame *f;

	while ((f = pop(e)))
		free(f);
}

static void pipe_free(struct wire_pipe *p)
{
	clear(&p->ends[0]);
	clear(&p->ends[1]);
	free(p);
}

void wire_end(void)
{
	while (wire.pipes_len)
		pipe_free(wire.pipes[--wire.pipes_len]);
}

void wire_accept(unsigned pipe)
{
	struct wire_pipe *p = wire.pipes[pipe];
	struct hf_bus_address from = {0};

	p->accepted = true;
	if (wire.listener)
		wire.listener->accepted(wire.listener, (int)pipe, &from);
	for (unsigned i = 0; i < 2; i++) {
		struct hf_conn *c = p->ends[i].conn;

		if (!p->ends[1].conn || !c || c->state != HF_CONN_SHAKING)
			continue;
		c->state = HF_CONN_OPEN;
		c->ops->open(c);
	}
}

static bool is_hearing(const struct hf_conn *c)
{
	return c && c->state == HF_CONN_OPEN && !c->finish;
}

bool wire_deliver(unsigned pipe, unsigned to)
{
	struct wire_pipe *p = wire.pipes[pipe];
	struct hf_conn *c = p->ends[to].conn;
	struct wire_frame *f = pop(&p->ends[1 - to]);

	if (!f)
		return false;
	if (is_hearing(c))
		c->ops->frame(c, f->data, f->len);
	free(f);
	return true;
}

bool wire_hang_up(unsigned pipe, unsigned to)
{
	struct wire_pipe *p = wire.pipes[pipe];
	struct wire_end *from = &p->ends[1 - to];
	struct hf_conn *c = p->ends[to].conn;

	if (!p->accepted || from->conn || from->first || !c || c->state == HF_CONN_CLOSING)
		return false;
	hf_bus_conn_close(c, -ECONNRESET, "closed by the peer");
	return true;
}

void wire_break(unsigned pipe)
{
	struct wire_pipe *p = wire.pipes[pipe];

	p->accepted = true;
	for (unsigned i = 0; i < 2; i++) {
		clear(&p->ends[i]);
		if (p->ends[i].conn)
			hf_bus_conn_close(p->ends[i].conn, -ECONNRESET, "broken");
	}
}

void wire_fall_silent(unsigned end)
{
	for (unsigned i = 0; i < wire.pipes_len; i++)
		if (wire.pipes[i]->ends[end].conn)
			hf_bus_conn_close(wire.pipes[i]->ends[end].conn, -ESHUTDOWN, "ends");
}

void wire_reap(void)
{
	unsigned to = 0;

	for (unsigned i = 0; i < wire.pipes_len; i++) {
		struct wire_pipe *p = wire.pipes[i];

		if (p->ends[0].conn || p->ends[1].conn)
			wire.pipes[to++] = p;
		else
			pipe_free(p);
	}
	wire.pipes_len = to;
}
