/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The planted bugs (src/base/canary.h) and what has to find them. canary.c is linked to the objects
 * that contain them, no_canary.c to those that everybody uses.
 */
#ifndef SIM_CANARY_H
#define SIM_CANARY_H

#include <stdbool.h>

struct sim_canary {
	int number; /* enum hf_canary */
	const char *name;
	const char *breaks;    /* what an oracle has to say, "|" between alternatives */
	const char *describes; /* for people */
	int fence;	       /* ... and enum hf_config_fence_driver */
	const char *faults;    /* rare ones: what they need, to save time (sim_fault_mask()) */
	bool group;	       /* of the group engine, else of the pair */
};

extern const struct sim_canary sim_canaries[];
extern const unsigned sim_canaries_len;
void sim_canary_plant(int number);

#endif
