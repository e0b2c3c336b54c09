/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reject PDUs (RFC 7143, 11.17): the offending header goes back with a reason. A host that earns
 * them faster than it reads them is cut off. Pure.
 */
#include "conn.h"

static bool build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	struct hf_reject *r = hf_container_of(tx, struct hf_reject, tx);
	uint8_t *bhs = hf_tx_header(c, HF_ISCSI_REJECT);

	bhs[2] = r->reason;
	hf_put_be32(bhs + 16, HF_TAG_NONE);
	hf_tx_numbers(c, bhs, true);
	hf_tx_finish(c, bhs, r->header, HF_BHS_BYTES, true);
	r->used = false;
	return true;
}

void hf_reject(struct hf_iscsi_conn *c, enum hf_iscsi_reject reason)
{
	c->counters.rejects++;
	c->rx.ignore = true;
	for (size_t i = 0; i < HF_REJECTS_MAX; i++) {
		struct hf_reject *r = &c->rejects[i];

		if (r->used)
			continue;
		r->used = true;
		r->reason = reason;
		r->tx.build = build;
		memcpy(r->header, c->rx.header, HF_BHS_BYTES);
		hf_tx_push(c, &r->tx);
		return;
	}
	hf_conn_close(c, "too many malformed requests");
}

void hf_reject_and_close(struct hf_iscsi_conn *c, enum hf_iscsi_reject reason, const char *why)
{
	hf_reject(c, reason);
	c->why = why;
	c->sending.close_after = true;
}
