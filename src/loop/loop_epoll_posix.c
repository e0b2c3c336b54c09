/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The epoll engine: for kernels that have no io_uring or do not let us have it. What waits for a
 * socket waits on the list of its descriptor until epoll says that it may go on; what would block
 * on a file or block device is done by threads (workers_posix.c).
 *
 * A descriptor is watched one shot at a time (EPOLLONESHOT), so that nothing is remembered here of
 * one that its owner has closed: the kernel forgets it, and the next watch adds it again.
 */
#include "workers_posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

/* Requests that wait for one descriptor, the oldest first. */
struct fd_waits {
	struct req_queue waits;
	uint32_t armed; /* counts while somebody waits */
};

struct hf_loop_epoll {
	struct hf_loop_os os;
	int epoll;
	struct fd_waits **fds; /* by number */
	size_t fds_len;
	bool is_wake_armed;
	int events_len;
	struct epoll_event events[EVENTS_MAX];
	struct workers workers;
};

static struct hf_loop_epoll *epoll_of(struct hf_loop_os *l)
{
	return hf_container_of(l, struct hf_loop_epoll, os);
}

/* --- one descriptor --- */

static struct fd_waits *waits_of(struct hf_loop_epoll *e, int fd)
{
	if ((size_t)fd >= e->fds_len) {
		size_t len = HF_MAX((size_t)fd + 1, e->fds_len * 2);
		struct fd_waits **fds = realloc(e->fds, len * sizeof(*fds));

		if (!fds)
			return NULL;
		memset(fds + e->fds_len, 0, (len - e->fds_len) * sizeof(*fds));
		e->fds = fds;
		e->fds_len = len;
	}
	if (!e->fds[fd]) {
		e->fds[fd] = calloc(1, sizeof(**e->fds));
		if (e->fds[fd])
			req_queue_init(&e->fds[fd]->waits);
	}
	return e->fds[fd];
}

static uint32_t wants(const struct hf_req *r)
{
	switch ((enum hf_req_op)r->op) {
	case OP_CONNECT:
	case OP_SENDMSG:
		return EPOLLOUT;
	case OP_POLL:
		return r->flags;
	default:
		return EPOLLIN;
	}
}

/* Watches for what the requests of this descriptor want. -errno. */
static int arm(struct hf_loop_epoll *e, int fd, struct fd_waits *w)
{
	struct epoll_event ev = {.events = EPOLLONESHOT, .data.fd = fd};
	int ret;

	for (struct hf_req *r = w->waits.first; r; r = r->next)
		ev.events |= wants(r);
	if (w->armed == ev.events)
		return 0;
	ret = epoll_ctl(e->epoll, EPOLL_CTL_MOD, fd, &ev);
	if (ret < 0 && errno == ENOENT)
		ret = epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev);
	if (ret < 0)
		return -errno;
	w->armed = ev.events;
	return 0;
}

static void set_blocking(int fd, bool blocking)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* --- calls that may have to wait --- */

static int start_connect(struct hf_req *r)
{
	int ret;

	set_blocking(r->fd, false);
	ret = connect(r->fd, r->ptr, r->len) < 0 ? -errno : 0;
	if (ret == -EINPROGRESS)
		return -EAGAIN;
	set_blocking(r->fd, true);
	return ret;
}

static int end_connect(struct hf_req *r)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	set_blocking(r->fd, true);
	return -err;
}

