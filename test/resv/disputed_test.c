/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The points where good implementations disagree, one test each: scsi-reservations E.5b, whose last
 * column is what we do. Beside each test: who does the same, or the clause.
 */
#include "short.h"

/* LIO, SPDK; spc4r17 5.7.11.4.4 exempts the sender from the attention only */
static void preempt_of_ones_own_key_with_nothing_held_removes_it(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{PREEMPT, "A1", .rk = 1, .sark = 1, .state = "g2"},
		{0},
	});
}

/* SPDK and both NVMe targets; the same clause */
static void preempt_of_ones_own_key_under_all_registrants_removes_it(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RESERVE, "A1", .rk = 1, .type = 7},
		{PREEMPT, "A1", .rk = 1, .sark = 1, .type = 7, .state = "g3 B1=2* t7"},
		{0},
	});
}

/* CTL (checks only when used); sg_persist --preempt without a type sends 0 */
static void preempt_that_only_removes_ignores_type_and_scope(void **state)
{
	for (uint8_t type = 0; type < 16; type++)
		kit_story((const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{REGISTER, "B1", .sark = 2},
			{REGISTER, "C1", .sark = 3},
			{PREEMPT, "A1", .rk = 1, .sark = 2, .type = type, .scope = type,
				.effects = "B1 2a05"},
			{RESERVE, "A1", .rk = 1, .type = 1},
			{PREEMPT, "A1", .rk = 1, .sark = 3, .type = type, .scope = type,
				.effects = "C1 2a05", .state = "g5 A1=1* t1"},
			{0},
		});
}

/* LIO, CTL */
static void preempt_of_key_zero_is_a_bad_field(void **state)
{
	static const uint8_t types[] = {0, 1, 3, 5, 6};

	for (unsigned i = 0; i < HF_ARRAY_LEN(types); i++) {
		struct hf_resv *r = kit_create(2, 4);

		kit_run(r, (const struct kit_step[]){{REGISTER, "A1", .sark = 1}, {0}});
		if (types[i])
			kit_run(r, (const struct kit_step[]){
					   {RESERVE, "A1", .rk = 1, .type = types[i]}, {0}});
		kit_run(r, (const struct kit_step[]){
				   {PREEMPT, "A1", .rk = 1, .type = 1, LIST_FIELD},
				   {PREEMPT_ABORT, "A1", .rk = 1, .type = 1, LIST_FIELD},
				   {0},
			   });
		hf_resv_destroy(r);
	}
}

/* LIO, SCST, CTL */
static void preempt_of_an_unknown_key_conflicts(void **state)
{
	for (uint8_t type = 0; type <= 8; type++) {
		struct hf_resv *r = kit_create(2, 4);

		kit_run(r, (const struct kit_step[]){{REGISTER, "A1", .sark = 1}, {0}});
		if (type && type != 2 && type != 4)
			kit_run(r, (const struct kit_step[]){
					   {RESERVE, "A1", .rk = 1, .type = type}, {0}});
		kit_run(r, (const struct kit_step[]){
				   {PREEMPT, "A1", .rk = 1, .sark = 9, .type = 1, CONFLICT},
				   {0},
			   });
		hf_resv_destroy(r);
	}
}

/* SCST */
static void preempt_and_abort_that_only_removes_aborts(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{PREEMPT_ABORT, "A1", .rk = 1, .sark = 2, .effects = "abort B1 2f00, B1 2a05"},
		{REGISTER, "B1", .sark = 2},
		{RESERVE, "A1", .rk = 1, .type = 8},
		{PREEMPT_ABORT, "A1", .rk = 1, .type = 8, .effects = "abort B1 2f00, B1 2a05"},
		{0},
	});
}

/* SCST; "each successful" command */
static void registering_nothing_raises_the_generation(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .state = "g1"},
		{IGNORE, "A1", .rk = 0, .state = "g2"},
		{0},
	});
}

