/* SPDX-License-Identifier: BSD-3-Clause */
/* The stage of stage.h. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void step(struct stage *s, int at, struct hf_view_event ev);

bool stage_serves(const struct stage *s, int at)
{
	enum hf_view_state state = s->node[at].v.view.state;

	return s->node[at].running &&
	       (state == HF_VIEW_TOGETHER || state == HF_VIEW_FROZEN || state == HF_VIEW_ALONE);
}

/* What must hold at every moment. */
static void check(const struct stage *s)
{
	const struct stage_node *a = &s->node[A], *b = &s->node[B];

	if (a->running && b->running && a->v.view.state == HF_VIEW_TOGETHER &&
		b->v.view.state == HF_VIEW_TOGETHER && a->v.view.epoch == b->v.view.epoch)
		assert_int_equal(a->memory, b->memory); /* INV-2 */
	for (int i = 0; i < 2; i++) {
		const struct stage_node *n = &s->node[i];

		/* W8: whoever serves alone is named by the record. */
		if (n->running && n->v.view.state == HF_VIEW_ALONE &&
			n->v.view.epoch == s->disk.epoch)
			assert_true(s->disk.members & 1u << n->v.id);
	}
}

static void send(struct stage *s, int from, const struct hf_view_msg *m)
{
	struct stage_node *to = &s->node[1 - from];
	uint8_t buf[HF_VIEW_MSG_MAX];
	int len = hf_view_msg_encode(m, buf, sizeof(buf));

	assert_true(len > 0);
	if (!s->linked || !to->running || !to->v.up)
		return;
	assert_true(to->inbox_len < HF_ARRAY_LEN(to->inbox));
	assert_int_equal(hf_view_msg_decode(buf, (size_t)len, &to->inbox[to->inbox_len++]), 0);
}

static void view_changed(struct stage *s, int at)
{
	struct stage_node *n = &s->node[at];

	n->serves = stage_serves(s, at);
	if (n->serves)
		n->dirty = true; /* hosts have commands in flight from now on */
}

static void perform(struct stage *s, int at, const struct hf_view_effect *e)
{
	struct stage_node *n = &s->node[at];

	switch (e->kind) {
	case HF_VIEW_DO_READ:
		assert_false(n->reading || n->writing);
		n->reading = true;
		break;
	case HF_VIEW_DO_WRITE:
		assert_false(n->reading || n->writing);
		n->writing = true;
		n->write = e->record;
		break;
	case HF_VIEW_DO_LOAD:
		n->loading = true;
		break;
	case HF_VIEW_DO_REWRITE:
		n->rewriting = true;
		break;
	case HF_VIEW_DO_DROP:
		assert_false(n->serves); /* else what it lets go of lets hosts in */
		n->memory = 0;
		n->dropped++;
		break;
	case HF_VIEW_DO_SEND:
		send(s, at, &e->msg);
		break;
	case HF_VIEW_DO_COPY:
		if (s->linked && s->node[1 - at].running)
			s->node[1 - at].copy = n->memory ? n->memory : '-';
		break;
	case HF_VIEW_DO_DOWN:
		break;
	case HF_VIEW_DO_GONE:
		n->gone++;
		break;
	case HF_VIEW_DO_HEAL:
		n->healed++;
		break;
	case HF_VIEW_DO_CHANGED:
		view_changed(s, at);
		break;
	case HF_VIEW_DO_LEFT:
		n->left++;
		break;
	case HF_VIEW_DO_LOG:
		snprintf(n->log, sizeof(n->log), "%s", e->sentence);
		break;
	case HF_VIEW_DO_DROP_LINK:
		stage_cut(s);
		stage_link(s);
		break;
	case HF_VIEW_DO_FENCE:
		assert_true(s->fences);
		n->fence_wanted = true;
		n->fence_epoch = e->record.epoch;
		break;
	case HF_VIEW_DO_FENCE_END:
		n->fence_wanted = false;
		n->fence_ended++;
		n->fence_ending = true;
		break;
	case HF_VIEW_DO_MEND:
		n->mend_due = true;
		break;
	case HF_VIEW_DO_QUIET:
		n->quiet_at_ms = s->now_ms + 1000;
		break;
	}
}

