/* SPDX-License-Identifier: BSD-3-Clause */
/* How the allocator deals with memory that is free: see memory.h. */
#include "memory.h"

#include <malloc.h>

enum { OWN_MAPPING_BYTES = 8 << 10 };

void hf_memory_give_back(void)
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
}
