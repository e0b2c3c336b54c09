/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on the map of logical devices. Pure and deterministic: every controller carries out
 * the same op on the same map and comes to the same map, or to the same refusal. All or nothing:
 * whatever can fail is checked before anything is changed.
 */
#include "map.h"
#include "say.h"

enum {
	STRIPE_BYTES_DEFAULT = 64 << 10,
	PHYSICAL_BLOCK_BYTES_MAX = 64 << 10,
};
#define SIZE_BYTES_MAX (UINT64_C(1) << 60)

/* Where the sentence goes. */
struct says {
	char *message;
	size_t len;
};
#define refuse(s, error, ...) (hf_say((s)->message, (s)->len, __VA_ARGS__), -(error))

static struct hf_map_ldev *find_ldev(struct hf_map *map, const char *name)
{
	for (unsigned i = 0; i < map->ldevs_len; i++)
		if (strncmp(map->ldevs[i].name, name, HF_NAME_MAX + 1) == 0)
			return &map->ldevs[i];
	return NULL;
}

const struct hf_map_ldev *hf_map_find_ldev(const struct hf_map *map, const char *name)
{
	return find_ldev((struct hf_map *)(uintptr_t)map, name);
}

const struct hf_map_ldev *hf_map_find_id(const struct hf_map *map, uint32_t id)
{
	for (unsigned i = 0; i < map->ldevs_len; i++)
		if (map->ldevs[i].id == id)
			return &map->ldevs[i];
	return NULL;
}

int hf_map_find_pdev(const struct hf_map *map, const char *name)
{
	for (unsigned i = 0; i < map->pdevs_len; i++)
		if (strncmp(map->pdevs[i].name, name, HF_NAME_MAX + 1) == 0)
			return (int)i;
	return -1;
}

void hf_map_set_retired(struct hf_map *map, uint32_t id, bool retired)
{
	for (unsigned i = 0; i < map->ldevs_len; i++)
		if (map->ldevs[i].id == id)
			map->ldevs[i].retired = retired;
}

void hf_map_pdev_of_label(const struct hf_label *label, struct hf_map_pdev *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->uuid, label->uuid, sizeof(ret->uuid));
	memcpy(ret->name, label->name, sizeof(ret->name));
	ret->size_bytes = label->size_bytes;
	ret->data_offset_bytes = label->data_offset_bytes;
	ret->block_bytes = label->block_bytes;
	ret->voting = label->voting;
}

unsigned hf_map_slots(const struct hf_map *map)
{
	unsigned slots = HF_LDEVS_MAX + 1;

	for (unsigned i = 0; i < map->pdevs_len; i++)
		if (map->pdevs[i].voting)
			slots = HF_MIN(slots, hf_format_slots(map->pdevs[i].data_offset_bytes));
	return slots > HF_LDEVS_MAX ? 0 : slots;
}

static int check_free_name(const struct hf_map *map, const char *name, const struct says *s)
{
	if (!hf_name_is_valid(name))
		return refuse(s, EINVAL,
			"'%.*s' is no name for a logical device; use 1 to %d letters, digits and . "
			"_ - :, a letter or digit first",
			HF_NAME_MAX, name, HF_NAME_MAX);
	if (hf_map_find_ldev(map, name))
		return refuse(s, EEXIST,
			"there is a logical device '%s' already; choose another name", name);
	return 0;
}

static int need_ldev(
	struct hf_map *map, const char *name, const struct says *s, struct hf_map_ldev **ret)
{
	*ret = find_ldev(map, name);
	if (!*ret)
		return refuse(s, ENOENT,
			"there is no logical device '%.*s'; `holdfast device list` shows those "
			"there are",
			HF_NAME_MAX, name);
	return 0;
}

/* The disks an op names, none twice. */
static int named_disks(const struct hf_map *map, const struct hf_pool_op *op, const struct says *s,
	struct hf_map_disks *ret)
{
	ret->len = 0;
	if (op->pdevs_len > HF_LDEV_COLUMNS_MAX)
		return refuse(s, EINVAL, "%u disks are named; name at most %d", op->pdevs_len,
			HF_LDEV_COLUMNS_MAX);
	for (unsigned i = 0; i < op->pdevs_len; i++) {
		int at = hf_map_find_pdev(map, op->pdevs[i]);

		if (at < 0)
			return refuse(s, ENOENT,
				"there is no disk '%.*s' in the pool; `holdfast disk list` shows "
				"those there are",
				HF_NAME_MAX, op->pdevs[i]);
		for (unsigned k = 0; k < ret->len; k++)
			if (ret->at[k] == at)
				return refuse(s, EINVAL, "disk '%s' is named twice; name it once",
					op->pdevs[i]);
		ret->at[ret->len++] = (uint16_t)at;
	}
	return 0;
}

