/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CHAP (RFC 1994 as used by RFC 7143, 12.1.3; algorithms 7 and 8 by the IANA registry), target
 * side. A machine of three steps, driven by login.c. Pure but for libcrypto; randomness comes in.
 */
#ifndef HF_ISCSI_CHAP_H
#define HF_ISCSI_CHAP_H

#include "keys.h"

enum {
	HF_CHAP_CHALLENGE_BYTES = 32,
	HF_CHAP_DIGEST_MAX = 32,
	HF_CHAP_THEIRS_MAX = 1024, /* an initiator's challenge (RFC 7143, 12.1.3) */
	HF_CHAP_RANDOM_BYTES = HF_CHAP_CHALLENGE_BYTES + 1,
};

enum hf_chap_state {
	HF_CHAP_IDLE,
	HF_CHAP_WAIT_ALGORITHMS, /* AuthMethod=CHAP answered */
	HF_CHAP_WAIT_RESPONSE,	 /* challenge sent */
	HF_CHAP_PROVEN,
};

struct hf_chap {
	enum hf_chap_state state;
	int algorithm; /* CHAP_A */
	uint8_t id;
	uint8_t challenge[HF_CHAP_CHALLENGE_BYTES];
	bool mutual;
};

/* The pairs of one login step; NULL: not there. */
struct hf_chap_keys {
	const char *a, *i, *c, *n, *r;
};

/* Whether libcrypto has algorithm 5 MD5, 6 SHA-1, 7 SHA-256 or 8 SHA3-256. */
bool hf_chap_has_algorithm(int algorithm);
/* Length of the response, or -ENOTSUP. */
int hf_chap_digest(int algorithm, uint8_t id, const char *secret, const uint8_t *challenge,
	size_t challenge_len, uint8_t ret[static HF_CHAP_DIGEST_MAX]);

void hf_chap_init(struct hf_chap *chap, const uint8_t random[static HF_CHAP_RANDOM_BYTES]);
/*
 * One step. account: what the initiator has to prove; mutual: what this target proves when asked,
 * NULL if it cannot. False: authentication has failed, nothing in `out` counts. True with
 * chap->state == HF_CHAP_PROVEN: the initiator is who it says.
 */
bool hf_chap_step(struct hf_chap *chap, const struct hf_iscsi_chap_account *account,
	const struct hf_iscsi_chap_account *mutual, const struct hf_chap_keys *keys,
	struct hf_wr *out);

#endif
