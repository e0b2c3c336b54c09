/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands and their data: reads, writes with every way data may come, residuals, digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "kit.h"

#include <cmocka.h>

static uint8_t pattern[1 << 20];

struct fixture {
	struct kit *k;
	struct host h;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 256 + i / 65536);
	f->k = kit_create(NULL, 0);
	host_connect(&f->h, f->k);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_release(f->k->table);
	host_disconnect(&f->h);
	kit_destroy(f->k);
	free(f);
	return 0;
}

static void expect_status(struct host *h, uint8_t status, uint16_t asc_ascq)
{
	struct pdu p;

	host_expect(h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(p.bhs[2], 0);
	assert_int_equal(p.bhs[3], status);
	if (asc_ascq)
		assert_int_equal(hf_get_be16(p.data + 2 + 12), asc_ascq);
}

static void expect_on_disk(struct fixture *f, uint32_t lba, const uint8_t *data, size_t len)
{
	assert_memory_equal(f->k->table->disks[0] + lba * 512, data, len);
}

static void read_is_cut_to_segments_and_status_is_in_the_last(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "MaxRecvDataSegmentLength=8192\0");
	memcpy(f->k->table->disks[0] + 512, pattern, 20480);
	pdu_read(&f->h, &p, 1, 40);
	host_send(&f->h, &p);
	for (uint32_t offset = 0, n = 0; offset < 20480; offset += 8192, n++) {
		bool last = offset == 16384;

		host_expect(&f->h, HF_ISCSI_DATA_IN, &p);
		assert_int_equal(p.bhs[1], last ? 0x81 : 0);
		assert_int_equal(p.len, last ? 4096 : 8192);
		assert_int_equal(pdu_u32(&p, 36), n);
		assert_int_equal(pdu_u32(&p, 40), offset);
		assert_int_equal(pdu_u32(&p, 44), 0);
		assert_memory_equal(p.data, pattern + offset, p.len);
	}
	host_expect_nothing(&f->h);
}

static void read_sequences_end_at_max_burst(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "MaxRecvDataSegmentLength=6000\0MaxBurstLength=16384\0");
	pdu_read(&f->h, &p, 0, 64);
	host_send(&f->h, &p);
	for (uint32_t offset = 0; offset < 32768; offset += p.len) {
		host_expect(&f->h, HF_ISCSI_DATA_IN, &p);
		assert_int_equal(pdu_u32(&p, 40), offset);
		assert_int_equal(!!(p.bhs[1] & HF_PDU_FINAL), (offset + p.len) % 16384 == 0);
		assert_true(offset % 16384 + p.len <= 16384);
	}
}

static void immediate_data_are_written(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 3, 16);
	p.data = pattern;
	p.len = 8192;
	host_send(&f->h, &p);
	expect_status(&f->h, 0, 0);
	expect_on_disk(f, 3, pattern, 8192);
}

/* Answers R2Ts with PDUs of `segment` bytes until `total` bytes are written. */
static void feed(
	struct host *h, uint32_t from, uint32_t total, uint32_t max_burst, uint32_t segment)
{
	struct pdu r2t, p;
	uint32_t sn = 0;

	while (from < total) {
		uint32_t len, data_sn = 0;

		host_expect(h, HF_ISCSI_R2T, &r2t);
		assert_int_equal(pdu_u32(&r2t, 36), sn++);
		assert_int_equal(pdu_u32(&r2t, 40), from);
		len = pdu_u32(&r2t, 44);
		assert_int_equal(len, HF_MIN(max_burst, total - from));
		for (uint32_t at = 0; at < len; at += segment) {
			uint32_t n = HF_MIN(segment, len - at);

			pdu_data_out(&p, &r2t, data_sn++, from + at, pattern + from + at, n,
				at + n == len);
			host_send(h, &p);
		}
		from += len;
	}
}

static void r2t_asks_burst_by_burst(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "MaxBurstLength=65536\0");
	pdu_write(&f->h, &p, 0, 400);
	host_send(&f->h, &p);
	feed(&f->h, 0, 204800, 65536, 32768);
	expect_status(&f->h, 0, 0);
	expect_on_disk(f, 0, pattern, 204800);
}

