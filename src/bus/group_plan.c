/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan of a generation: who may take part, whose memory counts, who is missing, and what each
 * does when it is told.
 */
#include "group_int.h"

#include "canary.h"
#include "log.h"

#include <stdio.h>

#define MS	 UINT64_C(1000000)
#define DOUBT_NS (10000 * MS)

/* --- who may take part: the same answer at every member --- */

/* By whom the others are measured: the first who has the state of the newest view, else the first.
 */
static const struct group_proc *reference(const struct group *g)
{
	const struct group_proc *best = NULL;

	for (unsigned i = 0; i < g->procs_len; i++) {
		const struct group_proc *p = &g->procs[i];

		if (!best || (p->live && !best->live) ||
			(p->live == best->live &&
				(p->live ? p->view.epoch > best->view.epoch ||
							(p->view.epoch == best->view.epoch &&
								p->id < best->id)
					 : p->id < best->id)))
			best = p;
	}
	return best;
}

static bool is_twin(const struct group *g, const struct group_proc *p)
{
	for (unsigned i = 0; i < g->procs_len; i++) {
		const struct group_proc *o = &g->procs[i];

		if (o != p && o->id == p->id && (o->live != p->live ? o->live : o < p))
			return true;
	}
	return false;
}

void group_plan_classify(struct group *g)
{
	const struct group_proc *ref = reference(g);
	char sentence[HF_HELLO_SENTENCE_MAX];
	uint16_t version;

	g->present = 0;
	g->coordinator = ref->id;
	g->refused[0] = '\0';
	for (unsigned i = 0; i < g->procs_len; i++) {
		struct group_proc *p = &g->procs[i];
		bool is_self = hf_group_proc_equal(&p->proc, &g->self);

		sentence[0] = '\0';
		p->ok = true;
		if (p != ref && is_twin(g, p)) {
			p->ok = false;
			snprintf(sentence, sizeof(sentence),
				"another controller %u is in the group (node %u); each has an id "
				"of its "
				"own",
				p->id, p->proc.node);
		} else if (p != ref && hf_hello_compare(&p->hello, ref->id, &ref->hello, &version,
					       sentence) < 0) {
			p->ok = false;
		}
		if (p->ok)
			g->present |= group_bit(p->id);
		else if (is_self)
			snprintf(g->refused, sizeof(g->refused), "%s", sentence);
		if (!p->ok)
			hf_warning("bus: controller %u on node %u may not join: %s", p->id,
				p->proc.node, sentence);
	}
	if (g->refused[0])
		g->coordinator = 0;
}

static const struct group_proc *proc_of(const struct group *g, unsigned id)
{
	for (unsigned i = 0; i < g->procs_len; i++)
		if (g->procs[i].ok && g->procs[i].id == id)
			return &g->procs[i];
	return NULL;
}

/* --- the coordinator decides --- */

/* Whose memory counts: the newest view's, and of them those whom the record still names (W8). */
static uint32_t core(const struct group *g, uint64_t *ret_epoch)
{
	const struct hf_view_record *r = &g->record;
	uint64_t epoch = 0;
	uint32_t ids = 0;

	for (unsigned i = 0; i < g->procs_len; i++)
		if (g->procs[i].ok && g->procs[i].live)
			epoch = HF_MAX(epoch, g->procs[i].view.epoch);
	for (unsigned i = 0; i < g->procs_len; i++) {
		const struct group_proc *p = &g->procs[i];

		if (!p->ok || !p->live || p->view.epoch != epoch)
			continue;
		if (r->epoch > epoch && (!(r->members & group_bit(p->id)) ||
						r->incarnations[p->id] != p->hello.incarnation))
			continue;
		ids |= group_bit(p->id);
	}
	*ret_epoch = epoch;
	return ids;
}

/*
 * Of the view, and not here. Who is here with another incarnation is no longer the member that was:
 * its locks prove that the I/O of that one is over (W20). Who is here without a state has dropped
 * it and waited until nothing was in flight. Who is here with a state that does not count still
 * serves from it, and is missing until it has dropped it.
 */
static uint32_t missing(const struct group *g, const struct hf_view_record *v, uint32_t core_ids)
{
	uint32_t ids = v->members & ~g->present;

	for (unsigned i = 0; i < g->procs_len; i++) {
		const struct group_proc *p = &g->procs[i];

		if (p->ok && p->live && !(core_ids & group_bit(p->id)) &&
			(v->members & group_bit(p->id)) &&
			v->incarnations[p->id] == p->hello.incarnation)
			ids |= group_bit(p->id);
	}
	return ids;
}

