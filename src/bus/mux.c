/* SPDX-License-Identifier: BSD-3-Clause */
/* The stream over several links. Never sends or reads anything itself: conn_tcp.c does. */
#include "mux.h"

#include "bytes.h"

#define ENTRY_HEAD    16
#define ENTRY_WRAP    UINT32_MAX /* the rest of the arena up to its end is unused */
#define OWED_COUNT    8		 /* acknowledge after so many messages ... */
#define OWED_BYTES    (24 << 10) /* ... or bytes, else with the next frame or tick */
#define TICKS_SILENCE 20	 /* ticks in the detection time */

/* Head of an entry in the arena; 16 bytes, so that a wrap mark always fits. */
struct entry {
	uint32_t len;
	uint32_t unused;
	uint64_t since_ns;
};

static struct entry entry_at(const struct hf_mux *m, uint64_t pos)
{
	struct entry e;

	memcpy(&e, m->arena + pos % m->cap, sizeof(e));
	return e;
}

/* Skips a wrap mark, if there is one at pos. */
static uint64_t entry_pos(const struct hf_mux *m, uint64_t pos)
{
	if (pos != m->tail && entry_at(m, pos).len == ENTRY_WRAP)
		pos = HF_ROUND_UP(pos + 1, m->cap);
	return pos;
}

static uint64_t entry_end(const struct hf_mux *m, uint64_t pos)
{
	return pos + ENTRY_HEAD + HF_ROUND_UP((uint64_t)entry_at(m, pos).len, 16);
}

void hf_mux_init(
	struct hf_mux *m, uint8_t *arena, size_t cap, uint64_t silence_ns, uint64_t beat_ns)
{
	hf_assert(cap >= 2 * HF_MUX_FRAME_MAX && cap % 16 == 0 && silence_ns >= TICKS_SILENCE);
	memset(m, 0, sizeof(*m));
	m->arena = arena;
	m->cap = cap;
	m->silence_ns = silence_ns;
	m->beat_ns = beat_ns ? HF_MIN(beat_ns, silence_ns / 3) : silence_ns / 8;
	m->active = HF_MUX_NONE;
}

void hf_mux_begin(struct hf_mux *m, uint64_t now_ns)
{
	hf_mux_end(m);
	m->head = m->cursor = m->tail = 0;
	m->head_seq = m->cursor_seq = m->tail_seq = 1;
	m->seen = m->acked = 0;
	m->owed_bytes = 0;
	m->ack_now = false;
	m->heard_ns = now_ns;
	m->begun = true;
}

void hf_mux_end(struct hf_mux *m)
{
	for (unsigned i = 0; i < HF_MUX_LINKS_MAX; i++)
		m->links[i].up = false;
	m->active = HF_MUX_NONE;
	m->begun = false;
}

/* From now on messages go out on this link, first of all those that nobody has acknowledged. */
static void activate(struct hf_mux *m, unsigned link, uint64_t now_ns)
{
	m->switches++;
	m->active = (uint8_t)link;
	m->active_since_ns = now_ns;
	m->cursor = m->head;
	m->cursor_seq = m->head_seq;
}

/* The link that was heard last, HF_MUX_NONE when none is up. */
static unsigned freshest(const struct hf_mux *m)
{
	unsigned best = HF_MUX_NONE;

	for (unsigned i = 0; i < HF_MUX_LINKS_MAX; i++) {
		if (!m->links[i].up)
			continue;
		if (best == HF_MUX_NONE || m->links[i].heard_ns > m->links[best].heard_ns)
			best = i;
	}
	return best;
}

static void heard(struct hf_mux *m, struct hf_mux_link *l, uint64_t stamp_ns)
{
	l->heard_ns = HF_MAX(l->heard_ns, stamp_ns);
	m->heard_ns = HF_MAX(m->heard_ns, stamp_ns);
}

void hf_mux_link_up(struct hf_mux *m, unsigned link, uint64_t heard_ns, uint64_t now_ns)
{
	struct hf_mux_link *l = &m->links[link];

	hf_assert(link < HF_MUX_LINKS_MAX && m->begun && !l->up);
	*l = (struct hf_mux_link){.up = true, .heard_ns = heard_ns, .beat_due_ns = now_ns};
	heard(m, l, heard_ns);
	if (m->active == HF_MUX_NONE)
		activate(m, link, now_ns);
}

