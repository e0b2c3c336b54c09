/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Logical units: the meeting place of sessions, reservations, the bus and storage. Two halves:
 *
 *  - per loop (struct hf_itl, struct hf_lu_cmd): every command of a session passes here, is checked
 *    against the admission bits of its nexus, pinned while it may touch the medium, and let go.
 *    Cost per I/O: one load and one test.
 *  - control loop (lu_control.c): the reservation machine, the op queue on the bus, the hold and
 *    drain dialogue with every loop (a change of admission is a message, W16).
 *
 * Called by src/scsi (commands) and by the daemon's wiring (creation, bus callbacks).
 */
#ifndef HF_LU_H
#define HF_LU_H

#include "bus.h"
#include "ldev.h"
#include "loop.h"

#include <holdfast/resv.h>

struct hf_lu;	      /* one logical unit */
struct hf_lu_table;   /* all logical units of this controller */
struct hf_lu_session; /* one host session, on its loop */

/* --- sessions ------------------------------------------------------------------------------- */

/*
 * A session's I_T nexus on this controller. Lives on the session's loop. `login` is unique in the
 * cluster for ever (incarnation << 32 | counter), so that a new login does not inherit a legacy
 * reservation (W5).
 */
struct hf_lu_session {
	struct hf_list node; /* the layer's: all sessions of the loop */
	struct hf_lu_table *table;
	struct hf_lu_loop *lu_loop; /* the layer's */
	struct hf_loop *loop;
	struct hf_nexus nexus;
	uint64_t login;
	struct hf_list itls;	  /* struct hf_itl.session_node */
	struct hf_itl **by_index; /* the layer's: hf_itl of each logical unit's index, or NULL */
	struct hf_msg msg;	  /* the layer's */
	/* The host must be cut off: outcome unknown (INV-7), controller leaves, fenced. Called on
	 * the session's loop; the transport then ends the session as if the link had dropped. */
	void (*close)(struct hf_lu_session *s, const char *why);
	void (*lost)(struct hf_lu_session *s);	/* see hf_lu_session_lose() */
	void (*valid)(struct hf_lu_session *s); /* see hf_lu_session_await_valid() */
	void (*gone)(struct hf_lu_session *s); /* the detach is complete, storage is the caller's */
	unsigned detaching; /* the layer's: detach messages not yet seen by the control loop */
	struct hf_list unsure_node; /* the layer's */
	uint64_t unsure_since_ns;   /* the layer's */
};

/* Registers the session; nexus, login, close, lost, valid and gone are filled in. Caller's storage
 * until gone(). -ENOMEM: nothing registered. */
int hf_lu_session_attach(struct hf_lu_table *t, struct hf_lu_session *s, struct hf_loop *loop);
/* Before a logout is answered: s->lost() follows on the session's loop when what the nexus held by
 * RESERVE is free on every controller, or when the bound for waiting has passed. All commands of
 * the session must have left, none may enter any more, and the detach comes after. */
void hf_lu_session_lose(struct hf_lu_session *s);
/* Logout, connection loss, reinstatement. All commands of the session must have left. Nexus loss is
 * proposed where it matters (E.8). Asynchronous: s->gone(). */
void hf_lu_session_detach(struct hf_lu_session *s);

/*
 * INV-5: to be asked after an answer has been worked out and before it is sent. False: this
 * controller may be outside the view by now (it was stopped for a while, or has not heard from the
 * others); the answer is kept, and hf_lu_session_await_valid() called.
 */
bool hf_lu_session_is_valid(const struct hf_lu_session *s);
/*
 * s->valid() follows when what has been worked out so far counts after all, never inside this call;
 * else s->close(): out of the view, or not known by the bound for waiting. Nothing if the session
 * is detached first. Once for any number of calls.
 */
void hf_lu_session_await_valid(struct hf_lu_session *s);

/* --- one session at one logical unit ---------------------------------------------------------- */

#define HF_ITL_ATTENTIONS_MAX 8

