/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool on a file: how it is closed while a voting disk owes an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fault.h"
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct hf_loop *loop;
static char path[] = "/tmp/hf-pool-XXXXXX", url[64], message[512];

static struct hf_pool *open_pool(void)
{
	static const uint8_t uuid[HF_POOL_UUID_BYTES] = {1};
	const char *urls[] = {url};
	struct hf_pool *pool = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
	close(fd);
	snprintf(url, sizeof(url), "fault::%s", path);
	if (hf_disk_init(path, "lab", "v0", true, uuid, false, message, sizeof(message)) ||
		hf_pool_open("lab", 1, urls, 1, NULL, &loop, 1, &pool, message, sizeof(message)))
		fail_msg("%s", message);
	return pool;
}

static void never_told(struct hf_record_io *io, int result)
{
	fail_msg("its owner is gone");
}

/*
 * A request that hangs is waited for two seconds. Then the disk stays as it is, for the request is
 * its own; it is closed when that has ended, should it ever.
 */
static void a_disk_that_owes_an_answer_is_not_closed(void **state)
{
	static uint8_t buf[4096];
	struct hf_pool *pool = open_pool();
	struct hf_pdev *disk = hf_pool_pdev(pool, 0), *other;
	struct hf_record_io io = {
		.kind = HF_RECORD_VIEW, .buf = buf, .len = sizeof(buf), .done = never_told};

	assert_int_equal(hf_pdev_fault_set(disk, "op=read,hang", message, sizeof(message)), 0);
	hf_pool_record_submit(pool, &io);
	while (hf_pdev_fault_hanging(disk) < 2)
		assert_int_equal(hf_loop_run_once(loop, true), 0);
	hf_pool_close(pool);
	assert_int_equal(hf_pdev_fault_hanging(disk), 2);
	hf_pdev_fault_release(disk);
	/* Its lock goes with it. */
	assert_int_equal(hf_pdev_open(path, &loop, 1, &other, message, sizeof(message)), 0);
	while (hf_pdev_lock(other, 1) == -EBUSY)
		assert_int_equal(hf_loop_run_once(loop, true), 0);
	hf_pdev_close(other);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_owes_an_answer_is_not_closed),
	};
	int failed;

	if (hf_loop_create(0, NULL, &loop) < 0)
		return 1;
	alarm(60);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	hf_loop_destroy(loop);
	return failed;
}
