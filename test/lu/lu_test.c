/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Admission, pins, hold and drain over two loops. The numbers of the invariants are those of
 * doc/invariants.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kit.h"

#include <stdatomic.h>
#include <stdlib.h>

static struct kit k;
static struct kit_session x, y;
static struct kit_cmd a, b, c;

static int setup(void **state)
{
	kit_init(&k);
	kit_login(&k, &x, 0, "iqn.x");
	kit_login(&k, &y, 1, "iqn.y");
	return 0;
}

static int teardown(void **state)
{
	kit_logout(&k, &x);
	kit_logout(&k, &y);
	kit_fini(&k);
	return 0;
}

static void reserve_by_x(void)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);

	kit_op(&k, &op);
}

static void r10_a_reservation_stops_the_others_and_not_the_holder(void **state)
{
	reserve_by_x();
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_start(&k, &y, &b, HF_ACCESS_READ);
	assert_int_equal(b.how, HF_ADMIT_CONFLICT);
	kit_start(&k, &y, &c, HF_ACCESS_FREE);
	assert_int_equal(c.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	kit_leave(&k, &b);
	kit_leave(&k, &c);
}

static void inv1_hold_admits_what_both_states_allow_and_lets_the_rest_wait(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);

	kit_hold(&k, &op);
	assert_int_equal(k.drained, 1);
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_start(&k, &y, &b, HF_ACCESS_WRITE);
	assert_false(b.went);
	kit_apply(&k);
	assert_true(b.went);
	assert_int_equal(b.how, HF_ADMIT_CONFLICT);
	kit_leave(&k, &a);
	kit_leave(&k, &b);
}

static void inv4_drained_is_said_only_when_the_forbidden_pin_has_ended(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);

	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	kit_start(&k, &x, &b, HF_ACCESS_WRITE);
	kit_hold(&k, &op);
	assert_int_equal(k.drained, 0);
	kit_leave(&k, &b); /* the holder's own pin is not waited for (S6) ... */
	assert_int_equal(k.drained, 0);
	kit_leave(&k, &a); /* ... the victim's is */
	assert_int_equal(k.drained, 1);
	kit_apply(&k);
}

/* The old state says "admit", and the control loop finds no pin in the same moment. */
static void w16_a_loop_that_has_not_heard_of_the_hold_is_waited_for(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	uint8_t bytes[HF_RESV_OP_BYTES_MAX];
	int len = hf_resv_op_encode(&op, bytes, sizeof(bytes));

	hf_lu_bus_hold(k.table, KIT_DEV, ++k.n, bytes, (size_t)len);
	hf_loop_sim_settle(k.loops[0]);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_OK);
	hf_loop_sim_settle(k.loops[0]);
	assert_int_equal(k.drained, 0);
	kit_settle(&k);
	assert_int_equal(k.drained, 0); /* it has heard, and has a pin */
	kit_start(&k, &y, &b, HF_ACCESS_WRITE);
	assert_false(b.went);
	kit_leave(&k, &a);
	kit_apply(&k);
	assert_int_equal(b.how, HF_ADMIT_CONFLICT);
	kit_leave(&k, &b);
}

/* Of a peer of another version: others may be able to read it, and want this one to hold it. */
static void what_cannot_be_read_is_not_drained_and_changes_nothing(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	static const uint8_t nonsense[40] = {0xff, 0xff};

	k.drained = 0;
	hf_lu_bus_hold(k.table, KIT_DEV, ++k.n, nonsense, sizeof(nonsense));
	kit_settle(&k);
	assert_int_equal(k.drained, 1);
	assert_int_equal(k.drained_result, -EBADMSG);
	kit_unhold(&k);
	k.n--;
	kit_op(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_CONFLICT);
	kit_leave(&k, &a);
}

static void s6_an_op_that_takes_nothing_away_drains_nothing(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_PR_REGISTER);

	op.sark = 1;
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	kit_op(&k, &op);
	kit_leave(&k, &a);
}

static void unhold_gives_the_old_state_back_to_those_who_wait(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);

	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	kit_hold(&k, &op);
	kit_start(&k, &y, &b, HF_ACCESS_WRITE);
	assert_false(b.went);
	kit_unhold(&k);
	assert_int_equal(b.how, HF_ADMIT_OK);
	/* The cancelled drain does not answer for the next one. */
	kit_hold(&k, &op);
	assert_int_equal(k.drained, 0);
	kit_leave(&k, &a);
	assert_int_equal(k.drained, 0);
	kit_leave(&k, &b);
	kit_apply(&k);
}

static void hold_right_after_unhold_waits_for_every_loop(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	uint8_t bytes[HF_RESV_OP_BYTES_MAX];
	int len = hf_resv_op_encode(&op, bytes, sizeof(bytes));

	hf_lu_bus_hold(k.table, KIT_DEV, 1, bytes, (size_t)len);
	hf_lu_bus_unhold(k.table, KIT_DEV, 1);
	hf_lu_bus_hold(k.table, KIT_DEV, 2, bytes, (size_t)len);
	hf_lu_bus_unhold(k.table, KIT_DEV, 2);
	hf_lu_bus_hold(k.table, KIT_DEV, 3, bytes, (size_t)len);
	kit_settle(&k);
	k.n = 3;
	kit_apply(&k);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_CONFLICT);
	kit_leave(&k, &a);
}

/* What was queued behind the hold does not keep it from being undone: its op is gone by then. */
static void a_hold_that_has_not_started_is_undone_wherever_it_stands(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	uint8_t bytes[HF_RESV_OP_BYTES_MAX];
	int len = hf_resv_op_encode(&op, bytes, sizeof(bytes));

	hf_lu_bus_hold(k.table, KIT_DEV, 1, bytes, (size_t)len);
	hf_lu_bus_unhold(k.table, KIT_DEV, 1);
	hf_lu_bus_hold(k.table, KIT_DEV, 2, bytes, (size_t)len);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
	hf_lu_bus_unhold(k.table, KIT_DEV, 2);
	memset(bytes, 0xff, sizeof(bytes));
	kit_settle(&k);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &a);
}

