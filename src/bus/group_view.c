/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is in the view, in the group engine: membership and quorum, the life of a generation, the
 *view record, joining and leaving (design 6, 10).
 *
 *	change of members --> BEGIN (by the first) --> STATE of all --> the coordinator reads the
 *	record, waits for quorum in this ring --> PLAN: wait, frozen, or active: go on, copy to the
 *	newcomers --> READY --> record with them --> VIEW
 */
#include "group_int.h"

#include "canary.h"
#include "checksum.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>

#define MS 1000000ull

bool group_has_quorum(const struct group *g)
{
	return (g->quorate && (hf_group_ring_equal(&g->ring, &g->quorum_ring) ||
				      HF_PLANTED(GROUP_OTHER_RING))) ||
	       HF_PLANTED(GROUP_NO_QUORUM);
}

bool group_gate(const struct group *g)
{
	return g->step == GROUP_ACTIVE && group_has_quorum(g) && !g->fallen;
}

bool group_denied(const struct group *g)
{
	return g->step == GROUP_OUT || (hf_group_ring_equal(&g->ring, &g->quorum_ring) &&
					       !g->quorate && !HF_PLANTED(GROUP_NO_QUORUM));
}

/* --- what people and the layers above see --- */

static enum hf_view_state live_state(const struct group *g)
{
	enum hf_view_state now = g->bus.view.state;
	bool alone = g->view.members == group_bit(g->config.id);

	if (g->gave_up)
		return HF_VIEW_OUT;
	if (group_denied(g) && (g->config.stop_without_quorum || g->config.fence))
		return HF_VIEW_OUT;
	if (g->step == GROUP_FROZEN && g->config.fence && !group_denied(g))
		return HF_VIEW_RACING;
	if (group_denied(g) || g->step == GROUP_FROZEN)
		return HF_VIEW_FROZEN;
	if (g->step == GROUP_ACTIVE && group_has_quorum(g))
		return alone ? HF_VIEW_ALONE : HF_VIEW_TOGETHER;
	if (g->step == GROUP_SYNC && group_now(g) > g->sync_since_ns + g->bound_ns)
		return HF_VIEW_FROZEN;
	/* On the way, a moment: as it was, but a view may have come that was on its way, too. */
	if (now == HF_VIEW_ALONE || now == HF_VIEW_TOGETHER)
		return alone ? HF_VIEW_ALONE : HF_VIEW_TOGETHER;
	return now;
}

void group_names(uint32_t ids, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 1; i < HF_CONTROLLER_IDS && at < len; i++)
		if (ids >> i & 1)
			at += (size_t)snprintf(buf + at, len - at, "%s%u", at ? ", " : "", i);
}

/* A node that is waited for since the generation has begun; 0: none. */
static uint32_t untold(const struct group *g)
{
	for (unsigned i = 0; i < g->procs_len && g->tag; i++)
		if (!g->procs[i].told)
			return g->procs[i].proc.node;
	return 0;
}

static void explain(struct group *g, enum hf_view_state state, char *why, size_t len)
{
	uint32_t falling = state == HF_VIEW_RACING ? 0 : group_plan_falling(g);
	char ids[64];

	group_names(state == HF_VIEW_TOGETHER ? g->view.members
		    : falling		      ? falling
					      : g->absent,
		ids, sizeof(ids));
	if (g->fallen)
		snprintf(why, len, "serves nothing: %.110s; takes the state anew", g->fallen_why);
	else if (g->refused[0])
		snprintf(why, len, "may not join: %.140s", g->refused);
	else if (g->step == GROUP_OUT)
		snprintf(why, len, "%s: %.130s", g->live ? "frozen" : "waits", g->lost);
	else if (group_denied(g))
		snprintf(why, len, "%s: %s",
			g->live ? (state == HF_VIEW_OUT ? "serves nothing" : "frozen") : "waits",
			g->undecided ? "quorum by corosync's two_node does not count with fence "
				       "driver \"lease\"; use bus = \"pair\", a quorum device or "
				       "another driver"
				     : "this part of the cluster has no quorum");
	else if (state == HF_VIEW_TOGETHER)
		snprintf(why, len, "controllers %s are in the view", ids);
	else if (state == HF_VIEW_ALONE)
		snprintf(why, len, "the view is this controller only");
	else if (state == HF_VIEW_RACING)
		snprintf(why, len,
			"controller %s of the view is missing, and is being fenced%s%.70s", ids,
			g->fence_why[0] ? ": " : "", g->fence_why);
	else if (g->step == GROUP_SYNC && untold(g))
		snprintf(why, len,
			"waits for the controller on node %u of corosync, which has not said yet "
			"what it remembers; if that lasts, end its daemon",
			untold(g));
	else if (g->step == GROUP_FROZEN && falling)
		snprintf(why, len,
			"frozen: controller %s of the view is back and drops an old state; if it "
			"does not within seconds, end its daemon",
			ids);
	else if (g->step == GROUP_FROZEN)
		snprintf(why, len,
			"frozen: controller %s of the view is missing; start it, or fence it and "
			"say "
			"`holdfast peer-down`",
			ids);
	else if (g->step == GROUP_WAIT)
		snprintf(why, len, "waits: %.150s", g->sentence);
	else if (state == HF_VIEW_JOINING)
		snprintf(why, len, "copies the state from the other controllers");
	else
		snprintf(why, len, "waits for the other controllers and quorum to be known");
}

