/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations and types in words, as the standards write them. */
#include "base.h"

#include <holdfast/resv.h>

static const char *const kind_names[] = {
	[HF_RESV_LEGACY_RESERVE] = "RESERVE (SPC-2)",
	[HF_RESV_LEGACY_RELEASE] = "RELEASE (SPC-2)",
	[HF_RESV_NEXUS_LOSS] = "I_T NEXUS LOSS",
	[HF_RESV_LU_RESET] = "LOGICAL UNIT RESET",
	[HF_RESV_PEER_REMOVED] = "PEER REMOVED",
	[HF_RESV_BREAK] = "BREAK",
	[HF_RESV_RETIRE] = "RETIRE",
	[HF_RESV_READ] = "PERSISTENT RESERVE IN",
	[HF_RESV_INFO_LOST] = "INFORMATION LOST",
	[HF_RESV_RETIRE_FORCED] = "RETIRE BY FORCE",
	[HF_RESV_ATTRS] = "SET ATTRIBUTES",
	[HF_RESV_PR_REGISTER] = "REGISTER",
	[HF_RESV_PR_RESERVE] = "RESERVE",
	[HF_RESV_PR_RELEASE] = "RELEASE",
	[HF_RESV_PR_CLEAR] = "CLEAR",
	[HF_RESV_PR_PREEMPT] = "PREEMPT",
	[HF_RESV_PR_PREEMPT_ABORT] = "PREEMPT AND ABORT",
	[HF_RESV_PR_REGISTER_IGNORE] = "REGISTER AND IGNORE EXISTING KEY",
	[HF_RESV_PR_REGISTER_MOVE] = "REGISTER AND MOVE",
	[HF_RESV_PR_REPLACE_LOST] = "REPLACE LOST RESERVATION",
};

static const char *const type_names[] = {
	[0] = "none",
	[HF_RESV_WE] = "Write Exclusive",
	[HF_RESV_EA] = "Exclusive Access",
	[HF_RESV_WE_RO] = "Write Exclusive, registrants only",
	[HF_RESV_EA_RO] = "Exclusive Access, registrants only",
	[HF_RESV_WE_AR] = "Write Exclusive, all registrants",
	[HF_RESV_EA_AR] = "Exclusive Access, all registrants",
};

const char *hf_resv_kind_name(enum hf_resv_kind kind)
{
	const char *name = (size_t)kind < HF_ARRAY_LEN(kind_names) ? kind_names[kind] : NULL;

	return name ? name : "unknown";
}

const char *hf_resv_type_name(uint8_t type)
{
	const char *name = type < HF_ARRAY_LEN(type_names) ? type_names[type] : NULL;

	return name ? name : "unknown";
}
