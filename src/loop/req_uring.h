/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of the io_uring engine: how each kind becomes a submission queue entry. Included by
 * loop_uring.c and req_uring.c only.
 */
#ifndef HF_URING_REQ_H
#define HF_URING_REQ_H

#include "loop_common.h"

#include <liburing.h>

/* Completions that belong to no request of the layers above. */
#define DATA_NONE ((void *)0)
#define DATA_WAKE ((void *)1)

/* hf_req.state */
enum req_state {
	REQ_DONE,	/* the caller's */
	REQ_BACKLOG,	/* waits for a free entry, on backlog by next */
	REQ_OUT,	/* the kernel's */
	REQ_CANCELLING, /* the kernel's, and on the list of cancellations by next */
	REQ_ENDED,	/* over without the kernel, done() comes in the next turn */
};

struct req_queue {
	struct hf_req *first, **end;
};

struct hf_loop_uring {
	struct hf_loop base;
	struct io_uring ring;
	bool is_enabled;     /* and so bound to its thread */
	bool has_poll_first; /* 5.19 */
	unsigned put_off;    /* turns since the last system call */
	bool is_wake_armed;  /* wake_fd is being read */
	unsigned busy_poll_us;
	size_t memory_bytes; /* of the buffers */
	void *memory;
	uint64_t in_flight;	  /* entries whose completion is still to come */
	struct req_queue backlog; /* requests that found the submission queue full */
	struct req_queue cancels; /* victims (REQ_CANCELLING) whose cancellation found it full */
	struct req_queue ended;	  /* REQ_ENDED */
	int wake_fd;
	uint64_t wake_value; /* where the kernel puts what it reads from wake_fd */
	_Atomic bool is_asleep, must_stop;
};

static inline struct hf_loop_uring *hf_loop_uring_of(struct hf_loop *l)
{
	return hf_container_of(l, struct hf_loop_uring, base);
}

static inline void req_queue_init(struct req_queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static inline void req_queue_push(struct req_queue *q, struct hf_req *r)
{
	r->next = NULL;
	*q->end = r;
	q->end = &r->next;
}

struct hf_req *hf_req_queue_pop(struct req_queue *q); /* NULL when empty */
void hf_req_queue_remove(struct req_queue *q, struct hf_req *r);

/* Moves what waited for free entries into the submission queue; true when all of it fit. */
bool hf_loop_uring_flush_backlog(struct hf_loop_uring *u);
/* The kernel's answer to r. */
void hf_loop_uring_complete(
	struct hf_loop_uring *u, struct hf_req *r, int result, unsigned cqe_flags);
/* Finishes requests that the kernel never had. */
void hf_loop_uring_run_ended(struct hf_loop_uring *u);

#endif
