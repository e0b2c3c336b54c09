/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes connections of the iSCSI target over the fake SCSI layer. Two bytes say how it begins
 * (before login; logged in, with or without digests, unsolicited data) and what the layers below do
 * (slow attach, hanging commands, few buffers); then chunks: a control byte, a length, bytes.
 *
 *	bits 0-3: what happens before (enum before)	bit 6: the bytes are one PDU, see send_pdu()
 *	bit 4: from the second host			bit 5: ... with a wrong digest
 *	bit 7: with the number that is due; of a PDU: its data 16 times over
 *
 * The second host has the name of the first, so its login takes the session's place.
 */
#include "kit.h"

#include "checksum.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	LOGGED_IN = 1,
	UNSOLICITED = 2,
	SLOW_ATTACH = 4,
	HOLD_RUNS = 8,
	SLOW_LEAVE = 16,
	SMALL_SEGMENTS = 32,
	SMALL_PIECES = 64,
	DISCOVERY = 128,
	/* second byte */
	HEADER_DIGEST = 1,
	DATA_DIGEST = 2,
	CHAP = 4,
	WAIT_RUNS = 8,
	DROP_RUNS = 16,
	STALE = 32,
	NO_BUFFERS = 64,
};

enum before {
	NOTHING,
	RELEASE,
	SECOND,
	ABORT_SILENTLY,
	HEAR,
	STOP,
	ANSWER_R2T,
	LET_RUN,
	FAIL_TMFS,
	STUCK,
	HALF_A_MINUTE,
	ABORT_WITH_STATUS,
	DEAF,
	HANG_UP,
	BUFFERS,
	HOLD,
};

enum {
	TEXT_MAX = 512,
	TIMES = 16,
	OUT_BYTES = 4 << 20,
	BLOCKS = 128,
	BUFFERS_MAX = 256,
	UNSENT_MAX = 65536,
};

/* What lives from input to input: the memory. The time goes on, which nothing depends on. */
static struct hf_loop *loop;
static uint8_t *out[2];
static void *taken[BUFFERS_MAX];
static unsigned taken_len;

static void take_buffers(void)
{
	for (size_t len = 4096; len <= HF_XFER_MAX_BYTES; len *= 4) {
		void *buf;

		while (taken_len < BUFFERS_MAX && (buf = hf_loop_buf_get(loop, len)) != NULL)
			taken[taken_len++] = buf;
	}
}

static void give_buffers(void)
{
	while (taken_len)
		hf_loop_buf_put(loop, taken[--taken_len]);
}

/* PDUs of interest have right numbers more often than chance would have it. */
static void fix_numbers(struct host *h, uint8_t *bhs)
{
	if (!h->c)
		return;
	hf_put_be32(bhs + 24, h->c->exp_cmd_sn);
	bhs[4] = 0;
	bhs[5] = 0;
	bhs[6] &= 7;
}

static void add(uint8_t *field, uint32_t base)
{
	if (hf_get_be32(field) != HF_TAG_NONE)
		hf_put_be32(field, hf_get_be32(field) + base);
}

/* Fields that depend on what was said before are relative to that. */
static void relate(struct hf_iscsi_conn *c, struct pdu *p)
{
	uint8_t opcode = p->bhs[0] & HF_ISCSI_OPCODE_MASK;

	add(p->bhs + 24, c->exp_cmd_sn);
	if (opcode == HF_ISCSI_DATA_OUT)
		add(p->bhs + 20, c->next_ttt);
	else if (opcode == HF_ISCSI_NOP_OUT)
		add(p->bhs + 20, c->ping_ttt);
	else if (opcode == HF_ISCSI_TEXT)
		add(p->bhs + 20, c->text.ttt);
	else if (opcode == HF_ISCSI_TMF)
		add(p->bhs + 32, c->exp_cmd_sn);
}

/* One PDU, with the digests agreed: 48 bytes of header, then as many of additional ones as byte 4
 * says, then data; lengths are filled in. */
