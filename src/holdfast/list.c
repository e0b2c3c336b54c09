/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of the daemon's objects, a row each. */
#include "tool.h"

json_t *tool_list(struct tool_run *run, const char *cmd, const char *member, const char *titles,
	void (*row)(struct table *t, const json_t *object), int *ret_status)
{
	json_t *reply = tool_call_show(run, json_pack("{s:s}", "cmd", cmd), ret_status), *object;
	struct table *t;
	size_t i;

	if (!reply)
		return NULL;
	t = table_create(titles);
	json_array_foreach(json_object_get(reply, member), i, object) row(t, object);
	table_print_and_destroy(t, stdout);
	return reply;
}
