/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of src/ldev share: random numbers from a seed, maps with disks in them, a disk in
 * memory whose every request can be made to go wrong in a way of its own, and records written and
 * read with nobody waiting.
 */
#ifndef HF_TEST_LDEV_KIT_H
#define HF_TEST_LDEV_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "format.h"
#include "loop_sim.h"
#include "record_io.h"

#define MIB (UINT64_C(1) << 20)

/* From HF_SEED, or a fixed one; printed. */
uint64_t kit_seed(const char *what);
uint64_t kit_random(uint64_t *state);
/* 0 .. n-1 */
uint64_t kit_below(uint64_t *state, uint64_t n);

/* Fills with what only this seed gives. */
void kit_fill(uint8_t *buf, size_t len, uint64_t seed);

/* --- maps --- */

struct hf_map *kit_map(
	unsigned disks, uint64_t data_mib); /* disks "d0", "d1" ...; the first votes */
void kit_add_disk(struct hf_map *map, const char *name, uint64_t data_mib, bool voting);
struct hf_pool_op kit_create(const char *name, enum hf_layout layout, uint64_t size_bytes,
	unsigned disks_len, const char *const *disks);
/* Applies, checks the map, and that a refusal changed nothing and says something. */
int kit_apply(struct hf_map *map, const struct hf_pool_op *op);
extern char kit_message[512]; /* of the last kit_apply() */

/* --- disks --- */

enum kit_fault {
	KIT_OK,
	KIT_FAIL,	 /* -EIO, nothing happened */
	KIT_FAIL_LANDED, /* -EIO, and yet it happened */
	KIT_FAIL_TORN,	 /* -EIO, the first half of it happened */
	KIT_LOSE,	 /* success, nothing happened */
	KIT_MISDIRECT,	 /* success, but it lies at kit_disk.astray */
	KIT_HANG,	 /* waits in kit_disk.hanging */
};

struct kit_write {
	uint64_t offset, len;
	uint8_t *data;
};

struct kit_disk {
	struct hf_pdev pdev;
	struct hf_label label;
	uint8_t *data;
	uint64_t astray;
	/* What happens to a request; NULL: KIT_OK. */
	enum kit_fault (*fault)(struct kit_disk *disk, const struct hf_pdev_io *io);
	void *fault_arg;
	unsigned reads, writes, flushes; /* asked for */
	struct hf_list hanging;		 /* hf_pdev_io.node */
	/* Writes since kit_disk_forget(), in order; not carried out by a recorder's pdev twice. */
	unsigned log_len;
	struct kit_write log[64];
};

struct kit_disk *kit_disk_create(uint64_t size_bytes, const char *name, bool voting);
void kit_disk_destroy(struct kit_disk *disk);
void kit_disk_forget(struct kit_disk *disk);
/* Lets one hanging request go on; `carry_out`: it happens first. */
void kit_disk_resume(struct kit_disk *disk, int result, bool carry_out);
struct hf_loop *kit_loop(void);

/* --- records --- */

struct kit_records {
	struct hf_loop *loop;
	struct hf_recorder *rec;
	unsigned disks_len;
	struct kit_disk *disks[HF_RECORD_DISKS_MAX];
};

/* n voting disks of 8 MiB */
void kit_records_open(struct kit_records *k, unsigned n);
/* A controller that starts anew: nothing but what is on the disks. absent: bits of missing ones. */
void kit_records_restart(struct kit_records *k, unsigned absent);
void kit_records_close(struct kit_records *k);
/* Runs the loop until it is done. */
int kit_record_write(struct kit_records *k, enum hf_record_kind kind, uint32_t index,
	const uint8_t *buf, size_t len);
/* buf has room for kit_record_room bytes. */
#define kit_record_room HF_FORMAT_MAP_COPY_BYTES
int kit_record_read(struct kit_records *k, enum hf_record_kind kind, uint32_t index, uint8_t *buf,
	bool *ret_scattered);

#endif
