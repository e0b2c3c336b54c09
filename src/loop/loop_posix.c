/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The part of an event loop that is the same over any kernel interface: creation with the best
 * engine to be had, the clock, the turn, waking. A loop that has work does not sleep, and nobody
 * makes a system call to wake a loop that is awake.
 */
#include "engine_posix.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

uint64_t hf_loop_clock_ns(const struct hf_loop *loop)
{
	struct timespec ts;
	int ret = clock_gettime(CLOCK_BOOTTIME, &ts);

	hf_assert(ret == 0);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int create_bufs(struct hf_loop_os *l, size_t wanted_bytes)
{
	int ret;

	l->memory_bytes = hf_bufs_memory_bytes(wanted_bytes);
	/* Pages come with their first use. */
	l->memory = mmap(NULL, l->memory_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->memory == MAP_FAILED)
		return -errno;
	/* Where large pages are to be had, large transfers cost a few percent less. */
	madvise(l->memory, l->memory_bytes, MADV_HUGEPAGE);
	ret = hf_bufs_init(&l->base.bufs, l->memory, wanted_bytes);
	if (ret < 0)
		munmap(l->memory, l->memory_bytes);
	return ret;
}

static int create_with(
	const struct hf_engine *engine, const struct hf_loop_options *o, struct hf_loop_os **ret)
{
	int err = engine->create(o, ret);

	if (err == 0)
		(*ret)->engine = engine;
	return err;
}

static int create_engine(const struct hf_loop_options *o, struct hf_loop_os **ret)
{
	int refusal;

	if (o->engine == HF_LOOP_EPOLL)
		return create_with(&hf_engine_epoll, o, ret);
	refusal = create_with(&hf_engine_uring, o, ret);
	if (refusal == 0 || o->engine == HF_LOOP_URING)
		return refusal;
	if (create_with(&hf_engine_epoll, o, ret) < 0)
		return refusal;
	(*ret)->refusal = refusal;
	return 0;
}

int hf_loop_create(unsigned index, const struct hf_loop_options *options, struct hf_loop **ret)
{
	static const struct hf_loop_options none;
	const struct hf_loop_options *o = options ? options : &none;
	int wake_fd = eventfd(0, EFD_CLOEXEC), err;
	struct hf_loop_os *l;

	if (wake_fd < 0)
		return -errno;
	err = create_engine(o, &l);
	if (err < 0) {
		close(wake_fd);
		return err;
	}
	l->wake_fd = wake_fd;
	l->base.index = index;
	l->busy_poll_us = o->busy_poll_us;
	req_queue_init(&l->ended);
	req_queue_init(&l->due);
	err = create_bufs(l, o->buf_bytes);
	if (err < 0) {
		l->engine->destroy(l);
		close(wake_fd);
		return err;
	}
	l->base.now_ns = hf_loop_clock_ns(&l->base);
	*ret = &l->base;
	return 0;
}

const char *hf_loop_engine_name(const struct hf_loop *loop, int *ret_refusal)
{
	const struct hf_loop_os *l = hf_container_of(loop, struct hf_loop_os, base);

	*ret_refusal = l->refusal;
	return l->engine->name;
}

void hf_loop_destroy(struct hf_loop *loop)
{
	struct hf_loop_os *l;
	int wake_fd;

	if (!loop)
		return;
	l = hf_loop_os_of(loop);
	wake_fd = l->wake_fd;
	hf_bufs_fini(&loop->bufs);
	void *memory = l->memory;
	size_t bytes = l->memory_bytes;
	l->engine->destroy(l);
	munmap(memory, bytes);
	close(wake_fd);
}

/* --- waking --- */

void hf_loop_os_wake(struct hf_loop_os *l)
{
	const uint64_t one = 1;

	/* Reads of a flag that is clear cost the sender less than an exchange. */
	if (atomic_load(&l->is_asleep) && atomic_exchange(&l->is_asleep, false)) {
		ssize_t n = write(l->wake_fd, &one, sizeof(one));

		hf_assert(n == sizeof(one));
	}
}

void hf_loop_post(struct hf_loop *to, struct hf_msg *msg)
{
	hf_msgq_push(&to->msgs, msg);
	hf_loop_os_wake(hf_loop_os_of(to));
}

void hf_loop_stop(struct hf_loop *loop)
{
	struct hf_loop_os *l = hf_loop_os_of(loop);

	atomic_store(&l->must_stop, true);
	hf_loop_os_wake(l);
}

/* --- requests that are over without the kernel --- */

struct hf_req *hf_req_queue_pop(struct req_queue *q)
{
	struct hf_req *r = q->first;

	if (r)
		hf_req_queue_remove(q, r);
	return r;
}

bool hf_req_queue_take(struct req_queue *q, struct hf_req *r)
{
	struct hf_req **at = &q->first;

	while (*at && *at != r)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = r->next;
	if (!*at)
		q->end = at;
	r->next = NULL;
	return true;
}

void hf_req_queue_remove(struct req_queue *q, struct hf_req *r)
{
	bool taken = hf_req_queue_take(q, r);

	hf_assert(taken);
}

void hf_loop_os_end(struct hf_loop_os *l, struct hf_req *r, int result)
{
	r->result = result;
	r->state = REQ_ENDED;
	req_queue_push(&l->ended, r);
}

/* Those that have ended before this call. One of them may abandon another. */
static void run_ended(struct hf_loop_os *l)
{
	struct hf_req *r;

	if (!l->ended.first)
		return;
	l->due = l->ended;
	req_queue_init(&l->ended);
	while ((r = hf_req_queue_pop(&l->due))) {
		r->state = REQ_DONE;
		r->done(r, r->result);
	}
}

/* --- the turn --- */

int hf_loop_run_once(struct hf_loop *loop, bool wait)
{
	struct hf_loop_os *l = hf_loop_os_of(loop);
	int ret = l->engine->enter(l, wait);

	if (ret < 0)
		return ret;
	if (!l->put_off)
		loop->now_ns = hf_loop_clock_ns(loop);
	l->engine->complete(l);
	run_ended(l);
	hf_loop_run_due(loop);
	return 0;
}

int hf_loop_run(struct hf_loop *loop)
{
	struct hf_loop_os *l = hf_loop_os_of(loop);

	while (!atomic_exchange(&l->must_stop, false)) {
		int ret = hf_loop_run_once(loop, true);

		if (ret < 0)
			return ret;
	}
	hf_loop_run_posted(loop); /* whoever has sent it before the stop counts on that */
	return 0;
}
