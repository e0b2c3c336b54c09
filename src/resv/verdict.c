/* SPDX-License-Identifier: BSD-3-Clause */
/* The verdicts of the reservation machine. */
#include "verdict.h"

struct hf_resv_verdict hf_verdict_good(void)
{
	return (struct hf_resv_verdict){.status = HF_STATUS_GOOD, .field_bit = -1};
}

struct hf_resv_verdict hf_verdict_conflict(void)
{
	return (struct hf_resv_verdict){.status = HF_STATUS_RESERVATION_CONFLICT, .field_bit = -1};
}

static struct hf_resv_verdict check_condition(uint8_t key, uint16_t asc_ascq)
{
	return (struct hf_resv_verdict){
		.status = HF_STATUS_CHECK_CONDITION,
		.sense_key = key,
		.asc_ascq = asc_ascq,
		.field_bit = -1,
	};
}

struct hf_resv_verdict hf_verdict_illegal(uint16_t asc_ascq)
{
	return check_condition(SENSE_ILLEGAL_REQUEST, asc_ascq);
}

static struct hf_resv_verdict field(uint16_t asc_ascq, bool in_cdb, uint16_t byte, int bit)
{
	struct hf_resv_verdict v = hf_verdict_illegal(asc_ascq);

	v.field_valid = true;
	v.field_in_cdb = in_cdb;
	v.field_byte = byte;
	v.field_bit = (int8_t)bit;
	return v;
}

struct hf_resv_verdict hf_verdict_cdb_field(uint16_t byte, int bit)
{
	return field(ASC_INVALID_FIELD_IN_CDB, true, byte, bit);
}

struct hf_resv_verdict hf_verdict_list_field(uint16_t byte, int bit)
{
	return field(ASC_INVALID_FIELD_IN_LIST, false, byte, bit);
}

struct hf_resv_verdict hf_verdict_lost(void)
{
	return check_condition(SENSE_DATA_PROTECT, ASC_INFORMATION_LOST);
}

bool hf_verdict_is_good(const struct hf_resv_verdict *v)
{
	return v->status == HF_STATUS_GOOD;
}
