/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Initiator ports and I_T nexuses: set, compare, order. Case is ASCII's, whatever the locale; the
 * other letters of an iSCSI name are compared byte by byte (the initiator has them prepared,
 * RFC 3722).
 */
#include "state.h"

#define ISID_MAX 0xffffffffffffull

#define ONES 0x0101010101010101ull

/* Length of a stretch, in whole words, in which both names are the same and do not end. Names that
 * are stored are in lower case, and those of a site differ late. */
static size_t same_words(const char *a, const char *b)
{
	size_t i = 0;

	_Static_assert(HF_RESV_NAME_SIZE % sizeof(uint64_t) == 0, "names are whole words");
	for (; i < HF_RESV_NAME_SIZE; i += sizeof(uint64_t)) {
		uint64_t x, y;

		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		if (x != y || ((x - ONES) & ~x & ONES << 7))
			break;
	}
	return i;
}

static int compare_names(const char *a, const char *b)
{
	for (size_t i = same_words(a, b); i < HF_RESV_NAME_SIZE; i++) {
		uint8_t x = (uint8_t)hf_name_lower(a[i]);
		uint8_t y = (uint8_t)hf_name_lower(b[i]);

		if (x != y)
			return x < y ? -1 : 1;
		if (!x)
			break;
	}
	return 0;
}

static int compare_ports(const struct hf_port_id *a, const struct hf_port_id *b)
{
	int order = compare_names(a->name, b->name);

	if (order)
		return order;
	return (a->isid > b->isid) - (a->isid < b->isid);
}

bool hf_port_id_equal(const struct hf_port_id *a, const struct hf_port_id *b)
{
	return !compare_ports(a, b);
}

int hf_nexus_compare(const struct hf_nexus *a, const struct hf_nexus *b)
{
	int order = compare_ports(&a->init, &b->init);

	return order ? order : (a->rtpi > b->rtpi) - (a->rtpi < b->rtpi);
}

bool hf_nexus_equal(const struct hf_nexus *a, const struct hf_nexus *b)
{
	return a->rtpi == b->rtpi && hf_port_id_equal(&a->init, &b->init);
}

int hf_port_id_set(struct hf_port_id *ret, const char *name, size_t name_len, uint64_t isid)
{
	if (name_len >= HF_RESV_NAME_SIZE)
		return -ENAMETOOLONG;
	if (!name_len || memchr(name, 0, name_len) || isid > ISID_MAX)
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < name_len; i++)
		ret->name[i] = hf_name_lower(name[i]);
	ret->isid = isid;
	return 0;
}

void hf_nexus_store(struct hf_nexus *ret, const struct hf_nexus *nexus)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < HF_RESV_NAME_SIZE - 1 && nexus->init.name[i]; i++)
		ret->init.name[i] = hf_name_lower(nexus->init.name[i]);
	ret->init.isid = nexus->init.isid;
	ret->rtpi = nexus->rtpi;
}
