/* SPDX-License-Identifier: BSD-3-Clause */
/* What of a controller's life needs the operating system: identity, signals, threads. */
#include "node.h"
#include "log.h"
#include "notify.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

void hf_node_identity(struct hf_node *node)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	/* Random, so that no two starts ever look alike (W20). Early boot may have no entropy yet:
	 * then this waits. */
	while (getrandom(&node->incarnation, sizeof(node->incarnation), 0) !=
			sizeof(node->incarnation) ||
		node->incarnation == 0)
		;
	node->born_s = (uint64_t)time(NULL);
	node->loops_len = node->config->loops;
	if (!node->loops_len)
		node->loops_len = cores > 0 ? (unsigned)HF_MIN(cores, HF_LOOPS_MAX) : 1;
}

static void signalled(struct hf_req *req, int result)
{
	struct hf_node *node = hf_container_of(req, struct hf_node, signal_req);
	struct signalfd_siginfo info;

	if (result < 0)
		return; /* the loop ends */
	if (read(node->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (node->leaving) {
			hf_warning("second signal: ending at once");
			_exit(EXIT_FAILURE);
		}
		hf_node_leave(node);
	}
	hf_loop_poll(node->loops[0], &node->signal_req, node->signal_fd, POLLIN);
}

static int watch_signals(struct hf_node *node)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	node->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (node->signal_fd < 0)
		return -errno;
	node->signal_req.done = signalled;
	hf_loop_poll(node->loops[0], &node->signal_req, node->signal_fd, POLLIN);
	return 0;
}

void hf_node_end_fenced(void)
{
	_exit(3);
}

void hf_node_signals_close(struct hf_node *node)
{
	if (node->signal_fd >= 0)
		close(node->signal_fd);
}

/* Without one of its loops this controller would go on at the bus and answer half of its hosts. */
static void run_loop(struct hf_loop *loop)
{
	int rc = hf_loop_run(loop);

	if (!rc)
		return;
	hf_error("an event loop ended: %s; so does this daemon", strerror(-rc));
	_exit(EXIT_FAILURE);
}

static void *thread_main(void *arg)
{
	run_loop(arg);
	return NULL;
}

static void join_threads(struct hf_node *node)
{
	for (unsigned i = 0; i < node->threads_len; i++)
		pthread_join(node->threads[i], NULL);
}

int hf_node_run(struct hf_node *node)
{
	int rc = watch_signals(node);

	if (rc) {
		hf_error("signals cannot be watched: %s", strerror(-rc));
		return EXIT_FAILURE;
	}
	for (unsigned i = 1; i < node->loops_len; i++) {
		char name[24]; /* the kernel takes 15 bytes, which 32 loops need not exceed */

		rc = pthread_create(
			&node->threads[node->threads_len], NULL, thread_main, node->loops[i]);
		if (rc) {
			hf_error("a thread cannot be started: %s", strerror(rc));
			for (unsigned k = 1; k < i; k++)
				hf_loop_stop(node->loops[k]);
			join_threads(node);
			return EXIT_FAILURE;
		}
		snprintf(name, sizeof(name), "hf-loop-%u", i);
		pthread_setname_np(node->threads[node->threads_len++], name);
	}
	hf_notify("READY=1");
	run_loop(node->loops[0]);
	join_threads(node);
	return EXIT_SUCCESS;
}
