/* SPDX-License-Identifier: BSD-3-Clause */
/* Names as bytes: a length and as many characters. Shared by the codecs of map and pool op. */
#ifndef HF_LDEV_NAME_BYTES_H
#define HF_LDEV_NAME_BYTES_H

#include "bytes.h"
#include "hf_limits.h"

static inline void hf_name_put(struct hf_wr *w, const char *name)
{
	size_t len = strnlen(name, HF_NAME_MAX);

	hf_wr_u8(w, (uint8_t)len);
	hf_wr_bytes(w, name, len);
}

static inline void hf_name_get(struct hf_rd *r, char name[HF_NAME_MAX + 1])
{
	uint8_t len = hf_rd_u8(r);

	if (len > HF_NAME_MAX) {
		r->failed = true;
		return;
	}
	hf_rd_bytes(r, name, len);
	if (memchr(name, 0, len))
		r->failed = true;
}

#endif
