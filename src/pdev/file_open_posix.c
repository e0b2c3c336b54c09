/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Regular files and block devices: opening, what they can do, and the controller's own lock.
 * Blocks; at start-up and for administration only. Called by open.c.
 *
 * The lock (design 6): an open-file-description lock on one byte far behind any data, picked by
 * the controller id, so that controllers do not exclude each other. What was found about requests
 * that a killed process leaves in the kernel (W9), on Linux 6.18, by test/pdev/lock_test.c:
 *	regular file	the lock stays until the last request has ended
 *	block device	the same (loop device under a frozen file system)
 * because a request holds the open file and the lock ends with that. Two limits: the lock of a
 * block device lies on the device node's inode, so all processes must use one node (not a second
 * mknod, not two machines: different machines must not have one controller id); and the lock knows
 * nothing of caches below the kernel's request, such as an array's own queue.
 */
#include "file_uring.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LOCK_START (1LL << 62)

static int lock_file(struct hf_pdev *pdev, unsigned controller_id)
{
	struct file_pdev *f = hf_container_of(pdev, struct file_pdev, pdev);
	struct flock fl = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = LOCK_START + controller_id,
		.l_len = 1,
	};

	if (fcntl(f->fd, F_OFD_SETLK, &fl) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* Holes, and what was allocated and never written, which counts as holes: both read as zero. */
static void punch_holes(int fd, off_t at, off_t end)
{
	while (at < end) {
		off_t hole = lseek(fd, at, SEEK_HOLE), data;

		if (hole < 0 || hole >= end)
			return;
		data = lseek(fd, hole, SEEK_DATA);
		at = data < 0 || data > end ? end : data;
		(void)fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, hole, at - hole);
	}
}

static int reserve_file(struct hf_pdev *pdev, uint64_t offset_bytes, uint64_t len_bytes)
{
	struct file_pdev *f = hf_container_of(pdev, struct file_pdev, pdev);
	off_t at = (off_t)offset_bytes, len = (off_t)len_bytes;
	int ret;

	do
		ret = fallocate(f->fd, FALLOC_FL_KEEP_SIZE, at, len) < 0 ? -errno : 0;
	while (ret == -EINTR);
	/* Some file systems keep what they had found until the room was used up. */
	if (ret == -ENOSPC || ret == -EDQUOT)
		punch_holes(f->fd, at, at + len);
	/* A block device takes other calls than this one. */
	return ret == -ENOSYS || ret == -ENODEV ? -EOPNOTSUPP : ret;
}

static const struct hf_pdev_ops file_ops = {.submit = hf_pdev_file_submit,
	.lock = lock_file,
	.reserve = reserve_file,
	.close = hf_pdev_file_close};

/* A number of the block layer about the disk; 0 when it has none to say. */
static uint64_t read_queue_number(dev_t rdev, const char *name)
{
	/* A partition has its queue one folder up. */
	static const char *const places[] = {"queue", "../queue"};
	unsigned long long value = 0;

	for (unsigned i = 0; i < HF_ARRAY_LEN(places) && !value; i++) {
		char path[128];
		FILE *file;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(rdev), minor(rdev),
			places[i], name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &value) != 1)
			value = 0;
		fclose(file);
	}
	return value;
}

static int learn_block_device(struct file_pdev *f, const struct stat *st)
{
	struct hf_pdev_info *info = &f->pdev.info;
	unsigned physical = 0;
	int logical = 0;

	if (ioctl(f->fd, BLKGETSIZE64, &info->size_bytes) < 0 ||
		ioctl(f->fd, BLKSSZGET, &logical) < 0 || ioctl(f->fd, BLKPBSZGET, &physical) < 0)
		return -errno;
	info->block_bytes = (uint32_t)logical;
	info->physical_block_bytes = physical;
	/* Punching a hole in a block device means "free, and read as zero", or it is refused. */
	info->can_discard = read_queue_number(st->st_rdev, "discard_max_bytes") > 0 &&
			    read_queue_number(st->st_rdev, "write_zeroes_max_bytes") > 0;
	info->discard_zeroes = info->can_discard;
	f->cannot_punch = !info->can_discard;
	return 0;
}

/* The block size that O_DIRECT asks of this file; 0 when it does not say. */
static uint32_t direct_alignment(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
		(sx.stx_mask & STATX_DIOALIGN))
		return sx.stx_dio_offset_align;
#endif
	return 0;
}

static bool is_on_memory(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 && (s.f_type == TMPFS_MAGIC || s.f_type == RAMFS_MAGIC);
}

