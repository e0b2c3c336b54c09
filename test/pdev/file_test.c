/* SPDX-License-Identifier: BSD-3-Clause */
/* Regular files, opening by URL, and what is wrong with a URL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct hf_loop *loop;
static char message[256];

/* A file of `size` bytes in the working directory; its name is kept until the next call. */
static const char *make_file(uint64_t size)
{
	static char name[32];
	int fd;

	strcpy(name, "./pdev-XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
	return name;
}

static struct hf_pdev *open_url(const char *url)
{
	struct hf_pdev *p = NULL;

	if (hf_pdev_open(url, &loop, 1, &p, message, sizeof(message)) < 0)
		fail_msg("%s: %s", url, message);
	return p;
}

static void a_regular_file_keeps_the_contract(void **state)
{
	const char *name = make_file(8 << 20);
	struct hf_pdev *p = open_url(name);

	assert_int_equal(p->info.size_bytes, 8 << 20);
	assert_int_equal(p->info.block_bytes, 512);
	assert_string_equal(p->url, name);
	contract_all(p, loop);
	hf_pdev_close(p);
	unlink(name);
}

static void a_regular_file_past_the_cache_keeps_the_contract(void **state)
{
	const char *name = make_file(8 << 20);
	char url[64];
	struct hf_pdev *p;

	snprintf(url, sizeof(url), "file:%s?direct=on", name);
	p = open_url(url);
	contract_all(p, loop);
	hf_pdev_close(p);
	unlink(name);
}

static void a_file_on_a_file_system_without_zero_ranges_keeps_the_contract(void **state)
{
	char name[] = "/dev/shm/pdev-XXXXXX";
	int fd = mkstemp(name);
	struct hf_pdev *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8 << 20), 0);
	p = open_url(name);
	contract_all(p, loop);
	hf_pdev_close(p);
	close(fd);
	unlink(name);
}

static void a_discarded_file_frees_its_space(void **state)
{
	const char *name = make_file(8 << 20);
	struct hf_pdev *p = open_url(name);
	void *buf = calloc(1, 1 << 20);
	struct stat before, after;

	assert_int_equal(want_run(p, loop, HF_PDEV_WRITE, 0, 0, buf, 1 << 20), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_FLUSH, 0, 0, NULL, 0), 0);
	assert_int_equal(stat(name, &before), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_DISCARD, 0, 0, NULL, 1 << 20), 0);
	assert_int_equal(stat(name, &after), 0);
	if (p->info.can_discard)
		assert_true(after.st_blocks < before.st_blocks);
	hf_pdev_close(p);
	unlink(name);
	free(buf);
}

/* A file system that finds out half way that it is full, and keeps what it has given. */
static bool is_full;

int __real_fallocate64(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len);

int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len)
{
	if (!is_full || mode != FALLOC_FL_KEEP_SIZE)
		return __real_fallocate64(fd, mode, offset, len);
	assert_int_equal(__real_fallocate64(fd, mode, offset, len / 2), 0);
	errno = ENOSPC;
	return -1;
}

/* Reserves 4 MiB of a file that has 64 KiB of data in them; how much more it takes then. */
static int64_t reserve(const char *name, int want)
{
	struct hf_pdev *p = open_url(name);
	uint8_t *buf = aligned_alloc(4096, 65536), *back = aligned_alloc(4096, 65536);
	struct stat before, after;
	int ret;

	memset(buf, 'x', 65536);
	assert_int_equal(want_run(p, loop, HF_PDEV_WRITE, 0, 1 << 20, buf, 65536), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_FLUSH, 0, 0, NULL, 0), 0);
	assert_int_equal(stat(name, &before), 0);
	ret = hf_pdev_reserve(p, 0, 4 << 20);
	if (ret == -EOPNOTSUPP)
		skip();
	assert_int_equal(ret, want);
	assert_int_equal(stat(name, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, 1 << 20, back, 65536), 0);
	assert_memory_equal(buf, back, 65536);
	hf_pdev_close(p);
	unlink(name);
	free(buf);
	free(back);
	return (after.st_blocks - before.st_blocks) * INT64_C(512);
}

static void what_is_reserved_has_its_place(void **state)
{
	struct hf_pdev *p = open_url("mem:1048576");

	assert_true(reserve(make_file(8 << 20), 0) >= (4 << 20) - 65536);
	assert_int_equal(hf_pdev_reserve(p, 0, 65536), -EOPNOTSUPP);
	hf_pdev_close(p);
}

static void what_there_is_no_room_for_takes_none(void **state)
{
	int64_t taken;

	is_full = true;
	taken = reserve(make_file(8 << 20), -ENOSPC);
	is_full = false;
	assert_int_equal(taken, 0);
}

static void a_file_cut_short_under_us_is_an_error_not_zeroes(void **state)
{
	const char *name = make_file(8 << 20);
	struct hf_pdev *p = open_url(name);
	uint8_t *buf = aligned_alloc(4096, 8192);

	assert_int_equal(truncate(name, 4096), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, 0, buf, 4096), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, 0, buf, 8192), -EIO);
	assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, 65536, buf, 8192), -EIO);
	hf_pdev_close(p);
	unlink(name);
	free(buf);
}