static void immediate_then_unsolicited_then_r2t(void **state)
{
	struct fixture *f = *state;
	struct pdu p, d;

	HOST_LOGIN(&f->h, "InitialR2T=No\0FirstBurstLength=32768\0MaxBurstLength=65536\0");
	pdu_write(&f->h, &p, 5, 256);
	p.bhs[1] &= (uint8_t)~HF_PDU_FINAL;
	p.data = pattern;
	p.len = 4096;
	host_send(&f->h, &p);
	host_expect_nothing(&f->h);
	pdu_data_out(&d, &p, 0, 4096, pattern + 4096, 20000, false);
	host_send(&f->h, &d);
	pdu_data_out(&d, &p, 1, 24096, pattern + 24096, 32768 - 24096, true);
	host_send(&f->h, &d);
	feed(&f->h, 32768, 131072, 65536, 65536);
	expect_status(&f->h, 0, 0);
	expect_on_disk(f, 5, pattern, 131072);
}

static void several_r2ts_are_outstanding_when_agreed(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r[3], d;

	HOST_LOGIN(&f->h, "MaxOutstandingR2T=2\0MaxBurstLength=16384\0");
	pdu_write(&f->h, &p, 0, 96);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r[0]);
	host_expect(&f->h, HF_ISCSI_R2T, &r[1]);
	host_expect_nothing(&f->h);
	assert_true(pdu_u32(&r[0], 20) != pdu_u32(&r[1], 20));
	pdu_data_out(&d, &r[0], 0, 0, pattern, 16384, true);
	host_send(&f->h, &d);
	host_expect(&f->h, HF_ISCSI_R2T, &r[2]);
	pdu_data_out(&d, &r[1], 0, 16384, pattern + 16384, 16384, true);
	host_send(&f->h, &d);
	pdu_data_out(&d, &r[2], 0, 32768, pattern + 32768, 16384, true);
	host_send(&f->h, &d);
	expect_status(&f->h, 0, 0);
	expect_on_disk(f, 0, pattern, 49152);
}

/* The same conversation whatever pieces the stream comes in. */
static void any_cut_of_the_stream_is_the_same(void **state)
{
	static const uint32_t pieces[] = {1, 3, 47, 48, 49, 52, 511, 4099, 40000};

	for (size_t i = 0; i < HF_ARRAY_LEN(pieces); i++) {
		for (int digests = 0; digests < 2; digests++) {
			struct fixture f = {.k = kit_create(NULL, 0)};
			struct pdu p;

			host_connect(&f.h, f.k);
			if (digests)
				HOST_LOGIN(&f.h, "HeaderDigest=CRC32C,None\0DataDigest=CRC32C\0"
						 "MaxBurstLength=65536\0");
			else
				HOST_LOGIN(&f.h, "MaxBurstLength=65536\0");
			assert_int_equal(f.h.header_digest, digests);
			f.h.piece = pieces[i];
			pdu_write(&f.h, &p, 9, 200);
			p.data = pattern;
			p.len = 1001 & ~3u;
			host_send(&f.h, &p);
			feed(&f.h, p.len, 102400, 65536, 30003);
			expect_status(&f.h, 0, 0);
			expect_on_disk(&f, 9, pattern, 102400);
			pdu_read(&f.h, &p, 9, 3);
			host_send(&f.h, &p);
			host_expect(&f.h, HF_ISCSI_DATA_IN, &p);
			assert_memory_equal(p.data, pattern, 1536);
			host_disconnect(&f.h);
			kit_destroy(f.k);
		}
	}
}

static void underflow_and_overflow_of_reads(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	pdu_read(&f->h, &p, 0, 2);
	hf_put_be32(p.bhs + 20, 4096);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_DATA_IN, &p);
	assert_int_equal(p.len, 1024);
	assert_int_equal(p.bhs[1], 0x80 | HF_DATA_IN_STATUS | HF_RSP_UNDERFLOW);
	assert_int_equal(pdu_u32(&p, 44), 3072);
	pdu_read(&f->h, &p, 0, 8);
	hf_put_be32(p.bhs + 20, 1024);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_DATA_IN, &p);
	assert_int_equal(p.len, 1024);
	assert_int_equal(p.bhs[1], 0x80 | HF_DATA_IN_STATUS | HF_RSP_OVERFLOW);
	assert_int_equal(pdu_u32(&p, 44), 3072);
}

