/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop in virtual time: see loop_sim.h. */
#include "loop_sim.h"
#include "loop_common.h"

#include <stdlib.h>

/* Simulated hosts move little data; a test that wants more says so in its options. */
enum { DEFAULT_BUF_BYTES = 8 << 20 };

/* Not zero, so that a forgotten initialization shows; far from the end, so that sums fit. */
#define START_NS 1000000000ULL

struct hf_loop_sim {
	struct hf_loop base;
	void *memory;
	bool must_stop;
};

static struct hf_loop_sim *sim_of(struct hf_loop *l)
{
	return hf_container_of(l, struct hf_loop_sim, base);
}

int hf_loop_create(unsigned index, const struct hf_loop_options *options, struct hf_loop **ret)
{
	size_t bytes = options && options->buf_bytes ? options->buf_bytes : DEFAULT_BUF_BYTES;
	struct hf_loop_sim *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		return -ENOMEM;
	s->base.index = index;
	s->base.now_ns = START_NS;
	s->memory = aligned_alloc(4096, hf_bufs_memory_bytes(bytes));
	if (s->memory)
		err = hf_bufs_init(&s->base.bufs, s->memory, bytes);
	if (err < 0) {
		free(s->memory);
		free(s);
		return err;
	}
	*ret = &s->base;
	return 0;
}

void hf_loop_destroy(struct hf_loop *loop)
{
	if (!loop)
		return;
	hf_bufs_fini(&loop->bufs);
	free(sim_of(loop)->memory);
	free(sim_of(loop));
}

uint64_t hf_loop_clock_ns(const struct hf_loop *loop)
{
	return loop->now_ns;
}

const char *hf_loop_engine_name(const struct hf_loop *loop, int *ret_refusal)
{
	*ret_refusal = 0;
	return "virtual time";
}

void hf_loop_post(struct hf_loop *to, struct hf_msg *msg)
{
	hf_msgq_push(&to->msgs, msg);
}

void hf_loop_stop(struct hf_loop *loop)
{
	sim_of(loop)->must_stop = true;
}

uint64_t hf_loop_sim_next_ns(struct hf_loop *loop)
{
	if (hf_loop_is_due(loop, loop->now_ns))
		return loop->now_ns;
	return hf_timers_next_ns(&loop->timers);
}

void hf_loop_sim_set_now(struct hf_loop *loop, uint64_t now_ns)
{
	hf_assert(now_ns >= loop->now_ns);
	hf_assert(now_ns <= hf_timers_next_ns(&loop->timers));
	loop->now_ns = now_ns;
}

void hf_loop_sim_turn(struct hf_loop *loop, uint64_t now_ns)
{
	hf_assert(now_ns >= loop->now_ns);
	loop->now_ns = now_ns;
	hf_loop_run_due(loop);
}

void hf_loop_sim_settle(struct hf_loop *loop)
{
	while (hf_loop_is_due(loop, loop->now_ns))
		hf_loop_run_due(loop);
}

void hf_loop_sim_advance(struct hf_loop *loop, uint64_t ns)
{
	uint64_t until = loop->now_ns + ns;

	hf_loop_sim_settle(loop);
	while (hf_timers_next_ns(&loop->timers) <= until) {
		loop->now_ns = hf_timers_next_ns(&loop->timers);
		hf_loop_sim_settle(loop);
	}
	loop->now_ns = until;
}

int hf_loop_run_once(struct hf_loop *loop, bool wait)
{
	uint64_t next_ns = hf_loop_sim_next_ns(loop);

	if (wait && next_ns == UINT64_MAX)
		return -EDEADLK;
	if (wait)
		loop->now_ns = next_ns;
	hf_loop_run_due(loop);
	return 0;
}

int hf_loop_run(struct hf_loop *loop)
{
	struct hf_loop_sim *s = sim_of(loop);

	while (!s->must_stop) {
		int ret = hf_loop_run_once(loop, true);

		if (ret < 0)
			return ret;
	}
	s->must_stop = false;
	return 0;
}

/* The simulator has no file descriptors: whoever gets here has the wrong engine linked. */
#define NO_DESCRIPTORS hf_assert(!"the simulated loop has file descriptors")

void hf_loop_accept(struct hf_loop *l, struct hf_req *r, int fd)
{
	NO_DESCRIPTORS;
}

void hf_loop_connect(struct hf_loop *l, struct hf_req *r, int fd, const struct sockaddr *addr,
	socklen_t addr_len)
{
	NO_DESCRIPTORS;
}

void hf_loop_recv(struct hf_loop *l, struct hf_req *r, int fd, void *buf, size_t len)
{
	NO_DESCRIPTORS;
}

void hf_loop_recvmsg(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n)
{
	NO_DESCRIPTORS;
}

void hf_loop_sendmsg(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n)
{
	NO_DESCRIPTORS;
}

void hf_loop_readv(
	struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n, uint64_t offset)
{
	NO_DESCRIPTORS;
}

void hf_loop_writev(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n,
	uint64_t offset, int rw_flags)
{
	NO_DESCRIPTORS;
}

void hf_loop_fdatasync(struct hf_loop *l, struct hf_req *r, int fd)
{
	NO_DESCRIPTORS;
}

void hf_loop_fallocate(
	struct hf_loop *l, struct hf_req *r, int fd, int mode, uint64_t offset, uint64_t len)
{
	NO_DESCRIPTORS;
}

void hf_loop_poll(struct hf_loop *l, struct hf_req *r, int fd, unsigned events)
{
	NO_DESCRIPTORS;
}

void hf_loop_close(struct hf_loop *l, struct hf_req *r, int fd)
{
	NO_DESCRIPTORS;
}

void hf_loop_cancel(struct hf_loop *l, struct hf_req *victim)
{
	NO_DESCRIPTORS;
}

void hf_loop_abandon(struct hf_loop *l, struct hf_req *victim)
{
	NO_DESCRIPTORS;
}
