/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is in the view: start, join, silence, heal, going on alone, leaving (design 6), for two
 * controllers. A pure machine: an event in, a list of effects out, no clock, no I/O. The view
 * record on the voting disks comes and goes through its owner.
 *
 *	           peer there, has the state              copied, record names both
 *	STARTING ------------------------------> JOINING ----------------------------> TOGETHER
 *	   |  ^ both empty: lower id loads, serves nothing, is joined by the other ---^  |   ^
 *	   |  |_____________ peer lost on the way ______|                         silent |   | same
 *	   | operator's word: loads, writes record {me}                                  v   | epoch
 *	   v                                                                        FROZEN --+
 *	 ALONE <---- new incarnation, or operator's word; record {me} written first ---+ |
 *	   | peer joins: copied, record names both -> TOGETHER                            |
 *	   |                                 record no longer names this controller ------+--> OUT
 *	   +-- (from TOGETHER: the peer has left, or is back with a new incarnation)
 *	OUT joins like STARTING, as soon as nothing of its membership is in flight any more (CLEAN)
 *
 * Policy `fence`: silence leads to RACING in place of FROZEN; commands wait.
 *
 *	                peer fenced, T without an echo, record {me} written
 *	TOGETHER --> RACING ----------------------------------------------------> ALONE
 *	               |  \____ fence failed: again each second, or the operator's word ___^
 *	               +-- the peer has won, or the record names it alone ------> OUT
 *	STARTING, named in the record, peer silent for longer than a race takes: the same, and loads
 *
 * Rules that everything rests on:
 *  - Whoever goes on without the other first writes a record that names only itself (W8); the
 *    epoch rises with that write and with nothing else (U7). Each write is read back.
 *  - A word may have been said to both, and be untrue at both: who wrote the record on a word looks
 *    at it once more after a second, and whose record was written over is out.
 *  - Of two that both went on alone, the one that is kept writes all its records out again before
 *it lets the other one in: what that one wrote is not to come back from the disks.
 *  - Silence alone changes no state: FROZEN keeps the view.
 *  - A controller with another incarnation, or without memory, is not the member that was: that one
 *    is gone (W20), and the newcomer starts from a copy.
 *  - Under `fence` nobody goes on before the peer can do nothing any more: its fence has said so
 *    (HF_VIEW_FENCED), and T has passed in which it got no echo (HF_VIEW_QUIET, W13).
 *  - A race has no way back: a link that heals meanwhile waits for its end.
 */
#ifndef HF_VIEW_H
#define HF_VIEW_H

#include "bus.h"

#define HF_VIEW_RECORD_BYTES_MAX 160
#define HF_VIEW_SENTENCE_MAX	 300

/* The view record: who may serve. */
struct hf_view_record {
	uint64_t epoch;				  /* 0: there is no record */
	uint32_t members;			  /* bit i: controller id i */
	uint64_t incarnations[HF_CONTROLLER_IDS]; /* of the members, else 0 */
};

int hf_view_record_encode(const struct hf_view_record *r, uint8_t *buf, size_t cap); /* bytes */
int hf_view_record_decode(
	const uint8_t *buf, size_t len, struct hf_view_record *ret); /* -EBADMSG */

enum hf_view_msg_kind {
	HF_VIEW_MSG_STATE = 1,	 /* what I am; first on every stream, and whenever it changes */
	HF_VIEW_MSG_READY = 2,	 /* newcomer: everything is installed; digest of my devices */
	HF_VIEW_MSG_JOINED = 3,	 /* member: the record names both; epoch, peer = your incarnation */
	HF_VIEW_MSG_REFUSED = 4, /* member: you cannot join; sentence */
	HF_VIEW_MSG_LEAVE = 5,	 /* I go; nothing of mine is pending or in flight */
	HF_VIEW_MSG_LEFT = 6,	 /* heard: I go on alone */
};

struct hf_view_msg {
	enum hf_view_msg_kind kind;
	/* STATE */
	enum hf_view_state state;
	bool live; /* has the agreed state in memory */
	uint64_t epoch;
	uint32_t members;
	uint64_t own, peer; /* incarnations: the sender's, and its peer's in its view (0: none) */
	/* READY */
	uint64_t digest;
	/* REFUSED */
	char sentence[HF_VIEW_SENTENCE_MAX];
};

