/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations on the map, case by case: what they make, what they refuse, and what they say. */
#include "kit.h"
#include "map.h"

static const char *const D[] = {"d0", "d1", "d2", "d3"};

static struct hf_pool_op named(enum hf_pool_op_kind kind, const char *name)
{
	struct hf_pool_op op = {.kind = kind};

	snprintf(op.name, sizeof(op.name), "%s", name);
	return op;
}

static struct hf_pool_op grow(const char *name, uint64_t size_bytes)
{
	struct hf_pool_op op = named(HF_POOL_GROW, name);

	op.size_bytes = size_bytes;
	return op;
}

static void create(struct hf_map *map, const char *name, enum hf_layout layout, uint64_t size_bytes,
	unsigned disks_len, const char *const *disks)
{
	struct hf_pool_op op = kit_create(name, layout, size_bytes, disks_len, disks);

	if (kit_apply(map, &op))
		fail_msg("create %s: %s", name, kit_message);
}

static void refused(struct hf_map *map, const struct hf_pool_op *op, int error, const char *says)
{
	assert_int_equal(kit_apply(map, op), error);
	if (!strstr(kit_message, says))
		fail_msg("\"%s\" does not say \"%s\"", kit_message, says);
}

static void assert_extent(
	const struct hf_map *map, unsigned i, uint16_t pdev, uint64_t at_mib, uint64_t len_mib)
{
	assert_int_equal(map->extents[i].pdev, pdev);
	assert_int_equal(map->extents[i].offset_bytes / MIB, at_mib);
	assert_int_equal(map->extents[i].len_bytes / MIB, len_mib);
}

static void linear_fills_one_disk_after_the_other(void **state)
{
	struct hf_map *map = kit_map(3, 10);

	create(map, "a", HF_LAYOUT_LINEAR, 25 * MIB, 0, NULL);
	assert_int_equal(map->extents_len, 3);
	assert_extent(map, 0, 0, 6, 10); /* behind the voting disk's records */
	assert_extent(map, 1, 1, 1, 10);
	assert_extent(map, 2, 2, 1, 5);
	create(map, "b", HF_LAYOUT_LINEAR, 2 * MIB, 1, &D[2]);
	assert_extent(map, 3, 2, 6, 2);
	assert_true(hf_map_free_bytes(map, 2) == 3 * MIB);
	free(map);
}

static void linear_takes_disks_in_the_order_named(void **state)
{
	struct hf_map *map = kit_map(2, 10);
	const char *const order[] = {"d1", "d0"};

	create(map, "a", HF_LAYOUT_LINEAR, 12 * MIB, 2, order);
	assert_extent(map, 0, 1, 1, 10);
	assert_extent(map, 1, 0, 6, 2);
	free(map);
}

static void stripe_has_equal_columns_on_its_disks(void **state)
{
	struct hf_map *map = kit_map(4, 10);

	create(map, "s", HF_LAYOUT_STRIPE, 7 * MIB, 3, D);
	assert_int_equal(map->ldevs[0].columns, 3);
	assert_int_equal(map->ldevs[0].stripe_bytes, 64 << 10);
	for (unsigned i = 0; i < 3; i++)
		assert_extent(map, i, (uint16_t)i, i ? 1 : 6, 3);
	assert_true(map->ldevs[0].size_bytes == 7 * MIB);
	free(map);
}

/* Room in pieces: the columns of each group are as long as the narrowest of its gaps. */
static void stripe_uses_gaps_in_groups(void **state)
{
	struct hf_map *map = kit_map(2, 10);
	struct hf_pool_op op;

	create(map, "a", HF_LAYOUT_LINEAR, 3 * MIB, 1, &D[1]);
	create(map, "b", HF_LAYOUT_LINEAR, 2 * MIB, 1, &D[1]);
	op = named(HF_POOL_DELETE, "a");
	hf_map_set_retired(map, 1, true);
	assert_int_equal(kit_apply(map, &op), 0);
	create(map, "s", HF_LAYOUT_STRIPE, 14 * MIB, 2, D);
	assert_int_equal(map->ldevs[1].extents_len, 4);
	assert_extent(map, 1, 0, 6, 5);
	assert_extent(map, 2, 1, 6, 5);
	assert_extent(map, 3, 0, 11, 2);
	assert_extent(map, 4, 1, 1, 2);
	free(map);
}

