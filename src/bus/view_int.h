/* SPDX-License-Identifier: BSD-3-Clause */
/* Between view.c and view_job.c only. */
#ifndef HF_VIEW_INT_H
#define HF_VIEW_INT_H

#include "view.h"

struct hf_view_effect *hf_view_out(struct hf_view_update *u, enum hf_view_do kind);
void hf_view_say(struct hf_view_update *u, enum hf_view_do kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A new state, told to the owner and the peer. fmt: the sentence for people. */
void hf_view_become(struct hf_view_machine *v, struct hf_view_update *u, enum hf_view_state state,
	uint32_t members, uint32_t serving, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* Out, whatever the reason: drops the state; joins again once CLEAN. fmt: the sentence. */
void hf_view_out_because(struct hf_view_machine *v, struct hf_view_update *u, uint64_t epoch,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The record or the peer says that this controller is not in the view any more. */
void hf_view_go_out(struct hf_view_machine *v, struct hf_view_update *u, uint64_t epoch);
/* Gives up memory that never served (cold start). */
void hf_view_start_over(struct hf_view_machine *v, struct hf_view_update *u, const char *why);

static inline uint32_t hf_view_self(const struct hf_view_machine *v)
{
	return 1u << v->id;
}

static inline uint32_t hf_view_both(const struct hf_view_machine *v)
{
	return 1u << v->id | 1u << v->peer_id;
}

/* view_job.c */
void hf_view_job_start(struct hf_view_machine *v, struct hf_view_update *u, enum hf_view_job job);
void hf_view_read_start(struct hf_view_machine *v, struct hf_view_update *u);
void hf_view_read_done(
	struct hf_view_machine *v, struct hf_view_update *u, const struct hf_view_event *ev);
void hf_view_job_written(struct hf_view_machine *v, struct hf_view_update *u, int result);
void hf_view_job_loaded(struct hf_view_machine *v, struct hf_view_update *u, int result);
void hf_view_job_rewritten(struct hf_view_machine *v, struct hf_view_update *u, int result);
void hf_view_job_mended(struct hf_view_machine *v, struct hf_view_update *u);
void hf_view_job_retry(struct hf_view_machine *v, struct hf_view_update *u);

/* view_race.c */
void hf_view_race_start(
	struct hf_view_machine *v, struct hf_view_update *u, bool restarted, const char *why);
void hf_view_race_fence(struct hf_view_machine *v, struct hf_view_update *u);
void hf_view_race_fenced(
	struct hf_view_machine *v, struct hf_view_update *u, int result, const char *why);
void hf_view_race_quiet(struct hf_view_machine *v, struct hf_view_update *u);
/* Here is the peer that was to be fenced at the start. */
void hf_view_race_met(struct hf_view_machine *v);
/* A fence that was begun is not needed any more, whether it has worked or not. */
void hf_view_race_end(struct hf_view_machine *v, struct hf_view_update *u);
/* The peer is gone without a fence: new incarnation, operator's word. */
void hf_view_race_gone(struct hf_view_machine *v, struct hf_view_update *u, const char *why);
void hf_view_race_tick(struct hf_view_machine *v, struct hf_view_update *u);
static inline bool hf_view_is_race(enum hf_view_job job)
{
	return job == HF_VIEW_JOB_FENCE || job == HF_VIEW_JOB_FENCE_START;
}

void hf_view_job_end(struct hf_view_machine *v);
void hf_view_job_fail(struct hf_view_machine *v, struct hf_view_update *u, const char *why);
/* The peer is out of the way: (load,) write {me}. */
void hf_view_job_go_on(struct hf_view_machine *v, struct hf_view_update *u);

#endif
