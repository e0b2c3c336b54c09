/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside src/lu: the two halves of a logical unit and the messages between them.
 *
 * Everything in struct hf_lu belongs to the control loop, everything in struct hf_lu_local to its
 * loop. A change of admission goes out as one message per loop and comes back as "seen", and, for a
 * hold, as "drained" (W16). The control loop sends the next change of a unit only when the last one
 * has been seen everywhere, so a loop may read hf_lu.cur, .next and .effects while it handles the
 * message and at no other time.
 *
 *	control				a loop
 *	HOLD  ------------------------>	masks = old AND new; seen; victims' pins end; drained
 *	SETTLE or UNHOLD ------------->	masks = new or old; attentions; aborts; waiters go; seen
 */
#ifndef HF_LU_INTERNAL_H
#define HF_LU_INTERNAL_H

#include "lu_control.h"

enum lu_change {
	LU_CHANGE_NONE,
	LU_CHANGE_HOLD,
	LU_CHANGE_SETTLE,
	LU_CHANGE_UNHOLD,
	LU_CHANGE_REFRESH, /* the settled state was replaced as a whole (snapshot, load, lost) */
	LU_CHANGE_INFO,	   /* a new hf_lu_info */
	LU_CHANGE_STOPPED, /* the unit serves nothing, or does again */
	LU_CHANGE_CLEAR,   /* all pins have to end */
	LU_CHANGE_UNCLEAR, /* they need not any more */
	LU_CHANGE_GONE,
};

#define LU_CHANGES_MAX 8
#define LU_HASH_SIZE   1024

/* A held range as one loop sees it. */
struct lu_local_range {
	struct hf_list node; /* hf_lu_local.ranges */
	struct lu_range_held *held;
	struct hf_lu_local *local;
	struct hf_msg msg, release_msg, doubt_msg;
	unsigned pins_left;
	bool answered, doubt;
};

/* A held range as the control loop sees it. */
struct lu_range_held {
	struct hf_list node; /* hf_lu.ranges */
	struct hf_lu *lu;
	uint64_t id, lba;
	uint32_t blocks;
	unsigned drains_out, releases_out;
	bool releasing, doubted;
	struct lu_local_range locals[]; /* one per loop */
};

/* The range of one COMPARE AND WRITE, from acquire to release. */
struct hf_lu_range {
	struct hf_list node; /* hf_lu_loop.free_ranges */
	struct hf_msg msg, free_msg;
	struct hf_bus_range bus;
	struct hf_lu_cmd *cmd; /* NULL: the command has left meanwhile */
	struct hf_lu_loop *loop;
	struct hf_lu *lu;
	int result;
	bool granted, answered;
};

struct hf_lu_local {
	struct hf_lu *lu;
	struct hf_lu_loop *loop;
	struct hf_list itls;	/* hf_itl.loop_node */
	struct hf_list ranges;	/* lu_local_range.node */
	struct hf_list waiters; /* hf_lu_cmd.wait_node, oldest first */
	const struct hf_lu_info *info;
	bool pending;  /* an op is pending: allow_cur and allow_next may differ */
	bool draining; /* pins_left pins have to end before "drained" */
	bool stopped, lost, gone;
	bool changing, drained_due; /* "drained" is said after "seen" */
	unsigned pins_left;
	uint64_t hold_serial;	     /* last command entered before the hold */
	struct hf_timer wait_timer;  /* bound of the commands that wait */
	struct hf_timer valid_timer; /* they met a view that was not valid (INV-5): try again */
	struct hf_msg change_msg, seen_msg, drained_msg;
	/* What the message in hand is about; valid while it is handled, and not after. The control
	 * loop writes it, so it is apart from the flags above, which are read several at once. */
	enum lu_change change;
	const struct hf_resv *cur, *next;
	const struct hf_lu_info *new_info;
	bool new_stopped, new_replaced;
	int drained_result;
	char in_use_by[HF_ISCSI_NAME_MAX + 1];
};