/* For good in this epoch, whatever is said of quorum later. */
static void give_up_if_denied(struct group *g)
{
	if (!g->config.gives_up || !g->live || !group_denied(g))
		return;
	g->gave_up = !HF_PLANTED(GROUP_SAME_EPOCH);
	g->gave_up_epoch = HF_MAX(g->gave_up_epoch, g->view.epoch);
}

/* Those who are here and take a copy. */
static uint32_t newcomers(const struct group *g)
{
	uint32_t ids = 0;

	for (unsigned i = 0; g->live && g->step == GROUP_ACTIVE && i < g->procs_len; i++)
		if (g->procs[i].ok)
			ids |= group_bit(g->procs[i].id);
	return ids & ~g->view.members;
}

void group_view_show(struct group *g)
{
	struct hf_view v;

	/* As it was, until no fence is known to have hit this controller; who joins serves nothing.
	 */
	if (g->checking && g->live && g->step == GROUP_ACTIVE && !group_denied(g))
		return;
	give_up_if_denied(g);
	memset(&v, 0, sizeof(v)); /* compared as bytes */
	v.state = HF_VIEW_STARTING;
	v.epoch = g->view.epoch;
	if (g->fallen)
		v.state = HF_VIEW_OUT;
	else if (g->live)
		v.state = live_state(g);
	else if (g->joining)
		v.state = HF_VIEW_JOINING;
	/* On the way back in it may hear of the next epoch before quorum; it has not given that up.
	 */
	if (v.state == HF_VIEW_OUT && g->live && g->config.gives_up)
		v.epoch = g->gave_up_epoch;
	v.members = g->view.members;
	v.serving = g->live ? g->view.members : g->view.members & ~group_bit(g->config.id);
	v.missing = g->live && g->step == GROUP_FROZEN ? g->absent : 0;
	v.joining = newcomers(g);
	v.left = g->left_ids;
	explain(g, v.state, v.why, sizeof(v.why));
	if (memcmp(&v, &g->bus.view, sizeof(v)) == 0)
		return;
	g->bus.view = v;
	g->bus.owner_ops->view_changed(g->bus.owner, &g->bus.view);
	group_fence_beat(g);
}

bool group_takes_ops(const struct group *g)
{
	enum hf_view_state s = g->bus.view.state;

	return !g->leave_wanted && g->live && !g->fallen &&
	       (s == HF_VIEW_TOGETHER || s == HF_VIEW_FROZEN || s == HF_VIEW_ALONE ||
		       s == HF_VIEW_RACING);
}

/* --- membership --- */

static int by_proc(const void *a, const void *b)
{
	const struct group_proc *x = a, *y = b;

	if (x->proc.node != y->proc.node)
		return x->proc.node < y->proc.node ? -1 : 1;
	return x->proc.pid < y->proc.pid ? -1 : x->proc.pid > y->proc.pid;
}

/* same: of the same members. Then a fence goes on, until a plan says otherwise. */
static void new_generation(struct group *g, enum group_step step, bool same)
{
	if (!same || !(g->fencing || g->quieting))
		group_fence_end(g);
	if (!same || g->step != GROUP_WAIT)
		g->sync_since_ns = group_now(g);
	g->tell_due = false;
	g->tag = 0;
	g->step = step;
	g->complete = g->planned = g->view_out = false;
	g->coordinator = 0;
	g->joining = false;
	g->absent = g->newcomers = g->ready = g->leaving = g->strike = g->fence_struck = 0;
	g->may_lose = false;
	g->leave_said = g->ready_said = false;
	g->doubt_ns = 0;
	g->read_again = false;
	group_sync_break(g);
}

