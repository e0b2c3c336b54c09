/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fencing by persistent reservations, on one disk: which commands, and what their answers mean. A
 * pure machine; pr_disks.c runs one per disk.
 *
 * The disk bears a reservation of type 8 (Exclusive Access - All Registrants), which shuts out
 * reads, too; each controller is registered under a key of its own for this incarnation. To fence
 * is to PREEMPT AND ABORT every other key found there: the disk carries that out one after the
 * other, so of two controllers that do it at once one finds itself gone. That is race and fence in
 * one. With more than two controllers the part that has quorum takes away the registrations of
 * those who are missing (and of strangers), by the controller id that every key contains.
 *
 *	ENTER	probe -> REGISTER AND IGNORE EXISTING KEY -> RESERVE; once per incarnation
 *	FENCE	READ KEYS -> PREEMPT AND ABORT, until nobody else (but who is spared) is there
 *		-> RESERVE
 *	TAKE_BACK  REGISTER AND IGNORE EXISTING KEY -> as FENCE. Only for who has won the race and
 *		stands in the view record alone (doc/decisions/0005)
 *	LOOK	READ KEYS: is this controller still registered? -ENOENT: nobody is, so the disk has
 *		forgotten it
 *	LEAVE	REGISTER with key 0. The reservation ends with the last registration: who has shut
 *		somebody out keeps its own where no controller with a lower id is registered (READ
 *		KEYS): of several that leave at once one stays
 */
#ifndef HF_FENCE_PR_H
#define HF_FENCE_PR_H

#include "base.h"

enum {
	HF_PR_TYPE = 8,
	HF_PR_LIST_BYTES = 24, /* PERSISTENT RESERVE OUT parameter list */
	HF_PR_DATA_BYTES = 4096,
};

/* Never 0, another for each incarnation, alike in the upper half for a whole cluster. */
uint64_t hf_pr_key(const char *cluster, uint8_t id, uint64_t incarnation);
/* ... by the key of another controller of the cluster. */
uint64_t hf_pr_key_beside(uint64_t other, uint8_t id, uint64_t incarnation);

enum hf_pr_job { HF_PR_ENTER, HF_PR_FENCE, HF_PR_LOOK, HF_PR_LEAVE, HF_PR_TAKE_BACK };

enum hf_pr_step {
	HF_PR_IDLE,
	HF_PR_PROBE_TYPES,
	HF_PR_PROBE_ABORT,
	HF_PR_REGISTER,
	HF_PR_RESERVE,
	HF_PR_READ_KEYS,
	HF_PR_PREEMPT,
	HF_PR_UNREGISTER,
};

struct hf_pr {
	uint64_t key;
	enum hf_pr_job job;
	enum hf_pr_step step;
	bool no_aptpl; /* the disk does not keep registrations over a loss of its power */
	/* FENCE: bit i: registrations of controller i of this cluster stay; 0: nobody's do */
	uint32_t spare;
	/* TAKE_BACK: who has lost; registrations of its controller's other incarnations stay; 0:
	 * not known, nobody's do */
	uint64_t victim;
	bool keeps_out; /* LEAVE: somebody was shut out who may still run */
	unsigned rounds;
};

/* A command to the disk, or the end. */
struct hf_pr_effect {
	bool done;
	/*
	 * done: 0; -EBADE: this controller's registration is gone: it has been fenced, or, while
	 * entering, somebody else has reserved the disk; -EOPNOTSUPP: the disk cannot be used for
	 * this, why says what it lacks; else the disk failed.
	 */
	int result;
	const char *why; /* of -EOPNOTSUPP and -EBADE while entering; a constant */
	bool out;
	uint8_t action, type;
	size_t len; /* OUT: of list; IN: how much to read */
	uint8_t list[HF_PR_LIST_BYTES];
};

void hf_pr_init(struct hf_pr *p, uint64_t key);
struct hf_pr_effect hf_pr_start(struct hf_pr *p, enum hf_pr_job job);
/* The answer: result as in struct hf_pdev_pr; data, len: what PERSISTENT RESERVE IN has given. */
struct hf_pr_effect hf_pr_answer(struct hf_pr *p, int result, const uint8_t *data, size_t len);
/* In its place: nobody wants the job any more. It ends here, with -ECANCELED. */
struct hf_pr_effect hf_pr_abandon(struct hf_pr *p);

#endif
