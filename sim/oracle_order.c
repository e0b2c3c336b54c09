/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linearizability of the reservations as hosts saw them. The order of changes is known (history.c);
 * every answer must fit a state that was settled between what had been told when the command was
 * asked and what was settled when it was answered. Each answer takes the oldest state it fits;
 * later commands start from there. So a reader never sees the past after the future.
 */
#include "cmd.h"

#include "endian.h"

static struct {
	struct sim_life *life;
	unsigned index;
} floors[SIM_DEVS];

void sim_oracle_order_init(void)
{
	memset(floors, 0, sizeof(floors));
}

void sim_order_asked(struct sim_cmd *c)
{
	c->asked_life = floors[c->dev].life;
	c->floor = floors[c->dev].index;
}

static void raise(unsigned dev, struct sim_life *life, unsigned index)
{
	if (floors[dev].life != life) {
		if (floors[dev].life && floors[dev].life->number > life->number)
			return;
		floors[dev].life = life;
		floors[dev].index = 0;
	}
	floors[dev].index = HF_MAX(floors[dev].index, index);
}

static bool reads_keys(const struct sim_cmd *c, const struct naive *s)
{
	unsigned registered = 0, len = hf_get_be32(c->buf + 4) / 8;

	if (hf_get_be32(c->buf) != s->generation)
		return false;
	for (int i = 0; i < s->initiators; i++) {
		for (int p = 0; p < s->ports; p++) {
			bool there = false;

			if (!s->key[i][p])
				continue;
			registered++;
			for (unsigned k = 0; k < len; k++)
				there |= hf_get_be64(c->buf + 8 + 8 * k) == s->key[i][p];
			if (!there)
				return false;
		}
	}
	return registered == len;
}

static bool reads_reservation(const struct sim_cmd *c, const struct naive *s)
{
	uint32_t len = hf_get_be32(c->buf + 4);
	uint64_t key = s->type >= 7 || !s->type ? 0 : s->key[s->holder][s->holder_port];

	if (hf_get_be32(c->buf) != s->generation || len != (s->type ? 16u : 0u))
		return false;
	return !len || (hf_get_be64(c->buf + 8) == key && (c->buf[21] & 0xf) == s->type);
}

static bool fits_op(const struct sim_cmd *c, const struct naive *s)
{
	struct naive next = *s;
	struct naive_result res;

	naive_apply(&next, &c->op, &res);
	if (c->outcome == SIM_CONFLICT)
		return res.status == HF_STATUS_RESERVATION_CONFLICT;
	if (c->outcome == SIM_CHECK)
		return res.status == HF_STATUS_CHECK_CONDITION && res.sense_key == c->sense_key &&
		       (res.asc << 8 | res.ascq) == c->asc_ascq;
	if (res.status != HF_STATUS_GOOD || memcmp(&next, s, sizeof(next)))
		return false;
	if (c->kind == SIM_READ_KEYS)
		return reads_keys(c, s);
	return c->kind != SIM_READ_RESERVATION || reads_reservation(c, s);
}

static bool fits(const struct sim_cmd *c, const struct naive *s)
{
	static const int classes[SIM_KINDS] = {
		[SIM_TUR] = 1, [SIM_READ] = 2, [SIM_WRITE] = 3, [SIM_CAW] = 3};

	if (c->is_op)
		return fits_op(c, s);
	return naive_may(s, (int)c->host, (int)c->controller - 1, sim_login_of(c->session->s.login),
		       classes[c->kind]) == (c->outcome != SIM_CONFLICT);
}

static bool is_judged(const struct sim_cmd *c)
{
	if (!c->told_life || sim->operator_erred || c->kind == SIM_FLUSH ||
		c->kind == SIM_ABORT_SET)
		return false;
	if (c->outcome == SIM_MISCOMPARE)
		return true;
	return c->outcome == SIM_GOOD || c->outcome == SIM_CONFLICT ||
	       (c->outcome == SIM_CHECK && c->is_op);
}

void sim_oracle_order(struct sim_cmd *c)
{
	unsigned from = c->told_life == c->asked_life ? c->floor : 0, at;

	if (!is_judged(c))
		return;
	sim_count(SIM_COUNT_LINEARIZED);
	if (c->settled && c->outcome == SIM_GOOD) {
		if (c->life == c->told_life && c->index < from)
			sim_fail("order", "%s of host %u on device %u came before what was known",
				sim_cmd_name(c->kind), c->host, c->dev);
		raise(c->dev, c->life, c->index);
		return;
	}
	for (at = from; at <= c->told_high; at++)
		if (fits(c, &c->told_life->states[at].s))
			break;
	if (at > c->told_high && c->outcome == SIM_GOOD && c->is_op && sim_oracle_mistaken(c)) {
		sim_oracle_order(c);
		return;
	}
	if (at > c->told_high)
		sim_fail("order",
			"no state of device %u between %u and %u explains %s for %s of host %u at "
			"controller %u (%x/%04x)",
			c->dev, from, c->told_high, sim_outcome_name(c->outcome),
			sim_cmd_name(c->kind), c->host, c->controller, c->sense_key, c->asc_ascq);
	/* Data commands pin no state: between two there may be many. */
	if (c->is_op)
		raise(c->dev, c->told_life, at);
}
