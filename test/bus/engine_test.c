/* SPDX-License-Identifier: BSD-3-Clause */
/* The pair engine on real sockets: what R1 to R6 say, and races. */
#include "duo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define OPS_SENT(s) ((s).sent[HF_BUS_PAIR_OP])

static void both_start_empty_and_come_together(void **state) /* S9 */
{
	duo_together();
	assert_true(duo.nodes[0].loaded);
	assert_false(duo.nodes[1].loaded);
	assert_true(duo.nodes[1].dropped);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(duo.nodes[i].view.epoch, 1);
		assert_int_equal(duo.nodes[i].view.members, 1u << 1 | 1u << 2);
		assert_int_equal(duo.nodes[i].view.serving, 1u << 1 | 1u << 2);
	}
}

static void R1_R2_a_reservation_is_carried_out_at_the_other_controller(void **state)
{
	duo_together();
	for (unsigned i = 0; i < 2; i++) {
		struct duo_cmd c;

		duo_propose(&c, i, i, DUO_RESERVE, 7);
		duo_run_until(c.answered);
		assert_true(c.good);
		/* INV-3: when GOOD is out, the other holds it at the least. */
		assert_true(duo.nodes[!i].devs[i].held || duo.nodes[!i].devs[i].holder == 7);
		duo_run_until(duo.nodes[!i].devs[i].holder == 7);
		assert_int_equal(duo.nodes[!i].devs[i].applies_mine, 0);
	}
}

static void R3_reserved_at_the_peer_fails_and_free_succeeds(void **state)
{
	duo_together();
	assert_true(duo_do(0, 0, DUO_RESERVE, 7));
	assert_false(duo_do(1, 0, DUO_RESERVE, 8));
	assert_true(duo_do(1, 1, DUO_RESERVE, 8)); /* another device is free (R8) */
	assert_false(duo_do(0, 1, DUO_RESERVE, 7));
}

static void R4_of_two_that_race_exactly_one_wins(void **state)
{
	unsigned wins[2] = {0, 0};

	duo_together();
	for (unsigned i = 0; i < 500; i++) {
		uint32_t dev = i % DUO_DEVS;
		struct duo_cmd c[2];

		duo_propose(&c[0], i % 2, dev, DUO_RESERVE, (uint8_t)(1 + i % 2));
		duo_propose(&c[1], !(i % 2), dev, DUO_RESERVE, (uint8_t)(2 - i % 2));
		duo_run_until(c[0].answered && c[1].answered);
		assert_int_equal(c[0].good + c[1].good, 1);
		assert_int_equal(c[0].conflict + c[1].conflict, 1);
		wins[c[0].good ? i % 2 : !(i % 2)]++;
		assert_true(duo_do(0, dev, DUO_RELEASE, c[0].good ? c[0].op.host : c[1].op.host));
		duo_run_until(duo.nodes[1].devs[dev].holder == 0);
	}
	assert_true(wins[0] > 0 && wins[1] > 0); /* dominance alternates */
	for (unsigned i = 0; i < DUO_DEVS; i++)
		assert_int_equal(duo.nodes[0].devs[i].changes, duo.nodes[1].devs[i].changes);
}

static void R5_what_is_refused_here_causes_no_bus_traffic(void **state)
{
	struct hf_bus_pair_status before, after;

	duo_together();
	assert_true(duo_do(0, 0, DUO_RESERVE, 7));
	duo_run_until(duo.nodes[1].devs[0].holder == 7);
	for (unsigned i = 0; i < 2; i++) {
		before = duo_status(i);
		assert_false(duo_do(i, 0, DUO_RESERVE, 8)); /* refused */
		assert_true(duo_do(i, 0, DUO_RESERVE, 7));  /* nothing to change */
		after = duo_status(i);
		assert_int_equal(OPS_SENT(before), OPS_SENT(after));
	}
}

