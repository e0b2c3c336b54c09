/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection that carries frames, in order or not at all, to a peer that has proven the key.
 * Knows nothing of what the frames mean, and keeps no clock: whoever uses it (links.c) sets limits
 * of time. Frames to send are pulled, so that what is urgent may go first and nothing piles up
 *here.
 *
 * This header is the seam: conn_tcp.c has TCP and TLS, many frames a record; the simulator has a
 * network of its own.
 *
 *	CONNECTING -> SHAKING -> OPEN -> CLOSING -> (closed)
 *	  (accepted) ----^
 */
#ifndef HF_CONN_H
#define HF_CONN_H

#include "loop.h"
#include "tls_tcp.h"

#define HF_CONN_RECORD_MAX 16384 /* TLS (RFC 8446, 5.1) */
#define HF_CONN_FRAME_MAX  (HF_CONN_RECORD_MAX - 2)

struct hf_bus_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

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

/* Others read loop, why and text; the rest is the mechanism's. */
struct hf_conn {
	const struct hf_bus_conn_ops *ops;
	struct hf_loop *loop;
	int why;
	char text[160];
	enum hf_bus_conn_state state;
	void *line; /* the simulator's */
	struct hf_tls *tls;
	struct hf_bus_address addr; /* connect: the peer's */
	bool server, receiving, sending, closing_fd;
	bool finish; /* send what there is, then close */
	int fd;
	size_t shake_bytes; /* received before the key was proven */
	uint64_t bytes_sent, bytes_received;
	struct hf_req recv_req, send_req, close_req;
	struct iovec send_iov;
	uint8_t *in, *out;	      /* ciphertext */
	uint8_t *record, *record_out; /* plaintext: frames, each behind its length in two bytes */
	struct hf_msg kick_msg;	      /* what the events of one moment cause goes out together */
	bool kicked, is_over;	      /* is_over: closed() as soon as kick_msg has run */
};

/* Storage: the caller's until closed(). -errno: nothing has been started, fd is still the caller's.
 */
int hf_bus_conn_accept(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls, int fd,
	const struct hf_bus_conn_ops *ops);
int hf_bus_conn_connect(struct hf_conn *c, struct hf_loop *loop, struct hf_tls_context *tls,
	const struct hf_bus_address *to, const struct hf_bus_conn_ops *ops);
/* There may be something to send: next() will be asked, maybe inside this call. */
void hf_bus_conn_kick(struct hf_conn *c);
/* Ends it; closed() follows. finish: first sends what next() still gives. Once is enough. */
void hf_bus_conn_close(struct hf_conn *c, int why, const char *text);
void hf_bus_conn_finish(struct hf_conn *c, int why, const char *text);

/* --- where connections come from ------------------------------------------------------------ */

#define HF_BUS_ADDRESS_TEXT_MAX 64
void hf_bus_address_text(const struct hf_bus_address *a, char ret[HF_BUS_ADDRESS_TEXT_MAX]);
/* Another port; for tests. */
void hf_bus_address_set_port(struct hf_bus_address *a, uint16_t port);

struct hf_bus_listener {
	struct hf_loop *loop;
	struct hf_req req;
	int fd;
	bool accepting, closing;
	/* A connection: for hf_bus_conn_accept() or hf_bus_listener_refuse(). */
	void (*accepted)(struct hf_bus_listener *ln, int fd, const struct hf_bus_address *from);
	void *owner;
};

/* accepted and owner are filled in. -errno with a sentence: cannot listen there. */
int hf_bus_listener_open(struct hf_bus_listener *ln, struct hf_loop *loop,
	const struct hf_bus_address *a, char *message, size_t message_len);
/* Begins to accept; nothing when it does so already. To be repeated, for it may have stopped. */
void hf_bus_listener_accept(struct hf_bus_listener *ln);
void hf_bus_listener_refuse(struct hf_bus_listener *ln, int fd);
/* Accepts no more; `accepting` is false once the mechanism lets go, then it may be closed. */
void hf_bus_listener_stop(struct hf_bus_listener *ln);
void hf_bus_listener_close(struct hf_bus_listener *ln);
uint16_t hf_bus_listener_port(const struct hf_bus_listener *ln);

#endif
