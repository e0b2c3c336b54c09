/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The map: of one number one map everywhere (INV-2); what was changed is there after a start of
 * all, and what was deleted is not (INV-6); as a device is deleted nothing of it is in flight
 * (INV-8); at the end all controllers have the same devices, and say the same of their sizes.
 */
#include "sim.h"

enum { GENERATIONS = 1024 };

static uint64_t digests[GENERATIONS]; /* of the maps that were settled */
static uint64_t newest;		      /* of their numbers */

void sim_oracle_map_init(void)
{
	memset(digests, 0, sizeof(digests));
	newest = 0;
}

static void is_born(struct sim_node *n, unsigned dev)
{
	struct sim_dev *d = &sim->devs[dev];

	sim_say("device %u is there", dev);
	d->born = true;
	sim->devs_len = HF_MAX(sim->devs_len, dev + 1);
	sim_history_begins(n, dev);
}

static void is_deleted(unsigned dev)
{
	struct sim_dev *d = &sim->devs[dev];

	sim_say("device %u is deleted", dev);
	if (!hf_list_is_empty(&d->accesses))
		sim_fail("INV-8", "device %u is deleted while a host's access is in flight", dev);
	d->deleted = true;
	sim_oracle_extents_free(dev);
}

void sim_oracle_map_applied(struct sim_node *n)
{
	const struct hf_map *map = n->node->pool.cur;
	uint64_t *digest = &digests[map->generation % GENERATIONS];
	bool is_news = map->generation > newest; /* else n is behind */

	if (!*digest)
		*digest = n->node->pool.digest;
	if (*digest != n->node->pool.digest && !sim->operator_erred)
		sim_fail("INV-2", "map %u at controller %u is another one than elsewhere",
			(unsigned)map->generation, n->id);
	newest = HF_MAX(newest, map->generation);
	for (unsigned i = SIM_DEVS_BEGIN; i < SIM_DEVS; i++) {
		struct sim_dev *d = &sim->devs[i];
		bool here = hf_map_find_id(map, d->id);

		if (here && !d->born)
			is_born(n, i);
		else if (here && !n->at[i].life)
			sim_history_begins(n, i);
		if (here)
			continue;
		n->at[i].life = NULL;
		if (is_news && d->born && !d->deleted)
			is_deleted(i);
	}
}

/* All have lost their memory, and n has read the map. */
void sim_oracle_map_loaded(struct sim_node *n)
{
	for (unsigned i = SIM_DEVS_BEGIN; i < SIM_DEVS; i++) {
		struct sim_dev *d = &sim->devs[i];
		bool here = hf_map_find_id(n->node->pool.cur, d->id);

		if (here && d->deleted && !sim->operator_erred)
			sim_fail("INV-6", "controller %u loads device %u, which was deleted", n->id,
				i);
		if (!here && d->born && !d->deleted && !d->deleting && !sim->operator_erred)
			sim_fail("INV-6", "controller %u loads a map without device %u", n->id, i);
		if (here) {
			d->born = true;
			sim->devs_len = HF_MAX(sim->devs_len, i + 1);
		} else if (d->born && !d->deleted && !sim->operator_erred) {
			is_deleted(i); /* else the other one may have it, and be the one that is
					  kept */
		}
	}
}

/* What two histories have left: the devices that all have now, and no others. */
void sim_oracle_map_is_one(void)
{
	const struct hf_map *map = sim->nodes[0].node->pool.cur;

	for (unsigned i = SIM_DEVS_BEGIN; i < SIM_DEVS; i++) {
		struct sim_dev *d = &sim->devs[i];

		if (hf_map_find_id(map, d->id))
			d->deleted = false;
		else if (d->born && !d->deleted)
			is_deleted(i);
	}
}

bool sim_oracle_maps_are_settled(void)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (sim->nodes[i].node->pool.pending)
			return false;
	return true;
}

void sim_oracle_maps_quiet(void)
{
	const struct hf_node_pool *first = &sim->nodes[0].node->pool;

	for (unsigned i = 0; i < sim->nodes_len; i++) {
		struct hf_node *node = sim->nodes[i].node;

		if (node->pool.pending)
			sim_fail("INV-9", "controller %u holds the map for ever", i + 1);
		if (node->pool.digest != first->digest)
			sim_fail("INV-2", "controllers 1 and %u have different maps", i + 1);
		for (unsigned k = 0; k < first->cur->ldevs_len; k++) {
			const struct hf_map_ldev *d = &first->cur->ldevs[k];
			struct hf_lu_status s;

			if (!hf_lu_status(node->lus, d->id, &s))
				sim_fail("INV-2", "device %u is not there at controller %u",
					d->id - 1, i + 1);
			if (s.info->blocks * s.info->block_bytes != d->size_bytes)
				sim_fail("INV-2", "device %u has another size at controller %u",
					d->id - 1, i + 1);
		}
	}
}
