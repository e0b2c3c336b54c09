/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Regular files and block devices: their requests through the loop. Opening and locking is
 * file_open_posix.c. A short transfer is continued; what the file system or the device cannot do
 * (punch holes, zero ranges) is done another way, once it has said so.
 */
#include "file_uring.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* How a range is zeroed or freed; each way falls back to the one below. hf_pdev_io.driver. */
enum way {
	WAY_PUNCH,	/* frees space; reads as zero */
	WAY_ZERO_RANGE, /* keeps space */
	WAY_WRITE,	/* zeroes, written */
};

static void start_zeroing(struct file_pdev *f, struct hf_pdev_io *io, enum way way);

static struct file_pdev *file_of(struct hf_pdev_io *io)
{
	return hf_container_of(io->pdev, struct file_pdev, pdev);
}

static void finish(struct hf_pdev_io *io, int result)
{
	io->done(io, result);
}

static void sync_done(struct hf_req *req, int result)
{
	struct hf_pdev_io *io = hf_container_of(req, struct hf_pdev_io, req);

	finish(io, HF_MIN(result, 0));
}

static void start_sync(struct file_pdev *f, struct hf_pdev_io *io)
{
	io->req.done = sync_done;
	hf_loop_fdatasync(io->loop, &io->req, f->fd);
}

static bool is_to_repeat(int result)
{
	return result == -EINTR || result == -EAGAIN;
}

/* Nothing, or what O_DIRECT cannot go on after: somebody has shortened the file under us. */
static bool is_cut_short(struct hf_pdev_io *io, int result)
{
	return result == 0 || (unsigned)result % file_of(io)->align_bytes;
}

/* --- READ, WRITE --- */

/*
 * A file that lies in memory is read and written here and now: io_uring would hand such requests to
 * a thread of its own, for these file systems do not tell it that they never wait.
 */
static bool rw_now(struct file_pdev *f, struct hf_pdev_io *io, struct iovec *iov, unsigned n)
{
	off_t at = (off_t)(io->offset_bytes + io->done_bytes);
	ssize_t len;

	if (n == 1 && io->op == HF_PDEV_READ)
		len = pread(f->fd, iov->iov_base, iov->iov_len, at);
	else if (n == 1)
		len = pwrite(f->fd, iov->iov_base, iov->iov_len, at);
	else if (io->op == HF_PDEV_READ)
		len = preadv(f->fd, iov, (int)n, at);
	else
		len = pwritev(f->fd, iov, (int)n, at);
	if (len < 0 || (uint64_t)len != io->len_bytes - io->done_bytes)
		return false; /* the long way tells what is wrong */
	hf_pdev_finish_later(io, 0);
	return true;
}

static void start_rw(struct file_pdev *f, struct hf_pdev_io *io, struct iovec *iov, unsigned n)
{
	uint64_t at = io->offset_bytes + io->done_bytes;

	if (f->is_memory && rw_now(f, io, iov, n))
		return;
	if (io->op == HF_PDEV_READ)
		hf_loop_readv(io->loop, &io->req, f->fd, iov, n, at);
	else
		hf_loop_writev(io->loop, &io->req, f->fd, iov, n, at,
			io->flags & HF_PDEV_FUA ? RWF_DSYNC : 0);
}

static void rw_done(struct hf_req *req, int result)
{
	struct hf_pdev_io *io = hf_container_of(req, struct hf_pdev_io, req);

	if (is_to_repeat(result))
		result = 0;
	else if (result < 0)
		return finish(io, result);
	else if (is_cut_short(io, result))
		return finish(io, -EIO);
	io->done_bytes += (unsigned)result;
	if (io->done_bytes >= io->len_bytes)
		return finish(io, 0);
	io->own_iov = hf_pdev_rest_of_iov(io);
	start_rw(file_of(io), io, &io->own_iov, 1);
}

/* --- DISCARD, WRITE_ZEROES --- */

static void zeroing_ended(struct file_pdev *f, struct hf_pdev_io *io)
{
	if (io->flags & HF_PDEV_FUA)
		start_sync(f, io);
	else
		finish(io, 0);
}

