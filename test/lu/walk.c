/* SPDX-License-Identifier: BSD-3-Clause */
/* What walks above the bus, and its checks (walk.h). */
#include "walk.h"

#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct walk walk;

uint32_t walk_random(uint32_t below)
{
	walk.seed = walk.seed * 6364136223846793005ull + 1442695040888963407ull;
	return below ? (uint32_t)(walk.seed >> 33) % below : 0;
}

static struct walk_unit *unit_of(void *owner)
{
	return walk.engine->unit_of(owner);
}

static struct walk_dev *dev_of(struct walk_unit *u, uint32_t dev)
{
	assert_true(dev >= 1 && dev <= WALK_DEVS);
	return &u->devs[dev];
}

static uint64_t digest_of(struct walk_unit *u, uint32_t dev)
{
	return hf_lu_bus_digest(u->lus, dev);
}

/* --- the owner of the engine: ops --- */

static enum hf_bus_look own_look(void *owner, uint32_t dev, const void *op, size_t len)
{
	struct walk_unit *u = unit_of(owner);

	assert_true(dev_of(u, dev)->has_state);
	return hf_lu_bus_look(u->lus, dev, op, len);
}

static uint64_t own_digest(void *owner, uint32_t dev)
{
	return digest_of(unit_of(owner), dev);
}

static void own_hold(void *owner, uint32_t dev, uint64_t n, const void *op, size_t len, bool mine)
{
	struct walk_unit *u = unit_of(owner);

	assert_true(dev_of(u, dev)->has_state && !dev_of(u, dev)->stopped);
	walk_trace(u, "device %u: holds %llu", dev, (unsigned long long)n);
	hf_lu_bus_hold(u->lus, dev, n, op, len);
}

static void own_unhold(void *owner, uint32_t dev, uint64_t n)
{
	struct walk_unit *u = unit_of(owner);

	walk_trace(u, "device %u: lets go of %llu", dev, (unsigned long long)n);
	dev_of(u, dev)->let_go = walk.steps;
	hf_lu_bus_unhold(u->lus, dev, n);
}

static void own_persist(void *owner, uint32_t dev, uint64_t n)
{
	hf_lu_bus_persist(unit_of(owner)->lus, dev, n);
}

static void own_apply(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	struct walk_unit *u = unit_of(owner);

	assert_true(dev_of(u, dev)->has_state && !dev_of(u, dev)->stopped);
	hf_lu_bus_apply(u->lus, dev, n);
	walk_trace(u, "device %u: applies %llu, is %08x", dev, (unsigned long long)n,
		(unsigned)digest_of(u, dev));
}

static void forget_prop(struct walk_unit *u, const struct hf_bus_prop *prop)
{
	unsigned i = 0;

	while (i < u->props_len && u->props[i] != prop)
		i++;
	assert_true(i < u->props_len); /* INV-7: once */
	u->props[i] = u->props[--u->props_len];
}

static void own_answer(void *owner, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	struct walk_unit *u = unit_of(owner);

	forget_prop(u, prop);
	if (dev_of(u, prop->dev)->stopped)
		assert_int_equal(how, HF_BUS_ANSWER_NOT_READY);
	if (prop->owed && !walk.deleted[prop->dev]) /* nobody would ask again */
		assert_true(how == HF_BUS_ANSWER_APPLIED || how == HF_BUS_ANSWER_LOOK);
	walk.counts.ops_not_ready += how == HF_BUS_ANSWER_NOT_READY;
	hf_lu_bus_answer(u->lus, prop, how);
}

static void own_doubt(void *owner, struct hf_bus_prop *prop)
{
	walk.counts.doubts++;
	hf_lu_bus_doubt(unit_of(owner)->lus, prop);
}

/* --- ... a stopped device --- */

static void stop_is_seen(void *arg)
{
	struct walk_unit *u = arg;

	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++)
		u->devs[dev].seen = u->devs[dev].stopped;
}

static void own_stopped(void *owner, uint32_t dev, const char *why)
{
	struct walk_unit *u = unit_of(owner);
	struct walk_dev *d = dev_of(u, dev);

	walk_trace(u, "device %u: stops as %08x%s, %s", dev, (unsigned)digest_of(u, dev),
		d->has_state ? "" : " of nothing", why);
	assert_true(d->let_go != walk.steps); /* what has waited would have been let in */
	if (!d->stopped)
		d->seen = false;
	d->stopped = true;
	d->digest = digest_of(u, dev);
	walk.counts.stops++;
	hf_lu_stop(u->lus, dev, HF_LU_STOP_STATES, why);
	hf_lu_await_changes(u->lus, stop_is_seen, u);
}

static void own_pick(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	struct walk_unit *u = unit_of(owner);

	walk_trace(u, "device %u: %s", dev, mine ? "writes its record" : "ends what is out");
	assert_true(dev_of(u, dev)->stopped);
	assert_true(!mine || dev_of(u, dev)->has_state);
	hf_lu_bus_pick(u->lus, dev, n, mine);
}

