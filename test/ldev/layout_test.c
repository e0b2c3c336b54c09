/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layouts against a naive model that walks byte by byte, for every small geometry; and I/O through
 * them: cutting, errors, flushes, and that no neighbour is touched (R8, R9, INV-8).
 */
#include "kit.h"

#include <string.h>

/* --- the model: small numbers, no division --- */

struct place {
	uint16_t pdev;
	uint64_t at;
};

/* All places of a device's bytes in order, written down by walking through the extents. */
static struct place *walk(const struct hf_ldev *d)
{
	struct place *places = calloc(d->size_bytes, sizeof(*places));
	unsigned width = d->layout == HF_LAYOUT_STRIPE ? d->columns : 1, n = 0;

	assert_non_null(places);
	for (unsigned group = 0; group < d->extents_len; group += width) {
		uint64_t row_bytes = width == 1 ? d->extents[group].len_bytes : d->stripe_bytes;

		for (uint64_t row = 0; row < d->extents[group].len_bytes; row += row_bytes)
			for (unsigned c = 0; c < width; c++)
				for (uint64_t b = 0; b < row_bytes && n < d->size_bytes; b++)
					places[n++] = (struct place){d->extents[group + c].pdev,
						d->extents[group + c].offset_bytes + row + b};
	}
	assert_int_equal(n, d->size_bytes);
	return places;
}

static void compare_with_model(const struct hf_ldev *d)
{
	struct place *places = walk(d);

	for (uint64_t at = 0; at < d->size_bytes; at++) {
		for (uint64_t len = 1; len <= d->size_bytes - at; len++) {
			uint16_t pdev = 99;
			uint64_t offset = 0, run;

			run = hf_ldev_map(d, at, len, &pdev, &offset);
			assert_in_range(run, 1, len);
			assert_int_equal(pdev, places[at].pdev);
			assert_true(offset == places[at].at);
			for (uint64_t i = 1; i < run; i++)
				assert_true(places[at + i].pdev == pdev &&
					    places[at + i].at == offset + i);
			/* Not cut without need. */
			if (run < len)
				assert_false(places[at + run].pdev == pdev &&
					     places[at + run].at == offset + run &&
					     d->layout == HF_LAYOUT_LINEAR);
		}
	}
	free(places);
}

/* hf_ldev_map() takes any numbers, so the exhaustive geometries are a few bytes large. */
static void every_small_geometry_maps_as_the_model(void **state)
{
	struct hf_extent e[6];
	unsigned geometries = 0;

	for (unsigned columns = 1; columns <= 3; columns++) {
		for (unsigned groups = 1; groups <= 2; groups++) {
			for (unsigned stripe = 1; stripe <= 3; stripe++) {
				for (unsigned lens = 0; lens < 9; lens++) {
					struct hf_ldev d = {.columns = columns,
						.stripe_bytes = stripe,
						.extents_len = columns * groups,
						.extents = e,
						.layout = HF_LAYOUT_STRIPE};
					uint64_t all = 0;

					for (unsigned i = 0; i < d.extents_len; i++) {
						unsigned rows =
							(i < columns ? lens / 3 : lens % 3) + 1;

						e[i] = (struct hf_extent){
							.pdev = (uint16_t)(i % columns),
							.offset_bytes = 100 + 20 * i,
							.len_bytes = rows * stripe};
						all += e[i].len_bytes;
					}
					for (d.size_bytes = all - stripe + 1; d.size_bytes <= all;
						d.size_bytes++)
						compare_with_model(&d);
					d.layout = HF_LAYOUT_LINEAR;
					d.size_bytes = all;
					compare_with_model(&d);
					geometries++;
				}
			}
		}
	}
	print_message("%u geometries\n", geometries);
}

/* --- I/O --- */

enum {
	DISKS = 3,
	DISK_BYTES = 12 << 20,
};

struct bench {
	struct hf_loop *loop;
	struct hf_map *map;
	struct kit_disk *disks[DISKS];
	struct hf_pdev *pdevs[DISKS];
};

static void set_up(struct bench *b)
{
	b->loop = kit_loop();
	b->map = calloc(1, sizeof(*b->map));
	for (unsigned i = 0; i < DISKS; i++) {
		struct hf_pool_op op = {.kind = HF_POOL_ADD_PDEV};
		char name[16];

		snprintf(name, sizeof(name), "d%u", i);
		b->disks[i] = kit_disk_create(DISK_BYTES, name, i == 0);
		b->pdevs[i] = &b->disks[i]->pdev;
		hf_map_pdev_of_label(&b->disks[i]->label, &op.pdev);
		assert_int_equal(kit_apply(b->map, &op), 0);
	}
}

static void tear_down(struct bench *b)
{
	for (unsigned i = 0; i < DISKS; i++)
		kit_disk_destroy(b->disks[i]);
	hf_loop_destroy(b->loop);
	free(b->map);
}

