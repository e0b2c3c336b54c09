/* SPDX-License-Identifier: BSD-3-Clause */
/* Fencing by persistent reservations, against a toy of a disk that keeps registrations. */
#include "pr.h"

#include "endian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { NEXUSES = 3 };

struct disk {
	uint64_t keys[NEXUSES]; /* 0: not registered */
	uint8_t type;		/* 0: not reserved */
	unsigned aborts[NEXUSES];
	bool no_pr, no_type_8, no_abort, no_aptpl, aptpl;
	unsigned commands;
};

static int preempt(struct disk *d, int nexus, uint64_t other)
{
	bool found = false;

	if (d->no_abort)
		return -EOPNOTSUPP;
	for (int i = 0; i < NEXUSES; i++)
		found |= d->keys[i] == other;
	if (!found)
		return -EBADE;
	for (int i = 0; i < NEXUSES; i++) {
		if (d->keys[i] == other && i != nexus) {
			d->keys[i] = 0;
			d->aborts[i]++;
		}
	}
	return 0;
}

static int disk_out(struct disk *d, int nexus, const struct hf_pr_effect *e)
{
	uint64_t key = hf_get_be64(e->list), other = hf_get_be64(e->list + 8);

	if (d->no_aptpl && e->list[20] & 1)
		return -EOPNOTSUPP;
	if (e->action == 6) {
		d->keys[nexus] = other;
		d->aptpl = e->list[20] & 1;
		return 0;
	}
	if (!d->keys[nexus] || d->keys[nexus] != key)
		return -EBADE;
	if (e->action == 5)
		return preempt(d, nexus, other);
	if (e->action == 0) {
		d->keys[nexus] = other;
		return 0;
	}
	assert_int_equal(e->action, 1);
	if (d->type && d->type != e->type)
		return -EBADE;
	d->type = e->type;
	return 0;
}

static int disk_in(const struct disk *d, const struct hf_pr_effect *e, uint8_t *data, size_t *len)
{
	memset(data, 0, e->len);
	*len = 8;
	if (e->action == 2) {
		hf_put_be16(data, 8);
		data[3] = 0x80;
		data[4] = 0xea;
		data[5] = d->no_type_8 ? 0 : 1;
		return 0;
	}
	assert_int_equal(e->action, 0);
	for (int i = 0; i < NEXUSES; i++) {
		if (!d->keys[i])
			continue;
		hf_put_be64(data + *len, d->keys[i]);
		*len += 8;
	}
	hf_put_be32(data + 4, (uint32_t)*len - 8);
	return 0;
}

/* One command and its answer; false: done, *e tells how. */
static bool go(struct disk *d, int nexus, struct hf_pr *p, struct hf_pr_effect *e)
{
	uint8_t data[HF_PR_DATA_BYTES];
	size_t len = 0;
	int result;

	if (e->done)
		return false;
	d->commands++;
	result = d->no_pr ? -EOPNOTSUPP
		 : e->out ? disk_out(d, nexus, e)
			  : disk_in(d, e, data, &len);
	*e = hf_pr_answer(p, result, data, len);
	return true;
}

static int run(struct disk *d, int nexus, struct hf_pr *p, enum hf_pr_job job)
{
	struct hf_pr_effect e = hf_pr_start(p, job);

	while (go(d, nexus, p, &e))
		;
	return e.result;
}

static struct disk d;
static struct hf_pr a, b;

static int two_entered(void **state)
{
	memset(&d, 0, sizeof(d));
	hf_pr_init(&a, hf_pr_key("c", 1, 11));
	hf_pr_init(&b, hf_pr_key("c", 2, 22));
	assert_int_equal(run(&d, 0, &a, HF_PR_ENTER), 0);
	assert_int_equal(run(&d, 1, &b, HF_PR_ENTER), 0);
	return 0;
}

static void both_are_registered_and_none_is_shut_out(void **state)
{
	assert_int_equal(d.keys[0], a.key);
	assert_int_equal(d.keys[1], b.key);
	assert_int_equal(d.type, 8); /* W10: type 7 would let the loser read on */
	assert_true(d.aptpl);
}

static void keys_differ_by_controller_and_incarnation(void **state)
{
	assert_int_not_equal(hf_pr_key("c", 1, 11), hf_pr_key("c", 2, 11));
	assert_int_not_equal(hf_pr_key("c", 1, 11), hf_pr_key("c", 1, 12));
	assert_int_not_equal(hf_pr_key("c", 1, 11), hf_pr_key("d", 1, 11));
	assert_int_not_equal(hf_pr_key("c", 1, UINT64_C(1) << 40), hf_pr_key("c", 1, 0));
}

