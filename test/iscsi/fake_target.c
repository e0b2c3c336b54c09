/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A target on a loopback port with the fake SCSI layer under it, to try real initiators on:
 * fake_target [-4|-6] [key=value...]; prints its port, ends when its input is closed.
 */
#include "fake_scsi.h"
#include "iscsi.h"
#include "log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TARGET_NAME "iqn.2024-01.org.example:disks"

static struct hf_iscsi_config config = {
	.target_name = TARGET_NAME,
	.target_alias = "fake",
	.tpgt = 1,
	.rtpi = 1,
	.allow_none = true,
	.nop_interval_ms = 5000,
};

static struct stop {
	struct hf_req req;
	struct hf_loop *loop;
	struct hf_iscsi_portal *portal;
	char byte;
} stop;

static void portal_done(void *arg)
{
	hf_loop_stop(stop.loop);
}

static void input_closed(struct hf_req *req, int result)
{
	hf_iscsi_portal_stop(stop.portal, portal_done, NULL);
}

static int listen_on_loopback(bool v6)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	struct sockaddr_in four = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *addr = v6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t len = v6 ? sizeof(six) : sizeof(four);
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), port;

	if (fd < 0 || bind(fd, addr, len) || listen(fd, 16) || getsockname(fd, addr, &len))
		return -1;
	port = ntohs(v6 ? six.sin6_port : four.sin_port);
	config.portals_len = 1;
	snprintf(config.portals[0], sizeof(config.portals[0]), v6 ? "[::1]:%d,1" : "127.0.0.1:%d,1",
		port);
	printf("%d\n", port);
	fflush(stdout);
	return fd;
}

static void set_chap(struct hf_iscsi_chap_account *a, const char *value)
{
	const char *colon = strchr(value, ':');

	hf_assert(colon);
	snprintf(a->user, sizeof(a->user), "%.*s", (int)(colon - value), value);
	snprintf(a->secret, sizeof(a->secret), "%s", colon + 1);
}

static void option(const char *arg)
{
	if (!strncmp(arg, "chap=", 5)) {
		config.has_chap = config.discovery_needs_chap = true;
		set_chap(&config.chap, arg + 5);
	} else if (!strncmp(arg, "mutual=", 7)) {
		config.has_mutual_chap = true;
		set_chap(&config.mutual_chap, arg + 7);
	} else if (!strncmp(arg, "digests=", 8)) {
		config.digests_required = true;
	} else if (!strncmp(arg, "segment=", 8)) {
		config.max_recv_data_segment_bytes = (uint32_t)atoi(arg + 8);
	} else {
		fprintf(stderr, "fake_target: unknown option %s\n", arg);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct hf_iscsi_registry *registry;
	struct hf_scsi_loop scsi;
	struct hf_iscsi_loop *il;
	struct hf_lu_table *table;
	bool v6 = argc > 1 && !strcmp(argv[1], "-6");
	int fd, first = argc > 1 && argv[1][0] == '-' ? 2 : 1;

	for (int i = first; i < argc; i++)
		option(argv[i]);
	if (hf_loop_create(0, NULL, &stop.loop)) {
		puts("SKIP: no io_uring here");
		return 77;
	}
	fd = listen_on_loopback(v6);
	if (fd < 0) {
		puts("SKIP: no such address here");
		return 77;
	}
	table = fake_table_create(stop.loop, 131072);
	scsi.loop = stop.loop;
	hf_assert(!hf_iscsi_registry_create(&config, stop.loop, table, 1, &registry));
	hf_assert(!hf_iscsi_loop_create(registry, stop.loop, &scsi, &il));
	hf_assert(!hf_iscsi_portal_create(registry, fd, &il, 1, &stop.portal));
	stop.req.done = input_closed;
	hf_loop_poll(stop.loop, &stop.req, STDIN_FILENO, 1 /* POLLIN */);
	hf_assert(!hf_loop_run(stop.loop));
	hf_iscsi_loop_destroy(il);
	hf_iscsi_registry_destroy(registry);
	fake_table_destroy(table);
	hf_loop_destroy(stop.loop);
	return 0;
}
