/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reservation machine: all SCSI reservations of one logical unit (SPC-2 RESERVE/RELEASE and
 * persistent reservations), as a pure function of state and operation.
 *
 * It makes no system call, reads no clock, allocates only in hf_resv_create() and never fails in
 * between. Every controller runs the same function on the same operations in the same order; the
 * digest tells whether they still agree. Installed as a library for other targets.
 *
 *	look:	hf_resv_copy(next, cur); hf_resv_apply(next, op, &out);
 *		out.changed false: answer out.verdict, nothing has to be agreed
 *	settle:	swap cur and next, carry out out.effects in order, answer out.verdict
 */
#ifndef HOLDFAST_RESV_H
#define HOLDFAST_RESV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HF_RESV_NAME_SIZE 224 /* initiator name, NUL included */
#define HF_RESV_PORTS_MAX 16  /* target ports of the SCSI target device, all controllers */
#define HF_RESV_NEXUS_MAX 256 /* registered I_T nexuses of a logical unit */
#define HF_RESV_IDS_MAX	  32  /* TransportIDs in one SPEC_I_PT list */

/* An initiator port: iSCSI name (lower case, no NUL inside) and ISID as a 48-bit number. */
struct hf_port_id {
	char name[HF_RESV_NAME_SIZE];
	uint64_t isid;
};

/* An I_T nexus: initiator port and relative target port identifier (SAM-5, 4.6). */
struct hf_nexus {
	struct hf_port_id init;
	uint16_t rtpi;
};

/* Names are compared without case; callers lower them on entry (hf_port_id_set). */
bool hf_port_id_equal(const struct hf_port_id *a, const struct hf_port_id *b);
bool hf_nexus_equal(const struct hf_nexus *a, const struct hf_nexus *b);
/* Copies and lowers the name. -ENAMETOOLONG past 223 bytes, -EINVAL when empty; *ret untouched. */
int hf_port_id_set(struct hf_port_id *ret, const char *name, size_t name_len, uint64_t isid);

/*
 * What a command is, as far as reservations care (scsi-reservations E.6, E.7; one bit each so that
 * hf_resv_admit() can answer for all of them at once).
 */
enum hf_access {
	HF_ACCESS_FREE = 0, /* INQUIRY, REPORT LUNS, REQUEST SENSE ...: passes every reservation */
	HF_ACCESS_STATUS = 1, /* TEST UNIT READY ...: passes every PR, stopped by SPC-2 RESERVE */
	HF_ACCESS_READ = 2,   /* READ, VERIFY, MODE SENSE ...: stopped by exclusive access types */
	HF_ACCESS_WRITE = 3,  /* WRITE, MODE SELECT, unknown ...: stopped by every type */
	HF_ACCESS_COUNT
};
#define HF_ACCESS_BIT(a)   (1u << (a))
#define HF_ACCESS_ALL_BITS ((1u << HF_ACCESS_COUNT) - 1)

enum hf_resv_type {
	HF_RESV_WE = 1,	   /* Write Exclusive */
	HF_RESV_EA = 3,	   /* Exclusive Access */
	HF_RESV_WE_RO = 5, /* Write Exclusive - Registrants Only */
	HF_RESV_EA_RO = 6, /* Exclusive Access - Registrants Only */
	HF_RESV_WE_AR = 7, /* Write Exclusive - All Registrants */
	HF_RESV_EA_AR = 8, /* Exclusive Access - All Registrants */
};

