/* SPDX-License-Identifier: BSD-3-Clause */
/* holdfast disk ...: physical devices. init and show need no daemon; they open the disk. */
#include "tool.h"

#include "pool.h"

#include <openssl/rand.h>

static void uuid_text(const uint8_t uuid[HF_POOL_UUID_BYTES], char text[40])
{
	char *at = text;

	for (unsigned i = 0; i < HF_POOL_UUID_BYTES; i++)
		at += sprintf(
			at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

static int run_init(struct tool_run *run)
{
	uint8_t uuid[HF_POOL_UUID_BYTES];
	char message[512] = "";
	int rc;

	if (tool_has(run, "force") &&
		!tool_confirm(run, "Overwrite whatever is on %s?", run->args[0]))
		return TOOL_FAILED;
	if (RAND_bytes(uuid, sizeof(uuid)) != 1)
		return tool_fail("no randomness for the identity of the disk");
	/* RFC 4122, 4.4: a random UUID says that it is one. */
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	rc = hf_disk_init(run->args[0], tool_value(run, "cluster"), tool_value(run, "name"),
		tool_has(run, "voting"), uuid, tool_has(run, "force"), message, sizeof(message));
	if (rc < 0)
		return tool_fail("%s", message);
	if (!run->json)
		printf("this is now disk %s of cluster %s%s\n", tool_value(run, "name"),
			tool_value(run, "cluster"), tool_has(run, "voting") ? ", voting" : "");
	else
		printf("{\"ok\": true}\n");
	return TOOL_OK;
}

static int run_show(struct tool_run *run)
{
	char message[512] = "", uuid[40], size[TOOL_SIZE_TEXT], data[TOOL_SIZE_TEXT];
	struct hf_label label;
	int rc = hf_disk_show(run->args[0], &label, message, sizeof(message));

	if (rc < 0)
		return tool_fail("%s", message);
	uuid_text(label.uuid, uuid);
	if (run->json) {
		json_t *reply = json_pack("{s:b, s:s, s:s, s:b, s:i, s:I, s:I}", "ok", 1, "name",
			label.name, "uuid", uuid, "voting", label.voting, "format_version",
			(int)label.format_version, "size_bytes", (json_int_t)label.size_bytes,
			"data_offset_bytes", (json_int_t)label.data_offset_bytes);

		json_dumpf(reply, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(reply);
		return TOOL_OK;
	}
	printf("Disk %s, %s, identity %s\n%s, data from %s on, format %u\n", label.name,
		label.voting ? "voting" : "not voting", uuid,
		tool_size_format(label.size_bytes, size),
		tool_size_format(label.data_offset_bytes, data), label.format_version);
	return TOOL_OK;
}

static void disk_row(struct table *t, const json_t *d)
{
	char size[TOOL_SIZE_TEXT], left[TOOL_SIZE_TEXT];

	table_cell(t, json_string_value(json_object_get(d, "name")));
	table_cell(
		t, tool_size_format(
			   (uint64_t)json_integer_value(json_object_get(d, "size_bytes")), size));
	table_cell(
		t, tool_size_format(
			   (uint64_t)json_integer_value(json_object_get(d, "free_bytes")), left));
	table_cell(t, json_is_true(json_object_get(d, "voting")) ? "yes" : "no");
	table_cell(t, json_object_get(d, "why")			    ? "waits"
		      : json_is_true(json_object_get(d, "present")) ? "present"
								    : "missing");
	table_cell(t, json_string_value(json_object_get(d, "url")));
}

static int run_list(struct tool_run *run)
{
	int status;
	json_t *reply = tool_list(run, "disk.list", "disks", "DISK|>SIZE|>FREE|VOTING|STATE|WHERE",
		disk_row, &status);
	json_t *d;
	size_t i;

	json_array_foreach(json_object_get(reply, "disks"), i, d)
	{
		if (json_object_get(d, "why"))
			printf("%s waits: %s\n", json_string_value(json_object_get(d, "name")),
				json_string_value(json_object_get(d, "why")));
	}
	json_decref(reply);
	return status;
}

/* For trying out what Holdfast does when a disk is slow or broken. */
static int run_fault(struct tool_run *run)
{
	json_t *request = json_pack("{s:s, s:s}", "cmd", "disk.fault", "disk", run->args[0]);
	json_t *reply;
	int status;

	if (!request)
		return tool_usage(run, "the name of the disk is no text in UTF-8");
	if (tool_has(run, "rules"))
		json_object_set_new(request, "rules", json_string(tool_value(run, "rules")));
	if (tool_has(run, "release"))
		json_object_set_new(request, "release", json_true());
	reply = tool_call_show(run, request, &status);
	if (!reply)
		return status;
	printf("%lld requests struck since the rules were set, %lld hang now, %lld were let go\n",
		(long long)json_integer_value(json_object_get(reply, "strikes")),
		(long long)json_integer_value(json_object_get(reply, "hanging")),
		(long long)json_integer_value(json_object_get(reply, "released")));
	json_decref(reply);
	return TOOL_OK;
}

const struct tool_command tool_disk_commands[] = {
	{"disk list", "", "physical devices of the cluster and what is free on them", run_list,
		{{0}}},
	{"disk init", "URL", "label a disk for a cluster; needs no daemon", run_init,
		{
			{"cluster", "NAME", "name of the cluster, as configured", .required = true},
			{"name", "NAME", "name of the disk in the cluster", .required = true},
			{"voting", NULL, "keep the cluster's records on it; one or three disks do"},
			{"force", NULL, "even if something is on it"},
		}},
	{"disk fault", "NAME",
		"make a disk under a fault: layer slow or broken, to see what happens", run_fault,
		{
			{"rules", "RULES", "new rules, as in fault:RULES:URL; or none"},
			{"release", NULL, "let requests go that hang"},
		}},
	{"disk show", "URL", "read the label of a disk; needs no daemon", run_show, {{0}}},
	{0},
};
