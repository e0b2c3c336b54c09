/* SPDX-License-Identifier: BSD-3-Clause */
/* The group engine: stories of three and more controllers, in virtual time (band.h). */
#include "band.h"
#include "group_msg.h"
#include "view.h"

#include "view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <cmocka.h>

#define RESERVE BAND_RESERVE
#define RELEASE BAND_RELEASE

static int three(void **state)
{
	band_set_up(3, 11);
	band_together();
	return 0;
}

static int tear_down(void **state)
{
	band_tear_down();
	return 0;
}

static void r1_r2_r3_a_reservation_holds_on_all(void **state)
{
	assert_true(band_do(0, 1, RESERVE, 7));
	band_settle();
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(band.nodes[i].devs[1].holder, 7);
		assert_int_equal(band.nodes[i].devs[2].holder, 0); /* R8, INV-8 */
	}
	assert_false(band_do(1, 1, RESERVE, 8));
	assert_false(band_do(2, 1, RESERVE, 8));
	assert_true(band_do(0, 1, RELEASE, 7));
	assert_true(band_do(2, 1, RESERVE, 8));
}

static void r4_of_many_that_race_one_wins(void **state)
{
	for (unsigned round = 0; round < 200; round++) {
		struct band_cmd c[3];
		unsigned won = 3, wins = 0;

		for (unsigned i = 0; i < 3; i++)
			band_propose(&c[i], i, 1, RESERVE, (uint8_t)(i + 1));
		band_until(c[0].answered && c[1].answered && c[2].answered);
		for (unsigned i = 0; i < 3; i++) {
			wins += band_is_good(&c[i]);
			won = band_is_good(&c[i]) ? i : won;
		}
		assert_int_equal(wins, 1);
		assert_true(band_do(won, 1, RELEASE, (uint8_t)(won + 1)));
	}
}

/* Device 2 is not there yet. */
static void unmake(unsigned index)
{
	struct hf_bus *bus = band.nodes[index].bus;

	band.made = 2;
	bus->ops->dev_remove(bus, 2);
}

static void is_made_and_the_same(struct band_cmd *pool, struct band_cmd *c)
{
	band_until(pool->answered && c->answered);
	band_until_state(2, HF_VIEW_TOGETHER);
	band_settle();
	assert_true(band_is_good(pool) && band_is_good(c));
	assert_int_equal(band.nodes[0].devs[2].holder, 7);
	assert_int_equal(band.nodes[2].devs[2].holder, 7);
	assert_true(band_do(2, 2, RELEASE, 7));
}

/* The pool's op is settled by others and held here: they have a device that this one is to get. */
static void who_is_to_get_a_device_and_misses_an_op_of_it_copies_anew(void **state)
{
	struct band_cmd pool, c;

	for (unsigned i = 0; i < 3; i++)
		unmake(i);
	band_cut_off(2);
	band_until_state(2, HF_VIEW_FROZEN);
	band_heal();
	band.nodes[2].quorum_due = false; /* it is told later */
	band_until_state(0, HF_VIEW_TOGETHER);
	band_propose(&pool, 0, HF_BUS_DEV_POOL, RESERVE, 3);
	band_until(pool.answered);
	band_settle();
	assert_true(band.nodes[2].devs[HF_BUS_DEV_POOL].held);
	band_propose(&c, 0, 2, RESERVE, 7);
	is_made_and_the_same(&pool, &c);
}

/* ... and so does who joins, for the others wait for it to have the copy. */
static void who_joins_and_misses_the_cut_of_a_device_joins_anew(void **state)
{
	struct band_cmd pool, c;

	unmake(0);
	unmake(1);
	band_kill(2);
	band_until_state(0, HF_VIEW_FROZEN);
	band_start(2);
	unmake(2);
	hf_loop_sim_settle(band.loop);
	band.nodes[2].quorum_due = false; /* it is told later */
	band_until(band.nodes[2].view.state == HF_VIEW_JOINING &&
		   band.nodes[0].view.state == HF_VIEW_TOGETHER);
	band_propose(&pool, 0, HF_BUS_DEV_POOL, RESERVE, 3);
	band_until(pool.answered);
	band_propose(&c, 0, 2, RESERVE, 7);
	is_made_and_the_same(&pool, &c);
}

/* ... and who is in the view: afterwards it would not wait for the newcomer's acknowledgements. */
static void who_misses_the_cut_of_a_device_for_another_copies_anew(void **state)
{
	unsigned outs = 0;

	for (unsigned seed = 1; seed <= 20; seed++) {
		struct band_cmd pool, c;

		band_set_up(3, seed);
		band_together();
		unmake(0);
		unmake(1);
		band_cut_off(2);
		band_kill(2);
		band_until_state(1, HF_VIEW_FROZEN);
		band_owe(&pool, 1, HF_BUS_DEV_POOL, RESERVE, 3); /* before the cut of the map */
		band_start(2);
		unmake(2);
		band_heal();
		band.nodes[1].quorum_due = false; /* it is told later */
		band_until(band.nodes[0].devs[HF_BUS_DEV_POOL].holder);
		band_settle();
		band.nodes[1].quorum_due = true;
		for (unsigned i = 0; i < 3; i++)
			band_until_state(i, HF_VIEW_TOGETHER);
		band_propose(&c, 1, 2, RESERVE, 7);
		is_made_and_the_same(&pool, &c);
		outs += band.nodes[1].outs;
		band_tear_down();
	}
	assert_true(outs);
}

static bool has_a_cut_out(unsigned index, uint32_t dev)
{
	const struct band_queue *q = &band.nodes[index].out;
	struct hf_group_msg m;

	for (size_t i = q->head; i < q->head + q->len; i++)
		if (q->at[i].what == BAND_MSG && q->at[i].bytes &&
			hf_group_msg_decode(q->at[i].bytes, q->at[i].len, &m) == 0 &&
			m.kind == HF_GROUP_MSG_CUT && m.dev == dev)
			return true;
	return false;
}

/* Nobody copies it, and the copy as a whole comes to its end all the same. */
static void inv9_a_device_that_goes_while_its_cut_is_out_keeps_no_newcomer_waiting(void **state)
{
	band_kill(2);
	band_until_state(0, HF_VIEW_FROZEN);
	band_start(2);
	band_until(has_a_cut_out(0, 2));
	for (unsigned i = 0; i < 3; i++)
		unmake(i);
	band_until_state(2, HF_VIEW_TOGETHER);
}

/* The members' states differ: it stops while the cut waits behind an op. */
static void inv9_a_device_that_stops_while_its_cut_is_out_keeps_no_newcomer_waiting(void **state)
{
	struct band_cmd c;

	band.no_check = true;
	band_kill(2);
	band_until_state(0, HF_VIEW_FROZEN);
	band.nodes[1].keep_drain = true;
	band_start(2);
	band_until(has_a_cut_out(0, HF_BUS_DEV_POOL));
	band.nodes[1].devs[2].chain ^= 1;
	band_propose(&c, 0, 2, RESERVE, 7);
	band_until(has_a_cut_out(0, 2));
	band_settle();
	assert_true(band.nodes[0].devs[2].held);
	band.nodes[1].keep_drain = false;
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_true(band.nodes[0].stops && band.nodes[1].stops && band.nodes[2].stops);
}

static void r5_a_refusal_from_the_own_table_sends_nothing(void **state)
{
	struct hf_bus_counts before, after;

	assert_true(band_do(0, 1, RESERVE, 7));
	band_settle();
	band.nodes[0].bus->ops->counts(band.nodes[0].bus, &before);
	assert_false(band_do(0, 1, RESERVE, 8));
	assert_true(band_do(0, 1, RESERVE, 7));
	band.nodes[0].bus->ops->counts(band.nodes[0].bus, &after);
	assert_int_equal(before.op_sent, after.op_sent);
}

static void inv3_good_waits_for_the_drain_of_the_last(void **state)
{
	struct band_cmd c;

	band.nodes[2].keep_drain = true;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_settle();
	assert_false(c.answered);
	assert_true(band.nodes[0].devs[1].held && band.nodes[1].devs[1].held);
	band.nodes[2].keep_drain = false;
	band_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_APPLIED);
}

static void w3_what_cannot_be_drained_fails_and_is_held_nowhere(void **state)
{
	struct band_cmd c;

	band.nodes[1].keep_drain = true;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_FAILED);
	for (unsigned i = 0; i < 3; i++)
		assert_false(band.nodes[i].devs[1].held);
	band.nodes[1].keep_drain = false;
	band.nodes[2].fail_drain = true;
	assert_false(band_do(0, 1, RESERVE, 7));
	band.nodes[2].fail_drain = false;
	assert_true(band_do(0, 1, RESERVE, 7));
}

static void w15_a_record_that_cannot_be_written_cancels(void **state)
{
	struct band_cmd c;

	assert_true(band_do(0, 1, RESERVE | BAND_PERSIST, 7));
	assert_int_equal(band.slots[1].holder, 7);
	band.nodes[0].fail_persist = true;
	band_propose(&c, 0, 1, RELEASE | BAND_PERSIST, 7);
	band_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_FAILED);
	band_settle();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].devs[1].holder, 7);
	assert_true(band_do(1, 1, RELEASE | BAND_PERSIST, 7));
	assert_int_equal(band.slots[1].holder, 0);
}

static void frozen_nothing_changes_and_the_heal_goes_on(void **state)
{
	struct band_cmd c;

	assert_true(band_do(2, 1, RESERVE, 7));
	band_cut_off(2);
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_FROZEN);
	for (unsigned i = 0; i < 3; i++) {
		band_propose(&c, i, 1, RELEASE, 7);
		band_until(c.answered);
		assert_int_equal(c.how, HF_BUS_ANSWER_NOT_READY);
		assert_true(band_do(i, 1, RESERVE, 7)); /* U3: changes nothing */
		assert_false(band_do(i, 1, RESERVE, 8));
	}
	band_heal();
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	assert_true(band_do(0, 1, RELEASE, 7));
}

