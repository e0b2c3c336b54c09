/* SPDX-License-Identifier: BSD-3-Clause */
/* The login machine: stages, statuses, access list, CHAP one-way and mutual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kit.h"

#define NAMES  "InitiatorName=" HOST "\0TargetName=" TARGET "\0"
#define SECRET "secret of the host"
#define MUTUAL "secret of the disk"

enum {
	TO_OPERATIONAL = HF_PDU_TRANSIT | 0 << 2 | 1,
	TO_FULL = HF_PDU_TRANSIT | 0 << 2 | 3,
	OPERATIONAL = 1 << 2,
	OPERATIONAL_TO_FULL = HF_PDU_TRANSIT | 1 << 2 | 3,
	SECURITY = 0,
};

static struct hf_iscsi_config config;
static struct hf_login login;

static int setup(void **state)
{
	uint8_t random[HF_LOGIN_RANDOM_BYTES];

	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (uint8_t)(0x40 + i);
	config = kit_config();
	hf_login_init(&login, &config, random);
	return 0;
}

/* Starts anew with the same configuration. */
static void again(void)
{
	struct hf_iscsi_config keep = config;

	setup(NULL);
	config = keep;
}

static void require_chap(void)
{
	config.allow_none = false;
	config.has_chap = true;
	strcpy(config.chap.user, "host");
	strcpy(config.chap.secret, SECRET);
}

static struct hf_pdu request(uint8_t flags, uint32_t len)
{
	return (struct hf_pdu){
		.opcode = HF_ISCSI_LOGIN,
		.immediate = true,
		.flags = flags,
		.data_bytes = len,
		.lun = UINT64_C(0x00023d0000010000),
		.itt = 9,
	};
}

static enum hf_login_next step_of(uint8_t flags, const char *text, size_t len)
{
	struct hf_pdu pdu = request(flags, (uint32_t)len);

	return hf_login_step(&login, &pdu, text);
}

#define STEP(flags, text) step_of(flags, text, sizeof(text) - 1)

/* The value of a key in the answer, or NULL. */
static const char *answer(const char *name)
{
	const char *p = (const char *)login.out, *end = p + login.out_len;

	for (; p < end; p += strlen(p) + 1) {
		if (!strncmp(p, name, strlen(name)) && p[strlen(name)] == '=')
			return p + strlen(name) + 1;
	}
	return NULL;
}

static void expect_fail(enum hf_login_next next, enum hf_login_status status)
{
	assert_int_equal(next, HF_LOGIN_FAIL);
	assert_int_equal(login.status, status);
	assert_int_equal(login.out_len, 0);
	again();
}

/* --- stages --- */

static void straight_to_full_feature_phase(void **state)
{
	assert_int_equal(
		STEP(OPERATIONAL_TO_FULL, NAMES "MaxBurstLength=8192\0"), HF_LOGIN_COMPLETE);
	assert_int_equal(login.flags, OPERATIONAL_TO_FULL);
	assert_string_equal(answer("TargetPortalGroupTag"), "7");
	assert_string_equal(answer("TargetAlias"), "disks");
	assert_string_equal(answer("MaxBurstLength"), "8192");
	assert_string_equal(answer("MaxRecvDataSegmentLength"), "65536");
	assert_string_equal(login.initiator, HOST);
	assert_int_equal(login.isid, 0x00023d000001);
	assert_int_equal(login.params.max_recv_bytes, 65536);
}

static void security_then_operational_then_full(void **state)
{
	assert_int_equal(STEP(TO_OPERATIONAL, NAMES "AuthMethod=CHAP,None\0"), HF_LOGIN_REPLY);
	assert_int_equal(login.flags, TO_OPERATIONAL);
	assert_string_equal(answer("AuthMethod"), "None");
	assert_int_equal(STEP(OPERATIONAL, "HeaderDigest=None\0"), HF_LOGIN_REPLY);
	assert_int_equal(login.flags, OPERATIONAL);
	assert_int_equal(STEP(OPERATIONAL_TO_FULL, ""), HF_LOGIN_COMPLETE);
	assert_null(answer("MaxRecvDataSegmentLength")); /* told already */
}

