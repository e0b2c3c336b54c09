/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stories of the view, in virtual time: losing, regaining and restarting controllers under both
 * policies (design 6; W6, W8, W13, W19, W20, S5, S9, U7, U11 of the pitfalls).
 */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct stage s;

static int freeze_policy(void **state)
{
	stage_begin(&s, false);
	return 0;
}

static int fence_policy(void **state)
{
	stage_begin(&s, true);
	return 0;
}

#define say(at, word)	stage_event(&s, at, word)
#define state(at, want) expect_state(&s, at, want)

/* --- start --- */

static void s9_both_empty_the_lower_id_loads_and_the_other_copies(void **st)
{
	s.aptpl = 'P';
	stage_start(&s, B);
	stage_run(&s);
	stage_pass_s(&s, 3);
	state(B, HF_VIEW_STARTING); /* waits */
	stage_start(&s, A);
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[A].memory, 'P');
	assert_int_equal(s.node[B].memory, 'P');
	assert_int_equal(s.disk.members, 6);
	assert_int_equal(s.disk.epoch, 1);
}

static void s9_lost_in_the_middle_of_a_cold_start_both_begin_again(void **st)
{
	s.aptpl = 'P';
	stage_start(&s, A);
	stage_start(&s, B);
	stage_link(&s);
	for (unsigned i = 0; i < 4; i++)
		stage_cut(&s), stage_run(&s), state(A, HF_VIEW_STARTING),
			state(B, HF_VIEW_STARTING), stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'P');
}

/* The disks come later than the controllers: nothing is taken for lost, or for empty. */
static void s9_what_cannot_be_read_yet_is_read_again(void **st)
{
	s.aptpl = 'P';
	s.loads_fail = true;
	stage_start(&s, A);
	stage_start(&s, B);
	stage_link(&s);
	stage_pass_s(&s, 20);
	state(A, HF_VIEW_STARTING);
	assert_false(stage_serves(&s, A) || stage_serves(&s, B));
	s.loads_fail = false;
	stage_pass_s(&s, 3);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[A].memory, 'P');
	assert_int_equal(s.node[B].memory, 'P');
}

static void s9_alone_too_what_cannot_be_read_yet_is_read_again(void **st)
{
	s.aptpl = 'P';
	s.loads_fail = true;
	stage_start(&s, A);
	stage_run(&s);
	say(A, HF_VIEW_WORD_ALONE);
	stage_pass_s(&s, 20);
	state(A, HF_VIEW_STARTING);
	assert_int_equal(s.disk.epoch, 0);
	s.loads_fail = false;
	stage_pass_s(&s, 5);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(s.node[A].memory, 'P');
}

/* Nobody is there to say the word again. */
static void a_single_controller_waits_for_its_voting_disks(void **st)
{
	s.aptpl = 'P';
	s.disk_fails = true;
	stage_start_single(&s, A);
	stage_pass_s(&s, 20);
	state(A, HF_VIEW_STARTING);
	s.disk_fails = false;
	stage_pass_s(&s, 5);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(s.node[A].memory, 'P');
}

/* What is done on a word is looked at once more. */
static void word(int at, enum hf_view_event_kind kind)
{
	stage_event(&s, at, kind);
	stage_run(&s);
	stage_pass_s(&s, 2);
}

static void alone_at_the_start_waits_for_a_word(void **st)
{
	stage_start(&s, A);
	stage_pass_s(&s, 60);
	state(A, HF_VIEW_STARTING);
	assert_int_equal(s.disk.epoch, 0);
	word(A, HF_VIEW_WORD_ALONE);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(s.disk.members, 2);
}

/* The word is written down and looked at once more; meanwhile the peer is there. */
static void a_peer_that_comes_while_the_word_is_looked_at_ends_it(void **st)
{
	stage_start(&s, B);
	stage_run(&s);
	say(B, HF_VIEW_WORD_ALONE);
	s.node[B].reading = true;
	stage_run(&s);
	state(B, HF_VIEW_STARTING);
	assert_int_equal(s.disk.members, 4);
	stage_start(&s, A);
	stage_link(&s);
	stage_run(&s);
	for (int i = 0; i < 5; i++) {
		stage_pass_s(&s, 1);
		assert_int_not_equal(s.node[B].v.view.state, HF_VIEW_ALONE);
	}
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
}

/* What hosts of the survivor see of the other one's ports. */
static void who_takes_a_copy_is_shown_as_joining(void **st)
{
	struct stage_node *a = &s.node[A];

	stage_together(&s, 'X');
	assert_int_equal(a->v.view.joining, 0);
	stage_kill(&s, B);
	stage_silence(&s, A);
	word(A, HF_VIEW_WORD_PEER_DOWN);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(a->v.view.joining, 0);
	stage_start(&s, B);
	stage_link(&s);
	a->deaf = true;
	stage_run(&s);
	state(B, HF_VIEW_JOINING);
	assert_int_equal(a->v.view.joining, 0);
	a->deaf = false;
	s.node[B].deaf = true; /* the copy is on its way */
	stage_run(&s);
	s.node[B].deaf = false;
	assert_int_equal(a->v.view.joining, 1u << 2);
	assert_int_equal(a->v.view.members, 1u << 1);
	stage_cut(&s);
	assert_int_equal(a->v.view.joining, 0);
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	assert_int_equal(a->v.view.joining, 0);
}

static void w8_the_survivor_of_yesterday_may_not_go_alone(void **st)
{
	char text[HF_VIEW_SENTENCE_MAX];

	stage_together(&s, 'X');
	stage_silence(&s, A); /* and B? is there, cut off; the operator says that it is down */
	stage_run(&s);
	word(A, HF_VIEW_WORD_PEER_DOWN);
	state(A, HF_VIEW_ALONE);
	s.node[A].memory = 'Y'; /* X was preempted */
	stage_kill(&s, A);
	stage_kill(&s, B);
	stage_start(&s, B);
	stage_run(&s);
	assert_int_equal(hf_view_may_go_alone(&s.node[B].v, false, text, sizeof(text)), -EPERM);
	word(B, HF_VIEW_WORD_ALONE);
	state(B, HF_VIEW_STARTING);
	/* Both dead and back: what the disks keep is the newest there is, whoever starts first. */
	s.aptpl = 'Y';
	stage_start(&s, A);
	stage_link(&s);
	stage_run(&s);
	assert_int_equal(s.node[B].memory, 'Y');
}

