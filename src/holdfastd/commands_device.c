/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that change the map: each becomes an op on the pool. Deletion is two ops, one after the
 * other: "retire" on the device, then "delete" on the pool (S8).
 */
#include "commands.h"
#include "spare.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void changed(struct hf_pool_prop *p, int result, const char *message)
{
	struct hf_control_req *req = p->arg;
	struct hf_node *node = req->owner;
	const struct hf_map_ldev *d;
	struct hf_pool_op *op;
	json_t *reply;

	if (result) {
		hf_control_fail(req, -result, "%s", message);
		return;
	}
	op = hf_spare_malloc(sizeof(*op));
	hf_assert(hf_pool_op_decode(p->prop.op, p->prop.op_len, op) == 0);
	d = hf_map_find_ldev(node->pool.cur, op->kind == HF_POOL_RENAME ? op->new_name : op->name);
	reply = json_object();
	if (d)
		json_object_set_new(reply, "device", hf_cmd_device_json(node, d));
	if (*message)
		json_object_set_new(reply, "message", json_string(message));
	free(op);
	hf_control_reply(req, reply);
}

/* Proposes the op (heap, given); the request is answered by changed(). */
static void propose(struct hf_control_req *req, struct hf_pool_op *op)
{
	if (hf_node_pool_propose(req->owner, op, changed, req))
		hf_control_fail(req, EINVAL, "the request is too large for the bus");
	free(op);
}

static struct hf_pool_op *op_create(enum hf_pool_op_kind kind)
{
	struct hf_pool_op *op = hf_spare_calloc(1, sizeof(*op));

	op->kind = kind;
	op->lun = -1;
	op->dominant = HF_DOMINANT_DEFAULT;
	return op;
}

static bool arg_name(struct hf_control_req *req, const char *key, char ret[HF_NAME_MAX + 1])
{
	const char *name;

	if (!hf_control_arg_string(req, key, true, HF_NAME_MAX, &name))
		return false;
	snprintf(ret, HF_NAME_MAX + 1, "%s", name);
	return true;
}

