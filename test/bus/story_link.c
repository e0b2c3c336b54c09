/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair protocol with the link lost at each step: the step table of the pitfalls, row by row,
 * and for each row what a heal, the loss of A and the loss of B make of it (W7, W15, S10, INV-5,
 * INV-6, INV-7).
 */
#include "story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum step {
	BEFORE_SEND,
	ASK_LOST,
	HELD_LOST,
	HELD_CAME,
	SETTLED_LOST,
	CANCEL_LOST,
	CANCELLED_LOST,
	CROSSING, /* both `refused` are on their way */
	YIELDING, /* B's has come: it has given up its claim, Y's op waits at the head */
	STEPS
};

/* What the policy makes of silence. */
enum policy { FREEZE, FENCE, POLICIES };

static void silence(struct story *w, enum policy policy)
{
	story_cut(w);
	for (int i = 0; i < 2; i++)
		(policy == FREEZE ? story_freeze : story_wait)(w, i);
}

/* X asks A; the link is cut at this step, and both hold to the policy. */
static void cut_at(struct story *w, enum step step, enum policy policy)
{
	story_begin(w);
	if (step == BEFORE_SEND) {
		silence(w, policy);
		story_host(w, A, "preempt X");
		return;
	}
	story_host(w, A, "preempt X");
	if (step >= CROSSING)
		story_host(w, B, "preempt Y");
	if (step >= HELD_LOST)
		story_deliver(w, B);
	if (step >= CROSSING)
		story_deliver(w, A);
	if (step == YIELDING)
		story_deliver(w, B);
	if (step >= HELD_LOST && step <= SETTLED_LOST)
		story_drained(w, B, 0);
	if (step == HELD_CAME || step == SETTLED_LOST)
		story_deliver(w, A);
	if (step == SETTLED_LOST)
		story_drained(w, A, 0);
	if (step == CANCEL_LOST || step == CANCELLED_LOST)
		story_drained(w, A, -EIO);
	if (step == CANCELLED_LOST)
		story_deliver(w, B);
	silence(w, policy);
}

static void go_alone(struct story *w, int at)
{
	story_event(w, at, HF_PAIR_GONE, 0);
	story_run(w);
}

/* While frozen: what the host of A sees in time. */
static void freeze_tells_no_lie(void **state)
{
	static const struct {
		enum step step;
		const char *answer; /* told to X */
		bool cut_off;	    /* beyond the bound, the connection is closed */
		const char *peers;  /* told to Y */
	} rows[] = {
		{BEFORE_SEND, "X NOT READY", false, ""},
		{ASK_LOST, "", true, ""},
		{HELD_LOST, "", true, ""},
		{SETTLED_LOST, "X GOOD", false, ""},
		{CANCEL_LOST, "", true, ""},
		{CANCELLED_LOST, "", true, ""},
		{CROSSING, "", true, ""}, /* Y is cut off, too */
		{YIELDING, "", true, "Y NOT READY"},
	};

	for (unsigned i = 0; i < HF_ARRAY_LEN(rows); i++) {
		struct story w;

		cut_at(&w, rows[i].step, FREEZE);
		if (rows[i].step == YIELDING) /* at once: nothing of it is in doubt */
			story_expect_answers(&w, B, rows[i].peers);
		story_pass_ms(&w, 60000);
		story_expect_answers(&w, A, rows[i].answer);
		story_expect_answers(&w, B, rows[i].peers);
		assert_int_equal(strstr(w.text, "Y is cut off") != NULL, rows[i].step == CROSSING);
		assert_int_equal(strstr(w.text, "X is cut off") != NULL, rows[i].cut_off);
		story_end(&w);
	}
}

static void held_and_then_drained_is_good_without_the_link(void **state)
{
	struct story w;

	cut_at(&w, HELD_CAME, FREEZE);
	story_drained(&w, A, 0);
	story_expect_answers(&w, A, "X GOOD");
	story_expect_holders(&w, 'X', '-');
	story_heal(&w);
	story_run(&w);
	story_expect_holders(&w, 'X', 'X'); /* the last `settled` was repeated */
	assert_true(story_is_quiet(&w));
	story_end(&w);
}

static void w7_after_a_heal_both_have_the_same_and_each_host_one_answer(void **state)
{
	static const char *const answers[STEPS] = {
		[BEFORE_SEND] = "X NOT READY",
		[ASK_LOST] = "X GOOD",
		[HELD_LOST] = "X GOOD",
		[HELD_CAME] = "X GOOD",
		[SETTLED_LOST] = "X GOOD",
		[CANCEL_LOST] = "X FAILED",
		[CANCELLED_LOST] = "X FAILED",
		[CROSSING] = "X GOOD",
		[YIELDING] = "X GOOD",
	};

	for (enum step step = 0; step < STEPS; step++) {
		struct story w;

		cut_at(&w, step, FREEZE);
		story_heal(&w);
		story_run(&w);
		assert_true(story_is_quiet(&w));
		assert_int_equal(w.node[A].holder, w.node[B].holder);
		story_expect_answers(&w, A, answers[step]);
		if (step == CROSSING)
			story_expect_answers(&w, B, "Y GOOD"); /* in its turn */
		if (step == YIELDING)
			story_expect_answers(&w, B, "Y NOT READY");
		story_end(&w);
	}
}

