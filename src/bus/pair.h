/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair protocol (design 4): how two controllers agree on one order of operations of one logical
 * device. A pure machine, one struct hf_pair_dev per device and controller: an event goes in, a
 * short list of effects comes out, the caller performs them in order. No system call, no clock (the
 * time comes with the event), no allocation, no lock. Called by pair_engine.c and by the simulator.
 *
 *	         propose, look: change                 `ask`, look: change
 *	  MINE <------------------------- FREE ------------------------------> THEIRS
 *	   |  \__ `refused`, subordinate __^ ^ ^_ `settled` (apply), `cancel` ____/
 *	   |   \_ `held` + drained + written:/ |
 *	   |      apply, `settled`, answer _/  |
 *	   |                                   |
 *	   +-- drain or record fails: `cancel` --> CANCELLING -- `cancelled`: answer FAILED, `pass`
 *
 * A claim other than FREE holds the device: admitted is what the settled state AND the state after
 * the pending op allow. INV-1, INV-2, INV-3 and INV-7 of doc/invariants.md rest on this file.
 *
 * How the caller (the engine) has to use it
 *  - One event, one hf_pair_step(), then every effect of the update in order, then, while
 *    update.more is set, hf_pair_step() with HF_PAIR_CONTINUE and its effects. `more` is there
 *    because what comes next depends on what an effect changes (APPLY changes the digest).
 *    An event that arises while effects are performed (the owner may call drained() from inside
 *    hold()) is kept by the engine and stepped after that, first come first served.
 *  - Messages of a device reach the peer's machine in the order sent, once each, or the link drops
 *    (HF_PAIR_DOWN on both sides, nothing of the old link is delivered later).
 *  - After UNHOLD or APPLY no HF_PAIR_DRAINED or PERSISTED of that hold is given any more.
 *  - One timer per device: HF_PAIR_DO_TIMER sets or clears it; HF_PAIR_TIMER too early is harmless.
 *
 * The life of the view, in events
 *	start	                hf_pair_dev_init(): mode WAIT
 *	cold start, lower id	loaded the records: HF_PAIR_COPY (peer there) or HF_PAIR_GONE
 *(alone) cold start, other id	HF_PAIR_DROP, snapshot installed: HF_PAIR_INSTALLED silence
 *HF_PAIR_DOWN, then HF_PAIR_SET_MODE FROZEN (freeze) or WAIT (a race) heal, same incarnations
 *HF_PAIR_SET_MODE TOGETHER, then HF_PAIR_UP peer fenced, declared down, back with a new
 *incarnation: HF_PAIR_GONE lost the race, struck off: HF_PAIR_DROP
 *	the peer joins		member: HF_PAIR_COPY per device; newcomer: DROP, then INSTALLED
 *	newcomer lost again	member: HF_PAIR_GONE; newcomer: HF_PAIR_DROP
 *	a new device            HF_PAIR_INSTALLED with n 0 on both, or HF_PAIR_GONE when alone
 *	operator picks (W18)    HF_PAIR_PICK at the side whose state counts; pair_pick.c
 */
#ifndef HF_PAIR_H
#define HF_PAIR_H

#include "bus.h"
#include "bytes.h"

/* --- messages ------------------------------------------------------------------------------ */

enum hf_pair_msg_kind {
	HF_PAIR_MSG_ASK = 1,	 /* hold and drain for op n; digest: of my settled state n - 1 */
	HF_PAIR_MSG_HELD = 2,	 /* done; digest: of my settled state n - 1; flag: I have ops too */
	HF_PAIR_MSG_REFUSED = 3, /* I hold the device for an op of my own */
	HF_PAIR_MSG_SETTLED = 4, /* apply op n; digest: after it; flag: your turn, ask or pass */
	HF_PAIR_MSG_PASS = 5, /* I ask nothing now, or have just given up: claim, ask as you like */
	HF_PAIR_MSG_CANCEL = 6,	   /* drop op n, it has not happened */
	HF_PAIR_MSG_CANCELLED = 7, /* dropped */
	HF_PAIR_MSG_UNABLE = 8,	   /* cannot drain for op n (reason: errno); cancel it */
	HF_PAIR_MSG_STOP = 9,	   /* we differ (reason: enum hf_pair_stop); stop the device */
	/* Of a stopped device. `unable` answers it, too; `stop` takes it back; `settled`: taken. */
	HF_PAIR_MSG_PICK = 10,	 /* the operator has picked my state */
	HF_PAIR_MSG_PICKED = 11, /* nothing that mine has admitted is in flight any more: send it */
};