struct hf_itl {
	struct hf_lu *lu;
	struct hf_lu_local *local; /* this loop's half of lu */
	struct hf_lu_session *session;
	struct hf_list session_node, loop_node;
	struct hf_list commands; /* struct hf_lu_cmd.node: the task set of this nexus here */
	struct hf_list tmfs;	 /* task management waiting for commands to leave */
	/*
	 * Admission, HF_ACCESS_BIT()s. `allow` is what the fast path looks at: what the settled
	 * and, while an op is pending, the next state both allow.
	 */
	uint8_t allow;
	uint8_t allow_cur, allow_next; /* by the settled state; by the pending one */
	bool aborting;		       /* the layer's: commands are being aborted one by one */
	bool attentive; /* the pending op has an attention or an abort for this nexus */
	bool resetting; /* ... an attention of the reset class: told before any conflict */
	bool attached;	/* the control loop knows it */
	bool used;	/* a command has touched the medium: the unit is "in use" by this host */
	unsigned attentions_len; /* pending unit attentions, oldest first */
	uint16_t attentions[HF_ITL_ATTENTIONS_MAX];
	uint32_t prevent_removal;
	void *scsi; /* SCSI layer's per-nexus data (e.g. third-party copy results), or NULL */
	void (*scsi_free)(void *scsi);
	struct hf_msg msg; /* the layer's: attach, detach */
	struct hf_itl_waiter *waiter;
};

/*
 * Finds or makes the session's hf_itl for `lun`. Returns it when it is there; NULL when it has to
 * be attached first (waiter->ready(itl) always follows, also when the session ends meanwhile, and
 * the session may be detached only after that; itl NULL = no such logical unit) or, with *ret_none
 * set, when there is no such logical unit.
 */
struct hf_itl_waiter {
	struct hf_itl_waiter *next; /* the layer's */
	void (*ready)(struct hf_itl_waiter *w, struct hf_itl *itl);
};
struct hf_itl *hf_itl_find(
	struct hf_lu_session *s, uint16_t lun, struct hf_itl_waiter *waiter, bool *ret_none);
/* LUNs of all logical units, ascending; returns how many there are (may exceed cap). */
unsigned hf_lu_luns(struct hf_lu_session *s, uint16_t *luns, unsigned cap);

/* Unit attentions (SAM-5, 5.14). take: the oldest, removed; 0 = none. */
void hf_itl_attention_raise(struct hf_itl *itl, uint16_t asc_ascq);
uint16_t hf_itl_attention_peek(const struct hf_itl *itl);
uint16_t hf_itl_attention_take(struct hf_itl *itl);

/*
 * What every loop looks at before every command; lives as long as the unit. attrs follow the
 * settled state of the reservation machine (HF_RESV_D_SENSE ...), the same on every controller.
 */
struct hf_lu_shared {
	_Atomic uint32_t attrs;
	_Atomic uint32_t progress; /* of a SANITIZE that runs here, 1 .. 65536; 0: not known */
};

/* What the SCSI layer may know of a logical unit; stable for the loop that asks until it returns to
 * the loop (growth swaps it by message). */
struct hf_lu_info {
	uint32_t id;
	uint16_t lun;
	char name[HF_NAME_MAX + 1];
	uint8_t uuid[16];
	uint32_t block_bytes, physical_block_bytes;
	uint64_t blocks;
	bool write_protected;
	bool can_unmap, unmap_zeroes;
	const struct hf_ldev *ldev;
	struct hf_lu_shared *shared; /* never NULL */
};
const struct hf_lu_info *hf_itl_info(const struct hf_itl *itl);

/* --- target ports, for VPD 83/88 and REPORT TARGET PORT GROUPS ----------------------------------
 */

enum hf_alua_state {
	HF_ALUA_ACTIVE_OPTIMIZED = 0x0,
	HF_ALUA_ACTIVE_NON_OPTIMIZED = 0x1,
	HF_ALUA_STANDBY = 0x2,
	HF_ALUA_UNAVAILABLE = 0x3,
	HF_ALUA_OFFLINE = 0xe,
	HF_ALUA_TRANSITIONING = 0xf,
};

struct hf_target_port {
	uint16_t rtpi;
	uint16_t group; /* target port group: one per controller */
	uint8_t controller;
	enum hf_alua_state state;
};

struct hf_target {
	const char *name; /* iSCSI name of the target, the same on every controller */
	unsigned ports_len;
	struct hf_target_port ports[HF_CONTROLLERS_MAX];
	uint16_t own_rtpi;
	const char *revision; /* 4 characters for INQUIRY */
};
const struct hf_target *hf_lu_target(const struct hf_lu_session *s);

/* --- commands -----------------------------------------------------------------------------------
 */

