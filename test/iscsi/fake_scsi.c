/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of the fake: what initiators need to see a disk and to use it. */
#include "fake_scsi.h"
#include "endian.h"

enum op {
	TEST_UNIT_READY = 0x00,
	REQUEST_SENSE = 0x03,
	INQUIRY = 0x12,
	MODE_SENSE_6 = 0x1a,
	READ_CAPACITY_10 = 0x25,
	READ_10 = 0x28,
	WRITE_10 = 0x2a,
	SYNCHRONIZE_CACHE_10 = 0x35,
	READ_16 = 0x88,
	WRITE_16 = 0x8a,
	SERVICE_ACTION_IN = 0x9e,
	REPORT_LUNS = 0xa0,
};

static struct hf_lu_table *table_of(const struct hf_scsi_task *t)
{
	return t->session->table;
}

static uint8_t *disk_of(const struct hf_scsi_task *t)
{
	return (uint8_t *)(void *)t->itl->lu;
}

int hf_scsi_lun_decode(uint64_t field, uint16_t *ret_lun)
{
	if (field >> 48 > HF_LUN_MAX || field << 16)
		return -EINVAL;
	*ret_lun = (uint16_t)(field >> 48);
	return 0;
}

void hf_scsi_sense(struct hf_scsi_task *t, uint8_t key, uint16_t asc_ascq)
{
	t->status = HF_STATUS_CHECK_CONDITION;
	memset(t->sense, 0, 18);
	t->sense[0] = 0x70;
	t->sense[2] = key;
	t->sense[7] = 10;
	hf_put_be16(t->sense + 12, asc_ascq);
	t->sense_len = 18;
	t->in_len = 0;
}

static bool is_long(const struct hf_scsi_task *t)
{
	return t->cdb[0] == READ_16 || t->cdb[0] == WRITE_16;
}

static uint64_t lba_of(const struct hf_scsi_task *t)
{
	return is_long(t) ? hf_get_be64(t->cdb + 2) : hf_get_be32(t->cdb + 2);
}

static uint64_t bytes_of(const struct hf_scsi_task *t)
{
	return (is_long(t) ? hf_get_be32(t->cdb + 10) : hf_get_be16(t->cdb + 7)) *
	       (uint64_t)FAKE_BLOCK_BYTES;
}

static uint32_t allocation_of(const struct hf_scsi_task *t)
{
	switch (t->cdb[0]) {
	case INQUIRY:
		return hf_get_be16(t->cdb + 3);
	case MODE_SENSE_6:
	case REQUEST_SENSE:
		return t->cdb[4];
	case READ_CAPACITY_10:
		return 8;
	case SERVICE_ACTION_IN:
		return hf_get_be32(t->cdb + 10);
	case REPORT_LUNS:
		return hf_get_be32(t->cdb + 6);
	default:
		return 0;
	}
}

static bool prepare_blocks(struct hf_scsi_task *t, bool writes)
{
	uint64_t bytes = bytes_of(t), blocks = table_of(t)->blocks;

	if (!t->itl || lba_of(t) > blocks || bytes / FAKE_BLOCK_BYTES > blocks - lba_of(t) ||
		bytes > HF_XFER_MAX_BYTES) {
		hf_scsi_sense(t, 0x5, t->itl ? 0x2100 : 0x2500);
		return false;
	}
	t->wants_bytes = bytes;
	t->buf_need = (uint32_t)bytes;
	t->out_len = writes && t->data_out ? (uint32_t)HF_MIN(bytes, t->expected_bytes) : 0;
	return true;
}

static bool prepare(struct hf_scsi_task *t)
{
	switch (t->cdb[0]) {
	case READ_10:
	case READ_16:
		return prepare_blocks(t, false);
	case WRITE_10:
	case WRITE_16:
		return prepare_blocks(t, true);
	case TEST_UNIT_READY:
	case SYNCHRONIZE_CACHE_10:
		return true;
	case INQUIRY:
	case MODE_SENSE_6:
	case READ_CAPACITY_10:
	case SERVICE_ACTION_IN:
	case REPORT_LUNS:
	case REQUEST_SENSE:
		t->buf_need = 512;
		return true;
	default:
		hf_scsi_sense(t, 0x5, 0x2000);
		return false;
	}
}

