/* SPDX-License-Identifier: BSD-3-Clause */
/* node_view.c: what a change of the view means here. Everything around it is a stand-in. */
#include "node.h"
#include "notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SELF = 2, OTHER = 3, DEVICES = 2 };

static struct {
	unsigned removals; /* proposed */
	uint16_t rtpi;	   /* of the last one */
	bool serving;
	enum hf_alua_state ports[4]; /* of each controller */
	uint32_t shut_out;	     /* as the fence has been told */
} seen;

/* --- stand-ins --- */

int hf_lu_admin_propose(struct hf_lu_table *t, struct hf_lu_admin_op *a)
{
	assert_int_equal(a->op.kind, HF_RESV_PEER_REMOVED);
	assert_true(a->owed);
	assert_true(seen.serving); /* else it would be refused */
	seen.removals++;
	seen.rtpi = a->op.nexus.rtpi;
	free(a);
	return 0;
}

void hf_lu_set_serving(struct hf_lu_table *t, bool serving)
{
	seen.serving = serving;
}

void hf_lu_set_paused(struct hf_lu_table *t)
{
	seen.serving = false;
}

void hf_lu_set_port_state(struct hf_lu_table *t, uint8_t controller, enum hf_alua_state state)
{
	seen.ports[controller] = state;
}

void hf_lu_close_sessions(struct hf_lu_table *t, const char *why)
{
}

void hf_lu_await_jobs(struct hf_lu_table *t, void (*stopped)(void *arg), void *arg)
{
}

bool hf_lu_jobs_are_still(const struct hf_lu_table *t)
{
	return false;
}

void hf_node_ports_open(struct hf_node *node)
{
	node->ports_open = true;
}

void hf_node_ports_close(struct hf_node *node, void (*closed)(struct hf_node *node))
{
	node->ports_open = false;
}

void hf_node_pool_add_disks(struct hf_node *node)
{
}

void hf_notify_status(const char *sentence)
{
}

void hf_fence_serve(struct hf_fence *f, uint32_t ids)
{
	seen.shut_out &= ~ids;
}

void hf_fence_keep_out(struct hf_fence *f, uint32_t ids)
{
	seen.shut_out |= ids;
}

void hf_fence_clean(struct hf_fence *f)
{
}

void hf_fence_give_up(struct hf_fence *f, uint64_t epoch)
{
}

void hf_fence_serve_again(struct hf_fence *f)
{
}

void hf_pool_await_record_writes(struct hf_pool *pool, void (*still)(void *arg), void *arg)
{
}

/* --- a controller of three --- */

static struct hf_config config;
static struct hf_bus bus;
static struct hf_node node;
static struct hf_map map;

static void set_up(void)
{
	memset(&node, 0, sizeof(node));
	memset(&seen, 0, sizeof(seen));
	config.controllers_len = 3;
	for (unsigned i = 0; i < 3; i++) {
		config.controllers[i].id = (uint8_t)(i + 1);
		config.controllers[i].rtpi = (uint16_t)(10 * (i + 1));
	}
	config.self = &config.controllers[SELF - 1];
	map.ldevs_len = DEVICES;
	node.config = &config;
	node.bus = &bus;
	node.pool.cur = &map;
}

static void becomes(enum hf_view_state state, uint32_t members)
{
	bus.view = (struct hf_view){.state = state, .members = members, .serving = members};
	hf_node_view_changed(&node, &bus.view);
}

#define ALL	(1u << 1 | 1u << SELF | 1u << OTHER)
#define WITHOUT (ALL & ~(1u << OTHER))

static void reservations_of_a_controller_that_left_end_once(void **state)
{
	set_up();
	becomes(HF_VIEW_TOGETHER, ALL);
	becomes(HF_VIEW_RACING, ALL);
	assert_int_equal(seen.removals, 0);
	becomes(HF_VIEW_TOGETHER, WITHOUT);
	assert_int_equal(seen.removals, DEVICES);
	assert_int_equal(seen.rtpi, 10 * OTHER);
	becomes(HF_VIEW_FROZEN, WITHOUT);
	becomes(HF_VIEW_TOGETHER, WITHOUT);
	assert_int_equal(seen.removals, DEVICES);
}

