/* SPDX-License-Identifier: BSD-3-Clause */
/* Names, ports and nexuses as bytes. Reading accepts exactly what writing makes (canonical). */
#include "codec.h"

void hf_rd_require(struct hf_rd *r, bool cond)
{
	r->failed |= !cond;
}

uint8_t hf_rd_flags(struct hf_rd *r, uint8_t known)
{
	uint8_t flags = hf_rd_u8(r);

	hf_rd_require(r, !(flags & ~known));
	return flags;
}

void hf_wr_port_id(struct hf_wr *w, const struct hf_port_id *id)
{
	size_t len = strnlen(id->name, HF_RESV_NAME_SIZE - 1);
	uint8_t *name;

	hf_wr_u8(w, (uint8_t)len);
	name = hf_wr_take(w, len);
	if (!hf_wr_failed(w)) {
		uint64_t word;
		size_t i = 0;

		for (; i + sizeof(word) <= len; i += sizeof(word)) {
			memcpy(&word, id->name + i, sizeof(word));
			word = hf_name_lower_word(word);
			memcpy(name + i, &word, sizeof(word));
		}
		for (; i < len; i++)
			name[i] = (uint8_t)hf_name_lower(id->name[i]);
	}
	hf_wr_u16(w, (uint16_t)(id->isid >> 32));
	hf_wr_u32(w, (uint32_t)id->isid);
}

void hf_rd_port_id(struct hf_rd *r, struct hf_port_id *ret, bool can_be_empty)
{
	size_t len = hf_rd_u8(r);
	const char *name = (const char *)hf_rd_take(r, len);
	uint64_t isid = (uint64_t)hf_rd_u16(r) << 32;

	isid |= hf_rd_u32(r);
	memset(ret, 0, sizeof(*ret));
	if (hf_rd_failed(r))
		return;
	if (!len && can_be_empty) {
		ret->isid = isid;
		return;
	}
	hf_rd_require(r, !hf_port_id_set(ret, name, len, isid) && !memcmp(ret->name, name, len));
}

void hf_wr_nexus(struct hf_wr *w, const struct hf_nexus *nexus)
{
	hf_wr_port_id(w, &nexus->init);
	hf_wr_u16(w, nexus->rtpi);
}

void hf_rd_nexus(struct hf_rd *r, struct hf_nexus *ret, bool can_be_empty)
{
	hf_rd_port_id(r, &ret->init, can_be_empty);
	ret->rtpi = hf_rd_u16(r);
}
