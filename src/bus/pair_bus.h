/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bus engine for two controllers (bus.h): runs one pair machine and one range machine per
 * device and the view machine, over the links to the peer. Everything on the control loop.
 *
 *	pair_engine.c		creation, the calls of bus.h, one queue of events
 *	pair_engine_dev.c	devices: effects of the pair and range machines
 *	pair_engine_view.c	the view: effects of the view machine, copying to a newcomer
 *	links.c ...		the stream of messages
 */
#ifndef HF_PAIR_BUS_H
#define HF_PAIR_BUS_H

#include "bus.h"
#include "handshake.h"
#include "links.h"
#include "loop.h"

struct hf_bus_pair_config {
	uint8_t id, peer_id; /* peer_id 0: there is no other controller */
	uint8_t cluster[HF_CLUSTER_ID_BYTES];
	uint64_t incarnation;	       /* new at every start, not 0 */
	uint64_t born_s;	       /* wall clock at the start, in seconds */
	uint64_t config_digest;	       /* of what must be equal on both */
	bool fence;		       /* policy: fence; the owner has fence() */
	unsigned listen_len, peer_len; /* own addresses; the peer's, in the order of its list */
	struct hf_bus_address listen[HF_LINKS_MAX], peer[HF_LINKS_MAX];
	const uint8_t *key; /* copied; at least HF_TLS_PSK_MIN bytes */
	size_t key_len;
	/* Bus versions to speak; 0: those of this build. For tests of a rolling upgrade. */
	uint16_t version_min, version_max;
	uint32_t silence_ms; /* 0: 1000 */
	uint32_t beat_ms;    /* between heartbeats; 0: an eighth of it */
	uint32_t bound_ms;   /* 0: 2500 */
	uint32_t retry_ms;   /* the dominant asks again after so long; 0: 1 */
};

/*
 * Binds the listening addresses; nothing else happens before the loop runs: then the view record is
 * read and the links come up. Devices may be added at once. ops and owner are kept. -errno with a
 * sentence that says what and what to do.
 */
int hf_bus_pair_create(const struct hf_bus_pair_config *cfg, struct hf_loop *control,
	const struct hf_bus_owner_ops *ops, void *owner, struct hf_bus **ret, char *message,
	size_t len);
/* hf_bus_ops.destroy: outside of callbacks, on the loop's thread; runs the loop until the engine's
 * requests have come back. The owner is not called any more; ops that wait are forgotten. */

struct hf_bus_pair_link_status {
	char address[HF_BUS_ADDRESS_TEXT_MAX]; /* of the peer */
	bool up;
	char state[32]; /* for people */
	uint64_t rtt_ns, heard_age_ns, frames_sent, frames_received;
};

enum hf_bus_pair_channel { /* first byte of every message */
	HF_BUS_PAIR_OP = 1,
	HF_BUS_PAIR_RANGE = 2,
	HF_BUS_PAIR_VIEW = 3,
	HF_BUS_PAIR_COPY = 4,
	HF_BUS_PAIR_COPY_END = 5,
	HF_BUS_PAIR_CHANNELS
};

struct hf_bus_pair_status {
	bool up;	  /* the stream is there */
	uint16_t version; /* ... and speaks this version of the bus */
	unsigned links_len;
	struct hf_bus_pair_link_status links[HF_LINKS_MAX];
	uint64_t sent[HF_BUS_PAIR_CHANNELS], received[HF_BUS_PAIR_CHANNELS]; /* messages */
	uint64_t op_sent[16], op_received[16]; /* of HF_BUS_PAIR_OP, by enum hf_pair_msg_kind */
	uint64_t streams, link_switches, strangers_refused, handshakes_refused;
};
void hf_bus_pair_status(const struct hf_bus *bus, struct hf_bus_pair_status *ret);

/* Port 0 in the configuration: the port that listening address i got; and, before the loop runs,
 * where the peer listens. */
uint16_t hf_bus_pair_port(const struct hf_bus *bus, unsigned i);
void hf_bus_pair_set_peer_port(struct hf_bus *bus, unsigned i, uint16_t port);

#endif
