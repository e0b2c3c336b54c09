/* SPDX-License-Identifier: BSD-3-Clause */
/* Effects: what every controller has to carry out when an op settles. */
#include "ops.h"

static struct hf_resv_effect *add(
	struct hf_resv_outcome *out, enum hf_resv_effect_kind kind, const struct hf_nexus *nexus)
{
	struct hf_resv_effect *e = &out->effects[out->effects_len++];

	hf_assert(out->effects_len <= HF_RESV_EFFECTS_MAX);
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	if (nexus)
		e->nexus = *nexus;
	else
		e->all_nexuses = true;
	return e;
}

void hf_outcome_abort(struct hf_resv_outcome *out, const struct hf_nexus *nexus, bool tas_ua)
{
	add(out, HF_RESV_EFFECT_ABORT, nexus)->tas_ua = tas_ua;
}

void hf_outcome_drain(struct hf_resv_outcome *out)
{
	add(out, HF_RESV_EFFECT_DRAIN, NULL);
}

void hf_outcome_attention_others(
	struct hf_resv_outcome *out, const struct hf_nexus *except, uint16_t asc_ascq)
{
	struct hf_resv_effect *e = add(out, HF_RESV_EFFECT_ATTENTION, except);

	e->all_nexuses = true;
	e->asc_ascq = asc_ascq;
}

void hf_outcome_attention(
	struct hf_resv_outcome *out, const struct hf_nexus *nexus, uint16_t asc_ascq)
{
	add(out, HF_RESV_EFFECT_ATTENTION, nexus)->asc_ascq = asc_ascq;
}

void hf_outcome_attention_registrants(struct hf_resv_outcome *out, const struct hf_resv *r,
	const struct hf_nexus *except, uint16_t asc_ascq)
{
	for (unsigned i = 0; i < r->registrations_len; i++) {
		const struct hf_nexus *nexus = &r->registrations[i].nexus;

		if (!except || !hf_nexus_equal(nexus, except))
			hf_outcome_attention(out, nexus, asc_ascq);
	}
}
