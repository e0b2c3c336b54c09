/* SPDX-License-Identifier: BSD-3-Clause */
#include "kit.h"
#include "checksum.h"

#include <stdio.h>
#include <stdlib.h>

struct hf_iscsi_config kit_config(void)
{
	return (struct hf_iscsi_config){
		.target_name = TARGET,
		.target_alias = "disks",
		.tpgt = 7,
		.rtpi = 3,
		.allow_none = true,
		.portals_len = 2,
		.portals = {"127.0.0.1:3260,7", "[::1]:3260,8"},
		.queue_depth = 8,
		.max_recv_data_segment_bytes = 65536,
		.max_burst_bytes = 131072,
		.first_burst_bytes = 65536,
	};
}

struct kit *kit_create_on(
	struct hf_loop *loop, const struct hf_iscsi_config *config, uint64_t blocks)
{
	struct kit *k = calloc(1, sizeof(*k));

	hf_assert(k);
	k->config = config ? *config : kit_config();
	k->loop = loop;
	k->borrows_loop = true;
	k->table = fake_table_create(k->loop, blocks);
	k->scsi.loop = k->loop;
	hf_assert(!hf_iscsi_registry_create(&k->config, k->loop, k->table, 5, &k->registry));
	return k;
}

struct kit *kit_create(const struct hf_iscsi_config *config, size_t buf_bytes)
{
	struct hf_loop_options options = {.buf_bytes = buf_bytes ? buf_bytes : 32 << 20};
	struct hf_loop *loop;
	struct kit *k;

	hf_assert(!hf_loop_create(0, &options, &loop));
	k = kit_create_on(loop, config, KIT_BLOCKS);
	k->borrows_loop = false;
	return k;
}

void kit_destroy(struct kit *k)
{
	hf_loop_sim_settle(k->loop);
	hf_iscsi_registry_destroy(k->registry);
	fake_table_destroy(k->table);
	if (!k->borrows_loop)
		hf_loop_destroy(k->loop);
	free(k);
}

static void kick(struct hf_iscsi_conn *c)
{
	((struct host *)c->owner)->kicked = true;
}

static const struct hf_conn_ops ops = {.kick = kick, .gone = kick};

void host_connect_at(struct host *h, struct kit *k, uint8_t *out, size_t out_max)
{
	struct hf_conn_options options = {
		.ops = &ops,
		.owner = h,
		.loop = k->loop,
		.scsi = &k->scsi,
		.registry = k->registry,
		.peer = "test",
	};

	*h = (struct host){.k = k, .cmd_sn = 100, .itt = 1};
	for (size_t i = 0; i < sizeof(options.random); i++)
		options.random[i] = (uint8_t)(i + 1);
	h->out = out;
	h->out_max = out_max;
	h->borrows_out = true;
	hf_assert(h->out && !hf_conn_create(&options, &h->c));
}

void host_connect(struct host *h, struct kit *k)
{
	host_connect_at(h, k, malloc(KIT_OUT_MAX), KIT_OUT_MAX);
	h->borrows_out = false;
}

static bool transmit(struct host *h)
{
	struct iovec *iov;
	unsigned n = h->deaf ? 0 : hf_conn_tx(h->c, &iov);
	size_t len = n ? iov[0].iov_len : 0;

	if (!n || h->stuck)
		return false;
	/* Short sends happen: an entry at a time, and not all of a long one. */
	len = len > 3000 ? len - 1000 : len;
	hf_assert(h->out_len + len <= h->out_max);
	memcpy(h->out + h->out_len, iov[0].iov_base, len);
	h->out_len += len;
	hf_conn_sent(h->c, len);
	return true;
}

/* A piece of what the host has sent lands where the machine wants it. */
static void land(struct host *h)
{
	struct iovec iov[2];
	unsigned n = hf_conn_rx(h->c, iov);
	size_t now = h->piece ? HF_MIN(h->unsent_len, h->piece) : h->unsent_len, done = 0;

	for (unsigned i = 0; i < n && done < now; i++) {
		size_t part = HF_MIN(now - done, iov[i].iov_len);

		memcpy(iov[i].iov_base, h->unsent + done, part);
		done += part;
	}
	if (!done)
		return;
	hf_conn_received(h->c, done);
	h->unsent_len -= done;
	memmove(h->unsent, h->unsent + done, h->unsent_len);
	h->kicked = true;
}

