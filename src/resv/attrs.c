/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes of the logical unit: what MODE SELECT changes, and whether SANITIZE runs or has
 * failed. They are no reservations; they are here because every controller must see them change in
 * the same order with those, and because who may change them is a question of reservations.
 */
#include "ops.h"

/* What a host is refused, in the order of refusals of every command. */
static struct hf_resv_verdict host_may(const struct hf_resv *r, const struct hf_resv_op *op)
{
	unsigned restricted = r->attrs & (HF_RESV_SANITIZE_FAILED | HF_RESV_SANITIZE_AUSE);
	bool excuses = op->attrs_mask & HF_RESV_SANITIZE_FAILED;

	if (r->retired)
		return hf_verdict_illegal(ASC_LU_NOT_SUPPORTED);
	if (r->lost)
		return hf_verdict_lost();
	if (!(hf_resv_admit(r, &op->nexus, op->login) & HF_ACCESS_BIT(HF_ACCESS_WRITE)))
		return hf_verdict_conflict();
	if (r->attrs & HF_RESV_SANITIZE)
		return (struct hf_resv_verdict){.status = HF_STATUS_BUSY, .field_bit = -1};
	/* EXIT FAILURE MODE is for those that were begun with AUSE=1 (SBC-3, 5.30.2.5). */
	if (excuses && restricted == HF_RESV_SANITIZE_FAILED)
		return hf_verdict_cdb_field(1, 4);
	if (op->attrs & HF_RESV_SANITIZE && !op->nexus.rtpi)
		return hf_verdict_illegal(ASC_INVALID_FIELD_IN_CDB);
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_attrs(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	uint8_t attrs = (uint8_t)((r->attrs & ~op->attrs_mask) | op->attrs);
	bool host = op->nexus.init.name[0];
	struct hf_resv_verdict v = hf_verdict_good();

	if (host)
		v = host_may(r, op);
	else if (!(r->attrs & HF_RESV_SANITIZE) || r->sanitize_rtpi != op->nexus.rtpi)
		return v; /* of an operation that is over already */
	if (!hf_verdict_is_good(&v))
		return v;
	if (!(attrs & (HF_RESV_SANITIZE | HF_RESV_SANITIZE_FAILED)))
		attrs &= (uint8_t)~HF_RESV_SANITIZE_AUSE;
	if ((attrs ^ r->attrs) & HF_RESV_MODE)
		hf_outcome_attention_others(out, host ? &op->nexus : NULL, ASC_MODE_CHANGED);
	/* What is on its way to the medium must not land behind the sanitizing; and once its end
	 * has been told to somebody, nobody is told that it goes on. */
	if ((attrs ^ r->attrs) & (HF_RESV_SANITIZE | HF_RESV_SANITIZE_FAILED))
		hf_outcome_drain(out);
	hf_resv_set_attrs(r, attrs, attrs & HF_RESV_SANITIZE ? op->nexus.rtpi : 0);
	return v;
}
