/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions and their views of logical units (struct hf_itl): made at the first command to a unit,
 * announced to the control loop, which knows the reservation state; given back when the session
 * ends, when the control loop also takes note of the nexus loss.
 */
#include "lu_internal.h"
#include "canary.h"
#include "spare.h"

#include <stdlib.h>

int hf_lu_session_attach(struct hf_lu_table *t, struct hf_lu_session *s, struct hf_loop *loop)
{
	s->by_index = calloc(HF_LDEVS_MAX, sizeof(struct hf_itl *));
	if (!s->by_index)
		return -ENOMEM;
	s->table = t;
	s->loop = loop;
	s->lu_loop = &t->loops[hf_loop_index(loop)];
	s->login = t->config.incarnation << 32 | ++t->login_counter;
	s->detaching = 0;
	hf_list_init(&s->itls);
	hf_list_init(&s->unsure_node);
	hf_list_push_back(&s->lu_loop->sessions, &s->node);
	return 0;
}

const struct hf_target *hf_lu_target(const struct hf_lu_session *s)
{
	return &s->lu_loop->target;
}

unsigned hf_lu_luns(struct hf_lu_session *s, uint16_t *luns, unsigned cap)
{
	unsigned n = 0;

	for (unsigned lun = 0; lun <= HF_LUN_MAX; lun++) {
		if (!s->lu_loop->by_lun[lun])
			continue;
		if (n < cap)
			luns[n] = (uint16_t)lun;
		n++;
	}
	return n;
}

const struct hf_lu_info *hf_itl_info(const struct hf_itl *itl)
{
	return itl->local->info;
}

/* --- attach --- */

/* Back on the session's loop: the admission is known, commands may go. */
static void attached(struct hf_msg *msg)
{
	struct hf_itl *itl = hf_container_of(msg, struct hf_itl, msg);
	struct hf_itl_waiter *w = itl->waiter;

	itl->waiter = NULL;
	itl->attached = true;
	hf_list_push_back(&itl->local->itls, &itl->loop_node);
	lu_itl_masks(itl);
	while (w) {
		struct hf_itl_waiter *next = w->next;

		w->ready(w, itl);
		w = next;
	}
}

/* On the control loop. */
static void attach(struct hf_msg *msg)
{
	struct hf_itl *itl = hf_container_of(msg, struct hf_itl, msg);
	struct hf_lu *lu = itl->lu;
	const struct hf_nexus *nexus = &itl->session->nexus;

	lu->refs++;
	lu->nexuses++;
	itl->allow_cur = (uint8_t)hf_resv_admit(lu->cur, nexus, itl->session->login);
	itl->allow_next = itl->allow_cur;
	if (lu->computed) {
		itl->allow_next = (uint8_t)hf_resv_admit(lu->next, nexus, itl->session->login);
		for (unsigned i = 0; i < lu->effects_len; i++)
			if (lu_effect_hits(&lu->effects[i], nexus))
				lu_itl_expects(itl, &lu->effects[i]);
	}
	itl->msg.run = attached;
	hf_loop_post(itl->session->loop, &itl->msg);
}

static struct hf_itl *itl_create(struct hf_lu_session *s, struct hf_lu_local *l)
{
	struct hf_itl *itl = hf_spare_calloc(1, sizeof(*itl));

	itl->lu = l->lu;
	itl->local = l;
	itl->session = s;
	hf_list_init(&itl->commands);
	hf_list_init(&itl->tmfs);
	hf_list_init(&itl->loop_node);
	hf_list_push_back(&s->itls, &itl->session_node);
	s->by_index[l->lu->index] = itl;
	/* A nexus that the unit has not seen: POWER ON, RESET, OR BUS DEVICE RESET OCCURRED. */
	hf_itl_attention_raise(itl, 0x2900);
	itl->msg.run = attach;
	hf_loop_post(s->table->control, &itl->msg);
	return itl;
}

struct hf_itl *hf_itl_find(
	struct hf_lu_session *s, uint16_t lun, struct hf_itl_waiter *waiter, bool *ret_none)
{
	struct hf_lu_local *l = lun <= HF_LUN_MAX ? s->lu_loop->by_lun[lun] : NULL;
	struct hf_itl_waiter **at;
	struct hf_itl *itl;

	*ret_none = !l;
	if (!l)
		return NULL;
	itl = s->by_index[l->lu->index];
	if (itl && itl->attached)
		return itl;
	if (!itl)
		itl = itl_create(s, l);
	waiter->next = NULL;
	for (at = &itl->waiter; *at; at = &(*at)->next)
		;
	*at = waiter;
	return NULL;
}

/* --- detach --- */

static void session_maybe_gone(struct hf_lu_session *s)
{
	if (s->detaching)
		return;
	free(s->by_index);
	s->by_index = NULL;
	s->gone(s);
}

static void detached(struct hf_msg *msg)
{
	struct hf_itl *itl = hf_container_of(msg, struct hf_itl, msg);
	struct hf_lu_session *s = itl->session;

	if (itl->scsi && itl->scsi_free)
		itl->scsi_free(itl->scsi);
	free(itl);
	s->detaching--;
	session_maybe_gone(s);
}

/* On the control loop: behind everything the nexus has queued on this unit (W5). */
static void detach(struct hf_msg *msg)
{
	struct hf_itl *itl = hf_container_of(msg, struct hf_itl, msg);
	struct hf_lu *lu = itl->lu;
	struct hf_loop *home = itl->session->loop;

	if (!lu->removed && !HF_PLANTED(KEEP_LOGIN)) {
		struct hf_resv_op op = {.kind = HF_RESV_NEXUS_LOSS,
			.nexus = itl->session->nexus,
			.login = itl->session->login};

		hf_assert(lu_op_propose(lu, &op, true, NULL, NULL, NULL) == 0);
	}
	lu->nexuses--;
	lu_unref(lu);
	itl->msg.run = detached;
	hf_loop_post(home, &itl->msg);
}

static void session_detached(struct hf_msg *msg)
{
	struct hf_lu_session *s = hf_container_of(msg, struct hf_lu_session, msg);

	s->detaching--;
	session_maybe_gone(s);
}

void hf_lu_session_detach(struct hf_lu_session *s)
{
	struct hf_list *n;

	hf_list_remove(&s->node);
	lu_session_forget_valid(s);
	s->detaching = 1; /* the session itself: gone() never comes inside this call */
	while ((n = hf_list_pop_front(&s->itls))) {
		struct hf_itl *itl = hf_list_entry(n, struct hf_itl, session_node);

		hf_assert(itl->attached && hf_list_is_empty(&itl->commands));
		hf_list_remove(&itl->loop_node);
		/* With its last nexus a unit that is gone is freed: nothing of it fires after that.
		 */
		if (hf_list_is_empty(&itl->local->waiters)) {
			hf_timer_cancel(s->loop, &itl->local->wait_timer);
			hf_timer_cancel(s->loop, &itl->local->valid_timer);
		}
		s->detaching++;
		itl->msg.run = detach;
		hf_loop_post(s->table->control, &itl->msg);
	}
	s->msg.run = session_detached;
	hf_loop_post(s->loop, &s->msg);
}
