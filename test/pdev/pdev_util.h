/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that a test waits for, for the tests of physical devices. */
#ifndef HF_TEST_PDEV_UTIL_H
#define HF_TEST_PDEV_UTIL_H

#include "pdev.h"

struct want {
	struct hf_pdev_io io;
	struct iovec iov;
	bool is_done;
	int result;
};

static bool want_is_submitting; /* done() inside the submit is an error */

static void want_done(struct hf_pdev_io *io, int result)
{
	struct want *w = hf_container_of(io, struct want, io);

	hf_assert(!want_is_submitting);
	hf_assert(!w->is_done);
	w->is_done = true;
	w->result = result;
}

/* buf may be NULL for what moves no data. */
static inline void want_start(struct hf_pdev *p, struct hf_loop *l, struct want *w,
	enum hf_pdev_op op, unsigned flags, uint64_t offset, void *buf, uint64_t len)
{
	memset(w, 0, sizeof(*w));
	w->iov = (struct iovec){buf, len};
	w->io.op = op;
	w->io.flags = flags;
	w->io.offset_bytes = offset;
	w->io.len_bytes = len;
	w->io.iov = &w->iov;
	w->io.iov_len = 1;
	w->io.done = want_done;
	want_is_submitting = true;
	hf_pdev_submit(p, l, &w->io);
	want_is_submitting = false;
}

static inline int want_finish(struct hf_loop *l, struct want *w)
{
	while (!w->is_done)
		hf_assert(hf_loop_run_once(l, true) == 0);
	return w->result;
}

static inline int want_run(struct hf_pdev *p, struct hf_loop *l, enum hf_pdev_op op, unsigned flags,
	uint64_t offset, void *buf, uint64_t len)
{
	struct want w;

	want_start(p, l, &w, op, flags, offset, buf, len);
	return want_finish(l, &w);
}

#endif
