/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of the io_uring engine. A request goes into the submission queue at once, or, when that
 * is full, to a backlog that is emptied in order at the next turn; the kernel sees either in the
 * turn's one system call; only hf_loop_abandon() makes its own. Called by the layers above through
 * loop.h and by loop_uring.c.
 */
#include "req_uring.h"

enum op {
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

struct hf_req *hf_req_queue_pop(struct req_queue *q)
{
	struct hf_req *r = q->first;

	if (r)
		hf_req_queue_remove(q, r);
	return r;
}

void hf_req_queue_remove(struct req_queue *q, struct hf_req *r)
{
	struct hf_req **at = &q->first;

	while (*at != r) {
		hf_assert(*at);
		at = &(*at)->next;
	}
	*at = r->next;
	if (!*at)
		q->end = at;
	r->next = NULL;
}

static void prepare_rw(struct io_uring_sqe *sqe, struct hf_req *r)
{
	const struct iovec *iov = r->ptr;

	/* One piece needs no vector to be read by the kernel. */
	if (r->op == OP_READV && r->len == 1)
		io_uring_prep_read(sqe, r->fd, iov->iov_base, (unsigned)iov->iov_len, r->offset);
	else if (r->op == OP_READV)
		io_uring_prep_readv(sqe, r->fd, iov, r->len, r->offset);
	else if (r->len == 1)
		io_uring_prep_write(sqe, r->fd, iov->iov_base, (unsigned)iov->iov_len, r->offset);
	else
		io_uring_prep_writev(sqe, r->fd, iov, r->len, r->offset);
	sqe->rw_flags = (int)r->flags;
}

static void prepare(struct hf_loop_uring *u, struct io_uring_sqe *sqe, struct hf_req *r)
{
	switch ((enum op)r->op) {
	case OP_ACCEPT:
		io_uring_prep_accept(sqe, r->fd, NULL, NULL, SOCK_CLOEXEC);
		break;
	case OP_CONNECT:
		io_uring_prep_connect(sqe, r->fd, r->ptr, r->len);
		break;
	case OP_RECV:
		io_uring_prep_recv(sqe, r->fd, r->ptr, r->len, 0);
		sqe->ioprio = r->is_empty && u->has_poll_first ? IORING_RECVSEND_POLL_FIRST : 0;
		break;
	case OP_RECVMSG:
		io_uring_prep_recvmsg(sqe, r->fd, &r->msg, 0);
		sqe->ioprio = r->is_empty && u->has_poll_first ? IORING_RECVSEND_POLL_FIRST : 0;
		break;
	case OP_SENDMSG:
		/* WAITALL: the kernel continues a short send by itself. */
		io_uring_prep_sendmsg(sqe, r->fd, &r->msg, MSG_NOSIGNAL | MSG_WAITALL);
		/* send_now() has found it full. */
		sqe->ioprio = u->has_poll_first ? IORING_RECVSEND_POLL_FIRST : 0;
		break;
	case OP_READV:
	case OP_WRITEV:
		prepare_rw(sqe, r);
		break;
	case OP_FDATASYNC:
		io_uring_prep_fsync(sqe, r->fd, IORING_FSYNC_DATASYNC);
		break;
	case OP_FALLOCATE:
		io_uring_prep_fallocate(
			sqe, r->fd, (int)r->flags, (off_t)r->offset, (off_t)r->iov.iov_len);
		break;
	case OP_POLL:
		io_uring_prep_poll_add(sqe, r->fd, r->flags);
		break;
	case OP_CLOSE:
		io_uring_prep_close(sqe, r->fd);
		break;
	}
}

static bool push_to_kernel(struct hf_loop_uring *u, struct hf_req *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (!sqe)
		return false;
	prepare(u, sqe, r);
	io_uring_sqe_set_data(sqe, r);
	r->state = REQ_OUT;
	u->in_flight++;
	return true;
}

static bool push_cancel_to_kernel(struct hf_loop_uring *u, struct hf_req *victim)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (!sqe)
		return false;
	io_uring_prep_cancel(sqe, victim, 0);
	io_uring_sqe_set_data(sqe, DATA_NONE);
	u->in_flight++;
	return true;
}

static bool push_wake_to_kernel(struct hf_loop_uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (!sqe)
		return false;
	io_uring_prep_read(sqe, u->wake_fd, &u->wake_value, sizeof(u->wake_value), 0);
	io_uring_sqe_set_data(sqe, DATA_WAKE);
	u->is_wake_armed = true;
	u->in_flight++;
	return true;
}

static void submit(struct hf_loop *l, struct hf_req *r, enum op op, int fd)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);

	r->op = op;
	r->fd = fd;
	r->next = NULL;
	/* Nobody overtakes the backlog: requests reach the kernel in the order of submission. */
	if (!u->backlog.first && push_to_kernel(u, r))
		return;
	r->state = REQ_BACKLOG;
	req_queue_push(&u->backlog, r);
}

/* done() in the next turn, without the kernel. */
static void end(struct hf_loop_uring *u, struct hf_req *r, int result)
{
	r->result = result;
	r->state = REQ_ENDED;
	req_queue_push(&u->ended, r);
}

