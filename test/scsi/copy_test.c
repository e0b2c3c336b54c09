/* SPDX-License-Identifier: BSD-3-Clause */
/* EXTENDED COPY(LID1) with its results, and SANITIZE: commands that go on for many pieces. */
#include "stage.h"
#include "scsi_internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* --- EXTENDED COPY --- */

static uint8_t list[4096];
static uint32_t list_len;

/* Copies `blocks` from LUN a to LUN b; targets 0 and 1. */
static void make_list(uint16_t a, uint16_t b, uint16_t blocks, uint64_t from, uint64_t to)
{
	uint16_t luns[2] = {a, b};
	uint8_t *s = list + 16 + 64;

	memset(list, 0, sizeof(list));
	list[0] = 7; /* LIST IDENTIFIER */
	hf_put_be16(list + 2, 64);
	hf_put_be32(list + 8, 28);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *t = list + 16 + 32 * i;
		struct hf_wr w = hf_wr_of(t + 4, 20);

		t[0] = 0xe4;
		scsi_designate_naa(&w, hf_itl_info(host_itl(&x, luns[i])));
	}
	s[0] = 0x02;
	hf_put_be16(s + 2, 24);
	hf_put_be16(s + 6, 1);
	hf_put_be16(s + 10, blocks);
	hf_put_be64(s + 12, from);
	hf_put_be64(s + 20, to);
	list_len = 16 + 64 + 28;
}

static void send_copy(struct host *h, uint16_t lun)
{
	char hex[64];

	snprintf(hex, sizeof(hex), "83 00 00000000 00000000 %08x 00 00", list_len);
	send_out(&c, h, lun, hex, list, list_len);
}

static void copies_between_units_and_within_one(void **state)
{
	uint8_t *from = k->disks[0].bytes + 8 * 512, *to = k->disks[1].bytes + 2 * 4096;

	memcpy(from, data, sizeof(data));
	make_list(0, 1, 2048, 8, 2);
	send_copy(&x, 0);
	assert_good(&c);
	assert_memory_equal(to, data, sizeof(data));
	assert_int_equal(k->disks[1].bytes[2 * 4096 - 1], 0);
	assert_int_equal(to[sizeof(data)], 0);
	send_in(&c, &x, 0, "84 00 07 00000000000000 00000020 00 00", 32);
	assert_good(&c);
	assert_int_equal(c.in_len, 12);
	assert_int_equal(c.in[4], 1);
	assert_int_equal(hf_get_be16(c.in + 5), 1);
	assert_int_equal(hf_get_be32(c.in + 8), 1024);
	/* sent to a unit that is neither source nor destination; LU ID TYPE is ignored */
	make_list(0, 0, 4000, 8, 30000);
	list[17] = 0x80;
	send_copy(&x, 3);
	assert_good(&c);
	assert_memory_equal(k->disks[0].bytes + 30000 * 512, data, sizeof(data));
	/* nobody else hears of it */
	send_in(&c, &y, 0, "84 00 07 00000000000000 00000020 00 00", 32);
	assert_sense(&c, 5, 0x2400);
	send_in(&c, &x, 0, "84 00 08 00000000000000 00000020 00 00", 32);
	assert_sense(&c, 5, 0x2400);
	/* empty list */
	list_len = 0;
	send_copy(&x, 0);
	assert_good(&c);
}

static void copy_operating_parameters(void **state)
{
	send_in(&c, &x, 0, "84 03 00 00000000000000 00000040 00 00", 64);
	assert_good(&c);
	assert_int_equal(hf_get_be32(c.in), c.in_len - 4);
	assert_int_equal(hf_get_be16(c.in + 8), SCSI_COPY_TARGETS_MAX);
	assert_int_equal(hf_get_be16(c.in + 10), SCSI_COPY_SEGMENTS_MAX);
	assert_int_equal(c.in[43], 2);
}

