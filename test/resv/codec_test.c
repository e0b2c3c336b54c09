/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ops and states as bytes. That every op and state comes back is checked by kit_apply() in every
 * story; here: order does not matter, damage is refused, sizes suffice, copies are equal.
 */
#include "short.h"

static uint8_t a_bytes[HF_RESV_STATE_BYTES_MAX], b_bytes[HF_RESV_STATE_BYTES_MAX];

static const struct kit_step forth[] = {
	{REGISTER, "A1", .sark = 1, .flags = APTPL},
	{REGISTER, "B2", .sark = 2, .flags = APTPL},
	{REGISTER, "C1", .sark = 3, .flags = APTPL},
	{RESERVE, "B2", .rk = 2, .type = 6},
	{0},
};

static const struct kit_step back[] = {
	{REGISTER, "C1", .sark = 3, .flags = APTPL},
	{REGISTER, "B2", .sark = 2, .flags = APTPL},
	{RESERVE, "B2", .rk = 2, .type = 6},
	{REGISTER, "A1", .sark = 1, .flags = APTPL},
	{0},
};

static void equal_states_in_any_order_have_equal_digests(void **state)
{
	struct hf_resv *a = kit_create(2, 8), *b = kit_create(2, 8);
	int len;

	assert_true(hf_resv_digest(a) == hf_resv_digest(b));
	kit_run(a, forth);
	assert_false(hf_resv_digest(a) == hf_resv_digest(b));
	kit_run(b, back);
	assert_true(hf_resv_digest(a) == hf_resv_digest(b));
	len = hf_resv_encode(a, a_bytes, sizeof(a_bytes));
	assert_int_equal(hf_resv_encode(b, b_bytes, sizeof(b_bytes)), len);
	assert_memory_equal(a_bytes, b_bytes, len);
	hf_resv_destroy(a);
	hf_resv_destroy(b);
}

static void copies_are_equal_and_apart(void **state)
{
	struct hf_resv *a = kit_create(2, 8), *b = kit_create(2, 8);
	uint64_t digest;

	kit_run(a, forth);
	digest = hf_resv_digest(a);
	hf_resv_copy(b, a);
	assert_true(hf_resv_digest(b) == digest);
	kit_run(b, (const struct kit_step[]){
			   {RELEASE, "B2", .rk = 2, .type = 6, .effects = "A1 2a04, C1 2a04"},
			   {0},
		   });
	assert_true(hf_resv_digest(a) == digest);
	hf_resv_copy(b, a);
	hf_resv_copy(a, a);
	assert_true(hf_resv_digest(b) == digest);
	/* a smaller one over a larger one */
	kit_run(a, (const struct kit_step[]){{BREAK, .effects = "A1 2a03, B2 2a03, C1 2a03"}, {0}});
	hf_resv_copy(b, a);
	assert_true(hf_resv_digest(b) == hf_resv_digest(a));
	assert_true(hf_resv_is_idle(b));
	hf_resv_destroy(a);
	hf_resv_destroy(b);
}

static void reserved_states(struct hf_resv **with_pr, struct hf_resv **with_legacy)
{
	*with_pr = kit_create(2, 8);
	kit_run(*with_pr, forth);
	*with_legacy = kit_create(2, 8);
	kit_run(*with_legacy, (const struct kit_step[]){{SPC2_RESERVE, "A1", .login = 9}, {0}});
}

/* Whatever one flipped bit leaves acceptable is encoded as it was read; a cut never is. */
static void damage_is_refused_or_canonical(struct hf_resv *r, bool persist)
{
	struct hf_resv *other = kit_create(2, 8);
	uint64_t untouched = hf_resv_digest(other);
	int (*encode)(const struct hf_resv *, uint8_t *, size_t) =
		persist ? hf_resv_persist_encode : hf_resv_encode;
	int (*decode)(struct hf_resv *, const uint8_t *, size_t) =
		persist ? hf_resv_persist_decode : hf_resv_decode;
	int len = encode(r, a_bytes, sizeof(a_bytes));

	assert_true(len > 0);
	assert_int_equal(encode(r, b_bytes, (size_t)len - 1), -ENOSPC);
	for (int cut = 0; cut < len; cut++)
		assert_int_equal(decode(other, a_bytes, (size_t)cut), -EBADMSG);
	a_bytes[len] = 0;
	assert_int_equal(decode(other, a_bytes, (size_t)len + 1), -EBADMSG);
	assert_true(hf_resv_digest(other) == untouched);
	for (int bit = 0; bit < 8 * len; bit++) {
		a_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!decode(other, a_bytes, (size_t)len)) {
			assert_int_equal(encode(other, b_bytes, sizeof(b_bytes)), len);
			assert_memory_equal(a_bytes, b_bytes, len);
		}
		a_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(decode(other, a_bytes, (size_t)len), 0);
	if (!persist)
		assert_true(hf_resv_digest(other) == hf_resv_digest(r));
	hf_resv_destroy(other);
}

