/* SPDX-License-Identifier: BSD-3-Clause */
/* The engines: requests, backlog, cancellation, timers, messages, on one thread. loop_test ENGINE
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "loop.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct want {
	struct hf_req req;
	bool is_done;
	int result;
};

static enum hf_loop_engine engine;
static bool is_submitting; /* done() inside the submitting call is an error */

static void note(struct hf_req *req, int result)
{
	struct want *w = hf_container_of(req, struct want, req);

	assert_false(is_submitting);
	assert_false(w->is_done);
	w->is_done = true;
	w->result = result;
}

static int finish(struct hf_loop *l, struct want *w)
{
	while (!w->is_done)
		assert_int_equal(hf_loop_run_once(l, true), 0);
	w->is_done = false;
	return w->result;
}

static int make(void **state)
{
	struct hf_loop_options o = {.engine = engine, .entries = 8};

	return hf_loop_create(0, &o, (struct hf_loop **)state);
}

static int unmake(void **state)
{
	hf_loop_destroy(*state);
	return 0;
}

static void a_request_submitted_before_the_loop_runs_is_carried_out(void **state)
{
	struct hf_loop *l = *state;
	struct want w = {.req.done = note}, r = {.req.done = note};
	char text[] = "before", got[8] = "";
	struct iovec iov = {text, sizeof(text)};
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	is_submitting = true;
	hf_loop_recv(l, &r.req, fd[1], got, sizeof(got));
	hf_loop_sendmsg(l, &w.req, fd[0], &iov, 1);
	is_submitting = false;
	assert_int_equal(finish(l, &w), sizeof(text));
	assert_int_equal(finish(l, &r), sizeof(text));
	assert_string_equal(got, text);
	iov = (struct iovec){got, sizeof(got)};
	hf_loop_recvmsg(l, &r.req, fd[0], &iov, 1);
	hf_loop_close(l, &w.req, fd[1]);
	assert_int_equal(finish(l, &w), 0);
	assert_int_equal(finish(l, &r), 0);
	close(fd[0]);
}

static void a_broken_connection_gives_an_error_and_no_signal(void **state)
{
	struct hf_loop *l = *state;
	struct want w = {.req.done = note};
	struct iovec iov = {"x", 1};
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	close(fd[1]);
	hf_loop_sendmsg(l, &w.req, fd[0], &iov, 1);
	assert_int_equal(finish(l, &w), -EPIPE);
	close(fd[0]);
}

static void connections_are_made_and_accepted(void **state)
{
	struct hf_loop *l = *state;
	struct want a = {.req.done = note}, c = {.req.done = note};
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int listening = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listening, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&addr, &len), 0);
	hf_loop_accept(l, &a.req, listening);
	hf_loop_connect(l, &c.req, fd, (struct sockaddr *)&addr, len);
	assert_int_equal(finish(l, &c), 0);
	assert_true(finish(l, &a) >= 0);
	close(a.result);
	close(listening);
	close(fd);
}

static void files_are_written_read_synced_and_punched(void **state)
{
	struct hf_loop *l = *state;
	struct want w = {.req.done = note};
	char name[] = "/tmp/hf-loop-XXXXXX", a[512], b[512], got[1024];
	struct iovec out[2] = {{a, sizeof(a)}, {b, sizeof(b)}}, in = {got, sizeof(got)};
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	hf_loop_writev(l, &w.req, fd, out, 2, 512, RWF_DSYNC);
	assert_int_equal(finish(l, &w), 1024);
	hf_loop_fdatasync(l, &w.req, fd);
	assert_int_equal(finish(l, &w), 0);
	hf_loop_readv(l, &w.req, fd, &in, 1, 512);
	assert_int_equal(finish(l, &w), 1024);
	assert_memory_equal(got, a, 512);
	assert_memory_equal(got + 512, b, 512);
	hf_loop_fallocate(l, &w.req, fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 1024, 512);
	assert_int_equal(finish(l, &w), 0);
	hf_loop_readv(l, &w.req, fd, out, 2, 512);
	assert_int_equal(finish(l, &w), 1024);
	assert_int_equal(a[511], 'a');
	assert_int_equal(b[0], 0);
	close(fd);
}

static void poll_ends_when_the_event_is_there(void **state)
{
	struct hf_loop *l = *state;
	struct want w = {.req.done = note};
	int fd = eventfd(0, EFD_NONBLOCK);

	hf_loop_poll(l, &w.req, fd, POLLIN);
	assert_int_equal(hf_loop_run_once(l, false), 0);
	assert_false(w.is_done);
	assert_int_equal(eventfd_write(fd, 1), 0);
	assert_int_equal(finish(l, &w), POLLIN);
	close(fd);
}

