/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection: moves ciphertext between the socket and libssl. Listening: listen_tcp.c. */
#include "conn.h"
#include "bytes.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	IN_BYTES = 32 << 10,
	OUT_BYTES = 64 << 10,	/* a heartbeat waits behind no more than this, and the socket's */
	BATCH_BYTES = 40 << 10, /* no further frame is added to a send of this size */
	RECORD_MORE = 256,	/* what TLS adds to a record, at most */
	LEN_BYTES = 2,		/* before each frame */
	SOCKET_BYTES = 256 << 10,
	SHAKE_BYTES_MAX = 16 << 10, /* nobody without the key makes us read more */
};

_Static_assert(BATCH_BYTES + HF_CONN_RECORD_MAX + RECORD_MORE <= OUT_BYTES, "a batch fits");

static void receive(struct hf_conn *c);

static void release(struct hf_conn *c)
{
	hf_tls_destroy(c->tls);
	free(c->in);
	free(c->out);
	free(c->record);
	free(c->record_out);
	c->tls = NULL;
	c->in = c->out = c->record = c->record_out = NULL;
}

static void over(struct hf_conn *c)
{
	c->is_over = true;
	if (c->kicked)
		return;
	release(c);
	c->ops->closed(c, c->why, c->text);
}

static void close_done(struct hf_req *req, int result)
{
	over(hf_container_of(req, struct hf_conn, close_req));
}

/* The descriptor goes when the kernel holds none of our buffers any more. */
static void close_when_idle(struct hf_conn *c)
{
	if (c->state != HF_CONN_CLOSING || c->receiving || c->sending || c->closing_fd)
		return;
	c->closing_fd = true;
	c->close_req.done = close_done;
	hf_loop_close(c->loop, &c->close_req, c->fd);
}

void hf_bus_conn_close(struct hf_conn *c, int why, const char *text)
{
	if (c->state == HF_CONN_CLOSING)
		return;
	if (!c->finish) {
		c->why = why;
		snprintf(c->text, sizeof(c->text), "%s", text);
	}
	c->state = HF_CONN_CLOSING;
	/* Ends the requests that are out; the peer sees an end of the stream. */
	shutdown(c->fd, SHUT_RDWR);
	if (c->receiving)
		hf_loop_cancel(c->loop, &c->recv_req);
	if (c->sending)
		hf_loop_cancel(c->loop, &c->send_req);
	close_when_idle(c);
}

static void send_done(struct hf_req *req, int result);

static void submit_send(struct hf_conn *c)
{
	c->sending = true;
	c->send_req.done = send_done;
	hf_loop_sendmsg(c->loop, &c->send_req, c->fd, &c->send_iov, 1);
}

/*
 * Frames become ciphertext until the batch is large enough. As many as there are share a record,
 * for most of them are small and a record costs more than a small frame. record_out has room for
 * a frame behind a full record.
 */
static int encrypt(struct hf_conn *c)
{
	size_t used = 0, n;
	int ret;

	while (hf_tls_output_pending(c->tls) + used < BATCH_BYTES &&
		(n = c->ops->next(c, c->record_out + used + LEN_BYTES)) > 0) {
		hf_put_be16(c->record_out + used, (uint16_t)n);
		n += LEN_BYTES;
		if (used + n <= HF_CONN_RECORD_MAX) {
			used += n;
			continue;
		}
		ret = hf_tls_write(c->tls, c->record_out, used);
		if (ret < 0)
			return ret;
		memmove(c->record_out, c->record_out + used, n);
		used = n;
	}
	return used ? hf_tls_write(c->tls, c->record_out, used) : 0;
}

static void send_next(struct hf_conn *c)
{
	size_t n;

	if (c->sending || c->state == HF_CONN_CLOSING || c->state == HF_CONN_CONNECTING)
		return;
	if (c->state == HF_CONN_OPEN && encrypt(c) < 0) {
		hf_bus_conn_close(c, -EPROTO, hf_tls_problem(c->tls));
		return;
	}
	n = hf_tls_output(c->tls, c->out, OUT_BYTES);
	if (n > 0) {
		c->send_iov = (struct iovec){.iov_base = c->out, .iov_len = n};
		submit_send(c);
	} else if (c->finish) {
		hf_bus_conn_close(c, c->why, c->text);
	}
}

static void run_kick(struct hf_msg *msg)
{
	struct hf_conn *c = hf_container_of(msg, struct hf_conn, kick_msg);

	c->kicked = false;
	if (c->is_over)
		over(c);
	else
		send_next(c);
}

void hf_bus_conn_kick(struct hf_conn *c)
{
	if (c->kicked || c->is_over)
		return;
	c->kicked = true;
	c->kick_msg.run = run_kick;
	hf_loop_post_last(c->loop, &c->kick_msg);
}

static void send_done(struct hf_req *req, int result)
{
	struct hf_conn *c = hf_container_of(req, struct hf_conn, send_req);

	c->sending = false;
	if (c->state == HF_CONN_CLOSING) {
		close_when_idle(c);
		return;
	}
	if (result <= 0) {
		hf_bus_conn_close(c, result ? result : -EPIPE, strerror(result ? -result : EPIPE));
		return;
	}
	c->bytes_sent += (uint64_t)result;
	if ((size_t)result < c->send_iov.iov_len) {
		c->send_iov.iov_base = (uint8_t *)c->send_iov.iov_base + result;
		c->send_iov.iov_len -= (size_t)result;
		submit_send(c);
		return;
	}
	hf_bus_conn_kick(c);
}

