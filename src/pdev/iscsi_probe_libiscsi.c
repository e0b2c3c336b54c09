/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is done on every new session before requests go out: wait out the unit attentions, make sure
 * that nothing of an earlier session is left (below), and look whether the LUN is what it was. A
 * LUN that has become another one is never written to.
 *
 * The target terminates the tasks of a session that is reinstated (RFC 7143, 6.3.5). Some answer
 * the login first and let a write that one of their threads has begun end later: Debian's tgt does.
 * Such a write could land after it was sent again, and after its pin. A LOGICAL UNIT RESET is
 * answered when no task is left in the LUN (SAM-5, 7.7), so it is sent when a session takes over
 * from one that may have left tasks. Other controllers' commands in this LUN then end in TASK
 * ABORTED or a unit attention, and are sent again by them.
 */
#include "iscsi_libiscsi.h"
#include "log.h"

#include <stdio.h>

enum { REPEATS_MAX = 64, PAGE_BYTES = 1024 };

enum step {
	STEP_READY,
	STEP_RESET,
	STEP_READY_AGAIN,
	STEP_INQUIRY,
	STEP_CAPACITY,
	STEP_CAPACITY10,
	STEP_IDENTITY,
	STEP_LIMITS,
	STEP_PROVISIONING,
	STEP_END,
};

static void take_step(struct iscsi_pdev *p);

static void next_step(struct iscsi_pdev *p)
{
	p->probe_step++;
	p->probe_repeats = 0;
	take_step(p);
}

/* The new session's LUN against the one that was opened. */
static void compare(struct iscsi_pdev *p)
{
	const struct hf_remote_lun *was = &p->lun, *is = &p->probed;

	if (is->block_bytes != 512 && is->block_bytes != 4096)
		return hf_pdev_iscsi_lose(p, -EMEDIUMTYPE,
			"the LUN has logical blocks of %u bytes; only 512 and 4096 can be used",
			is->block_bytes);
	if (p->is_open && is->identity != was->identity)
		return hf_pdev_iscsi_lose(p, -EIO,
			"behind this LUN is another disk than before; nothing is written to it; "
			"give the LUN its disk back");
	if (p->is_open && (is->block_bytes != was->block_bytes || is->blocks < was->blocks))
		return hf_pdev_iscsi_lose(p, -EIO,
			"the LUN has %llu blocks of %u bytes and had %llu of %u; give it back its "
			"size",
			(unsigned long long)is->blocks, is->block_bytes,
			(unsigned long long)was->blocks, was->block_bytes);
	p->lun = *is;
	hf_pdev_iscsi_session_up(p);
}

static void take_inquiry(struct iscsi_pdev *p, const struct scsi_task *task)
{
	int err = hf_remote_decode_inquiry(task->datain.data, (size_t)task->datain.size);

	if (!err)
		return next_step(p);
	hf_pdev_iscsi_lose(p, err, "%s",
		err == -ENXIO	      ? "the target has no such LUN; iscsi-ls -s shows those it has"
		: err == -EMEDIUMTYPE ? "this LUN is no disk; iscsi-ls -s shows those that are"
				      : "the LUN's INQUIRY data are cut short");
}

/* The good answer to a step. */
static void take_data(struct iscsi_pdev *p, const struct scsi_task *task)
{
	const void *data = task->datain.data;
	size_t len = data ? (size_t)task->datain.size : 0;
	int err = 0;

	switch ((enum step)p->probe_step) {
	case STEP_INQUIRY:
		return take_inquiry(p, task);
	case STEP_CAPACITY:
		err = hf_remote_decode_capacity16(data, len, &p->probed);
		if (!err)
			p->probe_step = STEP_CAPACITY10;
		break;
	case STEP_CAPACITY10:
		err = hf_remote_decode_capacity10(data, len, &p->probed);
		break;
	case STEP_IDENTITY:
		(void)hf_remote_decode_identification(data, len, &p->probed);
		break;
	case STEP_LIMITS:
		(void)hf_remote_decode_block_limits(data, len, &p->probed);
		break;
	case STEP_PROVISIONING:
		(void)hf_remote_decode_provisioning(data, len, &p->probed);
		break;
	default:
		break;
	}
	if (err)
		return hf_pdev_iscsi_lose(p, -EIO, "the LUN does not tell its capacity");
	next_step(p);
}

/* The LUN knows no such command or page. */
static void take_refusal(struct iscsi_pdev *p)
{
	if (p->probe_step == STEP_CAPACITY || p->probe_step >= STEP_IDENTITY)
		return next_step(p);
	hf_pdev_iscsi_lose(p, -EIO,
		"the LUN refuses TEST UNIT READY, INQUIRY or READ CAPACITY, which every disk "
		"knows");
}

