/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The map as an agreed state: device 0 on the bus. An op is evaluated on a copy of the settled map;
 * the controller that proposed it writes the new map to the voting disks before anyone applies it;
 * then the logical units follow the map.
 */
#include "node.h"
#include "canary.h"
#include "log.h"
#include "spare.h"

#include <stdio.h>
#include <stdlib.h>

/* Evaluates an op on a copy of the settled map, into pool->next. */
static int evaluate(struct hf_node *node, const void *bytes, size_t len)
{
	struct hf_node_pool *p = &node->pool;
	struct hf_pool_op *op = hf_spare_malloc(sizeof(*op));
	const struct hf_map_ldev *d;
	struct hf_lu_status status;
	int rc;

	rc = hf_pool_op_decode(bytes, len, op);
	if (rc) {
		free(op);
		snprintf(p->message, sizeof(p->message), "the request could not be read");
		return rc;
	}
	memcpy(p->next, p->cur, sizeof(*p->next));
	/*
	 * A deletion waits for the device's own "retire" op (S8): who asks for it has seen that
	 * settle, so every controller holds it at least. No other op may depend on that, for the
	 * order among devices and pool is not agreed on. Who joins may have the map before it has
	 * the devices: the op has been judged by a member.
	 */
	d = op->kind == HF_POOL_DELETE ? hf_map_find_ldev(p->next, op->name) : NULL;
	if (d && node->bus->view.state == HF_VIEW_JOINING)
		hf_map_set_retired(p->next, d->id, true);
	else if (d && hf_lu_status(node->lus, d->id, &status))
		hf_map_set_retired(
			p->next, d->id, status.retires || hf_resv_is_retired(status.resv));
	rc = hf_map_apply(p->next, op, p->message, sizeof(p->message));
	free(op);
	return rc;
}

enum hf_bus_look hf_node_pool_look(struct hf_node *node, const void *op, size_t len)
{
	if (evaluate(node, op, len) || hf_map_digest(node->pool.next) == node->pool.digest)
		return HF_BUS_LOOK_ANSWER;
	return HF_BUS_LOOK_CHANGE_PERSIST;
}

/* Nothing has to be drained: extents of living devices never move. */
void hf_node_pool_hold(struct hf_node *node, uint64_t n, const void *op, size_t len)
{
	hf_assert(!node->pool.pending);
	node->pool.pending = true;
	node->pool.persisted = false;
	node->pool.n = n;
	hf_bus_drained(node->bus, HF_BUS_DEV_POOL, n, evaluate(node, op, len));
}

void hf_node_pool_unhold(struct hf_node *node, uint64_t n)
{
	hf_assert(node->pool.pending && node->pool.n == n);
	node->pool.pending = false;
}

static void written(struct hf_record_io *io, int result)
{
	struct hf_node *node = hf_container_of(io, struct hf_node, pool.record);

	node->pool.writing = false;
	node->pool.persisted = !result;
	if (result)
		hf_error("the map could not be written to most voting disks (%s): the change is "
			 "taken back; check the disks",
			strerror(-result));
	hf_bus_persisted(node->bus, HF_BUS_DEV_POOL, node->pool.n, result);
	if (!node->rewrite.map_awaited)
		return;
	node->rewrite.map_awaited = false;
	hf_node_rewrite_part(node, result);
}

void hf_node_pool_persist(struct hf_node *node, uint64_t n)
{
	struct hf_node_pool *p = &node->pool;
	int len;

	hf_assert(p->pending && p->n == n && !p->writing);
	len = hf_map_encode(p->next, p->record_buf, p->record_cap);
	hf_assert(len > 0);
	p->writing = true;
	p->record = (struct hf_record_io){.kind = HF_RECORD_MAP,
		.write = true,
		.buf = p->record_buf,
		.len = (size_t)len,
		.done = written};
	hf_pool_record_submit(node->disks, &p->record);
}

/* --- logical units follow the map --- */

static struct hf_lu_info *info_of(struct hf_node *node, const struct hf_map_ldev *d)
{
	struct hf_lu_info *info = hf_spare_calloc(1, sizeof(*info));
	const struct hf_map *map = node->pool.cur;

