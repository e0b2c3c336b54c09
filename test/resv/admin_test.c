/* SPDX-License-Identifier: BSD-3-Clause */
/* Break, retire, "information lost" and REPLACE LOST RESERVATION. Source: scsi-reservations E.4. */
#include "short.h"

#define LOST	     .verdict = "7/44/01"
#define LU_NOT_THERE .verdict = "5/25/00"

static void break_clears_everything_and_tells_all_registrants(void **state)
{
	kit_story((const struct kit_step[]){
		{BREAK, .state = "g0"},
		{REGISTER, "A1", .sark = 1, .flags = APTPL},
		{REGISTER, "B1", .sark = 2, .flags = APTPL},
		{RESERVE, "A1", .rk = 1, .type = 3},
		{BREAK, .effects = "A1 2a03, B1 2a03", .state = "g2"},
		{SPC2_RESERVE, "A1"},
		{BREAK, .state = "g2"},
		{0},
	});
}

static void break_on_an_empty_state_is_no_change(void **state)
{
	static struct hf_resv_outcome out;
	struct hf_resv *r = kit_create(2, 4);
	struct hf_resv_op op = kit_op(&(const struct kit_step){BREAK});

	kit_apply(r, &op, &out);
	assert_false(out.changed);
	hf_resv_destroy(r);
}

static void only_what_is_idle_is_retired(void **state)
{
	kit_story((const struct kit_step[]){
		{SPC2_RESERVE, "A1"},
		{RETIRE, CONFLICT},
		{SPC2_RELEASE, "A1"},
		{REGISTER, "A1", .sark = 1},
		{RETIRE, CONFLICT},
		{REGISTER, "A1", .rk = 1},
		{INFO_LOST},
		{RETIRE, CONFLICT, .state = "g2 lost"},
		{BREAK},
		{RETIRE, .state = "g2 retired"},
		{RETIRE, .state = "g2 retired"},
		{0},
	});
}

/* Its deletion follows, which must not meet a pending op. */
static void a_break_of_the_retired_changes_nothing(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1, .flags = APTPL},
		{REGISTER, "A1", .rk = 1, .flags = APTPL},
		{RETIRE, .state = "g2 aptpl retired"},
		{BREAK, .state = "g2 aptpl retired"},
		{0},
	});
}

static void the_retired_refuses_every_host(void **state)
{
	struct hf_resv *r = kit_create(2, 4);
	struct hf_nexus a = kit_nexus("A1");

	kit_run(r,
		(const struct kit_step[]){
			{RETIRE},
			{SPC2_RESERVE, "A1", LU_NOT_THERE},
			{SPC2_RELEASE, "A1", LU_NOT_THERE},
			{READ, "A1", LU_NOT_THERE},
			{REGISTER, "A1", .sark = 1, LU_NOT_THERE},
			{IGNORE, "A1", .sark = 1, LU_NOT_THERE},
			{REPLACE_LOST, "A1", .sark = 1, .type = 1, LU_NOT_THERE},
			{LOSS, "A1"},
			{PEER_REMOVED, "A1"},
			{BREAK},
			{INFO_LOST, .state = "g0 retired"},
			{RESET, .state = "g0 retired"}, /* changes nothing: its deletion follows */
			{0},
		});
	assert_true(hf_resv_is_retired(r));
	assert_int_equal(hf_resv_admit(r, &a, 0), HF_ACCESS_BIT(HF_ACCESS_FREE));
	hf_resv_destroy(r);
}

