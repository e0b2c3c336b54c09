/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INQUIRY (SPC-4, 6.6): standard data here, vital product data in vpd.c. The same through every
 * controller but for what names the target port, so that multipath software sees one disk.
 */
#include "scsi_internal.h"

#define STANDARD_BYTES 96
#define VPD_BYTES_MAX  4096

static void standard(struct hf_wr *w, const struct hf_scsi_task *t)
{
	static const uint16_t versions[8] = {
		0x00a0, /* SAM-5 */
		0x0960, /* iSCSI */
		0x0460, /* SPC-4 */
		0x04c0, /* SBC-3 */
	};
	const struct hf_target *target = hf_lu_target(t->session);

	hf_wr_u8(w, t->itl ? 0x00 : 0x7f); /* direct access; no logical unit here */
	hf_wr_u8(w, 0);			   /* RMB */
	hf_wr_u8(w, 0x06);		   /* SPC-4 */
	hf_wr_u8(w, 0x12);		   /* HISUP, response data format 2 */
	hf_wr_u8(w, STANDARD_BYTES - 5);   /* ADDITIONAL LENGTH */
	hf_wr_u8(w, 0x18);		   /* TPGS=01b (implicit), 3PC */
	hf_wr_u8(w, 0x10);		   /* MULTIP */
	hf_wr_u8(w, 0x02);		   /* CMDQUE */
	hf_wr_bytes(w, "HOLDFASTVIRTUAL DISK    ", 24);
	hf_wr_bytes(w, target->revision, 4);
	hf_wr_zero(w, 22);
	for (unsigned i = 0; i < HF_ARRAY_LEN(versions); i++)
		hf_wr_u16(w, versions[i]);
	hf_wr_zero(w, 22);
}

bool scsi_inquiry_prepare(struct hf_scsi_task *t)
{
	bool evpd = t->cdb[1] & 0x01;
	uint8_t page = t->cdb[2];

	if (!evpd && page)
		return scsi_cdb_error(t, 2, 7);
	/* Without a logical unit there is nothing that a page could describe. */
	if (evpd && (!t->itl || !scsi_vpd_supported(page, scsi_info(t))))
		return scsi_cdb_error(t, 2, 7);
	return scsi_prepare_reply(t, evpd ? VPD_BYTES_MAX : STANDARD_BYTES);
}

void scsi_inquiry_run(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);

	if (t->cdb[1] & 0x01)
		scsi_vpd_encode(&w, t->cdb[2], t);
	else
		standard(&w, t);
	scsi_reply(t, &w);
}
