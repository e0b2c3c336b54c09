/* SPDX-License-Identifier: BSD-3-Clause */
/* key=value text: pairs, numbers, binary values, lists, names. Pure; bounded by the text's end. */
#include "keys.h"

#include <stdio.h>

int hf_keys_next(char **at, char *end, struct hf_key *ret)
{
	char *p = *at, *nul, *equals;

	/* Some initiators pad with more than one NUL. */
	while (p < end && *p == '\0')
		p++;
	if (p == end) {
		*at = p;
		return 0;
	}
	nul = memchr(p, '\0', (size_t)(end - p));
	if (!nul)
		return -EBADMSG;
	equals = memchr(p, '=', (size_t)(nul - p));
	if (!equals || equals == p || equals - p > HF_KEY_NAME_MAX)
		return -EBADMSG;
	*equals = '\0';
	ret->name = p;
	ret->value = equals + 1;
	*at = nul + 1;
	return 1;
}

void hf_keys_put(struct hf_wr *w, const char *name, const char *value)
{
	hf_wr_bytes(w, name, strlen(name));
	hf_wr_u8(w, '=');
	hf_wr_bytes(w, value, strlen(value) + 1);
}

void hf_keys_put_number(struct hf_wr *w, const char *name, uint32_t value)
{
	char digits[12];

	snprintf(digits, sizeof(digits), "%u", value);
	hf_keys_put(w, name, digits);
}

void hf_keys_put_binary(struct hf_wr *w, const char *name, const void *value, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = value;

	hf_wr_bytes(w, name, strlen(name));
	hf_wr_bytes(w, "=0x", 3);
	for (size_t i = 0; i < len; i++) {
		hf_wr_u8(w, (uint8_t)digits[p[i] >> 4]);
		hf_wr_u8(w, (uint8_t)digits[p[i] & 15]);
	}
	hf_wr_u8(w, '\0');
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_prefixed(const char *value, char kind)
{
	return value[0] == '0' && (value[1] | 0x20) == kind;
}

int hf_keys_number(const char *value, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t n = 0, base = is_prefixed(value, 'x') ? 16 : 10;

	if (base == 16)
		value += 2;
	if (!*value)
		return -EINVAL;
	for (; *value; value++) {
		int digit = hex_digit(*value);

		if (digit < 0 || (uint64_t)digit >= base)
			return -EINVAL;
		n = n * base + (uint64_t)digit;
		if (n > UINT32_MAX)
			return -ERANGE;
	}
	if (n < min || n > max)
		return -ERANGE;
	*ret = (uint32_t)n;
	return 0;
}

/* An odd number of digits has a leading zero left out. */
static int hex_value(const char *digits, uint8_t *buf, size_t cap)
{
	size_t n = strlen(digits), len = (n + 1) / 2, odd = n & 1;

	if (n == 0)
		return -EINVAL;
	if (len > cap)
		return -ERANGE;
	memset(buf, 0, len);
	for (size_t i = 0; i < n; i++) {
		int digit = hex_digit(digits[i]);

		if (digit < 0)
			return -EINVAL;
		buf[(i + odd) / 2] = (uint8_t)(buf[(i + odd) / 2] << 4 | digit);
	}
	return (int)len;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int base64_value(const char *digits, uint8_t *buf, size_t cap)
{
	size_t n = strlen(digits), len = 0;
	uint32_t bits = 0, have = 0;

	if (n == 0 || n % 4)
		return -EINVAL;
	for (int pads = 0; pads < 2 && digits[n - 1] == '='; pads++)
		n--;
	for (size_t i = 0; i < n; i++) {
		int digit = base64_digit(digits[i]);

		if (digit < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (len == cap)
			return -ERANGE;
		buf[len++] = (uint8_t)(bits >> have);
	}
	return len ? (int)len : -EINVAL;
}

int hf_keys_binary(const char *value, uint8_t *buf, size_t cap)
{
	if (is_prefixed(value, 'x'))
		return hex_value(value + 2, buf, cap);
	if (is_prefixed(value, 'b'))
		return base64_value(value + 2, buf, cap);
	return -EINVAL;
}

bool hf_keys_list_item(const char *list, unsigned index, char *item, size_t cap)
{
	size_t len;

	for (; index; index--) {
		list = strchr(list, ',');
		if (!list)
			return false;
		list++;
	}
	len = strcspn(list, ",");
	item[0] = '\0';
	if (len < cap) {
		memcpy(item, list, len);
		item[len] = '\0';
	}
	return true;
}

bool hf_keys_list_has(const char *list, const char *item)
{
	char one[32];

	for (unsigned i = 0; i < HF_KEYS_MAX && hf_keys_list_item(list, i, one, sizeof(one)); i++) {
		if (!strcmp(one, item))
			return true;
	}
	return false;
}

static bool is_name_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == ':' || c >= 0x80;
}

int hf_keys_iscsi_name(const char *value, char name[static HF_ISCSI_NAME_MAX + 1])
{
	char lower[HF_ISCSI_NAME_MAX + 1];
	size_t len = strlen(value);

	if (len < 5 || len > HF_ISCSI_NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i <= len; i++) {
		char c = value[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		if (i < len && !is_name_byte((unsigned char)lower[i]))
			return -EINVAL;
	}
	if (memcmp(lower, "iqn.", 4) && memcmp(lower, "eui.", 4) && memcmp(lower, "naa.", 4))
		return -EINVAL;
	memcpy(name, lower, len + 1);
	return 0;
}
