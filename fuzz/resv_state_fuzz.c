/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Encoded states: whole, from a peer, and the image from a disk. What is accepted is canonical, can
 * be read with PERSISTENT RESERVE IN, and can be worked on.
 */
#include "base.h"

#include <stdlib.h>

#include <holdfast/resv.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t buf[HF_RESV_STATE_BYTES_MAX + 65536];

static void use(struct hf_resv *r, size_t allocation_length)
{
	static struct hf_resv_outcome out;
	static struct hf_resv_op op;
	struct hf_resv_registration reg;
	struct hf_resv_info info;

	for (uint8_t sa = 0; sa < 6; sa++)
		hf_assert(hf_resv_prin(r, sa, buf, allocation_length) <= (int)allocation_length);
	hf_resv_info(r, &info);
	for (unsigned i = 0; i < info.registrations_len; i++) {
		hf_resv_registration(r, i, &reg);
		hf_assert(reg.key);
		hf_resv_admit(r, &reg.nexus, 0);
	}
	if (info.registrations_len) {
		op.kind = HF_RESV_PR_PREEMPT_ABORT;
		op.nexus = reg.nexus;
		op.rk = reg.key;
		op.sark = info.holder_key;
		op.type = HF_RESV_EA_AR;
		hf_resv_apply(r, &op, &out);
	}
	op.kind = HF_RESV_BREAK;
	hf_resv_apply(r, &op, &out);
	hf_assert(hf_resv_is_idle(r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hf_resv_config config = {
		.ports = {1, 2}, .ports_len = 2, .registrations_max = HF_RESV_NEXUS_MAX};
	struct hf_resv *r = hf_resv_create(&config);

	hf_assert(r);
	if (!hf_resv_decode(r, data, size)) {
		hf_assert(hf_resv_encode(r, buf, sizeof(buf)) == (int)size);
		hf_assert(!memcmp(buf, data, size));
		use(r, size);
	}
	if (!hf_resv_persist_decode(r, data, size)) {
		hf_assert(hf_resv_persist_encode(r, buf, sizeof(buf)) == (int)size);
		hf_assert(!memcmp(buf, data, size));
		use(r, size);
	}
	hf_resv_destroy(r);
	return 0;
}
