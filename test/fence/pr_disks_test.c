/* SPDX-License-Identifier: BSD-3-Clause */
/* The fence driver pr over several disks, whose answers the test gives one by one, in virtual time.
 */
#include "fence_int.h"

#include "endian.h"
#include "loop_sim.h"
#include "pr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { DISKS = 4, VOTING = 3, READ_KEYS = 0, RESERVE = 1, PREEMPT = 5, TAKE = 6 };

#define MS UINT64_C(1000000)

#define OWN   UINT64_C(0x1111)
#define OLD   UINT64_C(0x2221)
#define NEWER UINT64_C(0x2222)

static struct disk {
	struct hf_pdev pdev;
	struct hf_label label;
	struct hf_pdev_pr *out;
	uint64_t keys[4];
	unsigned looks, preempts, unfenced;
	bool hangs; /* accepts commands and never answers */
} disks[DISKS];

static struct hf_loop *loop;
static struct hf_fence *fence;
static unsigned told;
static int result;

/* --- what the fence finds below --- */

unsigned hf_pool_len(const struct hf_pool *pool)
{
	return DISKS;
}

unsigned hf_pool_voting(const struct hf_pool *pool)
{
	return VOTING;
}

const struct hf_label *hf_pool_label(const struct hf_pool *pool, unsigned i)
{
	return &disks[i].label;
}

struct hf_pdev *hf_pool_pdev(const struct hf_pool *pool, unsigned i)
{
	return &disks[i].pdev;
}

void hf_pool_record_submit(struct hf_pool *pool, struct hf_record_io *io)
{
	fail_msg("this fence needs no record");
}

size_t hf_record_capacity(enum hf_record_kind kind)
{
	return 4096;
}

/* Nor a watchdog. */
int hf_fence_watchdog_open(struct hf_fence_watchdog *w, const char *path, uint32_t ms,
	char *message, size_t message_len)
{
	fail_msg("this fence needs no watchdog");
	return -EINVAL;
}

void hf_fence_watchdog_feed(struct hf_fence_watchdog *w)
{
}

void hf_fence_watchdog_close(struct hf_fence_watchdog *w)
{
}

static void disk_takes(struct hf_pdev *pdev, struct hf_pdev_pr *pr)
{
	struct disk *d = hf_container_of(pdev, struct disk, pdev);

	assert_null(d->out);
	d->out = pr;
	d->looks += !pr->out;
}

static const struct hf_pdev_ops disk_ops = {.pr = disk_takes};

static bool drop(struct disk *d, uint64_t key)
{
	for (unsigned i = 0; i < HF_ARRAY_LEN(d->keys); i++) {
		if (d->keys[i] != key)
			continue;
		d->keys[i] = 0;
		return true;
	}
	return false;
}

static void list_keys(const struct disk *d, struct hf_pdev_pr *pr)
{
	size_t len = 8;

	memset(pr->buf, 0, 8);
	for (unsigned i = 0; i < HF_ARRAY_LEN(d->keys); i++) {
		if (!d->keys[i])
			continue;
		hf_put_be64(pr->buf + len, d->keys[i]);
		len += 8;
	}
	hf_put_be32(pr->buf + 4, (uint32_t)len - 8);
	pr->ret_len = len;
}

/* The disk carries out what has been sent to it, and answers. */
static void answer(struct disk *d)
{
	struct hf_pdev_pr *pr = d->out;
	int r = 0;

	assert_non_null(pr);
	d->out = NULL;
	if (!pr->out) {
		list_keys(d, pr);
	} else if (pr->action == PREEMPT) {
		d->preempts++;
		r = drop(d, hf_get_be64(pr->buf + 8)) ? 0 : -EBADE;
	} else if (pr->action == TAKE) {
		drop(d, hf_get_be64(pr->buf + 8));
		for (unsigned i = 0; i < HF_ARRAY_LEN(d->keys); i++) {
			if (d->keys[i])
				continue;
			d->keys[i] = hf_get_be64(pr->buf + 8);
			break;
		}
	} else if (pr->action != RESERVE) {
		drop(d, hf_get_be64(pr->buf)); /* LEAVE */
	}
	pr->done(pr, r);
}