static void own_resumed(void *owner, uint32_t dev)
{
	struct walk_unit *u = unit_of(owner);
	struct walk_dev *d = dev_of(u, dev);

	walk_trace(u, "device %u: goes on as %08x", dev, (unsigned)digest_of(u, dev));
	assert_true(d->stopped && d->has_state);
	assert_true(digest_of(u, dev) == d->digest);
	assert_true(!walk.picked[dev] || digest_of(u, dev) == walk.picked[dev]);
	d->stopped = d->seen = false;
	walk.counts.resumes++;
	hf_lu_resume(u->lus, dev, HF_LU_STOP_STATES);
}

/* --- ... ranges: nobody asks for one --- */

static void own_range(void *owner, uint32_t dev, uint64_t id)
{
	fail_msg("a range that nobody has asked for");
}

static void own_range_hold(void *owner, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks)
{
	own_range(owner, dev, id);
}

/* --- ... whole states --- */

static uint32_t own_next_dev(void *owner, uint32_t after)
{
	return hf_lu_bus_next_dev(unit_of(owner)->lus, after);
}

static int own_snapshot(void *owner, uint32_t dev, uint8_t *buf, size_t cap)
{
	struct walk_unit *u = unit_of(owner);
	struct walk_dev *d = dev_of(u, dev);
	unsigned at = walk.given_len[dev]++ % WALK_GIVEN;

	walk_trace(u, "device %u: gives %08x", dev, (unsigned)digest_of(u, dev));
	assert_true(d->has_state);
	assert_true(!d->stopped || digest_of(u, dev) == d->digest);
	walk.given[dev][at].digest = digest_of(u, dev);
	walk.given[dev][at].by = u->index;
	walk.counts.copies++;
	return hf_lu_bus_snapshot(u->lus, dev, buf, cap);
}

static bool was_given(const struct walk_unit *u, uint32_t dev, uint64_t digest)
{
	for (unsigned i = 0; i < HF_MIN(walk.given_len[dev], (unsigned)WALK_GIVEN); i++)
		if (walk.given[dev][i].digest == digest && walk.given[dev][i].by != u->index)
			return true;
	return false;
}

static int own_install(void *owner, uint32_t dev, const uint8_t *buf, size_t len)
{
	struct walk_unit *u = unit_of(owner);
	struct walk_dev *d = dev_of(u, dev);
	int rc;

	if (!d->here)
		return -ENODEV;
	/* INV-4: nothing that the state before has admitted. */
	assert_int_equal(d->pins, 0);
	for (unsigned i = 0; i < u->writes_len; i++)
		assert_true(u->writes[i].dev != dev);
	rc = hf_lu_bus_install(u->lus, dev, buf, len);
	assert_int_equal(rc, 0);
	walk_trace(u, "device %u: takes %08x", dev, (unsigned)digest_of(u, dev));
	assert_true(was_given(u, dev, digest_of(u, dev)));
	d->digest = digest_of(u, dev);
	d->has_state = true;
	walk.counts.installs++;
	return 0;
}

static void end_load(struct walk_unit *u)
{
	u->load_due = false;
	for (uint32_t dev = 1; dev <= WALK_DEVS && u->load_drops == u->drops; dev++) {
		struct walk_dev *d = &u->devs[dev];

		if (!d->here)
			continue;
		hf_lu_load(u->lus, dev, walk.slots[dev].bytes, (int)walk.slots[dev].len);
		d->has_state = true;
		d->digest = digest_of(u, dev);
		walk.dirty[dev] = false;
		walk_trace(u, "device %u: loads %08x", dev, (unsigned)d->digest);
	}
	u->bus->ops->loaded(u->bus, 0);
}

static void own_load(void *owner)
{
	struct walk_unit *u = unit_of(owner);

	u->load_drops = u->drops;
	u->load_due = true;
	walk.counts.loads++;
}

static void own_drop(void *owner)
{
	struct walk_unit *u = unit_of(owner);

	walk_trace(u, "drops all");
	u->drops++;
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++)
		u->devs[dev].has_state = false;
	hf_lu_bus_drop(u->lus);
}

/* --- records --- */

static struct walk_write *write_begin(
	struct walk_unit *u, struct hf_lu *lu, uint32_t dev, const uint8_t *buf, size_t len)
{
	struct walk_write *w = &u->writes[u->writes_len++];

	assert_true(u->writes_len <= WALK_WRITES && len <= WALK_RECORD_MAX);
	assert_true(u->devs[dev].has_state); /* "nothing" is written over nothing */
	*w = (struct walk_write){.lu = lu, .dev = dev, .len = len, .bytes = malloc(len + 1)};
	assert_non_null(w->bytes);
	memcpy(w->bytes, buf, len);
	walk.counts.writes++;
	return w;
}

static void persist(void *arg, struct hf_lu *lu, uint32_t dev, uint8_t *buf, size_t len)
{
	write_begin(arg, lu, dev, buf, len);
}

static void rewrite_part(struct walk_unit *u, int result)
{
	if (result < 0)
		u->rewrite_result = result;
	if (--u->rewrite_left)
		return;
	u->rewriting = false;
	if (u->bus)
		u->bus->ops->rewritten(u->bus, u->rewrite_result);
}