static void send_pdu(struct host *h, const uint8_t *bytes, size_t len, uint8_t control)
{
	static uint8_t many[TEXT_MAX * TIMES];
	struct pdu p = {.data = bytes};
	size_t ahs;

	if (len < HF_BHS_BYTES || !h->c)
		return;
	memcpy(p.bhs, bytes, HF_BHS_BYTES);
	ahs = HF_MIN(p.bhs[4] * 4u, (unsigned)HF_AHS_MAX_BYTES);
	ahs = HF_MIN(ahs, (len - HF_BHS_BYTES) & ~(size_t)3);
	memcpy(p.ahs, bytes + HF_BHS_BYTES, ahs);
	p.ahs_len = (uint32_t)ahs;
	p.data += HF_BHS_BYTES + ahs;
	p.len = (uint32_t)(len - HF_BHS_BYTES - ahs);
	if (control & 0x80) {
		for (unsigned i = 0; i < TIMES; i++)
			memcpy(many + i * p.len, p.data, p.len);
		p.data = many;
		p.len *= TIMES;
	}
	relate(h->c, &p);
	h->header_digest = h->c->params.header_digest;
	h->data_digest = h->c->params.data_digest;
	h->bad_digest = control & 0x20;
	host_send(h, &p);
	h->bad_digest = false;
}

/* Digests begin after the last answer of the login. */
static bool receive(struct host *h, struct pdu *ret)
{
	bool plain = h->out_at < h->out_len && h->out[h->out_at] == HF_ISCSI_LOGIN_RESPONSE;

	if (!h->c)
		return false;
	h->header_digest = !plain && h->c->params.header_digest;
	h->data_digest = !plain && h->c->params.data_digest;
	return host_receive(h, ret);
}

/* Answers the last R2T in the target's output. */
static void answer_r2t(struct host *h)
{
	static const uint8_t bytes[65536];
	struct pdu p, d, r2t = {{0}};

	while (receive(h, &p)) {
		if (p.bhs[0] == HF_ISCSI_R2T)
			r2t = p;
	}
	if (r2t.bhs[0] != HF_ISCSI_R2T || pdu_u32(&r2t, 44) > sizeof(bytes))
		return;
	pdu_data_out(&d, &r2t, 0, pdu_u32(&r2t, 40), bytes, pdu_u32(&r2t, 44), true);
	host_send(h, &d);
}

static void fail_tmfs(struct kit *k)
{
	k->table->tmf_result = k->table->tmf_result == 0      ? -EIO
			       : k->table->tmf_result == -EIO ? -ENOTCONN
							      : 0;
}

/* What the lower layers and the host's socket do. */
static void happen(struct host *h, enum before what)
{
	struct kit *k = h->k;

	switch (what) {
	case RELEASE:
		fake_release(k->table);
		break;
	case SECOND:
		hf_loop_sim_advance(k->loop, 1000000000);
		break;
	case HALF_A_MINUTE:
		hf_loop_sim_advance(k->loop, UINT64_C(30000000000));
		break;
	case ABORT_SILENTLY:
	case ABORT_WITH_STATUS:
		if (h->c && h->c->attached && !h->c->detaching)
			fake_abort_all(&h->c->session, what == ABORT_WITH_STATUS);
		break;
	case HEAR:
		h->deaf = h->stuck = false;
		break;
	case STUCK:
		h->deaf = false;
		h->stuck = true;
		break;
	case DEAF:
		h->deaf = true;
		break;
	case STOP:
		if (h->c)
			hf_conn_stop(h->c);
		break;
	case HANG_UP:
		if (h->c)
			hf_conn_received(h->c, 0);
		break;
	case ANSWER_R2T:
		answer_r2t(h);
		break;
	case LET_RUN:
	case HOLD:
		k->table->hold_runs = what == HOLD;
		break;
	case FAIL_TMFS:
		fail_tmfs(k);
		break;
	case BUFFERS:
		if (taken_len)
			give_buffers();
		else
			take_buffers();
		break;
	case NOTHING:
		break;
	}
	host_pump(h);
}

