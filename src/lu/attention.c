/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unit attentions (SAM-5, 5.14), queued per nexus and logical unit, on the session's loop. A nexus
 * that is not logged in keeps none: its next login gets 29/00 anyway.
 */
#include "lu_internal.h"

void hf_itl_attention_raise(struct hf_itl *itl, uint16_t asc_ascq)
{
	for (unsigned i = 0; i < itl->attentions_len; i++) {
		if (itl->attentions[i] == asc_ascq)
			return; /* the same condition once is enough */
	}
	/* Power on or reset tells the host to look at everything anew (SAM-5, 5.14.3). */
	if (asc_ascq >> 8 == 0x29 && itl->attentions_len == HF_ITL_ATTENTIONS_MAX)
		itl->attentions_len = 0;
	if (itl->attentions_len < HF_ITL_ATTENTIONS_MAX)
		itl->attentions[itl->attentions_len++] = asc_ascq;
}

uint16_t hf_itl_attention_peek(const struct hf_itl *itl)
{
	return itl->attentions_len ? itl->attentions[0] : 0;
}

uint16_t hf_itl_attention_take(struct hf_itl *itl)
{
	uint16_t a = hf_itl_attention_peek(itl);

	if (a) {
		itl->attentions_len--;
		memmove(&itl->attentions[0], &itl->attentions[1],
			itl->attentions_len * sizeof(itl->attentions[0]));
	}
	return a;
}
