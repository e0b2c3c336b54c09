/* SPDX-License-Identifier: BSD-3-Clause */
/* The verdicts of the reservation machine. Private to src/resv. */
#ifndef HF_RESV_VERDICT_H
#define HF_RESV_VERDICT_H

#include <holdfast/resv.h>

enum {
	SENSE_ILLEGAL_REQUEST = 0x5,
	SENSE_DATA_PROTECT = 0x7,
};

enum {
	ASC_PARAMETER_LIST_LENGTH = 0x1a00,
	ASC_INVALID_FIELD_IN_CDB = 0x2400,
	ASC_LU_NOT_SUPPORTED = 0x2500,
	ASC_INVALID_FIELD_IN_LIST = 0x2600,
	ASC_INVALID_RELEASE = 0x2604,
	ASC_RESET_OCCURRED = 0x2903,
	ASC_MODE_CHANGED = 0x2a01,
	ASC_RESERVATIONS_PREEMPTED = 0x2a03,
	ASC_RESERVATIONS_RELEASED = 0x2a04,
	ASC_REGISTRATIONS_PREEMPTED = 0x2a05,
	ASC_INFORMATION_LOST = 0x4401,
	ASC_NO_REGISTRATION_RESOURCES = 0x5504,
};

struct hf_resv_verdict hf_verdict_good(void);
struct hf_resv_verdict hf_verdict_conflict(void);
/* ILLEGAL REQUEST without a field pointer. */
struct hf_resv_verdict hf_verdict_illegal(uint16_t asc_ascq);
/* 24/00 and 26/00 with a pointer; bit -1: none. */
struct hf_resv_verdict hf_verdict_cdb_field(uint16_t byte, int bit);
struct hf_resv_verdict hf_verdict_list_field(uint16_t byte, int bit);
struct hf_resv_verdict hf_verdict_lost(void);
bool hf_verdict_is_good(const struct hf_resv_verdict *v);

/* Where things are in a PERSISTENT RESERVE OUT (scsi-reservations E.4, E.5b). */
#define VERDICT_SERVICE_ACTION	hf_verdict_cdb_field(1, -1)
#define VERDICT_TYPE		hf_verdict_cdb_field(2, 0)
#define VERDICT_SCOPE		hf_verdict_cdb_field(2, 4)
#define VERDICT_SARK		hf_verdict_list_field(8, -1)
#define VERDICT_SPEC_I_PT	hf_verdict_list_field(20, 3)
#define VERDICT_TRANSPORT_ID	hf_verdict_list_field(24, -1)
#define VERDICT_MOVE_RTPI	hf_verdict_list_field(18, -1)
#define VERDICT_MOVE_IDS_LENGTH hf_verdict_list_field(20, -1)

#endif
