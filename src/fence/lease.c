/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases; see lease.h. Pure. */
#include "lease.h"

#include "bytes.h"
#include "canary.h"

#define MAGIC	0x48464c53u /* "HFLS" */
#define VERSION 1

void hf_lease_record_encode(const struct hf_lease_record *r, uint8_t buf[HF_LEASE_BYTES])
{
	struct hf_wr w = hf_wr_of(buf, HF_LEASE_BYTES);

	hf_wr_u32(&w, MAGIC);
	hf_wr_u32(&w, VERSION);
	hf_wr_u64(&w, r->incarnation);
	hf_wr_u64(&w, r->counter);
	hf_wr_u64(&w, r->clear_epoch);
	hf_wr_zero(&w, HF_LEASE_BYTES - hf_wr_len(&w));
	hf_assert(!hf_wr_failed(&w));
}

int hf_lease_record_decode(const uint8_t *buf, size_t len, struct hf_lease_record *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_lease_record v;

	if (len != HF_LEASE_BYTES || hf_rd_u32(&r) != MAGIC || hf_rd_u32(&r) != VERSION)
		return -EBADMSG;
	v.incarnation = hf_rd_u64(&r);
	v.counter = hf_rd_u64(&r);
	v.clear_epoch = hf_rd_u64(&r);
	if (!v.incarnation || !v.counter)
		return -EBADMSG;
	*ret = v;
	return 0;
}

void hf_lease_init(struct hf_lease *l, uint64_t incarnation, uint64_t watchdog_ns, uint64_t path_ns)
{
	memset(l, 0, sizeof(*l));
	l->own.incarnation = incarnation;
	l->watchdog_ns = watchdog_ns;
	l->path_ns = path_ns;
}

static struct hf_lease_effect write_own(struct hf_lease *l)
{
	struct hf_lease_effect e = {.write = true};

	l->step = HF_LEASE_WRITING;
	l->own.counter++;
	hf_lease_record_encode(&l->own, e.buf);
	return e;
}

static struct hf_lease_effect read_next(struct hf_lease *l, uint64_t now)
{
	uint32_t ids = l->victims ? l->victims : l->others;

	l->step = HF_LEASE_IDLE;
	if (!ids)
		return (struct hf_lease_effect){0};
	do
		l->reading = (uint8_t)((l->reading + 1) % HF_CONTROLLER_IDS);
	while (!(ids >> l->reading & 1));
	l->step = HF_LEASE_READING;
	l->read_ns = now;
	return (struct hf_lease_effect){.read = true, .id = l->reading};
}

static struct hf_lease_effect tick(struct hf_lease *l, uint64_t now)
{
	if (l->step != HF_LEASE_IDLE)
		return (struct hf_lease_effect){0};
	return l->losing ? read_next(l, now) : write_own(l);
}

static struct hf_lease_effect written(struct hf_lease *l, int result, uint64_t now)
{
	bool feed = result == 0 && !l->losing;
	struct hf_lease_effect e = read_next(l, now);

	e.feed = feed;
	return e;
}

static bool is_gone(const struct hf_lease *l, unsigned id)
{
	const struct hf_lease_peer *p = &l->peers[id];

	if (!p->known)
		return false;
	/* Started anew: it had its lease before it was a member, so this one is a later one. */
	if (p->record.incarnation != l->incarnations[id] && !l->is_overruled)
		return l->read_ns >= p->incarnation_ns + l->path_ns;
	if (p->record.clear_epoch >= (HF_PLANTED(GROUP_OLD_WORD) ? 1 : l->epoch))
		return true;
	if (HF_PLANTED(LEASE_SHORT))
		return l->read_ns >= p->changed_ns + l->watchdog_ns / 4;
	return l->read_ns >= p->changed_ns + 2 * l->watchdog_ns + l->path_ns;
}

static void look_at(struct hf_lease_peer *p, const struct hf_lease_record *r, uint64_t now)
{
	if (!p->known || r->incarnation != p->record.incarnation)
		p->incarnation_ns = p->changed_ns = now;
	else if (r->counter != p->record.counter)
		p->changed_ns = now;
	p->known = true;
	p->record = *r;
}

static struct hf_lease_effect read_done(struct hf_lease *l, const struct hf_lease_event *ev)
{
	struct hf_lease_effect e = {0};
	struct hf_lease_record r;
	bool is_early = l->is_early;

	l->step = HF_LEASE_IDLE;
	l->is_early = false;
	/* What cannot be read says nothing; time alone never does. */
	if (ev->result < 0 || hf_lease_record_decode(ev->buf, (size_t)ev->result, &r) < 0)
		return e;
	look_at(&l->peers[l->reading], &r, ev->now_ns);
	if (is_early)
		return e;
	if (!(l->victims >> l->reading & 1) || !is_gone(l, l->reading))
		return e;
	l->victims &= ~(1u << l->reading);
	e.fenced = !l->victims;
	return e;
}

bool hf_lease_may_have_run_out(const struct hf_lease *l, uint8_t id, uint64_t now_ns)
{
	const struct hf_lease_peer *p = &l->peers[id];

	return p->known && now_ns >= p->changed_ns + 2 * l->watchdog_ns + l->path_ns;
}

bool hf_lease_is_renewed_since(const struct hf_lease *l, uint8_t id, uint64_t since_ns)
{
	return l->peers[id].known && l->peers[id].changed_ns > since_ns;
}

struct hf_lease_effect hf_lease_step(struct hf_lease *l, const struct hf_lease_event *ev)
{
	switch (ev->kind) {
	case HF_LEASE_TICK:
		return tick(l, ev->now_ns);
	case HF_LEASE_WRITTEN:
		hf_assert(l->step == HF_LEASE_WRITING);
		return written(l, ev->result, ev->now_ns);
	case HF_LEASE_READ:
		hf_assert(l->step == HF_LEASE_READING);
		return read_done(l, ev);
	case HF_LEASE_FENCE:
		/* A read that is out may have seen what the victim wrote over since. */
		l->is_early = l->step == HF_LEASE_READING;
		l->victims = ev->ids;
		l->epoch = ev->epoch;
		l->is_overruled = ev->is_overruled;
		memcpy(l->incarnations, ev->incarnations, sizeof(l->incarnations));
		break;
	case HF_LEASE_END:
		l->victims = 0;
		break;
	case HF_LEASE_LOSE:
		l->losing = true;
		break;
	case HF_LEASE_CLEAR:
		l->own.clear_epoch = HF_MAX(l->own.clear_epoch, ev->epoch);
		l->losing = false;
		break;
	}
	return (struct hf_lease_effect){0};
}