/*
 * Of the missing, those who are in the group with a state that does not count: they are being told
 * so, and serve from it until they have heard it and left. No word of an operator's is true of
 * them.
 */
uint32_t group_plan_falling(const struct group *g)
{
	uint32_t ids = 0;

	for (unsigned i = 0; i < g->procs_len; i++)
		if (g->procs[i].live)
			ids |= group_bit(g->procs[i].id);
	return ids & g->absent;
}

static bool any_live(const struct group *g)
{
	for (unsigned i = 0; i < g->procs_len; i++)
		if (g->procs[i].ok && g->procs[i].live)
			return true;
	return false;
}

static void forget_dev(struct group_dev *d, void *unused)
{
	group_dev_forget(d);
	group_range_resolve(d, *(uint32_t *)unused);
}

static void drop_all(struct group *g, uint32_t live)
{
	group_dev_each(g, forget_dev, &live);
	g->bus.owner_ops->drop(g->bus.owner);
	group_sync_forget(g);
}

static void wait_because(struct group *g, const char *sentence)
{
	snprintf(g->sentence, sizeof(g->sentence), "%s", sentence);
	group_plan_send(g, HF_GROUP_PLAN_WAIT, 0);
}

/*
 * The record names a process that is here, in an epoch that it had not heard of when it told its
 * state. Either the record was written and its writer died before it said so; or this controller
 * stood still, and what it knows of the group is long past: then it will hear so at once.
 */
static bool may_have_gone_on(struct group *g)
{
	const struct hf_view_record *r = &g->record;

	for (unsigned i = 0; i < g->procs_len; i++) {
		const struct group_proc *p = &g->procs[i];

		if (!p->ok || !(r->members & group_bit(p->id)) || p->view.epoch >= r->epoch ||
			r->incarnations[p->id] != p->hello.incarnation)
			continue;
		if (!g->doubt_ns)
			g->doubt_ns = group_now(g);
		return group_now(g) < g->doubt_ns + DOUBT_NS;
	}
	return false;
}

/* It could not be read as they were fenced, and they may have served in that epoch. */
static void weigh_fence(struct group *g, uint64_t epoch)
{
	if (g->config.gives_up && epoch > g->fence_epoch)
		g->strike &= ~g->fence_struck;
}

static void plan_cold(struct group *g)
{
	char text[200];
	unsigned at = 0;

	if (g->record_error && !g->may_lose) {
		g->absent = 0; /* not known who is named */
		wait_because(g, "the view record cannot be read; mend the voting disks, or say "
				"`holdfast alone --may-lose`");
		return;
	}
	if (may_have_gone_on(g)) {
		group_view_again(g);
		return;
	}
	if (any_live(g)) { /* on that word they drop what they have */
		wait_because(g, "the view record names none of those who have a state");
		return;
	}
	weigh_fence(g, g->record.epoch);
	g->absent = missing(g, &g->record, 0) & ~g->strike;
	g->absent_of = g->record;
	if (g->absent) {
		at = (unsigned)snprintf(text, sizeof(text), "controller");
		for (unsigned i = 1; i < HF_CONTROLLER_IDS; i++)
			if (g->absent >> i & 1)
				at += (unsigned)snprintf(text + at, sizeof(text) - at, " %u", i);
		snprintf(text + at, sizeof(text) - at,
			" may have newer reservations; start it, or say `holdfast alone`");
		wait_because(g, text);
		return;
	}
	g->wanted = (struct hf_view_record){
		.epoch = g->record.epoch + 1, .members = group_bit(g->config.id)};
	g->wanted.incarnations[g->config.id] = g->config.incarnation;
	g->job = GROUP_JOB_LOAD;
	g->job_tag = g->tag;
	drop_all(g, 0); /* of a load, or a copy, that came to nothing */
	g->bus.owner_ops->load(g->bus.owner);
}

