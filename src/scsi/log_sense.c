/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LOG SENSE (SPC-4, 6.8): the list of pages and the informational exceptions page, which has
 * nothing to report. Counters for people are in the tool.
 */
#include "scsi_internal.h"

enum { PAGE_SUPPORTED = 0x00, PAGE_EXCEPTIONS = 0x2f, REPLY_BYTES = 32 };

bool scsi_log_sense_prepare(struct hf_scsi_task *t)
{
	uint8_t page = t->cdb[2] & 0x3f, subpage = t->cdb[3];

	if (page != PAGE_SUPPORTED && page != PAGE_EXCEPTIONS)
		return scsi_cdb_error(t, 2, 5);
	if (subpage != 0 && !(page == PAGE_SUPPORTED && subpage == 0xff))
		return scsi_cdb_error(t, 3, 7);
	if (hf_get_be16(t->cdb + 5) != 0)
		return scsi_cdb_error(t, 5, 7); /* PARAMETER POINTER: every page starts at 0 */
	return scsi_prepare_reply(t, REPLY_BYTES);
}

void scsi_log_sense_run(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	uint8_t page = t->cdb[2] & 0x3f, subpage = t->cdb[3];

	hf_wr_u8(&w, page | (subpage ? 0x40 : 0)); /* SPF */
	hf_wr_u8(&w, subpage);
	hf_wr_u16(&w, 0);
	if (page == PAGE_SUPPORTED && subpage == 0) {
		hf_wr_u8(&w, PAGE_SUPPORTED);
		hf_wr_u8(&w, PAGE_EXCEPTIONS);
	} else if (page == PAGE_SUPPORTED) {
		hf_wr_u16(&w, PAGE_SUPPORTED << 8);
		hf_wr_u16(&w, PAGE_SUPPORTED << 8 | 0xff);
		hf_wr_u16(&w, PAGE_EXCEPTIONS << 8);
	} else {
		hf_wr_u16(&w, 0x0000); /* parameter 0 */
		hf_wr_u8(&w, 0x03);    /* binary format list */
		hf_wr_u8(&w, 4);
		hf_wr_u32(&w, 0); /* no exception, no temperature */
	}
	hf_put_be16(t->buf + 2, (uint16_t)(hf_wr_len(&w) - 4));
	scsi_reply(t, &w);
}