void hf_mux_link_down(struct hf_mux *m, unsigned link, uint64_t now_ns)
{
	unsigned next;

	hf_assert(link < HF_MUX_LINKS_MAX);
	if (!m->links[link].up)
		return;
	m->links[link].up = false;
	if (m->active != link)
		return;
	next = freshest(m);
	if (next != HF_MUX_NONE)
		activate(m, next, now_ns);
	else
		m->active = HF_MUX_NONE;
}

/* Position of an entry of `need` bytes; false when the arena is full. */
static bool arena_take(struct hf_mux *m, size_t need, uint64_t *ret_pos)
{
	struct entry wrap = {.len = ENTRY_WRAP};
	size_t to_end;
	uint64_t pos = m->tail;

	if (m->head == m->tail)
		m->head = m->cursor = m->tail = pos = 0; /* keeps the touched memory small */
	to_end = m->cap - pos % m->cap;
	if (to_end < need)
		pos += to_end;
	if (pos + need - m->head > m->cap)
		return false;
	if (to_end < need) {
		memcpy(m->arena + m->tail % m->cap, &wrap, sizeof(wrap));
		/* What was all sent stays all sent: the cursor waits at the new entry. */
		if (m->cursor == m->tail)
			m->cursor = pos;
	}
	*ret_pos = pos;
	return true;
}

