/* SPDX-License-Identifier: BSD-3-Clause */
/* URLs of iSCSI LUNs, and what LUNs say: bytes typed in from the standards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "iscsi_lun.h"
#include "iscsi_url.h"

#include <stdio.h>

static char message[256];

static struct hf_iscsi_url parsed(const char *what)
{
	struct hf_iscsi_url u;

	message[0] = '\0';
	if (hf_iscsi_url_parse(what, &u, message, sizeof(message)))
		fail_msg("%s: %s", what, message);
	return u;
}

static void a_url_has_its_parts(void **state)
{
	struct hf_iscsi_url u = parsed("array.example/iqn.2001-04.com.example:Disk%2D1/0");

	assert_string_equal(u.host, "array.example");
	assert_int_equal(u.port, 3260);
	assert_string_equal(u.target, "iqn.2001-04.com.example:disk-1");
	assert_int_equal(u.lun, 0);
	assert_string_equal(u.user, "");
	assert_false(u.no_reset);
}

static void a_url_has_its_options(void **state)
{
	struct hf_iscsi_url u = parsed("al%p@ss@[fd00::1]:13260/eui.02004567A425678D/16383"
				       "?initiator=iqn.2001-04.com.example:Me&reset=off"
				       "&target_user=t&target_password=s");

	assert_string_equal(u.user, "al");
	assert_string_equal(u.secret, "p@ss");
	assert_string_equal(u.host, "fd00::1");
	assert_int_equal(u.port, 13260);
	assert_string_equal(u.target, "eui.02004567a425678d");
	assert_int_equal(u.lun, 16383);
	assert_string_equal(u.initiator, "iqn.2001-04.com.example:me");
	assert_true(u.no_reset);
	assert_string_equal(u.target_user, "t");
	assert_string_equal(u.target_secret, "s");
	assert_false(parsed("h/iqn.a/1?reset=on").no_reset);
	assert_false(u.is_gone);
	assert_true(parsed("h/iqn.a/1?gone=on").is_gone);
	assert_false(parsed("h/iqn.a/1?gone=off").is_gone);
}

static void a_wrong_url_is_explained_without_its_secret(void **state)
{
	static const struct {
		const char *what, *word;
	} wrong[] = {
		{"", "no target"},
		{"h", "no target"},
		{"h/iqn.a", "no LUN"},
		{"/iqn.a/1", "no host"},
		{"h:/iqn.a/1", "port"},
		{"h:0/iqn.a/1", "port"},
		{"h:65536/iqn.a/1", "port"},
		{"h:3260x/iqn.a/1", "port"},
		{"fd00::1/iqn.a/1", "brackets"},
		{"[fd00::1/iqn.a/1", "\"]\""},
		{"[fd00::1]3260/iqn.a/1", "\"]\" and the port"},
		{"h/disk/1", "iSCSI name"},
		{"h/iqn.a%2/1", "iSCSI name"},
		{"h/iqn.a%zz/1", "iSCSI name"},
		{"h/iqn.a%00/1", "iSCSI name"},
		{"h/iqn.a/", "LUN"},
		{"h/iqn.a/-1", "LUN"},
		{"h/iqn.a/16384", "LUN"},
		{"h/iqn.a/1/2", "LUN"},
		{"SECRET@h/iqn.a/1", "USER%SECRET"},
		{"%SECRET@h/iqn.a/1", "USER%SECRET"},
		{"u%@h/iqn.a/1", "USER%SECRET"},
		{"h/iqn.a/1?colour=red", "unknown option"},
		{"h/iqn.a/1?reset=maybe", "neither on nor off"},
		{"h/iqn.a/1?reset", "without \"=\""},
		{"h/iqn.a/1?initiator=me", "initiator="},
		{"u%SECRET@h/iqn.a/1?target_user=t", "without the other"},
		{"h/iqn.a/1?target_user=t&target_password=SECRET", "gives none"},
	};
	struct hf_iscsi_url u = {.port = 7};

	for (unsigned i = 0; i < HF_ARRAY_LEN(wrong); i++) {
		message[0] = '\0';
		assert_int_equal(
			hf_iscsi_url_parse(wrong[i].what, &u, message, sizeof(message)), -EINVAL);
		if (!strstr(message, wrong[i].word))
			fail_msg("%s: %s", wrong[i].what, message);
		message[strcspn(message, ";")] = '\0'; /* the form has the word SECRET in it */
		if (!strstr(wrong[i].word, "SECRET"))
			assert_null(strstr(message, "SECRET"));
	}
	assert_int_equal(u.port, 7);
}

