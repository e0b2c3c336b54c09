/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fence as a whole: the race over the voting disks with its I/O, then what the kind of fence
 * does with a race that is won.
 */
#include "fence_int.h"

#include "canary.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)

enum {
	/* A winner has so long beyond its agent's time before the loser tries it in its place. */
	OVERRULE_MS = 3000,
	INHERIT_MS = 2000, /* and a winner's successor a little longer than that */
};

void hf_fence_tell(struct hf_fence *f, int result, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	if (!f->running)
		return;
	f->running = false;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	f->ops->done(f->owner, result, why);
}

/* --- what follows a race that is won --- */

static void agent_ended(struct hf_fence_agent *a, int result, const char *why)
{
	struct hf_fence *f = hf_container_of(a, struct hf_fence, agent);

	if (result == 0) {
		hf_notice("fence: %s: success; controller %u is off", f->config.args[0],
			f->config.peer_id);
		hf_fence_tell(
			f, 0, "the fence agent has switched controller %u off", f->config.peer_id);
	} else {
		hf_fence_tell(f, result, "the fence agent %.60s %s", f->config.args[0], why);
	}
}

/*
 * The process before this one has won and not gone on. The other one may live, and has the state
 * then: it gets the time that it waits until it overrules.
 */
static bool is_inherited(const struct hf_fence *f)
{
	return f->starts && f->inherited_epoch == f->epoch && !HF_PLANTED(INHERIT_VICTORY) &&
	       hf_loop_now_ns(f->loop) < f->inherited_until_ns;
}

static void tell_inherited(struct hf_fence *f)
{
	hf_fence_tell(f, -EAGAIN,
		"the process before this one has won the race and has not gone on; waits whether "
		"controller %u does",
		f->config.peer_id);
}

static void won(struct hf_fence *f)
{
	bool is_first = f->raced_epoch != f->epoch;
	int ret;

	f->lost_epoch = 0;
	f->raced_epoch = f->epoch;
	if (f->config.kind == HF_FENCE_COMMAND && f->starts && is_first && f->race.inherited) {
		f->inherited_epoch = f->epoch;
		f->inherited_until_ns = hf_loop_now_ns(f->loop) +
					(f->config.command_ms + OVERRULE_MS + INHERIT_MS) * MS;
	}
	if (is_inherited(f)) {
		tell_inherited(f);
		return;
	}
	if (f->config.kind == HF_FENCE_LEASE) {
		hf_notice("fence: won the race of epoch %llu; waits for the lease of controller %u",
			(unsigned long long)f->epoch, f->config.peer_id);
		hf_fence_lease_wait(f);
		return;
	}
	hf_notice("fence: won the race of epoch %llu; runs %s against controller %u",
		(unsigned long long)f->epoch, f->config.args[0], f->config.peer_id);
	ret = hf_fence_agent_run(&f->agent, f->config.args, f->config.command_ms);
	if (ret < 0)
		hf_fence_tell(f, ret, "the fence agent %.60s cannot be run: %s", f->config.args[0],
			strerror(-ret));
}

static void note_lost(struct hf_fence *f, uint64_t now_ns)
{
	if (f->lost_epoch == f->epoch)
		return;
	f->lost_epoch = f->epoch;
	f->lost_since_ns = now_ns;
	hf_notice("fence: controller %u has won the race of epoch %llu", f->config.peer_id,
		(unsigned long long)f->epoch);
}

static void tell_not_yet(struct hf_fence *f)
{
	hf_fence_tell(f, -EAGAIN, "controller %u has won the race and has not gone on yet",
		f->config.peer_id);
}

/* The other one waits for us to stop: we do, or the watchdog sees to it. */
static void give_way(struct hf_fence *f)
{
	hf_fence_lease_lost(f);
	if (f->starts) /* nothing of this incarnation is in flight: its lease goes on */
		hf_fence_clean(f);
	hf_fence_tell(f, -EPERM, "controller %u has won the race", f->config.peer_id);
}

static void race_begin(struct hf_fence *f, bool overrule);

/*
 * Who has served and loses gives up for good. Its next incarnation finds the same winner, who may
 * have died before it went on: that shows at its lease. One whose lease is renewed goes on; for
 * that one this incarnation gives up, too, and never races in this epoch again.
 */
static void lost_with_lease(struct hf_fence *f)
{
	uint64_t now_ns = hf_loop_clock_ns(f->loop);

	if (!f->starts) {
		give_way(f);
		return;
	}
	note_lost(f, now_ns);
	if (hf_lease_is_renewed_since(&f->lease, f->config.peer_id, f->lost_since_ns)) {
		give_way(f);
	} else if (!f->overruled &&
		   hf_lease_may_have_run_out(&f->lease, f->config.peer_id, now_ns)) {
		hf_notice("fence: the winner has not gone on and its lease has run out; a new "
			  "round of the race");
		race_begin(f, true);
	} else {
		tell_not_yet(f);
	}
}

