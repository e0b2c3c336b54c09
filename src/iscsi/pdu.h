/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The wire format of iSCSI PDUs (RFC 7143, 11): opcodes, flags, reasons, and the basic header
 * segment decoded into numbers. Pure; used by every file of this folder.
 */
#ifndef HF_ISCSI_PDU_H
#define HF_ISCSI_PDU_H

#include "bytes.h"

enum {
	HF_BHS_BYTES = 48,
	HF_AHS_MAX_BYTES = 64, /* an extended CDB of 32 bytes needs 20 */
	HF_DIGEST_BYTES = 4,
	HF_TAG_NONE = 0xffffffffu, /* reserved task tag */
};

enum hf_iscsi_opcode {
	HF_ISCSI_NOP_OUT = 0x00,
	HF_ISCSI_COMMAND = 0x01,
	HF_ISCSI_TMF = 0x02,
	HF_ISCSI_LOGIN = 0x03,
	HF_ISCSI_TEXT = 0x04,
	HF_ISCSI_DATA_OUT = 0x05,
	HF_ISCSI_LOGOUT = 0x06,
	HF_ISCSI_SNACK = 0x10,
	HF_ISCSI_NOP_IN = 0x20,
	HF_ISCSI_RESPONSE = 0x21,
	HF_ISCSI_TMF_RESPONSE = 0x22,
	HF_ISCSI_LOGIN_RESPONSE = 0x23,
	HF_ISCSI_TEXT_RESPONSE = 0x24,
	HF_ISCSI_DATA_IN = 0x25,
	HF_ISCSI_LOGOUT_RESPONSE = 0x26,
	HF_ISCSI_R2T = 0x31,
	HF_ISCSI_ASYNC = 0x32,
	HF_ISCSI_REJECT = 0x3f,
	HF_ISCSI_OPCODE_MASK = 0x3f,
	HF_ISCSI_IMMEDIATE = 0x40,
};

/* Byte 1. */
enum {
	HF_PDU_FINAL = 0x80,
	HF_PDU_CONTINUE = 0x40, /* text, login */
	HF_PDU_TRANSIT = 0x80,	/* login */
	HF_CMD_READ = 0x40,
	HF_CMD_WRITE = 0x20,
	HF_CMD_ATTR_MASK = 0x07,
	HF_RSP_OVERFLOW = 0x04,
	HF_RSP_UNDERFLOW = 0x02,
	HF_DATA_IN_STATUS = 0x01,
	HF_TMF_FUNCTION_MASK = 0x7f,
	HF_LOGOUT_REASON_MASK = 0x7f,
};

/* Task attributes (RFC 7143, 11.3.1). */
enum hf_iscsi_attr {
	HF_ATTR_UNTAGGED = 0,
	HF_ATTR_SIMPLE = 1,
	HF_ATTR_ORDERED = 2,
	HF_ATTR_HEAD_OF_QUEUE = 3,
	HF_ATTR_ACA = 4,
};

/* Reject reasons (RFC 7143, 11.17.1). */
enum hf_iscsi_reject {
	HF_REJECT_DATA_DIGEST = 0x02,
	HF_REJECT_SNACK = 0x03,
	HF_REJECT_PROTOCOL = 0x04,
	HF_REJECT_NOT_SUPPORTED = 0x05,
	HF_REJECT_IMMEDIATE = 0x06,
	HF_REJECT_IN_PROGRESS = 0x07,
	HF_REJECT_INVALID_FIELD = 0x09,
	HF_REJECT_NO_RESOURCES = 0x0a,
	HF_REJECT_WAITING_LOGOUT = 0x0c,
};

/* A basic header segment as numbers. The words at 20 and up mean different things per opcode. */
struct hf_pdu {
	uint8_t opcode; /* without the immediate bit */
	bool immediate;
	uint8_t flags; /* byte 1 */
	uint8_t byte2, byte3;
	uint32_t ahs_bytes, data_bytes;
	uint64_t lun;	      /* bytes 8-15 */
	uint32_t itt;	      /* 16 */
	uint32_t word20;      /* expected length, target transfer tag, referenced task tag, CID */
	uint32_t cmd_sn;      /* 24 */
	uint32_t exp_stat_sn; /* 28 */
	uint32_t word32;      /* RefCmdSN */
	uint32_t data_sn;     /* 36 */
	uint32_t offset;      /* 40 */
	uint32_t word44;
};

void hf_pdu_decode(struct hf_pdu *ret, const uint8_t bhs[static HF_BHS_BYTES]);

/* Bytes that fill a segment up to a multiple of four. */
static inline uint32_t hf_pdu_pad(uint32_t len)
{
	return -len & 3;
}

/* Digests travel with their least significant byte first (RFC 7143, 13.1). */
static inline void hf_pdu_put_digest(uint8_t *p, uint32_t crc)
{
	memcpy(p, &crc, HF_DIGEST_BYTES);
}

static inline uint32_t hf_pdu_get_digest(const uint8_t *p)
{
	uint32_t crc;

	memcpy(&crc, p, HF_DIGEST_BYTES);
	return crc;
}

/* Serial number arithmetic (RFC 1982) of CmdSN and StatSN. */
static inline bool hf_sn_less(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* The CDB of a command: 16 bytes from the header, the rest from an extended CDB header (11.2.2.3).
 * Returns its length (16 or up to `cap`), -EBADMSG: malformed, -EOPNOTSUPP: too long or
 * bidirectional. */
int hf_pdu_cdb(uint8_t *cdb, size_t cap, const uint8_t *bhs, const uint8_t *ahs, size_t ahs_bytes);

#endif
