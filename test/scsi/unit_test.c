/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands about the unit: identification, capacity, modes, logs, what is supported, sense data. */
#include "stage.h"
#include "scsi_internal.h"

#include <stdio.h>

static void lun_addressing(void **state)
{
	uint16_t lun;

	assert_int_equal(hf_scsi_lun_decode(0, &lun), 0);
	assert_int_equal(lun, 0);
	assert_int_equal(hf_scsi_lun_decode(0x00ffULL << 48, &lun), 0);
	assert_int_equal(lun, 255);
	assert_int_equal(hf_scsi_lun_decode(0x4005ULL << 48, &lun), 0);
	assert_int_equal(lun, 5);
	assert_int_equal(hf_scsi_lun_decode(0x7fffULL << 48, &lun), 0);
	assert_int_equal(lun, HF_LUN_MAX);
	lun = 77;
	assert_int_equal(hf_scsi_lun_decode(0x0100ULL << 48, &lun), -EINVAL); /* bus 1 */
	assert_int_equal(hf_scsi_lun_decode(0x8001ULL << 48, &lun), -EINVAL);
	assert_int_equal(hf_scsi_lun_decode(0xc101ULL << 48, &lun), -EINVAL); /* well known */
	assert_int_equal(hf_scsi_lun_decode(0x0001000200000000ULL, &lun), -EINVAL);
	assert_int_equal(lun, 77);
	for (uint16_t i = 0; i <= HF_LUN_MAX; i++) {
		assert_int_equal(hf_scsi_lun_decode(hf_scsi_lun_encode(i), &lun), 0);
		assert_int_equal(lun, i);
	}
}

static void without_a_logical_unit(void **state)
{
	send_in(&c, &x, 9, "12 00 00 00 ff", 255);
	assert_good(&c);
	assert_int_equal(c.in[0], 0x7f);
	send_in(&c, &x, 9, "12 01 83 00 ff", 255);
	assert_sense(&c, 5, 0x2400);
	send_in(&c, &x, 9, "a0 00 00 00 00 00 00000100", 256);
	assert_good(&c);
	assert_int_equal(hf_get_be32(c.in), 8 * LUNS);
	send_in(&c, &x, 9, "03 00 00 00 12", 18);
	assert_good(&c);
	assert_int_equal(c.in[2], 5);
	assert_int_equal(hf_get_be16(c.in + 12), 0x2500);
	send_none(&c, &x, 9, "00");
	assert_sense(&c, 5, 0x2500);
	send_none(&c, &x, 9, "c1");
	assert_sense(&c, 5, 0x2500);
}

static void report_luns_lists_them(void **state)
{
	send_in(&c, &x, 0, "a0 00 00 00 00 00 00000100", 256);
	assert_good(&c);
	assert_int_equal(c.in_len, 8 + 8 * LUNS);
	for (unsigned i = 0; i < LUNS; i++)
		assert_int_equal(hf_get_be64(c.in + 8 + 8 * i), (uint64_t)i << 48);
	send_in(&c, &x, 0, "a0 00 01 00 00 00 00000100", 256);
	assert_int_equal(hf_get_be32(c.in), 0);
	send_in(&c, &x, 0, "a0 00 00 00 00 00 0000000c", 12);
	assert_int_equal(hf_get_be32(c.in), 8 * LUNS); /* the full length, although cut */
	assert_int_equal(c.in_len, 12);
	send_in(&c, &x, 0, "a0 00 03 00 00 00 00000100", 256);
	assert_sense(&c, 5, 0x2400);
}

static void standard_inquiry(void **state)
{
	send_in(&c, &x, 0, "12 00 00 01 04", 260);
	assert_good(&c);
	assert_int_equal(c.in_len, 96);
	assert_int_equal(c.in[0], 0);
	assert_int_equal(c.in[2], 6);
	assert_int_equal(c.in[3] & 0xf, 2);
	assert_int_equal(c.in[4], 91);
	assert_int_equal(c.in[5] & 0x30, 0x10); /* TPGS: implicit */
	assert_memory_equal(c.in + 8, "HOLDFAST", 8);
	assert_memory_equal(c.in + 32, "0001", 4);
	send_in(&c, &x, 0, "12 00 00 00 05", 5);
	assert_int_equal(c.in_len, 5);
	assert_int_equal(c.t.wants_bytes, 5);
	send_in(&c, &x, 0, "12 00 80 00 ff", 255);
	assert_sense(&c, 5, 0x2400);
	send_in(&c, &x, 0, "12 02 00 00 ff", 255);
	assert_sense(&c, 5, 0x2400);
	send_in(&c, &x, 0, "12 00 00 00 00", 0);
	assert_good(&c);
}

