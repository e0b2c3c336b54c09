/* SPDX-License-Identifier: BSD-3-Clause */
#include "stage.h"

struct kit *k;
struct host x, y;
struct cmd c, d;
uint8_t data[1 << 20];

int stage_setup(void **state)
{
	k = kit_create();
	host_login(k, &x, "iqn.host:x", 1);
	host_login(k, &y, "iqn.host:y", 2);
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 512 + 1);
	return 0;
}

int stage_teardown(void **state)
{
	cmd_free(&c);
	cmd_free(&d);
	host_logout(&x);
	host_logout(&y);
	kit_destroy(k);
	return 0;
}
