/* SPDX-License-Identifier: BSD-3-Clause */
/* The race over the voting disks; see race.h. Pure. */
#include "race.h"

#include "bytes.h"

#define MAGIC	0x48465243u /* "HFRC" */
#define VERSION 1

enum {
	BALLOT_ID_BITS = 8,
	WAIT_LOW_MS = 5, /* the lower id tries again sooner, so that one of them gets through */
	WAIT_HIGH_MS = 40,
	WAIT_DOUBLINGS = 5,
};

void hf_race_part_encode(const struct hf_race_part *p, uint8_t buf[HF_RACE_BYTES])
{
	struct hf_wr w = hf_wr_of(buf, HF_RACE_BYTES);

	hf_wr_u32(&w, MAGIC);
	hf_wr_u16(&w, VERSION);
	hf_wr_u8(&w, p->value);
	hf_wr_u8(&w, 0);
	hf_wr_u64(&w, p->epoch);
	hf_wr_u32(&w, p->round);
	hf_wr_u64(&w, p->mbal);
	hf_wr_u64(&w, p->bal);
	hf_wr_zero(&w, HF_RACE_BYTES - hf_wr_len(&w));
	hf_assert(!hf_wr_failed(&w));
}

int hf_race_part_decode(const uint8_t *buf, size_t len, struct hf_race_part *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_race_part p = {0};

	if (len != HF_RACE_BYTES || hf_rd_u32(&r) != MAGIC || hf_rd_u16(&r) != VERSION)
		return -EBADMSG;
	p.value = hf_rd_u8(&r);
	hf_rd_u8(&r);
	p.epoch = hf_rd_u64(&r);
	p.round = hf_rd_u32(&r);
	p.mbal = hf_rd_u64(&r);
	p.bal = hf_rd_u64(&r);
	if (!p.epoch || p.bal > p.mbal || (p.bal != 0) != (p.value != 0))
		return -EBADMSG;
	*ret = p;
	return 0;
}

void hf_race_init(struct hf_race *r, uint8_t id, uint8_t peer_id)
{
	memset(r, 0, sizeof(*r));
	r->id = id;
	r->peer_id = peer_id;
}

static struct hf_race_effect tell(struct hf_race *r, enum hf_race_result result)
{
	r->step = HF_RACE_IDLE;
	return (struct hf_race_effect){.kind = HF_RACE_DO_TELL, .result = result};
}

static struct hf_race_effect write_own(struct hf_race *r, enum hf_race_step step)
{
	struct hf_race_effect e = {.kind = HF_RACE_DO_WRITE};

	r->step = step;
	hf_race_part_encode(&r->own, e.buf);
	return e;
}

/* Ballots of two controllers never are equal: the lower bits are the id. */
static struct hf_race_effect attempt(struct hf_race *r)
{
	uint64_t count = (HF_MAX(r->own.mbal, r->peer.mbal) >> BALLOT_ID_BITS) + 1;

	r->attempts++;
	r->own.mbal = count << BALLOT_ID_BITS | r->id;
	return write_own(r, HF_RACE_WRITE_BALLOT);
}

static void enter_round(struct hf_race *r, uint32_t round)
{
	r->own = (struct hf_race_part){.epoch = r->epoch, .round = round};
}

static struct hf_race_effect start(struct hf_race *r, const struct hf_race_event *ev)
{
	hf_assert(r->step == HF_RACE_IDLE && ev->epoch);
	r->epoch = ev->epoch;
	r->overrule = ev->overrule;
	r->attempts = 0;
	memset(&r->own, 0, sizeof(r->own));
	memset(&r->peer, 0, sizeof(r->peer));
	r->step = HF_RACE_READ_OWN;
	return (struct hf_race_effect){.kind = HF_RACE_DO_READ_OWN};
}

/* A part from before a restart still counts: it may be what the other has agreed to. */
static struct hf_race_effect read_own(struct hf_race *r, const struct hf_race_part *p)
{
	if (p->epoch > r->epoch)
		return tell(r, HF_RACE_OVER);
	r->own = *p;
	r->inherited = p->epoch == r->epoch && p->value == r->id;
	if (p->epoch < r->epoch)
		enter_round(r, 0);
	else if (r->overrule)
		enter_round(r, p->round + 1);
	return attempt(r);
}

static struct hf_race_effect choose(struct hf_race *r)
{
	if (r->peer.bal > r->own.bal)
		r->own.value = r->peer.value;
	else if (!r->own.bal)
		r->own.value = r->id;
	r->own.bal = r->own.mbal;
	return write_own(r, HF_RACE_WRITE_VALUE);
}

static struct hf_race_effect wait(struct hf_race *r)
{
	uint64_t ms = r->id < r->peer_id ? WAIT_LOW_MS : WAIT_HIGH_MS;

	r->step = HF_RACE_WAIT;
	ms <<= HF_MIN(r->attempts, (unsigned)WAIT_DOUBLINGS);
	return (struct hf_race_effect){.kind = HF_RACE_DO_WAIT, .wait_ns = ms * 1000000};
}

static struct hf_race_effect read_peer(struct hf_race *r, const struct hf_race_part *p)
{
	if (p->epoch > r->epoch)
		return tell(r, HF_RACE_OVER);
	if (p->epoch == r->epoch && p->round > r->own.round) {
		r->peer = *p;
		enter_round(r, p->round);
		return attempt(r);
	}
	memset(&r->peer, 0, sizeof(r->peer));
	if (p->epoch == r->epoch && p->round == r->own.round)
		r->peer = *p;
	if (r->peer.mbal > r->own.mbal)
		return wait(r);
	if (r->step == HF_RACE_READ_BALLOT)
		return choose(r);
	return tell(r, r->own.value == r->id ? HF_RACE_WON : HF_RACE_LOST);
}

static struct hf_race_effect read_done(struct hf_race *r, const struct hf_race_event *ev)
{
	struct hf_race_part p = {0};

	if (ev->result < 0 ||
		(ev->result > 0 && hf_race_part_decode(ev->buf, (size_t)ev->result, &p) < 0))
		return tell(r, HF_RACE_FAILED);
	return r->step == HF_RACE_READ_OWN ? read_own(r, &p) : read_peer(r, &p);
}

static struct hf_race_effect written(struct hf_race *r, int result)
{
	/* In doubt is no harm: what may be out there is what was meant to be. */
	if (result < 0)
		return tell(r, HF_RACE_FAILED);
	r->step = r->step == HF_RACE_WRITE_BALLOT ? HF_RACE_READ_BALLOT : HF_RACE_READ_VALUE;
	return (struct hf_race_effect){.kind = HF_RACE_DO_READ_PEER};
}

struct hf_race_effect hf_race_step(struct hf_race *r, const struct hf_race_event *ev)
{
	switch (ev->kind) {
	case HF_RACE_START:
		return start(r, ev);
	case HF_RACE_READ:
		hf_assert(r->step == HF_RACE_READ_OWN || r->step == HF_RACE_READ_BALLOT ||
			  r->step == HF_RACE_READ_VALUE);
		return read_done(r, ev);
	case HF_RACE_WRITTEN:
		hf_assert(r->step == HF_RACE_WRITE_BALLOT || r->step == HF_RACE_WRITE_VALUE);
		return written(r, ev->result);
	case HF_RACE_TIMER:
		if (r->step == HF_RACE_WAIT)
			return attempt(r);
		break;
	}
	return (struct hf_race_effect){.kind = HF_RACE_DO_NOTHING};
}
