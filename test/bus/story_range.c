/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Conversations of two range machines (range.h): crossings, heals, lost peers, the queue. A test
 * decides when each message arrives and when each drain ends; what happens is written down, a line
 * per effect, and expect() compares it. A is dominant. Ranges are named by who asked: A1, B1, B2.
 *
 * At every moment: what is granted at A and what is granted at B does not overlap.
 */
#include "range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { A, B, MS = 1000000, WANTS = 80, INBOX = 400 };

struct want {
	struct hf_bus_range req;
	bool used, granted;
};

struct message {
	uint8_t buf[HF_RANGE_MSG_MAX];
	size_t len;
};

static struct node {
	struct hf_range_dev dev;
	struct message inbox[INBOX];
	unsigned inbox_len;
	uint64_t timer_at;
	uint64_t held[2 * HF_RANGE_ASKED_MAX]; /* ids not yet drained, oldest first */
	unsigned held_len;
	struct want wants[WANTS];
	unsigned failed;
	bool dropped;
} node[2];

static struct hf_pair_config config = {HF_PAIR_BOUND_NS, HF_PAIR_RETRY_NS};
static uint64_t now;
static bool linked;
static char text[1 << 16];
static size_t told;
static bool is_quiet; /* nothing is written down */

/* --- the stage --- */

static void tell(const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	if (is_quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, ap);
	va_end(ap);
	assert_true(strlen(text) < sizeof(text) - 1);
}

static void expect(const char *lines)
{
	if (strcmp(text + told, lines))
		fail_msg("expected:\n%s\nsaw:\n%s", lines, text + told);
	told = strlen(text);
}

static const char *id_name(uint64_t id)
{
	static char name[24];

	snprintf(name, sizeof(name), "%c%llu", id >> 56 == 1 ? 'A' : 'B',
		(unsigned long long)(id & 0xffffff));
	return name;
}

static void check(void)
{
	for (unsigned i = 0; i < WANTS; i++) {
		const struct want *a = &node[A].wants[i];

		for (unsigned j = 0; a->used && a->granted && j < WANTS; j++) {
			const struct want *b = &node[B].wants[j];

			if (b->used && b->granted)
				assert_true(a->req.lba + a->req.blocks <= b->req.lba ||
					    b->req.lba + b->req.blocks <= a->req.lba);
		}
	}
}

static void send(int from, const struct hf_range_msg *m)
{
	struct node *to = &node[1 - from];
	int len;

	tell("%c -> %c: %s", "AB"[from], "BA"[from], hf_range_msg_name(m->kind));
	tell("%s%s\n", m->id ? " " : "", m->id ? id_name(m->id) : "");
	assert_true(linked && to->inbox_len < INBOX);
	len = hf_range_msg_encode(m, to->inbox[to->inbox_len].buf, HF_RANGE_MSG_MAX);
	assert_true(len > 0);
	to->inbox[to->inbox_len++].len = (size_t)len;
}

static bool forget_hold(struct node *n, uint64_t id)
{
	for (unsigned i = 0; i < n->held_len; i++)
		if (n->held[i] == id) {
			memmove(&n->held[i], &n->held[i + 1],
				(--n->held_len - i) * sizeof(n->held[0]));
			return true;
		}
	return false;
}

static void granted(struct node *n, struct hf_bus_range *req, int result)
{
	struct want *w = hf_container_of(req, struct want, req);

	assert_true(w->used && !w->granted); /* told once */
	w->granted = result == 0;
	w->used = result == 0;
	n->failed += result != 0;
}

