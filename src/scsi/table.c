/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command table: a row per operation code and service action. Its access classes are those of
 * tables E.6 and E.7 (doc/conformance.md); REPORT SUPPORTED OPERATION CODES is answered from it, so
 * what it says and what is done cannot differ. Constant data and look-up, nothing else.
 */
#include "scsi_internal.h"

#define U2(i) [i] = 0xff, [(i) + 1] = 0xff
#define U3(i) U2(i), [(i) + 2] = 0xff
#define U4(i) U2(i), U2((i) + 2)
#define U8(i) U4(i), U4((i) + 4)

#define DPO_FUA	  0x18
#define GROUP	  0x1f
#define RUN(name) .prepare = scsi_##name##_prepare, .run = scsi_##name##_run

/* name, opcode, service action, CDB length, access class, direction */
#define ROW(n, op, service, len, acc, direction)                                                   \
	.name = n, .opcode = op, .sa = service, .cdb_len = len, .access = HF_ACCESS_##acc,         \
	.dir = SCSI_DIR_##direction

#define NONE   SCSI_NO_SA
#define ALWAYS (SCSI_PASSES_STANDBY | SCSI_PASSES_UNAVAILABLE)
#define MEDIUM SCSI_MEDIUM_WRITE

/* The layouts that READ, WRITE and their kin share. */
#define BLOCKS6 .lba = {1, 3}, .count = {4, 1}, .usage = {[1] = 0x1f, U3(2)}
#define BLOCKS10(bits)                                                                             \
	.lba = {2, 4}, .count = {7, 2}, .usage = {[1] = bits, U4(2), [6] = GROUP, U2(7)}
#define BLOCKS12(bits) .lba = {2, 4}, .count = {6, 4}, .usage = {[1] = bits, U8(2), [10] = GROUP}
#define BLOCKS16(bits)                                                                             \
	.lba = {2, 8}, .count = {10, 4}, .usage = {[1] = bits, U8(2), U4(10), [14] = GROUP}

#define PROUT(n, service)                                                                          \
	{                                                                                          \
		ROW(n, 0x5f, service, 10, STATUS, OUT),                                            \
			.flags = SCSI_BY_MACHINE | SCSI_PASSES_STANDBY, .count = {5, 4},           \
			.usage = {[2] = 0xff, U4(5)}, RUN(prout)                                   \
	}
#define PRIN(n, service)                                                                           \
	{                                                                                          \
		ROW(n, 0x5e, service, 10, STATUS, IN),                                             \
			.flags = SCSI_BY_MACHINE | SCSI_PASSES_STANDBY, .count = {7, 2},           \
			.usage = {U2(7)}, RUN(prin)                                                \
	}

