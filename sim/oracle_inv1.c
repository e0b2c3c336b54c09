/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INV-1 and INV-4: every access of a host is seen as it is given to a disk and as it can touch it
 * no more, and judged by the history of settled states (history.c), not by what admitted it.
 */
#include "sim.h"

static bool permits(const struct naive *n, const struct sim_access *a)
{
	return naive_may(n, (int)a->host, (int)a->controller - 1, a->login, a->class);
}

static bool may(const struct sim_life *l, unsigned index, const struct sim_access *a)
{
	return permits(&l->states[index].s, a);
}

/* Does one state of [from, to] permit all that are in flight? */
static bool one_permits_all(const struct sim_dev *d, unsigned from, unsigned to)
{
	for (unsigned m = to + 1; m-- > from;) {
		bool all = true;

		hf_list_for_each (n, &d->accesses)
			all &= may(d->life, m, hf_list_entry(n, struct sim_access, node));
		if (all)
			return true;
	}
	return false;
}

static void describe(const struct sim_dev *d)
{
	hf_list_for_each (n, &d->accesses) {
		const struct sim_access *a = hf_list_entry(n, struct sim_access, node);

		sim_say("  in flight: %s of host %u at controller %u since %.6f",
			a->class == 2 ? "read" : "write", a->host, a->controller,
			(double)a->since / 1e9);
	}
}

static unsigned oldest_index(unsigned dev)
{
	unsigned lo = sim->devs[dev].life->len - 1;

	for (unsigned i = 0; i < sim->nodes_len; i++) {
		const struct sim_node *n = &sim->nodes[i];

		if (n->running && n->at[dev].life == sim->devs[dev].life)
			lo = HF_MIN(lo, n->at[dev].index);
	}
	return lo;
}

/*
 * Also after an untrue word: who was declared down goes on under what was agreed last, and what it
 * lets in as it goes out is no more than that, nor what its op in doubt forbids.
 */
static void judge_by_what_was_dropped(const struct sim_access *a, const struct sim_at *at)
{
	if (at->life || !at->dropped ||
		(permits(&at->dropped[0], a) && (a->goes_on || permits(&at->dropped[1], a))))
		return;
	sim_fail("INV-4",
		"a %s of host %u reaches device %u through controller %u, which has dropped its "
		"state; that, or its op in doubt, does not permit it",
		a->class == 2 ? "read" : "write", a->host, a->dev, a->controller);
}

void sim_oracle_access(const struct sim_access *a)
{
	struct sim_dev *d = &sim->devs[a->dev];
	const struct sim_at *at = &sim_node(a->controller)->at[a->dev];
	unsigned from, to;
	bool has_state;

	if (sim->operator_erred) { /* the manual says what that costs */
		judge_by_what_was_dropped(a, at);
		return;
	}
	has_state = at->life && at->life == d->life;
	if (!has_state && !a->goes_on)
		sim_fail("INV-5", "controller %u moves data of device %u without its state",
			a->controller, a->dev);
	if (sim->record.epoch && !(sim->record.members & 1u << a->controller))
		sim_fail("INV-5",
			"controller %u moves data of device %u, out of the view of epoch %u",
			a->controller, a->dev, (unsigned)sim->record.epoch);
	/* What had begun when a controller went out ends, as long as nobody goes on without it. */
	if (!has_state)
		return;
	to = d->life->len - 1;
	from = HF_MAX(at->index, d->life->good);
	while (from <= to && !may(d->life, from, a))
		from++;
	if (from > to)
		sim_fail("INV-4",
			"a %s of host %u reaches device %u through controller %u, which no state "
			"since the last GOOD permits (state %u, GOOD for %u, newest %u)",
			a->class == 2 ? "read" : "write", a->host, a->dev, a->controller, at->index,
			d->life->good, to);
	if (!one_permits_all(d, oldest_index(a->dev), to)) {
		describe(d);
		sim_fail("INV-1", "no one state permits what is in flight on device %u", a->dev);
	}
}

/* GOOD is told for the op that led to state `index`. */
void sim_oracle_in_flight(unsigned dev, unsigned index)
{
	struct sim_dev *d = &sim->devs[dev];

	if (sim->operator_erred || one_permits_all(d, index, index))
		return;
	describe(d);
	sim_fail("INV-4",
		"GOOD is told for state %u of device %u, and what it forbids is in flight", index,
		dev);
}

/* The tasks of these nexuses are aborted: none of their accesses may be in flight any more. */
void sim_oracle_aborted(unsigned dev, const struct naive_result *res)
{
	struct sim_dev *d = &sim->devs[dev];

	if (sim->operator_erred)
		return;
	hf_list_for_each (n, &d->accesses) {
		const struct sim_access *a = hf_list_entry(n, struct sim_access, node);

		if (res->everybody_reset || res->aborted[a->host][a->controller - 1]) {
			describe(d);
			sim_fail("INV-4",
				"an access of host %u at controller %u outlives the abort of its "
				"tasks on device %u",
				a->host, a->controller, dev);
		}
	}
}
