/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The URL of an iSCSI LUN: text to parts. Pure; called by the driver.
 *
 *	iscsi://[USER%SECRET@]HOST[:PORT]/TARGET/LUN[?OPTION[&OPTION]...]
 *
 * HOST is a name, an IPv4 address or an IPv6 address in brackets; PORT 3260 if not given; TARGET an
 * iSCSI name, in which %XX stands for a byte; LUN a number from 0 to 16383. Options:
 *	initiator=NAME		log in with this name instead of one made of cluster and controller
 *	reset=off		do not reset the LUN when a new session takes over from one that may
 *				have left requests behind (doc/physical-devices.md says when to)
 *	gone=on			the operator's word that the target is off: it is not tried
 *	target_user=, target_password=	mutual CHAP: what the target proves
 */
#ifndef HF_PDEV_ISCSI_URL_H
#define HF_PDEV_ISCSI_URL_H

#include "base.h"
#include "hf_limits.h"

enum { HF_ISCSI_URL_PART_MAX = 255 };

struct hf_iscsi_url {
	char host[HF_ISCSI_URL_PART_MAX + 1];
	uint16_t port;
	char target[HF_ISCSI_NAME_MAX + 1];
	uint16_t lun;
	char user[HF_ISCSI_URL_PART_MAX + 1], secret[HF_ISCSI_URL_PART_MAX + 1];
	char target_user[HF_ISCSI_URL_PART_MAX + 1], target_secret[HF_ISCSI_URL_PART_MAX + 1];
	char initiator[HF_ISCSI_NAME_MAX + 1];
	bool no_reset, is_gone;
};

/* what: behind "iscsi://". -EINVAL with a sentence that contains no secret; *ret is untouched. */
int hf_iscsi_url_parse(
	const char *what, struct hf_iscsi_url *ret, char *message, size_t message_len);
/* Copies a URL with its secrets replaced by three stars; for what is shown and logged. */
void hf_iscsi_url_mask(const char *url, char *to, size_t to_len);

#endif
