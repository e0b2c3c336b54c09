/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The message queue of one loop: any thread pushes, the loop takes all at once. No lock, no
 * allocation. A stack whose whole content is taken and reversed, so the order is that of the
 * pushes; as nothing is ever popped singly, there is no ABA problem.
 */
#ifndef HF_MSGQ_H
#define HF_MSGQ_H

#include "loop.h"

#include <stdatomic.h>

struct hf_msgq {
	_Atomic(struct hf_msg *) top;
};

/* Sequentially consistent, for the engine's "pushed, now: does the receiver sleep?". */
static inline void hf_msgq_push(struct hf_msgq *q, struct hf_msg *m)
{
	struct hf_msg *top = atomic_load_explicit(&q->top, memory_order_relaxed);

	do {
		m->next = top;
	} while (!atomic_compare_exchange_weak(&q->top, &top, m));
}

static inline bool hf_msgq_is_empty(struct hf_msgq *q)
{
	return !atomic_load(&q->top);
}

/* All messages, the oldest first, linked by next. */
static inline struct hf_msg *hf_msgq_take(struct hf_msgq *q)
{
	struct hf_msg *top = atomic_exchange(&q->top, NULL), *first = NULL;

	while (top) {
		struct hf_msg *next = top->next;

		top->next = first;
		first = top;
		top = next;
	}
	return first;
}

#endif
