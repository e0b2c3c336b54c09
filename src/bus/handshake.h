/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first frames on a link between two controllers: HELLO from both, then ACCEPT or REFUSE. Pure.
 *
 *	connecting          accepting
 *	    | HELLO --->        |        both compare, each for itself, so that both can say
 *	    |        <--- HELLO |        what differs
 *	    | ACCEPT --->       |
 *	    |       <--- ACCEPT |        the link is up when both have come
 *
 * HELLO begins with what every version will have: magic, range of versions, cluster id, controller
 * id and build. What follows may grow: fields of later versions are appended, a reader takes what
 *it knows and passes over the rest.
 */
#ifndef HF_HANDSHAKE_H
#define HF_HANDSHAKE_H

#include "hf_limits.h"
#include "base.h"

#define HF_HELLO_SENTENCE_MAX 300
#define HF_HELLO_BYTES_MAX    512
#define HF_CLUSTER_ID_BYTES   16

enum hf_hello_kind {
	HF_HELLO = 0x01,
	HF_HELLO_ACCEPT = 0x02, /* u16 version, u64 the peer's stream, u64 the peer's stamp */
	HF_HELLO_REFUSE = 0x03, /* a sentence, UTF-8, at most HF_HELLO_SENTENCE_MAX - 1 bytes */
};

/* Fixed limits that both sides must share, else an op that one encodes the other cannot take. */
#define HF_HELLO_LIMITS 5

struct hf_hello {
	uint16_t version_min, version_max; /* of the bus protocol that this build speaks */
	uint8_t cluster[HF_CLUSTER_ID_BYTES];
	uint8_t id;		/* controller id */
	uint8_t link;		/* number of the address, as the connecting side counts */
	char build[32];		/* for people: "0.1.0" */
	uint64_t incarnation;	/* new at every start of the daemon */
	uint64_t config_digest; /* of the configuration that must be equal */
	uint64_t stream;	/* sender's stream number; rises whenever it drops a stream */
	uint64_t peer_stream;	/* the peer's stream that the sender is in, 0 = in none */
	uint64_t stamp;		/* sender's clock, to be sent back in ACCEPT */
	uint32_t limits[HF_HELLO_LIMITS];
};

struct hf_hello_accept {
	uint16_t version; /* highest that both speak */
	uint64_t stream;  /* the receiver's, as in its HELLO */
	uint64_t stamp;	  /* the receiver's, as in its HELLO */
};

/* Versions of the bus protocol that this build speaks; the newest is the last row. */
struct hf_bus_version {
	uint16_t number;
	const char *what;
};
extern const struct hf_bus_version hf_bus_versions[];
#define HF_BUS_VERSION_PICK 2 /* the first with `pick` and `picked` (pair.h) */
extern const unsigned hf_bus_versions_len;

/* Fills the version range, build and limits of this build; the rest is zero. */
void hf_hello_init(struct hf_hello *h);
/* All three write at most HF_HELLO_BYTES_MAX bytes and return the size. First byte: the kind. */
size_t hf_hello_encode(const struct hf_hello *h, uint8_t *buf);
int hf_hello_decode(const uint8_t *buf, size_t len, struct hf_hello *ret); /* -EBADMSG */
size_t hf_hello_accept_encode(const struct hf_hello_accept *a, uint8_t *buf);
int hf_hello_accept_decode(const uint8_t *buf, size_t len, struct hf_hello_accept *ret);
size_t hf_hello_refuse_encode(const char *sentence, uint8_t *buf);
/* Control characters are replaced, so that a peer cannot forge log lines. */
int hf_hello_refuse_decode(const uint8_t *buf, size_t len, char ret[HF_HELLO_SENTENCE_MAX]);

/*
 * May these two talk? 0 and the common version in *ret_version; -EPROTO: version, -EXDEV: another
 * cluster, -EEXIST: wrong controller id, -EINVAL: configuration or limits; then sentence says what
 * differs and what to do, seen from `own`'s side. The devices are compared at the end of a join
 * (view.h): here they may rightly differ, by one op whose `settled` was lost with the link.
 */
int hf_hello_compare(const struct hf_hello *own, uint8_t peer_id, const struct hf_hello *peer,
	uint16_t *ret_version, char sentence[HF_HELLO_SENTENCE_MAX]);

#endif
