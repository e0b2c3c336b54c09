/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SPC-2 RESERVE and RELEASE (scsi-reservations E.7) and what ends such a reservation unasked. The
 * holder is a nexus and its login: a new login of the same nexus inherits nothing.
 */
#include "ops.h"

/*
 * Compatible reservation handling, CRH=1 (spc4r17 5.7.3): while registrations exist, RESERVE and
 * RELEASE do nothing for whom the persistent reservation admits and conflict for everybody else.
 */
static struct hf_resv_verdict compatible(const struct hf_resv *r, const struct hf_nexus *nexus)
{
	const struct registration *self = hf_resv_find_const(r, nexus);

	if (self && (hf_resv_holds(r, self) || hf_resv_type_admits_registrants(r->type)))
		return hf_verdict_good();
	return hf_verdict_conflict();
}

struct hf_resv_verdict hf_resv_op_legacy_reserve(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	if (r->registrations_len)
		return compatible(r, &op->nexus);
	if (!r->legacy_held)
		hf_resv_set_legacy(r, &op->nexus, op->login);
	else if (!hf_resv_concerns(r, &op->nexus, op->login))
		return hf_verdict_conflict();
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_legacy_release(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	if (r->registrations_len)
		return compatible(r, &op->nexus);
	if (hf_resv_concerns(r, &op->nexus, op->login))
		hf_resv_set_legacy(r, NULL, 0);
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_nexus_loss(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	if (hf_resv_concerns(r, &op->nexus, op->login))
		hf_resv_set_legacy(r, NULL, 0);
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_peer_removed(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	if (r->legacy_held && r->legacy_holder.rtpi == op->nexus.rtpi)
		hf_resv_set_legacy(r, NULL, 0);
	if (r->attrs & HF_RESV_SANITIZE && r->sanitize_rtpi == op->nexus.rtpi)
		hf_resv_set_attrs(
			r, (uint8_t)((r->attrs & ~HF_RESV_SANITIZE) | HF_RESV_SANITIZE_FAILED), 0);
	return hf_verdict_good();
}

/* SAM-5 6.3.3: every task of every nexus is aborted, every nexus is told; registrations stay. Mode
 * parameters go back to their defaults; a sanitize operation goes on (SBC-3, 4.11.2). */
struct hf_resv_verdict hf_resv_op_lu_reset(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	if (r->retired) /* nobody is there any more, and its deletion follows (S8) */
		return hf_verdict_good();
	hf_resv_set_legacy(r, NULL, 0);
	hf_resv_set_attrs(r, (uint8_t)(r->attrs & ~HF_RESV_MODE), r->sanitize_rtpi);
	hf_outcome_abort(out, NULL, false);
	hf_outcome_attention(out, NULL, ASC_RESET_OCCURRED);
	return hf_verdict_good();
}
