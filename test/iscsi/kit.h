/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts that speak bytes with the connection machine: PDUs in, PDUs out, a loop in virtual time,
 * the fake SCSI layer below. Used by the tests here and by the fuzzer.
 */
#ifndef HF_TEST_ISCSI_KIT_H
#define HF_TEST_ISCSI_KIT_H

#include "conn.h"
#include "fake_scsi.h"
#include "loop_sim.h"

#define TARGET "iqn.2024-01.org.example:disks"
#define HOST   "iqn.2024-01.org.example:host"

enum {
	KIT_BLOCKS = 4096,
	KIT_OUT_MAX = 8 << 20,
};

struct kit {
	struct hf_loop *loop;
	struct hf_lu_table *table;
	struct hf_scsi_loop scsi;
	struct hf_iscsi_registry *registry;
	struct hf_iscsi_config config;
	bool borrows_loop;
};

/* A host and its connection. */
struct host {
	struct kit *k;
	struct hf_iscsi_conn *c; /* NULL: gone */
	bool kicked;
	char why[80];	/* why it ended */
	uint32_t piece; /* bytes come in pieces of at most so many; 0 = all at once */
	uint32_t cmd_sn, itt;
	bool header_digest, data_digest;
	bool bad_digest; /* what it sends comes damaged */
	uint8_t *unsent; /* bytes that the target does not take yet */
	size_t unsent_len;
	uint8_t *out; /* what the target has sent, out_at .. out_len not yet looked at */
	size_t out_len, out_at, out_max;
	bool borrows_out;
	bool deaf;  /* takes nothing of what the target sends */
	bool stuck; /* ... not even when a batch is ready to leave */
};

/* A PDU, either way. */
struct pdu {
	uint8_t bhs[HF_BHS_BYTES];
	uint8_t ahs[HF_AHS_MAX_BYTES];
	uint32_t ahs_len;
	const uint8_t *data;
	uint32_t len;
};

/* buf_bytes: all buffers of the loop, 0 = plenty. */
struct kit *kit_create(const struct hf_iscsi_config *config, size_t buf_bytes);
/* On a loop that is the caller's, with disks of so many blocks: cheap enough for a fuzzer. */
struct kit *kit_create_on(
	struct hf_loop *loop, const struct hf_iscsi_config *config, uint64_t blocks);
void kit_destroy(struct kit *k);
/* A configuration that lets everybody in. */
struct hf_iscsi_config kit_config(void);

void host_connect(struct host *h, struct kit *k);
/* What the target sends goes to `out`, which stays the caller's. */
void host_connect_at(struct host *h, struct kit *k, uint8_t *out, size_t out_max);
/* Lets the machine do all it can. */
void host_pump(struct host *h);
void host_disconnect(struct host *h); /* the link drops; everything winds down */
void host_send_bytes(struct host *h, const void *bytes, size_t len);
void host_send(struct host *h, const struct pdu *p);
/* The next PDU of the target: true and *ret (data valid until the next send). */
bool host_receive(struct host *h, struct pdu *ret);
/* ... which must be there and have this opcode. */
void host_expect(struct host *h, uint8_t opcode, struct pdu *ret);
void host_expect_nothing(struct host *h);

/* Security stage left out; `keys` is a text with NULs, e.g. "ImmediateData=No\0". */
void host_login_request(struct host *h, uint8_t flags, const char *keys, size_t len);
#define HOST_LOGIN(h, keys) host_login(h, keys, sizeof(keys) - 1)
void host_login(struct host *h, const char *keys, size_t len);

/* Requests with the next number and tag filled in; fields beyond are the caller's to set. */
void pdu_init(struct host *h, struct pdu *p, uint8_t opcode, bool immediate);
void pdu_command(struct host *h, struct pdu *p, uint8_t flags, uint32_t expected, const char *cdb);
/* READ(10) and WRITE(10) of so many blocks. */
void pdu_read(struct host *h, struct pdu *p, uint32_t lba, uint16_t blocks);
void pdu_write(struct host *h, struct pdu *p, uint32_t lba, uint16_t blocks);
void pdu_data_out(struct pdu *p, const struct pdu *r2t, uint32_t data_sn, uint32_t offset,
	const void *data, uint32_t len, bool final);

static inline uint32_t pdu_u32(const struct pdu *p, unsigned at)
{
	return hf_get_be32(p->bhs + at);
}

#endif
