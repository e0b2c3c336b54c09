/* SPDX-License-Identifier: BSD-3-Clause */
/* INV-5: a controller outside the view changes nothing. */
#include "sim.h"

void sim_oracle_change(struct sim_node *n, unsigned dev, bool mine)
{
	/* Who has won a race writes the record first and tells its owner last. */
	bool has_won = sim->record.members == 1u << n->id;

	if (n->state == HF_VIEW_OUT || (n->state == HF_VIEW_RACING && !has_won) ||
		(mine && n->state == HF_VIEW_JOINING))
		sim_fail("INV-5", "controller %u is %s and changes device %u", n->id,
			sim_view_name(n->state), dev);
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		const struct sim_node *p = &sim->nodes[i];

		if (p == n || !p->running || p->state != HF_VIEW_ALONE)
			continue;
		/* What had been settled while it was inside may still reach it. */
		if (!mine && p->at[dev].life == n->at[dev].life &&
			p->at[dev].index > n->at[dev].index)
			continue;
		if (!(p->node->bus->view.members & 1u << n->id) && n->state != HF_VIEW_JOINING &&
			!(sim->operator_erred && n->at[dev].mine))
			sim_fail("INV-5",
				"controller %u changes device %u while controller %u is alone in "
				"the view",
				n->id, dev, p->id);
	}
}

/* Two views that both go on, or one that no record on the disks allows. */
void sim_oracle_view(struct sim_node *n, const struct hf_view *view)
{
	/* Two that leave at once each write a record; neither serves any more. */
	if (view->state != HF_VIEW_ALONE || sim->operator_erred || n->leaving)
		return;
	if (sim->record.epoch != view->epoch || sim->record.members != 1u << n->id)
		sim_fail("INV-5",
			"controller %u goes on alone in epoch %u, and the record says %x in %u",
			n->id, (unsigned)view->epoch, sim->record.members,
			(unsigned)sim->record.epoch);
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		const struct sim_node *p = &sim->nodes[i];

		if (p != n && p->running && p->state == HF_VIEW_ALONE)
			sim_fail("INV-5", "controllers %u and %u are both alone in the view", n->id,
				p->id);
	}
}