struct hf_lu {
	struct hf_lu_table *table;
	struct hf_list node; /* hf_lu_table.lus, ascending by device id */
	struct hf_lu *hash_next;
	unsigned index;	  /* 0 .. HF_LDEVS_MAX - 1 */
	unsigned refs;	  /* hf_itls, ops in flight, held ranges, a record being written */
	unsigned nexuses; /* hf_itls */
	struct hf_resv *cur, *next;
	uint64_t digest;  /* of cur */
	uint64_t version; /* of cur, unique in the table */
	/* the pending op */
	bool pending, stopped, removed;
	enum hf_resv_kind op_kind;
	struct hf_nexus op_by; /* who sent it; no name: nobody */
	uint64_t n;
	struct hf_resv_verdict verdict;
	uint64_t persist_n; /* op whose slot is being written */
	bool persist_asked; /* of the pending op */
	unsigned effects_len;
	struct hf_resv_effect *effects;
	const void *op; /* the engine's, until apply() or unhold() */
	size_t op_len;
	bool computed; /* next and effects are those of the pending op */
	/* the change dialogue */
	enum lu_change queue[LU_CHANGES_MAX]; /* still to be sent, in order */
	unsigned queue_len;
	unsigned acks_out;    /* loops that have not yet seen the last change */
	unsigned drained_out; /* loops that have not yet drained */
	int drain_result;
	const struct hf_lu_info *info;
	struct hf_lu_shared shared;
	bool attrs_due; /* shared.attrs still has what a replaced state kept out */
	struct hf_list graves;
	struct hf_list ranges; /* lu_range_held.node */
	uint64_t held_since_ns;
	char stop_why[HF_LU_STOPS][HF_LU_STOP_WHY_MAX]; /* "": not for that */
	bool replaced; /* while it was stopped: another state has been installed */
	/* the operator's pick (pick.c) */
	bool pick_wanted, pick_mine, pick_saving;
	bool clearing, clear_out; /* all pins have to end; the loops have been told */
	bool clear_void;	  /* the unit has gone on meanwhile, and has admitted more */
	uint64_t pick_n;
	unsigned records_out; /* being written */
	char in_use_by[HF_ISCSI_NAME_MAX + 1];
	uint8_t *slot_buf;
	struct hf_lu_local locals[]; /* one per loop */
};

enum lu_serving {
	LU_SERVES_NOT, /* NOT READY */
	LU_PAUSED,     /* a race is on: commands wait for its end, or for the bound */
	LU_SERVES,
};

struct hf_lu_loop {
	struct hf_lu_table *table;
	struct hf_loop *loop;
	struct hf_list sessions;
	struct hf_list free_ranges;
	struct hf_list unsure; /* hf_lu_session.unsure_node: have worked out what may not count */
	struct hf_timer unsure_timer;
	enum lu_serving serving;
	uint64_t serial; /* commands entered so far */
	struct hf_target target;
	struct hf_lu_local *by_lun[HF_LUN_MAX + 1];
};

struct hf_lu_table {
	struct hf_lu_config config;
	struct hf_target target;
	struct hf_loop *control;
	struct hf_bus *bus;
	struct hf_list lus;
	struct hf_lu *by_index[HF_LDEVS_MAX];
	struct hf_lu *by_dev[LU_HASH_SIZE]; /* chains by device id */
	/* What the last op made of a settled state: lu_try(). */
	struct hf_resv *scratch;
	struct hf_resv_outcome outcome;
	uint64_t tried; /* hf_lu.version that it was tried on; 0: none */
	size_t tried_len;
	uint8_t tried_op[HF_RESV_OP_BYTES_MAX];
	uint64_t versions;
	struct hf_resv_op op; /* decoded op in hand */
	enum lu_serving serving;
	struct hf_list jobs;	    /* hf_lu_job.node */
	struct hf_timer jobs_timer; /* some met a view that was not valid: again */
	bool no_jobs;
	void (*changes_seen)(void *arg);
	void *changes_arg;
	void (*jobs_stopped)(void *arg);
	void *jobs_arg;
	_Atomic uint32_t login_counter;
	struct hf_lu_loop loops[]; /* one per loop */
};

/* An op from propose to answer. Heap; outlives the request it came from (doubt). */
struct lu_op {
	struct hf_bus_prop prop; /* first */
	struct hf_lu *lu;
	struct hf_resv_req *req;      /* a host's, or NULL */
	struct lu_tmf_op *tmf;	      /* a reset's, or NULL */
	struct hf_lu_admin_op *admin; /* ours, or NULL */
	struct lu_loss *loss;	      /* a logout's, or NULL */
	struct lu_op *next_lost;
	uint8_t bytes[];
};

/* A logout that waits for its nexus losses; on the control loop. */
struct lu_loss {
	struct hf_msg msg;
	struct hf_timer timer;
	struct hf_lu_session *session;
	struct lu_op *first; /* not yet settled; lu_op.next_lost */
	bool proposing;
};

/* A reset over one or all logical units; on the control loop. */
struct lu_tmf_op {
	struct hf_tmf_req *req;
	unsigned left;
	int result;
	bool told;
};

/* Something a loop may still look at: info records live as long as the unit, states until the
 * change that replaced them has been seen. */
struct lu_grave {
	struct hf_list node;
	struct hf_lu_info *info;
	struct hf_resv *resv;
};

/* table.c: control loop */
struct hf_lu *lu_find(struct hf_lu_table *t, uint32_t dev);
void lu_unref(struct hf_lu *lu);

/* valid.c: a loop's side */
/* Well below a heartbeat, which is what renews the view. */
#define LU_VALID_RETRY_NS 20000000
/*
 * INV-5: what this loop says and does now counts, for the peer cannot have gone on alone yet. A
 * loop that has been told that it is outside says nothing that could be stale.
 */
bool lu_loop_is_valid(const struct hf_lu_loop *l);
void lu_valid_settle(struct hf_lu_loop *l); /* the loop has been told whether it serves */
void lu_valid_fire(struct hf_timer *timer);
void lu_session_forget_valid(struct hf_lu_session *s);

