/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator's pick (W18) in the group engine, in random walks (walk.h): two or three controllers
 * over the bus of band.h, which loses parts of the network and tells of quorum when it likes. A
 * device is picked at one who is alone, so all others leave, now and then in the middle of the
 * walk, and at its end.
 */
#include "band.h"
#include "walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct hf_bus_owner_ops owner_ops;

/* --- the owner: the pool is band's register, which nobody changes here --- */

static struct walk_unit *unit_of_node(void *owner)
{
	return &walk.units[((struct band_node *)owner)->index];
}

static const struct hf_bus_owner_ops *of_dev(uint32_t dev)
{
	return dev == HF_BUS_DEV_POOL ? &band_owner_ops : &walk_owner_ops;
}

static enum hf_bus_look own_look(void *owner, uint32_t dev, const void *op, size_t len)
{
	return of_dev(dev)->look(owner, dev, op, len);
}

static uint64_t own_digest(void *owner, uint32_t dev)
{
	return of_dev(dev)->digest(owner, dev);
}

static int own_snapshot(void *owner, uint32_t dev, uint8_t *buf, size_t cap)
{
	return of_dev(dev)->snapshot(owner, dev, buf, cap);
}

static int own_install(void *owner, uint32_t dev, const uint8_t *buf, size_t len)
{
	return of_dev(dev)->install(owner, dev, buf, len);
}

static void node_view_changed(void *owner, const struct hf_view *view)
{
	((struct band_node *)owner)->view = *view;
}

/* --- life --- */

static void start(struct walk_unit *u)
{
	walk_unit_begin(u);
	band_start(u->index);
	walk_unit_attach(u, band.nodes[u->index].bus);
}

static void killed(struct band_node *o)
{
	walk_unit_cut_off(&walk.units[o->index]);
}

static void stop(struct walk_unit *u)
{
	band_kill(u->index);
	walk_unit_end(u);
}

/* --- what happens --- */

static void pass_ms(unsigned ms)
{
	band_pass_ms(ms);
}

static bool step(void)
{
	unsigned above = walk_happen(UINT32_MAX);
	bool moved = true;

	if (above && walk_chance(2))
		walk_happen(walk_random(above));
	else
		moved = band_step() || above;
	walk_follow();
	return moved;
}

/* --- faults --- */

static bool any_missing_runs(const struct walk_unit *u)
{
	for (unsigned i = 0; i < walk.len; i++)
		if (walk.units[i].bus && !(u->view.members >> (i + 1) & 1))
			return true;
	return false;
}

/* All but one, so that a device can be picked there. */
static void all_others_leave(void)
{
	unsigned stays = walk_random(walk.len);

	for (unsigned i = 0; i < walk.len; i++)
		if (i != stays)
			walk_leave(&walk.units[i]);
}

static void random_fault(void)
{
	struct walk_unit *u = &walk.units[walk_random(walk.len)];
	unsigned part[BAND_MAX] = {0};
	char message[300];

	switch (walk_random(10)) {
	case 0:
		for (unsigned i = 0; i < walk.len; i++)
			part[i] = walk_random(2);
		band_parts(part);
		walk.counts.cuts++;
		return;
	case 1:
	case 2:
		band_heal();
		return;
	case 3:
		if (u->bus && walk_chance(2)) {
			stop(u);
			walk.counts.kills++;
		}
		return;
	case 4:
	case 5:
		if (!u->bus)
			start(u);
		else if (!any_missing_runs(u)) /* it is true */
			u->bus->ops->peer_down(u->bus, message, sizeof(message));
		return;
	case 6:
		if (walk_chance(2))
			walk_leave(u);
		return;
	case 7:
		if (walk_is_stopped(1) || walk_is_stopped(2))
			all_others_leave();
		return;
	case 8:
		walk_random_disk();
		return;
	case 9:
		if (walk_chance(3) && walk_delete(2))
			band.deleted |= 1u << 2;
		return;
	}
}

static void random_pick(void)
{
	uint32_t dev = 1 + walk_random(WALK_DEVS);
	struct walk_unit *u = &walk.units[walk_random(walk.len)];

	if (!u->bus || !walk_chance(u->devs[dev].stopped ? 10 : 200))
		return;
	walk_pick(u, dev, NULL);
	if (walk_chance(4)) /* said again, at once */
		walk_pick(u, dev, NULL);
}

static void random_step(void)
{
	if (walk_chance(5))
		walk_random_host(&walk.units[walk_random(walk.len)]);
	if (walk_chance(15))
		walk_differ(&walk.units[walk_random(walk.len)], 1 + walk_random(WALK_DEVS));
	random_pick();
	if (walk_chance(50))
		random_fault();
	if (walk_chance(60))
		pass_ms(1 + walk_random(walk_chance(10) ? 3000 : 60));
	else if (!step())
		pass_ms(1 + walk_random(40));
}

static void one_walk(uint64_t seed)
{
	unsigned len = 2 + (unsigned)(seed % 2), steps;

	band_set_up(len, seed * 7919);
	band.owner_ops = &owner_ops;
	band.on_kill = killed;
	band.lossy = true;
	band.no_check = true; /* they do differ */
	walk_begin(band.loop, len, seed * 7919 + 1);
	for (unsigned i = 0; i < len; i++)
		start(&walk.units[i]);
	walk_until(walk_are_together());
	steps = 300 + walk_random(900);
	for (unsigned s = 0; s < steps; s++)
		random_step();
	walk_come_to_an_end();
	for (unsigned i = 0; i < len; i++)
		stop(&walk.units[i]);
	walk_end();
	band_tear_down();
}

static const struct walk_engine engine = {
	.name = "group",
	.unit_of = unit_of_node,
	.view_changed = node_view_changed,
	.start = start,
	.stop = stop,
	.step = step,
	.pass_ms = pass_ms,
	.heal = band_heal,
	.picks_alone = true,
	.walk = one_walk,
};

int main(int argc, char **argv)
{
	owner_ops = walk_owner_ops;
	owner_ops.look = own_look;
	owner_ops.digest = own_digest;
	owner_ops.snapshot = own_snapshot;
	owner_ops.install = own_install;
	owner_ops.view_read = band_owner_ops.view_read;
	owner_ops.view_write = band_owner_ops.view_write;
	owner_ops.fence_ids = band_owner_ops.fence_ids;
	owner_ops.fence_end = band_owner_ops.fence_end;
	owner_ops.check = band_owner_ops.check;
	return walk_main(argc, argv, &engine, 1000);
}
