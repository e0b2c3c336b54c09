/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command table as hosts see it: reserved bits, REPORT SUPPORTED OPERATION CODES, and every
 * opcode and service action with CDBs and data that make no sense.
 */
#include "kit.h"
#include "scsi_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct kit *k;
static struct host x;
static struct cmd c;

static int setup(void **state)
{
	k = kit_create();
	host_login(k, &x, "iqn.host:x", 1);
	return 0;
}

static int teardown(void **state)
{
	cmd_free(&c);
	host_logout(&x);
	kit_destroy(k);
	return 0;
}

static void rows_are_ascending_and_sound(void **state)
{
	for (unsigned i = 0; i < scsi_table_len; i++) {
		const struct hf_scsi_row *r = &scsi_table[i];

		assert_non_null(r->run);
		assert_true(r->cdb_len == 6 || r->cdb_len == 10 || r->cdb_len == 12 ||
			    r->cdb_len == 16);
		assert_true(r->lba.byte + r->lba.len <= r->cdb_len);
		assert_true(r->count.byte + r->count.len <= r->cdb_len);
		assert_int_equal(r->usage[r->cdb_len - 1], 0); /* CONTROL */
		if (i == 0)
			continue;
		assert_true(r->opcode > r[-1].opcode ||
			    (r->opcode == r[-1].opcode && r->sa > r[-1].sa && r->sa != SCSI_NO_SA));
	}
}

/* Each bit that the usage mask does not name is refused with 24/00 and a pointer to it. */
static void every_reserved_bit_is_refused(void **state)
{
	const struct hf_lu_info *info = hf_itl_info(host_itl(&x, 0));
	unsigned refused = 0;

	for (unsigned i = 0; i < scsi_table_len; i++) {
		const struct hf_scsi_row *r = &scsi_table[i];
		uint8_t usage[16];

		scsi_row_usage(r, info, usage);
		for (unsigned bit = 8; bit < r->cdb_len * 8u; bit++) {
			uint8_t cdb[16] = {r->opcode, r->sa == SCSI_NO_SA ? 0 : r->sa};
			uint8_t mask = (uint8_t)(1 << bit % 8);

			if (usage[bit / 8] & mask)
				continue;
			if (r->sa != SCSI_NO_SA && bit / 8 == 1 && (mask & 0x1f))
				continue; /* another service action */
			cdb[bit / 8] |= mask;
			cmd_begin(&c, &x, 0, cdb, 16);
			assert_int_equal(cmd_arrive(&c), HF_SCSI_DONE);
			cmd_end(&c);
			assert_sense(&c, 5, 0x2400);
			assert_int_equal(hf_get_be16(c.t.sense + 16), bit / 8);
			assert_int_equal(c.t.sense[15], 0xc8 | bit % 8);
			refused++;
		}
	}
	printf("%u reserved bits in %u rows\n", refused, scsi_table_len);
}

/* Reporting all and reporting one agree with each other and with what is answered. */
static void supported_opcodes_are_those_that_answer(void **state)
{
	for (uint16_t lun = 0; lun < LUNS; lun++) {
		static bool listed[256][32], actions[256];
		struct cmd all = {0}, one = {0};
		uint32_t len;

		memset(listed, 0, sizeof(listed));
		memset(actions, 0, sizeof(actions));
		send_in(&all, &x, lun, "a3 0c 00 00 0000 0000ffff 00", 65535);
		assert_good(&all);
		len = hf_get_be32(all.in);
		assert_int_equal(all.in_len, 4 + len);
		for (uint32_t i = 4; i < all.in_len; i += 8) {
			bool sv = all.in[i + 5] & 1;

			assert_int_equal(all.in[i + 5] & 2, 0); /* no timeouts asked for */
			actions[all.in[i]] = sv;
			listed[all.in[i]][sv ? all.in[i + 3] : 0] = true;
		}
		for (unsigned op = 0; op < 256; op++) {
			for (unsigned sa = 0; sa < 32; sa++) {
				char hex[48];
				bool want = listed[op][actions[op] ? sa : 0];

				snprintf(
					hex, sizeof(hex), "a3 0c 03 %02x %04x 00000100 00", op, sa);
				send_in(&one, &x, lun, hex, 256);
				assert_good(&one);
				assert_int_equal(one.in[1] & 7, want ? 3 : 1);
				if (want)
					assert_int_equal(one.in[4], op);
				snprintf(hex, sizeof(hex), "a3 0c %02x %02x %04x 00000100 00",
					actions[op] ? 1 : 2, op, sa);
				send_in(&one, &x, lun, hex, 256);
				if (actions[op] || want)
					assert_sense(&one, 5, 0x2400);
				/* what is not listed is not known */
				snprintf(hex, sizeof(hex), "%02x %02x", op, sa);
				send_none(&one, &x, lun, hex);
				if (!want)
					assert_sense(&one, 5, actions[op] ? 0x2400 : 0x2000);
				else if (one.t.status == HF_STATUS_CHECK_CONDITION)
					assert_int_not_equal(one.asc_ascq, 0x2000);
			}
		}
		send_in(&one, &x, lun, "a3 0c 80 00 0000 0000ffff 00", 65535);
		assert_int_equal(one.in_len, 4 + len / 8 * 20);
		for (uint32_t i = 4; i < one.in_len; i += 20) {
			assert_int_equal(one.in[i + 5] & 2, 2);
			assert_int_equal(hf_get_be16(one.in + i + 8), 10);
		}
		cmd_free(&all);
		cmd_free(&one);
	}
}

static void task_management_functions(void **state)
{
	send_in(&c, &x, 0, "a3 0d 00 00 0000 00000010 00", 16);
	assert_good(&c);
	assert_int_equal(c.in_len, 4);
	send_in(&c, &x, 0, "a3 0d 80 00 0000 00000010 00", 16);
	assert_int_equal(c.in_len, 16);
	assert_int_equal(c.in[3], 12);
}

static uint64_t seed;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33);
}

/* Every opcode and service action, half of the time with plausible numbers, from anybody. */
static void nonsense_never_hurts(void **state)
{
	static uint8_t data[65536];
	const char *given = getenv("HF_SEED");

	seed = given ? strtoull(given, NULL, 0) : 20241123;
	printf("seed %llu (HF_SEED=)\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 6; round++) {
		for (unsigned op = 0; op < 256; op++) {
			for (unsigned sa = 0; sa < 32; sa++) {
				uint8_t cdb[16];
				unsigned dir = rnd() % 4;

				for (unsigned i = 0; i < sizeof(data); i += 512)
					data[i + rnd() % 64] = (uint8_t)rnd();
				for (unsigned i = 0; i < 16; i++)
					cdb[i] = rnd() % 3 ? 0 : (uint8_t)rnd();
				cdb[0] = (uint8_t)op;
				cdb[1] = (uint8_t)((cdb[1] & 0xe0) | sa);
				if (rnd() % 2)
					cdb[15] = cdb[9] = 0;
				cmd_begin(&c, &x, (uint16_t)(rnd() % (LUNS + 1)), cdb, 16);
				c.data_in = dir == 1 || dir == 3;
				c.data_out = dir == 2;
				c.expected = dir ? rnd() % sizeof(data) : 0;
				c.out = data;
				if (cmd_arrive(&c) == HF_SCSI_READY)
					cmd_run(&c);
				assert_true(c.over);
				cmd_end(&c);
				assert_false(c.t.silent);
			}
		}
	}
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_ascending_and_sound),
		TEST(every_reserved_bit_is_refused),
		TEST(supported_opcodes_are_those_that_answer),
		TEST(task_management_functions),
		TEST(nonsense_never_hurts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