static void write_zeroes_done(struct hf_req *req, int result)
{
	struct hf_pdev_io *io = hf_container_of(req, struct hf_pdev_io, req);
	struct file_pdev *f = file_of(io);

	if (is_to_repeat(result))
		result = 0;
	else if (result < 0)
		return finish(io, result);
	else if (is_cut_short(io, result))
		return finish(io, -EIO);
	io->done_bytes += (unsigned)result;
	if (io->done_bytes >= io->len_bytes)
		zeroing_ended(f, io);
	else
		start_zeroing(f, io, WAY_WRITE);
}

static bool is_unsupported(int result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV;
}

static void fallocate_done(struct hf_req *req, int result)
{
	struct hf_pdev_io *io = hf_container_of(req, struct hf_pdev_io, req);
	struct file_pdev *f = file_of(io);
	enum way way = (enum way)(uintptr_t)io->driver;

	if (result == 0)
		return zeroing_ended(f, io);
	if (is_to_repeat(result))
		return start_zeroing(f, io, way);
	if (!is_unsupported(result))
		return finish(io, result);
	if (way == WAY_PUNCH)
		atomic_store_explicit(&f->cannot_punch, true, memory_order_relaxed);
	else
		atomic_store_explicit(&f->cannot_zero_range, true, memory_order_relaxed);
	if (io->op == HF_PDEV_DISCARD)
		return finish(io, 0); /* a hint */
	start_zeroing(f, io, (enum way)(way + 1));
}

static void start_zeroing(struct file_pdev *f, struct hf_pdev_io *io, enum way way)
{
	if (way == WAY_PUNCH && atomic_load_explicit(&f->cannot_punch, memory_order_relaxed))
		way = WAY_ZERO_RANGE;
	if (way == WAY_ZERO_RANGE &&
		atomic_load_explicit(&f->cannot_zero_range, memory_order_relaxed))
		way = WAY_WRITE;
	io->driver = (void *)(uintptr_t)way;
	if (way == WAY_WRITE) {
		uint64_t left = io->len_bytes - io->done_bytes;

		io->own_iov = (struct iovec){f->zeroes, HF_MIN(left, FILE_ZEROES_BYTES)};
		io->req.done = write_zeroes_done;
		hf_loop_writev(io->loop, &io->req, f->fd, &io->own_iov, 1,
			io->offset_bytes + io->done_bytes, 0);
		return;
	}
	io->req.done = fallocate_done;
	hf_loop_fallocate(io->loop, &io->req, f->fd,
		FALLOC_FL_KEEP_SIZE |
			(way == WAY_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE),
		io->offset_bytes, io->len_bytes);
}

void hf_pdev_file_submit(struct hf_pdev *pdev, struct hf_pdev_io *io)
{
	struct file_pdev *f = hf_container_of(pdev, struct file_pdev, pdev);
	int ret = hf_pdev_io_check(io);

	if (ret < 0 || (io->op != HF_PDEV_FLUSH && !io->len_bytes)) {
		hf_pdev_finish_later(io, ret);
		return;
	}
	io->done_bytes = 0;
	switch (io->op) {
	case HF_PDEV_READ:
	case HF_PDEV_WRITE:
		hf_assert(io->iov_len <= UIO_MAXIOV);
		io->req.done = rw_done;
		start_rw(f, io, io->iov, io->iov_len);
		break;
	case HF_PDEV_FLUSH:
		start_sync(f, io);
		break;
	case HF_PDEV_DISCARD:
		if (atomic_load_explicit(&f->cannot_punch, memory_order_relaxed))
			hf_pdev_finish_later(io, 0);
		else
			start_zeroing(f, io, WAY_PUNCH);
		break;
	case HF_PDEV_WRITE_ZEROES:
		start_zeroing(f, io, io->flags & HF_PDEV_UNMAP ? WAY_PUNCH : WAY_ZERO_RANGE);
		break;
	}
}

void hf_pdev_file_close(struct hf_pdev *pdev)
{
	struct file_pdev *f = hf_container_of(pdev, struct file_pdev, pdev);

	munmap(f->zeroes, FILE_ZEROES_BYTES);
	close(f->fd);
	free(f);
}
