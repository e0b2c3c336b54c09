/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A command on its way: from the host over a session to the SCSI layer and back. What a transport
 * does (src/iscsi: cmd.c, session.c), without PDUs. Everything on the session's loop runs there, as
 * a message.
 */
#include "cmd.h"

#include "endian.h"

#include <stdlib.h>

const char *sim_cmd_name(enum sim_kind kind)
{
	static const char *const names[SIM_KINDS] = {"TEST UNIT READY", "READ", "WRITE",
		"COMPARE AND WRITE", "SYNCHRONIZE CACHE", "RESERVE", "RELEASE", "PR REGISTER",
		"PR REGISTER AND IGNORE", "PR RESERVE", "PR RELEASE", "PR CLEAR", "PR PREEMPT",
		"PR PREEMPT AND ABORT", "PR REGISTER AND MOVE", "PR REPLACE LOST RESERVATION",
		"PR READ KEYS", "PR READ RESERVATION", "ABORT TASK SET", "LOGICAL UNIT RESET"};

	return names[kind];
}

const char *sim_outcome_name(enum sim_outcome o)
{
	static const char *const names[] = {"nothing", "GOOD", "RESERVATION CONFLICT",
		"UNIT ATTENTION", "NOT READY", "HARDWARE ERROR", "CHECK CONDITION", "MISCOMPARE",
		"MEDIUM ERROR", "TASK ABORTED", "nothing more (unknown)"};

	return names[o];
}

static struct hf_loop *loop_of(const struct sim_session *s)
{
	return s->path->node->node->loops[s->loop];
}

static struct hf_scsi_loop *scsi_of(const struct sim_session *s)
{
	return s->path->node->node->scsi[s->loop];
}

/* --- storage: what nothing points to any more is used again --- */

/* Buffers: most commands need no more than this, and aligned ones are dear. */
enum { BUF_BYTES = 4096 };

static struct sim_cmd *unused;
static void *unused_bufs;

void sim_cmds_init(void)
{
	unused = NULL;
	unused_bufs = NULL;
}

struct sim_cmd *sim_cmd_new(void)
{
	struct sim_cmd *c = unused;

	if (!c)
		return sim_alloc(sizeof(*c));
	unused = c->next_unused;
	memset(c, 0, sizeof(*c));
	return c;
}

static void buf_get(struct sim_cmd *c)
{
	if (c->t.buf_need <= BUF_BYTES && unused_bufs) {
		c->t.buf = unused_bufs;
		memcpy(&unused_bufs, c->t.buf, sizeof(unused_bufs));
	} else {
		c->t.buf = aligned_alloc(
			4096, HF_ROUND_UP(HF_MAX(c->t.buf_need, (uint32_t)BUF_BYTES), 4096u));
		hf_assert(c->t.buf);
	}
	c->small_buf = c->t.buf_need <= BUF_BYTES;
	c->buf = c->t.buf;
}

static void buf_put(struct sim_cmd *c)
{
	if (c->small_buf) {
		memcpy(c->buf, &unused_bufs, sizeof(unused_bufs));
		unused_bufs = c->buf;
	} else {
		free(c->buf);
	}
	c->small_buf = false;
	c->t.buf = c->buf = NULL;
}

static void unref(struct sim_cmd *c)
{
	if (--c->refs || c->stage != SIM_DONE || c->outcome == SIM_NONE || c->kept)
		return;
	buf_put(c);
	c->next_unused = unused;
	unused = c;
}

/* --- back to the host --- */

static void come_back(void *arg)
{
	struct sim_cmd *c = arg;

	/* The host has given the session up meanwhile: it hears nothing. */
	if (c->outcome == SIM_NONE && c->session->path->session == c->session)
		sim_host_told(c);
	if (c->kept)
		buf_put(c);
	unref(c);
}

static enum sim_outcome judge_sense(struct sim_cmd *c)
{
	const uint8_t *s = c->t.sense;
	bool descriptor = s[0] & 0x02;

	c->sense_key = descriptor ? s[1] & 0xf : s[2] & 0xf;
	c->asc_ascq = hf_get_be16(descriptor ? s + 2 : s + 12);
	switch (c->sense_key) {
	case 0x6:
		return SIM_ATTENTION;
	case 0x2:
		return SIM_NOT_READY;
	case 0x4:
		return SIM_FAILED;
	case 0xe:
		return SIM_MISCOMPARE;
	case 0x3:
		return SIM_MEDIUM;
	default:
		return SIM_CHECK;
	}
}

static enum sim_outcome judge(struct sim_cmd *c)
{
	switch (c->t.status) {
	case HF_STATUS_GOOD:
		return SIM_GOOD;
	case HF_STATUS_RESERVATION_CONFLICT:
		return SIM_CONFLICT;
	case HF_STATUS_TASK_ABORTED:
		return SIM_ABORTED;
	case HF_STATUS_CHECK_CONDITION:
		return judge_sense(c);
	default:
		return SIM_NOT_READY; /* BUSY, TASK SET FULL: come again */
	}
}

