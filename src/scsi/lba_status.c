/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET LBA STATUS (SBC-3, 5.4). No controller keeps a map of what is allocated underneath; instead
 * the medium is read: a run of zeros is told as deallocated, anything else as mapped. That is
 * within the standard, since with LBPRZ=1 a mapped block of zeros may become deallocated at any
 * time (SBC-3, 4.7.3.5), it is the same through every controller and every kind of physical device,
 * and it is exactly what a host asks for: what need not be copied. How much is read per command is
 * bounded; the descriptors then end early, which the standard allows, too.
 */
#include "scsi_internal.h"

enum {
	HEADER = 8,
	DESCRIPTOR = 16,
	REPLY_BYTES = 4096, /* the front of the buffer */
	READ_BYTES = 256 << 10,
	SCAN_BYTES_MAX = 256 << 20,
	STATUS_MAPPED = 0,
	STATUS_DEALLOCATED = 1,
};

bool scsi_lba_status_prepare(struct hf_scsi_task *t)
{
	if (!scsi_range_check(t, 0))
		return false;
	t->buf_need = REPLY_BYTES + READ_BYTES;
	scsi_claim_blocks(t, false, scsi_info(t)->blocks - t->lba);
	return true;
}

/* words[0]: next block to read, [1]: blocks in the buffer, [2]: first block of the current run,
 * [3]: its status, [4]: descriptors written, [5]: descriptors wanted, [6]: read past this: stop */
static void put_descriptor(struct hf_scsi_task *t, uint64_t end)
{
	struct hf_wr w = hf_wr_of(t->buf + HEADER + t->words[4] * DESCRIPTOR, DESCRIPTOR);

	hf_wr_u64(&w, t->words[2]);
	hf_wr_u32(&w, (uint32_t)(end - t->words[2]));
	hf_wr_u8(&w, (uint8_t)t->words[3]);
	hf_wr_zero(&w, 3);
	t->words[4]++;
}

static void answer(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, REPLY_BYTES);

	hf_wr_u32(&w, (uint32_t)(4 + t->words[4] * DESCRIPTOR));
	hf_wr_u32(&w, 0);
	w.at += t->words[4] * DESCRIPTOR;
	scsi_reply(t, &w);
}

/* true: the reply is complete */
static bool take_blocks(struct hf_scsi_task *t)
{
	uint32_t block = scsi_info(t)->block_bytes;
	uint64_t first = t->words[0] - t->words[1];

	for (uint64_t i = 0; i < t->words[1]; i++) {
		bool zero = scsi_is_zero(t->buf + REPLY_BYTES + i * block, block);
		uint64_t status = zero ? STATUS_DEALLOCATED : STATUS_MAPPED;
		uint64_t lba = first + i;

		if (lba == t->lba) {
			t->words[3] = status;
		} else if (status != t->words[3] || lba - t->words[2] == UINT32_MAX) {
			put_descriptor(t, lba);
			if (t->words[4] == t->words[5])
				return true;
			t->words[2] = lba;
			t->words[3] = status;
		}
	}
	return false;
}

static void read_next(struct hf_scsi_task *t);

static void have_blocks(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	bool complete = take_blocks(t);

	if (!complete && t->words[0] < info->blocks && t->words[0] < t->words[6]) {
		read_next(t);
		return;
	}
	if (!complete)
		put_descriptor(t, t->words[0]);
	answer(t);
}

static void read_next(struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	uint64_t lba = t->words[0];

	t->words[1] = HF_MIN(READ_BYTES / info->block_bytes, info->blocks - lba);
	t->words[0] += t->words[1];
	scsi_io(t, HF_PDEV_READ, 0, lba, t->words[1], t->buf + REPLY_BYTES, have_blocks);
}

void scsi_lba_status_run(struct hf_scsi_task *t)
{
	uint64_t room = t->count > HEADER ? (t->count - HEADER + DESCRIPTOR - 1) / DESCRIPTOR : 1;

	t->words[0] = t->words[2] = t->lba;
	t->words[3] = STATUS_MAPPED;
	t->words[4] = 0;
	t->words[5] = HF_MIN(room, (REPLY_BYTES - HEADER) / DESCRIPTOR);
	t->words[6] = t->lba + SCAN_BYTES_MAX / scsi_info(t)->block_bytes;
	read_next(t);
}
