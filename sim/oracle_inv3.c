/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INV-3: as GOOD is told for a change, every controller that has a state of this device has the op
 * in force: applied, or held and drained.
 */
#include "sim.h"

static bool has_in_force(const struct sim_node *p, unsigned dev, const struct sim_at *mine)
{
	const struct sim_at *at = &p->at[dev];

	if (at->index >= mine->index)
		return true;
	return at->pending && at->drained && at->index + 1 == mine->index;
}

void sim_oracle_good(struct sim_node *n, unsigned dev)
{
	const struct sim_at *at = &n->at[dev];
	uint32_t members = n->node->bus->view.members;

	/* Who goes on alone writes the record first and tells its owner last. */
	if (sim->record.epoch > n->node->bus->view.epoch && (sim->record.members & 1u << n->id))
		members = sim->record.members;
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		struct sim_node *p = &sim->nodes[i];

		if (p == n || !p->running || p->at[dev].life != at->life ||
			has_in_force(p, dev, at))
			continue;
		if (members & 1u << p->id)
			sim_fail("INV-3",
				"controller %u tells GOOD for state %u of device %u, and "
				"controller %u "
				"is at %u and does not hold it",
				n->id, at->index, dev, p->id, p->at[dev].index);
		if (!sim->operator_erred && sim_node_serves(p) && !sim_fence_is_shut_out(p))
			sim_fail("INV-5",
				"controller %u goes on without controller %u, which still serves "
				"device %u",
				n->id, p->id, dev);
	}
	at->life->states[at->index].good = true;
	at->life->good = HF_MAX(at->life->good, at->index);
	sim_oracle_in_flight(dev, at->index);
	sim_oracle_told_good(dev, at->life, at->index);
}
