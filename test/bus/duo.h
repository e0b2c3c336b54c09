/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two pair engines in one process, on real sockets and one loop, through relays that can be cut.
 * Each has a tiny owner: per device a register that a host may reserve and release, as a stand-in
 * for logical units; and a "disk" for the view record that both see.
 */
#ifndef HF_TEST_DUO_H
#define HF_TEST_DUO_H

#include "pair_bus.h"
#include "proxy.h"

#define DUO_DEVS  4
#define DUO_LINKS 2

enum duo_op_kind { DUO_RESERVE = 1, DUO_RELEASE = 2 };

struct duo_op {
	uint8_t kind, host;
};

struct duo_node;

/* A host's command. */
struct duo_cmd {
	struct hf_bus_prop prop;
	struct duo_op op;
	struct duo_node *node;
	bool answered, doubted, good, conflict;
	enum hf_bus_answer how;
};

struct duo_dev {
	uint8_t holder; /* 0: free */
	uint32_t changes;
	bool held;
	struct duo_op op; /* held */
	uint64_t n;
	uint64_t held_at; /* of all holds the how many-th */
	unsigned holds, applies, applies_mine;
	bool stopped;
};

struct duo_record { /* what lies on the voting disks */
	uint8_t bytes[256];
	int len; /* 0: none; < 0: cannot be read */
	bool fail_writes;
};

struct duo_node {
	struct hf_bus *bus; /* NULL: not running */
	unsigned index;	    /* 0, 1; controller id is index + 1 */
	struct duo_dev devs[DUO_DEVS];
	uint32_t padding; /* bytes added to a snapshot */
	bool keep_drain;  /* drained() is not called by itself */
	bool loaded, dropped, left;
	unsigned views;
	struct duo_record *record;
	struct hf_view view;
	bool was_frozen;
	unsigned range_holds;
	bool keep_pick; /* pick_done() is not called by itself */
	uint64_t pick_n;
};

struct duo {
	struct hf_loop *loop;
	struct duo_node nodes[2];
	struct proxy *proxies[DUO_LINKS];
	struct duo_record disk, disk2;
	uint64_t incarnation;
	const char *key[2];
	uint64_t config_digest[2];
	uint8_t cluster[2];
	uint32_t silence_ms;
	uint16_t version_min[2], version_max[2]; /* 0: the build's */
	unsigned links;
	uint16_t ports[DUO_LINKS]; /* of node 0 */
	unsigned devs;
	uint64_t holds;
	bool may_stop; /* devices may (W18) */
};

extern struct duo duo;

/* cmocka fixtures: two links, defaults, nothing runs yet. */
int duo_set_up(void **state);
int duo_tear_down(void **state);
void duo_start(unsigned index);
void duo_stop(unsigned index); /* as if killed */
void duo_run_until_state(unsigned index, enum hf_view_state state);
void duo_together(void); /* starts both, waits */
/* Runs the loop until the condition holds; there is no limit but the test's. */
#define duo_run_until(condition)                                                                   \
	do {                                                                                       \
		while (!(condition))                                                               \
			assert_int_equal(hf_loop_run_once(duo.loop, true), 0);                     \
	} while (0)
/* Lets at least so much time pass. */
void duo_pass_ms(unsigned ms);
void duo_propose(struct duo_cmd *c, unsigned index, uint32_t dev, uint8_t kind, uint8_t host);
/* ... and waits for the answer. True: GOOD. */
bool duo_do(unsigned index, uint32_t dev, uint8_t kind, uint8_t host);
void duo_cut(void);
void duo_heal(void);
struct hf_bus_pair_status duo_status(unsigned index);

#endif
