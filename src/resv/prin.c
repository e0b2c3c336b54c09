/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parameter data of PERSISTENT RESERVE IN (scsi-reservations E.3). The lengths in the data are
 * always those of the whole, however little of it the allocation length lets through.
 */
#include "bytes.h"
#include "state.h"

#define FULL_STATUS_BYTES 24 /* of a full status descriptor, without its TransportID */

enum {
	READ_KEYS,
	READ_RESERVATION,
	REPORT_CAPABILITIES,
	READ_FULL_STATUS,
};

/* Where the data go: as much of each piece as there is room for. */
struct sink {
	uint8_t *buf;
	size_t cap, len;
};

static void put(struct sink *s, const uint8_t *piece, size_t len)
{
	len = HF_MIN(len, s->cap - s->len);
	if (len)
		memcpy(s->buf + s->len, piece, len);
	s->len += len;
}

static void put_header(struct sink *s, const struct hf_resv *r, uint32_t additional_length)
{
	uint8_t head[8];

	hf_put_be32(head, r->generation);
	hf_put_be32(head + 4, additional_length);
	put(s, head, sizeof(head));
}

static void read_keys(const struct hf_resv *r, struct sink *s)
{
	uint8_t key[8];

	put_header(s, r, 8 * r->registrations_len);
	for (unsigned i = 0; i < r->registrations_len; i++) {
		hf_put_be64(key, r->registrations[i].key);
		put(s, key, sizeof(key));
	}
}

static void read_reservation(const struct hf_resv *r, struct sink *s)
{
	const struct registration *holder = hf_resv_single_holder(r);
	uint8_t descriptor[16] = {0};

	put_header(s, r, r->type ? sizeof(descriptor) : 0);
	if (!r->type)
		return;
	/* No one key stands for all registrants: 0 under types 7 and 8. */
	hf_put_be64(descriptor, holder ? holder->key : 0);
	descriptor[13] = r->type; /* byte 21 of the whole; scope 0 */
	put(s, descriptor, sizeof(descriptor));
}

static void report_capabilities(const struct hf_resv *r, struct sink *s)
{
	const uint8_t data[8] = {
		0, 8,				     /* LENGTH */
		0x80 | 0x10 | 0x08 | 0x04 | 0x01,    /* RLR_C, CRH, SIP_C, ATP_C, PTPL_C */
		(uint8_t)(0x80 | 5 << 4 | r->aptpl), /* TMV, ALLOW COMMANDS 101b, PTPL_A */
		0xea, 0x01,			     /* all six types */
	};

	put(s, data, sizeof(data));
}

static void read_full_status(const struct hf_resv *r, struct sink *s)
{
	uint8_t descriptor[FULL_STATUS_BYTES + HF_TRANSPORT_ID_MAX];
	uint32_t total = 0;

	for (unsigned i = 0; i < r->registrations_len; i++)
		total += FULL_STATUS_BYTES + (uint32_t)hf_transport_id_encode(
						     &r->registrations[i].nexus.init, descriptor);
	put_header(s, r, total);
	for (unsigned i = 0; i < r->registrations_len; i++) {
		const struct registration *reg = &r->registrations[i];
		size_t id_len =
			hf_transport_id_encode(&reg->nexus.init, descriptor + FULL_STATUS_BYTES);

		memset(descriptor, 0, FULL_STATUS_BYTES);
		hf_put_be64(descriptor, reg->key);
		if (hf_resv_holds(r, reg)) {
			descriptor[12] =
				0x01; /* R_HOLDER; one descriptor per nexus: no ALL_TG_PT */
			descriptor[13] = r->type;
		}
		hf_put_be16(descriptor + 18, reg->nexus.rtpi);
		hf_put_be32(descriptor + 20, (uint32_t)id_len);
		put(s, descriptor, FULL_STATUS_BYTES + id_len);
	}
}

int hf_resv_prin(const struct hf_resv *r, uint8_t service_action, uint8_t *buf, size_t cap)
{
	struct sink s = {.buf = buf, .cap = cap};

	switch (service_action) {
	case READ_KEYS:
		read_keys(r, &s);
		break;
	case READ_RESERVATION:
		read_reservation(r, &s);
		break;
	case REPORT_CAPABILITIES:
		report_capabilities(r, &s);
		break;
	case READ_FULL_STATUS:
		read_full_status(r, &s);
		break;
	default:
		return -EINVAL;
	}
	return (int)s.len;
}