static void R5_it_holds_within_itself_before_it_asks(void **state)
{
	struct duo_cmd c;

	duo_together();
	duo.nodes[0].keep_drain = true;
	duo_propose(&c, 0, 0, DUO_RESERVE, 7);
	assert_true(duo.nodes[0].devs[0].held);
	assert_false(duo.nodes[1].devs[0].held);
	duo_run_until(duo.nodes[1].devs[0].held);
	assert_false(c.answered); /* own drain is not done */
	hf_bus_drained(duo.nodes[0].bus, 0, duo.nodes[0].devs[0].n, 0);
	duo_run_until(c.answered);
	assert_true(c.good);
}

static void R6_a_release_is_carried_out_at_both(void **state)
{
	duo_together();
	assert_true(duo_do(0, 0, DUO_RESERVE, 7));
	assert_true(duo_do(0, 0, DUO_RELEASE, 7));
	duo_run_until(duo.nodes[1].devs[0].changes == 2);
	assert_int_equal(duo.nodes[1].devs[0].holder, 0);
	assert_true(duo_do(1, 0, DUO_RESERVE, 8));
}

static void one_round_trip_is_one_ask_and_one_held(void **state)
{
	struct hf_bus_pair_status a, b;

	duo_together();
	a = duo_status(0);
	b = duo_status(1);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(duo_do(0, 0, i % 2 ? DUO_RELEASE : DUO_RESERVE, 7));
		duo_run_until(duo.nodes[1].devs[0].changes == i + 1);
	}
	assert_int_equal(OPS_SENT(duo_status(0)) - OPS_SENT(a), 200); /* ask, settled */
	assert_int_equal(OPS_SENT(duo_status(1)) - OPS_SENT(b), 100); /* held */
}

