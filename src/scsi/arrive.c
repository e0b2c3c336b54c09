/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of a command through the SCSI layer: arrive (decode, refuse early), run (pin, handler),
 * leave. The order of refusals is SAM-5's: no logical unit; reset-class unit attentions;
 * RESERVATION CONFLICT; other unit attentions; then what is wrong with the command itself. Called
 * by transports.
 */
#include "scsi_internal.h"

static bool attention_is_reset(uint16_t asc_ascq)
{
	return asc_ascq >> 8 == 0x29;
}

static bool has_reset_attention(const struct hf_itl *itl)
{
	for (unsigned i = 0; i < itl->attentions_len; i++) {
		if (attention_is_reset(itl->attentions[i]))
			return true;
	}
	return false;
}

/* Unknown commands count as writes (scsi-reservations E.6), unknown service actions of PERSISTENT
 * RESERVE IN and OUT as the others of theirs. */
static enum hf_access access_of(const struct hf_scsi_task *t)
{
	if (t->row)
		return scsi_row_access(t->row, t->cdb);
	return t->cdb[0] == 0x5e || t->cdb[0] == 0x5f ? HF_ACCESS_STATUS : HF_ACCESS_WRITE;
}

static bool has(const struct hf_scsi_task *t, unsigned flag)
{
	return t->row && (t->row->flags & flag);
}

void scsi_refuse(struct hf_scsi_task *t, enum hf_admit how)
{
	switch (how) {
	case HF_ADMIT_OK:
		hf_assert(!"admitted, not refused");
		break;
	case HF_ADMIT_CONFLICT:
		t->status = HF_STATUS_RESERVATION_CONFLICT;
		break;
	case HF_ADMIT_NOT_READY:
		hf_scsi_sense(t, SCSI_KEY_NOT_READY, SCSI_ASC_ALUA_TRANSITION);
		break;
	case HF_ADMIT_LOST:
		hf_scsi_sense(t, SCSI_KEY_DATA_PROTECT, SCSI_ASC_RESERVATION_LOST);
		break;
	case HF_ADMIT_ABORTED:
		t->cmd.aborted = true; /* scsi_finish() says the rest */
		break;
	case HF_ADMIT_GONE:
		scsi_illegal(t, SCSI_ASC_NO_LU);
		break;
	}
}

/* Asymmetric access states (SPC-4, 5.15.2.4): what the own port may serve now. */
static bool port_serves(struct hf_scsi_task *t)
{
	const struct hf_target *target = hf_lu_target(t->session);
	enum hf_alua_state state = HF_ALUA_ACTIVE_OPTIMIZED;

	for (unsigned i = 0; i < target->ports_len; i++) {
		if (target->ports[i].rtpi == target->own_rtpi)
			state = target->ports[i].state;
	}
	switch (state) {
	case HF_ALUA_ACTIVE_OPTIMIZED:
	case HF_ALUA_ACTIVE_NON_OPTIMIZED:
		return true;
	case HF_ALUA_STANDBY:
		if (has(t, SCSI_PASSES_STANDBY))
			return true;
		hf_scsi_sense(t, SCSI_KEY_NOT_READY, SCSI_ASC_ALUA_STANDBY);
		return false;
	case HF_ALUA_TRANSITIONING:
		if (has(t, SCSI_PASSES_UNAVAILABLE))
			return true;
		hf_scsi_sense(t, SCSI_KEY_NOT_READY, SCSI_ASC_ALUA_TRANSITION);
		return false;
	case HF_ALUA_UNAVAILABLE:
	case HF_ALUA_OFFLINE:
		break;
	}
	if (has(t, SCSI_PASSES_UNAVAILABLE))
		return true;
	hf_scsi_sense(t, SCSI_KEY_NOT_READY, SCSI_ASC_ALUA_UNAVAILABLE);
	return false;
}

static bool sanitize_lets_pass(struct hf_scsi_task *t, const struct hf_lu_info *info)
{
	uint32_t attrs = scsi_attrs(info);

	if (has(t, SCSI_PASSES_SANITIZE))
		return true;
	if (attrs & HF_RESV_SANITIZE) {
		scsi_sanitize_sense(t);
		return false;
	}
	if ((attrs & HF_RESV_SANITIZE_FAILED) && t->cdb[0] != 0x48) {
		hf_scsi_sense(t, SCSI_KEY_MEDIUM_ERROR, SCSI_ASC_SANITIZE_FAILED);
		return false;
	}
	return true;
}