/* No room: which disk has how much. */
static int say_no_space(const struct hf_map *map, const struct hf_map_ldev *d,
	const struct hf_map_disks *disks, uint64_t bytes, const struct says *s)
{
	if (map->extents_len + (d->layout == HF_LAYOUT_STRIPE ? d->columns : 1) > HF_EXTENTS_MAX)
		return refuse(s, ENOSPC,
			"the pool's map has no room for more extents (%d); delete a logical device",
			HF_EXTENTS_MAX);
	if (bytes == UINT64_MAX)
		hf_say(s->message, s->len, "'%s' cannot grow: free are ", d->name);
	else
		hf_say(s->message, s->len, "'%s' needs %s%s: free are ", d->name,
			hf_size_say(bytes).text,
			d->layout == HF_LAYOUT_STRIPE ? " in equal columns" : "");
	for (unsigned i = 0; i < disks->len; i++)
		hf_say_more(s->message, s->len, "%s%s on disk '%s'", i ? ", " : "",
			hf_size_say(hf_map_free_bytes(map, disks->at[i])).text,
			map->pdevs[disks->at[i]].name);
	hf_say_more(s->message, s->len, "%s; ask for less, name other disks or delete a device",
		disks->len ? "" : "none");
	return -ENOSPC;
}

/* Rounds up as the layout needs it and says so. */
static int round_size(
	const struct hf_map_ldev *d, uint64_t wanted, const struct says *s, uint64_t *ret)
{
	uint64_t unit = hf_map_size_unit(d);

	if (!wanted || wanted > SIZE_BYTES_MAX)
		return refuse(s, EINVAL, "%s is no size for a logical device; give 1 byte to %s",
			hf_size_say(wanted).text, hf_size_say(SIZE_BYTES_MAX).text);
	*ret = HF_ROUND_UP(wanted, unit);
	if (*ret != wanted)
		hf_say(s->message, s->len,
			"size rounded up from %llu to %llu bytes, a multiple of %s",
			(unsigned long long)wanted, (unsigned long long)*ret,
			hf_size_say(unit).text);
	return 0;
}

