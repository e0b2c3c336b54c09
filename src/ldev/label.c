/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The label of a physical device as one 4096-byte block, and the sizes that follow from it. Pure.
 * Magic, format version and checksum stay where they are in every format to come, so that an old
 * program can tell a newer label from a damaged one.
 */
#include "bytes.h"
#include "checksum.h"
#include "format.h"
#include "say.h"

static const uint8_t label_magic[8] = {'H', 'O', 'L', 'D', 'F', 'A', 'S', 'T'};

enum {
	LABEL_FLAG_VOTING = 1,
	LABEL_CRC_OFFSET = HF_FORMAT_BLOCK_BYTES - 4,
};

void hf_cluster_id(const char *cluster_name, uint8_t ret[HF_POOL_UUID_BYTES])
{
	/* FNV-1a of 128 bits: two names of different clusters shall not meet by accident. */
	unsigned __int128 h = (unsigned __int128)0x6c62272e07bb0142u << 64 | 0x62b821756295c58du;
	const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;

	for (const char *p = cluster_name; *p; p++) {
		h ^= (uint8_t)*p;
		h *= prime;
	}
	hf_put_be64(ret, (uint64_t)(h >> 64));
	hf_put_be64(ret + 8, (uint64_t)h);
}

bool hf_name_is_valid(const char name[HF_NAME_MAX + 1])
{
	size_t len = strnlen(name, HF_NAME_MAX + 1);

	if (!len || len > HF_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool plain =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && (!i || !strchr("._-:", c)))
			return false;
	}
	return true;
}

uint64_t hf_format_data_offset(uint64_t size_bytes, bool voting)
{
	uint64_t slots = size_bytes / 16 / HF_FORMAT_SLOT_PITCH_BYTES;

	if (!voting)
		return HF_FORMAT_EXTENT_BYTES;
	slots = HF_MAX(slots, (uint64_t)HF_FORMAT_SLOTS_MIN);
	slots = HF_MIN(slots, (uint64_t)HF_LDEVS_MAX);
	return HF_ROUND_UP(HF_FORMAT_SLOTS_OFFSET + slots * HF_FORMAT_SLOT_PITCH_BYTES,
		HF_FORMAT_EXTENT_BYTES);
}

void hf_label_encode(const struct hf_label *l, uint8_t block[4096])
{
	struct hf_wr w = hf_wr_of(block, HF_FORMAT_BLOCK_BYTES);
	size_t name_len = strnlen(l->name, HF_NAME_MAX);

	hf_wr_bytes(&w, label_magic, sizeof(label_magic));
	hf_wr_u32(&w, l->format_version);
	hf_wr_bytes(&w, l->uuid, HF_POOL_UUID_BYTES);
	hf_wr_bytes(&w, l->cluster, HF_POOL_UUID_BYTES);
	hf_wr_u64(&w, l->size_bytes);
	hf_wr_u64(&w, l->data_offset_bytes);
	hf_wr_u32(&w, l->block_bytes);
	hf_wr_u32(&w, l->voting ? LABEL_FLAG_VOTING : 0);
	hf_wr_bytes(&w, l->name, name_len);
	hf_wr_zero(&w, LABEL_CRC_OFFSET - hf_wr_len(&w));
	hf_wr_u32(&w, hf_crc32c(0, block, LABEL_CRC_OFFSET));
	hf_assert(!hf_wr_failed(&w));
}

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* What a sound program can have written; a label that is none of it is treated as damaged. */
static bool label_is_sane(const struct hf_label *l, uint32_t flags)
{
	size_t name_len = strnlen(l->name, sizeof(l->name));

	return !(flags & ~(uint32_t)LABEL_FLAG_VOTING) && hf_name_is_valid(l->name) &&
	       is_zero((const uint8_t *)l->name + name_len, sizeof(l->name) - name_len) &&
	       !is_zero(l->uuid, HF_POOL_UUID_BYTES) &&
	       (l->block_bytes == 512 || l->block_bytes == 4096) &&
	       l->data_offset_bytes >= HF_FORMAT_EXTENT_BYTES &&
	       l->data_offset_bytes % HF_FORMAT_EXTENT_BYTES == 0 &&
	       l->size_bytes <= UINT64_MAX / 2 &&
	       l->size_bytes >= l->data_offset_bytes + HF_FORMAT_EXTENT_BYTES &&
	       (!l->voting || hf_format_slots(l->data_offset_bytes) >= HF_FORMAT_SLOTS_MIN);
}

int hf_label_decode(
	const uint8_t block[4096], struct hf_label *ret, char *message, size_t message_len)
{
	struct hf_rd r = hf_rd_of(block, HF_FORMAT_BLOCK_BYTES);
	const uint8_t *magic = hf_rd_take(&r, sizeof(label_magic));
	struct hf_label l = {0};
	uint32_t flags;

	if (memcmp(magic, label_magic, sizeof(label_magic)) != 0) {
		hf_say(message, message_len,
			"the disk bears no Holdfast label; label it with `holdfast disk init`");
		return -ENOENT;
	}
	if (hf_get_be32(block + LABEL_CRC_OFFSET) != hf_crc32c(0, block, LABEL_CRC_OFFSET))
		goto damaged;
	l.format_version = hf_rd_u32(&r);
	if (l.format_version > HF_FORMAT_VERSION) {
		hf_say(message, message_len,
			"the disk's format version is %u and this program knows versions up to %u; "
			"use a newer Holdfast",
			l.format_version, HF_FORMAT_VERSION);
		return -EPROTO;
	}
	hf_rd_bytes(&r, l.uuid, HF_POOL_UUID_BYTES);
	hf_rd_bytes(&r, l.cluster, HF_POOL_UUID_BYTES);
	l.size_bytes = hf_rd_u64(&r);
	l.data_offset_bytes = hf_rd_u64(&r);
	l.block_bytes = hf_rd_u32(&r);
	flags = hf_rd_u32(&r);
	l.voting = flags & LABEL_FLAG_VOTING;
	hf_rd_bytes(&r, l.name, HF_NAME_MAX);
	if (!l.format_version || !label_is_sane(&l, flags) ||
		!is_zero(r.at, LABEL_CRC_OFFSET - (size_t)(r.at - block)))
		goto damaged;
	*ret = l;
	return 0;
damaged:
	hf_say(message, message_len,
		"the disk's Holdfast label is damaged; its other copy may be whole "
		"(doc/on-disk-format.md tells how to put it back)");
	return -EBADMSG;
}
