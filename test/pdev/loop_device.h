/* SPDX-License-Identifier: BSD-3-Clause */
/* Loop devices for tests, made by ioctl. Needs root; without it tests skip. */
#ifndef HF_TEST_LOOP_DEVICE_H
#define HF_TEST_LOOP_DEVICE_H

#include <stdint.h>

struct loop_device {
	char path[32]; /* "/dev/loopN" */
	unsigned number;
	int fd; /* the device goes when this and every other user has closed it */
};

/* On the open file backing_fd. 0 or -errno: no root, no loop devices here. */
int loop_device_attach(int backing_fd, uint32_t block_bytes, struct loop_device *ret);
void loop_device_detach(struct loop_device *d);

#endif
