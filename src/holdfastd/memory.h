/* SPDX-License-Identifier: BSD-3-Clause */
/* The allocator's manners, for a daemon that runs for years. */
#ifndef HF_MEMORY_H
#define HF_MEMORY_H

/* Once, at the start: what sessions leave goes back to the system when they end, some memory is
 * kept aside (spare.h), and the stack is as deep as it will be. */
void hf_memory_set_up(void);

#endif
