/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Physical devices: regular file or block device (file_uring.c), iSCSI LUN of a third controller
 * (iscsi_libiscsi.c), memory (memory.c), and a fault layer that stacks on any of them
 * (fault_posix.c). A physical device knows bytes and offsets; it knows neither labels nor logical
 * devices.
 *
 * Every request is finished exactly once, and only when it can no longer touch the medium: a
 * timeout is no such knowledge (design 5, "pin").
 */
#ifndef HF_PDEV_H
#define HF_PDEV_H

#include "list.h"
#include "loop.h"

enum hf_pdev_op {
	HF_PDEV_READ,
	HF_PDEV_WRITE,	      /* durable after a later FLUSH, or at once with HF_PDEV_FUA */
	HF_PDEV_FLUSH,	      /* what was finished before is durable */
	HF_PDEV_DISCARD,      /* content undefined or zero; a hint, may do nothing */
	HF_PDEV_WRITE_ZEROES, /* reads as zero afterwards; HF_PDEV_UNMAP: space may be freed */
};

enum {
	HF_PDEV_FUA = 1,
	HF_PDEV_UNMAP = 2,
};

struct hf_pdev;

struct hf_pdev_io {
	enum hf_pdev_op op;
	unsigned flags;
	uint64_t offset_bytes, len_bytes; /* multiples of hf_pdev_info.block_bytes */
	/* READ, WRITE: covers len_bytes; memory as of hf_loop_buf_get(), or aligned to 4096 bytes
	 * and in whole blocks, for O_DIRECT; kept until done. */
	struct iovec *iov;
	unsigned iov_len;
	/*
	 * result: 0 or -errno; on an error any part of a write may have reached the medium.
	 * -EINVAL: not in whole blocks, or outside the device. -ENOSPC: a thin device is full.
	 * -EBADE: a fence forbids it (SCSI RESERVATION CONFLICT). Anything else: the device failed.
	 */
	void (*done)(struct hf_pdev_io *io, int result);

	/* the driver's, from submit until done */
	struct hf_pdev *pdev;
	struct hf_loop *loop;
	struct hf_req req;
	struct hf_msg msg;
	struct hf_list node;
	uint64_t done_bytes;
	struct iovec own_iov;
	int result;
	void *driver;
};

/*
 * A PERSISTENT RESERVE command to the device itself (SPC-4, 6.15, 6.16): the fence driver pr, and
 * nobody else. Not sent again when its session is lost: the outcome is unknown then (-EIO).
 */
struct hf_pdev_pr {
	bool out;	      /* PERSISTENT RESERVE OUT, else IN */
	uint8_t action, type; /* service action; type, scope logical unit */
	uint8_t *buf;	      /* OUT: parameter list; IN: room; kept until done */
	size_t len;	      /* of either */
	size_t ret_len;	      /* IN: bytes that came */
	/* 0; -EBADE: RESERVATION CONFLICT; -EOPNOTSUPP: the device knows no such thing; else the
	 * device failed or cannot be reached. */
	void (*done)(struct hf_pdev_pr *pr, int result);

	/* the driver's */
	struct hf_pdev *pdev;
	struct hf_loop *loop;
	struct hf_list node;
	struct hf_msg msg;
	void *driver;
	unsigned attentions;
	int result;
};

struct hf_pdev_info {
	uint64_t size_bytes;
	uint32_t block_bytes; /* logical: 512 or 4096 */
	uint32_t physical_block_bytes;
	bool can_discard;    /* DISCARD frees space */
	bool can_fence;	     /* takes persistent reservations: hf_pdev_pr_submit() */
	bool discard_zeroes; /* a discarded block reads as zero */
};

struct hf_pdev_ops {
	void (*submit)(struct hf_pdev *pdev, struct hf_pdev_io *io);
	/* See hf_pdev_pr_submit(). NULL: not there. */
	void (*pr)(struct hf_pdev *pdev, struct hf_pdev_pr *pr);
	/* See hf_pdev_lock(). NULL: nothing to lock. */
	int (*lock)(struct hf_pdev *pdev, unsigned controller_id);
	/* See hf_pdev_reserve(). NULL: not known. */
	int (*reserve)(struct hf_pdev *pdev, uint64_t offset_bytes, uint64_t len_bytes);
	/* See hf_pdev_trouble(). NULL: it never knows. */
	const char *(*trouble)(struct hf_pdev *pdev);
	/* All requests are done. Called once. */
	void (*close)(struct hf_pdev *pdev);
};

/* A driver embeds this. */
struct hf_pdev {
	const struct hf_pdev_ops *ops;
	struct hf_pdev_info info;
	char url[256]; /* as configured: a path, iscsi://..., mem:BYTES, fault:... */
};

