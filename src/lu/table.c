/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of logical units: creation, deletion, lookup. Control loop. */
#include "lu_internal.h"
#include "pool.h"
#include "spare.h"

#include <stdlib.h>

int hf_lu_table_create(const struct hf_lu_config *config, struct hf_lu_table **ret)
{
	struct hf_lu_table *t;

	hf_assert(config->loops_len >= 1 && config->loops_len <= HF_LOOPS_MAX);
	t = calloc(1, sizeof(*t) + config->loops_len * sizeof(t->loops[0]));
	if (!t)
		return -ENOMEM;
	t->config = *config;
	t->target = config->target;
	t->control = config->loops[0];
	t->scratch = hf_resv_create(&config->resv);
	if (!t->scratch) {
		free(t);
		return -ENOMEM;
	}
	hf_list_init(&t->lus);
	hf_list_init(&t->jobs);
	hf_timer_init(&t->jobs_timer, lu_jobs_fire);
	for (unsigned i = 0; i < config->loops_len; i++) {
		struct hf_lu_loop *l = &t->loops[i];

		hf_assert(hf_loop_index(config->loops[i]) == i);
		l->table = t;
		l->loop = config->loops[i];
		l->target = t->target;
		hf_list_init(&l->sessions);
		hf_list_init(&l->free_ranges);
		hf_list_init(&l->unsure);
		hf_timer_init(&l->unsure_timer, lu_valid_fire);
	}
	*ret = t;
	return 0;
}

static void lu_free(struct hf_lu *lu)
{
	struct hf_list *n;

	struct hf_lu **at = &lu->table->by_dev[lu->info->id % LU_HASH_SIZE];

	while (*at != lu)
		at = &(*at)->hash_next;
	*at = lu->hash_next;
	lu->table->by_index[lu->index] = NULL;
	hf_list_remove(&lu->node);
	while ((n = hf_list_pop_front(&lu->graves))) {
		struct lu_grave *g = hf_list_entry(n, struct lu_grave, node);

		hf_lu_info_free(g->info);
		hf_resv_destroy(g->resv);
		free(g);
	}
	hf_lu_info_free((struct hf_lu_info *)lu->info);
	hf_resv_destroy(lu->cur);
	hf_resv_destroy(lu->next);
	free(lu->effects);
	free(lu->slot_buf);
	free(lu);
}

void hf_lu_table_destroy(struct hf_lu_table *t)
{
	if (!t)
		return;
	hf_list_for_each_safe (n, &t->lus)
		lu_free(hf_list_entry(n, struct hf_lu, node));
	for (unsigned i = 0; i < t->config.loops_len; i++) {
		struct hf_list *n;

		hf_assert(hf_list_is_empty(&t->loops[i].sessions));
		while ((n = hf_list_pop_front(&t->loops[i].free_ranges)))
			free(hf_list_entry(n, struct hf_lu_range, node));
	}
	hf_resv_destroy(t->scratch);
	free(t);
}

void hf_lu_set_bus(struct hf_lu_table *t, struct hf_bus *bus)
{
	t->bus = bus;
	if (bus)
		return;
	hf_list_for_each (n, &t->lus) {
		struct hf_lu *lu = hf_list_entry(n, struct hf_lu, node);

		if (lu_hold_forget(lu))
			lu->pending = false;
	}
}

struct hf_lu *lu_find(struct hf_lu_table *t, uint32_t dev)
{
	struct hf_lu *lu = t->by_dev[dev % LU_HASH_SIZE];

	while (lu && lu->info->id != dev)
		lu = lu->hash_next;
	return lu && !lu->removed ? lu : NULL;
}

static int free_index(const struct hf_lu_table *t, unsigned *ret)
{
	for (unsigned i = 0; i < HF_LDEVS_MAX; i++) {
		if (!t->by_index[i]) {
			*ret = i;
			return 0;
		}
	}
	return -ENOSPC;
}

/* Keeps the table ascending by device id. */
static void insert_sorted(struct hf_lu_table *t, struct hf_lu *lu)
{
	struct hf_list *at = t->lus.next;

	while (at != &t->lus && hf_list_entry(at, struct hf_lu, node)->info->id < lu->info->id)
		at = at->next;
	hf_list_insert_before(at, &lu->node);
}

static void locals_init(struct hf_lu *lu)
{
	for (unsigned i = 0; i < lu->table->config.loops_len; i++) {
		struct hf_lu_local *l = &lu->locals[i];

		l->lu = lu;
		l->loop = &lu->table->loops[i];
		l->info = lu->info;
		hf_list_init(&l->itls);
		hf_list_init(&l->ranges);
		hf_list_init(&l->waiters);
		hf_timer_init(&l->wait_timer, lu_wait_expired);
		hf_timer_init(&l->valid_timer, lu_valid_again);
	}
}

int hf_lu_add(struct hf_lu_table *t, struct hf_lu_info *info)
{
	struct lu_note note = {.kind = LU_NOTE_LUN_ADDED};
	struct hf_lu *lu;
	unsigned index;

	if (free_index(t, &index))
		return -ENOSPC;
	lu = calloc(1, sizeof(*lu) + t->config.loops_len * sizeof(lu->locals[0]));
	if (!lu)
		return -ENOMEM;
	lu->table = t;
	lu->index = index;
	info->shared = &lu->shared;
	lu->info = info;
	lu->cur = hf_resv_create(&t->config.resv);
	lu->next = hf_resv_create(&t->config.resv);
	if (!lu->cur || !lu->next) {
		hf_resv_destroy(lu->cur);
		hf_resv_destroy(lu->next);
		free(lu);
		return -ENOMEM;
	}
	lu->digest = hf_resv_digest(lu->cur);
	lu->version = ++t->versions;
	hf_list_init(&lu->graves);
	hf_list_init(&lu->ranges);
	locals_init(lu);
	lu_change_init(lu);
	t->by_index[index] = lu;
	lu->hash_next = t->by_dev[info->id % LU_HASH_SIZE];
	t->by_dev[info->id % LU_HASH_SIZE] = lu;
	insert_sorted(t, lu);
	note.lu = lu;
	lu_note_broadcast(t, &note);
	return 0;
}

void hf_lu_update(struct hf_lu_table *t, uint32_t dev, struct hf_lu_info *info)
{
	struct hf_lu *lu = lu_find(t, dev);
	struct lu_grave *g = hf_spare_calloc(1, sizeof(*g));

	hf_assert(lu);
	g->info = (struct hf_lu_info *)lu->info;
	hf_list_push_back(&lu->graves, &g->node);
	info->shared = &lu->shared;
	lu->info = info;
	lu_change_send(lu, LU_CHANGE_INFO);
}

void hf_lu_remove(struct hf_lu_table *t, uint32_t dev)
{
	struct hf_lu *lu = lu_find(t, dev);

	hf_assert(lu && !lu->pending);
	lu->removed = true;
	lu_change_send(lu, LU_CHANGE_GONE);
}

void lu_unref(struct hf_lu *lu)
{
	hf_assert(lu->refs);
	if (--lu->refs == 0 && lu->removed && !lu->acks_out && !lu->queue_len && !lu->drained_out)
		lu_free(lu);
}

void hf_lu_info_free(struct hf_lu_info *info)
{
	if (!info)
		return;
	if (info->ldev)
		hf_ldev_destroy((struct hf_ldev *)info->ldev);
	free(info);
}