/* change.c: control loop's side of the dialogue */
/*
 * Tries an op on a copy of the settled state: hf_lu_table.op, .scratch, .outcome. -EBADMSG. The
 * engine looks, then holds the same op: that is computed once.
 */
int lu_try(struct hf_lu *lu, const void *op, size_t len);
void lu_change_send(struct hf_lu *lu, enum lu_change change);
/* A hold that has not started is undone by forgetting it, wherever it stands: its op is gone when
 * this returns. False: none is queued. */
bool lu_hold_forget(struct hf_lu *lu);
void lu_change_init(struct hf_lu *lu);
/* Tells every loop, before the change does, what attributes the settled state has. */
void lu_attrs_publish(struct hf_lu *lu, const struct hf_resv *old);
void lu_state_replace(struct hf_lu *lu, struct hf_resv *fresh);

/* admission.c: a loop's side */
void lu_local_change(struct hf_lu_local *l);
void lu_itl_masks(struct hf_itl *itl);
void lu_local_masks(struct hf_lu_local *l);
void lu_local_pin_gone(struct hf_lu_local *l, struct hf_lu_cmd *cmd);

/* command.c: a loop's side */
void lu_cmd_abort(struct hf_lu_cmd *cmd, bool tas);
unsigned lu_itl_abort_all(struct hf_itl *itl, uint64_t up_to_serial, bool tas, bool spare_ops);
void lu_local_wake(struct hf_lu_local *l);
void lu_wait_expired(struct hf_timer *timer);
void lu_valid_again(struct hf_timer *timer);
void lu_cmd_ranged(struct hf_lu_cmd *cmd, int result);

/* tmf.c */
void lu_tmf_cmd_left(struct hf_itl *itl);
void lu_tmf_op_done(struct lu_tmf_op *tmf, int result);

/* range.c */
const struct lu_local_range *lu_range_blocks(
	const struct hf_lu_local *l, const struct hf_lu_cmd *cmd);
void lu_range_pin_gone(struct hf_lu_local *l, const struct hf_lu_cmd *cmd);
void lu_range_acquire(struct hf_lu_cmd *cmd);
void lu_range_let_go(struct hf_lu_cmd *cmd);

/* job.c: control loop; the race is over */
void lu_jobs_unpark(struct hf_lu_table *t);
bool lu_job_is_out(const struct hf_lu *lu); /* one that may touch the medium */
void lu_jobs_fire(struct hf_timer *timer);

/* stop.c: control loop */
const char *lu_stop_why(const struct hf_lu *lu); /* NULL: it is not stopped */

/* pick.c: control loop */
void lu_pick_go(struct hf_lu *lu); /* something has ended that a pick may wait for */
void lu_pick_saved(struct hf_lu *lu, int result);
void lu_pick_cleared(struct hf_lu *lu);
void lu_pick_over(struct hf_lu *lu); /* the unit goes on by what is here now */

/* bus_owner.c: control loop. Writes what `resv` wants kept; hf_lu_persisted() follows. */
void lu_record_write(struct hf_lu *lu, const struct hf_resv *resv);

/* ops.c: control loop */
int lu_op_propose(struct hf_lu *lu, const struct hf_resv_op *op, bool owed, struct hf_resv_req *req,
	struct lu_tmf_op *tmf, struct hf_lu_admin_op *admin);

int lu_op_propose_loss(struct hf_lu *lu, const struct hf_resv_op *op, struct lu_loss *loss);

/* loss.c: control loop */
void lu_loss_op_done(struct lu_op *o);

/* note.c: rare news for every loop */
enum lu_note_kind {
	LU_NOTE_SERVING,   /* serving */
	LU_NOTE_TARGET,	   /* target; attention 2A/06 if flag */
	LU_NOTE_CLOSE,	   /* why */
	LU_NOTE_LUN_ADDED, /* lu */
};
struct lu_note {
	struct hf_msg msg;
	struct hf_lu_loop *loop;
	enum lu_note_kind kind;
	bool flag;
	enum lu_serving serving;
	struct hf_lu *lu;
	struct hf_target target;
	const char *why;
};
void lu_note_broadcast(struct hf_lu_table *t, const struct lu_note *note);
void lu_sessions_attention(struct hf_lu_loop *loop, uint16_t asc_ascq);

/* True when the effect concerns this nexus. */
static inline bool lu_effect_hits(const struct hf_resv_effect *e, const struct hf_nexus *nexus)
{
	if (e->all_nexuses)
		return e->nexus.init.name[0] == '\0' || !hf_nexus_equal(&e->nexus, nexus);
	return hf_nexus_equal(&e->nexus, nexus);
}

/* The pending op will do this to the nexus. */
static inline void lu_itl_expects(struct hf_itl *itl, const struct hf_resv_effect *e)
{
	itl->attentive = true;
	itl->resetting |= e->kind == HF_RESV_EFFECT_ATTENTION && e->asc_ascq >> 8 == 0x29;
}

#endif
