/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that move blocks: what reaches the medium, what comes back, what is refused. */
#include "stage.h"

#include "endian.h"

#include <stdlib.h>

static uint8_t *at(unsigned lun, uint64_t lba)
{
	return k->disks[lun].bytes + lba * k->disks[lun].ldev.block_bytes;
}

static void every_width_writes_and_reads_where_it_says(void **state)
{
	send_out(&c, &x, 0, "0a 00 00 05 02 00", data, 1024);
	assert_good(&c);
	assert_memory_equal(at(0, 5), data, 1024);
	send_out(&c, &x, 0, "2a 00 00000010 00 0002 00", data, 1024);
	assert_good(&c);
	assert_memory_equal(at(0, 16), data, 1024);
	send_out(&c, &x, 0, "aa 00 00000020 00000003 00 00", data, 1536);
	assert_good(&c);
	assert_memory_equal(at(0, 32), data, 1536);
	send_out(&c, &x, 0, "8a 00 0000000000000030 00000001 00 00", data, 512);
	assert_good(&c);
	assert_memory_equal(at(0, 48), data, 512);
	assert_int_equal(at(0, 49)[0], 0);
	send_in(&c, &x, 0, "08 00 00 05 02 00", 1024);
	assert_good(&c);
	assert_int_equal(c.in_len, 1024);
	assert_memory_equal(c.in, data, 1024);
	send_in(&c, &x, 0, "28 00 00000010 00 0002 00", 1024);
	assert_memory_equal(c.in, data, 1024);
	send_in(&c, &x, 0, "a8 00 00000020 00000003 00 00", 1536);
	assert_memory_equal(c.in, data, 1536);
	send_in(&c, &x, 0, "88 00 0000000000000030 00000001 00 00", 512);
	assert_memory_equal(c.in, data, 512);
	/* READ(6) and WRITE(6): 0 means 256 */
	send_out(&c, &x, 0, "0a 00 01 00 00 00", data, 256 * 512);
	assert_good(&c);
	assert_memory_equal(at(0, 256), data, 256 * 512);
	send_in(&c, &x, 0, "08 00 01 00 00 00", 256 * 512);
	assert_int_equal(c.in_len, 256 * 512);
	/* 4096-byte blocks */
	send_out(&c, &x, 1, "2a 00 00000002 00 0001 00", data, 4096);
	assert_good(&c);
	assert_memory_equal(at(1, 2), data, 4096);
}

static void dpo_and_fua_are_accepted_protection_is_not(void **state)
{
	send_in(&c, &x, 0, "28 18 00000000 00 0001 00", 512);
	assert_good(&c);
	send_out(&c, &x, 0, "2a 18 00000000 00 0001 00", data, 512);
	assert_good(&c);
	for (unsigned protect = 1; protect < 8; protect++) {
		uint8_t cdb[16] = {0x28, (uint8_t)(protect << 5), [8] = 1};

		cmd_begin(&c, &x, 0, cdb, 16);
		c.data_in = true;
		c.expected = 512;
		assert_int_equal(cmd_arrive(&c), HF_SCSI_DONE);
		cmd_end(&c);
		assert_sense(&c, 5, 0x2400);
		/* field pointer: in the CDB, byte 1, the highest bit in error */
		assert_int_equal(c.t.sense[15] & 0xc8, 0xc8);
		assert_int_equal(c.t.sense[15] & 0x7, 31 - __builtin_clz(protect << 5));
		assert_int_equal(hf_get_be16(c.t.sense + 16), 1);
	}
}

static void past_the_end_is_2100_and_touches_nothing(void **state)
{
	send_in(&c, &x, 0, "28 00 0000a000 00 0001 00", 512);
	assert_sense(&c, 5, 0x2100);
	send_in(&c, &x, 0, "28 00 00009fff 00 0002 00", 1024);
	assert_sense(&c, 5, 0x2100);
	send_in(&c, &x, 0, "28 00 00009fff 00 0001 00", 512);
	assert_good(&c);
	send_in(&c, &x, 0, "28 00 0000a000 00 0000 00", 0);
	assert_sense(&c, 5, 0x2100);
	send_in(&c, &x, 0, "28 00 00009fff 00 0000 00", 0);
	assert_good(&c);
	send_out(&c, &x, 0, "8a 00 ffffffffffffffff 00000001 00 00", data, 512);
	assert_sense(&c, 5, 0x2100);
	send_out(&c, &x, 0, "8a 00 8000000000000000 ffffffff 00 00", data, 512);
	assert_sense(&c, 5, 0x2100);
	assert_int_equal(k->disks[0].writes, 0);
}