static void security_straight_to_full(void **state)
{
	assert_int_equal(STEP(TO_FULL, NAMES "AuthMethod=None\0"), HF_LOGIN_COMPLETE);
	assert_int_equal(login.params.max_recv_bytes, HF_LOGIN_SEGMENT_MAX);
}

static void text_in_pieces(void **state)
{
	static const char text[] = NAMES "MaxBurstLength=8192\0";

	assert_int_equal(step_of(OPERATIONAL | HF_PDU_CONTINUE, text, 30), HF_LOGIN_REPLY);
	assert_int_equal(login.flags, OPERATIONAL);
	assert_int_equal(login.out_len, 0);
	assert_int_equal(
		step_of(OPERATIONAL_TO_FULL, text + 30, sizeof(text) - 31), HF_LOGIN_COMPLETE);
	assert_string_equal(answer("MaxBurstLength"), "8192");
}

static void wrong_headers(void **state)
{
	struct hf_pdu pdu = request(OPERATIONAL_TO_FULL, sizeof(NAMES) - 1);

	pdu.byte3 = 1;
	expect_fail(hf_login_step(&login, &pdu, NAMES), HF_LOGIN_VERSION);
	pdu.byte3 = 0;
	pdu.lun |= 5;
	expect_fail(hf_login_step(&login, &pdu, NAMES), HF_LOGIN_NO_SESSION);
	expect_fail(STEP(HF_PDU_TRANSIT | HF_PDU_CONTINUE | 7, NAMES), HF_LOGIN_INITIATOR_ERROR);
	expect_fail(STEP(HF_PDU_TRANSIT | 1 << 2 | 1, NAMES), HF_LOGIN_INITIATOR_ERROR);
	expect_fail(STEP(HF_PDU_TRANSIT | 1 << 2 | 0, NAMES), HF_LOGIN_INITIATOR_ERROR);
	expect_fail(STEP(HF_PDU_TRANSIT | 0 << 2 | 2, NAMES), HF_LOGIN_INITIATOR_ERROR);
	expect_fail(STEP(2 << 2, NAMES), HF_LOGIN_INITIATOR_ERROR);
	expect_fail(STEP(HF_PDU_TRANSIT | 3 << 2 | 3, NAMES), HF_LOGIN_INITIATOR_ERROR);
}

static void header_fields_stay_the_same(void **state)
{
	for (int what = 0; what < 4; what++) {
		struct hf_pdu pdu = request(OPERATIONAL_TO_FULL, 0);

		assert_int_equal(STEP(OPERATIONAL, NAMES), HF_LOGIN_REPLY);
		if (what == 0)
			pdu.lun += 1 << 16;
		if (what == 1)
			pdu.itt++;
		if (what == 2)
			pdu.word20 = 1 << 16;
		if (what == 3)
			pdu.flags = TO_FULL;
		expect_fail(hf_login_step(&login, &pdu, NULL), HF_LOGIN_INITIATOR_ERROR);
	}
}