/* W21: C has delivered the op, A and B never. */
static void w21_delivered_here_is_not_agreed(void **state)
{
	struct band_cmd c;

	band.lossy = true;
	for (unsigned round = 0; round < 50; round++) {
		band_propose(&c, 2, 1, round % 2 ? RELEASE : RESERVE, 7);
		for (uint32_t steps = band_random(12); steps; steps--)
			band_step();
		band_cut_off(2);
		band_pass_ms(band_random(3) * 1000);
		band_settle();
		band_heal();
		band_until(c.answered);
		for (unsigned i = 0; i < 3; i++)
			band_until_state(i, HF_VIEW_TOGETHER);
		band_settle();
		for (unsigned i = 1; i < 3; i++)
			assert_int_equal(band.nodes[i].devs[1].chain, band.nodes[0].devs[1].chain);
		if (band.nodes[0].devs[1].holder)
			assert_true(band_do(0, 1, RELEASE, 7));
		if (round % 2 == 0)
			assert_true(band_do(2, 1, RESERVE, 7));
	}
}

/* W22: the acknowledgements are complete, and the part has no quorum, or none yet. */
static void w22_no_settling_before_quorum_has_spoken(void **state)
{
	struct band_cmd c;

	band.nodes[2].keep_drain = true;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_settle();
	band.quorum = 9; /* a vote is lost, no member is */
	for (unsigned i = 0; i < 3; i++)
		band.nodes[i].quorum_due = true;
	band_settle();
	assert_int_equal(band.nodes[0].view.state, HF_VIEW_FROZEN);
	band.nodes[2].keep_drain = false;
	band_settle();
	assert_false(c.answered);
	assert_true(band.nodes[0].devs[1].held);
	band.quorum = 0;
	for (unsigned i = 0; i < 3; i++)
		band.nodes[i].quorum_due = true;
	band_settle();
	assert_true(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_APPLIED);
}

static void at_the_start_it_waits_for_the_voting_disks_to_be_mended(void **state)
{
	char text[300];

	band_set_up(3, 5);
	band.record.unreadable = true;
	for (unsigned i = 0; i < 3; i++)
		band_start(i);
	for (unsigned i = 0; i < 500; i++)
		if (!band_step())
			band_pass_ms(20);
	assert_int_equal(band.nodes[0].view.state, HF_VIEW_STARTING);
	assert_int_equal(band.loads, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct hf_bus *bus = band.nodes[i].bus;

		assert_true(bus->ops->go_alone(bus, false, text, sizeof(text)) < 0);
		assert_non_null(strstr(text, "--may-lose"));
	}
	band.record.unreadable = false;
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	assert_int_equal(band.loads, 1);
	band_tear_down();
}

static void w22_alone_without_quorum_nothing_starts(void **state)
{
	band_set_up(3, 5);
	band_cut_off(0);
	band_start(0);
	band_pass_ms(10000);
	band_settle();
	assert_int_equal(band.nodes[0].view.state, HF_VIEW_STARTING);
	assert_int_equal(band.loads, 0);
	band_start(1);
	band_start(2);
	band_until(band.nodes[2].view.members == 0xc);
	assert_int_equal(band.loads, 1);
	band_heal();
	band_until(band.nodes[0].view.members == 0xe);
	assert_int_equal(band.loads, 1);
	band_tear_down();
}

static void w20_the_dead_comes_back_and_copies(void **state)
{
	assert_true(band_do(0, 1, RESERVE, 7));
	band_kill(2);
	band_until_state(0, HF_VIEW_FROZEN);
	assert_false(band_do(0, 2, RESERVE, 7));
	band_start(2);
	for (unsigned i = 0; i < 3; i++)
		band_until(band.nodes[i].view.members == 0xe);
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_int_equal(band.nodes[2].devs[1].holder, 7);
	assert_true(band_do(2, 2, RESERVE, 8));
}

static void an_op_of_a_dead_controller_goes_forward(void **state)
{
	struct band_cmd c, after;

	band.nodes[1].keep_drain = true;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_settle();
	band_kill(0);
	band.nodes[1].keep_drain = false;
	band_start(0);
	for (unsigned i = 0; i < 3; i++)
		band_until(band.nodes[i].view.members == 0xe);
	band_settle();
	band_propose(&after, 1, 1, RESERVE, 8);
	band_until(after.answered);
	assert_true(after.conflict);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].devs[1].holder, 7);
}

static void the_operators_word_unfreezes(void **state)
{
	char message[300];

	assert_int_equal(
		band.nodes[0].bus->ops->peer_down(band.nodes[0].bus, message, sizeof(message)),
		-EINVAL);
	band_kill(2);
	band_until_state(0, HF_VIEW_FROZEN);
	band_until_state(1, HF_VIEW_FROZEN);
	band_settle();
	assert_int_equal(
		band.nodes[1].bus->ops->peer_down(band.nodes[1].bus, message, sizeof(message)), 0);
	band_until_state(0, HF_VIEW_TOGETHER);
	assert_int_equal(band.nodes[0].view.members, 6);
	assert_true(band_do(0, 1, RESERVE, 7));
	band_start(2);
	band_until(band.nodes[2].view.members == 0xe);
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_int_equal(band.nodes[2].devs[1].holder, 7);
}

static void w8_whom_the_record_does_not_name_starts_anew(void **state)
{
	char message[300];

	band.no_check =
		true; /* the word is false: the third lives on, as long as it has not read */
	band_cut_off(2);
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_FROZEN);
	band_settle();
	assert_int_equal(
		band.nodes[2].bus->ops->peer_down(band.nodes[2].bus, message, sizeof(message)),
		-EINVAL); /* no quorum, no word */
	assert_int_equal(
		band.nodes[0].bus->ops->peer_down(band.nodes[0].bus, message, sizeof(message)), 0);
	band_until_state(0, HF_VIEW_TOGETHER);
	band_until(band.nodes[2].view.state != HF_VIEW_FROZEN);
	band.no_check = false;
	assert_true(band_do(0, 1, RESERVE, 7));
	/* The two that knew lose their memory; the one without a say must not bring back the past.
	 */
	band_kill(0);
	band_kill(1);
	band_heal();
	band_start(0);
	band_start(1);
	for (unsigned i = 0; i < 3; i++)
		band_until(band.nodes[i].view.members == 0xe);
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_int_equal(band.nodes[2].devs[1].holder, 0); /* not persistent, so it is gone */
}

static void s9_all_memory_lost_the_disks_are_read(void **state)
{
	assert_true(band_do(0, 1, RESERVE | BAND_PERSIST, 7));
	assert_true(band_do(0, 2, RESERVE, 7));
	band_settle();
	for (unsigned i = 0; i < 3; i++)
		band_kill(i);
	band_start(2);
	band_start(1);
	band_pass_ms(5000);
	band_settle();
	/* Controller 1 is named in the record, and may live. */
	assert_int_equal(band.nodes[1].view.state, HF_VIEW_STARTING);
	band_start(0);
	for (unsigned i = 0; i < 3; i++)
		band_until(band.nodes[i].view.members == 0xe);
	for (unsigned i = 0; i < 3; i++)
		band_until(band.nodes[i].devs[1].holder == 7);
	assert_int_equal(band.nodes[0].devs[2].holder, 0);
}

static void left(void *arg)
{
	((struct band_node *)arg)->left = true;
}

static void w19_one_leaves_and_nobody_freezes(void **state)
{
	struct band_node *o = &band.nodes[0];

	assert_true(band_do(0, 1, RESERVE, 7));
	o->bus->ops->leave(o->bus, left, o);
	band_until(o->left);
	band_kill(0);
	band_settle();
	assert_int_equal(band.nodes[1].view.members, 0xc);
	assert_int_equal(band.nodes[1].view.left, 1u << 1);
	assert_int_equal(band.nodes[2].view.left, 1u << 1);
	assert_int_equal(band.nodes[1].view.state, HF_VIEW_TOGETHER);
	assert_true(band_do(1, 2, RESERVE, 8));
	o = &band.nodes[1];
	o->bus->ops->leave(o->bus, left, o);
	band_until(o->left);
	band_kill(1);
	band_until_state(2, HF_VIEW_ALONE);
	assert_true(band_do(2, 1, RELEASE, 7));
}

static void says_leave(unsigned index)
{
	struct hf_bus *bus = band.nodes[index].bus;

	bus->ops->leave(bus, left, &band.nodes[index]);
	band_settle();
}

static void w19_who_leaves_says_so_when_what_waits_behind_others_is_answered(void **state)
{
	struct band_node *o = &band.nodes[2];
	struct band_cmd first, c;

	band.nodes[1].keep_drain = true;
	band_propose(&first, 0, 1, RESERVE, 7);
	band_settle();
	band_propose(&c, 2, 1, RESERVE, 8);
	says_leave(2);
	assert_false(o->left);
	band.nodes[1].keep_drain = false;
	band_until(o->left);
	assert_true(first.answered && c.answered && c.conflict);
}

/* The others go on without it at any moment: what is owed is owed by them then. */
static void w19_who_has_said_that_it_leaves_proposes_nothing_any_more(void **state)
{
	struct band_node *o = &band.nodes[2];
	struct hf_bus_counts before, after;
	struct band_cmd c;

	assert_true(band_do(0, 1, RESERVE, 7));
	band_settle();
	band.nodes[0].keep_record_write = true;
	says_leave(2);
	o->bus->ops->counts(o->bus, &before);
	band_owe(&c, 2, 1, RELEASE, 7);
	band_settle();
	o->bus->ops->counts(o->bus, &after);
	assert_int_equal(before.op_sent, after.op_sent);
	assert_false(o->left);
	band_end_record_io(0);
	band_until(o->left);
	assert_int_equal(band.nodes[0].devs[1].holder, 7);
}