/* Every page that page 00h lists can be read, has its own number and its true length. */
static void vpd_pages_are_what_page_00_says(void **state)
{
	for (uint16_t lun = 0; lun < LUNS; lun++) {
		uint8_t listed[256] = {0};
		unsigned n;

		send_in(&c, &x, lun, "12 01 00 00 ff", 255);
		assert_good(&c);
		n = hf_get_be16(c.in + 2);
		assert_int_equal(c.in_len, 4 + n);
		for (unsigned i = 0; i < n; i++) {
			assert_true(i == 0 || c.in[4 + i] > c.in[3 + i]);
			listed[c.in[4 + i]] = 1;
		}
		for (unsigned page = 0; page < 256; page++) {
			char hex[32];

			snprintf(hex, sizeof(hex), "12 01 %02x 10 00", page);
			send_in(&c, &x, lun, hex, 4096);
			if (!listed[page]) {
				assert_sense(&c, 5, 0x2400);
				continue;
			}
			assert_good(&c);
			assert_int_equal(c.in[1], page);
			assert_int_equal(hf_get_be16(c.in + 2), c.in_len - 4);
		}
		assert_int_equal(listed[0xb2], lun != 3);
		assert_true(listed[0x80] && listed[0x83] && listed[0x86] && listed[0x88] &&
			    listed[0xb0] && listed[0xb1]);
	}
}

static void device_identification(void **state)
{
	unsigned seen = 0, len;
	uint8_t first[8];

	send_in(&c, &x, 0, "12 01 83 10 00", 4096);
	assert_good(&c);
	for (unsigned i = 4; i < c.in_len; i += 4 + len) {
		const uint8_t *desc = c.in + i;

		len = desc[3];
		assert_true(i + 4 + len <= c.in_len);
		switch (desc[1] & 0x3f) {
		case 0x03: /* NAA 3h, of the unit */
			assert_int_equal(len, 8);
			assert_int_equal(desc[4] >> 4, 3);
			/* 3h and CRC-64/XZ of the UUID 0102..10: never to change */
			assert_true(hf_get_be64(desc + 4) == 0x3afb378693691cddULL);
			memcpy(first, desc + 4, 8);
			seen |= 1;
			break;
		case 0x01:
			assert_memory_equal(
				desc + 4, "HOLDFAST0102030405060708090a0b0c0d0e0f10", 40);
			seen |= 2;
			break;
		case 0x14: /* relative target port */
			assert_int_equal(hf_get_be32(desc + 4), 1);
			seen |= 4;
			break;
		case 0x15: /* target port group */
			assert_int_equal(hf_get_be32(desc + 4), 1);
			seen |= 8;
			break;
		case 0x18:
			assert_string_equal((const char *)desc + 4, TARGET_NAME ",t,0x0001");
			seen |= 16;
			break;
		case 0x28:
			assert_string_equal((const char *)desc + 4, TARGET_NAME);
			seen |= 32;
			break;
		default:
			fail_msg("designator %02x", desc[1]);
		}
	}
	assert_int_equal(seen, 63);
	send_in(&c, &x, 1, "12 01 83 10 00", 4096);
	assert_memory_not_equal(first, c.in + 8, 8);
}

static void scsi_ports_are_those_of_all_controllers(void **state)
{
	send_in(&c, &x, 0, "12 01 88 10 00", 4096);
	assert_int_equal(hf_get_be16(c.in + 4 + 2), 1);
	assert_int_equal(hf_get_be16(c.in + 4 + 12 + hf_get_be16(c.in + 4 + 10) + 2), 2);
}