static void copy_lists_that_are_wrong(void **state)
{
	make_list(0, 1, 1, 8, 2);
	list_len--;
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x1a00);
	list_len = 16 + 31;
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x1a00);
	make_list(0, 1, 8, 8, 2);
	list[16] = 0xe0; /* Fibre Channel name */
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x2607);
	make_list(0, 1, 8, 8, 2);
	list[80] = 0x03; /* stream to stream */
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x2609);
	make_list(0, 1, 8, 8, 2);
	list[17] = 0x01; /* a tape */
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x2600);
	make_list(0, 1, 8, 8, 2);
	list[17] = 0x20; /* NUL */
	send_copy(&x, 0);
	assert_sense(&c, 0xa, 0x0d02);
	make_list(0, 1, 8, 8, 2);
	list[25] ^= 1; /* nobody has this name */
	send_copy(&x, 0);
	assert_sense(&c, 0xa, 0x0d02);
	make_list(0, 1, 8, 8, 2);
	list[16 + 64 + 7] = 2; /* no such target */
	send_copy(&x, 0);
	assert_sense(&c, 0xa, 0x0d02);
	make_list(0, 1, 8, 8, BLOCKS / 8);
	send_copy(&x, 0);
	assert_sense(&c, 0xa, 0x0000);
	make_list(0, 1, 7, 8, 2); /* seven small blocks do not fill a large one */
	send_copy(&x, 0);
	assert_sense(&c, 0xa, 0x0000);
	make_list(0, 2, 8, 8, 2);
	send_copy(&x, 0);
	assert_sense(&c, 7, 0x2700);
	make_list(0, 1, 8, 8, 2);
	list[15] = 1; /* inline data */
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x2600);
	/* too many of either */
	make_list(0, 1, 8, 8, 2);
	hf_put_be16(list + 2, 9 * 32);
	list_len = 16 + 9 * 32 + 28;
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x2606);
	make_list(0, 1, 0, 8, 2);
	for (unsigned i = 1; i < 17; i++)
		memcpy(list + 80 + 28 * i, list + 80, 28);
	hf_put_be32(list + 8, 17 * 28);
	list_len = 16 + 64 + 17 * 28;
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x2608);
	list_len = SCSI_COPY_LIST_BYTES + 1;
	send_copy(&x, 0);
	assert_sense(&c, 5, 0x1a00);
	assert_int_equal(k->disks[1].writes + k->disks[2].writes, 0);
}

/* The sender's rights count at both ends, whatever unit the command is sent to (E.6). */
static void copy_is_checked_at_source_and_destination(void **state)
{
	send_none(&c, &y, 1, "16");
	assert_good(&c);
	make_list(0, 1, 8, 8, 2);
	send_copy(&x, 0);
	assert_conflict(&c);
	make_list(1, 0, 1, 2, 8);
	send_copy(&x, 0);
	assert_conflict(&c);
	assert_int_equal(k->disks[0].writes + k->disks[1].writes + k->disks[1].reads, 0);
	send_none(&c, &y, 1, "17");
	make_list(0, 1, 8, 8, 2);
	send_copy(&x, 0);
	assert_good(&c);
}

static void copy_ends_where_a_reservation_begins(void **state)
{
	static const uint8_t reserve6[16] = {0x16};
	uint8_t cdb[16] = {0x83, [13] = 16 + 64 + 28};

	make_list(0, 1, 16384, 0, 0); /* 8 MiB: eight pieces */
	cmd_begin(&c, &x, 0, cdb, 16);
	c.data_out = true;
	c.expected = list_len;
	c.out = list;
	assert_int_equal(cmd_arrive(&c), HF_SCSI_READY);
	k->disks[1].hold_next = true;
	cmd_run(&c);
	assert_non_null(k->disks[1].held);
	cmd_begin(&d, &y, 1, reserve6, 16);
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	cmd_run(&d);
	assert_false(d.over); /* waits for the piece that is being written */
	disk_release(&k->disks[1]);
	kit_settle(k);
	assert_true(c.over);
	assert_true(d.over);
	cmd_end(&c);
	cmd_end(&d);
	assert_conflict(&c);
	assert_good(&d);
	assert_int_equal(k->disks[1].writes, 1);
}

