/* SPDX-License-Identifier: BSD-3-Clause */
/* What a session does beside data: command window, task management, pings, text, logout, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kit.h"

#include <cmocka.h>

static const uint8_t zeroes[65536];

struct fixture {
	struct kit *k;
	struct host h;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->k = kit_create(NULL, 0);
	host_connect(&f->h, f->k);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->h.c)
		hf_conn_close(f->h.c, "test");
	host_pump(&f->h);
	fake_release(f->k->table);
	host_disconnect(&f->h);
	kit_destroy(f->k);
	free(f);
	return 0;
}

static void test_unit_ready(struct host *h, struct pdu *p)
{
	pdu_command(h, p, HF_PDU_FINAL, 0, "00");
}

static void expect_good(struct host *h, uint32_t itt)
{
	struct pdu p;

	host_expect(h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(p.bhs[3], 0);
	assert_int_equal(pdu_u32(&p, 16), itt);
}

static void expect_reject(struct host *h, uint8_t reason)
{
	struct pdu p;

	host_expect(h, HF_ISCSI_REJECT, &p);
	assert_int_equal(p.bhs[2], reason);
	assert_int_equal(p.len, 48);
}

/* --- the window --- */

static void window_opens_with_each_answer(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->k->table->hold_runs = true;
	for (int i = 0; i < 8; i++) {
		test_unit_ready(&f->h, &p);
		host_send(&f->h, &p);
	}
	assert_int_equal(f->h.c->active, 8);
	assert_int_equal(hf_window_max(f->h.c), f->h.cmd_sn - 1);
	fake_release(f->k->table);
	for (int i = 0; i < 8; i++) {
		host_expect(&f->h, HF_ISCSI_RESPONSE, &p);
		assert_int_equal(pdu_u32(&p, 28), f->h.cmd_sn);
		assert_int_equal(pdu_u32(&p, 32), f->h.cmd_sn + (uint32_t)i);
	}
}

static void commands_outside_the_window_are_ignored(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->k->table->hold_runs = true;
	for (int i = 0; i < 9; i++) {
		test_unit_ready(&f->h, &p);
		host_send(&f->h, &p);
	}
	assert_int_equal(f->h.c->active, 8);
	test_unit_ready(&f->h, &p);
	hf_put_be32(p.bhs + 24, 42); /* long past */
	host_send(&f->h, &p);
	host_expect_nothing(&f->h);
	assert_non_null(f->h.c);
	assert_int_equal(f->k->table->arrived, 8);
}

static void gap_in_the_numbers_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->h.cmd_sn++;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	expect_reject(&f->h, HF_REJECT_PROTOCOL);
	assert_null(f->h.c);
	assert_int_equal(f->k->table->arrived, 0);
}

static void immediate_commands_have_a_limit_of_their_own(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->k->table->hold_runs = true;
	for (int i = 0; i < HF_IMMEDIATE_MAX + 1; i++) {
		test_unit_ready(&f->h, &p);
		p.bhs[0] |= HF_ISCSI_IMMEDIATE;
		f->h.cmd_sn--;
		host_send(&f->h, &p);
	}
	expect_reject(&f->h, HF_REJECT_IMMEDIATE);
	host_expect_nothing(&f->h);
	assert_int_equal(f->k->table->arrived, HF_IMMEDIATE_MAX);
	assert_int_equal(f->h.c->exp_cmd_sn, f->h.cmd_sn);
}

static void tag_in_use_is_rejected(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->k->table->hold_runs = true;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	f->h.itt--;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	expect_reject(&f->h, HF_REJECT_IN_PROGRESS);
	assert_int_equal(f->k->table->arrived, 1);
}

static void host_that_does_not_listen_fills_the_window_only(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->h.deaf = true;
	for (int i = 0; i < 100 && f->h.c; i++) {
		test_unit_ready(&f->h, &p);
		host_send(&f->h, &p);
	}
	assert_int_equal(f->k->table->arrived, 8);
	f->h.deaf = false;
	for (uint32_t i = 0; i < 8; i++)
		host_expect(&f->h, HF_ISCSI_RESPONSE, &p);
}

static void ordered_command_waits_and_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;
	uint32_t first;

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 0, 1);
	first = pdu_u32(&p, 16);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	test_unit_ready(&f->h, &p);
	p.bhs[1] = HF_PDU_FINAL | HF_ATTR_ORDERED;
	host_send(&f->h, &p);
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	host_expect_nothing(&f->h);
	test_unit_ready(&f->h, &p);
	p.bhs[9] = 1; /* another logical unit */
	host_send(&f->h, &p);
	expect_good(&f->h, first + 3);
	pdu_data_out(&p, &r2t, 0, 0, zeroes, 512, true);
	host_send(&f->h, &p);
	expect_good(&f->h, first);
	expect_good(&f->h, first + 1);
	expect_good(&f->h, first + 2);
}

