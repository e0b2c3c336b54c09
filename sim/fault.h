/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files of the faults: fault.c, fault_net.c, operator.c, words.c. */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include "sim.h"

enum sim_fault {
	FAULT_CUT,
	FAULT_CUT_ONE_WAY,
	FAULT_CUT_LINK,
	FAULT_FLAP,
	FAULT_RESET,
	FAULT_SLOW_NET,
	FAULT_PAUSE,
	FAULT_PROCESS,
	FAULT_MACHINE,
	FAULT_BOTH,
	FAULT_LEAVE,
	FAULT_EIO,
	FAULT_SLOW_DISK,
	FAULT_HANG_DISK,
	FAULT_TORN,
	FAULT_MISDIRECT,
	FAULT_LOSE,
	FAULT_LOGOUT,
	FAULT_SLOW_LOOPS,
	FAULT_PEER_DOWN,
	FAULT_PEER_DOWN_WRONG,
	FAULT_ALONE,
	FAULT_DISK_POWER,
	FAULT_SITE_POWER,
	FAULT_WORD,
	FAULT_TWO,
	FAULT_MAP,
	FAULT_KINDS
};

/* One fault of the plan; a and b: chance, what they mean is the kind's. */
struct sim_entry {
	enum sim_fault kind;
	unsigned index;
	uint64_t at, lasts;
	uint64_t a, b;
	bool flap;
};

bool sim_faults_over(void);
/* A controller whose machine and process are to be as new. */
void sim_start_again(void *node);
void sim_crash(struct sim_node *n, bool machine, uint64_t lasts);

/* fault_net.c: what goes wrong between the controllers; false: not one of these */
bool sim_fault_net_begin(struct sim_entry *e);
bool sim_fault_net_end(struct sim_entry *e);
void sim_fault_net_heal(void);

/* operator.c */
void sim_operator_peer_down(bool wrong);
void sim_operator_alone(struct sim_node *n);
void sim_operator_heal(void);

/* map.c */
void sim_map_changes(struct sim_entry *e);

/* words.c */
void sim_words_wrong(struct sim_node *n, uint64_t chance);
void sim_words_two_histories(struct sim_entry *e);
bool sim_words_discard(void); /* false: there are not two that wait for it */

#endif
