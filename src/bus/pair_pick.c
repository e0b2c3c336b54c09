/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair machine: a stopped device (W18), and the operator's pick of the side whose state counts.
 * Pure (pair.h).
 *
 *	picked: ASKED -- pick -->        other: THEIRS: what it has admitted ends, then READY
 *	SAVING       <-- picked --
 *	GIVEN        -- snapshot -->     takes it and goes on
 *	goes on      <-- settled --
 *
 * Neither goes on before what the dropped state has admitted is off the medium (INV-4) and the
 * record on the disks is the picked one's. Whatever comes in between (both are picked at once, the
 * link is lost, somebody joins, time passes), the device stays stopped on one side at least, and at
 * the heal or by a `stop` on both: the operator says it again.
 */
#include "pair_int.h"

static bool is_mine(const struct hf_pair_dev *d)
{
	return d->pick == HF_PAIR_PICK_ASKED || d->pick == HF_PAIR_PICK_SAVING ||
	       d->pick == HF_PAIR_PICK_GIVEN;
}

static void enter(struct step *s, enum hf_pair_pick pick)
{
	s->d->pick = pick;
	s->d->pick_until_ns = is_mine(s->d) ? s->now + 2 * s->d->config->bound_ns : 0;
}

static void end(struct step *s, int result)
{
	/* From then on the other one may have taken it. */
	if (s->d->pick == HF_PAIR_PICK_GIVEN && result < 0 && result != -EBADMSG)
		result = -EINPROGRESS;
	enter(s, HF_PAIR_PICK_NONE);
	pair_emit(s, HF_PAIR_DO_PICK_END)->result = result;
}

static void ask_owner(struct step *s, enum hf_pair_pick pick)
{
	struct hf_pair_effect *e = pair_emit(s, HF_PAIR_DO_PICK);

	enter(s, pick);
	e->n = ++s->d->pick_n;
	e->mine = is_mine(s->d);
}

static void take_back(struct step *s, int result)
{
	pair_send(s, HF_PAIR_MSG_STOP, s->d->n, false, (uint16_t)s->d->stop);
	end(s, result);
}

void pair_pick_abort(struct step *s, int result)
{
	if (is_mine(s->d))
		end(s, result);
	enter(s, HF_PAIR_PICK_NONE);
}

void pair_pick_expire(struct step *s)
{
	if (s->d->pick_until_ns && s->now >= s->d->pick_until_ns)
		take_back(s, s->d->pick == HF_PAIR_PICK_SAVING ? -EIO : -ETIMEDOUT);
}

/* --- the side that is picked --- */

void pair_pick(struct step *s)
{
	struct hf_pair_dev *d = s->d;
	int refused = 0;

	if (d->mode != HF_PAIR_STOPPED)
		refused = -EINVAL;
	else if (d->pick != HF_PAIR_PICK_NONE)
		refused = -EALREADY;
	else if (d->empty) /* "nothing" would be written over what the disks keep */
		refused = -ENODATA;
	else if (d->mode_before_stop != HF_PAIR_ALONE && !d->up)
		refused = -ENOTCONN;
	else if (d->mode_before_stop != HF_PAIR_ALONE && d->config->no_picks)
		refused = -EPROTO;
	if (refused) {
		pair_emit(s, HF_PAIR_DO_PICK_END)->result = refused;
	} else if (d->mode_before_stop == HF_PAIR_ALONE) {
		ask_owner(s, HF_PAIR_PICK_SAVING);
	} else {
		enter(s, HF_PAIR_PICK_ASKED);
		pair_send(s, HF_PAIR_MSG_PICK, d->n, false, 0);
		pair_note(s, "picked: the peer drops its state");
	}
}

static void saved(struct step *s, int result)
{
	struct hf_pair_dev *d = s->d;

	if (result < 0) {
		take_back(s, -EIO);
	} else if (d->mode_before_stop == HF_PAIR_ALONE) {
		d->mode = HF_PAIR_ALONE;
		end(s, 0);
	} else {
		enter(s, HF_PAIR_PICK_GIVEN);
		pair_emit(s, HF_PAIR_DO_SNAPSHOT)->n = d->n;
	}
}

static void taken(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;

	if (m->n != d->n || m->digest != d->reads->digest(d->reads->owner, d->dev)) {
		take_back(s, -EBADMSG); /* INV-2 */
		return;
	}
	d->mode = HF_PAIR_TOGETHER;
	end(s, 0);
}

/* --- the other side --- */