/* Each has claimed one device and wants the other's: no op waits with a claim in its hand. */
static void s8_ops_on_two_devices_in_opposite_order_all_end(void **state)
{
	struct duo_cmd first[2], second[2];

	duo_together();
	for (unsigned i = 0; i < 2; i++) {
		duo.nodes[i].keep_drain = true;
		duo_propose(&first[i], i, i, DUO_RESERVE, (uint8_t)(1 + i));
	}
	duo_run_until(duo.nodes[0].devs[1].held && duo.nodes[1].devs[0].held);
	for (unsigned i = 0; i < 2; i++) {
		duo_propose(&second[i], i, !i, DUO_RESERVE, (uint8_t)(1 + i));
		duo.nodes[i].keep_drain = false;
		for (unsigned dev = 0; dev < 2; dev++)
			hf_bus_drained(duo.nodes[i].bus, dev, duo.nodes[i].devs[dev].n, 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		duo_run_until(first[i].answered && second[i].answered);
		assert_true(first[i].good && second[i].conflict);
	}
}

static bool range_granted, range_failed;

static void has_left(void *arg)
{
	*(bool *)arg = true;
}

/* It had asked, has yielded to the peer's request, and is to ask again: not yet idle. */
static void w19_who_leaves_settles_what_waits_behind_the_peers_request(void **state)
{
	struct duo_cmd c[2];
	bool left = false;

	duo_together();
	duo.nodes[1].keep_drain = true;
	duo_propose(&c[1], 1, 0, DUO_RESERVE, 2);
	duo_propose(&c[0], 0, 0, DUO_RESERVE, 1);
	duo_run_until(duo.nodes[1].devs[0].held && duo.nodes[1].devs[0].op.host == 1);
	duo.nodes[1].bus->ops->leave(duo.nodes[1].bus, has_left, &left);
	duo_pass_ms(20);
	assert_false(left);
	assert_int_equal(duo.nodes[0].view.state, HF_VIEW_TOGETHER);
	duo.nodes[1].keep_drain = false;
	hf_bus_drained(duo.nodes[1].bus, 0, duo.nodes[1].devs[0].n, 0);
	duo_run_until(left);
	assert_true(c[0].good && c[1].conflict);
	duo_run_until_state(0, HF_VIEW_ALONE);
}

static void granted(struct hf_bus_range *r, int result)
{
	range_granted = result == 0;
	range_failed = result < 0;
}

/* The pool's op may rest on what the device's leads to: a deletion on its retirement. */
static void s8_after_a_heal_the_devices_come_before_the_pool(void **state)
{
	struct duo_cmd pool, device;

	duo.devs = 2;
	duo_together();
	duo_cut();
	duo_propose(&device, 0, 1, DUO_RESERVE, 5);
	duo_propose(&pool, 0, HF_BUS_DEV_POOL, DUO_RESERVE, 6);
	duo_run_until_state(0, HF_VIEW_FROZEN);
	assert_int_equal(duo.nodes[1].devs[1].holds + duo.nodes[1].devs[HF_BUS_DEV_POOL].holds, 0);
	duo_heal();
	duo_run_until(device.answered && pool.answered);
	assert_true(device.good && pool.good);
	assert_true(duo.nodes[1].devs[1].held_at < duo.nodes[1].devs[HF_BUS_DEV_POOL].held_at);
}

struct asked_range {
	struct hf_bus_range range;
	bool granted;
};

static void asked_granted(struct hf_bus_range *r, int result)
{
	assert_int_equal(result, 0);
	hf_container_of(r, struct asked_range, range)->granted = true;
}

/* Two ranges cross, the dominant's is granted, and then the other one becomes dominant. */
static void what_is_granted_stays_so_though_dominance_moves(void **state)
{
	struct asked_range first = {.range = {.dev = 1, .lba = 100, .blocks = 8}};
	struct asked_range second = {.range = {.dev = 1, .lba = 104, .blocks = 8}};
	struct asked_range other = {.range = {.dev = 1, .lba = 500, .blocks = 8}};

	first.range.granted = second.range.granted = other.range.granted = asked_granted;
	duo.devs = 2;
	duo_together(); /* 2 is dominant for device 1 */
	hf_bus_range_acquire(duo.nodes[0].bus, &second.range);
	hf_bus_range_acquire(duo.nodes[1].bus, &first.range);
	duo_run_until(first.granted);
	assert_false(second.granted);
	duo.nodes[0].bus->ops->dev_add(duo.nodes[0].bus, 1, true);
	duo.nodes[1].bus->ops->dev_add(duo.nodes[1].bus, 1, false);
	hf_bus_range_acquire(duo.nodes[0].bus, &other.range);
	duo_run_until(other.granted);
	assert_false(second.granted);
	hf_bus_range_release(duo.nodes[1].bus, &first.range);
	duo_run_until(second.granted);
	hf_bus_range_release(duo.nodes[0].bus, &second.range);
	hf_bus_range_release(duo.nodes[0].bus, &other.range);
	duo_run_until(duo.nodes[1].range_holds == 0 && duo.nodes[0].range_holds == 0);
}

static void a_range_is_held_on_both(void **state)
{
	struct hf_bus_range r = {.dev = 1, .lba = 100, .blocks = 8, .granted = granted};

	range_granted = range_failed = false;
	duo_together();
	hf_bus_range_acquire(duo.nodes[0].bus, &r);
	duo_run_until(range_granted || range_failed);
	assert_true(range_granted);
	assert_int_equal(duo.nodes[0].range_holds, 1);
	assert_int_equal(duo.nodes[1].range_holds, 1);
	hf_bus_range_release(duo.nodes[0].bus, &r);
	duo_run_until(duo.nodes[1].range_holds == 0);
}

static void a_device_comes_and_goes(void **state)
{
	struct duo_cmd c;

	duo.devs = 2;
	duo_together();
	for (unsigned i = 0; i < 2; i++)
		duo.nodes[i].bus->ops->dev_add(duo.nodes[i].bus, 3, i == 0);
	assert_true(duo_do(1, 3, DUO_RESERVE, 5));
	assert_false(duo_do(0, 3, DUO_RESERVE, 6));
	/* Gone at one controller: its peer's op fails, and does not hang. */
	duo.nodes[0].bus->ops->dev_remove(duo.nodes[0].bus, 3);
	duo_propose(&c, 1, 3, DUO_RELEASE, 5);
	duo_run_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_FAILED);
	duo_propose(&c, 0, 3, DUO_RELEASE, 5);
	duo_run_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_NOT_READY);
}

