/* SPDX-License-Identifier: BSD-3-Clause */
#include "kit.h"

#include "endian.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* --- a bus without peers: an op is held, drained, applied, answered, one at a time --- */

static uint8_t op_bytes[HF_RESV_OP_BYTES_MAX];

static void next_op(struct kit *k)
{
	while (!k->pending && !hf_list_is_empty(&k->queue)) {
		struct hf_bus_prop *p = hf_list_entry(k->queue.next, struct hf_bus_prop, node);
		enum hf_bus_look look = hf_lu_bus_look(k->table, p->dev, p->op, p->op_len);

		if (look == HF_BUS_LOOK_ANSWER) {
			hf_list_remove(&p->node);
			hf_lu_bus_answer(k->table, p, HF_BUS_ANSWER_LOOK);
			continue;
		}
		if (k->answer_next == HF_BUS_ANSWER_NOT_READY) {
			k->answer_next = HF_BUS_ANSWER_LOOK;
			hf_list_remove(&p->node);
			hf_lu_bus_answer(k->table, p, HF_BUS_ANSWER_NOT_READY);
			continue;
		}
		if (k->doubt_next)
			hf_lu_bus_doubt(k->table, p);
		k->doubt_next = false;
		k->pending = true;
		k->persist = look == HF_BUS_LOOK_CHANGE_PERSIST;
		memcpy(op_bytes, p->op, p->op_len);
		hf_lu_bus_hold(k->table, p->dev, ++k->n, op_bytes, p->op_len);
	}
}

static void propose(struct hf_bus *bus, struct hf_bus_prop *prop)
{
	struct kit *k = bus->owner;

	hf_list_push_back(&k->queue, &prop->node);
	next_op(k);
}

static void settle_op(struct kit *k)
{
	struct hf_bus_prop *p =
		hf_list_entry(hf_list_pop_front(&k->queue), struct hf_bus_prop, node);

	hf_lu_bus_apply(k->table, p->dev, k->n);
	hf_lu_bus_answer(k->table, p, HF_BUS_ANSWER_APPLIED);
	k->pending = false;
	next_op(k);
}

static void cancel_op(struct kit *k)
{
	struct hf_bus_prop *p =
		hf_list_entry(hf_list_pop_front(&k->queue), struct hf_bus_prop, node);

	k->answer_next = HF_BUS_ANSWER_LOOK;
	hf_lu_bus_unhold(k->table, p->dev, k->n);
	hf_lu_bus_answer(k->table, p, HF_BUS_ANSWER_FAILED);
	k->pending = false;
	next_op(k);
}

static void drained(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	struct kit *k = bus->owner;

	hf_assert(k->pending && n == k->n && result == 0);
	if (k->answer_next == HF_BUS_ANSWER_FAILED)
		cancel_op(k);
	else if (k->persist)
		hf_lu_bus_persist(k->table, dev, n);
	else
		settle_op(k);
}

static void persisted(struct hf_bus *bus, uint32_t dev, uint64_t n, int result)
{
	hf_assert(result == 0);
	settle_op(bus->owner);
}

static void range_acquire(struct hf_bus *bus, struct hf_bus_range *range)
{
	struct kit *k = bus->owner;

	range->id = ++k->range_id;
	hf_list_push_back(&k->ranges, &range->node);
	hf_lu_bus_range_hold(k->table, range->dev, range->id, range->lba, range->blocks);
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

	hf_list_for_each_safe (n, &k->ranges) {
		struct hf_bus_range *r = hf_list_entry(n, struct hf_bus_range, node);

		if (r->id == id)
			r->granted(r, 0);
	}
}

static const struct hf_bus_ops bus_ops = {
	.propose = propose,
	.drained = drained,
	.persisted = persisted,
	.range_acquire = range_acquire,
	.range_release = range_release,
	.range_drained = range_drained,
};

/* --- the controller --- */

void kit_settle(struct kit *k)
{
	hf_loop_sim_settle(k->loop);
}

static void add_lu(struct kit *k, uint16_t lun, uint64_t blocks)
{
	struct hf_lu_info *info = calloc(1, sizeof(*info));

	hf_assert(info);
	info->id = lun + 1u;
	info->lun = lun;
	info->block_bytes = lun == 1 ? 4096 : 512;
	info->physical_block_bytes = 4096;
	info->blocks = blocks * 512 / info->block_bytes;
	info->write_protected = lun == 2;
	info->can_unmap = info->unmap_zeroes = lun != 3;
	for (unsigned i = 0; i < 16; i++)
		info->uuid[i] = (uint8_t)(lun * 16 + i + 1);
	disk_init(&k->disks[lun], info->id, info->block_bytes, info->blocks);
	info->ldev = &k->disks[lun].ldev;
	assert_int_equal(hf_lu_add(k->table, info), 0);
}

