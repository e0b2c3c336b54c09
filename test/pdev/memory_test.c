/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory, and the fault layer over it, on the loop in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contract.h"
#include "fault.h"
#include "loop_sim.h"

static struct hf_loop *loop;
static struct hf_pdev *pdev;
static uint8_t out[65536], in[65536];
static char message[256];

static int make(void **state)
{
	struct hf_pdev *below;

	memset(out, 0x5a, sizeof(out));
	memset(in, 0, sizeof(in));
	if (hf_loop_create(0, NULL, &loop) || hf_pdev_memory_create(8 << 20, 512, &below))
		return -1;
	return hf_pdev_fault_create("", below, &pdev, message, sizeof(message));
}

static int unmake(void **state)
{
	pdev->ops->close(pdev);
	hf_loop_destroy(loop);
	return 0;
}

static void rules(const char *spec)
{
	if (hf_pdev_fault_set(pdev, spec, message, sizeof(message)))
		fail_msg("%s: %s", spec, message);
}

static int write_at(uint64_t offset)
{
	return want_run(pdev, loop, HF_PDEV_WRITE, 0, offset, out, sizeof(out));
}

static int read_at(uint64_t offset)
{
	return want_run(pdev, loop, HF_PDEV_READ, 0, offset, in, sizeof(in));
}

static void memory_under_no_fault_keeps_the_contract(void **state)
{
	contract_all(pdev, loop);
}

static void an_error_does_not_reach_the_medium_a_late_one_has(void **state)
{
	rules("op=write,error=EIO,count=1;op=write,late-error=ENOSPC,count=1");
	assert_int_equal(write_at(0), -EIO);
	assert_int_equal(read_at(0), 0);
	assert_int_equal(in[0], 0);
	assert_int_equal(write_at(0), -ENOSPC);
	assert_int_equal(read_at(0), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(write_at(0), 0);
	assert_int_equal(hf_pdev_fault_strikes(pdev), 2);
}

static void a_torn_write_leaves_its_beginning(void **state)
{
	rules("op=write,torn=1536");
	assert_int_equal(write_at(4096), -EIO);
	assert_int_equal(read_at(4096), 0);
	assert_memory_equal(in, out, 1536);
	assert_int_equal(in[1536], 0);
}

static void skip_range_and_operation_pick_the_requests(void **state)
{
	rules("op=read+write,at=64K-128K,skip=1,error=EIO");
	assert_int_equal(write_at(0), 0);
	assert_int_equal(write_at(65536), 0);
	assert_int_equal(read_at(65536), -EIO);
	assert_int_equal(read_at(131072), 0);
	assert_int_equal(want_run(pdev, loop, HF_PDEV_FLUSH, 0, 0, NULL, 0), 0);
}

static void until_hanging(unsigned n)
{
	while (hf_pdev_fault_hanging(pdev) < n)
		assert_int_equal(hf_loop_run_once(loop, true), 0);
}

static void what_hangs_waits_for_its_release(void **state)
{
	struct want before, after;

	rules("op=write,hang,count=1");
	want_start(pdev, loop, &before, HF_PDEV_WRITE, 0, 0, out, sizeof(out));
	until_hanging(1);
	assert_int_equal(read_at(0), 0);
	assert_int_equal(in[0], 0); /* not at the medium */
	rules("op=write,hang-late,count=1");
	want_start(pdev, loop, &after, HF_PDEV_WRITE, 0, 65536, out, sizeof(out));
	until_hanging(2);
	assert_int_equal(read_at(65536), 0);
	assert_int_equal(in[0], 0x5a); /* at the medium, unanswered */
	assert_false(before.is_done || after.is_done);
	assert_int_equal(hf_pdev_fault_hanging(pdev), 2);
	assert_int_equal(hf_pdev_fault_release(pdev), 2);
	assert_int_equal(want_finish(loop, &before), 0);
	assert_int_equal(want_finish(loop, &after), 0);
	assert_int_equal(hf_pdev_fault_hanging(pdev), 0);
	assert_int_equal(read_at(0), 0);
	assert_int_equal(in[0], 0x5a);
}

static void a_delay_takes_its_time(void **state)
{
	uint64_t start = hf_loop_now_ns(loop);

	rules("op=write,delay=20ms");
	assert_int_equal(write_at(0), 0);
	assert_true(hf_loop_now_ns(loop) - start >= 20000000);
}

static void wrong_rules_are_explained_and_the_old_ones_stay(void **state)
{
	static const char *const wrong[] = {"error=EWHAT", "op=paint", "at=5", "at=9-3", "delay=3",
		"p=2", "count=x", "torn=", "nothing=1", "op=write,"};

	rules("error=EIO");
	for (unsigned i = 0; i < HF_ARRAY_LEN(wrong); i++) {
		message[0] = '\0';
		if (hf_pdev_fault_set(pdev, wrong[i], message, sizeof(message)) != -EINVAL)
			fail_msg("%s was taken", wrong[i]);
		assert_true(strlen(message) > 10);
	}
	assert_int_equal(write_at(0), -EIO);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, make, unmake)
	const struct CMUnitTest tests[] = {
		TEST(memory_under_no_fault_keeps_the_contract),
		TEST(an_error_does_not_reach_the_medium_a_late_one_has),
		TEST(a_torn_write_leaves_its_beginning),
		TEST(skip_range_and_operation_pick_the_requests),
		TEST(what_hangs_waits_for_its_release),
		TEST(a_delay_takes_its_time),
		TEST(wrong_rules_are_explained_and_the_old_ones_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
