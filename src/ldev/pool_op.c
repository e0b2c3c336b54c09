/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An operation on the pool as bytes: the payload of ops on HF_BUS_DEV_POOL. Pure. Canonical:
 * fields that a kind does not use travel as they are, so encode(decode(x)) is x.
 */
#include "name_bytes.h"
#include "pool.h"

enum {
	OP_FLAG_WRITE_PROTECTED = 1,
	OP_FLAG_PDEV_VOTING = 2,
};

int hf_pool_op_encode(const struct hf_pool_op *op, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_assert(op->pdevs_len <= HF_LDEV_COLUMNS_MAX);
	hf_wr_u8(&w, (uint8_t)op->kind);
	hf_wr_u8(&w, (uint8_t)op->layout);
	hf_wr_u8(&w, op->dominant);
	hf_wr_u8(&w, (uint8_t)((op->write_protected ? OP_FLAG_WRITE_PROTECTED : 0) |
			       (op->pdev.voting ? OP_FLAG_PDEV_VOTING : 0)));
	hf_wr_u64(&w, op->size_bytes);
	hf_wr_u32(&w, op->block_bytes);
	hf_wr_u32(&w, op->physical_block_bytes);
	hf_wr_u32(&w, op->stripe_bytes);
	hf_wr_u32(&w, (uint32_t)op->lun);
	hf_wr_bytes(&w, op->uuid, HF_POOL_UUID_BYTES);
	hf_name_put(&w, op->name);
	hf_name_put(&w, op->new_name);
	hf_wr_u8(&w, (uint8_t)op->pdevs_len);
	for (unsigned i = 0; i < op->pdevs_len; i++)
		hf_name_put(&w, op->pdevs[i]);
	hf_wr_bytes(&w, op->pdev.uuid, HF_POOL_UUID_BYTES);
	hf_name_put(&w, op->pdev.name);
	hf_wr_u64(&w, op->pdev.size_bytes);
	hf_wr_u64(&w, op->pdev.data_offset_bytes);
	hf_wr_u32(&w, op->pdev.block_bytes);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

int hf_pool_op_decode(const uint8_t *buf, size_t len, struct hf_pool_op *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_pool_op op = {.kind = hf_rd_u8(&r)};
	uint8_t flags;

	op.layout = hf_rd_u8(&r);
	op.dominant = hf_rd_u8(&r);
	flags = hf_rd_u8(&r);
	op.write_protected = flags & OP_FLAG_WRITE_PROTECTED;
	op.pdev.voting = flags & OP_FLAG_PDEV_VOTING;
	op.size_bytes = hf_rd_u64(&r);
	op.block_bytes = hf_rd_u32(&r);
	op.physical_block_bytes = hf_rd_u32(&r);
	op.stripe_bytes = hf_rd_u32(&r);
	op.lun = (int32_t)hf_rd_u32(&r);
	hf_rd_bytes(&r, op.uuid, HF_POOL_UUID_BYTES);
	hf_name_get(&r, op.name);
	hf_name_get(&r, op.new_name);
	op.pdevs_len = hf_rd_u8(&r);
	if (op.pdevs_len > HF_LDEV_COLUMNS_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < op.pdevs_len; i++)
		hf_name_get(&r, op.pdevs[i]);
	hf_rd_bytes(&r, op.pdev.uuid, HF_POOL_UUID_BYTES);
	hf_name_get(&r, op.pdev.name);
	op.pdev.size_bytes = hf_rd_u64(&r);
	op.pdev.data_offset_bytes = hf_rd_u64(&r);
	op.pdev.block_bytes = hf_rd_u32(&r);
	if (hf_rd_failed(&r) || hf_rd_left(&r) || op.kind < HF_POOL_CREATE ||
		op.kind > HF_POOL_SET_WRITE_PROTECT ||
		flags & ~(OP_FLAG_WRITE_PROTECTED | OP_FLAG_PDEV_VOTING))
		return -EBADMSG;
	*ret = op;
	return 0;
}