static void one_command_moves_a_mebibyte_and_no_more(void **state)
{
	send_in(&c, &x, 0, "28 00 00000000 00 0800 00", 1 << 20);
	assert_good(&c);
	assert_int_equal(c.in_len, 1 << 20);
	send_in(&c, &x, 0, "28 00 00000000 00 0801 00", (1 << 20) + 512);
	assert_sense(&c, 5, 0x2400);
	assert_int_equal(hf_get_be16(c.t.sense + 16), 7);
	send_in(&c, &x, 1, "28 00 00000000 00 0101 00", (1 << 20) + 4096);
	assert_sense(&c, 5, 0x2400);
}

/* As iscsi-test-cu's residual tests expect it. */
static void residuals_of_reads(void **state)
{
	memcpy(at(0, 0), data, 1024);
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 0);
	assert_good(&c);
	assert_int_equal(c.t.wants_bytes, 512);
	assert_int_equal(c.in_len, 0);
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 10000);
	assert_int_equal(c.t.wants_bytes, 512);
	assert_int_equal(c.in_len, 512);
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 200);
	assert_good(&c);
	assert_int_equal(c.t.wants_bytes, 512);
	assert_int_equal(c.in_len, 200);
	assert_memory_equal(c.in, data, 200);
	send_in(&c, &x, 0, "28 00 00000000 00 0002 00", 512);
	assert_int_equal(c.t.wants_bytes, 1024);
	assert_int_equal(c.in_len, 512);
	/* a READ that the transport takes for a write: GOOD, nothing moves */
	send_out(&c, &x, 0, "28 00 00000000 00 0001 00", data, 512);
	assert_good(&c);
	assert_int_equal(c.t.out_len, 0);
	assert_int_equal(c.in_len, 0);
}

static void residuals_of_writes(void **state)
{
	memset(at(0, 0), 'a', 2048);
	send_out(&c, &x, 0, "2a 00 00000000 00 0001 00", data, 0);
	assert_good(&c);
	assert_int_equal(c.t.wants_bytes, 512);
	assert_int_equal(at(0, 0)[0], 'a');
	send_out(&c, &x, 0, "2a 00 00000000 00 0001 00", data, 1024);
	assert_good(&c);
	assert_int_equal(c.t.wants_bytes, 512);
	assert_memory_equal(at(0, 0), data, 512);
	assert_int_equal(at(0, 1)[0], 'a');
	send_out(&c, &x, 0, "2a 00 00000001 00 0002 00", data, 512);
	assert_good(&c);
	assert_int_equal(c.t.wants_bytes, 1024);
	assert_memory_equal(at(0, 1), data, 512);
	assert_int_equal(at(0, 2)[0], 'a');
	/* half a block: refused, told as overflow, nothing written */
	send_out(&c, &x, 0, "2a 00 00000002 00 0001 00", data, 200);
	assert_sense(&c, 5, 0x0e03);
	assert_int_equal(c.t.wants_bytes, 512);
	assert_int_equal(at(0, 2)[0], 'a');
}

static void write_protected_unit_reads_only(void **state)
{
	static const char *const writes[] = {"0a 00 00 00 01 00", "2a 00 00000000 00 0001 00",
		"aa 00 00000000 00000001 00 00", "8a 00 0000000000000000 00000001 00 00",
		"2e 00 00000000 00 0001 00", "41 00 00000000 00 0001 00",
		"93 00 0000000000000000 00000001 00 00", "8b 00 0000000000000000 00000001 00 00"};

	for (unsigned i = 0; i < HF_ARRAY_LEN(writes); i++) {
		send_out(&c, &x, 2, writes[i], data, 512);
		assert_sense(&c, 7, 0x2700);
	}
	send_out(&c, &x, 2, "89 00 0000000000000000 000000 01 00 00", data, 1024);
	assert_sense(&c, 7, 0x2700);
	send_out(&c, &x, 2, "42 00 00 00 00 00 00 0018 00", data, 24);
	assert_sense(&c, 7, 0x2700);
	send_out(&c, &x, 2, "48 01 00 00 00 00 00 0008 00", data, 8);
	assert_sense(&c, 7, 0x2700);
	send_none(&c, &x, 2, "48 02 00 00 00 00 00 0000 00");
	assert_sense(&c, 7, 0x2700);
	assert_int_equal(k->disks[2].writes + k->disks[2].zeroes, 0);
	send_in(&c, &x, 2, "28 00 00000000 00 0001 00", 512);
	assert_good(&c);
}

