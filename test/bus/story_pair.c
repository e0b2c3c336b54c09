/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Conversations of the pair protocol with the link up: R1 to R6, and what bit others (W1 .. W18,
 * S1, S2 of the pitfalls). A is dominant.
 */
#include "story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int begin(void **state)
{
	static struct story w;

	story_begin(&w);
	*state = &w;
	return 0;
}

static int end(void **state)
{
	story_end(*state);
	return 0;
}

static void r1_r2_request_is_carried_over_and_executed_there(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_expect(w, "A: hold 1 reserve X\n"
			"A -> B: ask 1\n");
	story_deliver(w, B);
	story_expect(w, "B: hold 1 reserve X\n");
	story_drained(w, B, 0);
	story_expect(w, "B -> A: held 1\n");
	story_deliver(w, A);
	story_expect(w, ""); /* its own drain is not done */
	story_drained(w, A, 0);
	story_expect(w, "A: apply 1\n"
			"A -> B: settled 1\n"
			"A: X is told GOOD\n");
	story_deliver(w, B);
	story_expect(w, "B: apply 1\n");
	story_expect_holders(w, 'X', 'X');
	assert_true(story_is_quiet(w));
}

static void r3_reserved_at_the_peer_is_found_by_the_local_look(void **state)
{
	struct story *w = *state;

	story_host(w, B, "reserve Y");
	story_run(w);
	story_expect_holders(w, 'Y', 'Y');
	w->told = strlen(w->text);
	story_host(w, A, "reserve X");
	story_expect(w, "A: X is told CONFLICT\n");
}

static void r3_peer_with_a_claim_of_its_own_answers_refused(void **state)
{
	struct story *w = *state;

	story_host(w, B, "reserve Y");
	story_host(w, A, "reserve X");
	w->told = strlen(w->text);
	story_deliver(w, B);
	story_expect(w, "B -> A: refused 1\n");
}

static void r4_subordinate_aborts_and_dominant_asks_again(void **state)
{
	struct story *w = *state;

	story_host(w, B, "reserve Y");
	story_host(w, A, "reserve X");
	story_expect(w, "B: hold 1 reserve Y\n"
			"B -> A: ask 1\n"
			"A: hold 1 reserve X\n"
			"A -> B: ask 1\n");
	story_deliver(w, A);
	story_deliver(w, B);
	story_expect(w, "A -> B: refused 1\n"
			"B -> A: refused 1\n");
	story_deliver(w, B);
	story_expect(w, "B: drop 1\n" /* and claims nothing until A has moved */
			"B -> A: pass 0\n");
	story_deliver(w, A);
	story_expect(w, ""); /* delays */
	story_deliver(w, A);
	story_expect(w, "A -> B: ask 1\n");
	story_deliver(w, B);
	story_drained(w, B, 0);
	story_expect(w, "B: hold 1 reserve X\n"
			"B -> A: held 1, I have ops too\n");
	story_drained(w, A, 0);
	story_deliver(w, A);
	story_expect(w, "A: apply 1\n"
			"A -> B: settled 1, your turn\n"
			"A: X is told GOOD\n");
	story_deliver(w, B);
	story_expect(w, "B: apply 1\n"
			"B: Y is told CONFLICT\n"
			"B -> A: pass 1\n");
	story_deliver(w, A);
	story_expect_holders(w, 'X', 'X');
	assert_true(story_is_quiet(w));
}

static void r4_dominant_asks_again_by_itself_when_the_moment_has_passed(void **state)
{
	struct story *w = *state;

	story_host(w, B, "reserve Y");
	story_host(w, A, "reserve X");
	story_deliver(w, A);
	story_deliver(w, B);
	story_deliver(w, A); /* refused; the subordinate has not heard yet */
	w->told = strlen(w->text);
	story_pass_ms(w, 2);
	story_expect(w, "A -> B: ask 1\n");
	story_deliver(w, B); /* refused */
	story_deliver(w, B); /* ask */
	story_expect(w, "B: drop 1\n"
			"B -> A: pass 0\n"
			"B: hold 1 reserve X\n");
	story_deliver(w, A); /* the pass is too late to matter */
	story_expect(w, "");
	story_run(w);
	story_expect_holders(w, 'X', 'X');
	assert_true(story_is_quiet(w));
}

