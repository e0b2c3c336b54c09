/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MODE SELECT(6) and (10) (SPC-4, 6.9 and 6.10). All of the list is checked before anything
 * changes: a page must be one we have, of its length, and equal to the current one but for
 * changeable bits.
 */
#include "scsi_internal.h"

enum { PF = 0x10, PAGE_CONTROL = 0x0a, LIST_BYTES_MAX = 1024, PAGE_BYTES_MAX = 64 };

static bool mode_select_prepare(struct hf_scsi_task *t)
{
	if (t->count == 0)
		return true; /* no parameters: nothing to change, no error */
	if (!(t->cdb[1] & PF))
		return scsi_cdb_error(t, 1, 4);
	if (t->count > LIST_BYTES_MAX)
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	scsi_takes(t, t->count);
	return true;
}

bool scsi_mode_select6_prepare(struct hf_scsi_task *t)
{
	return mode_select_prepare(t);
}

bool scsi_mode_select10_prepare(struct hf_scsi_task *t)
{
	return mode_select_prepare(t);
}

static uint16_t at(const struct hf_scsi_task *t, const struct hf_rd *r)
{
	return (uint16_t)(r->at - t->buf);
}

/* A block descriptor may be sent back as it was read; the format cannot be changed. */
static bool check_descriptor(struct hf_scsi_task *t, struct hf_rd *r, uint16_t len, bool longlba)
{
	const struct hf_lu_info *info = scsi_info(t);
	uint16_t start = at(t, r);
	uint64_t blocks, all = longlba ? UINT64_MAX : UINT32_MAX;
	uint32_t block_bytes;

	if (len == 0)
		return true;
	if (len != (longlba ? 16 : 8))
		return scsi_list_error(t, 0, -1);
	blocks = longlba ? hf_rd_u64(r) : hf_rd_u32(r);
	if (longlba)
		hf_rd_u32(r);
	block_bytes = hf_rd_u32(r);
	if (hf_rd_failed(r))
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	if (blocks != 0 && blocks != all && blocks != info->blocks)
		return scsi_list_error(t, start, -1);
	if (block_bytes != info->block_bytes)
		return scsi_list_error(t, (uint16_t)(start + (longlba ? 12 : 5)), -1);
	return true;
}

static bool check_page(struct hf_scsi_task *t, struct hf_rd *r, uint32_t *mode)
{
	uint8_t now[PAGE_BYTES_MAX], may[PAGE_BYTES_MAX], code;
	struct hf_wr wn = hf_wr_of(now, sizeof(now)), wm = hf_wr_of(may, sizeof(may));
	const uint8_t *page = r->at;
	uint16_t start = at(t, r);

	if (hf_rd_left(r) < 2)
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	code = page[0] & 0x3f; /* PS is reserved here and ignored */
	if ((page[0] & 0x40) || code == 0x3f ||
		!scsi_mode_pages_encode(&wn, code, SCSI_PC_CURRENT, *mode))
		return scsi_list_error(t, start, 5);
	scsi_mode_pages_encode(&wm, code, SCSI_PC_CHANGEABLE, 0);
	if (page[1] != now[1])
		return scsi_list_error(t, (uint16_t)(start + 1), -1);
	if (!hf_rd_take(r, hf_wr_len(&wn)))
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	for (uint16_t i = 2; i < hf_wr_len(&wn); i++) {
		unsigned bad = (unsigned)(page[i] ^ now[i]) & ~(unsigned)may[i] & 0xff;

		if (bad)
			return scsi_list_error(
				t, (uint16_t)(start + i), (int8_t)(31 - __builtin_clz(bad)));
	}
	if (code == PAGE_CONTROL)
		*mode = scsi_mode_control_decode(page);
	return true;
}

static bool parse(struct hf_scsi_task *t, uint32_t *mode)
{
	struct hf_rd r = hf_rd_of(t->buf, t->out_len);
	bool six = t->row->cdb_len == 6, longlba = false;
	uint16_t descriptor_len;

	hf_rd_take(&r, six ? 3 : 4); /* MODE DATA LENGTH, MEDIUM TYPE, DEVICE-SPECIFIC: ignored */
	if (six) {
		descriptor_len = hf_rd_u8(&r);
	} else {
		longlba = hf_rd_u8(&r) & 0x01;
		hf_rd_u8(&r);
		descriptor_len = hf_rd_u16(&r);
	}
	if (hf_rd_failed(&r))
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	if (!check_descriptor(t, &r, descriptor_len, longlba))
		return false;
	while (hf_rd_left(&r)) {
		if (!check_page(t, &r, mode))
			return false;
	}
	return true;
}

/* The op tells the other nexuses, on every controller (2A/01). */
static void set(struct hf_scsi_task *t)
{
	uint32_t mode = scsi_attrs(scsi_info(t)) & HF_RESV_MODE;

	if (parse(t, &mode))
		scsi_attrs_set(t, (uint8_t)mode, HF_RESV_MODE, scsi_finish);
	else
		scsi_finish(t);
}

static void ask(struct hf_scsi_task *t)
{
	scsi_resv_get(t, set);
}

static void mode_select_run(struct hf_scsi_task *t)
{
	scsi_op(t, t->count ? ask : scsi_good);
}

void scsi_mode_select6_run(struct hf_scsi_task *t)
{
	mode_select_run(t);
}

void scsi_mode_select10_run(struct hf_scsi_task *t)
{
	mode_select_run(t);
}
