/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests and replies of the control socket: JSON in, the right command, JSON out. Pure: what
 * sends the reply is a function in the request. Called by control_uring.c and the handlers.
 */
#include "control.h"

#include <stdarg.h>
#include <stdio.h>

json_t *hf_control_decode(const char *line, size_t len, char *message, size_t message_len)
{
	json_error_t error;
	json_t *args = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);

	if (!args) {
		snprintf(message, message_len, "the request is no JSON object: %s (at byte %d)",
			error.text, error.position);
		return NULL;
	}
	if (!json_is_object(args) || !json_is_string(json_object_get(args, "cmd"))) {
		snprintf(message, message_len,
			"the request has no \"cmd\"; it looks like {\"cmd\": \"status\"}");
		json_decref(args);
		return NULL;
	}
	return args;
}

void hf_control_dispatch(struct hf_control_req *req, const struct hf_control_command *commands,
	const char *line, size_t len)
{
	char message[256];
	const char *name;

	req->args = hf_control_decode(line, len, message, sizeof(message));
	if (!req->args) {
		hf_control_fail(req, EBADMSG, "%s", message);
		return;
	}
	name = json_string_value(json_object_get(req->args, "cmd"));
	for (const struct hf_control_command *c = commands; c->name; c++) {
		if (strcmp(c->name, name) != 0)
			continue;
		if (c->waits && req->crowded)
			hf_control_fail(req, EBUSY,
				"%d requests wait for their answers already; look at `holdfast "
				"status` for what they wait for, and say this again when it is "
				"over",
				HF_CONTROL_WAITS_MAX);
		else
			c->run(req);
		return;
	}
	hf_control_fail(req, ENOSYS,
		"this daemon (%s) knows no command \"%.64s\"; are tool and daemon of one version?",
		HF_VERSION, name);
}

static void respond(struct hf_control_req *req, json_t *reply)
{
	/* The arguments may still be in use while the reply is put together, not after. */
	json_t *args = req->args;

	req->args = NULL;
	req->respond(req, reply);
	json_decref(args);
}

void hf_control_reply(struct hf_control_req *req, json_t *reply)
{
	hf_assert(json_is_object(reply));
	hf_assert(json_object_set_new(reply, "ok", json_true()) == 0);
	respond(req, reply);
}

void hf_control_fail(struct hf_control_req *req, int err, const char *fmt, ...)
{
	char sentence[512];
	const char *name = strerrorname_np(err);
	json_t *reply, *text;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	/* A name cut in the middle of a character, or never valid, must not lose the sentence. */
	text = json_string(sentence);
	if (!text) {
		for (char *c = sentence; *c; c++) {
			if ((unsigned char)*c >= 0x80)
				*c = '?';
		}
		text = json_string(sentence);
	}
	reply = json_pack("{s:b, s:o, s:s}", "ok", 0, "error", text, "errno", name ? name : "EIO");
	hf_assert(reply);
	respond(req, reply);
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		break;
	}
	return "null";
}

/* The argument; NULL when absent, with *ret_ok false when that is an error (answered). */
static json_t *arg(struct hf_control_req *req, const char *key, bool required, bool *ret_ok)
{
	json_t *value = json_object_get(req->args, key);

	if (json_is_null(value))
		value = NULL;
	*ret_ok = value || !required;
	if (!*ret_ok)
		hf_control_fail(req, EINVAL, "the request has no \"%s\"", key);
	return value;
}

static bool wrong_type(
	struct hf_control_req *req, const char *key, const json_t *value, const char *wanted)
{
	hf_control_fail(
		req, EINVAL, "\"%s\" is %s; it has to be %s", key, type_name(value), wanted);
	return false;
}

bool hf_control_arg_string(struct hf_control_req *req, const char *key, bool required,
	size_t max_len, const char **ret)
{
	bool ok;
	json_t *value = arg(req, key, required, &ok);

	if (!ok)
		return false;
	if (value && !json_is_string(value))
		return wrong_type(req, key, value, "a string");
	if (value && (json_string_length(value) == 0 || json_string_length(value) > max_len)) {
		hf_control_fail(req, EINVAL, "\"%s\" has %zu characters; it takes 1 to %zu", key,
			json_string_length(value), max_len);
		return false;
	}
	*ret = value ? json_string_value(value) : NULL;
	return true;
}

bool hf_control_arg_uint(
	struct hf_control_req *req, const char *key, bool required, uint64_t max, uint64_t *ret)
{
	bool ok;
	json_t *value = arg(req, key, required, &ok);

	if (!ok)
		return false;
	if (!value)
		return true;
	if (!json_is_integer(value))
		return wrong_type(req, key, value, "a whole number");
	if (json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max) {
		hf_control_fail(req, EINVAL, "\"%s\" is %lld; it takes 0 to %llu", key,
			(long long)json_integer_value(value), (unsigned long long)max);
		return false;
	}
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

bool hf_control_arg_bool(struct hf_control_req *req, const char *key, bool *ret)
{
	bool ok;
	json_t *value = arg(req, key, false, &ok);

	if (!value)
		return ok;
	if (!json_is_boolean(value))
		return wrong_type(req, key, value, "true or false");
	*ret = json_is_true(value);
	return true;
}
