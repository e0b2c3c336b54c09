/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of commands: order of refusals, unit attentions, aborts, waiting for what there is little
 * of, reservations that change under a command.
 */
#include "stage.h"
#include "scsi_internal.h"

#include <stdlib.h>

static struct cmd many[64];

static int teardown(void **state)
{
	for (unsigned i = 0; i < HF_ARRAY_LEN(many); i++)
		cmd_free(&many[i]);
	return stage_teardown(state);
}

static void begin_write(struct cmd *w, struct host *h, uint8_t lba)
{
	uint8_t cdb[16] = {0x2a, [5] = lba, [8] = 1};

	cmd_begin(w, h, 0, cdb, 16);
	w->data_out = true;
	w->expected = 512;
	w->out = data;
	assert_int_equal(cmd_arrive(w), HF_SCSI_READY);
}

/* x holds Write Exclusive, y is a stranger. */
static void reserve_by_x(void)
{
	send_prout(&c, &x, 0, 0, 0, 0, 0x11);
	assert_good(&c);
	send_prout(&c, &x, 0, 1, 1, 0x11, 0);
	assert_good(&c);
}

static void attention_is_reported_once_and_not_by_inquiry(void **state)
{
	struct hf_itl *itl = host_itl(&x, 0);

	hf_itl_attention_raise(itl, 0x2a03);
	send_in(&c, &x, 0, "12 00 00 00 24", 36);
	assert_good(&c);
	send_in(&c, &x, 0, "a0 00 00 00 00 00 00000010", 16);
	assert_good(&c);
	send_none(&c, &x, 0, "00");
	assert_sense(&c, 6, 0x2a03);
	assert_true(c.early);
	send_none(&c, &x, 0, "00");
	assert_good(&c);
	/* REPORT LUNS settles what it answers, on every unit, and nothing else */
	hf_itl_attention_raise(itl, 0x2a03);
	hf_itl_attention_raise(itl, 0x3f0e);
	hf_itl_attention_raise(host_itl(&x, 1), 0x3f0e);
	hf_itl_attention_raise(host_itl(&y, 1), 0x3f0e);
	send_in(&c, &x, 0, "a0 00 00 00 00 00 00000010", 16);
	send_none(&c, &x, 1, "00");
	assert_good(&c);
	send_none(&c, &x, 0, "00");
	assert_sense(&c, 6, 0x2a03);
	send_none(&c, &x, 0, "00");
	assert_good(&c);
	send_none(&c, &y, 1, "00");
	assert_sense(&c, 6, 0x3f0e);
	/* REQUEST SENSE hands it over as data */
	hf_itl_attention_raise(itl, 0x2a05);
	send_in(&c, &x, 0, "03 00 00 00 12", 18);
	assert_good(&c);
	assert_int_equal(c.in[2], 6);
	assert_int_equal(hf_get_be16(c.in + 12), 0x2a05);
	send_none(&c, &x, 0, "00");
	assert_good(&c);
}

/* SAM-3 and later: resets, then RESERVATION CONFLICT, then other attentions (E.9). */
static void order_of_attentions_and_conflict(void **state)
{
	struct hf_itl *itl = host_itl(&y, 0);

	reserve_by_x();
	hf_itl_attention_raise(itl, 0x2a05);
	send_out(&c, &y, 0, "2a 00 00000000 00 0001 00", data, 512);
	assert_conflict(&c);
	assert_int_equal(hf_itl_attention_peek(itl), 0x2a05); /* not cleared by it */
	send_none(&c, &y, 0, "00");
	assert_sense(&c, 6, 0x2a05);
	hf_itl_attention_raise(itl, 0x2903);
	send_out(&c, &y, 0, "2a 00 00000000 00 0001 00", data, 512);
	assert_sense(&c, 6, 0x2903);
	send_out(&c, &y, 0, "2a 00 00000000 00 0001 00", data, 512);
	assert_conflict(&c);
	/* an attention comes before what is wrong with the command */
	hf_itl_attention_raise(itl, 0x2a04);
	send_in(&c, &y, 0, "28 00 ffffffff 00 0001 00", 512);
	assert_sense(&c, 6, 0x2a04);
	send_in(&c, &y, 0, "28 00 ffffffff 00 0001 00", 512);
	assert_sense(&c, 5, 0x2100);
}

/* Admitted on arrival, no longer when its data are here: 18h, and the medium is not touched. */
static void a_reservation_between_arrival_and_pin_conflicts(void **state)
{
	begin_write(&d, &y, 0);
	reserve_by_x();
	cmd_run(&d);
	cmd_end(&d);
	assert_conflict(&d);
	assert_false(d.early);
	assert_int_equal(k->disks[0].writes, 0);
}

