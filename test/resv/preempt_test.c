/* SPDX-License-Identifier: BSD-3-Clause */
/* PREEMPT and PREEMPT AND ABORT, row by row. Source: scsi-reservations E.5. */
#include "short.h"

static void without_a_reservation_registrations_go(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{REGISTER, "B2", .sark = 2},
		{REGISTER, "C1", .sark = 3},
		{PREEMPT, "A1", .rk = 1, .sark = 2, .effects = "B1 2a05, B2 2a05",
			.state = "g5 A1=1 C1=3"},
		{0},
	});
}

/* spc4r17 5.7.11.4.4: the clause exempts the sender from the attention only. */
static void without_a_reservation_ones_own_goes_too(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "A2", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{PREEMPT, "A1", .rk = 1, .sark = 1, .effects = "A2 2a05", .state = "g4 B1=2"},
		{0},
	});
}

static void anothers_key_leaves_the_holder_alone(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{REGISTER, "C1", .sark = 3},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{PREEMPT, "B1", .rk = 2, .sark = 3, .type = 6, .effects = "C1 2a05",
			.state = "g4 A1=1* B1=2 t5"},
		{PREEMPT, "B1", .rk = 2, .sark = 2, .state = "g5 A1=1* t5"}, /* itself */
		{0},
	});
}

static void the_holders_key_takes_the_reservation(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "A2", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{REGISTER, "C1", .sark = 3},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{PREEMPT, "B1", .rk = 2, .sark = 1, .type = 5, .effects = "A1 2a05, A2 2a05",
			.state = "g5 B1=2* C1=3 t5"},
		/* another type: those who lost nothing are told (5.7.11.4.3) */
		{PREEMPT, "C1", .rk = 3, .sark = 2, .type = 1, .effects = "B1 2a05",
			.state = "g6 C1=3* t1"},
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{PREEMPT, "B1", .rk = 2, .sark = 3, .type = 7, .effects = "C1 2a05, A1 2a04",
			.state = "g9 A1=1* B1=2* t7"},
		{0},
	});
}

static void a_shared_key_is_the_holders_key(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "A2", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RESERVE, "A1", .rk = 1, .type = 1},
		/* A2 shares the key and stays, for it is the sender (multipath's way) */
		{PREEMPT, "A2", .rk = 1, .sark = 1, .type = 1, .effects = "A1 2a05",
			.state = "g4 A2=1* B1=2 t1"},
		{0},
	});
}

static void preempting_oneself_makes_a_new_reservation(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "A2", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RESERVE, "A1", .rk = 1, .type = 1},
		{PREEMPT, "A1", .rk = 1, .sark = 1, .type = 3, .effects = "A2 2a05, B1 2a04",
			.state = "g4 A1=1* B1=2 t3"},
		{PREEMPT, "A1", .rk = 1, .sark = 1, .type = 3, .state = "g5 A1=1* B1=2 t3"},
		{0},
	});
}

static void all_registrants_with_zero_leaves_only_the_sender(void **state)
{
	for (uint8_t type = 7; type <= 8; type++)
		kit_story((const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{REGISTER, "B1", .sark = 1},
			{REGISTER, "C1", .sark = 3},
			{RESERVE, "A1", .rk = 1, .type = type},
			{PREEMPT, "B1", .rk = 1, .sark = 0, .type = 2, CDB_FIELD},
			{PREEMPT, "B1", .rk = 1, .sark = 0, .type = 5, .scope = 1, CDB_FIELD},
			{PREEMPT, "B1", .rk = 1, .sark = 0, .type = 5,
				.effects = "A1 2a05, C1 2a05", .state = "g4 B1=1* t5"},
			{0},
		});
}

static void all_registrants_with_a_key_only_removes(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{REGISTER, "C1", .sark = 3},
		{RESERVE, "A1", .rk = 1, .type = 8},
		{PREEMPT, "B1", .rk = 2, .sark = 1, .type = 5, .effects = "A1 2a05",
			.state = "g4 B1=2* C1=3* t8"},
		{PREEMPT, "B1", .rk = 2, .sark = 2, .state = "g5 C1=3* t8"},
		{PREEMPT, "C1", .rk = 3, .sark = 3, .state = "g6"}, /* the last one */
		{0},
	});
}

