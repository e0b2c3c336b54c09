/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operator and the daemon itself do with and ask about logical units. Control loop. */
#include "lu_internal.h"

#include <stdlib.h>

int hf_lu_admin_propose(struct hf_lu_table *t, struct hf_lu_admin_op *a)
{
	struct hf_lu *lu = lu_find(t, a->dev);

	if (!lu)
		return -ENODEV;
	if (a->op.kind == HF_RESV_RETIRE)
		lu->in_use_by[0] = '\0';
	return lu_op_propose(lu, &a->op, a->owed, NULL, NULL, a);
}

static void status_of(const struct hf_lu *lu, struct hf_lu_status *ret)
{
	*ret = (struct hf_lu_status){
		.info = lu->info,
		.resv = lu->cur,
		.pending = lu->pending,
		.retires = lu->pending && lu->computed && hf_resv_is_retired(lu->next),
		.stopped = lu_stop_why(lu),
		.held_since_ns = lu->held_since_ns,
		.nexuses = lu->nexuses,
		.in_use_by = lu->in_use_by,
	};
}

bool hf_lu_status(struct hf_lu_table *t, uint32_t dev, struct hf_lu_status *ret)
{
	const struct hf_lu *lu = lu_find(t, dev);

	if (lu)
		status_of(lu, ret);
	return lu != NULL;
}

static int by_lun(const void *a, const void *b)
{
	const struct hf_lu *const *x = a, *const *y = b;

	return (int)(*x)->info->lun - (int)(*y)->info->lun;
}

void hf_lu_each(
	struct hf_lu_table *t, void (*fn)(void *arg, const struct hf_lu_status *s), void *arg)
{
	struct hf_lu *sorted[HF_LDEVS_MAX];
	struct hf_lu_status status;
	unsigned n = 0;

	hf_list_for_each (node, &t->lus) {
		struct hf_lu *lu = hf_list_entry(node, struct hf_lu, node);

		if (!lu->removed)
			sorted[n++] = lu;
	}
	qsort(sorted, n, sizeof(sorted[0]), by_lun);
	for (unsigned i = 0; i < n; i++) {
		status_of(sorted[i], &status);
		fn(arg, &status);
	}
}
