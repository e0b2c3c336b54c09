/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records on the voting disks, torn and lost: a controller dies in the middle of a write, at every
 * cut on every disk, and what is read afterwards is the old content or the new one, and the new one
 * if its write had been answered. What cannot be known is told as lost, never guessed.
 */
#include "kit.h"

#include "endian.h"

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

static int setup_single(void **state)
{
	kit_records_open(&k, 1);
	return 0;
}

static int teardown(void **state)
{
	kit_records_close(&k);
	return 0;
}

static enum kit_fault lose(struct kit_disk *d, const struct hf_pdev_io *io)
{
	return io->op == HF_PDEV_WRITE ? KIT_LOSE : KIT_OK;
}

static void every_disk(enum kit_fault (*fault)(struct kit_disk *, const struct hf_pdev_io *))
{
	for (unsigned i = 0; i < k.disks_len; i++)
		k.disks[i]->fault = fault;
}

static uint8_t *copy_at(unsigned disk, unsigned copy)
{
	return k.disks[disk]->data + hf_record_offset(SLOT, INDEX, copy);
}

static bool reads(const uint8_t *want, size_t len)
{
	return kit_record_read(&k, SLOT, INDEX, got, NULL) == (int)len && !memcmp(got, want, len);
}

/* `old` is there, in its second writing, and the write of `fresh` is known but did not happen. */
static void about_to_write(size_t old_len, size_t fresh_len)
{
	/* What lies below the write is longer than it and something else. */
	kit_fill(fresh, sizeof(fresh), 3);
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, LEN_MAX), 0);
	kit_fill(old, sizeof(old), old_len + 1);
	kit_fill(fresh, sizeof(fresh), fresh_len + 7);
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, old, old_len), 0);
	for (unsigned i = 0; i < k.disks_len; i++)
		kit_disk_forget(k.disks[i]);
	every_disk(lose);
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, fresh_len), 0);
	every_disk(NULL);
	for (unsigned i = 0; i < k.disks_len; i++)
		assert_int_equal(k.disks[i]->log_len, 1);
}

/* The first `bytes` of the write reach the disk; the rest stays as it was. */
static void land(unsigned disk, uint64_t bytes, uint8_t *undo)
{
	const struct kit_write *w = &k.disks[disk]->log[0];

	memcpy(undo, k.disks[disk]->data + w->offset, w->len);
	memcpy(k.disks[disk]->data + w->offset, w->data, bytes);
}

static void take_back(unsigned disk, const uint8_t *undo)
{
	const struct kit_write *w = &k.disks[disk]->log[0];

	memcpy(k.disks[disk]->data + w->offset, undo, w->len);
}

/* others: bit per disk, its write has landed as a whole. Nothing but what is on the disks is kept
 * from one I/O to the next, so that a controller that starts anew reads the same. */
static void one_cut(unsigned disk, uint64_t bytes, unsigned others, size_t old_len, size_t len)
{
	static uint8_t undo[DISKS][HF_FORMAT_SLOT_COPY_BYTES];
	unsigned landed = 0;
	bool scattered;
	int r;

	for (unsigned i = 0; i < k.disks_len; i++) {
		uint64_t n = i == disk ? bytes : others & 1u << i ? k.disks[i]->log[0].len : 0;

		land(i, n, undo[i]);
		landed += n >= HF_RECORD_HEAD_BYTES + len; /* what follows is padding */
	}
	r = kit_record_read(&k, SLOT, INDEX, got, &scattered);
	if (r == (int)len && !memcmp(got, fresh, len))
		assert_true((!old_len && !len) || scattered == (landed < k.disks_len / 2 + 1));
	else if (r != (int)old_len || memcmp(got, old, old_len))
		fail_msg("cut at %u of disk %u, others %x: neither, %d", (unsigned)bytes, disk,
			others, r);
	else if (landed > k.disks_len / 2)
		fail_msg("cut at %u of disk %u, others %x: an answered write is gone",
			(unsigned)bytes, disk, others);
	for (unsigned i = 0; i < k.disks_len; i++)
		take_back(i, undo[i]);
}

static void at_every_cut(size_t old_len, size_t len)
{
	about_to_write(old_len, len);
	for (unsigned disk = 0; disk < k.disks_len; disk++)
		for (unsigned others = 0; others < 1u << k.disks_len; others++) {
			if (others & 1u << disk)
				continue;
			for (uint64_t at = 0; at <= k.disks[disk]->log[0].len; at += SECTOR)
				one_cut(disk, at, others, old_len, len);
		}
	kit_records_restart(&k, 0);
	assert_true(reads(old, old_len));
}

static void a_write_torn_at_any_cut_is_the_old_content_or_the_new(void **state)
{
	static const size_t lens[] = {0, 48, 4000, 4001, 8000, 8200, 20000};

	for (unsigned i = 0; i < HF_ARRAY_LEN(lens); i++)
		for (unsigned j = 0; j < HF_ARRAY_LEN(lens); j++)
			at_every_cut(lens[i], lens[j]);
	at_every_cut(LEN_MAX, LEN_MAX);
	at_every_cut(48, LEN_MAX);
}