static bool is_power_of_2(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* Layout and block sizes of a device to be, defaults filled in. */
static int set_shape(struct hf_map_ldev *d, const struct hf_pool_op *op, const struct says *s)
{
	d->layout = op->layout;
	d->block_bytes = op->block_bytes ? op->block_bytes : 512;
	d->physical_block_bytes = op->physical_block_bytes ? op->physical_block_bytes : 4096;
	if (d->block_bytes != 512 && d->block_bytes != 4096)
		return refuse(s, EINVAL, "%u is no block size; use 512 or 4096", d->block_bytes);
	if (!is_power_of_2(d->physical_block_bytes) || d->physical_block_bytes < d->block_bytes ||
		d->physical_block_bytes > PHYSICAL_BLOCK_BYTES_MAX)
		return refuse(s, EINVAL,
			"%u is no physical block size; use a power of two from %u to %d",
			d->physical_block_bytes, d->block_bytes, PHYSICAL_BLOCK_BYTES_MAX);
	if (op->layout == HF_LAYOUT_LINEAR)
		return 0;
	if (op->layout != HF_LAYOUT_STRIPE)
		return refuse(
			s, EINVAL, "layout %d is unknown; use linear or stripe", (int)op->layout);
	if (!op->pdevs_len)
		return refuse(s, EINVAL, "a stripe needs to be told its disks; name 1 to %d",
			HF_LDEV_COLUMNS_MAX);
	d->columns = op->pdevs_len;
	d->stripe_bytes = op->stripe_bytes ? op->stripe_bytes : STRIPE_BYTES_DEFAULT;
	if (!is_power_of_2(d->stripe_bytes) || d->stripe_bytes < d->physical_block_bytes ||
		d->stripe_bytes < HF_FORMAT_BLOCK_BYTES || d->stripe_bytes > HF_FORMAT_EXTENT_BYTES)
		return refuse(s, EINVAL,
			"%u is no stripe size; use a power of two from %u bytes to 1 MiB",
			d->stripe_bytes, HF_MAX(d->physical_block_bytes, HF_FORMAT_BLOCK_BYTES));
	return 0;
}

static int set_lun(
	const struct hf_map *map, struct hf_map_ldev *d, int32_t lun, const struct says *s)
{
	uint8_t taken[HF_LUN_MAX / 8 + 1] = {0};

	for (unsigned i = 0; i < map->ldevs_len; i++) {
		if (map->ldevs[i].lun == lun)
			return refuse(s, EEXIST, "LUN %d is that of '%s'; choose another", lun,
				map->ldevs[i].name);
		taken[map->ldevs[i].lun / 8] |= (uint8_t)(1 << map->ldevs[i].lun % 8);
	}
	if (lun < -1 || lun > HF_LUN_MAX)
		return refuse(s, EINVAL, "%d is no LUN; use 0 to %d", lun, HF_LUN_MAX);
	/* There are more LUNs than devices, so the lowest free one is found. */
	for (lun = lun < 0 ? 0 : lun; taken[lun / 8] & 1 << lun % 8; lun++)
		;
	d->lun = (uint16_t)lun;
	return 0;
}

static int set_slot(const struct hf_map *map, struct hf_map_ldev *d, const struct says *s)
{
	uint8_t taken[HF_LDEVS_MAX / 8] = {0};
	unsigned slot = 0, slots = hf_map_slots(map);

	for (unsigned i = 0; i < map->ldevs_len; i++)
		taken[map->ldevs[i].slot / 8] |= (uint8_t)(1 << map->ldevs[i].slot % 8);
	while (slot < slots && taken[slot / 8] & 1 << slot % 8)
		slot++;
	if (slot >= slots)
		return refuse(s, ENOSPC,
			"the voting disks have room for the reservations of %u logical devices, "
			"all in use; delete a device, or label larger disks as voting",
			slots);
	d->slot = (uint16_t)slot;
	return 0;
}

static int set_dominant(struct hf_map_ldev *d, uint8_t dominant, const struct says *s)
{
	if (dominant >= HF_CONTROLLER_IDS && dominant != HF_DOMINANT_DEFAULT)
		return refuse(s, EINVAL, "%u is no controller id; use 0 to %d", dominant,
			HF_CONTROLLERS_MAX);
	d->dominant = dominant;
	return 0;
}

static int set_identity(const struct hf_map *map, struct hf_map_ldev *d,
	const struct hf_pool_op *op, const struct says *s)
{
	static const uint8_t none[HF_POOL_UUID_BYTES];

	if (memcmp(op->uuid, none, sizeof(none)) == 0)
		return refuse(
			s, EINVAL, "the new device '%s' has no identity; ask again", op->name);
	for (unsigned i = 0; i < map->ldevs_len; i++)
		if (memcmp(map->ldevs[i].uuid, op->uuid, sizeof(op->uuid)) == 0)
			return refuse(s, EEXIST, "'%s' has the identity meant for '%s'; ask again",
				map->ldevs[i].name, op->name);
	d->id = map->next_id ? map->next_id : 1;
	if (d->id == UINT32_MAX)
		return refuse(s, ENOSPC, "this pool has used up its device ids; make a new pool");
	memcpy(d->name, op->name, strnlen(op->name, HF_NAME_MAX));
	memcpy(d->uuid, op->uuid, sizeof(d->uuid));
	d->write_protected = op->write_protected;
	return 0;
}

/* A disk whose blocks are larger than the device's could not carry out its smallest write. */
static int check_blocks(const struct hf_map *map, const struct hf_map_ldev *d,
	const struct hf_map_disks *disks, const struct says *s)
{
	for (unsigned i = 0; i < disks->len; i++) {
		const struct hf_map_pdev *p = &map->pdevs[disks->at[i]];

		if (hf_map_pdev_block_bytes(p) > d->block_bytes)
			return refuse(s, EINVAL,
				"disk '%s' has blocks of %u bytes; create '%s' with block size %u "
				"or on another disk",
				p->name, p->block_bytes, d->name, p->block_bytes);
	}
	return 0;
}

/* All disks that fit, for a linear device that names none. */
static void all_disks(
	const struct hf_map *map, const struct hf_map_ldev *d, struct hf_map_disks *ret)
{
	for (unsigned i = 0; i < map->pdevs_len; i++)
		if (hf_map_pdev_block_bytes(&map->pdevs[i]) <= d->block_bytes)
			ret->at[ret->len++] = (uint16_t)i;
}

static int create_device(struct hf_map *map, const struct hf_pool_op *op, const struct says *s)
{
	struct hf_map_ldev d = {.first_extent = map->extents_len};
	struct hf_map_disks disks;
	int r = check_free_name(map, op->name, s);

	if (!r && map->ldevs_len == HF_LDEVS_MAX)
		r = refuse(s, ENOSPC,
			"the pool has %d logical devices, which is the limit; delete one",
			HF_LDEVS_MAX);
	if (r || (r = named_disks(map, op, s, &disks)) || (r = set_shape(&d, op, s)) ||
		(r = set_identity(map, &d, op, s)) || (r = set_lun(map, &d, op->lun, s)) ||
		(r = set_slot(map, &d, s)) || (r = set_dominant(&d, op->dominant, s)) ||
		(r = check_blocks(map, &d, &disks, s)) ||
		(r = round_size(&d, op->size_bytes, s, &d.size_bytes)))
		return r;
	if (!disks.len)
		all_disks(map, &d, &disks);
	r = hf_map_plan(map, &d, &disks, d.size_bytes);
	if (r < 0)
		return say_no_space(map, &d, &disks, d.size_bytes, s);
	map->ldevs[map->ldevs_len++] = d;
	hf_map_commit(map, &map->ldevs[map->ldevs_len - 1], (unsigned)r);
	map->next_id = d.id + 1;
	return 1;
}

/* The disks a device lies on: of a stripe the columns in order, else by first appearance. */
static void own_disks(
	const struct hf_map *map, const struct hf_map_ldev *d, struct hf_map_disks *ret)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < d->extents_len; i++) {
		uint16_t at = map->extents[d->first_extent + i].pdev;

		if (d->layout == HF_LAYOUT_STRIPE && i == d->columns)
			break;
		if (!(seen & UINT64_C(1) << at))
			ret->at[ret->len++] = at;
		seen |= UINT64_C(1) << at;
	}
}

