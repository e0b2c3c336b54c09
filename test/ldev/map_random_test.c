/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random sequences of operations on the map: after each one the map's rules hold, a refusal has
 * changed nothing, a second controller that got the same bytes has the same map, what was there
 * before a growth lies where it lay, and a device's bytes are nobody else's (R8, R9).
 */
#include "kit.h"
#include "map.h"

enum {
	SEQUENCES = 60,
	STEPS = 120,
	NAMES = 12,
};

static void random_name(uint64_t *rng, char name[HF_NAME_MAX + 1])
{
	snprintf(name, HF_NAME_MAX + 1, "n%u", (unsigned)kit_below(rng, NAMES));
}

static void random_disks(uint64_t *rng, const struct hf_map *map, struct hf_pool_op *op)
{
	op->pdevs_len = (unsigned)kit_below(rng, 4);
	for (unsigned i = 0; i < op->pdevs_len; i++)
		snprintf(op->pdevs[i], sizeof(op->pdevs[i]), "d%u",
			(unsigned)kit_below(rng, map->pdevs_len + (kit_below(rng, 20) == 0)));
}

static struct hf_pool_op random_op(uint64_t *rng, const struct hf_map *map)
{
	static const uint32_t blocks[] = {0, 512, 4096};
	static const uint32_t stripes[] = {0, 4096, 65536, 1 << 20};
	struct hf_pool_op op = {.kind = HF_POOL_CREATE + kit_below(rng, 7), .lun = -1};

	if (kit_below(rng, 3) == 0)
		op.kind = HF_POOL_CREATE;
	random_name(rng, op.name);
	random_name(rng, op.new_name);
	op.layout = kit_below(rng, 2) ? HF_LAYOUT_STRIPE : HF_LAYOUT_LINEAR;
	op.size_bytes = kit_below(rng, 9) ? 1 + kit_below(rng, 12 * MIB) : 0;
	op.block_bytes = blocks[kit_below(rng, 3)];
	op.stripe_bytes = stripes[kit_below(rng, 4)];
	if (kit_below(rng, 4) == 0)
		op.lun = (int32_t)kit_below(rng, 6);
	op.dominant = (uint8_t)kit_below(rng, 3);
	op.write_protected = kit_below(rng, 2);
	kit_fill(op.uuid, sizeof(op.uuid), kit_random(rng));
	random_disks(rng, map, &op);
	if (op.kind == HF_POOL_ADD_PDEV) {
		snprintf(op.pdev.name, sizeof(op.pdev.name), "d%u", map->pdevs_len);
		kit_fill(op.pdev.uuid, sizeof(op.pdev.uuid), kit_random(rng));
		op.pdev.data_offset_bytes = MIB;
		op.pdev.size_bytes = (2 + kit_below(rng, 20)) * MIB + kit_below(rng, MIB);
		op.pdev.block_bytes = kit_below(rng, 5) ? 512 : 4096;
	}
	return op;
}

/* The op reaches the other controller as bytes, and so does, now and then, the whole map. */
static void follow(struct hf_map *other, const struct hf_map *map, const struct hf_pool_op *op,
	int result, bool whole)
{
	static uint8_t buf[1 << 20], again[1 << 20];
	struct hf_pool_op back;
	char said[512];
	int len = hf_pool_op_encode(op, buf, HF_OP_MAX_BYTES);

	assert_true(len > 0);
	assert_int_equal(hf_pool_op_decode(buf, (size_t)len, &back), 0);
	assert_int_equal(hf_pool_op_encode(&back, again, sizeof(again)), len);
	assert_memory_equal(buf, again, (size_t)len);
	assert_int_equal(hf_map_apply(other, &back, said, sizeof(said)), result);
	assert_string_equal(said, kit_message);
	assert_true(hf_map_digest(map) == hf_map_digest(other));
	if (!whole)
		return;
	len = hf_map_encode(map, buf, sizeof(buf));
	assert_in_range(len, 28, hf_map_encoded_max());
	assert_int_equal(hf_map_encode(map, again, (size_t)len - 1), -ENOSPC);
	memset(other, 0xee, sizeof(*other));
	assert_int_equal(hf_map_decode(buf, (size_t)len, other, said, sizeof(said)), 0);
	assert_int_equal(hf_map_encode(other, again, sizeof(again)), len);
	assert_memory_equal(buf, again, (size_t)len);
	memset(again, 0, sizeof(again));
	assert_int_equal(hf_map_decode(buf, (size_t)len - 1, other, said, sizeof(said)), -EBADMSG);
	assert_int_equal(hf_map_decode(buf, (size_t)len + 1, other, said, sizeof(said)), -EBADMSG);
	assert_true(hf_map_digest(map) == hf_map_digest(other));
}

