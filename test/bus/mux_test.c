/* SPDX-License-Identifier: BSD-3-Clause */
/* The stream over several links: order, no duplicates, nothing lost, silence noticed on both sides.
 */
#include "mux.h"
#include "endian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define LINKS	2
#define DEPTH	64
#define SILENCE 1000000000ull
#define CAP	(64 << 10)

/* Frames on their way on one link in one direction. */
struct pipe {
	unsigned head, tail;
	bool swallow; /* packets vanish, nobody is told */
	size_t len[DEPTH];
	uint8_t frame[DEPTH][HF_MUX_FRAME_MAX];
};

struct end {
	struct hf_mux mux;
	uint8_t arena[CAP];
	uint64_t sent, got; /* messages carry their number */
};

static struct end ends[2];
static struct pipe pipes[2][LINKS]; /* [from][link] */
static uint64_t now_ns;
static uint64_t rng_state;

static uint32_t rnd(uint32_t below)
{
	rng_state = rng_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng_state >> 33) % below;
}

static void start(unsigned links)
{
	memset(pipes, 0, sizeof(pipes));
	now_ns = 5 * SILENCE;
	for (unsigned e = 0; e < 2; e++) {
		hf_mux_init(&ends[e].mux, ends[e].arena, CAP, SILENCE, 0);
		hf_mux_begin(&ends[e].mux, now_ns);
		ends[e].sent = ends[e].got = 0;
		for (unsigned l = 0; l < links; l++)
			hf_mux_link_up(&ends[e].mux, l, now_ns, now_ns);
	}
}

static int put(struct end *e, size_t len)
{
	static uint8_t body[HF_MUX_PAYLOAD_MAX];
	int ret;

	hf_put_be64(body, e->sent + 1);
	memset(body + 8, (int)(e->sent & 0xff), len - 8);
	ret = hf_mux_send(&e->mux, body, 8, body + 8, len - 8, now_ns);
	if (ret == 0)
		e->sent++;
	return ret;
}

/* Frames that this end wants to send on the link now go into the pipe. */
static void pump(unsigned from, unsigned link)
{
	struct pipe *p = &pipes[from][link];
	uint8_t buf[HF_MUX_FRAME_MAX];
	size_t n;

	while (p->tail - p->head < DEPTH &&
		(n = hf_mux_next(&ends[from].mux, link, now_ns, buf)) > 0) {
		if (p->swallow)
			continue;
		memcpy(p->frame[p->tail % DEPTH], buf, n);
		p->len[p->tail++ % DEPTH] = n;
	}
}

static void deliver(unsigned from, unsigned link)
{
	struct pipe *p = &pipes[from][link];
	struct end *to = &ends[!from];
	const uint8_t *payload;
	size_t len;
	int ret;

	if (p->head == p->tail || !to->mux.links[link].up)
		return;
	ret = hf_mux_receive(&to->mux, link, p->frame[p->head % DEPTH], p->len[p->head % DEPTH],
		now_ns, &payload, &len);
	p->head++;
	assert_true(ret >= 0);
	if (ret != 1)
		return;
	assert_int_equal(hf_get_be64(payload), to->got + 1);
	for (size_t i = 8; i < len; i++)
		assert_int_equal(payload[i], to->got & 0xff);
	to->got++;
}

/* One end takes its link down: what is on its way to it is lost; the other notices later. */
static void end_link(unsigned e, unsigned link)
{
	hf_mux_link_down(&ends[e].mux, link, now_ns);
	pipes[!e][link].head = pipes[!e][link].tail;
}

static bool settled(void)
{
	for (unsigned e = 0; e < 2; e++)
		if (ends[e].got != ends[!e].sent || hf_mux_unacked_bytes(&ends[e].mux))
			return false;
	return true;
}

/* Time passes until all is delivered and acknowledged. True if the stream ended instead. */
static bool run_until_settled(void)
{
	uint32_t silent;

	for (unsigned i = 0; i < 200; i++) {
		for (unsigned e = 0; e < 2; e++)
			for (unsigned l = 0; l < LINKS; l++) {
				pump(e, l);
				while (pipes[e][l].head != pipes[e][l].tail &&
					ends[!e].mux.links[l].up)
					deliver(e, l);
			}
		if (settled())
			return false;
		now_ns += SILENCE / 20;
		for (unsigned e = 0; e < 2; e++) {
			if (hf_mux_tick(&ends[e].mux, now_ns, &silent))
				return true;
			for (unsigned l = 0; l < LINKS; l++)
				if (silent & 1u << l)
					end_link(e, l);
		}
	}
	fail_msg("neither settled nor over");
	return false;
}

static void messages_arrive_once_and_in_order(void **state)
{
	start(2);
	for (unsigned i = 0; i < 20; i++)
		for (unsigned e = 0; e < 2; e++)
			assert_int_equal(put(&ends[e], 8 + i * 40), 0);
	assert_false(run_until_settled());
	assert_int_equal(ends[0].got, 20);
	assert_int_equal(ends[0].mux.duplicates, 0);
}

static void a_link_that_fails_silently_is_replaced_before_the_stream_is_over(void **state)
{
	start(2);
	pipes[0][0].swallow = pipes[1][0].swallow = true;
	assert_int_equal(put(&ends[0], 100), 0);
	assert_false(run_until_settled());
	assert_int_equal(ends[1].got, 1);
	assert_true(now_ns - 5 * SILENCE < SILENCE);
}