static void look_whether_it_is_stopped(void *arg)
{
	kit_start(&k, &y, &b, HF_ACCESS_WRITE);
}

/* A disk under it could not be fenced: no loop may still write there when that is said. */
static void what_stops_is_seen_though_a_hold_waits_in_front_of_it(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	uint8_t bytes[HF_RESV_OP_BYTES_MAX];
	int len = hf_resv_op_encode(&op, bytes, sizeof(bytes));

	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	hf_lu_bus_hold(k.table, KIT_DEV, 1, bytes, (size_t)len);
	kit_settle(&k);
	hf_lu_bus_unhold(k.table, KIT_DEV, 1);
	hf_lu_bus_hold(k.table, KIT_DEV, 2, bytes, (size_t)len); /* not before 1 is accounted for */
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_UNFENCED, "disk d1 could not be fenced; mend it");
	hf_lu_await_changes(k.table, look_whether_it_is_stopped, NULL);
	kit_settle(&k);
	assert_true(b.went);
	assert_int_equal(b.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &b);
	kit_leave(&k, &a);
	hf_lu_bus_unhold(k.table, KIT_DEV, 2);
	kit_settle(&k);
}

/* Another state comes: nothing that the old one has admitted may reach the medium after it. */
static void inv4_a_state_is_dropped_when_all_that_it_has_admitted_has_ended(void **state)
{
	uint8_t buf[HF_RESV_STATE_BYTES_MAX];
	int len;

	len = hf_lu_bus_snapshot(k.table, KIT_DEV, buf, sizeof(buf)); /* of nothing */
	assert_true(len > 0);
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	kit_start(&k, &y, &b, HF_ACCESS_READ);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
	hf_lu_bus_pick(k.table, KIT_DEV, 1, false);
	kit_settle(&k);
	kit_leave(&k, &a);
	assert_int_equal(k.pick_done_n, 0);
	hf_lu_bus_pick(k.table, KIT_DEV, 2, false); /* said again: the last is answered */
	kit_settle(&k);
	kit_leave(&k, &b);
	assert_int_equal(k.pick_done_n, 2);
	assert_int_equal(k.pick_result, 0);
	assert_int_equal(hf_lu_bus_install(k.table, KIT_DEV, buf, (size_t)len), 0);
	hf_lu_resume(k.table, KIT_DEV, HF_LU_STOP_STATES);
	kit_settle(&k);
	/* What they knew of registrations may not be so any more. */
	assert_int_equal(hf_itl_attention_take(x.itl), 0x2a03);
	assert_int_equal(hf_itl_attention_take(y.itl), 0x2a03);
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	/* And a change is held and drained as ever. */
	reserve_by_x();
	kit_start(&k, &y, &b, HF_ACCESS_WRITE);
	assert_int_equal(b.how, HF_ADMIT_CONFLICT);
	kit_leave(&k, &b);
}

static void pick_mine_and_go_on(uint64_t n)
{
	hf_lu_bus_pick(k.table, KIT_DEV, n, true);
	hf_lu_persisted(k.persisting, 0);
	assert_int_equal(k.pick_done_n, n);
	hf_lu_resume(k.table, KIT_DEV, HF_LU_STOP_STATES);
	kit_settle(&k);
}

/* A write hangs while the other one is picked; that is taken back, and this one is picked. */
static void s6_a_pick_that_is_taken_back_is_waited_for_by_nobody(void **state)
{
	struct hf_resv_op op = kit_make(&y, HF_RESV_PR_REGISTER);

	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_UNFENCED, "disk d1 could not be fenced; mend it");
	for (unsigned also_unfenced = 2; also_unfenced--;) {
		hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
		hf_lu_bus_pick(k.table, KIT_DEV, 1, false);
		kit_settle(&k);
		assert_int_equal(k.pick_done_n, 0);
		pick_mine_and_go_on(2);
		op.sark = 5 + also_unfenced;
		kit_op(&k, &op); /* takes nothing away, and is drained */
		hf_lu_resume(k.table, KIT_DEV, HF_LU_STOP_UNFENCED);
		kit_settle(&k);
		k.pick_done_n = 0;
	}
	kit_leave(&k, &a);
	assert_int_equal(k.pick_done_n, 0);
}

/* It went on meanwhile: what it has admitted since has to end, too. */
static void inv4_a_state_that_is_dropped_after_all_ends_what_came_since(void **state)
{
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
	hf_lu_bus_pick(k.table, KIT_DEV, 1, false);
	kit_settle(&k);
	pick_mine_and_go_on(2);
	kit_start(&k, &y, &b, HF_ACCESS_WRITE);
	assert_int_equal(b.how, HF_ADMIT_OK);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
	hf_lu_bus_pick(k.table, KIT_DEV, 3, false);
	kit_settle(&k);
	kit_leave(&k, &a);
	assert_int_equal(k.pick_done_n, 2);
	/* The same before any loop has been told that it goes on. */
	hf_lu_resume(k.table, KIT_DEV, HF_LU_STOP_STATES);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
	hf_lu_bus_pick(k.table, KIT_DEV, 4, false);
	kit_settle(&k);
	assert_int_equal(k.pick_done_n, 2);
	kit_leave(&k, &b);
	assert_int_equal(k.pick_done_n, 4);
}

/* The disks are slow, and the pick is over: nothing is written of a state that counts no more. */
static void a_pick_that_is_over_writes_nothing(void **state)
{
	for (unsigned dropped = 0; dropped < 2; dropped++) {
		hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
		hf_lu_bus_pick(k.table, KIT_DEV, 1, true);
		hf_lu_bus_pick(k.table, KIT_DEV, 2, true);
		if (dropped)
			hf_lu_bus_drop(k.table);
		else
			hf_lu_resume(k.table, KIT_DEV, HF_LU_STOP_STATES);
		k.persists = 0;
		hf_lu_persisted(k.persisting, 0);
		assert_int_equal(k.persists, 0);
		kit_settle(&k);
	}
}

