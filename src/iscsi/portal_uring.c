/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening sockets: accepts on the control loop, spreads connections over the loops in turn, and
 * at the end closes the door first, then asks the hosts to go. Knows nothing of iSCSI.
 */
#include "portal.h"
#include "log.h"
#include "spare.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	/* Logins need a moment beside the sessions they replace. */
	SOCKETS_MAX = HF_SESSIONS_MAX + 256,
	PAUSE_NS = 100000000,
};

/* A message to each loop: end the connections of this portal. */
struct stop_order {
	struct hf_msg msg;
	struct hf_iscsi_portal *portal;
	struct hf_iscsi_loop *il;
};

struct hf_iscsi_portal {
	struct hf_iscsi_registry *registry;
	struct hf_loop *control;
	int fd;
	struct hf_req accept_req;
	bool accepting, stopping;
	struct hf_timer pause; /* after an accept that failed for want of something */
	unsigned out;	       /* sockets and stop orders that are elsewhere */
	unsigned loops_len, next_loop;
	struct hf_iscsi_loop *loops[HF_LOOPS_MAX];
	struct stop_order orders[HF_LOOPS_MAX];
	void (*done)(void *arg);
	void *arg;
};

int hf_iscsi_loop_create(struct hf_iscsi_registry *r, struct hf_loop *loop,
	struct hf_scsi_loop *scsi, struct hf_iscsi_loop **ret)
{
	struct hf_iscsi_loop *il = calloc(1, sizeof(*il));

	if (!il)
		return -ENOMEM;
	il->registry = r;
	il->loop = loop;
	il->scsi = scsi;
	hf_list_init(&il->sockets);
	*ret = il;
	return 0;
}

void hf_iscsi_loop_destroy(struct hf_iscsi_loop *il)
{
	if (!il)
		return;
	hf_assert(hf_list_is_empty(&il->sockets));
	free(il);
}

static void end_if_empty(struct hf_iscsi_portal *p)
{
	void (*done)(void *arg) = p->done;
	void *arg = p->arg;

	if (!p->stopping || p->accepting || p->out)
		return;
	free(p);
	done(arg);
}

/* --- a socket's way to its loop and back --- */

static void run_freed(struct hf_msg *msg)
{
	struct hf_iscsi_socket *s = hf_container_of(msg, struct hf_iscsi_socket, move_msg);
	struct hf_iscsi_portal *p = s->portal;

	free(s);
	p->out--;
	end_if_empty(p);
}

static void socket_ended(struct hf_iscsi_socket *s)
{
	s->move_msg.run = run_freed;
	hf_loop_post(s->portal->control, &s->move_msg);
}

static void run_start(struct hf_msg *msg)
{
	hf_iscsi_socket_start(hf_container_of(msg, struct hf_iscsi_socket, move_msg));
}

static void name_peer(struct hf_iscsi_socket *s)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[64], port[8];
	struct sockaddr *sa = (struct sockaddr *)&addr;

	strcpy(s->peer, "unknown address");
	if (getpeername(s->fd, sa, &len) || getnameinfo(sa, len, host, sizeof(host), port,
						    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	snprintf(s->peer, sizeof(s->peer), addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
		port);
}

static void take(struct hf_iscsi_portal *p, int fd)
{
	bool is_short = hf_spare_is_short();
	struct hf_iscsi_socket *s =
		!is_short && p->out < SOCKETS_MAX ? calloc(1, sizeof(*s)) : NULL;
	int one = 1;

	if (!s) {
		hf_warning("portal: connection refused: %u are open already%s", p->out,
			p->out < SOCKETS_MAX ? " and memory is short" : "");
		close(fd);
		return;
	}
	/* Answers are gathered here; the kernel must not wait for more. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->portal = p;
	s->fd = fd;
	s->il = p->loops[p->next_loop];
	s->ended = socket_ended;
	hf_list_init(&s->node);
	name_peer(s);
	p->next_loop = (p->next_loop + 1) % p->loops_len;
	p->out++;
	s->move_msg.run = run_start;
	hf_loop_post(s->il->loop, &s->move_msg);
}

/* --- accepting --- */

static void accept_next(struct hf_iscsi_portal *p)
{
	p->accepting = true;
	hf_loop_accept(p->control, &p->accept_req, p->fd);
}

static void pause_fire(struct hf_timer *t)
{
	accept_next(hf_container_of(t, struct hf_iscsi_portal, pause));
}

static void accept_done(struct hf_req *req, int result)
{
	struct hf_iscsi_portal *p = hf_container_of(req, struct hf_iscsi_portal, accept_req);

	p->accepting = false;
	if (p->stopping) {
		if (result >= 0)
			close(result);
		close(p->fd);
		end_if_empty(p);
		return;
	}
	if (result >= 0) {
		take(p, result);
		accept_next(p);
		return;
	}
	if (result != -ECONNABORTED && result != -EINTR && result != -EAGAIN)
		hf_warning("portal: a connection could not be accepted: %s; trying again",
			strerror(-result));
	hf_timer_arm(p->control, &p->pause, hf_loop_now_ns(p->control) + PAUSE_NS);
}

int hf_iscsi_portal_create(struct hf_iscsi_registry *r, int listen_fd,
	struct hf_iscsi_loop *const *loops, unsigned loops_len, struct hf_iscsi_portal **ret)
{
	struct hf_iscsi_portal *p;

	hf_assert(loops_len > 0 && loops_len <= HF_LOOPS_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->registry = r;
	p->control = hf_registry_control(r);
	p->fd = listen_fd;
	p->loops_len = loops_len;
	memcpy(p->loops, loops, loops_len * sizeof(loops[0]));
	p->accept_req.done = accept_done;
	hf_timer_init(&p->pause, pause_fire);
	accept_next(p);
	*ret = p;
	return 0;
}

/* --- the end --- */

static void run_stopped(struct hf_msg *msg)
{
	struct stop_order *o = hf_container_of(msg, struct stop_order, msg);
	struct hf_iscsi_portal *p = o->portal;

	p->out--;
	end_if_empty(p);
}

static void run_stop(struct hf_msg *msg)
{
	struct stop_order *o = hf_container_of(msg, struct stop_order, msg);

	hf_list_for_each_safe (node, &o->il->sockets) {
		struct hf_iscsi_socket *s = hf_list_entry(node, struct hf_iscsi_socket, node);

		if (s->portal == o->portal)
			hf_iscsi_socket_stop(s);
	}
	o->msg.run = run_stopped;
	hf_loop_post(o->portal->control, &o->msg);
}

void hf_iscsi_portal_stop(struct hf_iscsi_portal *p, void (*done)(void *arg), void *arg)
{
	hf_assert(!p->stopping);
	p->stopping = true;
	p->done = done;
	p->arg = arg;
	for (unsigned i = 0; i < p->loops_len; i++) {
		struct stop_order *o = &p->orders[i];

		*o = (struct stop_order){.portal = p, .il = p->loops[i]};
		o->msg.run = run_stop;
		p->out++;
		hf_loop_post(o->il->loop, &o->msg);
	}
	if (p->accepting) {
		hf_loop_cancel(p->control, &p->accept_req);
	} else {
		hf_timer_cancel(p->control, &p->pause);
		close(p->fd);
	}
}
