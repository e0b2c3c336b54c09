/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intrusive doubly linked list. A node that is on no list points to itself after hf_list_init() or
 * hf_list_remove(), so hf_list_is_empty() on a node tells whether it is linked.
 */
#ifndef HF_LIST_H
#define HF_LIST_H

#include "base.h"

struct hf_list {
	struct hf_list *next, *prev;
};

#define HF_LIST_INIT(l)                                                                            \
	{                                                                                          \
		&(l), &(l)                                                                         \
	}

static inline void hf_list_init(struct hf_list *l)
{
	l->next = l->prev = l;
}

static inline bool hf_list_is_empty(const struct hf_list *l)
{
	return l->next == l;
}

static inline void hf_list_insert_before(struct hf_list *at, struct hf_list *n)
{
	n->prev = at->prev;
	n->next = at;
	at->prev->next = n;
	at->prev = n;
}

static inline void hf_list_push_back(struct hf_list *head, struct hf_list *n)
{
	hf_list_insert_before(head, n);
}

static inline void hf_list_push_front(struct hf_list *head, struct hf_list *n)
{
	hf_list_insert_before(head->next, n);
}

static inline void hf_list_remove(struct hf_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	hf_list_init(n);
}

/* First node, unlinked; NULL when the list is empty. */
static inline struct hf_list *hf_list_pop_front(struct hf_list *head)
{
	struct hf_list *n = head->next;

	if (n == head)
		return NULL;
	hf_list_remove(n);
	return n;
}

/* Moves all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void hf_list_splice_back(struct hf_list *to, struct hf_list *from)
{
	if (hf_list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	hf_list_init(from);
}

#define hf_list_entry(node, type, member) hf_container_of(node, type, member)

#define hf_list_for_each(pos, head)                                                                \
	for (struct hf_list *pos = (head)->next; pos != (head); pos = pos->next)

/* `pos` may be removed from the list in the body. */
#define hf_list_for_each_safe(pos, head)                                                           \
	for (struct hf_list *pos = (head)->next, *pos##_next = pos->next; pos != (head);           \
		pos = pos##_next, pos##_next = pos->next)

#endif
