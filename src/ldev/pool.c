/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pool: physical devices of one cluster, opened and told apart by their labels. Writes nothing
 * itself; the recorder does, on voting disks that have passed here. Called by the daemon at start
 * and by tools.
 */
#include "blocking.h"
#include "canary.h"
#include "record_io.h"
#include "say.h"

#include <stdlib.h>

struct pool_disk {
	struct hf_pdev *pdev; /* NULL: missing */
	struct hf_label label;
	char why[512]; /* missing: a sentence */
};

struct hf_pool {
	struct hf_loop *loop;
	uint8_t cluster[HF_POOL_UUID_BYTES];
	unsigned disks_len;
	struct pool_disk disks[HF_PDEVS_MAX];
	unsigned voting;
	struct hf_recorder *recorder;
	struct hf_pdev *table[HF_PDEVS_MAX]; /* in the order of the map */
};

#define refuse(m, n, error, ...) (hf_say(m, n, __VA_ARGS__), -(error))

/* What must not be: another cluster's disk, a disk that has become smaller, one twice. */
static int check_label(const struct hf_pool *pool, unsigned i, char *m, size_t n)
{
	const struct pool_disk *d = &pool->disks[i];

	if (memcmp(d->label.cluster, pool->cluster, sizeof(pool->cluster)) != 0)
		return refuse(m, n, EXDEV,
			"%s is disk '%s' of another cluster; take it out of this configuration, or "
			"correct the cluster's name there",
			d->pdev->url, d->label.name);
	if (d->pdev->info.size_bytes < d->label.size_bytes ||
		d->pdev->info.block_bytes > d->label.block_bytes)
		return refuse(m, n, EIO,
			"%s had %s in blocks of %u bytes when it was labelled and has %s in blocks "
			"of %u now; give it back its size",
			d->pdev->url, hf_size_say(d->label.size_bytes).text, d->label.block_bytes,
			hf_size_say(d->pdev->info.size_bytes).text, d->pdev->info.block_bytes);
	for (unsigned k = 0; k < i; k++) {
		const struct pool_disk *e = &pool->disks[k];

		if (!e->pdev)
			continue;
		if (memcmp(e->label.uuid, d->label.uuid, sizeof(d->label.uuid)) == 0)
			return refuse(m, n, EEXIST,
				"%s and %s are one disk ('%s'), or one is a copy of the other; "
				"configure it once",
				e->pdev->url, d->pdev->url, d->label.name);
		if (strcmp(e->label.name, d->label.name) == 0)
			return refuse(m, n, EEXIST,
				"%s and %s are both labelled '%s'; label one of them with another "
				"name",
				e->pdev->url, d->pdev->url, d->label.name);
	}
	return 0;
}

/* A disk that is not there is no error here: what it means is decided when all are known. */
static int open_disk(struct hf_pool *pool, unsigned i, const char *url,
	const struct hf_pdev_owner *owner, const struct hf_pool_guard *guard,
	struct hf_loop *const *loops, unsigned loops_len, char *m, size_t n)
{
	struct pool_disk *d = &pool->disks[i];
	char ignored[256];
	int r = hf_pdev_open_owned(url, owner, loops, loops_len, &d->pdev, d->why, sizeof(d->why));

	if (r == -EBUSY)
		return refuse(m, n, EBUSY, "%s", d->why);
	if (r < 0) {
		d->pdev = NULL;
		return 0;
	}
	r = hf_blocking_read_label(pool->loop, d->pdev, &d->label, d->why, sizeof(d->why));
	if (r == -EIO && guard && guard->enter(guard->arg, d->pdev, ignored, sizeof(ignored)) == 0)
		r = hf_blocking_read_label(pool->loop, d->pdev, &d->label, d->why, sizeof(d->why));
	if (r == -EIO) {
		/* What this controller's last process has sent there may still be on its way (W9).
		 */
		if (!HF_PLANTED(MISSING_UNLOCKED) &&
			hf_pdev_lock(d->pdev, owner->controller_id) == -EBUSY)
			return refuse(m, n, EBUSY,
				"%s does not answer, and requests of another process of controller "
				"%u are on their way to it; wait until they have ended",
				d->pdev->url, owner->controller_id);
		hf_pdev_close(d->pdev);
		d->pdev = NULL;
		return 0;
	}
	if (r < 0)
		return refuse(m, n, -r, "%s", d->why);
	r = check_label(pool, i, m, n);
	if (r < 0)
		return r;
	r = hf_pdev_lock(d->pdev, owner->controller_id);
	if (r == -EBUSY)
		return refuse(m, n, EBUSY,
			"%s is still in use by another process of controller %u, or by its "
			"requests; wait until that has ended",
			d->pdev->url, owner->controller_id);
	if (r < 0)
		return refuse(m, n, -r, "%s cannot be locked: %s", d->pdev->url, strerror(-r));
	return guard ? guard->enter(guard->arg, d->pdev, m, n) : 0;
}

/*
 * How many voting disks the pool has, those that are missing included: 1 or 3. A missing disk's
 * label is unknown, so this is what those present leave open; where they leave both open, three
 * is the answer that cannot split the vote.
 */
