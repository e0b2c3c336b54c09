/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The view machine: what each event means in each state. After every event advance() looks whether
 * what is known of the peer now allows the next step. Changes of the record: view_job.c.
 */
#include "view_int.h"
#include "canary.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	UNREAD_TICKS = 2,   /* a load that failed is tried again */
	REFUSED_TICKS = 10, /* a newcomer that was turned away asks again after so many seconds */
	START_TICKS = 6,
	LOOKS = 2,	   /* a word that is said to both is found out in a whole second */
	LEAVING_TICKS = 5, /* so long a survivor may take to hear that we leave */
};

struct hf_view_effect *hf_view_out(struct hf_view_update *u, enum hf_view_do kind)
{
	struct hf_view_effect *e = &u->effects[u->len++];

	hf_assert(u->len <= HF_VIEW_EFFECTS_MAX);
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	return e;
}

void hf_view_say(struct hf_view_update *u, enum hf_view_do kind, const char *fmt, ...)
{
	struct hf_view_effect *e = hf_view_out(u, kind);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->sentence, sizeof(e->sentence), fmt, ap);
	va_end(ap);
}

static void tell_state(struct hf_view_machine *v, struct hf_view_update *u)
{
	struct hf_view_msg *m;

	/* While the word that it is down is carried out a peer that lives is to go on reading the
	 * record; "the same view" would be a heal, after which it does not. */
	if (!v->up || v->job == HF_VIEW_JOB_PEER_DOWN)
		return;
	m = &hf_view_out(u, HF_VIEW_DO_SEND)->msg;
	m->kind = HF_VIEW_MSG_STATE;
	m->state = v->view.state;
	m->live = v->live;
	m->epoch = v->view.epoch;
	m->members = v->view.members;
	m->own = v->incarnation;
	m->peer = v->member_incarnation;
}

static uint32_t newcomer(const struct hf_view_machine *v)
{
	return v->copying && v->view.state == HF_VIEW_ALONE ? 1u << v->peer_id : 0;
}

void hf_view_become(struct hf_view_machine *v, struct hf_view_update *u, enum hf_view_state state,
	uint32_t members, uint32_t serving, const char *fmt, ...)
{
	va_list ap;

	v->view.state = state;
	v->view.members = members;
	v->view.serving = serving;
	v->view.joining = newcomer(v);
	v->view.missing = state == HF_VIEW_FROZEN || state == HF_VIEW_RACING ? 1u << v->peer_id : 0;
	va_start(ap, fmt);
	vsnprintf(v->view.why, sizeof(v->view.why), fmt, ap);
	va_end(ap);
	hf_view_out(u, HF_VIEW_DO_CHANGED);
	tell_state(v, u);
}

/* The owner has to drop the state, too: HF_VIEW_DO_DROP. */
static void forget(struct hf_view_machine *v)
{
	v->live = false;
	v->member_incarnation = 0;
	v->copying = v->copied = v->apart = false;
}

void hf_view_out_because(
	struct hf_view_machine *v, struct hf_view_update *u, uint64_t epoch, const char *fmt, ...)
{
	char text[sizeof(v->view.why)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (v->live)
		v->dirty = true;
	forget(v);
	v->view.epoch = epoch;
	if (HF_PLANTED(DROP_SERVING))
		hf_view_out(u, HF_VIEW_DO_DROP);
	/* First nothing is served any more, on any loop: what is let go of lets nobody in. */
	hf_view_become(v, u, HF_VIEW_OUT, 0, 0, "%s", text);
	hf_view_out(u, HF_VIEW_DO_DROP);
}

void hf_view_go_out(struct hf_view_machine *v, struct hf_view_update *u, uint64_t epoch)
{
	hf_view_out_because(v, u, epoch,
		"out: controller %u went on alone in epoch %" PRIu64
		"; this one serves nothing until it has joined again, which it does by itself",
		v->peer_id, epoch);
}

void hf_view_start_over(struct hf_view_machine *v, struct hf_view_update *u, const char *why)
{
	forget(v);
	v->waits_said = false;
	hf_view_out(u, HF_VIEW_DO_DROP);
	hf_view_become(v, u, HF_VIEW_STARTING, 0, 0,
		"starting: %s; waits for controller %u, or for `holdfast alone`", why, v->peer_id);
}

/* --- what the peer's state allows --- */

/* STARTING or OUT, nothing in memory. */
static void meet_empty(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->dirty)
		return; /* what it admitted as a member must not outlive its being one (INV-1) */
	if (v->peer.live) {
		if (v->refused_ticks > 0)
			return;
		hf_view_out(u, HF_VIEW_DO_DROP);
		v->view.epoch = v->peer.epoch;
		hf_view_become(v, u, HF_VIEW_JOINING, v->peer.members, v->peer.members,
			"joining: copies the state from controller %u", v->peer_id);
		return;
	}
	/* Nobody has the state: the lower id loads what the disks keep (S9), the other waits. */
	if (v->id > v->peer_id || v->refused_ticks > 0)
		return;
	if (!v->record_known) {
		if (v->step == HF_VIEW_IDLE)
			hf_view_read_start(v, u);
		return;
	}
	v->cold_loading = true;
	hf_view_out(u, HF_VIEW_DO_LOAD);
}

