/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records on the voting disks that are damaged, lost, astray, or missing with their disk: what
 * cannot be known is told as lost, never guessed, until it is written anew. Cuts are in
 * record_cut_test.c.
 */
#include "kit.h"

#define SLOT	HF_RECORD_SLOT
#define INDEX	3u
#define LEN_MAX ((size_t)HF_FORMAT_SLOT_COPY_BYTES - HF_RECORD_HEAD_BYTES)
#define SECTOR	512u
#define DISKS	3u

static struct kit_records k;
static uint8_t old[LEN_MAX], fresh[LEN_MAX], got[kit_record_room];

static int setup(void **state)
{
	kit_records_open(&k, DISKS);
	return 0;
}

static int teardown(void **state)
{
	kit_records_close(&k);
	return 0;
}

static void every_disk(enum kit_fault (*fault)(struct kit_disk *, const struct hf_pdev_io *))
{
	for (unsigned i = 0; i < k.disks_len; i++)
		k.disks[i]->fault = fault;
}

static enum kit_fault kinds[DISKS];
static unsigned writes_seen[DISKS], fail_from, fail_to;

static enum kit_fault chosen(struct kit_disk *d, const struct hf_pdev_io *io)
{
	unsigned i = 0, n;

	while (k.disks[i] != d)
		i++;
	if (io->op != HF_PDEV_WRITE)
		return KIT_OK;
	n = writes_seen[i]++;
	return n >= fail_from && n < fail_to ? kinds[i] : KIT_OK;
}

static uint8_t *copy_at(unsigned disk, unsigned copy)
{
	return k.disks[disk]->data + hf_record_offset(SLOT, INDEX, copy);
}

static bool reads(const uint8_t *want, size_t len)
{
	return kit_record_read(&k, SLOT, INDEX, got, NULL) == (int)len && !memcmp(got, want, len);
}

static void write_both(void)
{
	kit_fill(old, sizeof(old), 1);
	kit_fill(fresh, sizeof(fresh), 2);
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 5000), 0);
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, old, 5000), 0);
}

static void records_of_any_length_are_read_as_they_were_written(void **state)
{
	const size_t block = HF_FORMAT_BLOCK_BYTES - HF_RECORD_HEAD_BYTES;
	const size_t lengths[] = {0, 1, 2, block - 1, block, block + 1, LEN_MAX};

	kit_fill(fresh, sizeof(fresh), 2);
	for (unsigned i = 0; i < HF_ARRAY_LEN(lengths); i++) {
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, lengths[i]), 0);
		assert_true(reads(fresh, lengths[i]));
	}
}

/* A flipped bit anywhere that is in use, in one copy or the other. */
static void damage_in_one_copy_is_noticed_and_the_other_disks_outvote_it(void **state)
{
	write_both();
	for (unsigned disk = 0; disk < k.disks_len; disk++)
		for (unsigned copy = 0; copy < HF_RECORD_COPIES; copy++)
			for (unsigned at = 0; at < HF_RECORD_HEAD_BYTES + 5000; at += 7) {
				copy_at(disk, copy)[at] ^= 0x10;
				assert_true(reads(old, 5000));
				copy_at(disk, copy)[at] ^= 0x10;
			}
}

static void lost_on_one_disk_is_read_from_the_others_lost_on_most_is_lost(void **state)
{
	for (unsigned disks = 0; disks < 1u << DISKS; disks++) {
		unsigned n = (unsigned)__builtin_popcount(disks);
		int r;

		write_both();
		for (unsigned i = 0; i < DISKS; i++)
			for (unsigned copy = 0; copy < HF_RECORD_COPIES; copy++)
				if (disks & 1u << i)
					memset(copy_at(i, copy), 0xff, 4096);
		kit_records_restart(&k, 0);
		r = kit_record_read(&k, SLOT, INDEX, got, NULL);
		if (n < 2)
			assert_true(r == 5000 && !memcmp(got, old, 5000));
		else
			assert_int_equal(r, -EBADMSG);
		/* A new content makes it whole again. */
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 5000), 0);
		kit_records_restart(&k, 0);
		assert_true(reads(fresh, 5000));
		for (unsigned i = 0; i < DISKS; i++)
			kit_disk_forget(k.disks[i]);
	}
}

static void missing_disks_are_no_content_and_too_few_are_an_error(void **state)
{
	write_both();
	for (unsigned absent = 0; absent < 1u << DISKS; absent++) {
		kit_records_restart(&k, absent);
		if (__builtin_popcount(absent) < 2) {
			assert_true(reads(old, 5000));
			continue;
		}
		assert_int_equal(kit_record_read(&k, SLOT, INDEX, got, NULL), -EIO);
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 10), -EIO);
	}
	kit_records_restart(&k, 0);
	assert_true(reads(old, 5000));
}

