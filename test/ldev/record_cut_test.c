/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller killed at any instant of a write of metadata leaves a readable record (w14), and a
 * write that fails leaves the old content under a higher generation, or says that it is in doubt
 * (w15). Cuts are laid through every sector of 512 bytes of every block, on 1 and 3 voting disks,
 * in any order: what a cut leaves is some subset of the sectors, so subsets are what is tried. What
 * must not happen: nothing readable, content that nobody wrote, the new content lost after it was
 * acknowledged, or back after it was said to have failed.
 *
 * Built a second time as canaries (meson.build), with the checksum blind, or with the newest copy
 * overwritten in place of the older one: then the same sweeps must find something wrong.
 */
#include "kit.h"

#include <string.h>

enum { SECTOR = 512, RECORD_MAX = 20000 };

/* What a read may find, as bits. */
enum { OLD = 1, NEW = 2, WRONG = 4 };

static struct kit_records k;
static enum hf_record_kind kind;
static size_t len;
static uint8_t old_content[RECORD_MAX], new_content[RECORD_MAX], got[kit_record_room];
static unsigned tried, wrong;

/* Two whole writes lie on the disks, the second one is "old"; what follows is "new". The three have
 * no sector in common. */
static void begin(unsigned disks, enum hf_record_kind record_kind, size_t record_len)
{
	kind = record_kind;
	len = record_len;
	kit_fill(old_content, len, 1);
	kit_fill(new_content, len, 2);
	kit_records_open(&k, disks);
	kit_fill(got, len, 3);
	assert_int_equal(kit_record_write(&k, kind, 0, got, len), 0);
	assert_int_equal(kit_record_write(&k, kind, 0, old_content, len), 0);
	for (unsigned i = 0; i < disks; i++)
		kit_disk_forget(k.disks[i]);
}

static unsigned finds(unsigned absent)
{
	int r;

	kit_records_restart(&k, absent);
	r = kit_record_read(&k, kind, 0, got, NULL);
	if (r == (int)len && !memcmp(got, new_content, len))
		return NEW;
	return r == (int)len && !memcmp(got, old_content, len) ? OLD : WRONG;
}

static void expect(unsigned allowed, unsigned absent, const char *when)
{
	unsigned found = finds(absent);

	tried++;
	if (found & allowed)
		return;
	wrong++;
#ifndef CANARY
	fail_msg("%s, disks absent %x: found %s, allowed %x", when, absent,
		found == OLD   ? "the old"
		: found == NEW ? "the new"
			       : "nothing that was written",
		allowed);
#endif
}

/* --- cuts ------------------------------------------------------------------------------------ */

/* What lay under the write that is cut, and which of its sectors reach the disk. */
struct cut {
	const struct kit_write *write;
	uint8_t *before;
	unsigned sectors;
	bool lands[RECORD_MAX / SECTOR + 16];
};

static struct cut cuts[HF_RECORD_DISKS_MAX];

/* Carries the write out once, to know what goes where, and takes it back. */
static void begin_cuts(void)
{
	static uint8_t *saved[HF_RECORD_DISKS_MAX];
	uint64_t from = hf_record_offset(kind, 0, 0), end;

	end = hf_record_offset(kind, 0, 1) + hf_record_copy_bytes(kind);
	for (unsigned i = 0; i < k.disks_len; i++) {
		saved[i] = malloc(end - from);
		assert_non_null(saved[i]);
		memcpy(saved[i], k.disks[i]->data + from, end - from);
	}
	kit_records_restart(&k, 0);
	assert_int_equal(kit_record_write(&k, kind, 0, new_content, len), 0);
	for (unsigned i = 0; i < k.disks_len; i++) {
		struct cut *c = &cuts[i];

		assert_int_equal(k.disks[i]->log_len, 1);
		c->write = &k.disks[i]->log[0];
		c->sectors = (unsigned)(c->write->len / SECTOR);
		assert_true(c->sectors <= HF_ARRAY_LEN(c->lands));
		c->before = malloc(c->write->len);
		assert_non_null(c->before);
		memcpy(c->before, saved[i] + (c->write->offset - from), c->write->len);
		memcpy(k.disks[i]->data + from, saved[i], end - from);
		free(saved[i]);
		for (unsigned s = 0; s < c->sectors; s++)
			c->lands[s] = false;
	}
}

static void end_cuts(void)
{
	for (unsigned i = 0; i < k.disks_len; i++)
		free(cuts[i].before);
	kit_records_close(&k);
}

