/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EXTENDED COPY(LID1) between logical units of this target (SPC-4, 6.4). Each piece is read under a
 * pin of the sending nexus at the source and written under one at the destination, so reservations
 * of both count, also when they change in between. The command itself stays unpinned in its task
 * set.
 */
#include "copy.h"

#include <stdlib.h>

struct scsi_copy *scsi_copy_create(void)
{
	return calloc(1, sizeof(struct scsi_copy));
}

void scsi_copy_destroy(struct scsi_copy *copy)
{
	free(copy);
}

bool scsi_extended_copy_prepare(struct hf_scsi_task *t)
{
	if (t->count > SCSI_COPY_LIST_BYTES)
		return scsi_illegal(t, SCSI_ASC_LIST_LENGTH);
	scsi_takes(t, t->count);
	return true;
}

static void copy_aborted(struct hf_scsi_task *t, uint16_t asc_ascq)
{
	hf_scsi_sense(t, SCSI_KEY_COPY_ABORTED, asc_ascq);
	scsi_finish(t);
}

/* --- who is meant --- */

static bool is_target(const struct scsi_copy_target *target, const struct hf_itl *itl)
{
	uint8_t buf[16];
	struct hf_wr w = hf_wr_of(buf, sizeof(buf));

	scsi_designate_naa(&w, hf_itl_info(itl));
	return target->kind == buf[1] && target->len == hf_wr_len(&w) - 4 &&
	       memcmp(target->id, buf + 4, target->len) == 0;
}

static void begin_segment(struct hf_scsi_task *t);
static void look_on(struct hf_scsi_task *t);

static void found(struct hf_scsi_task *t, struct hf_itl *itl)
{
	struct scsi_copy *copy = t->scratch->copy;

	copy->targets[copy->target++].itl = itl;
	copy->lun = 0;
}

static void attached(struct hf_itl_waiter *waiter, struct hf_itl *itl)
{
	struct hf_scsi_scratch *x = hf_container_of(waiter, struct hf_scsi_scratch, waiter);

	if (itl && is_target(&x->copy->targets[x->copy->target], itl))
		found(x->task, itl);
	look_on(x->task);
}

/* The next logical unit of this target, until the target is found. false: wait for attached(). */
static bool look_further(struct hf_scsi_task *t)
{
	struct scsi_copy *copy = t->scratch->copy;
	const struct scsi_copy_target *target = &copy->targets[copy->target];

	if (target->null || copy->lun == copy->luns_len) {
		found(t, NULL);
		return true;
	}
	if (copy->lun == 0 && is_target(target, t->itl)) {
		found(t, t->itl);
		return true;
	}
	while (copy->lun < copy->luns_len) {
		bool none = false;
		struct hf_itl *itl = hf_itl_find(
			t->session, copy->luns[copy->lun++], &t->scratch->waiter, &none);

		if (!itl && !none)
			return false;
		if (itl && is_target(target, itl)) {
			found(t, itl);
			return true;
		}
	}
	found(t, NULL);
	return true;
}

static void look_on(struct hf_scsi_task *t)
{
	struct scsi_copy *copy = t->scratch->copy;

	if (t->cmd.aborted) {
		scsi_finish(t);
		return;
	}
	while (copy->target < copy->targets_len) {
		if (!look_further(t))
			return;
	}
	begin_segment(t);
}

/* --- the segments --- */

static struct hf_itl *reach(const struct scsi_copy *copy, uint16_t index)
{
	return index < copy->targets_len ? copy->targets[index].itl : NULL;
}

static bool in_range(const struct hf_lu_info *info, uint64_t lba, uint64_t bytes)
{
	return bytes % info->block_bytes == 0 && lba < info->blocks &&
	       bytes / info->block_bytes <= info->blocks - lba;
}

static bool may_write(struct hf_scsi_task *t, const struct hf_lu_info *info)
{
	bool protected = info->write_protected || (scsi_attrs(info) & HF_RESV_SWP);

	if (protected)
		hf_scsi_sense(t, SCSI_KEY_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED);
	else if (scsi_sanitizes(info))
		hf_scsi_sense(t, SCSI_KEY_NOT_READY, SCSI_ASC_SANITIZE_IN_PROGRESS);
	else
		return true;
	return false;
}

