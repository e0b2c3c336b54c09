/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages of the group engine as bytes: a row per kind says which fields it has. */
#include "group_msg.h"

#include "bytes.h"

#define VERSION 1

enum {
	F_DEV = 1,
	F_SEQ = 2,
	F_TURN = 4,
	F_N = 8,
	F_DIGEST = 16,
	F_RANGE = 32, /* lba, blocks */
	F_PIECE = 64, /* total, at */
	F_REASON = 128,
	F_FLAG = 256,
	F_PLAN = 512, /* plan, absent, refused */
	F_LIVE = 1024,
	F_VIEW = 2048,
	F_EPOCH = 4096,
	F_BODY = 8192,
};

static const struct {
	const char *name;
	unsigned fields;
} kinds[HF_GROUP_MSG_KINDS] = {
	[HF_GROUP_MSG_BEGIN] = {"begin", 0},
	[HF_GROUP_MSG_DEVS] = {"devs", F_EPOCH | F_BODY},
	[HF_GROUP_MSG_RANGES] = {"ranges", F_BODY},
	[HF_GROUP_MSG_STATE] = {"state", F_LIVE | F_VIEW | F_BODY},
	[HF_GROUP_MSG_PLAN] = {"plan", F_PLAN | F_LIVE | F_VIEW | F_BODY},
	[HF_GROUP_MSG_VIEW] = {"view", F_VIEW},
	[HF_GROUP_MSG_PROPOSE] = {"propose", F_DEV | F_SEQ | F_FLAG | F_BODY},
	[HF_GROUP_MSG_ACK] = {"ack", F_DEV | F_TURN | F_DIGEST},
	[HF_GROUP_MSG_NACK] = {"nack", F_DEV | F_TURN | F_REASON},
	[HF_GROUP_MSG_DROPPED] = {"dropped", F_DEV | F_TURN},
	[HF_GROUP_MSG_SETTLED] = {"settled", F_DEV | F_TURN},
	[HF_GROUP_MSG_CUT] = {"cut", F_DEV},
	[HF_GROUP_MSG_COPY] = {"copy", F_DEV | F_TURN | F_N | F_PIECE | F_BODY},
	[HF_GROUP_MSG_COPIED] = {"copied", F_DEV},
	[HF_GROUP_MSG_COPY_END] = {"copy-end", 0},
	[HF_GROUP_MSG_READY] = {"ready", 0},
	[HF_GROUP_MSG_LEAVE] = {"leave", 0},
	[HF_GROUP_MSG_WORD] = {"word", F_FLAG},
	[HF_GROUP_MSG_RANGE_ASK] = {"range-ask", F_DEV | F_SEQ | F_RANGE},
	[HF_GROUP_MSG_RANGE_GRANT] = {"range-grant", F_DEV | F_SEQ},
	[HF_GROUP_MSG_RANGE_RELEASE] = {"range-release", F_DEV | F_SEQ},
	[HF_GROUP_MSG_BEAT] = {"beat", F_SEQ},
};

const char *hf_group_msg_name(enum hf_group_msg_kind kind)
{
	const char *name = (unsigned)kind < HF_ARRAY_LEN(kinds) ? kinds[kind].name : NULL;

	return name ? name : "?";
}

static void put_view(struct hf_wr *w, const struct hf_view_record *v)
{
	hf_wr_u64(w, v->epoch);
	hf_wr_u32(w, v->members);
	for (unsigned i = 0; i < HF_CONTROLLER_IDS; i++)
		if (v->members >> i & 1)
			hf_wr_u64(w, v->incarnations[i]);
}

static bool get_view(struct hf_rd *r, struct hf_view_record *ret)
{
	ret->epoch = hf_rd_u64(r);
	ret->members = hf_rd_u32(r);
	for (unsigned i = 0; i < HF_CONTROLLER_IDS; i++) {
		if (!(ret->members >> i & 1))
			continue;
		ret->incarnations[i] = hf_rd_u64(r);
		if (!ret->incarnations[i])
			return false;
	}
	return !(ret->members >> HF_CONTROLLER_IDS) && (ret->epoch != 0) == (ret->members != 0);
}

int hf_group_msg_encode(const struct hf_group_msg *m, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);
	unsigned f = kinds[m->kind].fields;

	hf_assert(kinds[m->kind].name && (f & F_BODY || !m->body_len));
	hf_wr_u8(&w, VERSION);
	hf_wr_u8(&w, (uint8_t)m->kind);
	hf_wr_u8(&w, m->from);
	hf_wr_u64(&w, m->tag);
	if (f & F_DEV)
		hf_wr_u32(&w, m->dev);
	if (f & F_SEQ)
		hf_wr_u64(&w, m->seq);
	if (f & F_TURN)
		hf_wr_u64(&w, m->turn);
	if (f & F_N)
		hf_wr_u64(&w, m->n);
	if (f & F_DIGEST)
		hf_wr_u64(&w, m->digest);
	if (f & F_RANGE) {
		hf_wr_u64(&w, m->lba);
		hf_wr_u32(&w, m->blocks);
	}
	if (f & F_PIECE) {
		hf_wr_u32(&w, m->total);
		hf_wr_u32(&w, m->at);
	}
	if (f & F_REASON)
		hf_wr_u16(&w, m->reason);
	if (f & F_FLAG)
		hf_wr_u8(&w, m->flag);
	if (f & F_PLAN) {
		hf_wr_u8(&w, (uint8_t)m->plan);
		hf_wr_u32(&w, m->absent);
		hf_wr_u32(&w, m->refused);
	}
	if (f & F_LIVE)
		hf_wr_u32(&w, m->live);
	if (f & F_VIEW)
		put_view(&w, &m->view);
	if (f & F_EPOCH)
		hf_wr_u64(&w, m->view.epoch);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

