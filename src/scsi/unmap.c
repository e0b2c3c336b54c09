/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UNMAP (SBC-3, 5.32). The whole list is checked before anything is touched. Each descriptor has a
 * pin of its own, so that held ranges are met exactly. Unmapped blocks read as zero (LBPRZ=1).
 */
#include "scsi_internal.h"

enum { HEADER = 8, DESCRIPTOR = 16 };

bool scsi_unmap_prepare(struct hf_scsi_task *t)
{
	if (t->count > HEADER + DESCRIPTOR * SCSI_UNMAP_DESCRIPTORS_MAX)
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	scsi_takes(t, t->count);
	return true;
}

static bool check(struct hf_scsi_task *t, unsigned *ret_descriptors)
{
	struct hf_rd r = hf_rd_of(t->buf, t->out_len);
	uint64_t size = scsi_info(t)->blocks, total = 0;
	uint16_t data_len = hf_rd_u16(&r), list_len = hf_rd_u16(&r);
	unsigned n;

	hf_rd_u32(&r);
	if (hf_rd_failed(&r))
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	if (data_len + 2u < HEADER || list_len > hf_rd_left(&r) || list_len + 6u > data_len)
		return scsi_list_error(t, 0, -1);
	n = list_len / DESCRIPTOR;
	if (n > SCSI_UNMAP_DESCRIPTORS_MAX)
		return scsi_list_error(t, 2, -1);
	for (unsigned i = 0; i < n; i++) {
		uint64_t lba = hf_rd_u64(&r);
		uint32_t blocks = hf_rd_u32(&r);

		hf_rd_u32(&r);
		if (lba > size || blocks > size - lba)
			return scsi_illegal(t, SCSI_ASC_LBA_RANGE);
		total += blocks;
		if (total > SCSI_UNMAP_BLOCKS_MAX)
			return scsi_list_error(t, (uint16_t)(HEADER + i * DESCRIPTOR + 8), -1);
	}
	*ret_descriptors = n;
	return true;
}

/* words[0]: next descriptor, words[1]: how many, words[2], [3]: the current one */
static void pinned(struct hf_scsi_task *t);

static void next(struct hf_scsi_task *t)
{
	while (t->words[0] < t->words[1]) {
		const uint8_t *d = t->buf + HEADER + t->words[0]++ * DESCRIPTOR;

		t->words[2] = hf_get_be64(d);
		t->words[3] = hf_get_be32(d + 8);
		if (t->words[3] == 0)
			continue;
		scsi_pin(t, true, t->words[2], t->words[3], pinned);
		return;
	}
	scsi_good(t);
}

static void unmapped(struct hf_scsi_task *t)
{
	if (scsi_unpin(t))
		next(t);
}

static void pinned(struct hf_scsi_task *t)
{
	scsi_io(t, HF_PDEV_WRITE_ZEROES, HF_PDEV_UNMAP, t->words[2], t->words[3], NULL, unmapped);
}

void scsi_unmap_run(struct hf_scsi_task *t)
{
	unsigned descriptors = 0;

	if (t->count == 0) {
		scsi_good(t); /* an empty list is no error (SBC-3, 5.32) */
		return;
	}
	if (!check(t, &descriptors)) {
		scsi_finish(t);
		return;
	}
	t->words[0] = 0;
	t->words[1] = descriptors;
	next(t);
}