static void who_may_not_preempt(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{PREEMPT, "C1", .sark = 1, CONFLICT},
		{PREEMPT, "B1", .rk = 1, .sark = 1, CONFLICT},
		{PREEMPT, "B1", .rk = 2, .sark = 9, CONFLICT},
		{PREEMPT, "B1", .rk = 2, .sark = 0, LIST_FIELD},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{PREEMPT, "B1", .rk = 2, .sark = 9, CONFLICT},
		{PREEMPT, "B1", .rk = 2, .sark = 0, .type = 5, LIST_FIELD},
		{PREEMPT, "B1", .rk = 2, .sark = 1, .type = 4, CDB_FIELD},
		{PREEMPT, "B1", .rk = 2, .sark = 1, .type = 5, .scope = 2, CDB_FIELD,
			.state = "g2 A1=1* B1=2 t5"},
		{0},
	});
}

static void abort_reaches_every_preempted_nexus(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "A2", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{REGISTER, "C1", .sark = 1},
		/* nothing held */
		{PREEMPT_ABORT, "B1", .rk = 2, .sark = 1,
			.effects = "abort A1 2f00, A1 2a05, abort A2 2f00, A2 2a05, "
				   "abort C1 2f00, C1 2a05",
			.state = "g5 B1=2"},
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "A2", .sark = 1},
		{RESERVE, "A1", .rk = 1, .type = 5},
		/* the holder and who shares its key; the attention for a new type comes last */
		{REGISTER, "C1", .sark = 3},
		{PREEMPT_ABORT, "B1", .rk = 2, .sark = 1, .type = 6,
			.effects = "abort A1 2f00, A1 2a05, abort A2 2f00, A2 2a05, C1 2a04",
			.state = "g9 B1=2* C1=3 t6"},
		/* the sender keeps its registration: not aborted */
		{PREEMPT_ABORT, "B1", .rk = 2, .sark = 2, .type = 6, .state = "g10 B1=2* C1=3 t6"},
		/* the sender preempts its own: its tasks go, but it is told nothing */
		{PREEMPT_ABORT, "C1", .rk = 3, .sark = 3, .effects = "abort C1",
			.state = "g11 B1=2* t6"},
		{0},
	});
}

static void abort_with_all_registrants_and_zero(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RESERVE, "A1", .rk = 1, .type = 7},
		{PREEMPT_ABORT, "B1", .rk = 2, .sark = 0, .type = 8,
			.effects = "abort A1 2f00, A1 2a05", .state = "g3 B1=2* t8"},
		{0},
	});
}

/* A full table, everyone preempted: every effect has room. */
static void the_largest_preemption_fits(void **state)
{
	static struct hf_resv_outcome out;
	static struct hf_resv_op op;
	struct hf_resv *r = kit_create(2, HF_RESV_NEXUS_MAX);
	struct hf_resv_info info;

	for (unsigned i = 0; i < HF_RESV_NEXUS_MAX; i++) {
		op = kit_op(&(const struct kit_step){REGISTER, "A1", .sark = i ? 1 : 2});
		op.nexus.init.isid = 0x1000 - i;
		hf_resv_apply(r, &op, &out);
		assert_int_equal(out.verdict.status, HF_STATUS_GOOD);
	}
	op = kit_op(&(const struct kit_step){PREEMPT_ABORT, "A1", .rk = 2, .sark = 1});
	op.nexus.init.isid = 0x1000;
	kit_apply(r, &op, &out);
	assert_int_equal(out.effects_len, 2 * (HF_RESV_NEXUS_MAX - 1));
	hf_resv_info(r, &info);
	assert_int_equal(info.registrations_len, 1);
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_reservation_registrations_go),
		cmocka_unit_test(without_a_reservation_ones_own_goes_too),
		cmocka_unit_test(anothers_key_leaves_the_holder_alone),
		cmocka_unit_test(the_holders_key_takes_the_reservation),
		cmocka_unit_test(a_shared_key_is_the_holders_key),
		cmocka_unit_test(preempting_oneself_makes_a_new_reservation),
		cmocka_unit_test(all_registrants_with_zero_leaves_only_the_sender),
		cmocka_unit_test(all_registrants_with_a_key_only_removes),
		cmocka_unit_test(who_may_not_preempt),
		cmocka_unit_test(abort_reaches_every_preempted_nexus),
		cmocka_unit_test(abort_with_all_registrants_and_zero),
		cmocka_unit_test(the_largest_preemption_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
