/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The watchdog that stands behind a lease: a watchdog device of Linux, which resets the machine,
 * or, for tests, a program that stands in for one and kills the process ("test:SOCKET").
 */
#include "fence_int.h"

#include "log.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STAND_IN "test:"

static int open_stand_in(struct hf_fence_watchdog *w, const char *path, uint32_t ms)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char hello[64];
	int n;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	w->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		return -errno;
	n = snprintf(hello, sizeof(hello), "start %d %u", (int)getpid(), ms);
	if (connect(w->fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		send(w->fd, hello, (size_t)n, MSG_NOSIGNAL) < 0)
		return -errno;
	hf_warning("fence: a stand-in takes the watchdog's place: for tests only, nothing here "
		   "protects data");
	return 0;
}

static int open_device(struct hf_fence_watchdog *w, const char *path, uint32_t ms, const char **why)
{
	int seconds = (int)(ms / 1000), got = 0;

	w->fd = open(path, O_WRONLY | O_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	w->device = true;
	if (ioctl(w->fd, WDIOC_SETTIMEOUT, &seconds) < 0) {
		*why = errno == ENOTTY ? "it is no watchdog" : "it does not take a time";
		return -EINVAL;
	}
	if (ioctl(w->fd, WDIOC_GETTIMEOUT, &got) < 0 || got > (int)(ms / 1000)) {
		*why = "it does not take a time as short as watchdog-ms";
		return -EINVAL;
	}
	return 0;
}

int hf_fence_watchdog_open(struct hf_fence_watchdog *w, const char *path, uint32_t ms,
	char *message, size_t message_len)
{
	const char *why = NULL;
	int ret;

	w->fd = -1;
	if (strncmp(path, STAND_IN, strlen(STAND_IN)) == 0)
		ret = open_stand_in(w, path + strlen(STAND_IN), ms);
	else
		ret = open_device(w, path, ms, &why);
	if (ret == 0)
		return 0;
	snprintf(message, message_len,
		"the watchdog %s cannot be used: %s; without one a lease protects nothing "
		"(modprobe "
		"softdog gives a machine one that is better than none)",
		path, why ? why : strerror(-ret));
	hf_fence_watchdog_close(w);
	return ret;
}

void hf_fence_watchdog_feed(struct hf_fence_watchdog *w)
{
	if (w->device && write(w->fd, "", 1) != 1)
		hf_warning("fence: the watchdog cannot be fed: %s", strerror(errno));
	else if (!w->device)
		(void)!send(w->fd, "feed", 4, MSG_NOSIGNAL);
}

/* In good order: 'V' before closing, or the watchdog goes on counting. */
void hf_fence_watchdog_close(struct hf_fence_watchdog *w)
{
	if (w->fd < 0)
		return;
	if (w->device && write(w->fd, "V", 1) != 1)
		hf_warning("fence: the watchdog cannot be stopped: %s", strerror(errno));
	else if (!w->device)
		(void)!send(w->fd, "stop", 4, MSG_NOSIGNAL);
	close(w->fd);
	w->fd = -1;
}
