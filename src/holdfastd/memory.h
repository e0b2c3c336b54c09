/* SPDX-License-Identifier: BSD-3-Clause */
/* The allocator's manners, for a daemon that runs for years. */
#ifndef HF_MEMORY_H
#define HF_MEMORY_H

/* Once, at the start: what sessions leave goes back to the system when they end. */
void hf_memory_give_back(void);

#endif
