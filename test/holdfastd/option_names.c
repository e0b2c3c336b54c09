/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints the dotted name of every option of the configuration, for the test of the man page. */
#include "config.h"

#include <stdio.h>

static void print(void *arg, const char *name)
{
	puts(name);
}

int main(void)
{
	hf_config_options_each(print, NULL);
	return 0;
}