static void answer_all(unsigned from, unsigned to)
{
	for (bool any = true; any;) {
		any = false;
		for (unsigned i = from; i < to; i++) {
			if (!disks[i].out || disks[i].hangs)
				continue;
			answer(&disks[i]);
			any = true;
		}
	}
}

/* --- */

static void done(void *owner, int r, const char *why)
{
	told++;
	result = r;
}

static void unfenced(void *owner, struct hf_pdev *pdev, const char *disk)
{
	hf_container_of(pdev, struct disk, pdev)->unfenced++;
}

static unsigned ended, checked, mended;

static bool is_preempting(const struct disk *d)
{
	return d->out && d->out->out && d->out->action == PREEMPT;
}

static void note_ended(void *owner)
{
	ended++;
	for (unsigned i = 0; i < DISKS; i++) /* nothing can hit anybody any more */
		assert_false(is_preempting(&disks[i]));
}

static void note_mended(void *owner)
{
	mended++;
}

static void note_checked(void *owner)
{
	checked++;
}

static const struct hf_fence_ops ops = {.done = done,
	.unfenced = unfenced,
	.mended = note_mended,
	.ended = note_ended,
	.checked = note_checked};

static uint64_t own = OWN;

static int set_up_with(uint8_t peer_id)
{
	struct hf_fence_config c = {.kind = HF_FENCE_PR,
		.id = 1,
		.peer_id = peer_id,
		.others = 1 << 2 | 1 << 3,
		.key = own};
	char message[200];

	memset(disks, 0, sizeof(disks));
	told = ended = checked = mended = 0;
	result = 1;
	for (unsigned i = 0; i < DISKS; i++) {
		disks[i].pdev.ops = &disk_ops;
		disks[i].label.voting = i < VOTING;
		disks[i].keys[0] = own;
		disks[i].keys[1] = OLD;
	}
	assert_int_equal(hf_loop_create(0, NULL, &loop), 0);
	assert_int_equal(
		hf_fence_create(&c, loop, NULL, &ops, NULL, &fence, message, sizeof(message)), 0);
	return 0;
}

static int set_up(void **state)
{
	own = OWN;
	return set_up_with(2);
}

static struct hf_msg later;

static void answer_later(struct hf_msg *msg)
{
	bool any = false;

	for (unsigned i = 0; i < DISKS; i++)
		disks[i].hangs = false;
	answer_all(0, DISKS);
	for (unsigned i = 0; i < DISKS; i++)
		any |= disks[i].keys[0] == own;
	if (any)
		hf_loop_post(loop, msg);
}

static int tear_down(void **state)
{
	hf_fence_serve(fence, UINT32_MAX); /* else it would keep out whom it has fenced */
	later.run = answer_later;
	hf_loop_post(loop, &later);
	hf_fence_destroy(fence);
	for (unsigned i = 0; i < DISKS; i++)
		assert_true(disks[i].keys[0] != own);
	hf_loop_destroy(loop);
	return 0;
}

static void restart_of_the_peer(void)
{
	for (unsigned i = 0; i < DISKS; i++) {
		drop(&disks[i], OLD);
		disks[i].keys[2] = NEWER;
	}
}

static void keys_of_the_newer_are_there(void)
{
	for (unsigned i = 0; i < DISKS; i++)
		assert_int_equal(disks[i].keys[2], NEWER);
}

static void nothing_is_unfenced(void)
{
	for (unsigned i = 0; i < DISKS; i++)
		assert_int_equal(disks[i].unfenced, 0);
}

static void the_peer_is_shut_out_of_every_disk(void **state)
{
	hf_fence_start(fence, 7, 1, false);
	answer_all(0, VOTING);
	assert_int_equal(told, 0);
	answer_all(VOTING, DISKS);
	assert_int_equal(told, 1);
	assert_int_equal(result, 0);
	for (unsigned i = 0; i < DISKS; i++)
		assert_int_equal(disks[i].keys[1], 0);
	nothing_is_unfenced();
}

