/* SPDX-License-Identifier: BSD-3-Clause */
/* What the drivers share. Included by src/pdev only. */
#ifndef HF_PDEV_DRIVER_H
#define HF_PDEV_DRIVER_H

#include "pdev.h"

static inline bool hf_pdev_has_data(const struct hf_pdev_io *io)
{
	return io->op == HF_PDEV_READ || io->op == HF_PDEV_WRITE;
}

/* 0, or -EINVAL: not in whole blocks, or outside the device. A size may change under way. */
static inline int hf_pdev_io_check(const struct hf_pdev_io *io)
{
	const struct hf_pdev_info *i = &io->pdev->info;
	uint64_t size = __atomic_load_n(&i->size_bytes, __ATOMIC_RELAXED);

	if (io->op == HF_PDEV_FLUSH)
		return 0;
	if (io->offset_bytes % i->block_bytes || io->len_bytes % i->block_bytes)
		return -EINVAL;
	if (io->offset_bytes > size || io->len_bytes > size - io->offset_bytes)
		return -EINVAL;
	return 0;
}

static inline void hf_pdev_run_done(struct hf_msg *msg)
{
	struct hf_pdev_io *io = hf_container_of(msg, struct hf_pdev_io, msg);

	io->done(io, io->result);
}

/* done() in a later turn of the request's loop; from any thread. */
static inline void hf_pdev_finish_later(struct hf_pdev_io *io, int result)
{
	io->result = result;
	io->msg.run = hf_pdev_run_done;
	hf_loop_post(io->loop, &io->msg);
}

/* The piece of the request's data at done_bytes, within one element of iov. */
static inline struct iovec hf_pdev_rest_of_iov(const struct hf_pdev_io *io)
{
	uint64_t at = io->done_bytes;
	unsigned i = 0;

	while (at >= io->iov[i].iov_len) {
		at -= io->iov[i++].iov_len;
		hf_assert(i < io->iov_len);
	}
	return (struct iovec){(char *)io->iov[i].iov_base + at, io->iov[i].iov_len - at};
}

/* The constructors behind hf_pdev_open(); `what` is the URL without its kind. Each may block, and
 * puts a sentence into message on failure. */
int hf_pdev_file_open(const char *path, const char *options, struct hf_pdev **ret, char *message,
	size_t message_len);
int hf_pdev_iscsi_open(const char *what, const struct hf_pdev_owner *owner,
	struct hf_loop *const *loops, unsigned loops_len, struct hf_pdev **ret, char *message,
	size_t message_len);

#endif
