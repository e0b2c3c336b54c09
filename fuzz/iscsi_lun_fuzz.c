/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzzes what a third controller's LUN says of itself; the first byte chooses the decoder. */
#include "iscsi_lun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_remote_lun lun = {.blocks = 1};
	int rc = 0;

	if (!size)
		return 0;
	switch (data[0] % 6) {
	case 0:
		rc = hf_remote_decode_inquiry(data + 1, size - 1);
		break;
	case 1:
		rc = hf_remote_decode_capacity16(data + 1, size - 1, &lun);
		hf_assert(lun.blocks);
		break;
	case 2:
		rc = hf_remote_decode_capacity10(data + 1, size - 1, &lun);
		hf_assert(lun.blocks);
		break;
	case 3:
		rc = hf_remote_decode_identification(data + 1, size - 1, &lun);
		break;
	case 4:
		rc = hf_remote_decode_block_limits(data + 1, size - 1, &lun);
		break;
	case 5:
		rc = hf_remote_decode_provisioning(data + 1, size - 1, &lun);
		break;
	}
	hf_assert(rc == 0 || rc == -EBADMSG || rc == -ENXIO || rc == -EMEDIUMTYPE);
	if (size >= 5) {
		struct hf_remote_verdict v =
			hf_remote_judge(data[1], data[2] & 15, (unsigned)data[3] << 8 | data[4]);

		hf_assert(v.error <= 0 && (v.next != HF_REMOTE_GOOD || !v.error));
	}
	return 0;
}
