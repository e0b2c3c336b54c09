/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A physical device in the memory of this process: for tests, the simulator and demonstrations.
 * Requests are carried out in a later turn of their loop, in order. Makes no system call.
 */
#include "driver.h"

#include <stdlib.h>

struct memory_pdev {
	struct hf_pdev pdev;
	uint8_t *data;
};

static void copy(struct memory_pdev *m, struct hf_pdev_io *io)
{
	uint8_t *at = m->data + io->offset_bytes;
	uint64_t left = io->len_bytes;

	for (unsigned i = 0; i < io->iov_len && left > 0; i++) {
		size_t n = HF_MIN(io->iov[i].iov_len, left);

		if (io->op == HF_PDEV_READ)
			memcpy(io->iov[i].iov_base, at, n);
		else
			memcpy(at, io->iov[i].iov_base, n);
		at += n;
		left -= n;
	}
	hf_assert(left == 0);
}

static void carry_out(struct hf_msg *msg)
{
	struct hf_pdev_io *io = hf_container_of(msg, struct hf_pdev_io, msg);
	struct memory_pdev *m = hf_container_of(io->pdev, struct memory_pdev, pdev);

	switch (io->op) {
	case HF_PDEV_READ:
	case HF_PDEV_WRITE:
		copy(m, io);
		break;
	case HF_PDEV_DISCARD:
	case HF_PDEV_WRITE_ZEROES:
		memset(m->data + io->offset_bytes, 0, io->len_bytes);
		break;
	case HF_PDEV_FLUSH:
		break;
	}
	io->done(io, 0);
}

static void submit(struct hf_pdev *pdev, struct hf_pdev_io *io)
{
	int ret = hf_pdev_io_check(io);

	if (ret < 0) {
		hf_pdev_finish_later(io, ret);
		return;
	}
	io->msg.run = carry_out;
	hf_loop_post(io->loop, &io->msg);
}

static void close_memory(struct hf_pdev *pdev)
{
	struct memory_pdev *m = hf_container_of(pdev, struct memory_pdev, pdev);

	free(m->data);
	free(m);
}

static const struct hf_pdev_ops memory_ops = {.submit = submit, .close = close_memory};

int hf_pdev_memory_create(uint64_t size_bytes, uint32_t block_bytes, struct hf_pdev **ret)
{
	struct memory_pdev *m;

	if ((block_bytes != 512 && block_bytes != 4096) || size_bytes % block_bytes || !size_bytes)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->data = calloc(1, size_bytes);
	if (!m->data) {
		free(m);
		return -ENOMEM;
	}
	m->pdev.ops = &memory_ops;
	m->pdev.info = (struct hf_pdev_info){
		.size_bytes = size_bytes,
		.block_bytes = block_bytes,
		.physical_block_bytes = 4096,
		.can_discard = true,
		.discard_zeroes = true,
	};
	*ret = &m->pdev;
	return 0;
}
