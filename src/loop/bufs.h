/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The buffer pool of one loop. Five size classes, each with a fixed part of one piece of memory;
 * a class that is empty borrows from the next larger one, while that has more than a quarter left,
 * so that small buffers that are kept for long cannot starve large requests. Makes no system call:
 * the engine brings the memory. Used by the loop engines.
 */
#ifndef HF_BUFS_H
#define HF_BUFS_H

#include "loop.h"

enum { HF_BUFS_CLASSES = 5 };

struct hf_bufs_class {
	uint8_t *start; /* of this class's part of the memory */
	size_t size;	/* of one buffer */
	unsigned total, free_len;
	uint32_t *free; /* stack of free indices, the last used on top (warm cache) */
	bool *is_out;	/* by index: catches a buffer that is put twice */
	struct hf_list waiters;
};

struct hf_bufs {
	struct hf_bufs_class classes[HF_BUFS_CLASSES];
	struct hf_list ready; /* waiters whose buffer is there, to be called */
};

/* Memory that `wanted_bytes` (0: the default) comes to, in whole buffers of every class. */
size_t hf_bufs_memory_bytes(size_t wanted_bytes);
/* memory: page-aligned, hf_bufs_memory_bytes(wanted_bytes) long, kept until fini. -ENOMEM. */
int hf_bufs_init(struct hf_bufs *b, void *memory, size_t wanted_bytes);
void hf_bufs_fini(struct hf_bufs *b);

void *hf_bufs_get(struct hf_bufs *b, size_t len);
void hf_bufs_put(struct hf_bufs *b, void *buf);
void hf_bufs_wait(struct hf_bufs *b, struct hf_buf_waiter *w, size_t len);
void hf_bufs_unwait(struct hf_bufs *b, struct hf_buf_waiter *w);
static inline bool hf_bufs_has_ready(const struct hf_bufs *b)
{
	return !hf_list_is_empty(&b->ready);
}
/* Calls ready() of those whose buffer was there when the call began. */
void hf_bufs_run_ready(struct hf_bufs *b);

#endif
