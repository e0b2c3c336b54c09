/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A race for going on alone (W10, W12): two controllers that do not hear each other agree, over the
 * voting disks, on one of them. A pure machine: an event in, at most one effect out.
 *
 * Each controller writes a record of its own and reads the other's; the agreement is that of Disk
 * Paxos with two. What was decided for an epoch stays decided, whatever crashes: a controller that
 * asks again hears the same. Where the winner has not gone on (it died, or its fence fails), the
 * loser may overrule by a new round. That is not what keeps the data safe: nobody goes on before
 * its fence has worked. The race only keeps two healthy controllers from shooting each other.
 *
 *	read own -> write ballot -> read other -> write ballot and value -> read other -> decided
 *	                 ^-------- later, higher, when the other's ballot is higher -------'
 */
#ifndef HF_FENCE_RACE_H
#define HF_FENCE_RACE_H

#include "base.h"

#define HF_RACE_BYTES 64

/* What a controller has written about a race. */
struct hf_race_part {
	uint64_t epoch; /* of the view record that names both; 0: nothing was ever written */
	uint32_t round;
	uint64_t mbal; /* highest ballot begun */
	uint64_t bal;  /* ballot in which value was accepted; 0: none */
	uint8_t value; /* controller id */
};

void hf_race_part_encode(const struct hf_race_part *p, uint8_t buf[HF_RACE_BYTES]);
int hf_race_part_decode(const uint8_t *buf, size_t len, struct hf_race_part *ret); /* -EBADMSG */

enum hf_race_result {
	HF_RACE_WON,
	HF_RACE_LOST,
	HF_RACE_OVER,	/* the other races for a later epoch: the view record is newer, too */
	HF_RACE_FAILED, /* the voting disks cannot be read or written; nothing is decided by that */
};

enum hf_race_step {
	HF_RACE_IDLE,
	HF_RACE_READ_OWN,
	HF_RACE_WRITE_BALLOT,
	HF_RACE_READ_BALLOT,
	HF_RACE_WRITE_VALUE,
	HF_RACE_READ_VALUE,
	HF_RACE_WAIT,
};

struct hf_race {
	uint8_t id, peer_id;
	enum hf_race_step step;
	uint64_t epoch;
	bool overrule;
	bool inherited; /* its own part was a choice of itself as the race began */
	struct hf_race_part own, peer;
	unsigned attempts;
};

enum hf_race_event_kind {
	HF_RACE_START, /* epoch, overrule; only when IDLE */
	HF_RACE_READ,  /* result: bytes (0: never written) or -errno; buf */
	HF_RACE_WRITTEN,
	HF_RACE_TIMER,
};

struct hf_race_event {
	enum hf_race_event_kind kind;
	uint64_t epoch;
	bool overrule;
	const uint8_t *buf;
	int result;
};

enum hf_race_do {
	HF_RACE_DO_NOTHING,
	HF_RACE_DO_READ_OWN,
	HF_RACE_DO_READ_PEER,
	HF_RACE_DO_WRITE, /* buf */
	HF_RACE_DO_WAIT,  /* wait_ns, then TIMER */
	HF_RACE_DO_TELL,  /* result; IDLE again */
};

struct hf_race_effect {
	enum hf_race_do kind;
	uint8_t buf[HF_RACE_BYTES];
	uint64_t wait_ns;
	enum hf_race_result result;
};

void hf_race_init(struct hf_race *r, uint8_t id, uint8_t peer_id);
struct hf_race_effect hf_race_step(struct hf_race *r, const struct hf_race_event *ev);

#endif
