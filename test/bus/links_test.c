/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The links over connections that a test carries by hand (conn.h): what a frame does that comes
 * late. Controller 2 connects to controller 1; each delivery is one frame.
 */
#include "links.h"
#include "loop_sim.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct hf_loop *loop;

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
	wire_fall_silent(n == &one);
	hf_links_destroy(n->links);
	n->links = NULL;
}

/* All frames of one direction; to: which end gets them. */
static void deliver(unsigned i, unsigned to)
{
	while (wire_deliver(i, to))
		;
	hf_loop_sim_settle(loop);
}

static void shake_hands(unsigned i)
{
	wire_accept(i);
	for (unsigned k = 0; k < 3; k++) {
		deliver(i, 1);
		deliver(i, 0);
	}
}

static int set_up(void **state)
{
	int ret = hf_loop_create(0, NULL, &loop);

	wire_begin(loop);
	return ret;
}

static int tear_down(void **state)
{
	if (one.links)
		end(&one);
	if (two.links)
		end(&two);
	hf_loop_destroy(loop);
	wire_end();
	return 0;
}

/* Found by the simulator: a HELLO that a dead process had left in the network was taken for the
 * peer's restart, and a living member was struck off (W20). */
static void w20_a_hello_of_a_process_that_is_gone_is_no_restart(void **state)
{
	start(&one, 1, 10);
	start(&two, 2, 20);
	assert_int_equal(wire.pipes_len, 2);
	wire_accept(0);
	deliver(0, 1);
	assert_non_null(
		wire.pipes[0]->ends[1].first); /* HELLO and ACCEPT of 10, kept by the network */
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
		before = wire.pipes_len;
		hf_loop_sim_advance(loop, 100000000);
		assert_true(wire.pipes_len > before);
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