static void begin_generation(struct group *g, bool in, bool same)
{
	new_generation(g, in ? GROUP_SYNC : GROUP_OUT, same);
	if (in && hf_group_proc_equal(&g->procs[0].proc, &g->self)) {
		/* Different from all that anybody has made or makes. */
		g->tags_made++;
		g->tag =
			hf_digest64(g->config.incarnation, &g->tags_made, sizeof(g->tags_made)) | 1;
		group_say(g, HF_GROUP_MSG_BEGIN);
		g->tag = 0; /* until it is delivered */
	}
	group_view_show(g);
	group_dev_each(g, group_dev_advance, NULL);
}

void group_view_members(struct group *g, const struct hf_group_proc *members, unsigned len)
{
	bool in = false;

	if (g->fallen)
		return;
	g->procs_len = 0;
	for (unsigned i = 0; i < len && g->procs_len < GROUP_PROCS_MAX; i++) {
		g->procs[g->procs_len++] = (struct group_proc){.proc = members[i]};
		in |= hf_group_proc_equal(&members[i], &g->self);
	}
	qsort(g->procs, g->procs_len, sizeof(g->procs[0]), by_proc);
	begin_generation(g, in, false);
}

/* Where it is broken off twice as it synchronizes, corosync loses a change of the members; all are
 * told of the ring that they end up in, at one place in the order. */
void group_view_ring(struct group *g)
{
	if (g->fallen || g->step == GROUP_OUT)
		return;
	for (unsigned i = 0; i < g->procs_len; i++)
		g->procs[i] = (struct group_proc){.proc = g->procs[i].proc};
	begin_generation(g, true, true);
}

void group_view_lost(struct group *g)
{
	if (g->fallen)
		return;
	g->procs_len = 0;
	g->ring = g->quorum_ring = (struct hf_group_ring){0};
	g->quorate = false;
	new_generation(g, GROUP_OUT, false);
	group_view_show(g);
	group_dev_each(g, group_dev_advance, NULL);
}

void group_view_quorum(struct group *g)
{
	group_view_show(g);
	group_view_consider(g);
	group_dev_each(g, group_dev_advance, NULL);
}

void group_fall_out(struct group *g, const char *why)
{
	if (g->fallen)
		return;
	hf_error("bus: this controller drops its state of the reservations and takes it anew from "
		 "the others: %s",
		why);
	g->fallen = true;
	g->clean = false;
	g->live = g->joining = false;
	snprintf(g->fallen_why, sizeof(g->fallen_why), "%s", why);
}

static void forget_dev(struct group_dev *d, void *unused)
{
	group_dev_forget(d);
}

static void leave_group(struct group *g, const char *why)
{
	g->net->ops->leave(g->net);
	g->procs_len = 0;
	new_generation(g, GROUP_OUT, false);
	g->quorate = false;
	snprintf(g->lost, sizeof(g->lost), "%s", why);
}

static bool is_writing(const struct group *g)
{
	return g->io_busy && (g->job == GROUP_JOB_WRITE || g->job == GROUP_JOB_VIEW);
}

/* What this one has is of no use to anybody; or another one has it, too, which counts whichever
 * record stands in the end. */
static bool can_be_missed(const struct group *g)
{
	for (unsigned i = 0; i < g->procs_len; i++) {
		const struct group_proc *p = &g->procs[i];

		if (p->told && p->live && p->id != g->config.id && p->view.epoch >= g->view.epoch &&
			g->wanted.members & group_bit(p->id))
			return true;
	}
	return !g->live;
}

/* All wait for what the writer of a record has to tell: without it they may go on. */
static bool writes_for_ever(const struct group *g)
{
	return g->tell_due && is_writing(g) && group_now(g) > g->tell_due_ns + g->bound_ns &&
	       can_be_missed(g);
}

