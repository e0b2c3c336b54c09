/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts: a session to each controller, a few commands out at a time, what they ask decided by the
 * seed. They race for reservations, break in on each other, log out in mid-command, come back.
 */
#include "cmd.h"

#include "endian.h"

#include <stdlib.h>

static void think_later(struct sim_host *h);

/* --- which command --- */

static void put_cdb(struct sim_cmd *c, const uint8_t *cdb, unsigned len)
{
	memcpy(c->t.cdb, cdb, len);
	c->t.cdb_len = 16;
}

static void build_io(struct sim_cmd *c, uint8_t opcode, bool out)
{
	uint8_t cdb[16] = {opcode};

	hf_put_be32(cdb + 2, (uint32_t)c->lba);
	hf_put_be16(cdb + 7, (uint16_t)c->blocks);
	cdb[1] = c->fua ? 0x08 : 0;
	put_cdb(c, cdb, 10);
	c->t.data_out = out;
	c->t.data_in = !out;
	c->t.expected_bytes = c->blocks * 512;
}

static void build_caw(struct sim_cmd *c)
{
	uint8_t cdb[16] = {0x89};

	c->blocks = 1;
	/* Counters; nobody else writes there. Mostly the same one, so that they meet. */
	c->lba = 200 + (c->lba / 8 % 4 == 3 ? c->lba / 32 % 4 : 0);
	hf_put_be64(cdb + 2, c->lba);
	cdb[13] = 1;
	cdb[1] = c->fua ? 0x08 : 0;
	put_cdb(c, cdb, 16);
	c->t.data_out = true;
	c->t.expected_bytes = 1024;
	sim_count(SIM_COUNT_CAW);
}

/* The TransportID of a host (SPC-4, 7.6.4). */
static uint32_t put_name(uint8_t *buf, int host)
{
	struct hf_port_id id;
	char name[16];
	int len = snprintf(name, sizeof(name), "iqn.host%d", host);

	hf_port_id_set(&id, name, (size_t)len, 1);
	return (uint32_t)hf_transport_id_encode(&id, buf);
}

static void build_prout(struct sim_cmd *c)
{
	static const uint8_t actions[SIM_KINDS] = {[SIM_PR_IGNORE] = 6,
		[SIM_PR_RESERVE] = 1,
		[SIM_PR_RELEASE] = 2,
		[SIM_PR_CLEAR] = 3,
		[SIM_PR_PREEMPT] = 4,
		[SIM_PR_ABORT] = 5,
		[SIM_PR_MOVE] = 7,
		[SIM_PR_REPLACE] = 8};
	uint8_t cdb[16] = {0x5f, actions[c->kind], (uint8_t)c->op.type};

	hf_put_be64(c->out, c->op.rk);
	hf_put_be64(c->out + 8, c->op.sark);
	c->out[20] = (uint8_t)(c->op.spec_i_pt << 3 | c->op.all_tg_pt << 2 | c->op.aptpl);
	c->out_len = 24;
	if (c->kind == SIM_PR_MOVE) {
		c->out[20] = 0;
		c->out[17] = (uint8_t)(c->op.unreg << 1 | c->op.aptpl);
		hf_put_be16(c->out + 18, (uint16_t)(c->op.to_port + 1));
		c->out_len += put_name(c->out + 24, c->op.to);
		hf_put_be32(c->out + 20, c->out_len - 24);
	} else if (c->op.spec_i_pt) {
		c->out_len = 28;
		for (int i = 0; i < c->op.listed_count; i++)
			c->out_len += put_name(c->out + c->out_len, c->op.listed[i]);
		hf_put_be32(c->out + 24, c->out_len - 28);
	}
	hf_put_be32(cdb + 5, c->out_len);
	put_cdb(c, cdb, 10);
	c->t.data_out = true;
	c->t.expected_bytes = c->out_len;
}

static uint64_t somebodys_key(const struct sim_cmd *c, struct sim_rng *r)
{
	const struct sim_host *h = &sim->hosts[sim_below(r, sim->hosts_len)];

	return h->paths[sim_below(r, sim->nodes_len)].key[c->dev];
}

