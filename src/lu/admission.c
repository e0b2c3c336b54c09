/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A loop's side of the change dialogue: takes over a new admission between two events, drains its
 * own pins, raises attentions, aborts victims, wakes who waits (design 5, 9; W16).
 */
#include "lu_internal.h"
#include "canary.h"

/* What the fast path looks at. */
void lu_itl_masks(struct hf_itl *itl)
{
	const struct hf_lu_local *l = itl->local;
	unsigned allow = itl->allow_cur;

	if (l->pending && !HF_PLANTED(ADMIT_OLD)) {
		allow &= itl->allow_next;
		/* A nexus that is about to be told something is not served in the meantime, so that
		 * the attention comes with the first command after the change (W2). */
		if (itl->attentive)
			allow = HF_ACCESS_BIT(HF_ACCESS_FREE);
	}
	if (l->gone || l->stopped || l->lost || l->loop->serving != LU_SERVES)
		allow = HF_ACCESS_BIT(HF_ACCESS_FREE);
	itl->allow = (uint8_t)allow;
}

void lu_local_masks(struct hf_lu_local *l)
{
	hf_list_for_each (n, &l->itls)
		lu_itl_masks(hf_list_entry(n, struct hf_itl, loop_node));
}

/* --- hold --- */

/* Does the pending op want the pins of this nexus gone? */
static bool is_victim(const struct hf_lu_local *l, struct hf_itl *itl)
{
	const struct hf_lu *lu = l->lu;
	bool victim = false;

	for (unsigned i = 0; i < lu->effects_len; i++) {
		if (!lu_effect_hits(&lu->effects[i], &itl->session->nexus))
			continue;
		lu_itl_expects(itl, &lu->effects[i]);
		if (lu->effects[i].kind == HF_RESV_EFFECT_ATTENTION)
			continue;
		victim |= lu->effects[i].kind == HF_RESV_EFFECT_DRAIN || !HF_PLANTED(SPARE_VICTIMS);
	}
	return victim;
}

/* Marks the pins that must end before the next state is in force; they are counted per loop. */
static void mark_pins(struct hf_lu_local *l, struct hf_itl *itl, bool victim)
{
	hf_list_for_each (n, &itl->commands) {
		struct hf_lu_cmd *cmd = hf_list_entry(n, struct hf_lu_cmd, node);

		if (cmd->state != HF_LU_CMD_PINNED || HF_PLANTED(SKIP_DRAIN))
			continue;
		if (HF_PLANTED(RETIRE_UNDRAINED) && l->lu->op_kind == HF_RESV_RETIRE_FORCED)
			continue;
		if (!victim && (itl->allow_next & HF_ACCESS_BIT(cmd->access)))
			continue;
		cmd->must_drain = true;
		l->pins_left++;
	}
}

static void drained(struct hf_lu_local *l, int result)
{
	l->draining = false;
	l->drained_result = result;
	/* After "seen": once every loop has drained, every loop has seen the hold, and the bus may
	 * apply the op in the very call that tells it. */
	if (l->changing)
		l->drained_due = true;
	else
		hf_loop_post(l->lu->table->control, &l->drained_msg);
}

static void hold(struct hf_lu_local *l)
{
	int result = 0;

	hf_assert(!l->pending && !l->pins_left);
	l->pending = true;
	l->hold_serial = l->loop->serial;
	hf_list_for_each (n, &l->itls) {
		struct hf_itl *itl = hf_list_entry(n, struct hf_itl, loop_node);
		bool victim;

		itl->attentive = itl->resetting = false;
		itl->allow_next =
			(uint8_t)hf_resv_admit(l->next, &itl->session->nexus, itl->session->login);
		victim = is_victim(l, itl);
		lu_itl_masks(itl);
		mark_pins(l, itl, victim);
		if (l->lu->op_kind == HF_RESV_RETIRE && itl->used) {
			/* In use: the device is not deleted under a host. */
			strcpy(l->in_use_by, itl->session->nexus.init.name);
			result = -EBUSY;
		}
	}
	l->draining = true;
	if (result || !l->pins_left)
		drained(l, result);
}

void lu_local_pin_gone(struct hf_lu_local *l, struct hf_lu_cmd *cmd)
{
	cmd->must_drain = false;
	hf_assert(l->pins_left);
	if (--l->pins_left == 0 && l->draining)
		drained(l, 0);
}

/* Another state is to come, which may forbid anything: all that was admitted has to end. */
static void clear(struct hf_lu_local *l)
{
	hf_assert(!l->pending && !l->pins_left);
	hf_list_for_each (n, &l->itls) {
		struct hf_itl *itl = hf_list_entry(n, struct hf_itl, loop_node);

		mark_pins(l, itl, true);
	}
	l->draining = true;
	if (!l->pins_left)
		drained(l, 0);
}

/* --- settle, unhold --- */

/* An abort hits what was there when the hold began: a command that came later has only waited for
 * the new state, and its host may know already that the op is over. */