static void a_shown_url_has_no_secret(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{"/dev/sdx", "/dev/sdx"},
		{"iscsi://h/iqn.a/1", "iscsi://h/iqn.a/1"},
		{"iscsi://u%s@h/iqn.a%2d/1", "iscsi://u%***@h/iqn.a%2d/1"},
		{"fault:op=read:iscsi://u%s@t@h/iqn.a/1", "fault:op=read:iscsi://u%***@h/iqn.a/1"},
		{"iscsi://u%s@h/iqn.a/1?target_user=t&target_password=s&reset=on",
			"iscsi://u%***@h/iqn.a/1?target_user=t&target_password=***&reset=on"},
		{"iscsi://u%s@h", "iscsi://u%***@h"},
	};
	char shown[256], cut[20];

	for (unsigned i = 0; i < HF_ARRAY_LEN(cases); i++) {
		hf_iscsi_url_mask(cases[i].url, shown, sizeof(shown));
		assert_string_equal(shown, cases[i].shown);
		hf_iscsi_url_mask(cases[i].url, cut, sizeof(cut));
		assert_true(strlen(cut) < sizeof(cut));
	}
}

static void capacity_is_read(void **state)
{
	static const uint8_t long_data[32] = {
		0, 0, 0, 1, 0, 0, 0, 0xff, 0, 0, 2, 0, 0, 0x03, 0xc0, 0};
	static const uint8_t short_data[8] = {0, 0, 0x3f, 0xff, 0, 0, 0x10, 0};
	struct hf_remote_lun lun = {0};

	assert_int_equal(hf_remote_decode_capacity16(long_data, sizeof(long_data), &lun), 0);
	assert_int_equal(lun.blocks, 0x100000100);
	assert_int_equal(lun.block_bytes, 512);
	assert_int_equal(lun.physical_block_bytes, 4096);
	assert_true(lun.is_thin && lun.zeroes_unmapped);
	assert_int_equal(hf_remote_decode_capacity16(long_data, 12, &lun), 0);
	assert_false(lun.is_thin);
	assert_int_equal(hf_remote_decode_capacity16(long_data, 11, &lun), -EBADMSG);
	assert_int_equal(hf_remote_decode_capacity10(short_data, sizeof(short_data), &lun), 0);
	assert_int_equal(lun.blocks, 0x4000);
	assert_int_equal(lun.block_bytes, 4096);
	assert_int_equal(hf_remote_decode_capacity10(short_data, 7, &lun), -EBADMSG);
}

static void limits_are_read(void **state)
{
	uint8_t b0[64] = {0, 0xb0, 0, 60, [8] = 0, 0, 8, 0, [20] = 0, 1, 0, 0, [36] = 0, 0, 0, 1};
	static const uint8_t b2[8] = {0, 0xb2, 0, 4, 0, 0xc0};
	struct hf_remote_lun lun = {0};

	assert_int_equal(hf_remote_decode_block_limits(b0, sizeof(b0), &lun), 0);
	assert_int_equal(lun.max_transfer_blocks, 0x800);
	assert_int_equal(lun.max_unmap_blocks, 0x10000);
	assert_int_equal(lun.max_write_same_blocks, 0x100000000);
	assert_int_equal(hf_remote_decode_provisioning(b2, sizeof(b2), &lun), 0);
	assert_true(lun.can_unmap && lun.can_write_same_unmap);
	assert_int_equal(hf_remote_decode_provisioning(b0, sizeof(b0), &lun), -EBADMSG);
	assert_int_equal(hf_remote_decode_block_limits(b0, 15, &lun), -EBADMSG);
}