static void aca_attribute_is_refused(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	test_unit_ready(&f->h, &p);
	p.bhs[1] = HF_PDU_FINAL | HF_ATTR_ACA;
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(p.bhs[3], 2);
	assert_int_equal(hf_get_be16(p.data + 14), 0x4900);
}

/* --- task management --- */

static void send_tmf(struct host *h, uint8_t function, uint32_t rtt, uint32_t ref_cmd_sn)
{
	struct pdu p;

	pdu_init(h, &p, HF_ISCSI_TMF, true);
	p.bhs[1] = HF_PDU_FINAL | function;
	hf_put_be32(p.bhs + 20, rtt);
	hf_put_be32(p.bhs + 32, ref_cmd_sn);
	host_send(h, &p);
}

static void expect_tmf(struct host *h, uint8_t response)
{
	struct pdu p;

	host_expect(h, HF_ISCSI_TMF_RESPONSE, &p);
	assert_int_equal(p.bhs[2], response);
}

static void aborted_while_gathering(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 0, 8);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	send_tmf(&f->h, 1, pdu_u32(&p, 16), pdu_u32(&p, 24));
	expect_tmf(&f->h, 0);
	pdu_data_out(&p, &r2t, 0, 0, zeroes, 4096, true);
	host_send(&f->h, &p);
	host_expect_nothing(&f->h);
	assert_int_equal(f->h.c->counters.dropped_data, 1);
	assert_int_equal(f->h.c->free_len, f->h.c->pool_len);
}

static void aborted_while_bytes_land_in_its_buffer(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;
	uint8_t head[48];

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 0, 100);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	pdu_data_out(&p, &r2t, 0, 0, zeroes, 51200, true);
	memcpy(head, p.bhs, 48);
	hf_put_be24(head + 5, 51200);
	host_send_bytes(&f->h, head, 48);
	host_send_bytes(&f->h, zeroes, 1000);
	fake_abort_all(&f->h.c->session, false);
	assert_int_equal(f->h.c->free_len, f->h.c->pool_len - 1);
	host_send_bytes(&f->h, zeroes, 50200);
	host_expect_nothing(&f->h);
	assert_int_equal(f->h.c->free_len, f->h.c->pool_len);
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	expect_good(&f->h, pdu_u32(&p, 16));
}

static void aborted_by_another_with_task_aborted_status(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 0, 8);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	fake_abort_all(&f->h.c->session, true);
	host_expect_nothing(&f->h); /* it is still owed data */
	pdu_data_out(&p, &r2t, 0, 0, zeroes, 4096, true);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(p.bhs[3], HF_STATUS_TASK_ABORTED);
}

static void abort_of_a_running_command_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->k->table->hold_runs = true;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	send_tmf(&f->h, 1, pdu_u32(&p, 16), pdu_u32(&p, 24));
	host_expect_nothing(&f->h);
	fake_release(f->k->table);
	expect_tmf(&f->h, 0);
	host_expect_nothing(&f->h);
}

static void abort_of_what_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	send_tmf(&f->h, 1, 0x7777, f->h.cmd_sn - 1);
	expect_tmf(&f->h, 1);
	send_tmf(&f->h, 1, 0x7777, f->h.cmd_sn);
	expect_tmf(&f->h, 1); /* not older than the request itself */
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	expect_good(&f->h, pdu_u32(&p, 16));
}

/* RFC 7143, 11.6.1: a command on its way counts as received, and is not carried out. */
static void abort_of_a_command_that_has_not_come(void **state)
{
	struct fixture *f = *state;
	struct pdu first, second, third;

	HOST_LOGIN(&f->h, "");
	test_unit_ready(&f->h, &first);
	test_unit_ready(&f->h, &second);
	send_tmf(&f->h, 1, pdu_u32(&second, 16), pdu_u32(&second, 24));
	expect_tmf(&f->h, 0);
	host_send(&f->h, &first);
	expect_good(&f->h, pdu_u32(&first, 16));
	host_send(&f->h, &second);
	host_expect_nothing(&f->h);
	test_unit_ready(&f->h, &third);
	host_send(&f->h, &third);
	expect_good(&f->h, pdu_u32(&third, 16));
	assert_int_equal(f->k->table->arrived, 2);
}

