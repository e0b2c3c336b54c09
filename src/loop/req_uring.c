/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of the io_uring engine. A request goes into the submission queue at once, or, when that
 * is full, to a backlog that is emptied in order at the next turn; the kernel sees either in the
 * turn's one system call; only abandoning makes its own. Called by loop_uring.c and, through the
 * engine's table, by req_posix.c.
 */
#include "req_uring.h"

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
	switch ((enum hf_req_op)r->op) {
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
		/* hf_loop_sendmsg() has found it full. */
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
	io_uring_prep_read(sqe, u->os.wake_fd, &u->wake_value, sizeof(u->wake_value), 0);
	io_uring_sqe_set_data(sqe, DATA_WAKE);
	u->is_wake_armed = true;
	u->in_flight++;
	return true;
}

void hf_loop_uring_submit(struct hf_loop_os *l, struct hf_req *r)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);

	/* Nobody overtakes the backlog: requests reach the kernel in the order of submission. */
	if (!u->backlog.first && push_to_kernel(u, r))
		return;
	r->state = REQ_BACKLOG;
	req_queue_push(&u->backlog, r);
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
	r->has_more = cqe_flags & IORING_CQE_F_SOCK_NONEMPTY;
	r->is_empty = !r->has_more;
	if (r->state == REQ_CANCELLING)
		hf_req_queue_remove(&u->cancels, r);
	else
		hf_assert(r->state == REQ_OUT);
	r->state = REQ_DONE;
	r->done(r, result);
}

void hf_loop_uring_cancel(struct hf_loop_os *l, struct hf_req *victim)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);

	switch ((enum req_state)victim->state) {
	case REQ_BACKLOG:
		hf_req_queue_remove(&u->backlog, victim);
		hf_loop_os_end(l, victim, -ECANCELED);
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

void hf_loop_uring_abandon(struct hf_loop_os *l, struct hf_req *victim)
{
	struct hf_loop_uring *u = hf_loop_uring_of(l);

	if (victim->state == REQ_BACKLOG)
		return hf_req_queue_remove(&u->backlog, victim);
	if (victim->state == REQ_CANCELLING)
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
