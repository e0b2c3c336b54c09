/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CDBs and their data, from two hosts, the whole way: arrive, run, leave, over logical units in
 *memory with real reservations. An input is a sequence of commands: flags (bit 0: host, 1: data-in,
 *2: data-out, 3-5: LUN, 6: abort it before it runs), 16 bytes CDB, 2 bytes expected length, then
 *(data-out) 1 byte how many follow, and these, repeated up to the expected length.
 */
#include "kit.h"

#include "bytes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS_MAX = 32 };

static void tmf_done(struct hf_tmf_req *req, int result)
{
	hf_assert(result == 0);
}

static void abort_task(struct hf_scsi_task *t, struct hf_lu_session *s)
{
	struct hf_tmf_req tmf = {.function = HF_TMF_ABORT_TASK,
		.session = s,
		.itl = t->itl,
		.target = &t->cmd,
		.done = tmf_done};

	hf_lu_tmf(&tmf);
	hf_scsi_leave(t->loop, t);
}

/* false: the input is used up. */
static bool one_command(struct host *hosts, struct hf_rd *r, struct cmd *c)
{
	static uint8_t out[65536];
	uint8_t flags = hf_rd_u8(r), cdb[16], n;
	uint16_t expected;
	const uint8_t *piece;

	hf_rd_bytes(r, cdb, sizeof(cdb));
	expected = hf_rd_u16(r);
	if (hf_rd_failed(r))
		return false;
	cmd_begin(c, &hosts[flags & 1], (flags >> 3) & 7, cdb, 16);
	c->data_in = flags & 2;
	c->data_out = !c->data_in && (flags & 4);
	c->expected = expected;
	c->out = out;
	if (c->data_out) {
		n = hf_rd_u8(r);
		n = (uint8_t)HF_MIN(n, hf_rd_left(r));
		piece = hf_rd_take(r, n);
		for (unsigned i = 0; i < expected; i++)
			out[i] = n ? piece[i % n] : 0;
	}
	if (cmd_arrive(c) == HF_SCSI_READY) {
		if ((flags & 64) && c->t.itl) {
			abort_task(&c->t, c->t.session);
			kit_settle(c->h->k);
			return true;
		}
		cmd_run(c);
	}
	cmd_end(c);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kit *k = kit_create_small(2560);
	struct hf_rd r = hf_rd_of(data, size);
	struct host hosts[2];
	struct cmd c = {0};

	host_login(k, &hosts[0], "iqn.host:x", 1);
	host_login(k, &hosts[1], "iqn.host:y", 2);
	for (unsigned i = 0; i < COMMANDS_MAX && one_command(hosts, &r, &c); i++)
		;
	cmd_free(&c);
	host_logout(&hosts[0]);
	host_logout(&hosts[1]);
	kit_destroy(k);
	return 0;
}
