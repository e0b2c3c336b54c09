/* SPDX-License-Identifier: BSD-3-Clause */
/* PERSISTENT RESERVE OUT from the wire. Source: scsi-reservations E.4, E.9. */
#include "short.h"

/* CDB and parameter list in the making. */
struct wire {
	uint8_t cdb[10];
	uint8_t list[16384];
	size_t len;
};

static struct wire w;

static void basic(uint8_t service_action, uint8_t scope_type, uint8_t flags)
{
	memset(&w, 0, sizeof(w));
	w.cdb[0] = 0x5f;
	w.cdb[1] = service_action;
	w.cdb[2] = scope_type;
	w.list[7] = 0x11;
	w.list[15] = 0x22;
	w.list[20] = flags;
	w.len = 24;
}

static void set_be32(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void add_id(char initiator)
{
	struct hf_port_id id = kit_port_id(initiator);

	w.len += hf_transport_id_encode(&id, w.list + w.len);
}

static struct hf_resv_op op;
static struct hf_resv_verdict verdict;
static bool after_key;

static const char *decode(void)
{
	struct hf_nexus nexus = kit_nexus("A1");
	int result;

	set_be32(w.cdb + 5, w.len);
	result = hf_resv_prout_decode(w.cdb, w.list, w.len, &nexus, 77, &op, &verdict, &after_key);
	if (!result)
		return "GOOD";
	assert_int_equal(result, -EBADMSG);
	return kit_verdict(&verdict);
}

static void expect_field(bool in_cdb, unsigned byte, int bit)
{
	assert_true(verdict.field_valid);
	assert_int_equal(verdict.field_in_cdb, in_cdb);
	assert_int_equal(verdict.field_byte, byte);
	assert_int_equal(verdict.field_bit, bit);
}

/* Fields that the standard ignores for a service action are zero in the op. */
static void every_service_action_has_its_fields(void **state)
{
	static const struct {
		uint8_t sa;
		bool rk, sark, type, register_flags;
	} rows[] = {
		{0, true, true, false, true},	/* REGISTER */
		{1, true, false, true, false},	/* RESERVE */
		{2, true, false, true, false},	/* RELEASE */
		{3, true, false, false, false}, /* CLEAR */
		{4, true, true, true, false},	/* PREEMPT */
		{5, true, true, true, false},	/* PREEMPT AND ABORT */
		{6, false, true, false, true},	/* REGISTER AND IGNORE EXISTING KEY */
		{8, true, true, true, false},	/* REPLACE LOST RESERVATION */
	};

	for (unsigned i = 0; i < HF_ARRAY_LEN(rows); i++) {
		struct hf_nexus a = kit_nexus("A1");

		basic(rows[i].sa, 0x37, 0x05);
		assert_string_equal(decode(), "GOOD");
		assert_int_equal(op.kind, 0x10 + rows[i].sa);
		assert_true(hf_nexus_equal(&op.nexus, &a));
		assert_int_equal(op.login, 77);
		assert_int_equal(op.rk, rows[i].rk ? 0x11 : 0);
		assert_int_equal(op.sark, rows[i].sark ? 0x22 : 0);
		assert_int_equal(op.type, rows[i].type ? 7 : 0);
		assert_int_equal(op.scope, rows[i].type ? 3 : 0);
		assert_int_equal(op.aptpl, rows[i].register_flags);
		assert_int_equal(op.all_tg_pt, rows[i].register_flags);
		assert_false(op.spec_i_pt || op.unreg || op.dest_rtpi || op.ids_len);
	}
}

static void unknown_service_actions_are_a_bad_cdb_field(void **state)
{
	for (uint8_t sa = 9; sa < 32; sa++) {
		basic(sa, 1, 0);
		assert_string_equal(decode(), "5/24/00");
		expect_field(true, 1, -1);
	}
}

static void the_basic_list_is_24_bytes(void **state)
{
	for (uint8_t sa = 0; sa < 9; sa++) {
		for (size_t len = 0; len < 40; len++) {
			basic(sa, 1, 0);
			w.len = len;
			assert_string_equal(decode(), len == 24 && sa != 7   ? "GOOD"
						      : sa == 7 && len == 24 ? "5/26/00"
									     : "5/1a/00");
		}
	}
}

static void the_list_must_be_as_long_as_announced(void **state)
{
	struct hf_nexus nexus = kit_nexus("A1");

	basic(0, 0, 0);
	set_be32(w.cdb + 5, 24);
	assert_int_equal(
		hf_resv_prout_decode(w.cdb, w.list, 23, &nexus, 0, &op, &verdict, &after_key),
		-EBADMSG);
	assert_string_equal(kit_verdict(&verdict), "5/1a/00");
	/* more data than the CDB announces is not looked at */
	assert_int_equal(
		hf_resv_prout_decode(w.cdb, w.list, 99, &nexus, 0, &op, &verdict, &after_key), 0);
	set_be32(w.cdb + 5, 0xffffffff);
	assert_int_equal(
		hf_resv_prout_decode(w.cdb, w.list, 24, &nexus, 0, &op, &verdict, &after_key),
		-EBADMSG);
}

static void spec_i_pt_lists_ports(void **state)
{
	struct hf_port_id b = kit_port_id('B'), c = kit_port_id('C');

	basic(0, 0, 0x08);
	w.len = 28;
	assert_string_equal(decode(), "GOOD"); /* an empty list */
	assert_true(op.spec_i_pt);
	assert_int_equal(op.ids_len, 0);
	add_id('B');
	add_id('C');
	set_be32(w.list + 24, w.len - 28);
	assert_string_equal(decode(), "GOOD");
	assert_int_equal(op.ids_len, 2);
	assert_true(hf_port_id_equal(&op.ids[0], &b));
	assert_true(hf_port_id_equal(&op.ids[1], &c));
	assert_int_equal(op.sark, 0x22);
}

static void spec_i_pt_is_for_register_only(void **state)
{
	for (uint8_t sa = 0; sa < 9; sa++) {
		basic(sa, 1, 0x08);
		w.len = 28;
		if (sa == 7)
			continue;
		assert_string_equal(decode(), sa ? "5/26/00" : "GOOD");
		if (sa)
			expect_field(false, 20, 3);
	}
}

static void lengths_of_spec_i_pt_must_agree(void **state)
{
	basic(0, 0, 0x08);
	assert_string_equal(decode(), "5/1a/00"); /* not even the length */
	w.len = 28;
	add_id('B');
	for (size_t told = 0; told <= 200; told++) {
		set_be32(w.list + 24, told);
		assert_string_equal(decode(), told == w.len - 28 ? "GOOD" : "5/1a/00");
	}
	set_be32(w.list + 24, 0xffffffff);
	assert_string_equal(decode(), "5/1a/00");
	/* lengths agree, the last TransportID is cut */
	w.len -= 4;
	set_be32(w.list + 24, w.len - 28);
	assert_string_equal(decode(), "5/26/00");
	expect_field(false, 24, -1);
}

static void one_bad_transport_id_spoils_the_list(void **state)
{
	size_t second;

	basic(0, 0, 0x08);
	w.len = 28;
	add_id('B');
	second = w.len;
	add_id('C');
	set_be32(w.list + 24, w.len - 28);
	w.list[second] = 0x05;
	assert_string_equal(decode(), "5/26/00");
	w.list[second] = 0x45;
	assert_string_equal(decode(), "GOOD");
}

static void too_many_transport_ids_are_refused(void **state)
{
	basic(0, 0, 0x08);
	w.len = 28;
	for (unsigned i = 0; i < HF_RESV_IDS_MAX; i++)
		add_id('B');
	set_be32(w.list + 24, w.len - 28);
	assert_string_equal(decode(), "GOOD");
	add_id('B');
	set_be32(w.list + 24, w.len - 28);
	assert_string_equal(decode(), "5/55/04");
}

static void move(uint8_t flags)
{
	basic(7, 0x15, 0);
	w.list[17] = flags;
	w.list[19] = 2;
	add_id('B');
	set_be32(w.list + 20, w.len - 24);
}

static void register_and_move_has_a_list_of_its_own(void **state)
{
	struct hf_port_id b = kit_port_id('B');

	for (uint8_t flags = 0; flags < 4; flags++) {
		move(flags);
		assert_string_equal(decode(), "GOOD");
		assert_int_equal(op.kind, HF_RESV_PR_REGISTER_MOVE);
		assert_int_equal(op.aptpl, flags & 1);
		assert_int_equal(op.unreg, flags >> 1);
		assert_int_equal(op.dest_rtpi, 2);
		assert_int_equal(op.rk, 0x11);
		assert_int_equal(op.sark, 0x22);
		assert_int_equal(op.ids_len, 1);
		assert_true(hf_port_id_equal(&op.ids[0], &b));
		assert_false(op.type || op.scope || op.spec_i_pt);
	}
}

static void register_and_move_names_one_port(void **state)
{
	move(0);
	add_id('C');
	assert_string_equal(decode(), "5/1a/00");
	set_be32(w.list + 20, w.len - 24);
	assert_string_equal(decode(), "5/26/00"); /* two of them */
	move(0);
	w.list[24] = 0x05;
	assert_string_equal(decode(), "5/26/00");
	expect_field(false, 24, -1);
	move(0);
	w.len -= 2;
	set_be32(w.list + 20, w.len - 24);
	assert_string_equal(decode(), "5/26/00"); /* no multiple of 4 */
	expect_field(false, 20, -1);
	move(0);
	w.len = 24 + 20;
	set_be32(w.list + 20, 20);
	assert_string_equal(decode(), "5/26/00"); /* below 24 */
	move(0);
	w.len = 23;
	assert_string_equal(decode(), "5/1a/00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_service_action_has_its_fields),
		cmocka_unit_test(unknown_service_actions_are_a_bad_cdb_field),
		cmocka_unit_test(the_basic_list_is_24_bytes),
		cmocka_unit_test(the_list_must_be_as_long_as_announced),
		cmocka_unit_test(spec_i_pt_lists_ports),
		cmocka_unit_test(spec_i_pt_is_for_register_only),
		cmocka_unit_test(lengths_of_spec_i_pt_must_agree),
		cmocka_unit_test(one_bad_transport_id_spoils_the_list),
		cmocka_unit_test(too_many_transport_ids_are_refused),
		cmocka_unit_test(register_and_move_has_a_list_of_its_own),
		cmocka_unit_test(register_and_move_names_one_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