/* Operations. Those of PERSISTENT RESERVE OUT are 0x10 + service action (SPC-5, 6.15). */
enum hf_resv_kind {
	HF_RESV_LEGACY_RESERVE = 0x01, /* RESERVE(6), RESERVE(10) */
	HF_RESV_LEGACY_RELEASE = 0x02,
	HF_RESV_NEXUS_LOSS = 0x03,   /* this login of this nexus is over */
	HF_RESV_LU_RESET = 0x04,     /* LOGICAL UNIT RESET, TARGET RESET: one op per logical unit */
	HF_RESV_PEER_REMOVED = 0x05, /* all nexuses of target port op.nexus.rtpi are lost */
	HF_RESV_BREAK = 0x06,	     /* the operator clears everything; see hf_resv_apply() */
	HF_RESV_RETIRE = 0x07,	     /* the logical unit is about to be deleted */
	HF_RESV_READ = 0x08,	     /* PERSISTENT RESERVE IN: changes nothing, verdict only */
	HF_RESV_INFO_LOST = 0x09,    /* the persisted state could not be read */
	HF_RESV_RETIRE_FORCED =
		0x0a,	      /* RETIRE that the owner does not stop for hosts that use it */
	HF_RESV_ATTRS = 0x0b, /* MODE SELECT, SANITIZE: sets attributes of the logical unit */
	HF_RESV_PR_REGISTER = 0x10,
	HF_RESV_PR_RESERVE = 0x11,
	HF_RESV_PR_RELEASE = 0x12,
	HF_RESV_PR_CLEAR = 0x13,
	HF_RESV_PR_PREEMPT = 0x14,
	HF_RESV_PR_PREEMPT_ABORT = 0x15,
	HF_RESV_PR_REGISTER_IGNORE = 0x16,
	HF_RESV_PR_REGISTER_MOVE = 0x17,
	HF_RESV_PR_REPLACE_LOST = 0x18,
};

/*
 * Attributes of a logical unit that every controller has to know and that change in order with its
 * reservations. A reset ends the mode parameters. While SANITIZE runs, hosts change no attribute
 * and nothing retires; the target port that runs it is part of the state, so that it fails with its
 * controller.
 */
enum {
	HF_RESV_D_SENSE = 0x01, /* mode parameters (SPC-5, 7.5.10) */
	HF_RESV_TAS = 0x02,
	HF_RESV_SWP = 0x04,
	HF_RESV_MODE = 0x07,		/* all of them */
	HF_RESV_SANITIZE = 0x10,	/* a sanitize operation is in progress (SBC-3, 4.11) */
	HF_RESV_SANITIZE_FAILED = 0x20, /* the last one failed */
	HF_RESV_SANITIZE_AUSE = 0x40,	/* allow unrestricted sanitize exit */
	HF_RESV_ATTRS_KNOWN = 0x77,
};

/* An operation, decoded. Fields that a kind does not use are zero (so that encodings are equal). */
struct hf_resv_op {
	enum hf_resv_kind kind;
	struct hf_nexus nexus; /* who sent it, or whom it concerns */
	uint64_t login;	       /* number of that nexus' login, unique in the cluster for ever */
	uint64_t rk, sark;     /* RESERVATION KEY, SERVICE ACTION RESERVATION KEY */
	uint8_t scope, type;   /* as in the CDB, unchecked */
	bool spec_i_pt, all_tg_pt, aptpl, unreg;
	uint16_t dest_rtpi; /* REGISTER AND MOVE */
	/*
	 * ATTRS: those in attrs_mask become as in attrs. From a host (the nexus has a name) it
	 * needs the right to write. Without a name it is the word of target port nexus.rtpi on the
	 * sanitize operation that runs there, and void if none does.
	 */
	uint8_t attrs, attrs_mask;
	unsigned ids_len; /* SPEC_I_PT: count; REGISTER AND MOVE: 1 */
	struct hf_port_id ids[HF_RESV_IDS_MAX];
};

enum hf_status {
	HF_STATUS_GOOD = 0x00,
	HF_STATUS_CHECK_CONDITION = 0x02,
	HF_STATUS_BUSY = 0x08,
	HF_STATUS_RESERVATION_CONFLICT = 0x18,
	HF_STATUS_TASK_SET_FULL = 0x28,
	HF_STATUS_TASK_ABORTED = 0x40,
};

/* What the host is told. key, asc_ascq and the field pointer count for CHECK CONDITION only. */
struct hf_resv_verdict {
	enum hf_status status;
	uint8_t sense_key;
	uint16_t asc_ascq;
	bool field_valid;  /* the three below point at the field in error (SPC-5, 4.4.2.4) */
	bool field_in_cdb; /* in the CDB, else in the parameter list */
	uint16_t field_byte;
	int8_t field_bit; /* -1: none named */
};

enum hf_resv_effect_kind {
	HF_RESV_EFFECT_ABORT,	  /* abort all tasks of the nexus on this logical unit */
	HF_RESV_EFFECT_ATTENTION, /* raise unit attention asc_ascq for the nexus */
	HF_RESV_EFFECT_DRAIN, /* before the op is in force, the nexus' tasks on the medium end */
};