static void resets_and_sets(void **state)
{
	static const struct {
		uint8_t function, lun, response;
	} cases[] = {
		{2, 0, 0},
		{2, 9, 2},
		{3, 0, 5},
		{4, 1, 0},
		{5, 0, 0},
		{5, 9, 2},
		{6, 0, 0},
		{8, 0, 4},
		{9, 0, 5},
		{14, 0, 5},
	};
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
		f->k->table->slow_attach = true;
		pdu_init(&f->h, &p, HF_ISCSI_TMF, i & 1);
		p.bhs[1] = HF_PDU_FINAL | cases[i].function;
		p.bhs[9] = cases[i].lun;
		host_send(&f->h, &p);
		expect_tmf(&f->h, cases[i].response);
	}
	f->k->table->tmf_result = -EACCES;
	send_tmf(&f->h, 5, 0, 0);
	expect_tmf(&f->h, 255);
	f->k->table->tmf_result = 0;
	send_tmf(&f->h, 7, 0, 0);
	expect_tmf(&f->h, 0);
	assert_null(f->h.c);
	assert_string_equal(f->h.why, "target cold reset");
}

static void reset_drops_what_only_owes_data(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "InitialR2T=No\0");
	pdu_write(&f->h, &p, 1 << 20, 8);
	p.bhs[1] &= (uint8_t)~HF_PDU_FINAL;
	host_send(&f->h, &p);
	send_tmf(&f->h, 5, 0, 0);
	expect_tmf(&f->h, 0);
	host_expect_nothing(&f->h);
	assert_int_equal(f->h.c->free_len, f->h.c->pool_len);
}

/* --- pings, rejects, text --- */

static void pings_come_back_with_their_data(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "MaxRecvDataSegmentLength=512\0");
	pdu_init(&f->h, &p, HF_ISCSI_NOP_OUT, true);
	hf_put_be32(p.bhs + 20, HF_TAG_NONE);
	p.data = (const uint8_t *)"Hello, target";
	p.len = 13;
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_NOP_IN, &p);
	assert_int_equal(p.len, 13);
	assert_memory_equal(p.data, "Hello, target", 13);
	assert_int_equal(pdu_u32(&p, 20), HF_TAG_NONE);
	/* Longer than the initiator takes: cut. */
	pdu_init(&f->h, &p, HF_ISCSI_NOP_OUT, false);
	hf_put_be32(p.bhs + 20, HF_TAG_NONE);
	p.data = zeroes;
	p.len = 4000;
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_NOP_IN, &p);
	assert_int_equal(p.len, 512);
	assert_int_equal(pdu_u32(&p, 28), f->h.cmd_sn);
}

static void silent_host_is_pinged_then_cut_off(void **state)
{
	struct hf_iscsi_config config = kit_config();
	struct kit *k;
	struct host h;
	struct pdu p, ping;

	config.nop_interval_ms = 1000;
	config.nop_timeout_ms = 500;
	k = kit_create(&config, 0);
	host_connect(&h, k);
	HOST_LOGIN(&h, "");
	hf_loop_sim_advance(k->loop, 2100000000);
	host_expect(&h, HF_ISCSI_NOP_IN, &ping);
	assert_int_equal(pdu_u32(&ping, 16), HF_TAG_NONE);
	assert_true(pdu_u32(&ping, 20) != HF_TAG_NONE);
	pdu_init(&h, &p, HF_ISCSI_NOP_OUT, true);
	hf_put_be32(p.bhs + 16, HF_TAG_NONE);
	memcpy(p.bhs + 20, ping.bhs + 20, 4);
	host_send(&h, &p);
	host_expect_nothing(&h);
	hf_loop_sim_advance(k->loop, 600000000);
	host_pump(&h);
	assert_non_null(h.c);
	hf_loop_sim_advance(k->loop, 2000000000);
	host_pump(&h);
	assert_null(h.c);
	assert_string_equal(h.why, "the initiator does not answer pings");
	host_disconnect(&h);
	kit_destroy(k);
}

static void unknown_requests_are_rejected(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	pdu_init(&f->h, &p, HF_ISCSI_SNACK, false);
	f->h.cmd_sn--;
	host_send(&f->h, &p);
	expect_reject(&f->h, HF_REJECT_SNACK);
	pdu_init(&f->h, &p, 0x1c, true);
	p.data = zeroes;
	p.len = 77;
	host_send(&f->h, &p);
	expect_reject(&f->h, HF_REJECT_NOT_SUPPORTED);
	pdu_init(&f->h, &p, HF_ISCSI_NOP_IN, true);
	host_send(&f->h, &p);
	expect_reject(&f->h, HF_REJECT_NOT_SUPPORTED);
	test_unit_ready(&f->h, &p);
	p.bhs[1] |= 7;
	host_send(&f->h, &p);
	expect_reject(&f->h, HF_REJECT_INVALID_FIELD);
	assert_non_null(f->h.c);
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	expect_good(&f->h, pdu_u32(&p, 16));
}