/* SPEC_I_PT: registers others, too. */
static void list_others(struct naive_op *op, struct sim_host *h)
{
	op->spec_i_pt = true;
	for (unsigned i = 0; i < sim->hosts_len; i++)
		if (i != h->index && sim_chance(&h->rng, 500))
			op->listed[op->listed_count++] = (int)i;
}

static void build_op(struct sim_cmd *c, struct sim_host *h, struct sim_path *p)
{
	static const enum naive_kind kinds[SIM_KINDS] = {[SIM_RESERVE] = NAIVE_LEGACY_RESERVE,
		[SIM_RELEASE] = NAIVE_LEGACY_RELEASE,
		[SIM_PR_REGISTER] = NAIVE_REGISTER,
		[SIM_PR_IGNORE] = NAIVE_REGISTER_IGNORE,
		[SIM_PR_RESERVE] = NAIVE_RESERVE,
		[SIM_PR_RELEASE] = NAIVE_RELEASE,
		[SIM_PR_CLEAR] = NAIVE_CLEAR,
		[SIM_PR_PREEMPT] = NAIVE_PREEMPT,
		[SIM_PR_ABORT] = NAIVE_PREEMPT_ABORT,
		[SIM_PR_MOVE] = NAIVE_REGISTER_MOVE,
		[SIM_PR_REPLACE] = NAIVE_REPLACE_LOST,
		[SIM_READ_KEYS] = NAIVE_READ,
		[SIM_READ_RESERVATION] = NAIVE_READ,
		[SIM_LU_RESET] = NAIVE_LU_RESET};
	static const int types[] = {1, 3, 5, 6, 7, 8};
	struct naive_op *op = &c->op;

	c->is_op = true;
	op->kind = kinds[c->kind];
	op->initiator = (int)h->index;
	op->port = (int)p->node->id - 1;
	op->login = sim_login_of(p->session->s.login);
	if (c->kind < SIM_PR_REGISTER || c->kind > SIM_PR_REPLACE)
		return;
	op->rk = sim_chance(&h->rng, 60) && sim->phase != SIM_PHASE_RACE ? somebodys_key(c, &h->rng)
									 : p->key[c->dev];
	if (c->kind == SIM_PR_REGISTER || c->kind == SIM_PR_IGNORE) {
		/* Every key is used once, so that no two such ops look alike. */
		op->sark = sim_chance(&h->rng, 150) && sim->phase != SIM_PHASE_RACE
				   ? 0
				   : (uint64_t)(h->index + 1) << 32 | ++h->key_counter;
		op->aptpl = h->aptpl;
		op->all_tg_pt = sim_chance(&h->rng, 100);
		if (c->kind == SIM_PR_IGNORE)
			op->rk = 0;
		if (c->kind == SIM_PR_REGISTER && sim_chance(&h->rng, 100))
			list_others(op, h);
	} else if (c->kind == SIM_PR_MOVE) {
		op->sark = (uint64_t)(h->index + 1) << 32 | ++h->key_counter;
		op->to = (int)sim_below(&h->rng, sim->hosts_len);
		op->to_port = (int)sim_below(&h->rng, sim->nodes_len);
		op->unreg = sim_chance(&h->rng, 500);
		op->aptpl = h->aptpl;
	} else if (c->kind != SIM_PR_CLEAR) {
		op->type = types[sim_below(&h->rng, HF_ARRAY_LEN(types))];
	}
	if (c->kind == SIM_PR_REPLACE) {
		op->rk = 0;
		op->sark = (uint64_t)(h->index + 1) << 32 | ++h->key_counter;
	}
	if (c->kind == SIM_PR_PREEMPT || c->kind == SIM_PR_ABORT)
		op->sark = somebodys_key(c, &h->rng);
}

