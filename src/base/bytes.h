/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounded readers and writers: every decoder and encoder of Holdfast goes through these, so that a
 * short or lying buffer sets a flag instead of touching memory. All numbers are big-endian.
 *
 *	struct hf_rd r = hf_rd_of(buf, len);
 *	x = hf_rd_u32(&r); hf_rd_bytes(&r, name, n);
 *	if (hf_rd_failed(&r)) return -EBADMSG;
 *
 * After the first failure all reads give zero and all writes are dropped.
 */
#ifndef HF_BYTES_H
#define HF_BYTES_H

#include "base.h"
#include "endian.h"

struct hf_rd {
	const uint8_t *at, *end;
	bool failed;
};

struct hf_wr {
	uint8_t *start, *at, *end;
	bool failed;
};

/* buf may be NULL when len is 0: the reader holds no NULL, for C knows no NULL + 0. */
static inline struct hf_rd hf_rd_of(const void *buf, size_t len)
{
	const uint8_t *at = len ? buf : (const void *)"";
	struct hf_rd r = {.at = at, .end = at + len};

	return r;
}

static inline size_t hf_rd_left(const struct hf_rd *r)
{
	return (size_t)(r->end - r->at);
}

static inline bool hf_rd_failed(const struct hf_rd *r)
{
	return r->failed;
}

/* The next n bytes in place (borrowed), NULL and failed when there are fewer. */
static inline const uint8_t *hf_rd_take(struct hf_rd *r, size_t n)
{
	const uint8_t *p = r->at;

	if (r->failed || hf_rd_left(r) < n) {
		r->failed = true;
		return NULL;
	}
	r->at += n;
	return p;
}

static inline uint8_t hf_rd_u8(struct hf_rd *r)
{
	const uint8_t *p = hf_rd_take(r, 1);

	return p ? *p : 0;
}

static inline uint16_t hf_rd_u16(struct hf_rd *r)
{
	const uint8_t *p = hf_rd_take(r, 2);

	return p ? hf_get_be16(p) : 0;
}

static inline uint32_t hf_rd_u32(struct hf_rd *r)
{
	const uint8_t *p = hf_rd_take(r, 4);

	return p ? hf_get_be32(p) : 0;
}

static inline uint64_t hf_rd_u64(struct hf_rd *r)
{
	const uint8_t *p = hf_rd_take(r, 8);

	return p ? hf_get_be64(p) : 0;
}

static inline void hf_rd_bytes(struct hf_rd *r, void *dst, size_t n)
{
	const uint8_t *p = hf_rd_take(r, n);

	if (p)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

static inline struct hf_wr hf_wr_of(void *buf, size_t cap)
{
	struct hf_wr w = {.start = buf, .at = buf, .end = cap ? (uint8_t *)buf + cap : buf};

	return w;
}

static inline size_t hf_wr_len(const struct hf_wr *w)
{
	return (size_t)(w->at - w->start);
}

static inline bool hf_wr_failed(const struct hf_wr *w)
{
	return w->failed;
}

/*
 * Room for n bytes, to be filled by the caller; NULL and failed when there is less. (The writers
 * below test `failed`, not the pointer: gcc 12 would follow the branch on which the whole buffer is
 * NULL and warn of writes there.)
 */
static inline uint8_t *hf_wr_take(struct hf_wr *w, size_t n)
{
	uint8_t *p = w->at;

	if (w->failed || (size_t)(w->end - w->at) < n) {
		w->failed = true;
		return NULL;
	}
	w->at += n;
	return p;
}

static inline void hf_wr_u8(struct hf_wr *w, uint8_t v)
{
	uint8_t *p = hf_wr_take(w, 1);

	if (!w->failed)
		*p = v;
}

static inline void hf_wr_u16(struct hf_wr *w, uint16_t v)
{
	uint8_t *p = hf_wr_take(w, 2);

	if (!w->failed)
		hf_put_be16(p, v);
}

static inline void hf_wr_u32(struct hf_wr *w, uint32_t v)
{
	uint8_t *p = hf_wr_take(w, 4);

	if (!w->failed)
		hf_put_be32(p, v);
}

static inline void hf_wr_u64(struct hf_wr *w, uint64_t v)
{
	uint8_t *p = hf_wr_take(w, 8);

	if (!w->failed)
		hf_put_be64(p, v);
}

static inline void hf_wr_bytes(struct hf_wr *w, const void *src, size_t n)
{
	uint8_t *p = hf_wr_take(w, n);

	if (!w->failed && n)
		memcpy(p, src, n);
}

static inline void hf_wr_zero(struct hf_wr *w, size_t n)
{
	uint8_t *p = hf_wr_take(w, n);

	if (!w->failed)
		memset(p, 0, n);
}

#endif