enum hf_pair_stop {
	HF_PAIR_STOP_NUMBER = 1, /* the op's number fits nothing known here */
	HF_PAIR_STOP_DIGEST = 2, /* settled states differ at the same number */
	HF_PAIR_STOP_VERDICT =
		3,		 /* the peer changes its state by an op that changes nothing here */
	HF_PAIR_STOP_OP = 4,	 /* another op under the number of the one held */
	HF_PAIR_STOP_RESULT = 5, /* applied the same op to the same state, states differ now */
};
const char *hf_pair_stop_text(enum hf_pair_stop why); /* a sentence for people, never NULL */

struct hf_pair_msg {
	enum hf_pair_msg_kind kind;
	uint32_t dev;
	uint64_t n;
	uint64_t digest;
	bool flag;
	uint16_t reason;
	const uint8_t *op; /* ASK only; borrowed */
	size_t op_len;	   /* 1 .. HF_OP_MAX_BYTES in ASK, else 0 */
};

#define HF_PAIR_MSG_MAX (32 + HF_OP_MAX_BYTES) /* bytes; any message fits */

/* Bytes written, or -ENOSPC. */
int hf_pair_msg_encode(const struct hf_pair_msg *m, uint8_t *buf, size_t cap);
/* 0, or -EBADMSG (unknown kind or version, cut, trailing bytes) and *ret is untouched. ret->op
 * points into buf. */
int hf_pair_msg_decode(const uint8_t *buf, size_t len, struct hf_pair_msg *ret);
const char *hf_pair_msg_name(enum hf_pair_msg_kind kind);

/* --- one device ----------------------------------------------------------------------------- */

enum hf_pair_claim {
	HF_PAIR_FREE,
	HF_PAIR_MINE,
	HF_PAIR_THEIRS,
	HF_PAIR_CANCELLING, /* mine, `cancel` is out (or goes out at the heal) */
};

enum hf_pair_mode {
	HF_PAIR_WAIT,	  /* starting, racing: nothing is evaluated, settled or answered */
	HF_PAIR_JOIN,	  /* no state here (newcomer, struck off): NOT_READY, owed ops wait */
	HF_PAIR_TOGETHER, /* the peer is in the view; with the link down, changes wait */
	HF_PAIR_FROZEN,	  /* peer silent: changes get NOT_READY, owed ones wait, the rest goes on */
	HF_PAIR_ALONE,	  /* the view is this controller only */
	HF_PAIR_STOPPED,  /* the states differ (W18): NOT_READY until the operator has picked one */
	HF_PAIR_REMOVED,  /* the device is being deleted: NOT_READY for all */
};

/* What the operator's pick of a stopped device has come to (pair_pick.c). */
enum hf_pair_pick {
	HF_PAIR_PICK_NONE,
	HF_PAIR_PICK_ASKED,  /* mine: `pick` is out */
	HF_PAIR_PICK_SAVING, /* mine: the record is being written again */
	HF_PAIR_PICK_GIVEN,  /* mine: the snapshot is out, `settled` is to come */
	HF_PAIR_PICK_THEIRS, /* theirs: what was admitted here has to end */
	HF_PAIR_PICK_READY,  /* theirs: the snapshot is to come */
};