static void w8_with_the_second_flag_it_may(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	word(A, HF_VIEW_WORD_PEER_DOWN);
	stage_kill(&s, A);
	stage_kill(&s, B);
	stage_start(&s, B);
	stage_run(&s);
	{
		struct hf_view_event ev = {.kind = HF_VIEW_WORD_ALONE, .may_lose = true};
		struct hf_view_update u;

		hf_view_step(&s.node[B].v, &ev, &u);
		assert_int_equal(u.effects[0].kind, HF_VIEW_DO_READ);
		s.node[B].reading = true;
	}
	stage_run(&s);
	stage_pass_s(&s, 2);
	state(B, HF_VIEW_ALONE);
	assert_int_equal(s.disk.members, 4);
}

/* --- freeze --- */

static void silence_freezes_and_the_heal_changes_no_epoch(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	state(A, HF_VIEW_FROZEN);
	state(B, HF_VIEW_FROZEN);
	stage_pass_s(&s, 3600);
	state(A, HF_VIEW_FROZEN);
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[A].healed, 1);
	assert_int_equal(s.disk.epoch, 1); /* U7 */
	assert_int_equal(s.node[B].memory, 'X');
}

static void u11_a_frozen_controller_that_is_struck_off_stops_within_a_second(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	word(A, HF_VIEW_WORD_PEER_DOWN);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_OUT); /* A has not gone on before */
	assert_int_equal(s.node[B].memory, 0);
	stage_link(&s);
	stage_run(&s);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'X');
	assert_int_equal(s.disk.epoch, 3);
}

static void peer_down_is_refused_while_the_peer_is_there(void **st)
{
	char text[HF_VIEW_SENTENCE_MAX];

	stage_together(&s, 'X');
	assert_int_equal(hf_view_may_peer_down(&s.node[A].v, text, sizeof(text)), -EBUSY);
	stage_cut(&s);
	stage_run(&s);
	assert_int_equal(hf_view_may_peer_down(&s.node[A].v, text, sizeof(text)), 0);
	stage_link(&s); /* its first message is not here yet */
	assert_int_equal(hf_view_may_peer_down(&s.node[A].v, text, sizeof(text)), -EBUSY);
	stage_run(&s);
	assert_int_equal(hf_view_may_peer_down(&s.node[A].v, text, sizeof(text)), -EBUSY);
}

static void peer_down_without_the_voting_disks_changes_nothing(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	s.disk_fails = true;
	say(A, HF_VIEW_WORD_PEER_DOWN);
	stage_run(&s);
	state(A, HF_VIEW_FROZEN);
	assert_non_null(strstr(s.node[A].log, "not carried out"));
	s.disk_fails = false;
	word(A, HF_VIEW_WORD_PEER_DOWN);
	state(A, HF_VIEW_ALONE);
}

/* The write failed and may be there all the same: the word is not given up before that is known. */
static void a_record_that_may_be_written_is_read_until_it_is_known(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	say(A, HF_VIEW_WORD_PEER_DOWN);
	while (s.disk.members != 2)
		assert_true(stage_one(&s));
	s.disk_fails = true;
	stage_pass_s(&s, 5);
	state(A, HF_VIEW_FROZEN);
	s.disk_fails = false;
	stage_pass_s(&s, 3);
	state(A, HF_VIEW_ALONE);
}

static void alone_is_refused_while_the_record_cannot_be_read(void **st)
{
	char sentence[HF_VIEW_SENTENCE_MAX];

	s.disk_fails = true;
	stage_start(&s, A);
	stage_run(&s);
	assert_int_equal(
		hf_view_may_go_alone(&s.node[A].v, true, sentence, sizeof(sentence)), -EAGAIN);
	s.disk_fails = false;
	stage_pass_s(&s, 1);
	assert_int_equal(hf_view_may_go_alone(&s.node[A].v, false, sentence, sizeof(sentence)), 0);
}

/* Told by the peer, before it has looked at the record itself. */
static void a_frozen_controller_that_hears_that_it_is_struck_off_joins_anew(void **st)
{
	unsigned dropped;

	stage_together(&s, 'X');
	dropped = s.node[B].dropped;
	stage_cut(&s);
	stage_run(&s);
	s.node[B].deaf = true;
	word(A, HF_VIEW_WORD_PEER_DOWN);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_FROZEN);
	s.node[A].memory = 'Y';
	s.node[B].deaf = false;
	stage_link(&s);
	stage_run(&s);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].dropped, dropped + 2); /* what it had, and as it began to copy */
	assert_int_equal(s.node[B].memory, 'Y');
}

static void both_said_peer_down_the_record_knows_one(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	say(A, HF_VIEW_WORD_PEER_DOWN);
	stage_run(&s);
	say(B, HF_VIEW_WORD_PEER_DOWN); /* reads the record first */
	stage_run(&s);
	stage_pass_s(&s, 2);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_OUT);
}

static void a_heal_while_the_word_is_carried_out_blinds_nobody(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	say(A, HF_VIEW_WORD_PEER_DOWN); /* untrue */
	stage_run(&s);			/* the record names A alone; B has not read it yet */
	assert_int_equal(s.disk.members, 2);
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_FROZEN);
	stage_silence(&s, A); /* cut again; B does not know yet */
	stage_pass_s(&s, 2);
	state(A, HF_VIEW_ALONE);
	assert_false(stage_serves(&s, B)); /* "out by then" (doc/failure.md) */
}

