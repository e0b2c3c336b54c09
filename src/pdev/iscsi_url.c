/* SPDX-License-Identifier: BSD-3-Clause */
/* The URL of an iSCSI LUN; the grammar is in iscsi_url.h. */
#include "iscsi_url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define FORM "iscsi://[USER%SECRET@]HOST[:PORT]/TARGET/LUN"

static int refuse(char *message, size_t message_len, const char *why)
{
	snprintf(message, message_len, "the iSCSI URL %s; it is %s", why, FORM);
	return -EINVAL;
}

/* Copies text[0..len) as a string; false when it is empty or too long. */
static bool take(const char *text, size_t len, char *to, size_t to_size)
{
	if (!len || len >= to_size)
		return false;
	memcpy(to, text, len);
	to[len] = '\0';
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A name of RFC 7143, 4.2.7: lowered, with %XX decoded. */
static bool take_name(const char *text, size_t len, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)text[i];

		if (c == '%') {
			if (len - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
				return false;
			c = hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]);
			i += 2;
		}
		if (c <= ' ' || c == 0x7f || n == HF_ISCSI_NAME_MAX)
			return false;
		to[n++] = (char)(c < 0x80 ? tolower(c) : c);
	}
	to[n] = '\0';
	return !strncmp(to, "iqn.", 4) || !strncmp(to, "eui.", 4) || !strncmp(to, "naa.", 4);
}

static bool take_number(const char *text, size_t len, unsigned long max, unsigned long *ret)
{
	unsigned long value = 0;

	if (!len || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (unsigned long)(text[i] - '0');
	}
	*ret = value;
	return value <= max;
}

/* HOST[:PORT], text[0..len). NULL, or what is wrong. */
static const char *parse_portal(const char *text, size_t len, struct hf_iscsi_url *u)
{
	const char *end = text + len, *host = text, *host_end, *colon;
	unsigned long port = 3260;

	if (len && *text == '[') {
		host = text + 1;
		host_end = memchr(host, ']', len - 1);
		if (!host_end)
			return "has an IPv6 address without its \"]\"";
		colon = host_end + 1 < end ? host_end + 1 : NULL;
		if (colon && *colon != ':')
			return "has something between \"]\" and the port";
	} else {
		colon = memchr(text, ':', len);
		host_end = colon ? colon : end;
		if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
			return "has an IPv6 address without brackets";
	}
	if (!take(host, (size_t)(host_end - host), u->host, sizeof(u->host)))
		return "names no host";
	if (colon && (!take_number(colon + 1, (size_t)(end - colon - 1), 65535, &port) || !port))
		return "has a port that is no number from 1 to 65535";
	u->port = (uint16_t)port;
	return NULL;
}

/* USER%SECRET, text[0..len). */
static const char *parse_account(const char *text, size_t len, struct hf_iscsi_url *u)
{
	const char *percent = memchr(text, '%', len);
	size_t user_len = percent ? (size_t)(percent - text) : 0;

	if (!percent || !take(text, user_len, u->user, sizeof(u->user)) ||
		!take(percent + 1, len - user_len - 1, u->secret, sizeof(u->secret)))
		return "has an \"@\" without USER%SECRET before it";
	return NULL;
}

static bool take_switch(const char *text, size_t len, bool *ret)
{
	*ret = len == 2 && !memcmp(text, "on", 2);
	return *ret || (len == 3 && !memcmp(text, "off", 3));
}