/* A bit that the usage mask does not name is reserved, obsolete or not supported: 24/00. */
static bool usage_allows(struct hf_scsi_task *t)
{
	uint8_t usage[16];

	if (t->cdb_len < t->row->cdb_len)
		return scsi_cdb_error(t, t->cdb_len, -1);
	scsi_row_usage(t->row, t->itl ? scsi_info(t) : NULL, usage);
	if (t->row->sa != SCSI_NO_SA)
		usage[1] |= 0x1f;
	for (uint8_t i = 1; i < t->row->cdb_len; i++) {
		unsigned bad = t->cdb[i] & ~(unsigned)usage[i] & 0xff;

		if (bad)
			return scsi_cdb_error(t, i, (int8_t)(31 - __builtin_clz(bad)));
	}
	return true;
}

static bool write_protect_allows(struct hf_scsi_task *t, const struct hf_lu_info *info)
{
	if (!has(t, SCSI_MEDIUM_WRITE))
		return true;
	if (info->write_protected) {
		hf_scsi_sense(t, SCSI_KEY_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED);
		return false;
	}
	if (scsi_attrs(info) & HF_RESV_SWP) {
		hf_scsi_sense(t, SCSI_KEY_DATA_PROTECT, SCSI_ASC_SOFTWARE_WRITE_PROTECTED);
		return false;
	}
	return true;
}

static uint64_t cdb_number(const uint8_t *cdb, struct scsi_at at)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < at.len; i++)
		v = v << 8 | cdb[at.byte + i];
	return v;
}

static bool prepare(struct hf_scsi_task *t)
{
	if (!usage_allows(t))
		return false;
	t->lba = cdb_number(t->cdb, t->row->lba);
	t->count = cdb_number(t->cdb, t->row->count);
	if (t->itl && !write_protect_allows(t, scsi_info(t)))
		return false;
	return !t->row->prepare || t->row->prepare(t);
}

/* The oldest attention becomes the command's status. */
static bool report_attention(struct hf_scsi_task *t)
{
	uint16_t asc_ascq = hf_itl_attention_take(t->itl);

	hf_assert(asc_ascq);
	hf_scsi_sense(t, SCSI_KEY_UNIT_ATTENTION, asc_ascq);
	return false;
}

static void aborted(struct hf_lu_cmd *cmd)
{
	struct hf_scsi_task *t = hf_container_of(cmd, struct hf_scsi_task, cmd);

	cmd->aborted = true;
	if (t->running) {
		if (t->waiting) {
			scsi_wait_abort(t);
			scsi_finish(t);
		}
		return; /* a handler between two pins looks at cmd->aborted */
	}
	t->status = cmd->tas ? HF_STATUS_TASK_ABORTED : HF_STATUS_GOOD;
	t->silent = !cmd->tas;
	if (t->aborted)
		t->aborted(t);
}

static bool arrive_at_lu(struct hf_scsi_task *t, bool opcode_known)
{
	const struct hf_lu_info *info = scsi_info(t);
	bool passes = has(t, SCSI_PASSES_ATTENTION);
	enum hf_admit how;

	if (!passes && has_reset_attention(t->itl))
		return report_attention(t);
	t->cmd.abort = aborted;
	hf_lu_cmd_enter(&t->cmd, t->itl, access_of(t));
	t->cmd.is_resv = has(t, SCSI_BY_MACHINE);
	/* The machine judges its own commands in its queue; another answer here would be of a state
	 * that ops before it are about to change (W4). */
	if (!has(t, SCSI_BY_MACHINE)) {
		how = hf_lu_cmd_peek(&t->cmd);
		if (how != HF_ADMIT_OK) {
			scsi_refuse(t, how);
			return false;
		}
	}
	if (!passes && hf_itl_attention_peek(t->itl))
		return report_attention(t);
	if (!t->row && opcode_known)
		return scsi_cdb_error(t, 1, 4);
	if (!t->row)
		return scsi_illegal(t, SCSI_ASC_BAD_OPCODE);
	/* While a SANITIZE is about to begin or to end, call_then() looks. */
	return port_serves(t) && (!hf_itl_is_settled(t->itl) || sanitize_lets_pass(t, info)) &&
	       prepare(t);
}

enum hf_scsi_next hf_scsi_arrive(struct hf_scsi_loop *s, struct hf_scsi_task *t, struct hf_itl *itl)
{
	bool opcode_known = false, ready;

	t->loop = s;
	t->itl = itl;
	t->buf_need = t->out_len = t->in_len = 0;
	t->silent = t->drop_session = t->running = t->waiting = t->begun = t->abandoned = false;
	t->status = HF_STATUS_GOOD;
	t->sense_len = 0;
	t->wants_bytes = 0;
	t->scratch = NULL;
	t->resv = NULL;
	t->step = 0;
	t->cmd = (struct hf_lu_cmd){.state = HF_LU_CMD_OUT};
	t->row = scsi_row_find(
		t->cdb[0], t->cdb[1] & 0x1f, itl ? hf_itl_info(itl) : NULL, &opcode_known);
	if (itl)
		ready = arrive_at_lu(t, opcode_known);
	else if (has(t, SCSI_NO_LU_OK))
		ready = prepare(t);
	else
		ready = scsi_illegal(t, SCSI_ASC_NO_LU);
	if (ready)
		return HF_SCSI_READY;
	hf_scsi_leave(s, t);
	return HF_SCSI_DONE;
}