static void identity(void **state)
{
	expect_fail(STEP(OPERATIONAL_TO_FULL, ""), HF_LOGIN_MISSING);
	expect_fail(STEP(OPERATIONAL_TO_FULL, "InitiatorName=" HOST "\0"), HF_LOGIN_MISSING);
	expect_fail(STEP(OPERATIONAL_TO_FULL, "TargetName=" TARGET "\0"), HF_LOGIN_MISSING);
	expect_fail(STEP(OPERATIONAL_TO_FULL, "InitiatorName=me\0TargetName=" TARGET "\0"),
		HF_LOGIN_INITIATOR_ERROR);
	expect_fail(STEP(OPERATIONAL_TO_FULL,
			    "InitiatorName=" HOST "\0TargetName=iqn.2024-01.org.else:x\0"),
		HF_LOGIN_NOT_FOUND);
	expect_fail(STEP(OPERATIONAL_TO_FULL, NAMES "SessionType=Odd\0"), HF_LOGIN_SESSION_TYPE);
	expect_fail(STEP(OPERATIONAL_TO_FULL, NAMES "TargetPortalGroupTag=1\0"),
		HF_LOGIN_INITIATOR_ERROR);
	expect_fail(STEP(OPERATIONAL_TO_FULL, NAMES NAMES), HF_LOGIN_INITIATOR_ERROR);
	expect_fail(STEP(OPERATIONAL_TO_FULL, NAMES "Max"), HF_LOGIN_INITIATOR_ERROR);
	assert_int_equal(STEP(OPERATIONAL, NAMES), HF_LOGIN_REPLY);
	expect_fail(
		STEP(OPERATIONAL_TO_FULL, "InitiatorName=" HOST "2\0"), HF_LOGIN_INITIATOR_ERROR);
	/* The session type counts wherever it stands. */
	assert_int_equal(STEP(OPERATIONAL_TO_FULL, "MaxBurstLength=1024\0InitiatorName=" HOST
						   "\0SessionType=Discovery\0"),
		HF_LOGIN_COMPLETE);
	assert_string_equal(answer("MaxBurstLength"), "Irrelevant");
	assert_null(answer("TargetPortalGroupTag"));
}

static void limits(void **state)
{
	static char big[20000];
	char keys[4096] = NAMES;
	size_t len = sizeof(NAMES) - 1;

	for (int i = 0; i < HF_KEYS_MAX; i++)
		len += (size_t)sprintf(keys + len, "X-%d=1", i) + 1;
	expect_fail(step_of(OPERATIONAL_TO_FULL, keys, len), HF_LOGIN_INITIATOR_ERROR);
	memset(big, 'x', sizeof(big));
	assert_int_equal(step_of(OPERATIONAL | HF_PDU_CONTINUE, big, 8192), HF_LOGIN_REPLY);
	assert_int_equal(step_of(OPERATIONAL | HF_PDU_CONTINUE, big, 8192), HF_LOGIN_REPLY);
	expect_fail(step_of(OPERATIONAL | HF_PDU_CONTINUE, big, 1), HF_LOGIN_INITIATOR_ERROR);
	assert_int_equal(STEP(OPERATIONAL, NAMES), HF_LOGIN_REPLY);
	for (int i = 1; i < HF_LOGIN_STEPS_MAX; i++)
		assert_int_equal(STEP(OPERATIONAL, ""), HF_LOGIN_REPLY);
	expect_fail(STEP(OPERATIONAL, ""), HF_LOGIN_INITIATOR_ERROR);
}

static void unknown_keys_are_not_understood(void **state)
{
	assert_int_equal(STEP(OPERATIONAL_TO_FULL, NAMES "X-org.example=1\0SendTargets=All\0"),
		HF_LOGIN_COMPLETE);
	assert_string_equal(answer("X-org.example"), "NotUnderstood");
	assert_string_equal(answer("SendTargets"), "Reject");
}

static void required_digests_must_be_asked_for(void **state)
{
	config.digests_required = true;
	expect_fail(STEP(OPERATIONAL_TO_FULL, NAMES), HF_LOGIN_MISSING);
	config.digests_required = true;
	expect_fail(
		STEP(OPERATIONAL_TO_FULL, NAMES "HeaderDigest=None\0"), HF_LOGIN_INITIATOR_ERROR);
	assert_int_equal(
		STEP(OPERATIONAL_TO_FULL, NAMES "HeaderDigest=CRC32C\0DataDigest=None,CRC32C\0"),
		HF_LOGIN_COMPLETE);
}

/* --- access --- */

