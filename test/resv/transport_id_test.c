/* SPDX-License-Identifier: BSD-3-Clause */
/* iSCSI TransportIDs and port names. Source: scsi-reservations E.1, E.3b (spc4r37 7.6.4.6). */
#include "kit.h"

#include <stdio.h>

/* Builds one by hand: head byte, text, and an ADDITIONAL LENGTH if not the proper one. */
static size_t make(uint8_t buf[1024], uint8_t head, const char *text, int additional)
{
	size_t len = strlen(text), padded = HF_MAX(HF_ROUND_UP(len + 1, 4), 20);

	if (additional >= 0)
		padded = (size_t)additional;
	memset(buf, 0, 1024);
	buf[0] = head;
	buf[2] = (uint8_t)(padded >> 8);
	buf[3] = (uint8_t)padded;
	memcpy(buf + 4, text, len);
	return 4 + padded;
}

static void what_is_accepted(void **state)
{
	static const struct {
		const char *text, *name;
		uint64_t isid;
	} ids[] = {
		{"iqn.a:x,i,0x00023d000001", "iqn.a:x", 0x00023d000001},
		{"IQN.A:X,i,0x00023D000001", "iqn.a:x", 0x00023d000001}, /* without case */
		{"iqn.a:x,i,0x23d000001", "iqn.a:x", 0x00023d000001},	 /* zeros dropped: SCST */
		{"iqn.a:x,i,0x0", "iqn.a:x", 0},
		{"iqn.a:x,i,0xffffffffffff", "iqn.a:x", 0xffffffffffff},
		{"a,i,0x1,i,0x2", "a,i,0x1", 2}, /* the last separator counts */
	};
	uint8_t buf[1024];

	for (unsigned i = 0; i < HF_ARRAY_LEN(ids); i++) {
		struct hf_port_id id;
		size_t size, len = make(buf, 0x45, ids[i].text, -1);

		assert_int_equal(hf_transport_id_decode(buf, len + 7, &id, &size), 0);
		assert_int_equal(size, len);
		assert_string_equal(id.name, ids[i].name);
		assert_true(id.isid == ids[i].isid);
	}
}

static void what_is_refused(void **state)
{
	static const struct {
		uint8_t head;
		const char *text;
		int additional;
	} ids[] = {
		{0x05, "iqn.a:x", -1},			  /* names no port */
		{0x05, "iqn.a:x,i,0x00023d000001", -1},	  /* format 00b */
		{0x85, "iqn.a:x,i,0x00023d000001", -1},	  /* format 10b */
		{0xc5, "iqn.a:x,i,0x00023d000001", -1},	  /* format 11b */
		{0x46, "iqn.a:x,i,0x00023d000001", -1},	  /* SAS */
		{0x40, "iqn.a:x,i,0x00023d000001", -1},	  /* Fibre Channel */
		{0x45, "iqn.a:x00023d000001", -1},	  /* no separator */
		{0x45, "iqn.a:x,i,00023d000001", -1},	  /* no 0x */
		{0x45, "iqn.a:xyzxyzxyz,i,0x", -1},	  /* no ISID */
		{0x45, "iqn.a:x,i,0x0000023d000001", -1}, /* 14 digits */
		{0x45, "iqn.a:x,i,0x00023d00000g", -1},	  /* no digit */
		{0x45, "iqn.a:x,i,0x 0023d000001", -1},	  /* no digit */
		{0x45, ",i,0x00023d000001", -1},	  /* no name */
		{0x45, "iqn.a:x,i,0x00023d000001", 24},	  /* no NUL */
		{0x45, "iqn.a:x,i,0x00023d000001", 26},	  /* no multiple of 4 */
		{0x45, "a,i,0x1", 16},			  /* below 20 */
		{0x45, "", 0},
	};
	uint8_t buf[1024];

	for (unsigned i = 0; i < HF_ARRAY_LEN(ids); i++) {
		struct hf_port_id id = {.isid = 77};
		size_t size = 55, len = make(buf, ids[i].head, ids[i].text, ids[i].additional);

		if (hf_transport_id_decode(buf, len, &id, &size) != -EBADMSG) {
			print_error("accepted: %s\n", ids[i].text);
			fail();
		}
		assert_true(id.isid == 77 && size == 55);
	}
}

