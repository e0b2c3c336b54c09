/* SPDX-License-Identifier: BSD-3-Clause */
/* INV-5: a controller outside the view changes nothing. */
#include "sim.h"

/*
 * A part of a group with quorum goes on, the rest catches up with what has been settled. What the
 * engine shows comes after what it does as a plan is carried out.
 */
static bool may_change_in_group(const struct sim_node *n, unsigned dev, bool mine)
{
	bool first = n->at[dev].index + 1 == n->at[dev].life->len;

	if (mine && n->state == HF_VIEW_JOINING)
		return false;
	if (n->state == HF_VIEW_JOINING || sim->operator_erred)
		return true;
	/* Whoever leaves hears on until it has heard that it is out; it serves nothing any more. */
	if (n->leaving && (!mine || !first) && !sim_node_serves(n))
		return true;
	return (!first || sim_agreed_has_quorum(n->id)) && sim->record.members & 1u << n->id &&
	       sim->record.incarnations[n->id] == n->node->incarnation;
}

/* Do all whom the record names hold the op that n settles, and have they drained? */
static bool is_held_by_the_record(const struct sim_node *n, unsigned dev)
{
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		const struct sim_node *p = &sim->nodes[i];
		const struct sim_at *at = &p->at[dev];

		if (sim->record.members & 1u << p->id &&
			(!p->running || at->life != n->at[dev].life || !at->pending ||
				!at->drained || at->n != n->at[dev].n))
			return false;
	}
	return true;
}

/*
 * Whom a fence has shut out of the disks may run on, and hear what had been settled before; or,
 * when it is heard again before the others have gone on, settle together with them. What it would
 * tell of that comes too late: oracle_order.c.
 */
static bool is_shut_out_and_goes_along(const struct sim_node *n, unsigned dev)
{
	return sim->group && sim_fence_is_shut_out(n) &&
	       (n->at[dev].index + 1 < n->at[dev].life->len || is_held_by_the_record(n, dev));
}

static bool may_change(const struct sim_node *n, bool mine)
{
	/* Who has won a race writes the record first and tells its owner last. */
	bool has_won = sim->record.members == 1u << n->id;

	return n->state != HF_VIEW_OUT && (n->state != HF_VIEW_RACING || has_won) &&
	       !(mine && n->state == HF_VIEW_JOINING);
}

static bool goes_on(const struct sim_node *p)
{
	return p->running &&
	       (p->state == HF_VIEW_ALONE || (sim->group && p->state == HF_VIEW_TOGETHER));
}

void sim_oracle_change(struct sim_node *n, unsigned dev, bool mine)
{
	if (is_shut_out_and_goes_along(n, dev))
		return;
	if (!(sim->group ? may_change_in_group(n, dev, mine) : may_change(n, mine)))
		sim_fail("INV-5",
			"controller %u is %s%s and changes device %u; the record of epoch %u names "
			"%x",
			n->id, sim_view_name(n->state),
			sim->group && !sim_agreed_has_quorum(n->id) ? ", without quorum" : "", dev,
			(unsigned)sim->record.epoch, sim->record.members);
	if (sim->two_histories)
		return; /* each changes its own */
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		const struct sim_node *p = &sim->nodes[i];

		if (p == n || !goes_on(p))
			continue;
		/* ... or has not heard yet of the view that n has come into. */
		if (sim->group && p->node->bus->view.epoch < n->node->bus->view.epoch)
			continue;
		/* What had been settled while it was inside may still reach it. */
		if (n->leaving && sim->group && (!mine || p->at[dev].index > n->at[dev].index))
			continue;
		if (!mine &&
			(sim->devs[dev].deleted || (p->at[dev].life == n->at[dev].life &&
							   p->at[dev].index > n->at[dev].index)))
			continue;
		if (!(p->node->bus->view.members & 1u << n->id) && n->state != HF_VIEW_JOINING &&
			!(sim->operator_erred && n->at[dev].mine))
			sim_fail("INV-5",
				"controller %u changes device %u while controller %u goes on in a "
				"view without it",
				n->id, dev, p->id);
	}
}

/* Two views that both go on, or one that no record on the disks allows. */
void sim_oracle_view(struct sim_node *n, const struct hf_view *view)
{
	if (sim->group && view->state == HF_VIEW_TOGETHER && !sim->operator_erred &&
		(view->epoch > sim->record.epoch ||
			(view->epoch == sim->record.epoch && view->members != sim->record.members)))
		sim_fail("INV-5",
			"controller %u goes on with %x in epoch %u, and the record says %x in %u",
			n->id, view->members, (unsigned)view->epoch, sim->record.members,
			(unsigned)sim->record.epoch);
	/* Two that leave at once each write a record; neither serves any more. */
	if (view->state != HF_VIEW_ALONE || sim->operator_erred || n->leaving)
		return;
	/* Who lets the other one in writes the record first and tells its owner last. */
	if (sim->record.epoch == view->epoch + 1 &&
		sim->record.incarnations[n->id] == n->node->incarnation)
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