static void w20_restart_faster_than_the_heartbeat(void **st)
{
	for (int i = 0; i < 2; i++) {
		stage_begin(&s, false);
		stage_together(&s, 'X');
		stage_kill(&s, i);
		stage_start(&s, i);
		stage_silence(&s, 1 - i); /* the links saw another incarnation */
		stage_link(&s);
		stage_run(&s);
		state(A, HF_VIEW_TOGETHER);
		state(B, HF_VIEW_TOGETHER);
		assert_int_equal(s.node[i].memory, 'X'); /* by the copy, not from the disks */
		assert_int_equal(s.node[1 - i].gone, 1);
		assert_int_equal(s.disk.epoch, 3); /* without it, with it */
	}
}

static void any_order_of_two_restarts(void **st)
{
	/* first: who dies first; together: whether the first is back before the second dies. */
	for (unsigned i = 0; i < 4; i++) {
		int first = i & 1;

		stage_begin(&s, false);
		s.aptpl = 'P';
		stage_together(&s, 'X');
		stage_kill(&s, first);
		stage_silence(&s, 1 - first);
		stage_run(&s);
		if (i & 2) {
			stage_start(&s, first);
			stage_link(&s);
			stage_run(&s);
			state(first, HF_VIEW_TOGETHER);
		}
		stage_kill(&s, 1 - first);
		stage_silence(&s, first);
		stage_start(&s, 1 - first);
		if (!(i & 2))
			stage_start(&s, first);
		stage_link(&s);
		stage_run(&s);
		state(A, HF_VIEW_TOGETHER);
		state(B, HF_VIEW_TOGETHER);
		/* One lived all the time: nothing is lost. None did: what the disks keep. */
		assert_int_equal(s.node[A].memory, i & 2 ? 'X' : 'P');
	}
}

static void w19_leaving_lets_the_other_go_on_at_once(void **st)
{
	stage_together(&s, 'X');
	say(B, HF_VIEW_WORD_LEAVE);
	assert_int_equal(s.node[B].left, 0); /* not before the other has heard */
	stage_run(&s);
	assert_int_equal(s.node[B].left, 1);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_OUT);
	assert_int_equal(s.disk.members, 2);
	assert_int_equal(s.node[A].v.view.left, 1u << 2);
}

/* A is alone and B, started again, is on its way in. */
static void b_joins_anew(void)
{
	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_silence(&s, A);
	stage_run(&s);
	word(A, HF_VIEW_WORD_PEER_DOWN);
	state(A, HF_VIEW_ALONE);
	stage_start(&s, B);
}

static void run_until_joining(void)
{
	while (s.node[B].v.view.state != HF_VIEW_JOINING)
		assert_true(stage_one(&s));
}

static void a_joining_controller_lost_on_the_way_serves_nothing(void **st)
{
	b_joins_anew();
	stage_link(&s);
	run_until_joining();
	stage_cut(&s);
	state(B, HF_VIEW_STARTING);
	stage_run(&s);
	assert_false(stage_serves(&s, B));
	assert_true(stage_serves(&s, A));
	stage_link(&s);
	stage_run(&s);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'X');
}

/* The record names both, and the newcomer has not heard of it: it is struck off again. */
static void a_newcomer_lost_while_the_record_is_written_is_struck_off_again(void **st)
{
	uint64_t epoch;

	b_joins_anew();
	epoch = s.disk.epoch;
	stage_link(&s);
	run_until_joining();
	while (!s.node[A].writing)
		assert_true(stage_one(&s));
	assert_int_equal(s.node[A].write.members, 6);
	stage_cut(&s);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_STARTING);
	assert_int_equal(s.disk.members, 2);
	assert_int_equal(s.disk.epoch, epoch + 2); /* with it, without it */
	assert_int_equal(s.node[A].gone, 2);	   /* by the word, and now */
	assert_int_equal(s.node[A].v.view.epoch, s.disk.epoch);
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'X');
}

/* The same in a cold start: nobody serves, and both begin again. */
static void lost_while_the_first_record_is_written_both_begin_again(void **st)
{
	s.aptpl = 'P';
	stage_start(&s, A);
	stage_start(&s, B);
	stage_link(&s);
	while (!s.node[A].writing)
		assert_true(stage_one(&s));
	stage_cut(&s);
	stage_run(&s);
	state(A, HF_VIEW_STARTING);
	state(B, HF_VIEW_STARTING);
	assert_int_equal(s.node[A].memory, 0);
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'P');
}

static void s5_who_takes_another_for_dominant_is_not_let_in(void **st)
{
	b_joins_anew();
	s.node[B].map = 1;
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_STARTING);
	assert_non_null(strstr(s.node[A].log, "disagree about the logical devices or which "
					      "controller is dominant"));
	assert_non_null(strstr(s.node[B].v.view.why, "disagree about the logical devices"));
	assert_int_equal(s.disk.members, 2);
	/* Ten seconds later it asks again. */
	s.node[B].map = 0;
	stage_pass_s(&s, 9);
	state(B, HF_VIEW_STARTING);
	stage_pass_s(&s, 1);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'X');
}

static void who_leaves_waits_for_the_others_answer_no_longer_than_five_seconds(void **st)
{
	stage_together(&s, 'X');
	s.node[A].deaf = true;
	say(B, HF_VIEW_WORD_LEAVE);
	stage_pass_s(&s, 5);
	assert_int_equal(s.node[B].left, 0);
	stage_pass_s(&s, 1);
	assert_int_equal(s.node[B].left, 1);
}

static void b_is_out_and_its_commands_hang(void)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	s.node[B].keep_dirty = true;
	say(A, HF_VIEW_WORD_PEER_DOWN);
	stage_run(&s);
	stage_pass_s(&s, 1);
	state(B, HF_VIEW_OUT);
}

static void out_joins_when_nothing_of_it_is_in_flight(void **st)
{
	b_is_out_and_its_commands_hang();
	stage_link(&s);
	stage_pass_s(&s, 30);
	state(B, HF_VIEW_OUT);
	s.node[B].keep_dirty = false;
	stage_run(&s);
	state(B, HF_VIEW_TOGETHER);
}