/* ... unless it becomes the last one, for then there is nobody else. */
static void w19_who_is_the_last_does_what_is_owed_before_it_leaves(void **state)
{
	struct band_cmd c;

	assert_true(band_do(0, 1, RESERVE, 7));
	band_settle();
	band.nodes[0].keep_record_write = band.nodes[1].keep_record_write = true;
	says_leave(0);
	says_leave(1);
	band_end_record_io(0);
	band_until(band.nodes[0].left && band.nodes[1].record_io_due);
	says_leave(2);
	band_owe(&c, 2, 1, RELEASE, 7);
	band_settle();
	assert_false(c.answered);
	band_end_record_io(1);
	band_until(band.nodes[2].left);
	assert_true(band_is_good(&c));
}

static void w18_the_one_that_differs_takes_the_state_anew(void **state)
{
	struct band_cmd c;

	band.no_check = true;
	assert_true(band_do(0, 1, RESERVE, 7));
	band_settle();
	band.nodes[2].devs[1].chain ^= 1;
	band_propose(&c, 0, 1, RELEASE, 7);
	band_until(c.answered);
	assert_true(band_is_good(&c));
	band_until(band.nodes[2].devs[1].chain == band.nodes[0].devs[1].chain);
	band_until(band.nodes[2].view.state == HF_VIEW_TOGETHER);
	band.no_check = false;
	assert_true(band_do(2, 1, RESERVE, 9));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].stops, 0);
}

static void a_second_passes(void)
{
	for (unsigned i = 0; i < 100; i++) {
		band_settle();
		band_pass_ms(10);
	}
	band_settle();
}

/* Its daemon takes a while to end, for a client of the control socket reads slowly. */
static void w19_who_has_left_is_not_let_in_again(void **state)
{
	for (unsigned other = 0; other < 2; other++) {
		band_set_up(5, 3 + other);
		for (unsigned i = 0; i < 4; i++)
			band_start(i);
		for (unsigned i = 0; i < 4; i++)
			band_until_state(i, HF_VIEW_TOGETHER);
		says_leave(2);
		band_until(band.nodes[2].left);
		band_until(band.nodes[0].view.members == 0x16);
		if (other) { /* somebody joins, or leaves, too */
			band_start(4);
			band_until(band.nodes[0].view.members == 0x36);
		} else {
			says_leave(3);
			band_until(band.nodes[3].left);
			band_kill(3);
			band_until(band.nodes[0].view.members == 6);
		}
		a_second_passes();
		assert_false((band.nodes[0].view.members | band.nodes[0].view.joining) & 8);
		band_kill(2);
		a_second_passes();
		assert_int_equal(band.nodes[0].view.state, HF_VIEW_TOGETHER);
		band_tear_down();
	}
}

/* It is ready, and the record with it is on its way to the disks. */
static void w19_who_is_told_to_leave_as_it_comes_in_says_that_it_leaves(void **state)
{
	band_set_up(4, 3);
	for (unsigned i = 0; i < 3; i++)
		band_start(i);
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	band.nodes[0].keep_record_write = true;
	band_start(3);
	band_until(band.nodes[0].record_io_due);
	says_leave(3);
	a_second_passes();
	assert_false(band.nodes[3].left);
	band.nodes[0].keep_record_write = false;
	band_end_record_io(0);
	band_until(band.nodes[3].left);
	band_kill(3);
	a_second_passes();
	assert_int_equal(band.nodes[0].view.members, 0xe);
	assert_int_equal(band.nodes[0].view.state, HF_VIEW_TOGETHER);
	band_tear_down();
}

/* Found by walk_group: who differs so that the op changes nothing there did not vote, and all the
 * others held the op for ever. */
static void w18_who_finds_that_the_op_changes_nothing_says_what_it_has(void **state)
{
	struct band_cmd c;

	band.no_check = true;
	band.nodes[2].devs[1].holder = 9;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_until(c.answered);
	assert_true(band_is_good(&c));
	band_until(band.nodes[2].devs[1].holder == 7);
	band_until(band.nodes[2].view.state == HF_VIEW_TOGETHER);
	band.no_check = false;
	assert_true(band_do(2, 1, RELEASE, 7));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].stops, 0);
}

static void w18_where_the_op_changes_something_at_one_only_that_one_falls_out(void **state)
{
	struct band_cmd c;

	band.no_check = true;
	assert_true(band_do(0, 1, RESERVE, 9));
	band_settle();
	band.nodes[0].devs[1].holder = 0;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_until(c.answered);
	assert_false(band_is_good(&c));
	band_until(band.nodes[0].devs[1].holder == 9);
	band_until(band.nodes[0].view.state == HF_VIEW_TOGETHER);
	band.no_check = false;
	assert_true(band_do(1, 1, RELEASE, 9));
}

static void w18_without_a_majority_it_stops_where_the_op_changes_nothing_too(void **state)
{
	struct band_cmd c;

	band.no_check = true;
	band.nodes[1].devs[1].holder = 8;
	band.nodes[2].devs[1].holder = 9;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_NOT_READY);
	band_settle();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].stops, 1);
}

/* Nor does who cannot drain wait for it for ever. */
static void w18_an_op_that_is_dropped_is_dropped_where_it_changes_nothing_too(void **state)
{
	struct band_cmd c;

	band.no_check = true;
	band.nodes[2].devs[1].holder = 9;
	band.nodes[0].fail_drain = true;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_FAILED);
}

/* Found by walk_group: its host waited for ever, and with it the controller that was out. */
static void s6_what_waits_for_a_device_that_is_deleted_is_answered_when_out_too(void **state)
{
	struct band_node *o = &band.nodes[0];
	struct band_cmd held, waits, c;

	band.no_check = true;
	o->keep_drain = true;
	band_propose(&held, 2, 2, RESERVE, 9);
	band_settle();
	band_owe(&waits, 2, 2, RELEASE, 9);
	band.nodes[2].devs[1].chain ^= 1;
	band_propose(&c, 0, 1, RESERVE, 7);
	band_settle();
	band.nodes[2].keep_clean = true; /* a host waits */
	o->devs[1].drain_due = false;
	hf_bus_drained(o->bus, 1, o->devs[1].n + 1, 0);
	band_until(band.nodes[2].outs);
	assert_false(waits.answered);
	band.nodes[2].bus->ops->dev_remove(band.nodes[2].bus, 2);
	assert_true(held.answered);
	assert_true(waits.answered);
	assert_int_equal(waits.how, HF_BUS_ANSWER_NOT_READY);
}

static void w18_without_a_majority_the_device_stops(void **state)
{
	struct band_cmd c;

	band.no_check = true;
	band.nodes[1].devs[1].chain ^= 1;
	band.nodes[2].devs[1].chain ^= 2;
	band_propose(&c, 0, 1, band.nodes[0].devs[1].holder ? RELEASE : RESERVE, 7);
	band_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_NOT_READY);
	band_settle();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].stops, 1);
	assert_true(band_do(0, 2, RESERVE, 7)); /* the others go on */
}

struct word {
	struct hf_bus_pick pick;
	bool done;
	int result;
};

static void word_done(struct hf_bus_pick *pick, int result, const char *why)
{
	struct word *w = hf_container_of(pick, struct word, pick);

	assert_false(w->done);
	w->done = true;
	w->result = result;
	assert_true(*why);
}

static int pick(unsigned index, uint32_t dev)
{
	struct word w = {.pick = {.dev = dev, .done = word_done}};

	band.nodes[index].bus->ops->pick(band.nodes[index].bus, &w.pick);
	band_until(w.done);
	return w.result;
}

static void leave_and_end(unsigned index)
{
	struct band_node *o = &band.nodes[index];

	o->bus->ops->leave(o->bus, left, o);
	band_until(o->left);
	band_kill(index);
}

/* Who joins would have served it by an empty state, beside those who have stopped. */
static void w18_who_joins_finds_it_stopped_and_who_is_alone_is_picked(void **state)
{
	struct band_cmd c;

	assert_true(band_do(0, 1, RESERVE, 7));
	band_settle();
	assert_int_equal(pick(0, 1), -EINVAL);
	w18_without_a_majority_the_device_stops(state);
	assert_int_equal(pick(0, 1), -ENOTCONN);
	leave_and_end(2);
	band_start(2);
	band_until_state(2, HF_VIEW_TOGETHER);
	band_settle();
	assert_int_equal(band.nodes[2].stops, 2);
	band_propose(&c, 2, 1, RESERVE, 8);
	band_until(c.answered);
	assert_int_equal(c.how, HF_BUS_ANSWER_NOT_READY);
	leave_and_end(2);
	leave_and_end(1);
	band_until_state(0, HF_VIEW_ALONE);
	assert_int_equal(band.nodes[0].resumes, 0);
	assert_int_equal(pick(0, 1), 0);
	assert_int_equal(band.nodes[0].resumes, 1);
	band.no_check = false;
	assert_false(band_do(0, 1, RESERVE, 8)); /* 7 holds it, as ever */
	assert_true(band_do(0, 1, RELEASE, 7));
	for (unsigned i = 1; i < 3; i++) {
		band_start(i);
		band_until_state(i, HF_VIEW_TOGETHER);
		assert_int_equal(band.nodes[i].stops, i); /* no more than before */
	}
	assert_true(band_do(2, 1, RESERVE, 9));
}

/* Neither the tool nor the daemon's end waits for a voting disk that hangs. */
static void w18_a_pick_whose_record_is_not_written_in_time_has_failed(void **state)
{
	struct band_node *o = &band.nodes[0];

	w18_without_a_majority_the_device_stops(state);
	leave_and_end(2);
	leave_and_end(1);
	band_until_state(0, HF_VIEW_ALONE);
	o->keep_pick = true;
	assert_int_equal(pick(0, 1), -EIO);
	o->bus->ops->pick_done(o->bus, 1, o->pick_n, 0); /* too late */
	assert_int_equal(o->resumes, 0);
	o->keep_pick = false;
	assert_int_equal(pick(0, 1), 0);
	assert_int_equal(o->resumes, 1);
}

