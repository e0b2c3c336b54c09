/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loading what the disks keep (S9), and replacing it: node_bus.c, node_pool.c, node_slots.c and
 * node_rewrite.c on voting disks whose requests hang, with another controller that writes them
 * meanwhile; and with node_fence.c, what comes onto a disk that could not be fenced. A logical unit
 * is a letter here.
 */
#include "../ldev/kit.h"
#include "map.h"
#include "node.h"
#include "pr.h"

enum { A = 1, B, C, DEVS, DISKS = 3 };

static struct kit_records own, other; /* two controllers, one set of disks */
static struct hf_node node;
static struct hf_map *map; /* as the other one has it */
static uint8_t *bytes;	   /* encoded */

static struct {
	bool here[DEVS];
	char state[DEVS], loaded[DEVS]; /* now; when the load was over */
	unsigned loads, updates;
	int load_result;
	bool persisted;
	int persist_result;
	char dominant[DEVS];	  /* as the engine was told: 'y', 'n' */
	bool stopped[DEVS];	  /* unfenced */
	unsigned stopped_updates; /* of such as were stopped before */
	bool retires;
	unsigned rewrites, view_ios;
	bool destroyed;
	int rewrite_result;
} seen;

static struct hf_pdev below[2]; /* of what the devices of the map lie on */
static const struct hf_fence_ops *fence_ops;

/* --- stand-ins: disks, logical units, engine --- */

void hf_pool_record_submit(struct hf_pool *pool, struct hf_record_io *io)
{
	hf_recorder_submit(own.rec, io);
}

void hf_pool_forget_records(struct hf_pool *pool)
{
	hf_recorder_forget(own.rec);
}

struct hf_pdev **hf_pool_pdevs(struct hf_pool *pool, const struct hf_map *m)
{
	static struct hf_pdev *pdevs[HF_PDEVS_MAX];

	for (unsigned i = 0; i < HF_ARRAY_LEN(below); i++)
		pdevs[i] = &below[i];
	return pdevs;
}

unsigned hf_pool_len(const struct hf_pool *pool)
{
	return 0;
}

const struct hf_label *hf_pool_label(const struct hf_pool *pool, unsigned url_index)
{
	return NULL;
}

static void free_info(struct hf_lu_info *info)
{
	hf_ldev_destroy((struct hf_ldev *)info->ldev);
	free(info);
}

int hf_lu_add(struct hf_lu_table *t, struct hf_lu_info *info)
{
	assert_true(info->id < DEVS && !seen.here[info->id]);
	seen.here[info->id] = true;
	seen.state[info->id] = '-';
	free_info(info);
	return 0;
}

void hf_lu_update(struct hf_lu_table *t, uint32_t dev, struct hf_lu_info *info)
{
	seen.updates++;
	seen.stopped_updates += seen.stopped[dev];
	free_info(info);
}

void hf_lu_remove(struct hf_lu_table *t, uint32_t dev)
{
	seen.here[dev] = seen.stopped[dev] = false;
}

bool hf_lu_status(struct hf_lu_table *t, uint32_t dev, struct hf_lu_status *ret)
{
	*ret = (struct hf_lu_status){.retires = seen.retires};
	return seen.here[dev];
}

void hf_lu_load(struct hf_lu_table *t, uint32_t dev, const uint8_t *buf, int result)
{
	seen.state[dev] = result > 0 ? (char)buf[0] : result < 0 ? '?' : '0';
}

int hf_lu_bus_install(struct hf_lu_table *t, uint32_t dev, const uint8_t *buf, size_t len)
{
	seen.state[dev] = (char)buf[0];
	return 0;
}

void hf_lu_bus_drop(struct hf_lu_table *t)
{
	memset(seen.state, '-', sizeof(seen.state));
}

bool hf_resv_is_retired(const struct hf_resv *r)
{
	return false;
}

enum hf_bus_look hf_lu_bus_look(struct hf_lu_table *t, uint32_t dev, const void *op, size_t len)
{
	return HF_BUS_LOOK_ANSWER;
}

uint64_t hf_lu_bus_digest(struct hf_lu_table *t, uint32_t dev)
{
	return 0;
}

void hf_lu_bus_hold(struct hf_lu_table *t, uint32_t dev, uint64_t n, const void *op, size_t len)
{
}

void hf_lu_bus_unhold(struct hf_lu_table *t, uint32_t dev, uint64_t n)
{
}

