/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of the map: what map.c, map_alloc.c, map_check.c and map_codec.c share. Pure. */
#ifndef HF_LDEV_MAP_H
#define HF_LDEV_MAP_H

#include "format.h"

/* The physical devices an allocation may use, as indices into map->pdevs, in order. */
struct hf_map_disks {
	unsigned len;
	uint16_t at[HF_PDEVS_MAX];
};

/* First byte past what extents may use on this disk. */
static inline uint64_t hf_map_pdev_end(const struct hf_map_pdev *p)
{
	return p->size_bytes / HF_FORMAT_EXTENT_BYTES * HF_FORMAT_EXTENT_BYTES;
}

static inline uint32_t hf_map_pdev_block_bytes(const struct hf_map_pdev *p)
{
	return p->block_bytes ? p->block_bytes : 512;
}

/* Bytes in the extents of a logical device. */
uint64_t hf_map_capacity(const struct hf_map *map, const struct hf_map_ldev *d);
/* What sizes of this device are multiples of. */
uint64_t hf_map_size_unit(const struct hf_map_ldev *d);
/* APTPL slots that every voting disk has room for; 0 without voting disks. */
unsigned hf_map_slots(const struct hf_map *map);

/*
 * Plans extents for at least `bytes` more of `d` behind the map's own (map->extents from
 * extents_len on is the scratch), first fit in the order of `disks`. bytes UINT64_MAX: all there
 * is. Returns how many extents were planned, or -ENOSPC; then the scratch is zero again.
 */
int hf_map_plan(struct hf_map *map, const struct hf_map_ldev *d, const struct hf_map_disks *disks,
	uint64_t bytes);
/* Moves what was planned into place behind the extents of `d`, merging where it continues them. */
void hf_map_commit(struct hf_map *map, struct hf_map_ldev *d, unsigned planned);
/* Gives planned extents back. */
void hf_map_unplan(struct hf_map *map, unsigned planned);
/* Takes all extents of `d` out of the map. */
void hf_map_release(struct hf_map *map, struct hf_map_ldev *d);

#endif
