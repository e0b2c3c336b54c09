/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stage for conversations between two pair machines: hosts speak to controllers A and B, a test
 * decides when each message arrives, each drain ends, each record is written, when the link is cut.
 * What happens is written down, a line per effect, and story_expect() compares it. One device; its
 * owner is a toy with one reservation: "reserve X", "release X", "preempt X", a trailing "!" means
 * that the op has to be on disk.
 *
 *	A: hold 1 reserve X           A: drop 1               A: apply 1
 *	A -> B: ask 1                 A: write 1              A: snapshot 1
 *	A: X is told GOOD | CONFLICT | FAILED | NOT READY     A: X is cut off     A: stops
 */
#ifndef TEST_STORY_H
#define TEST_STORY_H

#include "pair.h"

enum { A = 0, B = 1 };
enum { STORY_MS = 1000000 };

struct story_host_op {
	struct hf_bus_prop prop;
	bool used;
	char text[32];
};

struct story_message {
	uint8_t buf[64];
	int len;
};

struct story_node {
	struct story *story;
	struct hf_pair_dev *dev;
	struct hf_pair_reads reads;
	char holder; /* 0: nobody */
	char spoilt; /* makes digests differ */
	bool blind;  /* its look finds that no op changes anything */
	char pending[32];
	uint64_t pending_n, pick_n;
	bool holding;
	struct story_message inbox[16];
	unsigned inbox_len;
	uint64_t timer_at;
	struct story_host_op ops[8];
	char answers[256]; /* "X GOOD, Y CONFLICT", in the order given */
};

struct story {
	struct hf_pair_config config;
	struct story_node node[2];
	uint64_t now;
	bool linked;
	char text[8192];
	size_t told; /* of text: compared already */
};

/* Both in the view, link up, nothing reserved. A is dominant. */
void story_begin(struct story *w);
void story_end(struct story *w);

/* A host asks controller `at`: "reserve X". "owed release X" cannot be refused. */
void story_host(struct story *w, int at, const char *op);
/* The next message to `at` arrives. Fails the test when there is none. */
void story_deliver(struct story *w, int at);
void story_drained(struct story *w, int at, int result);
void story_written(struct story *w, int at, int result);
/* What the operator's pick has asked for at `at` is done. */
void story_pick_done(struct story *w, int at, int result);
void story_pass_ms(struct story *w, unsigned ms); /* time goes by, timers fire */
void story_cut(struct story *w);		  /* what is on its way is lost, both notice */
void story_heal(struct story *w);		  /* same incarnations */
void story_freeze(struct story *w, int at);
void story_wait(struct story *w, int at); /* a race is on */
void story_event(struct story *w, int at, enum hf_pair_event_kind kind, uint64_t n);
/* A message of the past, or that the peer has never sent, arrives at `at`; its digest is that of
 * the state there. op: of an ask, else NULL. */
void story_inject(struct story *w, int at, enum hf_pair_msg_kind kind, uint64_t n, const char *op);
/* Delivers, drains and writes until nothing is left to do. */
void story_run(struct story *w);

/* Everything since the last call. */
void story_expect(struct story *w, const char *text);
/* Compares what has been told to hosts by `at`, in all. */
void story_expect_answers(struct story *w, int at, const char *answers);
void story_expect_holders(struct story *w, char at_a, char at_b); /* '-': nobody */
bool story_is_quiet(const struct story *w); /* no claim, no queue, no message */

#endif