static void land_all(struct cut *c, bool lands)
{
	for (unsigned s = 0; s < c->sectors; s++)
		c->lands[s] = lands;
}

/* Makes the disks as the cut leaves them; 0: nothing new there, 1: in part, 2: all of it. */
static unsigned leave(unsigned disk)
{
	struct cut *c = &cuts[disk];
	uint8_t *at = k.disks[disk]->data + c->write->offset;
	unsigned n = 0, differ = 0, landed = 0;

	for (unsigned s = 0; s < c->sectors; s++) {
		const uint8_t *from = c->lands[s] ? c->write->data : c->before;

		memcpy(at + s * SECTOR, from + s * SECTOR, SECTOR);
	}
	/* Sectors in which old and new are alike are neither here nor there. */
	for (unsigned s = 0; s < c->sectors; s++) {
		n = memcmp(c->write->data + s * SECTOR, c->before + s * SECTOR, SECTOR) != 0;
		differ += n;
		landed += n && c->lands[s];
	}
	return landed == differ ? 2 : landed ? 1 : 0;
}

/* Reads what the cut has left, with all disks there and with any one of three away. */
static void check_cut(const char *when)
{
	unsigned whole[HF_RECORD_DISKS_MAX], total = 0, most = k.disks_len / 2 + 1;

	for (unsigned i = 0; i < k.disks_len; i++) {
		whole[i] = leave(i) == 2;
		total += whole[i];
	}
	expect(total ? NEW : OLD, 0, when);
	for (unsigned away = 0; k.disks_len > 1 && away < k.disks_len; away++) {
		unsigned seen = total - whole[away];

		expect(total >= most || seen ? NEW : OLD, 1u << away, when);
	}
}

static void every_subset_of_one_block_on_one_disk(void **state)
{
	begin(1, HF_RECORD_VIEW, 300);
	begin_cuts();
	assert_int_equal(cuts[0].sectors, 8);
	for (unsigned set = 0; set < 256; set++) {
		for (unsigned s = 0; s < 8; s++)
			cuts[0].lands[s] = set >> s & 1;
		check_cut("a subset of a block");
	}
	end_cuts();
}

static void every_subset_of_a_full_block_on_one_disk(void **state)
{
	begin(1, HF_RECORD_VIEW, 4000);
	begin_cuts();
	for (unsigned set = 0; set < 256; set++) {
		for (unsigned s = 0; s < 8; s++)
			cuts[0].lands[s] = set >> s & 1;
		check_cut("a subset of a full block");
	}
	end_cuts();
}

/* Cut after each sector, from either end; each sector alone; each sector missing. */
static void sweep(unsigned disk, const char *when)
{
	struct cut *c = &cuts[disk];

	for (unsigned way = 0; way < 4; way++) {
		for (unsigned at = 0; at < c->sectors; at++) {
			for (unsigned s = 0; s < c->sectors; s++)
				c->lands[s] = way == 0	 ? s < at
					      : way == 1 ? s >= at
					      : way == 2 ? s == at
							 : s != at;
			check_cut(when);
		}
	}
}

static void scatter(unsigned disk, uint64_t *seed)
{
	struct cut *c = &cuts[disk];
	uint64_t odds = 1 + kit_below(seed, 15);

	for (unsigned s = 0; s < c->sectors; s++)
		c->lands[s] = kit_below(seed, 16) < odds;
}

static void every_sector_of_several_blocks_on_one_disk(void **state)
{
	uint64_t seed = kit_seed("cuts of several blocks");
	static const struct {
		enum hf_record_kind kind;
		size_t len;
	} records[] = {{HF_RECORD_MAP, 9000}, {HF_RECORD_SLOT, 20000}, {HF_RECORD_MAP, 4000}};

	for (unsigned r = 0; r < HF_ARRAY_LEN(records); r++) {
		begin(1, records[r].kind, records[r].len);
		begin_cuts();
		sweep(0, "one disk");
		for (unsigned i = 0; i < 1000; i++) {
			scatter(0, &seed);
			check_cut("one disk, at random");
		}
		end_cuts();
	}
}