	info->id = d->id;
	info->lun = d->lun;
	memcpy(info->name, d->name, sizeof(info->name));
	memcpy(info->uuid, d->uuid, sizeof(info->uuid));
	info->block_bytes = d->block_bytes;
	info->physical_block_bytes = d->physical_block_bytes;
	info->blocks = d->size_bytes / d->block_bytes;
	info->write_protected = d->write_protected;
	info->can_unmap = info->unmap_zeroes = true;
	for (unsigned i = 0; i < d->extents_len; i++) {
		const struct hf_pdev *pd = node->pdevs[map->extents[d->first_extent + i].pdev];

		if (!pd || !pd->info.can_discard)
			info->can_unmap = false;
		if (!pd || !pd->info.discard_zeroes)
			info->unmap_zeroes = false;
	}
	info->ldev = hf_ldev_create(map, d, node->pdevs);
	hf_assert(info->ldev);
	return info;
}

static bool is_dominant(const struct hf_node *node, const struct hf_map_ldev *d)
{
	uint8_t id = d->dominant;

	if (id == HF_DOMINANT_DEFAULT)
		id = node->config->controllers[0].id;
	return id == node->config->self->id;
}

static void add(struct hf_node *node, const struct hf_map_ldev *d)
{
	int rc = hf_lu_add(node->lus, info_of(node, d));

	hf_assert(rc == 0);
	hf_node_fence_stop_device(node, d);
	if (node->bus)
		node->bus->ops->dev_add(node->bus, d->id, is_dominant(node, d));
}

static bool same_extents(const struct hf_extent *a, const struct hf_extent *b, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (a[i].pdev != b[i].pdev || a[i].offset_bytes != b[i].offset_bytes ||
			a[i].len_bytes != b[i].len_bytes)
			return false;
	return true;
}

static bool same(const struct hf_map *a, const struct hf_map_ldev *x, const struct hf_map *b,
	const struct hf_map_ldev *y)
{
	return x->lun == y->lun && x->size_bytes == y->size_bytes &&
	       x->write_protected == y->write_protected && !strcmp(x->name, y->name) &&
	       x->extents_len == y->extents_len &&
	       same_extents(
		       &a->extents[x->first_extent], &b->extents[y->first_extent], x->extents_len);
}

/* Makes the logical units those of the settled map; old: as they are now. */
static void follow(struct hf_node *node, const struct hf_map *old)
{
	const struct hf_map *map = node->pool.cur;

	node->pdevs = hf_pool_pdevs(node->disks, map);
	for (unsigned i = 0; i < old->ldevs_len; i++) {
		const struct hf_map_ldev *d = &old->ldevs[i];

		if (!hf_map_find_id(map, d->id)) {
			node->bus->ops->dev_remove(node->bus, d->id);
			hf_lu_remove(node->lus, d->id);
		}
	}
	for (unsigned i = 0; i < map->ldevs_len; i++) {
		const struct hf_map_ldev *d = &map->ldevs[i];
		const struct hf_map_ldev *was = hf_map_find_id(old, d->id);

		if (!was) {
			add(node, d);
		} else if (!same(map, d, old, was)) {
			hf_node_fence_stop_device(node, d); /* before it is larger */
			hf_lu_update(node->lus, d->id, info_of(node, d));
		}
		/* The engine, too: a newcomer that has read the new map would not be let in. */
		if (was && is_dominant(node, was) != is_dominant(node, d) &&
			!HF_PLANTED(KEEP_DOMINANT))
			node->bus->ops->dev_add(node->bus, d->id, is_dominant(node, d));
	}
}

void hf_node_pool_apply(struct hf_node *node, uint64_t n)
{
	struct hf_node_pool *p = &node->pool;
	struct hf_map *old = p->cur;

	hf_assert(p->pending && p->n == n);
	p->pending = false;
	p->cur = p->next;
	p->next = old;
	p->digest = hf_map_digest(p->cur);
	follow(node, old);
}

static int install(struct hf_node *node, const uint8_t *buf, size_t len, const char *whose)
{
	struct hf_node_pool *p = &node->pool;
	struct hf_map *old = p->cur;
	int rc = hf_map_decode(buf, len, p->next, p->message, sizeof(p->message));

	if (rc) {
		hf_error("the %s map is not acceptable: %s", whose, p->message);
		return rc;
	}
	p->cur = p->next;
	p->next = old;
	p->digest = hf_map_digest(p->cur);
	follow(node, old);
	return 0;
}

int hf_node_pool_install(struct hf_node *node, const uint8_t *buf, size_t len)
{
	return install(node, buf, len, "peer's");
}

