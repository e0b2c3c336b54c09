/* SPDX-License-Identifier: BSD-3-Clause */
/* The bus handshake: bytes and comparison. Keeps no state. */
#include "handshake.h"

#include "bytes.h"

#include <inttypes.h>
#include <stdio.h>

#define HELLO_MAGIC 0x48464255u /* "HFBU" */

const struct hf_bus_version hf_bus_versions[] = {
	{1, "pair protocol, ranges, view record, device copy"},
	{HF_BUS_VERSION_PICK, "the operator's pick of a stopped device"},
};
const unsigned hf_bus_versions_len = HF_ARRAY_LEN(hf_bus_versions);

static const char *const limit_names[HF_HELLO_LIMITS] = {
	"registrations per logical unit",
	"largest op in bytes",
	"logical devices",
	"controllers",
	"largest COMPARE AND WRITE in blocks",
};

void hf_hello_init(struct hf_hello *h)
{
	memset(h, 0, sizeof(*h));
	h->version_min = hf_bus_versions[0].number;
	h->version_max = hf_bus_versions[hf_bus_versions_len - 1].number;
	snprintf(h->build, sizeof(h->build), "%s", HF_VERSION);
	h->limits[0] = HF_REGISTRATIONS_MAX;
	h->limits[1] = HF_OP_MAX_BYTES;
	h->limits[2] = HF_LDEVS_MAX;
	h->limits[3] = HF_CONTROLLERS_MAX;
	h->limits[4] = HF_CAW_BLOCKS_MAX;
}

size_t hf_hello_encode(const struct hf_hello *h, uint8_t *buf)
{
	struct hf_wr w = hf_wr_of(buf, HF_HELLO_BYTES_MAX);

	hf_wr_u8(&w, HF_HELLO);
	hf_wr_u32(&w, HELLO_MAGIC);
	hf_wr_u16(&w, h->version_min);
	hf_wr_u16(&w, h->version_max);
	hf_wr_bytes(&w, h->cluster, sizeof(h->cluster));
	hf_wr_u8(&w, h->id);
	hf_wr_bytes(&w, h->build, sizeof(h->build));
	hf_wr_u8(&w, h->link);
	hf_wr_u64(&w, h->incarnation);
	hf_wr_u64(&w, h->config_digest);
	hf_wr_u64(&w, h->stream);
	hf_wr_u64(&w, h->peer_stream);
	hf_wr_u64(&w, h->stamp);
	for (unsigned i = 0; i < HF_HELLO_LIMITS; i++)
		hf_wr_u32(&w, h->limits[i]);
	hf_assert(!hf_wr_failed(&w));
	return hf_wr_len(&w);
}

