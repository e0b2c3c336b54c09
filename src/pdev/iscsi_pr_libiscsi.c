/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PERSISTENT RESERVE IN and OUT to a LUN of a third controller. Unlike requests they are not sent
 * again on another session: who asks looks at what is there and decides anew.
 */
#include "iscsi_libiscsi.h"
#include "endian.h"

enum { UNIT_ATTENTIONS_MAX = 32 };

static void send_pr(struct iscsi_pdev *p, struct hf_pdev_pr *pr);

static void finish(struct hf_pdev_pr *pr, int result)
{
	hf_list_remove(&pr->node);
	hf_pdev_pr_finish_later(pr, result);
}

static int result_of(const struct scsi_task *task, int status, struct hf_pdev_pr *pr)
{
	struct hf_remote_verdict v =
		hf_remote_judge((unsigned)status, task->sense.key, (unsigned)task->sense.ascq);

	if (status == SCSI_STATUS_RESERVATION_CONFLICT)
		return -EBADE;
	if (v.next == HF_REMOTE_UNKNOWN)
		return -EOPNOTSUPP;
	if (v.next != HF_REMOTE_GOOD)
		return v.error ? v.error : -EAGAIN;
	if (pr->out)
		return 0;
	pr->ret_len = HF_MIN(pr->len, task->datain.data ? (size_t)task->datain.size : 0);
	memcpy(pr->buf, task->datain.data ? task->datain.data : pr->buf, pr->ret_len);
	return 0;
}

static void pr_done(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct hf_pdev_pr *pr = arg;
	struct iscsi_pdev *p = iscsi_pdev_of(pr->pdev);
	struct scsi_task *task = pr->driver;

	pr->driver = NULL;
	if (p->is_ending || status == SCSI_STATUS_CANCELLED || status == SCSI_STATUS_ERROR ||
		status == SCSI_STATUS_TIMEOUT) {
		finish(pr, -EIO);
		if (!p->is_ending)
			hf_pdev_iscsi_lose(
				p, -EIO, "the connection ended (%s)", iscsi_get_error(ctx));
	} else if (status == SCSI_STATUS_CHECK_CONDITION &&
		   task->sense.key == SCSI_SENSE_UNIT_ATTENTION &&
		   ++pr->attentions < UNIT_ATTENTIONS_MAX) {
		send_pr(p, pr);
	} else {
		finish(pr, result_of(task, status, pr));
	}
	scsi_free_scsi_task(task);
}

static void send_pr(struct iscsi_pdev *p, struct hf_pdev_pr *pr)
{
	uint8_t cdb[10] = {pr->out ? 0x5f : 0x5e, pr->action, pr->out ? pr->type : 0};
	struct iscsi_data out = {.size = pr->len, .data = pr->buf};
	struct scsi_task *task;

	if (pr->out)
		hf_put_be32(cdb + 5, (uint32_t)pr->len);
	else
		hf_put_be16(cdb + 7, (uint16_t)pr->len);
	task = scsi_create_task(
		sizeof(cdb), cdb, pr->out ? SCSI_XFER_WRITE : SCSI_XFER_READ, (int)pr->len);
	if (!task) {
		finish(pr, -ENOMEM);
		return;
	}
	pr->driver = task;
	if (iscsi_scsi_command_async(p->ctx, p->hw_lun, task, pr_done, pr->out ? &out : NULL, pr)) {
		pr->driver = NULL;
		scsi_free_scsi_task(task);
		finish(pr, -EIO);
	}
}

void hf_pdev_iscsi_pr(struct hf_pdev *pdev, struct hf_pdev_pr *pr)
{
	struct iscsi_pdev *p = iscsi_pdev_of(pdev);

	hf_assert(pr->loop == p->loop);
	pr->driver = NULL;
	pr->attentions = 0;
	hf_list_push_back(&p->prs, &pr->node);
	if (p->state != ISCSI_UP || p->is_lost) {
		finish(pr, -ENOTCONN);
		return;
	}
	send_pr(p, pr);
	hf_pdev_iscsi_settle(p);
}

void hf_pdev_iscsi_pr_take_back(struct iscsi_pdev *p)
{
	while (!hf_list_is_empty(&p->prs)) {
		struct hf_pdev_pr *pr = hf_list_entry(p->prs.next, struct hf_pdev_pr, node);

		if (pr->driver)
			scsi_free_scsi_task(pr->driver);
		pr->driver = NULL;
		finish(pr, -EIO);
	}
}