static void residuals_of_writes_and_of_no_data(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 0, 2);
	hf_put_be32(p.bhs + 20, 1536);
	p.data = pattern;
	p.len = 1536;
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(p.bhs[1], 0x80 | HF_RSP_UNDERFLOW);
	assert_int_equal(pdu_u32(&p, 44), 512);
	expect_on_disk(f, 0, pattern, 1024);
	assert_int_equal(f->k->table->disks[0][1024], 0);
	/* Neither read nor write, but the CDB has data. */
	pdu_read(&f->h, &p, 0, 1);
	p.bhs[1] = 0x81;
	hf_put_be32(p.bhs + 20, 0);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(p.bhs[1], 0x80 | HF_RSP_OVERFLOW);
	assert_int_equal(pdu_u32(&p, 44), 512);
	/* Refused: nothing moved. */
	pdu_read(&f->h, &p, 1 << 20, 1);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(p.bhs[3], 2);
	assert_int_equal(p.bhs[1], 0x80 | HF_RSP_UNDERFLOW);
	assert_int_equal(pdu_u32(&p, 44), 512);
}

/* RFC 7143, 11.4.2: no status while the host still sends what it may send unasked. */
static void refused_write_waits_for_the_rest_of_its_data(void **state)
{
	struct fixture *f = *state;
	struct pdu p, d;

	HOST_LOGIN(&f->h, "InitialR2T=No\0");
	pdu_write(&f->h, &p, 1 << 20, 16);
	p.bhs[1] &= (uint8_t)~HF_PDU_FINAL;
	host_send(&f->h, &p);
	host_expect_nothing(&f->h);
	pdu_data_out(&d, &p, 0, 0, pattern, 4096, false);
	host_send(&f->h, &d);
	host_expect_nothing(&f->h);
	pdu_data_out(&d, &p, 1, 4096, pattern, 4096, true);
	host_send(&f->h, &d);
	expect_status(&f->h, 2, 0x2100);
}

static void data_not_agreed_on_are_refused(void **state)
{
	struct fixture *f = *state;
	struct pdu p, d;

	HOST_LOGIN(&f->h, "ImmediateData=No\0");
	pdu_write(&f->h, &p, 0, 1);
	p.data = pattern;
	p.len = 512;
	host_send(&f->h, &p);
	expect_status(&f->h, 2, 0x0c0c);
	pdu_write(&f->h, &p, 0, 1);
	p.bhs[1] &= (uint8_t)~HF_PDU_FINAL;
	host_send(&f->h, &p);
	host_expect_nothing(&f->h);
	pdu_data_out(&d, &p, 0, 0, pattern, 512, true);
	host_send(&f->h, &d);
	expect_status(&f->h, 2, 0x0c0c);
	assert_int_equal(f->k->table->disks[0][0], 0);
}

static void more_than_first_burst_is_refused(void **state)
{
	struct fixture *f = *state;
	struct pdu p, d;

	HOST_LOGIN(&f->h, "InitialR2T=No\0FirstBurstLength=1024\0");
	pdu_write(&f->h, &p, 0, 8);
	p.bhs[1] &= (uint8_t)~HF_PDU_FINAL;
	host_send(&f->h, &p);
	pdu_data_out(&d, &p, 0, 0, pattern, 1024, false);
	host_send(&f->h, &d);
	pdu_data_out(&d, &p, 1, 1024, pattern, 512, true);
	host_send(&f->h, &d);
	expect_status(&f->h, 2, 0x0c0c);
}

static void short_burst_is_refused(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 0, 8);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	pdu_data_out(&p, &r2t, 0, 0, pattern, 2048, true);
	host_send(&f->h, &p);
	expect_status(&f->h, 2, 0x0c0d);
	assert_int_equal(f->k->table->ran, 0);
}

