/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the operator should not have said: words at a wrong moment, which have to be refused with a
 * sentence and to change nothing; and the two words that make two histories of one, and the one
 * that ends them.
 */
#include "fault.h"

/* --- words at a wrong moment --- */

enum word { WORD_PEER_DOWN, WORD_ALONE, WORD_DISCARD, WORD_LEAVE, WORDS };

static bool are_two_histories(void)
{
	return !sim->group && sim->nodes[0].running && sim->nodes[1].running &&
	       sim->nodes[0].state == HF_VIEW_ALONE && sim->nodes[1].state == HF_VIEW_ALONE;
}

/* May it be right, or is it a matter of what only the controller can know? */
static bool may_be_right(const struct sim_node *n, enum word word)
{
	switch (word) {
	case WORD_PEER_DOWN:
		/* In a group it is said for the part; of that one may be out that has given up its
		 * lease, until the part goes on. */
		if (sim->group && n->state == HF_VIEW_OUT)
			return true;
		return n->state == HF_VIEW_FROZEN || n->state == HF_VIEW_RACING;
	case WORD_ALONE:
		return n->state == HF_VIEW_STARTING || n->state == HF_VIEW_OUT;
	case WORD_DISCARD:
		/* One of two has met the other, which has crashed since. */
		return sim->two_histories && n->state == HF_VIEW_ALONE;
	default:
		return true;
	}
}

static int say(struct hf_bus *bus, enum word word, bool may_lose, char *message, size_t len)
{
	if (word == WORD_PEER_DOWN)
		return bus->ops->peer_down(bus, message, len);
	if (word == WORD_ALONE)
		return bus->ops->go_alone(bus, may_lose, message, len);
	return bus->ops->discard(bus, message, len);
}

static void has_to_refuse(struct sim_node *n, enum word word, bool may_lose)
{
	static const char *const names[] = {"peer-down", "alone", "discard"};
	struct hf_bus *bus = n->node->bus;
	static struct hf_view before;
	char message[512] = "";

	memcpy(&before, &bus->view, sizeof(before));
	if (say(bus, word, may_lose, message, sizeof(message)) >= 0)
		sim_fail("operator", "controller %u is %s and does what it is told: `%s`", n->id,
			sim_view_name(n->state), names[word]);
	if (!*message)
		sim_fail("operator", "controller %u refuses `%s` without a sentence", n->id,
			names[word]);
	if (memcmp(&before, &bus->view, sizeof(before)))
		sim_fail("operator", "controller %u refuses `%s` and changes its view", n->id,
			names[word]);
	sim_say("`%s` is refused by controller %u: %s", names[word], n->id, message);
}

void sim_words_wrong(struct sim_node *n, uint64_t chance)
{
	enum word word = (enum word)(chance % WORDS);

	if (!n->running || n->paused)
		return;
	if (word == WORD_LEAVE) { /* said twice, or to one that waits: once is enough */
		sim_node_leave(n);
		hf_node_leave(n->node);
	} else if (!may_be_right(n, word)) {
		has_to_refuse(n, word, chance / WORDS & 1);
	}
}

/* --- two histories --- */

/* Said while its peer cannot be seen; here it need not be true. */
static void say_peer_down(struct sim_node *n)
{
	char message[512];

	if (n->state != HF_VIEW_FROZEN ||
		say(n->node->bus, WORD_PEER_DOWN, false, message, sizeof(message)) < 0)
		return;
	sim_say("the operator tells controller %u that its peer is down, which is not true", n->id);
	sim->operator_erred = true;
}

/* The other one goes on, and what it knows is given up with this word. */
static void say_alone(struct sim_node *n, const struct sim_node *other)
{
	char message[512];

	if ((n->state != HF_VIEW_STARTING && n->state != HF_VIEW_OUT) ||
		other->state != HF_VIEW_ALONE ||
		say(n->node->bus, WORD_ALONE, true, message, sizeof(message)) < 0)
		return;
	sim_say("controller %u is told `alone --may-lose`, and the other one is alive", n->id);
	sim->operator_erred = sim->two_histories = true;
}

static void look_for_a_chance(void *arg)
{
	struct sim_entry *e = arg;
	struct sim_node *first = &sim->nodes[e->a % 2], *second = &sim->nodes[1 - e->a % 2];

	if (sim_faults_over() || sim->now > e->b || sim->two_histories)
		return;
	if (first->running && !first->paused)
		say_peer_down(first);
	/* Of two that are told it at once one goes on, but for a write that comes when the other
	 * one has looked at the record for the last time. */
	if (e->a & 2 && second->running && !second->paused &&
		!sim_plan_has("pause|slow disk|hanging disk|slow loops"))
		say_peer_down(second);
	for (unsigned i = 0; i < 2 && !sim->two_histories; i++)
		if (sim->nodes[i].running && !sim->nodes[i].paused)
			say_alone(&sim->nodes[i], &sim->nodes[1 - i]);
	sim_after(200 * SIM_MS, look_for_a_chance, e);
}

/* The links are cut (fault_net.c). Once in a world. */
void sim_words_two_histories(struct sim_entry *e)
{
	if (sim->group || sim->operator_erred)
		return;
	e->b = sim->now + e->lasts;
	look_for_a_chance(e);
}

/* Both wait for the operator: one of them, by chance, gives up what it has. */
bool sim_words_discard(void)
{
	struct sim_node *n = &sim->nodes[sim_below(&sim->operator_, sim->nodes_len)];
	char message[512];

	if (!are_two_histories() || n->paused)
		return false;
	if (say(n->node->bus, WORD_DISCARD, false, message, sizeof(message)) < 0)
		sim_say("`discard` is refused by controller %u: %s", n->id, message);
	else
		sim_say("both are alone: the operator tells controller %u to discard", n->id);
	return true;
}
