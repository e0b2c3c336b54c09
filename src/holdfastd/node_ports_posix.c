/* SPDX-License-Identifier: BSD-3-Clause */
/* The iSCSI portals of this controller: listening sockets, opened and closed with the view. */
#include "node.h"
#include "log.h"

#include <stdio.h>
#include <unistd.h>

#define RETRY_NS 1000000000ull

static int listen_on(const struct hf_config_address *a, int *ret_fd, char *message, size_t len)
{
	int one = 1, rc = 0;
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(fd, &a->sa, a->len) || listen(fd, 1024))
		rc = -errno;
	if (rc) {
		snprintf(message, len,
			"iSCSI portal %s cannot be opened: %s; is the address one of this "
			"machine's "
			"and the port free?",
			a->text, strerror(-rc));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

static int open_one(struct hf_node *node, unsigned i, char *message, size_t message_len)
{
	const struct hf_config_address *a = &node->config->self->portals[i];
	int fd = -1, rc = listen_on(a, &fd, message, message_len);

	if (rc)
		return rc;
	rc = hf_iscsi_portal_create(
		node->registry, fd, node->iscsi, node->loops_len, &node->portals[i]);
	if (rc) {
		close(fd);
		snprintf(message, message_len, "iSCSI portal %s cannot be served: %s.", a->text,
			strerror(-rc));
		return rc;
	}
	node->portals_len++;
	hf_info("iSCSI portal %s is open", a->text);
	return 0;
}

/* Hosts may use the other portals meanwhile; the address of this one may come a little later. */
static void open_missing(struct hf_node *node, bool is_first)
{
	char message[HF_CONFIG_MESSAGE];
	bool missing = false;

	for (unsigned i = 0; i < node->config->self->portals_len; i++) {
		if (node->portals[i] || !open_one(node, i, message, sizeof(message)))
			continue;
		missing = true;
		if (is_first)
			hf_error("%s It is tried again every second.", message);
	}
	if (missing)
		hf_timer_arm(node->loops[0], &node->ports_retry,
			hf_loop_now_ns(node->loops[0]) + RETRY_NS);
}

static void on_retry(struct hf_timer *t)
{
	open_missing(hf_container_of(t, struct hf_node, ports_retry), false);
}

void hf_node_ports_open(struct hf_node *node)
{
	hf_assert(!node->ports_open && !node->portals_len);
	node->ports_open = true;
	hf_timer_init(&node->ports_retry, on_retry);
	open_missing(node, true);
}

static void portal_stopped(void *arg)
{
	struct hf_node *node = arg;

	if (--node->portals_stopping)
		return;
	memset(node->portals, 0, sizeof(node->portals));
	node->portals_len = 0;
	if (node->ports_closed)
		node->ports_closed(node);
	/* The view may have changed back meanwhile. */
	else
		hf_node_view_changed(node, &node->bus->view);
}

void hf_node_ports_close(struct hf_node *node, void (*closed)(struct hf_node *node))
{
	node->ports_closed = closed;
	node->ports_open = false;
	hf_timer_cancel(node->loops[0], &node->ports_retry);
	if (node->portals_stopping)
		return;
	if (!node->portals_len) {
		if (closed)
			closed(node);
		return;
	}
	node->portals_stopping = node->portals_len;
	for (unsigned i = 0; i < HF_CONFIG_PORTALS_MAX; i++)
		if (node->portals[i])
			hf_iscsi_portal_stop(node->portals[i], portal_stopped, node);
}
