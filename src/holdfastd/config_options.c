/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of the configuration: a row each, and how its value is stored. Pure. Used by
 * config.c only.
 */
#include "config_options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* Stores a string whose length the row has checked already. */
#define SETTER_STRING(fn, type, member)                                                            \
	static int fn(struct parser *p, void *to, const char *value, unsigned line)                \
	{                                                                                          \
		snprintf(((type *)to)->member, sizeof(((type *)to)->member), "%s", value);         \
		return 0;                                                                          \
	}

#define SETTER_INT(fn, type, member)                                                               \
	static int fn(struct parser *p, void *to, long long value, unsigned line)                  \
	{                                                                                          \
		((type *)to)->member = (__typeof__(((type *)to)->member))value;                    \
		return 0;                                                                          \
	}

int hf_config_address_parse(const char *text, struct hf_config_address *ret)
{
	struct hf_config_address a = {.len = 0};
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN], *end;
	bool v6 = text[0] == '[';
	unsigned long port;
	size_t len;

	if (!colon || strlen(text) >= sizeof(a.text) || !isdigit((unsigned char)colon[1]))
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (*end || port < 1 || port > 65535)
		return -EINVAL;
	if (v6 && colon[-1] != ']')
		return -EINVAL;
	len = (size_t)(colon - text) - (v6 ? 2 : 0);
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text + (v6 ? 1 : 0), len);
	host[len] = '\0';
	if (v6) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons((uint16_t)port);
		a.len = sizeof(a.in6);
	} else {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons((uint16_t)port);
		a.len = sizeof(a.in);
	}
	if (inet_pton(v6 ? AF_INET6 : AF_INET, host,
		    v6 ? (void *)&a.in6.sin6_addr : (void *)&a.in.sin_addr) != 1)
		return -EINVAL;
	memcpy(a.text, text, strlen(text) + 1);
	*ret = a;
	return 0;
}

static int add_address(struct parser *p, const char *value, unsigned line,
	struct hf_config_address *list, unsigned *len)
{
	if (hf_config_address_parse(value, &list[*len]) < 0)
		return fail(p, line,
			"\"%s\" is no address; write it in digits with a port: "
			"\"192.0.2.1:3260\" or \"[2001:db8::1]:3260\"",
			value);
	++*len;
	return 0;
}

static int set_portal(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config_controller *c = to;

	return add_address(p, value, line, c->portals, &c->portals_len);
}

static int set_bus(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config_controller *c = to;

	return add_address(p, value, line, c->bus, &c->bus_len);
}

static int set_bus_listen(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config_controller *c = to;

	return add_address(p, value, line, c->bus_listen, &c->bus_listen_len);
}

static int add_disk(
	struct parser *p, struct hf_config_disks *disks, const char *value, unsigned line)
{
	if (!*value || strlen(value) > HF_CONFIG_URL_MAX)
		return fail(p, line, "a disk is a path or URL of 1 to %d characters",
			HF_CONFIG_URL_MAX);
	if (!disks->urls) {
		disks->urls = calloc(HF_PDEVS_MAX, sizeof(*disks->urls));
		if (!disks->urls)
			return fail(p, line, "out of memory");
	}
	for (unsigned i = 0; i < disks->len; i++) {
		if (strcmp(disks->urls[i], value) == 0)
			return fail(p, line, "a disk is listed twice; name it once");
	}
	snprintf(disks->urls[disks->len++], sizeof(*disks->urls), "%s", value);
	return 0;
}

static int set_disk(struct parser *p, void *to, const char *value, unsigned line)
{
	return add_disk(p, &((struct hf_config *)to)->disks, value, line);
}

static int set_controller_disk(struct parser *p, void *to, const char *value, unsigned line)
{
	return add_disk(p, &((struct hf_config_controller *)to)->disks, value, line);
}

static int enter_controller(struct parser *p, void *to, unsigned line, void **ret)
{
	struct hf_config *c = to;

	c->controllers[c->controllers_len].line = line;
	*ret = &c->controllers[c->controllers_len++];
	return 0;
}

static int enter_auth(struct parser *p, void *to, unsigned line, void **ret)
{
	p->auth_line = line;
	return 0;
}

