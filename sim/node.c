/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller: the objects that src/holdfastd/node.c wires, on loops in virtual time. Between the
 * engine and its owner sits a tap: it passes everything on and lets history.c and the oracles see.
 */
#include "sim.h"

#include <netinet/in.h>
#include <stdlib.h>

struct sim_node *sim_booting;

struct sim_node *sim_node(unsigned id)
{
	hf_assert(id >= 1 && id <= sim->nodes_len);
	return &sim->nodes[id - 1];
}

struct sim_node *sim_node_of_loop(const struct hf_loop *loop)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		for (unsigned k = 0; sim->nodes[i].node && k < SIM_LOOPS; k++)
			if (sim->nodes[i].node->loops[k] == loop)
				return &sim->nodes[i];
	hf_assert(!"a loop of a controller");
	return NULL;
}

static struct sim_node *node_of(void *owner)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (sim->nodes[i].node == owner)
			return &sim->nodes[i];
	hf_assert(!"the owner of a bus");
	return NULL;
}

const char *sim_view_name(enum hf_view_state s)
{
	static const char *const names[] = {
		"starting", "joining", "together", "frozen", "racing", "alone", "out"};

	return names[s];
}

bool sim_node_serves(const struct sim_node *n)
{
	return n->running && n->ports_open;
}

/* --- time: every machine has a clock of its own --- */

uint64_t sim_node_clock(const struct sim_node *n)
{
	int64_t drift = (int64_t)(sim->now / 1000000) * n->drift_ppm;

	return sim->now + (uint64_t)(n->clock_offset_ns + drift);
}

/* When the node's clock has come to `local`. */
static uint64_t world_time(const struct sim_node *n, uint64_t local)
{
	uint64_t now = sim_node_clock(n);

	if (local <= now)
		return sim->now;
	return sim->now + (uint64_t)((double)(local - now) / (1 + n->drift_ppm / 1e6)) + 1;
}

static uint64_t loop_next(struct sim_node *n, unsigned k)
{
	struct hf_loop *loop = n->node->loops[k];
	struct sim_node_loop *l = &n->loops[k];
	uint64_t next = hf_loop_sim_next_ns(loop);

	if (next == UINT64_MAX)
		return UINT64_MAX;
	if (next > hf_loop_now_ns(loop) && next > sim_node_clock(n)) {
		l->due_at = 0;
		return world_time(n, next) + l->jitter;
	}
	if (!l->due_at)
		l->due_at = sim->now;
	return l->due_at + l->jitter;
}

uint64_t sim_node_next(struct sim_node *n, unsigned *ret_loop)
{
	uint64_t best = UINT64_MAX;

	if (!n->running || n->paused)
		return UINT64_MAX;
	for (unsigned k = 0; k < SIM_LOOPS; k++) {
		uint64_t at = loop_next(n, k);

		if (at < best) {
			best = at;
			*ret_loop = k;
		}
	}
	return best;
}

static void turn(struct sim_node *n, unsigned k)
{
	struct hf_loop *loop = n->node->loops[k];

	n->loops[k].due_at = 0;
	n->loops[k].jitter = sim_skewed(&sim->sched, 200, sim->jitter_high_ns);
	hf_loop_sim_turn(loop, HF_MAX(sim_node_clock(n), hf_loop_now_ns(loop)));
}

void sim_node_turn(struct sim_node *n, unsigned k)
{
	sim_fence_turn(n, turn, k);
}

/* --- the tap between engine and owner --- */

static const struct hf_bus_owner_ops *const real = &hf_node_bus_ops;

static enum hf_bus_look tap_look(void *owner, uint32_t dev, const void *op, size_t len)
{
	return real->look(owner, dev, op, len);
}

static uint64_t tap_digest(void *owner, uint32_t dev)
{
	return real->digest(owner, dev);
}

static void tap_hold(void *owner, uint32_t dev, uint64_t n, const void *op, size_t len, bool mine)
{
	if (dev != HF_BUS_DEV_POOL)
		sim_seen_hold(node_of(owner), dev - 1, n, op, len, mine);
	else if (hf_pool_op_decode(op, len, &node_of(owner)->change))
		sim_fail("INV-2", "controller %u holds a change that cannot be read",
			node_of(owner)->id);
	real->hold(owner, dev, n, op, len, mine);
}

static void tap_unhold(void *owner, uint32_t dev, uint64_t n)
{
	if (dev != HF_BUS_DEV_POOL)
		sim_seen_unhold(node_of(owner), dev - 1);
	real->unhold(owner, dev, n);
}

static void tap_persist(void *owner, uint32_t dev, uint64_t n)
{
	real->persist(owner, dev, n);
}

