/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a fence agent: a program of its own process group, without our descriptors and signal mask
 * (it must not keep our locks on the disks), killed when its time is up. Only an exit status of 0
 * is success.
 */
#include "fence_int.h"

#include "log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void reap(struct hf_fence_agent *a)
{
	siginfo_t info = {0};
	char why[80] = "";
	int result = -EIO;

	waitid(P_PID, (id_t)a->pid, &info, WEXITED);
	close(a->pidfd);
	a->pidfd = -1;
	hf_timer_cancel(a->loop, &a->timer);
	if (a->timed_out) {
		result = -ETIMEDOUT;
		snprintf(why, sizeof(why), "did not end in time and was killed");
	} else if (info.si_code == CLD_EXITED && info.si_status == 0) {
		result = 0;
	} else if (info.si_code == CLD_EXITED) {
		snprintf(why, sizeof(why), "failed with exit status %d", info.si_status);
	} else {
		snprintf(why, sizeof(why), "was ended by signal %d", info.si_status);
	}
	a->ended(a, result, why);
}

static void readable(struct hf_req *req, int result)
{
	struct hf_fence_agent *a = hf_container_of(req, struct hf_fence_agent, req);

	if (a->pidfd >= 0 && result >= 0)
		reap(a);
}

static void expire(struct hf_timer *t)
{
	struct hf_fence_agent *a = hf_container_of(t, struct hf_fence_agent, timer);

	a->timed_out = true;
	kill(-a->pid, SIGKILL); /* the end of it comes over the descriptor */
}

void hf_fence_agent_init(struct hf_fence_agent *a, struct hf_loop *loop)
{
	a->loop = loop;
	a->pidfd = -1;
	a->req.done = readable;
	hf_timer_init(&a->timer, expire);
}

static int spawn(const char *const *args, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&actions))
		return -ENOMEM;
	if (posix_spawnattr_init(&attr)) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	err = posix_spawnp(ret, args[0], &actions, &attr, (char *const *)args, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

int hf_fence_agent_run(struct hf_fence_agent *a, const char *const *args, uint32_t limit_ms)
{
	pid_t pid;
	int ret;

	hf_assert(a->pidfd < 0);
	ret = spawn(args, &pid);
	if (ret < 0)
		return ret;
	a->pid = pid;
	a->timed_out = false;
	a->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (a->pidfd < 0) {
		ret = -errno;
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return ret;
	}
	hf_timer_arm(a->loop, &a->timer, hf_loop_now_ns(a->loop) + limit_ms * UINT64_C(1000000));
	hf_loop_poll(a->loop, &a->req, a->pidfd, POLLIN);
	return 0;
}

void hf_fence_agent_abandon(struct hf_fence_agent *a)
{
	if (a->pidfd < 0)
		return;
	hf_loop_abandon(a->loop, &a->req);
	hf_timer_cancel(a->loop, &a->timer);
	kill(-a->pid, SIGKILL);
	waitpid(a->pid, NULL, 0);
	close(a->pidfd);
	a->pidfd = -1;
}
