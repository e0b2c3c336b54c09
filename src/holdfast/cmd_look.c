/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that look and change nothing: status, sessions; and the raw call. */
#include "tool.h"

#include <stdlib.h>

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool is_set(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void join(char *buf, size_t len, const json_t *strings)
{
	size_t i, at = 0;
	json_t *s;

	buf[0] = '\0';
	json_array_foreach(strings, i, s)
	{
		int n = snprintf(buf + at, len - at, "%s%s", i ? " " : "", json_string_value(s));

		if (n < 0 || (size_t)n >= len - at)
			return;
		at += (size_t)n;
	}
}

static void print_controllers(const json_t *controllers)
{
	struct table *t = table_create("CONTROLLER|NAME|STATE|LINKS|PORTALS");
	size_t i;
	json_t *c;

	json_array_foreach(controllers, i, c)
	{
		const json_t *links = json_object_get(c, "links");
		char portals[256];
		size_t n, up = 0;
		json_t *link;

		json_array_foreach(links, n, link) up += is_set(link, "up");
		table_cellf(t, "%lld%s", (long long)number_of(c, "id"),
			is_set(c, "self") ? " (this)" : "");
		table_cell(t, text_of(c, "name"));
		table_cell(t, is_set(c, "serving")  ? "serving"
			      : is_set(c, "member") ? "member, not serving"
						    : "not in the view");
		if (is_set(c, "self") || !json_array_size(links)) /* corosync has the links */
			table_cell(t, NULL);
		else
			table_cellf(t, "%zu of %zu up", up, json_array_size(links));
		join(portals, sizeof(portals), json_object_get(c, "portals"));
		table_cell(t, portals);
	}
	table_print_and_destroy(t, stdout);
}

/* Who holds a device, in a few words for a table. */
static void holder_text(const json_t *reservation, char *buf, size_t len)
{
	const json_t *holders = json_object_get(reservation, "holders");
	const json_t *first = json_array_get(holders, 0);

	buf[0] = '\0';
	if (is_set(reservation, "lost"))
		snprintf(buf, len, "information lost");
	else if (json_array_size(holders) > 1)
		snprintf(buf, len, "%zu registrants", json_array_size(holders));
	else if (first)
		snprintf(buf, len, "%s via controller %lld", text_of(first, "initiator"),
			(long long)number_of(first, "controller"));
}

static const char *held_text(const json_t *reservation)
{
	const char *held = text_of(reservation, "held");

	if (!held || strcmp(held, "none") == 0)
		return "free";
	return strcmp(held, "legacy") == 0 ? "RESERVE" : text_of(reservation, "type_name");
}

static void print_devices(const json_t *devices, const json_t *reservations)
{
	struct table *t = table_create("DEVICE|>LUN|>SIZE|LAYOUT|ON|RESERVATION|HOLDER");
	size_t i, k;
	json_t *d, *r;

	json_array_foreach(devices, i, d)
	{
		const char *name = text_of(d, "name");
		char size[TOOL_SIZE_TEXT], holder[300], disks[256] = "";
		json_t *extent;

		json_array_foreach(json_object_get(d, "extents"), k, extent)
		{
			const char *disk = text_of(extent, "disk");
			size_t used = strlen(disks);

			if (disk && !strstr(disks, disk))
				snprintf(disks + used, sizeof(disks) - used, "%s%s",
					used ? " " : "", disk);
		}
		table_cell(t, name);
		table_cellf(t, "%lld", (long long)number_of(d, "lun"));
		table_cell(t, tool_size_format((uint64_t)number_of(d, "size_bytes"), size));
		table_cell(t, text_of(d, "layout"));
		table_cell(t, disks);
		r = NULL;
		json_array_foreach(reservations, k, r)
		{
			if (name && text_of(r, "device") && strcmp(name, text_of(r, "device")) == 0)
				break;
		}
		if (k == json_array_size(reservations))
			r = NULL;
		holder_text(r, holder, sizeof(holder));
		table_cell(t, is_set(d, "serving") ? held_text(r) : "not serving");
		table_cell(t, is_set(d, "serving") ? holder : text_of(d, "why"));
	}
	table_print_and_destroy(t, stdout);
}

static void print_status(const json_t *s, const json_t *devices, const json_t *reservations)
{
	const json_t *view = json_object_get(s, "view");
	char age[TOOL_SIZE_TEXT];

	printf("Cluster %s, controller %lld; holdfastd %s, up %s; target %s\n",
		text_of(s, "cluster"), (long long)number_of(s, "controller"), text_of(s, "version"),
		tool_age_format(number_of(s, "uptime_s"), age), text_of(s, "target"));
	printf("View %lld: %s\n\n", (long long)number_of(view, "epoch"), text_of(view, "why"));
	print_controllers(json_object_get(s, "controllers"));
	putchar('\n');
	print_devices(
		json_object_get(devices, "devices"), json_object_get(reservations, "reservations"));
	printf("\n%lld sessions of hosts, %lld disks\n", (long long)number_of(s, "sessions"),
		(long long)number_of(s, "disks"));
}

static int run_status(struct tool_run *run)
{
	json_t *s, *devices = NULL, *reservations = NULL;
	int status;

	s = tool_call_show(run, json_pack("{s:s}", "cmd", "status"), &status);
	if (!s)
		return status;
	devices = tool_call(run, json_pack("{s:s}", "cmd", "device.list"), &status);
	if (devices)
		reservations =
			tool_call(run, json_pack("{s:s}", "cmd", "reservation.list"), &status);
	if (reservations)
		print_status(s, devices, reservations);
	json_decref(reservations);
	json_decref(devices);
	json_decref(s);
	return status;
}

static void session_row(struct table *t, const json_t *s)
{
	bool header = is_set(s, "header_digest"), data = is_set(s, "data_digest");
	char age[TOOL_SIZE_TEXT];

	table_cellf(
		t, "%s%s", text_of(s, "initiator"), is_set(s, "discovery") ? " (discovery)" : "");
	table_cell(t, text_of(s, "isid"));
	table_cell(t, text_of(s, "peer"));
	table_cell(t, text_of(s, "auth"));
	table_cell(t, header && data ? "header data" : header ? "header" : data ? "data" : "none");
	table_cell(t, tool_age_format(number_of(s, "login_s"), age));
}

static int run_session_list(struct tool_run *run)
{
	int status;
	json_t *reply = tool_list(run, "session.list", "sessions",
		"INITIATOR|ISID|FROM|AUTH|DIGESTS|>SINCE", session_row, &status);

	json_decref(reply);
	return status;
}

static void reservation_row(struct table *t, const json_t *r)
{
	char holder[300], age[TOOL_SIZE_TEXT];
	const json_t *since = json_object_get(r, "since_s");

	holder_text(r, holder, sizeof(holder));
	table_cell(t, text_of(r, "device"));
	table_cellf(t, "%lld", (long long)number_of(r, "lun"));
	table_cell(t, held_text(r));
	table_cell(t, holder);
	table_cell(t, since ? tool_age_format(json_integer_value(since), age) : NULL);
	table_cellf(t, "%lld", (long long)number_of(r, "registrations"));
	table_cellf(t, "0x%llx", (long long)number_of(r, "generation"));
	table_cell(t, is_set(r, "aptpl") ? "on" : "off");
}

static int run_reservation_list(struct tool_run *run)
{
	int status;
	json_t *reply = tool_list(run, "reservation.list", "reservations",
		"DEVICE|>LUN|RESERVATION|HOLDER|>SINCE|>REGISTERED|>GENERATION|APTPL",
		reservation_row, &status);

	json_decref(reply);
	return status;
}

/* "iqn...,i,0x..." as sg_persist prints an initiator port. */
static void port_text(const json_t *nexus, char *buf, size_t len)
{
	snprintf(buf, len, "%s,i,%s", text_of(nexus, "initiator"), text_of(nexus, "isid"));
}

static void print_holders(const json_t *r)
{
	const json_t *holders = json_object_get(r, "holders");
	const json_t *first = json_array_get(holders, 0);
	char port[300], age[TOOL_SIZE_TEXT];

	if (is_set(r, "lost")) {
		printf("  The reservation information is LOST: access is refused until a host "
		       "sends "
		       "REPLACE LOST RESERVATION, or holdfast reservation break %s\n",
			text_of(r, "device"));
		return;
	}
	if (!first) {
		printf("  There is NO reservation held\n");
		return;
	}
	port_text(first, port, sizeof(port));
	if (strcmp(text_of(r, "held"), "legacy") == 0)
		printf("  Held by RESERVE (SPC-2): %s, through controller %lld\n", port,
			(long long)number_of(first, "controller"));
	else if (number_of(r, "type") >= 7)
		printf("  Reservation follows: scope: LU_SCOPE,  type: %s; every registrant "
		       "holds\n",
			text_of(r, "type_name"));
	else
		printf("  Reservation follows: Key=%s, scope: LU_SCOPE,  type: %s\n"
		       "    held by %s, through controller %lld\n",
			text_of(first, "key"), text_of(r, "type_name"), port,
			(long long)number_of(first, "controller"));
	if (json_object_get(r, "since_s"))
		printf("    since %s\n", tool_age_format(number_of(r, "since_s"), age));
}

/* In the words and the order that people know from sg_persist. */
static void print_reservation(const json_t *r)
{
	const json_t *registrations = json_object_get(r, "registrations");
	struct table *t;
	size_t i, n = json_array_size(registrations);
	json_t *e;

	printf("%s, LUN %lld\n  PR generation=0x%llx, APTPL %s\n", text_of(r, "device"),
		(long long)number_of(r, "lun"), (long long)number_of(r, "generation"),
		is_set(r, "aptpl") ? "active: kept over a power failure" : "not active");
	print_holders(r);
	if (n == 0) {
		printf("  There are NO registered reservation keys\n");
		return;
	}
	printf("  %zu registered reservation key%s follow%s:\n\n", n, n == 1 ? "" : "s",
		n == 1 ? "s" : "");
	t = table_create("KEY|INITIATOR PORT|>TARGET PORT|>CONTROLLER|HOLDER");
	json_array_foreach(registrations, i, e)
	{
		char port[300];

		port_text(e, port, sizeof(port));
		table_cell(t, text_of(e, "key"));
		table_cell(t, port);
		table_cellf(t, "0x%llx", (long long)number_of(e, "rtpi"));
		table_cellf(t, "%lld", (long long)number_of(e, "controller"));
		table_cell(t, is_set(e, "holder") ? "yes" : NULL);
	}
	table_print_and_destroy(t, stdout);
}

static int run_reservation_show(struct tool_run *run)
{
	int status;
	json_t *reply = tool_call_show(run,
		json_pack("{s:s, s:s}", "cmd", "reservation.show", "device", run->args[0]),
		&status);

	if (!reply)
		return status;
	print_reservation(json_object_get(reply, "reservation"));
	json_decref(reply);
	return TOOL_OK;
}

/* KEY=VALUE: a number, true, false, a [list] in JSON, or else a string. */
static int add_pair(json_t *request, const char *pair)
{
	const char *equals = strchr(pair, '=');
	char key[64];
	json_t *value;

	if (!equals || equals == pair || (size_t)(equals - pair) >= sizeof(key))
		return tool_fail("\"%s\" is not KEY=VALUE", pair);
	memcpy(key, pair, (size_t)(equals - pair));
	key[equals - pair] = '\0';
	value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
	if (!value)
		value = json_string(equals + 1);
	if (!value || json_object_set_new(request, key, value) < 0)
		return tool_fail("\"%s\" is no text in UTF-8", pair);
	return TOOL_OK;
}

static int run_call(struct tool_run *run)
{
	json_t *request = json_pack("{s:s}", "cmd", run->args[0]);
	const char *pair;
	int status;

	if (!request)
		return tool_usage(run, "the command is no text in UTF-8");
	for (unsigned i = 0; i < TOOL_VALUES_MAX && (pair = run->values[0][i]); i++) {
		if (add_pair(request, pair) != TOOL_OK) {
			json_decref(request);
			return TOOL_USAGE;
		}
	}
	run->json = true;
	tool_call_show(run, request, &status);
	return status;
}

const struct tool_command tool_look_commands[] = {
	{"status", "", "the pair, its controllers, devices and who holds them", run_status, {{0}}},
	{"session list", "", "hosts that are logged in at this controller", run_session_list,
		{{0}}},
	{"reservation list", "", "who holds what, through which controller, since when",
		run_reservation_list, {{0}}},
	{"reservation show", "DEVICE", "reservation and registrations of one device",
		run_reservation_show, {{0}}},
	{"call", "CMD", "any request of the control socket; prints the reply", run_call,
		{{"arg", "KEY=VALUE", "an argument; may be given several times",
			.repeated = true}}},
	{0},
};