static void medium_errors_become_sense(void **state)
{
	k->disks[0].fail_next = -EIO;
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 512);
	assert_sense(&c, 3, 0x1100);
	assert_int_equal(c.in_len, 0);
	k->disks[0].fail_next = -EIO;
	send_out(&c, &x, 0, "2a 00 00000000 00 0001 00", data, 512);
	assert_sense(&c, 3, 0x0c00);
	k->disks[0].fail_next = -ENOSPC;
	send_out(&c, &x, 0, "2a 00 00000000 00 0001 00", data, 512);
	assert_sense(&c, 7, 0x2707);
	k->disks[0].fail_next = -ENODEV;
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 512);
	assert_sense(&c, 4, 0x4400);
}

static void a_fenced_controller_gives_no_status(void **state)
{
	k->disks[0].fail_next = -EBADE;
	send_out(&c, &x, 0, "2a 00 00000000 00 0001 00", data, 512);
	assert_true(c.t.drop_session);
	k->disks[0].fail_next = -EBADE;
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 512);
	assert_true(c.t.drop_session);
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 512);
	assert_false(c.t.drop_session);
	assert_good(&c);
}

static void verify_compares_what_it_is_told_to(void **state)
{
	memcpy(at(0, 8), data, 1024);
	send_none(&c, &x, 0, "2f 00 00000008 00 0002 00");
	assert_good(&c);
	assert_int_equal(k->disks[0].reads, 1);
	send_out(&c, &x, 0, "2f 02 00000008 00 0002 00", data, 1024);
	assert_good(&c);
	data[700] ^= 1;
	send_out(&c, &x, 0, "2f 02 00000008 00 0002 00", data, 1024);
	assert_sense(&c, 0xe, 0x1d00);
	assert_int_equal(hf_get_be32(c.t.sense + 3), 700);
	/* no comparison asked for: the data are not looked at */
	send_out(&c, &x, 0, "2f 00 00000008 00 0002 00", data, 1024);
	assert_good(&c);
	data[700] ^= 1;
	send_out(&c, &x, 0, "8f 02 0000000000000008 00000002 00 00", data, 1024);
	assert_good(&c);
	send_out(&c, &x, 0, "af 02 00000008 00000002 00 00", data, 1024);
	assert_good(&c);
	/* BYTCHK 11b: one block against all */
	send_out(&c, &x, 0, "2f 06 00000008 00 0002 00", data, 512);
	assert_sense(&c, 0xe, 0x1d00);
	memcpy(at(0, 9), data, 512);
	send_out(&c, &x, 0, "2f 06 00000008 00 0002 00", data, 512);
	assert_good(&c);
	send_out(&c, &x, 0, "2f 04 00000008 00 0002 00", data, 1024);
	assert_sense(&c, 5, 0x2400);
	send_none(&c, &x, 0, "2f 00 0000a000 00 0001 00");
	assert_sense(&c, 5, 0x2100);
}

static void write_and_verify_writes_and_reads_back(void **state)
{
	send_out(&c, &x, 0, "2e 02 00000008 00 0002 00", data, 1024);
	assert_good(&c);
	assert_memory_equal(at(0, 8), data, 1024);
	assert_int_equal(k->disks[0].reads, 1);
	send_out(&c, &x, 0, "ae 00 00000010 00000001 00 00", data, 512);
	assert_good(&c);
	send_out(&c, &x, 0, "8e 12 0000000000000011 00000001 00 00", data, 512);
	assert_good(&c);
	assert_memory_equal(at(0, 17), data, 512);
}

