/* SPDX-License-Identifier: BSD-3-Clause */
/* Decodes basic and additional header segments. Pure; never looks past the lengths given. */
#include "pdu.h"

void hf_pdu_decode(struct hf_pdu *ret, const uint8_t bhs[static HF_BHS_BYTES])
{
	ret->opcode = bhs[0] & HF_ISCSI_OPCODE_MASK;
	ret->immediate = bhs[0] & HF_ISCSI_IMMEDIATE;
	ret->flags = bhs[1];
	ret->byte2 = bhs[2];
	ret->byte3 = bhs[3];
	ret->ahs_bytes = bhs[4] * 4u;
	ret->data_bytes = hf_get_be24(bhs + 5);
	ret->lun = hf_get_be64(bhs + 8);
	ret->itt = hf_get_be32(bhs + 16);
	ret->word20 = hf_get_be32(bhs + 20);
	ret->cmd_sn = hf_get_be32(bhs + 24);
	ret->exp_stat_sn = hf_get_be32(bhs + 28);
	ret->word32 = hf_get_be32(bhs + 32);
	ret->data_sn = hf_get_be32(bhs + 36);
	ret->offset = hf_get_be32(bhs + 40);
	ret->word44 = hf_get_be32(bhs + 44);
}

/* Additional header segment types. */
enum {
	AHS_EXTENDED_CDB = 1,
	AHS_BIDI_READ_LENGTH = 2,
};

int hf_pdu_cdb(uint8_t *cdb, size_t cap, const uint8_t *bhs, const uint8_t *ahs, size_t ahs_bytes)
{
	struct hf_rd r = hf_rd_of(ahs, ahs_bytes);
	size_t len = 16;

	memset(cdb, 0, cap);
	memcpy(cdb, bhs + 32, 16);
	while (hf_rd_left(&r)) {
		/* AHSLength counts the bytes after its type, without the padding. */
		uint16_t length = hf_rd_u16(&r);
		uint8_t type = hf_rd_u8(&r) & 0x3f;
		const uint8_t *body = hf_rd_take(&r, length);

		if (hf_rd_failed(&r) || length == 0)
			return -EBADMSG;
		hf_rd_take(&r, HF_MIN(hf_pdu_pad(length + 3u), hf_rd_left(&r)));
		if (type == AHS_BIDI_READ_LENGTH)
			return -EOPNOTSUPP;
		if (type != AHS_EXTENDED_CDB || len != 16)
			return -EBADMSG;
		/* One reserved byte, then the CDB from byte 16 on. */
		if (length - 1u > cap - 16)
			return -EOPNOTSUPP;
		memcpy(cdb + 16, body + 1, length - 1u);
		len = 16 + length - 1u;
	}
	return (int)len;
}