/* bus = "corosync", or engine = "corosync" in the group. */
static int set_bus_engine(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config *c = to;

	p->bus_line = line;
	if (strcmp(value, "pair") == 0)
		c->bus = HF_CONFIG_BUS_PAIR;
	else if (strcmp(value, "corosync") == 0)
		c->bus = HF_CONFIG_BUS_COROSYNC;
	else
		return fail(p, line, "the bus is \"%s\"; it is \"pair\" or \"corosync\"", value);
	return 0;
}

static int set_on_quorum_loss(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config *c = to;

	if (strcmp(value, "freeze") != 0 && strcmp(value, "stop") != 0)
		return fail(p, line,
			"\"on-quorum-loss\" is \"%s\"; it takes \"freeze\" or \"stop\"", value);
	c->stop_without_quorum = strcmp(value, "stop") == 0;
	return 0;
}

static int enter_bus(struct parser *p, void *to, unsigned line, void **ret)
{
	p->bus_line = line;
	return 0;
}

static int enter_fence(struct parser *p, void *to, unsigned line, void **ret)
{
	p->fence_line = line;
	return 0;
}

static int enter_iscsi(struct parser *p, void *to, unsigned line, void **ret)
{
	p->iscsi_line = line;
	return 0;
}

static int enter_initiator(struct parser *p, void *to, unsigned line, void **ret)
{
	struct hf_iscsi_config *i = &((struct hf_config *)to)->iscsi;

	if (!i->acl) {
		i->acl = calloc(HF_CONFIG_ACL_MAX, sizeof(*i->acl));
		if (!i->acl)
			return fail(p, line, "out of memory");
	}
	p->acl_line[i->acl_len] = line;
	*ret = &i->acl[i->acl_len++];
	return 0;
}

/* iSCSI names are compared in lower case (RFC 7143, 4.2.7.2). */
static int store_iscsi_name(
	struct parser *p, const char *value, unsigned line, char *to, const char *example)
{
	if (strncasecmp(value, "iqn.", 4) != 0 && strncasecmp(value, "eui.", 4) != 0 &&
		strncasecmp(value, "naa.", 4) != 0)
		return fail(
			p, line, "\"%s\" is no iSCSI name; it looks like \"%s\"", value, example);
	for (; *value; value++) {
		unsigned char ch = (unsigned char)*value;

		/* Bytes past ASCII stand for prepared UTF-8 and are taken as they are. */
		if (ch < 0x80 && !isalnum(ch) && !strchr("-.:", ch))
			return fail(p, line,
				"an iSCSI name has letters, digits, \"-\", \".\" and "
				"\":\" only; it looks like \"%s\"",
				example);
		*to++ = (char)tolower(ch);
	}
	*to = '\0';
	return 0;
}

static int set_target(struct parser *p, void *to, const char *value, unsigned line)
{
	return store_iscsi_name(p, value, line, ((struct hf_config *)to)->iscsi.target_name,
		"iqn.2026-01.com.example:storage");
}

static int set_initiator_name(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_iscsi_acl *a = to;

	if (strcmp(value, "*") == 0) {
		memcpy(a->initiator, "*", 2);
		return 0;
	}
	return store_iscsi_name(p, value, line, a->initiator, "iqn.1993-08.org.debian:01:host");
}

static int set_initiator_user(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_iscsi_acl *a = to;

	a->has_chap = true;
	snprintf(a->chap.user, sizeof(a->chap.user), "%s", value);
	return 0;
}

static int set_user(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_iscsi_config *i = &((struct hf_config *)to)->iscsi;

	i->has_chap = true;
	snprintf(i->chap.user, sizeof(i->chap.user), "%s", value);
	return 0;
}

static int set_mutual_user(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_iscsi_config *i = &((struct hf_config *)to)->iscsi;

	i->has_mutual_chap = true;
	snprintf(i->mutual_chap.user, sizeof(i->mutual_chap.user), "%s", value);
	return 0;
}

