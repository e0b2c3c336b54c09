/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The links to the peer: listens, connects (the controller with the higher id does), shakes hands,
 * keeps one stream of messages (mux.h) over all links that are up, and mends broken ones. What the
 * messages mean is pair_engine.c's affair.
 *
 * A stream is named by a number of each side. Whoever hears nothing for the detection time drops
 * it: closes every link, raises its number, and so can never be taken for one that has gone on. A
 * link that breaks and comes back in time joins the stream again, and nobody notices.
 *
 *	slot:	FREE -> SHAKING (TLS) -> HELLO -> UP -> FREE
 */
#ifndef HF_LINKS_H
#define HF_LINKS_H

#include "conn.h"
#include "handshake.h"
#include "mux.h"

enum {
	HF_LINKS_MAX = HF_MUX_LINKS_MAX,
	HF_LINKS_STRANGERS_MAX = 16, /* connections that have not proven anything yet */
	HF_LINKS_SLOTS_MAX = HF_LINKS_MAX * 2 + HF_LINKS_STRANGERS_MAX,
	HF_LINKS_ARENA_BYTES = 12 << 20, /* an op of full size pending on every logical device */
	HF_LINKS_SHAKE_MS = 3000,	 /* from the first byte to UP */
	HF_LINKS_RETRY_MIN_MS = 50,
	HF_LINKS_RETRY_MAX_MS = 500,
};

struct hf_links_config {
	uint8_t own_id, peer_id;
	uint8_t cluster[HF_CLUSTER_ID_BYTES];
	uint64_t incarnation, config_digest;
	unsigned listen_len, peer_len; /* own addresses; the peer's, as many as it listens on */
	struct hf_bus_address listen[HF_LINKS_MAX], peer[HF_LINKS_MAX];
	const uint8_t *psk; /* copied */
	size_t psk_len;
	uint64_t silence_ns, beat_ns;
	uint16_t version_min, version_max; /* 0: those of this build */
};

/* All come from the loop, never from inside a call of this header. */
struct hf_links_ops {
	void (*up)(void *owner, uint64_t peer_incarnation);
	/* All before it is over, nothing late comes. restarted: the peer has a new incarnation. */
	void (*down)(void *owner, const char *why, bool restarted);
	void (*heard)(void *owner, uint64_t at_ns); /* the peer had heard us at that time */
	void (*message)(void *owner, const uint8_t *msg, size_t len);
	void (*acked)(void *owner); /* hf_links_unacked_bytes() may have become less */
	/* The peer cannot be let in, or does not let us in; a sentence. May repeat. */
	void (*refused)(void *owner, const char *sentence);
};

enum hf_links_phase {
	HF_LINKS_FREE,
	HF_LINKS_SHAKING, /* TCP and TLS */
	HF_LINKS_HELLO,	  /* key proven; HELLO and ACCEPT are exchanged */
	HF_LINKS_UP,
	HF_LINKS_ENDING,
};

struct hf_links;

/* One connection. */
struct hf_links_slot {
	struct hf_conn conn;
	struct hf_links *links;
	enum hf_links_phase phase;
	uint8_t link;
	bool connector;
	bool send_hello, send_accept, send_refuse, accepted;
	uint64_t deadline_ns, stamp_ns;
	uint64_t order;	       /* the oldest stranger makes room */
	struct hf_hello hello; /* the peer's, once accepted */
	uint16_t version;
	char sentence[HF_HELLO_SENTENCE_MAX];
	char name[HF_BUS_ADDRESS_TEXT_MAX]; /* peer's address, for the log */
};

struct hf_links_dial { /* what the connecting side knows of one address of the peer */
	uint64_t next_try_ns;
	unsigned backoff_ms;
	int last_error; /* logged already */
};

/* A kind of line in the log that the outside world could repeat without end. */
struct hf_links_limit {
	uint64_t quiet_until_ns;
	unsigned held_back;
};

struct hf_links_counters {
	uint64_t accepted, strangers_refused, evicted, timed_out, refused, streams;
};

struct hf_links {
	struct hf_links_config config;
	const struct hf_links_ops *ops;
	void *owner;
	struct hf_loop *loop;
	struct hf_tls_context *tls;
	struct hf_mux mux;
	uint8_t *arena;
	bool begun, destroying, dropping, restarted;
	uint64_t stream, peer_stream, peer_incarnation;
	uint64_t received_ns; /* when something of peer_incarnation came last */
	uint16_t version;     /* of the stream */
	uint64_t next_order;
	char why[160];
	struct hf_msg drop_msg;
	bool drop_posted;
	struct hf_timer tick;
	unsigned listeners_len;
	struct hf_bus_listener listeners[HF_LINKS_MAX];
	struct hf_links_dial dials[HF_LINKS_MAX];
	struct hf_links_slot slots[HF_LINKS_SLOTS_MAX];
	struct hf_links_limit limit_stranger, limit_refused, limit_unmade;
	struct hf_links_counters counters;
};

/* -errno with a sentence: an address cannot be bound, the key is too short, memory. */
int hf_links_create(const struct hf_links_config *config, struct hf_loop *loop,
	const struct hf_links_ops *ops, void *owner, struct hf_links **ret, char *message,
	size_t message_len);
/* Begins to connect and to accept. */
void hf_links_start(struct hf_links *l);
/* Outside of callbacks: runs the loop until all requests have come back. NULL is fine. */
void hf_links_destroy(struct hf_links *l);

/* Queues a message; when it cannot, the stream is dropped soon and down() tells. */
void hf_links_send(
	struct hf_links *l, const void *head, size_t head_len, const void *body, size_t body_len);
size_t hf_links_unacked_bytes(const struct hf_links *l);
/* Drops the stream, soon: down() follows. Nothing when there is none. */
void hf_links_drop(struct hf_links *l, const char *why);

/* The port that listener i got (for port 0 in the configuration). */
uint16_t hf_links_port(const struct hf_links *l, unsigned i);
/* Another port for the peer's address i; for tests, before hf_links_start(). */
void hf_links_set_peer_port(struct hf_links *l, unsigned i, uint16_t port);

struct hf_links_status {
	bool up;
	uint64_t rtt_ns, heard_age_ns, frames_sent, frames_received;
	char state[32]; /* "up", "connecting", "not reachable" ... */
};
void hf_links_status(const struct hf_links *l, unsigned link, struct hf_links_status *ret);

/* --- between links.c and links_hello.c --- */

extern const struct hf_bus_conn_ops hf_links_conn_ops;
void hf_links_stream_drop(struct hf_links *l, const char *why);
/* s was UP and is no more. */
void hf_links_link_lost(struct hf_links_slot *s, const char *text);
/* TLS was made, and then no link. The connector logs its dials itself. */
void hf_links_unmade(const struct hf_links_slot *s, const char *text);
void hf_links_slot_end(struct hf_links_slot *s, int why, const char *text);
/* May this line be written now? *ret_more: lines held back since the last one. */
bool hf_links_may_log(struct hf_links *l, struct hf_links_limit *limit, unsigned *ret_more);

#endif
