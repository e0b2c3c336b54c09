/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that only look: status, devices, disks, sessions. */
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *uuid_json(const uint8_t uuid[16])
{
	char text[40];
	int n = 0;

	for (unsigned i = 0; i < 16; i++) {
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", uuid[i]);
		if (i == 3 || i == 5 || i == 7 || i == 9)
			text[n++] = '-';
	}
	text[n] = '\0';
	return json_string(text);
}

static uint64_t age_s(const struct hf_node *node, uint64_t since_ns)
{
	return (hf_loop_clock_ns(node->loops[0]) - since_ns) / 1000000000;
}

/* --- status --- */

static void add_link(void *arg, const char *address, bool up)
{
	json_array_append_new(arg, json_pack("{s:s, s:b}", "address", address, "up", (int)up));
}

static json_t *links_json(struct hf_node *node, const struct hf_config_controller *c)
{
	json_t *links = json_array();

	hf_node_bus_links(node, c, add_link, links);
	return links;
}

static json_t *bus_json(struct hf_node *node)
{
	struct hf_bus_counts n = {0};

	node->bus->ops->counts(node->bus, &n);
	return json_pack("{s:b, s:I, s:I}", "up", (int)n.up, "op_messages_sent",
		(json_int_t)n.op_sent, "op_messages_received", (json_int_t)n.op_received);
}

static json_t *controller_json(struct hf_node *node, const struct hf_config_controller *c)
{
	const struct hf_view *view = &node->bus->view;
	json_t *o = json_pack("{s:i, s:s, s:i, s:b, s:b, s:b, s:b}", "id", (int)c->id, "name",
		c->name, "rtpi", (int)c->rtpi, "self", c == node->config->self, "member",
		(int)(view->members >> c->id & 1), "serving", (int)(view->serving >> c->id & 1),
		"missing", (int)(view->missing >> c->id & 1));
	json_t *portals = json_array();

	for (unsigned i = 0; i < c->portals_len; i++)
		json_array_append_new(portals, json_string(c->portals[i].text));
	json_object_set_new(o, "portals", portals);
	if (c != node->config->self)
		json_object_set_new(o, "links", links_json(node, c));
	return o;
}

static void count_session(void *arg, const struct hf_iscsi_session_info *info)
{
	if (!info->discovery)
		++*(int *)arg;
}

void hf_cmd_status(struct hf_control_req *req)
{
	struct hf_node *node = req->owner;
	const struct hf_view *view = &node->bus->view;
	json_t *controllers = json_array();
	int sessions = 0;

	hf_iscsi_registry_each(node->registry, count_session, &sessions);
	for (unsigned i = 0; i < node->config->controllers_len; i++)
		json_array_append_new(
			controllers, controller_json(node, &node->config->controllers[i]));
	hf_control_reply(req,
		json_pack("{s:s, s:s, s:s, s:i, s:o, s:I, s:{s:s, s:I, s:s}, s:o, s:o, s:i, s:i, "
			  "s:i}",
			"version", HF_VERSION, "cluster", node->config->cluster, "target",
			node->config->iscsi.target_name, "controller", (int)node->config->self->id,
			"incarnation", hf_cmd_hex(node->incarnation), "uptime_s",
			(json_int_t)age_s(node, node->started_ns), "view", "state",
			hf_node_view_name(node), "epoch", (json_int_t)view->epoch, "why", view->why,
			"controllers", controllers, "bus", bus_json(node), "devices",
			(int)node->pool.cur->ldevs_len, "disks", (int)node->pool.cur->pdevs_len,
			"sessions", sessions));
}

/* --- devices --- */

static json_t *extents_json(struct hf_node *node, const struct hf_map_ldev *d)
{
	const struct hf_map *map = node->pool.cur;
	json_t *extents = json_array();

	for (unsigned i = 0; i < d->extents_len; i++) {
		const struct hf_extent *e = &map->extents[d->first_extent + i];

		json_array_append_new(
			extents, json_pack("{s:s, s:I, s:I}", "disk", map->pdevs[e->pdev].name,
					 "offset_bytes", (json_int_t)e->offset_bytes, "size_bytes",
					 (json_int_t)e->len_bytes));
	}
	return extents;
}

/* Why a device cannot be served now, or NULL. */
static const char *trouble(
	struct hf_node *node, const struct hf_map_ldev *d, const struct hf_lu_status *s)
{
	const struct hf_map *map = node->pool.cur;

	for (unsigned i = 0; i < d->extents_len; i++) {
		if (!node->pdevs[map->extents[d->first_extent + i].pdev])
			return "a disk under it is missing; see `holdfast disk list`";
	}
	return s->stopped;
}