/* The write that replaces what is lost dies between its promise and its content: lost it stays. */
static void lost_stays_lost_until_the_new_content_is_there(void **state)
{
	for (unsigned away = 0; away < DISKS; away++) {
		write_both();
		for (unsigned i = 0; i < DISKS; i++)
			for (unsigned copy = 0; i != away && copy < HF_RECORD_COPIES; copy++)
				memset(copy_at(i, copy), 0xff, 4096);
		fail_from = 1;
		fail_to = 3;
		for (unsigned i = 0; i < DISKS; i++) {
			kinds[i] = KIT_FAIL;
			writes_seen[i] = 0;
		}
		kit_records_restart(&k, 0);
		every_disk(chosen);
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 60), -EINPROGRESS);
		every_disk(NULL);
		for (unsigned absent = 0; absent <= DISKS; absent++) {
			kit_records_restart(&k, absent < DISKS ? 1u << absent : 0);
			assert_int_equal(kit_record_read(&k, SLOT, INDEX, got, NULL), -EBADMSG);
		}
		/* Replaced while the one that knows the past is away: it does not bring it back. */
		kit_records_restart(&k, 1u << away);
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 61), 0);
		kit_records_restart(&k, 0);
		assert_true(reads(fresh, 61));
		for (unsigned i = 0; i < DISKS; i++)
			kit_disk_forget(k.disks[i]);
	}
}

/* A disk that was away while others were written does not bring the past back. */
static void a_disk_that_was_away_is_outvoted_and_brought_up_to_date(void **state)
{
	for (unsigned disk = 0; disk < DISKS; disk++) {
		write_both();
		kit_records_restart(&k, 1u << disk);
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 77), 0);
		kit_records_restart(&k, 0);
		assert_true(reads(fresh, 77));
		kit_records_restart(&k, 1u << (disk + 1) % DISKS);
		assert_true(reads(fresh, 77));
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, old, 78), 0);
		kit_records_restart(&k, 1u << (disk + 2) % DISKS);
		assert_true(reads(old, 78));
		for (unsigned i = 0; i < DISKS; i++)
			kit_disk_forget(k.disks[i]);
	}
}

/* --- writes that fail --- */

static void a_write_whose_restore_fails_too_is_in_doubt(void **state)
{
	fail_from = 0;
	fail_to = 2;
	for (unsigned n = 0; n < 8; n++) {
		unsigned good = 0;
		int r;

		write_both();
		for (unsigned i = 0; i < DISKS; i++) {
			kinds[i] = n & 1u << i ? KIT_FAIL : KIT_OK;
			good += kinds[i] == KIT_OK;
			writes_seen[i] = 0;
		}
		every_disk(chosen);
		r = kit_record_write(&k, SLOT, INDEX, fresh, 6000);
		every_disk(NULL);
		assert_int_equal(r, good >= 2 ? 0 : -EINPROGRESS);
		kit_records_restart(&k, 0);
		assert_true(
			good >= 2 ? reads(fresh, 6000) : reads(fresh, 6000) || reads(old, 5000));
		/* Written again, it is settled. */
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 6000), 0);
		for (unsigned i = 0; i < DISKS; i++)
			kit_disk_forget(k.disks[i]);
	}
}

/* --- what does not belong here --- */

static void a_copy_that_lies_where_it_does_not_belong_is_none(void **state)
{
	write_both();
	/* The neighbour's slot, whole and sound, over this one's two copies on two disks. */
	assert_int_equal(kit_record_write(&k, SLOT, INDEX + 1, fresh, 5000), 0);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned copy = 0; copy < HF_RECORD_COPIES; copy++)
			memcpy(copy_at(i, copy),
				k.disks[i]->data + hf_record_offset(SLOT, INDEX + 1, 0),
				HF_FORMAT_SLOT_COPY_BYTES);
	kit_records_restart(&k, 0);
	assert_int_equal(kit_record_read(&k, SLOT, INDEX, got, NULL), -EBADMSG);
	/* Another disk's. */
	write_both();
	for (unsigned i = 0; i < 2; i++)
		for (unsigned copy = 0; copy < HF_RECORD_COPIES; copy++)
			memcpy(copy_at(i, copy), copy_at(2, copy), HF_FORMAT_SLOT_COPY_BYTES);
	kit_records_restart(&k, 0);
	assert_int_equal(kit_record_read(&k, SLOT, INDEX, got, NULL), -EBADMSG);
	/* One copy over the other of the same slot: each names its place. */
	write_both();
	for (unsigned i = 0; i < DISKS; i++) {
		static uint8_t newest[HF_FORMAT_SLOT_COPY_BYTES];

		memcpy(newest, copy_at(i, 0), sizeof(newest));
		memcpy(copy_at(i, 1), newest, sizeof(newest));
	}
	kit_records_restart(&k, 0);
	assert_true(reads(old, 5000) || reads(fresh, 5000));
}