static void a_rolling_upgrade_speaks_the_highest_common_version(void **state)
{
	duo.version_max[0] = 1; /* of yesterday */
	duo.version_max[1] = 2;
	duo_together();
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(duo_status(i).version, 1);
	assert_true(duo_do(0, 0, DUO_RESERVE, 7));
	assert_false(duo_do(1, 0, DUO_RESERVE, 8));
	/* The older one is upgraded in its turn; the state is not lost on the way. */
	duo_stop(0);
	duo.version_max[0] = 2;
	duo_start(0);
	duo_run_until_state(0, HF_VIEW_TOGETHER);
	duo_run_until_state(1, HF_VIEW_TOGETHER);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(duo_status(i).version, 2);
	assert_int_equal(duo.nodes[0].devs[0].holder, 7);
	assert_false(duo_do(0, 0, DUO_RESERVE, 8));
	/* And a version too far is refused, with the survivor undisturbed. */
	duo_stop(0);
	duo.version_min[0] = duo.version_max[0] = 3;
	duo_start(0);
	duo_run_until(strstr(duo.nodes[0].view.why, "versions have nothing in common"));
	duo_run_until(strstr(duo.nodes[1].view.why, "versions have nothing in common"));
	assert_int_equal(duo.nodes[1].devs[0].holder, 7);
	assert_int_not_equal(duo.nodes[0].view.state, HF_VIEW_TOGETHER);
}

/* --- a stopped device --- */

struct word {
	struct hf_bus_pick pick;
	bool done;
	int result;
	char why[200];
};

static void word_done(struct hf_bus_pick *pick, int result, const char *why)
{
	struct word *w = hf_container_of(pick, struct word, pick);

	assert_false(w->done);
	w->done = true;
	w->result = result;
	snprintf(w->why, sizeof(w->why), "%s", why);
}

static void say_pick(struct word *w, unsigned index, uint32_t dev)
{
	*w = (struct word){.pick = {.dev = dev, .done = word_done}};
	duo.nodes[index].bus->ops->pick(duo.nodes[index].bus, &w->pick);
}

static int pick(unsigned index, uint32_t dev)
{
	struct word w;

	say_pick(&w, index, dev);
	duo_run_until(w.done);
	return w.result;
}

/* Node 1 has lost what was reserved. */
static void lose_and_stop(uint32_t dev)
{
	assert_true(duo_do(0, dev, DUO_RESERVE, 7));
	duo_run_until(duo.nodes[1].devs[dev].holder == 7);
	duo.nodes[1].devs[dev].holder = 0;
	assert_false(duo_do(1, dev, DUO_RESERVE, 8));
	duo_run_until(duo.nodes[0].devs[dev].stopped && duo.nodes[1].devs[dev].stopped);
}

static void stop_device(void)
{
	duo.may_stop = true;
	duo_together();
	lose_and_stop(1);
}

static void w18_the_other_takes_the_picked_state_and_both_go_on(void **state)
{
	struct hf_bus_range r = {.dev = 1, .lba = 100, .blocks = 8, .granted = granted};

	duo_together();
	assert_int_equal(pick(0, 1), -EINVAL); /* not stopped */
	assert_int_equal(pick(0, 77), -ENODEV);
	duo_tear_down(state);
	duo_set_up(state);
	stop_device();
	assert_int_equal(pick(0, 1), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_false(duo.nodes[i].devs[1].stopped);
		assert_int_equal(duo.nodes[i].devs[1].holder, 7);
	}
	assert_false(duo_do(1, 1, DUO_RESERVE, 8));
	assert_true(duo_do(1, 1, DUO_RELEASE, 7));
	assert_true(duo_do(0, 1, DUO_RESERVE, 9));
	range_granted = range_failed = false;
	hf_bus_range_acquire(duo.nodes[1].bus, &r);
	duo_run_until(range_granted || range_failed);
	assert_true(range_granted);
	hf_bus_range_release(duo.nodes[1].bus, &r);
	duo_run_until(duo.nodes[0].range_holds == 0);
}

static void w18_picked_where_the_reservation_is_lost_it_is_lost(void **state)
{
	stop_device();
	assert_int_equal(pick(1, 1), 0);
	assert_int_equal(duo.nodes[0].devs[1].holder, 0);
	assert_true(duo_do(0, 1, DUO_RESERVE, 8));
}

