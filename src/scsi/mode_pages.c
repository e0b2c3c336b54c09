/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mode pages and the parts around them (SPC-4, 7.5; SBC-3, 6.5). A page is the defaults below plus
 * the mode bits of the logical unit; a bit is changeable exactly if it stands for one of those
 * bits.
 */
#include "scsi_internal.h"

enum { PAGE_ALL = 0x3f, PAGE_CONTROL = 0x0a };

/* Read-write error recovery: AWRE and ARRE are the medium's own business. */
static const uint8_t error_recovery[12] = {0x01, 10};
/* Caching: WCE=1, volatile until SYNCHRONIZE CACHE or FUA. */
static const uint8_t caching[20] = {0x08, 18, 0x04};
/* Informational exceptions: DEXCPT=1. */
static const uint8_t exceptions[12] = {0x1c, 10, 0x08};
/* Control: TST=001b (a task set per nexus), QERR=00b, QUEUE ALGORITHM MODIFIER=1 (unrestricted). */
static const uint8_t control[12] = {0x0a, 10, 0x20, 0x10};

enum { CONTROL_D_SENSE = 0x04, CONTROL_SWP = 0x08, CONTROL_TAS = 0x40 }; /* bytes 2, 4, 5 */

static void put_control(struct hf_wr *w, enum scsi_pc pc, uint32_t mode)
{
	uint8_t page[12] = {0x0a, 10};

	if (pc == SCSI_PC_DEFAULT)
		mode = 0;
	if (pc == SCSI_PC_CHANGEABLE)
		mode = HF_RESV_D_SENSE | HF_RESV_SWP | HF_RESV_TAS;
	else
		memcpy(page, control, sizeof(page));
	if (mode & HF_RESV_D_SENSE)
		page[2] |= CONTROL_D_SENSE;
	if (mode & HF_RESV_SWP)
		page[4] |= CONTROL_SWP;
	if (mode & HF_RESV_TAS)
		page[5] |= CONTROL_TAS;
	hf_wr_bytes(w, page, sizeof(page));
}

uint32_t scsi_mode_control_decode(const uint8_t *page)
{
	return (page[2] & CONTROL_D_SENSE ? HF_RESV_D_SENSE : 0) |
	       (page[4] & CONTROL_SWP ? HF_RESV_SWP : 0) |
	       (page[5] & CONTROL_TAS ? HF_RESV_TAS : 0);
}

static void put_fixed(struct hf_wr *w, enum scsi_pc pc, const uint8_t *page, size_t len)
{
	hf_wr_bytes(w, page, 2);
	if (pc == SCSI_PC_CHANGEABLE)
		hf_wr_zero(w, len - 2);
	else
		hf_wr_bytes(w, page + 2, len - 2);
}

bool scsi_mode_pages_encode(struct hf_wr *w, uint8_t code, enum scsi_pc pc, uint32_t mode)
{
	static const struct {
		const uint8_t *page;
		size_t len;
	} pages[] = {
		{error_recovery, sizeof(error_recovery)},
		{caching, sizeof(caching)},
		{control, sizeof(control)},
		{exceptions, sizeof(exceptions)},
	};
	bool found = false;

	for (unsigned i = 0; i < HF_ARRAY_LEN(pages); i++) {
		if (code != PAGE_ALL && code != pages[i].page[0])
			continue;
		found = true;
		if (pages[i].page[0] == PAGE_CONTROL)
			put_control(w, pc, mode);
		else
			put_fixed(w, pc, pages[i].page, pages[i].len);
	}
	return found;
}

uint8_t scsi_mode_device_parameter(const struct hf_lu_info *info)
{
	bool protected = info->write_protected || (scsi_attrs(info) & HF_RESV_SWP);

	return 0x10 | (protected ? 0x80 : 0); /* DPOFUA, WP */
}

void scsi_mode_descriptor_encode(struct hf_wr *w, const struct hf_lu_info *info, bool longlba)
{
	if (longlba) {
		hf_wr_u64(w, info->blocks);
		hf_wr_u32(w, 0);
		hf_wr_u32(w, info->block_bytes);
	} else {
		hf_wr_u32(w, (uint32_t)HF_MIN(info->blocks, UINT32_MAX));
		hf_wr_u32(w, info->block_bytes); /* byte 4 reserved, 24 bits of length */
	}
}
