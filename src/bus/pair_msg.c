/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of the pair and range machines as bytes. Strict: one encoding per message, anything else
 * is refused. Pure; called by pair_engine.c, the simulator and the fuzzer.
 *
 *	pair:	version 1, kind 1, flag 1, zero 1, dev 4, n 8, digest 8, reason 2, op length 2, op
 *	range:	version 1, kind 1, zero 2, dev 4, id 8, lba 8, blocks 4
 */
#include "range.h"

#define VERSION 1

int hf_pair_msg_encode(const struct hf_pair_msg *m, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_assert((m->kind == HF_PAIR_MSG_ASK) == (m->op_len > 0));
	hf_assert(m->op_len <= HF_OP_MAX_BYTES);
	hf_wr_u8(&w, VERSION);
	hf_wr_u8(&w, (uint8_t)m->kind);
	hf_wr_u8(&w, m->flag);
	hf_wr_u8(&w, 0);
	hf_wr_u32(&w, m->dev);
	hf_wr_u64(&w, m->n);
	hf_wr_u64(&w, m->digest);
	hf_wr_u16(&w, m->reason);
	hf_wr_u16(&w, (uint16_t)m->op_len);
	hf_wr_bytes(&w, m->op, m->op_len);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

static bool is_pair_kind(unsigned kind)
{
	return kind >= HF_PAIR_MSG_ASK && kind <= HF_PAIR_MSG_PICKED;
}

int hf_pair_msg_decode(const uint8_t *buf, size_t len, struct hf_pair_msg *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	unsigned version = hf_rd_u8(&r), kind = hf_rd_u8(&r), flag = hf_rd_u8(&r);
	unsigned zero = hf_rd_u8(&r);
	struct hf_pair_msg m = {.dev = hf_rd_u32(&r)};

	m.n = hf_rd_u64(&r);
	m.digest = hf_rd_u64(&r);
	m.reason = hf_rd_u16(&r);
	m.op_len = hf_rd_u16(&r);
	if (m.op_len)
		m.op = hf_rd_take(&r, m.op_len);
	if (hf_rd_failed(&r) || hf_rd_left(&r) || version != VERSION || !is_pair_kind(kind))
		return -EBADMSG;
	if (flag > 1 || zero || m.op_len > HF_OP_MAX_BYTES)
		return -EBADMSG;
	if ((kind == HF_PAIR_MSG_ASK) != (m.op_len > 0))
		return -EBADMSG;
	m.kind = (enum hf_pair_msg_kind)kind;
	m.flag = flag;
	*ret = m;
	return 0;
}

const char *hf_pair_msg_name(enum hf_pair_msg_kind kind)
{
	static const char *const names[] = {"?", "ask", "held", "refused", "settled", "pass",
		"cancel", "cancelled", "unable", "stop", "pick", "picked"};

	return is_pair_kind(kind) ? names[kind] : "?";
}

int hf_range_msg_encode(const struct hf_range_msg *m, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_wr_u8(&w, VERSION);
	hf_wr_u8(&w, (uint8_t)m->kind);
	hf_wr_u16(&w, 0);
	hf_wr_u32(&w, m->dev);
	hf_wr_u64(&w, m->id);
	hf_wr_u64(&w, m->lba);
	hf_wr_u32(&w, m->blocks);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

static bool is_range_kind(unsigned kind)
{
	return kind >= HF_RANGE_MSG_ASK && kind <= HF_RANGE_MSG_SYNCED;
}

int hf_range_msg_decode(const uint8_t *buf, size_t len, struct hf_range_msg *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	unsigned version = hf_rd_u8(&r), kind = hf_rd_u8(&r), zero = hf_rd_u16(&r);
	struct hf_range_msg m = {.dev = hf_rd_u32(&r)};

	m.id = hf_rd_u64(&r);
	m.lba = hf_rd_u64(&r);
	m.blocks = hf_rd_u32(&r);
	if (hf_rd_failed(&r) || hf_rd_left(&r) || version != VERSION || zero)
		return -EBADMSG;
	if (!is_range_kind(kind) || (kind == HF_RANGE_MSG_SYNCED) != (m.id == 0))
		return -EBADMSG;
	if ((kind == HF_RANGE_MSG_ASK) != (m.blocks > 0) || m.lba + m.blocks < m.lba)
		return -EBADMSG;
	if (kind != HF_RANGE_MSG_ASK && m.lba)
		return -EBADMSG;
	m.kind = (enum hf_range_msg_kind)kind;
	*ret = m;
	return 0;
}

const char *hf_range_msg_name(enum hf_range_msg_kind kind)
{
	static const char *const names[] = {"ask", "grant", "release", "synced"};

	return is_range_kind(kind) ? names[kind - HF_RANGE_MSG_ASK] : "?";
}