static void an_ended_fence_leaves_the_newer_incarnation_alone(void **state)
{
	hf_fence_start(fence, 7, 1, false);
	for (unsigned i = 0; i < VOTING; i++)
		answer(&disks[i]); /* the keys; PREEMPT of the old one is out */
	restart_of_the_peer();
	assert_false(hf_fence_end(fence));
	answer_all(0, VOTING - 1);
	assert_int_equal(ended, 0); /* the last PREEMPT is still on its way */
	answer_all(0, DISKS);
	assert_int_equal(told, 0);
	assert_int_equal(ended, 1);
	assert_true(hf_fence_end(fence));
	keys_of_the_newer_are_there();
	/* And when it is just reading keys, the newer one among them. */
	hf_fence_start(fence, 8, 2, false);
	hf_fence_end(fence);
	answer_all(0, DISKS);
	keys_of_the_newer_are_there();
}

static void an_ended_fence_does_not_go_on_to_the_data_disks(void **state)
{
	hf_fence_start(fence, 7, 1, false);
	answer_all(0, VOTING - 2); /* with one more it would be decided */
	hf_fence_end(fence);
	answer_all(0, VOTING);
	assert_null(disks[VOTING].out);
	assert_int_equal(told, 0);
}

static void a_fence_begun_while_an_ended_one_is_out_does_all_of_it(void **state)
{
	hf_fence_start(fence, 7, 1, false);
	answer_all(0, VOTING - 1); /* two of three are won, the third is slow */
	hf_fence_end(fence);
	restart_of_the_peer();
	hf_fence_start(fence, 8, 2, false);
	answer_all(0, DISKS);
	assert_int_equal(told, 1);
	assert_int_equal(result, 0);
	for (unsigned i = 0; i < DISKS; i++)
		assert_int_equal(disks[i].keys[2], 0);
}

/* More than two: a key of this cluster contains whose it is. */
static void by_quorum_the_missing_are_shut_out_and_strangers(void **state)
{
	const uint64_t second = hf_pr_key("c", 2, 7), third = hf_pr_key("c", 3, 8),
		       newer = hf_pr_key("c", 3, 9), stranger = 0x99;
	uint64_t incarnations[HF_CONTROLLER_IDS] = {[1] = 6, [2] = 7, [3] = 8};

	tear_down(NULL);
	own = hf_pr_key("c", 1, 6);
	set_up_with(0);
	for (unsigned i = 0; i < DISKS; i++) {
		disks[i].keys[0] = own;
		disks[i].keys[1] = second;
		disks[i].keys[2] = third;
		disks[i].keys[3] = i % 2 ? newer : stranger;
	}
	hf_fence_start_ids(fence, 7, 1u << 3, incarnations);
	answer_all(0, DISKS);
	assert_int_equal(told, 1);
	assert_int_equal(result, 0);
	for (unsigned i = 0; i < DISKS; i++) {
		assert_true(disks[i].keys[0] == own);
		assert_true(disks[i].keys[1] == second);
		assert_int_equal(disks[i].keys[2], 0);
		assert_int_equal(disks[i].keys[3], 0);
	}
	/* Another part may serve what lies on a disk that was not fenced: it is no success. */
	disks[DISKS - 1].keys[2] = third;
	drop(&disks[DISKS - 1], own);
	for (unsigned n = 2; n < 6; n++) {
		hf_fence_start_ids(fence, 7, 1u << 3, incarnations);
		answer_all(0, DISKS);
		assert_int_equal(told, n);
		assert_int_equal(result, -EIO);
	}
}

