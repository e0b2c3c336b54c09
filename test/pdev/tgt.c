/* SPDX-License-Identifier: BSD-3-Clause */
#include "tgt.h"
#include "base.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char dir[64];
static pid_t daemon_pid;
static bool is_swapped;
static char port[16];

/* Starts a program with its output in the directory's log; -1 when it is not there. */
static pid_t run(char *const argv[])
{
	posix_spawn_file_actions_t fa;
	char log[96];
	pid_t pid;
	int rc;

	snprintf(log, sizeof(log), "%s/log", dir);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&fa, 1, 2);
	rc = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return rc ? -1 : pid;
}

/* The words of one call of tgtadm, separated by blanks; true when it succeeded. */
static bool admin(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool admin(const char *fmt, ...)
{
	char line[512], *save = NULL;
	char *argv[32] = {"tgtadm", "-C", port, "--lld", "iscsi"};
	unsigned n = 5;
	va_list ap;
	int status;
	pid_t pid;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	pid = run(argv);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool make_lun(unsigned lun, const char *more)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/lun-%u", dir, lun);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	hf_assert(fd >= 0 && ftruncate(fd, TGT_LUN_BYTES) == 0);
	close(fd);
	return admin("--op new --mode logicalunit --tid 1 --lun %u -b %s %s", lun, path, more);
}

static bool make_targets(void)
{
	const char *id = is_swapped ? "--op update --mode logicalunit --tid 1 --lun 3 --params "
				      "scsi_id=another,scsi_sn=another"
				    : "--op show --mode target";

	return admin("--op new --mode target --tid 1 -T " TGT_IQN) && make_lun(TGT_LUN_512, "") &&
	       make_lun(TGT_LUN_4096, "--blocksize 4096") && make_lun(TGT_LUN_THIN, "") &&
	       admin("--op update --mode logicalunit --tid 1 --lun 3 --params "
		     "thin_provisioning=1") &&
	       admin("%s", id) && admin("--op bind --mode target --tid 1 -I ALL") &&
	       admin("--op new --mode target --tid 2 -T " TGT_CHAP_IQN) &&
	       admin("--op new --mode logicalunit --tid 2 --lun 1 -b %s/lun-1", dir) &&
	       admin("--op new --mode account --user alice --password 0123456789ab") &&
	       admin("--op bind --mode account --tid 2 --user alice") &&
	       admin("--op bind --mode target --tid 2 -I ALL");
}

/* tgtd tells nobody when it is ready: it is asked until it answers. */
static bool wait_ready(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (unsigned i = 0; i < 3000; i++) {
		int status;

		if (admin("--op show --mode target"))
			return true;
		if (waitpid(daemon_pid, &status, WNOHANG) == daemon_pid) {
			daemon_pid = 0;
			return false;
		}
		nanosleep(&pause, NULL);
	}
	return false;
}

bool tgt_start(void)
{
	char portal[64], path[96];
	/* It dies with this process, also when that is aborted. */
	char *argv[] = {"setpriv", "--pdeathsig", "KILL", "tgtd", "-f", "-C", port, "--iscsi",
		portal, NULL};

	if (!dir[0]) {
		strcpy(dir, "/tmp/hf-tgt-XXXXXX");
		hf_assert(mkdtemp(dir));
	}
	snprintf(port, sizeof(port), "%d", TGT_PORT);
	snprintf(portal, sizeof(portal), "portal=127.0.0.1:%d,portal=[::1]:%d", TGT_PORT, TGT_PORT);
	snprintf(path, sizeof(path), "%s/ipc", dir);
	setenv("TGT_IPC_SOCKET", path, 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	/* What sanitizers preload into us is not for others. */
	unsetenv("LD_PRELOAD");
	if (access("/usr/sbin/tgtd", X_OK) == 0 || access("/usr/local/sbin/tgtd", X_OK) == 0)
		daemon_pid = run(argv);
	if (daemon_pid <= 0) {
		daemon_pid = 0;
		printf("tgtd is not installed (apt-get install tgt)\n");
		return false;
	}
	if (!wait_ready() || !make_targets()) {
		printf("tgtd does not start here; %s/log tells why\n", dir);
		return false;
	}
	return true;
}

void tgt_swap(bool swap)
{
	is_swapped = swap;
}

void tgt_take_medium_out(bool out)
{
	hf_assert(admin("--op update --mode logicalunit --tid 1 --lun 1 --params "
			"removable=1,online=%d",
		!out));
}

void tgt_kill(void)
{
	if (daemon_pid > 0) {
		kill(daemon_pid, SIGKILL);
		waitpid(daemon_pid, NULL, 0);
	}
	daemon_pid = 0;
}

void tgt_stop_cold(bool stop)
{
	hf_assert(daemon_pid > 0 && kill(daemon_pid, stop ? SIGSTOP : SIGCONT) == 0);
}

void tgt_end(void)
{
	char *argv[] = {"rm", "-rf", dir, NULL};
	pid_t pid;

	tgt_kill();
	if (dir[0] && (pid = run(argv)) > 0)
		waitpid(pid, NULL, 0);
	dir[0] = '\0';
}

const char *tgt_url(const char *iqn, unsigned lun, const char *rest)
{
	static char urls[2][256];
	static unsigned next;
	char *url = urls[next++ % 2];

	snprintf(url, sizeof(urls[0]), "iscsi://127.0.0.1:%d/%s/%u%s", TGT_PORT, iqn, lun, rest);
	return url;
}