static void aborted(struct hf_lu_cmd *cmd)
{
	struct hf_scsi_task *t = hf_container_of(cmd, struct hf_scsi_task, cmd);

	t->status = cmd->tas ? HF_STATUS_TASK_ABORTED : HF_STATUS_GOOD;
	t->silent = !cmd->tas;
	t->aborted(t);
}

enum hf_scsi_next hf_scsi_arrive(struct hf_scsi_loop *s, struct hf_scsi_task *t, struct hf_itl *itl)
{
	t->itl = itl;
	t->status = HF_STATUS_GOOD;
	t->silent = t->drop_session = false;
	t->sense_len = 0;
	t->buf_need = t->out_len = t->in_len = 0;
	t->wants_bytes = 0;
	t->cmd = (struct hf_lu_cmd){.state = HF_LU_CMD_OUT, .abort = aborted};
	table_of(t)->arrived++;
	if (!prepare(t))
		return HF_SCSI_DONE;
	if (itl) {
		t->cmd.state = HF_LU_CMD_DORMANT;
		t->cmd.itl = itl;
		hf_list_push_back(&itl->commands, &t->cmd.node);
	}
	return HF_SCSI_READY;
}

static uint32_t inquiry(struct hf_scsi_task *t)
{
	uint8_t *b = t->buf;

	if (t->cdb[1] & 1) { /* VPD 00, 83 */
		b[1] = t->cdb[2];
		b[3] = t->cdb[2] ? 0 : 2;
		b[5] = t->cdb[2] ? 0 : 0x83;
		return 4u + b[3];
	}
	b[0] = t->itl ? 0 : 0x7f;
	b[2] = 6;
	b[3] = 2;
	b[4] = 91;
	b[7] = 2;
	memcpy(b + 8, "HOLDFASTFAKE DISK       0001", 28);
	return 96;
}

static uint32_t fill(struct hf_scsi_task *t)
{
	uint64_t last = table_of(t)->blocks - 1;

	memset(t->buf, 0, 512);
	switch (t->cdb[0]) {
	case INQUIRY:
		return inquiry(t);
	case MODE_SENSE_6:
		t->buf[0] = 3;
		return 4;
	case READ_CAPACITY_10:
		hf_put_be32(t->buf, (uint32_t)last);
		hf_put_be32(t->buf + 4, FAKE_BLOCK_BYTES);
		return 8;
	case SERVICE_ACTION_IN:
		hf_put_be64(t->buf, last);
		hf_put_be32(t->buf + 8, FAKE_BLOCK_BYTES);
		return 32;
	case REPORT_LUNS:
		t->buf[3] = FAKE_LUNS * 8;
		for (uint16_t i = 0; i < FAKE_LUNS; i++)
			hf_put_be16(t->buf + 8 + 8 * i, i);
		return 8 + 8 * FAKE_LUNS;
	default:
		t->buf[0] = 0x70;
		t->buf[7] = 10;
		return 18;
	}
}

static void finish(struct hf_scsi_task *t)
{
	uint64_t offset = lba_of(t) * FAKE_BLOCK_BYTES;

	table_of(t)->ran++;
	t->drop_session = table_of(t)->drop_runs;
	t->silent = t->cmd.aborted && !t->cmd.tas;
	t->status = t->cmd.aborted ? HF_STATUS_TASK_ABORTED : HF_STATUS_GOOD;
	switch (t->cmd.aborted ? TEST_UNIT_READY : t->cdb[0]) {
	case TEST_UNIT_READY:
	case SYNCHRONIZE_CACHE_10:
		break;
	case READ_10:
	case READ_16:
		t->in_len = (uint32_t)bytes_of(t);
		if (t->in_len)
			memcpy(t->buf, disk_of(t) + offset, t->in_len);
		break;
	case WRITE_10:
	case WRITE_16:
		if (t->out_len)
			memcpy(disk_of(t) + offset, t->buf, t->out_len);
		break;
	default:
		t->in_len = HF_MIN(fill(t), allocation_of(t));
		t->wants_bytes = t->in_len;
		break;
	}
	t->done(t);
}