/* Far more requests than entries, each of which waits: all reach the kernel, none is lost. */
static void a_full_queue_makes_requests_wait_not_fail(void **state)
{
	enum { N = 200 };
	struct hf_loop *l = *state;
	static struct want w[N];
	int fd = eventfd(0, EFD_SEMAPHORE);

	memset(w, 0, sizeof(w));
	is_submitting = true;
	for (int i = 0; i < N; i++) {
		w[i].req.done = note;
		hf_loop_recv(l, &w[i].req, -1, NULL, 0);
	}
	is_submitting = false;
	for (int i = 0; i < N; i++)
		assert_int_equal(finish(l, &w[i]), -EBADF);
	for (int i = 0; i < N; i++) {
		hf_loop_poll(l, &w[i].req, fd, POLLIN);
	}
	assert_int_equal(hf_loop_run_once(l, false), 0);
	assert_int_equal(eventfd_write(fd, 1), 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(finish(l, &w[i]), POLLIN);
	close(fd);
}

static void cancelling_ends_a_request_wherever_it_is(void **state)
{
	enum { N = 100 };
	struct hf_loop *l = *state;
	static struct want w[N];
	int fd = eventfd(0, 0);

	memset(w, 0, sizeof(w));
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < N; i++) {
			w[i].req.done = note;
			hf_loop_poll(l, &w[i].req, fd, POLLIN);
		}
		/* First all from the queue and the backlog, then all from the kernel. */
		if (turn == 1)
			assert_int_equal(hf_loop_run_once(l, false), 0);
		is_submitting = true;
		for (int i = 0; i < N; i++) {
			hf_loop_cancel(l, &w[i].req);
			hf_loop_cancel(l, &w[i].req);
		}
		is_submitting = false;
		for (int i = 0; i < N; i++)
			assert_int_equal(finish(l, &w[i]), -ECANCELED);
	}
	close(fd);
}

static void cancelling_a_finished_request_does_nothing(void **state)
{
	struct hf_loop *l = *state;
	struct want w = {.req.done = note};

	hf_loop_recv(l, &w.req, -1, NULL, 0);
	assert_int_equal(finish(l, &w), -EBADF);
	hf_loop_cancel(l, &w.req);
	assert_int_equal(hf_loop_run_once(l, false), 0);
	assert_false(w.is_done);
}

struct pair_of_polls {
	struct hf_req req;
	struct hf_loop *loop;
	struct pair_of_polls *other;
	unsigned done;
};

static void abandon_the_other(struct hf_req *req, int result)
{
	struct pair_of_polls *p = hf_container_of(req, struct pair_of_polls, req);

	p->done++;
	hf_loop_abandon(p->loop, &p->other->req);
}

/* Both have ended in one turn; the first to be told abandons the second. */
static void a_request_may_abandon_one_that_has_ended_with_it(void **state)
{
	struct hf_loop *l = *state;
	struct pair_of_polls a = {.loop = l}, b = {.loop = l, .other = &a};
	int fd = eventfd(1, 0);

	a.other = &b;
	a.req.done = b.req.done = abandon_the_other;
	hf_loop_poll(l, &a.req, fd, POLLIN);
	hf_loop_poll(l, &b.req, fd, POLLIN);
	while (a.done + b.done == 0)
		assert_int_equal(hf_loop_run_once(l, true), 0);
	assert_int_equal(hf_loop_run_once(l, false), 0);
	assert_int_equal(a.done + b.done, 1);
	close(fd);
}

/* Wherever the request is: memory of an abandoned one is free for other use at once. */
static void an_abandoned_request_is_not_heard_of_again(void **state)
{
	enum { N = 20 };
	struct hf_loop *l = *state;
	struct want other = {.req.done = note};
	int fd = eventfd(0, 0);

	for (int turns = 0; turns < 3; turns++) {
		struct want *w = calloc(N, sizeof(*w));

		for (int i = 0; i < N; i++) {
			w[i].req.done = note;
			hf_loop_poll(l, &w[i].req, fd, POLLIN);
			if (turns == 2 && i == 0)
				hf_loop_cancel(l, &w[i].req);
		}
		hf_loop_poll(l, &other.req, fd, POLLIN);
		if (turns > 0)
			assert_int_equal(hf_loop_run_once(l, false), 0);
		if (turns == 2) /* their completions are there, unseen */
			assert_int_equal(eventfd_write(fd, 1), 0);
		for (int i = 0; i < N; i++)
			hf_loop_abandon(l, &w[i].req);
		for (int i = 0; i < N; i++) {
			assert_int_equal(w[i].is_done, turns == 2 && i == 0);
			hf_loop_abandon(l, &w[i].req);
		}
		memset(w, 0xff, N * sizeof(*w));
		free(w);
		if (turns < 2)
			assert_int_equal(eventfd_write(fd, 1), 0);
		assert_int_equal(finish(l, &other), POLLIN);
		uint64_t value;
		assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	}
	close(fd);
}

