/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RESERVE, RELEASE, PERSISTENT RESERVE IN and OUT, and changes of attributes: put into the form of
 * the reservation machine and handed to the logical unit, which agrees on them with the other
 * controllers. No rule of reservations is here.
 */
#include "scsi_internal.h"

enum { LIST_BYTES_MAX = 64 << 10 };

static void verdict(struct hf_scsi_task *t, const struct hf_resv_verdict *v)
{
	t->status = (uint8_t)v->status;
	if (v->status == HF_STATUS_BUSY)
		scsi_sanitize_sense(t);
	if (v->status != HF_STATUS_CHECK_CONDITION)
		return;
	if (v->field_valid && v->sense_key == SCSI_KEY_ILLEGAL_REQUEST)
		hf_scsi_sense_field(t, v->asc_ascq, v->field_in_cdb, v->field_byte, v->field_bit);
	else
		hf_scsi_sense(t, v->sense_key, v->asc_ascq);
}

static void answer(struct hf_scsi_task *t, const struct hf_resv_req *req, int result)
{
	switch (result) {
	case 0:
		verdict(t, &req->verdict);
		if (req->prin && t->status == HF_STATUS_GOOD) {
			t->wants_bytes = req->buf_len;
			t->in_len = (uint32_t)HF_MIN(req->buf_len, scsi_expected(t, SCSI_DIR_IN));
		}
		break;
	case -EAGAIN:
		hf_scsi_sense(t, SCSI_KEY_NOT_READY, SCSI_ASC_ALUA_TRANSITION);
		break;
	case -ENODEV:
		scsi_illegal(t, SCSI_ASC_NO_LU);
		break;
	case -ENOMEM: /* nothing has been done; there may be memory in a moment */
		t->status = HF_STATUS_BUSY;
		break;
	case -ENOTCONN:
		t->drop_session = true;
		break;
	default:
		hf_scsi_sense(t, SCSI_KEY_HARDWARE_ERROR, SCSI_ASC_INTERNAL_FAILURE);
		break;
	}
}

static void done(struct hf_resv_req *req, int result)
{
	struct hf_scsi_task *t = hf_container_of(req->cmd, struct hf_scsi_task, cmd);

	answer(t, req, result);
	scsi_finish(t);
}

static void attrs_done(struct hf_resv_req *req, int result)
{
	struct hf_scsi_task *t = hf_container_of(req->cmd, struct hf_scsi_task, cmd);

	answer(t, req, result);
	t->then(t);
}

static struct hf_resv_req *request(struct hf_scsi_task *t, enum hf_resv_kind kind)
{
	struct hf_resv_req *req = t->resv;

	memset(req, 0, sizeof(*req));
	req->cmd = &t->cmd;
	req->op.kind = kind;
	req->done = done;
	return req;
}

void scsi_attrs_set(struct hf_scsi_task *t, uint8_t attrs, uint8_t attrs_mask,
	void (*then)(struct hf_scsi_task *t))
{
	struct hf_resv_req *req = request(t, HF_RESV_ATTRS);

	req->op.attrs = attrs;
	req->op.attrs_mask = attrs_mask;
	req->done = attrs_done;
	t->then = then;
	hf_lu_reserve(req);
}

bool scsi_reserve_prepare(struct hf_scsi_task *t)
{
	return true;
}

void scsi_reserve_run(struct hf_scsi_task *t)
{
	bool reserve = t->row->opcode == 0x16 || t->row->opcode == 0x56;

	hf_lu_reserve(request(t, reserve ? HF_RESV_LEGACY_RESERVE : HF_RESV_LEGACY_RELEASE));
}

bool scsi_prin_prepare(struct hf_scsi_task *t)
{
	return scsi_prepare_reply(t, (uint32_t)t->count);
}

void scsi_prin_run(struct hf_scsi_task *t)
{
	struct hf_resv_req *req = request(t, HF_RESV_READ);

	req->prin = true;
	req->prin_action = t->row->sa;
	req->buf = t->buf;
	req->buf_cap = t->count;
	hf_lu_reserve(req);
}

bool scsi_prout_prepare(struct hf_scsi_task *t)
{
	if (t->count > LIST_BYTES_MAX)
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	scsi_takes(t, t->count);
	return true;
}

void scsi_prout_run(struct hf_scsi_task *t)
{
	struct hf_resv_req *req = request(t, HF_RESV_PR_REGISTER + t->row->sa);
	struct hf_resv_verdict v;
	enum hf_resv_kind kind;
	bool after_key;
	uint64_t rk;

	if (hf_resv_prout_decode(t->cdb, t->buf, t->out_len, &t->session->nexus, t->session->login,
		    &req->op, &v, &after_key) == 0) {
		hf_lu_reserve(req);
		return;
	}
	/* An SPC-2 reservation of somebody else goes before any look at the list (E.5b). */
	if (hf_lu_cmd_peek(&t->cmd) == HF_ADMIT_CONFLICT) {
		scsi_refuse(t, HF_ADMIT_CONFLICT);
		scsi_finish(t);
	} else if (!after_key) {
		verdict(t, &v);
		scsi_finish(t);
	} else {
		/* That may be said to one who is registered and gave its key (E.5b). */
		kind = req->op.kind;
		rk = req->op.rk;
		req = request(t, HF_RESV_READ);
		req->malformed = kind;
		req->malformed_rk = rk;
		req->field_error = v;
		hf_lu_reserve(req);
	}
}
