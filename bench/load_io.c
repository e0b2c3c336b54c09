/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many commands on their way over one connection: what one receive brings is answered by one send.
 * Received data stay where the receive has put them.
 */
#include "load.h"
#include "checksum.h"

#include <stdio.h>
#include <sys/socket.h>

static uint64_t next_block(struct load_conn *c)
{
	uint64_t blocks = c->o->size / c->block_bytes, places = c->blocks / HF_MAX(blocks, 1), at;

	if (c->o->sequential) {
		at = c->next_at++ % places;
	} else {
		c->random ^= c->random << 13;
		c->random ^= c->random >> 7;
		c->random ^= c->random << 17;
		at = c->random % places;
	}
	return at * blocks;
}

static void put_iov(struct load_conn *c, const void *base, size_t len)
{
	if (c->iov_len == LOAD_IOV_MAX)
		load_flush(c);
	c->iov[c->iov_len++] = (struct iovec){(void *)(uintptr_t)base, len};
}

static void put_data(struct load_conn *c, uint32_t at, uint32_t len)
{
	uint32_t crc = c->payload_crc;

	put_iov(c, load_payload + at, len);
	if (!c->data_digest)
		return;
	if (c->trailers_len == LOAD_HEADERS)
		load_die("too many pieces in one send");
	if (at || len != c->o->size)
		crc = hf_crc32c(0, load_payload + at, len);
	memcpy(c->trailers[c->trailers_len], &crc, 4);
	put_iov(c, c->trailers[c->trailers_len++], 4);
}

static size_t head_bytes(const struct load_conn *c)
{
	return LOAD_BHS + (c->header_digest ? 4 : 0);
}

static void fill_rw(struct load_conn *c, uint8_t *cdb, bool write)
{
	cdb[0] = write ? 0x2a : 0x28;
	hf_put_be32(cdb + 2, (uint32_t)next_block(c));
	hf_put_be16(cdb + 7, (uint16_t)(c->o->size / c->block_bytes));
}

static void put_parameters(struct load_conn *c, struct load_slot *s)
{
	uint32_t crc = hf_crc32c(0, s->parameters, LOAD_PR_BYTES);

	memcpy(s->parameters + LOAD_PR_BYTES, &crc, 4);
	put_iov(c, s->parameters, LOAD_PR_BYTES + (c->data_digest ? 4 : 0));
}

static void start_slot(struct load_conn *c, uint32_t i, uint64_t now)
{
	struct load_slot *s = &c->slots[i];
	uint32_t size = c->o->size, immediate = 0;
	uint8_t flags = 0x80;

	memset(s->bhs, 0, sizeof(s->bhs));
	if (c->o->luns > 1 && c->o->op <= LOAD_TUR)
		s->lun = c->o->lun + c->next_lun++ % c->o->luns;
	switch (c->o->op) {
	case LOAD_READ:
		fill_rw(c, s->bhs + 32, false);
		flags = 0xc0;
		break;
	case LOAD_WRITE:
		fill_rw(c, s->bhs + 32, true);
		flags = 0xa0;
		immediate = HF_MIN(size, HF_MIN(c->max_send, c->first_burst));
		break;
	case LOAD_RESERVE:
		s->bhs[32] = s->step++ % 2 ? 0x17 : 0x16;
		size = 0;
		break;
	case LOAD_PERSIST:
		load_persist(c, s->bhs + 32, s->parameters, s->step++ % 2 ? 0x02 : 0x01);
		flags = 0xa0;
		size = immediate = LOAD_PR_BYTES;
		break;
	case LOAD_TUR:
		size = 0;
		break;
	}
	load_fill_bhs(c, s->bhs, i, s->lun, flags, size, immediate);
	s->start_ns = now;
	s->busy = true;
	c->out++;
	put_iov(c, s->bhs, head_bytes(c));
	if (c->o->op == LOAD_PERSIST)
		put_parameters(c, s);
	else if (immediate)
		put_data(c, 0, immediate);
}

static bool has_window(const struct load_conn *c)
{
	return (int32_t)(c->max_cmd_sn - c->cmd_sn) >= 0;
}

static void start_or_wait(struct load_conn *c, uint32_t i, uint64_t now)
{
	if (has_window(c))
		start_slot(c, i, now);
	else
		c->waiting[c->waiting_len++] = i;
}

void load_start(struct load_conn *c)
{
	uint64_t now = load_now();

	for (unsigned i = 0; i < c->o->depth; i++) {
		c->slots[i].lun = c->o->lun + i % c->o->luns;
		start_or_wait(c, i, now);
	}
}

void load_flush(struct load_conn *c)
{
	if (c->iov_len)
		load_send_all(c->fd, c->iov, c->iov_len);
	c->iov_len = c->headers_len = c->trailers_len = 0;
}

