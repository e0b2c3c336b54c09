/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event loop: one per thread. Timers, messages between loops, network and disk requests.
 * This header is the seam: loop_posix.c picks an engine, io_uring or epoll with threads; the
 * simulator and unit tests link loop_sim.c, which has virtual time and no file descriptors.
 *
 * Everything but hf_loop_post() and hf_loop_stop() must be called on the loop's own thread: the
 * first one to call hf_loop_run() or hf_loop_run_once() (before that: any one thread). Callbacks
 * run on the loop's thread, one at a time, never inside the call that submitted the request.
 */
#ifndef HF_LOOP_H
#define HF_LOOP_H

#include "list.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct hf_loop;

enum hf_loop_engine {
	HF_LOOP_AUTO, /* io_uring, or epoll where the kernel refuses it */
	HF_LOOP_URING,
	HF_LOOP_EPOLL,
};

struct hf_loop_options {
	enum hf_loop_engine engine;
	unsigned entries;      /* submission queue size, a power of two; 0 = default 1024 */
	unsigned busy_poll_us; /* spin this long before sleeping; 0 = sleep at once */
	size_t buf_bytes;      /* all buffers of the loop; 0 = default 64 MiB; used memory counts */
};

/* -errno when the kernel refuses all that was asked for, or memory is short. index: 0 = control
 * loop. */
int hf_loop_create(unsigned index, const struct hf_loop_options *options, struct hf_loop **ret);
/* On the loop's thread, or after it has ended. Requests still out are cancelled and waited for; no
 * done() runs any more. NULL is fine. */
void hf_loop_destroy(struct hf_loop *loop);
/* For people. *ret_refusal: -errno of io_uring where epoll stands in for it, else 0. */
const char *hf_loop_engine_name(const struct hf_loop *loop, int *ret_refusal);
unsigned hf_loop_index(const struct hf_loop *loop);
/* Runs until hf_loop_stop(), and then what had been posted before that; 0 or -errno. */
int hf_loop_run(struct hf_loop *loop);
/* Runs what is due now and returns; wait: sleeps for at least one event first. For tests. */
int hf_loop_run_once(struct hf_loop *loop, bool wait);
void hf_loop_stop(struct hf_loop *loop); /* from any thread */
/* CLOCK_BOOTTIME at the start of this turn of the loop, in ns; the only clock in Holdfast. */
uint64_t hf_loop_now_ns(const struct hf_loop *loop);
/* The clock itself, read now: for "evaluate, then check the view, then send" (INV-5). */
uint64_t hf_loop_clock_ns(const struct hf_loop *loop);

/* --- messages: FIFO per sender and receiver, no allocation --- */

struct hf_msg {
	struct hf_msg *next;
	void (*run)(struct hf_msg *msg); /* on the receiving loop; msg may be reused from then on */
};

/* From any thread. `msg` is kept until run() starts. To the own loop it is queued, too. */
void hf_loop_post(struct hf_loop *to, struct hf_msg *msg);
/*
 * To the own loop, from its thread: runs when there is nothing else to do that needs no system
 * call, or after a few turns. For what gathers: everything of this moment goes out at once.
 */
void hf_loop_post_last(struct hf_loop *own, struct hf_msg *msg);

/* --- timers --- */

struct hf_timer {
	struct hf_timer *child, *next, **prev; /* engine's: pairing heap, see timer.c */
	uint64_t deadline_ns;
	uint64_t seq; /* engine's: timers of one deadline fire in the order of arming; 0 = not armed
		       */
	void (*fire)(struct hf_timer *t); /* not armed any more when this runs */
};

void hf_timer_init(struct hf_timer *t, void (*fire)(struct hf_timer *t));
/* Arms, or re-arms, for deadline_ns on the hf_loop_now_ns() clock. */
void hf_timer_arm(struct hf_loop *loop, struct hf_timer *t, uint64_t deadline_ns);
void hf_timer_cancel(struct hf_loop *loop, struct hf_timer *t); /* not armed: nothing happens */
bool hf_timer_is_armed(const struct hf_timer *t);

/* --- requests ---
 * struct hf_req is kept until done(); result is the system call's value or -errno. A request is
 * never finished before the kernel no longer touches its buffers. Sockets must be in blocking mode
 * (O_NONBLOCK makes io_uring answer -EAGAIN instead of waiting).
 */
struct hf_req {
	void (*done)(struct hf_req *req, int result);
	struct hf_req *next; /* engine's: backlog when the ring is full */
	uint8_t op, state;   /* engine's copy of the arguments from here on */
	bool is_empty;	     /* engine's: the receive before has taken all there was */
	bool has_more;	     /* of a receive that is over: bytes were left; false: not known */
	int result;
	int fd;
	void *ptr;
	uint64_t offset;
	uint32_t len, flags;
	union {
		struct msghdr msg;
		struct iovec iov;
	};
};

void hf_loop_accept(struct hf_loop *l, struct hf_req *r, int fd);
void hf_loop_connect(struct hf_loop *l, struct hf_req *r, int fd, const struct sockaddr *addr,
	socklen_t addr_len); /* addr kept until done */
void hf_loop_recv(struct hf_loop *l, struct hf_req *r, int fd, void *buf, size_t len);
/* iov kept until done. */
void hf_loop_recvmsg(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n);
/* The result may be short; the sender goes on with the rest. */
void hf_loop_sendmsg(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n);
void hf_loop_readv(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n,
	uint64_t offset);
/* rw_flags: RWF_DSYNC or 0. */
void hf_loop_writev(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n,
	uint64_t offset, int rw_flags);
void hf_loop_fdatasync(struct hf_loop *l, struct hf_req *r, int fd);
void hf_loop_fallocate(
	struct hf_loop *l, struct hf_req *r, int fd, int mode, uint64_t offset, uint64_t len);
/* One shot: done(revents) when one of the poll events is there. */
void hf_loop_poll(struct hf_loop *l, struct hf_req *r, int fd, unsigned events);
void hf_loop_close(struct hf_loop *l, struct hf_req *r, int fd);
/* Asks for an early end; done() of `victim` still comes (with -ECANCELED or its own result). */
void hf_loop_cancel(struct hf_loop *l, struct hf_req *victim);
/*
 * For closing down: ends `victim` here and now; its done() does not run. Only for what ends as soon
 * as it is cancelled (poll, accept, receive); nothing else runs meanwhile. May also be called when
 * the loop's thread has ended. A request that is done already: nothing happens, if its memory was
 * zero before its first use.
 */
void hf_loop_abandon(struct hf_loop *l, struct hf_req *victim);

/* --- buffers: page-aligned, from a pool per loop, none allocated after start --- */

struct hf_buf_waiter {
	struct hf_list node; /* engine's, as are len and buf */
	size_t len;
	void *buf;
	void (*ready)(struct hf_buf_waiter *w, void *buf);
};

/* A buffer of at least len (<= HF_XFER_MAX_BYTES) bytes, 4096-aligned; NULL when none is left. */
void *hf_loop_buf_get(struct hf_loop *l, size_t len);
/* Queues w; ready() is called with a buffer when one is free, in order of arrival among those who
 * need the same size; never inside this call or hf_loop_buf_put(). */
void hf_loop_buf_wait(struct hf_loop *l, struct hf_buf_waiter *w, size_t len);
void hf_loop_buf_unwait(struct hf_loop *l, struct hf_buf_waiter *w);
void hf_loop_buf_put(struct hf_loop *l, void *buf);

#endif
