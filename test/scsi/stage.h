/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HF_TEST_SCSI_STAGE_H
#define HF_TEST_SCSI_STAGE_H

#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/*
 * What nearly every test plays on: a kit with two hosts logged in, a command, and bytes that differ
 * from block to block.
 */
extern struct kit *k;
extern struct host x, y;
extern struct cmd c, d;
extern uint8_t data[1 << 20];
int stage_setup(void **state);
int stage_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)

#endif
