/* SPDX-License-Identifier: BSD-3-Clause */
/* The buffer pool: see bufs.h. */
#include "bufs.h"
#include "hf_limits.h"

#include <stdlib.h>

enum {
	DEFAULT_BYTES = 64 << 20,
	SHARES = 16, /* the memory is dealt out in sixteenths */
};

/* Every class at least as often as one large request in flight needs, whatever the total. */
static const struct {
	uint32_t size;
	unsigned shares, at_least;
} dealing[HF_BUFS_CLASSES] = {
	{4 << 10, 1, 64},
	{16 << 10, 2, 16},
	{64 << 10, 3, 8},
	{256 << 10, 4, 4},
	{1 << 20, 6, 4},
};

static unsigned class_total(unsigned i, size_t wanted_bytes)
{
	size_t bytes = wanted_bytes ? wanted_bytes : DEFAULT_BYTES;
	size_t n = bytes / SHARES * dealing[i].shares / dealing[i].size;

	return (unsigned)HF_MAX(n, dealing[i].at_least);
}

size_t hf_bufs_memory_bytes(size_t wanted_bytes)
{
	size_t sum = 0;

	for (unsigned i = 0; i < HF_BUFS_CLASSES; i++)
		sum += (size_t)class_total(i, wanted_bytes) * dealing[i].size;
	return sum;
}

int hf_bufs_init(struct hf_bufs *b, void *memory, size_t wanted_bytes)
{
	uint8_t *at = memory;

	memset(b, 0, sizeof(*b));
	hf_list_init(&b->ready);
	/* The largest first: each class is aligned to its own size as far as the memory is. */
	for (int i = HF_BUFS_CLASSES - 1; i >= 0; i--) {
		struct hf_bufs_class *c = &b->classes[i];

		hf_list_init(&c->waiters);
		c->size = dealing[i].size;
		c->total = c->free_len = class_total((unsigned)i, wanted_bytes);
		c->start = at;
		at += c->total * c->size;
		c->free = calloc(c->total, sizeof(*c->free));
		c->is_out = calloc(c->total, sizeof(*c->is_out));
		if (!c->free || !c->is_out) {
			hf_bufs_fini(b);
			return -ENOMEM;
		}
		for (unsigned k = 0; k < c->total; k++)
			c->free[k] = c->total - 1 - k;
	}
	return 0;
}

void hf_bufs_fini(struct hf_bufs *b)
{
	for (unsigned i = 0; i < HF_BUFS_CLASSES; i++) {
		free(b->classes[i].free);
		free(b->classes[i].is_out);
	}
	memset(b, 0, sizeof(*b));
}

static unsigned class_of_len(size_t len)
{
	unsigned i = 0;

	hf_assert(len <= HF_XFER_MAX_BYTES);
	while (dealing[i].size < len)
		i++;
	return i;
}

static bool has_to_spare(const struct hf_bufs_class *c)
{
	return hf_list_is_empty(&c->waiters) && c->free_len > c->total / 4;
}

static void *take(struct hf_bufs_class *c)
{
	uint32_t k = c->free[--c->free_len];

	hf_assert(!c->is_out[k]);
	c->is_out[k] = true;
	return c->start + k * c->size;
}

/* For class i, from it or from the next one; NULL when there is none. Waiters are not looked at. */
static void *take_for(struct hf_bufs *b, unsigned i)
{
	if (b->classes[i].free_len)
		return take(&b->classes[i]);
	if (i + 1 < HF_BUFS_CLASSES && has_to_spare(&b->classes[i + 1]))
		return take(&b->classes[i + 1]);
	return NULL;
}

void *hf_bufs_get(struct hf_bufs *b, size_t len)
{
	unsigned i = class_of_len(len);

	/* Nobody overtakes those who wait. */
	return hf_list_is_empty(&b->classes[i].waiters) ? take_for(b, i) : NULL;
}

/* Gives what is free to those who wait for class i, in their order. */
static void serve_waiters(struct hf_bufs *b, unsigned i)
{
	struct hf_bufs_class *c = &b->classes[i];

	while (!hf_list_is_empty(&c->waiters)) {
		struct hf_buf_waiter *w =
			hf_list_entry(c->waiters.next, struct hf_buf_waiter, node);

		w->buf = take_for(b, i);
		if (!w->buf)
			return;
		hf_list_remove(&w->node);
		hf_list_push_back(&b->ready, &w->node);
	}
}

void hf_bufs_put(struct hf_bufs *b, void *buf)
{
	for (unsigned i = 0; i < HF_BUFS_CLASSES; i++) {
		struct hf_bufs_class *c = &b->classes[i];
		uintptr_t at = (uintptr_t)buf - (uintptr_t)c->start;
		uint32_t k;

		if (at >= c->total * c->size) /* also when buf is below: at wraps around */
			continue;
		hf_assert(at % c->size == 0);
		k = (uint32_t)(at / c->size);
		hf_assert(c->is_out[k]);
		c->is_out[k] = false;
		c->free[c->free_len++] = k;
		serve_waiters(b, i);
		if (i > 0)
			serve_waiters(b, i - 1);
		return;
	}
	hf_assert(!"the buffer is of this pool");
}

void hf_bufs_wait(struct hf_bufs *b, struct hf_buf_waiter *w, size_t len)
{
	unsigned i = class_of_len(len);

	w->len = len;
	w->buf = NULL;
	hf_list_push_back(&b->classes[i].waiters, &w->node);
	serve_waiters(b, i);
}

void hf_bufs_unwait(struct hf_bufs *b, struct hf_buf_waiter *w)
{
	void *buf = w->buf;
	unsigned i = class_of_len(w->len);

	hf_list_remove(&w->node);
	w->buf = NULL;
	if (buf)
		hf_bufs_put(b, buf);
	else if (i > 0) /* what it kept from the class below may be to spare now */
		serve_waiters(b, i - 1);
}

void hf_bufs_run_ready(struct hf_bufs *b)
{
	struct hf_list now, *n;

	hf_list_init(&now);
	hf_list_splice_back(&now, &b->ready);
	while ((n = hf_list_pop_front(&now))) {
		struct hf_buf_waiter *w = hf_list_entry(n, struct hf_buf_waiter, node);
		void *buf = w->buf;

		w->buf = NULL;
		w->ready(w, buf);
	}
}