static void r4_each_race_has_exactly_one_winner(void **state)
{
	/* Every order in which four events of a race can come first. */
	for (unsigned order = 0; order < 256; order++) {
		struct story w;

		story_begin(&w);
		story_host(&w, A, "reserve X");
		story_host(&w, B, "reserve Y");
		for (unsigned i = 0; i < 4; i++) {
			int at = (int)(order >> (2 * i)) & 1;
			bool drain = order >> (2 * i + 1) & 1;

			if (drain && w.node[at].holding && !w.node[at].dev->drained)
				story_drained(&w, at, 0);
			else if (w.node[at].inbox_len)
				story_deliver(&w, at);
		}
		story_run(&w);
		assert_true(story_is_quiet(&w));
		assert_int_equal(w.node[A].holder, w.node[B].holder);
		story_expect_answers(&w, A, w.node[A].holder == 'X' ? "X GOOD" : "X CONFLICT");
		story_expect_answers(&w, B, w.node[A].holder == 'Y' ? "Y GOOD" : "Y CONFLICT");
		story_end(&w);
	}
}

static void r5_reserved_here_is_refused_without_bus_traffic(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_run(w);
	w->told = strlen(w->text);
	story_host(w, A, "reserve Z");
	story_expect(w, "A: Z is told CONFLICT\n");
	story_host(w, B, "reserve Y");
	story_expect(w, "B: Y is told CONFLICT\n");
	story_host(w, A, "reserve X"); /* a repeat changes nothing */
	story_expect(w, "A: X is told GOOD\n");
}

static void r5_holds_within_itself_before_it_asks(void **state)
{
	struct story *w = *state;

	story_host(w, B, "reserve Y");
	story_expect(w, "B: hold 1 reserve Y\n"
			"B -> A: ask 1\n");
}

static void r6_release_goes_the_same_way(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_run(w);
	w->told = strlen(w->text);
	story_host(w, A, "release X");
	story_deliver(w, B);
	story_drained(w, B, 0);
	story_deliver(w, A);
	story_drained(w, A, 0);
	story_deliver(w, B);
	story_expect(w, "A: hold 2 release X\n"
			"A -> B: ask 2\n"
			"B: hold 2 release X\n"
			"B -> A: held 2\n"
			"A: apply 2\n"
			"A -> B: settled 2\n"
			"A: X is told GOOD\n"
			"B: apply 2\n");
	story_expect_holders(w, '-', '-');
	story_host(w, B, "reserve Y");
	story_run(w);
	story_expect_holders(w, 'Y', 'Y');
}

static void w1_the_peer_applies_when_the_first_has(void **state)
{
	struct story *w = *state;

	story_host(w, A, "preempt X");
	story_deliver(w, B);
	story_drained(w, B, 0);
	story_expect_holders(w, '-', '-');
	story_deliver(w, A);
	story_expect_holders(w, '-', '-'); /* A itself is not drained */
	story_drained(w, A, 0);
	story_expect_holders(w, 'X', '-');
	story_deliver(w, B);
	story_expect_holders(w, 'X', 'X');
}

/* Z has heard from X that A said GOOD, and asks B, which `settled` has not reached yet. */
static void w2_nobody_reads_the_past_at_the_peer_that_holds(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_deliver(w, B);
	story_host(w, B, "release Z"); /* changes nothing, before and after */
	story_drained(w, B, 0);
	story_deliver(w, A);
	story_drained(w, A, 0);
	story_expect_answers(w, A, "X GOOD");
	story_host(w, B, "release X"); /* "nothing to release" would be the past */
	story_expect_answers(w, B, "");
	story_deliver(w, B);
	story_run(w);
	story_expect_answers(w, B, "Z GOOD, X GOOD");
	story_expect_holders(w, '-', '-');
}

/* `settled` can only follow `held`, which says that it is drained. */
static void w1_nobody_is_made_to_apply_what_it_has_not_drained(void **state)
{
	struct story *w = *state;

	story_host(w, A, "preempt X");
	story_deliver(w, B);
	story_inject(w, B, HF_PAIR_MSG_SETTLED, 1, NULL);
	assert_int_equal(w->node[B].dev->stop, HF_PAIR_STOP_NUMBER);
	story_expect_holders(w, '-', '-');
}

static void w3_failure_is_told_when_the_peer_has_dropped_the_op(void **state)
{
	struct story *w = *state;

	story_host(w, A, "preempt X");
	story_deliver(w, B);
	story_expect(w, "A: hold 1 preempt X\n"
			"A -> B: ask 1\n"
			"B: hold 1 preempt X\n");
	story_drained(w, A, -EIO);
	story_expect(w, "A -> B: cancel 1\n");
	story_deliver(w, B);
	story_expect(w, "B: drop 1\n"
			"B -> A: cancelled 1\n");
	story_deliver(w, A);
	story_expect(w, "A: drop 1\n"
			"A -> B: pass 0\n"
			"A: X is told FAILED\n");
	story_run(w);
	story_expect_holders(w, '-', '-');
	assert_true(story_is_quiet(w));
}