void hf_node_pool_devices(struct hf_node *node)
{
	node->bus->ops->dev_add(
		node->bus, HF_BUS_DEV_POOL, node->config->self == &node->config->controllers[0]);
	for (unsigned i = 0; i < node->pool.cur->ldevs_len; i++) {
		const struct hf_map_ldev *d = &node->pool.cur->ldevs[i];

		node->bus->ops->dev_add(node->bus, d->id, is_dominant(node, d));
	}
}

/* --- proposing --- */

int hf_node_pool_propose(struct hf_node *node, const struct hf_pool_op *op,
	void (*done)(struct hf_pool_prop *p, int result, const char *message), void *arg)
{
	struct hf_pool_prop *p = calloc(1, sizeof(*p) + HF_OP_MAX_BYTES);
	int len;

	if (!p)
		return -ENOMEM;
	len = hf_pool_op_encode(op, p->op, HF_OP_MAX_BYTES);
	if (len < 0) {
		free(p);
		return len;
	}
	p->node = node;
	p->done = done;
	p->arg = arg;
	p->prop.dev = HF_BUS_DEV_POOL;
	p->prop.op = p->op;
	p->prop.op_len = (size_t)len;
	hf_list_push_back(&node->pool.out, &p->out);
	hf_bus_propose(node->bus, &p->prop);
	return 0;
}

void hf_node_pool_answer(struct hf_node *node, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	struct hf_pool_prop *p = hf_container_of(prop, struct hf_pool_prop, prop);
	int rc = 0;

	node->pool.message[0] = '\0';
	switch (how) {
	case HF_BUS_ANSWER_LOOK:
		rc = evaluate(node, prop->op, prop->op_len);
		break;
	case HF_BUS_ANSWER_APPLIED:
		break;
	case HF_BUS_ANSWER_FAILED:
		rc = -EIO;
		snprintf(node->pool.message, sizeof(node->pool.message),
			"the change could not be written to most voting disks or was not "
			"acknowledged by the other controller in time; nothing has changed; look "
			"at `holdfast status` and try again");
		break;
	case HF_BUS_ANSWER_NOT_READY:
		rc = prop->doubted ? -EINPROGRESS : -EAGAIN;
		if (prop->doubted) {
			snprintf(node->pool.message, sizeof(node->pool.message),
				"whether the change was carried out is not known, for this "
				"controller has left the view meanwhile; look at what there is "
				"before you ask again");
			break;
		}
		snprintf(node->pool.message, sizeof(node->pool.message), "%s",
			node->bus->view.why[0] ? node->bus->view.why
					       : "the controllers are not together now");
		break;
	}
	hf_list_remove(&p->out);
	p->done(p, rc, node->pool.message);
	free(p);
}

static void disk_added(struct hf_pool_prop *p, int result, const char *message)
{
	if (result && result != -EEXIST)
		hf_warning("a disk could not be added to the map: %s", message);
}

void hf_node_pool_add_disks(struct hf_node *node)
{
	for (unsigned i = 0; i < hf_pool_len(node->disks); i++) {
		const struct hf_label *label = hf_pool_label(node->disks, i);
		struct hf_pool_op op = {.kind = HF_POOL_ADD_PDEV};

		if (!label || hf_map_find_pdev(node->pool.cur, label->name) >= 0)
			continue;
		hf_map_pdev_of_label(label, &op.pdev);
		memcpy(op.uuid, label->uuid, sizeof(op.uuid));
		if (hf_node_pool_propose(node, &op, disk_added, NULL))
			hf_error("out of memory while adding disk %s to the map", label->name);
	}
}

/* --- start --- */

static void map_read(struct hf_record_io *io, int result)
{
	struct hf_node *node = hf_container_of(io, struct hf_node, pool.load);

	node->pool.loading = false;
	node->load_result = result;
}

static void submit_load(
	struct hf_node *node, bool write, size_t len, void (*done)(struct hf_record_io *, int))
{
	struct hf_node_pool *p = &node->pool;

	hf_assert(len <= p->record_cap);
	p->load = (struct hf_record_io){.kind = HF_RECORD_MAP,
		.write = write,
		.buf = p->load_buf,
		.len = len,
		.done = done};
	hf_pool_record_submit(node->disks, &p->load);
}