static void oversized_segment_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	pdu_write(&f->h, &p, 0, 200);
	hf_put_be24(p.bhs + 5, 65537);
	host_send_bytes(&f->h, p.bhs, 48);
	expect_reject(&f->h, HF_REJECT_PROTOCOL);
	assert_null(f->h.c);
}

static void flood_of_bad_requests_is_cut_off(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->h.deaf = true;
	for (int i = 0; i < 20; i++) {
		pdu_init(&f->h, &p, HF_ISCSI_SNACK, true);
		host_send(&f->h, &p);
	}
	assert_null(f->h.c);
	assert_string_equal(f->h.why, "too many malformed requests");
}

static void send_text(struct host *h, struct pdu *p, uint32_t ttt, const char *text, uint32_t len)
{
	pdu_init(h, p, HF_ISCSI_TEXT, true);
	hf_put_be32(p->bhs + 20, ttt);
	p->data = (const uint8_t *)text;
	p->len = len;
	host_send(h, p);
}

static const char portals[] = "TargetName=" TARGET "\0TargetAddress=127.0.0.1:3260,7\0"
			      "TargetAddress=[::1]:3260,8\0";

static void targets_are_told(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	send_text(&f->h, &p, HF_TAG_NONE, "SendTargets=", 13);
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_int_equal(p.bhs[1], HF_PDU_FINAL);
	assert_int_equal(p.len, sizeof(portals) - 1);
	assert_memory_equal(p.data, portals, p.len);
	send_text(&f->h, &p, HF_TAG_NONE, "SendTargets=" TARGET, 13 + strlen(TARGET));
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_int_equal(p.len, sizeof(portals) - 1);
	send_text(&f->h, &p, HF_TAG_NONE, "SendTargets=iqn.2024-01.org.else:x", 35);
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_int_equal(p.len, 0);
	send_text(&f->h, &p, HF_TAG_NONE, "SendTargets=All", 16);
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_string_equal((const char *)p.data, "SendTargets=Reject");
	send_text(&f->h, &p, HF_TAG_NONE, "X-a=b\0ImmediateData=No\0AuthMethod=None", 39);
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_memory_equal(
		p.data, "X-a=NotUnderstood\0ImmediateData=Reject\0AuthMethod=Reject", 57);
}

static void discovery_session_tells_all_and_takes_no_command(void **state)
{
	static const char login[] = "InitiatorName=" HOST "\0SessionType=Discovery\0"
				    "MaxBurstLength=65536\0";
	struct fixture *f = *state;
	struct pdu p;

	host_login_request(&f->h, HF_PDU_TRANSIT | 1 << 2 | 3, login, sizeof(login) - 1);
	host_expect(&f->h, HF_ISCSI_LOGIN_RESPONSE, &p);
	assert_int_equal(p.bhs[36], 0);
	assert_memory_equal(p.data, "MaxBurstLength=Irrelevant", 26);
	f->h.itt++;
	send_text(&f->h, &p, HF_TAG_NONE, "SendTargets=All", 16);
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_int_equal(p.len, sizeof(portals) - 1);
	send_text(&f->h, &p, HF_TAG_NONE, "SendTargets=", 13);
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_string_equal((const char *)p.data, "SendTargets=Reject");
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	expect_reject(&f->h, HF_REJECT_PROTOCOL);
	assert_null(f->h.c);
	assert_true(hf_list_is_empty(&f->k->table->sessions));
}

static void long_answers_come_in_pieces(void **state)
{
	struct hf_iscsi_config config = kit_config();
	char all[4096];
	size_t len = 0;
	struct kit *k;
	struct host h;
	struct pdu p;

	config.portals_len = 30;
	for (int i = 0; i < 30; i++)
		snprintf(config.portals[i], 80, "[2001:db8:1111:2222:3333:4444:5555:%d]:3260,1", i);
	k = kit_create(&config, 0);
	host_connect(&h, k);
	HOST_LOGIN(&h, "MaxRecvDataSegmentLength=512\0");
	send_text(&h, &p, HF_TAG_NONE, "SendTargets=", 13);
	for (;;) {
		uint32_t ttt;

		host_expect(&h, HF_ISCSI_TEXT_RESPONSE, &p);
		assert_true(p.len <= 512);
		memcpy(all + len, p.data, p.len);
		len += p.len;
		ttt = pdu_u32(&p, 20);
		if (p.bhs[1] & HF_PDU_FINAL)
			break;
		assert_int_equal(p.bhs[1], HF_PDU_CONTINUE);
		h.itt--; /* one tag for all of it */
		send_text(&h, &p, ttt, NULL, 0);
	}
	assert_true(len > 1500);
	assert_string_equal(all + len - strlen("[2001:db8:1111:2222:3333:4444:5555:29]:3260,1") - 1,
		"[2001:db8:1111:2222:3333:4444:5555:29]:3260,1");
	host_disconnect(&h);
	kit_destroy(k);
}

