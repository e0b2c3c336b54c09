/* SPDX-License-Identifier: BSD-3-Clause */
/* Pages, capacity and answers of a LUN: see iscsi_lun.h. Clauses are of SPC-4 and SBC-3. */
#include "iscsi_lun.h"
#include "bytes.h"
#include "checksum.h"

int hf_remote_decode_inquiry(const void *data, size_t len)
{
	const uint8_t *p = data;

	if (len < 5)
		return -EBADMSG;
	/* PERIPHERAL QUALIFIER 0: there is a device (SPC-4, table 175). */
	if (p[0] >> 5)
		return -ENXIO;
	/* PERIPHERAL DEVICE TYPE 0: direct access block device. */
	return p[0] & 0x1f ? -EMEDIUMTYPE : 0;
}

int hf_remote_decode_capacity10(const void *data, size_t len, struct hf_remote_lun *lun)
{
	struct hf_rd r = hf_rd_of(data, len);
	uint32_t last = hf_rd_u32(&r), block = hf_rd_u32(&r);

	if (hf_rd_failed(&r))
		return -EBADMSG;
	lun->blocks = (uint64_t)last + 1;
	lun->block_bytes = lun->physical_block_bytes = block;
	return 0;
}

/* SBC-3, 5.16.2 */
int hf_remote_decode_capacity16(const void *data, size_t len, struct hf_remote_lun *lun)
{
	struct hf_rd r = hf_rd_of(data, len);
	uint64_t last = hf_rd_u64(&r);
	uint32_t block = hf_rd_u32(&r);
	uint8_t exponent, thin;

	if (hf_rd_failed(&r) || last == UINT64_MAX)
		return -EBADMSG;
	hf_rd_take(&r, 1); /* protection */
	exponent = hf_rd_u8(&r) & 0x0f;
	thin = hf_rd_u8(&r); /* old targets end before this: nothing is thin then */
	lun->blocks = last + 1;
	lun->block_bytes = block;
	lun->physical_block_bytes = block <= 65536 ? block << HF_MIN(exponent, 8) : block;
	lun->is_thin = thin & 0x80;
	lun->zeroes_unmapped = thin & 0x40;
	return 0;
}

/* The body of a vital product data page; NULL: not this page, or cut short. */
static const uint8_t *page_body(const void *data, size_t len, uint8_t page, size_t *ret_len)
{
	const uint8_t *p = data;

	if (len < 4 || p[1] != page)
		return NULL;
	*ret_len = HF_MIN(hf_get_be16(p + 2), len - 4);
	return p + 4;
}

/*
 * SPC-4, 7.8.6. Only designators of the logical unit count (ASSOCIATION 0); those of ports differ
 * from session to session.
 */
int hf_remote_decode_identification(const void *data, size_t len, struct hf_remote_lun *lun)
{
	size_t body_len;
	const uint8_t *p = page_body(data, len, 0x83, &body_len);
	uint64_t digest = 0;

	if (!p)
		return -EBADMSG;
	while (body_len >= 4) {
		size_t n = (size_t)p[3] + 4;

		if (n > body_len)
			return -EBADMSG;
		if (!(p[1] & 0x30))
			digest = hf_digest64(digest, p, n);
		p += n;
		body_len -= n;
	}
	lun->identity = digest;
	return 0;
}

/* SBC-3, 6.6.4 */
int hf_remote_decode_block_limits(const void *data, size_t len, struct hf_remote_lun *lun)
{
	size_t body_len;
	const uint8_t *p = page_body(data, len, 0xb0, &body_len);

	if (!p || body_len < 12)
		return -EBADMSG;
	lun->max_transfer_blocks = hf_get_be32(p + 4);
	if (body_len >= 24)
		lun->max_unmap_blocks = hf_get_be32(p + 16);
	if (body_len >= 40)
		lun->max_write_same_blocks = hf_get_be64(p + 32);
	return 0;
}

/* SBC-3, 6.6.6 */
int hf_remote_decode_provisioning(const void *data, size_t len, struct hf_remote_lun *lun)
{
	size_t body_len;
	const uint8_t *p = page_body(data, len, 0xb2, &body_len);

	if (!p || body_len < 2)
		return -EBADMSG;
	lun->can_unmap = p[1] & 0x80;
	lun->can_write_same_unmap = p[1] & 0x40;
	return 0;
}

static struct hf_remote_verdict illegal_request(unsigned asc_ascq)
{
	switch (asc_ascq >> 8) {
	case 0x20: /* invalid command operation code */
	case 0x24: /* invalid field in CDB */
	case 0x26: /* invalid field in parameter list */
	case 0x1a: /* parameter list length error */
		return (struct hf_remote_verdict){HF_REMOTE_UNKNOWN, -EOPNOTSUPP, false};
	case 0x25: /* logical unit not supported */
		return (struct hf_remote_verdict){HF_REMOTE_GONE, -ENXIO, false};
	default:
		return (struct hf_remote_verdict){HF_REMOTE_FAILED, -EIO, false};
	}
}

static struct hf_remote_verdict check_condition(unsigned key, unsigned asc_ascq)
{
	switch (key) {
	case 0x1: /* RECOVERED ERROR */
		return (struct hf_remote_verdict){HF_REMOTE_GOOD, 0, false};
	case 0x2: /* NOT READY */
	case 0xb: /* ABORTED COMMAND */
		return (struct hf_remote_verdict){HF_REMOTE_LATER_BOUND, -EIO, false};
	case 0x5: /* ILLEGAL REQUEST */
		return illegal_request(asc_ascq);
	case 0x6: /* UNIT ATTENTION; 29: reset, 2F: commands cleared by another initiator */
		return (struct hf_remote_verdict){
			HF_REMOTE_AGAIN, -EIO, asc_ascq >> 8 == 0x29 || asc_ascq >> 8 == 0x2f};
	case 0x7: /* DATA PROTECT; 27/07: a thin unit is out of space */
		return (struct hf_remote_verdict){
			HF_REMOTE_FAILED, asc_ascq == 0x2707 ? -ENOSPC : -EROFS, false};
	default:
		return (struct hf_remote_verdict){HF_REMOTE_FAILED, -EIO, false};
	}
}

struct hf_remote_verdict hf_remote_judge(unsigned status, unsigned key, unsigned asc_ascq)
{
	switch (status) {
	case 0x00: /* GOOD */
	case 0x04: /* CONDITION MET */
		return (struct hf_remote_verdict){HF_REMOTE_GOOD, 0, false};
	case 0x02: /* CHECK CONDITION */
		return check_condition(key, asc_ascq);
	case 0x08: /* BUSY */
	case 0x28: /* TASK SET FULL */
	case 0x30: /* ACA ACTIVE */
		return (struct hf_remote_verdict){HF_REMOTE_LATER, 0, false};
	case 0x40: /* TASK ABORTED: another initiator's reset */
		return (struct hf_remote_verdict){HF_REMOTE_LATER, 0, true};
	case 0x18: /* RESERVATION CONFLICT */
		return (struct hf_remote_verdict){HF_REMOTE_FAILED, -EBADE, false};
	default:
		return (struct hf_remote_verdict){HF_REMOTE_FAILED, -EIO, false};
	}
}
