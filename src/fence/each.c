/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fencing by a part of the cluster that has quorum: there is no race to win, so the agents of the
 * missing controllers run at once, one after the other. Used with the bus corosync.
 */
#include "fence_int.h"

#include <stdio.h>
#include <stdlib.h>

struct hf_fence_each {
	struct hf_fence_agent agent;
	const struct hf_fence_ops *ops;
	void *owner;
	struct hf_fence_victim victims[HF_CONTROLLERS_MAX];
	unsigned len, next;
	uint32_t limit_ms;
	struct hf_msg msg;
	bool posted;
	int result;
	char why[200];
};

static void run_next(struct hf_fence_each *f);

static void finished(struct hf_fence_each *f, int result, const char *why)
{
	char text[sizeof(f->why)];

	if (result)
		snprintf(text, sizeof(text), "the fence agent of controller %u: %.150s",
			f->victims[f->next].id, why);
	else
		snprintf(text, sizeof(text),
			"the agents have said that all missing controllers are off");
	f->len = 0;
	f->ops->done(f->owner, result, text);
}

static void ended(struct hf_fence_agent *a, int result, const char *why)
{
	struct hf_fence_each *f = hf_container_of(a, struct hf_fence_each, agent);

	if (result) {
		finished(f, result, why);
		return;
	}
	f->next++;
	run_next(f);
}

/* done() never comes from inside hf_fence_each_start(). */
static void report(struct hf_msg *msg)
{
	struct hf_fence_each *f = hf_container_of(msg, struct hf_fence_each, msg);

	f->posted = false;
	if (f->len)
		finished(f, f->result, f->why);
}

static void report_soon(struct hf_fence_each *f, int result, const char *why)
{
	f->result = result;
	snprintf(f->why, sizeof(f->why), "%s", why);
	if (f->posted)
		return;
	f->posted = true;
	f->msg.run = report;
	hf_loop_post(f->agent.loop, &f->msg);
}

static void run_next(struct hf_fence_each *f)
{
	int rc;

	if (f->next == f->len) {
		report_soon(f, 0, "");
		return;
	}
	rc = hf_fence_agent_run(&f->agent, f->victims[f->next].args, f->limit_ms);
	if (rc)
		report_soon(f, rc, "it cannot be started");
}

int hf_fence_each_create(struct hf_loop *loop, const struct hf_fence_ops *ops, void *owner,
	struct hf_fence_each **ret)
{
	struct hf_fence_each *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	hf_fence_agent_init(&f->agent, loop);
	f->agent.ended = ended;
	f->ops = ops;
	f->owner = owner;
	*ret = f;
	return 0;
}

void hf_fence_each_start(struct hf_fence_each *f, const struct hf_fence_victim *victims,
	unsigned len, uint32_t limit_ms)
{
	hf_fence_each_end(f);
	hf_assert(len && len <= HF_ARRAY_LEN(f->victims));
	memcpy(f->victims, victims, len * sizeof(*victims));
	f->len = len;
	f->next = 0;
	f->limit_ms = limit_ms;
	run_next(f);
}

void hf_fence_each_end(struct hf_fence_each *f)
{
	hf_fence_agent_abandon(&f->agent);
	f->len = 0;
}

void hf_fence_each_destroy(struct hf_fence_each *f)
{
	if (!f)
		return;
	hf_fence_each_end(f);
	while (f->posted && hf_loop_run_once(f->agent.loop, false) == 0)
		;
	free(f);
}
