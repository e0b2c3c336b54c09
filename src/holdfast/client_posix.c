/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request to the daemon and its reply; and the question on the terminal. Called by the
 * commands. A lost connection is told apart from a refusal: scripts have to know.
 */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_daemon(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		tool_fail("%s: the path of a socket takes at most %zu bytes", path,
			sizeof(a.sun_path) - 1);
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		tool_fail("no holdfastd answers on %s; start it, or name its socket with --socket",
			path);
	else if (errno == EACCES)
		tool_fail(
			"%s: permission denied; only the user who runs holdfastd may use it", path);
	else
		tool_fail("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* false: the connection broke. */
static bool send_line(int fd, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len, sent = 0;

	hf_assert(text);
	len = strlen(text);
	text[len++] = '\n'; /* in the NUL's place */
	while (sent < len) {
		ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	free(text);
	return sent == len;
}

static json_t *receive_line(int fd)
{
	size_t len = 0, room = 65536;
	char *text = malloc(room);
	json_t *reply;

	for (;;) {
		ssize_t n;

		if (text && len == room) {
			room *= 2;
			text = realloc(text, room);
		}
		hf_assert(text);
		n = recv(fd, text + len, room - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (text[len - 1] == '\n')
			break;
	}
	reply = len ? json_loadb(text, len, 0, NULL) : NULL;
	free(text);
	return reply;
}

json_t *tool_call(struct tool_run *run, json_t *request, int *ret_status)
{
	int fd = connect_daemon(run->socket);
	json_t *reply = NULL;

	*ret_status = TOOL_UNREACHABLE;
	if (fd >= 0) {
		if (send_line(fd, request))
			reply = receive_line(fd);
		if (!reply)
			tool_fail("holdfastd closed the connection without an answer; whether it "
				  "carried out the request is not known: look at its log");
		close(fd);
	}
	json_decref(request);
	if (!reply)
		return NULL;
	if (json_is_true(json_object_get(reply, "ok"))) {
		*ret_status = TOOL_OK;
		return reply;
	}
	*ret_status = TOOL_FAILED;
	if (run->json) {
		json_dumpf(reply, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	if (json_is_string(json_object_get(reply, "error")))
		tool_fail("%s", json_string_value(json_object_get(reply, "error")));
	else
		tool_fail("holdfastd gave an answer that this tool (%s) does not understand",
			HF_VERSION);
	json_decref(reply);
	return NULL;
}

json_t *tool_call_show(struct tool_run *run, json_t *request, int *ret_status)
{
	json_t *reply = tool_call(run, request, ret_status);

	if (!reply || !run->json)
		return reply;
	json_dumpf(reply, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(reply);
	return NULL;
}

bool tool_confirm(const struct tool_run *run, const char *fmt, ...)
{
	char answer[16] = "";
	va_list ap;

	if (run->yes)
		return true;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "\n");
		tool_fail("nothing was done; say --yes to do this without being asked");
		return false;
	}
	fprintf(stderr, " Type yes to go on: ");
	if (fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0)
		return true;
	fprintf(stderr, "Nothing was done.\n");
	return false;
}
