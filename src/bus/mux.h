/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One ordered, duplicate-free stream of messages between two controllers over up to four links.
 * Pure: the clock is an argument, frames go in and out as bytes, links are numbers.
 *
 * At any time one link is *active*: messages go out there, in order. When another link takes over,
 * everything unacknowledged is sent again on it, in order, before anything new. So on every link
 * a message arrives only after its predecessor has arrived somewhere: the receiver needs no
 * reordering, what it has seen it drops, and a gap is a protocol error.
 *
 * Heartbeats run on every link and echo the peer's stamps. "Heard" is the newest own stamp that
 * the peer has sent back (W13): a peer that does not hear us is as silent as one that is gone.
 * The stream is over when no link has heard for `silence`; a link that only breaks is replaced
 * unnoticed. What becomes of that is the caller's affair (pair_engine.c).
 *
 *	         up          other link fresher, or active went down: all unacked again
 *	(none) ------> active ------------------------------------------------> other active
 *	   ^              | silent for `silence` on all links
 *	   +--------------+ over: hf_mux_begin() starts a new stream from number 1
 */
#ifndef HF_MUX_H
#define HF_MUX_H

#include "base.h"

#define HF_MUX_LINKS_MAX   4
#define HF_MUX_FRAME_MAX   16382 /* what a connection carries (conn.h) */
#define HF_MUX_DATA_HEAD   17
#define HF_MUX_PAYLOAD_MAX (HF_MUX_FRAME_MAX - HF_MUX_DATA_HEAD)
#define HF_MUX_NONE	   0xff

/* First byte of a frame. Kinds below 0x10 belong to the handshake (handshake.h). */
enum hf_mux_kind {
	HF_MUX_DATA = 0x10, /* u64 number, u64 ack, payload */
	HF_MUX_ACK = 0x11,  /* u64 ack */
	HF_MUX_BEAT = 0x12, /* u64 stamp, u64 echo, u64 echo_waited, u64 ack */
};

struct hf_mux_link {
	bool up;
	uint64_t heard_ns;    /* newest own stamp echoed on this link */
	uint64_t beat_due_ns; /* when the next heartbeat goes out */
	uint64_t stamp;	      /* newest stamp of the peer, to be echoed; 0 = none yet */
	uint64_t stamp_at_ns; /* when it came */
	uint64_t rtt_ns;      /* of the last echo, without what it waited at the peer */
	uint64_t frames_sent, frames_received;
};

struct hf_mux {
	/* Messages not yet acknowledged: a ring of entries (head of 16 bytes, payload). */
	uint8_t *arena;
	size_t cap;
	uint64_t head, cursor, tail; /* byte positions, modulo cap */
	uint64_t head_seq, cursor_seq, tail_seq;
	uint64_t silence_ns, beat_ns;
	uint64_t heard_ns; /* newest of all links */
	uint64_t seen;	   /* number of the last message received */
	uint64_t acked;	   /* number last acknowledged by us */
	size_t owed_bytes; /* received since */
	uint8_t ack_link;  /* where the ack goes */
	bool ack_now;
	uint8_t active;
	uint64_t active_since_ns;
	bool begun;
	struct hf_mux_link links[HF_MUX_LINKS_MAX];
	uint64_t switches, duplicates; /* for people */
};

/* arena: kept, caller's; cap a multiple of 16. beat_ns: between heartbeats, at most a third of
 * silence_ns; 0 = an eighth. No stream until hf_mux_begin(). */
void hf_mux_init(
	struct hf_mux *m, uint8_t *arena, size_t cap, uint64_t silence_ns, uint64_t beat_ns);
/* A new stream, nothing sent, nothing seen, no link. Counts as heard now. */
void hf_mux_begin(struct hf_mux *m, uint64_t now_ns);
void hf_mux_end(struct hf_mux *m);
/* The link carries frames of this stream from now on. heard_ns: own time that the peer has proven
 * to have seen (the stamp of the handshake). */
void hf_mux_link_up(struct hf_mux *m, unsigned link, uint64_t heard_ns, uint64_t now_ns);
void hf_mux_link_down(struct hf_mux *m, unsigned link, uint64_t now_ns);

/*
 * Queues a message of head and body (either may be empty). -ENOBUFS: more is unacknowledged than
 * the arena holds (nothing queued); -EMSGSIZE; -ENOTCONN: no stream.
 */
int hf_mux_send(struct hf_mux *m, const void *head, size_t head_len, const void *body,
	size_t body_len, uint64_t now_ns);
size_t hf_mux_unacked_bytes(const struct hf_mux *m);

/* Writes the next frame for this link, at most HF_MUX_FRAME_MAX bytes; its size, 0 = nothing. */
size_t hf_mux_next(struct hf_mux *m, unsigned link, uint64_t now_ns, uint8_t *buf);
/*
 * A frame came in. 1: a message for the layer above (*ret_payload points into frame); 0: nothing
 * for it; -EBADMSG: not a frame of this stream, the link has to go.
 */
int hf_mux_receive(struct hf_mux *m, unsigned link, const uint8_t *frame, size_t len,
	uint64_t now_ns, const uint8_t **ret_payload, size_t *ret_len);
/*
 * Time passes; to be called every hf_mux_tick_ns(). True: the stream is over, nobody was heard.
 * *ret_silent: bit i: link i was not heard for so long that it has to go.
 */
bool hf_mux_tick(struct hf_mux *m, uint64_t now_ns, uint32_t *ret_silent);
uint64_t hf_mux_tick_ns(const struct hf_mux *m);

#endif
