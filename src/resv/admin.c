/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What no host asks for: the operator breaks the reservation, the logical unit goes, the persisted
 * state cannot be read. And PERSISTENT RESERVE IN, of which only the verdict is an op.
 */
#include "ops.h"

static void remove_all(struct hf_resv *r)
{
	for (unsigned i = 0; i < r->registrations_len; i++)
		r->registrations[i].doomed = true;
	hf_resv_sweep(r);
	hf_resv_set_legacy(r, NULL, 0);
	hf_resv_set_aptpl(r, false);
}

struct hf_resv_verdict hf_resv_op_break(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	if (r->retired) /* nothing is there to break, and its deletion follows (S8) */
		return hf_verdict_good();
	hf_outcome_attention_registrants(out, r, NULL, ASC_RESERVATIONS_PREEMPTED);
	remove_all(r);
	hf_resv_set_lost(r, false);
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_retire(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	if (!hf_resv_is_idle(r) || r->attrs & HF_RESV_SANITIZE)
		return hf_verdict_conflict();
	if (!r->retired)
		r->touched = r->retired = true;
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_info_lost(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	if (r->retired)
		return hf_verdict_good();
	remove_all(r);
	hf_resv_set_lost(r, true);
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_read(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	return hf_verdict_good();
}
