/* SPDX-License-Identifier: BSD-3-Clause */
/* What the reservation tests share. */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

struct hf_resv *kit_create(unsigned ports, unsigned max)
{
	struct hf_resv_config config = {.ports_len = ports, .registrations_max = max};
	struct hf_resv *r;

	for (unsigned i = 0; i < ports; i++)
		config.ports[i] = (uint16_t)(i + 1);
	r = hf_resv_create(&config);
	assert_non_null(r);
	return r;
}

struct hf_port_id kit_port_id(char initiator)
{
	char name[] = "iqn.2026-01.net.example:host-?";
	struct hf_port_id id;

	name[sizeof(name) - 2] = initiator;
	assert_int_equal(
		hf_port_id_set(&id, name, sizeof(name) - 1, 0x800000000000 + initiator), 0);
	return id;
}

struct hf_nexus kit_nexus(const char *name)
{
	struct hf_nexus nexus = {.init = kit_port_id(name[0]), .rtpi = (uint16_t)(name[1] - '0')};

	return nexus;
}

void kit_nexus_name(const struct hf_nexus *nexus, char ret[4])
{
	snprintf(ret, 4, "?");
	for (char c = 'A'; c <= 'Z'; c++) {
		struct hf_port_id id = kit_port_id(c);

		if (hf_port_id_equal(&id, &nexus->init))
			snprintf(ret, 4, "%c%u", c, nexus->rtpi % 10);
	}
}

/* Bytes of states before and after, for the checks in kit_apply(). */
struct image {
	int len;
	uint8_t bytes[HF_RESV_STATE_BYTES_MAX];
};

static bool image_equal(const struct image *a, const struct image *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, (size_t)a->len);
}

static void take(struct image *ret, const struct hf_resv *r, bool persist)
{
	ret->len = persist ? hf_resv_persist_encode(r, ret->bytes, sizeof(ret->bytes))
			   : hf_resv_encode(r, ret->bytes, sizeof(ret->bytes));
	assert_true(ret->len > 0);
}

static void op_survives_the_wire(const struct hf_resv_op *op)
{
	static uint8_t a[HF_RESV_OP_BYTES_MAX], b[HF_RESV_OP_BYTES_MAX];
	static struct hf_resv_op back;
	int len = hf_resv_op_encode(op, a, sizeof(a));

	assert_true(len > 0);
	assert_int_equal(hf_resv_op_decode(a, (size_t)len, &back), 0);
	assert_int_equal(hf_resv_op_encode(&back, b, sizeof(b)), len);
	assert_memory_equal(a, b, len);
}

static void state_survives_the_wire(struct hf_resv *r, const struct image *whole)
{
	static struct hf_resv *other;
	static unsigned other_max;
	uint64_t digest = hf_resv_digest(r);

	if (!other)
		other = kit_create(2, other_max = HF_RESV_NEXUS_MAX);
	assert_int_equal(hf_resv_decode(other, whole->bytes, (size_t)whole->len), 0);
	assert_true(hf_resv_digest(other) == digest);
}

/*
 * On any verdict but GOOD nothing is changed and nothing happens. `changed` is true exactly when
 * the state has changed or an effect has to be carried out, `persist` exactly when the image on
 * disk has; INFORMATION LOST leaves the disk alone. Digests differ exactly when states do.
 */
void kit_apply(struct hf_resv *r, const struct hf_resv_op *op, struct hf_resv_outcome *out)
{
	static struct image before, after, image_before, image_after;
	uint64_t digest = hf_resv_digest(r);
	bool same;

	take(&before, r, false);
	take(&image_before, r, true);
	op_survives_the_wire(op);
	hf_resv_apply(r, op, out);
	take(&after, r, false);
	take(&image_after, r, true);
	same = image_equal(&before, &after);
	if (out->verdict.status != HF_STATUS_GOOD) {
		assert_true(same);
		assert_int_equal(out->effects_len, 0);
	}
	assert_int_equal(out->changed, !same || out->effects_len);
	if (op->kind != HF_RESV_INFO_LOST)
		assert_int_equal(out->persist, !image_equal(&image_before, &image_after));
	else
		assert_false(out->persist);
	assert_int_equal(digest == hf_resv_digest(r), same);
	state_survives_the_wire(r, &after);
}

const char *kit_verdict(const struct hf_resv_verdict *v)
{
	static char text[16];

	switch (v->status) {
	case HF_STATUS_GOOD:
		return "GOOD";
	case HF_STATUS_RESERVATION_CONFLICT:
		return "CONFLICT";
	case HF_STATUS_CHECK_CONDITION:
		snprintf(text, sizeof(text), "%x/%02x/%02x", v->sense_key, v->asc_ascq >> 8,
			v->asc_ascq & 0xff);
		return text;
	case HF_STATUS_BUSY:
		return "BUSY";
	default:
		return "?";
	}
}

