/* SPDX-License-Identifier: BSD-3-Clause */
/* The login machine: header checks, stages, transitions. The keys are login_keys.c's. Pure. */
#include "login.h"

enum {
	STAGE_SECURITY = 0,
	STAGE_OPERATIONAL = 1,
	STAGE_FULL = 3,
};

static uint8_t pdu_csg(const struct hf_pdu *pdu)
{
	return pdu->flags >> 2 & 3;
}

static uint8_t pdu_nsg(const struct hf_pdu *pdu)
{
	return pdu->flags & 3;
}

const char *hf_login_status_text(enum hf_login_status status)
{
	switch (status) {
	case HF_LOGIN_SUCCESS:
		return "logged in";
	case HF_LOGIN_INITIATOR_ERROR:
		return "login refused: malformed or contradictory request";
	case HF_LOGIN_AUTH_FAILED:
		return "login refused: authentication failed";
	case HF_LOGIN_FORBIDDEN:
		return "login refused: the initiator is not in the access list";
	case HF_LOGIN_NOT_FOUND:
		return "login refused: no target of that name";
	case HF_LOGIN_VERSION:
		return "login refused: unknown protocol version";
	case HF_LOGIN_MISSING:
		return "login refused: a name, or a digest that is required, is missing";
	case HF_LOGIN_SESSION_TYPE:
		return "login refused: unknown session type";
	case HF_LOGIN_NO_SESSION:
		return "login refused: no session is continued here";
	case HF_LOGIN_NO_RESOURCES:
		return "login refused: too many sessions, or no memory";
	}
	return "login refused";
}

void hf_login_init(struct hf_login *l, const struct hf_iscsi_config *config,
	const uint8_t random[static HF_LOGIN_RANDOM_BYTES])
{
	memset(l, 0, sizeof(*l));
	l->config = config;
	l->auth = "None";
	hf_params_init(&l->params);
	hf_chap_init(&l->chap, random);
}

static enum hf_login_next fail(struct hf_login *l, enum hf_login_status status)
{
	l->status = status;
	l->flags = 0;
	l->out_len = 0;
	return HF_LOGIN_FAIL;
}

/* Only version 0 exists; no session is ever continued (one connection each). */
static enum hf_login_status check_first(struct hf_login *l, const struct hf_pdu *pdu)
{
	l->begun = true;
	l->isid = pdu->lun >> 16;
	l->itt = pdu->itt;
	l->cid = (uint16_t)(pdu->word20 >> 16);
	l->stage = pdu_csg(pdu);
	if (pdu->byte3 > 0)
		return HF_LOGIN_VERSION;
	if (pdu->lun & 0xffff)
		return HF_LOGIN_NO_SESSION;
	return HF_LOGIN_SUCCESS;
}

static enum hf_login_status check_header(struct hf_login *l, const struct hf_pdu *pdu)
{
	bool transit = pdu->flags & HF_PDU_TRANSIT, more = pdu->flags & HF_PDU_CONTINUE;
	uint8_t csg = pdu_csg(pdu), nsg = pdu_nsg(pdu);
	enum hf_login_status status = HF_LOGIN_SUCCESS;

	if (!l->begun)
		status = check_first(l, pdu);
	if (status != HF_LOGIN_SUCCESS)
		return status;
	if (l->isid != pdu->lun >> 16 || (pdu->lun & 0xffff) || l->itt != pdu->itt ||
		l->cid != pdu->word20 >> 16 || l->stage != csg)
		return HF_LOGIN_INITIATOR_ERROR;
	if (csg > STAGE_OPERATIONAL || (transit && more))
		return HF_LOGIN_INITIATOR_ERROR;
	if (transit && (nsg <= csg || nsg == 2))
		return HF_LOGIN_INITIATOR_ERROR;
	if (++l->steps > HF_LOGIN_STEPS_MAX || pdu->data_bytes > sizeof(l->in) - l->in_len)
		return HF_LOGIN_INITIATOR_ERROR;
	return HF_LOGIN_SUCCESS;
}