static void the_first_write_torn_at_any_cut_was_never_answered(void **state)
{
	static const size_t len = 8200;

	kit_fill(fresh, sizeof(fresh), 5);
	for (unsigned disk = 0; disk < k.disks_len; disk++) {
		every_disk(lose);
		kit_disk_forget(k.disks[disk]);
		assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, len), 0);
		every_disk(NULL);
		for (uint64_t at = 0; at < HF_RECORD_HEAD_BYTES + len; at += SECTOR) {
			static uint8_t undo[HF_FORMAT_SLOT_COPY_BYTES];

			land(disk, at, undo);
			assert_int_equal(kit_record_read(&k, SLOT, INDEX, got, NULL), 0);
			take_back(disk, undo);
		}
		for (unsigned i = 0; i < k.disks_len; i++)
			kit_disk_forget(k.disks[i]);
	}
}

/* What a torn write left is written over by the next, and the record goes on. */
static void life_goes_on_after_a_torn_write(void **state)
{
	for (unsigned disk = 0; disk < k.disks_len; disk++)
		for (uint64_t at = 0; at <= 3 * 4096; at += SECTOR) {
			static uint8_t undo[HF_FORMAT_SLOT_COPY_BYTES];

			about_to_write(8200, 8200);
			land(disk, HF_MIN(at, k.disks[disk]->log[0].len), undo);
			kit_records_restart(&k, 0);
			kit_fill(got, 100, at);
			memcpy(old, got, 100);
			assert_int_equal(kit_record_write(&k, SLOT, INDEX, old, 100), 0);
			kit_records_restart(&k, 1u << disk);
			assert_true(reads(old, 100));
			kit_records_restart(&k, 0);
			assert_true(reads(old, 100));
			for (unsigned i = 0; i < k.disks_len; i++)
				kit_disk_forget(k.disks[i]);
		}
}

static void write_both(void)
{
	kit_fill(old, sizeof(old), 1);
	kit_fill(fresh, sizeof(fresh), 2);
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, fresh, 5000), 0);
	assert_int_equal(kit_record_write(&k, SLOT, INDEX, old, 5000), 0);
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

/* How each disk takes the write, in every combination. The restore that follows goes well. */
static void a_write_that_fails_leaves_the_old_content_for_good(void **state)
{
	static const enum kit_fault all[] = {KIT_OK, KIT_FAIL, KIT_FAIL_LANDED, KIT_FAIL_TORN};

	fail_from = 0;
	fail_to = 1;
	for (unsigned n = 0; n < 64; n++) {
		unsigned good = 0;
		int r;

		write_both();
		for (unsigned i = 0; i < DISKS; i++) {
			kinds[i] = all[n >> 2 * i & 3];
			good += kinds[i] == KIT_OK;
			writes_seen[i] = 0;
		}
		every_disk(chosen);
		r = kit_record_write(&k, SLOT, INDEX, fresh, 6000);
		every_disk(NULL);
		assert_int_equal(r, good >= 2 ? 0 : -EIO);
		/* Whichever two disks are there afterwards, all say the same. */
		for (unsigned absent = 0; absent <= DISKS; absent++) {
			kit_records_restart(&k, absent < DISKS ? 1u << absent : 0);
			assert_true(good >= 2 ? reads(fresh, 6000) : reads(old, 5000));
		}
		for (unsigned i = 0; i < DISKS; i++)
			kit_disk_forget(k.disks[i]);
	}
}

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

int main(void)
{
#define TEST(t)	  cmocka_unit_test_setup_teardown(t, setup, teardown)
#define SINGLE(t) cmocka_unit_test_setup_teardown(t, setup_single, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_write_torn_at_any_cut_is_the_old_content_or_the_new),
		SINGLE(a_write_torn_at_any_cut_is_the_old_content_or_the_new),
		TEST(the_first_write_torn_at_any_cut_was_never_answered),
		SINGLE(the_first_write_torn_at_any_cut_was_never_answered),
		TEST(life_goes_on_after_a_torn_write),
		TEST(damage_in_one_copy_is_noticed_and_the_other_disks_outvote_it),
		TEST(lost_on_one_disk_is_read_from_the_others_lost_on_most_is_lost),
		TEST(missing_disks_are_no_content_and_too_few_are_an_error),
		TEST(a_disk_that_was_away_is_outvoted_and_brought_up_to_date),
		TEST(a_write_that_fails_leaves_the_old_content_for_good),
		TEST(a_write_whose_restore_fails_too_is_in_doubt),
		TEST(a_copy_that_lies_where_it_does_not_belong_is_none),
		TEST(another_owners_content_counts_as_never_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
