/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operational parameters and their result functions (RFC 7143, 13), a table row per key. Pure;
 * called by login.c and text.c for every key that is not theirs.
 */
#include "keys.h"

#include <stddef.h>

enum rule {
	RULE_OR,  /* Yes if either side says so */
	RULE_AND, /* Yes if both say so */
	RULE_MIN,
	RULE_MAX,
	RULE_DECLARE, /* the initiator's own value; no answer */
	RULE_DIGEST,  /* first of the list that we know */
	RULE_LIST,    /* the one value that we know */
	RULE_REFUSED, /* obsolete: answered Reject */
};

/* Where our own value comes from. */
enum ours {
	OURS_FIXED,
	OURS_MAX_BURST,
	OURS_FIRST_BURST,
};

#define NOWHERE ((size_t)-1)
#define AT(f)	offsetof(struct hf_iscsi_params, f)

static const struct row {
	const char *name;
	enum rule rule;
	enum ours ours;
	uint32_t fixed, min, max;
	size_t at;	  /* bool or uint32_t in struct hf_iscsi_params */
	bool io_only;	  /* Irrelevant in a discovery session */
	const char *word; /* RULE_LIST */
} rows[] = {
	{"HeaderDigest", RULE_DIGEST, .at = AT(header_digest)},
	{"DataDigest", RULE_DIGEST, .at = AT(data_digest)},
	{"MaxConnections", RULE_MIN, .fixed = 1, .min = 1, .max = 65535, .at = NOWHERE,
		.io_only = true},
	{"InitialR2T", RULE_OR, .fixed = 0, .at = AT(initial_r2t), .io_only = true},
	{"ImmediateData", RULE_AND, .fixed = 1, .at = AT(immediate_data), .io_only = true},
	{"MaxRecvDataSegmentLength", RULE_DECLARE, .min = 512, .max = 0xffffff,
		.at = AT(max_send_bytes)},
	{"MaxBurstLength", RULE_MIN, OURS_MAX_BURST, .min = 512, .max = 0xffffff,
		.at = AT(max_burst_bytes), .io_only = true},
	{"FirstBurstLength", RULE_MIN, OURS_FIRST_BURST, .min = 512, .max = 0xffffff,
		.at = AT(first_burst_bytes), .io_only = true},
	{"DefaultTime2Wait", RULE_MAX, .fixed = 2, .min = 0, .max = 3600, .at = AT(time2wait)},
	/* Nothing of a session is kept after its connection at error recovery level 0. */
	{"DefaultTime2Retain", RULE_MIN, .fixed = 0, .min = 0, .max = 3600, .at = AT(time2retain)},
	{"MaxOutstandingR2T", RULE_MIN, .fixed = HF_R2T_MAX, .min = 1, .max = 65535,
		.at = AT(max_outstanding_r2t), .io_only = true},
	{"DataPDUInOrder", RULE_OR, .fixed = 1, .at = NOWHERE, .io_only = true},
	{"DataSequenceInOrder", RULE_OR, .fixed = 1, .at = NOWHERE, .io_only = true},
	{"ErrorRecoveryLevel", RULE_MIN, .fixed = 0, .min = 0, .max = 2, .at = NOWHERE},
	{"TaskReporting", RULE_LIST, .word = "RFC3720", .io_only = true, .at = NOWHERE},
	{"iSCSIProtocolLevel", RULE_MIN, .fixed = 1, .min = 0, .max = 31, .at = NOWHERE},
	{"RDMAExtensions", RULE_AND, .fixed = 0, .at = NOWHERE},
	{"OFMarker", RULE_AND, .fixed = 0, .at = NOWHERE},
	{"IFMarker", RULE_AND, .fixed = 0, .at = NOWHERE},
	{"OFMarkInt", RULE_REFUSED, .at = NOWHERE},
	{"IFMarkInt", RULE_REFUSED, .at = NOWHERE},
};

_Static_assert(HF_ARRAY_LEN(rows) <= 64, "params.seen has a bit for each row");

