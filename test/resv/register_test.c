/* SPDX-License-Identifier: BSD-3-Clause */
/* REGISTER, REGISTER AND IGNORE EXISTING KEY. Source: scsi-reservations E.4, E.5b. */
#include "short.h"

static void keys_are_checked_and_changed(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .rk = 5, .sark = 1, CONFLICT, .state = "g0"},
		{REGISTER, "A1", .sark = 1, .state = "g1 A1=1"},
		{REGISTER, "A1", .sark = 2, CONFLICT},
		{REGISTER, "A1", .rk = 9, .sark = 2, CONFLICT, .state = "g1 A1=1"},
		{REGISTER, "A1", .rk = 1, .sark = 2, .state = "g2 A1=2"},
		{REGISTER, "A1", .rk = 2, .sark = 2, .state = "g3 A1=2"},
		{REGISTER, "B1", .sark = 2, .state = "g4 A1=2 B1=2"}, /* keys may be shared */
		{REGISTER, "A1", .rk = 2, .state = "g5 B1=2"},
		{0},
	});
}

static void ignore_takes_any_key(void **state)
{
	kit_story((const struct kit_step[]){
		{IGNORE, "A1", .sark = 1, .state = "g1 A1=1"},
		{IGNORE, "A1", .sark = 2, .state = "g2 A1=2"},
		{IGNORE, "A1", .sark = 0, .state = "g3"},
		{IGNORE, "A1", .sark = 0, .state = "g4"},
		{0},
	});
}

/* E.1: READ RESERVATION and PREEMPT see the holder's new key at once. */
static void the_holders_new_key_counts_at_once(void **state)
{
	struct hf_resv *r = kit_create(2, 8);
	struct hf_resv_info info;

	kit_run(r, (const struct kit_step[]){
			   {REGISTER, "A1", .sark = 1},
			   {REGISTER, "B1", .sark = 9},
			   {RESERVE, "A1", .rk = 1, .type = 5},
			   {REGISTER, "A1", .rk = 1, .sark = 2, .state = "g3 A1=2* B1=9 t5"},
			   {0},
		   });
	hf_resv_info(r, &info);
	assert_int_equal(info.holder_key, 2);
	kit_run(r, (const struct kit_step[]){
			   {PREEMPT, "B1", .rk = 9, .sark = 1, .type = 5, CONFLICT},
			   {PREEMPT, "B1", .rk = 9, .sark = 2, .type = 5, .effects = "A1 2a05",
				   .state = "g4 B1=9* t5"},
			   {0},
		   });
	hf_resv_destroy(r);
}

/* spc4r17 5.7.11.3 */
static void the_holders_leaving_ends_the_reservation(void **state)
{
	static const struct {
		uint8_t type;
		const char *effects;
	} types[] = {{1, ""}, {3, ""}, {5, "B1 2a04, C1 2a04"}, {6, "B1 2a04, C1 2a04"}};

	for (unsigned i = 0; i < HF_ARRAY_LEN(types); i++)
		kit_story((const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{REGISTER, "B1", .sark = 2},
			{REGISTER, "C1", .sark = 3},
			{RESERVE, "A1", .rk = 1, .type = types[i].type},
			{REGISTER, "A1", .rk = 1, .effects = types[i].effects,
				.state = "g4 B1=2 C1=3"},
			{0},
		});
}

static void a_registrants_leaving_ends_nothing(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{IGNORE, "B1", .state = "g3 A1=1* t5"},
		{0},
	});
}

static void all_registrants_stays_until_the_last_leaves(void **state)
{
	for (uint8_t type = 7; type <= 8; type++)
		kit_story((const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{REGISTER, "B1", .sark = 2},
			{RESERVE, "A1", .rk = 1, .type = type},
			{REGISTER, "A1", .rk = 1,
				.state = type == 7 ? "g3 B1=2* t7" : "g3 B1=2* t8"},
			{REGISTER, "C1", .sark = 3,
				.state = type == 7 ? "g4 B1=2* C1=3* t7" : "g4 B1=2* C1=3* t8"},
			{REGISTER, "B1", .rk = 2},
			{REGISTER, "C1", .rk = 3, .state = "g6"},
			{0},
		});
}