static void damaged_states_are_refused(void **state)
{
	struct hf_resv *pr, *legacy;

	reserved_states(&pr, &legacy);
	damage_is_refused_or_canonical(pr, false);
	damage_is_refused_or_canonical(pr, true);
	damage_is_refused_or_canonical(legacy, false);
	damage_is_refused_or_canonical(legacy, true);
	hf_resv_destroy(pr);
	hf_resv_destroy(legacy);
}

static void a_state_past_the_limit_is_refused(void **state)
{
	struct hf_resv *r = kit_create(2, 8), *small = kit_create(2, 2);
	int len;

	kit_run(r, forth);
	len = hf_resv_encode(r, a_bytes, sizeof(a_bytes));
	assert_int_equal(hf_resv_decode(small, a_bytes, (size_t)len), -EBADMSG);
	assert_true(hf_resv_is_idle(small));
	hf_resv_destroy(r);
	hf_resv_destroy(small);
}

/* E.1, E.7: neither PRGENERATION nor the SPC-2 reservation outlives power. */
static void what_outlives_power(void **state)
{
	struct hf_resv *r = kit_create(2, 8), *after = kit_create(2, 8);
	int len;

	kit_run(r, forth);
	len = hf_resv_persist_encode(r, a_bytes, sizeof(a_bytes));
	kit_run(after, (const struct kit_step[]){{SPC2_RESERVE, "D1"}, {0}});
	assert_int_equal(hf_resv_persist_decode(after, a_bytes, (size_t)len), 0);
	assert_string_equal(kit_state(after), "g0 A1=1 B2=2* C1=3 t6 aptpl");
	/* APTPL off: nothing does */
	kit_run(r, (const struct kit_step[]){{REGISTER, "A1", .rk = 1, .sark = 1}, {0}});
	len = hf_resv_persist_encode(r, a_bytes, sizeof(a_bytes));
	assert_int_equal(hf_resv_persist_decode(after, a_bytes, (size_t)len), 0);
	assert_string_equal(kit_state(after), "g0");
	/* what was lost stays lost */
	kit_run(r, (const struct kit_step[]){{INFO_LOST}, {0}});
	len = hf_resv_persist_encode(r, a_bytes, sizeof(a_bytes));
	assert_int_equal(hf_resv_persist_decode(after, a_bytes, (size_t)len), 0);
	assert_string_equal(kit_state(after), "g0 lost");
	hf_resv_destroy(r);
	hf_resv_destroy(after);
}

