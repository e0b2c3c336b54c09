/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SANITIZE (SBC-3, 5.30): OVERWRITE, BLOCK ERASE, EXIT FAILURE MODE. The whole medium, piece by
 * piece, each with a pin of its own, so that a host that loses access loses it between two pieces
 * and no reservation op waits for hours. What ends before its end leaves the unit in the failed
 * state of the standard. IMMED is not offered.
 */
#include "scsi_internal.h"

enum {
	ACTION_OVERWRITE = 0x01,
	ACTION_BLOCK_ERASE = 0x02,
	ACTION_EXIT_FAILURE = 0x1f,
	AUSE = 0x20,
	HEADER = 4,
	CHUNK_BYTES = HF_XFER_MAX_BYTES,
	ERASE_BYTES = 64 << 20,
	FAILED_RESTRICTED = 1,
	FAILED_UNRESTRICTED = 2, /* EXIT FAILURE MODE will do */
};

/* words: what next() and its kin need */
enum { NEXT_LBA, PASS, PASSES, INVERT, PIECE, CLAIMED };

bool scsi_sanitize_prepare(struct hf_scsi_task *t)
{
	t->words[CLAIMED] = 0;
	if (t->row->sa != ACTION_OVERWRITE)
		return t->count == 0 || scsi_cdb_error(t, 7, -1);
	if (t->count <= HEADER || t->count > HEADER + scsi_info(t)->block_bytes)
		return scsi_cdb_error(t, 7, -1);
	if (!scsi_takes_exactly(t, t->count))
		return false;
	t->buf_need = CHUNK_BYTES;
	return true;
}

static void next(struct hf_scsi_task *t);

static uint32_t progress(const struct hf_scsi_task *t)
{
	uint64_t blocks = scsi_info(t)->blocks;
	uint64_t done = t->words[PASS] * blocks + t->words[NEXT_LBA];

	return 1 + (uint32_t)((unsigned __int128)done * 65535 / (t->words[PASSES] * blocks));
}

static void piece_done(struct hf_scsi_task *t)
{
	t->words[NEXT_LBA] += t->words[PIECE];
	atomic_store_explicit(&scsi_info(t)->shared->sanitize, progress(t), memory_order_relaxed);
	if (scsi_unpin(t))
		next(t);
}

static void pinned(struct hf_scsi_task *t)
{
	if (t->row->sa == ACTION_BLOCK_ERASE)
		scsi_io(t, HF_PDEV_WRITE_ZEROES, HF_PDEV_UNMAP, t->words[NEXT_LBA], t->words[PIECE],
			NULL, piece_done);
	else
		scsi_io(t, HF_PDEV_WRITE, 0, t->words[NEXT_LBA], t->words[PIECE], t->buf,
			piece_done);
}

static void flush(struct hf_scsi_task *t)
{
	scsi_io(t, HF_PDEV_FLUSH, 0, 0, 0, NULL, scsi_good);
}

static void next(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	bool erase = t->row->sa == ACTION_BLOCK_ERASE;

	if (t->words[NEXT_LBA] == info->blocks) {
		t->words[NEXT_LBA] = 0;
		t->words[PASS]++;
		for (uint32_t i = 0; t->words[INVERT] && i < CHUNK_BYTES; i++)
			t->buf[i] = (uint8_t)~t->buf[i];
	}
	if (t->words[PASS] == t->words[PASSES]) {
		scsi_pin(t, false, 0, 0, flush);
		return;
	}
	t->words[PIECE] = HF_MIN(info->blocks - t->words[NEXT_LBA],
		(uint64_t)(erase ? ERASE_BYTES : CHUNK_BYTES) / info->block_bytes);
	scsi_pin(t, true, t->words[NEXT_LBA], t->words[PIECE], pinned);
}

/* The parameter list gives way to a buffer full of its pattern, anew in each block. */
static bool fill(struct hf_scsi_task *t)
{
	uint32_t block = scsi_info(t)->block_bytes;
	uint16_t len = hf_get_be16(t->buf + 2);
	uint8_t count = t->buf[0] & 0x1f;

	if (count == 0)
		return scsi_list_error(t, 0, 4);
	if (t->buf[0] & 0x60) /* TEST */
		return scsi_list_error(t, 0, 6);
	if (len == 0 || len > block || len > t->out_len - HEADER)
		return scsi_list_error(t, 2, -1);
	t->words[INVERT] = t->buf[0] & 0x80;
	t->words[PASSES] = count;
	memmove(t->buf, t->buf + HEADER, len);
	for (uint32_t i = len; i < block; i++)
		t->buf[i] = t->buf[i - len];
	for (uint32_t i = block; i < CHUNK_BYTES; i += block)
		memcpy(t->buf + i, t->buf, block);
	return true;
}

static void exit_failure(struct hf_scsi_task *t)
{
	struct hf_lu_shared *shared = scsi_info(t)->shared;
	uint32_t failed = FAILED_UNRESTRICTED;

	if (atomic_compare_exchange_strong(&shared->sanitize_failed, &failed, 0) || failed == 0) {
		scsi_good(t);
		return;
	}
	scsi_cdb_error(t, 1, 4);
	scsi_finish(t);
}

void scsi_sanitize_run(struct hf_scsi_task *t)
{
	struct hf_lu_shared *shared = scsi_info(t)->shared;
	uint32_t none = 0;

	if (t->row->sa == ACTION_EXIT_FAILURE) {
		scsi_pin(t, false, 0, 0, exit_failure);
		return;
	}
	t->words[NEXT_LBA] = t->words[PASS] = t->words[INVERT] = 0;
	t->words[PASSES] = 1;
	if (t->row->sa == ACTION_OVERWRITE && !fill(t)) {
		scsi_finish(t);
		return;
	}
	if (!atomic_compare_exchange_strong(&shared->sanitize, &none, 1)) {
		scsi_sense_progress(t, SCSI_ASC_SANITIZE_IN_PROGRESS, (uint16_t)(none - 1));
		scsi_finish(t);
		return;
	}
	t->words[CLAIMED] = 1;
	next(t);
}

void scsi_sanitize_ended(struct hf_scsi_task *t)
{
	struct hf_lu_shared *shared = scsi_info(t)->shared;
	bool good = t->status == HF_STATUS_GOOD && !t->cmd.aborted;
	bool begun = t->words[CLAIMED] && (t->words[NEXT_LBA] || t->words[PASS]);

	if (!t->words[CLAIMED])
		return;
	if (good)
		atomic_store(&shared->sanitize_failed, 0);
	else if (begun)
		atomic_store(&shared->sanitize_failed,
			t->cdb[1] & AUSE ? FAILED_UNRESTRICTED : FAILED_RESTRICTED);
	atomic_store(&shared->sanitize, 0);
}