struct tick {
	struct hf_timer timer;
	struct hf_msg msg;
	uint64_t at_ns;
	struct hf_loop *loop;
	int runs;
};

static void tick(struct hf_timer *t)
{
	struct tick *k = hf_container_of(t, struct tick, timer);

	assert_false(hf_timer_is_armed(t));
	k->at_ns = hf_loop_now_ns(k->loop);
	k->runs++;
}

static void a_timer_ends_the_sleep_not_before_its_time(void **state)
{
	struct hf_loop *l = *state;
	struct tick k = {.loop = l};
	uint64_t start = hf_loop_now_ns(l);
	int turns = 0;

	hf_timer_init(&k.timer, tick);
	hf_timer_arm(l, &k.timer, start + 20000000);
	for (; !k.runs; turns++)
		assert_int_equal(hf_loop_run_once(l, true), 0);
	assert_true(k.at_ns >= start + 20000000);
	/* It slept: a loop that spins needs thousands of turns. */
	assert_true(turns < 10);
}

static void message(struct hf_msg *m)
{
	struct tick *k = hf_container_of(m, struct tick, msg);

	if (++k->runs < 3)
		hf_loop_post(k->loop, m); /* free to be used again */
	else
		hf_loop_stop(k->loop);
}

static void messages_to_the_own_loop_are_queued(void **state)
{
	struct hf_loop *l = *state;
	struct tick k = {.loop = l, .msg.run = message};

	hf_loop_post(l, &k.msg);
	assert_int_equal(k.runs, 0);
	assert_int_equal(hf_loop_run(l), 0);
	assert_int_equal(k.runs, 3);
}

static void stop_before_run_ends_that_run_only(void **state)
{
	struct hf_loop *l = *state;
	struct tick k = {.loop = l, .msg.run = message, .runs = 2};

	hf_loop_stop(l);
	assert_int_equal(hf_loop_run(l), 0);
	hf_loop_post(l, &k.msg);
	assert_int_equal(hf_loop_run(l), 0);
	assert_int_equal(k.runs, 3);
}

static void what_is_posted_before_the_stop_is_done(void **state)
{
	struct hf_loop *l = *state;
	struct tick k = {.loop = l, .msg.run = message};

	hf_loop_post(l, &k.msg);
	hf_loop_stop(l);
	assert_int_equal(hf_loop_run(l), 0);
	assert_int_equal(k.runs, 1);
}

static void destroying_cancels_what_is_out(void **state)
{
	struct hf_loop_options o = {.engine = engine};
	struct hf_loop *l;
	static char buf[64];
	struct want w = {.req.done = note};
	int fd[2];

	assert_int_equal(hf_loop_create(1, &o, &l), 0);
	assert_int_equal(hf_loop_index(l), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	hf_loop_recv(l, &w.req, fd[0], buf, sizeof(buf));
	assert_int_equal(hf_loop_run_once(l, false), 0);
	hf_loop_destroy(l);
	assert_false(w.is_done);
	/* Nobody reads any more: what is sent stays. */
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(read(fd[0], buf, sizeof(buf)), 1);
	close(fd[0]);
	close(fd[1]);
	hf_loop_destroy(NULL);
}

static void the_engine_is_the_one_asked_for(void **state)
{
	int refusal;

	assert_string_equal(hf_loop_engine_name(*state, &refusal),
		engine == HF_LOOP_URING ? "io_uring" : "epoll");
	/* HF_LOOP_AUTO: refused_test.sh sees to it that io_uring is refused. */
	assert_int_equal(refusal, engine == HF_LOOP_AUTO ? -EPERM : 0);
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make, unmake)
	const struct CMUnitTest tests[] = {
		T(the_engine_is_the_one_asked_for),
		T(a_request_submitted_before_the_loop_runs_is_carried_out),
		T(a_broken_connection_gives_an_error_and_no_signal),
		T(connections_are_made_and_accepted),
		T(files_are_written_read_synced_and_punched),
		T(poll_ends_when_the_event_is_there),
		T(a_full_queue_makes_requests_wait_not_fail),
		T(cancelling_ends_a_request_wherever_it_is),
		T(cancelling_a_finished_request_does_nothing),
		T(a_request_may_abandon_one_that_has_ended_with_it),
		T(an_abandoned_request_is_not_heard_of_again),
		T(a_timer_ends_the_sleep_not_before_its_time),
		T(messages_to_the_own_loop_are_queued),
		T(stop_before_run_ends_that_run_only),
		T(what_is_posted_before_the_stop_is_done),
		cmocka_unit_test(destroying_cancels_what_is_out),
	};

	const char *word = argc == 2 ? argv[1] : "io_uring";

	engine = !strcmp(word, "epoll")	    ? HF_LOOP_EPOLL
		 : !strcmp(word, "refused") ? HF_LOOP_AUTO
					    : HF_LOOP_URING;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
