/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PERSISTENT RESERVE OUT: REGISTER AND MOVE (scsi-reservations E.4). That the sender is registered,
 * the holder and gave its key has been checked by hf_resv_apply(). Any well-formed iSCSI
 * TransportID is a known one.
 */
#include "ops.h"

static bool has_port(const struct hf_resv *r, uint16_t rtpi)
{
	for (unsigned i = 0; i < r->config.ports_len; i++)
		if (r->config.ports[i] == rtpi)
			return true;
	return false;
}

static struct hf_resv_verdict check(const struct hf_resv *r, const struct hf_resv_op *op)
{
	hf_assert(op->ids_len == 1);
	if (!r->type)
		return VERDICT_SERVICE_ACTION;
	if (!op->sark)
		return VERDICT_SARK;
	if (!has_port(r, op->dest_rtpi))
		return VERDICT_MOVE_RTPI;
	if (hf_port_id_equal(&op->ids[0], &op->nexus.init))
		return VERDICT_TRANSPORT_ID;
	return hf_verdict_good();
}

struct hf_resv_verdict hf_resv_op_register_move(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	struct hf_nexus to = {.init = op->ids[0], .rtpi = op->dest_rtpi};
	struct hf_resv_verdict v = check(r, op);
	struct registration *reg;
	uint8_t type = r->type;

	if (!hf_verdict_is_good(&v))
		return v;
	reg = hf_resv_find(r, &to);
	if (!reg && !op->unreg && r->registrations_len == r->config.registrations_max)
		return hf_verdict_illegal(ASC_NO_REGISTRATION_RESOURCES);
	if (op->unreg) {
		/* The reservation ends with its holder and begins again below: no attention. */
		hf_resv_find(r, &op->nexus)->doomed = true;
		hf_resv_sweep(r);
		reg = hf_resv_find(r, &to);
	}
	if (reg)
		hf_resv_set_key(r, reg, op->sark);
	else
		reg = hf_resv_add(r, &to, op->sark);
	hf_resv_hold(r, type, reg);
	hf_resv_set_aptpl(r, op->aptpl);
	return hf_verdict_good();
}
