/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may use the logical unit now. Reads only; called whenever the state or a nexus is new. */
#include "state.h"

#define FREE_ONLY HF_ACCESS_BIT(HF_ACCESS_FREE)

unsigned hf_resv_admit(const struct hf_resv *r, const struct hf_nexus *nexus, uint64_t login)
{
	const struct registration *reg;

	if (r->lost || r->retired)
		return FREE_ONLY;
	/* scsi-reservations E.7: from others not even TEST UNIT READY. */
	if (r->legacy_held)
		return hf_resv_concerns(r, nexus, login) ? HF_ACCESS_ALL_BITS : FREE_ONLY;
	if (!r->type)
		return HF_ACCESS_ALL_BITS;
	/* The predicate of scsi-reservations E.6. */
	reg = hf_resv_find_const(r, nexus);
	if (hf_resv_holds(r, reg) || (reg && hf_resv_type_admits_registrants(r->type)))
		return HF_ACCESS_ALL_BITS;
	if (hf_resv_type_is_write_exclusive(r->type))
		return FREE_ONLY | HF_ACCESS_BIT(HF_ACCESS_STATUS) | HF_ACCESS_BIT(HF_ACCESS_READ);
	return FREE_ONLY | HF_ACCESS_BIT(HF_ACCESS_STATUS);
}
