/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksums, computed by isa-l. */
#include "checksum.h"

#include <isa-l/crc.h>
#include <isa-l/crc64.h>

uint32_t hf_crc32c(uint32_t crc, const void *buf, size_t len)
{
	/* isa-l takes an int length and leaves both inversions to the caller. */
	const unsigned char *p = buf;

	crc = ~crc;
	while (len) {
		int piece = len > (1 << 30) ? 1 << 30 : (int)len;

		crc = crc32_iscsi((unsigned char *)p, piece, crc);
		p += piece;
		len -= (size_t)piece;
	}
	return ~crc;
}

uint64_t hf_digest64(uint64_t digest, const void *buf, size_t len)
{
	return len ? crc64_ecma_refl(digest, buf, len) : digest;
}
