/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INV-2 and the first half of INV-8: after an op is applied, the same digest everywhere, the state
 * that the naive machine computes, and no other device changed.
 */
#include "sim.h"

static void check(struct sim_node *n, unsigned dev, bool deep)
{
	const struct sim_at *at = &n->at[dev];
	uint64_t digest = hf_lu_bus_digest(n->node->lus, sim->devs[dev].id);
	struct hf_lu_status status;
	const char *differs;

	if (digest != at->life->states[at->index].digest)
		sim_fail(deep ? "INV-2" : "INV-8",
			"state %u of device %u has another digest at controller %u", at->index, dev,
			n->id);
	if (!deep || !hf_lu_status(n->node->lus, sim->devs[dev].id, &status))
		return;
	differs = sim_compare(status.resv, &at->life->states[at->index].s, false);
	if (differs)
		sim_fail("INV-2", "state %u of device %u at controller %u is wrong: %s", at->index,
			dev, n->id, differs);
}

void sim_oracle_applied(struct sim_node *n, unsigned dev)
{
	for (unsigned i = 0; i < SIM_DEVS; i++)
		if (n->at[i].life)
			check(n, i, i == dev);
}
