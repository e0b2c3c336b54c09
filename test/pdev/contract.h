/* SPDX-License-Identifier: BSD-3-Clause */
/* What every kind of physical device must do; run by the test of each kind. */
#ifndef HF_TEST_CONTRACT_H
#define HF_TEST_CONTRACT_H

#include "pdev_util.h"

/* On a device of at least 4 MiB, whose content is lost. Asserts by cmocka. */
void contract_all(struct hf_pdev *p, struct hf_loop *l);

#endif
