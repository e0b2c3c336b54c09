/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The io_uring engine: creation, the turn, sleeping. A turn is one io_uring_enter() that submits
 * everything the callbacks of the turn before asked for and sleeps until a completion, the next
 * timer or a message; then completions, timers, waiters for buffers and messages are called.
 */
#include "req_uring.h"

#include <stdlib.h>

enum {
	DEFAULT_ENTRIES = 1024,
	CQ_PER_SQ = 8, /* many requests wait long: receives, accepts, polls */
};

/*
 * The best set of flags that this kernel knows. The ring stays disabled until its thread first runs
 * it, because with SINGLE_ISSUER it belongs to the thread that enables it. DEFER_TASKRUN (6.1):
 * completions are worked off in the loop's own system call, not as interruptions of its callbacks.
 */
static int create_ring(struct hf_loop_uring *u, unsigned entries)
{
	const unsigned common = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
	const unsigned tries[] = {
		common | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
			IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG,
		common | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG,
		common,
	};
	int ret = -EINVAL;

	for (unsigned i = 0; i < HF_ARRAY_LEN(tries) && ret == -EINVAL; i++) {
		struct io_uring_params p = {.flags = tries[i], .cq_entries = entries * CQ_PER_SQ};

		ret = io_uring_queue_init_params(entries, &u->ring, &p);
		if (ret == 0 && !(p.features & IORING_FEAT_EXT_ARG)) {
			io_uring_queue_exit(&u->ring);
			return -ENOSYS;
		}
		u->has_poll_first = ret == 0 && i == 0;
	}
	return ret;
}

/* io_uring_enable_rings(), which liburing 2.3 declares and forgot to export. */
static int enable_ring(struct io_uring *ring)
{
	int ret = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	/* Saves the kernel a look-up in each call; without it things are slower, not wrong. */
	if (ret == 0)
		io_uring_register_ring_fd(ring);
	return ret;
}

static int create(const struct hf_loop_options *o, struct hf_loop_os **ret)
{
	struct hf_loop_uring *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	req_queue_init(&u->backlog);
	req_queue_init(&u->cancels);
	err = create_ring(u, o->entries ? o->entries : DEFAULT_ENTRIES);
	if (err < 0) {
		free(u);
		return err;
	}
	*ret = &u->os;
	return 0;
}

