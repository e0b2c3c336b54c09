/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes a connection of the iSCSI target over the fake SCSI layer. The first byte says how it
 * begins (before login; logged in, with or without digests, unsolicited data) and what the layers
 * below do (slow attach, hanging commands, few buffers); then chunks: a control byte (time passes,
 * hung commands end, an abort from elsewhere, the host reads on), a length, bytes as received.
 */
#include "kit.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	LOGGED_IN = 1,
	UNSOLICITED = 2,
	SLOW_ATTACH = 4,
	HOLD_RUNS = 8,
	FEW_BUFFERS = 16,
	SMALL_SEGMENTS = 32,
	SMALL_PIECES = 64,
	DISCOVERY = 128,
};

/* PDUs of interest have right numbers more often than chance would have it. */
static void fix_numbers(struct host *h, uint8_t *bhs, uint8_t control)
{
	if (!h->c || !(control & 0x80))
		return;
	hf_put_be32(bhs + 24, h->c->exp_cmd_sn);
	bhs[4] = 0;
	bhs[5] = 0;
	bhs[6] &= 7;
}

/* Answers the last R2T in the target's output. */
static void answer_r2t(struct host *h)
{
	static const uint8_t bytes[65536];
	struct pdu p, d, r2t = {{0}};

	while (h->c && host_receive(h, &p)) {
		if (p.bhs[0] == HF_ISCSI_R2T)
			r2t = p;
	}
	if (r2t.bhs[0] != HF_ISCSI_R2T || pdu_u32(&r2t, 44) > sizeof(bytes))
		return;
	pdu_data_out(&d, &r2t, 0, pdu_u32(&r2t, 40), bytes, pdu_u32(&r2t, 44), true);
	host_send(h, &d);
}

static void control(struct host *h, uint8_t what)
{
	struct kit *k = h->k;

	switch (what & 7) {
	case 1:
		fake_release(k->table);
		break;
	case 2:
		hf_loop_sim_advance(k->loop, 1000000000);
		break;
	case 3:
		if (h->c && h->c->attached && !h->c->detaching)
			fake_abort_all(&h->c->session, what & 8);
		break;
	case 4:
		h->deaf = what & 8;
		break;
	case 5:
		if (h->c)
			hf_conn_stop(h->c);
		break;
	case 6:
		answer_r2t(h);
		break;
	case 7:
		k->table->hold_runs = what & 8;
		break;
	default:
		break;
	}
	host_pump(h);
}

static void begin(struct host *h, uint8_t how)
{
	if (!(how & LOGGED_IN))
		return;
	if (how & DISCOVERY) {
		static const char keys[] = "InitiatorName=" HOST "\0SessionType=Discovery\0";

		host_login_request(h, HF_PDU_TRANSIT | 1 << 2 | 3, keys, sizeof(keys) - 1);
	} else if (how & UNSOLICITED) {
		HOST_LOGIN(h, "InitialR2T=No\0FirstBurstLength=2048\0MaxBurstLength=4096\0"
			      "MaxOutstandingR2T=2\0");
	} else if (how & SMALL_SEGMENTS) {
		HOST_LOGIN(h, "MaxRecvDataSegmentLength=512\0MaxBurstLength=1024\0");
	} else {
		HOST_LOGIN(h, "");
	}
}

static void play(struct host *h, struct hf_rd *r)
{
	while (!hf_rd_failed(r) && hf_rd_left(r) && h->out_len < KIT_OUT_MAX / 2) {
		uint8_t what = hf_rd_u8(r), bytes[512];
		size_t len = hf_rd_u8(r) * 2u;

		len = HF_MIN(len, hf_rd_left(r));
		control(h, what);
		hf_rd_bytes(r, bytes, len);
		if (len >= HF_BHS_BYTES)
			fix_numbers(h, bytes, what);
		if (h->unsent_len < 65536)
			host_send_bytes(h, bytes, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_rd r = hf_rd_of(data, size);
	struct hf_iscsi_config config = kit_config();
	uint8_t how = hf_rd_u8(&r);
	struct host h;
	struct kit *k;

	config.nop_interval_ms = 2000;
	config.queue_depth = 4;
	k = kit_create(&config, how & FEW_BUFFERS ? 1 << 20 : 4 << 20);
	k->table->slow_attach = how & SLOW_ATTACH;
	host_connect(&h, k);
	begin(&h, how);
	k->table->hold_runs = how & HOLD_RUNS;
	h.piece = how & SMALL_PIECES ? 7 : 0;
	play(&h, &r);
	if (h.c)
		hf_conn_close(h.c, "end of input");
	host_pump(&h);
	fake_release(k->table);
	host_disconnect(&h);
	kit_destroy(k);
	return 0;
}
