/* SPDX-License-Identifier: BSD-3-Clause */
/* Hosts, their sessions and their commands. Between host.c, cmd.c and the oracles. */
#ifndef SIM_CMD_H
#define SIM_CMD_H

#include "sim.h"

enum sim_kind {
	SIM_TUR,
	SIM_READ,
	SIM_WRITE,
	SIM_CAW,
	SIM_FLUSH,
	SIM_RESERVE,
	SIM_RELEASE,
	SIM_PR_REGISTER,
	SIM_PR_IGNORE,
	SIM_PR_RESERVE,
	SIM_PR_RELEASE,
	SIM_PR_CLEAR,
	SIM_PR_PREEMPT,
	SIM_PR_ABORT,
	SIM_PR_MOVE,
	SIM_PR_REPLACE,
	SIM_READ_KEYS,
	SIM_READ_RESERVATION,
	SIM_ABORT_SET,
	SIM_LU_RESET,
	SIM_KINDS
};

enum sim_outcome {
	SIM_NONE, /* not answered yet */
	SIM_GOOD,
	SIM_CONFLICT,
	SIM_ATTENTION,
	SIM_NOT_READY,
	SIM_FAILED, /* HARDWARE ERROR: nothing has changed */
	SIM_CHECK,  /* another CHECK CONDITION */
	SIM_MISCOMPARE,
	SIM_MEDIUM,
	SIM_ABORTED,
	SIM_UNKNOWN, /* the session ended before an answer came */
};

enum sim_stage {
	SIM_SENT,
	SIM_ATTACHING,
	SIM_GATHERING,
	SIM_RUNNING,
	SIM_DONE, /* at the target: over */
};

struct sim_session;

struct sim_cmd {
	struct hf_scsi_task t;
	struct hf_tmf_req tmf;
	struct hf_itl_waiter waiter;
	struct hf_msg msg;
	struct hf_list node, host_node; /* at the target: session; at the host: outstanding */
	struct hf_list held_node;	/* answered, but it may not count (INV-5) */
	struct sim_session *session;
	struct hf_itl *itl;
	unsigned host, controller, dev;
	enum sim_kind kind;
	enum sim_stage stage;
	unsigned refs; /* events and messages that are to come */
	bool kept;     /* somebody remembers it */
	struct sim_cmd *next_unused;
	enum sim_outcome outcome;
	bool answered; /* the target has said something */
	bool entered;
	uint16_t asc_ascq;
	uint8_t sense_key;
	uint64_t asked_at, answered_at;
	/* as an op of the reservation machine */
	bool is_op;
	struct naive_op op;
	/* where it came to stand in the history */
	struct sim_life *life, *asked_life;
	unsigned index, floor; /* floor: what had been told before it was asked */
	bool settled;
	uint64_t settled_at;
	struct sim_life *told_life; /* state at the controller that answered */
	unsigned told_high;	    /* newest settled state then */
	/* data */
	uint64_t lba;
	uint32_t blocks;
	uint64_t expect, write; /* of CAW and WRITE */
	bool fua;
	bool moves; /* an access of it has been given to a disk */
	uint8_t *buf;
	bool small_buf; /* from the pool of cmd.c */
	uint8_t out[256];
	uint32_t out_len;
};

enum sim_path_state { SIM_PATH_OUT, SIM_PATH_CONNECTING, SIM_PATH_IN };

/* A host's way to one controller. */
struct sim_path {
	struct sim_host *host;
	struct sim_node *node;
	enum sim_path_state state;
	struct sim_session *session; /* as the host sees it */
	uint64_t key[SIM_DEVS];	     /* registered, as far as the host knows */
};

struct sim_session {
	struct hf_lu_session s;
	struct sim_path *path;
	uint64_t starts; /* incarnation of the controller */
	unsigned loop;
	bool dead; /* its controller is */
	bool closing, detaching, gone, attached;
	unsigned in_scsi;
	struct hf_list commands; /* sim_cmd.node */
	struct hf_list held;	 /* sim_cmd.held_node */
	struct hf_msg msg;
	uint64_t last_arrival, last_return; /* what is sent on one session stays in order */
	bool heard[SIM_DEVS];		    /* a command to it has been answered */
};

struct sim_host {
	unsigned index;
	struct sim_rng rng;
	struct sim_path paths[SIM_NODES_MAX];
	struct hf_list outstanding; /* sim_cmd.host_node */
	unsigned outstanding_len, ops_out;
	uint64_t key_counter;
	bool stopped;
	/* habits, by the seed */
	unsigned think_us, depth;
	unsigned weight[SIM_KINDS];
	bool aptpl;
	unsigned leaves_per_mille;
};

/* cmd.c */
void sim_cmds_init(void);
struct sim_cmd *sim_cmd_new(void);
void sim_cmd_build(struct sim_cmd *c, struct sim_host *h, struct sim_path *p);
void sim_cmd_send(struct sim_cmd *c);
const char *sim_cmd_name(enum sim_kind kind);
const char *sim_outcome_name(enum sim_outcome o);
void sim_session_close(struct sim_session *s, const char *why);
void sim_session_wind(struct sim_session *s);
void sim_session_valid(struct hf_lu_session *s);
/* host.c */
void sim_host_told(struct sim_cmd *c);
void sim_host_path_lost(struct sim_path *p, struct sim_session *s);

#endif
