/* SPDX-License-Identifier: BSD-3-Clause */
/* Records on the voting disks, pure half: see record.h. */
#include "bytes.h"
#include "checksum.h"
#include "record.h"

static const uint8_t record_magic[8] = {'H', 'F', 'R', 'E', 'C', 'O', 'R', 'D'};

enum {
	RECORD_VERSION = 1,
	RECORD_CRC_OFFSET = HF_RECORD_HEAD_BYTES - 4,
};

/* Past this a generation is none: nothing counts that far, so the numbers cannot run out. */
#define GENERATION_MAX (UINT64_C(1) << 63)
/* More than a write and its taking back. */
#define GENERATION_LEAP 8

uint64_t hf_record_copy_bytes(enum hf_record_kind kind)
{
	switch (kind) {
	case HF_RECORD_VIEW:
	case HF_RECORD_RACE:
	case HF_RECORD_LEASE:
		return HF_FORMAT_BLOCK_BYTES;
	case HF_RECORD_MAP:
		return HF_FORMAT_MAP_COPY_BYTES;
	case HF_RECORD_SLOT:
		return HF_FORMAT_SLOT_COPY_BYTES;
	}
	return 0;
}

size_t hf_record_capacity(enum hf_record_kind kind)
{
	uint64_t bytes = hf_record_copy_bytes(kind);

	return bytes ? (size_t)bytes - HF_RECORD_HEAD_BYTES : 0;
}

uint64_t hf_record_offset(enum hf_record_kind kind, uint32_t index, unsigned copy)
{
	if (kind == HF_RECORD_VIEW)
		return HF_FORMAT_VIEW_OFFSET + copy * HF_FORMAT_VIEW_COPY_BYTES;
	if (kind == HF_RECORD_MAP)
		return HF_FORMAT_MAP_OFFSET + copy * HF_FORMAT_MAP_COPY_BYTES;
	if (kind == HF_RECORD_RACE || kind == HF_RECORD_LEASE)
		return (kind == HF_RECORD_RACE ? HF_FORMAT_RACE_OFFSET : HF_FORMAT_LEASE_OFFSET) +
		       (index * HF_RECORD_COPIES + copy) * HF_FORMAT_BLOCK_BYTES;
	return HF_FORMAT_SLOTS_OFFSET + index * HF_FORMAT_SLOT_PITCH_BYTES +
	       copy * HF_FORMAT_SLOT_COPY_BYTES;
}

size_t hf_record_image_bytes(size_t len)
{
	return HF_ROUND_UP(HF_RECORD_HEAD_BYTES + len, (size_t)HF_FORMAT_BLOCK_BYTES);
}

void hf_record_seal(const struct hf_record_place *place, unsigned copy, struct hf_record_head *head,
	const uint8_t *payload, uint8_t ret[HF_RECORD_HEAD_BYTES])
{
	struct hf_wr w = hf_wr_of(ret, HF_RECORD_HEAD_BYTES);

	hf_wr_bytes(&w, record_magic, sizeof(record_magic));
	hf_wr_u16(&w, RECORD_VERSION);
	hf_wr_u16(&w, (uint16_t)place->kind);
	hf_wr_u32(&w, place->index);
	hf_wr_bytes(&w, place->label->uuid, HF_POOL_UUID_BYTES);
	hf_wr_bytes(&w, place->label->cluster, HF_POOL_UUID_BYTES);
	hf_wr_u64(&w, hf_record_offset(place->kind, place->index, copy));
	hf_wr_u64(&w, head->generation);
	hf_wr_u32(&w, head->owner);
	hf_wr_u32(&w, head->len);
	hf_wr_u64(&w, head->promised);
	hf_wr_zero(&w, RECORD_CRC_OFFSET - hf_wr_len(&w));
	head->crc = hf_crc32c(hf_crc32c(0, ret, RECORD_CRC_OFFSET), payload, head->len);
	hf_wr_u32(&w, head->crc);
	hf_assert(!hf_wr_failed(&w) && hf_wr_len(&w) == HF_RECORD_HEAD_BYTES);
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return !p[0] && memcmp(p, p + 1, len - 1) == 0;
}