static void perform(int at, const struct hf_range_effect *e)
{
	struct node *n = &node[at];

	switch (e->kind) {
	case HF_RANGE_DO_SEND:
		send(at, &e->msg);
		return;
	case HF_RANGE_DO_HOLD:
		assert_true(n->held_len < HF_ARRAY_LEN(n->held));
		n->held[n->held_len++] = e->id;
		tell("%c: hold %s\n", "AB"[at], id_name(e->id));
		return;
	case HF_RANGE_DO_UNHOLD:
		forget_hold(n, e->id);
		tell("%c: let go %s\n", "AB"[at], id_name(e->id));
		return;
	case HF_RANGE_DO_DOUBT:
		tell("%c: %s in doubt\n", "AB"[at], id_name(e->id));
		return;
	case HF_RANGE_DO_GRANTED:
		tell("%c: %s %s\n", "AB"[at], id_name(e->req->id),
			!e->result		  ? "granted"
			: e->result == -ETIMEDOUT ? "too late"
						  : "not now");
		granted(n, e->req, e->result);
		return;
	case HF_RANGE_DO_TIMER:
		n->timer_at = e->at_ns;
		return;
	case HF_RANGE_DO_DROP_LINK:
		n->dropped = true;
		tell("%c: drops the link\n", "AB"[at]);
		return;
	}
}

static void step(int at, struct hf_range_event ev)
{
	struct hf_range_update u;

	do {
		ev.now_ns = now;
		hf_range_step(&node[at].dev, &ev, &u);
		for (unsigned i = 0; i < u.len; i++)
			perform(at, &u.effects[i]);
		ev = (struct hf_range_event){.kind = HF_RANGE_CONTINUE};
	} while (u.more);
	check();
}

static void event(int at, enum hf_range_event_kind kind)
{
	step(at, (struct hf_range_event){.kind = kind});
}

static void set_mode(int at, enum hf_pair_mode mode)
{
	step(at, (struct hf_range_event){.kind = HF_RANGE_SET_MODE, .mode = mode});
}

static int begin(void **state)
{
	memset(node, 0, sizeof(node));
	now = 1;
	linked = true;
	is_quiet = false;
	text[0] = '\0';
	told = 0;
	for (int i = 0; i < 2; i++) {
		hf_range_dev_init(&node[i].dev, 1, i == A, (uint8_t)(i + 1), &config);
		node[i].dev.up = node[i].dev.synced = true; /* for long already */
		set_mode(i, HF_PAIR_TOGETHER);
	}
	return 0;
}

static struct want *acquire(int at, uint64_t lba, uint32_t blocks)
{
	struct want *w = node[at].wants;

	while (w->used)
		w++;
	assert_true(w < node[at].wants + WANTS);
	*w = (struct want){.used = true, .req = {.dev = 1, .lba = lba, .blocks = blocks}};
	step(at, (struct hf_range_event){.kind = HF_RANGE_ACQUIRE, .req = &w->req});
	return w;
}

static void release(int at, struct want *w)
{
	assert_true(w->used);
	w->used = false; /* what comes after it may be granted in the same step */
	step(at, (struct hf_range_event){.kind = HF_RANGE_RELEASE, .req = &w->req});
}

static void inject(int at, const struct hf_range_msg *m)
{
	step(at, (struct hf_range_event){.kind = HF_RANGE_RECEIVE, .msg = m});
}

static void deliver(int at)
{
	struct node *n = &node[at];
	struct hf_range_msg m;

	assert_true(n->inbox_len > 0);
	assert_int_equal(hf_range_msg_decode(n->inbox[0].buf, n->inbox[0].len, &m), 0);
	memmove(n->inbox, n->inbox + 1, --n->inbox_len * sizeof(n->inbox[0]));
	inject(at, &m);
}

static void drained(int at)
{
	struct node *n = &node[at];
	uint64_t id = n->held[0];

	assert_true(n->held_len > 0);
	forget_hold(n, id);
	step(at, (struct hf_range_event){.kind = HF_RANGE_DRAINED, .id = id});
}

static void run(void)
{
	for (unsigned i = 0; i < 10000; i++) {
		bool more = false;

		for (int at = 0; at < 2; at++) {
			if (node[at].inbox_len)
				more = true, deliver(at);
			else if (node[at].held_len)
				more = true, drained(at);
		}
		if (!more)
			return;
	}
	fail_msg("it does not come to an end:\n%s", text);
}