/* SessionType rules how other keys are answered, wherever it stands in the text. */
static enum hf_login_status read_session_type(struct hf_login *l)
{
	static const char key[] = "SessionType=";
	const char *p = l->in, *end = l->in + l->in_len;

	while (p < end) {
		size_t len = strnlen(p, (size_t)(end - p));

		if (len < (size_t)(end - p) && !strncmp(p, key, sizeof(key) - 1)) {
			const char *type = p + sizeof(key) - 1;

			if (strcmp(type, "Discovery") && strcmp(type, "Normal"))
				return HF_LOGIN_SESSION_TYPE;
			l->params.discovery = !strcmp(type, "Discovery");
			return HF_LOGIN_SUCCESS;
		}
		p += len + 1;
	}
	return HF_LOGIN_SUCCESS;
}

static void declare_target(struct hf_login *l, struct hf_wr *out)
{
	if (l->params.discovery)
		return;
	hf_keys_put_number(out, "TargetPortalGroupTag", l->config->tpgt);
	if (l->config->target_alias[0])
		hf_keys_put(out, "TargetAlias", l->config->target_alias);
}

static enum hf_login_status first_step(
	struct hf_login *l, const struct hf_login_keys *keys, struct hf_wr *out)
{
	enum hf_login_status status = hf_login_identify(l, keys);

	if (status != HF_LOGIN_SUCCESS)
		return status;
	l->named = true;
	/* Straight into the operational stage: only where nothing has to be proven. */
	if (l->stage == STAGE_OPERATIONAL && !l->none_ok)
		return HF_LOGIN_AUTH_FAILED;
	declare_target(l, out);
	return HF_LOGIN_SUCCESS;
}

/* The first method of the initiator's list that is good enough. */
static enum hf_login_status choose_method(struct hf_login *l, const char *list, struct hf_wr *out)
{
	char item[32];

	if (l->chap.state != HF_CHAP_IDLE || l->security_entered)
		return HF_LOGIN_INITIATOR_ERROR;
	l->security_entered = true;
	for (unsigned i = 0; i < 16 && hf_keys_list_item(list, i, item, sizeof(item)); i++) {
		if (!strcmp(item, "CHAP") && l->account) {
			l->chap.state = HF_CHAP_WAIT_ALGORITHMS;
			hf_keys_put(out, "AuthMethod", item);
			return HF_LOGIN_SUCCESS;
		}
		if (!strcmp(item, "None") && l->none_ok) {
			hf_keys_put(out, "AuthMethod", item);
			return HF_LOGIN_SUCCESS;
		}
	}
	return HF_LOGIN_AUTH_FAILED;
}

static enum hf_login_status security_step(
	struct hf_login *l, const struct hf_login_keys *keys, struct hf_wr *out)
{
	const struct hf_iscsi_config *c = l->config;
	/* CHAP_A may come in the same request as AuthMethod=CHAP. */
	bool chap_keys =
		keys->chap.a || keys->chap.i || keys->chap.c || keys->chap.n || keys->chap.r;

	if (keys->auth_method) {
		enum hf_login_status status = choose_method(l, keys->auth_method, out);

		if (status != HF_LOGIN_SUCCESS || !chap_keys)
			return status;
	}
	/* A step of CHAP in progress must bring its keys; an empty request would wait for ever. */
	if (!hf_chap_step(&l->chap, l->account, c->has_mutual_chap ? &c->mutual_chap : NULL,
		    &keys->chap, out))
		return HF_LOGIN_AUTH_FAILED;
	if (l->chap.state == HF_CHAP_PROVEN)
		l->auth = l->chap.mutual ? "CHAP mutual" : "CHAP";
	return HF_LOGIN_SUCCESS;
}

static bool is_proven(const struct hf_login *l)
{
	if (l->chap.state == HF_CHAP_IDLE)
		return l->none_ok;
	return l->chap.state == HF_CHAP_PROVEN;
}