/* LIO, SCST with the field pointer */
static void spec_i_pt_while_registered_is_a_bad_field(void **state)
{
	static struct hf_resv_outcome out;
	struct hf_resv *r = kit_create(2, 4);
	struct hf_resv_op op = kit_op(&(const struct kit_step){
		REGISTER, "A1", .rk = 1, .sark = 2, .flags = SPEC_I_PT, .ids = "B"});

	kit_run(r, (const struct kit_step[]){{REGISTER, "A1", .sark = 1}, {0}});
	kit_apply(r, &op, &out);
	assert_string_equal(kit_verdict(&out.verdict), "5/26/00");
	assert_true(out.verdict.field_valid && !out.verdict.field_in_cdb);
	assert_int_equal(out.verdict.field_byte, 20);
	assert_int_equal(out.verdict.field_bit, 3);
	hf_resv_destroy(r);
}

/* later SPC-4 drafts: CHECK CONDITION, nothing registered */
static void spec_i_pt_with_a_registered_nexus_registers_nothing(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "B1", .sark = 1},
		{REGISTER, "A1", .sark = 2, .flags = SPEC_I_PT, .ids = "CB", LIST_FIELD,
			.state = "g1 B1=1"},
		{0},
	});
}

/* spc4r17: as if the command had been received through each port */
static void all_tg_pt_while_registered_is_for_the_registered_ports(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "A1", .rk = 1, .sark = 2, .flags = ALL_TG_PT, .state = "g2 A1=2"},
		{IGNORE, "A1", .sark = 3, .flags = ALL_TG_PT, .state = "g3 A1=3 A2=3"},
		{REGISTER, "A2", .rk = 3, .sark = 4, .flags = ALL_TG_PT, .state = "g4 A1=4 A2=4"},
		{0},
	});
}

/* SCST, CTL, SPDK, vendor manual */
static void a_scope_is_a_bad_cdb_field(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{RESERVE, "A1", .rk = 1, .type = 1, .scope = 1, CDB_FIELD},
		{RELEASE, "A1", .rk = 1, .type = 1, .scope = 1, CDB_FIELD},
		{0},
	});
}

/* SCST, CTL */
static void release_by_the_holder_with_another_type(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{RESERVE, "A1", .rk = 1, .type = 1},
		{RELEASE, "A1", .rk = 1, .type = 3, .verdict = "5/26/04", .state = "g1 A1=1* t1"},
		{0},
	});
}

/* CTL: RK is verified regardless; SCST too where something is held */
static void release_with_a_wrong_key_conflicts(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RELEASE, "A1", .rk = 2, .type = 1, CONFLICT},
		{RESERVE, "A1", .rk = 1, .type = 1},
		{RELEASE, "B1", .rk = 1, .type = 1, CONFLICT},
		{0},
	});
}

/* LIO */
static void move_to_key_zero_is_a_bad_list_field(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{RESERVE, "A1", .rk = 1, .type = 1},
		{MOVE, "A1", .rk = 1, .ids = "B1", LIST_FIELD},
		{0},
	});
}

/* SCST, CTL */
static void a_stranger_conflicts_even_with_nothing_held(void **state)
{
	kit_story((const struct kit_step[]){
		{RESERVE, "A1", .type = 1, CONFLICT},
		{RELEASE, "A1", .type = 1, CONFLICT},
		{CLEAR, "A1", CONFLICT},
		{0},
	});
}

/* SCST */
static void unregistering_one_of_all_ports_is_for_one(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1, .flags = ALL_TG_PT},
		{REGISTER, "A1", .rk = 1, .state = "g2 A2=1"},
		{0},
	});
}

/* SCST, CTL: REPORT LUNS and REQUEST SENSE are of the class that always passes */
static void under_a_legacy_reservation_the_free_class_passes(void **state)
{
	struct hf_resv *r = kit_create(2, 4);
	struct hf_nexus b = kit_nexus("B1");

	kit_run(r, (const struct kit_step[]){{SPC2_RESERVE, "A1"}, {0}});
	assert_int_equal(hf_resv_admit(r, &b, 0), HF_ACCESS_BIT(HF_ACCESS_FREE));
	hf_resv_destroy(r);
}

