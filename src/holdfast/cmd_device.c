/* SPDX-License-Identifier: BSD-3-Clause */
/* holdfast device ...: logical devices. */
#include "tool.h"

#include <stdlib.h>

static json_t *request_of(const char *cmd, const char *name)
{
	json_t *request = json_pack("{s:s, s:s}", "cmd", cmd, "name", name);

	if (!request)
		tool_fail("the name is no text in UTF-8");
	return request;
}

/* Options with a number or size; false: a bad one, said so. */
static bool add_number(
	struct tool_run *run, json_t *request, const char *option, const char *key, bool size)
{
	const char *text = tool_value(run, option);
	uint64_t value;
	char *end;

	if (!text)
		return true;
	if (size ? tool_size_parse(text, &value) < 0
		 : (value = strtoull(text, &end, 10), *end || *text < '0' || *text > '9')) {
		tool_usage(run, "--%s takes a %s, not \"%s\"", option,
			size ? "size like 64M or 1.5G" : "number", text);
		return false;
	}
	if (value > INT64_MAX) {
		tool_usage(run, "--%s %s is too large", option, text);
		return false;
	}
	json_object_set_new(request, key, json_integer((json_int_t)value));
	return true;
}

/* on, off; false: something else, said so. */
static bool add_switch(struct tool_run *run, json_t *request, const char *option, const char *key)
{
	const char *text = tool_value(run, option);

	if (!text)
		return true;
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
		tool_usage(run, "--%s takes on or off, not \"%s\"", option, text);
		return false;
	}
	json_object_set_new(request, key, json_boolean(strcmp(text, "on") == 0));
	return true;
}

static int finish(struct tool_run *run, json_t *request, const char *done)
{
	int status;
	json_t *reply = tool_call_show(run, request, &status);
	json_t *device = json_object_get(reply, "device");
	char size[TOOL_SIZE_TEXT];

	if (reply && device)
		printf("%s %s: LUN %lld, %s\n", done,
			json_string_value(json_object_get(device, "name")),
			(long long)json_integer_value(json_object_get(device, "lun")),
			tool_size_format(
				(uint64_t)json_integer_value(json_object_get(device, "size_bytes")),
				size));
	else if (reply)
		printf("%s %s\n", done, run->args[0]);
	json_decref(reply);
	return status;
}

static int run_create(struct tool_run *run)
{
	json_t *request = request_of("device.create", run->args[0]), *disks = json_array();
	bool ok = request && add_number(run, request, "size", "size_bytes", true) &&
		  add_number(run, request, "stripe", "stripe_bytes", true) &&
		  add_number(run, request, "block", "block_bytes", true) &&
		  add_number(run, request, "physical-block", "physical_block_bytes", true) &&
		  add_number(run, request, "lun", "lun", false) &&
		  add_number(run, request, "dominant", "dominant", false);
	const char *layout = tool_value(run, "layout");
	const struct tool_option *o = run->command->options;

	if (!ok) {
		json_decref(request);
		json_decref(disks);
		return TOOL_USAGE;
	}
	while (strcmp(o->name, "disk") != 0)
		o++;
	for (unsigned i = 0; i < run->given[o - run->command->options]; i++)
		json_array_append_new(
			disks, json_string(run->values[o - run->command->options][i]));
	json_object_set_new(request, "disks", disks);
	json_object_set_new(request, "layout", json_string(layout ? layout : "linear"));
	if (tool_has(run, "write-protected"))
		json_object_set_new(request, "write_protected", json_true());
	return finish(run, request, "Created");
}

static int run_grow(struct tool_run *run)
{
	json_t *request = request_of("device.grow", run->args[0]);

	if (!request || !add_number(run, request, "size", "size_bytes", true)) {
		json_decref(request);
		return TOOL_USAGE;
	}
	return finish(run, request, "Grown");
}

static int run_rename(struct tool_run *run)
{
	json_t *request = request_of("device.rename", run->args[0]);

	if (!request)
		return TOOL_USAGE;
	json_object_set_new(request, "new_name", json_string(run->args[1]));
	return finish(run, request, "Renamed");
}

