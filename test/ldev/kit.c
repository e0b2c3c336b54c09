/* SPDX-License-Identifier: BSD-3-Clause */
/* Random numbers, maps, disks that go wrong and records for the tests of src/ldev: see kit.h. */
#include "kit.h"
#include "map.h"

#include <string.h>

uint64_t kit_seed(const char *what)
{
	const char *s = getenv("HF_SEED");
	uint64_t seed = s ? strtoull(s, NULL, 0) : 20260101;

	print_message("%s: HF_SEED=%llu\n", what, (unsigned long long)seed);
	return seed;
}

uint64_t kit_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t kit_below(uint64_t *state, uint64_t n)
{
	return kit_random(state) % n;
}

void kit_fill(uint8_t *buf, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(kit_random(&seed) >> 24);
}

/* --- maps --- */

char kit_message[512];

void kit_add_disk(struct hf_map *map, const char *name, uint64_t data_mib, bool voting)
{
	struct hf_pool_op op = {.kind = HF_POOL_ADD_PDEV};

	snprintf(op.pdev.name, sizeof(op.pdev.name), "%s", name);
	snprintf((char *)op.pdev.uuid, sizeof(op.pdev.uuid), "u%.14s", name);
	op.pdev.voting = voting;
	op.pdev.block_bytes = 512;
	op.pdev.data_offset_bytes = voting ? 6 * MIB : MIB;
	/* Half an extent at the end that no one may have. */
	op.pdev.size_bytes = op.pdev.data_offset_bytes + data_mib * MIB + MIB / 2;
	assert_int_equal(kit_apply(map, &op), 0);
}

struct hf_map *kit_map(unsigned disks, uint64_t data_mib)
{
	struct hf_map *map = calloc(1, sizeof(*map));

	assert_non_null(map);
	for (unsigned i = 0; i < disks; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%u", i);
		kit_add_disk(map, name, data_mib, i == 0);
	}
	return map;
}

struct hf_pool_op kit_create(const char *name, enum hf_layout layout, uint64_t size_bytes,
	unsigned disks_len, const char *const *disks)
{
	struct hf_pool_op op = {
		.kind = HF_POOL_CREATE,
		.layout = layout,
		.size_bytes = size_bytes,
		.lun = -1,
		.dominant = HF_DOMINANT_DEFAULT,
		.pdevs_len = disks_len,
	};

	snprintf(op.name, sizeof(op.name), "%s", name);
	snprintf((char *)op.uuid, sizeof(op.uuid), "i%.14s", name);
	for (unsigned i = 0; i < disks_len; i++)
		snprintf(op.pdevs[i], sizeof(op.pdevs[i]), "%s", disks[i]);
	return op;
}

int kit_apply(struct hf_map *map, const struct hf_pool_op *op)
{
	struct hf_map *before = malloc(sizeof(*before));
	char said[256];
	int r;

	assert_non_null(before);
	memcpy(before, map, sizeof(*map));
	r = hf_map_apply(map, op, kit_message, sizeof(kit_message));
	if (r) {
		assert_memory_equal(before, map, sizeof(*map));
		assert_true(strlen(kit_message) > 20);
	} else {
		assert_true(map->generation - before->generation <= 1);
	}
	if (hf_map_check(map, said, sizeof(said)))
		fail_msg("after %d of '%s' (%s): %s", op->kind, op->name, kit_message, said);
	for (unsigned i = map->extents_len; i < HF_EXTENTS_MAX; i++)
		assert_int_equal(map->extents[i].len_bytes, 0);
	free(before);
	return r;
}

/* --- disks --- */

static void carry_out(
	struct kit_disk *d, const struct hf_pdev_io *io, uint64_t offset, uint64_t len)
{
	uint64_t at = 0;

