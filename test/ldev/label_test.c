/* SPDX-License-Identifier: BSD-3-Clause */
/* Labels of physical devices as bytes. */
#include "bytes.h"
#include "checksum.h"
#include "kit.h"

static struct hf_label sample(void)
{
	struct hf_label l = {
		.name = "disk-a",
		.format_version = HF_FORMAT_VERSION,
		.size_bytes = 64 * MIB,
		.data_offset_bytes = hf_format_data_offset(64 * MIB, true),
		.block_bytes = 512,
		.voting = true,
	};

	hf_cluster_id("alpha", l.cluster);
	memcpy(l.uuid, "0123456789abcdef", sizeof(l.uuid));
	return l;
}

static void reseal(uint8_t block[4096])
{
	hf_put_be32(block + 4092, hf_crc32c(0, block, 4092));
}

static void label_comes_back_as_written(void **state)
{
	struct hf_label l = sample(), back = {0};
	uint8_t block[4096];
	char said[256];

	hf_label_encode(&l, block);
	assert_int_equal(hf_label_decode(block, &back, said, sizeof(said)), 0);
	assert_memory_equal(&l, &back, sizeof(l));
}

static void every_flipped_bit_of_a_label_is_noticed(void **state)
{
	struct hf_label l = sample(), back;
	uint8_t block[4096];
	char said[256];

	hf_label_encode(&l, block);
	for (unsigned bit = 0; bit < 4096 * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(hf_label_decode(block, &back, said, sizeof(said)),
			bit < 64 ? -ENOENT : -EBADMSG);
		assert_true(strlen(said) > 20);
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void newer_format_is_told_from_damage(void **state)
{
	struct hf_label l = sample(), back;
	uint8_t block[4096];
	char said[256];

	l.format_version = HF_FORMAT_VERSION + 1;
	hf_label_encode(&l, block);
	assert_int_equal(hf_label_decode(block, &back, said, sizeof(said)), -EPROTO);
	assert_non_null(strstr(said, "use a newer Holdfast"));
}

static void label_with_right_checksum_and_wrong_content_is_refused(void **state)
{
	struct hf_label l, back;
	uint8_t block[4096];
	char said[256];

	static const struct {
		const char *what;
		unsigned at;
		uint8_t value;
	} cases[] = {
		{"no version", 11, 0},
		{"block size 513", 63, 1},
		{"unknown flag", 67, 3},
		{"name begins with a dot", 68, '.'},
		{"name with NUL inside", 70, 0},
		{"junk behind the fields", 4000, 1},
		{"data offset no extent", 59, 1},
		{"data offset past the end", 52, 1},
	};

	for (unsigned i = 0; i < HF_ARRAY_LEN(cases); i++) {
		l = sample();
		hf_label_encode(&l, block);
		block[cases[i].at] = cases[i].value;
		reseal(block);
		if (hf_label_decode(block, &back, said, sizeof(said)) != -EBADMSG)
			fail_msg("%s is taken for a label", cases[i].what);
	}
}

static void clusters_differ_by_name(void **state)
{
	uint8_t a[HF_POOL_UUID_BYTES], b[HF_POOL_UUID_BYTES];
	/* FNV-1a, 128 bits, of "a", as its authors publish it. */
	static const uint8_t of_a[] = {0xd2, 0x28, 0xcb, 0x69, 0x6f, 0x1a, 0x8c, 0xaf, 0x78, 0x91,
		0x2b, 0x70, 0x4e, 0x4a, 0x89, 0x64};

	hf_cluster_id("alpha", a);
	hf_cluster_id("alphb", b);
	assert_memory_not_equal(a, b, sizeof(a));
	hf_cluster_id("a", a);
	assert_memory_equal(a, of_a, sizeof(a));
}

static void slots_leave_most_of_a_disk_to_extents(void **state)
{
	assert_true(hf_format_data_offset(64 * MIB, false) == MIB);
	for (uint64_t mib = 6; mib < 8192; mib = mib * 3 / 2 + 1) {
		uint64_t offset = hf_format_data_offset(mib * MIB, true);

		assert_int_equal(offset % MIB, 0);
		assert_in_range(hf_format_slots(offset), HF_FORMAT_SLOTS_MIN, HF_LDEVS_MAX);
		assert_true(offset <= 5 * MIB || offset <= mib * MIB / 16 + 4 * MIB);
	}
	assert_int_equal(
		hf_format_slots(hf_format_data_offset(UINT64_C(1) << 42, true)), HF_LDEVS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(label_comes_back_as_written),
		cmocka_unit_test(every_flipped_bit_of_a_label_is_noticed),
		cmocka_unit_test(newer_format_is_told_from_damage),
		cmocka_unit_test(label_with_right_checksum_and_wrong_content_is_refused),
		cmocka_unit_test(clusters_differ_by_name),
		cmocka_unit_test(slots_leave_most_of_a_disk_to_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
