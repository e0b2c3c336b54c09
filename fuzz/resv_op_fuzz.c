/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Encoded operations, as they come over the bus. What is accepted is canonical, and the machine
 * carries it out on states of every sort without tripping over its own invariants.
 */
#include "base.h"

#include <stdlib.h>

#include <holdfast/resv.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hf_resv *fresh(void)
{
	const struct hf_resv_config config = {
		.ports = {1, 2}, .ports_len = 2, .registrations_max = 40};
	struct hf_resv *r = hf_resv_create(&config);

	hf_assert(r);
	return r;
}

static void apply(struct hf_resv *r, const struct hf_resv_op *op)
{
	static struct hf_resv_outcome out;
	uint64_t before = hf_resv_digest(r);

	hf_resv_apply(r, op, &out);
	if (!out.changed)
		hf_assert(hf_resv_digest(r) == before && !out.effects_len && !out.persist);
	if (out.verdict.status != HF_STATUS_GOOD)
		hf_assert(!out.changed);
}

/* After the op itself, what its sender would have to do first for it to have an effect. */
static void apply_after(const struct hf_resv_op *op, enum hf_resv_kind first)
{
	static struct hf_resv_op prelude;
	struct hf_resv *r = fresh();

	memset(&prelude, 0, sizeof(prelude));
	prelude.kind = first;
	prelude.nexus = op->nexus;
	prelude.sark = op->rk ? op->rk : 1;
	if (op->nexus.init.name[0] || first == HF_RESV_INFO_LOST)
		apply(r, &prelude);
	if (first == HF_RESV_PR_REGISTER && op->nexus.init.name[0]) {
		prelude.kind = HF_RESV_PR_RESERVE;
		prelude.rk = prelude.sark;
		prelude.type = HF_RESV_WE_RO;
		apply(r, &prelude);
	}
	apply(r, op);
	apply(r, op);
	hf_resv_destroy(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hf_resv_op op;
	static uint8_t back[HF_RESV_OP_BYTES_MAX];

	if (hf_resv_op_decode(data, size, &op))
		return 0;
	hf_assert(hf_resv_op_encode(&op, back, sizeof(back)) == (int)size);
	hf_assert(!memcmp(back, data, size));
	apply_after(&op, HF_RESV_PR_REGISTER);
	apply_after(&op, HF_RESV_LEGACY_RESERVE);
	apply_after(&op, HF_RESV_INFO_LOST);
	return 0;
}
