/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The race over the voting disks: every interleaving of two machines over a register each, with
 * writes that fail or stay in doubt, crashes and restarts; and what must be true of all of them.
 */
#include "race.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { EPOCH = 7 };

struct racer {
	struct hf_race race;
	struct hf_race_effect e; /* under way */
	bool told;
	enum hf_race_result result;
};

struct stage {
	struct racer r[2];
	uint8_t disk[2][HF_RACE_BYTES];
	int len[2];
	int winner; /* -1: nobody was told WON yet */
};

static void start_at(struct stage *s, int i, uint64_t epoch, bool overrule)
{
	struct hf_race_event ev = {.kind = HF_RACE_START, .epoch = epoch, .overrule = overrule};

	s->r[i].told = false;
	s->r[i].e = hf_race_step(&s->r[i].race, &ev);
}

static void begin(struct stage *s)
{
	memset(s, 0, sizeof(*s));
	s->winner = -1;
	for (int i = 0; i < 2; i++)
		hf_race_init(&s->r[i].race, (uint8_t)(i + 1), (uint8_t)(2 - i));
}

static void both_start(struct stage *s)
{
	begin(s);
	start_at(s, 0, EPOCH, false);
	start_at(s, 1, EPOCH, false);
}

enum how { WELL, FAILS, IN_DOUBT };

/* Carries out what racer i has under way; false: nothing is. */
static bool go(struct stage *s, int i, enum how how)
{
	struct racer *r = &s->r[i];
	struct hf_race_event ev = {.kind = HF_RACE_READ};
	int which = r->e.kind == HF_RACE_DO_READ_PEER ? 1 - i : i;

	switch (r->e.kind) {
	case HF_RACE_DO_NOTHING:
	case HF_RACE_DO_TELL:
		return false;
	case HF_RACE_DO_READ_OWN:
	case HF_RACE_DO_READ_PEER:
		ev.buf = s->disk[which];
		ev.result = how == WELL ? s->len[which] : -EIO;
		break;
	case HF_RACE_DO_WRITE:
		ev.kind = HF_RACE_WRITTEN;
		ev.result = how == WELL ? 0 : how == FAILS ? -EIO : -EINPROGRESS;
		if (how != FAILS) {
			memcpy(s->disk[i], r->e.buf, HF_RACE_BYTES);
			s->len[i] = HF_RACE_BYTES;
		}
		break;
	case HF_RACE_DO_WAIT:
		ev.kind = HF_RACE_TIMER;
		break;
	}
	r->e = hf_race_step(&r->race, &ev);
	if (r->e.kind == HF_RACE_DO_TELL) {
		r->told = true;
		r->result = r->e.result;
		if (r->result == HF_RACE_WON) {
			assert_true(s->winner == -1 || s->winner == i); /* exactly one, for ever */
			s->winner = i;
		} else if (r->result == HF_RACE_LOST) {
			assert_true(s->winner != i);
			s->winner = 1 - i;
		}
	}
	return true;
}

static void alone_it_wins(void **state)
{
	struct stage s;

	begin(&s);
	start_at(&s, 1, EPOCH, false);
	while (go(&s, 1, WELL))
		;
	assert_int_equal(s.r[1].result, HF_RACE_WON);
	/* Asked again, also after a restart, it is the same. */
	hf_race_init(&s.r[1].race, 2, 1);
	start_at(&s, 1, EPOCH, false);
	while (go(&s, 1, WELL))
		;
	assert_int_equal(s.r[1].result, HF_RACE_WON);
	/* And the other one, later, hears that it has lost. */
	start_at(&s, 0, EPOCH, false);
	while (go(&s, 0, WELL))
		;
	assert_int_equal(s.r[0].result, HF_RACE_LOST);
}

static unsigned long paths;

static void explore(const struct stage *from, unsigned depth)
{
	bool end = true;

	if (depth == 0)
		return;
	for (int i = 0; i < 2; i++) {
		struct stage s = *from;

		if (!go(&s, i, WELL))
			continue;
		end = false;
		explore(&s, depth - 1);
	}
	if (!end)
		return;
	paths++;
	assert_true(from->r[0].told && from->r[1].told);
	assert_int_equal(
		(from->r[0].result == HF_RACE_WON) + (from->r[1].result == HF_RACE_WON), 1);
	assert_int_equal(
		(from->r[0].result == HF_RACE_LOST) + (from->r[1].result == HF_RACE_LOST), 1);
}

static void each_interleaving_has_exactly_one_winner(void **state)
{
	struct stage s;

	both_start(&s);
	explore(&s, 19);
	printf("%lu interleavings came to an end within 19 steps\n", paths);
	assert_true(paths > 1000);
}

