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