static const char *parse_option(const char *text, size_t len, struct hf_iscsi_url *u)
{
	const char *equals = memchr(text, '=', len), *value;
	size_t name_len = equals ? (size_t)(equals - text) : len, value_len;
	bool is_on;

	if (!equals)
		return "has an option without \"=\"";
	value = equals + 1;
	value_len = len - name_len - 1;
#define IS(word) (name_len == strlen(word) && !memcmp(text, word, name_len))
	if (IS("initiator"))
		return take_name(value, value_len, u->initiator)
			       ? NULL
			       : "has an initiator= that is no iSCSI name";
	if (IS("target_user"))
		return take(value, value_len, u->target_user, sizeof(u->target_user))
			       ? NULL
			       : "has an empty target_user=";
	if (IS("target_password"))
		return take(value, value_len, u->target_secret, sizeof(u->target_secret))
			       ? NULL
			       : "has an empty target_password=";
	if (IS("reset")) {
		if (!take_switch(value, value_len, &is_on))
			return "has a reset= that is neither on nor off";
		u->no_reset = !is_on;
		return NULL;
	}
	if (IS("gone"))
		return take_switch(value, value_len, &u->is_gone)
			       ? NULL
			       : "has a gone= that is neither on nor off";
#undef IS
	return "has an unknown option; there are gone=, initiator=, reset=, target_user= and "
	       "target_password=";
}

static const char *parse_options(const char *text, struct hf_iscsi_url *u)
{
	const char *wrong = NULL;

	while (*text && !wrong) {
		size_t len = strcspn(text, "&");

		wrong = parse_option(text, len, u);
		text += len + (text[len] == '&');
	}
	if (!wrong && !u->target_user[0] != !u->target_secret[0])
		wrong = "has one of target_user= and target_password= without the other";
	if (!wrong && u->target_user[0] && !u->user[0])
		wrong = "asks the target for a secret and gives none itself";
	return wrong;
}

int hf_iscsi_url_parse(
	const char *what, struct hf_iscsi_url *ret, char *message, size_t message_len)
{
	const char *slash = strchr(what, '/'), *at, *target, *lun, *options, *wrong = NULL;
	struct hf_iscsi_url u = {.port = 0};
	unsigned long number;

	if (!slash)
		return refuse(message, message_len, "names no target");
	/* A secret may contain an "@"; what is behind the last one is the host. */
	at = memrchr(what, '@', (size_t)(slash - what));
	target = slash + 1;
	options = target + strcspn(target, "?");
	lun = memchr(target, '/', (size_t)(options - target));
	if (!lun)
		return refuse(message, message_len, "names no LUN");
	if (at)
		wrong = parse_account(what, (size_t)(at - what), &u);
	if (!wrong)
		wrong = parse_portal(
			at ? at + 1 : what, (size_t)(slash - (at ? at + 1 : what)), &u);
	if (!wrong && !take_name(target, (size_t)(lun - target), u.target))
		wrong = "has a target that is no iSCSI name (iqn., eui. or naa.)";
	if (!wrong && !take_number(lun + 1, (size_t)(options - lun - 1), HF_LUN_MAX, &number))
		wrong = "has a LUN that is no number from 0 to 16383";
	if (!wrong && *options)
		wrong = parse_options(options + 1, &u);
	if (wrong)
		return refuse(message, message_len, wrong);
	u.lun = (uint16_t)number;
	*ret = u;
	return 0;
}

void hf_iscsi_url_mask(const char *url, char *to, size_t to_len)
{
	const char *start = strstr(url, "iscsi://"), *slash, *at, *percent, *password;
	size_t n;

	snprintf(to, to_len, "%s", url);
	if (!start)
		return;
	start += strlen("iscsi://");
	slash = strchr(start, '/');
	at = slash ? memrchr(start, '@', (size_t)(slash - start)) : strrchr(start, '@');
	percent = at ? memchr(start, '%', (size_t)(at - start)) : NULL;
	if (percent)
		snprintf(to, to_len, "%.*s%%***%s", (int)(percent - url), url, at);
	password = strstr(to, "target_password=");
	if (!password)
		return;
	n = (size_t)(password - to) + strlen("target_password=");
	password = to + n + strcspn(to + n, "&");
	if (n + 4 <= to_len) {
		char rest[HF_ISCSI_URL_PART_MAX + 1];

		snprintf(rest, sizeof(rest), "%s", password);
		snprintf(to + n, to_len - n, "***%s", rest);
	}
}