static void access_list(void **state)
{
	struct hf_iscsi_acl acl[2] = {{.initiator = "iqn.2024-01.org.example:other"},
		{.initiator = HOST, .has_chap = true, .chap = {"host", SECRET}}};

	config.acl = acl;
	config.acl_len = 1;
	expect_fail(STEP(OPERATIONAL_TO_FULL, NAMES), HF_LOGIN_FORBIDDEN);
	expect_fail(STEP(OPERATIONAL_TO_FULL, "InitiatorName=" HOST "\0SessionType=Discovery\0"),
		HF_LOGIN_FORBIDDEN);
	config.acl_len = 2; /* its own account makes CHAP necessary though None is allowed */
	expect_fail(STEP(OPERATIONAL_TO_FULL, NAMES), HF_LOGIN_AUTH_FAILED);
	expect_fail(STEP(TO_FULL, NAMES "AuthMethod=None\0"), HF_LOGIN_AUTH_FAILED);
	expect_fail(STEP(TO_FULL, NAMES), HF_LOGIN_AUTH_FAILED);
	assert_int_equal(STEP(TO_FULL, NAMES "AuthMethod=None,CHAP\0"), HF_LOGIN_REPLY);
	assert_string_equal(answer("AuthMethod"), "CHAP");
	assert_int_equal(login.flags, SECURITY);
	again();
	strcpy(acl[0].initiator, "*");
	config.acl_len = 1;
	assert_int_equal(STEP(OPERATIONAL_TO_FULL, NAMES), HF_LOGIN_COMPLETE);
}

static void nobody_gets_in_without_none_or_account(void **state)
{
	config.allow_none = false;
	expect_fail(STEP(OPERATIONAL_TO_FULL, NAMES), HF_LOGIN_AUTH_FAILED);
	expect_fail(STEP(TO_FULL, NAMES "AuthMethod=None,CHAP\0"), HF_LOGIN_AUTH_FAILED);
	/* Discovery is open unless it needs CHAP. */
	assert_int_equal(
		STEP(OPERATIONAL_TO_FULL, "InitiatorName=" HOST "\0SessionType=Discovery\0"),
		HF_LOGIN_COMPLETE);
	again();
	config.discovery_needs_chap = true;
	expect_fail(STEP(OPERATIONAL_TO_FULL, "InitiatorName=" HOST "\0SessionType=Discovery\0"),
		HF_LOGIN_AUTH_FAILED);
}

/* --- CHAP --- */

static void digests_match_known_vectors(void **state)
{
	static const struct {
		int algorithm, len;
		const char *hex;
	} vectors[] = {
		{5, 16, "0x741671264bb0ab1a99d0fee246d2462d"},
		{6, 20, "0xbb7e654f705fa2c78a46517242e17628c7635ad7"},
		{7, 32, "0x049b343f3100f11ab158b766f22eaf29cabdd160d1ee237676e74a26ae9be50f"},
		{8, 32, "0x85fd024cec016b485758bf12c67c933b33288017f1c1b6fe64ef1c8857f537f6"},
	};
	uint8_t challenge[16], want[HF_CHAP_DIGEST_MAX], got[HF_CHAP_DIGEST_MAX];

	for (int i = 0; i < 16; i++)
		challenge[i] = (uint8_t)(i + 1);
	for (size_t i = 0; i < HF_ARRAY_LEN(vectors); i++) {
		if (!hf_chap_has_algorithm(vectors[i].algorithm))
			continue; /* a libcrypto without the old ones */
		assert_int_equal(
			hf_keys_binary(vectors[i].hex, want, sizeof(want)), vectors[i].len);
		assert_int_equal(
			hf_chap_digest(vectors[i].algorithm, 0x27, SECRET, challenge, 16, got),
			vectors[i].len);
		assert_memory_equal(got, want, (size_t)vectors[i].len);
	}
	assert_true(hf_chap_has_algorithm(7));
	assert_false(hf_chap_has_algorithm(4));
	assert_int_equal(hf_chap_digest(9, 0, SECRET, challenge, 16, got), -ENOTSUP);
}

