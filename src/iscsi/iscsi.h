/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The iSCSI target (RFC 7143), error recovery level 0, one connection per session. Three parts:
 *
 *	pdu.c login.c text.c chap.c ...	pure: bytes and keys
 *	conn.c				pure: one connection as a machine that is fed bytes and
 *					gives bytes; commands go down to src/scsi
 *	portal_uring.c			sockets: accept, receive, send, for one loop
 *
 * Knows no reservation rule.
 */
#ifndef HF_ISCSI_H
#define HF_ISCSI_H

#include "scsi.h"

struct hf_iscsi_chap_account {
	char user[HF_NAME_MAX + 1];
	char secret[256];
};

/* One entry of the access list. */
struct hf_iscsi_acl {
	char initiator[HF_ISCSI_NAME_MAX + 1]; /* iSCSI name, lower case; "*" = any */
	bool has_chap;			       /* CHAP with this account is required */
	struct hf_iscsi_chap_account chap;
};

struct hf_iscsi_config {
	char target_name[HF_ISCSI_NAME_MAX + 1];
	char target_alias[HF_NAME_MAX + 1];
	uint16_t tpgt; /* target portal group tag = own target port group; TSIH names follow */
	uint16_t rtpi;
	bool allow_none; /* AuthMethod=None is acceptable, but only where no chap is required */
	unsigned acl_len;
	struct hf_iscsi_acl *acl; /* empty: any initiator (then chap_* or allow_none decide) */
	bool has_chap;		  /* account for initiators without one of their own */
	struct hf_iscsi_chap_account chap;
	bool has_mutual_chap; /* what this target proves itself with */
	struct hf_iscsi_chap_account mutual_chap;
	bool discovery_needs_chap;
	/* Addresses of all portals, "IP:PORT,TPGT", for SendTargets; own ones first. */
	unsigned portals_len;
	char portals[2 * HF_CONTROLLERS_MAX][80];
	uint32_t max_recv_data_segment_bytes; /* offered: default 262144 */
	uint32_t max_burst_bytes, first_burst_bytes;
	uint16_t queue_depth; /* command window per session: default 128 */
	bool digests_required;
	uint32_t nop_interval_ms, nop_timeout_ms; /* 0 = never ping */
	uint32_t login_timeout_ms;
};

/* Per loop: connections, sessions' tasks, buffers. */
struct hf_iscsi_loop;

/* Shared by the loops: which session (name, ISID) is on which loop, for reinstatement. Control loop
 * only; loops ask it by message. */
struct hf_iscsi_registry;

int hf_iscsi_registry_create(const struct hf_iscsi_config *config, struct hf_loop *control,
	struct hf_lu_table *luns, uint64_t incarnation, struct hf_iscsi_registry **ret);
void hf_iscsi_registry_destroy(struct hf_iscsi_registry *r);

int hf_iscsi_loop_create(struct hf_iscsi_registry *r, struct hf_loop *loop,
	struct hf_scsi_loop *scsi, struct hf_iscsi_loop **ret);
void hf_iscsi_loop_destroy(struct hf_iscsi_loop *il); /* no connection may be left */

/*
 * Starts accepting on listen_fd (a bound, listening socket; owned by the portal from here on) and
 * spreads connections over `loops`. stop: closes the listener and all connections, then done().
 */
struct hf_iscsi_portal;
int hf_iscsi_portal_create(struct hf_iscsi_registry *r, int listen_fd,
	struct hf_iscsi_loop *const *loops, unsigned loops_len, struct hf_iscsi_portal **ret);
void hf_iscsi_portal_stop(struct hf_iscsi_portal *p, void (*done)(void *arg), void *arg);

/* For `holdfast session`: calls fn for each session, on the control loop. */
struct hf_iscsi_session_info {
	char initiator[HF_ISCSI_NAME_MAX + 1];
	char alias[HF_NAME_MAX + 1];
	uint64_t isid;
	uint16_t tsih;
	char peer[80];
	unsigned loop;
	bool discovery;
	bool header_digest, data_digest;
	char auth[16];
	uint64_t login_seconds; /* hf_loop clock */
};
void hf_iscsi_registry_each(struct hf_iscsi_registry *r,
	void (*fn)(void *arg, const struct hf_iscsi_session_info *info), void *arg);

#endif
