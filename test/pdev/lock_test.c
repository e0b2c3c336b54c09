/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * W9: a process that is killed with requests in the kernel keeps its controller's lock until they
 * have ended, so that whoever gets the lock knows that nothing of the old one arrives any more. On
 * a file system that is frozen (FIFREEZE), for a regular file on it and for a loop device over a
 * file on it. Needs root and mkfs.ext4; skips without.
 */
#include "loop_device.h"
#include "pdev_util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 60

static char dir[] = "/tmp/pdev-lock-XXXXXX";
static struct loop_device disk; /* under the file system */
static struct hf_loop *loop;
static int frozen = -1; /* the root of the file system while it is frozen */
static pid_t victim;

/* However the test ends, nothing stays frozen and nobody stays behind. */
static void clean_up(void)
{
	if (victim > 0)
		kill(victim, SIGKILL);
	if (frozen >= 0)
		ioctl(frozen, FITHAW, 0);
}

static void skip(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(77);
}

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #x, strerror(errno));       \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* A file system of our own in a mount namespace of our own: nothing is left behind. */
static void make_file_system(void)
{
	char image[64], command[160];
	int fd;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		skip("no mount namespace of our own");
	MUST(mkdtemp(dir));
	if (mount("none", dir, "tmpfs", 0, NULL))
		skip("cannot mount");
	snprintf(image, sizeof(image), "%s/image", dir);
	fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
	snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s 2>/dev/null", image);
	if (system(command))
		skip("mkfs.ext4");
	errno = -loop_device_attach(fd, 512, &disk);
	if (errno)
		skip("no loop device");
	snprintf(image, sizeof(image), "%s/fs", dir);
	MUST(mkdir(image, 0700) == 0);
	if (mount(disk.path, image, "ext4", 0, NULL))
		skip("cannot mount ext4");
}

static void freeze(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/fs", dir);
	frozen = open(path, O_RDONLY | O_CLOEXEC);
	MUST(frozen >= 0 && ioctl(frozen, FIFREEZE, 0) == 0);
}

static void thaw(void)
{
	MUST(ioctl(frozen, FITHAW, 0) == 0);
	close(frozen);
	frozen = -1;
}

/* Sets the whole file, so that a frozen file system has nothing to allocate. */
static int make_file(const char *name, char path[96])
{
	static uint8_t zero[1 << 20];
	int fd;

	snprintf(path, 96, "%s/fs/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	for (unsigned i = 0; i < 4; i++)
		MUST(write(fd, zero, sizeof(zero)) == sizeof(zero));
	MUST(fsync(fd) == 0);
	return fd;
}

static struct hf_pdev *open_pdev(struct hf_loop *l, const char *url)
{
	struct hf_pdev *p = NULL;
	char message[256];

	if (hf_pdev_open(url, &l, 1, &p, message, sizeof(message))) {
		fprintf(stderr, "%s\n", message);
		exit(1);
	}
	return p;
}

static void tick(void)
{
	struct timespec t = {.tv_nsec = 5000000};

	nanosleep(&t, NULL);
}

/* The old controller: locks, says so, waits for the freeze, writes, and is killed. */
static pid_t start_victim(const char *url, int *ret_go)
{
	int ready[2], go[2];
	char c = 0;
	pid_t pid;

	MUST(pipe(ready) == 0 && pipe(go) == 0);
	pid = fork();
	MUST(pid >= 0);
	victim = pid;
	if (pid == 0) {
		static uint8_t data[4096] __attribute__((aligned(4096)));
		struct hf_loop *l;
		struct hf_pdev *p;
		struct want w;

		MUST(hf_loop_create(0, NULL, &l) == 0);
		p = open_pdev(l, url);
		MUST(hf_pdev_lock(p, 1) == 0);
		memset(data, 0xdd, sizeof(data));
		MUST(write(ready[1], "r", 1) == 1 && read(go[0], &c, 1) == 1);
		want_start(p, l, &w, HF_PDEV_WRITE, HF_PDEV_FUA, 8192, data, sizeof(data));
		for (;;)
			hf_loop_run_once(l, true);
	}
	MUST(read(ready[0], &c, 1) == 1);
	close(ready[0]), close(ready[1]), close(go[0]);
	*ret_go = go[1];
	return pid;
}

/* A thread of the process sleeps in the kernel and cannot be woken: the write waits for the thaw.
 */
static bool has_stuck_thread(pid_t pid)
{
	char path[300], text[300];
	struct dirent *e;
	bool stuck = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/stat", pid, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (f && fgets(text, sizeof(text), f) && strstr(text, ") D "))
			stuck = true;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return stuck;
}

static bool is_in_flight(unsigned number)
{
	unsigned reads = 0, writes = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/loop%u/inflight", number);
	f = fopen(path, "re");
	MUST(f && fscanf(f, "%u %u", &reads, &writes) == 2);
	fclose(f);
	return writes > 0;
}

/* device: of a loop device, or NULL for a file. */
static void the_killed_keeps_its_lock(
	const char *what, const char *url, const char *path, const struct loop_device *device)
{
	struct hf_pdev *p = open_pdev(loop, url); /* the newcomer; opens before the freeze */
	time_t end = time(NULL) + DEADLINE_S;
	static uint8_t at_lock[4096] __attribute__((aligned(4096)));
	static uint8_t later[4096] __attribute__((aligned(4096)));
	int go, status, fd = open(path, O_RDONLY | O_CLOEXEC);
	pid_t pid = start_victim(url, &go);

	MUST(fd >= 0 && hf_pdev_lock(p, 1) == -EBUSY);
	freeze();
	MUST(write(go, "g", 1) == 1);
	while (!(device ? is_in_flight(device->number) : has_stuck_thread(pid))) {
		MUST(time(NULL) < end);
		tick();
	}
	MUST(kill(pid, SIGKILL) == 0);
	for (unsigned i = 0; i < 40; i++) { /* a freed lock would show at once or soon */
		MUST(hf_pdev_lock(p, 1) == -EBUSY);
		tick();
	}
	thaw();
	while (hf_pdev_lock(p, 1)) {
		MUST(time(NULL) < end);
		tick();
	}
	/* From here on the medium is the newcomer's. */
	MUST(want_run(p, loop, HF_PDEV_READ, 0, 8192, at_lock, sizeof(at_lock)) == 0);
	MUST(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	victim = 0;
	MUST(want_run(p, loop, HF_PDEV_READ, 0, 8192, later, sizeof(later)) == 0);
	MUST(memcmp(at_lock, later, sizeof(later)) == 0);
	printf("w9 %s: locked until the write had %s\n", what,
		at_lock[0] == 0xdd ? "landed" : "died");
	hf_pdev_close(p);
	close(fd);
	close(go);
}

int main(void)
{
	struct loop_device d;
	char path[96];
	int fd;

	make_file_system();
	atexit(clean_up);
	MUST(hf_loop_create(0, NULL, &loop) == 0);
	fd = make_file("file", path);
	close(fd);
	the_killed_keeps_its_lock("regular file", path, path, NULL);
	fd = make_file("under", path);
	MUST(loop_device_attach(fd, 512, &d) == 0);
	the_killed_keeps_its_lock("block device", d.path, d.path, &d);
	loop_device_detach(&d);
	close(fd);
	hf_loop_destroy(loop);
	return 0;
}