int hf_config_hex_decode(const char *text, uint8_t *buf, size_t cap)
{
	size_t n = 0;

	while (isspace((unsigned char)*text))
		text++;
	for (; isxdigit((unsigned char)text[0]); text += 2) {
		unsigned byte;

		if (!isxdigit((unsigned char)text[1]) || n == cap ||
			sscanf(text, "%2x", &byte) != 1)
			return -EINVAL;
		buf[n++] = (uint8_t)byte;
	}
	while (isspace((unsigned char)*text))
		text++;
	return *text ? -EINVAL : (int)n;
}

static int set_bus_key(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config *c = to;
	int n = hf_config_hex_decode(value, c->bus_key, sizeof(c->bus_key));

	if (n < HF_CONFIG_KEY_MIN)
		return fail(p, line,
			"the bus key takes %d to %d bytes in hexadecimal; "
			"make one with: openssl rand -hex 32",
			HF_CONFIG_KEY_MIN, HF_CONFIG_KEY_MAX);
	c->bus_key_len = (size_t)n;
	return 0;
}

static int set_on_peer_loss(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config *c = to;

	if (strcmp(value, "freeze") == 0)
		c->on_peer_loss = HF_CONFIG_FREEZE;
	else if (strcmp(value, "fence") == 0)
		c->on_peer_loss = HF_CONFIG_FENCE;
	else
		return fail(p, line, "\"on-peer-loss\" is \"%s\"; it takes \"freeze\" or \"fence\"",
			value);
	return 0;
}

static int set_engine(struct parser *p, void *to, const char *value, unsigned line)
{
	static const char *const words[] = {
		[HF_LOOP_AUTO] = "auto", [HF_LOOP_URING] = "io_uring", [HF_LOOP_EPOLL] = "epoll"};

	for (unsigned i = 0; i < HF_ARRAY_LEN(words); i++) {
		if (strcmp(value, words[i]) != 0)
			continue;
		((struct hf_config *)to)->engine = (enum hf_loop_engine)i;
		return 0;
	}
	return fail(p, line, "\"engine\" is \"%s\"; it takes \"auto\", \"io_uring\" or \"epoll\"",
		value);
}

static int set_fence_driver(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config *c = to;

	if (strcmp(value, "command") == 0)
		c->fence.driver = HF_CONFIG_FENCE_COMMAND;
	else if (strcmp(value, "lease") == 0)
		c->fence.driver = HF_CONFIG_FENCE_LEASE;
	else if (strcmp(value, "pr") == 0)
		c->fence.driver = HF_CONFIG_FENCE_PR;
	else
		return fail(p, line,
			"fence: \"driver\" is \"%s\"; it takes \"command\", \"lease\" or "
			"\"pr\"",
			value);
	return 0;
}

static int set_fence_command(struct parser *p, void *to, const char *value, unsigned line)
{
	struct hf_config_controller *k = to;

	if (k->fence_args_len == 0 && value[0] != '/')
		return fail(p, line,
			"\"fence-command\" begins with \"%s\"; it begins with the whole path of a "
			"fence agent",
			value);
	k->fence_args[k->fence_args_len] = strdup(value);
	if (!k->fence_args[k->fence_args_len])
		return fail(p, line, "out of memory");
	k->fence_args_len++;
	return 0;
}

static int set_log_level(struct parser *p, void *to, const char *value, unsigned line)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

	for (unsigned i = 0; i < HF_ARRAY_LEN(names); i++) {
		if (strcmp(value, names[i]) == 0) {
			((struct hf_config *)to)->log_level =
				(enum hf_log_priority)(HF_LOG_ERROR + (int)i);
			return 0;
		}
	}
	return fail(p, line,
		"\"log-level\" is \"%s\"; it takes error, warning, notice, info or debug", value);
}