/* Data that an R2T asks for. */
static void solicited(struct load_conn *c, const uint8_t *r2t)
{
	uint32_t at = hf_get_be32(r2t + 40), left = hf_get_be32(r2t + 44), sn = 0;

	while (left) {
		uint32_t len = HF_MIN(left, c->max_send);
		uint8_t *bhs;

		if (c->headers_len == LOAD_HEADERS || c->trailers_len == LOAD_HEADERS)
			load_flush(c);
		bhs = c->headers[c->headers_len++];
		memset(bhs, 0, LOAD_BHS);
		bhs[0] = 0x05;
		bhs[1] = len == left ? 0x80 : 0;
		hf_put_be24(bhs + 5, len);
		memcpy(bhs + 8, r2t + 8, 16); /* LUN, both tags */
		hf_put_be32(bhs + 28, c->exp_stat_sn);
		hf_put_be32(bhs + 36, sn++);
		hf_put_be32(bhs + 40, at);
		if (c->header_digest) {
			uint32_t crc = hf_crc32c(0, bhs, LOAD_BHS);

			memcpy(bhs + LOAD_BHS, &crc, 4);
		}
		put_iov(c, bhs, head_bytes(c));
		put_data(c, at, len);
		at += len;
		left -= len;
	}
}

static void answered(
	struct load_conn *c, struct load_result *r, const uint8_t *bhs, uint64_t now, bool renew)
{
	uint32_t i = hf_get_be32(bhs + 16);
	struct load_slot *s;

	if (i >= c->o->depth || !c->slots[i].busy)
		load_die("an answer to a command that is not out: tag %08x", i);
	s = &c->slots[i];
	s->busy = false;
	c->out--;
	if (bhs[3] != 0) {
		r->failed++;
		if (r->failed == 1)
			fprintf(stderr, "hf-load: a command ended with status %02xh\n", bhs[3]);
	}
	load_count(r, now - s->start_ns);
	if (renew)
		start_or_wait(c, i, now);
}

/* One header; returns the bytes of data, padding and digest behind it. */
static size_t deal_with(
	struct load_conn *c, struct load_result *r, const uint8_t *bhs, uint64_t now, bool renew)
{
	uint32_t len = hf_get_be24(bhs + 5);
	size_t behind = len ? HF_ROUND_UP(len, 4) + (c->data_digest ? 4 : 0) : 0;

	c->max_cmd_sn = hf_get_be32(bhs + 32);
	switch (bhs[0] & 0x3f) {
	case 0x25: /* Data-In; the status is in the last one, or in a response that follows */
		if (!(bhs[1] & 1))
			break;
		/* fall through */
	case 0x21:
		c->exp_stat_sn = hf_get_be32(bhs + 24) + 1;
		answered(c, r, bhs, now, renew);
		break;
	case 0x31:
		solicited(c, bhs);
		break;
	case 0x20: /* a ping that wants an answer would need one: runs are short */
		break;
	default:
		load_die("unexpected PDU %02xh", bhs[0]);
	}
	return behind;
}

static void parse(struct load_conn *c, struct load_result *r, uint64_t now, bool renew)
{
	while (c->rx_to - c->rx_from >= head_bytes(c)) {
		const uint8_t *bhs = c->rx + c->rx_from;
		size_t behind;

		c->rx_from += head_bytes(c);
		behind = deal_with(c, r, bhs, now, renew);
		c->rx_skip = behind - HF_MIN(behind, c->rx_to - c->rx_from);
		c->rx_from += behind - c->rx_skip;
	}
	if (c->rx_from == c->rx_to)
		c->rx_from = c->rx_to = 0;
	else if (c->rx_from) {
		memmove(c->rx, c->rx + c->rx_from, c->rx_to - c->rx_from);
		c->rx_to -= c->rx_from;
		c->rx_from = 0;
	}
}

bool load_receive(struct load_conn *c, struct load_result *r, bool block, bool renew)
{
	ssize_t n =
		recv(c->fd, c->rx + c->rx_to, LOAD_RX_BYTES - c->rx_to, block ? 0 : MSG_DONTWAIT);
	uint64_t now;

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		load_die("receiving: %s", n ? strerror(errno) : "closed by the target");
	now = load_now();
	c->rx_to += (size_t)n;
	if (c->rx_skip) {
		size_t skip = HF_MIN(c->rx_skip, c->rx_to);

		c->rx_skip -= skip;
		c->rx_from = skip;
	}
	parse(c, r, now, renew);
	for (unsigned i = 0; i < c->waiting_len && has_window(c); i++) {
		start_slot(c, c->waiting[i], now);
		memmove(c->waiting + i, c->waiting + i + 1,
			(--c->waiting_len - i) * sizeof(c->waiting[0]));
		i--;
	}
	load_flush(c);
	return true;
}