static int tmf_result;

static void tmf_done(struct hf_tmf_req *req, int result)
{
	tmf_result = result;
}

/* Aborted while a piece is at the medium: that piece ends, no other follows, nothing is answered.
 */
static void expect_abort(
	struct cmd *victim, enum hf_tmf function, uint16_t lun, struct disk *at, unsigned writes)
{
	struct hf_tmf_req tmf = {.function = function,
		.session = &x.s,
		.itl = host_itl(&x, lun),
		.target = &victim->t.cmd,
		.done = tmf_done};

	tmf_result = 1;
	hf_lu_tmf(&tmf);
	kit_settle(k);
	assert_int_equal(tmf_result, 1);
	disk_release(at);
	kit_settle(k);
	assert_true(victim->over);
	assert_true(victim->t.silent);
	cmd_end(victim);
	assert_int_equal(tmf_result, 0);
	assert_int_equal(at->writes + at->zeroes, writes);
}

static void begin_copy(void)
{
	uint8_t cdb[16] = {0x83, [13] = 16 + 64 + 28};

	make_list(0, 1, 16384, 0, 0);
	cmd_begin(&d, &x, 0, cdb, 16);
	d.data_out = true;
	d.expected = list_len;
	d.out = list;
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	k->disks[1].hold_next = true;
	cmd_run(&d);
	assert_non_null(k->disks[1].held);
}

static void an_aborted_copy_ends_after_the_piece(void **state)
{
	begin_copy();
	expect_abort(&d, HF_TMF_ABORT_TASK, 0, &k->disks[1], 1);
	send_in(&c, &x, 0, "84 00 07 00000000000000 00000020 00 00", 32);
	assert_good(&c);
	assert_int_equal(c.in[4], 2); /* with errors */
	make_list(0, 1, 8, 0, 0);
	send_copy(&x, 0);
	assert_good(&c);
	/* a task set that only a piece of it is in */
	begin_copy();
	expect_abort(&d, HF_TMF_ABORT_TASK_SET, 1, &k->disks[1], 3);
}

/* PREEMPT AND ABORT at the destination ends a copy that was sent to the source. */
static void a_preempted_sender_copies_no_further(void **state)
{
	send_prout(&c, &x, 1, 0, 0, 0, 0x11);
	send_prout(&c, &y, 1, 0, 0, 0, 0x22);
	begin_copy();
	{
		uint8_t prout[24] = {[7] = 0x22, [15] = 0x11};
		static const uint8_t cdb[16] = {0x5f, 5, 1, [8] = 24};

		cmd_begin(&c, &y, 1, cdb, 16);
		c.data_out = true;
		c.expected = 24;
		c.out = prout;
		assert_int_equal(cmd_arrive(&c), HF_SCSI_READY);
		cmd_run(&c);
	}
	assert_false(c.over); /* waits for the piece */
	disk_release(&k->disks[1]);
	kit_settle(k);
	assert_true(c.over);
	cmd_end(&c);
	assert_good(&c);
	assert_true(d.over);
	cmd_end(&d);
	assert_true(d.t.silent);
	assert_int_equal(k->disks[1].writes, 1);
}

static void copy_survives_a_failing_disk(void **state)
{
	make_list(0, 1, 8, 8, 2);
	k->disks[0].fail_next = -EIO;
	send_copy(&x, 0);
	assert_sense(&c, 3, 0x1100);
	k->disks[1].fail_next = -EIO;
	send_copy(&x, 0);
	assert_sense(&c, 3, 0x0c00);
	send_copy(&x, 0);
	assert_good(&c);
}

/* --- SANITIZE --- */

