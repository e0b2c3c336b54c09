/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PERSISTENT RESERVE OUT: REGISTER and REGISTER AND IGNORE EXISTING KEY (scsi-reservations E.4).
 *
 * ALL_TG_PT is "as if the command had come through each target port": every port is judged by
 * itself; where the command would conflict there (another key, or none where RK is not 0) that
 * port's registration is left alone. The verdict is that of the port it really came through.
 */
#include "ops.h"

/* The ports that the command is for; returns how many. */
static unsigned ports_of(
	const struct hf_resv *r, const struct hf_resv_op *op, uint16_t ports[HF_RESV_PORTS_MAX + 1])
{
	unsigned n = 0;

	ports[n++] = op->nexus.rtpi;
	if (!op->all_tg_pt)
		return n;
	for (unsigned i = 0; i < r->config.ports_len; i++)
		if (r->config.ports[i] != op->nexus.rtpi)
			ports[n++] = r->config.ports[i];
	return n;
}

static bool is_ignore(const struct hf_resv_op *op)
{
	return op->kind == HF_RESV_PR_REGISTER_IGNORE;
}

/* May the command register a nexus that is not? Only REGISTER with RK=0 and R&I do. */
static bool can_create(const struct hf_resv_op *op)
{
	return op->sark && (is_ignore(op) || !op->rk);
}

/* A TransportID that names the sender itself or repeats an earlier one adds nothing. */
static bool is_repeat(const struct hf_resv_op *op, unsigned i)
{
	if (hf_port_id_equal(&op->ids[i], &op->nexus.init))
		return true;
	for (unsigned j = 0; j < i; j++)
		if (hf_port_id_equal(&op->ids[i], &op->ids[j]))
			return true;
	return false;
}

/* How many registrations the command adds on one port; false: a listed one exists already. */
static bool count_new(
	const struct hf_resv *r, const struct hf_resv_op *op, uint16_t rtpi, unsigned *count)
{
	struct hf_nexus nexus = {.init = op->nexus.init, .rtpi = rtpi};

	if (can_create(op) && !hf_resv_find_const(r, &nexus))
		++*count;
	for (unsigned i = 0; i < op->ids_len; i++) {
		if (is_repeat(op, i))
			continue;
		nexus.init = op->ids[i];
		if (hf_resv_find_const(r, &nexus))
			return false;
		++*count;
	}
	return true;
}

static void register_on_port(struct hf_resv *r, const struct hf_resv_op *op, uint16_t rtpi)
{
	struct hf_nexus nexus = {.init = op->nexus.init, .rtpi = rtpi};
	struct registration *reg = hf_resv_find(r, &nexus);

	if (!reg && can_create(op))
		hf_resv_add(r, &nexus, op->sark);
	else if (reg && (is_ignore(op) || reg->key == op->rk))
		hf_resv_set_key(r, reg, op->sark);
	for (unsigned i = 0; i < op->ids_len; i++) {
		if (is_repeat(op, i))
			continue;
		nexus.init = op->ids[i];
		hf_resv_add(r, &nexus, op->sark);
	}
}

static struct hf_resv_verdict enter(
	struct hf_resv *r, const struct hf_resv_op *op, const uint16_t *ports, unsigned ports_len)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ports_len; i++)
		if (!count_new(r, op, ports[i], &count))
			return VERDICT_TRANSPORT_ID;
	if (count > r->config.registrations_max - r->registrations_len)
		return hf_verdict_illegal(ASC_NO_REGISTRATION_RESOURCES);
	for (unsigned i = 0; i < ports_len; i++)
		register_on_port(r, op, ports[i]);
	return hf_verdict_good();
}

/* SARK=0. The holder's leaving ends types 5 and 6 with an attention, 1 and 3 without (5.7.11.3). */
static void leave(struct hf_resv *r, const struct hf_resv_op *op, const uint16_t *ports,
	unsigned ports_len, struct hf_resv_outcome *out)
{
	uint8_t type = r->type;

	for (unsigned i = 0; i < ports_len; i++) {
		struct hf_nexus nexus = {.init = op->nexus.init, .rtpi = ports[i]};
		struct registration *reg = hf_resv_find(r, &nexus);

		if (reg && (is_ignore(op) || reg->key == op->rk))
			reg->doomed = true;
	}
	hf_resv_sweep(r);
	if (!r->type && hf_resv_type_admits_registrants(type))
		hf_outcome_attention_registrants(out, r, &op->nexus, ASC_RESERVATIONS_RELEASED);
}

struct hf_resv_verdict hf_resv_op_register(
	struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	const struct registration *self = hf_resv_find_const(r, &op->nexus);
	uint16_t ports[HF_RESV_PORTS_MAX + 1];
	unsigned ports_len = ports_of(r, op, ports);
	struct hf_resv_verdict v;
	/* A stranger's "unregister" is GOOD and nothing; it does not decide about APTPL either. */
	bool counts_for_aptpl = self || op->sark;

	if (self && op->spec_i_pt)
		return VERDICT_SPEC_I_PT;
	if (op->sark) {
		v = enter(r, op, ports, ports_len);
		if (!hf_verdict_is_good(&v))
			return v;
	} else {
		leave(r, op, ports, ports_len, out);
	}
	if (counts_for_aptpl)
		hf_resv_set_aptpl(r, op->aptpl);
	return hf_verdict_good();
}