void hf_lu_bus_persist(struct hf_lu_table *t, uint32_t dev, uint64_t n)
{
}

void hf_lu_bus_apply(struct hf_lu_table *t, uint32_t dev, uint64_t n)
{
}

void hf_lu_bus_answer(struct hf_lu_table *t, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
}

void hf_lu_bus_doubt(struct hf_lu_table *t, struct hf_bus_prop *prop)
{
}

void hf_lu_stop(struct hf_lu_table *t, uint32_t dev, enum hf_lu_stop stop, const char *why)
{
	assert_true(seen.here[dev]);
	seen.stopped[dev] |= stop == HF_LU_STOP_UNFENCED;
}

void hf_lu_await_changes(struct hf_lu_table *t, void (*fn)(void *arg), void *arg)
{
}

void hf_lu_resume(struct hf_lu_table *t, uint32_t dev, enum hf_lu_stop stop)
{
}

void hf_lu_bus_pick(struct hf_lu_table *t, uint32_t dev, uint64_t n, bool mine)
{
}

void hf_lu_bus_range_hold(
	struct hf_lu_table *t, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks)
{
}

void hf_lu_bus_range_unhold(struct hf_lu_table *t, uint32_t dev, uint64_t id)
{
}

void hf_lu_bus_range_doubt(struct hf_lu_table *t, uint32_t dev, uint64_t id)
{
}

int hf_lu_bus_snapshot(struct hf_lu_table *t, uint32_t dev, uint8_t *buf, size_t cap)
{
	return -ENODEV;
}

int hf_lu_bus_slot(struct hf_lu_table *t, uint32_t dev, uint8_t *buf, size_t cap)
{
	buf[0] = (uint8_t)seen.state[dev];
	return seen.state[dev] == '-' ? 0 : 1;
}

uint32_t hf_lu_bus_next_dev(struct hf_lu_table *t, uint32_t after)
{
	return UINT32_MAX;
}

void hf_lu_set_bus(struct hf_lu_table *t, struct hf_bus *b)
{
	assert_null(b);
}

void hf_lu_persisted(struct hf_lu *lu, int result)
{
}

void hf_node_settled(struct hf_node *n)
{
}

void hf_node_view_changed(struct hf_node *n, const struct hf_view *view)
{
}

void hf_node_end_fenced(void)
{
}

int hf_fence_create(const struct hf_fence_config *c, struct hf_loop *loop, struct hf_pool *pool,
	const struct hf_fence_ops *ops, void *owner, struct hf_fence **ret, char *message,
	size_t message_len)
{
	fence_ops = ops;
	return 0;
}

int hf_fence_each_create(struct hf_loop *loop, const struct hf_fence_ops *ops, void *owner,
	struct hf_fence_each **ret)
{
	return 0;
}

void hf_fence_each_start(struct hf_fence_each *f, const struct hf_fence_victim *victims,
	unsigned len, uint32_t limit_ms)
{
}

int hf_fence_enter_disk(
	struct hf_loop *loop, struct hf_pdev *pdev, uint64_t key, char *message, size_t message_len)
{
	return 0;
}

uint64_t hf_pr_key(const char *cluster, uint8_t id, uint64_t incarnation)
{
	return 1;
}

void hf_fence_start_ids(
	struct hf_fence *f, uint64_t epoch, uint32_t ids, const uint64_t *incarnations)
{
}

void hf_fence_start(struct hf_fence *f, uint64_t epoch, uint64_t peer_incarnation, bool starts)
{
}

bool hf_fence_end(struct hf_fence *f)
{
	return true;
}

void hf_fence_each_end(struct hf_fence_each *f)
{
}

bool hf_fence_mend(struct hf_fence *f)
{
	return true;
}

void hf_fence_check(struct hf_fence *f)
{
}

void hf_fence_look(struct hf_fence *f)
{
}

static void loaded(struct hf_bus *bus, int result)
{
	seen.loads++;
	seen.load_result = result;
	memcpy(seen.loaded, seen.state, sizeof(seen.loaded));
}

static void persisted(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	seen.persisted = true;
	seen.persist_result = result;
}

static void rewritten(struct hf_bus *bus, int result)
{
	seen.rewrites++;
	seen.rewrite_result = result;
}

static void drained(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	assert_int_equal(result, 0);
}

static void destroy(struct hf_bus *bus)
{
	seen.destroyed = true;
}

