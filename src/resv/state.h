/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of the reservation machine and the few moves that change it. Private to src/resv.
 *
 * Invariants, checked by hf_resv_check() after every op and on every decoded state:
 *  - registrations ascend strictly by (name, isid, rtpi); no key is 0;
 *  - type 0: nothing is held. Types 1, 3, 5, 6: exactly one registration holds. Types 7, 8: none is
 *    marked (every registrant holds), at least one exists;
 *  - an SPC-2 reservation and registrations exclude each other (scsi-reservations E.7);
 *  - lost or retired: nothing registered, nothing held;
 *  - a sanitize operation has a port that runs it; AUSE says how it failed or may fail.
 * So equal situations have equal encodings, whatever led to them.
 */
#ifndef HF_RESV_STATE_H
#define HF_RESV_STATE_H

#include "base.h"

#include <holdfast/resv.h>

struct registration {
	struct hf_nexus nexus;
	uint64_t key;
	bool holds;  /* types 1, 3, 5, 6 */
	bool doomed; /* false outside of an op; see hf_resv_sweep() */
};

struct hf_resv {
	struct hf_resv_config config;
	uint32_t generation;
	bool aptpl, lost, retired;
	uint8_t attrs;		/* HF_RESV_D_SENSE ... */
	uint16_t sanitize_rtpi; /* not 0 exactly while HF_RESV_SANITIZE is set */
	uint8_t type;		/* enum hf_resv_type, 0: no persistent reservation */
	bool legacy_held;
	struct hf_nexus legacy_holder;
	uint64_t legacy_login;
	/* What the op in progress has changed; no part of the state. */
	bool touched, touched_image;
	unsigned registrations_len;
	unsigned holder_hint; /* where the single holder is most likely; no part of the state */
	struct registration registrations[];
};

/* Back to "nothing registered, nothing reserved"; generation 0. */
void hf_resv_empty(struct hf_resv *r);
bool hf_resv_check(const struct hf_resv *r);

/* The registration of the nexus, NULL when it has none. Valid until the next add or sweep. */
struct registration *hf_resv_find(struct hf_resv *r, const struct hf_nexus *nexus);
const struct registration *hf_resv_find_const(
	const struct hf_resv *r, const struct hf_nexus *nexus);
/* The nexus must not be registered and there must be room. */
struct registration *hf_resv_add(struct hf_resv *r, const struct hf_nexus *nexus, uint64_t key);
void hf_resv_set_key(struct hf_resv *r, struct registration *reg, uint64_t key);
/* Removes every doomed registration; a reservation left without a holder ends. */
void hf_resv_sweep(struct hf_resv *r);

/* The registration that holds under types 1, 3, 5, 6, else NULL. */
const struct registration *hf_resv_single_holder(const struct hf_resv *r);
bool hf_resv_holds(const struct hf_resv *r, const struct registration *reg);
/* type 0 ends the reservation; `holder` counts for the single-holder types only. */
void hf_resv_hold(struct hf_resv *r, uint8_t type, struct registration *holder);
void hf_resv_set_aptpl(struct hf_resv *r, bool aptpl);
void hf_resv_set_legacy(struct hf_resv *r, const struct hf_nexus *holder, uint64_t login);
/* SANITIZE needs a port, everything else none. */
void hf_resv_set_attrs(struct hf_resv *r, uint8_t attrs, uint16_t sanitize_rtpi);
bool hf_resv_attrs_are_valid(uint8_t attrs, uint16_t sanitize_rtpi);
void hf_resv_set_lost(struct hf_resv *r, bool lost);
void hf_resv_count(struct hf_resv *r); /* PRGENERATION + 1 */

/* Persistent reservation types (SPC-5, 6.14.3.4). */
bool hf_resv_type_is_valid(uint8_t type);
bool hf_resv_type_is_all_registrants(uint8_t type); /* 7, 8 */
bool hf_resv_type_admits_registrants(uint8_t type); /* 5, 6, 7, 8 */
bool hf_resv_type_is_write_exclusive(uint8_t type); /* 1, 5, 7: anyone may read */

/* Order of (name, isid, rtpi), names without case: < 0, 0, > 0. */
int hf_nexus_compare(const struct hf_nexus *a, const struct hf_nexus *b);
/* Lower-case name, zeros behind it: equal nexuses get equal bytes. */
void hf_nexus_store(struct hf_nexus *ret, const struct hf_nexus *nexus);
static inline char hf_name_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#define ONES 0x0101010101010101ull

/* Eight letters of a name, in any order of bytes. */
static inline uint64_t hf_name_lower_word(uint64_t x)
{
	uint64_t low = x & 0x7f * ONES;
	uint64_t from_a = low + (0x80 - 'A') * ONES, behind_z = low + (0x7f - 'Z') * ONES;
	uint64_t upper = (from_a ^ behind_z) & ~x & 0x80 * ONES;

	return x | upper >> 2;
}

#endif
