/* SPDX-License-Identifier: BSD-3-Clause */
/* Between disk.c and lun.c: what a disk is to a controller. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "pdev.h"
#include "sim.h"

/* A disk as one incarnation of a controller has opened it. */
struct sim_pdev {
	struct hf_pdev pdev;
	unsigned disk;
	struct sim_node *node; /* NULL: a tool */
	uint64_t starts;
};

/* disk.c */
bool sim_disk_is_silent(const struct sim_pdev *p); /* to who starts */
/* What happens to a command of this controller now. */
enum sim_disk_fault sim_disk_draw(unsigned disk, unsigned controller);
/* Of the requests of `controller` those that are at the disk end without touching it (any more). */
void sim_disk_abort(unsigned disk, unsigned controller);
/* Reservations of the disk have changed: which requests on their way will be refused? */
void sim_disk_look_again(unsigned disk);

/* lun.c: with the fence `pr` the disks are units of a third controller that takes reservations. */
void sim_lun_init(void);
bool sim_lun_permits(unsigned disk, unsigned controller, enum hf_pdev_op op);
void sim_lun_pr(struct hf_pdev *pdev, struct hf_pdev_pr *pr); /* hf_pdev_ops.pr */
void sim_lun_power_fails(unsigned disk);
void sim_lun_release(void); /* what hangs goes on */

#endif
