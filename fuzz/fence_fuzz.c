/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What fences read: parts in a race and leases from the voting disks, keys from a third controller.
 * First byte: which; the bytes alone, or a whole race, lease or job with what disks and time make
 * of it. What is accepted comes back the same; no answer of a disk leads a fence astray.
 */
#include "bytes.h"
#include "lease.h"
#include "pr.h"
#include "race.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void race(const uint8_t *data, size_t size)
{
	uint8_t buf[HF_RACE_BYTES];
	struct hf_race_part p, back;
	struct hf_race r;
	struct hf_race_event start = {.kind = HF_RACE_START, .epoch = 3};
	struct hf_race_event read = {.kind = HF_RACE_READ, .buf = data, .result = (int)size};

	hf_race_init(&r, 1, 2);
	hf_race_step(&r, &start);
	hf_race_step(&r, &read);
	if (hf_race_part_decode(data, size, &p) < 0)
		return;
	hf_race_part_encode(&p, buf);
	hf_assert(hf_race_part_decode(buf, sizeof(buf), &back) == 0);
	hf_assert(p.epoch == back.epoch && p.round == back.round && p.mbal == back.mbal &&
		  p.bal == back.bal && p.value == back.value);
}

static void lease(const uint8_t *data, size_t size)
{
	uint8_t buf[HF_LEASE_BYTES];
	struct hf_lease_record r, back;

	if (hf_lease_record_decode(data, size, &r) < 0)
		return;
	hf_lease_record_encode(&r, buf);
	hf_assert(hf_lease_record_decode(buf, sizeof(buf), &back) == 0);
	hf_assert(r.incarnation == back.incarnation && r.counter == back.counter &&
		  r.clear_epoch == back.clear_epoch);
}

/* A disk that says anything at all to READ KEYS: the fence ends, and never preempts its own key. */
static void keys(const uint8_t *data, size_t size)
{
	struct hf_pr p;
	struct hf_pr_effect e;
	unsigned commands = 0;

	hf_pr_init(&p, 0x0102030405060708);
	e = hf_pr_start(&p, HF_PR_FENCE);
	while (!e.done) {
		hf_assert(++commands < 1000);
		if (e.out && e.action == 5)
			hf_assert(memcmp(e.list, e.list + 8, 8) != 0);
		e = hf_pr_answer(&p, 0, data, HF_MIN(size, (size_t)HF_PR_DATA_BYTES));
	}
}

/* --- whole conversations --- */

static const int results[] = {0, -EIO, -EBADE, -EOPNOTSUPP};

/* The other one's part, or this one's of before: well formed or not. */
static int some_part(struct hf_rd *in, uint8_t buf[HF_RACE_BYTES])
{
	struct hf_race_part p = {0};
	uint8_t how = hf_rd_u8(in);

	if (how % 8 == 0)
		return -EIO;
	if (how % 8 == 1)
		return 0;
	p.epoch = hf_rd_u8(in) & 7;
	p.round = hf_rd_u8(in) & 3;
	p.mbal = hf_rd_u16(in);
	p.bal = hf_rd_u16(in);
	p.value = hf_rd_u8(in) & 3;
	hf_race_part_encode(&p, buf);
	return how % 8 == 2 ? HF_RACE_BYTES - 1 : HF_RACE_BYTES;
}

static void race_told(const struct hf_race *r, enum hf_race_result result)
{
	hf_assert(r->step == HF_RACE_IDLE);
	if (result == HF_RACE_WON || result == HF_RACE_LOST)
		hf_assert((r->own.value == r->id) == (result == HF_RACE_WON));
}

/* Races one after the other; what this one has written itself is what it finds, if so wished. */
static void whole_race(struct hf_rd *in)
{
	uint8_t id = 1 + (hf_rd_u8(in) & 1), buf[HF_RACE_BYTES], own[HF_RACE_BYTES] = {0};
	struct hf_race_event ev = {.kind = HF_RACE_TIMER};
	struct hf_race_part p;
	struct hf_race r;

	hf_race_init(&r, id, 3 - id);
	while (!hf_rd_failed(in)) {
		struct hf_race_effect e = hf_race_step(&r, &ev);

		ev = (struct hf_race_event){.kind = HF_RACE_TIMER, .buf = buf};
		switch (e.kind) {
		case HF_RACE_DO_TELL:
			race_told(&r, e.result);
			break;
		case HF_RACE_DO_NOTHING:
			ev.kind = HF_RACE_START;
			ev.epoch = 1 + (hf_rd_u8(in) & 3);
			ev.overrule = hf_rd_u8(in) & 1;
			break;
		case HF_RACE_DO_READ_OWN:
		case HF_RACE_DO_READ_PEER:
			ev.kind = HF_RACE_READ;
			ev.result = some_part(in, buf);
			if (e.kind == HF_RACE_DO_READ_OWN && ev.result == 0 && own[0]) {
				memcpy(buf, own, sizeof(own));
				ev.result = HF_RACE_BYTES;
			}
			break;
		case HF_RACE_DO_WRITE:
			hf_assert(hf_race_part_decode(e.buf, sizeof(e.buf), &p) == 0);
			hf_assert(p.epoch == r.epoch && (p.mbal & 0xff) == id);
			memcpy(own, e.buf, sizeof(own));
			ev.kind = HF_RACE_WRITTEN;
			ev.result = hf_rd_u8(in) % 8 ? 0 : -EIO;
			break;
		case HF_RACE_DO_WAIT:
			hf_assert(e.wait_ns && e.wait_ns < UINT64_C(2000000000));
			break;
		}
	}
}