/* Whether completions are there, or are to be had from the kernel without waiting. */
static bool has_completions(struct hf_loop_uring *u)
{
	return io_uring_cq_ready(&u->ring) || (IO_URING_READ_ONCE(*u->ring.sq.kflags) &
						      (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

static bool has_work(struct hf_loop_uring *u)
{
	return hf_loop_os_has_work(&u->os) || u->backlog.first || u->cancels.first;
}

/* Errors of io_uring_enter() that mean: not all was submitted, or nothing came; go on. */
static int enter_result(int ret)
{
	switch (ret) {
	case -ETIME:
	case -EINTR:
	case -EAGAIN:
	case -EBUSY:
		return 0;
	default:
		return HF_MIN(ret, 0);
	}
}

static int enter_without_sleep(struct hf_loop_uring *u)
{
	if (!io_uring_sq_ready(&u->ring) && !has_completions(u))
		return 0;
	return enter_result(io_uring_submit_and_get_events(&u->ring));
}

/* Spins for a while, in the hope that something comes soon. True when it did. */
static bool busy_poll(struct hf_loop_uring *u)
{
	uint64_t now = hf_loop_clock_ns(&u->os.base), until = now + u->os.busy_poll_us * 1000ULL;

	do {
		if (has_work(u) || hf_loop_os_is_due(&u->os, now) || has_completions(u))
			return true;
		__builtin_ia32_pause();
		now = hf_loop_clock_ns(&u->os.base);
	} while (now < until);
	return false;
}

static int enter_and_sleep(struct hf_loop_uring *u, uint64_t now_ns)
{
	struct __kernel_timespec ts, *timeout = NULL;
	struct io_uring_cqe *cqe;
	uint64_t next_ns = hf_timers_next_ns(&u->os.base.timers);
	int ret;

	/* The flag first, then a look: whoever pushes after the look sees the flag. */
	atomic_store(&u->os.is_asleep, true);
	if (has_work(u)) {
		atomic_store(&u->os.is_asleep, false);
		return enter_without_sleep(u);
	}
	if (next_ns != UINT64_MAX) {
		ts.tv_sec = (long long)((next_ns - now_ns) / 1000000000);
		ts.tv_nsec = (long long)((next_ns - now_ns) % 1000000000);
		timeout = &ts;
	}
	ret = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, timeout, NULL);
	atomic_store(&u->os.is_asleep, false);
	return enter_result(ret);
}

/*
 * The turn's system call. While there is work that needs no kernel it is put off, for a few turns:
 * what that work asks for goes along in the same call.
 */
static int enter(struct hf_loop_os *l, bool wait)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);
	uint64_t now_ns;
	int ret;

	if (!u->is_enabled) {
		ret = enable_ring(&u->ring);
		if (ret < 0)
			return ret;
		u->is_enabled = true;
	}
	/* More requests than the queue has entries: several system calls, none of which sleeps. */
	while (!hf_loop_uring_flush_backlog(u)) {
		ret = enter_without_sleep(u);
		if (ret < 0)
			return ret;
		if (has_completions(u))
			return 0;
	}
	if (wait && has_work(u) && u->os.put_off < PUT_OFF_MAX && !has_completions(u)) {
		u->os.put_off++;
		return 0;
	}
	u->os.put_off = 0;
	if (!wait || has_work(u))
		return enter_without_sleep(u);
	if (u->os.busy_poll_us) {
		ret = enter_without_sleep(u);
		if (ret < 0 || busy_poll(u))
			return ret < 0 ? ret : enter_without_sleep(u);
	}
	now_ns = hf_loop_clock_ns(&u->os.base);
	return hf_loop_os_is_due(&u->os, now_ns) ? enter_without_sleep(u)
						 : enter_and_sleep(u, now_ns);
}

static void complete(struct hf_loop_os *l)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);
	struct io_uring_cqe *cqes[64];
	unsigned left = io_uring_cq_ready(&u->ring), n;

	while (left > 0) {
		n = io_uring_peek_batch_cqe(&u->ring, cqes, HF_MIN(left, HF_ARRAY_LEN(cqes)));
		for (unsigned i = 0; i < n; i++) {
			void *data = io_uring_cqe_get_data(cqes[i]);

			u->in_flight--;
			if (data == DATA_WAKE)
				u->is_wake_armed = false;
			else if (data != DATA_NONE)
				hf_loop_uring_complete(u, data, cqes[i]->res, cqes[i]->flags);
		}
		io_uring_cq_advance(&u->ring, n);
		left -= n;
	}
}

/*
 * Ends what is still out. On another thread than the loop's the kernel does not let us, and need
 * not: a thread that ends waits for its requests itself.
 */
static void cancel_all(struct hf_loop_uring *u)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	bool is_asked = false;

	while (u->is_enabled && (u->in_flight > 0 || !is_asked)) {
		if (!is_asked && (sqe = io_uring_get_sqe(&u->ring))) {
			io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY);
			io_uring_sqe_set_data(sqe, DATA_NONE);
			u->in_flight++;
			is_asked = true;
		}
		if (enter_result(io_uring_submit_and_wait(&u->ring, 1)) < 0)
			return;
		while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
			io_uring_cqe_seen(&u->ring, cqe);
			u->in_flight--;
		}
	}
}

static void destroy(struct hf_loop_os *l)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);

	cancel_all(u);
	io_uring_queue_exit(&u->ring);
	free(u);
}

const struct hf_engine hf_engine_uring = {
	.name = "io_uring",
	.create = create,
	.submit = hf_loop_uring_submit,
	.cancel = hf_loop_uring_cancel,
	.abandon = hf_loop_uring_abandon,
	.enter = enter,
	.complete = complete,
	.destroy = destroy,
};