static void sanitize_overwrites_all_of_it(void **state)
{
	uint8_t param[4 + 512] = {1, 0, 2, 0};

	memset(param + 4, 0xaa, 512);
	send_out(&c, &x, 0, "48 01 00 00 00 00 00 0204 00", param, sizeof(param));
	assert_good(&c);
	for (uint64_t i = 0; i < BLOCKS * 512; i++)
		assert_int_equal(k->disks[0].bytes[i], 0xaa);
	assert_int_equal(k->disks[0].flushes, 1);
	/* a short pattern begins anew in each block; two passes, the second inverted */
	memcpy(param, (uint8_t[]){0x82, 0, 0, 3, 1, 2, 3}, 7);
	send_out(&c, &x, 0, "48 01 00 00 00 00 00 0007 00", param, 7);
	assert_good(&c);
	for (uint64_t i = 0; i < BLOCKS * 512; i++)
		assert_int_equal(k->disks[0].bytes[i], (uint8_t) ~(i % 512 % 3 + 1));
}

static void sanitize_parameters_that_are_wrong(void **state)
{
	static uint8_t param[520] = {1, 0, 2, 0};

	for (unsigned i = 0; i < 5; i++) {
		char hex[48];

		snprintf(hex, sizeof(hex), "48 01 00 00 00 00 00 %04x 00", i);
		send_out(&c, &x, 0, hex, param, i);
		assert_sense(&c, 5, 0x2400);
	}
	send_out(&c, &x, 0, "48 01 00 00 00 00 00 0205 00", param, 517);
	assert_sense(&c, 5, 0x2400);
	param[0] = 0;
	send_out(&c, &x, 0, "48 01 00 00 00 00 00 0204 00", param, 516);
	assert_sense(&c, 5, 0x2600);
	param[0] = 1;
	param[2] = param[3] = 0;
	send_out(&c, &x, 0, "48 01 00 00 00 00 00 0204 00", param, 516);
	assert_sense(&c, 5, 0x2600);
	hf_put_be16(param + 2, 516);
	send_out(&c, &x, 0, "48 01 00 00 00 00 00 0204 00", param, 516);
	assert_sense(&c, 5, 0x2600);
	send_out(&c, &x, 0, "48 02 00 00 00 00 00 0008 00", param, 8);
	assert_sense(&c, 5, 0x2400);
	send_out(&c, &x, 0, "48 1f 00 00 00 00 00 0008 00", param, 8);
	assert_sense(&c, 5, 0x2400);
	send_none(&c, &x, 0, "48 03 00 00 00 00 00 0000 00"); /* no CRYPTO ERASE */
	assert_sense(&c, 5, 0x2400);
	assert_int_equal(k->disks[0].writes, 0);
}

static void block_erase_unmaps_all_of_it(void **state)
{
	memset(k->disks[0].bytes, 'a', BLOCKS * 512);
	send_none(&c, &x, 0, "48 02");
	assert_good(&c);
	for (uint64_t i = 0; i < BLOCKS * 512; i++)
		assert_int_equal(k->disks[0].bytes[i], 0);
	send_in(&c, &x, 0, "9e 12 0000000000000000 00000100 00 00", 256);
	assert_int_equal(c.in_len, 24);
	assert_int_equal(hf_get_be32(c.in + 16), BLOCKS);
	assert_int_equal(c.in[20], 1);
	send_none(&c, &x, 3, "48 02");
	assert_sense(&c, 5, 0x2400);
}

static void begin_erase(void)
{
	static const uint8_t cdb[16] = {0x48, 0x22, [8] = 0};

	cmd_begin(&d, &x, 0, cdb, 16);
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	k->disks[0].hold_next = true;
	cmd_run(&d);
	assert_non_null(k->disks[0].held);
}

static void begin_overwrite(uint8_t cdb1)
{
	uint8_t cdb[16] = {0x48, cdb1, [8] = 8};
	static uint8_t param[8] = {1, 0, 0, 4, 'p', 'q', 'r', 's'};

	cmd_begin(&d, &x, 0, cdb, 16);
	d.data_out = true;
	d.expected = 8;
	d.out = param;
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	k->disks[0].hold_next = true;
	cmd_run(&d);
	assert_non_null(k->disks[0].held);
}

