/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receiving: cuts the stream into PDUs. Headers and small data pass through a staging area, so that
 * one receive brings many PDUs; once the header of a large one is here, the rest of its data goes
 * straight to the task's buffer. Pure.
 */
#include "conn.h"
#include "checksum.h"

static uint32_t staged(const struct hf_rx *rx)
{
	return rx->to - rx->from;
}

void hf_rx_into(struct hf_iscsi_conn *c, struct hf_iscsi_task *t, uint8_t *dest, uint32_t room)
{
	c->rx.dest = dest;
	c->rx.dest_room = HF_MIN(room, c->rx.pdu.data_bytes);
	c->rx.task = t;
	if (t && c->rx.dest_room)
		t->receiving = true;
}

static uint32_t digest_bytes(bool on)
{
	return on ? HF_DIGEST_BYTES : 0;
}

/* False: more bytes are needed, or the connection is at its end. */
static bool take_header(struct hf_iscsi_conn *c)
{
	struct hf_rx *rx = &c->rx;
	const uint8_t *p = rx->stage + rx->from;
	uint32_t len, total;

	if (staged(rx) < HF_BHS_BYTES)
		return false;
	len = HF_BHS_BYTES + p[4] * 4u;
	if (len > sizeof(rx->header)) {
		hf_conn_close(c, "additional header segments longer than any known");
		return false;
	}
	total = len + digest_bytes(c->params.header_digest);
	if (staged(rx) < total)
		return false;
	if (c->params.header_digest && hf_pdu_get_digest(p + len) != hf_crc32c(0, p, len)) {
		hf_conn_close(c, "header digest error");
		return false;
	}
	memcpy(rx->header, p, len);
	hf_pdu_decode(&rx->pdu, rx->header);
	rx->from += total;
	rx->dest = NULL;
	rx->dest_room = 0;
	rx->task = NULL;
	rx->ignore = false;
	c->counters.pdus++;
	rx->state = HF_RX_BEGIN;
	return hf_dispatch_header(c);
}

static bool take_begin(struct hf_iscsi_conn *c)
{
	struct hf_rx *rx = &c->rx;

	if (!rx->ignore && hf_dispatch_begin(c) == HF_RX_WAIT) {
		rx->waiting = true;
		return false;
	}
	if (!hf_conn_is_open(c))
		return false;
	rx->data_left = rx->pdu.data_bytes;
	rx->crc = 0;
	rx->digest_ok = true;
	rx->state = HF_RX_DATA;
	return true;
}

/* n bytes of the data segment are here, the first `placed` of them at their destination. */
static void account_data(struct hf_iscsi_conn *c, const uint8_t *p, uint32_t n, uint32_t placed)
{
	struct hf_rx *rx = &c->rx;

	if (c->params.data_digest)
		rx->crc = hf_crc32c(rx->crc, p, n);
	if (placed) {
		rx->dest += placed;
		rx->dest_room -= placed;
	}
	rx->data_left -= n;
}

static bool take_data(struct hf_iscsi_conn *c)
{
	struct hf_rx *rx = &c->rx;
	uint32_t n = HF_MIN(staged(rx), rx->data_left), placed = HF_MIN(n, rx->dest_room);

	if (n) {
		const uint8_t *p = rx->stage + rx->from;

		if (placed)
			memcpy(rx->dest, p, placed);
		account_data(c, p, n, placed);
		rx->from += n;
	}
	if (rx->data_left)
		return false;
	rx->state = HF_RX_TRAILER;
	return true;
}

static void end_pdu(struct hf_iscsi_conn *c)
{
	struct hf_rx *rx = &c->rx;
	struct hf_iscsi_task *t = rx->task;

	rx->state = HF_RX_HEADER;
	if (t)
		t->receiving = false;
	if (t && t->doomed) {
		hf_task_put(t);
		return;
	}
	if (!rx->ignore)
		hf_dispatch_end(c);
}

static bool take_trailer(struct hf_iscsi_conn *c)
{
	struct hf_rx *rx = &c->rx;
	uint32_t pad = hf_pdu_pad(rx->pdu.data_bytes);
	uint32_t len = rx->pdu.data_bytes ? pad + digest_bytes(c->params.data_digest) : 0;
	const uint8_t *p = rx->stage + rx->from;

	if (staged(rx) < len)
		return false;
	if (len && c->params.data_digest)
		rx->digest_ok = hf_crc32c(rx->crc, p, pad) == hf_pdu_get_digest(p + pad);
	rx->from += len;
	end_pdu(c);
	return true;
}

/*
 * A turn takes so many commands as make a large send: each send that finds the host asleep costs a
 * wake-up, which is dearer than data that have left the processor's nearest cache. But what was
 * read leaves for the host before much more is read. False: there may be more to parse.
 */
static bool parse(struct hf_iscsi_conn *c)
{
	bool more = true;

	c->rx.turn_bytes = 0;
	while (more && hf_conn_is_open(c) && !c->rx.waiting) {
		if (c->rx.turn_bytes >= HF_RX_TURN_BYTES)
			return false;
		switch (c->rx.state) {
		case HF_RX_HEADER:
			more = take_header(c);
			break;
		case HF_RX_BEGIN:
			more = take_begin(c);
			break;
		case HF_RX_DATA:
			more = take_data(c);
			break;
		case HF_RX_TRAILER:
			more = take_trailer(c);
			break;
		}
	}
	return true;
}

static void compact(struct hf_rx *rx)
{
	if (rx->from && rx->from != rx->to)
		memmove(rx->stage, rx->stage + rx->from, staged(rx));
	rx->to = staged(rx);
	rx->from = 0;
}

/*
 * Right after the data of a large burst comes the header of its next part, or of the next command:
 * taking little more than that keeps their data out of the staging area.
 */
static uint32_t stage_room(const struct hf_iscsi_conn *c)
{
	uint32_t room = HF_STAGE_BYTES - c->rx.to;
	bool bulk = c->rx.state == HF_RX_DATA && c->rx.dest_room > HF_STAGE_BYTES;

	return bulk ? HF_MIN(room, (uint32_t)HF_STAGE_BULK_BYTES) : room;
}

unsigned hf_conn_rx(struct hf_iscsi_conn *c, struct iovec iov[static 2])
{
	struct hf_rx *rx = &c->rx;
	unsigned n = 0;

	if (!parse(c)) {
		hf_conn_kick(c);
		return 0;
	}
	if (!hf_conn_is_open(c) || rx->waiting)
		return 0;
	compact(rx);
	if (rx->state == HF_RX_DATA && rx->dest_room)
		iov[n++] = (struct iovec){.iov_base = rx->dest, .iov_len = rx->dest_room};
	iov[n++] = (struct iovec){.iov_base = rx->stage + rx->to, .iov_len = stage_room(c)};
	return n;
}

void hf_conn_received(struct hf_iscsi_conn *c, size_t n)
{
	struct hf_rx *rx = &c->rx;

	if (!hf_conn_is_open(c))
		return;
	if (!n) {
		hf_conn_close(c, "closed by the initiator");
		return;
	}
	c->heard = true;
	if (rx->state == HF_RX_DATA && rx->dest_room) {
		uint32_t direct = (uint32_t)HF_MIN(n, rx->dest_room);

		account_data(c, rx->dest, direct, direct);
		n -= direct;
	}
	hf_assert(n <= HF_STAGE_BYTES - rx->to);
	rx->to += (uint32_t)n;
	parse(c);
}

void hf_conn_resume(struct hf_iscsi_conn *c)
{
	if (!c->rx.waiting)
		return;
	c->rx.waiting = false;
	hf_conn_kick(c);
}
