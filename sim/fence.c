/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands behind a fence here, in place of the operating system: the watchdog of each machine,
 * and the end of a daemon that finds itself fenced. (The agent is in stand_in.c, disks that take
 * reservations in lun.c.)
 */
#include "disk.h"
#include "fence_int.h"

#include <setjmp.h>

/* --- the watchdog: counts while its machine is up, whatever becomes of the process --- */

static struct {
	uint64_t fed, lasts; /* lasts 0: stopped */
	bool asked;	     /* a look is to come */
} watchdogs[SIM_NODES_MAX + 1];

static void bark(void *arg)
{
	struct sim_node *n = arg;
	uint64_t *lasts = &watchdogs[n->id].lasts, end = watchdogs[n->id].fed + *lasts;

	watchdogs[n->id].asked = false;
	if (!*lasts)
		return;
	if (!n->machine_up) {
		*lasts = 0;
	} else if (sim->now < end) {
		watchdogs[n->id].asked = true;
		sim_after(end - sim->now, bark, n);
	} else {
		sim_say("the watchdog resets the machine of controller %u", n->id);
		sim_count(SIM_COUNT_FENCED);
		*lasts = 0;
		sim_node_power_off(n);
	}
}

void sim_fence_init(void)
{
	memset(watchdogs, 0, sizeof(watchdogs));
}

void sim_fence_machine_down(unsigned id)
{
	watchdogs[id].lasts = 0;
}

int hf_fence_watchdog_open(struct hf_fence_watchdog *w, const char *path, uint32_t ms,
	char *message, size_t message_len)
{
	struct sim_node *n = sim_booting;

	w->fd = (int)n->id;
	w->device = true;
	watchdogs[n->id].lasts = ms * SIM_MS;
	watchdogs[n->id].fed = sim->now;
	if (!watchdogs[n->id].asked)
		sim_after(ms * SIM_MS, bark, n);
	watchdogs[n->id].asked = true;
	return 0;
}

void hf_fence_watchdog_feed(struct hf_fence_watchdog *w)
{
	watchdogs[w->fd].fed = sim->now;
}

void hf_fence_watchdog_close(struct hf_fence_watchdog *w)
{
	if (w->fd >= 0)
		watchdogs[w->fd].lasts = 0;
	w->fd = -1;
}

/* --- a daemon that ends --- */

static jmp_buf out_of_turn;
static struct sim_node *in_turn;

static void start_again(void *arg)
{
	struct sim_node *n = arg;

	if (!n->running && n->machine_up)
		sim_node_start(n);
}

/* Nothing of it comes back: its memory is not given back either. */
static void has_ended(void)
{
	struct sim_node *n = in_turn;

	in_turn = NULL;
	sim_say("controller %u finds itself fenced and ends", n->id);
	sim_count(SIM_COUNT_FENCED);
	sim_node_crash(n, false);
	sim_after(SIM_SECOND + sim_below(&sim->sched, SIM_SECOND), start_again, n);
}

void sim_fence_turn(struct sim_node *n, void (*turn)(struct sim_node *n, unsigned k), unsigned k)
{
	in_turn = n;
	if (_setjmp(out_of_turn)) {
		has_ended();
		return;
	}
	turn(in_turn, k);
	in_turn = NULL;
}

void hf_node_end_fenced(void)
{
	hf_assert(in_turn);
	_longjmp(out_of_turn, 1);
}

/* --- an orderly end: the fence says good-bye to its disks --- */

/* False: something of it is still under way; to be tried again. */
bool sim_fence_leave(struct sim_node *n)
{
	struct hf_fence *f = n->node->fence;

	if (!f)
		return true;
	if (f->io_out || f->lease_out || hf_fence_pr_is_busy(f))
		return false;
	sim_booting = n; /* what it asks of the disks is carried out at once */
	hf_fence_destroy(f);
	n->node->fence = NULL;
	sim_booting = NULL;
	return true;
}

bool sim_fence_is_shut_out(const struct sim_node *n)
{
	unsigned out = 0;

	for (unsigned i = 0; sim->luns && i < SIM_DISKS; i++)
		out += !sim_lun_permits(i, n->id, HF_PDEV_READ);
	return out > SIM_DISKS / 2;
}
