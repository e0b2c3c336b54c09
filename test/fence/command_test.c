/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fence agents that fail, hang and cannot be run, as real processes. Each tells over a fifo what it
 * is; that nobody holds the fifo open any more is how the test knows that all of them are dead.
 */
#include "fence_int.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum {
	DEADLINE_MS = 30000,
	LONG_MS = 600000, /* a limit that no agent here comes to */
	BRIEF_MS = 200,
};

static struct hf_loop *loop;
static struct hf_fence_agent agent;
static char dir[] = "/tmp/hf-agent-XXXXXX";
static char said[sizeof(dir) + 8], word[sizeof(dir) + 8]; /* fifos: from the agent, to it */
static int from_agent;
static unsigned ends;
static int result;
static char why[100];

static void ended(struct hf_fence_agent *a, int res, const char *text)
{
	ends++;
	result = res;
	snprintf(why, sizeof(why), "%s", text);
}

static int set_up(void **st)
{
	ends = 0;
	result = 1;
	why[0] = 0;
	hf_fence_agent_init(&agent, loop);
	agent.ended = ended;
	from_agent = open(said, O_RDONLY | O_NONBLOCK);
	return from_agent < 0;
}

static int tear_down(void **st)
{
	hf_fence_agent_abandon(&agent);
	return close(from_agent);
}

/* $0 is the fifo that it writes to, $1 the one that it reads. */
static void run(const char *script, uint32_t limit_ms)
{
	const char *args[] = {"/bin/sh", "-c", script, said, word, NULL};

	assert_int_equal(hf_fence_agent_run(&agent, args, limit_ms), 0);
	assert_true(agent.pidfd >= 0);
}

static void wait_ended(void)
{
	unsigned before = ends;

	while (ends == before)
		assert_true(hf_loop_run_once(loop, true) >= -EAGAIN);
	assert_int_equal(ends, before + 1);
	assert_true(agent.pidfd < 0);
	assert_int_equal(waitpid(agent.pid, NULL, WNOHANG), -1); /* it has been reaped */
	assert_int_equal(errno, ECHILD);
}

/* What has been said until nobody is left who could say more. */
static void hear_all(char *ret, size_t len)
{
	struct pollfd p = {.fd = from_agent, .events = POLLIN};
	size_t n = 0;
	ssize_t got;

	for (;;) {
		got = read(from_agent, ret + n, len - 1 - n);
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
		else if (poll(&p, 1, DEADLINE_MS) <= 0)
			fail_msg("a process of the agent lives on");
	}
	ret[n] = 0;
}

/* One line, of an agent that goes on. Nobody may have opened the fifo yet: that is no end of it. */
static void hear_line(const char *want)
{
	struct pollfd p = {.fd = from_agent, .events = POLLIN};
	char got[20] = "";

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	assert_int_equal(read(from_agent, got, sizeof(got) - 1), strlen(want));
	assert_string_equal(got, want);
}

static void exit_status_zero_is_success(void **st)
{
	run("exit 0", LONG_MS);
	wait_ended();
	assert_int_equal(result, 0);
}

static void another_exit_status_is_a_failure_and_told(void **st)
{
	run("exit 3", LONG_MS);
	wait_ended();
	assert_int_equal(result, -EIO);
	assert_string_equal(why, "failed with exit status 3");
	run("kill -KILL $$", LONG_MS);
	wait_ended();
	assert_int_equal(result, -EIO);
	assert_string_equal(why, "was ended by signal 9");
	run("exit 0", LONG_MS);
	wait_ended();
	assert_int_equal(result, 0);
}

#define HANG "exec 3>\"$0\" >/dev/null 2>&1; sleep 600 & echo hangs >&3; exec sleep 600"

