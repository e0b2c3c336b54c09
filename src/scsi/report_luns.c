/* SPDX-License-Identifier: BSD-3-Clause */
/* LUN addressing (SAM-5, 4.7) and REPORT LUNS (SPC-4, 6.33). */
#include "scsi_internal.h"

int hf_scsi_lun_decode(uint64_t lun_field, uint16_t *ret_lun)
{
	uint16_t first = (uint16_t)(lun_field >> 48);

	if (lun_field & 0xffffffffffffULL) /* more than one level */
		return -EINVAL;
	switch (first >> 14) {
	case 0: /* peripheral device addressing, bus 0 */
		if (first > 0xff)
			return -EINVAL;
		*ret_lun = first;
		return 0;
	case 1: /* flat space addressing */
		*ret_lun = first & 0x3fff;
		return 0;
	default:
		return -EINVAL;
	}
}

uint64_t hf_scsi_lun_encode(uint16_t lun)
{
	hf_assert(lun <= HF_LUN_MAX);
	return (uint64_t)(lun < 256 ? lun : 0x4000 | lun) << 48;
}

bool scsi_report_luns_prepare(struct hf_scsi_task *t)
{
	/* 00h, 02h: logical units; 01h: well known ones (there are none) */
	if (t->cdb[2] > 2)
		return scsi_cdb_error(t, 2, -1);
	return scsi_prepare_reply(t, 8 + 8 * HF_LDEVS_MAX);
}

/* The host learns here what the attention was to tell it (SPC-4, 6.33). */
static void forget_luns_changed(struct hf_lu_session *s)
{
	hf_list_for_each (n, &s->itls) {
		struct hf_itl *itl = hf_list_entry(n, struct hf_itl, session_node);
		unsigned kept = 0;

		for (unsigned i = 0; i < itl->attentions_len; i++) {
			if (itl->attentions[i] != SCSI_ASC_LUNS_CHANGED)
				itl->attentions[kept++] = itl->attentions[i];
		}
		itl->attentions_len = kept;
	}
}

void scsi_report_luns_run(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	uint16_t luns[HF_LDEVS_MAX];
	unsigned n = 0;

	if (t->cdb[2] != 1)
		n = HF_MIN(hf_lu_luns(t->session, luns, HF_LDEVS_MAX), HF_LDEVS_MAX);
	forget_luns_changed(t->session);
	hf_wr_u32(&w, n * 8);
	hf_wr_u32(&w, 0);
	for (unsigned i = 0; i < n; i++)
		hf_wr_u64(&w, hf_scsi_lun_encode(luns[i]));
	scsi_reply(t, &w);
}