static void inv4_out_goes_alone_when_nothing_of_it_is_in_flight(void **st)
{
	char text[HF_VIEW_SENTENCE_MAX];

	b_is_out_and_its_commands_hang();
	assert_int_equal(hf_view_may_go_alone(&s.node[B].v, true, text, sizeof(text)), -EBUSY);
	s.node[B].keep_dirty = false;
	stage_pass_s(&s, 1);
	assert_int_equal(hf_view_may_go_alone(&s.node[B].v, true, text, sizeof(text)), 0);
}

/* --- both went on alone --- */

static void both_alone(void)
{
	struct hf_view_event ev = {.kind = HF_VIEW_WORD_ALONE, .may_lose = true};
	struct hf_view_update u;

	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_silence(&s, A);
	stage_run(&s);
	word(A, HF_VIEW_WORD_PEER_DOWN);
	stage_start(&s, B); /* cut off, and its operator lies */
	stage_run(&s);
	hf_view_step(&s.node[B].v, &ev, &u);
	s.node[B].reading = true;
	stage_run(&s);
	stage_pass_s(&s, 2);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_ALONE);
	s.node[A].memory = 'Y';
	s.node[B].memory = 'Z';
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_ALONE);
	assert_non_null(strstr(s.node[A].v.view.why, "both"));
}

static void two_that_went_on_alone_wait_for_discard(void **st)
{
	char text[HF_VIEW_SENTENCE_MAX];

	/* B's is the newest record; either may be the one that is thrown away. */
	for (int loser = 0; loser < 2; loser++) {
		stage_begin(&s, false);
		both_alone();
		stage_pass_s(&s, 60);
		state(A, HF_VIEW_ALONE);
		assert_int_equal(hf_view_may_discard(&s.node[loser].v, text, sizeof(text)), 0);
		say(loser, HF_VIEW_WORD_DISCARD);
		stage_run(&s);
		state(A, HF_VIEW_TOGETHER);
		state(B, HF_VIEW_TOGETHER);
		assert_int_equal(s.node[loser].memory, loser == A ? 'Z' : 'Y');
		assert_int_equal(s.disk.members, 6);
		/* Each has written to the same disks: what was given up is not on them any more. */
		assert_int_equal(s.aptpl, loser == A ? 'Z' : 'Y');
	}
}

/* A's is the newest record, and B is started again rather than told to discard. */
static void who_went_on_beside_another_writes_its_records_before_that_one_joins(void **st)
{
	struct hf_view_event ev = {.kind = HF_VIEW_WORD_ALONE, .may_lose = true};
	struct hf_view_update u;

	both_alone();
	stage_kill(&s, A);
	stage_kill(&s, B);
	stage_start(&s, A); /* not named in B's record */
	stage_run(&s);
	hf_view_step(&s.node[A].v, &ev, &u);
	s.node[A].reading = true;
	stage_run(&s);
	stage_pass_s(&s, 2);
	state(A, HF_VIEW_ALONE);
	s.node[A].memory = 'Y';
	s.aptpl = 'Z'; /* B may have been there all the time */
	stage_start(&s, B);
	stage_link(&s);
	stage_run(&s);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.aptpl, 'Y');
	/* Once is enough. */
	s.aptpl = 'P';
	stage_kill(&s, B);
	stage_silence(&s, A);
	stage_run(&s);
	word(A, HF_VIEW_WORD_PEER_DOWN);
	stage_start(&s, B);
	stage_link(&s);
	stage_run(&s);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.aptpl, 'P');
}

/* Records that cannot be replaced keep the other one out; tried again each second. */
static void who_is_kept_lets_nobody_in_before_its_records_are_out(void **st)
{
	both_alone();
	s.rewrite_fails = true;
	say(B, HF_VIEW_WORD_DISCARD);
	stage_run(&s);
	stage_pass_s(&s, 5);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_JOINING);
	s.rewrite_fails = false;
	stage_pass_s(&s, 1);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.aptpl, 'Y');
}

/* The newcomer is lost while they go out: nothing names it, and no op waits for the rest of them.
 */
static void who_is_lost_while_the_records_go_out_is_gone_at_once(void **st)
{
	struct hf_view_record was;
	unsigned gone;

	both_alone();
	say(B, HF_VIEW_WORD_DISCARD);
	while (!s.node[A].rewriting)
		assert_true(stage_one(&s));
	was = s.disk;
	gone = s.node[A].gone;
	stage_silence(&s, A);
	assert_int_equal(s.node[A].gone, gone + 1);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
	assert_memory_equal(&s.disk, &was, sizeof(was));
	/* They are out, and B joins as soon as it is back. */
	s.rewrite_fails = true;
	stage_silence(&s, B);
	stage_link(&s);
	stage_run(&s);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.aptpl, 'Y');
}

static void discard_is_refused_where_it_would_lose_the_only_copy(void **st)
{
	char text[HF_VIEW_SENTENCE_MAX];

	both_alone();
	stage_cut(&s);
	assert_int_equal(hf_view_may_discard(&s.node[A].v, text, sizeof(text)), -ENOTCONN);
	say(A, HF_VIEW_WORD_DISCARD);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(s.node[A].memory, 'Y');
	stage_begin(&s, false);
	stage_together(&s, 'X');
	assert_int_equal(hf_view_may_discard(&s.node[A].v, text, sizeof(text)), -EINVAL);
}

/* --- fence --- */

static void w13_fence_one_wins_after_fence_and_quiet(void **st)
{
	stage_together(&s, 'X');
	stage_silence(&s, A);
	stage_run(&s);
	state(A, HF_VIEW_RACING);
	assert_false(stage_serves(&s, A));
	assert_int_equal(s.node[A].fence_epoch, 1);
	stage_fenced(&s, A, 0);
	stage_run(&s);
	state(A, HF_VIEW_RACING); /* W13: T has not passed */
	assert_int_equal(s.disk.epoch, 1);
	stage_pass_s(&s, 1);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(s.disk.members, 2);
	assert_int_equal(s.disk.epoch, 2);
	/* The stalled peer wakes up, notices silence, and finds the record. */
	stage_silence(&s, B);
	stage_run(&s);
	state(B, HF_VIEW_OUT);
	stage_link(&s);
	stage_run(&s);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'X');
}

