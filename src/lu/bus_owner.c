/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The owner's part of bus.h for logical devices: what the engine asks, in terms of the reservation
 * machine. Control loop.
 */
#include "lu_internal.h"
#include "canary.h"
#include "checksum.h"
#include "spare.h"

#include <stdlib.h>

static struct hf_lu *get(struct hf_lu_table *t, uint32_t dev)
{
	struct hf_lu *lu = lu_find(t, dev);

	hf_assert(lu);
	return lu;
}

enum hf_bus_look hf_lu_bus_look(struct hf_lu_table *t, uint32_t dev, const void *op, size_t len)
{
	struct hf_lu *lu = get(t, dev);

	/* From a peer that speaks nonsense: changes nothing here, at which the device stops. */
	if (lu_try(lu, op, len))
		return HF_BUS_LOOK_ANSWER;
	if (!t->outcome.changed)
		return HF_BUS_LOOK_ANSWER;
	if (HF_PLANTED(NO_SLOT) && t->op.kind == HF_RESV_PR_CLEAR)
		return HF_BUS_LOOK_CHANGE;
	return t->outcome.persist ? HF_BUS_LOOK_CHANGE_PERSIST : HF_BUS_LOOK_CHANGE;
}

uint64_t hf_lu_bus_digest(struct hf_lu_table *t, uint32_t dev)
{
	return get(t, dev)->digest;
}

void hf_lu_bus_hold(struct hf_lu_table *t, uint32_t dev, uint64_t n, const void *op, size_t len)
{
	struct hf_lu *lu = get(t, dev);

	hf_assert(!lu->pending);
	lu->pending = true;
	lu->persist_asked = lu->computed = false;
	lu->n = n;
	lu->op = op;
	lu->op_len = len;
	lu_change_send(lu, LU_CHANGE_HOLD);
}

void hf_lu_bus_unhold(struct hf_lu_table *t, uint32_t dev, uint64_t n)
{
	struct hf_lu *lu = get(t, dev);

	hf_assert(lu->pending && lu->n == n);
	lu->pending = false;
	lu->computed = false;
	lu_change_send(lu, LU_CHANGE_UNHOLD);
}

/* Who holds the device in this state, as a number that changes with the holder. */
static uint64_t holder_digest(const struct hf_resv *r)
{
	struct hf_resv_info info;
	uint64_t d = 0;

	hf_resv_info(r, &info);
	d = hf_digest64(d, &info.legacy_held, sizeof(info.legacy_held));
	if (info.legacy_held)
		d = hf_digest64(d, &info.legacy_holder, sizeof(info.legacy_holder));
	d = hf_digest64(d, &info.held, sizeof(info.held));
	if (info.held) {
		d = hf_digest64(d, &info.type, sizeof(info.type));
		for (unsigned i = 0; i < info.registrations_len && info.type < HF_RESV_WE_AR; i++) {
			struct hf_resv_registration reg;

			hf_resv_registration(r, i, &reg);
			if (!reg.holder)
				continue;
			d = hf_digest64(d, &reg.nexus, sizeof(reg.nexus));
			break;
		}
	}
	return d;
}

void hf_lu_bus_apply(struct hf_lu_table *t, uint32_t dev, uint64_t n)
{
	struct hf_lu *lu = get(t, dev);
	struct hf_resv *old = lu->cur;

	/* INV-1: every loop holds and has drained before anyone gets the new state. (What has not
	 * been seen everywhere yet may be another description of the device.) */
	hf_assert(lu->pending && lu->n == n && lu->computed && !lu->drained_out);
	hf_assert(!lu->drain_result);
	lu->pending = false;
	lu->computed = false;
	lu->cur = lu->next;
	lu->next = old;
	lu->version = ++t->versions;
	lu->digest = hf_resv_digest(lu->cur);
	lu_attrs_publish(lu, old);
	if (holder_digest(lu->cur) != holder_digest(old))
		lu->held_since_ns = hf_loop_now_ns(t->control);
	lu_change_send(lu, LU_CHANGE_SETTLE);
}

void lu_record_write(struct hf_lu *lu, const struct hf_resv *resv)
{
	struct hf_lu_table *t = lu->table;
	int len;

	if (!lu->slot_buf)
		lu->slot_buf = hf_spare_malloc(HF_RESV_STATE_BYTES_MAX);
	len = hf_resv_persist_encode(resv, lu->slot_buf, HF_RESV_STATE_BYTES_MAX);
	hf_assert(len >= 0);
	lu->records_out++;
	lu->refs++; /* the disks may answer after the device has been dropped, and deleted */
	t->config.persist(t->config.arg, lu, lu->info->id, lu->slot_buf, (size_t)len);
}

