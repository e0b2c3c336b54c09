/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands in the task set of their nexus: entry, the check, the pin, waiting, abortion, departure.
 * On the session's loop. INV-1 and INV-4 rest on this file and admission.c: no command is PINNED
 * unless the admission bits allow it in the same turn of the loop.
 */
#include "lu_internal.h"

static inline bool allowed(const struct hf_lu_cmd *cmd)
{
	return cmd->itl->allow & HF_ACCESS_BIT(cmd->access);
}

/* Why a command is not allowed now; HF_ADMIT_OK here means: not decided, it has to wait. */
static enum hf_admit refusal(const struct hf_lu_cmd *cmd)
{
	const struct hf_lu_local *l = cmd->itl->local;
	unsigned bit = HF_ACCESS_BIT(cmd->access);

	if (l->gone)
		return HF_ADMIT_GONE;
	if (l->loop->serving == LU_SERVES_NOT || l->stopped)
		return HF_ADMIT_NOT_READY;
	if (l->loop->serving == LU_PAUSED)
		return HF_ADMIT_OK;
	if (l->lost && !l->pending)
		return HF_ADMIT_LOST; /* else the pending op is what ends it, or takes it away */
	/* A reset is told before a conflict: wait for it, whatever both states say. */
	if (l->pending && cmd->itl->resetting)
		return HF_ADMIT_OK;
	if ((cmd->itl->allow_cur & bit) || (l->pending && (cmd->itl->allow_next & bit)))
		return HF_ADMIT_OK;
	return HF_ADMIT_CONFLICT;
}

void hf_lu_cmd_enter(struct hf_lu_cmd *cmd, struct hf_itl *itl, enum hf_access access)
{
	cmd->itl = itl;
	cmd->access = access;
	cmd->state = HF_LU_CMD_DORMANT;
	cmd->late = cmd->aborted = cmd->tas = cmd->op = cmd->by_machine = cmd->is_resv =
		cmd->must_drain = false;
	cmd->range = NULL;
	cmd->serial = ++itl->local->loop->serial;
	hf_list_init(&cmd->wait_node);
	hf_list_push_back(&itl->commands, &cmd->node);
}

/* A refusal that may be of the past is none: started, the command waits (INV-5). */
enum hf_admit hf_lu_cmd_peek(const struct hf_lu_cmd *cmd)
{
	if (allowed(cmd) || !lu_loop_is_valid(cmd->itl->local->loop))
		return HF_ADMIT_OK;
	return refusal(cmd);
}

bool hf_itl_is_settled(const struct hf_itl *itl)
{
	return !itl->local->pending || !itl->attentive;
}

/* --- waiting --- */

static void wait_begin(struct hf_lu_cmd *cmd)
{
	struct hf_lu_local *l = cmd->itl->local;

	if (cmd->state != HF_LU_CMD_WAITING) {
		cmd->state = HF_LU_CMD_WAITING;
		cmd->since_ns = hf_loop_now_ns(l->loop->loop);
	}
	hf_list_push_back(&l->waiters, &cmd->wait_node);
	if (!hf_timer_is_armed(&l->wait_timer))
		hf_timer_arm(l->loop->loop, &l->wait_timer,
			cmd->since_ns + l->loop->table->config.wait_bound_ns);
}

/* Bound passed (INV-9): NOT READY, for a state that is in doubt may stay so for long. */
void lu_wait_expired(struct hf_timer *timer)
{
	struct hf_lu_local *l = hf_container_of(timer, struct hf_lu_local, wait_timer);
	uint64_t bound = l->loop->table->config.wait_bound_ns;
	uint64_t now = hf_loop_now_ns(l->loop->loop);
	struct hf_list all;

	hf_list_init(&all);
	hf_list_splice_back(&all, &l->waiters);
	while (!hf_list_is_empty(&all)) {
		struct hf_lu_cmd *cmd =
			hf_list_entry(hf_list_pop_front(&all), struct hf_lu_cmd, wait_node);

		if (cmd->since_ns + bound > now) {
			wait_begin(cmd);
			continue;
		}
		cmd->state = HF_LU_CMD_DORMANT;
		cmd->go(cmd, HF_ADMIT_NOT_READY);
	}
}