/* Quorum was away for the moment in which the new view came. */
static void they_end_when_this_one_hears_of_it_while_it_does_not_serve(void **state)
{
	set_up();
	becomes(HF_VIEW_TOGETHER, ALL);
	becomes(HF_VIEW_OUT, WITHOUT);
	assert_int_equal(seen.removals, 0);
	becomes(HF_VIEW_TOGETHER, WITHOUT);
	assert_int_equal(seen.removals, DEVICES);
	assert_int_equal(seen.rtpi, 10 * OTHER);
}

/* Let in anew, by others that have ended what it had: what it has now is not to end. */
static void not_those_of_a_controller_that_is_back(void **state)
{
	set_up();
	becomes(HF_VIEW_TOGETHER, ALL);
	becomes(HF_VIEW_OUT, WITHOUT);
	becomes(HF_VIEW_OUT, ALL);
	becomes(HF_VIEW_TOGETHER, ALL);
	assert_int_equal(seen.removals, 0);
}

static void becomes_without_who_left(enum hf_view_state state, uint32_t members, uint32_t left)
{
	bus.view = (struct hf_view){
		.state = state, .members = members, .serving = members, .left = left};
	hf_node_view_changed(&node, &bus.view);
}

/* Whoever has run the fence; but the registrations of who leaves in good order go with it. */
static void inv4_who_drops_out_of_the_view_is_kept_out_until_it_is_back(void **state)
{
	set_up();
	node.fence = (struct hf_fence *)&seen;
	becomes(HF_VIEW_TOGETHER, ALL);
	becomes(HF_VIEW_RACING, ALL);
	assert_int_equal(seen.shut_out, 0);
	becomes(HF_VIEW_TOGETHER, WITHOUT);
	assert_int_equal(seen.shut_out, 1u << OTHER);
	becomes(HF_VIEW_TOGETHER, ALL);
	assert_int_equal(seen.shut_out, 0);
	becomes_without_who_left(HF_VIEW_TOGETHER, WITHOUT, 1u << OTHER);
	assert_int_equal(seen.shut_out, 0);
	becomes_without_who_left(HF_VIEW_ALONE, 1u << SELF, 1u << OTHER);
	assert_int_equal(seen.shut_out, 1u << 1);
	becomes(HF_VIEW_OUT, 0);
	assert_int_equal(seen.shut_out, 1u << 1);
}

static void hosts_see_a_controller_go_come_and_be_there(void **state)
{
	set_up();
	becomes(HF_VIEW_TOGETHER, ALL);
	assert_int_equal(seen.ports[OTHER], HF_ALUA_ACTIVE_OPTIMIZED);
	becomes(HF_VIEW_TOGETHER, WITHOUT);
	assert_int_equal(seen.ports[OTHER], HF_ALUA_UNAVAILABLE);
	bus.view.joining = 1u << OTHER;
	hf_node_view_changed(&node, &bus.view);
	assert_int_equal(seen.ports[OTHER], HF_ALUA_TRANSITIONING);
	assert_int_equal(seen.ports[1], HF_ALUA_ACTIVE_OPTIMIZED);
	becomes(HF_VIEW_TOGETHER, ALL);
	assert_int_equal(seen.ports[OTHER], HF_ALUA_ACTIVE_OPTIMIZED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reservations_of_a_controller_that_left_end_once),
		cmocka_unit_test(they_end_when_this_one_hears_of_it_while_it_does_not_serve),
		cmocka_unit_test(not_those_of_a_controller_that_is_back),
		cmocka_unit_test(inv4_who_drops_out_of_the_view_is_kept_out_until_it_is_back),
		cmocka_unit_test(hosts_see_a_controller_go_come_and_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
