/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where things lie on a labelled physical device (doc/on-disk-format.md). All offsets in bytes from
 * its start. Everything below the label's data offset belongs to Holdfast, everything from there on
 * to extents.
 */
#ifndef HF_LDEV_FORMAT_H
#define HF_LDEV_FORMAT_H

#include "pool.h"

#define HF_FORMAT_VERSION      1u
#define HF_FORMAT_BLOCK_BYTES  4096u
#define HF_FORMAT_EXTENT_BYTES (UINT64_C(1) << 20) /* alignment and unit of extents */

#define HF_FORMAT_LABEL_OFFSET	      UINT64_C(0)
#define HF_FORMAT_LABEL_BACKUP_OFFSET UINT64_C(0xff000)
/* From here on only voting disks have metadata; others have extents. */
#define HF_FORMAT_VIEW_OFFSET	  UINT64_C(0x100000)
#define HF_FORMAT_VIEW_COPY_BYTES UINT64_C(0x10000)
/* Two copies of one block side by side for each controller id. */
#define HF_FORMAT_RACE_OFFSET	   UINT64_C(0x120000)
#define HF_FORMAT_LEASE_OFFSET	   UINT64_C(0x150000)
#define HF_FORMAT_MAP_OFFSET	   UINT64_C(0x200000)
#define HF_FORMAT_MAP_COPY_BYTES   UINT64_C(0x80000)
#define HF_FORMAT_SLOTS_OFFSET	   UINT64_C(0x300000)
#define HF_FORMAT_SLOT_COPY_BYTES  UINT64_C(0x10000)
#define HF_FORMAT_SLOT_PITCH_BYTES (2 * HF_FORMAT_SLOT_COPY_BYTES)

#define HF_FORMAT_SLOTS_MIN 16u

/* How many APTPL slots a voting disk with this data offset has room for. */
static inline unsigned hf_format_slots(uint64_t data_offset_bytes)
{
	uint64_t n;

	if (data_offset_bytes <= HF_FORMAT_SLOTS_OFFSET)
		return 0;
	n = (data_offset_bytes - HF_FORMAT_SLOTS_OFFSET) / HF_FORMAT_SLOT_PITCH_BYTES;
	return (unsigned)HF_MIN(n, (uint64_t)HF_LDEVS_MAX);
}

/* First byte for extents on a disk of this size: at most a sixteenth of it goes to slots, but
 * never fewer than HF_FORMAT_SLOTS_MIN of them. */
uint64_t hf_format_data_offset(uint64_t size_bytes, bool voting);

/* A name of a disk or device: letters, digits, and . _ - : after the first character. */
bool hf_name_is_valid(const char name[HF_NAME_MAX + 1]);

#endif