	assert_true(offset + len <= d->pdev.info.size_bytes);
	if (io->op == HF_PDEV_WRITE_ZEROES || io->op == HF_PDEV_DISCARD)
		memset(d->data + offset, 0, len);
	for (unsigned i = 0; i < io->iov_len && at < len; i++) {
		size_t n = HF_MIN(io->iov[i].iov_len, len - at);

		if (io->op == HF_PDEV_READ)
			memcpy(io->iov[i].iov_base, d->data + offset + at, n);
		else
			memcpy(d->data + offset + at, io->iov[i].iov_base, n);
		at += n;
	}
}

static void finish(struct hf_msg *msg)
{
	struct hf_pdev_io *io = hf_container_of(msg, struct hf_pdev_io, msg);

	io->done(io, io->result);
}

static void finish_later(struct hf_pdev_io *io, int result)
{
	io->result = result;
	io->msg.run = finish;
	hf_loop_post(io->loop, &io->msg);
}

static void keep_log(struct kit_disk *d, const struct hf_pdev_io *io)
{
	struct kit_write *w = &d->log[d->log_len];
	uint64_t at = 0;

	assert_true(d->log_len < HF_ARRAY_LEN(d->log));
	d->log_len++;
	*w = (struct kit_write){io->offset_bytes, io->len_bytes, malloc(io->len_bytes)};
	assert_non_null(w->data);
	for (unsigned i = 0; i < io->iov_len; i++) {
		memcpy(w->data + at, io->iov[i].iov_base, io->iov[i].iov_len);
		at += io->iov[i].iov_len;
	}
	assert_true(at == io->len_bytes);
}

static void submit(struct hf_pdev *pdev, struct hf_pdev_io *io)
{
	struct kit_disk *d = hf_container_of(pdev, struct kit_disk, pdev);
	enum kit_fault fault = d->fault ? d->fault(d, io) : KIT_OK;
	bool fails = fault == KIT_FAIL || fault == KIT_FAIL_LANDED || fault == KIT_FAIL_TORN;

	assert_int_equal(io->offset_bytes % pdev->info.block_bytes, 0);
	assert_int_equal(io->len_bytes % pdev->info.block_bytes, 0);
	d->reads += io->op == HF_PDEV_READ;
	d->flushes += io->op == HF_PDEV_FLUSH;
	d->writes += io->op == HF_PDEV_WRITE;
	if (io->op == HF_PDEV_WRITE)
		keep_log(d, io);
	if (fault == KIT_HANG) {
		hf_list_push_back(&d->hanging, &io->node);
		return;
	}
	if (fault == KIT_OK || fault == KIT_FAIL_LANDED)
		carry_out(d, io, io->offset_bytes, io->len_bytes);
	else if (fault == KIT_FAIL_TORN)
		carry_out(d, io, io->offset_bytes, io->len_bytes / 1024 * 512);
	else if (fault == KIT_MISDIRECT)
		carry_out(d, io, d->astray, io->len_bytes);
	finish_later(io, fails ? -EIO : 0);
}

static void close_disk(struct hf_pdev *pdev)
{
	fail_msg("%s is closed, but the test owns it", pdev->url);
}

static const struct hf_pdev_ops disk_ops = {.submit = submit, .close = close_disk};

struct kit_disk *kit_disk_create(uint64_t size_bytes, const char *name, bool voting)
{
	struct kit_disk *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->data = calloc(1, size_bytes);
	assert_non_null(d->data);
	d->pdev.ops = &disk_ops;
	d->pdev.info = (struct hf_pdev_info){
		.size_bytes = size_bytes, .block_bytes = 512, .physical_block_bytes = 4096};
	hf_list_init(&d->hanging);
	snprintf(d->label.name, sizeof(d->label.name), "%s", name);
	snprintf((char *)d->label.uuid, sizeof(d->label.uuid), "u%.14s", name);
	hf_cluster_id("kit", d->label.cluster);
	d->label.format_version = HF_FORMAT_VERSION;
	d->label.size_bytes = size_bytes;
	d->label.block_bytes = 512;
	d->label.voting = voting;
	d->label.data_offset_bytes = hf_format_data_offset(size_bytes, voting);
	return d;
}

