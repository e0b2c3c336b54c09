/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records on the voting disks, pure half: where copies lie, how one looks, and what follows from
 * the copies that were read (doc/on-disk-format.md). record_io.c does the reading and writing.
 *
 * A copy is a header of 96 bytes and the payload, in 4 KiB blocks of its own; only blocks in use
 * are written. The checksum covers header and payload, and the header names disk, cluster, record
 * and position: a copy that is torn, or came to lie where it does not belong, is no copy. The copy
 * that is newest stays untouched while the other one is written, so that there is always one.
 */
#ifndef HF_LDEV_RECORD_H
#define HF_LDEV_RECORD_H

#include "format.h"

#define HF_RECORD_HEAD_BYTES 96u
#define HF_RECORD_COPIES     2u
#define HF_RECORD_DISKS_MAX  3u

/* Which record, on which disk. */
struct hf_record_place {
	enum hf_record_kind kind;
	uint32_t index;
	const struct hf_label *label; /* of the voting disk */
};

struct hf_record_head {
	uint64_t generation;
	uint64_t promised; /* no writer goes below this from here on: see
			      hf_record_next_generation() */
	uint32_t owner;
	uint32_t len; /* of the payload */
	uint32_t crc;
};

/* What is known of one copy. */
enum hf_record_copy {
	HF_RECORD_COPY_UNREAD,	/* I/O error, or the disk is missing */
	HF_RECORD_COPY_BLANK,	/* all zero: as `disk init` left it */
	HF_RECORD_COPY_INVALID, /* torn, damaged, or not meant for this place */
	HF_RECORD_COPY_HEADED,	/* the head is plausible; the checksum wants the rest */
	HF_RECORD_COPY_VALID,
};

/* The owner of a copy that holds a promise on a disk whose content is lost, and no content. */
#define HF_RECORD_OWNER_LOST UINT32_MAX

/* What one disk says. */
enum hf_record_answer {
	HF_RECORD_ANSWER_NONE,	/* unreadable, in whole or in part */
	HF_RECORD_ANSWER_NEVER, /* never written, or the very first write was torn */
	HF_RECORD_ANSWER_LOST,	/* blocks are there, but none valid; or only a promise after that */
	HF_RECORD_ANSWER_VALID,
};

struct hf_record_disk {
	enum hf_record_copy copies[HF_RECORD_COPIES];
	struct hf_record_head heads[HF_RECORD_COPIES]; /* where HEADED or VALID */
	enum hf_record_answer answer;
	int best;	 /* VALID: the copy with the higher generation */
	uint64_t digest; /* VALID: of its owner and payload */
};

uint64_t hf_record_copy_bytes(enum hf_record_kind kind);
uint64_t hf_record_offset(enum hf_record_kind kind, uint32_t index, unsigned copy);
/* Bytes of the blocks that a payload of this length takes. */
size_t hf_record_image_bytes(size_t len);

/*
 * Makes the head of image (HF_RECORD_HEAD_BYTES, payload of `len` bytes behind it) for one disk
 * and copy; generation, owner and len as in head, head->crc is filled in.
 */
void hf_record_seal(const struct hf_record_place *place, unsigned copy, struct hf_record_head *head,
	const uint8_t *payload, uint8_t ret[HF_RECORD_HEAD_BYTES]);
/* Looks at the first block of a copy. A record of one block is VALID or INVALID at once. */
enum hf_record_copy hf_record_look(const struct hf_record_place *place, unsigned copy,
	const uint8_t block[HF_FORMAT_BLOCK_BYTES], struct hf_record_head *ret);
/* The same with all blocks of the image: VALID or INVALID. */
enum hf_record_copy hf_record_look_whole(const struct hf_record_place *place, unsigned copy,
	const uint8_t *image, size_t image_len, struct hf_record_head *ret);

/*
 * Which copy of a disk has to be looked at as a whole next, or -1: then disk->answer and ->best
 * are set.
 */
int hf_record_judge(struct hf_record_disk *disk);
/*
 * The copy to write next: never the one that is best. -1: none can be written without risk to the
 * other, for nothing is known of either.
 */
int hf_record_target(const struct hf_record_disk *disk);

struct hf_record_verdict {
	int result; /* 0: read disk `winner`, or never written (-1); -EIO; -EBADMSG */
	int winner;
	bool scattered; /* fewer than most disks have it, or one that is not seen may have another
			 */
};

/* What most of `disks_len` voting disks say together. */
struct hf_record_verdict hf_record_decide(const struct hf_record_disk *disks, unsigned disks_len);
/*
 * All disks are readable and most have the highest number that any of them has. Otherwise the
 * generation of a write has to be promised by most of them first.
 */
bool hf_record_is_settled(const struct hf_record_disk *disks, unsigned disks_len);
/*
 * Generation for the next write: above all that is known or promised, and above what a disk that is
 * not seen may have got of one write that most never heard of. Several such writes, each with
 * another disk missing, would outrun any distance; that is what a promise is for: the generation is
 * written down on most disks, beside the content that each has, before any of them gets the new
 * content. So whoever comes next, with whichever disk missing, goes above it.
 */
uint64_t hf_record_next_generation(const struct hf_record_disk *disks, unsigned disks_len);
/* The highest promise that is known. */
uint64_t hf_record_promised(const struct hf_record_disk *disks, unsigned disks_len);

#endif
