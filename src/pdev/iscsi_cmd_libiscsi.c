/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands that requests on a LUN of a third controller come to, one after the other where the
 * target's limits ask for several. Called by iscsi_io_libiscsi.c.
 */
#include "iscsi_libiscsi.h"

static unsigned char zeroes[ISCSI_COMMAND_BYTES]; /* never written to: costs no memory */

/* The rest of the request in bytes, at most max_blocks blocks (0: no limit) and max_bytes. */
static uint64_t piece(const struct iscsi_cmd *c, uint64_t max_blocks, uint64_t max_bytes)
{
	uint32_t block = c->owner->lun.block_bytes;
	uint64_t max = max_bytes / block;

	if (max_blocks)
		max = HF_MIN(max, max_blocks);
	return HF_MIN(hf_pdev_iscsi_left_bytes(c), max * block);
}

/* Fills c->iov with the request's memory from done_bytes on; the bytes that fit, whole blocks. */
static uint64_t gather(struct iscsi_cmd *c, uint64_t want, int *ret_n)
{
	const struct hf_pdev_io *io = c->io;
	uint64_t skip = io->done_bytes, have = 0;
	unsigned i = 0, n = 0;

	for (; skip >= io->iov[i].iov_len; i++)
		skip -= io->iov[i].iov_len;
	for (; have < want && n < ISCSI_IOV_MAX; i++, n++) {
		uint64_t len;

		hf_assert(i < io->iov_len);
		len = HF_MIN(io->iov[i].iov_len - skip, want - have);
		c->iov[n] = (struct iovec){(char *)io->iov[i].iov_base + skip, len};
		have += len;
		skip = 0;
	}
	/* What is no whole block goes with the next command. */
	for (uint64_t odd = have % c->owner->lun.block_bytes; odd;) {
		uint64_t cut = HF_MIN(odd, c->iov[n - 1].iov_len);

		c->iov[n - 1].iov_len -= cut;
		have -= cut;
		odd -= cut;
		n -= !c->iov[n - 1].iov_len;
	}
	*ret_n = (int)n;
	return have;
}

static uint64_t lba_of(const struct iscsi_cmd *c)
{
	return (c->io->offset_bytes + c->io->done_bytes) / c->owner->lun.block_bytes;
}

/* A READ or WRITE of what c->iov holds. The short CDB where it reaches: there are targets that know
 * no other. */
static struct scsi_task *send_transfer(struct iscsi_cmd *c, bool is_read, int fua, int n)
{
	struct iscsi_pdev *p = c->owner;
	struct scsi_iovec *iov = (struct scsi_iovec *)(void *)c->iov;
	uint32_t bytes = (uint32_t)c->piece_bytes, blocks = bytes / p->lun.block_bytes;
	uint64_t lba = lba_of(c);
	int block = (int)p->lun.block_bytes, lun = p->hw_lun;

	if (lba + blocks <= UINT32_MAX && blocks <= UINT16_MAX) {
		uint32_t lba32 = (uint32_t)lba;

		return is_read ? iscsi_read10_iov_task(p->ctx, lun, lba32, bytes, block, 0, 0, 0, 0,
					 0, hf_pdev_iscsi_command_done, c, iov, n)
			       : iscsi_write10_iov_task(p->ctx, lun, lba32, NULL, bytes, block, 0,
					 0, fua, 0, 0, hf_pdev_iscsi_command_done, c, iov, n);
	}
	return is_read ? iscsi_read16_iov_task(p->ctx, lun, lba, bytes, block, 0, 0, 0, 0, 0,
				 hf_pdev_iscsi_command_done, c, iov, n)
		       : iscsi_write16_iov_task(p->ctx, lun, lba, NULL, bytes, block, 0, 0, fua, 0,
				 0, hf_pdev_iscsi_command_done, c, iov, n);
}

static struct scsi_task *send_rw(struct iscsi_cmd *c)
{
	struct iscsi_pdev *p = c->owner;
	bool is_read = c->io->op == HF_PDEV_READ;
	int fua = c->io->flags & HF_PDEV_FUA && !p->cannot_fua, n;

	c->piece_bytes = gather(c, piece(c, p->lun.max_transfer_blocks, ISCSI_COMMAND_BYTES), &n);
	hf_assert(c->piece_bytes);
	return send_transfer(c, is_read, fua, n);
}

static struct scsi_task *send_written_zeroes(struct iscsi_cmd *c)
{
	c->piece_bytes = piece(c, c->owner->lun.max_transfer_blocks, sizeof(zeroes));
	c->iov[0] = (struct iovec){zeroes, c->piece_bytes};
	return send_transfer(c, false, 0, 1);
}

/* WRITE SAME of one block of zeroes. */
static struct scsi_task *send_write_same(struct iscsi_cmd *c, bool unmap)
{
	struct iscsi_pdev *p = c->owner;
	uint32_t block = p->lun.block_bytes;

	c->piece_bytes = piece(c, p->lun.max_write_same_blocks, ISCSI_ZEROING_BYTES);
	return iscsi_writesame16_task(p->ctx, p->hw_lun, lba_of(c), zeroes, block,
		(uint32_t)(c->piece_bytes / block), 0, unmap, 0, 0, hf_pdev_iscsi_command_done, c);
}

static struct scsi_task *send_unmap(struct iscsi_cmd *c)
{
	struct iscsi_pdev *p = c->owner;
	struct unmap_list list = {.lba = lba_of(c)};

	c->piece_bytes = piece(c, p->lun.max_unmap_blocks, ISCSI_ZEROING_BYTES);
	list.num = (uint32_t)(c->piece_bytes / p->lun.block_bytes);
	return iscsi_unmap_task(p->ctx, p->hw_lun, 0, 0, &list, 1, hf_pdev_iscsi_command_done, c);
}

static struct scsi_task *send_zeroing(struct iscsi_cmd *c)
{
	struct iscsi_pdev *p = c->owner;

	bool is_freeing = c->io->op == HF_PDEV_DISCARD || c->io->flags & HF_PDEV_UNMAP;

	if (c->io->op == HF_PDEV_DISCARD && !p->pdev.info.discard_zeroes)
		return send_unmap(c);
	if (p->cannot_write_same)
		return send_written_zeroes(c);
	return send_write_same(c, is_freeing && p->pdev.info.discard_zeroes);
}

bool hf_pdev_iscsi_send(struct iscsi_cmd *c)
{
	struct iscsi_pdev *p = c->owner;

	if (c->io->op == HF_PDEV_FLUSH || c->is_flushing)
		c->task = iscsi_synchronizecache10_task(
			p->ctx, p->hw_lun, 0, 0, 0, 0, hf_pdev_iscsi_command_done, c);
	else if (hf_pdev_has_data(c->io))
		c->task = send_rw(c);
	else
		c->task = send_zeroing(c);
	if (!c->task) {
		hf_pdev_iscsi_lose(p, -EIO, "%s", iscsi_get_error(p->ctx));
		return false;
	}
	c->sent_ns = hf_loop_now_ns(p->loop);
	return true;
}
