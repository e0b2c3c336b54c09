/* SPDX-License-Identifier: BSD-3-Clause */
/* INV-9: when faults have stopped, everything comes to an end, and a race has one winner. */
#include "cmd.h"

static void command_left(void)
{
	for (unsigned i = 0; i < sim->hosts_len; i++) {
		const struct sim_host *h = &sim->hosts[i];

		hf_list_for_each (n, &h->outstanding) {
			const struct sim_cmd *c = hf_list_entry(n, struct sim_cmd, host_node);

			sim_fail("INV-9",
				"faults have ended, and host %u still waits for %s on device %u at "
				"controller %u, asked at %.6f (stage %d%s)",
				c->host, sim_cmd_name(c->kind), c->dev, c->controller,
				(double)c->asked_at / 1e9, (int)c->stage,
				c->answered ? ", answered" : "");
		}
	}
}

static const struct naive *settled(unsigned dev)
{
	const struct sim_life *l = sim->devs[dev].life;

	return &l->states[l->len - 1].s;
}

/* Of a device that only the given up one of two histories had nobody has a state any more. */
static bool is_known(const struct sim_dev *d, unsigned dev)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (sim->nodes[i].at[dev].life == d->life)
			return true;
	return !sim->two_histories;
}

/* Reserved by a session that has ended: so for the moment between an op whose host has gone and the
 * loss of that host, which is owed and goes next. */
static bool is_stale(unsigned dev)
{
	const struct sim_dev *d = &sim->devs[dev];
	const struct naive *s = d->life && !d->deleted && is_known(d, dev) ? settled(dev) : NULL;

	return s && s->legacy && !sim_hosts_has_login(s->legacy_login);
}

bool sim_oracle_owes_nothing(void)
{
	for (unsigned i = 0; i < SIM_DEVS; i++)
		if (is_stale(i))
			return false;
	return true;
}

void sim_oracle_quiet(void)
{
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		const struct sim_node *n = &sim->nodes[i];

		if (!sim_is_together(n))
			sim_fail("INV-9", "faults have ended, and controller %u is %s%s: %s", n->id,
				n->running ? "" : "down, was last ", sim_view_name(n->state),
				n->running ? n->node->bus->view.why : "");
	}
	command_left();
	sim_oracle_maps_quiet();
	for (unsigned i = 0; i < SIM_DEVS; i++) {
		if (is_stale(i))
			sim_fail("INV-9",
				"device %u is reserved by host %d at controller %d, whose session "
				"has ended",
				i, settled(i)->legacy_holder, settled(i)->legacy_port + 1);
	}
	for (unsigned i = 0; i < SIM_DEVS; i++)
		for (unsigned k = 0; k < sim->nodes_len; k++)
			if (sim->nodes[k].at[i].pending)
				sim_fail("INV-9", "controller %u holds device %u for ever",
					sim->nodes[k].id, i);
}

void sim_oracle_raced(unsigned dev, unsigned winners, unsigned racers)
{
	if (winners != 1)
		sim_fail(
			"INV-9", "%u of %u hosts won the race for device %u", winners, racers, dev);
}
