/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The links over connections that a test carries by hand (conn.h): what a frame does that comes
 * late. Controller 2 connects to controller 1; each delivery is one frame.
 */
#include "links.h"
#include "loop_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { FRAMES = 64, PIPES = 32 };

struct end {
	struct hf_conn *conn;
	struct hf_msg closed_msg;
	unsigned len;
	struct {
		size_t len;
		uint8_t data[1024];
	} frames[FRAMES]; /* on their way to the other end */
};

/* One connection; ends[0] has connected. */
struct pipe {
	struct end ends[2];
	unsigned link;
};

static struct pipe *pipes[PIPES];
static unsigned pipes_len;
static struct hf_bus_listener *listener; /* controller 1's */
static struct hf_loop *loop;

static struct end *end_of(struct hf_conn *c)
{
	return c->line;
}

/* --- conn.h --- */

void hf_bus_conn_kick(struct hf_conn *c)
{
	struct end *e = end_of(c);
	uint8_t frame[HF_CONN_FRAME_MAX];
	size_t n = 1;

	while (c->state == HF_CONN_OPEN && (n = c->ops->next(c, frame))) {
		assert_true(e->len < FRAMES && n <= sizeof(e->frames[0].data));
		memcpy(e->frames[e->len].data, frame, n);
		e->frames[e->len++].len = n;
	}
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
	c->finish = true;
	c->why = why;
	snprintf(c->text, sizeof(c->text), "%s", text);
	hf_bus_conn_kick(c);
}

static void begin(struct hf_conn *c, struct end *e, const struct hf_bus_conn_ops *ops)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->loop = loop;
	c->line = e;
	c->state = HF_CONN_OPEN;
	e->conn = c;
}

int hf_bus_conn_accept(struct hf_conn *c, struct hf_loop *l, struct hf_tls_context *tls, int fd,
	const struct hf_bus_conn_ops *ops)
{
	begin(c, &pipes[fd]->ends[1], ops);
	return 0;
}

int hf_bus_conn_connect(struct hf_conn *c, struct hf_loop *l, struct hf_tls_context *tls,
	const struct hf_bus_address *to, const struct hf_bus_conn_ops *ops)
{
	struct pipe *p = calloc(1, sizeof(*p));

	if (!listener || pipes_len == PIPES) {
		free(p);
		return -ECONNREFUSED;
	}
	pipes[pipes_len++] = p;
	begin(c, &p->ends[0], ops);
	return 0;
}