static void w3_a_peer_that_cannot_drain_says_so(void **state)
{
	struct story *w = *state;

	story_host(w, A, "preempt X");
	story_deliver(w, B);
	w->told = strlen(w->text);
	story_drained(w, B, -EIO);
	story_deliver(w, A);
	story_deliver(w, B);
	story_deliver(w, A);
	story_expect(w, "B -> A: unable 1\n"
			"A -> B: cancel 1\n"
			"B: drop 1\n"
			"B -> A: cancelled 1\n"
			"A: drop 1\n"
			"A -> B: pass 0\n"
			"A: X is told FAILED\n");
}

static void s10_a_drain_beyond_the_bound_is_cancelled(void **state)
{
	struct story *w = *state;

	story_host(w, A, "preempt X");
	story_deliver(w, B);
	story_drained(w, A, 0);
	w->told = strlen(w->text);
	story_pass_ms(w, 2499);
	story_expect(w, "");
	story_pass_ms(w, 1);
	story_expect(w, "A -> B: cancel 1\n");
	story_deliver(w, B);
	story_deliver(w, A);
	story_expect_answers(w, A, "X FAILED");
}

/* What cannot be refused (the end of a session) has nobody to be told of a failure. */
static void s10_what_is_owed_waits_beyond_the_bound(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_run(w);
	story_host(w, A, "owed release X");
	story_deliver(w, B);
	story_drained(w, A, 0);
	w->told = strlen(w->text);
	story_pass_ms(w, 60000);
	story_expect(w, "");
	story_run(w);
	story_expect_holders(w, '-', '-');
	assert_true(story_is_quiet(w));
}

static void w4_a_queued_op_is_looked_at_after_the_pending_one(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_host(w, A, "reserve Z"); /* the state says "free" now */
	story_host(w, B, "reserve Y"); /* and here too: B asks in turn */
	story_run(w);
	story_expect_answers(w, A, "X GOOD, Z CONFLICT");
	story_expect_answers(w, B, "Y CONFLICT");
	story_expect_holders(w, 'X', 'X');
}

static void w4_the_peer_queues_its_own_op_behind_the_one_it_holds(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_deliver(w, B);
	w->told = strlen(w->text);
	story_host(w, B, "reserve Y");
	story_expect(w, "");
	story_run(w);
	story_expect_answers(w, B, "Y CONFLICT");
}

static void w15_the_record_is_written_after_held_and_before_apply(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X!");
	story_deliver(w, B);
	story_drained(w, B, 0);
	story_drained(w, A, 0);
	w->told = strlen(w->text);
	story_deliver(w, A);
	story_expect(w, "A: write 1\n");
	story_written(w, A, 0);
	story_expect(w, "A: apply 1\n"
			"A -> B: settled 1\n"
			"A: X is told GOOD\n");
}

static void w15_a_record_that_fails_cancels(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X!");
	story_deliver(w, B);
	story_drained(w, B, 0);
	story_drained(w, A, 0);
	story_deliver(w, A);
	w->told = strlen(w->text);
	story_written(w, A, -EIO);
	story_expect(w, "A -> B: cancel 1\n");
	story_run(w);
	story_expect_answers(w, A, "X FAILED");
	story_expect_holders(w, '-', '-');
}

static void w15_a_record_in_doubt_is_written_until_it_is_out(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X!");
	story_deliver(w, B);
	story_drained(w, B, 0);
	story_drained(w, A, 0);
	story_deliver(w, A);
	w->told = strlen(w->text);
	story_written(w, A, -EINPROGRESS);
	story_pass_ms(w, 3500);
	story_expect(w, "A: write 1\n"
			"A: X is cut off\n");
	/* What this failure has put back may be the new content: no way back from doubt. */
	story_written(w, A, -EIO);
	story_pass_ms(w, 3500);
	story_expect(w, "A: write 1\n");
	story_written(w, A, 0);
	story_run(w);
	story_expect_holders(w, 'X', 'X');
	story_expect_answers(w, A, "X GOOD"); /* reaches nobody */
}