static void w18_nobody_goes_on_before_the_dropped_states_commands_have_ended(void **state)
{
	struct word w, again;

	stop_device();
	duo.nodes[1].keep_pick = true;
	say_pick(&w, 0, 1);
	duo_run_until(duo.nodes[1].pick_n);
	say_pick(&again, 0, 1);
	assert_true(again.done && again.result == -EALREADY);
	duo_pass_ms(50);
	assert_true(duo.nodes[0].devs[1].stopped && !w.done);
	duo.nodes[1].bus->ops->pick_done(duo.nodes[1].bus, 1, duo.nodes[1].pick_n, 0);
	duo_run_until(w.done);
	assert_int_equal(w.result, 0);
}

static void w18_a_pick_ends_with_the_link_and_is_said_again(void **state)
{
	struct word w;

	stop_device();
	duo.nodes[1].keep_pick = true;
	say_pick(&w, 0, 1);
	duo_run_until(duo.nodes[1].pick_n);
	duo_cut();
	duo_run_until(w.done);
	assert_int_equal(w.result, -ENOTCONN);
	duo_heal();
	duo_run_until_state(0, HF_VIEW_TOGETHER);
	duo_run_until_state(1, HF_VIEW_TOGETHER);
	assert_true(duo.nodes[0].devs[1].stopped && duo.nodes[1].devs[1].stopped);
	duo.nodes[1].keep_pick = false;
	assert_int_equal(pick(0, 1), 0);
	assert_int_equal(duo.nodes[1].devs[1].holder, 7);
}

/* The one gives its state while it still takes the other one's of another device. */
static void w18_two_devices_may_be_picked_in_opposite_directions_at_once(void **state)
{
	struct word w[2];

	stop_device();
	lose_and_stop(2);
	duo.nodes[0].padding = duo.nodes[1].padding = 3 << 20;
	duo.nodes[0].keep_pick = true;
	say_pick(&w[0], 0, 1);
	duo_run_until(duo.nodes[0].pick_n);
	duo.nodes[0].keep_pick = false;
	say_pick(&w[1], 1, 2);
	duo_run_until(duo_status(0).received[HF_BUS_PAIR_COPY] > 3);
	assert_true(duo.nodes[0].devs[2].stopped);
	duo.nodes[0].bus->ops->pick_done(duo.nodes[0].bus, 1, 1, 0);
	duo_run_until(w[0].done && w[1].done);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w[i].result, 0);
		assert_int_equal(duo.nodes[i].devs[1].holder, 7);
		assert_int_equal(duo.nodes[i].devs[2].holder, 0);
	}
}

/* A build of yesterday would drop the link at a word that it does not know. */
static void w18_who_speaks_an_older_version_is_not_told_of_a_pick(void **state)
{
	struct word w;

	duo.version_max[1] = 1;
	stop_device();
	say_pick(&w, 0, 1);
	assert_true(w.done && w.result == -EPROTO);
	assert_non_null(strstr(w.why, "older version"));
	say_pick(&w, 1, 1);
	assert_true(w.done && w.result == -EPROTO);
	assert_true(duo_do(1, 0, DUO_RESERVE, 8));
	assert_int_equal(duo_status(0).streams, 1);
	/* Once it is upgraded. */
	duo_stop(1);
	duo.version_max[1] = 0;
	duo_start(1);
	duo_run_until_state(1, HF_VIEW_TOGETHER);
	duo_run_until_state(0, HF_VIEW_TOGETHER);
	assert_int_equal(pick(0, 1), 0);
	assert_int_equal(duo.nodes[1].devs[1].holder, 7);
}