json_t *hf_cmd_device_json(struct hf_node *node, const struct hf_map_ldev *d)
{
	uint8_t dominant =
		d->dominant == HF_DOMINANT_DEFAULT ? node->config->controllers[0].id : d->dominant;
	struct hf_lu_status s = {0};
	bool retired = hf_lu_status(node->lus, d->id, &s) && hf_resv_is_retired(s.resv);
	const char *why = trouble(node, d, &s);
	json_t *o;

	o = json_pack("{s:I, s:s, s:i, s:s, s:I, s:i, s:i, s:i, s:b, s:b, s:o, s:b, s:o}", "id",
		(json_int_t)d->id, "name", d->name, "lun", (int)d->lun, "layout",
		d->layout == HF_LAYOUT_STRIPE ? "stripe" : "linear", "size_bytes",
		(json_int_t)d->size_bytes, "block_bytes", (int)d->block_bytes,
		"physical_block_bytes", (int)d->physical_block_bytes, "dominant", (int)dominant,
		"write_protected", d->write_protected, "retired", (int)retired, "uuid",
		uuid_json(d->uuid), "serving", !why, "extents", extents_json(node, d));
	if (d->layout == HF_LAYOUT_STRIPE) {
		json_object_set_new(o, "columns", json_integer(d->columns));
		json_object_set_new(o, "stripe_bytes", json_integer(d->stripe_bytes));
	}
	if (why)
		json_object_set_new(o, "why", json_string(why));
	return o;
}

struct device_list {
	struct hf_node *node;
	json_t *array;
};

static void list_device(void *arg, const struct hf_lu_status *s)
{
	struct device_list *l = arg;
	const struct hf_map_ldev *d = hf_map_find_id(l->node->pool.cur, s->info->id);

	if (d)
		json_array_append_new(l->array, hf_cmd_device_json(l->node, d));
}

static void list_devices(struct hf_control_req *req)
{
	struct device_list l = {.node = req->owner, .array = json_array()};

	hf_lu_each(l.node->lus, list_device, &l);
	hf_control_reply(req, json_pack("{s:o}", "devices", l.array));
}

void hf_cmd_device_list(struct hf_control_req *req)
{
	hf_cmd_settled(req, HF_BUS_DEV_POOL, HF_BUS_DEV_POOL, list_devices);
}

/* --- disks --- */

static void list_disks(struct hf_control_req *req)
{
	struct hf_node *node = req->owner;
	const struct hf_map *map = node->pool.cur;
	json_t *disks = json_array();

	for (unsigned i = 0; i < map->pdevs_len; i++) {
		const struct hf_map_pdev *pd = &map->pdevs[i];
		struct hf_pdev *dev = node->pdevs[i];
		const char *why = dev ? hf_pdev_trouble(dev) : NULL;
		json_t *o = json_pack("{s:s, s:s, s:o, s:I, s:I, s:b, s:b}", "name", pd->name,
			"url", dev ? dev->url : "", "uuid", uuid_json(pd->uuid), "size_bytes",
			(json_int_t)pd->size_bytes, "free_bytes",
			(json_int_t)hf_map_free_bytes(map, i), "voting", pd->voting, "present",
			dev != NULL);

		if (why)
			json_object_set_new(o, "why", json_string(why));
		json_array_append_new(disks, o);
	}
	hf_control_reply(req, json_pack("{s:o}", "disks", disks));
}

void hf_cmd_disk_list(struct hf_control_req *req)
{
	hf_cmd_settled(req, HF_BUS_DEV_POOL, HF_BUS_DEV_POOL, list_disks);
}

/* --- sessions --- */

struct session_list {
	struct hf_node *node;
	json_t *array;
};

static void list_session(void *arg, const struct hf_iscsi_session_info *s)
{
	struct session_list *l = arg;
	uint64_t now_s = hf_loop_clock_ns(l->node->loops[0]) / 1000000000;

	json_array_append_new(l->array,
		json_pack("{s:s, s:s, s:o, s:i, s:s, s:s, s:b, s:b, s:b, s:i, s:I}", "initiator",
			s->initiator, "alias", s->alias, "isid", hf_cmd_hex(s->isid), "tsih",
			(int)s->tsih, "peer", s->peer, "auth", s->auth, "discovery", s->discovery,
			"header_digest", s->header_digest, "data_digest", s->data_digest, "loop",
			(int)s->loop, "login_s", (json_int_t)(now_s - s->login_seconds)));
}

void hf_cmd_session_list(struct hf_control_req *req)
{
	struct session_list l = {.node = req->owner, .array = json_array()};

	hf_iscsi_registry_each(l.node->registry, list_session, &l);
	hf_control_reply(req, json_pack("{s:o}", "sessions", l.array));
}
