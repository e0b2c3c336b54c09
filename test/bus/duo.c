/* SPDX-License-Identifier: BSD-3-Clause */
/* The two engines of duo.h and their owner. */
#include "duo.h"

#include "bytes.h"
#include "checksum.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct duo duo;

/* --- the owner --- */

static struct duo_dev *dev_of(struct duo_node *o, uint32_t dev)
{
	assert_true(dev < DUO_DEVS);
	return &o->devs[dev];
}

static enum hf_bus_look own_look(void *owner, uint32_t dev, const void *op, size_t len)
{
	const struct duo_dev *d = dev_of(owner, dev);
	const struct duo_op *p = op;

	assert_int_equal(len, sizeof(*p));
	assert_false(d->held); /* W4: never while something is pending */
	if (p->kind == DUO_RESERVE)
		return d->holder == 0 ? HF_BUS_LOOK_CHANGE : HF_BUS_LOOK_ANSWER;
	return d->holder == p->host ? HF_BUS_LOOK_CHANGE : HF_BUS_LOOK_ANSWER;
}

static uint64_t own_digest(void *owner, uint32_t dev)
{
	const struct duo_dev *d = dev_of(owner, dev);
	uint8_t b[5] = {d->holder};

	hf_put_be32(b + 1, d->changes);
	return hf_digest64(1, b, sizeof(b));
}

static void own_hold(void *owner, uint32_t dev, uint64_t n, const void *op, size_t len, bool mine)
{
	struct duo_node *o = owner;
	struct duo_dev *d = dev_of(o, dev);

	assert_false(d->held);
	d->held = true;
	d->n = n;
	d->holds++;
	d->held_at = ++duo.holds;
	memcpy(&d->op, op, len);
	if (!o->keep_drain)
		hf_bus_drained(o->bus, dev, n, 0);
}

static void own_unhold(void *owner, uint32_t dev, uint64_t n)
{
	struct duo_dev *d = dev_of(owner, dev);

	assert_true(d->held && d->n == n);
	d->held = false;
}

static void own_persist(void *owner, uint32_t dev, uint64_t n)
{
	struct duo_node *o = owner;

	hf_bus_persisted(o->bus, dev, n, 0);
}

static void own_apply(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	struct duo_dev *d = dev_of(owner, dev);

	assert_true(d->held && d->n == n);
	d->held = false;
	d->holder = d->op.kind == DUO_RESERVE ? d->op.host : 0;
	d->changes++;
	d->applies++;
	d->applies_mine += mine;
}

static void own_answer(void *owner, struct hf_bus_prop *prop, enum hf_bus_answer how)
{
	struct duo_cmd *c = hf_container_of(prop, struct duo_cmd, prop);
	const struct duo_dev *d = dev_of(owner, prop->dev);

	assert_false(c->answered); /* INV-7 */
	c->answered = true;
	c->how = how;
	if (how == HF_BUS_ANSWER_APPLIED)
		c->good = true;
	else if (how == HF_BUS_ANSWER_LOOK && c->op.kind == DUO_RESERVE)
		c->good = d->holder == c->op.host;
	else if (how == HF_BUS_ANSWER_LOOK)
		c->good = true; /* SPC-2: releasing what one does not hold is GOOD */
	c->conflict = how == HF_BUS_ANSWER_LOOK && !c->good;
}

static void own_doubt(void *owner, struct hf_bus_prop *prop)
{
	hf_container_of(prop, struct duo_cmd, prop)->doubted = true;
}

static void own_stopped(void *owner, uint32_t dev, const char *why)
{
	if (!duo.may_stop)
		fail_msg("device %u stopped: %s", dev, why);
	dev_of(owner, dev)->stopped = true;
}

static void own_pick(void *owner, uint32_t dev, uint64_t n, bool mine)
{
	struct duo_node *o = owner;

	assert_true(dev_of(o, dev)->stopped);
	o->pick_n = n;
	if (!o->keep_pick)
		o->bus->ops->pick_done(o->bus, dev, n, 0);
}

static void own_resumed(void *owner, uint32_t dev)
{
	assert_true(dev_of(owner, dev)->stopped);
	dev_of(owner, dev)->stopped = false;
}