static struct hf_ldev *add_device(
	struct bench *b, const char *name, enum hf_layout layout, uint64_t size, uint32_t stripe)
{
	static const char *const names[] = {"d0", "d1", "d2"};
	struct hf_pool_op op = kit_create(name, layout, size, DISKS, names);

	op.stripe_bytes = stripe;
	assert_int_equal(kit_apply(b->map, &op), 0);
	return hf_ldev_create(b->map, hf_map_find_ldev(b->map, name), b->pdevs);
}

struct request {
	struct hf_ldev_io io;
	unsigned done;
	int result;
};

static void request_done(struct hf_ldev_io *io, int result)
{
	struct request *r = hf_container_of(io, struct request, io);

	r->done++;
	r->result = result;
}

static int run(struct bench *b, const struct hf_ldev *d, enum hf_pdev_op op, uint64_t at, void *buf,
	uint64_t len)
{
	struct request r = {.io = {.op = op,
				    .offset_bytes = at,
				    .len_bytes = len,
				    .buf = buf,
				    .done = request_done}};

	hf_ldev_submit(d, b->loop, &r.io);
	assert_int_equal(r.done, 0); /* never inside the submit */
	hf_loop_sim_settle(b->loop);
	assert_int_equal(r.done, 1);
	return r.result;
}

/* R8, R9, INV-8: whatever is written to one device, no byte outside of it changes. */
static void writes_touch_no_neighbour(void **state)
{
	uint64_t seed = kit_seed("layout"), rng = seed;
	struct bench b;
	struct hf_ldev *d[3];
	uint8_t *model[3], *buf = malloc(2 << 20);
	const uint64_t size[] = {3 * MIB, 4 * MIB + 512 * 24, 6 * MIB};

	set_up(&b);
	for (unsigned i = 0; i < DISKS; i++)
		kit_fill(b.disks[i]->data, DISK_BYTES, seed + i);
	d[2] = add_device(&b, "stripe", HF_LAYOUT_STRIPE, size[2], 4096);
	d[0] = add_device(&b, "lin", HF_LAYOUT_LINEAR, size[0], 0);
	d[1] = add_device(&b, "wide", HF_LAYOUT_LINEAR, size[1], 0);
	for (unsigned i = 0; i < 3; i++) {
		model[i] = malloc(d[i]->size_bytes);
		assert_int_equal(run(&b, d[i], HF_PDEV_READ, 0, model[i], d[i]->size_bytes), 0);
	}
	for (unsigned step = 0; step < 300; step++) {
		unsigned i = (unsigned)kit_below(&rng, 3);
		uint64_t blocks = d[i]->size_bytes / 512, at = kit_below(&rng, blocks);
		uint64_t len = 1 + kit_below(&rng, HF_MIN(blocks - at, (uint64_t)200));

		kit_disk_forget(b.disks[0]);
		kit_disk_forget(b.disks[1]);
		kit_disk_forget(b.disks[2]);
		kit_fill(buf, len * 512, rng);
		if (kit_below(&rng, 8)) {
			assert_int_equal(run(&b, d[i], HF_PDEV_WRITE, at * 512, buf, len * 512), 0);
			memcpy(model[i] + at * 512, buf, len * 512);
		} else {
			assert_int_equal(
				run(&b, d[i], HF_PDEV_WRITE_ZEROES, at * 512, NULL, len * 512), 0);
			memset(model[i] + at * 512, 0, len * 512);
		}
	}
	for (unsigned i = 0; i < 3; i++) {
		for (uint64_t at = 0; at < d[i]->size_bytes; at += MIB) {
			uint64_t len = HF_MIN(MIB, d[i]->size_bytes - at);

			assert_int_equal(run(&b, d[i], HF_PDEV_READ, at, buf, len), 0);
			assert_memory_equal(buf, model[i] + at, len);
		}
	}
	/* Labels, records and free extents are as they were filled. */
	for (unsigned i = 0; i < DISKS; i++) {
		uint8_t *filled = malloc(DISK_BYTES);

		kit_fill(filled, DISK_BYTES, seed + i);
		for (unsigned e = 0; e < b.map->extents_len; e++)
			if (b.map->extents[e].pdev == i)
				memcpy(filled + b.map->extents[e].offset_bytes,
					b.disks[i]->data + b.map->extents[e].offset_bytes,
					b.map->extents[e].len_bytes);
		assert_memory_equal(b.disks[i]->data, filled, DISK_BYTES);
		free(filled);
	}
	for (unsigned i = 0; i < 3; i++) {
		hf_ldev_destroy(d[i]);
		free(model[i]);
	}
	free(buf);
	tear_down(&b);
}

