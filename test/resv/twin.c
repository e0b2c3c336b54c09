/* SPDX-License-Identifier: BSD-3-Clause */
/* The reservation machine and the naive model side by side. */
#include "twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct naive) ==
		       NAIVE_INITIATORS * NAIVE_PORTS * sizeof(uint64_t) + 20 * sizeof(int),
	"padding would spoil comparing as bytes");

void twin_init(struct twin *t, int initiators, int ports, int room)
{
	struct hf_resv_config config = {
		.ports_len = (unsigned)ports, .registrations_max = (unsigned)room};

	for (int p = 0; p < ports; p++)
		config.ports[p] = (uint16_t)(p + 1);
	memset(t, 0, sizeof(*t));
	t->r = hf_resv_create(&config);
	if (!t->r)
		abort();
	t->n.initiators = initiators;
	t->n.ports = ports;
	t->n.room = room;
}

void twin_fini(struct twin *t)
{
	hf_resv_destroy(t->r);
}

void twin_copy(struct twin *dst, const struct twin *src)
{
	hf_resv_copy(dst->r, src->r);
	dst->n = src->n;
}

/* Short names, so that millions of steps are quick. */
static struct hf_port_id port_id(int initiator)
{
	struct hf_port_id id;
	char name[2] = {'p', (char)('a' + initiator / 2)};

	/* Two ISIDs a name: what tells initiator ports apart is both. */
	if (hf_port_id_set(&id, name, sizeof(name), 0x8000 + (uint64_t)(initiator % 2)))
		abort();
	return id;
}

struct hf_nexus twin_nexus(int initiator, int port)
{
	struct hf_nexus nexus = {.init = port_id(initiator), .rtpi = (uint16_t)(port + 1)};

	return nexus;
}

/* What MODE SELECT and SANITIZE make of themselves. */
static void fill_attrs(struct hf_resv_op *ret, const struct naive_op *op)
{
	ret->sark = 0;
	ret->aptpl = false;
	if (op->kind == NAIVE_MODE_SELECT) {
		ret->attrs_mask = HF_RESV_MODE;
		ret->attrs = (uint8_t)op->sark;
	} else if (op->kind == NAIVE_SANITIZE) {
		ret->attrs_mask = HF_RESV_SANITIZE | HF_RESV_SANITIZE_AUSE;
		ret->attrs = HF_RESV_SANITIZE | (op->aptpl ? HF_RESV_SANITIZE_AUSE : 0);
	} else if (op->kind == NAIVE_EXIT_FAILURE) {
		ret->attrs_mask = HF_RESV_SANITIZE_FAILED;
	} else {
		memset(&ret->nexus.init, 0, sizeof(ret->nexus.init));
		ret->attrs_mask = HF_RESV_SANITIZE | HF_RESV_SANITIZE_FAILED;
		ret->attrs = op->aptpl ? HF_RESV_SANITIZE_FAILED : 0;
	}
}

struct hf_resv_op twin_op(const struct naive_op *op)
{
	static const enum hf_resv_kind kinds[NAIVE_KINDS] = {
		HF_RESV_PR_REGISTER,
		HF_RESV_PR_RESERVE,
		HF_RESV_PR_RELEASE,
		HF_RESV_PR_CLEAR,
		HF_RESV_PR_PREEMPT,
		HF_RESV_PR_PREEMPT_ABORT,
		HF_RESV_PR_REGISTER_IGNORE,
		HF_RESV_PR_REGISTER_MOVE,
		HF_RESV_PR_REPLACE_LOST,
		HF_RESV_LEGACY_RESERVE,
		HF_RESV_LEGACY_RELEASE,
		HF_RESV_READ,
		HF_RESV_NEXUS_LOSS,
		HF_RESV_LU_RESET,
		HF_RESV_PEER_REMOVED,
		HF_RESV_BREAK,
		HF_RESV_RETIRE,
		HF_RESV_INFO_LOST,
		HF_RESV_ATTRS,
		HF_RESV_ATTRS,
		HF_RESV_ATTRS,
		HF_RESV_ATTRS,
	};
	struct hf_resv_op ret = {
		.kind = kinds[op->kind],
		.nexus = twin_nexus(op->initiator, op->port),
		.login = op->login,
		.rk = op->rk,
		.sark = op->sark,
		.scope = (uint8_t)op->scope,
		.type = (uint8_t)op->type,
		.spec_i_pt = op->spec_i_pt,
		.all_tg_pt = op->all_tg_pt,
		.aptpl = op->aptpl,
		.unreg = op->unreg,
		.ids_len = (unsigned)op->listed_count,
	};

