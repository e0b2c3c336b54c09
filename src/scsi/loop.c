/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Per loop: reservation requests and scratch buffers, few of each, made at start. A command that
 * finds none waits in order; what is put back is handed on from the loop, not inside the call, so
 * that a chain of short commands does not grow the stack.
 */
#include "scsi_internal.h"

#include <stdlib.h>

#define RESV_COUNT    32
#define SCRATCH_COUNT 4

struct hf_scsi_loop {
	struct hf_loop *loop;
	struct hf_list free_scratch;		      /* struct hf_scsi_scratch.node */
	struct hf_list scratch_waiters, resv_waiters; /* struct hf_scsi_task.wait_node */
	struct hf_msg msg;
	bool posted;
	unsigned free_resv_len;
	struct hf_resv_req *free_resv[RESV_COUNT];
	struct hf_resv_req *resvs; /* RESV_COUNT */
	uint8_t *buffers;	   /* SCRATCH_COUNT * SCSI_SCRATCH_BYTES */
	struct hf_scsi_scratch scratch[SCRATCH_COUNT];
};

static struct hf_scsi_task *pop(struct hf_list *waiters)
{
	struct hf_list *n = hf_list_pop_front(waiters);
	struct hf_scsi_task *t = hf_list_entry(n, struct hf_scsi_task, wait_node);

	t->waiting = false;
	return t;
}

static void take_scratch(struct hf_scsi_loop *s, struct hf_scsi_task *t)
{
	struct hf_list *n = hf_list_pop_front(&s->free_scratch);

	t->scratch = hf_list_entry(n, struct hf_scsi_scratch, node);
	t->scratch->task = t;
}

static void hand_on(struct hf_msg *msg)
{
	struct hf_scsi_loop *s = hf_container_of(msg, struct hf_scsi_loop, msg);

	s->posted = false;
	while (!hf_list_is_empty(&s->scratch_waiters) && !hf_list_is_empty(&s->free_scratch)) {
		struct hf_scsi_task *t = pop(&s->scratch_waiters);

		take_scratch(s, t);
		t->then(t);
	}
	while (!hf_list_is_empty(&s->resv_waiters) && s->free_resv_len) {
		struct hf_scsi_task *t = pop(&s->resv_waiters);

		t->resv = s->free_resv[--s->free_resv_len];
		t->then(t);
	}
}

static void post(struct hf_scsi_loop *s)
{
	if (s->posted)
		return;
	s->posted = true;
	hf_loop_post(s->loop, &s->msg);
}

static void wait(
	struct hf_scsi_task *t, struct hf_list *waiters, void (*then)(struct hf_scsi_task *t))
{
	t->waiting = true;
	t->then = then;
	hf_list_push_back(waiters, &t->wait_node);
}

void scsi_scratch_get(struct hf_scsi_task *t, void (*then)(struct hf_scsi_task *t))
{
	struct hf_scsi_loop *s = t->loop;

	if (!hf_list_is_empty(&s->scratch_waiters) || hf_list_is_empty(&s->free_scratch)) {
		wait(t, &s->scratch_waiters, then);
		return;
	}
	take_scratch(s, t);
	then(t);
}

void scsi_scratch_put(struct hf_scsi_task *t)
{
	struct hf_scsi_loop *s = t->loop;

	t->scratch->task = NULL;
	hf_list_push_front(&s->free_scratch, &t->scratch->node);
	t->scratch = NULL;
	if (!hf_list_is_empty(&s->scratch_waiters))
		post(s);
}

void scsi_resv_get(struct hf_scsi_task *t, void (*then)(struct hf_scsi_task *t))
{
	struct hf_scsi_loop *s = t->loop;

	if (!hf_list_is_empty(&s->resv_waiters) || !s->free_resv_len) {
		wait(t, &s->resv_waiters, then);
		return;
	}
	t->resv = s->free_resv[--s->free_resv_len];
	then(t);
}

void scsi_resv_put(struct hf_scsi_task *t)
{
	struct hf_scsi_loop *s = t->loop;

	s->free_resv[s->free_resv_len++] = t->resv;
	t->resv = NULL;
	if (!hf_list_is_empty(&s->resv_waiters))
		post(s);
}

void scsi_wait_abort(struct hf_scsi_task *t)
{
	hf_list_remove(&t->wait_node);
	t->waiting = false;
}

int hf_scsi_loop_create(struct hf_loop *loop, struct hf_scsi_loop **ret)
{
	struct hf_scsi_loop *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->msg.run = hand_on;
	hf_list_init(&s->free_scratch);
	hf_list_init(&s->scratch_waiters);
	hf_list_init(&s->resv_waiters);
	s->resvs = calloc(RESV_COUNT, sizeof(*s->resvs));
	s->buffers = aligned_alloc(4096, (size_t)SCRATCH_COUNT * SCSI_SCRATCH_BYTES);
	if (!s->resvs || !s->buffers)
		goto fail;
	for (unsigned i = 0; i < RESV_COUNT; i++)
		s->free_resv[s->free_resv_len++] = &s->resvs[i];
	for (unsigned i = 0; i < SCRATCH_COUNT; i++) {
		struct hf_scsi_scratch *x = &s->scratch[i];

		x->buf = s->buffers + (size_t)i * SCSI_SCRATCH_BYTES;
		x->copy = scsi_copy_create();
		if (!x->copy)
			goto fail;
		hf_list_push_back(&s->free_scratch, &x->node);
	}
	*ret = s;
	return 0;
fail:
	hf_scsi_loop_destroy(s);
	return -ENOMEM;
}

void hf_scsi_loop_destroy(struct hf_scsi_loop *s)
{
	if (!s)
		return;
	hf_assert(hf_list_is_empty(&s->scratch_waiters) && hf_list_is_empty(&s->resv_waiters));
	for (unsigned i = 0; i < SCRATCH_COUNT; i++)
		scsi_copy_destroy(s->scratch[i].copy);
	free(s->resvs);
	free(s->buffers);
	free(s);
}

struct hf_loop *scsi_loop_of(const struct hf_scsi_task *t)
{
	return t->loop->loop;
}