static bool is_sound(const struct hf_group_msg *m, unsigned f)
{
	if (!m->from || m->from >= HF_CONTROLLER_IDS || !m->tag)
		return false;
	if (f & F_PLAN && (m->plan < HF_GROUP_PLAN_WAIT || m->plan > HF_GROUP_PLAN_ACTIVE))
		return false;
	if (f & F_RANGE && (!m->blocks || m->lba + m->blocks < m->lba))
		return false;
	if (f & F_PIECE && (m->at > m->total || m->body_len > m->total - m->at))
		return false;
	if (m->kind == HF_GROUP_MSG_PROPOSE && (!m->body_len || m->body_len > HF_OP_MAX_BYTES))
		return false;
	return f & F_BODY ? m->body_len <= HF_GROUP_BODY_MAX : m->body_len == 0;
}

int hf_group_msg_decode(const uint8_t *buf, size_t len, struct hf_group_msg *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_group_msg m = {0};
	uint8_t version = hf_rd_u8(&r), kind = hf_rd_u8(&r);
	unsigned f;

	if (version != VERSION || kind >= HF_GROUP_MSG_KINDS || !kinds[kind].name)
		return -EBADMSG;
	m.kind = kind;
	m.from = hf_rd_u8(&r);
	m.tag = hf_rd_u64(&r);
	f = kinds[kind].fields;
	if (f & F_DEV)
		m.dev = hf_rd_u32(&r);
	if (f & F_SEQ)
		m.seq = hf_rd_u64(&r);
	if (f & F_TURN)
		m.turn = hf_rd_u64(&r);
	if (f & F_N)
		m.n = hf_rd_u64(&r);
	if (f & F_DIGEST)
		m.digest = hf_rd_u64(&r);
	if (f & F_RANGE) {
		m.lba = hf_rd_u64(&r);
		m.blocks = hf_rd_u32(&r);
	}
	if (f & F_PIECE) {
		m.total = hf_rd_u32(&r);
		m.at = hf_rd_u32(&r);
	}
	if (f & F_REASON)
		m.reason = hf_rd_u16(&r);
	if (f & F_FLAG)
		m.flag = hf_rd_u8(&r);
	if (f & F_PLAN) {
		m.plan = hf_rd_u8(&r);
		m.absent = hf_rd_u32(&r);
		m.refused = hf_rd_u32(&r);
	}
	if (f & F_LIVE)
		m.live = hf_rd_u32(&r);
	if (f & F_VIEW && !get_view(&r, &m.view))
		return -EBADMSG;
	if (f & F_EPOCH)
		m.view.epoch = hf_rd_u64(&r);
	m.body_len = hf_rd_left(&r);
	m.body = hf_rd_take(&r, m.body_len);
	if (hf_rd_failed(&r) || !is_sound(&m, f))
		return -EBADMSG;
	*ret = m;
	return 0;
}

/* --- entries --- */

int hf_group_dev_entry_encode(const struct hf_group_dev_entry *e, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_wr_u32(&w, e->dev);
	hf_wr_u64(&w, e->turn);
	hf_wr_u64(&w, e->n);
	hf_wr_u64(&w, e->digest);
	hf_wr_u64(&w, e->out_seq);
	hf_wr_u8(&w, (uint8_t)e->phase);
	if (e->phase == HF_GROUP_HELD) {
		hf_wr_u8(&w, e->op_from);
		hf_wr_u64(&w, e->op_seq);
		hf_wr_u8(&w, (uint8_t)(e->owed | e->agreed << 1));
		hf_wr_u16(&w, (uint16_t)e->op_len);
		hf_wr_bytes(&w, e->op, e->op_len);
	}
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

int hf_group_dev_entry_decode(const uint8_t *buf, size_t len, struct hf_group_dev_entry *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_group_dev_entry e = {0};
	uint8_t phase, flags;

	e.dev = hf_rd_u32(&r);
	e.turn = hf_rd_u64(&r);
	e.n = hf_rd_u64(&r);
	e.digest = hf_rd_u64(&r);
	e.out_seq = hf_rd_u64(&r);
	phase = hf_rd_u8(&r);
	if (phase > HF_GROUP_STOPPED)
		return -EBADMSG;
	e.phase = phase;
	if (e.phase == HF_GROUP_HELD) {
		e.op_from = hf_rd_u8(&r);
		e.op_seq = hf_rd_u64(&r);
		flags = hf_rd_u8(&r);
		e.owed = flags & 1;
		e.agreed = flags >> 1 & 1;
		e.op_len = hf_rd_u16(&r);
		e.op = hf_rd_take(&r, e.op_len);
		if (!e.op_from || e.op_from >= HF_CONTROLLER_IDS || flags > 3 || !e.op_len ||
			e.op_len > HF_OP_MAX_BYTES)
			return -EBADMSG;
	}
	if (hf_rd_failed(&r))
		return -EBADMSG;
	*ret = e;
	return (int)(len - hf_rd_left(&r));
}

int hf_group_range_entry_encode(const struct hf_group_range_entry *e, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_wr_u32(&w, e->dev);
	hf_wr_u64(&w, e->id);
	hf_wr_u64(&w, e->lba);
	hf_wr_u32(&w, e->blocks);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

int hf_group_range_entry_decode(const uint8_t *buf, size_t len, struct hf_group_range_entry *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_group_range_entry e;

	e.dev = hf_rd_u32(&r);
	e.id = hf_rd_u64(&r);
	e.lba = hf_rd_u64(&r);
	e.blocks = hf_rd_u32(&r);
	if (hf_rd_failed(&r) || !e.id || !e.blocks || e.lba + e.blocks < e.lba)
		return -EBADMSG;
	*ret = e;
	return (int)(len - hf_rd_left(&r));
}
