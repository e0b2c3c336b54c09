/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket: a real socket and a real loop, client and daemon in one thread. */
#include "control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
	struct hf_loop *loop;
	struct hf_control *control;
	struct hf_control_req *waiting; /* of "later" */
	char dir[32], path[64];
	bool closed;
};

static void run_echo(struct hf_control_req *req)
{
	const char *text;
	uint64_t number = 7;
	bool flag = false;

	if (!hf_control_arg_string(req, "text", true, 8, &text) ||
		!hf_control_arg_uint(req, "number", false, 100, &number) ||
		!hf_control_arg_bool(req, "flag", &flag))
		return;
	hf_control_reply(req, json_pack("{s:s, s:I, s:b}", "text", text, "number",
				      (json_int_t)number, "flag", flag));
}

static void run_later(struct hf_control_req *req)
{
	((struct fixture *)req->owner)->waiting = req;
}

static void run_large(struct hf_control_req *req)
{
	static char text[3 << 20];

	memset(text, 'x', sizeof(text) - 1);
	hf_control_reply(req, json_pack("{s:s}", "text", text));
}

static const struct hf_control_command commands[] = {
	{"echo", .run = run_echo},
	{"later", .waits = true, .run = run_later},
	{"large", .run = run_large},
	{NULL},
};

static void closed(void *arg)
{
	((struct fixture *)arg)->closed = true;
}

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char message[256] = "";

	strcpy(f->dir, "/tmp/hf-control-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	assert_int_equal(hf_loop_create(0, NULL, &f->loop), 0);
	if (hf_control_open(f->loop, f->path, commands, f, &f->control, message, sizeof(message)) <
		0)
		fail_msg("%s", message);
	*state = f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;

	if (f->control)
		hf_control_close(f->control, closed, f);
	while (!f->closed)
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	assert_int_not_equal(access(f->path, F_OK), 0);
	hf_loop_destroy(f->loop);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int client(struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, f->path);
	assert_return_code(connect(fd, (struct sockaddr *)&a, sizeof(a)), errno);
	return fd;
}

/* Runs the loop until a line, or the end, has come. */
static json_t *receive(struct fixture *f, int fd)
{
	static char line[HF_CONTROL_LINE_MAX];
	size_t len = 0;

	for (;;) {
		ssize_t n = recv(fd, line + len, 1, 0);

		if (n == 0)
			return NULL;
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_return_code(hf_loop_run_once(f->loop, true), 0);
			continue;
		}
		if (line[len] == '\n')
			return json_loadb(line, len, 0, NULL);
		len++;
	}
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void expect_error(struct fixture *f, int fd, const char *errno_name, const char *part)
{
	json_t *reply = receive(f, fd);

	assert_non_null(reply);
	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_string_equal(json_string_value(json_object_get(reply, "errno")), errno_name);
	if (!strstr(json_string_value(json_object_get(reply, "error")), part))
		fail_msg("%s", json_string_value(json_object_get(reply, "error")));
	json_decref(reply);
}

static void expect_echo(struct fixture *f, int fd, const char *text, int number, bool flag)
{
	json_t *reply = receive(f, fd);

	assert_non_null(reply);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_string_equal(json_string_value(json_object_get(reply, "text")), text);
	assert_int_equal(json_integer_value(json_object_get(reply, "number")), number);
	assert_int_equal(json_is_true(json_object_get(reply, "flag")), flag);
	json_decref(reply);
}

static void answers_requests_in_order(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);

	say(fd, "{\"cmd\": \"echo\", \"text\": \"a\"}\n{\"cmd\": \"echo\", \"text\": \"b\", "
		"\"number\": 100, \"flag\": true}\n{\"cmd\": \"echo\", ");
	expect_echo(f, fd, "a", 7, false);
	expect_echo(f, fd, "b", 100, true);
	say(fd, "\"text\": \"c\"}\n");
	expect_echo(f, fd, "c", 7, false);
	close(fd);
}