/* A disk that lies: what it has written is not what it was given. */
static void corrupt(struct disk *disk, uint64_t offset, uint64_t len)
{
	disk->bytes[offset + 3] ^= 0x40;
}

static void write_and_verify_finds_the_difference(void **state)
{
	k->disks[0].on_write = corrupt;
	send_out(&c, &x, 0, "2e 02 00000008 00 0001 00", data, 512);
	assert_sense(&c, 0xe, 0x1d00);
	assert_int_equal(hf_get_be32(c.t.sense + 3), 3);
}

static void compare_and_write_swaps_or_miscompares(void **state)
{
	uint8_t both[1024];

	memcpy(at(0, 4), data, 512);
	memcpy(both, data, 512);
	memset(both + 512, 'n', 512);
	send_out(&c, &x, 0, "89 00 0000000000000004 000000 01 00 00", both, 1024);
	assert_good(&c);
	assert_memory_equal(at(0, 4), both + 512, 512);
	send_out(&c, &x, 0, "89 00 0000000000000004 000000 01 00 00", both, 1024);
	assert_sense(&c, 0xe, 0x1d00);
	assert_int_equal(c.t.sense[0], 0xf0); /* VALID: the offset of the first difference */
	assert_int_equal(hf_get_be32(c.t.sense + 3), 0);
	assert_memory_equal(at(0, 4), both + 512, 512);
	memcpy(both, at(0, 4), 512);
	both[300] ^= 1;
	send_out(&c, &x, 0, "89 18 0000000000000004 000000 01 00 00", both, 1024);
	assert_sense(&c, 0xe, 0x1d00);
	assert_int_equal(hf_get_be32(c.t.sense + 3), 300);
	/* length, data length and range rules */
	send_out(&c, &x, 0, "89 00 0000000000000004 000000 00 00 00", both, 512);
	assert_sense(&c, 5, 0x2400);
	send_none(&c, &x, 0, "89 00 0000000000000004 000000 00 00 00");
	assert_good(&c);
	send_out(&c, &x, 0, "89 00 0000000000000004 000000 01 00 00", data, 2048);
	assert_sense(&c, 5, 0x0e03);
	send_out(&c, &x, 0, "89 00 0000000000000004 000000 03 00 00", data, 2048);
	assert_sense(&c, 5, 0x0e03);
	send_out(&c, &x, 0, "89 00 0000000000000004 000000 81 00 00", data, 2 * 129 * 512);
	assert_sense(&c, 5, 0x2400);
	send_out(&c, &x, 0, "89 00 000000000000a000 000000 01 00 00", data, 1024);
	assert_sense(&c, 5, 0x2100);
	send_out(&c, &x, 0, "89 00 0000000000000004 000001 01 00 00", data, 1024);
	assert_sense(&c, 5, 0x2400); /* reserved bytes */
}

static void compare_and_write_of_the_most_blocks(void **state)
{
	for (unsigned lun = 0; lun < 2; lun++) {
		uint32_t bytes = 128 * k->disks[lun].ldev.block_bytes;

		memset(data, 0, bytes);
		memset(data + bytes, 'z', bytes);
		send_out(&c, &x, (uint16_t)lun, "89 00 0000000000000000 000000 80 00 00", data,
			2 * bytes);
		assert_good(&c);
		assert_memory_equal(at(lun, 0), data + bytes, bytes);
	}
}

static struct cmd other;

