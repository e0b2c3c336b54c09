/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * COMPARE AND WRITE is atomic across controllers: every value written is new, so no value is ever
 * found, and replaced, by two. (After a power failure of a disk an old one may be there again:
 * oracle_data.c looks.)
 */
#include "cmd.h"

enum { VALUES_MAX = 8192 };

static struct {
	unsigned dev;
	uint64_t lba, value;
} replaced[VALUES_MAX];
static unsigned replaced_len;

void sim_oracle_caw_init(void)
{
	replaced_len = 0;
}

void sim_oracle_caw_power_failed(void)
{
	replaced_len = 0;
}

void sim_oracle_compared(struct sim_cmd *c)
{
	if (c->asked_at <= sim->power_failed)
		return;
	for (unsigned i = 0; i < replaced_len; i++)
		if (replaced[i].dev == c->dev && replaced[i].lba == c->lba &&
			replaced[i].value == c->expect && !sim->operator_erred)
			sim_fail("compare and write",
				"host %u has replaced a value on device %u, block %u, that was "
				"replaced before",
				c->host, c->dev, (unsigned)c->lba);
	if (replaced_len == VALUES_MAX)
		return;
	replaced[replaced_len].dev = c->dev;
	replaced[replaced_len].lba = c->lba;
	replaced[replaced_len++].value = c->expect;
}
