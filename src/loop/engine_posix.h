/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engines with a kernel under them share: the turn, waking, requests that end without the
 * kernel. loop_posix.c has it, and picks the engine: io_uring (loop_uring.c), or epoll with a few
 * threads (loop_epoll_posix.c) where the kernel does not let us have io_uring. Included by
 * src/loop only.
 */
#ifndef HF_LOOP_ENGINE_POSIX_H
#define HF_LOOP_ENGINE_POSIX_H

#include "loop_common.h"

/* hf_req.op */
enum hf_req_op {
	OP_ACCEPT,
	OP_CONNECT,
	OP_RECV,
	OP_RECVMSG,
	OP_SENDMSG,
	OP_READV,
	OP_WRITEV,
	OP_FDATASYNC,
	OP_FALLOCATE,
	OP_POLL,
	OP_CLOSE,
};

/* hf_req.state */
enum req_state {
	REQ_DONE,	/* the caller's */
	REQ_BACKLOG,	/* io_uring: waits for a free entry, on backlog by next */
	REQ_OUT,	/* the kernel's, or waits for its descriptor, or a thread's */
	REQ_CANCELLING, /* io_uring: the kernel's, and on the list of cancellations by next */
	REQ_ENDED,	/* over, done() comes in the next turn */
};

struct req_queue {
	struct hf_req *first, **end;
};

struct hf_loop_os;

struct hf_engine {
	const char *name;
	/* Allocates; -errno when the kernel does not have it or refuses it. */
	int (*create)(const struct hf_loop_options *options, struct hf_loop_os **ret);
	/* op, fd and arguments are filled in. */
	void (*submit)(struct hf_loop_os *l, struct hf_req *r);
	void (*cancel)(struct hf_loop_os *l, struct hf_req *victim);
	void (*abandon)(struct hf_loop_os *l, struct hf_req *victim);
	/* The turn's system call; wait: may sleep when there is no work. */
	int (*enter)(struct hf_loop_os *l, bool wait);
	/* Deals with what enter() has brought. */
	void (*complete)(struct hf_loop_os *l);
	/* Ends what is out and frees. */
	void (*destroy)(struct hf_loop_os *l);
};

extern const struct hf_engine hf_engine_uring, hf_engine_epoll;

struct hf_loop_os {
	struct hf_loop base;
	const struct hf_engine *engine;
	int refusal; /* -errno of the engine that was tried before this one, or 0 */
	unsigned busy_poll_us;
	size_t memory_bytes; /* of the buffers */
	void *memory;
	struct req_queue ended; /* REQ_ENDED */
	struct req_queue due;	/* REQ_ENDED, of which this turn runs done() */
	unsigned put_off;	/* turns since the last system call */
	int wake_fd;
	_Atomic bool is_asleep, must_stop;
};

enum { PUT_OFF_MAX = 8 /* turns without a system call */ };

static inline struct hf_loop_os *hf_loop_os_of(struct hf_loop *l)
{
	return hf_container_of(l, struct hf_loop_os, base);
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
bool hf_req_queue_take(struct req_queue *q, struct hf_req *r); /* false: it is not there */

/* done() in the next turn, without the kernel. */
void hf_loop_os_end(struct hf_loop_os *l, struct hf_req *r, int result);
/* Whoever has pushed something that the loop is to see. From any thread. */
void hf_loop_os_wake(struct hf_loop_os *l);

/* What the turn need not sleep for, timers and the engine's own aside. */
static inline bool hf_loop_os_has_work(struct hf_loop_os *l)
{
	return l->ended.first || atomic_load(&l->must_stop) || hf_loop_has_messages(&l->base);
}

static inline bool hf_loop_os_is_due(struct hf_loop_os *l, uint64_t now_ns)
{
	return hf_timers_next_ns(&l->base.timers) <= now_ns;
}

#endif