static void copy_start(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->copying || v->peer.live || v->peer.state != HF_VIEW_JOINING)
		return;
	v->copying = true;
	v->copied = false;
	hf_view_out(u, HF_VIEW_DO_COPY);
}

static void differ(struct hf_view_machine *v, struct hf_view_update *u, const char *sentence)
{
	if (strcmp(v->sentence, sentence) == 0)
		return;
	snprintf(v->sentence, sizeof(v->sentence), "%s", sentence);
	hf_view_say(u, HF_VIEW_DO_LOG, "view: %s", sentence);
	snprintf(v->view.why, sizeof(v->view.why), "%s: %.300s", hf_view_state_name(v->view.state),
		sentence);
	hf_view_out(u, HF_VIEW_DO_CHANGED);
}

static void meet_alone(struct hf_view_machine *v, struct hf_view_update *u)
{
	char text[HF_VIEW_SENTENCE_MAX];

	if (v->peer.live && v->peer.state == HF_VIEW_ALONE) {
		snprintf(text, sizeof(text),
			"both controllers went on alone (controller %u in epoch %" PRIu64
			", controller %u in epoch %" PRIu64
			"), their states cannot be merged; say `holdfast discard` on the one whose "
			"changes may be lost",
			v->id, v->view.epoch, v->peer_id, v->peer.epoch);
		differ(v, u, text);
	} else if (v->copying && v->copied) {
		hf_view_job_start(v, u, HF_VIEW_JOB_JOIN);
	} else {
		copy_start(v, u);
	}
}

/* Loaded in a cold start; nothing is served before the other has joined. */
static void meet_loaded(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->peer.live)
		hf_view_start_over(v, u, "the other controller has the state");
	else if (v->copying && v->copied)
		hf_view_job_start(v, u, HF_VIEW_JOB_JOIN);
	else
		copy_start(v, u);
}

static bool is_same_view(const struct hf_view_machine *v)
{
	const struct hf_view_msg *p = &v->peer;

	if (HF_PLANTED(FORGET_INCARNATION) && !p->live)
		return true;
	return p->live && (p->state == HF_VIEW_TOGETHER || p->state == HF_VIEW_FROZEN) &&
	       p->epoch == v->view.epoch && p->members == v->view.members &&
	       p->peer == v->incarnation && p->own == v->member_incarnation;
}

/* TOGETHER or FROZEN: the peer is a member, or was. */
static void meet_member(struct hf_view_machine *v, struct hf_view_update *u)
{
	const struct hf_view_msg *p = &v->peer;
	char text[HF_VIEW_SENTENCE_MAX];

	if (is_same_view(v)) {
		if (v->view.state == HF_VIEW_TOGETHER)
			return;
		hf_view_out(u, HF_VIEW_DO_HEAL);
		hf_view_become(v, u, HF_VIEW_TOGETHER, v->view.members, v->view.members,
			"together with controller %u since epoch %" PRIu64 " (healed)", v->peer_id,
			v->view.epoch);
	} else if (!p->live) {
		hf_view_job_start(v, u, HF_VIEW_JOB_REMOVE); /* W20 */
	} else if (p->epoch > v->view.epoch && !(p->members & hf_view_self(v))) {
		hf_view_go_out(v, u, p->epoch);
	} else if (p->epoch >= v->view.epoch) {
		snprintf(text, sizeof(text),
			"controller %u is in epoch %" PRIu64 ", controller %u says epoch %" PRIu64
			" with other members; stop one and start it again",
			v->id, v->view.epoch, v->peer_id, p->epoch);
		differ(v, u, text);
	}
}