/* Out of the call in which it has been noticed. */
static void finish_falling(struct group *g)
{
	const struct hf_bus_owner_ops *ops = g->bus.owner_ops;

	if (!g->fallen_forgot) {
		g->fallen_forgot = true;
		/* First nothing is served any more: letting go of what is held, which the others
		 * may have settled, lets in by the old state what has waited for it. */
		group_view_show(g);
		leave_group(g, "joins the group anew");
		group_dev_each(g, forget_dev, NULL);
		ops->drop(g->bus.owner);
		group_view_show(g);
	}
	if (!g->clean || is_writing(g))
		return;
	g->fallen = g->fallen_forgot = false;
	g->gave_up = false;
	group_view_show(g);
	g->net->ops->join(g->net);
}

/* Quorum is back in the same generation, and with it an epoch in which this one has given up. */
static void join_anew(struct group *g)
{
	leave_group(g, "gave up what lets it serve, and joins the group anew");
	group_view_show(g);
	g->net->ops->join(g->net);
}

/* --- the record --- */

static void start_read(struct group *g, enum group_job job)
{
	g->job = job;
	g->job_tag = g->tag;
	g->io_busy = true;
	g->bus.owner_ops->view_read(g->bus.owner);
}

static void start_write(struct group *g, enum group_job job)
{
	int n = hf_view_record_encode(&g->wanted, g->record_buf, sizeof(g->record_buf));

	hf_assert(n > 0);
	g->job = job;
	g->job_tag = g->tag;
	g->io_busy = true;
	g->bus.owner_ops->view_write(g->bus.owner, g->record_buf, (size_t)n);
}

/* Members who are ready come in, who leaves goes. */
static void change_view(struct group *g)
{
	uint32_t in = g->ready & g->newcomers & ~g->view.members;
	uint32_t out = g->leaving & g->view.members;

	/* Who has left is shown as gone before anybody comes in: its reservations end (E.8). */
	if (g->view_out || g->checking || (!in && (!out || out == g->view.members)))
		return;
	g->view_out = true;
	g->wanted = g->view;
	g->wanted.epoch++;
	g->wanted.members = (g->view.members | in) & ~out;
	for (unsigned i = 0; i < g->procs_len; i++)
		if (in & group_bit(g->procs[i].id))
			g->wanted.incarnations[g->procs[i].id] = g->procs[i].hello.incarnation;
	for (unsigned i = 0; i < HF_CONTROLLER_IDS; i++)
		if (!(g->wanted.members >> i & 1))
			g->wanted.incarnations[i] = 0;
	start_write(g, GROUP_JOB_VIEW);
}

void group_view_consider(struct group *g)
{
	if (!g->complete || g->io_busy || g->job == GROUP_JOB_LOAD || !group_has_quorum(g) ||
		g->fallen || g->coordinator != g->config.id || group_now(g) < g->retry_job_ns)
		return;
	if (g->step == GROUP_ACTIVE)
		change_view(g);
	else if ((g->step == GROUP_SYNC && !g->planned) || g->strike ||
		 (g->read_again && g->step != GROUP_FROZEN)) {
		g->read_again = false;
		start_read(g, GROUP_JOB_READ);
	}
}

/* Frozen: has somebody gone on without this controller (W8)? */
static void checked(struct group *g)
{
	const struct hf_view_record *r = &g->read_record;
	uint8_t id = g->config.id;

	if (g->read_result <= 0 || r->epoch <= g->view.epoch || !g->live)
		return;
	if (r->members & group_bit(id) && r->incarnations[id] == g->config.incarnation) {
		/* Cut off between record and plan: the others wait for its word in that epoch. */
		if (g->gave_up)
			g->gave_up_epoch = r->epoch;
		return;
	}
	group_fall_out(g, "the view record no longer names this controller");
}

void group_view_again(struct group *g)
{
	g->read_again = true;
	g->retry_job_ns = group_now(g) + 1000 * MS;
}

void group_view_retry(struct group *g, const char *what, int error)
{
	hf_error("bus: the view record could not be %s (%s); tries again; check the voting disks",
		what, strerror(-error));
	group_view_again(g);
}

static void written(struct group *g, enum group_job job)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_VIEW};

	if (g->read_result < 0) {
		g->view_out = false;
		group_view_retry(g, "written", g->read_result);
		return;
	}
	g->record = g->wanted;
	m.view = g->wanted;
	if (job == GROUP_JOB_VIEW)
		group_send(g, &m, NULL, 0);
	else
		group_plan_send(g, HF_GROUP_PLAN_ACTIVE, g->wanted.members);
}

