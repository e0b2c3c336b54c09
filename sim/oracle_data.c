/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a host reads is what was written last. Every write puts a value of its own into each block;
 * a value that is read, or found by COMPARE AND WRITE, must have been written by somebody who was
 * not refused, and must not have been overwritten before the reader asked.
 *
 * After a power failure of a disk an overwritten value may be there again, unless what overwrote it
 * was written with FUA, or a SYNCHRONIZE CACHE that was asked for later was told GOOD before.
 */
#include "cmd.h"

#include "endian.h"

enum { BLOCKS_KNOWN = 1024, FAR = 2048, POWER_MAX = 64 };

struct written {
	struct written *next;	     /* of the same block */
	struct written *next_unsafe; /* of the device: not known to be durable */
	uint64_t value;
	uint64_t asked, told; /* told: UINT64_MAX while it may still touch the medium */
	uint64_t durable;     /* from when on it is known to be */
	bool good, refused, fua;
};

static struct written *blocks[SIM_DEVS][2][BLOCKS_KNOWN];
static struct written *unsafe[SIM_DEVS];
static uint64_t power[POWER_MAX];
static unsigned power_len;

void sim_oracle_data_init(void)
{
	memset(blocks, 0, sizeof(blocks));
	memset(unsafe, 0, sizeof(unsafe));
	power_len = 0;
}

void sim_oracle_power_failed(void)
{
	if (power_len == POWER_MAX)
		power_len--; /* the newest counts; worlds with so many have no use for the rest */
	power[power_len++] = sim->now;
	sim->power_failed = sim->now;
	sim_oracle_caw_power_failed();
}

static struct written **head_of(unsigned dev, uint64_t lba)
{
	hf_assert(lba % FAR < BLOCKS_KNOWN && lba / FAR < 2);
	return &blocks[dev][lba / FAR][lba % FAR];
}

static struct written *find(unsigned dev, uint64_t lba, uint64_t value)
{
	struct written *w = *head_of(dev, lba);

	while (w && w->value != value)
		w = w->next;
	return w;
}

static bool writes(const struct sim_cmd *c)
{
	return c->kind == SIM_WRITE || c->kind == SIM_CAW;
}

void sim_oracle_data_asked(struct sim_cmd *c)
{
	for (uint32_t i = 0; writes(c) && i < c->blocks; i++) {
		struct written **head = head_of(c->dev, c->lba + i), *w = sim_alloc(sizeof(*w));

		*w = (struct written){.next = *head,
			.next_unsafe = unsafe[c->dev],
			.value = c->write,
			.asked = sim->now,
			.told = UINT64_MAX,
			.durable = UINT64_MAX,
			.fua = c->fua};
		*head = unsafe[c->dev] = w;
	}
}

/* Nothing that was there at the reader's time can have overwritten it and be gone again. */
static bool is_there_for_good(const struct written *w, uint64_t until)
{
	for (unsigned i = 0; i < power_len; i++)
		if (power[i] >= w->asked && power[i] <= until && w->durable > power[i])
			return false;
	return true;
}

/* Written to a device that is deleted, whose place another has now. */
static bool is_left(unsigned dev, uint64_t value)
{
	for (unsigned i = SIM_DEVS_BEGIN; i < sim->devs_len; i++)
		for (unsigned b = 0; i != dev && sim->devs[i].deleted && b < 2 * BLOCKS_KNOWN; b++)
			for (const struct written *w =
					blocks[i][b / BLOCKS_KNOWN][b % BLOCKS_KNOWN];
				w; w = w->next)
				if (w->value == value && !w->refused)
					return true;
	return false;
}

static void judge(const struct sim_cmd *c, uint64_t lba, uint64_t value)
{
	/* Zeroes were there before anybody wrote, or what a deleted device has left there. */
	const struct written never = {0}, *w = value ? find(c->dev, lba, value) : &never;

	if (!w && c->dev >= SIM_DEVS_BEGIN && is_left(c->dev, value))
		w = &never;

	if (!w)
		sim_fail("data",
			"host %u finds %llx on device %u, block %u, which nobody has written there",
			c->host, (unsigned long long)value, c->dev, (unsigned)lba);
	if (w->refused)
		sim_fail("data",
			"host %u finds %llx on device %u, block %u: that write was refused",
			c->host, (unsigned long long)value, c->dev, (unsigned)lba);
	for (const struct written *o = *head_of(c->dev, lba); o; o = o->next)
		if (o->good && o->asked > w->told && o->told < c->asked_at &&
			is_there_for_good(o, sim->now))
			sim_fail("data",
				"host %u finds %llx on device %u, block %u, asked at %.6f, and "
				"%llx "
				"had been written over it by %.6f%s",
				c->host, (unsigned long long)value, c->dev, (unsigned)lba,
				(double)c->asked_at / 1e9, (unsigned long long)o->value,
				(double)o->told / 1e9, power_len ? " and was durable" : "");
}

static void end_write(const struct sim_cmd *c)
{
	for (uint32_t i = 0; i < c->blocks; i++) {
		struct written *w = find(c->dev, c->lba + i, c->write);

		w->good = c->outcome == SIM_GOOD;
		w->refused = c->outcome == SIM_CONFLICT || c->outcome == SIM_ATTENTION ||
			     c->outcome == SIM_MISCOMPARE;
		/* What has failed may be there in part, and comes no more. */
		if (w->good || c->outcome == SIM_MEDIUM)
			w->told = sim->now;
		if (w->good && w->fua)
			w->durable = sim->now;
	}
}

static void synchronized(const struct sim_cmd *c)
{
	struct written **at = &unsafe[c->dev], *w;

	while ((w = *at)) {
		if (w->good && w->durable == UINT64_MAX && w->told <= c->asked_at)
			w->durable = sim->now;
		if (w->refused || w->durable != UINT64_MAX)
			*at = w->next_unsafe;
		else
			at = &w->next_unsafe;
	}
}

void sim_oracle_data_told(struct sim_cmd *c)
{
	/* Two that both served wrote what they liked. */
	if (sim->operator_erred)
		return;
	if (writes(c))
		end_write(c);
	if (c->outcome != SIM_GOOD)
		return;
	if (c->kind == SIM_FLUSH)
		synchronized(c);
	if (c->kind == SIM_CAW)
		judge(c, c->lba, c->expect);
	for (uint32_t i = 0; c->kind == SIM_READ && i < c->blocks; i++)
		judge(c, c->lba + i, hf_get_be64(c->buf + UINT64_C(512) * i));
}
