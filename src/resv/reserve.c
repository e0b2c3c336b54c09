/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PERSISTENT RESERVE OUT: RESERVE, RELEASE, CLEAR, REPLACE LOST RESERVATION. Registration and
 * RESERVATION KEY have been checked by hf_resv_apply().
 */
#include "ops.h"

struct hf_resv_verdict hf_resv_check_type(const struct hf_resv_op *op)
{
	if (op->scope)
		return VERDICT_SCOPE;
	if (!hf_resv_type_is_valid(op->type))
		return VERDICT_TYPE;
	return hf_verdict_good();
}

/* Conflicts come before errors in the CDB (E.5b, order of tests). */
struct hf_resv_verdict hf_resv_op_reserve(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	struct registration *self = hf_resv_find(r, &op->nexus);
	struct hf_resv_verdict fields;

	if (r->type && (!hf_resv_holds(r, self) || r->type != op->type))
		return hf_verdict_conflict();
	fields = hf_resv_check_type(op);
	if (hf_verdict_is_good(&fields) && !r->type)
		hf_resv_hold(r, op->type, self);
	return fields;
}

struct hf_resv_verdict hf_resv_op_release(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	const struct registration *self = hf_resv_find_const(r, &op->nexus);
	struct hf_resv_verdict fields = hf_resv_check_type(op);

	if (!hf_verdict_is_good(&fields))
		return fields;
	if (!r->type || !hf_resv_holds(r, self))
		return hf_verdict_good();
	if (r->type != op->type)
		return hf_verdict_illegal(ASC_INVALID_RELEASE);
	if (hf_resv_type_admits_registrants(r->type))
		hf_outcome_attention_registrants(out, r, &op->nexus, ASC_RESERVATIONS_RELEASED);
	hf_resv_hold(r, 0, NULL);
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_clear(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	hf_outcome_attention_registrants(out, r, &op->nexus, ASC_RESERVATIONS_PREEMPTED);
	for (unsigned i = 0; i < r->registrations_len; i++)
		r->registrations[i].doomed = true;
	hf_resv_sweep(r);
	return hf_verdict_good();
}

/* RLR_C=1. Outside of the lost condition as if the service action did not exist. */
struct hf_resv_verdict hf_resv_op_replace_lost(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	struct hf_resv_verdict fields;

	if (!r->lost)
		return VERDICT_SERVICE_ACTION;
	if (op->rk)
		return hf_verdict_conflict();
	fields = hf_resv_check_type(op);
	if (!hf_verdict_is_good(&fields))
		return fields;
	if (!op->sark)
		return VERDICT_SARK;
	hf_resv_set_lost(r, false);
	hf_resv_hold(r, op->type, hf_resv_add(r, &op->nexus, op->sark));
	return hf_verdict_good();
}