#define HF_VIEW_MSG_MAX (64 + HF_VIEW_SENTENCE_MAX)
int hf_view_msg_encode(const struct hf_view_msg *m, uint8_t *buf, size_t cap); /* bytes, -ENOSPC */
int hf_view_msg_decode(const uint8_t *buf, size_t len, struct hf_view_msg *ret); /* -EBADMSG */

/* What is being done to the view record. */
enum hf_view_job {
	HF_VIEW_JOB_NONE,
	HF_VIEW_JOB_START,	 /* the operator's --alone: read, load, write {me} */
	HF_VIEW_JOB_PEER_DOWN,	 /* the operator's word: read, write {me} */
	HF_VIEW_JOB_REMOVE,	 /* new incarnation: read, write {me} */
	HF_VIEW_JOB_LEFT,	 /* the peer leaves: read, write {me} */
	HF_VIEW_JOB_JOIN,	 /* the newcomer is ready: read, (rewrite,) write {both} */
	HF_VIEW_JOB_FENCE,	 /* peer silent, policy fence: read, fence, wait T, write {me} */
	HF_VIEW_JOB_FENCE_START, /* the same at the start: read, fence, load, write {me} */
	HF_VIEW_JOB_DISCARD,	 /* the operator's word: read, write {peer} */
};

enum hf_view_step_name {
	HF_VIEW_IDLE,
	HF_VIEW_READING,
	HF_VIEW_LOADING,
	HF_VIEW_WRITING,
	HF_VIEW_VERIFYING,
	HF_VIEW_RETRYING, /* waits for the next tick */
	HF_VIEW_FENCING,
	HF_VIEW_QUIETING,  /* the peer is fenced; until T has passed */
	HF_VIEW_MENDING,   /* the record stands; what the fence could not have is tried again */
	HF_VIEW_REWRITING, /* records of a controller that went on beside this one are replaced */
};

struct hf_view_machine {
	uint8_t id, peer_id; /* peer_id 0: there is no other controller */
	uint64_t incarnation;
	struct hf_view view;
	/* set after hf_view_init() */
	bool fences;	 /* policy: fence */
	uint64_t born_s; /* wall clock at the start, in seconds; 0: not known */

	bool live;		     /* has the agreed state in memory */
	uint64_t member_incarnation; /* the peer's in the view; 0: not in it */
	/* the record */
	bool record_known, record_unreadable;
	struct hf_view_record record, wanted;
	enum hf_view_job job;
	enum hf_view_step_name step;
	bool may_lose;
	bool verifying;	   /* RETRYING resumes with VERIFYING */
	bool is_early;	   /* the read under way has begun before the job: it is done again */
	bool write_failed; /* the last write did not report success */
	bool collided;	   /* what was written met another write: written again if it still has */
	bool apart;	   /* the peer has gone on alone, too: the disks may have its records */
	unsigned looks;	   /* so often, a tick apart, the record has to say what was written */
	bool cold_loading; /* both empty: the owner loads */
	/* the race */
	bool fenced, quiet;
	bool fence_begun;      /* and not ended: whatever it said, a disk may not have answered */
	bool fence_out;	       /* ended, and something of it may still hit who comes back */
	bool dirty;	       /* OUT: commands of the membership that was may be in flight */
	unsigned silent_ticks; /* STARTING under `fence`: nobody was heard for so long */
	unsigned start_ticks;  /* ... and for so long waits who is named in the record: a living
				  peer has the state and goes first. Set after hf_view_init() */
	bool waits_said;       /* that it waits for who let it in */
	unsigned word_looks;   /* `looks` after a word of the operator's: a peer that lives and
				  sees no silence yet has to be out by then. Set likewise */
	const char *gone_why;  /* why the peer counts as gone; a constant */
	/* the peer */
	bool up, told;		 /* stream; its STATE has come */
	struct hf_view_msg peer; /* its last STATE */
	bool copying, copied;	 /* this member gives; everything is out and installed there */
	bool leaving, left;
	unsigned leaving_ticks;
	unsigned refused_ticks;		     /* newcomer: waits before it asks again */
	char sentence[HF_VIEW_SENTENCE_MAX]; /* why the peer and we do not come together; "" */
};