static void expect_overwritten(void)
{
	disk_release(&k->disks[0]);
	kit_settle(k);
	send_none(&c, &y, 0, "00");
	assert_good(&c);
	for (uint64_t i = 0; i < BLOCKS * 512; i++)
		assert_int_equal(k->disks[0].bytes[i], "pqrs"[i % 4]);
}

/* `victim` is what it aborts, or NULL. */
static void tmf(enum hf_tmf function, struct host *h, struct cmd *victim)
{
	struct hf_tmf_req req = {.function = function,
		.session = &h->s,
		.itl = function < HF_TMF_TARGET_WARM_RESET ? host_itl(h, 0) : NULL,
		.target = function == HF_TMF_ABORT_TASK ? &victim->t.cmd : NULL,
		.done = tmf_done};

	tmf_result = 1;
	hf_lu_tmf(&req);
	kit_settle(k);
	if (victim) {
		assert_true(victim->over && victim->t.silent);
		cmd_end(victim);
	}
	assert_int_equal(tmf_result, 0);
}

static void a_sanitize_outlives_its_command_and_every_reset(void **state)
{
	begin_overwrite(0x01);
	tmf(HF_TMF_ABORT_TASK, &x, &d);
	for (int f = HF_TMF_LU_RESET; f <= HF_TMF_TARGET_COLD_RESET; f++) {
		tmf((enum hf_tmf)f, &y, NULL);
		send_none(&c, &y, 0, "00");
		assert_sense(&c, 6, 0x2903);
		send_none(&c, &y, 0, "00");
		assert_sense(&c, 2, 0x041b);
	}
	expect_overwritten();
	assert_int_equal(k->disks[0].writes, BLOCKS * 512 >> 20);
}

static void a_sanitize_outlives_its_session(void **state)
{
	begin_overwrite(0x01);
	tmf(HF_TMF_ABORT_TASK_SET, &x, &d);
	host_logout(&x);
	send_none(&c, &y, 0, "00");
	assert_sense(&c, 2, 0x041b);
	expect_overwritten();
	host_login(k, &x, "iqn.host:x", 1);
}

/* Its session ends while it only waits for the end of the job, which may be hours away. */
static void the_waiter_of_a_sanitize_is_let_go_with_its_session(void **state)
{
	begin_overwrite(0x01);
	hf_scsi_abandon(k->scsi, &d.t);
	assert_true(d.over && d.t.silent);
	cmd_end(&d);
	host_logout(&x);
	send_none(&c, &y, 0, "00");
	assert_sense(&c, 2, 0x041b);
	expect_overwritten();
	host_login(k, &x, "iqn.host:x", 1);
}

/* Aborted while the op that begins it is being agreed: the abort waits for that, not for the end.
 */
static void a_sanitize_that_is_aborted_before_it_begins(void **state)
{
	static struct cmd w;
	static const uint8_t cdb[16] = {0x2a, [8] = 1}, erase[16] = {0x48, 0x02};
	struct hf_tmf_req req = {.function = HF_TMF_ABORT_TASK,
		.session = &x.s,
		.itl = host_itl(&x, 0),
		.target = &d.t.cmd,
		.done = tmf_done};

	cmd_begin(&w, &y, 0, cdb, 16);
	w.data_out = true;
	w.expected = 512;
	w.out = data;
	assert_int_equal(cmd_arrive(&w), HF_SCSI_READY);
	k->disks[0].hold_next = true;
	cmd_run(&w);
	cmd_begin(&d, &x, 0, erase, 16);
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	cmd_run(&d);
	tmf_result = 1;
	hf_lu_tmf(&req);
	kit_settle(k);
	assert_false(d.over); /* an op once asked is waited for */
	disk_release(&k->disks[0]);
	k->disks[0].hold_next = true; /* the sanitize itself, for hours */
	kit_settle(k);
	cmd_end(&w);
	assert_non_null(k->disks[0].held);
	assert_true(d.over && d.t.silent);
	cmd_end(&d);
	kit_settle(k);
	assert_int_equal(tmf_result, 0);
	disk_release(&k->disks[0]);
	kit_settle(k);
	send_none(&c, &y, 0, "00");
	assert_good(&c);
	cmd_free(&w);
}