static void damaged_ops_are_refused(void **state)
{
	static const struct kit_step steps[] = {
		{SPC2_RESERVE, "A1", .login = 3},
		{RESET},
		{REGISTER, "A1", .sark = 1, .flags = SPEC_I_PT | APTPL, .ids = "BC"},
		{RESERVE, "A1", .rk = 1, .type = 5},
		{MOVE, "A1", .rk = 1, .sark = 2, .ids = "B2", .flags = UNREG},
	};
	static struct hf_resv_op op;

	for (unsigned i = 0; i < HF_ARRAY_LEN(steps); i++) {
		struct hf_resv_op good = kit_op(&steps[i]);
		int len = hf_resv_op_encode(&good, a_bytes, sizeof(a_bytes));

		assert_int_equal(hf_resv_op_encode(&good, b_bytes, (size_t)len - 1), -ENOSPC);
		for (int cut = 0; cut < len; cut++)
			assert_int_equal(hf_resv_op_decode(a_bytes, (size_t)cut, &op), -EBADMSG);
		for (int bit = 0; bit < 8 * len; bit++) {
			a_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (!hf_resv_op_decode(a_bytes, (size_t)len, &op)) {
				assert_int_equal(
					hf_resv_op_encode(&op, b_bytes, sizeof(b_bytes)), len);
				assert_memory_equal(a_bytes, b_bytes, len);
			}
			a_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/*
 * Behind the login an op of PERSISTENT RESERVE OUT has RK 8, SARK 8, scope and type 1, flags 1
 * (bits SPEC_I_PT, ALL_TG_PT, APTPL, UNREG), dest_rtpi 2, ids 1. What a service action does not use
 * (scsi-reservations E.4) must be zero.
 */
static void fields_that_a_kind_does_not_use_are_refused(void **state)
{
	static const struct {
		enum hf_resv_kind kind;
		const char *uses; /* r RK, s SARK, t type, and flag bits i a p */
	} rows[] = {
		{REGISTER, "rsiap"},
		{RESERVE, "rt"},
		{RELEASE, "rt"},
		{CLEAR, "r"},
		{PREEMPT, "rst"},
		{PREEMPT_ABORT, "rst"},
		{IGNORE, "sap"},
		{REPLACE_LOST, "rst"},
	};
	static const struct {
		char use;
		int back; /* bytes before the end */
		uint8_t value;
	} fields[] = {
		{'r', 14, 1}, {'s', 6, 1}, {'t', 5, 0x01}, {'t', 5, 0x10}, {'i', 4, 1}, {'a', 4, 2},
		{'p', 4, 4}, {'-', 4, 8}, /* UNREG */
		{'-', 4, 0x10},		  /* no flag */
		{'-', 2, 1},		  /* dest_rtpi */
		{'-', 1, 1},		  /* ids without SPEC_I_PT */
	};
	static struct hf_resv_op op;

	for (unsigned i = 0; i < HF_ARRAY_LEN(rows); i++) {
		struct hf_resv_op good = kit_op(&(const struct kit_step){rows[i].kind, "A1"});
		int len = hf_resv_op_encode(&good, a_bytes, sizeof(a_bytes));

		for (unsigned f = 0; f < HF_ARRAY_LEN(fields); f++) {
			a_bytes[len - fields[f].back] = fields[f].value;
			assert_int_equal(hf_resv_op_decode(a_bytes, (size_t)len, &op),
				strchr(rows[i].uses, fields[f].use) ? 0 : -EBADMSG);
			a_bytes[len - fields[f].back] = 0;
		}
	}
}

static void the_largest_op_and_state_fit(void **state)
{
	static struct hf_resv_outcome out;
	struct hf_resv_op op =
		kit_op(&(const struct kit_step){REGISTER, "A1", .sark = 1, .flags = SPEC_I_PT});
	struct hf_resv *r = kit_create(2, HF_RESV_NEXUS_MAX);
	char name[223];

	memset(name, 'n', sizeof(name));
	hf_port_id_set(&op.nexus.init, name, sizeof(name), 0);
	op.ids_len = HF_RESV_IDS_MAX - 1;
	for (uint64_t isid = 0; isid < HF_RESV_NEXUS_MAX; isid++) {
		unsigned i = isid % HF_RESV_IDS_MAX;

		hf_port_id_set(i ? &op.ids[i - 1] : &op.nexus.init, name, sizeof(name), isid);
		if (i < HF_RESV_IDS_MAX - 1)
			continue;
		kit_apply(r, &op, &out); /* encodes op and state in buffers of the stated size */
		assert_int_equal(out.verdict.status, HF_STATUS_GOOD);
	}
	op.ids_len = HF_RESV_IDS_MAX;
	op.ids[HF_RESV_IDS_MAX - 1] = op.ids[0];
	assert_true(hf_resv_op_encode(&op, a_bytes, HF_RESV_OP_BYTES_MAX) > 0);
	hf_resv_destroy(r);
}

static void names_are_never_null(void **state)
{
	for (unsigned i = 0; i < 256; i++) {
		assert_non_null(hf_resv_kind_name((enum hf_resv_kind)i));
		assert_non_null(hf_resv_type_name((uint8_t)i));
	}
	assert_string_equal(hf_resv_kind_name(PREEMPT_ABORT), "PREEMPT AND ABORT");
	assert_string_equal(hf_resv_type_name(7), "Write Exclusive, all registrants");
	assert_string_equal(hf_resv_type_name(2), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_states_in_any_order_have_equal_digests),
		cmocka_unit_test(copies_are_equal_and_apart),
		cmocka_unit_test(damaged_states_are_refused),
		cmocka_unit_test(a_state_past_the_limit_is_refused),
		cmocka_unit_test(what_outlives_power),
		cmocka_unit_test(damaged_ops_are_refused),
		cmocka_unit_test(fields_that_a_kind_does_not_use_are_refused),
		cmocka_unit_test(the_largest_op_and_state_fit),
		cmocka_unit_test(names_are_never_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
