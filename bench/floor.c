/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hf-floor: what the machine can do at best, with no storage behind it. Speaks the PDUs of hf-load
 * without a login.
 *
 *	hf-floor echo PORT [FILE]	answers each command with data of the length asked for; with
 *					FILE: read from there, as the least a target has to do
 *	hf-floor node PORT PEER-PORT	a controller of a chain: sends a message to the next one
 *					for each command, answers the command when it comes back
 *	hf-floor peer PORT		the next one: sends every message back
 *
 * One connection at a time, blocking calls: one receive and one send for all that is there. A node
 * with a fourth word "poll" waits on both sides at once, for many commands on their way.
 */
#include "bytes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	BHS = 48,
	BLOCK = 512,
	MESSAGE = 128, /* about what the bus takes for one */
	RX_BYTES = 256 << 10,
	BATCH = 256,
};

static uint8_t rx[RX_BYTES], data[1 << 20], headers[BATCH][BHS];
static size_t rx_len, skip;

static void die(const char *what)
{
	fprintf(stderr, "hf-floor: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void send_all(int fd, struct iovec *iov, unsigned n)
{
	while (n) {
		struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (sent < 0)
			return; /* the host is gone; the receive will tell */
		while (n && (size_t)sent >= iov->iov_len) {
			sent -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (uint8_t *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
}

/* Turns a command's header into that of its answer; returns the length of the data to send. */
static uint32_t answer(uint8_t *to, const uint8_t *bhs)
{
	uint32_t len = bhs[1] & 0x40 ? hf_get_be32(bhs + 20) : 0;

	memset(to, 0, BHS);
	to[0] = len ? 0x25 : 0x21;
	to[1] = len ? 0x81 : 0x80;
	hf_put_be24(to + 5, len);
	memcpy(to + 16, bhs + 16, 4);
	hf_put_be32(to + 32, hf_get_be32(bhs + 24) + 1024);
	return len;
}

/* Receives; false at the end of the connection. */
static bool receive(int fd)
{
	ssize_t n = recv(fd, rx + rx_len, sizeof(rx) - rx_len, 0);

	if (n <= 0)
		return false;
	rx_len += (size_t)n;
	if (skip) {
		size_t k = HF_MIN(skip, rx_len);

		skip -= k;
		rx_len -= k;
		memmove(rx, rx + k, rx_len);
	}
	return true;
}

/* Calls fn with every whole header; up to BATCH of them. */
static unsigned each_header(void (*fn)(unsigned i, const uint8_t *bhs))
{
	size_t at = 0;
	unsigned n = 0;

	while (rx_len - at >= BHS && n < BATCH) {
		size_t behind = hf_get_be24(rx + at + 5);

		fn(n++, rx + at);
		at += BHS;
		skip = behind - HF_MIN(behind, rx_len - at);
		at += behind - skip;
	}
	rx_len -= at;
	memmove(rx, rx + at, rx_len);
	return n;
}

/* --- echo --- */

static struct iovec iov[2 * BATCH];
static unsigned iov_len;

static int file_fd = -1;
static size_t data_used;

/* The blocks that a READ (10) asks for; several commands' lie behind each other. Nobody looks at
 * them, so that a batch of more than there is room for overwrites what is not sent yet. */
static const uint8_t *content(const uint8_t *cdb, size_t len)
{
	uint8_t *to;

	if (file_fd < 0)
		return data;
	if (data_used + len > sizeof(data))
		data_used = 0;
	to = data + data_used;
	data_used += len;
	if (pread(file_fd, to, len, (off_t)hf_get_be32(cdb + 2) * BLOCK) != (ssize_t)len)
		die("reading the file");
	return to;
}

static void echo_one(unsigned i, const uint8_t *bhs)
{
	size_t len = HF_MIN(answer(headers[i], bhs), sizeof(data));

	iov[iov_len++] = (struct iovec){headers[i], BHS};
	if (len)
		iov[iov_len++] = (struct iovec){(void *)(uintptr_t)content(bhs + 32, len), len};
}

static void echo(int fd)
{
	while (receive(fd)) {
		do {
			iov_len = 0;
			data_used = 0;
			each_header(echo_one);
			send_all(fd, iov, iov_len);
		} while (iov_len);
	}
}

/* --- chain --- */

static int next_fd = -1;
static uint8_t messages[BATCH][MESSAGE];

static void to_message(unsigned i, const uint8_t *bhs)
{
	memcpy(messages[i], bhs, BHS);
}

static void forward(int fd)
{
	unsigned n;

	while ((n = each_header(to_message))) {
		struct iovec out = {messages, n * MESSAGE};

		send_all(next_fd, &out, 1);
	}
}

/* What has come back; returns how many commands were answered. */
static bool come_back(int fd, size_t *have)
{
	static uint8_t back[BATCH * MESSAGE];
	ssize_t n = recv(next_fd, back + *have, sizeof(back) - *have, 0);
	unsigned k = 0;
	struct iovec out = {headers, 0};

	if (n <= 0)
		return false;
	*have += (size_t)n;
	for (; (k + 1) * MESSAGE <= *have; k++)
		answer(headers[k], back + k * MESSAGE);
	*have -= k * MESSAGE;
	memmove(back, back + k * MESSAGE, *have);
	out.iov_len = k * BHS;
	send_all(fd, &out, 1);
	return true;
}

static void node(int fd, bool both)
{
	struct pollfd p[2] = {{fd, POLLIN, 0}, {next_fd, POLLIN, 0}};
	size_t have = 0;

	for (;;) {
		if (both && poll(p, 2, -1) < 0)
			die("poll");
		if (!both || (p[0].revents & ~POLLOUT)) {
			if (!receive(fd))
				return;
			forward(fd);
		}
		if ((!both || p[1].revents) && !come_back(fd, &have))
			die("the next node is gone");
	}
}

static void peer(int fd)
{
	ssize_t n;

	while ((n = recv(fd, rx, sizeof(rx), 0)) > 0) {
		struct iovec out = {rx, (size_t)n};

		send_all(fd, &out, 1);
	}
}

/* --- sockets --- */

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int listen_at(const char *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 8))
		die("listening");
	return fd;
}

static int dial(const char *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("connecting");
	no_delay(fd);
	return fd;
}

int main(int argc, char **argv)
{
	bool is_echo = (argc == 3 || argc == 4) && !strcmp(argv[1], "echo");
	bool is_peer = argc == 3 && !strcmp(argv[1], "peer");
	bool is_node = argc >= 4 && !strcmp(argv[1], "node");
	int fd;

	if (!is_echo && !is_peer && !is_node) {
		fputs("Usage: hf-floor echo PORT [FILE] | peer PORT | node PORT PEER-PORT [poll]\n",
			stderr);
		return 2;
	}
	fd = listen_at(argv[2]);
	if (is_node)
		next_fd = dial(argv[3]);
	if (is_echo && argc == 4 && (file_fd = open(argv[3], O_RDONLY | O_CLOEXEC)) < 0)
		die(argv[3]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			die("accept");
		no_delay(conn);
		rx_len = skip = 0;
		if (is_echo)
			echo(conn);
		else if (is_peer)
			peer(conn);
		else
			node(conn, argc == 5);
		close(conn);
	}
}