/* As the daemon does it: what is being written for an op is waited for. */
static void own_rewrite(void *owner)
{
	static uint8_t buf[HF_RESV_STATE_BYTES_MAX];
	struct walk_unit *u = unit_of(owner);

	assert_false(u->rewriting);
	u->rewriting = true;
	u->rewrite_left = 1;
	u->rewrite_result = 0;
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++) {
		bool awaited = false;
		int len;

		for (unsigned i = 0; i < u->writes_len && !awaited; i++)
			if (u->writes[i].dev == dev && u->writes[i].lu)
				awaited = u->writes[i].awaited = true;
		u->rewrite_left += awaited;
		if (awaited || !u->devs[dev].here)
			continue;
		len = hf_lu_bus_slot(u->lus, dev, buf, sizeof(buf));
		if (len < 0)
			continue;
		write_begin(u, NULL, dev, buf, (size_t)len);
		u->rewrite_left++;
	}
	rewrite_part(u, 0);
}

/* The i-th of u's writes ends; lands: its content is on the disk. */
static void write_end(struct walk_unit *u, unsigned i, bool lands, int result)
{
	struct walk_write w = u->writes[i];

	memmove(&u->writes[i], &u->writes[i + 1], (--u->writes_len - i) * sizeof(w));
	walk_trace(u, "device %u: a record is written: %d", w.dev, result);
	if (lands) {
		memcpy(walk.slots[w.dev].bytes, w.bytes, w.len);
		walk.slots[w.dev].len = w.len;
	}
	free(w.bytes);
	walk.counts.writes_failed += result < 0;
	if (w.lu)
		hf_lu_persisted(w.lu, result);
	if (!w.lu || w.awaited)
		rewrite_part(u, result);
}

static bool is_first_of_its_dev(const struct walk_unit *u, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (u->writes[j].dev == u->writes[i].dev)
			return false;
	return true;
}

static void random_write_end(struct walk_unit *u, unsigned i)
{
	int result = !walk.fail_writes || walk_chance(2) ? 0 : walk_chance(2) ? -EIO : -EINPROGRESS;

	write_end(u, i, !result || (result == -EINPROGRESS && walk_chance(2)), result);
}

/* --- the view --- */

bool walk_serves(const struct walk_unit *u)
{
	enum hf_view_state s = u->view.state;

	return u->bus && (s == HF_VIEW_TOGETHER || s == HF_VIEW_FROZEN || s == HF_VIEW_ALONE);
}

static void removed_done(
	struct hf_lu_admin_op *a, int result, const struct hf_resv_verdict *verdict)
{
	free(a);
}

/* E.8: what was held by RESERVE through the ports of who is gone is free. */
static void nexuses_lost(struct walk_unit *u, unsigned id)
{
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++) {
		struct hf_lu_admin_op *a = calloc(1, sizeof(*a));

		assert_non_null(a);
		a->dev = dev;
		a->op.kind = HF_RESV_PEER_REMOVED;
		a->op.nexus.rtpi = (uint16_t)id;
		a->owed = true;
		a->done = removed_done;
		if (hf_lu_admin_propose(u->lus, a))
			free(a);
	}
}

static void own_view_changed(void *owner, const struct hf_view *view)
{
	struct walk_unit *u = unit_of(owner);
	uint32_t was = u->view.members;

	walk_trace(u, "view %d, epoch %llu, members %x: %s", view->state,
		(unsigned long long)view->epoch, view->members, view->why);
	if (walk.engine->view_changed)
		walk.engine->view_changed(owner, view);
	u->view = *view;
	if (view->state == HF_VIEW_RACING)
		hf_lu_set_paused(u->lus);
	else
		hf_lu_set_serving(u->lus, walk_serves(u));
	u->gone = (u->gone | was) & ~view->members & ~(1u << (u->index + 1));
	if (walk_serves(u)) {
		for (unsigned id = 1; id <= walk.len; id++)
			if (u->gone >> id & 1)
				nexuses_lost(u, id);
		u->gone = 0;
	} else if (view->state != HF_VIEW_RACING) {
		walk_close_hosts(u);
	}
	u->clean_due = view->state == HF_VIEW_OUT;
}

const struct hf_bus_owner_ops walk_owner_ops = {
	.look = own_look,
	.digest = own_digest,
	.hold = own_hold,
	.unhold = own_unhold,
	.persist = own_persist,
	.apply = own_apply,
	.answer = own_answer,
	.doubt = own_doubt,
	.stopped = own_stopped,
	.pick = own_pick,
	.resumed = own_resumed,
	.range_hold = own_range_hold,
	.range_unhold = own_range,
	.range_doubt = own_range,
	.next_dev = own_next_dev,
	.snapshot = own_snapshot,
	.install = own_install,
	.load = own_load,
	.rewrite = own_rewrite,
	.drop = own_drop,
	.view_changed = own_view_changed,
};

/* --- the face: every op is counted until it is answered, and a dead engine takes none --- */

static struct walk_unit *unit_of_face(struct hf_bus *face)
{
	return hf_container_of(face, struct walk_unit, face);
}

