/* SPDX-License-Identifier: BSD-3-Clause */
#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static uint8_t op_bytes[HF_RESV_OP_BYTES_MAX];

static void propose(struct hf_bus *bus, struct hf_bus_prop *prop)
{
	struct kit *k = bus->owner;

	hf_list_push_back(&k->proposed, &prop->node);
}

static void drained(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	struct kit *k = bus->owner;

	k->drained++;
	k->drained_n = n;
	k->drained_result = result;
}

static void range_acquire(struct hf_bus *bus, struct hf_bus_range *range)
{
	struct kit *k = bus->owner;

	range->id = 99;
	hf_list_push_back(&k->ranges, &range->node);
}

static void range_release(struct hf_bus *bus, struct hf_bus_range *range)
{
	struct kit *k = bus->owner;

	hf_list_remove(&range->node);
	hf_lu_bus_range_unhold(k->table, range->dev, range->id);
}

static void range_drained(struct hf_bus *bus, uint32_t dev, uint64_t id)
{
	struct kit *k = bus->owner;

	k->range_drained++;
	k->range_drained_id = id;
}

static void persisted(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	struct kit *k = bus->owner;

	k->persisted++;
}

static void persist(void *arg, struct hf_lu *lu, uint32_t dev, uint8_t *buf, size_t len)
{
	struct kit *k = arg;

	k->persisting = lu;
	k->persists++;
}

static void pick_done(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	struct kit *k = bus->owner;

	assert_int_equal(dev, KIT_DEV);
	k->pick_done_n = n;
	k->pick_result = result;
}

static const struct hf_bus_ops bus_ops = {
	.propose = propose,
	.drained = drained,
	.persisted = persisted,
	.pick_done = pick_done,
	.range_acquire = range_acquire,
	.range_release = range_release,
	.range_drained = range_drained,
};

void kit_settle(struct kit *k)
{
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < KIT_LOOPS; i++) {
			if (hf_loop_sim_next_ns(k->loops[i]) <= hf_loop_now_ns(k->loops[i])) {
				hf_loop_sim_settle(k->loops[i]);
				more = true;
			}
		}
	}
}

void kit_init(struct kit *k)
{
	struct hf_lu_info *info = calloc(1, sizeof(*info));
	struct hf_lu_config config = {.loops = k->loops,
		.loops_len = KIT_LOOPS,
		.wait_bound_ns = 2500000000,
		.incarnation = 5,
		.persist = persist,
		.arg = k,
		.resv = {.ports = {1, 2}, .ports_len = 2, .registrations_max = 16},
		.target = {.name = "iqn.test",
			.own_rtpi = 1,
			.ports_len = 1,
			.ports = {{.rtpi = 1, .controller = 1}}}};

	memset(k, 0, sizeof(*k));
	hf_list_init(&k->proposed);
	hf_list_init(&k->ranges);
	for (unsigned i = 0; i < KIT_LOOPS; i++)
		assert_int_equal(hf_loop_create(i, NULL, &k->loops[i]), 0);
	assert_int_equal(hf_lu_table_create(&config, &k->table), 0);
	k->bus.ops = &bus_ops;
	k->bus.owner = k;
	hf_lu_set_bus(k->table, &k->bus);
	info->id = KIT_DEV;
	info->lun = 3;
	info->blocks = 1000;
	info->block_bytes = 512;
	assert_int_equal(hf_lu_add(k->table, info), 0);
	hf_lu_set_serving(k->table, true);
	kit_settle(k);
}

void kit_fini(struct kit *k)
{
	struct hf_list *n;

	while ((n = hf_list_pop_front(&k->proposed)))
		hf_lu_bus_answer(k->table, hf_list_entry(n, struct hf_bus_prop, node),
			HF_BUS_ANSWER_NOT_READY);
	kit_settle(k);
	hf_lu_table_destroy(k->table);
	for (unsigned i = 0; i < KIT_LOOPS; i++)
		hf_loop_destroy(k->loops[i]);
}