/* While COMPARE AND WRITE waits for the medium, whatever changes its blocks waits for it. */
static void keeps_out(const char *what, const uint8_t cdb[16], const uint8_t *out, uint32_t len)
{
	static const uint8_t caw[16] = {0x89, [9] = 4, [13] = 1};
	unsigned changes = k->disks[0].writes + k->disks[0].zeroes;
	uint8_t both[1024];

	memcpy(both, at(0, 4), 512);
	memset(both + 512, 'n', 512);
	k->disks[0].hold_next = true;
	cmd_begin(&c, &x, 0, caw, 16);
	c.data_out = true;
	c.expected = 1024;
	c.out = both;
	assert_int_equal(cmd_arrive(&c), HF_SCSI_READY);
	cmd_run(&c);
	assert_non_null(k->disks[0].held); /* its read is out */
	cmd_begin(&other, &y, 0, cdb, 16);
	other.data_out = true;
	other.expected = len;
	other.out = out;
	assert_int_equal(cmd_arrive(&other), HF_SCSI_READY);
	cmd_run(&other);
	if (other.over || k->disks[0].writes + k->disks[0].zeroes != changes)
		fail_msg("%s did not wait", what);
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_true(c.over);
	assert_false(other.over);
	cmd_end(&c);
	assert_good(&c);
	assert_true(other.over);
	cmd_end(&other);
	assert_good(&other);
	assert_int_equal(k->disks[0].writes + k->disks[0].zeroes, changes + 2);
	cmd_free(&other);
}

static void compare_and_write_keeps_writers_out(void **state)
{
	static const uint8_t unmap[24] = {0, 22, 0, 16, [15] = 2, [19] = 9};

	keeps_out("WRITE", (uint8_t[16]){0x2a, [5] = 4, [8] = 1}, data, 512);
	assert_memory_equal(at(0, 4), data, 512);
	keeps_out("WRITE AND VERIFY", (uint8_t[16]){0x2e, [5] = 3, [8] = 2}, data, 1024);
	keeps_out("WRITE SAME", (uint8_t[16]){0x41, [5] = 1, [8] = 9}, data, 512);
	keeps_out("UNMAP", (uint8_t[16]){0x42, [8] = 24}, unmap, 24);
	assert_int_equal(at(0, 4)[0], 0);
	keeps_out("ORWRITE", (uint8_t[16]){0x8b, [9] = 4, [13] = 1}, data, 512);
}

static void orwrite_sets_bits(void **state)
{
	memset(at(0, 2), 0x0f, 512);
	memset(data, 0x31, 512);
	send_out(&c, &x, 0, "8b 00 0000000000000002 00000001 00 00", data, 512);
	assert_good(&c);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(at(0, 2)[i], 0x3f);
	assert_int_equal(at(0, 3)[0], 0);
}

static void write_same_fills_the_range(void **state)
{
	send_out(&c, &x, 0, "41 00 00000002 00 1000 00", data, 512);
	assert_good(&c);
	for (unsigned i = 0; i < 0x1000; i++)
		assert_memory_equal(at(0, 2 + i), data, 512);
	assert_int_equal(at(0, 2 + 0x1000)[0], 0);
	assert_int_equal(at(0, 1)[0], 0);
	assert_int_equal(k->disks[0].writes, 2);
	/* zeros: one request, with or without UNMAP or NDOB */
	memset(data, 0, 512);
	send_out(&c, &x, 0, "93 08 0000000000000002 00000010 00 00", data, 512);
	assert_good(&c);
	send_none(&c, &x, 0, "93 01 0000000000000012 00000010 00 00");
	assert_good(&c);
	send_none(&c, &x, 0, "93 09 0000000000000022 00000010 00 00");
	assert_good(&c);
	assert_int_equal(k->disks[0].zeroes, 3);
	for (unsigned i = 0; i < 0x30 * 512; i++)
		assert_int_equal(at(0, 2)[i], 0);
	assert_int_not_equal(at(0, 0x32)[0], 0);
	/* up to the end, but said in numbers (WSNZ=1) */
	memset(data, 'e', 512);
	send_out(&c, &x, 0, "93 00 0000000000009ffe 00000002 00 00", data, 512);
	assert_good(&c);
	assert_int_equal(at(0, BLOCKS - 1)[511], 'e');
	memset(data, 'f', 512);
	send_out(&c, &x, 0, "93 00 0000000000009ffe 00000000 00 00", data, 512);
	assert_sense(&c, 5, 0x2400);
	assert_int_equal(at(0, BLOCKS - 1)[511], 'e');
	/* 16 MiB, and not a block more */
	send_out(&c, &x, 0, "93 00 0000000000000000 00008000 00 00", data, 512);
	assert_good(&c);
	send_out(&c, &x, 0, "93 00 0000000000000000 00008001 00 00", data, 512);
	assert_sense(&c, 5, 0x2400);
	/* UNMAP of what is not zero: read back it must be what was sent, so it is written */
	send_out(&c, &x, 0, "41 08 00000002 00 0001 00", data, 512);
	assert_good(&c);
	assert_memory_equal(at(0, 2), data, 512);
	/* ANCHOR, wrong data length, range */
	send_out(&c, &x, 0, "41 10 00000002 00 0001 00", data, 512);
	assert_sense(&c, 5, 0x2400);
	send_out(&c, &x, 0, "93 18 0000000000000002 00000001 00 00", data, 512);
	assert_sense(&c, 5, 0x2400);
	send_out(&c, &x, 0, "93 08 0000000000000002 00000001 00 00", data, 256);
	assert_sense(&c, 5, 0x0e03);
	send_out(&c, &x, 0, "93 08 0000000000000002 00000001 00 00", data, 1024);
	assert_sense(&c, 5, 0x0e03);
	send_out(&c, &x, 0, "93 00 000000000000a000 00000000 00 00", data, 512);
	assert_sense(&c, 5, 0x2100);
	/* a unit that cannot unmap has no UNMAP bit */
	send_out(&c, &x, 3, "41 08 00000002 00 0001 00", data, 512);
	assert_sense(&c, 5, 0x2400);
	send_out(&c, &x, 3, "41 00 00000002 00 0001 00", data, 512);
	assert_good(&c);
}