static void step(struct stage *s, int at, struct hf_view_event ev)
{
	struct stage_node *n = &s->node[at];
	struct hf_view_update u;

	if (!n->running)
		return;
	hf_view_step(&n->v, &ev, &u);
	for (unsigned i = 0; i < u.len; i++)
		perform(s, at, &u.effects[i]);
	check(s);
	if (n->mend_due && !n->mend_slow) {
		n->mend_due = false;
		step(s, at, (struct hf_view_event){.kind = HF_VIEW_MENDED});
	}
	if (n->fence_ending && !n->fence_slow) {
		n->fence_ending = false;
		step(s, at, (struct hf_view_event){.kind = HF_VIEW_FENCE_ENDED});
	}
}

void stage_event(struct stage *s, int at, enum hf_view_event_kind kind)
{
	step(s, at, (struct hf_view_event){.kind = kind});
}

void stage_begin(struct stage *s, bool fences)
{
	memset(s, 0, sizeof(*s));
	s->fences = fences;
	s->now_ms = 1;
}

static void start(struct stage *s, int at, uint8_t peer)
{
	struct stage_node *n = &s->node[at];

	memset(n, 0, sizeof(*n));
	n->running = true;
	hf_view_init(&n->v, (uint8_t)(at + 1), peer, ++s->incarnations);
	n->v.fences = s->fences;
	n->v.born_s = 1000000 + s->now_ms / 1000;
	stage_event(s, at, HF_VIEW_START);
}

void stage_start(struct stage *s, int at)
{
	start(s, at, (uint8_t)(2 - at));
}

void stage_start_single(struct stage *s, int at)
{
	start(s, at, 0);
}

void stage_kill(struct stage *s, int at)
{
	s->node[at].running = false;
	s->linked = false;
}

void stage_link(struct stage *s)
{
	s->linked = s->node[A].running && s->node[B].running;
	if (!s->linked)
		return;
	/* Both streams begin before either says anything. */
	s->node[A].v.up = s->node[B].v.up = true;
	for (int i = 0; i < 2; i++)
		step(s, i,
			(struct hf_view_event){
				.kind = HF_VIEW_UP, .incarnation = s->node[1 - i].v.incarnation});
}

void stage_silence(struct stage *s, int at)
{
	struct stage_node *n = &s->node[at];

	s->linked = false;
	n->inbox_len = 0;
	n->copy = 0;
	n->installing = false;
	step(s, at, (struct hf_view_event){.kind = HF_VIEW_DOWN, .sentence = "nothing heard"});
}

void stage_cut(struct stage *s)
{
	stage_silence(s, A);
	stage_silence(s, B);
}

void stage_fenced(struct stage *s, int at, int result)
{
	assert_true(s->node[at].fence_wanted);
	s->node[at].fence_wanted = false;
	step(s, at,
		(struct hf_view_event){
			.kind = HF_VIEW_FENCED, .result = result, .sentence = "the fence says so"});
}

/* --- what is on its way --- */

static void disk(struct stage *s, int at)
{
	struct stage_node *n = &s->node[at];
	uint8_t buf[HF_VIEW_RECORD_BYTES_MAX];
	struct hf_view_event ev = {.kind = n->writing ? HF_VIEW_WRITTEN : HF_VIEW_READ};

	if (s->disk_fails)
		ev.result = -EIO;
	else if (n->writing)
		s->disk = n->write, s->record_torn = s->tear_write && !--s->tear_write;
	else if (s->record_torn)
		ev.result = -EBADMSG;
	else if (s->disk.epoch)
		ev.result = hf_view_record_encode(&s->disk, buf, sizeof(buf));
	ev.record = buf;
	n->reading = n->writing = false;
	step(s, at, ev);
}

