/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fault layer: stacks on any physical device and makes it slow, forgetful or broken, by rules
 * that can be changed while requests are out. For tests and for users who want to see what
 * Holdfast does then: fault:SPEC:URL in the configuration.
 *
 *	SPEC  = [ rule *( ";" rule ) ]		no rule: everything passes
 *	rule  = item *( "," item )		the first rule that strikes is carried out
 *
 * Which requests (all that are given must hold):
 *	op=read|write|flush|discard|zero	several joined by "+"; default: all
 *	at=FIRST-END				overlapping bytes FIRST .. END-1, with K M G;
 *						flushes never match. Default: everywhere
 *	skip=N					after the first N that match the above
 *	p=0.25					with this probability
 *	seed=N					of the dice for p and torn=random; default 1
 *	count=N					strikes N times, then is spent; default: for ever
 * What happens (delay may stand beside the others):
 *	delay=20ms				sleeps first: ns us ms s
 *	error=EIO			the device is not asked; also ENOSPC, EBADE, ETIMEDOUT,
 *					ENODEV, or a number
 *	late-error=EIO			the device does it and the answer is an error
 *	torn=BYTES			writes only this much from the start (rounded down to 512),
 *					then error (EIO if not given otherwise); or torn=random
 *	hang				waits for hf_pdev_fault_release(), then goes on
 *	hang-late			the device does it, the answer waits for release
 *
 * Example: fault:op=write,at=0-64K,skip=3,count=1,torn=512;op=read,p=0.01,delay=50ms:/dev/sdx
 */
#ifndef HF_PDEV_FAULT_H
#define HF_PDEV_FAULT_H

#include "pdev.h"

/* Stacks on `below`, given on success: closing the new one closes it. -EINVAL with a sentence. */
int hf_pdev_fault_create(const char *spec, struct hf_pdev *below, struct hf_pdev **ret,
	char *message, size_t message_len);

/* The rest, from any thread; on a device that is no fault layer: -ENOTSUP, 0. */

/* New rules, counters from zero; -EINVAL with a sentence: the old ones stay. What hangs, hangs. */
int hf_pdev_fault_set(struct hf_pdev *pdev, const char *spec, char *message, size_t message_len);
/* Lets go what hangs now (not what will); returns how many requests that were. */
unsigned hf_pdev_fault_release(struct hf_pdev *pdev);
/* Requests that hang now. */
unsigned hf_pdev_fault_hanging(struct hf_pdev *pdev);
/* Requests that have come and not been answered, hanging ones too. */
unsigned hf_pdev_fault_out(struct hf_pdev *pdev);
/* How often any rule has struck since the last set. */
uint64_t hf_pdev_fault_strikes(struct hf_pdev *pdev);

#endif
