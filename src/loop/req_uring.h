/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of the io_uring engine: how each kind becomes a submission queue entry. Included by
 * loop_uring.c and req_uring.c only.
 */
#ifndef HF_URING_REQ_H
#define HF_URING_REQ_H

#include "engine_posix.h"

#include <liburing.h>

/* Completions that belong to no request of the layers above. */
#define DATA_NONE ((void *)0)
#define DATA_WAKE ((void *)1)

struct hf_loop_uring {
	struct hf_loop_os os;
	struct io_uring ring;
	bool is_enabled;	  /* and so bound to its thread */
	bool is_wake_armed;	  /* wake_fd is being read */
	bool has_poll_first;	  /* 5.19 */
	uint64_t in_flight;	  /* entries whose completion is still to come */
	struct req_queue backlog; /* requests that found the submission queue full */
	struct req_queue cancels; /* victims (REQ_CANCELLING) whose cancellation found it full */
	uint64_t wake_value;	  /* where the kernel puts what it reads from wake_fd */
};

static inline struct hf_loop_uring *hf_loop_uring_of(struct hf_loop_os *l)
{
	return hf_container_of(l, struct hf_loop_uring, os);
}

void hf_loop_uring_submit(struct hf_loop_os *l, struct hf_req *r);
void hf_loop_uring_cancel(struct hf_loop_os *l, struct hf_req *victim);
void hf_loop_uring_abandon(struct hf_loop_os *l, struct hf_req *victim);
/* Moves what waited for free entries into the submission queue; true when all of it fit. */
bool hf_loop_uring_flush_backlog(struct hf_loop_uring *u);
/* The kernel's answer to r. */
void hf_loop_uring_complete(
	struct hf_loop_uring *u, struct hf_req *r, int result, unsigned cqe_flags);

#endif