static void face_propose(struct hf_bus *face, struct hf_bus_prop *prop)
{
	struct walk_unit *u = unit_of_face(face);

	assert_true(u->props_len < WALK_PROPS);
	u->props[u->props_len++] = prop;
	if (u->bus)
		u->bus->ops->propose(u->bus, prop);
}

static void face_drained(struct hf_bus *face, uint32_t dev, uint64_t n, int result)
{
	hf_bus_drained(unit_of_face(face)->bus, dev, n, result);
}

static void face_persisted(struct hf_bus *face, uint32_t dev, uint64_t n, int result)
{
	hf_bus_persisted(unit_of_face(face)->bus, dev, n, result);
}

static void face_pick_done(struct hf_bus *face, uint32_t dev, uint64_t n, int result)
{
	struct walk_unit *u = unit_of_face(face);

	walk_trace(u, "device %u: what the pick has asked for is done: %d", dev, result);
	if (u->bus)
		u->bus->ops->pick_done(u->bus, dev, n, result);
}

static const struct hf_bus_ops face_ops = {
	.propose = face_propose,
	.drained = face_drained,
	.persisted = face_persisted,
	.pick_done = face_pick_done,
};

/* --- hosts --- */

static void itl_ready(struct hf_itl_waiter *waiter, struct hf_itl *itl)
{
	struct walk_itl *i = hf_container_of(waiter, struct walk_itl, waiter);

	i->itl = itl;
	i->waits = false;
}

static void session_close(struct hf_lu_session *s, const char *why)
{
	hf_container_of(s, struct walk_host, s)->want_close = true;
}

static void session_news(struct hf_lu_session *s)
{
}

static void session_gone(struct hf_lu_session *s)
{
	struct walk_host *h = hf_container_of(s, struct walk_host, s);

	h->attached = h->detaching = h->want_close = false;
}

static void log_in(struct walk_host *h, unsigned number)
{
	char name[8];

	memset(&h->s, 0, sizeof(h->s));
	snprintf(name, sizeof(name), "h%u", number);
	assert_int_equal(hf_port_id_set(&h->s.nexus.init, name, strlen(name), 1), 0);
	h->s.nexus.rtpi = (uint16_t)(h->unit->index + 1);
	h->s.close = session_close;
	h->s.lost = session_news;
	h->s.valid = session_news;
	h->s.gone = session_gone;
	assert_int_equal(
		hf_lu_session_attach(h->unit->lus, &h->s, h->unit->loops[1 + number % 2]), 0);
	h->attached = true;
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++) {
		bool none;

		h->itls[dev] = (struct walk_itl){.waiter.ready = itl_ready, .waits = true};
		h->itls[dev].itl = hf_itl_find(&h->s, (uint16_t)dev, &h->itls[dev].waiter, &none);
		h->itls[dev].waits = !none && !h->itls[dev].itl;
	}
}

static void cmd_go(struct hf_lu_cmd *cmd, enum hf_admit how)
{
	struct walk_cmd *c = hf_container_of(cmd, struct walk_cmd, cmd);
	struct walk_dev *d = &c->host->unit->devs[c->dev];

	assert_false(c->went);
	c->went = true;
	if (how == HF_ADMIT_OK && c->is_op) {
		c->asked = true;
		hf_lu_reserve(&c->req);
	} else if (how == HF_ADMIT_OK) {
		assert_false(d->stopped && d->seen);
		assert_true(d->has_state);
		c->pinned = true;
		d->pins++;
		walk.counts.ios++;
	} else {
		c->over = true;
		walk.counts.ios_refused++;
	}
}

/* It waits, or its end is near by itself. */
static void cmd_abort(struct hf_lu_cmd *cmd)
{
}

static void op_done(struct hf_resv_req *req, int result)
{
	struct walk_cmd *c = hf_container_of(req, struct walk_cmd, req);

	assert_true(c->asked && !c->over); /* once */
	c->asked = false;
	c->over = true;
	walk.counts.ops_good += !result && req->verdict.status == HF_STATUS_GOOD;
	if (result == -ENOTCONN)
		c->host->want_close = true;
	walk_trace(c->host->unit, "device %u: op %02x of %s is told %d, %d", c->dev, req->op.kind,
		c->host->s.nexus.init.name, result, req->verdict.status);
}

static struct walk_cmd *cmd_begin(struct walk_host *h, uint32_t dev, enum hf_access access)
{
	struct walk_cmd *c = h->cmds;

	if (!h->attached || h->detaching || h->want_close || !h->itls[dev].itl)
		return NULL;
	while (c < h->cmds + WALK_CMDS && c->used)
		c++;
	if (c == h->cmds + WALK_CMDS)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->used = true;
	c->host = h;
	c->dev = dev;
	c->cmd.go = cmd_go;
	c->cmd.abort = cmd_abort;
	c->cmd.lba = 10;
	c->cmd.blocks = 4;
	c->cmd.writes = access == HF_ACCESS_WRITE;
	hf_lu_cmd_enter(&c->cmd, h->itls[dev].itl, access);
	return c;
}

static void op_begin(struct walk_cmd *c)
{
	c->is_op = c->cmd.is_resv = true;
	c->req.cmd = &c->cmd;
	c->req.done = op_done;
	walk.counts.ops++;
	hf_lu_cmd_start_op(&c->cmd);
}