static void block_limits(void **state)
{
	send_in(&c, &x, 0, "12 01 b0 00 40", 64);
	assert_int_equal(c.in_len, 64);
	assert_int_equal(c.in[3], 0x3c);
	assert_int_equal(c.in[5], 128);
	assert_int_equal(hf_get_be16(c.in + 6), 8);
	assert_int_equal(hf_get_be32(c.in + 8), 2048);
	assert_int_equal(hf_get_be32(c.in + 20), 1 << 20);
	assert_int_equal(hf_get_be32(c.in + 24), 256);
	assert_int_equal(hf_get_be64(c.in + 36), 32768);
	assert_int_equal(c.in[4], 1); /* WSNZ */
	send_in(&c, &x, 1, "12 01 b0 00 40", 64);
	assert_int_equal(hf_get_be32(c.in + 8), 256);
	send_in(&c, &x, 3, "12 01 b0 00 40", 64);
	assert_int_equal(hf_get_be32(c.in + 20), 0);
	assert_int_equal(hf_get_be32(c.in + 24), 0);
}

static void capacity(void **state)
{
	send_in(&c, &x, 0, "25", 8);
	assert_good(&c);
	assert_int_equal(hf_get_be32(c.in), BLOCKS - 1);
	assert_int_equal(hf_get_be32(c.in + 4), 512);
	send_in(&c, &x, 0, "9e 10 0000000000000000 00000020 00 00", 32);
	assert_int_equal(c.in_len, 32);
	assert_int_equal(hf_get_be64(c.in), BLOCKS - 1);
	assert_int_equal(c.in[13], 3);
	assert_int_equal(hf_get_be16(c.in + 14), 0xc000);
	send_in(&c, &x, 3, "9e 10 0000000000000000 00000020 00 00", 32);
	assert_int_equal(hf_get_be16(c.in + 14), 0);
	send_in(&c, &x, 1, "9e 10 0000000000000000 00000020 00 00", 32);
	assert_int_equal(c.in[13], 0);
	send_in(&c, &x, 0, "9e 10 0000000000000000 0000000c 00 00", 12);
	assert_int_equal(c.in_len, 12);
	send_in(&c, &x, 0, "25 00 00000001", 8);
	assert_sense(&c, 5, 0x2400);
}

static void mode_sense_pages(void **state)
{
	send_in(&c, &x, 0, "1a 00 3f 00 ff", 255);
	assert_good(&c);
	assert_int_equal(c.in[0], c.in_len - 1);
	assert_int_equal(c.in[2], 0x10); /* DPOFUA */
	assert_int_equal(c.in[3], 8);
	assert_int_equal(hf_get_be32(c.in + 4), BLOCKS);
	assert_int_equal(hf_get_be32(c.in + 8), 512);
	send_in(&c, &x, 0, "1a 08 08 00 ff", 255);
	assert_int_equal(c.in_len, 4 + 20);
	assert_int_equal(c.in[4], 0x08);
	assert_int_equal(c.in[6], 0x04);	   /* WCE */
	send_in(&c, &x, 0, "1a 08 48 00 ff", 255); /* changeable */
	assert_int_equal(c.in[6], 0);
	send_in(&c, &x, 0, "5a 10 0a 00 00 00 00 00ff", 255);
	assert_int_equal(hf_get_be16(c.in), c.in_len - 2);
	assert_int_equal(hf_get_be16(c.in + 6), 16);
	assert_int_equal(hf_get_be64(c.in + 8), BLOCKS);
	send_in(&c, &x, 2, "1a 08 0a 00 ff", 255);
	assert_int_equal(c.in[2], 0x90); /* WP */
	send_in(&c, &x, 0, "1a 00 3f 00 04", 4);
	assert_int_equal(c.in_len, 4);
	assert_int_equal(c.t.wants_bytes, 4);
	send_in(&c, &x, 0, "1a 00 02 00 ff", 255);
	assert_sense(&c, 5, 0x2400);
	send_in(&c, &x, 0, "1a 00 0a 01 ff", 255);
	assert_sense(&c, 5, 0x2400);
	send_in(&c, &x, 0, "1a 00 ca 00 ff", 255);
	assert_sense(&c, 5, 0x3900);
}

static uint8_t control_list[4 + 12];