static void peer_picked(struct step *s)
{
	if (is_mine(s->d)) {
		/* Two words against each other: neither counts, and the peer sees it likewise. */
		end(s, -EBUSY);
	} else {
		ask_owner(s, HF_PAIR_PICK_THEIRS);
		pair_note(s, "the peer is picked: what is in flight here ends");
	}
}

static void ended(struct step *s, int result)
{
	if (result < 0) {
		enter(s, HF_PAIR_PICK_NONE);
		pair_send(s, HF_PAIR_MSG_UNABLE, s->d->n, false, (uint16_t)-result);
	} else {
		enter(s, HF_PAIR_PICK_READY);
		pair_send(s, HF_PAIR_MSG_PICKED, s->d->n, false, 0);
	}
}

bool hf_pair_takes_copy(const struct hf_pair_dev *d)
{
	return d->mode == HF_PAIR_JOIN || d->mode == HF_PAIR_WAIT ||
	       (d->mode == HF_PAIR_STOPPED && d->pick == HF_PAIR_PICK_READY);
}

/* --- both --- */

void pair_pick_done(struct step *s, uint64_t n, int result)
{
	if (n != s->d->pick_n)
		return;
	if (s->d->pick == HF_PAIR_PICK_SAVING)
		saved(s, result);
	else if (s->d->pick == HF_PAIR_PICK_THEIRS)
		ended(s, result);
}

void pair_pick_receive(struct step *s, const struct hf_pair_msg *m)
{
	struct hf_pair_dev *d = s->d;

	if (m->kind == HF_PAIR_MSG_PICK) {
		peer_picked(s);
	} else if (m->kind == HF_PAIR_MSG_PICKED && d->pick == HF_PAIR_PICK_ASKED) {
		ask_owner(s, HF_PAIR_PICK_SAVING);
	} else if (m->kind == HF_PAIR_MSG_UNABLE && d->pick == HF_PAIR_PICK_ASKED) {
		end(s, -ETIMEDOUT);
	} else if (m->kind == HF_PAIR_MSG_SETTLED && d->pick == HF_PAIR_PICK_GIVEN) {
		taken(s, m);
	} else if (m->kind == HF_PAIR_MSG_STOP) {
		if (!is_mine(d)) /* else it is from before the peer heard of the pick */
			enter(s, HF_PAIR_PICK_NONE);
	} else if (d->pick == HF_PAIR_PICK_NONE && m->kind != HF_PAIR_MSG_PICKED) {
		pair_send(s, HF_PAIR_MSG_STOP, d->n, false, (uint16_t)d->stop);
	}
}

/* A newcomer gets no copy of a device that is stopped: neither state is the truth. */
void pair_newcomer_stops(struct step *s, enum hf_pair_stop why)
{
	s->d->up = true;
	pair_stop(s, why, false);
	s->d->mode_before_stop = HF_PAIR_TOGETHER;
	s->d->empty = true;
}

void pair_resume(struct step *s)
{
	struct hf_pair_dev *d = s->d;

	if (!d->told_stopped || (d->mode != HF_PAIR_TOGETHER && d->mode != HF_PAIR_FROZEN &&
					d->mode != HF_PAIR_ALONE))
		return;
	d->told_stopped = d->empty = false;
	pair_emit(s, HF_PAIR_DO_RESUME);
}

const char *hf_pair_pick_text(int result)
{
	switch (result) {
	case 0:
		return "this controller's state counts";
	case -EINVAL:
		return "the device is not stopped: there is nothing to pick";
	case -EALREADY:
		return "one of the two states is being taken over right now; look at `holdfast "
		       "device list`";
	case -ENOTCONN:
		return "the other controller cannot be told; say it again when both are together, "
		       "or when this one is alone (`holdfast status`)";
	case -EAGAIN:
		return "the other controller is joining; say it again when it has";
	case -EBUSY:
		return "it has been picked at both controllers at once; say it again at one";
	case -ENODATA:
		return "this controller has joined while the device was stopped and has no state "
		       "of it; say it at the other one. If no controller has one, stop all and "
		       "start them again: what the disks keep counts then";
	case -EIO:
		return "the state could not be written to most voting disks, or not in time; mend "
		       "them and say it again";
	case -ETIMEDOUT:
		return "the other controller did not drop its state in time: commands that it has "
		       "admitted may not have ended; look at its disks and say it again";
	case -EINPROGRESS:
		return "the other controller has been given this state, and may go on with it; "
		       "here the device stays stopped. Say it again when both are together";
	case -EBADMSG:
		return "the other controller has not taken the state as it was given; say it again";
	case -EPROTO:
		return "the other controller speaks an older version of the bus, without this "
		       "word; upgrade it first, or say it when this one is alone";
	}
	return strerror(-result);
}
