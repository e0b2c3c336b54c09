/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hf_resv_apply(): the common part of every operation. What may refuse it whatever it is, in the
 * order of scsi-reservations E.5b, then the op's own function, then what became of the state.
 */
#include "ops.h"

enum {
	HOST = 1,     /* a command: retired and lost refuse it */
	PR = 2,	      /* conflicts with an SPC-2 reservation, the holder's own too (E.7) */
	PROUT = 4,    /* who sends it and with which key is looked at (E.4) */
	COUNTS = 8,   /* raises PRGENERATION when GOOD (E.1) */
	REPLACES = 16 /* is what a lost state waits for */
};

static const struct op_rule {
	hf_resv_op_fn *fn;
	unsigned flags;
} op_rules[] = {
	[HF_RESV_LEGACY_RESERVE] = {hf_resv_op_legacy_reserve, HOST},
	[HF_RESV_LEGACY_RELEASE] = {hf_resv_op_legacy_release, HOST},
	[HF_RESV_NEXUS_LOSS] = {hf_resv_op_nexus_loss, 0},
	[HF_RESV_LU_RESET] = {hf_resv_op_lu_reset, 0},
	[HF_RESV_PEER_REMOVED] = {hf_resv_op_peer_removed, 0},
	[HF_RESV_BREAK] = {hf_resv_op_break, 0},
	[HF_RESV_RETIRE] = {hf_resv_op_retire, 0},
	[HF_RESV_READ] = {hf_resv_op_read, HOST | PR},
	[HF_RESV_INFO_LOST] = {hf_resv_op_info_lost, 0},
	[HF_RESV_RETIRE_FORCED] = {hf_resv_op_retire, 0},
	[HF_RESV_ATTRS] = {hf_resv_op_attrs, 0},
	[HF_RESV_PR_REGISTER] = {hf_resv_op_register, HOST | PR | PROUT | COUNTS},
	[HF_RESV_PR_RESERVE] = {hf_resv_op_reserve, HOST | PR | PROUT},
	[HF_RESV_PR_RELEASE] = {hf_resv_op_release, HOST | PR | PROUT},
	[HF_RESV_PR_CLEAR] = {hf_resv_op_clear, HOST | PR | PROUT | COUNTS},
	[HF_RESV_PR_PREEMPT] = {hf_resv_op_preempt, HOST | PR | PROUT | COUNTS},
	[HF_RESV_PR_PREEMPT_ABORT] = {hf_resv_op_preempt, HOST | PR | PROUT | COUNTS},
	[HF_RESV_PR_REGISTER_IGNORE] = {hf_resv_op_register, HOST | PR | PROUT | COUNTS},
	[HF_RESV_PR_REGISTER_MOVE] = {hf_resv_op_register_move, HOST | PR | PROUT | COUNTS},
	[HF_RESV_PR_REPLACE_LOST] = {hf_resv_op_replace_lost,
		HOST | PR | PROUT | COUNTS | REPLACES},
};

static const struct op_rule *rule_of(enum hf_resv_kind kind)
{
	hf_assert((size_t)kind < HF_ARRAY_LEN(op_rules));
	hf_assert(op_rules[kind].fn);
	return &op_rules[kind];
}

bool hf_resv_prout_conflicts(
	const struct hf_resv *r, enum hf_resv_kind kind, const struct hf_nexus *nexus, uint64_t rk)
{
	const struct registration *self = hf_resv_find_const(r, nexus);

	switch (kind) {
	case HF_RESV_PR_REGISTER_IGNORE:
	case HF_RESV_PR_REPLACE_LOST: /* wants 0 in the field and else calls it an error there */
		return false;
	case HF_RESV_PR_REGISTER:
		return rk != (self ? self->key : 0);
	case HF_RESV_PR_REGISTER_MOVE:
		/* nobody is the one to move it under types 7 and 8 */
		if (r->type && hf_resv_single_holder(r) != self)
			return true;
		break;
	default:
		break;
	}
	return !self || self->key != rk;
}

/* What refuses a command before its own rules are looked at. */
static struct hf_resv_verdict precheck(
	const struct hf_resv *r, const struct op_rule *rule, const struct hf_resv_op *op)
{
	if (!(rule->flags & HOST))
		return hf_verdict_good();
	hf_assert(op->nexus.init.name[0]);
	if (r->retired)
		return hf_verdict_illegal(ASC_LU_NOT_SUPPORTED);
	if (r->lost && !(rule->flags & REPLACES))
		return hf_verdict_lost();
	if (r->legacy_held && (rule->flags & PR))
		return hf_verdict_conflict();
	if ((rule->flags & PROUT) && hf_resv_prout_conflicts(r, op->kind, &op->nexus, op->rk))
		return hf_verdict_conflict();
	return hf_verdict_good();
}

void hf_resv_apply(struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *ret)
{
	const struct op_rule *rule = rule_of(op->kind);
	bool imaged = r->aptpl || r->lost;

	ret->changed = ret->persist = false;
	ret->effects_len = 0;
	r->touched = r->touched_image = false;
	ret->verdict = precheck(r, rule, op);
	if (hf_verdict_is_good(&ret->verdict))
		ret->verdict = rule->fn(r, op, ret);
	if (!hf_verdict_is_good(&ret->verdict)) {
		hf_assert(!r->touched && !ret->effects_len);
		return;
	}
	if (rule->flags & COUNTS)
		hf_resv_count(r);
	ret->changed = r->touched || ret->effects_len;
	/* What could not be read is left on the disk as it is: it may be readable another day. */
	if (op->kind != HF_RESV_INFO_LOST)
		ret->persist = r->touched_image && (imaged || r->aptpl);
	hf_assert(hf_resv_check(r));
}
