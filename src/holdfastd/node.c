/* SPDX-License-Identifier: BSD-3-Clause */
/* Birth and death of a controller, in order. */
#include "node.h"
#include "log.h"
#include "notify.h"

#include <stdio.h>
#include <stdlib.h>

static int say(char *message, size_t message_len, int rc, const char *what)
{
	snprintf(message, message_len, "%s: %s", what, strerror(-rc));
	return rc;
}

static int create_loops(struct hf_node *node, char *message, size_t message_len)
{
	struct hf_loop_options options = {
		.engine = node->config->engine, .busy_poll_us = node->config->busy_poll_us};
	unsigned n = node->loops_len;
	const char *engine;
	int refusal;

	for (node->loops_len = 0; node->loops_len < n; node->loops_len++) {
		int rc = hf_loop_create(node->loops_len, &options, &node->loops[node->loops_len]);

		if (rc)
			return say(message, message_len, rc,
				"the event loop cannot start; does this kernel allow io_uring "
				"(sysctl kernel.io_uring_disabled)?");
	}
	engine = hf_loop_engine_name(node->loops[0], &refusal);
	if (refusal)
		hf_notice("event loops: %u, with %s and threads, for io_uring is refused here: %s",
			n, engine, strerror(-refusal));
	else
		hf_notice("event loops: %u, with %s", n, engine);
	return 0;
}

static int open_disks(struct hf_node *node, char *message, size_t message_len)
{
	const struct hf_config_disks *disks = &node->config->disks;
	const char *urls[HF_PDEVS_MAX];
	struct hf_pool_guard guard;
	bool guarded = hf_node_fence_guard(node, &guard);

	for (unsigned i = 0; i < disks->len; i++)
		urls[i] = disks->urls[i];
	return hf_pool_open(node->config->cluster, node->config->self->id, urls, disks->len,
		guarded ? &guard : NULL, node->loops, node->loops_len, &node->disks, message,
		message_len);
}

static int create_lus(struct hf_node *node, char *message, size_t message_len)
{
	const struct hf_config *c = node->config;
	struct hf_lu_config lc = {
		.loops = node->loops,
		.loops_len = node->loops_len,
		.wait_bound_ns = (uint64_t)c->bound_ms * 1000000,
		.incarnation = node->incarnation & UINT32_MAX,
		.persist = hf_node_persist,
		.arg = node,
		.target = {.name = c->iscsi.target_name,
			.own_rtpi = c->self->rtpi,
			.revision = HF_VERSION},
	};
	int rc;

	lc.resv.registrations_max = HF_REGISTRATIONS_MAX;
	for (unsigned i = 0; i < c->controllers_len; i++) {
		const struct hf_config_controller *k = &c->controllers[i];

		lc.resv.ports[lc.resv.ports_len++] = k->rtpi;
		lc.target.ports[lc.target.ports_len++] = (struct hf_target_port){.rtpi = k->rtpi,
			.group = k->id,
			.controller = k->id,
			.state = HF_ALUA_TRANSITIONING};
	}
	for (unsigned i = 1; i < lc.resv.ports_len; i++) {
		for (unsigned j = i; j && lc.resv.ports[j - 1] > lc.resv.ports[j]; j--) {
			uint16_t t = lc.resv.ports[j];

			lc.resv.ports[j] = lc.resv.ports[j - 1];
			lc.resv.ports[j - 1] = t;
		}
	}
	rc = hf_lu_table_create(&lc, &node->lus);
	return rc ? say(message, message_len, rc, "logical units") : 0;
}

static int create_target(struct hf_node *node, char *message, size_t message_len)
{
	int rc = hf_iscsi_registry_create(&node->config->iscsi, node->loops[0], node->lus,
		node->incarnation, &node->registry);

	for (unsigned i = 0; !rc && i < node->loops_len; i++) {
		rc = hf_scsi_loop_create(node->loops[i], &node->scsi[i]);
		if (!rc)
			rc = hf_iscsi_loop_create(
				node->registry, node->loops[i], node->scsi[i], &node->iscsi[i]);
	}
	return rc ? say(message, message_len, rc, "iSCSI target") : 0;
}

int hf_node_create(const struct hf_config *config, bool go_alone, bool may_lose,
	struct hf_node **ret, char *message, size_t message_len)
{
	struct hf_node *node = calloc(1, sizeof(*node));
	int rc;

	if (!node)
		return say(message, message_len, -ENOMEM, "controller");
	node->config = config;
	node->signal_fd = -1;
	hf_list_init(&node->looks);
	hf_list_init(&node->slot_writes);
	hf_list_init(&node->pool.out);
	hf_node_identity(node);
	rc = create_loops(node, message, message_len);
	if (!rc)
		rc = open_disks(node, message, message_len);
	if (!rc)
		rc = hf_node_fence_create(node, message, message_len);
	if (!rc)
		rc = create_lus(node, message, message_len);
	if (!rc)
		rc = hf_node_pool_load(node, message, message_len);
	if (!rc)
		rc = hf_node_bus_create(node, message, message_len);
	if (!rc)
		hf_node_pool_devices(node);
	if (!rc)
		rc = create_target(node, message, message_len);
	node->started_ns = node->loops_len ? hf_loop_clock_ns(node->loops[0]) : 0;
	if (!rc)
		rc = hf_control_open(node->loops[0], config->control_socket, hf_node_commands, node,
			&node->control, message, message_len);
	if (!rc && go_alone)
		rc = node->bus->ops->go_alone(node->bus, may_lose, message, message_len);
	if (rc) {
		hf_node_destroy(node);
		return rc;
	}
	*ret = node;
	return 0;
}

/* --- the orderly leave (W19): ports down, pins gone, own ops settled, then announced --- */

static void control_closed(void *arg)
{
	struct hf_node *node = arg;

	for (unsigned i = node->loops_len; i-- > 0;)
		hf_loop_stop(node->loops[i]);
}

static void left(void *arg)
{
	struct hf_node *node = arg;

	hf_control_close(node->control, control_closed, node);
}

static void jobs_are_over(void *arg)
{
	struct hf_node *node = arg;

	node->bus->ops->leave(node->bus, left, node);
}

static void ports_are_down(struct hf_node *node)
{
	hf_lu_stop_jobs(node->lus, jobs_are_over, node);
}

void hf_node_leave(struct hf_node *node)
{
	if (node->leaving)
		return;
	node->leaving = true;
	hf_notify("STOPPING=1");
	hf_notice("leaving: ports go down, then the other controller is told");
	hf_node_ports_close(node, ports_are_down);
}

void hf_node_destroy(struct hf_node *node)
{
	if (!node)
		return;
	for (unsigned i = 0; i < node->loops_len; i++) {
		if (node->iscsi[i])
			hf_iscsi_loop_destroy(node->iscsi[i]);
		if (node->scsi[i])
			hf_scsi_loop_destroy(node->scsi[i]);
	}
	if (node->registry)
		hf_iscsi_registry_destroy(node->registry);
	hf_node_bus_destroy(node);
	hf_node_pool_give_up(node);
	hf_fence_each_destroy(node->fence_each);
	hf_fence_destroy(node->fence);
	if (node->disks)
		hf_pool_close(node->disks);
	/* Last: what the other loops have said at their end may still be run until here. */
	hf_lu_table_destroy(node->lus);
	hf_node_pool_fini(node);
	for (unsigned i = 0; i < node->loops_len; i++)
		hf_loop_destroy(node->loops[i]);
	hf_node_signals_close(node);
	free(node);
}