static void fencing_removes_every_other_key_and_aborts(void **state)
{
	d.keys[2] = 0x77; /* W9: of a restart nobody remembers */
	assert_int_equal(run(&d, 0, &a, HF_PR_FENCE), 0);
	assert_int_equal(d.keys[0], a.key);
	assert_int_equal(d.keys[1], 0);
	assert_int_equal(d.keys[2], 0);
	assert_int_equal(d.aborts[1], 1);
	assert_int_equal(d.type, 8);
	/* Again is harmless. */
	assert_int_equal(run(&d, 0, &a, HF_PR_FENCE), 0);
}

static void who_was_fenced_finds_out_and_does_not_register_again(void **state)
{
	assert_int_equal(run(&d, 1, &b, HF_PR_LOOK), 0);
	assert_int_equal(d.keys[0], a.key); /* looking takes nothing away */
	assert_int_equal(run(&d, 0, &a, HF_PR_FENCE), 0);
	assert_int_equal(run(&d, 1, &b, HF_PR_LOOK), -EBADE);
	assert_int_equal(run(&d, 1, &b, HF_PR_FENCE), -EBADE);
	assert_int_equal(d.keys[1], 0);
	assert_int_equal(d.keys[0], a.key);
	/* A new incarnation may. */
	hf_pr_init(&b, hf_pr_key("c", 2, 23));
	assert_int_equal(run(&d, 1, &b, HF_PR_ENTER), 0);
	assert_int_equal(d.keys[1], b.key);
}

static void who_has_won_elsewhere_takes_a_disk_back_from_the_loser(void **state)
{
	assert_int_equal(run(&d, 1, &b, HF_PR_FENCE), 0);
	assert_int_equal(d.keys[0], 0);
	a.victim = hf_pr_key_beside(a.key, 2, 22);
	assert_int_equal(a.victim, b.key);
	d.keys[2] = 0x77; /* a stranger */
	assert_int_equal(run(&d, 0, &a, HF_PR_TAKE_BACK), 0);
	assert_int_equal(d.keys[0], a.key);
	assert_int_equal(d.keys[1], 0);
	assert_int_equal(d.keys[2], 0);
	assert_int_equal(d.aborts[1], 1);
	assert_int_equal(d.type, HF_PR_TYPE);
	assert_int_equal(run(&d, 0, &a, HF_PR_LOOK), 0);
	assert_int_equal(run(&d, 1, &b, HF_PR_LOOK), -EBADE);
}

/* It has registered in the place of the loser, of which nothing can be in flight there. */
static void the_losers_next_incarnation_is_not_shut_out(void **state)
{
	struct hf_pr c;

	assert_int_equal(run(&d, 1, &b, HF_PR_FENCE), 0);
	hf_pr_init(&c, hf_pr_key("c", 2, 23));
	assert_int_equal(run(&d, 1, &c, HF_PR_ENTER), 0);
	a.victim = b.key;
	assert_int_equal(run(&d, 0, &a, HF_PR_TAKE_BACK), 0);
	assert_int_equal(d.keys[0], a.key);
	assert_int_equal(d.keys[1], c.key);
	assert_int_equal(d.aborts[1], 0);
}

static void a_disk_without_aptpl_is_taken_back_too(void **state)
{
	d.no_aptpl = true;
	assert_int_equal(run(&d, 1, &b, HF_PR_FENCE), 0);
	a.victim = b.key;
	assert_int_equal(run(&d, 0, &a, HF_PR_TAKE_BACK), 0);
	assert_int_equal(d.keys[0], a.key);
	assert_int_equal(d.keys[1], 0);
}

/* The reservation ends with its last registrant, and the one shut out may go on after a stall. */
static void who_has_shut_another_out_keeps_it_out_when_it_leaves(void **state)
{
	assert_int_equal(run(&d, 0, &a, HF_PR_FENCE), 0);
	d.keys[2] = 0x77; /* a stranger lets the other one in, and is no help */
	a.keeps_out = true;
	assert_int_equal(run(&d, 0, &a, HF_PR_LEAVE), 0);
	assert_int_equal(d.keys[0], a.key);
	assert_int_equal(run(&d, 1, &b, HF_PR_LOOK), -EBADE);
}

static void who_leaves_goes_where_a_lower_one_keeps_the_loser_out(void **state)
{
	/* The loser is back, and keeps its earlier incarnation out itself. */
	assert_int_equal(run(&d, 1, &b, HF_PR_FENCE), 0);
	hf_pr_init(&a, hf_pr_key("c", 1, 12));
	assert_int_equal(run(&d, 0, &a, HF_PR_ENTER), 0);
	b.keeps_out = true;
	assert_int_equal(run(&d, 1, &b, HF_PR_LEAVE), 0);
	assert_int_equal(d.keys[1], 0);
	assert_int_equal(d.keys[0], a.key);
}