static void tap_apply(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	real->apply(owner, dev, n, mine);
	if (dev != HF_BUS_DEV_POOL) {
		sim_seen_apply(node_of(owner), dev - 1, n, mine);
	} else {
		sim_map_applied(&node_of(owner)->change);
		sim_oracle_map_applied(node_of(owner));
	}
}

static void tap_answer(void *owner, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	if (prop->dev != HF_BUS_DEV_POOL && how == HF_BUS_ANSWER_APPLIED)
		sim_oracle_good(node_of(owner), prop->dev - 1);
	real->answer(owner, prop, how);
}

static void tap_doubt(void *owner, struct hf_bus_prop *prop)
{
	real->doubt(owner, prop);
}

static void tap_stopped(void *owner, uint32_t dev, const char *why)
{
	sim_fail("INV-2", "controller %u stops device %u: %s", node_of(owner)->id, dev, why);
}

static void tap_pick(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	real->pick(owner, dev, n, mine);
}

static void tap_resumed(void *owner, uint32_t dev)
{
	real->resumed(owner, dev);
}

static void tap_range_hold(void *owner, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks)
{
	real->range_hold(owner, dev, id, lba, blocks);
}

static void tap_range_unhold(void *owner, uint32_t dev, uint64_t id)
{
	real->range_unhold(owner, dev, id);
}

static void tap_range_doubt(void *owner, uint32_t dev, uint64_t id)
{
	real->range_doubt(owner, dev, id);
}

static uint32_t tap_next_dev(void *owner, uint32_t after)
{
	return real->next_dev(owner, after);
}

static int tap_snapshot(void *owner, uint32_t dev, uint8_t *buf, size_t cap)
{
	if (dev != HF_BUS_DEV_POOL)
		sim_seen_snapshot(node_of(owner), dev - 1);
	return real->snapshot(owner, dev, buf, cap);
}

static int tap_install(void *owner, uint32_t dev, const uint8_t *buf, size_t len)
{
	int ret = real->install(owner, dev, buf, len);

	if (ret == 0 && dev != HF_BUS_DEV_POOL)
		sim_seen_install(node_of(owner), dev - 1);
	return ret;
}

static void tap_load(void *owner)
{
	sim_count(SIM_COUNT_COLD);
	node_of(owner)->loading = true;
	real->load(owner);
}

static void tap_rewrite(void *owner)
{
	real->rewrite(owner);
}

static void tap_drop(void *owner)
{
	sim_seen_drop(node_of(owner));
	node_of(owner)->loading = false;
	real->drop(owner);
}

static void tap_view_read(void *owner)
{
	real->view_read(owner);
}

static void tap_view_write(void *owner, const uint8_t *record, size_t len)
{
	struct sim_node *n = node_of(owner);

	n->writing = hf_view_record_decode(record, len, &n->wanted) == 0;
	sim_say("controller %u writes the record: %x in epoch %u", n->id, n->wanted.members,
		(unsigned)n->wanted.epoch);
	real->view_write(owner, record, len);
}

static void tap_fence(void *owner, uint64_t epoch, uint64_t peer_incarnation)
{
	sim_count(SIM_COUNT_RACES);
	sim_oracle_fences(node_of(owner));
	real->fence(owner, epoch, peer_incarnation);
}

static void tap_fence_ids(void *owner, uint64_t epoch, uint32_t ids, const uint64_t *incarnations)
{
	sim_count(SIM_COUNT_RACES);
	real->fence_ids(owner, epoch, ids, incarnations);
}

static bool tap_fence_end(void *owner)
{
	return real->fence_end(owner);
}

static bool tap_fence_mend(void *owner)
{
	return real->fence_mend(owner);
}

static void tap_check(void *owner)
{
	real->check(owner);
}

static void tap_view_changed(void *owner, const struct hf_view *view)
{
	struct sim_node *n = node_of(owner);

	if (n->state != view->state) {
		sim_say("controller %u is %s, epoch %llu: %s", n->id, sim_view_name(view->state),
			(unsigned long long)view->epoch, view->why);
		if (view->state == HF_VIEW_TOGETHER)
			sim_count(SIM_COUNT_TOGETHER);
		else if (view->state == HF_VIEW_ALONE)
			sim_count(SIM_COUNT_ALONE);
		else if (view->state == HF_VIEW_FROZEN)
			sim_count(SIM_COUNT_FROZEN);
		else if (view->state == HF_VIEW_JOINING)
			sim_count(SIM_COUNT_JOINS);
	}
	sim_oracle_memory(n, view);
	n->state = view->state;
	sim_oracle_view(n, view);
	real->view_changed(owner, view);
}