/* Every byte that the device had before lies where it lay. */
static void assert_same_prefix(const struct hf_ldev *old, const struct hf_map *map)
{
	const struct hf_map_ldev *d = hf_map_find_id(map, old->id);
	struct hf_ldev *new;

	if (!d)
		return;
	new = hf_ldev_create(map, d, NULL);
	for (uint64_t at = 0; at < old->size_bytes;) {
		uint16_t was, is;
		uint64_t was_at, is_at;
		uint64_t was_len = hf_ldev_map(old, at, old->size_bytes - at, &was, &was_at);
		uint64_t is_len = hf_ldev_map(new, at, old->size_bytes - at, &is, &is_at);

		assert_int_equal(was, is);
		assert_true(was_at == is_at);
		at += HF_MIN(was_len, is_len);
	}
	hf_ldev_destroy(new);
}

static void run_sequence(uint64_t *rng, unsigned *done)
{
	struct hf_map *map = kit_map(3, 16), *other = malloc(sizeof(*other));

	memcpy(other, map, sizeof(*map));
	for (unsigned step = 0; step < STEPS; step++) {
		struct hf_pool_op op = random_op(rng, map);
		const struct hf_map_ldev *d = hf_map_find_ldev(map, op.name);
		struct hf_ldev *old = NULL;
		int r;

		if (d && op.kind == HF_POOL_GROW)
			old = hf_ldev_create(map, d, NULL);
		if (d && op.kind == HF_POOL_DELETE && kit_below(rng, 2)) {
			hf_map_set_retired(other, d->id, true);
			hf_map_set_retired(map, d->id, true);
		}
		r = kit_apply(map, &op);
		done[r ? 0 : op.kind]++;
		follow(other, map, &op, r, kit_below(rng, 8) == 0);
		if (old)
			assert_same_prefix(old, map);
		hf_ldev_destroy(old);
	}
	free(other);
	free(map);
}

static void random_sequences_keep_the_rules(void **state)
{
	uint64_t rng = kit_seed("map_random");
	unsigned done[HF_POOL_SET_WRITE_PROTECT + 1] = {0};

	for (unsigned i = 0; i < SEQUENCES; i++)
		run_sequence(&rng, done);
	print_message("refused %u, create %u, grow %u, delete %u, rename %u, dominant %u, disk %u, "
		      "protect %u\n",
		done[0], done[1], done[2], done[3], done[4], done[5], done[6], done[7]);
	for (unsigned kind = 0; kind < HF_ARRAY_LEN(done); kind++)
		assert_true(done[kind] > 50); /* it was not all refusals */
}

static void largest_map_fits_its_record(void **state)
{
	struct hf_map *map = calloc(1, sizeof(*map));
	uint8_t *buf = malloc(hf_map_encoded_max());

	map->pdevs_len = HF_PDEVS_MAX;
	map->ldevs_len = HF_LDEVS_MAX;
	map->extents_len = HF_EXTENTS_MAX;
	for (unsigned i = 0; i < HF_PDEVS_MAX; i++)
		memset(map->pdevs[i].name, 'n', HF_NAME_MAX);
	for (unsigned i = 0; i < HF_LDEVS_MAX; i++)
		memset(map->ldevs[i].name, 'n', HF_NAME_MAX);
	assert_int_equal(hf_map_encode(map, buf, hf_map_encoded_max()), hf_map_encoded_max());
	assert_true(hf_map_encoded_max() <= hf_record_capacity(HF_RECORD_MAP));
	assert_true(hf_record_capacity(HF_RECORD_VIEW) >= 4000);
	free(buf);
	free(map);
}

/* Two stripes grown in turns on the same disks: as many extents as columns each time. */
static void extents_of_the_map_run_out_with_a_sentence(void **state)
{
	const char *names[HF_LDEV_COLUMNS_MAX];
	char text[HF_LDEV_COLUMNS_MAX][16];
	struct hf_map *map = kit_map(HF_LDEV_COLUMNS_MAX + 1, 300);
	struct hf_pool_op op;
	int r = 0;

	for (unsigned i = 0; i < HF_LDEV_COLUMNS_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), "d%u", i + 1);
		names[i] = text[i];
	}
	op = kit_create("a", HF_LAYOUT_STRIPE, MIB, HF_LDEV_COLUMNS_MAX, names);
	assert_int_equal(kit_apply(map, &op), 0);
	op = kit_create("b", HF_LAYOUT_STRIPE, MIB, HF_LDEV_COLUMNS_MAX, names);
	assert_int_equal(kit_apply(map, &op), 0);
	op = (struct hf_pool_op){.kind = HF_POOL_GROW};
	for (unsigned i = 2; !r && i < HF_EXTENTS_MAX; i++) {
		strcpy(op.name, i % 2 ? "b" : "a");
		op.size_bytes = (i / 2 + 1) * HF_LDEV_COLUMNS_MAX * MIB;
		r = hf_map_apply(map, &op, kit_message, sizeof(kit_message));
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(kit_message, "no room for more extents"));
	assert_int_equal(map->extents_len, HF_EXTENTS_MAX);
	assert_int_equal(hf_map_check(map, kit_message, sizeof(kit_message)), 0);
	free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_sequences_keep_the_rules),
		cmocka_unit_test(largest_map_fits_its_record),
		cmocka_unit_test(extents_of_the_map_run_out_with_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