static void fence_quiet_first_then_fenced(void **st)
{
	stage_together(&s, 'X');
	stage_silence(&s, A);
	stage_run(&s);
	stage_pass_s(&s, 5); /* a slow fence agent */
	state(A, HF_VIEW_RACING);
	assert_int_equal(s.disk.epoch, 1);
	stage_fenced(&s, A, 0);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
}

static void fence_the_loser_is_out_and_joins(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	stage_fenced(&s, B, 0);
	stage_fenced(&s, A, -EPERM);
	stage_run(&s);
	state(A, HF_VIEW_OUT);
	assert_int_equal(s.node[A].memory, 0);
	stage_pass_s(&s, 1);
	state(B, HF_VIEW_ALONE);
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[A].memory, 'X');
}

static void fence_that_fails_is_tried_again_each_second(void **st)
{
	stage_together(&s, 'X');
	stage_silence(&s, A);
	stage_run(&s);
	for (unsigned i = 0; i < 3; i++) {
		stage_fenced(&s, A, -EIO);
		stage_run(&s);
		state(A, HF_VIEW_RACING);
		stage_pass_s(&s, 1);
	}
	stage_fenced(&s, A, 0);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
}

static void fence_that_never_works_yields_to_the_operators_word(void **st)
{
	char text[HF_VIEW_SENTENCE_MAX];

	stage_together(&s, 'X');
	stage_silence(&s, A);
	stage_run(&s);
	stage_pass_s(&s, 2);
	assert_int_equal(hf_view_may_peer_down(&s.node[A].v, text, sizeof(text)), 0);
	word(A, HF_VIEW_WORD_PEER_DOWN);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(s.node[A].fence_ended, 1);
	assert_non_null(strstr(s.node[A].v.view.why, "operator"));
}

/* The member stands still before it says so, and the link is lost: it has the state, the newcomer
 * that the record names has none. */
static void inv6_who_was_let_in_and_never_told_does_not_fence_who_let_it_in(void **st)
{
	const struct stage_node *a = &s.node[A], *b = &s.node[B];

	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_silence(&s, A);
	stage_run(&s);
	stage_fenced(&s, A, 0);
	stage_run(&s);
	stage_pass_s(&s, 2);
	expect_state(&s, A, HF_VIEW_ALONE);
	stage_start(&s, B);
	stage_link(&s);
	while (s.disk.incarnations[2] != b->v.incarnation || a->writing)
		assert_true(stage_one(&s));
	s.node[A].deaf = true;
	assert_int_not_equal(b->v.view.state, HF_VIEW_TOGETHER);
	stage_silence(&s, B);
	stage_pass_s(&s, 60);
	assert_false(b->fence_wanted);
	expect_state(&s, B, HF_VIEW_STARTING);
	assert_non_null(strstr(b->v.view.why, "holdfast alone"));
}

static void fence_peer_down_is_refused_in_a_race_with_a_peer_that_talks(void **st)
{
	char sentence[HF_VIEW_SENTENCE_MAX];

	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	stage_link(&s); /* its first message is not here yet */
	assert_int_equal(hf_view_may_peer_down(&s.node[A].v, sentence, sizeof(sentence)), -EBUSY);
	stage_run(&s);
	state(A, HF_VIEW_RACING);
	assert_int_equal(hf_view_may_peer_down(&s.node[A].v, sentence, sizeof(sentence)), -EBUSY);
	assert_non_null(strstr(sentence, "is back"));
}

static void fence_without_the_voting_disks_nobody_goes_on(void **st)
{
	stage_together(&s, 'X');
	s.disk_fails = true;
	stage_cut(&s);
	stage_run(&s);
	stage_pass_s(&s, 20);
	state(A, HF_VIEW_RACING);
	state(B, HF_VIEW_RACING);
	assert_false(s.node[A].fence_wanted); /* the record is read before anyone is shot */
	s.disk_fails = false;
	stage_pass_s(&s, 1);
	assert_true(s.node[A].fence_wanted);
}

static void fence_of_a_peer_that_is_back_with_a_new_incarnation_is_not_needed(void **st)
{
	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_silence(&s, A);
	stage_run(&s);
	assert_true(s.node[A].fence_wanted);
	stage_start(&s, B);
	stage_link(&s);
	stage_run(&s);
	assert_int_equal(s.node[A].fence_ended, 1);
	stage_pass_s(&s, 1);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'X');
}

/* Both hear that the other is down, which is untrue, and begin before either has written: B has
 * read the record, and writes when A has long read back what it wrote itself. */
static void both_told_and_b_writes_late(void)
{
	uint8_t record[HF_VIEW_RECORD_BYTES_MAX];
	struct hf_view_event read = {.kind = HF_VIEW_READ, .record = record};
	struct hf_view_update u;

	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	say(A, HF_VIEW_WORD_PEER_DOWN);
	say(B, HF_VIEW_WORD_PEER_DOWN);
	read.result = hf_view_record_encode(&s.disk, record, sizeof(record));
	hf_view_step(&s.node[B].v, &read, &u);
	assert_int_equal(u.effects[0].kind, HF_VIEW_DO_WRITE);
	s.node[B].reading = false;
	s.node[B].writing = true;
	s.node[B].write = u.effects[0].record;
	s.node[B].deaf = true;
	stage_run(&s);
	assert_int_equal(s.disk.members, 2);
}

static void two_untrue_words_at_once_end_in_one_history(void **st)
{
	unsigned alone = 0, out = 0;

	both_told_and_b_writes_late();
	s.node[B].deaf = false;
	stage_pass_s(&s, 5);
	for (int at = A; at <= B; at++) {
		alone += s.node[at].v.view.state == HF_VIEW_ALONE;
		out += s.node[at].v.view.state == HF_VIEW_OUT;
	}
	assert_int_equal(alone, 1);
	assert_int_equal(out, 1);
	stage_link(&s);
	stage_run(&s);
	stage_pass_s(&s, 2);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
}