/* A fence of another part that did not get further: this one cannot fence, nor read, that disk. */
static void by_quorum_who_is_shut_out_of_one_disk_ends(void **state)
{
	hf_fence_look(fence);
	drop(&disks[0], own);
	answer_all(0, DISKS);
	assert_int_equal(told, 0); /* of a pair the race decides */
	tear_down(NULL);
	own = hf_pr_key("c", 1, 6);
	set_up_with(0);
	hf_fence_look(fence);
	answer_all(0, DISKS);
	assert_int_equal(told, 0);
	drop(&disks[0], own);
	hf_fence_look(fence);
	answer_all(0, DISKS);
	assert_int_equal(told, 1);
	assert_int_equal(result, -EPERM);
}

static void a_check_looks_at_every_disk(void **state)
{
	hf_fence_check(fence);
	answer_all(0, DISKS);
	assert_int_equal(checked, 1);
	hf_fence_check(fence);
	answer_all(0, 1);
	hf_fence_check(fence); /* what has been seen is too old */
	answer_all(0, DISKS);
	assert_int_equal(checked, 2);
	drop(&disks[DISKS - 1], OWN); /* one that does not vote */
	hf_fence_check(fence);
	answer_all(0, DISKS);
	assert_int_equal(checked, 2);
	assert_int_equal(told, 1);
	assert_int_equal(result, -EPERM);
}

static void who_was_fenced_finds_out_by_itself(void **state)
{
	while (!disks[0].out)
		assert_int_equal(hf_loop_run_once(loop, true), 0);
	answer_all(0, DISKS);
	assert_int_equal(told, 0);
	assert_int_equal(disks[0].preempts, 0);
	for (unsigned i = 0; i < DISKS; i++)
		drop(&disks[i], OWN);
	while (!disks[0].out)
		assert_int_equal(hf_loop_run_once(loop, true), 0);
	answer_all(0, DISKS);
	assert_int_equal(told, 1);
	assert_int_equal(result, -EPERM);
}

static void a_disk_that_forgot_everybody_is_no_fence(void **state)
{
	for (unsigned i = 0; i < DISKS; i++)
		memset(disks[i].keys, 0, sizeof(disks[i].keys));
	hf_fence_look(fence);
	answer_all(0, DISKS);
	assert_int_equal(told, 0);
}

static void a_look_under_way_at_the_end_still_leaves(void **state)
{
	hf_fence_look(fence); /* tear_down() looks at the keys */
}

/* --- a disk that hangs --- */

/* Time passes; whoever is asked and does not hang answers at once. */
static void pass_ms(unsigned ms)
{
	for (; ms; ms--) {
		answer_all(0, DISKS);
		hf_loop_sim_advance(loop, MS);
	}
	answer_all(0, DISKS);
}

static void mend(void)
{
	unsigned before = mended;

	if (hf_fence_mend(fence))
		return; /* what is left hangs */
	assert_int_equal(mended, before);
	pass_ms(1500);
	assert_int_equal(mended, before + 1);
}

/* As the view machine does: each second, until it has come to an end. Milliseconds. */
static unsigned fence_until_told_other_than(int other)
{
	unsigned ms = 0;

	hf_fence_start(fence, 7, 1, false);
	while (ms++ < 60000) {
		pass_ms(1);
		if (told && result != other)
			break;
		if (told && ms % 1000 == 0) {
			told = 0;
			hf_fence_start(fence, 7, 1, false);
		}
	}
	return ms;
}

static void who_was_fenced_finds_out_though_a_disk_hangs(void **state)
{
	for (unsigned hung = 0; hung < VOTING; hung++) {
		disks[hung].hangs = true;
		pass_ms(5000);
		assert_int_equal(told, 0);
		for (unsigned i = 0; i < DISKS; i++)
			drop(&disks[i], OWN);
		pass_ms(2000);
		assert_int_equal(told, 1);
		assert_int_equal(result, -EPERM);
		tear_down(NULL);
		set_up(NULL);
	}
}

static void most_disks_lost_is_lost_whatever_hangs(void **state)
{
	disks[2].hangs = true;
	drop(&disks[0], OWN);
	drop(&disks[1], OWN);
	hf_fence_start(fence, 7, 1, false);
	answer_all(0, DISKS);
	assert_int_equal(told, 1);
	assert_int_equal(result, -EPERM);
}