SETTER_STRING(set_cluster, struct hf_config, cluster)
SETTER_STRING(set_control_socket, struct hf_config, control_socket)
SETTER_STRING(set_bus_key_file, struct hf_config, bus_key_file)
SETTER_STRING(set_target_alias, struct hf_config, iscsi.target_alias)
SETTER_STRING(set_secret, struct hf_config, iscsi.chap.secret)
SETTER_STRING(set_mutual_secret, struct hf_config, iscsi.mutual_chap.secret)
SETTER_STRING(set_controller_name, struct hf_config_controller, name)
SETTER_STRING(set_initiator_secret, struct hf_iscsi_acl, chap.secret)
SETTER_INT(set_controller, struct hf_config, controller)
SETTER_INT(set_heartbeat_ms, struct hf_config, heartbeat_ms)
SETTER_INT(set_silence_ms, struct hf_config, silence_ms)
SETTER_INT(set_retry_ms, struct hf_config, retry_ms)
SETTER_INT(set_bound_ms, struct hf_config, bound_ms)
SETTER_INT(set_command_ms, struct hf_config, fence.command_ms)
SETTER_STRING(set_watchdog, struct hf_config, fence.watchdog)
SETTER_INT(set_watchdog_ms, struct hf_config, fence.watchdog_ms)
SETTER_INT(set_path_ms, struct hf_config, fence.path_ms)
SETTER_INT(set_loops, struct hf_config, loops)
SETTER_INT(set_busy_poll_us, struct hf_config, busy_poll_us)
SETTER_INT(set_allow_none, struct hf_config, iscsi.allow_none)
SETTER_INT(set_discovery_chap, struct hf_config, iscsi.discovery_needs_chap)
SETTER_INT(set_queue_depth, struct hf_config, iscsi.queue_depth)
SETTER_INT(set_digests_required, struct hf_config, iscsi.digests_required)
SETTER_INT(set_max_recv, struct hf_config, iscsi.max_recv_data_segment_bytes)
SETTER_INT(set_max_burst, struct hf_config, iscsi.max_burst_bytes)
SETTER_INT(set_first_burst, struct hf_config, iscsi.first_burst_bytes)
SETTER_INT(set_nop_interval, struct hf_config, iscsi.nop_interval_ms)
SETTER_INT(set_nop_timeout, struct hf_config, iscsi.nop_timeout_ms)
SETTER_INT(set_login_timeout, struct hf_config, iscsi.login_timeout_ms)
SETTER_INT(set_id, struct hf_config_controller, id)
SETTER_INT(set_rtpi, struct hf_config_controller, rtpi)

/* Rows: name, type, range, then what stores it. RFC 7143, 9.2.1 wants secrets of 96 bits. */
#define STRING(n, lo, hi, fn)                                                                      \
	{                                                                                          \
		.name = n, .type = OPTION_STRING, .min = lo, .max = hi, .set_string = fn           \
	}
#define NEEDED(n, lo, hi, fn)                                                                      \
	{                                                                                          \
		.name = n, .type = OPTION_STRING, .min = lo, .max = hi, .set_string = fn,          \
		.required = true                                                                   \
	}
#define STRINGS(n, lo, hi, fn)                                                                     \
	{                                                                                          \
		.name = n, .type = OPTION_STRINGS, .min = lo, .max = hi, .set_string = fn          \
	}
#define INT(n, lo, hi, fn)                                                                         \
	{                                                                                          \
		.name = n, .type = OPTION_INT, .min = lo, .max = hi, .set_int = fn                 \
	}
