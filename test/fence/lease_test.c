/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leases: two machines or three, a register each, and a watchdog each that resets its machine.
 * Processes stop and go on, disks are slow or fail; at no time may one be told that the other is
 * gone while the other's watchdog still lets it run.
 */
#include "lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define MS    UINT64_C(1000000)
#define W     (1000 * MS)
#define PATH  (500 * MS)
#define EPOCH 7

enum { MACHINES = 3 };

struct machine {
	struct hf_lease lease;
	struct hf_lease_effect e;
	bool io; /* e.write or e.read is under way */
	bool reset, stopped;
	uint64_t fed_ns, due_ns, tick_ns, fenced_ns;
};

struct world {
	struct machine m[MACHINES];
	int len;
	uint8_t disk[MACHINES][HF_LEASE_BYTES];
	bool written[MACHINES], failing;
	uint64_t now;
	uint64_t seed;
};

static struct world w;

static uint64_t dice(uint64_t n)
{
	w.seed ^= w.seed << 13;
	w.seed ^= w.seed >> 7;
	w.seed ^= w.seed << 17;
	return w.seed % n;
}

static void take(int i, struct hf_lease_effect e)
{
	struct machine *m = &w.m[i];

	if (e.feed)
		m->fed_ns = w.now;
	if (e.fenced && !m->fenced_ns)
		m->fenced_ns = w.now;
	if (!e.write && !e.read)
		return;
	m->e = e;
	m->io = true;
	m->due_ns = w.now + (1 + dice(20)) * MS;
}

static void step(int i, enum hf_lease_event_kind kind)
{
	uint64_t incarnations[HF_CONTROLLER_IDS] = {0};
	struct hf_lease_event ev = {
		.kind = kind, .now_ns = w.now, .epoch = EPOCH, .incarnations = incarnations};

	for (int k = 0; k < w.len; k++) {
		incarnations[k + 1] = (uint64_t)k + 1;
		ev.ids |= k != i ? 2u << k : 0;
	}

	take(i, hf_lease_step(&w.m[i].lease, &ev));
}

static void begin_with(int len)
{
	memset(&w, 0, sizeof(w));
	w.seed = 0x1234567;
	w.now = W;
	w.len = len;
	for (int i = 0; i < len; i++) {
		hf_lease_init(&w.m[i].lease, (uint64_t)(i + 1), W, PATH);
		w.m[i].lease.others = ((2u << len) - 2) & ~(2u << i);
		w.m[i].fed_ns = w.m[i].tick_ns = w.now;
	}
}

static void begin(void)
{
	begin_with(2);
}

static void io_done(int i)
{
	struct machine *m = &w.m[i];
	int which = m->e.write ? i : m->e.id - 1;
	struct hf_lease_event ev = {
		.kind = m->e.write ? HF_LEASE_WRITTEN : HF_LEASE_READ, .now_ns = w.now};

	m->io = false;
	if (w.failing) {
		ev.result = -EIO;
	} else if (m->e.write) {
		memcpy(w.disk[i], m->e.buf, HF_LEASE_BYTES);
		w.written[i] = true;
	} else {
		ev.buf = w.disk[which];
		ev.result = w.written[which] ? HF_LEASE_BYTES : 0;
	}
	take(i, hf_lease_step(&m->lease, &ev));
}

/* Whoever is told that the others are gone: each has been reset, or said so. */
static void the_others_are_gone(int i)
{
	for (int k = 0; k < w.len; k++)
		if (k != i && !w.m[k].reset)
			assert_true(w.m[k].lease.own.clear_epoch >= EPOCH ||
				    w.m[k].lease.own.incarnation != (uint64_t)(k + 1));
}

static void pass_ms(unsigned ms)
{
	for (; ms; ms--) {
		w.now += MS;
		for (int i = 0; i < w.len; i++) {
			struct machine *m = &w.m[i];

			if (!m->reset && w.now - m->fed_ns > W)
				m->reset = true;
			if (m->reset || m->stopped)
				continue;
			if (m->io && m->due_ns <= w.now)
				io_done(i);
			if (m->tick_ns <= w.now) {
				m->tick_ns = w.now + W / 4;
				step(i, HF_LEASE_TICK);
			}
		}
		for (int i = 0; i < w.len; i++)
			if (w.m[i].fenced_ns == w.now)
				the_others_are_gone(i);
	}
}

static void both_renew_and_nobody_is_reset(void **state)
{
	begin();
	pass_ms(20000);
	assert_false(w.m[0].reset || w.m[1].reset);
	assert_int_equal(w.m[0].lease.peers[2].record.incarnation, 2);
}

