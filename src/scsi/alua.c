/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * REPORT TARGET PORT GROUPS (SPC-4, 6.37): one group per controller, its state as the view has it.
 * States change by themselves only (implicit); SET TARGET PORT GROUPS is not offered.
 */
#include "scsi_internal.h"

enum {
	EXTENDED_HEADER = 0x20, /* PARAMETER DATA FORMAT 001b */
	/* T_SUP, U_SUP, AN_SUP, AO_SUP: the states a controller's ports can be in */
	STATES = 0x80 | 0x08 | 0x02 | 0x01,
	TRANSITION_TIME_S = 10,
	STATUS_IMPLICIT = 0x02,
};

bool scsi_rtpg_prepare(struct hf_scsi_task *t)
{
	return scsi_prepare_reply(t, 8 + HF_CONTROLLERS_MAX * 12);
}

static unsigned ports_in(const struct hf_target *target, uint16_t group)
{
	unsigned n = 0;

	for (unsigned i = 0; i < target->ports_len; i++)
		n += target->ports[i].group == group;
	return n;
}

static bool first_of_group(const struct hf_target *target, unsigned port)
{
	for (unsigned i = 0; i < port; i++) {
		if (target->ports[i].group == target->ports[port].group)
			return false;
	}
	return true;
}

void scsi_rtpg_run(struct hf_scsi_task *t)
{
	const struct hf_target *target = hf_lu_target(t->session);
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);

	hf_wr_u32(&w, 0);
	if (t->cdb[1] & EXTENDED_HEADER) {
		hf_wr_u8(&w, 0x10); /* FORMAT TYPE 001b */
		hf_wr_u8(&w, TRANSITION_TIME_S);
		hf_wr_u16(&w, 0);
	}
	for (unsigned i = 0; i < target->ports_len; i++) {
		const struct hf_target_port *p = &target->ports[i];

		if (!first_of_group(target, i))
			continue;
		hf_wr_u8(&w, (uint8_t)p->state);
		hf_wr_u8(&w, STATES);
		hf_wr_u16(&w, p->group);
		hf_wr_u8(&w, 0);
		hf_wr_u8(&w, STATUS_IMPLICIT);
		hf_wr_u8(&w, 0);
		hf_wr_u8(&w, (uint8_t)ports_in(target, p->group));
		for (unsigned k = i; k < target->ports_len; k++) {
			if (target->ports[k].group != p->group)
				continue;
			hf_wr_u16(&w, 0);
			hf_wr_u16(&w, target->ports[k].rtpi);
		}
	}
	hf_put_be32(t->buf, (uint32_t)(hf_wr_len(&w) - 4));
	scsi_reply(t, &w);
}
