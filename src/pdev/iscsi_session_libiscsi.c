/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The session with a third controller: connects, logs in, watches, and when it is lost connects
 * again with pauses that grow, for ever. libiscsi would reconnect by itself, but blocks meanwhile
 * and takes another ISID; so each session is a context of its own, thrown away at its end.
 *
 * Timers:	attempt	DOWN: the pause before the next attempt. CONNECTING to PROBING: the attempt
 *			takes too long.
 *		beat	UP: a NOP goes out; the third one without an answer ends the session.
 */
#include "iscsi_libiscsi.h"
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#define MS 1000000ULL

enum {
	ATTEMPT_MS = 10000,
	PAUSE_FIRST_MS = 50,
	PAUSE_LAST_MS = 3000,
	BEAT_MS = 5000,
	BEATS_UNANSWERED_MAX = 3,
	SHORT_LIFE_MS = 10000, /* a session that ends before is a sign of something */
	SHORT_LIVES_TOLD = 4,
	REDIRECTS_MAX = 3,
};

static void service(struct iscsi_pdev *p, int revents);

void hf_pdev_iscsi_lose(struct iscsi_pdev *p, int error, const char *fmt, ...)
{
	va_list ap;

	if (p->is_lost)
		return; /* the first reason counts */
	p->is_lost = true;
	p->why_error = error;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	p->why[strcspn(p->why, "\r\n")] = '\0';
}

/* --- waiting for the socket --- */

static void poll_done(struct iscsi_pdev *p, int revents)
{
	if (revents < 0) {
		hf_pdev_iscsi_lose(p, revents, "the socket cannot be waited for");
		return hf_pdev_iscsi_settle(p);
	}
	service(p, revents & (POLLIN | POLLOUT | POLLERR | POLLHUP));
}

static void poll_in_done(struct hf_req *req, int result)
{
	struct iscsi_pdev *p = hf_container_of(req, struct iscsi_pdev, poll_in);

	p->is_in_armed = false;
	/* libiscsi keeps an end of file to itself when it is not to reconnect. What came before
	 * the end is read first. */
	if (result > 0 && result & POLLRDHUP && p->state >= ISCSI_LOGGING_IN) {
		(void)iscsi_service(p->ctx, POLLIN);
		hf_pdev_iscsi_lose(p, -ECONNRESET, "the target has closed the connection");
		return hf_pdev_iscsi_settle(p);
	}
	poll_done(p, result);
}

static void poll_out_done(struct hf_req *req, int result)
{
	struct iscsi_pdev *p = hf_container_of(req, struct iscsi_pdev, poll_out);

	p->is_out_armed = false;
	poll_done(p, result);
}

static void arm_polls(struct iscsi_pdev *p)
{
	int events = iscsi_which_events(p->ctx), fd = iscsi_get_fd(p->ctx);

	if (!p->is_in_armed && p->state > ISCSI_CONNECTING) {
		p->is_in_armed = true;
		p->poll_in.done = poll_in_done;
		hf_loop_poll(p->loop, &p->poll_in, fd, POLLIN | POLLRDHUP);
	}
	if (!p->is_out_armed && events & POLLOUT) {
		p->is_out_armed = true;
		p->poll_out.done = poll_out_done;
		hf_loop_poll(p->loop, &p->poll_out, fd, POLLOUT);
	}
}

static void service(struct iscsi_pdev *p, int revents)
{
	if (iscsi_service(p->ctx, revents) < 0)
		hf_pdev_iscsi_lose(p, -EIO, "%s", iscsi_get_error(p->ctx));
	hf_pdev_iscsi_settle(p);
}

/* --- the end of a session --- */

static void take_down(struct iscsi_pdev *p)
{
	/* A poll holds the socket, and the target is to see it closed. */
	hf_loop_abandon(p->loop, &p->poll_in);
	hf_loop_abandon(p->loop, &p->poll_out);
	p->is_in_armed = p->is_out_armed = false;
	hf_timer_cancel(p->loop, &p->attempt);
	hf_timer_cancel(p->loop, &p->beat);
	p->is_ending = true;
	iscsi_destroy_context(p->ctx);
	hf_pdev_iscsi_pr_take_back(p);
	p->is_ending = false;
	p->ctx = NULL;
	p->state = ISCSI_DOWN;
	p->is_lost = false;
}

static uint64_t pause_ms(unsigned attempts)
{
	return HF_MIN((uint64_t)PAUSE_FIRST_MS << HF_MIN(attempts, 10), PAUSE_LAST_MS);
}