/* However long it takes, the op is in doubt and not undone; back together it has its time anew. */
static void w7_nobody_undoes_alone_beyond_the_bound(void **state)
{
	static const enum step steps[] = {ASK_LOST, HELD_LOST};

	for (unsigned i = 0; i < 2 * HF_ARRAY_LEN(steps); i++) {
		struct story w;

		cut_at(&w, steps[i / 2], FREEZE);
		story_pass_ms(&w, 60000);
		if (i % 2) {
			story_heal(&w);
			story_run(&w);
			story_expect_holders(&w, 'X', 'X');
		} else {
			go_alone(&w, A);
			story_expect_holders(&w, 'X', '-');
		}
		story_expect_answers(&w, A, "X GOOD"); /* reaches nobody */
		story_end(&w);
	}
}

/* It has never said `held`, so A has never said GOOD. */
static void a_survivor_drops_what_it_could_not_drain(void **state)
{
	struct story w;

	story_begin(&w);
	story_host(&w, A, "preempt X");
	story_deliver(&w, B);
	story_drained(&w, B, -EIO);
	silence(&w, FENCE);
	w.told = strlen(w.text);
	go_alone(&w, B);
	story_expect(&w, "B: drop 1\n");
	story_host(&w, B, "preempt Z");
	story_run(&w);
	story_expect_answers(&w, B, "Z GOOD");
	story_end(&w);
}

/* A is gone for good: what B holds goes forward; what it was never asked never was. */
static void a_lost(enum step step, enum policy policy)
{
	static const char holder[STEPS] = {
		[BEFORE_SEND] = '-',
		[ASK_LOST] = '-',
		[HELD_LOST] = 'X',
		[HELD_CAME] = 'X',
		[SETTLED_LOST] = 'X',
		[CANCEL_LOST] = 'X', /* its host was told nothing */
		[CANCELLED_LOST] = '-',
		[CROSSING] = 'Y',
		[YIELDING] = 'Y',
	};
	bool refused = step == YIELDING && policy == FREEZE;
	struct story w;

	cut_at(&w, step, policy);
	go_alone(&w, B);
	assert_int_equal(w.node[B].holder ? w.node[B].holder : '-', refused ? '-' : holder[step]);
	if (step >= CROSSING)
		story_expect_answers(&w, B, refused ? "Y NOT READY" : "Y GOOD");
	/* It is whole: the next op goes through. */
	story_host(&w, B, "preempt Z");
	story_run(&w);
	assert_int_equal(w.node[B].holder, 'Z');
	story_end(&w);
}

static void a_lost_and_no_good_is_lost(void **state)
{
	for (enum policy policy = 0; policy < POLICIES; policy++)
		for (enum step step = 0; step < STEPS; step++)
			a_lost(step, policy);
}

/* B is gone for good: A goes forward, and tells its host if that still waits. */
static void b_lost(enum step step, enum policy policy)
{
	static const struct {
		char holder;
		const char *answers;
	} want[STEPS] = {
		[BEFORE_SEND] = {'X', "X GOOD"}, /* carried out alone */
		[ASK_LOST] = {'X', "X GOOD"},
		[HELD_LOST] = {'X', "X GOOD"},
		[HELD_CAME] = {'X', "X GOOD"},
		[SETTLED_LOST] = {'X', "X GOOD"},
		[CANCEL_LOST] = {'-', "X FAILED"},
		[CANCELLED_LOST] = {'-', "X FAILED"},
		[CROSSING] = {'X', "X GOOD"},
		[YIELDING] = {'X', "X GOOD"},
	};
	bool refused = step == BEFORE_SEND && policy == FREEZE;
	struct story w;

	cut_at(&w, step, policy);
	go_alone(&w, A);
	assert_int_equal(
		w.node[A].holder ? w.node[A].holder : '-', refused ? '-' : want[step].holder);
	story_expect_answers(&w, A, refused ? "X NOT READY" : want[step].answers);
	story_end(&w);
}

static void b_lost_and_what_was_asked_goes_forward(void **state)
{
	for (enum policy policy = 0; policy < POLICIES; policy++)
		for (enum step step = 0; step < STEPS; step++)
			b_lost(step, policy);
}

/* B was told to wait for A's next ask, which is not coming; A has given the turn away. */
static void s2_no_turn_outlives_the_link(void **state)
{
	struct story w;

	cut_at(&w, YIELDING, FENCE);
	go_alone(&w, B);
	story_expect_answers(&w, B, "Y GOOD");
	story_end(&w);
	story_begin(&w);
	story_host(&w, A, "preempt X");
	story_deliver(&w, B);
	story_host(&w, B, "preempt Y");
	story_drained(&w, B, 0);
	story_drained(&w, A, 0);
	story_deliver(&w, A);
	assert_true(w.node[A].dev->gave_turn);
	silence(&w, FENCE);
	story_host(&w, A, "preempt Z");
	go_alone(&w, A);
	story_expect_answers(&w, A, "X GOOD, Z GOOD");
	story_end(&w);
}