#define BOOL(n, fn)                                                                                \
	{                                                                                          \
		.name = n, .type = OPTION_BOOL, .set_int = fn                                      \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static const struct option_row controller_rows[] = {
	{.name = "id",
		.type = OPTION_INT,
		.min = 1,
		.max = HF_CONTROLLERS_MAX,
		.set_int = set_id,
		.required = true},
	STRING("name", 1, HF_NAME_MAX, set_controller_name),
	INT("rtpi", 1, 65535, set_rtpi),
	{.name = "portals",
		.type = OPTION_STRINGS,
		.min = 1,
		.max = HF_CONFIG_PORTALS_MAX,
		.set_string = set_portal,
		.required = true},
	STRINGS("bus", 1, HF_CONFIG_LINKS_MAX, set_bus),
	STRINGS("bus-listen", 1, HF_CONFIG_LINKS_MAX, set_bus_listen),
	STRINGS("disks", 1, HF_PDEVS_MAX, set_controller_disk),
	STRINGS("fence-command", 1, HF_CONFIG_ARGS_MAX, set_fence_command),
	END,
};

static const struct option_row initiator_rows[] = {
	NEEDED("name", 1, HF_ISCSI_NAME_MAX, set_initiator_name),
	STRING("user", 1, HF_NAME_MAX, set_initiator_user),
	STRING("secret", 12, 255, set_initiator_secret),
	END,
};

static const struct option_row auth_rows[] = {
	BOOL("allow-none", set_allow_none),
	STRING("user", 1, HF_NAME_MAX, set_user),
	STRING("secret", 12, 255, set_secret),
	STRING("mutual-user", 1, HF_NAME_MAX, set_mutual_user),
	STRING("mutual-secret", 12, 255, set_mutual_secret),
	BOOL("discovery-chap", set_discovery_chap),
	{.name = "initiators",
		.type = OPTION_GROUPS,
		.min = 0,
		.max = HF_CONFIG_ACL_MAX,
		.enter = enter_initiator,
		.rows = initiator_rows},
	END,
};

static const struct option_row bus_rows[] = {
	STRING("engine", 1, 16, set_bus_engine),
	STRING("on-quorum-loss", 1, 16, set_on_quorum_loss),
	STRING("key", 1, 2 * HF_CONFIG_KEY_MAX, set_bus_key),
	STRING("key-file", 1, HF_CONFIG_URL_MAX, set_bus_key_file),
	INT("heartbeat-ms", 10, 10000, set_heartbeat_ms),
	INT("silence-ms", 50, 60000, set_silence_ms),
	INT("retry-ms", 1, 1000, set_retry_ms),
	INT("bound-ms", 100, 120000, set_bound_ms),
	END,
};

static const struct option_row fence_rows[] = {
	NEEDED("driver", 1, 16, set_fence_driver),
	INT("command-timeout-ms", 100, 600000, set_command_ms),
	STRING("watchdog", 1, HF_CONFIG_URL_MAX, set_watchdog),
	INT("watchdog-ms", 1000, 60000, set_watchdog_ms),
	INT("io-bound-ms", 0, 60000, set_path_ms),
	END,
};

static const struct option_row iscsi_rows[] = {
	INT("queue-depth", 1, 1024, set_queue_depth),
	BOOL("digests-required", set_digests_required),
	INT("max-recv-data-segment-bytes", 512, HF_XFER_MAX_BYTES, set_max_recv),
	INT("max-burst-bytes", 512, HF_XFER_MAX_BYTES, set_max_burst),
	INT("first-burst-bytes", 512, HF_XFER_MAX_BYTES, set_first_burst),
	INT("nop-interval-ms", 0, 600000, set_nop_interval),
	INT("nop-timeout-ms", 0, 600000, set_nop_timeout),
	INT("login-timeout-ms", 100, 600000, set_login_timeout),
	END,
};

const struct option_row hf_config_rows[] = {
	NEEDED("cluster", 1, HF_NAME_MAX, set_cluster),
	INT("controller", 1, HF_CONTROLLERS_MAX, set_controller),
	{.name = "controllers",
		.type = OPTION_GROUPS,
		.min = 1,
		.max = HF_CONTROLLERS_MAX,
		.enter = enter_controller,
		.rows = controller_rows,
		.required = true},
	NEEDED("target", 5, HF_ISCSI_NAME_MAX, set_target),
	STRING("target-alias", 1, HF_NAME_MAX, set_target_alias),
	STRINGS("disks", 1, HF_PDEVS_MAX, set_disk),
	{.name = "auth",
		.type = OPTION_GROUP,
		.enter = enter_auth,
		.rows = auth_rows,
		.required = true},
	{.name = "bus",
		.type = OPTION_GROUP,
		.max = 16,
		.enter = enter_bus,
		.rows = bus_rows,
		.set_string = set_bus_engine},
	{.name = "iscsi", .type = OPTION_GROUP, .enter = enter_iscsi, .rows = iscsi_rows},
	STRING("on-peer-loss", 1, 16, set_on_peer_loss),
	{.name = "fence", .type = OPTION_GROUP, .enter = enter_fence, .rows = fence_rows},
	INT("loops", 0, HF_LOOPS_MAX, set_loops),
	STRING("engine", 1, 16, set_engine),
	INT("busy-poll-us", 0, 1000000, set_busy_poll_us),
	STRING("control-socket", 2, 107, set_control_socket),
	STRING("log-level", 1, 16, set_log_level),
	END,
};