static void own_range_hold(void *owner, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks)
{
	struct duo_node *o = owner;

	o->range_holds++;
	hf_bus_range_drained(o->bus, dev, id);
}

static void own_range_unhold(void *owner, uint32_t dev, uint64_t id)
{
	struct duo_node *o = owner;

	assert_true(o->range_holds > 0);
	o->range_holds--;
}

static void own_range_doubt(void *owner, uint32_t dev, uint64_t id)
{
}

static uint32_t own_next_dev(void *owner, uint32_t after)
{
	return after + 1 < DUO_DEVS ? after + 1 : UINT32_MAX;
}

static int own_snapshot(void *owner, uint32_t dev, uint8_t *buf, size_t cap)
{
	struct duo_node *o = owner;
	const struct duo_dev *d = dev_of(o, dev);

	assert_true(cap >= 5 + o->padding);
	buf[0] = d->holder;
	hf_put_be32(buf + 1, d->changes);
	memset(buf + 5, (int)dev, o->padding);
	return 5 + (int)o->padding;
}

static int own_install(void *owner, uint32_t dev, const uint8_t *buf, size_t len)
{
	struct duo_node *o = owner;
	struct duo_dev *d = dev_of(o, dev);

	assert_true((o->dropped || d->stopped) && !d->held);
	if (len < 5)
		return -EBADMSG;
	for (size_t i = 5; i < len; i++)
		assert_int_equal(buf[i], dev);
	d->holder = buf[0];
	d->changes = hf_get_be32(buf + 1);
	return 0;
}

static void own_load(void *owner)
{
	struct duo_node *o = owner;

	o->loaded = true;
	o->bus->ops->loaded(o->bus, 0);
}

static void own_drop(void *owner)
{
	struct duo_node *o = owner;

	o->dropped = true;
	for (unsigned i = 0; i < DUO_DEVS; i++) {
		assert_false(o->devs[i].held);
		o->devs[i].holder = 0;
		o->devs[i].changes = 0;
	}
}

static void own_view_read(void *owner)
{
	struct duo_node *o = owner;

	o->bus->ops->view_io_done(o->bus, o->record->bytes, o->record->len);
}

static void own_view_write(void *owner, const uint8_t *record, size_t len)
{
	struct duo_node *o = owner;
	struct duo_record *r = o->record;

	if (!r->fail_writes) {
		assert_true(len <= sizeof(r->bytes));
		memcpy(r->bytes, record, len);
		r->len = (int)len;
	}
	o->bus->ops->view_io_done(o->bus, NULL, r->fail_writes ? -EIO : 0);
}

static void own_view_changed(void *owner, const struct hf_view *view)
{
	struct duo_node *o = owner;

	o->views++;
	o->view = *view;
	if (view->state == HF_VIEW_FROZEN)
		o->was_frozen = true;
	if (view->state == HF_VIEW_OUT)
		o->bus->ops->clean(o->bus);
}

static const struct hf_bus_owner_ops owner_ops = {
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
	.range_unhold = own_range_unhold,
	.range_doubt = own_range_doubt,
	.next_dev = own_next_dev,
	.snapshot = own_snapshot,
	.install = own_install,
	.load = own_load,
	.drop = own_drop,
	.view_read = own_view_read,
	.view_write = own_view_write,
	.view_changed = own_view_changed,
};

/* --- two of them --- */

static struct hf_bus_address loopback(uint16_t port)
{
	struct hf_bus_address a = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in *in = (struct sockaddr_in *)&a.addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in->sin_port = htons(port);
	return a;
}