static void random_op(struct hf_resv_op *op)
{
	static const enum hf_resv_kind kinds[] = {HF_RESV_LEGACY_RESERVE, HF_RESV_LEGACY_RESERVE,
		HF_RESV_LEGACY_RELEASE, HF_RESV_PR_REGISTER_IGNORE, HF_RESV_PR_REGISTER_IGNORE,
		HF_RESV_PR_RESERVE, HF_RESV_PR_RELEASE, HF_RESV_PR_CLEAR, HF_RESV_PR_PREEMPT,
		HF_RESV_PR_PREEMPT_ABORT};

	op->kind = kinds[walk_random(HF_ARRAY_LEN(kinds))];
	if (op->kind < HF_RESV_PR_REGISTER)
		return;
	op->sark = 1 + walk_random(3);
	if (op->kind == HF_RESV_PR_REGISTER_IGNORE) {
		op->aptpl = walk_chance(2);
		return;
	}
	op->rk = 1 + walk_random(3);
	if (op->kind == HF_RESV_PR_RELEASE || op->kind == HF_RESV_PR_RESERVE ||
		op->kind == HF_RESV_PR_CLEAR)
		op->sark = 0;
	if (op->kind != HF_RESV_PR_CLEAR)
		op->type = walk_chance(2) ? HF_RESV_WE : HF_RESV_WE_RO;
}

void walk_random_host(struct walk_unit *u)
{
	struct walk_host *h = &u->hosts[walk_random(WALK_HOSTS)];
	uint32_t dev = 1 + walk_random(WALK_DEVS);
	struct walk_cmd *c;

	if (!u->lus)
		return;
	if (walk_chance(10)) {
		h->want_close |= h->attached;
		return;
	}
	c = cmd_begin(h, dev, HF_ACCESS_STATUS + walk_random(3));
	if (!c)
		return;
	if (walk_chance(2)) {
		random_op(&c->req.op);
		op_begin(c);
	} else {
		hf_lu_cmd_start(&c->cmd);
	}
}

struct touch {
	struct hf_lu_admin_op admin;
	int *told;
};

static void touch_done(
	struct hf_lu_admin_op *admin, int result, const struct hf_resv_verdict *verdict)
{
	struct touch *t = hf_container_of(admin, struct touch, admin);

	*t->told = result ? result : 1;
	free(t);
}

void walk_touch(struct walk_unit *u, uint32_t dev, int *ret_told)
{
	struct touch *t = calloc(1, sizeof(*t));
	struct hf_resv_info info;

	assert_non_null(t);
	hf_resv_info(lu_find(u->lus, dev)->cur, &info);
	t->told = ret_told;
	t->admin.dev = dev;
	t->admin.done = touch_done;
	t->admin.op.kind = info.legacy_held ? HF_RESV_BREAK : HF_RESV_PR_REGISTER_IGNORE;
	if (!info.legacy_held) {
		assert_int_equal(hf_port_id_set(&t->admin.op.nexus.init, "touch", 5, 1), 0);
		t->admin.op.nexus.rtpi = (uint16_t)(u->index + 1);
		t->admin.op.sark = 5;
		t->admin.op.aptpl = walk_chance(2);
	}
	*ret_told = 0;
	assert_int_equal(hf_lu_admin_propose(u->lus, &t->admin), 0);
}

void walk_close_hosts(struct walk_unit *u)
{
	for (unsigned i = 0; i < WALK_HOSTS; i++)
		u->hosts[i].want_close |= u->hosts[i].attached;
}

bool walk_hosts_are_gone(const struct walk_unit *u)
{
	for (unsigned i = 0; i < WALK_HOSTS; i++)
		if (u->hosts[i].attached)
			return false;
	return true;
}

static void cmd_leave(struct walk_cmd *c)
{
	if (c->pinned)
		c->host->unit->devs[c->dev].pins--;
	c->used = c->pinned = false;
	hf_lu_cmd_leave(&c->cmd);
}

/* What its host waits for no more: not an op that is out. */
static void host_follow(struct walk_host *h, unsigned number)
{
	bool busy = false;

	if (!h->attached) {
		if (walk_serves(h->unit) && !h->unit->leaving && walk_chance(8))
			log_in(h, number);
		return;
	}
	for (unsigned i = 0; i < WALK_CMDS; i++) {
		struct walk_cmd *c = &h->cmds[i];

		if (c->used && (c->over || (h->want_close && !c->pinned && !c->asked)))
			cmd_leave(c);
		busy |= c->used;
	}
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++)
		busy |= h->itls[dev].waits;
	if (!h->want_close || h->detaching || busy)
		return;
	h->detaching = true;
	hf_lu_session_detach(&h->s);
}

static void unit_follow(struct walk_unit *u)
{
	for (unsigned i = 0; i < WALK_HOSTS; i++)
		host_follow(&u->hosts[i], i);
	if (u->clean_due && u->bus && walk_hosts_are_gone(u) && !u->writes_len) {
		u->clean_due = false;
		u->bus->ops->clean(u->bus);
	}
}

