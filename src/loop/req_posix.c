/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of loop.h on their way to the engine: the arguments go into the request. */
#include "engine_posix.h"

static void submit(struct hf_loop *l, struct hf_req *r, enum hf_req_op op, int fd)
{
	struct hf_loop_os *os = hf_loop_os_of(l);

	r->op = op;
	r->fd = fd;
	r->next = NULL;
	os->engine->submit(os, r);
}

void hf_loop_accept(struct hf_loop *l, struct hf_req *r, int fd)
{
	submit(l, r, OP_ACCEPT, fd);
}

void hf_loop_connect(struct hf_loop *l, struct hf_req *r, int fd, const struct sockaddr *addr,
	socklen_t addr_len)
{
	r->ptr = (void *)(uintptr_t)addr;
	r->len = addr_len;
	submit(l, r, OP_CONNECT, fd);
}

void hf_loop_recv(struct hf_loop *l, struct hf_req *r, int fd, void *buf, size_t len)
{
	hf_assert(len <= INT32_MAX);
	r->ptr = buf;
	r->len = (uint32_t)len;
	submit(l, r, OP_RECV, fd);
}

static void set_msg(struct hf_req *r, struct iovec *iov, unsigned n)
{
	memset(&r->msg, 0, sizeof(r->msg));
	r->msg.msg_iov = iov;
	r->msg.msg_iovlen = n;
}

void hf_loop_recvmsg(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n)
{
	set_msg(r, iov, n);
	submit(l, r, OP_RECVMSG, fd);
}

/*
 * A send that finds room in the socket is over with its own system call, which costs less than a
 * submission and a completion, and the bytes are on their way a turn earlier.
 */
void hf_loop_sendmsg(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n)
{
	ssize_t sent;

	set_msg(r, iov, n);
	sent = sendmsg(fd, &r->msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		submit(l, r, OP_SENDMSG, fd);
	else
		hf_loop_os_end(hf_loop_os_of(l), r, sent < 0 ? -errno : (int)sent);
}

void hf_loop_readv(
	struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n, uint64_t offset)
{
	r->ptr = iov;
	r->len = n;
	r->offset = offset;
	r->flags = 0;
	submit(l, r, OP_READV, fd);
}

void hf_loop_writev(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n,
	uint64_t offset, int rw_flags)
{
	r->ptr = iov;
	r->len = n;
	r->offset = offset;
	r->flags = (uint32_t)rw_flags;
	submit(l, r, OP_WRITEV, fd);
}

void hf_loop_fdatasync(struct hf_loop *l, struct hf_req *r, int fd)
{
	submit(l, r, OP_FDATASYNC, fd);
}

void hf_loop_fallocate(
	struct hf_loop *l, struct hf_req *r, int fd, int mode, uint64_t offset, uint64_t len)
{
	r->offset = offset;
	r->iov.iov_len = len;
	r->flags = (uint32_t)mode;
	submit(l, r, OP_FALLOCATE, fd);
}

void hf_loop_poll(struct hf_loop *l, struct hf_req *r, int fd, unsigned events)
{
	r->flags = events;
	submit(l, r, OP_POLL, fd);
}

void hf_loop_close(struct hf_loop *l, struct hf_req *r, int fd)
{
	submit(l, r, OP_CLOSE, fd);
}

void hf_loop_cancel(struct hf_loop *l, struct hf_req *victim)
{
	struct hf_loop_os *os = hf_loop_os_of(l);

	if (victim->state != REQ_DONE && victim->state != REQ_ENDED)
		os->engine->cancel(os, victim);
}

void hf_loop_abandon(struct hf_loop *l, struct hf_req *victim)
{
	struct hf_loop_os *os = hf_loop_os_of(l);

	if (victim->state == REQ_ENDED) {
		if (!hf_req_queue_take(&os->due, victim))
			hf_req_queue_remove(&os->ended, victim);
	} else if (victim->state != REQ_DONE) {
		os->engine->abandon(os, victim);
	}
	victim->state = REQ_DONE;
}
