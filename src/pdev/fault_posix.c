/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fault layer: see fault.h. It passes on requests of its own, so that the layer above sees its
 * own untouched, and takes memory for each (it is no place to look for speed). A request goes
 * through the stations delay, hang, device, late hang, answer; those its rule does not name are
 * left out. Makes no system call.
 */
#include "fault.h"
#include "driver.h"
#include "fault_spec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct fault_pdev {
	struct hf_pdev pdev;
	struct hf_pdev *below;
	pthread_mutex_t lock; /* of what follows: loops of several threads come here */
	struct fault_rules rules;
	uint64_t strikes;
	struct hf_list hanging; /* fault_io.node */
	unsigned hanging_len, out_len;
};

struct fault_io {
	struct hf_pdev_io lower; /* to the device below */
	struct hf_pdev_io *upper;
	struct fault_pdev *owner;
	struct fault_strike strike;
	struct hf_timer timer;
	struct hf_msg msg;
	struct hf_list node;
	void (*go_on)(struct fault_io *f); /* the station after the hang */
	int result;
	struct iovec iov[]; /* of a torn write */
};

static const struct hf_pdev_ops fault_ops;

static struct fault_pdev *fault_of(struct hf_pdev *pdev)
{
	return hf_container_of(pdev, struct fault_pdev, pdev);
}

static void answer(struct fault_io *f)
{
	struct hf_pdev_io *upper = f->upper;
	int result = f->result;

	pthread_mutex_lock(&f->owner->lock);
	f->owner->out_len--;
	pthread_mutex_unlock(&f->owner->lock);
	free(f);
	upper->done(upper, result);
}

static void run_go_on(struct hf_msg *msg)
{
	struct fault_io *f = hf_container_of(msg, struct fault_io, msg);

	f->go_on(f);
}

static void hang(struct fault_io *f, void (*go_on)(struct fault_io *f))
{
	f->go_on = go_on;
	pthread_mutex_lock(&f->owner->lock);
	hf_list_push_back(&f->owner->hanging, &f->node);
	f->owner->hanging_len++;
	pthread_mutex_unlock(&f->owner->lock);
}

static void lower_done(struct hf_pdev_io *lower, int result)
{
	struct fault_io *f = hf_container_of(lower, struct fault_io, lower);

	f->result = result;
	if (result == 0 && f->strike.is_torn)
		f->result = f->strike.error;
	else if (result == 0 && f->strike.late_error)
		f->result = f->strike.late_error;
	if (f->strike.hangs_late)
		hang(f, answer);
	else
		answer(f);
}

static void ask_device(struct fault_io *f)
{
	const struct fault_strike *s = &f->strike;

	if (s->error && !(s->is_torn && s->torn_bytes > 0)) {
		f->result = s->error;
		if (s->hangs_late)
			hang(f, answer);
		else
			answer(f);
		return;
	}
	hf_pdev_submit(f->owner->below, f->upper->loop, &f->lower);
}

static void after_delay(struct fault_io *f)
{
	if (f->strike.hangs)
		hang(f, ask_device);
	else
		ask_device(f);
}

static void delay_is_over(struct hf_timer *t)
{
	after_delay(hf_container_of(t, struct fault_io, timer));
}

/* The first torn_bytes of the data. */
static void tear(struct fault_io *f)
{
	uint64_t left = f->strike.torn_bytes;
	unsigned n = 0;

	for (; left > 0; n++) {
		f->iov[n] = f->upper->iov[n];
		f->iov[n].iov_len = HF_MIN(f->iov[n].iov_len, left);
		left -= f->iov[n].iov_len;
	}
	f->lower.iov = f->iov;
	f->lower.iov_len = n;
	f->lower.len_bytes = f->strike.torn_bytes;
}

static struct fault_io *make_io(
	struct fault_pdev *p, struct hf_pdev_io *io, const struct fault_strike *s)
{
	struct fault_io *f = calloc(
		1, sizeof(*f) + (hf_pdev_has_data(io) ? io->iov_len : 0) * sizeof(struct iovec));

	if (!f)
		return NULL;
	f->upper = io;
	f->owner = p;
	f->strike = *s;
	f->msg.run = run_go_on;
	hf_timer_init(&f->timer, delay_is_over);
	f->lower.op = io->op;
	f->lower.flags = io->flags;
	f->lower.offset_bytes = io->offset_bytes;
	f->lower.len_bytes = io->len_bytes;
	f->lower.iov = io->iov;
	f->lower.iov_len = io->iov_len;
	f->lower.done = lower_done;
	if (s->is_torn)
		tear(f);
	return f;
}

