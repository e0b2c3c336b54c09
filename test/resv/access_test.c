/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is admitted: six types x every access class x {holder, registrant, stranger}, and the same
 * under an SPC-2 reservation. The table is typed in from scsi-reservations E.6 and E.7 and knows
 * nothing of the code: A allowed, C RESERVATION CONFLICT, classes in the order FREE STATUS READ
 * WRITE.
 */
#include "short.h"

static const struct {
	uint8_t type;
	const char *holder, *registrant, *stranger;
} table[] = {
	/*	    holder  registrant  stranger */
	{0, "AAAA", "AAAA", "AAAA"}, /* nothing held */
	{1, "AAAA", "AAAC", "AAAC"}, /* Write Exclusive: column W1 */
	{3, "AAAA", "AACC", "AACC"}, /* Exclusive Access: column E3 */
	{5, "AAAA", "AAAA", "AAAC"}, /* registrants only: R (5,6), Wu */
	{6, "AAAA", "AAAA", "AACC"}, /* R (5,6), Eu */
	{7, "AAAA", "AAAA", "AAAC"}, /* all registrants hold: H, Wu */
	{8, "AAAA", "AAAA", "AACC"}, /* H, Eu */
};

static void expect_row(struct hf_resv *r, const char *who, const char *row)
{
	struct hf_nexus nexus = kit_nexus(who);
	unsigned admitted = hf_resv_admit(r, &nexus, 0);

	for (unsigned class = 0; class < HF_ACCESS_COUNT; class ++)
		if (!!(admitted & HF_ACCESS_BIT(class)) != (row[class] == 'A')) {
			print_error("%s, class %u: %s\n", who, class, kit_state(r));
			fail();
		}
	assert_int_equal(admitted & ~HF_ACCESS_ALL_BITS, 0);
}

/* The stranger is another initiator, and the holder itself through another port. */
static void persistent_reservations(void **state)
{
	for (unsigned i = 0; i < HF_ARRAY_LEN(table); i++) {
		struct hf_resv *r = kit_create(2, 8);

		kit_run(r, (const struct kit_step[]){
				   {REGISTER, "A1", .sark = 1},
				   {REGISTER, "B1", .sark = 2},
				   {0},
			   });
		if (table[i].type)
			kit_run(r, (const struct kit_step[]){
					   {RESERVE, "A1", .rk = 1, .type = table[i].type}, {0}});
		expect_row(r, "A1", table[i].holder);
		expect_row(r, "B1", table[i].registrant);
		expect_row(r, "C1", table[i].stranger);
		expect_row(r, "A2", table[i].stranger);
		expect_row(r, "B2", table[i].stranger);
		hf_resv_destroy(r);
	}
}

static void the_preempted_is_a_stranger_at_once(void **state)
{
	for (unsigned i = 1; i < HF_ARRAY_LEN(table); i++) {
		struct hf_resv *r = kit_create(2, 8);
		bool all = table[i].type >= 7;

		kit_run(r, (const struct kit_step[]){
				   {REGISTER, "A1", .sark = 1},
				   {REGISTER, "B1", .sark = 2},
				   {RESERVE, "A1", .rk = 1, .type = table[i].type},
				   {PREEMPT, "B1", .rk = 2, .sark = all ? 0 : 1,
					   .type = table[i].type, .effects = "A1 2a05"},
				   {0},
			   });
		expect_row(r, "B1", table[i].holder);
		expect_row(r, "A1", table[i].stranger);
		hf_resv_destroy(r);
	}
}

/* E.7: from others only the free class, not even TEST UNIT READY. */
static void legacy_reservation(void **state)
{
	struct hf_resv *r = kit_create(2, 8);

	kit_run(r, (const struct kit_step[]){{SPC2_RESERVE, "A1"}, {0}});
	expect_row(r, "A1", "AAAA");
	expect_row(r, "A2", "ACCC");
	expect_row(r, "B1", "ACCC");
	kit_run(r, (const struct kit_step[]){{SPC2_RELEASE, "A1"}, {0}});
	expect_row(r, "B1", "AAAA");
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(persistent_reservations),
		cmocka_unit_test(the_preempted_is_a_stranger_at_once),
		cmocka_unit_test(legacy_reservation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