static void a_fence_goes_on_without_a_disk_that_hangs(void **state)
{
	for (unsigned hung = 0; hung < DISKS; hung++) {
		disks[hung].hangs = true;
		assert_in_range(fence_until_told_other_than(-EIO), 1000, 3500);
		assert_int_equal(result, 0);
		nothing_is_unfenced(); /* there is one more attempt */
		mend();
		for (unsigned i = 0; i < DISKS; i++) {
			assert_int_equal(disks[i].unfenced, i == hung);
			assert_true(disks[i].keys[1] == (i == hung ? OLD : 0));
		}
		tear_down(NULL);
		set_up(NULL);
	}
}

static void a_look_that_hangs_keeps_no_fence_from_beginning(void **state)
{
	disks[1].hangs = true;
	pass_ms(10000);
	assert_non_null(disks[1].out);
	assert_in_range(fence_until_told_other_than(-EIO), 1000, 3500);
	assert_int_equal(result, 0);
	mend();
	assert_int_equal(disks[1].unfenced, 1);
	assert_int_equal(disks[0].keys[1], 0);
	assert_int_equal(disks[2].keys[1], 0);
}

/* It has looked, and was asked to fence meanwhile. */
static void a_disk_that_hangs_no_longer_is_fenced(void **state)
{
	disks[1].hangs = true;
	pass_ms(2500);
	hf_fence_start(fence, 7, 1, false);
	pass_ms(500);
	disks[1].hangs = false;
	pass_ms(1);
	assert_int_equal(told, 1);
	assert_int_equal(result, 0);
	assert_int_equal(disks[1].keys[1], 0);
	nothing_is_unfenced();
}

static void one_disk_of_three_wins_nothing(void **state)
{
	disks[0].hangs = disks[1].hangs = true;
	assert_true(fence_until_told_other_than(-EIO) > 60000);
	disks[1].hangs = false;
	told = 0;
	fence_until_told_other_than(-EIO);
	assert_int_equal(result, 0);
	mend();
	assert_int_equal(disks[0].unfenced, 1);
	assert_int_equal(disks[1].unfenced, 0);
}

/* Each command of it takes 0.4 s: the bound is over before the job is. */
static void a_disk_that_is_merely_slow_is_fenced_all_the_same(void **state)
{
	unsigned ms = 0, asked = 0;

	disks[DISKS - 1].hangs = true;
	hf_fence_start(fence, 7, 1, false);
	while (result != 0 && ms++ < 60000) {
		pass_ms(1);
		asked = disks[DISKS - 1].out ? asked + 1 : 0;
		if (asked == 400) {
			answer(&disks[DISKS - 1]);
			asked = 0;
		}
		if (told && result != 0 && ms % 1000 == 0) {
			told = 0;
			result = 1;
			hf_fence_start(fence, 7, 1, false);
		}
	}
	assert_int_equal(result, 0);
	assert_int_equal(disks[DISKS - 1].keys[1], 0);
	nothing_is_unfenced();
}

/* Each has preempted the other somewhere. */
static void what_the_loser_has_taken_is_taken_back_when_the_record_stands(void **state)
{
	const uint64_t loser = hf_pr_key_beside(OWN, 2, 1);

	for (unsigned i = 0; i < DISKS; i++)
		disks[i].keys[1] = loser;
	drop(&disks[2], OWN);
	hf_fence_start(fence, 7, 1, false);
	answer_all(0, DISKS);
	assert_int_equal(told, 1); /* nothing is gained by more attempts */
	assert_int_equal(result, 0);
	assert_int_equal(disks[2].keys[0], 0); /* W9: not before the record stands */
	pass_ms(5000);			       /* it looks meanwhile */
	assert_int_equal(disks[2].keys[0], 0);
	assert_int_equal(told, 1);
	mend();
	nothing_is_unfenced();
	for (unsigned i = 0; i < DISKS; i++) {
		assert_int_equal(disks[i].keys[0], OWN);
		assert_int_equal(disks[i].keys[1], 0);
	}
	assert_true(hf_fence_mend(fence)); /* nothing is left to do */
}