static void begin(struct host *h, uint8_t how, uint8_t more)
{
	static const char discovery[] = "InitiatorName=" HOST "\0SessionType=Discovery\0";
	static const char *const digests[] = {"", "HeaderDigest=CRC32C", "DataDigest=CRC32C"};
	char keys[256] = "InitiatorName=" HOST "\0TargetName=" TARGET;
	struct hf_wr w = hf_wr_of(keys, sizeof(keys));
	const char *text = "";

	if (!(how & LOGGED_IN))
		return;
	if (how & DISCOVERY) {
		host_login_request(
			h, HF_PDU_TRANSIT | 1 << 2 | 3, discovery, sizeof(discovery) - 1);
		return;
	}
	hf_wr_take(&w, sizeof("InitiatorName=" HOST "\0TargetName=" TARGET));
	if (how & UNSOLICITED)
		text = "InitialR2T=No,FirstBurstLength=2048,MaxBurstLength=4096,"
		       "MaxOutstandingR2T=2";
	else if (how & SMALL_SEGMENTS)
		text = "MaxRecvDataSegmentLength=512,MaxBurstLength=1024";
	for (; *text; text += strcspn(text, ",") + (text[strcspn(text, ",")] == ',')) {
		hf_wr_bytes(&w, text, strcspn(text, ","));
		hf_wr_u8(&w, 0);
	}
	for (unsigned i = HEADER_DIGEST; i <= DATA_DIGEST; i++) {
		if (more & i)
			hf_wr_bytes(&w, digests[i], strlen(digests[i]) + 1);
	}
	host_login_request(h, HF_PDU_TRANSIT | 1 << 2 | 3, keys, hf_wr_len(&w));
}

static void play(struct host *hosts, struct hf_rd *r)
{
	while (!hf_rd_failed(r) && hf_rd_left(r)) {
		uint8_t control = hf_rd_u8(r), bytes[TEXT_MAX];
		size_t len = hf_rd_u8(r) * 2u;
		struct host *h = &hosts[control >> 4 & 1];

		len = HF_MIN(len, hf_rd_left(r));
		happen(h, control & 15);
		hf_rd_bytes(r, bytes, len);
		if (hosts[0].out_len > OUT_BYTES / 2 || hosts[1].out_len > OUT_BYTES / 2)
			return;
		if (h->unsent_len >= UNSENT_MAX)
			continue;
		if (control & 0x40) {
			send_pdu(h, bytes, len, control);
		} else {
			if (len >= HF_BHS_BYTES && (control & 0x80))
				fix_numbers(h, bytes);
			host_send_bytes(h, bytes, len);
		}
		host_pump(&hosts[0]);
		host_pump(&hosts[1]);
	}
}

static struct kit *set_up(uint8_t how, uint8_t more)
{
	struct hf_iscsi_acl acl[] = {{.initiator = "*"}, {.initiator = HOST}};
	struct hf_iscsi_config config = kit_config();
	struct hf_loop_options options = {.buf_bytes = 1 << 20};
	struct kit *k;

	if (!loop) {
		hf_assert(!hf_loop_create(0, &options, &loop));
		for (int i = 0; i < 2; i++)
			hf_assert((out[i] = malloc(OUT_BYTES)) != NULL);
	}
	config.nop_interval_ms = 2000;
	config.queue_depth = 4;
	config.has_chap = more & CHAP;
	config.chap = (struct hf_iscsi_chap_account){"user", "0123456789abcdef"};
	if (how & LOGGED_IN) {
		config.acl = acl;
		config.acl_len = HF_ARRAY_LEN(acl);
	}
	k = kit_create_on(loop, &config, BLOCKS);
	k->table->slow_attach = how & SLOW_ATTACH;
	k->table->hold_detach = how & SLOW_LEAVE;
	k->table->drop_runs = more & DROP_RUNS;
	k->table->stale = more & STALE;
	return k;
}

static void wind_up(struct kit *k, struct host *hosts)
{
	for (int i = 0; i < 2; i++) {
		if (hosts[i].c)
			hf_conn_close(hosts[i].c, "end of input");
		host_pump(&hosts[i]);
	}
	give_buffers();
	for (int i = 0; i < 2; i++) {
		fake_release(k->table);
		host_pump(&hosts[i]);
	}
	for (int i = 0; i < 2; i++)
		host_disconnect(&hosts[i]);
	kit_destroy(k);
	/* No timer and no message of theirs is left. */
	hf_assert(hf_loop_sim_next_ns(loop) == UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_rd r = hf_rd_of(data, size);
	uint8_t how = hf_rd_u8(&r), more = hf_rd_u8(&r);
	struct kit *k = set_up(how, more);
	struct host hosts[2];

	for (int i = 0; i < 2; i++)
		host_connect_at(&hosts[i], k, out[i], OUT_BYTES);
	if (more & NO_BUFFERS)
		take_buffers();
	begin(&hosts[0], how, more);
	k->table->hold_runs = how & HOLD_RUNS;
	k->table->wait_runs = more & WAIT_RUNS;
	hosts[0].piece = how & SMALL_PIECES ? 7 : 0;
	play(hosts, &r);
	wind_up(k, hosts);
	return 0;
}
