/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control loop's face of the logical units: creation and deletion, the bus owner's part for
 * every device but the pool, and what the tool shows. Called by the daemon's wiring (and by the
 * simulator) on the control loop only; src/scsi and src/iscsi use lu.h.
 */
#ifndef HF_LU_CONTROL_H
#define HF_LU_CONTROL_H

#include "lu.h"

struct hf_lu_config {
	struct hf_loop *const *loops; /* loops[0] is the control loop */
	unsigned loops_len;
	struct hf_target target; /* name and revision are kept by reference */
	struct hf_resv_config resv;
	uint64_t wait_bound_ns; /* a command waits this long for a pending op, then 04/0A */
	uint64_t incarnation;	/* upper half of login numbers */
	/*
	 * Writes `len` bytes to the APTPL slot of the logical unit; hf_lu_persisted() follows. The
	 * buffer is kept until then. NULL: nothing is persisted (tests), hf_lu_persisted() is
	 * implied.
	 */
	void (*persist)(void *arg, struct hf_lu *lu, uint32_t dev, uint8_t *buf, size_t len);
	void *arg;
};

/* -ENOMEM. The table serves nothing until hf_lu_set_serving(). */
int hf_lu_table_create(const struct hf_lu_config *config, struct hf_lu_table **ret);
/* All sessions are gone, loops no longer run. */
void hf_lu_table_destroy(struct hf_lu_table *t);
/* The engine that ops are proposed to; set once, before the first session. NULL: it is about to be
 * destroyed, and the ops that it has given go with it. */
void hf_lu_set_bus(struct hf_lu_table *t, struct hf_bus *bus);
/* false: every command but INQUIRY's kind ends NOT READY 04/0A (view says STARTING, OUT ...). */
void hf_lu_set_serving(struct hf_lu_table *t, bool serving);
/* A race is on (policy fence): commands wait for its end or for the bound. */
void hf_lu_set_paused(struct hf_lu_table *t);
/* Ports' states for REPORT TARGET PORT GROUPS; raises 2A/06 on every nexus when one changes. */
void hf_lu_set_port_state(struct hf_lu_table *t, uint8_t controller, enum hf_alua_state state);
/* Jobs end in failure before their next piece; when none touches the medium, stopped(arg), maybe at
 * once. For who leaves. */
void hf_lu_stop_jobs(struct hf_lu_table *t, void (*stopped)(void *arg), void *arg);
/*
 * For who serves nothing any more, but may again: jobs end by themselves then; stopped(arg) when
 * none touches the medium, maybe at once. One waits at a time: the last that has called.
 */
void hf_lu_await_jobs(struct hf_lu_table *t, void (*stopped)(void *arg), void *arg);
bool hf_lu_jobs_are_still(const struct hf_lu_table *t);
/* Cuts off every session (out of the view). why: a constant, kept for the log. */
void hf_lu_close_sessions(struct hf_lu_table *t, const char *why);

/* `info` and info->ldev are taken over (heap; freed with hf_lu_info_free). The id must be new. */
int hf_lu_add(struct hf_lu_table *t, struct hf_lu_info *info);
/* A new description: grown, renamed, write-protected. Raises 2A/09 (size) or 2A/01 as needed. */
void hf_lu_update(struct hf_lu_table *t, uint32_t dev, struct hf_lu_info *info);
/* The device is deleted: commands that wait end GONE, the LUN vanishes; 3F/0E for everyone. */
void hf_lu_remove(struct hf_lu_table *t, uint32_t dev);
void hf_lu_info_free(struct hf_lu_info *info);

/* --- the owner's part of bus.h, for dev != HF_BUS_DEV_POOL -------------------------------------
 */

enum hf_bus_look hf_lu_bus_look(struct hf_lu_table *t, uint32_t dev, const void *op, size_t len);
uint64_t hf_lu_bus_digest(struct hf_lu_table *t, uint32_t dev);
void hf_lu_bus_hold(struct hf_lu_table *t, uint32_t dev, uint64_t n, const void *op, size_t len);
void hf_lu_bus_unhold(struct hf_lu_table *t, uint32_t dev, uint64_t n);
void hf_lu_bus_persist(struct hf_lu_table *t, uint32_t dev, uint64_t n);
void hf_lu_bus_apply(struct hf_lu_table *t, uint32_t dev, uint64_t n);
void hf_lu_bus_answer(struct hf_lu_table *t, struct hf_bus_prop *prop, enum hf_bus_answer how);
void hf_lu_bus_doubt(struct hf_lu_table *t, struct hf_bus_prop *prop);
/* seen(arg) when every loop has taken over what was sent to it, maybe at once: a state that it
 * holds may be applied then. One waits at a time: the last that has called. */
