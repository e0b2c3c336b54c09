/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages of the group engine, and the entries in them: what decodes encodes to the same. */
#include "group_msg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void entries(const uint8_t *body, size_t len)
{
	static uint8_t out[HF_GROUP_DEV_ENTRY_MAX];
	struct hf_group_dev_entry e;
	int n;

	for (size_t at = 0; at < len; at += (size_t)n) {
		n = hf_group_dev_entry_decode(body + at, len - at, &e);
		if (n < 0)
			return;
		hf_assert(n > 0 && (size_t)n <= len - at);
		hf_assert(hf_group_dev_entry_encode(&e, out, sizeof(out)) == n);
	}
}

static void ranges(const uint8_t *body, size_t len)
{
	uint8_t out[HF_GROUP_RANGE_ENTRY_BYTES];
	struct hf_group_range_entry e;

	for (size_t at = 0; at < len; at += HF_GROUP_RANGE_ENTRY_BYTES) {
		if (hf_group_range_entry_decode(body + at, len - at, &e) < 0)
			return;
		hf_assert(hf_group_range_entry_encode(&e, out, sizeof(out)) == sizeof(out));
		hf_assert(memcmp(out, body + at, sizeof(out)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[HF_GROUP_MSG_MAX];
	struct hf_group_msg m, again;
	int n;

	if (hf_group_msg_decode(data, size, &m) < 0)
		return 0;
	hf_assert(strcmp(hf_group_msg_name(m.kind), "?"));
	n = hf_group_msg_encode(&m, out, sizeof(out));
	hf_assert(n > 0 && (size_t)n + m.body_len == size);
	if (m.body_len)
		memcpy(out + n, m.body, m.body_len);
	hf_assert(hf_group_msg_decode(out, size, &again) == 0);
	hf_assert(again.kind == m.kind && again.tag == m.tag && again.dev == m.dev);
	if (m.kind == HF_GROUP_MSG_DEVS)
		entries(m.body, m.body_len);
	else if (m.kind == HF_GROUP_MSG_RANGES)
		ranges(m.body, m.body_len);
	return 0;
}
