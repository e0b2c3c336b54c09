/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzzes the URL of an iSCSI LUN, and what is shown of it. */
#include "iscsi_url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char prefix[] = "iscsi://";
	struct hf_iscsi_url u;
	char message[256] = "", shown[256];
	char *url = malloc(sizeof(prefix) + size);
	int rc;

	hf_assert(url);
	memcpy(url, prefix, sizeof(prefix) - 1);
	memcpy(url + sizeof(prefix) - 1, data, size);
	url[sizeof(prefix) - 1 + size] = '\0';
	rc = hf_iscsi_url_parse(url + sizeof(prefix) - 1, &u, message, sizeof(message));
	hf_assert(rc == 0 || (rc == -EINVAL && message[0]));
	if (!rc) {
		hf_assert(u.host[0] && u.port && u.target[0] && u.lun <= HF_LUN_MAX);
		hf_assert(!u.user[0] == !u.secret[0] && !u.target_user[0] == !u.target_secret[0]);
	}
	hf_iscsi_url_mask(url, shown, sizeof(shown));
	hf_assert(strnlen(shown, sizeof(shown)) < sizeof(shown));
	free(url);
	return 0;
}
