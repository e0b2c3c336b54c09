/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "sim.h"

/* counts, why: shared with children. wanted: what the violation said. The smallest found. */
struct sim_options sim_shrink(
	const struct sim_options *opt, uint64_t *counts, char *why, const char *wanted);

#endif