static void whose_state_is_picked_writes_its_record_again_and_tells_nobody(void **state)
{
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
	hf_lu_bus_pick(k.table, KIT_DEV, 1, true);
	kit_settle(&k);
	assert_non_null(k.persisting);
	assert_int_equal(k.pick_done_n, 0);
	hf_lu_persisted(k.persisting, -EIO);
	assert_int_equal(k.pick_done_n, 1);
	assert_int_equal(k.pick_result, -EIO);
	assert_int_equal(k.persisted, 0); /* no op's */
	hf_lu_bus_pick(k.table, KIT_DEV, 2, true);
	hf_lu_persisted(k.persisting, 0);
	assert_int_equal(k.pick_done_n, 2);
	assert_int_equal(k.pick_result, 0);
	hf_lu_resume(k.table, KIT_DEV, HF_LU_STOP_STATES);
	kit_settle(&k);
	assert_int_equal(hf_itl_attention_peek(x.itl), 0);
	kit_leave(&k, &a);
}

/* Found by walk_pair: the loops' last words come when the engine has freed what it had. */
static void an_op_is_not_looked_at_when_the_engine_has_gone(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	uint8_t bytes[HF_RESV_OP_BYTES_MAX];
	int len = hf_resv_op_encode(&op, bytes, sizeof(bytes));

	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_UNFENCED, "disk d1 could not be fenced; mend it");
	hf_lu_bus_hold(k.table, KIT_DEV, 1, bytes, (size_t)len); /* not before that is seen */
	hf_lu_set_bus(k.table, NULL);
	memset(bytes, 0xdd, sizeof(bytes));
	kit_settle(&k);
	assert_int_equal(k.drained, 0);
	hf_lu_set_bus(k.table, &k.bus);
}

/* Neither state is the truth: who is picked writes its own. */
static void w18_of_a_stopped_device_no_record_is_written_out_again(void **state)
{
	uint8_t buf[HF_RESV_STATE_BYTES_MAX];

	assert_true(hf_lu_bus_slot(k.table, KIT_DEV, buf, sizeof(buf)) >= 0);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
	assert_int_equal(hf_lu_bus_slot(k.table, KIT_DEV, buf, sizeof(buf)), -EAGAIN);
	hf_lu_resume(k.table, KIT_DEV, HF_LU_STOP_STATES);
	assert_true(hf_lu_bus_slot(k.table, KIT_DEV, buf, sizeof(buf)) >= 0);
	kit_settle(&k);
}

/* The one is over: what the other says holds on. */
static void a_pick_does_not_fence_a_disk(void **state)
{
	struct hf_lu_status status;

	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ");
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_UNFENCED, "disk d1 could not be fenced; mend it");
	hf_lu_resume(k.table, KIT_DEV, HF_LU_STOP_STATES);
	kit_settle(&k);
	assert_true(hf_lu_status(k.table, KIT_DEV, &status));
	assert_string_equal(status.stopped, "disk d1 could not be fenced; mend it");
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &a);
}

/* Two things may be wrong at a time, and each is ended in its own way: neither hides the other. */
static void a_device_that_is_stopped_says_why(void **state)
{
	struct hf_lu_status status;

	assert_true(hf_lu_status(k.table, KIT_DEV, &status));
	assert_null(status.stopped);
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_STATES, "states differ; pick one");
	assert_true(hf_lu_status(k.table, KIT_DEV, &status));
	assert_string_equal(status.stopped, "states differ; pick one");
	hf_lu_stop(k.table, KIT_DEV, HF_LU_STOP_UNFENCED, "disk d1 could not be fenced; mend it");
	assert_true(hf_lu_status(k.table, KIT_DEV, &status));
	assert_string_equal(status.stopped, "disk d1 could not be fenced; mend it");
	kit_settle(&k);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &a);
}

/* Its description changes, again and again, before any loop has seen that; and the op settles. */
static void a_device_may_grow_while_an_op_is_pending(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	struct hf_lu_status status;

	kit_hold(&k, &op);
	for (unsigned i = 0; i < 20; i++) {
		struct hf_lu_info *info = malloc(sizeof(*info));

		assert_non_null(info);
		assert_true(hf_lu_status(k.table, KIT_DEV, &status));
		*info = *status.info;
		info->blocks++;
		hf_lu_update(k.table, KIT_DEV, info);
	}
	kit_apply(&k);
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_CONFLICT);
	kit_leave(&k, &a);
}

/* The disks are slow; meanwhile this controller drops its state, and the device is deleted. */
static void a_record_being_written_outlives_its_device(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_PR_REGISTER);
	struct hf_lu_status status;

	op.sark = 5;
	op.aptpl = true;
	kit_hold(&k, &op);
	kit_settle(&k);
	hf_lu_bus_persist(k.table, KIT_DEV, k.n);
	assert_non_null(k.persisting);
	hf_lu_persisted(k.persisting, 0);
	assert_int_equal(k.persisted, 1);
	hf_lu_bus_persist(k.table, KIT_DEV, k.n);
	hf_lu_bus_drop(k.table);
	kit_settle(&k);
	hf_lu_remove(k.table, KIT_DEV);
	kit_settle(&k);
	kit_logout(&k, &x);
	kit_logout(&k, &y);
	assert_false(hf_lu_status(k.table, KIT_DEV, &status));
	hf_lu_persisted(
		k.persisting, 0); /* its memory is still there, and the engine not bothered */
	assert_int_equal(k.persisted, 1);
	kit_settle(&k);
	kit_fini(&k);
	setup(NULL);
}

