/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A logout that tells the truth: the nexus loss is agreed on before the host hears that it is
 * logged out, so that what it held is free at every controller by then. Bounded: a loss that is
 * owed (the peer is silent) or hangs does not keep the host. Session's loop, then control loop,
 * then back.
 */
#include "lu_internal.h"
#include "spare.h"

#include <stdlib.h>

static void tell_here(struct hf_msg *msg)
{
	struct hf_lu_session *s = hf_container_of(msg, struct lu_loss, msg)->session;

	free(hf_container_of(msg, struct lu_loss, msg));
	s->lost(s);
}

static void tell(struct lu_loss *loss)
{
	hf_timer_cancel(loss->session->table->control, &loss->timer);
	loss->msg.run = tell_here;
	hf_loop_post(loss->session->loop, &loss->msg);
}

static void too_late(struct hf_timer *timer)
{
	struct lu_loss *loss = hf_container_of(timer, struct lu_loss, timer);

	/* Its ops go on without it. */
	for (struct lu_op *o = loss->first; o; o = o->next_lost)
		o->loss = NULL;
	loss->first = NULL;
	tell(loss);
}

void lu_loss_op_done(struct lu_op *o)
{
	struct lu_loss *loss = o->loss;
	struct lu_op **at = &loss->first;

	while (*at != o)
		at = &(*at)->next_lost;
	*at = o->next_lost;
	if (!loss->proposing && !loss->first)
		tell(loss);
}

/* On the control loop. No command of the session is left, so what it holds is settled. */
static void lose(struct hf_msg *msg)
{
	struct lu_loss *loss = hf_container_of(msg, struct lu_loss, msg);
	struct hf_lu_session *s = loss->session;
	struct hf_resv_op op = {.kind = HF_RESV_NEXUS_LOSS, .nexus = s->nexus, .login = s->login};
	struct hf_loop *control = s->table->control;

	hf_timer_arm(
		control, &loss->timer, hf_loop_now_ns(control) + s->table->config.wait_bound_ns);
	loss->proposing = true;
	hf_list_for_each (n, &s->itls) {
		struct hf_lu *lu = hf_list_entry(n, struct hf_itl, session_node)->lu;

		if (!lu->removed && hf_resv_concerns(lu->cur, &s->nexus, s->login))
			hf_assert(lu_op_propose_loss(lu, &op, loss) == 0);
	}
	loss->proposing = false;
	if (!loss->first)
		tell(loss);
}

void hf_lu_session_lose(struct hf_lu_session *s)
{
	struct lu_loss *loss = hf_spare_calloc(1, sizeof(*loss));

	loss->session = s;
	hf_timer_init(&loss->timer, too_late);
	loss->msg.run = lose;
	hf_loop_post(s->table->control, &loss->msg);
}