/* ... while the op that begins it is on its way: the command ends with that op, the job begins. */
static void a_sanitize_that_is_abandoned_before_it_begins(void **state)
{
	static struct cmd w;
	static const uint8_t cdb[16] = {0x2a, [8] = 1}, erase[16] = {0x48, 0x02};

	cmd_begin(&w, &y, 0, cdb, 16);
	w.data_out = true;
	w.expected = 512;
	w.out = data;
	assert_int_equal(cmd_arrive(&w), HF_SCSI_READY);
	k->disks[0].hold_next = true;
	cmd_run(&w);
	cmd_begin(&d, &x, 0, erase, 16);
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	cmd_run(&d);
	hf_scsi_abandon(k->scsi, &d.t);
	kit_settle(k);
	assert_false(d.over); /* an op once asked is waited for */
	disk_release(&k->disks[0]);
	k->disks[0].hold_next = true;
	kit_settle(k);
	assert_true(w.over);
	cmd_end(&w);
	assert_true(d.over);
	cmd_end(&d);
	assert_non_null(k->disks[0].held);
	host_logout(&x);
	disk_release(&k->disks[0]);
	kit_settle(k);
	send_none(&c, &y, 0, "00");
	assert_good(&c);
	assert_int_not_equal(k->disks[0].zeroes, 0);
	host_login(k, &x, "iqn.host:x", 1);
	cmd_free(&w);
}

static void an_abandoned_command_at_the_medium_ends_there(void **state)
{
	static const uint8_t cdb[16] = {0x2a, [8] = 1};

	cmd_begin(&d, &x, 0, cdb, 16);
	d.data_out = true;
	d.expected = 512;
	d.out = data;
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	k->disks[0].hold_next = true;
	cmd_run(&d);
	hf_scsi_abandon(k->scsi, &d.t);
	kit_settle(k);
	assert_false(d.over);
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_true(d.over);
	cmd_end(&d);
}

static unsigned still;

static void count_still(void *arg)
{
	still++;
}

/* INV-4: "nothing of mine is in flight" is not said while a piece of the job is. */
static void a_job_is_waited_for_by_who_is_out_of_the_view(void **state)
{
	still = 0;
	hf_lu_await_jobs(k->table, count_still, NULL);
	assert_int_equal(still, 1);
	begin_overwrite(0x81);
	cmd_end(&d);
	hf_lu_set_serving(k->table, false);
	hf_lu_await_jobs(k->table, count_still, NULL);
	kit_settle(k);
	assert_int_equal(still, 1);
	assert_false(hf_lu_jobs_are_still(k->table));
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_int_equal(still, 2);
	assert_true(hf_lu_jobs_are_still(k->table));
	assert_int_equal(k->disks[0].writes, 1);
	/* Unlike one that leaves it may serve again, and then it may begin another. */
	hf_lu_set_serving(k->table, true);
	kit_settle(k);
	send_none(&c, &y, 0, "00");
	assert_sense(&c, 3, 0x3103);
	begin_overwrite(0x01);
	expect_overwritten();
	assert_true(d.over);
	cmd_end(&d);
	assert_good(&d);
	assert_int_equal(still, 2);
}

/* While a race is on, nobody knows yet whether this controller may write. */
static void a_race_makes_a_job_wait_for_its_end(void **state)
{
	unsigned writes;

	begin_overwrite(0x81);
	cmd_end(&d);
	writes = k->disks[0].writes;
	hf_lu_set_paused(k->table);
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_false(hf_lu_jobs_are_still(k->table));
	assert_in_range(k->disks[0].writes, writes, 1);
	hf_lu_set_serving(k->table, true); /* won */
	k->disks[0].hold_next = true;
	kit_settle(k);
	assert_non_null(k->disks[0].held);
	expect_overwritten();

	begin_overwrite(0x81);
	cmd_end(&d);
	hf_lu_set_paused(k->table);
	disk_release(&k->disks[0]);
	kit_settle(k);
	writes = k->disks[0].writes;
	still = 0;
	hf_lu_set_serving(k->table, false); /* lost */
	hf_lu_await_jobs(k->table, count_still, NULL);
	kit_settle(k);
	assert_int_equal(still, 1);
	assert_int_equal(k->disks[0].writes, writes);
	hf_lu_set_serving(k->table, true);
	kit_settle(k);
}