static void refuses_with_a_sentence_and_goes_on(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);

	say(fd, "hello\n");
	expect_error(f, fd, "EBADMSG", "no JSON object");
	say(fd, "[]\n");
	expect_error(f, fd, "EBADMSG", "no \"cmd\"");
	say(fd, "{\"cmd\": 1}\n");
	expect_error(f, fd, "EBADMSG", "no \"cmd\"");
	say(fd, "{\"cmd\": \"echo\", \"cmd\": \"echo\"}\n");
	expect_error(f, fd, "EBADMSG", "duplicate");
	say(fd, "{\"cmd\": \"dance\"}\n");
	expect_error(f, fd, "ENOSYS", "knows no command \"dance\"");
	say(fd, "{\"cmd\": \"echo\"}\n");
	expect_error(f, fd, "EINVAL", "has no \"text\"");
	say(fd, "{\"cmd\": \"echo\", \"text\": 3}\n");
	expect_error(f, fd, "EINVAL", "\"text\" is a number; it has to be a string");
	say(fd, "{\"cmd\": \"echo\", \"text\": \"123456789\"}\n");
	expect_error(f, fd, "EINVAL", "has 9 characters; it takes 1 to 8");
	say(fd, "{\"cmd\": \"echo\", \"text\": \"a\", \"number\": 101}\n");
	expect_error(f, fd, "EINVAL", "\"number\" is 101; it takes 0 to 100");
	say(fd, "{\"cmd\": \"echo\", \"text\": \"a\", \"number\": -1}\n");
	expect_error(f, fd, "EINVAL", "\"number\" is -1");
	say(fd, "{\"cmd\": \"echo\", \"text\": \"a\", \"flag\": 0}\n");
	expect_error(f, fd, "EINVAL", "\"flag\" is a number");
	say(fd, "{\"cmd\": \"echo\", \"text\": \"a\"}\n");
	expect_echo(f, fd, "a", 7, false);
	close(fd);
}

static void a_line_without_end_is_refused_and_closed(void **state)
{
	struct fixture *f = *state;
	static char text[HF_CONTROL_LINE_MAX + 1];
	int fd = client(f);

	memset(text, ' ', HF_CONTROL_LINE_MAX);
	say(fd, text);
	expect_error(f, fd, "EMSGSIZE", "longer than 65536 bytes");
	assert_null(receive(f, fd));
	close(fd);
}

static void a_slow_command_keeps_nobody_else_waiting(void **state)
{
	struct fixture *f = *state;
	int slow = client(f), quick = client(f);

	say(slow, "{\"cmd\": \"later\"}\n{\"cmd\": \"echo\", \"text\": \"2\"}\n");
	while (!f->waiting)
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	say(quick, "{\"cmd\": \"echo\", \"text\": \"q\"}\n");
	expect_echo(f, quick, "q", 7, false);
	hf_control_fail(f->waiting, EBUSY, "%s", "not a \xff valid name");
	expect_error(f, slow, "EBUSY", "not a ? valid name");
	expect_echo(f, slow, "2", 7, false);
	close(slow);
	close(quick);
}

struct reader {
	struct hf_msg msg;
	struct hf_loop *loop;
	int fd;
	size_t len;
	bool done;
};

static void reader_done(struct hf_msg *msg)
{
	hf_container_of(msg, struct reader, msg)->done = true;
}

/* A client of its own: the reply is larger than what the kernel keeps for one who does not read. */
static void *read_line(void *arg)
{
	struct reader *r = arg;
	char piece[4096];
	ssize_t n;

	do {
		n = read(r->fd, piece, sizeof(piece));
		r->len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && piece[n - 1] != '\n');
	hf_loop_post(r->loop, &r->msg);
	return NULL;
}

static void a_large_reply_arrives_whole(void **state)
{
	struct fixture *f = *state;
	struct reader r = {.msg = {.run = reader_done}, .loop = f->loop, .fd = client(f)};
	pthread_t thread;

	assert_return_code(fcntl(r.fd, F_SETFL, 0), errno);
	say(r.fd, "{\"cmd\": \"large\"}\n");
	assert_int_equal(pthread_create(&thread, NULL, read_line, &r), 0);
	while (!r.done)
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	pthread_join(thread, NULL);
	assert_true(r.len > 3 << 20);
	close(r.fd);
}

static void a_client_that_leaves_early_does_no_harm(void **state)
{
	struct fixture *f = *state;
	int fd = client(f), other;

	say(fd, "{\"cmd\": \"later\"}\n");
	while (!f->waiting)
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	close(fd);
	hf_control_reply(f->waiting, json_object());
	other = client(f);
	say(other, "{\"cmd\": \"echo\", \"text\": \"o\"}\n");
	expect_echo(f, other, "o", 7, false);
	close(other);
}

static void more_clients_than_places_wait_their_turn(void **state)
{
	struct fixture *f = *state;
	int fds[HF_CONTROL_CLIENTS_MAX + 2];

	for (size_t i = 0; i < HF_ARRAY_LEN(fds); i++) {
		fds[i] = client(f);
		say(fds[i], "{\"cmd\": \"echo\", \"text\": \"x\"}\n");
	}
	for (size_t i = 0; i < HF_ARRAY_LEN(fds); i++) {
		expect_echo(f, fds[i], "x", 7, false);
		close(fds[i]);
	}
}

