/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranges held for COMPARE AND WRITE (design 5): acquired through the bus, kept free of overlapping
 * writes on every loop of every controller, let go when the command has left. Range first, then the
 * admission check, then the pin (S4).
 */
#include "lu_internal.h"
#include "spare.h"

#include <stdlib.h>

static bool overlaps(uint64_t a, uint32_t a_len, uint64_t b, uint32_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* --- a loop's side --- */

const struct lu_local_range *lu_range_blocks(
	const struct hf_lu_local *l, const struct hf_lu_cmd *cmd)
{
	hf_list_for_each (n, &l->ranges) {
		const struct lu_local_range *r = hf_list_entry(n, struct lu_local_range, node);

		if (cmd->range && cmd->range->bus.id == r->held->id)
			continue;
		if (overlaps(cmd->lba, cmd->blocks, r->held->lba, r->held->blocks))
			return r;
	}
	return NULL;
}

static void range_drained(struct lu_local_range *r)
{
	r->answered = true;
	hf_loop_post(r->held->lu->table->control, &r->msg);
}

void lu_range_pin_gone(struct hf_lu_local *l, const struct hf_lu_cmd *cmd)
{
	hf_list_for_each (n, &l->ranges) {
		struct lu_local_range *r = hf_list_entry(n, struct lu_local_range, node);

		if (!r->answered &&
			overlaps(cmd->lba, cmd->blocks, r->held->lba, r->held->blocks) &&
			--r->pins_left == 0)
			range_drained(r);
	}
}

static void count_pins(struct lu_local_range *r)
{
	hf_list_for_each (n, &r->local->itls) {
		hf_list_for_each (m, &hf_list_entry(n, struct hf_itl, loop_node)->commands) {
			const struct hf_lu_cmd *cmd = hf_list_entry(m, struct hf_lu_cmd, node);

			if (cmd->state == HF_LU_CMD_PINNED && cmd->writes &&
				overlaps(cmd->lba, cmd->blocks, r->held->lba, r->held->blocks))
				r->pins_left++;
		}
	}
}

static void drains_in(struct hf_msg *msg);

static void local_hold(struct hf_msg *msg)
{
	struct lu_local_range *r = hf_container_of(msg, struct lu_local_range, msg);

	hf_list_push_back(&r->local->ranges, &r->node);
	count_pins(r);
	r->msg.run = drains_in;
	if (!r->pins_left)
		range_drained(r);
}

static void releases_in(struct hf_msg *msg);

static void local_release(struct hf_msg *msg)
{
	struct lu_local_range *r = hf_container_of(msg, struct lu_local_range, release_msg);

	hf_list_remove(&r->node);
	r->answered = true;
	r->release_msg.run = releases_in;
	lu_local_wake(r->local);
	hf_loop_post(r->held->lu->table->control, &r->release_msg);
}

static void local_doubt(struct hf_msg *msg)
{
	struct lu_local_range *r = hf_container_of(msg, struct lu_local_range, doubt_msg);

	r->doubt = true;
	lu_local_wake(r->local);
}

/* --- the control loop's side: ranges held here, for this controller's commands or the peer's ---
 */

static void drains_in(struct hf_msg *msg)
{
	struct lu_range_held *h = hf_container_of(msg, struct lu_local_range, msg)->held;

	if (--h->drains_out == 0 && !h->releasing)
		hf_bus_range_drained(h->lu->table->bus, h->lu->info->id, h->id);
}

static void releases_in(struct hf_msg *msg)
{
	struct lu_range_held *h = hf_container_of(msg, struct lu_local_range, release_msg)->held;
	struct hf_lu *lu = h->lu;

	if (--h->releases_out)
		return;
	free(h);
	lu_unref(lu);
}

void hf_lu_bus_range_hold(
	struct hf_lu_table *t, uint32_t dev, uint64_t id, uint64_t lba, uint32_t blocks)
{
	unsigned loops = t->config.loops_len;
	struct hf_lu *lu = lu_find(t, dev);
	struct lu_range_held *h = hf_spare_calloc(1, sizeof(*h) + loops * sizeof(h->locals[0]));

	hf_assert(lu);
	h->lu = lu;
	h->id = id;
	h->lba = lba;
	h->blocks = blocks;
	h->drains_out = h->releases_out = loops;
	lu->refs++;
	hf_list_push_back(&lu->ranges, &h->node);
	for (unsigned i = 0; i < loops; i++) {
		struct lu_local_range *r = &h->locals[i];

		r->held = h;
		r->local = &lu->locals[i];
		hf_list_init(&r->node);
		r->msg.run = local_hold;
		r->release_msg.run = local_release;
		r->doubt_msg.run = local_doubt;
		hf_loop_post(t->config.loops[i], &r->msg);
	}
}

/* Of a deleted unit, too: the bus lets its ranges go after that, and they keep it until then. */
static struct lu_range_held *held_find(struct hf_lu_table *t, uint32_t dev, uint64_t id)
{
	for (struct hf_lu *lu = t->by_dev[dev % LU_HASH_SIZE]; lu; lu = lu->hash_next) {
		hf_list_for_each (n, &lu->ranges) {
			struct lu_range_held *h = hf_list_entry(n, struct lu_range_held, node);

			if (lu->info->id == dev && h->id == id)
				return h;
		}
	}
	return NULL;
}

void hf_lu_bus_range_unhold(struct hf_lu_table *t, uint32_t dev, uint64_t id)
{
	struct lu_range_held *h = held_find(t, dev, id);

	hf_assert(h && !h->releasing);
	h->releasing = true;
	hf_list_remove(&h->node);
	for (unsigned i = 0; i < t->config.loops_len; i++)
		hf_loop_post(t->config.loops[i], &h->locals[i].release_msg);
}

void hf_lu_bus_range_doubt(struct hf_lu_table *t, uint32_t dev, uint64_t id)
{
	struct lu_range_held *h = held_find(t, dev, id);

	if (!h || h->doubted)
		return;
	h->doubted = true;
	for (unsigned i = 0; i < t->config.loops_len; i++)
		hf_loop_post(t->config.loops[i], &h->locals[i].doubt_msg);
}

/* --- from a command to the bus and back --- */

/* On the control loop: gives a granted range back; a refused one only ends here. */
static void release(struct hf_msg *msg)
{
	struct hf_lu_range *r = hf_container_of(msg, struct hf_lu_range, msg);

	if (!r->result)
		hf_bus_range_release(r->lu->table->bus, &r->bus);
	lu_unref(r->lu);
	hf_loop_post(r->loop->loop, &r->free_msg);
}

static void put_back(struct hf_msg *msg)
{
	struct hf_lu_range *r = hf_container_of(msg, struct hf_lu_range, free_msg);

	hf_list_push_back(&r->loop->free_ranges, &r->node);
}

static void granted_here(struct hf_msg *msg)
{
	struct hf_lu_range *r = hf_container_of(msg, struct hf_lu_range, msg);

	r->answered = true;
	if (r->cmd && !r->result) {
		r->granted = true;
		lu_cmd_ranged(r->cmd, 0);
		return;
	}
	/* Nobody wants it any more, or it was not granted. */
	r->msg.run = release;
	if (r->cmd) {
		struct hf_lu_cmd *cmd = r->cmd;

		cmd->range = NULL;
		lu_cmd_ranged(cmd, r->result);
	}
	hf_loop_post(r->loop->table->control, &r->msg);
}

static void granted(struct hf_bus_range *bus, int result)
{
	struct hf_lu_range *r = hf_container_of(bus, struct hf_lu_range, bus);

	r->result = result;
	r->msg.run = granted_here;
	hf_loop_post(r->loop->loop, &r->msg);
}

static void acquire(struct hf_msg *msg)
{
	struct hf_lu_range *r = hf_container_of(msg, struct hf_lu_range, msg);

	r->lu->refs++;
	if (r->lu->removed || r->lu->stopped)
		granted(&r->bus, -ENODEV);
	else
		hf_bus_range_acquire(r->lu->table->bus, &r->bus);
}

void lu_range_acquire(struct hf_lu_cmd *cmd)
{
	struct hf_lu_loop *loop = cmd->itl->local->loop;
	struct hf_list *n = hf_list_pop_front(&loop->free_ranges);
	struct hf_lu_range *r;

	r = n ? hf_list_entry(n, struct hf_lu_range, node) : hf_spare_malloc(sizeof(*r));
	memset(r, 0, sizeof(*r));
	hf_list_init(&r->node);
	r->loop = loop;
	r->lu = cmd->itl->lu;
	r->cmd = cmd;
	r->bus.dev = cmd->itl->local->info->id;
	r->bus.lba = cmd->lba;
	r->bus.blocks = cmd->blocks;
	r->bus.granted = granted;
	r->msg.run = acquire;
	r->free_msg.run = put_back;
	cmd->range = r;
	hf_loop_post(loop->table->control, &r->msg);
}

/* The command leaves, or is aborted while it waits for the grant. */
void lu_range_let_go(struct hf_lu_cmd *cmd)
{
	struct hf_lu_range *r = cmd->range;

	cmd->range = NULL;
	r->cmd = NULL;
	if (!r->granted)
		return; /* granted_here() gives it back */
	r->msg.run = release;
	hf_loop_post(r->loop->table->control, &r->msg);
}
