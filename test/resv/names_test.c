/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of initiators are compared without case, up to their end, and kept in order. They are
 * compared many letters at a time; here they are held against a comparison letter by letter.
 */
#include "kit.h"

#include <stdlib.h>

enum { NAMES = 200, PAIRS = 200000 };

static uint64_t seed;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

/* Letters beside those that have a case, and beside the end. Behind the end lies anything. */
static void random_name(struct hf_port_id *id)
{
	static const char letters[] = "aAbBmMzZ@[`{\x01\x7f\x80\xc1\xe1\xff.:-";
	unsigned len = 1 + random_below(40);

	for (size_t i = 0; i < sizeof(id->name); i++)
		id->name[i] = i < len ? letters[random_below(sizeof(letters) - 1)]
				      : (char)random_below(256);
	if (random_below(20) == 0)
		len = HF_RESV_NAME_SIZE - 1;
	id->name[len] = 0;
	for (unsigned i = 0; i < len; i++)
		if (!id->name[i])
			id->name[i] = 'x';
}

static uint8_t lower(char c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static int by_letters(const char *a, const char *b)
{
	for (; lower(*a) == lower(*b); a++, b++)
		if (!*a)
			return 0;
	return lower(*a) < lower(*b) ? -1 : 1;
}

static void names_are_equal_when_their_letters_are(void **state)
{
	unsigned equal = 0;

	for (unsigned k = 0; k < PAIRS; k++) {
		struct hf_port_id a = {.isid = 1}, b = {.isid = 1};
		bool same;

		random_name(&a);
		random_name(&b);
		if (random_below(4)) { /* the same but for the case, and perhaps one letter */
			size_t len = strlen(a.name), at = random_below((unsigned)len);

			memcpy(b.name, a.name, len + 1);
			for (size_t i = 0; i < len; i++)
				if (lower(b.name[i]) != (uint8_t)b.name[i] && random_below(2))
					b.name[i] = (char)lower(b.name[i]);
			if (random_below(2))
				b.name[at] = (char)(b.name[at] ^ 0x20 ? b.name[at] ^ 0x20 : 'y');
		}
		same = !by_letters(a.name, b.name);
		equal += same;
		if (hf_port_id_equal(&a, &b) != same || hf_port_id_equal(&b, &a) != same)
			fail_msg("\"%s\" and \"%s\"", a.name, b.name);
	}
	assert_true(equal > PAIRS / 8 && equal < PAIRS * 7 / 8);
}

static void registrations_are_in_the_order_of_their_names(void **state)
{
	static uint8_t bytes[HF_RESV_STATE_BYTES_MAX];
	struct hf_resv *r = kit_create(1, NAMES), *other = kit_create(1, NAMES);
	struct hf_resv_registration last, reg;
	struct hf_resv_outcome out;
	struct hf_resv_info info;
	int len;

	for (unsigned i = 0; i < NAMES; i++) {
		struct hf_resv_op op = {.kind = HF_RESV_PR_REGISTER_IGNORE, .sark = i + 1};

		random_name(&op.nexus.init);
		op.nexus.rtpi = 1;
		kit_apply(r, &op, &out);
		assert_string_equal(kit_verdict(&out.verdict), "GOOD");
	}
	hf_resv_info(r, &info);
	assert_true(info.registrations_len > NAMES / 2);
	for (unsigned i = 0; i < info.registrations_len; i++) {
		hf_resv_registration(r, i, &reg);
		for (const char *c = reg.nexus.init.name; *c; c++)
			assert_int_equal((uint8_t)*c, lower(*c));
		if (i)
			assert_true(by_letters(last.nexus.init.name, reg.nexus.init.name) < 0);
		last = reg;
	}
	len = hf_resv_encode(r, bytes, sizeof(bytes));
	assert_int_equal(hf_resv_decode(other, bytes, (size_t)len), 0);
	assert_true(hf_resv_digest(other) == hf_resv_digest(r));
	hf_resv_destroy(r);
	hf_resv_destroy(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_equal_when_their_letters_are),
		cmocka_unit_test(registrations_are_in_the_order_of_their_names),
	};
	const char *given = getenv("HF_SEED");

	seed = given ? strtoull(given, NULL, 0) : 20260127;
	printf("seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
