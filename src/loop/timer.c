/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pairing heap. Each timer heads the list of its children (`child`, then their `next`); `prev`
 * is the address of the pointer that points to it, so that removal from the middle needs no
 * search. Adding is O(1), removal O(log n) amortized.
 *
 *	root -> A -child-> B -next-> C -next-> NULL
 *	                   |child
 *	                   D
 */
#include "timer.h"

static bool is_earlier(const struct hf_timer *a, const struct hf_timer *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns;
	return a->seq < b->seq;
}

/* Both are roots without siblings; NULL is an empty heap. */
static struct hf_timer *merge(struct hf_timer *a, struct hf_timer *b)
{
	struct hf_timer *t;

	if (!a)
		return b;
	if (!b)
		return a;
	if (is_earlier(b, a)) {
		t = a;
		a = b;
		b = t;
	}
	b->next = a->child;
	if (b->next)
		b->next->prev = &b->next;
	b->prev = &a->child;
	a->child = b;
	return a;
}

/* A list of siblings becomes one heap: pairs from left to right, then the pairs together. */
static struct hf_timer *merge_siblings(struct hf_timer *list)
{
	struct hf_timer *pairs = NULL, *root = NULL;

	while (list) {
		struct hf_timer *a = list, *b = a->next, *pair;

		list = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		pair = merge(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct hf_timer *pair = pairs;

		pairs = pair->next;
		pair->next = NULL;
		root = merge(root, pair);
	}
	return root;
}

static void set_root(struct hf_timers *h, struct hf_timer *root)
{
	h->root = root;
	if (root) {
		root->next = NULL;
		root->prev = &h->root;
	}
}

void hf_timers_add(struct hf_timers *h, struct hf_timer *t, uint64_t deadline_ns)
{
	hf_assert(!hf_timer_is_armed(t));
	t->deadline_ns = deadline_ns;
	t->seq = ++h->last_seq;
	t->child = t->next = NULL;
	set_root(h, merge(h->root, t));
}

void hf_timers_remove(struct hf_timers *h, struct hf_timer *t)
{
	struct hf_timer *rest;

	hf_assert(hf_timer_is_armed(t));
	rest = merge_siblings(t->child);
	if (h->root == t) {
		set_root(h, rest);
	} else {
		*t->prev = t->next;
		if (t->next)
			t->next->prev = t->prev;
		set_root(h, merge(h->root, rest));
	}
	t->child = t->next = NULL;
	t->prev = NULL;
	t->seq = 0;
}

uint64_t hf_timers_next_ns(const struct hf_timers *h)
{
	return h->root ? h->root->deadline_ns : UINT64_MAX;
}

struct hf_timer *hf_timers_pop_due(struct hf_timers *h, uint64_t now_ns, uint64_t upto)
{
	struct hf_timer *t = h->root;

	if (!t || t->deadline_ns > now_ns || t->seq > upto)
		return NULL;
	hf_timers_remove(h, t);
	return t;
}