/* So many changes wait for a peer that is silent: peer-down has to get through. */
static void changes_that_wait_leave_room_for_a_word(void **state)
{
	struct fixture *f = *state;
	struct hf_control_req *waiting[HF_CONTROL_WAITS_MAX];
	int fds[HF_CONTROL_WAITS_MAX], other;

	for (size_t i = 0; i < HF_ARRAY_LEN(fds); i++) {
		fds[i] = client(f);
		f->waiting = NULL;
		say(fds[i], "{\"cmd\": \"later\"}\n");
		while (!f->waiting)
			assert_return_code(hf_loop_run_once(f->loop, true), 0);
		waiting[i] = f->waiting;
	}
	other = client(f);
	say(other, "{\"cmd\": \"later\"}\n{\"cmd\": \"echo\", \"text\": \"o\"}\n");
	expect_error(f, other, "EBUSY", "12 requests wait");
	expect_echo(f, other, "o", 7, false);
	hf_control_reply(waiting[0], json_object());
	json_decref(receive(f, fds[0]));
	f->waiting = NULL;
	say(other, "{\"cmd\": \"later\"}\n");
	while (!f->waiting)
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	waiting[0] = f->waiting;
	for (size_t i = 0; i < HF_ARRAY_LEN(fds); i++) {
		hf_control_reply(waiting[i], json_object());
		json_decref(receive(f, i ? fds[i] : other));
		close(fds[i]);
	}
	close(other);
}

static void close_waits_for_the_request_that_is_out(void **state)
{
	struct fixture *f = *state;
	int fd = client(f), idle = client(f);
	json_t *reply;

	say(fd, "{\"cmd\": \"later\"}\n");
	while (!f->waiting)
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	hf_control_close(f->control, closed, f);
	f->control = NULL;
	assert_null(receive(f, idle));
	assert_false(f->closed);
	hf_control_reply(f->waiting, json_object());
	reply = receive(f, fd);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	close(fd);
	close(idle);
}

static void close_gives_up_who_is_not_answered_and_who_does_not_read(void **state)
{
	struct fixture *f = *state;
	int doubt = client(f), deaf = client(f);
	char first;

	say(doubt, "{\"cmd\": \"later\"}\n");
	say(deaf, "{\"cmd\": \"large\"}\n");
	while (!f->waiting || recv(deaf, &first, 1, MSG_PEEK) != 1) /* the reply does not fit */
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	hf_control_close(f->control, closed, f);
	f->control = NULL;
	while (!f->closed)
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	assert_null(receive(f, doubt));
	hf_control_reply(f->waiting, json_object()); /* it is answered after all: too late */
	close(doubt);
	close(deaf);
}

static void socket_is_private_and_not_stolen(void **state)
{
	struct fixture *f = *state;
	struct hf_control *second = NULL;
	char message[256] = "", left_over[80];
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;

	assert_return_code(stat(f->path, &st), errno);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(
		hf_control_open(f->loop, f->path, commands, f, &second, message, sizeof(message)),
		-EADDRINUSE);
	assert_non_null(strstr(message, "a daemon answers there already"));
	assert_null(second);

	/* One whose daemon has died is replaced. */
	snprintf(left_over, sizeof(left_over), "%s/l", f->dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(a.sun_path, left_over);
	assert_return_code(bind(fd, (struct sockaddr *)&a, sizeof(a)), errno);
	close(fd);
	assert_int_equal(
		hf_control_open(f->loop, left_over, commands, f, &second, message, sizeof(message)),
		0);
	hf_control_close(second, closed, f);
	while (!f->closed)
		assert_return_code(hf_loop_run_once(f->loop, true), 0);
	f->closed = false; /* the fixture's own is still open */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
	const struct CMUnitTest tests[] = {
		TEST(answers_requests_in_order),
		TEST(refuses_with_a_sentence_and_goes_on),
		TEST(a_line_without_end_is_refused_and_closed),
		TEST(a_slow_command_keeps_nobody_else_waiting),
		TEST(a_large_reply_arrives_whole),
		TEST(a_client_that_leaves_early_does_no_harm),
		TEST(more_clients_than_places_wait_their_turn),
		TEST(changes_that_wait_leave_room_for_a_word),
		TEST(close_waits_for_the_request_that_is_out),
		TEST(close_gives_up_who_is_not_answered_and_who_does_not_read),
		TEST(socket_is_private_and_not_stolen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