static void another_owners_content_counts_as_never_written(void **state)
{
	struct hf_record_head head = {.generation = 50, .owner = 9, .len = 3};
	uint8_t block[HF_FORMAT_BLOCK_BYTES] = {0};

	for (unsigned i = 0; i < DISKS; i++) {
		struct hf_record_place place = {SLOT, INDEX, &k.disks[i]->label};

		memcpy(block + HF_RECORD_HEAD_BYTES, "abc", 3);
		hf_record_seal(&place, 0, &head, (const uint8_t *)"abc", block);
		memcpy(copy_at(i, 0), block, sizeof(block));
	}
	kit_records_restart(&k, 0);
	assert_int_equal(kit_record_read(&k, SLOT, INDEX, got, NULL), 0);
}

static enum hf_pdev_op hanging_op;

static enum kit_fault hangs(struct kit_disk *d, const struct hf_pdev_io *io)
{
	return io->op == hanging_op ? KIT_HANG : KIT_OK;
}

static unsigned still;

static void count_still(void *arg)
{
	still++;
}

/* An answered write that hangs on one disk may yet meet that of somebody who goes on alone. */
static void a_write_is_over_when_no_disk_can_carry_it_out_any_more(void **state)
{
	write_both();
	still = 0;
	hf_recorder_await_writes(k.rec, count_still, NULL);
	assert_int_equal(still, 1);
	hanging_op = HF_PDEV_WRITE;
	k.disks[1]->fault = hangs;
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 5000), 0);
	k.disks[1]->fault = NULL;
	for (unsigned i = 0; i < 3; i++) {
		hf_recorder_await_writes(k.rec, count_still, NULL);
		assert_true(hf_recorder_writes(k.rec));
		hf_loop_sim_advance(k.loop, 10 * HF_RECORD_GRACE_NS);
		assert_true(reads(fresh, 5000)); /* a read in between is none */
		assert_int_equal(still, 1);
	}
	kit_disk_resume(k.disks[1], 0, true);
	hf_loop_sim_settle(k.loop);
	assert_false(hf_recorder_writes(k.rec));
	assert_int_equal(still, 2);
}

static void a_read_that_hangs_is_no_write(void **state)
{
	write_both();
	still = 0;
	hanging_op = HF_PDEV_READ;
	k.disks[1]->fault = hangs;
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 5000), 0);
	k.disks[1]->fault = NULL;
	assert_false(hf_recorder_is_idle(k.rec));
	hf_recorder_await_writes(k.rec, count_still, NULL);
	assert_int_equal(still, 1);
	while (!hf_list_is_empty(&k.disks[1]->hanging))
		kit_disk_resume(k.disks[1], 0, true);
	hf_loop_sim_settle(k.loop);
	assert_true(hf_recorder_is_idle(k.rec));
}

static struct hf_timer late;

static void answers_late(struct hf_timer *t)
{
	kit_disk_resume(k.disks[1], 0, true);
}

static void a_recorder_that_ends_waits_for_the_disk_that_is_late(void **state)
{
	write_both();
	hanging_op = HF_PDEV_WRITE;
	k.disks[1]->fault = hangs;
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 5000), 0);
	k.disks[1]->fault = NULL;
	assert_false(hf_recorder_is_idle(k.rec));
	hf_timer_init(&late, answers_late);
	hf_timer_arm(k.loop, &late, hf_loop_now_ns(k.loop) + HF_RECORD_GRACE_NS / 2);
	kit_records_restart(&k, 0);
	assert_true(hf_list_is_empty(&k.disks[1]->hanging));
	assert_true(reads(fresh, 5000));
}

static void never_told(struct hf_record_io *io, int result)
{
	fail_msg("its owner is gone");
}

/* The disk that has gone is heard of again, or not: the memory is there until then. */
static void a_recorder_that_ends_does_not_wait_for_ever(void **state)
{
	struct hf_record_io io = {.kind = SLOT, .index = INDEX, .buf = got, .len = sizeof(got)};

	write_both();
	hanging_op = HF_PDEV_WRITE;
	k.disks[1]->fault = hangs;
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 5000), 0);
	k.disks[1]->fault = NULL;
	io.done = never_told;
	hf_recorder_submit(k.rec, &io);
	kit_records_restart(&k, 0);
	assert_false(hf_list_is_empty(&k.disks[1]->hanging));
	assert_true(reads(fresh, 5000));
	answers_late(NULL);
	hf_loop_sim_settle(k.loop);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(records_of_any_length_are_read_as_they_were_written),
		TEST(damage_in_one_copy_is_noticed_and_the_other_disks_outvote_it),
		TEST(lost_on_one_disk_is_read_from_the_others_lost_on_most_is_lost),
		TEST(missing_disks_are_no_content_and_too_few_are_an_error),
		TEST(lost_stays_lost_until_the_new_content_is_there),
		TEST(a_disk_that_was_away_is_outvoted_and_brought_up_to_date),
		TEST(a_write_whose_restore_fails_too_is_in_doubt),
		TEST(a_copy_that_lies_where_it_does_not_belong_is_none),
		TEST(another_owners_content_counts_as_never_written),
		TEST(a_write_is_over_when_no_disk_can_carry_it_out_any_more),
		TEST(a_read_that_hangs_is_no_write),
		TEST(a_recorder_that_ends_waits_for_the_disk_that_is_late),
		TEST(a_recorder_that_ends_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
