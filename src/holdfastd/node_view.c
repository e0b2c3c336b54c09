/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a change of the view means here: whether commands are served, whether ports are open, what
 * REPORT TARGET PORT GROUPS says, what becomes of the reservations of a controller that is gone.
 */
#include "node.h"
#include "log.h"
#include "notify.h"
#include "spare.h"

#include <stdlib.h>

static bool is_serving(enum hf_view_state state)
{
	return state == HF_VIEW_TOGETHER || state == HF_VIEW_FROZEN || state == HF_VIEW_ALONE;
}

static const char *state_name(enum hf_view_state state)
{
	static const char *const names[] = {
		[HF_VIEW_STARTING] = "starting",
		[HF_VIEW_JOINING] = "joining",
		[HF_VIEW_TOGETHER] = "together",
		[HF_VIEW_FROZEN] = "frozen",
		[HF_VIEW_RACING] = "racing",
		[HF_VIEW_ALONE] = "alone",
		[HF_VIEW_OUT] = "out",
	};

	return names[state];
}

const char *hf_node_view_name(const struct hf_node *node)
{
	return state_name(node->bus->view.state);
}

/* --- reservations of a controller that has left the view --- */

static void removed_done(
	struct hf_lu_admin_op *a, int result, const struct hf_resv_verdict *verdict)
{
	free(a);
}

/* The SPC-2 reservations held through the ports of a controller that is gone for good end (E.8). */
static void nexuses_lost(struct hf_node *node, const struct hf_config_controller *c)
{
	for (unsigned i = 0; i < node->pool.cur->ldevs_len; i++) {
		struct hf_lu_admin_op *a = hf_spare_calloc(1, sizeof(*a));

		a->dev = node->pool.cur->ldevs[i].id;
		a->op.kind = HF_RESV_PEER_REMOVED;
		a->op.nexus.rtpi = c->rtpi;
		a->owed = true;
		a->done = removed_done;
		if (hf_lu_admin_propose(node->lus, a))
			free(a);
	}
}

static void members_changed(struct hf_node *node, const struct hf_view *view)
{
	/* They may have gone before commands are served again. */
	node->gone = (node->gone | node->view.members) & ~view->members;
	if (!is_serving(view->state))
		return;
	for (unsigned i = 0; i < node->config->controllers_len; i++) {
		const struct hf_config_controller *c = &node->config->controllers[i];

		if (c != node->config->self && (node->gone & 1u << c->id))
			nexuses_lost(node, c);
	}
	if (node->fence)
		hf_fence_keep_out(node->fence, node->gone & ~view->left);
	node->gone = 0;
}

/* --- ports --- */

static enum hf_alua_state port_state(const struct hf_node *node, const struct hf_view *view,
	const struct hf_config_controller *c)
{
	if (view->serving & 1u << c->id)
		return HF_ALUA_ACTIVE_OPTIMIZED;
	if ((view->members | view->joining) & 1u << c->id)
		return HF_ALUA_TRANSITIONING;
	return HF_ALUA_UNAVAILABLE;
}

/* --- out of the view --- */

static bool is_out_and_silent(const struct hf_node *node)
{
	return node->bus && node->bus->view.state == HF_VIEW_OUT && !node->portals_len &&
	       !node->leaving;
}

static void writes_are_over(void *arg)
{
	struct hf_node *node = arg;

	/* A wait that began while it was out before may end now. */
	if (!is_out_and_silent(node) || !hf_lu_jobs_are_still(node->lus))
		return;
	if (node->fence)
		hf_fence_clean(node->fence);
	node->bus->ops->clean(node->bus);
}

static void jobs_are_still(void *arg)
{
	struct hf_node *node = arg;

	if (is_out_and_silent(node))
		hf_pool_await_record_writes(node->disks, writes_are_over, node);
}

/*
 * Whoever goes on without this controller is told that nothing of it is on its way to the medium:
 * no command (they have ended with their sessions), no piece of a job, no record, which would meet
 * the new writer's.
 */
static void clean_when_still(struct hf_node *node)
{
	if (is_out_and_silent(node))
		hf_lu_await_jobs(node->lus, jobs_are_still, node);
}

static void ports_follow(struct hf_node *node, const struct hf_view *view)
{
	for (unsigned i = 0; i < node->config->controllers_len; i++) {
		const struct hf_config_controller *c = &node->config->controllers[i];

		hf_lu_set_port_state(node->lus, c->id, port_state(node, view, c));
	}
	if (is_serving(view->state) && !node->ports_open && !node->portals_len && !node->leaving) {
		hf_node_ports_open(node);
	} else if (!is_serving(view->state) && node->ports_open && view->state != HF_VIEW_RACING) {
		/* Nobody is asked to log out first: what this controller says is void. */
		hf_lu_close_sessions(
			node->lus, "this controller is out of the view and serves nothing");
		hf_node_ports_close(node, NULL);
	}
	clean_when_still(node);
}

/* With quorum in place of a race: who is out of it gives up its lease, and says so when clean. */
static void lease_follows(struct hf_node *node, const struct hf_view *view)
{
	bool was_out = node->view.state == HF_VIEW_OUT;

	if (!node->fence || node->config->bus != HF_CONFIG_BUS_COROSYNC)
		return;
	if (view->state == HF_VIEW_OUT && (!was_out || view->epoch > node->view.epoch))
		hf_fence_give_up(node->fence, view->epoch);
	else if (view->state != HF_VIEW_OUT && was_out)
		hf_fence_serve_again(node->fence);
}

void hf_node_view_changed(struct hf_node *node, const struct hf_view *view)
{
	bool serving = is_serving(view->state);

	hf_notify_status(view->why);
	lease_follows(node, view);
	if (node->fence && serving)
		hf_fence_serve(node->fence, view->members);
	if (view->state == HF_VIEW_RACING)
		hf_lu_set_paused(node->lus);
	else
		hf_lu_set_serving(node->lus, serving);
	members_changed(node, view);
	ports_follow(node, view);
	if (serving && !is_serving(node->view.state))
		hf_node_pool_add_disks(node);
	node->view = *view;
}