static void pass_ms(unsigned ms)
{
	now += (uint64_t)ms * MS;
	for (int i = 0; i < 2; i++)
		if (node[i].timer_at && node[i].timer_at <= now) {
			node[i].timer_at = 0;
			event(i, HF_RANGE_TIMER);
		}
}

static void cut(void)
{
	linked = false;
	tell("- the link is cut\n");
	for (int i = 0; i < 2; i++) {
		node[i].inbox_len = 0;
		event(i, HF_RANGE_DOWN);
	}
}

static void heal(void)
{
	linked = true;
	tell("- the link is back\n");
	for (int i = 0; i < 2; i++) {
		set_mode(i, HF_PAIR_TOGETHER);
		event(i, HF_RANGE_UP);
	}
}

/* Nothing of anybody is held any more. */
static void expect_nothing_left(void)
{
	for (int i = 0; i < 2; i++)
		for (unsigned j = 0; j < HF_RANGE_ASKED_MAX; j++)
			assert_false(node[i].dev.own[j].used || node[i].dev.theirs[j].used);
}

/* --- stories --- */

static void granted_is_held_and_drained_on_both(void **state)
{
	struct want *w = acquire(A, 10, 4);

	expect("A: hold A1\n"
	       "A -> B: ask A1\n");
	deliver(B);
	expect("B: hold A1\n");
	drained(B);
	expect("B -> A: grant A1\n");
	deliver(A);
	expect(""); /* its own drain is not done */
	drained(A);
	expect("A: A1 granted\n");
	release(A, w);
	deliver(B);
	expect("A -> B: release A1\n"
	       "A: let go A1\n"
	       "B: let go A1\n");
	expect_nothing_left();
}

static void in_a_crossing_the_subordinate_makes_way(void **state)
{
	struct want *b = acquire(B, 12, 4), *a = acquire(A, 10, 4);

	expect("B: hold B1\n"
	       "B -> A: ask B1\n"
	       "A: hold A1\n"
	       "A -> B: ask A1\n");
	deliver(A);
	drained(B);
	expect(""); /* behind A1 in A's line */
	deliver(B);
	expect("B: let go B1\n"
	       "B: hold A1\n");
	run();
	assert_true(a->granted && !b->granted);
	told = strlen(text);
	release(A, a);
	expect("A -> B: release A1\n"
	       "A: let go A1\n"
	       "A: hold B1\n");
	drained(A);
	deliver(B);
	deliver(B);
	expect("A -> B: grant B1\n"
	       "B: let go A1\n"
	       "B: hold B1\n"); /* and drains again: others may have come meanwhile */
	drained(B);
	expect("B: B1 granted\n");
	release(B, b);
	run();
	expect_nothing_left();
}

/* What came first in the dominant's line goes first, and a grant is never taken back. */
static void the_dominant_waits_for_what_it_has_granted(void **state)
{
	struct want *b = acquire(B, 12, 4), *a;

	run();
	assert_true(b->granted);
	told = strlen(text);
	a = acquire(A, 10, 4);
	expect(""); /* it does not even ask */
	release(B, b);
	run();
	assert_true(a->granted);
	release(A, a);
	run();
	expect_nothing_left();
}

static void ranges_that_do_not_overlap_go_at_once(void **state)
{
	struct want *a = acquire(A, 10, 4), *b = acquire(B, 14, 4);

	run();
	assert_true(a->granted && b->granted);
	release(A, a);
	release(B, b);
	run();
	expect_nothing_left();
}

/* What was let go while the link was down is not repeated, and is over with `synced`. */
static void after_a_heal_the_peer_forgets_what_is_not_repeated(void **state)
{
	struct want *over = acquire(A, 10, 4), *on;

	on = acquire(A, 20, 4);
	run();
	cut();
	release(A, over);
	told = strlen(text);
	heal();
	expect("- the link is back\n"
	       "A -> B: ask A2\n"
	       "A -> B: synced\n"
	       "B -> A: synced\n");
	deliver(B);
	told = strlen(text);
	assert_true(node[B].dev.theirs[0].used);
	deliver(B);
	expect("B: let go A1\n");
	run();
	assert_true(on->granted);
	release(A, on);
	run();
	expect_nothing_left();
}