/* Started again when its record stood: whose registration is left on that disk nobody knows. */
static void inv4_who_does_not_know_the_loser_takes_every_registration_away(void **state)
{
	const uint64_t loser = hf_pr_key_beside(OWN, 2, 1);

	for (unsigned i = 0; i < DISKS; i++)
		disks[i].keys[1] = i == 2 ? loser : 0;
	disks[2].hangs = true;
	for (unsigned ms = 0; !told || result == -EIO; ms++) {
		if (ms % 1000 == 0)
			hf_fence_start(fence, 7, 0, false);
		pass_ms(1);
		assert_true(ms < 60000);
	}
	assert_int_equal(result, 0);
	disks[2].hangs = false;
	pass_ms(1); /* what was out ends */
	assert_int_equal(disks[2].keys[1], loser);
	mend();
	nothing_is_unfenced();
	assert_int_equal(disks[2].keys[1], 0);
}

static void a_disk_that_has_come_back_meanwhile_is_fenced_too(void **state)
{
	disks[0].hangs = disks[3].hangs = true;
	fence_until_told_other_than(-EIO);
	assert_int_equal(result, 0);
	disks[0].hangs = disks[3].hangs = false;
	pass_ms(1);
	mend();
	nothing_is_unfenced();
	for (unsigned i = 0; i < DISKS; i++)
		assert_int_equal(disks[i].keys[1], 0);
}

static void it_leaves_and_its_registrations_stay(void)
{
	for (unsigned i = 0; i < DISKS; i++)
		disks[i].keys[1] = 0; /* the last one */
	later.run = answer_later;
	hf_loop_post(loop, &later);
	hf_fence_destroy(fence);
	for (unsigned i = 0; i < DISKS; i++) {
		assert_int_equal(disks[i].keys[0], OWN);
		disks[i].keys[0] = 0; /* nothing is to be answered any more */
	}
	assert_int_equal(hf_loop_run_once(loop, true), 0);
	hf_loop_destroy(loop);
	set_up(NULL);
}

static void who_was_shut_out_is_kept_out_until_it_is_back(void **state)
{
	hf_fence_serve(fence, 1 << 2 | 1 << 3);
	fence_until_told_other_than(-EIO);
	assert_int_equal(result, 0);
	hf_fence_serve(fence, 1 << 1);
	it_leaves_and_its_registrations_stay();
}

/* The incarnation before may have fenced another one, and has told nobody. */
static void inv4_who_is_started_and_stopped_keeps_out_whom_it_has_not_met(void **state)
{
	it_leaves_and_its_registrations_stay();
	hf_fence_serve(fence, 1 << 1 | 1 << 2); /* the third one has not come */
	it_leaves_and_its_registrations_stay();
}

static void inv4_who_has_not_run_the_fence_keeps_out_its_victim_too(void **state)
{
	hf_fence_serve(fence, 1 << 1 | 1 << 2 | 1 << 3);
	hf_fence_keep_out(fence, 1 << 3);
	it_leaves_and_its_registrations_stay();
}

/* What was left behind of a race that was won must not shut out whoever is let in since. */
static void what_hangs_hits_nobody_who_is_back(void **state)
{
	disks[2].hangs = true;
	fence_until_told_other_than(-EIO);
	assert_int_equal(result, 0);
	assert_true(hf_fence_end(fence)); /* only keys are being read there */
	restart_of_the_peer();
	disks[2].hangs = false;
	pass_ms(10000);
	keys_of_the_newer_are_there();
	assert_int_equal(disks[2].preempts, 0);
}