static uint32_t unmap_list(uint8_t *buf, unsigned n, const uint64_t *lba, const uint32_t *blocks)
{
	memset(buf, 0, 8 + 16 * n);
	hf_put_be16(buf, (uint16_t)(6 + 16 * n));
	hf_put_be16(buf + 2, (uint16_t)(16 * n));
	for (unsigned i = 0; i < n; i++) {
		hf_put_be64(buf + 8 + 16 * i, lba[i]);
		hf_put_be32(buf + 16 + 16 * i, blocks[i]);
	}
	return 8 + 16 * n;
}

static void unmap_zeroes_what_it_names_or_nothing(void **state)
{
	uint8_t list[8 + 16 * 300];
	uint64_t lba[300] = {3, 10, 20};
	uint32_t blocks[300] = {2, 0, 5}, len;

	memset(at(0, 0), 'a', 32 * 512);
	len = unmap_list(list, 3, lba, blocks);
	send_out(&c, &x, 0, "42 00 00 00 00 00 00 0038 00", list, len);
	assert_good(&c);
	for (unsigned i = 0; i < 32; i++) {
		bool gone = (i >= 3 && i < 5) || (i >= 20 && i < 25);

		assert_int_equal(at(0, i)[0], gone ? 0 : 'a');
	}
	/* one bad descriptor: nothing is touched */
	lba[2] = BLOCKS - 1;
	unmap_list(list, 3, lba, blocks);
	memset(at(0, 0), 'b', 32 * 512);
	send_out(&c, &x, 0, "42 00 00 00 00 00 00 0038 00", list, len);
	assert_sense(&c, 5, 0x2100);
	assert_int_equal(at(0, 3)[0], 'b');
	/* no blocks at the end are fine, no blocks beyond it are not */
	lba[2] = BLOCKS;
	blocks[2] = 0;
	unmap_list(list, 3, lba, blocks);
	send_out(&c, &x, 0, "42 00 00 00 00 00 00 0038 00", list, len);
	assert_good(&c);
	assert_int_equal(at(0, 3)[0], 0);
	lba[2] = BLOCKS + 1;
	unmap_list(list, 3, lba, blocks);
	send_out(&c, &x, 0, "42 00 00 00 00 00 00 0038 00", list, len);
	assert_sense(&c, 5, 0x2100);
	/* empty lists are fine, torn ones are not */
	send_none(&c, &x, 0, "42 00 00 00 00 00 00 0000 00");
	assert_good(&c);
	len = unmap_list(list, 0, lba, blocks);
	send_out(&c, &x, 0, "42 00 00 00 00 00 00 0008 00", list, len);
	assert_good(&c);
	send_out(&c, &x, 0, "42 00 00 00 00 00 00 0004 00", list, 4);
	assert_sense(&c, 5, 0x1a00);
	unmap_list(list, 3, lba, blocks);
	send_out(&c, &x, 0, "42 00 00 00 00 00 00 0028 00", list, 40);
	assert_sense(&c, 5, 0x2600);
	/* 257 descriptors are one too many */
	send_out(&c, &x, 0, "42 00 00 00 00 00 00 1018 00", list, 0x1018);
	assert_sense(&c, 5, 0x1a00);
	/* ANCHOR is not supported; nor is UNMAP where nothing can be unmapped */
	send_none(&c, &x, 0, "42 01 00 00 00 00 00 0000 00");
	assert_sense(&c, 5, 0x2400);
	send_none(&c, &x, 3, "42 00 00 00 00 00 00 0000 00");
	assert_sense(&c, 5, 0x2000);
}