/* One disk is cut everywhere while the others have nothing, all, or a piece of their own. */
static void every_sector_on_one_of_three_disks(void **state)
{
	begin(3, HF_RECORD_MAP, 9000);
	begin_cuts();
	for (unsigned others = 0; others < 9; others++) {
		for (unsigned disk = 0; disk < 3; disk++) {
			for (unsigned o = 0; o < 3; o++) {
				unsigned how = (o == (disk + 1) % 3 ? others : others / 3) % 3;

				land_all(&cuts[o], how == 1);
				cuts[o].lands[0] = how > 0;
			}
			sweep(disk, "three disks");
		}
	}
	end_cuts();
}

static void three_disks_cut_at_random(void **state)
{
	uint64_t seed = kit_seed("three disks");

	begin(3, HF_RECORD_SLOT, 5000);
	begin_cuts();
	for (unsigned i = 0; i < 3000; i++) {
		for (unsigned disk = 0; disk < 3; disk++) {
			uint64_t how = kit_below(&seed, 4);

			land_all(&cuts[disk], how == 1);
			if (how > 1)
				scatter(disk, &seed);
		}
		check_cut("three disks, at random");
	}
	end_cuts();
}

/* The very first write of a record: nothing is lost, for nothing was there. */
static void the_first_write_torn_counts_as_never_written(void **state)
{
	for (unsigned disks = 1; disks <= 3; disks += 2) {
		kind = HF_RECORD_MAP;
		len = 9000;
		kit_fill(new_content, len, 2);
		kit_records_open(&k, disks);
		begin_cuts();
		for (unsigned at = 0; at <= cuts[0].sectors; at++) {
			bool whole = false;
			int r;

			for (unsigned i = 0; i < disks; i++) {
				for (unsigned s = 0; s < cuts[i].sectors; s++)
					cuts[i].lands[s] = s < at;
				whole |= leave(i) == 2;
			}
			kit_records_restart(&k, 0);
			r = kit_record_read(&k, kind, 0, got, NULL);
			tried++;
			if (r == (whole ? (int)len : 0))
				continue;
			wrong++;
#ifndef CANARY
			fail_msg("after %u sectors of the first write: %d", at, r);
#endif
		}
		end_cuts();
	}
}

#ifndef CANARY
/* --- writes that fail ------------------------------------------------------------------------- */

/* What becomes of the first and of the second write to each disk. */
static enum kit_fault fate[HF_RECORD_DISKS_MAX][2];

static enum kit_fault strike(struct kit_disk *disk, const struct hf_pdev_io *io)
{
	enum kit_fault *f = disk->fault_arg;

	if (io->op != HF_PDEV_WRITE)
		return KIT_OK;
	assert_true(disk->writes < 2);
	return f[disk->writes];
}

static uint64_t top_generation(void)
{
	uint64_t top = 0;

	for (unsigned i = 0; i < k.disks_len; i++) {
		for (unsigned c = 0; c < HF_RECORD_COPIES; c++) {
			struct hf_record_place place = {kind, 0, &k.disks[i]->label};
			struct hf_record_head h;
			const uint8_t *at = k.disks[i]->data + hf_record_offset(kind, 0, c);

			if (hf_record_look_whole(&place, c, at, hf_record_image_bytes(len), &h) ==
				HF_RECORD_COPY_VALID)
				top = HF_MAX(top, h.generation);
		}
	}
	return top;
}

static void read_everywhere(unsigned allowed, const char *when)
{
	expect(allowed, 0, when);
	for (unsigned away = 0; k.disks_len > 1 && away < k.disks_len; away++)
		expect(allowed, 1u << away, when);
}

static void try_fates(void)
{
	unsigned n = k.disks_len, good[2] = {0, 0};
	uint64_t before = top_generation();
	int r;

	for (unsigned i = 0; i < n; i++) {
		k.disks[i]->fault = strike;
		k.disks[i]->fault_arg = fate[i];
		good[0] += fate[i][0] == KIT_OK;
		good[1] += fate[i][1] == KIT_OK;
	}
	kit_records_restart(&k, 0);
	r = kit_record_write(&k, kind, 0, new_content, len);
	if (good[0] > n / 2) {
		assert_int_equal(r, 0);
		read_everywhere(NEW, "written by most");
	} else if (good[1] > n / 2) {
		assert_int_equal(r, -EIO);
		assert_true(top_generation() >= before + 2);
		read_everywhere(OLD, "failed, the old content is out again");
	} else {
		assert_int_equal(r, -EINPROGRESS);
		read_everywhere(OLD | NEW, "in doubt");
	}
	/* Back to "old", for the next one. */
	for (unsigned i = 0; i < n; i++)
		k.disks[i]->fault = NULL;
	kit_records_restart(&k, 0);
	assert_int_equal(kit_record_write(&k, kind, 0, old_content, len), 0);
	for (unsigned i = 0; i < n; i++)
		kit_disk_forget(k.disks[i]);
}

