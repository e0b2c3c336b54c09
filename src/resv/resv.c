/* SPDX-License-Identifier: BSD-3-Clause */
/* The state as an object: made, copied, looked at, checked. */
#include "state.h"

#include <stdlib.h>

struct hf_resv *hf_resv_create(const struct hf_resv_config *config)
{
	struct hf_resv *r;

	hf_assert(config->ports_len <= HF_RESV_PORTS_MAX);
	hf_assert(config->registrations_max >= 1);
	hf_assert(config->registrations_max <= HF_RESV_NEXUS_MAX);
	/* Of the registrations only those that are there are ever read, so the rest costs no page.
	 */
	r = malloc(sizeof(*r) + config->registrations_max * sizeof(r->registrations[0]));
	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->config = *config;
	return r;
}

void hf_resv_destroy(struct hf_resv *r)
{
	free(r);
}

void hf_resv_copy(struct hf_resv *dst, const struct hf_resv *src)
{
	hf_assert(dst->config.registrations_max == src->config.registrations_max);
	if (dst == src)
		return;
	memcpy(dst, src, sizeof(*src) + src->registrations_len * sizeof(src->registrations[0]));
}

uint8_t hf_resv_attrs(const struct hf_resv *r)
{
	return r->attrs;
}

bool hf_resv_is_idle(const struct hf_resv *r)
{
	return !r->registrations_len && !r->legacy_held && !r->lost;
}

bool hf_resv_is_lost(const struct hf_resv *r)
{
	return r->lost;
}

bool hf_resv_is_retired(const struct hf_resv *r)
{
	return r->retired;
}

bool hf_resv_concerns(const struct hf_resv *r, const struct hf_nexus *nexus, uint64_t login)
{
	return r->legacy_held && r->legacy_login == login &&
	       hf_nexus_equal(&r->legacy_holder, nexus);
}

void hf_resv_info(const struct hf_resv *r, struct hf_resv_info *ret)
{
	const struct registration *holder = hf_resv_single_holder(r);

	memset(ret, 0, sizeof(*ret));
	ret->generation = r->generation;
	ret->aptpl = r->aptpl;
	ret->legacy_held = r->legacy_held;
	ret->legacy_holder = r->legacy_holder;
	ret->held = r->type;
	ret->type = r->type;
	ret->holder_key = holder ? holder->key : 0;
	ret->registrations_len = r->registrations_len;
	ret->attrs = r->attrs;
	ret->sanitize_rtpi = r->sanitize_rtpi;
}

void hf_resv_registration(const struct hf_resv *r, unsigned i, struct hf_resv_registration *ret)
{
	const struct registration *reg = &r->registrations[i];

	hf_assert(i < r->registrations_len);
	memset(ret, 0, sizeof(*ret));
	ret->nexus = reg->nexus;
	ret->key = reg->key;
	ret->holder = hf_resv_holds(r, reg);
}

/* The invariants of state.h. */
bool hf_resv_check(const struct hf_resv *r)
{
	unsigned holders = 0;

	for (unsigned i = 0; i < r->registrations_len; i++) {
		const struct registration *reg = &r->registrations[i];

		if (!reg->key || reg->doomed || !reg->nexus.init.name[0])
			return false;
		if (i && hf_nexus_compare(&reg[-1].nexus, &reg->nexus) >= 0)
			return false;
		holders += reg->holds;
	}
	if (r->type && !hf_resv_type_is_valid(r->type))
		return false;
	if (holders != (r->type && !hf_resv_type_is_all_registrants(r->type)))
		return false;
	if (r->type && !r->registrations_len)
		return false;
	if (r->legacy_held && (r->registrations_len || !r->legacy_holder.init.name[0]))
		return false;
	if (!hf_resv_attrs_are_valid(r->attrs, r->sanitize_rtpi))
		return false;
	if ((r->lost || r->retired) && (r->registrations_len || r->legacy_held))
		return false;
	return !(r->lost && (r->aptpl || r->retired));
}