static void preempt_and_abort_drains_and_aborts_the_victim_only(void **state)
{
	struct hf_resv_op op;

	op = kit_make(&x, HF_RESV_PR_REGISTER);
	op.sark = 1;
	kit_op(&k, &op);
	op = kit_make(&y, HF_RESV_PR_REGISTER);
	op.sark = 2;
	kit_op(&k, &op);
	op = kit_make(&y, HF_RESV_PR_RESERVE);
	op.rk = 2;
	op.type = HF_RESV_WE_RO;
	kit_op(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_READ);
	/* b gathers its data */
	memset(&b, 0, sizeof(b));
	b.cmd.go = a.cmd.go;
	b.cmd.abort = a.cmd.abort;
	hf_lu_cmd_enter(&b.cmd, y.itl, HF_ACCESS_WRITE);

	op = kit_make(&x, HF_RESV_PR_PREEMPT_ABORT);
	op.rk = 1;
	op.sark = 2;
	op.type = HF_RESV_WE_RO;
	kit_hold(&k, &op);
	assert_int_equal(k.drained, 0); /* a read: allowed by the new state, yet a victim's */
	kit_leave(&k, &a);
	assert_false(b.aborted);
	kit_apply(&k);
	assert_true(b.aborted);
	kit_leave(&k, &b);
	assert_int_equal(hf_itl_attention_take(x.itl), 0);
	assert_true(hf_itl_attention_peek(y.itl) != 0);
	while (hf_itl_attention_take(y.itl))
		;
}

static void w2_who_is_about_to_be_told_waits_until_it_is_told(void **state)
{
	struct hf_resv_op op;

	op = kit_make(&x, HF_RESV_PR_REGISTER);
	op.sark = 1;
	kit_op(&k, &op);
	op = kit_make(&y, HF_RESV_PR_REGISTER);
	op.sark = 2;
	kit_op(&k, &op);
	op = kit_make(&x, HF_RESV_PR_CLEAR);
	op.rk = 1;
	kit_hold(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_STATUS);
	assert_false(a.went);
	kit_start(&k, &x, &b, HF_ACCESS_STATUS);
	assert_int_equal(b.how, HF_ADMIT_OK);
	kit_apply(&k);
	assert_int_equal(a.how, HF_ADMIT_OK);
	assert_int_equal(hf_itl_attention_take(y.itl), 0x2a03);
	kit_leave(&k, &a);
	kit_leave(&k, &b);
}

static void inv9_a_command_waits_no_longer_than_the_bound(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);

	kit_hold(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	hf_loop_sim_advance(k.loops[1], 2400000000);
	assert_false(a.went);
	hf_loop_sim_advance(k.loops[1], 200000000);
	assert_int_equal(a.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &a);
	kit_apply(&k);
}

static void w5_nexus_loss_follows_what_the_nexus_has_queued(void **state)
{
	struct kit_session z;
	struct hf_bus_prop *prop;
	struct hf_resv_op op;

	kit_login(&k, &z, 1, "iqn.z");
	op = kit_make(&z, HF_RESV_LEGACY_RESERVE);
	kit_op(&k, &op);
	kit_logout(&k, &z);
	assert_false(hf_list_is_empty(&k.proposed));
	prop = hf_list_entry(k.proposed.next, struct hf_bus_prop, node);
	assert_true(prop->owed);
	assert_int_equal(hf_resv_op_decode(prop->op, prop->op_len, &op), 0);
	assert_int_equal(op.kind, HF_RESV_NEXUS_LOSS);
	assert_true(op.login == z.s.login);
	assert_int_equal(
		hf_lu_bus_look(k.table, KIT_DEV, prop->op, prop->op_len), HF_BUS_LOOK_CHANGE);
	/* The same initiator again: another login, not the holder. */
	kit_login(&k, &z, 0, "iqn.z");
	kit_start(&k, &z, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_CONFLICT);
	kit_leave(&k, &a);
	kit_logout(&k, &z);
}

/* The first op proposed, taken off. */
static struct hf_bus_prop *take_proposed(struct hf_resv_op *ret)
{
	struct hf_bus_prop *prop =
		hf_list_entry(hf_list_pop_front(&k.proposed), struct hf_bus_prop, node);

	assert_int_equal(hf_resv_op_decode(prop->op, prop->op_len, ret), 0);
	return prop;
}

static void w5_a_logout_is_answered_when_the_loss_has_settled(void **state)
{
	struct hf_bus_prop *prop;
	struct hf_resv_op op;

	reserve_by_x();
	hf_lu_session_lose(&x.s);
	kit_settle(&k);
	assert_false(x.lost);
	prop = take_proposed(&op);
	assert_int_equal(op.kind, HF_RESV_NEXUS_LOSS);
	assert_true(prop->owed);
	kit_op(&k, &op);
	hf_lu_bus_answer(k.table, prop, HF_BUS_ANSWER_APPLIED);
	kit_settle(&k);
	assert_true(x.lost);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
}

static void a_logout_of_who_holds_nothing_waits_for_nobody(void **state)
{
	reserve_by_x();
	hf_lu_session_lose(&y.s);
	kit_settle(&k);
	assert_true(y.lost);
	assert_true(hf_list_is_empty(&k.proposed));
}

static void inv9_a_logout_waits_no_longer_than_the_bound(void **state)
{
	struct hf_bus_prop *prop;
	struct hf_resv_op op;

	reserve_by_x();
	hf_lu_session_lose(&x.s);
	kit_settle(&k);
	prop = take_proposed(&op);
	hf_loop_sim_advance(k.loops[0], 2400000000);
	kit_settle(&k);
	assert_false(x.lost);
	hf_loop_sim_advance(k.loops[0], 200000000);
	kit_settle(&k);
	assert_true(x.lost);
	kit_op(&k, &op); /* goes on without the logout */
	hf_lu_bus_answer(k.table, prop, HF_BUS_ANSWER_APPLIED);
	kit_settle(&k);
}

static void abort_noted(struct hf_lu_cmd *cmd)
{
	(void)cmd;
}

static void tas_is_for_what_another_nexus_aborts(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LU_RESET);
	struct hf_resv_op mode = kit_make(&x, HF_RESV_ATTRS);
	static struct kit_cmd c1, c2;

	hf_lu_cmd_enter(&c1.cmd, x.itl, HF_ACCESS_WRITE);
	hf_lu_cmd_enter(&c2.cmd, y.itl, HF_ACCESS_WRITE);
	c1.cmd.abort = c2.cmd.abort = abort_noted;
	mode.attrs = mode.attrs_mask = HF_RESV_TAS;
	kit_op(&k, &mode);
	assert_int_equal(hf_itl_info(x.itl)->shared->attrs, HF_RESV_TAS);
	assert_int_equal(hf_itl_attention_take(y.itl), 0x2a01);
	assert_int_equal(hf_itl_attention_peek(x.itl), 0);
	kit_op(&k, &op); /* ends TAS=1, which holds for its own aborts */
	assert_int_equal(hf_itl_info(x.itl)->shared->attrs, 0);
	assert_true(c1.cmd.aborted && c2.cmd.aborted);
	assert_false(c1.cmd.tas);
	assert_true(c2.cmd.tas);
	kit_leave(&k, &c1);
	kit_leave(&k, &c2);
}