static void step_done(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct iscsi_pdev *p = arg;
	struct scsi_task *task = data;
	struct hf_remote_verdict v;

	if (p->is_ending || p->is_lost)
		goto out;
	if (status == SCSI_STATUS_CANCELLED || status == SCSI_STATUS_ERROR ||
		status == SCSI_STATUS_TIMEOUT || !task) {
		hf_pdev_iscsi_lose(p, -EIO, "the connection ended (%s)", iscsi_get_error(ctx));
		goto out;
	}
	v = hf_remote_judge((unsigned)status, task->sense.key, (unsigned)task->sense.ascq);
	if (v.next == HF_REMOTE_AGAIN && ++p->probe_repeats < REPEATS_MAX)
		take_step(p);
	else if (p->probe_step == STEP_READY) /* ready or not: the reset comes first */
		next_step(p);
	else if (v.next == HF_REMOTE_GOOD)
		take_data(p, task);
	else if (v.next == HF_REMOTE_GONE)
		hf_pdev_iscsi_lose(p, -ENXIO,
			"the target has no LUN %u; iscsi-ls -s shows those it has", p->where.lun);
	else if (v.next == HF_REMOTE_UNKNOWN)
		take_refusal(p);
	else
		hf_pdev_iscsi_lose(p, v.error ? v.error : -EBUSY,
			"the LUN is not ready (status %02xh, sense key %xh, %04xh)", status,
			task->sense.key, task->sense.ascq);
out:
	if (task)
		scsi_free_scsi_task(task);
}

static void reset_done(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct iscsi_pdev *p = arg;
	uint32_t response = status == SCSI_STATUS_GOOD && data ? *(uint32_t *)data : UINT32_MAX;

	if (p->is_ending || p->is_lost)
		return;
	if (status != SCSI_STATUS_GOOD)
		return hf_pdev_iscsi_lose(
			p, -EIO, "the connection ended (%s)", iscsi_get_error(ctx));
	if (response != ISCSI_TMR_FUNC_COMPLETE)
		hf_warning("%s: the target refuses LOGICAL UNIT RESET (response %u); that nothing "
			   "of an earlier session is left rests on its session reinstatement alone",
			p->name, response);
	p->must_reset = false;
	next_step(p);
}

static void take_step(struct iscsi_pdev *p)
{
	struct iscsi_context *ctx = p->ctx;
	int lun = p->hw_lun, rc = 0;
	struct scsi_task *task = NULL;

	switch ((enum step)p->probe_step) {
	case STEP_READY_AGAIN:
		p->is_over = true;
		/* fall through */
	case STEP_READY:
		task = iscsi_testunitready_task(ctx, lun, step_done, p);
		break;
	case STEP_RESET:
		if (!p->must_reset || p->where.no_reset)
			return next_step(p);
		/* Not iscsi_task_mgmt_lun_reset_async(): it would end the command in whose
		 * callback we are once more. */
		rc = iscsi_task_mgmt_async(
			ctx, lun, ISCSI_TM_LUN_RESET, 0xffffffff, 0, reset_done, p);
		if (rc)
			hf_pdev_iscsi_lose(p, -EIO, "%s", iscsi_get_error(ctx));
		return;
	case STEP_INQUIRY:
		task = iscsi_inquiry_task(ctx, lun, 0, 0, 255, step_done, p);
		break;
	case STEP_CAPACITY:
		task = iscsi_readcapacity16_task(ctx, lun, step_done, p);
		break;
	case STEP_CAPACITY10:
		task = iscsi_readcapacity10_task(ctx, lun, 0, 0, step_done, p);
		break;
	case STEP_IDENTITY:
		task = iscsi_inquiry_task(ctx, lun, 1, 0x83, PAGE_BYTES, step_done, p);
		break;
	case STEP_LIMITS:
		task = iscsi_inquiry_task(ctx, lun, 1, 0xb0, 255, step_done, p);
		break;
	case STEP_PROVISIONING:
		if (!p->probed.is_thin)
			return next_step(p);
		task = iscsi_inquiry_task(ctx, lun, 1, 0xb2, 255, step_done, p);
		break;
	case STEP_END:
		return compare(p);
	}
	if (!task)
		hf_pdev_iscsi_lose(p, -EIO, "%s", iscsi_get_error(ctx));
}

void hf_pdev_iscsi_probe(struct iscsi_pdev *p)
{
	memset(&p->probed, 0, sizeof(p->probed));
	p->probe_step = STEP_READY;
	p->probe_repeats = 0;
	take_step(p);
}
