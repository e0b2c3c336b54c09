/* SPDX-License-Identifier: BSD-3-Clause */
/* The objects that everybody uses contain no planted bug. */
#include "canary_table.h"

const struct sim_canary sim_canaries[1];
const unsigned sim_canaries_len;

void sim_canary_plant(int number)
{
}
