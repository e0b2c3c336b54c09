/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes the text of login and text requests: the first byte chooses the configuration, the rest is
 * a series of login steps (flags, length, bytes); what remains is answered as a text request. In
 * the text of a step "@x" and "@b" stand for the right answer to the target's challenge, in
 * hexadecimal and base64, "@c" for the challenge itself: by chance nobody gets past CHAP.
 */
#include "login.h"
#include "text.h"

enum {
	ALLOW_NONE = 1,
	HAS_CHAP = 2,
	MUTUAL = 4,
	DIGESTS = 8,
	ACCESS_LIST = 16,
	SAME_SECRET = 32,
	DISCOVERY_PROVES = 64,
	NO_ALIAS = 128,
	STEP_MAX = 16384,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hf_iscsi_config config = {
	.target_name = "iqn.2024-01.org.example:disks",
	.target_alias = "disks",
	.tpgt = 1,
	.portals_len = 1,
	.portals = {"127.0.0.1:3260,1"},
	.max_recv_data_segment_bytes = 65536,
	.max_burst_bytes = 65536,
	.first_burst_bytes = 65536,
	.chap = {"u", "0123456789ab"},
	.mutual_chap = {"t", "ba9876543210"},
};

static struct hf_iscsi_acl acl[] = {
	{.initiator = "iqn.2024-01.org.example:own",
		.has_chap = true,
		.chap = {"own", "a secret of its own"}},
	{.initiator = "*"},
};

static uint8_t expanded[STEP_MAX];

static void put_hex(struct hf_wr *w, const uint8_t *bytes, unsigned len)
{
	hf_wr_bytes(w, "0x", 2);
	for (unsigned i = 0; i < len * 2; i++)
		hf_wr_u8(w, (uint8_t) "0123456789abcdef"[bytes[i / 2] >> (i & 1 ? 0 : 4) & 15]);
}

static void put_base64(struct hf_wr *w, const uint8_t *bytes, unsigned len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	hf_wr_bytes(w, "0b", 2);
	for (unsigned i = 0; i < len; i += 3) {
		uint32_t left = len - i, bits = (uint32_t)bytes[i] << 16;

		bits |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		bits |= left > 2 ? bytes[i + 2] : 0;
		for (unsigned k = 0; k < 4; k++)
			hf_wr_u8(w, k <= left ? (uint8_t)digits[bits >> (18 - 6 * k) & 63] : '=');
	}
}

static void put_answer(struct hf_wr *w, const struct hf_login *l, bool base64)
{
	uint8_t digest[HF_CHAP_DIGEST_MAX];
	int len;

	if (!l->account || l->chap.state != HF_CHAP_WAIT_RESPONSE)
		return;
	len = hf_chap_digest(l->chap.algorithm, l->chap.id, l->account->secret, l->chap.challenge,
		sizeof(l->chap.challenge), digest);
	if (len < 0)
		return;
	if (base64)
		put_base64(w, digest, (unsigned)len);
	else
		put_hex(w, digest, (unsigned)len);
}

/* The text of a step with what stands for something replaced; how many bytes it has. */
static uint16_t expand(const struct hf_login *l, const uint8_t *text, size_t len)
{
	struct hf_wr w = hf_wr_of(expanded, sizeof(expanded));

	for (size_t i = 0; i < len; i++) {
		uint8_t what = text[i] == '@' && i + 1 < len ? text[++i] : 0;

		if (what == 'x' || what == 'b')
			put_answer(&w, l, what == 'b');
		else if (what == 'c')
			put_hex(&w, l->chap.challenge, sizeof(l->chap.challenge));
		else
			hf_wr_u8(&w, text[i]);
	}
	return (uint16_t)hf_wr_len(&w);
}

static void check_params(const struct hf_iscsi_params *p)
{
	hf_assert(p->max_send_bytes >= 512 && p->max_send_bytes <= 0xffffff);
	hf_assert(p->max_burst_bytes >= 512 && p->max_burst_bytes <= 262144);
	hf_assert(p->max_outstanding_r2t >= 1 && p->max_outstanding_r2t <= HF_R2T_MAX);
}

/* False: the login is over. */
static bool login_step(struct hf_login *l, struct hf_rd *r)
{
	struct hf_pdu pdu = {
		.opcode = HF_ISCSI_LOGIN, .immediate = true, .lun = UINT64_C(0x23d0000010000)};
	const uint8_t *text;
	enum hf_login_next next;
	uint16_t len;

	pdu.flags = hf_rd_u8(r);
	len = hf_rd_u16(r);
	text = hf_rd_take(r, len);
	if (hf_rd_failed(r))
		return false;
	pdu.data_bytes = expand(l, text, len);
	next = hf_login_step(l, &pdu, expanded);
	hf_assert(l->out_len <= HF_LOGIN_SEGMENT_MAX);
	hf_assert((next == HF_LOGIN_FAIL) == (l->status != HF_LOGIN_SUCCESS));
	hf_assert(*hf_login_status_text(l->status));
	/* Without an account nobody comes in who has not proven it. */
	if (next == HF_LOGIN_COMPLETE && l->account && !l->none_ok)
		hf_assert(l->chap.state == HF_CHAP_PROVEN);
	check_params(&l->params);
	return next == HF_LOGIN_REPLY;
}

static void configure(uint8_t how)
{
	const char *mutual = how & SAME_SECRET ? config.chap.secret : "ba9876543210";

	config.allow_none = how & ALLOW_NONE;
	config.has_chap = how & HAS_CHAP;
	config.has_mutual_chap = how & MUTUAL;
	config.digests_required = how & DIGESTS;
	config.acl = how & ACCESS_LIST ? acl : NULL;
	/* Everybody may come in, or only who is named. */
	config.acl_len = how & ACCESS_LIST ? (how & ALLOW_NONE ? 2 : 1) : 0;
	memcpy(config.mutual_chap.secret, mutual, strlen(mutual) + 1);
	config.discovery_needs_chap = how & DISCOVERY_PROVES;
	memcpy(config.target_alias, how & NO_ALIAS ? "" : "disks", how & NO_ALIAS ? 1 : 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hf_login login;
	static struct hf_text text;
	uint8_t random[HF_LOGIN_RANDOM_BYTES] = {1, 2, 3};
	struct hf_rd r = hf_rd_of(data, size);
	uint8_t how = hf_rd_u8(&r);

	configure(how);
	hf_login_init(&login, &config, random);
	while (hf_rd_left(&r) && login_step(&login, &r))
		;
	text.in_len = HF_MIN(hf_rd_left(&r), sizeof(text.in));
	memcpy(text.in, r.at, text.in_len);
	if (!hf_text_answer(&text, &config, &login.params))
		hf_assert(text.out_len <= sizeof(text.out));
	check_params(&login.params);
	return 0;
}
