/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses and listening sockets of the bus (conn.h). */
#include "conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKLOG = 64 };

void hf_bus_address_text(const struct hf_bus_address *a, char ret[HF_BUS_ADDRESS_TEXT_MAX])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->addr;
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->addr.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(ret, HF_BUS_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(in->sin_port));
	} else if (a->addr.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(ret, HF_BUS_ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		snprintf(ret, HF_BUS_ADDRESS_TEXT_MAX, "an unknown address");
	}
}

void hf_bus_address_set_port(struct hf_bus_address *a, uint16_t port)
{
	if (a->addr.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a->addr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&a->addr)->sin_port = htons(port);
}

static void accept_done(struct hf_req *req, int result)
{
	struct hf_bus_listener *ln = hf_container_of(req, struct hf_bus_listener, req);
	struct hf_bus_address from = {.len = sizeof(from.addr)};

	ln->accepting = false;
	if (ln->closing) {
		if (result >= 0)
			close(result);
		return;
	}
	if (result < 0)
		return; /* out of descriptors ...: the next tick tries again */
	getpeername(result, (struct sockaddr *)&from.addr, &from.len);
	ln->accepted(ln, result, &from);
	hf_bus_listener_accept(ln);
}

void hf_bus_listener_accept(struct hf_bus_listener *ln)
{
	if (ln->accepting || ln->closing)
		return;
	ln->accepting = true;
	ln->req.done = accept_done;
	hf_loop_accept(ln->loop, &ln->req, ln->fd);
}

void hf_bus_listener_refuse(struct hf_bus_listener *ln, int fd)
{
	close(fd);
}

void hf_bus_listener_stop(struct hf_bus_listener *ln)
{
	ln->closing = true;
	if (ln->accepting)
		hf_loop_cancel(ln->loop, &ln->req);
}

void hf_bus_listener_close(struct hf_bus_listener *ln)
{
	close(ln->fd);
}

uint16_t hf_bus_listener_port(const struct hf_bus_listener *ln)
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);

	if (getsockname(ln->fd, (struct sockaddr *)&addr, &len) < 0)
		return 0;
	return ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
						: ((struct sockaddr_in *)&addr)->sin_port);
}

int hf_bus_listener_open(struct hf_bus_listener *ln, struct hf_loop *loop,
	const struct hf_bus_address *a, char *message, size_t message_len)
{
	const int one = 1;
	char name[HF_BUS_ADDRESS_TEXT_MAX];
	int fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	hf_bus_address_text(a, name);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (a->addr.ss_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	if (fd < 0 || bind(fd, (const struct sockaddr *)&a->addr, a->len) < 0 ||
		listen(fd, BACKLOG) < 0) {
		err = errno;
		snprintf(message, message_len,
			"cannot listen for the bus on %s: %s; check that the address is this "
			"machine's and that no other daemon uses the port",
			name, strerror(err));
		if (fd >= 0)
			close(fd);
		return -err;
	}
	ln->loop = loop;
	ln->fd = fd;
	ln->accepting = ln->closing = false;
	return 0;
}
