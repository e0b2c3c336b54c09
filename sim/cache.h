/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a simulated disk holds, with the cache before it. Everybody reads what was written last;
 * what was neither written with FUA nor flushed may be gone after a power failure, sector by
 * sector, and an older write may be there in place of a newer one. Called by disk.c.
 */
#ifndef SIM_CACHE_H
#define SIM_CACHE_H

#include "base.h"
#include "list.h"

enum {
	SIM_BLOCK = 4096,
	SIM_SECTOR = 512, /* what a power failure does not tear */
	SIM_DISK_MIB = 13,
	SIM_DISK_BLOCKS = SIM_DISK_MIB * 256,
};

struct sim_dirty;

struct sim_cache {
	uint8_t *blocks[SIM_DISK_BLOCKS]; /* NULL: zeroes. Of the template until written to */
	bool own[SIM_DISK_BLOCKS];
	struct sim_dirty *dirty[SIM_DISK_BLOCKS]; /* NULL: what is there is durable */
	struct hf_list all_dirty;
	uint64_t now; /* counts writes that have been finished */
};

/* Begins with what is in `from`. */
void sim_cache_begin(struct sim_cache *c, const struct sim_cache *from);
void sim_cache_read(const struct sim_cache *c, uint64_t at, uint8_t *buf, uint64_t len);
/* buf NULL: zeroes. */
void sim_cache_write(struct sim_cache *c, uint64_t at, const uint8_t *buf, uint64_t len, bool fua);
/* A write has been finished: a flush that is asked for from now on has to keep it. */
void sim_cache_finished(struct sim_cache *c, uint64_t at, uint64_t len);
uint64_t sim_cache_now(const struct sim_cache *c);
/* Makes durable what had been finished at `since`, and no more than that. */
void sim_cache_flush(struct sim_cache *c, uint64_t since);
/* The power fails. */
void sim_cache_lose(struct sim_cache *c);

#endif
