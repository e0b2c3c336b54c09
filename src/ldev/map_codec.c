/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The map as bytes, for its record on the voting disks and for a controller that joins, and its
 * digest. Pure. Canonical: one map has one encoding, and decoding takes no other.
 */
#include "checksum.h"
#include "map.h"
#include "name_bytes.h"
#include "say.h"

#include <stdlib.h>

enum {
	MAP_VERSION = 1,
	MAP_HEAD_BYTES = 28,
	MAP_PDEV_BYTES_MAX = HF_POOL_UUID_BYTES + 1 + HF_NAME_MAX + 21,
	MAP_LDEV_BYTES_MAX = 39 + HF_POOL_UUID_BYTES + 1 + HF_NAME_MAX,
	MAP_EXTENT_BYTES = 18,
	MAP_ENCODED_MAX = MAP_HEAD_BYTES + HF_PDEVS_MAX * MAP_PDEV_BYTES_MAX +
			  HF_LDEVS_MAX * MAP_LDEV_BYTES_MAX + HF_EXTENTS_MAX * MAP_EXTENT_BYTES,

	PDEV_FLAG_VOTING = 1,
	LDEV_FLAG_WRITE_PROTECTED = 1,
	LDEV_FLAG_RETIRED = 2,
};

size_t hf_map_encoded_max(void)
{
	return MAP_ENCODED_MAX;
}

static void put_head(struct hf_wr *w, const struct hf_map *map)
{
	hf_wr_u32(w, MAP_VERSION);
	hf_wr_u64(w, map->generation);
	hf_wr_u32(w, map->next_id);
	hf_wr_u32(w, map->pdevs_len);
	hf_wr_u32(w, map->ldevs_len);
	hf_wr_u32(w, map->extents_len);
}

static void put_pdev(struct hf_wr *w, const struct hf_map_pdev *p)
{
	hf_wr_bytes(w, p->uuid, HF_POOL_UUID_BYTES);
	hf_name_put(w, p->name);
	hf_wr_u64(w, p->size_bytes);
	hf_wr_u64(w, p->data_offset_bytes);
	hf_wr_u32(w, p->block_bytes);
	hf_wr_u8(w, p->voting ? PDEV_FLAG_VOTING : 0);
}

static void get_pdev(struct hf_rd *r, struct hf_map_pdev *p)
{
	uint8_t flags;

	hf_rd_bytes(r, p->uuid, HF_POOL_UUID_BYTES);
	hf_name_get(r, p->name);
	p->size_bytes = hf_rd_u64(r);
	p->data_offset_bytes = hf_rd_u64(r);
	p->block_bytes = hf_rd_u32(r);
	flags = hf_rd_u8(r);
	p->voting = flags & PDEV_FLAG_VOTING;
	if (flags & ~PDEV_FLAG_VOTING)
		r->failed = true;
}

static void put_ldev(struct hf_wr *w, const struct hf_map_ldev *d, bool with_retired)
{
	hf_wr_u32(w, d->id);
	hf_name_put(w, d->name);
	hf_wr_bytes(w, d->uuid, HF_POOL_UUID_BYTES);
	hf_wr_u16(w, d->lun);
	hf_wr_u8(w, (uint8_t)d->layout);
	hf_wr_u32(w, d->block_bytes);
	hf_wr_u32(w, d->physical_block_bytes);
	hf_wr_u32(w, d->columns);
	hf_wr_u32(w, d->stripe_bytes);
	hf_wr_u64(w, d->size_bytes);
	hf_wr_u8(w, d->dominant);
	hf_wr_u8(w, (uint8_t)((d->write_protected ? LDEV_FLAG_WRITE_PROTECTED : 0) |
			      (d->retired && with_retired ? LDEV_FLAG_RETIRED : 0)));
	hf_wr_u16(w, d->slot);
	hf_wr_u32(w, d->extents_len);
}

static void get_ldev(struct hf_rd *r, struct hf_map_ldev *d)
{
	uint8_t flags;

	d->id = hf_rd_u32(r);
	hf_name_get(r, d->name);
	hf_rd_bytes(r, d->uuid, HF_POOL_UUID_BYTES);
	d->lun = hf_rd_u16(r);
	d->layout = hf_rd_u8(r);
	d->block_bytes = hf_rd_u32(r);
	d->physical_block_bytes = hf_rd_u32(r);
	d->columns = hf_rd_u32(r);
	d->stripe_bytes = hf_rd_u32(r);
	d->size_bytes = hf_rd_u64(r);
	d->dominant = hf_rd_u8(r);
	flags = hf_rd_u8(r);
	d->write_protected = flags & LDEV_FLAG_WRITE_PROTECTED;
	d->retired = flags & LDEV_FLAG_RETIRED;
	d->slot = hf_rd_u16(r);
	d->extents_len = hf_rd_u32(r);
	if (flags & ~(LDEV_FLAG_WRITE_PROTECTED | LDEV_FLAG_RETIRED))
		r->failed = true;
}

