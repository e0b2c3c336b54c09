/* SPDX-License-Identifier: BSD-3-Clause */
/* REGISTER AND MOVE. Source: scsi-reservations E.4, E.5b. */
#include "short.h"

static void the_reservation_moves_with_its_type(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{RESERVE, "A1", .rk = 1, .type = 6},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B2", .state = "g2 A1=1 B2=2* t6"},
		{0},
	});
}

static void a_registered_destination_gets_the_new_key(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "B1", .sark = 5},
		{RESERVE, "A1", .rk = 1, .type = 1},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B1", .state = "g3 A1=1 B1=2* t1"},
		{MOVE, "B1", .rk = 2, .sark = 1, .ids = "A1", .state = "g4 A1=1* B1=2 t1"},
		{0},
	});
}

static void unreg_removes_the_sender_and_tells_nobody(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "C1", .sark = 3},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B1", .flags = UNREG,
			.state = "g3 B1=2* C1=3 t5"},
		{0},
	});
}

static void aptpl_comes_with_the_move(void **state)
{
	kit_story((const struct kit_step[]){
		{REGISTER, "A1", .sark = 1},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B1", .flags = APTPL,
			.state = "g2 A1=1 B1=2* t5 aptpl"},
		{MOVE, "B1", .rk = 2, .sark = 1, .ids = "A1", .state = "g3 A1=1* B1=2 t5"},
		{0},
	});
}

static void who_may_not_move(void **state)
{
	kit_story((const struct kit_step[]){
		{MOVE, "A1", .rk = 0, .sark = 2, .ids = "B1", CONFLICT},
		{REGISTER, "A1", .sark = 1},
		{REGISTER, "C1", .sark = 3},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B1", CDB_FIELD}, /* nothing held */
		{RESERVE, "A1", .rk = 1, .type = 5},
		{MOVE, "A1", .rk = 2, .sark = 2, .ids = "B1", CONFLICT},
		{MOVE, "C1", .rk = 3, .sark = 2, .ids = "B1", CONFLICT}, /* not the holder */
		{MOVE, "D1", .rk = 0, .sark = 2, .ids = "B1", CONFLICT},
		{MOVE, "A1", .rk = 1, .sark = 0, .ids = "B1", LIST_FIELD},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "A1", LIST_FIELD},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "A2", LIST_FIELD}, /* whatever the port */
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B3", LIST_FIELD},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B0", LIST_FIELD,
			.state = "g2 A1=1* C1=3 t5"},
		{0},
	});
}

static void all_registrants_cannot_be_moved(void **state)
{
	for (uint8_t type = 7; type <= 8; type++)
		kit_story((const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{RESERVE, "A1", .rk = 1, .type = type},
			{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B1", CONFLICT},
			{MOVE, "A1", .rk = 1, .sark = 0, .ids = "B1", CONFLICT},
			{0},
		});
}

static void a_full_table_takes_a_move_that_frees_a_place(void **state)
{
	struct hf_resv *r = kit_create(2, 2);

	kit_run(r,
		(const struct kit_step[]){
			{REGISTER, "A1", .sark = 1},
			{REGISTER, "C1", .sark = 3},
			{RESERVE, "A1", .rk = 1, .type = 5},
			{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B1", NO_ROOM,
				.state = "g2 A1=1* C1=3 t5"},
			{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B1", .flags = UNREG,
				.state = "g3 B1=2* C1=3 t5"},
			{MOVE, "B1", .rk = 2, .sark = 4, .ids = "C1", .state = "g4 B1=2 C1=4* t5"},
			{0},
		});
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reservation_moves_with_its_type),
		cmocka_unit_test(a_registered_destination_gets_the_new_key),
		cmocka_unit_test(unreg_removes_the_sender_and_tells_nobody),
		cmocka_unit_test(aptpl_comes_with_the_move),
		cmocka_unit_test(who_may_not_move),
		cmocka_unit_test(all_registrants_cannot_be_moved),
		cmocka_unit_test(a_full_table_takes_a_move_that_frees_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