enum { WATCHDOG_NS = 1000, PATH_NS = 500 };

static int some_lease(struct hf_rd *in, uint8_t buf[HF_LEASE_BYTES])
{
	struct hf_lease_record r = {0};
	uint8_t how = hf_rd_u8(in);

	if (how % 8 == 0)
		return -EIO;
	if (how % 8 == 1)
		return 0;
	r.incarnation = how >> 3 & 3;
	r.counter = hf_rd_u8(in) & 3;
	r.clear_epoch = hf_rd_u8(in) & 7;
	hf_lease_record_encode(&r, buf);
	return HF_LEASE_BYTES;
}

/* Controller 1 of four. Ticks, ends of I/O and what the fence wants, in any order that may be. */
static void whole_lease(struct hf_rd *in)
{
	uint64_t incarnations[HF_CONTROLLER_IDS] = {0}, now = 1, fence_at = 0, lost_at = 0;
	uint8_t buf[HF_LEASE_BYTES];
	struct hf_lease l;
	bool fencing = false;

	hf_lease_init(&l, 1, WATCHDOG_NS, PATH_NS);
	l.others = 0x1c;
	for (unsigned i = 2; i < 5; i++)
		incarnations[i] = 1 + (hf_rd_u8(in) & 1);
	while (!hf_rd_failed(in)) {
		struct hf_lease_event ev = {.kind = HF_LEASE_TICK, .buf = buf};
		struct hf_lease_effect e;
		uint8_t what = hf_rd_u8(in);

		now += (uint64_t)(what >> 4) * 100;
		ev.now_ns = now;
		if (what % 8 == 0) {
			ev.kind = HF_LEASE_FENCE;
			ev.ids = l.others & hf_rd_u8(in);
			ev.epoch = 3;
			ev.incarnations = incarnations;
			fencing = ev.ids;
			fence_at = now;
		} else if (what % 8 == 1) {
			ev.kind = (enum hf_lease_event_kind)(HF_LEASE_END + hf_rd_u8(in) % 3);
			ev.epoch = hf_rd_u8(in) & 7;
			fencing &= ev.kind != HF_LEASE_END;
			if (ev.kind != HF_LEASE_END)
				lost_at = ev.kind == HF_LEASE_LOSE ? now : 0;
		} else if (what % 8 == 3) {
			ev.kind = HF_LEASE_TICK;
		} else if (l.step == HF_LEASE_WRITING) {
			ev.kind = HF_LEASE_WRITTEN;
			ev.result = what & 8 ? 0 : -EIO;
		} else if (l.step == HF_LEASE_READING) {
			ev.kind = HF_LEASE_READ;
			ev.result = some_lease(in, buf);
		}
		e = hf_lease_step(&l, &ev);
		hf_assert(!(e.write && e.read) && !(e.feed && lost_at));
		hf_assert(!e.feed || (ev.kind == HF_LEASE_WRITTEN && ev.result == 0));
		hf_assert(!e.read || l.others >> e.id & 1);
		if (e.fenced) {
			hf_assert(fencing && now >= fence_at);
			fencing = false;
		}
	}
}

/* Any job, any answers: it ends, and asks for no more than it has to. */
static void whole_job(struct hf_rd *in)
{
	uint8_t data[40] = {0};
	unsigned commands = 0;
	struct hf_pr_effect e;
	struct hf_pr p;
	enum hf_pr_job job = (enum hf_pr_job)(hf_rd_u8(in) % 5);

	hf_pr_init(&p, hf_pr_key("fuzz", 1, hf_rd_u8(in)));
	p.spare = hf_rd_u8(in);
	p.victim = hf_pr_key("fuzz", p.spare & 7, p.spare >> 3);
	p.keeps_out = p.spare & 1;
	e = hf_pr_start(&p, job);
	while (!e.done) {
		uint8_t how = hf_rd_u8(in);

		hf_assert(++commands < 1000);
		hf_assert(job != HF_PR_LOOK || !e.out);
		hf_assert(e.len && e.len <= HF_PR_DATA_BYTES && !(e.out && e.len > sizeof(e.list)));
		if (e.out && e.action == 5)
			hf_assert(memcmp(e.list, e.list + 8, 8) != 0);
		memset(data, 0, sizeof(data));
		hf_put_be32(data + 4, how >> 3);
		for (unsigned i = 0; i < 4; i++) {
			uint8_t id = hf_rd_u8(in);

			hf_put_be64(data + 8 + 8 * (size_t)i,
				id & 7 ? hf_pr_key("fuzz", id & 7, id >> 3) : id);
		}
		if (p.step == HF_PR_PROBE_TYPES)
			hf_put_be64(
				data, (uint64_t)hf_rd_u8(in) << 32 | (uint64_t)(how >> 3) << 16);
		e = how == 0xff ? hf_pr_abandon(&p)
				: hf_pr_answer(&p, results[how & 3], data, sizeof(data));
	}
	hf_assert(p.step == HF_PR_IDLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_rd in;

	if (size < 1)
		return 0;
	in = hf_rd_of(data + 1, size - 1);
	switch (data[0] % 6) {
	case 0:
		race(data + 1, size - 1);
		break;
	case 1:
		lease(data + 1, size - 1);
		break;
	case 2:
		keys(data + 1, size - 1);
		break;
	case 3:
		whole_race(&in);
		break;
	case 4:
		whole_lease(&in);
		break;
	case 5:
		whole_job(&in);
		break;
	}
	return 0;
}
