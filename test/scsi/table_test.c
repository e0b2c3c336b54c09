/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command table as hosts see it: reserved bits, REPORT SUPPORTED OPERATION CODES, and every
 * opcode and service action with CDBs and data that make no sense.
 */
#include "stage.h"
#include "scsi_internal.h"

#include <stdio.h>
#include <stdlib.h>

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

/*
 * CDB USAGE DATA of each command, typed in from the CDB layouts of SPC-4 and SBC-3 less what is not
 * supported: protection, anchors, saving, group numbers beyond five bits, obsolete bits, CONTROL.
 */
static const char *const usages[] = {
	"00 00 00 00 00 00",
	"03 01 00 00 ff 00",
	"08 1f ff ff ff 00",
	"0a 1f ff ff ff 00",
	"12 01 ff ff ff 00",
	"15 10 00 00 ff 00",
	"16 00 00 00 00 00",
	"17 00 00 00 00 00",
	"1a 08 ff ff ff 00",
	"1b 01 00 00 05 00",
	"1e 00 00 00 01 00",
	"25 00 00000000 00 00 00 00",
	"28 18 ffffffff 1f ffff 00",
	"2a 18 ffffffff 1f ffff 00",
	"2e 12 ffffffff 1f ffff 00",
	"2f 16 ffffffff 1f ffff 00",
	"34 02 ffffffff 1f ffff 00",
	"35 02 ffffffff 1f ffff 00",
	"37 00 1f 00000000 ffff 00",
	"41 08 ffffffff 1f ffff 00",
	"42 00 00000000 1f ffff 00",
	"48 a1 0000000000 ffff 00",
	"48 a2 0000000000 ffff 00",
	"48 1f 0000000000 ffff 00",
	"4d 00 ff ff 00 ffff ffff 00",
	"55 10 0000000000 ffff 00",
	"56 00 0000000000 0000 00",
	"57 00 0000000000 0000 00",
	"5a 18 ff ff 000000 ffff 00",
	"5e 00 0000000000 ffff 00",
	"5e 01 0000000000 ffff 00",
	"5e 02 0000000000 ffff 00",
	"5e 03 0000000000 ffff 00",
	"5f 00 ff 0000 ffffffff 00",
	"5f 01 ff 0000 ffffffff 00",
	"5f 02 ff 0000 ffffffff 00",
	"5f 03 ff 0000 ffffffff 00",
	"5f 04 ff 0000 ffffffff 00",
	"5f 05 ff 0000 ffffffff 00",
	"5f 06 ff 0000 ffffffff 00",
	"5f 07 ff 0000 ffffffff 00",
	"5f 08 ff 0000 ffffffff 00",
	"83 00 0000000000000000 ffffffff 00 00",
	"84 00 ff 00000000000000 ffffffff 00 00",
	"84 03 ff 00000000000000 ffffffff 00 00",
	"88 18 ffffffffffffffff ffffffff 1f 00",
	"89 18 ffffffffffffffff 000000 ff 1f 00",
	"8a 18 ffffffffffffffff ffffffff 1f 00",
	"8b 18 ffffffffffffffff ffffffff 1f 00",
	"8e 12 ffffffffffffffff ffffffff 1f 00",
	"8f 16 ffffffffffffffff ffffffff 1f 00",
	"90 02 ffffffffffffffff ffffffff 1f 00",
	"91 02 ffffffffffffffff ffffffff 1f 00",
	"93 09 ffffffffffffffff ffffffff 1f 00",
	"9e 10 0000000000000000 ffffffff 00 00",
	"9e 12 ffffffffffffffff ffffffff 00 00",
	"a0 00 ff 000000 ffffffff 00 00",
	"a3 2a 00 000000 ffffffff 00 00",
	"a3 0c 87 ff ffff ffffffff 00 00",
	"a3 0d 80 000000 ffffffff 00 00",
	"a8 18 ffffffff ffffffff 1f 00",
	"aa 18 ffffffff ffffffff 1f 00",
	"ae 12 ffffffff ffffffff 1f 00",
	"af 16 ffffffff ffffffff 1f 00",
	"b7 1f ffffffff ffffffff 00 00",
};

static unsigned from_hex(const char *hex, uint8_t bytes[16])
{
	unsigned n = 0;

	for (const char *p = hex; *p; p += 2) {
		while (*p == ' ')
			p++;
		assert_int_equal(sscanf(p, "%2hhx", &bytes[n++]), 1);
	}
	return n;
}

static void usage_data_is_that_of_the_layouts(void **state)
{
	assert_int_equal(HF_ARRAY_LEN(usages), scsi_table_len);
	for (unsigned i = 0; i < scsi_table_len; i++) {
		const struct hf_scsi_row *r = &scsi_table[i];
		bool actions = r->sa != SCSI_NO_SA;
		uint8_t want[16];
		unsigned len = from_hex(usages[i], want);
		char hex[48];

		assert_int_equal(want[0], r->opcode);
		assert_int_equal(len, r->cdb_len);
		snprintf(hex, sizeof(hex), "a3 0c 03 %02x %04x 00000100 00", r->opcode,
			actions ? r->sa : 0);
		send_in(&c, &x, 0, hex, 256);
		assert_good(&c);
		assert_int_equal(hf_get_be16(c.in + 2), len);
		if (memcmp(c.in + 4, want, len))
			fail_msg("%s: usage data differ", r->name);
	}
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
	static uint8_t junk[65536];
	const char *given = getenv("HF_SEED");

	seed = given ? strtoull(given, NULL, 0) : 20241123;
	printf("seed %llu (HF_SEED=)\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 6; round++) {
		for (unsigned op = 0; op < 256; op++) {
			for (unsigned sa = 0; sa < 32; sa++) {
				uint8_t cdb[16];
				unsigned dir = rnd() % 4;

				for (unsigned i = 0; i < sizeof(junk); i += 512)
					junk[i + rnd() % 64] = (uint8_t)rnd();
				for (unsigned i = 0; i < 16; i++)
					cdb[i] = rnd() % 3 ? 0 : (uint8_t)rnd();
				cdb[0] = (uint8_t)op;
				cdb[1] = (uint8_t)((cdb[1] & 0xe0) | sa);
				if (rnd() % 2)
					cdb[15] = cdb[9] = 0;
				cmd_begin(&c, &x, (uint16_t)(rnd() % (LUNS + 1)), cdb, 16);
				c.data_in = dir == 1 || dir == 3;
				c.data_out = dir == 2;
				c.expected = dir ? rnd() % sizeof(junk) : 0;
				c.out = junk;
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_ascending_and_sound),
		TEST(usage_data_is_that_of_the_layouts),
		TEST(every_reserved_bit_is_refused),
		TEST(supported_opcodes_are_those_that_answer),
		TEST(task_management_functions),
		TEST(nonsense_never_hurts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
