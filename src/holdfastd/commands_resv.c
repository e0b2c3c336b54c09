/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands about reservations: who holds what, through which controller, since when; BREAK and
 * PICK. */
#include "commands.h"
#include "log.h"
#include "spare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *nexus_json(struct hf_node *node, const struct hf_nexus *nexus)
{
	char isid[16];

	snprintf(isid, sizeof(isid), "0x%012" PRIx64, nexus->init.isid);
	return json_pack("{s:s, s:s, s:i, s:i}", "initiator", nexus->init.name, "isid", isid,
		"rtpi", (int)nexus->rtpi, "controller",
		(int)hf_cmd_controller_of(node, nexus->rtpi));
}

static json_t *registration_json(struct hf_node *node, const struct hf_resv_registration *r)
{
	json_t *o = nexus_json(node, &r->nexus);

	json_object_set_new(o, "key", hf_cmd_hex(r->key));
	json_object_set_new(o, "holder", json_boolean(r->holder));
	return o;
}

static json_t *holders_json(
	struct hf_node *node, const struct hf_resv *resv, const struct hf_resv_info *info)
{
	json_t *holders = json_array();

	if (info->legacy_held)
		json_array_append_new(holders, nexus_json(node, &info->legacy_holder));
	for (unsigned i = 0; info->held && i < info->registrations_len; i++) {
		struct hf_resv_registration r;
		json_t *o;

		hf_resv_registration(resv, i, &r);
		if (!r.holder)
			continue;
		o = nexus_json(node, &r.nexus);
		json_object_set_new(o, "key", hf_cmd_hex(r.key));
		json_array_append_new(holders, o);
	}
	return holders;
}

static json_t *registrations_json(
	struct hf_node *node, const struct hf_resv *resv, const struct hf_resv_info *info)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < info->registrations_len; i++) {
		struct hf_resv_registration r;

		hf_resv_registration(resv, i, &r);
		json_array_append_new(list, registration_json(node, &r));
	}
	return list;
}

static json_t *reservation_json(struct hf_node *node, const struct hf_lu_status *s, bool whole)
{
	struct hf_resv_info info;
	json_t *o;

	hf_resv_info(s->resv, &info);
	o = json_pack("{s:s, s:i, s:s, s:I, s:b, s:b, s:o}", "device", s->info->name, "lun",
		(int)s->info->lun, "held",
		info.legacy_held ? "legacy"
		: info.held	 ? "persistent"
				 : "none",
		"generation", (json_int_t)info.generation, "aptpl", info.aptpl, "lost",
		hf_resv_is_lost(s->resv), "holders", holders_json(node, s->resv, &info));
	if (info.held) {
		json_object_set_new(o, "type", json_integer(info.type));
		json_object_set_new(o, "type_name", json_string(hf_resv_type_name(info.type)));
	}
	if ((info.held || info.legacy_held) && s->held_since_ns)
		json_object_set_new(o, "since_s",
			json_integer(
				(json_int_t)((hf_loop_clock_ns(node->loops[0]) - s->held_since_ns) /
					     1000000000)));
	json_object_set_new(o, "registrations",
		whole ? registrations_json(node, s->resv, &info)
		      : json_integer(info.registrations_len));
	return o;
}

struct reservation_list {
	struct hf_node *node;
	json_t *array;
};

static void list_reservation(void *arg, const struct hf_lu_status *s)
{
	struct reservation_list *l = arg;

	json_array_append_new(l->array, reservation_json(l->node, s, false));
}

static void list(struct hf_control_req *req)
{
	struct reservation_list l = {.node = req->owner, .array = json_array()};

	hf_lu_each(l.node->lus, list_reservation, &l);
	hf_control_reply(req, json_pack("{s:o}", "reservations", l.array));
}

void hf_cmd_reservation_list(struct hf_control_req *req)
{
	hf_cmd_settled(req, HF_BUS_DEV_POOL, UINT32_MAX, list);
}

static void show(struct hf_control_req *req)
{
	struct hf_node *node = req->owner;
	const struct hf_map_ldev *d = hf_cmd_device(req, "device");
	struct hf_lu_status s;

	if (!d)
		return;
	hf_assert(hf_lu_status(node->lus, d->id, &s));
	hf_control_reply(req, json_pack("{s:o}", "reservation", reservation_json(node, &s, true)));
}

void hf_cmd_reservation_show(struct hf_control_req *req)
{
	hf_cmd_settled(req, HF_BUS_DEV_POOL, UINT32_MAX, show);
}

/* --- break --- */

struct break_op {
	struct hf_lu_admin_op op;
	struct hf_control_req *req;
	char device[HF_NAME_MAX + 1];
};

static void broken(struct hf_lu_admin_op *op, int result, const struct hf_resv_verdict *verdict)
{
	struct break_op *b = hf_container_of(op, struct break_op, op);
	struct hf_node *node = b->req->owner;

	if (result == -EAGAIN) {
		hf_control_fail(
			b->req, EAGAIN, "reservations cannot change now: %s", node->bus->view.why);
	} else if (result) {
		hf_control_fail(b->req, EIO,
			"the reservation of %s could not be taken away on every controller in "
			"time; "
			"nothing has changed; look at `holdfast status` and try again",
			b->device);
	} else {
		hf_notice("the operator has taken away reservation and registrations of device %s",
			b->device);
		hf_control_reply(b->req, json_object());
	}
	free(b);
}

void hf_cmd_reservation_break(struct hf_control_req *req)
{
	struct hf_node *node = req->owner;
	const struct hf_map_ldev *d = hf_cmd_device(req, "device");
	struct break_op *b;

	if (!d)
		return;
	b = hf_spare_calloc(1, sizeof(*b));
	b->req = req;
	strcpy(b->device, d->name);
	b->op.dev = d->id;
	b->op.op.kind = HF_RESV_BREAK;
	b->op.done = broken;
	if (hf_lu_admin_propose(node->lus, &b->op)) {
		free(b);
		hf_control_fail(req, ENOMEM, "out of memory");
	}
}

/* --- pick --- */

struct pick_op {
	struct hf_bus_pick pick;
	struct hf_control_req *req;
	char device[HF_NAME_MAX + 1];
};

static void picked(struct hf_bus_pick *pick, int result, const char *why)
{
	struct pick_op *p = hf_container_of(pick, struct pick_op, pick);

	if (result) {
		hf_control_fail(p->req, -result, "%s: %s%s", p->device,
			result == -EINPROGRESS ? "" : "nothing has been picked: ", why);
	} else {
		hf_notice(
			"the operator has picked this controller's state of device %s", p->device);
		hf_control_reply(p->req, json_object());
	}
	free(p);
}

void hf_cmd_reservation_pick(struct hf_control_req *req)
{
	struct hf_node *node = req->owner;
	const struct hf_map_ldev *d = hf_cmd_device(req, "device");
	struct pick_op *p;

	if (!d)
		return;
	p = hf_spare_calloc(1, sizeof(*p));
	p->req = req;
	strcpy(p->device, d->name);
	p->pick.dev = d->id;
	p->pick.done = picked;
	node->bus->ops->pick(node->bus, &p->pick);
}