static void data_out_of_turn_end_the_connection(void **state)
{
	for (int what = 1; what < 4; what++) {
		struct fixture f = {.k = kit_create(NULL, 0)};
		struct pdu p, r2t;

		host_connect(&f.h, f.k);
		HOST_LOGIN(&f.h, "");
		pdu_write(&f.h, &p, 0, 8);
		host_send(&f.h, &p);
		host_expect(&f.h, HF_ISCSI_R2T, &r2t);
		pdu_data_out(&p, &r2t, 0, what == 1 ? 512 : 0, pattern, what == 2 ? 4608 : 4096,
			what != 3);
		host_send(&f.h, &p);
		host_expect(&f.h, HF_ISCSI_REJECT, &p);
		assert_int_equal(p.bhs[2], HF_REJECT_PROTOCOL);
		assert_null(f.h.c);
		assert_string_equal(f.h.why, "data out of sequence");
		host_disconnect(&f.h);
		kit_destroy(f.k);
	}
}

/* DataSN tells of PDUs that were damaged on the way: the command fails, the connection lives. */
static void missing_data_fail_the_command_once_all_are_here(void **state)
{
	static const struct {
		uint32_t sn[2], offset[2];
	} bursts[] = {{{0, 0}, {0, 2048}}, {{1, 0}, {0, 2048}}, {{27, 28}, {0, 2048}},
		{{UINT32_MAX, 0}, {0, 2048}}, {{1, 2}, {2048, 0}}, {{0, 2}, {0, 2048}}};
	struct fixture *f = *state;
	struct pdu p, r2t;

	HOST_LOGIN(&f->h, "MaxBurstLength=4096\0");
	for (size_t i = 0; i < HF_ARRAY_LEN(bursts); i++) {
		pdu_write(&f->h, &p, 0, 16);
		host_send(&f->h, &p);
		host_expect(&f->h, HF_ISCSI_R2T, &r2t);
		for (int j = 0; j < 2; j++) {
			host_expect_nothing(&f->h);
			pdu_data_out(&p, &r2t, bursts[i].sn[j], bursts[i].offset[j], pattern, 2048,
				j == 1);
			host_send(&f->h, &p);
		}
		expect_status(&f->h, 2, 0x4705);
	}
	assert_int_equal(f->k->table->ran, 0);
	assert_int_equal(f->k->table->disks[0][0], 0);
	pdu_write(&f->h, &p, 0, 16);
	host_send(&f->h, &p);
	feed(&f->h, 0, 8192, 4096, 2048);
	expect_status(&f->h, 0, 0);
}

static void stray_data_are_dropped_silently(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 0, 8);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	hf_put_be32(r2t.bhs + 20, pdu_u32(&r2t, 20) + 1);
	pdu_data_out(&p, &r2t, 0, 0, pattern, 4096, true);
	host_send(&f->h, &p);
	host_expect_nothing(&f->h);
	assert_int_equal(f->h.c->counters.dropped_data, 1);
	hf_put_be32(r2t.bhs + 20, pdu_u32(&r2t, 20) - 1);
	pdu_data_out(&p, &r2t, 0, 0, pattern, 4096, true);
	host_send(&f->h, &p);
	expect_status(&f->h, 0, 0);
}

static void damaged_data_fail_the_command_once_all_are_here(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;

	HOST_LOGIN(&f->h, "DataDigest=CRC32C\0MaxBurstLength=4096\0");
	pdu_write(&f->h, &p, 0, 8);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	pdu_data_out(&p, &r2t, 0, 0, pattern, 2048, false);
	f->h.data_digest = false; /* a digest that is none: four bytes of the data */
	p.len = 2048;
	hf_put_be24(p.bhs + 5, 2048);
	{
		uint8_t all[48 + 2048 + 4];

		memcpy(all, p.bhs, 48);
		hf_put_be24(all + 5, 2048);
		memcpy(all + 48, pattern, 2052);
		host_send_bytes(&f->h, all, sizeof(all));
	}
	f->h.data_digest = true;
	host_expect(&f->h, HF_ISCSI_REJECT, &p);
	assert_int_equal(p.bhs[2], HF_REJECT_DATA_DIGEST);
	host_expect_nothing(&f->h);
	pdu_data_out(&p, &r2t, 1, 2048, pattern + 2048, 2048, true);
	host_send(&f->h, &p);
	expect_status(&f->h, 2, 0x4705);
	assert_int_equal(f->k->table->ran, 0);
}

static void damaged_header_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct pdu p;
	uint8_t all[52];

	HOST_LOGIN(&f->h, "HeaderDigest=CRC32C\0");
	pdu_read(&f->h, &p, 0, 1);
	memcpy(all, p.bhs, 48);
	memset(all + 48, 0x55, 4);
	host_send_bytes(&f->h, all, sizeof(all));
	assert_null(f->h.c);
	assert_string_equal(f->h.why, "header digest error");
}