/* It would have served the device by an empty state, beside one that is stopped. */
static void w18_who_starts_again_finds_it_stopped_and_takes_what_is_picked(void **state)
{
	stop_device();
	duo_stop(1);
	duo_start(1);
	duo_run_until_state(1, HF_VIEW_TOGETHER);
	duo_run_until_state(0, HF_VIEW_TOGETHER);
	assert_true(duo.nodes[1].devs[1].stopped);
	assert_false(duo_do(1, 1, DUO_RESERVE, 8));
	assert_int_equal(pick(1, 1), -ENODATA);
	assert_true(duo_do(1, 0, DUO_RESERVE, 8)); /* the others are as ever */
	assert_int_equal(pick(0, 1), 0);
	assert_false(duo.nodes[1].devs[1].stopped);
	assert_int_equal(duo.nodes[1].devs[1].holder, 7);
	assert_true(duo_do(1, 1, DUO_RELEASE, 7));
}

static void w18_picked_alone_the_newcomer_takes_it_as_any_other(void **state)
{
	char message[300];

	stop_device();
	duo_stop(1);
	duo_run_until_state(0, HF_VIEW_FROZEN);
	assert_int_equal(pick(0, 1), -ENOTCONN);
	assert_int_equal(
		duo.nodes[0].bus->ops->peer_down(duo.nodes[0].bus, message, sizeof(message)), 0);
	duo_run_until_state(0, HF_VIEW_ALONE);
	assert_int_equal(pick(0, 1), 0);
	assert_false(duo.nodes[0].devs[1].stopped);
	duo_start(1);
	duo_run_until_state(1, HF_VIEW_TOGETHER);
	assert_false(duo.nodes[1].devs[1].stopped);
	assert_int_equal(duo.nodes[1].devs[1].holder, 7);
}

/* What is owed on it waits for the operator, and the other one does not freeze for that. */
static void w18_w19_a_stopped_device_does_not_keep_one_from_leaving(void **state)
{
	struct duo_cmd c = {.op = {.kind = DUO_RELEASE, .host = 7}, .node = &duo.nodes[1]};
	uint64_t begun;
	bool left = false;

	stop_device();
	c.prop = (struct hf_bus_prop){.dev = 1, .op = &c.op, .op_len = sizeof(c.op), .owed = true};
	hf_bus_propose(duo.nodes[1].bus, &c.prop);
	begun = hf_loop_clock_ns(duo.loop);
	duo.nodes[1].bus->ops->leave(duo.nodes[1].bus, has_left, &left);
	duo_run_until(left);
	assert_true(hf_loop_clock_ns(duo.loop) - begun < 900000000); /* not after some ticks */
	duo_run_until_state(0, HF_VIEW_ALONE);
	assert_false(c.answered);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, duo_set_up, duo_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_start_empty_and_come_together),
		TEST(R1_R2_a_reservation_is_carried_out_at_the_other_controller),
		TEST(R3_reserved_at_the_peer_fails_and_free_succeeds),
		TEST(R4_of_two_that_race_exactly_one_wins),
		TEST(R5_what_is_refused_here_causes_no_bus_traffic),
		TEST(R5_it_holds_within_itself_before_it_asks),
		TEST(w19_who_leaves_settles_what_waits_behind_the_peers_request),
		TEST(R6_a_release_is_carried_out_at_both),
		TEST(one_round_trip_is_one_ask_and_one_held),
		TEST(s8_ops_on_two_devices_in_opposite_order_all_end),
		TEST(a_range_is_held_on_both),
		TEST(what_is_granted_stays_so_though_dominance_moves),
		TEST(s8_after_a_heal_the_devices_come_before_the_pool),
		TEST(a_device_comes_and_goes),
		TEST(a_rolling_upgrade_speaks_the_highest_common_version),
		TEST(w18_the_other_takes_the_picked_state_and_both_go_on),
		TEST(w18_picked_where_the_reservation_is_lost_it_is_lost),
		TEST(w18_nobody_goes_on_before_the_dropped_states_commands_have_ended),
		TEST(w18_a_pick_ends_with_the_link_and_is_said_again),
		TEST(w18_who_starts_again_finds_it_stopped_and_takes_what_is_picked),
		TEST(w18_two_devices_may_be_picked_in_opposite_directions_at_once),
		TEST(w18_who_speaks_an_older_version_is_not_told_of_a_pick),
		TEST(w18_picked_alone_the_newcomer_takes_it_as_any_other),
		TEST(w18_w19_a_stopped_device_does_not_keep_one_from_leaving),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