/* Reads the map from the voting disks, running the control loop meanwhile. */
static int read_map(struct hf_node *node, char *message, size_t message_len)
{
	struct hf_node_pool *p = &node->pool;
	int rc;

	p->loading = true;
	submit_load(node, false, p->record_cap, map_read);
	while (p->loading) {
		rc = hf_loop_run_once(node->loops[0], true);
		if (rc < 0)
			return rc;
	}
	rc = node->load_result;
	if (rc == 0)
		return 0; /* never written: the empty map */
	if (rc < 0) {
		snprintf(message, message_len,
			"the map cannot be read from the voting disks (%s); connect the disks that "
			"are missing and start again",
			strerror(-rc));
		return rc;
	}
	return hf_map_decode(p->load_buf, (size_t)rc, p->cur, message, message_len);
}

int hf_node_pool_load(struct hf_node *node, char *message, size_t message_len)
{
	struct hf_node_pool *p = &node->pool;
	struct hf_map *empty;
	int rc;

	p->record_cap = hf_map_encoded_max();
	p->record_buf = malloc(p->record_cap);
	p->load_buf = malloc(p->record_cap);
	p->cur = calloc(1, sizeof(*p->cur));
	p->next = calloc(1, sizeof(*p->next));
	empty = calloc(1, sizeof(*empty));
	if (!p->record_buf || !p->load_buf || !p->cur || !p->next || !empty) {
		snprintf(message, message_len, "out of memory for the map");
		free(empty);
		return -ENOMEM;
	}
	rc = read_map(node, message, message_len);
	if (!rc) {
		p->digest = hf_map_digest(p->cur);
		follow(node, empty);
	}
	free(empty);
	return rc;
}

/* --- loading again, when nobody has the state (S9) --- */

static bool is_void(const struct hf_node *node)
{
	return node->drops != node->pool.load_drops;
}

static void end_load(struct hf_node *node, int result)
{
	node->pool.loading = false;
	node->pool.loaded(node, is_void(node) ? -ECANCELED : result);
}

static void take_loaded(struct hf_node *node)
{
	struct hf_node_pool *p = &node->pool;

	/* Others may have changed it since this controller has last heard of it. */
	end_load(node, is_void(node) ? 0 : install(node, p->load_buf, p->load_len, "disks'"));
}

static void gathered(struct hf_record_io *io, int result)
{
	struct hf_node *node = hf_container_of(io, struct hf_node, pool.load);

	if (result) {
		hf_error("the map may stand on fewer than most voting disks, and could not be "
			 "written to all (%s): check the disks",
			strerror(-result));
		end_load(node, result);
		return;
	}
	take_loaded(node);
}

static void map_read_again(struct hf_record_io *io, int result)
{
	struct hf_node *node = hf_container_of(io, struct hf_node, pool.load);

	/* Dropped meanwhile: another one has loaded, and writes. */
	if (result < 0 || is_void(node)) {
		if (result < 0)
			hf_error("the map cannot be read from the voting disks (%s): connect the "
				 "disks that are missing",
				strerror(-result));
		end_load(node, result);
		return;
	}
	if (result == 0) { /* never written: nobody has changed it */
		result = hf_map_encode(node->pool.cur, node->pool.load_buf, node->pool.record_cap);
		hf_assert(result > 0);
	}
	node->pool.load_len = (size_t)result;
	if (io->scattered)
		submit_load(node, true, node->pool.load_len, gathered);
	else
		take_loaded(node);
}

void hf_node_pool_reload(struct hf_node *node, void (*done)(struct hf_node *node, int result))
{
	struct hf_node_pool *p = &node->pool;

	hf_assert(!p->loading);
	p->loading = true;
	p->loaded = done;
	p->load_drops = node->drops;
	submit_load(node, false, p->record_cap, map_read_again);
}

void hf_node_pool_give_up(struct hf_node *node)
{
	struct hf_list *out;

	while ((out = hf_list_pop_front(&node->pool.out))) {
		struct hf_pool_prop *p = hf_list_entry(out, struct hf_pool_prop, out);

		p->done(p, -EINPROGRESS,
			"whether the change was carried out is not known: the daemon has ended");
		free(p);
	}
}

void hf_node_pool_fini(struct hf_node *node)
{
	free(node->pool.record_buf);
	free(node->pool.load_buf);
	free(node->pool.cur);
	free(node->pool.next);
}
