/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything that one controller tells another, and the view record, as bytes: no decoder reads too
 * far, and what one accepts is the only encoding of what it means. The first byte chooses.
 */
#include "handshake.h"
#include "range.h"
#include "view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t back[HF_PAIR_MSG_MAX];

static void same(int len, const uint8_t *data, size_t size)
{
	hf_assert(len == (int)size && !memcmp(back, data, size));
}

static void pair_msg(const uint8_t *data, size_t size)
{
	struct hf_pair_msg m;

	if (hf_pair_msg_decode(data, size, &m))
		return;
	hf_assert(strcmp(hf_pair_msg_name(m.kind), "?"));
	hf_assert(hf_pair_stop_text((enum hf_pair_stop)m.reason)[0]);
	same(hf_pair_msg_encode(&m, back, sizeof(back)), data, size);
	hf_assert(hf_pair_msg_encode(&m, back, size - 1) == -ENOSPC);
}

static void range_msg(const uint8_t *data, size_t size)
{
	struct hf_range_msg m;

	if (hf_range_msg_decode(data, size, &m))
		return;
	hf_assert(size <= HF_RANGE_MSG_MAX && strcmp(hf_range_msg_name(m.kind), "?"));
	same(hf_range_msg_encode(&m, back, HF_RANGE_MSG_MAX), data, size);
	hf_assert(hf_range_msg_encode(&m, back, size - 1) == -ENOSPC);
}

static void view_msg(const uint8_t *data, size_t size)
{
	static uint8_t twice[HF_VIEW_MSG_MAX];
	struct hf_view_msg m, again;
	int len;

	if (hf_view_msg_decode(data, size, &m))
		return;
	hf_assert(strcmp(hf_view_state_name(m.state), "unknown"));
	for (const char *c = m.sentence; *c; c++)
		hf_assert(*c >= 0x20 && *c < 0x7f);
	/* A sentence may have lost control characters; nothing else may change. */
	len = hf_view_msg_encode(&m, back, HF_VIEW_MSG_MAX);
	hf_assert(len == (int)size);
	hf_assert(!hf_view_msg_decode(back, (size_t)len, &again));
	hf_assert(hf_view_msg_encode(&again, twice, sizeof(twice)) == len);
	hf_assert(!memcmp(back, twice, (size_t)len));
}

static void view_record(const uint8_t *data, size_t size)
{
	struct hf_view_record r;

	if (hf_view_record_decode(data, size, &r))
		return;
	hf_assert(size <= HF_VIEW_RECORD_BYTES_MAX && r.epoch && r.members);
	same(hf_view_record_encode(&r, back, HF_VIEW_RECORD_BYTES_MAX), data, size);
	hf_assert(hf_view_record_encode(&r, back, size - 1) == -ENOSPC);
}

static void hello(const uint8_t *data, size_t size)
{
	struct hf_hello h, own, again;
	char sentence[HF_HELLO_SENTENCE_MAX];
	uint16_t version;
	size_t len;

	if (hf_hello_decode(data, size, &h))
		return;
	hf_hello_init(&own);
	for (uint8_t id = 1; id < 4; id++) {
		sentence[0] = '\0';
		own.id = id;
		if (hf_hello_compare(&own, 2, &h, &version, sentence))
			hf_assert(sentence[0] && strlen(sentence) < sizeof(sentence));
	}
	/* Two that agree in all that the comparison looks at may talk. */
	memcpy(own.cluster, h.cluster, sizeof(own.cluster));
	memcpy(own.limits, h.limits, sizeof(own.limits));
	own.config_digest = h.config_digest;
	own.version_min = h.version_min;
	own.version_max = h.version_max;
	own.id = h.id == 1 ? 2 : 1;
	hf_hello_compare(&own, h.id, &h, &version, sentence);
	/* What later versions append is passed over, the rest stays as it is. */
	len = hf_hello_encode(&h, back);
	hf_assert(len <= HF_HELLO_BYTES_MAX && !hf_hello_decode(back, len, &again));
	hf_assert(hf_hello_encode(&again, back) == len);
}

static void accept_or_refuse(const uint8_t *data, size_t size)
{
	char sentence[HF_HELLO_SENTENCE_MAX];
	struct hf_hello_accept a, again;
	size_t len;

	if (!hf_hello_accept_decode(data, size, &a)) {
		len = hf_hello_accept_encode(&a, back);
		hf_assert(!hf_hello_accept_decode(back, len, &again));
		hf_assert(a.version == again.version && a.stream == again.stream);
	}
	if (hf_hello_refuse_decode(data, size, sentence))
		return;
	hf_assert(memchr(sentence, 0, sizeof(sentence)));
	for (const char *c = sentence; *c; c++)
		hf_assert((unsigned char)*c >= 0x20 && *c != 0x7f);
	len = hf_hello_refuse_encode(sentence, back);
	hf_assert(len <= HF_HELLO_BYTES_MAX && !hf_hello_refuse_decode(back, len, sentence));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const decoders[])(const uint8_t *data, size_t size) = {
		pair_msg, range_msg, view_msg, view_record, hello, accept_or_refuse};

	if (size)
		decoders[data[0] % HF_ARRAY_LEN(decoders)](data + 1, size - 1);
	return 0;
}
