/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What handlers share: blocks in and out, range and length checks, parameter data.
 */
#include "scsi_internal.h"

static void io_failed(struct hf_scsi_task *t, int result)
{
	/*
	 * The other controller has fenced this one, which is about to hear of it. Through that one
	 * the command may succeed: no status may tell the host that it has failed for good.
	 */
	if (result == -EBADE)
		t->drop_session = true;
	else if (result == -ENOSPC)
		hf_scsi_sense(t, SCSI_KEY_DATA_PROTECT, SCSI_ASC_SPACE_ALLOCATION);
	else if (result != -EIO && result != -EILSEQ && result != -ENODATA)
		hf_scsi_sense(t, SCSI_KEY_HARDWARE_ERROR, SCSI_ASC_INTERNAL_FAILURE);
	else
		hf_scsi_sense(t, SCSI_KEY_MEDIUM_ERROR,
			t->io.op == HF_PDEV_READ ? SCSI_ASC_READ_ERROR : SCSI_ASC_WRITE_ERROR);
}

static void io_done(struct hf_ldev_io *io, int result)
{
	struct hf_scsi_task *t = hf_container_of(io, struct hf_scsi_task, io);

	if (result < 0) {
		io_failed(t, result);
		scsi_finish(t);
		return;
	}
	t->then(t);
}

void scsi_io_at(struct hf_scsi_task *t, const struct hf_lu_info *info, enum hf_pdev_op op,
	unsigned flags, uint64_t lba, uint64_t blocks, void *buf)
{
	hf_assert(blocks <= info->blocks && lba <= info->blocks - blocks);
	t->io.op = op;
	t->io.flags = flags;
	t->io.offset_bytes = lba * info->block_bytes;
	t->io.len_bytes = blocks * info->block_bytes;
	t->io.buf = buf;
	t->io.done = io_done;
	hf_ldev_submit(info->ldev, scsi_loop_of(t), &t->io);
}

void scsi_io(struct hf_scsi_task *t, enum hf_pdev_op op, unsigned flags, uint64_t lba,
	uint64_t blocks, void *buf, void (*then)(struct hf_scsi_task *t))
{
	t->then = then;
	scsi_io_at(t, scsi_info(t), op, flags, lba, blocks, buf);
}

bool scsi_range_check(struct hf_scsi_task *t, uint64_t blocks)
{
	uint64_t size = scsi_info(t)->blocks;

	if (t->lba < size && blocks <= size - t->lba)
		return true;
	return scsi_illegal(t, SCSI_ASC_LBA_RANGE);
}

bool scsi_transfer_check(struct hf_scsi_task *t)
{
	if (!scsi_range_check(t, t->count))
		return false;
	if (t->count > HF_XFER_MAX_BYTES / scsi_info(t)->block_bytes)
		return scsi_cdb_error(t, t->row->count.byte, -1);
	return true;
}

void scsi_claim_blocks(struct hf_scsi_task *t, bool writes, uint64_t blocks)
{
	t->cmd.writes = writes;
	t->cmd.lba = t->lba;
	t->cmd.blocks = (uint32_t)HF_MIN(blocks, UINT32_MAX);
}

void scsi_takes(struct hf_scsi_task *t, uint64_t bytes)
{
	t->out_len = (uint32_t)HF_MIN(bytes, scsi_expected(t, SCSI_DIR_OUT));
	t->wants_bytes = t->data_in && !t->data_out ? 0 : bytes;
	t->buf_need = HF_MAX(t->buf_need, t->out_len);
}

bool scsi_takes_exactly(struct hf_scsi_task *t, uint64_t bytes)
{
	uint64_t wants;

	scsi_takes(t, bytes);
	if (scsi_expected(t, SCSI_DIR_OUT) == bytes)
		return true;
	wants = t->wants_bytes;
	scsi_illegal(t, SCSI_ASC_UNIT_LENGTH);
	t->wants_bytes = wants;
	return false;
}

bool scsi_takes_blocks(struct hf_scsi_task *t)
{
	uint32_t block = scsi_info(t)->block_bytes;
	uint64_t wants;

	scsi_takes(t, t->count * block);
	if (t->out_len % block == 0)
		return true;
	/* Half a block cannot be written, and dropping it in silence would be a lie. */
	wants = t->wants_bytes;
	scsi_illegal(t, SCSI_ASC_UNIT_LENGTH);
	t->wants_bytes = wants;
	return false;
}

bool scsi_is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

bool scsi_equal(const uint8_t *a, const uint8_t *b, size_t len, uint64_t *ret_offset)
{
	if (memcmp(a, b, len) == 0)
		return true;
	for (size_t i = 0; i < len; i++) {
		if (a[i] != b[i]) {
			*ret_offset = i;
			break;
		}
	}
	return false;
}

bool scsi_prepare_reply(struct hf_scsi_task *t, uint32_t cap)
{
	t->buf_need = cap;
	return true;
}

void scsi_reply(struct hf_scsi_task *t, const struct hf_wr *w)
{
	uint64_t len = HF_MIN((uint64_t)hf_wr_len(w), t->count);

	hf_assert(!hf_wr_failed(w));
	t->wants_bytes = t->data_out && !t->data_in ? 0 : len;
	t->in_len = (uint32_t)HF_MIN(len, scsi_expected(t, SCSI_DIR_IN));
	scsi_good(t);
}
