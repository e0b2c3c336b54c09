/* SPDX-License-Identifier: BSD-3-Clause */
/* The operator's words to a pair in trouble, and the breaking of reservations. */
#include "tool.h"

static int say(struct tool_run *run, json_t *request, const char *fallback)
{
	int status;
	json_t *reply = tool_call_show(run, request, &status);
	const char *message = json_string_value(json_object_get(reply, "message"));

	if (reply)
		printf("%s\n", message ? message : fallback);
	json_decref(reply);
	return status;
}

static int run_break(struct tool_run *run)
{
	if (!tool_confirm(run,
		    "Take the reservation and all registrations on %s away? A host that relies on "
		    "them may write where another does.",
		    run->args[0]))
		return TOOL_FAILED;
	return say(run, json_pack("{s:s, s:s}", "cmd", "reservation.break", "device", run->args[0]),
		"Nothing is reserved or registered any more.");
}

static int run_pick(struct tool_run *run)
{
	if (!tool_confirm(run,
		    "Take what this controller remembers of the reservations on %s, and drop what "
		    "the other one does? A host that the other one shut out may write again.",
		    run->args[0]))
		return TOOL_FAILED;
	return say(run, json_pack("{s:s, s:s}", "cmd", "reservation.pick", "device", run->args[0]),
		"This controller's state counts; the device goes on everywhere.");
}

/* The ids of those who are missing; their names for people in text. NULL: no answer. A daemon of an
 * older version does not say: *ret_known is false. */
static json_t *missing(
	struct tool_run *run, char *text, size_t len, bool *ret_known, int *ret_status)
{
	json_t *ids = json_array(), *c;
	json_t *status = tool_call(run, json_pack("{s:s}", "cmd", "status"), ret_status);
	size_t i, at = 0;

	*ret_known = false;
	json_array_foreach(json_object_get(status, "controllers"), i, c)
	{
		*ret_known |= json_object_get(c, "missing") != NULL;
		if (!json_is_true(json_object_get(c, "missing")) || at >= len)
			continue;
		json_array_append(ids, json_object_get(c, "id"));
		at += (size_t)snprintf(text + at, len - at, "%s%lld (%s)", at ? ", " : "",
			json_integer_value(json_object_get(c, "id")),
			json_string_value(json_object_get(c, "name")));
	}
	if (!status) {
		json_decref(ids);
		return NULL;
	}
	json_decref(status);
	return ids;
}

/* Who was asked about is who is declared down: another one may be lost meanwhile. */
static int run_peer_down(struct tool_run *run)
{
	char text[1024] = "";
	bool known;
	int status;
	json_t *ids = missing(run, text, sizeof(text), &known, &status);
	bool many = json_array_size(ids) > 1;

	if (!ids)
		return status;
	if ((json_array_size(ids) || !known) &&
		!tool_confirm(run,
			"%s %s switched off, or cut off from the disks? If %s still writes, data "
			"will be lost. This controller goes on without %s from here.",
			!known ? "Is the one that is missing"
			: many ? "Are controllers"
			       : "Is controller",
			text, many ? "one" : "it", many ? "them" : "it")) {
		json_decref(ids);
		return TOOL_FAILED;
	}
	return say(run, json_pack("{s:s, s:o}", "cmd", "peer-down", "missing", ids),
		"The other controller is out; this one goes on alone.");
}

static int run_alone(struct tool_run *run)
{
	bool may_lose = tool_has(run, "may-lose");

	if (!tool_confirm(run,
		    "Start serving without the other controller? It must not be serving.%s",
		    may_lose ? " Reservations that it alone remembers are lost." : ""))
		return TOOL_FAILED;
	return say(run, json_pack("{s:s, s:b}", "cmd", "alone", "may_lose", may_lose),
		"This controller serves alone.");
}

static int run_leave(struct tool_run *run)
{
	return say(run, json_pack("{s:s}", "cmd", "leave"),
		"This controller has left; the other one goes on.");
}

static int run_discard(struct tool_run *run)
{
	if (!tool_confirm(run,
		    "Drop what this controller remembers of reservations, and take over what the "
		    "other one has?"))
		return TOOL_FAILED;
	return say(run, json_pack("{s:s}", "cmd", "discard"),
		"Dropped; this controller joins the other one.");
}

const struct tool_command tool_view_commands[] = {
	{"reservation break", "DEVICE", "take reservation and registrations away, everywhere",
		run_break, {{0}}},
	{"reservation pick", "DEVICE", "of a stopped device: what this controller has counts",
		run_pick, {{0}}},
	{"peer-down", "", "the other controller is down for certain: go on without it",
		run_peer_down, {{0}}},
	{"alone", "", "serve without the other controller, after a start", run_alone,
		{{"may-lose", NULL, "even if reservations that only the other knows are lost"}}},
	{"leave", "", "leave the pair on purpose; the other goes on at once", run_leave, {{0}}},
	{"discard", "", "drop what this controller remembers and join the other", run_discard,
		{{0}}},
	{0},
};