/* Up to the challenge, which is left in `challenge`. */
static uint32_t to_challenge(const char *algorithms, uint8_t challenge[HF_CHAP_CHALLENGE_BYTES])
{
	char text[100];
	uint32_t id;

	assert_int_equal(STEP(TO_OPERATIONAL, NAMES "AuthMethod=CHAP\0"), HF_LOGIN_REPLY);
	assert_string_equal(answer("AuthMethod"), "CHAP");
	assert_int_equal(login.flags, SECURITY);
	assert_int_equal(
		step_of(SECURITY, text, (size_t)sprintf(text, "CHAP_A=%s", algorithms) + 1),
		HF_LOGIN_REPLY);
	assert_int_equal(hf_keys_number(answer("CHAP_I"), 0, 255, &id), 0);
	assert_int_equal(hf_keys_binary(answer("CHAP_C"), challenge, HF_CHAP_CHALLENGE_BYTES),
		HF_CHAP_CHALLENGE_BYTES);
	return id;
}

static size_t put_response(char *text, int algorithm, uint32_t id, const char *user,
	const char *secret, const uint8_t *challenge)
{
	uint8_t digest[HF_CHAP_DIGEST_MAX];
	int len = hf_chap_digest(
		algorithm, (uint8_t)id, secret, challenge, HF_CHAP_CHALLENGE_BYTES, digest);
	struct hf_wr w = hf_wr_of(text, 1024);

	assert_true(len > 0);
	hf_keys_put(&w, "CHAP_N", user);
	hf_keys_put_binary(&w, "CHAP_R", digest, (size_t)len);
	return hf_wr_len(&w);
}

static void chap_with_each_algorithm(void **state)
{
	for (int a = 5; a <= 8; a++) {
		uint8_t challenge[HF_CHAP_CHALLENGE_BYTES];
		char text[1024], list[8];
		uint32_t id;

		if (!hf_chap_has_algorithm(a))
			continue;
		again();
		require_chap();
		sprintf(list, "99,%d,5", a);
		id = to_challenge(list, challenge);
		assert_int_equal(atoi(answer("CHAP_A")), a);
		assert_int_equal(step_of(TO_OPERATIONAL, text,
					 put_response(text, a, id, "host", SECRET, challenge)),
			HF_LOGIN_REPLY);
		assert_int_equal(login.flags, TO_OPERATIONAL);
		assert_string_equal(login.auth, "CHAP");
		assert_int_equal(STEP(OPERATIONAL_TO_FULL, ""), HF_LOGIN_COMPLETE);
	}
}

static void wrong_answers_are_refused(void **state)
{
	uint8_t challenge[HF_CHAP_CHALLENGE_BYTES];
	char text[1024];
	uint32_t id;

	for (int what = 0; what < 6; what++) {
		size_t len;

		require_chap();
		id = to_challenge("7", challenge);
		len = put_response(text, 7, id + (what == 2), what == 0 ? "Host" : "host",
			what == 1 ? "secret of the hosT" : SECRET, challenge);
		if (what == 3) /* a response cut short */
			text[len - 3] = '\0', len -= 2;
		if (what == 4)
			len = (size_t)sprintf(text, "CHAP_N=host") + 1;
		if (what == 5)
			len = 0;
		expect_fail(step_of(TO_OPERATIONAL, text, len), HF_LOGIN_AUTH_FAILED);
	}
	require_chap();
	assert_int_equal(STEP(TO_OPERATIONAL, NAMES "AuthMethod=CHAP\0"), HF_LOGIN_REPLY);
	expect_fail(STEP(SECURITY, "CHAP_A=1,2,99\0"), HF_LOGIN_AUTH_FAILED);
	/* Answers before there is a question; a second try. */
	require_chap();
	expect_fail(STEP(TO_OPERATIONAL, NAMES "CHAP_N=host\0CHAP_R=0x00\0"), HF_LOGIN_AUTH_FAILED);
	require_chap();
	to_challenge("7", challenge);
	expect_fail(STEP(SECURITY, "AuthMethod=CHAP\0"), HF_LOGIN_INITIATOR_ERROR);
	/* Going on without. */
	require_chap();
	to_challenge("7", challenge);
	expect_fail(STEP(OPERATIONAL_TO_FULL, ""), HF_LOGIN_INITIATOR_ERROR);
}

