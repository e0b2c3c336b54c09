/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hf-load: an iSCSI initiator on raw sockets that does little more than system calls, so that the
 * target and not the client is what is measured. Answers are looked at (tag, status, length), data
 * are received but not compared.
 *
 *	load.c		the timed run, the report
 *	load_options.c	the command line
 *	load_conn.c	connection, login, single commands
 *	load_io.c	many commands on their way: one receive and one send for as many as there
 *are load_seq.c	sequences over several connections: reservations that change hands
 */
#ifndef HF_LOAD_H
#define HF_LOAD_H

#include "bytes.h"

#include <sys/uio.h>

enum {
	LOAD_BHS = 48,
	LOAD_DEPTH_MAX = 1024,
	LOAD_CONNS_MAX = 512,
	LOAD_PR_BYTES = 24, /* a parameter list of PERSISTENT RESERVE OUT */
	LOAD_XFER_MAX = 1 << 20,
	LOAD_RX_BYTES = 256 << 10,
	LOAD_IOV_MAX = 512,
	LOAD_HEADERS = 512, /* Data-Out headers of one send */
};

enum load_op { LOAD_READ, LOAD_WRITE, LOAD_TUR, LOAD_RESERVE, LOAD_PERSIST };

struct load_options {
	const char *addresses[2]; /* IP:PORT; the second for sequences only */
	const char *target;	  /* iSCSI name; NULL: no login, the floors speak without */
	unsigned lun, luns;	  /* commands are spread over lun .. lun + luns - 1 */
	enum load_op op;
	bool sequential, digests, hold, hand_over, registered;
	unsigned size, depth, conns, idle;
	uint64_t blocks; /* of the device, where it is not asked */
	double seconds, warm_up;
	uint64_t count; /* instead of a time */
	int watch[8];	/* processes whose processor time is told, too */
	unsigned watch_len;
};

struct load_slot {
	uint8_t bhs[LOAD_BHS + 4];
	uint8_t parameters[LOAD_PR_BYTES + 4]; /* and their digest */
	uint32_t lun, step;
	uint64_t start_ns;
	bool busy;
};

struct load_conn {
	const struct load_options *o;
	int fd;
	unsigned index;
	bool header_digest, data_digest;
	uint32_t cmd_sn, max_cmd_sn, exp_stat_sn;
	uint32_t max_send, first_burst; /* as agreed */
	uint64_t blocks;
	uint32_t block_bytes;
	uint64_t next_at, random;
	uint32_t next_lun;
	uint32_t payload_crc;

	struct load_slot *slots;
	uint32_t waiting[LOAD_DEPTH_MAX]; /* slots that the command window holds back */
	unsigned waiting_len;
	unsigned out;

	struct iovec iov[LOAD_IOV_MAX];
	unsigned iov_len;
	uint8_t headers[LOAD_HEADERS][LOAD_BHS + 4];
	uint8_t trailers[LOAD_HEADERS][4];
	unsigned headers_len, trailers_len;

	uint8_t *rx;
	size_t rx_from, rx_to, rx_skip;
};

/* What has been seen; latencies in ns, unsorted. */
struct load_result {
	bool counting;
	uint64_t done, failed;
	uint32_t *latency;
	size_t latency_len, latency_cap;
};

void load_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t load_now(void);
extern const uint8_t *load_payload;

/* load_options.c: ends the process where it makes no sense */
void load_parse(int argc, char **argv, struct load_options *o);

/* load_conn.c */
void load_open(
	struct load_conn *c, const struct load_options *o, const char *address, unsigned index);
/* One command alone on its connection; returns the status. out: immediate data, a multiple of 4. */
int load_command(
	struct load_conn *c, uint32_t lun, const uint8_t cdb[static 16], void *in, uint32_t in_len);
int load_command_out(struct load_conn *c, uint32_t lun, const uint8_t cdb[static 16],
	const void *out, uint32_t out_len);
/* PERSISTENT RESERVE OUT: CDB and parameter list. The key of a connection is its index + 1. */
void load_persist(const struct load_conn *c, uint8_t cdb[static 16],
	uint8_t parameters[static LOAD_PR_BYTES], uint8_t action);
void load_ready(struct load_conn *c, uint32_t lun); /* takes unit attentions away */
void load_fill_bhs(struct load_conn *c, uint8_t *bhs, uint32_t itt, uint32_t lun, uint8_t flags,
	uint32_t expected, uint32_t immediate);
void load_send_all(int fd, struct iovec *iov, unsigned n);

/* load_io.c */
void load_start(struct load_conn *c); /* fills the window; nothing is sent yet */
void load_flush(struct load_conn *c);
/* Receives once (block: waits for it) and deals with all that is there. False: nothing was there.
 */
bool load_receive(struct load_conn *c, struct load_result *r, bool block, bool renew);

/* load_seq.c: until o->seconds are over */
void load_hand_over(struct load_conn *c, struct load_result *r);

void load_count(struct load_result *r, uint64_t ns);

#endif
