/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection's beginning: socket, login, the size of the device; and commands one at a time. */
#include "load.h"
#include "checksum.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void load_send_all(int fd, struct iovec *iov, unsigned n)
{
	while (n) {
		struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (sent < 0)
			load_die("sending: %s", strerror(errno));
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

static void receive_all(int fd, void *buf, size_t len)
{
	while (len) {
		ssize_t n = recv(fd, buf, len, MSG_WAITALL);

		if (n <= 0)
			load_die("receiving: %s", n ? strerror(errno) : "closed by the target");
		buf = (uint8_t *)buf + n;
		len -= (size_t)n;
	}
}

static int dial(const char *address)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	const char *colon = strrchr(address, ':');
	char host[64];
	int fd, one = 1;

	if (!colon || (size_t)(colon - address) >= sizeof(host))
		load_die("\"%s\" is not IP:PORT", address);
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	sa.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1)
		load_die("\"%s\" is not IP:PORT", address);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		load_die("connecting to %s: %s", address, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static size_t put_key(char *to, const char *key, const char *value)
{
	return (size_t)sprintf(to, "%s=%s", key, value) + 1;
}

static size_t login_keys(struct load_conn *c, char *text)
{
	const char *digest = c->o->digests ? "CRC32C" : "None";
	char name[96];
	size_t n = 0;

	snprintf(name, sizeof(name), "iqn.2026-01.com.example:load-%u-%d", c->index, getpid());
	n += put_key(text + n, "InitiatorName", name);
	n += put_key(text + n, "TargetName", c->o->target);
	n += put_key(text + n, "SessionType", "Normal");
	n += put_key(text + n, "HeaderDigest", digest);
	n += put_key(text + n, "DataDigest", digest);
	n += put_key(text + n, "MaxRecvDataSegmentLength", "262144");
	n += put_key(text + n, "InitialR2T", "No");
	n += put_key(text + n, "ImmediateData", "Yes");
	n += put_key(text + n, "MaxBurstLength", "1048576");
	n += put_key(text + n, "FirstBurstLength", "262144");
	n += put_key(text + n, "DefaultTime2Wait", "0");
	n += put_key(text + n, "DefaultTime2Retain", "0");
	n += put_key(text + n, "MaxOutstandingR2T", "1");
	n += put_key(text + n, "ErrorRecoveryLevel", "0");
	return n;
}

static void learn_keys(struct load_conn *c, const char *text, size_t len)
{
	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		const char *value = strchr(text + at, '=');

		if (!value++)
			continue;
		if (!strncmp(text + at, "MaxRecvDataSegmentLength=", 25))
			c->max_send = (uint32_t)atoi(value);
		else if (!strncmp(text + at, "FirstBurstLength=", 17))
			c->first_burst = (uint32_t)atoi(value);
		else if (!strncmp(text + at, "HeaderDigest=", 13))
			c->header_digest = !strcmp(value, "CRC32C");
		else if (!strncmp(text + at, "DataDigest=", 11))
			c->data_digest = !strcmp(value, "CRC32C");
		else if (!strncmp(text + at, "ImmediateData=No", 16))
			load_die("the target takes no immediate data");
	}
}

/* One request and its answer; true when the login is through. */
static bool login_step(struct load_conn *c, const char *text, size_t len)
{
	uint8_t bhs[LOAD_BHS] = {0x43}, answer[LOAD_BHS];
	char reply[8193];
	struct iovec iov[2] = {{bhs, sizeof(bhs)}, {(void *)(uintptr_t)text, HF_ROUND_UP(len, 4)}};
	size_t reply_len;

	bhs[1] = 0x80 | 1 << 2 | 3; /* from the operational stage to full feature phase */
	hf_put_be24(bhs + 5, (uint32_t)len);
	bhs[8] = 0x80;
	hf_put_be32(bhs + 9, c->index << 8);
	hf_put_be32(bhs + 24, c->cmd_sn);
	hf_put_be32(bhs + 28, c->exp_stat_sn);
	load_send_all(c->fd, iov, len ? 2 : 1);
	receive_all(c->fd, answer, sizeof(answer));
	reply_len = hf_get_be24(answer + 5);
	if (answer[0] != 0x23 || answer[36] || reply_len > 8192)
		load_die("the login was refused: %02x%02x", answer[36], answer[37]);
	receive_all(c->fd, reply, HF_ROUND_UP(reply_len, 4));
	reply[reply_len] = '\0';
	c->exp_stat_sn = hf_get_be32(answer + 24) + 1;
	c->max_cmd_sn = hf_get_be32(answer + 32);
	learn_keys(c, reply, reply_len);
	return (answer[1] & 0x80) && (answer[1] & 3) == 3;
}

static void login(struct load_conn *c)
{
	char text[8192] = {0};
	size_t len = login_keys(c, text);

	for (int i = 0; !login_step(c, text, len); i++) {
		if (i == 4)
			load_die("the login has no end");
		len = 0;
	}
	if (c->o->digests && !(c->header_digest && c->data_digest))
		load_die("the target does not take digests");
}

void load_fill_bhs(struct load_conn *c, uint8_t *bhs, uint32_t itt, uint32_t lun, uint8_t flags,
	uint32_t expected, uint32_t immediate)
{
	bhs[0] = 0x01;
	bhs[1] = flags | 1; /* SIMPLE */
	hf_put_be24(bhs + 5, immediate);
	bhs[8] = (uint8_t)(lun >> 8 ? 0x40 | lun >> 8 : 0);
	bhs[9] = (uint8_t)lun;
	hf_put_be32(bhs + 16, itt);
	hf_put_be32(bhs + 20, expected);
	hf_put_be32(bhs + 24, c->cmd_sn++);
	hf_put_be32(bhs + 28, c->exp_stat_sn);
	if (c->header_digest) {
		uint32_t crc = hf_crc32c(0, bhs, LOAD_BHS);

		memcpy(bhs + LOAD_BHS, &crc, 4);
	}
}

static int command(struct load_conn *c, uint8_t flags, uint32_t lun, const uint8_t *cdb,
	const void *out, uint32_t out_len, void *in, uint32_t in_len)
{
	uint8_t bhs[LOAD_BHS + 4] = {0}, answer[LOAD_BHS + 4];
	uint32_t head = LOAD_BHS + (c->header_digest ? 4 : 0), crc = hf_crc32c(0, out, out_len);
	struct iovec iov[3] = {{bhs, head}, {(void *)(uintptr_t)out, out_len}, {&crc, 4}};

	memcpy(bhs + 32, cdb, 16);
	load_fill_bhs(c, bhs, 0x7fffff00, lun, flags, out_len + in_len, out_len);
	load_send_all(c->fd, iov, !out_len ? 1 : c->data_digest ? 3 : 2);
	for (;;) {
		uint8_t data[4096 + 8];
		uint32_t len, opcode;

		receive_all(c->fd, answer, head);
		opcode = answer[0] & 0x3f;
		len = hf_get_be24(answer + 5);
		if (len > 4096)
			load_die("an answer is longer than asked for");
		if (len)
			receive_all(c->fd, data, HF_ROUND_UP(len, 4) + (c->data_digest ? 4 : 0));
		c->max_cmd_sn = hf_get_be32(answer + 32);
		if (opcode == 0x25)
			memcpy(in, data, HF_MIN(len, in_len));
		if (opcode == 0x21 || (opcode == 0x25 && (answer[1] & 1))) {
			c->exp_stat_sn = hf_get_be32(answer + 24) + 1;
			return answer[3];
		}
	}
}

int load_command(
	struct load_conn *c, uint32_t lun, const uint8_t cdb[static 16], void *in, uint32_t in_len)
{
	return command(c, in_len ? 0xc0 : 0x80, lun, cdb, NULL, 0, in, in_len);
}

int load_command_out(struct load_conn *c, uint32_t lun, const uint8_t cdb[static 16],
	const void *out, uint32_t out_len)
{
	return command(c, 0xa0, lun, cdb, out, out_len, NULL, 0);
}

void load_persist(const struct load_conn *c, uint8_t cdb[static 16],
	uint8_t parameters[static LOAD_PR_BYTES], uint8_t action)
{
	enum { REGISTER_AND_IGNORE = 0x06, WRITE_EXCLUSIVE = 1 };

	memset(cdb, 0, 16);
	memset(parameters, 0, LOAD_PR_BYTES);
	cdb[0] = 0x5f;
	cdb[1] = action;
	cdb[2] = WRITE_EXCLUSIVE;
	hf_put_be32(cdb + 5, LOAD_PR_BYTES);
	hf_put_be64(parameters + (action == REGISTER_AND_IGNORE ? 8 : 0), c->index + 1);
}

void load_ready(struct load_conn *c, uint32_t lun)
{
	static const uint8_t test_unit_ready[16];
	int status = 2;

	for (int i = 0; i < 10 && status == 2; i++)
		status = load_command(c, lun, test_unit_ready, NULL, 0);
	if (status)
		load_die("logical unit %u is not ready: status %02xh", lun, status);
}

static void learn_size(struct load_conn *c)
{
	static const uint8_t read_capacity[16] = {0x25};
	uint8_t in[8];

	if (load_command(c, c->o->lun, read_capacity, in, sizeof(in)))
		load_die("READ CAPACITY failed");
	c->blocks = (uint64_t)hf_get_be32(in) + 1;
	c->block_bytes = hf_get_be32(in + 4);
}

void load_open(
	struct load_conn *c, const struct load_options *o, const char *address, unsigned index)
{
	memset(c, 0, sizeof(*c));
	c->o = o;
	c->index = index;
	c->random = 0x9e3779b97f4a7c15 * (index + 1);
	c->cmd_sn = 1;
	c->max_cmd_sn = UINT32_MAX >> 1;
	c->max_send = c->first_burst = LOAD_XFER_MAX;
	c->block_bytes = 512;
	c->blocks = o->blocks;
	c->slots = calloc(LOAD_DEPTH_MAX, sizeof(*c->slots));
	c->rx = malloc(LOAD_RX_BYTES);
	if (!c->slots || !c->rx)
		load_die("memory is short");
	c->fd = dial(address);
	if (o->target) {
		login(c);
		for (unsigned i = 0; i < o->luns; i++)
			load_ready(c, o->lun + i);
		learn_size(c);
	}
	if (c->data_digest)
		c->payload_crc = hf_crc32c(0, load_payload, o->size);
}