static void s1_an_op_that_meets_the_peers_queues_and_is_not_refused(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_deliver(w, B);
	story_host(w, B, "release Y");
	story_host(w, B, "preempt Y");
	w->told = strlen(w->text);
	story_expect(w, "");
	story_run(w);
	assert_null(strstr(w->text, "refused"));
	story_expect_answers(w, B, "Y GOOD, Y GOOD");
	story_expect_holders(w, 'Y', 'Y');
	assert_true(story_is_quiet(w));
}

/* Number 1 is settled; what speaks of it is about another op than the one that is pending. */
static void s1_the_number_tells_which_op_is_meant(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_run(w);
	story_host(w, B, "preempt Y");
	story_event(w, B, HF_PAIR_DRAINED, 1);
	assert_false(w->node[B].dev->drained);
	story_drained(w, B, 0);
	w->told = strlen(w->text);
	story_inject(w, B, HF_PAIR_MSG_REFUSED, 1, NULL);
	story_inject(w, B, HF_PAIR_MSG_HELD, 1, NULL);
	story_inject(w, B, HF_PAIR_MSG_UNABLE, 1, NULL);
	story_inject(w, B, HF_PAIR_MSG_CANCELLED, 2, NULL); /* nothing has been cancelled */
	story_expect(w, "");
	story_pass_ms(w, 2500);
	story_expect(w, "B -> A: cancel 2\n");
	story_inject(w, B, HF_PAIR_MSG_CANCELLED, 1, NULL);
	story_inject(w, B, HF_PAIR_MSG_REFUSED, 2, NULL);
	story_inject(w, B, HF_PAIR_MSG_HELD, 2, NULL);
	story_expect(w, "");
	story_run(w);
	story_expect_answers(w, B, "Y FAILED");
	assert_true(story_is_quiet(w));
}

static void s2_a_turn_is_always_used(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_host(w, A, "release X");
	story_deliver(w, B);
	story_host(w, B, "reserve Y"); /* will be a conflict: nothing to ask */
	story_drained(w, B, 0);
	story_drained(w, A, 0);
	story_deliver(w, A);
	w->told = strlen(w->text);
	story_deliver(w, B);
	story_expect(w, "B: apply 1\n"
			"B: Y is told CONFLICT\n"
			"B -> A: pass 1\n");
	story_deliver(w, A);
	story_expect(w, "A: hold 2 release X\n"
			"A -> B: ask 2\n");
}

static void s2_under_load_the_sides_take_turns(void **state)
{
	struct story *w = *state;

	for (unsigned i = 0; i < 3; i++) {
		story_host(w, A, "preempt X");
		story_host(w, B, "preempt Y");
	}
	story_run(w);
	assert_true(story_is_quiet(w));
	story_expect_answers(w, A, "X GOOD, X GOOD, X GOOD");
	story_expect_answers(w, B, "Y GOOD, Y GOOD, Y GOOD");
	assert_int_equal(w->node[A].dev->n, 6); /* each of them found the other as holder */
}

static void cancel_that_crosses_refused_leaves_nobody_yielding(void **state)
{
	struct story *w = *state;

	story_host(w, A, "preempt X");
	story_drained(w, A, -EIO); /* A -> B: ask, cancel */
	story_host(w, B, "preempt Y");
	story_deliver(w, A); /* refused is behind the cancel */
	w->told = strlen(w->text);
	story_run(w);
	story_expect_answers(w, A, "X FAILED");
	story_expect_answers(w, B, "Y GOOD");
	assert_true(story_is_quiet(w));
}

static void w18_other_digest_stops_both(void **state)
{
	struct story *w = *state;

	w->node[B].spoilt = 1;
	story_host(w, A, "reserve X");
	w->told = strlen(w->text);
	story_deliver(w, B);
	story_deliver(w, A);
	story_expect(w, "B -> A: stop 0\n"
			"B: stops, the controllers hold different states under the same number\n"
			"A: stops, the controllers hold different states under the same number\n"
			"A: drop 1\n"
			"A: X is told NOT READY\n");
	story_host(w, B, "reserve Y");
	story_expect(w, "B: Y is told NOT READY\n");
}

/* --- the operator's pick of a stopped device (W18) --- */

static void both_stop(struct story *w)
{
	w->node[B].spoilt = 1;
	story_host(w, A, "reserve X");
	story_deliver(w, B);
	story_deliver(w, A);
	story_expect_answers(w, A, "X NOT READY");
	w->told = strlen(w->text);
}

