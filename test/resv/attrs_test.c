/* SPDX-License-Identifier: BSD-3-Clause */
/* Mode parameters and SANITIZE as every controller sees them. */
#include "short.h"

#define AUSE   HF_RESV_SANITIZE_AUSE
#define FAILED HF_RESV_SANITIZE_FAILED

static void mode_parameters_are_the_units_and_a_reset_ends_them(void **state)
{
	kit_story((const struct kit_step[]){
		{ATTRS, "A1", MODE_SELECT(HF_RESV_SWP), .effects = "-A1 2a01",
			.state = "g0 attrs 04"},
		{ATTRS, "B2", MODE_SELECT(HF_RESV_SWP), .state = "g0 attrs 04"},
		{ATTRS, "B2", MODE_SELECT(HF_RESV_D_SENSE | HF_RESV_TAS), .effects = "-B2 2a01",
			.state = "g0 attrs 03"},
		{RESET, .effects = "abort *, * 2903", .state = "g0"},
		{0},
	});
}

static void who_may_not_write_changes_no_mode(void **state)
{
	kit_story((const struct kit_step[]){
		{SPC2_RESERVE, "A1", .login = 7},
		{ATTRS, "B2", MODE_SELECT(HF_RESV_SWP), CONFLICT},
		{ATTRS, "A1", MODE_SELECT(HF_RESV_SWP), .login = 8, CONFLICT},
		{ATTRS, "A1", MODE_SELECT(HF_RESV_SWP), .login = 7, .effects = "-A1 2a01"},
		{SPC2_RELEASE, "A1", .login = 7},
		{REGISTER, "A1", .sark = 1},
		{RESERVE, "A1", .rk = 1, .type = HF_RESV_WE},
		{ATTRS, "B2", MODE_SELECT(0), CONFLICT},
		{ATTRS, "A1", MODE_SELECT(0), .effects = "-A1 2a01", .state = "g1 A1=1* t1"},
		{0},
	});
}

static void a_sanitize_begins_when_all_is_drained_and_keeps_changes_out(void **state)
{
	kit_story((const struct kit_step[]){
		{ATTRS, "A1", SANITIZE_BEGIN(0), .effects = "drain *", .state = "g0 attrs 10 at 1"},
		{ATTRS, "B2", SANITIZE_BEGIN(0), .verdict = "BUSY"},
		{ATTRS, "A1", MODE_SELECT(HF_RESV_SWP), .verdict = "BUSY"},
		{ATTRS, "A1", EXIT_FAILURE_MODE, .verdict = "BUSY"},
		{RETIRE, CONFLICT},
		{RESET, .effects = "abort *, * 2903", .state = "g0 attrs 10 at 1"},
		{ATTRS, "@2", SANITIZE_END(0), .state = "g0 attrs 10 at 1"}, /* not its own */
		{ATTRS, "@1", SANITIZE_END(0), .effects = "drain *", .state = "g0"},
		{ATTRS, "@1", SANITIZE_END(FAILED), .state = "g0"}, /* it is over */
		{RETIRE, .state = "g0 retired"},
		{0},
	});
}

static void what_failed_stays_failed_unless_it_may_be_excused(void **state)
{
	kit_story((const struct kit_step[]){
		{ATTRS, "A1", EXIT_FAILURE_MODE, .state = "g0"},
		{ATTRS, "A1", SANITIZE_BEGIN(0), .effects = "drain *"},
		{ATTRS, "@1", SANITIZE_END(FAILED), .effects = "drain *", .state = "g0 attrs 20"},
		{ATTRS, "A1", EXIT_FAILURE_MODE, CDB_FIELD},
		{ATTRS, "A2", SANITIZE_BEGIN(AUSE), .effects = "drain *",
			.state = "g0 attrs 70 at 2"},
		{ATTRS, "@2", SANITIZE_END(FAILED), .effects = "drain *", .state = "g0 attrs 60"},
		{SPC2_RESERVE, "B1"},
		{ATTRS, "A1", EXIT_FAILURE_MODE, CONFLICT},
		{SPC2_RELEASE, "B1"},
		{ATTRS, "A1", EXIT_FAILURE_MODE, .effects = "drain *", .state = "g0"},
		{0},
	});
}

static void a_sanitize_fails_with_the_controller_that_ran_it(void **state)
{
	kit_story((const struct kit_step[]){
		{ATTRS, "A2", SANITIZE_BEGIN(AUSE), .effects = "drain *"},
		{PEER_REMOVED, "A1", .state = "g0 attrs 50 at 2"},
		{PEER_REMOVED, "A2", .state = "g0 attrs 60"},
		{ATTRS, "@2", SANITIZE_END(0), .state = "g0 attrs 60"}, /* too late */
		{0},
	});
}

static void lost_and_retired_units_take_no_attributes(void **state)
{
	kit_story((const struct kit_step[]){
		{INFO_LOST},
		{ATTRS, "A1", MODE_SELECT(HF_RESV_SWP), .verdict = "7/44/01"},
		{BREAK},
		{RETIRE},
		{ATTRS, "A1", SANITIZE_BEGIN(0), .verdict = "5/25/00"},
		{0},
	});
}

static void bad_attributes_are_refused_on_the_wire(void **state)
{
	uint8_t buf[HF_RESV_OP_BYTES_MAX];
	struct hf_resv_op op = {.kind = ATTRS, .attrs = 1, .attrs_mask = 7}, back;
	int len = hf_resv_op_encode(&op, buf, sizeof(buf));

	assert_true(len > 2);
	assert_int_equal(hf_resv_op_decode(buf, (size_t)len, &back), 0);
	buf[len - 1] = 6; /* sets what it does not name */
	assert_int_equal(hf_resv_op_decode(buf, (size_t)len, &back), -EBADMSG);
	buf[len - 1] = 0x0f; /* names what there is not */
	assert_int_equal(hf_resv_op_decode(buf, (size_t)len, &back), -EBADMSG);
	assert_int_equal(hf_resv_op_decode(buf, (size_t)len - 1, &back), -EBADMSG);
}

static void bad_attributes_are_refused_in_a_state(void **state)
{
	static const struct {
		uint8_t attrs, rtpi;
		bool good;
	} all[] = {{0x07, 0, true}, {0x08, 0, false}, {0x10, 0, false}, {0x10, 1, true},
		{0x20, 1, false}, {0x40, 0, false}, {0x60, 0, true}, {0x80, 0, false}};
	struct hf_resv *r = kit_create(2, 4);
	uint8_t buf[64];
	int len = hf_resv_encode(r, buf, sizeof(buf));

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		buf[6] = all[i].attrs; /* behind version, flags, generation */
		buf[8] = all[i].rtpi;
		assert_int_equal(hf_resv_decode(r, buf, (size_t)len), all[i].good ? 0 : -EBADMSG);
	}
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mode_parameters_are_the_units_and_a_reset_ends_them),
		cmocka_unit_test(who_may_not_write_changes_no_mode),
		cmocka_unit_test(a_sanitize_begins_when_all_is_drained_and_keeps_changes_out),
		cmocka_unit_test(what_failed_stays_failed_unless_it_may_be_excused),
		cmocka_unit_test(a_sanitize_fails_with_the_controller_that_ran_it),
		cmocka_unit_test(lost_and_retired_units_take_no_attributes),
		cmocka_unit_test(bad_attributes_are_refused_on_the_wire),
		cmocka_unit_test(bad_attributes_are_refused_in_a_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