/* Designators of the unit count, those of ports do not: they differ from path to path. */
static void identity_is_that_of_the_unit(void **state)
{
	uint8_t page[28] = {0, 0x83, 0, 24, 1, 3, 0, 8, 0x60, 1, 2, 3, 4, 5, 6, 7, /* NAA */
		1, 0x14, 0, 4, 0, 0, 0, 1 /* relative target port */};
	struct hf_remote_lun a = {0}, b = {0};

	assert_int_equal(hf_remote_decode_identification(page, 24, &a), 0);
	assert_true(a.identity);
	page[23] = 2;
	assert_int_equal(hf_remote_decode_identification(page, 24, &b), 0);
	assert_true(a.identity == b.identity);
	page[15] = 9;
	assert_int_equal(hf_remote_decode_identification(page, 24, &b), 0);
	assert_true(a.identity != b.identity);
	page[7] = 0xff;
	assert_int_equal(hf_remote_decode_identification(page, 24, &b), -EBADMSG);
}

static void kinds_of_units_are_told_apart(void **state)
{
	uint8_t data[36] = {0};

	assert_int_equal(hf_remote_decode_inquiry(data, sizeof(data)), 0);
	data[0] = 0x0c;
	assert_int_equal(hf_remote_decode_inquiry(data, sizeof(data)), -EMEDIUMTYPE);
	data[0] = 0x7f;
	assert_int_equal(hf_remote_decode_inquiry(data, sizeof(data)), -ENXIO);
	assert_int_equal(hf_remote_decode_inquiry(data, 4), -EBADMSG);
}

static void answers_are_judged(void **state)
{
	static const struct {
		unsigned status, key, asc_ascq;
		enum hf_remote_next next;
		int error;
		bool is_disturbed;
	} cases[] = {
		{0x00, 0, 0, HF_REMOTE_GOOD, 0, false},
		{0x02, 0x1, 0x1701, HF_REMOTE_GOOD, 0, false},
		{0x02, 0x2, 0x0401, HF_REMOTE_LATER_BOUND, -EIO, false},
		{0x02, 0x3, 0x1100, HF_REMOTE_FAILED, -EIO, false},
		{0x02, 0x4, 0x4400, HF_REMOTE_FAILED, -EIO, false},
		{0x02, 0x5, 0x2000, HF_REMOTE_UNKNOWN, -EOPNOTSUPP, false},
		{0x02, 0x5, 0x2100, HF_REMOTE_FAILED, -EIO, false},
		{0x02, 0x5, 0x2400, HF_REMOTE_UNKNOWN, -EOPNOTSUPP, false},
		{0x02, 0x5, 0x2500, HF_REMOTE_GONE, -ENXIO, false},
		{0x02, 0x6, 0x2900, HF_REMOTE_AGAIN, -EIO, true},
		{0x02, 0x6, 0x2f00, HF_REMOTE_AGAIN, -EIO, true},
		{0x02, 0x6, 0x2a09, HF_REMOTE_AGAIN, -EIO, false},
		{0x02, 0x7, 0x2700, HF_REMOTE_FAILED, -EROFS, false},
		{0x02, 0x7, 0x2707, HF_REMOTE_FAILED, -ENOSPC, false},
		{0x02, 0xb, 0x0000, HF_REMOTE_LATER_BOUND, -EIO, false},
		{0x08, 0, 0, HF_REMOTE_LATER, 0, false},
		{0x18, 0, 0, HF_REMOTE_FAILED, -EBADE, false},
		{0x28, 0, 0, HF_REMOTE_LATER, 0, false},
		{0x40, 0, 0, HF_REMOTE_LATER, 0, true},
		{0x99, 0, 0, HF_REMOTE_FAILED, -EIO, false},
	};

	for (unsigned i = 0; i < HF_ARRAY_LEN(cases); i++) {
		struct hf_remote_verdict v =
			hf_remote_judge(cases[i].status, cases[i].key, cases[i].asc_ascq);

		if (v.next != cases[i].next || v.error != cases[i].error ||
			v.is_disturbed != cases[i].is_disturbed)
			fail_msg("status %02x key %x asc %04x", cases[i].status, cases[i].key,
				cases[i].asc_ascq);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_has_its_parts),
		cmocka_unit_test(a_url_has_its_options),
		cmocka_unit_test(a_wrong_url_is_explained_without_its_secret),
		cmocka_unit_test(a_shown_url_has_no_secret),
		cmocka_unit_test(capacity_is_read),
		cmocka_unit_test(limits_are_read),
		cmocka_unit_test(identity_is_that_of_the_unit),
		cmocka_unit_test(kinds_of_units_are_told_apart),
		cmocka_unit_test(answers_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