/* INV-4: RESERVE is answered only when the stranger's write has landed. */
static void inv4_reserve_waits_for_the_pinned_write(void **state)
{
	static const uint8_t reserve6[16] = {0x16};

	begin_write(&d, &y, 3);
	k->disks[0].hold_next = true;
	cmd_run(&d);
	assert_false(d.over);
	cmd_begin(&c, &x, 0, reserve6, 16);
	assert_int_equal(cmd_arrive(&c), HF_SCSI_READY);
	cmd_run(&c);
	assert_false(c.over);
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_true(d.over);
	cmd_end(&d); /* the pin ends */
	assert_good(&d);
	assert_true(c.over);
	cmd_end(&c);
	assert_good(&c);
	send_out(&d, &y, 0, "2a 00 00000000 00 0001 00", data, 512);
	assert_conflict(&d);
}

static void s3_preempt_and_abort_waits_for_no_data_of_its_victim(void **state)
{
	send_prout(&c, &y, 0, 0, 0, 0, 0x22);
	send_prout(&c, &x, 0, 0, 0, 0, 0x11);
	begin_write(&d, &y, 0); /* gathers its data */
	send_prout(&c, &x, 0, 5, 1, 0x11, 0x22);
	assert_good(&c);
	assert_true(d.told_aborted);
	assert_true(d.t.silent);
	d.over = true; /* never run */
	cmd_end(&d);
	assert_int_equal(k->disks[0].writes, 0);
	send_none(&c, &y, 0, "00");
	assert_int_equal(c.key, 6);
}

static void task_aborted_status_with_tas(void **state)
{
	static const uint8_t tas[16] = {[4] = 0x0a, 10, 0x20, 0x10, [9] = 0x40};

	send_out(&c, &x, 0, "15 10 00 00 10 00", tas, 16);
	assert_good(&c);
	send_none(&c, &y, 0, "00");
	assert_int_equal(c.key, 6);
	send_prout(&c, &y, 0, 0, 0, 0, 0x22);
	send_prout(&c, &x, 0, 0, 0, 0, 0x11);
	begin_write(&d, &y, 0);
	send_prout(&c, &x, 0, 5, 1, 0x11, 0x22);
	assert_good(&c);
	assert_true(d.told_aborted);
	assert_false(d.t.silent);
	assert_int_equal(d.t.status, HF_STATUS_TASK_ABORTED);
	d.over = true;
	cmd_end(&d);
}

static int tmf_result;

static void tmf_done(struct hf_tmf_req *req, int result)
{
	tmf_result = result;
}

static void an_aborted_command_at_the_medium_ends_in_silence(void **state)
{
	struct hf_tmf_req tmf = {.function = HF_TMF_ABORT_TASK,
		.session = &x.s,
		.itl = host_itl(&x, 0),
		.target = &d.t.cmd,
		.done = tmf_done};

	begin_write(&d, &x, 0);
	k->disks[0].hold_next = true;
	cmd_run(&d);
	tmf_result = 1;
	hf_lu_tmf(&tmf);
	kit_settle(k);
	assert_int_equal(tmf_result, 1); /* waits for the write */
	assert_false(d.over);
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_true(d.over);
	assert_true(d.t.silent);
	cmd_end(&d);
	assert_int_equal(tmf_result, 0);
}

/* What waits for a reset to settle is told of it, though nothing was there to tell on arrival. */
static void a_command_that_waited_reports_what_came_meanwhile(void **state)
{
	static const uint8_t tur[16] = {0};
	struct hf_tmf_req tmf = {.function = HF_TMF_LU_RESET,
		.session = &x.s,
		.itl = host_itl(&x, 0),
		.done = tmf_done};

	begin_write(&d, &y, 0);
	k->disks[0].hold_next = true;
	cmd_run(&d);
	hf_lu_tmf(&tmf);
	kit_settle(k); /* held: the write has to end first */
	cmd_begin(&c, &y, 0, tur, 16);
	assert_int_equal(cmd_arrive(&c), HF_SCSI_READY);
	cmd_run(&c);
	assert_false(c.over);
	disk_release(&k->disks[0]);
	kit_settle(k);
	cmd_end(&d);
	assert_true(c.over);
	cmd_end(&c);
	assert_sense(&c, 6, 0x2903);
	send_none(&c, &y, 0, "00");
	assert_good(&c);
}

/* A reset that is held and not settled yet: another controller may have told GOOD for it. */
static void begin_reset(struct hf_tmf_req *tmf)
{
	begin_write(&d, &y, 0);
	k->disks[0].hold_next = true;
	cmd_run(&d);
	hf_lu_tmf(tmf);
	kit_settle(k);
}