/* Pure reads of the owner's settled state, as in struct hf_bus_owner_ops. */
struct hf_pair_reads {
	enum hf_bus_look (*look)(void *owner, uint32_t dev, const void *op, size_t len);
	uint64_t (*digest)(void *owner, uint32_t dev);
	void *owner;
};

struct hf_pair_config {
	uint64_t bound_ns; /* an op not held and drained by then is cancelled; in doubt: DOUBT */
	uint64_t retry_ns; /* the dominant waits this long after `refused`, or until `pass` */
	bool no_picks;	   /* the peer's version of the bus has no `pick` */
};
#define HF_PAIR_BOUND_NS 2500000000ull
#define HF_PAIR_RETRY_NS 1000000ull

/* All fields are the machine's; others may read dev, dominant, mode, up, n, claim. */
struct hf_pair_dev {
	const struct hf_pair_config *config;
	const struct hf_pair_reads *reads;
	uint32_t dev;
	bool dominant;
	enum hf_pair_mode mode, mode_before_stop;
	bool up;		  /* the link is up and the first frames have been exchanged */
	uint64_t n;		  /* of the last settled op */
	enum hf_pair_claim claim; /* != FREE: op n + 1 is pending and the device holds */
	struct hf_list queue;	  /* struct hf_bus_prop.node; with MINE the first is the pending */
	/* about the pending op */
	uint64_t pending_since_ns; /* the bound runs from here */
	bool persist;		   /* needs the record on disk before it is applied */
	bool drained;		   /* no pin here that the new state forbids */
	int drain_error;	   /* it cannot be reached */
	bool got_held;		   /* MINE: the peer holds and is drained */
	bool peer_waits;	   /* MINE: `held` said that the peer has ops of its own */
	bool asked_now;		   /* THEIRS: asked on this link and not answered yet */
	bool persisting, persisted, persist_again;
	bool persist_doubt; /* a write has failed and nobody knows which content is out */
	/* whose turn */
	bool yield;	  /* subordinate, refused: claims nothing until the dominant has moved */
	bool gave_turn;	  /* claims nothing until the peer's `ask` or `pass` */
	bool have_turn;	  /* owes the peer an `ask` or `pass` */
	bool copy_wanted; /* a newcomer waits for the snapshot */
	/* between APPLY and HF_PAIR_CONTINUE */
	bool applying;
	bool told_settled; /* THEIRS: `settled` said so (else: carried forward), with: */
	bool settled_flag;
	uint64_t settled_digest;
	bool more;
	uint64_t retry_at_ns; /* 0: none. MINE: ask, or write the record, again */
	uint64_t timer_at_ns; /* what HF_PAIR_DO_TIMER said last */
	enum hf_pair_stop stop;
	/* while it is stopped */
	bool told_stopped; /* the owner has been told, and not yet that it is over */
	bool empty;	   /* has joined meanwhile, without a state */
	enum hf_pair_pick pick;
	uint64_t pick_n; /* counts what the owner has been asked for */
	uint64_t pick_until_ns;
	size_t their_op_len;
	uint8_t their_op[HF_OP_MAX_BYTES];
};

/* config and reads are kept. Mode WAIT, n 0, nothing pending, link down. */
void hf_pair_dev_init(struct hf_pair_dev *d, uint32_t dev, bool dominant,
	const struct hf_pair_config *config, const struct hf_pair_reads *reads);

/* --- events -------------------------------------------------------------------------------- */

