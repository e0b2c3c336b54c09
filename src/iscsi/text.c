/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text requests in full feature phase: SendTargets and the one parameter that may change. Pure.
 *
 *	request (C)... request (F or not) -> answer built once, sent in pieces
 *	piece with C: the initiator sends an empty request with our TTT for the next one
 */
#include "conn.h"

static bool names_us(const struct hf_iscsi_config *config, const char *value)
{
	char name[HF_ISCSI_NAME_MAX + 1];

	return !hf_keys_iscsi_name(value, name) && !strcmp(name, config->target_name);
}

/* RFC 7143, appendix C: All in discovery only, the empty value in a normal session only. */
static void send_targets(
	const struct hf_iscsi_config *config, bool discovery, const char *value, struct hf_wr *out)
{
	bool all = !strcmp(value, "All"), own = !*value;

	if ((all && !discovery) || (own && discovery)) {
		hf_keys_put(out, "SendTargets", "Reject");
		return;
	}
	if (!all && !own && !names_us(config, value))
		return;
	hf_keys_put(out, "TargetName", config->target_name);
	for (unsigned i = 0; i < config->portals_len; i++)
		hf_keys_put(out, "TargetAddress", config->portals[i]);
}

/* Keys that only login knows. */
static bool is_login_only(const char *name)
{
	return !strcmp(name, "AuthMethod") || !strcmp(name, "SessionType") ||
	       !strcmp(name, "InitiatorName") || !strcmp(name, "TargetName") ||
	       !strncmp(name, "CHAP_", 5);
}

int hf_text_answer(
	struct hf_text *t, const struct hf_iscsi_config *config, struct hf_iscsi_params *params)
{
	struct hf_wr out = hf_wr_of(t->out, sizeof(t->out));
	char *at = t->in, *end = t->in + t->in_len;
	struct hf_key key;
	int rc;

	for (unsigned n = 0; (rc = hf_keys_next(&at, end, &key)) > 0; n++) {
		if (n == HF_KEYS_MAX)
			return -EBADMSG;
		if (!strcmp(key.name, "SendTargets"))
			send_targets(config, params->discovery, key.value, &out);
		else if (is_login_only(key.name))
			hf_keys_put(&out, key.name, "Reject");
		else if (strcmp(key.name, "InitiatorAlias") &&
			 hf_params_renegotiate(params, &key, &out) == HF_KEYS_UNKNOWN)
			hf_keys_put(&out, key.name, "NotUnderstood");
	}
	if (rc < 0 || hf_wr_failed(&out))
		return -EBADMSG;
	t->in_len = 0;
	t->out_at = 0;
	t->out_len = hf_wr_len(&out);
	return 0;
}

static bool build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	struct hf_text *t = &c->text;
	uint32_t len = (uint32_t)HF_MIN(t->out_len - t->out_at, c->params.max_send_bytes);
	bool more = t->out_at + len < t->out_len;
	/* Over when we have said all, and the initiator, too. */
	bool over = !more && t->final;
	uint8_t *bhs = hf_tx_header(c, HF_ISCSI_TEXT_RESPONSE);

	bhs[1] = over ? HF_PDU_FINAL : more ? HF_PDU_CONTINUE : 0;
	t->ttt = over ? HF_TAG_NONE : t->ttt + 1 == HF_TAG_NONE ? 0 : t->ttt + 1;
	t->busy = !over;
	hf_put_be32(bhs + 16, t->itt);
	hf_put_be32(bhs + 20, t->ttt);
	hf_tx_numbers(c, bhs, true);
	hf_tx_finish(c, bhs, t->out + t->out_at, len, false);
	t->out_at += len;
	return true;
}

static void sent(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx)
{
	c->text_sending = false;
	hf_conn_resume(c);
}

static void start(struct hf_iscsi_conn *c)
{
	c->text.in_len = c->text.out_len = c->text.out_at = 0;
	c->text.busy = true;
	c->text.itt = c->rx.pdu.itt;
}

static bool is_continued(const struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;

	return c->text.busy && p->word20 == c->text.ttt && p->itt == c->text.itt;
}

enum hf_rx_next hf_text_begin(struct hf_iscsi_conn *c)
{
	const struct hf_pdu *p = &c->rx.pdu;
	struct hf_text *t = &c->text;

	/* The answer's bytes are still in use. */
	if (c->text_sending)
		return HF_RX_WAIT;
	if (p->word20 == HF_TAG_NONE)
		start(c); /* forgets a negotiation that was not brought to its end (6.4) */
	else if (!is_continued(c)) {
		hf_reject(c, HF_REJECT_PROTOCOL);
		return HF_RX_GO;
	}
	if (p->itt == HF_TAG_NONE || p->data_bytes > sizeof(t->in) - t->in_len ||
		((p->flags & HF_PDU_FINAL) && (p->flags & HF_PDU_CONTINUE))) {
		t->busy = false;
		hf_reject(c, HF_REJECT_PROTOCOL);
		return HF_RX_GO;
	}
	hf_rx_into(c, NULL, (uint8_t *)t->in + t->in_len, p->data_bytes);
	return HF_RX_GO;
}

void hf_text_end(struct hf_iscsi_conn *c)
{
	struct hf_text *t = &c->text;
	bool pieces_left = t->out_at < t->out_len;

	if (!c->rx.digest_ok) {
		t->busy = false;
		hf_reject(c, HF_REJECT_DATA_DIGEST);
		return;
	}
	t->in_len += c->rx.pdu.data_bytes;
	t->final = c->rx.pdu.flags & HF_PDU_FINAL;
	if (!pieces_left && !(c->rx.pdu.flags & HF_PDU_CONTINUE) &&
		hf_text_answer(t, c->config, &c->params)) {
		t->busy = false;
		hf_reject(c, HF_REJECT_PROTOCOL);
		return;
	}
	c->text_sending = true;
	c->text_tx.build = build;
	c->text_tx.sent = sent;
	hf_tx_push(c, &c->text_tx);
}