/* Both have written at once, under one generation: most voting disks agree on nothing. */
static void two_writes_that_met_are_written_again_until_one_stands(void **st)
{
	unsigned alone = 0, out = 0;

	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	say(A, HF_VIEW_WORD_PEER_DOWN);
	say(B, HF_VIEW_WORD_PEER_DOWN);
	s.tear_write = 2;
	stage_run(&s);
	assert_true(s.record_torn);
	stage_pass_s(&s, 6);
	assert_false(s.record_torn);
	for (int at = A; at <= B; at++) {
		alone += s.node[at].v.view.state == HF_VIEW_ALONE;
		out += s.node[at].v.view.state == HF_VIEW_OUT;
	}
	assert_int_equal(alone, 1);
	assert_int_equal(out, 1);
}

/* B's write met A's, and A's stands: A may have looked at it for the last time. */
static void a_write_that_met_another_one_looks_before_it_is_made_again(void **st)
{
	struct hf_view_record a;

	both_told_and_b_writes_late();
	a = s.disk;
	s.tear_write = 1;
	s.node[B].deaf = false;
	stage_run(&s);
	assert_true(s.record_torn);
	s.record_torn = false;
	s.disk = a;
	stage_pass_s(&s, 1);
	assert_int_equal(s.disk.members, a.members);
	stage_pass_s(&s, 3);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_OUT);
}

/* Both are given a word at once and fail before one of them has written the record again. */
static void both_write_at_once_and_fail(void)
{
	stage_cut(&s);
	stage_run(&s);
	say(A, HF_VIEW_WORD_PEER_DOWN);
	say(B, HF_VIEW_WORD_PEER_DOWN);
	s.tear_write = 2;
	stage_run(&s);
	assert_true(s.record_torn);
	stage_kill(&s, A);
	stage_kill(&s, B);
}

/* ... and then the two start with what the disks keep: there is nobody else. */
static void a_record_that_says_nothing_does_not_keep_two_from_starting(void **st)
{
	s.aptpl = 'P';
	stage_together(&s, 'X');
	both_write_at_once_and_fail();
	stage_start(&s, B);
	stage_pass_s(&s, 20);
	state(B, HF_VIEW_STARTING); /* alone it cannot know */
	say(B, HF_VIEW_WORD_ALONE);
	stage_pass_s(&s, 5);
	state(B, HF_VIEW_STARTING);
	stage_start(&s, A);
	stage_link(&s);
	stage_pass_s(&s, 5);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'P');
	assert_int_equal(s.disk.members, 6);
	assert_true(s.disk.epoch > 1000);
	assert_true(s.node[A].v.view.epoch == s.disk.epoch);
}

/* What lies on the disks of races and leases is of epochs that were counted, each time. */
static void the_epoch_after_it_is_above_all_that_were_counted(void **st)
{
	stage_together(&s, 'X');
	for (unsigned i = 0; i < 3; i++) {
		uint64_t counted;

		both_write_at_once_and_fail();
		counted = HF_MAX(s.node[A].v.wanted.epoch, s.node[B].v.wanted.epoch);
		s.now_ms += 60000;
		stage_start(&s, B);
		stage_start(&s, A);
		stage_link(&s);
		stage_pass_s(&s, 5);
		state(A, HF_VIEW_TOGETHER);
		assert_true(s.disk.epoch > counted);
	}
}

/* The race was won, and before its end an operator's word at the other has written the record. */
static void who_has_won_a_race_looks_whether_another_has_gone_on(void **st)
{
	stage_together(&s, 'X');
	stage_silence(&s, A);
	stage_silence(&s, B);
	stage_run(&s);
	stage_pass_s(&s, 2);
	say(B, HF_VIEW_WORD_PEER_DOWN);
	stage_pass_s(&s, 4);
	state(B, HF_VIEW_ALONE);
	stage_fenced(&s, A, 0);
	stage_run(&s);
	stage_pass_s(&s, 2);
	state(A, HF_VIEW_OUT);
	state(B, HF_VIEW_ALONE);
}

/* A lease that is renewed never runs out: who has lost and joins anew is not waited for. */
static void fence_of_a_peer_that_joins_anew_is_not_needed(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	s.node[B].keep_dirty = true;
	stage_fenced(&s, B, -EPERM);
	stage_link(&s);
	stage_run(&s);
	stage_pass_s(&s, 5);
	state(B, HF_VIEW_OUT); /* what it admitted may be in flight: */
	state(A, HF_VIEW_RACING);
	assert_int_equal(s.node[A].fence_ended, 0);
	s.node[B].keep_dirty = false;
	stage_event(&s, B, HF_VIEW_CLEAN);
	stage_run(&s);
	assert_int_equal(s.node[A].fence_ended, 1);
	stage_pass_s(&s, 1);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'X');
}

static void a_peer_that_is_back_is_let_in_when_the_fence_is_over(void **st)
{
	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_silence(&s, A);
	stage_run(&s);
	s.node[A].fence_slow = true; /* a PREEMPT is on its way to a disk */
	stage_start(&s, B);
	stage_link(&s);
	stage_run(&s);
	stage_pass_s(&s, 5);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_JOINING);
	s.node[A].fence_slow = false;
	stage_event(&s, A, HF_VIEW_FENCE_ENDED);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
}

/* A registration that was lost on one disk is made again: only who stands in the record may (W9).
 */
static void who_has_won_mends_its_fence_when_the_record_stands_and_before_it_serves(void **st)
{
	stage_together(&s, 'X');
	stage_silence(&s, A);
	stage_silence(&s, B);
	stage_run(&s);
	s.node[A].mend_slow = true;
	stage_fenced(&s, A, 0);
	stage_run(&s);
	assert_false(s.node[A].mend_due);
	stage_pass_s(&s, 2);
	assert_true(s.node[A].mend_due);
	assert_int_equal(s.disk.members, 1 << s.node[A].v.id);
	state(A, HF_VIEW_RACING);
	assert_int_equal(s.node[A].fence_ended, 0);
	stage_event(&s, A, HF_VIEW_MENDED);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(s.node[A].fence_ended, 1);
}