static void advance(struct hf_view_machine *v, struct hf_view_update *u)
{
	/*
	 * The member that is to be fenced has a successor: it is gone, and its I/O over (W20). Or
	 * it joins anew itself: it never heard that it was let in, or has dropped its state, and
	 * nothing that it admitted is in flight.
	 */
	if (hf_view_is_race(v->job) && v->up && v->told && !v->peer.live && v->member_incarnation) {
		if (v->peer.own != v->member_incarnation)
			hf_view_race_gone(v, u, "has been restarted and joins anew");
		else if (v->peer.state == HF_VIEW_JOINING)
			hf_view_race_gone(v, u, "has no state any more and joins anew");
	}
	/* Who comes back is let in when nothing that was sent against it can hit it any more. */
	if (!hf_view_is_race(v->job))
		hf_view_race_end(v, u);
	if (v->left || v->job != HF_VIEW_JOB_NONE || v->cold_loading || !v->up || !v->told ||
		v->fence_out)
		return;
	switch (v->view.state) {
	case HF_VIEW_STARTING:
	case HF_VIEW_OUT:
		if (v->live)
			meet_loaded(v, u);
		else
			meet_empty(v, u);
		return;
	case HF_VIEW_JOINING:
		if (!v->peer.live)
			hf_view_start_over(v, u, "the other controller has lost its state");
		return;
	case HF_VIEW_TOGETHER:
	case HF_VIEW_FROZEN:
		meet_member(v, u);
		return;
	case HF_VIEW_ALONE:
		meet_alone(v, u);
		return;
	case HF_VIEW_RACING:
		return;
	}
}

/* --- events --- */

static void on_start(struct hf_view_machine *v, struct hf_view_update *u)
{
	hf_view_become(v, u, HF_VIEW_STARTING, 0, 0,
		"starting: waits for controller %u, or for `holdfast alone` if that one is "
		"certainly off",
		v->peer_id);
	if (v->job != HF_VIEW_JOB_NONE)
		return; /* --alone was said before */
	if (v->peer_id == 0)
		hf_view_job_start(v, u, HF_VIEW_JOB_START);
	else
		hf_view_read_start(v, u);
}

static void freeze(struct hf_view_machine *v, struct hf_view_update *u, const char *why)
{
	hf_view_out(u, HF_VIEW_DO_DOWN);
	hf_view_become(v, u, HF_VIEW_FROZEN, v->view.members, v->view.members,
		"frozen: %.60s; I/O goes on, reservations do not change until it is back or "
		"`holdfast peer-down`",
		why);
	if (v->step == HF_VIEW_IDLE)
		hf_view_read_start(v, u);
}

static void on_down(
	struct hf_view_machine *v, struct hf_view_update *u, const struct hf_view_event *ev)
{
	const char *why = ev->sentence;
	bool was_copying = v->copying;

	v->up = v->told = false;
	v->copying = v->copied = false;
	v->sentence[0] = '\0';
	switch (v->view.state) {
	case HF_VIEW_TOGETHER:
		if (v->fences)
			hf_view_race_start(v, u, ev->restarted, why);
		else
			freeze(v, u, why);
		break;
	case HF_VIEW_ALONE:
		/*
		 * While the record is written with both, nothing is decided (finish_join); it is
		 * not before all others are out.
		 */
		if (was_copying)
			hf_view_out(u, v->job == HF_VIEW_JOB_JOIN && v->step != HF_VIEW_REWRITING
					       ? HF_VIEW_DO_DOWN
					       : HF_VIEW_DO_GONE);
		break;
	case HF_VIEW_STARTING:
	case HF_VIEW_OUT:
		if (v->live && v->job != HF_VIEW_JOB_JOIN)
			hf_view_start_over(v, u, "the other controller was lost again");
		break;
	case HF_VIEW_JOINING:
		hf_view_start_over(
			v, u, "the other controller was lost before the copy was complete");
		break;
	default:
		break;
	}
	if (v->leaving && !v->left) {
		v->left = true;
		hf_view_out(u, HF_VIEW_DO_LEFT);
	}
}