static void a_preemption_that_hangs_is_waited_for_at_the_end(void **state)
{
	hf_fence_start(fence, 7, 1, false);
	answer(&disks[2]);
	assert_true(is_preempting(&disks[2]));
	disks[2].hangs = true;
	pass_ms(1500);
	told = 0;
	fence_until_told_other_than(-EIO);
	assert_int_equal(result, 0);
	assert_false(hf_fence_end(fence));
	pass_ms(10000);
	assert_int_equal(ended, 0);
	disks[2].hangs = false;
	pass_ms(1);
	assert_int_equal(ended, 1);
	assert_int_equal(disks[2].keys[1], 0);
	restart_of_the_peer();
	pass_ms(10000);
	keys_of_the_newer_are_there();
	assert_int_equal(ended, 1);
	assert_true(hf_fence_end(fence));
}

static void a_check_does_not_wait_for_one_disk_that_hangs(void **state)
{
	for (unsigned hung = 0; hung < DISKS; hung += DISKS - 1) {
		disks[hung].hangs = true;
		hf_fence_check(fence);
		pass_ms(2000);
		assert_int_equal(checked, 1);
		disks[hung].hangs = false;
		drop(&disks[hung], OWN);
		pass_ms(1);
		assert_int_equal(told, 1); /* the answer counts when it comes at last */
		assert_int_equal(result, -EPERM);
		tear_down(NULL);
		set_up(NULL);
	}
	disks[0].hangs = disks[1].hangs = true;
	hf_fence_check(fence);
	pass_ms(60000);
	assert_int_equal(checked, 0); /* nothing is known */
	disks[0].hangs = false;
	pass_ms(2000);
	assert_int_equal(checked, 1);
	assert_int_equal(told, 0);
}

/* The look that hangs is older than the check, and found the registration there. */
static void a_check_looks_anew_at_a_disk_that_was_busy(void **state)
{
	hf_fence_look(fence);
	disks[0].hangs = true;
	pass_ms(1);
	hf_fence_check(fence);
	pass_ms(3000);
	assert_int_equal(checked, 1);
	disks[0].hangs = false;
	answer(&disks[0]);
	drop(&disks[0], OWN);
	assert_int_equal(told, 0);
	pass_ms(1);
	assert_int_equal(told, 1);
	assert_int_equal(result, -EPERM);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_peer_is_shut_out_of_every_disk),
		T(an_ended_fence_leaves_the_newer_incarnation_alone),
		T(an_ended_fence_does_not_go_on_to_the_data_disks),
		T(a_fence_begun_while_an_ended_one_is_out_does_all_of_it),
		T(by_quorum_the_missing_are_shut_out_and_strangers),
		T(by_quorum_who_is_shut_out_of_one_disk_ends),
		T(a_check_looks_at_every_disk),
		T(who_was_fenced_finds_out_by_itself),
		T(a_disk_that_forgot_everybody_is_no_fence),
		T(a_look_under_way_at_the_end_still_leaves),
		T(who_was_fenced_finds_out_though_a_disk_hangs),
		T(most_disks_lost_is_lost_whatever_hangs),
		T(a_fence_goes_on_without_a_disk_that_hangs),
		T(a_look_that_hangs_keeps_no_fence_from_beginning),
		T(a_disk_that_hangs_no_longer_is_fenced),
		T(one_disk_of_three_wins_nothing),
		T(a_disk_that_is_merely_slow_is_fenced_all_the_same),
		T(what_the_loser_has_taken_is_taken_back_when_the_record_stands),
		T(inv4_who_does_not_know_the_loser_takes_every_registration_away),
		T(a_disk_that_has_come_back_meanwhile_is_fenced_too),
		T(who_was_shut_out_is_kept_out_until_it_is_back),
		T(inv4_who_is_started_and_stopped_keeps_out_whom_it_has_not_met),
		T(inv4_who_has_not_run_the_fence_keeps_out_its_victim_too),
		T(what_hangs_hits_nobody_who_is_back),
		T(a_preemption_that_hangs_is_waited_for_at_the_end),
		T(a_check_does_not_wait_for_one_disk_that_hangs),
		T(a_check_looks_anew_at_a_disk_that_was_busy),
	};

	return cmocka_run_group_tests_name("pr_disks", tests, NULL, NULL);
}