void walk_follow(void)
{
	walk.steps++;
	for (unsigned i = 0; i < WALK_WORDS; i++) /* INV-9: however slow the disks are */
		assert_true(!walk.words[i].out ||
			    walk.words[i].since_ns + 8000000000 > hf_loop_now_ns(walk.control));
	for (unsigned i = 0; i < walk.len; i++)
		if (walk.units[i].lus)
			unit_follow(&walk.units[i]);
	walk_leave_on();
}

static bool loop_is_due(struct hf_loop *loop)
{
	return hf_loop_sim_next_ns(loop) <= hf_loop_now_ns(walk.control);
}

unsigned walk_happen(unsigned which)
{
	unsigned n = 0;

	for (unsigned i = 0; i < walk.len; i++) {
		struct walk_unit *u = &walk.units[i];

		if (!u->lus)
			continue;
		for (unsigned k = 1; k < WALK_LOOPS; k++)
			if (loop_is_due(u->loops[k]) && n++ == which)
				return hf_loop_sim_turn(u->loops[k], hf_loop_now_ns(walk.control)),
				       n;
		for (unsigned k = 0; k < u->writes_len && !walk.keep_writes; k++)
			if (is_first_of_its_dev(u, k) && n++ == which)
				return random_write_end(u, k), n;
		if (u->load_due && n++ == which)
			return end_load(u), n;
		for (unsigned k = 0; k < WALK_HOSTS * WALK_CMDS; k++) {
			struct walk_cmd *c = &u->hosts[k / WALK_CMDS].cmds[k % WALK_CMDS];

			if (c->used && c->pinned && !walk.keep_pins && n++ == which)
				return cmd_leave(c), n;
		}
	}
	return n;
}

/* --- what is done to them --- */

bool walk_differ(struct walk_unit *u, uint32_t dev)
{
	static uint8_t buf[HF_RESV_STATE_BYTES_MAX];
	struct walk_dev *d = &u->devs[dev];
	struct hf_resv_op op = {.kind = HF_RESV_PR_REGISTER_IGNORE, .sark = 4};
	struct hf_lu *lu = u->lus ? lu_find(u->lus, dev) : NULL;
	int len;

	if (!lu || !d->has_state || d->stopped || lu->pending || lu->queue_len || !walk_serves(u))
		return false;
	hf_resv_copy(walk.scratch, lu->cur);
	if (walk_chance(2))
		op.kind = HF_RESV_LEGACY_RESERVE;
	assert_int_equal(hf_port_id_set(&op.nexus.init, "ghost", 5, walk_random(3)), 0);
	op.nexus.rtpi = 1;
	op.login = 1 + walk_random(1000);
	hf_resv_apply(walk.scratch, &op, &walk.outcome);
	if (hf_resv_digest(walk.scratch) == lu->digest)
		return false;
	len = hf_resv_encode(walk.scratch, buf, sizeof(buf));
	assert_true(len > 0);
	assert_int_equal(hf_lu_bus_install(u->lus, dev, buf, (size_t)len), 0);
	walk_trace(u, "device %u: a difference, %08x", dev, (unsigned)lu->digest);
	walk.dirty[dev] = true;
	walk.counts.differences++;
	return true;
}

/* Both go on by the picked state: not the one before the other has it. */
static void check_taken(struct walk_unit *u, uint32_t dev)
{
	for (unsigned i = 0; i < walk.len && u->view.state == HF_VIEW_TOGETHER; i++) {
		struct walk_unit *other = &walk.units[i];

		if (other->bus && other->devs[dev].here && other->devs[dev].has_state)
			assert_true(other->devs[dev].digest == u->devs[dev].digest);
	}
}

static void word_done(struct hf_bus_pick *pick, int result, const char *why)
{
	for (unsigned i = 0; i < WALK_WORDS; i++) {
		if (&walk.words[i].pick != pick)
			continue;
		walk_trace(walk.words[i].unit, "device %u: pick %d, %s", pick->dev, result, why);
		assert_true(walk.words[i].out && *why);
		assert_true(result || walk.words[i].unit->devs[pick->dev].has_state);
		if (!result) {
			check_taken(walk.words[i].unit, pick->dev);
			walk.dirty[pick->dev] = false;
		}
		walk.words[i].out = false;
		walk.words[i].result = result;
		walk.counts.results[-result]++;
		return;
	}
	fail_msg("a pick ends that is not out");
}

bool walk_pick(struct walk_unit *u, uint32_t dev, unsigned *ret_word)
{
	unsigned i = 0;

	if (!u->bus)
		return false;
	while (i < WALK_WORDS && walk.words[i].out)
		i++;
	if (i == WALK_WORDS)
		return false;
	walk_trace(u, "device %u: is picked here", dev);
	walk.words[i].out = true;
	walk.words[i].unit = u;
	walk.words[i].since_ns = hf_loop_now_ns(walk.control);
	walk.words[i].pick = (struct hf_bus_pick){.dev = dev, .done = word_done};
	walk.counts.picks++;
	walk.counts.empty_picked += u->devs[dev].stopped && !u->devs[dev].has_state;
	if (ret_word)
		*ret_word = i;
	u->bus->ops->pick(u->bus, &walk.words[i].pick);
	return true;
}