void host_pump(struct host *h)
{
	do {
		h->kicked = false;
		hf_loop_sim_settle(h->k->loop);
		if (h->c && hf_conn_is_open(h->c)) {
			land(h);
			while (transmit(h))
				h->kicked = true;
		}
		if (h->c && h->c->phase == HF_CONN_CLOSING) {
			snprintf(h->why, sizeof(h->why), "%s", h->c->why);
			hf_conn_closed(h->c);
			h->kicked = true;
		}
		if (h->c && h->c->phase == HF_CONN_GONE) {
			hf_conn_destroy(h->c);
			h->c = NULL;
		}
		hf_loop_sim_settle(h->k->loop);
	} while (h->c && h->kicked);
}

void host_disconnect(struct host *h)
{
	if (h->c)
		hf_conn_close(h->c, "test");
	host_pump(h);
	hf_assert(!h->c);
	if (!h->borrows_out)
		free(h->out);
	free(h->unsent);
	h->out = h->unsent = NULL;
}

void host_send_bytes(struct host *h, const void *bytes, size_t len)
{
	h->unsent = realloc(h->unsent, h->unsent_len + len + 1);
	hf_assert(h->unsent);
	if (len)
		memcpy(h->unsent + h->unsent_len, bytes, len);
	h->unsent_len += len;
	host_pump(h);
}

void host_send(struct host *h, const struct pdu *p)
{
	uint8_t bytes[HF_BHS_BYTES + HF_AHS_MAX_BYTES + 4], tail[8] = {0};
	uint32_t len = HF_BHS_BYTES + p->ahs_len, pad = hf_pdu_pad(p->len);
	uint8_t *all;

	memcpy(bytes, p->bhs, HF_BHS_BYTES);
	memcpy(bytes + HF_BHS_BYTES, p->ahs, p->ahs_len);
	bytes[4] = (uint8_t)(p->ahs_len / 4);
	hf_put_be24(bytes + 5, p->len);
	if (h->header_digest) {
		hf_pdu_put_digest(bytes + len, hf_crc32c(0, bytes, len));
		len += 4;
	}
	all = malloc(len + p->len + 8);
	hf_assert(all);
	memcpy(all, bytes, len);
	if (p->len)
		memcpy(all + len, p->data, p->len);
	len += p->len;
	memcpy(all + len, tail, pad);
	len += pad;
	if (h->data_digest && p->len) {
		hf_pdu_put_digest(all + len, hf_crc32c(hf_crc32c(0, p->data, p->len), tail, pad));
		len += 4;
	}
	if (h->bad_digest)
		all[len - 1] ^= 1;
	host_send_bytes(h, all, len);
	free(all);
}

bool host_receive(struct host *h, struct pdu *ret)
{
	const uint8_t *p = h->out + h->out_at;
	size_t left, need = HF_BHS_BYTES + (h->header_digest ? 4 : 0);
	uint32_t len, pad;

	host_pump(h);
	left = h->out_len - h->out_at;
	if (left < need)
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->bhs, p, HF_BHS_BYTES);
	if (h->header_digest)
		hf_assert(hf_pdu_get_digest(p + HF_BHS_BYTES) == hf_crc32c(0, p, HF_BHS_BYTES));
	hf_assert(p[4] == 0); /* the target sends no additional headers */
	len = hf_get_be24(p + 5);
	pad = hf_pdu_pad(len);
	ret->data = p + need;
	ret->len = len;
	need += len + pad;
	hf_assert(left >= need);
	if (len && h->data_digest) {
		hf_assert(hf_pdu_get_digest(p + need) == hf_crc32c(0, ret->data, len + pad));
		need += 4;
	}
	h->out_at += need;
	return true;
}

void host_expect(struct host *h, uint8_t opcode, struct pdu *ret)
{
	if (!host_receive(h, ret)) {
		fprintf(stderr, "no PDU where opcode %02xh was due; ended: '%s'\n", opcode, h->why);
		abort();
	}
	if (ret->bhs[0] != opcode) {
		fprintf(stderr, "opcode %02xh instead of %02xh (reason %02xh)\n", ret->bhs[0],
			opcode, ret->bhs[2]);
		abort();
	}
}

