/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller that is started after a race has been won and the winner has not gone on: the other
 * one, with leases, or the process before this one, with agents. Voting disks are two arrays here;
 * what the other one has written there, the test writes. In virtual time.
 */
#include "fence_int.h"

#include "loop_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SELF = 2, OTHER = 1, EPOCH = 7, WATCHDOG_MS = 1000, PATH_MS = 500 };
enum { MEMBER = 11, RESTARTED = 12, OWN = 22 }; /* incarnations */

#define MS UINT64_C(1000000)

static uint8_t races[HF_CONTROLLER_IDS][HF_RACE_BYTES], leases[HF_CONTROLLER_IDS][HF_LEASE_BYTES];
static bool written[HF_CONTROLLER_IDS]; /* races */

static struct hf_loop *loop;
static struct hf_fence *fence;
static struct hf_lease_record other; /* its lease */
static unsigned told;
static int result;

/* --- what the fence finds below --- */

static struct hf_record_io *ios[4];
static struct hf_msg carry;
static bool posted, slow; /* the voting disks do not answer */

static void carry_out(struct hf_record_io *io)
{
	bool is_race = io->kind == HF_RECORD_RACE;
	uint8_t *at = is_race ? races[io->index] : leases[io->index];
	size_t len = is_race ? HF_RACE_BYTES : HF_LEASE_BYTES;

	if (io->write) {
		assert_int_equal(io->len, len);
		memcpy(at, io->buf, len);
		written[io->index] |= is_race;
		io->done(io, 0);
	} else {
		memcpy(io->buf, at, len);
		io->done(io, is_race && !written[io->index] ? 0 : (int)len);
	}
}

static void run(struct hf_msg *msg)
{
	posted = false;
	for (unsigned i = 0; i < HF_ARRAY_LEN(ios) && !slow; i++) {
		struct hf_record_io *io = ios[i];

		ios[i] = NULL;
		if (io)
			carry_out(io);
	}
}

void hf_pool_record_submit(struct hf_pool *pool, struct hf_record_io *io)
{
	unsigned at = 0;

	while (ios[at])
		assert_true(++at < HF_ARRAY_LEN(ios));
	ios[at] = io;
	carry.run = run;
	if (!posted)
		hf_loop_post(loop, &carry);
	posted = true;
}

size_t hf_record_capacity(enum hf_record_kind kind)
{
	return 4096;
}

unsigned hf_pool_len(const struct hf_pool *pool)
{
	return 0;
}

unsigned hf_pool_voting(const struct hf_pool *pool)
{
	return 0;
}

const struct hf_label *hf_pool_label(const struct hf_pool *pool, unsigned i)
{
	return NULL;
}

struct hf_pdev *hf_pool_pdev(const struct hf_pool *pool, unsigned i)
{
	return NULL;
}

int hf_fence_watchdog_open(struct hf_fence_watchdog *w, const char *path, uint32_t ms,
	char *message, size_t message_len)
{
	return 0;
}

static unsigned fed;

void hf_fence_watchdog_feed(struct hf_fence_watchdog *w)
{
	fed++;
}

void hf_fence_watchdog_close(struct hf_fence_watchdog *w)
{
}

static unsigned agents; /* that have been run; none ever ends */

void hf_fence_agent_init(struct hf_fence_agent *a, struct hf_loop *l)
{
	a->pidfd = -1;
}

int hf_fence_agent_run(struct hf_fence_agent *a, const char *const *args, uint32_t limit_ms)
{
	agents++;
	return 0;
}

void hf_fence_agent_abandon(struct hf_fence_agent *a)
{
}

/* --- the other one --- */

static void renew(uint64_t incarnation)
{
	other.incarnation = incarnation;
	other.counter++;
	hf_lease_record_encode(&other, leases[OTHER]);
}