static void plan_warm(struct group *g, uint32_t live, uint64_t epoch)
{
	const struct group_proc *first = proc_of(g, (unsigned)__builtin_ctz(live));
	struct hf_view_record v = g->record.epoch >= epoch ? g->record : first->view;

	weigh_fence(g, v.epoch);
	g->absent = missing(g, &v, live) & ~g->strike;
	g->absent_of = v;
	if (g->absent) {
		g->wanted = v;
		group_plan_send(g, HF_GROUP_PLAN_FROZEN, live);
		return;
	}
	g->wanted = (struct hf_view_record){.epoch = v.epoch, .members = live};
	for (unsigned i = 1; i < HF_CONTROLLER_IDS; i++)
		if (live >> i & 1)
			g->wanted.incarnations[i] = proc_of(g, i)->hello.incarnation;
	if (!g->config.gives_up && v.members == live &&
		memcmp(v.incarnations, g->wanted.incarnations, sizeof(v.incarnations)) == 0) {
		group_plan_send(g, HF_GROUP_PLAN_ACTIVE, live);
		return;
	}
	/* What cannot be read may be newer than what is here (W8): nothing is written over it. */
	if (g->record_error && !g->may_lose) {
		group_view_retry(g, "read", g->record_error);
		return;
	}
	g->wanted.epoch = v.epoch + 1;
	if (HF_PLANTED(GROUP_RECORD_LAST)) {
		group_plan_send(g, HF_GROUP_PLAN_ACTIVE, live);
		return;
	}
	g->job = GROUP_JOB_WRITE;
	g->job_tag = g->tag;
	g->io_busy = true;
	g->bus.owner_ops->view_write(g->bus.owner, g->record_buf,
		(size_t)hf_view_record_encode(&g->wanted, g->record_buf, sizeof(g->record_buf)));
}

void group_plan_decide(struct group *g)
{
	uint64_t epoch;
	uint32_t live = core(g, &epoch);

	if (live)
		plan_warm(g, live, epoch);
	else
		plan_cold(g);
}

void group_plan_send(struct group *g, enum hf_group_plan plan, uint32_t live)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_PLAN,
		.plan = plan,
		.live = live,
		.absent = g->absent,
		.view = plan == HF_GROUP_PLAN_WAIT ? g->record : g->wanted};

	if (plan != HF_GROUP_PLAN_WAIT)
		g->sentence[0] = '\0';
	g->strike = g->fence_struck = 0;
	g->planned = true;
	group_send(g, &m, g->sentence, strlen(g->sentence));
}

/* --- everybody does --- */

static void become_newcomer(struct group *g, uint32_t live)
{
	g->joining = true;
	drop_all(g, live);
}

static void act(struct group *g, const struct hf_group_msg *m)
{
	uint8_t id = g->config.id;

	g->step = GROUP_ACTIVE;
	g->view = m->view;
	g->plan_epoch = m->view.epoch;
	g->left_ids &= ~m->view.members;
	/* It may have read of this epoch before it heard the plan, and given it up, too. */
	g->gave_up &= g->gave_up_epoch >= m->view.epoch;
	g->newcomers = g->present & ~m->live;
	g->coordinator = (uint8_t)__builtin_ctz(m->live);
	if (m->live & group_bit(id)) {
		g->live = true;
		group_sync_resolve(g, m->live);
		group_fence_check(g);
	} else if (g->newcomers & group_bit(id) && !g->refused[0]) {
		become_newcomer(g, m->live);
	}
	group_view_show(g);
	group_copy_start(g, g->newcomers, g->coordinator == id);
	group_dev_each(g, group_dev_advance, NULL);
}

/* The word of the command line is said once, when it is known what it would mean. */
static void say_word(struct group *g)
{
	struct hf_group_msg m = {.kind = HF_GROUP_MSG_WORD, .flag = g->word_may_lose};

	if (!g->word_wanted)
		return;
	g->word_wanted = false;
	if (m.flag || (g->record.members & g->present))
		group_send(g, &m, NULL, 0);
	else
		hf_error(
			"--alone is not enough: the view record names none of the controllers that "
			"are here; start the others, or add --may-lose");
}

void group_plan_receive(struct group *g, const struct hf_group_msg *m)
{
	if (g->step == GROUP_ACTIVE || !g->complete || g->fallen ||
		(m->from != g->coordinator && !g->refused[0]))
		return;
	if (m->plan == HF_GROUP_PLAN_ACTIVE && !(m->live & g->present))
		return;
	g->absent = m->absent;
	g->absent_of = m->view;
	g->strike = 0;
	snprintf(g->sentence, sizeof(g->sentence), "%.*s", (int)HF_MIN(m->body_len, 250u),
		(const char *)m->body);
	if (g->live && !(m->live & group_bit(g->config.id))) {
		group_fence_end(g);
		group_fall_out(g, "the others have gone on without it");
		return;
	}
	if (m->plan == HF_GROUP_PLAN_ACTIVE) {
		act(g, m);
		group_fence_planned(g);
		return;
	}
	if (m->plan == HF_GROUP_PLAN_WAIT) {
		g->record = m->view;
		g->step = GROUP_WAIT;
		say_word(g);
	} else {
		g->step = GROUP_FROZEN;
	}
	group_fence_planned(g);
	group_view_show(g);
	group_dev_each(g, group_dev_advance, NULL);
}