static void aptpl_is_what_the_last_registering_said(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1, .flags = APTPL, .state = "g1 A1=1 aptpl"},
		{REGISTER, "B1", .sark = 2, .flags = APTPL, .state = "g2 A1=1 B1=2 aptpl"},
		{REGISTER, "C1", .sark = 3, .state = "g3 A1=1 B1=2 C1=3"},
		{IGNORE, "C1", .sark = 3, .flags = APTPL, .state = "g4 A1=1 B1=2 C1=3 aptpl"},
		{CLEAR, "C1", .rk = 3, .effects = "A1 2a03, B1 2a03", .state = "g5 aptpl"},
		{REGISTER, "D1", .state = "g6 aptpl"}, /* a stranger's nothing decides nothing */
		{0},
	});
}

/* `persist` is checked by kit_apply(); here that it is what we think it is. */
static void only_what_changes_the_image_is_persisted(void **state)
{
	static struct hf_resv_outcome out;
	static const struct {
		struct kit_step step;
		bool persist;
	} steps[] = {
		{{REGISTER, "A1", .sark = 1}, false},
		{{REGISTER, "A1", .rk = 1, .sark = 1, .flags = APTPL}, true},
		{{REGISTER, "A1", .rk = 1, .sark = 1, .flags = APTPL}, false},
		{{REGISTER, "B1", .sark = 2, .flags = APTPL}, true},
		{{RESERVE, "A1", .rk = 1, .type = 1}, true},
		{{RESERVE, "A1", .rk = 1, .type = 1}, false},
		{{RELEASE, "B1", .rk = 2, .type = 1}, false},
		{{PREEMPT, "A1", .rk = 1, .sark = 1, .type = 1}, false},
		{{PREEMPT, "A1", .rk = 1, .sark = 1, .type = 3}, true},
		{{RELEASE, "A1", .rk = 1, .type = 3}, true},
		{{RESET, "A1"}, false},
		{{REGISTER, "B1", .rk = 2, .sark = 2}, true}, /* APTPL 1 -> 0 */
		{{REGISTER, "C1", .sark = 3}, false},
	};
	struct hf_resv *r = kit_create(2, 8);

	for (unsigned i = 0; i < HF_ARRAY_LEN(steps); i++) {
		struct hf_resv_op op = kit_op(&steps[i].step);

		kit_apply(r, &op, &out);
		assert_int_equal(out.verdict.status, HF_STATUS_GOOD);
		assert_int_equal(out.persist, steps[i].persist);
	}
	hf_resv_destroy(r);
}

static void all_tg_pt_registers_on_every_port(void **state)
{
	struct hf_resv *r = kit_create(3, 8);

	kit_run(r,
		(const struct kit_step[]){
			{REGISTER, "A2", .sark = 1, .flags = ALL_TG_PT,
				.state = "g1 A1=1 A2=1 A3=1"},
			{REGISTER, "A1", .rk = 1, .sark = 2, .flags = ALL_TG_PT,
				.state = "g2 A1=2 A2=2 A3=2"},
			/* E.5b: without ALL_TG_PT only this nexus */
			{REGISTER, "A3", .rk = 2, .state = "g3 A1=2 A2=2"},
			/* E.5b: RK != 0 leaves unregistered ports alone */
			{REGISTER, "A1", .rk = 2, .sark = 3, .flags = ALL_TG_PT,
				.state = "g4 A1=3 A2=3"},
			/* E.5b: REGISTER AND IGNORE registers the missing ones */
			{IGNORE, "A1", .sark = 4, .flags = ALL_TG_PT, .state = "g5 A1=4 A2=4 A3=4"},
			{REGISTER, "A1", .rk = 4, .sark = 5, .state = "g6 A1=5 A2=4 A3=4"},
			/* each port judged as if the command had come there: other key, left */
			{REGISTER, "A2", .rk = 4, .flags = ALL_TG_PT, .state = "g7 A1=5"},
			{REGISTER, "A2", .sark = 6, .flags = ALL_TG_PT,
				.state = "g8 A1=5 A2=6 A3=6"},
			{IGNORE, "A3", .flags = ALL_TG_PT, .state = "g9"},
			{0},
		});
	hf_resv_destroy(r);
}

static void all_tg_pt_unregistering_tells_the_others_once(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1, .flags = ALL_TG_PT},
		{REGISTER, "B1", .sark = 2, .flags = ALL_TG_PT},
		{RESERVE, "A2", .rk = 1, .type = 5},
		{REGISTER, "A1", .rk = 1, .flags = ALL_TG_PT, .effects = "B1 2a04, B2 2a04",
			.state = "g3 B1=2 B2=2"},
		{0},
	});
}

