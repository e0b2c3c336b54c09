/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extents of the map: finding room and putting it in place. First fit, so that every controller
 * comes to the same extents from the same map. Called by map.c only; decides nothing about names
 * or sizes; allocates no memory: what is planned lies behind the extents in use.
 */
#include "map.h"

uint64_t hf_map_capacity(const struct hf_map *map, const struct hf_map_ldev *d)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < d->extents_len; i++)
		sum += map->extents[d->first_extent + i].len_bytes;
	return sum;
}

uint64_t hf_map_size_unit(const struct hf_map_ldev *d)
{
	if (d->layout == HF_LAYOUT_STRIPE)
		return d->stripe_bytes;
	return HF_MAX(d->block_bytes, d->physical_block_bytes);
}

uint64_t hf_map_free_bytes(const struct hf_map *map, unsigned pdev_index)
{
	const struct hf_map_pdev *p = &map->pdevs[pdev_index];
	uint64_t used = 0;

	hf_assert(pdev_index < map->pdevs_len);
	for (unsigned i = 0; i < map->extents_len; i++)
		if (map->extents[i].pdev == pdev_index)
			used += map->extents[i].len_bytes;
	return hf_map_pdev_end(p) - p->data_offset_bytes - used;
}

/*
 * The first gap on a disk at or after `from`; the first `extents_len` entries, planned ones
 * included, are in use. False: none.
 */
static bool next_gap(const struct hf_map *map, unsigned extents_len, uint16_t pdev, uint64_t from,
	struct hf_extent *ret)
{
	const struct hf_map_pdev *p = &map->pdevs[pdev];
	uint64_t at = HF_MAX(from, p->data_offset_bytes), end = hf_map_pdev_end(p);
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned i = 0; i < extents_len; i++) {
			const struct hf_extent *e = &map->extents[i];

			if (e->pdev == pdev && e->offset_bytes <= at &&
				at < e->offset_bytes + e->len_bytes) {
				at = e->offset_bytes + e->len_bytes;
				moved = true;
			}
		}
	}
	if (at >= end)
		return false;
	for (unsigned i = 0; i < extents_len; i++) {
		const struct hf_extent *e = &map->extents[i];

		if (e->pdev == pdev && e->offset_bytes > at)
			end = HF_MIN(end, e->offset_bytes);
	}
	*ret = (struct hf_extent){.pdev = pdev, .offset_bytes = at, .len_bytes = end - at};
	return true;
}

static int plan_linear(struct hf_map *map, const struct hf_map_disks *disks, uint64_t bytes)
{
	unsigned planned = 0;

	for (unsigned i = 0; i < disks->len && bytes; i++) {
		uint64_t from = 0;
		struct hf_extent gap;

		while (bytes &&
			next_gap(map, map->extents_len + planned, disks->at[i], from, &gap)) {
			if (map->extents_len + planned == HF_EXTENTS_MAX)
				goto full;
			if (bytes < gap.len_bytes)
				gap.len_bytes = HF_ROUND_UP(bytes, HF_FORMAT_EXTENT_BYTES);
			map->extents[map->extents_len + planned++] = gap;
			from = gap.offset_bytes + gap.len_bytes;
			bytes -= HF_MIN(bytes, gap.len_bytes);
		}
	}
full:
	return (int)planned;
}

/* The first gap of at least len bytes; false: none, and *ret_largest is the largest there is. */
static bool find_fit(const struct hf_map *map, unsigned extents_len, uint16_t pdev, uint64_t len,
	struct hf_extent *ret, uint64_t *ret_largest)
{
	uint64_t from = 0, largest = 0;
	struct hf_extent gap;

	while (next_gap(map, extents_len, pdev, from, &gap)) {
		if (gap.len_bytes >= len) {
			*ret = gap;
			return true;
		}
		largest = HF_MAX(largest, gap.len_bytes);
		from = gap.offset_bytes + gap.len_bytes;
	}
	*ret_largest = largest;
	return false;
}

/* One group of columns, each `len` long or as long as the narrowest column allows; 0: no room. */
static uint64_t plan_group(
	struct hf_map *map, const struct hf_map_disks *disks, unsigned planned, uint64_t len)
{
	unsigned base = map->extents_len + planned;