static void on_joined(
	struct hf_view_machine *v, struct hf_view_update *u, const struct hf_view_msg *m)
{
	if (v->view.state != HF_VIEW_JOINING || m->peer != v->incarnation)
		return;
	v->live = true;
	v->view.epoch = m->epoch;
	v->member_incarnation = m->own;
	v->peer.live = true;
	v->peer.state = HF_VIEW_TOGETHER;
	v->peer.epoch = m->epoch;
	v->peer.members = m->members;
	v->peer.own = m->own;
	v->peer.peer = v->incarnation;
	hf_view_become(v, u, HF_VIEW_TOGETHER, m->members, m->members,
		"together with controller %u since epoch %" PRIu64, v->peer_id, m->epoch);
}

static void on_ready(
	struct hf_view_machine *v, struct hf_view_update *u, uint64_t theirs, uint64_t own)
{
	struct hf_view_msg *m;

	if (!v->copying || v->job != HF_VIEW_JOB_NONE)
		return;
	if (theirs == own) {
		v->copied = true;
		return;
	}
	v->copying = false;
	hf_view_out(u, HF_VIEW_DO_GONE);
	m = &hf_view_out(u, HF_VIEW_DO_SEND)->msg;
	m->kind = HF_VIEW_MSG_REFUSED;
	snprintf(m->sentence, sizeof(m->sentence),
		"controller %u and controller %u disagree about the logical devices or which "
		"controller "
		"is dominant for them; restart controller %u so that it reads the map again",
		v->id, v->peer_id, v->peer_id);
	hf_view_say(u, HF_VIEW_DO_LOG, "view: not let in: %s", m->sentence);
	v->peer.state = HF_VIEW_STARTING;
}

static void on_refused(struct hf_view_machine *v, struct hf_view_update *u, const char *sentence)
{
	if (v->view.state == HF_VIEW_JOINING) {
		v->refused_ticks = REFUSED_TICKS;
		hf_view_start_over(v, u, "not let in");
	}
	differ(v, u, sentence);
}

static void on_leave(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->view.state == HF_VIEW_TOGETHER && v->job == HF_VIEW_JOB_NONE)
		hf_view_job_start(v, u, HF_VIEW_JOB_LEFT);
	else
		hf_view_out(u, HF_VIEW_DO_SEND)->msg.kind = HF_VIEW_MSG_LEFT;
}

static void on_left(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (!v->leaving || v->left)
		return;
	v->left = true;
	hf_view_become(v, u, HF_VIEW_OUT, 0, 0, "out: has left in good order");
	hf_view_out(u, HF_VIEW_DO_LEFT);
}

static void on_message(
	struct hf_view_machine *v, struct hf_view_update *u, const struct hf_view_event *ev)
{
	const struct hf_view_msg *m = ev->msg;

	switch (m->kind) {
	case HF_VIEW_MSG_STATE:
		v->peer = *m;
		v->told = true;
		if (v->view.state == HF_VIEW_ALONE && m->live && m->state == HF_VIEW_ALONE)
			v->apart = true;
		if (v->copying && m->state != HF_VIEW_JOINING && v->job == HF_VIEW_JOB_NONE) {
			v->copying = v->copied = false; /* it has given up */
			hf_view_out(u, HF_VIEW_DO_GONE);
		}
		break;
	case HF_VIEW_MSG_READY:
		on_ready(v, u, m->digest, ev->digest);
		break;
	case HF_VIEW_MSG_JOINED:
		on_joined(v, u, m);
		break;
	case HF_VIEW_MSG_REFUSED:
		on_refused(v, u, m->sentence);
		break;
	case HF_VIEW_MSG_LEAVE:
		on_leave(v, u);
		break;
	case HF_VIEW_MSG_LEFT:
		on_left(v, u);
		break;
	}
}

static void on_loaded(struct hf_view_machine *v, struct hf_view_update *u, int result)
{
	if (!v->cold_loading) {
		hf_view_job_loaded(v, u, result);
		return;
	}
	v->cold_loading = false;
	if (result < 0 || !v->up) {
		v->refused_ticks = result < 0 ? UNREAD_TICKS : 0;
		hf_view_start_over(v, u,
			result < 0 ? "the voting disks cannot be read"
				   : "the other controller was lost again");
		return;
	}
	v->live = true;
	v->view.epoch = v->record.epoch;
	hf_view_become(v, u, HF_VIEW_STARTING, 0, 0,
		"starting: has loaded the reservations, controller %u copies them", v->peer_id);
}