/* Nobody would ask for it again: the reservation of a login that is gone would stand for ever. */
static void w18_what_was_owed_when_it_stopped_is_asked_when_it_goes_on(void **state)
{
	struct band_cmd c;

	assert_true(band_do(0, 1, RESERVE, 7));
	band_settle();
	band.no_check = true;
	band.nodes[1].devs[1].chain ^= 1;
	band.nodes[2].devs[1].chain ^= 2;
	band_owe(&c, 0, 1, RELEASE, 7);
	band_until(band.nodes[0].stops && band.nodes[1].stops && band.nodes[2].stops);
	leave_and_end(2);
	leave_and_end(1);
	band_until_state(0, HF_VIEW_ALONE);
	assert_false(c.answered);
	assert_int_equal(pick(0, 1), 0);
	band_until(c.answered);
	assert_true(band_is_good(&c));
	assert_int_equal(band.nodes[0].devs[1].holder, 0);
}

/* What the disks keep is not written over by one who has nothing: all are stopped and started. */
static void w18_who_has_no_state_cannot_be_picked_when_it_is_alone(void **state)
{
	assert_true(band_do(0, 1, RESERVE | BAND_PERSIST, 7));
	band_settle();
	w18_without_a_majority_the_device_stops(state);
	leave_and_end(2);
	band_start(2);
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_int_equal(pick(2, 1), -ENODATA);
	leave_and_end(0);
	leave_and_end(1);
	band_until_state(2, HF_VIEW_ALONE);
	assert_int_equal(pick(2, 1), -ENODATA);
	assert_int_equal(band.nodes[2].resumes, 0);
	band_kill(2);
	band.no_check = false;
	band_start(2);
	band_until_state(2, HF_VIEW_ALONE);
	assert_false(band_do(2, 1, RESERVE, 8));
	assert_true(band_do(2, 1, RELEASE, 7));
}

/* --- behind --- */

/* Its place in the group is given up, not its host's command made up: that ends when it is known.
 */
static void who_is_too_far_behind_leaves_and_takes_the_state_anew(void **state)
{
	struct band_cmd c[30];

	assert_true(band_do(2, 1, RESERVE, 7));
	band.nodes[2].backlog = 64 << 20; /* just not too far */
	assert_true(band_do(0, 2, RESERVE, 7));
	assert_true(band_do(0, 2, RELEASE, 7));
	band_settle();
	assert_int_equal(band.nodes[2].outs, 0);
	for (unsigned i = 0; i < HF_ARRAY_LEN(c); i++) {
		band_propose(&c[i], i % 3, 2, i % 2 ? RELEASE : RESERVE, 7);
		if (i % 10 == 5)
			band.nodes[2].backlog = (64 << 20) + 1;
		for (unsigned n = 0; n < 40 && band_step(); n++)
			;
		band_pass_ms(20);
	}
	assert_true(band.nodes[2].outs);
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	for (unsigned i = 0; i < HF_ARRAY_LEN(c); i++)
		band_until(c[i].answered);
	band_settle();
	assert_int_equal(band.nodes[2].backlog, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(band.nodes[i].view.members, 0xe);
		assert_int_equal(band.nodes[i].devs[1].holder, 7);
		for (unsigned dev = 1; dev < BAND_DEVS; dev++) {
			assert_int_equal(band.nodes[i].devs[dev].n, band.nodes[0].devs[dev].n);
			assert_true(band.nodes[i].devs[dev].chain == band.nodes[0].devs[dev].chain);
		}
	}
	assert_true(band_do(2, 1, RELEASE, 7));
}

/* --- policy fence --- */

static int three_that_fence(void **state)
{
	band_set_up(3, 11);
	band.fence = true;
	band_together();
	return 0;
}

static void the_quorate_part_fences_and_goes_on(void **state)
{
	struct band_cmd c;

	assert_true(band_do(2, 1, RESERVE, 7));
	band_cut_off(2);
	band_propose(&c, 0, 2, RESERVE, 8); /* waits, and then goes on */
	band_until(c.answered);
	assert_true(band_is_good(&c));
	assert_null(band.nodes[2].bus); /* switched off */
	assert_int_equal(band.fenced, 1);
	assert_int_equal(band.nodes[0].view.members, 6);
	assert_int_equal(band.nodes[0].view.left | band.nodes[1].view.left, 0);
	band_heal();
	band_start(2);
	band_until(band.nodes[2].view.members == 0xe);
	assert_int_equal(band.nodes[2].devs[1].holder, 7);
}

/* Whoever runs the fence, and whatever it has done before. */
static void who_has_left_once_has_not_left_when_it_is_fenced(void **state)
{
	leave_and_end(2);
	band_until(band.nodes[0].view.members == 6 && band.nodes[1].view.members == 6);
	assert_int_equal(band.nodes[1].view.left, 1u << 3);
	band_start(2);
	band_until(band.nodes[1].view.members == 0xe);
	assert_int_equal(band.nodes[1].view.left, 0);
	band_cut_off(2);
	band_until(band.nodes[1].view.members == 6);
	assert_int_equal(band.fenced, 1);
	assert_int_equal(band.nodes[1].view.left, 0);
}

static void a_fence_that_fails_lets_nobody_go_on(void **state)
{
	band.fence_fails = true;
	band_cut_off(2);
	band_until_state(0, HF_VIEW_RACING);
	/* Without quorum it fences nobody and serves nothing. */
	band_until_state(2, HF_VIEW_OUT);
	band_pass_ms(20000);
	band_settle();
	assert_int_equal(band.nodes[0].view.state, HF_VIEW_RACING);
	assert_int_equal(band.nodes[0].view.members, 0xe);
	band.fence_fails = false;
	band_until_state(0, HF_VIEW_TOGETHER);
	assert_int_equal(band.fenced, 1);
}

static void whoever_comes_back_in_time_is_not_fenced(void **state)
{
	band.fence_fails = true;
	band_cut_off(2);
	band_until_state(0, HF_VIEW_RACING);
	band_heal();
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	assert_int_equal(band.fenced, 0);
	assert_true(band_do(2, 1, RESERVE, 7));
}

static void who_is_cut_off_comes_back_when_the_fence_is_over(void)
{
	assert_int_equal(band.nodes[1].fences, 0); /* one drives it */
	band.nodes[0].fence_slow = true;	   /* a PREEMPT is on its way */
	band_heal();
	band_pass_ms(500);
	band_settle();
	assert_int_equal(band.nodes[2].view.state, HF_VIEW_OUT);
	band.nodes[0].fence_slow = false;
	band.nodes[2].keep_check = true; /* it may have been hit */
	band.nodes[0].bus->ops->fence_ended(band.nodes[0].bus);
	band_until_state(1, HF_VIEW_TOGETHER);
	band_settle();
	assert_int_equal(band.nodes[2].view.state, HF_VIEW_OUT);
	band.nodes[2].bus->ops->checked(band.nodes[2].bus);
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_true(band_do(2, 1, RESERVE, 7));
}

static void who_fences_says_what_it_remembers_when_that_is_over(void **state)
{
	band.fence_hangs = true;
	band_cut_off(2);
	band_until_state(2, HF_VIEW_OUT);
	band_until(band.nodes[0].fence_due);
	who_is_cut_off_comes_back_when_the_fence_is_over();
}

/* It has told failure because a disk did not answer: it may yet do what it was told. */
static void what_a_fence_that_failed_has_left_is_waited_for(void **state)
{
	band.fence_hangs = true;
	band_cut_off(2);
	band_until_state(2, HF_VIEW_OUT);
	band_until(band.nodes[0].fence_due);
	band.nodes[0].fence_due = 0;
	band.nodes[0].bus->ops->fenced(band.nodes[0].bus, -EIO, "a disk does not answer");
	who_is_cut_off_comes_back_when_the_fence_is_over();
}

static void a_newcomer_that_was_hit_on_its_way_is_not_let_in(void **state)
{
	band_kill(2);
	band_until_state(0, HF_VIEW_TOGETHER);
	band_until(band.nodes[0].view.members == 6);
	band_start(2);
	band.nodes[2].keep_check = true;
	band_until(band.nodes[2].checks);
	band_pass_ms(2000);
	band_settle();
	assert_int_equal(band.nodes[0].view.members, 6);
	band.nodes[2].bus->ops->checked(band.nodes[2].bus);
	band_until(band.nodes[0].view.members == 0xe);
}

/* ... and of a generation in which it has to begin anew it shows that it does. */
static void a_newcomer_is_seen_to_join_while_it_looks_for_fences(void **state)
{
	band_kill(2);
	band_until(band.nodes[0].view.members == 6);
	band_start(2);
	band.nodes[2].keep_check = true;
	band_until(band.nodes[2].checks);
	band_kill(1);
	band_until(band.nodes[0].view.members == 2);
	band_settle();
	assert_int_equal(band.nodes[2].view.state, HF_VIEW_JOINING);
}

static void another_takes_over_when_who_fences_dies(void **state)
{
	band_tear_down();
	band_set_up(5, 23);
	band.fence = true;
	band_together();
	band.fence_fails = true;
	band_cut_off(4);
	band_until(band.nodes[0].fences);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(band.nodes[i].fences, 0);
	band_kill(0);
	band_until(band.nodes[1].fences);
	band.fence_fails = false;
	band_until(band.nodes[1].view.members == 0x1c);
	assert_int_equal(band.nodes[2].fences + band.nodes[3].fences, 0);
	assert_true(band_do(3, 1, RESERVE, 7));
}

