/* SPDX-License-Identifier: BSD-3-Clause */
/* Block devices, past the page cache: loop devices with blocks of 512 and of 4096 bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contract.h"
#include "loop_device.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct hf_loop *loop;

static int make_file(uint64_t size)
{
	char name[] = "./pdev-block-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void keeps_the_contract(uint32_t block_bytes)
{
	int fd = make_file(16 << 20);
	struct loop_device d;
	struct hf_pdev *p;
	char message[256];

	assert_int_equal(loop_device_attach(fd, block_bytes, &d), 0);
	if (hf_pdev_open(d.path, &loop, 1, &p, message, sizeof(message)))
		fail_msg("%s", message);
	assert_int_equal(p->info.size_bytes, 16 << 20);
	assert_int_equal(p->info.block_bytes, block_bytes);
	contract_all(p, loop);
	hf_pdev_close(p);
	loop_device_detach(&d);
	close(fd);
}

static void blocks_of_512_bytes_keep_the_contract(void **state)
{
	keeps_the_contract(512);
}

static void blocks_of_4096_bytes_keep_the_contract(void **state)
{
	keeps_the_contract(4096);
}

static int make_loop(void **state)
{
	return hf_loop_create(0, NULL, &loop);
}

static int destroy_loop(void **state)
{
	hf_loop_destroy(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_512_bytes_keep_the_contract),
		cmocka_unit_test(blocks_of_4096_bytes_keep_the_contract),
	};
	int fd = make_file(1 << 20), err;
	struct loop_device d;

	err = loop_device_attach(fd, 512, &d);
	if (err) {
		printf("no loop devices to be had: %s\n", strerror(-err));
		return 77;
	}
	loop_device_detach(&d);
	close(fd);
	return cmocka_run_group_tests(tests, make_loop, destroy_loop);
}
