/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of a map, one by one, for maps that come from a disk or from another controller. Pure.
 * Every map that hf_map_apply() makes passes; the tests ask after each step.
 */
#include "map.h"
#include "say.h"

#define broken(m, n, ...) (hf_say(m, n, "the pool's map is damaged: " __VA_ARGS__), -EBADMSG)

static bool same_uuid(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, HF_POOL_UUID_BYTES) == 0;
}

static bool is_power_of_2(uint64_t n)
{
	return n && !(n & (n - 1));
}

static int check_pdev(const struct hf_map *map, unsigned i, char *m, size_t n)
{
	const struct hf_map_pdev *p = &map->pdevs[i];

	if (!hf_name_is_valid(p->name))
		return broken(m, n, "disk %u has no valid name", i);
	if (p->data_offset_bytes < HF_FORMAT_EXTENT_BYTES ||
		p->data_offset_bytes % HF_FORMAT_EXTENT_BYTES || p->size_bytes > UINT64_MAX / 4 ||
		hf_map_pdev_end(p) <= p->data_offset_bytes)
		return broken(m, n, "the sizes of disk '%s' do not fit", p->name);
	if (p->block_bytes && p->block_bytes != 512 && p->block_bytes != 4096)
		return broken(m, n, "the block size of disk '%s' is %u", p->name, p->block_bytes);
	for (unsigned k = 0; k < i; k++)
		if (same_uuid(map->pdevs[k].uuid, p->uuid) ||
			strcmp(map->pdevs[k].name, p->name) == 0)
			return broken(m, n, "disk '%s' is in it twice", p->name);
	return 0;
}

static int check_shape(const struct hf_map_ldev *d, char *m, size_t n)
{
	bool stripe = d->layout == HF_LAYOUT_STRIPE;

	if (!stripe && d->layout != HF_LAYOUT_LINEAR)
		return broken(m, n, "'%s' has layout %d", d->name, (int)d->layout);
	if ((d->block_bytes != 512 && d->block_bytes != 4096) ||
		!is_power_of_2(d->physical_block_bytes) ||
		d->physical_block_bytes < d->block_bytes || d->physical_block_bytes > 64 << 10)
		return broken(m, n, "'%s' has blocks of %u on %u bytes", d->name, d->block_bytes,
			d->physical_block_bytes);
	if (stripe ? !d->columns || d->columns > HF_LDEV_COLUMNS_MAX ||
				!is_power_of_2(d->stripe_bytes) ||
				d->stripe_bytes < HF_FORMAT_BLOCK_BYTES ||
				d->stripe_bytes < d->physical_block_bytes ||
				d->stripe_bytes > HF_FORMAT_EXTENT_BYTES
		   : d->columns || d->stripe_bytes)
		return broken(m, n, "'%s' has %u columns in stripes of %u bytes", d->name,
			d->columns, d->stripe_bytes);
	if (d->dominant >= HF_CONTROLLER_IDS && d->dominant != HF_DOMINANT_DEFAULT)
		return broken(m, n, "'%s' is dominated by controller %u", d->name, d->dominant);
	return 0;
}

static int check_unique(const struct hf_map *map, unsigned i, char *m, size_t n)
{
	const struct hf_map_ldev *d = &map->ldevs[i];

	if (!hf_name_is_valid(d->name))
		return broken(m, n, "logical device %u has no valid name", d->id);
	if (!d->id || d->id >= map->next_id)
		return broken(m, n, "'%s' has id %u and the next one is %u", d->name, d->id,
			map->next_id);
	if (d->lun > HF_LUN_MAX || d->slot >= hf_map_slots(map))
		return broken(m, n, "'%s' has LUN %u and slot %u", d->name, d->lun, d->slot);
	for (unsigned k = 0; k < i; k++) {
		const struct hf_map_ldev *e = &map->ldevs[k];

		if (e->id == d->id || e->lun == d->lun || e->slot == d->slot ||
			same_uuid(e->uuid, d->uuid) || strcmp(e->name, d->name) == 0)
			return broken(m, n, "'%s' and '%s' share name, id, LUN, slot or identity",
				e->name, d->name);
	}
	return 0;
}