void kit_disk_forget(struct kit_disk *d)
{
	for (unsigned i = 0; i < d->log_len; i++)
		free(d->log[i].data);
	d->log_len = d->reads = d->writes = d->flushes = 0;
}

void kit_disk_destroy(struct kit_disk *d)
{
	kit_disk_forget(d);
	free(d->data);
	free(d);
}

void kit_disk_resume(struct kit_disk *d, int result, bool happens)
{
	struct hf_list *node = hf_list_pop_front(&d->hanging);
	struct hf_pdev_io *io;

	assert_non_null(node);
	io = hf_list_entry(node, struct hf_pdev_io, node);
	if (happens)
		carry_out(d, io, io->offset_bytes, io->len_bytes);
	finish_later(io, result);
}

struct hf_loop *kit_loop(void)
{
	static const struct hf_loop_options options = {.buf_bytes = 1 << 20};
	struct hf_loop *loop;

	assert_int_equal(hf_loop_create(0, &options, &loop), 0);
	return loop;
}

/* --- records --- */

void kit_records_restart(struct kit_records *k, unsigned absent)
{
	struct hf_pdev *pdevs[HF_RECORD_DISKS_MAX] = {NULL};
	const struct hf_label *labels[HF_RECORD_DISKS_MAX] = {NULL};

	if (k->rec)
		hf_recorder_destroy(k->rec, NULL, NULL);
	for (unsigned i = 0; i < k->disks_len; i++) {
		pdevs[i] = absent & 1u << i ? NULL : &k->disks[i]->pdev;
		labels[i] = absent & 1u << i ? NULL : &k->disks[i]->label;
	}
	assert_int_equal(hf_recorder_create(k->loop, pdevs, labels, k->disks_len, &k->rec), 0);
}

void kit_records_open(struct kit_records *k, unsigned n)
{
	static const char *const names[] = {"v0", "v1", "v2"};

	*k = (struct kit_records){.loop = kit_loop(), .disks_len = n};
	for (unsigned i = 0; i < n; i++)
		k->disks[i] = kit_disk_create(8 * MIB, names[i], true);
	kit_records_restart(k, 0);
}

void kit_records_close(struct kit_records *k)
{
	hf_recorder_destroy(k->rec, NULL, NULL);
	hf_loop_destroy(k->loop);
	for (unsigned i = 0; i < k->disks_len; i++)
		kit_disk_destroy(k->disks[i]);
}

struct waited {
	struct hf_record_io io;
	bool done;
	int result;
};

static void record_done(struct hf_record_io *io, int result)
{
	struct waited *w = hf_container_of(io, struct waited, io);

	assert_false(w->done);
	w->done = true;
	w->result = result;
}

static int wait_for(struct kit_records *k, struct waited *w)
{
	w->io.done = record_done;
	hf_recorder_submit(k->rec, &w->io);
	assert_false(w->done);
	while (!w->done)
		hf_loop_run_once(k->loop, true);
	hf_loop_sim_settle(k->loop);
	return w->result;
}

int kit_record_write(struct kit_records *k, enum hf_record_kind kind, uint32_t index,
	const uint8_t *buf, size_t len)
{
	struct waited w = {.io = {.kind = kind, .index = index, .write = true, .len = len}};

	w.io.buf = (uint8_t *)(uintptr_t)buf;
	return wait_for(k, &w);
}

int kit_record_read(struct kit_records *k, enum hf_record_kind kind, uint32_t index, uint8_t *buf,
	bool *ret_scattered)
{
	struct waited w = {
		.io = {.kind = kind, .index = index, .buf = buf, .len = kit_record_room}};
	int r = wait_for(k, &w);

	if (ret_scattered)
		*ret_scattered = w.io.scattered;
	return r;
}