static const struct hf_bus_owner_ops tap_ops = {
	.look = tap_look,
	.digest = tap_digest,
	.hold = tap_hold,
	.unhold = tap_unhold,
	.persist = tap_persist,
	.apply = tap_apply,
	.answer = tap_answer,
	.doubt = tap_doubt,
	.stopped = tap_stopped,
	.pick = tap_pick,
	.resumed = tap_resumed,
	.range_hold = tap_range_hold,
	.range_unhold = tap_range_unhold,
	.range_doubt = tap_range_doubt,
	.next_dev = tap_next_dev,
	.snapshot = tap_snapshot,
	.install = tap_install,
	.load = tap_load,
	.rewrite = tap_rewrite,
	.drop = tap_drop,
	.view_read = tap_view_read,
	.view_write = tap_view_write,
	.view_changed = tap_view_changed,
	.fence = tap_fence,
	.fence_end = tap_fence_end,
	.fence_mend = tap_fence_mend,
	.fence_ids = tap_fence_ids,
	.check = tap_check,
};

static void tap_drained(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	struct sim_node *who = node_of(bus->owner);

	if (dev != HF_BUS_DEV_POOL)
		sim_seen_drained(who, dev - 1, n, result);
	who->engine_ops->drained(bus, dev, n, result);
}

/* The newest record that anybody has written or read: who may serve. */
static void tap_view_io_done(struct hf_bus *bus, const uint8_t *record, int result)
{
	struct sim_node *who = node_of(bus->owner);
	struct hf_view_record r;

	if (who->writing)
		sim_say("controller %u has written the record: %d", who->id, result);
	else if (result > 0 && !hf_view_record_decode(record, (size_t)result, &r))
		sim_say("controller %u reads the record: %x in epoch %u", who->id, r.members,
			(unsigned)r.epoch);
	if (who->writing && result == 0 && who->wanted.epoch >= sim->record.epoch)
		sim->record = who->wanted;
	if (!who->writing && result > 0 && hf_view_record_decode(record, (size_t)result, &r) == 0 &&
		r.epoch > sim->record.epoch)
		sim->record = r;
	who->writing = false;
	who->engine_ops->view_io_done(bus, record, result);
}

static void tap_loaded(struct hf_bus *bus, int result)
{
	struct sim_node *who = node_of(bus->owner);

	if (result == 0 && who->loading)
		sim_seen_loaded(who);
	who->loading = false;
	who->engine_ops->loaded(bus, result);
}

/* --- life --- */

static void configure(struct sim_node *n)
{
	struct hf_config *c = &n->config;

	snprintf(c->cluster, sizeof(c->cluster), "sim");
	c->controllers_len = sim->nodes_len;
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		struct hf_config_controller *k = &c->controllers[i];

		k->id = (uint8_t)(i + 1);
		k->rtpi = (uint16_t)(i + 1);
		snprintf(k->name, sizeof(k->name), "c%u", i + 1);
		k->bus_len = SIM_LINKS;
		for (unsigned l = 0; l < SIM_LINKS; l++) {
			struct sockaddr_in *in = &k->bus[l].in;

			in->sin_family = AF_INET;
			in->sin_addr.s_addr = i + 1;
			in->sin_port = (in_port_t)l;
			k->bus[l].len = sizeof(*in);
		}
	}
	c->bus = sim->group ? HF_CONFIG_BUS_COROSYNC : HF_CONFIG_BUS_PAIR;
	c->stop_without_quorum = sim->stops_without_quorum;
	c->controller = n->id;
	c->self = &c->controllers[n->id - 1];
	c->disks.len = SIM_DISKS;
	c->disks.urls = sim_alloc(SIM_DISKS * sizeof(*c->disks.urls));
	for (unsigned i = 0; i < SIM_DISKS; i++)
		snprintf(c->disks.urls[i], sizeof(c->disks.urls[i]), "sim:%u", i);
	snprintf(c->iscsi.target_name, sizeof(c->iscsi.target_name), "iqn.sim");
	c->bound_ms = sim->bound_ms;
	c->silence_ms = sim->silence_ms;
	c->retry_ms = 1;
	c->loops = SIM_LOOPS;
	c->on_peer_loss = sim->fences ? HF_CONFIG_FENCE : HF_CONFIG_FREEZE;
	c->fence.driver = sim->driver;
	c->fence.command_ms = 10000;
	c->fence.watchdog_ms = 2000;
	c->fence.path_ms = 500;
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		c->controllers[i].fence_args_len = 2;
		c->controllers[i].fence_args[0] = "agent";
		c->controllers[i].fence_args[1] = sim_alloc(12);
		snprintf(c->controllers[i].fence_args[1], 12, "%u", i + 1);
	}
}

