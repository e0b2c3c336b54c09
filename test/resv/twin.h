/* SPDX-License-Identifier: BSD-3-Clause */
/* The reservation machine and the naive model side by side: one op to both, everything compared. */
#ifndef HF_TEST_RESV_TWIN_H
#define HF_TEST_RESV_TWIN_H

#include "naive.h"

#include <holdfast/resv.h>

struct twin {
	struct hf_resv *r;
	struct naive n;
};

#define TWIN_LOGINS 2 /* logins in use: 1 .. TWIN_LOGINS */

void twin_init(struct twin *t, int initiators, int ports, int room);
void twin_fini(struct twin *t);
void twin_copy(struct twin *dst, const struct twin *src);

struct hf_nexus twin_nexus(int initiator, int port);
struct hf_resv_op twin_op(const struct naive_op *op);

/* NULL, or in words what differs: verdict, state, effects, changed, persist. */
const char *twin_step(struct twin *t, const struct naive_op *op);
/* NULL, or what differs in admission: every nexus, login and class, the stranger's too. */
const char *twin_admission(const struct twin *t);

/* To say where it was. */
void twin_print_op(const struct naive_op *op);

#endif