void walk_random_disk(void)
{
	switch (walk_random(3)) {
	case 0:
		walk.keep_writes = !walk.keep_writes;
		return;
	case 1:
		walk.fail_writes = !walk.fail_writes;
		return;
	case 2:
		walk.keep_pins = !walk.keep_pins;
		return;
	}
}

bool walk_delete(uint32_t dev)
{
	/* It is agreed on: who is out of the view has it from the copy of the map. */
	for (unsigned i = 0; i < walk.len; i++)
		if (walk.units[i].bus && !walk_serves(&walk.units[i]))
			return false;
	if (walk.deleted[dev])
		return false;
	walk.counts.deletes++;
	walk.deleted[dev] = true;
	for (unsigned i = 0; i < walk.len; i++) {
		struct walk_unit *u = &walk.units[i];

		if (!u->bus || !u->devs[dev].here)
			continue;
		walk_trace(u, "device %u: is deleted", dev);
		u->bus->ops->dev_remove(u->bus, dev);
		hf_lu_remove(u->lus, dev);
		u->devs[dev].here = false;
	}
	return true;
}

/* --- life --- */

void walk_unit_begin(struct walk_unit *u)
{
	struct hf_lu_config config = {.loops = u->loops,
		.loops_len = WALK_LOOPS,
		.wait_bound_ns = 2500000000,
		.incarnation = ++walk.incarnation,
		.persist = persist,
		.arg = u,
		.resv = walk.resv,
		.target = {.name = "iqn.test", .own_rtpi = (uint16_t)(u->index + 1)}};
	struct hf_loop_options options = {.buf_bytes = 1 << 20};
	unsigned index = u->index;

	memset(u, 0, sizeof(*u));
	u->index = index;
	u->loops[0] = walk.control;
	for (unsigned i = 1; i < WALK_LOOPS; i++) {
		assert_int_equal(hf_loop_create(i, &options, &u->loops[i]), 0);
		hf_loop_sim_set_now(u->loops[i], hf_loop_now_ns(walk.control));
	}
	for (unsigned i = 0; i < WALK_HOSTS; i++)
		u->hosts[i].unit = u;
	assert_int_equal(hf_lu_table_create(&config, &u->lus), 0);
	u->face.ops = &face_ops;
	hf_lu_set_bus(u->lus, &u->face);
	for (uint32_t dev = 1; dev <= WALK_DEVS; dev++) {
		struct hf_lu_info *info;

		if (walk.deleted[dev])
			continue;
		info = calloc(1, sizeof(*info));
		assert_non_null(info);
		info->id = dev;
		info->lun = (uint16_t)dev;
		info->blocks = 1000;
		info->block_bytes = 512;
		u->devs[dev].here = true;
		assert_int_equal(hf_lu_add(u->lus, info), 0);
	}
}

void walk_unit_attach(struct walk_unit *u, struct hf_bus *bus)
{
	u->bus = bus;
}

/* The face stays, and answers what is asked of it. */
void walk_unit_cut_off(struct walk_unit *u)
{
	u->bus = NULL;
	hf_lu_set_bus(u->lus, NULL);
	hf_lu_set_bus(u->lus, &u->face);
}

static void settle(struct walk_unit *u)
{
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < WALK_LOOPS; i++) {
			while (loop_is_due(u->loops[i])) {
				hf_loop_sim_turn(u->loops[i], hf_loop_now_ns(walk.control));
				more = true;
			}
		}
	}
}

static void answer_all(struct walk_unit *u)
{
	while (u->props_len)
		hf_lu_bus_answer(u->lus, u->props[--u->props_len], HF_BUS_ANSWER_NOT_READY);
}

void walk_unit_end(struct walk_unit *u)
{
	walk_trace(u, "is no more");
	u->bus = NULL;
	for (unsigned i = 0; i < WALK_WORDS; i++)
		if (walk.words[i].unit == u)
			walk.words[i].out = false;
	answer_all(u);
	hf_lu_bus_drop(u->lus);
	hf_lu_set_serving(u->lus, false);
	walk_close_hosts(u);
	while (!walk_hosts_are_gone(u) || u->writes_len || u->props_len) {
		settle(u);
		while (u->writes_len)
			write_end(u, 0, walk_chance(2), -EIO);
		for (unsigned i = 0; i < WALK_HOSTS * WALK_CMDS; i++) {
			struct walk_cmd *c = &u->hosts[i / WALK_CMDS].cmds[i % WALK_CMDS];

			if (c->used && c->pinned)
				cmd_leave(c);
		}
		unit_follow(u);
		answer_all(u);
	}
	settle(u);
	hf_lu_table_destroy(u->lus);
	u->lus = NULL;
	for (unsigned i = 1; i < WALK_LOOPS; i++)
		hf_loop_destroy(u->loops[i]);
}

