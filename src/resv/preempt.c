/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PERSISTENT RESERVE OUT: PREEMPT and PREEMPT AND ABORT (scsi-reservations E.5). Registration and
 * RESERVATION KEY have been checked by hf_resv_apply().
 */
#include "ops.h"

/* What becomes of the reservation, and so whether the sender itself may be among the removed. */
enum mode {
	REMOVE,	  /* only registrations with SARK go, the sender's too */
	TAKE,	  /* SARK is the holder's key: they go but the sender, who becomes holder */
	TAKE_ALL, /* all registrants, SARK=0: everybody else goes, the sender becomes holder */
};

static enum mode mode_of(const struct hf_resv *r, const struct hf_resv_op *op)
{
	const struct registration *holder = hf_resv_single_holder(r);

	if (hf_resv_type_is_all_registrants(r->type) && !op->sark)
		return TAKE_ALL;
	return holder && holder->key == op->sark ? TAKE : REMOVE;
}

/* Marks who goes; returns how many. */
static unsigned mark(struct hf_resv *r, const struct hf_resv_op *op, enum mode mode)
{
	const struct registration *self = hf_resv_find_const(r, &op->nexus);
	unsigned count = 0;

	for (unsigned i = 0; i < r->registrations_len; i++) {
		struct registration *reg = &r->registrations[i];

		reg->doomed = mode == TAKE_ALL || reg->key == op->sark;
		if (mode != REMOVE && reg == self)
			reg->doomed = false;
		count += reg->doomed;
	}
	return count;
}

/*
 * The tasks of every preempted nexus go, the sender's too when it preempts its own registration
 * (the command itself is the caller's to spare); then each but the sender is told.
 */
static void tell_preempted(
	const struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	for (unsigned i = 0; i < r->registrations_len; i++) {
		const struct registration *reg = &r->registrations[i];
		bool is_self = hf_nexus_equal(&reg->nexus, &op->nexus);

		if (!reg->doomed)
			continue;
		if (op->kind == HF_RESV_PR_PREEMPT_ABORT)
			hf_outcome_abort(out, &reg->nexus, !is_self);
		if (!is_self)
			hf_outcome_attention(out, &reg->nexus, ASC_REGISTRATIONS_PREEMPTED);
	}
}

struct hf_resv_verdict hf_resv_op_preempt(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	enum mode mode = mode_of(r, op);
	uint8_t type = r->type;
	struct hf_resv_verdict fields;

	if (!op->sark && mode != TAKE_ALL)
		return VERDICT_SARK;
	if (mode != REMOVE) {
		fields = hf_resv_check_type(op);
		if (!hf_verdict_is_good(&fields))
			return fields;
	}
	/* Who takes may find nobody but itself; who removes must find somebody. */
	if (!mark(r, op, mode) && mode == REMOVE)
		return hf_verdict_conflict();
	tell_preempted(r, op, out);
	hf_resv_sweep(r);
	if (mode == REMOVE)
		return hf_verdict_good();
	hf_resv_hold(r, op->type, hf_resv_find(r, &op->nexus));
	if (type != op->type)
		hf_outcome_attention_registrants(out, r, &op->nexus, ASC_RESERVATIONS_RELEASED);
	return hf_verdict_good();
}