static void build_cdb(struct sim_cmd *c)
{
	static const uint8_t none[SIM_KINDS] = {
		[SIM_TUR] = 0x00, [SIM_FLUSH] = 0x35, [SIM_RESERVE] = 0x16, [SIM_RELEASE] = 0x17};
	uint8_t cdb[16] = {none[c->kind]};

	switch (c->kind) {
	case SIM_READ:
		build_io(c, 0x28, false);
		return;
	case SIM_WRITE:
		build_io(c, 0x2a, true);
		return;
	case SIM_CAW:
		build_caw(c);
		return;
	case SIM_READ_KEYS:
	case SIM_READ_RESERVATION:
		cdb[0] = 0x5e;
		cdb[1] = c->kind == SIM_READ_RESERVATION;
		hf_put_be16(cdb + 7, 1024);
		put_cdb(c, cdb, 10);
		c->t.data_in = true;
		c->t.expected_bytes = 1024;
		return;
	default:
		if (c->kind >= SIM_PR_REGISTER && c->kind <= SIM_PR_REPLACE)
			build_prout(c);
		else
			put_cdb(c, cdb, 10);
	}
}

/* Values of the counters that COMPARE AND WRITE counts up, as any host has seen them last. */
static uint64_t counters[SIM_DEVS][4];

void sim_cmd_build(struct sim_cmd *c, struct sim_host *h, struct sim_path *p)
{
	c->session = p->session;
	c->host = h->index;
	c->controller = p->node->id;
	c->asked_at = sim->now;
	c->t.lun = hf_scsi_lun_encode(sim_map_lun(p->node, c->dev));
	c->lba = sim_below(&h->rng, 64) * 8;
	if (sim_chance(&h->rng, 100))
		c->lba += 2048; /* across the border of two disks */
	if (c->lba >= 196 && c->lba < 208)
		c->lba = 0;
	c->blocks = 1 + (uint32_t)sim_below(&h->rng, 8);
	if (c->kind == SIM_READ && sim_chance(&h->rng, 250)) {
		c->lba = 200 + sim_below(&h->rng, 4);
		c->blocks = 1;
	}
	c->write = (uint64_t)(h->index + 1) << 48 | ++h->key_counter;
	c->fua = (c->kind == SIM_WRITE || c->kind == SIM_CAW) && sim_chance(&h->rng, 200);
	if (c->kind == SIM_RESERVE || c->kind == SIM_RELEASE ||
		(c->kind >= SIM_PR_REGISTER && c->kind <= SIM_READ_RESERVATION) ||
		c->kind == SIM_LU_RESET)
		build_op(c, h, p);
	build_cdb(c);
	if (c->kind == SIM_CAW) {
		c->expect = counters[c->dev][c->lba - 200];
		c->write = (uint64_t)(h->index + 1) << 48 | ++h->key_counter;
	}
}

static unsigned pick(struct sim_host *h)
{
	unsigned sum = 0, at;

	for (unsigned i = 0; i < SIM_KINDS; i++)
		sum += h->weight[i];
	at = (unsigned)sim_below(&h->rng, sum);
	for (unsigned i = 0; i < SIM_KINDS; i++) {
		if (at < h->weight[i])
			return i;
		at -= h->weight[i];
	}
	return SIM_TUR;
}

static unsigned pick_device(struct sim_host *h)
{
	unsigned more = sim->devs_len - SIM_DEVS_BEGIN;

	/* Of those that come and go mostly the newest. */
	if (more && sim_chance(&h->rng, 400))
		return SIM_DEVS_BEGIN +
		       (sim_chance(&h->rng, 700) ? more - 1 : (unsigned)sim_below(&h->rng, more));
	return (unsigned)sim_below(&h->rng, SIM_DEVS_BEGIN);
}

static bool is_reservation(enum sim_kind k)
{
	return k >= SIM_RESERVE && k <= SIM_PR_REPLACE;
}

static void issue(struct sim_host *h, struct sim_path *p, unsigned dev, enum sim_kind kind)
{
	struct sim_cmd *c = sim_cmd_new();

	c->kind = kind;
	c->dev = dev;
	sim_cmd_build(c, h, p);
	hf_list_push_back(&h->outstanding, &c->host_node);
	h->outstanding_len++;
	if (is_reservation(kind) || kind == SIM_LU_RESET)
		h->ops_out++;
	sim_count(SIM_COUNT_COMMANDS);
	sim_oracle_asked(c);
	sim_oracle_data_asked(c);
	if (c->is_op && sim->opt.verbose) {
		char text[160];

		sim_op_text(&c->op, text, sizeof(text));
		sim_say("host %u -> controller %u, device %u: %s", h->index, p->node->id, dev,
			c->op.kind == NAIVE_READ ? sim_cmd_name(kind) : text);
	} else if (sim->opt.all) {
		sim_say("host %u -> controller %u, device %u: %s at %u, %u blocks", h->index,
			p->node->id, dev, sim_cmd_name(kind), (unsigned)c->lba, c->blocks);
	}
	sim_cmd_send(c);
}