/* --- a victim that goes on running --- */

static int three_with_beats(void **state)
{
	band_set_up(3, 11);
	band.fence = band.fence_spares = true;
	band.silence_ms = 1000;
	band_together();
	return 0;
}

static bool is_valid(unsigned index)
{
	return atomic_load(&band.nodes[index].bus->valid_until_ns) > hf_loop_clock_ns(band.loop);
}

static void inv5_who_hears_nothing_answers_nothing_before_the_others_go_on(void **state)
{
	for (unsigned n = 0; n < 40; n++) {
		band_pass_ms(100);
		band_settle();
		assert_true(is_valid(0) && is_valid(1) && is_valid(2));
	}
	/* The machine stands still: it is told of nothing, and its beats do not come back. */
	band.nodes[2].deaf = band.no_check = true;
	band_cut_off(2);
	while (band.nodes[0].view.state != HF_VIEW_TOGETHER || band.nodes[0].view.members != 6) {
		if (!band_step())
			band_pass_ms(10);
	}
	assert_int_equal(band.nodes[2].view.state, HF_VIEW_TOGETHER); /* so it believes */
	assert_false(is_valid(2));
	band_pass_ms(250);
	band_settle();
	assert_true(is_valid(0));
	/* Awake, it hears of the change before anything else. */
	band.nodes[2].deaf = false;
	band_until_state(2, HF_VIEW_OUT);
	assert_false(is_valid(2));
}

static void a_bound_shorter_than_what_a_lost_node_costs_is_warned_of(void **state)
{
	assert_false(hf_group_stalls(band.nodes[0].bus, 8030));
	assert_false(hf_group_stalls(band.nodes[0].bus, 1)); /* and silence_ms */
	assert_true(hf_group_stalls(band.nodes[0].bus, 0));
}

static void a_beat_renews_nothing_before_the_check(void **state)
{
	band.nodes[2].keep_check = true;
	band.nodes[2].checks = 0;
	band_kill(1);
	band_until(band.nodes[2].checks);
	band_pass_ms(3000);
	band_settle();
	assert_false(is_valid(2));
	band.nodes[2].bus->ops->checked(band.nodes[2].bus);
	band_settle();
	assert_true(is_valid(2));
}

/* --- leases --- */

static int three_with_leases(void **state)
{
	band_set_up(3, 11);
	band.fence = band.gives_up = true;
	band_together();
	return 0;
}

/* votequorum's two_node: both would have given up, and both would go on. */
static void with_leases_quorum_of_both_halves_is_none(void **state)
{
	band.two_node = true;
	band.quorum = 1;
	band_cut_off(2);
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_OUT);
	band_pass_ms(5000);
	band_settle();
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(band.nodes[i].view.state, HF_VIEW_OUT);
		assert_non_null(strstr(band.nodes[i].view.why, "two_node"));
	}
	band.two_node = false; /* a quorum device has come */
	band.quorum = 0;
	band_heal();
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
}

/* ... where agents decide it counts. */
static void with_agents_quorum_of_both_halves_counts(void **state)
{
	band.two_node = true;
	band_cut_off(2);
	band_until(band.fenced);
	band_until(band.nodes[0].view.members == 6);
}

/* What it says when it gives up must not count any more when it serves again. */
static void who_has_given_up_serves_again_in_a_later_epoch(void **state)
{
	uint64_t gave_up_in, fenced_in;

	band.fence_fails = true;
	assert_true(band_do(2, 1, RESERVE, 7));
	band_cut_off(2);
	band_until_state(2, HF_VIEW_OUT);
	gave_up_in = band.nodes[2].view.epoch;
	band_until(band.nodes[0].fences);
	assert_true(band.nodes[0].fence_epoch <= gave_up_in); /* that counts */
	band_heal();
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_true(band.nodes[2].view.epoch > gave_up_in);
	assert_int_equal(band.nodes[2].devs[1].holder, 7); /* it has not lost its memory */
	band.nodes[0].fences = 0;
	band_cut_off(2);
	band_until(band.nodes[0].fences);
	fenced_in = band.nodes[0].fence_epoch;
	assert_true(fenced_in > gave_up_in); /* that one does not */
	assert_true(fenced_in <= band.nodes[2].view.epoch);
}

/* The plan of the next epoch may come before the word of quorum (W22). */
static void nothing_is_given_up_for_an_epoch_that_it_serves_in(void **state)
{
	uint64_t gave_up_in;

	band.fence_fails = true;
	band_cut_off(2);
	band_until_state(2, HF_VIEW_OUT);
	gave_up_in = band.nodes[2].view.epoch;
	band_heal();
	band.nodes[2].quorum_due = false;
	band_until_state(0, HF_VIEW_TOGETHER);
	band_settle();
	assert_int_equal(band.nodes[2].view.state, HF_VIEW_OUT);
	assert_true(band.nodes[2].view.epoch == gave_up_in);
	band.nodes[2].quorum_due = true;
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_true(band.nodes[2].view.epoch > gave_up_in);
}

static uint64_t epoch_on_disk(void)
{
	struct hf_view_record r;

	assert_int_equal(hf_view_record_decode(band.record.bytes, (size_t)band.record.len, &r), 0);
	return r.epoch;
}

/* ... and it may look at the record while that plan is on its way. */
static void who_gives_up_for_a_plan_on_its_way_joins_anew(void **state)
{
	for (unsigned seed = 1; seed <= 100; seed++) {
		uint64_t before;

		band_set_up(3, seed);
		band.fence = band.gives_up = band.fence_fails = true;
		band_together();
		band_cut_off(2);
		band_until_state(2, HF_VIEW_OUT);
		band_settle();
		before = epoch_on_disk();
		band_heal();
		band_until(epoch_on_disk() > before);
		band_pass_ms(1500);
		band.fence_fails = false; /* it may be missed for a moment, having gone for good */
		band.fence_spares = true;
		for (unsigned i = 0; i < 3; i++)
			band_until_state(i, HF_VIEW_TOGETHER);
		band_tear_down();
	}
}

static void quorum_that_comes_back_by_itself_is_another_generation(void **state)
{
	uint64_t gave_up_in;

	band.quorum = 4; /* a vote is lost, nobody is cut off */
	for (unsigned i = 0; i < 3; i++)
		band.nodes[i].quorum_due = true;
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_OUT);
	gave_up_in = band.nodes[1].view.epoch;
	band.quorum = 0;
	for (unsigned i = 0; i < 3; i++)
		band.nodes[i].quorum_due = true;
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	for (unsigned i = 0; i < 3; i++)
		assert_true(band.nodes[i].view.epoch > gave_up_in);
	assert_true(band_do(1, 1, RESERVE, 7));
}

static void steps(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!band_step())
			band_pass_ms(1);
}

/* The others went on without 3 and have lost their memory; 3 is the only one with a state, an old
 * one. */
static void w8_a_record_that_cannot_be_read_may_be_newer(void **state)
{
	char text[300];

	band.no_check = true; /* a state comes from the disks: two histories of ops */
	assert_true(band_do(2, 1, RESERVE, 7));
	band.nodes[2].deaf = true; /* it stands still and does not look at the record */
	band_cut_off(2);
	band_until_state(0, HF_VIEW_FROZEN);
	assert_int_equal(
		band.nodes[0].bus->ops->peer_down(band.nodes[0].bus, text, sizeof(text)), 0);
	band_until_state(0, HF_VIEW_TOGETHER);
	assert_true(band_do(0, 1, RELEASE, 7));
	assert_true(band_do(0, 1, RESERVE, 9));
	band_kill(0);
	band_kill(1);
	band_start(0);
	band_start(1);
	band.record.unreadable = true;
	band_heal();
	band.nodes[2].deaf = false;
	steps(4000);
	for (unsigned i = 0; i < 3; i++)
		assert_int_not_equal(band.nodes[i].view.state, HF_VIEW_TOGETHER);
	band.record.unreadable = false;
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	for (unsigned i = 0; i < 3; i++)
		assert_int_not_equal(band.nodes[i].devs[1].holder, 7);
}

/*
 * The last of len has come into the view, and those from controller 3 on have not heard of it: they
 * are back with the state of the view before. False: this time the cut lost nothing that counts.
 */
static bool some_are_back_with_an_old_state(unsigned len, uint64_t seed)
{
	struct band_node *o = band.nodes;
	unsigned part[BAND_MAX] = {0};
	uint32_t all = (2u << len) - 2, before = all & ~(1u << len);

	band_set_up(len, seed);
	band.lossy = true;
	for (unsigned i = 0; i < len - 1; i++) {
		band_start(i);
		band_settle();
		band_pass_ms(11); /* the ticks of each come at other times */
	}
	for (unsigned i = 0; i < len - 1; i++)
		band_until(o[i].view.members == before);
	o[0].keep_record_write = true;
	band_start(len - 1);
	band_until(o[0].record_io_due);
	for (unsigned i = 2; i < len - 1; i++) {
		o[i].deaf = true;
		part[i] = 1;
	}
	o[0].keep_record_write = false;
	band_end_record_io(0);
	band_until(o[0].view.members == all);
	band_parts(part);
	for (unsigned i = 2; i < len - 1; i++)
		o[i].deaf = false;
	for (unsigned i = 0; i < len; i++)
		band_until_state(i, HF_VIEW_FROZEN);
	for (unsigned i = 2; i < len - 1; i++)
		if (o[i].view.members == all)
			return false;
	band_heal();
	band_until(o[0].view.state != HF_VIEW_FROZEN || strstr(o[0].view.why, "old state"));
	assert_int_equal(o[0].view.state, HF_VIEW_FROZEN);
	return true;
}