void sim_nodes_init(void)
{
	sim->nodes = sim_alloc(sim->nodes_len * sizeof(*sim->nodes));
	for (unsigned i = 0; i < sim->nodes_len; i++) {
		struct sim_node *n = &sim->nodes[i];

		n->id = i + 1;
		n->machine_up = true;
		n->clock_offset_ns = (int64_t)sim_below(&sim->sched, 100000 * SIM_SECOND);
		n->drift_ppm = (int32_t)sim_below(&sim->sched, 401) - 200;
		configure(n);
	}
}

static void try_again(void *arg)
{
	struct sim_node *n = arg;

	if (!n->running && n->machine_up && sim->now >= n->retry_at)
		sim_node_start(n);
}

/* Its memory is not given back, but for what is large: the next one shall not have to ask for more.
 */
static void bury(struct hf_node *node)
{
	for (unsigned k = 0; k < SIM_LOOPS; k++) {
		hf_loop_destroy(node->loops[k]);
	}
	hf_node_pool_fini(node);
}

void sim_nodes_end(void)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (sim->nodes[i].node)
			bury(sim->nodes[i].node);
}

void sim_node_start_later(struct sim_node *n, uint64_t delay_ns)
{
	n->retry_at = sim->now + delay_ns;
	sim_after(delay_ns, try_again, n);
}

static void tap(struct sim_node *n)
{
	struct hf_bus *bus = n->node->bus;

	n->engine_ops = bus->ops;
	n->bus_ops = *bus->ops;
	n->bus_ops.drained = tap_drained;
	n->bus_ops.loaded = tap_loaded;
	n->bus_ops.view_io_done = tap_view_io_done;
	bus->ops = &n->bus_ops;
	bus->owner_ops = &tap_ops;
}

void sim_node_start(struct sim_node *n)
{
	char message[HF_CONFIG_MESSAGE] = "";

	if (n->running || !n->machine_up)
		return;
	sim_agreed_machine_up(n->id);
	n->starts++;
	memset(n->listeners, 0, sizeof(n->listeners));
	sim_seen_drop(n);
	n->state = HF_VIEW_STARTING;
	n->leaving = n->ports_open = n->writing = n->loading = false;
	n->fences = 0;
	sim_booting = n;
	if (hf_node_create(&n->config, false, false, &n->node, message, sizeof(message))) {
		sim_booting = NULL;
		n->node = NULL;
		sim_say("controller %u does not start: %s", n->id, message);
		sim_node_start_later(n, 100 * SIM_MS + sim_below(&sim->sched, SIM_SECOND));
		return;
	}
	sim_booting = NULL;
	n->running = true;
	n->paused = false;
	tap(n);
	memset(n->loops, 0, sizeof(n->loops));
	sim_say("controller %u starts, incarnation %llu", n->id, (unsigned long long)n->starts);
}

void sim_node_crash(struct sim_node *n, bool machine)
{
	if (!n->running)
		return;
	sim_say("controller %u: the %s dies", n->id, machine ? "machine" : "process");
	n->running = n->ports_open = n->paused = false;
	n->machine_up = !machine;
	sim_disk_node_down(n->id, machine);
	if (machine)
		sim_fence_machine_down(n->id);
	sim_net_node_down(n->id, machine);
	sim_agreed_node_down(n->id, machine);
	sim_hosts_node_down(n, machine);
	sim_seen_drop(n);
	bury(n->node);
	n->node = NULL;
}

static void power_on(void *arg)
{
	struct sim_node *n = arg;

	n->machine_up = true;
	sim_node_start(n);
}

void sim_node_power_off(struct sim_node *n)
{
	if (n->running) {
		sim_node_crash(n, true);
	} else {
		sim_disk_node_down(n->id, true); /* what a dead process had left */
		n->machine_up = false;
		sim_agreed_node_down(n->id, true);
	}
	sim_after(2 * SIM_SECOND + sim_below(&sim->sched, 4 * SIM_SECOND), power_on, n);
}

void sim_node_pause(struct sim_node *n, bool paused)
{
	if (!n->running || n->paused == paused)
		return;
	sim_say("controller %u %s", n->id, paused ? "is paused" : "goes on");
	n->paused = paused;
	n->woke_at = sim->now;
}

void sim_node_leave(struct sim_node *n)
{
	if (!n->running || n->leaving)
		return;
	sim_say("controller %u is told to leave", n->id);
	n->leaving = true;
	hf_node_leave(n->node);
}