static void the_end_of_a_file_that_is_no_whole_block_is_not_used(void **state)
{
	const char *name = make_file(8192 + 100);
	struct hf_pdev *p = open_url(name);

	assert_int_equal(p->info.size_bytes, 8192);
	hf_pdev_close(p);
	unlink(name);
}

static void a_full_file_system_is_told(void **state)
{
	static struct want w[16];
	struct hf_pdev *p = open_url("mem:1048576");
	struct hf_pdev *f;
	char url[] = "fault:op=write,error=ENOSPC,skip=2:mem:1048576";

	assert_string_equal(p->url, "mem:1048576");
	hf_pdev_close(p);
	f = open_url(url);
	assert_string_equal(f->url, url);
	for (int i = 0; i < 4; i++) {
		static char buf[512];

		want_start(f, loop, &w[i], HF_PDEV_WRITE, 0, 0, buf, 512);
		assert_int_equal(want_finish(loop, &w[i]), i < 2 ? 0 : -ENOSPC);
	}
	hf_pdev_close(f);
}

static void wrong_urls_are_explained(void **state)
{
	static const struct {
		const char *url;
		int result;
		const char *says;
	} wrong[] = {
		{"", -EINVAL, "starts with"},
		{"disk", -EINVAL, "starts with"},
		{"/no/such/file", -ENOENT, "/no/such/file"},
		{"/dev/null", -ENOTBLK, "neither a regular file nor a block device"},
		{"/", -ENOTBLK, "neither a regular file nor a block device"},
		{"file:./no-such-file?direct=maybe", -ENOENT, "./no-such-file"},
		{"file:/proc/self/exe?direct=maybe", -EINVAL, "?direct=on and ?direct=off"},
		{"mem:", -EINVAL, "number of bytes"},
		{"mem:-512", -EINVAL, "number of bytes"},
		{"mem:99999999999999999999999", -EINVAL, "number of bytes"},
		{"mem:100", -EINVAL, "not a multiple of 512"},
		{"mem:0", -EINVAL, "not a multiple of 512"},
		{"fault:error=EIO", -EINVAL, "fault:RULES:URL"},
		{"fault:error=EFOO:mem:512", -EINVAL, "error"},
		{"fault:op=write:mem:512", -EINVAL, "says not what happens"},
		{"fault::disk", -EINVAL, "starts with"},
	};
	char endless[400];
	struct hf_pdev *p = (struct hf_pdev *)8;

	for (unsigned i = 0; i < HF_ARRAY_LEN(wrong); i++) {
		strcpy(message, "?");
		assert_int_equal(hf_pdev_open(wrong[i].url, &loop, 1, &p, message, sizeof(message)),
			wrong[i].result);
		if (!strstr(message, wrong[i].says))
			fail_msg("%s: %s", wrong[i].url, message);
		assert_ptr_equal(p, (struct hf_pdev *)8);
	}
	memset(endless, '/', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(
		hf_pdev_open(endless, &loop, 1, &p, message, sizeof(message)), -ENAMETOOLONG);
	hf_pdev_close(NULL);
}

static void an_empty_file_is_explained(void **state)
{
	const char *name = make_file(0);
	struct hf_pdev *p;

	assert_int_equal(hf_pdev_open(name, &loop, 1, &p, message, sizeof(message)), -ENOSPC);
	assert_non_null(strstr(message, "truncate -s"));
	unlink(name);
}

static void the_lock_excludes_the_same_controller_only(void **state)
{
	const char *name = make_file(8 << 20);
	struct hf_pdev *a = open_url(name), *b = open_url(name);

	assert_int_equal(hf_pdev_lock(a, 1), 0);
	assert_int_equal(hf_pdev_lock(b, 1), -EBUSY);
	assert_int_equal(hf_pdev_lock(b, 2), 0);
	assert_int_equal(hf_pdev_lock(a, 2), -EBUSY);
	hf_pdev_close(a);
	assert_int_equal(hf_pdev_lock(b, 1), 0);
	hf_pdev_close(b);
	unlink(name);
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
		cmocka_unit_test(a_regular_file_keeps_the_contract),
		cmocka_unit_test(a_regular_file_past_the_cache_keeps_the_contract),
		cmocka_unit_test(a_file_on_a_file_system_without_zero_ranges_keeps_the_contract),
		cmocka_unit_test(a_discarded_file_frees_its_space),
		cmocka_unit_test(what_is_reserved_has_its_place),
		cmocka_unit_test(what_there_is_no_room_for_takes_none),
		cmocka_unit_test(a_file_cut_short_under_us_is_an_error_not_zeroes),
		cmocka_unit_test(the_end_of_a_file_that_is_no_whole_block_is_not_used),
		cmocka_unit_test(a_full_file_system_is_told),
		cmocka_unit_test(wrong_urls_are_explained),
		cmocka_unit_test(an_empty_file_is_explained),
		cmocka_unit_test(the_lock_excludes_the_same_controller_only),
	};

	return cmocka_run_group_tests(tests, make_loop, destroy_loop);
}