/* Loading takes its time: is the record still the one that was decided on? */
static void verified(struct group *g)
{
	const struct hf_view_record *r = &g->read_record;

	if (g->read_result < 0 && !g->may_lose)
		group_view_retry(g, "read", g->read_result);
	else if (r->epoch != g->record.epoch || r->members != g->record.members)
		group_view_again(g);
	else
		start_write(g, GROUP_JOB_WRITE);
}

void group_view_io(struct group *g)
{
	enum group_job job = g->job;
	bool again;

	g->io_busy = false;
	g->job = GROUP_JOB_NONE;
	if (job == GROUP_JOB_CHECK) {
		checked(g);
	} else if (g->job_tag != g->tag || g->fallen) {
		; /* of a generation that is over: whoever plans now reads the record */
	} else if (job == GROUP_JOB_READ) {
		/* Whoever waits for nothing but the disks has been told so. */
		again = g->step == GROUP_WAIT && g->record_error && g->read_result < 0 &&
			!g->strike && !g->may_lose;
		g->record_error = HF_MIN(g->read_result, 0);
		g->record = g->read_record;
		if (!again)
			group_plan_decide(g);
		if (g->record_error && !g->may_lose)
			group_view_again(g);
	} else if (job == GROUP_JOB_VERIFY) {
		verified(g);
	} else {
		written(g, job);
	}
	group_tell_if_over(g);
	group_view_consider(g);
}

void group_view_loaded(struct group *g, int result)
{
	bool over = g->job_tag != g->tag;

	if (g->job != GROUP_JOB_LOAD)
		return;
	g->job = GROUP_JOB_NONE;
	if (result < 0)
		group_view_retry(g, "followed by the reservations", result);
	else if (!over)
		start_read(g, GROUP_JOB_VERIFY);
	group_view_consider(g);
}

/* --- messages --- */

static struct group_proc *proc_find(struct group *g, const struct hf_group_proc *proc)
{
	for (unsigned i = 0; i < g->procs_len; i++)
		if (hf_group_proc_equal(&g->procs[i].proc, proc))
			return &g->procs[i];
	return NULL;
}

void group_tell_if_over(struct group *g)
{
	if (!g->tell_due || g->fence_out || is_writing(g) || g->step != GROUP_SYNC || !g->tag)
		return;
	g->tell_due = false;
	group_sync_tell(g);
}

static void receive_begin(
	struct group *g, const struct hf_group_proc *from, const struct hf_group_msg *m)
{
	if (!g->procs_len || g->step == GROUP_OUT || !hf_group_proc_equal(&g->procs[0].proc, from))
		return; /* of one who was the first before another change */
	if (g->step != GROUP_SYNC)
		new_generation(g, GROUP_SYNC, true);
	for (unsigned i = 0; i < g->procs_len; i++)
		g->procs[i].told = false;
	g->complete = false;
	group_sync_forget(g);
	g->tag = m->tag;
	/* Who is back is let in when what was sent against it is over: a fence, and a record that
	 * does not name it, which would land after that of whoever plans now. */
	g->tell_due = true;
	g->tell_due_ns = group_now(g);
	group_tell_if_over(g);
}

static void receive_state(
	struct group *g, const struct hf_group_proc *from, const struct hf_group_msg *m)
{
	struct group_proc *p = proc_find(g, from);

	if (!p || p->told || hf_hello_decode(m->body, m->body_len, &p->hello) < 0 ||
		p->hello.id != m->from) {
		hf_warning("bus: node %u tells a state that cannot be read", from->node);
		return;
	}
	p->told = true;
	p->id = m->from;
	p->live = m->live != 0;
	p->view = m->view;
	for (unsigned i = 0; i < g->procs_len; i++)
		if (!g->procs[i].told)
			return;
	g->complete = true;
	g->told_ns = hf_loop_clock_ns(g->loop); /* the loop's time may be of before a standstill */
	group_plan_classify(g);
	group_view_consider(g);
}

static void leave_now(struct group *g)
{
	g->left_done = true;
	g->left(g->left_arg);
}