/* A command that gathered data, or had to wait, enters the enabled state only now, so what has been
 * raised meanwhile comes first (SAM-5, 5.14). One that has begun is carried on. */
static bool attention_came(struct hf_scsi_task *t, enum hf_admit how)
{
	if (t->begun || has(t, SCSI_PASSES_ATTENTION))
		return false;
	if (how == HF_ADMIT_OK)
		return hf_itl_attention_peek(t->itl) != 0;
	return how == HF_ADMIT_CONFLICT && has_reset_attention(t->itl);
}

static void call_then(struct hf_lu_cmd *cmd, enum hf_admit how)
{
	struct hf_scsi_task *t = hf_container_of(cmd, struct hf_scsi_task, cmd);

	if (attention_came(t, how)) {
		report_attention(t);
		scsi_finish(t);
		return;
	}
	t->begun = true;
	/* It may have come before a SANITIZE that has begun since. */
	if (how == HF_ADMIT_OK && sanitize_lets_pass(t, scsi_info(t))) {
		t->then(t);
		return;
	}
	if (how != HF_ADMIT_OK)
		scsi_refuse(t, how);
	scsi_finish(t);
}

static void start(struct hf_scsi_task *t)
{
	t->then = t->row->run;
	t->cmd.go = call_then;
	if (has(t, SCSI_HOLDS_RANGE) && t->cmd.blocks)
		hf_lu_cmd_start_range(&t->cmd);
	else
		hf_lu_cmd_start(&t->cmd);
}

static void by_machine(struct hf_scsi_task *t)
{
	scsi_resv_get(t, t->row->run);
}

void scsi_op(struct hf_scsi_task *t, void (*then)(struct hf_scsi_task *t))
{
	t->then = then;
	t->cmd.go = call_then;
	hf_lu_cmd_start_op(&t->cmd);
}

void hf_scsi_run(struct hf_scsi_loop *s, struct hf_scsi_task *t)
{
	hf_assert(t->loop == s && !t->running);
	t->running = true;
	if (!t->itl)
		t->row->run(t);
	else if (has(t, SCSI_BY_MACHINE))
		scsi_op(t, by_machine);
	else if (has(t, SCSI_SCRATCH))
		/* Before the pin: a pinned command waits for nothing but the medium. */
		scsi_scratch_get(t, has(t, SCSI_OWN_PIN) ? t->row->run : start);
	else if (has(t, SCSI_OWN_PIN))
		t->row->run(t);
	else
		start(t);
}

void hf_scsi_abandon(struct hf_scsi_loop *s, struct hf_scsi_task *t)
{
	hf_assert(t->loop == s && t->running);
	t->abandoned = true;
	/* As if it were aborted: nothing below works on a task that waits. */
	if (t->waiting)
		aborted(&t->cmd);
}

void scsi_pin(struct hf_scsi_task *t, bool writes, uint64_t lba, uint64_t blocks,
	void (*then)(struct hf_scsi_task *t))
{
	t->cmd.writes = writes;
	t->cmd.lba = lba;
	t->cmd.blocks = (uint32_t)HF_MIN(blocks, UINT32_MAX);
	t->then = then;
	t->cmd.go = call_then;
	hf_lu_cmd_start(&t->cmd);
}

bool scsi_unpin(struct hf_scsi_task *t)
{
	uint64_t serial = t->cmd.serial;

	if (t->cmd.aborted) {
		scsi_finish(t);
		return false;
	}
	hf_lu_cmd_leave(&t->cmd);
	hf_lu_cmd_enter(&t->cmd, t->itl, access_of(t));
	t->cmd.serial = serial; /* still the command that came then */
	return true;
}

void scsi_finish(struct hf_scsi_task *t)
{
	hf_assert(t->running && !t->waiting);
	if (t->row->ended)
		t->row->ended(t);
	if (t->scratch)
		scsi_scratch_put(t);
	if (t->resv)
		scsi_resv_put(t);
	if (t->cmd.aborted) {
		t->silent = !t->cmd.tas;
		t->status = t->cmd.tas ? HF_STATUS_TASK_ABORTED : HF_STATUS_GOOD;
		t->sense_len = 0;
		t->in_len = 0;
	}
	t->running = false;
	t->done(t);
}

void scsi_good(struct hf_scsi_task *t)
{
	t->status = HF_STATUS_GOOD;
	scsi_finish(t);
}

void hf_scsi_leave(struct hf_scsi_loop *s, struct hf_scsi_task *t)
{
	hf_assert(t->loop == s && !t->running);
	if (t->cmd.state != HF_LU_CMD_OUT)
		hf_lu_cmd_leave(&t->cmd);
}