	if (ret.kind == HF_RESV_ATTRS)
		fill_attrs(&ret, op);
	for (int i = 0; i < op->listed_count; i++)
		ret.ids[i] = port_id(op->listed[i]);
	if (op->kind == NAIVE_REGISTER_MOVE) {
		ret.ids[0] = port_id(op->to);
		ret.ids_len = 1;
		ret.dest_rtpi = (uint16_t)(op->to_port + 1);
	}
	return ret;
}

static bool same_verdict(const struct hf_resv_verdict *v, const struct naive_result *res)
{
	if ((int)v->status != res->status)
		return false;
	return res->status != 0x02 ||
	       (v->sense_key == res->sense_key && v->asc_ascq == (res->asc << 8 | res->ascq));
}

/* Which of the naive nexuses this is; false: none. */
static bool find(const struct naive *n, const struct hf_nexus *nexus, int *i, int *p)
{
	for (*i = 0; *i < n->initiators; ++*i) {
		struct hf_port_id id = port_id(*i);

		*p = nexus->rtpi - 1;
		if (hf_port_id_equal(&id, &nexus->init))
			return *p >= 0 && *p < n->ports;
	}
	return false;
}

static const char *compare_registrations(const struct twin *t, const struct hf_resv_info *info)
{
	const struct naive *n = &t->n;
	int registered = 0;

	for (int i = 0; i < n->initiators; i++)
		for (int p = 0; p < n->ports; p++)
			registered += n->key[i][p] != 0;
	if ((int)info->registrations_len != registered)
		return "number of registrations";
	for (unsigned k = 0; k < info->registrations_len; k++) {
		struct hf_resv_registration reg;
		int i, p;
		bool holds;

		hf_resv_registration(t->r, k, &reg);
		if (!find(n, &reg.nexus, &i, &p) || n->key[i][p] != reg.key)
			return "a registration";
		holds = n->type >= 7 || (n->type && n->holder == i && n->holder_port == p);
		if (reg.holder != holds)
			return "holder";
	}
	return NULL;
}

static const char *compare_state(const struct twin *t)
{
	const struct naive *n = &t->n;
	struct hf_resv_info info;
	int i, p;

	hf_resv_info(t->r, &info);
	if (info.generation != n->generation)
		return "generation";
	if (info.type != n->type || info.held != !!n->type || info.scope)
		return "type";
	if (info.aptpl != !!n->aptpl)
		return "aptpl";
	if (hf_resv_is_lost(t->r) != !!n->lost || hf_resv_is_retired(t->r) != !!n->retired)
		return "lost or retired";
	if (info.legacy_held != !!n->legacy)
		return "SPC-2 reservation";
	if (info.attrs != (n->mode | (n->sanitizes ? HF_RESV_SANITIZE : 0) |
				  (n->sanitize_failed ? HF_RESV_SANITIZE_FAILED : 0) |
				  (n->sanitize_excusable ? HF_RESV_SANITIZE_AUSE : 0)) ||
		hf_resv_attrs(t->r) != info.attrs)
		return "attributes";
	if (info.sanitize_rtpi != (n->sanitizes ? n->sanitize_port + 1 : 0))
		return "where SANITIZE runs";
	if (n->legacy && (!find(n, &info.legacy_holder, &i, &p) || i != n->legacy_holder ||
				 p != n->legacy_port ||
				 !hf_resv_concerns(t->r, &info.legacy_holder, n->legacy_login)))
		return "SPC-2 holder";
	return compare_registrations(t, &info);
}

/* Takes what the machine says off the naive counts; nothing must be left or missing. */
static const char *compare_effects(const struct twin *t, const struct hf_resv_outcome *out,
	struct naive_result *res, const struct naive_op *op)
{
	static const struct naive_result none;
	bool abort_all = false, reset_all = false, drain_all = false, mode_told = false;
	struct hf_nexus sender = twin_nexus(op->initiator, op->port);