bool hf_loop_uring_flush_backlog(struct hf_loop_uring *u)
{
	struct hf_req *r;

	if (!u->is_wake_armed && !push_wake_to_kernel(u))
		return false;
	while ((r = u->cancels.first)) {
		if (!push_cancel_to_kernel(u, r))
			return false;
		hf_req_queue_pop(&u->cancels);
		r->state = REQ_OUT;
	}
	while ((r = u->backlog.first)) {
		struct hf_req *next = r->next;

		if (!push_to_kernel(u, r))
			return false;
		u->backlog.first = next;
		if (!next)
			u->backlog.end = &u->backlog.first;
	}
	return true;
}

void hf_loop_uring_complete(
	struct hf_loop_uring *u, struct hf_req *r, int result, unsigned cqe_flags)
{
	r->is_empty = !(cqe_flags & IORING_CQE_F_SOCK_NONEMPTY);
	if (r->state == REQ_CANCELLING)
		hf_req_queue_remove(&u->cancels, r);
	else
		hf_assert(r->state == REQ_OUT);
	r->state = REQ_DONE;
	r->done(r, result);
}

void hf_loop_uring_run_ended(struct hf_loop_uring *u)
{
	struct req_queue now = u->ended;
	struct hf_req *r;

	if (!now.first)
		return;
	req_queue_init(&u->ended);
	while ((r = now.first)) {
		now.first = r->next;
		r->state = REQ_DONE;
		r->done(r, r->result);
	}
}

void hf_loop_cancel(struct hf_loop *l, struct hf_req *victim)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);

	switch ((enum req_state)victim->state) {
	case REQ_BACKLOG:
		hf_req_queue_remove(&u->backlog, victim);
		end(u, victim, -ECANCELED);
		break;
	case REQ_OUT:
		if (u->cancels.first || !push_cancel_to_kernel(u, victim)) {
			victim->state = REQ_CANCELLING;
			req_queue_push(&u->cancels, victim);
		}
		break;
	case REQ_DONE:
	case REQ_CANCELLING:
	case REQ_ENDED:
		break;
	}
}

/* Entries that the kernel has not seen yet. */
static bool abandon_unsubmitted(struct hf_loop_uring *u, struct hf_req *victim)
{
	struct io_uring_sq *sq = &u->ring.sq;

	for (unsigned i = sq->sqe_tail - io_uring_sq_ready(&u->ring); i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];

		if (sqe->user_data != (uintptr_t)victim || sqe->opcode == IORING_OP_ASYNC_CANCEL)
			continue;
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data(sqe, DATA_NONE);
		return true;
	}
	return false;
}

/* Completions stay where they are, to be run by the next turn; the victim's loses its owner. */
static bool abandon_completed(struct hf_loop_uring *u, struct hf_req *victim)
{
	struct io_uring_cqe *cqe;
	unsigned head;

	io_uring_for_each_cqe(&u->ring, head, cqe)
	{
		if (cqe->user_data == (uintptr_t)victim) {
			cqe->user_data = (uintptr_t)DATA_NONE;
			return true;
		}
	}
	return false;
}

void hf_loop_abandon(struct hf_loop *l, struct hf_req *victim)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);
	enum req_state state = victim->state;

	victim->state = REQ_DONE;
	if (state == REQ_DONE)
		return;
	if (state == REQ_BACKLOG)
		return hf_req_queue_remove(&u->backlog, victim);
	if (state == REQ_ENDED)
		return hf_req_queue_remove(&u->ended, victim);
	if (state == REQ_CANCELLING)
		hf_req_queue_remove(&u->cancels, victim);
	if (abandon_unsubmitted(u, victim))
		return;
	while (!push_cancel_to_kernel(u, victim))
		if (io_uring_submit(&u->ring) < 0)
			break;
	while (!abandon_completed(u, victim)) {
		/* Refused: the thread of the ring has ended, and its requests with it. */
		int ret = io_uring_submit_and_wait(&u->ring, io_uring_cq_ready(&u->ring) + 1);

		if (ret < 0 && ret != -EINTR)
			break;
	}
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

static void submit_msg(
	struct hf_loop *l, struct hf_req *r, enum op op, int fd, struct iovec *iov, unsigned n)
{
	memset(&r->msg, 0, sizeof(r->msg));
	r->msg.msg_iov = iov;
	r->msg.msg_iovlen = n;
	submit(l, r, op, fd);
}

void hf_loop_recvmsg(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n)
{
	submit_msg(l, r, OP_RECVMSG, fd, iov, n);
}

/*
 * A send that finds room in the socket is over with its own system call, which costs less than a
 * submission and a completion, and the bytes are on their way a turn earlier.
 */
static bool send_now(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n)
{
	ssize_t sent;

	memset(&r->msg, 0, sizeof(r->msg));
	r->msg.msg_iov = iov;
	r->msg.msg_iovlen = n;
	sent = sendmsg(fd, &r->msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	end(hf_loop_uring_of(l), r, sent < 0 ? -errno : (int)sent);
	return true;
}

void hf_loop_sendmsg(struct hf_loop *l, struct hf_req *r, int fd, struct iovec *iov, unsigned n)
{
	if (!send_now(l, r, fd, iov, n))
		submit_msg(l, r, OP_SENDMSG, fd, iov, n);
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
