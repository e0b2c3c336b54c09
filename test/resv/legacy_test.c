/* SPDX-License-Identifier: BSD-3-Clause */
/* SPC-2 RESERVE and RELEASE and what ends them. Source: scsi-reservations E.7, E.8. */
#include "short.h"

static void one_reserves_and_the_others_conflict(void **state)
{
	kit_story((const struct kit_step[]){
		{SPC2_RESERVE, "A1", .state = "g0 legacy A1"},
		{SPC2_RESERVE, "B1", CONFLICT},
		{SPC2_RESERVE, "A2", CONFLICT}, /* another port is another nexus */
		{SPC2_RESERVE, "A1", .state = "g0 legacy A1"},
		{0},
	});
}

static void release_by_a_stranger_is_good_and_does_nothing(void **state)
{
	kit_story((const struct kit_step[]){
		{SPC2_RELEASE, "B1", .state = "g0"},
		{SPC2_RESERVE, "A1"},
		{SPC2_RELEASE, "B1", .state = "g0 legacy A1"},
		{SPC2_RELEASE, "A1", .state = "g0"},
		{SPC2_RESERVE, "B1", .state = "g0 legacy B1"},
		{0},
	});
}

/* protocol-pitfalls W5 */
static void a_new_login_inherits_nothing(void **state)
{
	kit_story((const struct kit_step[]){
		{SPC2_RESERVE, "A1", .login = 7},
		{SPC2_RESERVE, "A1", .login = 8, CONFLICT},
		{SPC2_RELEASE, "A1", .login = 8, .state = "g0 legacy A1"},
		{LOSS, "A1", .login = 8, .state = "g0 legacy A1"},
		{LOSS, "B1", .login = 7, .state = "g0 legacy A1"},
		{LOSS, "A1", .login = 7, .state = "g0"},
		{SPC2_RESERVE, "A1", .login = 8, .state = "g0 legacy A1"},
		{LOSS, "A1", .login = 7, .state = "g0 legacy A1"}, /* late: not its reservation */
		{0},
	});
}

static void lu_reset_releases_aborts_and_tells_everybody(void **state)
{
	kit_story((const struct kit_step[]){
		{SPC2_RESERVE, "A1"},
		{RESET, "B2", .effects = "abort *, * 2903", .state = "g0"},
		{RESET, "B2", .effects = "abort *, * 2903", .state = "g0"},
		{REGISTER, "A1", .sark = 1},
		{RESERVE, "A1", .rk = 1, .type = 1},
		{RESET, NULL, .effects = "abort *, * 2903", .state = "g1 A1=1* t1"},
		{0},
	});
}

static void a_removed_peer_takes_its_reservations_along(void **state)
{
	kit_story((const struct kit_step[]){
		{SPC2_RESERVE, "A2"},
		{PEER_REMOVED, "?1", .state = "g0 legacy A2"},
		{PEER_REMOVED, "?2", .state = "g0"},
		{REGISTER, "A2", .sark = 1},
		{PEER_REMOVED, "?2", .state = "g1 A2=1"}, /* registrations stay: E.8 */
		{0},
	});
}

/* spc2r20 5.5.1: from the holder too */
static void persistent_reserve_conflicts_under_a_legacy_reservation(void **state)
{
	kit_story((const struct kit_step[]){
		{READ, "A1"},
		{SPC2_RESERVE, "A1"},
		{READ, "A1", CONFLICT},
		{READ, "B1", CONFLICT},
		{REGISTER, "A1", .sark = 1, CONFLICT},
		{REGISTER, "B1", .sark = 1, CONFLICT},
		{IGNORE, "A1", .sark = 1, CONFLICT},
		{REPLACE_LOST, "A1", .sark = 1, .type = 1, CONFLICT},
		{SPC2_RELEASE, "A1"},
		{REGISTER, "A1", .sark = 1, .state = "g1 A1=1"},
		{0},
	});
}

/* CRH=1, spc4r17 5.7.3 */
static void compatible_handling_is_good_for_whom_the_reservation_admits(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 2},
		{SPC2_RESERVE, "A1", CONFLICT}, /* registered, but nothing is held */
		{SPC2_RELEASE, "A1", CONFLICT},
		{SPC2_RESERVE, "C1", CONFLICT},
		{RESERVE, "A1", .rk = 1, .type = 3},
		{SPC2_RESERVE, "A1", .state = "g2 A1=1* B1=2 t3"},
		{SPC2_RELEASE, "A1", .state = "g2 A1=1* B1=2 t3"},
		{SPC2_RESERVE, "B1", CONFLICT}, /* a registrant does not count under type 3 */
		{SPC2_RELEASE, "C1", CONFLICT},
		{RELEASE, "A1", .rk = 1, .type = 3},
		{RESERVE, "A1", .rk = 1, .type = 6},
		{SPC2_RESERVE, "B1", .state = "g2 A1=1* B1=2 t6"},
		{SPC2_RELEASE, "B1"},
		{SPC2_RESERVE, "C1", CONFLICT},
		{0},
	});
}

static void concerns_tells_whom_a_loss_would_touch(void **state)
{
	struct hf_resv *r = kit_create(2, 4);
	struct hf_nexus a = kit_nexus("A1"), b = kit_nexus("B1");

	kit_run(r, (const struct kit_step[]){{SPC2_RESERVE, "A1", .login = 5}, {0}});
	assert_true(hf_resv_concerns(r, &a, 5));
	assert_false(hf_resv_concerns(r, &a, 6));
	assert_false(hf_resv_concerns(r, &b, 5));
	assert_int_equal(hf_resv_admit(r, &a, 5), HF_ACCESS_ALL_BITS);
	assert_int_equal(hf_resv_admit(r, &a, 6), HF_ACCESS_BIT(HF_ACCESS_FREE));
	assert_int_equal(hf_resv_admit(r, &b, 5), HF_ACCESS_BIT(HF_ACCESS_FREE));
	kit_run(r, (const struct kit_step[]){{LOSS, "A1", .login = 5}, {0}});
	assert_false(hf_resv_concerns(r, &a, 5));
	assert_int_equal(hf_resv_admit(r, &b, 5), HF_ACCESS_ALL_BITS);
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reserves_and_the_others_conflict),
		cmocka_unit_test(release_by_a_stranger_is_good_and_does_nothing),
		cmocka_unit_test(a_new_login_inherits_nothing),
		cmocka_unit_test(lu_reset_releases_aborts_and_tells_everybody),
		cmocka_unit_test(a_removed_peer_takes_its_reservations_along),
		cmocka_unit_test(persistent_reserve_conflicts_under_a_legacy_reservation),
		cmocka_unit_test(compatible_handling_is_good_for_whom_the_reservation_admits),
		cmocka_unit_test(concerns_tells_whom_a_loss_would_touch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
