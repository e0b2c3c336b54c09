/* SPDX-License-Identifier: BSD-3-Clause */
/* What the six types of persistent reservation mean (scsi-reservations E.2; SPC-5, 6.14.3.4). */
#include "state.h"

bool hf_resv_type_is_valid(uint8_t type)
{
	switch (type) {
	case HF_RESV_WE:
	case HF_RESV_EA:
	case HF_RESV_WE_RO:
	case HF_RESV_EA_RO:
	case HF_RESV_WE_AR:
	case HF_RESV_EA_AR:
		return true;
	default:
		return false;
	}
}

bool hf_resv_type_is_all_registrants(uint8_t type)
{
	return type == HF_RESV_WE_AR || type == HF_RESV_EA_AR;
}

bool hf_resv_type_admits_registrants(uint8_t type)
{
	return type == HF_RESV_WE_RO || type == HF_RESV_EA_RO ||
	       hf_resv_type_is_all_registrants(type);
}

bool hf_resv_type_is_write_exclusive(uint8_t type)
{
	return type == HF_RESV_WE || type == HF_RESV_WE_RO || type == HF_RESV_WE_AR;
}
