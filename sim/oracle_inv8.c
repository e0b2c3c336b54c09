/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INV-8, second half: what a host does with one logical device touches no extent of another. The
 * first to touch a mebibyte of a disk owns it until its device is deleted; the map is not asked.
 */
#include "sim.h"

static int owners[SIM_DISKS][64];

void sim_oracle_inv8_init(void)
{
	memset(owners, 0, sizeof(owners));
}

/* Its device is deleted: the next one may have what it had. */
void sim_oracle_extents_free(unsigned dev)
{
	for (unsigned i = 0; i < SIM_DISKS; i++)
		for (unsigned m = 0; m < HF_ARRAY_LEN(owners[i]); m++)
			if (owners[i][m] == (int)dev + 1)
				owners[i][m] = 0;
}

void sim_oracle_extent(unsigned disk, uint64_t offset, uint64_t len, unsigned dev)
{
	if (sim->devs[dev].deleted && !sim->operator_erred)
		sim_fail("INV-8", "disk %u is touched for device %u, which is deleted", disk, dev);
	/* Each history has a map of its own; who was said to be down and lives has an old one. */
	if (sim->two_histories || sim->devs[dev].deleted)
		return;
	for (uint64_t m = offset >> 20; m <= (offset + len - 1) >> 20; m++) {
		if (!owners[disk][m])
			owners[disk][m] = (int)dev + 1;
		if (owners[disk][m] != (int)dev + 1)
			sim_fail("INV-8", "disk %u, mebibyte %u: touched for devices %d and %u",
				disk, (unsigned)m, owners[disk][m] - 1, dev);
	}
}
