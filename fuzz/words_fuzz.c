/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small texts that people write: the rules of the fault layer and addresses of physical devices
 * (only those that live in memory, so that no file is touched), and sizes given to the tool.
 */
#include "driver.h"
#include "fault.h"
#include "fault_spec.h"
#include "tool.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char message[512];

static void fault_rules(const char *text)
{
	static const enum hf_pdev_op ops[] = {
		HF_PDEV_READ, HF_PDEV_WRITE, HF_PDEV_FLUSH, HF_PDEV_DISCARD, HF_PDEV_WRITE_ZEROES};
	struct fault_rules rules = {.len = 77};

	message[0] = '\0';
	if (hf_fault_spec_parse(text, &rules, message, sizeof(message))) {
		hf_assert(message[0] && rules.len == 77);
		return;
	}
	hf_assert(rules.len <= FAULT_RULES_MAX);
	for (unsigned i = 0; i < 64; i++) {
		struct hf_pdev_io io = {.op = ops[i % HF_ARRAY_LEN(ops)],
			.offset_bytes = i * 4096,
			.len_bytes = i % 5 == 2 ? 0 : 4096};
		struct fault_strike s;

		if (!hf_fault_rules_strike(&rules, &io, &s))
			continue;
		hf_assert(s.error <= 0 && s.late_error <= 0);
		if (s.is_torn)
			hf_assert(io.op == HF_PDEV_WRITE && s.torn_bytes < 4096 &&
				  s.torn_bytes % 512 == 0);
	}
}

/* fault:RULES:fault:RULES:...:mem:BYTES */
static bool is_in_memory(const char *url)
{
	const char *colon;

	while (!strncmp(url, "fault:", 6) && (colon = strchr(url + 6, ':')))
		url = colon + 1;
	return !strncmp(url, "mem:", 4) && strlen(url) < 12;
}

static void address(const char *text)
{
	struct hf_pdev *pdev = NULL;

	if (!is_in_memory(text))
		return;
	message[0] = '\0';
	if (hf_pdev_open(text, NULL, 0, &pdev, message, sizeof(message))) {
		hf_assert(message[0] && !pdev);
		return;
	}
	hf_assert(pdev->info.size_bytes % pdev->info.block_bytes == 0);
	hf_assert(!strcmp(pdev->url, text));
	hf_pdev_close(pdev);
}

static void sizes(const char *text)
{
	char buf[TOOL_SIZE_TEXT];
	uint64_t value = 77, back;

	if (tool_size_parse(text, &value)) {
		hf_assert(value == 77);
		return;
	}
	tool_size_format(value, buf);
	if (tool_size_parse(buf, &back)) /* rounded up to 2^64 */
		hf_assert(value > UINT64_MAX - (UINT64_C(1) << 60));
	else /* exact, or one digit behind the point */
		hf_assert(back == value || (strchr(buf, '.') && back / 10 <= value / 9));
	tool_age_format((json_int_t)(value >> 1), buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	hf_assert(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	fault_rules(text);
	address(text);
	sizes(text);
	free(text);
	return 0;
}