/* PREEMPT AND ABORT of y, while y's own reservation command gathers its data. */
static void a_preempted_reservation_command_is_answered_all_the_same(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_PR_REGISTER);
	static struct kit_cmd prout, write;

	op.sark = 1;
	kit_op(&k, &op);
	op = kit_make(&y, HF_RESV_PR_REGISTER);
	op.sark = 2;
	kit_op(&k, &op);
	hf_lu_cmd_enter(&prout.cmd, y.itl, HF_ACCESS_STATUS);
	hf_lu_cmd_enter(&write.cmd, y.itl, HF_ACCESS_WRITE);
	prout.cmd.is_resv = true;
	prout.cmd.abort = write.cmd.abort = abort_noted;
	op = kit_make(&x, HF_RESV_PR_PREEMPT_ABORT);
	op.rk = 1;
	op.sark = 2;
	kit_op(&k, &op);
	assert_false(prout.cmd.aborted);
	assert_true(write.cmd.aborted);
	/* A reset spares nothing. */
	op = kit_make(&x, HF_RESV_LU_RESET);
	kit_op(&k, &op);
	assert_true(prout.cmd.aborted);
	kit_leave(&k, &prout);
	kit_leave(&k, &write);
}

static void w2_lost_is_not_said_while_the_op_that_ends_it_is_pending(void **state)
{
	struct hf_resv_op op = kit_make(NULL, HF_RESV_INFO_LOST);

	kit_op(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_STATUS);
	assert_int_equal(a.how, HF_ADMIT_LOST);
	kit_leave(&k, &a);
	op.kind = HF_RESV_BREAK;
	kit_hold(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_STATUS);
	assert_false(a.went);
	kit_unhold(&k);
	assert_int_equal(a.how, HF_ADMIT_LOST);
	kit_leave(&k, &a);
	kit_hold(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_STATUS);
	kit_apply(&k);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
}

static void a_held_range_keeps_overlapping_writes_out_and_lets_others_by(void **state)
{
	kit_start(&k, &y, &a, HF_ACCESS_WRITE); /* blocks 10 to 13 */
	hf_lu_bus_range_hold(k.table, KIT_DEV, 1, 12, 4);
	kit_settle(&k);
	assert_int_equal(k.range_drained, 0);
	kit_start(&k, &x, &b, HF_ACCESS_WRITE);
	assert_false(b.went);
	kit_start(&k, &x, &c, HF_ACCESS_READ);
	assert_int_equal(c.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	assert_int_equal(k.range_drained, 1);
	assert_false(b.went);
	hf_lu_bus_range_unhold(k.table, KIT_DEV, 1);
	kit_settle(&k);
	assert_int_equal(b.how, HF_ADMIT_OK);
	kit_leave(&k, &b);
	kit_leave(&k, &c);
}

static void a_held_range_outlives_its_unit(void **state)
{
	hf_lu_bus_range_hold(k.table, KIT_DEV, 1, 12, 4);
	kit_settle(&k);
	hf_lu_remove(k.table, KIT_DEV);
	kit_settle(&k);
	hf_lu_bus_range_unhold(k.table, KIT_DEV, 1);
	kit_settle(&k);
	hf_lu_bus_range_doubt(k.table, KIT_DEV, 1); /* nothing is left of it */
}

static void s7_a_range_in_doubt_answers_not_ready(void **state)
{
	hf_lu_bus_range_hold(k.table, KIT_DEV, 1, 12, 4);
	kit_settle(&k);
	kit_start(&k, &x, &b, HF_ACCESS_WRITE);
	assert_false(b.went);
	hf_lu_bus_range_doubt(k.table, KIT_DEV, 1);
	kit_settle(&k);
	assert_int_equal(b.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &b);
	hf_lu_bus_range_unhold(k.table, KIT_DEV, 1);
	kit_settle(&k);
}

static void grant(int result)
{
	struct hf_list *n = k.ranges.next;
	struct hf_bus_range *r = hf_list_entry(n, struct hf_bus_range, node);

	assert_ptr_not_equal(n, &k.ranges);
	if (result == 0)
		hf_lu_bus_range_hold(k.table, KIT_DEV, r->id, r->lba, r->blocks);
	else
		hf_list_remove(&r->node);
	kit_settle(&k);
	r->granted(r, result);
	kit_settle(&k);
}

static void start_range(struct kit_session *s, struct kit_cmd *cmd)
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->cmd.go = a.cmd.go;
	cmd->cmd.abort = a.cmd.abort;
	cmd->cmd.lba = 10;
	cmd->cmd.blocks = 1;
	cmd->cmd.writes = true;
	hf_lu_cmd_enter(&cmd->cmd, s->itl, HF_ACCESS_WRITE);
	hf_lu_cmd_start_range(&cmd->cmd);
	kit_settle(&k);
}

static void s4_range_first_then_check_then_pin(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);

	kit_start(&k, &x, &a, HF_ACCESS_FREE);
	kit_leave(&k, &a);
	start_range(&y, &b);
	assert_false(b.went);
	/* While y waits for its range, x reserves: nothing of y is pinned, so nothing drains. */
	kit_hold(&k, &op);
	assert_int_equal(k.drained, 1);
	grant(0);
	assert_false(b.went);
	kit_apply(&k);
	assert_int_equal(b.how, HF_ADMIT_CONFLICT);
	kit_leave(&k, &b);
	assert_true(hf_list_is_empty(&k.ranges));
	/* Granted and pinned; then refused. */
	start_range(&x, &b);
	grant(0);
	assert_int_equal(b.how, HF_ADMIT_OK);
	kit_leave(&k, &b);
	start_range(&x, &b);
	grant(-ENOTCONN);
	assert_int_equal(b.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &b);
}

