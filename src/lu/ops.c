/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reservation commands and other ops on their way from a session to the bus and back. An op is heap
 * storage of its own, for it may outlive the command it came from (outcome in doubt, INV-7).
 */
#include "lu_internal.h"
#include "canary.h"
#include "spare.h"

#include <stdlib.h>

static struct lu_op *op_create(struct hf_lu *lu, const struct hf_resv_op *op, bool owed)
{
	/* Encoded first to a buffer on the stack: most ops are far smaller than the largest. */
	uint8_t bytes[HF_RESV_OP_BYTES_MAX];
	int len = hf_resv_op_encode(op, bytes, sizeof(bytes));
	struct lu_op *o;

	hf_assert(len > 0);
	if (!owed && hf_spare_is_short())
		return NULL; /* a host can be told to come again */
	o = hf_spare_malloc(sizeof(*o) + (size_t)len);
	memset(o, 0, sizeof(*o));
	memcpy(o->bytes, bytes, (size_t)len);
	o->prop.dev = lu->info->id;
	o->prop.op = o->bytes;
	o->prop.op_len = (size_t)len;
	o->prop.owed = owed;
	o->lu = lu;
	lu->refs++;
	return o;
}

int lu_op_propose(struct hf_lu *lu, const struct hf_resv_op *op, bool owed, struct hf_resv_req *req,
	struct lu_tmf_op *tmf, struct hf_lu_admin_op *admin)
{
	struct lu_op *o = op_create(lu, op, owed);

	if (!o)
		return -ENOMEM;
	o->req = req;
	o->tmf = tmf;
	o->admin = admin;
	hf_bus_propose(lu->table->bus, &o->prop);
	return 0;
}

int lu_op_propose_loss(struct hf_lu *lu, const struct hf_resv_op *op, struct lu_loss *loss)
{
	struct lu_op *o = op_create(lu, op, true);

	if (!o)
		return -ENOMEM;
	o->loss = loss;
	o->next_lost = loss->first;
	loss->first = o;
	hf_bus_propose(lu->table->bus, &o->prop);
	return 0;
}

/* --- the host's requests --- */

static void req_done(struct hf_msg *msg)
{
	struct hf_resv_req *req = hf_container_of(msg, struct hf_resv_req, msg);

	req->cmd->op = false;
	req->done(req, req->result);
}

static void req_answer(struct hf_resv_req *req, int result)
{
	req->result = result;
	req->msg.run = req_done;
	hf_loop_post(req->cmd->itl->session->loop, &req->msg);
}

static void req_propose(struct hf_msg *msg)
{
	struct hf_resv_req *req = hf_container_of(msg, struct hf_resv_req, msg);
	struct hf_lu *lu = req->cmd->itl->lu;
	int rc = -ENODEV;

	if (lu->stopped)
		rc = -EAGAIN;
	else if (!lu->removed)
		rc = lu_op_propose(lu, &req->op, false, req, NULL, NULL);
	if (rc)
		req_answer(req, rc);
}

void hf_lu_reserve(struct hf_resv_req *req)
{
	struct hf_lu_cmd *cmd = req->cmd;
	struct hf_lu_session *s = cmd->itl->session;

	hf_assert(cmd->state == HF_LU_CMD_DORMANT && !cmd->op);
	cmd->op = true;
	req->op.nexus = s->nexus;
	req->op.login = s->login;
	req->buf_len = 0;
	req->msg.run = req_propose;
	hf_loop_post(s->table->control, &req->msg);
}

/* --- the engine's answers --- */

/* The verdict on an op that was not carried out, from the settled state. */
static void evaluate(struct lu_op *o, struct hf_resv_verdict *ret)
{
	struct hf_lu_table *t = o->lu->table;

	hf_assert(lu_try(o->lu, o->prop.op, o->prop.op_len) == 0);
	hf_assert(!t->outcome.changed);
	*ret = t->outcome.verdict;
}

static void req_verdict(struct lu_op *o, const struct hf_resv_verdict *verdict)
{
	struct hf_resv_req *req = o->req;
	int n;

	req->verdict = *verdict;
	if (req->malformed && verdict->status == HF_STATUS_GOOD)
		req->verdict =
			hf_resv_prout_conflicts(
				o->lu->cur, req->malformed, &req->op.nexus, req->malformed_rk)
				? (struct hf_resv_verdict){.status = HF_STATUS_RESERVATION_CONFLICT}
				: req->field_error;
	if (req->prin && verdict->status == HF_STATUS_GOOD) {
		n = hf_resv_prin(o->lu->cur, req->prin_action, req->buf, req->buf_cap);
		hf_assert(n >= 0); /* the SCSI layer has checked the service action */
		req->buf_len = (size_t)n;
	}
	req_answer(req, 0);
}

static void tell(struct lu_op *o, int result, const struct hf_resv_verdict *verdict)
{
	if (o->req && !result)
		req_verdict(o, verdict);
	else if (o->req)
		req_answer(o->req, result);
	if (o->tmf)
		lu_tmf_op_done(o->tmf, result == -EAGAIN ? -EACCES : result);
	if (o->admin)
		o->admin->done(o->admin, result, verdict);
	if (o->loss)
		lu_loss_op_done(o);
}

void hf_lu_bus_answer(struct hf_lu_table *t, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	struct lu_op *o = hf_container_of(prop, struct lu_op, prop);
	struct hf_resv_verdict verdict = {.status = HF_STATUS_GOOD};
	struct hf_lu *lu = o->lu;

	switch (how) {
	case HF_BUS_ANSWER_LOOK:
		evaluate(o, &verdict);
		tell(o, 0, &verdict);
		break;
	case HF_BUS_ANSWER_APPLIED:
		tell(o, HF_PLANTED(TELL_FAILURE) && lu->n % 16 == 0 ? -EIO : 0, &lu->verdict);
		break;
	case HF_BUS_ANSWER_FAILED:
		tell(o, lu->drain_result == -EBUSY ? -EBUSY : -EIO, &verdict);
		break;
	case HF_BUS_ANSWER_NOT_READY:
		tell(o, -EAGAIN, &verdict);
		break;
	}
	free(o);
	lu_unref(lu);
}

/* Outcome unknown beyond the bound: no status is made up, the host's connection is closed. */
void hf_lu_bus_doubt(struct hf_lu_table *t, struct hf_bus_prop *prop)
{
	struct lu_op *o = hf_container_of(prop, struct lu_op, prop);

	if (o->req)
		req_answer(o->req, -ENOTCONN);
	o->req = NULL;
	if (o->tmf)
		lu_tmf_op_done(o->tmf, -ENOTCONN);
	o->tmf = NULL;
}