static bool arg_u32(struct hf_control_req *req, const char *key, uint32_t *ret)
{
	uint64_t v = *ret;

	if (!hf_control_arg_uint(req, key, false, UINT32_MAX, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool arg_dominant(struct hf_control_req *req, uint8_t *ret)
{
	const struct hf_node *node = req->owner;
	uint64_t v = *ret;

	if (!hf_control_arg_uint(req, "dominant", false, UINT8_MAX, &v))
		return false;
	if (v != HF_DOMINANT_DEFAULT && !hf_config_controller_find(node->config, (unsigned)v)) {
		hf_control_fail(req, EINVAL,
			"there is no controller %u to be dominant; the configuration lists them",
			(unsigned)v);
		return false;
	}
	*ret = (uint8_t)v;
	return true;
}

static bool arg_layout(struct hf_control_req *req, enum hf_layout *ret)
{
	const char *layout;

	if (!hf_control_arg_string(req, "layout", false, 16, &layout))
		return false;
	*ret = HF_LAYOUT_LINEAR;
	if (!layout || !strcmp(layout, "linear"))
		return true;
	if (!strcmp(layout, "stripe")) {
		*ret = HF_LAYOUT_STRIPE;
		return true;
	}
	hf_control_fail(
		req, EINVAL, "layout \"%s\" is unknown; there are linear and stripe", layout);
	return false;
}

static bool arg_disks(struct hf_control_req *req, struct hf_pool_op *op)
{
	const json_t *disks = json_object_get(req->args, "disks");
	size_t i;
	json_t *disk;

	if (!disks)
		return true;
	if (!json_is_array(disks) || json_array_size(disks) > HF_LDEV_COLUMNS_MAX) {
		hf_control_fail(req, EINVAL,
			"\"disks\" must be a list of at most %d names of disks",
			HF_LDEV_COLUMNS_MAX);
		return false;
	}
	json_array_foreach(disks, i, disk)
	{
		const char *name = json_string_value(disk);

		if (!name || !*name || strlen(name) > HF_NAME_MAX) {
			hf_control_fail(req, EINVAL,
				"\"disks\" must be names of 1 to %d bytes; `holdfast disk list` "
				"shows those there are",
				HF_NAME_MAX);
			return false;
		}
		strcpy(op->pdevs[op->pdevs_len++], name);
	}
	return true;
}

void hf_cmd_device_create(struct hf_control_req *req)
{
	struct hf_pool_op *op = op_create(HF_POOL_CREATE);
	uint64_t lun = UINT64_MAX;

	if (!arg_name(req, "name", op->name) || !arg_layout(req, &op->layout) ||
		!hf_control_arg_uint(req, "size_bytes", true, INT64_MAX, &op->size_bytes) ||
		!arg_u32(req, "stripe_bytes", &op->stripe_bytes) ||
		!arg_u32(req, "block_bytes", &op->block_bytes) ||
		!arg_u32(req, "physical_block_bytes", &op->physical_block_bytes) ||
		!hf_control_arg_uint(req, "lun", false, HF_LUN_MAX, &lun) ||
		!arg_dominant(req, &op->dominant) ||
		!hf_control_arg_bool(req, "write_protected", &op->write_protected) ||
		!arg_disks(req, op)) {
		free(op);
		return;
	}
	if (lun != UINT64_MAX)
		op->lun = (int32_t)lun;
	if (getrandom(op->uuid, sizeof(op->uuid), 0) != sizeof(op->uuid)) {
		free(op);
		hf_control_fail(req, EIO, "no random numbers to be had for the device's identity");
		return;
	}
	propose(req, op);
}

static bool is_being_deleted(struct hf_node *node, const char *name)
{
	const struct hf_map_ldev *d = hf_map_find_ldev(node->pool.cur, name);
	struct hf_lu_status status;

	return d && hf_lu_status(node->lus, d->id, &status) && hf_resv_is_retired(status.resv);
}

void hf_cmd_device_grow(struct hf_control_req *req)
{
	struct hf_pool_op *op = op_create(HF_POOL_GROW);

	if (!arg_name(req, "name", op->name) ||
		!hf_control_arg_uint(req, "size_bytes", false, INT64_MAX, &op->size_bytes) ||
		!arg_disks(req, op)) {
		free(op);
		return;
	}
	if (is_being_deleted(req->owner, op->name)) {
		hf_control_fail(req, EBUSY, "'%s' is being deleted; let that finish", op->name);
		free(op);
		return;
	}
	propose(req, op);
}

void hf_cmd_device_rename(struct hf_control_req *req)
{
	struct hf_pool_op *op = op_create(HF_POOL_RENAME);

	if (!arg_name(req, "name", op->name) || !arg_name(req, "new_name", op->new_name)) {
		free(op);
		return;
	}
	propose(req, op);
}

void hf_cmd_device_set(struct hf_control_req *req)
{
	bool has_dominant = json_object_get(req->args, "dominant");
	bool has_protect = json_object_get(req->args, "write_protected");
	struct hf_pool_op *op;

	if (has_dominant == has_protect) {
		hf_control_fail(req, EINVAL,
			"say one thing at a time: either \"dominant\" or \"write_protected\"");
		return;
	}
	op = op_create(has_dominant ? HF_POOL_SET_DOMINANT : HF_POOL_SET_WRITE_PROTECT);
	if (!arg_name(req, "name", op->name) || !arg_dominant(req, &op->dominant) ||
		!hf_control_arg_bool(req, "write_protected", &op->write_protected)) {
		free(op);
		return;
	}
	propose(req, op);
}

/* --- deletion --- */

struct deletion {
	struct hf_lu_admin_op op;
	struct hf_control_req *req;
	char name[HF_NAME_MAX + 1];
};

static void retire_failed(struct deletion *d, int result)
{
	struct hf_node *node = d->req->owner;
	struct hf_lu_status s;
	const char *who = "";

	if (result == -EAGAIN) {
		hf_control_fail(
			d->req, EAGAIN, "devices cannot be deleted now: %s", node->bus->view.why);
		return;
	}
	if (hf_lu_status(node->lus, d->op.dev, &s))
		who = s.in_use_by;
	hf_control_fail(d->req, EBUSY,
		"device %s is in use%s%s%s; log the hosts out first, or delete it by force "
		"(--force): they lose it in the midst of their work",
		d->name, *who ? " by " : "", who, *who ? "" : " through the other controller");
}

static bool is_sanitized(const struct hf_node *node, uint32_t dev)
{
	struct hf_lu_status status;

	return hf_lu_status(node->lus, dev, &status) &&
	       (hf_resv_attrs(status.resv) & HF_RESV_SANITIZE);
}

static void retired(struct hf_lu_admin_op *op, int result, const struct hf_resv_verdict *verdict)
{
	struct deletion *d = hf_container_of(op, struct deletion, op);
	struct hf_pool_op *delete;

	if (result) {
		retire_failed(d, result);
	} else if (verdict->status != HF_STATUS_GOOD && is_sanitized(d->req->owner, d->op.dev)) {
		hf_control_fail(d->req, EBUSY,
			"device %s is being sanitized and cannot be deleted before that has ended",
			d->name);
	} else if (verdict->status != HF_STATUS_GOOD) {
		hf_control_fail(d->req, EBUSY,
			"device %s is reserved or has registrations; `holdfast reservation show "
			"%s` "
			"says whose, `holdfast reservation break %s` takes them away",
			d->name, d->name, d->name);
	} else {
		delete = op_create(HF_POOL_DELETE);
		strcpy(delete->name, d->name);
		propose(d->req, delete);
	}
	free(d);
}

void hf_cmd_device_delete(struct hf_control_req *req)
{
	const struct hf_map_ldev *dev = hf_cmd_device(req, "name");
	struct hf_node *node = req->owner;
	bool force = false;
	struct deletion *d;

	if (!dev || !hf_control_arg_bool(req, "force", &force))
		return;
	d = hf_spare_calloc(1, sizeof(*d));
	d->req = req;
	strcpy(d->name, dev->name);
	d->op.dev = dev->id;
	d->op.op.kind = force ? HF_RESV_RETIRE_FORCED : HF_RESV_RETIRE;
	d->op.done = retired;
	if (hf_lu_admin_propose(node->lus, &d->op)) {
		free(d);
		hf_control_fail(req, ENOMEM, "out of memory");
	}
}
