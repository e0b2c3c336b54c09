/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The moves that change the state. Each notes whether it changed anything (touched) and whether
 * what would be on disk changed (touched_image); hf_resv_apply() makes the outcome of it.
 */
#include "state.h"

static void touch_image(struct hf_resv *r)
{
	r->touched = true;
	r->touched_image = true;
}

/* Index of the nexus, or of the first registration behind it. */
static unsigned lower_bound(const struct hf_resv *r, const struct hf_nexus *nexus)
{
	unsigned low = 0, high = r->registrations_len;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (hf_nexus_compare(&r->registrations[mid].nexus, nexus) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct registration *hf_resv_find_const(const struct hf_resv *r, const struct hf_nexus *nexus)
{
	unsigned i = lower_bound(r, nexus);

	if (i == r->registrations_len || !hf_nexus_equal(&r->registrations[i].nexus, nexus))
		return NULL;
	return &r->registrations[i];
}

struct registration *hf_resv_find(struct hf_resv *r, const struct hf_nexus *nexus)
{
	return (struct registration *)hf_resv_find_const(r, nexus);
}

struct registration *hf_resv_add(struct hf_resv *r, const struct hf_nexus *nexus, uint64_t key)
{
	unsigned i = lower_bound(r, nexus);
	struct registration *reg = &r->registrations[i];

	hf_assert(r->registrations_len < r->config.registrations_max);
	hf_assert(key);
	memmove(reg + 1, reg, (r->registrations_len - i) * sizeof(*reg));
	r->registrations_len++;
	if (i <= r->holder_hint)
		r->holder_hint++;
	memset(reg, 0, sizeof(*reg));
	hf_nexus_store(&reg->nexus, nexus);
	reg->key = key;
	touch_image(r);
	return reg;
}

void hf_resv_set_key(struct hf_resv *r, struct registration *reg, uint64_t key)
{
	hf_assert(key);
	if (reg->key == key)
		return;
	reg->key = key;
	touch_image(r);
}

void hf_resv_sweep(struct hf_resv *r)
{
	unsigned kept = 0;
	bool orphaned = false;

	for (unsigned i = 0; i < r->registrations_len; i++) {
		const struct registration *reg = &r->registrations[i];

		if (reg->doomed) {
			orphaned |= reg->holds;
			continue;
		}
		if (kept != i)
			r->registrations[kept] = *reg;
		kept++;
	}
	if (kept == r->registrations_len)
		return;
	r->registrations_len = kept;
	touch_image(r);
	if (orphaned || !kept)
		r->type = 0;
}

const struct registration *hf_resv_single_holder(const struct hf_resv *r)
{
	if (!r->type || hf_resv_type_is_all_registrants(r->type))
		return NULL;
	if (r->holder_hint < r->registrations_len && r->registrations[r->holder_hint].holds)
		return &r->registrations[r->holder_hint];
	for (unsigned i = 0; i < r->registrations_len; i++)
		if (r->registrations[i].holds)
			return &r->registrations[i];
	return NULL;
}

bool hf_resv_holds(const struct hf_resv *r, const struct registration *reg)
{
	return reg && (reg->holds || hf_resv_type_is_all_registrants(r->type));
}

void hf_resv_hold(struct hf_resv *r, uint8_t type, struct registration *holder)
{
	if (!type || hf_resv_type_is_all_registrants(type))
		holder = NULL;
	if (type != r->type)
		touch_image(r);
	r->type = type;
	if (holder)
		r->holder_hint = (unsigned)(holder - r->registrations);
	for (unsigned i = 0; i < r->registrations_len; i++) {
		struct registration *reg = &r->registrations[i];
		bool holds = reg == holder;

		if (reg->holds != holds)
			touch_image(r);
		reg->holds = holds;
	}
}

void hf_resv_set_aptpl(struct hf_resv *r, bool aptpl)
{
	if (r->aptpl == aptpl)
		return;
	r->aptpl = aptpl;
	touch_image(r);
}

void hf_resv_set_legacy(struct hf_resv *r, const struct hf_nexus *holder, uint64_t login)
{
	if (!holder && !r->legacy_held)
		return;
	r->legacy_held = holder;
	if (holder)
		hf_nexus_store(&r->legacy_holder, holder);
	else
		memset(&r->legacy_holder, 0, sizeof(r->legacy_holder));
	r->legacy_login = holder ? login : 0;
	r->touched = true;
}

bool hf_resv_attrs_are_valid(uint8_t attrs, uint16_t sanitize_rtpi)
{
	if (attrs & ~HF_RESV_ATTRS_KNOWN)
		return false;
	if (attrs & HF_RESV_SANITIZE_AUSE &&
		!(attrs & (HF_RESV_SANITIZE | HF_RESV_SANITIZE_FAILED)))
		return false;
	return !!(attrs & HF_RESV_SANITIZE) == !!sanitize_rtpi;
}

void hf_resv_set_attrs(struct hf_resv *r, uint8_t attrs, uint16_t sanitize_rtpi)
{
	hf_assert(hf_resv_attrs_are_valid(attrs, sanitize_rtpi));
	if (r->attrs == attrs && r->sanitize_rtpi == sanitize_rtpi)
		return;
	r->attrs = attrs;
	r->sanitize_rtpi = sanitize_rtpi;
	r->touched = true;
}

void hf_resv_set_lost(struct hf_resv *r, bool lost)
{
	if (r->lost == lost)
		return;
	r->lost = lost;
	touch_image(r);
}

void hf_resv_count(struct hf_resv *r)
{
	r->generation++;
	r->touched = true;
}

void hf_resv_empty(struct hf_resv *r)
{
	r->generation = 0;
	r->aptpl = r->lost = r->retired = false;
	r->attrs = 0;
	r->sanitize_rtpi = 0;
	r->type = 0;
	hf_resv_set_legacy(r, NULL, 0);
	r->registrations_len = 0;
}
