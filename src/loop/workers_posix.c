/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads that make blocking calls; see workers_posix.h. */
#include "workers_posix.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static ssize_t call(struct hf_req *r)
{
	switch ((enum hf_req_op)r->op) {
	case OP_READV:
		return preadv(r->fd, r->ptr, (int)r->len, (off_t)r->offset);
	case OP_WRITEV:
		return pwritev2(r->fd, r->ptr, (int)r->len, (off_t)r->offset, (int)r->flags);
	case OP_FDATASYNC:
		return fdatasync(r->fd);
	case OP_FALLOCATE:
		return fallocate(r->fd, (int)r->flags, (off_t)r->offset, (off_t)r->iov.iov_len);
	default:
		hf_assert(!"a call that blocks");
		return -1;
	}
}

static void carry_out(struct workers *w, struct hf_req *r)
{
	ssize_t ret = call(r);
	struct hf_req *top = atomic_load_explicit(&w->done, memory_order_relaxed);

	r->result = ret < 0 ? -errno : (int)ret;
	do {
		r->next = top;
	} while (!atomic_compare_exchange_weak(&w->done, &top, r));
	hf_loop_os_wake(w->loop);
}

static void *thread_main(void *arg)
{
	struct workers *w = arg;
	struct hf_req *r;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->todo.first && !w->must_stop) {
			w->idle++;
			pthread_cond_wait(&w->more, &w->lock);
			w->idle--;
		}
		if (w->must_stop)
			break;
		r = hf_req_queue_pop(&w->todo);
		pthread_mutex_unlock(&w->lock);
		carry_out(w, r);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int hf_workers_init(struct workers *w, struct hf_loop_os *loop)
{
	int err = pthread_mutex_init(&w->lock, NULL);

	if (err)
		return -err;
	err = pthread_cond_init(&w->more, NULL);
	if (err) {
		pthread_mutex_destroy(&w->lock);
		return -err;
	}
	w->loop = loop;
	req_queue_init(&w->todo);
	return 0;
}

void hf_workers_fini(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->must_stop = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->len; i++)
		pthread_join(w->threads[i], NULL);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
}

/* Signals are for the threads that wait for them. */
static bool start_thread(struct workers *w)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->threads[w->len], NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return false;
	w->len++;
	return true;
}

void hf_workers_submit(struct workers *w, struct hf_req *r)
{
	bool alone = false;

	pthread_mutex_lock(&w->lock);
	if (!w->idle && w->len < WORKERS_MAX)
		alone = !start_thread(w) && !w->len;
	if (!alone) {
		req_queue_push(&w->todo, r);
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&w->lock);
	/* No thread is to be had: slow, but not wrong. */
	if (alone)
		carry_out(w, r);
}

bool hf_workers_take_back(struct workers *w, struct hf_req *r)
{
	struct hf_req *at;

	pthread_mutex_lock(&w->lock);
	for (at = w->todo.first; at && at != r; at = at->next)
		;
	if (at)
		hf_req_queue_remove(&w->todo, r);
	pthread_mutex_unlock(&w->lock);
	return at;
}

struct hf_req *hf_workers_take_done(struct workers *w)
{
	struct hf_req *top = atomic_exchange(&w->done, NULL), *first = NULL;

	while (top) {
		struct hf_req *next = top->next;

		top->next = first;
		first = top;
		top = next;
	}
	return first;
}