/* One effect. all_nexuses: every nexus of the logical unit but `nexus` (if that has a name). */
struct hf_resv_effect {
	enum hf_resv_effect_kind kind;
	bool all_nexuses;
	bool tas_ua; /* ABORT: with TAS=0 the victim gets 2F/00 COMMANDS CLEARED BY ANOTHER
			INITIATOR */
	uint16_t asc_ascq;
	struct hf_nexus nexus;
};

/* At most: each registered nexus loses something and is told so, twice. */
#define HF_RESV_EFFECTS_MAX (2 * HF_RESV_NEXUS_MAX + 4)

struct hf_resv_outcome {
	struct hf_resv_verdict verdict;
	bool changed; /* the digest differs, or an effect has to happen on every controller */
	bool persist; /* the APTPL image on disk must be brought up to date before GOOD */
	unsigned effects_len;
	struct hf_resv_effect effects[HF_RESV_EFFECTS_MAX];
};

struct hf_resv_config {
	uint16_t ports[HF_RESV_PORTS_MAX]; /* relative target port ids of all controllers, ascending
					    */
	unsigned ports_len;
	unsigned registrations_max; /* 1 .. HF_RESV_NEXUS_MAX; past it 55/04 */
};

struct hf_resv; /* opaque: the state of one logical unit */

/* NULL when out of memory. The state is empty: nothing registered, nothing reserved. */
struct hf_resv *hf_resv_create(const struct hf_resv_config *config);
void hf_resv_destroy(struct hf_resv *r);

/* dst becomes equal to src. Both must come from the same configuration. Cost: what is in use. */
void hf_resv_copy(struct hf_resv *dst, const struct hf_resv *src);

/*
 * Carries out op on r. Total: every op gives a verdict; on any verdict but GOOD r is unchanged.
 * RETIRE: GOOD when nothing is reserved or registered and no SANITIZE runs, else RESERVATION
 * CONFLICT; afterwards hf_resv_is_retired(), and every command of a host ends in 25/00. BREAK:
 * removes reservation and registrations, 2A/03 to former registrants (legacy holder: 29/00 class is
 * not raised), ends "information lost", turns APTPL off; PRGENERATION stays. INFO_LOST: whatever
 * there was is gone; `persist` stays false, so that what cannot be read now is not overwritten.
 * ATTRS of a host while SANITIZE runs: BUSY (a SCSI target makes NOT READY 04/1B of it).
 * Order of refusals: retired, lost (44/01), SPC-2 reservation, registration and key, then the rest
 * as in scsi-reservations E.5b. PREEMPT AND ABORT: an ABORT for each nexus that is preempted, the
 * sender's own included when it preempts its own registration; the caller spares the command
 * itself.
 */
void hf_resv_apply(struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *ret);

/* Which access classes the nexus may use now: HF_ACCESS_BIT()s; HF_ACCESS_FREE is always in. */
unsigned hf_resv_admit(const struct hf_resv *r, const struct hf_nexus *nexus, uint64_t login);

/* Digest of the whole state; equal states (in whatever order they arose) have equal digests. */
uint64_t hf_resv_digest(const struct hf_resv *r);

uint8_t hf_resv_attrs(const struct hf_resv *r);

bool hf_resv_is_idle(const struct hf_resv *r); /* nothing reserved or registered; not lost */
bool hf_resv_is_lost(const struct hf_resv *r); /* "reservation information lost" */
bool hf_resv_is_retired(const struct hf_resv *r);
bool hf_resv_concerns(const struct hf_resv *r, const struct hf_nexus *nexus, uint64_t login);
/* would NEXUS_LOSS change anything? */

/* --- reading the state, for PERSISTENT RESERVE IN and for people --- */

struct hf_resv_registration {
	struct hf_nexus nexus;
	uint64_t key;
	bool holder; /* holds the reservation (every registrant under types 7 and 8) */
};

struct hf_resv_info {
	uint32_t generation; /* PRGENERATION */
	bool aptpl;
	bool legacy_held;
	struct hf_nexus legacy_holder;
	bool held; /* a persistent reservation exists */
	uint8_t type, scope;
	uint64_t holder_key; /* 0 under types 7 and 8 */
	unsigned registrations_len;
	uint8_t attrs;
	uint16_t sanitize_rtpi; /* where SANITIZE runs, or 0 */
};

