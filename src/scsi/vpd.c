/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Vital product data pages (SPC-4, 7.8; SBC-3, 6.6). Encoding only.
 */
#include "scsi_internal.h"

#include "checksum.h"

#include <stdio.h>

enum {
	PAGE_SUPPORTED = 0x00,
	PAGE_SERIAL = 0x80,
	PAGE_IDENTIFICATION = 0x83,
	PAGE_EXTENDED_INQUIRY = 0x86,
	PAGE_PORTS = 0x88,
	PAGE_THIRD_PARTY_COPY = 0x8f,
	PAGE_BLOCK_LIMITS = 0xb0,
	PAGE_BLOCK_DEVICE = 0xb1,
	PAGE_PROVISIONING = 0xb2,
};

static const uint8_t pages[] = {PAGE_SUPPORTED, PAGE_SERIAL, PAGE_IDENTIFICATION,
	PAGE_EXTENDED_INQUIRY, PAGE_PORTS, PAGE_THIRD_PARTY_COPY, PAGE_BLOCK_LIMITS,
	PAGE_BLOCK_DEVICE, PAGE_PROVISIONING};

enum {
	CODE_BINARY = 1,
	CODE_ASCII = 2,
	CODE_UTF8 = 3,
	LU_T10 = 0x01,	      /* association 0, type 1 */
	LU_NAA = 0x03,	      /* association 0, type 3 */
	PORT_NAME = 0x98,     /* PIV, association 1, type 8 */
	PORT_RELATIVE = 0x94, /* type 4 */
	PORT_GROUP = 0x95,    /* type 5 */
	TARGET_NAME = 0xa8,   /* PIV, association 2, type 8 */
	ISCSI = 0x50,	      /* PROTOCOL IDENTIFIER, in the upper half */
};

bool scsi_vpd_supported(uint8_t page, const struct hf_lu_info *info)
{
	if (page == PAGE_PROVISIONING && !info->can_unmap)
		return false;
	return memchr(pages, page, sizeof(pages)) != NULL;
}

