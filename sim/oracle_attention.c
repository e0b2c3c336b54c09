/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unit attentions: what an op owes a nexus comes with the first command that is asked after its
 * GOOD, at whatever controller that is. Only for sessions that had been heard on the device before.
 */
#include "cmd.h"

enum { OWED_MAX = 512 };

static struct owed {
	const struct sim_session *session;
	unsigned dev;
	uint16_t asc_ascq;
	const struct sim_life *life;
	unsigned index;
	uint64_t good_at; /* 0: GOOD has not been told */
} owed[OWED_MAX];
static unsigned owed_len;

void sim_oracle_attention_init(void)
{
	owed_len = 0;
}

static void owe(const struct sim_session *s, unsigned dev, uint16_t asc_ascq,
	const struct sim_life *life, unsigned index)
{
	if (owed_len == OWED_MAX)
		return;
	owed[owed_len++] = (struct owed){s, dev, asc_ascq, life, index, 0};
}

void sim_oracle_effects(unsigned dev, const struct naive_op *op, const struct naive_result *res)
{
	const struct sim_life *l = sim->devs[dev].life;
	unsigned index = l->len - 1;

	sim_oracle_aborted(dev, res);
	for (unsigned i = 0; i < sim->hosts_len; i++) {
		for (unsigned p = 0; p < sim->nodes_len; p++) {
			const struct sim_session *s = sim->hosts[i].paths[p].session;

			if (!s || s->closing || s->dead || !s->heard[dev])
				continue;
			if (res->told_2a03[i][p])
				owe(s, dev, 0x2a03, l, index);
			if (res->told_2a04[i][p])
				owe(s, dev, 0x2a04, l, index);
			if (res->told_2a05[i][p])
				owe(s, dev, 0x2a05, l, index);
			if (res->everybody_reset)
				owe(s, dev, 0x2903, l, index);
		}
	}
}

void sim_oracle_told_good(unsigned dev, const struct sim_life *life, unsigned index)
{
	for (unsigned i = 0; i < owed_len; i++)
		if (owed[i].dev == dev && owed[i].life == life && owed[i].index == index)
			owed[i].good_at = sim->now;
}

static void pay(const struct sim_cmd *c)
{
	for (unsigned i = owed_len; i-- > 0;) {
		const struct owed *o = &owed[i];

		if (o->session == c->session && o->dev == c->dev && o->asc_ascq == c->asc_ascq)
			owed[i] = owed[--owed_len];
	}
}

void sim_oracle_attention(struct sim_cmd *c)
{
	if (c->outcome == SIM_ATTENTION) {
		pay(c);
		return;
	}
	if (c->kind == SIM_ABORT_SET || c->kind == SIM_LU_RESET || sim->operator_erred)
		return;
	if (c->outcome == SIM_GOOD || c->outcome == SIM_CONFLICT)
		c->session->heard[c->dev] = true;
	for (unsigned i = 0; i < owed_len; i++) {
		const struct owed *o = &owed[i];

		if (o->session != c->session || o->dev != c->dev || !o->good_at ||
			o->good_at >= c->asked_at)
			continue;
		/* A reset is told before a conflict, anything else after it (SAM-5). */
		if (c->outcome == SIM_GOOD || (c->outcome == SIM_CONFLICT && o->asc_ascq == 0x2903))
			sim_fail("attention",
				"host %u is told %s for %s on device %u by controller %u, and not "
				"the "
				"attention %04x that it is owed since %.6f",
				c->host, sim_outcome_name(c->outcome), sim_cmd_name(c->kind),
				c->dev, c->controller, o->asc_ascq, (double)o->good_at / 1e9);
	}
}