static void spec_i_pt_registers_the_listed_too(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1, .flags = SPEC_I_PT, .ids = "CB",
			.state = "g1 A1=1 B1=1 C1=1"},
		{REGISTER, "D2", .sark = 2, .flags = SPEC_I_PT | ALL_TG_PT, .ids = "E",
			.state = "g2 A1=1 B1=1 C1=1 D1=2 D2=2 E1=2 E2=2"},
		/* the sender itself and repeats add nothing */
		{REGISTER, "F1", .sark = 3, .flags = SPEC_I_PT, .ids = "GFG",
			.state = "g3 A1=1 B1=1 C1=1 D1=2 D2=2 E1=2 E2=2 F1=3 G1=3"},
		/* a stranger's "unregister" looks at no list */
		{REGISTER, "H1", .flags = SPEC_I_PT, .ids = "A",
			.state = "g4 A1=1 B1=1 C1=1 D1=2 D2=2 E1=2 E2=2 F1=3 G1=3"},
		{0},
	});
}

/* E.5b: 26/00 and nothing is registered. */
static void spec_i_pt_refuses_what_is_registered(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "B1", .sark = 1},
		{REGISTER, "A1", .sark = 2, .flags = SPEC_I_PT, .ids = "CB", LIST_FIELD,
			.state = "g1 B1=1"},
		{REGISTER, "A2", .sark = 2, .flags = SPEC_I_PT, .ids = "CB",
			.state = "g2 A2=2 B1=1 B2=2 C2=2"},
		{REGISTER, "D2", .sark = 2, .flags = SPEC_I_PT | ALL_TG_PT, .ids = "E",
			.state = "g3 A2=2 B1=1 B2=2 C2=2 D1=2 D2=2 E1=2 E2=2"},
		{REGISTER, "F2", .sark = 2, .flags = SPEC_I_PT | ALL_TG_PT, .ids = "A", LIST_FIELD},
		/* while self is registered, wrong key first */
		{REGISTER, "B1", .rk = 1, .sark = 2, .flags = SPEC_I_PT, .ids = "G", LIST_FIELD},
		{REGISTER, "B1", .rk = 7, .sark = 2, .flags = SPEC_I_PT, .ids = "G", CONFLICT},
		{0},
	});
}

static void past_the_limit_nothing_is_registered(void **state)
{
	struct hf_resv *r = kit_create(2, 3);

	kit_run(r, (const struct kit_step[]){
			   {REGISTER, "A1", .sark = 1, .flags = ALL_TG_PT},
			   {REGISTER, "B1", .sark = 2, .flags = ALL_TG_PT, NO_ROOM,
				   .state = "g1 A1=1 A2=1"},
			   {REGISTER, "B1", .sark = 2, .flags = SPEC_I_PT, .ids = "C", NO_ROOM},
			   {REGISTER, "B1", .sark = 2, .state = "g2 A1=1 A2=1 B1=2"},
			   {REGISTER, "C1", .sark = 2, NO_ROOM},
			   {IGNORE, "C1", .sark = 2, NO_ROOM, .state = "g2 A1=1 A2=1 B1=2"},
			   {IGNORE, "A1", .sark = 3, .flags = ALL_TG_PT},
			   {0},
		   });
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_checked_and_changed),
		cmocka_unit_test(ignore_takes_any_key),
		cmocka_unit_test(the_holders_new_key_counts_at_once),
		cmocka_unit_test(the_holders_leaving_ends_the_reservation),
		cmocka_unit_test(a_registrants_leaving_ends_nothing),
		cmocka_unit_test(all_registrants_stays_until_the_last_leaves),
		cmocka_unit_test(aptpl_is_what_the_last_registering_said),
		cmocka_unit_test(only_what_changes_the_image_is_persisted),
		cmocka_unit_test(all_tg_pt_registers_on_every_port),
		cmocka_unit_test(all_tg_pt_unregistering_tells_the_others_once),
		cmocka_unit_test(spec_i_pt_registers_the_listed_too),
		cmocka_unit_test(spec_i_pt_refuses_what_is_registered),
		cmocka_unit_test(past_the_limit_nothing_is_registered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