static const struct row *row_find(const char *name)
{
	for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

static uint64_t row_bit(const struct row *row)
{
	return UINT64_C(1) << (row - rows);
}

void hf_params_init(struct hf_iscsi_params *p)
{
	*p = (struct hf_iscsi_params){
		.initial_r2t = true,
		.immediate_data = true,
		.max_send_bytes = HF_LOGIN_SEGMENT_MAX,
		.max_recv_bytes = HF_LOGIN_SEGMENT_MAX,
		.max_burst_bytes = 262144,
		.first_burst_bytes = 65536,
		.max_outstanding_r2t = 1,
		.time2wait = 2,
		.time2retain = 20,
	};
}

static void set_bool(struct hf_iscsi_params *p, const struct row *row, bool value)
{
	if (row->at != NOWHERE)
		*(bool *)((char *)p + row->at) = value;
}

static void set_number(struct hf_iscsi_params *p, const struct row *row, uint32_t value)
{
	if (row->at != NOWHERE)
		*(uint32_t *)(void *)((char *)p + row->at) = value;
}

static enum hf_keys_result negotiate_bool(
	struct hf_iscsi_params *p, const struct row *row, const char *value, struct hf_wr *out)
{
	bool theirs = !strcmp(value, "Yes"), result;

	if (!theirs && strcmp(value, "No")) {
		hf_keys_put(out, row->name, "Reject");
		return HF_KEYS_OK;
	}
	result = row->rule == RULE_OR ? theirs || row->fixed : theirs && row->fixed;
	set_bool(p, row, result);
	hf_keys_put(out, row->name, result ? "Yes" : "No");
	return HF_KEYS_OK;
}

static uint32_t our_number(const struct hf_iscsi_params *p, const struct row *row,
	const struct hf_iscsi_config *config)
{
	switch (row->ours) {
	case OURS_MAX_BURST:
		return config->max_burst_bytes;
	case OURS_FIRST_BURST:
		/* It may not exceed MaxBurstLength (13.14). */
		return HF_MIN(config->first_burst_bytes, p->max_burst_bytes);
	case OURS_FIXED:
		break;
	}
	return row->fixed;
}

static enum hf_keys_result negotiate_number(struct hf_iscsi_params *p, const struct row *row,
	const struct hf_iscsi_config *config, const char *value, struct hf_wr *out)
{
	uint32_t theirs, ours = our_number(p, row, config), result;

	if (hf_keys_number(value, row->min, row->max, &theirs)) {
		hf_keys_put(out, row->name, "Reject");
		return HF_KEYS_OK;
	}
	result = row->rule == RULE_MIN ? HF_MIN(theirs, ours) : HF_MAX(theirs, ours);
	set_number(p, row, result);
	hf_keys_put_number(out, row->name, result);
	return HF_KEYS_OK;
}

static enum hf_keys_result negotiate_digest(struct hf_iscsi_params *p, const struct row *row,
	const struct hf_iscsi_config *config, const char *value, struct hf_wr *out)
{
	char item[32];

	for (unsigned i = 0; i < 16 && hf_keys_list_item(value, i, item, sizeof(item)); i++) {
		bool crc = !strcmp(item, "CRC32C");

		if (!crc && (config->digests_required || strcmp(item, "None")))
			continue;
		set_bool(p, row, crc);
		hf_keys_put(out, row->name, item);
		return HF_KEYS_OK;
	}
	hf_keys_put(out, row->name, "Reject");
	return config->digests_required ? HF_KEYS_ERROR : HF_KEYS_OK;
}

static enum hf_keys_result negotiate_list(
	const struct row *row, const char *value, struct hf_wr *out)
{
	hf_keys_put(out, row->name, hf_keys_list_has(value, row->word) ? row->word : "Reject");
	return HF_KEYS_OK;
}

static enum hf_keys_result declare(
	struct hf_iscsi_params *p, const struct row *row, const char *value)
{
	uint32_t theirs;

	if (hf_keys_number(value, row->min, row->max, &theirs))
		return HF_KEYS_ERROR;
	set_number(p, row, theirs);
	return HF_KEYS_OK;
}

enum hf_keys_result hf_params_negotiate(struct hf_iscsi_params *p,
	const struct hf_iscsi_config *config, const struct hf_key *key, struct hf_wr *out)
{
	const struct row *row = row_find(key->name);

	if (!row)
		return HF_KEYS_UNKNOWN;
	if (p->seen & row_bit(row))
		return HF_KEYS_ERROR;
	p->seen |= row_bit(row);
	if (p->discovery && row->io_only) {
		hf_keys_put(out, key->name, "Irrelevant");
		return HF_KEYS_OK;
	}
	switch (row->rule) {
	case RULE_OR:
	case RULE_AND:
		return negotiate_bool(p, row, key->value, out);
	case RULE_MIN:
	case RULE_MAX:
		return negotiate_number(p, row, config, key->value, out);
	case RULE_DECLARE:
		return declare(p, row, key->value);
	case RULE_DIGEST:
		return negotiate_digest(p, row, config, key->value, out);
	case RULE_LIST:
		return negotiate_list(row, key->value, out);
	case RULE_REFUSED:
		break;
	}
	hf_keys_put(out, key->name, "Reject");
	return HF_KEYS_OK;
}

enum hf_keys_result hf_params_renegotiate(
	struct hf_iscsi_params *p, const struct hf_key *key, struct hf_wr *out)
{
	const struct row *row = row_find(key->name);

	if (!row)
		return HF_KEYS_UNKNOWN;
	if (row->rule != RULE_DECLARE) {
		hf_keys_put(out, key->name, "Reject");
		return HF_KEYS_OK;
	}
	if (declare(p, row, key->value) != HF_KEYS_OK)
		hf_keys_put(out, key->name, "Reject");
	return HF_KEYS_OK;
}