/* News is on its way to this loop; or the view is renewed, and nobody tells. */
static void wait_for_valid(struct hf_lu_cmd *cmd)
{
	struct hf_lu_local *l = cmd->itl->local;

	wait_begin(cmd);
	if (!hf_timer_is_armed(&l->valid_timer))
		hf_timer_arm(l->loop->loop, &l->valid_timer,
			hf_loop_now_ns(l->loop->loop) + LU_VALID_RETRY_NS);
}

void lu_valid_again(struct hf_timer *timer)
{
	lu_local_wake(hf_container_of(timer, struct hf_lu_local, valid_timer));
}

/* --- the pin --- */

static void try_op(struct hf_lu_cmd *cmd)
{
	if (cmd->itl->local->pending && cmd->itl->attentive) {
		wait_begin(cmd);
		return;
	}
	cmd->state = HF_LU_CMD_DORMANT;
	cmd->go(cmd, HF_ADMIT_OK);
}

static void try_pin(struct hf_lu_cmd *cmd)
{
	struct hf_lu_local *l = cmd->itl->local;
	const struct lu_local_range *held;
	enum hf_admit why;

	if (!lu_loop_is_valid(l->loop)) {
		wait_for_valid(cmd);
		return;
	}
	if (cmd->by_machine) {
		try_op(cmd);
		return;
	}
	if (!allowed(cmd)) {
		why = refusal(cmd);
		if (why == HF_ADMIT_OK) {
			wait_begin(cmd);
		} else {
			cmd->state = HF_LU_CMD_DORMANT;
			cmd->go(cmd, why);
		}
		return;
	}
	if (cmd->writes && !hf_list_is_empty(&l->ranges) && (held = lu_range_blocks(l, cmd))) {
		if (held->doubt) {
			cmd->state = HF_LU_CMD_DORMANT;
			cmd->go(cmd, HF_ADMIT_NOT_READY);
		} else {
			wait_begin(cmd);
		}
		return;
	}
	cmd->state = HF_LU_CMD_PINNED;
	if (cmd->access >= HF_ACCESS_READ)
		cmd->itl->used = true;
	cmd->go(cmd, HF_ADMIT_OK);
}

void hf_lu_cmd_start(struct hf_lu_cmd *cmd)
{
	hf_assert(cmd->state == HF_LU_CMD_DORMANT && !cmd->op);
	if (cmd->aborted)
		cmd->go(cmd, HF_ADMIT_ABORTED);
	else
		try_pin(cmd);
}

void hf_lu_cmd_start_op(struct hf_lu_cmd *cmd)
{
	hf_assert(cmd->state == HF_LU_CMD_DORMANT && !cmd->op);
	cmd->by_machine = true;
	if (cmd->aborted)
		cmd->go(cmd, HF_ADMIT_ABORTED);
	else
		try_pin(cmd);
}

void hf_lu_cmd_start_range(struct hf_lu_cmd *cmd)
{
	enum hf_admit why;

	hf_assert(cmd->state == HF_LU_CMD_DORMANT && !cmd->op && cmd->writes);
	if (cmd->aborted) {
		cmd->go(cmd, HF_ADMIT_ABORTED);
		return;
	}
	why = hf_lu_cmd_peek(cmd);
	if (why != HF_ADMIT_OK) {
		cmd->go(cmd, why);
		return;
	}
	cmd->state = HF_LU_CMD_WAITING;
	cmd->since_ns = hf_loop_now_ns(cmd->itl->local->loop->loop);
	lu_range_acquire(cmd);
}

/* The range is held on every controller, or cannot be had; range first, then check, then pin (S4).
 */
void lu_cmd_ranged(struct hf_lu_cmd *cmd, int result)
{
	hf_assert(cmd->state == HF_LU_CMD_WAITING);
	if (result) {
		cmd->state = HF_LU_CMD_DORMANT;
		cmd->go(cmd, HF_ADMIT_NOT_READY);
	} else {
		try_pin(cmd);
	}
}

