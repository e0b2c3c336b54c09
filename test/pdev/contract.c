/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contract.h"

#include <stdlib.h>

enum { MIB = 1 << 20 };

static void fill(uint8_t *buf, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		buf[i] = (uint8_t)(seed >> 56);
	}
}

static bool is_zero(const uint8_t *buf, size_t len)
{
	return len == 0 || (buf[0] == 0 && !memcmp(buf, buf + 1, len - 1));
}

/* Written in pieces of one request each, all at once; read back in one. */
static void what_is_written_is_read(struct hf_pdev *p, struct hf_loop *l, uint8_t *out, uint8_t *in)
{
	static struct want w[32];
	uint64_t end = p->info.size_bytes - MIB;

	fill(out, MIB, 1);
	for (unsigned i = 0; i < HF_ARRAY_LEN(w); i++) {
		size_t n = MIB / HF_ARRAY_LEN(w);

		want_start(p, l, &w[i], HF_PDEV_WRITE, i % 2 ? HF_PDEV_FUA : 0, end + i * n,
			out + i * n, n);
	}
	for (unsigned i = 0; i < HF_ARRAY_LEN(w); i++)
		assert_int_equal(want_finish(l, &w[i]), 0);
	assert_int_equal(want_run(p, l, HF_PDEV_FLUSH, 0, 0, NULL, 0), 0);
	assert_int_equal(want_run(p, l, HF_PDEV_READ, 0, end, in, MIB), 0);
	assert_memory_equal(in, out, MIB);
}

static void scattered_data_keeps_its_order(
	struct hf_pdev *p, struct hf_loop *l, uint8_t *out, uint8_t *in)
{
	struct want w;
	struct iovec iov[3] = {{out + 16384, 4096}, {out, 8192}, {out + 32768, 4096}};

	fill(out, MIB, 2);
	memset(&w, 0, sizeof(w));
	w.io = (struct hf_pdev_io){.op = HF_PDEV_WRITE,
		.offset_bytes = 8192,
		.len_bytes = 16384,
		.iov = iov,
		.iov_len = 3,
		.done = want_done};
	hf_pdev_submit(p, l, &w.io);
	assert_int_equal(want_finish(l, &w), 0);
	assert_int_equal(want_run(p, l, HF_PDEV_READ, 0, 8192, in, 16384), 0);
	assert_memory_equal(in, out + 16384, 4096);
	assert_memory_equal(in + 4096, out, 8192);
	assert_memory_equal(in + 12288, out + 32768, 4096);
}

static void zeroing_reaches_its_range_and_no_further(
	struct hf_pdev *p, struct hf_loop *l, uint8_t *out, uint8_t *in)
{
	static const unsigned flags[] = {0, HF_PDEV_UNMAP, HF_PDEV_UNMAP | HF_PDEV_FUA};

	fill(out, MIB, 3);
	for (unsigned i = 0; i < HF_ARRAY_LEN(flags); i++) {
		assert_int_equal(want_run(p, l, HF_PDEV_WRITE, 0, MIB, out, MIB), 0);
		assert_int_equal(want_run(p, l, HF_PDEV_WRITE_ZEROES, flags[i], MIB + 4096, NULL,
					 MIB - 3 * 4096),
			0);
		assert_int_equal(want_run(p, l, HF_PDEV_READ, 0, MIB, in, MIB), 0);
		assert_memory_equal(in, out, 4096);
		assert_true(is_zero(in + 4096, MIB - 3 * 4096));
		assert_memory_equal(in + MIB - 8192, out + MIB - 8192, 8192);
	}
}

static void discarding_reaches_its_range_and_no_further(
	struct hf_pdev *p, struct hf_loop *l, uint8_t *out, uint8_t *in)
{
	fill(out, MIB, 4);
	assert_int_equal(want_run(p, l, HF_PDEV_WRITE, 0, MIB, out, MIB), 0);
	assert_int_equal(want_run(p, l, HF_PDEV_DISCARD, 0, MIB + 65536, NULL, 65536), 0);
	assert_int_equal(want_run(p, l, HF_PDEV_READ, 0, MIB, in, MIB), 0);
	assert_memory_equal(in, out, 65536);
	if (p->info.discard_zeroes)
		assert_true(is_zero(in + 65536, 65536));
	assert_memory_equal(in + 131072, out + 131072, MIB - 131072);
}

static void what_is_outside_or_not_whole_is_refused(
	struct hf_pdev *p, struct hf_loop *l, uint8_t *out, uint8_t *in)
{
	uint64_t size = p->info.size_bytes;
	uint32_t block = p->info.block_bytes;

	assert_int_equal(want_run(p, l, HF_PDEV_READ, 0, size - block, in, block), 0);
	assert_int_equal(want_run(p, l, HF_PDEV_READ, 0, size, in, block), -EINVAL);
	assert_int_equal(want_run(p, l, HF_PDEV_WRITE, 0, size - block, out, 2 * block), -EINVAL);
	assert_int_equal(
		want_run(p, l, HF_PDEV_WRITE, 0, UINT64_MAX / block * block, out, block), -EINVAL);
	assert_int_equal(want_run(p, l, HF_PDEV_READ, 0, 1, in, block), -EINVAL);
	assert_int_equal(want_run(p, l, HF_PDEV_WRITE_ZEROES, 0, 0, NULL, block - 1), -EINVAL);
	assert_int_equal(want_run(p, l, HF_PDEV_DISCARD, 0, size, NULL, block), -EINVAL);
	assert_int_equal(want_run(p, l, HF_PDEV_WRITE_ZEROES, 0, size, NULL, 0), 0);
}

void contract_all(struct hf_pdev *p, struct hf_loop *l)
{
	uint8_t *out = aligned_alloc(4096, MIB), *in = aligned_alloc(4096, MIB);

	assert_true(p->info.size_bytes >= 4 * MIB);
	assert_true(p->info.block_bytes == 512 || p->info.block_bytes == 4096);
	assert_true(p->info.physical_block_bytes >= p->info.block_bytes);
	what_is_written_is_read(p, l, out, in);
	scattered_data_keeps_its_order(p, l, out, in);
	zeroing_reaches_its_range_and_no_further(p, l, out, in);
	discarding_reaches_its_range_and_no_further(p, l, out, in);
	what_is_outside_or_not_whole_is_refused(p, l, out, in);
	free(out);
	free(in);
}
