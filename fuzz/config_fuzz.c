/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file. What is accepted must be whole, with one digest on every controller. */
#include "config.h"

#include "base.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it is in the middle of at a syntax error. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

static bool parse(const char *text, unsigned id, uint64_t *ret_digest)
{
	char message[HF_CONFIG_MESSAGE] = "", cut[4] = "";
	struct hf_config *c = NULL;

	if (hf_config_parse("f", text, id, &c, message, sizeof(message)) < 0) {
		hf_assert(message[0] && !c);
		/* Where there is no room for it, as much of it as there is. */
		hf_assert(hf_config_parse("f", text, id, &c, cut, sizeof(cut)) < 0 && !c);
		hf_assert(!strncmp(message, cut, sizeof(cut) - 1));
		return false;
	}
	hf_assert(c->self && c->disks.len && c->cluster[0] && c->iscsi.portals_len);
	hf_assert(!id || c->self->id == id);
	*ret_digest = hf_config_digest(c);
	hf_config_destroy(c);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint64_t first = 0, second = 0;

	hf_assert(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	/* As it says itself, and as controller 2: one file for both, one digest. */
	if (parse(text, 0, &first) && parse(text, 2, &second))
		hf_assert(first == second);
	free(text);
	return 0;
}