/* One that is new to the peer comes after `synced`, or it would be forgotten with the rest. */
static void what_came_up_while_the_link_was_down_is_asked_for_after_synced(void **state)
{
	struct want *w;

	cut();
	w = acquire(A, 10, 4);
	told = strlen(text);
	heal();
	expect("- the link is back\n"
	       "A -> B: synced\n"
	       "A -> B: ask A1\n"
	       "B -> A: synced\n");
	run();
	assert_true(w->granted);
}

static void a_grant_that_was_lost_is_given_again(void **state)
{
	struct want *w = acquire(B, 10, 4);

	deliver(A);
	drained(A); /* B has not heard of it */
	cut();
	heal();
	run();
	assert_true(w->granted);
	assert_true(node[A].dev.theirs[0].held);
}

static void s7_a_range_of_a_lost_peer_is_in_doubt_beyond_the_bound(void **state)
{
	struct want *w = acquire(A, 10, 4);

	run();
	cut();
	set_mode(B, HF_PAIR_FROZEN);
	told = strlen(text);
	pass_ms(2499);
	expect("");
	pass_ms(1);
	expect("B: A1 in doubt\n");
	pass_ms(60000);
	expect(""); /* once, and it is held still: A may be writing */
	assert_true(w->granted);
	event(B, HF_RANGE_GONE);
	expect("B: let go A1\n");
}

static void s10_what_is_not_granted_within_the_bound_fails(void **state)
{
	acquire(A, 10, 4);
	deliver(B);
	told = strlen(text);
	pass_ms(2499);
	expect("");
	pass_ms(1);
	expect("A -> B: release A1\n"
	       "A: let go A1\n"
	       "A: A1 too late\n");
	run();
	expect_nothing_left();
}

static void frozen_nothing_is_granted_and_what_waits_is_told_so(void **state)
{
	acquire(A, 10, 4);
	cut();
	told = strlen(text);
	set_mode(A, HF_PAIR_FROZEN);
	expect("A: let go A1\n"
	       "A: A1 not now\n");
	acquire(A, 20, 4);
	assert_int_equal(node[A].failed, 2);
}

/* B may be the one that goes on. */
static void inv5_nothing_is_granted_while_racing(void **state)
{
	struct want *w = acquire(A, 10, 4);

	deliver(B);
	drained(B);
	deliver(A);
	cut();
	set_mode(A, HF_PAIR_WAIT);
	drained(A);
	assert_false(w->granted);
	event(A, HF_RANGE_GONE);
	assert_true(w->granted);
}

/* The word of the one that is gone is no word of the one that comes after it. */
static void a_newcomer_is_asked_anew(void **state)
{
	struct want *w = acquire(A, 10, 4);

	deliver(B);
	drained(B);
	deliver(A);
	cut();
	event(A, HF_RANGE_GONE);
	hf_range_dev_init(&node[B].dev, 1, false, B + 1, &config);
	heal();
	drained(A);
	assert_false(w->granted);
	run();
	assert_true(w->granted);
	assert_true(node[B].dev.theirs[0].held);
}

static void what_finds_no_place_waits_in_line(void **state)
{
	struct want *wants[HF_RANGE_ASKED_MAX + 3];

	is_quiet = true;
	for (unsigned i = 0; i < HF_ARRAY_LEN(wants); i++)
		wants[i] = acquire(A, 10 * i, 4);
	run();
	for (unsigned i = 0; i < HF_ARRAY_LEN(wants); i++)
		assert_int_equal(wants[i]->granted, i < HF_RANGE_ASKED_MAX);
	release(A, wants[HF_RANGE_ASKED_MAX]); /* thought better of it in the line */
	release(A, wants[7]);
	run();
	assert_true(wants[HF_RANGE_ASKED_MAX + 1]->granted);
	assert_false(wants[HF_RANGE_ASKED_MAX + 2]->granted);
	pass_ms(2500);
	assert_int_equal(node[A].failed, 1);
	for (unsigned i = 0; i < HF_ARRAY_LEN(wants); i++)
		if (wants[i]->used)
			release(A, wants[i]);
	run();
	assert_false(node[B].dropped);
	expect_nothing_left();
}

