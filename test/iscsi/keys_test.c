/* SPDX-License-Identifier: BSD-3-Clause */
/* Text: pairs, numbers, binary values, names; every operational key with every class of value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kit.h"

static void pairs_end_where_the_text_does(void **state)
{
	char text[] = "A=1\0B=\0\0C=x=y\0";
	char *at = text, *end = text + sizeof(text) - 1;
	struct hf_key key;

	assert_int_equal(hf_keys_next(&at, end, &key), 1);
	assert_string_equal(key.name, "A");
	assert_string_equal(key.value, "1");
	assert_int_equal(hf_keys_next(&at, end, &key), 1);
	assert_string_equal(key.value, "");
	assert_int_equal(hf_keys_next(&at, end, &key), 1);
	assert_string_equal(key.name, "C");
	assert_string_equal(key.value, "x=y");
	assert_int_equal(hf_keys_next(&at, end, &key), 0);
}

static int next_of(const char *text, size_t len)
{
	char copy[256];
	char *at = copy;
	struct hf_key key;

	memcpy(copy, text, len);
	return hf_keys_next(&at, copy + len, &key);
}

static void broken_pairs_are_refused(void **state)
{
	char name[128];

	assert_int_equal(next_of("", 0), 0);
	assert_int_equal(next_of("\0\0", 2), 0);
	assert_int_equal(next_of("A=1", 3), -EBADMSG); /* no NUL */
	assert_int_equal(next_of("A", 2), -EBADMSG);   /* no '=' */
	assert_int_equal(next_of("=1", 3), -EBADMSG);  /* no name */
	memset(name, 'k', sizeof(name));
	name[63] = '=';
	name[64] = '\0';
	assert_int_equal(next_of(name, 65), 1);
	name[63] = 'k';
	name[64] = '=';
	name[65] = '\0';
	assert_int_equal(next_of(name, 66), -EBADMSG);
}

static void numbers(void **state)
{
	uint32_t n = 7;

	assert_int_equal(hf_keys_number("512", 0, 1000, &n), 0);
	assert_int_equal(n, 512);
	assert_int_equal(hf_keys_number("0x1Ff", 0, 1000, &n), 0);
	assert_int_equal(n, 511);
	assert_int_equal(hf_keys_number("4294967295", 0, UINT32_MAX, &n), 0);
	assert_int_equal(n, UINT32_MAX);
	n = 7;
	assert_int_equal(hf_keys_number("4294967296", 0, UINT32_MAX, &n), -ERANGE);
	assert_int_equal(hf_keys_number("99999999999999999999999", 0, UINT32_MAX, &n), -ERANGE);
	assert_int_equal(hf_keys_number("1001", 0, 1000, &n), -ERANGE);
	assert_int_equal(hf_keys_number("1", 2, 1000, &n), -ERANGE);
	assert_int_equal(hf_keys_number("", 0, 1000, &n), -EINVAL);
	assert_int_equal(hf_keys_number("0x", 0, 1000, &n), -EINVAL);
	assert_int_equal(hf_keys_number("-1", 0, 1000, &n), -EINVAL);
	assert_int_equal(hf_keys_number("1f", 0, 1000, &n), -EINVAL);
	assert_int_equal(hf_keys_number(" 1", 0, 1000, &n), -EINVAL);
	assert_int_equal(n, 7);
}

static void binary_values(void **state)
{
	uint8_t b[4];

	assert_int_equal(hf_keys_binary("0x0aFF10", b, 4), 3);
	assert_memory_equal(b, "\x0a\xff\x10", 3);
	assert_int_equal(hf_keys_binary("0xabc", b, 4), 2);
	assert_memory_equal(b, "\x0a\xbc", 2);
	assert_int_equal(hf_keys_binary("0bAQID", b, 4), 3);
	assert_memory_equal(b, "\1\2\3", 3);
	assert_int_equal(hf_keys_binary("0bAQI=", b, 4), 2);
	assert_int_equal(hf_keys_binary("0bAQ==", b, 4), 1);
	assert_int_equal(hf_keys_binary("0x0102030405", b, 4), -ERANGE);
	assert_int_equal(hf_keys_binary("0bAQIDBAUG", b, 4), -ERANGE);
	assert_int_equal(hf_keys_binary("0x", b, 4), -EINVAL);
	assert_int_equal(hf_keys_binary("0xzz", b, 4), -EINVAL);
	assert_int_equal(hf_keys_binary("0bA", b, 4), -EINVAL);
	assert_int_equal(hf_keys_binary("0b====", b, 4), -EINVAL);
	assert_int_equal(hf_keys_binary("0bA=QI", b, 4), -EINVAL);
	assert_int_equal(hf_keys_binary("1234", b, 4), -EINVAL);
	assert_int_equal(hf_keys_binary("", b, 4), -EINVAL);
}