static int grow_disks(const struct hf_map *map, const struct hf_map_ldev *d,
	const struct hf_pool_op *op, const struct says *s, struct hf_map_disks *ret)
{
	int r = named_disks(map, op, s, ret);

	if (r || (r = check_blocks(map, d, ret, s)))
		return r;
	if (ret->len && d->layout == HF_LAYOUT_STRIPE && ret->len != d->columns)
		return refuse(s, EINVAL,
			"'%s' is a stripe over %u disks and %u are named; name %u disks or none",
			d->name, d->columns, ret->len, d->columns);
	if (!ret->len)
		own_disks(map, d, ret);
	return 0;
}

static int grow_device(struct hf_map *map, const struct hf_pool_op *op, const struct says *s)
{
	struct hf_map_disks disks;
	struct hf_map_ldev *d;
	uint64_t have, size = 0, more;
	int r = need_ldev(map, op->name, s, &d);

	if (r || (r = grow_disks(map, d, op, s, &disks)) ||
		(op->size_bytes && (r = round_size(d, op->size_bytes, s, &size))))
		return r;
	if (size && size < d->size_bytes)
		return refuse(s, EINVAL,
			"'%s' has %llu bytes already and cannot shrink to %llu; ask for more",
			d->name, (unsigned long long)d->size_bytes, (unsigned long long)size);
	if (size == d->size_bytes)
		return 0;
	have = hf_map_capacity(map, d);
	more = !size ? UINT64_MAX : size > have ? size - have : 0;
	r = more ? hf_map_plan(map, d, &disks, more) : 0;
	if (r < 0 && (size || have == d->size_bytes))
		return say_no_space(map, d, &disks, more, s);
	if (r > 0)
		hf_map_commit(map, d, (unsigned)r);
	d->size_bytes = size ? size : hf_map_capacity(map, d);
	return 1;
}

static int delete_device(struct hf_map *map, const struct hf_pool_op *op, const struct says *s)
{
	struct hf_map_ldev *d;
	int r = need_ldev(map, op->name, s, &d);

	if (r)
		return r;
	if (!d->retired)
		return refuse(
			s, EBUSY, "'%s' is still in service; it has to be retired first", d->name);
	hf_map_release(map, d);
	map->ldevs_len--;
	memmove(d, d + 1, (size_t)(&map->ldevs[map->ldevs_len] - d) * sizeof(*d));
	memset(&map->ldevs[map->ldevs_len], 0, sizeof(*d));
	return 1;
}

static int rename_device(struct hf_map *map, const struct hf_pool_op *op, const struct says *s)
{
	struct hf_map_ldev *d;
	int r = need_ldev(map, op->name, s, &d);

	if (r)
		return r;
	if (strncmp(op->name, op->new_name, HF_NAME_MAX + 1) == 0)
		return 0;
	r = check_free_name(map, op->new_name, s);
	if (r)
		return r;
	memset(d->name, 0, sizeof(d->name));
	memcpy(d->name, op->new_name, strnlen(op->new_name, HF_NAME_MAX));
	return 1;
}