static void end_reset(void)
{
	disk_release(&k->disks[0]);
	kit_settle(k);
	cmd_end(&d);
	assert_true(c.over);
	cmd_end(&c);
	assert_sense(&c, 6, 0x2903);
}

static void a_reservation_command_that_waited_reports_it_too(void **state)
{
	static const uint8_t read_keys[16] = {0x5e, [8] = 64}, release[16] = {0x17};
	struct hf_tmf_req tmf = {.function = HF_TMF_LU_RESET,
		.session = &x.s,
		.itl = host_itl(&x, 0),
		.done = tmf_done};

	begin_reset(&tmf);
	cmd_begin(&c, &y, 0, read_keys, 16);
	c.data_in = true;
	c.expected = 64;
	assert_int_equal(cmd_arrive(&c), HF_SCSI_READY);
	cmd_run(&c);
	assert_false(c.over);
	end_reset();
	send_none(&c, &y, 0, "17");
	assert_good(&c);
	/* ... and leaves the machine alone: the RELEASE was not carried out */
	send_none(&c, &y, 0, "16");
	assert_good(&c);
	begin_reset(&tmf);
	cmd_begin(&c, &y, 0, release, 16);
	assert_int_equal(cmd_arrive(&c), HF_SCSI_READY);
	cmd_run(&c);
	assert_false(c.over);
	end_reset();
}

/* ... and one that was gathering its data. */
static void a_command_that_gathered_data_reports_it_too(void **state)
{
	static const uint8_t list[24];
	uint8_t prout[16] = {0x5f, 2, 1, [8] = 24};

	cmd_begin(&c, &y, 0, prout, 16);
	c.data_out = true;
	c.expected = sizeof(list);
	c.out = list;
	assert_int_equal(cmd_arrive(&c), HF_SCSI_READY);
	begin_write(&d, &y, 0);
	hf_itl_attention_raise(host_itl(&y, 0), 0x2a03);
	hf_itl_attention_raise(host_itl(&y, 0), 0x2a04);
	cmd_run(&c);
	cmd_end(&c);
	assert_sense(&c, 6, 0x2a03);
	cmd_run(&d);
	cmd_end(&d);
	assert_sense(&d, 6, 0x2a04);
	send_none(&c, &y, 0, "00");
	assert_good(&c);
}

/* SAM-5: a reset is told before RESERVATION CONFLICT, though the state before and the state after
 * both refuse the command. */
static void a_reset_comes_before_a_conflict(void **state)
{
	struct hf_tmf_req tmf = {.function = HF_TMF_LU_RESET,
		.session = &x.s,
		.itl = host_itl(&x, 0),
		.done = tmf_done};
	static uint8_t tail[512];
	uint8_t cdb[16] = {0x2a, [8] = 1};

	reserve_by_x(); /* y is a stranger now */
	cmd_begin(&d, &x, 0, cdb, 16);
	d.data_out = true;
	d.expected = 512;
	d.out = tail;
	assert_int_equal(cmd_arrive(&d), HF_SCSI_READY);
	k->disks[0].hold_next = true;
	cmd_run(&d);
	hf_lu_tmf(&tmf);
	kit_settle(k);
	cmd_begin(&c, &y, 0, cdb, 16);
	c.data_out = true;
	c.expected = 512;
	c.out = tail;
	assert_int_equal(cmd_arrive(&c), HF_SCSI_READY); /* not refused at once */
	cmd_run(&c);
	assert_false(c.over);
	end_reset();
}

/* There are few scratch buffers: the fifth COMPARE AND WRITE waits, none fails. */
static void more_read_backs_than_scratch_buffers(void **state)
{
	for (unsigned i = 0; i < 16; i++) {
		uint8_t cdb[16] = {0x89, [9] = (uint8_t)i, [13] = 1};

		memset(data, 0, 512);
		memset(data + 512, 0x40, 512);
		cmd_begin(&many[i], &x, 0, cdb, 16);
		many[i].data_out = true;
		many[i].expected = 1024;
		many[i].out = data;
		assert_int_equal(cmd_arrive(&many[i]), HF_SCSI_READY);
	}
	for (unsigned i = 0; i < 16; i++)
		hf_scsi_run(k->scsi, &many[i].t);
	assert_true(many[10].t.waiting);
	kit_settle(k);
	for (unsigned i = 0; i < 16; i++) {
		assert_true(many[i].over);
		cmd_end(&many[i]);
		assert_good(&many[i]);
		assert_int_equal(k->disks[0].bytes[i * 512], 0x40);
	}
}