static uint64_t digest(const struct stage_node *n)
{
	return (uint64_t)n->memory + ((uint64_t)n->map << 8) + 1;
}

static void message(struct stage *s, int at)
{
	struct stage_node *n = &s->node[at];
	struct hf_view_msg m = n->inbox[0];

	memmove(n->inbox, n->inbox + 1, --n->inbox_len * sizeof(m));
	step(s, at,
		(struct hf_view_event){.kind = HF_VIEW_RECEIVE, .msg = &m, .digest = digest(n)});
}

static void install(struct stage *s, int at)
{
	struct stage_node *n = &s->node[at];

	n->memory = n->copy == '-' ? 0 : n->copy;
	n->copy = 0;
	step(s, at, (struct hf_view_event){.kind = HF_VIEW_INSTALLED, .digest = digest(n)});
}

static void rewritten(struct stage *s, int at)
{
	s->aptpl = s->rewrite_fails ? s->aptpl : s->node[at].memory;
	step(s, at,
		(struct hf_view_event){
			.kind = HF_VIEW_REWRITTEN, .result = s->rewrite_fails ? -EIO : 0});
}

static bool run_one(struct stage *s, int at)
{
	struct stage_node *n = &s->node[at];

	if (!n->running || n->deaf)
		return false;
	if (n->reading || n->writing) {
		disk(s, at);
	} else if (n->loading) {
		n->loading = false;
		n->memory = s->loads_fail ? 0 : s->aptpl;
		step(s, at,
			(struct hf_view_event){
				.kind = HF_VIEW_LOADED, .result = s->loads_fail ? -EIO : 0});
	} else if (n->rewriting) {
		n->rewriting = false;
		rewritten(s, at);
	} else if (n->inbox_len) {
		message(s, at);
	} else if (n->copy && n->v.view.state == HF_VIEW_JOINING) {
		install(s, at);
	} else if (n->dirty && n->v.view.state == HF_VIEW_OUT && !n->keep_dirty) {
		n->dirty = false;
		stage_event(s, at, HF_VIEW_CLEAN);
	} else {
		return false;
	}
	return true;
}

bool stage_one(struct stage *s)
{
	bool a = run_one(s, A), b = run_one(s, B);

	return a || b;
}

void stage_run(struct stage *s)
{
	for (unsigned i = 0; i < 1000; i++)
		if (!stage_one(s))
			return;
	fail_msg(
		"it does not come to an end: %s, %s", s->node[A].v.view.why, s->node[B].v.view.why);
}

void stage_pass_s(struct stage *s, unsigned seconds)
{
	while (seconds--) {
		s->now_ms += 1000;
		for (int i = 0; i < 2; i++) {
			struct stage_node *n = &s->node[i];

			if (!n->running || n->deaf)
				continue;
			if (n->quiet_at_ms && n->quiet_at_ms <= s->now_ms) {
				n->quiet_at_ms = 0;
				stage_event(s, i, HF_VIEW_QUIET);
			}
			stage_event(s, i, HF_VIEW_TICK);
		}
		stage_run(s);
	}
}

void stage_together(struct stage *s, char memory)
{
	stage_start(s, A);
	stage_start(s, B);
	stage_link(s);
	stage_run(s);
	expect_state(s, A, HF_VIEW_TOGETHER);
	expect_state(s, B, HF_VIEW_TOGETHER);
	s->node[A].memory = s->node[B].memory = memory;
}

void expect_state_(const struct stage *s, int at, enum hf_view_state want, int line)
{
	const struct stage_node *n = &s->node[at];

	if (n->v.view.state != want)
		fail_msg("line %d: controller %d is %s, expected %s (%s)", line, at + 1,
			hf_view_state_name(n->v.view.state), hf_view_state_name(want),
			n->v.view.why);
	assert_true(n->v.view.why[0]);
}