static void declare_limits(struct hf_login *l, struct hf_wr *out)
{
	if (l->declared)
		return;
	l->declared = true;
	l->params.max_recv_bytes = l->config->max_recv_data_segment_bytes;
	hf_keys_put_number(out, "MaxRecvDataSegmentLength", l->params.max_recv_bytes);
}

/* For people only: what a terminal might take for a command is left out. */
static void take_alias(struct hf_login *l, const char *alias)
{
	size_t len = strnlen(alias, HF_NAME_MAX);

	for (size_t i = 0; i < len; i++)
		l->alias[i] = (unsigned char)alias[i] < 0x20 || alias[i] == 0x7f ? '?' : alias[i];
	l->alias[len] = '\0';
}

static enum hf_login_status step(struct hf_login *l, struct hf_wr *out)
{
	struct hf_login_keys keys;
	enum hf_login_status status = HF_LOGIN_SUCCESS;
	bool first = !l->named;

	if (first)
		status = read_session_type(l);
	if (status == HF_LOGIN_SUCCESS)
		status = hf_login_read_keys(l, &keys, out);
	if (status != HF_LOGIN_SUCCESS)
		return status;
	if (keys.alias)
		take_alias(l, keys.alias);
	if (first)
		status = first_step(l, &keys, out);
	else if (keys.initiator || keys.target || keys.type)
		return HF_LOGIN_INITIATOR_ERROR;
	if (status != HF_LOGIN_SUCCESS)
		return status;
	if (l->stage == STAGE_SECURITY)
		return security_step(l, &keys, out);
	if (keys.auth_method || keys.chap.a || keys.chap.i || keys.chap.c || keys.chap.n ||
		keys.chap.r)
		return HF_LOGIN_INITIATOR_ERROR;
	declare_limits(l, out);
	return HF_LOGIN_SUCCESS;
}

/* The answer to T=1: agreed where the stage has nothing left to do. */
static enum hf_login_next transit(struct hf_login *l, const struct hf_pdu *pdu)
{
	uint8_t nsg = pdu_nsg(pdu);

	if (!(pdu->flags & HF_PDU_TRANSIT))
		return HF_LOGIN_REPLY;
	if (l->stage == STAGE_SECURITY && !is_proven(l)) {
		/* It asked to go on without having been asked to prove anything. */
		return l->chap.state == HF_CHAP_IDLE ? fail(l, HF_LOGIN_AUTH_FAILED)
						     : HF_LOGIN_REPLY;
	}
	if (nsg == STAGE_FULL && l->config->digests_required && !l->params.discovery &&
		!(l->params.header_digest && l->params.data_digest))
		return fail(l, HF_LOGIN_MISSING);
	l->flags |= (uint8_t)(HF_PDU_TRANSIT | nsg);
	l->stage = nsg;
	return nsg == STAGE_FULL ? HF_LOGIN_COMPLETE : HF_LOGIN_REPLY;
}

enum hf_login_next hf_login_step(struct hf_login *l, const struct hf_pdu *pdu, const void *data)
{
	struct hf_wr out = hf_wr_of(l->out, sizeof(l->out));
	enum hf_login_status status = check_header(l, pdu);

	if (status != HF_LOGIN_SUCCESS)
		return fail(l, status);
	if (pdu->data_bytes)
		memcpy(l->in + l->in_len, data, pdu->data_bytes);
	l->in_len += pdu->data_bytes;
	l->status = HF_LOGIN_SUCCESS;
	l->flags = (uint8_t)(l->stage << 2);
	l->out_len = 0;
	if (pdu->flags & HF_PDU_CONTINUE)
		return HF_LOGIN_REPLY;
	status = step(l, &out);
	l->in_len = 0;
	/* An answer goes out in one PDU; nobody sends so many keys in good faith. */
	if (status == HF_LOGIN_SUCCESS &&
		(hf_wr_failed(&out) || hf_wr_len(&out) > HF_LOGIN_SEGMENT_MAX))
		status = HF_LOGIN_INITIATOR_ERROR;
	if (status != HF_LOGIN_SUCCESS)
		return fail(l, status);
	l->out_len = hf_wr_len(&out);
	return transit(l, pdu);
}