static void one_that_hangs_is_killed_with_its_children_and_can_be_run_again(void **st)
{
	char heard[40];
	uint32_t limit_ms = BRIEF_MS;

	/* On a busy machine it may be killed before there are two of it. */
	do {
		run(HANG, limit_ms);
		wait_ended();
		assert_int_equal(result, -ETIMEDOUT);
		assert_string_equal(why, "did not end in time and was killed");
		hear_all(heard, sizeof(heard));
		limit_ms *= 2;
	} while (!*heard);
	assert_string_equal(heard, "hangs\n");
	run("exit 0", LONG_MS);
	wait_ended();
	assert_int_equal(result, 0);
	assert_false(hf_timer_is_armed(&agent.timer));
}

static void one_that_is_abandoned_is_killed_and_says_nothing(void **st)
{
	char heard[40];

	run(HANG, LONG_MS);
	hear_line("hangs\n");
	hf_fence_agent_abandon(&agent);
	hear_all(heard, sizeof(heard));
	assert_string_equal(heard, "");
	assert_int_equal(waitpid(agent.pid, NULL, WNOHANG), -1);
	run("exit 0", LONG_MS);
	wait_ended();
	assert_int_equal(ends, 1);
}

static void one_that_cannot_be_executed_is_told_at_once(void **st)
{
	const char *missing[] = {"/nonexistent/agent", NULL};
	const char *no_program[] = {said, NULL}; /* no x bit */

	assert_int_equal(hf_fence_agent_run(&agent, missing, LONG_MS), -ENOENT);
	assert_int_equal(hf_fence_agent_run(&agent, no_program, LONG_MS), -EACCES);
	assert_true(agent.pidfd < 0);
	assert_false(hf_timer_is_armed(&agent.timer));
	run("exit 0", LONG_MS);
	wait_ended();
	assert_int_equal(ends, 1);
	assert_int_equal(result, 0);
}

static void one_that_closes_its_output_has_not_ended(void **st)
{
	int to_agent;

	run("exec >&- 2>&-; echo closed >\"$0\"; read -r w <\"$1\"; [ \"$w\" = go ]", LONG_MS);
	hear_line("closed\n");
	for (int i = 0; i < 10; i++)
		assert_true(hf_loop_run_once(loop, false) >= -EAGAIN);
	assert_int_equal(ends, 0);
	to_agent = open(word, O_WRONLY);
	assert_true(to_agent >= 0);
	assert_int_equal(write(to_agent, "go\n", 3), 3);
	close(to_agent);
	wait_ended();
	assert_int_equal(result, 0);
}

/* A descriptor of ours may hold a lock on a disk. */
static void it_has_no_descriptor_of_ours(void **st)
{
	int fd = fcntl(from_agent, F_DUPFD, 9); /* without close-on-exec */
	char script[60];

	assert_true(fd >= 9);
	snprintf(script, sizeof(script), "[ ! -e /proc/$$/fd/%d ]", fd);
	run(script, LONG_MS);
	wait_ended();
	assert_int_equal(result, 0);
	close(fd);
}

static void it_blocks_no_signal(void **st)
{
	/* A shell would unblock them by itself. */
	const char *args[] = {"grep", "-q", "^SigBlk:[[:space:]]*0*$", "/proc/self/status", NULL};
	sigset_t usr1, before;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	assert_int_equal(hf_fence_agent_run(&agent, args, LONG_MS), 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	wait_ended();
	assert_int_equal(result, 0);
}

static int group_set_up(void **st)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(said, sizeof(said), "%s/said", dir);
	snprintf(word, sizeof(word), "%s/word", dir);
	return mkfifo(said, 0600) || mkfifo(word, 0600) || hf_loop_create(0, NULL, &loop);
}

static int group_tear_down(void **st)
{
	hf_loop_destroy(loop);
	unlink(said);
	unlink(word);
	return rmdir(dir);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(exit_status_zero_is_success),
		T(another_exit_status_is_a_failure_and_told),
		T(one_that_hangs_is_killed_with_its_children_and_can_be_run_again),
		T(one_that_is_abandoned_is_killed_and_says_nothing),
		T(one_that_cannot_be_executed_is_told_at_once),
		T(one_that_closes_its_output_has_not_ended),
		T(it_has_no_descriptor_of_ours),
		T(it_blocks_no_signal),
	};

	return cmocka_run_group_tests_name("command", tests, group_set_up, group_tear_down);
}
