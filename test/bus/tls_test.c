/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS with a pre-shared key: the right key gets through, nothing else does. */
#include "tls_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct hf_tls_context *contexts[2];
static struct hf_tls *ends[2];

static void start(const char *server_key, const char *client_key)
{
	const char *keys[] = {server_key, client_key};

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(hf_tls_context_create(
					 (const uint8_t *)keys[i], strlen(keys[i]), &contexts[i]),
			0);
		assert_int_equal(hf_tls_create(contexts[i], i == 0, &ends[i]), 0);
	}
}

static int tear_down(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		hf_tls_destroy(ends[i]);
		hf_tls_context_destroy(contexts[i]);
		ends[i] = NULL;
		contexts[i] = NULL;
	}
	return 0;
}

static void move(unsigned from)
{
	uint8_t buf[70000];
	size_t n;

	while ((n = hf_tls_output(ends[from], buf, sizeof(buf))) > 0)
		assert_int_equal(hf_tls_input(ends[!from], buf, n), 0);
}

/* Both sides do what they can; the results of the last round. */
static void shake(int ret[2])
{
	for (unsigned round = 0; round < 6; round++)
		for (unsigned i = 0; i < 2; i++) {
			if (round == 0 || ret[i] == 0)
				ret[i] = hf_tls_handshake(ends[i]);
			move(i);
		}
}

static void the_same_key_gets_through_record_by_record(void **state)
{
	static uint8_t big[16384], in[16384];
	int ret[2];

	start("a key of enough bytes", "a key of enough bytes");
	shake(ret);
	assert_int_equal(ret[0], 1);
	assert_int_equal(ret[1], 1);
	memset(big, 0x5a, sizeof(big));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(hf_tls_write(ends[i], "one", 3), 0);
		assert_int_equal(hf_tls_write(ends[i], big, sizeof(big)), 0);
		move(i);
		assert_int_equal(hf_tls_read(ends[!i], in, sizeof(in)), 3);
		assert_int_equal(hf_tls_read(ends[!i], in, sizeof(in)), sizeof(in));
		assert_memory_equal(in, big, sizeof(in));
		assert_int_equal(hf_tls_read(ends[!i], in, sizeof(in)), 0);
	}
}

static void another_key_is_refused_on_both_sides(void **state)
{
	int ret[2];

	start("a key of enough bytes", "a key of enough bytez");
	shake(ret);
	assert_int_equal(ret[0], -EACCES);
	assert_int_equal(ret[1], -EACCES);
	assert_true(strlen(hf_tls_problem(ends[0])) > 0);
}

static void garbage_is_refused(void **state)
{
	start("a key of enough bytes", "a key of enough bytes");
	assert_int_equal(hf_tls_input(ends[0], "GET / HTTP/1.0\r\n\r\n", 18), 0);
	assert_int_equal(hf_tls_handshake(ends[0]), -EPROTO);
}

static void a_changed_record_is_refused(void **state)
{
	uint8_t buf[1000];
	int ret[2];
	size_t n;

	start("a key of enough bytes", "a key of enough bytes");
	shake(ret);
	assert_int_equal(hf_tls_write(ends[1], "hello", 5), 0);
	n = hf_tls_output(ends[1], buf, sizeof(buf));
	buf[n - 1] ^= 1;
	assert_int_equal(hf_tls_input(ends[0], buf, n), 0);
	assert_int_equal(hf_tls_read(ends[0], buf, sizeof(buf)), -EPROTO);
}

static void a_replayed_handshake_proves_nothing(void **state)
{
	struct hf_tls *second;
	uint8_t recorded[8000];
	size_t n;

	start("a key of enough bytes", "a key of enough bytes");
	assert_int_equal(hf_tls_handshake(ends[1]), 0);
	n = hf_tls_output(ends[1], recorded, sizeof(recorded));
	hf_tls_input(ends[0], recorded, n);
	assert_int_equal(hf_tls_handshake(ends[0]), 0);
	move(0);
	assert_int_equal(hf_tls_handshake(ends[1]), 1);
	n += hf_tls_output(ends[1], recorded + n, sizeof(recorded) - n);
	assert_int_equal(hf_tls_create(contexts[0], true, &second), 0);
	assert_int_equal(hf_tls_input(second, recorded, n), 0);
	assert_true(hf_tls_handshake(second) <= 0);
	assert_true(hf_tls_handshake(second) < 0);
	hf_tls_destroy(second);
}

static void a_short_key_is_no_key(void **state)
{
	struct hf_tls_context *c = NULL;

	assert_int_equal(
		hf_tls_context_create((const uint8_t *)"fifteen bytes..", 15, &c), -EINVAL);
	assert_null(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_same_key_gets_through_record_by_record, tear_down),
		cmocka_unit_test_teardown(another_key_is_refused_on_both_sides, tear_down),
		cmocka_unit_test_teardown(garbage_is_refused, tear_down),
		cmocka_unit_test_teardown(a_changed_record_is_refused, tear_down),
		cmocka_unit_test_teardown(a_replayed_handshake_proves_nothing, tear_down),
		cmocka_unit_test(a_short_key_is_no_key),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
