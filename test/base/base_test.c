/* SPDX-License-Identifier: BSD-3-Clause */
/* The small things: byte readers and writers, checksums, lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bytes.h"
#include "checksum.h"
#include "list.h"

static void crc32c_matches_the_rfc_vectors(void **state)
{
	/* RFC 7143, appendix A.4 (RFC 3720 B.4): digests of 32-byte buffers. */
	uint8_t b[32];

	memset(b, 0, sizeof(b));
	assert_int_equal(hf_crc32c(0, b, sizeof(b)), 0x8a9136aa);
	memset(b, 0xff, sizeof(b));
	assert_int_equal(hf_crc32c(0, b, sizeof(b)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	assert_int_equal(hf_crc32c(0, b, sizeof(b)), 0x46dd794e);
	assert_int_equal(hf_crc32c(hf_crc32c(0, b, 13), b + 13, 19), 0x46dd794e);
}

static void digest_continues_over_pieces(void **state)
{
	const char text[] = "registered, reserved, released";

	assert_true(hf_digest64(0, text, sizeof(text)) ==
		    hf_digest64(hf_digest64(0, text, 7), text + 7, sizeof(text) - 7));
	assert_true(hf_digest64(0, text, 4) != hf_digest64(0, text, 5));
}

static void reader_past_the_end_fails_and_gives_zero(void **state)
{
	uint8_t b[6] = {1, 2, 3, 4, 5, 6};
	struct hf_rd r = hf_rd_of(b, sizeof(b));

	assert_int_equal(hf_rd_u32(&r), 0x01020304);
	assert_false(hf_rd_failed(&r));
	assert_int_equal(hf_rd_u32(&r), 0);
	assert_true(hf_rd_failed(&r));
	assert_int_equal(hf_rd_u8(&r), 0);
}

static void writer_past_the_end_fails_and_writes_nothing(void **state)
{
	uint8_t b[4] = {9, 9, 9, 9};
	struct hf_wr w = hf_wr_of(b, 3);

	hf_wr_u16(&w, 0x0102);
	hf_wr_u16(&w, 0x0304);
	assert_true(hf_wr_failed(&w));
	assert_int_equal(hf_wr_len(&w), 2);
	assert_int_equal(b[2], 9);
}

static void nothing_can_be_read_and_written(void **state)
{
	struct hf_rd r = hf_rd_of(NULL, 0);
	struct hf_wr w = hf_wr_of(NULL, 0);

	assert_int_equal(hf_rd_left(&r), 0);
	assert_non_null(hf_rd_take(&r, 0));
	assert_false(hf_rd_failed(&r));
	assert_int_equal(hf_rd_u8(&r), 0);
	assert_true(hf_rd_failed(&r));
	hf_wr_u8(&w, 1);
	assert_true(hf_wr_failed(&w));
	assert_int_equal(hf_wr_len(&w), 0);
}

static void list_keeps_order_and_empties(void **state)
{
	struct hf_list head, a, b, c;

	hf_list_init(&head);
	hf_list_push_back(&head, &b);
	hf_list_push_back(&head, &c);
	hf_list_push_front(&head, &a);
	assert_ptr_equal(hf_list_pop_front(&head), &a);
	hf_list_remove(&c);
	assert_ptr_equal(hf_list_pop_front(&head), &b);
	assert_null(hf_list_pop_front(&head));
	assert_true(hf_list_is_empty(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_matches_the_rfc_vectors),
		cmocka_unit_test(digest_continues_over_pieces),
		cmocka_unit_test(reader_past_the_end_fails_and_gives_zero),
		cmocka_unit_test(writer_past_the_end_fails_and_writes_nothing),
		cmocka_unit_test(nothing_can_be_read_and_written),
		cmocka_unit_test(list_keeps_order_and_empties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