static void view_io_done(struct hf_bus *bus, const uint8_t *buf, int result)
{
	assert_false(seen.destroyed);
	seen.view_ios++;
}

static void dev_add(struct hf_bus *bus, uint32_t dev, bool dominant)
{
	seen.dominant[dev] = dominant ? 'y' : 'n';
}

static void dev_remove(struct hf_bus *bus, uint32_t dev)
{
}

/* --- the other controller --- */

struct waited {
	struct hf_record_io io;
	bool done;
	int result;
};

static void write_done(struct hf_record_io *io, int result)
{
	struct waited *w = hf_container_of(io, struct waited, io);

	w->done = true;
	w->result = result;
}

static void other_writes(
	enum hf_record_kind kind, uint32_t index, uint32_t owner, uint8_t *buf, size_t len)
{
	struct waited w = {.io = {.kind = kind,
				   .index = index,
				   .owner = owner,
				   .write = true,
				   .buf = buf,
				   .len = len,
				   .done = write_done}};

	hf_recorder_submit(other.rec, &w.io);
	hf_loop_sim_settle(own.loop);
	assert_true(w.done);
	assert_int_equal(w.result, 0);
}

static size_t encoded(void)
{
	int n = hf_map_encode(map, bytes, hf_map_encoded_max());

	assert_true(n > 0);
	return (size_t)n;
}

static void other_creates(const char *name, char state)
{
	struct hf_pool_op op = kit_create(name, HF_LAYOUT_LINEAR, MIB, 0, NULL);
	const struct hf_map_ldev *d;

	assert_int_equal(kit_apply(map, &op), 0);
	other_writes(HF_RECORD_MAP, 0, 0, bytes, encoded());
	d = hf_map_find_ldev(map, name);
	other_writes(HF_RECORD_SLOT, d->slot, d->id, (uint8_t *)&state, 1);
}

static void other_deletes(const char *name)
{
	struct hf_pool_op op = {.kind = HF_POOL_DELETE};

	snprintf(op.name, sizeof(op.name), "%s", name);
	hf_map_set_retired(map, hf_map_find_ldev(map, name)->id, true);
	assert_int_equal(kit_apply(map, &op), 0);
}

/* --- disks that hang, or lose a write --- */

static enum hf_pdev_op hanging_op;
static uint64_t hanging_from;

static enum kit_fault hang(struct kit_disk *disk, const struct hf_pdev_io *io)
{
	return io->op == hanging_op && io->offset_bytes >= hanging_from ? KIT_HANG : KIT_OK;
}

static enum kit_fault lose(struct kit_disk *disk, const struct hf_pdev_io *io)
{
	return io->op == HF_PDEV_WRITE ? KIT_LOSE : KIT_OK;
}

static enum kit_fault fail_read(struct kit_disk *disk, const struct hf_pdev_io *io)
{
	return io->op == HF_PDEV_READ ? KIT_FAIL : KIT_OK;
}

static void faults(
	unsigned first, enum kit_fault (*fault)(struct kit_disk *disk, const struct hf_pdev_io *io))
{
	for (unsigned i = first; i < DISKS; i++)
		own.disks[i]->fault = fault;
}

static void hang_from_now(enum hf_pdev_op op, uint64_t from)
{
	hanging_op = op;
	hanging_from = from;
	faults(0, hang);
}

/* What hangs is carried out now, and what follows from it. */
static void go_on(void)
{
	faults(0, NULL);
	for (unsigned i = 0; i < DISKS; i++)
		while (!hf_list_is_empty(&own.disks[i]->hanging))
			kit_disk_resume(own.disks[i], 0, true);
	hf_loop_sim_settle(own.loop);
}

static unsigned writes(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < DISKS; i++)
		n += own.disks[i]->writes;
	return n;
}

/* --- this controller --- */

static const struct hf_bus_ops bus_ops = {.loaded = loaded,
	.persisted = persisted,
	.rewritten = rewritten,
	.drained = drained,
	.dev_add = dev_add,
	.view_io_done = view_io_done,
	.destroy = destroy,
	.dev_remove = dev_remove};
static struct hf_bus bus = {.ops = &bus_ops};
static struct hf_config config;

static void start(void)
{
	char message[200];

	memset(&seen, 0, sizeof(seen));
	memset(&node, 0, sizeof(node));
	node.config = &config;
	hf_list_init(&node.slot_writes);
	node.loops[0] = own.loop;
	assert_int_equal(hf_node_pool_load(&node, message, sizeof(message)), 0);
	hf_loop_sim_settle(own.loop);
	node.bus = &bus;
	for (unsigned i = 0; i < DISKS; i++)
		kit_disk_forget(own.disks[i]);
}