/* More pieces than fit at a time: the rest follows as pieces end. */
static void long_request_is_cut_and_put_together(void **state)
{
	struct bench b;
	uint8_t *buf = malloc(MIB), *back = malloc(MIB);
	struct hf_ldev *d;

	set_up(&b);
	d = add_device(&b, "s", HF_LAYOUT_STRIPE, 3 * MIB, 65536);
	kit_fill(buf, MIB, 5);
	assert_int_equal(run(&b, d, HF_PDEV_WRITE, 65536 - 512, buf, MIB), 0);
	assert_int_equal(b.disks[0]->writes + b.disks[1]->writes + b.disks[2]->writes, 17);
	assert_int_equal(run(&b, d, HF_PDEV_READ, 65536 - 512, back, MIB), 0);
	assert_memory_equal(buf, back, MIB);
	hf_ldev_destroy(d);
	free(buf);
	free(back);
	tear_down(&b);
}

static void flush_goes_once_to_each_disk_under_the_device(void **state)
{
	struct bench b;
	struct hf_ldev *s, *l;

	set_up(&b);
	s = add_device(&b, "s", HF_LAYOUT_STRIPE, 3 * MIB, 65536);
	l = add_device(&b, "l", HF_LAYOUT_LINEAR, 1 * MIB, 0);
	assert_int_equal(run(&b, s, HF_PDEV_FLUSH, 0, NULL, 0), 0);
	for (unsigned i = 0; i < DISKS; i++)
		assert_int_equal(b.disks[i]->flushes, 1);
	assert_int_equal(run(&b, l, HF_PDEV_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(b.disks[0]->flushes, 2);
	assert_int_equal(b.disks[1]->flushes, 1);
	hf_ldev_destroy(s);
	hf_ldev_destroy(l);
	tear_down(&b);
}

static enum kit_fault fail_all(struct kit_disk *d, const struct hf_pdev_io *io)
{
	return KIT_FAIL;
}

static enum kit_fault hang_all(struct kit_disk *d, const struct hf_pdev_io *io)
{
	return KIT_HANG;
}

static void error_of_any_piece_is_the_request_s(void **state)
{
	uint8_t *buf = calloc(1, MIB);
	struct bench b;
	struct hf_ldev *d;

	set_up(&b);
	d = add_device(&b, "s", HF_LAYOUT_STRIPE, 3 * MIB, 65536);
	b.disks[1]->fault = fail_all;
	assert_int_equal(run(&b, d, HF_PDEV_READ, 0, buf, MIB), -EIO);
	assert_true(b.disks[0]->reads <= 2); /* what has failed is not carried on */
	assert_int_equal(run(&b, d, HF_PDEV_READ, 0, buf, 65536), 0);
	assert_int_equal(run(&b, d, HF_PDEV_FLUSH, 0, NULL, 0), -EIO);
	hf_ldev_destroy(d);
	free(buf);
	tear_down(&b);
}

/* W17: failed or not, a request has not ended while a piece of it may reach a disk. */
static void request_ends_only_when_its_last_piece_has(void **state)
{
	struct request r = {.io = {.op = HF_PDEV_WRITE,
				    .len_bytes = 3 * 65536,
				    .buf = calloc(3, 65536),
				    .done = request_done}};
	struct bench b;
	struct hf_ldev *d;

	set_up(&b);
	d = add_device(&b, "s", HF_LAYOUT_STRIPE, 3 * MIB, 65536);
	b.disks[0]->fault = fail_all;
	b.disks[2]->fault = hang_all;
	hf_ldev_submit(d, b.loop, &r.io);
	hf_loop_sim_settle(b.loop);
	assert_int_equal(r.done, 0);
	kit_disk_resume(b.disks[2], 0, true);
	hf_loop_sim_settle(b.loop);
	assert_int_equal(r.done, 1);
	assert_int_equal(r.result, -EIO);
	hf_ldev_destroy(d);
	free(r.io.buf);
	tear_down(&b);
}

static void missing_disk_fails_only_what_lies_on_it(void **state)
{
	uint8_t *buf = calloc(1, MIB);
	struct bench b;
	struct hf_ldev *d;

	set_up(&b);
	d = add_device(&b, "s", HF_LAYOUT_STRIPE, 3 * MIB, 65536);
	b.pdevs[1] = NULL;
	assert_int_equal(run(&b, d, HF_PDEV_READ, 0, buf, 65536), 0);
	assert_int_equal(run(&b, d, HF_PDEV_READ, 65536, buf, 65536), -EIO);
	assert_int_equal(run(&b, d, HF_PDEV_WRITE, 0, buf, MIB), -EIO);
	assert_int_equal(run(&b, d, HF_PDEV_FLUSH, 0, NULL, 0), -EIO);
	assert_int_equal(run(&b, d, HF_PDEV_READ, 0, buf, 0), 0); /* nothing to do is done */
	hf_ldev_destroy(d);
	free(buf);
	tear_down(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_small_geometry_maps_as_the_model),
		cmocka_unit_test(writes_touch_no_neighbour),
		cmocka_unit_test(long_request_is_cut_and_put_together),
		cmocka_unit_test(flush_goes_once_to_each_disk_under_the_device),
		cmocka_unit_test(error_of_any_piece_is_the_request_s),
		cmocka_unit_test(request_ends_only_when_its_last_piece_has),
		cmocka_unit_test(missing_disk_fails_only_what_lies_on_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