void hf_bus_conn_finish(struct hf_conn *c, int why, const char *text)
{
	if (c->state == HF_CONN_CLOSING || c->finish)
		return;
	c->why = why;
	snprintf(c->text, sizeof(c->text), "%s", text);
	c->finish = true;
	hf_bus_conn_kick(c);
}

/* Returns false when the connection is (to be) closed. */
static bool shake(struct hf_conn *c)
{
	int ret = hf_tls_handshake(c->tls);

	if (ret < 0) {
		/* The alert goes out first: it tells the other side's operator what is wrong. */
		hf_bus_conn_finish(c, ret, hf_tls_problem(c->tls));
		return false;
	}
	if (ret == 1) {
		c->state = HF_CONN_OPEN;
		c->ops->open(c);
	} else if (c->shake_bytes > SHAKE_BYTES_MAX) {
		hf_bus_conn_close(c, -EPROTO, "too many bytes before the end of the TLS handshake");
	}
	return c->state == HF_CONN_OPEN && !c->finish;
}

/* The frames of one record. */
static void unpack(struct hf_conn *c, size_t len)
{
	const uint8_t *p = c->record;

	while (len && c->state == HF_CONN_OPEN && !c->finish) {
		size_t n = len > LEN_BYTES ? hf_get_be16(p) : 0;

		if (!n || n > len - LEN_BYTES) {
			hf_bus_conn_close(c, -EPROTO, "a record that is not made of frames");
			return;
		}
		c->ops->frame(c, p + LEN_BYTES, n);
		p += LEN_BYTES + n;
		len -= LEN_BYTES + n;
	}
}

static void decrypt(struct hf_conn *c)
{
	int n = 0;

	while (c->state == HF_CONN_OPEN && !c->finish &&
		(n = hf_tls_read(c->tls, c->record, HF_CONN_RECORD_MAX)) > 0)
		unpack(c, (size_t)n);
	if (n < 0 && !c->finish)
		hf_bus_conn_close(c, n, hf_tls_problem(c->tls));
}

static void receive_done(struct hf_req *req, int result)
{
	struct hf_conn *c = hf_container_of(req, struct hf_conn, recv_req);

	c->receiving = false;
	if (c->state == HF_CONN_CLOSING) {
		close_when_idle(c);
		return;
	}
	if (result <= 0) {
		hf_bus_conn_close(c, result ? result : -ECONNRESET,
			result ? strerror(-result) : "closed by the peer");
		return;
	}
	c->bytes_received += (uint64_t)result;
	if (hf_tls_input(c->tls, c->in, (size_t)result) < 0) {
		hf_bus_conn_close(c, -ENOMEM, "out of memory");
		return;
	}
	if (c->state == HF_CONN_SHAKING)
		c->shake_bytes += (size_t)result;
	if (c->state != HF_CONN_SHAKING || shake(c))
		decrypt(c);
	hf_bus_conn_kick(c);
	/* Also while finishing: the peer may close first. */
	if (c->state != HF_CONN_CLOSING)
		receive(c);
	else
		close_when_idle(c);
}

static void receive(struct hf_conn *c)
{
	c->receiving = true;
	c->recv_req.done = receive_done;
	hf_loop_recv(c->loop, &c->recv_req, c->fd, c->in, IN_BYTES);
}

static void start_tls(struct hf_conn *c)
{
	c->state = HF_CONN_SHAKING;
	if (!c->server)
		hf_tls_handshake(c->tls); /* makes the first message; an error shows later */
	hf_bus_conn_kick(c);
	receive(c);
}

static void connect_done(struct hf_req *req, int result)
{
	struct hf_conn *c = hf_container_of(req, struct hf_conn, send_req);

	c->sending = false;
	if (c->state == HF_CONN_CLOSING)
		close_when_idle(c);
	else if (result < 0)
		hf_bus_conn_close(c, result, strerror(-result));
	else
		start_tls(c);
}

static int prepare(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls, bool server,
	const struct hf_bus_conn_ops *ops)
{
	int ret;

	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->loop = loop;
	c->server = server;
	ret = hf_tls_create(tls, server, &c->tls);
	if (ret < 0)
		return ret;
	c->in = malloc(IN_BYTES);
	c->out = malloc(OUT_BYTES);
	c->record = malloc(HF_CONN_RECORD_MAX);
	c->record_out = malloc(2 * HF_CONN_RECORD_MAX);
	if (c->in && c->out && c->record && c->record_out)
		return 0;
	release(c);
	return -ENOMEM;
}

static void tune(int fd)
{
	const int one = 1, bytes = SOCKET_BYTES;

	/* Without them it is slower, not wrong. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int hf_bus_conn_accept(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls, int fd,
	const struct hf_bus_conn_ops *ops)
{
	int ret = prepare(c, loop, tls, true, ops);

	if (ret < 0)
		return ret;
	c->fd = fd;
	tune(fd);
	start_tls(c);
	return 0;
}

int hf_bus_conn_connect(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls,
	const struct hf_bus_address *to, const struct hf_bus_conn_ops *ops)
{
	int ret = prepare(c, loop, tls, false, ops);

	if (ret < 0)
		return ret;
	c->fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		ret = -errno;
		release(c);
		return ret;
	}
	tune(c->fd);
	c->addr = *to;
	c->state = HF_CONN_CONNECTING;
	c->sending = true;
	c->send_req.done = connect_done;
	hf_loop_connect(
		loop, &c->send_req, c->fd, (const struct sockaddr *)&c->addr.addr, c->addr.len);
	return 0;
}
