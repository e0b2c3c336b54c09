/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bus seam (R11): how the controllers agree on one order of operations per device. The payload
 * is opaque here. Two engines implement it: the pair (pair.c, pure, with pair_engine.c for I/O)
 * and, later, a corosync group (group_cpg.c). Everything happens on the control loop.
 *
 * What an engine promises (design 4, 10; protocol pitfalls):
 *  - per device one op at a time is pending, the same on all controllers of the view, in one order;
 *  - look() is asked only at the head of the queue with nothing pending (W4);
 *  - hold() on every controller before apply() on any (W1); the controller that proposed applies
 *    first, the others as soon as they hear;
 *  - answer() exactly once per proposed op.
 *
 * The owner (src/lu, src/ldev through the daemon's wiring) promises:
 *  - after hold(dev): admits what old and new state allow, refuses what both refuse, lets all else
 *    wait; calls hf_bus_drained() when no command is pinned that the new state forbids (or with an
 *    error when that cannot be reached); after unhold(): back to the old state.
 *  - after persist(dev): calls hf_bus_persisted() once the record is durable, or failed and undone.
 */
#ifndef HF_BUS_H
#define HF_BUS_H

#include "hf_limits.h"
#include "list.h"

#define HF_BUS_DEV_POOL 0 /* the pool's map is device 0; logical devices have ids >= 1 */

struct hf_bus;

/* An op on its way. Caller's storage, kept from propose until answer(). */
struct hf_bus_prop {
	struct hf_list node; /* engine's */
	uint32_t dev;
	const void *op;
	size_t op_len; /* <= HF_OP_MAX_BYTES */
	/*
	 * An op that cannot be refused (nexus loss): while the view is frozen it stays first in
	 * line
	 * ("owed") instead of being answered NOT_READY; it has no bound.
	 */
	bool owed;
	uint64_t since_ns; /* engine's: when proposed */
	bool doubted;	   /* engine's: HF_BUS_DOUBT has been reported */
};

enum hf_bus_look {
	HF_BUS_LOOK_ANSWER, /* refused, or nothing to change: answer from the current state */
	HF_BUS_LOOK_CHANGE, /* has to be agreed */
	HF_BUS_LOOK_CHANGE_PERSIST, /* ... and written to the shared disks before GOOD */
};

enum hf_bus_answer {
	HF_BUS_ANSWER_LOOK,	 /* look() said ANSWER just now: tell the host that verdict */
	HF_BUS_ANSWER_APPLIED,	 /* settled: apply() has just been called with this op */
	HF_BUS_ANSWER_FAILED,	 /* cancelled everywhere, nothing changed: drain or record failed */
	HF_BUS_ANSWER_NOT_READY, /* frozen, joining or stopped: NOT READY 04/0A */
};

/* A byte range of one device held for a COMPARE AND WRITE on all controllers. */
struct hf_bus_range {
	struct hf_list node; /* engine's */
	uint32_t dev;
	uint64_t lba;
	uint32_t blocks;
	uint64_t id;	   /* engine's: unique per controller and incarnation */
	uint8_t state;	   /* engine's */
	uint64_t since_ns; /* engine's: when asked for */
	/* On the control loop, once: 0 = held and drained on every controller; -errno: not granted,
	 * nothing held (-ENOTCONN: frozen; -ETIMEDOUT: bound passed). */
	void (*granted)(struct hf_bus_range *r, int result);
};

/* The operator's pick of a stopped device; caller's storage, kept until done(). */
struct hf_bus_pick {
	uint32_t dev;
	/* On the control loop, once, maybe from inside: 0: the device goes on everywhere, by this
	 * controller's state. -errno: here it stays as it was; -EINPROGRESS: the other one may have
	 * taken this state and go on until the two meet. why: a clause for people, with what to do.
	 */
	void (*done)(struct hf_bus_pick *pick, int result, const char *why);
};

enum hf_view_state {
	HF_VIEW_STARTING, /* serves nothing: waits for the peer, or for --alone */
	HF_VIEW_JOINING,  /* copying state from the member; to its hosts "transitioning" */
	HF_VIEW_TOGETHER, /* all controllers of the configuration are in the view */
	HF_VIEW_FROZEN,	  /* peer silent, policy freeze: I/O goes on, state does not change */
	HF_VIEW_RACING,	  /* peer silent, policy fence: the race is on, commands wait */
	HF_VIEW_ALONE,	  /* the view is this controller only, written to the view record */
	HF_VIEW_OUT,	  /* fenced or struck off: serves nothing until it has joined again */
};

struct hf_view {
	enum hf_view_state state;
	uint64_t epoch;	  /* rises with every change of the view record, never else (U7) */
	uint32_t members; /* bit i: controller id i is in the view */
	uint32_t serving; /* bit i: ... and its ports are active */
	uint32_t missing; /* bit i: a member that is lost; peer_down() would declare it down */
	uint32_t joining; /* bit i: not in the view yet, takes a copy of the state */
	uint32_t left;	  /* bit i: if it is no member, it has left in good order, as seen here */
	char why[320];	  /* one sentence for people: what state, since what, what to do */
};

/* What the engine asks of its owner. All calls come on the control loop. */
struct hf_bus_owner_ops {
	enum hf_bus_look (*look)(void *owner, uint32_t dev, const void *op, size_t len);
	uint64_t (*digest)(void *owner, uint32_t dev); /* of the settled state */
	/* op stays valid until apply() or unhold(). mine: proposed here. */
	void (*hold)(void *owner, uint32_t dev, uint64_t n, const void *op, size_t len, bool mine);
	void (*unhold)(void *owner, uint32_t dev, uint64_t n);
	void (*persist)(void *owner, uint32_t dev, uint64_t n);
	void (*apply)(void *owner, uint32_t dev, uint64_t n, bool mine);
	void (*answer)(void *owner, struct hf_bus_prop *prop, enum hf_bus_answer how);
	/* Outcome unknown beyond the bound: close the host's connection (INV-7). answer() of the
	 * prop still comes, whenever that is. */
	void (*doubt)(void *owner, struct hf_bus_prop *prop);
	/* The device stops on all sides (W18): digests differ. Also for who joins and finds it so;
	 * why: then it is another one. */
	void (*stopped)(void *owner, uint32_t dev, const char *why);
	/*
	 * The operator has picked whose state of a stopped device counts. mine: this controller's;
	 * its record is to be written again, whatever the other one has written there. Else it is
	 * dropped: nothing that it has admitted may be in flight any more, no record of it either;
	 * install() comes then. hf_bus_ops.pick_done() follows, also from inside; asked for again
	 * (another n), only the last is answered.
	 */
	void (*pick)(void *owner, uint32_t dev, uint64_t n, bool mine);
	/* The device goes on, by the state that is here now. */
	void (*resumed)(void *owner, uint32_t dev);

	void (*range_hold)(void *owner, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks);
	/* -> hf_bus_range_drained(); range_unhold() may come before that. */
	void (*range_unhold)(void *owner, uint32_t dev, uint64_t id);
	/* A range stays held for a peer that is lost: waiters get NOT READY 04/0A (S7). */
	void (*range_doubt)(void *owner, uint32_t dev, uint64_t id);

	/* Snapshot of one device for a newcomer: bytes written or -errno; and its installation.
	 * next_dev() walks the devices in ascending order: the first id > after, or UINT32_MAX. */
	uint32_t (*next_dev)(void *owner, uint32_t after);
	int (*snapshot)(void *owner, uint32_t dev, uint8_t *buf, size_t cap);
	int (*install)(void *owner, uint32_t dev, const uint8_t *buf, size_t len);
	/* Both have empty memory and this is the lower id: load what the disks keep (S9), then
	 * hf_bus_loaded(). */
	void (*load)(void *owner);
	/*
	 * Another controller has gone on beside this one: the map and all slots are to be written
	 * out again; hf_bus_ops.rewritten() follows, also from inside. NULL: nothing is kept.
	 */
	void (*rewrite)(void *owner);
	/* Newcomer: drop all reservation state, a snapshot follows. */
	void (*drop)(void *owner);

	/* View record on the voting disks. Asynchronous; answered by hf_bus_view_io_done(). */
	void (*view_read)(void *owner);
	void (*view_write)(void *owner, const uint8_t *record, size_t len);

	/*
	 * After OUT the owner drops its hosts and says hf_bus_ops.clean() when nothing that was
	 * admitted before is in flight any more: only then does this controller join again.
	 */
	void (*view_changed)(void *owner, const struct hf_view *view);

	/*
	 * Policy `fence` (else NULL): find out by a race on the voting disks who may go on without
	 * the other in this epoch, and make that incarnation of the peer unable to serve;
	 * hf_bus_ops.fenced() follows. fence_end(): not needed any more; fenced() may follow all
	 * the same. True: nothing of it is on its way any more; false: hf_bus_ops.fence_ended()
	 * follows when that is so. Until then nobody is let in who could be hit by it.
	 */
	void (*fence)(void *owner, uint64_t epoch, uint64_t peer_incarnation);
	bool (*fence_end)(void *owner);
	/*
	 * The race is won and the view record names this controller alone: what the fence could not
	 * have is tried once more. True: nothing is left; false: hf_bus_ops.mended() follows. NULL:
	 * as true.
	 */
	bool (*fence_mend)(void *owner);
	/*
	 * Policy `fence` in an engine with quorum: make all of these controllers (bit i: id i)
	 * unable to serve. There is no race; fenced() follows, or fence_end() is called first.
	 * epoch: one in which all of them served, in a later one none of them without having joined
	 * anew; incarnations: theirs, by id.
	 */
	void (*fence_ids)(void *owner, uint64_t epoch, uint32_t ids, const uint64_t *incarnations);
	/* Before this controller becomes a member: a fence may have hit it on its way. If not,
	 * hf_bus_ops.checked() follows, also from inside; else it ends. NULL: no fence could. */
	void (*check)(void *owner);
};

/* For people and tests. */
struct hf_bus_counts {
	bool up;		       /* the other controllers can be reached */
	uint64_t op_sent, op_received; /* messages about ops of devices */
};

/* What an engine implements. */
struct hf_bus_ops {
	void (*propose)(struct hf_bus *bus, struct hf_bus_prop *prop);
	void (*drained)(struct hf_bus *bus, uint32_t dev, uint64_t n, int result);
	void (*persisted)(struct hf_bus *bus, uint32_t dev, uint64_t n, int result);
	void (*range_acquire)(struct hf_bus *bus, struct hf_bus_range *range);
	void (*range_release)(struct hf_bus *bus, struct hf_bus_range *range);
	void (*range_drained)(struct hf_bus *bus, uint32_t dev, uint64_t id);
	void (*dev_add)(struct hf_bus *bus, uint32_t dev, bool dominant);
	void (*dev_remove)(struct hf_bus *bus, uint32_t dev);
	void (*loaded)(struct hf_bus *bus, int result);
	void (*rewritten)(struct hf_bus *bus, int result);
	/* result: bytes read (0 = no record yet) or 0 for a write; -errno. */
	void (*view_io_done)(struct hf_bus *bus, const uint8_t *record, int result);
	/* The operator's words. 0, or -errno with a sentence in message. */
	int (*peer_down)(struct hf_bus *bus, char *message, size_t message_len);
	int (*go_alone)(struct hf_bus *bus, bool may_lose, char *message, size_t message_len);
	int (*discard)(struct hf_bus *bus, char *message, size_t message_len);
	/* The operator's word about a stopped device: what this controller has of it counts. */
	void (*pick)(struct hf_bus *bus, struct hf_bus_pick *pick);
	void (*pick_done)(struct hf_bus *bus, uint32_t dev, uint64_t n, int result);
	/* result 0: the peer can do nothing any more; -EPERM: it has won; else failed, why says how
	 * (it is asked for again). */
	void (*fenced)(struct hf_bus *bus, int result, const char *why);
	void (*fence_ended)(struct hf_bus *bus);
	void (*mended)(struct hf_bus *bus);
	void (*checked)(struct hf_bus *bus);
	void (*clean)(struct hf_bus *bus);
	/* Orderly leave (W19): left() on the owner's side follows when the peer has heard. */
	void (*leave)(struct hf_bus *bus, void (*left)(void *arg), void *arg);
	void (*counts)(const struct hf_bus *bus, struct hf_bus_counts *ret);
	void (*destroy)(struct hf_bus *bus);
};

struct hf_bus {
	const struct hf_bus_ops *ops;
	const struct hf_bus_owner_ops *owner_ops;
	void *owner;
	struct hf_view view; /* read by anyone on the control loop; changed only by the engine */
	/*
	 * Policy `fence`: until then the peer does not go on without us (INV-5): evaluate, then
	 * look at the clock and at this, then answer. Any thread. HF_BUS_VALID_FOR_EVER where
	 * silence changes nothing.
	 */
	_Atomic uint64_t valid_until_ns;
};

#define HF_BUS_VALID_FOR_EVER 0

/* b NULL, here and below: the engine is gone and the process ends. */
static inline void hf_bus_propose(struct hf_bus *b, struct hf_bus_prop *p)
{
	if (b)
		b->ops->propose(b, p);
}

/* result 0: no pinned command left that the new state forbids; -errno: cannot be reached. */
static inline void hf_bus_drained(struct hf_bus *b, uint32_t dev, uint64_t n, int result)
{
	if (b)
		b->ops->drained(b, dev, n, result);
}

/* result -EIO with the old content out again: the op is cancelled; -EINPROGRESS: in doubt (W15). */
static inline void hf_bus_persisted(struct hf_bus *b, uint32_t dev, uint64_t n, int result)
{
	if (b)
		b->ops->persisted(b, dev, n, result);
}

static inline void hf_bus_range_acquire(struct hf_bus *b, struct hf_bus_range *r)
{
	if (b)
		b->ops->range_acquire(b, r);
}

static inline void hf_bus_range_release(struct hf_bus *b, struct hf_bus_range *r)
{
	if (b)
		b->ops->range_release(b, r);
}

static inline void hf_bus_range_drained(struct hf_bus *b, uint32_t dev, uint64_t id)
{
	if (b)
		b->ops->range_drained(b, dev, id);
}

#endif
