/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text negotiation in full feature phase (RFC 7143, 11.10, 11.11): requests put together over the
 * C bit, SendTargets, answers cut to what the initiator takes. hf_text_answer() is pure.
 */
#ifndef HF_ISCSI_TEXT_H
#define HF_ISCSI_TEXT_H

#include "keys.h"

struct hf_text {
	bool busy;    /* a negotiation runs */
	uint32_t itt; /* whose */
	uint32_t ttt; /* of our last answer, HF_TAG_NONE: the negotiation is over with it */
	bool final;   /* the initiator has said all it has to say */
	size_t in_len, out_len, out_at;
	char in[HF_TEXT_IN_MAX];
	uint8_t out[HF_TEXT_OUT_MAX];
};

/* Answers the text of in[0 .. in_len). 0; -EBADMSG: it is no text. */
int hf_text_answer(
	struct hf_text *t, const struct hf_iscsi_config *config, struct hf_iscsi_params *params);

#endif
