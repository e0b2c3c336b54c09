/* SPDX-License-Identifier: BSD-3-Clause */
/* The stage of story.h. */
#include "story.h"
#include "checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char NAMES[] = "AB";

static void tell(struct story *w, const char *fmt, ...)
{
	size_t len = strlen(w->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->text + len, sizeof(w->text) - len, fmt, ap);
	va_end(ap);
	assert_true(strlen(w->text) < sizeof(w->text) - 1);
}

/* --- the toy owner ---------------------------------------------------------------------------- */

static char op_host(const char *op)
{
	return strchr(op, ' ')[1];
}

static bool op_is(const char *op, const char *verb)
{
	return !strncmp(op, verb, strlen(verb));
}

static char toy_apply(char holder, const char *op)
{
	if (op_is(op, "release"))
		return holder == op_host(op) ? 0 : holder;
	if (op_is(op, "reserve") && holder)
		return holder;
	return op_host(op);
}

static enum hf_bus_look toy_look(void *owner, uint32_t dev, const void *op, size_t len)
{
	const struct story_node *n = owner;

	if (n->blind || toy_apply(n->holder, op) == n->holder)
		return HF_BUS_LOOK_ANSWER;
	return strchr(op, '!') ? HF_BUS_LOOK_CHANGE_PERSIST : HF_BUS_LOOK_CHANGE;
}

static uint64_t toy_digest(void *owner, uint32_t dev)
{
	const struct story_node *n = owner;

	return (uint64_t)(uint8_t)n->holder + ((uint64_t)(uint8_t)n->spoilt << 8);
}

static const char *toy_verdict(const struct story_node *n, const char *op)
{
	return op_is(op, "reserve") && n->holder && n->holder != op_host(op) ? "CONFLICT" : "GOOD";
}

/* --- effects ---------------------------------------------------------------------------------- */

static void send(struct story *w, int from, const struct hf_pair_msg *m)
{
	struct story_node *to = &w->node[1 - from];
	struct story_message *slot;

	tell(w, "%c -> %c: %s %llu%s\n", NAMES[from], NAMES[1 - from], hf_pair_msg_name(m->kind),
		(unsigned long long)m->n,
		!m->flag		      ? ""
		: m->kind == HF_PAIR_MSG_HELD ? ", I have ops too"
					      : ", your turn");
	assert_true(w->linked && to->inbox_len < HF_ARRAY_LEN(to->inbox));
	slot = &to->inbox[to->inbox_len++];
	slot->len = hf_pair_msg_encode(m, slot->buf, sizeof(slot->buf));
	assert_true(slot->len > 0);
}

static void answer(struct story *w, int at, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	struct story_node *n = &w->node[at];
	struct story_host_op *op = hf_container_of(prop, struct story_host_op, prop);
	const char *verdict = how == HF_BUS_ANSWER_FAILED      ? "FAILED"
			      : how == HF_BUS_ANSWER_NOT_READY ? "NOT READY"
			      : how == HF_BUS_ANSWER_LOOK      ? toy_verdict(n, op->text)
							       : "GOOD";
	size_t len = strlen(n->answers);

	assert_true(op->used); /* INV-7: once */
	op->used = false;
	tell(w, "%c: %c is told %s\n", NAMES[at], op_host(op->text), verdict);
	snprintf(n->answers + len, sizeof(n->answers) - len, "%s%c %s", len ? ", " : "",
		op_host(op->text), verdict);
}

static void apply(struct story *w, int at, const struct hf_pair_effect *e)
{
	struct story_node *n = &w->node[at];

	assert_true(n->holding && n->pending_n == e->n);
	n->holder = toy_apply(n->holder, n->pending);
	n->holding = false;
	tell(w, "%c: apply %llu\n", NAMES[at], (unsigned long long)e->n);
}