static void lost(struct hf_fence *f)
{
	if (f->config.kind == HF_FENCE_LEASE) {
		lost_with_lease(f);
		return;
	}
	note_lost(f, hf_loop_now_ns(f->loop));
	tell_not_yet(f);
}

/* --- the race --- */

static void race_step(struct hf_fence *f, const struct hf_race_event *ev);

static void record_done(struct hf_record_io *io, int result)
{
	struct hf_fence *f = hf_container_of(io, struct hf_fence, io);
	struct hf_race_event ev = {.kind = io->write ? HF_RACE_WRITTEN : HF_RACE_READ,
		.buf = f->buf,
		.result = result};

	f->io_out = false;
	race_step(f, &ev);
}

static void submit(struct hf_fence *f, bool write, uint8_t index)
{
	f->io_out = true;
	f->io = (struct hf_record_io){.kind = HF_RECORD_RACE,
		.index = index,
		.write = write,
		.buf = f->buf,
		.len = write ? HF_RACE_BYTES : hf_record_capacity(HF_RECORD_RACE),
		.done = record_done};
	hf_pool_record_submit(f->pool, &f->io);
}

static void race_start(struct hf_fence *f, uint64_t epoch);

static void told(struct hf_fence *f, enum hf_race_result result)
{
	f->racing = false;
	if (!f->running)
		return;
	/* That was for a view that is over, and the next race has waited for its end. */
	if (f->race.epoch != f->epoch) {
		race_start(f, f->epoch);
		return;
	}
	switch (result) {
	case HF_RACE_WON:
		won(f);
		return;
	case HF_RACE_LOST:
		lost(f);
		return;
	case HF_RACE_OVER:
		hf_fence_tell(f, -EAGAIN, "the view record is newer than this race");
		return;
	case HF_RACE_FAILED:
		hf_fence_tell(f, -EIO, "the race cannot be run: most voting disks do not answer");
		return;
	}
}

static void race_step(struct hf_fence *f, const struct hf_race_event *ev)
{
	struct hf_race_effect e = hf_race_step(&f->race, ev);

	switch (e.kind) {
	case HF_RACE_DO_NOTHING:
		return;
	case HF_RACE_DO_READ_OWN:
		submit(f, false, f->config.id);
		return;
	case HF_RACE_DO_READ_PEER:
		submit(f, false, f->config.peer_id);
		return;
	case HF_RACE_DO_WRITE:
		memcpy(f->buf, e.buf, sizeof(e.buf));
		submit(f, true, f->config.id);
		return;
	case HF_RACE_DO_WAIT:
		hf_timer_arm(f->loop, &f->wait, hf_loop_now_ns(f->loop) + e.wait_ns);
		return;
	case HF_RACE_DO_TELL:
		told(f, e.result);
		return;
	}
}

static void wait_fire(struct hf_timer *t)
{
	struct hf_fence *f = hf_container_of(t, struct hf_fence, wait);
	struct hf_race_event ev = {.kind = HF_RACE_TIMER};

	race_step(f, &ev);
}

static void race_begin(struct hf_fence *f, bool overrule)
{
	struct hf_race_event ev = {.kind = HF_RACE_START, .epoch = f->epoch, .overrule = overrule};

	f->racing = true;
	f->overruled = overrule;
	race_step(f, &ev);
}

static void race_start(struct hf_fence *f, uint64_t epoch)
{
	uint64_t patience_ns = (f->config.command_ms + OVERRULE_MS) * MS;
	bool overrule;

	f->epoch = epoch;
	if (f->racing || f->agent.pidfd >= 0)
		return;
	if (f->config.kind == HF_FENCE_LEASE && f->lease.own.clear_epoch >= epoch) {
		hf_fence_tell(f, -EPERM, "this controller has given way to controller %u",
			f->config.peer_id);
		return;
	}
	if (is_inherited(f)) {
		tell_inherited(f);
		return;
	}
	overrule = f->config.kind == HF_FENCE_COMMAND && f->lost_epoch == epoch &&
		   hf_loop_now_ns(f->loop) - f->lost_since_ns > patience_ns;
	if (overrule) {
		f->lost_epoch = 0;
		hf_notice("fence: the winner has not gone on; a new round of the race");
	}
	race_begin(f, overrule);
}

