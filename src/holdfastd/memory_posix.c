/* SPDX-License-Identifier: BSD-3-Clause */
/* How the allocator deals with memory that is free: see memory.h. */
#include "memory.h"
#include "log.h"
#include "spare.h"

#include <malloc.h>

enum {
	OWN_MAPPING_BYTES = 8 << 10,
	STACK_BYTES = 256 << 10,
};

/* Under a limit of memory the stack may be what cannot grow, and that ends the process. */
static void touch_stack(void)
{
	volatile char deep[STACK_BYTES];

	for (size_t i = 0; i < sizeof(deep); i += 4096)
		deep[sizeof(deep) - 1 - i] = 0;
}

void hf_memory_set_up(void)
{
	/*
	 * By itself glibc raises this bound with the largest block that was ever freed, 600 KiB for
	 * the tasks of a session: from the second login on sessions would lie in the heap, whose
	 * middle is never given back, and a pool that is touched as far as it is used would be made
	 * of pages that others have touched. With a bound that stands each session is made of
	 * mappings: untouched until they are used, gone when it ends.
	 */
#ifdef M_MMAP_THRESHOLD
	mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
#endif
	if (hf_spare_is_short())
		hf_warning("memory is short already: new sessions will be turned away");
	touch_stack();
}