/* The admission has changed or a range was let go: everyone who waits tries again, oldest first. */
void lu_local_wake(struct hf_lu_local *l)
{
	struct hf_list all;

	hf_list_init(&all);
	hf_list_splice_back(&all, &l->waiters);
	while (!hf_list_is_empty(&all))
		try_pin(hf_list_entry(hf_list_pop_front(&all), struct hf_lu_cmd, wait_node));
	if (hf_list_is_empty(&l->waiters)) {
		hf_timer_cancel(l->loop->loop, &l->wait_timer);
		hf_timer_cancel(l->loop->loop, &l->valid_timer);
	}
}

void hf_lu_cmd_leave(struct hf_lu_cmd *cmd)
{
	struct hf_itl *itl = cmd->itl;
	struct hf_lu_local *l = itl->local;
	bool pinned = cmd->state == HF_LU_CMD_PINNED;

	hf_assert(cmd->state != HF_LU_CMD_OUT && !cmd->op);
	hf_list_remove(&cmd->wait_node);
	hf_list_remove(&cmd->node);
	cmd->state = HF_LU_CMD_OUT;
	if (cmd->range)
		lu_range_let_go(cmd);
	if (pinned) {
		if (cmd->must_drain)
			lu_local_pin_gone(l, cmd);
		if (cmd->writes && !hf_list_is_empty(&l->ranges))
			lu_range_pin_gone(l, cmd);
	}
	if (!hf_list_is_empty(&itl->tmfs) && !itl->aborting)
		lu_tmf_cmd_left(itl);
}

/* --- abortion --- */

void lu_cmd_abort(struct hf_lu_cmd *cmd, bool tas)
{
	/* An op once asked is not aborted (U4); a pinned command ends by itself, silently. */
	if (cmd->op && !cmd->late) {
		cmd->late = true;
		cmd->late_tas = tas;
	}
	if (cmd->op || cmd->aborted)
		return;
	cmd->aborted = true;
	cmd->tas = tas;
	if (cmd->state == HF_LU_CMD_DORMANT) {
		cmd->abort(cmd);
	} else if (cmd->state == HF_LU_CMD_WAITING) {
		hf_list_remove(&cmd->wait_node);
		cmd->state = HF_LU_CMD_DORMANT;
		cmd->go(cmd, HF_ADMIT_ABORTED);
	}
}

void hf_lu_cmd_goes_on(struct hf_lu_cmd *cmd)
{
	if (cmd->late)
		lu_cmd_abort(cmd, cmd->late_tas);
}

/*
 * Aborts the nexus' commands entered up to a serial; returns how many were there to abort.
 * spare_ops: reservation commands are answered all the same, by the state that the abort leaves.
 * Two hosts that preempt each other are both told who won; to the loser it is as if its command, of
 * which some data were still on their way, had come a moment later. A silent abort would make it
 * wait for a timeout in the middle of an arbitration.
 */
unsigned lu_itl_abort_all(struct hf_itl *itl, uint64_t up_to_serial, bool tas, bool spare_ops)
{
	struct hf_list all;
	unsigned n = 0;

	/* Callbacks may take commands off the list; each is put back before its own turn. Who waits
	 * for the end of one looks only when all are back. */
	itl->aborting = true;
	hf_list_init(&all);
	hf_list_splice_back(&all, &itl->commands);
	while (!hf_list_is_empty(&all)) {
		struct hf_lu_cmd *cmd =
			hf_list_entry(hf_list_pop_front(&all), struct hf_lu_cmd, node);

		hf_list_push_back(&itl->commands, &cmd->node);
		if (cmd->serial > up_to_serial || (spare_ops && cmd->is_resv))
			continue;
		if (!cmd->op && !cmd->aborted)
			n++;
		lu_cmd_abort(cmd, tas);
	}
	itl->aborting = false;
	if (!hf_list_is_empty(&itl->tmfs))
		lu_tmf_cmd_left(itl);
	return n;
}
