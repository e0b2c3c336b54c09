/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections (conn.h) that a test carries by hand, between controller 1, which listens, and
 * controller 2, which connects: nothing is accepted, delivered or broken before the test says so.
 * Frames of one direction of a connection stay in order; between connections there is none.
 */
#ifndef HF_TEST_WIRE_H
#define HF_TEST_WIRE_H

#include "conn.h"

enum { WIRE_PIPES = 64 };

struct wire_frame {
	struct wire_frame *next;
	size_t len;
	uint8_t data[];
};

struct wire_end {
	struct hf_conn *conn; /* NULL: closed, or not accepted yet */
	struct hf_msg closed_msg;
	struct wire_frame *first, **last; /* on their way to the other end */
};

/* One connection; ends[0] has connected. */
struct wire_pipe {
	struct wire_end ends[2];
	bool accepted;
};

struct wire {
	struct hf_loop *loop;
	struct hf_bus_listener *listener; /* controller 1's */
	struct wire_pipe *pipes[WIRE_PIPES];
	unsigned pipes_len; /* in the order connected */
	bool cut;	    /* who connects is refused */
};

extern struct wire wire;

void wire_begin(struct hf_loop *loop);
void wire_end(void); /* both controllers are gone */
/* Controller 1 accepts it, and both hear that it is open. */
void wire_accept(unsigned pipe);
/* One frame to end `to`, or to nobody if that is closed. False: there was none. */
bool wire_deliver(unsigned pipe, unsigned to);
/* The other end is closed and all that it has sent is delivered: so is this one. False: not so. */
bool wire_hang_up(unsigned pipe, unsigned to);
/* The connection is lost with what is on it, and both hear. */
void wire_break(unsigned pipe);
/* The process at these ends (0: controller 2, 1: controller 1) ends without a word; what it has
 * sent is still on its way. */
void wire_fall_silent(unsigned end);
/* Forgets what is closed at both ends; pipes get other numbers. */
void wire_reap(void);

#endif
