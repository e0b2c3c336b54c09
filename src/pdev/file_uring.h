/* SPDX-License-Identifier: BSD-3-Clause */
/* A regular file or block device: what opening (file_open_posix.c) and I/O (file_uring.c) share. */
#ifndef HF_PDEV_FILE_URING_H
#define HF_PDEV_FILE_URING_H

#include "driver.h"

#include <stdatomic.h>

enum { FILE_ZEROES_BYTES = 1 << 20 };

struct file_pdev {
	struct hf_pdev pdev;
	int fd;
	bool is_memory;	      /* a file system without a disk under it: nothing to wait for */
	uint32_t align_bytes; /* of every transfer: a block with O_DIRECT, else 1 */
	void *zeroes;	      /* FILE_ZEROES_BYTES of them, not written to, so they cost one page */
	/* Learnt from the first refusal; loops of several threads learn it at their own time. */
	_Atomic bool cannot_punch, cannot_zero_range;
};

void hf_pdev_file_submit(struct hf_pdev *pdev, struct hf_pdev_io *io);
void hf_pdev_file_close(struct hf_pdev *pdev);

#endif