static void sizes_are_rounded_up_and_it_is_said(void **state)
{
	struct hf_map *map = kit_map(2, 10);

	create(map, "a", HF_LAYOUT_LINEAR, 1000, 0, NULL);
	assert_int_equal(map->ldevs[0].size_bytes, 4096);
	assert_string_equal(
		kit_message, "size rounded up from 1000 to 4096 bytes, a multiple of 4 KiB");
	create(map, "s", HF_LAYOUT_STRIPE, MIB + 1, 2, D);
	assert_int_equal(map->ldevs[1].size_bytes, MIB + (64 << 10));
	create(map, "b", HF_LAYOUT_LINEAR, 2 * MIB, 0, NULL);
	assert_string_equal(kit_message, "");
	free(map);
}

static void identifiers_luns_and_slots_are_given_out(void **state)
{
	struct hf_map *map = kit_map(1, 40);
	struct hf_pool_op op = kit_create("b", HF_LAYOUT_LINEAR, MIB, 0, NULL);

	create(map, "a", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	op.lun = 7;
	assert_int_equal(kit_apply(map, &op), 0);
	create(map, "c", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	assert_int_equal(map->ldevs[0].lun, 0);
	assert_int_equal(map->ldevs[1].lun, 7);
	assert_int_equal(map->ldevs[2].lun, 1);
	assert_int_equal(map->ldevs[2].id, 3);
	hf_map_set_retired(map, 1, true);
	op = named(HF_POOL_DELETE, "a");
	assert_int_equal(kit_apply(map, &op), 0);
	create(map, "d", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	assert_int_equal(hf_map_find_ldev(map, "d")->id, 4); /* 1 is never used again */
	assert_int_equal(hf_map_find_ldev(map, "d")->slot, 0);
	assert_int_equal(hf_map_find_ldev(map, "d")->lun, 0);
	assert_null(hf_map_find_ldev(map, "a"));
	assert_null(hf_map_find_id(map, 1));
	assert_ptr_equal(hf_map_find_id(map, 4), hf_map_find_ldev(map, "d"));
	free(map);
}

static void requests_for_devices_that_cannot_be_are_refused(void **state)
{
	static const char *const twice[] = {"d1", "d1"};
	static const char *const unknown[] = {"d9"};
	struct hf_map *map = kit_map(2, 10);
	struct hf_pool_op op, good = kit_create("new", HF_LAYOUT_STRIPE, 4 * MIB, 2, D);

	create(map, "old", HF_LAYOUT_LINEAR, MIB, 0, NULL);
#define WITH(change, error, says)                                                                  \
	op = good;                                                                                 \
	op.change;                                                                                 \
	refused(map, &op, error, says)
	WITH(size_bytes = 0, -EINVAL, "no size");
	WITH(size_bytes = UINT64_MAX, -EINVAL, "no size");
	WITH(block_bytes = 520, -EINVAL, "use 512 or 4096");
	WITH(physical_block_bytes = 3000, -EINVAL, "power of two");
	WITH(stripe_bytes = 3 << 20, -EINVAL, "no stripe size");
	WITH(stripe_bytes = 2 << 20, -EINVAL, "no stripe size");
	WITH(stripe_bytes = 512, -EINVAL, "no stripe size");
	WITH(lun = 0, -EEXIST, "that of 'old'");
	WITH(lun = HF_LUN_MAX + 1, -EINVAL, "no LUN");
	WITH(lun = -2, -EINVAL, "no LUN");
	WITH(dominant = HF_CONTROLLER_IDS, -EINVAL, "no controller id");
	WITH(pdevs_len = 0, -EINVAL, "name 1 to 16");
	WITH(pdevs_len = 17, -EINVAL, "name at most 16");
	WITH(layout = 9, -EINVAL, "use linear or stripe");
	WITH(kind = 0, -EINVAL, "unknown");
	WITH(kind = 99, -EINVAL, "unknown");
	WITH(name[0] = 0, -EINVAL, "no name");
	WITH(name[1] = '/', -EINVAL, "no name");
#undef WITH
	op = good;
	memset(op.name, 'x', sizeof(op.name));
	refused(map, &op, -EINVAL, "no name");
	op = good;
	memcpy(op.uuid, map->ldevs[0].uuid, sizeof(op.uuid));
	refused(map, &op, -EEXIST, "ask again");
	memset(op.uuid, 0, sizeof(op.uuid));
	refused(map, &op, -EINVAL, "no identity");
	op = kit_create("old", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	refused(map, &op, -EEXIST, "choose another name");
	op = kit_create("new", HF_LAYOUT_STRIPE, MIB, 2, twice);
	refused(map, &op, -EINVAL, "named twice");
	op = kit_create("new", HF_LAYOUT_LINEAR, MIB, 1, unknown);
	refused(map, &op, -ENOENT, "no disk 'd9'");
	assert_int_equal(kit_apply(map, &good), 0);
	free(map);
}

static void lack_of_space_says_how_much_is_free_where(void **state)
{
	struct hf_map *map = kit_map(2, 10);
	struct hf_pool_op op = kit_create("a", HF_LAYOUT_LINEAR, 21 * MIB, 0, NULL);

	refused(map, &op, -ENOSPC,
		"'a' needs 21 MiB: free are 10 MiB on disk 'd0', 10 MiB on disk 'd1'; ask for "
		"less");
	op = kit_create("a", HF_LAYOUT_LINEAR, 11 * MIB, 1, &D[1]);
	refused(map, &op, -ENOSPC, "free are 10 MiB on disk 'd1'");
	create(map, "x", HF_LAYOUT_LINEAR, 4 * MIB, 1, &D[1]);
	op = kit_create("a", HF_LAYOUT_STRIPE, 13 * MIB, 2, D);
	refused(map, &op, -ENOSPC,
		"13 MiB in equal columns: free are 10 MiB on disk 'd0', 6 MiB on disk 'd1'");
	op.size_bytes = 12 * MIB;
	assert_int_equal(kit_apply(map, &op), 0);
	free(map);
}

static void blocks_of_a_disk_must_not_be_larger_than_the_device_s(void **state)
{
	struct hf_map *map = kit_map(1, 10);
	struct hf_pool_op op;

	kit_add_disk(map, "big", 10, false);
	map->pdevs[1].block_bytes = 4096;
	op = kit_create("a", HF_LAYOUT_LINEAR, MIB, 1, (const char *const[]){"big"});
	refused(map, &op, -EINVAL, "create 'a' with block size 4096");
	op.block_bytes = 4096;
	assert_int_equal(kit_apply(map, &op), 0);
	/* Unnamed, it is passed over. */
	op = kit_create("b", HF_LAYOUT_LINEAR, 11 * MIB, 0, NULL);
	refused(map, &op, -ENOSPC, "free are 10 MiB on disk 'd0'; ask");
	free(map);
}

static void slots_run_out_with_a_sentence(void **state)
{
	struct hf_map *map = kit_map(1, 40);
	unsigned slots = hf_map_slots(map);
	struct hf_pool_op op;
	char name[16];

	assert_int_equal(slots, 24);
	for (unsigned i = 0; i < slots; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		create(map, name, HF_LAYOUT_LINEAR, MIB, 0, NULL);
	}
	op = kit_create("more", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	refused(map, &op, -ENOSPC, "room for the reservations of 24 logical devices");
	free(map);
	map = calloc(1, sizeof(*map));
	kit_add_disk(map, "data", 10, false);
	refused(map, &op, -ENOSPC, "room for the reservations of 0 logical devices");
	free(map);
}

static void grown_linear_continues_where_it_ends(void **state)
{
	struct hf_map *map = kit_map(2, 10);
	struct hf_pool_op op;

	create(map, "a", HF_LAYOUT_LINEAR, 2 * MIB, 1, D);
	op = grow("a", 3 * MIB + 5000);
	assert_int_equal(kit_apply(map, &op), 0);
	assert_int_equal(map->extents_len, 1); /* merged */
	assert_extent(map, 0, 0, 6, 4);
	/* What is left of the last extent serves before new ones do. */
	op = grow("a", 4 * MIB);
	assert_int_equal(kit_apply(map, &op), 0);
	assert_extent(map, 0, 0, 6, 4);
	create(map, "b", HF_LAYOUT_LINEAR, 2 * MIB, 1, D);
	op = grow("a", 6 * MIB);
	assert_int_equal(kit_apply(map, &op), 0);
	assert_int_equal(map->ldevs[0].extents_len, 2);
	assert_extent(map, 1, 0, 12, 2);
	assert_extent(map, 2, 0, 10, 2); /* b's, moved along in the table */
	assert_int_equal(map->ldevs[1].first_extent, 2);
	op = grow("a", 12 * MIB);
	refused(map, &op, -ENOSPC, "free are 2 MiB on disk 'd0'");
	op.pdevs_len = 1;
	strcpy(op.pdevs[0], "d1");
	assert_int_equal(kit_apply(map, &op), 0);
	assert_extent(map, 2, 1, 1, 6);
	free(map);
}

static void grow_to_nothing_named_takes_all_there_is(void **state)
{
	struct hf_map *map = kit_map(3, 10);
	struct hf_pool_op op;

	create(map, "s", HF_LAYOUT_STRIPE, 4 * MIB, 2, D);
	create(map, "x", HF_LAYOUT_LINEAR, 3 * MIB, 1, &D[1]);
	op = grow("s", 0);
	assert_int_equal(kit_apply(map, &op), 0);
	assert_true(map->ldevs[0].size_bytes == 14 * MIB);
	assert_true(hf_map_free_bytes(map, 1) == 0);
	refused(map, &op, -ENOSPC,
		"cannot grow: free are 3 MiB on disk 'd0', 0 bytes on disk 'd1'");
	free(map);
}

static void grown_stripe_merges_or_adds_a_group(void **state)
{
	struct hf_map *map = kit_map(4, 10);
	struct hf_pool_op op;

	create(map, "s", HF_LAYOUT_STRIPE, 4 * MIB, 2, D);
	op = grow("s", 8 * MIB);
	assert_int_equal(kit_apply(map, &op), 0);
	assert_int_equal(map->extents_len, 2);
	assert_extent(map, 1, 1, 1, 4);
	op = grow("s", 12 * MIB);
	op.pdevs_len = 2;
	strcpy(op.pdevs[0], "d2");
	strcpy(op.pdevs[1], "d3");
	assert_int_equal(kit_apply(map, &op), 0);
	assert_int_equal(map->extents_len, 4);
	assert_extent(map, 2, 2, 1, 2);
	op.pdevs_len = 1;
	op.size_bytes = 14 * MIB;
	refused(map, &op, -EINVAL, "is a stripe over 2 disks and 1 are named");
	free(map);
}

static void growing_downwards_or_what_is_gone_is_refused(void **state)
{
	struct hf_map *map = kit_map(1, 10);
	struct hf_pool_op op = grow("a", MIB);
	uint64_t generation;

	refused(map, &op, -ENOENT, "no logical device 'a'");
	create(map, "a", HF_LAYOUT_LINEAR, 2 * MIB, 0, NULL);
	refused(map, &op, -EINVAL, "cannot shrink");
	generation = map->generation;
	op.size_bytes = 2 * MIB; /* nothing to change */
	assert_int_equal(kit_apply(map, &op), 0);
	assert_true(map->generation == generation);
	free(map);
}

static void s8_deletion_waits_for_the_device_to_be_retired(void **state)
{
	struct hf_map *map = kit_map(1, 10);
	struct hf_pool_op op = named(HF_POOL_DELETE, "b");
	uint64_t digest;

	create(map, "a", HF_LAYOUT_LINEAR, 2 * MIB, 0, NULL);
	create(map, "b", HF_LAYOUT_LINEAR, 3 * MIB, 0, NULL);
	create(map, "c", HF_LAYOUT_LINEAR, 1 * MIB, 0, NULL);
	refused(map, &op, -EBUSY, "retired first");
	digest = hf_map_digest(map);
	hf_map_set_retired(map, 2, true);
	assert_true(hf_map_digest(map) == digest); /* the flag is not agreed on the pool */
	assert_int_equal(kit_apply(map, &op), 0);
	assert_int_equal(map->ldevs_len, 2);
	assert_string_equal(map->ldevs[1].name, "c");
	assert_extent(map, 1, 0, 11, 1);
	refused(map, &op, -ENOENT, "no logical device 'b'");
	create(map, "d", HF_LAYOUT_LINEAR, 4 * MIB, 0, NULL); /* its room is free again */
	assert_extent(map, 2, 0, 8, 3);
	assert_extent(map, 3, 0, 12, 1);
	free(map);
}

static void s5_dominance_stands_in_the_map_like_names_and_protection(void **state)
{
	struct hf_map *map = kit_map(1, 10);
	struct hf_pool_op op = named(HF_POOL_RENAME, "a");
	uint64_t generation;

	create(map, "a", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	create(map, "longer-name", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	strcpy(op.new_name, "longer-name");
	refused(map, &op, -EEXIST, "choose another name");
	strcpy(op.new_name, "z");
	assert_int_equal(kit_apply(map, &op), 0);
	assert_non_null(hf_map_find_ldev(map, "z"));
	strcpy(op.name, "longer-name");
	strcpy(op.new_name, "-");
	refused(map, &op, -EINVAL, "no name");
	strcpy(op.new_name, "n");
	assert_int_equal(kit_apply(map, &op), 0);
	assert_int_equal(map->ldevs[1].name[2], 0); /* nothing of the old name is left */

	op = named(HF_POOL_SET_DOMINANT, "z");
	op.dominant = 1;
	assert_int_equal(kit_apply(map, &op), 0);
	assert_int_equal(map->ldevs[0].dominant, 1);
	op.dominant = 200;
	refused(map, &op, -EINVAL, "no controller id");

	op = named(HF_POOL_SET_WRITE_PROTECT, "z");
	op.write_protected = true;
	generation = map->generation;
	assert_int_equal(kit_apply(map, &op), 0);
	assert_true(map->ldevs[0].write_protected && map->generation == generation + 1);
	assert_int_equal(kit_apply(map, &op), 0);
	assert_true(map->generation == generation + 1);
	free(map);
}

static void disks_are_added_once_and_three_vote(void **state)
{
	struct hf_map *map = kit_map(1, 40);
	struct hf_pool_op op = {.kind = HF_POOL_ADD_PDEV, .pdev = map->pdevs[0]};

	refused(map, &op, -EEXIST, "in the pool already, as 'd0'");
	op.pdev.uuid[0] = 1;
	refused(map, &op, -EEXIST, "another disk 'd0'");
	strcpy(op.pdev.name, "d1");
	op.pdev.data_offset_bytes = 100;
	refused(map, &op, -EINVAL, "are no disk's");
	op.pdev.data_offset_bytes = MIB;
	refused(map, &op, -EINVAL, "are no disk's"); /* votes, but has no place for records */
	for (unsigned i = 0; i < 17; i++) {
		char name[16];

		snprintf(name, sizeof(name), "l%u", i);
		create(map, name, HF_LAYOUT_LINEAR, MIB, 0, NULL);
	}
	op.pdev.data_offset_bytes = 5 * MIB;
	refused(map, &op, -ENOSPC, "no room for the reservations of 'l16'");
	op.pdev.data_offset_bytes = 6 * MIB;
	assert_int_equal(kit_apply(map, &op), 0);
	kit_add_disk(map, "d2", 10, true);
	op.pdev.uuid[0] = 3;
	strcpy(op.pdev.name, "d3");
	refused(map, &op, -EINVAL, "fourth voting disk");
	free(map);
}

static void broken_maps_are_noticed(void **state)
{
	struct hf_map *good = kit_map(3, 10), *map = malloc(sizeof(*map));
	char said[256];

	create(good, "s", HF_LAYOUT_STRIPE, 8 * MIB, 2, D);
	create(good, "l", HF_LAYOUT_LINEAR, 14 * MIB, 0, NULL);
	assert_int_equal(hf_map_check(good, said, sizeof(said)), 0);
#define BROKEN(change)                                                                             \
	memcpy(map, good, sizeof(*map));                                                           \
	map->change;                                                                               \
	if (hf_map_check(map, said, sizeof(said)) != -EBADMSG)                                     \
	fail_msg("%s is not noticed", #change)
	BROKEN(extents[0].offset_bytes += MIB); /* into its neighbour */
	BROKEN(extents[0].offset_bytes -= MIB); /* into the records */
	BROKEN(extents[1].offset_bytes += 1);
	BROKEN(extents[1].len_bytes += MIB); /* unequal columns */
	BROKEN(extents[1].pdev = 0);
	BROKEN(extents[1].pdev = 3);
	BROKEN(extents[1].offset_bytes = UINT64_MAX / MIB * MIB);
	BROKEN(extents[map->extents_len - 1].len_bytes = UINT64_MAX / MIB * MIB);
	BROKEN(extents[map->extents_len - 1].len_bytes = 0);
	BROKEN(extents_len++);
	BROKEN(extents_len = HF_EXTENTS_MAX + 1);
	BROKEN(ldevs_len = HF_LDEVS_MAX + 1);
	BROKEN(pdevs_len = HF_PDEVS_MAX + 1);
	BROKEN(pdevs_len--);
	BROKEN(ldevs_len--);
	BROKEN(ldevs[1].first_extent--);
	BROKEN(ldevs[1].extents_len++);
	BROKEN(ldevs[1].id = 1);
	BROKEN(ldevs[1].id = 3);
	BROKEN(ldevs[1].id = 0);
	BROKEN(ldevs[1].lun = 0);
	BROKEN(ldevs[1].lun = HF_LUN_MAX + 1);
	BROKEN(ldevs[1].slot = 0);
	BROKEN(ldevs[1].slot = 24);
	BROKEN(ldevs[1].uuid[1] = 's');
	BROKEN(ldevs[1].name[0] = 's');
	BROKEN(ldevs[1].name[0] = ' ');
	BROKEN(ldevs[1].size_bytes += MIB);
	BROKEN(ldevs[1].size_bytes -= MIB);
	BROKEN(ldevs[1].size_bytes -= 512);
	BROKEN(ldevs[1].columns = 1);
	BROKEN(ldevs[1].layout = 3);
	BROKEN(ldevs[1].block_bytes = 1024);
	BROKEN(ldevs[1].physical_block_bytes = 0);
	BROKEN(ldevs[1].dominant = 17);
	BROKEN(ldevs[0].columns = 3);
	BROKEN(ldevs[0].columns = 0);
	BROKEN(ldevs[0].stripe_bytes = 2 << 20);
	BROKEN(ldevs[0].stripe_bytes = 0);
	BROKEN(pdevs[1].name[1] = '0');
	BROKEN(pdevs[1].uuid[2] = '0');
	BROKEN(pdevs[1].data_offset_bytes = 0);
	BROKEN(pdevs[1].data_offset_bytes = 2 * MIB);
	BROKEN(pdevs[1].size_bytes = 2 * MIB);
	BROKEN(pdevs[1].size_bytes = UINT64_MAX);
	BROKEN(pdevs[1].block_bytes = 4096);
	BROKEN(pdevs[1].block_bytes = 1);
	BROKEN(pdevs[0].voting = false);
	BROKEN(pdevs[1].voting = true);
#undef BROKEN
	free(map);
	free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_fills_one_disk_after_the_other),
		cmocka_unit_test(linear_takes_disks_in_the_order_named),
		cmocka_unit_test(stripe_has_equal_columns_on_its_disks),
		cmocka_unit_test(stripe_uses_gaps_in_groups),
		cmocka_unit_test(sizes_are_rounded_up_and_it_is_said),
		cmocka_unit_test(identifiers_luns_and_slots_are_given_out),
		cmocka_unit_test(requests_for_devices_that_cannot_be_are_refused),
		cmocka_unit_test(lack_of_space_says_how_much_is_free_where),
		cmocka_unit_test(blocks_of_a_disk_must_not_be_larger_than_the_device_s),
		cmocka_unit_test(slots_run_out_with_a_sentence),
		cmocka_unit_test(grown_linear_continues_where_it_ends),
		cmocka_unit_test(grow_to_nothing_named_takes_all_there_is),
		cmocka_unit_test(grown_stripe_merges_or_adds_a_group),
		cmocka_unit_test(growing_downwards_or_what_is_gone_is_refused),
		cmocka_unit_test(s8_deletion_waits_for_the_device_to_be_retired),
		cmocka_unit_test(s5_dominance_stands_in_the_map_like_names_and_protection),
		cmocka_unit_test(disks_are_added_once_and_three_vote),
		cmocka_unit_test(broken_maps_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