static void has_won_round_0(uint8_t id)
{
	struct hf_race_part p = {
		.epoch = EPOCH, .mbal = 1 << 8 | id, .bal = 1 << 8 | id, .value = id};

	hf_race_part_encode(&p, races[id]);
	written[id] = true;
}

/* --- this one --- */

static void done(void *owner, int r, const char *why)
{
	told++;
	result = r;
}

static const struct hf_fence_ops ops = {.done = done};

static int set_up_kind(enum hf_fence_kind kind)
{
	struct hf_fence_config c = {.kind = kind,
		.args = {"the-agent"},
		.id = SELF,
		.peer_id = OTHER,
		.others = 1 << OTHER,
		.watchdog_ms = WATCHDOG_MS,
		.path_ms = PATH_MS,
		.command_ms = 20000,
		.incarnation = OWN};
	char message[200];

	memset(races, 0, sizeof(races));
	memset(written, 0, sizeof(written));
	other = (struct hf_lease_record){0};
	renew(MEMBER);
	told = agents = 0;
	slow = posted = false;
	memset(ios, 0, sizeof(ios));
	assert_int_equal(hf_loop_create(0, NULL, &loop), 0);
	assert_int_equal(
		hf_fence_create(&c, loop, NULL, &ops, NULL, &fence, message, sizeof(message)), 0);
	return 0;
}

static int set_up(void **state)
{
	int rc = set_up_kind(HF_FENCE_LEASE);

	has_won_round_0(OTHER);
	return rc;
}

static int with_agents(void **state)
{
	return set_up_kind(HF_FENCE_COMMAND);
}

static int tear_down(void **state)
{
	hf_fence_destroy(fence);
	hf_loop_destroy(loop);
	return 0;
}

/* As the view machine does: each second, until it has come to an end, or so long. */
static unsigned race_for_ms(unsigned ms, uint64_t renewing)
{
	bool out = false;
	unsigned t;

	told = 0;
	result = 1;
	for (t = 0; t < ms && result != 0 && result != -EPERM; t++) {
		if (t % 1000 == 0 && (!out || told)) {
			out = true;
			told = 0;
			hf_fence_start(fence, EPOCH, MEMBER, true);
		}
		if (renewing && t % 250 == 100)
			renew(renewing);
		hf_loop_sim_advance(loop, MS);
	}
	return t;
}

static uint32_t round_of(unsigned id)
{
	struct hf_race_part p;

	if (!written[id])
		return 0;
	assert_int_equal(hf_race_part_decode(races[id], HF_RACE_BYTES, &p), 0);
	return p.round;
}

static uint64_t given_up(void)
{
	struct hf_lease_record r;

	assert_int_equal(hf_lease_record_decode(leases[SELF], HF_LEASE_BYTES, &r), 0);
	return r.clear_epoch;
}

static void a_winner_that_died_is_overruled_when_its_lease_has_run_out(void **state)
{
	unsigned ms = race_for_ms(60000, 0);

	assert_int_equal(result, 0);
	assert_int_equal(round_of(SELF), 1);
	assert_in_range(ms, 2 * WATCHDOG_MS + PATH_MS, 2 * WATCHDOG_MS + PATH_MS + 2000);
	assert_int_equal(given_up(), 0);
}

static void to_one_that_lives_it_gives_way_and_races_no_more(void **state)
{
	unsigned before;

	assert_in_range(race_for_ms(60000, MEMBER), 1, 2000);
	assert_int_equal(result, -EPERM);
	hf_loop_sim_advance(loop, 1000 * MS);
	assert_int_equal(given_up(), EPOCH);
	before = fed;
	hf_loop_sim_advance(loop, 10000 * MS);
	assert_true(fed > before + 10); /* nothing of it is in flight: its lease goes on */
	/* It has said so: whatever round the other one lets it win, it may not go on. */
	memset(written, 0, sizeof(written));
	race_for_ms(60000, 0);
	assert_int_equal(result, -EPERM);
}

