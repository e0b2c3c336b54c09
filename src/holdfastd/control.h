/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: a unix socket on which the tool talks to the daemon, a line of JSON each way.
 *
 *	{"cmd": "device.create", "name": "a", ...}\n
 *	{"ok": true, ...}\n   or   {"ok": false, "error": "a sentence"}\n
 *
 * control.c is pure: lines to requests, replies to lines. control_uring.c owns the socket. What a
 * command does is registered by the daemon's wiring. doc/control.md has the shapes.
 */
#ifndef HF_CONTROL_H
#define HF_CONTROL_H

#include "loop.h"

#include <jansson.h>

enum {
	HF_CONTROL_LINE_MAX = 64 * 1024, /* a request, newline included */
	HF_CONTROL_CLIENTS_MAX = 16,	 /* at a time; more wait in the kernel's queue */
	HF_CONTROL_WAITS_MAX = 12, /* of them with a request that waits: then no more changes */
};

struct hf_control;

/* One request on its way; lives until it is answered. */
struct hf_control_req {
	json_t *args; /* the request's object, "cmd" included; borrowed until the reply */
	void *owner;  /* of the commands, as registered */
	bool crowded; /* as many requests wait for their answers as may */
	/* The socket's: takes the reply (given) and sends it. */
	void (*respond)(struct hf_control_req *req, json_t *reply);
};

struct hf_control_command {
	const char *name;
	/* The answer may have to wait for another controller or a disk: refused when crowded, so
	 * that the word that would end the wait (peer-down) always gets through. */
	bool waits;
	/* On the control loop. Must call hf_control_reply() or hf_control_fail() exactly once, now
	 * or later; the request is gone then. */
	void (*run)(struct hf_control_req *req);
};

/*
 * Listens on `path` (mode 0600; a left-over socket nobody listens on is replaced; -EADDRINUSE when
 * a daemon answers there). commands: kept, ends with a row without a name. Start-up only.
 */
int hf_control_open(struct hf_loop *control, const char *path,
	const struct hf_control_command *commands, void *owner, struct hf_control **ret,
	char *message, size_t message_len);
/* Stops accepting, closes clients that have no request out, removes the socket. done() when every
 * request has been answered and sent; maybe inside the call. */
void hf_control_close(struct hf_control *c, void (*done)(void *arg), void *arg);

/* reply: an object, given (its reference is taken); "ok": true is added. */
void hf_control_reply(struct hf_control_req *req, json_t *reply);
/* {"ok": false, "error": sentence, "errno": name of err}. */
void hf_control_fail(struct hf_control_req *req, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- arguments, for handlers: on a bad or missing one they answer the request and return false ---
 */

/* *ret borrowed from the request; required false and absent: *ret = NULL. */
bool hf_control_arg_string(struct hf_control_req *req, const char *key, bool required,
	size_t max_len, const char **ret);
/* Absent and not required: *ret keeps its value. */
bool hf_control_arg_uint(
	struct hf_control_req *req, const char *key, bool required, uint64_t max, uint64_t *ret);
bool hf_control_arg_bool(struct hf_control_req *req, const char *key, bool *ret);

/* --- pure, for tests and the fuzzer --- */

/* One line without its newline. An object with a string "cmd", or NULL with a sentence. */
json_t *hf_control_decode(const char *line, size_t len, char *message, size_t message_len);
/* Decodes the line into req->args and runs its command, or answers the request with what is wrong.
 * req->respond() has been, or will be, called exactly once. */
void hf_control_dispatch(struct hf_control_req *req, const struct hf_control_command *commands,
	const char *line, size_t len);

#endif
