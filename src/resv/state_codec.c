/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state as bytes: whole (for a newcomer and for the digest) and what outlives power. One state
 * has one encoding, and decoding refuses all else, so a damaged or invented state is not taken.
 *
 *	whole:	 version 1 | flags 1 | generation 4 | attrs 1 | sanitize rtpi 2 |
 *		 [legacy: nexus | login 8] | body
 *	persist: version 1 | kind 1 | [image: body]
 *	body:	 type 1 | registrations 2 | that many of (nexus | key 8 | holds 1)
 */
#include "checksum.h"
#include "codec.h"

#define STATE_VERSION	2
#define PERSIST_VERSION 1

enum {
	FLAG_APTPL = 1,
	FLAG_LOST = 2,
	FLAG_RETIRED = 4,
	FLAG_LEGACY = 8,
	FLAGS_KNOWN = 15,
};

enum persist_kind {
	PERSIST_NONE = 0,  /* APTPL is not active */
	PERSIST_IMAGE = 1, /* the body follows */
	PERSIST_LOST = 2,  /* there was an image and it is lost */
};

#define HEAD_BYTES_MAX	       (9 + 240 + 8 + 3)
#define REGISTRATION_BYTES_MAX (1 + HF_RESV_NAME_SIZE + 6 + 2 + 8 + 1)

static void write_registration(struct hf_wr *w, const struct registration *reg)
{
	hf_wr_nexus(w, &reg->nexus);
	hf_wr_u64(w, reg->key);
	hf_wr_u8(w, reg->holds);
}

static void write_body_head(struct hf_wr *w, const struct hf_resv *r)
{
	hf_wr_u8(w, r->type);
	hf_wr_u16(w, (uint16_t)r->registrations_len);
}

static void write_body(struct hf_wr *w, const struct hf_resv *r)
{
	write_body_head(w, r);
	for (unsigned i = 0; i < r->registrations_len; i++)
		write_registration(w, &r->registrations[i]);
}

static void write_head(struct hf_wr *w, const struct hf_resv *r)
{
	hf_wr_u8(w, STATE_VERSION);
	hf_wr_u8(w, (uint8_t)(r->aptpl * FLAG_APTPL | r->lost * FLAG_LOST |
			      r->retired * FLAG_RETIRED | r->legacy_held * FLAG_LEGACY));
	hf_wr_u32(w, r->generation);
	hf_wr_u8(w, r->attrs);
	hf_wr_u16(w, r->sanitize_rtpi);
	if (r->legacy_held) {
		hf_wr_nexus(w, &r->legacy_holder);
		hf_wr_u64(w, r->legacy_login);
	}
}

