/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request on a physical device, waited for: start-up and administration only. Runs the loop
 * until the request has ended; the loop is this thread's from then on.
 */
#ifndef HF_LDEV_BLOCKING_H
#define HF_LDEV_BLOCKING_H

#include "pdev.h"

/* buf: aligned to 4096, for READ and WRITE. The request's result. */
int hf_blocking_io(struct hf_loop *loop, struct hf_pdev *pdev, enum hf_pdev_op op, unsigned flags,
	uint64_t offset_bytes, void *buf, uint64_t len_bytes);
/*
 * Reads both copies of the label. *ret is what the disk bears. Messages are about the disk and
 * name its URL. -EIO: neither copy could be read; else as hf_label_decode(). The second copy
 * counts only where the first is damaged or unreadable: a disk that begins with something else has
 * been taken for something else.
 */
struct hf_label;
int hf_blocking_read_label(struct hf_loop *loop, struct hf_pdev *pdev, struct hf_label *ret,
	char *message, size_t message_len);

#endif
