/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for what may not fail: an op that is agreed on, a loss that is owed. Some memory is kept
 * aside from the start; the first allocation of this kind that fails gives it up and gets its
 * memory. Until it is whole again nothing new begins: who would open a session or ask for a change
 * is turned away, so what has begun can end. A failure after that ends the process.
 */
#ifndef HF_SPARE_H
#define HF_SPARE_H

#include "base.h"

/* Zeroed, never NULL; free() it. From any thread. */
void *hf_spare_calloc(size_t n, size_t bytes);
/* The same, not zeroed. */
void *hf_spare_malloc(size_t bytes);
/* Something that was to be had by other means could not be: gives what is kept up. */
void hf_spare_release(void);
/*
 * True: what was kept aside was needed, and there is not enough yet to keep it again. Asked
 * by whoever is about to begin something that can be refused.
 */
bool hf_spare_is_short(void);

#endif
