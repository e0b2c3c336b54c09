/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory kept aside: see spare.h. Never touched, so it costs addresses and no pages. */
#include "spare.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SPARE_BYTES = 8 << 20 };

static _Atomic(void *) spare;

bool hf_spare_is_short(void)
{
	void *none = NULL, *p;

	if (atomic_load_explicit(&spare, memory_order_relaxed))
		return false;
	p = malloc(SPARE_BYTES);
	if (!p)
		return true;
	if (!atomic_compare_exchange_strong(&spare, &none, p))
		free(p); /* another thread was first */
	return false;
}

void hf_spare_release(void)
{
	free(atomic_exchange(&spare, NULL));
}

void *hf_spare_calloc(size_t n, size_t bytes)
{
	void *p = calloc(n, bytes);

	if (!p) {
		hf_spare_release();
		p = calloc(n, bytes);
	}
	hf_assert(p);
	return p;
}

void *hf_spare_malloc(size_t bytes)
{
	void *p = malloc(bytes);

	if (!p) {
		hf_spare_release();
		p = malloc(bytes);
	}
	hf_assert(p);
	return p;
}
