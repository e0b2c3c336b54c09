/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the pair machine share: one step in progress. Nobody else includes this.
 *
 *	pair.c		events, the view, time
 *	pair_recv.c	messages
 *	pair_claim.c	the pending op: claim, hold, settle, cancel, stop
 *	pair_pick.c	a stopped device, and the operator's pick
 *	pair_queue.c	what waits: evaluation at the head, freeze, expiry
 */
#ifndef HF_PAIR_INT_H
#define HF_PAIR_INT_H

#include "pair.h"

struct step {
	struct hf_pair_dev *d;
	uint64_t now;
	struct hf_pair_update *u;
};

/* pair.c */
struct hf_pair_effect *pair_emit(struct step *s, enum hf_pair_do kind);
void pair_send(struct step *s, enum hf_pair_msg_kind kind, uint64_t n, bool flag, uint16_t reason);
void pair_send_ask(struct step *s);
void pair_note(struct step *s, const char *note);
uint64_t pair_doubt_at(const struct hf_pair_dev *d);
bool pair_is_stuck(const struct hf_pair_dev *d, uint64_t now);

/* pair_recv.c */
void pair_receive(struct step *s, const struct hf_pair_msg *m);

/* pair_claim.c */
struct hf_bus_prop *pair_head(const struct hf_pair_dev *d);
void pair_claim_mine(struct step *s, bool persist);
void pair_claim_theirs(struct step *s, const struct hf_pair_msg *m, bool persist);
void pair_let_go(struct step *s); /* UNHOLD; claim FREE; a proposed op stays at the head */
void pair_answer(struct step *s, struct hf_bus_prop *p, enum hf_bus_answer how);
void pair_apply(struct step *s);
void pair_applied(struct step *s);
void pair_cancel(struct step *s);
void pair_cancelled(struct step *s);
void pair_stop(struct step *s, enum hf_pair_stop why, bool tell);
void pair_progress(struct step *s); /* what the pending op can do now */

/* pair_pick.c */
void pair_pick(struct step *s);
void pair_pick_done(struct step *s, uint64_t n, int result);
void pair_pick_receive(struct step *s, const struct hf_pair_msg *m);
void pair_pick_abort(struct step *s, int result); /* if one is under way */
void pair_pick_expire(struct step *s);
void pair_newcomer_stops(struct step *s, enum hf_pair_stop why);
void pair_resume(struct step *s); /* tells the owner, if the device is stopped no more */

/* pair_queue.c */
void pair_serve_queue(struct step *s);

#endif