void hf_fence_start(struct hf_fence *f, uint64_t epoch, uint64_t peer_incarnation, bool starts)
{
	f->running = true;
	f->by_quorum = false;
	f->starts = starts;
	f->victims = 1u << f->config.peer_id;
	f->incarnations[f->config.peer_id] = peer_incarnation;
	if (f->config.kind == HF_FENCE_PR)
		hf_fence_pr_start(f);
	else
		race_start(f, epoch);
}

static void name_victims(struct hf_fence *f)
{
	int n = snprintf(f->who, sizeof(f->who), "controller");
	unsigned k = 0;

	for (unsigned i = 1; i < HF_CONTROLLER_IDS; i++)
		if (f->victims >> i & 1)
			n += snprintf(f->who + n, sizeof(f->who) - (size_t)n, "%s%u",
				k++ ? ", " : " ", i);
}

void hf_fence_start_ids(
	struct hf_fence *f, uint64_t epoch, uint32_t ids, const uint64_t *incarnations)
{
	hf_assert(f->config.kind != HF_FENCE_COMMAND && ids); /* agents: hf_fence_each_start() */
	f->running = f->by_quorum = true;
	f->epoch = epoch;
	f->victims = ids;
	memcpy(f->incarnations, incarnations, sizeof(f->incarnations));
	name_victims(f);
	hf_notice("fence: %s is missing and is being fenced", f->who);
	if (f->config.kind == HF_FENCE_PR)
		hf_fence_pr_start(f);
	else
		hf_fence_lease_wait(f);
}

void hf_fence_serve(struct hf_fence *f, uint32_t ids)
{
	f->shut_out &= ~ids;
}

void hf_fence_keep_out(struct hf_fence *f, uint32_t ids)
{
	f->shut_out |= ids;
}

void hf_fence_check(struct hf_fence *f)
{
	if (f->config.kind == HF_FENCE_PR)
		hf_fence_pr_check(f);
	else
		f->ops->checked(f->owner);
}

bool hf_fence_end(struct hf_fence *f)
{
	f->running = false;
	hf_fence_agent_abandon(&f->agent);
	if (f->config.kind == HF_FENCE_LEASE)
		hf_fence_lease_end(f);
	if (f->config.kind == HF_FENCE_PR)
		hf_fence_pr_end(f);
	return !f->end_owed;
}

/* --- birth and death --- */

int hf_fence_create(const struct hf_fence_config *config, struct hf_loop *loop,
	struct hf_pool *pool, const struct hf_fence_ops *ops, void *owner, struct hf_fence **ret,
	char *message, size_t message_len)
{
	struct hf_fence *f = calloc(1, sizeof(*f));

	if (!f) {
		snprintf(message, message_len, "out of memory for the fence");
		return -ENOMEM;
	}
	f->config = *config;
	f->shut_out = config->others;
	f->loop = loop;
	f->pool = pool;
	f->ops = ops;
	f->owner = owner;
	snprintf(f->who, sizeof(f->who), "another controller");
	if (config->peer_id)
		snprintf(f->who, sizeof(f->who), "controller %u", config->peer_id);
	hf_race_init(&f->race, config->id, config->peer_id);
	hf_timer_init(&f->wait, wait_fire);
	hf_fence_agent_init(&f->agent, loop);
	f->agent.ended = agent_ended;
	if (config->kind == HF_FENCE_PR && hf_fence_pr_init(f)) {
		free(f);
		snprintf(message, message_len, "out of memory for the fence");
		return -ENOMEM;
	}
	if (config->kind == HF_FENCE_LEASE) {
		int err = hf_fence_lease_init(f, message, message_len);

		if (err) {
			hf_fence_destroy(f);
			return err;
		}
	}
	*ret = f;
	return 0;
}

static void done_to_nobody(void *owner, int result, const char *why)
{
}

static void unfenced_to_nobody(void *owner, struct hf_pdev *pdev, const char *disk)
{
}

static void to_nobody(void *owner)
{
}

static const struct hf_fence_ops nobody = {.done = done_to_nobody,
	.unfenced = unfenced_to_nobody,
	.mended = to_nobody,
	.ended = to_nobody,
	.checked = to_nobody};

void hf_fence_destroy(struct hf_fence *f)
{
	if (!f)
		return;
	/* The loop runs until this controller has left the disks; the engine is gone by then. */
	f->ops = &nobody;
	hf_fence_end(f);
	while (f->io_out && hf_loop_run_once(f->loop, true) == 0)
		hf_timer_cancel(f->loop, &f->wait);
	hf_timer_cancel(f->loop, &f->wait);
	if (f->config.kind == HF_FENCE_PR)
		hf_fence_pr_fini(f);
	if (f->config.kind == HF_FENCE_LEASE)
		hf_fence_lease_fini(f);
	free(f);
}
