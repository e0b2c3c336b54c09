/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INV-6: what all controllers have forgotten comes back from the disks as it was settled last, or
 * as an op left it that was pending then; and not at all without APTPL. (That the loss of one
 * controller loses nothing shows in the history that goes on: history.c, oracle_inv2.c.)
 */
#include "sim.h"

void sim_oracle_loaded(struct sim_node *n, unsigned dev, const struct hf_resv *r)
{
	struct sim_dev *d = &sim->devs[dev];
	const char *differs = sim_compare(r, &d->last, true);

	for (unsigned k = 0; k < d->held_len && differs; k++)
		if (!sim_compare(r, &d->held[k], true))
			differs = NULL;
	/* What most voting disks do not give is lost, and says so. */
	if (differs && hf_resv_is_lost(r) &&
		(sim_disks_faulty() >= 2 || sim->now - sim->disks_were_faulty < 5 * SIM_SECOND))
		return;
	if (differs && !sim->operator_erred)
		sim_fail("INV-6",
			"controller %u loads another state of device %u than was left: %s", n->id,
			dev, differs);
}

/*
 * Nobody goes on from what the disks keep while another one lives that has it all in memory, and
 * has been awake for long enough to go first.
 */
void sim_oracle_fences(struct sim_node *n)
{
	n->fences = 0;
	for (unsigned i = 0; n->state == HF_VIEW_STARTING && i < sim->nodes_len; i++) {
		const struct sim_node *p = &sim->nodes[i];

		if (p != n && p->running && !p->paused && p->at[0].life &&
			sim->now > p->woke_at + 8 * SIM_SECOND &&
			(p->state == HF_VIEW_RACING || p->state == HF_VIEW_TOGETHER ||
				p->state == HF_VIEW_ALONE))
			n->fences = p->id;
	}
}

void sim_oracle_memory(const struct sim_node *n, const struct hf_view *view)
{
	if (n->state == HF_VIEW_STARTING && view->state == HF_VIEW_ALONE && n->fences &&
		!sim->operator_erred)
		sim_fail("INV-6",
			"controller %u goes on from what the disks keep, and has fenced controller "
			"%u, which had all of it",
			n->id, n->fences);
}