static void carry_out(struct hf_itl *itl, const struct hf_resv_effect *e)
{
	/* By the state before the op, which may be a reset that ends TAS=1, too. */
	bool mode = hf_resv_attrs(itl->local->next) & HF_RESV_TAS;
	/* What a nexus aborts of its own ends without a status whatever TAS says (SAM-5, 5.3.1). */
	bool tas = mode && !hf_nexus_equal(&itl->lu->op_by, &itl->session->nexus);

	if (HF_PLANTED(LOSE_ATTENTION) && e->asc_ascq == 0x2a03)
		return;
	if (HF_PLANTED(GROUP_ONE_ATTENTION) && e->asc_ascq == 0x2a03 &&
		itl->session->nexus.rtpi != itl->lu->op_by.rtpi)
		return;
	if (e->kind == HF_RESV_EFFECT_ATTENTION)
		hf_itl_attention_raise(itl, e->asc_ascq);
	else if (e->kind == HF_RESV_EFFECT_ABORT &&
		 lu_itl_abort_all(itl, itl->local->hold_serial, tas, e->tas_ua) && e->tas_ua &&
		 !tas)
		hf_itl_attention_raise(itl, 0x2f00);
}

static void effects(struct hf_lu_local *l)
{
	const struct hf_lu *lu = l->lu;

	for (unsigned i = 0; i < lu->effects_len; i++) {
		hf_list_for_each_safe (n, &l->itls) {
			struct hf_itl *itl = hf_list_entry(n, struct hf_itl, loop_node);

			if (lu_effect_hits(&lu->effects[i], &itl->session->nexus))
				carry_out(itl, &lu->effects[i]);
		}
	}
}

/* Pins that a cancelled op, or a pick that is over, no longer waits for. */
static void forget_pins(struct hf_lu_local *l)
{
	hf_list_for_each (n, &l->itls) {
		struct hf_itl *itl = hf_list_entry(n, struct hf_itl, loop_node);

		hf_list_for_each (m, &itl->commands)
			hf_list_entry(m, struct hf_lu_cmd, node)->must_drain = false;
	}
	l->pins_left = 0;
	if (l->draining)
		drained(l, -ECANCELED); /* the control loop counts one answer per hold */
}

static void end_hold(struct hf_lu_local *l, bool applied)
{
	hf_assert(l->pending);
	hf_assert(!applied || !l->pins_left);
	l->pending = false;
	l->lost = hf_resv_is_lost(l->cur);
	hf_list_for_each (n, &l->itls) {
		struct hf_itl *itl = hf_list_entry(n, struct hf_itl, loop_node);

		if (applied)
			itl->allow_cur = itl->allow_next;
		itl->attentive = itl->resetting = false;
		lu_itl_masks(itl);
	}
	if (applied)
		effects(l);
	else
		forget_pins(l);
	lu_local_wake(l);
}

/* The settled state was replaced as a whole. */
static void refresh(struct hf_lu_local *l)
{
	l->lost = hf_resv_is_lost(l->cur);
	hf_list_for_each (n, &l->itls) {
		struct hf_itl *itl = hf_list_entry(n, struct hf_itl, loop_node);

		itl->allow_cur =
			(uint8_t)hf_resv_admit(l->cur, &itl->session->nexus, itl->session->login);
		lu_itl_masks(itl);
	}
	lu_local_wake(l);
}

/* Another unit may have it by now: that was said to this loop first. */
static void leave_lun(struct hf_lu_local *l, uint16_t lun)
{
	if (l->loop->by_lun[lun] == l)
		l->loop->by_lun[lun] = NULL;
}

static void take_info(struct hf_lu_local *l)
{
	const struct hf_lu_info *old = l->info;
	uint16_t asc_ascq = 0;

	l->info = l->new_info;
	if (old->lun != l->info->lun) {
		leave_lun(l, old->lun);
		l->loop->by_lun[l->info->lun] = l;
	}
	if (old->blocks != l->info->blocks)
		asc_ascq = 0x2a09; /* CAPACITY DATA HAS CHANGED */
	else if (old->write_protected != l->info->write_protected)
		asc_ascq = 0x2a01; /* MODE PARAMETERS CHANGED */
	if (!asc_ascq)
		return;
	hf_list_for_each (n, &l->itls)
		hf_itl_attention_raise(hf_list_entry(n, struct hf_itl, loop_node), asc_ascq);
}

static void vanish(struct hf_lu_local *l)
{
	l->gone = true;
	leave_lun(l, l->info->lun);
	lu_local_masks(l);
	lu_local_wake(l);
	lu_sessions_attention(l->loop, 0x3f0e); /* REPORTED LUNS DATA HAS CHANGED */
}

static void stop_or_go(struct hf_lu_local *l)
{
	l->stopped = l->new_stopped;
	lu_local_masks(l);
	/* What these hosts knew of registrations and reservations may not be so any more. */
	if (!l->stopped && l->new_replaced)
		hf_list_for_each (n, &l->itls)
			hf_itl_attention_raise(hf_list_entry(n, struct hf_itl, loop_node), 0x2a03);
	lu_local_wake(l);
}

void lu_local_change(struct hf_lu_local *l)
{
	switch (l->change) {
	case LU_CHANGE_HOLD:
		hold(l);
		break;
	case LU_CHANGE_SETTLE:
		end_hold(l, true);
		break;
	case LU_CHANGE_UNHOLD:
		end_hold(l, false);
		break;
	case LU_CHANGE_REFRESH:
		refresh(l);
		break;
	case LU_CHANGE_INFO:
		take_info(l);
		break;
	case LU_CHANGE_STOPPED:
		stop_or_go(l);
		break;
	case LU_CHANGE_CLEAR:
		clear(l);
		break;
	case LU_CHANGE_UNCLEAR:
		hf_assert(!l->pending);
		forget_pins(l);
		break;
	case LU_CHANGE_GONE:
		vanish(l);
		break;
	case LU_CHANGE_NONE:
		break;
	}
}
