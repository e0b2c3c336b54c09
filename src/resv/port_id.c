/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Initiator ports and I_T nexuses: set, compare, order. Case is ASCII's, whatever the locale; the
 * other letters of an iSCSI name are compared byte by byte (the initiator has them prepared,
 * RFC 3722).
 */
#include "bytes.h"
#include "state.h"

#define ISID_MAX 0xffffffffffffull

/* High bit of each byte of the word that is 0. */
static uint64_t zero_bytes(uint64_t x)
{
	const uint64_t low = 0x7f * ONES;

	return ~(((x & low) + low) | x | low);
}

/*
 * Eight bytes at a time, for long names that differ late are compared by the hundred. The first
 * letter is the highest byte, so that words compare as their letters do.
 */
static int compare_names(const char *a, const char *b)
{
	_Static_assert(HF_RESV_NAME_SIZE % sizeof(uint64_t) == 0, "names are whole words");
	for (size_t i = 0; i < HF_RESV_NAME_SIZE; i += sizeof(uint64_t)) {
		uint64_t x = hf_get_be64(a + i), y = hf_get_be64(b + i), ends = zero_bytes(x);

		if (x != y) {
			x = hf_name_lower_word(x);
			y = hf_name_lower_word(y);
		}
		/* Behind the end of both names anything may lie. */
		if (x != y && (!ends || __builtin_clzll(x ^ y) / 8 <= __builtin_clzll(ends) / 8))
			return x < y ? -1 : 1;
		if (ends)
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