/* --- sessions --- */

struct login {
	struct hf_msg msg;
	struct sim_path *path;
	struct sim_session *session;
};

static void session_close(struct hf_lu_session *s, const char *why)
{
	sim_session_close(hf_container_of(s, struct sim_session, s), why);
}

static void session_gone(struct hf_lu_session *s)
{
	hf_container_of(s, struct sim_session, s)->gone = true;
}

static void logged_in(void *arg)
{
	struct login *l = arg;

	if (l->session->dead || l->session->closing || l->path->session != l->session)
		return;
	l->path->state = SIM_PATH_IN;
}

/* On the session's loop: an older session of this name ends first (RFC 7143, 6.3.5). */
static void login_here(struct hf_msg *msg)
{
	struct login *l = hf_container_of(msg, struct login, msg);
	struct sim_session *s = l->session;
	struct sim_node *n = l->path->node;
	char name[16];

	if (!n->ports_open || s->closing) {
		s->closing = s->gone = true;
		sim_host_path_lost(l->path, s);
		return;
	}
	snprintf(name, sizeof(name), "iqn.host%u", l->path->host->index);
	hf_port_id_set(&s->s.nexus.init, name, strlen(name), 1);
	s->s.nexus.rtpi = (uint16_t)n->id;
	s->s.close = session_close;
	s->s.gone = session_gone;
	s->s.valid = sim_session_valid;
	if (hf_lu_session_attach(n->node->lus, &s->s, n->node->loops[s->loop]))
		sim_fail("setup", "no session");
	s->attached = true;
	sim_after(sim_skewed(&sim->net, 20 * SIM_US, SIM_MS), logged_in, l);
}

static struct sim_session *sessions[1024];
static unsigned sessions_len;

/* Is there one of this host at this controller that has not ended yet? */
static bool older_there(const struct sim_path *p)
{
	for (unsigned i = 0; i < sessions_len; i++)
		if (sessions[i]->path == p && !sessions[i]->gone && !sessions[i]->dead)
			return true;
	return false;
}

/* With beats that do not come back a host may log in, and be dropped, time and again. */
static void forget_ended_sessions(void)
{
	unsigned len = 0;

	for (unsigned i = 0; i < sessions_len; i++)
		if (!sessions[i]->dead && !sessions[i]->gone)
			sessions[len++] = sessions[i];
	sessions_len = len;
}

static void connect_path(struct sim_path *p)
{
	struct sim_session *s;
	struct login *l;

	for (unsigned i = 0; i < sessions_len; i++)
		if (sessions[i]->path == p && !sessions[i]->dead && !sessions[i]->closing)
			sim_session_close(sessions[i], "a new login has taken its place");
	if (!sim_node_serves(p->node) || p->node->paused || older_there(p))
		return;
	if (sessions_len == HF_ARRAY_LEN(sessions))
		forget_ended_sessions();
	hf_assert(sessions_len < HF_ARRAY_LEN(sessions));
	s = sim_alloc(sizeof(*s));
	sessions[sessions_len++] = s;
	s->path = p;
	s->starts = p->node->starts;
	s->loop = (unsigned)sim_below(&p->host->rng, SIM_LOOPS);
	hf_list_init(&s->commands);
	hf_list_init(&s->held);
	p->session = s;
	p->state = SIM_PATH_CONNECTING;
	l = sim_alloc(sizeof(*l));
	l->path = p;
	l->session = s;
	l->msg.run = login_here;
	hf_loop_post(p->node->node->loops[s->loop], &l->msg);
}

unsigned sim_hosts_sessions(const struct sim_node *n)
{
	unsigned len = 0;

	for (unsigned i = 0; i < sessions_len; i++)
		len += sessions[i]->path->node == n && !sessions[i]->dead && !sessions[i]->gone;
	return len;
}

