/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the configuration file and the bus key file. A file with a secret in it that others may
 * read is refused. Called once, at start.
 */
#include "config.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1 << 20)

/* The whole file as a string on the heap, its mode in *ret_mode; NULL with a sentence. */
static char *read_file(const char *path, mode_t *ret_mode, char *message, size_t message_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	struct stat st;
	ssize_t n = -1;

	if (fd >= 0 && fstat(fd, &st) == 0)
		text = malloc(FILE_MAX_BYTES + 1);
	if (!text) {
		snprintf(message, message_len, "%s: %s; check the path and who may read it", path,
			strerror(errno));
		goto out;
	}
	while (len < FILE_MAX_BYTES && (n = read(fd, text + len, FILE_MAX_BYTES - len)) > 0)
		len += (size_t)n;
	if (n != 0 || memchr(text, '\0', len)) {
		snprintf(message, message_len, "%s: %s", path,
			n < 0	? strerror(errno)
			: n > 0 ? "longer than 1 MiB"
				: "not a text file");
		free(text);
		text = NULL;
		goto out;
	}
	text[len] = '\0';
	*ret_mode = st.st_mode;
out:
	if (fd >= 0)
		close(fd);
	return text;
}

static int load_key(struct hf_config *c, char *message, size_t message_len)
{
	mode_t mode;
	char *text = read_file(c->bus_key_file, &mode, message, message_len);
	int n;

	if (!text)
		return -EINVAL;
	n = hf_config_hex_decode(text, c->bus_key, sizeof(c->bus_key));
	explicit_bzero(text, strlen(text));
	free(text);
	if (mode & 077) {
		snprintf(message, message_len, "%s: others may read the bus key; run: chmod 600 %s",
			c->bus_key_file, c->bus_key_file);
		return -EINVAL;
	}
	if (n < HF_CONFIG_KEY_MIN) {
		snprintf(message, message_len,
			"%s: the bus key takes %d to %d bytes in hexadecimal; make one with: "
			"openssl "
			"rand -hex 32",
			c->bus_key_file, HF_CONFIG_KEY_MIN, HF_CONFIG_KEY_MAX);
		return -EINVAL;
	}
	c->bus_key_len = (size_t)n;
	return 0;
}

static bool has_secret(const struct hf_config *c)
{
	bool secret = c->iscsi.has_chap || c->iscsi.has_mutual_chap || c->bus_key_len;

	for (unsigned i = 0; i < c->iscsi.acl_len; i++)
		secret = secret || c->iscsi.acl[i].has_chap;
	return secret;
}

int hf_config_load(const char *path, unsigned self_id, struct hf_config **ret, char *message,
	size_t message_len)
{
	struct hf_config *c;
	mode_t mode;
	char *text = read_file(path, &mode, message, message_len);
	int rc;

	if (!text)
		return -EINVAL;
	rc = hf_config_parse(path, text, self_id, &c, message, message_len);
	explicit_bzero(text, strlen(text));
	free(text);
	if (rc < 0)
		return rc;
	if (has_secret(c) && (mode & 077)) {
		snprintf(message, message_len,
			"%s: others may read the secrets in it; run: chmod 600 %s", path, path);
		rc = -EINVAL;
	} else if (c->bus_key_file[0]) {
		rc = load_key(c, message, message_len);
	}
	if (rc < 0) {
		hf_config_destroy(c);
		return rc;
	}
	*ret = c;
	return 0;
}