enum hf_admit {
	HF_ADMIT_OK,	    /* pinned; go to the medium, then hf_lu_cmd_leave() */
	HF_ADMIT_CONFLICT,  /* RESERVATION CONFLICT */
	HF_ADMIT_NOT_READY, /* NOT READY 04/0A ASYMMETRIC ACCESS STATE TRANSITION */
	HF_ADMIT_LOST,	    /* 44/01 PERSISTENT RESERVATION INFORMATION LOST */
	HF_ADMIT_ABORTED,   /* aborted while it waited: no status, or TASK ABORTED (cmd->tas) */
	HF_ADMIT_GONE,	    /* logical unit deleted: LOGICAL UNIT NOT SUPPORTED */
};

enum hf_lu_cmd_state {
	HF_LU_CMD_OUT,	   /* not in the task set */
	HF_LU_CMD_DORMANT, /* entered; may be gathering data */
	HF_LU_CMD_WAITING, /* started; its class is in neither allow nor refuse, or its range is
			      held */
	HF_LU_CMD_PINNED,
};

/* One command in the task set of its nexus. Embedded in struct hf_scsi_task. */
struct hf_lu_cmd {
	struct hf_list node;	  /* the layer's: hf_itl.commands */
	struct hf_list wait_node; /* the layer's: commands that wait on this loop */
	struct hf_itl *itl;
	enum hf_lu_cmd_state state;
	enum hf_access access;
	bool writes;	     /* changes blocks lba .. lba + blocks - 1 (range holds look at it) */
	bool aborted, tas;   /* aborted by somebody: send no status (tas: TASK ABORTED instead) */
	bool op;	     /* a reservation op asked and not answered: not abortable */
	bool late, late_tas; /* the layer's: was to be aborted meanwhile */
	bool is_resv;	     /* a reservation command: becomes such an op; set after enter() */
	bool by_machine;     /* the layer's: started by hf_lu_cmd_start_op() */
	bool must_drain;     /* the layer's: a pending op waits for this pin to end */
	uint64_t lba;
	uint32_t blocks;
	uint64_t serial;   /* order of entry, per loop; a part of an older command takes over that
			      one's */
	uint64_t since_ns; /* the layer's: waiting since */
	struct hf_lu_range *range; /* the layer's: range held for COMPARE AND WRITE */
	/* From hf_lu_cmd_start(): exactly once, maybe inside the call, on the session's loop. */
	void (*go)(struct hf_lu_cmd *cmd, enum hf_admit how);
	/* Somebody aborted it while DORMANT: the transport stops gathering data; leave() follows.
	 */
	void (*abort)(struct hf_lu_cmd *cmd);
};

/* For a command that goes on after its op has been answered: one who has asked for its abortion
 * while the op was out gets it now, as if it came now. The command may be gone when this returns.
 */
void hf_lu_cmd_goes_on(struct hf_lu_cmd *cmd);

/* Into the task set, DORMANT. */
void hf_lu_cmd_enter(struct hf_lu_cmd *cmd, struct hf_itl *itl, enum hf_access access);
/* Early refusal, on arrival: OK means "not refused now". Reads only. */
enum hf_admit hf_lu_cmd_peek(const struct hf_lu_cmd *cmd);
/* false: an op is pending that may change what this nexus is told; started, the command waits. */
bool hf_itl_is_settled(const struct hf_itl *itl);
/*
 * Asks for the pin. All data must be here (S3). go(OK) comes in the same turn of the loop in which
 * the command may go to the medium. For FREE and STATUS commands nothing is pinned but the check
 * is the same.
 */
void hf_lu_cmd_start(struct hf_lu_cmd *cmd);
/*
 * For COMPARE AND WRITE: like start, but first holds blocks lba .. on every controller (range
 * first, then check, then pin: S4). go(NOT_READY) when the range cannot be had.
 */
void hf_lu_cmd_start_range(struct hf_lu_cmd *cmd);
/*
 * For what the reservation machine judges (hf_lu_reserve): nothing is checked or pinned; go(OK)
 * comes at once, but while a pending op has an attention or an abort for this nexus only after that
 * op, so that the attention can be told first; and while the view may not stand, when it does.
 */
void hf_lu_cmd_start_op(struct hf_lu_cmd *cmd);
/* The medium is no longer touched; pin, range and task set membership end. Any state but OUT. */
void hf_lu_cmd_leave(struct hf_lu_cmd *cmd);

/* Task management on this nexus' commands; what is pinned ends by itself, its status is dropped.
 * Reservation ops once asked are waited for. done() when all named tasks have left (U4). */
