/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moves bytes between a socket and the connection machine: at most one receive and one send are
 * out, and both are renewed when the loop has nothing else to do, so that many commands share them.
 * Knows nothing of iSCSI.
 */
#include "portal.h"
#include "log.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	GATHER = 1,	      /* receives that share a send, beyond the first */
	GATHER_SHARED = 3,    /* ... while other connections keep the loop busy, too */
	SHARED_RECEIVES = 16, /* of one connection in a row, until it counts as alone */
};

static struct hf_iscsi_socket *socket_of(struct hf_iscsi_conn *c)
{
	return c->owner;
}

static void kick(struct hf_iscsi_conn *c)
{
	struct hf_iscsi_socket *s = socket_of(c);

	if (s->kicked)
		return;
	s->kicked = true;
	hf_loop_post_last(s->il->loop, &s->kick_msg);
}

static void note_receive(struct hf_iscsi_socket *s)
{
	struct hf_iscsi_loop *il = s->il;

	if (il->last != s)
		il->shared = SHARED_RECEIVES;
	else if (il->shared)
		il->shared--;
	il->last = s;
}

static void receive_done(struct hf_req *req, int result)
{
	struct hf_iscsi_socket *s = hf_container_of(req, struct hf_iscsi_socket, rx_req);

	s->receiving = false;
	note_receive(s);
	if (result >= 0)
		hf_conn_received(s->conn, (size_t)result);
	else if (result != -EINTR && result != -EAGAIN)
		hf_conn_close(s->conn, "receiving failed");
	kick(s->conn);
}

static void send_done(struct hf_req *req, int result)
{
	struct hf_iscsi_socket *s = hf_container_of(req, struct hf_iscsi_socket, tx_req);

	s->sending = false;
	if (result >= 0)
		hf_conn_sent(s->conn, (size_t)result);
	else if (result != -EINTR && result != -EAGAIN)
		hf_conn_close(s->conn, "sending failed");
	kick(s->conn);
}

static void receive(struct hf_iscsi_socket *s)
{
	unsigned n;

	if (s->receiving)
		return;
	n = hf_conn_rx(s->conn, s->rx_iov);
	if (!n)
		return;
	s->receiving = true;
	hf_loop_recvmsg(s->il->loop, &s->rx_req, s->fd, s->rx_iov, n);
}

static void transmit(struct hf_iscsi_socket *s)
{
	struct iovec *iov;
	unsigned n;

	if (s->sending)
		return;
	n = hf_conn_tx(s->conn, &iov);
	if (!n)
		return;
	s->sending = true;
	hf_loop_sendmsg(s->il->loop, &s->tx_req, s->fd, iov, n);
}

/*
 * More is there to be received at once, and its answers can share a send with those that are ready.
 * Not for long, so that the host, too, always has something to do.
 */
static bool gathers(struct hf_iscsi_socket *s)
{
	unsigned most = s->il->shared ? GATHER_SHARED : GATHER;

	if (s->receiving && s->rx_req.has_more && s->gathered < most) {
		s->gathered++;
		return true;
	}
	s->gathered = 0;
	return false;
}

/* A shut socket ends both requests; only then may their buffers go. */
static void shut(struct hf_iscsi_socket *s)
{
	if (!s->shut) {
		s->shut = true;
		shutdown(s->fd, SHUT_RDWR);
		if (s->receiving)
			hf_loop_cancel(s->il->loop, &s->rx_req);
		if (s->sending)
			hf_loop_cancel(s->il->loop, &s->tx_req);
	}
	if (s->receiving || s->sending)
		return;
	close(s->fd);
	s->fd = -1;
	hf_conn_closed(s->conn);
}

static void run_kick(struct hf_msg *msg)
{
	struct hf_iscsi_socket *s = hf_container_of(msg, struct hf_iscsi_socket, kick_msg);

	s->kicked = false;
	if (s->conn->phase == HF_CONN_GONE) {
		hf_info("session: %s from %s has ended: %s",
			*hf_conn_initiator(s->conn) ? hf_conn_initiator(s->conn) : "connection",
			s->peer, s->conn->why);
		hf_list_remove(&s->node);
		if (s->il->last == s)
			s->il->last = NULL;
		hf_conn_destroy(s->conn);
		s->conn = NULL;
		s->ended(s);
		return;
	}
	if (hf_conn_is_open(s->conn)) {
		receive(s);
		if (!gathers(s))
			transmit(s);
	}
	if (s->conn->phase == HF_CONN_CLOSING)
		shut(s);
}

static const struct hf_conn_ops ops = {
	.kick = kick,
	/* Destroyed by the message, not from inside the machine. */
	.gone = kick,
};

void hf_iscsi_socket_start(struct hf_iscsi_socket *s)
{
	struct hf_conn_options options = {
		.ops = &ops,
		.owner = s,
		.loop = s->il->loop,
		.scsi = s->il->scsi,
		.registry = s->il->registry,
		.peer = s->peer,
	};
	int err = 0;

	s->kick_msg.run = run_kick;
	s->rx_req.done = receive_done;
	s->tx_req.done = send_done;
	if (getrandom(options.random, sizeof(options.random), 0) != sizeof(options.random))
		err = -errno;
	if (!err)
		err = hf_conn_create(&options, &s->conn);
	if (err) {
		hf_error("session: %s: the connection was dropped: %s", s->peer, strerror(-err));
		close(s->fd);
		s->fd = -1;
		s->ended(s);
		return;
	}
	hf_list_push_back(&s->il->sockets, &s->node);
	kick(s->conn);
}

void hf_iscsi_socket_stop(struct hf_iscsi_socket *s)
{
	hf_conn_stop(s->conn);
}