enum hf_view_event_kind {
	HF_VIEW_START,
	HF_VIEW_TICK,	   /* each second */
	HF_VIEW_UP,	   /* the stream is there; incarnation: the peer's */
	HF_VIEW_DOWN,	   /* ... and gone; sentence: why */
	HF_VIEW_RECEIVE,   /* msg */
	HF_VIEW_READ,	   /* result: bytes or -errno; record */
	HF_VIEW_WRITTEN,   /* result */
	HF_VIEW_LOADED,	   /* result */
	HF_VIEW_INSTALLED, /* newcomer: the last device is in; digest of the devices */
	HF_VIEW_WORD_PEER_DOWN,
	HF_VIEW_WORD_ALONE, /* may_lose */
	HF_VIEW_WORD_LEAVE,
	HF_VIEW_REFUSED, /* the handshake failed; sentence */
	HF_VIEW_QUIET,	 /* T has passed since DO_QUIET */
	/* result 0: the peer can do nothing any more; -EPERM: it has won; else: failed, sentence */
	HF_VIEW_FENCED,
	HF_VIEW_FENCE_ENDED, /* since DO_FENCE_END: nothing of the fence is on its way any more */
	HF_VIEW_MENDED,	     /* DO_MEND is done */
	HF_VIEW_CLEAN,	     /* OUT: nothing that was admitted before is in flight here */
	HF_VIEW_WORD_DISCARD,
	HF_VIEW_REWRITTEN, /* result */
};

struct hf_view_event {
	enum hf_view_event_kind kind;
	uint64_t incarnation;
	const struct hf_view_msg *msg;
	const uint8_t *record;
	int result;
	uint64_t digest; /* own devices: INSTALLED; RECEIVE of READY */
	bool may_lose;
	bool restarted; /* DOWN: the peer has shown a new incarnation */
	const char *sentence;
};

enum hf_view_do {
	HF_VIEW_DO_READ,
	HF_VIEW_DO_WRITE, /* record */
	HF_VIEW_DO_LOAD,
	HF_VIEW_DO_REWRITE,   /* every record but the view's: what is in memory counts */
	HF_VIEW_DO_DROP,      /* forget all reservation state; pair machines: DROP */
	HF_VIEW_DO_SEND,      /* msg */
	HF_VIEW_DO_COPY,      /* give the newcomer every device */
	HF_VIEW_DO_DOWN,      /* pair machines: link lost, keep still (FROZEN) */
	HF_VIEW_DO_GONE,      /* pair machines: the peer is gone for good, go on alone */
	HF_VIEW_DO_HEAL,      /* pair machines: link is back */
	HF_VIEW_DO_CHANGED,   /* owner: the view has changed */
	HF_VIEW_DO_LEFT,      /* the word LEAVE is done */
	HF_VIEW_DO_LOG,	      /* sentence, for the log: something an operator should know */
	HF_VIEW_DO_DROP_LINK, /* end the stream: sentence */
	HF_VIEW_DO_FENCE,     /* race for epoch record.epoch, make the peer unable to serve */
	HF_VIEW_DO_MEND,      /* the record names this one alone: is any disk not fenced? MENDED */
	HF_VIEW_DO_FENCE_END, /* ... is not needed any more; FENCE_ENDED follows, FENCED need not */
	HF_VIEW_DO_QUIET,     /* QUIET after T */
};

struct hf_view_effect {
	enum hf_view_do kind;
	struct hf_view_msg msg;
	struct hf_view_record record;
	char sentence[HF_VIEW_SENTENCE_MAX];
};

#define HF_VIEW_EFFECTS_MAX 12

struct hf_view_update {
	unsigned len;
	struct hf_view_effect effects[HF_VIEW_EFFECTS_MAX];
};

void hf_view_init(struct hf_view_machine *v, uint8_t id, uint8_t peer_id, uint64_t incarnation);
/* The effects have to be performed in order before the next step. */
void hf_view_step(
	struct hf_view_machine *v, const struct hf_view_event *ev, struct hf_view_update *ret);

/* May the operator say this now? 0, or -errno and a sentence that says why not and what to do. */
int hf_view_may_peer_down(const struct hf_view_machine *v, char *message, size_t len);
int hf_view_may_discard(const struct hf_view_machine *v, char *message, size_t len);
int hf_view_may_go_alone(const struct hf_view_machine *v, bool may_lose, char *message, size_t len);

const char *hf_view_state_name(enum hf_view_state state);

#endif