/* A is picked, B has dropped its state, and A writes its own. */
static void a_is_picked(struct story *w)
{
	story_event(w, A, HF_PAIR_PICK, 0);
	story_deliver(w, B);
	story_pick_done(w, B, 0);
	story_deliver(w, A);
}

/* What the engine does with a snapshot of A. */
static void b_takes(struct story *w)
{
	w->node[B].spoilt = 0;
	w->node[B].holder = w->node[A].holder;
	story_event(w, B, HF_PAIR_INSTALLED, w->node[A].dev->n);
}

static void both_go_on(struct story *w)
{
	story_host(w, B, "reserve Y");
	story_run(w);
	story_expect_holders(w, 'Y', 'Y');
}

static void w18_who_is_picked_goes_on_when_the_other_has_dropped_its_state(void **state)
{
	struct story *w = *state;

	both_stop(w);
	story_event(w, A, HF_PAIR_PICK, 0);
	story_deliver(w, B);
	story_expect(w, "A -> B: pick 0\n"
			"B: ends what is out\n");
	story_pick_done(w, B, 0);
	story_deliver(w, A);
	story_expect(w, "B -> A: picked 0\n"
			"A: writes its record\n");
	story_pick_done(w, A, 0);
	story_host(w, A, "reserve Z"); /* not before the other has it */
	story_expect(w, "A: snapshot 0\n"
			"A: Z is told NOT READY\n");
	b_takes(w);
	story_deliver(w, A);
	story_expect(w, "B -> A: settled 0\n"
			"B: goes on\n"
			"A: pick done\n"
			"A: goes on\n");
	both_go_on(w);
}

/* Nobody would ask for it again: the reservation of a login that is gone would stand for ever. */
static void w18_what_was_owed_when_it_stopped_is_asked_when_it_goes_on(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_run(w);
	w->node[B].spoilt = 1;
	story_host(w, A, "owed release X");
	story_deliver(w, B);
	story_deliver(w, A);
	assert_int_equal(w->node[A].dev->mode, HF_PAIR_STOPPED);
	story_expect_answers(w, A, "X GOOD");
	a_is_picked(w);
	story_pick_done(w, A, 0);
	b_takes(w);
	story_run(w);
	story_expect_answers(w, A, "X GOOD, X GOOD");
	story_expect_holders(w, '-', '-');
	assert_true(story_is_quiet(w));
}

static void w18_picked_at_both_at_once_is_picked_at_none(void **state)
{
	struct story *w = *state;

	both_stop(w);
	story_event(w, A, HF_PAIR_PICK, 0);
	story_event(w, B, HF_PAIR_PICK, 0);
	story_deliver(w, A);
	story_deliver(w, B);
	story_expect(w, "A -> B: pick 0\n"
			"B -> A: pick 0\n"
			"A: pick at both\n"
			"B: pick at both\n");
	story_event(w, A, HF_PAIR_PICK, 0); /* said again, at one */
	story_deliver(w, B);
	story_event(w, B, HF_PAIR_PICK, 0); /* too late */
	story_expect(w, "A -> B: pick 0\n"
			"B: ends what is out\n"
			"B: pick failed\n");
}

/* The link is lost after so many steps: one side at least stays stopped, and at the heal both. */
static void w18_a_pick_that_loses_the_link_is_said_again(void **state)
{
	struct story *w = *state;

	for (unsigned steps = 0; steps <= 5; steps++) {
		story_end(w);
		story_begin(w);
		both_stop(w);
		story_event(w, A, HF_PAIR_PICK, 0);
		if (steps > 0)
			story_deliver(w, B);
		if (steps > 1)
			story_pick_done(w, B, 0);
		if (steps > 2)
			story_deliver(w, A);
		if (steps > 3)
			story_pick_done(w, A, 0);
		if (steps > 4)
			b_takes(w);
		story_cut(w);
		assert_non_null(
			strstr(w->text, steps > 3 ? "A: pick is given, and no more is known\n"
						  : "A: pick cannot be told\n"));
		assert_int_equal(w->node[A].dev->mode, HF_PAIR_STOPPED);
		story_event(w, A, HF_PAIR_PICK, 0); /* in vain */
		story_heal(w);
		while (w->node[A].inbox_len || w->node[B].inbox_len)
			story_deliver(w, w->node[A].inbox_len ? A : B);
		assert_int_equal(w->node[A].dev->mode, HF_PAIR_STOPPED);
		assert_int_equal(w->node[B].dev->mode, HF_PAIR_STOPPED);
		story_event(w, A, HF_PAIR_PICK, 0);
		story_deliver(w, B);
		story_pick_done(w, B, 0);
		story_deliver(w, A);
		story_pick_done(w, A, 0);
		b_takes(w);
		story_deliver(w, A);
		both_go_on(w);
	}
}

