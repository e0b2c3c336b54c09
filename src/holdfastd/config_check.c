/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What has to hold between options, the defaults, and the digest by which the controllers compare
 * their configurations. Pure. Used by config.c; hf_config_digest() by the bus wiring.
 */
#include "config_options.h"
#include "endian.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

/* With corosync longer than its token and its consensus together: so long nothing passes when a
 * node is lost, and then hosts are to wait, not to be told. */
enum { BOUND_MS = 5000, BOUND_COROSYNC_MS = 15000 };

void hf_config_set_defaults(struct hf_config *c)
{
	c->on_peer_loss = HF_CONFIG_FREEZE;
	c->fence.command_ms = 20000;
	c->fence.watchdog_ms = 1000;
	c->fence.path_ms = 500;
	c->heartbeat_ms = 200;
	c->silence_ms = 1000;
	c->retry_ms = 5;
	c->log_level = HF_LOG_INFO;
	memcpy(c->control_socket, "/run/holdfastd.sock", sizeof("/run/holdfastd.sock"));
	c->iscsi.queue_depth = 128;
	c->iscsi.max_recv_data_segment_bytes = 262144;
	c->iscsi.max_burst_bytes = HF_XFER_MAX_BYTES;
	c->iscsi.first_burst_bytes = 262144;
	c->iscsi.nop_interval_ms = 5000;
	c->iscsi.nop_timeout_ms = 5000;
	c->iscsi.login_timeout_ms = 15000;
}

