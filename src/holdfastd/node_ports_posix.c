/* SPDX-License-Identifier: BSD-3-Clause */
/* The iSCSI portals of this controller: listening sockets, opened and closed with the view. */
#include "node.h"
#include "log.h"

#include <stdio.h>
#include <unistd.h>

static int listen_on(const struct hf_config_address *a, int *ret_fd, char *message, size_t len)
{
	int one = 1, fd, rc;

	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(fd, &a->sa, a->len) || listen(fd, 1024)) {
		rc = -errno;
		snprintf(message, len,
			"iSCSI portal %s cannot be opened: %s; is the address one of this "
			"machine's "
			"and the port free?",
			a->text, strerror(-rc));
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

static int open_one(
	struct hf_node *node, const struct hf_config_address *a, char *message, size_t message_len)
{
	int fd = -1, rc = listen_on(a, &fd, message, message_len);

	if (rc)
		return rc;
	rc = hf_iscsi_portal_create(node->registry, fd, node->iscsi, node->loops_len,
		&node->portals[node->portals_len]);
	if (rc) {
		close(fd);
		snprintf(message, message_len, "iSCSI portal %s cannot be served: %s", a->text,
			strerror(-rc));
		return rc;
	}
	node->portals_len++;
	hf_info("iSCSI portal %s is open", a->text);
	return 0;
}

void hf_node_ports_open(struct hf_node *node)
{
	const struct hf_config_controller *self = node->config->self;
	char message[HF_CONFIG_MESSAGE];

	hf_assert(!node->ports_open && !node->portals_len);
	for (unsigned i = 0; i < self->portals_len; i++)
		if (open_one(node, &self->portals[i], message, sizeof(message)))
			hf_error("%s", message);
	node->ports_open = node->portals_len;
}

static void portal_stopped(void *arg)
{
	struct hf_node *node = arg;

	if (--node->portals_stopping)
		return;
	node->portals_len = 0;
	if (node->ports_closed)
		node->ports_closed(node);
	/* The view may have changed back meanwhile. */
	else
		hf_node_view_changed(node, &node->bus->view);
}

void hf_node_ports_close(struct hf_node *node, void (*closed)(struct hf_node *node))
{
	unsigned n = node->portals_len;

	node->ports_closed = closed;
	node->ports_open = false;
	if (node->portals_stopping)
		return;
	if (!n) {
		if (closed)
			closed(node);
		return;
	}
	node->portals_stopping = n;
	for (unsigned i = 0; i < n; i++)
		hf_iscsi_portal_stop(node->portals[i], portal_stopped, node);
}