static void learn_file(struct file_pdev *f, const struct stat *st, bool is_direct)
{
	struct hf_pdev_info *info = &f->pdev.info;

	f->is_memory = is_on_memory(f->fd);
	info->block_bytes = is_direct && direct_alignment(f->fd) > 512 ? 4096 : 512;
	info->physical_block_bytes = 4096;
	info->size_bytes = (uint64_t)st->st_size / info->block_bytes * info->block_bytes;
	/* Behind the end there is nothing to free, but the answer tells whether it could be. */
	info->can_discard = fallocate(f->fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    (off_t)HF_ROUND_UP(st->st_size + 1, 1 << 20), 4096) == 0;
	info->discard_zeroes = info->can_discard;
	f->cannot_punch = !info->can_discard;
}

static int learn(struct file_pdev *f, const char *path, bool is_direct, char *message, size_t len)
{
	struct stat st;
	int ret = 0;

	if (fstat(f->fd, &st) < 0)
		ret = -errno;
	else if (S_ISBLK(st.st_mode))
		ret = learn_block_device(f, &st);
	else
		learn_file(f, &st, is_direct);
	if (ret < 0) {
		snprintf(message, len, "cannot ask %s for its size: %s", path, strerror(-ret));
		return ret;
	}
	if (f->pdev.info.block_bytes != 512 && f->pdev.info.block_bytes != 4096) {
		snprintf(message, len,
			"%s has logical blocks of %u bytes; only 512 and 4096 can be used", path,
			f->pdev.info.block_bytes);
		return -EMEDIUMTYPE;
	}
	if (f->pdev.info.size_bytes == 0) {
		snprintf(message, len,
			"%s is empty; give it a size first, for a file with truncate -s SIZE",
			path);
		return -ENOSPC;
	}
	return 0;
}

/* Regular files that another machine may write too: this one's page cache would go stale. */
static bool is_shared_file_system(const char *path)
{
	static const uint32_t shared[] = {0x6969 /* NFS */, 0xff534d42 /* CIFS */,
		0xfe534d42 /* SMB2 */, 0x517b /* SMB */, 0x00c36400 /* Ceph */,
		0x01161970 /* GFS2 */, 0x7461636f /* OCFS2 */, 0x0bd00bd0 /* Lustre */,
		0x65735546 /* FUSE */, 0x01021997 /* 9P */, 0x5346414f /* AFS */,
		0x47504653 /* GPFS */};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return false;
	for (unsigned i = 0; i < HF_ARRAY_LEN(shared); i++) {
		if ((uint32_t)fs.f_type == shared[i])
			return true;
	}
	return false;
}

static int open_fd(
	const char *path, const char *options, bool *ret_direct, char *message, size_t len)
{
	bool is_direct = false;
	struct stat st;
	int fd = -1, err = 0;

	if (stat(path, &st) < 0) {
		err = -errno;
		snprintf(message, len, "cannot open the physical device %s: %s; is the path right?",
			path, strerror(-err));
		return err;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		snprintf(message, len, "%s is neither a regular file nor a block device", path);
		return -ENOTBLK;
	}
	if (!options)
		is_direct = S_ISBLK(st.st_mode) || is_shared_file_system(path);
	else if (!strcmp(options, "direct=on"))
		is_direct = true;
	else if (strcmp(options, "direct=off")) {
		snprintf(message, len,
			"\"?%s\" after %s is not known; there are ?direct=on and ?direct=off",
			options, path);
		return -EINVAL;
	}
	fd = open(path, O_RDWR | O_CLOEXEC | (is_direct ? O_DIRECT : 0));
	if (fd < 0) {
		err = -errno;
		snprintf(message, len, "cannot open %s for reading and writing%s: %s%s", path,
			is_direct ? " past the page cache" : "", strerror(-err),
			err == -EINVAL && is_direct ? "; use ?direct=off" : "");
		return err;
	}
	*ret_direct = is_direct;
	return fd;
}

int hf_pdev_file_open(const char *path, const char *options, struct hf_pdev **ret, char *message,
	size_t message_len)
{
	struct file_pdev *f;
	bool is_direct = false;
	int fd = open_fd(path, options, &is_direct, message, message_len), err;

	if (fd < 0)
		return fd;
	f = calloc(1, sizeof(*f));
	if (!f) {
		close(fd);
		snprintf(message, message_len, "memory is short");
		return -ENOMEM;
	}
	f->fd = fd;
	f->pdev.ops = &file_ops;
	f->zeroes = mmap(NULL, FILE_ZEROES_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->zeroes == MAP_FAILED) {
		err = -errno;
		close(fd);
		free(f);
		snprintf(message, message_len, "memory is short");
		return err;
	}
	err = learn(f, path, is_direct, message, message_len);
	if (err < 0) {
		hf_pdev_file_close(&f->pdev);
		return err;
	}
	f->align_bytes = is_direct ? f->pdev.info.block_bytes : 1;
	*ret = &f->pdev;
	return 0;
}
