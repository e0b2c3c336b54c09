/* SPDX-License-Identifier: BSD-3-Clause */
/* PERSISTENT RESERVE IN parameter data, byte by byte. Source: scsi-reservations E.3, E.3b. */
#include "short.h"

static uint8_t buf[128 * 1024];

static struct hf_resv *registered(uint8_t type, unsigned flags)
{
	struct hf_resv *r = kit_create(2, HF_RESV_NEXUS_MAX);

	kit_run(r, (const struct kit_step[]){
			   {REGISTER, "A1", .sark = 0x1122334455667788, .flags = flags},
			   {REGISTER, "B2", .sark = 2, .flags = flags},
			   {0},
		   });
	if (type)
		kit_run(r, (const struct kit_step[]){{RESERVE, "B2", .rk = 2, .type = type}, {0}});
	return r;
}

static void read_keys(void **state)
{
	static const uint8_t expected[] = {0, 0, 0, 2, 0, 0, 0, 16, 0x11, 0x22, 0x33, 0x44, 0x55,
		0x66, 0x77, 0x88, 0, 0, 0, 0, 0, 0, 0, 2};
	struct hf_resv *r = registered(0, 0);

	assert_int_equal(hf_resv_prin(r, 0, buf, sizeof(buf)), sizeof(expected));
	assert_memory_equal(buf, expected, sizeof(expected));
	hf_resv_destroy(r);
}

static void read_reservation(void **state)
{
	static const uint8_t types[] = {1, 3, 5, 6, 7, 8};
	static const uint8_t none[] = {0, 0, 0, 2, 0, 0, 0, 0};
	struct hf_resv *r = registered(0, 0);

	assert_int_equal(hf_resv_prin(r, 1, buf, sizeof(buf)), sizeof(none));
	assert_memory_equal(buf, none, sizeof(none));
	hf_resv_destroy(r);
	for (unsigned i = 0; i < HF_ARRAY_LEN(types); i++) {
		uint8_t expected[24] = {0, 0, 0, 2, 0, 0, 0, 16};

		expected[15] = types[i] >= 7 ? 0 : 2; /* key 0 for all registrants */
		expected[21] = types[i];
		r = registered(types[i], 0);
		assert_int_equal(hf_resv_prin(r, 1, buf, sizeof(buf)), sizeof(expected));
		assert_memory_equal(buf, expected, sizeof(expected));
		hf_resv_destroy(r);
	}
}

static void report_capabilities(void **state)
{
	uint8_t expected[] = {0, 8, 0x9d, 0xd0, 0xea, 0x01, 0, 0};
	struct hf_resv *r = registered(0, 0);

	assert_int_equal(hf_resv_prin(r, 2, buf, sizeof(buf)), sizeof(expected));
	assert_memory_equal(buf, expected, sizeof(expected));
	hf_resv_destroy(r);
	expected[3] |= 1; /* PTPL_A */
	r = registered(0, APTPL);
	hf_resv_prin(r, 2, buf, sizeof(buf));
	assert_memory_equal(buf, expected, sizeof(expected));
	hf_resv_destroy(r);
}

/* "iqn.2026-01.net.example:host-A,i,0x800000000041": 47 characters, NUL, a TransportID of 52. */
#define ID_BYTES 52

static void read_full_status(void **state)
{
	static const char id_b[] = "iqn.2026-01.net.example:host-b,i,0x800000000042";
	static const uint8_t types[] = {0, 1, 5, 8};
	const uint8_t *b = buf + 8 + 24 + ID_BYTES;

	assert_int_equal(sizeof(id_b) + 4, ID_BYTES);
	for (unsigned i = 0; i < HF_ARRAY_LEN(types); i++) {
		struct hf_resv *r = registered(types[i], 0);

		assert_int_equal(hf_resv_prin(r, 3, buf, sizeof(buf)), 8 + 2 * (24 + ID_BYTES));
		assert_int_equal(buf[7], 2 * (24 + ID_BYTES));
		assert_int_equal(buf[8], 0x11);			      /* A1: its key */
		assert_int_equal(buf[8 + 12], types[i] == 8 ? 1 : 0); /* R_HOLDER */
		assert_int_equal(buf[8 + 13], types[i] == 8 ? 8 : 0);
		assert_int_equal(b[7], 2); /* B2 */
		assert_int_equal(b[12], types[i] ? 1 : 0);
		assert_int_equal(b[13], types[i]);
		assert_int_equal(b[18] << 8 | b[19], 2); /* relative target port */
		assert_int_equal(b[23], ID_BYTES);
		assert_int_equal(b[24], 0x45);
		assert_int_equal(b[26] << 8 | b[27], ID_BYTES - 4);
		assert_memory_equal(b + 28, id_b, sizeof(id_b));
		hf_resv_destroy(r);
	}
}

/* Cut at every length; the lengths in the data stay those of the whole. */
static void any_allocation_length_cuts(void **state)
{
	static uint8_t whole[4096], part[4096];
	struct hf_resv *r = registered(5, 0);

	for (uint8_t sa = 0; sa < 4; sa++) {
		int len = hf_resv_prin(r, sa, whole, sizeof(whole));

		assert_true(len >= 8);
		for (int cap = 0; cap <= len + 1; cap++) {
			memset(part, 0xee, sizeof(part));
			assert_int_equal(hf_resv_prin(r, sa, part, (size_t)cap), HF_MIN(cap, len));
			assert_memory_equal(part, whole, HF_MIN(cap, len));
			assert_int_equal(part[HF_MIN(cap, len)], 0xee);
		}
	}
	assert_int_equal(hf_resv_prin(r, 0, NULL, 0), 0);
	hf_resv_destroy(r);
}

static void other_service_actions_do_not_exist(void **state)
{
	struct hf_resv *r = registered(0, 0);

	for (unsigned sa = 4; sa < 32; sa++)
		assert_int_equal(hf_resv_prin(r, (uint8_t)sa, buf, sizeof(buf)), -EINVAL);
	hf_resv_destroy(r);
}

/* The longest names, a full table: all of it is there. */
static void a_full_table_is_listed_whole(void **state)
{
	static struct hf_resv_outcome out;
	static struct hf_resv_op op;
	struct hf_resv *r = kit_create(2, HF_RESV_NEXUS_MAX);
	char name[223];
	int len;

	memset(name, 'n', sizeof(name));
	for (unsigned i = 0; i < HF_RESV_NEXUS_MAX; i++) {
		op = kit_op(&(const struct kit_step){REGISTER, "A1", .sark = 1});
		assert_int_equal(
			hf_port_id_set(&op.nexus.init, name, sizeof(name), 0xffffffffff00 + i), 0);
		kit_apply(r, &op, &out);
		assert_int_equal(out.verdict.status, HF_STATUS_GOOD);
	}
	len = hf_resv_prin(r, 3, buf, sizeof(buf));
	assert_int_equal(len, 8 + HF_RESV_NEXUS_MAX * (24 + 248));
	hf_resv_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_keys),
		cmocka_unit_test(read_reservation),
		cmocka_unit_test(report_capabilities),
		cmocka_unit_test(read_full_status),
		cmocka_unit_test(any_allocation_length_cuts),
		cmocka_unit_test(other_service_actions_do_not_exist),
		cmocka_unit_test(a_full_table_is_listed_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