static void receive_view(struct group *g, const struct hf_group_msg *m)
{
	uint32_t out = g->view.members & ~m->view.members;
	uint8_t id = g->config.id;

	if (g->step != GROUP_ACTIVE || m->view.epoch <= g->view.epoch)
		return;
	g->view_out = false;
	g->view = m->view;
	g->left_ids = (g->left_ids | out) & ~m->view.members;
	g->newcomers &= ~m->view.members;
	g->leaving &= m->view.members;
	if (g->joining && m->view.members & group_bit(id)) {
		g->joining = false;
		g->live = true;
	}
	if (out & group_bit(id) && g->leave_wanted) {
		g->live = false;
		leave_now(g);
		return;
	}
	g->coordinator = (uint8_t)__builtin_ctz(g->view.members);
	if (out)
		group_dev_peers_left(g, out);
	group_view_show(g);
	group_dev_each(g, group_dev_advance, NULL);
	group_view_consider(g);
}

void group_view_receive(
	struct group *g, const struct hf_group_proc *from, const struct hf_group_msg *m)
{
	uint32_t down;

	switch (m->kind) {
	case HF_GROUP_MSG_BEGIN:
		receive_begin(g, from, m);
		return;
	case HF_GROUP_MSG_DEVS:
		group_sync_devs(g, m);
		return;
	case HF_GROUP_MSG_RANGES:
		group_range_listed(g, m);
		return;
	case HF_GROUP_MSG_STATE:
		receive_state(g, from, m);
		return;
	case HF_GROUP_MSG_PLAN:
		group_plan_receive(g, m);
		return;
	case HF_GROUP_MSG_VIEW:
		receive_view(g, m);
		return;
	case HF_GROUP_MSG_BEAT:
		if (hf_group_proc_equal(from, &g->self))
			group_fence_beaten(g, m->seq);
		return;
	case HF_GROUP_MSG_READY:
		g->ready |= group_bit(m->from);
		break;
	case HF_GROUP_MSG_LEAVE:
		g->leaving |= group_bit(m->from);
		break;
	case HF_GROUP_MSG_WORD:
		down = g->absent & ~group_plan_falling(g);
		g->strike |= down;
		g->fence_struck &= ~down;
		g->may_lose |= m->flag;
		break;
	default:
		return;
	}
	group_view_consider(g);
}

/* --- leaving (W19) --- */

/* Those who stay do what is owed. The last one is taken out of no record. */
bool group_is_going(const struct group *g)
{
	return g->leave_said && g->view.members != group_bit(g->config.id);
}

/* With the next tick, out of the net's call. The daemon may take its time to end: who stayed in the
 * group meanwhile would be taken for one that joins. */
static void finish_leaving(struct group *g)
{
	if (!g->left_group)
		leave_group(g, "has left");
	g->left_group = true;
}

/* A newcomer that has said READY: the record may name it already. */
static bool is_coming(const struct group *g)
{
	return g->joining && g->ready_said && group_now(g) < g->leave_by_ns;
}

void group_leave_if_idle(struct group *g)
{
	bool is_last = g->view.members == group_bit(g->config.id);

	if (!g->leave_wanted || g->left_done || is_coming(g))
		return;
	if (!g->live || (is_last && !group_dev_any_own(g))) {
		leave_now(g);
	} else if (group_now(g) >= g->leave_by_ns) {
		hf_warning("bus: leaves without a word, for this part of the cluster cannot agree "
			   "on it; the others will freeze until told `holdfast peer-down`");
		leave_now(g);
	} else if (!g->leave_said && group_gate(g) && !group_dev_any_own(g)) {
		g->leave_said = true;
		group_say(g, HF_GROUP_MSG_LEAVE);
	}
}

/* --- time --- */

void group_view_tick(struct group *g)
{
	if (g->left_done) {
		finish_leaving(g);
		return;
	}
	if (g->fallen) {
		finish_falling(g);
		return;
	}
	if (writes_for_ever(g)) {
		group_fall_out(g, "its write of the view record does not end");
		return;
	}
	group_view_show(g);
	group_view_consider(g);
	group_fence_tick(g);
	if (g->ticks % GROUP_BEAT_TICKS == 0)
		group_fence_beat(g);
	if (g->gave_up && g->step == GROUP_ACTIVE && group_has_quorum(g))
		join_anew(g);
	if (g->live && g->step != GROUP_ACTIVE && !g->io_busy &&
		g->ticks % (1000 / GROUP_TICK_MS) == 0)
		start_read(g, GROUP_JOB_CHECK);
}
