/* SPDX-License-Identifier: BSD-3-Clause */
/* RESERVE, RELEASE, CLEAR. Source: scsi-reservations E.2, E.4, E.5b. */
#include "short.h"

static const uint8_t all_types[] = {1, 3, 5, 6, 7, 8};

static void only_a_registrant_with_its_key_reserves(void **state)
{
	for (unsigned i = 0; i < HF_ARRAY_LEN(all_types); i++) {
		uint8_t type = all_types[i];

		kit_story((const struct kit_step[]){
			{RESERVE, "A1", .type = type, CONFLICT},
			{REGISTER, "A1", .sark = 1},
			{RESERVE, "A1", .type = type, CONFLICT},
			{RESERVE, "A1", .rk = 2, .type = type, CONFLICT, .state = "g1 A1=1"},
			{RESERVE, "A1", .rk = 1, .type = type},
			{RESERVE, "A1", .rk = 1, .type = type},
			{RESERVE, "A1", .rk = 2, .type = type, CONFLICT},
			{0},
		});
	}
}

static void what_is_held_is_not_reserved_again(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RESERVE, "A1", .rk = 1, .type = 5, .state = "g2 A1=1* B1=2 t5"},
		{RESERVE, "A1", .rk = 1, .type = 6, CONFLICT},
		{RESERVE, "A1", .rk = 1, .type = 0, CONFLICT},
		{RESERVE, "B1", .rk = 2, .type = 5, CONFLICT},
		{RESERVE, "A1", .rk = 1, .type = 5, .scope = 1, CDB_FIELD},
		{0},
	});
}

static void any_registrant_repeats_all_registrants(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RESERVE, "A1", .rk = 1, .type = 7, .state = "g2 A1=1* B1=2* t7"},
		{RESERVE, "B1", .rk = 2, .type = 7},
		{RESERVE, "B1", .rk = 2, .type = 8, CONFLICT},
		{RELEASE, "B1", .rk = 2, .type = 8, .verdict = "5/26/04"},
		{RELEASE, "B1", .rk = 2, .type = 7, .effects = "A1 2a04", .state = "g2 A1=1 B1=2"},
		{0},
	});
}

static void other_types_and_scopes_are_invalid(void **state)
{
	for (uint8_t type = 0; type < 16; type++) {
		if (hf_resv_type_name(type)[0] != 'u' && type)
			continue;
		kit_story((const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{RESERVE, "A1", .rk = 1, .type = type, CDB_FIELD},
			{RELEASE, "A1", .rk = 1, .type = type, CDB_FIELD},
			{RESERVE, "A1", .rk = 2, .type = type, CONFLICT},
			{0},
		});
	}
	for (uint8_t scope = 1; scope < 16; scope++)
		kit_story((const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{RESERVE, "A1", .rk = 1, .type = 1, .scope = scope, CDB_FIELD},
			{RESERVE, "A1", .rk = 1, .type = 1},
			{RELEASE, "A1", .rk = 1, .type = 1, .scope = scope, CDB_FIELD},
			{0},
		});
}

static void the_field_pointers_name_type_and_scope(void **state)
{
	static struct hf_resv_outcome out;
	struct hf_resv *r = kit_create(2, 4);
	struct hf_resv_op op = kit_op(&(const struct kit_step){RESERVE, "A1", .rk = 1, .type = 2});

	kit_run(r, (const struct kit_step[]){{REGISTER, "A1", .sark = 1}, {0}});
	kit_apply(r, &op, &out);
	assert_true(out.verdict.field_valid && out.verdict.field_in_cdb);
	assert_int_equal(out.verdict.field_byte, 2);
	assert_int_equal(out.verdict.field_bit, 0);
	op.scope = 2;
	kit_apply(r, &op, &out);
	assert_int_equal(out.verdict.field_bit, 4);
	hf_resv_destroy(r);
}

static void release_tells_the_others_for_types_5_to_8(void **state)
{
	for (unsigned i = 0; i < HF_ARRAY_LEN(all_types); i++) {
		uint8_t type = all_types[i];

		kit_story((const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{REGISTER, "B1", .sark = 2},
			{REGISTER, "C1", .sark = 3},
			{RESERVE, "B1", .rk = 2, .type = type},
			{RELEASE, "B1", .rk = 2, .type = type,
				.effects = type < 5 ? "" : "A1 2a04, C1 2a04",
				.state = "g3 A1=1 B1=2 C1=3"},
			{0},
		});
	}
}

static void release_by_others_is_good_and_does_nothing(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RELEASE, "A1", .rk = 1, .type = 5},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{RELEASE, "B1", .rk = 2, .type = 5, .state = "g2 A1=1* B1=2 t5"},
		{RELEASE, "B1", .rk = 2, .type = 1, .state = "g2 A1=1* B1=2 t5"},
		{RELEASE, "C1", .rk = 0, .type = 5, CONFLICT},
		{RELEASE, "A1", .rk = 2, .type = 5, CONFLICT},
		{0},
	});
}

static void clear_removes_everything_and_tells_the_others(void **state)
{
	for (unsigned i = 0; i < HF_ARRAY_LEN(all_types); i++)
		kit_story((const struct kit_step[]){
			{CLEAR, "A1", CONFLICT},
			{REGISTER, "A1", .sark = 1},
			{REGISTER, "A2", .sark = 1},
			{REGISTER, "B1", .sark = 2},
			{RESERVE, "A1", .rk = 1, .type = all_types[i]},
			{CLEAR, "B1", .rk = 1, CONFLICT},
			{CLEAR, "C1", CONFLICT},
			{CLEAR, "B1", .rk = 2, .effects = "A1 2a03, A2 2a03", .state = "g4"},
			{0},
		});
}

static void clear_without_a_reservation_clears_too(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{CLEAR, "A1", .rk = 1, .effects = "B1 2a03", .state = "g3"},
		{0},
	});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_registrant_with_its_key_reserves),
		cmocka_unit_test(what_is_held_is_not_reserved_again),
		cmocka_unit_test(any_registrant_repeats_all_registrants),
		cmocka_unit_test(other_types_and_scopes_are_invalid),
		cmocka_unit_test(the_field_pointers_name_type_and_scope),
		cmocka_unit_test(release_tells_the_others_for_types_5_to_8),
		cmocka_unit_test(release_by_others_is_good_and_does_nothing),
		cmocka_unit_test(clear_removes_everything_and_tells_the_others),
		cmocka_unit_test(clear_without_a_reservation_clears_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
