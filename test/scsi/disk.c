/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk.h"

#include "pool.h"

#include <stdlib.h>

struct answer {
	struct hf_msg msg;
	struct hf_ldev_io *io;
	int result;
};

static void deliver(struct hf_msg *msg)
{
	struct answer *a = hf_container_of(msg, struct answer, msg);
	struct hf_ldev_io *io = a->io;
	int result = a->result;

	free(a);
	io->done(io, result);
}

static void answer(struct hf_ldev_io *io, int result)
{
	struct answer *a = malloc(sizeof(*a));

	hf_assert(a);
	*a = (struct answer){.msg.run = deliver, .io = io, .result = result};
	hf_loop_post(io->loop, &a->msg);
}

static void carry_out(struct disk *d, struct hf_ldev_io *io)
{
	hf_assert(io->len_bytes <= d->ldev.size_bytes &&
		  io->offset_bytes <= d->ldev.size_bytes - io->len_bytes);
	switch (io->op) {
	case HF_PDEV_READ:
		d->reads++;
		memcpy(io->buf, d->bytes + io->offset_bytes, io->len_bytes);
		break;
	case HF_PDEV_WRITE:
		d->writes++;
		memcpy(d->bytes + io->offset_bytes, io->buf, io->len_bytes);
		break;
	case HF_PDEV_FLUSH:
		d->flushes++;
		break;
	case HF_PDEV_DISCARD:
	case HF_PDEV_WRITE_ZEROES:
		d->zeroes++;
		memset(d->bytes + io->offset_bytes, 0, io->len_bytes);
		break;
	}
	if (io->op != HF_PDEV_READ && io->op != HF_PDEV_FLUSH && d->on_write)
		d->on_write(d, io->offset_bytes, io->len_bytes);
	answer(io, 0);
}

void hf_ldev_submit(const struct hf_ldev *ldev, struct hf_loop *loop, struct hf_ldev_io *io)
{
	struct disk *d = hf_container_of((struct hf_ldev *)ldev, struct disk, ldev);
	int fail = d->fail_next;

	io->ldev = ldev;
	io->loop = loop;
	d->fail_next = 0;
	if (fail) {
		answer(io, fail);
	} else if (d->hold_next) {
		d->hold_next = false;
		d->held = io;
	} else {
		carry_out(d, io);
	}
}

void disk_release(struct disk *d)
{
	struct hf_ldev_io *io = d->held;

	hf_assert(io);
	d->held = NULL;
	carry_out(d, io);
}

void disk_init(struct disk *d, uint32_t id, uint32_t block_bytes, uint64_t blocks)
{
	memset(d, 0, sizeof(*d));
	d->ldev.id = id;
	d->ldev.block_bytes = block_bytes;
	d->ldev.size_bytes = blocks * block_bytes;
	d->bytes = calloc(blocks, block_bytes);
	hf_assert(d->bytes);
}

void disk_fini(struct disk *d)
{
	free(d->bytes);
}

/* The logical unit gives back what disk_init() made; disk_fini() does the rest. */
void hf_ldev_destroy(struct hf_ldev *ldev)
{
}