static void w18_who_does_not_drop_its_state_in_time_is_told_that_it_stays_stopped(void **state)
{
	struct story *w = *state;

	both_stop(w);
	story_event(w, A, HF_PAIR_PICK, 0);
	story_deliver(w, B);
	story_pass_ms(w, 6000);
	story_expect(w, "A -> B: pick 0\n"
			"B: ends what is out\n"
			"A -> B: stop 0\n"
			"A: pick takes too long\n");
	story_pick_done(w, B, 0);
	story_deliver(w, B);
	story_deliver(w, A);
	story_expect(w, "B -> A: picked 0\n"); /* crossed, and means nothing any more */
	assert_false(hf_pair_takes_copy(w->node[B].dev));
	/* A record that cannot be written ends it, too. */
	a_is_picked(w);
	story_pick_done(w, A, -EIO);
	story_deliver(w, B);
	story_expect(w, "A -> B: pick 0\n"
			"B: ends what is out\n"
			"B -> A: picked 0\n"
			"A: writes its record\n"
			"A -> B: stop 0\n"
			"A: pick is not written\n");
	assert_false(hf_pair_takes_copy(w->node[B].dev));
}

/* What is said names who has not done what. */
static void w18_who_is_waited_for_in_vain_is_named(void **state)
{
	struct story *w = *state;

	both_stop(w);
	a_is_picked(w);
	w->told = strlen(w->text);
	story_pass_ms(w, 6000);
	story_expect(w, "A -> B: stop 0\n"
			"A: pick is not written\n");
	story_pick_done(w, A, 0); /* too late */
	story_deliver(w, B);
	a_is_picked(w);
	story_pick_done(w, A, 0);
	w->told = strlen(w->text);
	story_pass_ms(w, 6000);
	story_expect(w, "A -> B: stop 0\n"
			"A: pick is given, and no more is known\n");
	b_takes(w); /* it was on its way */
	story_deliver(w, A);
	story_run(w);
	assert_int_equal(w->node[A].dev->mode, HF_PAIR_STOPPED);
	assert_int_equal(w->node[B].dev->mode, HF_PAIR_STOPPED);
	/* Alone there is nobody else. */
	story_cut(w);
	story_event(w, A, HF_PAIR_GONE, 0);
	story_event(w, A, HF_PAIR_PICK, 0);
	w->told = strlen(w->text);
	story_pass_ms(w, 6000);
	story_expect(w, "A: pick is not written\n");
}

static void inv2_w18_who_takes_another_state_than_the_given_is_stopped_again(void **state)
{
	struct story *w = *state;

	both_stop(w);
	a_is_picked(w);
	story_pick_done(w, A, 0);
	w->told = strlen(w->text);
	w->node[B].spoilt = 2;
	story_event(w, B, HF_PAIR_INSTALLED, 0);
	story_deliver(w, A);
	story_deliver(w, B);
	story_expect(w, "B -> A: settled 0\n"
			"B: goes on\n"
			"A -> B: stop 0\n"
			"A: pick is taken wrongly\n"
			"B: stops, the controllers hold different states under the same number\n");
}

static void w18_who_is_alone_can_be_picked(void **state)
{
	struct story *w = *state;

	both_stop(w);
	story_cut(w);
	story_event(w, A, HF_PAIR_PICK, 0); /* the other may be alive */
	story_event(w, A, HF_PAIR_GONE, 0);
	story_host(w, A, "reserve Y");
	story_expect(w, "- the link is cut\n"
			"A: pick cannot be told\n"
			"A: Y is told NOT READY\n");
	story_event(w, A, HF_PAIR_PICK, 0);
	story_pick_done(w, A, 0);
	story_expect(w, "A: writes its record\n"
			"A: pick done\n"
			"A: goes on\n");
	story_event(w, A, HF_PAIR_PICK, 0);
	story_expect(w, "A: pick of what is not stopped\n");
}

