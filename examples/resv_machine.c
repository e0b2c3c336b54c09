/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reservation machine as a library: two hosts, one logical unit. Build it against the installed
 * library:
 *
 *	cc resv_machine.c $(pkg-config --cflags --libs holdfast-resv) -o resv_machine
 */
#include <holdfast/resv.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct hf_resv_outcome out; /* large; one is enough */

/* What a target does with every reservation command: the state decides, the outcome tells. */
static void apply(struct hf_resv *r, const char *who, struct hf_resv_op *op)
{
	hf_resv_apply(r, op, &out);
	printf("%s: %-24s status %02x%s\n", who, hf_resv_kind_name(op->kind),
		(unsigned)out.verdict.status, out.changed ? "" : ", nothing changed");
}

static void show_access(const struct hf_resv *r, const char *who, const struct hf_nexus *nexus)
{
	unsigned may = hf_resv_admit(r, nexus, 1);

	printf("   %s may read: %s, write: %s\n", who,
		may & HF_ACCESS_BIT(HF_ACCESS_READ) ? "yes" : "no",
		may & HF_ACCESS_BIT(HF_ACCESS_WRITE) ? "yes" : "no");
}

int main(void)
{
	struct hf_resv_config config = {.ports = {1, 2}, .ports_len = 2, .registrations_max = 16};
	struct hf_resv *r = hf_resv_create(&config);
	struct hf_resv_op op = {.login = 1};
	struct hf_nexus x = {.rtpi = 1}, y = {.rtpi = 2};

	if (!r || hf_port_id_set(&x.init, "iqn.2026-01.com.example:x", 25, 1) ||
		hf_port_id_set(&y.init, "iqn.2026-01.com.example:y", 25, 1))
		return 1;
	op.nexus = x;
	op.kind = HF_RESV_PR_REGISTER;
	op.sark = 0x11;
	apply(r, "x", &op);
	op.kind = HF_RESV_PR_RESERVE;
	op.rk = 0x11;
	op.sark = 0;
	op.type = HF_RESV_WE_RO;
	apply(r, "x", &op);
	show_access(r, "x", &x);
	show_access(r, "y", &y);
	op.nexus = y;
	op.rk = 0x22;
	apply(r, "y", &op); /* not registered: RESERVATION CONFLICT */
	printf("digest %016" PRIx64 ": the same on every controller that ran these ops\n",
		hf_resv_digest(r));
	hf_resv_destroy(r);
	return 0;
}