struct kit *kit_create(void)
{
	return kit_create_small(BLOCKS);
}

struct kit *kit_create_small(uint64_t blocks)
{
	struct hf_scsi_loop *scsi;
	struct hf_loop *loop;
	struct kit *k;

	assert_int_equal(hf_loop_create(0, NULL, &loop), 0);
	assert_int_equal(hf_scsi_loop_create(loop, &scsi), 0);
	k = kit_create_on(loop, scsi, blocks);
	k->borrows_loop = false;
	return k;
}

struct kit *kit_create_on(struct hf_loop *loop, struct hf_scsi_loop *scsi, uint64_t blocks)
{
	struct kit *k = calloc(1, sizeof(*k));
	struct hf_lu_config config = {.loops_len = 1,
		.wait_bound_ns = 2500000000,
		.incarnation = 5,
		.resv = {.ports = {1, 2, 3}, .ports_len = 3, .registrations_max = 16},
		.target = {.name = TARGET_NAME,
			.own_rtpi = 1,
			.ports_len = 3,
			.ports = {{.rtpi = 1, .group = 1, .controller = 1},
				{.rtpi = 2, .group = 2, .controller = 2},
				{.rtpi = 3, .group = 2, .controller = 2}},
			.revision = "0001"}};

	hf_assert(k);
	hf_list_init(&k->queue);
	hf_list_init(&k->ranges);
	k->loop = loop;
	k->scsi = scsi;
	k->borrows_loop = true;
	config.loops = &k->loop;
	assert_int_equal(hf_lu_table_create(&config, &k->table), 0);
	k->bus.ops = &bus_ops;
	k->bus.owner = k;
	hf_lu_set_bus(k->table, &k->bus);
	for (uint16_t lun = 0; lun < LUNS; lun++)
		add_lu(k, lun, blocks);
	hf_lu_set_serving(k->table, true);
	kit_settle(k);
	return k;
}

void kit_destroy(struct kit *k)
{
	kit_settle(k);
	if (!k->borrows_loop)
		hf_scsi_loop_destroy(k->scsi);
	/* The table may look at info->ldev only while commands run: there are none. */
	hf_lu_table_destroy(k->table);
	if (!k->borrows_loop)
		hf_loop_destroy(k->loop);
	for (unsigned i = 0; i < LUNS; i++)
		disk_fini(&k->disks[i]);
	free(k);
}

/* --- hosts --- */

struct find {
	struct hf_itl_waiter waiter;
	struct hf_itl *itl;
};

static void found(struct hf_itl_waiter *w, struct hf_itl *itl)
{
	hf_container_of(w, struct find, waiter)->itl = itl;
}

struct hf_itl *host_itl(struct host *h, uint16_t lun)
{
	struct find f = {.waiter.ready = found};
	bool none;
	struct hf_itl *itl = hf_itl_find(&h->s, lun, &f.waiter, &none);

	if (itl || none)
		return itl;
	kit_settle(h->k);
	assert_non_null(f.itl);
	return f.itl;
}

static void session_close(struct hf_lu_session *s, const char *why)
{
	hf_container_of(s, struct host, s)->closed = why;
}

static void session_gone(struct hf_lu_session *s)
{
	hf_container_of(s, struct host, s)->gone = true;
}

void host_login(struct kit *k, struct host *h, const char *name, uint64_t isid)
{
	memset(h, 0, sizeof(*h));
	h->k = k;
	assert_int_equal(hf_port_id_set(&h->s.nexus.init, name, strlen(name), isid), 0);
	h->s.nexus.rtpi = 1;
	h->s.close = session_close;
	h->s.gone = session_gone;
	assert_int_equal(hf_lu_session_attach(k->table, &h->s, k->loop), 0);
	for (uint16_t lun = 0; lun < LUNS; lun++) {
		struct hf_itl *itl = host_itl(h, lun);

		while (itl && hf_itl_attention_take(itl))
			;
	}
}

void host_logout(struct host *h)
{
	hf_lu_session_detach(&h->s);
	kit_settle(h->k);
	assert_true(h->gone);
}

/* --- commands --- */

static void cmd_done(struct hf_scsi_task *t)
{
	struct cmd *c = hf_container_of(t, struct cmd, t);

	assert_false(c->over);
	c->over = true;
}

static void cmd_aborted(struct hf_scsi_task *t)
{
	hf_container_of(t, struct cmd, t)->told_aborted = true;
}

void cmd_free(struct cmd *c)
{
	free(c->buf);
	c->buf = NULL;
}