bool sim_hosts_has_login(uint32_t login)
{
	for (unsigned i = 0; i < sessions_len; i++)
		if (!sessions[i]->dead && !sessions[i]->gone &&
			sim_login_of(sessions[i]->s.login) == login)
			return true;
	return false;
}

void sim_hosts_ports_close(struct sim_node *n)
{
	for (unsigned i = 0; i < sessions_len; i++)
		if (sessions[i]->path->node == n && !sessions[i]->dead)
			sim_session_close(sessions[i], "the ports go down");
}

static void told_unknown(struct sim_cmd *c)
{
	c->outcome = SIM_UNKNOWN;
	sim_count(SIM_COUNT_UNKNOWN);
}

static void remove_outstanding(struct sim_host *h, struct sim_cmd *c)
{
	hf_list_remove(&c->host_node);
	h->outstanding_len--;
	if (is_reservation(c->kind) || c->kind == SIM_LU_RESET)
		h->ops_out--;
}

void sim_host_path_lost(struct sim_path *p, struct sim_session *s)
{
	struct sim_host *h = p->host;

	if (p->session != s)
		return;
	p->state = SIM_PATH_OUT;
	p->session = NULL;
	hf_list_for_each_safe (n, &h->outstanding) {
		struct sim_cmd *c = hf_list_entry(n, struct sim_cmd, host_node);

		if (c->session != s)
			continue;
		remove_outstanding(h, c);
		told_unknown(c);
		sim_oracle_told(c);
		sim_oracle_data_told(c);
	}
}

struct gone {
	struct sim_path *path;
	struct sim_session *session;
};

static void notices(void *arg)
{
	struct gone *g = arg;

	sim_host_path_lost(g->path, g->session);
}

void sim_hosts_node_down(struct sim_node *n, bool machine)
{
	for (unsigned i = 0; i < sessions_len; i++) {
		struct sim_session *s = sessions[i];
		struct gone *g;

		if (s->path->node != n || s->dead)
			continue;
		s->dead = true;
		g = sim_alloc(sizeof(*g));
		g->path = s->path;
		g->session = s;
		sim_after(machine ? SIM_SECOND + sim_below(&sim->net, SIM_SECOND)
				  : sim_below(&sim->net, 2 * SIM_MS),
			notices, g);
	}
}

struct hang_up {
	struct hf_msg msg;
	struct sim_session *session;
};

static void hung_up(struct hf_msg *msg)
{
	sim_session_close(hf_container_of(msg, struct hang_up, msg)->session, "the host is gone");
}

void sim_host_logout(unsigned host, unsigned node)
{
	struct sim_path *p = &sim->hosts[host].paths[node - 1];
	struct sim_session *s = p->session;
	struct hang_up *u;

	if (p->state != SIM_PATH_IN || s->dead || s->closing)
		return;
	sim_say("host %u drops its session with controller %u", host, node);
	sim_host_path_lost(p, s);
	u = sim_alloc(sizeof(*u));
	u->session = s;
	u->msg.run = hung_up;
	hf_loop_post(p->node->node->loops[s->loop], &u->msg);
}

/* --- what a host makes of an answer --- */

static void learn(struct sim_cmd *c)
{
	struct sim_host *h = &sim->hosts[c->host];
	struct sim_path *p = &h->paths[c->controller - 1];

	if (c->outcome == SIM_GOOD && (c->kind == SIM_PR_REGISTER || c->kind == SIM_PR_IGNORE)) {
		for (unsigned i = 0; i < sim->nodes_len; i++)
			if (c->op.all_tg_pt || &h->paths[i] == p)
				h->paths[i].key[c->dev] = c->op.sark;
		for (int i = 0; i < c->op.listed_count; i++)
			sim->hosts[c->op.listed[i]].paths[c->controller - 1].key[c->dev] =
				c->op.sark;
	} else if (c->outcome == SIM_GOOD && c->kind == SIM_PR_MOVE) {
		p->key[c->dev] = c->op.unreg ? 0 : p->key[c->dev];
		sim->hosts[c->op.to].paths[c->op.to_port].key[c->dev] = c->op.sark;
	} else if (c->outcome == SIM_CONFLICT && c->kind >= SIM_PR_REGISTER &&
		   c->kind <= SIM_PR_REPLACE && sim_chance(&h->rng, 500)) {
		p->key[c->dev] = 0; /* perhaps somebody has taken it away */
	}
	/* After a miscompare somebody looks what is there. */
	if (c->kind == SIM_READ && c->outcome == SIM_GOOD && c->lba >= 200 && c->lba < 204)
		counters[c->dev][c->lba - 200] = hf_get_be64(c->buf);
	if (c->kind != SIM_CAW)
		return;
	if (c->outcome != SIM_GOOD)
		return;
	sim_oracle_compared(c);
	counters[c->dev][c->lba - 200] = c->write;
}

