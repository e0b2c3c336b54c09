/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator's pick (W18) in the pair engine, in random walks (walk.h): two controllers over
 * connections that deliver late and break. Then the faults stop, the pick is said once more, and
 * both must come to the same state.
 */
#include "pair_bus.h"
#include "walk.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { A = 0, B = 1, UNITS = 2 };

static struct hf_bus_owner_ops owner_ops;
static struct {
	uint8_t bytes[256];
	int len;
} view_record;

/* --- the owner's rest --- */

static struct walk_unit *unit_itself(void *owner)
{
	return owner;
}

static void own_view_read(void *owner)
{
	struct walk_unit *u = owner;

	u->bus->ops->view_io_done(u->bus, view_record.bytes, view_record.len);
}

static void own_view_write(void *owner, const uint8_t *record, size_t len)
{
	struct walk_unit *u = owner;

	assert_true(len <= sizeof(view_record.bytes));
	memcpy(view_record.bytes, record, len);
	view_record.len = (int)len;
	u->bus->ops->view_io_done(u->bus, NULL, 0);
}

/* --- life --- */

static void start(struct walk_unit *u)
{
	struct hf_bus_pair_config c = {
		.id = (uint8_t)(u->index + 1),
		.peer_id = (uint8_t)(2 - u->index),
		.config_digest = 7,
		.key = (const uint8_t *)"a key that both controllers know",
		.key_len = 32,
		.listen_len = u->index == A,
		.peer_len = u->index == B ? 2 : 0,
		.silence_ms = 300,
		.bound_ms = 400,
	};
	struct hf_bus *bus;
	char message[300];

	walk_unit_begin(u);
	c.incarnation = walk.incarnation;
	if (hf_bus_pair_create(&c, walk.control, &owner_ops, u, &bus, message, sizeof(message)) < 0)
		fail_msg("%s", message);
	walk_unit_attach(u, bus);
	walk_trace(u, "starts");
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++)
		if (u->devs[dev].here)
			bus->ops->dev_add(bus, dev, dev % 2 == u->index);
}

static void stop(struct walk_unit *u)
{
	struct hf_bus *bus = u->bus;

	walk_unit_cut_off(u);
	wire_fall_silent(u->index == A);
	bus->ops->destroy(bus);
	walk_unit_end(u);
}

/* --- what happens --- */

static unsigned happen(unsigned which)
{
	unsigned n = 0;

	if (hf_loop_sim_next_ns(walk.control) <= hf_loop_now_ns(walk.control) && n++ == which)
		return hf_loop_sim_turn(walk.control, hf_loop_now_ns(walk.control)), n;
	for (unsigned i = 0; i < wire.pipes_len; i++) {
		struct wire_pipe *p = wire.pipes[i];

		if (!p->accepted && n++ == which)
			return wire_accept(i), n;
		for (unsigned to = 0; to < 2 && p->accepted; to++) {
			bool frames = p->ends[1 - to].first != NULL;
			bool over = !frames && !p->ends[1 - to].conn && p->ends[to].conn &&
				    p->ends[to].conn->state != HF_CONN_CLOSING;

			if ((frames || over) && n++ == which) {
				if (frames)
					wire_deliver(i, to);
				else
					wire_hang_up(i, to);
				return n;
			}
		}
	}
	return n;
}

static void pass_ms(unsigned ms)
{
	hf_loop_sim_advance(walk.control, ms * 1000000ull);
}

/* One thing happens. False: nothing is left but time. */
static bool step(void)
{
	unsigned here, all, which;

	wire_reap();
	here = happen(UINT32_MAX);
	all = here + walk_happen(UINT32_MAX);
	if (!all)
		return false;
	which = walk_random(all);
	if (which < here)
		happen(which);
	else
		walk_happen(which - here);
	walk_follow();
	return true;
}

/* --- faults --- */

