/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of the control socket: each line is answered once, whatever is in it. */
#include "control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned answers;

static void respond(struct hf_control_req *req, json_t *reply)
{
	hf_assert(json_is_boolean(json_object_get(reply, "ok")));
	answers++;
	json_decref(reply);
}

static void run_args(struct hf_control_req *req)
{
	const char *name, *other;
	uint64_t number = 0;
	bool flag = false;

	if (hf_control_arg_string(req, "name", true, 63, &name) &&
		hf_control_arg_string(req, "layout", false, 16, &other) &&
		hf_control_arg_uint(req, "size_bytes", false, UINT64_MAX, &number) &&
		hf_control_arg_bool(req, "yes", &flag))
		hf_control_fail(req, EBUSY, "device %s is in use", name);
}

static void run_plain(struct hf_control_req *req)
{
	hf_control_reply(req, json_object());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hf_control_command commands[] = {
		{"device.create", .waits = true, .run = run_args},
		{"status", .run = run_plain},
		{NULL},
	};
	struct hf_control_req req = {.respond = respond, .crowded = size % 8 == 0};

	answers = 0;
	hf_control_dispatch(&req, commands, (const char *)data, size);
	hf_assert(answers == 1);
	return 0;
}