int hf_mux_send(struct hf_mux *m, const void *head, size_t head_len, const void *body,
	size_t body_len, uint64_t now_ns)
{
	struct entry e = {.len = (uint32_t)(head_len + body_len), .since_ns = now_ns};
	size_t need = ENTRY_HEAD + HF_ROUND_UP(head_len + body_len, 16);
	uint8_t *at;
	uint64_t pos;

	if (!m->begun)
		return -ENOTCONN;
	if (head_len + body_len > HF_MUX_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (!arena_take(m, need, &pos))
		return -ENOBUFS;
	at = m->arena + pos % m->cap;
	memcpy(at, &e, sizeof(e));
	if (head_len)
		memcpy(at + ENTRY_HEAD, head, head_len);
	if (body_len)
		memcpy(at + ENTRY_HEAD + head_len, body, body_len);
	m->tail = pos + need;
	m->tail_seq++;
	return 0;
}

size_t hf_mux_unacked_bytes(const struct hf_mux *m)
{
	return (size_t)(m->tail - m->head);
}

/* An ack goes with this frame. */
static uint64_t take_ack(struct hf_mux *m)
{
	m->acked = m->seen;
	m->owed_bytes = 0;
	m->ack_now = false;
	return m->seen;
}

static void put_beat(struct hf_mux *m, struct hf_mux_link *l, uint64_t now_ns, struct hf_wr *w)
{
	l->beat_due_ns = now_ns + m->beat_ns;
	hf_wr_u8(w, HF_MUX_BEAT);
	hf_wr_u64(w, now_ns);
	hf_wr_u64(w, l->stamp);
	hf_wr_u64(w, l->stamp ? now_ns - l->stamp_at_ns : 0);
	hf_wr_u64(w, take_ack(m));
}

static void put_data(struct hf_mux *m, struct hf_wr *w)
{
	struct entry e;

	m->cursor = entry_pos(m, m->cursor);
	e = entry_at(m, m->cursor);
	hf_wr_u8(w, HF_MUX_DATA);
	hf_wr_u64(w, m->cursor_seq);
	hf_wr_u64(w, take_ack(m));
	hf_wr_bytes(w, m->arena + m->cursor % m->cap + ENTRY_HEAD, e.len);
	m->cursor = entry_end(m, m->cursor);
	m->cursor_seq++;
}

size_t hf_mux_next(struct hf_mux *m, unsigned link, uint64_t now_ns, uint8_t *buf)
{
	struct hf_mux_link *l = &m->links[link];
	struct hf_wr w = hf_wr_of(buf, HF_MUX_FRAME_MAX);

	hf_assert(link < HF_MUX_LINKS_MAX);
	if (!l->up)
		return 0;
	if (l->beat_due_ns <= now_ns) {
		put_beat(m, l, now_ns, &w);
	} else if (link == m->active && m->cursor_seq != m->tail_seq) {
		put_data(m, &w);
	} else if (m->ack_now && link == m->ack_link) {
		hf_wr_u8(&w, HF_MUX_ACK);
		hf_wr_u64(&w, take_ack(m));
	} else {
		return 0;
	}
	hf_assert(!hf_wr_failed(&w));
	l->frames_sent++;
	return hf_wr_len(&w);
}

/* The peer has everything up to and including number `ack`. */
static int acknowledge(struct hf_mux *m, uint64_t ack)
{
	if (ack >= m->tail_seq)
		return -EBADMSG; /* never sent */
	while (m->head_seq <= ack) {
		m->head = entry_end(m, entry_pos(m, m->head));
		m->head_seq++;
	}
	if (m->cursor_seq < m->head_seq) {
		m->cursor_seq = m->head_seq;
		m->cursor = m->head;
	}
	return 0;
}

static int receive_data(
	struct hf_mux *m, unsigned link, struct hf_rd *r, const uint8_t **ret, size_t *ret_len)
{
	uint64_t seq = hf_rd_u64(r), ack = hf_rd_u64(r);

	if (hf_rd_failed(r) || seq == 0 || seq > m->seen + 1 || acknowledge(m, ack) < 0)
		return -EBADMSG;
	m->ack_link = (uint8_t)link;
	if (seq <= m->seen) {
		m->duplicates++;
		m->ack_now = true; /* the sender does not know yet */
		return 0;
	}
	m->seen = seq;
	*ret_len = hf_rd_left(r);
	*ret = hf_rd_take(r, *ret_len);
	m->owed_bytes += *ret_len;
	if (m->seen - m->acked >= OWED_COUNT || m->owed_bytes >= OWED_BYTES)
		m->ack_now = true;
	return 1;
}

static int receive_beat(struct hf_mux *m, struct hf_mux_link *l, struct hf_rd *r, uint64_t now_ns)
{
	uint64_t stamp = hf_rd_u64(r), echo = hf_rd_u64(r), waited = hf_rd_u64(r);
	uint64_t ack = hf_rd_u64(r);

	if (hf_rd_failed(r) || hf_rd_left(r) || echo > now_ns || acknowledge(m, ack) < 0)
		return -EBADMSG;
	l->stamp = stamp;
	l->stamp_at_ns = now_ns;
	if (echo) {
		heard(m, l, echo);
		l->rtt_ns = now_ns - echo - HF_MIN(waited, now_ns - echo);
	}
	return 0;
}

int hf_mux_receive(struct hf_mux *m, unsigned link, const uint8_t *frame, size_t len,
	uint64_t now_ns, const uint8_t **ret_payload, size_t *ret_len)
{
	struct hf_mux_link *l = &m->links[link];
	struct hf_rd r = hf_rd_of(frame, len);
	uint8_t kind = hf_rd_u8(&r);
	uint64_t ack;

	hf_assert(link < HF_MUX_LINKS_MAX && l->up);
	l->frames_received++;
	switch (kind) {
	case HF_MUX_DATA:
		return receive_data(m, link, &r, ret_payload, ret_len);
	case HF_MUX_BEAT:
		return receive_beat(m, l, &r, now_ns);
	case HF_MUX_ACK:
		ack = hf_rd_u64(&r);
		if (hf_rd_failed(&r) || hf_rd_left(&r))
			return -EBADMSG;
		return acknowledge(m, ack);
	default:
		return -EBADMSG;
	}
}

/*
 * TCP repeats what the network loses, so a message that is late means that the link is in trouble.
 * Another one that was heard more recently takes over; if this was hasty, duplicates are dropped.
 */
static void reconsider(struct hf_mux *m, uint64_t now_ns)
{
	unsigned best = freshest(m);
	uint64_t since_ns;
	bool late = false;

	if (best == HF_MUX_NONE || best == m->active || m->active == HF_MUX_NONE)
		return;
	if (m->links[best].heard_ns <= m->links[m->active].heard_ns)
		return;
	if (m->head_seq != m->tail_seq) {
		since_ns = entry_at(m, entry_pos(m, m->head)).since_ns;
		late = now_ns - HF_MAX(since_ns, m->active_since_ns) > m->silence_ns / 4;
	}
	if (late || now_ns - m->links[m->active].heard_ns > m->silence_ns / 2)
		activate(m, best, now_ns);
}

bool hf_mux_tick(struct hf_mux *m, uint64_t now_ns, uint32_t *ret_silent)
{
	*ret_silent = 0;
	if (!m->begun)
		return false;
	if (now_ns - m->heard_ns > m->silence_ns)
		return true;
	if (m->seen != m->acked)
		m->ack_now = true;
	for (unsigned i = 0; i < HF_MUX_LINKS_MAX; i++) {
		struct hf_mux_link *l = &m->links[i];

		if (l->up && now_ns - l->heard_ns > m->silence_ns)
			*ret_silent |= 1u << i;
	}
	reconsider(m, now_ns);
	return false;
}

uint64_t hf_mux_tick_ns(const struct hf_mux *m)
{
	return m->silence_ns / TICKS_SILENCE;
}
