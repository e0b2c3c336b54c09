/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may use the logical unit now. Reads only; called whenever the state or a nexus is new. */
#include "state.h"

#define FREE_ONLY HF_ACCESS_BIT(HF_ACCESS_FREE)

/*
 * The predicate of scsi-reservations E.6. Where registrants are nothing, only the holder counts,
 * and one comparison tells: this is asked for every session at each change.
 */
static bool is_favoured(const struct hf_resv *r, const struct hf_nexus *nexus)
{
	const struct registration *holder;

	if (hf_resv_type_admits_registrants(r->type))
		return hf_resv_find_const(r, nexus);
	holder = hf_resv_single_holder(r);
	return holder && hf_nexus_equal(&holder->nexus, nexus);
}

unsigned hf_resv_admit(const struct hf_resv *r, const struct hf_nexus *nexus, uint64_t login)
{
	if (r->lost || r->retired)
		return FREE_ONLY;
	/* scsi-reservations E.7: from others not even TEST UNIT READY. */
	if (r->legacy_held)
		return hf_resv_concerns(r, nexus, login) ? HF_ACCESS_ALL_BITS : FREE_ONLY;
	if (!r->type)
		return HF_ACCESS_ALL_BITS;
	if (is_favoured(r, nexus))
		return HF_ACCESS_ALL_BITS;
	if (hf_resv_type_is_write_exclusive(r->type))
		return FREE_ONLY | HF_ACCESS_BIT(HF_ACCESS_STATUS) | HF_ACCESS_BIT(HF_ACCESS_READ);
	return FREE_ONLY | HF_ACCESS_BIT(HF_ACCESS_STATUS);
}