void cmd_begin(struct cmd *c, struct host *h, uint16_t lun, const uint8_t *cdb, unsigned len)
{
	cmd_free(c);
	memset(c, 0, sizeof(*c));
	c->h = h;
	c->lun = lun;
	memcpy(c->t.cdb, cdb, len);
	c->t.cdb_len = 16;
	c->t.session = &h->s;
	c->t.lun = hf_scsi_lun_encode(lun);
	c->t.done = cmd_done;
	c->t.aborted = cmd_aborted;
}

enum hf_scsi_next cmd_arrive(struct cmd *c)
{
	struct hf_itl *itl = host_itl(c->h, c->lun);
	enum hf_scsi_next next;

	c->t.data_in = c->data_in;
	c->t.data_out = c->data_out;
	c->t.expected_bytes = c->expected;
	next = hf_scsi_arrive(c->h->k->scsi, &c->t, itl);
	c->early = next == HF_SCSI_DONE;
	if (c->early) {
		c->over = true;
		return next;
	}
	assert_true(c->t.buf_need <= HF_XFER_MAX_BYTES);
	assert_true(c->t.out_len <= c->t.buf_need);
	assert_true(c->t.out_len <= (c->data_out ? c->expected : 0));
	if (c->t.buf_need) {
		/* exactly as long as asked for, so that a sanitizer sees one byte too many */
		c->buf = malloc(c->t.buf_need);
		memset(c->buf, 0xa5, c->t.buf_need);
		if (c->t.out_len)
			memcpy(c->buf, c->out, c->t.out_len);
	}
	c->t.buf = c->buf;
	return next;
}

void cmd_run(struct cmd *c)
{
	hf_scsi_run(c->h->k->scsi, &c->t);
	kit_settle(c->h->k);
}

void cmd_end(struct cmd *c)
{
	const uint8_t *s = c->t.sense;

	assert_true(c->over);
	c->in = c->buf;
	c->in_len = c->t.in_len;
	assert_true(c->in_len <= (c->data_in ? c->expected : 0));
	if (c->t.status == HF_STATUS_CHECK_CONDITION) {
		assert_true(c->t.sense_len >= 8);
		c->key = s[0] & 0x02 ? s[1] & 0xf : s[2] & 0xf;
		c->asc_ascq = hf_get_be16(s[0] & 0x02 ? s + 2 : s + 12);
	} else {
		assert_int_equal(c->t.sense_len, 0);
	}
	hf_scsi_leave(c->h->k->scsi, &c->t);
	kit_settle(c->h->k);
}

static unsigned digit(char ch)
{
	return isdigit((unsigned char)ch) ? (unsigned)(ch - '0') : (unsigned)(ch - 'a') + 10;
}

static void send_cdb(struct cmd *c, struct host *h, uint16_t lun, const char *hex, bool in,
	bool out, const void *data, uint32_t expected)
{
	uint8_t cdb[16] = {0};
	unsigned n = 0;

	for (const char *p = hex; *p; p++) {
		if (*p == ' ')
			continue;
		assert_true(n < 32 && isxdigit((unsigned char)*p));
		cdb[n / 2] |= (uint8_t)(digit(*p) << (n % 2 ? 0 : 4));
		n++;
	}
	cmd_begin(c, h, lun, cdb, 16);
	c->data_in = in;
	c->data_out = out;
	c->expected = expected;
	c->out = data;
	if (cmd_arrive(c) == HF_SCSI_READY)
		cmd_run(c);
	cmd_end(c);
}

void send_none(struct cmd *c, struct host *h, uint16_t lun, const char *cdb)
{
	send_cdb(c, h, lun, cdb, false, false, NULL, 0);
}

void send_in(struct cmd *c, struct host *h, uint16_t lun, const char *cdb, uint32_t expected)
{
	send_cdb(c, h, lun, cdb, true, false, NULL, expected);
}

void send_out(struct cmd *c, struct host *h, uint16_t lun, const char *cdb, const void *data,
	uint32_t len)
{
	send_cdb(c, h, lun, cdb, false, true, data, len);
}

void send_prout(struct cmd *c, struct host *h, uint16_t lun, uint8_t action, uint8_t type,
	uint64_t rk, uint64_t sark)
{
	uint8_t list[24] = {0}, cdb[16] = {0x5f, action, type, 0, 0, 0, 0, 0, 24};

	hf_put_be64(list, rk);
	hf_put_be64(list + 8, sark);
	cmd_begin(c, h, lun, cdb, 16);
	c->data_out = true;
	c->expected = sizeof(list);
	c->out = list;
	if (cmd_arrive(c) == HF_SCSI_READY)
		cmd_run(c);
	cmd_end(c);
}
