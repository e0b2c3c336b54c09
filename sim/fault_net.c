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

/* --- machines with an agreed order between them (agreed.c) --- */

/* The machines in two or three parts, by chance; with one != 0 only that one alone. */
static void part(uint64_t chance, unsigned one)
{
	unsigned parts[SIM_NODES_MAX + 1] = {0}, n = 2 + (chance % 5 == 0);

	for (unsigned k = 1; k <= sim->nodes_len; k++, chance /= 7)
		parts[k] = one ? k == one : (unsigned)(chance % 7 % n);
	sim_agreed_part(parts);
}

static unsigned machine_of(const struct sim_entry *e)
{
	return 1 + (unsigned)(e->a % sim->nodes_len);
}

/* Whoever is heard and does not hear, or the other way round: rings come and go. */
static void flap_ring(void *arg)
{
	struct sim_entry *e = arg;

	if (sim_faults_over() || sim->now > e->b)
		return;
	e->flap = !e->flap;
	if (!e->flap)
		sim_agreed_heal();
	else if (e->kind == FAULT_FLAP)
		part(sim_random(&sim->net), 0);
	else
		part(0, machine_of(e));
	sim_after(100 * SIM_MS + sim_below(&sim->net, 1500 * SIM_MS), flap_ring, e);
}

static bool group_begin(struct sim_entry *e)
{
	switch (e->kind) {
	case FAULT_CUT:
		part(e->a, 0);
		return true;
	case FAULT_CUT_LINK:
		part(0, machine_of(e));
		return true;
	case FAULT_CUT_ONE_WAY:
	case FAULT_FLAP:
		e->b = sim->now + e->lasts;
		flap_ring(e);
		return true;
	case FAULT_RESET:
		sim_agreed_stop(machine_of(e), true);
		return true;
	case FAULT_SLOW_NET:
		sim_agreed_slow(e->a % (100 * SIM_MS));
		return true;
	case FAULT_PAUSE: /* with its process, or only that */
		if (e->b & 1)
			sim_agreed_pause(machine_of(e), true);
		return false;
	default:
		return false;
	}
}

static bool group_end(struct sim_entry *e)
{
	switch (e->kind) {
	case FAULT_CUT:
	case FAULT_CUT_ONE_WAY:
	case FAULT_CUT_LINK:
	case FAULT_FLAP:
	case FAULT_SLOW_NET:
		sim_agreed_heal();
		return true;
	case FAULT_RESET:
		sim_agreed_stop(machine_of(e), false);
		return true;
	case FAULT_PAUSE:
		sim_agreed_pause(machine_of(e), false);
		return false;
	default:
		return false;
	}
}

bool sim_fault_net_begin(struct sim_entry *e)
{
	unsigned from = 1 + e->a % 2;

	if (sim->group)
		return group_begin(e);
	switch (e->kind) {
	case FAULT_CUT:
		cut_both(true);
		return true;
	case FAULT_TWO: /* and what the operator makes of it */
		cut_both(true);
		return false;
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
	if (sim->group)
		return group_end(e);
	switch (e->kind) {
	case FAULT_CUT:
	case FAULT_CUT_ONE_WAY:
	case FAULT_CUT_LINK:
	case FAULT_FLAP:
	case FAULT_SLOW_NET:
	case FAULT_TWO:
		sim_net_heal();
		return true;
	default:
		return false;
	}
}

void sim_fault_net_heal(void)
{
	sim_net_heal();
	if (!sim->group)
		return;
	sim_agreed_heal();
	for (unsigned k = 1; k <= sim->nodes_len; k++) {
		sim_agreed_stop(k, false);
		sim_agreed_pause(k, false);
	}
}