static void more_reservation_commands_than_requests(void **state)
{
	static const uint8_t keys[16] = {0x5e, 0, [8] = 8};
	struct hf_tmf_req tmf = {.function = HF_TMF_ABORT_TASK,
		.session = &x.s,
		.itl = host_itl(&x, 0),
		.target = &many[50].t.cmd,
		.done = tmf_done};

	for (unsigned i = 0; i < 64; i++) {
		cmd_begin(&many[i], &x, 0, keys, 16);
		many[i].data_in = true;
		many[i].expected = 8;
		assert_int_equal(cmd_arrive(&many[i]), HF_SCSI_READY);
		hf_scsi_run(k->scsi, &many[i].t);
	}
	assert_true(many[50].t.waiting);
	hf_lu_tmf(&tmf); /* one of those that wait is aborted */
	assert_true(many[50].over);
	assert_true(many[50].t.silent);
	kit_settle(k);
	for (unsigned i = 0; i < 64; i++) {
		assert_true(many[i].over);
		cmd_end(&many[i]);
		if (i != 50)
			assert_int_equal(many[i].in_len, 8);
	}
	assert_int_equal(tmf_result, 0);
}

static void reservation_parameter_data(void **state)
{
	reserve_by_x();
	send_in(&c, &x, 0, "5e 00 00 00 00 00 00 0020 00", 32);
	assert_good(&c);
	assert_int_equal(c.in_len, 16);
	assert_int_equal(hf_get_be32(c.in + 4), 8);
	assert_true(hf_get_be64(c.in + 8) == 0x11);
	send_in(&c, &y, 0, "5e 01 00 00 00 00 00 0020 00", 32);
	assert_good(&c);
	assert_int_equal(c.in[21], 1);
	send_in(&c, &y, 0, "5e 00 00 00 00 00 00 0008 00", 8);
	assert_int_equal(c.in_len, 8);
	assert_int_equal(hf_get_be32(c.in + 4), 8);
	send_in(&c, &y, 0, "5e 00 00 00 00 00 00 0000 00", 0);
	assert_good(&c);
	/* what the machine refuses reaches the host as it says */
	send_prout(&c, &y, 0, 1, 1, 0x33, 0);
	assert_conflict(&c);
	send_prout(&c, &x, 0, 2, 3, 0x11, 0); /* RELEASE of another type */
	assert_sense(&c, 5, 0x2604);
	send_out(&c, &x, 0, "5f 00 00 00 00 00000017", data, 23);
	assert_sense(&c, 5, 0x1a00);
	send_out(&c, &x, 0, "5f 00 00 00 00 00000018", data, 20); /* fewer bytes than told */
	assert_sense(&c, 5, 0x1a00);
	send_none(&c, &x, 0, "5f 09");
	assert_sense(&c, 5, 0x2400);
	send_none(&c, &x, 0, "5e 04");
	assert_sense(&c, 5, 0x2400);
}

static void a_unit_that_does_not_serve_is_not_ready(void **state)
{
	hf_lu_set_serving(k->table, false);
	kit_settle(k);
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 512);
	assert_sense(&c, 2, 0x040a);
	send_in(&c, &x, 0, "12 00 00 00 24", 36);
	assert_good(&c);
}

static void a_deleted_unit_is_not_supported(void **state)
{
	begin_write(&d, &x, 0);
	hf_lu_remove(k->table, 1);
	kit_settle(k);
	cmd_run(&d);
	cmd_end(&d);
	assert_sense(&d, 5, 0x2500);
	assert_int_equal(k->disks[0].writes, 0);
}

int main(void)
{
#undef TEST
#define TEST(t) cmocka_unit_test_setup_teardown(t, stage_setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(attention_is_reported_once_and_not_by_inquiry),
		TEST(order_of_attentions_and_conflict),
		TEST(a_reservation_between_arrival_and_pin_conflicts),
		TEST(inv4_reserve_waits_for_the_pinned_write),
		TEST(s3_preempt_and_abort_waits_for_no_data_of_its_victim),
		TEST(task_aborted_status_with_tas),
		TEST(an_aborted_command_at_the_medium_ends_in_silence),
		TEST(a_command_that_waited_reports_what_came_meanwhile),
		TEST(a_reservation_command_that_waited_reports_it_too),
		TEST(a_command_that_gathered_data_reports_it_too),
		TEST(a_reset_comes_before_a_conflict),
		TEST(more_read_backs_than_scratch_buffers),
		TEST(more_reservation_commands_than_requests),
		TEST(reservation_parameter_data),
		TEST(a_unit_that_does_not_serve_is_not_ready),
		TEST(a_deleted_unit_is_not_supported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