static void perform(struct story *w, int at, const struct hf_pair_effect *e)
{
	struct story_node *n = &w->node[at];
	unsigned long long number = (unsigned long long)e->n;

	switch (e->kind) {
	case HF_PAIR_DO_SEND:
		send(w, at, &e->msg);
		break;
	case HF_PAIR_DO_HOLD:
		assert_false(n->holding);
		n->holding = true;
		n->pending_n = e->n;
		snprintf(n->pending, sizeof(n->pending), "%s", (const char *)e->op);
		tell(w, "%c: hold %llu %s\n", NAMES[at], number, n->pending);
		break;
	case HF_PAIR_DO_UNHOLD:
		assert_true(n->holding && n->pending_n == e->n);
		n->holding = false;
		tell(w, "%c: drop %llu\n", NAMES[at], number);
		break;
	case HF_PAIR_DO_PERSIST:
		tell(w, "%c: write %llu\n", NAMES[at], number);
		break;
	case HF_PAIR_DO_APPLY:
		apply(w, at, e);
		break;
	case HF_PAIR_DO_ANSWER:
		answer(w, at, e->prop, e->how);
		break;
	case HF_PAIR_DO_DOUBT:
		tell(w, "%c: %c is cut off\n", NAMES[at], op_host(e->prop->op));
		break;
	case HF_PAIR_DO_STOP:
		tell(w, "%c: stops, %s\n", NAMES[at], hf_pair_stop_text(e->stop));
		break;
	case HF_PAIR_DO_TIMER:
		n->timer_at = e->at_ns;
		break;
	case HF_PAIR_DO_SNAPSHOT:
		tell(w, "%c: snapshot %llu\n", NAMES[at], number);
		break;
	case HF_PAIR_DO_RESUME:
		tell(w, "%c: goes on\n", NAMES[at]);
		break;
	case HF_PAIR_DO_PICK:
		n->pick_n = e->n;
		tell(w, "%c: %s\n", NAMES[at], e->mine ? "writes its record" : "ends what is out");
		break;
	case HF_PAIR_DO_PICK_END:
		tell(w, "%c: pick %s\n", NAMES[at],
			!e->result		    ? "done"
			: e->result == -EBUSY	    ? "at both"
			: e->result == -ETIMEDOUT   ? "takes too long"
			: e->result == -ENOTCONN    ? "cannot be told"
			: e->result == -ENODATA	    ? "of nothing"
			: e->result == -EINVAL	    ? "of what is not stopped"
			: e->result == -EIO	    ? "is not written"
			: e->result == -EINPROGRESS ? "is given, and no more is known"
			: e->result == -EBADMSG	    ? "is taken wrongly"
			: e->result == -EPROTO	    ? "is not understood"
						    : "failed");
		break;
	}
}

static void step(struct story *w, int at, struct hf_pair_event ev)
{
	struct hf_pair_update u;

	do {
		ev.now_ns = w->now;
		hf_pair_step(w->node[at].dev, &ev, &u);
		for (unsigned i = 0; i < u.len; i++)
			perform(w, at, &u.effects[i]);
		ev = (struct hf_pair_event){.kind = HF_PAIR_CONTINUE};
	} while (u.more);
}

/* --- what a test does ---------------------------------------------------------------------------
 */

void story_event(struct story *w, int at, enum hf_pair_event_kind kind, uint64_t n)
{
	step(w, at, (struct hf_pair_event){.kind = kind, .n = n});
}

void story_begin(struct story *w)
{
	memset(w, 0, sizeof(*w));
	w->config = (struct hf_pair_config){HF_PAIR_BOUND_NS, HF_PAIR_RETRY_NS};
	w->now = 1;
	w->linked = true;
	for (int i = 0; i < 2; i++) {
		struct story_node *n = &w->node[i];

		n->story = w;
		n->dev = calloc(1, sizeof(*n->dev));
		assert_non_null(n->dev);
		n->reads = (struct hf_pair_reads){toy_look, toy_digest, n};
		hf_pair_dev_init(n->dev, 1, i == A, &w->config, &n->reads);
		story_event(w, i, HF_PAIR_INSTALLED, 0);
	}
}

void story_end(struct story *w)
{
	free(w->node[A].dev);
	free(w->node[B].dev);
}

void story_host(struct story *w, int at, const char *op)
{
	struct story_host_op *slot = w->node[at].ops;
	bool owed = op_is(op, "owed ");

	while (slot->used)
		slot++;
	assert_true(slot < w->node[at].ops + HF_ARRAY_LEN(w->node[at].ops));
	slot->used = true;
	snprintf(slot->text, sizeof(slot->text), "%s", owed ? op + 5 : op);
	slot->prop = (struct hf_bus_prop){
		.dev = 1, .op = slot->text, .op_len = strlen(slot->text) + 1, .owed = owed};
	step(w, at, (struct hf_pair_event){.kind = HF_PAIR_PROPOSE, .prop = &slot->prop});
}

void story_deliver(struct story *w, int at)
{
	struct story_node *n = &w->node[at];
	struct story_message m;
	struct hf_pair_msg msg;

	assert_true(n->inbox_len > 0);
	m = n->inbox[0];
	memmove(n->inbox, n->inbox + 1, --n->inbox_len * sizeof(m));
	assert_int_equal(hf_pair_msg_decode(m.buf, (size_t)m.len, &msg), 0);
	step(w, at, (struct hf_pair_event){.kind = HF_PAIR_RECEIVE, .msg = &msg});
}