void sim_host_told(struct sim_cmd *c)
{
	struct sim_host *h = &sim->hosts[c->host];
	static const enum sim_count counts[] = {[SIM_GOOD] = SIM_COUNT_GOOD,
		[SIM_CONFLICT] = SIM_COUNT_CONFLICT,
		[SIM_ATTENTION] = SIM_COUNT_ATTENTION,
		[SIM_NOT_READY] = SIM_COUNT_NOT_READY,
		[SIM_FAILED] = SIM_COUNT_FAILED};

	c->outcome = (enum sim_outcome)c->t.words[7];
	if (c->outcome < HF_ARRAY_LEN(counts) && counts[c->outcome])
		sim_count(counts[c->outcome]);
	if (c->is_op || c->outcome == SIM_ATTENTION || sim->opt.all)
		sim_say("host %u <- controller %u, device %u: %s: %s (%x/%04x)", c->host,
			c->controller, c->dev, sim_cmd_name(c->kind), sim_outcome_name(c->outcome),
			c->sense_key, c->asc_ascq);
	remove_outstanding(h, c);
	sim_oracle_told(c);
	sim_oracle_attention(c);
	sim_oracle_order(c);
	sim_oracle_data_told(c);
	learn(c);
}

/* --- thinking --- */

static void look_for_paths(struct sim_host *h)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (h->paths[i].state == SIM_PATH_OUT && sim_chance(&h->rng, 300))
			connect_path(&h->paths[i]);
}

static void think(void *arg)
{
	struct sim_host *h = arg;
	struct sim_path *p = &h->paths[sim_below(&h->rng, sim->nodes_len)];
	enum sim_kind kind = (enum sim_kind)pick(h);

	look_for_paths(h);
	if (!h->stopped && sim_chance(&h->rng, h->leaves_per_mille))
		sim_host_logout(h->index, p->node->id);
	if (!h->stopped && p->state == SIM_PATH_IN && h->outstanding_len < h->depth &&
		!((is_reservation(kind) || kind == SIM_LU_RESET) && h->ops_out >= 2))
		issue(h, p, pick_device(h), kind);
	think_later(h);
}

static void think_later(struct sim_host *h)
{
	sim_after(
		sim_skewed(&h->rng, h->think_us * SIM_US / 4, h->think_us * SIM_US * 4), think, h);
}

static void habits(struct sim_host *h)
{
	static const unsigned usual[SIM_KINDS] = {
		4, 12, 16, 6, 2, 5, 5, 6, 4, 6, 4, 1, 4, 4, 2, 1, 3, 3, 1, 1};

	for (unsigned i = 0; i < SIM_KINDS; i++) {
		h->weight[i] = usual[i] * 4;
		/* Swarm: in each world some things happen often and some never. */
		if (sim_chance(&h->rng, 200))
			h->weight[i] = 0;
		else if (sim_chance(&h->rng, 200))
			h->weight[i] *= 4;
	}
	h->weight[SIM_TUR]++;
	h->think_us = 2000 + (unsigned)sim_below(&h->rng, 30000);
	h->depth = 1 + (unsigned)sim_below(&h->rng, 6);
	h->aptpl = sim_chance(&h->rng, 500);
	h->leaves_per_mille = sim_chance(&h->rng, 300) ? 10 : 0;
}