void hf_lu_await_changes(struct hf_lu_table *t, void (*seen)(void *arg), void *arg);
void hf_lu_bus_range_hold(
	struct hf_lu_table *t, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks);
void hf_lu_bus_range_unhold(struct hf_lu_table *t, uint32_t dev, uint64_t id);
void hf_lu_bus_range_doubt(struct hf_lu_table *t, uint32_t dev, uint64_t id);
/*
 * What the slot of this device has to hold: bytes written to buf. -EAGAIN: nothing; an op that is
 * pending has had it written, with its own outcome, or what it had is lost to this controller, and
 * may be found again, or the controllers' states of it differ.
 */
int hf_lu_bus_slot(struct hf_lu_table *t, uint32_t dev, uint8_t *buf, size_t cap);
int hf_lu_bus_snapshot(struct hf_lu_table *t, uint32_t dev, uint8_t *buf, size_t cap);
int hf_lu_bus_install(struct hf_lu_table *t, uint32_t dev, const uint8_t *buf, size_t len);
uint32_t hf_lu_bus_next_dev(struct hf_lu_table *t, uint32_t after); /* UINT32_MAX: no more */
void hf_lu_bus_drop(struct hf_lu_table *t);

/* Why a logical unit serves nothing; each ends in its own way, and both may be at a time. */
enum hf_lu_stop {
	HF_LU_STOP_UNFENCED, /* a disk under it could not be fenced */
	HF_LU_STOP_STATES,   /* the controllers' states of it differ (W18) */
	HF_LU_STOPS
};
#define HF_LU_STOP_WHY_MAX 240

/*
 * The device is here, and serves nothing any more; every command but INQUIRY's kind ends NOT READY.
 * why: a sentence for people, what is wrong and what ends it; copied. Again: the newer one counts.
 */
void hf_lu_stop(struct hf_lu_table *t, uint32_t dev, enum hf_lu_stop stop, const char *why);
/* No longer for that; it goes on if for nothing else either. Hosts of this controller are told
 * 2A/03 if another state has been installed meanwhile. */
void hf_lu_resume(struct hf_lu_table *t, uint32_t dev, enum hf_lu_stop stop);
/* hf_bus_owner_ops.pick */
void hf_lu_bus_pick(struct hf_lu_table *t, uint32_t dev, uint64_t n, bool mine);

/* Result of the record written for persist(): as hf_record_io.done. */
void hf_lu_persisted(struct hf_lu *lu, int result);
/* What the disk kept, when all memory was lost: len 0 = nothing; result -EBADMSG = "information
 * lost"; no command may be served yet. */
void hf_lu_load(struct hf_lu_table *t, uint32_t dev, const uint8_t *buf, int result);

/* --- administration ----------------------------------------------------------------------------
 */

/* An op of the operator or of the daemon itself. done() on the control loop, once; result as in
 * hf_resv_req.done. */
struct hf_lu_admin_op {
	uint32_t dev;
	struct hf_resv_op op;
	bool owed;
	void (*done)(struct hf_lu_admin_op *a, int result, const struct hf_resv_verdict *verdict);
};
int hf_lu_admin_propose(struct hf_lu_table *t, struct hf_lu_admin_op *a); /* -ENODEV, -ENOMEM */

struct hf_lu_status {
	const struct hf_lu_info *info;
	const struct hf_resv *resv; /* the settled state; read it now or not at all */
	bool pending;		    /* an op is pending */
	bool retires;		    /* ... and it retires the device */
	const char *stopped;	    /* why it serves nothing, as said to hf_lu_stop(); else NULL */
	uint64_t held_since_ns; /* hf_loop clock; when the reservation last changed hands; 0: never
				 */
	unsigned nexuses;	/* attached here */
	const char *in_use_by;	/* why RETIRE failed last, or "" */
};
/* Ascending by LUN. */
void hf_lu_each(
	struct hf_lu_table *t, void (*fn)(void *arg, const struct hf_lu_status *s), void *arg);
bool hf_lu_status(struct hf_lu_table *t, uint32_t dev, struct hf_lu_status *ret);

#endif
