/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work of a logical unit that no command of a host stands for: begun by one, it goes on when that
 * is aborted and when its session ends. On the control loop. It needs no pin, since the op that
 * began it has drained all of them and keeps every command out until the op that ends it (INV-1).
 */
#include "lu_internal.h"
#include "spare.h"

#include <stdlib.h>

static void run_step(struct hf_msg *msg)
{
	struct hf_lu_job *job = hf_container_of(msg, struct hf_lu_job, msg);
	struct hf_lu_table *t = job->lu->table;

	/* A race is on, or the others may have gone on: like a command it waits for the end of it.
	 */
	bool valid = lu_loop_is_valid(&t->loops[0]);

	job->parked = (t->serving == LU_PAUSED || !valid) && !t->no_jobs;
	if (!job->parked)
		job->step(job);
	else if (!valid && !hf_timer_is_armed(&t->jobs_timer))
		hf_timer_arm(
			t->control, &t->jobs_timer, hf_loop_now_ns(t->control) + LU_VALID_RETRY_NS);
}

void lu_jobs_fire(struct hf_timer *timer)
{
	lu_jobs_unpark(hf_container_of(timer, struct hf_lu_table, jobs_timer));
}

static void begin(struct hf_msg *msg)
{
	struct hf_lu_job *job = hf_container_of(msg, struct hf_lu_job, msg);

	job->lu->refs++;
	hf_list_push_back(&job->lu->table->jobs, &job->node);
	job->msg.run = run_step;
	run_step(&job->msg);
}

void hf_lu_job_begin(struct hf_itl *itl, struct hf_lu_job *job)
{
	job->lu = itl->lu;
	job->msg.run = begin;
	hf_loop_post(itl->lu->table->control, &job->msg);
}

void hf_lu_job_again(struct hf_lu_job *job)
{
	hf_loop_post(job->lu->table->control, &job->msg);
}

bool hf_lu_job_may_go_on(const struct hf_lu_job *job)
{
	const struct hf_lu *lu = job->lu;
	const struct hf_lu_table *t = lu->table;
	struct hf_resv_info info;

	if (lu->removed || lu->stopped || t->no_jobs || t->serving != LU_SERVES)
		return false;
	hf_resv_info(lu->cur, &info);
	return info.sanitize_rtpi == t->target.own_rtpi;
}

const struct hf_lu_info *hf_lu_job_info(const struct hf_lu_job *job)
{
	return job->lu->info;
}

struct hf_loop *hf_lu_job_loop(const struct hf_lu_job *job)
{
	return job->lu->table->control;
}

static void over(struct hf_lu_job *job)
{
	struct hf_lu *lu = job->lu;

	job->over(job);
	lu_unref(lu);
}

/* It touches the medium no more. */
static void is_still(struct hf_lu_job *job)
{
	struct hf_lu_table *t = job->lu->table;
	void (*stopped)(void *arg) = t->jobs_stopped;

	hf_list_remove(&job->node);
	lu_pick_go(job->lu);
	if (!hf_list_is_empty(&t->jobs))
		return;
	hf_timer_cancel(t->control, &t->jobs_timer);
	if (!stopped)
		return;
	t->jobs_stopped = NULL;
	stopped(t->jobs_arg);
}

struct job_end {
	struct hf_lu_admin_op op; /* first */
	struct hf_lu_job *job;
};

static void ended(struct hf_lu_admin_op *a, int result, const struct hf_resv_verdict *verdict)
{
	struct job_end *e = (struct job_end *)a;

	over(e->job);
	free(e);
}

void hf_lu_job_end(struct hf_lu_job *job, uint8_t attrs, uint8_t attrs_mask)
{
	struct hf_lu_table *t = job->lu->table;
	struct job_end *e = hf_spare_calloc(1, sizeof(*e));

	e->job = job;
	e->op.dev = job->lu->info->id;
	e->op.op.kind = HF_RESV_ATTRS;
	e->op.op.nexus.rtpi = t->target.own_rtpi;
	e->op.op.attrs = attrs;
	e->op.op.attrs_mask = attrs_mask;
	/* Like a nexus loss it can't be refused: while frozen it is owed. */
	e->op.owed = true;
	e->op.done = ended;
	is_still(job);
	if (hf_lu_admin_propose(t, &e->op)) {
		over(job);
		free(e);
	}
}

void lu_jobs_unpark(struct hf_lu_table *t)
{
	hf_list_for_each (n, &t->jobs) {
		struct hf_lu_job *job = hf_list_entry(n, struct hf_lu_job, node);

		if (job->parked)
			hf_lu_job_again(job);
		job->parked = false;
	}
}

bool lu_job_is_out(const struct hf_lu *lu)
{
	hf_list_for_each (n, &lu->table->jobs) {
		const struct hf_lu_job *job = hf_list_entry(n, struct hf_lu_job, node);

		if (job->lu == lu && !job->parked)
			return true;
	}
	return false;
}

bool hf_lu_jobs_are_still(const struct hf_lu_table *t)
{
	return hf_list_is_empty(&t->jobs);
}

void hf_lu_await_jobs(struct hf_lu_table *t, void (*stopped)(void *arg), void *arg)
{
	t->jobs_stopped = stopped;
	t->jobs_arg = arg;
	if (hf_list_is_empty(&t->jobs)) {
		t->jobs_stopped = NULL;
		stopped(arg);
	}
}

void hf_lu_stop_jobs(struct hf_lu_table *t, void (*stopped)(void *arg), void *arg)
{
	t->no_jobs = true;
	lu_jobs_unpark(t);
	hf_lu_await_jobs(t, stopped, arg);
}