/* clang-format off */
const struct hf_scsi_row scsi_table[] = {
	{ROW("TEST UNIT READY", 0x00, NONE, 6, STATUS, NONE), .run = scsi_test_unit_ready_run},
	{ROW("REQUEST SENSE", 0x03, NONE, 6, FREE, IN),
		.flags = SCSI_NO_LU_OK | SCSI_PASSES_ATTENTION | SCSI_PASSES_SANITIZE | ALWAYS,
		.count = {4, 1}, .usage = {[1] = 0x01, [4] = 0xff}, RUN(request_sense)},
	{ROW("READ(6)", 0x08, NONE, 6, READ, IN), BLOCKS6, RUN(read)},
	{ROW("WRITE(6)", 0x0a, NONE, 6, WRITE, OUT), .flags = MEDIUM, BLOCKS6, RUN(write)},
	{ROW("INQUIRY", 0x12, NONE, 6, FREE, IN),
		.flags = SCSI_NO_LU_OK | SCSI_PASSES_ATTENTION | SCSI_PASSES_SANITIZE | ALWAYS,
		.count = {3, 2}, .usage = {[1] = 0x01, U3(2)}, RUN(inquiry)},
	{ROW("MODE SELECT(6)", 0x15, NONE, 6, WRITE, OUT), .flags = SCSI_PASSES_STANDBY | SCSI_OWN_PIN,
		.count = {4, 1}, .usage = {[1] = 0x10, [4] = 0xff}, RUN(mode_select6)},
	{ROW("RESERVE(6)", 0x16, NONE, 6, STATUS, NONE),
		.flags = SCSI_BY_MACHINE | SCSI_PASSES_STANDBY, RUN(reserve)},
	{ROW("RELEASE(6)", 0x17, NONE, 6, FREE, NONE),
		.flags = SCSI_BY_MACHINE | SCSI_PASSES_STANDBY, RUN(reserve)},
	{ROW("MODE SENSE(6)", 0x1a, NONE, 6, READ, IN), .flags = SCSI_PASSES_STANDBY,
		.count = {4, 1}, .usage = {[1] = 0x08, U3(2)}, RUN(mode_sense6)},
	/* START=1 is FREE: scsi_row_access() */
	{ROW("START STOP UNIT", 0x1b, NONE, 6, WRITE, NONE),
		.usage = {[1] = 0x01, [4] = 0x05}, RUN(start_stop)},
	/* PREVENT=0 is FREE: scsi_row_access() */
	{ROW("PREVENT ALLOW MEDIUM REMOVAL", 0x1e, NONE, 6, WRITE, NONE),
		.usage = {[4] = 0x01}, RUN(prevent_allow)},
	{ROW("READ CAPACITY(10)", 0x25, NONE, 10, FREE, IN), .flags = SCSI_PASSES_STANDBY,
		RUN(read_capacity10)},
	{ROW("READ(10)", 0x28, NONE, 10, READ, IN), BLOCKS10(DPO_FUA), RUN(read)},
	{ROW("WRITE(10)", 0x2a, NONE, 10, WRITE, OUT), .flags = MEDIUM, BLOCKS10(DPO_FUA),
		RUN(write)},
	{ROW("WRITE AND VERIFY(10)", 0x2e, NONE, 10, WRITE, OUT), .flags = MEDIUM | SCSI_SCRATCH,
		BLOCKS10(0x12), RUN(write_verify)},
	{ROW("VERIFY(10)", 0x2f, NONE, 10, READ, OUT), .flags = SCSI_SCRATCH, BLOCKS10(0x16),
		RUN(verify)},
	{ROW("PRE-FETCH(10)", 0x34, NONE, 10, READ, NONE), BLOCKS10(0x02), RUN(prefetch)},
	{ROW("SYNCHRONIZE CACHE(10)", 0x35, NONE, 10, WRITE, NONE), BLOCKS10(0x02),
		RUN(sync_cache)},
	{ROW("READ DEFECT DATA(10)", 0x37, NONE, 10, READ, IN),
		.count = {7, 2}, .usage = {[2] = 0x1f, U2(7)}, RUN(read_defects)},
	{ROW("WRITE SAME(10)", 0x41, NONE, 10, WRITE, OUT), .flags = MEDIUM, BLOCKS10(0x08),
		RUN(write_same)},
	{ROW("UNMAP", 0x42, NONE, 10, WRITE, OUT),
		.flags = MEDIUM | SCSI_OWN_PIN | SCSI_WANTS_UNMAP,
		.count = {7, 2}, .usage = {[6] = GROUP, U2(7)}, RUN(unmap)},
	{ROW("SANITIZE OVERWRITE", 0x48, 0x01, 10, WRITE, OUT), .flags = MEDIUM | SCSI_OWN_PIN,
		.count = {7, 2}, .timeout_s = 36000, .usage = {[1] = 0xa0, U2(7)},
		RUN(sanitize), .ended = scsi_sanitize_ended},
	{ROW("SANITIZE BLOCK ERASE", 0x48, 0x02, 10, WRITE, NONE),
		.flags = MEDIUM | SCSI_OWN_PIN | SCSI_WANTS_UNMAP,
		.count = {7, 2}, .timeout_s = 36000, .usage = {[1] = 0xa0, U2(7)},
		RUN(sanitize), .ended = scsi_sanitize_ended},
	{ROW("SANITIZE EXIT FAILURE MODE", 0x48, 0x1f, 10, WRITE, NONE),
		.flags = MEDIUM | SCSI_OWN_PIN, .count = {7, 2}, .usage = {U2(7)},
		RUN(sanitize)},
	{ROW("LOG SENSE", 0x4d, NONE, 10, FREE, IN), .flags = SCSI_PASSES_STANDBY,
		.count = {7, 2}, .usage = {U2(2), U4(5)}, RUN(log_sense)},
	{ROW("MODE SELECT(10)", 0x55, NONE, 10, WRITE, OUT), .flags = SCSI_PASSES_STANDBY | SCSI_OWN_PIN,
		.count = {7, 2}, .usage = {[1] = 0x10, U2(7)}, RUN(mode_select10)},
	{ROW("RESERVE(10)", 0x56, NONE, 10, STATUS, NONE),
		.flags = SCSI_BY_MACHINE | SCSI_PASSES_STANDBY, RUN(reserve)},
	{ROW("RELEASE(10)", 0x57, NONE, 10, FREE, NONE),
		.flags = SCSI_BY_MACHINE | SCSI_PASSES_STANDBY, RUN(reserve)},
	{ROW("MODE SENSE(10)", 0x5a, NONE, 10, READ, IN), .flags = SCSI_PASSES_STANDBY,
		.count = {7, 2}, .usage = {[1] = 0x18, U2(2), U2(7)}, RUN(mode_sense10)},
	PRIN("PERSISTENT RESERVE IN, READ KEYS", 0x00),
	PRIN("PERSISTENT RESERVE IN, READ RESERVATION", 0x01),
	PRIN("PERSISTENT RESERVE IN, REPORT CAPABILITIES", 0x02),
	PRIN("PERSISTENT RESERVE IN, READ FULL STATUS", 0x03),
	PROUT("PERSISTENT RESERVE OUT, REGISTER", 0x00),
	PROUT("PERSISTENT RESERVE OUT, RESERVE", 0x01),
	PROUT("PERSISTENT RESERVE OUT, RELEASE", 0x02),
	PROUT("PERSISTENT RESERVE OUT, CLEAR", 0x03),
	PROUT("PERSISTENT RESERVE OUT, PREEMPT", 0x04),
	PROUT("PERSISTENT RESERVE OUT, PREEMPT AND ABORT", 0x05),
	PROUT("PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY", 0x06),
	PROUT("PERSISTENT RESERVE OUT, REGISTER AND MOVE", 0x07),
	PROUT("PERSISTENT RESERVE OUT, REPLACE LOST RESERVATION", 0x08),
	{ROW("EXTENDED COPY(LID1)", 0x83, 0x00, 16, WRITE, OUT),
		.flags = SCSI_OWN_PIN | SCSI_SCRATCH, .count = {10, 4}, .timeout_s = 120,
		.usage = {U4(10)}, RUN(extended_copy), .ended = scsi_copy_ended},
	{ROW("RECEIVE COPY STATUS(LID1)", 0x84, 0x00, 16, STATUS, IN),
		.count = {10, 4}, .usage = {[2] = 0xff, U4(10)}, RUN(copy_results)},
	{ROW("RECEIVE COPY OPERATING PARAMETERS", 0x84, 0x03, 16, STATUS, IN),
		.count = {10, 4}, .usage = {[2] = 0xff, U4(10)}, RUN(copy_parameters)},
	{ROW("READ(16)", 0x88, NONE, 16, READ, IN), BLOCKS16(DPO_FUA), RUN(read)},
	{ROW("COMPARE AND WRITE", 0x89, NONE, 16, WRITE, OUT),
		.flags = MEDIUM | SCSI_SCRATCH | SCSI_HOLDS_RANGE,
		.lba = {2, 8}, .count = {13, 1},
		.usage = {[1] = DPO_FUA, U8(2), [13] = 0xff, [14] = GROUP}, RUN(compare_write)},
	{ROW("WRITE(16)", 0x8a, NONE, 16, WRITE, OUT), .flags = MEDIUM, BLOCKS16(DPO_FUA),
		RUN(write)},
	{ROW("ORWRITE(16)", 0x8b, NONE, 16, WRITE, OUT),
		.flags = MEDIUM | SCSI_SCRATCH | SCSI_HOLDS_RANGE, BLOCKS16(DPO_FUA),
		RUN(orwrite)},
	{ROW("WRITE AND VERIFY(16)", 0x8e, NONE, 16, WRITE, OUT), .flags = MEDIUM | SCSI_SCRATCH,
		BLOCKS16(0x12), RUN(write_verify)},
	{ROW("VERIFY(16)", 0x8f, NONE, 16, READ, OUT), .flags = SCSI_SCRATCH, BLOCKS16(0x16),
		RUN(verify)},
	{ROW("PRE-FETCH(16)", 0x90, NONE, 16, READ, NONE), BLOCKS16(0x02), RUN(prefetch)},
	{ROW("SYNCHRONIZE CACHE(16)", 0x91, NONE, 16, WRITE, NONE), BLOCKS16(0x02),
		RUN(sync_cache)},
	{ROW("WRITE SAME(16)", 0x93, NONE, 16, WRITE, OUT), .flags = MEDIUM, BLOCKS16(0x09),
		RUN(write_same)},
	{ROW("READ CAPACITY(16)", 0x9e, 0x10, 16, FREE, IN), .flags = SCSI_PASSES_STANDBY,
		.count = {10, 4}, .usage = {U4(10)}, RUN(read_capacity16)},
	{ROW("GET LBA STATUS", 0x9e, 0x12, 16, READ, IN), .flags = SCSI_WANTS_UNMAP,
		.lba = {2, 8}, .count = {10, 4}, .usage = {U8(2), U4(10)}, RUN(lba_status)},
	{ROW("REPORT LUNS", 0xa0, NONE, 12, FREE, IN),
		.flags = SCSI_NO_LU_OK | SCSI_PASSES_ATTENTION | SCSI_PASSES_SANITIZE | ALWAYS,
		.count = {6, 4}, .usage = {[2] = 0xff, U4(6)}, RUN(report_luns)},
	{ROW("REPORT TARGET PORT GROUPS", 0xa3, 0x0a, 12, FREE, IN), .flags = ALWAYS,
		.count = {6, 4}, .usage = {[1] = 0x20, U4(6)}, RUN(rtpg)},
	{ROW("REPORT SUPPORTED OPERATION CODES", 0xa3, 0x0c, 12, STATUS, IN),
		.count = {6, 4}, .usage = {[2] = 0x87, U3(3), U4(6)}, RUN(report_opcodes)},
	{ROW("REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", 0xa3, 0x0d, 12, STATUS, IN),
		.count = {6, 4}, .usage = {[2] = 0x80, U4(6)}, RUN(report_tmf)},
	{ROW("READ(12)", 0xa8, NONE, 12, READ, IN), BLOCKS12(DPO_FUA), RUN(read)},
	{ROW("WRITE(12)", 0xaa, NONE, 12, WRITE, OUT), .flags = MEDIUM, BLOCKS12(DPO_FUA),
		RUN(write)},
	{ROW("WRITE AND VERIFY(12)", 0xae, NONE, 12, WRITE, OUT), .flags = MEDIUM | SCSI_SCRATCH,
		BLOCKS12(0x12), RUN(write_verify)},
	{ROW("VERIFY(12)", 0xaf, NONE, 12, READ, OUT), .flags = SCSI_SCRATCH, BLOCKS12(0x16),
		RUN(verify)},
	{ROW("READ DEFECT DATA(12)", 0xb7, NONE, 12, READ, IN),
		.count = {6, 4}, .usage = {[1] = 0x1f, U4(2), U4(6)}, RUN(read_defects)},
};
/* clang-format on */