static void break_all(void)
{
	for (unsigned i = 0; i < wire.pipes_len; i++)
		wire_break(i);
}

static void random_fault(void)
{
	struct walk_unit *u = &walk.units[walk_random(UNITS)];
	struct walk_unit *other = &walk.units[1 - u->index];
	char message[300];

	switch (walk_random(11)) {
	case 0:
		if (wire.pipes_len) {
			walk_trace(u, "a connection breaks");
			wire_break(walk_random(wire.pipes_len));
			walk.counts.cuts++;
		}
		return;
	case 1:
		walk_trace(u, "all connections break");
		break_all();
		wire.cut = walk_chance(2);
		walk.counts.cuts++;
		return;
	case 2:
	case 3:
		wire.cut = false;
		return;
	case 4:
		if (u->bus && walk_chance(2)) {
			stop(u);
			walk.counts.kills++;
		}
		return;
	case 5:
	case 6:
		if (!u->bus)
			start(u);
		else if (!other->bus) /* it is true */
			u->bus->ops->peer_down(u->bus, message, sizeof(message));
		return;
	case 7:
		if (walk_chance(2))
			walk_leave(u);
		return;
	case 8:
		walk_random_disk();
		return;
	case 9:
		if (walk_chance(3))
			walk_delete(2);
		return;
	case 10: /* the only one that has a state is gone for good */
		if (u->bus && other->bus && u->devs[1].stopped && !u->devs[1].has_state) {
			stop(other);
			walk.counts.kills++;
			pass_ms(1000);
			u->bus->ops->peer_down(u->bus, message, sizeof(message));
		}
		return;
	}
}

static void random_pick(void)
{
	uint32_t dev = 1 + walk_random(WALK_DEVS);
	struct walk_unit *u = &walk.units[walk_random(UNITS)];

	if (!u->bus || !walk_chance(walk_is_stopped(dev) ? 12 : 200))
		return;
	walk_pick(u, dev, NULL);
	if (walk_chance(4)) /* said again, at once, at either */
		walk_pick(&walk.units[walk_random(UNITS)], dev, NULL);
}

static void random_step(void)
{
	if (walk_chance(5))
		walk_random_host(&walk.units[walk_random(UNITS)]);
	if (walk_chance(25))
		walk_differ(&walk.units[walk_random(UNITS)], 1 + walk_random(WALK_DEVS));
	random_pick();
	if (walk_chance(60))
		random_fault();
	if (walk_chance(walk_chance(4) ? 30 : 120))
		pass_ms(1 + walk_random(walk_chance(10) ? 1500 : 30));
	else if (!step())
		pass_ms(1 + walk_random(20));
}

static void heal(void)
{
	wire.cut = false;
}

static void one_walk(uint64_t seed)
{
	struct hf_loop *loop;
	struct hf_loop_options options = {.buf_bytes = 1 << 20};
	unsigned steps;

	assert_int_equal(hf_loop_create(0, &options, &loop), 0);
	walk_begin(loop, UNITS, seed * 7919);
	wire_begin(loop);
	view_record.len = 0;
	start(&walk.units[A]);
	start(&walk.units[B]);
	walk_until(walk_are_together());
	steps = 200 + walk_random(500);
	for (unsigned s = 0; s < steps; s++)
		random_step();
	walk_come_to_an_end();
	stop(&walk.units[A]);
	stop(&walk.units[B]);
	wire_end();
	walk_end();
	hf_loop_destroy(loop);
}

static const struct walk_engine engine = {
	.name = "pair",
	.unit_of = unit_itself,
	.start = start,
	.stop = stop,
	.step = step,
	.pass_ms = pass_ms,
	.heal = heal,
	.walk = one_walk,
};

int main(int argc, char **argv)
{
	owner_ops = walk_owner_ops;
	owner_ops.view_read = own_view_read;
	owner_ops.view_write = own_view_write;
	return walk_main(argc, argv, &engine, 2000);
}
