/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations as bytes. One op has one encoding: decoding refuses whatever encoding would not have
 * written, fields that the kind does not use included.
 *
 *	version 1 | kind 1 | nexus | login 8
 *	PERSISTENT RESERVE OUT only: RK 8 | SARK 8 | scope<<4|type 1 | flags 1 | dest_rtpi 2 |
 *		ids 1 | that many ports
 *	ATTRS only: attrs 1 | attrs_mask 1
 */
#include "codec.h"

#include <stddef.h>

#define OP_VERSION 1

enum {
	FLAG_SPEC_I_PT = 1,
	FLAG_ALL_TG_PT = 2,
	FLAG_APTPL = 4,
	FLAG_UNREG = 8,
	FLAGS_KNOWN = 15,
};

enum {
	USES_RK = 1,
	USES_SARK = 2,
	USES_TYPE = 4,
	USES_ALL_TG_PT = 8,
	USES_APTPL = 16,
	USES_IDS = 32,	/* SPEC_I_PT */
	USES_DEST = 64, /* UNREG, dest_rtpi, one id */
};

/* Which fields a service action uses (scsi-reservations E.4). */
static const uint8_t pr_uses[] = {
	[HF_RESV_PR_REGISTER - 0x10] = USES_RK | USES_SARK | USES_ALL_TG_PT | USES_APTPL | USES_IDS,
	[HF_RESV_PR_RESERVE - 0x10] = USES_RK | USES_TYPE,
	[HF_RESV_PR_RELEASE - 0x10] = USES_RK | USES_TYPE,
	[HF_RESV_PR_CLEAR - 0x10] = USES_RK,
	[HF_RESV_PR_PREEMPT - 0x10] = USES_RK | USES_SARK | USES_TYPE,
	[HF_RESV_PR_PREEMPT_ABORT - 0x10] = USES_RK | USES_SARK | USES_TYPE,
	[HF_RESV_PR_REGISTER_IGNORE - 0x10] = USES_SARK | USES_ALL_TG_PT | USES_APTPL,
	[HF_RESV_PR_REGISTER_MOVE - 0x10] = USES_RK | USES_SARK | USES_APTPL | USES_DEST,
	[HF_RESV_PR_REPLACE_LOST - 0x10] = USES_RK | USES_SARK | USES_TYPE,
};

static bool is_pr(enum hf_resv_kind kind)
{
	return kind >= HF_RESV_PR_REGISTER && kind <= HF_RESV_PR_REPLACE_LOST;
}

/* Ops in which somebody acts; the others may come without a name. */
static bool needs_nexus(enum hf_resv_kind kind)
{
	return is_pr(kind) || kind == HF_RESV_READ || kind == HF_RESV_NEXUS_LOSS ||
	       kind == HF_RESV_LEGACY_RESERVE || kind == HF_RESV_LEGACY_RELEASE;
}

/* Are the fields that the kind does not use zero, and the others in range? */
static bool is_canonical(const struct hf_resv_op *op)
{
	unsigned uses = is_pr(op->kind) ? pr_uses[op->kind - HF_RESV_PR_REGISTER] : 0;

	if (op->attrs_mask & ~(op->kind == HF_RESV_ATTRS ? HF_RESV_ATTRS_KNOWN : 0) ||
		op->attrs & ~op->attrs_mask)
		return false;
	if (op->rk && !(uses & USES_RK))
		return false;
	if (op->sark && !(uses & USES_SARK))
		return false;
	if ((op->scope || op->type) && !(uses & USES_TYPE))
		return false;
	if (op->scope > 15 || op->type > 15)
		return false;
	if (op->all_tg_pt && !(uses & USES_ALL_TG_PT))
		return false;
	if (op->aptpl && !(uses & USES_APTPL))
		return false;
	if (op->spec_i_pt && !(uses & USES_IDS))
		return false;
	if ((op->unreg || op->dest_rtpi) && !(uses & USES_DEST))
		return false;
	if (uses & USES_DEST)
		return op->ids_len == 1;
	return op->ids_len <= (op->spec_i_pt ? HF_RESV_IDS_MAX : 0);
}