static void uuid_hex(const struct hf_lu_info *info, char hex[33])
{
	for (unsigned i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", info->uuid[i]);
}

/*
 * NAA 3h, locally assigned: 60 bits of a checksum over the device's UUID. Hosts know the disk by
 * it: it must come out the same for ever.
 */
void scsi_designate_naa(struct hf_wr *w, const struct hf_lu_info *info)
{
	uint64_t n = hf_digest64(0, info->uuid, sizeof(info->uuid));

	hf_wr_u8(w, CODE_BINARY);
	hf_wr_u8(w, LU_NAA);
	hf_wr_u16(w, 8);
	hf_wr_u64(w, (n & 0x0fffffffffffffffULL) | 0x3000000000000000ULL);
}

void scsi_designate_t10(struct hf_wr *w, const struct hf_lu_info *info)
{
	char hex[33];

	uuid_hex(info, hex);
	hf_wr_u8(w, CODE_ASCII);
	hf_wr_u8(w, LU_T10);
	hf_wr_u16(w, 8 + 32);
	hf_wr_bytes(w, "HOLDFAST", 8);
	hf_wr_bytes(w, hex, 32);
}

/* NUL-terminated and padded to a multiple of four (SPC-4, 7.8.6.11). */
static void name_designator(struct hf_wr *w, uint8_t kind, const char *name)
{
	size_t len = strlen(name), padded = HF_ROUND_UP(len + 1, 4);

	hf_wr_u8(w, ISCSI | CODE_UTF8);
	hf_wr_u8(w, kind);
	hf_wr_u16(w, (uint16_t)padded);
	hf_wr_bytes(w, name, len);
	hf_wr_zero(w, padded - len);
}

static void port_name(struct hf_wr *w, const struct hf_target *target, uint16_t group)
{
	char name[HF_ISCSI_NAME_MAX + 16];

	snprintf(name, sizeof(name), "%s,t,0x%04x", target->name, group);
	name_designator(w, PORT_NAME, name);
}

static void port_number(struct hf_wr *w, uint8_t kind, uint16_t number)
{
	hf_wr_u8(w, ISCSI | CODE_BINARY);
	hf_wr_u8(w, kind);
	hf_wr_u16(w, 4);
	hf_wr_u16(w, 0);
	hf_wr_u16(w, number);
}

static void identification(struct hf_wr *w, const struct hf_scsi_task *t)
{
	const struct hf_target *target = hf_lu_target(t->session);

	scsi_designate_naa(w, scsi_info(t));
	scsi_designate_t10(w, scsi_info(t));
	for (unsigned i = 0; i < target->ports_len; i++) {
		const struct hf_target_port *p = &target->ports[i];

		if (p->rtpi != target->own_rtpi)
			continue;
		port_number(w, PORT_RELATIVE, p->rtpi);
		port_number(w, PORT_GROUP, p->group);
		port_name(w, target, p->group);
	}
	name_designator(w, TARGET_NAME, target->name);
}

static void extended_inquiry(struct hf_wr *w)
{
	hf_wr_u8(w, 0);	   /* no protection information to check */
	hf_wr_u8(w, 0x01); /* SIMPSUP */
	hf_wr_zero(w, 58);
}

/* Every port of every controller (scsi-reservations E.3c). */
static void ports(struct hf_wr *w, const struct hf_target *target)
{
	for (unsigned i = 0; i < target->ports_len; i++) {
		uint8_t *len;

		hf_wr_u16(w, 0);
		hf_wr_u16(w, target->ports[i].rtpi);
		hf_wr_u32(w, 0); /* no initiator port */
		hf_wr_u16(w, 0);
		len = hf_wr_take(w, 2);
		port_name(w, target, target->ports[i].group);
		if (!hf_wr_failed(w))
			hf_put_be16(len, (uint16_t)(w->at - len - 2));
	}
}

static void third_party_copy(struct hf_wr *w)
{
	static const uint8_t commands[] = {
		0x83, 1, 0x00,	     /* EXTENDED COPY(LID1) */
		0x84, 2, 0x00, 0x03, /* RECEIVE COPY STATUS(LID1), OPERATING PARAMETERS */
	};

	hf_wr_u16(w, 0x0001); /* supported commands */
	hf_wr_u16(w, 8);
	hf_wr_u8(w, sizeof(commands));
	hf_wr_bytes(w, commands, sizeof(commands));
	hf_wr_u16(w, 0x0004); /* parameter data */
	hf_wr_u16(w, 28);
	hf_wr_zero(w, 8);
	hf_wr_u16(w, SCSI_COPY_TARGETS_MAX);
	hf_wr_u16(w, SCSI_COPY_SEGMENTS_MAX);
	hf_wr_u32(w, SCSI_COPY_LIST_BYTES - 16);
	hf_wr_u32(w, 0); /* no inline data */
	hf_wr_zero(w, 8);
	hf_wr_u16(w, 0x0008); /* supported descriptors */
	hf_wr_u16(w, 4);
	hf_wr_u8(w, 2);
	hf_wr_u8(w, 0x02); /* block to block */
	hf_wr_u8(w, 0xe4); /* identification descriptor CSCD */
	hf_wr_u8(w, 0);
	hf_wr_u16(w, 0x8001); /* general copy operations */
	hf_wr_u16(w, 32);
	hf_wr_u32(w, 1); /* TOTAL CONCURRENT COPIES */
	hf_wr_u32(w, 1); /* MAXIMUM IDENTIFIED CONCURRENT COPIES */
	hf_wr_u32(w, SCSI_COPY_SEGMENT_BYTES);
	hf_wr_u8(w, 9); /* DATA SEGMENT GRANULARITY, log2 */
	hf_wr_zero(w, 19);
}

static void block_limits(struct hf_wr *w, const struct hf_lu_info *info)
{
	uint32_t transfer = HF_XFER_MAX_BYTES / info->block_bytes;

	hf_wr_u8(w, 0x01); /* WSNZ */
	hf_wr_u8(w, HF_CAW_BLOCKS_MAX);
	hf_wr_u16(w, (uint16_t)HF_MAX(info->physical_block_bytes / info->block_bytes, 1u));
	hf_wr_u32(w, transfer);
	hf_wr_u32(w, transfer); /* OPTIMAL */
	hf_wr_u32(w, 0);	/* MAXIMUM PREFETCH LENGTH: not reported */
	hf_wr_u32(w, info->can_unmap ? SCSI_UNMAP_BLOCKS_MAX : 0);
	hf_wr_u32(w, info->can_unmap ? SCSI_UNMAP_DESCRIPTORS_MAX : 0);
	hf_wr_u32(w, info->can_unmap ? HF_MAX(info->physical_block_bytes, 4096u) / info->block_bytes
				     : 0);		 /* OPTIMAL UNMAP GRANULARITY */
	hf_wr_u32(w, info->can_unmap ? 0x80000000u : 0); /* UGAVALID, alignment 0 */
	hf_wr_u64(w, SCSI_WRITE_SAME_BYTES_MAX / info->block_bytes);
	hf_wr_zero(w, 20); /* no WRITE ATOMIC */
}

static void block_device(struct hf_wr *w, const struct hf_lu_info *info)
{
	hf_wr_u16(w, 0x0001); /* non-rotating */
	hf_wr_u8(w, 0);
	/* WABEREQ=01b: after BLOCK ERASE a read is answered with zeros */
	hf_wr_u8(w, info->can_unmap ? 0x40 : 0);
	hf_wr_zero(w, 56);
}

static void provisioning(struct hf_wr *w)
{
	hf_wr_u8(w, 0);	   /* no thresholds */
	hf_wr_u8(w, 0xe4); /* LBPU, LBPWS, LBPWS10, LBPRZ=001b, no anchors */
	hf_wr_u8(w, 0x02); /* thin */
	hf_wr_u8(w, 0);
}

void scsi_vpd_encode(struct hf_wr *w, uint8_t page, const struct hf_scsi_task *t)
{
	const struct hf_lu_info *info = scsi_info(t);
	char hex[33];
	uint8_t *len;

	hf_wr_u8(w, 0); /* direct access */
	hf_wr_u8(w, page);
	len = hf_wr_take(w, 2);
	switch (page) {
	case PAGE_SUPPORTED:
		for (unsigned i = 0; i < sizeof(pages); i++) {
			if (scsi_vpd_supported(pages[i], info))
				hf_wr_u8(w, pages[i]);
		}
		break;
	case PAGE_SERIAL:
		uuid_hex(info, hex);
		hf_wr_bytes(w, hex, 32);
		break;
	case PAGE_IDENTIFICATION:
		identification(w, t);
		break;
	case PAGE_EXTENDED_INQUIRY:
		extended_inquiry(w);
		break;
	case PAGE_PORTS:
		ports(w, hf_lu_target(t->session));
		break;
	case PAGE_THIRD_PARTY_COPY:
		third_party_copy(w);
		break;
	case PAGE_BLOCK_LIMITS:
		block_limits(w, info);
		break;
	case PAGE_BLOCK_DEVICE:
		block_device(w, info);
		break;
	case PAGE_PROVISIONING:
		provisioning(w);
		break;
	}
	hf_assert(!hf_wr_failed(w));
	hf_put_be16(len, (uint16_t)(w->at - len - 2));
}
