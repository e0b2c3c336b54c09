/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes wrong between the controllers, and how it ends. */
#include "fault.h"

/* --- two controllers with links of their own (net.c) --- */

static void cut(unsigned from, unsigned to, bool is_cut)
{
	for (unsigned l = 0; l < SIM_LINKS; l++)
		sim_net_cut(from, to, l, is_cut);
}

static void cut_both(bool is_cut)
{
	cut(1, 2, is_cut);
	cut(2, 1, is_cut);
}

static void flap(void *arg)
{
	struct sim_entry *e = arg;

	if (sim_faults_over() || sim->now > e->b)
		return;
	e->a ^= 1;
	cut_both(e->a & 1);
	sim_after(20 * SIM_MS + sim_below(&sim->net, 1500 * SIM_MS), flap, e);
}

bool sim_fault_net_begin(struct sim_entry *e)
{
	unsigned from = 1 + e->a % 2;

	switch (e->kind) {
	case FAULT_CUT:
		cut_both(true);
		return true;
	case FAULT_CUT_ONE_WAY:
		cut(from, 3 - from, true);
		return true;
	case FAULT_CUT_LINK:
		sim_net_cut(from, 3 - from, e->b % SIM_LINKS, true);
		return true;
	case FAULT_FLAP:
		e->b = sim->now + e->lasts;
		flap(e);
		return true;
	case FAULT_RESET:
		sim_net_reset(e->a % SIM_LINKS);
		if (e->a & 4)
			sim_net_reset((e->a + 1) % SIM_LINKS);
		return true;
	case FAULT_SLOW_NET:
		sim_net_slow(e->a % (300 * SIM_MS));
		return true;
	default:
		return false;
	}
}

bool sim_fault_net_end(struct sim_entry *e)
{
	switch (e->kind) {
	case FAULT_CUT:
	case FAULT_CUT_ONE_WAY:
	case FAULT_CUT_LINK:
	case FAULT_FLAP:
	case FAULT_SLOW_NET:
		sim_net_heal();
		return true;
	default:
		return false;
	}
}

void sim_fault_net_heal(void)
{
	sim_net_heal();
}
