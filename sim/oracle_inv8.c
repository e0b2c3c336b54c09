/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INV-8, second half: what a host does with one logical device touches no extent of another. The
 * first to touch a mebibyte of a disk owns it; the map is not asked.
 */
#include "sim.h"

static int owners[SIM_DISKS][64];

void sim_oracle_inv8_init(void)
{
	memset(owners, 0, sizeof(owners));
}

void sim_oracle_extent(unsigned disk, uint64_t offset, uint64_t len, unsigned dev)
{
	for (uint64_t m = offset >> 20; m <= (offset + len - 1) >> 20; m++) {
		if (!owners[disk][m])
			owners[disk][m] = (int)dev + 1;
		if (owners[disk][m] != (int)dev + 1)
			sim_fail("INV-8", "disk %u, mebibyte %u: touched for devices %d and %u",
				disk, (unsigned)m, owners[disk][m] - 1, dev);
	}
}
