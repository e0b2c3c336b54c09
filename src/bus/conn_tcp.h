/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One TCP connection that carries frames inside TLS, one frame a record. Knows nothing of what the
 * frames mean, and keeps no clock: whoever uses it (links_tcp.c) sets limits of time. Frames to
 *send are pulled, so that what is urgent may go first and nothing piles up here.
 *
 *	CONNECTING -> SHAKING -> OPEN -> CLOSING -> (closed)
 *	  (accepted) ----^
 */
#ifndef HF_CONN_TCP_H
#define HF_CONN_TCP_H

#include "loop.h"
#include "tls_tcp.h"

#define HF_CONN_FRAME_MAX 16384

enum hf_bus_conn_state {
	HF_CONN_CONNECTING,
	HF_CONN_SHAKING,
	HF_CONN_OPEN,
	HF_CONN_CLOSING,
};

struct hf_conn;

/* None is called from inside a call of this header. */
struct hf_bus_conn_ops {
	void (*open)(struct hf_conn *c); /* the key is right on both sides */
	void (*frame)(struct hf_conn *c, const uint8_t *frame, size_t len); /* len >= 1 */
	/* The next frame to send, into buf of HF_CONN_FRAME_MAX bytes; 0 = none. */
	size_t (*next)(struct hf_conn *c, uint8_t *buf);
	/* Over, once. why: -errno; text: for people. The storage is the caller's again. */
	void (*closed)(struct hf_conn *c, int why, const char *text);
};

struct hf_conn {
	const struct hf_bus_conn_ops *ops;
	struct hf_loop *loop;
	struct hf_tls *tls;
	enum hf_bus_conn_state state;
	bool server, receiving, sending, closing_fd;
	bool finish; /* send what there is, then close */
	int fd, why;
	char text[160];
	size_t shake_bytes; /* received before the key was proven */
	uint64_t bytes_sent, bytes_received;
	struct sockaddr_storage addr; /* connect: the peer's */
	struct hf_req recv_req, send_req, close_req;
	struct iovec send_iov;
	uint8_t *in, *out;	    /* ciphertext */
	uint8_t *frame, *frame_out; /* plaintext, one at a time */
};

/* Storage: the caller's until closed(). -errno: nothing has been started, fd is still the caller's.
 */
int hf_bus_conn_accept(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls, int fd,
	const struct hf_bus_conn_ops *ops);
int hf_bus_conn_connect(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls,
	const struct sockaddr *addr, socklen_t addr_len, const struct hf_bus_conn_ops *ops);
/* There may be something to send: next() will be asked, maybe inside this call. */
void hf_bus_conn_kick(struct hf_conn *c);
/* Ends it; closed() follows. finish: first sends what next() still gives. Once is enough. */
void hf_bus_conn_close(struct hf_conn *c, int why, const char *text);
void hf_bus_conn_finish(struct hf_conn *c, int why, const char *text);

#endif