static bool address_equal(const struct hf_config_address *a, const struct hf_config_address *b)
{
	return a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

static int by_id(const void *a, const void *b)
{
	const struct hf_config_controller *x = a, *y = b;

	return (int)x->id - (int)y->id;
}

static int check_pair(struct parser *p, const struct hf_config_controller *a,
	const struct hf_config_controller *b)
{
	if (a->id == b->id)
		return fail(p, b->line, "two controllers have id %u; give each its own", a->id);
	if (a->rtpi == b->rtpi)
		return fail(p, b->line, "controllers %u and %u have rtpi %u; give each its own",
			a->id, b->id, a->rtpi);
	if (strcmp(a->name, b->name) == 0)
		return fail(p, b->line,
			"controllers %u and %u are both named \"%s\"; give each its own "
			"name",
			a->id, b->id, a->name);
	for (unsigned i = 0; i < a->portals_len; i++) {
		for (unsigned j = 0; j < b->portals_len; j++) {
			if (address_equal(&a->portals[i], &b->portals[j]))
				return fail(p, b->line,
					"controllers %u and %u have the same portal %s; "
					"each listens on its own address",
					a->id, b->id, a->portals[i].text);
		}
	}
	return 0;
}

static int check_controllers(struct parser *p, struct hf_config *c)
{
	unsigned portals = 0;

	if (c->bus == HF_CONFIG_BUS_PAIR && c->controllers_len > 2)
		return fail(p, p->bus_line,
			"there are %u controllers, and the bus joins two; say bus = \"corosync\" "
			"(doc/clusters.md)",
			c->controllers_len);
	for (unsigned i = 0; i < c->controllers_len; i++) {
		struct hf_config_controller *k = &c->controllers[i];

		if (!k->rtpi)
			k->rtpi = k->id;
		if (!k->name[0])
			snprintf(k->name, sizeof(k->name), "controller-%u", k->id);
		if (!k->bus_listen_len) {
			memcpy(k->bus_listen, k->bus, sizeof(k->bus));
			k->bus_listen_len = k->bus_len;
		}
		if (c->bus == HF_CONFIG_BUS_COROSYNC && k->bus_len)
			return fail(p, k->line,
				"controller %u has a bus address, and the bus is corosync, which "
				"has "
				"its own in corosync.conf; take it out",
				k->id);
		if (c->bus == HF_CONFIG_BUS_PAIR && c->controllers_len > 1 && !k->bus_len)
			return fail(p, k->line,
				"controller %u has no bus address; add bus = "
				"[\"IP:PORT\"] to it",
				k->id);
		if (k->bus_len != c->controllers[0].bus_len || k->bus_listen_len != k->bus_len)
			return fail(p, k->line,
				"controller %u has %u bus and %u bus-listen addresses, "
				"controller %u has %u; a link has one address at every controller",
				k->id, k->bus_len, k->bus_listen_len, c->controllers[0].id,
				c->controllers[0].bus_len);
		portals += k->portals_len;
	}
	if (portals > HF_ARRAY_LEN(c->iscsi.portals))
		return fail(p, 0, "%u portals in all; at most %zu fit", portals,
			HF_ARRAY_LEN(c->iscsi.portals));
	qsort(c->controllers, c->controllers_len, sizeof(c->controllers[0]), by_id);
	for (unsigned i = 0; i < c->controllers_len; i++) {
		for (unsigned j = i + 1; j < c->controllers_len; j++) {
			int rc = check_pair(p, &c->controllers[i], &c->controllers[j]);

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int check_account(struct parser *p, unsigned line, const char *what, bool has_user,
	const struct hf_iscsi_chap_account *a)
{
	if (has_user && !a->secret[0])
		return fail(p, line, "%s has a user and no secret; add the secret", what);
	if (!has_user && a->secret[0])
		return fail(p, line, "%s has a secret and no user; add the user", what);
	return 0;
}

static int check_acl(struct parser *p, const struct hf_iscsi_config *i, unsigned k)
{
	const struct hf_iscsi_acl *a = &i->acl[k];
	unsigned line = p->acl_line[k];

	if (check_account(p, line, a->initiator, a->has_chap, &a->chap) < 0)
		return -EINVAL;
	for (unsigned m = 0; m < k; m++) {
		if (strcmp(a->initiator, i->acl[m].initiator) == 0)
			return fail(p, line, "initiator %s is listed twice; list it once",
				a->initiator);
	}
	if (i->has_mutual_chap && a->has_chap && strcmp(a->chap.secret, i->mutual_chap.secret) == 0)
		return fail(p, line,
			"the mutual secret is the secret of %s; they must differ "
			"(RFC 7143, 9.2.1)",
			a->initiator);
	if (!a->has_chap && !i->has_chap && !i->allow_none)
		return fail(p, line,
			"initiator %s has no user and secret; give it some, or say "
			"allow-none = true in auth",
			a->initiator);
	return 0;
}

static int check_auth(struct parser *p, struct hf_iscsi_config *i)
{
	bool chap = i->has_chap;

	if (check_account(p, p->auth_line, "auth", i->has_chap, &i->chap) < 0 ||
		check_account(
			p, p->auth_line, "auth (mutual)", i->has_mutual_chap, &i->mutual_chap) < 0)
		return -EINVAL;
	for (unsigned k = 0; k < i->acl_len; k++) {
		if (check_acl(p, i, k) < 0)
			return -EINVAL;
		chap = chap || i->acl[k].has_chap;
	}
	if (!chap && !i->allow_none)
		return fail(p, p->auth_line,
			"auth names no user and secret; add them, or say allow-none = true to let "
			"initiators in without a password");
	if (i->has_mutual_chap && i->has_chap && strcmp(i->chap.secret, i->mutual_chap.secret) == 0)
		return fail(p, p->auth_line,
			"secret and mutual-secret are equal; they must differ (RFC 7143, 9.2.1)");
	if (i->has_mutual_chap && !chap)
		return fail(p, p->auth_line,
			"mutual-user without a user: the target proves itself only to initiators "
			"that do; add user and secret");
	if (i->discovery_needs_chap && !i->has_chap)
		return fail(p, p->auth_line,
			"discovery-chap is set and auth has no user; add user and secret");
	return 0;
}

static int check_bus(struct parser *p, const struct hf_config *c)
{
	if (c->bus == HF_CONFIG_BUS_COROSYNC) {
		if (c->bus_key_len || c->bus_key_file[0])
			return fail(p, p->bus_line,
				"the bus has a key, and corosync has its own (corosync-keygen); "
				"take "
				"it out");
		return 0;
	}
	if (c->stop_without_quorum)
		return fail(p, p->bus_line,
			"on-quorum-loss is for the bus corosync; two controllers with links of "
			"their "
			"own have no quorum");
	if (c->bus_key_len && c->bus_key_file[0])
		return fail(p, p->bus_line, "bus has a key and a key-file; keep one of them");
	if (c->controllers_len > 1 && !c->bus_key_len && !c->bus_key_file[0])
		return fail(p, p->bus_line,
			"the bus has no key; add bus = { key-file = \"PATH\"; }; and make "
			"the file with: openssl rand -hex 32");
	return 0;
}

static int check_numbers(struct parser *p, const struct hf_config *c)
{
	if (c->silence_ms < 3 * c->heartbeat_ms)
		return fail(p, p->bus_line,
			"silence-ms is %u and heartbeat-ms %u; silence takes at least three "
			"heartbeats, or one late packet looks like a lost peer",
			c->silence_ms, c->heartbeat_ms);
	if (c->bound_ms < c->silence_ms)
		return fail(p, p->bus_line,
			"bound-ms is %u and silence-ms %u; the bound must not be shorter",
			c->bound_ms, c->silence_ms);
	if (c->iscsi.first_burst_bytes > c->iscsi.max_burst_bytes)
		return fail(p, p->iscsi_line,
			"first-burst-bytes is larger than max-burst-bytes; it must not be "
			"(RFC 7143, 13.14)");
	return 0;
}

static int check_fence(struct parser *p, const struct hf_config *c)
{
	if (c->on_peer_loss == HF_CONFIG_FREEZE && c->fence.driver)
		return fail(p, p->fence_line,
			"there is a fence and on-peer-loss is \"freeze\"; say on-peer-loss = "
			"\"fence\" or take the fence out");
	if (c->on_peer_loss == HF_CONFIG_FREEZE)
		return 0;
	if (!c->fence.driver)
		return fail(p, 0,
			"on-peer-loss is \"fence\" and nothing says how; add fence = { driver = "
			"\"command\"; };");
	if (c->fence.driver == HF_CONFIG_FENCE_LEASE && !c->fence.watchdog[0])
		return fail(p, p->fence_line,
			"a lease without a watchdog protects nothing: a stopped process would wake "
			"up "
			"and write; add watchdog = \"/dev/watchdog\"");
	if (c->fence.watchdog_ms % 1000)
		return fail(p, p->fence_line, "watchdog-ms is %u; a watchdog counts whole seconds",
			c->fence.watchdog_ms);
	for (unsigned i = 0; i < c->controllers_len; i++) {
		const struct hf_config_controller *k = &c->controllers[i];

		if (c->fence.driver == HF_CONFIG_FENCE_COMMAND && c->controllers_len > 1 &&
			!k->fence_args_len)
			return fail(p, k->line,
				"controller %u has no fence-command; name the agent that switches "
				"it "
				"off, with its arguments",
				k->id);
	}
	return 0;
}

static void advertise(struct hf_iscsi_config *i, const struct hf_config_controller *k)
{
	for (unsigned n = 0; n < k->portals_len; n++) {
		char portal[sizeof(i->portals[0])];

		snprintf(portal, sizeof(portal), "%s,%u", k->portals[n].text, k->id);
		memcpy(i->portals[i->portals_len++], portal, sizeof(portal));
	}
}

static int choose_self(struct parser *p, struct hf_config *c, unsigned self_id)
{
	if (self_id)
		c->controller = self_id;
	if (!c->controller && c->controllers_len == 1)
		c->controller = c->controllers[0].id;
	if (!c->controller)
		return fail(p, 0,
			"which controller is this one? Say controller = N, or start with "
			"-i N");
	c->self = hf_config_controller_find(c, c->controller);
	if (!c->self)
		return fail(p, 0,
			"controller %u is not in the list of controllers; add it, or correct "
			"controller = N",
			c->controller);
	if (c->self->disks.len) {
		free(c->disks.urls);
		c->disks = c->self->disks;
		c->controllers[c->self - c->controllers].disks = (struct hf_config_disks){.len = 0};
	}
	if (!c->disks.len)
		return fail(p, 0, "no disks; add disks = [ \"PATH\", ... ]");
	c->iscsi.tpgt = (uint16_t)c->self->id;
	c->iscsi.rtpi = c->self->rtpi;
	advertise(&c->iscsi, c->self);
	for (unsigned i = 0; i < c->controllers_len; i++) {
		if (&c->controllers[i] != c->self)
			advertise(&c->iscsi, &c->controllers[i]);
	}
	return 0;
}

int hf_config_finish(struct parser *p, unsigned self_id)
{
	struct hf_config *c = p->config;

	if (!c->bound_ms)
		c->bound_ms = c->bus == HF_CONFIG_BUS_COROSYNC ? BOUND_COROSYNC_MS : BOUND_MS;
	if (check_controllers(p, c) < 0 || check_auth(p, &c->iscsi) < 0 ||
		check_numbers(p, c) < 0 || check_fence(p, c) < 0 || choose_self(p, c, self_id) < 0)
		return -EINVAL;
	if (!c->iscsi.target_alias[0])
		memcpy(c->iscsi.target_alias, c->cluster, sizeof(c->cluster));
	return check_bus(p, c);
}

const struct hf_config_controller *hf_config_controller_find(const struct hf_config *c, unsigned id)
{
	for (unsigned i = 0; i < c->controllers_len; i++) {
		if (c->controllers[i].id == id)
			return &c->controllers[i];
	}
	return NULL;
}

void hf_config_destroy(struct hf_config *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < HF_ARRAY_LEN(c->controllers); i++) {
		free(c->controllers[i].disks.urls);
		for (unsigned k = 0; k < c->controllers[i].fence_args_len; k++)
			free(c->controllers[i].fence_args[k]);
	}
	free(c->disks.urls);
	if (c->iscsi.acl)
		explicit_bzero(c->iscsi.acl, c->iscsi.acl_len * sizeof(*c->iscsi.acl));
	free(c->iscsi.acl);
	explicit_bzero(c, sizeof(*c));
	free(c);
}

/* Strings go in with their NUL and numbers as text, so that no two lists look alike. */
static void put(EVP_MD_CTX *md, const char *text)
{
	hf_assert(EVP_DigestUpdate(md, text, strlen(text) + 1) == 1);
}

static void put_number(EVP_MD_CTX *md, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	put(md, text);
}

static void put_account(EVP_MD_CTX *md, bool has, const struct hf_iscsi_chap_account *a)
{
	put_number(md, has);
	put(md, a->user);
	put(md, a->secret);
}

uint64_t hf_config_digest(const struct hf_config *c)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const struct hf_iscsi_config *i = &c->iscsi;
	uint8_t out[EVP_MAX_MD_SIZE];
	uint64_t digest;

	hf_assert(md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
	put(md, c->cluster);
	put(md, i->target_name);
	put_number(md, c->controllers_len);
	for (unsigned n = 0; n < c->controllers_len; n++) {
		const struct hf_config_controller *k = &c->controllers[n];

		put_number(md, k->id);
		put_number(md, k->rtpi);
		put(md, k->name);
		put_number(md, k->portals_len);
		for (unsigned m = 0; m < k->portals_len; m++)
			put(md, k->portals[m].text);
	}
	put_number(md, c->bus);
	put_number(md, c->stop_without_quorum);
	put_number(md, c->on_peer_loss);
	put_number(md, c->fence.driver);
	put_number(md, c->fence.watchdog_ms);
	put_number(md, c->fence.path_ms);
	put_number(md, c->heartbeat_ms);
	put_number(md, c->silence_ms);
	put_number(md, c->retry_ms);
	put_number(md, c->bound_ms);
	put_number(md, i->allow_none);
	put_number(md, i->discovery_needs_chap);
	put_account(md, i->has_chap, &i->chap);
	put_account(md, i->has_mutual_chap, &i->mutual_chap);
	put_number(md, i->acl_len);
	for (unsigned n = 0; n < i->acl_len; n++) {
		put(md, i->acl[n].initiator);
		put_account(md, i->acl[n].has_chap, &i->acl[n].chap);
	}
	hf_assert(EVP_DigestFinal_ex(md, out, NULL) == 1);
	EVP_MD_CTX_free(md);
	memcpy(&digest, out, sizeof(digest));
	return hf_get_be64(&digest);
}