const unsigned scsi_table_len = HF_ARRAY_LEN(scsi_table);

const struct hf_scsi_row *scsi_row_find(
	uint8_t opcode, uint8_t sa, const struct hf_lu_info *info, bool *ret_opcode_known)
{
	/* Rows are ascending by opcode. */
	unsigned low = 0, high = scsi_table_len;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (scsi_table[mid].opcode < opcode)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < scsi_table_len && scsi_table[low].opcode == opcode; low++) {
		const struct hf_scsi_row *row = &scsi_table[low];

		if ((row->flags & SCSI_WANTS_UNMAP) && !(info && info->can_unmap))
			continue;
		if (row->sa == SCSI_NO_SA || row->sa == sa)
			return row;
		*ret_opcode_known = true;
	}
	return NULL;
}

enum hf_access scsi_row_access(const struct hf_scsi_row *row, const uint8_t *cdb)
{
	/* START with POWER CONDITION 0, and PREVENT=0, take nothing from anybody. */
	if (row->opcode == 0x1b && (cdb[4] & 0xf0) == 0 && (cdb[4] & 0x01))
		return HF_ACCESS_FREE;
	if (row->opcode == 0x1e && (cdb[4] & 0x03) == 0)
		return HF_ACCESS_FREE;
	return row->access;
}

void scsi_row_usage(const struct hf_scsi_row *row, const struct hf_lu_info *info, uint8_t usage[16])
{
	memcpy(usage, row->usage, 16);
	usage[0] = row->opcode;
	if (row->sa != SCSI_NO_SA)
		usage[1] |= row->sa;
	if ((row->opcode == 0x41 || row->opcode == 0x93) && !(info && info->can_unmap))
		usage[1] &= (uint8_t)~0x08u; /* UNMAP */
}
