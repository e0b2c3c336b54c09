/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the reservation tests share: nexuses by short names, operations in one line, outcomes and
 * states as text, and an apply that checks on every step what must hold for any op.
 *
 * A nexus is written "B2": initiator port B through target port 2. A state is written
 * "g3 A1=1 B2=2* t5 aptpl": PRGENERATION 3, two registrations with keys 1 and 2, B2 holds type 5.
 */
#ifndef HF_TEST_RESV_KIT_H
#define HF_TEST_RESV_KIT_H

#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

#include <holdfast/resv.h>

#define KIT_TEXT_MAX 16384

/* Two target ports, 1 and 2, unless `ports` says more; room for `max` registrations. */
struct hf_resv *kit_create(unsigned ports, unsigned max);

struct hf_port_id kit_port_id(char initiator);
struct hf_nexus kit_nexus(const char *name);
/* "B2"; "?" for a nexus that is none of these. */
void kit_nexus_name(const struct hf_nexus *nexus, char ret[4]);

/* hf_resv_apply() and what holds for every op: see kit.c. Fails the test on a violation. */
void kit_apply(struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out);

/* "GOOD", "CONFLICT", "5/26/00". */
const char *kit_verdict(const struct hf_resv_verdict *v);
/* "abort B1 2f00, B1 2a05"; an abort that leaves 2F/00 behind says so; "*" is every nexus,
 * "-A1" every one but that; "drain *" waits for what is under way. */
const char *kit_effects(const struct hf_resv_outcome *out);
const char *kit_state(const struct hf_resv *r);

enum {
	APTPL = 1,
	ALL_TG_PT = 2,
	UNREG = 4,
	SPEC_I_PT = 8,
};

/* One step of a story. NULL: verdict GOOD, no effects, state not looked at. */
struct kit_step {
	enum hf_resv_kind kind;
	const char *who; /* "A1"; "@1": target port 1 itself */
	uint64_t rk, sark;
	uint8_t type, scope;
	unsigned flags;
	const char
		*ids; /* SPEC_I_PT: initiators, "BC"; REGISTER AND MOVE: destination nexus, "B2" */
	uint64_t login;
	uint8_t attrs, attrs_mask;
	const char *verdict, *effects, *state;
};

struct hf_resv_op kit_op(const struct kit_step *s);
/* Runs the steps until one without a kind; prints the step that is not as told. */
void kit_run(struct hf_resv *r, const struct kit_step *steps);
/* The same on a fresh state with two ports. */
void kit_story(const struct kit_step *steps);

#endif