void walk_begin(struct hf_loop *control, unsigned len, uint64_t seed)
{
	struct walk_counts counts = walk.counts;
	const struct walk_engine *engine = walk.engine;

	memset(&walk, 0, sizeof(walk));
	walk.counts = counts;
	walk.engine = engine;
	walk.seed = seed;
	walk.control = control;
	walk.len = len;
	walk.incarnation = 1;
	walk.trace = getenv("HF_TRACE") != NULL;
	walk.resv = (struct hf_resv_config){
		.ports = {1, 2, 3, 4}, .ports_len = 4, .registrations_max = 16};
	walk.scratch = hf_resv_create(&walk.resv);
	assert_non_null(walk.scratch);
	for (unsigned i = 0; i < len; i++)
		walk.units[i].index = i;
	if (!walk.trace)
		hf_log_set_level(HF_LOG_ERROR - 1);
	walk.steps = 1;
	walk.counts.walks++;
}

void walk_end(void)
{
	hf_resv_destroy(walk.scratch);
}

/* --- the end of a walk --- */

static bool unit_is_quiet(const struct walk_unit *u)
{
	if (!u->lus || !u->bus || u->writes_len || u->rewriting || u->load_due || u->clean_due)
		return false;
	for (unsigned i = 0; i < u->props_len; i++)
		if (!u->props[i]->owed || !u->devs[u->props[i]->dev].stopped)
			return false;
	for (unsigned i = 1; i < WALK_LOOPS; i++)
		if (loop_is_due(u->loops[i]))
			return false;
	for (unsigned i = 0; i < WALK_HOSTS; i++) {
		const struct walk_host *h = &u->hosts[i];

		if (!h->attached || h->want_close || h->detaching)
			return false;
		for (unsigned k = 0; k < WALK_CMDS; k++)
			if (h->cmds[k].used)
				return false;
	}
	return !loop_is_due(walk.control);
}

bool walk_is_quiet(void)
{
	for (unsigned i = 0; i < walk.len; i++)
		if (!unit_is_quiet(&walk.units[i]))
			return false;
	for (unsigned i = 0; i < WALK_WORDS; i++)
		if (walk.words[i].out)
			return false;
	return true;
}

void walk_check_quiet(void)
{
	assert_true(walk_is_quiet());
	for (unsigned i = 0; i < walk.len; i++) {
		for (uint32_t dev = 1; dev <= WALK_DEVS; dev++) {
			struct walk_unit *u = &walk.units[i];
			const struct hf_lu *lu = lu_find(u->lus, dev);

			assert_int_equal(u->props_len, 0);
			assert_int_equal(u->devs[dev].pins, 0);
			if (!u->devs[dev].here)
				continue;
			assert_false(lu->pending || lu->clearing || lu->pick_wanted ||
				     lu->pick_saving || lu->stopped);
			assert_int_equal(lu->records_out, 0);
			assert_int_equal(lu->drained_out, 0);
			assert_int_equal(lu->acks_out, 0);
			assert_int_equal(lu->queue_len, 0);
			assert_int_equal(lu->refs, lu->nexuses);
			for (unsigned k = 0; k < WALK_LOOPS; k++)
				assert_false(lu->locals[k].pins_left || lu->locals[k].draining ||
					     lu->locals[k].pending || lu->locals[k].stopped);
		}
	}
}

static void check_slot(uint32_t dev, const struct hf_lu *lu)
{
	static uint8_t buf[HF_RESV_STATE_BYTES_MAX];
	int len = hf_resv_persist_encode(lu->cur, buf, sizeof(buf));
	struct hf_resv *kept = hf_resv_create(&walk.resv), *had = hf_resv_create(&walk.resv);

	assert_true(len >= 0 && kept && had);
	if (len)
		assert_int_equal(hf_resv_persist_decode(had, buf, (size_t)len), 0);
	if (walk.slots[dev].len)
		assert_int_equal(
			hf_resv_persist_decode(kept, walk.slots[dev].bytes, walk.slots[dev].len),
			0);
	assert_true(hf_resv_digest(kept) == hf_resv_digest(had)); /* INV-6 */
	hf_resv_destroy(kept);
	hf_resv_destroy(had);
}

void walk_check_agreed(uint32_t dev)
{
	for (unsigned i = 0; i < walk.len; i++) {
		struct walk_unit *u = &walk.units[i];

		assert_int_equal(u->devs[dev].here, walk.units[0].devs[dev].here);
		if (!u->devs[dev].here)
			continue;
		assert_true(u->devs[dev].has_state && !u->devs[dev].stopped);
		assert_true(digest_of(u, dev) == digest_of(&walk.units[0], dev));
		if (!walk.dirty[dev])
			check_slot(dev, lu_find(u->lus, dev));
	}
}

bool walk_is_stopped(uint32_t dev)
{
	for (unsigned i = 0; i < walk.len; i++)
		if (walk.units[i].devs[dev].here && walk.units[i].devs[dev].stopped)
			return true;
	return false;
}

struct walk_unit *walk_one_with_state(uint32_t dev)
{
	unsigned from = walk_random(walk.len);

	for (unsigned i = 0; i < walk.len; i++) {
		struct walk_unit *u = &walk.units[(from + i) % walk.len];

		if (u->bus && u->devs[dev].here && u->devs[dev].has_state)
			return u;
	}
	return NULL;
}
