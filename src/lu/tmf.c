/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Task management (SAM-5, 7). Aborts of a nexus' own commands are local to its loop; a reset is an
 * op on the bus for each logical unit, so that it aborts on every controller (U4). Task sets are
 * per nexus (TST=001b), so CLEAR TASK SET is ABORT TASK SET.
 */
#include "lu_internal.h"
#include "spare.h"

#include <stdlib.h>

/* --- aborts of one's own commands --- */

static bool still_there(const struct hf_tmf_req *req)
{
	hf_list_for_each (n, &req->itl->commands) {
		const struct hf_lu_cmd *cmd = hf_list_entry(n, struct hf_lu_cmd, node);

		if (req->function == HF_TMF_ABORT_TASK ? cmd->serial == req->serial
						       : cmd->serial <= req->serial)
			return true;
	}
	return false;
}

void lu_tmf_cmd_left(struct hf_itl *itl)
{
	hf_list_for_each_safe (n, &itl->tmfs) {
		struct hf_tmf_req *req = hf_list_entry(n, struct hf_tmf_req, node);

		if (!still_there(req)) {
			hf_list_remove(&req->node);
			req->done(req, 0);
		}
	}
}

static void abort_own(struct hf_tmf_req *req)
{
	struct hf_itl *itl = req->itl;

	if (req->function == HF_TMF_ABORT_TASK) {
		req->serial = req->target->serial;
		if (req->target->state != HF_LU_CMD_OUT)
			lu_cmd_abort(req->target, false);
	} else {
		req->serial = itl->local->loop->serial;
		lu_itl_abort_all(itl, req->serial, false, false);
	}
	if (still_there(req))
		hf_list_push_back(&itl->tmfs, &req->node);
	else
		req->done(req, 0);
}

/* --- resets --- */

static void reset_done(struct hf_msg *msg)
{
	struct hf_tmf_req *req = hf_container_of(msg, struct hf_tmf_req, msg);

	req->done(req, req->result);
}

static void reset_tell(struct lu_tmf_op *tmf, int result)
{
	if (tmf->told)
		return;
	tmf->told = true;
	tmf->req->result = result;
	tmf->req->msg.run = reset_done;
	hf_loop_post(tmf->req->session->loop, &tmf->req->msg);
}

void lu_tmf_op_done(struct lu_tmf_op *tmf, int result)
{
	if (result && !tmf->result)
		tmf->result = result;
	if (result == -ENOTCONN)
		reset_tell(tmf, result);
	if (--tmf->left)
		return;
	reset_tell(tmf, tmf->result);
	free(tmf);
}

static void reset_one(struct lu_tmf_op *tmf, struct hf_lu *lu)
{
	struct hf_resv_op op = {.kind = HF_RESV_LU_RESET,
		.nexus = tmf->req->session->nexus,
		.login = tmf->req->session->login};
	int rc;

	tmf->left++;
	rc = lu->stopped || lu->removed ? -EACCES : lu_op_propose(lu, &op, false, NULL, tmf, NULL);
	if (rc)
		lu_tmf_op_done(tmf, rc == -ENOMEM ? -EIO : rc);
}

/* On the control loop. */
static void reset(struct hf_msg *msg)
{
	struct hf_tmf_req *req = hf_container_of(msg, struct hf_tmf_req, msg);
	struct lu_tmf_op *tmf = hf_spare_calloc(1, sizeof(*tmf));

	tmf->req = req;
	tmf->left = 1; /* this function's own */
	if (req->itl) {
		reset_one(tmf, req->itl->lu);
	} else {
		struct hf_lu_table *t = req->session->table;

		for (unsigned i = 0; i < HF_LDEVS_MAX; i++) {
			if (t->by_index[i] && !t->by_index[i]->removed)
				reset_one(tmf, t->by_index[i]);
		}
	}
	lu_tmf_op_done(tmf, 0);
}

void hf_lu_tmf(struct hf_tmf_req *req)
{
	hf_list_init(&req->node);
	switch (req->function) {
	case HF_TMF_ABORT_TASK:
	case HF_TMF_ABORT_TASK_SET:
	case HF_TMF_CLEAR_TASK_SET:
		abort_own(req);
		break;
	case HF_TMF_LU_RESET:
	case HF_TMF_TARGET_WARM_RESET:
	case HF_TMF_TARGET_COLD_RESET:
		req->msg.run = reset;
		hf_loop_post(req->session->table->control, &req->msg);
		break;
	}
}
