/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Planted bugs, for the simulator's test of itself (sim/canary.c, doc/simulator.md): each must be
 * found by an oracle. They exist only in a second copy of the objects, compiled with -DHF_CANARY
 * for that test; in every other build HF_PLANTED() is the constant false.
 */
#ifndef HF_CANARY_H
#define HF_CANARY_H

#ifdef HF_CANARY

enum hf_canary {
	HF_CANARY_NONE,
	HF_CANARY_SKIP_DRAIN,
	HF_CANARY_ADMIT_OLD,
	HF_CANARY_SPARE_VICTIMS,
	HF_CANARY_LOSE_ATTENTION,
	HF_CANARY_KEEP_LOGIN,
	HF_CANARY_REPLICA_DIFFERS,
	HF_CANARY_TELL_FAILURE,
	HF_CANARY_GOOD_BEFORE_HELD,
	HF_CANARY_GRANT_FROZEN,
	HF_CANARY_LOOK_EARLY,
	HF_CANARY_ASK_OVERTAKES,
	HF_CANARY_NO_PASS_AFTER_CANCEL,
	HF_CANARY_TURN_UNUSED,
	HF_CANARY_RANGE_ALONE,
	HF_CANARY_RECORD_LAST,
	HF_CANARY_GO_ON_UNFENCED,
	HF_CANARY_FORGET_INCARNATION,
	HF_CANARY_NO_SLOT,
	HF_CANARY_WRONG_EXTENT,
	HF_CANARY_RECORD_CACHED,
	HF_CANARY_FLUSH_ONE_DISK,
	HF_CANARY_FORGET_FUA,
	HF_CANARY_PREEMPT_NO_ABORT,
	HF_CANARY_LEASE_SHORT,
	HF_CANARY_LEASE_CLEAR_EARLY,
	HF_CANARY_LOAD_SHUT_OUT,
	HF_CANARIES
};
extern enum hf_canary hf_canary; /* the one that is planted now */
#define HF_PLANTED(name) (hf_canary == HF_CANARY_##name)

#else
#define HF_PLANTED(name) false
#endif

#endif