static void read_control(void)
{
	send_in(&c, &x, 0, "1a 08 0a 00 ff", 255);
	assert_int_equal(c.in_len, sizeof(control_list));
	memcpy(control_list, c.in, sizeof(control_list));
	control_list[0] = control_list[2] = 0;
}

static void d_sense_chooses_the_form(void **state)
{
	read_control();
	control_list[4 + 2] |= 0x04;
	send_out(&c, &x, 0, "15 10 00 00 10", control_list, 16);
	assert_good(&c);
	send_in(&c, &x, 0, "28 00 ffffffff 00 0001 00", 512);
	assert_sense(&c, 5, 0x2100);
	assert_int_equal(c.t.sense[0], 0x72);
	/* the others hear of it, once; the sender does not */
	send_none(&c, &x, 0, "00");
	assert_good(&c);
	send_none(&c, &y, 0, "00");
	assert_sense(&c, 6, 0x2a01);
	assert_int_equal(c.t.sense[0], 0x72);
	send_none(&c, &y, 0, "00");
	assert_good(&c);
	/* a field pointer in descriptor form */
	send_none(&c, &x, 0, "00 00 00 00 80");
	assert_sense(&c, 5, 0x2400);
	assert_int_equal(c.t.sense[7], 8);
	assert_int_equal(c.t.sense[8], 2);
	assert_int_equal(c.t.sense[12], 0xc8 | 7);
	assert_int_equal(hf_get_be16(c.t.sense + 13), 4);
	/* other units are as they were */
	send_in(&c, &x, 1, "28 00 ffffffff 00 0001 00", 4096);
	assert_int_equal(c.t.sense[0], 0x70);
	/* current values show it, default values do not */
	send_in(&c, &x, 0, "1a 08 0a 00 ff", 255);
	assert_int_equal(c.in[4 + 2] & 0x04, 0x04);
	send_in(&c, &x, 0, "1a 08 8a 00 ff", 255);
	assert_int_equal(c.in[4 + 2] & 0x04, 0);
}

static void write_first_block(void)
{
	send_out(&c, &x, 0, "2a 00 00000000 00 0001 00", (uint8_t[512]){1}, 512);
}

static void protect_by_software(void)
{
	read_control();
	control_list[4 + 4] |= 0x08;
	send_out(&c, &x, 0, "15 10 00 00 10", control_list, 16);
	assert_good(&c);
	write_first_block();
	assert_sense(&c, 7, 0x2702);
}

static void swp_protects_by_software(void **state)
{
	protect_by_software();
	send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 512);
	assert_good(&c);
	send_in(&c, &x, 0, "1a 08 0a 00 ff", 255);
	assert_int_equal(c.in[2] & 0x80, 0x80);
	control_list[4 + 4] &= 0xf7;
	send_out(&c, &x, 0, "15 10 00 00 10", control_list, 16);
	assert_good(&c);
	write_first_block();
	assert_good(&c);
}

/* Who goes out stops serving, then drops its state; a loop that has heard of neither yet goes by
 * what was agreed. */
static void a_loop_that_has_not_heard_goes_by_the_dropped_attributes(void **state)
{
	protect_by_software();
	hf_lu_set_serving(k->table, false);
	hf_lu_bus_drop(k->table);
	write_first_block();
	assert_sense(&c, 7, 0x2702);
}

static void a_loop_that_has_not_heard_knows_of_sanitize(void **state)
{
	k->disks[0].hold_next = true;
	send_none(&c, &x, 0, "48 82 00 00 00 00 00 0000 00"); /* IMMED */
	assert_good(&c);
	assert_non_null(k->disks[0].held);
	write_first_block();
	assert_sense(&c, 2, 0x041b);
	hf_lu_set_serving(k->table, false);
	hf_lu_bus_drop(k->table);
	write_first_block();
	disk_release(&k->disks[0]);
	kit_settle(k);
	assert_sense(&c, 2, 0x041b);
}

