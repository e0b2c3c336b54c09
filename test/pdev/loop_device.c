/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int attach_free(int control, int backing_fd, uint32_t block_bytes, struct loop_device *d)
{
	struct loop_config config = {.fd = (uint32_t)backing_fd, .block_size = block_bytes};
	int n = ioctl(control, LOOP_CTL_GET_FREE), err;

	if (n < 0)
		return -errno;
	d->number = (unsigned)n;
	snprintf(d->path, sizeof(d->path), "/dev/loop%d", n);
	d->fd = open(d->path, O_RDWR | O_CLOEXEC);
	if (d->fd < 0)
		return -errno;
	/* Autoclear: nothing is left behind when a test dies. */
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	if (ioctl(d->fd, LOOP_CONFIGURE, &config) == 0)
		return 0;
	err = -errno;
	close(d->fd);
	return err;
}

int loop_device_attach(int backing_fd, uint32_t block_bytes, struct loop_device *ret)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), err;

	if (control < 0)
		return -errno;
	do {
		err = attach_free(control, backing_fd, block_bytes, ret);
	} while (err == -EBUSY); /* somebody else took it first */
	close(control);
	return err;
}

void loop_device_detach(struct loop_device *d)
{
	close(d->fd);
}
