/* SPDX-License-Identifier: BSD-3-Clause */
/* The bus handshake: bytes there and back, and a sentence for everything that differs. */
#include "handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct hf_hello a, b;
static uint16_t version;
static char sentence[HF_HELLO_SENTENCE_MAX];

static int set_up(void **state)
{
	struct hf_hello *both[] = {&a, &b};

	for (unsigned i = 0; i < 2; i++) {
		hf_hello_init(both[i]);
		memset(both[i]->cluster, 7, sizeof(a.cluster));
		both[i]->id = (uint8_t)(1 + i);
		both[i]->incarnation = 100 + i;
		both[i]->config_digest = 0xabcd;
		both[i]->stream = 3 + i;
		both[i]->peer_stream = 4 - i;
		both[i]->stamp = 99;
	}
	memset(sentence, 0, sizeof(sentence));
	version = 0;
	return 0;
}

static void expect_refusal(int code, const char *words)
{
	assert_int_equal(hf_hello_compare(&a, 2, &b, &version, sentence), code);
	assert_int_equal(version, 0);
	assert_non_null(strstr(sentence, words));
	/* The other side finds it out by itself. */
	assert_int_equal(hf_hello_compare(&b, 1, &a, &version, sentence), code);
	assert_non_null(strstr(sentence, words));
}

static void equals_agree(void **state)
{
	assert_int_equal(hf_hello_compare(&a, 2, &b, &version, sentence), 0);
	assert_int_equal(version, hf_bus_versions[hf_bus_versions_len - 1].number);
	assert_int_equal(hf_hello_compare(&b, 1, &a, &version, sentence), 0);
}

static void the_highest_common_version_is_spoken(void **state)
{
	a.version_max = 9;
	b.version_max = 5;
	assert_int_equal(hf_hello_compare(&a, 2, &b, &version, sentence), 0);
	assert_int_equal(version, 5);
	version = 0;
	a.version_min = 6;
	expect_refusal(-EPROTO, "versions have nothing in common");
}

static void another_cluster_is_refused(void **state)
{
	b.cluster[15] ^= 1;
	expect_refusal(-EXDEV, "different clusters");
}

static void another_configuration_is_refused(void **state)
{
	b.config_digest++;
	expect_refusal(-EINVAL, "configurations of controller");
}

static void another_limit_is_refused(void **state)
{
	b.limits[0]--;
	expect_refusal(-EINVAL, "registrations per logical unit");
}

static void the_wrong_controller_is_refused(void **state)
{
	b.id = 3;
	assert_int_equal(hf_hello_compare(&a, 2, &b, &version, sentence), -EEXIST);
	assert_non_null(strstr(sentence, "expects controller 2 here but controller 3 answers"));
	b.id = 1; /* talks to itself: a wrong address, or a reflected connection */
	assert_int_equal(hf_hello_compare(&a, 2, &b, &version, sentence), -EEXIST);
	assert_non_null(strstr(sentence, "both ends say that they are controller 1"));
}

static void hello_survives_the_wire(void **state)
{
	uint8_t buf[HF_HELLO_BYTES_MAX];
	struct hf_hello c;
	size_t n = hf_hello_encode(&a, buf);

	assert_int_equal(hf_hello_decode(buf, n, &c), 0);
	assert_memory_equal(&a, &c, sizeof(a));
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(hf_hello_decode(buf, cut, &c), -EBADMSG);
	/* A later version appends fields: they are passed over. */
	assert_int_equal(hf_hello_decode(buf, n + 20, &c), 0);
}

static void a_hello_of_a_far_future_still_tells_its_versions(void **state)
{
	uint8_t buf[HF_HELLO_BYTES_MAX] = {0};
	struct hf_hello c;

	a.version_min = 500;
	a.version_max = 600;
	hf_hello_encode(&a, buf);
	assert_int_equal(hf_hello_decode(buf, 58, &c), 0);
	assert_int_equal(hf_hello_compare(&b, 1, &c, &version, sentence), -EPROTO);
	assert_non_null(strstr(sentence, "500 to 600"));
}

static void a_refusal_cannot_forge_log_lines(void **state)
{
	uint8_t buf[HF_HELLO_BYTES_MAX];
	char text[HF_HELLO_SENTENCE_MAX];
	size_t n = hf_hello_refuse_encode("no\n<3>forged \x1b[2J", buf);

	assert_int_equal(hf_hello_refuse_decode(buf, n, text), 0);
	assert_string_equal(text, "no?<3>forged ?[2J");
	memset(buf + 1, 'x', sizeof(buf) - 1);
	assert_int_equal(hf_hello_refuse_decode(buf, sizeof(buf), text), -EBADMSG);
}

static void accept_survives_the_wire(void **state)
{
	struct hf_hello_accept x = {.version = 1, .stream = 77, .stamp = 88}, y;
	uint8_t buf[HF_HELLO_BYTES_MAX];
	size_t n = hf_hello_accept_encode(&x, buf);

	assert_int_equal(hf_hello_accept_decode(buf, n, &y), 0);
	assert_int_equal(y.stream, 77);
	assert_int_equal(y.stamp, 88);
	assert_int_equal(hf_hello_accept_decode(buf, n - 1, &y), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(equals_agree, set_up),
		cmocka_unit_test_setup(the_highest_common_version_is_spoken, set_up),
		cmocka_unit_test_setup(another_cluster_is_refused, set_up),
		cmocka_unit_test_setup(another_configuration_is_refused, set_up),
		cmocka_unit_test_setup(another_limit_is_refused, set_up),
		cmocka_unit_test_setup(the_wrong_controller_is_refused, set_up),
		cmocka_unit_test_setup(hello_survives_the_wire, set_up),
		cmocka_unit_test_setup(a_hello_of_a_far_future_still_tells_its_versions, set_up),
		cmocka_unit_test_setup(a_refusal_cannot_forge_log_lines, set_up),
		cmocka_unit_test_setup(accept_survives_the_wire, set_up),
	};

	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