/* The head alone, checksum apart. */
static bool head_is_plausible(const struct hf_record_place *place, unsigned copy,
	const uint8_t block[HF_FORMAT_BLOCK_BYTES], struct hf_record_head *ret)
{
	struct hf_rd r = hf_rd_of(block, HF_RECORD_HEAD_BYTES);
	bool ok = memcmp(hf_rd_take(&r, 8), record_magic, 8) == 0;

	ok &= hf_rd_u16(&r) == RECORD_VERSION;
	ok &= hf_rd_u16(&r) == place->kind;
	ok &= hf_rd_u32(&r) == place->index;
	ok &= memcmp(hf_rd_take(&r, HF_POOL_UUID_BYTES), place->label->uuid, HF_POOL_UUID_BYTES) ==
	      0;
	ok &= memcmp(hf_rd_take(&r, HF_POOL_UUID_BYTES), place->label->cluster,
		      HF_POOL_UUID_BYTES) == 0;
	ok &= hf_rd_u64(&r) == hf_record_offset(place->kind, place->index, copy);
	ret->generation = hf_rd_u64(&r);
	ret->owner = hf_rd_u32(&r);
	ret->len = hf_rd_u32(&r);
	ret->promised = hf_rd_u64(&r);
	ret->crc = hf_get_be32(block + RECORD_CRC_OFFSET);
	return ok && ret->generation && ret->generation < GENERATION_MAX &&
	       ret->promised < GENERATION_MAX && ret->len <= hf_record_capacity(place->kind);
}

enum hf_record_copy hf_record_look_whole(const struct hf_record_place *place, unsigned copy,
	const uint8_t *image, size_t image_len, struct hf_record_head *ret)
{
	uint32_t crc;

	if (image_len < HF_FORMAT_BLOCK_BYTES || !head_is_plausible(place, copy, image, ret) ||
		image_len < HF_RECORD_HEAD_BYTES + ret->len)
		return HF_RECORD_COPY_INVALID;
	crc = hf_crc32c(0, image, RECORD_CRC_OFFSET);
	crc = hf_crc32c(crc, image + HF_RECORD_HEAD_BYTES, ret->len);
	return crc == ret->crc ? HF_RECORD_COPY_VALID : HF_RECORD_COPY_INVALID;
}

enum hf_record_copy hf_record_look(const struct hf_record_place *place, unsigned copy,
	const uint8_t block[HF_FORMAT_BLOCK_BYTES], struct hf_record_head *ret)
{
	if (is_zero(block, HF_FORMAT_BLOCK_BYTES))
		return HF_RECORD_COPY_BLANK;
	if (!head_is_plausible(place, copy, block, ret))
		return HF_RECORD_COPY_INVALID;
	if (hf_record_image_bytes(ret->len) > HF_FORMAT_BLOCK_BYTES)
		return HF_RECORD_COPY_HEADED;
	return hf_record_look_whole(place, copy, block, HF_FORMAT_BLOCK_BYTES, ret);
}

static bool is_headed(enum hf_record_copy c)
{
	return c == HF_RECORD_COPY_HEADED || c == HF_RECORD_COPY_VALID;
}

/* Of two with one generation, which have the same content, the later one has the promise. */
static bool is_newer(const struct hf_record_head *a, const struct hf_record_head *b)
{
	return a->generation > b->generation ||
	       (a->generation == b->generation && a->promised > b->promised);
}

int hf_record_judge(struct hf_record_disk *disk)
{
	const enum hf_record_copy *c = disk->copies;
	int best = -1;

	for (int i = 0; i < (int)HF_RECORD_COPIES; i++)
		if (is_headed(c[i]) && (best < 0 || is_newer(&disk->heads[i], &disk->heads[best])))
			best = i;
	if (best >= 0 && c[best] == HF_RECORD_COPY_HEADED)
		return best;
	disk->best = best;
	if (c[0] == HF_RECORD_COPY_UNREAD || c[1] == HF_RECORD_COPY_UNREAD)
		disk->answer = HF_RECORD_ANSWER_NONE;
	else if (best >= 0)
		disk->answer = disk->heads[best].owner == HF_RECORD_OWNER_LOST
				       ? HF_RECORD_ANSWER_LOST
				       : HF_RECORD_ANSWER_VALID;
	else if (c[1] == HF_RECORD_COPY_BLANK)
		/* Copy 0 is the first one ever written; what is torn there was never acknowledged.
		 */
		disk->answer = HF_RECORD_ANSWER_NEVER;
	else
		disk->answer = HF_RECORD_ANSWER_LOST;
	return -1;
}