/* One disk of three hangs: the fence has worked, and a PREEMPT may still be on its way there. */
static void who_is_back_after_a_fence_that_worked_waits_for_what_it_left(void **st)
{
	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_silence(&s, A);
	stage_run(&s);
	s.node[A].fence_slow = true;
	stage_fenced(&s, A, 0);
	stage_run(&s);
	stage_pass_s(&s, 2);
	state(A, HF_VIEW_ALONE);
	assert_int_equal(s.node[A].fence_ended, 1);
	stage_start(&s, B);
	stage_link(&s);
	stage_run(&s);
	stage_pass_s(&s, 5);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_JOINING);
	s.node[A].fence_slow = false;
	stage_event(&s, A, HF_VIEW_FENCE_ENDED);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
}

static void who_is_back_after_a_fence_that_failed_waits_for_what_it_left(void **st)
{
	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_silence(&s, A);
	stage_run(&s);
	s.node[A].fence_slow = true;
	stage_fenced(&s, A, -EIO);
	stage_run(&s);
	stage_start(&s, B);
	stage_link(&s);
	stage_run(&s);
	assert_int_equal(s.node[A].fence_ended, 1);
	stage_pass_s(&s, 5);
	state(A, HF_VIEW_ALONE);
	state(B, HF_VIEW_JOINING);
	s.node[A].fence_slow = false;
	stage_event(&s, A, HF_VIEW_FENCE_ENDED);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
}

static void who_starts_joins_when_its_own_fence_is_over(void **st)
{
	s.aptpl = 'P';
	stage_together(&s, 'X');
	stage_kill(&s, A);
	stage_kill(&s, B);
	stage_start(&s, B);
	stage_pass_s(&s, 30);
	s.node[B].fence_slow = true;
	stage_start(&s, A);
	stage_link(&s);
	stage_run(&s);
	stage_pass_s(&s, 5);
	state(B, HF_VIEW_STARTING);
	s.node[B].fence_slow = false;
	stage_event(&s, B, HF_VIEW_FENCE_ENDED);
	stage_run(&s);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
}

static void w20_fence_a_restart_is_no_silence(void **st)
{
	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_start(&s, B);
	s.linked = false;
	{
		struct hf_view_event ev = {
			.kind = HF_VIEW_DOWN, .restarted = true, .sentence = "restarted"};
		struct hf_view_update u;

		hf_view_step(&s.node[A].v, &ev, &u);
		s.node[A].reading = true;
	}
	state(A, HF_VIEW_RACING);
	stage_link(&s);
	stage_run(&s);
	assert_false(s.node[A].fence_wanted);
	state(A, HF_VIEW_TOGETHER);
	assert_int_equal(s.node[B].memory, 'X');
}

/* On a slow disk, since before the peer joined: it would lead into the race of an epoch long past.
 */
static void a_read_from_before_the_race_is_done_again(void **st)
{
	struct hf_view_record old;
	uint8_t bytes[256];
	struct hf_view_event ev = {.kind = HF_VIEW_READ, .record = bytes};
	struct hf_view_update u;

	stage_together(&s, 'X');
	old = s.disk;
	old.epoch--;
	ev.result = hf_view_record_encode(&old, bytes, sizeof(bytes));
	s.node[A].v.step = HF_VIEW_READING;
	stage_silence(&s, A);
	state(A, HF_VIEW_RACING);
	hf_view_step(&s.node[A].v, &ev, &u);
	assert_int_equal(s.node[A].v.step, HF_VIEW_READING);
	s.node[A].reading = true;
	stage_run(&s);
	assert_true(s.node[A].fence_wanted);
	assert_int_equal(s.node[A].v.record.epoch, s.disk.epoch);
}

static void fence_a_heal_waits_for_the_end_of_the_race(void **st)
{
	stage_together(&s, 'X');
	stage_cut(&s);
	stage_run(&s);
	stage_link(&s);
	stage_run(&s);
	state(A, HF_VIEW_RACING);
	state(B, HF_VIEW_RACING);
	stage_fenced(&s, A, 0);
	stage_fenced(&s, B, -EPERM);
	stage_run(&s);
	stage_pass_s(&s, 1);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
	assert_int_equal(s.disk.epoch, 3);
}

static void w9_at_the_start_a_living_peer_goes_first(void **st)
{
	s.aptpl = 'P';
	stage_together(&s, 'X');
	stage_kill(&s, B);
	stage_start(&s, B); /* its link is cut, A lives */
	stage_pass_s(&s, 3);
	assert_false(s.node[B].fence_wanted);
	stage_silence(&s, A);
	stage_run(&s);
	stage_fenced(&s, A, 0);
	stage_pass_s(&s, 30);
	state(A, HF_VIEW_ALONE);
	assert_false(s.node[B].fence_wanted); /* W9 (c): not named any more */
	assert_false(stage_serves(&s, B));
}

static void named_in_the_record_it_races_at_the_start(void **st)
{
	s.aptpl = 'P';
	stage_together(&s, 'X');
	stage_kill(&s, A);
	stage_kill(&s, B);
	stage_start(&s, B);
	stage_pass_s(&s, 30);
	assert_true(s.node[B].fence_wanted);
	stage_fenced(&s, B, 0);
	stage_run(&s);
	state(B, HF_VIEW_ALONE);
	assert_int_equal(s.node[B].memory, 'P');
	assert_int_equal(s.disk.members, 4);
}

static void the_peer_that_comes_ends_the_race_at_the_start(void **st)
{
	s.aptpl = 'P';
	stage_together(&s, 'X');
	stage_kill(&s, A);
	stage_kill(&s, B);
	stage_start(&s, B);
	stage_pass_s(&s, 30);
	assert_true(s.node[B].fence_wanted);
	stage_start(&s, A);
	stage_link(&s);
	stage_run(&s);
	assert_int_equal(s.node[B].fence_ended, 1);
	state(A, HF_VIEW_TOGETHER);
	state(B, HF_VIEW_TOGETHER);
}