void hf_lu_bus_persist(struct hf_lu_table *t, uint32_t dev, uint64_t n)
{
	struct hf_lu *lu = get(t, dev);

	hf_assert(lu->pending && lu->n == n && lu->computed);
	if (!t->config.persist) {
		hf_bus_persisted(t->bus, dev, n, 0);
		return;
	}
	lu->persist_n = n;
	lu->persist_asked = true;
	lu_record_write(lu, lu->next);
}

int hf_lu_bus_slot(struct hf_lu_table *t, uint32_t dev, uint8_t *buf, size_t cap)
{
	const struct hf_lu *lu = get(t, dev);

	/* Of a stopped one neither state is the truth, and this may be none at all (W18). */
	if ((lu->pending && lu->persist_asked) || hf_resv_is_lost(lu->cur) ||
		lu->stop_why[HF_LU_STOP_STATES][0])
		return -EAGAIN;
	return hf_resv_persist_encode(lu->cur, buf, cap);
}

void hf_lu_persisted(struct hf_lu *lu, int result)
{
	lu->records_out--;
	if (lu->pick_saving)
		lu_pick_saved(lu, result);
	else if (!lu->removed)
		hf_bus_persisted(lu->table->bus, lu->info->id, lu->persist_n, result);
	lu_pick_go(lu);
	lu_unref(lu);
}

/* --- whole states --- */

int hf_lu_bus_snapshot(struct hf_lu_table *t, uint32_t dev, uint8_t *buf, size_t cap)
{
	return hf_resv_encode(get(t, dev)->cur, buf, cap);
}

/* Whole states are agreed on: they are there, or this controller cannot go on. */
static struct hf_resv *resv_create(struct hf_lu_table *t)
{
	struct hf_resv *fresh = hf_resv_create(&t->config.resv);

	if (!fresh) {
		hf_spare_release();
		fresh = hf_resv_create(&t->config.resv);
	}
	hf_assert(fresh);
	return fresh;
}

int hf_lu_bus_install(struct hf_lu_table *t, uint32_t dev, const uint8_t *buf, size_t len)
{
	struct hf_lu *lu = lu_find(t, dev);
	struct hf_resv *fresh;
	int rc;

	if (!lu)
		return -ENODEV;
	fresh = resv_create(t);
	rc = hf_resv_decode(fresh, buf, len);
	if (rc) {
		hf_resv_destroy(fresh);
		return rc;
	}
	lu_state_replace(lu, fresh);
	lu->held_since_ns = 0;
	lu->replaced |= lu->stopped;
	return 0;
}

void hf_lu_load(struct hf_lu_table *t, uint32_t dev, const uint8_t *buf, int result)
{
	struct hf_lu *lu = get(t, dev);
	struct hf_resv *fresh = resv_create(t);

	if (result > 0)
		result = hf_resv_persist_decode(fresh, buf, (size_t)result);
	if (result < 0) {
		/* Blocks were there but none was whole: never a guess (design 7). */
		t->tried = 0;
		memset(&t->op, 0, sizeof(t->op));
		t->op.kind = HF_RESV_INFO_LOST;
		hf_resv_apply(fresh, &t->op, &t->outcome);
	}
	lu_state_replace(lu, fresh);
}

void hf_lu_bus_drop(struct hf_lu_table *t)
{
	hf_list_for_each (n, &t->lus) {
		struct hf_lu *lu = hf_list_entry(n, struct hf_lu, node);
		struct hf_resv *fresh;

		if (lu->removed)
			continue;
		if (lu->pending) {
			lu->pending = false;
			lu->computed = false;
			lu_change_send(lu, LU_CHANGE_UNHOLD);
		}
		lu->pick_wanted = false;
		fresh = resv_create(t);
		lu_state_replace(lu, fresh);
	}
}

uint32_t hf_lu_bus_next_dev(struct hf_lu_table *t, uint32_t after)
{
	hf_list_for_each (n, &t->lus) {
		const struct hf_lu *lu = hf_list_entry(n, struct hf_lu, node);

		if (!lu->removed && lu->info->id > after)
			return lu->info->id;
	}
	return UINT32_MAX;
}
