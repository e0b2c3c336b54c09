/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What both engines (loop_uring.c, loop_sim.c) share: an engine embeds struct hf_loop and gives
 * its clock; timers, messages and buffers are the same code. Included by src/loop only.
 */
#ifndef HF_LOOP_COMMON_H
#define HF_LOOP_COMMON_H

#include "bufs.h"
#include "msgq.h"
#include "timer.h"

struct hf_loop {
	unsigned index;
	uint64_t now_ns;
	struct hf_timers timers;
	struct hf_msgq msgs;
	struct hf_msg *last, **last_end; /* hf_loop_post_last(); last_end: NULL before the first */
	unsigned last_waited;		 /* turns */
	struct hf_bufs bufs;
};

/* Timers that are due at now_ns, waiters with buffers, messages; each as of the call's start. */
void hf_loop_run_due(struct hf_loop *loop);
/* The messages alone. */
void hf_loop_run_posted(struct hf_loop *loop);
/* Whether hf_loop_run_due() would call anything, timers aside. */
static inline bool hf_loop_has_messages(struct hf_loop *loop)
{
	return hf_bufs_has_ready(&loop->bufs) || !hf_msgq_is_empty(&loop->msgs) || loop->last;
}
/* ... timers too, at time now_ns. */
bool hf_loop_is_due(struct hf_loop *loop, uint64_t now_ns);

#endif
