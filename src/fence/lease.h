/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leases (W11): each controller renews a record of its own on the voting disks, and feeds a
 * watchdog only after a renewal has been written. Who wants to go on without the other waits until
 * that one's watchdog must have reset its machine. A pure machine; the clock comes with each event.
 *
 * How long that is. Say the counter k of the peer was first seen at t, and W is the watchdog's
 * time. The feeding before write k was before t, so the one after it was before t + W, or none
 * came; and the next one needs write k + 1 to be complete. So whoever reads at t + 2 W or later and
 * still finds k knows that the machine has been reset by then: a stopped process is no exception,
 * for nothing is fed without a new write. (A machine that can be paused together with its watchdog
 * is: doc/failure.md.) Then a stated bound passes for what is still in a path to the disks.
 *
 * A controller that has lost the race, or its part's quorum, renews no more until nothing that it
 * admitted is in flight; then it says so (clear_epoch), and whoever goes on need not wait. If it
 * cannot, it is reset.
 *
 * A winner of the race that is overruled may be going on in its next incarnation, which is no
 * member: then nothing but that one's own lease says that it is gone (is_overruled).
 *
 * Any number of others: their records are read one after the other, those of the victims only while
 * there are some. That a counter may be seen later than it was written makes a wait longer, never
 * shorter.
 */
#ifndef HF_FENCE_LEASE_H
#define HF_FENCE_LEASE_H

#include "base.h"
#include "hf_limits.h"

#define HF_LEASE_BYTES 48

struct hf_lease_record {
	uint64_t incarnation;
	uint64_t counter;
	uint64_t clear_epoch; /* nothing admitted in this or an earlier epoch is in flight */
};

void hf_lease_record_encode(const struct hf_lease_record *r, uint8_t buf[HF_LEASE_BYTES]);
int hf_lease_record_decode(
	const uint8_t *buf, size_t len, struct hf_lease_record *ret); /* -EBADMSG */

struct hf_lease {
	uint64_t watchdog_ns, path_ns; /* W; the stated bound for I/O in a path */
	struct hf_lease_record own;    /* as last written, or being written */
	bool losing;		       /* renews no more */
	enum { HF_LEASE_IDLE, HF_LEASE_WRITING, HF_LEASE_READING } step;
	uint32_t others;  /* bit i: controller i has a lease, too; set after hf_lease_init() */
	uint8_t reading;  /* whose record was read last, or is being read */
	uint64_t read_ns; /* the read under way has begun then */
	bool is_early;	  /* ... before the fence was asked for: it ends no wait */
	struct hf_lease_peer {
		bool known;
		struct hf_lease_record record;
		uint64_t changed_ns;	 /* its counter or incarnation was first seen then */
		uint64_t incarnation_ns; /* its incarnation */
	} peers[HF_CONTROLLER_IDS];
	/* the fence */
	uint32_t victims;  /* who may still do something; 0: no fence is wanted */
	bool is_overruled; /* any of them may be going on, not only the incarnations named */
	uint64_t epoch, incarnations[HF_CONTROLLER_IDS];
};

enum hf_lease_event_kind {
	HF_LEASE_TICK, /* every quarter of W */
	HF_LEASE_WRITTEN,
	HF_LEASE_READ,	/* result: bytes or -errno; buf */
	HF_LEASE_FENCE, /* ids: who is to be gone, by incarnations; epoch; is_overruled */
	HF_LEASE_END,	/* of the fence: not needed any more */
	HF_LEASE_LOSE,	/* the race is lost */
	HF_LEASE_CLEAR, /* nothing admitted up to this epoch is in flight; 0: serves again */
};

struct hf_lease_event {
	enum hf_lease_event_kind kind;
	uint64_t now_ns;
	int result;
	const uint8_t *buf;
	uint64_t epoch;
	uint32_t ids;
	const uint64_t *incarnations; /* by id */
	bool is_overruled;
};

/* At most one I/O, and beside it: */
struct hf_lease_effect {
	bool write, read; /* own record, in buf; that of id */
	uint8_t id;
	bool feed;   /* the watchdog */
	bool fenced; /* the victims can do nothing any more */
	uint8_t buf[HF_LEASE_BYTES];
};

void hf_lease_init(
	struct hf_lease *l, uint64_t incarnation, uint64_t watchdog_ns, uint64_t path_ns);
struct hf_lease_effect hf_lease_step(struct hf_lease *l, const struct hf_lease_event *ev);
/* For a decision that the fence puts right: may it have run out; was it renewed after that time? */
bool hf_lease_may_have_run_out(const struct hf_lease *l, uint8_t id, uint64_t now_ns);
bool hf_lease_is_renewed_since(const struct hf_lease *l, uint8_t id, uint64_t since_ns);

#endif
