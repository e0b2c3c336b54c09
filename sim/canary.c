/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of planted bugs, with what has to find each. doc/simulator.md shows it. */
#include "canary_table.h"

#include "base.h"
#include "canary.h"
#include "config.h"

enum hf_canary hf_canary;

/* An assertion of the code under test counts where it stands for the same invariant. */
const struct sim_canary sim_canaries[] = {
	{HF_CANARY_SKIP_DRAIN, "skip-drain", "INV-1|INV-4",
		"a hold does not wait for the pins that the new state forbids"},
	{HF_CANARY_ADMIT_OLD, "admit-old", "INV-1|INV-4",
		"while an op is pending, what the old state allows is admitted"},
	{HF_CANARY_SPARE_VICTIMS, "spare-victims", "INV-4",
		"PREEMPT AND ABORT and resets leave the victims' commands alone"},
	{HF_CANARY_REPLICA_DIFFERS, "replica-differs", "INV-2",
		"controller 2 carries out PREEMPT as CLEAR"},
	{HF_CANARY_GOOD_BEFORE_HELD, "good-before-held", "INV-3",
		"GOOD is told before the peer has answered `held`"},
	{HF_CANARY_GRANT_FROZEN, "grant-frozen", "INV-3|INV-5",
		"a frozen controller changes reservations on its own"},
	{HF_CANARY_RECORD_LAST, "record-last", "INV-5",
		"a controller goes on alone without writing the view record (W8)"},
	{HF_CANARY_GO_ON_UNFENCED, "go-on-unfenced", "INV-1|INV-3|INV-5",
		"policy fence: goes on, and takes over, before the peer is fenced"},
	{HF_CANARY_NO_SLOT, "no-slot", "INV-6",
		"CLEAR is not written to the APTPL slot: it comes undone at a restart of all"},
	{HF_CANARY_TELL_FAILURE, "tell-failure", "INV-7",
		"a host is told failure for an op that was carried out"},
	{HF_CANARY_WRONG_EXTENT, "wrong-extent", "INV-8",
		"a device of two mebibytes lies one mebibyte too low"},
	{HF_CANARY_TURN_UNUSED, "turn-unused", "INV-9",
		"who is given the turn and has nothing to ask says nothing (S2)"},
	{HF_CANARY_NO_PASS_AFTER_CANCEL, "no-pass-after-cancel", "INV-9",
		"no `pass` after `cancelled`: the subordinate yields to an op that is no more",
		.faults = "hanging disk|slow network"},
	{HF_CANARY_FORGET_INCARNATION, "forget-incarnation", "INV-2|INV-9|assertion",
		"a peer that comes back without memory counts as healed (W20)"},
	{HF_CANARY_ASK_OVERTAKES, "ask-overtakes", "INV-2|INV-9",
		"after a heal the last `settled` is not repeated before a new `ask` (W7)",
		.faults = "cut|cut one way|flapping|reset"},
	{HF_CANARY_KEEP_LOGIN, "keep-login", "INV-9",
		"the end of a session is no nexus loss: its SPC-2 reservation stands (W5)"},
	{HF_CANARY_LOOK_EARLY, "look-early", "order",
		"an op is judged while another one is pending (W2, W4)"},
	{HF_CANARY_LOSE_ATTENTION, "lose-attention", "attention",
		"2A/03 RESERVATIONS PREEMPTED is not raised"},
	{HF_CANARY_RANGE_ALONE, "range-alone", "compare and write",
		"a range is granted without the peer's word"},
	{HF_CANARY_RECORD_CACHED, "record-cached", "INV-5|INV-6",
		"records are left in the disks' caches: a power failure takes them away",
		.faults = "power failure of all"},
	{HF_CANARY_FLUSH_ONE_DISK, "flush-one-disk", "data",
		"SYNCHRONIZE CACHE flushes one of the disks under a device"},
	{HF_CANARY_FORGET_FUA, "forget-fua", "data", "FUA=1 is not passed on to the disks"},
	{HF_CANARY_PREEMPT_NO_ABORT, "preempt-no-abort", "INV-1|INV-4|INV-5",
		"fence pr: what the other one has at the disks is not aborted",
		.fence = HF_CONFIG_FENCE_PR, .faults = "cut|slow disk|hanging disk|pause"},
	{HF_CANARY_LEASE_SHORT, "lease-short", "INV-1|INV-3|INV-4|INV-5",
		"fence lease: does not wait until the other one's watchdog has reset it (W11)",
		.fence = HF_CONFIG_FENCE_LEASE, .faults = "cut|pause|EIO|slow disk|hanging disk"},
	{HF_CANARY_LEASE_CLEAR_EARLY, "lease-clear-early", "INV-1|INV-3|INV-4|INV-5",
		"fence lease: who has lost the race says that nothing is in flight without waiting "
		"for that",
		.fence = HF_CONFIG_FENCE_LEASE, .faults = "cut|slow disk"},
	{HF_CANARY_LOAD_SHUT_OUT, "load-shut-out", "INV-6",
		"fence pr: what a controller may not read that was fenced counts as lost",
		.fence = HF_CONFIG_FENCE_PR, .faults = "machine crash"},
	{HF_CANARY_GROUP_SETTLE_EARLY, "group-settle-early", "INV-3",
		"an op settles when its own acknowledgement has come, not when all have",
		.group = true},
	{HF_CANARY_GROUP_ACK_UNDRAINED, "group-ack-undrained", "INV-3|INV-4|assertion",
		"a member acknowledges what it has not drained", .group = true},
	{HF_CANARY_GROUP_OWN_ORDER, "group-own-order", "INV-2",
		"an own proposal takes its turn before it has its place in the order",
		.group = true},
	{HF_CANARY_GROUP_NO_QUORUM, "group-no-quorum", "INV-5", "a part without quorum goes on",
		.group = true},
	{HF_CANARY_GROUP_OTHER_RING, "group-other-ring", "INV-5",
		"quorum of another ring counts (W22)", .group = true},
	{HF_CANARY_GROUP_FORGET_HELD, "group-forget-held", "INV-2|INV-4|INV-6|INV-7",
		"a new generation drops what was held (W21)", .group = true,
		.fence = HF_CONFIG_FENCE_COMMAND, .faults = "cut|cut of one link"},
	{HF_CANARY_GROUP_UNHEARD, "group-unheard", "INV-3",
		"the acknowledgements of newcomers do not count, though they serve", .group = true},
	{HF_CANARY_GROUP_RECORD_LAST, "group-record-last", "INV-5",
		"a part goes on without writing the view record (W8)", .group = true},
	{HF_CANARY_GROUP_UNFENCED, "group-unfenced", "INV-1|INV-3|INV-5",
		"policy fence: goes on before the missing are fenced", .group = true},
	{HF_CANARY_GROUP_ONE_ATTENTION, "group-one-attention", "attention",
		"2A/03 is raised only where the op came from", .group = true},
};
const unsigned sim_canaries_len = HF_ARRAY_LEN(sim_canaries);

void sim_canary_plant(int number)
{
	hf_canary = (enum hf_canary)number;
}