/* `held` is here and the drain ends in the race: whoever wins it says what becomes of the op. */
static void inv5_nothing_is_settled_while_racing(void **state)
{
	struct story w;

	cut_at(&w, HELD_CAME, FENCE);
	w.told = strlen(w.text);
	story_drained(&w, A, 0);
	story_pass_ms(&w, 1000);
	story_expect(&w, "");
	story_expect_holders(&w, '-', '-');
	go_alone(&w, A);
	story_expect(&w, "A: apply 1\n"
			 "A: X is told GOOD\n");
	story_end(&w);
}

static void inv5_no_record_is_written_while_racing(void **state)
{
	struct story w;

	story_begin(&w);
	story_host(&w, A, "preempt X!");
	story_deliver(&w, B);
	story_drained(&w, B, 0);
	story_deliver(&w, A);
	silence(&w, FENCE);
	w.told = strlen(w.text);
	story_drained(&w, A, 0);
	story_expect(&w, "");
	story_event(&w, A, HF_PAIR_GONE, 0);
	story_expect(&w, "A: write 1\n");
	story_end(&w);
}

/* A may have answered GOOD: B's copy is all that is left of the op. */
static void w15_a_survivor_that_goes_forward_writes_it_too(void **state)
{
	struct story w;

	story_begin(&w);
	story_host(&w, A, "preempt X!");
	story_deliver(&w, B);
	story_drained(&w, B, 0);
	silence(&w, FENCE);
	w.told = strlen(w.text);
	story_event(&w, B, HF_PAIR_GONE, 0);
	story_expect(&w, "B: write 1\n");
	story_written(&w, B, -EIO);
	story_pass_ms(&w, 2499);
	story_expect(&w, "");
	story_expect_holders(&w, '-', '-');
	story_pass_ms(&w, 1);
	story_expect(&w, "B: write 1\n"
			 "A: X is cut off\n"); /* it races, too, and has lost */
	story_written(&w, B, 0);
	story_expect(&w, "B: apply 1\n");
	story_expect_holders(&w, '-', 'X');
	story_end(&w);
}

static void s10_a_race_that_takes_long_ends_in_not_ready(void **state)
{
	struct story w;

	story_begin(&w);
	silence(&w, FENCE);
	story_host(&w, B, "preempt Y");
	story_pass_ms(&w, 2499);
	story_expect_answers(&w, B, "");
	story_pass_ms(&w, 1);
	story_expect_answers(&w, B, "Y NOT READY");
	story_end(&w);
}

/* Racing: nothing is answered that could be the past; the loser's own op is in doubt. */
static void a_race_lets_ops_wait_and_the_loser_closes(void **state)
{
	struct story w;

	story_begin(&w);
	story_host(&w, A, "preempt X");
	story_cut(&w);
	for (int i = 0; i < 2; i++)
		story_wait(&w, i);
	story_host(&w, B, "preempt Y");
	story_pass_ms(&w, 1000);
	story_expect_answers(&w, A, "");
	story_expect_answers(&w, B, "");
	go_alone(&w, B);
	story_expect_answers(&w, B, "Y GOOD");
	story_event(&w, A, HF_PAIR_DROP, 0);
	assert_non_null(strstr(w.text, "X is cut off"));
	story_end(&w);
}

static void w6_owed_waits_through_the_freeze_and_goes_first(void **state)
{
	struct story w;

	story_begin(&w);
	story_host(&w, A, "reserve X");
	story_run(&w);
	story_cut(&w);
	story_freeze(&w, A);
	story_freeze(&w, B);
	story_host(&w, A, "owed release X");
	story_pass_ms(&w, 600000);
	story_expect_answers(&w, A, "X GOOD"); /* of the RESERVE */
	story_host(&w, A, "reserve Z");	       /* it stands against all */
	story_expect_answers(&w, A, "X GOOD, Z CONFLICT");
	story_heal(&w);
	story_run(&w);
	story_expect_holders(&w, '-', '-');
	story_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freeze_tells_no_lie),
		cmocka_unit_test(held_and_then_drained_is_good_without_the_link),
		cmocka_unit_test(w7_after_a_heal_both_have_the_same_and_each_host_one_answer),
		cmocka_unit_test(w7_nobody_undoes_alone_beyond_the_bound),
		cmocka_unit_test(a_survivor_drops_what_it_could_not_drain),
		cmocka_unit_test(a_lost_and_no_good_is_lost),
		cmocka_unit_test(b_lost_and_what_was_asked_goes_forward),
		cmocka_unit_test(s2_no_turn_outlives_the_link),
		cmocka_unit_test(inv5_nothing_is_settled_while_racing),
		cmocka_unit_test(inv5_no_record_is_written_while_racing),
		cmocka_unit_test(w15_a_survivor_that_goes_forward_writes_it_too),
		cmocka_unit_test(s10_a_race_that_takes_long_ends_in_not_ready),
		cmocka_unit_test(a_race_lets_ops_wait_and_the_loser_closes),
		cmocka_unit_test(w6_owed_waits_through_the_freeze_and_goes_first),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
