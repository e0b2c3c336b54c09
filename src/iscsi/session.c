/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session's way in and out: the registry admits it (when an older one of the same name is gone),
 * src/lu learns its nexus; at the end the reverse. Pure.
 */
#include "conn.h"

static struct hf_iscsi_conn *conn_of(struct hf_registration *g)
{
	return hf_container_of(g, struct hf_iscsi_conn, registration);
}

static void session_close(struct hf_lu_session *s, const char *why)
{
	hf_conn_close(hf_container_of(s, struct hf_iscsi_conn, session), why);
}

static void session_gone(struct hf_lu_session *s)
{
	struct hf_iscsi_conn *c = hf_container_of(s, struct hf_iscsi_conn, session);

	c->attached = c->detaching = false;
	hf_conn_wind(c);
}

static int attach(struct hf_iscsi_conn *c)
{
	const struct hf_login *l = c->login;
	struct hf_lu_session *s = &c->session;
	int ret;

	if (l->params.discovery)
		return 0;
	ret = hf_port_id_set(&s->nexus.init, l->initiator, strlen(l->initiator), l->isid);
	if (ret < 0)
		return ret;
	s->nexus.rtpi = c->config->rtpi;
	s->login = c->registration.login;
	s->close = session_close;
	s->lost = hf_logout_lost;
	s->valid = hf_tx_valid;
	s->gone = session_gone;
	ret = hf_lu_session_attach(hf_registry_luns(c->registry), s, c->loop);
	c->attached = ret == 0;
	return ret;
}

static void admitted(struct hf_registration *g, bool ok)
{
	struct hf_iscsi_conn *c = conn_of(g);
	/* A discovery session carries no commands. */
	unsigned depth = c->login->params.discovery ? 1 : c->config->queue_depth;

	if (!hf_conn_is_open(c))
		return;
	if (!ok || hf_task_pool_create(c, depth) || attach(c)) {
		hf_conn_login_refuse(c, HF_LOGIN_NO_RESOURCES);
		return;
	}
	hf_conn_login_answer(c);
}

static void drop(struct hf_registration *g)
{
	hf_conn_close(conn_of(g), "a new login has taken this session's place");
}

static void left(struct hf_registration *g)
{
	hf_conn_wind(conn_of(g));
}

void hf_session_admit(struct hf_iscsi_conn *c)
{
	const struct hf_login *l = c->login;
	struct hf_registration *g = &c->registration;
	struct hf_iscsi_session_info *i = &g->info;

	memcpy(i->initiator, l->initiator, sizeof(i->initiator));
	memcpy(i->alias, l->alias, sizeof(i->alias));
	memcpy(i->auth, l->auth, strlen(l->auth) + 1);
	i->isid = l->isid;
	i->loop = hf_loop_index(c->loop);
	i->discovery = l->params.discovery;
	i->header_digest = l->params.header_digest;
	i->data_digest = l->params.data_digest;
	g->registry = c->registry;
	g->loop = c->loop;
	g->admitted = admitted;
	g->drop = drop;
	g->left = left;
	hf_registry_admit(g);
}

bool hf_session_end(struct hf_iscsi_conn *c)
{
	if (c->attached) {
		if (!c->detaching) {
			c->detaching = true;
			hf_lu_session_detach(&c->session);
		}
		return false;
	}
	if (c->registration.asked) {
		hf_registry_leave(&c->registration);
		return false;
	}
	return true;
}