static void tell_end(struct iscsi_pdev *p, unsigned unanswered)
{
	bool is_short = hf_loop_now_ns(p->loop) < p->up_ns + SHORT_LIFE_MS * MS;

	hf_warning("%s: the session has ended: %s; connecting again (requests that wait: %u)",
		p->name, p->why, unanswered);
	p->short_lived = is_short ? p->short_lived + 1 : 0;
	if (p->short_lived == SHORT_LIVES_TOLD)
		hf_error("%s: %u sessions in a row have ended soon after their login; if the "
			 "target is in order, somebody else logs in as %s: no two daemons may have "
			 "one controller id",
			p->name, p->short_lived, p->initiator);
}

static void carry_out_loss(struct iscsi_pdev *p)
{
	bool was_up = p->state == ISCSI_UP;
	unsigned taken_back;

	take_down(p);
	taken_back = hf_pdev_iscsi_take_back(p);
	if (taken_back)
		p->must_reset = true;
	if (was_up) {
		tell_end(p, taken_back);
		p->attempts = p->short_lived >= SHORT_LIVES_TOLD ? p->short_lived : 0;
	} else if (p->is_open && p->attempts % 20 == 1) {
		hf_warning("%s: cannot be reached: %s; trying again for as long as it takes",
			p->name, p->why);
	}
	if (p->must_skip_security) {
		p->must_skip_security = false;
		p->skips_security = true;
		hf_timer_arm(p->loop, &p->attempt, hf_loop_now_ns(p->loop));
	} else if (p->is_open || p->redirect[0]) {
		p->skips_security = false;
		hf_timer_arm(
			p->loop, &p->attempt, hf_loop_now_ns(p->loop) + pause_ms(p->attempts) * MS);
	}
}

void hf_pdev_iscsi_settle(struct iscsi_pdev *p)
{
	if (p->state == ISCSI_DOWN)
		return;
	if (!p->is_lost && p->state == ISCSI_UP)
		hf_pdev_iscsi_dispatch(p);
	/* What has just been queued goes out at once if the socket takes it. */
	if (!p->is_lost && p->state > ISCSI_CONNECTING && !p->is_out_armed &&
		iscsi_which_events(p->ctx) & POLLOUT && iscsi_service(p->ctx, POLLOUT) < 0)
		hf_pdev_iscsi_lose(p, -EIO, "%s", iscsi_get_error(p->ctx));
	if (p->is_lost)
		carry_out_loss(p);
	else
		arm_polls(p);
}

/* --- the beginning of a session --- */

static void beat_due(struct hf_timer *t)
{
	struct iscsi_pdev *p = hf_container_of(t, struct iscsi_pdev, beat);

	hf_timer_arm(p->loop, &p->beat, hf_loop_now_ns(p->loop) + p->beat_ms * MS);
	hf_pdev_iscsi_watch(p);
	if (iscsi_get_nops_in_flight(p->ctx) >= BEATS_UNANSWERED_MAX)
		hf_pdev_iscsi_lose(p, -ETIMEDOUT, "the target has not answered a NOP for %u ms",
			BEATS_UNANSWERED_MAX * p->beat_ms);
	else if (iscsi_nop_out_async(p->ctx, NULL, NULL, 0, NULL))
		hf_pdev_iscsi_lose(p, -EIO, "%s", iscsi_get_error(p->ctx));
	hf_pdev_iscsi_settle(p);
}

void hf_pdev_iscsi_session_up(struct iscsi_pdev *p)
{
	if (p->is_open)
		hf_notice("%s: connected again after %u attempt%s", p->name, p->attempts,
			p->attempts == 1 ? "" : "s");
	p->state = ISCSI_UP;
	p->is_open = true;
	p->attempts = 0;
	p->redirects = 0;
	p->up_ns = hf_loop_now_ns(p->loop);
	hf_timer_cancel(p->loop, &p->attempt);
	hf_timer_arm(p->loop, &p->beat, p->up_ns + p->beat_ms * MS);
}

static void logged_in(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct iscsi_pdev *p = arg;
	const char *elsewhere = iscsi_get_target_address(ctx);

	if (p->is_ending)
		return;
	if (status == SCSI_STATUS_REDIRECT && elsewhere[0] && p->redirects++ < REDIRECTS_MAX) {
		snprintf(p->redirect, sizeof(p->redirect), "%s", elsewhere);
		return hf_pdev_iscsi_lose(p, -EAGAIN, "the target redirects to %s", p->redirect);
	}
	if (status != SCSI_STATUS_GOOD && !p->where.user[0] && !p->skips_security)
		p->must_skip_security = true;
	if (status != SCSI_STATUS_GOOD)
		return hf_pdev_iscsi_lose(
			p, -ECONNREFUSED, "the login was refused: %s", iscsi_get_error(ctx));
	p->state = ISCSI_PROBING;
	hf_pdev_iscsi_probe(p);
}