/*
 * Opens `url` for use from `loops`:
 *	/path, ./path		regular file or block device; O_DIRECT on block devices and on
 *				files of network and cluster file systems
 *	file:PATH?direct=on	the same, with O_DIRECT on or off by word
 *	iscsi://[user%secret@]host[:port]/iqn/lun[?option]	a LUN of a third controller
 *	mem:BYTES		memory of this process
 *	fault:SPEC:URL		the fault layer over URL (fault_posix.c has the grammar)
 * May block (start-up and administration only). 0 or -errno; on failure *ret is untouched and
 * message holds a sentence that says what failed, where, and what to do. iSCSI runs loops[0]
 * meanwhile, which is this thread's from then on.
 *
 * owner: the controller that is going to serve the disk, NULL for a tool's look. Devices on a
 * network know a controller by it: what an earlier process of the same controller has left there
 * ends here. -EBUSY: another process of this controller has the disk, or it cannot be known whether
 * requests of an earlier one are still on their way to it.
 */
struct hf_pdev_owner {
	const char *cluster;
	unsigned controller_id;
};
int hf_pdev_open_owned(const char *url, const struct hf_pdev_owner *owner,
	struct hf_loop *const *loops, unsigned loops_len, struct hf_pdev **ret, char *message,
	size_t message_len);
/* The same without an owner. */
int hf_pdev_open(const char *url, struct hf_loop *const *loops, unsigned loops_len,
	struct hf_pdev **ret, char *message, size_t message_len);
void hf_pdev_close(struct hf_pdev *pdev); /* NULL is fine; no request may be out */

/* io->op .. io->done are the caller's; done() is never called inside this call. */
static inline void hf_pdev_submit(struct hf_pdev *pdev, struct hf_loop *loop, struct hf_pdev_io *io)
{
	io->pdev = pdev;
	io->loop = loop;
	pdev->ops->submit(pdev, io);
}

static inline void hf_pdev_run_pr_done(struct hf_msg *msg)
{
	struct hf_pdev_pr *pr = hf_container_of(msg, struct hf_pdev_pr, msg);

	pr->done(pr, pr->result);
}

/* done() in a later turn of the loop. */
static inline void hf_pdev_pr_finish_later(struct hf_pdev_pr *pr, int result)
{
	pr->result = result;
	pr->msg.run = hf_pdev_run_pr_done;
	hf_loop_post(pr->loop, &pr->msg);
}

/* On loops[0] of hf_pdev_open() only. done() is never called inside this call. */
static inline void hf_pdev_pr_submit(
	struct hf_pdev *pdev, struct hf_loop *loop, struct hf_pdev_pr *pr)
{
	pr->pdev = pdev;
	pr->loop = loop;
	pr->ret_len = 0;
	hf_list_init(&pr->node);
	if (pdev->ops->pr)
		pdev->ops->pr(pdev, pr);
	else
		hf_pdev_pr_finish_later(pr, -EOPNOTSUPP);
}

/*
 * The controller's own lock (design 6), to be taken before the first request and kept until the
 * end. May block. 0: no earlier process of this controller id has requests under way on this
 * device any more. -EBUSY: one still has. What stands for it, by kind:
 *	file, block	an OFD lock on a byte of the file that the controller id picks. The kernel
 *			frees it with the last reference to the open file, and every request holds
 *			one: a process killed with requests in the kernel keeps its lock until they
 *			have ended (tested for both: test/pdev/lock_test.c).
 *	iSCSI		an owned open has logged in with the initiator name and ISID that every
 *			incarnation of this controller uses: session reinstatement, the target ends
 *			the tasks of the session before (RFC 7143, 6.3.5), and the LUN is reset.
 *			Before that, a name on this machine that dies with its process tells
 *			whether there is another daemon of this id (-EBUSY).
 *	memory		nothing; it dies with its process.
 */
static inline int hf_pdev_lock(struct hf_pdev *pdev, unsigned controller_id)
{
	return pdev->ops->lock ? pdev->ops->lock(pdev, controller_id) : 0;
}

/*
 * Gives the range its place on the medium, so that no later write there finds that full; content
 * stays as it is. For administration; blocks. -ENOSPC, -EDQUOT: no room, and nothing is kept.
 * -EOPNOTSUPP: the device cannot, or does not say; what is written has a place all the same.
 */
static inline int hf_pdev_reserve(struct hf_pdev *pdev, uint64_t offset_bytes, uint64_t len_bytes)
{
	return pdev->ops->reserve ? pdev->ops->reserve(pdev, offset_bytes, len_bytes) : -EOPNOTSUPP;
}

/* What keeps requests waiting now, as the end of a sentence; NULL: nothing that is known of. On the
 * first of the loops that the device was opened for. */
static inline const char *hf_pdev_trouble(struct hf_pdev *pdev)
{
	return pdev->ops->trouble ? pdev->ops->trouble(pdev) : NULL;
}

/* Another driver's constructor, for tests and for the fault layer's stacking. -EINVAL: block_bytes
 * is neither 512 nor 4096, or does not divide size_bytes. */
int hf_pdev_memory_create(uint64_t size_bytes, uint32_t block_bytes, struct hf_pdev **ret);

#endif