static void read_piece(struct hf_scsi_task *t);

static void begin_segment(struct hf_scsi_task *t)
{
	struct scsi_copy *copy = t->scratch->copy;
	const struct scsi_copy_segment *s = &copy->segments[copy->segment];
	const struct hf_lu_info *from, *to;

	if (copy->segment == copy->segments_len) {
		scsi_good(t);
		return;
	}
	if (!reach(copy, s->source) || !reach(copy, s->destination)) {
		copy_aborted(t, SCSI_ASC_COPY_TARGET_UNREACHABLE);
		return;
	}
	from = hf_itl_info(reach(copy, s->source));
	to = hf_itl_info(reach(copy, s->destination));
	copy->left_bytes = (uint64_t)s->blocks *
			   (s->count_at_destination ? to->block_bytes : from->block_bytes);
	if (copy->left_bytes > SCSI_COPY_SEGMENT_BYTES) {
		scsi_list_error(
			t, (uint16_t)(16 + copy->targets_len * 32 + copy->segment * 28 + 10), -1);
		scsi_finish(t);
		return;
	}
	if (!in_range(from, s->source_lba, copy->left_bytes) ||
		!in_range(to, s->destination_lba, copy->left_bytes)) {
		copy_aborted(t, SCSI_ASC_NONE);
		return;
	}
	if (!may_write(t, to)) {
		scsi_finish(t);
		return;
	}
	copy->source_byte = s->source_lba * from->block_bytes;
	copy->destination_byte = s->destination_lba * to->block_bytes;
	read_piece(t);
}

/* Ends one of the two inner commands; false: somebody aborted it, the task is finished. */
static bool inner_left(struct hf_scsi_task *t, struct hf_lu_cmd *cmd)
{
	bool aborted = cmd->aborted || t->cmd.aborted;

	t->cmd.tas |= cmd->aborted && cmd->tas;
	hf_lu_cmd_leave(cmd);
	if (!aborted)
		return true;
	t->cmd.aborted = true;
	scsi_finish(t);
	return false;
}

/* DORMANT only within inner_start(), where nobody else runs. */
static void inner_aborted(struct hf_lu_cmd *cmd)
{
	hf_assert(cmd->aborted);
}

static void inner_start(const struct hf_scsi_task *t, struct hf_lu_cmd *cmd, struct hf_itl *itl,
	enum hf_access access, uint64_t byte, uint32_t bytes,
	void (*go)(struct hf_lu_cmd *cmd, enum hf_admit how))
{
	uint32_t block = hf_itl_info(itl)->block_bytes;

	*cmd = (struct hf_lu_cmd){.state = HF_LU_CMD_OUT, .abort = inner_aborted, .go = go};
	hf_lu_cmd_enter(cmd, itl, access);
	cmd->serial = t->cmd.serial; /* as old as the task: what aborts that one aborts this */
	cmd->writes = access == HF_ACCESS_WRITE;
	cmd->lba = byte / block;
	cmd->blocks = bytes / block;
	hf_lu_cmd_start(cmd);
}

static bool inner_admitted(struct hf_scsi_task *t, struct hf_lu_cmd *cmd, enum hf_admit how)
{
	bool sanitized = how == HF_ADMIT_OK && scsi_sanitizes(hf_itl_info(cmd->itl));

	if (how == HF_ADMIT_OK && !sanitized)
		return true;
	hf_lu_cmd_leave(cmd);
	if (sanitized)
		hf_scsi_sense(t, SCSI_KEY_NOT_READY, SCSI_ASC_SANITIZE_IN_PROGRESS);
	else
		scsi_refuse(t, how);
	scsi_finish(t);
	return false;
}