	if (base + disks->len > HF_EXTENTS_MAX)
		return 0;
	for (unsigned c = 0; c < disks->len && len; c++) {
		uint64_t largest = 0;
		struct hf_extent fit;

		if (!find_fit(map, base, disks->at[c], len, &fit, &largest))
			len = largest;
	}
	for (unsigned c = 0; c < disks->len && len; c++) {
		struct hf_extent *e = &map->extents[base + c];
		uint64_t largest;
		bool found = find_fit(map, base, disks->at[c], len, e, &largest);

		hf_assert(found);
		e->len_bytes = len;
	}
	return len;
}

static int plan_stripe(struct hf_map *map, const struct hf_map_disks *disks, uint64_t bytes)
{
	uint64_t column = bytes / disks->len + (bytes % disks->len != 0);
	unsigned planned = 0;

	column = column > UINT64_MAX / 2 / disks->len
			 ? UINT64_MAX / disks->len / HF_FORMAT_EXTENT_BYTES * HF_FORMAT_EXTENT_BYTES
			 : HF_ROUND_UP(column, HF_FORMAT_EXTENT_BYTES);
	while (column) {
		uint64_t len = plan_group(map, disks, planned, column);

		if (!len)
			break;
		planned += disks->len;
		column -= len;
	}
	return (int)planned;
}

int hf_map_plan(struct hf_map *map, const struct hf_map_ldev *d, const struct hf_map_disks *disks,
	uint64_t bytes)
{
	uint64_t sum = 0;
	int planned = d->layout == HF_LAYOUT_STRIPE ? plan_stripe(map, disks, bytes)
						    : plan_linear(map, disks, bytes);

	for (int i = 0; i < planned; i++)
		sum += map->extents[map->extents_len + (unsigned)i].len_bytes;
	if (sum >= bytes || (bytes == UINT64_MAX && sum))
		return planned;
	hf_map_unplan(map, (unsigned)planned);
	return -ENOSPC;
}

void hf_map_unplan(struct hf_map *map, unsigned planned)
{
	memset(&map->extents[map->extents_len], 0, planned * sizeof(map->extents[0]));
}

/* The first `width` planned extents continue the last `width` of the device. */
static bool continues(const struct hf_map *map, const struct hf_map_ldev *d, unsigned width)
{
	if (d->extents_len < width)
		return false;
	for (unsigned c = 0; c < width; c++) {
		const struct hf_extent *last =
			&map->extents[d->first_extent + d->extents_len - width + c];
		const struct hf_extent *next = &map->extents[map->extents_len + c];

		if (last->pdev != next->pdev ||
			last->offset_bytes + last->len_bytes != next->offset_bytes)
			return false;
	}
	return true;
}

static void reverse(struct hf_extent *e, unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		struct hf_extent t = e[i];

		e[i] = e[n - 1 - i];
		e[n - 1 - i] = t;
	}
}

void hf_map_commit(struct hf_map *map, struct hf_map_ldev *d, unsigned planned)
{
	unsigned width = d->layout == HF_LAYOUT_STRIPE ? d->columns : 1;
	unsigned at = d->first_extent + d->extents_len, behind = map->extents_len - at;
	struct hf_extent *scratch = &map->extents[map->extents_len];

	if (planned && continues(map, d, width)) {
		for (unsigned c = 0; c < width; c++)
			map->extents[at - width + c].len_bytes += scratch[c].len_bytes;
		planned -= width;
		memmove(scratch, scratch + width, planned * sizeof(*scratch));
		memset(scratch + planned, 0, width * sizeof(*scratch));
	}
	/* Rotate the planned ones in front of what belongs to the devices behind. */
	reverse(&map->extents[at], behind);
	reverse(&map->extents[at + behind], planned);
	reverse(&map->extents[at], behind + planned);
	d->extents_len += planned;
	map->extents_len += planned;
	for (unsigned i = (unsigned)(d - map->ldevs) + 1; i < map->ldevs_len; i++)
		map->ldevs[i].first_extent += planned;
}

void hf_map_release(struct hf_map *map, struct hf_map_ldev *d)
{
	unsigned n = d->extents_len, end = d->first_extent + n;

	memmove(&map->extents[d->first_extent], &map->extents[end],
		(map->extents_len - end) * sizeof(map->extents[0]));
	map->extents_len -= n;
	memset(&map->extents[map->extents_len], 0, n * sizeof(map->extents[0]));
	for (unsigned i = (unsigned)(d - map->ldevs) + 1; i < map->ldevs_len; i++)
		map->ldevs[i].first_extent -= n;
	d->extents_len = 0;
}