static void w11_a_stopped_process_is_waited_for_until_it_must_have_been_reset(void **state)
{
	uint64_t stopped;

	begin();
	pass_ms(5000);
	w.m[1].stopped = true;
	stopped = w.now;
	pass_ms(1000); /* noticed */
	step(0, HF_LEASE_FENCE);
	while (!w.m[0].fenced_ns)
		pass_ms(1);
	assert_true(w.m[1].reset);
	assert_true(w.m[0].fenced_ns - stopped >= W + PATH);
	assert_true(w.m[0].fenced_ns - stopped < 3 * W + PATH);
	printf("told %llu ms after the stop, %llu ms after the silence was noticed\n",
		(unsigned long long)((w.m[0].fenced_ns - stopped) / MS),
		(unsigned long long)((w.m[0].fenced_ns - stopped) / MS - 1000));
	w.m[1].stopped = false; /* SIGCONT: too late, the machine is gone */
	pass_ms(100);
}

/* It began before the victim wrote its lease: what it finds is of the one before. */
static void a_read_from_before_the_fence_ends_no_wait(void **state)
{
	uint8_t old[HF_LEASE_BYTES];
	const struct hf_lease_record before = {.incarnation = 99, .counter = 5};
	struct hf_lease_event ev = {.kind = HF_LEASE_READ, .buf = old, .result = HF_LEASE_BYTES};

	begin();
	while (!w.m[0].io || !w.m[0].e.read)
		pass_ms(1);
	w.m[1].stopped = true;
	hf_lease_record_encode(&before, old);
	w.now += W;
	ev.now_ns = w.now;
	w.m[0].lease.read_ns = w.now; /* as late as it can have begun */
	w.m[0].lease.peers[2] = (struct hf_lease_peer){.known = true, .record = before};
	step(0, HF_LEASE_FENCE);
	assert_false(hf_lease_step(&w.m[0].lease, &ev).fenced);
}

static void a_living_loser_that_does_not_stop_is_waited_for(void **state)
{
	begin();
	pass_ms(5000);
	step(0, HF_LEASE_FENCE);
	pass_ms(60000);
	assert_int_equal(w.m[0].fenced_ns, 0);
}

static void a_loser_that_is_clean_says_so_and_need_not_be_reset(void **state)
{
	uint64_t lost;

	begin();
	pass_ms(5000);
	step(0, HF_LEASE_FENCE);
	step(1, HF_LEASE_LOSE);
	lost = w.now;
	pass_ms(300); /* sessions are dropped, pins end */
	assert_int_equal(w.m[0].fenced_ns, 0);
	step(1, HF_LEASE_CLEAR);
	while (!w.m[0].fenced_ns)
		pass_ms(1);
	assert_true(w.m[0].fenced_ns - lost < 1200 * MS);
	pass_ms(5000);
	assert_false(w.m[1].reset); /* renews again: it may join */
}

static void a_loser_that_cannot_get_clean_is_reset(void **state)
{
	begin();
	pass_ms(5000);
	step(0, HF_LEASE_FENCE);
	step(1, HF_LEASE_LOSE);
	while (!w.m[0].fenced_ns)
		pass_ms(1);
	assert_true(w.m[1].reset);
}

static void disks_that_fail_say_nothing(void **state)
{
	begin();
	pass_ms(5000);
	w.m[1].stopped = true;
	step(0, HF_LEASE_FENCE);
	w.failing = true;
	pass_ms(900);
	assert_int_equal(w.m[0].fenced_ns, 0);
	pass_ms(30000); /* its own lease cannot be renewed: reset, too */
	assert_true(w.m[0].reset);
	assert_int_equal(w.m[0].fenced_ns, 0);
}

static void a_new_incarnation_proves_the_old_one_gone_after_the_bound(void **state)
{
	uint64_t back;

	begin();
	pass_ms(5000);
	hf_lease_init(&w.m[1].lease, 99, W, PATH);
	w.m[1].lease.others = 2;
	w.m[1].io = false;
	back = w.now;
	step(0, HF_LEASE_FENCE);
	while (!w.m[0].fenced_ns)
		pass_ms(1);
	assert_true(w.m[0].fenced_ns - back >= PATH);
	assert_true(w.m[0].fenced_ns - back < PATH + W);
}

static void stops_of_any_length_at_any_moment(void **state)
{
	unsigned told = 0, resets = 0;

	for (unsigned n = 1; n <= 3000; n++) {
		begin();
		w.seed = n * 0x9e3779b97f4a7c15;
		pass_ms((unsigned)dice(3000));
		step(0, HF_LEASE_FENCE);
		for (unsigned k = 0; k < 6; k++) {
			w.m[1].stopped = dice(2);
			pass_ms((unsigned)dice(1500)); /* checks at each step */
		}
		told += w.m[0].fenced_ns != 0;
		resets += w.m[1].reset;
	}
	printf("seeds 1 to 3000: %u resets, %u times told so\n", resets, told);
	assert_true(told > 100 && resets > told);
}

