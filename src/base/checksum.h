/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksums, computed by isa-l. */
#ifndef HF_CHECKSUM_H
#define HF_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC32C as iSCSI digests and on-disk records use it. Start with crc = 0 and pass the result of the
 * call before to continue over the next piece. The iSCSI digest is this value, little-endian on the
 * wire (RFC 7143, 13.1).
 */
uint32_t hf_crc32c(uint32_t crc, const void *buf, size_t len);

/* 64-bit state digest (CRC-64/ECMA, reflected). Start with 0, continue as above. */
uint64_t hf_digest64(uint64_t digest, const void *buf, size_t len);

#endif