int hf_bus_listener_open(struct hf_bus_listener *ln, struct hf_loop *l,
	const struct hf_bus_address *a, char *message, size_t message_len)
{
	listener = ln;
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
	listener = NULL;
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

/* --- two controllers --- */

struct node {
	struct hf_links *links;
	unsigned ups, downs, restarts;
	uint64_t peer;
};

static struct node one, two;

static void up(void *owner, uint64_t peer_incarnation)
{
	struct node *n = owner;

	n->ups++;
	n->peer = peer_incarnation;
}

static void down(void *owner, const char *why, bool restarted)
{
	struct node *n = owner;

	n->downs++;
	n->restarts += restarted;
}

static void message(void *owner, const uint8_t *msg, size_t len)
{
}

static void acked(void *owner)
{
}

static void heard(void *owner, uint64_t ns)
{
}

static void refused(void *owner, const char *sentence)
{
	fail_msg("refused: %s", sentence);
}

static const struct hf_links_ops ops = {.up = up,
	.down = down,
	.message = message,
	.acked = acked,
	.heard = heard,
	.refused = refused};

static void start(struct node *n, uint8_t id, uint64_t incarnation)
{
	struct hf_links_config c = {.own_id = id,
		.peer_id = (uint8_t)(3 - id),
		.incarnation = incarnation,
		.listen_len = id == 1,
		.peer_len = id == 2 ? 2 : 0,
		.silence_ns = 1000000000};
	char text[200];

	memset(n, 0, sizeof(*n));
	assert_int_equal(hf_links_create(&c, loop, &ops, n, &n->links, text, sizeof(text)), 0);
	hf_links_start(n->links);
	hf_loop_sim_settle(loop);
}

/* The process ends without a word; what it has sent is still on its way. */
static void end(struct node *n)
{
	for (unsigned i = 0; i < pipes_len; i++)
		for (unsigned k = 0; k < 2; k++) {
			struct end *e = &pipes[i]->ends[k];

			if (e->conn &&
				hf_container_of(e->conn, struct hf_links_slot, conn)->links ==
					n->links)
				hf_bus_conn_close(e->conn, -ESHUTDOWN, "ends");
		}
	hf_links_destroy(n->links);
	n->links = NULL;
}

/* Controller 1 accepts what controller 2 has connected. */
static void accept_pipe(unsigned i)
{
	struct hf_bus_address from = {0};

	if (!pipes[i]->ends[1].conn)
		listener->accepted(listener, (int)i, &from);
	pipes[i]->ends[0].conn->ops->open(pipes[i]->ends[0].conn);
	pipes[i]->ends[1].conn->ops->open(pipes[i]->ends[1].conn);
}

/* All frames of one direction; to: which end gets them. */
static void deliver(unsigned i, unsigned to)
{
	struct end *from = &pipes[i]->ends[1 - to], *e = &pipes[i]->ends[to];
	unsigned len = from->len;

	from->len = 0;
	for (unsigned k = 0; k < len; k++)
		if (e->conn && e->conn->state == HF_CONN_OPEN && !e->conn->finish)
			e->conn->ops->frame(e->conn, from->frames[k].data, from->frames[k].len);
	hf_loop_sim_settle(loop);
}

static void shake_hands(unsigned i)
{
	accept_pipe(i);
	for (unsigned k = 0; k < 3; k++) {
		deliver(i, 1);
		deliver(i, 0);
	}
}

static int set_up(void **state)
{
	pipes_len = 0;
	listener = NULL;
	return hf_loop_create(0, NULL, &loop);
}

static int tear_down(void **state)
{
	if (one.links)
		end(&one);
	if (two.links)
		end(&two);
	hf_loop_destroy(loop);
	for (unsigned i = 0; i < pipes_len; i++)
		free(pipes[i]);
	return 0;
}

/* Found by the simulator: a HELLO that a dead process had left in the network was taken for the
 * peer's restart, and a living member was struck off (W20). */
static void w20_a_hello_of_a_process_that_is_gone_is_no_restart(void **state)
{
	start(&one, 1, 10);
	start(&two, 2, 20);
	assert_int_equal(pipes_len, 2);
	accept_pipe(0);
	deliver(0, 1);
	assert_true(pipes[0]->ends[1].len > 0); /* HELLO and ACCEPT of 10, kept by the network */
	end(&one);

	hf_loop_sim_advance(loop, 5000000);
	start(&one, 1, 11);
	shake_hands(1);
	assert_int_equal(two.ups, 1);
	assert_int_equal(two.peer, 11);
	hf_loop_sim_advance(loop, 200000000);
	deliver(1, 0);
	deliver(1, 1);

	deliver(0, 0); /* what was kept comes now */
	assert_int_equal(two.downs, 0);
	assert_int_equal(two.peer, 11);
}

static void w20_a_restart_is_noticed_at_once(void **state)
{
	unsigned before;

	start(&one, 1, 10);
	start(&two, 2, 20);
	shake_hands(0);
	assert_int_equal(two.peer, 10);
	end(&one);
	hf_loop_sim_advance(loop, 100000000);
	start(&one, 1, 11);
	shake_hands(1);
	assert_int_equal(two.downs, 1);
	assert_int_equal(two.restarts, 1);
	/* Controller 1 believes in the stream that has just been dropped until it hears of it. */
	for (unsigned i = 0; i < 3 && two.ups < 2; i++) {
		before = pipes_len;
		hf_loop_sim_advance(loop, 100000000);
		assert_true(pipes_len > before);
		shake_hands(before);
	}
	assert_int_equal(two.ups, 2);
	assert_int_equal(two.peer, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			w20_a_hello_of_a_process_that_is_gone_is_no_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			w20_a_restart_is_noticed_at_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