static void mode_select_refuses_what_cannot_change(void **state)
{
	uint8_t list[40];

	read_control();
	for (unsigned byte = 2; byte < 12; byte++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t may = byte == 2 ? 0x04 : byte == 4 ? 0x08 : byte == 5 ? 0x40 : 0;

			if (may & 1 << bit)
				continue;
			memcpy(list, control_list, 16);
			list[4 + byte] ^= (uint8_t)(1 << bit);
			send_out(&c, &x, 0, "15 10 00 00 10", list, 16);
			assert_sense(&c, 5, 0x2600);
			assert_int_equal(hf_get_be16(c.t.sense + 16), 4 + byte);
			assert_int_equal(c.t.sense[15], 0x88 | bit);
		}
	}
	/* lengths */
	for (uint8_t len = 1; len < 16; len++) {
		char hex[32];

		snprintf(hex, sizeof(hex), "15 10 00 00 %02x", len);
		send_out(&c, &x, 0, hex, control_list, len);
		if (len == 4)
			assert_good(&c); /* a header alone */
		else
			assert_sense(&c, 5, 0x1a00);
	}
	memcpy(list, control_list, 16);
	list[5] = 11;
	send_out(&c, &x, 0, "15 10 00 00 10", list, 16);
	assert_sense(&c, 5, 0x2600);
	memcpy(list, control_list, 16);
	list[4] = 0x02; /* a page we have not */
	send_out(&c, &x, 0, "15 10 00 00 10", list, 16);
	assert_sense(&c, 5, 0x2600);
	/* block descriptor: as it is, or another block length */
	memset(list, 0, sizeof(list));
	list[3] = 8;
	hf_put_be32(list + 8, 512);
	memcpy(list + 12, control_list + 4, 12);
	send_out(&c, &x, 0, "15 10 00 00 18", list, 24);
	assert_good(&c);
	hf_put_be32(list + 8, 520);
	send_out(&c, &x, 0, "15 10 00 00 18", list, 24);
	assert_sense(&c, 5, 0x2600);
	/* no PF, saving */
	send_out(&c, &x, 0, "15 00 00 00 10", control_list, 16);
	assert_sense(&c, 5, 0x2400);
	send_out(&c, &x, 0, "15 11 00 00 10", control_list, 16);
	assert_sense(&c, 5, 0x2400);
}

static void mode_select10(void **state)
{
	uint8_t list[8 + 12] = {0};

	read_control();
	memcpy(list + 8, control_list + 4, 12);
	list[8 + 5] |= 0x40; /* TAS */
	send_out(&c, &x, 0, "55 10 00 00 00 00 00 0014 00", list, 20);
	assert_good(&c);
	send_in(&c, &x, 0, "5a 08 0a 00 00 00 00 00ff 00", 255);
	assert_int_equal(c.in[8 + 5] & 0x40, 0x40);
}

static void log_sense(void **state)
{
	send_in(&c, &x, 0, "4d 00 40 00 00 0000 00ff 00", 255);
	assert_good(&c);
	assert_int_equal(c.in_len, 6);
	assert_int_equal(c.in[5], 0x2f);
	send_in(&c, &x, 0, "4d 00 40 ff 00 0000 00ff 00", 255);
	assert_good(&c);
	assert_int_equal(c.in[0], 0x40);
	send_in(&c, &x, 0, "4d 00 6f 00 00 0000 00ff 00", 255);
	assert_good(&c);
	assert_int_equal(hf_get_be16(c.in + 2), c.in_len - 4);
	send_in(&c, &x, 0, "4d 00 42 00 00 0000 00ff 00", 255);
	assert_sense(&c, 5, 0x2400);
}

static void target_port_groups(void **state)
{
	send_in(&c, &x, 0, "a3 0a 00 00 00 00 000000ff 00", 255);
	assert_good(&c);
	assert_int_equal(hf_get_be32(c.in), 12 + 16); /* two groups, of one and two ports */
	assert_int_equal(c.in_len, 4 + 12 + 16);
	assert_int_equal(c.in[4], HF_ALUA_ACTIVE_OPTIMIZED);
	assert_int_equal(hf_get_be16(c.in + 6), 1);
	assert_int_equal(c.in[11], 1);
	assert_int_equal(hf_get_be16(c.in + 14), 1);
	assert_int_equal(hf_get_be16(c.in + 18), 2);
	assert_int_equal(c.in[23], 2);
	assert_int_equal(hf_get_be16(c.in + 26), 2);
	assert_int_equal(hf_get_be16(c.in + 30), 3);
	hf_lu_set_port_state(k->table, 2, HF_ALUA_UNAVAILABLE);
	kit_settle(k);
	send_in(&c, &x, 0, "a3 2a 00 00 00 00 000000ff 00", 255);
	assert_sense(&c, 6, 0x2a06);
	send_in(&c, &x, 0, "a3 2a 00 00 00 00 000000ff 00", 255);
	assert_int_equal(c.in[4], 0x10); /* extended header */
	assert_int_equal(c.in[8 + 12] & 0xf, HF_ALUA_UNAVAILABLE);
	send_in(&c, &x, 0, "a3 4a 00 00 00 00 000000ff 00", 255);
	assert_sense(&c, 5, 0x2400);
}

