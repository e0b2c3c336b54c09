/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that make the calls which block (files and block devices), for the epoll engine. One set
 * per loop; threads are made when there is work for them, up to a limit.
 */
#ifndef HF_LOOP_WORKERS_POSIX_H
#define HF_LOOP_WORKERS_POSIX_H

#include "engine_posix.h"

#include <pthread.h>

enum { WORKERS_MAX = 16 };

struct workers {
	struct hf_loop_os *loop;
	pthread_mutex_t lock; /* todo, idle, len, must_stop */
	pthread_cond_t more;
	struct req_queue todo;
	unsigned idle, len;
	bool must_stop;
	pthread_t threads[WORKERS_MAX];
	_Atomic(struct hf_req *) done; /* a stack, by next */
};

int hf_workers_init(struct workers *w, struct hf_loop_os *loop);
/* Waits for the calls that are being made; those that wait for a thread are dropped. */
void hf_workers_fini(struct workers *w);
void hf_workers_submit(struct workers *w, struct hf_req *r);
/* True: r had not begun, and is the caller's again. */
bool hf_workers_take_back(struct workers *w, struct hf_req *r);
/* What has been done since, linked by next, results in result; NULL: nothing. */
struct hf_req *hf_workers_take_done(struct workers *w);
static inline bool hf_workers_has_done(struct workers *w)
{
	return atomic_load(&w->done);
}

#endif
