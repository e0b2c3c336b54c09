/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The timers of one loop: a pairing heap threaded through struct hf_timer, so that any number of
 * timers needs no memory of its own. Pure: the time is an argument. Used by the loop engines.
 */
#ifndef HF_TIMER_H
#define HF_TIMER_H

#include "loop.h"

struct hf_timers {
	struct hf_timer *root;
	uint64_t last_seq;
};

void hf_timers_add(struct hf_timers *h, struct hf_timer *t, uint64_t deadline_ns);
void hf_timers_remove(struct hf_timers *h, struct hf_timer *t);
/* The earliest deadline; UINT64_MAX when no timer is armed. */
uint64_t hf_timers_next_ns(const struct hf_timers *h);
/* Removes and returns one timer due at now_ns, if it was armed when last_seq was at most `upto`;
 * NULL when there is none. `upto` ends a turn whose timers re-arm themselves for now. */
struct hf_timer *hf_timers_pop_due(struct hf_timers *h, uint64_t now_ns, uint64_t upto);

#endif