/* SCST, SPDK: no internal holder whose key would mean something */
static void under_all_registrants_there_is_no_holders_key(void **state)
{
	struct hf_resv *r = kit_create(2, 4);
	struct hf_resv_info info;

	kit_run(r, (const struct kit_step[]){
			   {REGISTER, "A1", .sark = 1},
			   {REGISTER, "B1", .sark = 2},
			   {RESERVE, "A1", .rk = 1, .type = 8},
			   {0},
		   });
	hf_resv_info(r, &info);
	assert_int_equal(info.holder_key, 0);
	/* the key of who reserved takes nothing over, it only removes */
	kit_run(r, (const struct kit_step[]){
			   {PREEMPT, "B1", .rk = 2, .sark = 1, .type = 1, .effects = "A1 2a05",
				   .state = "g3 B1=2* t8"},
			   {0},
		   });
	hf_resv_destroy(r);
}

/* Order of tests: SPC-2 reservation, key, access by type, fields, resources. */
static void what_refuses_first(void **state)
{
	struct hf_resv *r = kit_create(2, 2);

	kit_run(r, (const struct kit_step[]){
			   {SPC2_RESERVE, "A1"},
			   {RESERVE, "A1", .type = 2, CONFLICT},
			   {SPC2_RELEASE, "A1"},
			   {REGISTER, "A1", .sark = 1},
			   {REGISTER, "B1", .sark = 2},
			   {RESERVE, "A1", .rk = 9, .type = 2, CONFLICT},
			   {RESERVE, "A1", .rk = 1, .type = 1},
			   {RESERVE, "B1", .rk = 2, .type = 2, CONFLICT},
			   {PREEMPT, "B1", .rk = 2, .sark = 9, .type = 2, CONFLICT},
			   {REGISTER, "C1", .rk = 1, .sark = 3, CONFLICT},
			   {REGISTER, "C1", .sark = 3, .flags = SPEC_I_PT, .ids = "B", LIST_FIELD},
			   {REGISTER, "C1", .sark = 3, NO_ROOM},
			   {MOVE, "A1", .rk = 1, .sark = 3, .ids = "C3", LIST_FIELD},
			   {MOVE, "A1", .rk = 1, .sark = 3, .ids = "C1", NO_ROOM},
			   {0},
		   });
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preempt_of_ones_own_key_with_nothing_held_removes_it),
		cmocka_unit_test(preempt_of_ones_own_key_under_all_registrants_removes_it),
		cmocka_unit_test(preempt_that_only_removes_ignores_type_and_scope),
		cmocka_unit_test(preempt_of_key_zero_is_a_bad_field),
		cmocka_unit_test(preempt_of_an_unknown_key_conflicts),
		cmocka_unit_test(preempt_and_abort_that_only_removes_aborts),
		cmocka_unit_test(registering_nothing_raises_the_generation),
		cmocka_unit_test(spec_i_pt_while_registered_is_a_bad_field),
		cmocka_unit_test(spec_i_pt_with_a_registered_nexus_registers_nothing),
		cmocka_unit_test(all_tg_pt_while_registered_is_for_the_registered_ports),
		cmocka_unit_test(a_scope_is_a_bad_cdb_field),
		cmocka_unit_test(release_by_the_holder_with_another_type),
		cmocka_unit_test(release_with_a_wrong_key_conflicts),
		cmocka_unit_test(move_to_key_zero_is_a_bad_list_field),
		cmocka_unit_test(a_stranger_conflicts_even_with_nothing_held),
		cmocka_unit_test(unregistering_one_of_all_ports_is_for_one),
		cmocka_unit_test(under_a_legacy_reservation_the_free_class_passes),
		cmocka_unit_test(under_all_registrants_there_is_no_holders_key),
		cmocka_unit_test(what_refuses_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