/* A node is lost, and for a while nothing passes: that is no reason for SANITIZE FAILED. */
static void inv5_a_job_waits_while_the_view_may_not_stand(void **state)
{
	unsigned writes;

	begin_overwrite(0x81);
	cmd_end(&d);
	writes = k->disks[0].writes;
	atomic_store(&k->bus.valid_until_ns, hf_loop_now_ns(k->loop));
	disk_release(&k->disks[0]);
	kit_settle(k);
	hf_loop_sim_advance(k->loop, 1000000000);
	kit_settle(k);
	assert_false(hf_lu_jobs_are_still(k->table));
	assert_in_range(k->disks[0].writes, writes, 1);
	atomic_store(&k->bus.valid_until_ns, HF_BUS_VALID_FOR_EVER);
	k->disks[0].hold_next = true;
	hf_loop_sim_advance(k->loop, 1000000000);
	kit_settle(k);
	assert_non_null(k->disks[0].held);
	expect_overwritten();
}

/* Who leaves in the middle of a race waits for no end of it. */
static void a_job_that_waits_for_a_race_ends_when_its_controller_leaves(void **state)
{
	begin_overwrite(0x81);
	cmd_end(&d);
	hf_lu_set_paused(k->table);
	disk_release(&k->disks[0]);
	kit_settle(k);
	still = 0;
	hf_lu_stop_jobs(k->table, count_still, NULL);
	kit_settle(k);
	assert_int_equal(still, 1);
}

static void an_immediate_sanitize_is_answered_when_it_has_begun(void **state)
{
	begin_overwrite(0x81);
	kit_settle(k);
	assert_true(d.over);
	cmd_end(&d);
	assert_good(&d);
	send_none(&c, &x, 0, "00");
	assert_sense(&c, 2, 0x041b);
	/* what is wrong with it is told at once */
	send_out(&c, &y, 0, "48 81 00 00 00 00 00 0008 00", (uint8_t[8]){1, 0, 0, 4}, 8);
	assert_sense(&c, 2, 0x041b);
	expect_overwritten();
}

/* What came before the sanitize and gets its data after it began must not land behind it. */
static void a_write_that_gathers_is_told_too(void **state)
{
	static struct cmd w;
	static const uint8_t cdb[16] = {0x2a, [8] = 1};

	cmd_begin(&w, &y, 0, cdb, 16);
	w.data_out = true;
	w.expected = 512;
	w.out = data;
	assert_int_equal(cmd_arrive(&w), HF_SCSI_READY);
	begin_overwrite(0x01);
	cmd_run(&w);
	kit_settle(k);
	assert_true(w.over);
	cmd_end(&w);
	assert_sense(&w, 2, 0x041b);
	expect_overwritten();
	assert_true(d.over);
	cmd_end(&d);
	assert_good(&d);
	cmd_free(&w);
}

/* What is at the medium when it comes is waited for. */
static void a_sanitize_waits_for_pins(void **state)
{
	static struct cmd w;
	static const uint8_t cdb[16] = {0x2a, [8] = 1}, erase[16] = {0x48, 0x02};

	cmd_begin(&w, &y, 0, cdb, 16);
	w.data_out = true;
	w.expected = 512;
	w.out = data;
	assert_int_equal(cmd_arrive(&w), HF_SCSI_READY);
	k->disks[0].hold_next = true;
	cmd_run(&w);
	cmd_begin(&d, &x, 0, erase, 16);
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	cmd_run(&d);
	kit_settle(k);
	assert_false(d.over);
	assert_int_equal(k->disks[0].zeroes, 0);
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_true(w.over);
	cmd_end(&w); /* the pin ends with the answer on its way */
	assert_good(&w);
	kit_settle(k);
	assert_true(d.over);
	cmd_end(&d);
	assert_good(&d);
	assert_int_equal(k->disks[0].bytes[0], 0);
	cmd_free(&w);
}