static void own_port_state_refuses(void **state)
{
	static const struct {
		enum hf_alua_state port;
		uint16_t asc;
		bool prin;
	} cases[] = {{HF_ALUA_STANDBY, 0x040b, true}, {HF_ALUA_UNAVAILABLE, 0x040c, false},
		{HF_ALUA_TRANSITIONING, 0x040a, false}};

	for (unsigned i = 0; i < HF_ARRAY_LEN(cases); i++) {
		hf_lu_set_port_state(k->table, 1, cases[i].port);
		kit_settle(k);
		while (hf_itl_attention_take(host_itl(&x, 0)))
			;
		send_in(&c, &x, 0, "28 00 00000000 00 0001 00", 512);
		assert_sense(&c, 2, cases[i].asc);
		send_none(&c, &x, 0, "00");
		assert_sense(&c, 2, cases[i].asc);
		send_in(&c, &x, 0, "12 00 00 00 24", 36);
		assert_good(&c);
		send_in(&c, &x, 0, "a3 0a 00 00 00 00 000000ff 00", 255);
		assert_good(&c);
		send_in(&c, &x, 0, "5e 00 00 00 00 00 00 0008 00", 8);
		if (cases[i].prin)
			assert_good(&c);
		else
			assert_sense(&c, 2, cases[i].asc);
	}
}

static void small_commands(void **state)
{
	send_in(&c, &x, 0, "37 00 0d 00 00 00 00 0020 00", 32);
	assert_good(&c);
	assert_int_equal(c.in_len, 4);
	assert_int_equal(c.in[1], 0x0d);
	send_in(&c, &x, 0, "b7 1d 00000000 00000020 00 00", 32);
	assert_int_equal(c.in_len, 8);
	send_none(&c, &x, 0, "1e 00 00 00 01");
	assert_good(&c);
	assert_int_equal(host_itl(&x, 0)->prevent_removal, 1);
	send_none(&c, &x, 0, "1e 00 00 00 00");
	assert_int_equal(host_itl(&x, 0)->prevent_removal, 0);
	send_none(&c, &x, 0, "1b 00 00 00 10"); /* power conditions */
	assert_sense(&c, 5, 0x2400);
	send_none(&c, &x, 0, "1b 00 00 00 02"); /* eject */
	assert_sense(&c, 5, 0x2400);
	send_in(&c, &x, 0, "03 00 00 00 12", 18);
	assert_good(&c);
	assert_int_equal(c.in[2], 0);
	send_in(&c, &x, 0, "03 01 00 00 12", 18);
	assert_int_equal(c.in[0], 0x72);
	send_none(&c, &x, 0, "04");
	assert_sense(&c, 5, 0x2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lun_addressing),
		TEST(without_a_logical_unit),
		TEST(report_luns_lists_them),
		TEST(standard_inquiry),
		TEST(vpd_pages_are_what_page_00_says),
		TEST(device_identification),
		TEST(scsi_ports_are_those_of_all_controllers),
		TEST(block_limits),
		TEST(capacity),
		TEST(mode_sense_pages),
		TEST(d_sense_chooses_the_form),
		TEST(swp_protects_by_software),
		TEST(a_loop_that_has_not_heard_goes_by_the_dropped_attributes),
		TEST(a_loop_that_has_not_heard_knows_of_sanitize),
		TEST(mode_select_refuses_what_cannot_change),
		TEST(mode_select10),
		TEST(log_sense),
		TEST(target_port_groups),
		TEST(own_port_state_refuses),
		TEST(small_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