enum hf_pair_event_kind {
	HF_PAIR_CONTINUE,  /* only, and always, after an update with `more` */
	HF_PAIR_PROPOSE,   /* prop: kept until its ANSWER */
	HF_PAIR_RECEIVE,   /* msg: of the present link */
	HF_PAIR_DRAINED,   /* n, result: hf_bus_drained() */
	HF_PAIR_PERSISTED, /* n, result: hf_bus_persisted() */
	HF_PAIR_TIMER,
	HF_PAIR_UP,	   /* the link is up; both sides still have their state */
	HF_PAIR_DOWN,	   /* the link is lost */
	HF_PAIR_GONE,	   /* the peer is gone for good, this controller is the view: ALONE */
	HF_PAIR_SET_MODE,  /* mode: WAIT, TOGETHER or FROZEN */
	HF_PAIR_DROP,	   /* this controller's state counts for nothing any more: JOIN */
	HF_PAIR_INSTALLED, /* newcomer: snapshot n installed; link up: TOGETHER */
	HF_PAIR_COPY,	   /* member: give the newcomer a snapshot as soon as nothing is pending */
	HF_PAIR_PICK,	   /* the operator has picked this side's state; DO_PICK_END follows */
	HF_PAIR_PICK_DONE, /* n, result: hf_bus_ops.pick_done() */
	HF_PAIR_REMOVE,	   /* the device goes away: REMOVED; all ops are answered */
};

struct hf_pair_event {
	enum hf_pair_event_kind kind;
	uint64_t now_ns; /* monotonic, never 0 */
	struct hf_bus_prop *prop;
	const struct hf_pair_msg *msg;
	uint64_t n;
	int result;
	enum hf_pair_mode mode;
};

/* --- effects -------------------------------------------------------------------------------- */

enum hf_pair_do {
	HF_PAIR_DO_SEND,    /* msg, to the peer, in order; msg.op is borrowed until the next step */
	HF_PAIR_DO_HOLD,    /* n, op, op_len, mine: owner->hold() */
	HF_PAIR_DO_UNHOLD,  /* n: owner->unhold() */
	HF_PAIR_DO_PERSIST, /* n: owner->persist(); HF_PAIR_PERSISTED follows */
	HF_PAIR_DO_APPLY,   /* n, mine: owner->apply() */
	HF_PAIR_DO_ANSWER,  /* prop, how: owner->answer(); the storage is the proposer's again */
	HF_PAIR_DO_DOUBT,   /* prop: owner->doubt(); its ANSWER comes later and reaches nobody */
	HF_PAIR_DO_STOP,    /* stop: owner->stopped(), the log */
	HF_PAIR_DO_TIMER,   /* at_ns: HF_PAIR_TIMER is due then; 0: no timer */
	HF_PAIR_DO_SNAPSHOT, /* n: send the newcomer state and n now, before any later effect */
	HF_PAIR_DO_RESUME,   /* owner->resumed() */
	HF_PAIR_DO_PICK,     /* n, mine: owner->pick(); HF_PAIR_PICK_DONE follows */
	HF_PAIR_DO_PICK_END, /* result: 0, or why it is not so, as in hf_pair_pick_text() */
};

struct hf_pair_effect {
	enum hf_pair_do kind;
	struct hf_pair_msg msg;
	uint64_t n;
	const uint8_t *op;
	size_t op_len;
	bool mine;
	struct hf_bus_prop *prop;
	enum hf_bus_answer how;
	enum hf_pair_stop stop;
	int result;
	uint64_t at_ns;
};

#define HF_PAIR_EFFECTS_MAX 8

struct hf_pair_update {
	unsigned len;
	struct hf_pair_effect effects[HF_PAIR_EFFECTS_MAX];
	bool more; /* step with HF_PAIR_CONTINUE after performing the effects */
	const char
		*note; /* what was decided, a short sentence for a trace; NULL: nothing worth it */
};

void hf_pair_step(
	struct hf_pair_dev *d, const struct hf_pair_event *ev, struct hf_pair_update *ret);

/* Another state may be installed now, in place of the one here or of none. */
bool hf_pair_takes_copy(const struct hf_pair_dev *d);
/* What DO_PICK_END says, as a clause for people, with what to do; never NULL. */
const char *hf_pair_pick_text(int result);

/* Names for traces; never NULL. */
const char *hf_pair_claim_name(enum hf_pair_claim claim);
const char *hf_pair_mode_name(enum hf_pair_mode mode);

#endif
