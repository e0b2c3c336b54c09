/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Up to sixteen group engines in one process and in virtual time, over a bus that keeps extended
 * virtual synchrony and not a bit more: parts that lose each other may have delivered different
 * messages, quorum is told before or after the change that it belongs to. Each engine has a tiny
 * owner: per device a register that a host may reserve and release, as a stand-in for logical
 * units.
 *
 * What is checked at every step (band_check), over all who serve:
 *  - INV-2: the same number of settled ops, the same digest;
 *  - INV-1, INV-3: who is one op behind holds that op.
 */
#ifndef HF_TEST_BAND_H
#define HF_TEST_BAND_H

#include "group_bus.h"
#include "loop_sim.h"

enum { BAND_MAX = 16, BAND_DEVS = 3, BAND_HISTORY = 4096 };

enum band_kind { BAND_RESERVE = 1, BAND_RELEASE = 2, BAND_PERSIST = 4 };

struct band_op {
	uint8_t kind, host;
	uint32_t id; /* every op of a test has its own */
};

struct band_cmd {
	struct hf_bus_prop prop;
	struct band_op op;
	struct band_node *node;
	bool answered, doubted, conflict;
	enum hf_bus_answer how;
};

struct band_dev {
	uint8_t holder;
	uint64_t n, chain; /* of every op that has been applied */
	bool held, drain_due, persist_due;
	unsigned let_go;   /* in this step something held was let go */
	struct band_op op; /* held */
};

struct band_event {
	enum { BAND_MSG, BAND_MEMBERS, BAND_RING } what;
	uint64_t seq; /* its place in the order of the ring it was sent in */
	struct hf_group_proc from;
	struct hf_group_ring ring;
	struct hf_group_proc members[BAND_MAX];
	unsigned len;
	uint8_t *bytes;
};

struct band_queue {
	struct band_event *at;
	size_t head, len, cap;
};

struct band_node {
	struct hf_group_net net;
	struct hf_bus *bus; /* NULL: not running */
	unsigned index;	    /* controller id is index + 1 */
	uint32_t pid;
	bool joined;
	unsigned part; /* of the network */
	struct hf_group_ring ring;
	uint64_t told_ring; /* its seq, as this process knows it; 0: not yet */
	uint64_t delivered; /* seq of the last message */
	struct band_queue in, out;
	bool quorum_due, rejoin_due;
	bool deaf;	    /* the machine stands still */
	size_t backlog;	    /* what it has sent and the group has not taken */
	uint32_t fence_due; /* its agent runs */
	uint64_t fence_epoch;
	bool keep_clean; /* what was in flight before it was out does not end */
	unsigned fences, checks;
	bool fence_slow;    /* an ended fence is over when the test says so */
	bool keep_check;    /* the test answers */
	bool fence_end_due; /* an ended fence is over at some time */
	bool check_due;
	/* Slow disks: the test says when a load, or I/O on the record, is over. A read reads then;
	 * what is written is there at once, or then, too. */
	bool keep_load, keep_record_read, keep_record_write, late_record_write;
	uint8_t record_on_its_way[256];
	int record_on_its_way_len;
	bool load_due, record_io_due, record_io_writes;
	unsigned drops, load_drops;
	/* the owner */
	struct band_dev devs[BAND_DEVS];
	bool keep_drain, fail_drain, fail_persist, left;
	bool keep_pick; /* its record is not written before the test says so */
	uint64_t pick_n;
	struct hf_view view;
	struct {
		uint32_t dev;
		uint64_t id;
		uint64_t lba;
		uint32_t blocks;
	} ranges[32];
	unsigned ranges_len;
	uint64_t gave_up; /* leases: of this epoch it has said that nothing is in flight */
	unsigned stops, resumes, doubts, views, outs;
};

struct band {
	struct hf_loop *loop;
	unsigned len;
	struct band_node nodes[BAND_MAX];
	uint64_t seed;
	uint64_t ring_seq, msg_seq, incarnation;
	uint32_t ops;
	bool fence, fence_fails; /* policy, and whether its agent works */
	bool gives_up;		 /* policy fence with leases */
	bool slow_fences;	 /* their ends, and checks, take some time */
	bool fence_hangs;
	bool slow_records; /* reads and writes of the record end some time, and land then */
	bool lease_rules;  /* a fence ends nobody: it waits until they are dead or have given up */
	uint32_t silence_ms; /* policy fence where the victim goes on running */
	bool fence_spares;   /* ... which it does */
	unsigned fenced;
	bool lossy; /* a cut loses what the other part has not heard yet, at random */
	bool no_check, trace;
	unsigned steps;
	struct {
		uint8_t bytes[256];
		int len;
		bool fail;
		bool unreadable;
	} record;
	/* per device, what lies on the shared disks */
	struct {
		uint64_t n, chain;
		uint8_t holder;
	} slots[BAND_DEVS];
	/* every op that was ever applied at somebody, by id; and by how many */
	uint8_t applied[BAND_HISTORY];
	uint64_t settled[BAND_DEVS]; /* the highest count that anybody who serves has had */
	unsigned loads;
	const struct hf_bus_owner_ops *owner_ops; /* in place of the tiny owner's; NULL: none */
	uint32_t deleted;			  /* bit i: who starts has no device i */
	uint32_t made; /* this device is there when the pool's register is taken; 0: all are */
	void (*on_kill)(struct band_node *o);
	void (*on_out)(struct band_node *o); /* what is in flight there ends now */
	uint32_t quorum;		     /* votes needed; 0: most of len */
	bool two_node;			     /* said with quorum: both halves may have it */
};

extern struct band band;
extern const struct hf_bus_owner_ops band_owner_ops; /* the owner is a struct band_node */

void band_set_up(unsigned len, uint64_t seed);
void band_tear_down(void);
void band_start(unsigned index);
void band_kill(unsigned index);
/* The parts of the network: index -> number. */
void band_parts(const unsigned *part);
void band_cut_off(unsigned index); /* from all others */
void band_heal(void);
/* As corosync does it where two synchronizations in a row are broken off: `index` was in a ring of
 * its own and is told so; the others are told of nothing but the last ring. */
void band_flap(unsigned index);
/* Its corosync ends, and is there again soon. */
void band_lost(unsigned index);
/* One thing happens, picked at random. False: nothing is left but time. */
bool band_step(void);
/* Until nothing is left to happen now. */
void band_settle(void);
void band_pass_ms(unsigned ms);
/* Until the condition holds; fails after two minutes of virtual time. */
#define band_until(condition)                                                                      \
	do {                                                                                       \
		uint64_t until_ = hf_loop_now_ns(band.loop) + 120000000000ull;                     \
		while (!(condition)) {                                                             \
			assert_true(hf_loop_now_ns(band.loop) < until_);                           \
			if (!band_step())                                                          \
				band_pass_ms(10);                                                  \
		}                                                                                  \
	} while (0)
void band_until_state(unsigned index, enum hf_view_state state);
void band_together(void); /* starts all, waits until all are in the view */
void band_end_load(unsigned index);
void band_end_record_io(unsigned index);
void band_propose(struct band_cmd *c, unsigned index, uint32_t dev, uint8_t kind, uint8_t host);
/* The same, of what no host waits for. */
void band_owe(struct band_cmd *c, unsigned index, uint32_t dev, uint8_t kind, uint8_t host);
/* ... and waits for the answer. True: GOOD. */
bool band_do(unsigned index, uint32_t dev, uint8_t kind, uint8_t host);
bool band_is_good(const struct band_cmd *c);
uint32_t band_random(uint32_t below);
void band_check(void);

#endif