int hf_resv_encode(const struct hf_resv *r, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	write_head(&w, r);
	write_body(&w, r);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

/* Over the same bytes as hf_resv_encode(), piece by piece. */
uint64_t hf_resv_digest(const struct hf_resv *r)
{
	uint8_t piece[HF_MAX(HEAD_BYTES_MAX, REGISTRATION_BYTES_MAX)];
	struct hf_wr w = hf_wr_of(piece, sizeof(piece));
	uint64_t digest;

	write_head(&w, r);
	write_body_head(&w, r);
	hf_assert(!hf_wr_failed(&w));
	digest = hf_digest64(0, piece, hf_wr_len(&w));
	for (unsigned i = 0; i < r->registrations_len; i++) {
		w = hf_wr_of(piece, sizeof(piece));
		write_registration(&w, &r->registrations[i]);
		hf_assert(!hf_wr_failed(&w));
		digest = hf_digest64(digest, piece, hf_wr_len(&w));
	}
	return digest;
}

/* A state in the making: everything but the registrations, which are read twice. */
struct head {
	uint8_t flags, type, attrs;
	uint16_t sanitize_rtpi;
	uint32_t generation;
	struct hf_nexus legacy_holder;
	uint64_t legacy_login;
	unsigned registrations_len;
};

static void read_body_head(struct hf_rd *rd, struct head *h)
{
	h->type = hf_rd_u8(rd);
	h->registrations_len = hf_rd_u16(rd);
}

static void read_head(struct hf_rd *rd, struct head *h)
{
	hf_rd_require(rd, hf_rd_u8(rd) == STATE_VERSION);
	h->flags = hf_rd_flags(rd, FLAGS_KNOWN);
	h->generation = hf_rd_u32(rd);
	h->attrs = hf_rd_u8(rd);
	h->sanitize_rtpi = hf_rd_u16(rd);
	hf_rd_require(rd, hf_resv_attrs_are_valid(h->attrs, h->sanitize_rtpi));
	if (h->flags & FLAG_LEGACY) {
		hf_rd_nexus(rd, &h->legacy_holder, false);
		h->legacy_login = hf_rd_u64(rd);
	}
	read_body_head(rd, h);
}

static void read_registration(struct hf_rd *rd, struct registration *reg)
{
	memset(reg, 0, sizeof(*reg));
	hf_rd_nexus(rd, &reg->nexus, false);
	reg->key = hf_rd_u64(rd);
	reg->holds = hf_rd_flags(rd, 1);
}

/* The invariants of state.h, before anything is stored. Takes a copy of the reader. */
static bool is_acceptable(const struct hf_resv *r, const struct head *h, struct hf_rd rd)
{
	bool single = h->type && !hf_resv_type_is_all_registrants(h->type);
	struct registration last = {0}, reg;
	unsigned holders = 0;

	if (h->registrations_len > r->config.registrations_max)
		return false;
	if (h->type && (!hf_resv_type_is_valid(h->type) || !h->registrations_len))
		return false;
	if (h->flags & FLAG_LOST && h->flags & (FLAG_APTPL | FLAG_RETIRED))
		return false;
	if (h->flags & (FLAG_LOST | FLAG_RETIRED) &&
		(h->registrations_len || h->flags & FLAG_LEGACY))
		return false;
	if (h->flags & FLAG_LEGACY && h->registrations_len)
		return false;
	for (unsigned i = 0; i < h->registrations_len && !hf_rd_failed(&rd); i++) {
		read_registration(&rd, &reg);
		if (!reg.key || (i && hf_nexus_compare(&last.nexus, &reg.nexus) >= 0))
			return false;
		holders += reg.holds;
		last = reg;
	}
	return !hf_rd_failed(&rd) && !hf_rd_left(&rd) && holders == single;
}

static void store(struct hf_resv *r, const struct head *h, struct hf_rd *rd)
{
	hf_resv_empty(r);
	r->aptpl = h->flags & FLAG_APTPL;
	r->lost = h->flags & FLAG_LOST;
	r->retired = h->flags & FLAG_RETIRED;
	r->generation = h->generation;
	hf_resv_set_attrs(r, h->attrs, h->sanitize_rtpi);
	if (h->flags & FLAG_LEGACY)
		hf_resv_set_legacy(r, &h->legacy_holder, h->legacy_login);
	r->type = h->type;
	r->registrations_len = h->registrations_len;
	for (unsigned i = 0; i < h->registrations_len; i++) {
		read_registration(rd, &r->registrations[i]);
		if (r->registrations[i].holds)
			r->holder_hint = i;
	}
	hf_assert(hf_resv_check(r));
}

int hf_resv_decode(struct hf_resv *r, const uint8_t *buf, size_t len)
{
	struct hf_rd rd = hf_rd_of(buf, len);
	struct head h = {0};

	read_head(&rd, &h);
	if (hf_rd_failed(&rd) || !is_acceptable(r, &h, rd))
		return -EBADMSG;
	store(r, &h, &rd);
	return 0;
}

int hf_resv_persist_encode(const struct hf_resv *r, uint8_t *buf, size_t cap)
{
	struct hf_wr w = hf_wr_of(buf, cap);

	hf_wr_u8(&w, PERSIST_VERSION);
	hf_wr_u8(&w, r->lost ? PERSIST_LOST : r->aptpl ? PERSIST_IMAGE : PERSIST_NONE);
	if (r->aptpl)
		write_body(&w, r);
	return hf_wr_failed(&w) ? -ENOSPC : (int)hf_wr_len(&w);
}

int hf_resv_persist_decode(struct hf_resv *r, const uint8_t *buf, size_t len)
{
	struct hf_rd rd = hf_rd_of(buf, len);
	struct head h = {0};
	uint8_t kind;

	hf_rd_require(&rd, hf_rd_u8(&rd) == PERSIST_VERSION);
	kind = hf_rd_u8(&rd);
	hf_rd_require(&rd, kind <= PERSIST_LOST);
	if (kind == PERSIST_LOST)
		h.flags = FLAG_LOST;
	if (kind == PERSIST_IMAGE) {
		h.flags = FLAG_APTPL;
		read_body_head(&rd, &h);
	}
	if (hf_rd_failed(&rd) || !is_acceptable(r, &h, rd))
		return -EBADMSG;
	store(r, &h, &rd);
	return 0;
}
