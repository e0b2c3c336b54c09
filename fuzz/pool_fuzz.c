/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lies on disks and what changes it: labels, the map, records, and ops on the pool. The first
 * byte chooses. Checksums are made right when the input asks for it, so that what is behind them
 * gets its share. What is accepted is canonical, and a map keeps its rules through every op.
 */
#include "bytes.h"
#include "checksum.h"
#include "record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char message[512];
static uint8_t block[HF_FORMAT_BLOCK_BYTES];

/* What this program would write for such a disk it takes, too. */
static void relabel(const struct hf_label *l)
{
	struct hf_label mine = *l, back;

	hf_cluster_id(l->name, mine.cluster);
	mine.data_offset_bytes = hf_format_data_offset(l->size_bytes, l->voting);
	if (mine.size_bytes < mine.data_offset_bytes + HF_FORMAT_EXTENT_BYTES)
		return;
	hf_label_encode(&mine, block);
	hf_assert(!hf_label_decode(block, &back, message, sizeof(message)));
	hf_assert(!memcmp(back.cluster, mine.cluster, sizeof(back.cluster)));
}

static void label(const uint8_t *data, size_t size)
{
	uint8_t back[HF_FORMAT_BLOCK_BYTES];
	struct hf_label l;
	bool sealed = size && data[0] & 1;

	memset(block, 0, sizeof(block));
	memcpy(block, data + !!size, HF_MIN(size - !!size, sizeof(block)));
	if (sealed)
		hf_put_be32(block + sizeof(block) - 4, hf_crc32c(0, block, sizeof(block) - 4));
	message[0] = '\0';
	if (hf_label_decode(block, &l, message, sizeof(message))) {
		hf_assert(message[0]);
		return;
	}
	hf_assert(hf_name_is_valid(l.name) && l.data_offset_bytes < l.size_bytes);
	hf_label_encode(&l, back);
	hf_assert(!memcmp(block, back, sizeof(block)));
	relabel(&l);
}

/* Carries out what ops the rest of the input holds; `data` is a sequence of length, op. */
static void ops(struct hf_map *map, struct hf_rd *r)
{
	static uint8_t back[4096];

	while (hf_rd_left(r) >= 2) {
		uint64_t before = hf_map_digest(map);
		uint16_t len = hf_rd_u16(r);
		const uint8_t *bytes;
		struct hf_pool_op op;
		int err;

		len = (uint16_t)HF_MIN((size_t)len, hf_rd_left(r));
		bytes = hf_rd_take(r, len);
		if (hf_pool_op_decode(bytes, len, &op))
			continue;
		hf_assert(hf_pool_op_encode(&op, back, sizeof(back)) == len);
		hf_assert(!memcmp(back, bytes, len));
		message[0] = '\0';
		if (op.kind == HF_POOL_DELETE && hf_map_find_ldev(map, op.name))
			hf_map_set_retired(map, hf_map_find_ldev(map, op.name)->id, true);
		err = hf_map_apply(map, &op, message, sizeof(message));
		hf_assert(err == 0 || (message[0] && hf_map_digest(map) == before));
		hf_assert(hf_map_check(map, message, sizeof(message)) == 0);
	}
}

/* Every byte of a logical device lies somewhere, inside its disk. */
static void walk(const struct hf_map *map)
{
	static struct hf_pdev *pdevs[HF_PDEVS_MAX];

	for (unsigned i = 0; i < map->ldevs_len; i++) {
		struct hf_ldev *d = hf_ldev_create(map, &map->ldevs[i], pdevs);
		uint64_t at = 0, step;

		hf_assert(d);
		for (unsigned n = 0; n < 64 && at < d->size_bytes; n++, at += step) {
			uint64_t offset, len = HF_MIN(d->size_bytes - at, UINT64_C(1) << 20);
			uint16_t pdev;

			step = hf_ldev_map(d, at, len, &pdev, &offset);
			hf_assert(step && step <= len && pdev < map->pdevs_len);
			hf_assert(offset >= map->pdevs[pdev].data_offset_bytes);
			hf_assert(offset + step <= map->pdevs[pdev].size_bytes);
		}
		hf_ldev_destroy(d);
	}
}