static size_t add_mutual(char *text, size_t len, const uint8_t *challenge, size_t challenge_len)
{
	struct hf_wr w = hf_wr_of(text + len, 512);

	hf_keys_put_number(&w, "CHAP_I", 77);
	hf_keys_put_binary(&w, "CHAP_C", challenge, challenge_len);
	return len + hf_wr_len(&w);
}

static void require_mutual(void)
{
	require_chap();
	config.has_mutual_chap = true;
	strcpy(config.mutual_chap.user, "disk");
	strcpy(config.mutual_chap.secret, MUTUAL);
}

static void mutual_chap(void **state)
{
	uint8_t challenge[HF_CHAP_CHALLENGE_BYTES], mine[16] = "my own challenge", want[32],
						    got[32];
	char text[1024];
	uint32_t id;
	size_t len;

	require_mutual();
	id = to_challenge("7,5", challenge);
	len = put_response(text, 7, id, "host", SECRET, challenge);
	len = add_mutual(text, len, mine, sizeof(mine));
	assert_int_equal(step_of(TO_OPERATIONAL, text, len), HF_LOGIN_REPLY);
	assert_int_equal(login.flags, TO_OPERATIONAL);
	assert_string_equal(answer("CHAP_N"), "disk");
	assert_int_equal(hf_keys_binary(answer("CHAP_R"), got, sizeof(got)), 32);
	hf_chap_digest(7, 77, MUTUAL, mine, sizeof(mine), want);
	assert_memory_equal(got, want, 32);
	assert_string_equal(login.auth, "CHAP mutual");
}

/* A challenge without its identifier, and the reverse, is none. */
static void half_a_mutual_challenge_is_refused(void **state)
{
	static const char *const halves[] = {"CHAP_C=0x00112233445566778899aabb", "CHAP_I=77"};

	for (size_t i = 0; i < HF_ARRAY_LEN(halves); i++) {
		uint8_t challenge[HF_CHAP_CHALLENGE_BYTES];
		char text[1024];
		uint32_t id;
		size_t len;

		require_mutual();
		id = to_challenge("7", challenge);
		len = put_response(text, 7, id, "host", SECRET, challenge);
		len += (size_t)sprintf(text + len, "%s", halves[i]) + 1;
		expect_fail(step_of(TO_OPERATIONAL, text, len), HF_LOGIN_AUTH_FAILED);
	}
}

static void mutual_chap_gives_nothing_away(void **state)
{
	for (int what = 0; what < 4; what++) {
		uint8_t challenge[HF_CHAP_CHALLENGE_BYTES], mine[16] = "my own challenge";
		char text[1024];
		uint32_t id;
		size_t len;

		require_mutual();
		if (what == 0)
			config.has_mutual_chap = false; /* it cannot */
		if (what == 1)
			strcpy(config.mutual_chap.secret, SECRET); /* one secret for both */
		id = to_challenge("7", challenge);
		len = put_response(
			text, 7, id, "host", what == 2 ? "wrong secret" : SECRET, challenge);
		if (what == 3) /* reflected */
			len = add_mutual(text, len, challenge, sizeof(challenge));
		else
			len = add_mutual(text, len, mine, sizeof(mine));
		expect_fail(step_of(TO_OPERATIONAL, text, len), HF_LOGIN_AUTH_FAILED);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		T(straight_to_full_feature_phase),
		T(security_then_operational_then_full),
		T(security_straight_to_full),
		T(text_in_pieces),
		T(wrong_headers),
		T(header_fields_stay_the_same),
		T(identity),
		T(limits),
		T(unknown_keys_are_not_understood),
		T(required_digests_must_be_asked_for),
		T(access_list),
		T(nobody_gets_in_without_none_or_account),
		T(digests_match_known_vectors),
		T(chap_with_each_algorithm),
		T(wrong_answers_are_refused),
		T(mutual_chap),
		T(half_a_mutual_challenge_is_refused),
		T(mutual_chap_gives_nothing_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
