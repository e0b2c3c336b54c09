/* SPDX-License-Identifier: BSD-3-Clause */
/* Unaligned loads and stores of big-endian (SCSI, iSCSI, bus) and little-endian (disk) numbers. */
#ifndef HF_ENDIAN_H
#define HF_ENDIAN_H

#include <stdint.h>
#include <string.h>

static inline uint16_t hf_get_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return __builtin_bswap16(v);
}

static inline uint32_t hf_get_be24(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
}

static inline uint32_t hf_get_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t hf_get_be48(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t)hf_get_be16(b) << 32 | hf_get_be32(b + 2);
}

static inline uint64_t hf_get_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline void hf_put_be16(void *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, 2);
}

static inline void hf_put_be24(void *p, uint32_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 16);
	b[1] = (uint8_t)(v >> 8);
	b[2] = (uint8_t)v;
}

static inline void hf_put_be32(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

static inline void hf_put_be48(void *p, uint64_t v)
{
	hf_put_be16(p, (uint16_t)(v >> 32));
	hf_put_be32((uint8_t *)p + 2, (uint32_t)v);
}

static inline void hf_put_be64(void *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

#endif
