/* SPDX-License-Identifier: BSD-3-Clause */
/* A logical unit that serves nothing, and why (lu_control.h). Control loop. */
#include "lu_internal.h"

#include <stdio.h>

void hf_lu_stop(struct hf_lu_table *t, uint32_t dev, enum hf_lu_stop stop, const char *why)
{
	struct hf_lu *lu = lu_find(t, dev);

	hf_assert(lu && *why);
	snprintf(lu->stop_why[stop], sizeof(lu->stop_why[stop]), "%s", why);
	if (lu->stopped)
		return;
	lu->stopped = true;
	lu_change_send(lu, LU_CHANGE_STOPPED);
}

void hf_lu_resume(struct hf_lu_table *t, uint32_t dev, enum hf_lu_stop stop)
{
	struct hf_lu *lu = lu_find(t, dev);

	hf_assert(lu);
	lu->stop_why[stop][0] = '\0';
	if (stop == HF_LU_STOP_STATES)
		lu_pick_over(lu);
	if (!lu->stopped || lu_stop_why(lu))
		return;
	lu->stopped = false;
	lu_change_send(lu, LU_CHANGE_STOPPED);
}

const char *lu_stop_why(const struct hf_lu *lu)
{
	for (unsigned i = 0; i < HF_LU_STOPS; i++)
		if (lu->stop_why[i][0])
			return lu->stop_why[i];
	return NULL;
}
