/* SPDX-License-Identifier: BSD-3-Clause */
/* The view record and the messages about the view, as bytes. */
#include "view.h"

#include "bytes.h"

#define RECORD_MAGIC   0x48465652u /* "HFVR" */
#define RECORD_VERSION 1
/* Nothing counts that far: the next epoch never wraps, whatever a record or a peer says. */
#define EPOCH_MAX (UINT64_C(1) << 63)

int hf_view_record_encode(const struct hf_view_record *r, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_wr_u32(&w, RECORD_MAGIC);
	hf_wr_u16(&w, RECORD_VERSION);
	hf_wr_u16(&w, HF_CONTROLLER_IDS);
	hf_wr_u64(&w, r->epoch);
	hf_wr_u32(&w, r->members);
	for (unsigned i = 0; i < HF_CONTROLLER_IDS; i++)
		hf_wr_u64(&w, r->incarnations[i]);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

int hf_view_record_decode(const uint8_t *buf, size_t len, struct hf_view_record *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_view_record v = {0};

	if (hf_rd_u32(&r) != RECORD_MAGIC || hf_rd_u16(&r) != RECORD_VERSION ||
		hf_rd_u16(&r) != HF_CONTROLLER_IDS)
		return -EBADMSG;
	v.epoch = hf_rd_u64(&r);
	v.members = hf_rd_u32(&r);
	for (unsigned i = 0; i < HF_CONTROLLER_IDS; i++) {
		bool is_member = v.members >> i & 1;

		v.incarnations[i] = hf_rd_u64(&r);
		if (is_member != (v.incarnations[i] != 0))
			return -EBADMSG;
	}
	if (hf_rd_failed(&r) || hf_rd_left(&r) || v.epoch == 0 || v.epoch > EPOCH_MAX ||
		v.members == 0 || v.members >> HF_CONTROLLER_IDS)
		return -EBADMSG;
	*ret = v;
	return 0;
}

int hf_view_msg_encode(const struct hf_view_msg *m, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_wr_u8(&w, (uint8_t)m->kind);
	switch (m->kind) {
	case HF_VIEW_MSG_STATE:
	case HF_VIEW_MSG_JOINED:
		hf_wr_u8(&w, (uint8_t)m->state);
		hf_wr_u8(&w, m->live);
		hf_wr_u64(&w, m->epoch);
		hf_wr_u32(&w, m->members);
		hf_wr_u64(&w, m->own);
		hf_wr_u64(&w, m->peer);
		break;
	case HF_VIEW_MSG_READY:
		hf_wr_u64(&w, m->digest);
		break;
	case HF_VIEW_MSG_REFUSED:
		hf_wr_bytes(&w, m->sentence, strnlen(m->sentence, sizeof(m->sentence) - 1));
		break;
	case HF_VIEW_MSG_LEAVE:
	case HF_VIEW_MSG_LEFT:
		break;
	}
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

/* Printable ASCII only: it goes to the log. */
static int decode_sentence(struct hf_rd *r, char *ret, size_t cap)
{
	size_t n = hf_rd_left(r);

	if (n >= cap)
		return -EBADMSG;
	hf_rd_bytes(r, ret, n);
	ret[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (ret[i] < 0x20 || ret[i] > 0x7e)
			ret[i] = '?';
	return 0;
}

static int decode_state(struct hf_rd *r, struct hf_view_msg *m)
{
	uint8_t state = hf_rd_u8(r), live = hf_rd_u8(r);

	m->epoch = hf_rd_u64(r);
	m->members = hf_rd_u32(r);
	m->own = hf_rd_u64(r);
	m->peer = hf_rd_u64(r);
	if (state > HF_VIEW_OUT || live > 1 || m->epoch > EPOCH_MAX)
		return -EBADMSG;
	m->state = (enum hf_view_state)state;
	m->live = live;
	return 0;
}

int hf_view_msg_decode(const uint8_t *buf, size_t len, struct hf_view_msg *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_view_msg m = {.kind = (enum hf_view_msg_kind)hf_rd_u8(&r)};
	int err = 0;

	switch (m.kind) {
	case HF_VIEW_MSG_STATE:
	case HF_VIEW_MSG_JOINED:
		err = decode_state(&r, &m);
		break;
	case HF_VIEW_MSG_READY:
		m.digest = hf_rd_u64(&r);
		break;
	case HF_VIEW_MSG_REFUSED:
		err = decode_sentence(&r, m.sentence, sizeof(m.sentence));
		break;
	case HF_VIEW_MSG_LEAVE:
	case HF_VIEW_MSG_LEFT:
		break;
	default:
		return -EBADMSG;
	}
	if (err < 0 || hf_rd_failed(&r) || hf_rd_left(&r))
		return -EBADMSG;
	*ret = m;
	return 0;
}

const char *hf_view_state_name(enum hf_view_state state)
{
	static const char *const names[] = {
		[HF_VIEW_STARTING] = "starting",
		[HF_VIEW_JOINING] = "joining",
		[HF_VIEW_TOGETHER] = "together",
		[HF_VIEW_FROZEN] = "frozen",
		[HF_VIEW_RACING] = "racing",
		[HF_VIEW_ALONE] = "alone",
		[HF_VIEW_OUT] = "out",
	};

	return (unsigned)state < HF_ARRAY_LEN(names) ? names[state] : "unknown";
}