static void others_are_told_that_it_runs(void **state)
{
	begin_erase();
	send_none(&c, &y, 0, "00");
	assert_sense(&c, 2, 0x041b);
	assert_int_equal(c.t.sense[15], 0x80); /* progress indication */
	send_in(&c, &y, 0, "28 00 00000000 00 0001 00", 512);
	assert_sense(&c, 2, 0x041b);
	send_none(&c, &y, 0, "48 02");
	assert_sense(&c, 2, 0x041b);
	send_in(&c, &y, 0, "12 00 00 00 24", 36);
	assert_good(&c);
	send_in(&c, &y, 0, "03 00 00 00 12", 18);
	assert_int_equal(hf_get_be16(c.in + 12), 0x041b);
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_true(d.over);
	cmd_end(&d);
	assert_good(&d);
	send_none(&c, &y, 0, "00");
	assert_good(&c);
}

static void what_failed_stays_failed_until_done_again_or_excused(void **state)
{
	static uint8_t param[8] = {1, 0, 0, 4};

	/* the second of the twenty pieces is not written */
	for (unsigned ause = 0; ause < 2; ause++) {
		uint8_t cdb[16] = {0x48, ause ? 0x21 : 0x01, [8] = 8};

		cmd_begin(&d, &x, 0, cdb, 16);
		d.data_out = true;
		d.expected = 8;
		d.out = param;
		assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
		k->disks[0].hold_next = true;
		cmd_run(&d);
		k->disks[0].fail_next = -EIO;
		disk_release(&k->disks[0]);
		kit_settle(k);
		assert_true(d.over);
		cmd_end(&d);
		assert_sense(&d, 3, 0x0c00);
		send_in(&c, &y, 0, "28 00 00000000 00 0001 00", 512);
		assert_sense(&c, 3, 0x3103);
		send_none(&c, &x, 0, "48 1f");
		if (ause)
			assert_good(&c);
		else
			assert_sense(&c, 5, 0x2400);
		if (!ause) {
			send_out(&c, &x, 0, "48 01 00 00 00 00 00 0008 00", param, 8);
			assert_good(&c);
		}
		send_in(&c, &y, 0, "28 00 00000000 00 0001 00", 512);
		assert_good(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copies_between_units_and_within_one),
		TEST(copy_operating_parameters),
		TEST(copy_lists_that_are_wrong),
		TEST(copy_is_checked_at_source_and_destination),
		TEST(copy_ends_where_a_reservation_begins),
		TEST(an_aborted_copy_ends_after_the_piece),
		TEST(a_preempted_sender_copies_no_further),
		TEST(copy_survives_a_failing_disk),
		TEST(sanitize_overwrites_all_of_it),
		TEST(sanitize_parameters_that_are_wrong),
		TEST(block_erase_unmaps_all_of_it),
		TEST(a_sanitize_outlives_its_command_and_every_reset),
		TEST(a_sanitize_outlives_its_session),
		TEST(the_waiter_of_a_sanitize_is_let_go_with_its_session),
		TEST(a_sanitize_that_is_aborted_before_it_begins),
		TEST(a_sanitize_that_is_abandoned_before_it_begins),
		TEST(an_abandoned_command_at_the_medium_ends_there),
		TEST(a_job_is_waited_for_by_who_is_out_of_the_view),
		TEST(a_race_makes_a_job_wait_for_its_end),
		TEST(inv5_a_job_waits_while_the_view_may_not_stand),
		TEST(a_job_that_waits_for_a_race_ends_when_its_controller_leaves),
		TEST(an_immediate_sanitize_is_answered_when_it_has_begun),
		TEST(a_write_that_gathers_is_told_too),
		TEST(a_sanitize_waits_for_pins),
		TEST(others_are_told_that_it_runs),
		TEST(what_failed_stays_failed_until_done_again_or_excused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