static void put_extent(struct hf_wr *w, const struct hf_extent *e)
{
	hf_wr_u16(w, e->pdev);
	hf_wr_u64(w, e->offset_bytes);
	hf_wr_u64(w, e->len_bytes);
}

int hf_map_encode(const struct hf_map *map, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	put_head(&w, map);
	for (unsigned i = 0; i < map->pdevs_len; i++)
		put_pdev(&w, &map->pdevs[i]);
	for (unsigned i = 0; i < map->ldevs_len; i++)
		put_ldev(&w, &map->ldevs[i], true);
	for (unsigned i = 0; i < map->extents_len; i++)
		put_extent(&w, &map->extents[i]);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

static int decode(struct hf_rd *r, struct hf_map *map, char *message, size_t message_len)
{
	uint32_t version = hf_rd_u32(r), extents = 0;

	if (version > MAP_VERSION) {
		hf_say(message, message_len,
			"the pool's map has version %u and this program knows versions up to %d; "
			"use a newer Holdfast",
			version, MAP_VERSION);
		return -EPROTO;
	}
	map->generation = hf_rd_u64(r);
	map->next_id = hf_rd_u32(r);
	map->pdevs_len = hf_rd_u32(r);
	map->ldevs_len = hf_rd_u32(r);
	map->extents_len = hf_rd_u32(r);
	if (version != MAP_VERSION || map->pdevs_len > HF_PDEVS_MAX ||
		map->ldevs_len > HF_LDEVS_MAX || map->extents_len > HF_EXTENTS_MAX)
		r->failed = true;
	for (unsigned i = 0; i < map->pdevs_len && !hf_rd_failed(r); i++)
		get_pdev(r, &map->pdevs[i]);
	for (unsigned i = 0; i < map->ldevs_len && !hf_rd_failed(r); i++) {
		get_ldev(r, &map->ldevs[i]);
		map->ldevs[i].first_extent = extents;
		/* Cannot wrap: the check below compares each with what is left. */
		extents += map->ldevs[i].extents_len;
		if (map->ldevs[i].extents_len > map->extents_len || extents > map->extents_len)
			r->failed = true;
	}
	for (unsigned i = 0; i < map->extents_len && !hf_rd_failed(r); i++) {
		map->extents[i].pdev = hf_rd_u16(r);
		map->extents[i].offset_bytes = hf_rd_u64(r);
		map->extents[i].len_bytes = hf_rd_u64(r);
	}
	if (hf_rd_failed(r) || hf_rd_left(r)) {
		hf_say(message, message_len, "the pool's map is damaged: its bytes do not add up");
		return -EBADMSG;
	}
	return hf_map_check(map, message, message_len);
}

int hf_map_decode(
	const uint8_t *buf, size_t len, struct hf_map *ret, char *message, size_t message_len)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_map *map = calloc(1, sizeof(*map));
	int error;

	if (!map) {
		hf_say(message, message_len, "no memory to read the pool's map");
		return -ENOMEM;
	}
	error = decode(&r, map, message, message_len);
	if (!error)
		*ret = *map;
	free(map);
	return error;
}

uint64_t hf_map_digest(const struct hf_map *map)
{
	uint8_t buf[MAP_LDEV_BYTES_MAX];
	struct hf_wr w = hf_wr_of(buf, sizeof(buf));
	uint64_t digest;

	put_head(&w, map);
	digest = hf_digest64(0, buf, hf_wr_len(&w));
	for (unsigned i = 0; i < map->pdevs_len; i++) {
		w = hf_wr_of(buf, sizeof(buf));
		put_pdev(&w, &map->pdevs[i]);
		digest = hf_digest64(digest, buf, hf_wr_len(&w));
	}
	for (unsigned i = 0; i < map->ldevs_len; i++) {
		w = hf_wr_of(buf, sizeof(buf));
		put_ldev(&w, &map->ldevs[i], false);
		digest = hf_digest64(digest, buf, hf_wr_len(&w));
	}
	for (unsigned i = 0; i < map->extents_len; i++) {
		w = hf_wr_of(buf, sizeof(buf));
		put_extent(&w, &map->extents[i]);
		digest = hf_digest64(digest, buf, hf_wr_len(&w));
	}
	hf_assert(!hf_wr_failed(&w));
	return digest;
}
