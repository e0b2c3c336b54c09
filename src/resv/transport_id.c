/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iSCSI TransportIDs, format 01b: name, ",i,0x", ISID in hex, NUL, zeros up to a multiple of four
 * (scsi-reservations E.3b; spc4r37 7.6.4.6). Format 00b names no single port and is refused.
 */
#include "base.h"
#include "bytes.h"

#include <holdfast/resv.h>

#define HEAD_BYTES	4
#define TEXT_BYTES_MIN	20
#define FORMAT_PROTOCOL 0x45 /* format 01b, iSCSI */
#define FIXED_BITS	0xcf /* of byte 0: FORMAT CODE and PROTOCOL IDENTIFIER */
#define SEPARATOR	",i,0x"
#define SEPARATOR_BYTES 5
#define ISID_DIGITS	12

size_t hf_transport_id_encode(const struct hf_port_id *id, uint8_t buf[HF_TRANSPORT_ID_MAX])
{
	static const char digits[] = "0123456789abcdef";
	struct hf_wr w = hf_wr_of(buf, HF_TRANSPORT_ID_MAX);
	size_t name_len = strnlen(id->name, HF_RESV_NAME_SIZE - 1);
	size_t text = name_len + SEPARATOR_BYTES + ISID_DIGITS;
	size_t padded = HF_MAX(HF_ROUND_UP(text + 1, 4), TEXT_BYTES_MIN);
	char isid[ISID_DIGITS];

	for (unsigned i = 0; i < ISID_DIGITS; i++)
		isid[i] = digits[id->isid >> 4 * (ISID_DIGITS - 1 - i) & 0xf];
	hf_wr_u16(&w, FORMAT_PROTOCOL << 8);
	hf_wr_u16(&w, (uint16_t)padded);
	hf_wr_bytes(&w, id->name, name_len);
	hf_wr_bytes(&w, SEPARATOR, SEPARATOR_BYTES);
	hf_wr_bytes(&w, isid, sizeof(isid));
	hf_wr_zero(&w, padded - text);
	hf_assert(!hf_wr_failed(&w));
	return hf_wr_len(&w);
}

/* Where the last separator starts; NULL when there is none. */
static const char *find_separator(const char *text, size_t len)
{
	for (size_t i = len; i >= SEPARATOR_BYTES; i--)
		if (!memcmp(text + i - SEPARATOR_BYTES, SEPARATOR, SEPARATOR_BYTES))
			return text + i - SEPARATOR_BYTES;
	return NULL;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One to twelve digits: some initiators drop leading zeros. */
static int decode_isid(const char *text, size_t len, uint64_t *ret)
{
	uint64_t isid = 0;

	if (!len || len > ISID_DIGITS)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		int v = hex_value(text[i]);

		if (v < 0)
			return -EBADMSG;
		isid = isid << 4 | (unsigned)v;
	}
	*ret = isid;
	return 0;
}

int hf_transport_id_decode(const uint8_t *buf, size_t len, struct hf_port_id *ret, size_t *ret_size)
{
	struct hf_rd r = hf_rd_of(buf, len);
	uint8_t head = hf_rd_u8(&r);
	const char *text, *separator;
	size_t additional, text_len;
	uint64_t isid;

	hf_rd_u8(&r);
	additional = hf_rd_u16(&r);
	text = (const char *)hf_rd_take(&r, additional);
	if (hf_rd_failed(&r) || (head & FIXED_BITS) != FORMAT_PROTOCOL)
		return -EBADMSG;
	if (additional < TEXT_BYTES_MIN || additional % 4)
		return -EBADMSG;
	/* The first NUL ends the text, whatever follows; without one it has been cut. */
	text_len = strnlen(text, additional);
	separator = text_len < additional ? find_separator(text, text_len) : NULL;
	if (!separator)
		return -EBADMSG;
	if (decode_isid(separator + SEPARATOR_BYTES,
		    (size_t)(text + text_len - separator) - SEPARATOR_BYTES, &isid))
		return -EBADMSG;
	if (hf_port_id_set(ret, text, (size_t)(separator - text), isid))
		return -EBADMSG;
	*ret_size = HEAD_BYTES + additional;
	return 0;
}