/* The other one has made device A, and this one has started since. */
static int set_up(void **state)
{
	kit_records_open(&own, DISKS);
	other = own;
	other.rec = NULL;
	kit_records_restart(&other, 0);
	map = kit_map(1, 100);
	bytes = malloc(hf_map_encoded_max());
	assert_non_null(bytes);
	config.controllers_len = 2;
	config.self = &config.controllers[0];
	other_creates("a", 'A');
	start();
	assert_true(seen.here[A] && !seen.here[B]);
	return 0;
}

/* ... and B, of which only one disk has heard as it dies; then this one starts. */
static void start_with_what_one_disk_has(void)
{
	faults(1, lose);
	other_creates("b", 'B');
	faults(0, NULL);
	hf_node_pool_fini(&node);
	start();
	assert_true(seen.here[A] && seen.here[B]);
}

static int tear_down(void **state)
{
	go_on();
	hf_node_pool_fini(&node);
	hf_recorder_destroy(other.rec, NULL, NULL);
	kit_records_close(&own);
	free(map);
	free(bytes);
	return 0;
}

static void load(void)
{
	hf_node_bus_ops.load(&node);
	hf_loop_sim_settle(own.loop);
}

/* Another controller has loaded; this one takes a copy from it. */
static void drop_and_copy(char state)
{
	hf_node_bus_ops.drop(&node);
	assert_int_equal(hf_node_bus_ops.install(&node, HF_BUS_DEV_POOL, bytes, encoded()), 0);
	for (uint32_t i = 0; i < map->ldevs_len; i++)
		hf_node_bus_ops.install(&node, map->ldevs[i].id, (const uint8_t *)&state, 1);
}

static void assert_loaded(char a, char b)
{
	assert_int_equal(seen.loads, 1);
	assert_int_equal(seen.load_result, 0);
	assert_int_equal(seen.here[B], b != 0);
	assert_int_equal(seen.loaded[A], a);
	if (b)
		assert_int_equal(seen.loaded[B], b);
	assert_memory_equal(seen.state, seen.loaded, sizeof(seen.state));
}

/* --- */

static void s9_the_map_is_read_again_for_others_may_have_changed_it(void **state)
{
	other_creates("b", 'B');
	load();
	assert_loaded('A', 'B');
	assert_int_equal(seen.updates, 0);
}

static void the_same_map_is_left_alone(void **state)
{
	load();
	assert_loaded('A', 0);
	assert_int_equal(writes(), 0);
	assert_int_equal(seen.updates, 0);
}

static void w14_what_only_one_disk_has_is_on_most_before_it_counts(void **state)
{
	struct waited w = {.io = {.kind = HF_RECORD_MAP,
				   .buf = bytes,
				   .len = hf_map_encoded_max(),
				   .done = write_done}};
	size_t len;

	faults(1, lose);
	other_creates("b", 'B'); /* its slot is on one disk, too */
	len = encoded();
	faults(0, NULL);
	load();
	assert_loaded('A', 'B');
	kit_records_restart(&other, 1u << 0);
	hf_recorder_submit(other.rec, &w.io);
	hf_loop_sim_settle(own.loop);
	assert_true(w.done);
	assert_int_equal(w.result, len);
}

static enum kit_fault fail_all(struct kit_disk *disk, const struct hf_pdev_io *io)
{
	return KIT_FAIL;
}

/* Once without disk 0, once with all. */
static void load_twice(char a, char b)
{
	own.disks[0]->fault = fail_all;
	load();
	assert_loaded(a, b);
	faults(0, NULL);
	seen.loads = 0;
	hf_node_bus_ops.drop(&node);
	load();
	assert_loaded(a, b);
}

/* The rest of a write that was cut short, and of which nobody was told. */
static void inv6_what_a_missing_disk_has_does_not_come_up_later(void **state)
{
	char x = 'X';

	faults(1, lose);
	other_writes(HF_RECORD_SLOT, map->ldevs[0].slot, A, (uint8_t *)&x, 1);
	faults(0, NULL);
	load_twice('A', 0);
}