static int count_voting(const struct hf_pool *pool, unsigned *ret, char *m, size_t n)
{
	unsigned present = 0, missing = 0;
	const char *why = "";

	for (unsigned i = 0; i < pool->disks_len; i++) {
		const struct pool_disk *d = &pool->disks[i];

		present += d->pdev && d->label.voting;
		missing += !d->pdev;
		if (!d->pdev)
			why = d->why;
	}
	if (present == 3 || (present == 2 && missing) || (present == 1 && missing < 2)) {
		*ret = present == 1 ? 1 : 3;
		return 0;
	}
	if (present == 1)
		return refuse(m, n, EIO,
			"one voting disk is here and %u disks are missing, which may be the other "
			"two voting ones: %s",
			missing, why);
	if (!present && missing)
		return refuse(m, n, EIO, "no voting disk is here and %u disks are missing: %s",
			missing, why);
	return refuse(
		m, n, EINVAL, "%u disks are labelled as voting; a pool has one or three", present);
}

static int start_recorder(struct hf_pool *pool, unsigned voting, char *m, size_t n)
{
	struct hf_pdev *pdevs[HF_RECORD_DISKS_MAX] = {NULL};
	const struct hf_label *labels[HF_RECORD_DISKS_MAX] = {NULL};
	unsigned len = 0;

	for (unsigned i = 0; i < pool->disks_len; i++) {
		if (!pool->disks[i].pdev || !pool->disks[i].label.voting)
			continue;
		pdevs[len] = pool->disks[i].pdev;
		labels[len++] = &pool->disks[i].label;
	}
	if (hf_recorder_create(pool->loop, pdevs, labels, voting, &pool->recorder) < 0)
		return refuse(m, n, ENOMEM, "no memory for the records of the voting disks");
	return 0;
}

int hf_pool_open(const char *cluster_name, unsigned controller_id, const char *const *urls,
	unsigned urls_len, const struct hf_pool_guard *guard, struct hf_loop *const *loops,
	unsigned loops_len, struct hf_pool **ret, char *message, size_t message_len)
{
	const struct hf_pdev_owner owner = {cluster_name, controller_id};
	struct hf_pool *pool;
	unsigned voting = 0;
	int r = 0;

	if (urls_len > HF_PDEVS_MAX)
		return refuse(message, message_len, EINVAL,
			"%u disks are configured; the limit is %d", urls_len, HF_PDEVS_MAX);
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return refuse(message, message_len, ENOMEM, "no memory for the pool");
	pool->loop = loops[0];
	pool->disks_len = urls_len;
	hf_cluster_id(cluster_name, pool->cluster);
	for (unsigned i = 0; i < urls_len && !r; i++)
		r = open_disk(
			pool, i, urls[i], &owner, guard, loops, loops_len, message, message_len);
	if (!r)
		r = count_voting(pool, &voting, message, message_len);
	if (!r)
		r = start_recorder(pool, voting, message, message_len);
	pool->voting = voting;
	if (r) {
		hf_pool_close(pool);
		return r;
	}
	*ret = pool;
	return 0;
}

static void close_disks(void *arg)
{
	struct hf_pool *pool = arg;

	for (unsigned i = 0; i < pool->disks_len; i++)
		hf_pdev_close(pool->disks[i].pdev);
	free(pool);
}

void hf_pool_close(struct hf_pool *pool)
{
	if (pool && pool->recorder)
		hf_recorder_destroy(pool->recorder, close_disks, pool);
	else if (pool)
		close_disks(pool);
}

void hf_pool_record_submit(struct hf_pool *pool, struct hf_record_io *io)
{
	hf_recorder_submit(pool->recorder, io);
}

void hf_pool_forget_records(struct hf_pool *pool)
{
	hf_recorder_forget(pool->recorder);
}

void hf_pool_await_record_writes(struct hf_pool *pool, void (*still)(void *arg), void *arg)
{
	hf_recorder_await_writes(pool->recorder, still, arg);
}

struct hf_pdev **hf_pool_pdevs(struct hf_pool *pool, const struct hf_map *map)
{
	for (unsigned i = 0; i < map->pdevs_len; i++) {
		struct hf_pdev *found = NULL;

		for (unsigned k = 0; k < pool->disks_len; k++)
			if (pool->disks[k].pdev &&
				memcmp(pool->disks[k].label.uuid, map->pdevs[i].uuid,
					HF_POOL_UUID_BYTES) == 0)
				found = pool->disks[k].pdev;
		/* Other loops read the entries that stand: those are left alone. */
		if (pool->table[i] != found)
			pool->table[i] = found;
	}
	return pool->table;
}

const struct hf_label *hf_pool_label(const struct hf_pool *pool, unsigned url_index)
{
	hf_assert(url_index < pool->disks_len);
	return pool->disks[url_index].pdev ? &pool->disks[url_index].label : NULL;
}

struct hf_pdev *hf_pool_pdev(const struct hf_pool *pool, unsigned url_index)
{
	hf_assert(url_index < pool->disks_len);
	return pool->disks[url_index].pdev;
}

unsigned hf_pool_voting(const struct hf_pool *pool)
{
	return pool->voting;
}

const char *hf_pool_why_missing(const struct hf_pool *pool, unsigned url_index)
{
	hf_assert(url_index < pool->disks_len);
	return pool->disks[url_index].pdev ? NULL : pool->disks[url_index].why;
}

unsigned hf_pool_len(const struct hf_pool *pool)
{
	return pool->disks_len;
}