static int change_dominant(struct hf_map *map, const struct hf_pool_op *op, const struct says *s)
{
	struct hf_map_ldev *d;
	uint8_t old;
	int r = need_ldev(map, op->name, s, &d);

	if (r)
		return r;
	old = d->dominant;
	r = set_dominant(d, op->dominant, s);
	return r ? r : old != d->dominant;
}

static int change_write_protect(
	struct hf_map *map, const struct hf_pool_op *op, const struct says *s)
{
	struct hf_map_ldev *d;
	int r = need_ldev(map, op->name, s, &d);

	if (r || d->write_protected == op->write_protected)
		return r;
	d->write_protected = op->write_protected;
	return 1;
}

static int add_disk(struct hf_map *map, const struct hf_pool_op *op, const struct says *s)
{
	const struct hf_map_pdev *p = &op->pdev;
	struct hf_map_pdev *q = &map->pdevs[map->pdevs_len];
	unsigned voting = p->voting;

	if (!hf_name_is_valid(p->name))
		return refuse(s, EINVAL, "'%.*s' is no name for a disk; label it with another one",
			HF_NAME_MAX, p->name);
	if (p->data_offset_bytes < HF_FORMAT_EXTENT_BYTES || p->size_bytes > SIZE_BYTES_MAX ||
		p->data_offset_bytes % HF_FORMAT_EXTENT_BYTES ||
		hf_map_pdev_end(p) <= p->data_offset_bytes ||
		(p->block_bytes && p->block_bytes != 512 && p->block_bytes != 4096) ||
		(p->voting && hf_format_slots(p->data_offset_bytes) < HF_FORMAT_SLOTS_MIN))
		return refuse(
			s, EINVAL, "the sizes of disk '%s' are no disk's; label it again", p->name);
	for (unsigned i = 0; i < map->pdevs_len; i++) {
		if (memcmp(map->pdevs[i].uuid, p->uuid, sizeof(p->uuid)) == 0)
			return refuse(s, EEXIST, "disk '%s' is in the pool already, as '%s'",
				p->name, map->pdevs[i].name);
		if (strncmp(map->pdevs[i].name, p->name, HF_NAME_MAX + 1) == 0)
			return refuse(s, EEXIST,
				"the pool has another disk '%s'; label one of them with another "
				"name",
				p->name);
		voting += map->pdevs[i].voting;
	}
	if (map->pdevs_len == HF_PDEVS_MAX)
		return refuse(s, ENOSPC, "the pool has %d disks, which is the limit", HF_PDEVS_MAX);
	if (voting > 3)
		return refuse(s, EINVAL, "'%s' would be a fourth voting disk; have one or three",
			p->name);
	for (unsigned i = 0; i < map->ldevs_len && p->voting; i++)
		if (map->ldevs[i].slot >= hf_format_slots(p->data_offset_bytes))
			return refuse(s, ENOSPC,
				"voting disk '%s' has no room for the reservations of '%s'; take a "
				"larger disk",
				p->name, map->ldevs[i].name);
	memcpy(q->uuid, p->uuid, sizeof(q->uuid));
	memcpy(q->name, p->name, strnlen(p->name, HF_NAME_MAX));
	q->size_bytes = p->size_bytes;
	q->data_offset_bytes = p->data_offset_bytes;
	q->block_bytes = hf_map_pdev_block_bytes(p);
	q->voting = p->voting;
	map->pdevs_len++;
	return 1;
}

int hf_map_apply(struct hf_map *map, const struct hf_pool_op *op, char *message, size_t message_len)
{
	static int (*const apply[])(
		struct hf_map *, const struct hf_pool_op *, const struct says *) = {
		[HF_POOL_CREATE] = create_device,
		[HF_POOL_GROW] = grow_device,
		[HF_POOL_DELETE] = delete_device,
		[HF_POOL_RENAME] = rename_device,
		[HF_POOL_SET_DOMINANT] = change_dominant,
		[HF_POOL_ADD_PDEV] = add_disk,
		[HF_POOL_SET_WRITE_PROTECT] = change_write_protect,
	};
	struct says s = {message, message_len};
	int r;

	hf_say(message, message_len, "%s", "");
	if ((unsigned)op->kind >= HF_ARRAY_LEN(apply) || !apply[op->kind])
		return refuse(&s, EINVAL, "operation %d on the pool is unknown", (int)op->kind);
	r = apply[op->kind](map, op, &s);
	if (r <= 0)
		return r;
	map->generation++;
	return 0;
}