static void requests_in_pieces_are_put_together(void **state)
{
	struct fixture *f = *state;
	struct pdu p;
	uint32_t ttt;

	HOST_LOGIN(&f->h, "");
	pdu_init(&f->h, &p, HF_ISCSI_TEXT, true);
	p.bhs[1] = HF_PDU_CONTINUE;
	hf_put_be32(p.bhs + 20, HF_TAG_NONE);
	p.data = (const uint8_t *)"SendTa";
	p.len = 6;
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_int_equal(p.len, 0);
	assert_int_equal(p.bhs[1], 0);
	ttt = pdu_u32(&p, 20);
	f->h.itt--;
	send_text(&f->h, &p, ttt + 1, "rgets=", 7);
	expect_reject(&f->h, HF_REJECT_PROTOCOL);
	f->h.itt--;
	send_text(&f->h, &p, ttt, "rgets=", 7);
	host_expect(&f->h, HF_ISCSI_TEXT_RESPONSE, &p);
	assert_int_equal(p.len, sizeof(portals) - 1);
}

/* --- ends and new beginnings --- */

static void send_logout(struct host *h, uint8_t reason, uint16_t cid)
{
	struct pdu p;

	pdu_init(h, &p, HF_ISCSI_LOGOUT, true);
	p.bhs[1] = HF_PDU_FINAL | reason;
	hf_put_be16(p.bhs + 20, cid);
	host_send(h, &p);
}

static void logout_waits_for_commands(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;

	HOST_LOGIN(&f->h, "");
	send_logout(&f->h, 1, 5);
	host_expect(&f->h, HF_ISCSI_LOGOUT_RESPONSE, &p);
	assert_int_equal(p.bhs[2], 1);
	send_logout(&f->h, 2, 0);
	host_expect(&f->h, HF_ISCSI_LOGOUT_RESPONSE, &p);
	assert_int_equal(p.bhs[2], 2);
	pdu_write(&f->h, &p, 0, 8);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	f->k->table->hold_runs = true;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	send_logout(&f->h, 0, 0);
	host_expect_nothing(&f->h);
	fake_release(f->k->table);
	host_expect(&f->h, HF_ISCSI_RESPONSE, &p);
	host_expect(&f->h, HF_ISCSI_LOGOUT_RESPONSE, &p);
	assert_int_equal(p.bhs[2], 0);
	assert_null(f->h.c);
	assert_string_equal(f->h.why, "logged out");
	assert_int_equal(f->k->table->arrived, f->k->table->left);
}

static void stop_asks_for_logout_then_drops(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	hf_conn_stop(f->h.c);
	host_expect(&f->h, HF_ISCSI_ASYNC, &p);
	assert_int_equal(p.bhs[36], 1);
	assert_int_equal(hf_get_be16(p.bhs + 42), 1);
	hf_loop_sim_advance(f->k->loop, 1100000000);
	host_expect(&f->h, HF_ISCSI_ASYNC, &p);
	assert_int_equal(p.bhs[36], 3);
	assert_null(f->h.c);
	assert_string_equal(f->h.why, "stopped");
}

static void link_lost_with_commands_in_every_state(void **state)
{
	struct fixture *f = *state;
	struct pdu p, r2t;

	HOST_LOGIN(&f->h, "InitialR2T=No\0");
	pdu_write(&f->h, &p, 0, 8);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &r2t);
	pdu_write(&f->h, &p, 1 << 20, 8); /* refused, owes data */
	p.bhs[1] &= (uint8_t)~HF_PDU_FINAL;
	host_send(&f->h, &p);
	f->k->table->hold_runs = true;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	test_unit_ready(&f->h, &p);
	p.bhs[1] = HF_PDU_FINAL | HF_ATTR_ORDERED;
	host_send(&f->h, &p);
	send_tmf(&f->h, 1, pdu_u32(&p, 16) - 1, 0);
	f->h.deaf = true;
	pdu_init(&f->h, &p, HF_ISCSI_NOP_OUT, true);
	host_send(&f->h, &p);
	pdu_data_out(&p, &r2t, 0, 0, zeroes, 4096, true);
	hf_put_be24(p.bhs + 5, 4096);
	host_send_bytes(&f->h, p.bhs, 48);
	hf_conn_close(f->h.c, "lost");
	host_pump(&f->h);
	assert_non_null(f->h.c); /* one command runs */
	fake_release(f->k->table);
	host_pump(&f->h);
	assert_null(f->h.c);
	assert_int_equal(f->k->table->arrived, f->k->table->left);
}

