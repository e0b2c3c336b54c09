/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzes the text of login and text requests: the first byte chooses the configuration, the rest is
 * a series of login steps (flags, length, bytes); what remains is answered as a text request.
 */
#include "login.h"
#include "text.h"

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

	pdu.flags = hf_rd_u8(r);
	pdu.data_bytes = hf_rd_u16(r);
	text = hf_rd_take(r, pdu.data_bytes);
	if (hf_rd_failed(r))
		return false;
	next = hf_login_step(l, &pdu, text);
	hf_assert(l->out_len <= HF_LOGIN_SEGMENT_MAX);
	hf_assert((next == HF_LOGIN_FAIL) == (l->status != HF_LOGIN_SUCCESS));
	/* Without an account nobody comes in who has not proven it. */
	if (next == HF_LOGIN_COMPLETE && l->account && !l->none_ok)
		hf_assert(l->chap.state == HF_CHAP_PROVEN);
	check_params(&l->params);
	return next == HF_LOGIN_REPLY;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hf_login login;
	static struct hf_text text;
	uint8_t random[HF_LOGIN_RANDOM_BYTES] = {1, 2, 3};
	struct hf_rd r = hf_rd_of(data, size);
	uint8_t how = hf_rd_u8(&r);

	config.allow_none = how & 1;
	config.has_chap = how & 2;
	config.has_mutual_chap = how & 4;
	config.digests_required = how & 8;
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
