/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fence driver lease: runs the lease machine over the voting disks and the watchdog. One
 * renewal every quarter of the watchdog's time; feeding waits for the disks, and for nothing else.
 */
#include "fence_int.h"

#include "canary.h"
#include "log.h"

#include <stdio.h>

#define MS UINT64_C(1000000)

static void step(struct hf_fence *f, struct hf_lease_event ev);

static void record_done(struct hf_record_io *io, int result)
{
	struct hf_fence *f = hf_container_of(io, struct hf_fence, lease_io);

	f->lease_out = false;
	if (io->write) {
		f->lease_written |= result == 0;
		if (result < 0 && !f->lease_told)
			hf_error(
				"fence: the lease cannot be renewed on most voting disks (%s); the "
				"watchdog resets this machine unless that changes soon",
				strerror(-result));
		f->lease_told = result < 0;
	}
	if (!f->lease_ending)
		step(f, (struct hf_lease_event){
				.kind = io->write ? HF_LEASE_WRITTEN : HF_LEASE_READ,
				.result = result,
				.buf = f->lease_buf});
}

static void submit(struct hf_fence *f, bool write, uint8_t id)
{
	f->lease_out = true;
	f->lease_io = (struct hf_record_io){.kind = HF_RECORD_LEASE,
		.index = id,
		.write = write,
		.buf = f->lease_buf,
		.len = write ? HF_LEASE_BYTES : sizeof(f->lease_buf),
		.done = record_done};
	if (!write)
		f->lease_io.len = hf_record_capacity(HF_RECORD_LEASE);
	hf_pool_record_submit(f->pool, &f->lease_io);
}

static void step(struct hf_fence *f, struct hf_lease_event ev)
{
	struct hf_lease_effect e;

	ev.now_ns = hf_loop_clock_ns(f->loop);
	e = hf_lease_step(&f->lease, &ev);
	if (e.feed)
		hf_fence_watchdog_feed(&f->watchdog);
	if (e.write)
		memcpy(f->lease_buf, e.buf, sizeof(e.buf));
	if (e.write || e.read)
		submit(f, e.write, e.write ? f->config.id : e.id);
	if (e.fenced)
		hf_fence_tell(f, 0, "the lease of %s has run out or was given up", f->who);
}

static void tick(struct hf_timer *t)
{
	struct hf_fence *f = hf_container_of(t, struct hf_fence, lease_timer);

	hf_timer_arm(f->loop, t, hf_loop_now_ns(f->loop) + f->config.watchdog_ms * MS / 4);
	step(f, (struct hf_lease_event){.kind = HF_LEASE_TICK});
}

void hf_fence_lease_wait(struct hf_fence *f)
{
	step(f, (struct hf_lease_event){.kind = HF_LEASE_FENCE,
			.ids = f->victims,
			.is_overruled = !f->by_quorum && f->race.own.round > 0,
			.epoch = f->epoch,
			.incarnations = f->incarnations});
}

void hf_fence_lease_end(struct hf_fence *f)
{
	step(f, (struct hf_lease_event){.kind = HF_LEASE_END});
}

void hf_fence_lease_lost(struct hf_fence *f)
{
	step(f, (struct hf_lease_event){.kind = HF_LEASE_LOSE});
	if (HF_PLANTED(LEASE_CLEAR_EARLY))
		hf_fence_clean(f);
}

void hf_fence_clean(struct hf_fence *f)
{
	if (f->config.kind == HF_FENCE_LEASE)
		step(f, (struct hf_lease_event){.kind = HF_LEASE_CLEAR, .epoch = f->epoch});
}

void hf_fence_give_up(struct hf_fence *f, uint64_t epoch)
{
	f->epoch = epoch;
	if (f->config.kind == HF_FENCE_LEASE)
		hf_fence_lease_lost(f);
}

void hf_fence_serve_again(struct hf_fence *f)
{
	if (f->config.kind == HF_FENCE_LEASE)
		step(f, (struct hf_lease_event){.kind = HF_LEASE_CLEAR});
}

/* The lease is there before this controller can be a member of anything. */
int hf_fence_lease_init(struct hf_fence *f, char *message, size_t message_len)
{
	const struct hf_fence_config *c = &f->config;
	int ret = hf_fence_watchdog_open(
		&f->watchdog, c->watchdog, c->watchdog_ms, message, message_len);

	if (ret < 0)
		return ret;
	hf_lease_init(&f->lease, c->incarnation, c->watchdog_ms * MS, c->path_ms * MS);
	f->lease.others = c->peer_id ? 1u << c->peer_id : c->others;
	hf_timer_init(&f->lease_timer, tick);
	tick(&f->lease_timer);
	while (!f->lease_written && !f->lease_told) {
		ret = hf_loop_run_once(f->loop, true);
		hf_assert(ret >= 0 || ret == -EINTR || ret == -ETIME || ret == -EAGAIN);
	}
	if (f->lease_written)
		return 0;
	snprintf(message, message_len,
		"the lease cannot be written to most voting disks; connect those that are missing");
	return -EIO;
}

/* Nothing of ours is in flight: says so, and lets go of the watchdog. */
void hf_fence_lease_fini(struct hf_fence *f)
{
	hf_timer_cancel(f->loop, &f->lease_timer);
	f->lease_ending = true;
	while (f->lease_out && hf_loop_run_once(f->loop, true) >= -EAGAIN)
		;
	if (f->lease_written && !f->lease.losing) {
		f->lease.own.counter++;
		f->lease.own.clear_epoch = UINT64_MAX;
		hf_lease_record_encode(&f->lease.own, f->lease_buf);
		submit(f, true, f->config.id);
		while (f->lease_out && hf_loop_run_once(f->loop, true) >= -EAGAIN)
			;
	}
	hf_fence_watchdog_close(&f->watchdog);
}