/* No words of libiscsi's tell it, only the number that it puts in parentheses. */
static void no_connection(struct iscsi_pdev *p)
{
	const char *why = iscsi_get_error(p->ctx);
	char number[16];

	snprintf(number, sizeof(number), "(%d)", ECONNREFUSED);
	if (strstr(why, number))
		p->refusals++;
	hf_pdev_iscsi_lose(p, -ECONNREFUSED, "no connection: %s", why);
}

static void connected(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct iscsi_pdev *p = arg;

	if (p->is_ending)
		return;
	if (status != SCSI_STATUS_GOOD)
		return no_connection(p);
	p->state = ISCSI_LOGGING_IN;
	if (iscsi_login_async(ctx, logged_in, p))
		hf_pdev_iscsi_lose(p, -EIO, "%s", iscsi_get_error(ctx));
}

/*
 * Without a secret, too, the login goes through the security stage, where the target
 * chooses "None": tgt (1.0.85) does not look for a session to reinstate when that stage is
 * left out. libiscsi leaves it out without an account, so it gets one that is never asked
 * for. A target that asks nevertheless gets another login without the stage.
 */
static int prepare_context(struct iscsi_pdev *p)
{
	const struct hf_iscsi_url *u = &p->where;
	struct iscsi_context *ctx = iscsi_create_context(p->initiator);

	if (!ctx)
		return -ENOMEM;
	p->ctx = ctx;
	iscsi_set_noautoreconnect(ctx, 1);
	iscsi_set_timeout(ctx, 0); /* a timeout ends no request */
	if (iscsi_set_session_type(ctx, ISCSI_SESSION_NORMAL) ||
		iscsi_set_targetname(ctx, u->target))
		return -EINVAL;
	if (p->is_owned && iscsi_set_isid_random(ctx, p->isid_random, p->isid_qualifier))
		return -EINVAL;
	if (u->user[0] ? iscsi_set_initiator_username_pwd(ctx, u->user, u->secret)
		       : !p->skips_security &&
				 iscsi_set_initiator_username_pwd(ctx, "none", "none"))
		return -EINVAL;
	if (u->target_user[0] &&
		iscsi_set_target_username_pwd(ctx, u->target_user, u->target_secret))
		return -EINVAL;
	return 0;
}

/* What this machine has not sent when the socket closes, by our hand or at the end of the
 * process, is not sent later: the connection is reset. */
static void close_without_rest(int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void hf_pdev_iscsi_session_start(struct iscsi_pdev *p)
{
	const char *portal = p->redirect[0] ? p->redirect : p->portal;
	int err;

	p->attempts++;
	p->state = ISCSI_CONNECTING;
	err = prepare_context(p);
	if (err && !p->ctx) { /* memory is short: only time helps */
		p->state = ISCSI_DOWN;
		snprintf(p->why, sizeof(p->why), "memory is short");
		p->why_error = err;
		if (p->is_open)
			hf_timer_arm(
				p->loop, &p->attempt, hf_loop_now_ns(p->loop) + PAUSE_LAST_MS * MS);
		return;
	}
	hf_timer_arm(p->loop, &p->attempt, hf_loop_now_ns(p->loop) + p->attempt_ms * MS);
	if (err)
		hf_pdev_iscsi_lose(p, err, "%s", iscsi_get_error(p->ctx));
	else if (iscsi_connect_async(p->ctx, portal, connected, p))
		no_connection(p);
	else
		close_without_rest(iscsi_get_fd(p->ctx));
	p->redirect[0] = '\0';
	hf_pdev_iscsi_settle(p);
}

static void attempt_due(struct hf_timer *t)
{
	struct iscsi_pdev *p = hf_container_of(t, struct iscsi_pdev, attempt);

	if (p->state == ISCSI_DOWN)
		return hf_pdev_iscsi_session_start(p);
	hf_pdev_iscsi_lose(p, -ETIMEDOUT, "%s within %u ms",
		p->state == ISCSI_CONNECTING ? "no connection" : "no end of the login",
		p->attempt_ms);
	hf_pdev_iscsi_settle(p);
}

void hf_pdev_iscsi_session_init(struct iscsi_pdev *p)
{
	p->state = ISCSI_DOWN;
	p->must_reset = p->is_owned;
	p->beat_ms = BEAT_MS;
	p->attempt_ms = ATTEMPT_MS;
	hf_timer_init(&p->attempt, attempt_due);
	hf_timer_init(&p->beat, beat_due);
}

void hf_pdev_iscsi_session_fini(struct iscsi_pdev *p)
{
	if (p->ctx)
		take_down(p);
	hf_timer_cancel(p->loop, &p->attempt);
}