/* Started anew it is no member, and may be going on all the same, as it has won. */
static void inv5_one_that_was_overruled_and_lives_is_waited_for(void **state)
{
	hf_loop_sim_advance(loop, 10000 * MS);
	told = 0;
	hf_fence_start(fence, EPOCH, MEMBER, true);
	while (round_of(SELF) == 0)
		assert_int_equal(hf_loop_run_once(loop, false), 0);
	for (unsigned t = 0; t < 60000; t++) {
		if (t % 250 == 0)
			renew(RESTARTED);
		hf_loop_sim_advance(loop, MS);
		assert_int_equal(told, 0);
	}
	other.clear_epoch = EPOCH; /* it has found itself overruled */
	renew(RESTARTED);
	hf_loop_sim_advance(loop, 1000 * MS);
	assert_int_equal(told, 1);
	assert_int_equal(result, 0);
}

static void who_has_served_and_loses_gives_up_at_once(void **state)
{
	hf_loop_sim_advance(loop, 10000 * MS);
	hf_fence_start(fence, EPOCH, MEMBER, false);
	hf_loop_sim_settle(loop);
	assert_int_equal(told, 1);
	assert_int_equal(result, -EPERM);
	assert_int_equal(given_up(), 0); /* not before it is clean */
	fed = 0;
	hf_loop_sim_advance(loop, 10000 * MS);
	assert_in_range(fed, 0, 1);
}

/* A race that is not needed any more still waits for its disks when the next one begins. */
static void a_race_of_a_view_that_is_over_decides_nothing_later(void **state)
{
	struct hf_race_part p;

	written[OTHER] = false;
	slow = true;
	hf_fence_start(fence, EPOCH, MEMBER, false);
	hf_loop_sim_advance(loop, 100 * MS);
	assert_true(hf_fence_end(fence)); /* the other one is back, and joins */
	hf_fence_start(fence, EPOCH + 2, RESTARTED, false);
	slow = false;
	hf_loop_post(loop, &carry);
	posted = true;
	hf_loop_sim_advance(loop, 500 * MS);
	assert_int_equal(hf_race_part_decode(races[SELF], HF_RACE_BYTES, &p), 0);
	assert_int_equal(p.epoch, EPOCH + 2);
}

/* The link is cut; the process before this one has won and died. The other one may live, and has
 * all that was remembered: it may overrule after 23 s, this one knows nothing and waits longer. */
static void inv6_who_inherits_a_victory_lets_the_other_one_go_first(void **state)
{
	has_won_round_0(SELF);
	race_for_ms(24000, 0);
	assert_int_equal(result, -EAGAIN);
	assert_int_equal(agents, 0);
	assert_int_equal(round_of(SELF), 0);
	for (unsigned s = 0; s < 3 && !agents; s++) { /* nobody has */
		hf_fence_start(fence, EPOCH, MEMBER, true);
		hf_loop_sim_advance(loop, 1000 * MS);
	}
	assert_int_equal(agents, 1);
}

static void who_has_won_itself_runs_its_agent_at_once(void **state)
{
	hf_fence_start(fence, EPOCH, MEMBER, true);
	hf_loop_sim_advance(loop, 1000 * MS);
	assert_int_equal(agents, 1);
}

int main(void)
{
#define AGENTS(f) cmocka_unit_test_setup_teardown(f, with_agents, tear_down)
#define T(f)	  cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_winner_that_died_is_overruled_when_its_lease_has_run_out),
		T(to_one_that_lives_it_gives_way_and_races_no_more),
		T(inv5_one_that_was_overruled_and_lives_is_waited_for),
		T(who_has_served_and_loses_gives_up_at_once),
		T(a_race_of_a_view_that_is_over_decides_nothing_later),
		AGENTS(inv6_who_inherits_a_victory_lets_the_other_one_go_first),
		AGENTS(who_has_won_itself_runs_its_agent_at_once),
	};

	return cmocka_run_group_tests_name("overrule", tests, NULL, NULL);
}