/* The result; -EAGAIN: has to wait. */
static int attempt(struct hf_req *r)
{
	ssize_t ret;

	do {
		switch ((enum hf_req_op)r->op) {
		case OP_ACCEPT:
			/* It may be gone again by now: then this must not wait. */
			set_blocking(r->fd, false);
			ret = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC);
			break;
		case OP_RECV:
			ret = recv(r->fd, r->ptr, r->len, MSG_DONTWAIT);
			break;
		case OP_RECVMSG:
			ret = recvmsg(r->fd, &r->msg, MSG_DONTWAIT);
			break;
		case OP_SENDMSG:
			ret = sendmsg(r->fd, &r->msg, MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		default:
			hf_assert(!"a call on a socket");
			return -EINVAL;
		}
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : (int)ret;
}

static void wait_for_fd(struct hf_loop_epoll *e, struct hf_req *r)
{
	struct fd_waits *w = r->fd >= 0 ? waits_of(e, r->fd) : NULL;
	int ret;

	if (!w) {
		hf_loop_os_end(&e->os, r, r->fd < 0 ? -EBADF : -ENOMEM);
		return;
	}
	if (!w->waits.first)
		w->armed = 0;
	r->state = REQ_OUT;
	req_queue_push(&w->waits, r);
	ret = arm(e, r->fd, w);
	if (ret == 0)
		return;
	hf_req_queue_remove(&w->waits, r);
	/* A file is always ready. */
	hf_loop_os_end(&e->os, r, ret == -EPERM && r->op == OP_POLL ? (int)r->flags : ret);
}

static void submit_socket(struct hf_loop_epoll *e, struct hf_req *r)
{
	/* What was empty a moment ago is most likely still empty, and full what was full. */
	bool hopeless = r->op == OP_SENDMSG || (r->is_empty && r->op != OP_ACCEPT);
	int ret = r->op == OP_CONNECT ? start_connect(r) : hopeless ? -EAGAIN : attempt(r);

	if (ret == -EAGAIN)
		wait_for_fd(e, r);
	else
		hf_loop_os_end(&e->os, r, ret);
}

static void submit(struct hf_loop_os *l, struct hf_req *r)
{
	struct hf_loop_epoll *e = epoll_of(l);

	switch ((enum hf_req_op)r->op) {
	case OP_ACCEPT:
	case OP_CONNECT:
	case OP_RECV:
	case OP_RECVMSG:
	case OP_SENDMSG:
		submit_socket(e, r);
		break;
	case OP_POLL:
		wait_for_fd(e, r);
		break;
	case OP_CLOSE:
		hf_loop_os_end(l, r, close(r->fd) < 0 ? -errno : 0);
		break;
	case OP_READV:
	case OP_WRITEV:
	case OP_FDATASYNC:
	case OP_FALLOCATE:
		r->state = REQ_OUT;
		hf_workers_submit(&e->workers, r);
		break;
	}
}

static bool waits_for_fd(const struct hf_req *r)
{
	return r->op <= OP_SENDMSG || r->op == OP_POLL;
}

static void forget(struct hf_loop_epoll *e, struct hf_req *r)
{
	hf_req_queue_remove(&e->fds[r->fd]->waits, r);
	if (r->op == OP_CONNECT)
		set_blocking(r->fd, true);
}

static void cancel(struct hf_loop_os *l, struct hf_req *victim)
{
	struct hf_loop_epoll *e = epoll_of(l);

	if (waits_for_fd(victim))
		forget(e, victim);
	else if (!hf_workers_take_back(&e->workers, victim))
		return; /* being done; ends by itself */
	hf_loop_os_end(l, victim, -ECANCELED);
}

static void abandon(struct hf_loop_os *l, struct hf_req *victim)
{
	hf_assert(waits_for_fd(victim));
	forget(epoll_of(l), victim);
}

/* --- the turn --- */

static bool has_work(struct hf_loop_epoll *e)
{
	return hf_loop_os_has_work(&e->os) || hf_workers_has_done(&e->workers);
}

/* Events, without or with sleep; UINT64_MAX: for as long as it takes. */
static int look(struct hf_loop_epoll *e, uint64_t sleep_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(sleep_ns / 1000000000),
		.tv_nsec = (long)(sleep_ns % 1000000000)};
	int n = epoll_pwait2(
		e->epoll, e->events, EVENTS_MAX, sleep_ns == UINT64_MAX ? NULL : &ts, NULL);

	if (n < 0 && errno == ENOSYS) { /* before 5.11: whole milliseconds, no shorter */
		uint64_t ms = sleep_ns == UINT64_MAX ? 0 : (sleep_ns + 999999) / 1000000;

		n = epoll_wait(e->epoll, e->events, EVENTS_MAX,
			sleep_ns == UINT64_MAX ? -1 : (int)HF_MIN(ms, INT32_MAX));
	}
	e->events_len = HF_MAX(n, 0);
	return n < 0 && errno != EINTR ? -errno : 0;
}

static int look_busily(struct hf_loop_epoll *e)
{
	uint64_t now = hf_loop_clock_ns(&e->os.base), until = now + e->os.busy_poll_us * 1000ULL;
	int ret;

	do {
		ret = look(e, 0);
		if (ret < 0 || e->events_len || has_work(e) || hf_loop_os_is_due(&e->os, now))
			return ret;
		now = hf_loop_clock_ns(&e->os.base);
	} while (now < until);
	return 0;
}

