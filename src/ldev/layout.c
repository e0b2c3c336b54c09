/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the bytes of a logical device lie. Pure. hf_ldev_map() is the one place that knows what
 * linear and stripe mean; ldev_io.c asks it for every piece of every request.
 */
#include "map.h"
#include "canary.h"

#include <stdlib.h>

static uint64_t map_linear(const struct hf_ldev *d, uint64_t offset, uint64_t len,
	uint16_t *ret_pdev, uint64_t *ret_offset)
{
	for (unsigned i = 0; i < d->extents_len; i++) {
		const struct hf_extent *e = &d->extents[i];

		if (offset < e->len_bytes) {
			*ret_pdev = e->pdev;
			*ret_offset = e->offset_bytes + offset;
			if (HF_PLANTED(WRONG_EXTENT) && e->len_bytes == UINT64_C(2) << 20)
				*ret_offset -= UINT64_C(1) << 20;
			return HF_MIN(len, e->len_bytes - offset);
		}
		offset -= e->len_bytes;
	}
	hf_assert(!"a logical device is as large as its extents");
	return 0;
}

static uint64_t map_stripe(const struct hf_ldev *d, uint64_t offset, uint64_t len,
	uint16_t *ret_pdev, uint64_t *ret_offset)
{
	for (unsigned group = 0; group + d->columns <= d->extents_len; group += d->columns) {
		uint64_t column_bytes = d->extents[group].len_bytes, stripe, in_stripe;
		const struct hf_extent *e;

		if (offset >= column_bytes * d->columns) {
			offset -= column_bytes * d->columns;
			continue;
		}
		stripe = offset / d->stripe_bytes;
		in_stripe = offset % d->stripe_bytes;
		e = &d->extents[group + stripe % d->columns];
		*ret_pdev = e->pdev;
		*ret_offset = e->offset_bytes + stripe / d->columns * d->stripe_bytes + in_stripe;
		return HF_MIN(len, d->stripe_bytes - in_stripe);
	}
	hf_assert(!"a logical device is as large as its extents");
	return 0;
}

uint64_t hf_ldev_map(const struct hf_ldev *d, uint64_t offset_bytes, uint64_t len_bytes,
	uint16_t *ret_pdev, uint64_t *ret_offset_bytes)
{
	hf_assert(offset_bytes < d->size_bytes && len_bytes <= d->size_bytes - offset_bytes);
	/* One column is a linear device, without the cuts at every stripe. */
	return d->layout == HF_LAYOUT_STRIPE && d->columns > 1
		       ? map_stripe(d, offset_bytes, len_bytes, ret_pdev, ret_offset_bytes)
		       : map_linear(d, offset_bytes, len_bytes, ret_pdev, ret_offset_bytes);
}

struct hf_ldev *hf_ldev_create(
	const struct hf_map *map, const struct hf_map_ldev *d, struct hf_pdev **pdevs)
{
	struct hf_ldev *l = calloc(1, sizeof(*l));
	struct hf_extent *extents = calloc(d->extents_len, sizeof(*extents));

	if (!l || !extents) {
		free(l);
		free(extents);
		return NULL;
	}
	memcpy(extents, &map->extents[d->first_extent], d->extents_len * sizeof(*extents));
	*l = (struct hf_ldev){
		.id = d->id,
		.layout = d->layout,
		.block_bytes = d->block_bytes,
		.size_bytes = d->size_bytes,
		.columns = d->columns,
		.stripe_bytes = d->stripe_bytes,
		.extents_len = d->extents_len,
		.extents = extents,
		.pdevs = pdevs,
	};
	return l;
}

void hf_ldev_destroy(struct hf_ldev *d)
{
	if (!d)
		return;
	free(d->extents);
	free(d);
}