/* A restart is no operator's word: who joins finds the device stopped, and has no state of it. */
static void w18_who_joins_finds_a_stopped_device_stopped(void **state)
{
	struct story *w = *state;

	both_stop(w);
	story_cut(w);
	story_event(w, A, HF_PAIR_GONE, 0);
	story_event(w, B, HF_PAIR_DROP, 0); /* as good as started again */
	w->node[B].spoilt = 0;
	w->linked = true;
	w->told = strlen(w->text);
	story_event(w, A, HF_PAIR_COPY, 0);
	story_deliver(w, B);
	story_expect(w, "A -> B: stop 0\n"
			"B: stops, the controllers hold different states under the same number\n");
	story_event(w, B, HF_PAIR_PICK, 0); /* nothing is no state to pick */
	story_expect(w, "B: pick of nothing\n");
	a_is_picked(w);
	story_pick_done(w, A, 0);
	b_takes(w);
	story_deliver(w, A);
	both_go_on(w);
}

/* The only one that had a state is gone: what the disks keep of it is not written over. */
static void w18_who_has_no_state_cannot_be_picked_when_it_is_alone(void **state)
{
	struct story *w = *state;

	both_stop(w);
	story_cut(w);
	story_event(w, A, HF_PAIR_GONE, 0);
	story_event(w, B, HF_PAIR_DROP, 0);
	w->linked = true;
	story_event(w, A, HF_PAIR_COPY, 0);
	story_deliver(w, B);
	story_cut(w);
	story_event(w, B, HF_PAIR_GONE, 0);
	w->told = strlen(w->text);
	story_event(w, B, HF_PAIR_PICK, 0);
	story_host(w, B, "reserve Y");
	story_expect(w, "B: pick of nothing\n"
			"B: Y is told NOT READY\n");
	/* Nor when the other one is back, as long as it has none either. */
	story_event(w, A, HF_PAIR_DROP, 0);
	w->linked = true;
	story_event(w, B, HF_PAIR_COPY, 0);
	story_deliver(w, A);
	w->told = strlen(w->text);
	story_event(w, B, HF_PAIR_PICK, 0);
	story_event(w, A, HF_PAIR_PICK, 0);
	story_expect(w, "B: pick of nothing\n"
			"A: pick of nothing\n");
}

static void w18_other_result_of_the_same_op_stops_both(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_deliver(w, B);
	story_drained(w, B, 0);
	story_drained(w, A, 0);
	story_deliver(w, A);
	w->node[B].spoilt = 1;
	w->told = strlen(w->text);
	story_deliver(w, B);
	story_deliver(w, A);
	story_expect(w, "B: apply 1\n"
			"B -> A: stop 1\n"
			"B: stops, the same operation led to different states\n"
			"A: stops, the same operation led to different states\n");
}

/* Why B stopped, and that A has, too, for the same reason. */
static void expect_both_stopped(struct story *w, enum hf_pair_stop why)
{
	story_run(w);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(w->node[i].dev->mode, HF_PAIR_STOPPED);
		assert_int_equal(w->node[i].dev->stop, why);
		assert_false(w->node[i].holding);
	}
	assert_non_null(strstr(w->text, hf_pair_stop_text(why)));
	story_host(w, B, "preempt Z");
	assert_non_null(strstr(w->node[B].answers, "Z NOT READY"));
}

static void w18_an_op_that_changes_nothing_here_stops_both(void **state)
{
	struct story *w = *state;

	w->node[B].blind = true;
	story_host(w, A, "reserve X");
	expect_both_stopped(w, HF_PAIR_STOP_VERDICT);
	story_expect_answers(w, A, "X NOT READY");
}

static void w18_another_op_under_the_number_of_the_held_one_stops_both(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_deliver(w, B);
	w->told = strlen(w->text);
	story_inject(w, B, HF_PAIR_MSG_ASK, 1, "reserve X"); /* as after a heal */
	story_expect(w, "");
	story_inject(w, B, HF_PAIR_MSG_ASK, 1, "reserve Z");
	expect_both_stopped(w, HF_PAIR_STOP_OP);
	story_expect_answers(w, A, "X NOT READY");
}