void hf_scsi_run(struct hf_scsi_loop *s, struct hf_scsi_task *t)
{
	hf_assert(!t->buf_need || t->buf);
	t->waiting = table_of(t)->wait_runs;
	if ((table_of(t)->hold_runs || t->waiting) && t->itl) {
		t->cmd.state = HF_LU_CMD_PINNED;
		hf_list_remove(&t->cmd.node);
		hf_list_push_back(&table_of(t)->running, &t->cmd.node);
		return;
	}
	finish(t);
}

void hf_scsi_abandon(struct hf_scsi_loop *s, struct hf_scsi_task *t)
{
	table_of(t)->abandoned++;
	if (!t->waiting)
		return;
	hf_list_remove(&t->cmd.node);
	t->cmd.aborted = true;
	finish(t);
}

static bool has_aborted(struct hf_list *commands, const struct hf_itl *itl)
{
	hf_list_for_each (node, commands) {
		struct hf_lu_cmd *cmd = hf_list_entry(node, struct hf_lu_cmd, node);

		if (cmd->aborted && (!itl || cmd->itl == itl))
			return true;
	}
	return false;
}

static void finish_tmfs(struct hf_lu_table *table)
{
	hf_list_for_each_safe (node, &table->tmfs) {
		struct hf_tmf_req *req = hf_list_entry(node, struct hf_tmf_req, node);

		if (has_aborted(&table->running, req->itl))
			continue;
		hf_list_remove(&req->node);
		req->done(req, table->tmf_result);
	}
}

void hf_scsi_leave(struct hf_scsi_loop *s, struct hf_scsi_task *t)
{
	table_of(t)->left++;
	if (t->cmd.state == HF_LU_CMD_OUT)
		return;
	t->cmd.state = HF_LU_CMD_OUT;
	t->cmd.aborted = false;
	hf_list_remove(&t->cmd.node);
	finish_tmfs(table_of(t));
}

static void abort_one(struct hf_lu_cmd *cmd, bool tas)
{
	cmd->tas = tas;
	if (cmd->state == HF_LU_CMD_DORMANT)
		cmd->abort(cmd);
	else
		cmd->aborted = true;
}

static void abort_itl(struct hf_lu_table *table, struct hf_itl *itl, bool tas)
{
	while (!hf_list_is_empty(&itl->commands))
		abort_one(hf_list_entry(itl->commands.next, struct hf_lu_cmd, node), tas);
	hf_list_for_each (node, &table->running) {
		struct hf_lu_cmd *cmd = hf_list_entry(node, struct hf_lu_cmd, node);

		if (cmd->itl == itl)
			abort_one(cmd, tas);
	}
}

void fake_abort_all(struct hf_lu_session *s, bool tas)
{
	hf_list_for_each (node, &s->itls)
		abort_itl(s->table, hf_list_entry(node, struct hf_itl, session_node), tas);
}

void hf_lu_tmf(struct hf_tmf_req *req)
{
	struct hf_lu_table *table = req->session->table;

	hf_list_push_back(&table->tmfs, &req->node);
	if (req->function == HF_TMF_ABORT_TASK)
		abort_one(req->target, false);
	else if (req->itl)
		abort_itl(table, req->itl, false);
	else
		fake_abort_all(req->session, false);
	finish_tmfs(table);
}

void fake_release(struct hf_lu_table *t)
{
	struct hf_list *node;

	t->hold_runs = t->wait_runs = t->hold_detach = false;
	while (!hf_list_is_empty(&t->running)) {
		struct hf_lu_cmd *cmd = hf_list_entry(t->running.next, struct hf_lu_cmd, node);
		struct hf_scsi_task *task = hf_container_of(cmd, struct hf_scsi_task, cmd);

		hf_list_remove(&cmd->node);
		hf_list_push_back(&cmd->itl->commands, &cmd->node);
		finish(task);
	}
	while ((node = hf_list_pop_front(&t->detaching)) != NULL) {
		struct hf_lu_session *s = hf_list_entry(node, struct hf_lu_session, node);

		s->gone(s);
	}
}