static void in_use_unit_is_not_retired(void **state)
{
	struct hf_resv_op op = kit_make(NULL, HF_RESV_RETIRE);

	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	kit_leave(&k, &a);
	kit_hold(&k, &op);
	assert_int_equal(k.drained, 1);
	assert_int_equal(k.drained_result, -EBUSY);
	kit_unhold(&k);
	op.kind = HF_RESV_RETIRE_FORCED;
	kit_op(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_not_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
}

/* An op is in doubt, who waits for it is let in by neither state, and the state is dropped. */
static void inv4_who_goes_out_lets_in_nobody_who_waits(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);

	kit_hold(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_false(a.went);
	hf_lu_set_serving(k.table, false);
	hf_lu_bus_drop(k.table);
	kit_settle(&k);
	assert_true(a.went);
	assert_int_equal(a.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &a);
}

static void removed_unit_is_gone_for_who_waits_and_who_comes(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	struct hf_itl_waiter w;
	bool none;

	kit_hold(&k, &op);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	kit_unhold(&k);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	hf_lu_remove(k.table, KIT_DEV);
	kit_settle(&k);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_GONE);
	kit_leave(&k, &a);
	assert_null(hf_itl_find(&x.s, 3, &w, &none));
	assert_true(none);
}

static void not_serving_answers_not_ready_but_for_inquiry(void **state)
{
	hf_lu_set_serving(k.table, false);
	kit_settle(&k);
	kit_start(&k, &y, &a, HF_ACCESS_READ);
	assert_int_equal(a.how, HF_ADMIT_NOT_READY);
	kit_start(&k, &y, &b, HF_ACCESS_FREE);
	assert_int_equal(b.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	kit_leave(&k, &b);
	hf_lu_set_serving(k.table, true);
	kit_settle(&k);
	kit_start(&k, &y, &a, HF_ACCESS_READ);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
}

static void a_race_lets_commands_wait_for_its_end(void **state)
{
	kit_start(&k, &x, &a, HF_ACCESS_WRITE); /* pinned before: goes on */
	assert_int_equal(a.how, HF_ADMIT_OK);
	hf_lu_set_paused(k.table);
	kit_settle(&k);
	kit_start(&k, &y, &b, HF_ACCESS_READ);
	assert_false(b.went);
	hf_lu_set_serving(k.table, true);
	kit_settle(&k);
	assert_true(b.went);
	assert_int_equal(b.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	kit_leave(&k, &b);
	hf_lu_set_paused(k.table);
	kit_settle(&k);
	kit_start(&k, &y, &b, HF_ACCESS_READ);
	hf_lu_set_serving(k.table, false); /* lost */
	kit_settle(&k);
	assert_int_equal(b.how, HF_ADMIT_NOT_READY);
	kit_leave(&k, &b);
	hf_lu_set_serving(k.table, true);
	kit_settle(&k);
}

static void inv5_nothing_is_pinned_or_said_when_the_peer_may_have_gone_on(void **state)
{
	uint64_t now = hf_loop_now_ns(k.loops[0]);

	atomic_store(&k.bus.valid_until_ns, now + 1000);
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	assert_true(hf_lu_session_is_valid(&x.s));
	for (unsigned i = 0; i < KIT_LOOPS; i++)
		hf_loop_sim_advance(k.loops[i], 1000);
	assert_false(hf_lu_session_is_valid(&x.s));
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	assert_false(a.went);
	/* Told that a race is on, it says nothing stale any more. */
	hf_lu_set_paused(k.table);
	kit_settle(&k);
	assert_true(hf_lu_session_is_valid(&x.s));
	assert_false(a.went);
	atomic_store(&k.bus.valid_until_ns, HF_BUS_VALID_FOR_EVER);
	hf_lu_set_serving(k.table, true);
	kit_settle(&k);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
}

static void inv5_a_view_that_is_renewed_lets_on_who_met_it_lapsed(void **state)
{
	uint64_t now = hf_loop_now_ns(k.loops[0]);

	atomic_store(&k.bus.valid_until_ns, now);
	kit_start(&k, &x, &a, HF_ACCESS_WRITE);
	assert_false(a.went);
	for (unsigned i = 0; i < KIT_LOOPS; i++)
		hf_loop_sim_advance(k.loops[i], 50000000);
	kit_settle(&k);
	assert_false(a.went);
	atomic_store(&k.bus.valid_until_ns, now + 1000000000);
	for (unsigned i = 0; i < KIT_LOOPS; i++)
		hf_loop_sim_advance(k.loops[i], 50000000);
	kit_settle(&k);
	assert_true(a.went);
	assert_int_equal(a.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	atomic_store(&k.bus.valid_until_ns, HF_BUS_VALID_FOR_EVER);
}

static void pass_ms(unsigned ms)
{
	for (unsigned i = 0; i < KIT_LOOPS; i++)
		hf_loop_sim_advance(k.loops[i], ms * UINT64_C(1000000));
	kit_settle(&k);
}

static void inv5_nothing_is_judged_while_the_others_may_have_gone_on(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	uint64_t now = hf_loop_now_ns(k.loops[0]);

	kit_op(&k, &op);
	atomic_store(&k.bus.valid_until_ns, now);
	kit_start(&k, &y, &a, HF_ACCESS_WRITE); /* a conflict, or no longer */
	assert_false(a.went);
	assert_int_equal(hf_lu_cmd_peek(&a.cmd), HF_ADMIT_OK);
	memset(&b, 0, sizeof(b));
	kit_start(&k, &x, &c, HF_ACCESS_STATUS);
	assert_false(c.went);
	b.cmd.go = a.cmd.go;
	b.cmd.abort = a.cmd.abort;
	hf_lu_cmd_enter(&b.cmd, x.itl, HF_ACCESS_STATUS);
	hf_lu_cmd_start_op(&b.cmd);
	pass_ms(50);
	assert_false(a.went || b.went || c.went);
	atomic_store(&k.bus.valid_until_ns, now + 1000000000);
	pass_ms(50);
	assert_int_equal(a.how, HF_ADMIT_CONFLICT);
	assert_true(a.went && b.went && c.went);
	assert_int_equal(b.how, HF_ADMIT_OK);
	kit_leave(&k, &a);
	kit_leave(&k, &b);
	kit_leave(&k, &c);
	atomic_store(&k.bus.valid_until_ns, HF_BUS_VALID_FOR_EVER);
}

static void inv5_what_was_worked_out_waits_for_the_view_or_the_end(void **state)
{
	uint64_t now = hf_loop_now_ns(k.loops[0]);

	/* Renewed. */
	atomic_store(&k.bus.valid_until_ns, now);
	hf_lu_session_await_valid(&x.s);
	pass_ms(1000);
	hf_lu_session_await_valid(&x.s);
	assert_int_equal(x.valid, 0);
	atomic_store(&k.bus.valid_until_ns, now + 2000000000);
	pass_ms(50);
	assert_int_equal(x.valid, 1);
	/* A race says nothing of it, its end does. */
	pass_ms(1000);
	hf_lu_session_await_valid(&x.s);
	hf_lu_set_paused(k.table);
	pass_ms(1000);
	assert_int_equal(x.valid, 1);
	atomic_store(&k.bus.valid_until_ns, HF_BUS_VALID_FOR_EVER);
	pass_ms(50);
	assert_int_equal(x.valid, 1);
	hf_lu_set_serving(k.table, true);
	kit_settle(&k);
	assert_int_equal(x.valid, 2);
	assert_null(x.closed);
	/* The bound, counted from the first. */
	atomic_store(&k.bus.valid_until_ns, now);
	hf_lu_session_await_valid(&x.s);
	pass_ms(1500);
	hf_lu_session_await_valid(&x.s);
	hf_lu_session_await_valid(&y.s);
	pass_ms(1100);
	assert_non_null(x.closed);
	assert_null(y.closed);
	assert_int_equal(x.valid, 2);
	/* Out of the view; nothing that comes later brings it back. */
	hf_lu_set_serving(k.table, false);
	kit_settle(&k);
	assert_non_null(y.closed);
	atomic_store(&k.bus.valid_until_ns, HF_BUS_VALID_FOR_EVER);
	hf_lu_set_serving(k.table, true);
	pass_ms(50);
	assert_int_equal(y.valid, 0);
	/* Who goes while it waits is not looked for. */
	atomic_store(&k.bus.valid_until_ns, now);
	hf_lu_session_await_valid(&y.s);
	kit_logout(&k, &y);
	pass_ms(50);
	kit_login(&k, &y, 1, "y");
	atomic_store(&k.bus.valid_until_ns, HF_BUS_VALID_FOR_EVER);
}

static unsigned tmfs_done;

static void a_reset_aborts_what_was_there_before_it_and_nothing_later(void **state)
{
	struct hf_resv_op op = kit_make(NULL, HF_RESV_LU_RESET);

	memset(&b, 0, sizeof(b));
	kit_start(&k, &y, &a, HF_ACCESS_FREE);
	kit_leave(&k, &a);
	b.cmd.go = a.cmd.go;
	b.cmd.abort = a.cmd.abort;
	hf_lu_cmd_enter(&b.cmd, y.itl, HF_ACCESS_WRITE);
	kit_hold(&k, &op);
	kit_start(&k, &y, &c, HF_ACCESS_STATUS);
	assert_false(c.went);
	kit_apply(&k);
	assert_true(b.aborted);
	assert_int_equal(c.how, HF_ADMIT_OK);
	kit_leave(&k, &b);
	kit_leave(&k, &c);
}

static void tmf_done(struct hf_tmf_req *req, int result)
{
	assert_int_equal(result, 0);
	tmfs_done++;
}

static void abort_task_set_waits_for_the_pinned_and_aborts_the_waiting(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	struct hf_tmf_req req = {
		.function = HF_TMF_ABORT_TASK_SET, .session = &y.s, .itl = y.itl, .done = tmf_done};

	kit_start(&k, &y, &a, HF_ACCESS_READ);
	kit_hold(&k, &op);
	kit_start(&k, &y, &b, HF_ACCESS_READ);
	tmfs_done = 0;
	hf_lu_tmf(&req);
	assert_int_equal(b.how, HF_ADMIT_ABORTED);
	kit_leave(&k, &b);
	assert_int_equal(tmfs_done, 0);
	assert_true(a.cmd.aborted);
	kit_leave(&k, &a);
	assert_int_equal(tmfs_done, 1);
	kit_apply(&k);
}

static void leave_at_once(struct hf_lu_cmd *cmd)
{
	hf_lu_cmd_leave(cmd);
}

/* A task that leaves while others are being aborted does not hide one that is at the medium. */
static void abort_task_waits_for_its_task_while_the_task_set_is_aborted(void **state)
{
	struct hf_tmf_req one = {.function = HF_TMF_ABORT_TASK,
		.session = &y.s,
		.itl = y.itl,
		.target = &a.cmd,
		.done = tmf_done};
	struct hf_tmf_req all = {
		.function = HF_TMF_ABORT_TASK_SET, .session = &y.s, .itl = y.itl, .done = tmf_done};

	memset(&b, 0, sizeof(b));
	b.cmd.abort = leave_at_once;
	hf_lu_cmd_enter(&b.cmd, y.itl, HF_ACCESS_WRITE); /* gathers its data */
	kit_start(&k, &y, &a, HF_ACCESS_WRITE);
	tmfs_done = 0;
	hf_lu_tmf(&one);
	hf_lu_tmf(&all);
	assert_int_equal(tmfs_done, 0);
	kit_leave(&k, &a);
	assert_int_equal(tmfs_done, 2);
}

static void go_and_leave(struct hf_lu_cmd *cmd, enum hf_admit how)
{
	hf_container_of(cmd, struct kit_cmd, cmd)->went = true;
	hf_lu_cmd_leave(cmd);
}

/* A unit is removed while a change of it is under way; another takes its LUN. */
static void a_new_unit_keeps_the_lun_that_an_old_one_had(void **state)
{
	struct hf_resv_op op = kit_make(&x, HF_RESV_LEGACY_RESERVE);
	struct hf_lu_info *info = calloc(1, sizeof(*info));
	uint8_t bytes[HF_RESV_OP_BYTES_MAX];
	int len = hf_resv_op_encode(&op, bytes, sizeof(bytes));
	uint16_t luns[4];

	info->id = 8;
	info->lun = 3;
	info->blocks = 1000;
	info->block_bytes = 512;
	hf_lu_bus_hold(k.table, KIT_DEV, ++k.n, bytes, (size_t)len);
	hf_lu_bus_unhold(k.table, KIT_DEV, k.n);
	hf_lu_remove(k.table, KIT_DEV);
	assert_int_equal(hf_lu_add(k.table, info), 0);
	kit_settle(&k);
	assert_int_equal(hf_lu_luns(&x.s, luns, 4), 1);
	assert_int_equal(hf_lu_luns(&y.s, luns, 4), 1);
}

static int teardown_only(void **state)
{
	kit_fini(&k);
	return 0;
}

/* Who waits for a valid view at a unit that is gone arms its timers; then the unit is freed. */
static void no_timer_of_a_unit_outlives_it(void **state)
{
	uint64_t now = hf_loop_now_ns(k.loops[0]);
	struct hf_tmf_req tmf = {.function = HF_TMF_ABORT_TASK, .done = tmf_done};

	memset(&a, 0, sizeof(a));
	a.cmd.go = go_and_leave;
	a.cmd.abort = leave_at_once;
	a.cmd.writes = true;
	hf_lu_cmd_enter(&a.cmd, y.itl, HF_ACCESS_WRITE); /* gathers its data */
	hf_lu_remove(k.table, KIT_DEV);
	kit_settle(&k);
	atomic_store(&k.bus.valid_until_ns, now); /* the peer falls silent */
	hf_lu_cmd_start(&a.cmd);
	assert_false(a.went);
	tmf.session = &y.s;
	tmf.itl = y.itl;
	tmf.target = &a.cmd;
	hf_lu_tmf(&tmf);
	assert_true(a.went);
	kit_logout(&k, &x);
	kit_logout(&k, &y); /* here it is freed */
	for (unsigned i = 0; i < KIT_LOOPS; i++)
		hf_loop_sim_advance(k.loops[i], 50000000);
	kit_settle(&k);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(r10_a_reservation_stops_the_others_and_not_the_holder),
		T(inv1_hold_admits_what_both_states_allow_and_lets_the_rest_wait),
		T(inv4_drained_is_said_only_when_the_forbidden_pin_has_ended),
		T(w16_a_loop_that_has_not_heard_of_the_hold_is_waited_for),
		T(what_cannot_be_read_is_not_drained_and_changes_nothing),
		T(s6_an_op_that_takes_nothing_away_drains_nothing),
		T(unhold_gives_the_old_state_back_to_those_who_wait),
		T(hold_right_after_unhold_waits_for_every_loop),
		T(a_hold_that_has_not_started_is_undone_wherever_it_stands),
		T(a_device_that_is_stopped_says_why),
		T(a_device_may_grow_while_an_op_is_pending),
		T(what_stops_is_seen_though_a_hold_waits_in_front_of_it),
		T(inv4_a_state_is_dropped_when_all_that_it_has_admitted_has_ended),
		T(s6_a_pick_that_is_taken_back_is_waited_for_by_nobody),
		T(inv4_a_state_that_is_dropped_after_all_ends_what_came_since),
		T(a_pick_that_is_over_writes_nothing),
		T(an_op_is_not_looked_at_when_the_engine_has_gone),
		T(whose_state_is_picked_writes_its_record_again_and_tells_nobody),
		T(w18_of_a_stopped_device_no_record_is_written_out_again),
		T(a_pick_does_not_fence_a_disk),
		T(a_record_being_written_outlives_its_device),
		T(preempt_and_abort_drains_and_aborts_the_victim_only),
		T(w2_who_is_about_to_be_told_waits_until_it_is_told),
		T(inv9_a_command_waits_no_longer_than_the_bound),
		T(w5_nexus_loss_follows_what_the_nexus_has_queued),
		T(w5_a_logout_is_answered_when_the_loss_has_settled),
		T(a_logout_of_who_holds_nothing_waits_for_nobody),
		T(inv9_a_logout_waits_no_longer_than_the_bound),
		T(tas_is_for_what_another_nexus_aborts),
		T(a_preempted_reservation_command_is_answered_all_the_same),
		T(w2_lost_is_not_said_while_the_op_that_ends_it_is_pending),
		T(a_held_range_keeps_overlapping_writes_out_and_lets_others_by),
		T(a_held_range_outlives_its_unit),
		T(s7_a_range_in_doubt_answers_not_ready),
		T(s4_range_first_then_check_then_pin),
		T(in_use_unit_is_not_retired),
		T(inv4_who_goes_out_lets_in_nobody_who_waits),
		T(removed_unit_is_gone_for_who_waits_and_who_comes),
		T(not_serving_answers_not_ready_but_for_inquiry),
		T(a_race_lets_commands_wait_for_its_end),
		T(inv5_nothing_is_pinned_or_said_when_the_peer_may_have_gone_on),
		T(inv5_nothing_is_judged_while_the_others_may_have_gone_on),
		T(inv5_what_was_worked_out_waits_for_the_view_or_the_end),
		T(inv5_a_view_that_is_renewed_lets_on_who_met_it_lapsed),
		T(a_reset_aborts_what_was_there_before_it_and_nothing_later),
		T(abort_task_set_waits_for_the_pinned_and_aborts_the_waiting),
		T(a_new_unit_keeps_the_lun_that_an_old_one_had),
		cmocka_unit_test_setup_teardown(
			no_timer_of_a_unit_outlives_it, setup, teardown_only),
		T(abort_task_waits_for_its_task_while_the_task_set_is_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
