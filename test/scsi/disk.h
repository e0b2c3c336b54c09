/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Logical devices in memory, with faults on demand: hf_ldev_submit() for tests of the layer above.
 * Answers come from the loop, as the real one's do.
 */
#ifndef HF_TEST_SCSI_DISK_H
#define HF_TEST_SCSI_DISK_H

#include "ldev.h"

#define DISKS_MAX 4

struct disk {
	struct hf_ldev ldev; /* first */
	uint8_t *bytes;
	unsigned reads, writes, zeroes, flushes;
	/* The next request fails with this, or stays out until disk_release(). */
	int fail_next;
	bool hold_next;
	struct hf_ldev_io *held;
	/* Called as a write or zeroing lands. */
	void (*on_write)(struct disk *d, uint64_t offset_bytes, uint64_t len_bytes);
};

void disk_init(struct disk *d, uint32_t id, uint32_t block_bytes, uint64_t blocks);
void disk_fini(struct disk *d);
void disk_release(struct disk *d);

#endif