static void w18_a_number_that_fits_nothing_stops_both(void **state)
{
	static const struct {
		enum hf_pair_msg_kind kind;
		uint64_t n; /* number 2 is settled */
		const char *op;
	} messages[] = {
		{HF_PAIR_MSG_ASK, 2, "preempt Z"},
		{HF_PAIR_MSG_ASK, 4, "preempt Z"},
		{HF_PAIR_MSG_SETTLED, 0, NULL},
		{HF_PAIR_MSG_SETTLED, 3, NULL}, /* never asked for here */
		{HF_PAIR_MSG_CANCEL, 2, NULL},
		{HF_PAIR_MSG_CANCEL, 4, NULL},
	};

	for (unsigned i = 0; i < HF_ARRAY_LEN(messages); i++) {
		struct story w;

		story_begin(&w);
		story_host(&w, A, "preempt X");
		story_host(&w, A, "preempt Y");
		story_run(&w);
		assert_int_equal(w.node[B].dev->n, 2);
		story_inject(&w, B, messages[i].kind, messages[i].n, messages[i].op);
		expect_both_stopped(&w, HF_PAIR_STOP_NUMBER);
		story_expect_holders(&w, 'Y', 'Y');
		story_end(&w);
	}
}

static void w18_other_digest_in_the_answer_stops_both(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_deliver(w, B);
	w->node[B].spoilt = 1;
	story_drained(w, B, 0);
	expect_both_stopped(w, HF_PAIR_STOP_DIGEST);
	story_expect_answers(w, A, "X NOT READY");
}

/* The first frames after a heal say where each side stands. */
static void w18_other_digest_found_at_the_heal_stops_both(void **state)
{
	struct story *w = *state;

	story_host(w, A, "reserve X");
	story_run(w);
	story_cut(w);
	w->node[B].spoilt = 1;
	story_heal(w);
	expect_both_stopped(w, HF_PAIR_STOP_DIGEST);
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		STORY(r1_r2_request_is_carried_over_and_executed_there),
		STORY(r3_reserved_at_the_peer_is_found_by_the_local_look),
		STORY(r3_peer_with_a_claim_of_its_own_answers_refused),
		STORY(r4_subordinate_aborts_and_dominant_asks_again),
		STORY(r4_dominant_asks_again_by_itself_when_the_moment_has_passed),
		STORY(r4_each_race_has_exactly_one_winner),
		STORY(r5_reserved_here_is_refused_without_bus_traffic),
		STORY(r5_holds_within_itself_before_it_asks),
		STORY(r6_release_goes_the_same_way),
		STORY(w1_the_peer_applies_when_the_first_has),
		STORY(w2_nobody_reads_the_past_at_the_peer_that_holds),
		STORY(w1_nobody_is_made_to_apply_what_it_has_not_drained),
		STORY(w3_failure_is_told_when_the_peer_has_dropped_the_op),
		STORY(w3_a_peer_that_cannot_drain_says_so),
		STORY(s10_a_drain_beyond_the_bound_is_cancelled),
		STORY(s10_what_is_owed_waits_beyond_the_bound),
		STORY(w4_a_queued_op_is_looked_at_after_the_pending_one),
		STORY(w4_the_peer_queues_its_own_op_behind_the_one_it_holds),
		STORY(w15_the_record_is_written_after_held_and_before_apply),
		STORY(w15_a_record_that_fails_cancels),
		STORY(w15_a_record_in_doubt_is_written_until_it_is_out),
		STORY(s1_an_op_that_meets_the_peers_queues_and_is_not_refused),
		STORY(s1_the_number_tells_which_op_is_meant),
		STORY(s2_a_turn_is_always_used),
		STORY(s2_under_load_the_sides_take_turns),
		STORY(cancel_that_crosses_refused_leaves_nobody_yielding),
		STORY(w18_other_digest_stops_both),
		STORY(w18_who_is_picked_goes_on_when_the_other_has_dropped_its_state),
		STORY(w18_what_was_owed_when_it_stopped_is_asked_when_it_goes_on),
		STORY(w18_picked_at_both_at_once_is_picked_at_none),
		STORY(w18_a_pick_that_loses_the_link_is_said_again),
		STORY(w18_who_does_not_drop_its_state_in_time_is_told_that_it_stays_stopped),
		STORY(w18_who_is_waited_for_in_vain_is_named),
		STORY(inv2_w18_who_takes_another_state_than_the_given_is_stopped_again),
		STORY(w18_who_is_alone_can_be_picked),
		STORY(w18_who_joins_finds_a_stopped_device_stopped),
		STORY(w18_who_has_no_state_cannot_be_picked_when_it_is_alone),
		STORY(w18_other_result_of_the_same_op_stops_both),
		STORY(w18_an_op_that_changes_nothing_here_stops_both),
		STORY(w18_another_op_under_the_number_of_the_held_one_stops_both),
		STORY(w18_a_number_that_fits_nothing_stops_both),
		STORY(w18_other_digest_in_the_answer_stops_both),
		STORY(w18_other_digest_found_at_the_heal_stops_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