enum hf_tmf {
	HF_TMF_ABORT_TASK,
	HF_TMF_ABORT_TASK_SET,
	HF_TMF_CLEAR_TASK_SET,
	HF_TMF_LU_RESET, /* an op on the bus: aborts on every controller, 29/03 for all */
	HF_TMF_TARGET_WARM_RESET,
	HF_TMF_TARGET_COLD_RESET,
};

struct hf_tmf_req {
	struct hf_msg msg; /* the layer's, as all below */
	struct hf_list node;
	uint64_t serial;
	unsigned left;
	int result;
	/* --- the caller's --- */
	enum hf_tmf function;
	struct hf_lu_session *session;
	struct hf_itl *itl;	  /* NULL for target resets */
	struct hf_lu_cmd *target; /* ABORT TASK */
	/*
	 * On the session's loop, once, maybe inside hf_lu_tmf(). 0 complete; -EACCES function
	 * rejected (frozen); -EIO failed, nothing changed; -ENOTCONN outcome unknown, the session
	 * is being closed.
	 */
	void (*done)(struct hf_tmf_req *req, int result);
};
void hf_lu_tmf(struct hf_tmf_req *req);

/* --- reservation commands ------------------------------------------------------------------------
 */

/*
 * RESERVE, RELEASE, PERSISTENT RESERVE IN and OUT: queued on the device in order with everything
 * else that changes it (W2, W4). cmd must be DORMANT; it stays in the task set until leave().
 */
struct hf_resv_req {
	struct hf_msg msg; /* the layer's */
	int result;	   /* the layer's */
	struct hf_lu_cmd *cmd;
	struct hf_resv_op op; /* nexus and login are filled in by the layer */
	/*
	 * READ: a PERSISTENT RESERVE OUT of kind `malformed` (0: none) with key malformed_rk, whose
	 * list cannot be carried out: RESERVATION CONFLICT if registration or key say so, else
	 * field_error.
	 */
	enum hf_resv_kind malformed;
	uint64_t malformed_rk;
	struct hf_resv_verdict field_error;
	bool prin; /* READ: prin_action's parameter data go to buf */
	uint8_t prin_action;
	uint8_t *buf;
	size_t buf_cap;			/* in: room (already cut to the allocation length) */
	size_t buf_len;			/* out */
	struct hf_resv_verdict verdict; /* out */
	/* On the session's loop, once. result 0: verdict and buf count; -EAGAIN: NOT READY 04/0A;
	 * -EIO: failed, nothing changed (HARDWARE ERROR 44/00); -ENODEV: unit gone;
	 * -ENOMEM: not begun, memory is short (BUSY);
	 * -ENOTCONN: outcome unknown, say nothing: the session is being closed. */
	void (*done)(struct hf_resv_req *req, int result);
};
void hf_lu_reserve(struct hf_resv_req *req);

/* --- work that outlives the command that began it
 * -------------------------------------------------
 */

/*
 * SANITIZE, once it runs (HF_RESV_SANITIZE is settled, by an op of this controller's): on the
 * control loop, without pins, for the same op has drained every pin and keeps every command out.
 */
struct hf_lu_job {
	struct hf_msg msg; /* the layer's, as all down to step */
	struct hf_list node;
	struct hf_lu *lu;
	bool parked; /* a race is on, or the view may not stand: step() follows when it does */
	/* The next piece; ends in hf_lu_job_again() or hf_lu_job_end(). On the control loop. */
	void (*step)(struct hf_lu_job *job);
	/* Its end has settled (or cannot): the job's storage is the caller's. On the control loop.
	 */
	void (*over)(struct hf_lu_job *job);
};
/* From the session's loop; step() follows. */
void hf_lu_job_begin(struct hf_itl *itl, struct hf_lu_job *job);
/* Calls step() in a later turn of the control loop. */
void hf_lu_job_again(struct hf_lu_job *job);
/* false: the controller leaves, is out of the view or no longer the one that runs it. */
bool hf_lu_job_may_go_on(const struct hf_lu_job *job);
const struct hf_lu_info *hf_lu_job_info(const struct hf_lu_job *job);
struct hf_loop *hf_lu_job_loop(const struct hf_lu_job *job);
/* The attributes of the unit at the end of the job; over() follows. */
void hf_lu_job_end(struct hf_lu_job *job, uint8_t attrs, uint8_t attrs_mask);

#endif