static void the_first_nul_ends_the_text(void **state)
{
	uint8_t buf[1024];
	struct hf_port_id id;
	size_t size, len = make(buf, 0x45, "iqn.a:x,i,0x12", 40);

	memcpy(buf + 4 + 20, "garbage", 7);
	assert_int_equal(hf_transport_id_decode(buf, len, &id, &size), 0);
	assert_true(id.isid == 0x12);
	assert_int_equal(size, 44);
	/* LIO of old: NUL between name and separator */
	make(buf, 0x45, "iqn.a:x", 40);
	memcpy(buf + 4 + 8, ",i,0x12", 7);
	assert_int_equal(hf_transport_id_decode(buf, 44, &id, &size), -EBADMSG);
}

static void every_cut_is_refused(void **state)
{
	uint8_t buf[1024];
	struct hf_port_id id;
	size_t size, len = make(buf, 0x45, "iqn.a:x,i,0x00023d000001", -1);

	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(hf_transport_id_decode(buf, cut, &id, &size), -EBADMSG);
}

static void names_of_every_length_come_back(void **state)
{
	char name[HF_RESV_NAME_SIZE];

	for (size_t n = 1; n < HF_RESV_NAME_SIZE; n++) {
		struct hf_port_id id, back;
		uint8_t buf[HF_TRANSPORT_ID_MAX];
		size_t len, size;

		memset(name, 'x', n);
		assert_int_equal(hf_port_id_set(&id, name, n, 0x0123456789ab + n), 0);
		len = hf_transport_id_encode(&id, buf);
		assert_int_equal(len % 4, 0);
		assert_true(len >= 24);
		assert_int_equal(buf[2] << 8 | buf[3], len - 4);
		assert_int_equal(hf_transport_id_decode(buf, len, &back, &size), 0);
		assert_int_equal(size, len);
		assert_memory_equal(&back, &id, sizeof(id));
	}
}

static void a_name_past_223_bytes_is_refused(void **state)
{
	char text[300];
	uint8_t buf[1024];
	struct hf_port_id id;
	size_t size, len;

	memset(text, 'x', 224);
	snprintf(text + 224, sizeof(text) - 224, ",i,0x1");
	len = make(buf, 0x45, text, -1);
	assert_int_equal(hf_transport_id_decode(buf, len, &id, &size), -EBADMSG);
	len = make(buf, 0x45, text + 1, -1);
	assert_int_equal(hf_transport_id_decode(buf, len, &id, &size), 0);
}

static void port_ids_are_compared_without_case(void **state)
{
	struct hf_port_id a = {"iqn.x", 5}, b = {"IQN.X", 5}, c = {"iqn.x", 6}, d = {"iqn.xy", 5};
	struct hf_nexus n1 = {a, 1}, n2 = {b, 1}, n3 = {a, 2};

	assert_true(hf_port_id_equal(&a, &b));
	assert_false(hf_port_id_equal(&a, &c));
	assert_false(hf_port_id_equal(&a, &d));
	assert_true(hf_nexus_equal(&n1, &n2));
	assert_false(hf_nexus_equal(&n1, &n3));
}

static void port_id_set_lowers_and_refuses(void **state)
{
	struct hf_port_id id = {.isid = 9};
	char name[300];

	memset(name, 'N', sizeof(name));
	assert_int_equal(hf_port_id_set(&id, name, 224, 1), -ENAMETOOLONG);
	assert_int_equal(hf_port_id_set(&id, name, 0, 1), -EINVAL);
	assert_int_equal(hf_port_id_set(&id, "a\0b", 3, 1), -EINVAL);
	assert_int_equal(hf_port_id_set(&id, name, 3, 1ull << 48), -EINVAL);
	assert_int_equal(id.isid, 9);
	assert_int_equal(hf_port_id_set(&id, name, 223, 1), 0);
	assert_int_equal(strlen(id.name), 223);
	assert_int_equal(id.name[222], 'n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_accepted),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(the_first_nul_ends_the_text),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(names_of_every_length_come_back),
		cmocka_unit_test(a_name_past_223_bytes_is_refused),
		cmocka_unit_test(port_ids_are_compared_without_case),
		cmocka_unit_test(port_id_set_lowers_and_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