/* Node 0 (controller 1) listens, node 1 (controller 2) connects through the relays. */
void duo_start(unsigned index)
{
	struct duo_node *o = &duo.nodes[index];
	struct hf_bus_pair_config c = {
		.id = (uint8_t)(index + 1),
		.peer_id = (uint8_t)(2 - index),
		.incarnation = ++duo.incarnation,
		.config_digest = duo.config_digest[index],
		.key = (const uint8_t *)duo.key[index],
		.key_len = strlen(duo.key[index]),
		.listen_len = index ? 0 : duo.links,
		.peer_len = duo.links,
		.silence_ms = duo.silence_ms,
		.version_min = duo.version_min[index],
		.version_max = duo.version_max[index],
	};
	struct duo_record *record = o->record;
	char message[300];

	memset(c.cluster, duo.cluster[index], sizeof(c.cluster));
	memset(o, 0, sizeof(*o));
	o->index = index;
	o->record = record;
	for (unsigned i = 0; i < duo.links; i++) {
		c.listen[i] = loopback(duo.ports[i]);
		c.peer[i] = loopback(duo.proxies[i] ? proxy_port(duo.proxies[i]) : 1);
	}
	if (hf_bus_pair_create(&c, duo.loop, &owner_ops, o, &o->bus, message, sizeof(message)) < 0)
		fail_msg("%s", message);
	for (unsigned i = 0; index == 0 && i < duo.links; i++) {
		duo.ports[i] = hf_bus_pair_port(o->bus, i);
		if (!duo.proxies[i])
			duo.proxies[i] = proxy_create(duo.loop, duo.ports[i]);
	}
	for (unsigned i = 0; i < duo.devs; i++)
		o->bus->ops->dev_add(o->bus, i, i % 2 == index); /* dominance alternates */
}

void duo_stop(unsigned index)
{
	struct hf_bus *bus = duo.nodes[index].bus;

	duo.nodes[index].bus = NULL;
	if (bus)
		bus->ops->destroy(bus);
}

int duo_set_up(void **state)
{
	memset(&duo, 0, sizeof(duo));
	duo.links = DUO_LINKS;
	duo.devs = DUO_DEVS;
	duo.incarnation = 100;
	for (unsigned i = 0; i < 2; i++) {
		duo.key[i] = "a key that both controllers know";
		duo.config_digest[i] = 77;
		duo.nodes[i].record = &duo.disk;
	}
	return hf_loop_create(0, NULL, &duo.loop);
}

int duo_tear_down(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		duo_stop(i);
	for (unsigned i = 0; i < DUO_LINKS; i++)
		proxy_destroy(duo.proxies[i]);
	hf_loop_destroy(duo.loop);
	return 0;
}

void duo_run_until_state(unsigned index, enum hf_view_state state)
{
	duo_run_until(duo.nodes[index].bus->view.state == state);
}

void duo_together(void)
{
	duo_start(0);
	duo_start(1);
	duo_run_until_state(0, HF_VIEW_TOGETHER);
	duo_run_until_state(1, HF_VIEW_TOGETHER);
}

static void passed(struct hf_timer *t)
{
}

void duo_pass_ms(unsigned ms)
{
	struct hf_timer t;

	hf_timer_init(&t, passed);
	hf_timer_arm(duo.loop, &t, hf_loop_now_ns(duo.loop) + ms * 1000000ull);
	duo_run_until(!hf_timer_is_armed(&t));
}

void duo_propose(struct duo_cmd *c, unsigned index, uint32_t dev, uint8_t kind, uint8_t host)
{
	struct duo_node *o = &duo.nodes[index];

	memset(c, 0, sizeof(*c));
	c->op = (struct duo_op){.kind = kind, .host = host};
	c->node = o;
	c->prop.dev = dev;
	c->prop.op = &c->op;
	c->prop.op_len = sizeof(c->op);
	hf_bus_propose(o->bus, &c->prop);
}

bool duo_do(unsigned index, uint32_t dev, uint8_t kind, uint8_t host)
{
	struct duo_cmd c;

	duo_propose(&c, index, dev, kind, host);
	duo_run_until(c.answered);
	return c.good;
}

void duo_cut(void)
{
	for (unsigned i = 0; i < duo.links; i++)
		proxy_cut(duo.proxies[i]);
}

void duo_heal(void)
{
	for (unsigned i = 0; i < duo.links; i++)
		proxy_heal(duo.proxies[i]);
}

struct hf_bus_pair_status duo_status(unsigned index)
{
	struct hf_bus_pair_status s;

	hf_bus_pair_status(duo.nodes[index].bus, &s);
	return s;
}
