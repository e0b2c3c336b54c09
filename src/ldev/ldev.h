/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Logical devices: how blocks of one logical device lie on extents of physical devices (linear,
 * stripe), and the I/O through that layout. Pure but for hf_pdev_submit().
 */
#ifndef HF_LDEV_H
#define HF_LDEV_H

#include "hf_limits.h"
#include "pdev.h"

enum hf_layout {
	HF_LAYOUT_LINEAR = 1,
	HF_LAYOUT_STRIPE = 2,
};

struct hf_extent {
	uint16_t pdev;	       /* index into the pool's physical devices */
	uint64_t offset_bytes; /* from the start of the physical device; 1 MiB aligned */
	uint64_t len_bytes;
};

/*
 * One logical device as I/O sees it. Immutable while any I/O is out on it; growing builds a new one
 * whose first bytes map as before, and the lu swaps the pointer on each loop by message.
 * stripe: extents come in groups of `columns`, all of a group equally long; a grown stripe has
 * several groups one after the other.
 */
struct hf_ldev {
	uint32_t id;
	enum hf_layout layout;
	uint32_t block_bytes; /* 512 or 4096 */
	uint64_t size_bytes;
	uint32_t columns, stripe_bytes; /* stripe only */
	unsigned extents_len;
	struct hf_extent *extents;
	struct hf_pdev **pdevs; /* the pool's table, borrowed */
};

/* Where byte `offset` lies: *ret_pdev, *ret_offset; returns how many bytes from there on are
 * contiguous (at most len). offset + len must lie inside the device. */
uint64_t hf_ldev_map(const struct hf_ldev *d, uint64_t offset_bytes, uint64_t len_bytes,
	uint16_t *ret_pdev, uint64_t *ret_offset_bytes);

/* Pieces one request is cut into at most: HF_XFER_MAX_BYTES over the smallest stripe, plus one. */
#define HF_LDEV_PIECES_INLINE 4

struct hf_ldev_io {
	enum hf_pdev_op op;
	unsigned flags; /* HF_PDEV_FUA ... */
	uint64_t offset_bytes, len_bytes;
	void *buf; /* READ, WRITE: len_bytes, kept until done */
	/* Once, on the loop of the submit; first error of any piece; never inside the submit. */
	void (*done)(struct hf_ldev_io *io, int result);

	/* the layer's */
	const struct hf_ldev *ldev;
	struct hf_loop *loop;
	int result;
	unsigned pieces_out;
	uint64_t next_offset; /* where cutting stopped when no piece was free */
	uint64_t flush_left;  /* FLUSH: bit i: pdevs[i] has not been asked yet */
	struct hf_msg msg;    /* ends a request that never reached a physical device */
	struct hf_ldev_piece {
		struct hf_pdev_io io;
		struct iovec iov;
		struct hf_ldev_io *owner;
		bool busy;
	} pieces[HF_LDEV_PIECES_INLINE];
};

/*
 * FLUSH goes to every physical device under the logical device. A request that touches a missing
 * physical device ends with -EIO. io is the layer's until done(); nothing is allocated.
 */
void hf_ldev_submit(const struct hf_ldev *d, struct hf_loop *loop, struct hf_ldev_io *io);

#endif