static uint64_t seed_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void faults_crashes_and_restarts_make_no_second_winner(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15;
	unsigned wins[2] = {0, 0}, none = 0;

	printf("seed %llx\n", (unsigned long long)seed);
	for (unsigned n = 0; n < 20000; n++) {
		struct stage s;

		both_start(&s);
		for (unsigned k = 0; k < 120; k++) {
			uint64_t dice = seed_next(&seed);
			int i = (int)(dice & 1);
			unsigned fault = (unsigned)(dice >> 8) % 16;

			if (fault == 0) { /* dies with what it has under way, starts again */
				hf_race_init(&s.r[i].race, (uint8_t)(i + 1), (uint8_t)(2 - i));
				start_at(&s, i, EPOCH, false);
			} else if (!go(&s, i, fault == 1 ? FAILS : fault == 2 ? IN_DOUBT : WELL)) {
				s.r[i].race.step = HF_RACE_IDLE;
				start_at(&s, i, EPOCH, false);
			}
		}
		if (s.winner < 0)
			none++;
		else
			wins[s.winner]++;
	}
	printf("won by 1: %u, by 2: %u, undecided: %u\n", wins[0], wins[1], none);
	assert_true(wins[0] > 1000 && wins[1] > 1000);
}

static void without_faults_it_ends_soon(void **state)
{
	/* Both in step, which is the worst: whoever waits shorter gets through. */
	struct stage s;
	uint64_t wake[2] = {0, 0}, now = 0;

	both_start(&s);
	for (unsigned k = 0; k < 200 && !(s.r[0].told && s.r[1].told); k++) {
		now += 1000000;
		for (int i = 0; i < 2; i++) {
			if (wake[i] > now)
				continue;
			go(&s, i, WELL);
			if (s.r[i].e.kind == HF_RACE_DO_WAIT)
				wake[i] = now + s.r[i].e.wait_ns;
		}
	}
	assert_true(s.r[0].told && s.r[1].told);
	assert_true(now < 150000000);
}

static void a_later_epoch_ends_a_race_for_an_earlier_one(void **state)
{
	struct stage s;

	begin(&s);
	start_at(&s, 0, EPOCH + 1, false);
	while (go(&s, 0, WELL))
		;
	start_at(&s, 1, EPOCH, false);
	while (go(&s, 1, WELL))
		;
	assert_int_equal(s.r[1].result, HF_RACE_OVER);
	/* And the new epoch is a new race. */
	s.winner = -1;
	start_at(&s, 1, EPOCH + 2, false);
	while (go(&s, 1, WELL))
		;
	assert_int_equal(s.r[1].result, HF_RACE_WON);
}

static void a_winner_that_does_not_go_on_is_overruled_by_a_new_round(void **state)
{
	struct stage s;

	begin(&s);
	start_at(&s, 0, EPOCH, false);
	while (go(&s, 0, WELL))
		;
	start_at(&s, 1, EPOCH, false);
	while (go(&s, 1, WELL))
		;
	assert_int_equal(s.r[1].result, HF_RACE_LOST);
	s.winner = -1;
	start_at(&s, 1, EPOCH, true);
	while (go(&s, 1, WELL))
		;
	assert_int_equal(s.r[1].result, HF_RACE_WON);
	/* The winner of before, asking again, finds the new round and its winner. */
	start_at(&s, 0, EPOCH, false);
	while (go(&s, 0, WELL))
		;
	assert_int_equal(s.r[0].result, HF_RACE_LOST);
}

static void disks_that_fail_decide_nothing(void **state)
{
	struct stage s;

	both_start(&s);
	go(&s, 0, FAILS);
	assert_int_equal(s.r[0].result, HF_RACE_FAILED);
	start_at(&s, 0, EPOCH, false);
	go(&s, 0, WELL);
	go(&s, 0, FAILS);
	assert_int_equal(s.r[0].result, HF_RACE_FAILED);
	while (go(&s, 1, WELL))
		;
	assert_int_equal(s.r[1].result, HF_RACE_WON);
}

static void only_whole_parts_are_read(void **state)
{
	struct hf_race_part p = {.epoch = 3, .round = 1, .mbal = 0x201, .bal = 0x102, .value = 2},
			    q;
	uint8_t buf[HF_RACE_BYTES];

	hf_race_part_encode(&p, buf);
	assert_int_equal(hf_race_part_decode(buf, sizeof(buf), &q), 0);
	assert_int_equal(q.epoch, p.epoch);
	assert_int_equal(q.round, p.round);
	assert_int_equal(q.mbal, p.mbal);
	assert_int_equal(q.bal, p.bal);
	assert_int_equal(q.value, p.value);
	assert_int_equal(hf_race_part_decode(buf, sizeof(buf) - 1, &q), -EBADMSG);
	buf[0] ^= 1;
	assert_int_equal(hf_race_part_decode(buf, sizeof(buf), &q), -EBADMSG);
	p.bal = 0; /* a value without a ballot */
	hf_race_part_encode(&p, buf);
	assert_int_equal(hf_race_part_decode(buf, sizeof(buf), &q), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_it_wins),
		cmocka_unit_test(each_interleaving_has_exactly_one_winner),
		cmocka_unit_test(faults_crashes_and_restarts_make_no_second_winner),
		cmocka_unit_test(without_faults_it_ends_soon),
		cmocka_unit_test(a_later_epoch_ends_a_race_for_an_earlier_one),
		cmocka_unit_test(a_winner_that_does_not_go_on_is_overruled_by_a_new_round),
		cmocka_unit_test(disks_that_fail_decide_nothing),
		cmocka_unit_test(only_whole_parts_are_read),
	};

	return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