static void long_cdb_comes_in_an_additional_header(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	pdu_command(&f->h, &p, HF_PDU_FINAL | HF_CMD_READ, 96, "12 00 00 00 60 00");
	p.ahs_len = 20;
	hf_put_be16(p.ahs, 17);
	p.ahs[2] = 1;
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_DATA_IN, &p);
	assert_int_equal(p.len, 96);
	/* Nonsense there is rejected, and the command number is used up. */
	pdu_command(&f->h, &p, HF_PDU_FINAL, 0, "00");
	p.ahs_len = 8;
	hf_put_be16(p.ahs, 600);
	p.ahs[2] = 1;
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_REJECT, &p);
	assert_int_equal(p.bhs[2], HF_REJECT_INVALID_FIELD);
	assert_int_equal(pdu_u32(&p, 28), f->h.cmd_sn);
}

static void both_directions_are_rejected(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	pdu_read(&f->h, &p, 0, 1);
	p.bhs[1] |= HF_CMD_WRITE;
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_REJECT, &p);
	assert_int_equal(p.bhs[2], HF_REJECT_NOT_SUPPORTED);
	assert_memory_equal(p.data + 32, "\x28", 1);
	pdu_command(&f->h, &p, HF_PDU_FINAL, 0, "00");
	host_send(&f->h, &p);
	expect_status(&f->h, 0, 0);
}

static void unknown_lun_answers_through_the_scsi_layer(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	pdu_read(&f->h, &p, 0, 1);
	p.bhs[9] = 77;
	host_send(&f->h, &p);
	expect_status(&f->h, 2, 0x2500);
	pdu_read(&f->h, &p, 0, 1);
	p.bhs[15] = 1;
	host_send(&f->h, &p);
	expect_status(&f->h, 2, 0x2500);
}

static void attach_holds_the_stream_and_keeps_order(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	f->k->table->slow_attach = true;
	HOST_LOGIN(&f->h, "");
	for (int i = 0; i < 3; i++) {
		pdu_write(&f->h, &p, (uint32_t)i, 1);
		p.data = pattern + 512 * i;
		p.len = 512;
		host_send(&f->h, &p);
	}
	for (int i = 0; i < 3; i++)
		expect_status(&f->h, 0, 0);
	expect_on_disk(f, 0, pattern, 1536);
}

static void link_lost_during_attach(void **state)
{
	struct fixture *f = *state;
	struct iovec iov[2];
	struct pdu p;

	f->k->table->slow_attach = true;
	HOST_LOGIN(&f->h, "");
	pdu_read(&f->h, &p, 0, 1);
	hf_conn_rx(f->h.c, iov);
	memcpy(iov[0].iov_base, p.bhs, 48);
	hf_conn_received(f->h.c, 48);
	hf_conn_close(f->h.c, "lost");
	host_pump(&f->h);
	assert_null(f->h.c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(read_is_cut_to_segments_and_status_is_in_the_last),
		T(read_sequences_end_at_max_burst),
		T(immediate_data_are_written),
		T(r2t_asks_burst_by_burst),
		T(immediate_then_unsolicited_then_r2t),
		T(several_r2ts_are_outstanding_when_agreed),
		T(any_cut_of_the_stream_is_the_same),
		T(underflow_and_overflow_of_reads),
		T(residuals_of_writes_and_of_no_data),
		T(refused_write_waits_for_the_rest_of_its_data),
		T(data_not_agreed_on_are_refused),
		T(more_than_first_burst_is_refused),
		T(short_burst_is_refused),
		T(data_out_of_turn_end_the_connection),
		T(missing_data_fail_the_command_once_all_are_here),
		T(stray_data_are_dropped_silently),
		T(damaged_data_fail_the_command_once_all_are_here),
		T(damaged_header_ends_the_connection),
		T(long_cdb_comes_in_an_additional_header),
		T(both_directions_are_rejected),
		T(unknown_lun_answers_through_the_scsi_layer),
		T(attach_holds_the_stream_and_keeps_order),
		T(link_lost_during_attach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
