/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket of the control channel, on the control loop: accepts, gathers lines, sends replies.
 * A client has one request at a time; what it sends ahead waits in its buffer. All memory is taken
 * at open. Called by the daemon's wiring.
 */
#include "control.h"
#include "log.h"
#include "spare.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A client that says nothing, or does not read its answer, gives its place up. */
#define IDLE_NS	 (60 * 1000000000ull)
#define LAST_NS	 2000000000ull /* at the end: for who is not answered, or does not read */
#define RETRY_NS 1000000000ull /* after a failed accept: no descriptor free, mostly */

enum client_state {
	CLIENT_FREE,
	CLIENT_READING,
	CLIENT_RUNNING, /* a command has the request */
	CLIENT_SENDING,
	CLIENT_CLOSING,
};

struct client {
	struct hf_control_req req;
	struct hf_req io;
	struct hf_timer idle;
	struct hf_control *control;
	enum client_state state;
	int fd;
	bool last;   /* close after the reply */
	bool over;   /* it does not read the reply */
	size_t len;  /* bytes in line[] */
	size_t used; /* of them, the request being answered, with its newline */
	char *out;
	size_t out_len;
	struct iovec out_iov;
	char line[HF_CONTROL_LINE_MAX];
};

struct hf_control {
	struct hf_loop *loop;
	const struct hf_control_command *commands;
	void *owner;
	int fd;
	bool accepting, closing, waited, ended;
	struct hf_req accept;
	struct hf_timer retry, last;
	void (*closed)(void *arg);
	void *closed_arg;
	char path[108];
	struct client clients[HF_CONTROL_CLIENTS_MAX];
};

static void client_read(struct client *k);
static void client_next(struct client *k);
static void accept_next(struct hf_control *c);

static unsigned running(const struct hf_control *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < HF_CONTROL_CLIENTS_MAX; i++)
		n += c->clients[i].state == CLIENT_RUNNING;
	return n;
}

/* A command that is not answered may still look at its request. */
static void free_when_unused(struct hf_control *c)
{
	if (running(c) == 0)
		free(c);
}

/* Everything has ended: the last word of hf_control_close(). */
static void finish_close(struct hf_control *c)
{
	void (*closed)(void *arg) = c->closed;
	void *arg = c->closed_arg;

	if (!c->closing || c->accepting || c->ended)
		return;
	for (unsigned i = 0; i < HF_CONTROL_CLIENTS_MAX; i++) {
		enum client_state state = c->clients[i].state;

		if (state != CLIENT_FREE && !(state == CLIENT_RUNNING && c->waited))
			return;
	}
	c->ended = true;
	hf_timer_cancel(c->loop, &c->last);
	close(c->fd);
	/* Who is not answered by now is not told anything: its command is in doubt. */
	for (unsigned i = 0; i < HF_CONTROL_CLIENTS_MAX; i++) {
		struct client *k = &c->clients[i];

		if (k->state != CLIENT_RUNNING)
			continue;
		hf_timer_cancel(c->loop, &k->idle);
		close(k->fd);
	}
	free_when_unused(c);
	closed(arg);
}

static void client_close(struct client *k)
{
	struct hf_control *c = k->control;

	hf_timer_cancel(c->loop, &k->idle);
	close(k->fd);
	free(k->out);
	k->out = NULL;
	k->state = CLIENT_FREE;
	if (c->closing)
		finish_close(c);
	else
		accept_next(c);
}

/* Its place is wanted; what is out for it comes back. One whose command runs keeps it. */
static void client_give_up(struct client *k)
{
	if (k->state == CLIENT_READING)
		k->state = CLIENT_CLOSING;
	else if (k->state == CLIENT_SENDING)
		k->over = true;
	else
		return;
	hf_loop_cancel(k->control->loop, &k->io);
}

static void on_idle(struct hf_timer *t)
{
	client_give_up(hf_container_of(t, struct client, idle));
}

