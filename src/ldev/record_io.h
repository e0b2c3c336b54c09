/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Record I/O on the voting disks: what hf_pool_record_submit() does, without the pool around it,
 * so that tests can hand in disks of their own. One loop, its thread only; all memory is taken at
 * creation.
 *
 * A write: read both copies on all voting disks; write the older one with a higher generation on
 * all; done when most have it. If most fail, the old content goes to the same copies under a yet
 * higher generation, so that whichever of the two writes landed where, most disks say "old".
 *
 *	READ -> answer                                     a read
 *	READ -> [PROMISE ->] WRITE -> answer 0             a write (when a disk is missing:
 *record.h)
 *	             \-> RESTORE -> answer -EIO            most have the old content again
 *	                        \-> answer -EINPROGRESS    in doubt
 *
 * A disk that hangs while most others have answered is left alone after a while: its I/O lingers,
 * and new I/Os on records skip the disk until all that linger have ended.
 */
#ifndef HF_LDEV_RECORD_IO_H
#define HF_LDEV_RECORD_IO_H

#include "record.h"

struct hf_recorder;

/* How long a disk that most others are ahead of is waited for. */
#define HF_RECORD_GRACE_NS UINT64_C(500000000)

/*
 * pdevs[i] NULL: a voting disk that is missing; labels and pdevs are kept. disks_len is 1 or 3.
 * -ENOMEM.
 */
int hf_recorder_create(struct hf_loop *loop, struct hf_pdev *const *pdevs,
	const struct hf_label *const *labels, unsigned disks_len, struct hf_recorder **ret);
/*
 * Outside of callbacks; nobody is told of an end any more. I/O may be out, for a write is answered
 * when most disks have it: runs the loop until it has ended, for two seconds at most. What hangs
 * then has its memory, and its disk, until it ends. ended(arg): the disks are not used any more;
 * within this call, or later from the loop, or never. NULL is fine.
 */
void hf_recorder_destroy(struct hf_recorder *rec, void (*ended)(void *arg), void *arg);
/*
 * The end of what is out on the view, the map and the slots is told to nobody, nor that no write is
 * under way; what has not come to its writing is not written. Races and leases go on.
 */
void hf_recorder_forget(struct hf_recorder *rec);
void hf_recorder_submit(struct hf_recorder *rec, struct hf_record_io *io);
/* Nothing queued, running or lingering. */
bool hf_recorder_is_idle(const struct hf_recorder *rec);
/* A write is queued, running, or lingers on a disk that may carry it out yet. */
bool hf_recorder_writes(const struct hf_recorder *rec);
/* still(arg) when no write is under way, maybe at once. One waits at a time: the last call's. */
void hf_recorder_await_writes(struct hf_recorder *rec, void (*still)(void *arg), void *arg);

#endif