/* Who is in the group, about to hear that its state does not count, serves from it until then. */
static void of_who_is_back_with_an_old_state_the_operators_word_is_not_taken(void **state)
{
	struct hf_bus *bus;
	char text[300];
	unsigned reached = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		if (some_are_back_with_an_old_state(4, seed)) {
			reached++;
			bus = band.nodes[0].bus;
			assert_int_equal(bus->ops->peer_down(bus, text, sizeof(text)), -EBUSY);
			assert_non_null(strstr(text, "controller 3 is not down"));
			for (unsigned i = 0; i < 4; i++)
				band_until(band.nodes[i].view.members == 0x1e);
			band_until_state(2, HF_VIEW_TOGETHER);
			assert_int_equal(band.nodes[2].outs, 1);
		}
		band_tear_down();
	}
	assert_true(reached > 0);
}

/* Of 3 and 4 one leaves and is back at once, a moment before the other one leaves: asked what it
 * has, that one may not say "nothing", for something of it is in flight. */
static void who_has_fallen_and_not_left_does_not_say_that_it_has_no_state(void **state)
{
	unsigned reached = 0;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		if (some_are_back_with_an_old_state(5, seed)) {
			struct band_node *slow = &band.nodes[2 + seed % 2];
			uint64_t until = hf_loop_now_ns(band.loop) + 1000000000ull;

			reached++;
			slow->keep_clean = true;
			while (hf_loop_now_ns(band.loop) < until) {
				assert_int_equal(band.nodes[0].view.state, HF_VIEW_FROZEN);
				if (!band_step())
					band_pass_ms(1);
			}
			slow->bus->ops->clean(slow->bus);
			for (unsigned i = 0; i < 5; i++)
				band_until(band.nodes[i].view.members == 0x3e);
			for (unsigned i = 0; i < 5; i++)
				band_until_state(i, HF_VIEW_TOGETHER);
		}
		band_tear_down();
	}
	assert_true(reached > 0);
}

/* --- a coordinator that stands still between two steps (W14) --- */

static struct hf_view_record record(void)
{
	struct hf_view_record r = {0};

	assert_int_equal(hf_view_record_decode(band.record.bytes, (size_t)band.record.len, &r), 0);
	return r;
}

/* Controller 1, which is the first to plan, waits for its disk as its machine stops; 2 and 3 go on,
 * and have a reservation. */
static void the_others_go_on_without_the_first(void)
{
	band.nodes[0].deaf = true;
	band_cut_off(0);
	for (unsigned i = 1; i < 3; i++)
		band_until(band.nodes[i].view.members == 0xc);
	assert_true(band_do(1, 1, RESERVE, 7));
	assert_int_equal(record().members, 0xc);
}

static void the_first_joins_the_others(void)
{
	band.nodes[0].deaf = false;
	band_heal();
	for (unsigned i = 0; i < 3; i++)
		band_until(band.nodes[i].view.members == 0xe);
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].devs[1].holder, 7);
	assert_true(band_do(0, 1, RELEASE, 7));
}

static void w14_who_stood_still_as_it_loaded_writes_no_record(void **state)
{
	struct hf_view_record before;

	band_set_up(3, 5);
	for (unsigned i = 0; i < 3; i++)
		band_start(i);
	band.nodes[0].keep_load = true;
	band_until(band.nodes[0].load_due);
	the_others_go_on_without_the_first();
	before = record();
	band_end_load(0);
	steps(5000);
	assert_int_equal(record().epoch, before.epoch);
	assert_int_equal(record().members, before.members);
	the_first_joins_the_others();
	band_tear_down();
}

static void w14_who_stood_still_before_it_read_the_record_hears_first_what_has_become_of_it(
	void **state)
{
	struct hf_view_record before;

	band_set_up(3, 5);
	for (unsigned i = 0; i < 3; i++)
		band_start(i);
	band.nodes[0].keep_record_read = true;
	band_until(band.nodes[0].record_io_due);
	the_others_go_on_without_the_first();
	before = record();
	band.nodes[0].keep_record_read = false;
	band_end_record_io(0);
	steps(5000);
	assert_int_equal(band.loads, 1);
	assert_int_equal(record().epoch, before.epoch);
	assert_int_equal(record().members, before.members);
	the_first_joins_the_others();
	assert_int_equal(band.loads, 1);
	band_tear_down();
}

/* Nor does a load that ends when it is a newcomer already mean anything. */
static void w14_a_load_that_ends_after_the_copy_has_begun_is_void(void **state)
{
	band_set_up(3, 5);
	for (unsigned i = 0; i < 3; i++)
		band_start(i);
	band.nodes[0].keep_load = true;
	band_until(band.nodes[0].load_due);
	the_others_go_on_without_the_first();
	band.nodes[0].deaf = false;
	band_heal();
	band_until(band.nodes[0].devs[1].holder == 7);
	band_end_load(0);
	the_first_joins_the_others();
	assert_int_equal(band.loads, 2);
	band_tear_down();
}

/* A record that names controller 2 in an epoch that it never heard of, for 1 died as it had written
 * it: there is nothing to hear. */
static void who_has_written_the_record_and_died_is_not_waited_for_for_ever(void **state)
{
	band_set_up(3, 5);
	band_start(0);
	band_until_state(0, HF_VIEW_ALONE);
	band.nodes[0].keep_record_write = true;
	band_start(1);
	band_until(band.nodes[0].record_io_due);
	assert_int_equal(record().members, 6);
	band_kill(0);
	band_settle();
	band_start(0);
	steps(5000);
	assert_int_equal(band.loads, 1);
	for (unsigned i = 0; i < 2; i++)
		band_until(band.nodes[i].view.members == 6);
	assert_int_equal(band.loads, 2);
	band_tear_down();
}

/* What hosts of the others see of its ports. */
static void who_takes_a_copy_is_shown_as_joining(void **state)
{
	const struct hf_view *v = &band.nodes[0].view;
	bool seen = false;

	band_kill(2);
	band_until_state(0, HF_VIEW_FROZEN);
	band_start(2);
	while (band.nodes[2].view.state != HF_VIEW_TOGETHER) {
		steps(1);
		seen |= v->joining == 1u << 3;
		assert_false(v->joining & v->members);
	}
	band_until(v->members == 14);
	assert_true(seen);
	assert_int_equal(v->joining, 0);
}

/* Its SPC-2 reservations end with what it was (E.8), however fast it is back. */
static void who_restarts_while_fences_are_looked_for_is_shown_as_gone(void **state)
{
	bool seen = false;

	band.nodes[0].keep_check = band.nodes[1].keep_check = true;
	band_kill(2);
	band_start(2);
	steps(3000);
	for (unsigned i = 0; i < 2; i++)
		band.nodes[i].bus->ops->checked(band.nodes[i].bus);
	while (band.nodes[2].view.state != HF_VIEW_TOGETHER) {
		steps(1);
		seen |= !(band.nodes[0].view.members & 1u << 3);
	}
	assert_true(seen);
	assert_int_equal(band.nodes[0].view.members, 0xe);
}

/*
 * The lease of who has lost quorum: the record may name it in an epoch whose plan never reached it
 * (W21), and the others wait for it to give up in that one.
 */
static void who_is_cut_off_gives_up_for_the_record_it_did_not_hear_of(void **state)
{
	for (unsigned seed = 1; seed <= 400; seed++) {
		band_set_up(3, seed);
		band.fence = band.gives_up = band.lossy = band.fence_fails = true;
		band.no_check = true;
		band_together();
		band_cut_off(2);
		band_until_state(2, HF_VIEW_OUT);
		band_pass_ms(200);
		band_heal();
		steps(1 + (unsigned)band_random(120));
		band.nodes[0].fences = 0;
		band_cut_off(2);
		band_until_state(2, HF_VIEW_OUT);
		steps(3000);
		if (band.nodes[2].view.state == HF_VIEW_OUT && band.nodes[0].fences)
			assert_true(band.nodes[2].view.epoch >= band.nodes[0].fence_epoch);
		band_tear_down();
	}
}

/* --- ranges --- */

struct range_req {
	struct hf_bus_range range;
	bool done;
	int result;
};

static void granted(struct hf_bus_range *r, int result)
{
	struct range_req *q = hf_container_of(r, struct range_req, range);

	q->done = true;
	q->result = result;
}

static void acquire(struct range_req *q, unsigned index, uint64_t lba)
{
	memset(q, 0, sizeof(*q));
	q->range = (struct hf_bus_range){.dev = 1, .lba = lba, .blocks = 4, .granted = granted};
	hf_bus_range_acquire(band.nodes[index].bus, &q->range);
}

static void a_range_is_one_controllers_at_a_time(void **state)
{
	struct range_req a, b, far;

	acquire(&a, 0, 10);
	acquire(&b, 1, 12);
	acquire(&far, 2, 100);
	band_until(far.done && (a.done || b.done));
	band_settle();
	assert_int_equal(far.result, 0);
	assert_true(a.done != b.done);
	hf_bus_range_release(band.nodes[a.done ? 0 : 1].bus, a.done ? &a.range : &b.range);
	band_until(a.done && b.done);
	assert_int_equal(a.result, 0);
	assert_int_equal(b.result, 0);
}

static void a_range_in_use_outlives_a_cut(void **state)
{
	struct range_req a, b;

	acquire(&a, 2, 10);
	band_until(a.done);
	band_cut_off(2);
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_FROZEN);
	assert_int_equal(band.nodes[0].ranges_len, 1);
	acquire(&b, 0, 12);
	band_until(b.done);
	assert_int_equal(b.result, -ENOTCONN);
	band_heal();
	band_until_state(0, HF_VIEW_TOGETHER);
	acquire(&b, 0, 12);
	band_settle();
	assert_false(b.done);
	hf_bus_range_release(band.nodes[2].bus, &a.range);
	band_until(b.done);
	assert_int_equal(b.result, 0);
	hf_bus_range_release(band.nodes[0].bus, &b.range);
	band_settle();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].ranges_len, 0);
}