static void client_send(struct client *k)
{
	k->state = CLIENT_SENDING;
	hf_timer_arm(k->control->loop, &k->idle, hf_loop_now_ns(k->control->loop) + IDLE_NS);
	hf_loop_sendmsg(k->control->loop, &k->io, k->fd, &k->out_iov, 1);
}

static void on_sent(struct hf_req *io, int result)
{
	struct client *k = hf_container_of(io, struct client, io);

	if (result > 0 && (size_t)result < k->out_iov.iov_len && !k->over) {
		k->out_iov.iov_base = (char *)k->out_iov.iov_base + result;
		k->out_iov.iov_len -= (size_t)result;
		client_send(k);
		return;
	}
	free(k->out);
	k->out = NULL;
	/* A client that has gone does not want the answer; nothing to tell anybody. */
	if (result <= 0 || k->over || k->last || k->control->closing) {
		client_close(k);
		return;
	}
	memmove(k->line, k->line + k->used, k->len - k->used);
	k->len -= k->used;
	client_next(k);
}

static void client_respond(struct hf_control_req *req, json_t *reply)
{
	struct client *k = hf_container_of(req, struct client, req);
	size_t len;

	hf_assert(k->state == CLIENT_RUNNING);
	if (k->control->ended) {
		json_decref(reply);
		k->state = CLIENT_FREE;
		free_when_unused(k->control);
		return;
	}
	len = json_dumpb(reply, NULL, 0, JSON_COMPACT);
	k->out = malloc(len + 1);
	if (k->out) {
		json_dumpb(reply, k->out, len, JSON_COMPACT);
		k->out[len++] = '\n';
	}
	json_decref(reply);
	k->out_iov = (struct iovec){.iov_base = k->out, .iov_len = len};
	k->io.done = on_sent;
	if (k->out)
		client_send(k);
	else
		client_close(k);
}

/* A whole line in the buffer becomes a request; else more is read. */
static void client_next(struct client *k)
{
	char *newline = memchr(k->line, '\n', k->len);

	if (!newline && k->len < sizeof(k->line)) {
		client_read(k);
		return;
	}
	hf_timer_cancel(k->control->loop, &k->idle);
	k->state = CLIENT_RUNNING;
	k->req = (struct hf_control_req){.owner = k->control->owner,
		.crowded = running(k->control) > HF_CONTROL_WAITS_MAX,
		.respond = client_respond};
	if (!newline) {
		k->last = true;
		hf_control_fail(&k->req, EMSGSIZE, "the request is longer than %d bytes",
			HF_CONTROL_LINE_MAX);
		return;
	}
	k->used = (size_t)(newline - k->line) + 1;
	hf_control_dispatch(&k->req, k->control->commands, k->line, k->used - 1);
}

static void on_read(struct hf_req *io, int result)
{
	struct client *k = hf_container_of(io, struct client, io);

	if (result <= 0 || k->state == CLIENT_CLOSING) {
		client_close(k);
		return;
	}
	k->len += (size_t)result;
	client_next(k);
}

static void client_read(struct client *k)
{
	struct hf_loop *loop = k->control->loop;

	k->state = CLIENT_READING;
	k->io.done = on_read;
	hf_timer_arm(loop, &k->idle, hf_loop_now_ns(loop) + IDLE_NS);
	hf_loop_recv(loop, &k->io, k->fd, k->line + k->len, sizeof(k->line) - k->len);
}

static void on_accept(struct hf_req *io, int result)
{
	struct hf_control *c = hf_container_of(io, struct hf_control, accept);
	struct client *k = c->clients;

	c->accepting = false;
	if (c->closing) {
		if (result >= 0)
			close(result);
		finish_close(c);
		return;
	}
	if (result < 0) {
		hf_warning("control socket %s: accept: %s; the tool cannot connect, next try in a "
			   "second",
			c->path, strerror(-result));
		hf_timer_arm(c->loop, &c->retry, hf_loop_now_ns(c->loop) + RETRY_NS);
		return;
	}
	while (k->state != CLIENT_FREE)
		k++;
	k->fd = result;
	k->len = 0;
	k->last = k->over = false;
	client_read(k);
	accept_next(c);
}