static void on_tick(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->left)
		return;
	if (v->refused_ticks > 0)
		v->refused_ticks--;
	if (v->leaving && ++v->leaving_ticks > LEAVING_TICKS) {
		v->left = true;
		hf_view_out(u, HF_VIEW_DO_LEFT);
		return;
	}
	hf_view_job_retry(v, u);
	hf_view_race_tick(v, u);
	if (v->step != HF_VIEW_IDLE || v->live != (v->view.state == HF_VIEW_FROZEN))
		return;
	if (v->view.state == HF_VIEW_FROZEN || v->view.state == HF_VIEW_STARTING ||
		v->view.state == HF_VIEW_OUT)
		hf_view_read_start(v, u);
}

static void on_word_leave(struct hf_view_machine *v, struct hf_view_update *u)
{
	if (v->leaving)
		return;
	v->leaving = true;
	if (v->view.state == HF_VIEW_TOGETHER && v->up) {
		hf_view_out(u, HF_VIEW_DO_SEND)->msg.kind = HF_VIEW_MSG_LEAVE;
		return;
	}
	v->left = true;
	hf_view_out(u, HF_VIEW_DO_LEFT);
}

static void on_word(
	struct hf_view_machine *v, struct hf_view_update *u, const struct hf_view_event *ev)
{
	char text[HF_VIEW_SENTENCE_MAX];

	if (ev->kind == HF_VIEW_WORD_PEER_DOWN) {
		if (hf_view_may_peer_down(v, text, sizeof(text)) < 0)
			return;
		if (hf_view_is_race(v->job))
			hf_view_race_gone(v, u, "is down on the operator's word");
		else
			hf_view_job_start(v, u, HF_VIEW_JOB_PEER_DOWN);
		v->looks = v->word_looks;
	} else if (ev->kind == HF_VIEW_WORD_DISCARD) {
		if (hf_view_may_discard(v, text, sizeof(text)) == 0)
			hf_view_job_start(v, u, HF_VIEW_JOB_DISCARD);
	} else if (hf_view_may_go_alone(v, ev->may_lose, text, sizeof(text)) == 0) {
		v->may_lose = ev->may_lose;
		hf_view_job_start(v, u, HF_VIEW_JOB_START);
		v->looks = v->peer_id ? v->word_looks : 0;
	}
}

void hf_view_init(struct hf_view_machine *v, uint8_t id, uint8_t peer_id, uint64_t incarnation)
{
	hf_assert(id < HF_CONTROLLER_IDS && peer_id < HF_CONTROLLER_IDS && id != peer_id);
	hf_assert(incarnation != 0);
	memset(v, 0, sizeof(*v));
	v->id = id;
	v->peer_id = peer_id;
	v->incarnation = incarnation;
	v->start_ticks = START_TICKS;
	v->word_looks = LOOKS;
}

void hf_view_step(
	struct hf_view_machine *v, const struct hf_view_event *ev, struct hf_view_update *u)
{
	u->len = 0;
	switch (ev->kind) {
	case HF_VIEW_START:
		on_start(v, u);
		break;
	case HF_VIEW_TICK:
		on_tick(v, u);
		break;
	case HF_VIEW_UP:
		v->up = true;
		v->told = false;
		v->silent_ticks = 0;
		hf_view_race_met(v);
		v->sentence[0] = '\0';
		tell_state(v, u);
		break;
	case HF_VIEW_DOWN:
		on_down(v, u, ev);
		break;
	case HF_VIEW_RECEIVE:
		on_message(v, u, ev);
		break;
	case HF_VIEW_READ:
		hf_view_read_done(v, u, ev);
		break;
	case HF_VIEW_WRITTEN:
		hf_view_job_written(v, u, ev->result);
		break;
	case HF_VIEW_LOADED:
		on_loaded(v, u, ev->result);
		break;
	case HF_VIEW_REWRITTEN:
		hf_view_job_rewritten(v, u, ev->result);
		break;
	case HF_VIEW_INSTALLED:
		if (v->view.state == HF_VIEW_JOINING) {
			struct hf_view_effect *e = hf_view_out(u, HF_VIEW_DO_SEND);

			e->msg.kind = HF_VIEW_MSG_READY;
			e->msg.digest = ev->digest;
		}
		break;
	case HF_VIEW_WORD_PEER_DOWN:
	case HF_VIEW_WORD_ALONE:
	case HF_VIEW_WORD_DISCARD:
		on_word(v, u, ev);
		break;
	case HF_VIEW_WORD_LEAVE:
		on_word_leave(v, u);
		break;
	case HF_VIEW_REFUSED:
		if (!v->live)
			on_refused(v, u, ev->sentence);
		else
			differ(v, u, ev->sentence);
		break;
	case HF_VIEW_QUIET:
		hf_view_race_quiet(v, u);
		break;
	case HF_VIEW_FENCED:
		hf_view_race_fenced(v, u, ev->result, ev->sentence);
		break;
	case HF_VIEW_FENCE_ENDED:
		v->fence_out = false;
		break;
	case HF_VIEW_MENDED:
		hf_view_job_mended(v, u);
		break;
	case HF_VIEW_CLEAN:
		v->dirty = false;
		break;
	}
	advance(v, u);
	if (v->view.joining != newcomer(v)) {
		v->view.joining = newcomer(v);
		hf_view_out(u, HF_VIEW_DO_CHANGED);
	}
}

