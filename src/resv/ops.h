/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One function per kind of operation, called by hf_resv_apply() only. Each decides first and then
 * changes r: on any verdict but GOOD r is as before and no effect has been added. What all ops of a
 * family have in common (lost, SPC-2 reservation, RESERVATION KEY, PRGENERATION) is
 * hf_resv_apply()'s.
 */
#ifndef HF_RESV_OPS_H
#define HF_RESV_OPS_H

#include "state.h"
#include "verdict.h"

typedef struct hf_resv_verdict hf_resv_op_fn(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out);

hf_resv_op_fn hf_resv_op_legacy_reserve, hf_resv_op_legacy_release;
hf_resv_op_fn hf_resv_op_nexus_loss, hf_resv_op_peer_removed;
hf_resv_op_fn hf_resv_op_lu_reset, hf_resv_op_break, hf_resv_op_retire, hf_resv_op_info_lost;
hf_resv_op_fn hf_resv_op_read;
hf_resv_op_fn hf_resv_op_attrs;
hf_resv_op_fn hf_resv_op_register; /* REGISTER AND IGNORE EXISTING KEY too */
hf_resv_op_fn hf_resv_op_reserve, hf_resv_op_release, hf_resv_op_clear;
hf_resv_op_fn hf_resv_op_preempt; /* PREEMPT AND ABORT too */
hf_resv_op_fn hf_resv_op_register_move, hf_resv_op_replace_lost;

/* GOOD, or what an invalid TYPE or SCOPE of the CDB gets (scsi-reservations E.2). */
struct hf_resv_verdict hf_resv_check_type(const struct hf_resv_op *op);

void hf_outcome_abort(struct hf_resv_outcome *out, const struct hf_nexus *nexus, bool tas_ua);
void hf_outcome_drain(struct hf_resv_outcome *out); /* every nexus */
/* For every nexus but `except`. */
void hf_outcome_attention_others(
	struct hf_resv_outcome *out, const struct hf_nexus *except, uint16_t asc_ascq);
void hf_outcome_attention(
	struct hf_resv_outcome *out, const struct hf_nexus *nexus, uint16_t asc_ascq);
/* For every registrant but `except` (NULL: for all). */
void hf_outcome_attention_registrants(struct hf_resv_outcome *out, const struct hf_resv *r,
	const struct hf_nexus *except, uint16_t asc_ascq);

#endif
