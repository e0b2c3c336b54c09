/* SPDX-License-Identifier: BSD-3-Clause */
/* Short names of the operations, for stories that read like the protocol. */
#ifndef HF_TEST_RESV_SHORT_H
#define HF_TEST_RESV_SHORT_H

#include "kit.h"

#define SPC2_RESERVE  HF_RESV_LEGACY_RESERVE
#define SPC2_RELEASE  HF_RESV_LEGACY_RELEASE
#define LOSS	      HF_RESV_NEXUS_LOSS
#define RESET	      HF_RESV_LU_RESET
#define PEER_REMOVED  HF_RESV_PEER_REMOVED
#define BREAK	      HF_RESV_BREAK
#define RETIRE	      HF_RESV_RETIRE
#define READ	      HF_RESV_READ
#define INFO_LOST     HF_RESV_INFO_LOST
#define ATTRS	      HF_RESV_ATTRS
#define REGISTER      HF_RESV_PR_REGISTER
#define IGNORE	      HF_RESV_PR_REGISTER_IGNORE
#define RESERVE	      HF_RESV_PR_RESERVE
#define RELEASE	      HF_RESV_PR_RELEASE
#define CLEAR	      HF_RESV_PR_CLEAR
#define PREEMPT	      HF_RESV_PR_PREEMPT
#define PREEMPT_ABORT HF_RESV_PR_PREEMPT_ABORT
#define MOVE	      HF_RESV_PR_REGISTER_MOVE
#define REPLACE_LOST  HF_RESV_PR_REPLACE_LOST

#define CONFLICT   .verdict = "CONFLICT"
#define CDB_FIELD  .verdict = "5/24/00"
#define LIST_FIELD .verdict = "5/26/00"
#define NO_ROOM	   .verdict = "5/55/04"

/* What the SCSI layer makes of MODE SELECT and of the phases of SANITIZE. */
#define MODE_SELECT(m)	  .attrs_mask = HF_RESV_MODE, .attrs = (m)
#define SANITIZE_BEGIN(a) .attrs_mask = 0x50, .attrs = HF_RESV_SANITIZE | (a)
#define SANITIZE_END(a)	  .attrs_mask = 0x30, .attrs = (a)
#define EXIT_FAILURE_MODE .attrs_mask = HF_RESV_SANITIZE_FAILED

#endif