/* --- the operator's words --- */

static int no(char *message, size_t len, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int no(char *message, size_t len, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, len, fmt, ap);
	va_end(ap);
	return err;
}

int hf_view_may_peer_down(const struct hf_view_machine *v, char *message, size_t len)
{
	switch (v->view.state) {
	case HF_VIEW_FROZEN:
		break;
	case HF_VIEW_RACING: /* the fence may be what does not work */
		if (!hf_view_is_race(v->job) || v->fenced)
			return no(message, len, -EALREADY,
				"this controller is going on alone already; look again in a "
				"moment");
		if (v->up)
			break;
		return 0;
	case HF_VIEW_ALONE:
		return no(message, len, -EALREADY, "this controller is alone in the view already");
	case HF_VIEW_TOGETHER:
		return no(message, len, -EBUSY,
			"controller %u is there and in the view; stop its daemon instead",
			v->peer_id);
	default:
		return no(message, len, -EINVAL,
			"this controller is not in the view (%s); to start it without controller "
			"%u use "
			"--alone",
			hf_view_state_name(v->view.state), v->peer_id);
	}
	if (v->up)
		return no(message, len, -EBUSY,
			"controller %u is back and talks to this one; wait a moment and look again",
			v->peer_id);
	if (v->job != HF_VIEW_JOB_NONE)
		return no(message, len, -EALREADY,
			"the view is being changed; look again in a moment");
	return 0;
}

int hf_view_may_discard(const struct hf_view_machine *v, char *message, size_t len)
{
	if (v->view.state != HF_VIEW_ALONE)
		return no(message, len, -EINVAL,
			"this controller has not gone on alone (%s); there is nothing to discard",
			hf_view_state_name(v->view.state));
	if (!v->up || !v->told)
		return no(message, len, -ENOTCONN,
			"controller %u is not heard; what this one knows is the only copy within "
			"reach",
			v->peer_id);
	if (!v->peer.live || v->peer.state != HF_VIEW_ALONE)
		return no(message, len, -EINVAL,
			"controller %u has not gone on alone (%s): the two come together by "
			"themselves",
			v->peer_id, hf_view_state_name(v->peer.state));
	if (v->job != HF_VIEW_JOB_NONE)
		return no(message, len, -EALREADY,
			"the view is being changed; look again in a moment");
	return 0;
}

int hf_view_may_go_alone(const struct hf_view_machine *v, bool may_lose, char *message, size_t len)
{
	if (v->view.state != HF_VIEW_STARTING && v->view.state != HF_VIEW_OUT)
		return no(message, len, -EINVAL, "this controller has started already (%s)",
			hf_view_state_name(v->view.state));
	if (v->up || v->live || v->cold_loading)
		return no(message, len, -EBUSY, "controller %u is there; the two start together",
			v->peer_id);
	if (v->job != HF_VIEW_JOB_NONE)
		return no(message, len, -EALREADY,
			"the view is being changed; look again in a moment");
	if (v->dirty)
		return no(message, len, -EBUSY,
			"commands from before this controller was out are still at the disks; say "
			"it again when they have ended, or start this daemon again");
	/* Right after the start the record is not known yet: the job reads it and judges. */
	if (v->record_unreadable)
		return no(message, len, -EAGAIN,
			"the view record cannot be read from most voting disks; check the disks");
	if (v->record_known && v->record.epoch && !(v->record.members & hf_view_self(v)) &&
		!may_lose)
		return no(message, len, -EPERM,
			"the view record of epoch %" PRIu64 " does not name controller %u: another "
			"controller went on without it and may know of newer reservations; start "
			"that "
			"one, or repeat with the flag that accepts their loss",
			v->record.epoch, v->id);
	return 0;
}
