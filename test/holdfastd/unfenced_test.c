/* SPDX-License-Identifier: BSD-3-Clause */
/* node_fence.c: which devices a disk that could not be fenced takes along, and what they say. */
#include "node.h"
#include "pr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct {
	const struct hf_fence_ops *ops;
	void *owner;
	unsigned stops;
	uint32_t dev;
	char why[HF_LU_STOP_WHY_MAX];
} seen;

/* --- stand-ins --- */

int hf_fence_create(const struct hf_fence_config *config, struct hf_loop *loop,
	struct hf_pool *pool, const struct hf_fence_ops *ops, void *owner, struct hf_fence **ret,
	char *message, size_t message_len)
{
	assert_true(config->kind == HF_FENCE_PR);
	seen.ops = ops;
	seen.owner = owner;
	return 0;
}

void hf_lu_stop(struct hf_lu_table *t, uint32_t dev, enum hf_lu_stop stop, const char *why)
{
	assert_int_equal(stop, HF_LU_STOP_UNFENCED);
	assert_true(strlen(why) < sizeof(seen.why));
	seen.stops++;
	seen.dev = dev;
	strcpy(seen.why, why);
}

int hf_fence_each_create(struct hf_loop *loop, const struct hf_fence_ops *ops, void *owner,
	struct hf_fence_each **ret)
{
	return 0;
}

void hf_fence_each_start(struct hf_fence_each *f, const struct hf_fence_victim *victims,
	unsigned len, uint32_t limit_ms)
{
}

void hf_fence_start_ids(
	struct hf_fence *f, uint64_t epoch, uint32_t ids, const uint64_t *incarnations)
{
}

int hf_fence_enter_disk(
	struct hf_loop *loop, struct hf_pdev *pdev, uint64_t key, char *message, size_t message_len)
{
	return 0;
}

bool hf_fence_mend(struct hf_fence *f)
{
	return true;
}

void hf_lu_await_changes(struct hf_lu_table *t, void (*fn)(void *arg), void *arg)
{
}

uint64_t hf_pr_key(const char *cluster, uint8_t id, uint64_t incarnation)
{
	return 1;
}

void hf_node_end_fenced(void)
{
}

void hf_node_slots_checked(struct hf_node *node)
{
}

/* --- tests --- */

/* The states of such a device are the same everywhere: nothing that is said of them helps. */
static void a_device_on_a_disk_that_could_not_be_fenced_says_so(void **state)
{
	static struct hf_config config = {
		.controllers_len = 2,
		.on_peer_loss = HF_CONFIG_FENCE,
		.fence.driver = HF_CONFIG_FENCE_PR,
		.bus = HF_CONFIG_BUS_PAIR,
	};
	static struct hf_map map = {.ldevs_len = 2, .extents_len = 2};
	static struct hf_loop *loops[1];
	struct hf_pdev disk[2], *pdevs[2] = {&disk[0], &disk[1]};
	char longest[HF_NAME_MAX + 1], message[200];
	struct hf_node *node = calloc(1, sizeof(*node));

	assert_non_null(node);
	for (uint32_t i = 0; i < 2; i++) {
		map.ldevs[i] =
			(struct hf_map_ldev){.id = 10 + i, .first_extent = i, .extents_len = 1};
		map.extents[i].pdev = i;
	}
	config.self = &config.controllers[0];
	node->config = &config;
	node->pdevs = pdevs;
	node->pool.cur = &map;
	memcpy(node->loops, loops, sizeof(loops));
	assert_int_equal(hf_node_fence_create(node, message, sizeof(message)), 0);
	memset(longest, 'd', HF_NAME_MAX);
	longest[HF_NAME_MAX] = '\0';
	seen.ops->unfenced(seen.owner, &disk[1], longest);
	assert_int_equal(seen.stops, 1);
	assert_int_equal(seen.dev, 11);
	assert_non_null(strstr(seen.why, longest));
	assert_non_null(strstr(seen.why, "could not be fenced"));
	assert_non_null(strstr(seen.why, "start this daemon again")); /* what ends it, to the end */
	free(node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_on_a_disk_that_could_not_be_fenced_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
