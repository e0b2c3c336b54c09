/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * News for every loop that come seldom: whether the controller serves, port states, a new logical
 * unit, attentions for all. One heap message per loop; never on the way of a command.
 */
#include "lu_internal.h"
#include "spare.h"

#include <stdlib.h>

void lu_sessions_attention(struct hf_lu_loop *loop, uint16_t asc_ascq)
{
	hf_list_for_each (n, &loop->sessions) {
		struct hf_lu_session *s = hf_list_entry(n, struct hf_lu_session, node);

		hf_list_for_each (m, &s->itls)
			hf_itl_attention_raise(
				hf_list_entry(m, struct hf_itl, session_node), asc_ascq);
	}
}

static void serving_changed(struct hf_lu_loop *loop, enum lu_serving serving)
{
	if (loop->serving == serving)
		return;
	loop->serving = serving;
	for (unsigned lun = 0; lun <= HF_LUN_MAX; lun++) {
		if (loop->by_lun[lun]) {
			lu_local_masks(loop->by_lun[lun]);
			lu_local_wake(loop->by_lun[lun]);
		}
	}
	lu_valid_settle(loop);
}

static void close_sessions(struct hf_lu_loop *loop, const char *why)
{
	hf_list_for_each_safe (n, &loop->sessions) {
		struct hf_lu_session *s = hf_list_entry(n, struct hf_lu_session, node);

		s->close(s, why);
	}
}

static void handle(struct hf_msg *msg)
{
	struct lu_note *note = hf_container_of(msg, struct lu_note, msg);
	struct hf_lu_loop *loop = note->loop;

	switch (note->kind) {
	case LU_NOTE_SERVING:
		serving_changed(loop, note->serving);
		break;
	case LU_NOTE_TARGET:
		loop->target = note->target;
		if (note->flag)
			lu_sessions_attention(loop, 0x2a06);
		break;
	case LU_NOTE_CLOSE:
		close_sessions(loop, note->why);
		break;
	case LU_NOTE_LUN_ADDED:
		lu_sessions_attention(loop, 0x3f0e);
		loop->by_lun[note->lu->locals[hf_loop_index(loop->loop)].info->lun] =
			&note->lu->locals[hf_loop_index(loop->loop)];
		break;
	}
	free(note);
}

void lu_note_broadcast(struct hf_lu_table *t, const struct lu_note *note)
{
	for (unsigned i = 0; i < t->config.loops_len; i++) {
		struct lu_note *copy = hf_spare_malloc(sizeof(*copy));

		*copy = *note;
		copy->loop = &t->loops[i];
		copy->msg.run = handle;
		hf_loop_post(t->loops[i].loop, &copy->msg);
	}
}

static void set_serving(struct hf_lu_table *t, enum lu_serving serving)
{
	struct lu_note note = {.kind = LU_NOTE_SERVING, .serving = serving};

	if (t->serving == serving)
		return;
	t->serving = serving;
	lu_note_broadcast(t, &note);
	/* Behind the note, so that the loop knows when the job asks. */
	if (serving != LU_PAUSED)
		lu_jobs_unpark(t);
}

void hf_lu_set_serving(struct hf_lu_table *t, bool serving)
{
	set_serving(t, serving ? LU_SERVES : LU_SERVES_NOT);
}

void hf_lu_set_paused(struct hf_lu_table *t)
{
	set_serving(t, LU_PAUSED);
}

void hf_lu_set_port_state(struct hf_lu_table *t, uint8_t controller, enum hf_alua_state state)
{
	struct lu_note note = {.kind = LU_NOTE_TARGET};

	for (unsigned i = 0; i < t->target.ports_len; i++) {
		if (t->target.ports[i].controller != controller)
			continue;
		if (t->target.ports[i].state != state)
			note.flag = true;
		t->target.ports[i].state = state;
	}
	if (!note.flag)
		return;
	note.target = t->target;
	lu_note_broadcast(t, &note);
}

void hf_lu_close_sessions(struct hf_lu_table *t, const char *why)
{
	struct lu_note note = {.kind = LU_NOTE_CLOSE, .why = why};

	lu_note_broadcast(t, &note);
}
