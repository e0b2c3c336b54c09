/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What fences read: parts in a race and leases from the voting disks, keys from a third controller.
 * First byte: which. What is accepted comes back the same; no answer of a disk leads a fence
 * astray.
 */
#include "lease.h"
#include "pr.h"
#include "race.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void race(const uint8_t *data, size_t size)
{
	uint8_t buf[HF_RACE_BYTES];
	struct hf_race_part p, back;
	struct hf_race r;
	struct hf_race_event start = {.kind = HF_RACE_START, .epoch = 3};
	struct hf_race_event read = {.kind = HF_RACE_READ, .buf = data, .result = (int)size};

	hf_race_init(&r, 1, 2);
	hf_race_step(&r, &start);
	hf_race_step(&r, &read);
	if (hf_race_part_decode(data, size, &p) < 0)
		return;
	hf_race_part_encode(&p, buf);
	hf_assert(hf_race_part_decode(buf, sizeof(buf), &back) == 0);
	hf_assert(p.epoch == back.epoch && p.round == back.round && p.mbal == back.mbal &&
		  p.bal == back.bal && p.value == back.value);
}

static void lease(const uint8_t *data, size_t size)
{
	uint8_t buf[HF_LEASE_BYTES];
	struct hf_lease_record r, back;

	if (hf_lease_record_decode(data, size, &r) < 0)
		return;
	hf_lease_record_encode(&r, buf);
	hf_assert(hf_lease_record_decode(buf, sizeof(buf), &back) == 0);
	hf_assert(r.incarnation == back.incarnation && r.counter == back.counter &&
		  r.clear_epoch == back.clear_epoch);
}

/* A disk that says anything at all to READ KEYS: the fence ends, and never preempts its own key. */
static void keys(const uint8_t *data, size_t size)
{
	struct hf_pr p;
	struct hf_pr_effect e;
	unsigned commands = 0;

	hf_pr_init(&p, 0x0102030405060708);
	e = hf_pr_start(&p, HF_PR_FENCE);
	while (!e.done) {
		hf_assert(++commands < 1000);
		if (e.out && e.action == 5)
			hf_assert(memcmp(e.list, e.list + 8, 8) != 0);
		e = hf_pr_answer(&p, 0, data, HF_MIN(size, (size_t)HF_PR_DATA_BYTES));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	switch (data[0] % 3) {
	case 0:
		race(data + 1, size - 1);
		break;
	case 1:
		lease(data + 1, size - 1);
		break;
	case 2:
		keys(data + 1, size - 1);
		break;
	}
	return 0;
}