void sim_hosts_init(void)
{
	sim_cmds_init();
	memset(counters, 0, sizeof(counters));
	sessions_len = 0;
	sim->hosts_len = 2 + (unsigned)sim_below(&sim->plan, SIM_HOSTS_MAX - 1);
	if (sim->opt.hosts)
		sim->hosts_len = HF_MIN(sim->opt.hosts, (unsigned)SIM_HOSTS_MAX);
	sim->hosts = sim_alloc(SIM_HOSTS_MAX * sizeof(*sim->hosts));
	for (unsigned i = 0; i < sim->hosts_len; i++) {
		struct sim_host *h = &sim->hosts[i];

		h->index = i;
		h->rng.state = sim->opt.seed * 31 + i * 7 + 5;
		hf_list_init(&h->outstanding);
		for (unsigned k = 0; k < sim->nodes_len; k++) {
			h->paths[k].host = h;
			h->paths[k].node = &sim->nodes[k];
		}
		habits(h);
	}
}

void sim_hosts_begin(void)
{
	for (unsigned i = 0; i < sim->hosts_len; i++)
		think_later(&sim->hosts[i]);
}

void sim_hosts_stop(void)
{
	for (unsigned i = 0; i < sim->hosts_len; i++)
		sim->hosts[i].stopped = true;
}

bool sim_hosts_idle(void)
{
	for (unsigned i = 0; i < sim->hosts_len; i++)
		if (sim->hosts[i].outstanding_len)
			return false;
	return true;
}

/* --- the race at the end --- */

static struct {
	unsigned dev, stage;
	unsigned winners, racers, answers;
} race;

/* TEST UNIT READY until the attentions are gone, LU RESET, CLEAR, then RESERVE from all at once. */
static void race_step(void *arg);

static struct sim_cmd *race_out[SIM_HOSTS_MAX];

static bool race_paths_ready(void)
{
	for (unsigned i = 0; i < sim->hosts_len; i++)
		for (unsigned k = 0; k < sim->nodes_len; k++)
			if (sim->hosts[i].paths[k].state != SIM_PATH_IN)
				return false;
	return true;
}

static void race_issue(unsigned host, enum sim_kind kind)
{
	struct sim_host *h = &sim->hosts[host];
	struct sim_path *p = &h->paths[host % sim->nodes_len];

	issue(h, p, race.dev, kind);
	race_out[host] = hf_list_entry(h->outstanding.prev, struct sim_cmd, host_node);
	race_out[host]->kept = true;
}

static void race_step(void *arg)
{
	if (!race_paths_ready() || !sim_hosts_idle()) {
		sim_after(10 * SIM_MS, race_step, NULL);
		return;
	}
	switch (race.stage) {
	case 0: /* what stands is swept away */
		race_issue(0, SIM_LU_RESET);
		race.stage = 1;
		break;
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		for (unsigned i = 0; i < sim->hosts_len; i++)
			race_issue(i, SIM_TUR);
		race.stage++;
		break;
	case 8:
		race_issue(0, SIM_PR_IGNORE);
		race.stage++;
		break;
	case 9:
		race_issue(0, SIM_PR_CLEAR);
		race.stage++;
		break;
	case 10:
	case 11:
	case 12:
		for (unsigned i = 0; i < sim->hosts_len; i++)
			race_issue(i, SIM_TUR);
		race.stage++;
		break;
	case 13:
		race.racers = sim->hosts_len;
		for (unsigned i = 0; i < sim->hosts_len; i++)
			race_issue(i, SIM_RESERVE);
		race.stage++;
		break;
	case 14:
		race.winners = 0;
		for (unsigned i = 0; i < sim->hosts_len; i++)
			race.winners += race_out[i]->outcome == SIM_GOOD;
		race.stage++;
		return;
	}
	sim_after(10 * SIM_MS, race_step, NULL);
}

void sim_hosts_race(void)
{
	memset(&race, 0, sizeof(race));
	race.dev = (unsigned)(sim->opt.seed % SIM_DEVS_BEGIN);
	race_step(NULL);
}

bool sim_hosts_race_over(void)
{
	return race.stage == 15;
}

void sim_hosts_race_check(void)
{
	if (race.stage != 15)
		sim_fail("INV-9", "the race at the end does not come to an end (stage %u)",
			race.stage);
	sim_oracle_raced(race.dev, race.winners, race.racers);
}
