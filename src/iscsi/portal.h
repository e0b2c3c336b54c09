/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of the iSCSI target: portal_uring.c accepts on the control loop and hands each connection
 * to a loop, where conn_uring.c moves bytes between its socket and the machine of conn.h.
 */
#ifndef HF_ISCSI_PORTAL_H
#define HF_ISCSI_PORTAL_H

#include "conn.h"

struct hf_iscsi_loop {
	struct hf_iscsi_registry *registry;
	struct hf_loop *loop;
	struct hf_scsi_loop *scsi;
	struct hf_list sockets; /* struct hf_iscsi_socket */
	/* Several of them are busy: who received last, receives since another one did. */
	const struct hf_iscsi_socket *last;
	unsigned shared;
};

/* One accepted connection: made and freed on the control loop, in between on its own. */
struct hf_iscsi_socket {
	struct hf_list node; /* on il->sockets */
	struct hf_iscsi_portal *portal;
	struct hf_iscsi_loop *il;
	struct hf_iscsi_conn *conn;
	int fd;
	char peer[80];
	bool receiving, sending; /* rx_req, tx_req are out */
	bool kicked, shut;
	unsigned gathered; /* receives whose answers have waited for the next one's */
	struct hf_req rx_req, tx_req;
	struct iovec rx_iov[2];
	struct hf_msg kick_msg, move_msg; /* move: to its loop, and back to the control loop */
	void (*ended)(struct hf_iscsi_socket *s); /* on its loop: nothing is left of it there */
};

/* On il's loop: makes the machine and starts. A failure ends like a lost connection. */
void hf_iscsi_socket_start(struct hf_iscsi_socket *s);
void hf_iscsi_socket_stop(struct hf_iscsi_socket *s);

#endif
