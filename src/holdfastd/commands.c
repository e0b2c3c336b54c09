/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket's commands: the list, the operator's words, and what the handlers share. */
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>

json_t *hf_cmd_hex(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%016" PRIx64, v);
	return json_string(text);
}

unsigned hf_cmd_controller_of(const struct hf_node *node, uint16_t rtpi)
{
	for (unsigned i = 0; i < node->config->controllers_len; i++) {
		if (node->config->controllers[i].rtpi == rtpi)
			return node->config->controllers[i].id;
	}
	return 0;
}

const struct hf_map_ldev *hf_cmd_device(struct hf_control_req *req, const char *key)
{
	struct hf_node *node = req->owner;
	const struct hf_map_ldev *d;
	const char *name;

	if (!hf_control_arg_string(req, key, true, HF_NAME_MAX, &name))
		return NULL;
	d = hf_map_find_ldev(node->pool.cur, name);
	if (!d)
		hf_control_fail(req, ENOENT,
			"there is no logical device \"%s\"; `holdfast device list` shows those "
			"there are",
			name);
	return d;
}

/* --- the operator's words --- */

static void said(struct hf_control_req *req, int rc, const char *message)
{
	if (rc)
		hf_control_fail(req, -rc, "%s", message);
	else
		hf_control_reply(req, json_pack("{s:s}", "message", message));
}

/* A list of controller ids, as bits. Absent: *ret keeps its value. */
static bool arg_ids(struct hf_control_req *req, const char *key, uint32_t *ret)
{
	json_t *list = json_object_get(req->args, key), *id;
	uint32_t ids = 0;
	size_t i;

	if (!list)
		return true;
	json_array_foreach(list, i, id)
	{
		json_int_t n = json_integer_value(id);

		if (n < 1 || n >= HF_CONTROLLER_IDS)
			break;
		ids |= 1u << n;
	}
	if (!json_is_array(list) || i < json_array_size(list)) {
		hf_control_fail(req, EINVAL, "\"%s\" has to be a list of controllers, 1 to %d", key,
			HF_CONTROLLER_IDS - 1);
		return false;
	}
	*ret = ids;
	return true;
}

static void cmd_peer_down(struct hf_control_req *req)
{
	struct hf_node *node = req->owner;
	char message[512] = "taken as the operator's word: this controller writes the view record "
			    "and goes on alone; `holdfast status` shows when it has";
	uint32_t missing = node->bus->view.missing;

	if (!arg_ids(req, "missing", &missing))
		return;
	if (missing != node->bus->view.missing) {
		hf_control_fail(req, ESTALE,
			"others are missing now than when that was looked at: %.200s; look again, "
			"then say this again",
			node->bus->view.why);
		return;
	}
	said(req, node->bus->ops->peer_down(node->bus, message, sizeof(message)), message);
}

static void cmd_discard(struct hf_control_req *req)
{
	struct hf_node *node = req->owner;
	char message[512] =
		"this controller drops its hosts and its state and joins the other one; "
		"`holdfast status` shows when it has";

	said(req, node->bus->ops->discard(node->bus, message, sizeof(message)), message);
}

static void cmd_alone(struct hf_control_req *req)
{
	struct hf_node *node = req->owner;
	char message[512] = "taken as the operator's word: this controller loads the reservations "
			    "that the disks keep and serves alone; `holdfast status` shows when";
	bool may_lose = false;
	int rc;

	if (!hf_control_arg_bool(req, "may_lose", &may_lose))
		return;
	rc = node->bus->ops->go_alone(node->bus, may_lose, message, sizeof(message));
	said(req, rc, message);
}

static void cmd_leave(struct hf_control_req *req)
{
	said(req, 0,
		"this controller leaves: ports go down, what is in flight ends, the other "
		"controller "
		"is told, then the daemon ends");
	hf_node_leave(req->owner);
}

const struct hf_control_command hf_node_commands[] = {
	{"status", .run = hf_cmd_status},
	{"device.list", .run = hf_cmd_device_list},
	{"device.create", .run = hf_cmd_device_create, .waits = true},
	{"device.grow", .run = hf_cmd_device_grow, .waits = true},
	{"device.rename", .run = hf_cmd_device_rename, .waits = true},
	{"device.set", .run = hf_cmd_device_set, .waits = true},
	{"device.delete", .run = hf_cmd_device_delete, .waits = true},
	{"disk.list", .run = hf_cmd_disk_list},
	{"disk.fault", .run = hf_cmd_disk_fault},
	{"reservation.list", .run = hf_cmd_reservation_list},
	{"reservation.show", .run = hf_cmd_reservation_show},
	{"reservation.break", .run = hf_cmd_reservation_break, .waits = true},
	{"reservation.pick", .run = hf_cmd_reservation_pick, .waits = true},
	{"session.list", .run = hf_cmd_session_list},
	{"peer-down", .run = cmd_peer_down},
	{"alone", .run = cmd_alone},
	{"leave", .run = cmd_leave},
	{"discard", .run = cmd_discard},
	{NULL},
};
