/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fence driver pr on one disk: a job of pr.c with its commands, one after the other; and
 * entering a disk, before the daemon runs. All disks of the pool together: pr_disks.c.
 */
#include "fence_int.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>

static void disk_go(struct hf_fence_disk *d, struct hf_pr_effect e);

static void answered(struct hf_pdev_pr *io, int result)
{
	struct hf_fence_disk *d = hf_container_of(io, struct hf_fence_disk, io);

	/* The keys that it would find next may be those of the peer's next incarnation. */
	if (d->stale) {
		disk_go(d, hf_pr_abandon(&d->pr));
		return;
	}
	disk_go(d, hf_pr_answer(&d->pr, result, d->buf, io->ret_len));
}

static void disk_go(struct hf_fence_disk *d, struct hf_pr_effect e)
{
	if (e.done) {
		d->why = e.why;
		d->busy = d->stale = false;
		if (d->ended)
			d->ended(d, e.result);
		return;
	}
	if (e.out)
		memcpy(d->buf, e.list, e.len);
	d->io.out = e.out;
	d->io.action = e.action;
	d->io.type = e.type;
	d->io.buf = d->buf;
	d->io.len = e.len;
	d->io.done = answered;
	hf_pdev_pr_submit(d->pdev, d->loop, &d->io);
}

void hf_fence_disk_start(struct hf_fence_disk *d, enum hf_pr_job job)
{
	d->busy = true;
	d->since_ns = hf_loop_now_ns(d->loop);
	disk_go(d, hf_pr_start(&d->pr, job));
}

/* --- entering, before the daemon runs --- */

static void entered(struct hf_fence_disk *d, int result)
{
	d->result = result;
}

int hf_fence_enter_disk(
	struct hf_loop *loop, struct hf_pdev *pdev, uint64_t key, char *message, size_t message_len)
{
	struct hf_fence_disk *d = calloc(1, sizeof(*d));
	int result;

	if (!d) {
		snprintf(message, message_len, "out of memory");
		return -ENOMEM;
	}
	d->pdev = pdev;
	d->loop = loop;
	d->ended = entered;
	hf_pr_init(&d->pr, key);
	hf_fence_disk_start(d, HF_PR_ENTER);
	while (d->busy)
		hf_assert(hf_loop_run_once(loop, true) >= -EINTR);
	result = d->result;
	if (result == -EOPNOTSUPP)
		snprintf(message, message_len,
			"%s cannot be fenced by persistent reservations: %s; use another fence "
			"driver, or disks of a third controller that knows them",
			pdev->url, d->why ? d->why : "it refuses them");
	else if (result == -EBADE)
		snprintf(message, message_len, "%s cannot be used: %s", pdev->url,
			d->why ? d->why : "its reservation shuts this controller out");
	else if (result < 0)
		snprintf(message, message_len, "%s does not answer to a registration: %s",
			pdev->url, strerror(-result));
	else if (d->pr.no_aptpl)
		hf_warning("fence: %s forgets registrations when it loses power; until both "
			   "controllers have been started again it could not be fenced then",
			pdev->url);
	free(d);
	return result;
}