static void a_range_of_a_dead_controller_ends_with_it(void **state)
{
	struct range_req a, b;

	acquire(&a, 2, 10);
	band_until(a.done);
	band_kill(2);
	band_start(2);
	band_until(
		band.nodes[2].view.members == 0xe && band.nodes[2].view.state == HF_VIEW_TOGETHER);
	acquire(&b, 0, 12);
	band_until(b.done);
	assert_int_equal(b.result, 0);
}

static void a_deleted_device_answers_who_waits_for_a_range(void **state)
{
	struct range_req a, waits;

	acquire(&a, 1, 10);
	band_until(a.done);
	assert_int_equal(a.result, 0);
	acquire(&waits, 0, 12);
	band_settle();
	assert_false(waits.done);
	for (unsigned i = 0; i < 3; i++)
		band.nodes[i].bus->ops->dev_remove(band.nodes[i].bus, 1);
	assert_true(waits.done);
	assert_int_equal(waits.result, -ENOTCONN);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(band.nodes[i].ranges_len, 0);
	hf_bus_range_release(band.nodes[1].bus, &a.range);
	acquire(&waits, 0, 12);
	band_until(waits.done);
	assert_int_equal(waits.result, -ENOTCONN);
}

static void sixteen_agree(void **state)
{
	band_set_up(16, 5);
	band_together();
	for (unsigned i = 0; i < 16; i++) {
		assert_true(band_do(i, 1, RESERVE, (uint8_t)(i + 1)));
		assert_true(band_do(15 - i, 1, RELEASE, (uint8_t)(i + 1)));
	}
	band_tear_down();
}

/* It has said that it leaves, holds an op, and stands still; as it wakes, it says no. */
static void w19_a_no_of_who_has_left_is_none(void **state)
{
	unsigned tried = 0;

	for (unsigned seed = 1; seed <= 60; seed++) {
		struct band_node *o = band.nodes;
		struct band_cmd c;

		band_set_up(3, seed);
		band_together();
		o[2].keep_drain = true;
		o[2].bus->ops->leave(o[2].bus, left, &o[2]);
		band_propose(&c, 0, 1, RESERVE | BAND_PERSIST, 7);
		band_until((o[2].devs[1].held && !o[2].out.len) || c.answered || o[2].left);
		o[2].deaf = o[2].devs[1].held && !o[2].left;
		tried += o[2].deaf;
		band_until(c.answered || (o[0].view.members == 6 && o[0].devs[1].persist_due));
		if (!c.answered) {
			o[0].deaf = true; /* the record takes its time */
			band_pass_ms(1100);
			o[0].deaf = o[2].deaf = false;
		}
		band_until(c.answered);
		band_settle();
		assert_int_equal(band.slots[1].n, o[0].devs[1].n);
		assert_int_equal(o[0].devs[1].n, o[1].devs[1].n);
		band_tear_down();
	}
	assert_true(tried > 0);
}

/* Controller 2 hears of quorum late, and for that long 3, which has joined, is no peer to it. */
static void a_no_of_who_has_joined_counts_where_it_is_no_peer_yet(void **state)
{
	for (unsigned seed = 1; seed <= 10; seed++) {
		struct band_node *o = band.nodes;
		struct band_cmd a, c;

		band_set_up(3, seed);
		band_together();
		band_cut_off(2);
		band_kill(2);
		band_until_state(1, HF_VIEW_FROZEN);
		band_owe(&a, 0, 1, RESERVE, 3);
		band_start(2);
		band_heal();
		o[1].quorum_due = false;
		band_until(a.answered);
		band_until_state(2, HF_VIEW_TOGETHER);
		assert_true(o[1].devs[1].n < o[0].devs[1].n);
		o[2].fail_drain = true;
		band_propose(&c, 0, 1, RELEASE, 3);
		a_second_passes();
		o[1].quorum_due = true;
		band_until(c.answered);
		o[2].fail_drain = false;
		assert_true(band_do(2, 1, RELEASE, 3));
		band_tear_down();
	}
}

static void a_ring(unsigned len)
{
	struct hf_group_ring r = {1, band.ring_seq += 2};

	for (unsigned i = 0; i < len; i++) {
		band.nodes[i].ring = r;
		band.nodes[i].told_ring = r.seq;
		band.nodes[i].quorum_due = true;
		hf_group_ring(band.nodes[i].bus, r);
	}
}

/* The machine that the agent resets is back in the ring before the agent has ended. */
static void a_new_ring_alone_ends_no_fence(void **state)
{
	for (unsigned quiet = 0; quiet < 2; quiet++) {
		band_set_up(4, 5);
		band.fence = band.fence_spares = true;
		band.silence_ms = quiet ? 5000 : 0;
		band_together();
		band.fence_hangs = !quiet;
		band_kill(3);
		band_until(band.nodes[0].fences == 1 && (!quiet || !band.nodes[0].fence_due));
		for (unsigned i = 0; i < 3; i++) {
			a_ring(3);
			a_second_passes();
		}
		assert_int_equal(band.nodes[0].fences, 1);
		assert_int_equal(band.nodes[0].view.state, HF_VIEW_RACING);
		band.fence_hangs = false;
		band_until(band.nodes[0].view.members == 0xe);
		assert_int_equal(band.nodes[0].fences, 1);
		band_tear_down();
	}
}

/* All wait for what the writer has to tell. It is missing instead, and the word can be said of it.
 */
static void who_cannot_end_its_write_of_the_record_leaves(void **state)
{
	struct band_node *o = band.nodes;
	char text[300];

	band.no_check = true; /* the word about 1 is untrue */
	band_cut_off(0);
	band_until_state(1, HF_VIEW_FROZEN);
	o[1].keep_record_write = o[1].late_record_write = true;
	assert_int_equal(o[1].bus->ops->peer_down(o[1].bus, text, sizeof(text)), 0);
	band_until(o[1].record_io_due && o[1].record_io_writes);
	o[1].keep_clean = true;
	band_heal();
	for (unsigned i = 0; i < 5; i++)
		a_second_passes();
	assert_int_equal(o[1].view.state, HF_VIEW_OUT);
	assert_int_equal(o[0].view.missing, 4);
	assert_int_equal(o[0].bus->ops->peer_down(o[0].bus, text, sizeof(text)), 0);
	band_until(o[0].view.members == 0xa);
	band_until_state(2, HF_VIEW_TOGETHER);
	band_kill(1); /* the word was true */
}

/* It writes the record with 2, and 3 starts: nobody else has the state. */
static void inv6_the_only_one_with_a_state_waits_for_its_write_of_the_record(void **state)
{
	struct band_node *o = band.nodes;

	band_set_up(3, 5);
	band.quorum = 1;
	band_start(0);
	band_until_state(0, HF_VIEW_ALONE);
	assert_true(band_do(0, 1, RESERVE, 7));
	o[0].keep_record_write = o[0].late_record_write = true;
	band_start(1);
	band_until(o[0].record_io_due && o[0].record_io_writes);
	band_start(2);
	for (unsigned i = 0; i < 5; i++)
		a_second_passes();
	assert_int_equal(o[0].outs, 0);
	o[0].keep_record_write = o[0].late_record_write = false;
	band_end_record_io(0);
	for (unsigned i = 0; i < 3; i++)
		band_until(o[i].view.members == 0xe);
	band_until_state(2, HF_VIEW_TOGETHER);
	assert_int_equal(o[2].devs[1].holder, 7);
	assert_int_equal(band.loads, 1);
	band_tear_down();
}

/* The group has waited for long; the write has just begun as a ring comes. */
static void a_write_that_has_just_begun_is_waited_for(void **state)
{
	struct band_node *o = band.nodes;
	char text[300];

	for (unsigned i = 0; i < 3; i++)
		band_kill(i);
	band_settle();
	for (unsigned i = 0; i < 2; i++)
		band_start(i);
	for (unsigned i = 0; i < 20; i++)
		a_second_passes();
	o[0].keep_record_write = true;
	assert_int_equal(o[0].bus->ops->go_alone(o[0].bus, false, text, sizeof(text)), 0);
	band_until(o[0].record_io_due && o[0].record_io_writes);
	a_ring(2);
	for (unsigned i = 0; i < 40; i++)
		if (!band_step())
			band_pass_ms(10);
	assert_int_equal(o[0].outs, 0);
	o[0].keep_record_write = false;
	band_end_record_io(0);
	band_until(o[1].view.members == 6);
}

/* Controller 1 alone has heard the plan of the epoch in which it serves again; of the one before it
 * has said that nothing is in flight. */
static void a_lease_given_up_in_the_epoch_before_is_no_fence(void **state)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct band_node *o = band.nodes;
		uint64_t before;

		band_set_up(3, seed);
		band.fence = band.gives_up = band.fence_fails = true;
		band.lossy = band.lease_rules = true;
		band_together();
		band_cut_off(0);
		band_until_state(0, HF_VIEW_OUT);
		band_settle();
		before = epoch_on_disk();
		band_heal();
		band_until(epoch_on_disk() > before);
		o[1].deaf = o[2].deaf = true;
		band_until_state(0, HF_VIEW_TOGETHER);
		assert_true(o[0].view.epoch == before + 1);
		assert_true(o[0].gave_up == before);
		o[0].deaf = true; /* it stands still, with commands on their way */
		band_cut_off(0);
		o[1].deaf = o[2].deaf = band.fence_fails = false;
		for (unsigned i = 0; i < 400; i++)
			if (!band_step())
				band_pass_ms(10);
		assert_int_not_equal(o[1].view.state, HF_VIEW_TOGETHER);
		o[0].deaf = false; /* it hears of the cut, and gives up this one, too */
		band_until_state(1, HF_VIEW_TOGETHER);
		band_tear_down();
	}
}

