/* SPDX-License-Identifier: BSD-3-Clause */
/* Which driver a URL means; the grammar is in pdev.h. Called by the pool and by tools. */
#include "driver.h"
#include "fault.h"
#include "iscsi_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct open_args {
	const struct hf_pdev_owner *owner;
	struct hf_loop *const *loops;
	unsigned loops_len;
	char *message;
	size_t message_len;
};

static int open_any(const char *url, const struct open_args *a, struct hf_pdev **ret);

static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) ? NULL : text + n;
}

static int open_memory(const char *what, const struct open_args *a, struct hf_pdev **ret)
{
	unsigned long long bytes;
	char *end;
	int err;

	errno = 0;
	bytes = strtoull(what, &end, 10);
	if (*what < '0' || *what > '9' || *end || errno) {
		snprintf(a->message, a->message_len,
			"\"mem:%s\" is not understood; mem: wants a number of bytes", what);
		return -EINVAL;
	}
	err = hf_pdev_memory_create(bytes, 512, ret);
	if (err < 0)
		snprintf(a->message, a->message_len, "no memory device of %llu bytes: %s", bytes,
			err == -EINVAL ? "not a multiple of 512" : strerror(-err));
	return err;
}

static int open_fault(const char *what, const struct open_args *a, struct hf_pdev **ret)
{
	const char *colon = strchr(what, ':');
	struct hf_pdev *below;
	char spec[512];
	int err;

	if (!colon || (size_t)(colon - what) >= sizeof(spec)) {
		snprintf(a->message, a->message_len,
			"\"fault:%s\" is not understood; it is fault:RULES:URL", what);
		return -EINVAL;
	}
	memcpy(spec, what, (size_t)(colon - what));
	spec[colon - what] = '\0';
	err = open_any(colon + 1, a, &below);
	if (err < 0)
		return err;
	err = hf_pdev_fault_create(spec, below, ret, a->message, a->message_len);
	if (err < 0)
		hf_pdev_close(below);
	return err;
}

static int open_file(const char *what, const struct open_args *a, struct hf_pdev **ret)
{
	const char *options = strchr(what, '?');
	char path[sizeof((*ret)->url)];

	if (!options)
		return hf_pdev_file_open(what, NULL, ret, a->message, a->message_len);
	memcpy(path, what, (size_t)(options - what));
	path[options - what] = '\0';
	return hf_pdev_file_open(path, options + 1, ret, a->message, a->message_len);
}

static int open_any(const char *url, const struct open_args *a, struct hf_pdev **ret)
{
	struct hf_pdev *pdev;
	const char *what;
	int err;

	if (url[0] == '/' || after(url, "./")) {
		err = hf_pdev_file_open(url, NULL, &pdev, a->message, a->message_len);
	} else if ((what = after(url, "file:"))) {
		err = open_file(what, a, &pdev);
	} else if ((what = after(url, "mem:"))) {
		err = open_memory(what, a, &pdev);
	} else if ((what = after(url, "iscsi://"))) {
		err = hf_pdev_iscsi_open(
			what, a->owner, a->loops, a->loops_len, &pdev, a->message, a->message_len);
	} else if ((what = after(url, "fault:"))) {
		err = open_fault(what, a, &pdev);
	} else {
		snprintf(a->message, a->message_len,
			"\"%s\" is no physical device; it starts with /, ./, file:, iscsi://, "
			"mem: or fault:",
			url);
		return -EINVAL;
	}
	if (err < 0)
		return err;
	/* It is shown to people and logged. */
	hf_iscsi_url_mask(url, pdev->url, sizeof(pdev->url));
	*ret = pdev;
	return 0;
}

int hf_pdev_open_owned(const char *url, const struct hf_pdev_owner *owner,
	struct hf_loop *const *loops, unsigned loops_len, struct hf_pdev **ret, char *message,
	size_t message_len)
{
	struct open_args a = {owner, loops, loops_len, message, message_len};

	if (strlen(url) >= sizeof((*ret)->url)) {
		snprintf(message, message_len,
			"the physical device's name has more than %zu characters",
			sizeof((*ret)->url) - 1);
		return -ENAMETOOLONG;
	}
	return open_any(url, &a, ret);
}

int hf_pdev_open(const char *url, struct hf_loop *const *loops, unsigned loops_len,
	struct hf_pdev **ret, char *message, size_t message_len)
{
	return hf_pdev_open_owned(url, NULL, loops, loops_len, ret, message, message_len);
}

void hf_pdev_close(struct hf_pdev *pdev)
{
	if (pdev)
		pdev->ops->close(pdev);
}
