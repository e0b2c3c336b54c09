/* SPDX-License-Identifier: BSD-3-Clause */
/* Every fixed limit of Holdfast in one place. Both controllers compare them in the bus handshake.
 */
#ifndef HF_LIMITS_H
#define HF_LIMITS_H

#include <limits.h>

enum {
	HF_CONTROLLERS_MAX = 16,		    /* in a cluster; their ids are 1 to 16 */
	HF_CONTROLLER_IDS = HF_CONTROLLERS_MAX + 1, /* places in an array by id */
	HF_PDEVS_MAX = 64,			    /* physical devices in a pool */
	HF_LDEVS_MAX = 1024,			    /* logical devices in a pool */
	HF_EXTENTS_MAX = 4096,	    /* extents in the map, all logical devices together */
	HF_LDEV_COLUMNS_MAX = 16,   /* physical devices a stripe may span */
	HF_NAME_MAX = 63,	    /* bytes in the name of a pdev, ldev, pool or controller */
	HF_ISCSI_NAME_MAX = 223,    /* bytes in an iSCSI name (RFC 7143, 4.2.7.1) */
	HF_LUN_MAX = 16383,	    /* largest LUN in flat addressing (SAM-5, 4.7.7.3) */
	HF_REGISTRATIONS_MAX = 256, /* registered I_T nexuses per logical unit */
	HF_SPEC_I_PT_MAX = 32,	    /* TransportIDs in one PERSISTENT RESERVE OUT */
	HF_OP_MAX_BYTES = 9216,	    /* an encoded op on the bus */
	HF_XFER_MAX_BYTES =
		1 << 20,	 /* data of one SCSI command; MAXIMUM TRANSFER LENGTH in VPD B0 */
	HF_CAW_BLOCKS_MAX = 128, /* MAXIMUM COMPARE AND WRITE LENGTH in VPD B0 */
	HF_LOOPS_MAX = 32,	 /* event loops of a daemon */
	HF_SESSIONS_MAX = 1024,	 /* iSCSI sessions of a controller */
};

#endif
