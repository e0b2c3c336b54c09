/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random walks of devices that stop because the controllers' states of them differ (W18), and of
 * the operator's pick: up to four controllers with their logical units, hosts and the shared disk,
 * in virtual time, under an engine of the bus that the test brings along (walk_pair_test.c,
 * walk_group_test.c). Here is what happens above the bus, and what must be true of it:
 *
 *  - while a device is stopped no op of it is told anything but NOT READY, and from the moment that
 *    every loop knows of it no command is admitted;
 *  - what goes on is the state that the controller stopped in, or one that it was given; what is
 *    given is a state that its giver had then;
 *  - where another state is taken nothing that the old one has admitted is on its way: no command,
 *    no record;
 *  - who has no state is not picked, gives no copy and writes no record;
 *  - every op is answered once.
 */
#ifndef HF_TEST_LU_WALK_H
#define HF_TEST_LU_WALK_H

#include "loop_sim.h"
#include "lu_internal.h"

enum {
	WALK_UNITS = 4,
	WALK_DEVS = 2, /* 1 and 2 */
	WALK_HOSTS = 3,
	WALK_CMDS = 2,	/* of a host */
	WALK_LOOPS = 3, /* the control loop is shared by all, the two others are a unit's own */
	WALK_PROPS = 256,
	WALK_WRITES = 32,
	WALK_GIVEN = 16,
	WALK_WORDS = 16,
	WALK_RECORD_MAX = 8192,
};

struct walk_unit;
struct walk_host;

struct walk_cmd {
	struct hf_lu_cmd cmd;
	struct hf_resv_req req;
	struct walk_host *host;
	uint32_t dev;
	bool used, is_op;
	bool went, pinned, asked; /* asked: an op, not answered yet */
	bool over;		  /* has only to leave */
};

struct walk_itl {
	struct hf_itl_waiter waiter;
	struct hf_itl *itl;
	bool waits;
};

struct walk_host {
	struct walk_unit *unit;
	struct hf_lu_session s;
	struct walk_itl itls[WALK_DEVS + 1];
	struct walk_cmd cmds[WALK_CMDS];
	bool attached, detaching, want_close;
};

/* What the walk knows of a device at one controller. */
struct walk_dev {
	bool here; /* not deleted */
	bool has_state;
	bool stopped, seen; /* seen: by every loop */
	uint64_t digest;    /* while it is stopped: what it may go on with */
	unsigned pins;
	unsigned let_go; /* in this step something held was let go */
};

/* A record on its way to the disk. */
struct walk_write {
	struct hf_lu *lu; /* NULL: of a rewrite */
	uint32_t dev;
	bool awaited; /* by a rewrite */
	size_t len;
	uint8_t *bytes;
};

struct walk_unit {
	unsigned index;	    /* controller id is index + 1 */
	struct hf_bus *bus; /* the engine; NULL: not running */
	struct hf_bus face; /* what the logical units take for it */
	struct hf_loop *loops[WALK_LOOPS];
	struct hf_lu_table *lus;
	struct walk_dev devs[WALK_DEVS + 1];
	struct walk_host hosts[WALK_HOSTS];
	struct hf_bus_prop *props[WALK_PROPS]; /* proposed and not answered */
	unsigned props_len;
	struct walk_write writes[WALK_WRITES];
	unsigned writes_len;
	bool rewriting;
	unsigned rewrite_left; /* records */
	int rewrite_result;
	struct hf_view view;
	uint32_t gone; /* members that have left the view; their reservations end */
	bool clean_due, load_due;
	unsigned drops, load_drops;
	bool leaving, left_asked, left;
};

/* How often what the walks are about has happened. */
struct walk_counts {
	unsigned walks, stops, differences, picks, resumes, installs, copies, loads, kills, leaves,
		cuts, deletes, writes, writes_failed, ios, ios_refused, ops, ops_good,
		ops_not_ready, doubts, empty_picked, stopped_at_end, nobody_at_end;
	unsigned results[200]; /* of picks, by errno */
};

/* What a test brings along. */
struct walk_engine {
	const char *name;
	struct walk_unit *(*unit_of)(void *owner);
	/* Its own part of a change of the view, before the units follow; may be NULL. */
	void (*view_changed)(void *owner, const struct hf_view *view);
	void (*start)(struct walk_unit *u);
	void (*stop)(struct walk_unit *u); /* as if killed */
	bool (*step)(void);		   /* one thing happens; false: nothing is left but time */
	void (*pass_ms)(unsigned ms);
	void (*heal)(void); /* of the network */
	bool picks_alone;   /* all others leave before a device is picked */
	void (*walk)(uint64_t seed);
};