static void of_three_all_missing_ones_have_to_be_gone(void **state)
{
	begin_with(3);
	pass_ms(5000);
	w.m[2].stopped = true;
	step(0, HF_LEASE_FENCE); /* 1 is cut off, and lives; 2 has stopped */
	pass_ms(20000);
	assert_true(w.m[2].reset);
	assert_int_equal(w.m[0].fenced_ns, 0);
	step(1, HF_LEASE_LOSE);
	step(1, HF_LEASE_CLEAR);
	while (!w.m[0].fenced_ns)
		pass_ms(1);
	assert_false(w.m[0].reset || w.m[1].reset);
}

static void another_takes_over_from_who_fenced(void **state)
{
	begin_with(3);
	pass_ms(5000);
	w.m[2].stopped = true;
	step(0, HF_LEASE_FENCE);
	pass_ms(500);
	w.m[0].stopped = true; /* and dies on the way: now both are the victims of the third */
	step(1, HF_LEASE_FENCE);
	while (!w.m[1].fenced_ns)
		pass_ms(1);
	assert_true(w.m[0].reset && w.m[2].reset && !w.m[1].reset);
}

static void a_claim_of_an_earlier_epoch_counts_for_nothing(void **state)
{
	begin_with(3);
	pass_ms(5000);
	w.m[2].lease.own.clear_epoch = EPOCH - 1; /* was out, and serves again since this epoch */
	pass_ms(1000);
	step(0, HF_LEASE_FENCE);
	step(1, HF_LEASE_LOSE);
	step(1, HF_LEASE_CLEAR);
	pass_ms(10000);
	assert_int_equal(w.m[0].fenced_ns, 0);
	w.m[2].stopped = true;
	while (!w.m[0].fenced_ns)
		pass_ms(1);
	assert_true(w.m[2].reset);
}

static void three_stop_for_any_time_at_any_moment(void **state)
{
	unsigned told = 0, resets = 0;

	for (unsigned n = 1; n <= 1500; n++) {
		begin_with(3);
		w.seed = n * 0x9e3779b97f4a7c15;
		pass_ms((unsigned)dice(3000));
		step(0, HF_LEASE_FENCE);
		for (unsigned k = 0; k < 6; k++) {
			w.m[1].stopped = dice(2);
			w.m[2].stopped = dice(2);
			pass_ms((unsigned)dice(1500)); /* checks at each step */
		}
		told += w.m[0].fenced_ns != 0;
		resets += w.m[1].reset + w.m[2].reset;
	}
	printf("seeds 1 to 1500: %u resets, %u times told so\n", resets, told);
	assert_true(told > 50 && resets > told);
}

static void only_whole_records_are_read(void **state)
{
	struct hf_lease_record r = {1, 2, 3}, q;
	uint8_t buf[HF_LEASE_BYTES];

	hf_lease_record_encode(&r, buf);
	assert_int_equal(hf_lease_record_decode(buf, sizeof(buf), &q), 0);
	assert_int_equal(q.incarnation, 1);
	assert_int_equal(q.counter, 2);
	assert_int_equal(q.clear_epoch, 3);
	assert_int_equal(hf_lease_record_decode(buf, 10, &q), -EBADMSG);
	buf[5] ^= 1;
	assert_int_equal(hf_lease_record_decode(buf, sizeof(buf), &q), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_renew_and_nobody_is_reset),
		cmocka_unit_test(w11_a_stopped_process_is_waited_for_until_it_must_have_been_reset),
		cmocka_unit_test(a_read_from_before_the_fence_ends_no_wait),
		cmocka_unit_test(a_living_loser_that_does_not_stop_is_waited_for),
		cmocka_unit_test(a_loser_that_is_clean_says_so_and_need_not_be_reset),
		cmocka_unit_test(a_loser_that_cannot_get_clean_is_reset),
		cmocka_unit_test(disks_that_fail_say_nothing),
		cmocka_unit_test(a_new_incarnation_proves_the_old_one_gone_after_the_bound),
		cmocka_unit_test(stops_of_any_length_at_any_moment),
		cmocka_unit_test(of_three_all_missing_ones_have_to_be_gone),
		cmocka_unit_test(another_takes_over_from_who_fenced),
		cmocka_unit_test(a_claim_of_an_earlier_epoch_counts_for_nothing),
		cmocka_unit_test(three_stop_for_any_time_at_any_moment),
		cmocka_unit_test(only_whole_records_are_read),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