/* Both have shut out a third one, and each sees the other one, which is about to go, too. */
static void inv4_two_that_leave_at_once_keep_a_third_one_out(void **state)
{
	for (unsigned order = 0; order < 1u << 4; order++) {
		struct hf_pr_effect e[2];
		struct hf_pr *p[2] = {&a, &b};

		two_entered(NULL);
		a.keeps_out = b.keeps_out = true;
		e[0] = hf_pr_start(&a, HF_PR_LEAVE);
		e[1] = hf_pr_start(&b, HF_PR_LEAVE);
		for (unsigned i = 0; i < 4; i++)
			go(&d, (int)(order >> i & 1), p[order >> i & 1], &e[order >> i & 1]);
		for (int i = 0; i < 2; i++) {
			while (go(&d, i, p[i], &e[i]))
				;
			assert_int_equal(e[i].result, 0);
		}
		assert_int_equal(d.keys[0], a.key);
		assert_int_equal(d.keys[1], 0);
	}
}

static void each_interleaving_of_two_fences_has_one_winner(void **state)
{
	unsigned wins[2] = {0, 0};

	for (unsigned order = 0; order < 1u << 14; order++) {
		struct hf_pr_effect e[2];
		struct hf_pr *p[2] = {&a, &b};

		two_entered(NULL);
		e[0] = hf_pr_start(&a, HF_PR_FENCE);
		e[1] = hf_pr_start(&b, HF_PR_FENCE);
		for (unsigned i = 0; i < 14; i++)
			go(&d, (int)(order >> i & 1), p[order >> i & 1], &e[order >> i & 1]);
		for (int i = 0; i < 2; i++)
			while (go(&d, i, p[i], &e[i]))
				;
		assert_int_equal((e[0].result == 0) + (e[1].result == 0), 1);
		assert_int_equal((e[0].result == -EBADE) + (e[1].result == -EBADE), 1);
		wins[e[1].result == 0]++;
	}
	assert_true(wins[0] > 100 && wins[1] > 100);
}

static void disks_that_cannot_fence_are_refused(void **state)
{
	struct hf_pr_effect e;
	struct disk bad[] = {{.no_pr = true}, {.no_type_8 = true}, {.no_abort = true}};

	for (unsigned i = 0; i < 3; i++) {
		hf_pr_init(&a, 5);
		e = hf_pr_start(&a, HF_PR_ENTER);
		while (go(&bad[i], 0, &a, &e))
			;
		assert_int_equal(e.result, -EOPNOTSUPP);
		assert_non_null(e.why);
	}
}

static void a_disk_that_forgets_at_power_loss_is_taken_all_the_same(void **state)
{
	memset(&d, 0, sizeof(d));
	d.no_aptpl = true;
	hf_pr_init(&a, 5);
	assert_int_equal(run(&d, 0, &a, HF_PR_ENTER), 0);
	assert_true(a.no_aptpl);
	assert_int_equal(d.keys[0], 5);
}

static void a_disk_that_somebody_has_reserved_is_not_entered(void **state)
{
	memset(&d, 0, sizeof(d));
	d.keys[2] = 0x99;
	d.type = 1;
	assert_int_equal(run(&d, 0, &a, HF_PR_ENTER), -EBADE);
}

static void leaving_takes_the_registration_away(void **state)
{
	assert_int_equal(run(&d, 1, &b, HF_PR_LEAVE), 0);
	assert_int_equal(d.keys[1], 0);
	assert_int_equal(d.keys[0], a.key);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, two_entered)
	const struct CMUnitTest tests[] = {
		T(both_are_registered_and_none_is_shut_out),
		T(keys_differ_by_controller_and_incarnation),
		T(fencing_removes_every_other_key_and_aborts),
		T(who_was_fenced_finds_out_and_does_not_register_again),
		T(who_has_won_elsewhere_takes_a_disk_back_from_the_loser),
		T(the_losers_next_incarnation_is_not_shut_out),
		T(a_disk_without_aptpl_is_taken_back_too),
		T(who_has_shut_another_out_keeps_it_out_when_it_leaves),
		T(who_leaves_goes_where_a_lower_one_keeps_the_loser_out),
		T(inv4_two_that_leave_at_once_keep_a_third_one_out),
		T(each_interleaving_of_two_fences_has_one_winner),
		T(disks_that_cannot_fence_are_refused),
		T(a_disk_that_forgets_at_power_loss_is_taken_all_the_same),
		T(a_disk_that_somebody_has_reserved_is_not_entered),
		T(leaving_takes_the_registration_away),
	};

	return cmocka_run_group_tests_name("pr", tests, NULL, NULL);
}