void host_expect_nothing(struct host *h)
{
	struct pdu p;

	if (host_receive(h, &p)) {
		fprintf(stderr, "unexpected opcode %02xh\n", p.bhs[0]);
		abort();
	}
}

void pdu_init(struct host *h, struct pdu *p, uint8_t opcode, bool immediate)
{
	memset(p, 0, sizeof(*p));
	p->bhs[0] = opcode | (immediate ? HF_ISCSI_IMMEDIATE : 0);
	p->bhs[1] = HF_PDU_FINAL;
	hf_put_be32(p->bhs + 16, h->itt++);
	hf_put_be32(p->bhs + 24, h->cmd_sn);
	if (!immediate)
		h->cmd_sn++;
}

void pdu_command(struct host *h, struct pdu *p, uint8_t flags, uint32_t expected, const char *cdb)
{
	unsigned n = 32, byte;

	pdu_init(h, p, HF_ISCSI_COMMAND, false);
	p->bhs[1] = flags | HF_ATTR_SIMPLE;
	hf_put_be32(p->bhs + 20, expected);
	for (; n < 48 && sscanf(cdb, "%2x", &byte) == 1; cdb += 2 + (cdb[2] == ' '))
		p->bhs[n++] = (uint8_t)byte;
}

static void put_rw10(struct pdu *p, uint8_t op, uint32_t lba, uint16_t blocks)
{
	p->bhs[32] = op;
	hf_put_be32(p->bhs + 34, lba);
	hf_put_be16(p->bhs + 39, blocks);
}

void pdu_read(struct host *h, struct pdu *p, uint32_t lba, uint16_t blocks)
{
	pdu_command(h, p, HF_PDU_FINAL | HF_CMD_READ, blocks * 512u, "");
	put_rw10(p, 0x28, lba, blocks);
}

void pdu_write(struct host *h, struct pdu *p, uint32_t lba, uint16_t blocks)
{
	pdu_command(h, p, HF_PDU_FINAL | HF_CMD_WRITE, blocks * 512u, "");
	put_rw10(p, 0x2a, lba, blocks);
}

void pdu_data_out(struct pdu *p, const struct pdu *r2t, uint32_t data_sn, uint32_t offset,
	const void *data, uint32_t len, bool final)
{
	memset(p, 0, sizeof(*p));
	p->bhs[0] = HF_ISCSI_DATA_OUT;
	p->bhs[1] = final ? HF_PDU_FINAL : 0;
	/* An R2T: its tags; a command: unsolicited. */
	memcpy(p->bhs + 8, r2t->bhs + 8, 12);
	hf_put_be32(p->bhs + 20,
		r2t->bhs[0] == HF_ISCSI_R2T ? hf_get_be32(r2t->bhs + 20) : HF_TAG_NONE);
	hf_put_be32(p->bhs + 36, data_sn);
	hf_put_be32(p->bhs + 40, offset);
	p->data = data;
	p->len = len;
}

void host_login_request(struct host *h, uint8_t flags, const char *keys, size_t len)
{
	struct pdu p;

	pdu_init(h, &p, HF_ISCSI_LOGIN, true);
	h->itt--; /* one tag for all requests of a login */
	p.bhs[1] = flags;
	hf_put_be48(p.bhs + 8, 0x00023d000001);
	p.data = (const uint8_t *)keys;
	p.len = (uint32_t)len;
	host_send(h, &p);
}

void host_login(struct host *h, const char *keys, size_t len)
{
	static const char names[] = "InitiatorName=" HOST "\0"
				    "TargetName=" TARGET "\0";
	char text[4096];
	struct pdu p;

	hf_assert(len + sizeof(names) <= sizeof(text));
	memcpy(text, names, sizeof(names) - 1);
	memcpy(text + sizeof(names) - 1, keys, len);
	host_login_request(h, HF_PDU_TRANSIT | 1 << 2 | 3, text, sizeof(names) - 1 + len);
	host_expect(h, HF_ISCSI_LOGIN_RESPONSE, &p);
	hf_assert(p.bhs[36] == 0 && (p.bhs[1] & HF_PDU_TRANSIT) && h->c->phase == HF_CONN_FULL);
	h->header_digest = h->c->params.header_digest;
	h->data_digest = h->c->params.data_digest;
	h->itt++;
}