static void lba_status_tells_zeros_from_data(void **state)
{
	memset(at(0, 10), 'a', 3 * 512);
	memset(at(0, 2000), 'a', 512);
	send_in(&c, &x, 0, "9e 12 0000000000000000 00000068 00 00", 0x68);
	assert_good(&c);
	assert_int_equal(c.in_len, 8 + 5 * 16);
	assert_int_equal(hf_get_be32(c.in), 4 + 5 * 16);
	const struct {
		uint64_t lba;
		uint32_t blocks;
		uint8_t status;
	} want[] = {{0, 10, 1}, {10, 3, 0}, {13, 1987, 1}, {2000, 1, 0}, {2001, BLOCKS - 2001, 1}};

	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(hf_get_be64(c.in + 8 + i * 16), want[i].lba);
		assert_int_equal(hf_get_be32(c.in + 16 + i * 16), want[i].blocks);
		assert_int_equal(c.in[20 + i * 16], want[i].status);
	}
	send_in(&c, &x, 0, "9e 12 000000000000000b 00000018 00 00", 24);
	assert_good(&c);
	assert_int_equal(c.in_len, 24);
	assert_int_equal(hf_get_be64(c.in + 8), 11);
	assert_int_equal(hf_get_be32(c.in + 16), 2);
	send_in(&c, &x, 0, "9e 12 000000000000a000 00000018 00 00", 24);
	assert_sense(&c, 5, 0x2100);
}

static void prefetch_and_flush_look_at_the_range(void **state)
{
	send_none(&c, &x, 0, "34 02 00000000 03 0001 00");
	assert_good(&c);
	send_none(&c, &x, 0, "34 00 00000000 00 0000 00");
	assert_good(&c);
	send_none(&c, &x, 0, "90 00 0000000000009fff 00000002 00 00");
	assert_sense(&c, 5, 0x2100);
	send_none(&c, &x, 0, "35 00 00000000 00 0000 00");
	assert_good(&c);
	send_none(&c, &x, 0, "91 02 0000000000000000 00000000 00 00");
	assert_good(&c);
	assert_int_equal(k->disks[0].flushes, 2);
	send_none(&c, &x, 0, "91 00 000000000000a000 00000001 00 00");
	assert_sense(&c, 5, 0x2100);
	send_none(&c, &x, 0, "1b 00 00 00 00 00");
	assert_good(&c);
	assert_int_equal(k->disks[0].flushes, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_width_writes_and_reads_where_it_says),
		TEST(dpo_and_fua_are_accepted_protection_is_not),
		TEST(past_the_end_is_2100_and_touches_nothing),
		TEST(one_command_moves_a_mebibyte_and_no_more),
		TEST(residuals_of_reads),
		TEST(residuals_of_writes),
		TEST(write_protected_unit_reads_only),
		TEST(medium_errors_become_sense),
		TEST(a_fenced_controller_gives_no_status),
		TEST(verify_compares_what_it_is_told_to),
		TEST(write_and_verify_writes_and_reads_back),
		TEST(write_and_verify_finds_the_difference),
		TEST(compare_and_write_swaps_or_miscompares),
		TEST(compare_and_write_of_the_most_blocks),
		TEST(compare_and_write_keeps_writers_out),
		TEST(orwrite_sets_bits),
		TEST(write_same_fills_the_range),
		TEST(unmap_zeroes_what_it_names_or_nothing),
		TEST(lba_status_tells_zeros_from_data),
		TEST(prefetch_and_flush_look_at_the_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
