/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file. What is accepted must have a digest and be whole. */
#include "config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it is in the middle of at a syntax error. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char message[HF_CONFIG_MESSAGE] = "";
	struct hf_config *c = NULL;
	char *text = malloc(size + 1);

	hf_assert(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (hf_config_parse("f", text, 0, &c, message, sizeof(message)) == 0) {
		hf_assert(c->self && c->disks.len && c->cluster[0] && c->iscsi.portals_len);
		hf_config_digest(c);
		hf_config_destroy(c);
	} else {
		hf_assert(message[0] && !c);
	}
	free(text);
	return 0;
}
