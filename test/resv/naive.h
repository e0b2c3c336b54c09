/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A second, naive model of all reservations of one logical unit, to compare the reservation machine
 * with. Written from scsi-reservations alone; shares no code and no data structure with src/resv.
 * Initiators and ports are small numbers, a registration is a non-zero key in a matrix, every rule
 * is spelled out where it applies. No attempt at speed.
 */
#ifndef HF_TEST_RESV_NAIVE_H
#define HF_TEST_RESV_NAIVE_H

#include <stdbool.h>
#include <stdint.h>

#define NAIVE_INITIATORS 5
/* numbered from 1 on the outside, from 0 in here */
#ifndef NAIVE_PORTS
#define NAIVE_PORTS 4
#endif

/* No padding: compared and hashed as bytes. */
struct naive {
	uint64_t key[NAIVE_INITIATORS][NAIVE_PORTS];
	int initiators, ports, room; /* constants */
	uint32_t generation;
	int type;		  /* 0: no persistent reservation */
	int holder, holder_port;  /* types 1, 3, 5, 6; else 0 */
	int aptpl, lost, retired; /* booleans */
	int legacy;		  /* boolean */
	int legacy_holder, legacy_port;
	uint32_t legacy_login;
	int mode;				 /* bits 0 to 2 */
	int sanitizes;				 /* boolean */
	int sanitize_port;			 /* while it runs, else 0 */
	int sanitize_failed, sanitize_excusable; /* booleans */
	int pad;
};

/* Kinds as numbers of their own: the service action, or one of these. */
enum naive_kind {
	NAIVE_REGISTER = 0,
	NAIVE_RESERVE = 1,
	NAIVE_RELEASE = 2,
	NAIVE_CLEAR = 3,
	NAIVE_PREEMPT = 4,
	NAIVE_PREEMPT_ABORT = 5,
	NAIVE_REGISTER_IGNORE = 6,
	NAIVE_REGISTER_MOVE = 7,
	NAIVE_REPLACE_LOST = 8,
	NAIVE_LEGACY_RESERVE,
	NAIVE_LEGACY_RELEASE,
	NAIVE_READ,
	NAIVE_NEXUS_LOSS,
	NAIVE_LU_RESET,
	NAIVE_PEER_REMOVED,
	NAIVE_BREAK,
	NAIVE_RETIRE,
	NAIVE_INFO_LOST,
	/* A host's: */
	NAIVE_MODE_SELECT, /* sark: the new mode bits */
	NAIVE_SANITIZE,	   /* aptpl: with AUSE=1 */
	NAIVE_EXIT_FAILURE,
	/* That of the controller at `port`: */
	NAIVE_SANITIZED, /* aptpl: without success */
	NAIVE_KINDS
};

struct naive_op {
	enum naive_kind kind;
	int initiator, port; /* the sender */
	uint32_t login;
	uint64_t rk, sark;
	int scope, type;
	bool spec_i_pt, all_tg_pt, aptpl, unreg;
	int listed[4], listed_count; /* SPEC_I_PT: initiators */
	int to, to_port;	     /* REGISTER AND MOVE; to_port may be no port */
};

struct naive_result {
	int status;		  /* SAM status code */
	int sense_key, asc, ascq; /* CHECK CONDITION */
	/* What each nexus is told and whether its tasks are aborted; counts, to see repeats. */
	int told_2a03[NAIVE_INITIATORS][NAIVE_PORTS];
	int told_2a04[NAIVE_INITIATORS][NAIVE_PORTS];
	int told_2a05[NAIVE_INITIATORS][NAIVE_PORTS];
	int aborted[NAIVE_INITIATORS][NAIVE_PORTS];
	bool others_told_2a01; /* everyone but the sender */
	bool drained;	       /* what is under way for anyone ends first, what comes waits */
	bool everybody_reset;  /* all tasks aborted, 29/03 for all */
};

void naive_apply(struct naive *n, const struct naive_op *op, struct naive_result *ret);

/* May the nexus send a command of class 0 free, 1 status, 2 read, 3 write (E.6, E.7)? */
bool naive_may(const struct naive *n, int initiator, int port, uint32_t login, int class);

/* Would the stored image differ? */
bool naive_same_image(const struct naive *a, const struct naive *b);

#endif