static void every_way_to_fail(unsigned disks, size_t record_len)
{
	unsigned ways = 1;

	for (unsigned i = 0; i < 2 * disks; i++)
		ways *= 4;
	begin(disks, HF_RECORD_SLOT, record_len);
	for (unsigned way = 0; way < ways; way++) {
		for (unsigned i = 0, left = way; i < 2 * disks; i++, left /= 4)
			fate[i / 2][i % 2] = (enum kit_fault[]){
				KIT_OK, KIT_FAIL, KIT_FAIL_LANDED, KIT_FAIL_TORN}[left % 4];
		try_fates();
	}
	kit_records_close(&k);
}

static void w15_every_way_to_fail_on_one_disk(void **state)
{
	every_way_to_fail(1, 300);
	every_way_to_fail(1, 9000);
}

static void w15_every_way_to_fail_on_three_disks(void **state)
{
	every_way_to_fail(3, 9000);
}

/* A write fails and the controller is killed while the old content goes out again. */
static void w15_killed_while_the_old_content_goes_out_again(void **state)
{
	for (unsigned way = 0; way < 27; way++) {
		begin(3, HF_RECORD_SLOT, 9000);
		for (unsigned i = 0, left = way; i < 3; i++, left /= 3) {
			fate[i][0] = (enum kit_fault[]){
				KIT_FAIL, KIT_FAIL_LANDED, KIT_FAIL_TORN}[left % 3];
			fate[i][1] = KIT_OK;
			k.disks[i]->fault = strike;
			k.disks[i]->fault_arg = fate[i];
		}
		assert_int_equal(kit_record_write(&k, kind, 0, new_content, len), -EIO);
		for (unsigned at = 0; at < k.disks[0]->log[1].len / SECTOR; at++) {
			/* Disk 0 has all of the second write, 1 has `at` sectors, 2 nothing. */
			for (unsigned i = 0; i < 3; i++) {
				struct kit_disk *d = k.disks[i];
				const struct kit_write *w = &d->log[0];
				size_t n = fate[i][0] == KIT_FAIL	   ? 0
					   : fate[i][0] == KIT_FAIL_LANDED ? w->len
									   : w->len / 1024 * 512;

				assert_int_equal(d->log_len, 2);
				assert_int_equal(w->offset, d->log[1].offset);
				memcpy(d->data + w->offset, w->data, n);
				n = i == 0 ? w->len : i == 1 ? at * SECTOR : 0;
				memcpy(d->data + w->offset, d->log[1].data, n);
				d->fault = NULL;
			}
			read_everywhere(OLD | NEW, "killed while it was taken back");
		}
		kit_records_close(&k);
	}
}

/* --- years of bad luck ------------------------------------------------------------------------ */

static uint64_t values[64]; /* seeds of the contents that may be there */
static unsigned values_len;

static bool holds(uint64_t value, int r)
{
	static uint8_t want[RECORD_MAX];

	kit_fill(want, len, value);
	return r == (int)len && !memcmp(got, want, len);
}

/* Reads; the value found, which must be one of those that may be there. */
static uint64_t read_value(unsigned absent, bool *ret_scattered)
{
	int r;

	kit_records_restart(&k, absent);
	r = kit_record_read(&k, kind, 0, got, ret_scattered);
	for (unsigned i = 0; i < values_len; i++)
		if (holds(values[i], r))
			return values[i];
	fail_msg("read %d: none of the %u values that may be there", r, values_len);
	return 0;
}

static int write_value(unsigned absent, uint64_t value)
{
	static uint8_t buf[RECORD_MAX];

	for (unsigned i = 0; i < k.disks_len; i++)
		kit_disk_forget(k.disks[i]);
	kit_fill(buf, len, value);
	kit_records_restart(&k, absent);
	return kit_record_write(&k, kind, 0, buf, len);
}

static enum kit_fault bad_luck(struct kit_disk *disk, const struct hf_pdev_io *io)
{
	uint64_t *seed = disk->fault_arg;
	uint64_t roll = kit_below(seed, 16);

	if (io->op != HF_PDEV_WRITE || roll > 5)
		return KIT_OK;
	return roll < 2 ? KIT_FAIL : roll < 4 ? KIT_FAIL_LANDED : KIT_FAIL_TORN;
}