static void lost_refuses_all_until_replaced(void **state)
{
	struct hf_resv *r = kit_create(2, 4);
	struct hf_nexus a = kit_nexus("A1");

	kit_run(r, (const struct kit_step[]){
			   {REPLACE_LOST, "A1", .sark = 1, .type = 1, CDB_FIELD}, /* nothing lost */
			   {INFO_LOST, .state = "g0 lost"},
			   {INFO_LOST, .state = "g0 lost"},
			   {READ, "A1", LOST},
			   {SPC2_RESERVE, "A1", LOST},
			   {SPC2_RELEASE, "A1", LOST},
			   {REGISTER, "A1", .sark = 1, LOST},
			   {IGNORE, "A1", .sark = 1, LOST},
			   {RESERVE, "A1", .rk = 1, .type = 1, LOST},
			   {RELEASE, "A1", .rk = 1, .type = 1, LOST},
			   {CLEAR, "A1", .rk = 1, LOST},
			   {PREEMPT, "A1", .rk = 1, .sark = 1, LOST},
			   {PREEMPT_ABORT, "A1", .rk = 1, .sark = 1, LOST},
			   {MOVE, "A1", .rk = 1, .sark = 1, .ids = "B1", LOST},
			   {RESET, .effects = "abort *, * 2903", .state = "g0 lost"},
			   {REPLACE_LOST, "A1", .rk = 1, .sark = 1, .type = 1, CONFLICT},
			   {REPLACE_LOST, "A1", .sark = 1, .type = 2, CDB_FIELD},
			   {REPLACE_LOST, "A1", .sark = 1, .type = 1, .scope = 1, CDB_FIELD},
			   {REPLACE_LOST, "A1", .sark = 0, .type = 1, LIST_FIELD},
			   {0},
		   });
	assert_true(hf_resv_is_lost(r));
	assert_false(hf_resv_is_idle(r));
	assert_int_equal(hf_resv_admit(r, &a, 0), HF_ACCESS_BIT(HF_ACCESS_FREE));
	kit_run(r, (const struct kit_step[]){
			   {REPLACE_LOST, "A1", .sark = 4, .type = 5, .state = "g1 A1=4* t5"},
			   {READ, "B1"},
			   {REPLACE_LOST, "A1", .sark = 4, .type = 5, CDB_FIELD},
			   {0},
		   });
	assert_false(hf_resv_is_lost(r));
	hf_resv_destroy(r);
}

static void replace_lost_takes_every_type(void **state)
{
	static const uint8_t types[] = {1, 3, 5, 6, 7, 8};
	char text[32];

	for (unsigned i = 0; i < HF_ARRAY_LEN(types); i++) {
		snprintf(text, sizeof(text), "g1 A1=4* t%u", types[i]);
		kit_story((const struct kit_step[]){
			{INFO_LOST},
			{REPLACE_LOST, "A1", .sark = 4, .type = types[i], .state = text},
			{0},
		});
	}
}

static void losing_drops_what_there_was(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1, .flags = APTPL},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{INFO_LOST, .state = "g1 lost"},
		{BREAK, .state = "g1"},
		{SPC2_RESERVE, "A1"},
		{INFO_LOST, .state = "g1 lost"},
		{0},
	});
}

/* What ends the loss is written; the loss itself is not, the slot may be readable another day. */
static void the_end_of_the_loss_is_persisted(void **state)
{
	static struct hf_resv_outcome out;
	struct hf_resv *r = kit_create(2, 4);
	struct hf_resv_op op = kit_op(&(const struct kit_step){INFO_LOST});

	kit_apply(r, &op, &out);
	assert_true(out.changed && !out.persist);
	op = kit_op(&(const struct kit_step){BREAK});
	kit_apply(r, &op, &out);
	assert_true(out.changed && out.persist);
	op = kit_op(&(const struct kit_step){INFO_LOST});
	kit_apply(r, &op, &out);
	op = kit_op(&(const struct kit_step){REPLACE_LOST, "A1", .sark = 1, .type = 1});
	kit_apply(r, &op, &out);
	assert_true(out.changed && out.persist);
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(break_clears_everything_and_tells_all_registrants),
		cmocka_unit_test(break_on_an_empty_state_is_no_change),
		cmocka_unit_test(only_what_is_idle_is_retired),
		cmocka_unit_test(a_break_of_the_retired_changes_nothing),
		cmocka_unit_test(the_retired_refuses_every_host),
		cmocka_unit_test(lost_refuses_all_until_replaced),
		cmocka_unit_test(replace_lost_takes_every_type),
		cmocka_unit_test(losing_drops_what_there_was),
		cmocka_unit_test(the_end_of_the_loss_is_persisted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
