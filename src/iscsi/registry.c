/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registry of sessions: see registry.h. All lists belong to the control loop; what a session's
 * loop may look at is its own registration, written by messages that run there.
 */
#include "registry.h"

#include <stdlib.h>

struct hf_iscsi_registry {
	struct hf_iscsi_config config;
	struct hf_loop *control;
	struct hf_lu_table *luns;
	uint64_t next_login;
	uint16_t next_tsih;
	unsigned sessions_len;
	struct hf_list sessions; /* admitted */
	struct hf_list waiting;	 /* in order of arrival */
};

static uint32_t or_default(uint32_t value, uint32_t standard)
{
	return value ? value : standard;
}

static void config_complete(struct hf_iscsi_config *c)
{
	c->max_recv_data_segment_bytes = or_default(c->max_recv_data_segment_bytes, 262144);
	c->max_burst_bytes = or_default(c->max_burst_bytes, HF_XFER_MAX_BYTES);
	c->first_burst_bytes = or_default(c->first_burst_bytes, 65536);
	c->first_burst_bytes = HF_MIN(c->first_burst_bytes, c->max_burst_bytes);
	c->queue_depth = (uint16_t)or_default(c->queue_depth, 128);
	c->login_timeout_ms = or_default(c->login_timeout_ms, 15000);
	c->nop_timeout_ms = or_default(c->nop_timeout_ms, 5000);
}

int hf_iscsi_registry_create(const struct hf_iscsi_config *config, struct hf_loop *control,
	struct hf_lu_table *luns, uint64_t incarnation, struct hf_iscsi_registry **ret)
{
	struct hf_iscsi_registry *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->config = *config;
	config_complete(&r->config);
	r->config.acl = calloc(config->acl_len + 1u, sizeof(*config->acl));
	if (!r->config.acl) {
		free(r);
		return -ENOMEM;
	}
	if (config->acl_len)
		memcpy(r->config.acl, config->acl, config->acl_len * sizeof(*config->acl));
	r->control = control;
	r->luns = luns;
	r->next_login = incarnation << 32;
	hf_list_init(&r->sessions);
	hf_list_init(&r->waiting);
	*ret = r;
	return 0;
}

void hf_iscsi_registry_destroy(struct hf_iscsi_registry *r)
{
	if (!r)
		return;
	hf_assert(hf_list_is_empty(&r->sessions) && hf_list_is_empty(&r->waiting));
	explicit_bzero(r->config.acl, r->config.acl_len * sizeof(*r->config.acl));
	free(r->config.acl);
	explicit_bzero(&r->config, sizeof(r->config));
	free(r);
}

const struct hf_iscsi_config *hf_registry_config(const struct hf_iscsi_registry *r)
{
	return &r->config;
}

struct hf_lu_table *hf_registry_luns(const struct hf_iscsi_registry *r)
{
	return r->luns;
}

struct hf_loop *hf_registry_control(const struct hf_iscsi_registry *r)
{
	return r->control;
}

static struct hf_registration *entry(struct hf_list *node)
{
	return hf_list_entry(node, struct hf_registration, node);
}

/* Discovery sessions have no nexus, so nothing to reinstate. */
static bool is_same_session(const struct hf_registration *a, const struct hf_registration *b)
{
	return !a->info.discovery && !b->info.discovery && a->info.isid == b->info.isid &&
	       !strcmp(a->info.initiator, b->info.initiator);
}

static struct hf_registration *find_rival(
	struct hf_iscsi_registry *r, const struct hf_registration *g)
{
	hf_list_for_each (node, &r->sessions) {
		if (is_same_session(entry(node), g))
			return entry(node);
	}
	return NULL;
}

static bool is_tsih_used(struct hf_iscsi_registry *r, uint16_t tsih)
{
	hf_list_for_each (node, &r->sessions) {
		if (entry(node)->info.tsih == tsih)
			return true;
	}
	return false;
}

/* --- on the session's loop --- */

static void run_admitted(struct hf_msg *msg)
{
	struct hf_registration *g = hf_container_of(msg, struct hf_registration, admit_msg);

	g->admitted(g, g->state == HF_REG_ADMITTED);
}

static void run_drop(struct hf_msg *msg)
{
	struct hf_registration *g = hf_container_of(msg, struct hf_registration, drop_msg);

	g->drop(g);
}

static void run_left(struct hf_msg *msg)
{
	struct hf_registration *g = hf_container_of(msg, struct hf_registration, leave_msg);

	g->asked = g->leaving = false;
	g->state = HF_REG_NONE;
	g->left(g);
}

/* --- on the control loop --- */

static void post(struct hf_registration *g, struct hf_msg *msg, void (*run)(struct hf_msg *msg))
{
	msg->run = run;
	hf_loop_post(g->loop, msg);
}

static void accept_session(struct hf_iscsi_registry *r, struct hf_registration *g)
{
	hf_list_remove(&g->node);
	if (r->sessions_len == HF_SESSIONS_MAX) {
		g->state = HF_REG_REFUSED;
		post(g, &g->admit_msg, run_admitted);
		return;
	}
	do
		r->next_tsih++;
	while (!r->next_tsih || is_tsih_used(r, r->next_tsih));
	g->info.tsih = r->next_tsih;
	g->info.login_seconds = hf_loop_now_ns(r->control) / 1000000000;
	g->login = ++r->next_login;
	g->state = HF_REG_ADMITTED;
	hf_list_push_back(&r->sessions, &g->node);
	r->sessions_len++;
	post(g, &g->admit_msg, run_admitted);
}

/* Admits whoever is not in anybody's way; asks rivals to go. */
static void serve_waiting(struct hf_iscsi_registry *r)
{
	hf_list_for_each_safe (node, &r->waiting) {
		struct hf_registration *g = entry(node), *rival = find_rival(r, g);

		if (!rival) {
			accept_session(r, g);
		} else if (!rival->drop_sent) {
			rival->drop_sent = true;
			post(rival, &rival->drop_msg, run_drop);
		}
	}
}

static void run_admit(struct hf_msg *msg)
{
	struct hf_registration *g = hf_container_of(msg, struct hf_registration, admit_msg);
	struct hf_iscsi_registry *r = g->registry;

	g->drop_sent = false;
	hf_list_push_back(&r->waiting, &g->node);
	serve_waiting(r);
}

static void run_leave(struct hf_msg *msg)
{
	struct hf_registration *g = hf_container_of(msg, struct hf_registration, leave_msg);
	struct hf_iscsi_registry *r = g->registry;

	if (g->state == HF_REG_ADMITTED)
		r->sessions_len--;
	hf_list_remove(&g->node);
	post(g, &g->leave_msg, run_left);
	serve_waiting(r);
}

/* --- called on the session's loop --- */

void hf_registry_admit(struct hf_registration *g)
{
	hf_assert(!g->asked);
	g->asked = true;
	g->leaving = false;
	g->state = HF_REG_ASKED;
	hf_list_init(&g->node);
	g->admit_msg.run = run_admit;
	hf_loop_post(g->registry->control, &g->admit_msg);
}

void hf_registry_leave(struct hf_registration *g)
{
	if (!g->asked || g->leaving)
		return;
	g->leaving = true;
	g->leave_msg.run = run_leave;
	hf_loop_post(g->registry->control, &g->leave_msg);
}

void hf_iscsi_registry_each(struct hf_iscsi_registry *r,
	void (*fn)(void *arg, const struct hf_iscsi_session_info *info), void *arg)
{
	hf_list_for_each (node, &r->sessions)
		fn(arg, &entry(node)->info);
}
