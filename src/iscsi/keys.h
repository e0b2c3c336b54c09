/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text of login and text requests (RFC 7143, 6.1): key=value pairs, numbers, binary values, and
 * the operational parameters with their result functions (13). Pure; used by login.c, chap.c and
 * text.c.
 */
#ifndef HF_ISCSI_KEYS_H
#define HF_ISCSI_KEYS_H

#include "bytes.h"
#include "iscsi.h"

enum {
	HF_KEY_NAME_MAX = 63,	/* bytes in a key name */
	HF_KEYS_MAX = 64,	/* pairs in one negotiation step */
	HF_TEXT_IN_MAX = 16384, /* bytes of one step, continuations together */
	HF_TEXT_OUT_MAX = 8192,
	HF_LOGIN_SEGMENT_MAX = 8192, /* MaxRecvDataSegmentLength before anyone said otherwise */
	HF_R2T_MAX = 4,		     /* MaxOutstandingR2T offered */
};

/* One pair, in place: both strings end in NUL. */
struct hf_key {
	const char *name;
	const char *value;
};

/* The next pair of a text: 1 and *ret, 0 at the end, -EBADMSG: no '=', no NUL, name too long. The
 * text is changed ('=' becomes NUL). */
int hf_keys_next(char **at, char *end, struct hf_key *ret);

void hf_keys_put(struct hf_wr *w, const char *name, const char *value);
void hf_keys_put_number(struct hf_wr *w, const char *name, uint32_t value);
/* As 0x and two digits per byte. */
void hf_keys_put_binary(struct hf_wr *w, const char *name, const void *value, size_t len);

/* Decimal or 0x. -EINVAL: no number; -ERANGE: outside min .. max. */
int hf_keys_number(const char *value, uint32_t min, uint32_t max, uint32_t *ret);
/* 0x digits or 0b base64: length of the value, -EINVAL: malformed, -ERANGE: more than cap. */
int hf_keys_binary(const char *value, uint8_t *buf, size_t cap);
/* Whether `item` stands in the comma-separated list. */
bool hf_keys_list_has(const char *list, const char *item);
/* Copies item number `index` of the list; false: there is none. A longer item becomes "". */
bool hf_keys_list_item(const char *list, unsigned index, char *item, size_t cap);

/* An iSCSI name, lowered: iqn., eui., naa.; letters, digits, '-', '.', ':' and bytes from 80h on.
 * -EINVAL. */
int hf_keys_iscsi_name(const char *value, char name[static HF_ISCSI_NAME_MAX + 1]);

/* What both sides agreed on, or the defaults of RFC 7143, 13. */
struct hf_iscsi_params {
	bool header_digest, data_digest;
	bool initial_r2t, immediate_data;
	bool discovery;
	uint32_t max_send_bytes; /* the initiator's MaxRecvDataSegmentLength */
	uint32_t max_recv_bytes; /* our own: what it may send */
	uint32_t max_burst_bytes, first_burst_bytes;
	uint32_t max_outstanding_r2t;
	uint32_t time2wait, time2retain;
	uint64_t seen; /* keys negotiated so far, a bit each: none may come twice in a login */
};

enum hf_keys_result {
	HF_KEYS_OK,
	HF_KEYS_UNKNOWN, /* not an operational key: nothing was done */
	HF_KEYS_ERROR,	 /* the negotiation has failed */
};

void hf_params_init(struct hf_iscsi_params *p);
/* One operational key in login; writes the answer where one is due. */
enum hf_keys_result hf_params_negotiate(struct hf_iscsi_params *p,
	const struct hf_iscsi_config *config, const struct hf_key *key, struct hf_wr *out);
/* One in full feature phase: only MaxRecvDataSegmentLength may change. */
enum hf_keys_result hf_params_renegotiate(
	struct hf_iscsi_params *p, const struct hf_key *key, struct hf_wr *out);
#endif
