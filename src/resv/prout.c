/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PERSISTENT RESERVE OUT from the wire (scsi-reservations E.4): CDB and parameter list to an op.
 * Says what is wrong with the bytes; knows nothing of the state. Fields that the standard ignores
 * for a service action are left 0, so that equal commands are equal ops.
 */
#include "bytes.h"
#include "verdict.h"

#define BASIC_LIST_BYTES 24
#define IDS_START	 28 /* SPEC_I_PT: TransportIDs behind their length */
#define MOVE_IDS_MIN	 24 /* REGISTER AND MOVE: the smallest TransportID */
#define SERVICE_ACTIONS	 9

struct list {
	const uint8_t *bytes;
	size_t len;
};

static bool uses_type(enum hf_resv_kind kind)
{
	return kind == HF_RESV_PR_RESERVE || kind == HF_RESV_PR_RELEASE ||
	       kind == HF_RESV_PR_PREEMPT || kind == HF_RESV_PR_PREEMPT_ABORT ||
	       kind == HF_RESV_PR_REPLACE_LOST;
}

static bool is_register(enum hf_resv_kind kind)
{
	return kind == HF_RESV_PR_REGISTER || kind == HF_RESV_PR_REGISTER_IGNORE;
}

static bool ignores_sark(enum hf_resv_kind kind)
{
	return kind == HF_RESV_PR_RESERVE || kind == HF_RESV_PR_RELEASE || kind == HF_RESV_PR_CLEAR;
}

/* TransportIDs that must fill the list from `at` to its end. */
static struct hf_resv_verdict decode_ids(struct list list, size_t at, struct hf_resv_op *op)
{
	while (at < list.len) {
		size_t size;

		if (op->ids_len == HF_RESV_IDS_MAX)
			return hf_verdict_illegal(ASC_NO_REGISTRATION_RESOURCES);
		if (hf_transport_id_decode(
			    list.bytes + at, list.len - at, &op->ids[op->ids_len], &size))
			return VERDICT_TRANSPORT_ID;
		op->ids_len++;
		at += size;
	}
	return hf_verdict_good();
}

static struct hf_resv_verdict decode_basic(struct list list, struct hf_resv_op *op)
{
	uint8_t flags = list.bytes[20];

	op->spec_i_pt = flags & 0x08;
	if (is_register(op->kind)) {
		op->all_tg_pt = flags & 0x04;
		op->aptpl = flags & 0x01;
	}
	if (!op->spec_i_pt) {
		if (list.len != BASIC_LIST_BYTES)
			return hf_verdict_illegal(ASC_PARAMETER_LIST_LENGTH);
		return hf_verdict_good();
	}
	if (op->kind != HF_RESV_PR_REGISTER)
		return VERDICT_SPEC_I_PT;
	if (list.len < IDS_START || list.len - IDS_START != hf_get_be32(list.bytes + 24))
		return hf_verdict_illegal(ASC_PARAMETER_LIST_LENGTH);
	return decode_ids(list, IDS_START, op);
}

static struct hf_resv_verdict decode_move(struct list list, struct hf_resv_op *op)
{
	struct hf_resv_verdict v;
	uint32_t ids_bytes;

	op->unreg = list.bytes[17] & 0x02;
	op->aptpl = list.bytes[17] & 0x01;
	op->dest_rtpi = hf_get_be16(list.bytes + 18);
	ids_bytes = hf_get_be32(list.bytes + 20);
	if (ids_bytes != list.len - BASIC_LIST_BYTES)
		return hf_verdict_illegal(ASC_PARAMETER_LIST_LENGTH);
	if (ids_bytes < MOVE_IDS_MIN || ids_bytes % 4)
		return VERDICT_MOVE_IDS_LENGTH;
	v = decode_ids(list, BASIC_LIST_BYTES, op);
	return op->ids_len == 1 ? v : VERDICT_TRANSPORT_ID;
}

/* What remains to be said once the list is long enough to hold the keys. */
static struct hf_resv_verdict decode_list(struct list list, struct hf_resv_op *op)
{
	if (list.len < BASIC_LIST_BYTES)
		return hf_verdict_illegal(ASC_PARAMETER_LIST_LENGTH);
	if (op->kind != HF_RESV_PR_REGISTER_IGNORE)
		op->rk = hf_get_be64(list.bytes);
	if (!ignores_sark(op->kind))
		op->sark = hf_get_be64(list.bytes + 8);
	return op->kind == HF_RESV_PR_REGISTER_MOVE ? decode_move(list, op)
						    : decode_basic(list, op);
}

static struct hf_resv_verdict decode(const uint8_t *cdb, struct list list, struct hf_resv_op *op)
{
	uint8_t service_action = cdb[1] & 0x1f;
	uint32_t announced = hf_get_be32(cdb + 5);

	if (service_action >= SERVICE_ACTIONS)
		return VERDICT_SERVICE_ACTION;
	op->kind = (enum hf_resv_kind)(HF_RESV_PR_REGISTER + service_action);
	if (list.len < announced)
		return hf_verdict_illegal(ASC_PARAMETER_LIST_LENGTH);
	list.len = announced;
	if (uses_type(op->kind)) {
		op->scope = cdb[2] >> 4;
		op->type = cdb[2] & 0x0f;
	}
	return decode_list(list, op);
}

int hf_resv_prout_decode(const uint8_t *cdb, const uint8_t *list, size_t list_len,
	const struct hf_nexus *nexus, uint64_t login, struct hf_resv_op *ret,
	struct hf_resv_verdict *ret_verdict, bool *ret_after_key)
{
	struct hf_resv_verdict v;

	memset(ret, 0, sizeof(*ret));
	ret->nexus = *nexus;
	ret->login = login;
	v = decode(cdb, (struct list){list, list_len}, ret);
	if (hf_verdict_is_good(&v))
		return 0;
	*ret_verdict = v;
	*ret_after_key = ret->kind != HF_RESV_PR_REPLACE_LOST &&
			 (v.asc_ascq == ASC_INVALID_FIELD_IN_LIST ||
				 v.asc_ascq == ASC_NO_REGISTRATION_RESOURCES);
	return -EBADMSG;
}