int hf_resv_op_encode(const struct hf_resv_op *op, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_assert(is_canonical(op));
	hf_wr_u8(&w, OP_VERSION);
	hf_wr_u8(&w, (uint8_t)op->kind);
	hf_wr_nexus(&w, &op->nexus);
	hf_wr_u64(&w, op->login);
	if (is_pr(op->kind)) {
		hf_wr_u64(&w, op->rk);
		hf_wr_u64(&w, op->sark);
		hf_wr_u8(&w, (uint8_t)(op->scope << 4 | op->type));
		hf_wr_u8(&w,
			(uint8_t)(op->spec_i_pt * FLAG_SPEC_I_PT | op->all_tg_pt * FLAG_ALL_TG_PT |
				  op->aptpl * FLAG_APTPL | op->unreg * FLAG_UNREG));
		hf_wr_u16(&w, op->dest_rtpi);
		hf_wr_u8(&w, (uint8_t)op->ids_len);
		for (unsigned i = 0; i < op->ids_len; i++)
			hf_wr_port_id(&w, &op->ids[i]);
	}
	if (op->kind == HF_RESV_ATTRS) {
		hf_wr_u8(&w, op->attrs);
		hf_wr_u8(&w, op->attrs_mask);
	}
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

static void decode_pr(struct hf_rd *r, struct hf_resv_op *op)
{
	uint8_t scope_type, flags;

	op->rk = hf_rd_u64(r);
	op->sark = hf_rd_u64(r);
	scope_type = hf_rd_u8(r);
	op->scope = scope_type >> 4;
	op->type = scope_type & 0x0f;
	flags = hf_rd_flags(r, FLAGS_KNOWN);
	op->spec_i_pt = flags & FLAG_SPEC_I_PT;
	op->all_tg_pt = flags & FLAG_ALL_TG_PT;
	op->aptpl = flags & FLAG_APTPL;
	op->unreg = flags & FLAG_UNREG;
	op->dest_rtpi = hf_rd_u16(r);
	op->ids_len = hf_rd_u8(r);
	hf_rd_require(r, op->ids_len <= HF_RESV_IDS_MAX);
	if (hf_rd_failed(r))
		return;
	for (unsigned i = 0; i < op->ids_len; i++)
		hf_rd_port_id(r, &op->ids[i], false);
}

/* The members before ids, which is long and mostly unused. */
static void copy_op(struct hf_resv_op *to, const struct hf_resv_op *op)
{
	_Static_assert(offsetof(struct hf_resv_op, ids) + sizeof(op->ids) == sizeof(*op), "last");
	memcpy(to, op, offsetof(struct hf_resv_op, ids));
	memcpy(to->ids, op->ids, op->ids_len * sizeof(op->ids[0]));
	memset(to->ids + op->ids_len, 0, (HF_RESV_IDS_MAX - op->ids_len) * sizeof(op->ids[0]));
}

int hf_resv_op_decode(const uint8_t *buf, size_t len, struct hf_resv_op *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_resv_op op; /* ids: as many as are read */

	memset(&op, 0, offsetof(struct hf_resv_op, ids));
	hf_rd_require(&r, hf_rd_u8(&r) == OP_VERSION);
	op.kind = (enum hf_resv_kind)hf_rd_u8(&r);
	hf_rd_require(&r,
		(op.kind >= HF_RESV_LEGACY_RESERVE && op.kind <= HF_RESV_ATTRS) || is_pr(op.kind));
	hf_rd_nexus(&r, &op.nexus, !needs_nexus(op.kind));
	op.login = hf_rd_u64(&r);
	if (is_pr(op.kind) && !hf_rd_failed(&r))
		decode_pr(&r, &op);
	if (op.kind == HF_RESV_ATTRS) {
		op.attrs = hf_rd_u8(&r);
		op.attrs_mask = hf_rd_u8(&r);
	}
	if (hf_rd_failed(&r) || hf_rd_left(&r) || !is_canonical(&op))
		return -EBADMSG;
	copy_op(ret, &op);
	return 0;
}