/* A record without controller 1 is on its way to slow disks as that one comes back. */
static void who_writes_the_record_says_what_it_has_when_that_is_over(void **state)
{
	struct band_node *o = band.nodes;
	struct hf_view_record r;

	band.fence_spares = true;
	o[1].keep_record_write = o[1].late_record_write = true;
	band_cut_off(0);
	band_until(o[1].record_io_due && o[1].record_io_writes);
	band_heal();
	for (unsigned i = 0; i < 300; i++)
		if (!band_step())
			band_pass_ms(10);
	o[1].keep_record_write = false;
	band_end_record_io(1); /* now it lands */
	o[1].late_record_write = false;
	for (unsigned i = 0; i < 3; i++)
		band_until(o[i].view.members == 0xe);
	for (unsigned i = 0; i < 3; i++)
		band_until_state(i, HF_VIEW_TOGETHER);
	r = record();
	assert_int_equal(r.members, 0xe);
	assert_true(r.epoch == o[0].view.epoch);
}

/* Corosync has lost the change of members: a new ring is a new generation. */
static void who_was_away_and_nobody_is_told(void **state)
{
	for (unsigned index = 0; index < 3; index++) {
		struct band_cmd c[3];

		band_set_up(3, 5 + index);
		band_together();
		for (unsigned i = 0; i < 3; i++)
			band_propose(&c[i], i, 1 + i % 2, RESERVE, (uint8_t)(7 + i));
		for (unsigned i = 0; i < 7; i++)
			band_step();
		band_flap(index);
		band_until(c[0].answered && c[1].answered && c[2].answered);
		for (unsigned i = 0; i < 3; i++)
			band_until_state(i, HF_VIEW_TOGETHER);
		band_settle();
		assert_true(band_do(0, 1, RELEASE, band.nodes[0].devs[1].holder));
		assert_true(band_do(index, 1, RESERVE, 5));
		band_tear_down();
	}
}

static void two_need_both_votes(void **state)
{
	band_set_up(2, 5);
	band_together();
	assert_true(band_do(0, 1, RESERVE, 7));
	band_cut_off(1);
	band_until_state(0, HF_VIEW_FROZEN);
	band_until_state(1, HF_VIEW_FROZEN);
	band_heal();
	band_until_state(1, HF_VIEW_TOGETHER);
	assert_true(band_do(1, 1, RELEASE, 7));
	band_tear_down();
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, three, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(r1_r2_r3_a_reservation_holds_on_all),
		STORY(r4_of_many_that_race_one_wins),
		STORY(who_is_to_get_a_device_and_misses_an_op_of_it_copies_anew),
		STORY(who_joins_and_misses_the_cut_of_a_device_joins_anew),
		cmocka_unit_test(who_misses_the_cut_of_a_device_for_another_copies_anew),
		STORY(inv9_a_device_that_goes_while_its_cut_is_out_keeps_no_newcomer_waiting),
		STORY(inv9_a_device_that_stops_while_its_cut_is_out_keeps_no_newcomer_waiting),
		STORY(r5_a_refusal_from_the_own_table_sends_nothing),
		STORY(inv3_good_waits_for_the_drain_of_the_last),
		STORY(w3_what_cannot_be_drained_fails_and_is_held_nowhere),
		STORY(w15_a_record_that_cannot_be_written_cancels),
		STORY(frozen_nothing_changes_and_the_heal_goes_on),
		STORY(w21_delivered_here_is_not_agreed),
		STORY(w22_no_settling_before_quorum_has_spoken),
		STORY(w20_the_dead_comes_back_and_copies),
		STORY(an_op_of_a_dead_controller_goes_forward),
		STORY(the_operators_word_unfreezes),
		STORY(w8_whom_the_record_does_not_name_starts_anew),
		STORY(w8_a_record_that_cannot_be_read_may_be_newer),
		cmocka_unit_test(of_who_is_back_with_an_old_state_the_operators_word_is_not_taken),
		cmocka_unit_test(who_has_fallen_and_not_left_does_not_say_that_it_has_no_state),
		STORY(who_takes_a_copy_is_shown_as_joining),
		STORY(who_restarts_while_fences_are_looked_for_is_shown_as_gone),
		cmocka_unit_test(who_is_cut_off_gives_up_for_the_record_it_did_not_hear_of),
		cmocka_unit_test(who_gives_up_for_a_plan_on_its_way_joins_anew),
		STORY(s9_all_memory_lost_the_disks_are_read),
		STORY(w19_one_leaves_and_nobody_freezes),
		STORY(w19_who_leaves_says_so_when_what_waits_behind_others_is_answered),
		STORY(w19_who_has_said_that_it_leaves_proposes_nothing_any_more),
		STORY(w19_who_is_the_last_does_what_is_owed_before_it_leaves),
		cmocka_unit_test(w19_who_has_left_is_not_let_in_again),
		cmocka_unit_test(w19_who_is_told_to_leave_as_it_comes_in_says_that_it_leaves),
		STORY(w18_the_one_that_differs_takes_the_state_anew),
		STORY(w18_without_a_majority_the_device_stops),
		STORY(s6_what_waits_for_a_device_that_is_deleted_is_answered_when_out_too),
		STORY(w18_who_finds_that_the_op_changes_nothing_says_what_it_has),
		STORY(w18_where_the_op_changes_something_at_one_only_that_one_falls_out),
		STORY(w18_without_a_majority_it_stops_where_the_op_changes_nothing_too),
		STORY(w18_an_op_that_is_dropped_is_dropped_where_it_changes_nothing_too),
		STORY(w18_who_joins_finds_it_stopped_and_who_is_alone_is_picked),
		STORY(w18_a_pick_whose_record_is_not_written_in_time_has_failed),
		STORY(w18_what_was_owed_when_it_stopped_is_asked_when_it_goes_on),
		STORY(w18_who_has_no_state_cannot_be_picked_when_it_is_alone),
		cmocka_unit_test_setup_teardown(
			the_quorate_part_fences_and_goes_on, three_that_fence, tear_down),
		cmocka_unit_test_setup_teardown(who_has_left_once_has_not_left_when_it_is_fenced,
			three_that_fence, tear_down),
		cmocka_unit_test_setup_teardown(
			a_fence_that_fails_lets_nobody_go_on, three_that_fence, tear_down),
		cmocka_unit_test_setup_teardown(
			whoever_comes_back_in_time_is_not_fenced, three_that_fence, tear_down),
		cmocka_unit_test_setup_teardown(who_fences_says_what_it_remembers_when_that_is_over,
			three_that_fence, tear_down),
		cmocka_unit_test_setup_teardown(what_a_fence_that_failed_has_left_is_waited_for,
			three_that_fence, tear_down),
		cmocka_unit_test_setup_teardown(a_newcomer_that_was_hit_on_its_way_is_not_let_in,
			three_that_fence, tear_down),
		cmocka_unit_test_setup_teardown(
			a_newcomer_is_seen_to_join_while_it_looks_for_fences, three_that_fence,
			tear_down),
		cmocka_unit_test_setup_teardown(
			another_takes_over_when_who_fences_dies, three_that_fence, tear_down),
		STORY(who_is_too_far_behind_leaves_and_takes_the_state_anew),
		cmocka_unit_test_setup_teardown(
			inv5_who_hears_nothing_answers_nothing_before_the_others_go_on,
			three_with_beats, tear_down),
		cmocka_unit_test_setup_teardown(
			a_bound_shorter_than_what_a_lost_node_costs_is_warned_of, three_with_beats,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_beat_renews_nothing_before_the_check, three_with_beats, tear_down),
		cmocka_unit_test_setup_teardown(
			with_leases_quorum_of_both_halves_is_none, three_with_leases, tear_down),
		cmocka_unit_test_setup_teardown(
			with_agents_quorum_of_both_halves_counts, three_that_fence, tear_down),
		cmocka_unit_test_setup_teardown(who_has_given_up_serves_again_in_a_later_epoch,
			three_with_leases, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_given_up_for_an_epoch_that_it_serves_in,
			three_with_leases, tear_down),
		cmocka_unit_test_setup_teardown(
			quorum_that_comes_back_by_itself_is_another_generation, three_with_leases,
			tear_down),
		cmocka_unit_test(a_lease_given_up_in_the_epoch_before_is_no_fence),
		cmocka_unit_test_setup_teardown(
			who_writes_the_record_says_what_it_has_when_that_is_over, three_with_leases,
			tear_down),
		cmocka_unit_test(w19_a_no_of_who_has_left_is_none),
		cmocka_unit_test(a_no_of_who_has_joined_counts_where_it_is_no_peer_yet),
		cmocka_unit_test(a_new_ring_alone_ends_no_fence),
		STORY(who_cannot_end_its_write_of_the_record_leaves),
		cmocka_unit_test(inv6_the_only_one_with_a_state_waits_for_its_write_of_the_record),
		STORY(a_write_that_has_just_begun_is_waited_for),
		cmocka_unit_test(who_was_away_and_nobody_is_told),
		STORY(a_range_is_one_controllers_at_a_time),
		STORY(a_range_in_use_outlives_a_cut),
		STORY(a_range_of_a_dead_controller_ends_with_it),
		STORY(a_deleted_device_answers_who_waits_for_a_range),
		cmocka_unit_test(w14_who_stood_still_as_it_loaded_writes_no_record),
		cmocka_unit_test(
			w14_who_stood_still_before_it_read_the_record_hears_first_what_has_become_of_it),
		cmocka_unit_test(w14_a_load_that_ends_after_the_copy_has_begun_is_void),
		cmocka_unit_test(who_has_written_the_record_and_died_is_not_waited_for_for_ever),
		cmocka_unit_test(at_the_start_it_waits_for_the_voting_disks_to_be_mended),
		cmocka_unit_test(w22_alone_without_quorum_nothing_starts),
		cmocka_unit_test(sixteen_agree),
		cmocka_unit_test(two_need_both_votes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