static int sleep_for_events(struct hf_loop_epoll *e)
{
	uint64_t now_ns = hf_loop_clock_ns(&e->os.base);
	uint64_t next_ns = hf_timers_next_ns(&e->os.base.timers), sleep_ns = UINT64_MAX;
	int ret;

	if (next_ns != UINT64_MAX)
		sleep_ns = next_ns > now_ns ? next_ns - now_ns : 0;
	/* The flag first, then a look: whoever pushes after the look sees the flag. */
	atomic_store(&e->os.is_asleep, true);
	ret = look(e, has_work(e) ? 0 : sleep_ns);
	atomic_store(&e->os.is_asleep, false);
	return ret;
}

static int watch_wake(struct hf_loop_epoll *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = e->os.wake_fd};

	if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->os.wake_fd, &ev) < 0)
		return -errno;
	e->is_wake_armed = true;
	return 0;
}

static int enter(struct hf_loop_os *l, bool wait)
{
	struct hf_loop_epoll *e = epoll_of(l);
	int ret = e->is_wake_armed ? 0 : watch_wake(e);

	e->events_len = 0;
	if (ret < 0)
		return ret;
	if (wait && has_work(e) && l->put_off < PUT_OFF_MAX) {
		l->put_off++;
		return 0;
	}
	l->put_off = 0;
	if (!wait || has_work(e))
		return look(e, 0);
	if (l->busy_poll_us) {
		ret = look_busily(e);
		if (ret < 0 || e->events_len || has_work(e))
			return ret;
	}
	return sleep_for_events(e);
}

/* Goes on with those that wait for this descriptor, as far as they can. */
static void ready(struct hf_loop_epoll *e, int fd, uint32_t events)
{
	struct fd_waits *w = e->fds[fd];
	struct req_queue now = w->waits;
	struct hf_req *r;
	int ret;

	if (!now.first)
		return;
	req_queue_init(&w->waits);
	w->armed = 0;
	while ((r = now.first)) {
		uint32_t mine = events & (wants(r) | EPOLLERR | EPOLLHUP);

		now.first = r->next;
		if (!mine)
			ret = -EAGAIN;
		else if (r->op == OP_POLL)
			ret = (int)mine;
		else
			ret = r->op == OP_CONNECT ? end_connect(r) : attempt(r);
		if (ret != -EAGAIN) {
			r->is_empty =
				(r->op == OP_RECV && ret < (int)r->len) || r->op == OP_RECVMSG;
			hf_loop_os_end(&e->os, r, ret);
		} else {
			req_queue_push(&w->waits, r);
		}
	}
	ret = w->waits.first ? arm(e, fd, w) : 0;
	while (ret < 0 && (r = hf_req_queue_pop(&w->waits)))
		hf_loop_os_end(&e->os, r, ret);
}

static void complete(struct hf_loop_os *l)
{
	struct hf_loop_epoll *e = epoll_of(l);
	struct hf_req *r = hf_workers_take_done(&e->workers);

	while (r) {
		struct hf_req *next = r->next;

		hf_loop_os_end(l, r, r->result);
		r = next;
	}
	for (int i = 0; i < e->events_len; i++) {
		int fd = e->events[i].data.fd;
		uint64_t value;

		if (fd != l->wake_fd)
			ready(e, fd, e->events[i].events);
		else if (read(fd, &value, sizeof(value)) < 0)
			hf_assert(errno == EINTR || errno == EAGAIN);
	}
}

/* --- birth and death --- */

static int create(const struct hf_loop_options *o, struct hf_loop_os **ret)
{
	struct hf_loop_epoll *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll < 0) {
		err = -errno;
		free(e);
		return err;
	}
	err = hf_workers_init(&e->workers, &e->os);
	if (err < 0) {
		close(e->epoll);
		free(e);
		return err;
	}
	*ret = &e->os;
	return 0;
}

static void destroy(struct hf_loop_os *l)
{
	struct hf_loop_epoll *e = epoll_of(l);

	hf_workers_fini(&e->workers);
	close(e->epoll);
	for (size_t i = 0; i < e->fds_len; i++)
		free(e->fds[i]);
	free(e->fds);
	free(e);
}

const struct hf_engine hf_engine_epoll = {
	.name = "epoll",
	.create = create,
	.submit = submit,
	.cancel = cancel,
	.abandon = abandon,
	.enter = enter,
	.complete = complete,
	.destroy = destroy,
};