struct walk {
	const struct walk_engine *engine;
	uint64_t seed;
	struct hf_loop *control;
	struct walk_unit units[WALK_UNITS];
	unsigned len;
	uint64_t incarnation;
	struct hf_resv_config resv;
	struct hf_resv *scratch;
	struct hf_resv_outcome outcome;
	struct { /* the shared disk */
		uint8_t bytes[WALK_RECORD_MAX];
		size_t len;
	} slots[WALK_DEVS + 1];
	bool dirty[WALK_DEVS + 1]; /* the slot need not say what a controller has */
	struct {
		uint64_t digest;
		unsigned by;
	} given[WALK_DEVS + 1][WALK_GIVEN];
	unsigned given_len[WALK_DEVS + 1];
	struct {
		struct hf_bus_pick pick;
		struct walk_unit *unit;
		bool out;
		int result;
		uint64_t since_ns;
	} words[WALK_WORDS];
	bool deleted[WALK_DEVS + 1];
	uint64_t picked[WALK_DEVS + 1]; /* nothing goes on by another state; 0: not looked at */
	bool keep_writes;		/* the disk is slow */
	bool keep_pins;			/* ... and what was admitted hangs */
	bool fail_writes;
	bool trace;
	unsigned steps;
	struct walk_counts counts;
};

extern struct walk walk;
extern const struct hf_bus_owner_ops walk_owner_ops; /* of all devices but the pool */

#define walk_trace(u, ...)                                                                         \
	do {                                                                                       \
		if (walk.trace) {                                                                  \
			fprintf(stderr, "%8llu  %u: ",                                             \
				(unsigned long long)hf_loop_now_ns(walk.control) / 1000000,        \
				(u)->index + 1);                                                   \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
		}                                                                                  \
	} while (0)

uint32_t walk_random(uint32_t below);
/* `of` out of so many times. */
static inline bool walk_chance(uint32_t of)
{
	return walk_random(of) == 0;
}

void walk_begin(struct hf_loop *control, unsigned len, uint64_t seed);
void walk_end(void);
/* The logical units of a controller, and its engine has just been created. */
void walk_unit_begin(struct walk_unit *u);
void walk_unit_attach(struct walk_unit *u, struct hf_bus *bus);
/* Its engine is about to be destroyed. */
void walk_unit_cut_off(struct walk_unit *u);
/* It has been: what is on its way ends somehow. */
void walk_unit_end(struct walk_unit *u);
bool walk_serves(const struct walk_unit *u);

/* The which-th thing that could happen now above the bus; returns how many were counted. */
unsigned walk_happen(unsigned which);
/* What follows by itself: commands leave, sessions end, hosts log in. */
void walk_follow(void);
void walk_random_host(struct walk_unit *u);
/* An op at u that changes the state there, whatever it is; *ret_told: 0, when answered 1 or -errno.
 */
void walk_touch(struct walk_unit *u, uint32_t dev, int *ret_told);
/* A change of u's state that nobody else has. False: not now. */
bool walk_differ(struct walk_unit *u, uint32_t dev);
bool walk_pick(struct walk_unit *u, uint32_t dev, unsigned *ret_word);
void walk_close_hosts(struct walk_unit *u);
bool walk_hosts_are_gone(const struct walk_unit *u);
/* The disk becomes slow, or fails, or is well again. */
void walk_random_disk(void);
bool walk_delete(uint32_t dev); /* false: not now */
/* Nothing is under way at any unit, but what is owed at a stopped device. */
bool walk_is_quiet(void);
void walk_check_quiet(void);
void walk_check_agreed(uint32_t dev);
bool walk_is_stopped(uint32_t dev);
struct walk_unit *walk_one_with_state(uint32_t dev);

/* --- walk_end.c --- */

/* Fails after a minute of virtual time. */
#define walk_until(condition)                                                                      \
	do {                                                                                       \
		uint64_t until_ = hf_loop_now_ns(walk.control) + 60000000000ull;                   \
		while (!(condition)) {                                                             \
			if (hf_loop_now_ns(walk.control) >= until_)                                \
				fail_msg("does not come: %s", #condition);                         \
			if (!walk.engine->step())                                                  \
				walk.engine->pass_ms(5);                                           \
		}                                                                                  \
	} while (0)
void walk_settle(unsigned ms);
bool walk_are_together(void);
/* First its ports are closed, then it says so, then it ends. */
void walk_leave(struct walk_unit *u);
void walk_leave_on(void);
/* All is healed, and picked once more where it is stopped. */
void walk_come_to_an_end(void);
/* Usage: [SEED [WALKS]]; HF_TRACE=1 in the environment: what happens, a line each. */
int walk_main(int argc, char **argv, const struct walk_engine *engine, unsigned walks);

#endif
