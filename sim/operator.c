/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator: says what is true of controllers that are down, errs once in a world at most, and
 * after the faults does what the manual tells to do.
 */
#include "fault.h"

/*
 * What the operator looks at before the word is said: whom this controller does not see, is it dead
 * and its I/O over? One that has just been started and waits remembers nothing.
 */
static bool missing_are_down(const struct sim_node *n)
{
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		const struct sim_node *p = &sim->nodes[i];

		if (p == n || (sim->group && sim_agreed_members(n->id) >> p->id & 1))
			continue;
		if (sim_disk_busy(p->id))
			return false;
		if (p->running && !(sim->group && p->state == HF_VIEW_STARTING))
			return false;
	}
	return true;
}

/* The operator's word needs that it is true. */
void sim_operator_peer_down(bool wrong)
{
	char message[300];

	/* Once is enough; what it can lead to is in words.c. */
	if (wrong && sim->operator_erred)
		return;
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		struct sim_node *n = &sim->nodes[i];
		struct hf_bus *bus = n->running ? n->node->bus : NULL;
		bool untrue = !missing_are_down(n);

		if (!bus || n->paused ||
			(n->state != HF_VIEW_FROZEN && (wrong || n->state != HF_VIEW_RACING)))
			continue;
		if (!wrong && untrue)
			continue;
		if (bus->ops->peer_down(bus, message, sizeof(message)) < 0) {
			sim_say("peer-down is refused by controller %u: %s", n->id, message);
			continue;
		}
		sim_say("the operator tells controller %u that its peer is down%s", n->id,
			untrue ? ", which is not true" : "");
		sim->operator_erred |= untrue;
		return;
	}
}

/* Never with the acceptance of a loss. */
void sim_operator_alone(struct sim_node *n)
{
	struct hf_bus *bus = n->running ? n->node->bus : NULL;
	char message[300];

	if (!bus || n->paused || !missing_are_down(n))
		return;
	n->fences = 0;
	if (bus->ops->go_alone(bus, false, message, sizeof(message)) < 0)
		sim_say("--alone is refused by controller %u: %s", n->id, message);
	else
		sim_say("controller %u is started with --alone", n->id);
}

static void broken(struct hf_lu_admin_op *a, int result, const struct hf_resv_verdict *verdict)
{
}

static bool is_lost(unsigned dev)
{
	const struct sim_life *l = sim->devs[dev].life;

	return l && !sim->devs[dev].deleted && l->states[l->len - 1].s.lost;
}

/* What is lost the operator clears, once the disks are well. */
static void clear_what_is_lost(void *arg)
{
	for (unsigned i = 0; i < SIM_DEVS; i++) {
		struct sim_node *n = &sim->nodes[0];
		struct hf_lu_admin_op *a;

		if (!is_lost(i) || !n->running)
			continue;
		sim_say("the operator breaks what is lost of device %u", i);
		a = sim_alloc(sizeof(*a));
		a->dev = sim->devs[i].id;
		a->op.kind = HF_RESV_BREAK;
		a->done = broken;
		hf_lu_admin_propose(n->node->lus, a);
	}
	sim_after(2 * SIM_SECOND, clear_what_is_lost, NULL);
}

static void look_for_two_alone(void *arg)
{
	sim_words_discard();
	sim_after(2 * SIM_SECOND, look_for_two_alone, NULL);
}

/* A device is not served on a disk that could not be fenced, or a disk was missing at the start. */
static bool is_stopped(const struct sim_node *n)
{
	struct hf_lu_status s;

	for (unsigned i = 0; i < SIM_DISKS; i++)
		if (sim_disk_is_missed(i, n))
			return true;
	for (unsigned i = 0; n->running && i < SIM_DEVS; i++)
		if (hf_lu_status(n->node->lus, sim->devs[i].id, &s) && s.stopped)
			return true;
	return false;
}

bool sim_operator_has_work(void)
{
	for (unsigned i = 0; i < SIM_DEVS; i++)
		if (is_lost(i))
			return true;
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (is_stopped(&sim->nodes[i]))
			return true;
	return false;
}

/* The controller is started again, once another one has its state (doc/failure.md). */
static void look_for_stopped(void *arg)
{
	unsigned together = 0;

	for (unsigned i = 0; i < sim->nodes_len; i++)
		together += sim->nodes[i].running && sim->nodes[i].state == HF_VIEW_TOGETHER;
	for (unsigned i = 0; together == sim->nodes_len && i < sim->nodes_len; i++) {
		if (!is_stopped(&sim->nodes[i]))
			continue;
		sim_say("a device is stopped or a disk missing: the operator starts controller %u "
			"again",
			i + 1);
		sim_crash(&sim->nodes[i], false, 100 * SIM_MS);
		break;
	}
	sim_after(2 * SIM_SECOND, look_for_stopped, NULL);
}

void sim_operator_heal(void)
{
	sim_after(SIM_SECOND, look_for_stopped, NULL);
	sim_after(2 * SIM_SECOND, look_for_two_alone, NULL);
	sim_after(2 * SIM_SECOND, clear_what_is_lost, NULL);
}