/* A peer's text goes to our log: printable ASCII only. */
static void clean(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

int hf_hello_decode(const uint8_t *buf, size_t len, struct hf_hello *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_hello h = {0};

	if (hf_rd_u8(&r) != HF_HELLO || hf_rd_u32(&r) != HELLO_MAGIC)
		return -EBADMSG;
	h.version_min = hf_rd_u16(&r);
	h.version_max = hf_rd_u16(&r);
	hf_rd_bytes(&r, h.cluster, sizeof(h.cluster));
	h.id = hf_rd_u8(&r);
	hf_rd_bytes(&r, h.build, sizeof(h.build));
	h.build[sizeof(h.build) - 1] = '\0';
	clean(h.build);
	if (hf_rd_failed(&r) || h.version_min > h.version_max || h.version_min == 0)
		return -EBADMSG;
	if (h.version_min > hf_bus_versions[hf_bus_versions_len - 1].number) {
		*ret = h; /* nothing in common: what follows may have another shape */
		return 0;
	}
	h.link = hf_rd_u8(&r);
	h.incarnation = hf_rd_u64(&r);
	h.config_digest = hf_rd_u64(&r);
	h.stream = hf_rd_u64(&r);
	h.peer_stream = hf_rd_u64(&r);
	h.stamp = hf_rd_u64(&r);
	for (unsigned i = 0; i < HF_HELLO_LIMITS; i++)
		h.limits[i] = hf_rd_u32(&r);
	if (hf_rd_failed(&r) || h.stream == 0 || h.incarnation == 0)
		return -EBADMSG;
	*ret = h;
	return 0;
}

size_t hf_hello_accept_encode(const struct hf_hello_accept *a, uint8_t *buf)
{
	struct hf_wr w = hf_wr_of(buf, HF_HELLO_BYTES_MAX);

	hf_wr_u8(&w, HF_HELLO_ACCEPT);
	hf_wr_u16(&w, a->version);
	hf_wr_u64(&w, a->stream);
	hf_wr_u64(&w, a->stamp);
	return hf_wr_len(&w);
}

int hf_hello_accept_decode(const uint8_t *buf, size_t len, struct hf_hello_accept *ret)
{
	struct hf_rd r = hf_rd_of(buf, len);
	struct hf_hello_accept a;

	if (hf_rd_u8(&r) != HF_HELLO_ACCEPT)
		return -EBADMSG;
	a.version = hf_rd_u16(&r);
	a.stream = hf_rd_u64(&r);
	a.stamp = hf_rd_u64(&r);
	if (hf_rd_failed(&r))
		return -EBADMSG;
	*ret = a;
	return 0;
}

size_t hf_hello_refuse_encode(const char *sentence, uint8_t *buf)
{
	struct hf_wr w = hf_wr_of(buf, HF_HELLO_BYTES_MAX);

	hf_wr_u8(&w, HF_HELLO_REFUSE);
	hf_wr_bytes(&w, sentence, strnlen(sentence, HF_HELLO_SENTENCE_MAX - 1));
	return hf_wr_len(&w);
}

int hf_hello_refuse_decode(const uint8_t *buf, size_t len, char ret[HF_HELLO_SENTENCE_MAX])
{
	struct hf_rd r = hf_rd_of(buf, len);

	if (hf_rd_u8(&r) != HF_HELLO_REFUSE || hf_rd_left(&r) >= HF_HELLO_SENTENCE_MAX)
		return -EBADMSG;
	len = hf_rd_left(&r);
	hf_rd_bytes(&r, ret, len);
	ret[len] = '\0';
	clean(ret);
	return 0;
}

static int compare_versions(const struct hf_hello *own, const struct hf_hello *peer,
	uint16_t *ret_version, char *sentence)
{
	if (own->version_min <= peer->version_max && peer->version_min <= own->version_max) {
		*ret_version = HF_MIN(own->version_max, peer->version_max);
		return 0;
	}
	snprintf(sentence, HF_HELLO_SENTENCE_MAX,
		"bus protocol versions have nothing in common: controller %u (%s) speaks %u to %u, "
		"controller %u (%s) speaks %u to %u; upgrade the older one step by step",
		own->id, own->build, own->version_min, own->version_max, peer->id, peer->build,
		peer->version_min, peer->version_max);
	return -EPROTO;
}

static int compare_limits(const struct hf_hello *own, const struct hf_hello *peer, char *sentence)
{
	for (unsigned i = 0; i < HF_HELLO_LIMITS; i++) {
		if (own->limits[i] == peer->limits[i])
			continue;
		snprintf(sentence, HF_HELLO_SENTENCE_MAX,
			"a built-in limit differs (%s: %" PRIu32 " on controller %u, %" PRIu32
			" on controller %u); install the same build on both",
			limit_names[i], own->limits[i], own->id, peer->limits[i], peer->id);
		return -EINVAL;
	}
	return 0;
}

static int compare_ids(
	const struct hf_hello *own, uint8_t peer_id, const struct hf_hello *peer, char *sentence)
{
	if (peer->id == peer_id)
		return 0;
	if (peer->id == own->id)
		snprintf(sentence, HF_HELLO_SENTENCE_MAX,
			"both ends say that they are controller %u; give each controller its own "
			"id "
			"and check that the bus address of the peer is not an own one",
			own->id);
	else
		snprintf(sentence, HF_HELLO_SENTENCE_MAX,
			"controller %u expects controller %u here but controller %u answers; "
			"correct "
			"the ids or the bus addresses in the configuration",
			own->id, peer_id, peer->id);
	return -EEXIST;
}

int hf_hello_compare(const struct hf_hello *own, uint8_t peer_id, const struct hf_hello *peer,
	uint16_t *ret_version, char sentence[HF_HELLO_SENTENCE_MAX])
{
	uint16_t version;
	int ret;

	if (memcmp(own->cluster, peer->cluster, sizeof(own->cluster)) != 0) {
		snprintf(sentence, HF_HELLO_SENTENCE_MAX,
			"controller %u and controller %u belong to different clusters; correct the "
			"cluster name or the bus addresses in the configuration",
			own->id, peer->id);
		return -EXDEV;
	}
	ret = compare_versions(own, peer, &version, sentence);
	if (ret == 0)
		ret = compare_ids(own, peer_id, peer, sentence);
	if (ret == 0)
		ret = compare_limits(own, peer, sentence);
	if (ret < 0)
		return ret;
	if (own->config_digest != peer->config_digest) {
		snprintf(sentence, HF_HELLO_SENTENCE_MAX,
			"the configurations of controller %u (digest %016" PRIx64
			") and controller %u "
			"(digest %016" PRIx64 ") differ; make the cluster part of both files equal",
			own->id, own->config_digest, peer->id, peer->config_digest);
		return -EINVAL;
	}
	*ret_version = version;
	return 0;
}
