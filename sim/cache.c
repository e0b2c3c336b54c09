/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks of a simulated disk, durable or not: see cache.h. */
#include "cache.h"
#include "sim.h"

#include <stdlib.h>

/* Of a block that has changed since it was durable. */
struct sim_dirty {
	struct hf_list node; /* sim_cache.all_dirty */
	unsigned block;
	uint64_t finished;	   /* sim_cache.now as the first write was finished; 0: none */
	uint8_t stable[SIM_BLOCK]; /* durable */
	uint8_t middle[SIM_BLOCK]; /* as it was some time since then */
};

static const uint8_t zeroes[SIM_BLOCK];

void sim_cache_begin(struct sim_cache *c, const struct sim_cache *from)
{
	memcpy(c->blocks, from->blocks, sizeof(c->blocks));
}

void sim_cache_read(const struct sim_cache *c, uint64_t at, uint8_t *buf, uint64_t len)
{
	while (len) {
		uint64_t b = at / SIM_BLOCK, n = HF_MIN(len, SIM_BLOCK - at % SIM_BLOCK);

		memcpy(buf, (c->blocks[b] ? c->blocks[b] : zeroes) + at % SIM_BLOCK, n);
		at += n;
		buf += n;
		len -= n;
	}
}

/* The block as its own, so that it can be changed. */
static uint8_t *own(struct sim_cache *c, uint64_t b)
{
	uint8_t *fresh;

	if (c->own[b])
		return c->blocks[b];
	fresh = sim_alloc(SIM_BLOCK);
	if (c->blocks[b])
		memcpy(fresh, c->blocks[b], SIM_BLOCK);
	c->blocks[b] = fresh;
	c->own[b] = true;
	return fresh;
}

static void clean(struct sim_cache *c, struct sim_dirty *d)
{
	hf_list_remove(&d->node);
	c->dirty[d->block] = NULL;
	free(d);
}

/* `block` is about to change. */
static void soil(struct sim_cache *c, unsigned b)
{
	const uint8_t *was = c->blocks[b] ? c->blocks[b] : zeroes;
	struct sim_dirty *d = c->dirty[b];

	if (d) {
		if (sim_chance(&sim->disk, 500))
			memcpy(d->middle, was, SIM_BLOCK);
		return;
	}
	d = sim_alloc(sizeof(*d));
	d->block = b;
	memcpy(d->stable, was, SIM_BLOCK);
	memcpy(d->middle, was, SIM_BLOCK);
	if (!c->all_dirty.next)
		hf_list_init(&c->all_dirty);
	hf_list_push_back(&c->all_dirty, &d->node);
	c->dirty[b] = d;
}

void sim_cache_write(struct sim_cache *c, uint64_t at, const uint8_t *buf, uint64_t len, bool fua)
{
	while (len) {
		uint64_t b = at / SIM_BLOCK, from = at % SIM_BLOCK,
			 n = HF_MIN(len, SIM_BLOCK - from);
		const uint8_t *data = buf ? buf : zeroes;
		struct sim_dirty *d;

		if (buf || c->blocks[b]) {
			if (!fua)
				soil(c, (unsigned)b);
			memcpy(own(c, b) + from, data, n);
		}
		d = c->dirty[b];
		if (fua && d) {
			memcpy(d->stable + from, data, n);
			memcpy(d->middle + from, data, n);
		}
		at += n;
		buf = buf ? buf + n : NULL;
		len -= n;
	}
}

void sim_cache_finished(struct sim_cache *c, uint64_t at, uint64_t len)
{
	c->now++;
	for (uint64_t b = at / SIM_BLOCK; b * SIM_BLOCK < at + len; b++)
		if (c->dirty[b] && !c->dirty[b]->finished)
			c->dirty[b]->finished = c->now;
}

uint64_t sim_cache_now(const struct sim_cache *c)
{
	return c->now;
}

void sim_cache_flush(struct sim_cache *c, uint64_t since)
{
	if (!c->all_dirty.next)
		return;
	hf_list_for_each_safe (n, &c->all_dirty) {
		struct sim_dirty *d = hf_list_entry(n, struct sim_dirty, node);

		if (d->finished && d->finished <= since)
			clean(c, d);
	}
}

/* Of each sector one of the contents that it had since it was durable. */
static void lose_block(struct sim_cache *c, struct sim_dirty *d, unsigned per_mille)
{
	uint8_t *block = own(c, d->block);

	for (unsigned at = 0; at < SIM_BLOCK; at += SIM_SECTOR) {
		const uint8_t *from = sim_chance(&sim->disk, 300) ? d->middle : d->stable;

		if (sim_chance(&sim->disk, per_mille))
			memcpy(block + at, from + at, SIM_SECTOR);
	}
	clean(c, d);
}

void sim_cache_lose(struct sim_cache *c)
{
	static const unsigned per_mille[] = {1000, 900, 500, 100};
	unsigned how = per_mille[sim_below(&sim->disk, HF_ARRAY_LEN(per_mille))];

	if (!c->all_dirty.next)
		return;
	hf_list_for_each_safe (n, &c->all_dirty)
		lose_block(c, hf_list_entry(n, struct sim_dirty, node), how);
}
