/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The login phase (RFC 7143, 6.3): a step per login request, PDU and text in, status, flags and
 * text out. Pure. conn_login.c feeds it and sends what it says.
 *
 *	  CSG 0 Security --(proven or not needed)--> CSG 1 Operational --> full feature phase
 *	     \____________________________________________________________/
 */
#ifndef HF_ISCSI_LOGIN_H
#define HF_ISCSI_LOGIN_H

#include "chap.h"
#include "keys.h"
#include "pdu.h"

/* Status-Class << 8 | Status-Detail (RFC 7143, 11.13.5). */
enum hf_login_status {
	HF_LOGIN_SUCCESS = 0x0000,
	HF_LOGIN_INITIATOR_ERROR = 0x0200,
	HF_LOGIN_AUTH_FAILED = 0x0201,
	HF_LOGIN_FORBIDDEN = 0x0202,
	HF_LOGIN_NOT_FOUND = 0x0203,
	HF_LOGIN_VERSION = 0x0205,
	HF_LOGIN_MISSING = 0x0207,
	HF_LOGIN_SESSION_TYPE = 0x0209,
	HF_LOGIN_NO_SESSION = 0x020a,
	HF_LOGIN_NO_RESOURCES = 0x0302,
};

/* For people. */
const char *hf_login_status_text(enum hf_login_status status);

enum hf_login_next {
	HF_LOGIN_REPLY,	   /* send the answer and wait for the next request */
	HF_LOGIN_COMPLETE, /* agreed: admit the session, then send the answer */
	HF_LOGIN_FAIL,	   /* send the answer with `status`, then close */
};

enum {
	HF_LOGIN_STEPS_MAX = 32, /* requests until full feature phase */
	HF_LOGIN_RANDOM_BYTES = HF_CHAP_RANDOM_BYTES,
};

struct hf_login {
	const struct hf_iscsi_config *config; /* kept */
	struct hf_iscsi_params params;
	struct hf_chap chap;
	/* From the first request; the same in all that follow. */
	bool begun, named, security_entered;
	uint64_t isid;
	uint32_t itt;
	uint16_t cid;
	uint8_t stage; /* CSG */
	bool declared; /* our MaxRecvDataSegmentLength has been sent */
	char initiator[HF_ISCSI_NAME_MAX + 1];
	char alias[HF_NAME_MAX + 1];
	bool none_ok; /* AuthMethod=None is good enough for this initiator */
	const struct hf_iscsi_chap_account *account;
	const char *auth; /* "None", "CHAP", "CHAP mutual"; for people */
	unsigned steps;
	/* Text of one step, put together over the C bit; one byte more so that it can end in NUL.
	 */
	char in[HF_TEXT_IN_MAX];
	size_t in_len;
	/* The answer. */
	enum hf_login_status status;
	uint8_t flags; /* byte 1 */
	uint8_t out[HF_TEXT_OUT_MAX];
	size_t out_len;
};

void hf_login_init(struct hf_login *l, const struct hf_iscsi_config *config,
	const uint8_t random[static HF_LOGIN_RANDOM_BYTES]);
enum hf_login_next hf_login_step(struct hf_login *l, const struct hf_pdu *pdu, const void *data);

/* Shared with login_keys.c: the pairs of one step, sorted out. */
struct hf_login_keys {
	const char *auth_method;
	const char *initiator, *target, *type, *alias;
	struct hf_chap_keys chap;
};
/* Reads l->in, negotiates the operational keys into `out`. */
enum hf_login_status hf_login_read_keys(
	struct hf_login *l, struct hf_login_keys *ret, struct hf_wr *out);
/* Who it is and what it has to prove; first request only. */
enum hf_login_status hf_login_identify(struct hf_login *l, const struct hf_login_keys *keys);

#endif