static int run_set(struct tool_run *run)
{
	json_t *request = request_of("device.set", run->args[0]);

	if (!request || !add_number(run, request, "dominant", "dominant", false) ||
		!add_switch(run, request, "write-protect", "write_protected")) {
		json_decref(request);
		return TOOL_USAGE;
	}
	if (json_object_size(request) == 2) {
		json_decref(request);
		return tool_usage(run, "nothing to set; say --dominant or --write-protect");
	}
	return finish(run, request, "Set");
}

static int run_delete(struct tool_run *run)
{
	json_t *request;

	if (!tool_confirm(run, "Delete logical device %s and all data on it?", run->args[0]))
		return TOOL_FAILED;
	request = request_of("device.delete", run->args[0]);
	if (request && tool_has(run, "force"))
		json_object_set_new(request, "force", json_true());
	return request ? finish(run, request, "Deleted") : TOOL_USAGE;
}

static void device_row(struct table *t, const json_t *d)
{
	char size[TOOL_SIZE_TEXT], extents[512] = "";
	const json_t *extent;
	size_t k;

	json_array_foreach(json_object_get(d, "extents"), k, extent)
	{
		size_t used = strlen(extents);

		snprintf(extents + used, sizeof(extents) - used, "%s%s:%s", k ? " " : "",
			json_string_value(json_object_get(extent, "disk")),
			tool_size_format(
				(uint64_t)json_integer_value(json_object_get(extent, "size_bytes")),
				size));
	}
	table_cell(t, json_string_value(json_object_get(d, "name")));
	table_cellf(t, "%lld", (long long)json_integer_value(json_object_get(d, "lun")));
	table_cell(
		t, tool_size_format(
			   (uint64_t)json_integer_value(json_object_get(d, "size_bytes")), size));
	table_cellf(t, "%lld", (long long)json_integer_value(json_object_get(d, "block_bytes")));
	table_cell(t, json_string_value(json_object_get(d, "layout")));
	table_cellf(t, "%lld", (long long)json_integer_value(json_object_get(d, "dominant")));
	table_cell(t,
		json_is_true(json_object_get(d, "write_protected")) ? "read only" : "read write");
	table_cell(t, json_is_true(json_object_get(d, "serving"))
			      ? "serving"
			      : json_string_value(json_object_get(d, "why")));
	table_cell(t, extents);
}

static int run_list(struct tool_run *run)
{
	int status;
	json_t *reply = tool_list(run, "device.list", "devices",
		"DEVICE|>LUN|>SIZE|>BLOCK|LAYOUT|>DOMINANT|ACCESS|STATE|EXTENTS", device_row,
		&status);

	json_decref(reply);
	return status;
}

const struct tool_command tool_device_commands[] = {
	{"device list", "", "logical devices and where they lie", run_list, {{0}}},
	{"device create", "NAME", "make a logical device, visible on every controller", run_create,
		{
			{"size", "SIZE", "its size, e.g. 64M, 1.5G", .required = true},
			{"disk", "DISK", "a physical device to lie on, by name; several in order",
				.required = true, .repeated = true},
			{"layout", "LAYOUT", "linear (default) or stripe"},
			{"stripe", "SIZE", "stripe: bytes on one disk before the next"},
			{"block", "BYTES", "logical block: 512 (default) or 4096"},
			{"physical-block", "BYTES", "physical block, as hosts are told"},
			{"lun", "N", "logical unit number; default: the lowest free"},
			{"dominant", "ID", "controller that asks again when requests cross"},
			{"write-protected", NULL, "hosts may only read"},
		}},
	{"device grow", "NAME", "make it larger, while hosts use it", run_grow,
		{{"size", "SIZE", "the new size; default: all that is free on its disks"}}},
	{"device rename", "NAME NEW-NAME", "give it another name; hosts do not notice", run_rename,
		{{0}}},
	{"device set", "NAME", "change a property", run_set,
		{
			{"dominant", "ID", "controller that asks again when requests cross"},
			{"write-protect", "on|off", "whether hosts may only read"},
		}},
	{"device delete", "NAME", "delete it, unless something is reserved on it", run_delete,
		{{"force", NULL, "even while hosts are logged in and use it"}}},
	{0},
};
