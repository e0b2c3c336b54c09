/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages of the group engine (group_bus.h), as bytes. Every message is multicast to all
 * members in one agreed order, the sender included. Pure.
 *
 * Each carries the generation it belongs to: a number that is new with every change of membership.
 * What was sent in one generation and is delivered in another means nothing any more, and is
 * dropped at every member alike.
 */
#ifndef HF_GROUP_MSG_H
#define HF_GROUP_MSG_H

#include "view.h"

enum hf_group_msg_kind {
	/* a generation begins: who is here, what does each remember */
	HF_GROUP_MSG_BEGIN = 1,	 /* the members have changed: generation `tag`, say what you are */
	HF_GROUP_MSG_DEVS = 2,	 /* what I remember of devices: body, entries; view.epoch */
	HF_GROUP_MSG_RANGES = 3, /* granted ranges of mine that are in use: body, entries */
	HF_GROUP_MSG_STATE = 4, /* who I am: body, a hello (handshake.h); view; live. Comes last. */
	HF_GROUP_MSG_PLAN = 5,	/* what follows from it; the body is a sentence */
	/* while the members stay the same */
	HF_GROUP_MSG_VIEW = 6,	  /* the record on the disks now says: view */
	HF_GROUP_MSG_PROPOSE = 7, /* dev, seq, flag: owed; body: the op */
	HF_GROUP_MSG_ACK = 8,	  /* dev, turn: I hold and am drained; digest of my settled state */
	HF_GROUP_MSG_NACK = 9,	  /* dev, turn, reason: I cannot; drop it */
	HF_GROUP_MSG_DROPPED = 10,  /* dev, turn: I do not hold it any more */
	HF_GROUP_MSG_SETTLED = 11,  /* dev, turn: the record is on the disks */
	HF_GROUP_MSG_CUT = 12,	    /* dev: at its turn, copy the state to the newcomers */
	HF_GROUP_MSG_COPY = 13,	    /* dev, turn, n, total, at; body: a piece of the state */
	HF_GROUP_MSG_COPIED = 14,   /* dev: installed here, my acks count from now on */
	HF_GROUP_MSG_COPY_END = 15, /* there is no other device */
	HF_GROUP_MSG_READY = 16,    /* all is installed: take me into the view */
	HF_GROUP_MSG_LEAVE = 17,    /* nothing of mine is pending or in flight: I go */
	HF_GROUP_MSG_WORD =
		18, /* an operator declares the absent gone; flag: may lose reservations */
	HF_GROUP_MSG_RANGE_ASK = 19,	 /* dev, seq: id; lba, blocks */
	HF_GROUP_MSG_RANGE_GRANT = 20,	 /* dev, seq: id of whose; held and drained here */
	HF_GROUP_MSG_RANGE_RELEASE = 21, /* dev, seq: id */
	HF_GROUP_MSG_BEAT = 22,		 /* seq: the sender's clock; for the sender itself */
	HF_GROUP_MSG_KINDS
};

enum hf_group_plan {
	HF_GROUP_PLAN_WAIT = 1, /* nobody has the state, and it cannot be loaded yet */
	HF_GROUP_PLAN_FROZEN,	/* some of the view are absent: the state does not change */
	HF_GROUP_PLAN_ACTIVE,	/* `live` go on from what they remember; the others are copied to */
};

struct hf_group_msg {
	enum hf_group_msg_kind kind;
	uint8_t from; /* controller id */
	uint64_t tag;
	uint32_t dev;
	uint64_t seq, turn, n, digest, lba;
	uint32_t blocks, total, at;
	uint16_t reason;
	bool flag;
	/* PLAN and STATE */
	enum hf_group_plan plan;
	uint32_t live;	  /* PLAN: bit i: what controller i remembers counts. STATE: 1 or 0 */
	uint32_t absent;  /* PLAN: who is missed */
	uint32_t refused; /* PLAN: present, but may not join */
	struct hf_view_record view; /* epoch 0: none */
	const uint8_t *body;	    /* borrowed; the rest of the message */
	size_t body_len;
};

#define HF_GROUP_BODY_MAX 12288u
#define HF_GROUP_MSG_MAX  (512u + HF_GROUP_BODY_MAX)

/* The head only: the body goes out behind it. Bytes, or -ENOSPC. */
int hf_group_msg_encode(const struct hf_group_msg *m, uint8_t *buf, size_t cap);
/* 0, or -EBADMSG and *ret is untouched; ret->body points into buf. */
int hf_group_msg_decode(const uint8_t *buf, size_t len, struct hf_group_msg *ret);
const char *hf_group_msg_name(enum hf_group_msg_kind kind);

/* --- entries of DEVS and RANGES --- */

enum hf_group_phase {
	HF_GROUP_FREE,
	HF_GROUP_HELD,	     /* the op of this turn is held here */
	HF_GROUP_CANCELLING, /* it is being dropped everywhere */
	HF_GROUP_CUT,	     /* the device waits until newcomers have their copy */
	HF_GROUP_STOPPED,    /* W18 */
};

struct hf_group_dev_entry {
	uint32_t dev;
	uint64_t turn, n, digest;
	enum hf_group_phase phase;
	uint64_t out_seq; /* what the sender has proposed and not heard of; 0: nothing */
	/* HELD: whose op, and the op */
	uint8_t op_from;
	uint64_t op_seq;
	bool owed, agreed; /* agreed: all had acknowledged it */
	const uint8_t *op;
	size_t op_len;
};
#define HF_GROUP_DEV_ENTRY_MAX (64 + HF_OP_MAX_BYTES)

/* Bytes, or -ENOSPC. */
int hf_group_dev_entry_encode(const struct hf_group_dev_entry *e, uint8_t *buf, size_t cap);
/* Takes one entry off a body: bytes taken, or -EBADMSG. */
int hf_group_dev_entry_decode(const uint8_t *buf, size_t len, struct hf_group_dev_entry *ret);

struct hf_group_range_entry {
	uint32_t dev, blocks;
	uint64_t id, lba;
};
#define HF_GROUP_RANGE_ENTRY_BYTES 24
int hf_group_range_entry_encode(const struct hf_group_range_entry *e, uint8_t *buf, size_t cap);
int hf_group_range_entry_decode(const uint8_t *buf, size_t len, struct hf_group_range_entry *ret);

#endif