static void send_back(struct sim_cmd *c)
{
	struct sim_session *s = c->session;
	uint64_t at = sim->now + sim_skewed(&sim->net, 10 * SIM_US, 300 * SIM_US);

	s->last_return = HF_MAX(s->last_return + 1, at);
	c->refs++;
	sim_after(s->last_return - sim->now, come_back, c);
}

void sim_session_valid(struct hf_lu_session *lus)
{
	struct sim_session *s = hf_container_of(lus, struct sim_session, s);
	struct hf_list *n;

	while ((n = hf_list_pop_front(&s->held))) {
		struct sim_cmd *c = hf_list_entry(n, struct sim_cmd, held_node);

		send_back(c);
		unref(c);
	}
}

static void drop_held(struct sim_session *s)
{
	struct hf_list *n;

	while ((n = hf_list_pop_front(&s->held)))
		unref(hf_list_entry(n, struct sim_cmd, held_node));
}

/* The target has worked out all that it will say. */
static void answer(struct sim_cmd *c, enum sim_outcome outcome)
{
	struct sim_session *s = c->session;

	if (c->answered)
		sim_fail("INV-7", "host %u is answered twice: %s on device %u at controller %u",
			c->host, sim_cmd_name(c->kind), c->dev, c->controller);
	c->answered = true;
	c->answered_at = sim->now;
	c->told_life = c->session->path->node->at[c->dev].life;
	c->told_high = c->told_life ? c->told_life->len - 1 : 0;
	c->t.words[7] = outcome; /* apart from c->outcome, which is what the host knows */
	if (s->closing)
		return;
	/* INV-5: it has been worked out; does it still count? */
	if (hf_list_is_empty(&s->held) && hf_lu_session_is_valid(&s->s)) {
		send_back(c);
		return;
	}
	c->refs++;
	hf_list_push_back(&s->held, &c->held_node);
	hf_lu_session_await_valid(&s->s);
}

static void over(struct sim_cmd *c)
{
	struct sim_session *s = c->session;

	c->stage = SIM_DONE;
	hf_list_remove(&c->node);
	if (c->entered) {
		c->entered = false;
		hf_scsi_leave(scsi_of(s), &c->t);
	}
	sim_session_wind(s);
}

/* --- at the target --- */

static void done(struct hf_scsi_task *t)
{
	struct sim_cmd *c = hf_container_of(t, struct sim_cmd, t);
	struct sim_session *s = c->session;

	if (c->stage != SIM_RUNNING)
		sim_fail("INV-7", "a command of host %u ends twice", c->host);
	s->in_scsi--;
	if (t->drop_session)
		sim_session_close(s, "the outcome of a command is unknown");
	else if (!t->silent)
		answer(c, judge(c));
	else if (!s->closing)
		answer(c, SIM_ABORTED);
	over(c);
}

static void aborted(struct hf_scsi_task *t)
{
	struct sim_cmd *c = hf_container_of(t, struct sim_cmd, t);

	answer(c, SIM_ABORTED);
	over(c);
}

static void run(struct sim_cmd *c)
{
	c->stage = SIM_RUNNING;
	c->session->in_scsi++;
	hf_scsi_run(scsi_of(c->session), &c->t);
}

static void gathered(struct hf_msg *msg)
{
	struct sim_cmd *c = hf_container_of(msg, struct sim_cmd, msg);

	if (c->stage == SIM_GATHERING) /* else dropped or aborted meanwhile */
		run(c);
	unref(c);
}

static void data_arrives(void *arg)
{
	struct sim_cmd *c = arg;

	if (c->session->dead)
		return;
	c->msg.run = gathered;
	hf_loop_post(loop_of(c->session), &c->msg);
}

static void tmf_done(struct hf_tmf_req *req, int result)
{
	struct sim_cmd *c = hf_container_of(req, struct sim_cmd, tmf);

	c->session->in_scsi--;
	if (result == -ENOTCONN)
		sim_session_close(c->session, "the outcome of task management is unknown");
	else
		answer(c, result == 0 ? SIM_GOOD : result == -EACCES ? SIM_NOT_READY : SIM_FAILED);
	over(c);
}