	for (unsigned k = 0; k < out->effects_len; k++) {
		const struct hf_resv_effect *e = &out->effects[k];
		bool is_abort = e->kind == HF_RESV_EFFECT_ABORT;
		int i, p;

		if (e->kind == HF_RESV_EFFECT_DRAIN) {
			if (!e->all_nexuses || e->nexus.init.name[0])
				return "a drain";
			drain_all = true;
			continue;
		}
		if (e->all_nexuses && e->asc_ascq == 0x2a01) {
			if (is_abort || !hf_nexus_equal(&e->nexus, &sender))
				return "2A/01";
			mode_told = true;
			continue;
		}
		if (e->all_nexuses) {
			if (e->nexus.init.name[0] || (!is_abort && e->asc_ascq != 0x2903))
				return "an effect for all";
			*(is_abort ? &abort_all : &reset_all) = true;
			continue;
		}
		if (!find(&t->n, &e->nexus, &i, &p))
			return "an effect for nobody";
		if (is_abort) {
			res->aborted[i][p]--;
			if (e->tas_ua == (op->initiator == i && op->port == p))
				return "2F/00 of an abort";
		} else if (e->asc_ascq == 0x2a03) {
			res->told_2a03[i][p]--;
		} else if (e->asc_ascq == 0x2a04) {
			res->told_2a04[i][p]--;
		} else if (e->asc_ascq == 0x2a05) {
			res->told_2a05[i][p]--;
		} else {
			return "an unknown attention";
		}
	}
	if (abort_all != res->everybody_reset || reset_all != res->everybody_reset)
		return "reset";
	if (drain_all != res->drained || mode_told != res->others_told_2a01)
		return "drain or 2A/01";
	if (memcmp(res->told_2a03, none.told_2a03, sizeof(none.told_2a03)))
		return "2A/03";
	if (memcmp(res->told_2a04, none.told_2a04, sizeof(none.told_2a04)))
		return "2A/04";
	if (memcmp(res->told_2a05, none.told_2a05, sizeof(none.told_2a05)))
		return "2A/05";
	return memcmp(res->aborted, none.aborted, sizeof(none.aborted)) ? "aborts" : NULL;
}

const char *twin_step(struct twin *t, const struct naive_op *op)
{
	static struct hf_resv_outcome out;
	struct hf_resv_op hf_op = twin_op(op);
	struct naive before = t->n;
	struct naive_result res;
	const char *differs;
	bool persist, same;

	hf_resv_apply(t->r, &hf_op, &out);
	naive_apply(&t->n, op, &res);
	if (!same_verdict(&out.verdict, &res))
		return "verdict";
	differs = compare_state(t);
	if (differs)
		return differs;
	differs = compare_effects(t, &out, &res, op);
	if (differs)
		return differs;
	same = !memcmp(&before, &t->n, sizeof(before));
	if (out.changed != (!same || out.effects_len))
		return "changed";
	persist = op->kind != NAIVE_INFO_LOST && !naive_same_image(&before, &t->n);
	return out.persist == persist ? NULL : "persist";
}

const char *twin_admission(const struct twin *t)
{
	for (int i = 0; i < t->n.initiators; i++)
		for (int p = 0; p < t->n.ports; p++)
			for (uint32_t login = 1; login <= TWIN_LOGINS; login++) {
				struct hf_nexus nexus = twin_nexus(i, p);
				unsigned bits = hf_resv_admit(t->r, &nexus, login);

				for (int class = 0; class < HF_ACCESS_COUNT; class ++)
					if (!!(bits & HF_ACCESS_BIT(class)) !=
						naive_may(&t->n, i, p, login, class))
						return "admission";
			}
	return NULL;
}

void twin_print_op(const struct naive_op *op)
{
	struct hf_resv_op hf_op = twin_op(op);

	printf("  %s from %c%d login %d rk %d sark %d scope %d type %d%s%s%s%s",
		hf_resv_kind_name(hf_op.kind), 'A' + op->initiator, op->port + 1, (int)op->login,
		(int)op->rk, (int)op->sark, op->scope, op->type, op->spec_i_pt ? " SPEC_I_PT" : "",
		op->all_tg_pt ? " ALL_TG_PT" : "", op->aptpl ? " APTPL" : "",
		op->unreg ? " UNREG" : "");
	for (int i = 0; i < op->listed_count; i++)
		printf(" %c", 'A' + op->listed[i]);
	if (op->kind == NAIVE_REGISTER_MOVE)
		printf(" to %c%d", 'A' + op->to, op->to_port + 1);
	printf("\n");
}