/* Extents of one device: on its disks, groups of equal columns, no more than the size needs. */
static int check_extents(const struct hf_map *map, const struct hf_map_ldev *d, char *m, size_t n)
{
	const struct hf_extent *e = &map->extents[d->first_extent];
	unsigned width = d->layout == HF_LAYOUT_STRIPE ? d->columns : 1;
	uint64_t sum = 0;

	if (!d->extents_len || d->extents_len % width)
		return broken(m, n, "'%s' has %u extents", d->name, d->extents_len);
	for (unsigned i = 0; i < d->extents_len; i++) {
		const struct hf_map_pdev *p;

		if (e[i].pdev >= map->pdevs_len)
			return broken(
				m, n, "extent %u of '%s' is on disk %u", i, d->name, e[i].pdev);
		p = &map->pdevs[e[i].pdev];
		if (!e[i].len_bytes || e[i].offset_bytes % HF_FORMAT_EXTENT_BYTES ||
			e[i].len_bytes % HF_FORMAT_EXTENT_BYTES ||
			e[i].offset_bytes < p->data_offset_bytes ||
			e[i].offset_bytes > hf_map_pdev_end(p) ||
			e[i].len_bytes > hf_map_pdev_end(p) - e[i].offset_bytes)
			return broken(m, n, "extent %u of '%s' is outside of its disk", i, d->name);
		if (hf_map_pdev_block_bytes(p) > d->block_bytes)
			return broken(m, n, "the blocks of disk '%s' are too large for '%s'",
				p->name, d->name);
		if (e[i].len_bytes != e[i / width * width].len_bytes)
			return broken(m, n, "the columns of '%s' are not equally long", d->name);
		for (unsigned c = i / width * width; c < i; c++)
			if (e[c].pdev == e[i].pdev)
				return broken(m, n, "two columns of '%s' are on disk '%s'", d->name,
					p->name);
		sum += e[i].len_bytes;
	}
	if (!d->size_bytes || d->size_bytes % hf_map_size_unit(d) || d->size_bytes > sum ||
		sum - d->size_bytes >= width * HF_FORMAT_EXTENT_BYTES)
		return broken(m, n, "'%s' has %llu bytes in extents of %llu", d->name,
			(unsigned long long)d->size_bytes, (unsigned long long)sum);
	return 0;
}

static int check_overlap(const struct hf_map *map, char *m, size_t n)
{
	for (unsigned i = 0; i < map->extents_len; i++) {
		const struct hf_extent *a = &map->extents[i];

		for (unsigned k = 0; k < i; k++) {
			const struct hf_extent *b = &map->extents[k];

			if (a->pdev == b->pdev &&
				a->offset_bytes < b->offset_bytes + b->len_bytes &&
				b->offset_bytes < a->offset_bytes + a->len_bytes)
				return broken(m, n, "extents %u and %u overlap on disk '%s'", k, i,
					map->pdevs[a->pdev].name);
		}
	}
	return 0;
}

int hf_map_check(const struct hf_map *map, char *message, size_t message_len)
{
	unsigned voting = 0, extents = 0;
	int r = 0;

	if (map->pdevs_len > HF_PDEVS_MAX || map->ldevs_len > HF_LDEVS_MAX ||
		map->extents_len > HF_EXTENTS_MAX)
		return broken(message, message_len, "%u disks, %u devices, %u extents",
			map->pdevs_len, map->ldevs_len, map->extents_len);
	for (unsigned i = 0; i < map->pdevs_len && !r; i++) {
		r = check_pdev(map, i, message, message_len);
		voting += map->pdevs[i].voting;
	}
	if (!r && voting > 3)
		r = broken(message, message_len, "%u disks are voting", voting);
	for (unsigned i = 0; i < map->ldevs_len && !r; i++) {
		const struct hf_map_ldev *d = &map->ldevs[i];

		if (d->first_extent != extents || d->extents_len > map->extents_len - extents)
			return broken(message, message_len, "device %u has extents %u to %u", d->id,
				d->first_extent, d->first_extent + d->extents_len);
		extents += d->extents_len;
		if ((r = check_unique(map, i, message, message_len)) ||
			(r = check_shape(d, message, message_len)))
			break;
		r = check_extents(map, d, message, message_len);
	}
	if (!r && extents != map->extents_len)
		r = broken(message, message_len, "%u extents belong to no device",
			map->extents_len - extents);
	return r ? r : check_overlap(map, message, message_len);
}