static void names(void **state)
{
	char name[HF_ISCSI_NAME_MAX + 1] = "", longest[300];

	assert_int_equal(hf_keys_iscsi_name("IQN.2024-01.Org.Example:A-b", name), 0);
	assert_string_equal(name, "iqn.2024-01.org.example:a-b");
	assert_int_equal(hf_keys_iscsi_name("eui.02004567A425678D", name), 0);
	assert_int_equal(hf_keys_iscsi_name("naa.52004567ba64678d", name), 0);
	assert_int_equal(hf_keys_iscsi_name("", name), -EINVAL);
	assert_int_equal(hf_keys_iscsi_name("iqn.", name), -EINVAL);
	assert_int_equal(hf_keys_iscsi_name("disk.example", name), -EINVAL);
	assert_int_equal(hf_keys_iscsi_name("iqn.2024 01", name), -EINVAL);
	assert_int_equal(hf_keys_iscsi_name("iqn.a,i,0x1", name), -EINVAL);
	assert_int_equal(hf_keys_iscsi_name("iqn.a\n", name), -EINVAL);
	assert_string_equal(name, "naa.52004567ba64678d");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "iqn.", 4);
	longest[223] = '\0';
	assert_int_equal(hf_keys_iscsi_name(longest, name), 0);
	longest[223] = 'a';
	longest[224] = '\0';
	assert_int_equal(hf_keys_iscsi_name(longest, name), -EINVAL);
}

/* --- operational keys --- */

/* What is answered to name=value; "" for none, NULL when the negotiation fails. */
static const char *answer_to(const char *name, const char *value, bool discovery, bool required)
{
	static char out[256];
	struct hf_iscsi_config config = kit_config();
	struct hf_wr w = hf_wr_of(out, sizeof(out));
	struct hf_key key = {name, value};
	struct hf_iscsi_params p;

	hf_params_init(&p);
	p.discovery = discovery;
	config.digests_required = required;
	memset(out, 0, sizeof(out));
	if (hf_params_negotiate(&p, &config, &key, &w) != HF_KEYS_OK)
		return NULL;
	if (!hf_wr_len(&w))
		return "";
	assert_memory_equal(out, name, strlen(name));
	assert_int_equal(out[strlen(name)], '=');
	return out + strlen(name) + 1;
}

static void every_key_and_class_of_value(void **state)
{
	static const struct {
		const char *name, *value, *answer;
	} rows[] = {
		{"HeaderDigest", "None", "None"},
		{"HeaderDigest", "CRC32C", "CRC32C"},
		{"HeaderDigest", "CRC32C,None", "CRC32C"},
		{"HeaderDigest", "None,CRC32C", "None"},
		{"HeaderDigest", "MD5,CRC32C", "CRC32C"},
		{"DataDigest", "SHA,MD5", "Reject"},
		{"DataDigest", "", "Reject"},
		{"DataDigest", "crc32c", "Reject"},
		{"MaxConnections", "8", "1"},
		{"MaxConnections", "0", "Reject"},
		{"MaxConnections", "65536", "Reject"},
		{"InitialR2T", "Yes", "Yes"},
		{"InitialR2T", "No", "No"},
		{"InitialR2T", "yes", "Reject"},
		{"ImmediateData", "Yes", "Yes"},
		{"ImmediateData", "No", "No"},
		{"ImmediateData", "", "Reject"},
		{"MaxRecvDataSegmentLength", "512", ""},
		{"MaxRecvDataSegmentLength", "16777215", ""},
		{"MaxRecvDataSegmentLength", "511", NULL},
		{"MaxRecvDataSegmentLength", "16777216", NULL},
		{"MaxRecvDataSegmentLength", "much", NULL},
		{"MaxBurstLength", "16776192", "131072"},
		{"MaxBurstLength", "4096", "4096"},
		{"MaxBurstLength", "0x2000", "8192"},
		{"MaxBurstLength", "511", "Reject"},
		{"FirstBurstLength", "1000000", "65536"},
		{"FirstBurstLength", "512", "512"},
		{"FirstBurstLength", "-5", "Reject"},
		{"DefaultTime2Wait", "0", "2"},
		{"DefaultTime2Wait", "5", "5"},
		{"DefaultTime2Wait", "3601", "Reject"},
		{"DefaultTime2Retain", "20", "0"},
		{"DefaultTime2Retain", "x", "Reject"},
		{"MaxOutstandingR2T", "1", "1"},
		{"MaxOutstandingR2T", "16", "4"},
		{"MaxOutstandingR2T", "0", "Reject"},
		{"DataPDUInOrder", "No", "Yes"},
		{"DataPDUInOrder", "Yes", "Yes"},
		{"DataSequenceInOrder", "No", "Yes"},
		{"ErrorRecoveryLevel", "2", "0"},
		{"ErrorRecoveryLevel", "3", "Reject"},
		{"TaskReporting", "RFC3720", "RFC3720"},
		{"TaskReporting", "FastAbort,ResponseFence,RFC3720", "RFC3720"},
		{"TaskReporting", "FastAbort", "Reject"},
		{"iSCSIProtocolLevel", "1", "1"},
		{"iSCSIProtocolLevel", "2", "1"},
		{"iSCSIProtocolLevel", "0", "0"},
		{"iSCSIProtocolLevel", "32", "Reject"},
		{"RDMAExtensions", "Yes", "No"},
		{"OFMarker", "Yes", "No"},
		{"IFMarker", "No", "No"},
		{"OFMarkInt", "2048~8192", "Reject"},
		{"IFMarkInt", "2048", "Reject"},
		{"maxburstlength", "4096", NULL}, /* case counts */
		{"X-com.example.a", "b", NULL},
	};

	for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
		const char *got = answer_to(rows[i].name, rows[i].value, false, false);

		if (!rows[i].answer != !got || (got && strcmp(got, rows[i].answer)))
			fail_msg("%s=%s was answered '%s'", rows[i].name, rows[i].value,
				got ? got : "(failure)");
	}
}