static void itl_ready(struct hf_itl_waiter *w, struct hf_itl *itl)
{
	hf_container_of(w, struct kit_session, waiter)->itl = itl;
}

static void session_close(struct hf_lu_session *s, const char *why)
{
	hf_container_of(s, struct kit_session, s)->closed = "closed";
}

static void session_lost(struct hf_lu_session *s)
{
	hf_container_of(s, struct kit_session, s)->lost = true;
}

static void session_valid(struct hf_lu_session *s)
{
	hf_container_of(s, struct kit_session, s)->valid++;
}

static void session_gone(struct hf_lu_session *s)
{
	hf_container_of(s, struct kit_session, s)->gone = true;
}

void kit_login(struct kit *k, struct kit_session *s, unsigned loop, const char *name)
{
	bool none;

	memset(s, 0, sizeof(*s));
	assert_int_equal(hf_port_id_set(&s->s.nexus.init, name, strlen(name), 1), 0);
	s->s.nexus.rtpi = 1;
	s->s.close = session_close;
	s->s.lost = session_lost;
	s->s.valid = session_valid;
	s->s.gone = session_gone;
	s->waiter.ready = itl_ready;
	assert_int_equal(hf_lu_session_attach(k->table, &s->s, k->loops[loop]), 0);
	assert_null(hf_itl_find(&s->s, 3, &s->waiter, &none));
	assert_false(none);
	kit_settle(k);
	assert_non_null(s->itl);
	assert_int_equal(hf_itl_attention_take(s->itl), 0x2900);
}

void kit_logout(struct kit *k, struct kit_session *s)
{
	hf_lu_session_detach(&s->s);
	kit_settle(k);
	assert_true(s->gone);
}

static void cmd_go(struct hf_lu_cmd *cmd, enum hf_admit how)
{
	struct kit_cmd *c = hf_container_of(cmd, struct kit_cmd, cmd);

	assert_false(c->went);
	c->went = true;
	c->how = how;
}

static void cmd_abort(struct hf_lu_cmd *cmd)
{
	hf_container_of(cmd, struct kit_cmd, cmd)->aborted = true;
}

void kit_start(struct kit *k, struct kit_session *s, struct kit_cmd *c, enum hf_access access)
{
	memset(c, 0, sizeof(*c));
	c->cmd.go = cmd_go;
	c->cmd.abort = cmd_abort;
	c->cmd.lba = 10;
	c->cmd.blocks = 4;
	c->cmd.writes = access == HF_ACCESS_WRITE;
	hf_lu_cmd_enter(&c->cmd, s->itl, access);
	hf_lu_cmd_start(&c->cmd);
}

void kit_leave(struct kit *k, struct kit_cmd *c)
{
	hf_lu_cmd_leave(&c->cmd);
	kit_settle(k);
}

struct hf_resv_op kit_make(const struct kit_session *s, enum hf_resv_kind kind)
{
	struct hf_resv_op op = {.kind = kind};

	if (s) {
		op.nexus = s->s.nexus;
		op.login = s->s.login;
	}
	return op;
}

void kit_hold(struct kit *k, const struct hf_resv_op *op)
{
	int len = hf_resv_op_encode(op, op_bytes, sizeof(op_bytes));

	assert_true(len > 0);
	k->drained = 0;
	hf_lu_bus_hold(k->table, KIT_DEV, ++k->n, op_bytes, (size_t)len);
	kit_settle(k);
}

void kit_apply(struct kit *k)
{
	assert_int_equal(k->drained, 1);
	assert_int_equal(k->drained_result, 0);
	assert_true(k->drained_n == k->n);
	hf_lu_bus_apply(k->table, KIT_DEV, k->n);
	kit_settle(k);
}

void kit_unhold(struct kit *k)
{
	hf_lu_bus_unhold(k->table, KIT_DEV, k->n);
	kit_settle(k);
}

void kit_op(struct kit *k, const struct hf_resv_op *op)
{
	kit_hold(k, op);
	kit_apply(k);
}