static void a_peer_that_breaks_the_rules_loses_the_link(void **state)
{
	struct hf_range_msg m = {HF_RANGE_MSG_ASK, 1, UINT64_C(1) << 56, 10, 4};

	is_quiet = true;
	for (unsigned i = 0; i < HF_RANGE_ASKED_MAX; i++) {
		m.id++;
		inject(B, &m);
		inject(B, &m); /* a repeat is none */
	}
	assert_false(node[B].dropped);
	m.lba = 11; /* another range under that number */
	inject(B, &m);
	assert_true(node[B].dropped);
	node[B].dropped = false;
	m.id++; /* one too many */
	inject(B, &m);
	assert_true(node[B].dropped);
}

/* --- any order of everything --- */

static uint64_t random_state;

static unsigned draw(unsigned below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(random_state >> 33) % below;
}

static struct want *any_granted(int at)
{
	for (unsigned i = 0; i < WANTS; i++)
		if (node[at].wants[i].used && node[at].wants[i].granted)
			return &node[at].wants[i];
	return NULL;
}

static void random_event(void)
{
	int at = (int)draw(2);
	struct node *n = &node[at];

	switch (draw(12)) {
	case 0:
	case 1:
	case 2:
		if (n->dev.own[5].used)
			return; /* few at a time: they meet more often */
		acquire(at, draw(12), 1 + draw(4));
		return;
	case 3:
	case 4:
		if (any_granted(at))
			release(at, any_granted(at));
		return;
	case 5:
		if (draw(8) == 0)
			linked ? cut() : heal();
		return;
	case 6:
		if (!linked && draw(4) == 0)
			set_mode(at, HF_PAIR_FROZEN);
		return;
	case 7:
		pass_ms(draw(40));
		return;
	default:
		if (n->inbox_len && draw(2))
			deliver(at);
		else if (n->held_len)
			drained(at);
		return;
	}
}

static void inv9_in_any_order_all_come_to_an_end(void **state)
{
	for (unsigned seed = 1; seed <= 400; seed++) {
		begin(NULL);
		is_quiet = true;
		random_state = seed;
		for (unsigned i = 0; i < 400; i++)
			random_event();
		if (!linked)
			heal();
		/* Whoever has its range ends, and the next one's turn has come. */
		for (unsigned i = 0; i < 2 * WANTS; i++) {
			run();
			for (int at = 0; at < 2; at++)
				if (any_granted(at))
					release(at, any_granted(at));
		}
		run();
		for (int at = 0; at < 2; at++)
			for (unsigned i = 0; i < WANTS; i++)
				if (node[at].wants[i].used || node[at].dropped)
					fail_msg("seed %u: a range of %c was never granted", seed,
						"AB"[at]);
		expect_nothing_left();
	}
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
		STORY(granted_is_held_and_drained_on_both),
		STORY(in_a_crossing_the_subordinate_makes_way),
		STORY(the_dominant_waits_for_what_it_has_granted),
		STORY(ranges_that_do_not_overlap_go_at_once),
		STORY(after_a_heal_the_peer_forgets_what_is_not_repeated),
		STORY(what_came_up_while_the_link_was_down_is_asked_for_after_synced),
		STORY(a_grant_that_was_lost_is_given_again),
		STORY(s7_a_range_of_a_lost_peer_is_in_doubt_beyond_the_bound),
		STORY(s10_what_is_not_granted_within_the_bound_fails),
		STORY(frozen_nothing_is_granted_and_what_waits_is_told_so),
		STORY(inv5_nothing_is_granted_while_racing),
		STORY(a_newcomer_is_asked_anew),
		STORY(what_finds_no_place_waits_in_line),
		STORY(a_peer_that_breaks_the_rules_loses_the_link),
		STORY(inv9_in_any_order_all_come_to_an_end),
	};

	return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