static void wrote_piece(struct hf_scsi_task *t)
{
	struct scsi_copy *copy = t->scratch->copy;

	if (!inner_left(t, &t->scratch->destination))
		return;
	copy->left_bytes -= copy->chunk_bytes;
	copy->source_byte += copy->chunk_bytes;
	copy->destination_byte += copy->chunk_bytes;
	copy->copied_bytes += copy->chunk_bytes;
	if (copy->left_bytes == 0) {
		copy->segment++;
		begin_segment(t);
	} else {
		read_piece(t);
	}
}

static void io(struct hf_scsi_task *t, struct hf_lu_cmd *cmd, enum hf_pdev_op op, uint64_t byte,
	void (*then)(struct hf_scsi_task *t))
{
	const struct hf_lu_info *info = hf_itl_info(cmd->itl);

	t->then = then;
	scsi_io_at(t, info, op, 0, byte / info->block_bytes,
		t->scratch->copy->chunk_bytes / info->block_bytes, t->scratch->buf);
}

static void go_write(struct hf_lu_cmd *cmd, enum hf_admit how)
{
	struct hf_scsi_scratch *x = hf_container_of(cmd, struct hf_scsi_scratch, destination);

	if (inner_admitted(x->task, cmd, how))
		io(x->task, cmd, HF_PDEV_WRITE, x->copy->destination_byte, wrote_piece);
}

static void have_piece(struct hf_scsi_task *t)
{
	struct scsi_copy *copy = t->scratch->copy;
	const struct scsi_copy_segment *s = &copy->segments[copy->segment];

	if (!inner_left(t, &t->scratch->source))
		return;
	inner_start(t, &t->scratch->destination, reach(copy, s->destination), HF_ACCESS_WRITE,
		copy->destination_byte, copy->chunk_bytes, go_write);
}

static void go_read(struct hf_lu_cmd *cmd, enum hf_admit how)
{
	struct hf_scsi_scratch *x = hf_container_of(cmd, struct hf_scsi_scratch, source);

	if (inner_admitted(x->task, cmd, how))
		io(x->task, cmd, HF_PDEV_READ, x->copy->source_byte, have_piece);
}

static void read_piece(struct hf_scsi_task *t)
{
	struct scsi_copy *copy = t->scratch->copy;
	const struct scsi_copy_segment *s = &copy->segments[copy->segment];

	if (copy->left_bytes == 0) {
		copy->segment++;
		begin_segment(t);
		return;
	}
	if (t->cmd.aborted) {
		scsi_finish(t);
		return;
	}
	copy->chunk_bytes = (uint32_t)HF_MIN(copy->left_bytes, SCSI_SCRATCH_BYTES);
	inner_start(t, &t->scratch->source, reach(copy, s->source), HF_ACCESS_READ,
		copy->source_byte, copy->chunk_bytes, go_read);
}

void scsi_extended_copy_run(struct hf_scsi_task *t)
{
	struct hf_scsi_scratch *x = t->scratch;
	struct scsi_copy *copy = x->copy;

	copy->remembered = false;
	x->source.state = x->destination.state = HF_LU_CMD_OUT;
	if (t->count == 0) {
		scsi_good(t);
		return;
	}
	if (!scsi_copy_decode(t, copy)) {
		scsi_finish(t);
		return;
	}
	x->waiter.ready = attached;
	copy->target = copy->lun = copy->segment = 0;
	copy->copied_bytes = 0;
	copy->luns_len = HF_MIN(hf_lu_luns(t->session, copy->luns, HF_LDEVS_MAX), HF_LDEVS_MAX);
	look_on(t);
}

void scsi_copy_ended(struct hf_scsi_task *t)
{
	struct hf_scsi_scratch *x = t->scratch;

	if (!x) /* aborted while it waited for one */
		return;
	/* After a failed request its pin is still there. */
	if (x->source.state != HF_LU_CMD_OUT)
		hf_lu_cmd_leave(&x->source);
	if (x->destination.state != HF_LU_CMD_OUT)
		hf_lu_cmd_leave(&x->destination);
	if (x->copy->remembered)
		scsi_copy_result_end(t->itl, x->copy->list_id,
			t->status == HF_STATUS_GOOD && !t->cmd.aborted, (uint16_t)x->copy->segment,
			x->copy->copied_bytes);
}
