/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Byte ranges held on both controllers for a COMPARE AND WRITE (design 5). A pure machine, one
 * struct hf_range_dev per device and controller, used like pair.h: event in, effects out, performed
 * in order, CONTINUE while `more`. Range asks never wait for a reservation claim (S4): the two
 * machines of a device share nothing but the link.
 *
 * Who goes first where ranges overlap: the device's dominant controller keeps one line of its own
 * and the peer's ranges, in the order in which they came up there. A range is held there when no
 * older one in the line overlaps it. The subordinate asks for its ranges at once and holds each as
 * long as no range of the dominant overlaps it; for the dominant's it makes way. So there is one
 * order, nobody waits in a circle, and neither side can starve the other.
 *
 * Granted = held and drained (no pinned command writes there) on every controller of the view.
 * Granting waits for nothing but pinned writes: a range is had before its command is pinned (S4).
 *
 * UP, DOWN, GONE, SET_MODE, DROP, REMOVE: each such event of the device's pair machine is given to
 * its range machine too, directly after it. HF_RANGE_UP also after the pair's effect SNAPSHOT (so
 * the newcomer learns what is held before it serves) and after HF_PAIR_INSTALLED.
 */
#ifndef HF_RANGE_H
#define HF_RANGE_H

#include "pair.h"

enum {
	HF_RANGE_ASKED_MAX = 64, /* ranges of one controller on one device known to the peer */
	HF_RANGE_EFFECTS_MAX = 8,
};

/* --- messages -------------------------------------------------------------------------------- */

enum hf_range_msg_kind {
	HF_RANGE_MSG_ASK = 0x21,     /* hold id: lba, blocks; repeated after a heal */
	HF_RANGE_MSG_GRANT = 0x22,   /* held and drained here */
	HF_RANGE_MSG_RELEASE = 0x23, /* id is over */
	HF_RANGE_MSG_SYNCED = 0x24,  /* after a heal: what I have not repeated by now is over */
};

struct hf_range_msg {
	enum hf_range_msg_kind kind;
	uint32_t dev;
	uint64_t id;	 /* 0 in SYNCED, else not 0 */
	uint64_t lba;	 /* ASK only; lba + blocks does not wrap */
	uint32_t blocks; /* ASK only, >= 1 */
};

#define HF_RANGE_MSG_MAX 32
int hf_range_msg_encode(
	const struct hf_range_msg *m, uint8_t *buf, size_t cap); /* bytes, -ENOSPC */
int hf_range_msg_decode(const uint8_t *buf, size_t len, struct hf_range_msg *ret); /* -EBADMSG */
const char *hf_range_msg_name(enum hf_range_msg_kind kind);

/* --- one device ------------------------------------------------------------------------------ */

/* A range, as the machine keeps it. order: place in the line of this controller. */
struct hf_range {
	uint64_t id, lba, order;
	uint32_t blocks;
	bool used, held, drained;
	bool told;		  /* own: `ask` is out on this link; peer's: `grant` is out */
	bool known;		  /* own: the peer may know it; peer's: asked on this link */
	bool over;		  /* peer's: to be let go */
	bool doubted;		  /* peer's: DOUBT has been reported */
	bool peer_ok;		  /* own: the peer has granted it */
	bool granted;		  /* own: GRANTED 0 has been reported */
	struct hf_bus_range *req; /* own */
};

/* All fields are the machine's. */
struct hf_range_dev {
	const struct hf_pair_config *config;
	uint32_t dev;
	bool dominant;
	enum hf_pair_mode mode;
	bool up, synced;
	uint64_t down_since_ns;
	uint64_t next_id, next_order;
	struct hf_list line; /* struct hf_bus_range.node: no slot yet */
	struct hf_range own[HF_RANGE_ASKED_MAX];
	struct hf_range theirs[HF_RANGE_ASKED_MAX];
	uint64_t timer_at_ns;
	bool more;
};

/* controller: id of this one, so that ids of both never meet. config is kept. */
void hf_range_dev_init(struct hf_range_dev *d, uint32_t dev, bool dominant, uint8_t controller,
	const struct hf_pair_config *config);

enum hf_range_event_kind {
	HF_RANGE_CONTINUE, /* only, and always, after an update with `more` */
	HF_RANGE_ACQUIRE,  /* req: kept until GRANTED with an error, or RELEASE */
	HF_RANGE_RELEASE,  /* req: after GRANTED 0, or before any GRANTED (then none comes) */
	HF_RANGE_RECEIVE,  /* msg */
	HF_RANGE_DRAINED,  /* id: hf_bus_range_drained() */
	HF_RANGE_TIMER,
	HF_RANGE_UP, /* mode TOGETHER; asks are repeated */
	HF_RANGE_DOWN,
	HF_RANGE_GONE,	   /* the peer's ranges are over; alone */
	HF_RANGE_SET_MODE, /* mode: as the pair machine's */
	HF_RANGE_DROP,	   /* JOIN */
	HF_RANGE_REMOVE,
};

struct hf_range_event {
	enum hf_range_event_kind kind;
	uint64_t now_ns; /* monotonic, never 0 */
	struct hf_bus_range *req;
	const struct hf_range_msg *msg;
	uint64_t id;
	enum hf_pair_mode mode;
};

enum hf_range_do {
	HF_RANGE_DO_SEND,    /* msg */
	HF_RANGE_DO_HOLD,    /* id, lba, blocks: owner->range_hold(); HF_RANGE_DRAINED follows */
	HF_RANGE_DO_UNHOLD,  /* id: owner->range_unhold() */
	HF_RANGE_DO_DOUBT,   /* id: owner->range_doubt() (S7) */
	HF_RANGE_DO_GRANTED, /* req, result: req->granted(); an error: storage is the caller's again
			      */
	HF_RANGE_DO_TIMER,   /* at_ns; 0: no timer */
	HF_RANGE_DO_DROP_LINK, /* the peer broke the protocol (too many, unknown): end the link */
};

struct hf_range_effect {
	enum hf_range_do kind;
	struct hf_range_msg msg;
	uint64_t id, lba;
	uint32_t blocks;
	struct hf_bus_range *req;
	int result;
	uint64_t at_ns;
};

struct hf_range_update {
	unsigned len;
	struct hf_range_effect effects[HF_RANGE_EFFECTS_MAX];
	bool more;
};

void hf_range_step(
	struct hf_range_dev *d, const struct hf_range_event *ev, struct hf_range_update *ret);

#endif