static void submit(struct hf_pdev *pdev, struct hf_pdev_io *io)
{
	struct fault_pdev *p = fault_of(pdev);
	struct fault_strike s = {0};
	struct fault_io *f;
	bool strikes;
	int ret = hf_pdev_io_check(io);

	if (ret < 0) {
		hf_pdev_finish_later(io, ret);
		return;
	}
	pthread_mutex_lock(&p->lock);
	strikes = hf_fault_rules_strike(&p->rules, io, &s);
	p->strikes += strikes;
	p->out_len++;
	pthread_mutex_unlock(&p->lock);
	f = make_io(p, io, &s);
	if (!f) {
		pthread_mutex_lock(&p->lock);
		p->out_len--;
		pthread_mutex_unlock(&p->lock);
		hf_pdev_finish_later(io, -ENOMEM);
		return;
	}
	if (s.delay_ns) {
		hf_timer_arm(io->loop, &f->timer, hf_loop_now_ns(io->loop) + s.delay_ns);
	} else if (strikes) {
		/* Never an answer inside the submit. */
		f->go_on = after_delay;
		hf_loop_post(io->loop, &f->msg);
	} else {
		ask_device(f);
	}
}

static int lock_below(struct hf_pdev *pdev, unsigned controller_id)
{
	return hf_pdev_lock(fault_of(pdev)->below, controller_id);
}

static int reserve_below(struct hf_pdev *pdev, uint64_t offset_bytes, uint64_t len_bytes)
{
	return hf_pdev_reserve(fault_of(pdev)->below, offset_bytes, len_bytes);
}

static void pr_below(struct hf_pdev *pdev, struct hf_pdev_pr *pr)
{
	hf_pdev_pr_submit(fault_of(pdev)->below, pr->loop, pr);
}

static void close_fault(struct hf_pdev *pdev)
{
	struct fault_pdev *p = fault_of(pdev);

	hf_assert(hf_list_is_empty(&p->hanging));
	p->below->ops->close(p->below);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const char *trouble_below(struct hf_pdev *pdev)
{
	return hf_pdev_trouble(fault_of(pdev)->below);
}

static const struct hf_pdev_ops fault_ops = {
	.submit = submit,
	.pr = pr_below,
	.lock = lock_below,
	.reserve = reserve_below,
	.trouble = trouble_below,
	.close = close_fault,
};

int hf_pdev_fault_create(const char *spec, struct hf_pdev *below, struct hf_pdev **ret,
	char *message, size_t message_len)
{
	struct fault_rules rules;
	struct fault_pdev *p;
	int err = hf_fault_spec_parse(spec, &rules, message, message_len);

	if (err < 0)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	hf_list_init(&p->hanging);
	p->pdev.ops = &fault_ops;
	p->pdev.info = below->info;
	p->below = below;
	p->rules = rules;
	*ret = &p->pdev;
	return 0;
}

int hf_pdev_fault_set(struct hf_pdev *pdev, const char *spec, char *message, size_t message_len)
{
	struct fault_rules rules;
	struct fault_pdev *p = fault_of(pdev);
	int err;

	if (pdev->ops != &fault_ops) {
		snprintf(message, message_len,
			"%s has no fault layer; write fault::%s in the configuration", pdev->url,
			pdev->url);
		return -ENOTSUP;
	}
	err = hf_fault_spec_parse(spec, &rules, message, message_len);
	if (err < 0)
		return err;
	pthread_mutex_lock(&p->lock);
	p->rules = rules;
	p->strikes = 0;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

unsigned hf_pdev_fault_release(struct hf_pdev *pdev)
{
	struct fault_pdev *p = fault_of(pdev);
	struct hf_list *n;
	unsigned released = 0;

	if (pdev->ops != &fault_ops)
		return 0;
	pthread_mutex_lock(&p->lock);
	while ((n = hf_list_pop_front(&p->hanging))) {
		struct fault_io *f = hf_list_entry(n, struct fault_io, node);

		hf_loop_post(f->upper->loop, &f->msg);
		released++;
	}
	p->hanging_len = 0;
	pthread_mutex_unlock(&p->lock);
	return released;
}

unsigned hf_pdev_fault_hanging(struct hf_pdev *pdev)
{
	struct fault_pdev *p = fault_of(pdev);
	unsigned n;

	if (pdev->ops != &fault_ops)
		return 0;
	pthread_mutex_lock(&p->lock);
	n = p->hanging_len;
	pthread_mutex_unlock(&p->lock);
	return n;
}

unsigned hf_pdev_fault_out(struct hf_pdev *pdev)
{
	struct fault_pdev *p = fault_of(pdev);
	unsigned n;

	if (pdev->ops != &fault_ops)
		return 0;
	pthread_mutex_lock(&p->lock);
	n = p->out_len;
	pthread_mutex_unlock(&p->lock);
	return n;
}

uint64_t hf_pdev_fault_strikes(struct hf_pdev *pdev)
{
	struct fault_pdev *p = fault_of(pdev);
	uint64_t n;

	if (pdev->ops != &fault_ops)
		return 0;
	pthread_mutex_lock(&p->lock);
	n = p->strikes;
	pthread_mutex_unlock(&p->lock);
	return n;
}