int hf_record_target(const struct hf_record_disk *disk)
{
	bool unread[] = {
		disk->copies[0] == HF_RECORD_COPY_UNREAD, disk->copies[1] == HF_RECORD_COPY_UNREAD};

	if (unread[0] && unread[1])
		return -1;
	if (disk->best >= 0)
		return !disk->best;
	return unread[1] ? 1 : 0;
}

/* How many disks have what disk i has. */
static unsigned holders(const struct hf_record_disk *disks, unsigned disks_len, unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 0; k < disks_len; k++)
		n += disks[k].answer == HF_RECORD_ANSWER_VALID &&
		     disks[k].heads[disks[k].best].generation ==
			     disks[i].heads[disks[i].best].generation &&
		     disks[k].digest == disks[i].digest;
	return n;
}

struct hf_record_verdict hf_record_decide(const struct hf_record_disk *disks, unsigned disks_len)
{
	struct hf_record_verdict v = {.winner = -1};
	unsigned most = disks_len / 2 + 1, readable = 0, sound = 0, have = 0;
	uint64_t top = 0;

	for (unsigned i = 0; i < disks_len; i++) {
		readable += disks[i].answer != HF_RECORD_ANSWER_NONE;
		sound += disks[i].answer == HF_RECORD_ANSWER_VALID ||
			 disks[i].answer == HF_RECORD_ANSWER_NEVER;
		if (disks[i].answer == HF_RECORD_ANSWER_VALID)
			top = HF_MAX(top, disks[i].heads[disks[i].best].generation);
	}
	if (readable < most || sound < most) {
		v.result = readable < most ? -EIO : -EBADMSG;
		return v;
	}
	for (unsigned i = 0; i < disks_len && top; i++) {
		unsigned n;

		if (disks[i].answer != HF_RECORD_ANSWER_VALID ||
			disks[i].heads[disks[i].best].generation != top)
			continue;
		n = holders(disks, disks_len, i);
		if (n > have) {
			v.winner = (int)i;
			have = n;
		} else if (n == have && disks[i].digest != disks[v.winner].digest) {
			/* Two writes with one generation: guessing would undo one of them. */
			v.winner = -1;
			v.result = -EBADMSG;
			return v;
		}
	}
	/* On a disk that does not answer there may be one that is higher, of a write cut short. */
	v.scattered = (top && have < most) || readable < disks_len;
	return v;
}

static bool all_known(const struct hf_record_disk *disks, unsigned disks_len)
{
	bool all = true;

	for (unsigned i = 0; i < disks_len; i++)
		all &= disks[i].answer == HF_RECORD_ANSWER_VALID ||
		       disks[i].answer == HF_RECORD_ANSWER_NEVER;
	return all;
}

uint64_t hf_record_promised(const struct hf_record_disk *disks, unsigned disks_len)
{
	uint64_t top = 0;

	for (unsigned i = 0; i < disks_len; i++)
		if (disks[i].best >= 0)
			top = HF_MAX(top, disks[i].heads[disks[i].best].promised);
	return top;
}

/* The highest number on one disk. */
static uint64_t highest(const struct hf_record_disk *disk)
{
	const struct hf_record_head *h = &disk->heads[disk->best >= 0 ? disk->best : 0];

	return disk->best >= 0 ? HF_MAX(h->generation, h->promised) : 0;
}

static uint64_t highest_of_all(const struct hf_record_disk *disks, unsigned disks_len)
{
	uint64_t top = 0;

	for (unsigned i = 0; i < disks_len; i++)
		top = HF_MAX(top, highest(&disks[i]));
	return top;
}

bool hf_record_is_settled(const struct hf_record_disk *disks, unsigned disks_len)
{
	uint64_t top = highest_of_all(disks, disks_len);
	unsigned have = 0;

	for (unsigned i = 0; i < disks_len; i++)
		have += highest(&disks[i]) == top;
	return all_known(disks, disks_len) && have >= disks_len / 2 + 1;
}

uint64_t hf_record_next_generation(const struct hf_record_disk *disks, unsigned disks_len)
{
	return highest_of_all(disks, disks_len) +
	       (all_known(disks, disks_len) ? 1 : GENERATION_LEAP);
}