void story_inject(struct story *w, int at, enum hf_pair_msg_kind kind, uint64_t n, const char *op)
{
	struct hf_pair_msg m = {.kind = kind, .dev = 1, .n = n};

	m.digest = toy_digest(&w->node[at], 1);
	if (op) {
		m.op = (const uint8_t *)op;
		m.op_len = strlen(op) + 1;
	}
	step(w, at, (struct hf_pair_event){.kind = HF_PAIR_RECEIVE, .msg = &m});
}

void story_drained(struct story *w, int at, int result)
{
	assert_true(w->node[at].holding);
	step(w, at,
		(struct hf_pair_event){
			.kind = HF_PAIR_DRAINED, .n = w->node[at].pending_n, .result = result});
}

void story_pick_done(struct story *w, int at, int result)
{
	step(w, at,
		(struct hf_pair_event){
			.kind = HF_PAIR_PICK_DONE, .n = w->node[at].pick_n, .result = result});
}

void story_written(struct story *w, int at, int result)
{
	assert_true(w->node[at].dev->persisting);
	step(w, at,
		(struct hf_pair_event){
			.kind = HF_PAIR_PERSISTED, .n = w->node[at].pending_n, .result = result});
}

void story_pass_ms(struct story *w, unsigned ms)
{
	uint64_t end = w->now + (uint64_t)ms * STORY_MS;

	for (unsigned i = 0; i < 1000; i++) {
		struct story_node *a = &w->node[A], *b = &w->node[B];
		struct story_node *n =
			!b->timer_at || (a->timer_at && a->timer_at < b->timer_at) ? a : b;

		if (!n->timer_at || n->timer_at > end) {
			w->now = end;
			return;
		}
		w->now = HF_MAX(w->now, n->timer_at);
		n->timer_at = 0;
		story_event(w, n == a ? A : B, HF_PAIR_TIMER, 0);
	}
	fail_msg("a timer that nothing comes of fires for ever:\n%s", w->text);
}

void story_cut(struct story *w)
{
	w->linked = false;
	w->node[A].inbox_len = w->node[B].inbox_len = 0;
	tell(w, "- the link is cut\n");
	story_event(w, A, HF_PAIR_DOWN, 0);
	story_event(w, B, HF_PAIR_DOWN, 0);
}

void story_freeze(struct story *w, int at)
{
	step(w, at, (struct hf_pair_event){.kind = HF_PAIR_SET_MODE, .mode = HF_PAIR_FROZEN});
}

void story_wait(struct story *w, int at)
{
	step(w, at, (struct hf_pair_event){.kind = HF_PAIR_SET_MODE, .mode = HF_PAIR_WAIT});
}

void story_heal(struct story *w)
{
	w->linked = true;
	tell(w, "- the link is back\n");
	for (int i = 0; i < 2; i++) {
		step(w, i,
			(struct hf_pair_event){.kind = HF_PAIR_SET_MODE, .mode = HF_PAIR_TOGETHER});
		story_event(w, i, HF_PAIR_UP, 0);
	}
}

static bool run_one(struct story *w, int at)
{
	struct story_node *n = &w->node[at];

	if (n->inbox_len)
		story_deliver(w, at);
	else if (n->holding && !n->dev->drained && !n->dev->drain_error)
		story_drained(w, at, 0);
	else if (n->dev->persisting)
		story_written(w, at, 0);
	else
		return false;
	return true;
}

void story_run(struct story *w)
{
	for (unsigned i = 0; i < 1000; i++) {
		bool a = run_one(w, A), b = run_one(w, B);

		if (!a && !b) {
			if (!w->node[A].dev->retry_at_ns)
				return;
			story_pass_ms(w, 2);
		}
	}
	fail_msg("the conversation does not end:\n%s", w->text);
}

void story_expect(struct story *w, const char *text)
{
	if (strcmp(w->text + w->told, text))
		fail_msg("expected:\n%s\nsaw:\n%s", text, w->text + w->told);
	w->told = strlen(w->text);
}

void story_expect_answers(struct story *w, int at, const char *answers)
{
	if (strcmp(w->node[at].answers, answers))
		fail_msg("%c answered \"%s\", expected \"%s\":\n%s", NAMES[at], w->node[at].answers,
			answers, w->text);
}

void story_expect_holders(struct story *w, char at_a, char at_b)
{
	char a = w->node[A].holder, b = w->node[B].holder;

	if ((a ? a : '-') != at_a || (b ? b : '-') != at_b)
		fail_msg("holders are %c and %c, expected %c and %c:\n%s", a ? a : '-', b ? b : '-',
			at_a, at_b, w->text);
}

bool story_is_quiet(const struct story *w)
{
	for (int i = 0; i < 2; i++) {
		const struct story_node *n = &w->node[i];

		if (n->dev->claim != HF_PAIR_FREE || n->holding || n->inbox_len ||
			!hf_list_is_empty(&n->dev->queue))
			return false;
	}
	return true;
}
