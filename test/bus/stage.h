/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stage for two view machines: who is in the view while links break, controllers die, start and
 * come back, voting disks fail, fences are slow or lose. A test decides when the link is cut, in
 * which direction, and what a fence says; everything else happens by itself in stage_run(). The
 * state of each controller is a letter: what it remembers, copies, loads from the disks.
 */
#ifndef TEST_STAGE_H
#define TEST_STAGE_H

#include "view.h"

enum { A = 0, B = 1 }; /* controllers 1 and 2 */

struct stage_node {
	struct hf_view_machine v;
	bool running;
	char memory; /* 0: none */
	char map; /* what it takes the devices and their dominance for; in the digest, not copied */
	/* what is on its way */
	bool reading, writing, loading, rewriting, installing, fence_wanted;
	uint64_t fence_epoch;
	bool mend_slow, mend_due;
	bool fence_slow, fence_ending; /* an ended fence is over when the test says so */
	struct hf_view_record write;
	struct hf_view_msg inbox[16];
	unsigned inbox_len;
	char copy;	      /* on its way to this one; 0: none */
	uint64_t quiet_at_ms; /* 0: no timer */
	bool deaf;	      /* the machine is stopped (SIGSTOP): nothing is stepped */
	bool keep_dirty;      /* commands of the former membership stay in flight */
	bool dirty;
	bool serves; /* as it was told last */
	unsigned gone, healed, dropped, left, fence_ended;
	char log[HF_VIEW_SENTENCE_MAX]; /* last sentence logged */
};

struct stage {
	struct stage_node node[2];
	bool fences;
	bool linked;
	struct hf_view_record disk; /* epoch 0: none */
	char aptpl;		    /* what the disks keep */
	bool disk_fails;	    /* reads and writes of the record */
	unsigned tear_write;	    /* so many writes from now the record is torn ... */
	bool record_torn;	    /* and says nothing, until the next write */
	bool loads_fail;	    /* what the disks keep of the reservations cannot be read */
	bool rewrite_fails;	    /* writing all the others out again */
	uint64_t now_ms, incarnations;
};

/* Nothing runs, nothing is on the disks. */
void stage_begin(struct stage *s, bool fences);
void stage_start(struct stage *s, int at);
void stage_start_single(struct stage *s, int at); /* there is no other in the configuration */
void stage_kill(struct stage *s, int at);	  /* its peer is not told before stage_silence() */
/* The link is there: both hear of it. */
void stage_link(struct stage *s);
/* Nothing passes any more; `at` notices. */
void stage_silence(struct stage *s, int at);
void stage_cut(struct stage *s); /* both notice */
void stage_event(struct stage *s, int at, enum hf_view_event_kind kind);
void stage_fenced(struct stage *s, int at, int result);
void stage_pass_s(struct stage *s, unsigned seconds);
/* One thing that is on its way at each. False when nothing is. */
bool stage_one(struct stage *s);
/* Carries everything out that is on its way, until nothing is. */
void stage_run(struct stage *s);
/* Both start and come together, with this memory. */
void stage_together(struct stage *s, char memory);

bool stage_serves(const struct stage *s, int at);
#define expect_state(s, at, want) expect_state_(s, at, want, __LINE__)
void expect_state_(const struct stage *s, int at, enum hf_view_state want, int line);

#endif