static void inv6_nor_where_nothing_was_written_before(void **state)
{
	struct hf_pool_op op = kit_create("b", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	char x = 'X';

	assert_int_equal(kit_apply(map, &op), 0);
	other_writes(HF_RECORD_MAP, 0, 0, bytes, encoded());
	faults(1, lose);
	other_writes(HF_RECORD_SLOT, hf_map_find_ldev(map, "b")->slot, B, (uint8_t *)&x, 1);
	faults(0, NULL);
	load_twice('A', '0');
}

static void inv6_nor_does_its_map(void **state)
{
	faults(1, lose);
	other_creates("b", 'B');
	faults(0, NULL);
	load_twice('A', 0);
}

static void w14_a_load_that_was_dropped_writes_no_map(void **state)
{
	start_with_what_one_disk_has();
	hang_from_now(HF_PDEV_READ, 0);
	load();
	hf_node_bus_ops.drop(&node);
	go_on();
	assert_int_equal(seen.loads, 1);
	assert_int_equal(writes(), 0);
	assert_int_equal(seen.state[A], '-');
}

/* Nor does it undo what was copied: here, that another one has deleted B. */
static void w14_a_load_that_was_dropped_takes_no_map(void **state)
{
	start_with_what_one_disk_has();
	hang_from_now(HF_PDEV_READ, 0);
	load();
	other_deletes("b");
	drop_and_copy('C');
	go_on();
	assert_loaded('C', 0);
}

static void w14_a_load_that_is_dropped_while_it_writes_the_map_takes_nothing(void **state)
{
	start_with_what_one_disk_has();
	hang_from_now(HF_PDEV_WRITE, 0);
	load();
	other_deletes("b");
	drop_and_copy('C');
	go_on();
	assert_loaded('C', 0);
}

static void w14_a_late_load_does_not_undo_the_copy(void **state)
{
	start_with_what_one_disk_has();
	hang_from_now(HF_PDEV_READ, HF_FORMAT_SLOTS_OFFSET);
	load();
	for (unsigned i = 0; i < DISKS; i++)
		kit_disk_forget(own.disks[i]);
	drop_and_copy('C');
	go_on();
	assert_loaded('C', 'C');
	assert_int_equal(writes(), 0); /* another controller writes them now */
}

static void a_change_is_written_though_a_load_that_was_dropped_still_waits(void **state)
{
	struct hf_pool_op op = kit_create("c", HF_LAYOUT_LINEAR, MIB, 0, NULL);
	uint8_t buf[HF_OP_MAX_BYTES];
	int len = hf_pool_op_encode(&op, buf, sizeof(buf));

	start_with_what_one_disk_has();
	hang_from_now(HF_PDEV_READ, 0);
	load();
	drop_and_copy('C');
	hf_node_bus_ops.hold(&node, HF_BUS_DEV_POOL, 1, buf, (size_t)len, true);
	hf_node_bus_ops.persist(&node, HF_BUS_DEV_POOL, 1);
	assert_false(seen.persisted);
	go_on();
	assert_true(seen.persisted);
	assert_int_equal(seen.persist_result, 0);
	assert_loaded('C', 'C');
	hf_node_bus_ops.apply(&node, HF_BUS_DEV_POOL, 1, true);
	assert_true(seen.here[C]);
}

static void one_that_is_asked_for_again_begins_when_the_first_is_over(void **state)
{
	hang_from_now(HF_PDEV_READ, HF_FORMAT_SLOTS_OFFSET);
	load();
	hf_node_bus_ops.drop(&node);
	faults(0, NULL);
	other_creates("b", 'B');
	load();
	assert_int_equal(seen.loads, 0);
	go_on();
	assert_loaded('A', 'B');
}

static void a_map_that_cannot_be_read_fails_the_load(void **state)
{
	faults(1, fail_read);
	load();
	assert_int_equal(seen.loads, 1);
	assert_int_equal(seen.load_result, -EIO);
	assert_int_equal(seen.state[A], '-'); /* not: lost */
	faults(0, NULL);
	load();
	assert_int_equal(seen.loads, 2);
	assert_int_equal(seen.load_result, 0);
	assert_int_equal(seen.state[A], 'A');
}

static enum kit_fault fail_read_of_slots(struct kit_disk *disk, const struct hf_pdev_io *io)
{
	return io->op == HF_PDEV_READ && io->offset_bytes >= HF_FORMAT_SLOTS_OFFSET ? KIT_FAIL
										    : KIT_OK;
}

static void load_fails(void)
{
	unsigned before = seen.loads;

	hf_node_bus_ops.drop(&node);
	load();
	assert_int_equal(seen.loads, before + 1);
	assert_int_equal(seen.load_result, -EIO);
	assert_int_equal(seen.state[A], '-');
}

/* The disks come later than the controllers. */
static void slots_that_cannot_be_read_fail_the_load_and_are_not_lost(void **state)
{
	faults(1, fail_read_of_slots);
	load_fails();
	faults(0, NULL);
	load();
	assert_int_equal(seen.load_result, 0);
	assert_int_equal(seen.state[A], 'A');
}

static void what_no_load_can_read_is_lost_in_the_end(void **state)
{
	for (unsigned round = 0; round < 2; round++) {
		faults(1, fail_read_of_slots);
		for (unsigned i = 0; i < 5; i++)
			load_fails();
		load();
		assert_int_equal(seen.load_result, 0);
		assert_int_equal(seen.state[A], '?');
	}
}

static void loads_for_which_the_disks_give_nothing_are_not_counted(void **state)
{
	faults(1, fail_read);
	for (unsigned i = 0; i < 20; i++)
		load_fails();
	faults(0, NULL);
	load();
	assert_int_equal(seen.state[A], 'A');
}

static void w9_what_a_fence_may_keep_away_is_not_judged_before_it_has_looked(void **state)
{
	node.fence = (struct hf_fence *)&seen; /* no more than there */
	faults(1, fail_read_of_slots);
	load();
	assert_int_equal(seen.loads, 0);
	hf_node_slots_checked(&node);
	assert_int_equal(seen.loads, 1);
	assert_int_equal(seen.load_result, -EIO);
}

/* --- who is dominant --- */

static void the_engine_is_told_who_is_dominant_from_now_on(void **state)
{
	struct hf_pool_op op = {.kind = HF_POOL_SET_DOMINANT, .name = "a", .dominant = 2};
	uint8_t buf[HF_OP_MAX_BYTES];
	int len = hf_pool_op_encode(&op, buf, sizeof(buf));

	assert_true(len > 0);
	load();
	hf_node_bus_ops.hold(&node, HF_BUS_DEV_POOL, 1, buf, (size_t)len, true);
	hf_node_bus_ops.persist(&node, HF_BUS_DEV_POOL, 1);
	hf_loop_sim_settle(own.loop);
	assert_true(seen.persisted);
	assert_int_equal(seen.dominant[A], 0);
	hf_node_bus_ops.apply(&node, HF_BUS_DEV_POOL, 1, true);
	assert_int_equal(seen.dominant[A], 'n');
	/* A copy of the map says something else again. */
	drop_and_copy('A');
	assert_int_equal(seen.dominant[A], 'y');
}

/* --- a change that comes while the devices are still being copied --- */

static void s8_who_joins_takes_the_members_word_that_a_device_is_retired(void **state)
{
	struct hf_pool_op op = {.kind = HF_POOL_DELETE, .name = "a"};
	struct hf_pool_op grow = {.kind = HF_POOL_GROW, .name = "a", .size_bytes = 2 * MIB};
	uint8_t buf[HF_OP_MAX_BYTES], more[HF_OP_MAX_BYTES];
	int len = hf_pool_op_encode(&op, buf, sizeof(buf));
	int more_len = hf_pool_op_encode(&grow, more, sizeof(more));

	assert_true(len > 0 && more_len > 0);
	load();
	bus.view.state = HF_VIEW_TOGETHER;
	assert_int_equal(
		hf_node_bus_ops.look(&node, HF_BUS_DEV_POOL, buf, (size_t)len), HF_BUS_LOOK_ANSWER);
	seen.retires = true; /* settled elsewhere, held here */
	assert_int_equal(hf_node_bus_ops.look(&node, HF_BUS_DEV_POOL, buf, (size_t)len),
		HF_BUS_LOOK_CHANGE_PERSIST);
	seen.retires = false;
	bus.view.state = HF_VIEW_JOINING;
	assert_int_equal(hf_node_bus_ops.look(&node, HF_BUS_DEV_POOL, buf, (size_t)len),
		HF_BUS_LOOK_CHANGE_PERSIST);
	/* ... or that it is not. */
	assert_int_equal(hf_node_bus_ops.look(&node, HF_BUS_DEV_POOL, more, (size_t)more_len),
		HF_BUS_LOOK_CHANGE_PERSIST);
	bus.view.state = HF_VIEW_STARTING;
}

/* One controller may hold the retirement, or have settled it, and the other not know of it yet. */
static void s8_growth_is_judged_alike_whether_the_device_is_retired_or_not(void **state)
{
	struct hf_pool_op op = {.kind = HF_POOL_GROW, .name = "a", .size_bytes = 2 * MIB};
	uint8_t buf[HF_OP_MAX_BYTES];
	int len = hf_pool_op_encode(&op, buf, sizeof(buf));

	assert_true(len > 0);
	load();
	bus.view.state = HF_VIEW_TOGETHER;
	for (unsigned retires = 0; retires < 2; retires++) {
		seen.retires = retires;
		assert_int_equal(hf_node_bus_ops.look(&node, HF_BUS_DEV_POOL, buf, (size_t)len),
			HF_BUS_LOOK_CHANGE_PERSIST);
	}
	bus.view.state = HF_VIEW_STARTING;
}

/* --- two that both went on alone, and this one is kept --- */

static void rewrite(void)
{
	hf_node_bus_ops.rewrite(&node);
	hf_loop_sim_settle(own.loop);
}

static void what_the_other_one_wrote_is_not_found_any_more(void **state)
{
	struct waited w = {.io = {.kind = HF_RECORD_SLOT, .owner = B, .done = write_done}};
	const struct hf_map_ldev *b;
	uint8_t found[16];
	char x = 'X';

	load();
	other_creates("b", 'B');
	other_writes(HF_RECORD_SLOT, map->ldevs[0].slot, A, (uint8_t *)&x, 1);
	rewrite();
	assert_int_equal(seen.rewrites, 1);
	assert_int_equal(seen.rewrite_result, 0);
	seen.loads = 0;
	hf_node_bus_ops.drop(&node);
	load();
	assert_loaded('A', 0);
	/* The next device that is created here gets the same number, and the same slot. */
	b = hf_map_find_ldev(map, "b");
	w.io.index = b->slot;
	w.io.buf = found;
	w.io.len = sizeof(found);
	hf_recorder_submit(own.rec, &w.io);
	hf_loop_sim_settle(own.loop);
	assert_true(w.done);
	assert_int_equal(w.result, 0);
}

/* An op that is pending has its slot written already, with what it leads to. */
static void a_slot_that_is_being_written_is_waited_for(void **state)
{
	uint8_t next = 'N';

	load();
	hang_from_now(HF_PDEV_WRITE, 0);
	hf_node_persist(&node, NULL, A, &next, 1);
	hf_loop_sim_settle(own.loop);
	hanging_op = HF_PDEV_FLUSH; /* nothing hangs any more */
	rewrite();
	assert_int_equal(seen.rewrites, 0);
	go_on();
	assert_int_equal(seen.rewrites, 1);
	assert_int_equal(seen.rewrite_result, 0);
	seen.loads = 0;
	hf_node_bus_ops.drop(&node);
	load();
	assert_loaded('N', 0);
}

static void records_that_cannot_be_replaced_fail_it(void **state)
{
	load();
	other_creates("b", 'B');
	faults(1, fail_read);
	rewrite();
	assert_int_equal(seen.rewrites, 1);
	assert_int_equal(seen.rewrite_result, -EIO);
	faults(0, NULL);
	rewrite();
	assert_int_equal(seen.rewrites, 2);
	assert_int_equal(seen.rewrite_result, 0);
}

/* --- a disk that could not be fenced --- */

static void apply(uint64_t n, const struct hf_pool_op *op)
{
	uint8_t buf[HF_OP_MAX_BYTES];
	int len = hf_pool_op_encode(op, buf, sizeof(buf));

	hf_node_bus_ops.hold(&node, HF_BUS_DEV_POOL, n, buf, (size_t)len, false);
	hf_node_bus_ops.apply(&node, HF_BUS_DEV_POOL, n, false);
}

/* Of two disks below the second cannot be fenced; A is on the first one. */
static void one_disk_is_unfenced(void)
{
	char message[200];

	kit_add_disk(map, "d1", 100, false);
	other_writes(HF_RECORD_MAP, 0, 0, bytes, encoded());
	hf_node_pool_fini(&node);
	start();
	config.on_peer_loss = HF_CONFIG_FENCE;
	config.fence.driver = HF_CONFIG_FENCE_PR;
	assert_int_equal(hf_node_fence_create(&node, message, sizeof(message)), 0);
	config.on_peer_loss = HF_CONFIG_FREEZE;
	fence_ops->unfenced(&node, &below[1], "d1");
	assert_false(seen.stopped[A]);
}

/* The loser had proposed it, had it on its side, and writes there. */
static void inv4_what_is_made_on_a_disk_that_could_not_be_fenced_is_stopped(void **state)
{
	const char *const first[] = {"d0"}, *const second[] = {"d1"};
	struct hf_pool_op op = kit_create("b", HF_LAYOUT_LINEAR, MIB, 1, second);

	one_disk_is_unfenced();
	apply(1, &op);
	assert_true(seen.stopped[B]);
	op = kit_create("c", HF_LAYOUT_LINEAR, MIB, 1, first);
	apply(2, &op);
	assert_true(seen.here[C] && !seen.stopped[C]);
}

static void inv4_what_grows_onto_a_disk_that_could_not_be_fenced_is_stopped_first(void **state)
{
	struct hf_pool_op op = {.kind = HF_POOL_GROW,
		.name = "a",
		.size_bytes = 2 * MIB,
		.pdevs_len = 1,
		.pdevs = {"d1"}};

	one_disk_is_unfenced();
	apply(1, &op);
	assert_int_equal(seen.updates, 1);
	assert_true(seen.stopped[A]);
	assert_int_equal(seen.stopped_updates, 1);
}

/* --- the end --- */

static void races_on(struct hf_record_io *io, int result)
{
	*io->buf = 'R';
}

/* The fence's leave runs the loop when the engine is gone: its own records end, the others do not.
 */
static void what_is_out_at_the_end_is_told_to_no_engine_that_is_gone(void **state)
{
	uint8_t buf[4096] = {0};
	struct hf_record_io race = {
		.kind = HF_RECORD_RACE, .buf = buf, .len = sizeof(buf), .done = races_on};

	hf_node_bus_ops.view_read(&node);
	hf_loop_sim_settle(own.loop);
	assert_int_equal(seen.view_ios, 1);
	hang_from_now(HF_PDEV_READ, 0);
	hf_node_bus_ops.view_read(&node);
	load();
	hf_recorder_submit(own.rec, &race);
	hf_node_bus_destroy(&node);
	go_on();
	assert_int_equal(seen.view_ios, 1);
	assert_int_equal(seen.loads, 0);
	assert_int_equal(*buf, 'R');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(s9_the_map_is_read_again_for_others_may_have_changed_it),
		TEST(the_same_map_is_left_alone),
		TEST(w14_what_only_one_disk_has_is_on_most_before_it_counts),
		TEST(inv6_what_a_missing_disk_has_does_not_come_up_later),
		TEST(inv6_nor_where_nothing_was_written_before),
		TEST(inv6_nor_does_its_map),
		TEST(w14_a_load_that_was_dropped_writes_no_map),
		TEST(w14_a_load_that_was_dropped_takes_no_map),
		TEST(w14_a_load_that_is_dropped_while_it_writes_the_map_takes_nothing),
		TEST(w14_a_late_load_does_not_undo_the_copy),
		TEST(a_change_is_written_though_a_load_that_was_dropped_still_waits),
		TEST(one_that_is_asked_for_again_begins_when_the_first_is_over),
		TEST(a_map_that_cannot_be_read_fails_the_load),
		TEST(slots_that_cannot_be_read_fail_the_load_and_are_not_lost),
		TEST(what_no_load_can_read_is_lost_in_the_end),
		TEST(loads_for_which_the_disks_give_nothing_are_not_counted),
		TEST(w9_what_a_fence_may_keep_away_is_not_judged_before_it_has_looked),
		TEST(s8_who_joins_takes_the_members_word_that_a_device_is_retired),
		TEST(s8_growth_is_judged_alike_whether_the_device_is_retired_or_not),
		TEST(the_engine_is_told_who_is_dominant_from_now_on),
		TEST(what_the_other_one_wrote_is_not_found_any_more),
		TEST(a_slot_that_is_being_written_is_waited_for),
		TEST(records_that_cannot_be_replaced_fail_it),
		TEST(inv4_what_is_made_on_a_disk_that_could_not_be_fenced_is_stopped),
		TEST(inv4_what_grows_onto_a_disk_that_could_not_be_fenced_is_stopped_first),
		TEST(what_is_out_at_the_end_is_told_to_no_engine_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
