/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PERSISTENT RESERVE OUT from the wire. Input: pieces of a nexus byte, the list's length (2 bytes),
 * 10 bytes of CDB and the list; each is decoded and carried out in turn on one state. An op that
 * came from the wire survives the bus.
 */
#include "base.h"
#include "endian.h"

#include <stdlib.h>

#include <holdfast/resv.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD_BYTES 13

static struct hf_nexus sender(uint8_t byte)
{
	struct hf_nexus nexus;
	char name[] = "iqn.a";

	name[4] = (char)('a' + (byte >> 2 & 3));
	hf_assert(hf_port_id_set(&nexus.init, name, 5, byte & 1) == 0);
	nexus.rtpi = (uint16_t)(1 + (byte >> 1 & 1));
	return nexus;
}

static void survives_the_bus(const struct hf_resv_op *op)
{
	static uint8_t a[HF_RESV_OP_BYTES_MAX], b[HF_RESV_OP_BYTES_MAX];
	static struct hf_resv_op back;
	int len = hf_resv_op_encode(op, a, sizeof(a));

	hf_assert(len > 0);
	hf_assert(hf_resv_op_decode(a, (size_t)len, &back) == 0);
	hf_assert(hf_resv_op_encode(&back, b, sizeof(b)) == len);
	hf_assert(!memcmp(a, b, (size_t)len));
}

static void one(struct hf_resv *r, const uint8_t *head, const uint8_t *list, size_t list_len)
{
	static struct hf_resv_outcome out;
	static struct hf_resv_op op;
	struct hf_nexus nexus = sender(head[0]);
	struct hf_resv_verdict v;
	bool after_key;
	/* Exactly as long as it is, so that a sanitizer sees one byte too far. */
	uint8_t *copy = malloc(list_len ? list_len : 1);

	hf_assert(copy);
	if (list_len)
		memcpy(copy, list, list_len);
	if (hf_resv_prout_decode(head + 3, copy, list_len, &nexus, 1, &op, &v, &after_key)) {
		hf_assert(v.status == HF_STATUS_CHECK_CONDITION && v.sense_key == 5);
		if (after_key)
			hf_resv_prout_conflicts(r, op.kind, &op.nexus, op.rk);
	} else {
		survives_the_bus(&op);
		hf_resv_apply(r, &op, &out);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hf_resv_config config = {
		.ports = {1, 2}, .ports_len = 2, .registrations_max = 12};
	struct hf_resv *r = hf_resv_create(&config);

	hf_assert(r);
	while (size >= HEAD_BYTES) {
		size_t len = HF_MIN(hf_get_be16(data + 1), size - HEAD_BYTES);

		one(r, data, data + HEAD_BYTES, len);
		data += HEAD_BYTES + len;
		size -= HEAD_BYTES + len;
	}
	hf_resv_destroy(r);
	return 0;
}
