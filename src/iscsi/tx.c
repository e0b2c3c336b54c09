/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending: turns queued items into PDUs, many to one gathered list. Headers, digests and small data
 * lie in an arena that lives as long as the batch; bulk data are handed on where they are. StatSN
 * and the command window are stamped here, in the order of sending. Pure.
 */
#include "conn.h"
#include "checksum.h"

void hf_tx_push(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	hf_assert(hf_list_is_empty(&tx->node));
	hf_list_push_back(&c->sending.queue, &tx->node);
	hf_conn_kick(c);
}

/* It has been worked out; does it still count? */
void hf_tx_push_valid(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	if (hf_list_is_empty(&c->sending.held) && hf_lu_session_is_valid(&c->session)) {
		hf_tx_push(c, tx);
		return;
	}
	hf_assert(hf_list_is_empty(&tx->node));
	hf_list_push_back(&c->sending.held, &tx->node);
	hf_lu_session_await_valid(&c->session);
}

void hf_tx_valid(struct hf_lu_session *s)
{
	struct hf_iscsi_conn *c = hf_container_of(s, struct hf_iscsi_conn, session);

	hf_list_splice_back(&c->sending.queue, &c->sending.held);
	hf_conn_kick(c);
}

uint8_t *hf_tx_header(struct hf_iscsi_conn *c, uint8_t opcode)
{
	uint8_t *bhs = c->sending.arena + c->sending.arena_len;

	memset(bhs, 0, HF_BHS_BYTES);
	bhs[0] = opcode;
	bhs[1] = HF_PDU_FINAL;
	return bhs;
}

void hf_tx_numbers(struct hf_iscsi_conn *c, uint8_t *bhs, bool takes)
{
	hf_put_be32(bhs + 24, c->stat_sn);
	hf_put_be32(bhs + 28, c->exp_cmd_sn);
	hf_put_be32(bhs + 32, hf_window_max(c));
	if (takes)
		c->stat_sn++;
}

/* Appends to the list; what follows on in memory becomes one entry. */
static void emit(struct hf_sending *s, const void *p, size_t len)
{
	struct iovec *last = s->iov_len ? &s->iov[s->iov_len - 1] : NULL;

	if (!len)
		return;
	s->batch_left += len;
	if (last && (const uint8_t *)last->iov_base + last->iov_len == p) {
		last->iov_len += len;
		return;
	}
	hf_assert(s->iov_len < HF_TX_IOV_MAX);
	s->iov[s->iov_len++] = (struct iovec){.iov_base = (void *)p, .iov_len = len};
}

static uint8_t *arena_take(struct hf_sending *s, size_t len)
{
	uint8_t *p = s->arena + s->arena_len;

	s->arena_len += (uint32_t)len;
	hf_assert(s->arena_len <= sizeof(s->arena));
	return p;
}

void hf_tx_finish(struct hf_iscsi_conn *c, uint8_t *bhs, const void *data, uint32_t len, bool copy)
{
	struct hf_sending *s = &c->sending;
	uint32_t pad = hf_pdu_pad(len);
	uint8_t *tail;

	hf_assert(bhs == s->arena + s->arena_len);
	arena_take(s, HF_BHS_BYTES);
	hf_put_be24(bhs + 5, len);
	emit(s, bhs, HF_BHS_BYTES);
	if (c->params.header_digest) {
		tail = arena_take(s, HF_DIGEST_BYTES);
		hf_pdu_put_digest(tail, hf_crc32c(0, bhs, HF_BHS_BYTES));
		emit(s, tail, HF_DIGEST_BYTES);
	}
	if (!len)
		return;
	if (copy)
		data = memcpy(arena_take(s, len), data, len);
	emit(s, data, len);
	tail = arena_take(s, pad);
	memset(tail, 0, pad);
	emit(s, tail, pad);
	if (c->params.data_digest) {
		uint32_t crc = hf_crc32c(hf_crc32c(0, data, len), tail, pad);

		tail = arena_take(s, HF_DIGEST_BYTES);
		hf_pdu_put_digest(tail, crc);
		emit(s, tail, HF_DIGEST_BYTES);
	}
}

static bool has_room(const struct hf_sending *s)
{
	return s->iov_len + 4 <= HF_TX_IOV_MAX && s->batch_left < HF_TX_BATCH_BYTES &&
	       s->arena_len + HF_TX_PDU_BYTES <= sizeof(s->arena);
}

static void build_batch(struct hf_iscsi_conn *c)
{
	struct hf_sending *s = &c->sending;

	s->iov_len = s->iov_at = 0;
	s->arena_len = 0;
	while (!hf_list_is_empty(&s->queue) && has_room(s)) {
		struct hf_iscsi_tx *tx = hf_list_entry(s->queue.next, struct hf_iscsi_tx, node);

		if (!tx->build(c, tx))
			continue;
		hf_list_remove(&tx->node);
		if (tx->sent)
			hf_list_push_back(&s->batch, &tx->node);
	}
}

unsigned hf_conn_tx(struct hf_iscsi_conn *c, struct iovec **ret_iov)
{
	struct hf_sending *s = &c->sending;

	if (!hf_conn_is_open(c))
		return 0;
	if (!s->batch_left) {
		build_batch(c);
		if (!s->batch_left) {
			if (s->close_after)
				hf_conn_close(c, c->why);
			return 0;
		}
	}
	*ret_iov = s->iov + s->iov_at;
	return s->iov_len - s->iov_at;
}

void hf_conn_sent(struct hf_iscsi_conn *c, size_t n)
{
	struct hf_sending *s = &c->sending;
	struct hf_list *node;

	hf_assert(n <= s->batch_left);
	s->batch_left -= n;
	while (n) {
		struct iovec *v = &s->iov[s->iov_at];
		size_t part = HF_MIN(n, v->iov_len);

		v->iov_base = (uint8_t *)v->iov_base + part;
		v->iov_len -= part;
		n -= part;
		if (!v->iov_len)
			s->iov_at++;
	}
	if (s->batch_left)
		return;
	while ((node = hf_list_pop_front(&s->batch)) != NULL) {
		struct hf_iscsi_tx *tx = hf_list_entry(node, struct hf_iscsi_tx, node);

		tx->sent(c, tx);
	}
}
