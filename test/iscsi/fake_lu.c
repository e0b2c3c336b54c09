/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions and their logical units, of the fake. */
#include "fake_scsi.h"

#include <stdlib.h>

struct hf_lu_table *fake_table_create(struct hf_loop *loop, uint64_t blocks)
{
	struct hf_lu_table *t = calloc(1, sizeof(*t));

	hf_assert(t);
	t->loop = loop;
	t->blocks = blocks;
	for (int i = 0; i < FAKE_LUNS; i++) {
		t->disks[i] = calloc(blocks, FAKE_BLOCK_BYTES);
		hf_assert(t->disks[i]);
	}
	hf_list_init(&t->running);
	hf_list_init(&t->sessions);
	hf_list_init(&t->detaching);
	hf_list_init(&t->unsure);
	hf_list_init(&t->tmfs);
	return t;
}

void fake_table_destroy(struct hf_lu_table *t)
{
	hf_assert(hf_list_is_empty(&t->sessions) && hf_list_is_empty(&t->detaching));
	hf_assert(hf_list_is_empty(&t->running) && hf_list_is_empty(&t->tmfs));
	hf_assert(t->arrived == t->left);
	for (int i = 0; i < FAKE_LUNS; i++)
		free(t->disks[i]);
	free(t);
}

int hf_lu_session_attach(struct hf_lu_table *t, struct hf_lu_session *s, struct hf_loop *loop)
{
	s->table = t;
	s->loop = loop;
	hf_list_init(&s->itls);
	hf_list_init(&s->unsure_node);
	hf_list_push_back(&t->sessions, &s->node);
	return 0;
}

bool hf_lu_session_is_valid(const struct hf_lu_session *s)
{
	return !s->table->stale;
}

void hf_lu_session_await_valid(struct hf_lu_session *s)
{
	hf_list_remove(&s->unsure_node);
	hf_list_push_back(&s->table->unsure, &s->unsure_node);
}

void fake_valid(struct hf_lu_table *t)
{
	struct hf_list *node;

	t->stale = false;
	while ((node = hf_list_pop_front(&t->unsure)) != NULL) {
		struct hf_lu_session *s = hf_list_entry(node, struct hf_lu_session, unsure_node);

		s->valid(s);
	}
}

void hf_lu_session_lose(struct hf_lu_session *s)
{
	s->lost(s);
}

void hf_lu_session_detach(struct hf_lu_session *s)
{
	struct hf_list *node;

	while ((node = hf_list_pop_front(&s->itls)) != NULL) {
		struct hf_itl *itl = hf_list_entry(node, struct hf_itl, session_node);

		hf_assert(hf_list_is_empty(&itl->commands));
		free(itl);
	}
	hf_list_remove(&s->node);
	hf_list_remove(&s->unsure_node);
	if (s->table->hold_detach)
		hf_list_push_back(&s->table->detaching, &s->node);
	else
		s->gone(s);
}

/* An attach on its way. */
struct attach {
	struct hf_msg msg;
	struct hf_itl *itl;
	struct hf_itl_waiter *waiter;
};

static void run_attach(struct hf_msg *msg)
{
	struct attach *a = hf_container_of(msg, struct attach, msg);
	struct hf_itl_waiter *w = a->waiter;
	struct hf_itl *itl = a->itl;

	free(a);
	w->ready(w, itl);
}

struct hf_itl *hf_itl_find(
	struct hf_lu_session *s, uint16_t lun, struct hf_itl_waiter *waiter, bool *ret_none)
{
	struct attach *a;
	struct hf_itl *itl;

	if (lun >= FAKE_LUNS) {
		*ret_none = true;
		return NULL;
	}
	hf_list_for_each (node, &s->itls) {
		itl = hf_list_entry(node, struct hf_itl, session_node);
		if ((uint8_t *)(void *)itl->lu == s->table->disks[lun])
			return itl;
	}
	itl = calloc(1, sizeof(*itl));
	hf_assert(itl);
	itl->lu = (struct hf_lu *)(void *)s->table->disks[lun];
	itl->session = s;
	hf_list_init(&itl->commands);
	hf_list_push_back(&s->itls, &itl->session_node);
	if (!s->table->slow_attach)
		return itl;
	a = calloc(1, sizeof(*a));
	hf_assert(a);
	a->itl = itl;
	a->waiter = waiter;
	a->msg.run = run_attach;
	hf_loop_post(s->loop, &a->msg);
	return NULL;
}
