/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a controller finds here in place of the operating system's side of the daemon: identity, the
 * iSCSI target, the control socket, the log.
 */
#include "sim.h"

#include "fence_int.h"
#include "notify.h"

#include <stdarg.h>
#include <stdlib.h>

/* --- log --- */

void hf_log_set_level(enum hf_log_priority max)
{
}

void hf_log(enum hf_log_priority p, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!sim || !sim->opt.verbose)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sim_say("  log <%d> %s", (int)p, line);
}

/* A failed assertion of the code under test is a violation like any other. */
_Noreturn void hf_assert_failed(const char *cond, const char *file, int line)
{
	sim_fail("assertion", "%s (%s:%d)", cond, file, line);
}

/* --- node_run_posix.c --- */

void hf_node_identity(struct hf_node *node)
{
	/* Those who have left what worlds begin with are never met again. */
	uint64_t start = sim->preparing ? 0xff : sim_booting->starts;

	node->incarnation = (uint64_t)sim_booting->id << 32 | start << 8 | sim_booting->id;
	node->born_s = 1000000 + sim->now / SIM_SECOND;
	node->loops_len = SIM_LOOPS;
}

void hf_node_signals_close(struct hf_node *node)
{
}

/* --- node_ports_posix.c --- */

void hf_node_ports_open(struct hf_node *node)
{
	struct sim_node *n = sim_node_of_loop(node->loops[0]);

	node->ports_open = n->ports_open = true;
	sim_say("controller %u opens its ports", n->id);
}

struct closing {
	struct hf_timer timer;
	struct hf_node *node;
	struct sim_node *n;
};

/* The ports are closed when no session is left. */
static void look_again(struct hf_timer *t)
{
	struct closing *c = hf_container_of(t, struct closing, timer);
	struct hf_node *node = c->node;

	if (sim_hosts_sessions(c->n)) {
		hf_timer_arm(node->loops[0], t, hf_loop_now_ns(node->loops[0]) + 5 * SIM_MS);
		return;
	}
	node->portals_len = node->portals_stopping = 0;
	if (node->ports_closed)
		node->ports_closed(node);
	else
		hf_node_view_changed(node, &node->bus->view);
}

void hf_node_ports_close(struct hf_node *node, void (*closed)(struct hf_node *node))
{
	struct sim_node *n = sim_node_of_loop(node->loops[0]);
	struct closing *c;

	sim_say("controller %u closes its ports", n->id);
	node->ports_closed = closed;
	node->ports_open = n->ports_open = false;
	if (node->portals_stopping)
		return;
	node->portals_len = node->portals_stopping = 1;
	sim_hosts_ports_close(n);
	c = sim_alloc(sizeof(*c));
	c->node = node;
	c->n = n;
	hf_timer_init(&c->timer, look_again);
	hf_timer_arm(node->loops[0], &c->timer, hf_loop_now_ns(node->loops[0]));
}

/* --- commands_settled.c, commands.c, the control socket --- */

void hf_node_settled(struct hf_node *node)
{
}

const struct hf_control_command hf_node_commands[1];

int hf_control_open(struct hf_loop *control, const char *path,
	const struct hf_control_command *commands, void *owner, struct hf_control **ret,
	char *message, size_t message_len)
{
	*ret = NULL;
	return 0;
}

/* The last thing of an orderly leave: the process ends. */
static void ended(void *arg)
{
	struct sim_node *n = arg;

	if (!n->running || !n->leaving)
		return;
	if (!sim_fence_leave(n)) {
		sim_after(SIM_MS, ended, n);
		return;
	}
	sim_node_crash(n, false);
	sim_node_start_later(n, SIM_SECOND + sim_below(&sim->sched, 3 * SIM_SECOND));
}

void hf_control_close(struct hf_control *c, void (*done)(void *arg), void *arg)
{
	struct hf_node *node = arg;

	sim_after(0, ended, sim_node_of_loop(node->loops[0]));
}

uint64_t hf_config_digest(const struct hf_config *c)
{
	return 1;
}

/* --- the iSCSI target: hosts are at src/scsi directly (host.c) --- */

int hf_iscsi_registry_create(const struct hf_iscsi_config *config, struct hf_loop *control,
	struct hf_lu_table *luns, uint64_t incarnation, struct hf_iscsi_registry **ret)
{
	*ret = NULL;
	return 0;
}

void hf_iscsi_registry_destroy(struct hf_iscsi_registry *r)
{
}

int hf_iscsi_loop_create(struct hf_iscsi_registry *r, struct hf_loop *loop,
	struct hf_scsi_loop *scsi, struct hf_iscsi_loop **ret)
{
	*ret = NULL;
	return 0;
}

void hf_iscsi_loop_destroy(struct hf_iscsi_loop *il)
{
}

/* --- notify_posix.c --- */

void hf_notify(const char *state)
{
}

void hf_notify_status(const char *sentence)
{
}

/* --- the fence agent (command_posix.c): switches the other machine off, or fails, after a while
 * --- */

struct agent {
	struct hf_fence_agent *agent;
	struct sim_node *who, *victim;
	uint64_t starts;
	int number;
	struct hf_msg msg;
	bool success;
};

void hf_fence_agent_init(struct hf_fence_agent *a, struct hf_loop *loop)
{
	a->loop = loop;
	a->pidfd = -1;
}

static void agent_told(struct hf_msg *msg)
{
	struct agent *x = hf_container_of(msg, struct agent, msg);

	if (x->agent->pidfd != x->number)
		return; /* abandoned */
	x->agent->pidfd = -1;
	x->agent->ended(x->agent, x->success ? 0 : -EIO, x->success ? "" : "failed");
}

static void agent_ends(void *arg)
{
	struct agent *x = arg;

	if (!x->who->running || x->who->starts != x->starts || x->agent->pidfd != x->number)
		return;
	if (x->success) {
		sim_say("the fence agent of controller %u switches controller %u off", x->who->id,
			x->victim->id);
		sim_count(SIM_COUNT_FENCED);
		sim_node_power_off(x->victim);
	}
	x->msg.run = agent_told;
	hf_loop_post(x->agent->loop, &x->msg);
}

int hf_fence_agent_run(struct hf_fence_agent *a, const char *const *args, uint32_t limit_ms)
{
	struct agent *x = sim_alloc(sizeof(*x));
	static int number;

	x->agent = a;
	x->who = sim_node_of_loop(a->loop);
	x->victim = sim_node((unsigned)strtoul(args[1], NULL, 10));
	x->starts = x->who->starts;
	x->success = !sim_chance(&sim->sched, 150);
	x->number = a->pidfd = ++number;
	sim_after(sim_skewed(&sim->sched, 50 * SIM_MS, 3 * SIM_SECOND), agent_ends, x);
	return 0;
}

void hf_fence_agent_abandon(struct hf_fence_agent *a)
{
	a->pidfd = -1;
}
