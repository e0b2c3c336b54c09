/* SPDX-License-Identifier: BSD-3-Clause */
/* TransportIDs. What is accepted comes back the same when it is encoded and decoded again. */
#include "base.h"

#include <holdfast/resv.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[HF_TRANSPORT_ID_MAX];
	struct hf_port_id id, back;
	size_t used, len;

	if (hf_transport_id_decode(data, size, &id, &used))
		return 0;
	hf_assert(used <= size && used >= 24 && used % 4 == 0);
	len = hf_transport_id_encode(&id, buf);
	hf_assert(hf_transport_id_decode(buf, len, &back, &used) == 0);
	hf_assert(used == len && !memcmp(&id, &back, sizeof(id)));
	return 0;
}