/* What only waits, maybe for hours, must not keep its session from ending. */
static void link_lost_with_commands_that_wait(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->k->table->wait_runs = true;
	for (int i = 0; i < 3; i++) {
		test_unit_ready(&f->h, &p);
		host_send(&f->h, &p);
		/* Ends with the command before it, in the middle of the walk. */
		send_tmf(&f->h, 1, pdu_u32(&p, 16), pdu_u32(&p, 24));
	}
	f->k->table->wait_runs = false;
	f->k->table->hold_runs = true;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	assert_int_equal(f->h.c->in_scsi, 7);
	host_expect_nothing(&f->h);
	hf_conn_close(f->h.c, "lost");
	host_pump(&f->h);
	assert_non_null(f->h.c); /* one is at the medium */
	assert_int_equal(f->h.c->in_scsi, 1);
	assert_true(f->k->table->abandoned >= 4);
	fake_release(f->k->table);
	host_pump(&f->h);
	assert_null(f->h.c);
	assert_int_equal(f->k->table->arrived, f->k->table->left);
	host_expect_nothing(&f->h);
}

/* RFC 7143, 6.3.5, and the promise that the old one's commands are over first. */
static void same_name_and_isid_takes_the_place_of_the_old_session(void **state)
{
	struct fixture *f = *state;
	static const char keys[] =
		"InitiatorName=IQN.2024-01.org.example:HOST\0TargetName=" TARGET "\0";
	struct host second;
	struct pdu p;
	uint64_t login;

	HOST_LOGIN(&f->h, "");
	login = f->h.c->session.login;
	f->k->table->hold_runs = f->k->table->hold_detach = true;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	host_connect(&second, f->k);
	host_login_request(&second, HF_PDU_TRANSIT | 1 << 2 | 3, keys, sizeof(keys) - 1);
	host_pump(&f->h);
	assert_string_equal(f->h.why, "a new login has taken this session's place");
	host_expect_nothing(&second);
	f->k->table->hold_runs = false;
	f->k->table->hold_detach = true;
	fake_release(f->k->table); /* the command ends, then the nexus */
	host_pump(&f->h);
	assert_null(f->h.c);
	host_expect(&second, HF_ISCSI_LOGIN_RESPONSE, &p);
	assert_int_equal(p.bhs[36], 0);
	assert_int_equal(second.c->session.login, login + 1);
	assert_int_equal(login >> 32, 5);
	host_disconnect(&second);
}

static void another_isid_is_another_session(void **state)
{
	static const char keys[] = "InitiatorName=" HOST "\0TargetName=" TARGET "\0";
	struct fixture *f = *state;
	struct host second;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	host_connect(&second, f->k);
	pdu_init(&second, &p, HF_ISCSI_LOGIN, true);
	p.bhs[1] = HF_PDU_TRANSIT | 1 << 2 | 3;
	hf_put_be48(p.bhs + 8, 0x00023d000002);
	p.data = (const uint8_t *)keys;
	p.len = sizeof(keys) - 1;
	host_send(&second, &p);
	host_expect(&second, HF_ISCSI_LOGIN_RESPONSE, &p);
	assert_int_equal(p.bhs[36], 0);
	host_pump(&f->h);
	assert_non_null(f->h.c);
	assert_true(second.c->registration.info.tsih != f->h.c->registration.info.tsih);
	host_disconnect(&second);
}

static void lost_while_waiting_for_its_turn(void **state)
{
	static const char keys[] = "InitiatorName=" HOST "\0TargetName=" TARGET "\0";
	struct fixture *f = *state;
	struct host second, third;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->k->table->hold_detach = true;
	host_connect(&second, f->k);
	host_login_request(&second, HF_PDU_TRANSIT | 1 << 2 | 3, keys, sizeof(keys) - 1);
	host_connect(&third, f->k);
	host_login_request(&third, HF_PDU_TRANSIT | 1 << 2 | 3, keys, sizeof(keys) - 1);
	host_pump(&f->h);
	host_disconnect(&second);
	fake_release(f->k->table);
	host_pump(&f->h);
	assert_null(f->h.c);
	host_expect(&third, HF_ISCSI_LOGIN_RESPONSE, &p);
	assert_int_equal(p.bhs[36], 0);
	host_disconnect(&third);
}

static void lower_layer_closes_the_session(void **state)
{
	struct fixture *f = *state;

	HOST_LOGIN(&f->h, "");
	f->h.c->session.close(&f->h.c->session, "fenced");
	host_pump(&f->h);
	assert_null(f->h.c);
	assert_string_equal(f->h.why, "fenced");
}

static void login_that_takes_too_long(void **state)
{
	struct fixture *f = *state;

	hf_loop_sim_advance(f->k->loop, 16000000000);
	host_pump(&f->h);
	assert_null(f->h.c);
	assert_string_equal(f->h.why, "login took too long");
}

