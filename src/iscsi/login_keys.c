/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keys of a login request: sorted into identity, authentication and operational ones, each at
 * most once; and what identity means for access. Pure; called by login.c.
 */
#include "login.h"

/* Sets a key that may stand once in a step; false: it was there before. */
static bool set_once(const char **at, const char *value)
{
	if (*at)
		return false;
	*at = value;
	return true;
}

static const char **slot_of(struct hf_login_keys *k, const char *name)
{
	const struct {
		const char *name;
		const char **slot;
	} slots[] = {
		{"AuthMethod", &k->auth_method},
		{"CHAP_A", &k->chap.a},
		{"CHAP_I", &k->chap.i},
		{"CHAP_C", &k->chap.c},
		{"CHAP_N", &k->chap.n},
		{"CHAP_R", &k->chap.r},
		{"InitiatorName", &k->initiator},
		{"TargetName", &k->target},
		{"SessionType", &k->type},
		{"InitiatorAlias", &k->alias},
	};

	for (size_t i = 0; i < HF_ARRAY_LEN(slots); i++) {
		if (!strcmp(slots[i].name, name))
			return slots[i].slot;
	}
	return NULL;
}

/* Keys that only a target may send (RFC 7143, 13.8 - 13.10). */
static bool is_target_only(const char *name)
{
	return !strcmp(name, "TargetAlias") || !strcmp(name, "TargetAddress") ||
	       !strcmp(name, "TargetPortalGroupTag");
}

enum hf_login_status hf_login_read_keys(
	struct hf_login *l, struct hf_login_keys *ret, struct hf_wr *out)
{
	char *at = l->in, *end = l->in + l->in_len;
	struct hf_key key;
	const char **slot;
	int rc;

	*ret = (struct hf_login_keys){0};
	for (unsigned n = 0; (rc = hf_keys_next(&at, end, &key)) > 0; n++) {
		if (n == HF_KEYS_MAX || is_target_only(key.name))
			return HF_LOGIN_INITIATOR_ERROR;
		slot = slot_of(ret, key.name);
		if (slot) {
			if (!set_once(slot, key.value))
				return HF_LOGIN_INITIATOR_ERROR;
			continue;
		}
		if (!strcmp(key.name, "SendTargets")) {
			hf_keys_put(out, key.name, "Reject");
			continue;
		}
		/* SessionType decides which of these are irrelevant; it comes first in every
		 * initiator, and login.c has set it from a scan of the first request. */
		switch (hf_params_negotiate(&l->params, l->config, &key, out)) {
		case HF_KEYS_OK:
			break;
		case HF_KEYS_UNKNOWN:
			hf_keys_put(out, key.name, "NotUnderstood");
			break;
		case HF_KEYS_ERROR:
			return HF_LOGIN_INITIATOR_ERROR;
		}
	}
	return rc < 0 ? HF_LOGIN_INITIATOR_ERROR : HF_LOGIN_SUCCESS;
}

static const struct hf_iscsi_acl *acl_find(const struct hf_iscsi_config *c, const char *name)
{
	const struct hf_iscsi_acl *any = NULL;

	for (unsigned i = 0; i < c->acl_len; i++) {
		if (!strcmp(c->acl[i].initiator, name))
			return &c->acl[i];
		if (!strcmp(c->acl[i].initiator, "*"))
			any = &c->acl[i];
	}
	return any;
}

/*
 * What the initiator has to prove. An account of its own or the common one makes CHAP required;
 * without either, allow_none decides. Discovery is open unless discovery_needs_chap.
 */
static enum hf_login_status authorize(struct hf_login *l)
{
	const struct hf_iscsi_config *c = l->config;
	const struct hf_iscsi_acl *acl = acl_find(c, l->initiator);

	if (c->acl_len && !acl)
		return HF_LOGIN_FORBIDDEN;
	if (acl && acl->has_chap)
		l->account = &acl->chap;
	else if (c->has_chap)
		l->account = &c->chap;
	l->none_ok = c->allow_none && !l->account;
	if (l->params.discovery)
		l->none_ok = !c->discovery_needs_chap;
	return l->account || l->none_ok ? HF_LOGIN_SUCCESS : HF_LOGIN_AUTH_FAILED;
}

enum hf_login_status hf_login_identify(struct hf_login *l, const struct hf_login_keys *keys)
{
	char target[HF_ISCSI_NAME_MAX + 1];

	if (!keys->initiator)
		return HF_LOGIN_MISSING;
	if (hf_keys_iscsi_name(keys->initiator, l->initiator))
		return HF_LOGIN_INITIATOR_ERROR;
	if (!l->params.discovery) {
		if (!keys->target)
			return HF_LOGIN_MISSING;
		if (hf_keys_iscsi_name(keys->target, target) ||
			strcmp(target, l->config->target_name))
			return HF_LOGIN_NOT_FOUND;
	}
	return authorize(l);
}