static void start(struct sim_cmd *c)
{
	if (c->kind == SIM_ABORT_SET || c->kind == SIM_LU_RESET) {
		c->stage = SIM_RUNNING;
		c->session->in_scsi++;
		c->tmf.function = c->kind == SIM_LU_RESET ? HF_TMF_LU_RESET : HF_TMF_ABORT_TASK_SET;
		c->tmf.session = &c->session->s;
		c->tmf.itl = c->itl;
		c->tmf.done = tmf_done;
		hf_lu_tmf(&c->tmf);
		return;
	}
	c->entered = true;
	if (hf_scsi_arrive(scsi_of(c->session), &c->t, c->itl) == HF_SCSI_DONE) {
		answer(c, judge(c));
		over(c);
		return;
	}
	if (c->t.buf_need)
		buf_get(c);
	if (c->t.out_len) {
		memset(c->t.buf, 0, c->t.out_len);
		memcpy(c->t.buf, c->out, HF_MIN(c->t.out_len, c->out_len));
		if (c->kind == SIM_WRITE)
			for (uint32_t i = 0; i < c->t.out_len; i += 512)
				hf_put_be64(c->t.buf + i, c->write);
		if (c->kind == SIM_CAW) {
			hf_put_be64(c->t.buf, c->expect);
			hf_put_be64(c->t.buf + c->t.out_len / 2, c->write);
		}
	}
	c->stage = SIM_GATHERING;
	if (!c->t.out_len || !sim_chance(&sim->sched, 300)) {
		run(c);
		return;
	}
	c->refs++;
	sim_after(sim_skewed(&sim->net, 50 * SIM_US, 30 * SIM_MS), data_arrives, c);
}

static void attached(struct hf_itl_waiter *w, struct hf_itl *itl)
{
	struct sim_cmd *c = hf_container_of(w, struct sim_cmd, waiter);

	c->session->in_scsi--;
	c->itl = itl;
	if (c->session->closing)
		over(c);
	else
		start(c);
}

static void arrive(struct sim_cmd *c)
{
	struct sim_session *s = c->session;
	uint16_t lun;
	bool none;

	if (s->closing || !s->attached) {
		c->stage = SIM_DONE;
		return;
	}
	if (hf_scsi_lun_decode(c->t.lun, &lun) < 0)
		sim_fail("setup", "host %u asks a LUN that there cannot be", c->host);
	hf_list_push_back(&s->commands, &c->node);
	c->stage = SIM_ATTACHING;
	s->in_scsi++;
	c->waiter.ready = attached;
	c->itl = hf_itl_find(&s->s, lun, &c->waiter, &none);
	if (!c->itl && !none)
		return;
	s->in_scsi--;
	if (!c->itl) { /* no such unit here yet: the map is being copied */
		answer(c, SIM_NOT_READY);
		over(c);
		return;
	}
	start(c);
}

static void arrived(struct hf_msg *msg)
{
	struct sim_cmd *c = hf_container_of(msg, struct sim_cmd, msg);

	arrive(c);
	unref(c);
}

static void travel(void *arg)
{
	struct sim_cmd *c = arg;

	if (c->session->dead)
		return;
	c->msg.run = arrived;
	hf_loop_post(loop_of(c->session), &c->msg);
}

void sim_cmd_send(struct sim_cmd *c)
{
	struct sim_session *s = c->session;
	uint64_t at = sim->now + sim_skewed(&sim->net, 10 * SIM_US, 300 * SIM_US);

	c->t.session = &s->s;
	c->t.done = done;
	c->t.aborted = aborted;
	hf_list_init(&c->node);
	hf_list_init(&c->held_node);
	s->last_arrival = HF_MAX(s->last_arrival + 1, at);
	c->refs++;
	sim_after(s->last_arrival - sim->now, travel, c);
}

/* --- the end of a session, seen from the target --- */

static void drop_command(struct sim_cmd *c)
{
	if (c->stage == SIM_GATHERING)
		over(c);
}

struct lost {
	struct sim_path *path;
	struct sim_session *session;
};

static void host_notices(void *arg)
{
	struct lost *l = arg;

	sim_host_path_lost(l->path, l->session);
}

void sim_session_close(struct sim_session *s, const char *why)
{
	struct lost *l;

	if (s->closing)
		return;
	s->closing = true;
	sim_say("controller %u closes the session of host %u: %s", s->path->node->id,
		s->path->host->index, why);
	l = sim_alloc(sizeof(*l));
	l->path = s->path;
	l->session = s;
	sim_after(sim_skewed(&sim->net, 20 * SIM_US, SIM_MS), host_notices, l);
	drop_held(s);
	hf_list_for_each_safe (n, &s->commands)
		drop_command(hf_list_entry(n, struct sim_cmd, node));
	sim_session_wind(s);
}

static void detach_now(struct hf_msg *msg)
{
	struct sim_session *s = hf_container_of(msg, struct sim_session, msg);

	hf_lu_session_detach(&s->s);
}

void sim_session_wind(struct sim_session *s)
{
	if (!s->closing || s->detaching || s->in_scsi || !hf_list_is_empty(&s->commands))
		return;
	s->detaching = true;
	if (!s->attached) {
		s->gone = true;
		return;
	}
	s->msg.run = detach_now;
	hf_loop_post(loop_of(s), &s->msg);
}