static void land_some(struct kit_disk *d, const struct kit_write *w, uint64_t odds, uint64_t *seed)
{
	for (unsigned s = 0; s < w->len / SECTOR; s++)
		if (kit_below(seed, 16) < odds)
			memcpy(d->data + w->offset + s * SECTOR, w->data + s * SECTOR, SECTOR);
}

/* The write of `value` is killed: in one of its phases, some sectors of it are on some disks. */
static void kill_write(unsigned absent, uint64_t value, uint64_t *seed)
{
	static uint8_t before[HF_RECORD_DISKS_MAX][2 * HF_FORMAT_SLOT_COPY_BYTES];
	uint64_t from = hf_record_offset(kind, 0, 0);
	unsigned phase = (unsigned)kit_below(seed, 2); /* where there are two */

	for (unsigned i = 0; i < k.disks_len; i++)
		memcpy(before[i], k.disks[i]->data + from, sizeof(before[i]));
	assert_int_equal(write_value(absent, value), 0);
	for (unsigned i = 0; i < k.disks_len; i++) {
		struct kit_disk *d = k.disks[i];

		memcpy(d->data + from, before[i], sizeof(before[i]));
		for (unsigned p = 0; p < d->log_len && p <= phase; p++)
			land_some(d, &d->log[p],
				p < phase && d->log_len > 1 ? 16 : kit_below(seed, 9) * 2, seed);
	}
}

static void one_life(unsigned disks, uint64_t *seed, uint64_t next)
{
	unsigned absent = disks == 3 && kit_below(seed, 2) ? 1u << kit_below(seed, 3) : 0;
	bool scattered, unlucky = kit_below(seed, 2);
	uint64_t value = read_value(absent, &scattered);
	int r;

	/* Whoever has read it may have told hosts: nothing else comes up again, from no disk. */
	if (!scattered) {
		values[0] = value;
		values_len = 1;
	}
	for (unsigned i = 0; i < disks; i++) {
		k.disks[i]->fault = unlucky ? bad_luck : NULL;
		k.disks[i]->fault_arg = seed;
	}
	if (scattered) { /* as the one writer does before it acts upon it */
		r = write_value(absent, value);
		if (r == 0) {
			values[0] = value;
			values_len = 1;
		}
	}
	if (!unlucky && kit_below(seed, 2)) {
		kill_write(absent, next, seed);
		values[values_len++] = next;
		return;
	}
	r = write_value(absent, next);
	if (r == 0) {
		values[0] = next;
		values_len = 1;
	} else if (r != -EIO) { /* -EIO: `next` is not there, what was in doubt stays so */
		assert_int_equal(r, -EINPROGRESS);
		values[values_len++] = next;
	}
	if (values_len > 40) { /* nothing goes wrong for once */
		for (unsigned i = 0; i < disks; i++)
			k.disks[i]->fault = NULL;
		assert_int_equal(write_value(0, next), 0);
		values[0] = next;
		values_len = 1;
	}
}

static void w14_years_of_cuts_and_failures(void **state)
{
	uint64_t seed = kit_seed("years of cuts and failures");

	for (unsigned disks = 1; disks <= 3; disks += 2) {
		kind = HF_RECORD_SLOT;
		len = 5000;
		kit_records_open(&k, disks);
		assert_int_equal(write_value(0, 1), 0);
		values[0] = 1;
		values_len = 1;
		for (uint64_t i = 2; i < 3000; i++)
			one_life(disks, &seed, i);
		kit_records_close(&k);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_subset_of_one_block_on_one_disk),
		cmocka_unit_test(every_subset_of_a_full_block_on_one_disk),
		cmocka_unit_test(every_sector_of_several_blocks_on_one_disk),
		cmocka_unit_test(every_sector_on_one_of_three_disks),
		cmocka_unit_test(three_disks_cut_at_random),
		cmocka_unit_test(the_first_write_torn_counts_as_never_written),
#ifndef CANARY
		cmocka_unit_test(w15_every_way_to_fail_on_one_disk),
		cmocka_unit_test(w15_every_way_to_fail_on_three_disks),
		cmocka_unit_test(w15_killed_while_the_old_content_goes_out_again),
		cmocka_unit_test(w14_years_of_cuts_and_failures),
#endif
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	print_message("%u reads after cuts and failures, %u wrong\n", tried, wrong);
#ifdef CANARY
	return failed || !wrong;
#else
	return failed;
#endif
}