static void map_then_ops(const uint8_t *data, size_t size)
{
	struct hf_map *map = calloc(1, sizeof(*map));
	struct hf_rd r = hf_rd_of(data, size);
	uint16_t len = hf_rd_u16(&r);
	uint8_t *back = malloc(hf_map_encoded_max());

	hf_assert(map && back);
	len = (uint16_t)HF_MIN((size_t)len, hf_rd_left(&r));
	message[0] = '\0';
	if (len && hf_map_decode(r.at, len, map, message, sizeof(message))) {
		hf_assert(message[0] && !map->pdevs_len && !map->generation);
	} else if (len) {
		hf_assert(hf_map_encode(map, back, hf_map_encoded_max()) == len);
		hf_assert(!memcmp(back, r.at, len));
	}
	hf_rd_take(&r, len);
	ops(map, &r);
	walk(map);
	hf_assert(hf_map_encode(map, back, hf_map_encoded_max()) > 0);
	free(back);
	free(map);
}

static const struct hf_label voting = {.uuid = "fuzz", .cluster = "fuzz"};

/* Three disks with two copies each: a byte says what is known of each, the rest is a copy. */
static void record(const uint8_t *data, size_t size)
{
	struct hf_record_place place = {HF_RECORD_SLOT, 0, &voting};
	struct hf_rd r = hf_rd_of(data, size);
	struct hf_record_disk disks[3];
	struct hf_record_verdict v;

	for (unsigned i = 0; i < 3; i++) {
		struct hf_record_disk *d = &disks[i];

		*d = (struct hf_record_disk){.best = -1};
		for (unsigned c = 0; c < HF_RECORD_COPIES; c++) {
			uint8_t how = hf_rd_u8(&r);
			struct hf_record_head h = {.generation = how >> 3, .len = how & 7};

			h.promised = h.generation > 20 ? h.generation + 3 : 0;

			memset(block, 0, sizeof(block));
			if (how & 1 && h.generation)
				hf_record_seal(&place, c, &h, block + HF_RECORD_HEAD_BYTES, block);
			if (how & 2)
				block[hf_rd_u8(&r)] ^= hf_rd_u8(&r);
			d->copies[c] = how & 4 ? HF_RECORD_COPY_UNREAD
					       : hf_record_look(&place, c, block, &d->heads[c]);
			if (d->copies[c] == HF_RECORD_COPY_HEADED)
				d->copies[c] = hf_record_look_whole(
					&place, c, block, sizeof(block), &d->heads[c]);
		}
		hf_assert(hf_record_judge(d) == -1);
		/* The copy that is best is never the one to be written. */
		hf_assert(hf_record_target(d) != d->best || d->best < 0);
		d->digest = d->best < 0 ? 0 : d->heads[d->best].len;
	}
	for (unsigned n = 1; n <= 3; n += 2) {
		v = hf_record_decide(disks, n);
		hf_assert(v.winner < (int)n && (v.winner < 0 || !v.result));
		for (unsigned i = 0; i < n; i++)
			hf_assert(disks[i].best < 0 ||
				  hf_record_next_generation(disks, n) >
					  disks[i].heads[disks[i].best].generation);
		hf_assert(hf_record_next_generation(disks, n) > hf_record_promised(disks, n));
		hf_assert(!v.result || !hf_record_is_settled(disks, n) || v.result == -EBADMSG);
	}
}

/* A block as it might lie on a disk, for every kind of record. */
static void record_block(const uint8_t *data, size_t size)
{
	struct hf_record_head h, whole;

	memset(block, 0, sizeof(block));
	memcpy(block, data, HF_MIN(size, sizeof(block)));
	for (unsigned kind = HF_RECORD_VIEW; kind <= HF_RECORD_LEASE; kind++) {
		struct hf_record_place place = {kind, 0, &voting};
		enum hf_record_copy c = hf_record_look(&place, 0, block, &h);

		if (c != HF_RECORD_COPY_VALID && c != HF_RECORD_COPY_HEADED)
			continue;
		hf_assert(h.len <= hf_record_capacity(kind) && h.generation);
		if (c == HF_RECORD_COPY_VALID)
			hf_assert(
				hf_record_look_whole(&place, 0, block, sizeof(block), &whole) == c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const decoders[])(const uint8_t *data, size_t size) = {
		label, map_then_ops, record, record_block};

	if (size)
		decoders[data[0] % HF_ARRAY_LEN(decoders)](data + 1, size - 1);
	return 0;
}
