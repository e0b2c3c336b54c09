/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that are waited for: see blocking.h. */
#include "blocking.h"
#include "format.h"
#include "say.h"

#include <stdlib.h>

struct waited {
	struct hf_pdev_io io;
	bool ended;
	int result;
};

static void ended(struct hf_pdev_io *io, int result)
{
	struct waited *w = hf_container_of(io, struct waited, io);

	w->ended = true;
	w->result = result;
}

int hf_blocking_io(struct hf_loop *loop, struct hf_pdev *pdev, enum hf_pdev_op op, unsigned flags,
	uint64_t offset_bytes, void *buf, uint64_t len_bytes)
{
	struct iovec iov = {buf, len_bytes};
	struct waited w = {
		.io =
			{
				.op = op,
				.flags = flags,
				.offset_bytes = offset_bytes,
				.len_bytes = len_bytes,
				.iov = buf ? &iov : NULL,
				.iov_len = buf ? 1 : 0,
				.done = ended,
			},
	};

	hf_pdev_submit(pdev, loop, &w.io);
	while (!w.ended) {
		/* The request lies on this stack: there is no way back before it has ended. */
		int r = hf_loop_run_once(loop, true);

		hf_assert(r >= 0 || r == -EINTR || r == -ETIME || r == -EAGAIN);
	}
	return w.result;
}

static int read_copy(struct hf_loop *loop, struct hf_pdev *pdev, uint64_t offset, uint8_t *block,
	struct hf_label *ret, char *message, size_t message_len)
{
	int r = pdev->info.size_bytes < offset + HF_FORMAT_BLOCK_BYTES
			? -EIO
			: hf_blocking_io(loop, pdev, HF_PDEV_READ, 0, offset, block,
				  HF_FORMAT_BLOCK_BYTES);

	if (r < 0) {
		hf_say(message, message_len, "the disk's label cannot be read: %s", strerror(-r));
		return -EIO;
	}
	return hf_label_decode(block, ret, message, message_len);
}

int hf_blocking_read_label(struct hf_loop *loop, struct hf_pdev *pdev, struct hf_label *ret,
	char *message, size_t message_len)
{
	uint8_t *block = aligned_alloc(HF_FORMAT_BLOCK_BYTES, HF_FORMAT_BLOCK_BYTES);
	char first[160] = "", second[160] = "";
	struct hf_label backup;
	int r, b;

	if (!block) {
		hf_say(message, message_len, "%s: no memory to read the label", pdev->url);
		return -ENOMEM;
	}
	r = read_copy(loop, pdev, HF_FORMAT_LABEL_OFFSET, block, ret, first, sizeof(first));
	if (r) {
		b = read_copy(loop, pdev, HF_FORMAT_LABEL_BACKUP_OFFSET, block, &backup, second,
			sizeof(second));
		if (!b && (r == -EBADMSG || r == -EIO)) {
			*ret = backup;
			r = 0;
		} else if (!b && r == -ENOENT) {
			hf_say(message, message_len,
				"%s: the disk was '%s' of a Holdfast pool, but something else has "
				"been written over its beginning; if that was a mistake, put the "
				"label back from its second copy (doc/on-disk-format.md)",
				pdev->url, backup.name);
		} else {
			hf_say(message, message_len, "%s: %s", pdev->url, first);
		}
	}
	free(block);
	return r;
}