static void count(void *arg, const struct hf_iscsi_session_info *info)
{
	assert_string_equal(info->initiator, HOST);
	assert_string_equal(info->auth, "None");
	assert_string_equal(info->alias, "ho?st");
	++*(int *)arg;
}

static void sessions_are_listed(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	HOST_LOGIN(&f->h, "InitiatorAlias=ho\033st\0");
	hf_iscsi_registry_each(f->k->registry, count, &n);
	assert_int_equal(n, 1);
}

/* --- no buffers --- */

/* The pool has few buffers of 64 KiB; nobody may stand still for ever. */
static void without_buffers_hosts_wait_or_try_again(void **state)
{
	struct fixture f = {.k = kit_create(NULL, 2 << 20)};
	void *held[64];
	unsigned n = 0, full = 0, good = 0;
	struct pdu p, r2t;

	host_connect(&f.h, f.k);
	HOST_LOGIN(&f.h, "");
	/* A write that holds a buffer and waits for data ... */
	pdu_write(&f.h, &p, 0, 8);
	host_send(&f.h, &p);
	host_expect(&f.h, HF_ISCSI_R2T, &r2t);
	while (n < HF_ARRAY_LEN(held) && (held[n] = hf_loop_buf_get(f.k->loop, 65536)))
		n++;
	assert_true(n > 0 && n < HF_ARRAY_LEN(held));
	/* ... so one that needs a buffer for data that are here is told to come again. */
	pdu_write(&f.h, &p, 0, 128);
	p.data = zeroes;
	p.len = 65536;
	host_send(&f.h, &p);
	host_expect(&f.h, HF_ISCSI_RESPONSE, &p);
	full += p.bhs[3] == HF_STATUS_TASK_SET_FULL;
	/* Reads and R2T writes just wait. */
	pdu_read(&f.h, &p, 0, 128);
	host_send(&f.h, &p);
	host_expect_nothing(&f.h);
	pdu_data_out(&p, &r2t, 0, 0, zeroes, 4096, true);
	host_send(&f.h, &p);
	host_expect(&f.h, HF_ISCSI_RESPONSE, &p);
	good += p.bhs[3] == 0;
	/* Nothing waits for bytes now: the stream itself may stand still. */
	pdu_write(&f.h, &p, 0, 128);
	p.data = zeroes;
	p.len = 65536;
	host_send(&f.h, &p);
	host_expect_nothing(&f.h);
	assert_true(f.h.c->rx.waiting);
	while (n)
		hf_loop_buf_put(f.k->loop, held[--n]);
	host_pump(&f.h);
	do
		host_expect(&f.h, HF_ISCSI_DATA_IN, &p);
	while (!(p.bhs[1] & HF_DATA_IN_STATUS));
	host_expect(&f.h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(p.bhs[3], 0);
	assert_int_equal(full, 1);
	assert_int_equal(good, 1);
	assert_false(f.h.c->rx.waiting);
	host_disconnect(&f.h);
	kit_destroy(f.k);
}

/* A stream that stands still for a buffer must not do so once a task behind it needs bytes. */
static void waiting_stream_gives_way_to_a_task_that_got_its_buffer(void **state)
{
	struct fixture f = {.k = kit_create(NULL, 2 << 20)};
	void *held[64];
	unsigned n = 0;
	struct pdu first, second, p, r2t;

	host_connect(&f.h, f.k);
	HOST_LOGIN(&f.h, "");
	while (n < HF_ARRAY_LEN(held) && (held[n] = hf_loop_buf_get(f.k->loop, 65536)))
		n++;
	pdu_write(&f.h, &first, 0, 128);
	host_send(&f.h, &first);
	pdu_write(&f.h, &second, 200, 128);
	second.data = zeroes;
	second.len = 65536;
	host_send(&f.h, &second);
	host_expect_nothing(&f.h);
	assert_true(f.h.c->rx.waiting);
	hf_loop_buf_put(f.k->loop, held[--n]);
	host_expect(&f.h, HF_ISCSI_RESPONSE, &p);
	assert_int_equal(pdu_u32(&p, 16), pdu_u32(&second, 16));
	assert_int_equal(p.bhs[3], HF_STATUS_TASK_SET_FULL);
	host_expect(&f.h, HF_ISCSI_R2T, &r2t);
	pdu_data_out(&p, &r2t, 0, 0, zeroes, 65536, true);
	host_send(&f.h, &p);
	expect_good(&f.h, pdu_u32(&first, 16));
	while (n)
		hf_loop_buf_put(f.k->loop, held[--n]);
	host_disconnect(&f.h);
	kit_destroy(f.k);
}

/* INV-5: while it is not known whether the others have gone on, what was worked out is kept. Pings
 * are answered, else the host would give the session up. */
static void inv5_answers_that_may_be_stale_wait_and_leave_in_order(void **state)
{
	struct fixture *f = *state;
	struct pdu first, second, third, ping, p;

	HOST_LOGIN(&f->h, "");
	f->k->table->hold_runs = true;
	test_unit_ready(&f->h, &first);
	host_send(&f->h, &first);
	pdu_read(&f->h, &second, 0, 8);
	host_send(&f->h, &second);
	f->k->table->stale = true;
	fake_release(f->k->table);
	f->k->table->hold_runs = false;
	send_tmf(&f->h, 1, pdu_u32(&first, 16), pdu_u32(&first, 24));
	host_expect_nothing(&f->h);
	pdu_init(&f->h, &ping, HF_ISCSI_NOP_OUT, false);
	hf_put_be32(ping.bhs + 20, HF_TAG_NONE);
	host_send(&f->h, &ping);
	host_expect(&f->h, HF_ISCSI_NOP_IN, &p);
	/* What comes once it is valid again does not overtake. */
	f->k->table->stale = false;
	test_unit_ready(&f->h, &third);
	host_send(&f->h, &third);
	host_expect_nothing(&f->h);
	fake_valid(f->k->table);
	expect_good(&f->h, pdu_u32(&first, 16));
	host_expect(&f->h, HF_ISCSI_DATA_IN, &p);
	assert_int_equal(pdu_u32(&p, 16), pdu_u32(&second, 16));
	assert_true(p.bhs[1] & HF_DATA_IN_STATUS);
	expect_tmf(&f->h, 1); /* too late: it has been answered */
	expect_good(&f->h, pdu_u32(&third, 16));
	assert_int_equal(f->h.c->free_len, f->h.c->pool_len);
}

static void inv5_answers_that_are_kept_end_with_the_session(void **state)
{
	struct fixture *f = *state;
	struct pdu p;

	HOST_LOGIN(&f->h, "");
	f->k->table->stale = true;
	test_unit_ready(&f->h, &p);
	host_send(&f->h, &p);
	/* Over, but the host owes data: its answer, too, is looked at when it would leave. */
	pdu_write(&f->h, &p, 0, 8);
	host_send(&f->h, &p);
	host_expect(&f->h, HF_ISCSI_R2T, &p);
	fake_abort_all(&f->h.c->session, true);
	pdu_data_out(&p, &p, 0, 0, zeroes, 4096, true);
	host_send(&f->h, &p);
	host_expect_nothing(&f->h);
	f->h.c->session.close(&f->h.c->session, "out of the view");
	host_expect_nothing(&f->h);
	assert_null(f->h.c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(window_opens_with_each_answer),
		T(commands_outside_the_window_are_ignored),
		T(gap_in_the_numbers_ends_the_connection),
		T(immediate_commands_have_a_limit_of_their_own),
		T(tag_in_use_is_rejected),
		T(host_that_does_not_listen_fills_the_window_only),
		T(ordered_command_waits_and_is_waited_for),
		T(aca_attribute_is_refused),
		T(aborted_while_gathering),
		T(aborted_while_bytes_land_in_its_buffer),
		T(aborted_by_another_with_task_aborted_status),
		T(abort_of_a_running_command_waits_for_it),
		T(abort_of_what_is_not_there),
		T(abort_of_a_command_that_has_not_come),
		T(resets_and_sets),
		T(reset_drops_what_only_owes_data),
		T(pings_come_back_with_their_data),
		T(silent_host_is_pinged_then_cut_off),
		T(unknown_requests_are_rejected),
		T(oversized_segment_ends_the_connection),
		T(flood_of_bad_requests_is_cut_off),
		T(targets_are_told),
		T(discovery_session_tells_all_and_takes_no_command),
		T(long_answers_come_in_pieces),
		T(requests_in_pieces_are_put_together),
		T(logout_waits_for_commands),
		T(stop_asks_for_logout_then_drops),
		T(link_lost_with_commands_in_every_state),
		T(link_lost_with_commands_that_wait),
		T(same_name_and_isid_takes_the_place_of_the_old_session),
		T(another_isid_is_another_session),
		T(lost_while_waiting_for_its_turn),
		T(lower_layer_closes_the_session),
		T(inv5_answers_that_may_be_stale_wait_and_leave_in_order),
		T(inv5_answers_that_are_kept_end_with_the_session),
		T(login_that_takes_too_long),
		T(sessions_are_listed),
		T(without_buffers_hosts_wait_or_try_again),
		T(waiting_stream_gives_way_to_a_task_that_got_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