const char *kit_effects(const struct hf_resv_outcome *out)
{
	static char text[KIT_TEXT_MAX];
	size_t len = 0;

	text[0] = 0;
	for (unsigned i = 0; i < out->effects_len; i++) {
		const struct hf_resv_effect *e = &out->effects[i];
		char name[5] = "*";

		if (!e->all_nexuses) {
			kit_nexus_name(&e->nexus, name);
		} else if (e->nexus.init.name[0]) {
			kit_nexus_name(&e->nexus, name + 1);
			name[0] = '-';
		}
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s", len ? ", " : "",
			e->kind == HF_RESV_EFFECT_ABORT	  ? "abort "
			: e->kind == HF_RESV_EFFECT_DRAIN ? "drain "
							  : "",
			name);
		if (e->kind == HF_RESV_EFFECT_ATTENTION)
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, " %04x", e->asc_ascq);
		else if (e->tas_ua)
			len += (size_t)snprintf(text + len, sizeof(text) - len, " 2f00");
		assert_true(len < sizeof(text));
	}
	return text;
}

const char *kit_state(const struct hf_resv *r)
{
	static char text[KIT_TEXT_MAX];
	struct hf_resv_info info;
	char name[4];
	size_t len;

	hf_resv_info(r, &info);
	len = (size_t)snprintf(text, sizeof(text), "g%u", info.generation);
	for (unsigned i = 0; i < info.registrations_len; i++) {
		struct hf_resv_registration reg;

		hf_resv_registration(r, i, &reg);
		kit_nexus_name(&reg.nexus, name);
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s=%llx%s", name,
			(unsigned long long)reg.key, reg.holder ? "*" : "");
		assert_true(len < sizeof(text));
	}
	if (info.held)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " t%u", info.type);
	if (info.legacy_held) {
		kit_nexus_name(&info.legacy_holder, name);
		len += (size_t)snprintf(text + len, sizeof(text) - len, " legacy %s", name);
	}
	if (info.attrs)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " attrs %02x", info.attrs);
	if (info.sanitize_rtpi)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, " at %u", info.sanitize_rtpi);
	snprintf(text + len, sizeof(text) - len, "%s%s%s", info.aptpl ? " aptpl" : "",
		hf_resv_is_lost(r) ? " lost" : "", hf_resv_is_retired(r) ? " retired" : "");
	return text;
}

struct hf_resv_op kit_op(const struct kit_step *s)
{
	struct hf_resv_op op = {
		.kind = s->kind,
		.login = s->login,
		.rk = s->rk,
		.sark = s->sark,
		.type = s->type,
		.scope = s->scope,
		.aptpl = s->flags & APTPL,
		.all_tg_pt = s->flags & ALL_TG_PT,
		.unreg = s->flags & UNREG,
		.spec_i_pt = s->flags & SPEC_I_PT,
		.attrs = s->attrs,
		.attrs_mask = s->attrs_mask,
	};

	if (s->who)
		op.nexus = kit_nexus(s->who);
	if (s->who && s->who[0] == '@') /* a target port's own word */
		memset(&op.nexus.init, 0, sizeof(op.nexus.init));
	if (s->kind == HF_RESV_PR_REGISTER_MOVE) {
		op.ids[0] = kit_port_id(s->ids[0]);
		op.dest_rtpi = (uint16_t)(s->ids[1] - '0');
		op.ids_len = 1;
	} else {
		for (const char *c = s->ids; c && *c; c++)
			op.ids[op.ids_len++] = kit_port_id(*c);
	}
	return op;
}

static void expect(const char *what, const char *got, const char *want, unsigned step)
{
	if (!strcmp(got, want))
		return;
	print_error("step %u: %s is \"%s\", expected \"%s\"\n", step, what, got, want);
	fail();
}

void kit_run(struct hf_resv *r, const struct kit_step *steps)
{
	static struct hf_resv_outcome out;

	for (unsigned i = 0; steps[i].kind; i++) {
		struct hf_resv_op op = kit_op(&steps[i]);

		kit_apply(r, &op, &out);
		expect("verdict", kit_verdict(&out.verdict),
			steps[i].verdict ? steps[i].verdict : "GOOD", i);
		expect("effects", kit_effects(&out), steps[i].effects ? steps[i].effects : "", i);
		if (steps[i].state)
			expect("state", kit_state(r), steps[i].state, i);
	}
}

void kit_story(const struct kit_step *steps)
{
	struct hf_resv *r = kit_create(2, HF_RESV_NEXUS_MAX);

	kit_run(r, steps);
	hf_resv_destroy(r);
}
