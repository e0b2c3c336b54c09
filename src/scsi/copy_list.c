/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parameter list of EXTENDED COPY(LID1) (SPC-4, 6.4): identification descriptor CSCDs (E4h) and
 * block-to-block segments (02h), nothing else. Pure decoding.
 */
#include "copy.h"

enum {
	HEADER = 16,
	TARGET_BYTES = 32,
	SEGMENT_BYTES = 28,
	USAGE_NORMAL = 0,
	USAGE_DISCARD = 2,
	USAGE_NONE = 3,
};

static bool decode_target(struct hf_scsi_task *t, struct hf_rd *r, struct scsi_copy_target *target)
{
	uint16_t at = (uint16_t)(r->at - t->buf);
	const uint8_t *d = r->at;

	if (hf_rd_left(r) < TARGET_BYTES)
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	if (d[0] != 0xe4) {
		hf_scsi_sense_field(t, SCSI_ASC_TARGET_DESCRIPTOR, false, at, -1);
		return false;
	}
	hf_rd_take(r, TARGET_BYTES);
	/* LU ID TYPE is ignored in this descriptor (SPC-4, 6.4.4.2). */
	if (d[1] & 0x1f) /* PERIPHERAL DEVICE TYPE: direct access */
		return scsi_list_error(t, (uint16_t)(at + 1), 4);
	if (d[7] > sizeof(target->id))
		return scsi_list_error(t, (uint16_t)(at + 7), -1);
	target->null = d[1] & 0x20;
	target->kind = d[5];
	target->len = d[7];
	memcpy(target->id, d + 8, target->len);
	target->itl = NULL;
	return true;
}

static bool decode_segment(struct hf_scsi_task *t, struct hf_rd *r, struct scsi_copy_segment *s)
{
	uint16_t at = (uint16_t)(r->at - t->buf), len;
	uint8_t type = hf_rd_u8(r), flags = hf_rd_u8(r);

	len = hf_rd_u16(r);
	if (!hf_rd_failed(r) && type != 0x02) {
		hf_scsi_sense_field(t, SCSI_ASC_SEGMENT_DESCRIPTOR, false, at, -1);
		return false;
	}
	s->source = hf_rd_u16(r);
	s->destination = hf_rd_u16(r);
	hf_rd_u16(r);
	s->blocks = hf_rd_u16(r);
	s->source_lba = hf_rd_u64(r);
	s->destination_lba = hf_rd_u64(r);
	if (hf_rd_failed(r))
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	if (len != SEGMENT_BYTES - 4)
		return scsi_list_error(t, (uint16_t)(at + 2), -1);
	s->count_at_destination = flags & 0x02;
	return true;
}

static bool decode_usage(struct hf_scsi_task *t, struct scsi_copy *copy)
{
	uint8_t usage = (t->buf[1] >> 3) & 0x3;

	copy->list_id = t->buf[0];
	copy->remembered = false;
	if (usage == 1 || (usage == USAGE_NONE && copy->list_id))
		return scsi_list_error(t, 1, 4);
	if (usage != USAGE_NORMAL)
		return true;
	if (!scsi_copy_result_begin(t->itl, copy->list_id))
		return scsi_list_error(t, 0, 7); /* this identifier is in use */
	copy->remembered = true;
	return true;
}

/* Segments may be of any type and length until each is looked at, so they are counted as they come.
 */
static bool decode_segments(
	struct hf_scsi_task *t, struct hf_rd *r, uint32_t segments_len, struct scsi_copy *copy)
{
	const uint8_t *end = r->at + segments_len;

	copy->segments_len = 0;
	while (r->at < end) {
		if (copy->segments_len == SCSI_COPY_SEGMENTS_MAX)
			return scsi_illegal(t, SCSI_ASC_TOO_MANY_SEGMENTS);
		if (!decode_segment(t, r, &copy->segments[copy->segments_len]))
			return false;
		copy->segments_len++;
	}
	return r->at == end || scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
}

bool scsi_copy_decode(struct hf_scsi_task *t, struct scsi_copy *copy)
{
	struct hf_rd r = hf_rd_of(t->buf, t->out_len);
	uint16_t targets_len;
	uint32_t segments_len, inline_len;

	hf_rd_u16(&r);
	targets_len = hf_rd_u16(&r);
	hf_rd_u32(&r);
	segments_len = hf_rd_u32(&r);
	inline_len = hf_rd_u32(&r);
	if (hf_rd_failed(&r))
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	if (inline_len)
		return scsi_list_error(t, 12, -1);
	if ((uint64_t)targets_len + segments_len > hf_rd_left(&r) || targets_len % TARGET_BYTES)
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	if (targets_len / TARGET_BYTES > SCSI_COPY_TARGETS_MAX)
		return scsi_illegal(t, SCSI_ASC_TOO_MANY_TARGETS);
	copy->targets_len = targets_len / TARGET_BYTES;
	for (unsigned i = 0; i < copy->targets_len; i++) {
		if (!decode_target(t, &r, &copy->targets[i]))
			return false;
	}
	return decode_segments(t, &r, segments_len, copy) && decode_usage(t, copy);
}