static void discovery_makes_session_keys_irrelevant(void **state)
{
	static const char *const irrelevant[] = {"MaxConnections", "InitialR2T", "ImmediateData",
		"MaxBurstLength", "FirstBurstLength", "MaxOutstandingR2T", "DataPDUInOrder",
		"DataSequenceInOrder", "TaskReporting"};

	for (size_t i = 0; i < HF_ARRAY_LEN(irrelevant); i++)
		assert_string_equal(answer_to(irrelevant[i], "1", true, false), "Irrelevant");
	assert_string_equal(answer_to("ErrorRecoveryLevel", "2", true, false), "0");
	assert_string_equal(answer_to("HeaderDigest", "None", true, false), "None");
}

static void required_digests(void **state)
{
	assert_string_equal(answer_to("DataDigest", "None,CRC32C", false, true), "CRC32C");
	assert_null(answer_to("DataDigest", "None", false, true));
}

static void a_key_comes_once(void **state)
{
	struct hf_iscsi_config config = kit_config();
	struct hf_key key = {"MaxBurstLength", "4096"};
	struct hf_iscsi_params p;
	uint8_t out[100];
	struct hf_wr w = hf_wr_of(out, sizeof(out));

	hf_params_init(&p);
	assert_int_equal(hf_params_negotiate(&p, &config, &key, &w), HF_KEYS_OK);
	assert_int_equal(p.max_burst_bytes, 4096);
	assert_int_equal(hf_params_negotiate(&p, &config, &key, &w), HF_KEYS_ERROR);
}

static void only_the_segment_length_changes_later(void **state)
{
	struct hf_iscsi_params p;
	uint8_t out[100] = "";
	struct hf_wr w = hf_wr_of(out, sizeof(out));

	hf_params_init(&p);
	assert_int_equal(
		hf_params_renegotiate(&p, &(struct hf_key){"MaxRecvDataSegmentLength", "1024"}, &w),
		HF_KEYS_OK);
	assert_int_equal(p.max_send_bytes, 1024);
	assert_int_equal(hf_wr_len(&w), 0);
	assert_int_equal(
		hf_params_renegotiate(&p, &(struct hf_key){"MaxRecvDataSegmentLength", "1"}, &w),
		HF_KEYS_OK);
	assert_int_equal(p.max_send_bytes, 1024);
	assert_string_equal((char *)out, "MaxRecvDataSegmentLength=Reject");
	assert_int_equal(hf_params_renegotiate(&p, &(struct hf_key){"HeaderDigest", "None"}, &w),
		HF_KEYS_OK);
	assert_int_equal(
		hf_params_renegotiate(&p, &(struct hf_key){"Nonsense", ""}, &w), HF_KEYS_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_end_where_the_text_does),
		cmocka_unit_test(broken_pairs_are_refused),
		cmocka_unit_test(numbers),
		cmocka_unit_test(binary_values),
		cmocka_unit_test(names),
		cmocka_unit_test(every_key_and_class_of_value),
		cmocka_unit_test(discovery_makes_session_keys_irrelevant),
		cmocka_unit_test(required_digests),
		cmocka_unit_test(a_key_comes_once),
		cmocka_unit_test(only_the_segment_length_changes_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