void hf_resv_info(const struct hf_resv *r, struct hf_resv_info *ret);
/* i < registrations_len; ascending by (name, isid, rtpi). */
void hf_resv_registration(const struct hf_resv *r, unsigned i, struct hf_resv_registration *ret);

/*
 * Parameter data of PERSISTENT RESERVE IN, service actions 0 to 3. Writes at most cap bytes (the
 * allocation length cuts it) and returns the number written; -EINVAL: no such service action.
 * Whether the nexus may ask at all (SPC-2 reservation, lost) is hf_resv_apply(HF_RESV_READ).
 */
int hf_resv_prin(const struct hf_resv *r, uint8_t service_action, uint8_t *buf, size_t cap);

/* --- PERSISTENT RESERVE OUT on the wire --- */

/*
 * Decodes CDB (10 bytes) and parameter list into an op of `nexus`. On 0 *ret is complete. On
 * -EBADMSG *ret_verdict says what is wrong with the bytes; of *ret only kind, nexus, login and rk
 * count, and those only if *ret_after_key. Then the host is told *ret_verdict unless
 * hf_resv_prout_conflicts(): registration and key come before the list's fields, but after service
 * action and length (scsi-reservations E.5b). What only the state tells is hf_resv_apply()'s.
 */
int hf_resv_prout_decode(const uint8_t *cdb, const uint8_t *list, size_t list_len,
	const struct hf_nexus *nexus, uint64_t login, struct hf_resv_op *ret,
	struct hf_resv_verdict *ret_verdict, bool *ret_after_key);

/*
 * Does a PERSISTENT RESERVE OUT of this kind end in RESERVATION CONFLICT for what the sender is
 * (not registered, not the holder that REGISTER AND MOVE asks for) or for its RESERVATION KEY?
 */
bool hf_resv_prout_conflicts(
	const struct hf_resv *r, enum hf_resv_kind kind, const struct hf_nexus *nexus, uint64_t rk);

/* TransportID of an iSCSI initiator port, format 01b; returns its size (a multiple of 4). */
#define HF_TRANSPORT_ID_MAX 256
size_t hf_transport_id_encode(const struct hf_port_id *id, uint8_t buf[HF_TRANSPORT_ID_MAX]);
/* Decodes one at the head of buf; *ret_size = bytes it takes. -EBADMSG: malformed, cut, unfit. */
int hf_transport_id_decode(
	const uint8_t *buf, size_t len, struct hf_port_id *ret, size_t *ret_size);

/* --- ops and states as bytes, for the bus, the disk and the log --- */

/* Canonical; returns bytes written or -ENOSPC. HF_RESV_OP_BYTES_MAX always suffices. */
#define HF_RESV_OP_BYTES_MAX (288 + HF_RESV_IDS_MAX * 240)
int hf_resv_op_encode(const struct hf_resv_op *op, uint8_t *buf, size_t cap);
int hf_resv_op_decode(const uint8_t *buf, size_t len, struct hf_resv_op *ret); /* -EBADMSG */

/* The whole state (snapshot for a newcomer): hf_resv_decode() of it has the same digest. */
#define HF_RESV_STATE_BYTES_MAX (512 + HF_RESV_NEXUS_MAX * 248)
int hf_resv_encode(const struct hf_resv *r, uint8_t *buf, size_t cap);
int hf_resv_decode(struct hf_resv *r, const uint8_t *buf, size_t len); /* -EBADMSG: r unchanged */

/*
 * What outlives power: registrations and persistent reservation if APTPL is active, else "none"; a
 * lost state stays "lost".
 * PRGENERATION and the SPC-2 reservation are not in it (scsi-reservations E.1, E.7).
 */
int hf_resv_persist_encode(const struct hf_resv *r, uint8_t *buf, size_t cap);
int hf_resv_persist_decode(struct hf_resv *r, const uint8_t *buf, size_t len);

/* Names for logs and tables; never NULL. */
const char *hf_resv_kind_name(enum hf_resv_kind kind);
const char *hf_resv_type_name(uint8_t type);

#ifdef __cplusplus
}
#endif

#endif
