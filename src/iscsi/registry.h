/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which sessions there are, kept on the control loop; sessions on other loops ask by message. Sees
 * to session reinstatement (RFC 7143, 6.3.5): a login with the name and ISID of a living session
 * waits until that session's commands have left and it is gone. Makes no system call.
 *
 *	session's loop		 control loop
 *	hf_registry_admit  ---->  free? --------------------------> admitted()
 *				  taken: drop() to the old one, wait for its leave
 *	hf_registry_leave  ---->  next in line is admitted; -------> left()
 *
 * leave may be called while admit is out (the connection was lost): left() comes last of all.
 */
#ifndef HF_ISCSI_REGISTRY_H
#define HF_ISCSI_REGISTRY_H

#include "iscsi.h"

enum hf_registration_state {
	HF_REG_NONE, /* before admit, after left */
	HF_REG_ASKED,
	HF_REG_ADMITTED,
	HF_REG_REFUSED, /* too many sessions */
};

/* One session's entry; the connection's storage from admit until left(). */
struct hf_registration {
	struct hf_iscsi_registry *registry;
	struct hf_loop *loop; /* the session's */
	struct hf_iscsi_session_info
		info;	/* filled in before admit; tsih and time by the registry */
	uint64_t login; /* out: number of this login, unique for ever */
	/* All on the session's loop. */
	void (*admitted)(struct hf_registration *g, bool ok);
	void (*drop)(struct hf_registration *g); /* a new login takes this one's place */
	void (*left)(struct hf_registration *g);

	bool asked; /* from admit until left() */

	/* the registry's */
	struct hf_list node;
	enum hf_registration_state state; /* the control loop's */
	bool leaving, drop_sent;
	struct hf_msg admit_msg, drop_msg, leave_msg;
};

void hf_registry_admit(struct hf_registration *g);
void hf_registry_leave(struct hf_registration *g);

/* What the connections of all loops share, read only. */
const struct hf_iscsi_config *hf_registry_config(const struct hf_iscsi_registry *r);
struct hf_lu_table *hf_registry_luns(const struct hf_iscsi_registry *r);
struct hf_loop *hf_registry_control(const struct hf_iscsi_registry *r);

#endif
