/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INV-7: a command is answered once (cmd.c looks); an op that failed has changed nothing; what
 * changes the state has been asked for, and happens once.
 */
#include "cmd.h"

#include <stdlib.h>

static struct {
	struct sim_cmd **ops;
	size_t len, cap;
} asked[SIM_DEVS];

void sim_oracle_inv7_init(void)
{
	memset(asked, 0, sizeof(asked));
}

void sim_oracle_asked(struct sim_cmd *c)
{
	sim_order_asked(c);
	if (!c->is_op || c->op.kind == NAIVE_READ)
		return;
	if (asked[c->dev].len == asked[c->dev].cap) {
		asked[c->dev].cap = asked[c->dev].cap ? 2 * asked[c->dev].cap : 64;
		asked[c->dev].ops = realloc(
			asked[c->dev].ops, asked[c->dev].cap * sizeof(asked[c->dev].ops[0]));
		hf_assert(asked[c->dev].ops);
	}
	c->kept = true;
	asked[c->dev].ops[asked[c->dev].len++] = c;
}

static bool has_failed(const struct sim_cmd *c)
{
	return c->answered && c->t.words[7] != SIM_GOOD && c->t.words[7] != SIM_ABORTED;
}

static struct sim_cmd *find(unsigned dev, const struct naive_op *op, enum sim_outcome outcome)
{
	for (size_t i = 0; i < asked[dev].len; i++) {
		struct sim_cmd *c = asked[dev].ops[i];

		if (!c->settled && c->outcome == outcome && !has_failed(c) &&
			sim_same_op(&c->op, op))
			return c;
	}
	return NULL;
}

static bool is_hosts(const struct naive_op *op)
{
	return op->kind <= NAIVE_LEGACY_RELEASE || op->kind == NAIVE_LU_RESET;
}

void sim_oracle_settled_op(
	unsigned dev, const struct naive_op *op, struct sim_life *life, unsigned index)
{
	struct sim_cmd *c = find(dev, op, SIM_NONE);
	char text[160];

	if (!is_hosts(op))
		return;
	c = c ? c : find(dev, op, SIM_UNKNOWN);
	if (!c) {
		sim_op_text(op, text, sizeof(text));
		sim_fail("INV-7",
			"device %u is changed by an op that nobody waits for: it has failed, or "
			"happened before (%s)",
			dev, text);
	}
	c->settled = true;
	c->life = life;
	c->index = index;
	c->settled_at = sim->now;
}

static void swap_places(struct sim_cmd *from, struct sim_cmd *to)
{
	to->settled = true;
	to->life = from->life;
	to->index = from->index;
	to->settled_at = from->settled_at;
	from->settled = false;
}

/* Can the op that stands for `from` have been `to` just as well? */
static bool may_swap(const struct sim_cmd *from, const struct sim_cmd *to)
{
	return from->settled && !to->settled && sim_same_op(&from->op, &to->op) &&
	       (to->asked_life != from->life || to->floor <= from->index) &&
	       to->asked_at <= from->settled_at &&
	       (!to->answered || from->settled_at <= to->answered_at);
}

/*
 * Two that look alike were out at once, and one was taken for the other: c is told GOOD and nothing
 * changed by it, or is told that it failed and something did. Now they are told apart.
 */
bool sim_oracle_mistaken(struct sim_cmd *c)
{
	for (size_t i = asked[c->dev].len; i-- > 0;) {
		struct sim_cmd *o = asked[c->dev].ops[i];

		if (o == c || (o->outcome != SIM_NONE && o->outcome != SIM_UNKNOWN &&
				      o->outcome != SIM_ABORTED &&
				      !(c->settled && o->outcome == SIM_GOOD)))
			continue;
		if (!may_swap(c->settled ? c : o, c->settled ? o : c))
			continue;
		swap_places(c->settled ? c : o, c->settled ? o : c);
		return true;
	}
	return false;
}

void sim_oracle_told(struct sim_cmd *c)
{
	/* Of two that look alike the one that is answered first is the one that was carried out. */
	if (c->is_op && c->outcome == SIM_GOOD && !c->settled && c->op.kind != NAIVE_READ)
		sim_oracle_mistaken(c);
	if (!c->settled || c->outcome == SIM_GOOD || c->outcome == SIM_UNKNOWN ||
		c->outcome == SIM_ABORTED || sim_oracle_mistaken(c))
		return;
	sim_fail("INV-7", "host %u is told %s for %s on device %u, which has been carried out",
		c->host, sim_outcome_name(c->outcome), sim_cmd_name(c->kind), c->dev);
}
