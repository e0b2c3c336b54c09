/* SPDX-License-Identifier: BSD-3-Clause */
/* In the place of the processes of agents, for fences that have none. */
#include "fence_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void hf_fence_agent_init(struct hf_fence_agent *a, struct hf_loop *l)
{
	a->pidfd = -1;
}

int hf_fence_agent_run(struct hf_fence_agent *a, const char *const *args, uint32_t limit_ms)
{
	fail_msg("this fence needs no agent");
	return -EINVAL;
}

void hf_fence_agent_abandon(struct hf_fence_agent *a)
{
}