static void one_dead_direction_is_silence_for_both(void **state) /* W13 */
{
	uint32_t silent;
	bool over[2] = {false, false};

	start(1);
	pipes[0][0].swallow = true;
	for (unsigned i = 0; i < 22 && !(over[0] && over[1]); i++) {
		now_ns += SILENCE / 20;
		for (unsigned e = 0; e < 2; e++) {
			over[e] |= hf_mux_tick(&ends[e].mux, now_ns, &silent);
			pump(e, 0);
		}
		while (pipes[1][0].head != pipes[1][0].tail)
			deliver(1, 0);
	}
	assert_true(over[0]);
	assert_true(over[1]);
}

static void an_idle_stream_stays_up(void **state)
{
	uint32_t silent;

	start(2);
	for (unsigned i = 0; i < 200; i++) {
		now_ns += SILENCE / 20;
		for (unsigned e = 0; e < 2; e++) {
			assert_false(hf_mux_tick(&ends[e].mux, now_ns, &silent));
			assert_int_equal(silent, 0);
			for (unsigned l = 0; l < 2; l++) {
				pump(e, l);
				while (pipes[e][l].head != pipes[e][l].tail)
					deliver(e, l);
			}
		}
	}
	assert_true(now_ns - ends[0].mux.links[0].heard_ns < SILENCE / 2);
}

static void a_peer_that_acknowledges_nothing_fills_the_arena_and_no_more(void **state)
{
	unsigned n = 0;

	start(1);
	while (put(&ends[0], 1000) == 0)
		n++;
	assert_in_range(n, 50, CAP / 1000);
	assert_int_equal(put(&ends[0], 1000), -ENOBUFS);
	assert_false(run_until_settled());
	assert_int_equal(put(&ends[0], 1000), 0);
	assert_int_equal(
		hf_mux_send(&ends[0].mux, NULL, 0, ends[0].arena, HF_MUX_PAYLOAD_MAX + 1, now_ns),
		-EMSGSIZE);
}

static int give(const void *frame, size_t len)
{
	const uint8_t *payload;
	size_t n;

	return hf_mux_receive(&ends[0].mux, 0, frame, len, now_ns, &payload, &n);
}

static void frames_that_fit_no_stream_are_refused(void **state)
{
	uint8_t f[64] = {HF_MUX_DATA};

	start(1);
	assert_int_equal(give(f, 0), -EBADMSG);
	assert_int_equal(give(f, 16), -EBADMSG); /* cut */
	assert_int_equal(give(f, 17), -EBADMSG); /* number 0 */
	hf_put_be64(f + 1, 2);
	assert_int_equal(give(f, 17), -EBADMSG); /* a gap */
	hf_put_be64(f + 1, 1);
	hf_put_be64(f + 9, 1);
	assert_int_equal(give(f, 17), -EBADMSG); /* acknowledges what was never sent */
	hf_put_be64(f + 9, 0);
	assert_int_equal(give(f, 17), 1);
	assert_int_equal(give(f, 17), 0); /* seen already */
	f[0] = HF_MUX_BEAT;
	memset(f + 1, 0, 32);
	hf_put_be64(f + 9, now_ns + 1);
	assert_int_equal(give(f, 33), -EBADMSG); /* echoes the future */
	hf_put_be64(f + 9, now_ns);
	assert_int_equal(give(f, 34), -EBADMSG); /* longer than a heartbeat */
	assert_int_equal(give(f, 33), 0);
	f[0] = 0x77;
	assert_int_equal(give(f, 33), -EBADMSG);
}

/* Any schedule of sends, deliveries, breaks and returns of links, as long as one link comes back.
 */
static void random_schedules(void **state)
{
	const char *text = getenv("SEED");
	uint64_t first = text ? strtoull(text, NULL, 0) : 1, last = text ? first : 300;

	for (uint64_t seed = first; seed <= last; seed++) {
		rng_state = seed * 77777;
		start(2);
		print_message("seed %llu\n", (unsigned long long)seed);
		for (unsigned i = 0; i < 2000; i++) {
			unsigned e = rnd(2), l = rnd(LINKS), what = rnd(100);
			bool up = ends[e].mux.links[l].up;

			now_ns += 1000;
			if (what < 30) {
				put(&ends[e], 8 + (rnd(10) ? rnd(200) : rnd(9000)));
			} else if (what < 60) {
				pump(e, l);
			} else if (what < 96) {
				deliver(e, l);
			} else if (up) {
				/* Both ends lose it, what is in the pipes is gone. */
				end_link(e, l);
				end_link(!e, l);
			} else {
				for (unsigned k = 0; k < 2; k++)
					hf_mux_link_up(&ends[k].mux, l, now_ns, now_ns);
			}
		}
		for (unsigned l = 0; l < LINKS; l++)
			if (!ends[0].mux.links[l].up)
				for (unsigned k = 0; k < 2; k++)
					hf_mux_link_up(&ends[k].mux, l, now_ns, now_ns);
		assert_false(run_until_settled());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_once_and_in_order),
		cmocka_unit_test(a_link_that_fails_silently_is_replaced_before_the_stream_is_over),
		cmocka_unit_test(one_dead_direction_is_silence_for_both),
		cmocka_unit_test(an_idle_stream_stays_up),
		cmocka_unit_test(a_peer_that_acknowledges_nothing_fills_the_arena_and_no_more),
		cmocka_unit_test(frames_that_fit_no_stream_are_refused),
		cmocka_unit_test(random_schedules),
	};

	return cmocka_run_group_tests_name("mux", tests, NULL, NULL);
}