static void on_retry(struct hf_timer *t)
{
	accept_next(hf_container_of(t, struct hf_control, retry));
}

static void accept_next(struct hf_control *c)
{
	if (c->accepting || c->closing || hf_timer_is_armed(&c->retry))
		return;
	for (unsigned i = 0; i < HF_CONTROL_CLIENTS_MAX; i++) {
		if (c->clients[i].state == CLIENT_FREE) {
			c->accepting = true;
			hf_loop_accept(c->loop, &c->accept, c->fd);
			return;
		}
	}
}

/* A socket in the file system outlives its daemon; one that somebody listens on is not touched. */
static int bind_path(int fd, const char *path, char *message, size_t message_len)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int probe, rc;
	mode_t mask;

	if (strlen(path) >= sizeof(a.sun_path)) {
		snprintf(message, message_len, "%s: the path of a socket takes at most %zu bytes",
			path, sizeof(a.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rc = probe < 0 ? -errno : connect(probe, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	if (probe >= 0)
		close(probe);
	if (rc == 0) {
		snprintf(message, message_len,
			"%s: a daemon answers there already; stop it, or set control-socket", path);
		return -EADDRINUSE;
	}
	if (rc == -ECONNREFUSED)
		unlink(path);
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	umask(mask);
	if (rc == 0 && listen(fd, 64) < 0)
		rc = -errno;
	if (rc < 0)
		snprintf(message, message_len, "%s: %s; check control-socket and its folder", path,
			strerror(-rc));
	return rc;
}

int hf_control_open(struct hf_loop *control, const char *path,
	const struct hf_control_command *commands, void *owner, struct hf_control **ret,
	char *message, size_t message_len)
{
	struct hf_control *c = calloc(1, sizeof(*c));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	/* Answers are put together in many small steps, of which none may fail. */
	json_set_alloc_funcs(hf_spare_malloc, free);
	if (!c || fd < 0) {
		rc = c ? -errno : -ENOMEM;
		snprintf(message, message_len, "%s: %s", path, strerror(-rc));
	} else {
		rc = bind_path(fd, path, message, message_len);
	}
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		free(c);
		return rc;
	}
	c->loop = control;
	c->commands = commands;
	c->owner = owner;
	c->fd = fd;
	c->accept.done = on_accept;
	hf_timer_init(&c->retry, on_retry);
	snprintf(c->path, sizeof(c->path), "%s", path);
	for (unsigned i = 0; i < HF_CONTROL_CLIENTS_MAX; i++) {
		c->clients[i].control = c;
		hf_timer_init(&c->clients[i].idle, on_idle);
	}
	accept_next(c);
	*ret = c;
	return 0;
}

static void on_last(struct hf_timer *t)
{
	struct hf_control *c = hf_container_of(t, struct hf_control, last);

	c->waited = true;
	for (unsigned i = 0; i < HF_CONTROL_CLIENTS_MAX; i++)
		client_give_up(&c->clients[i]);
	finish_close(c);
}

void hf_control_close(struct hf_control *c, void (*done)(void *arg), void *arg)
{
	c->closing = true;
	c->closed = done;
	c->closed_arg = arg;
	unlink(c->path);
	hf_timer_cancel(c->loop, &c->retry);
	hf_timer_init(&c->last, on_last);
	hf_timer_arm(c->loop, &c->last, hf_loop_now_ns(c->loop) + LAST_NS);
	if (c->accepting)
		hf_loop_cancel(c->loop, &c->accept);
	for (unsigned i = 0; i < HF_CONTROL_CLIENTS_MAX; i++)
		if (c->clients[i].state == CLIENT_READING)
			client_give_up(&c->clients[i]);
	finish_close(c);
}
