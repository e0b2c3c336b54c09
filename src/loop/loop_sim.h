/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtual time for the simulator and for unit tests: loop_sim.c implements loop.h without file
 * descriptors (requests are asserted against), and with a clock that only moves when it is told to
 * or when there is nothing left to do before the next timer. Everything happens on one thread, in
 * an order that depends on nothing but the calls: the same calls, the same run.
 *
 *	hf_loop_run_once(l, false)	messages, waiters and timers that are due; time stands
 *	hf_loop_run_once(l, true)	the same; if nothing is due, time jumps to the next timer
 *	hf_loop_run(l)			until hf_loop_stop(); -EDEADLK when nothing is left that
 *					could ever call it
 */
#ifndef HF_LOOP_SIM_H
#define HF_LOOP_SIM_H

#include "loop.h"

/* Lets `ns` pass: every timer on the way fires at its own time, messages in between at theirs. */
void hf_loop_sim_advance(struct hf_loop *loop, uint64_t ns);
/* Runs what is due, and what that makes due, without letting time pass. */
void hf_loop_sim_settle(struct hf_loop *loop);
/* When the loop has next something to do: now, the next timer's deadline, or UINT64_MAX. */
uint64_t hf_loop_sim_next_ns(struct hf_loop *loop);
/* Puts the clock to now_ns, not backwards and not past a timer; for several loops in one time. */
void hf_loop_sim_set_now(struct hf_loop *loop, uint64_t now_ns);
/*
 * One turn at now_ns, which may lie past timers (they fire late, as after a pause) but not behind
 * the clock: runs what is due, not what that makes due.
 */
void hf_loop_sim_turn(struct hf_loop *loop, uint64_t now_ns);

#endif