static void a_start_that_never_was_together_does_not_race(void **st)
{
	stage_start(&s, B);
	stage_pass_s(&s, 120);
	assert_false(s.node[B].fence_wanted);
	state(B, HF_VIEW_STARTING);
}

static void w19_fence_leaving_needs_no_fence(void **st)
{
	stage_together(&s, 'X');
	say(B, HF_VIEW_WORD_LEAVE);
	stage_run(&s);
	state(A, HF_VIEW_ALONE);
	assert_false(s.node[A].fence_wanted);
	/* The same when the link goes before the record is written. */
	stage_begin(&s, true);
	stage_together(&s, 'X');
	s.disk_fails = true;
	say(B, HF_VIEW_WORD_LEAVE);
	stage_run(&s);
	stage_kill(&s, B);
	stage_silence(&s, A);
	s.disk_fails = false;
	stage_pass_s(&s, 2);
	state(A, HF_VIEW_ALONE);
	assert_false(s.node[A].fence_wanted);
}

int main(void)
{
#define FREEZE(f) cmocka_unit_test_setup(f, freeze_policy)
#define FENCE(f)  cmocka_unit_test_setup(f, fence_policy)
	const struct CMUnitTest tests[] = {
		FREEZE(s9_both_empty_the_lower_id_loads_and_the_other_copies),
		FREEZE(s9_lost_in_the_middle_of_a_cold_start_both_begin_again),
		FREEZE(s9_what_cannot_be_read_yet_is_read_again),
		FREEZE(s9_alone_too_what_cannot_be_read_yet_is_read_again),
		FREEZE(a_single_controller_waits_for_its_voting_disks),
		FREEZE(alone_at_the_start_waits_for_a_word),
		FREEZE(a_peer_that_comes_while_the_word_is_looked_at_ends_it),
		FREEZE(who_takes_a_copy_is_shown_as_joining),
		FREEZE(w8_the_survivor_of_yesterday_may_not_go_alone),
		FREEZE(w8_with_the_second_flag_it_may),
		FREEZE(silence_freezes_and_the_heal_changes_no_epoch),
		FREEZE(u11_a_frozen_controller_that_is_struck_off_stops_within_a_second),
		FREEZE(peer_down_is_refused_while_the_peer_is_there),
		FREEZE(peer_down_without_the_voting_disks_changes_nothing),
		FREEZE(a_record_that_may_be_written_is_read_until_it_is_known),
		FREEZE(alone_is_refused_while_the_record_cannot_be_read),
		FREEZE(a_frozen_controller_that_hears_that_it_is_struck_off_joins_anew),
		FREEZE(both_said_peer_down_the_record_knows_one),
		FREEZE(a_heal_while_the_word_is_carried_out_blinds_nobody),
		FREEZE(two_untrue_words_at_once_end_in_one_history),
		FREEZE(two_writes_that_met_are_written_again_until_one_stands),
		FREEZE(a_write_that_met_another_one_looks_before_it_is_made_again),
		FREEZE(a_record_that_says_nothing_does_not_keep_two_from_starting),
		FREEZE(the_epoch_after_it_is_above_all_that_were_counted),
		FREEZE(w20_restart_faster_than_the_heartbeat),
		FREEZE(any_order_of_two_restarts),
		FREEZE(w19_leaving_lets_the_other_go_on_at_once),
		FREEZE(a_joining_controller_lost_on_the_way_serves_nothing),
		FREEZE(a_newcomer_lost_while_the_record_is_written_is_struck_off_again),
		FREEZE(lost_while_the_first_record_is_written_both_begin_again),
		FREEZE(s5_who_takes_another_for_dominant_is_not_let_in),
		FREEZE(who_leaves_waits_for_the_others_answer_no_longer_than_five_seconds),
		FREEZE(out_joins_when_nothing_of_it_is_in_flight),
		FREEZE(inv4_out_goes_alone_when_nothing_of_it_is_in_flight),
		FREEZE(two_that_went_on_alone_wait_for_discard),
		FREEZE(who_went_on_beside_another_writes_its_records_before_that_one_joins),
		FREEZE(who_is_kept_lets_nobody_in_before_its_records_are_out),
		FREEZE(who_is_lost_while_the_records_go_out_is_gone_at_once),
		FREEZE(discard_is_refused_where_it_would_lose_the_only_copy),
		FENCE(w13_fence_one_wins_after_fence_and_quiet),
		FENCE(fence_quiet_first_then_fenced),
		FENCE(fence_the_loser_is_out_and_joins),
		FENCE(fence_that_fails_is_tried_again_each_second),
		FENCE(fence_that_never_works_yields_to_the_operators_word),
		FENCE(inv6_who_was_let_in_and_never_told_does_not_fence_who_let_it_in),
		FENCE(fence_peer_down_is_refused_in_a_race_with_a_peer_that_talks),
		FENCE(fence_without_the_voting_disks_nobody_goes_on),
		FENCE(fence_of_a_peer_that_is_back_with_a_new_incarnation_is_not_needed),
		FENCE(who_has_won_a_race_looks_whether_another_has_gone_on),
		FENCE(fence_of_a_peer_that_joins_anew_is_not_needed),
		FENCE(a_peer_that_is_back_is_let_in_when_the_fence_is_over),
		FENCE(who_has_won_mends_its_fence_when_the_record_stands_and_before_it_serves),
		FENCE(who_is_back_after_a_fence_that_worked_waits_for_what_it_left),
		FENCE(who_is_back_after_a_fence_that_failed_waits_for_what_it_left),
		FENCE(who_starts_joins_when_its_own_fence_is_over),
		FENCE(w20_fence_a_restart_is_no_silence),
		FENCE(a_read_from_before_the_race_is_done_again),
		FENCE(fence_a_heal_waits_for_the_end_of_the_race),
		FENCE(w9_at_the_start_a_living_peer_goes_first),
		FENCE(named_in_the_record_it_races_at_the_start),
		FENCE(the_peer_that_comes_ends_the_race_at_the_start),
		FENCE(a_start_that_never_was_together_does_not_race),
		FENCE(w19_fence_leaving_needs_no_fence),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
